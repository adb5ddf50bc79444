// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The classes of an htb: two buckets each, what they allow, and when they will allow more.
 *
 * A bucket holds time (htb.h). It is looked at when somebody needs to know: htb_update() for a
 * class whose packets, options or time have changed, htb_charge() for a leaf that sends and for all
 * above it. A class that has something to send and is not green waits in h->waiting for the instant
 * when its mode will change. Its entry may be too early, as a class that waits may still be
 * charged, and may be of a class that has become idle: whoever takes an entry out looks again,
 * which costs less than keeping entries in order with each packet. Idle classes add none.
 */
#include "router/net/qdisc/htb.h"

#define QUANTUM_MIN 1000
#define QUANTUM_MAX 200000
#define QUANTUM_LEAST                                                                              \
	64 /* that a file may give: each packet takes as many rounds as it has quanta */

/* How long a child that gives nothing is left alone at most: a change of its options may let it
 * give sooner than it said. */
#define HOLD_MAX (100 * NSEC_PER_MSEC)

static struct htb_class *of_wait(struct wait *w)
{
	return (struct htb_class *)((char *)w - offsetof(struct htb_class, wait));
}

/* ---- the buckets */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Read by `show qos` at any time. */
static void set_tokens(int64_t *bucket, int64_t ticks)
{
	__atomic_store_n(bucket, ticks, __ATOMIC_RELAXED);
}

/* What the time since the last look brought. Credit from idle times is capped by the burst; what
 * grows while the class waits for its turn among others is owed to it, for a while. */
static void settle(struct htb_class *cl, uint64_t now)
{
	uint64_t ns = now - cl->at;
	int64_t earned = ns < HTB_MBUFFER ? (int64_t)(ns << HTB_TICK) : HTB_MBUFFER_TICKS;

	set_tokens(&cl->tokens, least(cl->tokens + earned, cl->active ? cl->late : cl->burst));
	set_tokens(&cl->ctokens, least(cl->ctokens + earned, cl->cburst));
	cl->at = now;
}

static void spend(int64_t *bucket, int64_t ticks)
{
	int64_t left = *bucket - ticks;

	set_tokens(bucket, left > -HTB_MBUFFER_TICKS ? left : -HTB_MBUFFER_TICKS);
}

/* ---- waiting */

static bool must_wait(const struct htb_class *cl)
{
	return cl->held || (cl->active && cl->mode != HTB_GREEN);
}

/* When cl's mode, or what its child gives, changes by itself. */
static uint64_t due_of(const struct htb_class *cl)
{
	uint64_t debt;

	if (cl->held)
		return cl->held_until;
	debt = (uint64_t) - (cl->mode == HTB_RED ? cl->ctokens : cl->tokens);
	return cl->at + ((debt + (1u << HTB_TICK) - 1) >> HTB_TICK);
}

static void wait_for_due(struct htb *h, struct htb_class *cl)
{
	uint64_t due = due_of(cl);

	if (wait_queued(&cl->wait)) {
		if (cl->wait.when <= due)
			return;
		waitq_remove(&cl->wait);
	}
	waitq_add(&h->waiting, &cl->wait, due);
}

void htb_run_due(struct htb *h)
{
	uint64_t now = h->q.tree->now;

	while (h->waiting.first && h->waiting.first->when <= now) {
		struct htb_class *cl = of_wait(h->waiting.first);

		waitq_remove(&cl->wait);
		if (cl->held && cl->held_until <= now)
			cl->held = false;
		htb_update(h, cl);
	}
}

uint64_t htb_next_due(struct htb *h)
{
	uint64_t due = QDISC_NEVER;

	while (h->waiting.first && due == QDISC_NEVER) {
		struct htb_class *cl = of_wait(h->waiting.first);

		if (must_wait(cl) && due_of(cl) <= cl->wait.when) {
			due = cl->wait.when;
		} else {
			waitq_remove(&cl->wait);
			if (must_wait(cl))
				wait_for_due(h, cl);
		}
	}
	/* Below a red class time passes for nothing. Where there are several at the top, the owner
	 * may be woken in vain. */
	if (h->only && h->only->active && h->only->mode == HTB_RED && due_of(h->only) > due)
		due = due_of(h->only);
	return due;
}

/* ---- what a class may do */

static enum htb_mode mode_of(const struct htb_class *cl)
{
	if (cl->ctokens < 0)
		return HTB_RED;
	return cl->tokens < 0 ? HTB_YELLOW : HTB_GREEN;
}

/* After settling: mode, activity, and when to look again. */
static void judge(struct htb *h, struct htb_class *cl)
{
	enum htb_mode mode = mode_of(cl);

	if (mode == HTB_RED && cl->mode != HTB_RED) {
		counter_add(&cl->waited_rate, 1);
		counter_add(&cl->c.stats.overlimits, 1);
		qdisc_overlimit(&h->q);
	}
	cl->mode = (uint8_t)mode;
	if (cl->inner)
		cl->active = cl->rows.mask != 0;
	else
		cl->active = cl->c.child && cl->c.child->qlen && !cl->held;
	if (must_wait(cl))
		wait_for_due(h, cl);
}

void htb_update(struct htb *h, struct htb_class *cl)
{
	do {
		settle(cl, h->q.tree->now);
		judge(h, cl);
	} while (htb_relist(h, cl) && (cl = cl->up));
}

/* Packets wait in the leaf: is it for lack of something to borrow, or behind a red class? */
static bool waits_for_parent(const struct htb_class *leaf)
{
	bool may = false;

	if (!leaf->active || leaf->mode == HTB_RED)
		return false;
	for (const struct htb_class *cl = leaf; cl; cl = cl->up) {
		if (cl->mode == HTB_RED)
			return true;
		may |= cl->mode == HTB_GREEN;
	}
	return !may;
}

/* The leaf has counted it already. */
static void count_sent(struct htb_class *inner, uint32_t len)
{
	counter_add(&inner->c.stats.packets, 1);
	counter_add(&inner->c.stats.bytes, len);
}

void htb_charge(struct htb *h, struct htb_class *leaf, struct htb_class *lender,
		const struct qpkt *p)
{
	uint32_t size = qdisc_size(&h->size, p->len);
	uint64_t now = h->q.tree->now;
	bool borrowing = leaf != lender;

	counter_add(&lender->lended, 1);
	for (struct htb_class *cl = leaf; cl; cl = cl->up) {
		if (cl != leaf)
			count_sent(cl, p->len);
		settle(cl, now);
		borrowing &= cl != lender;
		if (borrowing)
			counter_add(&cl->borrowed, 1);
		else
			spend(&cl->tokens, htb_ticks(cl->cost, size));
		spend(&cl->ctokens, htb_ticks(cl->ccost, size));
		htb_take_turn(h, cl, size, cl == leaf);
		judge(h, cl);
		htb_relist(h, cl);
	}
	if (waits_for_parent(leaf))
		counter_add(&leaf->waited_parent, 1);
}

bool htb_is_free(struct htb *h, struct htb_class *leaf)
{
	uint64_t now = h->q.tree->now;

	if (leaf->active || leaf->held)
		return false;
	settle(leaf, now);
	if (mode_of(leaf) != HTB_GREEN)
		return false;
	for (struct htb_class *cl = leaf->up; cl; cl = cl->up) {
		settle(cl, now);
		if (mode_of(cl) == HTB_RED)
			return false;
	}
	return true;
}

/* It stands in no row, so it has no turn to take; those above may offer less now. */
void htb_charge_free(struct htb *h, struct htb_class *leaf, const struct qpkt *p)
{
	uint32_t size = qdisc_size(&h->size, p->len);

	counter_add(&leaf->lended, 1);
	for (struct htb_class *cl = leaf; cl; cl = cl->up) {
		if (cl != leaf)
			count_sent(cl, p->len);
		spend(&cl->tokens, htb_ticks(cl->cost, size));
		spend(&cl->ctokens, htb_ticks(cl->ccost, size));
		judge(h, cl);
		htb_relist(h, cl);
	}
}

void htb_gave_nothing(struct htb *h, struct htb_class *leaf, uint64_t wake)
{
	uint64_t now = h->q.tree->now;

	if (leaf->c.child->qlen) {
		leaf->held = true;
		leaf->held_until = wake < now + HOLD_MAX ? wake : now + HOLD_MAX;
		if (leaf->held_until <= now)
			leaf->held_until = now + 1;
	}
	htb_update(h, leaf);
}

/* ---- made, changed, linked */

static uint64_t cost_of(uint64_t rate)
{
	uint64_t cost = (NSEC_PER_SEC << (HTB_TICK + HTB_FRACTION)) / (rate ? rate : 1);

	return cost ? cost : 1;
}

static int64_t depth_of(uint64_t cost, uint64_t bytes)
{
	unsigned __int128 ticks = ((unsigned __int128)cost * bytes) >> HTB_FRACTION;

	return ticks < (uint64_t)HTB_MBUFFER_TICKS ? (int64_t)ticks : HTB_MBUFFER_TICKS;
}

/* A class at the top waits for nobody, so nothing is owed to it. */
static void set_late(struct htb_class *cl)
{
	cl->late = cl->burst;
	if (cl->up)
		cl->late += cl->burst > HTB_LATE_TICKS ? cl->burst : HTB_LATE_TICKS;
}

void htb_set_quantum(const struct htb *h, struct htb_class *cl)
{
	uint64_t quantum = cl->quantum_of_file;

	if (!quantum) {
		quantum = cl->rate / (h->r2q ? h->r2q : 1);
		if (quantum < QUANTUM_MIN)
			quantum = QUANTUM_MIN;
		if (quantum > QUANTUM_MAX)
			quantum = QUANTUM_MAX;
	}
	cl->quantum = quantum < QUANTUM_LEAST ? QUANTUM_LEAST : (uint32_t)quantum;
	cl->byte_share = (uint64_t)HTB_SHARE / cl->quantum;
}

int htb_class_init(struct qclass *c, const struct conf_class *conf)
{
	struct htb_class *cl = (struct htb_class *)c;

	cl->rate = conf->rate;
	cl->cost = cost_of(conf->rate);
	cl->ccost = cost_of(conf->ceil ? conf->ceil : conf->rate);
	cl->burst = depth_of(cl->cost, conf->burst);
	cl->cburst = depth_of(cl->ccost, conf->cburst);
	cl->tokens = cl->burst;
	cl->ctokens = cl->cburst;
	cl->prio = conf->prio < HTB_PRIOS ? (uint8_t)conf->prio : HTB_PRIOS - 1;
	cl->quantum_of_file = conf->quantum;
	cl->key = HTB_NOTHING;
	set_late(cl);
	htb_set_quantum((const struct htb *)c->qdisc, cl);
	return 0;
}

/* As many bytes at another rate. */
static int64_t convert(int64_t ticks, uint64_t was, uint64_t is)
{
	__int128 there = (__int128)ticks * is / was;

	if (there > HTB_MBUFFER_TICKS)
		return HTB_MBUFFER_TICKS;
	return there > -HTB_MBUFFER_TICKS ? (int64_t)there : -HTB_MBUFFER_TICKS;
}

/* The packets stay, and what the class has saved up, or owes, in bytes. */
void htb_class_change(struct qclass *c, struct qclass *fresh)
{
	struct htb_class *cl = (struct htb_class *)c;
	const struct htb_class *from = (const struct htb_class *)fresh;
	struct htb *h = (struct htb *)c->qdisc;

	settle(cl, h->q.tree->now);
	set_tokens(&cl->tokens, convert(cl->tokens, cl->cost, from->cost));
	set_tokens(&cl->ctokens, convert(cl->ctokens, cl->ccost, from->ccost));
	cl->rate = from->rate;
	cl->cost = from->cost;
	cl->ccost = from->ccost;
	cl->burst = from->burst;
	cl->cburst = from->cburst;
	cl->prio = from->prio;
	cl->quantum_of_file = from->quantum_of_file;
	set_late(cl);
	htb_set_quantum(h, cl);
	h->moved = true;
	htb_update(h, cl);
}

static bool is_fallback(const struct htb *h, const struct htb_class *cl)
{
	return h->default_minor && CONF_MINOR(cl->c.classid) == h->default_minor;
}

void htb_class_link(struct qdisc *q, struct qclass *c, struct qclass *above)
{
	struct htb *h = (struct htb *)q;
	struct htb_class *cl = (struct htb_class *)c;

	cl->up = (struct htb_class *)above;
	cl->at = q->tree->now;
	set_late(cl);
	htb_set_quantum(h, cl);
	h->moved = true;
	if (is_fallback(h, cl))
		h->fallback = cl;
	if (cl->up) { /* it may have been a leaf, and have had packets */
		cl->up->nclasses++;
		cl->up->inner = true;
		cl->up->held = false;
		htb_update(h, cl->up);
	} else {
		h->only = h->ntop++ ? NULL : cl;
	}
}

void htb_class_unlink(struct qdisc *q, struct qclass *c)
{
	struct htb *h = (struct htb *)q;
	struct htb_class *cl = (struct htb_class *)c;

	h->moved = true;
	cl->held = false;
	htb_update(h, cl);
	if (wait_queued(&cl->wait))
		waitq_remove(&cl->wait);
	if (h->fallback == cl)
		h->fallback = NULL;
	if (cl->up)
		cl->up->inner = --cl->up->nclasses != 0;
	else if (h->ntop-- == 1 || h->only == cl)
		h->only = NULL;
}

unsigned htb_class_values(const struct qclass *c, struct qdisc_value out[QDISC_VALUES_MAX])
{
	const struct htb_class *cl = (const struct htb_class *)c;
	/* tc's unit is 64 ns. */
	int64_t tokens = __atomic_load_n(&cl->tokens, __ATOMIC_RELAXED) >> (HTB_TICK + 6);
	int64_t ctokens = __atomic_load_n(&cl->ctokens, __ATOMIC_RELAXED) >> (HTB_TICK + 6);
	unsigned n = 0;

	out[n++] =
		(struct qdisc_value){ "lended", QDISC_NUMBER, (int64_t)counter_read(&cl->lended) };
	out[n++] = (struct qdisc_value){ "borrowed", QDISC_NUMBER,
					 (int64_t)counter_read(&cl->borrowed) };
	out[n++] = (struct qdisc_value){ "giants", QDISC_NUMBER, 0 };
	out[n++] = (struct qdisc_value){ "tokens", QDISC_NUMBER, tokens };
	out[n++] = (struct qdisc_value){ "ctokens", QDISC_NUMBER, ctokens };
	out[n++] = (struct qdisc_value){ "waited_rate", QDISC_NUMBER,
					 (int64_t)counter_read(&cl->waited_rate) };
	out[n++] = (struct qdisc_value){ "waited_parent", QDISC_NUMBER,
					 (int64_t)counter_read(&cl->waited_parent) };
	return n;
}
