#include "target/symbolize.h"

#include <string>

#include "base/limits.h"
#include "target/elf_image.h"
#include "target/function_map.h"
#include "target/names.h"

namespace diagnose::target {
namespace {

Symbolized symbolized(const ElfImage& image, const FunctionMap& functions, FileOffset offset) {
  const auto address = image.link_address(offset);
  if (!address) return {};
  const auto function = functions.find(*address);
  if (!function || function->symbol.empty()) return {};
  const std::string name = demangle(without_clones(function->symbol));
  return {.function = std::string(take_apart(name).name),
          .into = raw(*address) - raw(function->range.low),
          .size = raw(function->range.high) - raw(function->range.low)};
}

}  // namespace

Result<std::vector<Symbolized>> symbolize_places(const SymbolizeRequest& request) {
  if (request.offsets.size() > limits::symbolized_places) {
    return failure({.what = "name addresses",
                    .where = request.name,
                    .why = "more than " + std::to_string(limits::symbolized_places) + " at once",
                    .mend = "ask for less at a time"});
  }
  auto image = ElfImage::open(request.fd, request.name);
  if (!image) return failure(image.error());
  image->add_debug_symbols(request.debug_fds);
  const FunctionMap functions(*image);
  std::vector<Symbolized> places;
  places.reserve(request.offsets.size());
  for (const FileOffset offset : request.offsets) places.push_back(symbolized(*image, functions, offset));
  return places;
}

}  // namespace diagnose::target
