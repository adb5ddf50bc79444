// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * manual WHAT: the parts of the manual that tables tell better than people, as scdoc on stdout. It
 * runs during the build and is not installed; man/weave puts what it says where a page has @WHAT@.
 *
 *   keys      the keys of router.yaml, from the rows of the schema
 *   commands  the commands of routerctl, from the command table
 *   drops     the reasons for which packets are dropped
 *   words     no scdoc: the literals that commands begin with, a command a line, for completion
 *
 * So a page cannot be of another version than the program beside it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "router/ctl/command.h"
#include "router/net/counters.h"

/* A text as it is: without what scdoc would take for markup. */
static void plain(const char *s)
{
	for (; *s; s++) {
		if (strchr("\\*_", *s))
			putchar('\\');
		putchar(*s);
	}
}

static void bold(const char *s)
{
	putchar('*');
	plain(s);
	putchar('*');
}

/* ---- router.yaml */

static void print_key(const struct schema_row *row)
{
	char *value = NULL;
	size_t size;
	FILE *out = open_memstream(&value, &size);

	schema_print_value(out, row);
	fclose(out);
	putchar('\n');
	bold(row->path);
	fputs(" (", stdout);
	plain(value);
	fputs(")\n\t", stdout);
	plain(row->doc);
	putchar('\n');
	free(value);
}

/* A section for each key of the file itself. */
static void print_keys(void)
{
	for (unsigned i = 1; i < schema_nrows; i++) {
		const struct schema_row *row = &schema_rows[i];

		if (schema_key_under(row, &schema_rows[0])) {
			fputs("\n## ", stdout);
			plain(row->path);
			putchar('\n');
		}
		print_key(row);
	}
}

/* ---- routerctl */

/* "show routes [table <table>]": literals bold, arguments underlined. */
static void print_words(const char *s)
{
	while (*s) {
		size_t n = strcspn(s, " []<>");

		if (n > 0)
			printf(s[n] == '>' ? "_%.*s_" : "*%.*s*", (int)n, s);
		else if (!strchr("<>", *s))
			putchar(*s);
		s += n ? n : 1;
	}
}

static void print_columns(const struct column *columns)
{
	if (!columns || !columns->key)
		return;
	fputs("\n\tWith -j:", stdout);
	for (const struct column *c = columns; c->key; c++) {
		putchar(' ');
		bold(c->key);
		if (c->help) {
			fputs(" (", stdout);
			plain(c->help);
			putchar(')');
		}
		putchar(c[1].key ? ',' : '.');
	}
	putchar('\n');
}

static void print_commands(void)
{
	for (const struct command *c = command_table; c->words; c++) {
		putchar('\n');
		print_words(c->words);
		fputs("\n\t", stdout);
		plain(c->help);
		printf(".%s\n",
		       c->admin ? " It changes the router: for root and the group only." : "");
		print_columns(c->columns);
	}
}

/* Up to the first argument or optional part. */
static void print_literals(void)
{
	for (const struct command *c = command_table; c->words; c++) {
		size_t n = strcspn(c->words, "[<");

		while (n > 0 && c->words[n - 1] == ' ')
			n--;
		printf("\t'%.*s'\n", (int)n, c->words);
	}
}

/* ---- drops */

static void print_drops(void)
{
	for (unsigned i = 0; i < DROP__COUNT; i++) {
		putchar('\n');
		bold(drop_info[i].name);
		printf(" (%s)\n\t", drop_info[i].stage);
		plain(drop_info[i].text);
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *what;
		void (*print)(void);
	} parts[] = {
		{ "keys", print_keys },
		{ "commands", print_commands },
		{ "drops", print_drops },
		{ "words", print_literals },
	};

	for (unsigned i = 0; argc == 2 && i < sizeof(parts) / sizeof(*parts); i++)
		if (!strcmp(argv[1], parts[i].what)) {
			parts[i].print();
			return fflush(stdout) || ferror(stdout);
		}
	fputs("usage: manual keys | commands | drops | words\n", stderr);
	return 2;
}
