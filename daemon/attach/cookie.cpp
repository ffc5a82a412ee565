#include "attach/cookie.h"

namespace diagnose::attach {
namespace {

std::uint8_t kernel_kind(const target::Site& site) {
  switch (site.kind) {
    case target::SiteKind::entry:
    case target::SiteKind::catch_:
    case target::SiteKind::inlined:
    case target::SiteKind::line:
    case target::SiteKind::usdt:
    case target::SiteKind::address:
      return SITE_ENTRY;
    case target::SiteKind::exit:
      return SITE_EXIT;
    case target::SiteKind::caller:
      return SITE_CALLER;
    case target::SiteKind::tail:
      break;
  }
  switch (site.tail.kind) {
    case target::Tail::Kind::always:
      return SITE_TAIL;
    case target::Tail::Kind::conditional:
      return SITE_TAIL_IF;
    case target::Tail::Kind::by_register:
      return SITE_TAIL_REGISTER;
    case target::Tail::Kind::by_memory:
      return SITE_TAIL_MEMORY;
  }
  return SITE_TAIL;
}

std::int64_t relative(LinkAddress address, const target::Site& site) {
  return static_cast<std::int64_t>(raw(address) - raw(site.address));
}

struct site described(const target::Function* function, const target::Site& site) {
  struct site made {};
  made.kind = kernel_kind(site);
  made.condition =
      site.kind == target::SiteKind::tail ? site.tail.condition : site.unless.value_or(std::uint8_t{CONDITION_NONE});
  made.cfa_register = site.cfa_register;
  made.cfa_indirect = site.cfa_indirect ? 1 : 0;
  made.cfa_offset = site.cfa_offset;
  made.base = site.tail.base;
  made.index = site.tail.index;
  made.scale = site.tail.scale;
  made.displacement = site.tail.displacement;
  made.length = site.length;
  made.result_register = site.result_register;
  if (site.kind == target::SiteKind::caller) {
    made.return_offset = static_cast<std::uint32_t>(raw(site.address) - raw(site.return_address));
  }
  if (function == nullptr) return made;
  made.low = relative(function->body.low, site);
  made.high = relative(function->body.high, site);
  if (!function->cold.empty()) {
    made.cold_low = relative(function->cold.front().low, site);
    made.cold_high = relative(function->cold.front().high, site);
  }
  return made;
}

// What the cookie says of the site beside its CFA.
std::uint64_t middle(const target::Site& site, std::uint16_t number) {
  switch (site.kind) {
    case target::SiteKind::entry:
    case target::SiteKind::inlined:
    case target::SiteKind::line:
    case target::SiteKind::usdt:
    case target::SiteKind::address:
      return number;
    case target::SiteKind::caller:
      return raw(site.address) - raw(site.return_address);
    case target::SiteKind::catch_:
      return static_cast<std::uint64_t>(site.unwind);
    case target::SiteKind::exit:
    case target::SiteKind::tail:
      break;
  }
  return 0;
}

// Without a struct site, so that the kernel's side need not look anything up.
bool is_plain(const target::Site& site) {
  const bool cfa = site.cfa_register == target::register_sp && !site.cfa_indirect && site.cfa_offset >= 0 &&
                   site.cfa_offset <= COOKIE_FIELD_MASK;
  return cfa && !site.unless && site.kind != target::SiteKind::tail && site.result_register == target::register_result;
}

}  // namespace

Result<std::uint64_t> cookie_of(LoadedProbe& probe, const target::Function* function, const target::Site& site,
                                std::uint16_t number) {
  const std::uint64_t cookie = middle(site, number) << COOKIE_DETAIL_SHIFT;
  if (is_plain(site)) return cookie | static_cast<std::uint64_t>(site.cfa_offset);
  return probe.add_site(described(function, site)).map([&](std::uint64_t index) {
    return cookie | index << COOKIE_SITE_SHIFT;
  });
}

std::uint64_t trampoline_cookie() {
  return std::uint64_t{CALLER_ANY} << COOKIE_DETAIL_SHIFT;
}

}  // namespace diagnose::attach
