#include "target/pattern.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>

#include "target/names.h"

namespace diagnose::target {
namespace {

constexpr std::size_t pattern_chars_max = 1024;
constexpr std::size_t regex_chars_max = 256;
constexpr std::size_t matched_chars_max = 4096;  // of a name that a glob or a regular expression is held against
constexpr unsigned long repetition_max = 1000;   // product of all {n}: each copies its part of the automaton

Error bad(std::string_view text, std::string why, std::string mend) {
  return Error{.what = "read the function pattern",
               .where = std::string(text.substr(0, 80)),
               .why = std::move(why),
               .mend = std::move(mend)};
}

// Copies of "[abi:" and of "operator*" signs that are no wildcards, escaped for fnmatch; sets `wild` if any other is
// left.
std::string glob_text(std::string_view text, bool& wild) {
  std::string glob;
  wild = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '*' || c == '?' || c == '[') {
      const std::string_view before = text.substr(0, i);
      const bool sign = before.ends_with("operator") || before.ends_with("operator->") || before.ends_with(" new") ||
                        before.ends_with(" delete");
      if ((sign && c != '?') || text.substr(i, 5) == "[abi:") {
        glob += '\\';
      } else {
        wild = true;
      }
    }
    glob += c;
  }
  return glob;
}

// Repetitions multiply: (((a{99}){99}){99}) would need a million states.
bool repeats_too_much(std::string_view regex) {
  unsigned long product = 1;
  for (std::size_t i = 0; i < regex.size(); ++i) {
    if (regex[i] == '\\') {
      ++i;
      continue;
    }
    if (regex[i] != '{') continue;
    unsigned long largest = 1;
    unsigned long number = 0;
    for (++i; i < regex.size() && regex[i] != '}'; ++i) {
      number = std::isdigit(static_cast<unsigned char>(regex[i])) != 0 && number <= repetition_max
                   ? number * 10 + static_cast<unsigned long>(regex[i] - '0')
                   : 0;
      largest = std::max(largest, number);
    }
    product *= largest;
    if (product > repetition_max) return true;
  }
  return false;
}

// The last identifier of a name, if every mangled form of the name must contain it.
std::string last_identifier(std::string_view name) {
  // std:: has abbreviations of its own ("Sa"), operators are spelt otherwise ("ls"), so are lambdas and Rust's
  // closures.
  if (name.find("std::") != std::string_view::npos || name.find("operator") != std::string_view::npos ||
      name.find('{') != std::string_view::npos) {
    return {};
  }
  std::size_t end = name.size();
  if (name.ends_with("(anonymous namespace)")) return {};
  const auto is_letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  std::size_t start = end;
  while (start > 0 && is_letter(name[start - 1])) --start;
  return std::string(name.substr(start, end - start));
}

// One character of a bracket expression "[a-z]", "[!a-z]"; `at` stands behind '[' and is moved behind ']'.  False if
// the expression does not end: then the bracket stands for itself.
bool in_brackets(std::string_view glob, std::size_t& at, char c, bool& inside) {
  std::size_t i = at;
  const bool inverted = i < glob.size() && (glob[i] == '!' || glob[i] == '^');
  if (inverted) ++i;
  bool found = false;
  for (bool first = true; i < glob.size() && (first || glob[i] != ']'); first = false) {
    const char low = glob[i++];
    char high = low;
    if (i + 1 < glob.size() && glob[i] == '-' && glob[i + 1] != ']') {
      high = glob[i + 1];
      i += 2;
    }
    found = found || (low <= c && c <= high);
  }
  if (i >= glob.size()) return false;
  at = i + 1;
  inside = found != inverted;
  return true;
}

// fnmatch() takes exponential time on some patterns; this one takes at most the product of both lengths, as only the
// last
// '*' is ever tried again.
bool glob_matches(std::string_view glob, std::string_view text) {
  std::size_t g = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    bool fits = false;
    std::size_t next = g + 1;
    if (g < glob.size() && glob[g] == '*') {
      star = ++g;
      star_text = t;
      continue;
    }
    if (g < glob.size()) {
      bool inside = false;
      if (glob[g] == '?') {
        fits = true;
      } else if (glob[g] == '[' && in_brackets(glob, next, text[t], inside)) {
        fits = inside;
      } else {
        if (glob[g] == '\\' && g + 1 < glob.size()) next = ++g + 1;
        fits = glob[g] == text[t];
      }
    }
    if (fits) {
      g = next;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

}  // namespace

void FunctionPattern::RegexFree::operator()(regex_t* regex) const {
  regfree(regex);
  delete regex;
}

Result<FunctionPattern> FunctionPattern::parse(std::string_view text) {
  if (text.empty()) return failure(bad(text, "it is empty", "name a function, as `nm -C` prints it"));
  if (text.size() > pattern_chars_max) {
    return failure(
        bad(text, "it is longer than " + std::to_string(pattern_chars_max) + " characters", "use a glob: `ns::f*`"));
  }
  FunctionPattern pattern;
  if (text.starts_with("re:")) {
    pattern.kind_ = Kind::regex;
    pattern.text_ = text.substr(3);
    if (pattern.text_.size() > regex_chars_max) {
      return failure(bad(text, "a regular expression may have " + std::to_string(regex_chars_max) + " characters",
                         "shorten it, or use a glob"));
    }
    for (std::size_t i = 0; i + 1 < pattern.text_.size(); ++i) {
      if (pattern.text_[i] != '\\') continue;
      if (std::isdigit(static_cast<unsigned char>(pattern.text_[++i])) != 0) {
        return failure(bad(text, "back-references (`\\1`) can take for ever", "write the expression without them"));
      }
    }
    if (repeats_too_much(pattern.text_)) {
      return failure(bad(text, "its repetitions multiply to more than " + std::to_string(repetition_max),
                         "use `*` or `+` in place of large counts"));
    }
    auto regex = std::make_unique<regex_t>();
    if (const int error = regcomp(regex.get(), pattern.text_.c_str(), REG_EXTENDED | REG_NOSUB); error != 0) {
      std::array<char, 128> why{};
      regerror(error, regex.get(), why.data(), why.size());
      return failure(bad(text, why.data(), "write a POSIX extended regular expression: `re:^SSL_(read|write)$`"));
    }
    pattern.regex_.reset(regex.release());
    return pattern;
  }
  const NameParts parts = take_apart(text);
  bool wild = false;
  const std::string glob = glob_text(text, wild);
  if (wild && parts.parameters.empty()) {
    pattern.kind_ = Kind::glob;
    pattern.text_ = glob;
    return pattern;
  }
  pattern.text_ = text;
  pattern.name_ = comparable(parts.name);
  pattern.has_templates_ = comparable(without_templates(parts.name)) != pattern.name_;
  pattern.parameters_ = comparable(parts.parameters);
  pattern.qualifiers_ = without_spaces(parts.qualifiers);
  pattern.identifier_ = last_identifier(without_templates(parts.name));
  return pattern;
}

bool FunctionPattern::finds(std::string_view name) const {
  if (name.size() > matched_chars_max) return false;
  if (kind_ == Kind::glob) return glob_matches(text_, name);
  return regexec(regex_.get(), std::string(name).c_str(), 0, nullptr, 0) == 0;
}

bool FunctionPattern::matches_demangled(std::string_view symbol) const {
  const std::string demangled = demangle(symbol);
  if (kind_ == Kind::regex) return finds(demangled);
  const NameParts parts = take_apart(demangled);
  if (kind_ == Kind::glob) return finds(parts.name) || finds(without_templates(parts.name));
  const bool named =
      comparable(parts.name) == name_ || (has_templates_ ? comparable(without_last_template(parts.name)) == name_
                                                         : comparable(without_templates(parts.name)) == name_);
  if (!named) return false;
  if (parameters_.empty()) return true;
  return comparable(parts.parameters) == parameters_ &&
         (qualifiers_.empty() || without_spaces(parts.qualifiers) == qualifiers_);
}

bool FunctionPattern::matches(std::string_view symbol) const {
  if (is_cold(symbol)) return false;
  const std::string_view base = without_clones(symbol);
  if (kind_ == Kind::exact) {
    if (symbol == text_ || base == text_) return true;
    if (!is_mangled(base) || is_thunk(base)) return false;
    if (!identifier_.empty() && base.find(identifier_) == std::string_view::npos) return false;
    return matches_demangled(base);
  }
  if (is_thunk(base)) return false;
  if (finds(symbol) || (base.size() != symbol.size() && finds(base))) return true;
  return is_mangled(base) && matches_demangled(base);
}

}  // namespace diagnose::target
