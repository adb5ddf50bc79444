/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See ct_event.h. */
#include "router/net/ct_event.h"

static uint64_t read64(const uint64_t *v)
{
	return __atomic_load_n(v, __ATOMIC_RELAXED);
}

void ct_event_copy(const struct flow_table *t, uint32_t index, uint32_t tick, struct ct_event *out)
{
	const struct flow *f = flow_at(t, index);

	out->state = flow_state(f);
	out->mark = __atomic_load_n(&f->mark, __ATOMIC_RELAXED);
	out->left = flow_left(t, index, tick);
	flow_key(t, index, FLOW_ORIG, &out->orig);
	flow_key(t, index, FLOW_REPLY, &out->reply);
	for (unsigned d = FLOW_ORIG; d <= FLOW_REPLY; d++) {
		const struct flow_half *h = flow_half_at(t, index, (enum flow_dir)d);

		out->packets[d] = read64(&h->packets);
		out->bytes[d] = read64(&h->bytes);
	}
}

void ct_event_put(struct ct_events *e, const struct flow_table *t, uint32_t index,
		  enum ct_event_kind kind, uint32_t tick, uint64_t now)
{
	struct ct_event event = { .kind = (uint8_t)kind, .now = now };

	ct_event_copy(t, index, tick, &event);
	if (!spsc_put(&e->ring, &event))
		counter_add(&e->lost, 1);
}
