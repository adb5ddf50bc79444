/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A control server in a forked child, with a table of commands of its own: what test_server.c and
 * test_routerctl.c talk to. Each includes it once, after cmocka.h.
 */
#ifndef TESTS_UNIT_CONTROL_H
#define TESTS_UNIT_CONTROL_H

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "router/ctl/command.h"
#include "router/ctl/server.h"
#include "router/lib/clock.h"

/* ---- the commands under test */
static struct loop *loop;

static const struct column number_columns[] = {
	{ .key = "name", .title = "name", .help = "of the row" },
	{ .key = "n", .title = "packets", .kind = COL_NUMBER, .help = "its number" },
	{ .key = "bytes", .title = "bytes", .kind = COL_BYTES, .stats = true, .help = "a size" },
	{ .key = "even", .title = "even", .kind = COL_BOOL, .help = "or odd" },
	{ .key = "nested", .title = "nested", .kind = COL_JSON, .help = "something deeper" },
	{ .key = "hidden", .help = "for programs" },
	{ 0 },
};

static int rows(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	uint64_t total = strtoull(q->arg[0], NULL, 10);

	(void)r;
	for (unsigned n = 0; cur->i < total; n++, cur->i++) {
		struct row *row;

		if (n == 64)
			return COMMAND_MORE;
		row = command_row(c);
		row_unsigned(row, "n", cur->i * 1000); /* in no order */
		row_textf(row, "name", "row%llu", (unsigned long long)cur->i);
		row_unsigned(row, "bytes", cur->i * 123456);
		row_bool(row, "even", cur->i % 2 == 0);
		if (cur->i % 2)
			row_json(row, "nested", json_pack("[{s:i}]", "x", 1), "x 1");
	}
	return COMMAND_DONE;
}

static int object(struct router *r, const struct request *q, struct cursor *cur,
		  struct command_ctx *c)
{
	struct row *row = command_row(c);

	(void)r;
	(void)q;
	(void)cur;
	row_text(row, "name", "a\"\x1b[31m\xff\n second");
	row_number(row, "n", -5);
	return COMMAND_DONE;
}

static int refusal(struct router *r, const struct request *q, struct cursor *cur,
		   struct command_ctx *c)
{
	(void)r;
	(void)cur;
	if (q->arg[0])
		return command_fail(c, -ENOENT, "no such thing: %s", q->arg[0]);
	return -EBUSY;
}

static int message(struct router *r, const struct request *q, struct cursor *cur,
		   struct command_ctx *c)
{
	(void)r;
	(void)cur;
	command_message(c, "admin %d statistics %d numeric %d cwd %s", q->admin, q->statistics,
			q->numeric, q->cwd ? q->cwd : "-");
	command_message(c, "second line");
	return COMMAND_DONE;
}

struct later {
	struct loop_timer *timer;
	struct pending *pending;
	int err;
};

static void finish_later(void *arg, uint64_t now)
{
	struct later *l = arg;

	(void)now;
	command_finish(l->pending, l->err, l->err ? "it went wrong" : "it went well");
	loop_timer_del(l->timer);
	free(l);
}

static int later(struct router *r, const struct request *q, struct cursor *cur,
		 struct command_ctx *c)
{
	struct later *l = calloc(1, sizeof(*l));

	(void)r;
	(void)cur;
	l->err = q->arg[0] ? -EIO : 0;
	l->pending = command_defer(c);
	if (q->arg[1]) {
		command_finish(l->pending, l->err, "at once");
		free(l);
		return COMMAND_DONE;
	}
	l->timer = loop_timer_add(loop, finish_later, l);
	loop_timer_set(l->timer, clock_now() + 200 * NSEC_PER_MSEC);
	return COMMAND_DONE;
}

static int watch(struct router *r, const struct request *q, struct cursor *cur,
		 struct command_ctx *c)
{
	(void)r;
	if (q->stopping) {
		command_message(c, "0 events lost");
		return COMMAND_DONE;
	}
	row_textf(command_row(c), "name", "event %llu", (unsigned long long)cur->i++);
	if (!cur->data)
		cur->data = malloc(16);
	return COMMAND_IDLE;
}

static const struct column watch_columns[] = { { .key = "name", .title = "name" }, { 0 } };
static const struct column prose_columns[] = {
	{ .key = "word", .title = "word", .help = "the word" },
	{ .key = "text", .title = "text", .help = "what it means" },
	{ 0 },
};

static int prose(struct router *r, const struct request *q, struct cursor *cur,
		 struct command_ctx *c)
{
	struct row *row = command_row(c);

	(void)r;
	(void)q;
	(void)cur;
	row_text(row, "word", "long");
	row_text(row, "text",
		 "a line that goes on and on, much longer than a terminal of eighty "
		 "columns has room for, so that it is folded");
	row = command_row(c);
	row_text(row, "word", "lines");
	row_text(row, "text", "first line\nsecond line");
	row = command_row(c);
	row_text(row, "word", "unknown");
	return COMMAND_DONE;
}

/* Whole lines: the only column has no title. */
static const struct column line_columns[] = { { .key = "line", .title = "" }, { 0 } };

static int lines(struct router *r, const struct request *q, struct cursor *cur,
		 struct command_ctx *c)
{
	(void)r;
	(void)q;
	(void)cur;
	row_text(command_row(c), "line",
		 "a line that goes on and on, much longer than a terminal of eighty columns has "
		 "room for");
	row_text(command_row(c), "line", "short");
	return COMMAND_DONE;
}

static const struct column nested_columns[] = {
	{ .key = "word", .title = "word", .help = "the word" },
	{ .key = "nested", .title = "nested", .kind = COL_JSON, .help = "something deeper" },
	{ 0 },
};

static int nested(struct router *r, const struct request *q, struct cursor *cur,
		  struct command_ctx *c)
{
	struct row *row = command_row(c);

	(void)r;
	(void)q;
	(void)cur;
	row_text(row, "word", "long");
	row_json(row, "nested", json_integer(1),
		 "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:1]:1 > "
		 "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:2]:2");
	return COMMAND_DONE;
}

static struct command table[] = {
	{ .words = "show rows <n>", .help = "Rows", .columns = number_columns, .run = rows },
	{ .words = "show object",
	  .help = "One",
	  .columns = number_columns,
	  .run = object,
	  .single = true },
	{ .words = "show prose", .help = "Long", .columns = prose_columns, .run = prose },
	{ .words = "lines [first <first>] [second <second>] [third <third>] [fourth <fourth>]",
	  .help = "Lines",
	  .columns = line_columns,
	  .run = lines },
	{ .words = "nested", .help = "Nested", .columns = nested_columns, .run = nested },
	{ .words = "refuse [<name>]", .help = "No", .run = refusal },
	{ .words = "say", .help = "Say", .run = message },
	{ .words = "change", .help = "Change", .run = message, .admin = true },
	{ .words = "later [--badly] [--now]", .help = "Later", .run = later, .wait = true },
	{ .words = "watch",
	  .help = "Watch",
	  .columns = watch_columns,
	  .run = watch,
	  .endless = true },
	{ .words = "show commands", .help = "Commands" }, /* filled in from the real table */
	{ 0 },
};

/* ---- the server in a child */
#define GROUP "games" /* every Debian has it, and nobody is in it */

static struct {
	pid_t pid;
	char dir[64];
} env;

static void stop_loop(int sig)
{
	(void)sig;
	loop_stop(loop);
}

static void serve(int ready)
{
	char path[100], public[100], group[100];
	struct server *s;

	snprintf(path, sizeof(path), "%s/router.sock", env.dir);
	snprintf(public, sizeof(public), "%s/stats.sock", env.dir);
	snprintf(group, sizeof(group), "%s/group.sock", env.dir);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	loop = loop_create();
	signal(SIGTERM, stop_loop);
	if (server_create(loop, NULL, &s))
		_exit(1);
	server_set_table(s, table);
	if (server_listen(s, path, 0660, "", false, NULL) ||
	    server_listen(s, public, 0666, "", true, NULL))
		_exit(1);
	if (geteuid() == 0 && getgrnam(GROUP) && server_listen(s, group, 0666, GROUP, false, NULL))
		_exit(1);
	if (write(ready, "x", 1) != 1)
		_exit(1);
	close(ready);
	loop_run(loop);
	server_destroy(s);
	loop_destroy(loop);
	exit(0); /* the leak checker has its say */
}

static void borrow_show_commands(void)
{
	const struct command *real = command_table;

	while (strcmp(real->words, "show commands") != 0)
		real++;
	for (struct command *c = table; c->words; c++) {
		if (c->run)
			continue;
		c->columns = real->columns;
		c->run = real->run;
	}
}

static int start(void **state)
{
	struct rlimit files = { 5000, 5000 };
	int ready[2];
	char x;

	(void)state;
	borrow_show_commands();
	setrlimit(RLIMIT_NOFILE, &files);
	snprintf(env.dir, sizeof(env.dir), "/tmp/test_server.XXXXXX");
	if (!mkdtemp(env.dir) || pipe(ready))
		return -1;
	chmod(env.dir, 0755);
	env.pid = fork();
	if (env.pid == 0)
		serve(ready[1]);
	close(ready[1]);
	if (read(ready[0], &x, 1) != 1)
		return -1;
	close(ready[0]);
	return 0;
}

static int stop(void **state)
{
	char path[100];
	int status;

	(void)state;
	if (env.pid <= 0)
		return -1; /* never forked, or this is the child: 0 would end our whole process
			      group */
	kill(env.pid, SIGTERM);
	waitpid(env.pid, &status, 0);
	snprintf(path, sizeof(path), "%s/router.sock", env.dir);
	/* its files are gone: the directory is empty */
	return status || access(path, F_OK) == 0 || rmdir(env.dir) ? -1 : 0;
}

#endif
