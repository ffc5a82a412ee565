// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counter: adds its value to one word. */
#include "series.bpf.h"

HOLE(evaluate, HOLE_EVALUATE)

BODY(count)
{
	struct evaluation evaluation;

	prepare(&evaluation);
	if (evaluate(ctx, frame, &evaluation, words))
		add(&words[PATCHED(CONSTANT_BASE, LEDGER_FIXED_WORDS)], evaluation.value);
	return 0;
}

BODY(count_labelled)
{
	struct evaluation evaluation;

	prepare(&evaluation);
	if (evaluate(ctx, frame, &evaluation, words)) {
		u64 *mine = series_of(&evaluation, &words[PATCHED(CONSTANT_BASE, LEDGER_FIXED_WORDS)]);

		add(mine, evaluation.value);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
