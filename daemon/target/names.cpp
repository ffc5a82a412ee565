#include "target/names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <cxxabi.h>
#include <libiberty/demangle.h>
#include <memory>
#include <numeric>
#include <vector>

namespace diagnose::target {
namespace {

// Longer symbols exist only to exhaust the demanglers, which recurse.
constexpr std::size_t demangled_symbol_chars_max = 8192;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}

struct Free {
  void operator()(char* text) const { std::free(text); }
};

// Behind the operator name that starts at `at` ("operator" itself), or `at` if there is none.  A conversion operator
// ends where its parameters begin.
std::size_t behind_operator(std::string_view text, std::size_t at) {
  constexpr std::string_view word = "operator";
  if (text.substr(at, word.size()) != word || (at > 0 && is_word(text[at - 1]))) return at;
  const std::size_t sign = at + word.size();
  // Longest first, so that "<<=" is not read as "<".
  static constexpr auto signs = std::to_array<std::string_view>(
      {"<=>", "<<=",    ">>=",       "->*",  "()",      "[]",        "<<",   ">>", "<=", ">=", "==", "!=",
       "&&",  "||",     "++",        "--",   "->",      "+=",        "-=",   "*=", "/=", "%=", "^=", "&=",
       "|=",  " new[]", " delete[]", " new", " delete", " co_await", "\"\"", "+",  "-",  "*",  "/",  "%",
       "^",   "&",      "|",         "~",    "!",       "=",         "<",    ">",  ","});
  for (const std::string_view candidate : signs) {
    if (text.substr(sign, candidate.size()) != candidate) continue;
    const std::size_t end = sign + candidate.size();
    if (candidate == "\"\"") {  // operator"" _s
      std::size_t i = end;
      while (i < text.size() && (text[i] == ' ' || is_word(text[i]))) ++i;
      return i;
    }
    const bool is_keyword = candidate.front() == ' ';
    if (is_keyword && candidate.back() != ']' && end < text.size() && is_word(text[end])) continue;  // " newtype"
    return end;
  }
  if (sign >= text.size() || text[sign] != ' ') return at;  // an identifier such as "operators"
  return sign;
}

// Behind the group that opens at `at` with one of ([{<.  A '>' in an expression ("(a>b)") closes nothing but a '<'.
std::size_t behind_group(std::string_view text, std::size_t at) {
  std::string open;
  for (std::size_t i = at; i < text.size();) {
    if (const std::size_t end = behind_operator(text, i); end != i) {
      i = end;
      continue;
    }
    const char c = text[i];
    if (c == '-' && i + 1 < text.size() && text[i + 1] == '>') {  // "->" in decltype
      i += 2;
      continue;
    }
    if (c == '(' || c == '[' || c == '{' || c == '<') open.push_back(c);
    if (c == '>' && !open.empty() && open.back() == '<') open.pop_back();
    if (c == ')' || c == ']' || c == '}') {
      const char partner = c == ')' ? '(' : c == ']' ? '[' : '{';
      while (!open.empty() && open.back() != partner) open.pop_back();
      if (!open.empty()) open.pop_back();
    }
    ++i;
    if (open.empty()) return i;
  }
  return text.size();
}

// Behind " const", " volatile", " &", " &&", " noexcept", "[abi:...]" from `at` on.
std::size_t behind_qualifiers(std::string_view text, std::size_t at) {
  static constexpr std::array<std::string_view, 6> words = {" const", " volatile", " &&",
                                                            " &",     " noexcept", " mutable"};
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view word : words) {
      if (text.substr(at, word.size()) == word) {
        at += word.size();
        found = true;
      }
    }
    if (text.substr(at, 5) == "[abi:") {
      at = behind_group(text, at);
      found = true;
    }
  }
  return at;
}

// The start of a component's template arguments in `name`, walking from `from`; or npos.  A leading '<' is a Rust type.
bool opens_template(std::string_view name, std::size_t at) {
  return name[at] == '<' && at > 0 &&
         (is_word(name[at - 1]) || name[at - 1] == ']' || name[at - 1] == ':' || name[at - 1] == ' ' ||
          name[at - 1] == ')' || name[at - 1] == '<');
}

}  // namespace

bool is_thunk(std::string_view symbol) {
  return symbol.starts_with("_ZTh") || symbol.starts_with("_ZTv") || symbol.starts_with("_ZTc");
}

bool is_mangled(std::string_view symbol) {
  return (symbol.starts_with("_Z") || symbol.starts_with("_R")) && symbol.size() <= demangled_symbol_chars_max;
}

std::string demangle(std::string_view symbol) {
  std::string text(symbol);
  if (!is_mangled(symbol)) return text;
  // Legacy Rust names are valid C++ names as well: "_ZN4core3fmt...17h0123456789abcdefE".
  const bool rust = symbol.starts_with("_R") || symbol.find("17h") != std::string_view::npos;
  if (rust) {
    if (const std::unique_ptr<char, Free> name{rust_demangle(text.c_str(), 0)}) return name.get();
  }
  int status = 0;
  if (const std::unique_ptr<char, Free> name{abi::__cxa_demangle(text.c_str(), nullptr, nullptr, &status)}) {
    return name.get();
  }
  return text;
}

NameParts take_apart(std::string_view demangled) {
  NameParts found;
  std::size_t start = 0;
  bool conversion = false;  // in "operator unsigned long", where a space does not end a return type
  for (std::size_t i = 0; i < demangled.size();) {
    if (const std::size_t end = behind_operator(demangled, i); end != i) {
      conversion = end < demangled.size() && demangled[end] == ' ' && demangled.substr(end, 2) != " <" &&
                   demangled.substr(end, 2) != " [";
      i = end;
      if (conversion) ++i;
      continue;
    }
    const char c = demangled[i];
    if (c == '(') {
      const std::size_t end = behind_group(demangled, i);
      const std::size_t then = behind_qualifiers(demangled, end);
      const bool anonymous = demangled.substr(i, 20) == "(anonymous namespace";
      const bool type = i >= 8 && demangled.substr(0, i).ends_with("decltype");
      const bool spaced = i >= 9 && demangled.substr(0, i).ends_with("decltype ");
      if (anonymous || type || spaced || demangled.substr(then, 2) == "::") {
        i = demangled.substr(then, 2) == "::" ? then : end;
        continue;
      }
      found.name = demangled.substr(start, i - start);
      found.parameters = demangled.substr(i, end - i);
      found.qualifiers = demangled.substr(end, then - end);
      if (found.qualifiers.starts_with(' ')) found.qualifiers.remove_prefix(1);
      return found;
    }
    if (c == '<' || c == '[' || c == '{') {
      i = behind_group(demangled, i);
      continue;
    }
    if (c == ' ' && !conversion) {
      if (demangled.substr(i).starts_with(" [clone")) break;
      // "operator< <int>" keeps its space; anything else before the name is the return type.
      if (demangled.substr(i, 2) != " <") start = i + 1;
    }
    ++i;
  }
  std::string_view rest = demangled.substr(std::min(start, demangled.size()));
  if (const auto clone = rest.find(" [clone"); clone != std::string_view::npos) rest = rest.substr(0, clone);
  found.name = rest;
  return found;
}

std::string without_templates(std::string_view name) {
  std::string kept;
  kept.reserve(name.size());
  for (std::size_t i = 0; i < name.size();) {
    if (const std::size_t end = behind_operator(name, i); end != i) {
      kept += name.substr(i, end - i);
      i = end;
      continue;
    }
    if (opens_template(name, i)) {
      i = behind_group(name, i);
      if (kept.ends_with(' ')) kept.pop_back();
      if (kept.ends_with("::")) kept.resize(kept.size() - 2);  // Rust: "f::<u8>"
      continue;
    }
    if (name.substr(i, 5) == "[abi:") {
      i = behind_group(name, i);
      continue;
    }
    if (name[i] == '(' || name[i] == '{' || name[i] == '[' || name[i] == '<') {
      const std::size_t end = behind_group(name, i);
      kept += name.substr(i, end - i);
      i = end;
      continue;
    }
    kept += name[i++];
  }
  return kept;
}

std::string_view without_last_template(std::string_view name) {
  std::size_t last = std::string_view::npos;
  for (std::size_t i = 0; i < name.size();) {
    if (const std::size_t behind = behind_operator(name, i); behind != i) {
      i = behind;
    } else if (name[i] == '<' || name[i] == '(' || name[i] == '{' || name[i] == '[') {
      const std::size_t end = behind_group(name, i);
      if (opens_template(name, i) && end == name.size()) last = i;
      i = end;
    } else {
      ++i;
    }
  }
  if (last == std::string_view::npos) return name;
  while (last > 0 && name[last - 1] == ' ') --last;
  return name.substr(0, last);
}

std::string without_spaces(std::string_view text) {
  std::string kept;
  kept.reserve(text.size());
  for (const char c : text) {
    if (c != ' ' && c != '\t') kept += c;
  }
  return kept;
}

std::string comparable(std::string_view parameters) {
  std::string moved;
  for (std::size_t i = 0; i < parameters.size();) {
    const bool starts = i == 0 || !is_word(parameters[i - 1]);
    if (starts && parameters.substr(i, 6) == "const ") {
      std::size_t before = i;  // a leading `const` stands behind '(' ',' or '<'; else it is already behind its type
      while (before > 0 && parameters[before - 1] == ' ') --before;
      const char left = before > 0 ? parameters[before - 1] : '(';
      if (left == '(' || left == ',' || left == '<') {
        std::size_t end = i + 6;
        while (end < parameters.size() && std::string_view("*&,)>").find(parameters[end]) == std::string_view::npos) {
          end = parameters[end] == '<' ? behind_group(parameters, end) : end + 1;
        }
        moved += comparable(parameters.substr(i + 6, end - i - 6)) + "const";
        i = end;
        continue;
      }
    }
    if (parameters[i] != ' ' && parameters[i] != '\t') moved += parameters[i];
    ++i;
  }
  constexpr std::string_view long_string =
      "std::__cxx11::basic_string<char,std::char_traits<char>,std::allocator<char>>";
  for (auto at = moved.find(long_string); at != std::string::npos; at = moved.find(long_string, at)) {
    moved.replace(at, long_string.size(), "std::string");
  }
  return moved == "(void)" ? "()" : moved;
}

std::string_view without_clones(std::string_view symbol) {
  static constexpr std::array<std::string_view, 9> suffixes = {".constprop",  ".isra", ".part",   ".lto_priv", ".cold",
                                                               ".localalias", ".llvm", ".__uniq", ".warm"};
  std::size_t end = symbol.size();
  for (const std::string_view suffix : suffixes) {
    const auto at = symbol.find(suffix, 1);
    if (at == std::string_view::npos) continue;
    const std::size_t behind = at + suffix.size();
    if (behind == symbol.size() || symbol[behind] == '.') end = std::min(end, at);
  }
  return symbol.substr(0, end);
}

namespace {

// Where the suffix `word` (".cold") stands as a whole component of `symbol`, or npos.
std::size_t suffix_at(std::string_view symbol, std::string_view word) {
  const auto at = symbol.find(word, 1);
  if (at == std::string_view::npos) return at;
  const std::size_t behind = at + word.size();
  return behind == symbol.size() || symbol[behind] == '.' ? at : std::string_view::npos;
}

}  // namespace

bool is_cold(std::string_view symbol) {
  return suffix_at(symbol, ".cold") != std::string_view::npos;
}

bool is_part(std::string_view symbol) {
  return suffix_at(symbol, ".part") != std::string_view::npos;
}

std::string_view cold_parent(std::string_view symbol) {
  return symbol.substr(0, suffix_at(symbol, ".cold"));
}

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t bound) {
  const std::size_t longer = std::max(a.size(), b.size());
  if (longer - std::min(a.size(), b.size()) >= bound) return bound;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    std::size_t least = row[0];
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0U : 1U);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
      least = std::min(least, row[j + 1]);
    }
    if (least >= bound) return bound;
  }
  return std::min(row[b.size()], bound);
}

}  // namespace diagnose::target
