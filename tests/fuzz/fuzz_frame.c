/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of any content through a whole worker, on ports in memory and a configuration with routes
 * of every kind: no frame may be lost or freed twice, what is sent lies inside its frame, and every
 * packet must be accounted for.
 *
 * The input is a list of records: a first byte that says what happens, then what it needs.
 *
 *	0x00-0x7f	a frame into port (byte % 3): two bytes of length, then as many (what is
 *			there); bit 0x40: mend the header checksum of IPv4, so that more gets
 *			further in
 *	0x80-0x9f	a turn, and all that was sent is done
 *	0xa0-0xbf	a turn; the wire sends nothing
 *	0xc0-0xdf	time passes: 40 ms times the next byte
 *	0xe0-0xff	the unresolved gateways become known, fail, or are forgotten; the MTU,
 *			source routes, rp-filter and mss-clamp change
 */
#include <stddef.h>

#include "tests/unit/pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at, *end;
};

static uint8_t next_byte(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static void wire_sends(struct pipe *p)
{
	for (unsigned i = 0; i < PIPE_PORTS; i++) {
		uint8_t *data[PIPE_RING];
		uint32_t len[PIPE_RING];
		unsigned n = xsk_memwire_sent(&p->wire[i], data, len, PIPE_RING);

		for (unsigned k = 0; k < n; k++) {
			size_t in_frame = (size_t)(data[k] - p->mem->base) % PIPE_SIZE;

			assert(len[k] >= FRAME_MIN && in_frame + len[k] <= PIPE_SIZE);
		}
		xsk_memwire_done(&p->wire[i], n);
	}
}

static void turn(struct pipe *p)
{
	worker_turn(p->w, p->now);
	pipe_check(p);
}

/* To us, with a right checksum: what random bytes hardly ever say. */
static void mend(uint8_t *frame, uint32_t len, unsigned port)
{
	static const unsigned at[2] = { 14, 18 };

	memcpy(frame, (uint8_t[6]){ 2, 0, 0, 0, 0xff, (uint8_t)port }, len < 6 ? len : 6);
	for (unsigned i = 0; i < 2; i++) {
		unsigned hlen;
		uint16_t sum;

		if (len < at[i] + 20u || frame[at[i]] >> 4 != 4 || frame[at[i] - 2] != 0x08 ||
		    frame[at[i] - 1])
			continue;
		hlen = (frame[at[i]] & 15) * 4u;
		if (hlen < 20 || hlen > len - at[i])
			continue;
		memset(frame + at[i] + 10, 0, 2);
		sum = (uint16_t)~csum_fold(csum_add(frame + at[i], hlen, 0));
		memcpy(frame + at[i] + 10, &sum, 2);
	}
}

static void receive(struct pipe *p, struct input *in, uint8_t op)
{
	unsigned port = op % 3, len = next_byte(in);
	size_t left;
	uint8_t *frame;
	uint32_t wire_len;

	len = (len << 8 | next_byte(in)) % (PIPE_SIZE - HEADROOM + 1);
	left = (size_t)(in->end - in->at);
	wire_len = left < len ? (uint32_t)left : len;
	if (!xsk_memwire_take(&p->wire[port], &frame, 1)) {
		turn(p);
		wire_sends(p);
		return;
	}
	memcpy(frame, in->at, wire_len);
	in->at += wire_len;
	if (op & 0x40)
		mend(frame, wire_len, port);
	xsk_memwire_deliver(&p->wire[port], &frame, &wire_len, 1);
}

/* What the interfaces of the first two ports look at. */
static void guard(struct pipe *p, enum conf_rp_filter how, uint16_t mss)
{
	p->cfg->iface[0].rp_filter = (uint8_t)how;
	p->cfg->iface[0].mss = mss;
	p->cfg->iface[VLAN100].rp_filter = (uint8_t)(how + 1u) % 4;
	p->cfg->iface[1].mss = how == CONF_RP_STRICT ? CONF_MSS_PMTU : 0;
	p->cfg->guarded = p->cfg->clamped = how || mss ? 3 : 0;
}

static void change(struct pipe *p, uint8_t op)
{
	static const uint16_t most[4] = { 0, 1200, CONF_MSS_PMTU, 1 };
	static const enum nh_state states[4] = { NH_UNRESOLVED, NH_RESOLVED, NH_FAILED,
						 NH_RESOLVED };
	static const uint16_t mtus[4] = { 1500, 68, 576, 1280 };

	if (p->nold + 5 > 2 * PIPE_SLOTS)
		return;
	p->cfg->iface[1].mtu = mtus[op >> 2 & 3];
	p->cfg->set.source_routes = op >> 4 & 1;
	p->cfg->set.martians_allowed = op >> 3 & 1;
	for (unsigned i = 0; i < PIPE_PORTS; i++)
		p->cfg->iface[i].redirects = op >> 2 & 1;
	if (op & 2)
		pipe_broadcasts(p, 2);
	guard(p, op & 3, most[op >> 2 & 3]);
	for (unsigned six = 0; six < 2; six++) {
		pipe_learn(p, 1, on_link(six, 1, 9), states[op & 3], op);
		pipe_learn(p, 1, on_link(six, 1, 2), NH_RESOLVED, 0);
	}
}

/* One router serves all inputs, since making one takes far longer than a packet. What an input
 * could tell from a new one is put back: the clock, limits, held packets, next hops. */
static struct pipe router;
static struct nh *first_slots[PIPE_SLOTS + 1];
static unsigned first_nold;

static void open_once(void)
{
	if (router.w)
		return;
	pipe_open_sized(&router, 512, PIPE_RING);
	for (unsigned i = 0; i < PIPE_PORTS; i++)
		router.cfg->iface[i].virtual = true;
	memcpy(first_slots, router.nht.slot, sizeof(first_slots));
	first_nold = router.nold;
}

static void put_back(struct pipe *p)
{
	static const uint8_t secret[16];
	struct dp_message m;

	hold_drop(&p->w->dp);
	turn(p);
	wire_sends(p);
	turn(p);
	while (spsc_get(&p->w->messages, &m)) {
	}
	while (p->nold > first_nold)
		free(p->old[--p->nold]);
	memcpy(p->nht.slot, first_slots, sizeof(first_slots));
	p->cfg->iface[1].mtu = 1500;
	p->cfg->set.source_routes = p->cfg->set.martians_allowed = false;
	for (unsigned i = 0; i < PIPE_PORTS; i++)
		p->cfg->iface[i].redirects = false;
	guard(p, CONF_RP_OFF, 0);
	p->now = p->w->rate_at = 1000 * NSEC_PER_SEC;
	icmp_limits_init(&p->w->icmp, secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	struct pipe *p = &router;

	open_once();
	while (in.at < in.end) {
		uint8_t op = next_byte(&in);

		if (op < 0x80)
			receive(p, &in, op);
		else if (op < 0xc0)
			turn(p);
		else if (op < 0xe0)
			p->now += next_byte(&in) * 40 * NSEC_PER_MSEC;
		else
			change(p, op);
		if (op >= 0x80 && op < 0xa0)
			wire_sends(p);
	}
	turn(p);
	put_back(p);
	return 0;
}
