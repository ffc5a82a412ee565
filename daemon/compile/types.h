// The types that expressions meet: those of debug information, and C's own, under one numbering.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "compile/evaluation.h"
#include "target/debug_info.h"

namespace diagnose::compile {

using target::DebugType;
using target::no_type;
using target::TypeId;

// Types of debug information keep their numbers, those made here follow.  Numbers that mean nothing are `void`: what
// the reader says is not trusted.  One thread; borrows the debug information.
class Types {
 public:
  explicit Types(const target::DebugInfo* debug = nullptr);

  [[nodiscard]] const DebugType& operator[](TypeId id) const;

  [[nodiscard]] TypeId of(const Type& number);  // C's own: integers, bool; of kind `nothing` void
  [[nodiscard]] TypeId floating(std::uint8_t bytes);
  [[nodiscard]] TypeId pointer_to(TypeId target);

  // In a register.  TypeKind::object: it does not go into one; `nothing`: void.
  [[nodiscard]] Type value(TypeId id) const;
  [[nodiscard]] bool is_pointer(TypeId id) const { return (*this)[id].kind == DebugType::Kind::pointer; }
  [[nodiscard]] std::uint64_t bytes(TypeId id) const;  // of an array, all of it; 0: not known
  [[nodiscard]] std::uint64_t step(TypeId id) const;   // from one element to the next; at least 1
  [[nodiscard]] std::string name(TypeId id) const;     // as the source says, for messages

 private:
  TypeId add(DebugType type);

  const target::DebugInfo* debug_;
  std::size_t first_own_;
  std::deque<DebugType> own_;
  DebugType nothing_;
};

}  // namespace diagnose::compile
