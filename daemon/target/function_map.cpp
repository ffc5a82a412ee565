#include "target/function_map.h"

#include <algorithm>

namespace diagnose::target {
namespace {

std::uint64_t end_of(const Symbol& symbol) {
  return raw(symbol.address) + symbol.size;
}

constexpr std::uint8_t lock_prefix = 0xf0;

}  // namespace

FunctionMap::FunctionMap(const ElfImage& image) : unwind_table_(UnwindTable::read(image)) {
  for (const Symbol& symbol : image.symbols()) {
    Symbol plain = symbol;
    plain.ifunc = false;  // a resolver is a function like any other here
    if (!image.refusal(plain)) symbols_.push_back(&symbol);
  }
  std::sort(symbols_.begin(), symbols_.end(), [](const Symbol* a, const Symbol* b) {
    return a->address != b->address ? a->address < b->address : a->size > b->size;
  });
  reach_.reserve(symbols_.size());
  std::uint64_t furthest = 0;
  for (const Symbol* symbol : symbols_) reach_.push_back(furthest = std::max(furthest, end_of(*symbol)));
}

std::optional<Enclosing> FunctionMap::find(LinkAddress address) const {
  const auto behind = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                                       [](LinkAddress a, const Symbol* symbol) { return a < symbol->address; });
  constexpr std::size_t nested_max = 256;  // hand-written code nests a few; a hostile file all it has
  auto at = static_cast<std::size_t>(behind - symbols_.begin());
  for (std::size_t looked = 0; at > 0 && looked < nested_max && reach_[at - 1] > raw(address); ++looked, --at) {
    const Symbol& symbol = *symbols_[at - 1];
    if (end_of(symbol) > raw(address)) {
      return Enclosing{{symbol.address, LinkAddress{end_of(symbol)}}, symbol.name};
    }
  }
  if (const auto range = unwind_table_.find(address)) return Enclosing{*range, {}};
  return std::nullopt;
}

std::vector<std::string_view> FunctionMap::names_at(LinkAddress address) const {
  const auto first = std::lower_bound(symbols_.begin(), symbols_.end(), address,
                                      [](const Symbol* symbol, LinkAddress a) { return symbol->address < a; });
  std::vector<std::string_view> names;
  for (auto at = first; at != symbols_.end() && (*at)->address == address; ++at) names.push_back((*at)->name);
  return names;
}

std::vector<LinkAddress> FunctionMap::starts_of(std::string_view symbol) const {
  std::vector<LinkAddress> starts;
  for (const Symbol* other : symbols_) {
    if (other->name == symbol && (starts.empty() || starts.back() != other->address)) starts.push_back(other->address);
  }
  return starts;
}

bool Body::is_boundary(LinkAddress address) const {
  return std::binary_search(boundaries.begin(), boundaries.end(), address);
}

std::optional<Instruction> Body::instruction_before(Decoder& decoder, LinkAddress end) const {
  const auto behind = std::lower_bound(boundaries.begin(), boundaries.end(), end);
  if (behind == boundaries.begin()) return std::nullopt;
  const LinkAddress next = behind == boundaries.end() ? decoded_to : *behind;
  if (next != end) return std::nullopt;
  return decoder.decode(from(*std::prev(behind)), *std::prev(behind));
}

std::span<const std::uint8_t> Body::from(LinkAddress address) const {
  if (address < function.range.low || address > function.range.high) return {};
  return std::span(bytes).subspan(raw(address) - raw(function.range.low));
}

Result<Body> decode_body(const ElfImage& image, Decoder& decoder, const Enclosing& function) {
  auto bytes = image.code(function.range);
  if (!bytes) return failure(bytes.error());
  Body body;
  body.function = function;
  body.bytes = std::move(*bytes);
  body.boundaries.reserve(body.bytes.size() / 4);
  LinkAddress address = function.range.low;
  while (address < function.range.high) {
    const auto instruction = decoder.decode(body.from(address), address);
    if (!instruction) break;
    body.boundaries.push_back(address);
    if (instruction->flow == Flow::jump || instruction->flow == Flow::conditional ||
        instruction->flow == Flow::counted) {
      body.jump_targets.push_back(instruction->target);
    }
    address = LinkAddress{raw(address) + instruction->length};
  }
  body.decoded_to = address;
  std::sort(body.jump_targets.begin(), body.jump_targets.end());
  body.jump_targets.erase(std::unique(body.jump_targets.begin(), body.jump_targets.end()), body.jump_targets.end());
  body.in_step = std::all_of(body.jump_targets.begin(), body.jump_targets.end(), [&](LinkAddress target) {
    if (target < function.range.low || target >= address || body.is_boundary(target)) return true;
    // glibc jumps past a lock prefix where there is one thread only.
    const LinkAddress before{raw(target) - 1};
    return body.is_boundary(before) && body.from(before)[0] == lock_prefix;
  });
  return body;
}

}  // namespace diagnose::target
