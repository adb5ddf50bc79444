/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rulebench: what it costs to judge a packet by rules, in time-stamp cycles and nanoseconds: the
 * first packet of each of many flows, so that neither branches nor caches know it beforehand.
 *
 * "last": n rules of which the last matches; "none": n rules of which none does. "alike": rules
 * that say the same but for their destination port; "mixed": rules on prefixes, ports and
 * interfaces of both sides. "set": one rule on a set of so many addresses.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/match.h"
#include "router/net/set.h"
#include "tests/measure.h"
#include "tests/random.h"

#define PACKETS 4096u
#define ROUNDS	64u

struct rules {
	unsigned n;
	struct conf_match *rule;
	const struct conf_match **list;
	struct conf_range *range; /* two of each rule */
	struct conf_port_range *port;
	char (*name)[CONF_NAME];
};

static struct names names;

static _Noreturn void die(const char *why)
{
	fprintf(stderr, "rulebench: %s\n", why);
	exit(1);
}

static void *array(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		die("out of memory");
	return p;
}

static void rules_init(struct rules *r, unsigned n)
{
	r->n = n;
	r->rule = array(n, sizeof(*r->rule));
	r->list = array(n, sizeof(*r->list));
	r->range = array(2 * (size_t)n, sizeof(*r->range));
	r->port = array(n, sizeof(*r->port));
	r->name = array(n, sizeof(*r->name));
	for (unsigned i = 0; i < n; i++)
		r->list[i] = &r->rule[i];
}

static void rules_fini(struct rules *r)
{
	free(r->rule);
	free(r->list);
	free(r->range);
	free(r->port);
	free(r->name);
}

static void say_port(struct rules *r, unsigned i, uint16_t first, uint16_t last)
{
	r->port[i] = (struct conf_port_range){ first, last };
	r->rule[i].dport.ranges = &r->port[i];
	r->rule[i].dport.nranges = 1;
}

/* Prefixes of 10.0.0.0/8 and lengths 16 to 28. */
static void say_prefix(struct conf_addresses *a, struct conf_range *room)
{
	uint32_t mask = (1u << (4 + random64() % 13)) - 1, base = 10u << 24;

	base |= (uint32_t)random64() & 0xffffff & ~mask;
	room->first = addr_v4(htonl(base));
	room->last = addr_v4(htonl(base | mask));
	a->ranges = room;
	a->nranges = 1;
}

static void rules_alike(struct rules *r)
{
	for (unsigned i = 0; i < r->n; i++)
		say_port(r, i, (uint16_t)(10000 + i), (uint16_t)(10000 + i));
}

static void rules_mixed(struct rules *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		struct conf_match *m = &r->rule[i];
		uint16_t port = (uint16_t)(1 + random64() % 30000);

		say_prefix(&m->from, &r->range[2 * (size_t)i]);
		say_prefix(&m->to, &r->range[2 * (size_t)i + 1]);
		say_port(r, i, port, (uint16_t)(port + random64() % 100));
		snprintf(r->name[i], CONF_NAME, "if%u", (unsigned)(random64() % 8));
		m->in.names = &r->name[i];
		m->in.nnames = 1;
	}
}

/* The last rule allows what no other does. */
static void rules_last(struct rules *r)
{
	struct conf_match *m = &r->rule[r->n - 1];

	memset(m, 0, sizeof(*m));
	say_port(r, r->n - 1, 40000, 65535);
}

static struct match_packet *packets(bool last)
{
	struct match_packet *p = array(PACKETS, sizeof(*p));

	for (unsigned i = 0; i < PACKETS; i++) {
		uint32_t src = htonl(10u << 24 | ((uint32_t)random64() & 0xffffff));
		uint32_t dst = htonl(10u << 24 | ((uint32_t)random64() & 0xffffff));

		memcpy(p[i].key.src, &src, 4);
		memcpy(p[i].key.dst, &dst, 4);
		p[i].key.family = AF_INET;
		p[i].key.proto = IPPROTO_TCP;
		p[i].key.sport = htons((uint16_t)(1024 + random64() % 60000));
		p[i].key.dport = htons((uint16_t)((last ? 40000 : 31000) + random64() % 9000));
		p[i].in = (uint16_t)(1 + random64() % 8);
		p[i].out = (uint16_t)(1 + random64() % 8);
		p[i].len = 64;
		p[i].ttl = 64;
	}
	return p;
}

static const char *name_of(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
	return "rule";
}

static void run(const char *what, unsigned n, const struct matcher *m, struct match_packet *p,
		unsigned want)
{
	uint64_t c = 0, ns = 0, best = UINT64_MAX;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t c0 = cpu_cycles(), t0 = clock_now(), c1;

		for (unsigned i = 0; i < PACKETS; i++)
			if (matcher_next(m, 0, &p[i]) != want && want != UINT32_MAX)
				die("another rule matched");
		c1 = cpu_cycles() - c0;
		ns = c1 < best ? clock_now() - t0 : ns;
		best = c1 < best ? c1 : best;
		c = best;
	}
	printf("%-18s %7u  %6.1f cycles  %6.1f ns\n", what, n, (double)c / PACKETS,
	       (double)ns / PACKETS);
}

static void bench_rules(const char *what, unsigned n, void (*make)(struct rules *r), bool last)
{
	struct match_context c = { .names = &names };
	struct match_packet *p = packets(last);
	struct matcher *m;
	struct rules r;
	char why[128];

	rules_init(&r, n);
	make(&r);
	if (last)
		rules_last(&r);
	if (matcher_build(&c, r.list, n, name_of, NULL, &m, why, sizeof(why)))
		die(why);
	run(what, n, m, p, last ? n - 1 : n);
	matcher_destroy(m);
	rules_fini(&r);
	free(p);
}

/* Half of the packets come from members. */
static void bench_set(unsigned n)
{
	struct conf_set conf_set = { .name = "members", .ntypes = 1, .size = n, .nelements = n };
	struct conf conf = { .sets = &conf_set, .nsets = 1 };
	struct match_packet *p = packets(false);
	struct match_context c = { .conf = &conf, .names = &names };
	struct conf_match rule = { .from.set = "members" };
	const struct conf_match *list = &rule;
	struct matcher *m;
	char why[128] = "no sets";

	conf_set.elements = array(n, sizeof(*conf_set.elements));
	for (unsigned i = 0; i < n; i++) {
		struct addr a = addr_v4(htonl(11u << 24 | i));

		conf_set.elements[i].field[0].first = a;
		conf_set.elements[i].field[0].last = a;
	}
	for (unsigned i = 0; i < PACKETS; i += 2)
		memcpy(p[i].key.src, conf_set.elements[random64() % n].field[0].first.bytes, 4);
	if (sets_create(&names, &c.sets) || sets_follow(c.sets, &conf, why, sizeof(why)) ||
	    matcher_build(&c, &list, 1, name_of, NULL, &m, why, sizeof(why)))
		die(why);
	run("set", n, m, p, UINT32_MAX);
	matcher_destroy(m);
	sets_destroy(c.sets);
	free(conf_set.elements);
	free(p);
}

int main(void)
{
	for (unsigned i = 0; i < 8; i++) {
		char text[8];

		snprintf(text, sizeof(text), "if%u", i);
		names_get(&names, text);
	}
	bench_rules("alike, last", 1, rules_alike, true);
	bench_rules("alike, last", 1000, rules_alike, true);
	bench_rules("alike, none", 1000, rules_alike, false);
	bench_rules("mixed, last", 1000, rules_mixed, true);
	bench_rules("mixed, none", 1000, rules_mixed, false);
	bench_rules("mixed, last", 10000, rules_mixed, true);
	bench_set(10);
	bench_set(100000);
	names_fini(&names);
	return 0;
}
