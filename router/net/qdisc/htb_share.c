// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who is served next among the classes of an htb.
 *
 * Each class offers its parent the best that it, or anything below it, has: a key. Something within
 * a guarantee is better than something to be borrowed, then the lower priority number is better. A
 * green class's borrowers are within its guarantee for those above; a red class offers nothing. So
 * the top sees at once whether anything may leave, and the way down from there follows the best key
 * of each class.
 *
 * Under one key, deficit round robin in rounds: a member that comes into a round gets its share, is
 * served until that is used up, and then waits for the next round, which begins when nobody has
 * anything left of this one. A share is worth a quantum of bytes. An inner class among borrowers
 * counts for the leaves that borrow through it, each with the least quantum of its siblings: so
 * what others get depends on how many there are, not on which. As they come and go within a round,
 * a byte takes as much of the share as it is worth when it is sent.
 *
 * A class that leaves a row in mid-turn finds its turn as it left it, if it comes back in the same
 * round. Rounds end only when something is picked, and borrowers are only picked from while nobody
 * below the lender is within a guarantee; so turning green for a packet costs nobody his share.
 */
#include "router/net/qdisc/htb.h"

static struct htb_rows *rows_above(struct htb *h, const struct htb_class *cl)
{
	return cl->up ? &cl->up->rows : &h->rows;
}

static struct htb_turn *turn_of(struct htb_class *cl, unsigned key)
{
	if (key < HTB_PRIOS)
		return &cl->turn[0];
	return &cl->turn[cl->inner ? key - HTB_PRIOS + 1 : 1];
}

/* ---- rings */

static void ring_push(struct htb_class **ring, struct htb_class *cl)
{
	struct htb_class *first = *ring;

	if (!first) {
		cl->next = cl->prev = cl;
		*ring = cl;
		return;
	}
	cl->next = first;
	cl->prev = first->prev;
	cl->prev->next = cl;
	first->prev = cl;
}

static void ring_remove(struct htb_row *row, struct htb_class *cl)
{
	struct htb_class *next = cl->next != cl ? cl->next : NULL;

	cl->prev->next = cl->next;
	cl->next->prev = cl->prev;
	if (row->now == cl)
		row->now = next;
	else if (row->later == cl)
		row->later = next;
}

/* ---- rows */

/* If it has had its share of this round, row_first() will see that. */
static void row_join(struct htb_row *row, struct htb_class *cl)
{
	ring_push(&row->now, cl);
	row->weight += cl->weight;
}

static void row_leave(struct htb_row *row, struct htb_class *cl)
{
	ring_remove(row, cl);
	row->weight -= cl->weight;
}

/* The member whose turn it is. The row has one. */
static struct htb_class *row_first(struct htb_row *row, unsigned key)
{
	for (;;) {
		struct htb_class *cl;
		struct htb_turn *turn;

		if (!row->now) {
			row->now = row->later;
			row->later = NULL;
			row->round++;
		}
		cl = row->now;
		turn = turn_of(cl, key);
		if (turn->round != row->round) {
			turn->round = row->round;
			turn->left = HTB_SHARE + (turn->left < 0 ? turn->left : 0);
		}
		if (turn->left > 0)
			return cl;
		ring_remove(row, cl);
		ring_push(&row->later, cl);
	}
}

/* Those that are likely to be served after cl: of many classes each is far away. Two ahead the
 * class, one ahead what hangs under it. */
static void fetch_ahead(const struct htb_class *cl)
{
	const struct htb_class *one = cl->next, *two = one->next;

	if (one == cl)
		return;
	__builtin_prefetch(one->c.child, 1);
	__builtin_prefetch((const char *)one->c.child + 64, 1);
	__builtin_prefetch(two, 1);
	__builtin_prefetch(&two->at, 1);
	__builtin_prefetch(&two->next, 1);
	__builtin_prefetch(&two->turn, 1);
}

struct htb_class *htb_pick(struct htb *h, struct htb_class **lender)
{
	struct htb_rows *rows = &h->rows;
	struct htb_class *cl = NULL;
	bool lent = false;

	/* At the top there is nobody to borrow from. */
	if (!(rows->mask & ((1u << HTB_PRIOS) - 1)))
		return NULL;
	do {
		unsigned key = (unsigned)__builtin_ctz(rows->mask);

		if (key >= HTB_PRIOS && !lent) {
			lent = true;
			*lender = cl;
		}
		cl = row_first(&rows->row[key], key);
		rows = &cl->rows;
	} while (cl->inner);
	if (!lent)
		*lender = cl;
	fetch_ahead(cl);
	return cl;
}

/* An inner class among borrowers has the quantum of all that borrow through it at this moment. One
 * division of doubles: cheaper than keeping a reciprocal of what changes all the time. */
static int64_t share_of(const struct htb_class *cl, uint32_t size, bool leaf)
{
	if (leaf || cl->key < HTB_PRIOS)
		return (int64_t)(size * cl->byte_share);
	return (int64_t)((double)size * (double)HTB_SHARE / (double)cl->weight);
}

void htb_take_turn(struct htb *h, struct htb_class *cl, uint32_t size, bool leaf)
{
	struct htb_turn *turn = turn_of(cl, cl->key);
	struct htb_row *row;

	turn->left -= share_of(cl, size, leaf);
	if (turn->left > 0)
		return;
	row = &rows_above(h, cl)->row[cl->key];
	ring_remove(row, cl);
	ring_push(&row->later, cl);
}

/* ---- what a class offers */

static unsigned best_key(const struct htb_class *cl)
{
	unsigned key;

	if (!cl->active || cl->mode == HTB_RED)
		return HTB_NOTHING;
	if (!cl->inner)
		return cl->mode == HTB_GREEN ? cl->prio : HTB_PRIOS + cl->prio;
	key = (unsigned)__builtin_ctz(cl->rows.mask);
	return key >= HTB_PRIOS && cl->mode == HTB_GREEN ? key - HTB_PRIOS : key;
}

/* What cl counts for: an inner class borrows for those below it, of whom each counts as the
 * smallest of them does. */
static uint64_t weight_under(const struct htb_class *cl, unsigned key)
{
	if (key < HTB_PRIOS)
		return cl->quantum;
	if (cl->inner)
		return cl->rows.row[key].weight;
	return cl->up ? cl->up->least : cl->quantum;
}

void htb_find_least(struct htb *h)
{
	const struct qdisc_tree *t = h->q.tree;

	h->moved = false;
	for (unsigned pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < t->ncls; i++) {
			struct htb_class *cl = (struct htb_class *)t->cls[i];

			if (!cl || cl->c.qdisc != &h->q)
				continue;
			if (pass == 0)
				cl->least = UINT32_MAX;
			else if (cl->up && !cl->inner && cl->quantum < cl->up->least)
				cl->up->least = cl->quantum;
		}
}

static bool reweigh(struct htb_row *row, struct htb_class *cl, uint64_t weight)
{
	if (weight == cl->weight)
		return false;
	row->weight += weight - cl->weight;
	cl->weight = weight;
	return true;
}

bool htb_relist(struct htb *h, struct htb_class *cl)
{
	struct htb_rows *rows = rows_above(h, cl);
	unsigned key = best_key(cl);
	uint64_t weight = key == HTB_NOTHING ? 0 : weight_under(cl, key);
	uint32_t before = rows->mask;

	if (key == cl->key)
		return key != HTB_NOTHING && reweigh(&rows->row[key], cl, weight) &&
		       key >= HTB_PRIOS;
	if (cl->key != HTB_NOTHING) {
		row_leave(&rows->row[cl->key], cl);
		if (!rows->row[cl->key].now && !rows->row[cl->key].later)
			rows->mask &= ~(1u << cl->key);
	}
	cl->key = (uint8_t)key;
	cl->weight = weight;
	if (key != HTB_NOTHING) {
		row_join(&rows->row[key], cl);
		rows->mask |= 1u << key;
	}
	return rows->mask != before ||
	       (cl->up && cl->up->key != HTB_NOTHING && cl->up->key >= HTB_PRIOS);
}
