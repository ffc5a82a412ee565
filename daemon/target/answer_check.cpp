#include "target/answer_check.h"

#include <algorithm>
#include <string>

#include "base/limits.h"

namespace diagnose::target {
namespace {

constexpr std::size_t instruction_bytes_max = 15;  // Intel SDM 2.3.11

bool is_build_id(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_register(std::uint8_t number) {
  return number <= register_ip || number == register_none;
}

bool is_scale(std::uint8_t scale) {
  return scale == 1 || scale == 2 || scale == 4 || scale == 8;
}

const char* fault_in(const Site& site);
const char* fault_in(const Range& range);
const char* fault_in(const Function& function);
const char* fault_in(const Piece& piece);

template <typename List>
const char* fault_in_each(const List& list) {
  for (const auto& one : list) {
    if (const char* fault = fault_in(one)) return fault;
  }
  return nullptr;
}

const char* fault_in(const Site& site) {
  constexpr std::uint8_t conditions = 16;
  const Tail& tail = site.tail;
  if (site.length > instruction_bytes_max || site.bytes.size() > instruction_bytes_max) {
    return "an instruction is too long";
  }
  if (!is_register(site.cfa_register) || !is_register(site.result_register) || !is_register(tail.base) ||
      !is_register(tail.index)) {
    return "there is no such register";
  }
  if (!is_scale(tail.scale)) return "a jump has an impossible scale";
  if (tail.condition >= conditions || site.unless.value_or(0) >= conditions) return "there is no such condition";
  return nullptr;
}

const char* fault_in(const Range& range) {
  return range.low <= range.high ? nullptr : "a function ends before it begins";
}

const char* fault_in(const Function& function) {
  if (function.sites.empty()) return "a function has no place to probe";
  if (const char* fault = fault_in(function.body)) return fault;
  if (const char* fault = fault_in_each(function.cold)) return fault;
  return fault_in_each(function.sites);
}

const char* fault_in(const Piece& piece) {
  if (!is_register(piece.base) || !is_register(piece.index)) return "there is no such register";
  if (piece.where == Piece::Where::reg && piece.base > register_ip) return "a value in no register";
  return is_scale(piece.scale) ? nullptr : "a place in memory has an impossible scale";
}

// ---- types ----

const char* fault_in(const DebugType& type, std::size_t types) {
  const auto& layout = type.layout;
  if (type.target >= types) return "a type points at none";
  if (layout.short_shift >= 8) return "a text has an impossible layout";
  if (layout.flag_bytes != 1 && layout.flag_bytes != 2 && layout.flag_bytes != 4 && layout.flag_bytes != 8) {
    return "an optional has an impossible flag";
  }
  constexpr std::uint8_t bits_max = 128;  // _BitInt and __int128
  for (const auto& member : type.members) {
    if (member.type >= types) return "a member has no type";
    if (member.bits > bits_max) return "a bit-field is too long";
  }
  return nullptr;
}

// The types whose values stand inside a value of `type`.
void parts_of(const DebugType& type, std::vector<TypeId>& parts) {
  using Kind = DebugType::Kind;
  parts.clear();
  if (type.kind == Kind::array || type.kind == Kind::optional) parts.push_back(type.target);
  for (const auto& member : type.members) parts.push_back(member.type);
  std::erase(parts, no_type);
}

// Who looks for a member, or for a size, would never come to an end.
bool has_circle(const std::vector<DebugType>& types) {
  enum class Seen : std::uint8_t { no, open, closed };
  struct Step {
    TypeId type;
    std::size_t next = 0;
    std::vector<TypeId> parts = {};
  };
  std::vector<Seen> seen(types.size(), Seen::no);
  std::vector<Step> path;
  const auto enter = [&](TypeId type) {
    seen[type] = Seen::open;
    path.push_back({.type = type});
    parts_of(types[type], path.back().parts);
  };
  for (TypeId first = 0; first < types.size(); ++first) {
    if (seen[first] == Seen::no) enter(first);
    while (!path.empty()) {
      Step& step = path.back();
      if (step.next == step.parts.size()) {
        seen[step.type] = Seen::closed;
        path.pop_back();
        continue;
      }
      const TypeId part = step.parts[step.next++];
      if (seen[part] == Seen::open) return true;
      if (seen[part] == Seen::no) enter(part);
    }
  }
  return false;
}

const char* fault_in(const Described& place, std::size_t types) {
  if (place.result >= types) return "a result has no type";
  for (const Variable& variable : place.variables) {
    if (variable.type >= types) return "a variable has no type";
    if (const char* fault = fault_in_each(variable.pieces)) return fault;
  }
  return fault_in_each(place.result_pieces);
}

}  // namespace

const char* fault_in(const FileAnswer& answer, const FileRequest& request) {
  const std::size_t most = request.functions_max != 0 ? request.functions_max : limits::sites_per_probe;
  if (answer.functions.size() > most) return "more functions than asked for";
  if (!is_build_id(answer.build_id)) return "its build id is none";
  return fault_in_each(answer.functions);
}

const char* fault_in(const CallersAnswer& answer, const CallersRequest& request) {
  const auto asked = [&](std::uint32_t function) {
    return std::any_of(request.callees.begin(), request.callees.end(),
                       [&](const CallersRequest::Callee& callee) { return callee.function == function; });
  };
  const std::size_t most = request.callers_max != 0 ? request.callers_max : limits::callers_per_probe;
  if (answer.callers.size() > most) return "more callers than asked for";
  if (!is_build_id(answer.build_id)) return "its build id is none";
  for (const Caller& caller : answer.callers) {
    if (!asked(caller.function)) return "callers of a function that was not asked for";
    if (const char* fault = fault_in(caller.site)) return fault;
  }
  for (const auto& without : answer.without) {
    if (!asked(without.function)) return "callers of a function that was not asked for";
  }
  return nullptr;
}

const char* fault_in(const std::vector<ReturnSite>& answer, const ReturnSitesRequest& request) {
  if (answer.size() != request.return_offsets.size()) return "not one place for each call";
  for (const ReturnSite& place : answer) {
    if (!place.site) continue;
    if (const char* fault = fault_in(*place.site)) return fault;
  }
  return nullptr;
}

const char* fault_in(const Traits& answer, const TraitsRequest& /*request*/) {
  if (!is_build_id(answer.build_id)) return "its build id is none";
  if (answer.takes_other_stacks && answer.switches_stacks.empty()) return "stacks are switched by nothing";
  return fault_in_each(answer.catches);
}

const char* fault_in(const DebugInfo& answer, const DescribeRequest& request) {
  const std::size_t types = answer.types.size();
  if (types == 0) return "there are no types";
  if (answer.present && answer.places.size() != request.places.size()) return "not as many places as asked for";
  if (answer.places.size() > request.places.size() || answer.globals.size() > request.globals.size() ||
      answer.objects.size() > request.objects.size() || answer.named_types.size() > request.types.size() ||
      answer.constants.size() > request.constants.size()) {
    return "more than was asked for";
  }
  for (const DebugType& type : answer.types) {
    if (const char* fault = fault_in(type, types)) return fault;
  }
  if (has_circle(answer.types)) return "a type contains itself";
  for (const Described& place : answer.places) {
    if (const char* fault = fault_in(place, types)) return fault;
  }
  const auto typed = [&](const auto& one) { return one.type < types; };
  if (!std::all_of(answer.globals.begin(), answer.globals.end(), typed)) return "a global has no type";
  if (!std::all_of(answer.named_types.begin(), answer.named_types.end(), typed)) return "a name has no type";
  if (!std::all_of(answer.constants.begin(), answer.constants.end(), typed)) return "a constant has no type";
  return nullptr;
}

const char* fault_in(const Identity& answer, const IdentityRequest& /*request*/) {
  if (!is_build_id(answer.build_id)) return "its build id is none";
  for (const Identity::Unit& unit : answer.split) {
    if (const char* fault = fault_in_each(unit.code)) return fault;
  }
  return nullptr;
}

const char* fault_in(const ListAnswer& answer, const ListRequest& request) {
  const std::size_t most = request.functions_max != 0 ? request.functions_max : limits::sites_per_probe;
  if (answer.functions.size() > most) return "more functions than asked for";
  return is_build_id(answer.build_id) ? nullptr : "its build id is none";
}

const char* fault_in(const std::vector<Symbolized>& answer, const SymbolizeRequest& request) {
  if (answer.size() != request.offsets.size()) return "not one name for each place";
  const bool inside = std::all_of(answer.begin(), answer.end(),
                                  [](const Symbolized& one) { return one.function.empty() || one.into < one.size; });
  return inside ? nullptr : "a place lies outside of its function";
}

}  // namespace diagnose::target
