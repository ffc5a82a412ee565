#include "target/elf_reader.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/limits.h"
#include "target/callers.h"
#include "target/code.h"
#include "target/describe.h"
#include "target/elf_image.h"
#include "target/exits.h"
#include "target/function_sites.h"
#include "target/identify.h"
#include "target/inlined_sites.h"
#include "target/names.h"
#include "target/nearest.h"
#include "target/pattern.h"
#include "target/places.h"
#include "target/symbolize.h"
#include "target/traits.h"

namespace diagnose::target {
namespace {

// Symbols that overlap could ask for the same code again and again.  Decoding this much takes some two seconds.
constexpr std::uint64_t decoded_bytes_max = 32U << 20U;

Range range_of(const Symbol& symbol) {
  return {symbol.address, LinkAddress{raw(symbol.address) + symbol.size}};
}

// One reading of one file.
class Reading {
 public:
  Reading(const ElfImage& image, const FileRequest& request, FunctionPattern pattern, Decoder decoder)
      : image_(image), request_(request), pattern_(std::move(pattern)), decoder_(std::move(decoder)) {}

  Result<FileAnswer> run();

 private:
  void select();
  void drop_parts();
  void add(std::span<const Symbol* const> group);
  void find_relatives();
  void claim_cold(Function& function);
  [[nodiscard]] Result<Stretch> stretch(Range range);
  [[nodiscard]] Error too_many(std::size_t most, const char* what) const;
  void refuse(std::string_view symbol, const std::string& why);

  const ElfImage& image_;
  const FileRequest& request_;
  FunctionPattern pattern_;
  Decoder decoder_;
  std::vector<const Symbol*> chosen_;
  std::unordered_multimap<std::string_view, const Symbol*> colds_;  // by the symbol of their parent
  std::unordered_map<std::string_view, std::size_t> parents_;       // how many functions bear that symbol
  std::uint64_t decoded_bytes_ = 0;
  FileAnswer answer_;
};

void Reading::refuse(std::string_view symbol, const std::string& why) {
  constexpr std::size_t told_max = 100;  // a glob over a stripped runtime may match thousands
  if (answer_.refused.size() == told_max) answer_.refused.emplace_back("more are not listed");
  if (answer_.refused.size() < told_max) answer_.refused.push_back(demangle(symbol) + ": " + why);
}

void Reading::select() {
  for (const Symbol& symbol : image_.symbols()) {
    if (pattern_.matches(symbol.name)) chosen_.push_back(&symbol);
  }
  // By address; at one address the name that a person wrote before the compiler's clones of it.
  std::sort(chosen_.begin(), chosen_.end(), [](const Symbol* a, const Symbol* b) {
    if (a->address != b->address) return a->address < b->address;
    if (a->size != b->size) return a->size > b->size;
    if (a->name.size() != b->name.size()) return a->name.size() < b->name.size();
    return a->name < b->name;
  });
}

// `f.part.0` is called by `f` itself: with both probed a call would count twice.
void Reading::drop_parts() {
  std::unordered_set<std::string_view> whole;
  for (const Symbol* symbol : chosen_) {
    if (!is_part(symbol->name)) whole.insert(without_clones(symbol->name));
  }
  std::erase_if(chosen_, [&](const Symbol* symbol) {
    if (!is_part(symbol->name) || pattern_.is_symbol(symbol->name)) return false;
    if (!whole.contains(without_clones(symbol->name))) return false;
    refuse(symbol->name, std::string(symbol->name) +
                             " is a part of it that it calls; calls whose first part was inlined are not seen (give "
                             "this name to probe the part)");
    return true;
  });
}

// `group`: all chosen symbols at one address.
void Reading::add(std::span<const Symbol* const> group) {
  const auto usable = std::find_if(group.begin(), group.end(), [&](const Symbol* s) { return !image_.refusal(*s); });
  if (usable == group.end()) {
    std::string why = *image_.refusal(*group.front());
    constexpr std::size_t told_max = 4;
    const char* separator = "; its implementations may be ";
    if (group.front()->ifunc) {
      for (const std::string_view name : image_.implementations(*group.front(), told_max)) {
        why.append(separator).append(name);
        separator = ", ";
      }
    }
    refuse(group.front()->name, why);
    return;
  }
  const Symbol& symbol = **usable;
  constexpr std::uint64_t instruction_bytes_max = 15;
  const Range head{symbol.address, LinkAddress{raw(symbol.address) + std::min(symbol.size, instruction_bytes_max)}};
  const auto bytes = image_.code(head);
  if (!bytes) return refuse(symbol.name, bytes.error().why);
  const auto entry = decoder_.decode(*bytes, symbol.address);
  if (!entry) return refuse(symbol.name, "its first bytes are no instruction");
  if (const auto why = refusal(*entry)) return refuse(symbol.name, "its first instruction cannot be probed: " + *why);
  auto entry_site = site_of(image_, decoder_, SiteKind::entry, *entry);
  if (!entry_site) return refuse(symbol.name, entry_site.error().why);
  Function function;
  function.symbol = symbol.name;
  function.name = demangle(without_clones(symbol.name));
  function.body = range_of(symbol);
  function.sites.push_back(std::move(*entry_site));
  answer_.functions.push_back(std::move(function));
}

// What belongs to the functions found: their other names and their cold parts.
void Reading::find_relatives() {
  std::unordered_map<std::uint64_t, Function*> found;
  for (Function& function : answer_.functions) found.emplace(raw(function.body.low), &function);
  for (const Symbol& symbol : image_.symbols()) {
    const auto at = found.find(raw(symbol.address));
    if (at == found.end() || is_cold(symbol.name) || symbol.name == at->second->symbol) continue;
    auto& names = at->second->names;
    if (std::find(names.begin(), names.end(), symbol.name) == names.end()) names.emplace_back(symbol.name);
  }
  std::unordered_set<std::string_view> wanted;
  for (const Function& function : answer_.functions) {
    wanted.insert(function.symbol);
    wanted.insert(function.names.begin(), function.names.end());
  }
  std::unordered_map<std::string_view, std::unordered_set<std::uint64_t>> addresses;
  for (const Symbol& symbol : image_.symbols()) {
    if (is_cold(symbol.name)) {
      const std::string_view parent = cold_parent(symbol.name);
      if (wanted.contains(parent) && !image_.refusal(symbol)) colds_.emplace(parent, &symbol);
    } else if (wanted.contains(symbol.name)) {
      addresses[symbol.name].insert(raw(symbol.address));
    }
  }
  for (const auto& [name, places] : addresses) parents_[name] = places.size();
}

// Local symbols of several translation units may share a name.  Then a cold part belongs to the function that jumps
// into it or that it jumps back to.
void Reading::claim_cold(Function& function) {
  std::vector<std::string_view> names(function.names.begin(), function.names.end());
  names.push_back(function.symbol);
  const auto jumps_into = [&](const Range& from, const Range& to) {
    const auto code = stretch(from);
    if (!code) return false;
    const auto targets = jump_targets(decoder_, *code);
    return std::any_of(targets.begin(), targets.end(),
                       [&](LinkAddress target) { return target >= to.low && target < to.high; });
  };
  for (const std::string_view name : names) {
    const auto [first, last] = colds_.equal_range(name);
    const bool unique = parents_[name] == 1;
    for (auto cold = first; cold != last; ++cold) {
      const Range range = range_of(*cold->second);
      const bool known = std::any_of(function.cold.begin(), function.cold.end(),
                                     [&](const Range& other) { return other.low == range.low; });
      if (known) continue;
      if (unique || jumps_into(function.body, range) || jumps_into(range, function.body))
        function.cold.push_back(range);
    }
  }
  std::sort(function.cold.begin(), function.cold.end(), [](const Range& a, const Range& b) { return a.low < b.low; });
}

Result<Stretch> Reading::stretch(Range range) {
  decoded_bytes_ += raw(range.high) - raw(range.low);
  if (decoded_bytes_ > decoded_bytes_max) {
    return failure(
        {.what = "find `" + request_.function + "`",
         .where = request_.name,
         .why = "the functions that match have more than " + std::to_string(decoded_bytes_max >> 20U) + " MiB of code",
         .mend = "narrow the pattern"});
  }
  auto bytes = image_.code(range);
  if (!bytes) return failure(bytes.error());
  return Stretch{range, std::move(*bytes)};
}

Error Reading::too_many(std::size_t most, const char* what) const {
  return {.what = "find `" + request_.function + "`",
          .where = request_.name,
          .why = "it matches more than " + std::to_string(most) + " " + what,
          .mend = "narrow the pattern"};
}

Result<FileAnswer> Reading::run() {
  answer_.build_id = image_.build_id();
  answer_.stripped = image_.stripped();
  select();
  drop_parts();
  const std::size_t most = request_.functions_max != 0 ? request_.functions_max : limits::sites_per_probe;
  for (std::size_t at = 0; at < chosen_.size();) {
    std::size_t end = at + 1;
    while (end < chosen_.size() && chosen_[end]->address == chosen_[at]->address) ++end;
    add(std::span(chosen_).subspan(at, end - at));
    at = end;
    if (answer_.functions.size() > most) return failure(too_many(most, "functions"));
  }
  if (!answer_.functions.empty()) find_relatives();
  std::size_t sites = 0;
  FunctionSites finder(image_, decoder_, request_, [this](Range range) { return stretch(range); });
  for (Function& function : answer_.functions) {
    claim_cold(function);
    finder.complete(function);
    sites += function.sites.size();
    if (sites > std::max(most, limits::sites_per_probe)) return failure(too_many(limits::sites_per_probe, "sites"));
  }
  finder.settle(answer_.functions);
  if (request_.inlined) add_inlined(image_, decoder_, request_, pattern_, answer_);
  if (answer_.functions.empty() && answer_.refused.empty()) {
    answer_.nearest = nearest(image_.symbols(), pattern_.plain_name());
  }
  return std::move(answer_);
}

class ElfReader final : public FileReader {
 public:
  Result<FileAnswer> read(const FileRequest& request) override {
    auto pattern = FunctionPattern::parse(request.by == PlaceBy::function ? request.function : "*");
    if (!pattern) return failure(pattern.error());
    auto image = ElfImage::open(request.fd, request.name);
    if (!image) return failure(image.error());
    if (!request.build_id.empty() && request.build_id != image->build_id()) {
      return failure({.what = "find `" + request.function + "`",
                      .where = request.name,
                      .why = image->build_id().empty()
                                 ? "the file has no build id"
                                 : "its build id is " + image->build_id() + ", the spec wants " + request.build_id,
                      .mend = "check which build is running, or leave `build_id` out"});
    }
    image->add_debug_symbols(request.debug_fds);
    auto decoder = Decoder::make();
    if (!decoder) return failure(decoder.error());
    if (request.by != PlaceBy::function) return read_places(*image, *decoder, request);
    return Reading(*image, request, std::move(*pattern), std::move(*decoder)).run();
  }

  Result<CallersAnswer> callers(const CallersRequest& request) override { return find_callers(request); }
  Result<std::vector<ReturnSite>> return_sites(const ReturnSitesRequest& request) override {
    return find_return_sites(request);
  }
  Result<Traits> traits(int fd, const std::string& name) override { return find_traits(fd, name); }
  Result<Identity> identify(int fd, const std::string& /*name*/) override { return identify_file(fd); }
  Result<DebugInfo> describe(const DescribeRequest& request) override { return describe_places(request); }
  Result<ListAnswer> list(const ListRequest& request) override { return list_functions(request); }
  Result<std::vector<Symbolized>> symbolize(const SymbolizeRequest& request) override {
    return symbolize_places(request);
  }
};

}  // namespace

std::unique_ptr<FileReader> make_elf_reader() {
  return std::make_unique<ElfReader>();
}

}  // namespace diagnose::target
