/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command table: one row a command, in the order help shows them. The generators stand in
 * show_*.c and their like; the one that tells of the table itself stands here. [control]
 */
#include "router/ctl/command.h"

#include <stdio.h>
#include <string.h>

#include "router/ctl/answer.h"
#include "router/ctl/flow_filter.h"
#include "router/ctl/rows.h"

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
	{ .key = "command",
	  .title = "command",
	  .kind = COL_JSON,
	  .help = "words, <arguments> and [optional parts]" },
	{ .key = "help", .title = "help", .help = "what it does" },
	{ .key = "admin", .kind = COL_BOOL, .help = "changes something: not for read-only peers" },
	{ .key = "single", .kind = COL_BOOL, .help = "one object rather than an array" },
	{ .key = "columns", .kind = COL_JSON, .help = "key and help of each column" },
	{ 0 },
};

/* Words in a table: optional parts that would make it wide are left to `routerctl help`. */
#define WORDS_WIDTH 40
static const char *short_words(const char *words, char buf[WORDS_WIDTH + 5])
{
	size_t len = strlen(words);

	if (len <= WORDS_WIDTH)
		return words;
	for (const char *s = words; s && (size_t)(s - words) <= WORDS_WIDTH;
	     s = strstr(s + 1, " ["))
		len = (size_t)(s - words);
	snprintf(buf, WORDS_WIDTH + 5, "%.*s ...", (int)len, words);
	return buf;
}

static int show_commands(struct router *r, const struct request *q, struct cursor *cur,
			 struct command_ctx *c)
{
	(void)r;
	(void)q;
	for (unsigned n = 0; c->table[cur->i].words; n++) {
		const struct command *cmd = &c->table[cur->i];
		char text[WORDS_WIDTH + 5];
		struct row *row;

		if (n == 32)
			return COMMAND_MORE;
		row = command_row(c);
		row_json(row, "command", json_string(cmd->words), short_words(cmd->words, text));
		row_text(row, "help", cmd->help);
		row_bool(row, "admin", cmd->admin);
		row_bool(row, "single", cmd->single);
		row_json(row, "columns", columns_json(cmd->columns), NULL);
		cur->i++;
	}
	return COMMAND_DONE;
}

const struct command command_table[] = {
	{ .words = "show status",
	  .help = "What the daemon is doing, and the sums of all packets",
	  .columns = show_status_columns,
	  .run = show_status,
	  .single = true },
	{ .words = "show interfaces",
	  .help = "Ports and their state; -s with counters",
	  .columns = show_interfaces_columns,
	  .run = show_interfaces },
	{ .words = "show routes [table <table>] [for <ip>]",
	  .help = "Routes as Linux has them, or the one a packet would take",
	  .columns = show_routes_columns,
	  .run = show_routes },
	{ .words = "show nexthops",
	  .help = "Linux's nexthop objects, and groups with what each member has of the buckets",
	  .columns = show_nexthops_columns,
	  .run = show_nexthops },
	{ .words = "show rules",
	  .help = "Rules of policy routing, in the order they are asked",
	  .columns = show_rules_columns,
	  .run = show_rules },
	{ .words = "show neighbours",
	  .help = "Neighbours packets are sent to",
	  .columns = show_neighbours_columns,
	  .run = show_neighbours },
	{ .words = "show conntrack" FLOW_FILTER_WORDS,
	  .help = "Flows; -s with counters",
	  .columns = show_conntrack_columns,
	  .run = show_conntrack },
	{ .words = "show conntrack" FLOW_FILTER_WORDS " -o <format>",
	  .help = "Flows as lines of another tool: conntrack",
	  .columns = show_conntrack_lines_columns,
	  .run = show_conntrack_lines },
	{ .words = "show conntrack stats",
	  .help = "The flow table: what it holds, made and refused",
	  .columns = show_conntrack_stats_columns,
	  .run = show_conntrack_stats,
	  .single = true },
	{ .words = "monitor conntrack" FLOW_FILTER_WORDS,
	  .help = "Flows that begin, change and end, as it happens",
	  .columns = monitor_conntrack_columns,
	  .run = monitor_conntrack,
	  .endless = true },
	{ .words = "flush conntrack" FLOW_FILTER_WORDS,
	  .help = "Forget flows",
	  .run = flush_conntrack,
	  .admin = true },
	{ .words = "show nat",
	  .help = "NAT rules and the flows they were chosen for",
	  .columns = show_nat_columns,
	  .run = show_nat },
	{ .words = "show nat mappings",
	  .help = "Inside endpoints and what they appear as",
	  .columns = show_nat_mappings_columns,
	  .run = show_nat_mappings },
	{ .words = "show nat ports",
	  .help = "Outside addresses and how many of their ports are taken",
	  .columns = show_nat_ports_columns,
	  .run = show_nat_ports },
	{ .words = "show filter [--expanded]",
	  .help = "Filter rules and what they judged; --expanded: those of zones too",
	  .columns = show_filter_columns,
	  .run = show_filter },
	{ .words = "show qos [dev <device>]",
	  .help = "Shaping: qdiscs, classes and filters; -s with counters",
	  .columns = show_qos_columns,
	  .run = show_qos },
	{ .words = "show qos [dev <device>] -o <format>",
	  .help = "Shaping as lines of another tool: tc; -s as tc -s",
	  .columns = show_qos_lines_columns,
	  .run = show_qos_lines },
	{ .words = "monitor qos [dev <device>] [--interval <seconds>]",
	  .help = "What classes send, drop and mark, and how long packets stay, each second",
	  .columns = monitor_qos_columns,
	  .run = monitor_qos,
	  .endless = true },
	{ .words = "show sets",
	  .help = "Named sets that rules look up",
	  .columns = show_sets_columns,
	  .run = show_sets },
	{ .words = "show sets <set>",
	  .help = "What is in a set",
	  .columns = show_set_columns,
	  .run = show_set },
	{ .words = "set add <set> <element> [timeout <time>]",
	  .help = "Put an element into a set, for 90s, 10m or 2h30m; quote \"10.0.0.1 . 80\"",
	  .run = cmd_set_add,
	  .admin = true },
	{ .words = "set del <set> <element>",
	  .help = "Take an element out of a set",
	  .run = cmd_set_del,
	  .admin = true },
	{ .words = "explain in <iface> <packet>",
	  .help = "What would become of a packet: 'tcp 10.0.0.5:1234 > 1.1.1.1:443'",
	  .columns = explain_columns,
	  .run = explain },
	{ .words = "show drops [all]",
	  .help = "Why packets were dropped; -s with other events",
	  .columns = show_drops_columns,
	  .run = show_drops },
	{ .words = "show workers",
	  .help = "The packet threads; -s with counters",
	  .columns = show_workers_columns,
	  .run = show_workers },
	{ .words = "reset workers",
	  .help = "Forget the longest turns that `show workers -s` tells of",
	  .run = reset_workers,
	  .admin = true },
	{ .words = "show memory",
	  .help = "The packet memory: where every frame is",
	  .columns = show_memory_columns,
	  .run = show_memory,
	  .single = true },
	{ .words = "show xdp",
	  .help = "AF_XDP sockets and the mode each really got; -s with counters",
	  .columns = show_xdp_columns,
	  .run = show_xdp },
	{ .words = "show config",
	  .help = "The running configuration",
	  .columns = show_config_columns,
	  .run = show_config,
	  .single = true },
	{ .words = "reload [--wait]",
	  .help = "Read the configuration file again and apply it",
	  .run = cmd_reload,
	  .admin = true },
	{ .words = "restart [anyway]",
	  .help = "Another process goes on with everything: flows, NAT, sockets, packets; anyway: "
		  "also "
		  "if the file is refused, with the configuration of before",
	  .run = cmd_restart,
	  .admin = true },
	{ .words = "show commands",
	  .help = "All commands of this daemon",
	  .columns = show_commands_columns,
	  .run = show_commands },
	{ 0 },
};
