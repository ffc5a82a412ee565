// What debug information says of a place in the code: the variables that live there, where they are, and their types.
// Plain data, as it crosses from the sandboxed reader.  DWARF 5 (dwarfstd.org) section numbers in brackets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"
#include "target/answer.h"

namespace diagnose::target {

// Index in DebugInfo::types.  Types refer to each other, in circles too.
using TypeId = std::uint32_t;
inline constexpr TypeId no_type = 0;  // void, or what the reader does not know

struct DebugType {
  enum class Kind {
    nothing,  // void, a function, anything without a value
    integer,  // characters too (`is_character`)
    boolean,
    floating,
    pointer,      // `target`; Rust's Box and &T, Go's *T
    reference,    // C++ & and &&: 8 bytes in memory, reads through
    array,        // `count` elements of `target`, in place; count 0: not known
    record,       // struct, class, union
    enumeration,  // integer with `enumerators`
    // Library types, told by their name and made plain by the reader, whatever the library's internals:
    text,      // std::string, string_view, &str, String, Go string: see `layout`
    sequence,  // std::vector, span, slice, Vec: elements of `target`; see `layout`
    smart,     // unique_ptr, shared_ptr: a pointer to `target` at layout.data_offset
    optional,  // std::optional, Option: see `layout`
  };
  // Offsets in bytes from the start of an object of this type.
  struct Layout {
    std::uint32_t data_offset = 0;  // the address of the first element; of an optional: the value itself
    std::uint32_t size_offset = 0;  // number of elements, 8 bytes; or their end's address; of an optional: the flag
    bool size_is_end = false;       // the end's address stands at size_offset
    // libc++'s std::string: if bit `short_mask` of byte `short_at` says so the text is in the object itself, its
    // length in the byte at short_at shifted right by short_shift.
    bool has_short = false;
    bool short_if_clear = false;  // the text is short if (byte & short_mask) == 0, else if != 0
    std::uint8_t short_mask = 0;
    std::uint8_t short_shift = 0;
    std::uint32_t short_at = 0;
    std::uint32_t short_data_offset = 0;
    // Optional: the flag's bytes (1, 2, 4, 8), and the value that means none.  A pointer without a flag: 8 bytes, 0.
    std::uint8_t flag_bytes = 1;
    std::uint64_t none = 0;
  };
  struct Member {
    std::string name;  // empty: an anonymous struct or union, whose members are the record's own
    TypeId type = no_type;
    std::uint64_t offset = 0;  // bytes
    // Of a bit-field: `bits` > 0, and its lowest bit counted from the lowest of the byte at `offset` (DWARF 5, 5.7.6).
    std::uint8_t bits = 0;
    std::uint16_t bit_offset = 0;
    bool is_base = false;     // a base class: its members are the record's own, after those
    bool is_virtual = false;  // a virtual base: its offset is not known
  };
  struct Enumerator {
    std::string name;
    std::int64_t value = 0;
  };

  Kind kind = Kind::nothing;
  std::string name;  // as the source says: "unsigned int", "struct request", "shop::Cart", "std::string"; typedefs kept
  std::uint64_t bytes = 0;
  bool is_signed = false;
  bool is_character = false;  // char, signed char, unsigned char, char8_t: a pointer to it is a text
  bool is_interface = false;  // Go's, a record of two words: null if the first is 0
  TypeId target = no_type;
  std::uint64_t count = 0;
  Layout layout;
  std::vector<Member> members;
  std::vector<Enumerator> enumerators;
  bool expanded = true;  // false: the members are left out, as no name of the request asks for them
};

// A part of a value, from its lowest byte on.
struct Piece {
  enum class Where {
    gone,      // optimised away here
    reg,       // the low `bytes` of register `base`
    memory,    // at base + index * scale + offset; base register_none: at the link address `offset` itself
    address,   // the value is that very address (DW_OP_stack_value, and the address of a global)
    constant,  // `offset`
    vector,    // an xmm register: a uprobe cannot read it
  };
  Where where = Where::gone;
  std::uint8_t base = register_none;  // x86 encoding, see answer.h
  std::uint8_t index = register_none;
  std::uint8_t scale = 1;
  std::int64_t offset = 0;
  std::uint32_t bytes = 0;
};

struct Variable {
  std::string name;  // "size", "this"; of a USDT argument "arg0"
  TypeId type = no_type;
  bool is_parameter = true;
  bool is_artificial = false;  // `this`
  // In registers as they are at the place asked for.  More than one piece: a struct taken apart.
  std::vector<Piece> pieces;
  // If it cannot be had there: the reason, and where it does live ("optimised away here; it lives in %rax from 0x1189
  // to 0x11a0").  Empty otherwise.
  std::string why;
};

// One place that was asked about.
struct Described {
  LinkAddress at{};
  std::string function;  // demangled, with its namespace; empty if no debug information covers the place
  LinkAddress low{};     // the function's entry
  std::string file;      // where the function is declared; empty if not told
  std::uint32_t line = 0;
  bool at_entry = true;             // `variables` hold at the call itself
  std::vector<Variable> variables;  // parameters in their order, `this` first; at other places locals too, inner first
  TypeId result = no_type;          // no_type: void
  // Where the result is at a `ret` (System V ABI 3.2.3; Go's ABIInternal).  Returned in memory: one piece of `memory`
  // based on rax.  Empty: void, or `result_why` says why not ("returned in %xmm0").
  std::vector<Piece> result_pieces;
  std::string result_why;
  std::uint32_t inlined = 0;  // copies of the function that were inlined elsewhere in this file, where that is known
};

struct Global {
  std::string name;  // as asked for
  TypeId type = no_type;
  LinkAddress address{};
  std::string why;          // if it cannot be had: "none of that name", "lives in thread-local storage"
  std::string symbol = {};  // what other files know it by; empty: by nothing
};

// Data that the file has under a name that other files may mean as well: the executable's is everybody's, and a
// library's variable is often there (R_X86_64_COPY).
struct SharedObject {
  std::string symbol;  // as asked for
  LinkAddress address{};
};

struct NamedType {
  std::string name;       // as asked for: "struct request", "request", "Color"
  TypeId type = no_type;  // no_type: there is none of that name
};

// An enumerator, or a constant: `Color::red`, `RED`.
struct NamedConstant {
  std::string name;       // as asked for
  TypeId type = no_type;  // no_type: there is none of that name
  std::int64_t value = 0;
};

struct DebugInfo {
  bool present = false;           // the file, or its debug file, has DWARF
  std::string source;             // where it was found: "", or "/usr/lib/debug/.build-id/1f/..debug"
  std::string missing;            // if absent: what was looked for in vain, for the mend of an error
  std::string build_id;           // of the file, lower-case hex; for find_debug_files()
  std::string debuglink;          // the name of its debug file, as it says itself; likewise
  LinkAddress code{};             // the first byte of the file's first executable segment,
  FileOffset code_offset{};       // and where that is in the file: which says where a process has put the file
  std::vector<DebugType> types;   // [0] is no_type
  std::vector<Described> places;  // as asked, in the same order
  std::vector<Global> globals;
  std::vector<SharedObject> objects;  // of those asked for that there are
  std::vector<NamedType> named_types;
  std::vector<NamedConstant> constants;
};

struct DescribeRequest {
  struct Place {
    LinkAddress at{};
    bool entry = true;    // `at` is a function's first byte, and values are wanted as they are at the call
    bool marker = false;  // `at` is a USDT marker, whose arguments are wanted as parameters arg0, arg1, ..
  };
  int fd = -1;       // open for reading; borrowed for the call
  std::string name;  // for messages
  // Files that may hold the debug information, open for reading, borrowed: found by the caller (debug_files.h), as the
  // reader may open nothing.  The first that has the build id and DWARF is used, after the file itself.
  std::vector<int> debug_fds = {};
  std::vector<std::string> debug_names = {};  // their paths, for DebugInfo::source
  Surroundings around = {};
  SplitFiles split = {};
  std::vector<Place> places = {};
  // Every identifier that the expressions mention.  The types of variables, results and globals, and what those point
  // to, are expanded; beyond, only members of these names are: others are listed by name and offset, their types not
  // expanded (DebugType::expanded).
  std::vector<std::string> members = {};
  std::vector<std::string> globals = {};    // "name", "ns::name"
  std::vector<std::string> objects = {};    // symbols of data
  std::vector<std::string> types = {};      // of casts and sizeof: "struct request", "ns::Type"
  std::vector<std::string> constants = {};  // "RED", "Color::red": enumerators
};

}  // namespace diagnose::target
