/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A call's beginning and its end, as the drivers hand them to the frames: frames.bpf.h or keyed_frames.bpf.h. */
#ifndef DIAGNOSE_BPF_CALLS_H
#define DIAGNOSE_BPF_CALLS_H

#include "admit.bpf.h"
#include "site.bpf.h"

enum { TEMPLATE_FRAME_SIZE = sizeof(struct frame) };

struct call {
	u64 cfa;
	u64 return_address; /* 0: not asked for */
	u32 function;	    /* number and flags */
};

struct end {
	u64 cfa;
	u64 return_address; /* 0: whatever the frame's is */
	u64 time_ns;
	u32 shared; /* set by close_frame(): another open frame has this CFA */
};

/* 0: it cannot be read. */
static __always_inline u64 return_address_at(u64 cfa)
{
	u64 address = 0;

	if (bpf_probe_read_user(&address, sizeof(address), (void *)(cfa - 8)))
		return 0;
	return address;
}

/* Can the function of `frame` have jumped to the one that is entered? */
static __always_inline int may_have_jumped(struct frame *frame, struct call *call)
{
	return frame->function != call->function || call->function & FUNCTION_JUMPS;
}

static __always_inline void end_frame(struct frame *frame, u64 time_ns, u64 result, u32 outcome)
{
	frame->elapsed_ns = time_ns - frame->start_ns;
	frame->result = result;
	frame->outcome = outcome;
}

#endif
