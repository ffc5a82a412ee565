// A probe compiled for each of its places, and the few forms that come of it (compile/forms.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "app/handover.h"
#include "base/result.h"
#include "base/units.h"
#include "compile/evaluation.h"
#include "spec/spec.h"
#include "target/debug_info.h"
#include "target/resolver.h"

namespace diagnose::app {

struct Forms {
  std::vector<compile::ProbeEvaluation> each;  // by number; never empty
  compile::ProbeEvaluation all;                // what is loaded: one for all of them
};

// The form of each place that has another than number 0, by file and described_at().
using FormNumbers = std::map<std::pair<FileKey, LinkAddress>, std::uint16_t>;

// What debug information tells of a module.
struct Description {
  target::DebugInfo debug;
  std::vector<compile::OtherGlobal> others;  // types are those of `debug`
};

// Serves one compilation.  Borrows everything that it is given.
class PlaceCompiler {
 public:
  struct Wants {
    bool described = false;      // debug information tells places of one language apart
    bool ends_of_calls = false;  // one form only
    bool may_sleep = false;      // compile::Subject
  };
  // `loaded`: the forms of programs that places must make do with.  Null: there are none yet.
  PlaceCompiler(const spec::Probe& spec, Wants wants, const Forms* loaded)
      : spec_(spec), wants_(wants), loaded_(loaded) {}

  // Compiles for every function of `module`.
  void add(target::Module& module, const Description& description);

  // Once all are added: leaves in each module the functions that one program serves; errors() names the others, each
  // with its reason.  What that program is made of; nullopt if there is no function left, or if it is loaded.
  [[nodiscard]] std::optional<Forms> settle();
  [[nodiscard]] const FormNumbers& numbers() const { return numbers_; }
  [[nodiscard]] const std::vector<Error>& errors() const { return errors_; }

 private:
  struct Place {
    target::Module* module = nullptr;
    std::size_t function = 0;
    const Description* description = nullptr;
    std::optional<std::size_t> kind;  // none: it is refused

    [[nodiscard]] const target::Function& code() const { return module->functions[function]; }
  };
  // Places that the same evaluation serves.
  struct Kind {
    compile::ProbeEvaluation evaluation;
    Place first;
    std::optional<std::uint16_t> form;  // none: it is refused
    Error refusal;                      // of each of its places, but for `where`
  };

  [[nodiscard]] compile::Abi abi_of(const target::Function& function) const;
  [[nodiscard]] compile::Evaluated evaluate(const Place& place, const compile::ProbeEvaluation* like) const;
  [[nodiscard]] std::optional<std::size_t> kind_of(const Place& place);
  void refuse(const Place& place, const std::vector<spec::Fault>& faults);
  // All but the last where there are too many: what is beyond the limit is one kind, and refused.
  [[nodiscard]] std::span<Kind> told_apart();
  void find_loaded();
  [[nodiscard]] std::optional<Forms> make_forms();
  [[nodiscard]] std::vector<compile::ProbeEvaluation> collect_forms();
  void keep_places();

  const spec::Probe& spec_;
  Wants wants_;
  const Forms* loaded_;
  std::vector<Place> places_;
  std::vector<Kind> kinds_;
  std::map<compile::Abi, std::optional<std::size_t>> by_language_;  // without a description
  FormNumbers numbers_;
  std::vector<Error> errors_;
};

}  // namespace diagnose::app
