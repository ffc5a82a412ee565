#include "compile/kernel_types.h"

#include <bpf/btf.h>
#include <memory>
#include <string_view>

namespace diagnose::compile {
namespace {

constexpr int depth_max = 8;  // of unnamed structs and unions in each other

// Bytes from the start of the struct or union; those without a name within it are looked into.
std::optional<std::uint32_t> member_offset(const btf* types, const btf_type* type, std::string_view name, int depth) {
  if (type == nullptr || !btf_is_composite(type) || depth == depth_max) return std::nullopt;
  const btf_member* const members = btf_members(type);
  for (std::uint32_t at = 0; at < btf_vlen(type); ++at) {
    const std::uint32_t offset = btf_member_bit_offset(type, at) / 8;
    const char* own = btf__name_by_offset(types, members[at].name_off);
    if (own != nullptr && own == name) return offset;
    if (own != nullptr && *own != '\0') continue;
    const auto within = member_offset(types, btf__type_by_id(types, members[at].type), name, depth + 1);
    if (within) return offset + *within;
  }
  return std::nullopt;
}

struct Ways {
  std::optional<std::array<std::uint32_t, 4>> to_executable;
  std::optional<std::array<std::uint32_t, 2>> to_layout;
};

Ways read_ways() {
  Ways ways;
  const std::unique_ptr<btf, decltype(&btf__free)> types(btf__load_vmlinux_btf(), &btf__free);
  if (!types) return ways;
  const auto offset = [&](const char* type, const char* member) -> std::optional<std::uint32_t> {
    const int id = btf__find_by_name_kind(types.get(), type, BTF_KIND_STRUCT);
    if (id < 0) return std::nullopt;
    return member_offset(types.get(), btf__type_by_id(types.get(), static_cast<std::uint32_t>(id)), member, 0);
  };
  const auto memory = offset("task_struct", "mm");
  const auto arguments = offset("mm_struct", "arg_start");
  if (memory && arguments) ways.to_layout = std::array{*memory, *arguments};
  const auto file = offset("mm_struct", "exe_file");
  const auto path = offset("file", "f_path");
  const auto entry = offset("path", "dentry");
  const auto name = offset("dentry", "d_name");
  const auto characters = offset("qstr", "name");
  if (memory && file && path && entry && name && characters) {
    ways.to_executable = std::array<std::uint32_t, 4>{*memory, *file, *path + *entry, *name + *characters};
  }
  return ways;
}

const Ways& ways() {
  static const Ways known = read_ways();
  return known;
}

}  // namespace

std::optional<std::array<std::uint32_t, 4>> way_to_executable() {
  return ways().to_executable;
}

std::optional<std::array<std::uint32_t, 2>> way_to_layout() {
  return ways().to_layout;
}

}  // namespace diagnose::compile
