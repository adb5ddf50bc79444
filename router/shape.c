// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See shape.h. Filters see a packet as netfilter's forward hook does, also on its way out: with the
 * source it came with, and the destination it goes to, so that a host behind NAT is known by its
 * own address in both directions. Of a flow that is one look at its record; what they say is
 * remembered beside it, unless they say that another packet of it may fare otherwise.
 */
#include "router/shape.h"

#include <string.h>

#include "router/flows.h"
#include "router/flows_internal.h"
#include "router/forward.h"
#include "router/net/ct.h"
#include "router/net/parse.h"
#include "router/net/policy.h"
#include "router/net/qdisc/classify.h"
#include "router/net/route.h"
#include "router/net/unfinished.h"
#include "router/pipeline.h"
#include "router/shaper.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define PORT_SHIFT    26 /* of struct flow_class.cls: port above, then class + 2, 1: none */
#define CLASS_UNKNOWN 0u
#define CLASS_NOTHING 1u

static_assert(PORTS_MAX <= 1u << (32 - PORT_SHIFT), "a port fits above");

/* ---- what a flow's packets are filed under */

static inline struct flow_class *class_of_flow(const struct dp *dp, const struct pkt *p)
{
	return p->flow == PKT_NO_FLOW || p->flags & PKT_RELATED || !dp->qos->flow_class
		       ? NULL
		       : &dp->qos->flow_class[p->flow & ~(1u << 31)];
}

static uint32_t class_pack(unsigned port, uint32_t cls)
{
	return (uint32_t)port << PORT_SHIFT | (cls == QCLASS_NONE ? CLASS_NOTHING : cls + 2);
}

/* False: filters are to be asked. */
static inline bool class_known(uint32_t packed, unsigned port, uint32_t *cls)
{
	uint32_t low = packed & ((1u << PORT_SHIFT) - 1);

	if (packed >> PORT_SHIFT != port || low == CLASS_UNKNOWN)
		return false;
	*cls = low == CLASS_NOTHING ? QCLASS_NONE : low - 2;
	return true;
}

bool shape_remembers(const struct qos *qos, uint32_t flow, unsigned port, uint32_t *cls)
{
	const struct flow_class *c = qos->flow_class ? &qos->flow_class[flow & ~(1u << 31)] : NULL;

	return c && class_known(__atomic_load_n(&c->cls[flow >> 31], __ATOMIC_RELAXED), port, cls);
}

/* ---- into a tree */

/* As Linux makes skb->priority of the TOS byte of what it forwards (ip_tos2prio), where ECN's bits
 * play no part; of IPv6 the same, which Linux leaves at 0. */
static uint32_t priority_of(uint8_t tos)
{
	static const uint8_t table[16] = { 0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4 };

	return table[tos >> 1 & 15];
}

static uint8_t tos_of(const uint8_t *ip)
{
	return ip[0] >> 4 == 6 ? (uint8_t)(ip[0] << 4 | ip[1] >> 4) : ip[1];
}

/* Keyed by where the record lies, which nobody outside can choose. */
static inline uint32_t flow_hash(uint32_t flow)
{
	uint64_t h = (uint64_t)flow * 0x9e3779b97f4a7c15ull;

	return (uint32_t)(h >> 32);
}

static void give(struct dp *dp, struct shaper *s, struct qpkt *q)
{
	unsigned owner = shaper_give(s, dp, q);

	if (owner != dp->worker)
		dp->handed |= 1ull << owner;
}

static struct qpkt *queued(struct dp *dp, uint8_t *frame, uint32_t len, unsigned port, uint16_t l3)
{
	struct qpkt *q = qpkt_of(dp, (uint64_t)(frame - dp->base));

	q->addr = (uint64_t)(frame - dp->base);
	q->len = (uint16_t)len;
	q->frame_len = (uint16_t)(len < FRAME_MIN ? FRAME_MIN : len);
	q->l3 = (uint8_t)l3;
	q->port = (uint16_t)port;
	return q;
}

/* Short frames have been padded. */
static void send_frame(struct dp *dp, unsigned port, const uint8_t *frame, uint32_t len)
{
	dp_send(dp, port, frame, len < FRAME_MIN ? FRAME_MIN : len);
}

static void frame_drop(struct dp *dp, const uint8_t *frame, enum drop_reason why)
{
	counter_add(&dp->count->drop[why], 1);
	dp->free(dp, frame);
}

/* ---- what filters see */

/* The flow of a packet that has been translated already, or has waited since: by how it leaves. */
static uint32_t flow_again(const struct dp *dp, struct pkt *p)
{
	struct flow_key left, reply;
	enum flow_dir dir;
	uint32_t index;
	uint16_t quoted;

	if (!dp->st || p->flags & PKT_LATER_FRAG || !is_iface(dp, p->iface) ||
	    ct_classify(p, dp->cfg->iface[p->iface].zone, &left, &quoted) != CT_FLOW)
		return PKT_NO_FLOW;
	ct_reply_key(&left, &reply);
	index = flow_lookup(dp->st->flows, &reply, dp->tick, &dir);
	return index == FLOW_NONE ? PKT_NO_FLOW : shape_flow(index, !dir);
}

/* What is known of p by a flow: its tuple, or that of an error about it, which has left the source
 * of its own behind if it was translated. */
static void key_of_flow(const struct dp *dp, const struct pkt *p, uint32_t flow,
			struct flow_key *key, struct match_packet *m)
{
	uint32_t index = flow & ~(1u << 31), state;
	enum flow_dir dir = (enum flow_dir)(flow >> 31);
	struct flow_key arrives, other, leaves;

	flow_key(dp->st->flows, index, dir, &arrives);
	flow_key(dp->st->flows, index, !dir, &other);
	ct_reply_key(&other, &leaves);
	state = flow_state(flow_at(dp->st->flows, index));
	m->status = passage_status(state);
	if (p->flags & PKT_RELATED) {
		flows_outer_key(p, 0, key);
		if (memcmp(arrives.src, leaves.src, sizeof(leaves.src)) != 0)
			memcpy(key->src, arrives.src, sizeof(key->src));
		m->ct = CONF_CT_RELATED;
		return;
	}
	*key = arrives;
	memcpy(key->dst, leaves.dst, sizeof(key->dst));
	key->dport = leaves.dport;
	m->ct = state & FLOW_REPLIED || dir == FLOW_REPLY ? CONF_CT_ESTABLISHED : CONF_CT_NEW;
}

void shape_view(const struct dp *dp, struct pkt *p, uint16_t out, struct tc_packet *x)
{
	uint32_t flow = p->flow;
	struct match_packet state = { 0 };
	struct flow_key key;

	if (!p->l4)
		parse_transport(p); /* of a sane packet: it was let through */
	if (flow == PKT_NO_FLOW && p->flags & PKT_TRANSLATED)
		flow = flow_again(dp, p);
	if (flow != PKT_NO_FLOW)
		key_of_flow(dp, p, flow, &key, &state);
	else
		flows_outer_key(p, 0, &key);
	passage_view(&x->m, dp, p, &key);
	x->m.out = out;
	x->m.ct = state.ct;
	x->m.status = state.status;
	x->priority = priority_of(x->m.tos);
}

/* ---- frames of any kind */

bool shape_parse(uint8_t *frame, uint32_t len, struct pkt *p)
{
	uint32_t at = ETH_HLEN, total;
	uint16_t type;

	memset(p, 0, sizeof(*p));
	pkt_begin(p);
	if (len < ETH_HLEN + IP4_HLEN)
		return false;
	memcpy(&type, frame + 12, 2);
	for (unsigned i = 0; i < 2 && (type == htons(0x8100) || type == htons(0x88a8)); i++) {
		memcpy(&type, frame + at + 2, 2);
		at += VLAN_HLEN;
		if (len < at + IP4_HLEN)
			return false;
	}
	p->l3 = frame + at;
	p->l2len = (uint16_t)at;
	if (type == htons(0x0800)) {
		total = ntohs(pkt_ip4(p)->len);
		if (p->l3[0] >> 4 != 4 || (p->l3[0] & 15) < 5 || total < (p->l3[0] & 15) * 4u)
			return false;
	} else if (type == htons(0x86dd) && len >= at + IP6_HLEN && p->l3[0] >> 4 == 6) {
		total = IP6_HLEN + ntohs(pkt_ip6(p)->plen);
		p->flags = PKT_IP6;
	} else {
		return false;
	}
	p->len = (uint16_t)total;
	return total <= len - at && total <= UINT16_MAX && parse_transport(p);
}

/* What rules call a port. */
static uint16_t name_of_port(const struct dp *dp, unsigned port)
{
	uint16_t index = dp->cfg->port_iface[port];

	return is_iface(dp, index) ? dp->cfg->iface[index].name_id : 0;
}

static void frame_out(struct dp *dp, unsigned port, uint8_t *frame, uint32_t len, uint32_t mark);

/* What filters of a place say. False: the frame has been taken. */
static bool ask(struct dp *dp, const struct tc_filters *f, struct tc_packet *x)
{
	switch (tc_classify(f, dp, x)) {
	case TC_SEND: return true;
	case TC_DROPPED: frame_drop(dp, x->frame, x->drop); return false;
	case TC_REDIRECTED: frame_out(dp, x->port, x->frame, x->len, x->m.mark); return false;
	}
	return true;
}

/* A frame leaves that was not routed: redirected, or a copy. Any ethertype. */
static void frame_out(struct dp *dp, unsigned port, uint8_t *frame, uint32_t len, uint32_t mark)
{
	struct tc_packet x = { .frame = frame, .len = len, .cls = QCLASS_NONE };
	const struct qos_port *at = &dp->qos->port[port];
	struct qpkt *q;
	struct pkt p;

	if (dp->tc_depth == SHAPE_REDIRECTS) {
		frame_drop(dp, frame, DROP_TC_LOOP);
		return;
	}
	if (len < FRAME_MIN)
		memset(frame + len, 0, FRAME_MIN - len);
	if (!(dp->shaped >> port & 1)) {
		send_frame(dp, port, frame, len);
		return;
	}
	if (shape_parse(frame, len, &p) && is_iface(dp, dp->cfg->port_iface[dp->rx_port])) {
		p.iface = dp->cfg->port_iface[dp->rx_port];
		shape_view(dp, &p, 0, &x);
		x.l3 = p.l2len;
	}
	x.m.in = name_of_port(dp, dp->rx_port);
	x.m.out = name_of_port(dp, port);
	x.m.mark = mark;
	x.m.now = dp->now;
	x.m.worker = dp->worker;
	dp->tc_depth++;
	if (at->out && !ask(dp, at->out, &x)) {
		dp->tc_depth--;
		return;
	}
	dp->tc_depth--;
	if (!at->egress) {
		send_frame(dp, port, frame, len);
		return;
	}
	q = queued(dp, frame, len, port, x.l3);
	q->cls = x.cls;
	q->priority = x.priority;
	q->mark = x.m.mark;
	q->hash = x.l3 ? route_hash(dp, &p) : 0;
	give(dp, at->egress, q);
}

void shape_mirror(struct dp *dp, unsigned port, const uint8_t *frame, uint32_t len)
{
	uint8_t *copy = dp->alloc(dp);

	if (!copy) {
		dp_event(dp, EVENT_MIRROR_LOST);
		return;
	}
	if (len > dp_room(dp, copy))
		len = dp_room(dp, copy);
	memcpy(copy, frame, len);
	counter_add(&dp->count->generated, 1);
	frame_out(dp, port, copy, len, 0);
}

/* ---- the way out */

/* Filters are asked. False: the packet has been taken. */
static bool classify(struct dp *dp, struct pkt *p, uint16_t iface, unsigned port, uint8_t *frame,
		     uint32_t len, struct qpkt *q)
{
	const struct qos_port *at = &dp->qos->port[port];
	struct flow_class *c = class_of_flow(dp, p);
	struct tc_packet x = { .frame = frame, .len = len, .cls = QCLASS_NONE };

	if (c)
		p->mark = c->mark[p->flow >> 31];
	x.l3 = (uint16_t)(p->l3 - frame);
	shape_view(dp, p, dp->cfg->iface[iface].name_id, &x);
	if (!ask(dp, at->out, &x))
		return false;
	q->cls = x.cls;
	q->priority = x.priority;
	q->mark = x.m.mark;
	if (c && !x.varies)
		c->cls[p->flow >> 31] = class_pack(port, x.cls);
	return true;
}

void shape_emit(struct dp *dp, struct pkt *p, uint16_t iface, unsigned port, uint8_t *frame,
		uint32_t len)
{
	const struct qos_port *at = &dp->qos->port[port];
	struct qpkt *q = queued(dp, frame, len, port, (uint16_t)(p->l3 - frame));
	const struct flow_class *c;

	if (unlikely(p->flow == PKT_FLOW_AGAIN))
		p->flow = flow_again(dp, p);
	c = class_of_flow(dp, p);
	if (c && likely(class_known(c->cls[p->flow >> 31], port, &q->cls))) {
		q->priority = priority_of(tos_of(p->l3));
		q->mark = c->mark[p->flow >> 31];
	} else if (at->out) {
		if (!classify(dp, p, iface, port, frame, len, q))
			return;
	} else {
		q->cls = QCLASS_NONE;
		q->priority = priority_of(tos_of(p->l3));
		q->mark = c ? c->mark[p->flow >> 31] : p->mark;
	}
	if (!at->egress) {
		send_frame(dp, port, frame, len);
		return;
	}
	q->hash = p->flow != PKT_NO_FLOW ? flow_hash(p->flow) : route_hash(dp, p);
	give(dp, at->egress, q);
}

/* ---- the way in */

/* p is a packet that came by dp->rx_port; x->cls: its class in the ifb. */
static void into_ifb(struct dp *dp, struct pkt *p, struct tc_packet *x, struct shaper *ifb)
{
	struct qpkt *q = queued(dp, x->frame, x->len, dp->rx_port, x->l3);

	q->frame_len = (uint16_t)x->len; /* parsed again when it comes out */
	q->cls = x->cls;
	q->priority = x->priority;
	q->mark = x->m.mark;
	q->hash = route_hash(dp, p);
	give(dp, ifb, q);
}

/* It will be parsed again, and parsing counts what VLANs receive. */
static void uncount(struct dp *dp, const struct pkt *p, uint32_t len)
{
	if (!dp->cfg->iface[p->iface].vid)
		return;
	counter_add(&dp->count->vlan[p->iface].rx_packets, -1ull);
	counter_add(&dp->count->vlan[p->iface].rx_bytes, -(uint64_t)len);
}

/* What filters have written to; its options have not been looked at yet. A packet stays of its
 * family: the burst is sorted by it. */
static bool parse_again(struct dp *dp, struct pkt *p, uint8_t *frame, uint32_t len)
{
	uint8_t family = p->flags & PKT_IP6;

	uncount(dp, p, len);
	if (!parse_frame(dp, p, frame, len))
		return false;
	if ((p->flags & PKT_IP6) == family)
		return true;
	pkt_drop(dp, p, DROP_TC_ACTION);
	return false;
}

bool shape_ingress(struct dp *dp, struct pkt *p, uint8_t *frame, uint32_t len)
{
	const struct qos_port *at = &dp->qos->port[dp->rx_port];
	struct tc_packet x = { .frame = frame, .cls = QCLASS_NONE };

	x.len = (uint32_t)(p->l3 - frame) + p->len;
	x.l3 = (uint16_t)(p->l3 - frame);
	shape_view(dp, p, 0, &x);
	if (at->in && !ask(dp, at->in, &x))
		return false;
	if (at->ifb) {
		uncount(dp, p, len);
		into_ifb(dp, p, &x, at->ifb);
		return false;
	}
	if (x.rewritten && !parse_again(dp, p, frame, len))
		return false;
	p->mark = x.m.mark;
	return true;
}

unsigned shape_whole(struct dp *dp, struct dp_frame *frames, unsigned n)
{
	const struct qos_port *at = &dp->qos->port[dp->rx_port];
	uint16_t index = dp->cfg->port_iface[dp->rx_port];
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		struct tc_packet x = { .frame = dp->base + frames[i].addr,
				       .len = frames[i].len,
				       .cls = QCLASS_NONE };
		struct pkt p;

		if (is_iface(dp, index) && shape_parse(x.frame, x.len, &p)) {
			p.iface = index;
			x.l3 = p.l2len;
			if (dp->cfg->iface[index].virtual)
				unfinished_complete(dp, &p);
			shape_view(dp, &p, 0, &x);
		}
		x.m.in = name_of_port(dp, dp->rx_port);
		x.m.now = dp->now;
		x.m.worker = dp->worker;
		if (!at->in || ask(dp, at->in, &x))
			frames[left++] = frames[i];
	}
	return left;
}
