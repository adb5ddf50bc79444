/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two hosts that talk through the router of pipe_flows.h: frames with right checksums in either
 * direction, and rows about what becomes of them. Host A is .2 on interface `a`, host B .2 on
 * interface `b`; `back` is from B to A. What is expected is worked out from the frame that went in,
 * see pipe_rows.h.
 */
#ifndef TESTS_UNIT_PIPE_TALK_H
#define TESTS_UNIT_PIPE_TALK_H

#include "tests/unit/pipe_flows.h"

/* As in the TCP header; <netinet/tcp.h> and router/net/tcp.h do not go together. */
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

struct talk {
	bool six;
	unsigned a, b;
	uint16_t sport, dport; /* host order; of a query the id is sport */
};

#define TALK4 ((struct talk){ false, 0, 1, 40000, 80 })
#define TALK6 ((struct talk){ true, 0, 1, 40000, 80 })

static inline unsigned frame_l3_len(struct frame *f)
{
	return f->b[f->l3] >> 4 == 6 ? 40u + ntohs(frame_ip6(f)->plen) : ntohs(frame_ip4(f)->len);
}

/* The transport checksum of a packet whose transport header is at l4 (from the IP header). */
static inline void frame_checksum(struct frame *f, unsigned l4, unsigned proto)
{
	uint8_t *l3 = f->b + f->l3;
	unsigned at = l4 + (proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2);
	unsigned len = frame_l3_len(f), sum;

	put16(l3 + at, 0);
	sum = proto == IPPROTO_ICMP ? plain_sum(l3 + l4, len - l4, 0)
				    : transport_sum(l3, l4, len, proto);
	sum = ~sum & 0xffff;
	put16(l3 + at, sum || proto != IPPROTO_UDP ? sum : 0xffff);
}

/* The transport header of a packet without options or extension headers. */
static inline uint8_t *frame_l4(struct frame *f)
{
	return f->b + f->l3 + (f->b[f->l3] >> 4 == 6 ? 40 : 20);
}

/* ---- frames */

static inline void talk_packet(const struct talk *t, struct frame *f, bool back, unsigned proto,
			       unsigned payload)
{
	unsigned in = back ? t->b : t->a, out = back ? t->a : t->b;

	(t->six ? frame6 : frame4)(f, on_link(t->six, in, 2), on_link(t->six, out, 2), proto,
				   payload);
	f->port = in;
	f->b[5] = (uint8_t)in; /* the router's address there */
}

static inline void talk_ports(const struct talk *t, struct frame *f, bool back)
{
	put16(frame_l4(f), back ? t->dport : t->sport);
	put16(frame_l4(f) + 2, back ? t->sport : t->dport);
}

static inline void talk_udp(const struct talk *t, struct frame *f, bool back, unsigned data)
{
	talk_packet(t, f, back, IPPROTO_UDP, 8 + data);
	talk_ports(t, f, back);
	frame_checksum(f, t->six ? 40 : 20, IPPROTO_UDP);
}

/* options: NULL or noptions bytes, a multiple of 4. */
static inline void talk_tcp_with(const struct talk *t, struct frame *f, bool back, unsigned flags,
				 uint32_t seq, uint32_t ack, unsigned data, const void *options,
				 unsigned noptions)
{
	uint8_t *l4;

	talk_packet(t, f, back, IPPROTO_TCP, 20 + noptions + data);
	talk_ports(t, f, back);
	l4 = frame_l4(f);
	seq = htonl(seq);
	ack = htonl(ack);
	memcpy(l4 + 4, &seq, 4);
	memcpy(l4 + 8, &ack, 4);
	l4[12] = (uint8_t)((5 + noptions / 4) << 4);
	l4[13] = (uint8_t)flags;
	put16(l4 + 14, 8000);
	put16(l4 + 18, 0);
	if (noptions)
		memcpy(l4 + 20, options, noptions);
	frame_checksum(f, t->six ? 40 : 20, IPPROTO_TCP);
}

static inline void talk_tcp(const struct talk *t, struct frame *f, bool back, unsigned flags,
			    uint32_t seq, uint32_t ack, unsigned data)
{
	talk_tcp_with(t, f, back, flags, seq, ack, data, NULL, 0);
}

static inline void talk_icmp(const struct talk *t, struct frame *f, bool back, unsigned type,
			     unsigned code, unsigned data)
{
	unsigned proto = t->six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	uint8_t *l4;

	talk_packet(t, f, back, proto, 8 + data);
	l4 = frame_l4(f);
	l4[0] = (uint8_t)type;
	l4[1] = (uint8_t)code;
	put16(l4 + 4, t->sport);
	put16(l4 + 6, 1);
	frame_checksum(f, t->six ? 40 : 20, proto);
}

static inline void talk_ping(const struct talk *t, struct frame *f, bool back)
{
	if (t->six)
		talk_icmp(t, f, back, back ? 129 : 128, 0, 56);
	else
		talk_icmp(t, f, back, back ? 0 : 8, 0, 56);
}

/* ---- rows: one frame, and what becomes of it */

static inline void passes(struct pipe_flows *f, const struct talk *t, bool back, struct frame *in)
{
	pipe_forwards(&f->p, in, back ? t->a : t->b);
}

static inline void udp_passes(struct pipe_flows *f, const struct talk *t, bool back)
{
	struct frame in;

	talk_udp(t, &in, back, 100);
	passes(f, t, back, &in);
}

static inline void udp_drops(struct pipe_flows *f, const struct talk *t, bool back,
			     enum drop_reason why)
{
	struct frame in;

	talk_udp(t, &in, back, 100);
	pipe_drops(&f->p, &in, why);
}

static inline void tcp_passes(struct pipe_flows *f, const struct talk *t, bool back, unsigned flags,
			      uint32_t seq, uint32_t ack, unsigned data)
{
	struct frame in;

	talk_tcp(t, &in, back, flags, seq, ack, data);
	passes(f, t, back, &in);
}

static inline void tcp_drops(struct pipe_flows *f, const struct talk *t, bool back, unsigned flags,
			     uint32_t seq, uint32_t ack, unsigned data, enum drop_reason why)
{
	struct frame in;

	talk_tcp(t, &in, back, flags, seq, ack, data);
	pipe_drops(&f->p, &in, why);
}

/* A's first byte is 1001, B's 5001. */
static inline void tcp_opens(struct pipe_flows *f, const struct talk *t)
{
	tcp_passes(f, t, false, SYN, 1000, 0, 0);
	tcp_passes(f, t, true, SYN | ACK, 5000, 1001, 0);
	tcp_passes(f, t, false, ACK, 1001, 5001, 0);
}

static inline void ping_passes(struct pipe_flows *f, const struct talk *t, bool back)
{
	struct frame in;

	talk_ping(t, &in, back);
	passes(f, t, back, &in);
}

/* What was sent by interface `iface` is the RST that answers `in` (RFC 9293 3.10.7.1): at `seq` if
 * that has an ACK, else with an ACK of its own. */
static inline void expect_reset(struct pipe *p, struct frame *in, unsigned iface, uint32_t seq,
				uint32_t ack)
{
	bool six = in->b[in->l3] >> 4 == 6;
	unsigned hlen = six ? 40 : 20;
	uint8_t *l4 = frame_l4(in), r[60] = { 0 }, *t = r + hlen;
	struct frame want = { .l3 = 14 }, packet = { .l3 = 0 };

	if (six) {
		struct ip6_header h = { .ver_tc_flow = htonl(6u << 28),
					.plen = htons(20),
					.next = IPPROTO_TCP,
					.hops = 64 };

		memcpy(h.src, frame_ip6(in)->dst, 16);
		memcpy(h.dst, frame_ip6(in)->src, 16);
		memcpy(r, &h, 40);
	} else {
		struct ip4_header h = { .ver_ihl = 0x45,
					.len = htons(40),
					.frag = htons(IP4_DF),
					.ttl = 64,
					.proto = IPPROTO_TCP,
					.src = frame_ip4(in)->dst,
					.dst = frame_ip4(in)->src };

		memcpy(r, &h, 20);
	}
	memcpy(t, l4 + 2, 2);
	memcpy(t + 2, l4, 2);
	seq = htonl(seq);
	memcpy(t + 4, &seq, 4);
	t[13] = (uint8_t)(l4[13] & ACK ? RST : RST | ACK);
	ack = htonl(ack);
	memcpy(t + 8, &ack, 4);
	t[12] = 0x50;
	memcpy(packet.b, r, hlen + 20);
	if (!six)
		frame_sum4(&packet);
	frame_checksum(&packet, hlen, IPPROTO_TCP);
	frame_envelope(&want, iface, 2, packet.b, hlen + 20, six ? 0x86dd : 0x0800);
	expect_frame(p, want.port, &want);
}

/* Row: dropped as rejected, and answered by an RST. */
static inline void tcp_resets(struct pipe_flows *f, const struct talk *t, bool back,
			      struct frame *in, uint32_t seq, uint32_t ack)
{
	uint64_t before[DROP__COUNT], made = f->p.w->count->generated;

	memcpy(before, f->p.w->count->drop, sizeof(before));
	pipe_receive(&f->p, in);
	pipe_turn(&f->p);
	expect_reset(&f->p, in, back ? t->b : t->a, seq, ack);
	expect_one_drop(&f->p, before, DROP_FILTER_REJECT);
	pipe_quiet(&f->p);
	assert_int_equal(f->p.w->count->generated, made + 1);
}

/* ---- what is remembered */

/* Index of the only flow. */
static inline uint32_t the_flow(const struct pipe_flows *f)
{
	uint32_t cursor = 0, index = flow_walk(f->st->flows, &cursor);

	assert_int_not_equal(index, FLOW_NONE);
	assert_int_equal(flow_walk(f->st->flows, &cursor), FLOW_NONE);
	return index;
}

static inline struct flow *the_record(const struct pipe_flows *f)
{
	return flow_at(f->st->flows, the_flow(f));
}

static inline struct flow_half *the_half(const struct pipe_flows *f, enum flow_dir dir)
{
	return flow_half_at(f->st->flows, the_flow(f), dir);
}

static inline unsigned live(const struct pipe_flows *f)
{
	return flows_stats(f).live;
}

/* Seconds the only flow has left. */
static inline unsigned left_s(const struct pipe_flows *f)
{
	return (unsigned)(flow_left(f->st->flows, the_flow(f), flow_tick(f->st->flows, f->p.now)) /
			  (NSEC_PER_SEC / FLOW_TICK));
}

#endif
