#include "target/exits.h"

#include <algorithm>

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
    for (const Stretch& stretch : stretches_) {
      walk(stretch);
      if (!found_.error.empty()) return std::move(found_);
    }
    check_targets();
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

  void add(SiteKind kind, const Instruction& instruction) {
    if (const auto why = refusal(instruction)) {
      found_.error = "the exit at " + place(instruction.address) + " cannot be probed: " + *why;
      return;
    }
    found_.exits.push_back({kind, instruction});
  }

  void visit(const Instruction& instruction) {
    switch (instruction.flow) {
      case Flow::ret:
        add(SiteKind::exit, instruction);
        break;
      case Flow::jump:
      case Flow::conditional:
        if (leaves(instruction.target)) {
          add(SiteKind::tail, instruction);
        } else {
          inner_.push_back(instruction.target);
        }
        break;
      case Flow::counted:
        if (leaves(instruction.target)) {
          found_.error = "the loop instruction at " + place(instruction.address) + " leaves the function";
        } else {
          inner_.push_back(instruction.target);
        }
        break;
      case Flow::indirect:
        // Compilers write `notrack` on nothing but the jump of a switch, whose table stays inside; the kernel would
        // refuse a breakpoint there.
        if (!instruction.notrack) add(SiteKind::tail, instruction);
        break;
      case Flow::next:
      case Flow::call:
      case Flow::stop:
        break;
    }
  }

  void walk(const Stretch& stretch) {
    std::span<const std::uint8_t> rest = stretch.bytes;
    LinkAddress address = stretch.range.low;
    Flow last = Flow::next;
    while (!rest.empty() && found_.error.empty()) {
      const auto instruction = decoder_.decode(rest, address);
      if (!instruction) {
        found_.error = "undecodable byte at " + place(address) + ": data among the code";
        return;
      }
      boundaries_.push_back({address, rest[0] == 0xf0});
      visit(*instruction);
      if (!instruction->nop) last = instruction->flow;
      rest = rest.subspan(instruction->length);
      address = LinkAddress{raw(address) + instruction->length};
    }
    // A call that ends a function does not return; anything else runs on into its neighbour.
    if (found_.error.empty() && (last == Flow::next || last == Flow::conditional || last == Flow::counted)) {
      found_.error = "it runs on into the code behind it at " + place(stretch.range.high);
    }
  }

  // Code that is decoded out of step shows in jumps that miss the boundaries.
  void check_targets() {
    std::sort(boundaries_.begin(), boundaries_.end());
    for (const LinkAddress target : inner_) {
      const auto behind = std::upper_bound(boundaries_.begin(), boundaries_.end(), Boundary{target, true});
      if (behind == boundaries_.begin()) continue;
      const Boundary& boundary = *std::prev(behind);
      const bool past_lock = boundary.lock && raw(target) == raw(boundary.address) + 1;  // glibc's idiom
      if (boundary.address != target && !past_lock) {
        found_.error = "a jump goes to " + place(target) + ", the middle of an instruction: data among the code";
        return;
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
  std::vector<LinkAddress> inner_;  // targets of jumps that stay
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
