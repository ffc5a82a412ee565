// The one request/answer interface behind which all reading of a target's files stands.  Plain data only (no pointers,
// no descriptors but `FileRequest::fd`), so that the reader can run in a sandboxed child without its callers knowing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace diagnose::target {

// How the kernel executes the instruction under a breakpoint (kernel: arch/x86/kernel/uprobes.c, `*_xol_ops`).
enum class Cost { optimised, emulated, stepped };
[[nodiscard]] const char* text(Cost cost);

enum class SiteKind { entry, exit, tail };
[[nodiscard]] const char* text(SiteKind kind);

// x86-64 register encodings (0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8..15), 16 is rip.
inline constexpr std::uint8_t register_none = 0xff;
inline constexpr std::uint8_t register_sp = 4;
inline constexpr std::uint8_t register_ip = 16;

// A jump that may leave the function; how the kernel side can tell whether it does.
struct Tail {
  enum class Kind { always, conditional, by_register, by_memory } kind = Kind::always;
  std::uint8_t condition = 0;  // x86 condition code, for `conditional`
  std::uint8_t base = register_none;
  std::uint8_t index = register_none;
  std::uint8_t scale = 1;
  std::int64_t displacement = 0;
};

// One address to probe.
struct Site {
  SiteKind kind = SiteKind::entry;
  LinkAddress address{};
  FileOffset offset{};
  std::string instruction;          // AT&T syntax: "push %rbp"
  std::uint8_t length = 0;          // of the instruction, bytes
  std::vector<std::uint8_t> bytes;  // of the instruction, as the file has them
  Cost cost = Cost::stepped;
  Tail tail;  // for SiteKind::tail
  // Canonical frame address here: register + offset (DWARF 5, 6.4.1).
  std::uint8_t cfa_register = register_sp;
  std::int64_t cfa_offset = 8;
};

struct Range {
  LinkAddress low{};   // first byte
  LinkAddress high{};  // first byte behind
};

// One function at one address, under all its names.
struct Function {
  std::string symbol;              // as `nm` prints it
  std::string name;                // demangled, with parameters; the symbol itself for C
  std::vector<std::string> names;  // other symbols at the same address
  Range body;
  std::vector<Range> cold;  // its `.cold` parts
  std::vector<Site> sites;  // the entry first, then exits and tails by address
  std::string exits_error;  // why exits cannot be had ("undecodable byte at +12"); empty if they are complete
};

struct FileRequest {
  int fd = -1;                    // open for reading; borrowed for the call
  std::string name;               // for messages
  std::string function;           // the pattern of the spec: symbol, demangled name, glob, `re:...`
  std::string build_id;           // lower-case hex; empty: any
  bool exits = false;             // find exits and tails too
  std::size_t functions_max = 0;  // 0: limits::sites_per_probe
};

struct FileAnswer {
  std::string build_id;              // lower-case hex; empty if the file has none
  bool stripped = false;             // no .symtab
  std::vector<Function> functions;   // by address; empty if nothing matches
  std::vector<std::string> nearest;  // the nearest names, if nothing matches; at most 3
  std::vector<std::string> refused;  // matches that cannot be probed, with the reason: "f: an ifunc resolver"
};

class FileReader {
 public:
  virtual ~FileReader() = default;
  // Fails for a file that is not a little-endian x86-64 ELF executable or library, is truncated or lies about itself,
  // or has another build id.  Bounded by base/limits.h.
  [[nodiscard]] virtual Result<FileAnswer> read(const FileRequest& request) = 0;
};

}  // namespace diagnose::target
