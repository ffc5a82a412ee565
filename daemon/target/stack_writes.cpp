#include "target/stack_writes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <elf.h>
#include <emmintrin.h>
#include <optional>
#include <string_view>

#include "target/code_blocks.h"
#include "target/encoding.h"
#include "target/function_map.h"
#include "target/length.h"

namespace diagnose::target {
namespace {

// Beyond these a file is not proved; compilers' code stays far below.
constexpr std::uint64_t decoded_bytes_max = 32U << 20U;
constexpr std::uint64_t function_bytes_max = 1U << 20U;
constexpr std::size_t candidates_max = 1U << 18U;
constexpr std::uint64_t steps_max = 20'000'000;  // instructions looked at
constexpr std::size_t vector_bytes = 16;
constexpr std::uint8_t register_bp = 5;

// --- candidates: bytes that may be such a write
// -----------------------------------------------------------------------

struct Candidate {
  LinkAddress start{};   // of the instruction, if it is one
  LinkAddress opcode{};  // a byte that it holds
};

__m128i load(const std::uint8_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

__m128i is(__m128i bytes, int mask, int value) {
  return _mm_cmpeq_epi8(_mm_and_si128(bytes, _mm_set1_epi8(static_cast<char>(mask))),
                        _mm_set1_epi8(static_cast<char>(value)));
}

// A bit for each of 16 bytes that may be the opcode of a write of rsp, by itself and by the bytes on its sides.
unsigned opcodes(const std::uint8_t* at) {
  const __m128i before = load(at - 1);
  const __m128i opcode = load(at);
  const __m128i modrm = load(at + 1);
  const auto either = [](__m128i a, __m128i b) { return _mm_or_si128(a, b); };
  const auto both = [](__m128i a, __m128i b) { return _mm_and_si128(a, b); };
  // REX.W, and without REX.R or REX.B, which would make r12 of rsp.
  const __m128i into_reg = both(is(before, 0xfc, 0x48), is(modrm, 0x38, 0x20));
  const __m128i wide_operand = is(before, 0xf9, 0x48);
  const __m128i into_operand = both(wide_operand, is(modrm, 0xc7, 0xc4));
  // mov, lea and xchg to it; mov, xchg and mov of a constant with it as their operand; xchg and mov in short; pop.
  __m128i found =
      both(either(is(opcode, 0xff, 0x8b), either(is(opcode, 0xff, 0x8d), is(opcode, 0xff, 0x87))), into_reg);
  found = either(found, both(either(is(opcode, 0xff, 0x89), either(is(opcode, 0xff, 0x87), is(opcode, 0xff, 0xc7))),
                             into_operand));
  found = either(found, both(either(is(opcode, 0xff, 0x94), is(opcode, 0xff, 0xbc)), wide_operand));
  found = either(found, both(is(opcode, 0xff, 0x8f), is(modrm, 0xff, 0xc4)));
  // `pop %rsp` is one byte, 5c: mostly a ModRM with its SIB behind, or `pop %r12`.
  const __m128i other = either(is(before, 0xf1, 0x41), is(modrm, 0xff, 0x24));
  found = either(found, _mm_andnot_si128(other, is(opcode, 0xff, 0x5c)));
  found = either(found, both(is(opcode, 0xff, 0x0f), is(modrm, 0xf0, 0x40)));  // cmov
  return static_cast<unsigned>(_mm_movemask_epi8(found));
}

// What `opcodes` cannot tell: a cmov has one byte more.
bool possible(const std::uint8_t* at) {
  return *at != 0x0f || ((at[-1] & 0xfcU) == 0x48 && (at[2] & 0x38U) == 0x20);
}

class Search {
 public:
  Search(const ElfImage& image, Decoder& decoder, std::size_t most) : image_(image), decoder_(decoder), most_(most) {}

  Result<std::vector<std::string>> run();

 private:
  [[nodiscard]] std::vector<Segment> stretches() const;
  [[nodiscard]] bool may_begin(LinkAddress address, const std::optional<Enclosing>& function);
  [[nodiscard]] bool may_begin(LinkAddress address) const;
  void look(const Candidate& candidate);
  void give_up(const std::string& why);

  const ElfImage& image_;
  Decoder& decoder_;
  std::size_t most_;
  std::optional<FunctionMap> functions_;
  std::optional<Body> body_;
  Range walked_;  // a function whose lengths have been added up as far as walked_to_
  std::vector<std::uint8_t> walked_bytes_;
  std::size_t walked_to_ = 0;
  std::vector<Candidate> candidates_;
  std::uint64_t decoded_bytes_ = 0;
  std::uint64_t steps_ = 0;
  bool done_ = false;
  std::vector<std::string> found_;
};

// --- one function
// -----------------------------------------------------------------------------------------------------

// Whether what a function puts into rsp is what it took out of it.
class Frame {
 public:
  Frame(const Body& body, Decoder& decoder, std::uint64_t& steps) : body_(body), decoder_(decoder), steps_(steps) {}

  // Why the instruction at boundary `index` takes another stack; nothing if it does not.
  [[nodiscard]] std::optional<std::string> switches(std::size_t index);

 private:
  struct Slot {
    std::uint8_t base;
    std::int64_t displacement;
  };
  enum class Write { none, from_sp, from_slot, other };
  struct Jump {
    LinkAddress to{};
    std::size_t from = 0;  // index of its boundary
  };

  [[nodiscard]] std::optional<Instruction> at(std::size_t index);
  [[nodiscard]] static std::optional<Slot> slot(const Encoding& code);
  [[nodiscard]] static Write write_of(const Instruction& instruction, std::uint8_t to);
  [[nodiscard]] bool holds_sp(std::uint8_t source, std::size_t index, int depth);
  [[nodiscard]] bool holds_sp(const Slot& wanted, int depth);
  [[nodiscard]] bool takes_sp(std::uint8_t into);
  [[nodiscard]] bool aligns(std::uint8_t source);
  [[nodiscard]] const std::vector<Jump>& jumps();
  void come_from(std::size_t index, std::vector<std::size_t>& before);

  const Body& body_;
  Decoder& decoder_;
  std::uint64_t& steps_;
  std::optional<std::vector<Jump>> jumps_;  // sorted by target
  std::vector<Slot> asked_;
};

std::optional<Instruction> Frame::at(std::size_t index) {
  if (++steps_ > steps_max) return std::nullopt;
  return decoder_.decode(body_.from(body_.boundaries[index]), body_.boundaries[index]);
}

// A place in the frame: what rbp or rsp point to, without an index.
std::optional<Frame::Slot> Frame::slot(const Encoding& code) {
  if (code.mode() == 3) return std::nullopt;
  const Memory place = memory(code);
  if (place.index != register_none || (place.base != register_bp && place.base != register_sp)) return std::nullopt;
  return Slot{place.base, place.displacement};
}

Frame::Write Frame::write_of(const Instruction& instruction, std::uint8_t to) {
  constexpr std::uint16_t not_preserved = 0x0fc7;  // rax, rcx, rdx, rsi, rdi, r8 to r11
  if (instruction.flow == Flow::call) return (not_preserved >> to & 1U) != 0 ? Write::other : Write::none;
  const Encoding code = encoding(instruction.bytes);
  if (code.vector || code.map > 1) return Write::none;
  if (code.map == 1) {
    const bool moves = (code.opcode >= 0x40 && code.opcode <= 0x4f) || (code.opcode & 0xf6U) == 0xb6;
    return moves && code.reg() == to ? Write::other : Write::none;
  }
  const bool into_rm = code.mode() == 3 && code.rm() == to;
  switch (code.opcode) {
    case 0x8b:
      if (code.reg() != to) return Write::none;
      if (code.mode() == 3) return code.wide() && code.rm() == register_sp ? Write::from_sp : Write::other;
      return code.wide() && slot(code) ? Write::from_slot : Write::other;
    case 0x89:
      if (!into_rm) return Write::none;
      return code.wide() && code.reg() == register_sp ? Write::from_sp : Write::other;
    case 0x8d: {
      if (code.reg() != to) return Write::none;
      const std::uint8_t base = memory(code).base;
      if (base == to) return Write::none;
      return base == register_sp ? Write::from_sp : Write::other;
    }
    case 0x63:
      return code.reg() == to ? Write::other : Write::none;
    case 0x87:
      return into_rm || code.reg() == to ? Write::other : Write::none;
    case 0x8f:
    case 0xc7:
    case 0x31:
    case 0x33:
      return into_rm ? Write::other : Write::none;
    default:
      break;
  }
  if (code.opcode_register() != to) return Write::none;
  const bool sets = (code.opcode >= 0x58 && code.opcode <= 0x5f) || (code.opcode >= 0xb8 && code.opcode <= 0xbf) ||
                    (code.opcode >= 0x91 && code.opcode <= 0x97);
  return sets ? Write::other : Write::none;
}

const std::vector<Frame::Jump>& Frame::jumps() {
  if (jumps_) return *jumps_;
  jumps_.emplace();
  for (std::size_t i = 0; i < body_.boundaries.size(); ++i) {
    const auto instruction = at(i);
    if (!instruction) break;
    const Flow flow = instruction->flow;
    if (flow == Flow::jump || flow == Flow::conditional || flow == Flow::counted) {
      jumps_->push_back({instruction->target, i});
    }
  }
  std::sort(jumps_->begin(), jumps_->end(), [](const Jump& a, const Jump& b) { return a.to < b.to; });
  return *jumps_;
}

// The instructions that may be executed right before that of `index`.
void Frame::come_from(std::size_t index, std::vector<std::size_t>& before) {
  before.clear();
  const auto first = std::lower_bound(jumps().begin(), jumps().end(), body_.boundaries[index],
                                      [](const Jump& jump, LinkAddress to) { return jump.to < to; });
  for (auto jump = first; jump != jumps().end() && jump->to == body_.boundaries[index]; ++jump) {
    before.push_back(jump->from);
  }
  if (index == 0) return;
  const auto above = at(index - 1);
  if (!above) return;
  const bool ends = above->flow == Flow::ret || above->flow == Flow::jump || above->flow == Flow::indirect ||
                    above->flow == Flow::stop;
  if (!ends) before.push_back(index - 1);
}

// On every way to `index` the last write of `source` takes it from rsp.
bool Frame::holds_sp(std::uint8_t source, std::size_t index, int depth) {
  constexpr int copies_max = 3;
  if (depth > copies_max) return false;
  std::vector<bool> seen(body_.boundaries.size());
  std::vector<std::size_t> ways = {index};
  std::vector<std::size_t> before;
  while (!ways.empty()) {
    const std::size_t here = ways.back();
    ways.pop_back();
    come_from(here, before);
    if (here == 0 && before.empty()) return false;  // the caller's value
    // A landing pad, or a case of a switch: no way there can be read.
    if (before.empty() && !takes_sp(source)) return false;
    for (const std::size_t i : before) {
      if (seen[i]) continue;
      seen[i] = true;
      const auto instruction = at(i);
      if (!instruction) return false;
      const Write write = write_of(*instruction, source);
      if (write == Write::none) {
        if (i == 0) return false;
        ways.push_back(i);
      } else if (write == Write::from_slot) {
        if (!holds_sp(*slot(encoding(instruction->bytes)), depth + 1)) return false;
      } else if (write == Write::other) {
        return false;
      }
    }
  }
  return true;
}

bool Frame::takes_sp(std::uint8_t into) {
  for (std::size_t i = 0; i < body_.boundaries.size(); ++i) {
    const auto instruction = at(i);
    if (!instruction) return false;
    if (write_of(*instruction, into) == Write::from_sp) return true;
  }
  return false;
}

// Something stores rsp, or a copy of it, there.
bool Frame::holds_sp(const Slot& wanted, int depth) {
  constexpr int stores_max = 16;
  int stores = 0;
  // Met again on its own way, in a loop: it holds what it held before.
  const auto same = [&](const Slot& a) { return a.base == wanted.base && a.displacement == wanted.displacement; };
  if (std::any_of(asked_.begin(), asked_.end(), same)) return true;
  asked_.push_back(wanted);
  for (std::size_t i = 0; i < body_.boundaries.size(); ++i) {
    const auto instruction = at(i);
    if (!instruction) break;
    const Encoding code = encoding(instruction->bytes);
    if (code.vector || code.map != 0 || code.opcode != 0x89 || !code.wide()) continue;
    const auto place = slot(code);
    if (!place || !same(*place)) continue;
    if (code.reg() == register_sp || holds_sp(code.reg(), i, depth + 1)) {
      asked_.pop_back();
      return true;
    }
    if (++stores > stores_max) break;
  }
  asked_.pop_back();
  return false;
}

// A frame that is aligned begins with `lea 8(%rsp), %r10` and ends with `lea -8(%r10), %rsp`.
bool Frame::aligns(std::uint8_t source) {
  constexpr std::size_t first_instructions = 4;
  for (std::size_t i = 0; i < std::min(first_instructions, body_.boundaries.size()); ++i) {
    const auto instruction = at(i);
    if (!instruction) return false;
    if (write_of(*instruction, source) == Write::from_sp) return true;
  }
  return false;
}

std::optional<std::string> Frame::switches(std::size_t index) {
  const auto instruction = at(index);
  if (!instruction) return "rsp may be set";
  const Encoding code = encoding(instruction->bytes);
  if (code.vector || code.map > 1) return std::nullopt;
  const auto from = [&](std::uint8_t source) -> std::optional<std::string> {
    if (source == register_sp || source == register_bp || holds_sp(source, index, 0)) return std::nullopt;
    return "rsp is set from another register";
  };
  const bool into_reg = code.wide() && code.reg() == register_sp;
  const bool into_rm = code.mode() == 3 && code.rm() == register_sp;
  if (code.map == 1) {
    return code.opcode >= 0x40 && code.opcode <= 0x4f && into_reg ? std::optional<std::string>("rsp is set by a cmov")
                                                                  : std::nullopt;
  }
  switch (code.opcode) {
    case 0x8b: {
      if (!into_reg) return std::nullopt;
      if (code.mode() == 3) return from(code.rm());
      const auto place = slot(code);
      if (place && holds_sp(*place, 0)) return std::nullopt;
      return "rsp is loaded from memory";
    }
    case 0x89:
      return code.wide() && into_rm ? from(code.reg()) : std::nullopt;
    case 0x8d: {
      if (!into_reg) return std::nullopt;
      const Memory place = memory(code);
      return aligns(place.base) ? std::nullopt : from(place.base);
    }
    case 0x87:
      return into_reg || (code.wide() && into_rm) ? std::optional<std::string>("rsp is exchanged") : std::nullopt;
    case 0x8f:
      return into_rm ? std::optional<std::string>("rsp is popped") : std::nullopt;
    case 0xc7:
      return code.wide() && into_rm ? std::optional<std::string>("rsp is set to a constant") : std::nullopt;
    case 0x5c:
    case 0x94:
    case 0xbc:
      break;
    default:
      return std::nullopt;
  }
  if (code.opcode_register() != register_sp) return std::nullopt;
  if (code.opcode == 0x5c) return "rsp is popped";
  if (!code.wide()) return std::nullopt;
  return code.opcode == 0x94 ? "rsp is exchanged" : "rsp is set to a constant";
}

// --- the search
// -------------------------------------------------------------------------------------------------------

// Executable sections, as some linkers put constants into the executable segment too.
std::vector<Segment> Search::stretches() const {
  std::vector<Segment> found;
  constexpr std::size_t sections_max = 256;
  for (const Section& section : image_.sections()) {
    if (!section.executable || section.type != SHT_PROGBITS || section.size == 0) continue;
    const auto first = image_.file_offset(LinkAddress{section.address});
    const auto last = image_.file_offset(LinkAddress{section.address + section.size - 1});
    if (!first || !last || raw(*last) - raw(*first) != section.size - 1) continue;
    if (found.size() == sections_max) return image_.code_segments();
    found.push_back({section.address, raw(*first), section.size});
  }
  return found.empty() ? image_.code_segments() : found;
}

// Whether an instruction begins at `address`, by the lengths of those before it; true if they cannot be told.
bool Search::may_begin(LinkAddress address, const std::optional<Enclosing>& function) {
  if (!function) return may_begin(address);
  const Range& range = function->range;
  if (raw(range.high) - raw(range.low) > function_bytes_max) return true;
  if (walked_.low != range.low || walked_.high != range.high) {
    auto bytes = image_.code(range);
    if (!bytes) return true;
    walked_ = range;
    walked_bytes_ = std::move(*bytes);
    walked_to_ = 0;
  }
  const std::size_t wanted = raw(address) - raw(range.low);
  while (walked_to_ < wanted) {
    const std::size_t length = instruction_length(std::span(walked_bytes_).subspan(walked_to_));
    if (length == 0) return true;
    walked_to_ += length;
  }
  return walked_to_ == wanted;
}

// The same where no function is known: decoding falls into step within a few instructions, so if no start before
// `address` leads to it, nothing begins there.
bool Search::may_begin(LinkAddress address) const {
  constexpr std::uint64_t run_up = 256;
  constexpr std::uint64_t starts = 6;
  if (raw(address) < run_up) return true;
  const auto bytes = image_.code({LinkAddress{raw(address) - run_up}, address});
  if (!bytes) return true;
  for (std::uint64_t start = 0; start < starts; ++start) {
    std::uint64_t at = start;
    while (at < run_up) at += std::max<std::size_t>(instruction_length(std::span(*bytes).subspan(at)), 1);
    if (at == run_up) return true;
  }
  return false;
}

void Search::give_up(const std::string& why) {
  if (!done_) found_.push_back(why);
  done_ = true;
}

void Search::look(const Candidate& candidate) {
  if (!functions_) functions_.emplace(image_);
  const auto function = functions_->find(candidate.opcode);
  // These set rsp to where a handler or a setjmp on the same stack left it, or that of a new thread.
  constexpr auto exempt = std::to_array<std::string_view>({"__longjmp", "____longjmp_chk", "__clone", "__clone3"});
  if (function && (function->symbol.starts_with("_Unwind_") ||
                   std::find(exempt.begin(), exempt.end(), function->symbol) != exempt.end())) {
    return;
  }
  const bool is_byte = candidate.start == candidate.opcode;
  if (is_byte && !may_begin(candidate.opcode, function)) return;
  const std::string place = " at " + hex(raw(candidate.start));
  bool known = function && raw(function->range.high) - raw(function->range.low) <= function_bytes_max;
  if (known && (!body_ || body_->function.range.low != function->range.low)) {
    decoded_bytes_ += raw(function->range.high) - raw(function->range.low);
    if (decoded_bytes_ > decoded_bytes_max) return give_up("too much of its code may write rsp to look at all of it");
    auto body = decode_body(image_, decoder_, *function);
    known = body.has_value();
    if (known) body_ = std::move(*body);
  }
  if (known && candidate.opcode < body_->decoded_to) {
    const auto& starts = body_->boundaries;
    const auto behind = std::upper_bound(starts.begin(), starts.end(), candidate.opcode);
    if (behind == starts.begin()) return;
    const auto index = static_cast<std::size_t>(behind - starts.begin() - 1);
    if (const auto why = Frame(*body_, decoder_, steps_).switches(index)) found_.push_back(*why + place);
    if (steps_ > steps_max) give_up("too much of its code writes rsp to look at all of it");
    return;
  }
  // No function around it, or data among the code: it is taken for what it looks like.
  Body alone;
  constexpr std::uint64_t longest = 15;
  for (const std::uint64_t size : {longest, std::uint64_t{1}}) {
    auto bytes = image_.code({candidate.start, LinkAddress{raw(candidate.start) + size}});
    if (!bytes) continue;
    alone.function.range = {candidate.start, LinkAddress{raw(candidate.start) + bytes->size()}};
    alone.bytes = std::move(*bytes);
    break;
  }
  if (alone.bytes.empty() || !decoder_.decode(alone.bytes, candidate.start)) return;
  alone.boundaries = {candidate.start};
  if (const auto why = Frame(alone, decoder_, steps_).switches(0)) {
    found_.push_back(*why + place + ", in code that belongs to no known function");
  }
}

Result<std::vector<std::string>> Search::run() {
  const std::vector<Segment> code = stretches();
  const auto searched =
      visit_code(image_, code, [&](const std::uint8_t* bytes, std::size_t size, std::uint64_t address) {
        for (std::size_t block = 0; block < size; block += vector_bytes) {
          for (unsigned left = opcodes(bytes + block); left != 0; left &= left - 1) {
            const std::size_t at = block + static_cast<std::size_t>(std::countr_zero(left));
            if (at >= size) break;
            if (!possible(bytes + at)) continue;
            const bool prefixed = bytes[at] != 0x5c && (bytes[at - 1] & 0xf0) == 0x40;
            candidates_.push_back({LinkAddress{address + at - (prefixed ? 1U : 0U)}, LinkAddress{address + at}});
          }
        }
        return candidates_.size() <= candidates_max;
      });
  if (!searched) return failure(searched.error());
  if (candidates_.size() > candidates_max) give_up("too much of its code may write rsp to look at all of it");
  for (const Candidate& candidate : candidates_) {
    if (done_ || found_.size() >= most_) break;
    look(candidate);
  }
  return std::move(found_);
}

}  // namespace

Result<std::vector<std::string>> find_stack_switches(const ElfImage& image, Decoder& decoder, std::size_t most) {
  return Search(image, decoder, most).run();
}

}  // namespace diagnose::target
