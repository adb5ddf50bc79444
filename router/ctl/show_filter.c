/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show filter: the rules packets are judged by, in their order, and how many each has judged.
 * [control] */
#include "router/ctl/rows.h"
#include "router/router.h"

#define ROWS_A_CALL 64

const struct column show_filter_columns[] = {
	{ "chain", "chain", COL_TEXT, false, "name" },
	{ "hook", "hook", COL_TEXT, false, "where it stands; null: only jumped to" },
	{ "priority", "priority", COL_NUMBER, true, "lower ones run first" },
	{ "rule", "rule", COL_TEXT, false, "name; \"policy\": what no rule decided" },
	{ "line", "line", COL_NUMBER, true, "in the configuration; null: made by zones" },
	{ "packets", "packets", COL_NUMBER, false, "judged: the first of a flow and direction" },
	{ "bytes", "bytes", COL_BYTES, true, "of these" },
	{ "action", "action", COL_TEXT, false, "as in the configuration" },
	{ "match", "match", COL_TEXT, false, "as in the configuration; null: all packets" },
	{ 0 },
};

static const char *text_or_null(const char *s)
{
	return s && s[0] ? s : NULL;
}

static void rule_row(const struct filter_rule_info *info, struct command_ctx *c)
{
	struct row *row = command_row(c);
	bool chained = text_or_null(info->hook);

	row_text(row, "chain", info->chain);
	row_text(row, "hook", text_or_null(info->hook));
	if (chained)
		row_number(row, "priority", info->priority);
	row_text(row, "rule", info->policy ? "policy" : text_or_null(info->name));
	if (info->line)
		row_unsigned(row, "line", info->line);
	row_unsigned(row, "packets", info->packets);
	row_unsigned(row, "bytes", info->bytes);
	row_text(row, "action", info->action);
	row_text(row, "match", text_or_null(info->match));
}

int show_filter(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	const struct filter *f = r->policy ? r->policy->filter : NULL;
	struct filter_rule_info info;

	for (unsigned n = 0; n < ROWS_A_CALL; n++) {
		if (!f || !filter_rule(f, (unsigned)cur->i + 1, &info))
			return COMMAND_DONE;
		cur->i++;
		if (!info.from_zones || q->arg[0]) /* --expanded */
			rule_row(&info, c);
	}
	return COMMAND_MORE;
}
