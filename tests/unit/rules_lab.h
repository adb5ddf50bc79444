/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of rules of policy routing share: rules told by hand, and what packets find. */
#ifndef TESTS_UNIT_RULES_LAB_H
#define TESTS_UNIT_RULES_LAB_H

#include "tests/unit/state_events.h"

#include <linux/fib_rules.h>

#include "router/net/rules.h"

static inline struct netlink_rule rule_of(int family, uint32_t priority, uint32_t table)
{
	struct netlink_rule r;

	memset(&r, 0, sizeof(r));
	r.family = (uint8_t)family;
	r.action = FR_ACT_TO_TBL;
	r.priority = priority;
	r.table = table;
	r.suppress_len = r.suppress_group = -1;
	r.from.addr.family = r.to.addr.family = (uint8_t)family;
	return r;
}

static inline void rule(const struct netlink_rule *r)
{
	state_netlink_ops.rule(s, r);
}

static inline void rule_gone(struct netlink_rule r)
{
	r.deleted = true;
	rule(&r);
}

static inline void usual_rules(int family)
{
	struct netlink_rule r;

	r = rule_of(family, 0, TABLE_LOCAL);
	rule(&r);
	r = rule_of(family, 32766, TABLE_MAIN);
	rule(&r);
	r = rule_of(family, 32767, TABLE_DEFAULT);
	if (family == AF_INET)
		rule(&r);
}

/* ---- asking */

static inline const struct dp_iface *iface_of(int ifindex)
{
	return &s->config->iface[state_link(s, ifindex)->iface];
}

static inline uint32_t ask(int ifindex, int family, bool own, const struct rule_packet *p)
{
	const struct dp_iface *f = iface_of(ifindex);
	bool six = family == AF_INET6;
	const struct rule_list *l = six ? (own ? f->own6 : f->rules6) : (own ? f->own4 : f->rules4);
	struct in6_addr dst6;
	uint32_t dst4, slot;
	const struct nh *n;

	if (l)
		return rules_lookup(l, &s->nht, p, NULL);
	memcpy(&dst4, p->dst, 4);
	if (six)
		memcpy(&dst6, p->dst, 16);
	slot = six ? fib6_lookup(f->fib6, &dst6) : fib4_lookup(f->fib4, dst4);
	n = slot ? nh_get(&s->nht, slot) : NULL;
	return n && n->type != NH_THROW ? slot : FIB_NONE;
}

#endif
