#include "target/exits.h"

#include <algorithm>

#include "target/effects.h"
#include "target/elf_image.h"

namespace diagnose::target {
namespace {

bool within(const Range& range, LinkAddress address) {
  return address >= range.low && address < range.high;
}

class Search {
 public:
  Search(Decoder& decoder, std::span<const Stretch> stretches) : decoder_(decoder), stretches_(stretches) {
    for (const Stretch& stretch : stretches) bytes_ += stretch.bytes.size();
    boundaries_.reserve(bytes_ / 4);
  }

  Exits run() {
    found_.decoded = true;
    for (const Stretch& stretch : stretches_) {
      walk(stretch);
      if (!found_.decoded) return std::move(found_);
    }
    std::sort(found_.targets.begin(), found_.targets.end());
    found_.targets.erase(std::unique(found_.targets.begin(), found_.targets.end()), found_.targets.end());
    check_targets();
    for (Exit& exit : found_.exits) cut_at_targets(exit);
    return std::move(found_);
  }

 private:
  std::string place(LinkAddress address) const {
    const LinkAddress entry = stretches_.front().range.low;
    const bool behind = address >= entry;
    return (behind ? "+" : "-") + hex(behind ? raw(address) - raw(entry) : raw(entry) - raw(address));
  }

  // A jump to the entry leaves: the breakpoint there is hit once more, and opens a new call.
  bool leaves(LinkAddress target) const {
    if (target == stretches_.front().range.low) return true;
    return std::none_of(stretches_.begin(), stretches_.end(),
                        [&](const Stretch& stretch) { return within(stretch.range, target); });
  }

  // The first reason is the one that is told.
  void incomplete(std::string why) {
    if (found_.error.empty()) found_.error = std::move(why);
  }

  void add(SiteKind kind, const Instruction& instruction) {
    if (const auto why = refusal(instruction)) {
      return incomplete("the exit at " + place(instruction.address) + " cannot be probed: " + *why);
    }
    found_.exits.push_back({kind, instruction, {}});
    if (kind == SiteKind::exit) found_.exits.back().before = line_;
  }

  void jump(const Instruction& instruction, SiteKind kind) {
    const LinkAddress target = instruction.target;
    const bool out = leaves(target);
    if (!out || target == stretches_.front().range.low) found_.targets.push_back(target);
    if (out) add(kind, instruction);
  }

  void visit(const Instruction& instruction) {
    switch (instruction.flow) {
      case Flow::ret:
        add(SiteKind::exit, instruction);
        break;
      case Flow::jump:
      case Flow::conditional:
        jump(instruction, SiteKind::tail);
        break;
      case Flow::counted:
        if (leaves(instruction.target)) {
          incomplete("the loop instruction at " + place(instruction.address) + " leaves the function");
        } else {
          found_.targets.push_back(instruction.target);
        }
        break;
      case Flow::indirect:
        found_.unknown_jumps = true;
        // Compilers write `notrack` on nothing but the jump of a switch, whose table stays inside; the kernel would
        // refuse a breakpoint there.
        if (!instruction.notrack) add(SiteKind::tail, instruction);
        break;
      case Flow::call:
        found_.calls = true;
        break;
      case Flow::next:
        if (waits(instruction)) found_.calls = true;
        if (!keeps_stack(instruction)) found_.switches_stack = true;
        break;
      case Flow::stop:
        break;
    }
    follow_line(instruction);
  }

  // The straight line up to the instruction, for an exit that may end it.
  void follow_line(const Instruction& instruction) {
    constexpr std::size_t instructions_max = 16;  // an epilogue is shorter
    if (instruction.flow != Flow::next) line_.clear();
    if (instruction.flow != Flow::next && instruction.flow != Flow::conditional) return;
    if (instruction.flow == Flow::conditional && leaves(instruction.target)) return;  // a site of its own
    if (line_.size() == instructions_max) line_.erase(line_.begin());
    line_.push_back(instruction);
  }

  void cut_at_targets(Exit& exit) const {
    if (exit.before.empty()) return;
    const LinkAddress from = exit.before.front().address;
    auto last = std::upper_bound(found_.targets.begin(), found_.targets.end(), exit.instruction.address);
    if (last == found_.targets.begin()) return;
    const LinkAddress target = *--last;  // the last one at or before the exit
    if (target <= from) return;
    std::erase_if(exit.before, [&](const Instruction& instruction) { return instruction.address < target; });
  }

  void walk(const Stretch& stretch) {
    std::span<const std::uint8_t> rest = stretch.bytes;
    LinkAddress address = stretch.range.low;
    Flow last = Flow::next;
    line_.clear();
    while (!rest.empty()) {
      const auto instruction = decoder_.decode(rest, address);
      if (!instruction) {
        found_.decoded = false;
        return incomplete("undecodable byte at " + place(address) + ": data among the code");
      }
      boundaries_.push_back({address, rest[0] == 0xf0});
      visit(*instruction);
      if (!instruction->nop) last = instruction->flow;
      rest = rest.subspan(instruction->length);
      address = LinkAddress{raw(address) + instruction->length};
    }
    // A call that ends a function does not return; anything else runs on into its neighbour.
    if (last == Flow::next || last == Flow::conditional || last == Flow::counted) {
      incomplete("it runs on into the code behind it at " + place(stretch.range.high));
    }
  }

  // Code that is decoded out of step shows in jumps that miss the boundaries.
  void check_targets() {
    std::sort(boundaries_.begin(), boundaries_.end());
    for (const LinkAddress target : found_.targets) {
      const auto behind = std::upper_bound(boundaries_.begin(), boundaries_.end(), Boundary{target, true});
      if (behind == boundaries_.begin()) continue;
      const Boundary& boundary = *std::prev(behind);
      const bool past_lock = boundary.lock && raw(target) == raw(boundary.address) + 1;  // glibc's idiom
      if (boundary.address != target && !past_lock) {
        found_.decoded = false;
        return incomplete("a jump goes to " + place(target) + ", the middle of an instruction: data among the code");
      }
    }
  }

  struct Boundary {
    LinkAddress address;
    bool lock;
    auto operator<=>(const Boundary&) const = default;
  };

  Decoder& decoder_;
  std::span<const Stretch> stretches_;
  std::size_t bytes_ = 0;
  std::vector<Boundary> boundaries_;
  std::vector<Instruction> line_;  // the straight line so far
  Exits found_;
};

}  // namespace

Exits find_exits(Decoder& decoder, std::span<const Stretch> stretches) {
  return Search(decoder, stretches).run();
}

std::vector<LinkAddress> jump_targets(Decoder& decoder, const Stretch& stretch) {
  std::vector<LinkAddress> targets;
  std::span<const std::uint8_t> rest = stretch.bytes;
  LinkAddress address = stretch.range.low;
  while (!rest.empty()) {
    const auto instruction = decoder.decode(rest, address);
    if (!instruction) break;
    if (instruction->flow == Flow::jump || instruction->flow == Flow::conditional) {
      targets.push_back(instruction->target);
    }
    rest = rest.subspan(instruction->length);
    address = LinkAddress{raw(address) + instruction->length};
  }
  return targets;
}

}  // namespace diagnose::target
