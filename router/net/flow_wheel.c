/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a flow. [its owner, but for flow_kill()]
 *
 * A wheel of 64 ticks holds every committed record of a worker, in the slot of the tick it will be
 * looked at: when it expires if nothing changes, 16 s from now at the latest, so that a timeout
 * that was cut short meanwhile is honoured soon. Packets never touch the wheel. What a look finds
 * alive is put into a later slot.
 *
 * Who sets FLOW_DYING condemns the record, and only one can. The owner buries it: out of the hash
 * and the wheel, its source and its ports told, then to the retired, in the order of their grace
 * periods. Others may condemn too (a flush, a full table): they push the record on the owner's list
 * of the dead and leave the rest to it.
 */
#include <netinet/in.h>

#include "router/net/flow_internal.h"

/* ---- lists of the wheel, doubly linked: the dead leave from the middle */

static void list_add(struct flow_table *t, struct flow_worker *w, unsigned list, uint32_t index)
{
	struct flow *f = flow_at(t, index);

	f->next = w->list[list];
	f->prev = FLOW_HEAD | list;
	if (f->next != FLOW_NONE)
		flow_at(t, f->next)->prev = index;
	w->list[list] = index;
}

static void list_remove(struct flow_table *t, struct flow_worker *w, const struct flow *f)
{
	if (f->next != FLOW_NONE)
		flow_at(t, f->next)->prev = f->prev;
	if (f->prev & FLOW_HEAD)
		w->list[f->prev & ~FLOW_HEAD] = f->next;
	else
		flow_at(t, f->prev)->next = f->next;
}

/* All of a slot becomes what is due. */
static void list_move(struct flow_table *t, struct flow_worker *w, unsigned from)
{
	uint32_t first = w->list[from];

	w->list[FLOW_DUE] = first;
	w->list[from] = FLOW_NONE;
	if (first != FLOW_NONE)
		flow_at(t, first)->prev = FLOW_HEAD | FLOW_DUE;
}

uint32_t flow_left(const struct flow_table *t, uint32_t index, uint32_t tick)
{
	const struct flow_half *h = flow_latest(flow_at(t, index));
	uint32_t end = __atomic_load_n(&h->seen, __ATOMIC_RELAXED) +
		       __atomic_load_n(&h->timeout, __ATOMIC_RELAXED);

	return (int32_t)(end - tick) > 0 ? end - tick : 0;
}

/* Into the slot of its next look: never the one of now, which is done or under way. */
void flow_wheel_add(struct flow_table *t, uint32_t index, uint32_t tick)
{
	struct flow_worker *w = &t->worker[flow_at(t, index)->owner];
	uint32_t left = flow_left(t, index, tick);

	left = left < 1 ? 1 : left > FLOW_WHEEL - 1 ? FLOW_WHEEL - 1 : left;
	list_add(t, w, (tick + left) % FLOW_WHEEL, index);
}

/* ---- death */

bool flow_condemn(struct flow_table *t, uint32_t index)
{
	struct flow *f = flow_at(t, index);
	uint32_t state = flow_state(f);

	do {
		if ((state & (FLOW_COMMITTED | FLOW_DYING)) != FLOW_COMMITTED)
			return false;
	} while (!__atomic_compare_exchange_n(&f->state, &state, state | FLOW_DYING, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

void flow_mourn(struct flow_table *t, uint32_t index)
{
	uint32_t *dead = &t->worker[flow_at(t, index)->owner].dead;
	uint32_t *link = &flow_half_at(t, index, FLOW_REPLY)->link;
	uint32_t first = __atomic_load_n(dead, __ATOMIC_RELAXED);

	do
		__atomic_store_n(link, first, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(dead, &first, index, true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED));
}

void flow_kill(struct flow_table *t, uint32_t index)
{
	__atomic_fetch_add(&t->head->killing, 1, __ATOMIC_RELAXED);
	if (flow_condemn(t, index)) {
		__atomic_fetch_sub(&t->head->live, 1, __ATOMIC_RELAXED);
		flow_mourn(t, index);
	}
	__atomic_fetch_sub(&t->head->killing, 1, __ATOMIC_RELEASE);
}

/* The number of the grace period that has not begun. Read by a write of nothing: the addition that
 * begins the period comes after it, and with it all that left the hash before. */
static uint32_t grace_next(struct flow_table *t)
{
	return (uint32_t)__atomic_fetch_add(&t->head->grace, 0, __ATOMIC_ACQ_REL) + 1;
}

uint64_t flow_grace_begin(struct flow_table *t)
{
	return __atomic_add_fetch(&t->head->grace, 1, __ATOMIC_ACQ_REL);
}

uint64_t flow_grace_ended(const struct flow_table *t)
{
	return __atomic_load_n(&t->head->grace, __ATOMIC_ACQUIRE);
}

static void retire(struct flow_table *t, struct flow_worker *w, uint32_t index)
{
	struct flow *f = flow_at(t, index);

	f->next = FLOW_NONE;
	f->prev = grace_next(t);
	if (w->retired == FLOW_NONE)
		w->retired = index;
	else
		flow_at(t, w->retired_last)->next = index;
	w->retired_last = index;
}

/* The last rites of a condemned record that is on a list of the wheel. */
static void bury(struct flow_table *t, struct flow_worker *w, uint32_t index, flow_gone_fn *gone,
		 void *arg)
{
	struct flow *f = flow_at(t, index);

	flow_hash_remove(t, index);
	list_remove(t, w, f);
	if (f->counted) {
		struct flow_key orig;

		flow_key(t, index, FLOW_ORIG, &orig);
		flow_source_drop(t, &orig);
	}
	if (gone)
		gone(arg, t, index);
	counter_add(&w->count.gone, 1);
	retire(t, w, index);
}

static unsigned bury_condemned(struct flow_table *t, struct flow_worker *w, unsigned budget,
			       flow_gone_fn *gone, void *arg)
{
	unsigned n = 0;

	for (; n < budget; n++) {
		uint32_t index = w->condemned;

		if (index == FLOW_NONE && __atomic_load_n(&w->dead, __ATOMIC_RELAXED) != FLOW_NONE)
			index = __atomic_exchange_n(&w->dead, FLOW_NONE, __ATOMIC_ACQUIRE);
		if (index == FLOW_NONE)
			break;
		w->condemned = __atomic_load_n(&flow_half_at(t, index, FLOW_REPLY)->link,
					       __ATOMIC_RELAXED);
		bury(t, w, index, gone, arg);
	}
	return n;
}

/* Moves the wheel on to a tick that has records. False: there is none up to `tick`. */
static bool turn(struct flow_table *t, struct flow_worker *w, uint32_t tick)
{
	if ((int32_t)(tick - w->tick) > (int32_t)FLOW_WHEEL)
		w->tick = tick - FLOW_WHEEL;
	while (w->list[FLOW_DUE] == FLOW_NONE) {
		if ((int32_t)(tick - w->tick) <= 0)
			return false;
		w->tick++;
		list_move(t, w, w->tick % FLOW_WHEEL);
	}
	return true;
}

static bool nothing_is_due(const struct flow_worker *w, uint32_t tick)
{
	return w->list[FLOW_DUE] == FLOW_NONE && (int32_t)(tick - w->tick) <= 0;
}

/* Above 95 % of what there may be, connections that have ended do not wait for their timer
 * (requirement C14). */
static bool makes_room(const struct flow_table *t, const struct flow *f)
{
	uint32_t live = __atomic_load_n(&t->head->live, __ATOMIC_RELAXED);
	uint32_t tcp = flow_state(f) & FLOW_TCP_STATE;

	return f->proto == IPPROTO_TCP && tcp >= TCP_FIN_WAIT && tcp <= TCP_CLOSE &&
	       live > t->max - t->max / 20;
}

/* One that is due: dead, or to be looked at later. Who was condemned by another stays on the list
 * of a later tick until it is buried. */
static void look(struct flow_table *t, struct flow_worker *w, uint32_t index, uint32_t tick,
		 flow_gone_fn *gone, void *arg)
{
	struct flow *f = flow_at(t, index);

	if ((flow_over(f, tick) || makes_room(t, f)) && flow_condemn(t, index)) {
		__atomic_fetch_sub(&t->head->live, 1, __ATOMIC_RELAXED);
		bury(t, w, index, gone, arg);
		return;
	}
	list_remove(t, w, f);
	flow_wheel_add(t, index, tick);
}

/* Touch what the next look will need. */
static void prefetch_record(const struct flow_table *t, uint32_t index)
{
	const uint8_t *f = (const uint8_t *)flow_at(t, index);

	__builtin_prefetch(f);
	__builtin_prefetch(f + 64);
	__builtin_prefetch(f + 128);
}

unsigned flow_due(struct flow_table *t, unsigned worker, uint32_t tick, uint32_t *index, unsigned n)
{
	struct flow_worker *w = &t->worker[worker];
	unsigned found = 0;
	bool due;

	if (nothing_is_due(w, tick))
		return 0;
	flow_change_begin(t, worker);
	due = turn(t, w, tick);
	flow_change_end(t, worker);
	if (!due)
		return 0;
	for (uint32_t i = w->list[FLOW_DUE]; i != FLOW_NONE && n; i = flow_at(t, i)->next, n--)
		if (flow_over(flow_at(t, i), tick))
			index[found++] = i;
	return found;
}

static unsigned look_at_due(struct flow_table *t, struct flow_worker *w, uint32_t tick,
			    unsigned budget, flow_gone_fn *gone, void *arg)
{
	unsigned n = 0;

	for (; n < budget && turn(t, w, tick); n++) {
		uint32_t index = w->list[FLOW_DUE], next = flow_at(t, index)->next;

		if (next != FLOW_NONE)
			prefetch_record(t, next);
		look(t, w, index, tick, gone, arg);
	}
	return n;
}

/* Is there one among the retired whose grace period has ended? */
static bool is_ripe(const struct flow_table *t, const struct flow_worker *w, uint64_t quiet)
{
	return w->retired != FLOW_NONE &&
	       (int32_t)((uint32_t)quiet - flow_at(t, w->retired)->prev) >= 0;
}

static void free_retired(struct flow_table *t, unsigned worker, uint64_t quiet, unsigned budget)
{
	struct flow_worker *w = &t->worker[worker];

	for (unsigned n = 0; n < budget && is_ripe(t, w, quiet); n++) {
		uint32_t index = w->retired;

		w->retired = flow_at(t, index)->next;
		flow_slab_put(t, worker, index);
	}
}

/* Most loops find nothing to do, and then nothing changes. */
static bool is_idle(const struct flow_table *t, const struct flow_worker *w, uint32_t tick,
		    uint64_t quiet)
{
	return nothing_is_due(w, tick) && w->condemned == FLOW_NONE &&
	       __atomic_load_n(&w->dead, __ATOMIC_RELAXED) == FLOW_NONE && !is_ripe(t, w, quiet);
}

unsigned flow_expire(struct flow_table *t, unsigned worker, uint32_t tick, uint64_t quiet,
		     unsigned budget, flow_gone_fn *gone, void *arg)
{
	struct flow_worker *w = &t->worker[worker];
	unsigned n;

	if (is_idle(t, w, tick, quiet))
		return 0;
	flow_change_begin(t, worker);
	free_retired(t, worker, quiet, budget);
	n = bury_condemned(t, w, budget, gone, arg);
	n += look_at_due(t, w, tick, budget - n, gone, arg);
	flow_change_end(t, worker);
	return n;
}
