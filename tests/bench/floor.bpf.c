// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The program that does nothing: what a breakpoint costs before anybody measures anything.
//
// bpf_helpers.h wants the types of linux/bpf.h before it.
// clang-format off
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
// clang-format on

SEC("uprobe.multi")
int nothing(void* ctx) {
  return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
