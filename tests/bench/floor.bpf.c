// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The program that does nothing: what a breakpoint costs before anybody measures anything.
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

SEC("uprobe.multi")
int nothing(void* ctx) {
  return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
