// Where the running kernel keeps what no helper tells, by its own types (BTF).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace diagnose::compile {

// From the current task to the name of its process's executable: at each of these offsets is the address that the next
// one counts from; the last is that of the characters (task_struct.mm -> exe_file -> f_path.dentry -> d_name.name).
// Nothing if the kernel does not tell.  Read once; any thread.
[[nodiscard]] std::optional<std::array<std::uint32_t, 4>> way_to_executable();

// Likewise, to what target::ProcFs::layout() gives: the last offset is that of the number itself
// (task_struct.mm -> arg_start).
[[nodiscard]] std::optional<std::array<std::uint32_t, 2>> way_to_layout();

}  // namespace diagnose::compile
