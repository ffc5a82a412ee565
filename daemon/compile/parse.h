// Text of an expression -> tree.  C's grammar of expressions without assignment; knows no names but those of C's types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "compile/evaluation.h"
#include "compile/parse_tokens.h"

namespace diagnose::compile {

// A type as written in a cast.
struct WrittenType {
  Type base;              // kind `nothing` for void
  unsigned pointers = 0;  // number of `*`
  std::string unknown;    // a type of the target ("struct request", "ns::Type"), or floating point; else empty
};

enum class NodeKind { number, text, name, unary, binary, conditional, cast, size_of, call, index, member };

struct Node {
  NodeKind kind = NodeKind::number;
  std::size_t position = 0;  // of the token that names it: the operator of a binary
  std::string text;  // operator; name ("x", "Color::red", "::counter", "libx.so!counter"); contents of a text; a call's
                     // function; `.x` or
                     // `->x` of a member
  std::uint64_t number = 0;  // of a number
  Type type;                 // of a number
  WrittenType written;       // of a cast or a size
  std::vector<std::unique_ptr<Node>> children;
  std::vector<std::string> keywords;  // of a call, beside `children`: "base" for `base=10`, else empty
};

// The first thing wrong, or the tree.  Nesting is bounded by limits::expression_depth, length by
// limits::expression_chars.
[[nodiscard]] tl::expected<std::unique_ptr<Node>, Issue> parse(std::string_view text);

}  // namespace diagnose::compile
