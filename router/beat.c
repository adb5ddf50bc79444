// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See beat.h. After a lapse Linux has carried on with our connections, as far as it could: the
 * windows we remember are old news (flows_resume()), and there may be connections that it alone
 * knows (router/standin.h). The first must be known before the next packet, so it is done here.
 */
#include "router/beat.h"

#include "router/flows.h"
#include "xsk/steer.h"

/* Of the same queues, and not merely the first beat since there are any. */
static bool has_lapsed(const struct worker *w, const struct worker_ports *ports, uint64_t now)
{
	return w->beat_of == ports && now - w->beat_at > STEER_STALE_NS;
}

void beat_all(struct worker *w, const struct worker_ports *ports, uint64_t now)
{
	if (has_lapsed(w, ports, now)) {
		counter_add(&w->lapses, 1);
		if (w->dp.st)
			flows_resume(w->dp.st, w->dp.tick);
		w->dp.ask_now = true;
	}
	w->beat_at = now;
	w->beat_of = ports;
	for (unsigned i = 0; i < ports->nrx; i++)
		if (ports->rx[i].beat)
			__atomic_store_n(ports->rx[i].beat, now, __ATOMIC_RELAXED);
}
