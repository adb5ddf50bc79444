// SPDX-License-Identifier: GPL-2.0-or-later
/* See qos_rate.h. */
#include "router/ctl/qos_rate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/qos_list.h"
#include "router/lib/clock.h"

struct look {
	uint32_t handle; /* of what was looked at; 0: nothing */
	bool twice;
	uint64_t bytes; /* sent, at the last look */
	uint64_t rate;	/* bytes/s */
};

/* Of one tree: of each class by its index, of the root behind them all. */
struct looks {
	const struct qdisc_tree *tree;
	uint32_t n;
	struct look *look;
};

struct qos_rates {
	uint64_t at; /* ns: of the last look */
	struct looks of[QOS_PLACES];
};

static void look(struct look *l, uint32_t handle, uint64_t bytes, uint64_t elapsed)
{
	l->twice = l->handle == handle && bytes >= l->bytes && elapsed;
	if (l->twice)
		l->rate = (uint64_t)((double)(bytes - l->bytes) * NSEC_PER_SEC / (double)elapsed);
	l->handle = handle;
	l->bytes = bytes;
}

static void look_at(struct looks *s, const struct qdisc_tree *t, uint64_t elapsed)
{
	struct qclass *const *cls;
	uint32_t n = qos_classes(t, &cls);
	struct look *more;

	if (s->tree != t) {
		free(s->look);
		*s = (struct looks){ .tree = t };
	}
	more = qos_looks_resize(s->look, s->n, n, sizeof(*s->look));
	if (!more)
		return;
	s->look = more;
	s->n = n;
	for (uint32_t i = 0; i < n; i++) {
		if (cls[i])
			look(&s->look[i], cls[i]->classid, counter_read(&cls[i]->stats.bytes),
			     elapsed);
		else
			s->look[i].handle = 0;
	}
	look(&s->look[n], t->root->handle, counter_read(&t->root->stats.bytes), elapsed);
}

void qos_rate_look(struct router *r, uint64_t now)
{
	struct qos_rates *rates = r->qos_rates;
	struct qos_place p;

	if (!rates && r->qos.published) /* nothing was shaped before */
		rates = r->qos_rates = calloc(1, sizeof(*rates));
	if (!rates)
		return;
	for (unsigned i = 0; i < QOS_PLACES; i++) {
		if (qos_place(r, i, &p) && p.tree) {
			look_at(&rates->of[i], p.tree, now - rates->at);
		} else {
			free(rates->of[i].look);
			rates->of[i] = (struct looks){ 0 };
		}
	}
	rates->at = now;
}

static void on_timer(void *arg, uint64_t now)
{
	struct router *r = arg;

	qos_rate_look(r, now);
	loop_timer_set(r->qos_timer, now + NSEC_PER_SEC);
}

int qos_rate_start(struct router *r)
{
	r->qos_timer = loop_timer_add(r->loop, on_timer, r);
	if (!r->qos_timer)
		return -ENOMEM;
	loop_timer_set(r->qos_timer, clock_now() + NSEC_PER_SEC);
	return 0;
}

void qos_rate_stop(struct router *r)
{
	for (unsigned i = 0; r->qos_rates && i < QOS_PLACES; i++)
		free(r->qos_rates->of[i].look);
	free(r->qos_rates);
	r->qos_rates = NULL;
	loop_timer_del(r->qos_timer);
	r->qos_timer = NULL;
}

bool qos_rate(const struct router *r, unsigned place, const struct qclass *cl, uint64_t *out)
{
	const struct looks *s = r->qos_rates ? &r->qos_rates->of[place] : NULL;
	const struct look *l;

	if (!s || !s->look || (cl && cl->index >= s->n))
		return false;
	l = &s->look[cl ? cl->index : s->n];
	if (!l->twice || (cl && l->handle != cl->classid))
		return false;
	*out = l->rate;
	return true;
}
