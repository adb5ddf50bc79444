/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the live tests of router/state share: the mirror under test in a network namespace, its
 * contents as text, and the kernel's own lookup. The oracle of the mirror is a second one made
 * afresh: a dump has no history and so cannot have missed anything.
 */
#ifndef TESTS_UNIT_STATE_LIVE_H
#define TESTS_UNIT_STATE_LIVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "router/lib/clock.h"
#include "router/state.h"

struct live {
	struct loop *loop;
	struct loop_timer *timer;
	struct state *state;
	struct netlink *nl;
};

static inline void live_stop(void *arg, uint64_t now)
{
	(void)now;
	loop_stop(((struct live *)arg)->loop);
}

static inline void live_create(struct live *v)
{
	v->loop = loop_create();
	v->timer = loop_timer_add(v->loop, live_stop, v);
	assert_int_equal(state_create(&v->state), 0);
	assert_int_equal(netlink_create(v->loop, &state_netlink_ops, v->state, &v->nl), 0);
	v->state->nl = v->nl;
}

static inline void live_destroy(struct live *v)
{
	state_destroy(v->state);
	netlink_destroy(v->nl);
	loop_destroy(v->loop);
}

/* Reads what has come, for so long. */
static inline void live_run(struct live *v, unsigned ms)
{
	loop_timer_set(v->timer, clock_now() + ms * NSEC_PER_MSEC);
	assert_int_equal(loop_run(v->loop), 0);
}

/* ---- a mirror as text: a sorted array of lines */

struct text {
	char **line;
	size_t n, cap;
};

static inline void text_add(struct text *t, const char *line)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->line = realloc(t->line, t->cap * sizeof(*t->line));
	}
	t->line[t->n++] = strdup(line);
}

static inline int text_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void text_free(struct text *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->line[i]);
	free(t->line);
	*t = (struct text){ 0 };
}

/* Hops sorted: Linux shows IPv6 siblings in another order each time. IPv4 hops with their death. */
static inline void text_hops(char *out, size_t room, const struct path *p)
{
	struct text t = { 0 };
	char via[ADDR_STRLEN], line[128];
	size_t at = strlen(out);

	for (unsigned i = 0; i < p->nhops; i++) {
		const struct netlink_hop *h = &p->hops[i].hop;
		bool dead = p->family == AF_INET && h->flags & RTNH_F_DEAD;

		snprintf(line, sizeof(line), " [%d %s %u%s]", h->ifindex,
			 h->via.family ? addr_format(&h->via, via) : "-", h->weight,
			 dead ? " dead" : "");
		text_add(&t, line);
	}
	if (t.n)
		qsort(t.line, t.n, sizeof(t.line[0]), text_cmp);
	for (size_t i = 0; i < t.n && at < room; i++)
		at += (size_t)snprintf(out + at, room - at, "%s", t.line[i]);
	text_free(&t);
}

/* IPv4 routes of one metric have an order, which their place in the chain tells. */
static inline unsigned text_place(const struct state *s, const struct route *r)
{
	unsigned place = 0;

	if (r->dst.addr.family == AF_INET6)
		return 0;
	for (uint32_t b = 0, i = 0; i < 1; i++)
		for (struct table_node *n = table_walk(&s->routes, &b, NULL); n;
		     n = table_walk(&s->routes, &b, n)) {
			const struct route *x = table_entry(n, struct route, node);

			if (x->table != r->table || !prefix_equal(&x->dst, &r->dst))
				continue;
			for (; x && x != r; x = x->next)
				place += x->metric == r->metric && x->tos == r->tos;
			return place;
		}
	return 99;
}

/* IPv6 routes of one metric, some of them siblings: the others may lie between these, where a dump
 * passes over them, and Linux comes to them when the first siblings are dead. Not compared. */
static inline bool beside_siblings(const struct state *s, const struct route *r)
{
	unsigned siblings = 0, routes = 0;

	if (r->dst.addr.family != AF_INET6)
		return false;
	for (const struct route *x = state_route_exact(s, r->table, &r->dst); x; x = x->next) {
		if (x->metric != r->metric)
			continue;
		routes++;
		siblings += !x->path->nhid && x->path->nhops > 1;
	}
	return siblings && routes > 1;
}

/* Of routes beside siblings only these. */
static inline bool text_skips(const struct state *s, const struct route *r)
{
	return beside_siblings(s, r) && (r->path->nhid || r->path->nhops < 2);
}

static inline void text_state(struct text *t, const struct state *s)
{
	char line[4096], dst[PREFIX_STRLEN];
	uint32_t b = 0;

	for (const struct route *r = s->first; r; r = r->next_all) {
		if (text_skips(s, r))
			continue;
		snprintf(line, sizeof(line),
			 "%s table %u metric %u tos %u place %u type %u proto %u scope %u src %x "
			 "mtu %u nhid %u",
			 prefix_format(&r->dst, dst), r->table, r->metric, r->tos, text_place(s, r),
			 r->type, r->protocol, r->scope, r->prefsrc, r->path->mtu, r->path->nhid);
		text_hops(line, sizeof(line), r->path);
		text_add(t, line);
	}
	for (struct table_node *n = table_walk(&s->objects, &b, NULL); n;
	     n = table_walk(&s->objects, &b, n)) {
		const struct netlink_nexthop *o = &table_entry(n, struct nexthop_object, node)->n;
		int at = snprintf(line, sizeof(line), "object %u on %d via %s:", o->id,
				  o->hop.ifindex,
				  o->hop.via.family ? addr_format(&o->hop.via, dst) : "-");

		for (unsigned i = 0; i < o->nmembers; i++)
			at += snprintf(line + at, sizeof(line) - (size_t)at, " %u,%u",
				       o->members[i].id, o->members[i].weight);
		text_add(t, line);
	}
	for (const struct link *l = s->links; l; l = l->next)
		for (const struct link_addr *a = l->addrs; a; a = a->next) {
			if (a->a.flags & IFA_F_TENTATIVE)
				continue; /* announced when it is one */
			snprintf(line, sizeof(line), "address %s on %d",
				 prefix_format(&a->a.local, dst), l->l.ifindex);
			text_add(t, line);
		}
	qsort(t->line, t->n, sizeof(t->line[0]), text_cmp);
}

/* Says which lines only one of them has, if asked to; true: none. */
static inline bool text_equal(const struct text *mirror, const struct text *fresh, bool say)
{
	size_t i = 0, k = 0;
	bool equal = true;

	while (i < mirror->n || k < fresh->n) {
		int c = i == mirror->n	? 1
			: k == fresh->n ? -1
					: strcmp(mirror->line[i], fresh->line[k]);

		if (c && say)
			print_error("%s: %s\n", c < 0 ? "mirror only" : "Linux only",
				    c < 0 ? mirror->line[i] : fresh->line[k]);
		equal = equal && !c;
		i += c <= 0;
		k += c >= 0;
	}
	return equal;
}

/* ---- the kernel's lookup */

/* What Linux finds for an address, by the exact route: its type (RTN_UNSPEC: none) and prefix. */
static inline uint8_t kernel_lookup(struct mnl_socket *nl, const struct addr *a, struct prefix *dst)
{
	static _Alignas(8) uint8_t buf[8192];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));
	struct netlink_route r;
	int err = 0;

	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST;
	rtm->rtm_family = a->family;
	rtm->rtm_dst_len = (uint8_t)addr_bits(a);
	rtm->rtm_flags = RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE;
	mnl_attr_put(h, RTA_DST, addr_bits(a) / 8, a->bytes);
	assert_true(mnl_socket_sendto(nl, h, h->nlmsg_len) > 0);
	assert_true(mnl_socket_recvfrom(nl, buf, sizeof(buf)) > 0);
	if (h->nlmsg_type == NLMSG_ERROR)
		err = ((struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
	else if (netlink_parse_route(h, &r)) {
		*dst = r.dst;
		return r.type;
	}
	return err == -EINVAL	      ? RTN_BLACKHOLE
	       : err == -EHOSTUNREACH ? RTN_UNREACHABLE
	       : err == -EACCES	      ? RTN_PROHIBIT
				      : RTN_UNSPEC;
}

#endif
