// Kinds of address are types: a uprobe wants a file offset, `nm` prints link addresses, and mixing them probes the
// wrong instruction in silence.
#pragma once

#include <cstdint>

namespace diagnose {

enum class FileOffset : std::uint64_t {};     // bytes from the start of the file: what a uprobe wants
enum class LinkAddress : std::uint64_t {};    // what `nm` prints: never give this to the kernel
enum class MemoryAddress : std::uint64_t {};  // in one process

template <typename Address>
constexpr std::uint64_t raw(Address address) {
  return static_cast<std::uint64_t>(address);
}

}  // namespace diagnose
