// SPDX-License-Identifier: GPL-2.0-or-later
/* A worker's turn with the trees of qdiscs that it owns; see worker_internal.h. */
#include "router/lib/clock.h"
#include "router/pipeline.h"
#include "router/shape.h"
#include "router/shaper.h"
#include "router/worker_internal.h"

#define SHAPE_BURST   128 /* packets a tree gives in a turn */
#define SHAPE_AHEAD   256 /* and has under way at its port: the rest waits in the tree */
#define SHAPE_FULL_NS (20 * NSEC_PER_USEC) /* a port without room is asked again after it */
#define SHAPE_SPIN_NS (10 * NSEC_PER_USEC) /* no sleep is as short as that */

void worker_shape_see(struct worker *w)
{
	struct dp *dp = &w->dp;

	dp->qos = __atomic_load_n(&w->qos, __ATOMIC_ACQUIRE);
	dp->shaped = dp->qos ? dp->qos->shaped : 0;
	dp->watched = dp->shaped | (dp->cfg ? dp->cfg->clamped : 0);
	dp->qpkt = dp->qos ? dp->qos->qpkt : NULL;
}

static void leave_tree(struct shaper *s, struct dp *dp, struct qpkt *p)
{
	dp_send(dp, s->port, dp->base + p->addr, p->frame_len);
}

void worker_shape_resume(struct worker *w, unsigned port)
{
	if (!w->nback)
		return;
	w->dp.rx_port = (uint16_t)port;
	pipeline_resume(&w->dp, w->back, w->nback);
	w->nback = 0;
}

static void leave_ifb(struct shaper *s, struct dp *dp, struct qpkt *p)
{
	struct worker *w = worker_of(dp);

	w->back[w->nback++] =
		(struct dp_frame){ .addr = p->addr, .len = p->frame_len, .options = p->mark };
	if (w->nback == BURST)
		worker_shape_resume(w, s->port);
}

/* How many more packets a tree may hand to its port: few, for what the port has cannot be shaped
 * any more; and no more than its ring takes. */
static unsigned room_at(const struct worker_ports *ports, unsigned port)
{
	const struct xsk_queue *q = ports->tx[port];
	uint64_t ahead = q ? xsk_queue_ahead(q) : 0, most = SHAPE_AHEAD;

	if (q && q->tx.size < most)
		most = q->tx.size;
	if (ahead >= most)
		return 0;
	return most - ahead < SHAPE_BURST ? (unsigned)(most - ahead) : SHAPE_BURST;
}

/* When a port that has no room is asked again: later, the longer nothing has moved, as a port that
 * was set down may be full for ever. */
static uint64_t full_ns(const struct worker *w)
{
	return SHAPE_FULL_NS << w->naps;
}

void worker_shape_begin(struct worker *w, const struct worker_ports *ports)
{
	const struct qos *qos = w->dp.qos;

	for (unsigned i = 0; i < qos->nshapers; i++) {
		struct shaper *s = qos->shaper[i];

		if (s->owner == w->index)
			shaper_begin(s, s->ifb ? SHAPE_BURST : room_at(ports, s->port),
				     s->ifb ? leave_ifb : leave_tree);
	}
}

void worker_shape(struct worker *w)
{
	struct dp *dp = &w->dp;

	w->shape_at = QDISC_NEVER;
	for (unsigned i = 0; i < dp->qos->nshapers; i++) {
		struct shaper *s = dp->qos->shaper[i];
		uint64_t at;

		if (s->owner != w->index)
			continue;
		at = shaper_run(s, dp);
		worker_shape_resume(w, s->port);
		if (at == dp->now && !s->ifb)
			at += full_ns(w);
		if (at < w->shape_at)
			w->shape_at = at;
		worker_flush(dp);
	}
	for (; dp->handed; dp->handed &= dp->handed - 1)
		worker_wake(w->peers[__builtin_ctzll(dp->handed)]);
}

/* We have been quiet since the turn: what shapes now is to be read anew. */
bool worker_shape_has_news(const struct worker *w)
{
	const struct qos *qos = __atomic_load_n(&w->qos, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; qos && i < qos->nshapers; i++)
		if (qos->shaper[i]->owner == w->index && shaper_has_news(qos->shaper[i]))
			return true;
	return false;
}

bool worker_shape_is_due(const struct worker *w, uint64_t now)
{
	return w->dp.qos && w->shape_at != QDISC_NEVER && w->shape_at < now + SHAPE_SPIN_NS;
}
