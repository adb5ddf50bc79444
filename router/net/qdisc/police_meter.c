// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Token buckets and the colours they give: police.h says which. The tests compare them with a model
 * in whole numbers (tests/unit/test_police.c).
 */
#include <errno.h>

#include "router/net/qdisc/police_internal.h"
#include "router/net/qdisc/qdisc.h"

static int bucket_init(struct bucket *b, uint64_t rate, uint64_t depth)
{
	if (depth > METER_DEPTH_MAX)
		return -EINVAL;
	*b = (struct bucket){ .rate = rate, .depth = depth * METER_UNIT };
	b->tokens = b->depth;
	return 0;
}

static enum meter_kind kind_of(const struct conf_police *c)
{
	if (c->packet_rate)
		return METER_PACKETS;
	if (c->peakrate && c->peakburst)
		return METER_TRTCM;
	if (c->excess)
		return METER_SRTCM;
	return c->rate ? METER_BYTES : METER_NONE;
}

/* The bucket behind the first: srTCM's fills from what the first one spills. */
static int second_init(struct meter *m, const struct conf_police *c)
{
	switch (m->kind) {
	case METER_SRTCM: return bucket_init(&m->bucket[1], 0, c->excess);
	case METER_TRTCM: return bucket_init(&m->bucket[1], c->peakrate, c->peakburst);
	case METER_BYTES:
		m->peak = c->peakrate;
		return bucket_init(&m->bucket[1], c->peakrate,
				   !c->peakrate ? 0
				   : c->mtu	? c->mtu
						: METER_PEAK_MTU);
	case METER_PACKETS:
	case METER_NONE: break;
	}
	return 0;
}

int meter_init(struct meter *m, const struct conf_police *c)
{
	bool packets = c->packet_rate;
	uint64_t rate = packets ? c->packet_rate : c->rate;
	uint64_t burst = packets ? c->packet_burst : c->burst;
	int rc;

	*m = (struct meter){ .kind = kind_of(c), .mtu = c->mtu, .size = c->size };
	m->aware = c->color_aware && m->kind >= METER_SRTCM;
	if (m->kind == METER_NONE && c->peakrate)
		return -EINVAL;
	if (m->kind != METER_NONE && (!rate || (!burst && m->kind != METER_SRTCM)))
		return -EINVAL;
	rc = bucket_init(&m->bucket[0], rate, burst);
	return rc ? rc : second_init(m, c);
}

/* What does not fit. */
static unsigned __int128 bucket_add(struct bucket *b, unsigned __int128 tokens)
{
	uint64_t room = b->depth - b->tokens;

	if (tokens <= room) {
		b->tokens += (uint64_t)tokens;
		return 0;
	}
	b->tokens = b->depth;
	return tokens - room;
}

/* A worker's time may lie a little behind another's: then it brings nothing. */
static void catch_up(struct meter *m, uint64_t now)
{
	unsigned __int128 spilled;
	uint64_t elapsed;

	if (now <= m->last)
		return;
	elapsed = now - m->last;
	m->last = now;
	spilled = bucket_add(&m->bucket[0], (unsigned __int128)m->bucket[0].rate * elapsed);
	if (m->kind == METER_SRTCM)
		bucket_add(&m->bucket[1], spilled);
	else
		bucket_add(&m->bucket[1], (unsigned __int128)m->bucket[1].rate * elapsed);
}

/* One decision, one bucket or tc's two: both must have enough. */
static enum police_colour one_rate(struct bucket b[2], bool peak, uint64_t cost)
{
	if (b[0].tokens < cost || (peak && b[1].tokens < cost))
		return POLICE_YELLOW;
	b[0].tokens -= cost;
	if (peak)
		b[1].tokens -= cost;
	return POLICE_GREEN;
}

/* RFC 2697 section 3. */
static enum police_colour srtcm(struct bucket b[2], enum police_colour before, uint64_t cost)
{
	if (before == POLICE_GREEN && b[0].tokens >= cost) {
		b[0].tokens -= cost;
		return POLICE_GREEN;
	}
	if (before <= POLICE_YELLOW && b[1].tokens >= cost) {
		b[1].tokens -= cost;
		return POLICE_YELLOW;
	}
	return POLICE_RED;
}

/* RFC 2698 section 3. */
static enum police_colour trtcm(struct bucket b[2], enum police_colour before, uint64_t cost)
{
	if (before == POLICE_RED || b[1].tokens < cost)
		return POLICE_RED;
	b[1].tokens -= cost;
	if (before == POLICE_YELLOW || b[0].tokens < cost)
		return POLICE_YELLOW;
	b[0].tokens -= cost;
	return POLICE_GREEN;
}

enum police_colour meter_packet(struct meter *m, uint32_t len, enum police_colour before,
				uint64_t now)
{
	uint64_t cost = qdisc_size(&m->size, len) * METER_UNIT;

	catch_up(m, now);
	if (!m->aware)
		before = POLICE_GREEN;
	if (m->mtu && len > m->mtu)
		return m->kind >= METER_SRTCM ? POLICE_RED : POLICE_YELLOW;
	switch (m->kind) {
	case METER_NONE: break;
	case METER_BYTES: return one_rate(m->bucket, m->peak, cost);
	case METER_PACKETS: return one_rate(m->bucket, false, METER_UNIT);
	case METER_SRTCM: return srtcm(m->bucket, before, cost);
	case METER_TRTCM: return trtcm(m->bucket, before, cost);
	}
	return POLICE_GREEN;
}
