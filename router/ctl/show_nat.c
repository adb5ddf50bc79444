/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show nat: rules, mappings of inside endpoints, and what is taken of outside addresses. [control]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/flow_text.h"
#include "router/ctl/nft.h"
#include "router/ctl/rows.h"
#include "router/router.h"

/* ---- rules */
const struct column show_nat_columns[] = {
	{ "name", "name", COL_TEXT, false, "of the rule" },
	{ "kind", "kind", COL_TEXT, false, "snat, masquerade, dnat, redirect, static or none" },
	{ "flows", "flows", COL_NUMBER, false, "it was chosen for; of redirect, Linux's" },
	{ "exhausted", "exhausted", COL_NUMBER, false, "flows for which no port was free" },
	{ "mapping", NULL, COL_TEXT, false, "eim, adm or apdm" },
	{ "filtering", NULL, COL_TEXT, false, "eif, adf or apdf" },
	{ "target", "target", COL_TEXT, false, "outside addresses and ports, or where to" },
	{ "match", "match", COL_TEXT, false, "as in the configuration; null: all packets" },
	{ 0 },
};

static const char *text_or_null(const char *s)
{
	return s && s[0] ? s : NULL;
}

/* What is redirected is Linux's to count (nft.h). */
static uint64_t linux_flows(const struct nft_counter *all, unsigned n,
			    const struct nat_rule_info *info)
{
	for (unsigned i = 0; i < n; i++)
		if (all[i].hook == CONF_HOOK_PREROUTING && all[i].line == info->line &&
		    !strcmp(all[i].name, info->name) && !strcmp(all[i].file, info->file))
			return all[i].packets;
	return 0;
}

int show_nat(struct router *r, const struct request *q, struct cursor *cur, struct command_ctx *c)
{
	const struct nat *nat = r->policy ? r->policy->nat : NULL;
	const struct nft_counter *counters = NULL;
	struct nat_rule_info info;
	unsigned ncounters = 0;

	(void)q;
	if (r->nft && nft_counters(r->nft, &counters, &ncounters))
		ncounters = 0;
	for (unsigned n = 0; n < ROWS_A_CALL; n++) {
		struct row *row;

		if (!nat || !nat_rule(nat, (unsigned)cur->i + 1, &info))
			return COMMAND_DONE;
		cur->i++;
		row = command_row(c);
		row_text(row, "name", text_or_null(info.name));
		row_text(row, "kind", info.kind);
		row_unsigned(row, "flows",
			     strcmp(info.kind, "redirect") != 0
				     ? info.flows
				     : linux_flows(counters, ncounters, &info));
		row_unsigned(row, "exhausted", info.packets_refused);
		row_text(row, "mapping", info.mapping);
		row_text(row, "filtering", info.filtering);
		row_text(row, "target", text_or_null(info.target));
		row_text(row, "match", text_or_null(info.match));
	}
	return COMMAND_MORE;
}

/* ---- mappings */
const struct column show_nat_mappings_columns[] = {
	{ "proto", "proto", COL_TEXT, false, "protocol" },
	{ "flows", "flows", COL_NUMBER, false, "that use it" },
	{ "zone", NULL, COL_NUMBER, false, "of connection tracking" },
	{ "inside", "inside", COL_JSON, false, "endpoint: addr, and port or id" },
	{ "outside", "outside", COL_JSON, false, "what it appears as: addr, and port or id" },
	{ 0 },
};

static void row_endpoint(struct row *row, const char *key, const struct addr *a, uint16_t port)
{
	char addr[ADDR_STRLEN], text[ADDR_STRLEN + 10];

	addr_format(a, addr);
	snprintf(text, sizeof(text), a->family == AF_INET6 ? "[%s]:%u" : "%s:%u", addr, port);
	row_json(row, key, json_pack("{s:s, s:i}", "addr", addr, "port", port), text);
}

int show_nat_mappings(struct router *r, const struct request *q, struct cursor *cur,
		      struct command_ctx *c)
{
	struct natports *ports = r->st ? r->st->ports : NULL;
	char proto[FLOW_PROTO_STRLEN];
	struct natport_inside in;
	struct addr outside;
	uint32_t flows;
	uint16_t port;

	(void)q;
	for (unsigned n = 0; n < ROWS_A_CALL; n++) {
		struct row *row;

		if (!ports || !natmap_walk(ports, &cur->i, &in, &outside, &port, &flows))
			return COMMAND_DONE;
		row = command_row(c);
		row_text(row, "proto", flow_proto_format(in.proto, proto));
		row_unsigned(row, "flows", flows);
		row_unsigned(row, "zone", in.zone);
		row_endpoint(row, "inside", &in.addr, in.port);
		row_endpoint(row, "outside", &outside, port);
	}
	return COMMAND_MORE;
}

/* ---- ports */
const struct column show_nat_ports_columns[] = {
	{ "address", "address", COL_TEXT, false, "outside" },
	{ "tcp", "tcp", COL_JSON, false, "ports taken by flows, reserved by rules" },
	{ "udp", "udp", COL_JSON, false, "ports taken by flows, reserved by rules" },
	{ "icmp", "icmp", COL_JSON, false, "ids taken by flows, reserved by rules" },
	{ "exhausted", "exhausted", COL_NUMBER, false, "flows for which no port was free" },
	{ 0 },
};

static void row_plane(struct row *row, const char *key, const struct natport_info *info,
		      enum natport_plane plane)
{
	uint32_t taken = info->taken[plane], reserved = info->reserved[plane];
	char text[64];
	int len = snprintf(text, sizeof(text), "%" PRIu32, taken);

	if (reserved)
		snprintf(text + len, sizeof(text) - (size_t)len, ", %" PRIu32 " reserved",
			 reserved);
	row_json(row, key,
		 json_pack("{s:I, s:I}", "taken", (json_int_t)taken, "reserved",
			   (json_int_t)reserved),
		 text);
}

int show_nat_ports(struct router *r, const struct request *q, struct cursor *cur,
		   struct command_ctx *c)
{
	struct natports *ports = r->st ? r->st->ports : NULL;
	uint32_t at = (uint32_t)cur->i;
	struct natport_info info;
	char addr[ADDR_STRLEN];

	(void)q;
	for (unsigned n = 0; n < ROWS_A_CALL; n++) {
		struct row *row;

		if (!ports || !natports_walk(ports, &at, &info))
			return COMMAND_DONE;
		row = command_row(c);
		row_text(row, "address", addr_format(&info.addr, addr));
		row_plane(row, "tcp", &info, NATPORT_TCP);
		row_plane(row, "udp", &info, NATPORT_UDP);
		row_plane(row, "icmp", &info, NATPORT_ICMP);
		row_unsigned(row, "exhausted", info.exhausted);
	}
	cur->i = at;
	return COMMAND_MORE;
}
