// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Gauges: two words shared by all CPUs, the value and how often it was touched.  0, 0 is a gauge never set. */
#include "series.bpf.h"

HOLE(evaluate, HOLE_EVALUATE)

enum { EXTREME_RETRIES = 32 };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, struct gauge);
} gauges __weak SEC(".maps");

static __always_inline struct gauge *gauge_of(struct evaluation *evaluation, u64 *words)
{
	struct gauge *gauge = bpf_map_lookup_elem(&gauges, evaluation->key);
	struct gauge empty = {};

	if (gauge)
		return gauge;
	bpf_map_update_elem(&gauges, evaluation->key, &empty, BPF_NOEXIST);
	gauge = bpf_map_lookup_elem(&gauges, evaluation->key);
	if (!gauge) /* the ledger is per CPU, so a gauge has no `__other__` in the kernel */
		count_loss(words, LOSS_OVERFLOW);
	return gauge;
}

BODY(gauge_set)
{
	struct evaluation evaluation;
	struct gauge *gauge;

	prepare(&evaluation);
	if (!evaluate(ctx, frame, &evaluation, words))
		return 0;
	gauge = gauge_of(&evaluation, words);
	if (!gauge)
		return 0;
	*(volatile u64 *)&gauge->value = evaluation.value;
	add(&gauge->updates, 1);
	return 0;
}

BODY(gauge_add)
{
	struct evaluation evaluation;
	struct gauge *gauge;

	prepare(&evaluation);
	if (!evaluate(ctx, frame, &evaluation, words))
		return 0;
	gauge = gauge_of(&evaluation, words);
	if (!gauge)
		return 0;
	add(&gauge->value, evaluation.value);
	add(&gauge->updates, 1);
	return 0;
}

BODY(gauge_extreme)
{
	struct evaluation evaluation;
	struct gauge *gauge;
	u64 candidate, seen;

	prepare(&evaluation);
	if (!evaluate(ctx, frame, &evaluation, words))
		return 0;
	gauge = gauge_of(&evaluation, words);
	if (!gauge)
		return 0;
	candidate = evaluation.value ^ PATCHED_WIDE(CONSTANT_GAUGE_MASK);
	for (int i = 0; i < EXTREME_RETRIES; i++) {
		seen = *(volatile u64 *)&gauge->value;
		if (candidate <= seen || __sync_val_compare_and_swap(&gauge->value, seen, candidate) == seen) {
			add(&gauge->updates, 1);
			return 0;
		}
	}
	count_loss(words, LOSS_CONTENDED);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
