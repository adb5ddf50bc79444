/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * routerctl help: the usage, and what the running daemon's `show commands` tells of its commands,
 * so that help is never of another version than the daemon that answers.
 */
#include <stdio.h>
#include <string.h>

#include "router/cli/cli.h"
#include "router/cli/client.h"
#include "router/cli/render.h"

#define LINE_WIDTH 78

/* The rows of "show commands", NULL: no answer. */
static json_t *ask_commands(const char *dir)
{
	json_t *rows = json_array(), *line;
	struct client c;
	bool done = false;

	if (client_connect(&c, dir, false))
		goto out;
	client_send(&c, json_pack("{s:[s,s]}", "words", "show", "commands"));
	while (!done && (line = client_next(&c))) {
		if (json_object_get(line, "row"))
			json_array_append_new(rows, row_plain(json_object_get(line, "row")));
		done = json_object_get(line, "end");
		json_decref(line);
	}
	client_close(&c);
out:
	if (done)
		return rows;
	json_decref(rows);
	return NULL;
}

/* The command begins with these words, each of which may be cut short. */
static bool begins_with(const char *command, const char *const *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		size_t len = strlen(words[i]);

		command += strspn(command, " [");
		if (!len || strncmp(command, words[i], len) != 0)
			return false;
		command += strcspn(command, " ");
	}
	return true;
}

/* Where it would be wider than a terminal, it goes on below, an optional part a line as fit. */
static void print_words(const char *before, const char *words)
{
	size_t indent = strlen(before), at = indent;

	fputs(before, stdout);
	while (*words) {
		const char *part = strstr(words + 1, " [");
		size_t len = part ? (size_t)(part - words) : strlen(words);

		if (at > indent && at + len > LINE_WIDTH) {
			printf("\n%*s", (int)indent + 3, "");
			at = indent + 3;
		}
		printf("%.*s", (int)len, words);
		at += len;
		words += len;
	}
	putchar('\n');
}

/* Words that are not all literals are long: the help goes below them. */
static void print_short(const json_t *row)
{
	const char *command = json_string_value(json_object_get(row, "command"));
	const char *help = json_string_value(json_object_get(row, "help"));

	if (strlen(command) < 24) {
		printf("  %-24s%s\n", command, help ? help : "");
	} else {
		print_words("  ", command);
		printf("  %24s%s\n", "", help ? help : "");
	}
}

static void print_long(const json_t *row)
{
	const json_t *columns = json_object_get(row, "columns"), *column;
	const char *help = json_string_value(json_object_get(row, "help"));
	size_t i;

	print_words("usage: routerctl ", json_string_value(json_object_get(row, "command")));
	printf("\n%s%s\n", help ? help : "",
	       json_is_true(json_object_get(row, "admin")) ? " (changes the router)" : "");
	json_array_foreach(columns, i, column) {
		const char *key = json_string_value(json_object_get(column, "key"));
		const char *text = json_string_value(json_object_get(column, "help"));

		printf("%s  %-16s%s\n", i ? "" : "\nwith -j:\n", key, text ? text : "");
	}
}

static void print_list(const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		print_short(row);
}

/* Those of all commands that begin with the words after "help". */
static json_t *select_commands(const struct cli *cli, const json_t *all)
{
	json_t *some = json_array(), *row;
	size_t i;

	json_array_foreach(all, i, row) {
		const char *command = json_string_value(json_object_get(row, "command"));

		if (command && begins_with(command, cli->words + 1, cli->nwords - 1))
			json_array_append(some, row);
	}
	return some;
}

int help_run(const struct cli *cli)
{
	bool whole = cli->nwords == 1;
	json_t *all, *some;
	size_t n;

	if (!cli->json && whole)
		fputs(usage_text, stdout);
	all = ask_commands(cli->dir);
	if (!all)
		return EXIT_UNREACHABLE;
	some = select_commands(cli, all);
	n = json_array_size(some);
	if (cli->json) {
		json_dumpf(some, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (n == 1 && !whole) {
		print_long(json_array_get(some, 0));
	} else {
		fputs(whole ? "\ncommands:\n" : "", stdout);
		print_list(some);
	}
	json_decref(all);
	json_decref(some);
	if (n)
		return EXIT_DONE;
	complain("no command begins with that; `routerctl help` lists all");
	return EXIT_REFUSED;
}
