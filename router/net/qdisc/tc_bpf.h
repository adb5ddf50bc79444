/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classic BPF as a match: tc's `bpf bytecode "N,code jt jf k,..."`, with Linux's meaning of every
 * instruction, of offsets below 0 (SKF_NET_OFF, SKF_LL_OFF) and of the most common extensions
 * (SKF_AD_OFF). [any]
 *
 * A program is checked once, by control: after that it can only run forward, and ends.
 */
#ifndef ROUTER_NET_QDISC_TC_BPF_H
#define ROUTER_NET_QDISC_TC_BPF_H

#include "router/net/qdisc/tc_match.h"

/* [control] NULL, or what is wrong; *at: the number of the instruction. */
const char *tc_bpf_check(const struct conf_bpf *prog, unsigned n, unsigned *at);

/* What a checked program returns. 0 is no match: also when it loads from outside the frame, or
 * divides by zero. */
uint32_t tc_bpf_run(const struct conf_bpf *prog, const struct tc_view *v);

#endif
