/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Well-formed packets of every kind that a router forwards: UDP, TCP, ICMP and its errors, other
 * protocols, with IPv4 options and IPv6 extension headers, in VLANs, whole and in fragments.
 *
 * A packet is appended to its frame from the front; lengths and checksums are filled in at the end.
 */
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#include "router/net/csum.h"
#include "tests/tools/storm/storm.h"

#define PORTS 64 /* few, so that flows meet again */

static uint8_t *put(struct frame *f, uint32_t n)
{
	uint8_t *at = f->b + f->len;

	memset(at, 0, n);
	f->len += n;
	return at;
}

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void put_noise(struct storm *s, struct frame *f, uint32_t n)
{
	uint8_t *at = put(f, n);

	for (uint32_t i = 0; i < n; i++)
		at[i] = (uint8_t)chance(s);
}

/* Most are small, some just fill the MTU, none is longer. */
static uint32_t payload_len(struct storm *s, const struct frame *f)
{
	uint32_t room = s->mtu - (f->len - f->l3);

	return one_in(s, 8) ? room - below(s, 4) : below(s, room < 200 ? room : 200);
}

/* ---- Ethernet */

static void ethernet(struct storm *s, struct frame *f)
{
	uint8_t *at = put(f, 12);

	memcpy(at, s->dst_mac, 6);
	memcpy(at + 6, s->src_mac, 6);
	if (one_in(s, 64))
		at[below(s, 6)] ^= (uint8_t)(1u << below(s, 8));
	if (one_in(s, 64)) {
		at = put(f, 4);
		put16(at, one_in(s, 2) ? 0x8100 : 0x88a8);
		put16(at + 2, below(s, 0x10000));
	}
	put16(put(f, 2), f->six ? 0x86dd : 0x0800);
	f->l3 = f->len;
}

/* ---- IP: what follows is told by the last `next` field */

static uint8_t *options4(struct storm *s, struct frame *f)
{
	static const uint8_t kinds[] = { 1, 7, 68, 131, 137, 148, 136, 0 };
	uint32_t n = 4 * (1 + below(s, 9));
	uint8_t *at = put(f, n), *end = at + n;

	while (at < end) {
		uint8_t kind = kinds[below(s, sizeof(kinds))];
		uint32_t len = kind < 2 ? 1 : kind == 148 ? 4 : 3 + 4 * below(s, 4);

		if (at + len > end)
			break; /* what is left is zero: end of list */
		at[0] = kind;
		if (len > 1) {
			at[1] = (uint8_t)len;
			at[2] = len > 4 ? 4 : 0;
		}
		at += len;
	}
	return end;
}

static uint8_t *header4(struct storm *s, struct frame *f, const struct addr *from,
			const struct addr *to)
{
	uint8_t *h = put(f, 20), *end = h + 20;

	if (one_in(s, 12))
		end = options4(s, f);
	h[0] = (uint8_t)(0x40 | (end - h) / 4);
	h[1] = one_in(s, 4) ? (uint8_t)chance(s) : 0;
	put16(h + 4, below(s, 0x10000));
	put16(h + 6, one_in(s, 2) ? 0x4000 : 0);
	h[8] = one_in(s, 16) ? (uint8_t)below(s, 3) : 64;
	memcpy(h + 12, from->bytes, 4);
	memcpy(h + 16, to->bytes, 4);
	return h + 9;
}

static uint8_t *extensions6(struct storm *s, struct frame *f, uint8_t *next)
{
	static const uint8_t kinds[] = { IPPROTO_DSTOPTS, IPPROTO_ROUTING,    IPPROTO_FRAGMENT,
					 IPPROTO_DSTOPTS, 135 /* mobility */, 51 /* AH */ };
	unsigned n = 1 + below(s, 4);

	for (unsigned i = 0; i < n; i++) {
		uint8_t kind =
			i == 0 && one_in(s, 2) ? IPPROTO_HOPOPTS : kinds[below(s, sizeof(kinds))];
		uint32_t units = kind == IPPROTO_FRAGMENT ? 0 : below(s, 3);
		uint8_t *h = put(f, 8 * (units + 1));

		*next = kind;
		next = h;
		if (kind == 51) /* its length is in words of four bytes, less two */
			h[1] = (uint8_t)(2 * units);
		else
			h[1] = (uint8_t)units;
		if (kind == IPPROTO_HOPOPTS || kind == IPPROTO_DSTOPTS) {
			h[2] = 1; /* PadN over all of it */
			h[3] = (uint8_t)(8 * units + 4);
		}
		if (kind == IPPROTO_ROUTING)
			h[2] = (uint8_t)below(s, 5);
	}
	return next;
}

static uint8_t *header6(struct storm *s, struct frame *f, const struct addr *from,
			const struct addr *to)
{
	uint8_t *h = put(f, 40);

	h[0] = 0x60;
	if (one_in(s, 4))
		h[1] = (uint8_t)chance(s);
	h[7] = one_in(s, 16) ? (uint8_t)below(s, 3) : 64;
	memcpy(h + 8, from->bytes, 16);
	memcpy(h + 24, to->bytes, 16);
	return one_in(s, 12) ? extensions6(s, f, h + 6) : h + 6;
}

/* ---- what is carried */

static unsigned port(struct storm *s)
{
	return 7000 + below(s, PORTS);
}

static uint8_t udp(struct storm *s, struct frame *f)
{
	uint8_t *h = put(f, 8);

	put16(h, port(s));
	put16(h + 2, one_in(s, 2) ? 7000 : port(s)); /* 7000: a server that answers */
	put_noise(s, f, payload_len(s, f));
	put16(h + 4, f->len - f->l4);
	return IPPROTO_UDP;
}

static uint8_t tcp(struct storm *s, struct frame *f)
{
	static const uint8_t flags[] = { TH_SYN,	   TH_SYN | TH_ACK, TH_ACK,
					 TH_ACK | TH_PUSH, TH_FIN | TH_ACK, TH_RST,
					 TH_RST | TH_ACK };
	uint32_t options = one_in(s, 2) ? 4 * below(s, 5) : 0;
	uint8_t *h = put(f, 20);

	put16(h, port(s));
	put16(h + 2, one_in(s, 2) ? 7000 : port(s));
	put16(h + 6, below(s, 0x1000));
	put16(h + 10, one_in(s, 2) ? 0 : below(s, 0x1000));
	h[12] = (uint8_t)((20 + options) << 2);
	h[13] = one_in(s, 8) ? (uint8_t)chance(s) : flags[below(s, sizeof(flags))];
	put16(h + 14, 0x2000);
	memset(put(f, options), 1, options); /* no operation */
	if (options >= 4 && h[13] & TH_SYN)
		memcpy(h + 20, "\2\4\5\264", 4); /* MSS 1460 */
	if (h[13] & (TH_PUSH | TH_ACK))
		put_noise(s, f, payload_len(s, f));
	return IPPROTO_TCP;
}

static uint8_t echo(struct storm *s, struct frame *f)
{
	uint8_t *h = put(f, 8);

	h[0] = f->six ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	if (one_in(s, 4)) /* an answer that nobody has asked for */
		h[0] = f->six ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
	put16(h + 4, port(s));
	put16(h + 6, below(s, 100));
	put_noise(s, f, payload_len(s, f));
	return f->six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

/* An error about a packet that was sent before, its addresses turned round or not. */
static uint8_t error(struct storm *s, struct frame *f)
{
	const struct frame *past = &s->past[below(s, STORM_PAST)];
	uint32_t size = f->six ? 16 : 4, at = f->six ? 8 : 12, quote;
	uint8_t *h = put(f, 8), *q;

	h[0] = f->six ? (uint8_t)(1 + below(s, 4)) : (uint8_t[]){ 3, 4, 5, 11, 12 }[below(s, 5)];
	h[1] = (uint8_t)below(s, 6);
	if (one_in(s, 2))
		put16(h + 6, 576 + below(s, 1000));
	if (past->six == f->six && past->len > past->l3 + at + 2 * size) {
		quote = past->len - past->l3;
		if (quote > 100)
			quote = one_in(s, 2) ? 100 : below(s, 60) + 40;
		q = put(f, quote);
		memcpy(q, past->b + past->l3, quote);
		if (one_in(s, 2) && quote >= at + 2 * size) {
			memcpy(q + at, past->b + past->l3 + at + size, size);
			memcpy(q + at + size, past->b + past->l3 + at, size);
		}
	}
	return f->six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

static uint8_t other(struct storm *s, struct frame *f)
{
	static const uint8_t protocols[] = { 47, 50, 132, 136, 4, 41, 103, 59, 255, 0 };

	put_noise(s, f, 12 + below(s, 100));
	return protocols[below(s, sizeof(protocols))];
}

static void checksums(struct storm *s, struct frame *f, const struct addr *from,
		      const struct addr *to, uint8_t proto)
{
	uint32_t len = f->len - f->l4, at = proto == IPPROTO_UDP   ? 6
					    : proto == IPPROTO_TCP ? 16
								   : 2;
	uint64_t sum = 0;
	uint16_t field;

	if (!f->six) {
		put16(f->b + f->l3 + 2, f->len - f->l3);
		storm_mend(f);
	} else {
		put16(f->b + f->l3 + 4, f->len - f->l3 - 40);
	}
	if ((proto != IPPROTO_UDP && proto != IPPROTO_TCP && proto != IPPROTO_ICMP &&
	     proto != IPPROTO_ICMPV6) ||
	    len < at + 2)
		return;
	if (f->six)
		sum = csum_pseudo6(from->bytes, to->bytes, proto, len);
	else if (proto != IPPROTO_ICMP)
		sum = csum_pseudo4(from->v4, to->v4, proto, (uint16_t)len);
	field = (uint16_t)~csum_fold(csum_add(f->b + f->l4, len, sum));
	if (one_in(s, 40))
		field ^= 1;
	memcpy(f->b + f->l4 + at, &field, 2);
}

/* ---- fragments */

/* The bytes [start, start + n) of the payload of `whole` behind its first header, as a packet. */
static void piece(struct frame *f, const struct frame *whole, uint32_t hlen, uint32_t start,
		  uint32_t n, uint32_t ident)
{
	uint32_t head = whole->l3 + hlen;
	bool more = head + start + n < whole->len;

	f->six = whole->six;
	f->l3 = whole->l3;
	f->len = 0;
	memcpy(put(f, head), whole->b, head);
	if (f->six) {
		uint8_t *h = put(f, 8);

		h[0] = f->b[f->l3 + 6];
		f->b[f->l3 + 6] = IPPROTO_FRAGMENT;
		put16(h + 2, start | more);
		memcpy(h + 4, &ident, 4);
	} else {
		put16(f->b + f->l3 + 6, start >> 3 | (more ? 0x2000u : 0));
	}
	f->l4 = f->len;
	memcpy(put(f, n), whole->b + head + start, n);
	if (f->six) {
		put16(f->b + f->l3 + 4, f->len - f->l3 - 40);
	} else {
		put16(f->b + f->l3 + 2, f->len - f->l3);
		storm_mend(f);
	}
}

/* In order or out of it, sometimes with one missing, twice, or over another. */
static unsigned fragments(struct storm *s, struct frame *f, const struct frame *whole)
{
	uint32_t hlen = whole->six ? 40 : (whole->b[whole->l3] & 15) * 4u;
	uint32_t size = whole->len - whole->l3 - hlen, step = 8 * (1 + below(s, 80)), n = 0;
	uint32_t ident = (uint32_t)chance(s);

	if (step < size / (STORM_PIECES - 1))
		step = (size / (STORM_PIECES - 1) + 8) & ~7u;
	for (uint32_t at = 0; at < size && n < STORM_PIECES; at += step) {
		uint32_t len = size - at < step ? size - at : step;

		if (one_in(s, 20))
			continue;
		if (one_in(s, 20) && at + len + 8 <= size)
			len += 8;
		piece(&f[n++], whole, hlen, at, len, ident);
	}
	for (uint32_t i = 1; i < n && one_in(s, 2); i++) {
		struct frame swap = f[i];
		uint32_t k = below(s, i);

		f[i] = f[k];
		f[k] = swap;
	}
	return n;
}

/* ---- all of it */

static const struct addr *host(struct storm *s, const struct addr *a, unsigned n, uint8_t family)
{
	unsigned i = below(s, n);

	while (a[i].family != family)
		i = (i + 1) % n;
	return &a[i];
}

unsigned storm_packet(struct storm *s, struct frame *f)
{
	static uint8_t (*const kinds[])(struct storm *, struct frame *) = { udp,  udp,	 tcp,
									    tcp,  tcp,	 echo,
									    echo, error, other };
	struct frame whole = { .six = one_in(s, 2) };
	uint8_t family = whole.six ? AF_INET6 : AF_INET, *next;
	const struct addr *from = host(s, s->from, s->nfrom, family);
	const struct addr *to = host(s, s->to, s->nto, family);

	ethernet(s, &whole);
	next = whole.six ? header6(s, &whole, from, to) : header4(s, &whole, from, to);
	whole.l4 = whole.len;
	*next = kinds[below(s, sizeof(kinds) / sizeof(kinds[0]))](s, &whole);
	checksums(s, &whole, from, to, *next);
	s->past[s->npast++ % STORM_PAST] = whole;
	if (get16(whole.b + whole.l3 - 2) == (whole.six ? 0x86ddu : 0x0800u) && one_in(s, 10) &&
	    whole.len - whole.l4 > 64)
		return fragments(s, f, &whole);
	f[0] = whole;
	return 1;
}
