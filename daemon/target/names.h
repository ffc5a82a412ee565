// Names of functions: demangling, and taking a demangled name apart.
#pragma once

#include <string>
#include <string_view>

namespace diagnose::target {

// C++ (Itanium) and Rust (legacy and v0, without the hash); the symbol itself if it is neither.
[[nodiscard]] std::string demangle(std::string_view symbol);

// Whether `demangle` could say anything but the symbol itself.  Thunks are not: they are not the function they name.
[[nodiscard]] bool is_mangled(std::string_view symbol);
// "_ZThn8_N1A1fEv": a thunk jumps to the function and would count its calls twice.
[[nodiscard]] bool is_thunk(std::string_view symbol);

// A demangled name in parts; views into the text it was made from.
// "int ns::f<int>(char const*) const [clone .cold]" -> "ns::f<int>", "(char const*)", "const"
struct NameParts {
  std::string_view name;        // without return type and parameters
  std::string_view parameters;  // with its parentheses; empty if there are none
  std::string_view qualifiers;  // behind the parameters, without "[clone ...]"
};
[[nodiscard]] NameParts take_apart(std::string_view demangled);

// Without template arguments and ABI tags: "ns::v<int>::f[abi:cxx11]" -> "ns::v::f".  Operators keep their own signs.
[[nodiscard]] std::string without_templates(std::string_view name);
// Without the template arguments of the last component only: "ns::v<int>::f<char>" -> "ns::v<int>::f".
[[nodiscard]] std::string_view without_last_template(std::string_view name);
// Parameters, or a name, in the one spelling in which they are compared: no spaces, `const` behind its type,
// std::string short,
// "(void)" as "()".
[[nodiscard]] std::string comparable(std::string_view parameters);
[[nodiscard]] std::string without_spaces(std::string_view text);

// ".constprop.0", ".isra.0", ".part.0", ".lto_priv.0", ".cold" and others that the compiler appends cut off.
[[nodiscard]] std::string_view without_clones(std::string_view symbol);
[[nodiscard]] bool is_cold(std::string_view symbol);                  // "f.cold", "f.cold.3", "f.isra.0.cold"
[[nodiscard]] bool is_part(std::string_view symbol);                  // "f.part.0" in any place of the suffix
[[nodiscard]] std::string_view cold_parent(std::string_view symbol);  // "f.isra.0.cold" -> "f.isra.0"

// The edit distance (Levenshtein, in bytes) of `a` and `b`, or `bound` if it is not less.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t bound);

}  // namespace diagnose::target
