/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pktgen's generator: run by BPF_PROG_RUN with live frames, it makes one packet a call and hands
 * it to the device with bpf_redirect.
 *
 * The frames' pages are recycled by the kernel and come back as the receiver left them, so every
 * header is written whole each time; only the zeros behind pktgen's header are trusted. A packet
 * that is not yet due is a frame dropped: that is the pacing. One CPU runs the program at a time,
 * so its state needs no atomics. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "tests/tools/pktgen/wire.h"

#define NSEC_PER_SEC 1000000000ull
#define MAX_LAG_NS   1000000ull /* further behind than this, the schedule starts anew */
#define SPIN	     32		/* clock readings a call may wait, so that `repeat` lasts */

/* Volatile, for the compiler sees only zeros here: read it field by field, never by memcpy. */
const volatile struct gen_config cfg = {};
struct gen_state state = {};

static __always_inline __u32 word(const void *p, __u32 i)
{
	return ((const __u32 *)p)[i];
}

/* Returns the time when a packet is due now, or 0. */
static __always_inline __u64 due(void)
{
	__u64 now = bpf_ktime_get_ns();

	if (!cfg.interval_fp)
		return now;
	for (int i = 0; i < SPIN && now << GEN_FP_BITS < state.next_fp; i++)
		now = bpf_ktime_get_ns();
	if (now << GEN_FP_BITS < state.next_fp)
		return 0;
	if ((now - MAX_LAG_NS) << GEN_FP_BITS > state.next_fp)
		state.next_fp = now << GEN_FP_BITS;
	state.next_fp += cfg.interval_fp;
	return now;
}

/* Steps the flow: source address fastest, as an odometer, until all flows had their turn. */
static __always_inline void step_flow(void)
{
	if (++state.flow >= cfg.flows) {
		state.flow = 0;
		for (int i = 0; i < GEN_FIELDS; i++)
			state.pos[i] = 0;
		return;
	}
	for (int i = 0; i < GEN_FIELDS; i++) {
		if (++state.pos[i] < cfg.walk[i].count)
			return;
		state.pos[i] = 0;
	}
}

static __always_inline __u64 field(enum gen_field f)
{
	return cfg.walk[f].base + state.pos[f];
}

static __always_inline __u32 step_len(void)
{
	__u32 i = state.imix_pos;

	if (!cfg.imix)
		return cfg.len;
	if (i >= GEN_IMIX_LEN)
		i = 0;
	state.imix_pos = i + 1;
	return cfg.imix_len[i];
}

/* Writes UDP and pktgen's headers; returns their sum without the checksum field. */
static __always_inline __u64 put_udp(struct udphdr *udp, __u32 len, __u64 now)
{
	struct pktgen_hdr *hdr = (void *)(udp + 1);
	__u64 sum = 0;

	if (now - state.sec_start >= NSEC_PER_SEC) {
		state.sec = now / NSEC_PER_SEC;
		state.sec_start = state.sec * NSEC_PER_SEC;
	}
	udp->source = bpf_htons(field(GEN_SPORT));
	udp->dest = bpf_htons(field(GEN_DPORT));
	udp->len = bpf_htons(len);
	udp->check = 0;
	hdr->magic = bpf_htonl(PKTGEN_MAGIC);
	hdr->seq = bpf_htonl(state.seq);
	hdr->tv_sec = bpf_htonl(state.sec);
	hdr->tv_usec = bpf_htonl((__u32)(now - state.sec_start) / 1000);
	hdr->flow = bpf_htons(state.flow);
	for (int i = 0; i < 6; i++)
		sum += word(udp, i);
	return sum + hdr->flow;
}

/* The pseudo header's protocol and length fields join the sum; 0 means "none" on the wire. */
static __always_inline void finish_udp(struct udphdr *udp, __u64 sum)
{
	__u16 csum = csum_fold(sum + bpf_htons(IPPROTO_UDP) + udp->len);

	udp->check = csum ? csum : 0xffff;
}

static __always_inline int put_v4(void *data, void *end, __u32 len, __u64 now)
{
	struct iphdr *ip = data + ETH_HLEN;
	struct udphdr *udp = (void *)(ip + 1);
	__u64 sum = 0;

	if (data + FRAME_MIN_V4 > end)
		return -1;
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = 0;
	ip->tot_len = bpf_htons(len - ETH_HLEN);
	ip->id = bpf_htons(state.seq);
	ip->frag_off = 0;
	ip->ttl = PKTGEN_TTL;
	ip->protocol = IPPROTO_UDP;
	ip->check = 0;
	ip->saddr = bpf_htonl(field(GEN_SRC));
	ip->daddr = bpf_htonl(field(GEN_DST));
	for (int i = 0; i < 5; i++)
		sum += word(ip, i);
	ip->check = csum_fold(sum);

	sum = put_udp(udp, len - ETH_HLEN - sizeof(*ip), now);
	if (cfg.udp_csum)
		finish_udp(udp, sum + ip->saddr + ip->daddr);
	return 0;
}

static __always_inline int put_v6(void *data, void *end, __u32 len, __u64 now)
{
	struct ipv6hdr *ip = data + ETH_HLEN;
	struct udphdr *udp = (void *)(ip + 1);
	__u64 sum;

	if (data + FRAME_MIN_V6 > end)
		return -1;
	((__u32 *)ip)[0] = bpf_htonl(6u << 28);
	ip->payload_len = bpf_htons(len - ETH_HLEN - sizeof(*ip));
	ip->nexthdr = IPPROTO_UDP;
	ip->hop_limit = PKTGEN_TTL;
	for (int i = 0; i < 2; i++) {
		ip->saddr.s6_addr32[i] = cfg.src_hi[i];
		ip->daddr.s6_addr32[i] = cfg.dst_hi[i];
	}
	ip->saddr.s6_addr32[2] = bpf_htonl(field(GEN_SRC) >> 32);
	ip->saddr.s6_addr32[3] = bpf_htonl(field(GEN_SRC));
	ip->daddr.s6_addr32[2] = bpf_htonl(field(GEN_DST) >> 32);
	ip->daddr.s6_addr32[3] = bpf_htonl(field(GEN_DST));

	sum = put_udp(udp, len - ETH_HLEN - sizeof(*ip), now);
	for (int i = 2; i < 10; i++)
		sum += word(ip, i);
	finish_udp(udp, sum);
	return 0;
}

static __always_inline int put_packet(void *data, void *end, __u32 len, __u64 now)
{
	struct ethhdr *eth = data;

	if (data + ETH_HLEN > end)
		return -1;
	for (int i = 0; i < 6; i++)
		((__u16 *)eth)[i] = cfg.macs[i];
	eth->h_proto = cfg.v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	return cfg.v6 ? put_v6(data, end, len, now) : put_v4(data, end, len, now);
}

SEC("xdp")
int gen(struct xdp_md *ctx)
{
	__u64 now;
	__u32 len;

	if (state.done)
		return XDP_DROP;
	now = due();
	if (!now)
		return XDP_DROP;
	len = step_len();
	if (cfg.imix && bpf_xdp_adjust_tail(ctx, (int)len - cfg.len))
		return XDP_ABORTED;
	if (put_packet((void *)(long)ctx->data, (void *)(long)ctx->data_end, len, now))
		return XDP_ABORTED;

	step_flow();
	state.seq++;
	state.bytes += len;
	state.last_ns = now;
	if (!state.packets++)
		state.first_ns = now;
	if (state.packets == cfg.count)
		state.done = 1;
	return bpf_redirect(cfg.ifindex, 0);
}

char _license[] SEC("license") = "GPL";
