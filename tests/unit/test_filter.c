/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filter chains: stages and priorities, jumps and policies, each action, zones, and what is
 * refused. Issue "flows", item 6. */
#include "tests/unit/filter_util.h"

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
	assert_false(filter_wants_syns(f));
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
	assert_true(filter_wants_syns(f));
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
	struct set *banned = fake_set(&sets, "banned"), *pairs = fake_set(&sets, "pairs");
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

/* What zones mean runs behind chains that were written. */
static void test_zones(void **state)
{
	unsigned c = add_chain("mine", CONF_HOOK_FORWARD, CONF_PRIO_FILTER, false);
	static char lan[][CONF_NAME] = { "lan" }, members[][CONF_NAME] = { "lan0", "lan1" };
	struct conf_rule from_lan = { .name = "zone:lan->any",
				      .match.in = { .names = lan, .nnames = 1 } };
	struct conf_action drop = { .act = CONF_ACT_DROP };
	struct conf_zone zone = { .name = "lan" };
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

/* ---- imaginary packets */
struct heard {
	unsigned n;
	uint16_t rule[8];
};

static void hear(void *arg, uint16_t number, const struct match_packet *p)
{
	struct heard *h = arg;

	(void)p;
	assert_true(h->n < 8);
	h->rule[h->n++] = number;
}

/* They take the way of real ones, tell of every rule and policy on it, and leave nothing behind. */
static void test_dry(void **state)
{
	unsigned first = add_chain("first", CONF_HOOK_FORWARD, 0, false),
		 second = add_chain("second", CONF_HOOK_FORWARD, 1, true);
	struct set *banned = fake_set(&sets, "banned");
	struct match_packet p = packet(80);
	struct filter_rule_info info;
	struct heard heard = { 0 };
	struct conf_rule *r;
	struct filter *f;

	(void)state;
	r = add_rule(first, "over", 0);
	r->match.rate.used = r->match.rate.over = true;
	r->log.used = true;
	add_act(r, CONF_ACT_ADD_TO, 0, "banned");
	say(first, 443, CONF_ACT_DROP, 0, NULL);
	say(second, 80, CONF_ACT_SET_MARK, 7, NULL);
	f = build();
	p.dry = true;
	memset(&result, 0, sizeof(result));
	assert_int_equal(filter_run(f, FILTER_FORWARD, &p, &result, hear, &heard), FILTER_DROP);
	/* over, policy of first, set-mark, policy of second */
	assert_int_equal(heard.n, 4);
	assert_int_equal(heard.rule[0], 1);
	assert_int_equal(heard.rule[1], 3);
	assert_int_equal(heard.rule[2], 4);
	assert_int_equal(heard.rule[3], 5);
	assert_int_equal(result.chain, 5);
	assert_int_equal(p.mark, 7);
	assert_int_equal(banned->n, 0);
	assert_int_equal(limits.asked[1], 0);
	for (unsigned i = 1; filter_rule(f, i, &info); i++)
		assert_int_equal(info.packets + info.bytes, 0);
	p.dry = false; /* and a real one */
	assert_int_equal(filter_run(f, FILTER_FORWARD, &p, &result, NULL, NULL), FILTER_DROP);
	assert_int_equal(banned->n, 1);
	assert_int_equal(limits.asked[1], 1);
	filter_destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_empty),	TEST(test_stages),  TEST(test_priorities),
		TEST(test_verdicts),	TEST(test_jumps),   TEST(test_loops),
		TEST(test_depth),	TEST(test_actions), TEST(test_add_to),
		TEST(test_limit_names), TEST(test_zones),   TEST(test_dry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
