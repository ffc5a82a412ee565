/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The words of one labelled series, made at first sight. */
#ifndef DIAGNOSE_BPF_SERIES_H
#define DIAGNOSE_BPF_SERIES_H

#include "zeros.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, struct series_words);
} series __weak SEC(".maps");

static __always_inline void prepare(struct evaluation *evaluation)
{
	evaluation->value = 0;
	*(u64 *)evaluation->key = 0; /* the template's key; a compiled one writes all of its own */
}

/* Falls back to `other`, in the ledger, when the series are used up. */
static __always_inline u64 *series_of(struct evaluation *evaluation, u64 *other)
{
	u64 *words = bpf_map_lookup_elem(&series, evaluation->key);
	u32 zero = 0;
	void *empty;

	if (words)
		return words;
	empty = bpf_map_lookup_elem(&zeros, &zero);
	if (!empty)
		return other;
	bpf_map_update_elem(&series, evaluation->key, empty, BPF_NOEXIST);
	words = bpf_map_lookup_elem(&series, evaluation->key);
	return words ? words : other;
}

#endif
