/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where our router may differ from the kernel: each with the requirement that wants it. Whatever
 * else differs fails the test, and so does a row that never explains anything.
 *
 * A row either says what the router did instead ("ours drops it"), or that two errors about the
 * packet are the same but for some aspect; several rows of the second kind may explain one packet
 * together.
 */
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>

#include "router/net/csum.h"
#include "tests/tools/forward_oracle/oracle.h"

#define OPTION_CIPSO   134
#define OPTION_CALIPSO 0x07 /* its likeness in IPv6 (RFC 5570) */
#define OPTION_IOAM    0x31 /* RFC 9486 */

/* ---- what came of it */

static bool ours_is_silent(const struct packet *p)
{
	return frames(p, OURS) == 0;
}

static bool kernel_is_silent(const struct packet *p)
{
	return frames(p, KERNEL) == 0;
}

/* The ICMP error that is all that a side sent; NULL: it is not so. */
static const uint8_t *error_of(const struct packet *p, enum side side)
{
	unsigned link;
	const struct seen *f = only(p, side, &link);
	uint32_t at = f ? error_at(f->b, f->len) : 0;

	return at ? f->b + at : NULL;
}

static bool is_type(const uint8_t *error, unsigned type, unsigned code)
{
	return error && error[0] == type && error[1] == code;
}

/* ---- what went in */

static const uint8_t *ip4(const struct packet *p)
{
	return !p->six && p->len >= p->l3 + 20 ? p->b + p->l3 : NULL;
}

static const uint8_t *ip6(const struct packet *p)
{
	return p->six && p->len >= p->l3 + 40 ? p->b + p->l3 : NULL;
}

/* Where the first option of a kind is; 0: nowhere. */
static uint32_t option4(const struct packet *p, uint8_t kind)
{
	const uint8_t *h = ip4(p);
	uint32_t hlen = h ? (h[0] & 15) * 4u : 0;

	for (uint32_t i = 20; i < hlen && p->l3 + i < p->len && h[i] != 0;) {
		if (h[i] == kind)
			return i;
		if (h[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= hlen || h[i + 1] < 2)
			break;
		i += h[i + 1];
	}
	return 0;
}

/* Does its hop-by-hop header have an option of this kind? */
static bool has_option6(const struct packet *p, uint8_t kind)
{
	const uint8_t *h = ip6(p);
	uint32_t end;

	if (!h || h[6] != 0 || p->len < p->l3 + 48)
		return false;
	end = 40 + (h[41] + 1u) * 8;
	for (uint32_t i = 42; i < end && p->l3 + i + 1 < p->len;) {
		if (h[i] == kind)
			return true;
		i += h[i] ? h[i + 1] + 2u : 1;
	}
	return false;
}

/* ---- rows of the first kind */

static bool martian4(const uint8_t *a)
{
	return a[0] == 0 || a[0] >= 240;
}

static bool martians(const struct packet *p)
{
	const uint8_t *h = ip4(p);

	return h && ours_is_silent(p) && (martian4(h + 12) || martian4(h + 16));
}

static bool broadcast_source(const struct packet *p)
{
	const uint8_t *h = ip4(p);

	return h && ours_is_silent(p) && h[12] == 10 && h[13] == 0 && h[ETH_HLEN] >= 1 &&
	       h[ETH_HLEN] <= LINKS && h[15] == 255;
}

/* The link whose broadcast address it is for, or -1. */
static int broadcast_link(const struct packet *p)
{
	const uint8_t *h = ip4(p);

	return h && h[16] == 10 && h[17] == 0 && h[18] >= 1 && h[18] <= LINKS && h[19] == 255
		       ? h[18] - 1
		       : -1;
}

static bool broadcast_back(const struct packet *p)
{
	return ours_is_silent(p) && broadcast_link(p) == (int)p->link;
}

static bool broadcast_error(const struct packet *p)
{
	return ours_is_silent(p) && error_of(p, KERNEL) && broadcast_link(p) >= 0;
}

static bool unroutable6(const uint8_t *a)
{
	static const uint8_t zero[15], mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(a, mapped, sizeof(mapped)) || (!memcmp(a, zero, sizeof(zero)) && a[15] <= 1);
}

static bool martians6(const struct packet *p)
{
	const uint8_t *h = ip6(p);

	return h && ours_is_silent(p) &&
	       (unroutable6(h + 8) || unroutable6(h + 24) || h[8] == 0xff);
}

static bool is_extension(uint8_t next)
{
	return next == 0 || next == 43 || next == 44 || next == 51 || next == 60 || next == 135 ||
	       next == 139 || next == 140;
}

/* What a router that reads the whole chain knows of it. */
struct chain {
	bool broken, rh0, fragment, later_fragment;
	uint8_t proto;
	uint32_t l4; /* from the IP header on */
};

static struct chain chain(const struct packet *p)
{
	const uint8_t *h = ip6(p);
	uint32_t end = h ? 40 + get16(h + 4) : 0, len;
	struct chain c = { .proto = h ? h[6] : 59, .l4 = 40 };

	for (unsigned n = 0; is_extension(c.proto) && !c.later_fragment; n++) {
		const uint8_t *at = h + c.l4;

		c.broken = n == 8 || (c.proto == 0 && n) || c.l4 + 8 > end || p->l3 + end > p->len;
		if (c.broken)
			return c;
		len = c.proto == 44 ? 8 : c.proto == 51 ? (at[1] + 2u) * 4 : (at[1] + 1u) * 8;
		c.broken = c.l4 + len > end;
		c.rh0 |= !c.broken && c.proto == 43 && at[2] == 0 && at[3];
		if (c.broken || c.rh0)
			return c;
		c.fragment |= c.proto == 44 && get16(at + 2) & 0xfff9;
		c.later_fragment = c.proto == 44 && get16(at + 2) & 0xfff8;
		c.proto = at[0];
		c.l4 += len;
	}
	return c;
}

static bool routing_header_0(const struct packet *p)
{
	return ours_is_silent(p) && chain(p).rh0;
}

static bool broken_chain(const struct packet *p)
{
	return ours_is_silent(p) && chain(p).broken;
}

/* Redirects, and what may be a part of an error, or is one behind a header that Linux does not walk
 * past. */
static bool perhaps_error(const struct packet *p)
{
	struct chain c = chain(p);
	uint8_t type;

	if (!ours_is_silent(p) || c.broken || c.rh0 || c.proto != IPPROTO_ICMPV6 ||
	    !error_of(p, KERNEL))
		return false;
	type = p->l3 + c.l4 < p->len ? ip6(p)[c.l4] : 0;
	return c.later_fragment || type == 137 || type < 128;
}

static bool link_local6(const uint8_t *a)
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* Not even back to the link that it came from, which the kernel does. */
static bool link_locals(const struct packet *p)
{
	const uint8_t *h = ip6(p);

	return h && (link_local6(h + 8) || link_local6(h + 24)) &&
	       (ours_is_silent(p) || is_type(error_of(p, OURS), 1, 2));
}

static bool has_source_route(const struct packet *p)
{
	return option4(p, IPOPT_LSRR) || option4(p, IPOPT_SSRR);
}

static bool source_route(const struct packet *p)
{
	return ours_is_silent(p) && has_source_route(p);
}

static bool source_route_to_us(const struct packet *p)
{
	return ours_is_silent(p) && has_source_route(p) && world_is_own(ip4(p) + 16, false);
}

/* The kernel echoes these options in its errors. Where it does not know how, it sends none. */
static bool echo_fails(const struct packet *p)
{
	return kernel_is_silent(p) && error_of(p, OURS) &&
	       (option4(p, IPOPT_RR) || option4(p, IPOPT_TS) || has_source_route(p));
}

/* An error about a source route that is echoed goes where the route began, ours to the source if it
 * can. */
static bool echo_diverts(const struct packet *p)
{
	unsigned link;
	const struct seen *k = only(p, KERNEL, &link);
	const uint8_t *was = error_of(p, KERNEL), *is = error_of(p, OURS);

	return was && has_source_route(p) && memcmp(k->b + ETH_HLEN + 16, ip4(p) + 12, 4) &&
	       (ours_is_silent(p) || (is && !memcmp(is, was, 2)));
}

/* All frames of both sides are the same outside of their time stamp option. */
static bool only_stamps_differ(const struct packet *p)
{
	uint32_t at = option4(p, IPOPT_TS), end = at ? at + ip4(p)[at + 1] : 0;

	for (unsigned link = 0; at && link < LINKS; link++) {
		const struct seen *k = p->out[KERNEL][link].first;

		for (const struct seen *o = p->out[OURS][link].first; o || k;
		     o = o->next, k = k->next)
			if (!o || !k || k->len != o->len || k->len < ETH_HLEN + end ||
			    memcmp(k->b, o->b, ETH_HLEN + at) ||
			    memcmp(k->b + ETH_HLEN + end, o->b + ETH_HLEN + end,
				   k->len - ETH_HLEN - end))
				return false;
	}
	return at;
}

static bool stamp_address(const struct packet *p)
{
	return only_stamps_differ(p) &&
	       (ip4(p)[option4(p, IPOPT_TS) + 3] & 15) == IPOPT_TS_TSANDADDR;
}

static bool stamp_for_others(const struct packet *p)
{
	return only_stamps_differ(p) && (ip4(p)[option4(p, IPOPT_TS) + 3] & 15) == IPOPT_TS_PRESPEC;
}

/* The kernel complains about a label that it could not verify, or would if it might. */
static bool cipso(const struct packet *p)
{
	uint32_t at = option4(p, OPTION_CIPSO);
	const uint8_t *error = error_of(p, KERNEL);

	if (!at || kernel_is_silent(p))
		return at;
	return is_type(error, 12, 0) && error[4] >= at && error[4] < at + ip4(p)[at + 1];
}

static bool labels6(const struct packet *p)
{
	return kernel_is_silent(p) &&
	       (has_option6(p, OPTION_CALIPSO) || has_option6(p, OPTION_IOAM));
}

/* Rules judge datagrams by their first fragment. Here there is but one of each: it waits, or does
 * not fit to others, or does not tell its ports. */
static bool fragment_waits(const struct packet *p)
{
	return ours_is_silent(p) && (ip4(p) ? get16(ip4(p) + 6) & 0x3fff : chain(p).fragment);
}

static bool past_the_end(const struct packet *p)
{
	const uint8_t *h = ip4(p);

	return h && ours_is_silent(p) && frames(p, KERNEL) > 1 &&
	       (get16(h + 6) & 0x1fff) * 8 + get16(h + 2) > 65535;
}

static bool many_pieces(const struct packet *p)
{
	return ip4(p) && ours_is_silent(p) && frames(p, KERNEL) > 128;
}

/* ---- rows of the second kind: aspects of two errors */

static bool error_ecn(const struct packet *p)
{
	return aspects(p) & ASPECT_ECN;
}
static bool error_options(const struct packet *p)
{
	return aspects(p) & ASPECT_OPTIONS;
}
static bool error_quoted_options(const struct packet *p)
{
	return aspects(p) & ASPECT_QUOTED_OPTIONS;
}
static bool error_quoted_hops(const struct packet *p)
{
	return aspects(p) & ASPECT_QUOTED_HOPS;
}
static bool error_mtu(const struct packet *p)
{
	return aspects(p) & ASPECT_MTU;
}
static bool error_reject(const struct packet *p)
{
	return aspects(p) & ASPECT_REJECT;
}

/* Errors about routes have a limit of their own, for each source, that no sysctl of a namespace
 * raises. */
static bool limited(const struct packet *p)
{
	const uint8_t *error = error_of(p, OURS), *h = ip4(p);

	return h && kernel_is_silent(p) && error && error[0] == 3 && h[12] == 10 && h[13] == 0;
}

/* Its checksum is by chance the sum of the pseudo header. */
static bool unfinished_sum(const struct packet *p)
{
	const uint8_t *h = p->b + p->l3;
	struct chain c = chain(p);
	bool four = ip4(p) && (h[0] & 15) >= 5;
	uint32_t l4 = four ? (h[0] & 15) * 4u : c.l4;
	uint32_t len = (four ? get16(h + 2) : 40 + (ip6(p) ? get16(h + 4) : 0u)) - l4, src, dst;
	uint8_t proto = four ? h[9] : c.proto;
	uint64_t sum;
	uint16_t field;

	if ((!four && !ip6(p)) || (proto != 6 && proto != 17) || p->l3 + l4 + 18 > p->len ||
	    frames(p, KERNEL) != frames(p, OURS))
		return false;
	memcpy(&src, h + 12, sizeof(src));
	memcpy(&dst, h + 16, sizeof(dst));
	sum = four ? csum_pseudo4(src, dst, proto, (uint16_t)len)
		   : csum_pseudo6(h + 8, h + 24, proto, len);
	memcpy(&field, h + l4 + (proto == 6 ? 16 : 6), sizeof(field));
	return field == csum_fold(sum);
}

/* The address of all routers of a subnet, 2001:db8:aN::. */
static bool anycast(const struct packet *p)
{
	static const uint8_t zero[10];
	const uint8_t *to = ip6(p) ? ip6(p) + 24 : NULL;

	return to && !memcmp(to, "\x20\1\xd\xb8\0", 5) && (to[5] & 0xf0) == 0xa0 &&
	       !memcmp(to + 6, zero, sizeof(zero));
}

/* To a neighbour whom nobody knows, because bits were turned: that has a part of its own. */
static bool unresolved(const struct packet *p)
{
	for (unsigned side = 0; side < SIDES; side++)
		if (frames(p, side) && !is_type(error_of(p, side), p->six ? 1 : 3, p->six ? 3 : 1))
			return false;
	if (ip6(p))
		return !memcmp(ip6(p) + 24, "\x20\1\xd\xb8\0", 5) && (ip6(p)[29] & 0xf0) == 0xa0;
	return ip4(p) && ip4(p)[16] == 10 && ip4(p)[17] == 0;
}

/* clang-format off */
const struct difference differences[] = {
	{ martians, CLOSED, "martians", "D3, F4",
	  "0/8 and 240/4 are not forwarded" },
	{ broadcast_source, OFTEN, "broadcast source", "F4",
	  "a subnet's broadcast address is no source" },
	{ broadcast_back, OPEN, "broadcasts back", "F6",
	  "a directed broadcast does not leave by the link it came from" },
	{ broadcast_error, OPEN, "errors about broadcasts", "F10",
	  "are not sent" },
	{ martians6, OFTEN, "martians of IPv6", "G21",
	  "::, ::1 and mapped addresses are not forwarded" },
	{ link_locals, OFTEN, "link-local", "G21",
	  "never forwarded, nor back to its own link as the kernel does" },
	{ routing_header_0, OFTEN, "routing header 0", "G21",
	  "dropped while it has segments left (RFC 5095)" },
	{ broken_chain, OFTEN, "chain", "G26",
	  "one that is too long, out of order or beyond the packet is dropped" },
	{ labels6, OFTEN, "IOAM and CALIPSO", "G26",
	  "options that we skip; the kernel verifies them" },
	{ source_route, CLOSED, "source route", "F7",
	  "dropped (RFC 7126); the kernel first complains about other options" },
	{ source_route_to_us, OPEN, "source routes by us", "F7",
	  "are for Linux, which forwards nothing here" },
	{ echo_fails, OFTEN, "errors that are not echoed", "F9",
	  "are sent; the kernel echoes options, and sends none where it cannot" },
	{ echo_diverts, SELDOM, "errors about source routes", "F9",
	  "go to the source; the kernel's back along the route" },
	{ stamp_address, OFTEN, "time stamps with addresses", "F7",
	  "have that of the link it leaves by, as a recorded route" },
	{ stamp_for_others, OFTEN, "time stamps of others", "F7",
	  "are theirs; the kernel writes one for any address that is no host's" },
	{ cipso, OFTEN, "CIPSO", "F7",
	  "an option that we do not know; the kernel verifies it" },
	{ fragment_waits, RULES, "fragments", "C29",
	  "wait for the first of their datagram, and must fit together" },
	{ past_the_end, OFTEN, "past the end", "F8",
	  "a fragment that reaches past 65535 is not cut further" },
	{ many_pieces, SELDOM, "many pieces", "F8",
	  "what would take more than 128 fragments is not cut" },
	{ perhaps_error, OFTEN, "no error about errors", "G23",
	  "nor about redirects and later fragments of ICMPv6" },
	{ error_ecn, OFTEN, "ECN of errors", "F9",
	  "none; the kernel copies a bit of it" },
	{ error_options, OFTEN, "options of errors", "F9",
	  "none; the kernel echoes some" },
	{ error_quoted_options, OFTEN, "quoted options", "F9",
	  "a quote is the packet as it came; the kernel has changed options" },
	{ error_quoted_hops, OFTEN, "quoted hops", "F9, G23",
	  "a quote is the packet as it came; the kernel may be one hop further" },
	{ error_mtu, OFTEN, "MTU of a route", "G22",
	  "told at once; the kernel first tells the link's if it is not locked" },
	{ limited, SELDOM, "limits", "F11",
	  "the kernel tells one host of its routes five times, and then each second" },
	{ unresolved, SELDOM, "neighbours", "F13, G24",
	  "when it is known that there is none is a matter of time" },
	{ anycast, SELDOM, "subnet-router anycast", "RFC 4291 2.6.1",
	  "is the local part of Linux's, which has it only where it forwards itself" },
	{ unfinished_sum, SELDOM, "unfinished sums", "HACKING",
	  "what looks like one of a Linux behind a veth is finished" },
	{ error_reject, OFTEN, "reject routes", "G24",
	  "1/6 for a route of type unreachable" },
};
/* clang-format on */
const unsigned ndifferences = sizeof(differences) / sizeof(differences[0]);
