/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules of policy routing (FRA_*) from rtnetlink messages; netlink_parse.c says what holds for all
 * parsers.
 *
 * One thing is other here: an attribute that is not known is not passed over. It is a condition
 * that a later kernel looks at, and a rule without one of its conditions would take packets that
 * are not its own. Such a rule is `unknown`, and what to do with it is for who reads it to say.
 * [any]
 */
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "router/ctl/netlink_attr.h"
#include "router/ctl/netlink_internal.h"

static bool attr_be32(const struct nlattr *a, uint32_t *out)
{
	uint8_t b[4];

	if (!a)
		return true;
	if (!attr_copy(a, b, sizeof(b)))
		return false;
	*out = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	return true;
}

/* Is there an attribute that nobody here reads? The message is known to be whole. */
static bool has_other(const struct nlmsghdr *h)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, h, sizeof(struct fib_rule_hdr))
		if (mnl_attr_get_type(a) >= NETLINK_FRA_END)
			return true;
	return false;
}

static bool ports_parse(const struct nlattr *range, const struct nlattr *mask,
			struct netlink_ports *out)
{
	struct fib_rule_port_range r = { 0 };

	if (!attr_copy(range, &r, sizeof(r)) || !attr_copy(mask, &out->mask, sizeof(out->mask)))
		return false;
	out->first = r.start;
	out->last = r.end;
	return true;
}

/* What packets it is for, beside addresses and interfaces. */
static bool conditions_parse(const struct nlattr **tb, struct netlink_rule *out)
{
	struct fib_rule_uid_range uid = { 0 };
	uint8_t l3mdev = 0, tun[8] = { 0 };

	out->mark_mask = tb[FRA_FWMARK] ? UINT32_MAX : 0;
	out->has_dscp = tb[NETLINK_FRA_DSCP] != NULL;
	out->dscp_mask = out->has_dscp ? 0x3f : 0;
	out->label_mask = tb[NETLINK_FRA_FLOWLABEL] ? 0xfffff : 0;
	out->has_uid = tb[FRA_UID_RANGE] != NULL;
	if (!attr_u32(tb[FRA_FWMARK], &out->mark) || !attr_u32(tb[FRA_FWMASK], &out->mark_mask) ||
	    !attr_u8(tb[NETLINK_FRA_DSCP], &out->dscp) ||
	    !attr_u8(tb[NETLINK_FRA_DSCP_MASK], &out->dscp_mask) ||
	    !attr_be32(tb[NETLINK_FRA_FLOWLABEL], &out->label) ||
	    !attr_be32(tb[NETLINK_FRA_FLOWLABEL_MASK], &out->label_mask) ||
	    !attr_u8(tb[FRA_IP_PROTO], &out->ipproto) || !attr_u8(tb[FRA_L3MDEV], &l3mdev) ||
	    !attr_copy(tb[FRA_UID_RANGE], &uid, sizeof(uid)) ||
	    !attr_copy(tb[FRA_TUN_ID], tun, sizeof(tun)))
		return false;
	out->l3mdev = l3mdev;
	out->uid_first = uid.start;
	out->uid_last = uid.end;
	for (unsigned i = 0; i < sizeof(tun); i++)
		out->tun_id = out->tun_id << 8 | tun[i];
	return ports_parse(tb[FRA_SPORT_RANGE], tb[NETLINK_FRA_SPORT_MASK], &out->sport) &&
	       ports_parse(tb[FRA_DPORT_RANGE], tb[NETLINK_FRA_DPORT_MASK], &out->dport);
}

static bool is_action(uint8_t action)
{
	switch (action) {
	case FR_ACT_TO_TBL:
	case FR_ACT_GOTO:
	case FR_ACT_NOP:
	case FR_ACT_BLACKHOLE:
	case FR_ACT_UNREACHABLE:
	case FR_ACT_PROHIBIT: return true;
	}
	return false;
}

bool netlink_parse_rule(const struct nlmsghdr *h, struct netlink_rule *out)
{
	const struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[NETLINK_FRA_END];

	if ((h->nlmsg_type != RTM_NEWRULE && h->nlmsg_type != RTM_DELRULE) ||
	    !message_holds(h, sizeof(*frh)) || !family_known(frh->family) ||
	    !message_index(h, sizeof(*frh), tb, NETLINK_FRA_END - 1))
		return false;
	memset(out, 0, sizeof(*out));
	out->deleted = h->nlmsg_type == RTM_DELRULE;
	out->family = frh->family;
	out->action = frh->action;
	out->tos = frh->tos;
	out->table = frh->table; /* of 8 bits; FRA_TABLE has them all */
	out->invert = frh->flags & FIB_RULE_INVERT;
	out->suppress_len = out->suppress_group = -1;
	out->unknown = !is_action(frh->action) || has_other(h);
	return attr_prefix(tb[FRA_SRC], frh->family, frh->src_len, &out->from) &&
	       attr_prefix(tb[FRA_DST], frh->family, frh->dst_len, &out->to) &&
	       attr_string(tb[FRA_IIFNAME], out->iif, sizeof(out->iif)) &&
	       attr_string(tb[FRA_OIFNAME], out->oif, sizeof(out->oif)) &&
	       attr_u32(tb[FRA_PRIORITY], &out->priority) && attr_u32(tb[FRA_TABLE], &out->table) &&
	       attr_u32(tb[FRA_GOTO], &out->target) && attr_u8(tb[FRA_PROTOCOL], &out->protocol) &&
	       attr_copy(tb[FRA_SUPPRESS_PREFIXLEN], &out->suppress_len, sizeof(int32_t)) &&
	       attr_copy(tb[FRA_SUPPRESS_IFGROUP], &out->suppress_group, sizeof(int32_t)) &&
	       conditions_parse(tb, out);
}
