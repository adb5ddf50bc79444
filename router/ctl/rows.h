/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands' columns and generators, as commands.c lists them. [control] */
#ifndef ROUTER_CTL_ROWS_H
#define ROUTER_CTL_ROWS_H

#include "router/ctl/command.h"

extern const struct column show_status_columns[], show_interfaces_columns[], show_routes_columns[],
	show_neighbours_columns[], show_drops_columns[], show_workers_columns[],
	show_memory_columns[], show_xdp_columns[], show_config_columns[], show_conntrack_columns[],
	show_conntrack_lines_columns[], show_conntrack_stats_columns[], monitor_conntrack_columns[],
	show_nat_mappings_columns[], show_nat_ports_columns[], show_filter_columns[],
	show_sets_columns[], show_set_columns[], show_nat_columns[], explain_columns[],
	show_qos_columns[], show_qos_lines_columns[], monitor_qos_columns[], show_rules_columns[],
	show_nexthops_columns[];

command_fn show_status, show_interfaces, show_routes, show_neighbours, show_drops, show_workers,
	show_memory, show_xdp, show_config, show_conntrack, show_conntrack_lines,
	show_conntrack_stats, flush_conntrack, monitor_conntrack, show_nat_mappings, show_nat_ports,
	show_filter, show_sets, show_set, cmd_set_add, cmd_set_del, show_nat, explain, cmd_reload,
	cmd_restart, show_qos, show_qos_lines, monitor_qos, reset_workers, show_rules,
	show_nexthops;

struct state;
struct netlink_hop;
/* reachable, connected; or why no packet takes it: unresolved, failed, down, not-ours, encap. */
const char *show_hop_state(const struct state *s, const struct netlink_hop *h);
bool show_hop_works(const char *state);
/* Sets "protocol" to the name of an RTPROT_*. */
void row_protocol(struct row *row, uint8_t p);

/* Sums over all workers, as `show status` and `show drops` have them. */
struct totals {
	uint64_t rx, tx, generated, dropped, held;
};
struct router;
void totals_get(const struct router *r, struct totals *t);

#endif
