/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See buckets.h. */
#include "router/buckets.h"

#include <errno.h>

#include "router/router.h"

static void on_due(void *arg, uint64_t at)
{
	struct router *r = arg;

	loop_timer_set(r->buckets_timer, at);
}

static void on_timer(void *arg, uint64_t now)
{
	struct router *r = arg;

	state_buckets_upkeep(r->state, now);
	state_publish(r->state);
}

int buckets_start(struct router *r)
{
	r->buckets_timer = loop_timer_add(r->loop, on_timer, r);
	r->state->buckets_due = on_due;
	return r->buckets_timer ? 0 : -ENOMEM;
}

void buckets_stop(struct router *r)
{
	if (r->state)
		r->state->buckets_due = NULL;
	loop_timer_del(r->buckets_timer);
	r->buckets_timer = NULL;
}
