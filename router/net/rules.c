/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See rules.h. One step after the other: rules are few, and most have one test. */
#include "router/net/rules.h"

#include <string.h>

struct rule_net rule_net_of(int family, const uint8_t *addr, unsigned len)
{
	unsigned bytes = family == AF_INET6 ? 16 : 4;
	uint8_t a[16] = { 0 }, m[16] = { 0 };
	struct rule_net n;

	for (unsigned i = 0; i < bytes; i++) {
		unsigned bits = len > 8 * i ? len - 8 * i : 0;

		m[i] = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
		a[i] = addr[i] & m[i];
	}
	memcpy(n.addr, a, sizeof(n.addr));
	memcpy(n.mask, m, sizeof(n.mask));
	return n;
}

static inline bool in_net(const struct rule_net *n, int family, const uint8_t *addr)
{
	uint64_t w[2] = { 0, 0 };

	memcpy(w, addr, family == AF_INET6 ? 16 : 4);
	return !(((w[0] ^ n->addr[0]) & n->mask[0]) | ((w[1] ^ n->addr[1]) & n->mask[1]));
}

static inline bool in_ports(const struct rule_ports *r, uint16_t port)
{
	return r->mask ? !((r->first ^ port) & r->mask) : port >= r->first && port <= r->last;
}

static bool holds(const struct rule_step *s, int family, const struct rule_packet *p)
{
	if (s->tests & RULE_FROM && !in_net(&s->from, family, p->src))
		return false;
	if (s->tests & RULE_TO && !in_net(&s->to, family, p->dst))
		return false;
	if (s->tests & RULE_MARK && (s->mark ^ p->mark) & s->mark_mask)
		return false;
	if (s->tests & RULE_TOS && (s->tos ^ p->tos) & s->tos_mask)
		return false;
	if (s->tests & RULE_PROTO && s->proto != p->proto)
		return false;
	if (s->tests & RULE_SPORT && !in_ports(&s->sport, p->sport))
		return false;
	if (s->tests & RULE_DPORT && !in_ports(&s->dport, p->dport))
		return false;
	return !(s->tests & RULE_LABEL && (s->label ^ p->label) & s->label_mask);
}

static uint32_t look(const struct fib *f, int family, const uint8_t *dst)
{
	struct in6_addr six;
	uint32_t four;

	if (family == AF_INET6) {
		memcpy(&six, dst, sizeof(six));
		return fib6_lookup(f, &six);
	}
	memcpy(&four, dst, sizeof(four));
	return fib4_lookup(f, four);
}

uint32_t rules_lookup(const struct rule_list *l, const struct nh_table *nht,
		      const struct rule_packet *p, unsigned *decided)
{
	uint32_t slot = FIB_NONE;
	unsigned i = 0, at = l->nsteps;

	while (i < l->nsteps) {
		const struct rule_step *s = &l->step[i++];

		if (s->tests && holds(s, l->family, p) == s->invert)
			continue;
		if (s->act == RULE_GOTO) {
			i = s->next;
			continue;
		}
		if (s->act == RULE_LOOKUP) {
			uint32_t found = look(s->fib, l->family, p->dst);
			const struct nh *n = found ? nh_get(nht, found) : NULL;

			if (!n || n->type == NH_THROW)
				continue;
			slot = found;
		} else {
			slot = s->slot;
		}
		at = i - 1;
		break;
	}
	if (decided)
		*decided = at;
	return slot;
}
