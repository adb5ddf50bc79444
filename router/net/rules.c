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

/* A packet as steps look at it: what a step does not ask for has a mask of zero there. */
struct view {
	uint64_t src[2], dst[2];
	uint32_t mark, label;
	uint16_t sport, dport;
	uint8_t tos, proto;
};

static struct view view_of(int family, const struct rule_packet *p)
{
	struct view v = { .mark = p->mark,
			  .label = p->label,
			  .sport = p->sport,
			  .dport = p->dport,
			  .tos = p->tos,
			  .proto = p->proto };

	if (family == AF_INET6) {
		memcpy(v.src, p->src, 16);
		memcpy(v.dst, p->dst, 16);
	} else {
		uint32_t four[2];

		memcpy(&four[0], p->src, 4);
		memcpy(&four[1], p->dst, 4);
		memcpy(v.src, (uint32_t[4]){ four[0] }, 16);
		memcpy(v.dst, (uint32_t[4]){ four[1] }, 16);
	}
	return v;
}

static inline uint64_t differ(const struct rule_net *n, const uint64_t addr[2])
{
	return ((addr[0] ^ n->addr[0]) & n->mask[0]) | ((addr[1] ^ n->addr[1]) & n->mask[1]);
}

static inline bool in_ports(const struct rule_ports *r, uint16_t port)
{
	return r->mask ? !((r->first ^ port) & r->mask) : port >= r->first && port <= r->last;
}

static bool transport_holds(const struct rule_step *s, const struct view *v)
{
	if (s->tests & RULE_PROTO && s->proto != v->proto)
		return false;
	if (s->tests & RULE_SPORT && !in_ports(&s->sport, v->sport))
		return false;
	return !(s->tests & RULE_DPORT) || in_ports(&s->dport, v->dport);
}

/* Without a branch for each test: which of them fails nobody can foresee. */
static inline bool holds(const struct rule_step *s, const struct view *v)
{
	uint64_t wrong = differ(&s->from, v->src) | differ(&s->to, v->dst) |
			 ((s->mark ^ v->mark) & s->mark_mask) |
			 ((s->label ^ v->label) & s->label_mask) |
			 (uint64_t)((s->tos ^ v->tos) & s->tos_mask);

	return !wrong &&
	       (!(s->tests & (RULE_PROTO | RULE_SPORT | RULE_DPORT)) || transport_holds(s, v));
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
	struct view v = view_of(l->family, p);
	uint32_t slot = FIB_NONE;
	unsigned i = 0, at = l->nsteps;

	while (i < l->nsteps) {
		const struct rule_step *s = &l->step[i++];

		if (s->tests && holds(s, &v) == s->invert)
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
