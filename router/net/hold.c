/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hold queue; see hold.h. Entries are few and short-lived, so a linear search does. */
#include "router/net/hold.h"

#include <string.h>

#include "router/lib/clock.h"

static struct hold_entry *find(struct hold *h, uint16_t iface, const struct addr *a)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->entry[i].iface == iface && !memcmp(&h->entry[i].addr, a, sizeof(*a)))
			return &h->entry[i];
	return NULL;
}

static void ask(struct dp *dp, struct hold_entry *e)
{
	struct dp_message m = { .iface = e->iface, .addr = e->addr };

	e->asked = dp->now;
	if (dp->ask(dp, &m))
		dp->ask_now = true;
	else
		dp_event(dp, EVENT_RESOLVE_LOST);
}

void hold_add(struct dp *dp, struct pkt *p, uint16_t iface, const struct addr *addr,
	      uint16_t failures)
{
	struct hold *h = dp->hold;
	struct hold_entry *e = find(h, iface, addr);

	if (dp->nheld == HOLD_TOTAL && !(e && e->n == HOLD_PACKETS)) {
		pkt_drop(dp, p, DROP_NEIGH_HOLD_FULL);
		return;
	}
	if (!e) {
		if (h->n == HOLD_NEIGHBOURS) {
			pkt_drop(dp, p, DROP_NEIGH_HOLD_FULL);
			return;
		}
		e = &h->entry[h->n++];
		*e = (struct hold_entry){ .iface = iface,
					  .addr = *addr,
					  .failures = failures,
					  .until = dp->now + HOLD_TIMEOUT };
		ask(dp, e);
	}
	if (e->n == HOLD_PACKETS) {
		pkt_drop(dp, &e->pkt[0], DROP_NEIGH_HOLD_FULL);
		memmove(e->pkt, e->pkt + 1, (HOLD_PACKETS - 1) * sizeof(e->pkt[0]));
		e->n--;
		dp->nheld--;
	}
	e->pkt[e->n] = *p;
	if (p->flow != PKT_NO_FLOW)
		e->pkt[e->n].flow = PKT_FLOW_AGAIN; /* its record may go before it */
	e->n++;
	dp->nheld++;
	dp_event(dp, EVENT_HELD);
}

/* An entry leaves the table before its packets move on: they may come back to wait for somebody
 * else. */
static struct hold_entry take(struct dp *dp, unsigned i)
{
	struct hold *h = dp->hold;
	struct hold_entry e = h->entry[i];

	h->entry[i] = h->entry[--h->n];
	dp->nheld -= e.n;
	return e;
}

void hold_check(struct dp *dp, void (*send)(struct dp *dp, struct pkt *p, uint32_t slot),
		void (*fail)(struct dp *dp, struct pkt *p))
{
	const struct dp_config *c = dp->cfg;

	for (unsigned i = dp->hold->n; i-- > 0;) {
		struct hold_entry *w = &dp->hold->entry[i], e;
		uint32_t slot = neigh_lookup(c->neigh, c->nht, w->iface, &w->addr);
		const struct nh *n = slot ? nh_get(c->nht, slot) : NULL;
		bool known = n && n->type == NH_ADJ && n->state == NH_RESOLVED; /* and up */
		bool failed = dp->now >= w->until ||
			      (n && n->state == NH_FAILED && n->failures != w->failures);

		if (!known && !failed) {
			if (dp->now - w->asked >= HOLD_ASK_AGAIN)
				ask(dp, w);
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
