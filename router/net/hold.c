/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hold queue; see hold.h. Entries are few and short-lived, so a linear search does. */
#include "router/net/hold.h"

#include <string.h>

#include "router/lib/clock.h"
#include "router/lib/table.h"

#define SEEN_TICK  (50 * NSEC_PER_MSEC)
#define SEEN_TICKS 0xfffu
#define SEEN_TAG   0x3ffu
#define SEEN_AGO   4  /* ticks: later than a burst, */
#define SEEN_FOR   80 /* and not too late */

/* So many entries there may be for a new one to be made. */
static const unsigned limit[] = {
	[HOLD_GUESS] = 80,
	[HOLD_RETURN] = 112,
	[HOLD_SURE] = HOLD_NEIGHBOURS,
};

static uint32_t key_hash(const struct dp *dp, uint16_t iface, const struct addr *a)
{
	return hash_bytes(a, sizeof(*a), dp->cfg->set.seed ^ iface);
}

/* Who sends: in IPv6 a whole /64 is one host's. */
static uint32_t source_hash(const struct dp *dp, const struct pkt *p)
{
	uint32_t seed = dp->cfg->set.seed ^ p->iface;

	if (p->flags & PKT_IP6)
		return hash_bytes(pkt_ip6(p)->src, 8, seed);
	return hash_bytes(&pkt_ip4(p)->src, 4, seed);
}

static struct hold_entry *find(struct hold *h, const struct hold_key *k, const struct addr *a)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->key[i].hash == k->hash && h->key[i].iface == k->iface &&
		    addr_equal(&h->entry[i].addr, a))
			return &h->entry[i];
	return NULL;
}

static bool has_room(const struct hold *h, const struct hold_key *k)
{
	unsigned iface = 0, source = 0, room;

	if (h->n >= limit[k->claim])
		return false;
	if (k->claim == HOLD_SURE)
		return true;
	for (unsigned i = 0; i < h->n; i++) {
		iface += h->key[i].iface == k->iface;
		source += h->key[i].iface == k->iface && h->key[i].source == k->source;
	}
	room = limit[k->claim] - h->n;
	return iface < room && source < room - iface;
}

/* Note that this destination was refused. Was it before, for the same source, neither just now nor
 * long ago? The first source stays: many may want one host. */
static bool returns(struct dp *dp, const struct hold_key *k)
{
	struct hold_seen *seen = &dp->hold->seen[k->hash % HOLD_SEEN];
	uint32_t dest = k->hash / HOLD_SEEN & SEEN_TAG, source = k->source & SEEN_TAG;
	uint32_t now = (uint32_t)(dp->now / SEEN_TICK) & SEEN_TICKS;
	uint32_t age = (now - seen->tick) & SEEN_TICKS;

	if (seen->dest == dest && age <= SEEN_FOR)
		return seen->source == source && age >= SEEN_AGO;
	*seen = (struct hold_seen){ .dest = dest & SEEN_TAG,
				    .source = source & SEEN_TAG,
				    .tick = now & SEEN_TICKS };
	return false;
}

static void ask(struct dp *dp, const struct hold_key *k, struct hold_entry *e)
{
	struct dp_message m = { .iface = k->iface,
				.sure = k->claim != HOLD_GUESS,
				.addr = e->addr };

	e->asked = dp->now;
	if (dp->ask(dp, &m))
		dp->ask_now = true;
	else
		dp_event(dp, EVENT_RESOLVE_LOST);
}

/* A new entry at the end, or why not. */
static enum hold_verdict begin(struct dp *dp, struct hold_key *k, const struct addr *a,
			       uint16_t failures)
{
	struct hold *h = dp->hold;
	struct hold_entry *e = &h->entry[h->n];

	if (k->claim == HOLD_GUESS && !has_room(h, k)) {
		if (!returns(dp, k))
			return HOLD_REFUSED;
		k->claim = HOLD_RETURN;
	}
	if (!has_room(h, k))
		return HOLD_REFUSED_AGAIN;
	h->key[h->n++] = *k;
	*e = (struct hold_entry){ .addr = *a,
				  .failures = failures,
				  .until = dp->now + HOLD_TIMEOUT };
	ask(dp, k, e);
	return HOLD_KEPT;
}

/* A quarter of what is left beside one packet for every neighbour: a few full queues do not take
 * what others need. */
static unsigned packets_for_one(const struct dp *dp)
{
	unsigned most = HOLD_TOTAL - HOLD_NEIGHBOURS;
	unsigned n = dp->nheld < most ? (most - dp->nheld) / 4 : 0;

	return n < 1 ? 1 : n < HOLD_PACKETS ? n : HOLD_PACKETS;
}

/* The newest stay. */
static void make_room(struct dp *dp, struct hold_entry *e)
{
	pkt_drop(dp, &e->pkt[0], DROP_NEIGH_HOLD_FULL);
	memmove(e->pkt, e->pkt + 1, (HOLD_PACKETS - 1) * sizeof(e->pkt[0]));
	e->n--;
	dp->nheld--;
}

/* Who began it sends there again, and it is no burst. */
static bool comes_again(const struct dp *dp, const struct hold_entry *e, const struct hold_key *k)
{
	return dp->hold->key[e - dp->hold->entry].source == k->source &&
	       dp->now - (e->until - HOLD_TIMEOUT) >= SEEN_AGO * SEEN_TICK;
}

enum hold_verdict hold_add(struct dp *dp, struct pkt *p, uint16_t iface, const struct addr *addr,
			   uint16_t failures, enum hold_claim claim)
{
	struct hold *h = dp->hold;
	struct hold_key k = { .hash = key_hash(dp, iface, addr),
			      .source = source_hash(dp, p),
			      .iface = iface,
			      .claim = (uint8_t)claim };
	struct hold_entry *e = find(h, &k, addr);

	if (!e) {
		enum hold_verdict v = begin(dp, &k, addr, failures);

		if (v != HOLD_KEPT)
			return v;
		e = &h->entry[h->n - 1];
	} else if (h->key[e - h->entry].claim == HOLD_GUESS && comes_again(dp, e, &k)) {
		h->key[e - h->entry].claim = HOLD_RETURN; /* control may have had no room */
	}
	if (e->n && e->n >= packets_for_one(dp))
		make_room(dp, e);
	e->pkt[e->n] = *p;
	if (p->flow != PKT_NO_FLOW)
		e->pkt[e->n].flow = PKT_FLOW_AGAIN; /* its record may go before it */
	e->n++;
	dp->nheld++;
	dp_event(dp, EVENT_HELD);
	return HOLD_KEPT;
}

/* An entry leaves the table before its packets move on: they may come back to wait for somebody
 * else. */
static struct hold_entry take(struct dp *dp, unsigned i)
{
	struct hold *h = dp->hold;
	struct hold_entry e = h->entry[i];

	h->n--;
	h->entry[i] = h->entry[h->n];
	h->key[i] = h->key[h->n];
	dp->nheld -= e.n;
	return e;
}

void hold_check(struct dp *dp, void (*send)(struct dp *dp, struct pkt *p, uint32_t slot),
		void (*fail)(struct dp *dp, struct pkt *p))
{
	const struct dp_config *c = dp->cfg;

	for (unsigned i = dp->hold->n; i-- > 0;) {
		struct hold_entry *w = &dp->hold->entry[i], e;
		uint32_t slot = neigh_lookup(c->neigh, c->nht, dp->hold->key[i].iface, &w->addr);
		const struct nh *n = slot ? nh_get(c->nht, slot) : NULL;
		bool known = n && n->type == NH_ADJ && n->state == NH_RESOLVED; /* and up */
		bool failed = dp->now >= w->until ||
			      (n && n->state == NH_FAILED && n->failures != w->failures);

		if (!known && !failed) {
			if (dp->now - w->asked >= HOLD_ASK_AGAIN)
				ask(dp, &dp->hold->key[i], w);
			continue;
		}
		e = take(dp, i);
		for (unsigned k = 0; k < e.n; k++) {
			if (known)
				send(dp, &e.pkt[k], slot);
			else
				fail(dp, &e.pkt[k]);
		}
	}
}

void hold_drop(struct dp *dp)
{
	while (dp->hold->n) {
		struct hold_entry e = take(dp, dp->hold->n - 1);

		for (unsigned k = 0; k < e.n; k++)
			pkt_drop(dp, &e.pkt[k], DROP_NEIGH_GONE);
	}
}
