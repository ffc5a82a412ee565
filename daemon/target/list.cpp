// FileReader::list: the functions that a pattern of a spec would find, by symbols, without looking at their code.
#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/limits.h"
#include "target/describe.h"
#include "target/dwarf_file.h"
#include "target/dwarf_function.h"
#include "target/dwarf_units.h"
#include "target/elf_image.h"
#include "target/names.h"
#include "target/pattern.h"

namespace diagnose::target {
namespace {

// One symbol for each address, by address: that which a person wrote before its aliases and the compiler's clones.
std::vector<const Symbol*> chosen(const ElfImage& image, const std::optional<FunctionPattern>& pattern) {
  std::vector<const Symbol*> symbols;
  for (const Symbol& symbol : image.symbols()) {
    const bool wanted = pattern ? pattern->matches(symbol.name) : !is_cold(symbol.name) && !is_thunk(symbol.name);
    if (wanted && !image.refusal(symbol)) symbols.push_back(&symbol);
  }
  std::sort(symbols.begin(), symbols.end(), [](const Symbol* a, const Symbol* b) {
    if (a->address != b->address) return a->address < b->address;
    if (a->size != b->size) return a->size > b->size;
    if (a->name.size() != b->name.size()) return a->name.size() < b->name.size();
    return a->name < b->name;
  });
  const auto same = [](const Symbol* a, const Symbol* b) { return a->address == b->address; };
  symbols.erase(std::unique(symbols.begin(), symbols.end(), same), symbols.end());
  // A part is called by its function and is not found beside it.
  std::unordered_set<std::string_view> whole;
  for (const Symbol* symbol : symbols) {
    if (!is_part(symbol->name)) whole.insert(without_clones(symbol->name));
  }
  std::erase_if(symbols, [&](const Symbol* symbol) {
    if (!is_part(symbol->name) || (pattern && pattern->is_symbol(symbol->name))) return false;
    return whole.contains(without_clones(symbol->name));
  });
  return symbols;
}

// Where the functions are declared, as far as the debug information is read for it.
void find_sources(const ListRequest& request, const ElfImage& image, ListAnswer& answer) {
  const auto file = DwarfFile::open(image, request.fd, request.debug_fds);
  if (!file) return;
  DwarfUnits units(file->get());
  for (Listed& listed : answer.functions) {
    if (units.looks() > limits::debug_entries) break;
    const DwarfFunction* function = units.function_at(listed.address);
    if (function == nullptr || function->entry != listed.address) continue;
    SourcePlace place = declared_at(function->die);
    listed.file = std::move(place.file);
    listed.line = place.line;
    if (answer.functions.size() <= limits::counted_copies) listed.inlined = units.inlined_copies(function->die);
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
  image->add_debug_symbols(request.debug_fds);
  ListAnswer answer;
  answer.build_id = image->build_id();
  for (const Symbol* symbol : chosen(*image, pattern)) {
    Listed listed;
    listed.symbol = symbol->name;
    listed.name = demangle(without_clones(symbol->name));
    listed.address = symbol->address;
    listed.size = symbol->size;
    answer.functions.push_back(std::move(listed));
  }
  std::sort(answer.functions.begin(), answer.functions.end(), [](const Listed& a, const Listed& b) {
    return a.name != b.name ? a.name < b.name : a.address < b.address;
  });
  const std::size_t most = request.functions_max != 0 ? request.functions_max : limits::sites_per_probe;
  answer.cut = answer.functions.size() > most;
  if (answer.cut) answer.functions.resize(most);
  if (request.sources) find_sources(request, *image, answer);
  return answer;
}

}  // namespace diagnose::target
