#include "target/dwarf_locations.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "target/dwarf_registers.h"
#include "target/elf_image.h"

namespace diagnose::target {
namespace {

// base + offset, where `base` is a register's value; or, without one, an address of the file or a plain number.
struct Value {
  std::uint8_t base = register_none;
  std::int64_t offset = 0;
  bool in_file = false;  // the number is a link address
};

// One expression, on its way.
class Evaluation {
 public:
  // `whole`: one expression for all of the function.
  Evaluation(const Viewpoint& viewpoint, std::uint64_t bytes, Dwarf_Attribute* attribute, bool whole)
      : viewpoint_(viewpoint), bytes_(bytes), attribute_(attribute), whole_(whole) {}

  Location run(std::span<Dwarf_Op> ops);

 private:
  // What has been said since the last piece: an address on the stack, `register_`, a value on the stack, or a value
  // that is already among the pieces.
  enum class Form { memory, reg, value, implicit };

  bool step(Dwarf_Op& op);
  bool step_number(const Dwarf_Op& op);
  bool step_register(const Dwarf_Op& op);
  bool frame_base(std::int64_t offset);
  bool entry_value(Dwarf_Op& op);
  bool implicit_value(Dwarf_Op& op);
  bool finish_piece(std::uint64_t bytes);
  bool push_register(std::uint64_t number, std::int64_t offset);
  bool fail(std::string why, Location::Kind kind = Location::Kind::computed);
  void reset();

  const Viewpoint& viewpoint_;
  std::uint64_t bytes_;
  Dwarf_Attribute* attribute_;
  bool whole_;
  std::vector<Value> stack_;
  std::uint64_t register_ = 0;  // DWARF number
  Form form_ = Form::memory;
  bool is_slot_ = false;
  std::uint64_t told_ = 0;  // bytes of the pieces so far
  Location found_{.kind = Location::Kind::exact, .pieces = {}, .why = {}};
};

bool Evaluation::fail(std::string why, Location::Kind kind) {
  found_ = {.kind = kind, .pieces = {}, .why = std::move(why)};
  return false;
}

void Evaluation::reset() {
  stack_.clear();
  form_ = Form::memory;
}

bool Evaluation::push_register(std::uint64_t number, std::int64_t offset) {
  const auto base = general_register(number);
  if (!base) return fail("it is computed from " + register_name(number));
  // What holds in all of the function is based on rsp as the prologue leaves it.
  if (viewpoint_.entry && *base == register_sp && (whole_ || offset < 8)) is_slot_ = true;
  stack_.push_back({*base, offset, false});
  return true;
}

// DW_OP_fbreg, from the function's DW_AT_frame_base (DWARF 5, 3.3.5).
bool Evaluation::frame_base(std::int64_t offset) {
  auto base = attribute(viewpoint_.function, DW_AT_frame_base);
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (!base || ::dwarf_getlocation_addr(&*base, raw(viewpoint_.pc), &ops, &count, 1) != 1 || count != 1) {
    // A list does not cover the entry of a function that sets up a frame pointer.
    if (viewpoint_.entry) return fail({}, Location::Kind::slot);
    return fail("the function's frame is not known here");
  }
  const std::uint64_t atom = ops[0].atom;
  if (atom == DW_OP_call_frame_cfa) {
    const CfaRule rule = viewpoint_.entry ? CfaRule{} : viewpoint_.cfa.value_or(CfaRule{});
    if (!viewpoint_.entry && !viewpoint_.cfa) return fail("the function's frame is not known here");
    if (rule.indirect) return fail("the function's frame is kept in memory here");
    if (viewpoint_.entry && offset < 0) is_slot_ = true;
    stack_.push_back({rule.cfa_register, rule.offset + offset, false});
    return true;
  }
  std::uint64_t number = 0;
  std::int64_t at = offset;
  if (atom >= DW_OP_reg0 && atom <= DW_OP_reg31) {
    number = atom - DW_OP_reg0;
  } else if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31) {
    number = atom - DW_OP_breg0;
    at += static_cast<std::int64_t>(ops[0].number);
  } else {
    return fail("the function's frame base is of an unknown form");
  }
  const auto encoding = general_register(number);
  if (!encoding) return fail("the function's frame base is of an unknown form");
  if (viewpoint_.entry) {
    constexpr std::uint8_t frame_pointer = 5;
    // Once set up, rbp stands 16 bytes below the canonical frame address: the arguments on the stack are above.
    if (*encoding != frame_pointer || at < 16) return fail({}, Location::Kind::slot);
    stack_.push_back({register_sp, at - 8, false});
    return true;
  }
  stack_.push_back({*encoding, at, false});
  return true;
}

// DW_OP_entry_value(reg): the register as it was at the call (DWARF 5, 2.5.1.7).
bool Evaluation::entry_value(Dwarf_Op& op) {
  Dwarf_Attribute nested;
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  const bool read = ::dwarf_getlocation_attr(attribute_, &op, &nested) == 0 &&
                    ::dwarf_getlocation(&nested, &ops, &count) == 0 && count == 1;
  if (!read || ops[0].atom < DW_OP_reg0 || ops[0].atom > DW_OP_reg31) {
    return fail("it is computed from values that were there at the call");
  }
  const std::uint64_t number = ops[0].atom - std::uint64_t{DW_OP_reg0};
  if (!viewpoint_.entry) {
    return fail("optimised away here; at the call it was in " + register_name(number), Location::Kind::none);
  }
  const auto encoding = general_register(number);
  if (!encoding) return fail("it is computed from " + register_name(number));
  stack_.push_back({*encoding, 0, false});
  return true;
}

bool Evaluation::implicit_value(Dwarf_Op& op) {
  Dwarf_Block block;
  if (::dwarf_getlocation_implicit_value(attribute_, &op, &block) != 0 || block.length > 16) {
    return fail("its value is a constant of a strange size");
  }
  for (std::uint64_t at = 0; at < block.length; at += 8) {
    std::uint64_t word = 0;
    const std::uint64_t bytes = std::min<std::uint64_t>(8, block.length - at);
    std::memcpy(&word, block.data + at, bytes);
    found_.pieces.push_back({.where = Piece::Where::constant,
                             .offset = static_cast<std::int64_t>(word),
                             .bytes = static_cast<std::uint32_t>(bytes)});
  }
  told_ += block.length;
  form_ = Form::implicit;
  return true;
}

bool Evaluation::step_register(const Dwarf_Op& op) {
  if (op.atom == DW_OP_regx || (op.atom >= DW_OP_reg0 && op.atom <= DW_OP_reg31)) {
    register_ = op.atom == DW_OP_regx ? op.number : op.atom - std::uint64_t{DW_OP_reg0};
    form_ = Form::reg;
    return true;
  }
  if (op.atom == DW_OP_bregx) return push_register(op.number, static_cast<std::int64_t>(op.number2));
  return push_register(op.atom - std::uint64_t{DW_OP_breg0}, static_cast<std::int64_t>(op.number));
}

bool Evaluation::step_number(const Dwarf_Op& op) {
  const auto operand = static_cast<std::int64_t>(op.number);
  if (op.atom >= DW_OP_lit0 && op.atom <= DW_OP_lit31) {
    stack_.push_back({register_none, static_cast<std::int64_t>(op.atom - std::uint64_t{DW_OP_lit0}), false});
    return true;
  }
  if (op.atom == DW_OP_plus_uconst) {
    if (stack_.empty()) return fail("its location is broken");
    stack_.back().offset = static_cast<std::int64_t>(static_cast<std::uint64_t>(stack_.back().offset) + op.number);
    return true;
  }
  if (op.atom == DW_OP_plus || op.atom == DW_OP_minus) {
    if (stack_.size() < 2) return fail("its location is broken");
    const Value right = stack_.back();
    stack_.pop_back();
    Value& left = stack_.back();
    if (right.base != register_none || right.in_file) {
      const bool swaps = op.atom == DW_OP_plus && left.base == register_none && !left.in_file;
      if (!swaps) return fail("it is computed from several values");
      const auto sum = static_cast<std::uint64_t>(left.offset) + static_cast<std::uint64_t>(right.offset);
      left = {right.base, static_cast<std::int64_t>(sum), right.in_file};
      return true;
    }
    const auto a = static_cast<std::uint64_t>(left.offset);
    const auto b = static_cast<std::uint64_t>(right.offset);
    left.offset = static_cast<std::int64_t>(op.atom == DW_OP_plus ? a + b : a - b);
    return true;
  }
  stack_.push_back({register_none, operand, false});
  return true;
}

bool Evaluation::finish_piece(std::uint64_t bytes) {
  if (bytes == 0 || bytes > UINT32_MAX) return fail("its location is broken");
  if (form_ == Form::implicit) {
    reset();
    return true;
  }
  Piece piece{.where = Piece::Where::gone, .bytes = static_cast<std::uint32_t>(bytes)};
  if (form_ == Form::reg) {
    const auto encoding = general_register(register_);
    piece.where = encoding ? Piece::Where::reg : Piece::Where::vector;
    piece.base = encoding.value_or(register_none);
    if (!encoding) piece.offset = static_cast<std::int64_t>(register_);
  } else if (!stack_.empty()) {
    const Value& top = stack_.back();
    const bool plain = top.base == register_none && !top.in_file;
    piece.base = top.base;
    piece.offset = top.offset;
    if (form_ == Form::memory) {
      if (plain) return fail("its location is broken");
      piece.where = Piece::Where::memory;
    } else {
      piece.where = plain ? Piece::Where::constant : Piece::Where::address;
    }
    if (form_ == Form::value && top.base != register_none && top.offset == 0) piece.where = Piece::Where::reg;
  }
  found_.pieces.push_back(piece);
  told_ += bytes;
  reset();
  return true;
}

bool Evaluation::step(Dwarf_Op& op) {
  switch (op.atom) {
    case DW_OP_addr:
      stack_.push_back({register_none, static_cast<std::int64_t>(op.number), true});
      return true;
    case DW_OP_addrx:
    case DW_OP_GNU_addr_index: {
      Dwarf_Attribute nested;
      Dwarf_Addr address = 0;
      if (::dwarf_getlocation_attr(attribute_, &op, &nested) != 0 || ::dwarf_formaddr(&nested, &address) != 0) {
        return fail("its address is not told");
      }
      stack_.push_back({register_none, static_cast<std::int64_t>(address), true});
      return true;
    }
    case DW_OP_fbreg:
      return frame_base(static_cast<std::int64_t>(op.number));
    case DW_OP_call_frame_cfa:
      if (!viewpoint_.entry && (!viewpoint_.cfa || viewpoint_.cfa->indirect)) {
        return fail("the function's frame is not known here");
      }
      stack_.push_back(viewpoint_.entry ? Value{register_sp, 8, false}
                                        : Value{viewpoint_.cfa->cfa_register, viewpoint_.cfa->offset, false});
      return true;
    case DW_OP_entry_value:
    case DW_OP_GNU_entry_value:
      return entry_value(op);
    case DW_OP_implicit_value:
      return implicit_value(op);
    case DW_OP_stack_value:
      form_ = Form::value;
      return true;
    case DW_OP_piece:
      return finish_piece(op.number);
    case DW_OP_nop:
      return true;
    case DW_OP_form_tls_address:
    case DW_OP_GNU_push_tls_address:
      return fail("lives in thread-local storage");
    case DW_OP_implicit_pointer:
    case DW_OP_GNU_implicit_pointer:
      return fail("the pointer was optimised away", Location::Kind::none);
    case DW_OP_GNU_parameter_ref:
      return fail("optimised away: callers pass no more than what the function reads of it", Location::Kind::none);
    case DW_OP_deref:
      if (is_slot_) return fail({}, Location::Kind::slot);
      return fail("its address is kept in memory");
    case DW_OP_const1u:
    case DW_OP_const1s:
    case DW_OP_const2u:
    case DW_OP_const2s:
    case DW_OP_const4u:
    case DW_OP_const4s:
    case DW_OP_const8u:
    case DW_OP_const8s:
    case DW_OP_constu:
    case DW_OP_consts:
    case DW_OP_plus:
    case DW_OP_minus:
    case DW_OP_plus_uconst:
      return step_number(op);
    default:
      if (op.atom >= DW_OP_lit0 && op.atom <= DW_OP_lit31) return step_number(op);
      if (op.atom >= DW_OP_reg0 && op.atom <= DW_OP_breg31) return step_register(op);
      if (op.atom == DW_OP_regx || op.atom == DW_OP_bregx) return step_register(op);
      return fail("it is computed by more than a piece can say");
  }
}

Location Evaluation::run(std::span<Dwarf_Op> ops) {
  if (ops.empty()) return {};
  for (Dwarf_Op& op : ops) {
    if (!step(op)) return found_;
    constexpr std::size_t pieces_max = 64;
    if (found_.pieces.size() > pieces_max || stack_.size() > pieces_max) {
      fail("its location is broken");
      return found_;
    }
  }
  if (found_.pieces.empty() || !stack_.empty() || form_ != Form::memory) {
    const std::uint64_t rest = bytes_ > told_ ? bytes_ - told_ : (bytes_ == 0 ? 8 : bytes_);
    if (!finish_piece(rest)) return found_;
  }
  if (is_slot_) return {.kind = Location::Kind::slot, .pieces = {}, .why = {}};
  const bool all_gone = std::all_of(found_.pieces.begin(), found_.pieces.end(),
                                    [](const Piece& piece) { return piece.where == Piece::Where::gone; });
  if (all_gone) return {};
  if (!viewpoint_.entry) return std::move(found_);
  // A sum or a constant at the call may be what the first statement made of the argument.
  const bool changed = std::any_of(found_.pieces.begin(), found_.pieces.end(), [](const Piece& piece) {
    return (piece.where == Piece::Where::address && piece.base != register_none) ||
           (piece.where == Piece::Where::memory && piece.base != register_none && piece.base != register_sp);
  });
  if (changed) {
    std::string told;
    for (const Piece& piece : found_.pieces) told += (told.empty() ? "" : " and ") + text(piece);
    found_.kind = Location::Kind::computed;
    found_.why = "what it was at the call is not told; the function begins with it as " + told;
  }
  return std::move(found_);
}

// "optimised away here; it lives in %rax from 0x1189 to 0x11a0".
std::string elsewhere(Dwarf_Die variable, const Viewpoint& viewpoint, std::uint64_t bytes) {
  constexpr int told_max = 3;
  std::string said;
  auto place = attribute(variable, DW_AT_location);
  if (!place) return "optimised away";
  Dwarf_Addr base = 0;
  Dwarf_Addr low = 0;
  Dwarf_Addr high = 0;
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  std::ptrdiff_t at = 0;
  int told = 0;
  while (told < told_max && (at = ::dwarf_getlocations(&*place, at, &base, &low, &high, &ops, &count)) > 0) {
    if (low >= high) continue;
    Viewpoint there = viewpoint;
    there.entry = false;
    there.pc = LinkAddress{low};
    const Location location = Evaluation(there, bytes, &*place, false).run({ops, count});
    if (location.kind != Location::Kind::exact) continue;
    std::string where;
    for (const Piece& piece : location.pieces) where += (where.empty() ? "" : " and ") + text(piece);
    said += (told++ == 0 ? "; it lives in " : ", in ") + where + " from " + hex(low) + " to " + hex(high);
  }
  return "optimised away here" + said;
}

// Go's globals: a block of DW_OP_addr in DWARF 4, which dwarf_getlocations() refuses (elfutils 0.192).
std::optional<Dwarf_Op> address_block(Dwarf_Attribute place) {
  Dwarf_Block block;
  if (::dwarf_whatform(&place) != DW_FORM_block1 || ::dwarf_formblock(&place, &block) != 0) return std::nullopt;
  if (block.length != 1 + sizeof(std::uint64_t) || block.data[0] != DW_OP_addr) return std::nullopt;
  Dwarf_Op op{.atom = DW_OP_addr, .number = 0, .number2 = 0, .offset = 0};
  std::memcpy(&op.number, block.data + 1, sizeof op.number);
  return op;
}

}  // namespace

std::string text(const Piece& piece) {
  const auto offset = [&] {
    if (piece.offset == 0) return std::string();
    return (piece.offset < 0 ? "-" : "+") + std::to_string(piece.offset < 0 ? -piece.offset : piece.offset);
  };
  switch (piece.where) {
    case Piece::Where::gone:
      return "nothing";
    case Piece::Where::reg:
      return general_register_name(piece.base);
    case Piece::Where::memory:
      if (piece.base == register_none) return "memory at " + hex(static_cast<std::uint64_t>(piece.offset));
      return "memory at " + general_register_name(piece.base) + offset();
    case Piece::Where::address:
      if (piece.base == register_none) return "the address " + hex(static_cast<std::uint64_t>(piece.offset));
      return general_register_name(piece.base) + offset();
    case Piece::Where::constant:
      return "the constant " + std::to_string(piece.offset);
    case Piece::Where::vector:
      return register_name(static_cast<std::uint64_t>(piece.offset));
  }
  return "nothing";
}

std::optional<std::vector<Piece>> constant_pieces(Dwarf_Die variable, std::uint64_t bytes) {
  auto value = attribute(variable, DW_AT_const_value);
  if (!value || bytes == 0 || bytes > 16) return std::nullopt;
  Dwarf_Block block;
  const auto piece = [](std::uint64_t word, std::uint64_t size) {
    return Piece{.where = Piece::Where::constant,
                 .offset = static_cast<std::int64_t>(word),
                 .bytes = static_cast<std::uint32_t>(size)};
  };
  if (::dwarf_formblock(&*value, &block) == 0) {
    if (block.length < bytes) return std::nullopt;
    std::vector<Piece> pieces;
    for (std::uint64_t at = 0; at < bytes; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, block.data + at, std::min<std::uint64_t>(8, bytes - at));
      pieces.push_back(piece(word, std::min<std::uint64_t>(8, bytes - at)));
    }
    return pieces;
  }
  Dwarf_Word number = 0;  // signed ones are told in a signed form, which libdw extends
  if (bytes > 8 || ::dwarf_formudata(&*value, &number) != 0) return std::nullopt;
  return std::vector{piece(number, bytes)};
}

Location locate(Dwarf_Die variable, const Viewpoint& viewpoint, std::uint64_t bytes) {
  if (auto constant = constant_pieces(variable, bytes)) {
    return {.kind = Location::Kind::exact, .pieces = std::move(*constant), .why = {}, .whole_function = true};
  }
  auto place = attribute(variable, DW_AT_location);
  if (!place) return {.kind = Location::Kind::none, .pieces = {}, .why = "optimised away"};
  Dwarf_Addr base = 0;
  Dwarf_Addr low = 0;
  Dwarf_Addr high = 0;
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  std::ptrdiff_t at = 0;
  if (auto address = address_block(*place)) return Evaluation(viewpoint, bytes, &*place, true).run({&*address, 1});
  // An entry that begins at the function's first byte and covers nothing is how the compiler tells a value that its
  // first statement changes (GCC's location views); it comes before the one that covers the byte.
  constexpr int entries_max = 100'000;
  for (int entry = 0; entry < entries_max; ++entry) {
    at = ::dwarf_getlocations(&*place, at, &base, &low, &high, &ops, &count);
    if (at <= 0) break;
    const bool everywhere = low == 0 && high == UINT64_MAX;
    const std::uint64_t pc = raw(viewpoint.pc);
    const bool holds = everywhere || (pc >= low && pc < high) || (viewpoint.entry && low == pc && high == pc);
    if (!holds) continue;
    Location found = Evaluation(viewpoint, bytes, &*place, everywhere).run({ops, count});
    found.whole_function = everywhere;
    if (found.kind == Location::Kind::none && found.why.empty()) found.why = elsewhere(variable, viewpoint, bytes);
    return found;
  }
  return {.kind = Location::Kind::none, .pieces = {}, .why = elsewhere(variable, viewpoint, bytes)};
}

}  // namespace diagnose::target
