// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See beat.h. After a lapse Linux has carried on with our connections, as far as it could: the
 * windows we remember are old news (flows_resume()), and there may be connections that it alone
 * knows. So a late worker leaves its queues to Linux until control has fetched those
 * (standin_resume()), but not for ever: control may hang as well.
 */
#include "router/beat.h"

#include "router/flows.h"
#include "xsk/steer.h"

#define WAIT_NS (2 * NSEC_PER_SEC)

/* Of the same queues, and not merely the first beat since there are any. */
static bool has_lapsed(const struct worker *w, const struct worker_ports *ports, uint64_t now)
{
	return w->beat_of == ports && now - w->beat_at > STEER_STALE_NS;
}

static void lapse(struct worker *w, uint64_t now)
{
	counter_add(&w->lapses, 1);
	w->lapse_at = now;
	w->dp.ask_now = true;
}

/* Packets come to us again from here on. */
static void go_on(struct worker *w)
{
	w->lapse_at = 0;
	if (w->dp.st)
		flows_resume(w->dp.st, w->dp.tick);
}

void beat_all(struct worker *w, const struct worker_ports *ports, uint64_t now)
{
	if (has_lapsed(w, ports, now))
		lapse(w, now);
	w->beat_at = now;
	w->beat_of = ports;
	if (w->lapse_at) {
		if (worker_waits(w) && now - w->lapse_at < WAIT_NS)
			return;
		go_on(w);
	}
	for (unsigned i = 0; i < ports->nrx; i++)
		if (ports->rx[i].beat)
			__atomic_store_n(ports->rx[i].beat, now, __ATOMIC_RELAXED);
}
