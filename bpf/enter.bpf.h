/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Drivers at the entry of a probe that wants the end of its calls.  The includer brings the frames. */
#ifndef DIAGNOSE_BPF_ENTER_H
#define DIAGNOSE_BPF_ENTER_H

HOLE(capture, HOLE_CAPTURE)
HOLE(run_call, HOLE_CALL)

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CALLERS_MAX);
	__type(key, u64);
	__type(value, u32);
} callers __weak SEC(".maps");

/* In front of `callers`, as a look into a hash costs 10 ns, with a hundred callers 40: a known caller has its slot for
 * good if it is the first there.  Kept is ~key, so that an empty slot is no caller's. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << AT_HAND_BITS);
	__type(key, u32);
	__type(value, u64);
} callers_at_hand __weak SEC(".maps");

/* Fibonacci hashing: Knuth, The Art of Computer Programming 3, 6.4 */
static __always_inline u64 *slot_of(u64 key)
{
	u32 slot = key * 0x9e3779b97f4a7c15ULL >> (64 - AT_HAND_BITS);

	return bpf_map_lookup_elem(&callers_at_hand, &slot);
}

/* Once for each caller.  Not noted if there is no room for the record: the next call tries again. */
static __noinline int report_caller(struct control *now, u64 key, u64 return_address, u32 function)
{
	u32 state = CALLER_REPORTED, size = sizeof(struct record) + sizeof(struct caller);
	struct record *record;
	struct caller *caller;

	if (!now)
		return 0;
	record = bpf_ringbuf_reserve(&records, sizeof(struct record) + sizeof(struct caller), 0);
	if (!record)
		return 0;
	if (bpf_map_update_elem(&callers, &key, &state, BPF_NOEXIST)) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return 0;
	}
	fill_header(record, size, RECORD_CALLER, 0, now->probe);
	caller = (void *)(record + 1);
	caller->return_address = return_address;
	caller->function = function;
	caller->reserved = 0;
	bpf_ringbuf_submit(record, 0);
	return 0;
}

/* Is there a breakpoint behind the call, or at the exits? */
static __always_inline int end_is_watched(struct pt_regs *ctx, struct call *call, struct control *now)
{
	u32 number = call->function & FUNCTION_NUMBER_MASK, *state;
	u64 key, *slot;

	if (call->function & FUNCTION_ANY_CALLER)
		return 1;
	call->return_address = return_address_at(call->cfa);
	if (!call->return_address)
		return !now->callers_only;
	key = ((call->return_address - ctx->rip) & CALLER_DISTANCE_MASK) | (u64)number << 48;
	slot = slot_of(key);
	if (slot && *slot == ~key)
		return 1;
	state = bpf_map_lookup_elem(&callers, &key);
	if (state && *state == CALLER_KNOWN) {
		if (slot && !*slot)
			*slot = ~key;
		return 1;
	}
	if (!state)
		report_caller(now, key, call->return_address, number);
	if (!now->callers_only)
		return 1;
	key = (u64)number << 48; /* at no distance: the exits of this function stay */
	return bpf_map_lookup_elem(&callers, &key) != 0;
}

static __always_inline int enter(struct pt_regs *ctx, int by_callers)
{
	struct control *now = the_control();
	u64 *words = the_ledger();
	struct call call = {};
	struct frame *frame;
	u64 cookie;

	if (!now || !words || !measures_calls(now))
		return 0;
	cookie = bpf_get_attach_cookie(ctx);
	call.cfa = entered_cfa(ctx, cookie, words);
	call.function = detail_of(cookie);
	if (!call.cfa || !admit_call(now, words))
		return 0;
	run_call(ctx, NONE, NONE, words);
	if (by_callers && !end_is_watched(ctx, &call, now)) {
		count_loss(words, LOSS_CALLER);
		finish_calls(now, 1);
		return 0;
	}
	frame = open_frame(ctx, &call, words);
	if (!frame) {
		finish_calls(now, 1);
		return 0;
	}
	frame->cfa = call.cfa;
	frame->return_address = call.return_address;
	frame->function = call.function;
	capture(ctx, frame, NONE, words);
	frame->start_ns = bpf_ktime_get_ns(); /* last: our own work is not the function's time */
	return 0;
}

#endif
