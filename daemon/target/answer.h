// The one request/answer interface behind which all reading of a target's files stands.  Plain data only (no pointers,
// no descriptors but `FileRequest::fd`), so that the reader can run in a sandboxed child without its callers knowing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace diagnose::target {

// How the kernel executes the instruction under a breakpoint (kernel: arch/x86/kernel/uprobes.c, `*_xol_ops`).
enum class Cost { optimised, emulated, stepped };
[[nodiscard]] const char* text(Cost cost);

enum class SiteKind { entry, exit, tail, caller, catch_, inlined, line, usdt, address };
[[nodiscard]] const char* text(SiteKind kind);
// A way out of a function; any other kind counts a call, or a passing.
[[nodiscard]] constexpr bool is_exit(SiteKind kind) {
  return kind == SiteKind::exit || kind == SiteKind::tail;
}

// x86-64 register encodings (0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8..15), 16 is rip.
inline constexpr std::uint8_t register_none = 0xff;
inline constexpr std::uint8_t register_result = 0;  // rax (System V ABI 3.2.3)
inline constexpr std::uint8_t register_sp = 4;
inline constexpr std::uint8_t register_ip = 16;
inline constexpr std::uint16_t every_register = 0xffff;  // bit = encoding

// A jump that may leave the function; how the kernel side can tell whether it does.
struct Tail {
  enum class Kind { always, conditional, by_register, by_memory } kind = Kind::always;
  std::uint8_t condition = 0;  // x86 condition code, for `conditional`
  std::uint8_t base = register_none;
  std::uint8_t index = register_none;
  std::uint8_t scale = 1;
  std::int64_t displacement = 0;
};

// A place in a runtime that leaves frames without a return, and how the kernel side finds which.
enum class UnwindKind {
  set_ip,       // libgcc's _Unwind_SetIP(context, ..): the landing pad's rsp is context->cfa
  begin_catch,  // __cxa_begin_catch: called by the catching function, so its own CFA is the limit
  longjmp,      // glibc: longjmp(buffer, ..): rsp is buffer[6], mangled with the thread's pointer guard
  thread_exit,  // pthread_exit: every frame of the thread
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
  // Canonical frame address here: register + offset, or what memory holds there (DWARF 5, 6.4.1).  Of a caller site:
  // that of the call which returned.
  std::uint8_t cfa_register = register_sp;
  std::int64_t cfa_offset = 8;
  bool cfa_indirect = false;
  // x86 condition code: the site counts only if it does not hold, as a `jcc` here then falls through.
  std::optional<std::uint8_t> unless;
  // Of exits and callers: where the result of the function is at this place; register_none: overwritten.
  std::uint8_t result_register = register_result;
  LinkAddress return_address{};                 // of SiteKind::caller: the instruction behind the call
  UnwindKind unwind = UnwindKind::begin_catch;  // of SiteKind::catch_
  // Of SiteKind::usdt: the marker's semaphore, which the kernel counts up while a breakpoint stands; 0: it has none.
  FileOffset semaphore{};
};

struct Range {
  LinkAddress low{};   // first byte
  LinkAddress high{};  // first byte behind
};

// One function at one address, under all its names; or one place within a function, which then has that site only.
struct Function {
  std::string symbol;              // as `nm` prints it
  std::string name;                // demangled, with parameters; the symbol itself for C
  std::vector<std::string> names;  // other symbols at the same address
  Range body;
  std::vector<Range> cold;  // its `.cold` parts
  std::vector<Site> sites;  // the entry first, then exits and tails by address
  std::string exits_error;  // why exits cannot be had ("undecodable byte at +12"); empty if they are complete
  // Known if exits were asked for.
  bool leaf = false;                  // no call, no jump out of it but through its returns
  bool reads_return_address = false;  // or may: a trampoline's would be seen
  bool go = false;                    // compiled by Go: its own calling convention, stacks that move
};

// Where what belongs to a file may be looked for, for the daemon's side (debug_search.h).
struct Surroundings {
  std::string root;    // where the target's paths begin ("/proc/17/root"); empty: our own root
  bool fetch = false;  // debuginfod's servers may be asked for it
};

// Files that hold the split debug information of a file (DWARF 5, 7.3.2), open for reading, borrowed.
struct SplitFiles {
  std::vector<int> fds = {};
  std::vector<std::string> names = {};  // the paths by which the reader's library asks for them, in the same order
};

// What a file says of itself and of the files that belong to it.
struct Identity {
  std::string build_id;       // lower-case hex; empty if it has none
  std::string debuglink;      // the name of its debug file; empty if it names none
  bool dwarf = false;         // it has debug information, be it only where to find it
  bool symbols = false;       // .symtab
  struct Unit {               // whose debug information is in a file of its own
    std::string directory;    // where it was compiled
    std::string file;         // the file's path, from there
    std::vector<Range> code;  // that it is about
  };
  std::vector<Unit> split;
};

// Which places of a file are asked for.
enum class PlaceBy {
  function,  // `function`: the pattern of the spec: symbol, demangled name, glob, `re:...`
  address,   // `address`: one instruction
  line,      // `function` is the source file ("cart.cc", "src/cart.cc"), `line` the line: every statement of it
  usdt,      // `function` is "provider:name"
};

struct FileRequest {
  int fd = -1;       // open for reading; borrowed for the call
  std::string name;  // for messages
  PlaceBy by = PlaceBy::function;
  std::string function;
  LinkAddress address{};
  std::uint32_t line = 0;
  bool inlined = false;      // inlined copies of the functions too, as functions of one site (SiteKind::inlined)
  Surroundings around = {};  // and the files found so, as in DescribeRequest
  std::vector<int> debug_fds = {};
  SplitFiles split = {};
  std::string build_id;  // lower-case hex; empty: any
  bool exits = false;    // find exits and tails too
  // Registers (bit = x86 encoding) that must still be as they were at the call where the entry site is put; rsp among
  // them: it has not moved.
  std::uint16_t entry_registers = every_register;
  bool entry_unmoved = false;  // rsp must still be as at the call (a trampoline)
  bool entry_memory = true;    // memory must still be as at the call
  bool exit_memory = true;     // memory must be as the function leaves it
  bool nop5_in_body = false;   // a 5-byte nop behind the entry may be probed: the kernel spares the red zone (hazard 7)
  std::size_t functions_max = 0;  // 0: limits::sites_per_probe
};

struct FileAnswer {
  std::string build_id;              // lower-case hex; empty if the file has none
  bool stripped = false;             // no .symtab
  std::vector<Function> functions;   // by address; empty if nothing matches
  std::vector<std::string> nearest;  // the nearest names, if nothing matches; at most 3
  std::vector<std::string> refused;  // matches that cannot be probed, with the reason: "f: an ifunc resolver"
  std::string absent;                // why nothing can match at all: "it has no debug information"
};

// Where a file calls functions, its own or those of other modules.
struct CallersRequest {
  struct Callee {
    std::uint32_t function = 0;          // the caller's own number for it
    std::optional<LinkAddress> address;  // the function's first byte, if it stands in this very file
    std::vector<std::string> symbols;    // its exported names: calls through the PLT or the GOT
  };
  int fd = -1;
  std::string name;
  std::vector<Callee> callees;
  bool needs_result = false;    // the site must know where the result is
  bool needs_memory = true;     // memory must be as the function has left it
  std::size_t callers_max = 0;  // 0: limits::callers_per_probe
};

struct Caller {
  std::uint32_t function = 0;
  Site site;       // SiteKind::caller
  std::string in;  // the symbol that calls; empty if none is known
};

struct CallersAnswer {
  std::string build_id;
  std::vector<Caller> callers;  // by return address
  // Calls behind which no breakpoint can stand, with the reason.
  struct Without {
    std::uint32_t function = 0;
    LinkAddress return_address{};
    std::string why;
  };
  std::vector<Without> without;
  bool too_many = false;  // more than callers_max: the list is not complete
};

// Sites behind calls whose return addresses are known (learnt from the kernel).
struct ReturnSitesRequest {
  int fd = -1;
  std::string name;
  std::vector<FileOffset> return_offsets;  // where they are in the file; true instruction boundaries: code ran there
  bool needs_result = false;
  bool needs_memory = true;
};
struct ReturnSite {  // one for each offset, in the same order
  LinkAddress return_address{};
  std::optional<Site> site;
  std::string in;   // the symbol that calls
  std::string why;  // if there is no site
};

// What a module's code may do with the stack.
struct Traits {
  std::string build_id;
  bool go = false;
  // Why a return address on the stack must not be replaced while this module is in the process ("imports __cxa_throw",
  // "swapcontext is called", "rsp is loaded from memory at 0x12f0").  Both empty: proved that it may.
  std::vector<std::string> unwinds;
  std::vector<std::string> switches_stacks;
  // By name: it runs code on stacks that are not the thread's, so that calls cannot be kept in the order of one stack.
  // A signal stack alone is none of these.
  bool takes_other_stacks = false;
  bool jumps = false;         // imports or, where it is no C library, defines longjmp
  std::vector<Site> catches;  // SiteKind::catch_: places of the runtime in this module where frames are left
};

// What could be probed.
struct ListRequest {
  int fd = -1;
  std::string name;
  std::string pattern;  // as `function` of a spec; empty: everything
  bool sources = true;  // where they are declared and how often they were inlined, from debug information: takes longer
  Surroundings around = {};
  std::vector<int> debug_fds = {};
  SplitFiles split = {};
  std::size_t functions_max = 0;  // 0: limits::sites_per_probe
};
struct Listed {
  std::string symbol;
  std::string name;  // demangled, with parameters
  LinkAddress address{};
  std::uint64_t size = 0;  // bytes
  std::string file;        // of its declaration; empty without debug information
  std::uint32_t line = 0;
  std::uint32_t inlined = 0;  // copies
};
struct ListAnswer {
  std::string build_id;
  std::vector<Listed> functions;  // by name
  bool cut = false;               // there are more
};

// Which functions stand at places of a file.
struct SymbolizeRequest {
  int fd = -1;
  std::string name;
  std::vector<FileOffset> offsets;  // of code; at most limits::symbolized_places
  Surroundings around = {};
  std::vector<int> debug_fds = {};
};
struct Symbolized {        // one for each offset, in the same order
  std::string function;    // demangled, without parameters; empty: no symbol covers the place
  std::uint64_t into = 0;  // bytes from the function's first
  std::uint64_t size = 0;  // bytes of the function
};

struct DebugInfo;  // debug_info.h
struct DescribeRequest;

class FileReader {
 public:
  virtual ~FileReader() = default;
  [[nodiscard]] virtual Result<Identity> identify(int fd, const std::string& name) = 0;
  // Debug information of places.  A file without any is no failure: DebugInfo::present is false.
  [[nodiscard]] virtual Result<DebugInfo> describe(const DescribeRequest& request) = 0;
  [[nodiscard]] virtual Result<ListAnswer> list(const ListRequest& request) = 0;
  [[nodiscard]] virtual Result<std::vector<Symbolized>> symbolize(const SymbolizeRequest& request) = 0;
  // Each of these reads one ELF file and fails like read().
  [[nodiscard]] virtual Result<CallersAnswer> callers(const CallersRequest& request) = 0;
  [[nodiscard]] virtual Result<std::vector<ReturnSite>> return_sites(const ReturnSitesRequest& request) = 0;
  [[nodiscard]] virtual Result<Traits> traits(int fd, const std::string& name) = 0;
  // Fails for a file that is not a little-endian x86-64 ELF executable or library, is truncated or lies about itself,
  // or has another build id.  Bounded by base/limits.h.
  [[nodiscard]] virtual Result<FileAnswer> read(const FileRequest& request) = 0;
};

}  // namespace diagnose::target
