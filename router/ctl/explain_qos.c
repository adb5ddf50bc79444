/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What shaping does to an imaginary packet; see explain_internal.h. Its way is that of a real one
 * in router/shape.c: filters where it comes in, which may end it there, and the tree behind them;
 * filters and tree where it leaves. Filters are asked in earnest but dry: no token is taken,
 * nothing counted, mirrored or queued. What they write goes to the imaginary frame.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "router/ctl/explain_internal.h"
#include "router/ctl/flow_text.h"
#include "router/net/l4.h"
#include "router/net/qdisc/classify.h"
#include "router/net/qdisc/qdisc.h"

/* ---- filters */

struct listener {
	struct explain *e;
	const struct tc_filters *filters;
	const char *place;
};

static const char *colour_text(uint8_t policed)
{
	switch (policed) {
	case 1 + POLICE_GREEN: return "; by now it conforms";
	case 1 + POLICE_YELLOW: return "; by now it exceeds";
	case 1 + POLICE_RED: return "; by now it violates";
	default: return "";
	}
}

/* A filter that matches. */
static void say(void *arg, const struct tc_packet *x, unsigned number)
{
	const struct listener *l = arg;
	struct tc_filter_info f;
	struct row *row;
	char line[24] = "", match[200] = "";

	if (!tc_filter_info(l->filters, number, &f))
		return;
	if (f.line)
		snprintf(line, sizeof(line), " (line %u)", f.line);
	if (f.match[0])
		snprintf(match, sizeof(match), ", %s", f.match);
	row = explain_step(l->e, "qos", "%s: filter%s%s%s%s%s: %s%s", l->place,
			   f.name[0] ? " \"" : "", f.name, f.name[0] ? "\"" : "", line, match,
			   f.action, colour_text(x->policed));
	row_text(row, "rule", f.name[0] ? f.name : NULL);
	if (f.line)
		row_unsigned(row, "line", f.line);
	row_text(row, "file", f.file && f.file[0] ? f.file : NULL);
}

static enum tc_verdict ask(struct explain *e, const struct tc_filters *filters, const char *place,
			   struct tc_packet *x)
{
	struct listener l = { e, filters, place };
	enum tc_verdict v;

	x->m.dry = true;
	x->say = say;
	x->arg = &l;
	v = tc_classify(filters, &e->dp, x);
	x->say = NULL;
	x->arg = NULL;
	return v;
}

/* What a packet is filed under after filters were asked, and on whose word. */
static void file(const struct tc_filters *filters, const struct tc_packet *x,
		 struct explain_filed *f)
{
	struct tc_filter_info info;

	*f = (struct explain_filed){ .cls = x->cls, .priority = x->priority };
	if (x->cls == QCLASS_NONE)
		return;
	if (!tc_filter_info(filters, x->filter, &info))
		snprintf(f->why, sizeof(f->why), "%s",
			 CONF_MAJOR(x->priority) ? "by its priority" : "the default");
	else if (info.line)
		snprintf(f->why, sizeof(f->why), "by the filter in line %u", info.line);
	else
		snprintf(f->why, sizeof(f->why), "by a filter");
}

/* ---- frames that are not routed */

/* The frame there is, as it comes in (out 0) or leaves by a port. */
static void view_frame(struct explain *e, uint32_t len, uint16_t out, uint32_t mark,
		       struct tc_packet *x)
{
	uint16_t in = e->dp.cfg->port_iface[e->dp.rx_port];
	struct pkt p;

	*x = (struct tc_packet){ .frame = e->frame, .len = len, .cls = QCLASS_NONE };
	if (in != IFACE_NONE && shape_parse(e->frame, len, &p)) {
		p.iface = in;
		shape_view(&e->dp, &p, 0, x);
		x->l3 = p.l2len;
	}
	x->m.in = in == IFACE_NONE ? 0 : e->dp.cfg->iface[in].name_id;
	x->m.out = out;
	x->m.mark = mark;
	x->m.now = e->dp.now;
}

static uint16_t name_of_port(const struct explain *e, unsigned port)
{
	uint16_t index = e->dp.cfg->port_iface[port];

	return index == IFACE_NONE ? 0 : e->dp.cfg->iface[index].name_id;
}

/* Filters have said that the frame goes elsewhere, and those there are asked in turn. */
static void redirect(struct explain *e, const struct tc_packet *by, struct explain_end *end)
{
	struct tc_packet x = *by;

	for (unsigned i = 0; i < SHAPE_REDIRECTS; i++) {
		unsigned port = x.port;
		const struct qos_port *at = &e->dp.qos->port[port];
		const char *name = e->r->ports[port].conf.name;
		enum tc_verdict v = TC_SEND;
		char place[CONF_NAME + 16];
		struct explain_filed f;

		*end = (struct explain_end){ DROP__COUNT, name, true };
		view_frame(e, x.len, name_of_port(e, port), x.m.mark, &x);
		snprintf(place, sizeof(place), "egress of %s", name);
		if (e->dp.qos->shaped >> port & 1)
			v = ask(e, at->out, place, &x);
		if (v == TC_DROPPED)
			end->drop = x.drop;
		if (v == TC_SEND && at->egress) {
			file(at->out, &x, &f);
			explain_tree(e, port, QOS_EGRESS, &f);
		}
		if (v != TC_REDIRECTED)
			return;
	}
	end->drop = DROP_TC_LOOP;
}

/* ---- the way in */

/* The end of a packet that filters of ingress have taken. */
static void taken(struct explain *e, enum tc_verdict v, const struct tc_packet *x)
{
	struct explain_end end = { .drop = x->drop };

	if (v == TC_REDIRECTED)
		redirect(e, x, &end);
	explain_gone(e, &end);
}

/* What filters wrote to the headers is so from now on. */
static void follow(struct explain *e)
{
	struct explain_packet *k = &e->packet;
	const struct pkt *p = &e->p;

	if (p->flags & PKT_IP6) {
		k->src = addr_v6(pkt_ip6(p)->src);
		k->dst = addr_v6(pkt_ip6(p)->dst);
		k->ttl = pkt_ip6(p)->hops;
		k->dscp = (uint8_t)(p->l3[0] << 4 | p->l3[1] >> 4) >> 2;
	} else {
		k->src = addr_v4(pkt_ip4(p)->src);
		k->dst = addr_v4(pkt_ip4(p)->dst);
		k->ttl = pkt_ip4(p)->ttl;
		k->dscp = pkt_ip4(p)->tos >> 2;
	}
	if (flow_proto_has_ports(p->proto) && l4_len(p) >= 4) {
		k->sport = ntohs(l4_load16(p->l3 + p->l4));
		k->dport = ntohs(l4_load16(p->l3 + p->l4 + 2));
	}
}

static bool written(struct explain *e, uint32_t len)
{
	uint8_t family = e->p.flags & PKT_IP6;

	if (!explain_take(e, len))
		return false;
	if ((e->p.flags & PKT_IP6) != family) {
		explain_drop(e, DROP_TC_ACTION);
		return false;
	}
	follow(e);
	return true;
}

bool explain_ingress(struct explain *e)
{
	const struct qos *qos = e->dp.qos;
	struct tc_packet x = { .frame = e->frame, .cls = QCLASS_NONE };
	unsigned port = e->dp.rx_port;
	char place[CONF_NAME + 16];
	struct explain_filed f;
	enum tc_verdict v;

	if (!qos || !(qos->ingress >> port & 1))
		return true;
	x.l3 = (uint16_t)(e->p.l3 - e->frame);
	x.len = x.l3 + e->p.len;
	shape_view(&e->dp, &e->p, 0, &x);
	snprintf(place, sizeof(place), "ingress of %s", e->r->ports[port].conf.name);
	v = ask(e, qos->port[port].in, place, &x);
	if (v != TC_SEND) {
		taken(e, v, &x);
		return false;
	}
	if (qos->port[port].ifb) {
		file(qos->port[port].in, &x, &f);
		explain_tree(e, port, QOS_IFB, &f);
	}
	e->mark = e->p.mark = x.m.mark;
	return !x.rewritten || written(e, x.len);
}

bool explain_is_whole(const struct explain *e)
{
	return e->dp.qos && e->dp.qos->whole >> e->dp.rx_port & 1;
}

bool explain_whole(struct explain *e)
{
	unsigned port = e->dp.rx_port;
	const char *name = e->r->ports[port].conf.name;
	char place[CONF_NAME + 16];
	struct tc_packet x;
	enum tc_verdict v;

	view_frame(e, explain_frame_in(e), 0, 0, &x);
	snprintf(place, sizeof(place), "ingress of %s", name);
	v = ask(e, e->dp.qos->port[port].in, place, &x);
	if (v == TC_REDIRECTED)
		explain_step(e, "qos", "%s is cross-connected to %s: the whole port", name,
			     e->r->ports[x.port].conf.name);
	if (v == TC_SEND)
		return true;
	taken(e, v, &x);
	return false;
}

/* ---- the way out */

/* The packet as it is to be sent, by what is known of its way. Returns the length of its frame. */
static uint32_t leaving(struct explain *e, const struct nh *n)
{
	const struct dp_iface *out = &e->dp.cfg->iface[n->iface];
	const struct explain_way *w = &e->way;
	struct explain_link l = { .vid = out->vid, .vlan_proto = out->vlan_proto };
	struct explain_packet k = e->packet;
	uint16_t in = e->p.iface;
	uint32_t len;

	if (w->tracked && k.src.family == AF_INET6) {
		k.src = addr_v6(w->leaves.src);
		k.dst = addr_v6(w->leaves.dst);
	} else if (w->tracked) {
		memcpy(&k.src.v4, w->leaves.src, 4);
		memcpy(&k.dst.v4, w->leaves.dst, 4);
	}
	if (w->tracked && l4_nat_ports(k.proto)) {
		k.sport = ntohs(w->leaves.sport);
		k.dport = ntohs(w->leaves.dport);
	} else if (w->tracked && (k.proto == IPPROTO_ICMP || k.proto == IPPROTO_ICMPV6)) {
		k.sport = ntohs(w->leaves.sport);
	}
	if (w->has_dscp)
		k.dscp = w->dscp;
	k.ttl--;
	len = explain_frame(&k, &l, e->frame);
	if (n->type != NH_GLEAN && n->state == NH_RESOLVED)
		memcpy(e->frame, n->l2, n->hlen - 2u); /* all but what it carries */
	shape_parse(e->frame, len, &e->p);
	e->p.iface = in;
	e->p.mark = w->mark;
	return len;
}

static void view_leaving(struct explain *e, const struct nh *n, struct tc_packet *x)
{
	const struct explain_way *w = &e->way;

	*x = (struct tc_packet){ .frame = e->frame, .len = leaving(e, n), .cls = QCLASS_NONE };
	x->l3 = e->p.l2len;
	shape_view(&e->dp, &e->p, e->dp.cfg->iface[n->iface].name_id, x);
	if (!w->tracked)
		return;
	x->m.key = w->arrives;
	memcpy(x->m.key.dst, w->leaves.dst, sizeof(x->m.key.dst));
	x->m.key.dport = w->leaves.dport;
	x->m.ct = w->ct;
	x->m.status = w->status;
}

/* False: filters have taken it. */
static bool file_leaving(struct explain *e, const struct nh *n, unsigned port,
			 struct explain_filed *f, struct explain_end *end)
{
	const struct qos_port *at = &e->dp.qos->port[port];
	char place[CONF_NAME + 16];
	struct tc_packet x;
	enum tc_verdict v;
	uint32_t cls;

	view_leaving(e, n, &x);
	if (e->way.flow != PKT_NO_FLOW && shape_remembers(e->dp.qos, e->way.flow, port, &cls)) {
		*f = (struct explain_filed){ .cls = cls, .priority = x.priority };
		snprintf(f->why, sizeof(f->why), "as its flow remembers");
		return true;
	}
	snprintf(place, sizeof(place), "egress of %s", e->r->ports[port].conf.name);
	v = ask(e, at->out, place, &x);
	if (v == TC_SEND)
		file(at->out, &x, f);
	else if (v == TC_DROPPED)
		end->drop = x.drop;
	else
		redirect(e, &x, end);
	return v == TC_SEND;
}

void explain_egress(struct explain *e, const struct nh *n, struct explain_end *end)
{
	unsigned port = e->dp.cfg->iface[n->iface].port;
	struct explain_filed f;

	*end = (struct explain_end){ DROP__COUNT, explain_iface(e, n->iface), false };
	if (!e->dp.qos || !(e->dp.qos->shaped >> port & 1))
		return;
	if (file_leaving(e, n, port, &f, end) && e->dp.qos->port[port].egress)
		explain_tree(e, port, QOS_EGRESS, &f);
}
