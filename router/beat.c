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

/* Without a lapse it is held at start: then there is no hurry. */
static bool may_go_on(const struct worker *w, uint64_t now)
{
	if (worker_waits(w))
		return w->lapse_at && now - w->lapse_at >= WAIT_NS;
	return true;
}

void beat_all(struct worker *w, const struct worker_ports *ports, uint64_t now)
{
	if (has_lapsed(w, ports, now))
		lapse(w, now);
	w->beat_at = now;
	w->beat_of = ports;
	if (!may_go_on(w, now))
		return;
	if (w->lapse_at && w->dp.st) /* packets come to us again from here on */
		flows_resume(w->dp.st, w->dp.tick);
	if (!worker_waits(w))
		w->lapse_at = 0;
	for (unsigned i = 0; i < ports->nrx; i++)
		if (ports->rx[i].beat)
			__atomic_store_n(ports->rx[i].beat, now, __ATOMIC_RELAXED);
}
