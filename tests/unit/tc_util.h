/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of filters of shaping: a configuration written by calls, one place built of it, and
 * frames that are classified there. tc_setup() and tc_teardown() are cmocka's.
 *
 * The port of this test is "wan0"; mirrors may go to mon0 (7) and lan0 (3). Index of a class in the
 * tree: its minor, plus 100 for each major above 1.
 */
#ifndef TESTS_UNIT_TC_UTIL_H
#define TESTS_UNIT_TC_UTIL_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "router/net/csum.h"
#include "router/net/l4.h"
#include "router/net/limit.h"
#include "router/net/qdisc/classify.h"
#include "router/net/qdisc/qdisc.h"

#define H(major, minor) CONF_HANDLE(major, minor)
#define MAX		64

static struct conf conf;
static struct conf_qdisc qdisc[8];
static struct conf_class class[32];
static struct conf_tc_filter filter[MAX], ingress[MAX];
static struct conf_tc_action action[2][MAX][4];
static struct conf_port_range port[2][MAX];
static struct conf_mirror mirror[4], redirect[4];
static struct conf_tree tree;
static unsigned ningress;
static struct names names;
static struct limits *limits;
static struct policers *policers;
static struct tc_filters *place;
static char why[256];

/* What was mirrored. */
static struct {
	unsigned n, port;
	uint32_t len;
	uint8_t first[64];
} copy;

static void mirrored(struct dp *dp, unsigned to, const uint8_t *frame, uint32_t len)
{
	(void)dp;
	copy.n++;
	copy.port = to;
	copy.len = len;
	memcpy(copy.first, frame, len < sizeof(copy.first) ? len : sizeof(copy.first));
}

static int port_named(void *arg, const char *iface)
{
	(void)arg;
	return !strcmp(iface, "mon0") ? 7 : !strcmp(iface, "lan0") ? 3 : -1;
}

static uint32_t class_named(void *arg, uint32_t classid)
{
	(void)arg;
	return CONF_MINOR(classid) + 100 * ((classid >> 16) - 1);
}

static inline int tc_setup(void **state)
{
	(void)state;
	memset(&conf, 0, sizeof(conf));
	memset(qdisc, 0, sizeof(qdisc));
	memset(class, 0, sizeof(class));
	memset(filter, 0, sizeof(filter));
	memset(ingress, 0, sizeof(ingress));
	memset(action, 0, sizeof(action));
	memset(mirror, 0, sizeof(mirror));
	memset(redirect, 0, sizeof(redirect));
	memset(&copy, 0, sizeof(copy));
	conf.mirrors = mirror;
	conf.redirects = redirect;
	tree = (struct conf_tree){ .qdiscs = qdisc, .classes = class, .filters = filter };
	ningress = 0;
	place = NULL;
	return limits_create(&limits) || policers_create(&policers);
}

static inline int tc_teardown(void **state)
{
	(void)state;
	tc_filters_destroy(place);
	policers_destroy(policers);
	limits_destroy(limits);
	names_fini(&names);
	return 0;
}

/* ---- the configuration */

static inline struct conf_qdisc *add_qdisc(uint32_t handle, uint32_t parent,
					   enum conf_qdisc_kind kind)
{
	static const uint8_t priomap[16] = { 1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 };
	struct conf_qdisc *q = &qdisc[tree.nqdiscs++];

	q->handle = handle;
	q->parent = parent;
	q->kind = kind;
	if (kind == CONF_QDISC_PRIO) {
		q->prio.bands = 3;
		memcpy(q->prio.priomap, priomap, sizeof(priomap));
	}
	return q;
}

static inline void add_class(uint32_t handle, uint32_t parent)
{
	class[tree.nclasses++] = (struct conf_class){ .handle = handle, .parent = parent };
}

static inline void any_frame(struct conf_frame_match *m)
{
	m->vlan = m->vlan_priority = -1;
}

static inline void to_port(struct conf_tc_filter *c, struct conf_port_range *r, uint16_t dport)
{
	*r = (struct conf_port_range){ dport, dport };
	if (!dport)
		return;
	c->match.dport.ranges = r;
	c->match.dport.nranges = 1;
}

/* What goes to that port (0: all) is of this class (0: none). */
static inline struct conf_tc_filter *add_filter(uint32_t parent, uint32_t priority, uint16_t dport,
						uint32_t classid)
{
	unsigned i = tree.nfilters++;
	struct conf_tc_filter *c = &filter[i];

	c->parent = parent;
	c->priority = priority;
	c->classid = classid;
	c->line = i + 1;
	c->actions = action[0][i];
	any_frame(&c->frame);
	to_port(c, &port[0][i], dport);
	return c;
}

static inline struct conf_tc_filter *add_ingress(uint16_t dport)
{
	unsigned i = ningress++;
	struct conf_tc_filter *c = &ingress[i];

	c->parent = CONF_INGRESS;
	c->priority = 1;
	c->actions = action[1][i];
	any_frame(&c->frame);
	to_port(c, &port[1][i], dport);
	return c;
}

static inline struct conf_tc_action *add_action(struct conf_tc_filter *c, enum conf_tc_act act)
{
	struct conf_tc_action *a = &c->actions[c->nactions++];

	a->act = act;
	a->csum = true;
	return a;
}

static inline int build_at(enum conf_direction direction)
{
	const struct tc_context c = {
		.match = { &conf, &names, NULL, limits },
		.policers = policers,
		.nworkers = 2,
		.secret = "stable for life",
		.port_of = port_named,
		.class_of = class_named,
		.mirror = mirrored,
	};
	const struct tc_place p = { .iface = "wan0",
				    .direction = direction,
				    .ingress = ingress,
				    .ningress = ningress,
				    .tree = tree.nqdiscs ? &tree : NULL };
	struct tc_filters *new = NULL;
	int rc;

	limits_build_begin(limits);
	policers_build_begin(policers);
	rc = tc_filters_build(&c, &p, &new, why, sizeof(why));
	if (rc)
		return rc;
	tc_filters_carry_over(new, place);
	tc_filters_destroy(place);
	place = new;
	limits_sweep(limits);
	policers_sweep(policers);
	return 0;
}

static inline void build(void)
{
	why[0] = '\0';
	if (build_at(CONF_DIRECTION_OUT))
		fail_msg("%s", why);
}

/* ---- packets */

struct frame {
	_Alignas(64) uint8_t bytes[2048];
	uint32_t len;
	uint16_t l3, l4;
	bool v6;
};

/* UDP or TCP of 10.0.0.1:1000 or 2001:db8::1 to port dport of 10.0.0.2 or 2001:db8::2, with `data`
 * bytes of payload and right checksums. */
static inline struct frame packet(bool v6, uint8_t proto, uint16_t dport, uint16_t data)
{
	struct frame f = { .l3 = ETH_HLEN, .v6 = v6 };
	uint16_t header = proto == IPPROTO_TCP ? 20 : 8, l4len = (uint16_t)(header + data);
	uint8_t *ip = f.bytes + f.l3, *l4;
	uint64_t pseudo;
	uint16_t sum;

	memcpy(f.bytes, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	memcpy(f.bytes + 12, v6 ? "\x86\xdd" : "\x08\0", 2);
	f.l4 = (uint16_t)(f.l3 + (v6 ? IP6_HLEN : IP4_HLEN));
	f.len = f.l4 + l4len;
	l4 = f.bytes + f.l4;
	if (v6) {
		struct ip6_header *h = (struct ip6_header *)(void *)ip;

		h->ver_tc_flow = htonl(6u << 28);
		h->plen = htons(l4len);
		h->next = proto;
		h->hops = 64;
		memcpy(h->src, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
		memcpy(h->dst, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
		pseudo = csum_pseudo6(h->src, h->dst, proto, l4len);
	} else {
		struct ip4_header *h = (struct ip4_header *)(void *)ip;

		*h = (struct ip4_header){ .ver_ihl = 0x45, .ttl = 64, .proto = proto };
		h->len = htons((uint16_t)(IP4_HLEN + l4len));
		h->src = htonl(0x0a000001);
		h->dst = htonl(0x0a000002);
		h->csum = (uint16_t)~csum_fold(csum_add(h, IP4_HLEN, 0));
		pseudo = csum_pseudo4(h->src, h->dst, proto, l4len);
	}
	l4_store16(l4, htons(1000));
	l4_store16(l4 + 2, htons(dport));
	if (proto == IPPROTO_UDP)
		l4_store16(l4 + 4, htons(l4len));
	else
		l4[12] = 0x50;
	for (unsigned i = 0; i < data; i++)
		l4[header + i] = (uint8_t)(i * 7 + 1);
	sum = (uint16_t)~csum_fold(csum_add(l4, l4len, pseudo));
	l4_store16(l4 + (proto == IPPROTO_TCP ? 16 : 6), sum ? sum : 0xffff);
	return f;
}

/* Are the checksums of IP and transport right? */
static inline bool sums_hold(const struct frame *f)
{
	const uint8_t *ip = f->bytes + f->l3, *l4 = f->bytes + f->l4;
	uint16_t l4len = (uint16_t)(f->len - f->l4);
	uint64_t pseudo;

	if (f->v6) {
		const struct ip6_header *h = (const void *)ip;

		pseudo = csum_pseudo6(h->src, h->dst, h->next, l4len);
	} else {
		const struct ip4_header *h = (const void *)ip;

		if (csum_fold(csum_add(h, (h->ver_ihl & 15u) * 4, 0)) != 0xffff)
			return false;
		pseudo = csum_pseudo4(h->src, h->dst, h->proto, l4len);
	}
	return csum_fold(csum_add(l4, l4len, pseudo)) == 0xffff;
}

/* What the packet path would tell of it. */
static inline struct tc_packet seen(struct frame *f)
{
	struct tc_packet x = { .frame = f->bytes, .len = f->len, .l3 = f->l3 };
	const uint8_t *ip = f->bytes + f->l3, *l4 = f->bytes + f->l4;
	struct match_packet *m = &x.m;

	m->now = 1000000000;
	m->worker = 1;
	m->in = names_get(&names, "lan0");
	m->out = names_get(&names, "wan0");
	if (!f->l3)
		return x;
	m->key.family = f->v6 ? AF_INET6 : AF_INET;
	m->key.proto = f->v6 ? ip[6] : ip[9];
	memcpy(m->key.src, f->v6 ? ip + 8 : ip + 12, f->v6 ? 16 : 4);
	memcpy(m->key.dst, f->v6 ? ip + 24 : ip + 16, f->v6 ? 16 : 4);
	m->key.sport = l4_load16(l4);
	m->key.dport = l4_load16(l4 + 2);
	m->tos = f->v6 ? (uint8_t)(ip[0] << 4 | ip[1] >> 4) : ip[1];
	m->ttl = f->v6 ? ip[7] : ip[8];
	m->len = (uint16_t)(f->len - f->l3);
	return x;
}

/* The class of a UDP packet to that port; QCLASS_NONE. It must be sent. */
static inline uint32_t class_of_port(uint16_t dport)
{
	struct frame f = packet(false, IPPROTO_UDP, dport, 10);
	struct tc_packet x = seen(&f);

	assert_int_equal(tc_classify(place, NULL, &x), TC_SEND);
	return x.cls;
}

static inline uint64_t hits(unsigned number)
{
	struct tc_filter_info i;

	assert_true(tc_filter_info(place, number, &i));
	return i.packets;
}

#endif
