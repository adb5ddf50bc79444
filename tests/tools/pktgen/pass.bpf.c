/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The least XDP program there is. On a veth it switches polling on without GRO, which is the
 * cheaper way into Linux's forwarding for traffic that GRO cannot merge (tests/bench/lib.sh). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
