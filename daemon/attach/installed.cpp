#include "attach/installed.h"

#include <algorithm>
#include <optional>

#include "base/limits.h"

namespace diagnose::attach {
namespace {

constexpr std::size_t functions_in_full = 64;
constexpr std::size_t optimised_length = 5;  // of a nop that becomes a call, bytes

std::optional<MemoryAddress> address_of(const std::vector<target::Region>& regions, dev_t device, ino_t inode,
                                        FileOffset offset) {
  for (const target::Region& region : regions) {
    if (region.device != device || region.inode != inode) continue;
    if (const auto address = region.address_of(offset)) return address;
  }
  return std::nullopt;
}

struct Looker {
  const target::ProcFs& proc;
  pid_t pid;
  dev_t device;
  ino_t inode;
  std::vector<target::Region> regions;
  Standings found;
  const target::Site* first_different = nullptr;

  void look(const target::Site& site) {
    const auto address = address_of(regions, device, inode, site.offset);
    if (!address || site.bytes.empty()) {
      ++found.unmapped;
      return;
    }
    const auto memory = proc.memory(pid, *address, site.bytes.size());
    if (!memory) {
      ++found.unmapped;
      return;
    }
    switch (standing(*memory, site)) {
      case Standing::installed:
        ++found.installed;
        break;
      case Standing::absent:
        ++found.absent;
        break;
      case Standing::different:
        ++found.different;
        if (first_different == nullptr) first_different = &site;
    }
  }

  void look(std::span<const target::Function> functions) {
    std::size_t left = limits::sites_read_back;
    for (const target::Function& function : functions) {
      const std::size_t wanted = functions.size() > functions_in_full ? 1 : function.sites.size();
      for (std::size_t at = 0; at < std::min(wanted, function.sites.size()) && left > 0; ++at, --left) {
        look(function.sites[at]);
      }
    }
  }
};

Result<Looker> looked(const target::ProcFs& proc, pid_t pid, dev_t device, ino_t inode,
                      std::span<const target::Function> functions) {
  auto regions = proc.regions(pid);
  if (!regions) return tl::unexpected(regions.error());
  Looker looker{
      .proc = proc, .pid = pid, .device = device, .inode = inode, .regions = std::move(*regions), .found = {}};
  looker.look(functions);
  return looker;
}

}  // namespace

Standing standing(std::span<const std::byte> memory, const target::Site& site) {
  constexpr std::byte breakpoint{0xcc};
  constexpr std::byte call{0xe8};
  if (memory.size() != site.bytes.size() || memory.empty()) return Standing::different;
  const auto same_from = [&](std::size_t first) {
    return std::equal(memory.begin() + static_cast<std::ptrdiff_t>(first), memory.end(),
                      site.bytes.begin() + static_cast<std::ptrdiff_t>(first),
                      [](std::byte here, std::uint8_t there) { return here == std::byte{there}; });
  };
  if (same_from(0)) return Standing::absent;
  if (memory[0] == breakpoint && same_from(1)) return Standing::installed;
  // The kernel writes the call in steps: for moments it is a breakpoint in front of the new displacement.
  const bool optimisable = site.cost == target::Cost::optimised && memory.size() == optimised_length;
  if (optimisable && (memory[0] == call || memory[0] == breakpoint)) return Standing::installed;
  return Standing::different;
}

Result<Standings> standings(const target::ProcFs& proc, pid_t pid, dev_t device, ino_t inode,
                            std::span<const target::Function> functions) {
  const auto looker = looked(proc, pid, device, inode, functions);
  if (!looker) return tl::unexpected(looker.error());
  return looker->found;
}

Status same_code(const target::ProcFs& proc, pid_t pid, dev_t device, ino_t inode,
                 std::span<const target::Function> functions, const std::string& path) {
  const auto looker = looked(proc, pid, device, inode, functions);
  if (!looker) return tl::unexpected(looker.error());
  if (looker->first_different == nullptr) return {};
  return failure({.what = "attach",
                  .where = path + " in process " + std::to_string(pid),
                  .why = "memory differs from the file, first at `" + looker->first_different->instruction +
                         "`: " + std::to_string(looker->found.different) + " of " +
                         std::to_string(looker->found.looked_at()) + " sites",
                  .mend = "something has patched the process, or its file was overwritten: start it again"});
}

}  // namespace diagnose::attach
