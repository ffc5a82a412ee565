#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "target/describe.h"
#include "target/dwarf_file.h"
#include "target/dwarf_function.h"
#include "target/elf_image.h"
#include "target/names.h"
#include "target/pattern.h"

namespace diagnose::target {
namespace {

// One symbol for each address: the name that a person wrote before the compiler's clones of it.
std::vector<const Symbol*> choose(const ElfImage& image, const std::optional<FunctionPattern>& pattern) {
  std::map<std::uint64_t, const Symbol*> chosen;
  for (const Symbol& symbol : image.symbols()) {
    if (is_cold(symbol.name) || (pattern && !pattern->matches(symbol.name)) || image.refusal(symbol)) continue;
    const Symbol*& known = chosen.try_emplace(raw(symbol.address), nullptr).first->second;
    const bool better =
        known == nullptr || std::pair(symbol.name.size(), symbol.name) < std::pair(known->name.size(), known->name);
    if (better) known = &symbol;
  }
  std::vector<const Symbol*> all;
  all.reserve(chosen.size());
  for (const auto& [address, symbol] : chosen) all.push_back(symbol);
  return all;
}

// Where the functions are declared, as far as the debug information is read for it.
void add_places(const ListRequest& request, const std::string& build_id, std::vector<Listed>& functions) {
  const auto file = DwarfFile::open(request.fd, request.debug_fds, build_id);
  if (!file) return;
  DwarfUnits units(file->get());
  for (Listed& listed : functions) {
    if (units.looks() > limits::debug_entries) break;
    const DwarfFunction* function = units.function_at(listed.address);
    if (function == nullptr || function->entry != listed.address) continue;
    SourcePlace place = declared_at(function->die);
    listed.file = std::move(place.file);
    listed.line = place.line;
    if (functions.size() <= limits::counted_copies) listed.inlined = units.inlined_copies(function->die);
  }
}

}  // namespace

Result<ListAnswer> list_functions(const ListRequest& request) {
  std::optional<FunctionPattern> pattern;
  if (!request.pattern.empty()) {
    auto parsed = FunctionPattern::parse(request.pattern);
    if (!parsed) return failure(parsed.error());
    pattern = std::move(*parsed);
  }
  auto image = ElfImage::open(request.fd, request.name);
  if (!image) return failure(image.error());
  ListAnswer answer;
  answer.build_id = image->build_id();
  std::vector<const Symbol*> chosen = choose(*image, pattern);
  const std::size_t most = request.functions_max != 0 ? request.functions_max : limits::sites_per_probe;
  if (chosen.size() > most) {
    answer.cut = true;
    std::nth_element(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(most), chosen.end(),
                     [](const Symbol* a, const Symbol* b) { return a->name < b->name; });
    chosen.resize(most);
  }
  for (const Symbol* symbol : chosen) {
    Listed listed;
    listed.symbol = symbol->name;
    listed.name = demangle(without_clones(symbol->name));
    listed.address = symbol->address;
    listed.size = symbol->size;
    answer.functions.push_back(std::move(listed));
  }
  add_places(request, answer.build_id, answer.functions);
  std::sort(answer.functions.begin(), answer.functions.end(), [](const Listed& a, const Listed& b) {
    return std::pair(std::string_view(a.name), a.address) < std::pair(std::string_view(b.name), b.address);
  });
  return answer;
}

}  // namespace diagnose::target
