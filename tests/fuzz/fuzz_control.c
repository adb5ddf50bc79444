/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes from outside into the control socket's request handler: JSON, words, matching, completion,
 * and generators that run and stop. Every answer must end, and be JSON on every line.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/flow_filter.h"
#include "router/ctl/flow_text.h"
#include "router/ctl/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int echo(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	struct row *row = command_row(c);

	(void)r;
	row_text(row, "text", q->arg[0]);
	row_json(row, "nested", q->arg[1] ? json_string(q->arg[1]) : NULL, q->arg[2]);
	if (q->arg[2])
		return command_fail(c, -ENOENT, "no %s", q->arg[2]);
	command_message(c, "%s", q->arg[1] ? q->arg[1] : "nothing");
	return cur->i++ < 3 ? COMMAND_MORE : COMMAND_DONE;
}

/* A filter that was taken can be asked of any flow. */
static int filtered(struct router *r, const struct request *q, struct cursor *cur,
		    struct command_ctx *c)
{
	struct ct_event e = { .orig = { .family = AF_INET, .proto = 6 },
			      .reply = { .family = AF_INET, .proto = 6 } };
	char line[FLOW_LINE_STRLEN];
	struct flow_filter f;
	int err = flow_filter_parse(q, &f, c);

	(void)r;
	(void)cur;
	if (err)
		return err;
	if (flow_filter_match(&f, &e))
		row_text(command_row(c), "text", flow_list_line(&e, line));
	return COMMAND_DONE;
}

static const struct column columns[] = {
	{ .key = "text", .title = "text" },
	{ .key = "nested", .title = "nested", .kind = COL_JSON },
	{ 0 },
};

static const struct command table[] = {
	{ .words = "show routes [table <table>] [for <ip>] [--all]",
	  .help = "x",
	  .columns = columns,
	  .run = echo },
	{ .words = "show conntrack" FLOW_FILTER_WORDS,
	  .help = "x",
	  .columns = columns,
	  .run = filtered },
	{ .words = "show rules", .help = "x", .columns = columns, .run = echo },
	{ .words = "apply <file> [--confirm <time>]",
	  .help = "x",
	  .columns = columns,
	  .run = echo,
	  .admin = true },
	{ .words = "trace [-o <f>] <filter>",
	  .help = "x",
	  .columns = columns,
	  .run = echo,
	  .endless = true },
	{ 0 },
};

static void ignore(struct peer_host *h, struct peer *p)
{
	(void)h;
	(void)p;
}

static void check_answer(const struct jsonw *out)
{
	const char *s = jsonw_bytes(out), *end = s + out->len, *newline;
	json_t *line = NULL;

	while (s < end) {
		newline = memchr(s, '\n', (size_t)(end - s));
		json_decref(line);
		line = newline ? json_loadb(s, (size_t)(newline - s), 0, NULL) : NULL;
		if (!line)
			abort();
		s = newline + 1;
	}
	if (!json_object_get(line, "end"))
		abort();
	json_decref(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peer_host host = {
		.table = table, .active = ignore, .idle = ignore, .gone = ignore
	};
	struct peer p = { .host = &host, .fd = -1, .admin = size & 1 };

	peer_request(&p, (const char *)data, size);
	while (p.state == PEER_RUNNING)
		peer_run(&p);
	check_answer(&p.out);
	jsonw_fini(&p.out);
	return 0;
}
