// A program is run without and with probes: it must write the same and end the same, and the probes must have counted
// what the program says of itself.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/daemon.h"

namespace diagnose::test {

// A program of tests/programs that prints `FUNCTION.calls=`, `.returns=`, `.errors=` and `.inside=` of each function.
struct Subject {
  Command command;
  std::vector<std::string> functions;  // as a spec names them
  std::string module = {};             // that holds them; empty: the program
  bool by_exe = false;                 // attached before it starts, its children are counted with it
  // Return addresses that only running tells, of all functions together: each may cost one return in `callers`.
  double hidden_callers = 0;
  bool trampoline_is_safe = false;  // nothing is thrown and no stack switched, so that one may be insisted on
  bool own_numbers = true;          // false: only its output is compared
  bool copies = true;               // false: the program counts what is called, not what is inlined
};

enum class Measure { calls, times, ends, records };
[[nodiscard]] const char* text(Measure measure);

// The strategies that must not hurt any program.
[[nodiscard]] const std::vector<std::string>& strategies();

// What a probe has counted.
struct Counted {
  double calls = -1;
  double returns = -1;
  double errors = -1;
  double ends = -1;
  double times = -1;
  std::map<std::string, double> lost;  // by reason, those above 0

  [[nodiscard]] double lost_in_all() const;
  [[nodiscard]] std::string text() const;
};
[[nodiscard]] Counted counted(const Metrics& metrics, const std::string& probe);

// One function's probe as a spec has it.
[[nodiscard]] nlohmann::json differential_probe(const Subject& subject, const std::string& function,
                                                const std::string& strategy, Measure measure, pid_t pid);

// Every strategy with every measure, one after the other, under one daemon.  Fails the running test.
void expect_the_same_under_every_probe(const Subject& subject);
// One of them.
void expect_the_same(Daemon& daemon, const Subject& subject, const Ended& without, const std::string& strategy,
                     Measure measure);
[[nodiscard]] Ended without_probes(const Subject& subject);

}  // namespace diagnose::test
