/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual reassembly by itself, for its tests and its fuzz target: frames, two workers with a clock
 * of the test's, and a table. Fragments are made from a few numbers, go in by frag_send(), and what
 * comes out is listed; frag_lab_close() looks where every frame went. Fails by assert().
 */
#ifndef TESTS_FRAG_LAB_H
#define TESTS_FRAG_LAB_H

#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "router/lib/clock.h"
#include "router/net/frag.h"
#include "router/net/parse.h"

#ifndef LAB_FRAMES
#define LAB_FRAMES 4096u
#endif
#define LAB_SHIFT   11
#define LAB_WORKERS 2u
#define LAB_SENT    256u
#define LAB_TIMEOUT (2 * NSEC_PER_SEC)

/* A fragment that went on. */
struct lab_sent {
	uint32_t tag;
	uint32_t start, end;
	struct frag_ports ports;
};

struct lab_worker {
	struct dp dp; /* first: the callbacks have nothing else */
	struct dp_counters count;
	struct frag_lab *lab;
	uint64_t made, gone;
	uint32_t cursor; /* where a free frame is looked for */
	unsigned nsent;
	struct lab_sent sent[LAB_SENT]; /* a ring */
};

struct frag_lab {
	struct frags *f;
	uint8_t *base;
	uint8_t used[LAB_FRAMES]; /* atomic */
	struct lab_worker *w[LAB_WORKERS];
};

/* What a fragment is made from. */
struct spec {
	bool six;
	uint32_t src; /* host; IPv6: /64 in the upper 16 bits, host in the lower */
	uint32_t id;
	uint16_t zone;
	uint8_t proto;
	uint32_t start, len; /* of data; len counts from behind the fragment header */
	bool more;
	uint32_t tag;	  /* in the IPv6 flow label or TOS: tells two with the same offset apart */
	uint8_t before;	  /* IPv6: extension headers of 8 bytes before the fragment header */
	uint8_t after;	  /* and after it, in the first fragment */
	uint8_t data[24]; /* the data begins with it; all zero: a transport header that is fine */
};

static inline uint32_t lab_frame(const struct frag_lab *l, const uint8_t *data)
{
	return (uint32_t)((data - l->base) >> LAB_SHIFT);
}

static inline void lab_free(struct dp *dp, const uint8_t *data)
{
	struct lab_worker *w = (struct lab_worker *)dp;
	uint8_t was =
		__atomic_exchange_n(&w->lab->used[lab_frame(w->lab, data)], 0, __ATOMIC_ACQ_REL);

	assert(was == 1);
}

static inline uint8_t *lab_alloc(struct lab_worker *w)
{
	for (uint32_t i = 0; i < LAB_FRAMES; i++) {
		uint32_t n = w->cursor++ % LAB_FRAMES;

		if (!__atomic_exchange_n(&w->lab->used[n], 1, __ATOMIC_ACQ_REL))
			return w->lab->base + ((size_t)n << LAB_SHIFT) + HEADROOM;
	}
	abort();
}

static inline struct frag_lab *frag_lab_open(const struct frags_config *c)
{
	struct frag_lab *l = calloc(1, sizeof(*l));

	assert(l);
	l->base = aligned_alloc(1 << LAB_SHIFT, (size_t)LAB_FRAMES << LAB_SHIFT);
	assert(l->base && frags_create(c, &l->f) == 0);
	for (unsigned i = 0; i < LAB_WORKERS; i++) {
		struct lab_worker *w = l->w[i] = calloc(1, sizeof(*w));

		assert(w);
		w->lab = l;
		w->cursor = i * (LAB_FRAMES / LAB_WORKERS);
		w->dp.base = l->base;
		w->dp.frame_shift = LAB_SHIFT;
		w->dp.count = &w->count;
		w->dp.worker = i;
		w->dp.now = 1000 * NSEC_PER_SEC;
		w->dp.free = lab_free;
	}
	return l;
}

static inline uint64_t lab_drops(const struct frag_lab *l, enum drop_reason why)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < LAB_WORKERS; i++)
		n += l->w[i]->count.drop[why];
	return n;
}

static inline uint64_t lab_drops_all(const struct frag_lab *l)
{
	uint64_t n = 0;

	for (unsigned why = 0; why < DROP__COUNT; why++)
		n += lab_drops(l, (enum drop_reason)why);
	return n;
}

/* Every frame is free or waits; every packet went on, was dropped or waits. */
static inline void frag_lab_check(const struct frag_lab *l)
{
	uint64_t made = 0, gone = 0, used = 0;
	struct frag_stats s;

	frags_stats(l->f, &s);
	for (unsigned i = 0; i < LAB_WORKERS; i++) {
		made += l->w[i]->made;
		gone += l->w[i]->gone;
	}
	for (uint32_t i = 0; i < LAB_FRAMES; i++)
		used += l->used[i];
	assert(used == s.held && frags_held(l->f) == s.held);
	assert(made == gone + lab_drops_all(l) + s.held);
	assert(gone == s.known);
}

static inline void lab_drop(void *arg, struct pkt *p)
{
	struct frag_lab *l = arg;

	lab_free(&l->w[0]->dp, p->l3);
}

static inline void frag_lab_close(struct frag_lab *l)
{
	frag_lab_check(l);
	frags_destroy(l->f, lab_drop, l);
	for (uint32_t i = 0; i < LAB_FRAMES; i++)
		assert(!l->used[i]);
	for (unsigned i = 0; i < LAB_WORKERS; i++)
		free(l->w[i]);
	free(l->base);
	free(l);
}

/* ---- packets */

/* A transport header that is fine, in 24 bytes. */
static inline void lab_transport(uint8_t proto, uint8_t data[24])
{
	memcpy(data, "\x04\x00\x00\x35", 4); /* 1024 to 53 */
	switch (proto) {
	case IPPROTO_TCP: data[12] = 0x50; break;
	case IPPROTO_UDP: data[4] = 0x10; break;
	case IPPROTO_ICMP: memcpy(data, "\x08\x00\x00\x00\x12\x34\x00\x01", 8); break;
	case IPPROTO_ICMPV6: memcpy(data, "\x80\x00\x00\x00\x12\x34\x00\x01", 8); break;
	default: break;
	}
}

static inline uint8_t *lab_header4(const struct spec *s, struct pkt *p)
{
	struct ip4_header *h = pkt_ip4(p);

	*h = (struct ip4_header){ .ver_ihl = 0x45,
				  .tos = (uint8_t)s->tag,
				  .len = htons((uint16_t)(IP4_HLEN + s->len)),
				  .id = htons((uint16_t)s->id),
				  .frag = htons((uint16_t)(s->start / 8 | (s->more ? IP4_MF : 0))),
				  .ttl = 64,
				  .proto = s->proto,
				  .src = htonl(0x0a000000 + s->src),
				  .dst = htonl(0xc6336401) };
	p->len = (uint16_t)(IP4_HLEN + s->len);
	return p->l3 + IP4_HLEN;
}

/* Destination options of nothing but padding. */
static inline uint8_t *lab_extension(uint8_t *at, uint8_t next)
{
	memcpy(at, (uint8_t[]){ next, 0, 1, 4, 0, 0, 0, 0 }, 8);
	return at + 8;
}

static inline uint8_t *lab_header6(const struct spec *s, struct pkt *p)
{
	struct ip6_header *h = pkt_ip6(p);
	uint8_t *at = p->l3 + IP6_HLEN, inner = s->after && !s->start ? 60 : s->proto;
	struct ip6_fragment f = { .next = inner,
				  .offset = htons((uint16_t)(s->start | s->more)),
				  .id = htonl(s->id) };

	*h = (struct ip6_header){
		.ver_tc_flow = htonl(0x60000000 | (s->tag & 0xff)),
		.plen = htons((uint16_t)(8u * s->before + 8 + s->len)),
		.next = s->before ? 60 : 44,
		.hops = 64,
		.src = { 0x20, 1, 0xd,
			 0xb8, [6] = (uint8_t)(s->src >> 24), [7] = (uint8_t)(s->src >> 16),
			 [14] = (uint8_t)(s->src >> 8), [15] = (uint8_t)s->src },
		.dst = { 0x20, 1, 0xd, 0xb8, [4] = 1, [15] = 1 }
	};
	for (unsigned i = 0; i < s->before; i++)
		at = lab_extension(at, i + 1u == s->before ? 44 : 60);
	memcpy(at, &f, sizeof(f));
	at += sizeof(f);
	p->flags = PKT_IP6;
	p->len = (uint16_t)(at - p->l3 + s->len);
	for (unsigned i = 0; i < s->after && !s->start; i++)
		at = lab_extension(at, i + 1u == s->after ? s->proto : 60);
	return at;
}

/* False: the parser would not let it by. */
static inline bool lab_make(struct lab_worker *w, const struct spec *s, struct pkt *p)
{
	static const uint8_t none[sizeof(s->data)];
	uint8_t data[sizeof(s->data)], *at, *end;

	*p = (struct pkt){ .l3 = lab_alloc(w) };
	memcpy(data, s->data, sizeof(data));
	if (!s->start && !memcmp(data, none, sizeof(data)))
		lab_transport(s->proto, data);
	at = s->six ? lab_header6(s, p) : lab_header4(s, p);
	end = p->l3 + p->len;
	if (at < end)
		memcpy(at, data,
		       (size_t)(end - at) < sizeof(data) ? (size_t)(end - at) : sizeof(data));
	if (parse_transport(p) && p->flags & PKT_FRAGMENT)
		return true;
	lab_free(&w->dp, p->l3);
	return false;
}

static inline uint32_t lab_tag(const struct pkt *p)
{
	return p->flags & PKT_IP6 ? ntohl(pkt_ip6(p)->ver_tc_flow) & 0xff : pkt_ip4(p)->tos;
}

/* What it covers. */
static inline void lab_extent(const struct pkt *p, uint32_t *start, uint32_t *end)
{
	const struct ip6_fragment *f;
	uint32_t at = IP4_HLEN;

	if (p->flags & PKT_IP6) {
		at = parse_fragment6(p);
		f = (const struct ip6_fragment *)(p->l3 + at);
		at += (uint32_t)sizeof(*f);
		*start = ntohs(f->offset) & 0xfff8;
	} else {
		*start = (ntohs(pkt_ip4(p)->frag) & IP4_OFFSET) * 8u;
	}
	*end = *start + p->len - at;
}

/* It goes on: listed, rewritten beyond recognition, and its frame free. */
static inline void lab_forward(struct lab_worker *w, struct pkt *p, const struct frag_ports *ports)
{
	struct lab_sent *s = &w->sent[w->nsent % LAB_SENT];

	*s = (struct lab_sent){ .tag = lab_tag(p), .ports = *ports };
	lab_extent(p, &s->start, &s->end);
	w->nsent++;
	w->gone++;
	memset(p->l3, 0xff, IP4_HLEN);
	lab_free(&w->dp, p->l3);
}

/* ---- what a worker does */

/* Without what follows a first fragment. */
static inline enum frag_verdict frag_send_only(struct lab_worker *w, const struct spec *s,
					       struct frag_ports *out)
{
	enum frag_verdict v;
	struct pkt p;

	if (!lab_make(w, s, &p))
		return FRAG_DROPPED;
	w->made++;
	v = frag_input(w->lab->f, &w->dp, &p, s->zone, out);
	if (v == FRAG_KNOWN)
		lab_forward(w, &p, out);
	return v;
}

static inline void frag_send_waiting(struct lab_worker *w, const struct frag_ports *first)
{
	struct frag_ports ports = *first;
	struct pkt p;

	ports.first = false;
	while (frag_waiting(w->lab->f, &w->dp, first, &p))
		lab_forward(w, &p, &ports);
}

static inline enum frag_verdict frag_send(struct lab_worker *w, const struct spec *s)
{
	struct frag_ports ports;
	enum frag_verdict v = frag_send_only(w, s, &ports);

	if (v == FRAG_KNOWN && ports.first)
		frag_send_waiting(w, &ports);
	return v;
}

/* ---- what tests say */

static inline struct frag_lab *lab_of(uint32_t max, uint32_t per_source, uint32_t held)
{
	struct frags_config c = { .max = max,
				  .per_source = per_source,
				  .held = held,
				  .timeout = LAB_TIMEOUT,
				  .key = "0123456789abcde" };

	return frag_lab_open(&c);
}

static inline struct frag_lab *lab_default(void)
{
	return lab_of(1024, 64, 512);
}

static inline struct frag_stats stats_of(const struct frag_lab *l)
{
	struct frag_stats s;

	frags_stats(l->f, &s);
	return s;
}

static inline struct spec udp(bool six, uint32_t start, uint32_t len, bool more)
{
	return (struct spec){ .six = six,
			      .src = 1,
			      .id = 77,
			      .proto = IPPROTO_UDP,
			      .start = start,
			      .len = len,
			      .more = more,
			      .tag = start / 8 };
}

/* So many, for this alone. */
static inline void expect_dropped(struct frag_lab *l, enum drop_reason why, uint64_t n)
{
	assert(lab_drops(l, why) == n);
	assert(lab_drops_all(l) == n);
}

#endif
