/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See flow_feed.h. */
#include "router/ctl/flow_feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router/lib/rcu.h"
#include "router/router.h"

#define BATCH 1024 /* events moved at a time */

/* What one worker has told. */
struct source {
	struct ct_events events;
	struct ct_event next; /* taken out of the ring already, to be compared by time */
	bool has_next;
};

struct flow_feed {
	struct router *router;
	unsigned readers;
	uint64_t head; /* number of the next event in `past` */
	struct ct_event *past;
	unsigned nsources;
	struct source *source[];
};

/* ---- coming and going */
static void source_destroy(struct source *s)
{
	if (!s)
		return;
	spsc_fini(&s->events.ring);
	free(s);
}

static struct source *source_create(void)
{
	struct source *s = aligned_alloc(64, (sizeof(*s) + 63) / 64 * 64);

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	if (spsc_init(&s->events.ring, CT_EVENTS, sizeof(struct ct_event))) {
		free(s);
		return NULL;
	}
	return s;
}

static void feed_free(struct flow_feed *f)
{
	for (unsigned w = 0; w < f->nsources; w++)
		source_destroy(f->source[w]);
	free(f->past);
	free(f);
}

static struct flow_feed *feed_create(struct router *r)
{
	struct flow_feed *f = calloc(1, sizeof(*f) + r->nworkers * sizeof(f->source[0]));

	if (!f)
		return NULL;
	f->router = r;
	f->past = malloc(FLOW_FEED_EVENTS * sizeof(f->past[0]));
	for (; f->past && f->nsources < r->nworkers; f->nsources++) {
		f->source[f->nsources] = source_create();
		if (!f->source[f->nsources])
			break;
	}
	if (f->past && f->nsources == r->nworkers)
		return f;
	feed_free(f);
	return NULL;
}

static void publish(struct flow_feed *f, bool on)
{
	for (unsigned w = 0; w < f->nsources; w++)
		__atomic_store_n(&f->router->worker[w]->events, on ? &f->source[w]->events : NULL,
				 __ATOMIC_RELEASE);
}

static uint64_t lost_by_workers(const struct flow_feed *f)
{
	uint64_t n = 0;

	for (unsigned w = 0; w < f->nsources; w++)
		n += counter_read(&f->source[w]->events.lost);
	return n;
}

int feed_reader_open(struct router *r, struct feed_reader *out)
{
	if (!r->feed) {
		r->feed = feed_create(r);
		if (!r->feed)
			return -ENOMEM;
		publish(r->feed, true);
	}
	r->feed->readers++;
	*out = (struct feed_reader){ .feed = r->feed, .before = lost_by_workers(r->feed) };
	out->at = feed_end(out);
	return 0;
}

void feed_reader_close(struct feed_reader *reader)
{
	struct flow_feed *f = reader->feed;

	if (--f->readers)
		return;
	f->router->feed = NULL;
	publish(f, false);
	rcu_wait();
	feed_free(f);
}

/* ---- events */
static bool source_peek(struct source *s)
{
	if (!s->has_next)
		s->has_next = spsc_get(&s->events.ring, &s->next);
	return s->has_next;
}

static struct source *oldest(struct flow_feed *f)
{
	struct source *best = NULL;

	for (unsigned w = 0; w < f->nsources; w++) {
		struct source *s = f->source[w];

		if (source_peek(s) && (!best || s->next.now < best->next.now))
			best = s;
	}
	return best;
}

/* A batch from the workers' rings to the readers'. False: there was nothing. */
static bool drain(struct flow_feed *f)
{
	struct source *s;
	unsigned n;

	for (n = 0; n < BATCH && (s = oldest(f)); n++) {
		f->past[f->head++ % FLOW_FEED_EVENTS] = s->next;
		s->has_next = false;
	}
	return n > 0;
}

bool feed_next(struct feed_reader *r, struct ct_event *out)
{
	struct flow_feed *f = r->feed;

	while (r->at >= f->head) /* beyond it: what is not for this reader comes first */
		if (!drain(f))
			return false;
	if (f->head - r->at > FLOW_FEED_EVENTS) {
		r->lost += f->head - r->at - FLOW_FEED_EVENTS;
		r->at = f->head - FLOW_FEED_EVENTS;
	}
	*out = f->past[r->at++ % FLOW_FEED_EVENTS];
	return true;
}

uint64_t feed_end(struct feed_reader *r)
{
	struct flow_feed *f = r->feed;
	uint64_t n = f->head;

	for (unsigned w = 0; w < f->nsources; w++) {
		const struct source *s = f->source[w];

		n += s->has_next;
		n += __atomic_load_n(&s->events.ring.head, __ATOMIC_ACQUIRE) - s->events.ring.tail;
	}
	return n;
}

uint64_t feed_lost(const struct feed_reader *r)
{
	return r->lost + lost_by_workers(r->feed) - r->before;
}
