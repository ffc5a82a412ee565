// The argument strings of USDT markers: operands of x86-64 assembly as GCC and clang print them (AT&T syntax).
#include <array>
#include <charconv>
#include <utility>

#include "target/usdt.h"

namespace diagnose::target {
namespace {

constexpr std::size_t arguments_max = 64;  // <sys/sdt.h> has twelve

struct Register {
  std::uint8_t encoding = register_none;
  std::uint8_t bytes = 8;
};

// By the names of the 64-bit registers in the order of their encodings.
constexpr std::array<std::string_view, 8> legacy = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};

std::optional<Register> legacy_register(std::string_view name) {
  for (std::uint8_t number = 0; number < legacy.size(); ++number) {
    const std::string_view stem = legacy.at(number);
    if (name.size() == 3 && name.substr(1) == stem && (name[0] == 'r' || name[0] == 'e')) {
      return Register{number, static_cast<std::uint8_t>(name[0] == 'r' ? 8 : 4)};
    }
    if (name == stem) return Register{number, 2};
    // %al, %spl
    const bool low = number < 4 ? name.size() == 2 && name[0] == stem[0] && name[1] == 'l'
                                : name.size() == 3 && name.substr(0, 2) == stem && name[2] == 'l';
    if (low) return Register{number, 1};
  }
  return std::nullopt;
}

// Without its `%`.
std::optional<Register> register_of(std::string_view name) {
  if (auto found = legacy_register(name)) return found;
  if (name.size() < 2 || name[0] != 'r') return std::nullopt;
  constexpr std::array<std::pair<char, std::uint8_t>, 3> widths = {{{'d', 4}, {'w', 2}, {'b', 1}}};
  std::uint8_t bytes = 8;
  for (const auto& [letter, width] : widths) {
    if (name.back() == letter) bytes = width;
  }
  const std::string_view digits = name.substr(1, name.size() - 1 - (bytes == 8 ? 0U : 1U));
  unsigned number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 8 || number > 15) return std::nullopt;
  return Register{static_cast<std::uint8_t>(number), bytes};
}

// The sum of a displacement: numbers and at most one symbol, "-8", "buffer+16".
struct Sum {
  std::uint64_t number = 0;
  std::optional<std::string> symbol;
};

std::optional<std::uint64_t> number_of(std::string_view digits) {
  const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
  if (hex) digits.remove_prefix(2);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, hex ? 16 : 10);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

bool is_symbol(std::string_view text) {
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '$';
    if (!letter && (c < '0' || c > '9')) return false;
  }
  return !text.empty() && (text[0] < '0' || text[0] > '9');
}

std::optional<Sum> sum_of(std::string_view text) {
  Sum sum;
  while (!text.empty()) {
    const bool negative = text[0] == '-';
    if (negative || text[0] == '+') text.remove_prefix(1);
    const std::string_view term = text.substr(0, text.find_first_of("+-"));
    text.remove_prefix(term.size());
    if (const auto number = number_of(term)) {
      sum.number += negative ? 0 - *number : *number;
    } else if (is_symbol(term) && !negative && !sum.symbol) {
      sum.symbol = term;
    } else {
      return std::nullopt;
    }
  }
  return sum;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto at = text.find(separator);
    std::string_view part = text.substr(0, at);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    parts.push_back(part);
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// Blanks within parentheses part nothing.
std::vector<std::string_view> arguments_in(std::string_view text) {
  std::vector<std::string_view> found;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    const char c = at < text.size() ? text[at] : ' ';
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (at < text.size() && (c != ' ' || depth > 0)) continue;
    if (at > begin) found.push_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  return found;
}

class ArgumentReader {
 public:
  ArgumentReader(const SymbolAddress& symbols, std::vector<DebugType>& types) : symbols_(symbols), types_(types) {}

  Variable read(std::string_view text, std::size_t number);

 private:
  [[nodiscard]] std::string operand(std::string_view text, std::uint32_t bytes, Piece& piece) const;
  [[nodiscard]] std::string memory(std::string_view text, Piece& piece) const;
  [[nodiscard]] std::string add(const Sum& sum, Piece& piece) const;
  TypeId type(std::uint32_t bytes, bool is_signed, bool is_floating);

  const SymbolAddress& symbols_;
  std::vector<DebugType>& types_;
};

TypeId ArgumentReader::type(std::uint32_t bytes, bool is_signed, bool is_floating) {
  static constexpr std::array<std::pair<std::uint32_t, std::string_view>, 4> names = {
      {{1, "char"}, {2, "short"}, {4, "int"}, {8, "long"}}};
  DebugType made;
  made.kind = is_floating ? DebugType::Kind::floating : DebugType::Kind::integer;
  made.bytes = bytes;
  made.is_signed = is_signed || is_floating;
  for (const auto& [size, name] : names) {
    if (size == bytes) made.name = (is_signed ? "" : "unsigned ") + std::string(name);
  }
  if (bytes == 1 && is_signed) made.name = "signed char";
  if (is_floating) made.name = bytes == 4 ? "float" : "double";
  types_.push_back(std::move(made));
  return static_cast<TypeId>(types_.size() - 1);
}

// Each of these gives the reason if the form is unknown.
std::string ArgumentReader::add(const Sum& sum, Piece& piece) const {
  std::uint64_t offset = sum.number;
  if (sum.symbol) {
    const auto address = symbols_(*sum.symbol);
    if (!address) return "it lies by `" + *sum.symbol + "`, which is not among the file's symbols";
    offset += raw(*address);
  }
  piece.offset = static_cast<std::int64_t>(offset);
  return {};
}

std::string ArgumentReader::memory(std::string_view text, Piece& piece) const {
  piece.where = Piece::Where::memory;
  if (text.empty()) return "its place has an unknown form";
  const auto open = text.find('(');
  const auto sum = sum_of(text.substr(0, open));
  if (!sum) return "its place has an unknown form";
  if (open == std::string_view::npos) return add(*sum, piece);
  if (!text.ends_with(')')) return "its place has an unknown form";
  const auto parts = split(text.substr(open + 1, text.size() - open - 2), ',');
  if (parts.size() > 3) return "its place has an unknown form";
  if (parts[0] == "%rip") {
    // The displacement of a symbol counts from the instruction, but what is meant is the symbol.
    return sum->symbol && parts.size() == 1 ? add(*sum, piece) : "its place counts from an instruction";
  }
  const auto address_register = [](std::string_view name) -> std::optional<Register> {
    const auto found = name.starts_with('%') ? register_of(name.substr(1)) : std::nullopt;
    return found && found->bytes == 8 ? found : std::nullopt;
  };
  if (!parts[0].empty()) {
    const auto base = address_register(parts[0]);
    if (!base) return "its place has an unknown form";
    piece.base = base->encoding;
  }
  if (parts.size() > 1 && !parts[1].empty()) {
    const auto index = address_register(parts[1]);
    if (!index || index->encoding == register_sp) return "its place has an unknown form";
    piece.index = index->encoding;
  }
  if (parts.size() > 2) {
    const auto scale = number_of(parts[2]);
    if (!scale || (*scale != 1 && *scale != 2 && *scale != 4 && *scale != 8)) return "its place has an unknown form";
    piece.scale = static_cast<std::uint8_t>(*scale);
  }
  // A symbol is a link address: with a register it would have to be relocated first.
  if (sum->symbol && (piece.base != register_none || piece.index != register_none)) {
    return "its place is a symbol's address plus a register";
  }
  if (piece.base == register_none && piece.index != register_none) return "its place has no base register";
  return add(*sum, piece);
}

std::string ArgumentReader::operand(std::string_view text, std::uint32_t bytes, Piece& piece) const {
  piece.bytes = bytes;
  if (text.starts_with('$')) {
    const auto sum = sum_of(text.substr(1));
    if (!sum || text.size() == 1) return "its value has an unknown form";
    piece.where = sum->symbol ? Piece::Where::address : Piece::Where::constant;
    return add(*sum, piece);
  }
  if (!text.starts_with('%')) return memory(text, piece);
  const std::string_view name = text.substr(1);
  if (name.starts_with("xmm") || name.starts_with("ymm") || name.starts_with("zmm")) {
    piece.where = Piece::Where::vector;
    return "it is in " + std::string(text) + ", which a uprobe cannot read";
  }
  if (name == "ah" || name == "bh" || name == "ch" || name == "dh") {
    return "it is the second byte of a register (" + std::string(text) + ")";
  }
  if (text.find(':') != std::string_view::npos) return "it lies in thread-local storage";
  const auto found = register_of(name);
  if (!found) return "it is in " + std::string(text) + ", which a uprobe cannot read";
  if (found->bytes < bytes) return std::string(text) + " is smaller than its " + std::to_string(bytes) + " bytes";
  piece.where = Piece::Where::reg;
  piece.base = found->encoding;
  return {};
}

Variable ArgumentReader::read(std::string_view text, std::size_t number) {
  Variable argument;
  argument.name = "arg" + std::to_string(number);
  std::uint32_t bytes = 8;
  bool is_signed = true;
  bool is_floating = false;
  std::string_view operand_text = text;
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    std::string_view size = text.substr(0, at);
    operand_text = text.substr(at + 1);
    is_signed = size.starts_with('-');
    if (is_signed) size.remove_prefix(1);
    is_floating = size.ends_with('f');
    if (is_floating) size.remove_suffix(1);
    const auto told = number_of(size);
    const bool known =
        told && (*told == 1 || *told == 2 || *told == 4 || *told == 8) && (!is_floating || *told == 4 || *told == 8);
    if (!known) {
      argument.why = "`" + std::string(text) + "` has an unknown size";
      return argument;
    }
    bytes = static_cast<std::uint32_t>(*told);
  }
  argument.type = type(bytes, is_signed, is_floating);
  Piece piece;
  argument.why = operand(operand_text, bytes, piece);
  if (argument.why.empty()) {
    argument.pieces.push_back(piece);
  } else {
    argument.why += ": `" + std::string(text) + "`";
  }
  return argument;
}

}  // namespace

std::vector<Variable> marker_arguments(std::string_view text, const SymbolAddress& symbols,
                                       std::vector<DebugType>& types) {
  if (types.empty()) types.resize(1);  // no_type
  std::vector<Variable> arguments;
  ArgumentReader reader(symbols, types);
  for (const std::string_view one : arguments_in(text)) {
    if (arguments.size() == arguments_max) break;
    arguments.push_back(reader.read(one, arguments.size()));
  }
  return arguments;
}

}  // namespace diagnose::target
