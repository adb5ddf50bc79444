/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * routerctl: asks the running daemon. It has no commands of its own but help: words go to the
 * daemon as they are, rows come back and are printed as a table or as JSON.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>

#include "router/cli/cli.h"
#include "router/cli/client.h"
#include "router/cli/render.h"

const char usage_text[] =
	"usage: routerctl [-R DIR] [-j] [-s] [-n] COMMAND...\n"
	"       routerctl help [COMMAND...] | --version\n"
	"\n"
	"  -R DIR  the daemon's run directory (ROUTER_RUN_DIR; default /run/router)\n"
	"  -j      JSON\n"
	"  -s      statistics\n"
	"  -n      numbers instead of names\n"
	"\n"
	"exit status: 0 done, 1 refused or not found, 2 usage, 3 daemon unreachable\n";

/* Much of it came from elsewhere: words, names, the daemon's answers. */
void complain(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	fflush(stdout);
	fputs("routerctl: ", stderr);
	print_safe(stderr, n < 0 ? fmt : text);
	fputc('\n', stderr);
	if (n >= 0)
		free(text);
}

/* ---- argv */

/* One of "-jsn", in any combination; with -R the rest of the argument, or the next one, is DIR. How
 * many arguments it took; 0: it is no option of ours. */
static int take_option(struct cli *cli, char **argv)
{
	const char *s = argv[0];

	if (s[0] != '-' || !s[1] || strspn(s + 1, "jsn") + 1 < strcspn(s, "R"))
		return 0;
	for (s++; *s; s++) {
		switch (*s) {
		case 'j': cli->json = true; break;
		case 's': cli->statistics = true; break;
		case 'n': cli->numeric = true; break;
		default: /* R */ cli->dir = s[1] ? s + 1 : argv[1]; return s[1] ? 1 : 2;
		}
	}
	return 1;
}

/* Options stand anywhere, until "--". What begins with "-" and is not ours belongs to the command,
 * unless there is none yet. */
static int take_words(struct cli *cli, char **argv)
{
	bool options = true;

	while (*argv) {
		int n = options ? take_option(cli, argv) : 0;

		if (n == 2 && !argv[1]) {
			complain("-R wants a directory");
			return EXIT_USAGE;
		}
		if (options && strcmp(*argv, "--") == 0) {
			options = false;
			n = 1;
		}
		argv += n;
		if (n)
			continue;
		if (options && !cli->nwords && (*argv)[0] == '-') {
			complain("unknown option %s\n%s", *argv, usage_text);
			return EXIT_USAGE;
		}
		if (cli->nwords == WORDS_MAX) {
			complain("more than %d words", WORDS_MAX);
			return EXIT_USAGE;
		}
		cli->words[cli->nwords++] = *argv++;
	}
	return 0;
}

/* ---- a command of the daemon */
static json_t *command_request(const struct cli *cli)
{
	json_t *words = json_array();
	char *cwd = getcwd(NULL, 0);
	json_t *request;

	for (unsigned i = 0; i < cli->nwords; i++)
		if (json_array_append_new(words, json_string(cli->words[i]))) {
			json_decref(words);
			words = NULL; /* not UTF-8 */
			break;
		}
	request = json_pack("{s:o, s:b, s:b}", "words", words, "statistics", cli->statistics,
			    "numeric", cli->numeric);
	json_object_set_new(request, "cwd", cwd ? json_string(cwd) : NULL); /* or without */
	free(cwd);
	return request;
}

static void on_idle(void *arg)
{
	render_idle(arg);
}

/* Print the answer, line by line; the exit status. */
static int print_answer(struct client *c, struct render *r)
{
	json_t *line, *value;

	while ((line = client_next(c))) {
		if ((value = json_object_get(line, "row"))) {
			render_row(r, value);
		} else if ((value = json_object_get(line, "message"))) {
			render_message(r, json_string_value(value));
		} else if (json_object_get(line, "columns")) {
			render_header(r, line);
			if (r->endless)
				client_interruptible(c);
		} else if ((value = json_object_get(line, "end"))) {
			int end = (int)json_integer_value(value);
			const char *error = json_string_value(json_object_get(line, "error"));

			render_end(r, end == 0);
			if (error)
				complain("%s", error);
			json_decref(line);
			return end;
		}
		json_decref(line);
	}
	render_end(r, false);
	return EXIT_UNREACHABLE;
}

static int command_run(const struct cli *cli)
{
	struct render render;
	struct client client;
	int err = client_connect(&client, cli->dir, false);

	if (err)
		return err;
	render_init(&render, stdout, cli->json);
	client.idle = on_idle;
	client.arg = &render;
	err = client_send(&client, command_request(cli));
	if (!err)
		err = print_answer(&client, &render);
	client_close(&client);
	return err;
}

/* What was printed is on its way, or it was no success. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		complain("cannot write: %s", strerror(errno));
	return status ? status : EXIT_REFUSED;
}

/* The last word is not finished: whatever it looks like, it is no option yet. */
static int complete_words(struct cli *cli, int argc, char **argv)
{
	const char *last = argv[argc - 1];
	int err;

	argv[argc - 1] = NULL;
	err = take_words(cli, argv);
	if (err || cli->nwords == WORDS_MAX)
		return EXIT_USAGE;
	cli->words[cli->nwords++] = last;
	return complete_run(cli);
}

int main(int argc, char **argv)
{
	struct cli cli = { .dir = getenv("ROUTER_RUN_DIR") };
	char help[] = "help";
	int err;

	signal(SIGPIPE, SIG_DFL); /* who reads us may stop: then so do we */
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return finish(printf("routerctl %s\n", ROUTER_VERSION) < 0);
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		argv[1] = help;
	if (!cli.dir || !cli.dir[0])
		cli.dir = "/run/router";
	if (argc >= 3 && strcmp(argv[1], "--complete") == 0)
		return finish(complete_words(&cli, argc - 2, argv + 2));
	err = take_words(&cli, argv + 1);
	if (err)
		return err;
	if (!cli.nwords) {
		fputs(usage_text, stderr);
		return EXIT_USAGE;
	}
	if (strcmp(cli.words[0], "help") == 0)
		return finish(help_run(&cli));
	return finish(command_run(&cli));
}
