/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets through the NAT of the router of pipe_flows.h. A packet is said by its tuple and built
 * whole from it, all checksums by the definition; what translation makes of it must be, bit by bit,
 * the packet that is built from the translated tuple. So it is with errors and what they quote.
 *
 * Inside are the hosts .2 to .5 of interfaces 0 and 2, outside is interface 1: the router is .1
 * there, and servers are behind its neighbour .2 (VIA_OUT of pipe.h).
 */
#ifndef TESTS_UNIT_PIPE_NAT_H
#define TESTS_UNIT_PIPE_NAT_H

#include "tests/unit/pipe_flows.h"

enum { INSIDE, OUTSIDE, INSIDE2 };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 }; /* as in the TCP header */

#define NET_INSIDE "[10.0.0.0/24, 10.0.2.0/24, '2001:db8::/64', '2001:db8:2::/64']"
/* A source rule: the router's address outside. */
#define MASQUERADE(options)                                                                        \
	"nat: {source: [{name: home, from: " NET_INSIDE ", out: p1, action: masquerade" options    \
	"}]}\n"
#define POOL(pool, options)                                                                        \
	"nat: {source: [{name: home, from: " NET_INSIDE ", out: p1, pool: " pool options "}]}\n"

/* Or the check of a file says that nothing leads to the targets of its rules. */
#define ROUTES                                                                                     \
	"routing: {routes: [{to: default, via: 10.0.1.2, dev: p1}, {to: default, via: "            \
	"'2001:db8:1::2', dev: p1}]}\n"

struct packet {
	struct addr src, dst;
	uint16_t sport, dport; /* host order; of a query the id is sport */
	uint8_t proto;
	uint8_t icmp; /* type of a query */
	uint8_t tcp;  /* flags */
	uint32_t seq, ack;
	uint16_t mss;  /* 0: no option */
	unsigned data; /* bytes behind the transport header */
	uint8_t fill;  /* another content */
	uint16_t id;   /* 0: 4711 */
	bool df;       /* IPv4 */
	uint8_t ttl;   /* 0: 64 */
	uint8_t tos;
	bool no_csum;	       /* UDP */
	unsigned cut_at, kept; /* a fragment: so many bytes of transport from here on; 0: whole */
};

/* ---- who is who */

static inline struct addr inside(bool six, unsigned host)
{
	return on_link(six, INSIDE, host);
}

static inline struct addr server(bool six, unsigned n)
{
	return six ? net6(VIA_OUT, n) : net4(172, VIA_OUT, 0, n);
}

/* The router's own address outside, which masquerading makes the source. */
static inline struct addr router(bool six)
{
	return on_link(six, OUTSIDE, 1);
}

/* Outside addresses that are nobody's. */
static inline struct addr outside(bool six, unsigned n)
{
	return six ? net6(0xcb, n) : net4(203, 0, 113, n);
}

/* The neighbour through whom the router reaches this address. */
static inline unsigned neighbour_of(const struct addr *a)
{
	if (a->family == AF_INET)
		return a->bytes[0] == 10 && a->bytes[1] == 0 ? a->bytes[3] : 2;
	return a->bytes[4] == 0 && a->bytes[5] < PIPE_IFACES ? a->bytes[15] : 2;
}

static inline void nat_open(struct pipe_flows *f, const char *yaml)
{
	struct nh local = { .type = NH_LOCAL };

	flows_open(f, yaml);
	for (unsigned i = 0; i < PIPE_PORTS; i++)
		pipe_route(&f->p, on_link(true, i, 1), 128, pipe_nh(&f->p, 0, &local, 0));
	for (unsigned host = 3; host <= 5; host++)
		for (unsigned i = 0; i < 4; i++)
			pipe_learn(&f->p, i & 2, on_link(i & 1, i & 2, host), NH_RESOLVED, 0);
}

/* ---- packets */

static inline bool is_query(const struct packet *k)
{
	return k->proto == IPPROTO_ICMP || k->proto == IPPROTO_ICMPV6;
}

static inline struct packet udp(struct addr src, unsigned sport, struct addr dst, unsigned dport)
{
	return (struct packet){ .src = src,
				.dst = dst,
				.sport = (uint16_t)sport,
				.dport = (uint16_t)dport,
				.proto = IPPROTO_UDP,
				.data = 92 };
}

static inline struct packet tcp(struct addr src, unsigned sport, struct addr dst, unsigned dport,
				unsigned flags, uint32_t seq, uint32_t ack)
{
	struct packet k = udp(src, sport, dst, dport);

	k.proto = IPPROTO_TCP;
	k.tcp = (uint8_t)flags;
	k.seq = seq;
	k.ack = ack;
	k.data = 0;
	return k;
}

static inline struct packet echo(struct addr src, struct addr dst, unsigned id)
{
	bool six = src.family == AF_INET6;
	struct packet k = udp(src, id, dst, 0);

	k.proto = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	k.icmp = six ? 128 : 8;
	return k;
}

/* Of a protocol that has no ports to the router. */
static inline struct packet opaque(struct addr src, struct addr dst, unsigned proto)
{
	return (struct packet){ .src = src, .dst = dst, .proto = (uint8_t)proto, .data = 64 };
}

/* TCP: flags and numbers are to be set. */
static inline struct packet answer(const struct packet *k)
{
	struct packet a = *k;

	a.src = k->dst;
	a.dst = k->src;
	if (is_query(k)) {
		a.icmp = k->icmp == 128 ? 129 : 0;
		return a;
	}
	a.sport = k->dport;
	a.dport = k->sport;
	return a;
}

static inline unsigned make_transport(uint8_t *t, const struct packet *k)
{
	unsigned hlen = k->proto == IPPROTO_UDP	  ? 8
			: is_query(k)		  ? 8
			: k->proto == IPPROTO_TCP ? (k->mss ? 24 : 20)
						  : 0;
	uint32_t seq = htonl(k->seq), ack = htonl(k->ack);

	for (unsigned i = 0; i < hlen + k->data; i++)
		t[i] = (uint8_t)(i * 7 + (i >> 8) + 3 + k->fill);
	if (k->proto == IPPROTO_UDP || k->proto == IPPROTO_TCP || k->proto == IPPROTO_SCTP) {
		put16(t, k->sport);
		put16(t + 2, k->dport);
	}
	if (k->proto == IPPROTO_UDP)
		put16(t + 4, 8 + k->data);
	if (k->proto == IPPROTO_TCP) {
		memcpy(t + 4, &seq, 4);
		memcpy(t + 8, &ack, 4);
		t[12] = (uint8_t)(hlen / 4 << 4);
		t[13] = k->tcp;
		put16(t + 14, 8000);
		put16(t + 18, 0);
		if (k->mss)
			put16(t + 20, 0x0204);
		if (k->mss)
			put16(t + 22, k->mss);
	}
	if (is_query(k)) {
		put16(t, k->icmp << 8);
		put16(t + 4, k->sport);
	}
	return hlen + k->data;
}

/* Over the transport of l3, whose header is hlen long; at: of the field. */
static inline void make_checksum(uint8_t *l3, unsigned hlen, unsigned len, unsigned proto,
				 unsigned at)
{
	unsigned sum;

	put16(l3 + hlen + at, 0);
	sum = proto == IPPROTO_ICMP ? plain_sum(l3 + hlen, len, 0)
				    : transport_sum(l3, hlen, hlen + len, proto);
	sum = ~sum & 0xffff;
	put16(l3 + hlen + at, sum || proto != IPPROTO_UDP ? sum : 0xffff);
}

static inline unsigned make_header(uint8_t *b, const struct packet *k, unsigned len)
{
	uint8_t ttl = k->ttl ? k->ttl : 64;

	if (k->dst.family == AF_INET6) {
		struct ip6_header h = { .ver_tc_flow = htonl(6u << 28 | (uint32_t)k->tos << 20),
					.plen = htons((uint16_t)len),
					.next = k->proto,
					.hops = ttl };

		memcpy(h.src, k->src.bytes, 16);
		memcpy(h.dst, k->dst.bytes, 16);
		memcpy(b, &h, 40);
		return 40;
	}
	memcpy(b,
	       &(struct ip4_header){ .ver_ihl = 0x45,
				     .tos = k->tos,
				     .len = htons((uint16_t)(20 + len)),
				     .id = htons(k->id ? k->id : 4711),
				     .frag = htons(k->df ? IP4_DF : 0),
				     .ttl = ttl,
				     .proto = k->proto,
				     .src = k->src.v4,
				     .dst = k->dst.v4 },
	       20);
	return 20;
}

static inline void header_sum4(uint8_t *l3)
{
	put16(l3 + 10, 0);
	put16(l3 + 10, ~plain_sum(l3, 20, 0) & 0xffff);
}

/* Leave only a piece of the packet of `len` bytes of transport. */
static inline unsigned cut(uint8_t *b, unsigned hlen, unsigned len, const struct packet *k)
{
	unsigned more = k->cut_at + k->kept < len;

	if (k->dst.family == AF_INET) {
		memmove(b + hlen, b + hlen + k->cut_at, k->kept);
		put16(b + 2, hlen + k->kept);
		put16(b + 6, more << 13 | k->cut_at / 8);
		return hlen + k->kept;
	}
	memmove(b + hlen + 8, b + hlen + k->cut_at, k->kept);
	b[hlen] = k->proto;
	b[hlen + 1] = 0;
	put16(b + hlen + 2, k->cut_at | more);
	put16(b + hlen + 4, 0);
	put16(b + hlen + 6, k->id ? k->id : 4711);
	put16(b + 4, 8 + k->kept);
	b[6] = 44;
	return hlen + 8 + k->kept;
}

/* Returns its length. */
static inline unsigned make_packet(uint8_t *b, const struct packet *k)
{
	unsigned hlen = k->dst.family == AF_INET6 ? 40 : 20;
	unsigned len = make_transport(b + hlen, k), total = hlen + len;
	unsigned at = k->proto == IPPROTO_TCP ? 16 : k->proto == IPPROTO_UDP ? 6 : 2;

	make_header(b, k, len);
	if (k->proto == IPPROTO_TCP || k->proto == IPPROTO_UDP || is_query(k))
		make_checksum(b, hlen, len, k->proto, at);
	if (k->no_csum)
		put16(b + hlen + 6, 0);
	if (k->kept)
		total = cut(b, hlen, len, k);
	if (hlen == 20)
		header_sum4(b);
	return total;
}

/* ---- on the wire */

static inline unsigned ether_type(const uint8_t *l3)
{
	return l3[0] >> 4 == 6 ? 0x86dd : 0x0800;
}

static inline void frame_of_bytes(struct frame *f, unsigned iface, const uint8_t *l3, unsigned len)
{
	memset(f, 0, sizeof(*f));
	frame_link(f, ether_type(l3));
	f->port = iface;
	f->b[5] = (uint8_t)iface; /* the router's address there */
	memcpy(f->b + f->l3, l3, len);
	f->len = f->l3 + len;
}

static inline void frame_of(struct frame *f, unsigned iface, const struct packet *k)
{
	uint8_t b[FRAME_ROOM];

	frame_of_bytes(f, iface, b, make_packet(b, k));
}

static inline void expect_bytes(struct pipe *p, unsigned iface, unsigned host, const uint8_t *l3,
				unsigned len)
{
	struct frame want;

	frame_envelope(&want, iface, host, l3, len, ether_type(l3));
	expect_frame(p, iface, &want);
}

/* k, one hop further. */
static inline void expect_packet(struct pipe *p, unsigned iface, const struct packet *k)
{
	struct packet left = *k;
	uint8_t b[FRAME_ROOM];

	left.ttl = (uint8_t)((k->ttl ? k->ttl : 64) - 1);
	expect_bytes(p, iface, neighbour_of(&k->dst), b, make_packet(b, &left));
}

static inline void send_packet(struct pipe_flows *f, unsigned iface, const struct packet *k)
{
	struct frame in;

	frame_of(&in, iface, k);
	pipe_receive(&f->p, &in);
	worker_turn(f->p.w, f->p.now);
	flows_check(f);
}

/* ---- rows */

/* In by `from`, out by `to` as `want`, and nothing else. */
static inline void passes(struct pipe_flows *f, unsigned from, const struct packet *in, unsigned to,
			  const struct packet *want)
{
	uint64_t drops = pipe_drops_all(&f->p), made = f->p.w->count->generated;

	send_packet(f, from, in);
	for (unsigned i = 0; i < DROP__COUNT && pipe_drops_all(&f->p) != drops; i++)
		if (f->p.w->count->drop[i])
			print_error("%s: %d\n", drop_info[i].name, (int)f->p.w->count->drop[i]);
	expect_packet(&f->p, to, want);
	pipe_quiet(&f->p);
	assert_int_equal(pipe_drops_all(&f->p), drops);
	assert_int_equal(f->p.w->count->generated, made);
}

static inline void dies(struct pipe_flows *f, unsigned from, const struct packet *in,
			enum drop_reason why)
{
	uint64_t before[DROP__COUNT], made = f->p.w->count->generated;

	memcpy(before, f->p.w->count->drop, sizeof(before));
	send_packet(f, from, in);
	expect_one_drop(&f->p, before, why);
	pipe_quiet(&f->p);
	assert_int_equal(f->p.w->count->generated, made);
}

/* In as `in`, out by `to` as `want` but from whatever address and port (of a query: with whatever
 * id), which are read from the packet. Returns it as it left. */
static inline struct packet leaves(struct pipe_flows *f, unsigned from, const struct packet *in,
				   unsigned to, const struct packet *want)
{
	uint64_t drops = pipe_drops_all(&f->p);
	bool six = want->dst.family == AF_INET6;
	struct packet out = *want;
	struct frame got, frame;
	uint8_t b[FRAME_ROOM];
	const uint8_t *l3 = got.b + 14, *l4 = l3 + (six ? 40 : 20);

	send_packet(f, from, in);
	assert_int_equal(pipe_drops_all(&f->p), drops);
	assert_true(pipe_sent(&f->p, to, &got));
	memcpy(out.src.bytes, l3 + (six ? 8 : 12), six ? 16 : 4);
	if (is_query(in))
		out.sport = (uint16_t)get16(l4 + 4);
	else if (in->proto == IPPROTO_UDP || in->proto == IPPROTO_TCP)
		out.sport = (uint16_t)get16(l4);
	out.ttl = (uint8_t)((want->ttl ? want->ttl : 64) - 1);
	frame_envelope(&frame, to, neighbour_of(&want->dst), b, make_packet(b, &out),
		       ether_type(l3));
	assert_int_equal(got.len, frame.len);
	assert_memory_equal(got.b, frame.b, frame.len);
	pipe_quiet(&f->p);
	out.ttl = want->ttl;
	return out;
}

static inline struct packet goes_out(struct pipe_flows *f, const struct packet *in)
{
	return leaves(f, INSIDE, in, OUTSIDE, in);
}

/* The answer to what went in as `in` and left as `out`. */
static inline void comes_back(struct pipe_flows *f, const struct packet *in,
			      const struct packet *out)
{
	struct packet back = answer(out), want = answer(in);

	passes(f, OUTSIDE, &back, INSIDE, &want);
}

/* Out and back. */
static inline struct packet talks(struct pipe_flows *f, const struct packet *in)
{
	struct packet out = goes_out(f, in);

	comes_back(f, in, &out);
	return out;
}

#define assert_from(k, address, port)                                                              \
	do {                                                                                       \
		const struct addr from_ = (address);                                               \
		assert_true(addr_equal(&(k).src, &from_));                                         \
		assert_int_equal((k).sport, port);                                                 \
	} while (0)

/* ---- errors */

/* An ICMP error: by whom, to whom, about what, and how much of it is quoted. */
struct complaint {
	struct addr src, dst;
	uint8_t type, code;
	uint32_t info;
	struct packet about; /* as it is quoted */
	unsigned quoted;     /* bytes; 0: all */
	uint8_t ttl;	     /* 0: 64 */
};

static inline unsigned make_complaint(uint8_t *b, const struct complaint *c)
{
	bool six = c->dst.family == AF_INET6;
	struct packet outer = { .src = c->src,
				.dst = c->dst,
				.proto = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
				.ttl = c->ttl };
	unsigned hlen = six ? 40 : 20, quoted;
	uint32_t info = htonl(c->info);

	quoted = make_packet(b + hlen + 8, &c->about);
	if (c->quoted && c->quoted < quoted)
		quoted = c->quoted;
	make_header(b, &outer, 8 + quoted);
	b[hlen] = c->type;
	b[hlen + 1] = c->code;
	memcpy(b + hlen + 4, &info, 4);
	make_checksum(b, hlen, 8 + quoted, outer.proto, 2);
	if (!six)
		header_sum4(b);
	return hlen + 8 + quoted;
}

static inline void send_complaint(struct pipe_flows *f, unsigned iface, const struct complaint *c)
{
	uint8_t b[FRAME_ROOM];
	struct frame in;

	frame_of_bytes(&in, iface, b, make_complaint(b, c));
	pipe_receive(&f->p, &in);
	worker_turn(f->p.w, f->p.now);
	flows_check(f);
}

static inline void complaint_passes(struct pipe_flows *f, unsigned from, const struct complaint *in,
				    unsigned to, const struct complaint *want)
{
	uint64_t drops = pipe_drops_all(&f->p);
	struct complaint left = *want;
	uint8_t b[FRAME_ROOM];

	send_complaint(f, from, in);
	left.ttl = 63;
	expect_bytes(&f->p, to, neighbour_of(&want->dst), b, make_complaint(b, &left));
	pipe_quiet(&f->p);
	assert_int_equal(pipe_drops_all(&f->p), drops);
}

static inline void complaint_dies(struct pipe_flows *f, unsigned from, const struct complaint *in,
				  enum drop_reason why)
{
	uint64_t before[DROP__COUNT];

	memcpy(before, f->p.w->count->drop, sizeof(before));
	send_complaint(f, from, in);
	expect_one_drop(&f->p, before, why);
	pipe_quiet(&f->p);
}

/* An unreachable about what `sent` was to its receiver, by `from`, to its sender. */
static inline struct complaint complain(const struct packet *sent, struct addr from)
{
	bool six = sent->dst.family == AF_INET6;

	return (struct complaint){ .src = from,
				   .dst = sent->src,
				   .type = six ? 1 : 3,
				   .code = six ? 4 : 3,
				   .about = *sent };
}

/* ---- what is remembered */

static inline unsigned live(const struct pipe_flows *f)
{
	return flows_stats(f).live;
}

/* After so many seconds there is no flow and no port left. */
static inline void all_gone_after(struct pipe_flows *f, double seconds)
{
	flows_wait_s(f, seconds);
	flows_wait_s(f, 17); /* a turn of the wheel */
	flows_grace(f);
	assert_int_equal(live(f), 0);
	assert_int_equal(flows_ports_taken(f), 0);
}

#endif
