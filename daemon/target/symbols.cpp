#include "target/symbols.h"

#include <algorithm>
#include <iterator>

#include "base/limits.h"
#include "target/elf_image.h"

namespace diagnose::target {
namespace {

using namespace std::chrono_literals;

// What a process maps changes seldom; code that is made at run time must not have the maps read for each address.
constexpr auto maps_kept = 1s;
constexpr auto maps_kept_at_a_miss = 50ms;

// The byte that decides which function is meant: a call may be the last instruction of its own.
MemoryAddress looked_at(MemoryAddress address, Symbols::Kind kind) {
  return MemoryAddress{raw(address) - (kind == Symbols::Kind::return_address && raw(address) > 0 ? 1U : 0U)};
}

}  // namespace

const Symbols::Maps& Symbols::maps_of(pid_t pid, bool missed) {
  if (processes_.size() >= limits::symbolized_processes && !processes_.contains(pid)) processes_.clear();
  const auto [at, added] = processes_.try_emplace(pid);
  Maps& maps = at->second;
  const auto now = Clock::now();
  const auto kept = missed ? std::chrono::milliseconds(maps_kept_at_a_miss) : std::chrono::milliseconds(maps_kept);
  if (!added && now - maps.read_at < kept) return maps;
  maps.read_at = now;
  auto regions = proc_.regions(pid);
  // Of a process that has gone what is known stays.
  if (regions && !regions->empty()) maps.regions = std::move(*regions);
  return maps;
}

const Region* Symbols::region_of(const Maps& maps, MemoryAddress address) {
  const auto behind = std::upper_bound(maps.regions.begin(), maps.regions.end(), address,
                                       [](MemoryAddress a, const Region& region) { return a < region.start; });
  if (behind == maps.regions.begin() || !std::prev(behind)->holds(address)) return nullptr;
  return &*std::prev(behind);
}

const Symbols::Functions::value_type* Symbols::function_at(const Region& region, FileOffset offset) const {
  const auto file = files_.find({region.device, region.inode});
  if (file == files_.end()) return nullptr;
  const auto behind = file->second.upper_bound(raw(offset));
  if (behind == file->second.begin() || raw(offset) >= std::prev(behind)->second.end) return nullptr;
  return &*std::prev(behind);
}

// Reads the file for the functions at `offsets`.  A place that has none is remembered as well, and so is a file that
// cannot be read: it is not opened for each record again.
void Symbols::learn(pid_t pid, const Region& region, const std::vector<FileOffset>& offsets) {
  std::vector<Symbolized> found(offsets.size());
  Mapping mapping{.device = region.device, .inode = region.inode, .path = region.path, .range = region.range};
  if (const auto file = proc_.open(pid, mapping)) {
    auto answer = reader_.symbolize({.fd = file->get(),
                                     .name = region.path,
                                     .offsets = offsets,
                                     .around = {.root = "/proc/" + std::to_string(pid) + "/root"}});
    if (answer && answer->size() == offsets.size()) found = std::move(*answer);
  }
  if (kept_ + offsets.size() > limits::symbols_kept) {
    files_.clear();
    kept_ = 0;
  }
  Functions& functions = files_[{region.device, region.inode}];
  for (std::size_t at = 0; at < offsets.size(); ++at) {
    const bool named = !found[at].function.empty() && found[at].into <= raw(offsets[at]);
    const std::uint64_t begin = raw(offsets[at]) - (named ? found[at].into : 0);
    const std::uint64_t end = named ? begin + found[at].size : begin + 1;
    if (functions.try_emplace(begin, Function{.end = end, .name = found[at].function}).second) ++kept_;
  }
}

std::string Symbols::text(const Region* region, MemoryAddress address, Kind kind) const {
  if (region == nullptr) return hex(raw(address));
  const std::string module = " (" + region->path.substr(region->path.rfind('/') + 1) + ")";
  const auto* function =
      region->inode == 0 ? nullptr : function_at(*region, region->offset_of(looked_at(address, kind)));
  if (function == nullptr || function->second.name.empty()) return hex(raw(address)) + module;
  const std::uint64_t offset = raw(address) - raw(region->start) + raw(region->offset);
  return function->second.name + "+" + hex(offset - function->first) + module;
}

std::vector<std::string> Symbols::names(pid_t pid, std::span<const MemoryAddress> addresses,
                                        std::span<const Kind> kinds) {
  const Maps* maps = &maps_of(pid, false);
  const auto is_missed = [&](std::size_t at) {
    return region_of(*maps, looked_at(addresses[at], kinds[at])) == nullptr;
  };
  for (std::size_t at = 0; at < addresses.size(); ++at) {
    if (!is_missed(at)) continue;
    maps = &maps_of(pid, true);
    break;
  }
  std::map<FileKey, std::pair<const Region*, std::vector<FileOffset>>> unknown;
  std::vector<const Region*> regions;
  for (std::size_t at = 0; at < addresses.size(); ++at) {
    const MemoryAddress place = looked_at(addresses[at], kinds[at]);
    regions.push_back(region_of(*maps, place));
    if (regions.back() == nullptr || regions.back()->inode == 0) continue;
    const Region& region = *regions.back();
    if (function_at(region, region.offset_of(place)) != nullptr) continue;
    auto& [in, offsets] = unknown[{region.device, region.inode}];
    in = &region;
    if (offsets.size() < limits::symbolized_places) offsets.push_back(region.offset_of(place));
  }
  for (const auto& [key, asked] : unknown) learn(pid, *asked.first, asked.second);
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < addresses.size(); ++at) texts.push_back(text(regions[at], addresses[at], kinds[at]));
  return texts;
}

std::string Symbols::name(pid_t pid, MemoryAddress address, Kind kind) {
  return names(pid, std::span(&address, 1), std::span(&kind, 1)).front();
}

}  // namespace diagnose::target
