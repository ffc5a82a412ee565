// Small wrappers that several files of this folder need around libbpf's calls.
#pragma once

#include <bpf/bpf.h>

#include "base/fd.h"

namespace diagnose::attach {

// libbpf's versioned structs, zeroed and sized.  (LIBBPF_OPTS does the same with GNU extensions.)
template <typename Options>
[[nodiscard]] Options sized() {
  Options options{};
  options.sz = sizeof(options);
  return options;
}

// A program that does nothing, loaded for uprobe_multi links; no descriptor and errno if the kernel refuses.
[[nodiscard]] Fd load_empty_program();

}  // namespace diagnose::attach
