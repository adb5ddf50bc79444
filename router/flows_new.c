/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First packets: the chains once, in Linux's order, then the record; fragments, whose ports another
 * packet knows; and the end of flows.
 *
 * A packet that is dropped on its way leaves no flow, and what was claimed for it is given back. A
 * record is made only when all has been decided, so that a flood of what the rules refuse makes no
 * room for itself in the table. Errors about the packet are sent before anything of it is
 * rewritten.
 */
#include <string.h>

#include "router/flows.h"
#include "router/flows_internal.h"
#include "router/forward.h"
#include "router/net/ct_event.h"
#include "router/net/limit.h"
#include "router/net/siphash.h"
#include "router/shape.h"

#define NAT_TRIES     4
#define EXPIRE_BUDGET 64
#define LOOK_MS	      250

/* A flow in the making. */
struct making {
	struct passage g;
	struct flow_key orig, leaves, reply;
	struct nat_claim claim;
	uint16_t outside_port; /* network order */
	struct nat_hairpin hairpin;
	bool mapped;  /* sent to a mapping, which counts it */
	bool adopted; /* another worker's flow has the tuple */
	uint32_t slot, generation, remembered;
	uint32_t in; /* interface: FLOW_IN */
	const struct nh *n;
};

/* ---- translation */

static struct addr addr_of(const struct flow_key *k, const uint8_t bytes[16])
{
	struct addr a = { .family = k->family };

	memcpy(a.bytes, bytes, k->family == AF_INET6 ? 16 : 4);
	return a;
}

/* False: the packet has been dropped. */
static bool choose_destination(struct dp *dp, struct pkt *p, struct making *m)
{
	const struct nat *nat = dp->policy->nat;
	uint16_t rule;

	if (!nat || !nat_has_destination(nat))
		return true;
	switch (nat_destination(nat, &m->g.m, &rule, &m->hairpin)) {
	case NAT_REFUSED: pkt_drop(dp, p, DROP_NAT_FILTERED); return false;
	case NAT_EXHAUSTED: refuse(dp, p, DROP_NAT_EXHAUSTED, ICMP_ERROR_PROHIBIT, 0); return false;
	case NAT_LOCAL: pkt_drop(dp, p, DROP_LOCAL); return false;
	case NAT_NONE: return true;
	case NAT_DONE: break;
	}
	m->g.m.status |= CONF_STATUS_DNAT;
	m->mapped = !rule;
	if (nat_is_forward(nat, rule))
		m->g.m.status |= CONF_STATUS_FORWARDED;
	return true;
}

/* Fills in how it leaves, and the reply tuple. */
static enum nat_verdict choose_source(struct dp *dp, struct making *m, unsigned attempt)
{
	const struct nat *nat = dp->policy->nat;
	enum nat_verdict v = NAT_NONE;
	struct addr outside;

	m->claim = (struct nat_claim){ .slot = NATPORT_NO_SLOT };
	m->leaves = m->orig;
	memcpy(m->leaves.dst, m->g.m.key.dst, sizeof(m->leaves.dst));
	m->leaves.dport = m->g.m.key.dport;
	m->leaves.sport = m->g.m.key.sport; /* the id of a query is translated with its target */
	if (nat && nat_has_source(nat))
		v = nat_source(nat, &m->g.m, &m->hairpin, attempt,
			       siphash_number(dp->st->secret, ++dp->random), &outside,
			       &m->outside_port, &m->claim);
	if (v == NAT_DONE) {
		memcpy(m->leaves.src, outside.bytes, sizeof(m->leaves.src));
		m->leaves.sport = m->outside_port;
	}
	ct_reply_key(&m->leaves, &m->reply);
	return v;
}

static void give_back(struct dp *dp, const struct making *m)
{
	struct addr remote = addr_of(&m->leaves, m->leaves.dst);

	if (m->claim.slot != NATPORT_NO_SLOT)
		nat_give_back(dp->st->ports, &m->claim, m->orig.proto, ntohs(m->outside_port),
			      &remote);
}

/* It came to nothing. */
static void abandon(struct dp *dp, const struct making *m)
{
	give_back(dp, m);
	if (m->mapped)
		nat_mapping_done(dp->st->ports, &m->orig);
}

/* ---- the record */

static uint32_t translated(const struct making *m)
{
	uint32_t bits = 0;

	if (memcmp(m->leaves.src, m->orig.src, 16) != 0 || m->leaves.sport != m->orig.sport)
		bits |= FLOW_SNAT;
	if (memcmp(m->leaves.dst, m->orig.dst, 16) != 0 || m->leaves.dport != m->orig.dport)
		bits |= FLOW_DNAT;
	return bits;
}

static void set_deltas(struct flow *f, const struct making *m)
{
	struct flow_half *o = flow_half_of(f, FLOW_ORIG), *r = flow_half_of(f, FLOW_REPLY);
	struct flow_key answered;

	nat_deltas(&m->orig, &m->leaves, &o->l3_delta, &o->l4_delta);
	ct_reply_key(&m->orig, &answered);
	nat_deltas(&m->reply, &answered, &r->l3_delta, &r->l4_delta);
}

/* What the record says, but for the tuples. Private to us still. */
static void fill(struct flow *f, const struct making *m)
{
	const struct filter_result *r = &m->g.r;
	struct flow_half *own = flow_half_of(f, FLOW_ORIG);
	bool judged_alone = m->g.dp->policy->syns && m->g.m.tcp_flags & TCP_F_SYN;

	__atomic_fetch_or(&f->state,
			  translated(m) | m->in | (m->g.m.varies ? FLOW_EACH : 0) |
				  (m->mapped ? FLOW_MAPPED : 0) |
				  (m->g.m.status & CONF_STATUS_FORWARDED ? FLOW_FORWARDED : 0),
			  __ATOMIC_RELAXED);
	f->judged[FLOW_ORIG] = judged_alone ? 0 : m->g.generation;
	f->mark = r->save_mark ? r->saved : 0;
	f->dscp[FLOW_ORIG] = r->has_dscp ? r->dscp | FLOW_DSCP : 0;
	memcpy(f->limit, m->g.m.counted, sizeof(f->limit));
	f->nat_rule = m->claim.rule | (m->claim.permit ? FLOW_PERMIT : 0);
	f->nat_slot = m->claim.slot == NATPORT_NO_SLOT ? 0 : m->claim.slot + 1;
	own->nexthop = m->slot;
	own->fib_generation = m->remembered;
	set_deltas(f, m);
}

static enum drop_reason why_not(enum flow_refusal why)
{
	switch (why) {
	case FLOW_SOURCE_LIMIT: return DROP_CT_SOURCE_LIMIT;
	case FLOW_CLASH: return DROP_NAT_CLASH;
	case FLOW_OK:
	case FLOW_FULL: break;
	}
	return DROP_CT_FULL;
}

/* The record becomes findable; a translation that is taken is chosen again. Returns its index,
 * maybe that of another worker, or FLOW_NONE with *why; the record is ours no more. */
static uint32_t commit(struct dp *dp, uint32_t index, struct making *m, enum nat_verdict v,
		       enum flow_refusal *why)
{
	struct flow_table *t = dp->st->flows;
	uint32_t made;

	for (unsigned tries = 0;; tries++) {
		made = flow_commit(t, index, dp->tick, why);
		if (made != FLOW_NONE || *why != FLOW_CLASH || v != NAT_DONE || tries == NAT_TRIES)
			break;
		dp_event(dp, EVENT_NAT_RETRY);
		give_back(dp, m);
		v = choose_source(dp, m, tries + 1);
		if (v != NAT_DONE)
			break;
		flow_set_reply(t, index, &m->reply);
		fill(flow_at(t, index), m);
	}
	if (made == FLOW_NONE)
		flow_discard(t, index);
	if (made != index) /* dropped, or adopted: what we claimed is not its */
		abandon(dp, m);
	return made;
}

/* The flow, of whose packet nothing is rewritten yet. Returns its index as commit() does, or
 * FLOW_NONE: the packet has been dropped. What is claimed and counted for it here stands within a
 * change (flow.h). */
static uint32_t enter(struct dp *dp, struct pkt *p, struct making *m)
{
	struct flow_table *t = dp->st->flows;
	uint32_t index, made, timeout;
	enum flow_refusal why;
	enum nat_verdict v;

	if (m->mapped && !nat_mapping_hold(dp->st->ports, &m->orig)) {
		pkt_drop(dp, p, DROP_NAT_FILTERED);
		return FLOW_NONE;
	}
	v = choose_source(dp, m, 0);
	if (v == NAT_EXHAUSTED) {
		abandon(dp, m);
		refuse(dp, p, DROP_NAT_EXHAUSTED, ICMP_ERROR_PROHIBIT, 0);
		return FLOW_NONE;
	}
	flow_prefetch(t, &m->reply);
	if (!passage_stage(&m->g, FILTER_SRCNAT)) {
		abandon(dp, m);
		flows_filtered(dp, p, &m->g.r);
		return FLOW_NONE;
	}
	if (!flow_zone_take(t, m->orig.zone, dp->policy->per_zone_max)) {
		abandon(dp, m);
		pkt_drop(dp, p, DROP_CT_ZONE_LIMIT);
		return FLOW_NONE;
	}
	index = flow_new(t, dp->worker, &m->orig, &m->reply, dp->tick, &why);
	if (index == FLOW_NONE) {
		flow_zone_give(t, m->orig.zone);
		abandon(dp, m);
		pkt_drop(dp, p, why_not(why));
		return FLOW_NONE;
	}
	if (!ct_first(&dp->policy->ct, t, index, p, &timeout)) {
		flow_discard(t, index);
		flow_zone_give(t, m->orig.zone);
		abandon(dp, m);
		pkt_drop(dp, p, DROP_CT_INVALID);
		return FLOW_NONE;
	}
	fill(flow_at(t, index), m);
	flow_touch(flow_half_at(t, index, FLOW_ORIG), flow_half_at(t, index, FLOW_REPLY), dp->tick,
		   timeout, p->len);
	made = commit(dp, index, m, v, &why);
	m->adopted = made != index;
	if (m->adopted)
		flow_zone_give(t, m->orig.zone);
	if (made == FLOW_NONE)
		pkt_drop(dp, p, why_not(why));
	return made;
}

/* Another worker was faster: the packet is one of its flow. */
static void join(struct dp *dp, struct pkt *p, struct making *m, const struct frag_ports *ports)
{
	enum flow_dir dir;
	uint32_t index;

	dp_event(dp, EVENT_FLOW_ADOPTED);
	index = flow_lookup(dp->st->flows, &m->orig, dp->tick, &dir);
	if (index == FLOW_NONE) /* and gone again */
		pkt_drop(dp, p, DROP_CT_FULL);
	else
		flows_known(dp, p, &m->orig, index, dir, ports, m->generation);
}

/* Make the flow and send its first packet. */
static void make(struct dp *dp, struct pkt *p, struct making *m, const struct frag_ports *ports)
{
	struct flow_table *t = dp->st->flows;
	uint32_t index;

	flow_change_begin(t, dp->worker);
	index = enter(dp, p, m);
	flow_change_end(t, dp->worker);
	if (index == FLOW_NONE)
		return;
	if (m->adopted) {
		join(dp, p, m, ports);
		return;
	}
	for (unsigned i = 0; i < MATCH_LIMITS && flow_is_ours(t, flow_at(t, index)); i++)
		if (m->g.m.counted[i])
			limit_count(dp->st->limits, m->g.m.counted[i], &m->orig);
	dp->made++;
	if (dp->events)
		ct_event_put(dp->events, t, index, CT_EVENT_NEW, dp->tick, dp->now);
	shape_judged(dp->qos, index, FLOW_ORIG, m->g.m.mark);
	p->flow = shape_flow(index, FLOW_ORIG);
	flows_mangle(dp, p, &m->g.r, m->n);
	if (translated(m))
		flows_translate(dp, p, index, FLOW_ORIG, ports);
	flows_send(dp, p, m->slot);
}

bool flows_would_leave(const struct pkt *p, const struct nh *n)
{
	uint8_t ttl = p->flags & PKT_IP6 ? pkt_ip6(p)->hops : pkt_ip4(p)->ttl;

	if (!n || !nh_leads_out(n) || (n->type == NH_BROADCAST && !nh_broadcasts(n, p->iface)) ||
	    ttl <= 1 || beyond_scope(p))
		return false;
	if (p->flags & PKT_IP6)
		return p->len <= n->mtu || p->len <= IP6_MTU_MIN;
	return p->len <= n->mtu || !(pkt_ip4(p)->frag & htons(IP4_DF));
}

void flows_new(struct dp *dp, struct pkt *p, const struct flow_key *key,
	       const struct frag_ports *ports, uint32_t generation)
{
	struct making m = { .orig = *key,
			    .generation = generation,
			    .remembered = flows_remembered(dp, p, generation),
			    .in = flow_in(FLOW_ORIG, p->iface) };
	struct passage *g = &m.g;

	passage_begin(g, dp, p, key, CONF_CT_NEW);
	g->m.first = true;
	if (!passage_stage(g, FILTER_RAW)) {
		flows_filtered(dp, p, &g->r);
		return;
	}
	if (g->r.notrack) {
		g->m.ct = CONF_CT_UNTRACKED;
		g->m.first = false;
		flows_stateless(dp, p, g);
		return;
	}
	if (p->flags & PKT_LATER_FRAG) { /* the first of its datagram made no flow */
		pkt_drop(dp, p, DROP_FRAG_REFUSED);
		return;
	}
	if (!ct_may_begin(&dp->policy->ct, p)) {
		g->m.first = false;
		flows_invalid_on(dp, p, g, false);
		return;
	}
	if (!passage_stage(g, FILTER_MANGLE)) {
		flows_filtered(dp, p, &g->r);
		return;
	}
	if (!choose_destination(dp, p, &m))
		return;
	if (!passage_stage(g, FILTER_DSTNAT)) {
		flows_filtered(dp, p, &g->r);
		return;
	}
	m.slot = flows_route(dp, p, &g->m.key, g);
	m.n = m.slot ? nh_get(dp->cfg->nht, m.slot) : NULL;
	if (!flows_would_leave(p, m.n)) {
		forward(dp, p, m.slot);
		return;
	}
	g->m.out = flows_out(dp, m.n);
	if (!passage_stage(g, FILTER_FORWARD) || !passage_stage(g, FILTER_POST)) {
		flows_filtered(dp, p, &g->r);
		return;
	}
	make(dp, p, &m, ports);
}

/* ---- fragments */

static void with_ports(struct dp *dp, struct pkt *p, uint16_t zone, const struct frag_ports *ports,
		       uint32_t generation)
{
	struct flow_key key = {
		.zone = zone, .proto = ports->proto, .sport = ports->sport, .dport = ports->dport
	};
	enum flow_dir dir;
	uint32_t index;

	p->proto = ports->proto;
	key.family = p->flags & PKT_IP6 ? AF_INET6 : AF_INET;
	if (p->flags & PKT_IP6)
		memcpy(&key, p->l3 + offsetof(struct ip6_header, src), 32);
	else {
		memcpy(key.src, &pkt_ip4(p)->src, 4);
		memcpy(key.dst, &pkt_ip4(p)->dst, 4);
	}
	index = flow_lookup(dp->st->flows, &key, dp->tick, &dir);
	if (index != FLOW_NONE)
		flows_known(dp, p, &key, index, dir, ports, generation);
	else
		flows_new(dp, p, &key, ports, generation);
}

void flows_fragment(struct dp *dp, struct pkt *p, uint16_t zone, uint32_t generation)
{
	struct frag_ports ports;
	struct pkt next;

	if (frag_input(dp->st->frags, dp, p, zone, &ports) != FRAG_KNOWN)
		return;
	with_ports(dp, p, zone, &ports, generation);
	if (ports.first && !p->l3) {
		frag_refuse(dp->st->frags, dp, &ports);
		return;
	}
	while (ports.first && frag_waiting(dp->st->frags, dp, &ports, &next)) {
		if (is_iface(dp, next.iface))
			with_ports(dp, &next, zone, &ports, generation);
		else
			pkt_drop(dp, &next, DROP_IFACE_DOWN);
	}
}

/* ---- the end */

static void gone(void *arg, struct flow_table *t, uint32_t index)
{
	struct dp *dp = arg;
	const struct flow *f = flow_at(t, index);
	struct flow_key orig, reply;

	if (dp->events)
		ct_event_put(dp->events, t, index, CT_EVENT_DESTROY, dp->tick, dp->now);
	flow_zone_give(t, f->zone);
	flow_key(t, index, FLOW_ORIG, &orig);
	for (unsigned i = 0; i < MATCH_LIMITS && flow_is_ours(t, f); i++)
		if (f->limit[i])
			limit_uncount(dp->st->limits, f->limit[i], &orig);
	if (flow_state(f) & FLOW_MAPPED)
		nat_mapping_done(dp->st->ports, &orig);
	if (f->nat_slot) {
		struct nat_claim c = { .rule = f->nat_rule & (uint16_t)~FLOW_PERMIT,
				       .slot = f->nat_slot - 1,
				       .permit = f->nat_rule & FLOW_PERMIT };
		struct addr remote;

		flow_key(t, index, FLOW_REPLY, &reply);
		remote = addr_of(&reply, reply.src);
		nat_give_back(dp->st->ports, &c, f->proto, flows_outside_port(f->proto, &reply),
			      &remote);
	}
}

/* What ends next: its places in the hash, its port and its mapping come into the cache for all of
 * them at a time. */
static void expect_ends(struct dp *dp)
{
	struct flow_table *t = dp->st->flows;
	struct natport_outside outside[FLOW_BURST];
	struct natport_inside inside[FLOW_BURST];
	struct flow_key orig[FLOW_BURST], reply[FLOW_BURST];
	uint32_t index[FLOW_BURST];
	unsigned n = flow_due(t, dp->worker, dp->tick, index, FLOW_BURST), ports = 0;

	if (n < 2)
		return;
	for (unsigned i = 0; i < n; i++) {
		const struct flow *f = flow_at(t, index[i]);

		flow_key(t, index[i], FLOW_ORIG, &orig[i]);
		flow_key(t, index[i], FLOW_REPLY, &reply[i]);
		if (!f->nat_slot)
			continue;
		outside[ports].slot = f->nat_slot - 1;
		outside[ports].plane = (uint8_t)natport_plane_of(f->proto);
		outside[ports].port = flows_outside_port(f->proto, &reply[i]);
		inside[ports++] = (struct natport_inside){ .addr = addr_of(&orig[i], orig[i].src),
							   .port = ntohs(orig[i].sport),
							   .proto = f->proto,
							   .zone = f->zone };
	}
	flow_prefetch_burst(t, orig, n);
	flow_prefetch_burst(t, reply, n);
	if (ports) {
		natport_prefetch(dp->st->ports, outside, ports);
		natmap_prefetch(dp->st->ports, inside, ports);
	}
}

/* So many records looked at that a loop stays short; but not fewer than flows come: each is looked
 * at once or twice while it lives. */
void flows_upkeep(struct dp *dp)
{
	struct stateful *st = dp->st;
	uint64_t quiet = __atomic_load_n(&st->quiet, __ATOMIC_ACQUIRE);
	uint64_t owned = flow_owned(st->flows, dp->worker);
	unsigned budget = EXPIRE_BUDGET + 2 * dp->made, looked = 0, n;

	do {
		expect_ends(dp);
		n = flow_expire(st->flows, dp->worker, dp->tick, quiet, EXPIRE_BUDGET, gone, dp);
		looked += n;
	} while (n == EXPIRE_BUDGET && looked < budget);
	dp->made = 0;
	dp->due = n == EXPIRE_BUDGET || owned - flow_owned(st->flows, dp->worker) >= EXPIRE_BUDGET;
	frag_expire(st->frags, dp);
}

int flows_sleep_ms(const struct dp *dp)
{
	if (dp->due)
		return 0;
	return flow_owned(dp->st->flows, dp->worker) || frags_held(dp->st->frags) ? LOOK_MS : -1;
}
