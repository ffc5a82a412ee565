#include "compile/parse.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "base/limits.h"

namespace diagnose::compile {
namespace {

// C's precedences; higher binds tighter.  0: no binary operator.
int precedence(std::string_view symbol) {
  static constexpr std::array<std::pair<std::string_view, int>, 18> table = {{{"||", 1},
                                                                              {"&&", 2},
                                                                              {"|", 3},
                                                                              {"^", 4},
                                                                              {"&", 5},
                                                                              {"==", 6},
                                                                              {"!=", 6},
                                                                              {"<", 7},
                                                                              {"<=", 7},
                                                                              {">", 7},
                                                                              {">=", 7},
                                                                              {"<<", 8},
                                                                              {">>", 8},
                                                                              {"+", 9},
                                                                              {"-", 9},
                                                                              {"*", 10},
                                                                              {"/", 10},
                                                                              {"%", 10}}};
  for (const auto& [name, value] : table) {
    if (name == symbol) return value;
  }
  return 0;
}

struct NamedType {
  std::string_view name;
  std::uint8_t bytes;
  bool is_signed;
};
constexpr std::array<NamedType, 21> named_types = {
    {{"u8", 1, false},      {"u16", 2, false},      {"u32", 4, false},       {"u64", 8, false},
     {"s8", 1, true},       {"s16", 2, true},       {"s32", 4, true},        {"s64", 8, true},
     {"uint8_t", 1, false}, {"uint16_t", 2, false}, {"uint32_t", 4, false},  {"uint64_t", 8, false},
     {"int8_t", 1, true},   {"int16_t", 2, true},   {"int32_t", 4, true},    {"int64_t", 8, true},
     {"size_t", 8, false},  {"ssize_t", 8, true},   {"uintptr_t", 8, false}, {"intptr_t", 8, true},
     {"ptrdiff_t", 8, true}}};

const NamedType* named_type(std::string_view name) {
  const auto* found =
      std::find_if(named_types.begin(), named_types.end(), [&](const NamedType& type) { return type.name == name; });
  return found == named_types.end() ? nullptr : found;
}

bool starts_type(const Token& token) {
  static const std::set<std::string_view> words = {"char",  "short", "int",   "long",  "signed",   "unsigned",
                                                   "void",  "bool",  "_Bool", "const", "volatile", "struct",
                                                   "union", "enum",  "float", "double"};
  return token.kind == TokenKind::name && (words.contains(token.text) || named_type(token.text) != nullptr);
}

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  tl::expected<std::unique_ptr<Node>, Issue> run() {
    std::unique_ptr<Node> root = expression();
    if (!issue_ && token().kind != TokenKind::end) unexpected();
    if (issue_) return tl::unexpected<Issue>(*issue_);
    return root;
  }

 private:
  using NodePtr = std::unique_ptr<Node>;

  [[nodiscard]] const Token& token(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  [[nodiscard]] bool is(std::string_view symbol, std::size_t ahead = 0) const {
    return token(ahead).kind == TokenKind::symbol && token(ahead).text == symbol;
  }
  bool take(std::string_view symbol) {
    if (!is(symbol)) return false;
    ++at_;
    return true;
  }
  NodePtr fail(std::size_t position, std::string what, std::string why, std::string mend = {}) {
    if (!issue_) issue_ = Issue{position, std::move(what), std::move(why), std::move(mend)};
    return nullptr;
  }

  NodePtr unexpected() {
    const Token& here = token();
    if (here.kind == TokenKind::end) return fail(here.position, "expression", "ends too early", "complete it");
    static const std::set<std::string_view> assignments = {
        "=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "++", "--", "<<=", ">>="};
    const std::string what = "`" + here.text + "`";
    if (here.kind == TokenKind::symbol && assignments.contains(here.text)) {
      return fail(here.position, what, "a probe never changes its target",
                  here.text == "=" ? "compare with `==`" : "remove it");
    }
    if (here.kind == TokenKind::symbol && here.text == "!") {  // `module!name`
      return fail(
          here.position, what, "not expected here",
          "a global of a module is written `libx.so!name`, or with other signs in its name `\"lib-x.so\"!name`");
    }
    return fail(here.position, here.kind == TokenKind::text ? "\"" + here.text + "\"" : what, "not expected here",
                "an operator or the end is missing before it");
  }

  bool expect(std::string_view symbol) {
    if (take(symbol)) return true;
    if (token().kind == TokenKind::end) {
      fail(token().position, "expression", "`" + std::string(symbol) + "` is missing at its end", "add it");
    } else {
      unexpected();
    }
    return false;
  }

  static NodePtr make(NodeKind kind, const Token& from) {
    auto node = std::make_unique<Node>();
    node->kind = kind;
    node->position = from.position;
    node->text = from.text;
    return node;
  }

  // Parsers recurse: the depth is checked before the stack grows.
  bool enter() {
    if (++depth_ <= limits::expression_depth) return true;
    fail(token().position, "expression", "nested deeper than " + std::to_string(limits::expression_depth) + " levels",
         "simplify it");
    return false;
  }

  NodePtr expression() {
    if (!enter()) return nullptr;
    NodePtr node = binary(1);
    if (node && is("?")) {
      NodePtr choice = make(NodeKind::conditional, token());
      ++at_;
      choice->children.push_back(std::move(node));
      NodePtr yes = expression();
      if (!yes || !expect(":")) return nullptr;
      NodePtr no = expression();
      if (!no) return nullptr;
      choice->children.push_back(std::move(yes));
      choice->children.push_back(std::move(no));
      node = std::move(choice);
    }
    --depth_;
    return node;
  }

  NodePtr binary(int lowest) {
    NodePtr left = unary();
    while (left && token().kind == TokenKind::symbol) {
      const int level = precedence(token().text);
      if (level == 0 || level < lowest) break;
      NodePtr node = make(NodeKind::binary, token());
      ++at_;
      NodePtr right = binary(level + 1);
      if (!right) return nullptr;
      node->children.push_back(std::move(left));
      node->children.push_back(std::move(right));
      left = std::move(node);
    }
    return left;
  }

  NodePtr unary() {
    for (const std::string_view symbol : {"-", "+", "!", "~", "*", "&"}) {
      if (!is(symbol)) continue;
      NodePtr node = make(NodeKind::unary, token());
      ++at_;
      return with_operand(std::move(node));
    }
    if (is("(") && (starts_type(token(1)) || casts_to_name())) {
      NodePtr node = make(NodeKind::cast, token());
      ++at_;
      if (!written_type(node->written) || !expect(")")) return nullptr;
      return with_operand(std::move(node));
    }
    return postfix();
  }

  // `(Type *)x` and `(Type)x`, where Type is any name: what no expression looks like.
  [[nodiscard]] bool casts_to_name() const {
    std::size_t at = 1;
    if (is("::", at)) ++at;
    if (token(at).kind != TokenKind::name) return false;
    for (++at; is("::", at) && token(at + 1).kind == TokenKind::name;) at += 2;
    const bool pointer = is("*", at);
    while (is("*", at)) ++at;
    if (!is(")", at)) return false;
    const Token& behind = token(at + 1);
    return pointer || behind.kind == TokenKind::name || behind.kind == TokenKind::number ||
           behind.kind == TokenKind::text || is("(", at + 1) || is("::", at + 1) || is("~", at + 1) || is("!", at + 1);
  }

  NodePtr with_operand(NodePtr node) {
    if (!enter()) return nullptr;
    NodePtr operand = unary();
    if (!operand) return nullptr;
    --depth_;
    node->children.push_back(std::move(operand));
    return node;
  }

  NodePtr postfix() {
    NodePtr node = primary();
    while (node) {
      if (is("[")) {
        NodePtr index = make(NodeKind::index, token());
        ++at_;
        NodePtr subscript = expression();
        if (!subscript || !expect("]")) return nullptr;
        index->children.push_back(std::move(node));
        index->children.push_back(std::move(subscript));
        node = std::move(index);
      } else if (is(".") || is("->")) {
        NodePtr member = make(NodeKind::member, token());
        ++at_;
        const bool numbered =
            token().kind == TokenKind::number && token().text.find_first_not_of("0123456789") == std::string::npos;
        if (token().kind != TokenKind::name && !numbered) return unexpected();
        member->text += (numbered ? "__" : "") + token().text;  // as rustc names a tuple's
        ++at_;
        member->children.push_back(std::move(node));
        node = std::move(member);
      } else {
        break;
      }
    }
    return node;
  }

  // How many tokens the module of a global takes: `libfoo.so.1!name`, `"libfoo-1.2.so"!name`; 0: this is none.
  std::size_t tokens_of_module() const {
    std::size_t count = 1;
    if (token().kind == TokenKind::name) {
      const auto is_part = [&](std::size_t at) {
        return token(at).kind == TokenKind::name || token(at).kind == TokenKind::number;
      };
      while (is(".", count) && is_part(count + 1)) count += 2;
    } else if (token().kind != TokenKind::text) {
      return 0;
    }
    const bool named = token(count + 1).kind == TokenKind::name || is("::", count + 1);
    return is("!", count) && named ? count : 0;
  }

  NodePtr global_of_module(std::size_t tokens) {
    NodePtr node = make(NodeKind::name, token());
    node->text.clear();
    for (; tokens > 0; --tokens, ++at_) node->text += token().text;
    ++at_;
    const std::string name = qualified_name();
    if (name.empty()) return unexpected();
    node->text += "!" + (name.starts_with("::") ? name.substr(2) : name);
    return node;
  }

  NodePtr primary() {
    const Token& here = token();
    if (const std::size_t tokens = tokens_of_module(); tokens > 0) return global_of_module(tokens);
    if (here.kind == TokenKind::number || here.kind == TokenKind::text) {
      NodePtr node = make(here.kind == TokenKind::number ? NodeKind::number : NodeKind::text, here);
      node->number = here.number;
      node->type = here.type;
      ++at_;
      return node;
    }
    if (here.kind == TokenKind::name || is("::")) {
      if (here.text == "sizeof" && is("(", 1)) return size_of();
      if (is("(", 1)) return call();
      NodePtr node = make(NodeKind::name, here);
      node->text = qualified_name();
      return node->text.empty() ? unexpected() : std::move(node);
    }
    if (!take("(")) return unexpected();
    NodePtr node = expression();
    if (!node || !expect(")")) return nullptr;
    return node;
  }

  // `x`, `Color::red`, `::counter`; empty if a name is missing.
  std::string qualified_name() {
    std::string name;
    if (take("::")) name = "::";
    while (token().kind == TokenKind::name) {
      name += token().text;
      ++at_;
      if (!take("::")) return name;
      name += "::";
    }
    return {};
  }

  NodePtr size_of() {
    NodePtr node = make(NodeKind::size_of, token());
    at_ += 2;
    if (!written_type(node->written) || !expect(")")) return nullptr;
    return node;
  }

  NodePtr call() {
    NodePtr node = make(NodeKind::call, token());
    at_ += 2;
    if (take(")")) return node;
    do {
      std::string keyword;
      if (token().kind == TokenKind::name && is("=", 1)) {
        keyword = token().text;
        at_ += 2;
      }
      NodePtr argument = expression();
      if (!argument) return nullptr;
      node->children.push_back(std::move(argument));
      node->keywords.push_back(std::move(keyword));
    } while (take(","));
    return expect(")") ? std::move(node) : nullptr;
  }

  bool written_type(WrittenType& type) {
    const Token& first = token();
    std::vector<std::string> words;
    while (token().kind == TokenKind::name || is("::")) {
      const bool simple = token().kind == TokenKind::name && !is("::", 1);
      const std::string word = simple ? token().text : qualified_name();
      if (word.empty()) return unexpected() != nullptr;
      if (simple) ++at_;
      if (word != "const" && word != "volatile") words.push_back(word);
    }
    while (is("*") || (type.pointers > 0 && token().kind == TokenKind::name && token().text == "const")) {
      if (is("*")) ++type.pointers;
      ++at_;
    }
    if (type.pointers > limits::expression_depth)
      return fail(first.position, "type", "too many `*`", "use fewer") != nullptr;
    if (base_type(words, type)) return true;
    if (words.size() == 1 && !starts_type(first)) {
      type.unknown = words.front();
      return true;
    }
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    fail(first.position, "`" + text + "`", "no type of C", "write for example u32, int, unsigned long, char *");
    return false;
  }

  // Words as C allows them, in any order: `unsigned long`, `long int`, `long long unsigned`.
  static bool base_type(const std::vector<std::string>& words, WrittenType& type) {
    if (words.empty()) return false;
    const std::string& first = words.front();
    if (first == "struct" || first == "union" || first == "enum" || first == "float" || first == "double") {
      type.unknown = first;
      if (words.size() > 1) type.unknown += " " + words[1];
      return words.size() <= 2;
    }
    if (words.size() == 1) {
      if (const NamedType* named = named_type(first)) {
        type.base = Type{.bytes = named->bytes, .is_signed = named->is_signed};
        return true;
      }
      if (first == "void") {
        type.base = Type{.kind = TypeKind::nothing, .bytes = 0};
        return true;
      }
      if (first == "bool" || first == "_Bool") {
        type.base = Type{.kind = TypeKind::boolean, .bytes = 1, .is_signed = false};
        return true;
      }
    }
    const auto count = [&](std::string_view word) { return std::count(words.begin(), words.end(), word); };
    const auto longs = count("long");
    const auto shorts = count("short");
    const auto chars = count("char");
    const auto ints = count("int");
    const auto signs = count("signed") + count("unsigned");
    if (longs + shorts + chars + ints + signs != static_cast<std::ptrdiff_t>(words.size())) return false;
    if (longs > 2 || shorts > 1 || chars > 1 || ints > 1 || signs > 1) return false;
    if ((longs > 0) + (shorts > 0) + (chars > 0) > 1 || (chars > 0 && ints > 0)) return false;
    std::uint8_t bytes = 4;
    if (longs > 0) bytes = 8;
    if (shorts > 0) bytes = 2;
    if (chars > 0) bytes = 1;
    type.base = Type{.bytes = bytes, .is_signed = count("unsigned") == 0};
    return true;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::optional<Issue> issue_;
};

}  // namespace

tl::expected<std::unique_ptr<Node>, Issue> parse(std::string_view text) {
  if (text.size() > limits::expression_chars) {
    return tl::unexpected<Issue>({0, "expression",
                                  "longer than " + std::to_string(limits::expression_chars) + " characters",
                                  "shorten it, or split it over several instruments"});
  }
  auto tokens = tokens_of(text);
  if (!tokens) return tl::unexpected<Issue>(std::move(tokens.error()));
  if (tokens->size() == 1) return tl::unexpected<Issue>({0, "expression", "is empty", "write one, or remove the key"});
  return Parser(std::move(*tokens)).run();
}

}  // namespace diagnose::compile
