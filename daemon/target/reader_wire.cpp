#include "target/reader_wire.h"

namespace diagnose::target {
namespace {

template <typename... T>
inline constexpr bool all_complete = (wire::complete<T> && ...);

static_assert(all_complete<Error, Tail, Site, Range, Function, FileRequest, FileAnswer>);
static_assert(all_complete<CallersRequest::Callee, CallersRequest, Caller, CallersAnswer::Without, CallersAnswer>);
static_assert(all_complete<ReturnSitesRequest, ReturnSite, TraitsRequest, Traits, ListRequest, Listed, ListAnswer>);
static_assert(all_complete<SymbolizeRequest, Symbolized, Surroundings, SplitFiles>);
static_assert(all_complete<IdentityRequest, Identity::Unit, Identity>);
static_assert(all_complete<DebugType::Layout, DebugType::Member, DebugType::Enumerator, DebugType, Piece, Variable>);
static_assert(all_complete<Described, Global, NamedType, NamedConstant, DebugInfo>);
static_assert(all_complete<DescribeRequest::Place, DescribeRequest>);

// The check can fail: it counts right, and sees the field that is left out.
struct Forgetful {
  std::uint32_t told = 0;
  std::optional<std::string> forgotten;
  std::vector<std::string> also_told;
};
template <typename Archive, wire::As<Forgetful> S>
auto fields(Archive&& a, S& s) {
  return a(s.told, s.also_told);
}
static_assert(wire::fields_of<Forgetful>() == 3 && !wire::complete<Forgetful>);

}  // namespace
}  // namespace diagnose::target
