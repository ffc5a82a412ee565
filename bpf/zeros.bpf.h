/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What new elements of a hash table begin with. */
#ifndef DIAGNOSE_BPF_ZEROS_H
#define DIAGNOSE_BPF_ZEROS_H

#include "stencil.bpf.h"

struct series_words {
	u64 words[WORDS_MAX];
};

/* Never written.  Too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct series_words);
} zeros __weak SEC(".maps");

#endif
