/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show sets, set add, set del: what rules look up, and what operators put in. [control] */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/nft.h"
#include "router/ctl/rows.h"
#include "router/lib/clock.h"
#include "router/net/set.h"
#include "router/router.h"

static struct sets *sets_of(const struct router *r)
{
	return r->st ? r->st->sets : NULL;
}

/* NULL: refused. */
static struct set *find(const struct router *r, const char *name, struct command_ctx *c, int *err)
{
	struct sets *all = sets_of(r);
	struct set_info info;
	uint64_t cursor = 0;
	struct set *s;

	if (!all || !sets_walk(all, &cursor, &info)) {
		*err = command_fail(c, -ENOENT, "no sets are configured");
		return NULL;
	}
	s = sets_find(all, name);
	if (!s)
		*err = command_fail(c, -ENOENT, "no set is called \"%s\"", name);
	return s;
}

/* ---- show */

const struct column show_sets_columns[] = {
	{ "name", "name", COL_TEXT, false, "in the configuration" },
	{ "type", "type", COL_TEXT, false, "of an element, or of its parts" },
	{ "elements", "elements", COL_NUMBER, false, "that are in it" },
	{ "size", "size", COL_NUMBER, false, "elements at most" },
	{ "timeout", "timeout", COL_NUMBER, false, "seconds an element stays; null: for good" },
	{ "refused", "refused", COL_NUMBER, false, "additions while it was full" },
	{ 0 },
};

int show_sets(struct router *r, const struct request *q, struct cursor *cur, struct command_ctx *c)
{
	struct sets *all = sets_of(r);
	struct set_info info;

	(void)q;
	for (unsigned n = 0; all && n < ROWS_A_CALL; n++) {
		struct row *row;

		if (!sets_walk(all, &cur->i, &info))
			return COMMAND_DONE;
		row = command_row(c);
		row_text(row, "name", info.name);
		row_text(row, "type", info.type);
		row_unsigned(row, "elements", info.elements);
		row_unsigned(row, "size", info.size);
		if (info.timeout_s)
			row_unsigned(row, "timeout", info.timeout_s);
		row_unsigned(row, "refused", info.refused);
	}
	return all ? COMMAND_MORE : COMMAND_DONE;
}

const struct column show_set_columns[] = {
	{ "element", "element", COL_TEXT, false, "as in the configuration" },
	{ "timeout", "timeout", COL_NUMBER, false, "seconds until it expires; null: never" },
	{ "dynamic", "dynamic", COL_BOOL, false, "put in by a rule or an operator" },
	{ 0 },
};

int show_set(struct router *r, const struct request *q, struct cursor *cur, struct command_ctx *c)
{
	uint64_t now = clock_now();
	const struct set *s;
	int err;

	s = find(r, q->arg[0], c, &err);
	if (!s)
		return err;
	for (unsigned n = 0; n < ROWS_A_CALL; n++) {
		char text[SET_ELEMENT_STRLEN];
		uint32_t left;
		struct row *row;
		bool dynamic;

		if (!set_walk(s, &cur->i, now, text, sizeof(text), &left, &dynamic))
			return COMMAND_DONE;
		row = command_row(c);
		row_text(row, "element", text);
		if (left)
			row_unsigned(row, "timeout", left);
		row_bool(row, "dynamic", dynamic);
	}
	return COMMAND_MORE;
}

/* ---- change */

/* "90s", "2h30m": whole seconds, as in the configuration. */
static int parse_time(const char *text, uint32_t *seconds)
{
	static const struct {
		char letter;
		uint32_t seconds;
	} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
	uint64_t total = 0;

	while (*text) {
		size_t digits = strspn(text, "0123456789");
		unsigned u = 0;

		while (u < 4 && units[u].letter != text[digits])
			u++;
		if (!digits || digits > 10 || u == 4)
			return -EINVAL;
		total += strtoull(text, NULL, 10) * units[u].seconds;
		if (total > INT32_MAX)
			return -EINVAL;
		text += digits + 1;
	}
	*seconds = (uint32_t)total;
	return total ? 0 : -EINVAL;
}

/* A set that rules of Linux's own traffic look at is one of nftables, too (ctl/nft.h). What Linux
 * does not take is in neither. */
static int add(struct router *r, struct set *s, const struct request *q, uint32_t timeout_s,
	       char *why, size_t size)
{
	uint64_t now = clock_now();
	int found = set_find_text(s, q->arg[1], now, why, size), err;
	char ignored[160];

	if (found == -EINVAL)
		return found;
	err = set_add_text(s, q->arg[1], timeout_s, now, why, size);
	if (err || !r->nft)
		return err;
	err = nft_element(r->nft, q->arg[0], q->arg[1], timeout_s, true, why, size);
	if (err < 0 && found == -ENOENT)
		set_del_text(s, q->arg[1], ignored, sizeof(ignored));
	return err < 0 ? err : 0;
}

struct left {
	const struct set *set;
	uint64_t cursor, now;
};

static bool next_left(void *arg, char *text, size_t size, uint32_t *left_s)
{
	struct left *l = arg;
	bool dynamic;

	return set_walk(l->set, &l->cursor, l->now, text, size, left_s, &dynamic);
}

static int del_merged(struct router *r, struct set *s, const struct request *q, char *why,
		      size_t size)
{
	struct left l = { .set = s, .now = clock_now() };
	int err = set_del_text(s, q->arg[1], why, size);

	return err ? err : nft_set_refill(r->nft, q->arg[0], next_left, &l, why, size);
}

/* Rules add to either set, so an element may be in one of them only. */
static int del(struct router *r, struct set *s, const struct request *q, char *why, size_t size)
{
	int found = set_find_text(s, q->arg[1], clock_now(), why, size), err = 0;

	if (found == -EINVAL)
		return found;
	if (r->nft && nft_set_merges(r->nft, q->arg[0]))
		return found ? found : del_merged(r, s, q, why, size);
	if (r->nft)
		err = nft_element(r->nft, q->arg[0], q->arg[1], 0, false, why, size);
	if (err < 0)
		return err;
	if (!found)
		return set_del_text(s, q->arg[1], why, size);
	return err ? 0 : -ENOENT;
}

/* arg[0]: set, arg[1]: element, arg[2]: timeout */
int cmd_set_add(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	uint32_t timeout_s = 0;
	struct set *s;
	char why[512];
	int err;

	(void)cur;
	s = find(r, q->arg[0], c, &err);
	if (!s)
		return err;
	if (q->arg[2] && parse_time(q->arg[2], &timeout_s))
		return command_fail(c, -EINVAL, "\"%s\" is no time like 90s, 10m or 2h30m",
				    q->arg[2]);
	err = add(r, s, q, timeout_s, why, sizeof(why));
	if (err)
		return command_fail(c, err, "%s", why);
	command_message(c, "%s is in %s", q->arg[1], q->arg[0]);
	return COMMAND_DONE;
}

int cmd_set_del(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	struct set *s;
	char why[512];
	int err;

	(void)cur;
	s = find(r, q->arg[0], c, &err);
	if (!s)
		return err;
	err = del(r, s, q, why, sizeof(why));
	if (err == -ENOENT)
		return command_fail(c, err, "%s has no element %s", q->arg[0], q->arg[1]);
	if (err)
		return command_fail(c, err, "%s", why);
	command_message(c, "%s is no longer in %s", q->arg[1], q->arg[0]);
	return COMMAND_DONE;
}
