#include "target/inlined_copies.h"

#include <algorithm>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <optional>
#include <unordered_map>
#include <utility>

namespace diagnose::target {
namespace {

// Of debug information, which takes about half a second to go through.  What is behind is not searched, and that is
// told.
constexpr Dwarf_Off searched_bytes_max = 24U << 20U;
constexpr int depth_max = 256;  // of scopes and copies in each other; a hostile file would exhaust the stack

// ---- debug information ----

class CopyFinder {
 public:
  CopyFinder(const std::function<bool(std::string_view)>& matches, std::size_t most) : matches_(matches), most_(most) {}

  void look_in(Dwarf_Die& parent, int depth);
  InlinedCopies found;

 private:
  void take(Dwarf_Die& die);
  [[nodiscard]] const std::string& wanted_symbol(Dwarf_Die& origin);

  const std::function<bool(std::string_view)>& matches_;
  std::size_t most_;
  std::unordered_map<const void*, std::string> symbols_;  // by the origin's place; empty: of no use
};

bool may_hold_copies(int tag) {
  switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
    case DW_TAG_subprogram:
    case DW_TAG_lexical_block:
    case DW_TAG_inlined_subroutine:
      return true;
    default:
      return false;
  }
}

bool within(const std::vector<Range>& code, LinkAddress address) {
  return std::any_of(code.begin(), code.end(),
                     [&](const Range& range) { return address >= range.low && address < range.high; });
}

bool has_code(Dwarf_Die& die) {
  return ::dwarf_hasattr(&die, DW_AT_low_pc) != 0 || ::dwarf_hasattr(&die, DW_AT_ranges) != 0;
}

const std::string& CopyFinder::wanted_symbol(Dwarf_Die& origin) {
  const auto [at, added] = symbols_.try_emplace(origin.addr);
  if (!added) return at->second;
  const char* symbol = nullptr;
  for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name}) {
    Dwarf_Attribute attribute;
    if (::dwarf_attr_integrate(&origin, name, &attribute) != nullptr) symbol = ::dwarf_formstring(&attribute);
    if (symbol != nullptr) break;
  }
  if (symbol != nullptr && matches_(symbol)) at->second = symbol;
  return at->second;
}

void CopyFinder::take(Dwarf_Die& die) {
  Dwarf_Attribute attribute;
  Dwarf_Die origin;
  if (::dwarf_attr(&die, DW_AT_abstract_origin, &attribute) == nullptr ||
      ::dwarf_formref_die(&attribute, &origin) == nullptr) {
    return;
  }
  const std::string& symbol = wanted_symbol(origin);
  if (symbol.empty()) return;
  if (found.copies.size() == most_) {
    found.cut = true;
    return;
  }
  InlinedCopy copy{.symbol = symbol, .entry = {}, .code = {}};
  Dwarf_Addr base = 0;
  Dwarf_Addr low = 0;
  Dwarf_Addr high = 0;
  std::ptrdiff_t offset = 0;
  while ((offset = ::dwarf_ranges(&die, offset, &base, &low, &high)) > 0) {
    if (low < high) copy.code.push_back({LinkAddress{low}, LinkAddress{high}});
  }
  Dwarf_Addr entry = 0;
  if (::dwarf_hasattr(&die, DW_AT_entry_pc) != 0 && ::dwarf_entrypc(&die, &entry) == 0) copy.entry = LinkAddress{entry};
  std::sort(copy.code.begin(), copy.code.end(), [](const Range& a, const Range& b) { return a.low < b.low; });
  // An instruction of the caller may have been moved between the entry and the first of the copy's own.
  if (!copy.code.empty() && !within(copy.code, copy.entry)) copy.entry = copy.code.front().low;
  found.copies.push_back(std::move(copy));
}

void CopyFinder::look_in(Dwarf_Die& parent, int depth) {
  Dwarf_Die die;
  if (depth == depth_max || ::dwarf_child(&parent, &die) != 0) return;
  do {
    const int tag = ::dwarf_tag(&die);
    if (!may_hold_copies(tag)) continue;
    if (tag == DW_TAG_subprogram && !has_code(die)) continue;  // a declaration, or the pattern of copies
    if (tag == DW_TAG_inlined_subroutine) take(die);
    look_in(die, depth + 1);
  } while (::dwarf_siblingof(&die, &die) == 0);
}

// ---- the way through the code ----

// Instructions by number, with where each may go next; the copy's entry is followed no further.
struct Ways {
  std::vector<LinkAddress> addresses;
  std::vector<bool> in_copy;
  std::vector<std::vector<std::size_t>> next;
  std::vector<bool> has_before;
  std::size_t entry = 0;
  std::string doubt;

  Ways(const InlinedCopy& copy, Decoder& decoder, const std::vector<const Body*>& parts);
  void follow(const Instruction& instruction, std::size_t at);
  [[nodiscard]] std::optional<std::size_t> number(LinkAddress address) const;
};

std::optional<std::size_t> Ways::number(LinkAddress address) const {
  const auto found = std::lower_bound(addresses.begin(), addresses.end(), address);
  if (found == addresses.end() || *found != address) return std::nullopt;
  return static_cast<std::size_t>(found - addresses.begin());
}

Ways::Ways(const InlinedCopy& copy, Decoder& decoder, const std::vector<const Body*>& parts) {
  for (const Body* part : parts) addresses.insert(addresses.end(), part->boundaries.begin(), part->boundaries.end());
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  in_copy.resize(addresses.size());
  next.resize(addresses.size());
  has_before.resize(addresses.size());
  const auto start = number(copy.entry);
  if (!start) {
    doubt = "its first instruction is not known";
    return;
  }
  entry = *start;
  for (std::size_t at = 0; at < addresses.size(); ++at) in_copy[at] = within(copy.code, addresses[at]);
  if (!in_copy[entry]) doubt = "its first instruction is not part of it";
  for (const Body* part : parts) {
    for (const LinkAddress address : part->boundaries) {
      const auto instruction = decoder.decode(part->from(address), address);
      if (!instruction) continue;
      follow(*instruction, *number(address));
    }
  }
}

void Ways::follow(const Instruction& instruction, std::size_t at) {
  const auto go = [&](LinkAddress to) {
    const auto target = number(to);
    if (!target) return;
    if (*target == entry && in_copy[at]) doubt = "it goes back to its first instruction, as a loop does";
    next[at].push_back(*target);
    has_before[*target] = true;
  };
  switch (instruction.flow) {
    case Flow::ret:
    case Flow::stop:
      return;
    case Flow::indirect:
      if (doubt.empty()) doubt = "the function around it jumps by a table";
      return;
    case Flow::jump:
      return go(instruction.target);
    case Flow::conditional:
    case Flow::counted:
      go(instruction.target);
      break;
    case Flow::next:
    case Flow::call:
      break;
  }
  go(LinkAddress{raw(instruction.address) + instruction.length});
}

// What is reached from where nothing leads to (the start, landing pads) without passing the entry.
bool reached_past_entry(const Ways& ways) {
  std::vector<bool> seen(ways.addresses.size());
  std::vector<std::size_t> left;
  const auto visit = [&](std::size_t at) {
    if (at == ways.entry || seen[at]) return;
    seen[at] = true;
    left.push_back(at);
  };
  for (std::size_t at = 0; at < ways.addresses.size(); ++at) {
    if (!ways.has_before[at]) visit(at);
  }
  if (!ways.addresses.empty()) visit(0);
  while (!left.empty()) {
    const std::size_t at = left.back();
    left.pop_back();
    if (ways.in_copy[at]) return true;
    for (const std::size_t to : ways.next[at]) visit(to);
  }
  return false;
}

// Whether the code of the copy, once left, is entered again without passing its entry: a circle with instructions of
// both kinds.  Such a circle is a strongly connected part (Tarjan, SIAM J. Comput. 1, 1972), the entry taken out.
class Circles {
 public:
  explicit Circles(const Ways& ways)
      : ways_(ways), index_(ways.addresses.size()), low_(index_.size()), open_(index_.size()) {}

  bool any_mixed() {
    for (std::size_t at = 0; at < index_.size(); ++at) {
      if (at != ways_.entry && index_[at] == 0) search(at);
    }
    return mixed_;
  }

 private:
  void open(std::size_t at) {
    index_[at] = low_[at] = ++count_;
    open_[at] = true;
    stack_.push_back(at);
    path_.emplace_back(at, 0);
  }

  void search(std::size_t root) {
    open(root);
    while (!path_.empty()) {
      auto& [at, edge] = path_.back();
      if (edge < ways_.next[at].size()) {
        const std::size_t to = ways_.next[at][edge++];
        if (to == ways_.entry) continue;
        if (index_[to] == 0) {
          open(to);
        } else if (open_[to]) {
          low_[at] = std::min(low_[at], index_[to]);
        }
        continue;
      }
      const std::size_t done = at;
      path_.pop_back();
      if (!path_.empty()) low_[path_.back().first] = std::min(low_[path_.back().first], low_[done]);
      if (low_[done] == index_[done]) close(done);
    }
  }

  void close(std::size_t root) {
    bool inside = false;
    bool outside = false;
    std::size_t at = 0;
    do {
      at = stack_.back();
      stack_.pop_back();
      open_[at] = false;
      inside = inside || ways_.in_copy[at];
      outside = outside || !ways_.in_copy[at];
    } while (at != root);
    mixed_ = mixed_ || (inside && outside);
  }

  const Ways& ways_;
  std::vector<std::size_t> index_, low_;
  std::vector<bool> open_;
  std::vector<std::size_t> stack_;
  std::vector<std::pair<std::size_t, std::size_t>> path_;  // instruction, how many of its ways were gone
  std::size_t count_ = 0;
  bool mixed_ = false;
};

}  // namespace

InlinedCopies find_inlined(const DwarfFile& dwarf, const std::function<bool(std::string_view)>& matches,
                           std::size_t most) {
  CopyFinder finder(matches, most);
  Dwarf_CU* unit = nullptr;
  Dwarf_Half version = 0;
  std::uint8_t type = 0;
  Dwarf_Die die{};
  Dwarf_Die split{};
  while (::dwarf_get_units(dwarf.get(), unit, &unit, &version, &type, &die, &split) == 0) {
    const bool is_split = type == DW_UT_skeleton;
    if (is_split && split.addr == nullptr) continue;
    Dwarf_Die* whole = is_split ? &split : &die;
    if (::dwarf_dieoffset(whole) > searched_bytes_max) {
      finder.found.cut = true;
      break;
    }
    finder.look_in(*whole, 0);
  }
  auto& copies = finder.found.copies;
  std::stable_sort(copies.begin(), copies.end(),
                   [](const InlinedCopy& a, const InlinedCopy& b) { return a.entry < b.entry; });
  return std::move(finder.found);
}

std::string doubt_about(const InlinedCopy& copy, Decoder& decoder, const std::vector<const Body*>& parts) {
  const Ways ways(copy, decoder, parts);
  if (!ways.doubt.empty()) return ways.doubt;
  if (reached_past_entry(ways)) return "some of it runs without its first instruction";
  if (Circles(ways).any_mixed()) return "a loop around it does not pass its first instruction each time";
  return {};
}

}  // namespace diagnose::target
