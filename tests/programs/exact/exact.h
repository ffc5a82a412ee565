// `exact [ROUNDS | list]`: functions of every type, and what each call was given and gave back, as the program knows
// it. `list` prints a line per function: its name, the expressions that show its arguments at the call, and those that
// show arguments and result at its return.  A run prints, behind the protocol's `ready`, a line per call and per return
// with the values of those expressions.  Fields are separated by tabs, values by `|`.
//
// An expression may carry marks in front:
//   !  out of reach: a floating value in a register, a member of a virtual base; refused, with an error that says so
//   ?  right, or refused with the reason: the compiler may have taken it away
//   @  at the call only: what it reads may have changed at the return
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "../protocol.h"

// A function that keeps its name and its parameters.
#define EXACT PROBED
// One that compilers may clone and trim.
#define TRIMMED __attribute__((noinline))

namespace exact {

// Everything that is computed for nothing goes here.
extern volatile std::uint64_t kept;

// The next of a series of numbers that no compiler foresees: small ones, large ones and those at the borders.
std::uint64_t next();
template <typename Number>
Number any() {
  return static_cast<Number>(next());
}

// A value as a record shows it.  Out of line, so that eight builds of this take no longer than they must.
class Shown {
 public:
  template <typename Value>
  requires std::is_integral_v<Value> Shown(Value value) {
    if constexpr (std::is_same_v<Value, bool>) {
      set(value ? "true" : "false");
    } else if constexpr (std::is_signed_v<Value>) {
      set(static_cast<long>(value));
    } else {
      set(static_cast<unsigned long>(value));
    }
  }
  Shown(double value) { set(value); }
  Shown(const char* value) { set(value); }
  Shown(const std::string& value) { set(value.c_str()); }
  Shown(std::string_view value);
  Shown(const void* pointer) { set(reinterpret_cast<unsigned long>(pointer)); }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void set(long value);
  void set(unsigned long value);
  void set(double value);
  void set(const char* value);

  std::string text_;
};

class Case {
 public:
  using Expressions = std::initializer_list<const char*>;
  // `at_return`: shown at the return besides those of the call that have no `@`.
  Case(const char* function, Expressions at_call, Expressions at_return = {});

  void call(std::initializer_list<Shown> values) const;
  void returned(std::initializer_list<Shown> values = {}) const;

  static void list();

 private:
  const char* function_;
  std::vector<const char*> at_call_;
  std::vector<const char*> at_return_;
  mutable std::vector<std::vector<std::string>> open_;  // values of the calls that have not returned
};

// One call of each function of a file.
void call_numbers();
void call_structs();
void call_members();
void call_library();
void call_control();

}  // namespace exact
