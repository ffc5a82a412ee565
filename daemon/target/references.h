// Bytes that would be a call or a jump to a wanted place: the whole text of a large library in a tenth of a second,
// where decoding it takes many.  Each find is to be held against the instructions of the function around it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "target/elf_image.h"

namespace diagnose::target {

struct Reference {
  LinkAddress end{};  // behind the instruction: the return address, if it is a call
  LinkAddress to{};   // the code or the slot
  bool through_slot = false;
};

// A set of addresses that answers "no" quickly.
class AddressSet {
 public:
  explicit AddressSet(std::vector<LinkAddress> addresses);
  [[nodiscard]] bool contains(std::uint64_t address) const;
  [[nodiscard]] bool empty() const { return addresses_.empty(); }

 private:
  std::vector<LinkAddress> addresses_;  // sorted
  std::uint64_t least_ = 0, span_ = 0;
  std::vector<bool> filter_;  // by hash
};

struct References {
  std::vector<Reference> found;  // by place within each stretch
  bool too_many = false;         // the search has stopped
};

// In `stretches`: `call`, `jmp` and `jcc` with a 4-byte distance to one of `code`, `call *slot(%rip)` and
// `jmp *slot(%rip)` through one of `slots`.  Fails if the file cannot be read or has more code than any known program.
[[nodiscard]] Result<References> find_references(const ElfImage& image, std::span<const Segment> stretches,
                                                 const AddressSet& code, const AddressSet& slots);

// `jmp` and `jcc` with a 1-byte distance to `to`, for which nothing but its neighbourhood need be read.
[[nodiscard]] std::vector<Reference> find_short_jumps(const ElfImage& image, LinkAddress to);

}  // namespace diagnose::target
