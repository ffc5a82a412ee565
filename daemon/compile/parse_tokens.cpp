#include "compile/parse_tokens.h"

#include <array>
#include <cctype>
#include <limits>
#include <optional>

namespace diagnose::compile {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Value of a hexadecimal digit; 16 for anything else.
unsigned digit_value(char c) {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
  return 16;
}

std::string shown(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20 && byte < 0x7f) return {c};
  constexpr const char* digits = "0123456789abcdef";
  return {'\\', 'x', digits[byte >> 4U], digits[byte & 15U]};
}

struct Suffix {
  std::string_view text;
  std::uint64_t factor;
  bool is_time;
};
constexpr std::array<Suffix, 12> suffixes = {{{"ns", 1, true},
                                              {"us", 1'000, true},
                                              {"ms", 1'000'000, true},
                                              {"s", 1'000'000'000, true},
                                              {"m", 60'000'000'000, true},
                                              {"h", 3'600'000'000'000, true},
                                              {"KB", 1'000, false},
                                              {"MB", 1'000'000, false},
                                              {"GB", 1'000'000'000, false},
                                              {"KiB", 1ULL << 10U, false},
                                              {"MiB", 1ULL << 20U, false},
                                              {"GiB", 1ULL << 30U, false}}};

struct WidthSuffix {
  bool is_unsigned = false;
  bool is_long = false;
};

// u, l, ll and their combinations, in either case.
std::optional<WidthSuffix> width_suffix(std::string_view text) {
  std::string lower;
  for (const char c : text) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (lower.empty()) return WidthSuffix{};
  for (const std::string_view longs : {"l", "ll"}) {
    if (lower == longs) return WidthSuffix{false, true};
    if (lower == "u" + std::string(longs) || lower == std::string(longs) + "u") return WidthSuffix{true, true};
  }
  if (lower == "u") return WidthSuffix{true, false};
  return std::nullopt;
}

// C's type of an integer literal (C17 6.4.4.1); decimal ones beyond `long` become unsigned instead of an error.
Type literal_type(std::uint64_t number, bool decimal, WidthSuffix width) {
  const auto type = [](std::uint8_t bytes, bool is_signed) { return Type{.bytes = bytes, .is_signed = is_signed}; };
  if (!width.is_long) {
    if (!width.is_unsigned && number <= 0x7fffffffU) return type(4, true);
    if ((width.is_unsigned || !decimal) && number <= 0xffffffffU) return type(4, false);
  }
  const bool fits_long = number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return type(8, !width.is_unsigned && fits_long);
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  tl::expected<std::vector<Token>, Issue> run() {
    while (!issue_) {
      while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
      if (at_ == text_.size()) break;
      one();
    }
    if (issue_) return tl::unexpected<Issue>(*issue_);
    tokens_.push_back({.kind = TokenKind::end, .position = text_.size(), .text = {}, .number = 0, .type = {}});
    return std::move(tokens_);
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void fail(std::size_t position, std::string what, std::string why, std::string mend) {
    if (!issue_) issue_ = Issue{position, std::move(what), std::move(why), std::move(mend)};
  }
  void add(TokenKind kind, std::size_t start, std::string text, std::uint64_t number = 0, Type type = {}) {
    tokens_.push_back({.kind = kind, .position = start, .text = std::move(text), .number = number, .type = type});
  }

  void one() {
    const char c = peek();
    if (is_digit(c)) return number();
    if (c == '"') return text();
    if (c == '\'') return character();
    if (is_word(c)) {
      const std::size_t start = at_;
      while (is_word(peek())) ++at_;
      return add(TokenKind::name, start, std::string(text_.substr(start, at_ - start)));
    }
    symbol();
  }

  void symbol() {
    // Longest first; the refused ones are here so that they are refused by name.
    static constexpr std::array<std::string_view, 47> symbols = {
        "<<=", ">>=", "...", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "->", "<<", ">>",
        "<=",  ">=",  "==",  "!=", "&&", "||", "::", "+",  "-",  "*",  "/",  "%",  "&",  "|",  "^",  "~",
        "!",   "<",   ">",   "?",  ":",  "(",  ")",  "[",  "]",  ".",  ",",  "=",  ";",  "{",  "}"};
    for (const std::string_view symbol : symbols) {
      if (text_.substr(at_, symbol.size()) != symbol) continue;
      add(TokenKind::symbol, at_, std::string(symbol));
      at_ += symbol.size();
      return;
    }
    fail(at_, "`" + shown(peek()) + "`", "no expression has this character", "remove it");
  }

  void number() {
    const std::size_t start = at_;
    unsigned base = 10;
    if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X')) base = 16;
    if (peek() == '0' && (peek(1) == 'b' || peek(1) == 'B')) base = 2;
    if (peek() == '0' && (is_digit(peek(1)) || peek(1) == '_')) base = 8;
    if (base == 16 || base == 2) at_ += 2;
    std::uint64_t value = 0;
    bool overflow = false;
    bool any = false;
    while (peek() == '_' || digit_value(peek()) < (base == 16 ? 16U : 10U)) {
      const char c = text_[at_++];
      if (c == '_') continue;
      any = true;
      if (digit_value(c) >= base) {
        return fail(at_ - 1, "`" + std::string{c} + "`", "no digit of a number in base " + std::to_string(base),
                    base == 8 ? "a leading 0 makes a number octal, as in C: remove it" : "");
      }
      overflow = overflow || __builtin_mul_overflow(value, std::uint64_t{base}, &value) ||
                 __builtin_add_overflow(value, std::uint64_t{digit_value(c)}, &value);
    }
    const std::size_t suffix_start = at_;
    while (is_word(peek())) ++at_;
    const std::string suffix(text_.substr(suffix_start, at_ - suffix_start));
    const std::string written(text_.substr(start, at_ - start));
    if (!any) return fail(start, "`" + written + "`", "a number without digits", "");
    if (peek() == '.' && is_digit(peek(1))) {
      return fail(start, "`" + written + ".`", "numbers here are whole", "use a smaller unit: `1500us` for 1.5 ms");
    }
    finish_number(start, written, suffix, value, overflow, base == 10);
  }

  void finish_number(std::size_t start, const std::string& written, const std::string& suffix, std::uint64_t value,
                     bool overflow, bool decimal) {
    std::optional<WidthSuffix> width = width_suffix(suffix);
    bool is_time = false;
    if (!width) {
      for (const Suffix& known : suffixes) {
        if (known.text != suffix) continue;
        overflow = overflow || __builtin_mul_overflow(value, known.factor, &value);
        is_time = known.is_time;
        width = WidthSuffix{};
      }
    }
    if (!width) {
      return fail(start, "`" + written + "`", "unknown unit `" + suffix + "`",
                  "times: ns us ms s m h; sizes: KB MB GB KiB MiB GiB; widths as in C: u l ul ll ull");
    }
    if (is_time) overflow = overflow || value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (overflow) return fail(start, "`" + written + "`", "does not fit in 64 bits", "");
    Type type = literal_type(value, decimal, *width);
    if (is_time) type = Type{.bytes = 8, .is_signed = true, .is_time = true};
    add(TokenKind::number, start, written, value, type);
  }

  // One character of a literal, escapes as in C.
  std::optional<char> unescaped(std::size_t start) {
    const char c = text_[at_++];
    if (c != '\\') return c;
    if (at_ == text_.size()) return std::nullopt;  // the caller finds the literal unterminated
    const char escape = text_[at_++];
    switch (escape) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case '0':
        return '\0';
      case '\\':
      case '\'':
      case '"':
        return escape;
      case 'x': {
        unsigned value = 0;
        std::size_t digits = 0;
        for (; digits < 2 && digit_value(peek()) < 16; ++digits) value = value * 16 + digit_value(text_[at_++]);
        if (digits > 0) return static_cast<char>(value);
        break;
      }
      default:
        break;
    }
    fail(start, "`\\" + shown(escape) + "`", "unknown escape", R"(use \n \t \r \0 \\ \' \" or \xHH)");
    return std::nullopt;
  }

  void character() {
    const std::size_t start = at_++;
    const auto malformed = [&] {
      fail(start, "`'`", "a character is one byte between quotes: 'x'", "texts take double quotes: \"...\"");
    };
    if (at_ >= text_.size() || peek() == '\'') return malformed();
    const std::optional<char> c = unescaped(start);
    if (issue_) return;
    if (!c || peek() != '\'') return malformed();
    ++at_;
    const auto value = static_cast<std::int64_t>(static_cast<signed char>(*c));  // char is signed on x86-64
    add(TokenKind::number, start, std::string(text_.substr(start, at_ - start)), static_cast<std::uint64_t>(value),
        Type{.bytes = 4, .is_signed = true});
  }

  void text() {
    const std::size_t start = at_++;
    std::string contents;
    while (at_ < text_.size() && peek() != '"') {
      const std::optional<char> c = unescaped(at_);
      if (issue_) return;
      if (!c) break;
      if (*c == '\0') return fail(start, "text", "a text cannot hold a NUL: C's strings end there", "remove it");
      contents += *c;
    }
    if (at_ >= text_.size()) return fail(start, "`\"`", "the text has no end", "close it with `\"`");
    ++at_;
    add(TokenKind::text, start, std::move(contents));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
  std::optional<Issue> issue_;
};

}  // namespace

tl::expected<std::vector<Token>, Issue> tokens_of(std::string_view text) {
  return Lexer(text).run();
}

}  // namespace diagnose::compile
