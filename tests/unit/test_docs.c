// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What README.md and HACKING.md tell people to write: files that load without a word, and commands
 * that there are. Run from the top of the tree.
 *
 * README's first block of YAML is a file; each later one stands "in the same file", so it is loaded
 * behind the first. A command is what follows "routerctl" in a code span or in an indented line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/command.h"
#include "tests/unit/conf_util.h"

#define BLOCK	  "\n```yaml\n"
#define BLOCK_END "\n```\n"
#define WORDS_MAX 32

/* ---- YAML */

/* The text of the next block, to be freed; *at moves behind it. NULL: there is none. */
static char *next_block(const char **at)
{
	const char *begin = strstr(*at, BLOCK), *end;

	if (!begin)
		return NULL;
	begin += strlen(BLOCK);
	end = strstr(begin, BLOCK_END);
	assert_non_null(end);
	*at = end;
	return strndup(begin, (size_t)(end + 1 - begin));
}

static void assert_loads(const char *base, const char *block)
{
	struct conf *c;
	char *text, *messages;
	int err;

	assert_true(asprintf(&text, "%s%s", base, block) > 0);
	err = load("README.md", text, &c, &messages);
	if (err || messages[0])
		fail_msg("%s\nis refused, or warned of:\n%s", block, messages);
	conf_destroy(c);
	free(messages);
	free(text);
}

static void test_yaml_loads(void **state)
{
	char *readme = file_text("README.md"), *base, *block;
	const char *at = readme;
	unsigned n = 0;
	(void)state;

	base = next_block(&at);
	assert_non_null(base);
	assert_loads("", base);
	for (; (block = next_block(&at)); n++) {
		assert_loads(base, block);
		free(block);
	}
	assert_in_range(n, 3, 20); /* a firewall, a line, an office */
	free(base);
	free(readme);
}

/* ---- commands */

/* The next word of a shell's line: bare, or in single quotes. NULL: it ends, or a comment begins.
 */
static char *next_word(char **at)
{
	char *word = *at + strspn(*at, " "), end = ' ';

	if (!*word || *word == '#')
		return NULL;
	if (*word == '\'') {
		end = '\'';
		word++;
	}
	*at = word + strcspn(word, end == ' ' ? " " : "'");
	if (**at)
		*(*at)++ = '\0';
	return word;
}

/* What routerctl keeps to itself: -j, -s, -n in any combination. */
static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] && strspn(word + 1, "jsn") == strlen(word + 1);
}

/* The line after "routerctl". Returns how many words the daemon would get. */
static unsigned split(char *line, const char *words[WORDS_MAX])
{
	unsigned n = 0;
	char *word;

	while ((word = next_word(&line)) && n < WORDS_MAX) {
		if (strcmp(word, "-R") == 0)
			next_word(&line);
		else if (!is_option(word))
			words[n++] = word;
	}
	return n;
}

static void assert_is_command(const char *file, char *line)
{
	char why[COMMAND_WHY], whole[256];
	const char *words[WORDS_MAX];
	struct request q = { 0 };
	unsigned n;

	snprintf(whole, sizeof(whole), "%s", line);
	n = split(line, words);
	if (!n || strcmp(words[0], "help") == 0 || strcmp(words[n - 1], "...") == 0)
		return;
	if (!command_match(command_table, words, n, &q, why, sizeof(why)))
		fail_msg("%s: routerctl %s: %s", file, whole, why);
}

/* Does code begin there? */
static bool is_code(const char *text, const char *at)
{
	if (at > text && at[-1] == '`')
		return true;
	return at >= text + 5 && memcmp(at - 5, "\n    ", 5) == 0;
}

static unsigned commands_in(const char *file)
{
	static const char name[] = "routerctl ";
	char *text = file_text(file);
	unsigned n = 0;

	for (char *at = text; (at = strstr(at, name)); at++) {
		const char *begin = at + strlen(name);
		char *line;

		if (!is_code(text, at))
			continue;
		line = strndup(begin, strcspn(begin, at[-1] == '`' ? "`" : "\n"));
		assert_is_command(file, line);
		free(line);
		n++;
	}
	free(text);
	return n;
}

static void test_commands_are_there(void **state)
{
	(void)state;
	assert_in_range(commands_in("README.md"), 10, 100);
	assert_in_range(commands_in("HACKING.md"), 1, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml_loads),
		cmocka_unit_test(test_commands_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
