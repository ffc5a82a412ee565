#include "target/describe.h"

#include <algorithm>
#include <gelf.h>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "target/debug_link.h"
#include "target/dwarf_file.h"
#include "target/dwarf_function.h"
#include "target/dwarf_locations.h"
#include "target/elf_image.h"
#include "target/shared_objects.h"
#include "target/usdt.h"

namespace diagnose::target {
namespace {

bool is_changed(std::string_view symbol) {
  static constexpr std::string_view marks[] = {".isra", ".constprop", ".part", ".argprom", ".argelim", ".specialized"};
  return std::any_of(std::begin(marks), std::end(marks),
                     [&](std::string_view mark) { return symbol.find(mark) != std::string_view::npos; });
}

// GCC's ".constprop" lacks a parameter that is the same in all calls, and returns what the function does.
bool may_return_otherwise(std::string_view symbol) {
  constexpr std::string_view mark = ".constprop";
  std::string rest(symbol);
  if (const auto at = rest.find(mark); at != std::string::npos) rest.erase(at, mark.size());
  return is_changed(rest);
}

class Describing {
 public:
  Describing(const DescribeRequest& request, ElfImage& image, Dwarf* dwarf, DebugInfo& info)
      : request_(request),
        image_(image),
        dwarf_(dwarf),
        units_(dwarf),
        names_(units_),
        types_(units_, names_, request.members, info.types),
        info_(info) {}

  Status run() {
    for (const DescribeRequest::Place& place : request_.places) functions_.push_back(units_.function_at(place.at));
    if (auto status = read_symbols(); !status) return status;
    for (std::size_t at = 0; at < functions_.size(); ++at) describe(request_.places[at], functions_[at]);
    stand();
    for (const std::string& name : request_.globals) find_global(name);
    for (const std::string& name : request_.types) find_type(name);
    for (const std::string& name : request_.constants) find_constant(name);
    return {};
  }

 private:
  void describe(const DescribeRequest::Place& place, const DwarfFunction* function) {
    Described described;
    described.at = place.at;
    described.at_entry = place.entry;
    if (function != nullptr) {
      if (!first_) first_ = *function;
      describe_function(*function, place.entry, facts(place, function->entry), units_, types_, described);
    }
    info_.places.push_back(std::move(described));
  }

  PlaceFacts facts(const DescribeRequest::Place& place, LinkAddress entry) {
    PlaceFacts facts;
    if (const auto known = symbols_.find(raw(entry)); known != symbols_.end()) facts = known->second;
    if (place.entry && place.at == entry) return facts;
    if (!frames_) {
      auto opened = CallFrames::open(request_.fd, request_.name, image_.sections());
      if (opened) frames_ = std::move(*opened);
    }
    if (frames_) facts.cfa = frames_->at(place.at);
    return facts;
  }

  void add_symbol(std::string_view name, std::uint64_t address, bool global) {
    const auto known = symbols_.find(address);
    if (known == symbols_.end()) return;
    PlaceFacts& facts = known->second;
    facts.has_symbol = true;
    facts.changed_signature = facts.changed_signature || is_changed(name);
    facts.changed_result = facts.changed_result || may_return_otherwise(name);
    facts.exported = facts.exported || global;
  }

  // Of the functions that are described: the file's own, and if those are stripped the debug file's.
  Status read_symbols() {
    std::vector<LinkAddress> entries;
    for (const DwarfFunction* function : functions_) {
      if (function == nullptr || !symbols_.try_emplace(raw(function->entry)).second) continue;
      entries.push_back(function->entry);
    }
    std::sort(entries.begin(), entries.end());
    if (auto status = image_.read_symbols_at(entries); !status) return status;
    for (const Symbol& symbol : image_.symbols()) add_symbol(symbol.name, raw(symbol.address), symbol.global);
    if (!image_.stripped()) return {};
    Elf* elf = ::dwarf_getelf(dwarf_);
    for (Elf_Scn* section = nullptr; (section = ::elf_nextscn(elf, section)) != nullptr;) {
      GElf_Shdr header{};
      if (::gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_SYMTAB) continue;
      Elf_Data* data = ::elf_getdata(section, nullptr);
      GElf_Sym symbol{};
      for (int at = 0; data != nullptr && ::gelf_getsym(data, at, &symbol) != nullptr; ++at) {
        if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
        if (!symbols_.contains(symbol.st_value)) continue;
        const char* name = ::elf_strptr(elf, header.sh_link, symbol.st_name);
        if (name != nullptr) add_symbol(name, symbol.st_value, GELF_ST_BIND(symbol.st_info) != STB_LOCAL);
      }
    }
    return {};
  }

  // Names are looked up from the first place's function.
  void stand() {
    if (first_) names_.stand_at(first_->die, units_.qualified_name(first_->die));
  }

  void find_global(const std::string& name) {
    Global global{.name = name, .type = no_type, .address = {}, .why = {}, .symbol = {}};
    const auto die = names_.variable(name);
    if (!die) {
      global.why = "none of that name";
    } else {
      global.type = types_.add(type_of(*die));
      if (flag(*die, DW_AT_external)) {
        global.symbol = text(*die, DW_AT_linkage_name);
        if (global.symbol.empty()) global.symbol = name_of(*die);
      }
      const Location place = locate(*die, {}, bytes_of(type_of(*die)).value_or(0));
      const bool fixed = place.kind == Location::Kind::exact && place.pieces.size() == 1 &&
                         place.pieces.front().where == Piece::Where::memory &&
                         place.pieces.front().base == register_none;
      if (fixed) {
        global.address = LinkAddress{static_cast<std::uint64_t>(place.pieces.front().offset)};
      } else if (place.kind == Location::Kind::exact) {
        global.why = "the compiler has put it into " + text(place.pieces.front());
      } else {
        global.why = place.why.empty() ? "optimised away" : place.why;
      }
    }
    info_.globals.push_back(std::move(global));
  }

  void find_type(const std::string& name) {
    const auto die = names_.type(name);
    info_.named_types.push_back({.name = name, .type = die ? types_.add(die) : no_type});
  }

  void find_constant(const std::string& name) {
    NamedConstant constant{.name = name, .type = no_type, .value = 0};
    if (const auto found = names_.enumerator(name)) {
      constant.type = types_.add(found->enumeration);
      constant.value = found->value;
    } else if (const auto variable = names_.variable(name)) {
      const auto pieces = constant_pieces(*variable, bytes_of(type_of(*variable)).value_or(0));
      if (pieces && pieces->size() == 1) {
        constant.type = types_.add(type_of(*variable));
        constant.value = pieces->front().offset;
      }
    }
    info_.constants.push_back(std::move(constant));
  }

  const DescribeRequest& request_;
  ElfImage& image_;
  Dwarf* dwarf_;
  DwarfUnits units_;
  DwarfNames names_;
  DwarfTypes types_;
  DebugInfo& info_;
  std::vector<const DwarfFunction*> functions_;  // of the places; null: none is known
  std::optional<DwarfFunction> first_;
  std::unordered_map<std::uint64_t, PlaceFacts> symbols_;  // by the functions' entries
  std::optional<CallFrames> frames_;
};

}  // namespace

Result<DebugInfo> describe_places(const DescribeRequest& request) {
  auto image = ElfImage::open_without_symbols(request.fd, request.name);
  if (!image) return failure(image.error());
  DebugInfo info;
  info.types.resize(1);
  const auto link = debug_link(*image);
  if (link) info.debuglink = link->name;
  info.build_id = image->build_id();
  if (!image->code_segments().empty()) {
    info.code = LinkAddress{image->code_segments().front().address};
    info.code_offset = FileOffset{image->code_segments().front().offset};
  }
  auto objects = find_shared_objects(*image, request.objects);
  if (!objects) return failure(objects.error());
  info.objects = std::move(*objects);
  const auto file = DwarfFile::open(*image, request.fd, request.debug_fds);
  if (!file) {
    info.missing = "no DWARF in " + request.name;
    for (const std::string& name : request.debug_names) info.missing += ", nor in " + name;
    for (const DescribeRequest::Place& place : request.places) {
      Described described;
      described.at = place.at;
      described.at_entry = place.entry;
      info.places.push_back(std::move(described));
    }
  } else {
    info.present = true;
    const auto from = static_cast<std::size_t>(file->from());
    if (file->from() >= 0 && from < request.debug_names.size()) info.source = request.debug_names[from];
    if (auto status = Describing(request, *image, file->get(), info).run(); !status) return failure(status.error());
  }
  if (auto status = describe_markers(request, *image, info); !status) return failure(status.error());
  return info;
}

}  // namespace diagnose::target
