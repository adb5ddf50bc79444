/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of filters: a configuration written by calls, and packets judged by it. Sets, limits
 * and what zones expand to are the test's own (tests/rules_fake.h).
 */
#ifndef TESTS_FILTER_UTIL_H
#define TESTS_FILTER_UTIL_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "router/net/filter.h"
#include "tests/rules_fake.h"

#define CHAINS 24
#define RULES  8
#define ACTS   4

static struct conf conf;
static struct conf_chain chain[CHAINS], zone_chain;
static struct conf_rule rule[CHAINS][RULES];
static struct conf_action action[CHAINS][RULES][ACTS];
static struct conf_port_range port[CHAINS][RULES];
static struct names names;
static struct sets sets;
static struct limits limits;
static const struct match_context context = { &conf, &names, &sets, &limits };

struct conf_chain *conf_zones_expand(const struct conf *c, unsigned *n)
{
	struct conf_chain *out;

	*n = 0;
	if (!c->nzones)
		return NULL;
	out = malloc(sizeof(*out));
	*out = zone_chain;
	*n = 1;
	return out;
}

void conf_chains_free(struct conf_chain *chains, unsigned n)
{
	(void)n;
	free(chains);
}

static inline int setup(void **state)
{
	(void)state;
	memset(&conf, 0, sizeof(conf));
	memset(chain, 0, sizeof(chain));
	memset(rule, 0, sizeof(rule));
	memset(action, 0, sizeof(action));
	memset(&sets, 0, sizeof(sets));
	memset(&limits, 0, sizeof(limits));
	conf.chains = chain;
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	names_fini(&names);
	return 0;
}

static inline unsigned add_chain(const char *name, enum conf_hook hook, int priority, bool drop)
{
	unsigned c = conf.nchains++;

	assert_true(c < CHAINS);
	snprintf(chain[c].name, CONF_NAME, "%s", name);
	chain[c].hook = hook;
	chain[c].priority = priority;
	chain[c].drop = drop;
	chain[c].rules = rule[c];
	chain[c].line = 100 * (c + 1);
	return c;
}

/* Matches packets to port `to`; 0: all. */
static inline struct conf_rule *add_rule(unsigned c, const char *name, uint16_t to)
{
	unsigned i = chain[c].nrules++;
	struct conf_rule *r = &rule[c][i];

	assert_true(i < RULES);
	snprintf(r->name, CONF_NAME, "%s", name);
	snprintf(r->file, CONF_NAME, "router.yaml");
	r->line = chain[c].line + i + 1;
	r->actions = action[c][i];
	port[c][i] = (struct conf_port_range){ to, to };
	if (to) {
		r->match.dport.ranges = &port[c][i];
		r->match.dport.nranges = 1;
	}
	return r;
}

static inline struct conf_action *add_act(struct conf_rule *r, enum conf_act act, uint32_t value,
					  const char *name)
{
	struct conf_action *a = &r->actions[r->nactions++];

	a->act = act;
	a->value = value;
	a->mask = UINT32_MAX;
	snprintf(a->name, CONF_NAME, "%s", name ? name : "");
	return a;
}

/* A rule that does one thing. */
static inline void say(unsigned c, uint16_t to, enum conf_act act, uint32_t value, const char *name)
{
	add_act(add_rule(c, "", to), act, value, name);
}

static inline struct filter *build(void)
{
	struct filter *f = NULL;
	char why[256] = "";

	if (filter_build(&context, 2, &f, why, sizeof(why)))
		fail_msg("%s", why);
	return f;
}

static inline void refused(const char *with)
{
	struct filter *f = (void *)&conf;
	char why[256] = "";

	assert_int_equal(filter_build(&context, 2, &f, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, with);
	assert_ptr_equal(f, &conf);
}

static inline struct match_packet packet(uint16_t to)
{
	struct match_packet p = { .len = 100, .now = 5000000000u, .ttl = 64, .tos = 3 };

	p.key.family = AF_INET;
	p.key.proto = IPPROTO_UDP;
	p.key.src[0] = p.key.dst[0] = 10;
	p.key.sport = htons(1234);
	p.key.dport = htons(to);
	return p;
}

static struct filter_result result;

static inline enum filter_verdict judge(const struct filter *f, enum filter_stage stage,
					uint16_t to)
{
	struct match_packet p = packet(to);

	memset(&result, 0, sizeof(result));
	return filter_run(f, stage, &p, &result, NULL, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
