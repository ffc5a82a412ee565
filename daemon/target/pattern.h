// What a spec's `function:` matches.
#pragma once

#include <memory>
#include <regex.h>
#include <string>
#include <string_view>

#include "base/result.h"

namespace diagnose::target {

// A symbol as `nm` prints it, a demangled name without parameters (every overload) or with them (that one), a glob over
// both, or `re:` and a POSIX extended regular expression searched in both.
class FunctionPattern {
 public:
  // Fails for an empty or too long pattern and for a regular expression that is wrong or too costly.
  [[nodiscard]] static Result<FunctionPattern> parse(std::string_view text);

  // Clones of a matching name match; thunks only by their symbol.  Demangles only where it may help.
  [[nodiscard]] bool matches(std::string_view symbol) const;

  // Whether the pattern is this very symbol, so that a part of a function is meant and not the function.
  [[nodiscard]] bool is_symbol(std::string_view symbol) const { return kind_ == Kind::exact && symbol == text_; }
  // Without parameters, for finding near names; empty for globs and regular expressions.
  [[nodiscard]] const std::string& plain_name() const { return name_; }

 private:
  enum class Kind { exact, glob, regex };
  struct RegexFree {
    void operator()(regex_t* regex) const;
  };

  [[nodiscard]] bool finds(std::string_view name) const;  // glob or regular expression
  [[nodiscard]] bool matches_demangled(std::string_view symbol) const;

  Kind kind_ = Kind::exact;
  std::string text_;        // as written, without `re:`
  std::string name_;        // exact: without parameters, comparable
  std::string parameters_;  // exact: comparable, empty if none were written
  std::string qualifiers_;  // exact: without spaces
  std::string identifier_;  // every matching mangled symbol contains it; may be empty
  bool has_templates_ = false;
  std::unique_ptr<regex_t, RegexFree> regex_;
};

}  // namespace diagnose::target
