// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The XDP program on a port: which frames go to the AF_XDP socket of their queue, which to Linux.
 *
 * Each port runs an instance of its own, with its own socket map, counters and state; what is said
 * of local addresses is shared. judge() names a verdict and steer() carries it out and counts
 * it, once a frame. Whatever Linux must see to stay in control of the host (ARP, neighbour
 * discovery, routing protocols, ssh to us, DHCP) passes; malformed IP goes to the socket, where it
 * is dropped with a reason that names what is wrong.
 *
 * Two more questions are in steer_nat.bpf.h. A local address that also does NAT: is the packet for
 * a port of NAT's? And on a port some of whose interfaces redirect, a packet to another host: is it
 * for a port that Linux answers? Packets to be forwarded otherwise never get there.
 *
 * A port that is handed over whole asks none of this: it is one end of a cross-connect, where ARP,
 * DHCP and what is not even IP belong to whoever is at the other end.
 *
 * Who serves a queue notes the time now and then. Where Linux is to stand in when nobody does, a
 * frame for a socket whose queue was left alone for too long is Linux's; elsewhere nobody looks at
 * the time, and frames wait in their rings for whoever comes next.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "xsk/steer_nat.bpf.h"
#include "xsk/steer_shared.h"

#define VLAN_TAGS_MAX 2
#define VLAN_VID_MASK 0x0fff
#define VID_NONE      0x0fff /* reserved: two tags are no interface that redirects */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MAC_MASK 0x0000ffffffffffffULL
#else
#define MAC_MASK 0xffffffffffff0000ULL
#endif

struct vlan_tag {
	__be16 tci;
	__be16 proto;
};

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1); /* the port's number of queues, set before load */
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEER__COUNT);
	__type(key, __u32);
	__type(value, __u64);
} verdicts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_LOCALS_ROOM);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __be32);
	__type(value, __u16); /* see STEER_LOCAL_ALL */
} local4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_LOCALS_ROOM);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct in6_addr);
	__type(value, __u16); /* see STEER_LOCAL_ALL */
} local6 SEC(".maps");

/* By the vid of an interface, 0 for that of untagged frames: its set of redirected ports + 1; 0: it
 * has none. Not in struct steer_port_state: to index that, too, by what may be a constant takes
 * CAP_PERFMON. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STEER_VIDS);
	__type(key, __u32);
	__type(value, __u8);
} redirecting SEC(".maps");

/* See STEER_BEATS; shared by the ports of a process. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, STEER_BEATS);
	__type(key, __u32);
	__type(value, __u64);
} beats SEC(".maps");

/* A global variable is an array map of one entry whose address is known at load: no lookup. */
struct steer_port_state port SEC(".data.port") = {};

/* Eight bytes are there to read: an Ethernet header has fourteen. */
static __always_inline __u64 mac_at(const void *frame)
{
	return *(const __u64 *)frame & MAC_MASK;
}

static __always_inline bool is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

/* Kernel 6.12 forgets in a swap of bytes how large a number can be. So the mask stays behind the
 * swap; the compiler would move it. */
static __always_inline __u32 vid_of(const struct vlan_tag *tag)
{
	__u32 vid = bpf_ntohs(tag->tci);

	asm volatile("" : "+r"(vid));
	return vid & VLAN_VID_MASK;
}

/* Vid 0 carries a priority only: such a frame belongs to the port itself (IEEE 802.1Q). */
static __always_inline bool vlan_ours(__u32 vid)
{
	return vid == 0 || port.vlans[vid / 64] >> vid % 64 & 1;
}

/* The address a client asks for is not an address of this host yet, and the answer may come to it
 * as unicast (RFC 2131 4.1). Behind IP options nobody sends one; looking there would take a packet
 * pointer plus a variable, which the kernel allows with CAP_PERFMON only. */
static __always_inline bool is_dhcp_answer(const struct iphdr *ip, const void *end)
{
	const struct udphdr *udp = (const void *)(ip + 1);

	if (ip->protocol != IPPROTO_UDP || ip->ihl != 5 || ip->frag_off & bpf_htons(0x1fff))
		return false;
	if ((const void *)(udp + 1) > end)
		return false;
	return udp->source == bpf_htons(67) && udp->dest == bpf_htons(68);
}

/* A DHCP answer is Linux's on NAT's addresses too: else an address that is NAT's altogether would
 * lose its lease. */
static __always_inline enum steer_verdict judge_local4(const struct iphdr *ip, const void *end,
						       __u16 local)
{
	if (!local || !is_nat4(ip, end, local))
		return STEER_PASS_LOCAL;
	return is_dhcp_answer(ip, end) ? STEER_PASS_DHCP : STEER_NAT;
}

/* The set of the interface that a frame with this vid came in by; 0: nothing is redirected. */
static __always_inline __u8 redirect_of(__u32 vid)
{
	const __u8 *set = port.redirects ? bpf_map_lookup_elem(&redirecting, &vid) : NULL;

	return set ? *set : 0;
}

static __always_inline enum steer_verdict judge4(const struct iphdr *ip, const void *end, __u32 vid)
{
	if ((const void *)(ip + 1) > end)
		return STEER_SOCKET;
	if ((ip->daddr & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) ||
	    ip->daddr == bpf_htonl(0xffffffff))
		return STEER_PASS_MULTICAST;

	const __u16 *local = bpf_map_lookup_elem(&local4, &ip->daddr);

	if (local)
		return judge_local4(ip, end, *local);
	if (is_dhcp_answer(ip, end))
		return STEER_PASS_DHCP;
	return is_redirected4(ip, end, redirect_of(vid)) ? STEER_PASS_REDIRECT : STEER_SOCKET;
}

static __always_inline enum steer_verdict judge6(const struct ipv6hdr *ip, const void *end,
						 __u32 vid)
{
	if ((const void *)(ip + 1) > end)
		return STEER_SOCKET;
	if (ip->daddr.s6_addr[0] == 0xff)
		return STEER_PASS_MULTICAST;

	const __u16 *local = bpf_map_lookup_elem(&local6, &ip->daddr);

	if (local)
		return *local && is_nat6(ip, end, *local) ? STEER_NAT : STEER_PASS_LOCAL;
	return is_redirected6(ip, end, redirect_of(vid)) ? STEER_PASS_REDIRECT : STEER_SOCKET;
}

static __always_inline enum steer_verdict judge(const void *frame, const void *end)
{
	const struct ethhdr *eth = frame;
	const void *next = frame + sizeof(*eth);

	if (port.whole)
		return STEER_WHOLE;
	if (next > end)
		return STEER_PASS_SHORT;
	if (eth->h_dest[0] & 1)
		return STEER_PASS_MULTICAST;
	if (mac_at(frame) != port.mac)
		return STEER_PASS_OTHER_MAC;

	/* not eth->h_proto: of a packed struct the compiler reads single bytes */
	__be16 proto = *(const __be16 *)(frame + 2 * ETH_ALEN);
	__u32 vid = 0;

#pragma unroll
	for (int i = 0; i < VLAN_TAGS_MAX && is_vlan(proto); i++) {
		const struct vlan_tag *tag = next;

		next = tag + 1;
		if (next > end)
			return STEER_PASS_SHORT;
		if (!vlan_ours(vid_of(tag)))
			return STEER_PASS_VLAN;
		vid = vid && vid_of(tag) ? VID_NONE : vid | vid_of(tag);
		proto = tag->proto;
	}
	if (proto == bpf_htons(ETH_P_IP))
		return judge4(next, end, vid);
	if (proto == bpf_htons(ETH_P_IPV6))
		return judge6(next, end, vid);
	return is_vlan(proto) ? STEER_PASS_VLAN : STEER_PASS_ETHERTYPE;
}

static __always_inline bool is_for_socket(enum steer_verdict v)
{
	return v == STEER_SOCKET || v == STEER_NAT || v == STEER_WHOLE;
}

/* Is Linux to have what is for the socket of this queue? A beat may be younger than our look at the
 * clock. */
static __always_inline bool is_stale(__u32 queue)
{
	__u32 place = port.beats - 1 + queue;
	const __u64 *beat = port.beats ? bpf_map_lookup_elem(&beats, &place) : NULL;

	return beat && (__s64)(bpf_ktime_get_ns() - *beat) > STEER_STALE_NS;
}

static __always_inline void count(enum steer_verdict v)
{
	__u32 key = v;
	__u64 *n = bpf_map_lookup_elem(&verdicts, &key);

	if (n)
		(*n)++;
}

SEC("xdp")
int steer(struct xdp_md *ctx)
{
	enum steer_verdict v = judge((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	__u32 fallback = port.fallback;
	int action = XDP_PASS;

	if (v == STEER_WHOLE) /* never Linux's */
		fallback = XDP_DROP;
	else if (is_for_socket(v) && is_stale(ctx->rx_queue_index))
		v = STEER_PASS_STALE;
	if (is_for_socket(v)) {
		/* an empty slot answers with the fallback, so no lookup has to come first */
		action = bpf_redirect_map(&xsks, ctx->rx_queue_index, fallback);
		if (action != XDP_REDIRECT)
			v = STEER_NO_SOCKET;
	}
	count(v);
	return action;
}

char LICENSE[] SEC("license") = "GPL";
