// Call-frame information: where the canonical frame address is at an instruction (DWARF 5, 6.4), from .eh_frame and
// .debug_frame, through libdw.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "target/answer.h"
#include "target/elf_image.h"

namespace diagnose::target {

// CFA = register + offset, or, if indirect, what memory holds there.
struct CfaRule {
  std::uint8_t cfa_register = register_sp;  // x86 encoding
  std::int64_t offset = 8;
  bool indirect = false;
  friend bool operator==(const CfaRule&, const CfaRule&) = default;
};

// The tables of one file, read by offset (never mapped) and only as far as they are asked for.
// One thread at a time.
class CallFrames {
 public:
  // Borrows `fd`, which must outlive the frames.  `sections`: all of the file's, in its order; without them .eh_frame
  // alone is read.  A file without tables has no rules; that is no error.  Fails for what
  // libelf does not take for an ELF file, and for one that is cut off.
  [[nodiscard]] static Result<CallFrames> open(int fd, const std::string& name, std::span<const Section> sections);

  // Nothing where no table covers the address, or its rule is of another form (a PLT's, for one), or is garbage.
  [[nodiscard]] std::optional<CfaRule> at(LinkAddress address) const;

 private:
  struct Tables;
  struct Close {
    void operator()(Tables* tables) const;
  };
  explicit CallFrames(std::unique_ptr<Tables, Close> tables) : tables_(std::move(tables)) {}
  std::unique_ptr<Tables, Close> tables_;
};

}  // namespace diagnose::target
