#include "target/usdt.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <map>
#include <set>
#include <utility>

namespace diagnose::target {
namespace {

constexpr std::uint64_t notes_bytes_max = 16U << 20U;     // some 150,000 markers
constexpr std::uint64_t symbols_bytes_max = 512U << 20U;  // as ElfImage reads
constexpr std::uint32_t note_type = 3;                    // version 3; earlier ones have had no users for long

Error bad_notes(const ElfImage& image, std::string why) {
  return {.what = "read markers", .where = image.name(), .why = std::move(why), .mend = ""};
}

// Reads little-endian numbers and texts from the front of a note.
class Cursor {
 public:
  explicit Cursor(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint64_t number() {
    std::uint64_t value = 0;
    if (bytes_.size() < sizeof value) return fail(), 0;
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_ = bytes_.subspan(sizeof value);
    return value;
  }
  [[nodiscard]] std::string text() {
    const auto end = std::find(bytes_.begin(), bytes_.end(), std::uint8_t{0});
    if (end == bytes_.end()) return fail(), std::string();
    std::string value(bytes_.begin(), end);
    bytes_ = bytes_.subspan(value.size() + 1);
    return value;
  }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  void fail() {
    failed_ = true;
    bytes_ = {};
  }
  std::span<const std::uint8_t> bytes_;
  bool failed_ = false;
};

// Where the section stands that all addresses of the notes count from: prelink moves it, but not the notes.
std::uint64_t moved_by(const ElfImage& image, std::uint64_t base) {
  const Section* section = image.section(".stapsdt.base");
  return section != nullptr && base != 0 ? section->address - base : 0;
}

std::optional<Marker> marker_of(const ElfImage& image, std::span<const std::uint8_t> note) {
  Cursor cursor(note);
  const std::uint64_t address = cursor.number();
  const std::uint64_t moved = moved_by(image, cursor.number());
  const std::uint64_t semaphore = cursor.number();
  Marker marker;
  marker.provider = cursor.text();
  marker.name = cursor.text();
  marker.arguments = cursor.text();
  if (cursor.failed()) return std::nullopt;
  marker.address = LinkAddress{address + moved};
  if (semaphore == 0) return marker;
  if (auto offset = image.data_offset(LinkAddress{semaphore + moved}, sizeof(std::uint16_t))) {
    marker.semaphore = *offset;
  } else {
    marker.why = offset.error().why;
  }
  return marker;
}

// Of data and everything else that has an address, by name.  Names that stand for several places have none.
class Symbols {
 public:
  explicit Symbols(const ElfImage& image) : image_(image) {}

  std::optional<LinkAddress> operator()(std::string_view name) {
    if (!read_) read();
    const auto found = addresses_.find(name);
    return found == addresses_.end() ? std::nullopt : found->second;
  }

 private:
  void read() {
    read_ = true;
    for (const std::uint32_t type : {std::uint32_t{SHT_DYNSYM}, std::uint32_t{SHT_SYMTAB}}) {
      const Section* table = image_.section(type);
      if (table == nullptr || table->link >= image_.sections().size()) continue;
      auto entries = image_.contents(*table, symbols_bytes_max);
      auto names = image_.contents(image_.sections()[table->link], symbols_bytes_max);
      if (!entries || !names || names->empty()) continue;
      names->back() = 0;
      for (std::size_t at = 0; at + sizeof(Elf64_Sym) <= entries->size(); at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol{};
        std::memcpy(&symbol, entries->data() + at, sizeof symbol);
        const unsigned kind = ELF64_ST_TYPE(symbol.st_info);
        const bool placed = symbol.st_shndx != SHN_UNDEF && symbol.st_shndx < SHN_LORESERVE;
        if (!placed || kind == STT_TLS || kind == STT_SECTION || symbol.st_name >= names->size()) continue;
        const LinkAddress address{symbol.st_value};
        const auto [known, added] =
            addresses_.try_emplace(reinterpret_cast<const char*>(names->data()) + symbol.st_name, address);
        if (!added && known->second != address) known->second.reset();
      }
    }
  }

  const ElfImage& image_;
  bool read_ = false;
  std::map<std::string, std::optional<LinkAddress>, std::less<>> addresses_;
};

}  // namespace

Result<std::vector<Marker>> read_markers(const ElfImage& image) {
  std::vector<Marker> markers;
  const Section* section = image.section(".note.stapsdt");
  if (section == nullptr || section->type == SHT_NOBITS) return markers;
  const auto bytes = image.contents(*section, notes_bytes_max);
  if (!bytes) return failure(bytes.error());
  std::span<const std::uint8_t> left(*bytes);
  while (left.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note{};
    std::memcpy(&note, left.data(), sizeof note);
    left = left.subspan(sizeof note);
    const std::uint64_t name_bytes = (std::uint64_t{note.n_namesz} + 3U) & ~std::uint64_t{3};
    const std::uint64_t text_bytes = (std::uint64_t{note.n_descsz} + 3U) & ~std::uint64_t{3};
    if (name_bytes > left.size() || text_bytes > left.size() - name_bytes) {
      return failure(bad_notes(image, "a note claims more bytes than its section has"));
    }
    constexpr std::string_view owner("stapsdt\0", 8);
    const bool ours = note.n_type == note_type && note.n_namesz == owner.size() &&
                      std::memcmp(left.data(), owner.data(), owner.size()) == 0;
    if (ours) {
      auto marker = marker_of(image, left.subspan(name_bytes, note.n_descsz));
      if (!marker) return failure(bad_notes(image, "a note is cut off"));
      markers.push_back(std::move(*marker));
    }
    left = left.subspan(name_bytes + text_bytes);
  }
  return markers;
}

bool is_marker(const Marker& marker, std::string_view wanted) {
  const auto colon = wanted.find(':');
  if (colon == std::string_view::npos || marker.provider != wanted.substr(0, colon)) return false;
  std::string name;
  for (const char c : wanted.substr(colon + 1)) {
    if (c == '-') name += '_';
    name += c == '-' ? '_' : c;
  }
  return marker.name == name;
}

Status describe_markers(const DescribeRequest& request, const ElfImage& image, DebugInfo& info) {
  const bool any = std::any_of(request.places.begin(), request.places.end(),
                               [](const DescribeRequest::Place& place) { return place.marker; });
  if (!any) return {};
  const auto markers = read_markers(image);
  if (!markers) return failure(markers.error());
  Symbols symbols(image);
  info.places.resize(std::max(info.places.size(), request.places.size()));
  for (std::size_t at = 0; at < request.places.size(); ++at) {
    const DescribeRequest::Place& place = request.places[at];
    const auto marker = std::find_if(markers->begin(), markers->end(),
                                     [&](const Marker& one) { return place.marker && one.address == place.at; });
    if (marker == markers->end()) continue;
    info.present = true;
    Described& described = info.places[at];
    described.at = place.at;
    described.at_entry = false;
    described.function = marker->text();
    for (Variable& variable : described.variables) variable.is_parameter = false;
    auto arguments = marker_arguments(marker->arguments, std::ref(symbols), info.types);
    std::move(arguments.begin(), arguments.end(), std::back_inserter(described.variables));
  }
  return {};
}

}  // namespace diagnose::target
