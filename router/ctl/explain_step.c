/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of an imaginary packet, and how they are told; see explain_internal.h. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "router/ctl/explain_internal.h"
#include "router/ctl/flow_text.h"
#include "router/net/parse.h"
#include "router/net/route.h"
#include "router/net/rules.h"

/* ---- lines */

struct row *explain_step(struct explain *e, const char *step, const char *format, ...)
{
	struct row *row = command_row(e->c);
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	row_text(row, "step", step);
	row_text(row, "text", text);
	return row;
}

static struct row *verdict(struct explain *e, const char *kind, const char *text)
{
	struct row *row = explain_step(e, "verdict", "%s", text);

	row_text(row, "verdict", kind);
	return row;
}

/* Whose sender is told by an ICMP error. */
static bool is_told(enum drop_reason why)
{
	switch (why) {
	case DROP_TTL:
	case DROP_SCOPE:
	case DROP_NO_ROUTE:
	case DROP_UNREACHABLE:
	case DROP_PROHIBIT:
	case DROP_EGRESS_DOWN:
	case DROP_TOO_BIG:
	case DROP_NAT_EXHAUSTED: return true;
	default: return false;
	}
}

void explain_drop(struct explain *e, enum drop_reason why)
{
	char text[160];
	struct row *row;

	snprintf(text, sizeof(text), "dropped: %s (%s)%s", drop_info[why].name, drop_info[why].text,
		 is_told(why) ? "; its sender is told" : "");
	row = verdict(e, "dropped", text);
	row_text(row, "reason", drop_info[why].name);
}

void explain_to_linux(struct explain *e, const char *why)
{
	char text[160];

	snprintf(text, sizeof(text), "to Linux: %s", why);
	verdict(e, "linux", text);
}

char *explain_endpoint(const struct flow_key *k, const uint8_t addr[16], uint16_t port,
		       char buf[EXPLAIN_ENDPOINT_STRLEN])
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(k->family, addr, text, sizeof(text));
	if (!flow_proto_has_ports(k->proto))
		snprintf(buf, EXPLAIN_ENDPOINT_STRLEN, "%s", text);
	else
		snprintf(buf, EXPLAIN_ENDPOINT_STRLEN, k->family == AF_INET6 ? "[%s]:%u" : "%s:%u",
			 text, ntohs(port));
	return buf;
}

/* ---- arriving */

static enum drop_reason what_was_counted(const struct explain *e)
{
	unsigned why = 0;

	while (why < DROP__COUNT - 1 && !e->count.drop[why])
		why++;
	return (enum drop_reason)why;
}

uint32_t explain_frame_in(struct explain *e)
{
	struct explain_link l = { .vid = e->in->vid, .vlan_proto = e->in->vlan_proto };

	memcpy(l.mac, e->in->mac, sizeof(l.mac));
	return explain_frame(&e->packet, &l, e->frame);
}

bool explain_take(struct explain *e, uint32_t len)
{
	memset(&e->count, 0, sizeof(e->count));
	if (!parse_frame(&e->dp, &e->p, e->frame, len)) {
		explain_drop(e, what_was_counted(e));
		return false;
	}
	if (!parse_transport(&e->p)) {
		explain_drop(e, DROP_IP6_EXTENSION);
		return false;
	}
	e->p.mark = e->mark;
	return true;
}

bool explain_arrive(struct explain *e)
{
	return explain_take(e, explain_frame_in(e));
}

/* ---- filter */

static const char *priority_name(int priority, char buf[16])
{
	switch (priority) {
	case CONF_PRIO_RAW: return "raw";
	case CONF_PRIO_MANGLE: return "mangle";
	case CONF_PRIO_DSTNAT: return "dstnat";
	case CONF_PRIO_FILTER: return "filter";
	case CONF_PRIO_SRCNAT: return "srcnat";
	default: snprintf(buf, 16, "%d", priority); return buf;
	}
}

static void tell_place(const struct filter_rule_info *rule, char *to, size_t size)
{
	char number[16];

	if (rule->hook[0])
		snprintf(to, size, "%s %s \"%s\"", rule->hook,
			 priority_name(rule->priority, number), rule->chain);
	else
		snprintf(to, size, "chain \"%s\"", rule->chain);
}

/* filter_say_fn: a rule that matches, or the policy of a chain whose rules decided nothing. */
static void say(void *arg, uint16_t number, const struct match_packet *m)
{
	struct explain *e = arg;
	struct filter_rule_info rule;
	char place[160], line[24] = "";
	struct row *row;

	(void)m;
	if (!filter_rule(e->g.filter, number, &rule))
		return;
	tell_place(&rule, place, sizeof(place));
	if (rule.policy) {
		row = explain_step(e, "filter", "%s: no rule decides, policy %s", place,
				   rule.action);
	} else {
		if (rule.line)
			snprintf(line, sizeof(line), " (line %u)", rule.line);
		row = explain_step(e, "filter", "%s: rule %s%s%s%s: %s", place,
				   rule.name[0] ? "\"" : "", rule.name, rule.name[0] ? "\"" : "",
				   line, rule.action);
		row_text(row, "rule", rule.name[0] ? rule.name : NULL);
	}
	if (rule.line)
		row_unsigned(row, "line", rule.line);
	row_text(row, "file", rule.file && rule.file[0] ? rule.file : NULL);
}

void explain_begin(struct explain *e, const struct flow_key *key, uint8_t ct)
{
	passage_begin(&e->g, &e->dp, &e->p, key, ct);
	e->g.m.dry = true;
}

bool explain_stage(struct explain *e, enum filter_stage stage)
{
	if (!e->g.filter || !filter_has(e->g.filter, stage) ||
	    filter_run(e->g.filter, stage, &e->g.m, &e->g.r, say, e) == FILTER_ACCEPT)
		return true;
	explain_filtered(e);
	return false;
}

void explain_judged(struct explain *e)
{
	e->way.mark = e->g.m.mark;
	e->way.has_dscp = e->g.r.has_dscp;
	e->way.dscp = e->g.r.dscp;
}

static const char *rejection(const struct explain *e)
{
	switch ((enum conf_reject)e->g.r.reject) {
	case CONF_REJECT_RESET: return "rejected with a TCP reset";
	case CONF_REJECT_HOST: return "rejected with ICMP host unreachable";
	case CONF_REJECT_NET: return "rejected with ICMP network unreachable";
	case CONF_REJECT_PROHIBITED: return "rejected with ICMP prohibited";
	case CONF_REJECT_DEFAULT:
		if (e->p.proto == IPPROTO_TCP)
			return "rejected with a TCP reset";
		break;
	case CONF_REJECT_PORT: break;
	}
	return "rejected with ICMP port unreachable";
}

void explain_filtered(struct explain *e)
{
	if (e->g.r.verdict == FILTER_REJECT)
		row_text(verdict(e, "rejected", rejection(e)), "reason",
			 drop_info[DROP_FILTER_REJECT].name);
	else
		explain_drop(e, e->g.r.rule ? DROP_FILTER_RULE : DROP_FILTER_POLICY);
}

/* ---- route */

static const struct nh *hop(const struct explain *e, uint32_t slot)
{
	return slot ? nh_get(e->dp.cfg->nht, slot) : NULL;
}

static struct addr address(const struct flow_key *k, const uint8_t bytes[16])
{
	struct addr a = { .family = k->family };

	memcpy(a.bytes, bytes, k->family == AF_INET6 ? 16 : 4);
	return a;
}

const char *explain_iface(const struct explain *e, uint16_t index)
{
	const struct dp_iface *f;
	const char *name;

	if (index >= e->dp.cfg->nifaces)
		return "?";
	f = &e->dp.cfg->iface[index];
	name = names_text(&e->r->names, f->name_id);
	return name[0] ? name : f->name;
}

/* The prefix of the route in front of what it leads to; nothing if Linux has forgotten it just now.
 */
static void tell_prefix(const struct explain *e, uint32_t table, const struct flow_key *to,
			char *text, size_t size)
{
	struct addr dst = address(to, to->dst);
	const struct route *route = state_route_for(e->r->state, table, &dst);
	char prefix[PREFIX_STRLEN];

	if (!route)
		return;
	snprintf(text, size, "%s ",
		 route->dst.len ? prefix_format(&route->dst, prefix) : "default");
}

static const char *neighbour_state(const struct nh *n)
{
	return n->state == NH_RESOLVED ? "resolved"
	       : n->state == NH_FAILED ? "Linux could not resolve it"
				       : "not resolved yet";
}

/* What a packet by n is sent to: in a connected network the neighbour, if it is known, and no more
 * than the route to that network allows. */
static const struct nh *sent_to(const struct explain *e, const struct flow_key *to,
				const struct nh *n, struct nh *neighbour)
{
	struct addr dst = address(to, to->dst);
	uint32_t slot;

	if (!n || n->type != NH_GLEAN)
		return n;
	slot = neigh_lookup(e->dp.cfg->neigh, e->dp.cfg->nht, n->iface, &dst);
	if (!slot)
		return n;
	*neighbour = *hop(e, slot);
	if (n->mtu < neighbour->mtu)
		neighbour->mtu = n->mtu;
	return neighbour;
}

static void tell_hop(struct explain *e, const char *prefix, const struct flow_key *to,
		     const struct nh *n, const char *more)
{
	struct addr dst = address(to, to->dst);
	char addr[ADDR_STRLEN];
	struct nh neighbour;

	n = sent_to(e, to, n, &neighbour);
	if (!n)
		explain_step(e, "route", "no route to %s%s", addr_format(&dst, addr), more);
	else if (n->type == NH_GLEAN)
		explain_step(e, "route", "%sdev %s, neighbour %s is not known yet%s", prefix,
			     explain_iface(e, n->iface), addr_format(&dst, addr), more);
	else if (n->type != NH_ADJ)
		explain_step(e, "route", "%s%s%s", prefix, nh_type_names[n->type], more);
	else
		explain_step(e, "route", "%s%s %s dev %s (%s)%s", prefix,
			     addr_equal(&n->addr, &dst) ? "neighbour" : "via",
			     addr_format(&n->addr, addr), explain_iface(e, n->iface),
			     neighbour_state(n), more);
}

/* Which rule of routing decides, if any but the usual ones are asked. Returns the table, 0: none.
 */
static uint32_t tell_rule(struct explain *e, const struct rule_list *l, unsigned decided)
{
	const struct rule_step *s = &l->step[decided];
	struct row *row;

	if (decided == l->nsteps) {
		explain_step(e, "rule", "no table of any rule knows the destination");
		return 0;
	}
	if (s->act == RULE_LOOKUP)
		row = explain_step(e, "rule", "routing rule of priority %u: table %u", s->priority,
				   s->table);
	else
		row = explain_step(e, "rule", "routing rule of priority %u: %s", s->priority,
				   s->slot ? nh_type_names[hop(e, s->slot)->type] : "unreachable");
	row_unsigned(row, "priority", s->priority);
	if (s->act == RULE_LOOKUP)
		row_unsigned(row, "table", s->table);
	return s->act == RULE_LOOKUP ? s->table : 0;
}

/* The table that the interface's FIB is of. */
static uint32_t own_table(const struct explain *e)
{
	const struct link *l = state_link(e->r->state, e->in->ifindex);

	return state_table_of_master(e->r->state, l ? l->l.master : 0);
}

uint32_t explain_route(struct explain *e, const struct flow_key *to)
{
	const struct rule_list *l = route_rules(e->in, to->family == AF_INET6);
	uint8_t tos = e->g.r.has_dscp ? (uint8_t)(e->g.r.dscp << 2) : route_tos(&e->p);
	unsigned decided = 0;
	uint32_t slot = route_flow(&e->dp, &e->p, to, e->g.dp ? e->g.m.mark : e->mark, tos,
				   &decided),
		 neighbour, table;
	char prefix[PREFIX_STRLEN + 1] = "", more[64] = "";
	const struct nh *n = hop(e, slot);
	struct addr dst = address(to, to->dst);

	table = l ? tell_rule(e, l, decided) : own_table(e);
	if (table)
		tell_prefix(e, table, to, prefix, sizeof(prefix));
	if (n && n->type == NH_GROUP) {
		snprintf(more, sizeof(more), ", of several by the hash of the flow");
		slot = route_choose(&e->dp, &e->p, n);
		n = hop(e, slot);
	}
	if (n && n->type == NH_GLEAN) {
		neighbour = neigh_lookup(e->dp.cfg->neigh, e->dp.cfg->nht, n->iface, &dst);
		if (neighbour && hop(e, neighbour)->mtu <= n->mtu) /* as flows_route() */
			slot = neighbour;
		n = hop(e, slot);
	}
	tell_hop(e, prefix, to, n, more);
	return slot;
}

void explain_route_known(struct explain *e, const struct flow_key *to, uint32_t slot)
{
	tell_hop(e, "", to, hop(e, slot), ", which the flow remembers");
}

uint16_t explain_out_name(const struct explain *e, uint32_t slot)
{
	const struct nh *n = hop(e, slot);

	return n && nh_leads_out(n) && n->iface < e->dp.cfg->nifaces &&
			       e->dp.cfg->iface[n->iface].port != IFACE_NONE
		       ? e->dp.cfg->iface[n->iface].name_id
		       : 0;
}

/* ---- leaving */

static bool is_six(const struct explain *e)
{
	return e->packet.src.family == AF_INET6;
}

static uint16_t mtu_of(const struct explain *e, const struct nh *n)
{
	return is_six(e) && n->mtu < IP6_MTU_MIN ? IP6_MTU_MIN : n->mtu;
}

static bool leads_out(const struct explain *e, const struct nh *n)
{
	return n && nh_leads_out(n) && (n->type != NH_BROADCAST || nh_broadcasts(n, e->p.iface));
}

static bool is_resolved(const struct nh *n)
{
	return n->type != NH_GLEAN && n->state == NH_RESOLVED;
}

static bool is_too_big(const struct explain *e, const struct nh *n)
{
	return e->packet.length > mtu_of(e, n) && (is_six(e) || e->packet.df);
}

static bool link_local(const struct addr *a)
{
	return a->family == AF_INET6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static enum drop_reason dead_end(const struct nh *n)
{
	switch ((enum nh_type)n->type) {
	case NH_BLACKHOLE: return DROP_BLACKHOLE;
	case NH_UNREACHABLE: return DROP_UNREACHABLE;
	case NH_PROHIBIT: return DROP_PROHIBIT;
	case NH_LOCAL: return DROP_LOCAL;
	case NH_BROADCAST: return DROP_BROADCAST;
	case NH_FOREIGN: return DROP_EGRESS_FOREIGN;
	case NH_DOWN: return DROP_EGRESS_DOWN;
	case NH_ADJ:
	case NH_GLEAN:
	case NH_THROW:
	case NH_GROUP: break;
	}
	return DROP_NO_ROUTE;
}

/* In the order forward() asks; DROP__COUNT: none. */
static enum drop_reason refusal(const struct explain *e, const struct nh *n)
{
	if (!n)
		return DROP_NO_ROUTE;
	if (!leads_out(e, n))
		return dead_end(n);
	if (e->packet.ttl <= 1)
		return DROP_TTL;
	if (link_local(&e->packet.src) || link_local(&e->packet.dst))
		return DROP_SCOPE;
	return is_too_big(e, n) ? DROP_TOO_BIG : DROP__COUNT;
}

bool explain_would_leave(struct explain *e, const struct flow_key *to, uint32_t slot)
{
	const struct nh *n = hop(e, slot);

	if (leads_out(e, n) && refusal(e, n) == DROP__COUNT && !is_too_big(e, n))
		return true;
	explain_leave(e, to, slot);
	return false;
}

static void tell_out(struct explain *e, const struct nh *n, const char *neighbour)
{
	struct row *row;

	row = explain_step(e, "out", "%s to %s, %s %u, mtu %u%s", explain_iface(e, n->iface),
			   neighbour, is_six(e) ? "hop limit" : "TTL", e->packet.ttl - 1u,
			   mtu_of(e, n), e->packet.length > mtu_of(e, n) ? ", in fragments" : "");
	row_text(row, "iface", explain_iface(e, n->iface));
}

static void tell_redirected(struct explain *e, const struct explain_end *end)
{
	row_text(explain_step(e, "out", "%s, redirected: the frame as it is", end->iface), "iface",
		 end->iface);
}

void explain_gone(struct explain *e, const struct explain_end *end)
{
	if (end->drop != DROP__COUNT) {
		explain_drop(e, end->drop);
		return;
	}
	tell_redirected(e, end);
	row_text(verdict(e, "forwarded", "forwarded"), "iface", end->iface);
}

/* When Linux has resolved the neighbour. */
static void tell_waits(struct explain *e, const char *neighbour, const struct explain_end *end)
{
	bool dropped = end->drop != DROP__COUNT;
	char text[160];

	snprintf(text, sizeof(text), "waits until Linux has resolved %s, then %s%s", neighbour,
		 dropped ? "dropped: " : "forwarded", dropped ? drop_info[end->drop].name : "");
	row_text(verdict(e, "waits", text), "iface", end->iface);
}

void explain_leave(struct explain *e, const struct flow_key *to, uint32_t slot)
{
	struct nh neighbour;
	const struct nh *n = sent_to(e, to, hop(e, slot), &neighbour);
	enum drop_reason why = refusal(e, n);
	struct addr dst = address(to, to->dst);
	struct explain_end end;
	char addr[ADDR_STRLEN];

	if (why != DROP__COUNT) {
		explain_drop(e, why);
		return;
	}
	addr_format(n->type == NH_ADJ ? &n->addr : &dst, addr);
	if (is_too_big(e, n))
		end = (struct explain_end){ DROP_TOO_BIG, explain_iface(e, n->iface), false };
	else
		explain_egress(e, n, &end);
	if (end.drop == DROP__COUNT && end.redirected)
		tell_redirected(e, &end);
	else if (end.drop == DROP__COUNT)
		tell_out(e, n, addr);
	if (!is_resolved(n))
		tell_waits(e, addr, &end);
	else if (end.drop != DROP__COUNT)
		explain_drop(e, end.drop);
	else
		row_text(verdict(e, "forwarded", "forwarded"), "iface", end.iface);
}
