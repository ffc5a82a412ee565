#include "target/inlined_sites.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "target/dwarf_file.h"
#include "target/inlined_copies.h"
#include "target/names.h"
#include "target/place_sites.h"

namespace diagnose::target {
namespace {

constexpr std::uint64_t decoded_bytes_max = 8U << 20U;  // takes about half a second

// All functions that hold code of the copy; empty, with the reason in `why`, if one is not known.
std::vector<const Body*> parts_of(const InlinedCopy& copy, PlaceSites& sites, std::string& why) {
  std::vector<const Body*> parts;
  for (const Range& range : copy.code) {
    const Body* part = sites.body_around(range.low, why);
    if (part == nullptr) return {};
    if (range.high > part->function.range.high) {
      why = "its code runs into another function";
      return {};
    }
    if (part->decoded_to < part->function.range.high || !part->in_step) {
      why = "the code around it cannot be decoded";
      return {};
    }
    if (std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
  }
  return parts;
}

}  // namespace

void add_inlined(const ElfImage& image, Decoder& decoder, const FileRequest& request, const FunctionPattern& pattern,
                 FileAnswer& answer) {
  const auto dwarf = DwarfFile::open(image, request.fd, request.debug_fds);
  if (!dwarf) return;
  const InlinedCopies found = find_inlined(
      *dwarf, [&](std::string_view symbol) { return pattern.matches(symbol); }, limits::sites_per_probe);
  if (found.copies.empty() && answer.functions.empty()) return;
  if (found.cut) answer.refused.emplace_back("inlined copies: the file has too much debug information to find all");
  PlaceSites sites(image, decoder, request);
  std::uint64_t decoded = 0;
  std::map<std::string, std::size_t> gone;  // copies of which no code is left, by function
  std::map<std::string, std::map<std::string, std::size_t>> doubtful;
  for (std::size_t at = 0; at < found.copies.size(); ++at) {
    const InlinedCopy& copy = found.copies[at];
    const std::string name = demangle(without_clones(copy.symbol));
    if (copy.code.empty()) {
      ++gone[name];
      continue;
    }
    const auto shares_entry = [&](std::size_t other) {
      return other < found.copies.size() && found.copies[other].entry == copy.entry &&
             found.copies[other].symbol == copy.symbol && !found.copies[other].code.empty();
    };
    std::string why;
    if (shares_entry(at + 1) || (at > 0 && shares_entry(at - 1))) why = "two copies begin with the same instruction";
    const auto parts = why.empty() ? parts_of(copy, sites, why) : std::vector<const Body*>{};
    for (const Body* part : parts) decoded += part->bytes.size();
    if (why.empty() && decoded > decoded_bytes_max) why = "the functions around have too much code";
    if (why.empty()) why = doubt_about(copy, decoder, parts);
    auto function = sites.at(copy.entry, SiteKind::inlined);
    if (why.empty() && !function) why = function.error().why;
    if (!why.empty()) {
      ++doubtful[name][why];
      continue;
    }
    function->symbol = copy.symbol;
    function->name = name + " (inlined in " + function->name + ")";
    function->names.clear();
    answer.functions.push_back(std::move(*function));
  }
  const auto refuse = [&](const std::string& name, std::size_t count, const std::string& why) {
    answer.refused.push_back(name + ": " + std::to_string(count) + (count == 1 ? " inlined copy" : " inlined copies") +
                             " not counted: " + why);
  };
  for (const auto& [name, reasons] : doubtful) {
    for (const auto& [why, count] : reasons) refuse(name, count, why);
  }
  for (const auto& [name, count] : gone) refuse(name, count, "no code is left there that is its own");
  std::stable_sort(answer.functions.begin(), answer.functions.end(), [](const Function& a, const Function& b) {
    return a.sites.front().address < b.sites.front().address;
  });
}

}  // namespace diagnose::target
