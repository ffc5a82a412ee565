// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Histogram: word 0 is the sum; `evaluate` answers 1 + bucket, which is the bucket's word. */
#include "series.bpf.h"

HOLE(evaluate, HOLE_EVALUATE)

BODY(histogram)
{
	struct evaluation evaluation;
	u64 *mine, bucket;

	prepare(&evaluation);
	bucket = evaluate(ctx, frame, &evaluation, words);
	if (!bucket)
		return 0;
	mine = &words[PATCHED(CONSTANT_BASE, LEDGER_FIXED_WORDS)];
	add(mine, evaluation.value);
	add(&mine[bucket], 1);
	return 0;
}

BODY(histogram_labelled)
{
	struct evaluation evaluation;
	u64 *mine, bucket;

	prepare(&evaluation);
	bucket = evaluate(ctx, frame, &evaluation, words);
	if (!bucket)
		return 0;
	mine = series_of(&evaluation, &words[PATCHED(CONSTANT_BASE, LEDGER_FIXED_WORDS)]);
	add(mine, evaluation.value);
	add(&mine[bucket], 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
