#include "target/cfi.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <span>
#include <sys/stat.h>
#include <utility>

namespace diagnose::target {
namespace {

// The tables of a browser with all it links have some 40 MB; libdw reads a table as a whole.
constexpr std::uint64_t table_bytes_max = 256U << 20U;

// DWARF numbers of the x86-64 registers (System V ABI for x86-64, figure 3.36), by which their x86 encodings stand.
constexpr std::array<std::uint8_t, 16> encodings = {0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};

struct Base {
  std::uint8_t cfa_register;
  std::int64_t offset;
};

std::optional<Base> base_register(const Dwarf_Op& op) {
  std::uint64_t number = 0;
  std::uint64_t offset = 0;
  if (op.atom == DW_OP_bregx) {
    number = op.number;
    offset = op.number2;
  } else if (op.atom >= DW_OP_breg0 && op.atom <= DW_OP_breg31) {
    number = op.atom - std::uint64_t{DW_OP_breg0};
    offset = op.number;
  } else {
    return std::nullopt;
  }
  if (number >= encodings.size()) return std::nullopt;
  return Base{encodings[number], static_cast<std::int64_t>(offset)};
}

std::optional<CfaRule> rule_of(std::span<const Dwarf_Op> ops) {
  if (ops.empty()) return std::nullopt;
  const auto base = base_register(ops.front());
  if (!base) return std::nullopt;
  const auto rest = ops.subspan(1);
  if (rest.empty() || (rest.size() == 1 && rest[0].atom == DW_OP_stack_value)) {
    return CfaRule{base->cfa_register, base->offset, false};
  }
  // A function that realigns its stack keeps the CFA in memory.
  if (rest.size() == 1 && rest[0].atom == DW_OP_deref) return CfaRule{base->cfa_register, base->offset, true};
  return std::nullopt;
}

std::optional<CfaRule> rule_at(Dwarf_CFI* table, LinkAddress address) {
  if (table == nullptr) return std::nullopt;
  Dwarf_Frame* frame = nullptr;
  if (::dwarf_cfi_addrframe(table, raw(address), &frame) != 0) return std::nullopt;
  const std::unique_ptr<Dwarf_Frame, decltype(&std::free)> owned(frame, &std::free);
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (::dwarf_frame_cfa(frame, &ops, &count) != 0) return std::nullopt;
  return rule_of({ops, count});
}

// What libdw would read: .eh_frame, and beside .debug_frame all other .debug_ sections.
struct Weight {
  bool cut_off = false;  // a section lies beyond the end of the file
  bool debug_frame = false;
  std::uint64_t eh_frame_bytes = 0;
  std::uint64_t debug_bytes = 0;  // when decompressed
};

// By names that are not libelf's: it loses memory when it looks names up in a broken table (0.192).
Weight weigh(Elf* elf, std::span<const Section> sections, std::uint64_t file_bytes) {
  Weight found;
  const auto add = [](std::uint64_t& sum, std::uint64_t bytes) {
    sum = bytes > UINT64_MAX - sum ? UINT64_MAX : sum + bytes;
  };
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const Section& section = sections[i];
    if (section.type == SHT_NOBITS) continue;
    found.cut_off = found.cut_off || section.offset > file_bytes || section.size > file_bytes - section.offset;
    if (found.cut_off) break;
    if (section.name == ".eh_frame") add(found.eh_frame_bytes, section.size);
    if (!section.name.starts_with(".debug_") && !section.name.starts_with(".zdebug_")) continue;
    found.debug_frame = found.debug_frame || section.name == ".debug_frame";
    add(found.debug_bytes, section.size);
    if (section.name.starts_with(".z")) add(found.debug_bytes, UINT64_MAX);  // an old form that hides its size
    GElf_Shdr header{};
    GElf_Chdr compressed{};
    Elf_Scn* own = ::elf_getscn(elf, i);
    if (own == nullptr || ::gelf_getshdr(own, &header) == nullptr || (header.sh_flags & SHF_COMPRESSED) == 0) continue;
    if (::gelf_getchdr(own, &compressed) != nullptr) add(found.debug_bytes, compressed.ch_size);
  }
  return found;
}

}  // namespace

struct CallFrames::Tables {
  Elf* elf = nullptr;
  Dwarf* dwarf = nullptr;
  Dwarf_CFI* eh_frame = nullptr;
  Dwarf_CFI* debug_frame = nullptr;  // of `dwarf`
};

void CallFrames::Close::operator()(Tables* tables) const {
  if (tables->eh_frame != nullptr) ::dwarf_cfi_end(tables->eh_frame);
  if (tables->dwarf != nullptr) ::dwarf_end(tables->dwarf);
  if (tables->elf != nullptr) ::elf_end(tables->elf);
  delete tables;
}

Result<CallFrames> CallFrames::open(int fd, const std::string& name, std::span<const Section> sections) {
  const auto failed = [&](std::string why) {
    return failure({.what = "read the call-frame information", .where = name, .why = std::move(why), .mend = {}});
  };
  if (::elf_version(EV_CURRENT) == EV_NONE) return failed(::elf_errmsg(-1));
  std::unique_ptr<Tables, Close> tables(new Tables);
  tables->elf = ::elf_begin(fd, ELF_C_READ, nullptr);
  if (tables->elf == nullptr || ::elf_kind(tables->elf) != ELF_K_ELF) return failed(::elf_errmsg(-1));
  struct stat status {};
  if (::fstat(fd, &status) != 0) return failed(errno_text(errno));
  const Weight weight = weigh(tables->elf, sections, static_cast<std::uint64_t>(status.st_size));
  if (weight.cut_off) return failed("a section lies beyond the end of the file");
  if (weight.eh_frame_bytes <= table_bytes_max) tables->eh_frame = ::dwarf_getcfi_elf(tables->elf);
  if (weight.debug_frame && weight.debug_bytes <= table_bytes_max) {
    tables->dwarf = ::dwarf_begin_elf(tables->elf, DWARF_C_READ, nullptr);
    if (tables->dwarf != nullptr) tables->debug_frame = ::dwarf_getcfi(tables->dwarf);
  }
  return CallFrames(std::move(tables));
}

std::optional<CfaRule> CallFrames::at(LinkAddress address) const {
  if (auto rule = rule_at(tables_->eh_frame, address)) return rule;
  return rule_at(tables_->debug_frame, address);
}

}  // namespace diagnose::target
