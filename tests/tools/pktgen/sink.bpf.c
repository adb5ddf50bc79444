/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pktgen's sink: an XDP program that takes pktgen's packets off a device, counts and judges them,
 * and leaves all others (ARP, neighbour discovery, ICMP errors) to the kernel's stack.
 *
 * Counters are per CPU and user space adds them up. The two tables are shared and written without
 * locks: `window` is indexed by sequence number and `last` by flow, and packets that meet in one
 * entry are of one flow, which one CPU receives. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <stdbool.h>

#include "tests/tools/pktgen/wire.h"

const volatile struct sink_config cfg = {};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sink_stats);
} stats SEC(".maps");

/* Each entry holds a sequence number plus one; zero is "none yet". */
__u32 window[PKTGEN_WINDOW];
__u32 last[PKTGEN_GROUPS];

static __always_inline __u64 sum_words(const void *p, __u32 n)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < n; i++)
		sum += ((const __u32 *)p)[i];
	return sum;
}

/* Sums UDP, pktgen's header and the pseudo header; what is behind them is zeros. */
static __always_inline bool udp_bad(const struct udphdr *udp, __u64 addresses)
{
	const struct pktgen_hdr *hdr = (const void *)(udp + 1);

	return csum_fold(addresses + sum_words(udp, 6) + hdr->flow + udp->len +
			 bpf_htons(IPPROTO_UDP));
}

/* Finds UDP behind Ethernet and an IP header without options, or NULL. */
static __always_inline struct udphdr *find_udp(void *data, void *end, bool *bad)
{
	struct ethhdr *eth = data;
	struct iphdr *ip = data + ETH_HLEN;
	struct ipv6hdr *ip6 = data + ETH_HLEN;
	struct udphdr *udp;

	if (data + FRAME_MIN_V4 > end)
		return NULL;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if (ip->ihl != 5 || ip->protocol != IPPROTO_UDP)
			return NULL;
		udp = (void *)(ip + 1);
		if (cfg.verify)
			*bad = csum_fold(sum_words(ip, 5)) ||
			       (udp->check && udp_bad(udp, (__u64)ip->saddr + ip->daddr));
		return udp;
	}
	if (eth->h_proto != bpf_htons(ETH_P_IPV6) || data + FRAME_MIN_V6 > end ||
	    ip6->nexthdr != IPPROTO_UDP)
		return NULL;
	udp = (void *)(ip6 + 1);
	if (cfg.verify)
		*bad = !udp->check || udp_bad(udp, sum_words(&ip6->saddr, 8));
	return udp;
}

static __always_inline void judge_latency(struct sink_stats *s, const struct pktgen_hdr *hdr,
					  __u64 now)
{
	__u64 sent = bpf_ntohl(hdr->tv_sec) * 1000000000ull + bpf_ntohl(hdr->tv_usec) * 1000ull;
	__u64 ns = now + cfg.clock_offset - sent;
	__u32 i;

	if ((__s64)ns < 0)
		ns = 0;
	s->lat_sum += ns;
	if (ns < s->lat_min || !s->packets)
		s->lat_min = ns;
	if (ns > s->lat_max)
		s->lat_max = ns;
	i = hist_bucket(ns);
	if (i < HIST_BUCKETS)
		s->hist[i]++;
}

/* Sequence numbers wrap: "before" is RFC 1982's. */
static __always_inline void judge_order(struct sink_stats *s, const struct pktgen_hdr *hdr)
{
	__u32 seq = bpf_ntohl(hdr->seq);
	__u32 *seen = &window[seq % PKTGEN_WINDOW];
	__u32 *newest = &last[bpf_ntohs(hdr->flow) % PKTGEN_GROUPS];
	bool first = s->packets == s->duplicates;

	if (*seen == seq + 1) {
		s->duplicates++;
		return;
	}
	*seen = seq + 1;
	if (*newest && (__s32)(seq + 1 - *newest) < 0)
		s->reordered++;
	else
		*newest = seq + 1;
	if (first || (__s32)(seq - s->seq_min) < 0)
		s->seq_min = seq;
	if (first || (__s32)(seq - s->seq_max) > 0)
		s->seq_max = seq;
}

static __always_inline void judge(struct sink_stats *s, const struct pktgen_hdr *hdr, __u64 len,
				  bool bad)
{
	__u64 now = bpf_ktime_get_ns();

	judge_latency(s, hdr, now);
	judge_order(s, hdr);
	if (!s->packets)
		s->first_ns = now;
	s->last_ns = now;
	s->packets++;
	s->bytes += len;
	s->bad_csum += bad;
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct pktgen_hdr *hdr;
	struct sink_stats *s;
	struct udphdr *udp;
	bool bad = false;
	__u32 zero = 0;

	s = bpf_map_lookup_elem(&stats, &zero);
	if (!s)
		return XDP_ABORTED;
	udp = find_udp(data, end, &bad);
	if (!udp)
		goto other;
	hdr = (const void *)(udp + 1);
	if ((const void *)(hdr + 1) > end || hdr->magic != bpf_htonl(PKTGEN_MAGIC))
		goto other;
	judge(s, hdr, end - data, bad);
	return XDP_DROP;
other:
	s->other++;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
