/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's rules of policy routing, and the lists that packets are looked up by; see state.h and
 * net/rules.h.
 *
 * Rules stand in Linux's order: by priority, and among equals as they came. A synchronisation
 * builds a new sequence beside the old one, which goes on to be used until all of it is known.
 *
 * What a rule asks of the interface is answered here, once for each interface: its name, the VRF it
 * is in; and so is what no packet that comes in has (a way out, a tunnel's key) or always has (the
 * user 0, in whose name Linux forwards). What is left are tests of packets. A rule with a condition
 * that is not known takes no packet at all, also where it says `not`: who wrote it knows what it
 * is for, and all others are as they were before it came.
 *
 * Without rules of its own an interface ends up with one step, the FIB of the tables local and main
 * (or of its VRF), and has no list then. [control]
 */
#include "router/state.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "router/lib/log.h"
#include "router/net/rules.h"

static unsigned side(int family)
{
	return family == AF_INET6;
}

/* ---- what Linux says */

static void rules_free(struct rule **first)
{
	for (struct rule *r = *first, *next; r; r = next) {
		next = r->next;
		free(r);
	}
	*first = NULL;
}

bool rule_understood(const struct netlink_rule *r)
{
	return !r->unknown && r->suppress_group < 0;
}

/* Both came from messages: all bytes tell, but for what kind of message it was. */
static bool same_rule(const struct netlink_rule *a, const struct netlink_rule *b)
{
	struct netlink_rule x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	x.deleted = y.deleted = false;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

static void rule_add(struct rule **at, const struct netlink_rule *n)
{
	struct rule *r = calloc(1, sizeof(*r));

	if (!r)
		return;
	memcpy(&r->r, n, sizeof(r->r));
	while (*at && (*at)->r.priority <= n->priority)
		at = &(*at)->next;
	r->next = *at;
	*at = r;
}

void rule_event(struct state *s, const struct netlink_rule *n)
{
	unsigned six = side(n->family);
	struct rule **first = s->syncing ? &s->rules_dumped[six] : &s->rules[six], **at = first;
	struct rule *gone;

	while (*at && !same_rule(&(*at)->r, n))
		at = &(*at)->next;
	if (n->deleted && *at) {
		gone = *at;
		*at = gone->next;
		free(gone);
	} else if (!n->deleted && !(*at && s->syncing)) { /* else the dump has shown it already */
		rule_add(first, n);
		if (!rule_understood(n))
			log_warn("IPv%u rule of priority %u: it has a condition that this version "
				 "does not know, and takes no packets here",
				 six ? 6 : 4, n->priority);
	}
	s->rules_known[six] = true;
	s->rules_dirty |= !s->syncing;
}

void rules_sync_begin(struct state *s)
{
	rules_free(&s->rules_dumped[0]);
	rules_free(&s->rules_dumped[1]);
}

void rules_sync_end(struct state *s)
{
	for (unsigned six = 0; six < 2; six++) {
		rules_free(&s->rules[six]);
		s->rules[six] = s->rules_dumped[six];
		s->rules_dumped[six] = NULL;
	}
	s->rules_dirty = true;
}

void rules_forget(struct state *s)
{
	rules_sync_begin(s);
	rules_free(&s->rules[0]);
	rules_free(&s->rules[1]);
	for (unsigned i = 0; i < s->nlists; i++)
		free(s->lists[i]);
	free(s->lists);
	s->lists = NULL;
	s->nlists = 0;
}

/* ---- a list in the making */

struct making {
	struct state *s;
	int family;
	const struct link *in;	/* NULL: packets this router makes, */
	const struct link *vrf; /* for this VRF, or NULL */
	struct rule_list *list;
	bool local_asked; /* every packet has been looked up in table local */
	bool jumps;
};

static bool is_on(const struct making *m, const char *name)
{
	return !strcmp(m->in ? m->in->l.name : "lo", name) ||
	       (m->vrf && !strcmp(m->vrf->l.name, name));
}

/* What the interface decides about a rule. */
static bool holds_here(const struct making *m, const struct netlink_rule *r)
{
	if (r->iif[0] && !is_on(m, r->iif))
		return false;
	if (r->oif[0] && (m->in || !m->vrf || strcmp(m->vrf->l.name, r->oif) != 0))
		return false;
	if (r->l3mdev && !m->vrf)
		return false;
	return !r->tun_id && (!r->has_uid || r->uid_first == 0);
}

static bool put_ports(struct rule_ports *to, const struct netlink_ports *from)
{
	*to = (struct rule_ports){ from->first, from->last, from->mask };
	return from->first || from->last;
}

/* IPv4 knows three bits of a TOS (RFC 1349 without its last); IPv6, and `dscp`, all six. */
static void put_tos(struct rule_step *s, const struct netlink_rule *r)
{
	if (r->has_dscp) {
		s->tos = (uint8_t)(r->dscp << 2);
		s->tos_mask = (uint8_t)(r->dscp_mask << 2);
	} else if (r->tos) {
		s->tos = r->tos;
		s->tos_mask = r->family == AF_INET ? 0x1c : 0xfc;
	}
	s->tests |= s->tos_mask ? RULE_TOS : 0;
}

static void put_tests(struct rule_step *s, const struct netlink_rule *r)
{
	put_tos(s, r);
	if (r->from.len)
		s->tests |= RULE_FROM;
	if (r->to.len)
		s->tests |= RULE_TO;
	s->from = rule_net_of(r->family, r->from.addr.bytes, r->from.len);
	s->to = rule_net_of(r->family, r->to.addr.bytes, r->to.len);
	if (r->mark_mask)
		s->tests |= RULE_MARK;
	s->mark = r->mark;
	s->mark_mask = r->mark_mask;
	if (r->ipproto)
		s->tests |= RULE_PROTO;
	s->proto = r->ipproto;
	if (put_ports(&s->sport, &r->sport))
		s->tests |= RULE_SPORT;
	if (put_ports(&s->dport, &r->dport))
		s->tests |= RULE_DPORT;
	if (r->label_mask)
		s->tests |= RULE_LABEL;
	s->label = r->label;
	s->label_mask = r->label_mask;
	s->invert = r->invert;
}

/* Fills in the tests. False: no packet of this interface passes them. */
static bool may_match(const struct making *m, const struct netlink_rule *r, struct rule_step *s)
{
	if (!rule_understood(r))
		return false;
	if (!holds_here(m, r))
		return r->invert;
	put_tests(s, r);
	return s->tests || !r->invert;
}

/* ---- tables */

/* As Linux makes them, and as they stay for most: with these alone it looks into local and main at
 * once, as the IPv4 FIB of main here does. */
static bool is_usual(const struct netlink_rule *r)
{
	static const struct {
		uint32_t priority, table;
	} usual[] = { { 0, TABLE_LOCAL }, { 32766, TABLE_MAIN }, { 32767, TABLE_DEFAULT } };
	struct rule_step tests = { 0 };
	bool known = false;

	for (unsigned i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		known |= r->priority == usual[i].priority && r->table == usual[i].table;
	put_tests(&tests, r);
	return known && r->action == FR_ACT_TO_TBL && !tests.tests && !r->iif[0] && !r->oif[0] &&
	       !r->l3mdev && r->suppress_len < 0;
}

/* Is the longest match in local and main together what asking first the one, then the other finds?
 * Not with a shorter prefix or a throw in local, unless Linux itself asks both at once. */
static bool folds(const struct state *s, int family)
{
	if (!s->local_odd[side(family)])
		return true;
	for (const struct rule *r = s->rules[side(family)]; r; r = r->next)
		if (!is_usual(&r->r))
			return false;
	return family == AF_INET;
}

static struct rule_step *last_step(const struct making *m)
{
	return m->list->nsteps ? &m->list->step[m->list->nsteps - 1] : NULL;
}

/* The FIB of a rule's table. Main's has local's routes in it, too: those cannot be what is found if
 * local has been asked before. */
static struct fib *fib_of(struct making *m, uint32_t table, int suppress)
{
	bool folded = table == TABLE_MAIN && m->local_asked && folds(m->s, m->family);

	if (folded && suppress < 0)
		return state_fib(m->s, TABLE_MAIN, m->family, true);
	return state_fib_alone(m->s, table, m->family, suppress);
}

/* There is no room for the FIB of this table. Without it packets would go on to the next rules: for
 * a VRF that is out of it, which ends here. */
static bool put_closed(const struct making *m, struct rule_step *s)
{
	s->act = RULE_DECIDED;
	s->slot = FIB_NONE;
	return m->vrf && s->table == m->vrf->l.vrf_table;
}

/* False: the step is none. */
static bool put_lookup(struct making *m, const struct netlink_rule *r, struct rule_step *s)
{
	bool always = !s->tests && r->suppress_len < 0;
	const struct rule_step *before = last_step(m);

	s->act = RULE_LOOKUP;
	s->table = r->table ? r->table : m->vrf ? m->vrf->l.vrf_table : 0;
	if (!s->table || (s->table == TABLE_DEFAULT && !m->s->ndefault[side(m->family)]))
		return false;
	s->fib = fib_of(m, s->table, r->suppress_len);
	if (!s->fib)
		return put_closed(m, s);
	/* What main's FIB would find in any case need not be asked before it. */
	if (always && before && !before->tests && before->table == TABLE_LOCAL &&
	    before->act == RULE_LOOKUP && s->fib == state_fib(m->s, TABLE_MAIN, m->family, false))
		m->list->nsteps--;
	if (always && s->table == TABLE_LOCAL && !m->jumps)
		m->local_asked = true;
	return true;
}

/* ---- rules into steps */

/* Where a goto leads, which is always behind it. */
static const struct rule *target_of(const struct rule *from)
{
	const struct rule *r = from->next;

	while (r && r->r.priority < from->r.target)
		r = r->next;
	return from->r.target > from->r.priority && r && r->r.priority == from->r.target ? r : NULL;
}

static bool put_step(struct making *m, const struct rule *rule, struct rule_step *s)
{
	const struct netlink_rule *r = &rule->r;

	s->priority = r->priority;
	if (!may_match(m, r, s))
		return false;
	switch (r->action) {
	case FR_ACT_TO_TBL: return put_lookup(m, r, s);
	case FR_ACT_GOTO:
		s->act = RULE_GOTO;
		m->jumps = true;
		return target_of(rule) != NULL;
	case FR_ACT_BLACKHOLE: s->slot = m->s->blackhole; break;
	case FR_ACT_PROHIBIT: s->slot = m->s->prohibit; break;
	case FR_ACT_UNREACHABLE: s->slot = FIB_NONE; break; /* of a network, says the error */
	default: return false;
	}
	s->act = RULE_DECIDED;
	return true;
}

/* The lists' steps know rules by priority; `start` has the first step of each rule or behind it. */
static void resolve_gotos(struct making *m, const unsigned *start)
{
	unsigned i = 0;

	for (const struct rule *r = m->s->rules[side(m->family)]; r; r = r->next, i++) {
		const struct rule *to = r->r.action == FR_ACT_GOTO ? target_of(r) : NULL;
		unsigned k = i;

		if (!to || start[i] == m->list->nsteps ||
		    m->list->step[start[i]].act != RULE_GOTO ||
		    m->list->step[start[i]].priority != r->r.priority)
			continue;
		for (const struct rule *x = r; x != to; x = x->next)
			k++;
		m->list->step[start[i]].next = start[k];
	}
}

static void note_tests(struct rule_list *l)
{
	for (unsigned i = 0; i < l->nsteps; i++) {
		uint8_t t = l->step[i].tests;

		l->ports |= t & (RULE_PROTO | RULE_SPORT | RULE_DPORT);
		l->marks |= t & RULE_MARK;
		l->each |= t & (RULE_TOS | RULE_LABEL);
	}
}

static struct rule_list *list_make(struct state *s, int family, const struct link *in,
				   const struct link *vrf)
{
	struct making m = { .s = s, .family = family, .in = in, .vrf = vrf };
	unsigned n = 0, i = 0, *start;

	for (const struct rule *r = s->rules[side(family)]; r; r = r->next)
		n++;
	m.list = calloc(1, sizeof(*m.list) + n * sizeof(m.list->step[0]));
	start = calloc(n + 1, sizeof(*start));
	if (!m.list || !start) {
		free(m.list);
		free(start);
		return NULL;
	}
	m.list->family = family;
	for (const struct rule *r = s->rules[side(family)]; r; r = r->next, i++) {
		struct rule_step step = { 0 };
		bool put = put_step(&m, r, &step);

		start[i] = m.list->nsteps;
		if (put)
			memcpy(&m.list->step[m.list->nsteps++], &step, sizeof(step));
	}
	resolve_gotos(&m, start);
	note_tests(m.list);
	free(start);
	return m.list;
}

/* ---- into a configuration */

static bool same_list(const struct rule_list *a, const struct rule_list *b)
{
	return a->family == b->family && a->nsteps == b->nsteps &&
	       memcmp(a->step, b->step, a->nsteps * sizeof(a->step[0])) == 0;
}

/* The list among those there are, or none if `fib` alone says the same. */
static const struct rule_list *list_put(struct state *s, struct rule_list *l, const struct fib *fib)
{
	const struct rule_step *only = l && l->nsteps == 1 ? &l->step[0] : NULL;

	if (!l || (only && !only->tests && only->act == RULE_LOOKUP && only->fib == fib)) {
		free(l);
		return NULL;
	}
	for (unsigned i = 0; i < s->nlists; i++) {
		if (!same_list(s->lists[i], l))
			continue;
		free(l);
		return s->lists[i];
	}
	s->lists[s->nlists++] = l;
	return l;
}

static const struct link *vrf_of(const struct state *s, const struct link *l)
{
	const struct link *master = state_link(s, l->l.master);

	return master && master->l.vrf_table ? master : NULL;
}

static void attach_iface(struct state *s, struct dp_iface *f, const struct link *l)
{
	const struct link *vrf = vrf_of(s, l);
	bool by_rule =
		f->zone && !vrf; /* a VRF that is no device: its answers go by its rules, too */

	if (s->rules_known[0]) {
		f->rules4 = list_put(s, list_make(s, AF_INET, l, vrf), f->fib4);
		f->own4 = by_rule ? f->rules4
				  : list_put(s, list_make(s, AF_INET, NULL, vrf), f->fib4);
	}
	if (s->rules_known[1]) {
		f->rules6 = list_put(s, list_make(s, AF_INET6, l, vrf), f->fib6);
		f->own6 = by_rule ? f->rules6
				  : list_put(s, list_make(s, AF_INET6, NULL, vrf), f->fib6);
	}
}

void rules_attach(struct state *s, struct dp_config *c)
{
	for (unsigned i = 0; i < s->nlists; i++)
		state_retire(s, s->lists[i]);
	state_retire(s, s->lists);
	s->nlists = 0;
	s->lists = calloc(4 * (size_t)c->nifaces + 1, sizeof(*s->lists)); /* what there can be */
	c->ruled = false;
	for (const struct link *l = s->links; l && s->lists; l = l->next) {
		struct dp_iface *f = l->iface == IFACE_NONE ? NULL : &c->iface[l->iface];

		if (!f || l->iface >= c->nifaces)
			continue;
		attach_iface(s, f, l);
		c->ruled |= f->rules4 || f->rules6;
	}
}
