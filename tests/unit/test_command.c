/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Matching of typed words to commands: prefixes, optional parts, arguments, and what is said
 * otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "router/ctl/command.h"
#include "router/ctl/pattern.h"

static const struct command table[] = {
	{ .words = "show commands" },
	{ .words = "show config [<revision>]" },
	{ .words = "show config diff [<revision>]" },
	{ .words = "show conntrack [src <ip>] [dst <ip>] [-o <format>]" },
	{ .words = "show routes [table <table>] [for <ip>]" },
	{ .words = "show filter [--expanded]" },
	{ .words = "apply <file> [--confirm <time>]", .help = "Apply a file" },
	{ .words = "explain in <interface> <packet>" },
	{ .words = "trace [--count <n>] [--drops] <filter>" },
	{ 0 },
};

struct result {
	const struct command *cmd;
	struct request q;
	char why[COMMAND_WHY];
	char storage[256];
};

/* Words separated by "|", since some have spaces; "" is no word. */
static struct result match(const char *line)
{
	static struct result r;
	const char *words[32];
	unsigned n = 0;

	memset(&r, 0, sizeof(r));
	snprintf(r.storage, sizeof(r.storage), "%s", line);
	for (char *w = strtok(r.storage, "|"); w; w = strtok(NULL, "|"))
		words[n++] = w;
	r.cmd = command_match(table, words, n, &r.q, r.why, sizeof(r.why));
	return r;
}

static void assert_match(const char *line, const char *words)
{
	struct result r = match(line);

	if (!r.cmd)
		fail_msg("%s: %s", line, r.why);
	assert_string_equal(r.cmd->words, words);
}

static void assert_refused(const char *line, const char *why)
{
	struct result r = match(line);

	assert_null(r.cmd);
	assert_string_equal(r.why, why);
}

static void test_literals_and_their_prefixes(void **state)
{
	(void)state;
	assert_match("show|commands", table[0].words);
	assert_match("sh|com", table[0].words);
	assert_match("show|filter", table[5].words);
	/* the word itself wins over what it begins */
	assert_match("show|config", table[1].words);
	assert_match("show|config|diff", table[2].words);
	assert_match("show|config|17", table[1].words);
	assert_string_equal(match("show|config|17").q.arg[0], "17");
	assert_null(match("show|config").q.arg[0]);
}

static void test_optional_parts_in_any_order(void **state)
{
	struct result r = match("show|routes|table|main|for|10.0.0.1");

	(void)state;
	assert_string_equal(r.q.arg[0], "main");
	assert_string_equal(r.q.arg[1], "10.0.0.1");
	r = match("show|ro|for|10.0.0.1|tab|for");
	assert_string_equal(r.q.arg[0], "for");
	assert_string_equal(r.q.arg[1], "10.0.0.1");
	r = match("show|routes|for|10.0.0.1");
	assert_null(r.q.arg[0]);
	assert_string_equal(r.q.arg[1], "10.0.0.1");
}

static void test_dashed_parts_anywhere(void **state)
{
	struct result r = match("apply|--confirm|120s|a.yaml");

	(void)state;
	assert_string_equal(r.q.arg[0], "a.yaml");
	assert_string_equal(r.q.arg[1], "120s");
	r = match("apply|a.yaml|--conf|120s");
	assert_string_equal(r.q.arg[0], "a.yaml");
	assert_string_equal(r.q.arg[1], "120s");
	r = match("trace|--drops|host 10.0.0.5");
	assert_null(r.q.arg[0]);
	assert_string_equal(r.q.arg[1], "--drops");
	assert_string_equal(r.q.arg[2], "host 10.0.0.5");
	assert_string_equal(match("show|filter|--expanded").q.arg[0], "--expanded");
	assert_null(match("show|filter").q.arg[0]);
	assert_string_equal(match("show|conn|-o|conntrack").q.arg[2], "conntrack");
}

static void test_arguments(void **state)
{
	struct result r = match("explain|in|lan0|tcp 10.0.0.5:1 > 1.1.1.1:443");

	(void)state;
	assert_string_equal(r.q.arg[0], "lan0");
	assert_string_equal(r.q.arg[1], "tcp 10.0.0.5:1 > 1.1.1.1:443");
	assert_match("apply|-", table[6].words);
}

static void test_refusals(void **state)
{
	(void)state;
	assert_refused("shwo", "\"shwo\" is unknown; did you mean \"show\"?");
	assert_refused("show|rotes",
		       "\"rotes\" is unknown after \"show\"; did you mean \"routes\"?");
	assert_refused("show|xyzzy",
		       "\"xyzzy\" is unknown after \"show\"; it takes: commands, config, "
		       "conntrack, routes, filter");
	assert_refused("show|co",
		       "\"co\" is ambiguous after \"show\": commands, config, conntrack");
	assert_refused("show|commands|now", "\"now\" is one word too many after \"show commands\"");
	assert_refused("show",
		       "a word is missing after \"show\": commands, config, conntrack, routes, "
		       "filter");
	assert_refused("", "a word is missing: show, apply, explain, trace");
	assert_refused("show|routes|for", "a word is missing after \"show routes for\": <ip>");
	assert_refused("apply|--confrim|5s|f",
		       "\"--confrim\" is unknown after \"apply\"; did you mean \"--confirm\"?");
	assert_refused("apply|f|--", "\"--\" is unknown after \"apply f\"; it takes: --confirm");
	assert_refused("show|routes|for|1.1.1.1|for|2.2.2.2",
		       "\"for\" is unknown after \"show routes for 1.1.1.1\"; it takes: table");
}

static void test_long_words_are_cut(void **state)
{
	static char word[5000];
	const char *words[] = { "show", word };
	char why[COMMAND_WHY];
	struct request q;

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	assert_null(command_match(table, words, 2, &q, why, sizeof(why)));
	assert_true(strlen(why) < sizeof(why));
	assert_null(command_match(table, words, 2, &q, why, 1));
	assert_string_equal(why, "");
}

static void collect(void *arg, const char *word, const char *help)
{
	(void)help;
	strcat(arg, word);
	strcat(arg, ",");
}

static const char *complete(const char *const *words, unsigned n)
{
	static char all[512];

	all[0] = '\0';
	command_complete(table, words, n, collect, all);
	return all;
}

static void test_completion(void **state)
{
	(void)state;
	assert_string_equal(complete(NULL, 0), "show,apply,explain,trace,");
	assert_string_equal(complete((const char *[]){ "s" }, 1), "show,");
	assert_string_equal(complete((const char *[]){ "show", "con" }, 2), "config,conntrack,");
	assert_string_equal(complete((const char *[]){ "sh", "ro", "" }, 3), "table,for,");
	assert_string_equal(complete((const char *[]){ "sh", "ro", "table", "" }, 4), "<table>,");
	assert_string_equal(complete((const char *[]){ "apply", "--" }, 2), "<file>,--confirm,");
	assert_string_equal(complete((const char *[]){ "nonsense", "" }, 2), "");
}

static void test_malformed_patterns(void **state)
{
	static const char *const bad[] = { "",
					   "<x> y",
					   "[a] b",
					   "a [b",
					   "a ]",
					   "a [b [c]]",
					   "a <1> <2> <3> <4> <5> <6> <7> <8> <9> <10> <11> "
					   "<12> <13> <14> <15> <16> <17> <18> <19> <20> <21>" };
	struct pattern p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(pattern_init(&p, &(struct command){ .words = bad[i] }));
}

/* What an owner of a row can do wrong shows here, not on a user's screen. */
static void test_the_real_table(void **state)
{
	struct pattern p;

	(void)state;
	for (const struct command *c = command_table; c->words; c++) {
		if (!pattern_init(&p, c))
			fail_msg("malformed: %s", c->words);
		assert_non_null(c->help);
		assert_non_null(c->run);
		for (const struct column *k = c->columns; k && k->key; k++)
			for (const struct column *o = c->columns; o < k; o++)
				assert_string_not_equal(o->key, k->key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals_and_their_prefixes),
		cmocka_unit_test(test_optional_parts_in_any_order),
		cmocka_unit_test(test_dashed_parts_anywhere),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_long_words_are_cut),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_malformed_patterns),
		cmocka_unit_test(test_the_real_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
