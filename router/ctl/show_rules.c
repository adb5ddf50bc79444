/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show rules: the rules of policy routing as Linux has them, whoever set them, in the order in
 * which they are asked. [control]
 */
#include <linux/fib_rules.h>
#include <stdio.h>
#include <string.h>

#include "router/ctl/rows.h"
#include "router/ctl/table_names.h"
#include "router/router.h"

const struct column show_rules_columns[] = {
	{ "priority", "priority", COL_NUMBER, false, "the lowest is asked first" },
	{ "family", "family", COL_TEXT, false, "ipv4 or ipv6" },
	{ "match", "for packets", COL_TEXT, false, "all that it says of them" },
	{ "action", "action", COL_TEXT, false, "lookup, goto, blackhole ..." },
	{ "table", "table", COL_TEXT, false, "lookup: name or number" },
	{ "protocol", "protocol", COL_TEXT, false, "who made it" },
	{ "state", "state", COL_TEXT, false,
	  "in use; linux only: no packet of the router is meant; not understood: it takes none" },
	{ "not", NULL, COL_BOOL, false, "for all other packets" },
	{ "from", NULL, COL_TEXT, false, "source prefix" },
	{ "to", NULL, COL_TEXT, false, "destination prefix" },
	{ "iif", NULL, COL_TEXT, false, "interface they come in by" },
	{ "oif", NULL, COL_TEXT, false, "interface that a socket is bound to" },
	{ "fwmark", NULL, COL_TEXT, false, "mark and mask, hexadecimal" },
	{ "dscp", NULL, COL_NUMBER, false, "differentiated services code point" },
	{ "tos", NULL, COL_NUMBER, false, "type of service (IPv4)" },
	{ "proto", NULL, COL_NUMBER, false, "IP protocol" },
	{ "sport", NULL, COL_TEXT, false, "source ports" },
	{ "dport", NULL, COL_TEXT, false, "destination ports" },
	{ "l3mdev", NULL, COL_BOOL, false, "of interfaces in a VRF, by its table" },
	{ "target", NULL, COL_NUMBER, false, "goto: a priority" },
	{ "suppress_prefix_length", NULL, COL_NUMBER, false, "routes up to it do not count" },
	{ 0 },
};

/* ---- conditions, each as a column and as words of the summary */

struct summary {
	char text[400];
	size_t used;
};

static void say(struct summary *s, const char *word, const char *value)
{
	int n = snprintf(s->text + s->used, sizeof(s->text) - s->used, "%s%s%s%s",
			 s->used ? " " : "", word, value[0] ? " " : "", value);

	s->used += n > 0 ? (size_t)n : 0;
	s->used = s->used < sizeof(s->text) ? s->used : sizeof(s->text) - 1;
}

static void put_text(struct row *row, struct summary *s, const char *key, const char *value)
{
	if (!value[0])
		return;
	row_text(row, key, value);
	say(s, key, value);
}

static void put_number(struct row *row, struct summary *s, const char *key, unsigned n, bool given)
{
	char text[16];

	if (!given)
		return;
	snprintf(text, sizeof(text), "%u", n);
	row_unsigned(row, key, n);
	say(s, key, text);
}

static void put_prefix(struct row *row, struct summary *s, const char *key, const struct prefix *p)
{
	char text[PREFIX_STRLEN];

	if (p->len)
		put_text(row, s, key, prefix_format(p, text));
}

static void put_ports(struct row *row, struct summary *s, const char *key,
		      const struct netlink_ports *r)
{
	char text[32] = "";

	if (r->mask && r->mask != UINT16_MAX)
		snprintf(text, sizeof(text), "%u/0x%x", r->first, r->mask);
	else if (r->first != r->last)
		snprintf(text, sizeof(text), "%u-%u", r->first, r->last);
	else if (r->first)
		snprintf(text, sizeof(text), "%u", r->first);
	put_text(row, s, key, text);
}

static void put_mark(struct row *row, struct summary *s, const struct netlink_rule *r)
{
	char text[32];

	if (!r->mark_mask)
		return;
	if (r->mark_mask == UINT32_MAX)
		snprintf(text, sizeof(text), "0x%x", r->mark);
	else
		snprintf(text, sizeof(text), "0x%x/0x%x", r->mark, r->mark_mask);
	put_text(row, s, "fwmark", text);
}

static void put_conditions(struct row *row, const struct netlink_rule *r)
{
	struct summary s = { .text = "" };
	bool all_bits = r->family == AF_INET6 && r->tos; /* of IPv4 only three of them count */

	row_bool(row, "not", r->invert);
	if (r->invert)
		say(&s, "not", "");
	put_prefix(row, &s, "from", &r->from);
	put_prefix(row, &s, "to", &r->to);
	put_text(row, &s, "iif", r->iif);
	put_text(row, &s, "oif", r->oif);
	put_mark(row, &s, r);
	put_number(row, &s, "dscp", r->has_dscp ? r->dscp : r->tos >> 2, r->has_dscp || all_bits);
	put_number(row, &s, "tos", r->tos, r->tos && !all_bits);
	put_number(row, &s, "proto", r->ipproto, r->ipproto);
	put_ports(row, &s, "sport", &r->sport);
	put_ports(row, &s, "dport", &r->dport);
	row_bool(row, "l3mdev", r->l3mdev);
	if (r->l3mdev)
		say(&s, "l3mdev", "");
	if (r->has_uid)
		say(&s, "uidrange", "");
	if (r->tun_id)
		say(&s, "tun_id", "");
	if (r->label_mask)
		say(&s, "flowlabel", "");
	if (!rule_understood(r))
		say(&s, "...", "");
	row_text(row, "match", s.used ? s.text : "all");
}

/* ---- what becomes of them */

static const char *action_text(uint8_t action)
{
	switch (action) {
	case FR_ACT_TO_TBL: return "lookup";
	case FR_ACT_GOTO: return "goto";
	case FR_ACT_NOP: return "nop";
	case FR_ACT_BLACKHOLE: return "blackhole";
	case FR_ACT_UNREACHABLE: return "unreachable";
	case FR_ACT_PROHIBIT: return "prohibit";
	}
	return "?";
}

static const char *state_text(const struct netlink_rule *r)
{
	if (!rule_understood(r))
		return "not understood";
	/* what is forwarded comes in by a device, and belongs to nobody */
	if (!r->invert &&
	    (r->oif[0] || r->tun_id || !strcmp(r->iif, "lo") || (r->has_uid && r->uid_first)))
		return "linux only";
	return "in use";
}

static void rule_row(const struct router *router, const struct netlink_rule *r,
		     struct command_ctx *c)
{
	struct row *row = command_row(c);
	char table[TABLE_STRLEN], action[64];

	row_unsigned(row, "priority", r->priority);
	row_text(row, "family", r->family == AF_INET6 ? "ipv6" : "ipv4");
	put_conditions(row, r);
	snprintf(action, sizeof(action), "%s", action_text(r->action));
	if (r->action == FR_ACT_GOTO) {
		row_unsigned(row, "target", r->target);
		snprintf(action, sizeof(action), "goto %u", r->target);
	}
	row_text(row, "action", action);
	if (r->action == FR_ACT_TO_TBL)
		row_text(row, "table",
			 r->table ? table_text(router, r->table, table) : "of the VRF");
	if (r->suppress_len >= 0)
		row_number(row, "suppress_prefix_length", r->suppress_len);
	row_protocol(row, r->protocol);
	row_text(row, "state", state_text(r));
}

/* cur->i: of both families, how many rules have been shown. */
int show_rules(struct router *r, const struct request *q, struct cursor *cur, struct command_ctx *c)
{
	uint64_t at = 0;
	unsigned n = 0;

	(void)q;
	for (unsigned six = 0; six < 2; six++) {
		for (const struct rule *x = r->state->rules[six]; x; x = x->next) {
			if (at++ < cur->i)
				continue;
			if (n++ == ROWS_A_CALL)
				return COMMAND_MORE;
			rule_row(r, &x->r, c);
			cur->i++;
		}
	}
	return COMMAND_DONE;
}
