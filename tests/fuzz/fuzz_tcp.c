/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segments through tcp_parse(), tcp_first() and tcp_track(): any bytes, in any order, from either
 * side. Each is a byte of control (direction; bit 1: sequence numbers near what the flow expects,
 * which random ones never hit), a length, and so many bytes of header and data.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bench {
	struct flow_half half[2];
	bool begun;
	uint32_t tick;
	struct flow flow; /* last: its tuples follow, none here */
};

/* Its numbers become small steps from what both sides have reached. */
static void nudge(struct tcp_segment *s, const struct flow_half *own, const struct flow_half *peer)
{
	uint32_t len = s->end - s->seq;

	s->seq = own->end + (uint32_t)(int32_t)(int8_t)s->seq;
	s->end = s->seq + len;
	s->ack = peer->end + (uint32_t)(int32_t)(int8_t)s->ack;
	s->sack = s->ack + (s->sack & 0xff);
}

static void check(const struct bench *b, enum tcp_verdict v, uint32_t before, uint32_t timeout)
{
	uint32_t state = b->flow.state & FLOW_TCP_STATE;

	assert(v == TCP_PASS || v == TCP_PASS_BY || v == TCP_NEW_FLOW || v == TCP_REFUSE);
	assert(state > TCP_NONE && state < TCP_STATES);
	assert(v == TCP_PASS || state == (before & FLOW_TCP_STATE));
	assert(v != TCP_PASS || (timeout && timeout <= 432000 * 4));
	assert((before & ~b->flow.state & (FLOW_REPLIED | FLOW_ASSURED)) == 0);
	assert(!(b->flow.state & FLOW_ASSURED) || b->flow.state & FLOW_REPLIED);
}

static void feed(struct bench *b, const struct tcp_options *o, const struct tcp_timeouts *t,
		 const struct tcp_segment *s, enum flow_dir dir)
{
	struct flow_half *own = &b->half[dir], *peer = &b->half[!dir];
	uint32_t before = b->flow.state, timeout = 0;
	struct flow_half unread = *peer;
	enum tcp_verdict v;

	if (!b->begun) {
		b->begun = tcp_first(s, o, &b->flow, own, peer, t, &timeout) != TCP_INVALID;
		if (b->begun)
			check(b, TCP_PASS, 0, timeout);
		return;
	}
	v = tcp_track(s, o, &b->flow, dir, own, peer, t, &timeout);
	check(b, v, before, timeout);
	assert(!memcmp(&unread, peer, sizeof(unread))); /* half d is written by direction d alone */
	if (v == TCP_PASS)
		flow_touch(own, peer, ++b->tick, timeout, 40);
	if (v == TCP_NEW_FLOW)
		*b = (struct bench){ 0 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench b = { 0 };
	struct tcp_options o = { .max_retrans = 3 };
	const struct tcp_timeouts *t;

	if (!size)
		return 0;
	o.loose = data[0] & 1;
	o.liberal = data[0] & 2;
	o.ignore_bad_rst = data[0] & 4;
	o.revive = data[0] & 8;
	t = data[0] & 16 ? &tcp_timeouts_rfc : &tcp_timeouts_linux;
	for (data++, size--; size > 2;) {
		uint8_t control = data[0];
		uint32_t len = data[1] < size - 2 ? data[1] : (uint32_t)size - 2;
		uint8_t *l4 = malloc(len ? len : 1); /* its own: a read behind the end is seen */
		enum flow_dir dir = control & 1 ? FLOW_REPLY : FLOW_ORIG;
		struct tcp_segment s;

		memcpy(l4, data + 2, len);
		if (tcp_parse(l4, len, &s)) {
			if (control & 2)
				nudge(&s, &b.half[dir], &b.half[!dir]);
			feed(&b, &o, t, &s, dir);
		}
		free(l4);
		data += 2 + len;
		size -= 2 + len;
	}
	return 0;
}
