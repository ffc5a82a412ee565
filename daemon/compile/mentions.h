// What a probe's expressions speak of, by their words alone: known before any file of the target is read.
#pragma once

#include <functional>

#include "compile/parse.h"
#include "spec/spec.h"

namespace diagnose::compile {

struct Mentions {
  bool end = false;  // some instrument wants the end of calls
};
[[nodiscard]] Mentions mentions_of(const spec::Probe& probe);

// Every node of every expression of the probe that can be parsed; those of one instrument in turn.
void each_node(const spec::Instrument& instrument, const std::function<void(const Node&)>& visit);

}  // namespace diagnose::compile
