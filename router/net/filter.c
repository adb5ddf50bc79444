/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running chains: matcher_next() gives the rules that match one after the other, and each does what
 * it says until one decides. [worker]
 */
#include "router/net/filter_internal.h"

#include <assert.h>

#include "router/net/match_key.h"

/* What became of a packet in a rule or a chain. */
enum outcome { GO_ON, RETURN, ACCEPT, DROP, REJECT };

struct run {
	const struct filter *f;
	struct match_packet *p;
	struct filter_result *out;
	struct filter_count *count; /* this worker's */
	filter_say_fn *say;
	void *arg;
};

static enum outcome run_chain(const struct run *r, const struct filter_chain *c);

static void count(const struct run *r, unsigned number)
{
	struct filter_count *c = &r->count[number];

	if (r->p->dry) {
		if (r->say)
			r->say(r->arg, (uint16_t)number, r->p);
		return;
	}
	__atomic_store_n(&c->packets, c->packets + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&c->bytes, c->bytes + r->p->len, __ATOMIC_RELAXED);
}

static void log_of(const struct run *r, const struct filter_rule *rule, unsigned number)
{
	struct filter_count *c = &r->count[number];

	if (!r->say || r->p->dry)
		return;
	if (!c->said || r->p->now - c->log_since >= rule->log_period) {
		c->log_since = r->p->now;
		c->said = 0;
	}
	if (c->said == rule->log_count)
		return;
	c->said++;
	r->say(r->arg, (uint16_t)number, r->p);
}

static void add_to(const struct run *r, const struct filter_action *a)
{
	struct set_key k;

	if (!r->p->dry && match_key(r->p, a->key, a->nkey, &k))
		set_add(a->set, &k, r->p->now); /* a full set counts what it refuses */
}

/* What later rules, and the packet itself, shall be. */
static void change(const struct run *r, const struct filter_action *a)
{
	struct filter_result *out = r->out;
	struct match_packet *p = r->p;

	switch ((enum conf_act)a->act) {
	case CONF_ACT_SET_MARK: p->mark = (p->mark & ~a->mask) | a->value; break;
	case CONF_ACT_SAVE_MARK:
		out->save_mark = true;
		out->saved = out->ct_mark = p->mark;
		break;
	case CONF_ACT_RESTORE_MARK: p->mark = out->ct_mark; break;
	case CONF_ACT_SET_DSCP:
		out->has_dscp = true;
		out->dscp = (uint8_t)a->value;
		p->tos = (uint8_t)(a->value << 2 | (p->tos & 3));
		break;
	case CONF_ACT_MSS_CLAMP:
		out->has_mss = true;
		out->mss = (uint16_t)a->value;
		break;
	case CONF_ACT_NOTRACK: out->notrack = true; break;
	case CONF_ACT_ADD_TO: add_to(r, a); break;
	default: break; /* count: done for every rule */
	}
}

static enum outcome act(const struct run *r, const struct filter_action *a)
{
	enum outcome o;

	switch ((enum conf_act)a->act) {
	case CONF_ACT_ACCEPT: return ACCEPT;
	case CONF_ACT_DROP: return DROP;
	case CONF_ACT_REJECT: r->out->reject = (uint8_t)a->value; return REJECT;
	case CONF_ACT_RETURN: return RETURN;
	case CONF_ACT_JUMP:
		o = run_chain(r, &r->f->chain[a->chain]);
		return o == RETURN ? GO_ON : o;
	default: change(r, a); return GO_ON;
	}
}

static enum outcome run_rule(const struct run *r, const struct filter_chain *c, unsigned i)
{
	const struct filter_rule *rule = &c->rule[i];
	unsigned number = c->first + i;

	count(r, number);
	if (rule->log_count)
		log_of(r, rule, number);
	for (unsigned k = 0; k < rule->nactions; k++) {
		const struct filter_action *a = &rule->action[k];
		enum outcome o = act(r, a);

		if (o >= ACCEPT && a->act != CONF_ACT_JUMP)
			r->out->rule = (uint16_t)number;
		if (o != GO_ON)
			return o;
	}
	return GO_ON;
}

/* RETURN is also its end. Chains jump into each other at most FILTER_DEPTH deep. */
static enum outcome run_chain(const struct run *r, const struct filter_chain *c)
{
	unsigned i = 0;

	while ((i = matcher_next(c->matcher, i, r->p)) < c->nrules) {
		enum outcome o = run_rule(r, c, i++);

		if (o != GO_ON)
			return o;
	}
	return RETURN;
}

static enum outcome policy(const struct run *r, const struct filter_chain *c)
{
	unsigned number = c->first + c->nrules;

	count(r, number);
	if (!c->drop)
		return ACCEPT;
	r->out->rule = 0;
	r->out->chain = (uint16_t)number;
	return DROP;
}

enum filter_verdict filter_run(const struct filter *f, enum filter_stage stage,
			       struct match_packet *p, struct filter_result *out,
			       filter_say_fn *say, void *arg)
{
	struct run r = { .f = f, .p = p, .out = out, .say = say, .arg = arg };

	bool accepted = false; /* by a rule, not by a policy */

	assert(p->worker < f->nworkers);
	r.count = f->count[p->worker];
	out->verdict = FILTER_ACCEPT;
	for (unsigned i = f->stage[stage]; i < f->stage[stage + 1]; i++) {
		const struct filter_chain *c = &f->chain[i];
		enum outcome o;

		if (accepted && c->from_zones) /* rules written by hand win over zones */
			continue;
		o = run_chain(&r, c);
		accepted |= o == ACCEPT;
		if (o == RETURN)
			o = policy(&r, c);
		if (o != ACCEPT) {
			out->verdict = o == REJECT ? FILTER_REJECT : FILTER_DROP;
			break;
		}
	}
	return (enum filter_verdict)out->verdict;
}

bool filter_has(const struct filter *f, enum filter_stage stage)
{
	return f->stage[stage] < f->stage[stage + 1];
}

bool filter_wants_syns(const struct filter *f)
{
	return f->syns;
}
