/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show interfaces, routes, neighbours, xdp. [control] */
#include <errno.h>
#include <inttypes.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/rows.h"
#include "router/ctl/table_names.h"
#include "router/router.h"

#define LOWER_UP (1u << 16) /* IFF_LOWER_UP, which net/if.h does not have */

/* ---- interfaces */

const struct column show_interfaces_columns[] = {
	{ "name", "name", COL_TEXT, false, "in the configuration" },
	{ "netdev", NULL, COL_TEXT, false, "in Linux" },
	{ "ifindex", NULL, COL_NUMBER, false, "in Linux" },
	{ "state", "state", COL_TEXT, false, "up, down, or what the port waits for" },
	{ "mode", "mode", COL_TEXT, false, "zero-copy, copy or generic" },
	{ "why", NULL, COL_TEXT, false, "why no better mode, or why it is not open" },
	{ "queues", "queues", COL_NUMBER, false, "receive queues served" },
	{ "mtu", "mtu", COL_NUMBER, false, "bytes" },
	{ "mac", "mac", COL_TEXT, false, "address" },
	{ "addresses", NULL, COL_JSON, false, "as Linux has them" },
	{ "on_failure", NULL, COL_TEXT, false, "of the port: drop, or pass: Linux stands in" },
	{ "rx_packets", "rx packets", COL_NUMBER, true, "received by the router" },
	{ "rx_bytes", "rx bytes", COL_BYTES, true, "received, without FCS" },
	{ "tx_packets", "tx packets", COL_NUMBER, true, "sent by the router" },
	{ "tx_bytes", "tx bytes", COL_BYTES, true, "sent, without FCS" },
	{ "drops", "drops", COL_NUMBER, true, "could not be sent" },
	{ 0 },
};

static json_t *addresses_json(const struct link *l)
{
	json_t *all = json_array();
	char text[PREFIX_STRLEN];

	for (const struct link_addr *a = l ? l->addrs : NULL; a; a = a->next)
		json_array_append_new(all, json_string(prefix_format(&a->a.local, text)));
	return all;
}

static void port_counters(const struct router *r, struct row *row, unsigned port)
{
	uint64_t rxp = 0, rxb = 0, txp = 0, txb = 0, drops = 0;

	for (unsigned w = 0; w < r->nworkers; w++) {
		const struct dp_counters *n = r->worker[w]->count;

		rxp += counter_read(&n->port[port].rx_packets);
		rxb += counter_read(&n->port[port].rx_bytes);
		txp += counter_read(&n->port[port].tx_packets);
		txb += counter_read(&n->port[port].tx_bytes);
		drops += counter_read(&n->port[port].drops);
	}
	row_unsigned(row, "rx_packets", rxp);
	row_unsigned(row, "rx_bytes", rxb);
	row_unsigned(row, "tx_packets", txp);
	row_unsigned(row, "tx_bytes", txb);
	row_unsigned(row, "drops", drops);
}

static void vlan_counters(const struct router *r, struct row *row, unsigned iface)
{
	uint64_t rxp = 0, rxb = 0, txp = 0, txb = 0;

	for (unsigned w = 0; w < r->nworkers; w++) {
		const struct dp_counters *n = r->worker[w]->count;

		rxp += counter_read(&n->vlan[iface].rx_packets);
		rxb += counter_read(&n->vlan[iface].rx_bytes);
		txp += counter_read(&n->vlan[iface].tx_packets);
		txb += counter_read(&n->vlan[iface].tx_bytes);
	}
	row_unsigned(row, "rx_packets", rxp);
	row_unsigned(row, "rx_bytes", rxb);
	row_unsigned(row, "tx_packets", txp);
	row_unsigned(row, "tx_bytes", txb);
}

static void link_columns(struct row *row, const struct link *l)
{
	char mac[MAC_STRLEN];

	row_text(row, "netdev", l->l.name);
	row_number(row, "ifindex", l->l.ifindex);
	row_unsigned(row, "mtu", l->l.mtu);
	if (l->l.has_mac)
		row_text(row, "mac", mac_format(l->l.mac, mac));
	row_json(row, "addresses", addresses_json(l), NULL);
}

static const char *link_state(const struct link *l)
{
	if (!(l->l.flags & IFF_UP))
		return "down";
	return l->l.flags & (IFF_RUNNING | LOWER_UP) ? "up" : "no-carrier";
}

static void port_row(struct router *r, unsigned i, struct command_ctx *c)
{
	const struct port *p = &r->ports[i];
	const struct link *l = state_link(r->state, p->ifindex);
	struct row *row = command_row(c);

	row_text(row, "name", p->conf.name);
	row_text(row, "state",
		 p->state == PORT_OPEN && l ? link_state(l) : port_state_names[p->state]);
	if (l)
		link_columns(row, l);
	row_text(row, "on_failure", p->conf.fail_pass ? "pass" : "drop");
	if (p->state == PORT_OPEN) {
		row_text(row, "mode", xsk_mode_names[p->xsk->queue[0]->mode]);
		row_text(row, "why", p->xsk->queue[0]->why[0] ? p->xsk->queue[0]->why : NULL);
		row_unsigned(row, "queues", p->queues);
	} else if (p->why[0]) {
		row_text(row, "why", p->why);
	}
	port_counters(r, row, i);
}

static void vlan_row(struct router *r, const struct link *l, struct command_ctx *c)
{
	struct row *row = command_row(c);

	row_text(row, "name", l->l.name);
	row_text(row, "state", link_state(l));
	row_text(row, "mode", "vlan");
	link_columns(row, l);
	vlan_counters(r, row, l->iface);
}

int show_interfaces(struct router *r, const struct request *q, struct cursor *cur,
		    struct command_ctx *c)
{
	(void)q;
	(void)cur;
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (r->ports[i].state != PORT_FREE)
			port_row(r, i, c);
	for (const struct link *l = r->state->links; l; l = l->next)
		if (l->iface != IFACE_NONE && l->port == IFACE_NONE)
			vlan_row(r, l, c);
	return COMMAND_DONE;
}

/* ---- routes */

const struct column show_routes_columns[] = {
	{ "dst", "destination", COL_TEXT, false, "prefix" },
	{ "nexthops", "next hops", COL_JSON, false, "via, dev, weight, state of each" },
	{ "type", "type", COL_TEXT, false, "unicast, local, blackhole ..." },
	{ "protocol", "protocol", COL_TEXT, false, "who made it" },
	{ "metric", "metric", COL_NUMBER, false, "lower is better" },
	{ "table", "table", COL_TEXT, false, "routing table" },
	{ "state", "state", COL_TEXT, false, "active, or why packets do not take it" },
	{ "nhid", NULL, COL_NUMBER, false, "nexthop object" },
	{ 0 },
};

static const char *const route_types[] = {
	[RTN_UNSPEC] = "unspec",
	[RTN_UNICAST] = "unicast",
	[RTN_LOCAL] = "local",
	[RTN_BROADCAST] = "broadcast",
	[RTN_ANYCAST] = "anycast",
	[RTN_MULTICAST] = "multicast",
	[RTN_BLACKHOLE] = "blackhole",
	[RTN_UNREACHABLE] = "unreachable",
	[RTN_PROHIBIT] = "prohibit",
	[RTN_THROW] = "throw",
	[RTN_NAT] = "nat",
	[RTN_XRESOLVE] = "xresolve",
};

static const struct {
	uint8_t value;
	const char *name;
} protocols[] = {
	{ RTPROT_REDIRECT, "redirect" },
	{ RTPROT_KERNEL, "kernel" },
	{ RTPROT_BOOT, "boot" },
	{ RTPROT_STATIC, "static" },
	{ RTPROT_RA, "ra" },
	{ RTPROT_ZEBRA, "zebra" },
	{ RTPROT_BIRD, "bird" },
	{ RTPROT_DHCP, "dhcp" },
	{ RTPROT_KEEPALIVED, "keepalived" },
	{ RTPROT_BABEL, "babel" },
	{ RTPROT_BGP, "bgp" },
	{ RTPROT_ISIS, "isis" },
	{ RTPROT_OSPF, "ospf" },
	{ RTPROT_RIP, "rip" },
	{ RTPROT_EIGRP, "eigrp" },
	{ 196, "static" /* FRR */ },
	{ NETLINK_PROTO, "router" },
};

void row_protocol(struct row *row, uint8_t p)
{
	for (unsigned i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		if (protocols[i].value == p) {
			row_text(row, "protocol", protocols[i].name);
			return;
		}
	}
	row_textf(row, "protocol", "%u", p);
}

static void row_table(const struct router *r, struct row *row, uint32_t table)
{
	char text[TABLE_STRLEN];

	row_text(row, "table", table_text(r, table, text));
}

static json_t *hops_json(const struct state *s, const struct path *p, char *text, size_t size)
{
	json_t *all = json_array();
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < p->nhops; i++) {
		const struct path_hop *h = &p->hops[i];
		const struct link *l = state_link(s, h->hop.ifindex);
		const char *state = show_hop_state(s, &h->hop);
		char via[ADDR_STRLEN] = "";
		json_t *one = json_object();

		if (h->hop.via.family)
			addr_format(&h->hop.via, via);
		json_object_set_new(one, "via", via[0] ? json_string(via) : json_null());
		json_object_set_new(one, "dev", l ? json_string(l->l.name) : json_null());
		json_object_set_new(one, "weight", json_integer(h->hop.weight));
		json_object_set_new(one, "state", json_string(state));
		json_array_append_new(all, one);
		if (n < size)
			n += (size_t)snprintf(text + n, size - n, "%s%s%s%sdev %s", n ? ", " : "",
					      via[0] ? "via " : "", via, via[0] ? " " : "",
					      l ? l->l.name : "?");
		if (p->nhops > 1 && n < size)
			n += (size_t)snprintf(text + n, size - n, " weight %u", h->hop.weight);
		if (p->type == RTN_UNICAST && !show_hop_works(state) && n < size)
			n += (size_t)snprintf(text + n, size - n, " (%s)", state);
	}
	return all;
}

/* Types of later kernels, and of very old ones: packets that match are dropped. */
static bool is_understood(uint8_t type)
{
	return type > RTN_UNSPEC && type <= RTN_THROW;
}

static bool has_encap(const struct path *p)
{
	for (unsigned i = 0; i < p->nhops; i++)
		if (p->hops[i].hop.encap)
			return true;
	return false;
}

/* Linux has more next hops than we take. */
static bool is_truncated(const struct state *s, const struct path *p)
{
	const struct nexthop_object *o = p->nhid ? object_find(s, p->nhid) : NULL;

	return p->truncated || (o && o->n.truncated);
}

static const char *route_state(const struct state *s, const struct route *r)
{
	static const char *const unused[] = { [ROUTE_NO_TABLE] = "no-table",
					      [ROUTE_BY_TOS] = "by-tos",
					      [ROUTE_SHADOWED] = "shadowed",
					      [ROUTE_NO_ROOM] = "fib-full" };
	const struct nh *n = s->nht.slot[r->path->slot];
	enum route_use use = state_route_use(s, r);

	if (use != ROUTE_USED)
		return unused[use];
	if (!is_understood(r->type))
		return "not-understood";
	if (n->type == NH_FOREIGN)
		return has_encap(r->path) ? "encap" : "not-ours";
	if (n->type == NH_DOWN)
		return "down";
	return is_truncated(s, r->path) ? "truncated" : "active";
}

static void route_row(const struct router *router, const struct route *r, struct command_ctx *c)
{
	const struct state *s = router->state;
	struct row *row = command_row(c);
	char text[512];
	json_t *hops;

	row_text(row, "dst", prefix_format(&r->dst, text));
	if (r->type < sizeof(route_types) / sizeof(route_types[0]))
		row_text(row, "type", route_types[r->type]);
	else
		row_textf(row, "type", "%u", r->type);
	row_protocol(row, r->protocol);
	row_unsigned(row, "metric", r->metric);
	row_table(router, row, r->table);
	row_text(row, "state", route_state(s, r));
	if (r->path->nhid)
		row_unsigned(row, "nhid", r->path->nhid);
	hops = hops_json(s, r->path, text, sizeof(text));
	row_json(row, "nexthops", hops, text[0] ? text : "-");
}

/* The first route that comes after `serial` in order of arrival. */
static const struct route *route_after(const struct state *s, uint64_t serial)
{
	const struct route *r = s->first;

	while (r && r->serial <= serial)
		r = r->next_all;
	return r;
}

static int show_route_for(const struct router *router, const char *text, uint32_t table,
			  struct command_ctx *c)
{
	const struct route *r;
	struct addr a;

	if (addr_parse(text, &a))
		return command_fail(c, -EINVAL, "\"%s\" is no IP address", text);
	r = state_route_for(router->state, table, &a);
	if (!r)
		return command_fail(c, -ENOENT, "no route to %s", text);
	route_row(router, r, c);
	return COMMAND_DONE;
}

/* arg[0]: table, arg[1]: for. Without a table: main. cur->data points at the next route while none
 * was removed (cur->j) since; else it is found again by its serial number (cur->i). */
int show_routes(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	const struct state *s = r->state;
	const struct route *at;
	uint32_t table = TABLE_MAIN;
	bool all = q->arg[0] && !strcmp(q->arg[0], "all");

	if (q->arg[0] && !all && table_parse(r, q->arg[0], &table))
		return command_fail(c, -EINVAL,
				    "\"%s\" is no table: main, local, all, a name of the "
				    "configuration or a number",
				    q->arg[0]);
	if (q->arg[1])
		return show_route_for(r, q->arg[1], table, c);
	at = cur->k && cur->j == s->removals ? (const struct route *)(uintptr_t)cur->k
					     : route_after(s, cur->i);
	for (unsigned n = 0; at; at = at->next_all) {
		if (n == ROWS_A_CALL) {
			cur->k = (uintptr_t)at;
			cur->j = s->removals;
			return COMMAND_MORE;
		}
		cur->i = at->serial;
		if (!all && at->table != table)
			continue;
		route_row(r, at, c);
		n++;
	}
	return COMMAND_DONE;
}

/* ---- neighbours */

const struct column show_neighbours_columns[] = {
	{ "ip", "address", COL_TEXT, false, "of the neighbour" },
	{ "dev", "dev", COL_TEXT, false, "interface" },
	{ "mac", "mac", COL_TEXT, false, "address" },
	{ "state", "state", COL_TEXT, false, "as Linux says" },
	{ "gateway", "gateway", COL_BOOL, false, "routes lead over it" },
	{ 0 },
};

static const char *nud_name(const struct adj *a)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} names[] = { { NUD_PERMANENT, "permanent" }, { NUD_REACHABLE, "reachable" },
		      { NUD_STALE, "stale" },	      { NUD_DELAY, "delay" },
		      { NUD_PROBE, "probe" },	      { NUD_FAILED, "failed" },
		      { NUD_NOARP, "noarp" },	      { NUD_INCOMPLETE, "incomplete" } };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (a->nud & names[i].bit)
			return names[i].name;
	return "none";
}

/* A walk by hash bucket: what is added or removed meanwhile may be missed or seen, others are seen
 * once unless the table grows. */
int show_neighbours(struct router *r, const struct request *q, struct cursor *cur,
		    struct command_ctx *c)
{
	const struct table *t = &r->state->adjs;

	(void)q;
	for (unsigned n = 0; cur->i <= t->mask; cur->i++) {
		if (n >= ROWS_A_CALL)
			return COMMAND_MORE;
		for (struct table_node *x = t->bucket[cur->i]; x; x = x->next) {
			const struct adj *a = table_entry(x, struct adj, node);
			const struct link *l = state_link(r->state, a->ifindex);
			struct row *row = command_row(c);
			char text[ADDR_STRLEN];

			row_text(row, "ip", addr_format(&a->addr, text));
			row_text(row, "dev", l ? l->l.name : NULL);
			row_text(row, "mac", a->has_mac ? mac_format(a->mac, text) : NULL);
			row_text(row, "state", nud_name(a));
			row_bool(row, "gateway", a->refs > 0);
			n++;
		}
	}
	return COMMAND_DONE;
}

/* ---- xdp */

const struct column show_xdp_columns[] = {
	{ "name", "name", COL_TEXT, false, "interface" },
	{ "attached", "attached", COL_TEXT, false, "native or generic" },
	{ "queue", "queue", COL_NUMBER, false, "number" },
	{ "mode", "mode", COL_TEXT, false, "what the kernel gave" },
	{ "why", "why not better", COL_TEXT, false, "reason for the mode" },
	{ "on_failure", "on failure", COL_TEXT, false, "drop, or pass: Linux stands in" },
	{ "posted", "posted", COL_NUMBER, true, "frames waiting to be filled" },
	{ "sent", "in flight", COL_NUMBER, true, "frames being sent" },
	{ "kicks", "kicks", COL_NUMBER, true, "sendto calls" },
	{ "strays", "strays", COL_NUMBER, true,
	  "frames given back that the driver had not got: 0" },
	{ "verdicts", "verdicts", COL_JSON, true, "of the XDP program, for the whole port" },
	{ 0 },
};

static void row_verdicts(struct row *row, const struct steer_port *p)
{
	uint64_t n[STEER__COUNT] = { 0 };
	json_t *o = json_object();
	char text[512] = "";
	size_t len = 0;

	steer_port_counters(p, n);
	for (unsigned i = 0; i < STEER__COUNT; i++) {
		json_object_set_new(o, steer_verdict_info[i].name, json_integer((json_int_t)n[i]));
		if (n[i] && len < sizeof(text))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %" PRIu64,
						len ? ", " : "", steer_verdict_info[i].name, n[i]);
	}
	row_json(row, "verdicts", o, text);
}

int show_xdp(struct router *r, const struct request *q, struct cursor *cur, struct command_ctx *c)
{
	(void)q;
	(void)cur;
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		const struct port *p = &r->ports[i];

		for (unsigned k = 0; p->state == PORT_OPEN && k < p->xsk->nqueues; k++) {
			const struct xsk_queue *x = p->xsk->queue[k];
			struct row *row = command_row(c);

			row_text(row, "name", p->conf.name);
			row_text(row, "attached", p->steer ? steer_port_mode(p->steer) : NULL);
			row_unsigned(row, "queue", k);
			row_text(row, "mode", xsk_mode_names[x->mode]);
			row_text(row, "why", x->why[0] ? x->why : NULL);
			row_text(row, "on_failure", p->conf.fail_pass ? "pass" : "drop");
			row_unsigned(row, "posted",
				     counter_read(&x->posted) - counter_read(&x->received));
			row_unsigned(row, "sent",
				     counter_read(&x->sent) - counter_read(&x->completed));
			row_unsigned(row, "kicks", counter_read(&x->kicks));
			row_unsigned(row, "strays", counter_read(&x->strays));
			if (p->steer)
				row_verdicts(row, p->steer);
		}
	}
	return COMMAND_DONE;
}
