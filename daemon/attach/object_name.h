// A name for what stands behind a descriptor, the same in every process that holds it: "map:12", "program:3", "link:7"
// by the kernel's own numbers, "file:DEVICE:INODE" for a regular file, "" for anything else.  Any thread.
#pragma once

#include <string>

namespace diagnose::attach {

[[nodiscard]] std::string object_name(int descriptor);

}  // namespace diagnose::attach
