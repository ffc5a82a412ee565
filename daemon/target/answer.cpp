#include "target/answer.h"

namespace diagnose::target {

const char* text(Cost cost) {
  switch (cost) {
    case Cost::optimised:
      return "optimised";
    case Cost::emulated:
      return "emulated";
    case Cost::stepped:
      return "stepped";
  }
  return "stepped";
}

const char* text(SiteKind kind) {
  switch (kind) {
    case SiteKind::entry:
      return "entry";
    case SiteKind::exit:
      return "exit";
    case SiteKind::tail:
      return "tail";
    case SiteKind::caller:
      return "caller";
    case SiteKind::catch_:
      return "catch";
    case SiteKind::inlined:
      return "inline";
    case SiteKind::line:
      return "line";
    case SiteKind::usdt:
      return "usdt";
    case SiteKind::address:
      return "address";
  }
  return "entry";
}

}  // namespace diagnose::target
