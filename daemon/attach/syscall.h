// Small wrappers that several files of this folder need around libbpf's calls.
#pragma once

#include <bpf/bpf.h>
#include <cstdint>

#include "base/fd.h"

namespace diagnose::attach {

// libbpf's versioned structs, zeroed and sized.  (LIBBPF_OPTS does the same with GNU extensions.)
template <typename Options>
[[nodiscard]] Options sized() {
  Options options{};
  options.sz = sizeof(options);
  return options;
}

// A program that does nothing, loaded for links of `attach_type` (link.h); no descriptor and errno if the kernel
// refuses.
[[nodiscard]] Fd load_empty_program(std::uint32_t attach_type);

}  // namespace diagnose::attach
