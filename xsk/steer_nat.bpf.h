/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Part of the XDP program (steer.bpf.c): who has a claim on a packet, by its ports?
 *
 * An address of NAT's has a slot in the bitmap `natports`, which the daemon writes by plain stores:
 * a bit for each TCP port, UDP port and ICMP id that NAT holds. On an interface whose ports are
 * redirected, Linux has a claim on packets to other hosts: a set in the bitmap `redirects`, of TCP
 * and UDP ports. By the bit of
 *
 *	TCP, UDP		the destination port
 *	answers of ICMP		their id: of echo, timestamp, information and address mask;
 *				requests are for this host
 *	errors of ICMP		the source port, or the id of the request, in the packet they quote:
 *				it left here with this address, translated
 *	first fragments		all of the above, and what came of it is kept in `fragments`
 *	other fragments		what came of their first one; until that comes they are NAT's: the
 *				daemon lets them wait for it (RFC 4787 REQ-14), and in Linux they
 * would be lost to it. (What is Linux's then waits in vain; there is far less.)
 *
 * is_claimed4() and is_claimed6() say true for NAT, or for Linux. There is no claim on all else:
 * other protocols, headers cut short, IPv4 options and IPv6 extension headers. Behind those a
 * header would have to be read at a variable offset, which the kernel allows with CAP_PERFMON only;
 * and what answers a packet that NAT has sent does not carry any. An address that is NAT's
 * altogether (STEER_LOCAL_ALL) needs no look at ports at all.
 */
#ifndef XSK_STEER_NAT_BPF_H
#define XSK_STEER_NAT_BPF_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "xsk/steer_shared.h"

#define IP_MORE_FRAGMENTS 0x2000
#define IP_OFFSET_MASK	  0x1fff
#define IP6_MORE	  0x0001
#define IP6_OFFSET_MASK	  0xfff8

/* RFC 792 and RFC 4443; linux/icmp.h would bring the C library along. */
enum icmp4_type {
	ICMP4_ECHO_REPLY = 0,
	ICMP4_UNREACHABLE = 3,
	ICMP4_ECHO = 8,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER_PROBLEM = 12,
	ICMP4_TIMESTAMP = 13,
	ICMP4_TIMESTAMP_REPLY = 14,
	ICMP4_INFO = 15,
	ICMP4_INFO_REPLY = 16,
	ICMP4_MASK = 17, /* RFC 950 */
	ICMP4_MASK_REPLY = 18,
};
enum icmp6_type {
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER_PROBLEM = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_ND_FIRST = 133, /* neighbour discovery (RFC 4861): five types in a row */
	ICMP6_ND_LAST = 137,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STEER_NAT_SIZE);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} natports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STEER_REDIRECT_SIZE);
	__type(key, __u32);
	__type(value, __u64);
} redirects SEC(".maps");

/* A datagram in fragments; IPv4 addresses lie in the first word, the rest is zero. */
struct datagram {
	__be32 src[4], dst[4];
	__be32 id;
	__u32 protocol;
};
_Static_assert(sizeof(struct datagram) == STEER_FRAGMENT_KEY_SIZE, "the daemon makes the map");

/* Shared by all ports: the path of a fragment is nobody's promise. 1: claimed; 0, not, is kept too,
 * for an id comes round again. What is local is NAT's then, what is not is Linux's. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, STEER_FRAGMENTS_MAX);
	__type(key, struct datagram);
	__type(value, __u32);
} fragments SEC(".maps");

/* The header after IPv6's own of a fragment (RFC 8200 4.5). */
struct ip6_fragment {
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 id;
};

/* The first eight bytes of TCP, UDP and the ICMPs, as far as anyone asks: an IP packet that quotes
 * another has to quote that much (RFC 792). */
union l4 {
	struct {
		__be16 source, dest;
		__be32 rest;
	} ports;
	struct {
		__u8 type, code;
		__be16 checksum;
		__be16 id;
		__be16 sequence;
	} icmp;
};

/* What a packet is asked for: a bit of a slot, counted from the slot's first plane. */
#define NO_BIT (-1)
static __always_inline int bit_of(enum steer_nat_plane plane, __be16 port)
{
	return (int)plane << 16 | bpf_ntohs(port);
}

/* So many planes of a bitmap, from a word on. */
struct claim {
	void *bitmap;
	__u32 first, planes;
	bool early; /* also on fragments before their first */
};

static __always_inline struct claim claim_of_nat(__u16 local)
{
	return (struct claim){ &natports, (local - 1u) * STEER_NAT_PLANES * STEER_NAT_WORDS,
			       STEER_NAT_PLANES, true };
}

/* plane: of TCP; that of UDP follows, as in NAT's. */
static __always_inline struct claim claim_of_redirect(__u8 set, enum steer_redirect_plane plane)
{
	return (struct claim){ &redirects,
			       ((set - 1u) * STEER_REDIRECT_PLANES + plane) * STEER_NAT_WORDS, 2,
			       false };
}
_Static_assert(STEER_REDIRECT_UDP4 - STEER_REDIRECT_TCP4 == STEER_NAT_UDP - STEER_NAT_TCP &&
		       STEER_REDIRECT_UDP6 - STEER_REDIRECT_TCP6 == STEER_NAT_UDP - STEER_NAT_TCP,
	       "bit_of() serves both");

static __always_inline bool is_set(const struct claim *c, int bit)
{
	__u32 word = c->first + (__u32)bit / 64;
	const __u64 *bits;

	if (bit == NO_BIT || (__u32)bit >> 16 >= c->planes)
		return false;
	bits = bpf_map_lookup_elem(c->bitmap, &word);
	return bits && *bits >> (bit & 63) & 1;
}

/* Of a packet of ours that somebody quotes: where it came from. */
static __always_inline int quoted_bit(__u8 protocol, const union l4 *l4)
{
	switch (protocol) {
	case IPPROTO_TCP: return bit_of(STEER_NAT_TCP, l4->ports.source);
	case IPPROTO_UDP: return bit_of(STEER_NAT_UDP, l4->ports.source);
	case IPPROTO_ICMP:
		if (l4->icmp.type != ICMP4_ECHO && l4->icmp.type != ICMP4_TIMESTAMP &&
		    l4->icmp.type != ICMP4_INFO && l4->icmp.type != ICMP4_MASK)
			return NO_BIT;
		return bit_of(STEER_NAT_ID, l4->icmp.id);
	case IPPROTO_ICMPV6:
		if (l4->icmp.type != ICMP6_ECHO)
			return NO_BIT;
		return bit_of(STEER_NAT_ID, l4->icmp.id);
	default: return NO_BIT;
	}
}

/* ---- IPv4 ---- */

static __always_inline int quoted_bit4(const struct iphdr *outer, const struct iphdr *ip,
				       const void *end)
{
	const union l4 *l4 = (const void *)(ip + 1);

	if ((const void *)(l4 + 1) > end || ip->ihl != 5 || ip->version != 4)
		return NO_BIT;
	if (ip->saddr != outer->daddr || ip->frag_off & bpf_htons(IP_OFFSET_MASK) ||
	    ip->protocol == IPPROTO_ICMPV6)
		return NO_BIT;
	return quoted_bit(ip->protocol, l4);
}

static __always_inline int icmp4_bit(const struct iphdr *ip, const union l4 *l4, const void *end)
{
	switch (l4->icmp.type) {
	case ICMP4_ECHO_REPLY:
	case ICMP4_TIMESTAMP_REPLY:
	case ICMP4_INFO_REPLY:
	case ICMP4_MASK_REPLY: return bit_of(STEER_NAT_ID, l4->icmp.id);
	case ICMP4_UNREACHABLE:
	case ICMP4_TIME_EXCEEDED:
	case ICMP4_PARAMETER_PROBLEM: return quoted_bit4(ip, (const void *)(l4 + 1), end);
	default: return NO_BIT;
	}
}

static __always_inline int bit4(const struct iphdr *ip, const void *end)
{
	const union l4 *l4 = (const void *)(ip + 1);

	if ((const void *)(l4 + 1) > end)
		return NO_BIT;
	switch (ip->protocol) {
	case IPPROTO_TCP: return bit_of(STEER_NAT_TCP, l4->ports.dest);
	case IPPROTO_UDP: return bit_of(STEER_NAT_UDP, l4->ports.dest);
	case IPPROTO_ICMP: return icmp4_bit(ip, l4, end);
	default: return NO_BIT;
	}
}

static __always_inline bool is_claimed_fragment(const struct datagram *d, const struct claim *c)
{
	const __u32 *first = bpf_map_lookup_elem(&fragments, d);

	if (first)
		return *first;
	return c->early && (d->protocol == IPPROTO_TCP || d->protocol == IPPROTO_UDP ||
			    d->protocol == IPPROTO_ICMP || d->protocol == IPPROTO_ICMPV6);
}

static __always_inline bool is_claimed4(const struct iphdr *ip, const void *end,
					const struct claim *c)
{
	__u16 fragment = bpf_ntohs(ip->frag_off);

	if (ip->ihl != 5)
		return false;
	if (!(fragment & (IP_MORE_FRAGMENTS | IP_OFFSET_MASK)))
		return is_set(c, bit4(ip, end));

	struct datagram d = {
		.src = { ip->saddr }, .dst = { ip->daddr }, .id = ip->id, .protocol = ip->protocol
	};

	if (fragment & IP_OFFSET_MASK)
		return is_claimed_fragment(&d, c);

	__u32 claimed = is_set(c, bit4(ip, end));

	bpf_map_update_elem(&fragments, &d, &claimed, BPF_ANY);
	return claimed;
}

static __always_inline bool is_nat4(const struct iphdr *ip, const void *end, __u16 local)
{
	struct claim c = claim_of_nat(local);

	return local == STEER_LOCAL_ALL || is_claimed4(ip, end, &c);
}

static __always_inline bool is_redirected4(const struct iphdr *ip, const void *end, __u8 set)
{
	struct claim c = claim_of_redirect(set, STEER_REDIRECT_TCP4);

	return set && is_claimed4(ip, end, &c);
}

/* ---- IPv6 ---- */

static __always_inline bool same6(const struct in6_addr *a, const struct in6_addr *b)
{
	return a->s6_addr32[0] == b->s6_addr32[0] && a->s6_addr32[1] == b->s6_addr32[1] &&
	       a->s6_addr32[2] == b->s6_addr32[2] && a->s6_addr32[3] == b->s6_addr32[3];
}

static __always_inline int quoted_bit6(const struct ipv6hdr *outer, const struct ipv6hdr *ip,
				       const void *end)
{
	const union l4 *l4 = (const void *)(ip + 1);

	if ((const void *)(l4 + 1) > end || ip->version != 6)
		return NO_BIT;
	if (!same6(&ip->saddr, &outer->daddr) || ip->nexthdr == IPPROTO_ICMP)
		return NO_BIT;
	return quoted_bit(ip->nexthdr, l4);
}

static __always_inline int icmp6_bit(const struct ipv6hdr *ip, const union l4 *l4, const void *end)
{
	switch (l4->icmp.type) {
	case ICMP6_ECHO_REPLY: return bit_of(STEER_NAT_ID, l4->icmp.id);
	case ICMP6_UNREACHABLE:
	case ICMP6_TOO_BIG:
	case ICMP6_TIME_EXCEEDED:
	case ICMP6_PARAMETER_PROBLEM: return quoted_bit6(ip, (const void *)(l4 + 1), end);
	default: return NO_BIT;
	}
}

static __always_inline int bit6(const struct ipv6hdr *ip, __u8 protocol, const union l4 *l4,
				const void *end)
{
	if ((const void *)(l4 + 1) > end)
		return NO_BIT;
	switch (protocol) {
	case IPPROTO_TCP: return bit_of(STEER_NAT_TCP, l4->ports.dest);
	case IPPROTO_UDP: return bit_of(STEER_NAT_UDP, l4->ports.dest);
	case IPPROTO_ICMPV6: return icmp6_bit(ip, l4, end);
	default: return NO_BIT;
	}
}

static __always_inline bool is_claimed_fragment6(const struct ipv6hdr *ip, const void *end,
						 const struct claim *c)
{
	const struct ip6_fragment *f = (const void *)(ip + 1);
	struct datagram d = {};

	if ((const void *)(f + 1) > end)
		return false;
	__builtin_memcpy(d.src, &ip->saddr, sizeof(d.src));
	__builtin_memcpy(d.dst, &ip->daddr, sizeof(d.dst));
	d.id = f->id;
	d.protocol = f->next;
	if (f->offset & bpf_htons(IP6_OFFSET_MASK))
		return is_claimed_fragment(&d, c);

	__u32 claimed = is_set(c, bit6(ip, f->next, (const void *)(f + 1), end));

	if (f->offset & bpf_htons(IP6_MORE)) /* else there is no other (RFC 6946) */
		bpf_map_update_elem(&fragments, &d, &claimed, BPF_ANY);
	return claimed;
}

/* Neighbour discovery of this host: without it nobody reaches an address, whoever has it. */
static __always_inline bool is_nd(const struct ipv6hdr *ip, const void *end)
{
	const __u8 *type = (const void *)(ip + 1);

	return ip->nexthdr == IPPROTO_ICMPV6 && (const void *)(type + 1) <= end &&
	       *type >= ICMP6_ND_FIRST && *type <= ICMP6_ND_LAST;
}

static __always_inline bool is_claimed6(const struct ipv6hdr *ip, const void *end,
					const struct claim *c)
{
	if (ip->nexthdr == IPPROTO_FRAGMENT)
		return is_claimed_fragment6(ip, end, c);
	return is_set(c, bit6(ip, ip->nexthdr, (const void *)(ip + 1), end));
}

static __always_inline bool is_nat6(const struct ipv6hdr *ip, const void *end, __u16 local)
{
	struct claim c = claim_of_nat(local);

	if (local == STEER_LOCAL_ALL)
		return !is_nd(ip, end);
	return is_claimed6(ip, end, &c);
}

static __always_inline bool is_redirected6(const struct ipv6hdr *ip, const void *end, __u8 set)
{
	struct claim c = claim_of_redirect(set, STEER_REDIRECT_TCP6);

	return set && is_claimed6(ip, end, &c);
}

#endif
