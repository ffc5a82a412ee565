// Debug information by hand: types, and one function whose variables and result are where a test puts them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "compile/evaluation.h"
#include "target/debug_info.h"

namespace diagnose::compile {

using target::DebugInfo;
using target::DebugType;
using target::Piece;
using target::TypeId;
using Kind = DebugType::Kind;

// x86 encodings.
inline constexpr std::uint8_t rax = 0, rcx = 1, rdx = 2, rbx = 3, rsp = 4, rsi = 6, rdi = 7;

inline Piece in_register(std::uint8_t base, std::uint32_t bytes = 8) {
  return {.where = Piece::Where::reg, .base = base, .bytes = bytes};
}
inline Piece in_memory(std::uint8_t base, std::int64_t offset, std::uint32_t bytes = 8) {
  return {.where = Piece::Where::memory, .base = base, .offset = offset, .bytes = bytes};
}

class Described {
 public:
  Described() {
    info.present = true;
    info.types.emplace_back();
    info.types[0].name = "void";
    info.places.emplace_back();
    info.places[0].function = "handle";
    int_ = number("int", 4, true);
    char_ = number("char", 1, true);
    info.types[char_].is_character = true;
    long_ = number("long", 8, true);
    u8_ = number("unsigned char", 1, false);
    u16_ = number("unsigned short", 2, false);
    u32_ = number("unsigned int", 4, false);
    u64_ = number("unsigned long", 8, false);
    bool_ = add(made(Kind::boolean, "bool", 1));
    double_ = add(made(Kind::floating, "double", 8));
    float_ = add(made(Kind::floating, "float", 4));
  }

  static DebugType made(Kind kind, const std::string& name, std::uint64_t bytes, TypeId target = target::no_type) {
    DebugType type;
    type.kind = kind;
    type.name = name;
    type.bytes = bytes;
    type.target = target;
    return type;
  }
  TypeId add(DebugType type) {
    info.types.push_back(std::move(type));
    return static_cast<TypeId>(info.types.size() - 1);
  }
  TypeId number(const std::string& name, std::uint64_t bytes, bool is_signed) {
    DebugType type = made(Kind::integer, name, bytes);
    type.is_signed = is_signed;
    return add(std::move(type));
  }
  TypeId pointer(TypeId target, Kind kind = Kind::pointer) { return add(made(kind, "", 8, target)); }
  TypeId array(TypeId target, std::uint64_t count) {
    DebugType type = made(Kind::array, "", count * info.types[target].bytes, target);
    type.count = count;
    return add(std::move(type));
  }
  TypeId record(const std::string& name, std::uint64_t bytes, std::vector<DebugType::Member> members) {
    DebugType type = made(Kind::record, name, bytes);
    type.members = std::move(members);
    return add(std::move(type));
  }
  TypeId enumeration(const std::string& name, std::uint64_t bytes, bool is_signed,
                     std::vector<DebugType::Enumerator> enumerators) {
    DebugType type = made(Kind::enumeration, name, bytes);
    type.is_signed = is_signed;
    type.enumerators = std::move(enumerators);
    return add(std::move(type));
  }

  void variable(const std::string& name, TypeId type, std::vector<Piece> pieces, const std::string& why = "") {
    info.places[0].variables.push_back({.name = name, .type = type, .pieces = std::move(pieces), .why = why});
  }
  void result(TypeId type, std::vector<Piece> pieces, const std::string& why = "") {
    info.places[0].result = type;
    info.places[0].result_pieces = std::move(pieces);
    info.places[0].result_why = why;
  }

  [[nodiscard]] Subject subject() const {
    return {.abi = abi, .debug = &info, .place = 0, .site = site, .others = others};
  }

  DebugInfo info;
  Abi abi = Abi::system_v;
  std::optional<LinkAddress> site;
  std::vector<OtherGlobal> others;
  TypeId int_, char_, long_, u8_, u16_, u32_, u64_, bool_, double_, float_;
};

}  // namespace diagnose::compile
