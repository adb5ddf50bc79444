// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which packets netem loses; see netem.h and tc-netem(8).
 *
 * random: each with the same probability. state: a Markov chain of four states (Salsano, Ludovici,
 * Ordine: the GI model), where a packet's fate is the state the chain goes to. gemodel: Gilbert and
 * Elliott's chain of two states, each of which loses with a probability of its own.
 */
#include "router/net/qdisc/netem.h"

enum state { IN_GAP, IN_BURST, LOST_IN_BURST, LOST_IN_GAP };
enum { P13, P31, P32, P23, P14 }; /* of conf_netem.state: 1 is IN_GAP, and so on */

enum elliott { GOOD, BAD };
enum { P, R, LOSS_IN_BAD, LOSS_IN_GOOD }; /* of conf_netem.gemodel */

/* How many of the 2^32 rolls. */
static uint64_t share(uint32_t probability)
{
	return probability ? probability + 1ull : 0;
}

static enum state next_state(enum state s, const uint32_t p[5], uint32_t roll)
{
	switch (s) {
	case IN_GAP:
		if (roll < share(p[P14]))
			return LOST_IN_GAP;
		return roll < share(p[P14]) + share(p[P13]) ? LOST_IN_BURST : IN_GAP;
	case IN_BURST: return roll < share(p[P23]) ? LOST_IN_BURST : IN_BURST;
	case LOST_IN_BURST:
		if (roll < share(p[P32]))
			return IN_BURST;
		return roll < share(p[P32]) + share(p[P31]) ? IN_GAP : LOST_IN_BURST;
	case LOST_IN_GAP: return IN_GAP;
	}
	__builtin_unreachable();
}

static bool lose_by_state(struct netem_loss *l, const uint32_t p[5], uint32_t roll)
{
	l->state = next_state((enum state)l->state, p, roll);
	return l->state == LOST_IN_BURST || l->state == LOST_IN_GAP;
}

/* A packet meets the state that the one before left. */
static bool lose_by_gemodel(struct netem_loss *l, const uint32_t p[4], struct netem_random *r)
{
	bool bad = l->state == BAD;

	if (netem_below(netem_roll(r), bad ? p[R] : p[P]))
		l->state = bad ? GOOD : BAD;
	return netem_below(netem_roll(r), bad ? p[LOSS_IN_BAD] : p[LOSS_IN_GOOD]);
}

bool netem_lose(struct netem_loss *l, const struct conf_netem *c, struct netem_random *r)
{
	switch (c->loss_model) {
	case CONF_LOSS_RANDOM:
		return c->loss &&
		       netem_below(netem_next(&l->series, c->loss_correlation, r), c->loss);
	case CONF_LOSS_STATE: return lose_by_state(l, c->state, netem_roll(r));
	case CONF_LOSS_GEMODEL: return lose_by_gemodel(l, c->gemodel, r);
	}
	__builtin_unreachable();
}
