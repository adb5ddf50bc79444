/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filter chains: stages and priorities, jumps and policies, each action, counters, logs, what is
 * refused, and rules as text. Issue "flows", item 6. Zones are what the test says they expand to.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "router/net/filter.h"
#include "router/net/rule_text.h"
#include "tests/rules_fake.h"

#define CHAINS 24
#define RULES  8
#define ACTS   4

/* ---- a configuration, written by add_*() */

static struct conf conf;
static struct conf_chain chain[CHAINS], zone_chain;
static struct conf_rule rule[CHAINS][RULES];
static struct conf_action action[CHAINS][RULES][ACTS];
static struct conf_port_range port[CHAINS][RULES];
static struct names names;
static struct sets sets;
static struct limits limits;
static struct conf_zone zone;
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

static int setup(void **state)
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

static int teardown(void **state)
{
	(void)state;
	names_fini(&names);
	return 0;
}

static unsigned add_chain(const char *name, enum conf_hook hook, int priority, bool drop)
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
static struct conf_rule *add_rule(unsigned c, const char *name, uint16_t to)
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

static struct conf_action *add_act(struct conf_rule *r, enum conf_act act, uint32_t value,
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
static void say(unsigned c, uint16_t to, enum conf_act act, uint32_t value, const char *name)
{
	add_act(add_rule(c, "", to), act, value, name);
}

static struct filter *build(void)
{
	struct filter *f = NULL;
	char why[256] = "";

	if (filter_build(&context, 2, &f, why, sizeof(why)))
		fail_msg("%s", why);
	return f;
}

static void refused(const char *with)
{
	struct filter *f = (void *)&conf;
	char why[256] = "";

	assert_int_equal(filter_build(&context, 2, &f, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, with);
	assert_ptr_equal(f, &conf);
}

static struct match_packet packet(uint16_t to)
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

static enum filter_verdict judge(const struct filter *f, enum filter_stage stage, uint16_t to)
{
	struct match_packet p = packet(to);

	memset(&result, 0, sizeof(result));
	return filter_run(f, stage, &p, &result, NULL, NULL);
}

/* ---- stages */

static void test_empty(void **state)
{
	struct filter *f = build();
	struct filter_rule_info info;

	(void)state;
	for (enum filter_stage s = 0; s < FILTER_STAGES; s++) {
		assert_false(filter_has(f, s));
		assert_int_equal(judge(f, s, 80), FILTER_ACCEPT);
	}
	assert_false(filter_clamps(f));
	assert_false(filter_rule(f, 0, &info) || filter_rule(f, 1, &info));
	filter_destroy(f);
	filter_destroy(NULL);
}

static void test_stages(void **state)
{
	static const struct {
		enum conf_hook hook;
		int priority;
		unsigned stage; /* FILTER_STAGES: none of ours */
	} row[] = {
		{ CONF_HOOK_PREROUTING, -100000, FILTER_RAW },
		{ CONF_HOOK_PREROUTING, CONF_PRIO_RAW, FILTER_RAW },
		{ CONF_HOOK_PREROUTING, -200, FILTER_RAW },
		{ CONF_HOOK_PREROUTING, -199, FILTER_MANGLE },
		{ CONF_HOOK_PREROUTING, CONF_PRIO_MANGLE, FILTER_MANGLE },
		{ CONF_HOOK_PREROUTING, -100, FILTER_MANGLE },
		{ CONF_HOOK_PREROUTING, -99, FILTER_DSTNAT },
		{ CONF_HOOK_PREROUTING, 300, FILTER_DSTNAT },
		{ CONF_HOOK_FORWARD, -300, FILTER_FORWARD },
		{ CONF_HOOK_FORWARD, 300, FILTER_FORWARD },
		{ CONF_HOOK_POSTROUTING, -300, FILTER_POST },
		{ CONF_HOOK_POSTROUTING, 99, FILTER_POST },
		{ CONF_HOOK_POSTROUTING, 100, FILTER_SRCNAT },
		{ CONF_HOOK_POSTROUTING, 300, FILTER_SRCNAT },
		{ CONF_HOOK_INPUT, 0, FILTER_STAGES },
		{ CONF_HOOK_OUTPUT, 0, FILTER_STAGES },
		{ CONF_HOOK_NONE, 0, FILTER_STAGES },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct filter *f;

		setup(state);
		add_chain("only", row[i].hook, row[i].priority, true);
		f = build();
		for (enum filter_stage s = 0; s < FILTER_STAGES; s++) {
			assert_int_equal(filter_has(f, s), s == row[i].stage);
			assert_int_equal(judge(f, s, 80),
					 s == row[i].stage ? FILTER_DROP : FILTER_ACCEPT);
		}
		filter_destroy(f);
	}
}

/* By priority, and by place where it is equal: each chain appends a digit to the mark. */
static void test_priorities(void **state)
{
	static const int priority[] = { 10, -5, 0, 10, -5, 200 };
	struct match_packet p = packet(80);
	struct filter_result r = { 0 };
	struct filter *f;
	struct filter_rule_info info;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		unsigned c = add_chain((const char[2]){ (char)('a' + i) }, CONF_HOOK_FORWARD,
				       priority[i], false);

		for (unsigned k = 0; k < 6; k++) { /* whoever was before: k chains */
			struct conf_rule *x = add_rule(c, "", 0);

			x->match.has_mark = true;
			x->match.mark_mask = 0xf;
			x->match.mark = k;
			add_act(x, CONF_ACT_SET_MARK, (i + 1) << (4 + 4 * k) | (k + 1), NULL)
				->mask = 0xfu << (4 + 4 * k) | 0xf;
			add_act(x, CONF_ACT_ACCEPT, 0, NULL);
		}
	}
	f = build();
	assert_int_equal(filter_run(f, FILTER_FORWARD, &p, &r, NULL, NULL), FILTER_ACCEPT);
	assert_int_equal(p.mark, 0x6413526);
	assert_true(filter_rule(f, 1, &info));
	assert_string_equal(info.chain, "b");
	assert_int_equal(info.priority, -5);
	filter_destroy(f);
}

/* Accept ends its chain and no other; drop and reject end all. */
static void test_verdicts(void **state)
{
	unsigned a = add_chain("a", CONF_HOOK_FORWARD, 0, false);
	unsigned b = add_chain("b", CONF_HOOK_FORWARD, 1, true);
	struct filter *f;
	struct filter_rule_info info;

	(void)state;
	say(a, 1, CONF_ACT_ACCEPT, 0, NULL);
	say(a, 2, CONF_ACT_DROP, 0, NULL);
	say(a, 3, CONF_ACT_REJECT, CONF_REJECT_HOST, NULL);
	say(a, 4, CONF_ACT_COUNT, 0, NULL);
	say(a, 5, CONF_ACT_RETURN, 0, NULL);
	say(a, 5, CONF_ACT_DROP, 0, NULL);
	say(b, 1, CONF_ACT_DROP, 0, NULL);
	say(b, 4, CONF_ACT_ACCEPT, 0, NULL);
	say(b, 5, CONF_ACT_ACCEPT, 0, NULL);
	f = build();
	assert_int_equal(judge(f, FILTER_FORWARD, 1), FILTER_DROP);
	assert_int_equal(result.rule, 8); /* a has 6 rules and a policy */
	assert_int_equal(judge(f, FILTER_FORWARD, 2), FILTER_DROP);
	assert_int_equal(result.rule, 2);
	assert_int_equal(judge(f, FILTER_FORWARD, 3), FILTER_REJECT);
	assert_int_equal(result.verdict, FILTER_REJECT);
	assert_int_equal(result.reject, CONF_REJECT_HOST);
	assert_int_equal(result.rule, 3);
	assert_int_equal(judge(f, FILTER_FORWARD, 4), FILTER_ACCEPT);
	assert_int_equal(result.rule, 9);
	assert_int_equal(judge(f, FILTER_FORWARD, 5), FILTER_ACCEPT);
	assert_int_equal(judge(f, FILTER_FORWARD, 6), FILTER_DROP);
	assert_int_equal(result.rule, 0);
	assert_true(filter_rule(f, result.chain, &info));
	assert_true(info.policy);
	assert_string_equal(info.chain, "b");
	assert_string_equal(info.action, "drop");
	filter_destroy(f);
}

static void test_jumps(void **state)
{
	unsigned web, deep, base, marks = add_chain("marks", CONF_HOOK_NONE, 0, false);
	struct match_packet p;
	struct filter *f;
	struct filter_result r = { 0 };

	(void)state;
	base = add_chain("base", CONF_HOOK_FORWARD, 0, true);
	web = add_chain("web", CONF_HOOK_NONE, 0, true); /* its policy means nothing */
	deep = add_chain("deep", CONF_HOOK_NONE, 0, false);
	add_chain("unused", CONF_HOOK_NONE, 0, false);
	add_act(add_rule(base, "jump", 0), CONF_ACT_JUMP, 0, "web");
	add_act(&rule[base][0], CONF_ACT_JUMP, 0, "marks"); /* what comes after goes on */
	say(base, 3, CONF_ACT_ACCEPT, 0, NULL);
	say(web, 1, CONF_ACT_JUMP, 0, "deep");
	say(web, 1, CONF_ACT_DROP, 0, NULL);
	say(web, 3, CONF_ACT_RETURN, 0, NULL);
	say(web, 3, CONF_ACT_DROP, 0, NULL);
	say(deep, 1, CONF_ACT_ACCEPT, 0, NULL);
	say(marks, 0, CONF_ACT_SET_MARK, 7, NULL);
	f = build();
	assert_int_equal(judge(f, FILTER_FORWARD, 1), FILTER_ACCEPT);
	assert_int_equal(judge(f, FILTER_FORWARD, 2), FILTER_DROP);
	assert_int_equal(result.rule, 0);
	p = packet(3);
	assert_int_equal(filter_run(f, FILTER_FORWARD, &p, &r, NULL, NULL), FILTER_ACCEPT);
	assert_int_equal(p.mark, 7);
	assert_int_equal(r.rule, 2);
	filter_destroy(f);
}

static void test_loops(void **state)
{
	unsigned base = add_chain("base", CONF_HOOK_FORWARD, 0, false);
	unsigned a = add_chain("a", CONF_HOOK_NONE, 0, false);
	unsigned b = add_chain("b", CONF_HOOK_NONE, 0, false);

	(void)state;
	say(base, 0, CONF_ACT_JUMP, 0, "a");
	say(a, 0, CONF_ACT_JUMP, 0, "b");
	say(b, 0, CONF_ACT_JUMP, 0, "a");
	refused("filter.b: a jump to \"a\", which leads back here");
	snprintf(action[b][0][0].name, CONF_NAME, "b");
	refused("filter.b: a jump to \"b\", which leads back here");
	snprintf(action[b][0][0].name, CONF_NAME, "nowhere");
	refused("filter.b: there is no chain \"nowhere\" to jump to");
	snprintf(action[b][0][0].name, CONF_NAME, "base");
	refused("filter.b: a jump to \"base\", which has a hook of its own");
}

/* Sixteen chains inside each other, however they stand in the file; the same chain twice is no
 * circle. */
static void test_depth(void **state)
{
	for (unsigned n = 15; n <= 17; n++)
		for (unsigned backwards = 0; backwards < 2; backwards++) {
			struct filter *f;

			setup(state);
			for (unsigned i = 0; i < n; i++) {
				unsigned at = backwards ? n - 1 - i : i;
				char name[16], next[16];

				snprintf(name, sizeof(name), "c%u", at);
				snprintf(next, sizeof(next), "c%u", at + 1);
				add_chain(name, at ? CONF_HOOK_NONE : CONF_HOOK_FORWARD, 0, false);
				if (at + 1 < n) {
					say(i, 0, CONF_ACT_JUMP, 0, next);
					say(i, 0, CONF_ACT_JUMP, 0, next);
				} else {
					say(i, 9, CONF_ACT_DROP, 0, NULL);
				}
			}
			if (n > 16) {
				char why[256];

				assert_int_equal(filter_build(&context, 1, &f, why, sizeof(why)),
						 -EINVAL);
				assert_non_null(strstr(why, "more than 16 chains"));
				continue;
			}
			f = build();
			assert_int_equal(judge(f, FILTER_FORWARD, 9), FILTER_DROP);
			filter_destroy(f);
		}
}

/* ---- actions */

static void test_actions(void **state)
{
	unsigned c = add_chain("c", CONF_HOOK_PREROUTING, CONF_PRIO_RAW, false);
	struct match_packet p = packet(80);
	struct filter_result out = { .ct_mark = 0xabcd };
	struct conf_rule *r;
	struct filter *f;

	(void)state;
	r = add_rule(c, "marks", 80);
	add_act(r, CONF_ACT_RESTORE_MARK, 0, NULL);
	add_act(r, CONF_ACT_SET_MARK, 0x10, NULL)->mask = 0xff;
	add_act(r, CONF_ACT_SAVE_MARK, 0, NULL);
	add_act(r, CONF_ACT_SET_MARK, 1, NULL);
	r = add_rule(c, "rest", 80);
	add_act(r, CONF_ACT_RESTORE_MARK, 0, NULL);
	add_act(r, CONF_ACT_SET_DSCP, 46, NULL);
	add_act(r, CONF_ACT_MSS_CLAMP, 1400, NULL);
	add_act(r, CONF_ACT_NOTRACK, 0, NULL);
	r = add_rule(c, "dscp", 80);
	r->match.dscp = 1ull << 46; /* as it is now */
	add_act(r, CONF_ACT_MSS_CLAMP, 0, NULL);
	f = build();
	assert_true(filter_clamps(f));
	assert_int_equal(filter_run(f, FILTER_RAW, &p, &out, NULL, NULL), FILTER_ACCEPT);
	assert_int_equal(p.mark, 0xab10);
	assert_true(out.save_mark);
	assert_int_equal(out.saved, 0xab10);
	assert_true(out.has_dscp && out.dscp == 46);
	assert_int_equal(p.tos, 46 << 2 | 3);
	assert_true(out.notrack);
	assert_true(out.has_mss && out.mss == 0);
	filter_destroy(f);
}

static void test_add_to(void **state)
{
	struct set *banned = fake_set(&sets, "banned", true),
		   *pairs = fake_set(&sets, "pairs", true);
	unsigned c = add_chain("c", CONF_HOOK_FORWARD, 0, false);
	struct conf_rule *r = add_rule(c, "", 0);
	struct set_key host = { 0 }, pair = { 0 };
	struct match_packet p = packet(22);
	struct conf_action *a;
	struct filter *f;

	(void)state;
	add_act(r, CONF_ACT_ADD_TO, 0, "banned");
	a = add_act(r, CONF_ACT_ADD_TO, 0, "pairs");
	a->key[0] = CONF_SOURCE_TO;
	a->key[1] = CONF_SOURCE_DPORT;
	a->nkey = 2;
	r = add_rule(c, "", 0);
	strcpy(r->match.from.set, "banned");
	add_act(r, CONF_ACT_DROP, 0, NULL);
	f = build();
	assert_int_equal(judge(f, FILTER_FORWARD, 22), FILTER_DROP);
	set_key_address(&host, AF_INET, p.key.src);
	set_key_address(&pair, AF_INET, p.key.dst);
	set_key_value(&pair, 22);
	assert_int_equal(banned->n, 1);
	assert_int_equal(pairs->n, 1);
	assert_true(set_has(banned, &host, 0) && set_has(pairs, &pair, 0));
	filter_destroy(f);
	strcpy(r->match.from.set, "nowhere");
	refused("filter.c.#2: there is no set \"nowhere\"");
	r->match.from.set[0] = 0;
	strcpy(a->name, "elsewhere");
	refused("filter.c.#1: add-to: there is no set \"elsewhere\"");
}

/* Limits are known by names that stay when other rules come and go. */
static void test_limit_names(void **state)
{
	unsigned c = add_chain("c", CONF_HOOK_FORWARD, 0, false);
	static const char *const name[] = { "scan", "", "scan", "other", "" };

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		add_rule(c, name[i], 0)->match.rate.used = true;
	filter_destroy(build());
	assert_string_equal(limits.name[1], "filter.c.scan");
	assert_string_equal(limits.name[2], "filter.c.#1");
	assert_string_equal(limits.name[3], "filter.c.scan#2");
	assert_string_equal(limits.name[4], "filter.c.other");
	assert_string_equal(limits.name[5], "filter.c.#2");
}

/* ---- logs, counters */

struct said {
	unsigned n;
	uint16_t rule;
};

static void hear(void *arg, uint16_t number, const struct match_packet *p)
{
	struct said *s = arg;

	assert_int_equal(p->key.family, AF_INET);
	s->n++;
	s->rule = number;
}

static void test_logs(void **state)
{
	unsigned c = add_chain("c", CONF_HOOK_FORWARD, 0, false);
	struct conf_rule *r = add_rule(c, "loud", 80);
	struct match_packet p = packet(80);
	struct filter_result out = { 0 };
	struct said said = { 0 };
	struct filter *f;

	(void)state;
	r->log = (struct conf_log){ .used = true, .count = 3, .period_ms = 1000, .prefix = "hm" };
	say(c, 80, CONF_ACT_DROP, 0, NULL);
	f = build();
	for (unsigned i = 0; i < 25; i++) { /* ten a second */
		p.now += 100000000;
		filter_run(f, FILTER_FORWARD, &p, &out, hear, &said);
	}
	assert_int_equal(said.n, 3 * 3);
	assert_int_equal(said.rule, 1);
	p.worker = 1; /* which has said nothing yet */
	filter_run(f, FILTER_FORWARD, &p, &out, hear, &said);
	assert_int_equal(said.n, 10);
	filter_run(f, FILTER_FORWARD, &p, &out, NULL, NULL);
	filter_destroy(f);
}

static void expect_count(const struct filter *f, unsigned number, uint64_t packets)
{
	struct filter_rule_info info;

	assert_true(filter_rule(f, number, &info));
	assert_int_equal(info.packets, packets);
	assert_int_equal(info.bytes, 100 * packets);
}

static void test_counters(void **state)
{
	unsigned c = add_chain("c", CONF_HOOK_FORWARD, 0, false), other;
	struct filter_rule_info info;
	struct match_packet p = packet(1);
	struct filter_result out = { 0 };
	struct filter *f, *next;

	(void)state;
	add_rule(c, "named", 1);
	add_rule(c, "", 1);
	add_rule(c, "", 1);
	say(c, 2, CONF_ACT_ACCEPT, 0, NULL);
	f = build();
	for (unsigned i = 0; i < 5; i++) {
		p.worker = i & 1;
		filter_run(f, FILTER_FORWARD, &p, &out, NULL, NULL);
	}
	judge(f, FILTER_FORWARD, 2);
	for (unsigned i = 1; i <= 5; i++)
		expect_count(f, i, i == 4 ? 1 : 5);
	assert_false(filter_rule(f, 6, &info));

	/* another rule before them, and what one does changed */
	memmove(&rule[c][1], &rule[c][0], 4 * sizeof(rule[c][0]));
	rule[c][0] = (struct conf_rule){ .match.length_max = 9 };
	chain[c].nrules = 5;
	add_act(&rule[c][4], CONF_ACT_COUNT, 0, NULL);
	other = add_chain("earlier", CONF_HOOK_PREROUTING, 0, false);
	add_rule(other, "named", 1); /* of the same name, in another chain */
	next = build();
	filter_carry_over(next, f);
	expect_count(next, 1, 0); /* earlier: named */
	expect_count(next, 2, 0); /* earlier: policy */
	expect_count(next, 3, 0); /* the new one */
	expect_count(next, 4, 5);
	expect_count(next, 5, 5);
	expect_count(next, 6, 5);
	expect_count(next, 7, 0); /* it does something else now */
	expect_count(next, 8, 5); /* policy */
	filter_run(next, FILTER_FORWARD, &p, &out, NULL, NULL);
	expect_count(next, 4, 6);
	filter_destroy(f);
	f = build();
	filter_carry_over(f, next);
	expect_count(f, 4, 6);
	filter_destroy(f);
	filter_destroy(next);
}

static void test_info(void **state)
{
	unsigned c = add_chain("mark", CONF_HOOK_PREROUTING, CONF_PRIO_MANGLE, false);
	struct conf_rule *r = add_rule(c, "web", 80);
	static struct conf_port_range many[200];
	struct filter_rule_info info;
	struct filter *f;

	(void)state;
	r->log =
		(struct conf_log){ .used = true, .count = 1, .period_ms = 60000, .prefix = "a\"b" };
	add_act(r, CONF_ACT_SET_MARK, 0x20, NULL);
	add_act(r, CONF_ACT_ACCEPT, 0, NULL);
	r = add_rule(c, "long", 0);
	for (unsigned i = 0; i < 200; i++)
		many[i] = (struct conf_port_range){ 10000, 20000 };
	r->match.dport.ranges = many;
	r->match.dport.nranges = 200;
	f = build();
	assert_true(filter_rule(f, 1, &info));
	assert_string_equal(info.chain, "mark");
	assert_string_equal(info.hook, "prerouting");
	assert_string_equal(info.name, "web");
	assert_string_equal(info.file, "router.yaml");
	assert_string_equal(info.log_prefix, "a\"b");
	assert_string_equal(info.match, "dport: 80");
	assert_string_equal(info.action, "[{set-mark: 0x20}, accept], "
					 "log: {limit: 1/m, prefix: \"a\\\"b\"}");
	assert_int_equal(info.priority, CONF_PRIO_MANGLE);
	assert_int_equal(info.line, 101);
	assert_false(info.policy || info.from_zones);
	assert_true(filter_rule(f, 2, &info));
	assert_int_equal(strlen(info.match), sizeof(info.match) - 1);
	assert_string_equal(info.match + sizeof(info.match) - 4, "...");
	assert_true(filter_rule(f, 3, &info));
	assert_true(info.policy);
	assert_string_equal(info.action, "accept");
	filter_destroy(f);
}

/* What zones mean runs behind chains that were written. */
static void test_zones(void **state)
{
	unsigned c = add_chain("mine", CONF_HOOK_FORWARD, CONF_PRIO_FILTER, false);
	static char lan[][CONF_NAME] = { "lan" }, members[][CONF_NAME] = { "lan0", "lan1" };
	struct conf_rule from_lan = { .name = "zone:lan->any",
				      .match.in = { .names = lan, .nnames = 1 } };
	struct conf_action drop = { .act = CONF_ACT_DROP };
	struct match_packet p = packet(80);
	struct filter_rule_info info;
	struct filter *f;

	(void)state;
	from_lan.actions = &drop;
	from_lan.nactions = 1;
	zone_chain = (struct conf_chain){ .name = "zones",
					  .hook = CONF_HOOK_FORWARD,
					  .priority = CONF_PRIO_ZONES,
					  .rules = &from_lan,
					  .nrules = 1,
					  .from_zones = true };
	strcpy(zone.name, "lan");
	zone.interfaces.names = members;
	zone.interfaces.nnames = 2;
	conf.zones = &zone;
	conf.nzones = 1;
	add_rule(c, "", 1);
	f = build();
	memset(&result, 0, sizeof(result));
	p.in = names_get(&names, "lan1");
	assert_int_equal(filter_run(f, FILTER_FORWARD, &p, &result, NULL, NULL), FILTER_DROP);
	assert_true(filter_rule(f, result.rule, &info));
	assert_string_equal(info.name, "zone:lan->any");
	assert_true(info.from_zones);
	p.in = names_get(&names, "wan0");
	assert_int_equal(filter_run(f, FILTER_FORWARD, &p, &result, NULL, NULL), FILTER_ACCEPT);
	filter_destroy(f);
}

/* ---- rules as text */

static void expect_match(const struct conf_match *m, const char *want)
{
	char text[512] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	rule_text_match(m, out);
	fclose(out);
	assert_string_equal(text, want);
}

static struct conf_range range(const char *first, const char *last)
{
	struct conf_range r;

	assert_int_equal(addr_parse(first, &r.first), 0);
	assert_int_equal(addr_parse(last, &r.last), 0);
	return r;
}

static void test_text_lists(void **state)
{
	struct conf_range four[] = { range("10.0.0.0", "10.255.255.255"),
				     range("10.0.0.1", "10.0.0.9"), range("10.0.0.1", "10.0.0.1") };
	struct conf_range six[] = { range("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff") };
	struct conf_range all[] = { range("0.0.0.0", "255.255.255.255") };
	struct conf_port_range ports[] = { { 80, 80 }, { 443, 445 } };
	char ifs[][CONF_NAME] = { "wan", "lan0" };
	uint8_t protos[] = { 6, 17, 99 };

	(void)state;
	expect_match(&(struct conf_match){ 0 }, "");
	expect_match(&(struct conf_match){ .from = { .ranges = four, .nranges = 3 } },
		     "from: [10.0.0.0/8, 10.0.0.1-10.0.0.9, 10.0.0.1]");
	expect_match(&(struct conf_match){ .to = { .ranges = six, .nranges = 1 } },
		     "to: \"2001:db8::/32\"");
	expect_match(&(struct conf_match){ .to = { .negate = true, .ranges = all, .nranges = 1 } },
		     "to: \"!0.0.0.0/0\"");
	expect_match(&(struct conf_match){ .from.set = "banned", .to = { true, "own", NULL, 0 } },
		     "from: \"@banned\", to: \"!@own\"");
	expect_match(&(struct conf_match){ .family = AF_INET6,
					   .protos = protos,
					   .nprotos = 3,
					   .sport = { .ranges = ports, .nranges = 1 },
					   .dport = { true, "", ports, 2 } },
		     "family: ipv6, proto: [tcp, udp, 99], sport: 80, dport: [\"!80\", "
		     "\"!443-445\"]");
	expect_match(&(struct conf_match){ .in = { false, "", ifs, 2 }, .out.set = "lans" },
		     "in: [wan, lan0], out: \"@lans\"");
}

static void test_text_rest(void **state)
{
	struct conf_icmp icmp[] = {
		{ AF_INET, 8, -1 }, { AF_INET6, 128, -1 }, { AF_INET, 3, 4 }, { AF_INET, 77, 0 }
	};

	(void)state;
	expect_match(&(struct conf_match){ .flags = 2, .flags_mask = 0x12 }, "flags: syn/syn+ack");
	expect_match(&(struct conf_match){ .flags_mask = 0xff },
		     "flags: none/fin+syn+rst+psh+ack+urg+ece+cwr");
	expect_match(&(struct conf_match){ .icmp = icmp, .nicmp = 4 },
		     "icmp: [echo-request, destination-unreachable/4, 77/0], "
		     "icmpv6: echo-request");
	expect_match(&(struct conf_match){ .dscp = 1ull << 46 }, "dscp: ef");
	expect_match(
		&(struct conf_match){ .dscp = 1ull << 10 | 1ull << 38 | 1 | 2 | 8 | 1ull << 56 },
		"dscp: [cs0, le, 3, af11, af43, cs7]");
	expect_match(&(struct conf_match){ .has_mark = true,
					   .mark = 16,
					   .mark_mask = UINT32_MAX,
					   .ct = CONF_CT_NEW | CONF_CT_UNTRACKED,
					   .status = CONF_STATUS_REPLIED },
		     "mark: 0x10, ct: [new, untracked], status: replied");
	expect_match(&(struct conf_match){ .has_mark = true,
					   .mark = 16,
					   .mark_mask = 255,
					   .length_min = 64,
					   .length_max = 100,
					   .ttl_min = 1,
					   .ttl_max = 1,
					   .fragment = 2 },
		     "length: 64-100, ttl: 1, fragment: false, mark: 0x10/0xff");
	expect_match(
		&(struct conf_match){
			.lookup = { "pairs", true, { CONF_SOURCE_FROM, CONF_SOURCE_DPORT }, 2 },
			.connections_over = 20,
			.rate = { true, true, 50, 1000, 100, CONF_PER_SOURCE } },
		"lookup: {key: [from, dport], set: pairs, not: true}, "
		"connections: {over: 20}, rate: {over: 50/s, burst: 100, per: source}");
	expect_match(
		&(struct conf_match){ .rate = { .used = true, .count = 3, .period_ms = 3600000 } },
		"rate: {under: 3/h}");
}

static void test_text_actions(void **state)
{
	static const struct {
		struct conf_action a;
		const char *want;
	} row[] = {
		{ { .act = CONF_ACT_ACCEPT }, "accept" },
		{ { .act = CONF_ACT_DROP }, "drop" },
		{ { .act = CONF_ACT_REJECT }, "reject" },
		{ { .act = CONF_ACT_REJECT, .value = CONF_REJECT_RESET }, "{reject: tcp-reset}" },
		{ { .act = CONF_ACT_JUMP, .name = "web" }, "{jump: web}" },
		{ { .act = CONF_ACT_RETURN }, "return" },
		{ { .act = CONF_ACT_SET_MARK, .value = 16, .mask = 255 }, "{set-mark: 0x10/0xff}" },
		{ { .act = CONF_ACT_SAVE_MARK }, "save-mark" },
		{ { .act = CONF_ACT_RESTORE_MARK }, "restore-mark" },
		{ { .act = CONF_ACT_SET_DSCP, .value = 46 }, "{set-dscp: ef}" },
		{ { .act = CONF_ACT_MSS_CLAMP }, "{mss-clamp: pmtu}" },
		{ { .act = CONF_ACT_MSS_CLAMP, .value = 1400 }, "{mss-clamp: 1400}" },
		{ { .act = CONF_ACT_NOTRACK }, "notrack" },
		{ { .act = CONF_ACT_COUNT }, "count" },
		{ { .act = CONF_ACT_ADD_TO, .name = "banned" }, "{add-to: banned}" },
		{ { .act = CONF_ACT_ADD_TO,
		    .name = "pairs",
		    .key = { CONF_SOURCE_FROM, CONF_SOURCE_DPORT },
		    .nkey = 2 },
		  "{add-to: pairs, key: [from, dport]}" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct conf_action a = row[i].a;
		struct conf_rule r = { .actions = &a, .nactions = 1 };
		char text[256] = "";
		FILE *out = fmemopen(text, sizeof(text), "w");

		rule_text_actions(&r, out);
		fclose(out);
		assert_string_equal(text, row[i].want);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_empty),	TEST(test_stages),	 TEST(test_priorities),
		TEST(test_verdicts),	TEST(test_jumps),	 TEST(test_loops),
		TEST(test_depth),	TEST(test_actions),	 TEST(test_add_to),
		TEST(test_limit_names), TEST(test_logs),	 TEST(test_counters),
		TEST(test_info),	TEST(test_zones),	 TEST(test_text_lists),
		TEST(test_text_rest),	TEST(test_text_actions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
