/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a breakpoint is: what its cookie says, and the struct site behind it (contract.h). */
#ifndef DIAGNOSE_BPF_SITE_H
#define DIAGNOSE_BPF_SITE_H

#include "stencil.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct site);
} sites __weak SEC(".maps");

static __always_inline u64 cfa_by_cookie(struct pt_regs *ctx, u64 cookie)
{
	return ctx->rsp + (cookie & COOKIE_FIELD_MASK);
}

static __always_inline u32 detail_of(u64 cookie)
{
	return cookie >> COOKIE_DETAIL_SHIFT & COOKIE_FIELD_MASK;
}

/* 0: the cookie says everything. */
static __always_inline u32 site_number(u64 cookie)
{
	return cookie >> COOKIE_SITE_SHIFT;
}

static __always_inline struct site *site_by_number(u32 number)
{
	u32 index = number - 1;

	return bpf_map_lookup_elem(&sites, &index);
}

/* x86-64 encodings; the context may only be read at constant offsets. */
static __noinline u64 register_of(struct pt_regs *ctx, struct site *site, u32 number)
{
	switch (number) {
	case 0:
		return ctx->rax;
	case 1:
		return ctx->rcx;
	case 2:
		return ctx->rdx;
	case 3:
		return ctx->rbx;
	case 4:
		return ctx->rsp;
	case 5:
		return ctx->rbp;
	case 6:
		return ctx->rsi;
	case 7:
		return ctx->rdi;
	case 8:
		return ctx->r8;
	case 9:
		return ctx->r9;
	case 10:
		return ctx->r10;
	case 11:
		return ctx->r11;
	case 12:
		return ctx->r12;
	case 13:
		return ctx->r13;
	case 14:
		return ctx->r14;
	case 15:
		return ctx->r15;
	case REGISTER_IP:
		return ctx->rip + site->length;
	default:
		return 0;
	}
}

/* Intel SDM volume 1, appendix B: condition codes; odd ones negate. */
static __always_inline int condition_holds(u64 flags, u8 condition)
{
	int carry = flags & 1, parity = (flags >> 2) & 1, zero = (flags >> 6) & 1, sign = (flags >> 7) & 1;
	int overflow = (flags >> 11) & 1, holds;

	switch (condition >> 1) {
	case 0:
		holds = overflow;
		break;
	case 1:
		holds = carry;
		break;
	case 2:
		holds = zero;
		break;
	case 3:
		holds = carry | zero;
		break;
	case 4:
		holds = sign;
		break;
	case 5:
		holds = parity;
		break;
	case 6:
		holds = sign ^ overflow;
		break;
	default:
		holds = zero | (sign ^ overflow);
		break;
	}
	return holds ^ (condition & 1);
}

/* 0: it cannot be read, which is no address of a frame. */
static __always_inline u64 cfa_by_site(struct pt_regs *ctx, struct site *site, u64 *words)
{
	u64 cfa = register_of(ctx, site, site->cfa_register) + site->cfa_offset;

	if (site->cfa_indirect && bpf_probe_read_user(&cfa, sizeof(cfa), (void *)cfa)) {
		count_loss(words, LOSS_UNREADABLE);
		return 0;
	}
	return cfa;
}

/* Does the instruction under the breakpoint go the way that counts? */
static __always_inline int falls_through(struct pt_regs *ctx, struct site *site)
{
	return site->condition == CONDITION_NONE || !condition_holds(ctx->eflags, site->condition);
}

/* The CFA at an entry whose cookie does not say everything; 0 if the function is not entered here. */
static __noinline u64 cfa_of_entry(struct pt_regs *ctx, u32 number, u64 *words)
{
	struct site *site = site_by_number(number);

	if (!ctx || !words || !site || !falls_through(ctx, site))
		return 0;
	return cfa_by_site(ctx, site, words);
}

/* The CFA of the call that begins here; 0 if none does. */
static __always_inline u64 entered_cfa(struct pt_regs *ctx, u64 cookie, u64 *words)
{
	u32 number = site_number(cookie);

	return number ? cfa_of_entry(ctx, number, words) : cfa_by_cookie(ctx, cookie);
}

#endif
