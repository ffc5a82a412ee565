#include "spec/words.h"

#include <algorithm>
#include <cctype>
#include <cstddef>

#include "spec/read.h"
#include "spec/utf8.h"

namespace diagnose::spec {
namespace {

// Damerau-Levenshtein distance in its restricted form (optimal string alignment), case ignored.
std::size_t distance(std::string_view from, std::string_view to) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  std::vector<std::size_t> before_last(to.size() + 1);
  std::vector<std::size_t> last(to.size() + 1);
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (same(from[i - 1], to[j - 1]) ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && same(from[i - 1], to[j - 2]) && same(from[i - 2], to[j - 1])) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[to.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  // A third of the letters may be wrong, and never more than four: beyond that a suggestion is noise.
  const std::size_t tolerance = std::clamp<std::size_t>((word.size() + 1) / 3, 1, 4);
  const std::string* found = nullptr;
  std::size_t least = tolerance + 1;
  for (const std::string& candidate : known) {
    const std::size_t gap = std::max(word.size(), candidate.size()) - std::min(word.size(), candidate.size());
    if (gap >= least) continue;  // also keeps the table small for hostile words
    const std::size_t far = distance(word, candidate);
    if (far >= least) continue;
    least = far;
    found = &candidate;
  }
  return found == nullptr ? std::string{} : *found;
}

std::string printable(std::string_view text) {
  constexpr std::size_t line = 80;
  std::string_view rest = prefix(text, line);
  const bool cut = rest.size() < text.size();
  std::string out;
  const auto escape = [&] {
    out += "\\x" + hex(static_cast<unsigned char>(rest.front())).substr(2);
    rest.remove_prefix(1);
  };
  while (!rest.empty()) {
    const bool c1_control = rest.size() > 1 && rest[0] == '\xc2' && static_cast<unsigned char>(rest[1]) < 0xa0;
    if (rest.front() == '\n') {
      out += "\\n";
      rest.remove_prefix(1);
    } else if (c1_control) {
      escape();
      escape();
    } else if (rest.front() == '\t' || rest.front() == '\r' || rest.front() == '\x7f' || character_bytes(rest) == 0) {
      escape();
    } else {
      const std::size_t next = character_bytes(rest);
      out += rest.substr(0, next);
      rest.remove_prefix(next);
    }
  }
  return cut ? out + "..." : out;
}

std::string ticked(std::string_view text) {
  return "`" + printable(text) + "`";
}

std::string hex(unsigned char byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  return {'0', 'x', digits[byte >> 4U], digits[byte & 0xfU]};
}

std::string one_of(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += "`" + words[i] + "`";
  }
  return out;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  return near.empty() ? "use " + one_of(known) : "did you mean `" + near + "`?";
}

}  // namespace diagnose::spec
