#include "target/traits.h"

#include <algorithm>
#include <array>
#include <elf.h>
#include <string_view>
#include <unordered_set>

#include "target/code.h"
#include "target/effects.h"
#include "target/elf_image.h"
#include "target/imports.h"
#include "target/stack_writes.h"

namespace diagnose::target {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t reasons_max = 8;   // of each kind: one is enough to refuse, some help to understand
constexpr std::size_t switches_max = 4;  // places in the code

// glibc and musl: they define what others call, and come back from all of it themselves.
constexpr auto c_libraries = std::to_array<std::string_view>(
    {"libc.so.6", "ld-linux-x86-64.so.2", "libpthread.so.0", "libm.so.6", "libmvec.so.1", "libdl.so.2", "librt.so.1",
     "libutil.so.1", "libanl.so.1", "libresolv.so.2", "linux-vdso.so.1", "libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1",
     "libc.so"});

constexpr auto unwinders = std::to_array<std::string_view>(
    {"_Unwind_RaiseException", "_Unwind_Resume", "_Unwind_Resume_or_Rethrow", "_Unwind_ForcedUnwind",
     "_Unwind_Backtrace", "__cxa_throw", "__cxa_rethrow", "__gxx_personality_v0", "__gcc_personality_v0", "backtrace",
     "pthread_exit", "pthread_cancel", "rust_eh_personality", "rust_begin_unwind"});
constexpr auto unwinder_prefixes = std::to_array<std::string_view>({"unw_", "__unw_"});
// Unwinders of their own find the tables by these; where the symbols are gone it is all that shows of them.
constexpr auto table_finders = std::to_array<std::string_view>({"dl_iterate_phdr", "_dl_find_object"});

constexpr auto stack_switchers = std::to_array<std::string_view>(
    {"makecontext", "swapcontext", "setcontext", "sigaltstack", "jump_fcontext", "make_fcontext", "ontop_fcontext",
     "swapctx", "coro_transfer", "co_switch", "co_swap", "__morestack", "__splitstack_setcontext", "ASYNC_start_job"});

// OpenSSL runs jobs on stacks of their own only for those who start them.
bool switches_for_others(std::string_view soname) {
  return soname.starts_with("libcrypto.so") || soname.starts_with("libssl.so");
}

constexpr auto longjmps = std::to_array<std::string_view>(
    {"longjmp", "_longjmp", "siglongjmp", "__libc_longjmp", "__libc_siglongjmp", "__longjmp_chk"});

template <std::size_t size>
bool is_one_of(std::string_view name, const std::array<std::string_view, size>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_unwinder(std::string_view name) {
  return is_one_of(name, unwinders) || std::any_of(unwinder_prefixes.begin(), unwinder_prefixes.end(),
                                                   [&](std::string_view prefix) { return name.starts_with(prefix); });
}

class Reading {
 public:
  Reading(const ElfImage& image, const Imports& imports, Decoder& decoder)
      : image_(image), imports_(imports), decoder_(decoder) {}
  Result<Traits> run();

 private:
  void find_go();
  void find_unwinders();
  [[nodiscard]] Status find_switchers();
  void find_catches();
  void add_catch(const Symbol& symbol, UnwindKind kind);
  [[nodiscard]] bool defines(std::string_view name) const { return defined_.contains(name); }
  [[nodiscard]] bool has_libgcc() const;
  [[nodiscard]] bool has_glibc() const;

  const ElfImage& image_;
  const Imports& imports_;
  Decoder& decoder_;
  std::unordered_set<std::string_view> defined_;
  std::unordered_set<std::uint64_t> caught_;  // addresses that have a site
  Traits traits_;
};

void add(std::vector<std::string>& reasons, std::string reason) {
  const bool known = std::find(reasons.begin(), reasons.end(), reason) != reasons.end();
  if (!known && reasons.size() < reasons_max) reasons.push_back(std::move(reason));
}

void Reading::find_go() {
  traits_.go = std::any_of(image_.sections().begin(), image_.sections().end(), [](const Section& section) {
    return section.name == ".go.buildinfo" || section.name == ".note.go.buildid" ||
           section.name.ends_with(".gopclntab");
  });
  if (!traits_.go) return;
  add(traits_.unwinds, "a Go runtime, which unwinds stacks by itself");
  add(traits_.switches_stacks, "a Go runtime, which moves stacks");
  traits_.takes_other_stacks = true;
}

void Reading::find_unwinders() {
  for (const std::string_view name : imports_.names()) {
    if (is_unwinder(name)) add(traits_.unwinds, "imports " + std::string(name));
    if (image_.stripped() && is_one_of(name, table_finders)) {
      add(traits_.unwinds, "imports " + std::string(name) + ", as an unwinder does, and its symbols are stripped");
    }
  }
  for (const std::string_view name : defined_) {
    if (is_unwinder(name)) add(traits_.unwinds, "defines " + std::string(name));
  }
  if (image_.section(".gcc_except_table") != nullptr) {
    add(traits_.unwinds, "has landing pads for exceptions (.gcc_except_table)");
  }
  // Whatever is linked into a static program shows by its symbols only.
  if (image_.symbols().empty() && imports_.names().empty()) {
    add(traits_.unwinds, "no symbols to prove it by: it is stripped and statically linked");
  }
}

Status Reading::find_switchers() {
  const bool for_others = switches_for_others(imports_.soname());
  for (const std::string_view name : imports_.names()) {
    if (is_one_of(name, stack_switchers)) {
      add(traits_.switches_stacks, "imports " + std::string(name));
      traits_.takes_other_stacks = traits_.takes_other_stacks || (name != "sigaltstack" && !for_others);
    }
  }
  for (const std::string_view name : defined_) {
    if (is_one_of(name, stack_switchers)) {
      add(traits_.switches_stacks, "defines " + std::string(name));
      traits_.takes_other_stacks = traits_.takes_other_stacks || (name != "sigaltstack" && !for_others);
    }
  }
  if (traits_.go) return {};  // nothing could prove it any more
  // An unwinder enters its landing pads by a write of rsp, on the same stack.
  if (imports_.soname() == "libgcc_s.so.1"sv || imports_.soname().starts_with("libunwind")) return {};
  auto places = find_stack_switches(image_, decoder_, switches_max);
  if (!places) return failure(places.error());
  for (std::string& place : *places) add(traits_.switches_stacks, std::move(place));
  return {};
}

// libgcc's and LLVM's _Unwind_SetIP take contexts of different shapes.
bool Reading::has_libgcc() const {
  if (imports_.soname() == "libgcc_s.so.1"sv) return true;
  return defines("_Unwind_GetGR") && defines("_Unwind_RaiseException") && !defines("__unw_init_local") &&
         !defines("unw_init_local") && !defines("_ULx86_64_init_local");
}

// musl's jmp_buf is another one; a static glibc shows by a name that no other library has.
bool Reading::has_glibc() const {
  return imports_.soname() == "libc.so.6"sv || imports_.soname() == "libpthread.so.0"sv || defines("__libc_siglongjmp");
}

// The entry, or the next instruction if that is the cheap one: `endbr64; push` is how most begin.
void Reading::add_catch(const Symbol& symbol, UnwindKind kind) {
  if (image_.refusal(symbol) || caught_.contains(raw(symbol.address))) return;
  constexpr std::uint64_t bytes_max = 64;
  const Range head{symbol.address, LinkAddress{raw(symbol.address) + std::min(symbol.size, bytes_max)}};
  const auto bytes = image_.code(head);
  if (!bytes) return;
  const auto first = decoder_.decode(*bytes, symbol.address);
  if (!first || refusal(*first)) return;
  Instruction chosen = *first;
  std::int64_t pushed = 0;
  constexpr std::uint16_t arguments = register_bit(7) | register_bit(6);  // rdi, rsi
  const Effects done = effects(*first);
  const bool harmless = first->flow == Flow::next && done.sp_move && (done.writes & arguments) == 0;
  if (cost(*first, true) == Cost::stepped && harmless) {
    const auto next =
        decoder_.decode(std::span(*bytes).subspan(first->length), LinkAddress{raw(symbol.address) + first->length});
    if (next && !refusal(*next) && cost(*next, false) == Cost::emulated) {
      chosen = *next;
      pushed = -*done.sp_move;
    }
  }
  const auto offset = image_.file_offset(chosen.address);
  if (!offset) return;
  Site site;
  site.kind = SiteKind::catch_;
  site.unwind = kind;
  site.address = chosen.address;
  site.offset = *offset;
  site.instruction = decoder_.text(chosen);
  site.length = chosen.length;
  site.bytes.assign(chosen.bytes.begin(), chosen.bytes.end());
  site.cost = cost(chosen, chosen.address == symbol.address);
  site.cfa_offset += pushed;
  caught_.insert(raw(symbol.address));
  traits_.catches.push_back(std::move(site));
}

void Reading::find_catches() {
  const bool libgcc = has_libgcc();
  const bool glibc = has_glibc();
  for (const Symbol& symbol : image_.symbols()) {
    if (symbol.name == "_Unwind_SetIP" && libgcc) add_catch(symbol, UnwindKind::set_ip);
    if (symbol.name == "__cxa_begin_catch") add_catch(symbol, UnwindKind::begin_catch);
    if (glibc && is_one_of(symbol.name, longjmps)) add_catch(symbol, UnwindKind::longjmp);
    if (glibc && (symbol.name == "pthread_exit" || symbol.name == "__pthread_exit")) {
      add_catch(symbol, UnwindKind::thread_exit);
    }
  }
  std::sort(traits_.catches.begin(), traits_.catches.end(),
            [](const Site& a, const Site& b) { return a.address < b.address; });
}

Result<Traits> Reading::run() {
  traits_.build_id = image_.build_id();
  for (const Symbol& symbol : image_.symbols()) defined_.insert(symbol.name);
  find_catches();
  find_go();
  if (is_one_of(imports_.soname(), c_libraries)) return std::move(traits_);
  const auto jumps = [](std::string_view name) { return is_one_of(name, longjmps); };
  traits_.jumps = std::any_of(imports_.names().begin(), imports_.names().end(), jumps) ||
                  std::any_of(defined_.begin(), defined_.end(), jumps);
  find_unwinders();
  if (auto found = find_switchers(); !found) return failure(found.error());
  // Names come out of a hash table; people compare what they read.
  std::sort(traits_.unwinds.begin(), traits_.unwinds.end());
  return std::move(traits_);
}

}  // namespace

Result<Traits> find_traits(int fd, const std::string& name) {
  const auto image = ElfImage::open(fd, name);
  if (!image) return failure(image.error());
  const auto imports = Imports::read(*image);
  if (!imports) return failure(imports.error());
  auto decoder = Decoder::make();
  if (!decoder) return failure(decoder.error());
  return Reading(*image, *imports, *decoder).run();
}

}  // namespace diagnose::target
