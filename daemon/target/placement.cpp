#include "target/placement.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "target/effects.h"
#include "target/elf_image.h"

namespace diagnose::target {
namespace {

// A cheap place stands within two instructions most of the time; beyond this the code does something else.
constexpr std::size_t instructions_max = 32;

// What holds at a point of a straight line that began where CFA = rsp + `cfa_offset`.
struct Point {
  std::int64_t cfa_offset = 8;
  Follow result{register_result};
  std::uint16_t written = 0;  // registers, since the line began
  bool stored = false;        // memory, likewise
};

// Runs over straight-line code, one instruction after the other.
class Line {
 public:
  Line(Decoder& decoder, std::span<const std::uint8_t> code, LinkAddress address, std::int64_t cfa_offset)
      : decoder_(decoder), rest_(code), address_(address) {
    point_.cfa_offset = cfa_offset;
  }

  // The next instruction, whose point is point(); nothing if the line has ended.
  std::optional<Instruction> next() {
    if (ended_ || seen_ == instructions_max) return std::nullopt;
    if (current_) advance();
    if (ended_ || rest_.empty()) return std::nullopt;
    current_ = decoder_.decode(rest_, address_);
    if (!current_) undecodable_ = true;
    ++seen_;
    return current_;
  }
  [[nodiscard]] const Point& point() const { return point_; }
  [[nodiscard]] bool undecodable() const { return undecodable_; }

 private:
  void advance() {
    const Effects done = effects(*current_);
    if (current_->flow != Flow::next || !done.sp_move || waits(*current_)) {
      ended_ = true;
      return;
    }
    point_.cfa_offset -= *done.sp_move;
    point_.result.step(done);
    point_.written = static_cast<std::uint16_t>(point_.written | done.writes);
    point_.stored = point_.stored || done.stores;
    rest_ = rest_.subspan(current_->length);
    address_ = LinkAddress{raw(address_) + current_->length};
  }

  Decoder& decoder_;
  std::span<const std::uint8_t> rest_;
  LinkAddress address_;
  Point point_;
  std::optional<Instruction> current_;
  std::size_t seen_ = 0;
  bool ended_ = false;
  bool undecodable_ = false;
};

Place place_at(const Instruction& instruction, const Point& point) {
  return {.instruction = instruction,
          .cfa_offset = point.cfa_offset,
          .result_register = point.result.where(),
          .unless = std::nullopt};
}

bool cheap(const Instruction& instruction) {
  return cost(instruction, false) == Cost::emulated && !becomes_call(instruction) && !refusal(instruction);
}

bool is_endbr(const Instruction& instruction) {
  static constexpr std::array<std::uint8_t, 4> endbr64 = {0xf3, 0x0f, 0x1e, 0xfa};
  return std::equal(instruction.bytes.begin(), instruction.bytes.end(), endbr64.begin(), endbr64.end());
}

// Whether one of the sorted targets lies behind `from` and no further than `to`.
bool hit_between(std::span<const LinkAddress> targets, LinkAddress from, LinkAddress to) {
  const auto behind = std::upper_bound(targets.begin(), targets.end(), from);
  return behind != targets.end() && *behind <= to;
}

// The file's tables, where they say something, must not say something else.
bool agrees(const CallFrames* frames, LinkAddress address, std::int64_t cfa_offset) {
  const auto rule = frames != nullptr ? frames->at(address) : std::nullopt;
  return !rule || *rule == CfaRule{register_sp, cfa_offset, false};
}

bool keeps(const EntryWish& wish, const Point& point) {
  if ((wish.registers & point.written) != 0 || (wish.memory && point.stored)) return false;
  return (wish.registers & register_bit(register_sp)) == 0 || point.cfa_offset == 8;
}

bool is_exit(const Exits& code, LinkAddress address) {
  return std::any_of(code.exits.begin(), code.exits.end(),
                     [&](const Exit& exit) { return exit.instruction.address == address; });
}

std::span<const std::uint8_t> code_at(std::span<const Stretch> stretches, LinkAddress address) {
  for (const Stretch& stretch : stretches) {
    if (address < stretch.range.low || address >= stretch.range.high) continue;
    return std::span(stretch.bytes).subspan(raw(address) - raw(stretch.range.low));
  }
  return {};
}

// Whether control that goes to `from` may meet `place` again before it leaves the function.  A loop's branch is hit far
// more often than the exit behind it.
bool comes_back(Decoder& decoder, std::span<const Stretch> stretches, LinkAddress from, LinkAddress place) {
  constexpr std::size_t visited_max = 400;  // beyond: it may
  std::vector<LinkAddress> open{from};
  std::unordered_set<std::uint64_t> visited;
  while (!open.empty()) {
    const LinkAddress at = open.back();
    open.pop_back();
    if (at == place) return true;
    if (!visited.insert(raw(at)).second) continue;
    if (visited.size() > visited_max) return true;
    const auto code = code_at(stretches, at);
    if (code.empty()) continue;  // outside
    const auto instruction = decoder.decode(code, at);
    if (!instruction || instruction->flow == Flow::indirect) return true;
    const Flow flow = instruction->flow;
    if (flow == Flow::jump || flow == Flow::conditional || flow == Flow::counted) open.push_back(instruction->target);
    const bool ends = flow == Flow::ret || flow == Flow::jump || flow == Flow::stop;
    if (!ends) open.push_back(LinkAddress{raw(at) + instruction->length});
  }
  return false;
}

// The jump back to the entry from a block that calls for more stack.
std::optional<LinkAddress> jump_again(Decoder& decoder, std::span<const Stretch> stretches, LinkAddress block) {
  constexpr std::size_t block_max = 64;  // instructions: it saves and restores every register that holds an argument
  bool called = false;
  for (std::size_t seen = 0; seen < block_max; ++seen) {
    const auto code = code_at(stretches, block);
    if (code.empty()) return std::nullopt;
    const auto instruction = decoder.decode(code, block);
    if (!instruction) return std::nullopt;
    if (instruction->flow == Flow::call) called = true;
    if (instruction->flow == Flow::jump) {
      const bool again = called && instruction->target == stretches.front().range.low;
      return again ? std::optional(block) : std::nullopt;
    }
    if (instruction->flow != Flow::next && instruction->flow != Flow::call) return std::nullopt;
    block = LinkAddress{raw(block) + instruction->length};
  }
  return std::nullopt;
}

}  // namespace

// Places that are also reached by a jump from elsewhere are as good as others here: the kernel side holds the CFA and
// the return address against the open frame.  So the first cheap one is the best.
std::optional<Place> place_behind_call(Decoder& decoder, std::span<const std::uint8_t> code, LinkAddress return_address,
                                       std::span<const LinkAddress> /*targets*/, bool needs_result, bool needs_memory,
                                       std::string& why) {
  Line line(decoder, code, return_address, 0);
  std::optional<Place> stepped;
  std::string first_refusal;
  while (const auto instruction = line.next()) {
    const Place place = place_at(*instruction, line.point());
    if (needs_result && place.result_register == register_none) break;
    if (needs_memory && line.point().stored) break;
    if (becomes_call(*instruction)) continue;
    if (const auto refused = refusal(*instruction)) {
      if (first_refusal.empty()) first_refusal = *refused;
      continue;
    }
    if (cost(*instruction, false) == Cost::emulated) return place;
    if (!stepped) stepped = place;
  }
  if (stepped) return stepped;
  if (!first_refusal.empty()) {
    why = "no breakpoint can stand behind the call: " + first_refusal;
  } else if (line.undecodable()) {
    why = "the bytes behind the call at " + hex(raw(return_address)) + " are no instruction";
  } else {
    why = "no code is known behind the call";
  }
  return std::nullopt;
}

std::optional<Moved> place_entry(Decoder& decoder, std::span<const Stretch> stretches, const Exits& code,
                                 const EntryWish& wish, const CallFrames* frames) {
  const LinkAddress entry = stretches.front().range.low;
  Line line(decoder, stretches.front().bytes, entry, 8);
  bool only_endbr = true;  // so far: nothing has happened yet, nothing lives below rsp
  while (const auto instruction = line.next()) {
    const LinkAddress at = instruction->address;
    const Point& point = line.point();
    if (at == entry) {
      if (cost(*instruction, true) != Cost::stepped && !refusal(*instruction)) return std::nullopt;
      only_endbr = is_endbr(*instruction);
      continue;
    }
    // A jump to just behind the entry would be a call more.
    if (!code.decoded || hit_between(code.targets, entry, at) || !keeps(wish, point)) return std::nullopt;
    if (code.unknown_jumps && !only_endbr) return std::nullopt;
    const bool nop_at_start = only_endbr && becomes_call(*instruction) && !refusal(*instruction);
    if (nop_at_start || cheap(*instruction)) {
      if (wish.exits && is_exit(code, at)) return std::nullopt;
      if (!agrees(frames, at, point.cfa_offset)) return std::nullopt;
      // Whoever jumps over nothing but endbr64 calls the function all the same.
      return Moved{place_at(*instruction, point), only_endbr ? at : entry, at};
    }
    only_endbr = only_endbr && is_endbr(*instruction);
  }
  return std::nullopt;
}

std::optional<StackCheck> place_behind_stack_check(Decoder& decoder, std::span<const Stretch> stretches,
                                                   const Exits& code, const EntryWish& wish) {
  if (!code.decoded) return std::nullopt;
  const LinkAddress entry = stretches.front().range.low;
  std::span<const std::uint8_t> rest = stretches.front().bytes;
  LinkAddress begin = entry;
  std::uint16_t written = 0;
  bool stored = false;
  std::optional<StackCheck> found;
  // A large frame has two checks one behind the other: the last one counts.
  while (true) {
    Line line(decoder, rest, begin, 8);
    std::optional<Instruction> last;
    while (const auto instruction = line.next()) last = instruction;
    if (!last || last->flow != Flow::conditional || line.point().cfa_offset != 8) return found;
    Point point = line.point();
    point.written = static_cast<std::uint16_t>(point.written | written);
    point.stored = point.stored || stored;
    const auto again = jump_again(decoder, stretches, last->target);
    const bool plain = !hit_between(code.targets, entry, last->address) && !refusal(*last);
    if (!again || !plain || !keeps(wish, point)) return found;
    found = StackCheck{{place_at(*last, point), entry, last->address}, *again};
    found->entry.place.unless = last->tail.condition;
    written = point.written;
    stored = point.stored;
    const std::size_t used = raw(last->address) + last->length - raw(begin);
    rest = rest.subspan(used);
    begin = LinkAddress{raw(begin) + used};
  }
}

std::optional<Moved> place_return(Decoder& decoder, std::span<const Stretch> stretches, const Exits& code,
                                  const Exit& exit, const ExitWish& wish, const CallFrames* frames) {
  if (!code.decoded || code.unknown_jumps) return std::nullopt;
  std::int64_t cfa_offset = 8;
  std::uint8_t result = register_result;
  for (auto at = exit.before.rbegin(); at != exit.before.rend(); ++at) {
    const Effects done = effects(*at);
    if (!done.sp_move || waits(*at) || (wish.memory && done.stores)) return std::nullopt;
    if ((done.writes & wish.result_words) != 0) return std::nullopt;
    cfa_offset += *done.sp_move;
    if (done.exchange && (done.exchange->to == result || done.exchange->from == result)) return std::nullopt;
    if (done.copy && done.copy->to == result) {
      result = done.copy->from;
    } else if ((done.writes & register_bit(result)) != 0) {
      return std::nullopt;
    }
    const bool conditional = at->flow == Flow::conditional;
    if (!cheap(*at) || (!conditional && !at->nop)) continue;
    if (conditional && comes_back(decoder, stretches, at->target, at->address)) return std::nullopt;
    if (!agrees(frames, at->address, cfa_offset)) return std::nullopt;
    Place place{.instruction = *at, .cfa_offset = cfa_offset, .result_register = result, .unless = std::nullopt};
    if (conditional) place.unless = at->tail.condition;
    return Moved{place, at->address, exit.instruction.address};
  }
  return std::nullopt;
}

}  // namespace diagnose::target
