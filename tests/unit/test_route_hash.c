/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which member of a group a packet takes: flows divide as the weights say, whatever makes them
 * differ; another seed is another choice; ICMP errors go where their flow goes; l3 and l4.
 * Requirement F18.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "config/conf.h"
#include "router/net/route.h"

#define FLOWS	20000
#define MEMBERS 64

static struct dp_config cfg;
static struct dp dp = { .cfg = &cfg };

/* ---- packets */

struct flow {
	uint64_t src, dst; /* IPv4: the lower half; IPv6: of 2001:db8::/32, the network above */
	uint16_t sport, dport;
	uint8_t proto;
	bool six;
};

static _Alignas(8) uint8_t room[512];

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put_address(uint8_t *at, uint64_t a, bool six)
{
	uint64_t be = htobe64(a);
	uint32_t be4 = htonl((uint32_t)a);

	if (!six) {
		memcpy(at, &be4, 4);
		return;
	}
	memcpy(at, "\x20\x01\x0d\xb8\0\0\0\0", 8);
	memcpy(at + 4, &be, 4);
	memset(at + 8, 0, 8);
	memcpy(at + 12, (uint8_t *)&be + 4, 4);
}

/* An IP header and eight bytes of transport at `at`; its length. */
static unsigned put_packet(uint8_t *at, const struct flow *f)
{
	unsigned hlen = f->six ? 40 : 20;

	memset(at, 0, hlen + 8);
	at[0] = f->six ? 0x60 : 0x45;
	put16(at + (f->six ? 4 : 2), f->six ? 8 : 28);
	at[f->six ? 6 : 9] = f->proto;
	put_address(at + (f->six ? 8 : 12), f->src, f->six);
	put_address(at + (f->six ? 24 : 16), f->dst, f->six);
	put16(at + hlen, f->sport);
	put16(at + hlen + 2, f->dport);
	return hlen + 8;
}

static struct pkt packet(const struct flow *f)
{
	struct pkt p = { .l3 = room, .flags = f->six ? PKT_IP6 : 0 };

	p.len = (uint16_t)put_packet(room, f);
	return p;
}

/* An ICMP error that a router on the way sends to the source of f. */
static struct pkt error_about(const struct flow *f, unsigned type, unsigned quote)
{
	unsigned hlen = f->six ? 40 : 20;
	struct flow outer = { .src = 0x0a090909,
			      .dst = f->src,
			      .proto = f->six ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			      .six = f->six };
	struct pkt p = packet(&outer);

	room[hlen] = (uint8_t)type;
	put_packet(room + hlen + 8, f);
	p.len = (uint16_t)(hlen + 8 + quote);
	put16(room + (f->six ? 4 : 2), f->six ? p.len - 40u : p.len);
	return p;
}

static uint32_t hash_of(const struct flow *f)
{
	struct pkt p = packet(f);

	return route_hash(&dp, &p);
}

static struct flow answer_to(const struct flow *f)
{
	return (struct flow){ .src = f->dst,
			      .dst = f->src,
			      .sport = f->dport,
			      .dport = f->sport,
			      .proto = f->proto,
			      .six = f->six };
}

/* ---- what makes flows differ */

static const struct kind {
	const char *what;
	uint64_t src, dst; /* steps from flow to flow */
	unsigned sport, dport;
} kinds[] = {
	{ "hosts", 1, 0, 0, 0 },
	{ "every fourth host", 4, 0, 0, 0 },
	{ "networks of hosts", 256, 0, 0, 0 },
	{ "distant networks", 1ull << 40 | 1 << 12, 0, 0, 0 },
	{ "destinations", 0, 1, 0, 0 },
	{ "destination networks", 0, 256, 0, 0 },
	{ "pairs of neighbours", 1, 1, 0, 0 },
	{ "pairs that run apart", 1, (uint64_t)-1, 0, 0 },
	{ "one pair, its ports", 0, 0, 1, 0 },
	{ "one pair, even ports as connect(2) gives", 0, 0, 2, 0 },
	{ "one pair, destination ports", 0, 0, 0, 1 },
	{ "one pair, both ports", 0, 0, 1, 1 },
	{ "hosts and ports", 1, 0, 1, 0 },
};

static struct flow flow_number(const struct kind *k, unsigned n, bool six)
{
	return (struct flow){ .src = 0x0a000001 + n * k->src,
			      .dst = 0xc0000201 + n * k->dst,
			      .sport = (uint16_t)(1024 + n * k->sport),
			      .dport = (uint16_t)(443 + n * k->dport),
			      .proto = IPPROTO_TCP,
			      .six = six };
}

/* A group whose members' slots are 1 to n. */
static struct nh *group_of(const uint32_t *weight, unsigned n)
{
	unsigned buckets = nh_buckets(weight, n), at = 0;
	struct nh *g = calloc(1, sizeof(*g) + buckets * sizeof(g->bucket[0]));
	uint32_t count[MEMBERS];

	assert_non_null(g);
	g->type = NH_GROUP;
	g->nbuckets = (uint16_t)buckets;
	nh_deal(weight, n, buckets, count);
	for (unsigned i = 0; i < n; i++) {
		assert_true(count[i] > 0);
		while (count[i]--)
			g->bucket[at++] = i + 1;
	}
	assert_int_equal(at, buckets);
	return g;
}

/* Every member that is due enough flows for chance to be small has them, within 15 %. */
static void divides(const struct kind *k, const struct nh *g, const uint32_t *weight, unsigned n,
		    bool six)
{
	uint64_t total = 0;
	unsigned flows[MEMBERS + 1] = { 0 };

	for (unsigned i = 0; i < n; i++)
		total += weight[i];
	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow f = flow_number(k, i, six);
		struct pkt p = packet(&f);

		flows[route_choose(&dp, &p, g)]++;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t due = weight[i] * (uint64_t)FLOWS / total;

		if (due < 600 || (uint64_t)flows[i + 1] * 100 - due * 85 <= due * 30)
			continue;
		fail_msg("%s, IPv%u, seed %u: %u flows of %u by member %u of weight %u, due %u",
			 k->what, six ? 6 : 4, cfg.set.seed, flows[i + 1], FLOWS, i, weight[i],
			 (unsigned)due);
	}
}

/* Ratios of Linux's router_multipath.sh, and weights of 16 bits. */
static void flows_divide_by_weight(void **state)
{
	static const uint32_t weights[][MEMBERS] = {
		{ 1, 1 },
		{ 2, 1 },
		{ 11, 45 },
		{ 45, 11 },
		{ 1, 256 },
		{ 65535, 65536 },
		{ 1, 65535 },
		{ 40000, 20001, 4999 },
		{ 1, 1, 1 },
		{ 3, 5, 7, 11, 13 },
		{ 1, 1, 1, 1, 1, 1, 1, 1 },
		{ 255, 254, 253, 252, 251, 250, 249, 248, 247, 246, 245, 244, 243, 242, 241, 240 },
	};
	static const uint32_t seeds[] = { 0, 1, 0xffffffff, 0x5eed1234 };

	(void)state;
	for (unsigned i = 0; i < sizeof(weights) / sizeof(weights[0]); i++) {
		unsigned n = 0;
		struct nh *g;

		while (n < MEMBERS && weights[i][n])
			n++;
		g = group_of(weights[i], n);
		cfg.set.seed = seeds[i % 4];
		for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			for (unsigned six = 0; six < 2; six++)
				divides(&kinds[k], g, weights[i], n, six);
		free(g);
	}
}

/* The buckets of a resilient group may belong to anybody in any order: no kind of traffic may hit
 * every second of them, or every third, more than others. Few flows, so that it would show. */
static void flows_hit_all_buckets_alike(void **state)
{
	enum { BUCKETS = 128, FEW = 2000, SEEDS = 40 };
	struct nh *g = calloc(1, sizeof(*g) + BUCKETS * sizeof(g->bucket[0]));

	(void)state;
	assert_non_null(g);
	g->type = NH_GROUP;
	g->nbuckets = BUCKETS;
	srandom(1);
	for (unsigned i = 0; i < SEEDS * 2 * sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *k = &kinds[i / 2 % (sizeof(kinds) / sizeof(kinds[0]))];
		unsigned members = 2 + i % 4, mine = 0, hits = 0;

		cfg.set.seed = (uint32_t)random();
		for (unsigned b = 0; b < BUCKETS; b++) {
			g->bucket[b] = i % 5 ? b % members : (unsigned)random() % members;
			mine += g->bucket[b] == 0;
		}
		for (unsigned n = 0; n < FEW; n++) {
			struct flow f = flow_number(k, n, i & 1);
			struct pkt p = packet(&f);

			hits += route_choose(&dp, &p, g) == 0;
		}
		if (hits * 100 < FEW * mine / BUCKETS * 78 ||
		    hits * 100 > FEW * mine / BUCKETS * 122)
			fail_msg("%s, IPv%u, seed %#x: %u flows of %u in %u buckets of %u", k->what,
				 i & 1 ? 6 : 4, cfg.set.seed, hits, FEW, mine, BUCKETS);
	}
	free(g);
}

/* However light: with 65536 buckets it would be one of them. */
static void the_lightest_gets_its_share(void **state)
{
	static const uint32_t weights[][2] = { { 1, 256 }, { 256, 1 }, { 1, 65535 }, { 1, 65536 } };
	uint32_t count[2];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const uint32_t *w = weights[i];
		unsigned light = w[0] > w[1], buckets = nh_buckets(w, 2);
		uint64_t total = (uint64_t)w[0] + w[1];

		nh_deal(w, 2, buckets, count);
		assert_int_equal(count[0] + count[1], buckets);
		assert_in_range(count[light] * total * 1000 / buckets, 850, 1150);
	}
}

/* Small groups are exact and small; what rounding there is, is little. */
static void buckets_are_few(void **state)
{
	static const uint32_t equal[] = { 7, 7, 7 }, eleven[] = { 11, 45 },
			      fine[] = { 30011, 20011 };
	uint32_t many[MEMBERS], count[MEMBERS], sum = 0;

	(void)state;
	assert_int_equal(nh_buckets(equal, 1), 1);
	assert_int_equal(nh_buckets(equal, 3), 3);
	assert_int_equal(nh_buckets(eleven, 2), 56);
	assert_int_equal(nh_buckets(fine, 2), NH_BUCKETS);
	nh_deal(fine, 2, NH_BUCKETS, count);
	assert_in_range(count[0], 613, 615);
	/* more members than buckets: the first come first, none is dealt twice */
	for (unsigned i = 0; i < MEMBERS; i++)
		many[i] = i + 1;
	nh_deal(many, MEMBERS, 8, count);
	for (unsigned i = 0; i < MEMBERS; i++)
		sum += count[i];
	assert_int_equal(sum, 8);
}

/* Routers in a row must not all decide alike: half of what one sends left goes left at the next. */
static void seeds_are_independent(void **state)
{
	static const uint32_t seeds[] = { 0, 1, 2, 3, 0x80000000, 0xfffffffe, 0xffffffff, 77 };

	(void)state;
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (unsigned i = 0; i + 1 < sizeof(seeds) / sizeof(seeds[0]); i++) {
			unsigned first = 0, both = 0;

			for (unsigned n = 0; n < FLOWS; n++) {
				struct flow f = flow_number(&kinds[k], n, n & 1);
				bool left;

				cfg.set.seed = seeds[i];
				left = hash_of(&f) >> 31;
				cfg.set.seed = seeds[i + 1];
				first += left;
				both += left && hash_of(&f) >> 31;
			}
			assert_in_range(both * 1000 / first, 450, 550);
		}
	}
}

static void errors_go_with_their_flow(void **state)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_GRE };
	static const uint8_t types[2][4] = { { 3, 4, 11, 12 }, { 1, 2, 3, 4 } };

	(void)state;
	cfg.set.seed = 42;
	for (unsigned i = 0; i < 32 * sizeof(protos); i++) {
		struct flow f = flow_number(&kinds[12], i, i & 1), back;
		struct pkt p;

		f.proto = protos[i / 2 % 4];
		back = answer_to(&f);
		p = error_about(&f, types[i & 1][i / 8 % 4], f.six ? 48 : 28);
		assert_int_equal(route_hash(&dp, &p), hash_of(&back));
		assert_int_not_equal(hash_of(&f), hash_of(&back));
	}
}

/* A ping's answer that is too big: the request's way. */
static void errors_about_icmp(void **state)
{
	struct flow f = { .src = 1, .dst = 2, .sport = 0x0000, .proto = IPPROTO_ICMP }, back;
	struct pkt p;

	(void)state;
	back = answer_to(&f);
	back.sport = 0x0800;
	p = error_about(&f, 3, 28);
	assert_int_equal(route_hash(&dp, &p), hash_of(&back));
}

static void errors_quote_fragments_and_less(void **state)
{
	struct flow f = { .src = 1, .dst = 2, .sport = 3, .dport = 4, .proto = IPPROTO_UDP }, back;
	struct flow other = { .src = 1, .dst = 3, .proto = IPPROTO_UDP };
	uint32_t whole, fragment, error;
	struct pkt p;

	(void)state;
	back = answer_to(&f);
	whole = hash_of(&back);
	p = packet(&back);
	put16(room + 6, 100); /* its fragments hash by addresses */
	fragment = route_hash(&dp, &p);
	assert_int_not_equal(whole, fragment);
	p = error_about(&f, 3, 28);
	put16(room + 28 + 6, 100);
	assert_int_equal(route_hash(&dp, &p), fragment);
	p = error_about(&f, 3, 28);
	put16(room + 28 + 6, IP4_MF); /* the first shows the ports */
	assert_int_equal(route_hash(&dp, &p), whole);
	p = error_about(&f, 5, 28); /* a redirect is not about the flow */
	error = route_hash(&dp, &p);
	p = error_about(&other, 5, 28);
	assert_int_equal(route_hash(&dp, &p), error);
	for (unsigned n = 0; n < 28; n++) { /* cut short: any way, but one */
		p = error_about(&f, 3, n);
		error = route_hash(&dp, &p);
		p = error_about(&f, 3, n);
		assert_int_equal(route_hash(&dp, &p), error);
	}
}

/* By addresses alone where the group or, if that has no opinion, the configuration says so. IPv6's
 * flow label is no part of it: an error's quote has the other direction's. */
static void l3_and_l4(void **state)
{
	struct nh *g = group_of((const uint32_t[]){ 1, 1, 1, 1, 1, 1, 1, 1 }, 8);

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		bool six = i & 1, global = i & 2, l3;
		unsigned moved = 0, labels = 0;

		g->hash = (uint8_t)(i / 4);
		cfg.set.hash_l3 = global;
		l3 = g->hash == CONF_HASH_L3 || (g->hash == CONF_HASH_DEFAULT && global);
		for (unsigned n = 0; n < 256; n++) {
			struct flow f = flow_number(&kinds[8], n, six), back = answer_to(&f);
			struct pkt p = packet(&f);
			uint32_t to = route_choose(&dp, &p, g); /* with errors about answers */

			if (six) {
				p = packet(&f);
				room[3] = (uint8_t)n;
				labels += route_choose(&dp, &p, g) != to;
			}
			f = flow_number(&kinds[8], 0, six);
			p = packet(&f);
			moved += route_choose(&dp, &p, g) != to;
			p = error_about(&back, 3, six ? 48 : 28);
			assert_int_equal(route_choose(&dp, &p, g), to);
		}
		assert_int_equal(labels, 0);
		if (l3)
			assert_int_equal(moved, 0);
		else
			assert_in_range(moved, 180, 256);
	}
	cfg.set.hash_l3 = false;
	free(g);
}

/* A resilient group notes which buckets are in use; others have nothing to note. */
static void buckets_in_use_are_noted(void **state)
{
	struct nh *g = group_of((const uint32_t[]){ 1, 1, 1, 1 }, 4);
	struct flow f = flow_number(&kinds[0], 1, false);
	struct pkt p = packet(&f);
	uint8_t busy[4] = { 0 };
	uint32_t to = route_choose(&dp, &p, g);

	(void)state;
	g->busy = busy;
	assert_int_equal(route_choose(&dp, &p, g), to);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(busy[i], i + 1 == to);
	free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_divide_by_weight),
		cmocka_unit_test(flows_hit_all_buckets_alike),
		cmocka_unit_test(the_lightest_gets_its_share),
		cmocka_unit_test(buckets_are_few),
		cmocka_unit_test(seeds_are_independent),
		cmocka_unit_test(errors_go_with_their_flow),
		cmocka_unit_test(errors_about_icmp),
		cmocka_unit_test(errors_quote_fragments_and_less),
		cmocka_unit_test(l3_and_l4),
		cmocka_unit_test(buckets_in_use_are_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
