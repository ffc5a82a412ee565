// Which function an address lies in, and the instructions of that function.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "target/answer.h"
#include "target/code.h"
#include "target/elf_image.h"
#include "target/unwind_table.h"

namespace diagnose::target {

struct Enclosing {
  Range range;
  std::string_view symbol;  // empty where only the unwind table knows the function; lives as long as the image
};

// Borrows the image.
class FunctionMap {
 public:
  explicit FunctionMap(const ElfImage& image);

  // By symbols first, then by the unwind table.  Nothing where neither knows.
  [[nodiscard]] std::optional<Enclosing> find(LinkAddress address) const;
  // All symbols whose functions begin at `address`.
  [[nodiscard]] std::vector<std::string_view> names_at(LinkAddress address) const;
  // Where the functions of that symbol begin: local symbols of several translation units may share a name.
  [[nodiscard]] std::vector<LinkAddress> starts_of(std::string_view symbol) const;

 private:
  std::vector<const Symbol*> symbols_;  // that name code, by address
  std::vector<std::uint64_t> reach_;    // of each, the furthest end of it and those before it
  UnwindTable unwind_table_;
};

// A function decoded from its start.
struct Body {
  Enclosing function;
  std::vector<std::uint8_t> bytes;
  std::vector<LinkAddress> boundaries;    // where its instructions begin, up to the first undecodable byte
  LinkAddress decoded_to{};               // behind the last of them
  std::vector<LinkAddress> jump_targets;  // of direct jumps, sorted
  bool in_step = false;                   // no jump goes into the middle of an instruction: code, not data among it

  [[nodiscard]] bool is_boundary(LinkAddress address) const;
  // The instruction that ends where `end` begins.
  [[nodiscard]] std::optional<Instruction> instruction_before(Decoder& decoder, LinkAddress end) const;
  // The bytes from `address` to the end of the function; empty outside of it.
  [[nodiscard]] std::span<const std::uint8_t> from(LinkAddress address) const;
};

// Fails like ElfImage::code().
[[nodiscard]] Result<Body> decode_body(const ElfImage& image, Decoder& decoder, const Enclosing& function);

}  // namespace diagnose::target
