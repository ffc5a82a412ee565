// Text of an expression -> tokens.  Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "compile/evaluation.h"

namespace diagnose::compile {

// One thing wrong with one expression.
struct Issue {
  std::size_t position = 0;  // bytes from the start of the expression
  std::string what;
  std::string why;
  std::string mend;
};

enum class TokenKind { number, text, name, symbol, end };

struct Token {
  TokenKind kind = TokenKind::end;
  std::size_t position = 0;
  std::string text;          // as written; of a text its contents, without quotes and escapes
  std::uint64_t number = 0;  // of a number, its suffix applied
  Type type;                 // of a number: C's type of the literal; `10ms` is a signed time
};

// The tokens of `text`, `end` last.  `text` is not longer than limits::expression_chars.
[[nodiscard]] tl::expected<std::vector<Token>, Issue> tokens_of(std::string_view text);

}  // namespace diagnose::compile
