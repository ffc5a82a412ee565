// `explain`: what a probe would do, as JSON (spec language §8).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/parts.h"
#include "app/probe.h"
#include "target/debug_info.h"

namespace diagnose::app {

// Of a probe that was rehearsed: attach_shape() and
//   "functions":
//   [{"name","module","strategy","why","signature","file","line","arguments":[{"name","type","place","why"}],
//                  "result":{"type","place","why"},"inlined"}]   the first few; what debug information does not tell is
//                  null
//   "debug": [{"module","source","missing"}]                      source null: there is no debug information
//   "programs": [{"role","instructions","listing"}]               the listing if `listings`
[[nodiscard]] nlohmann::json explain_shape(const Probe& probe, const Parts& parts, bool listings);

// "%rdi", "-0x14(%rbp)", "%rax and %rdx", "the constant 5", "optimised away".  Pure.
[[nodiscard]] std::string place_text(const std::vector<target::Piece>& pieces);
// "call(client *c, int flags)".  Pure.
[[nodiscard]] std::string signature(const target::Described& place, const std::vector<target::DebugType>& types);

}  // namespace diagnose::app
