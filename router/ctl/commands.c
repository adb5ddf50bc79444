/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command table: one row a command, in the order help shows them. The generators stand in
 * show_*.c and their like; the one that tells of the table itself stands here. [control]
 */
#include "router/ctl/command.h"

#include "router/ctl/answer.h"

static json_t *columns_json(const struct column *columns)
{
	json_t *all = json_array();

	for (const struct column *c = columns; c && c->key; c++) {
		json_t *one = json_pack("{s:s, s:s?}", "key", c->key, "help", c->help);

		json_array_append_new(all, one);
	}
	return all;
}

static const struct column show_commands_columns[] = {
	{ .key = "command", .title = "command", .help = "words, <arguments> and [optional parts]" },
	{ .key = "help", .title = "help", .help = "what it does" },
	{ .key = "admin", .kind = COL_BOOL, .help = "changes something: not for read-only peers" },
	{ .key = "single", .kind = COL_BOOL, .help = "one object rather than an array" },
	{ .key = "columns", .kind = COL_JSON, .help = "key and help of each column" },
	{ 0 },
};

static int show_commands(struct router *r, const struct request *q, struct cursor *cur,
			 struct command_ctx *c)
{
	(void)r;
	(void)q;
	for (unsigned n = 0; c->table[cur->i].words; n++) {
		const struct command *cmd = &c->table[cur->i];
		struct row *row;

		if (n == 32)
			return COMMAND_MORE;
		row = command_row(c);
		row_text(row, "command", cmd->words);
		row_text(row, "help", cmd->help);
		row_bool(row, "admin", cmd->admin);
		row_bool(row, "single", cmd->single);
		row_json(row, "columns", columns_json(cmd->columns), NULL);
		cur->i++;
	}
	return COMMAND_DONE;
}

const struct command command_table[] = {
	{
		.words = "show commands",
		.help = "All commands of this daemon",
		.columns = show_commands_columns,
		.run = show_commands,
	},
	{ 0 },
};
