/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Known flows, and which packet belongs to one; see flows.h. New ones are made in flows_new.c; what
 * has none is dealt with in flows_stateless.c.
 *
 * The packets of a burst are looked up together and then dealt with one after the other, so that
 * packets of a flow leave in the order they came, even if the first of them only made the flow.
 */
#include "router/flows.h"

#include <string.h>

#include "router/flows_internal.h"
#include "router/forward.h"
#include "router/net/csum.h"
#include "router/net/ct_event.h"
#include "router/net/hooks.h"
#include "router/net/nat_rewrite.h"
#include "router/net/parse.h"
#include "router/net/route.h"
#include "router/shape.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* ---- the way out */

void flows_send(struct dp *dp, struct pkt *p, uint32_t slot)
{
	struct nh *n = slot ? nh_get(dp->cfg->nht, slot) : NULL;

	if (likely(n && n->type == NH_ADJ && n->state == NH_RESOLVED && p->len <= n->mtu &&
		   !(p->flags & PKT_SLOW) && n->iface != p->iface)) {
		mark_used(n);
		step_ttl(p);
		emit(dp, p, n);
	} else {
		forward(dp, p, slot);
	}
}

/* ---- rewriting */

static void renumber(struct pkt *p, uint16_t id)
{
	struct ip4_header *h = pkt_ip4(p);

	if (p->flags & PKT_IP6)
		return;
	p->old_id = h->id;
	h->csum = csum_update16(h->csum, h->id, id);
	h->id = id;
}

/* The flow of a translated packet, and its direction: by the tuple that it shows. */
static uint32_t flow_by_tuple(const struct dp *dp, struct pkt *p, enum flow_dir *dir)
{
	struct flow_key left, reply;
	uint32_t index;
	uint16_t quoted;

	if (ct_classify(p, dp->cfg->iface[p->iface].zone, &left, &quoted) != CT_FLOW)
		return FLOW_NONE;
	ct_reply_key(&left, &reply);
	index = flow_lookup(dp->st->flows, &reply, dp->tick, dir);
	*dir = !*dir;
	return index;
}

/* A later fragment shows none: under which flow it was found, unless it has waited since. */
static uint32_t flow_of_fragment(const struct pkt *p, enum flow_dir *dir)
{
	if (p->flow == PKT_NO_FLOW || p->flow == PKT_FLOW_AGAIN)
		return FLOW_NONE;
	*dir = (enum flow_dir)(p->flow >> 31);
	return p->flow & ~(1u << 31);
}

void flows_restore(struct dp *dp, struct pkt *p)
{
	struct flow_table *t = dp->st->flows;
	struct flow_key left, was;
	enum flow_dir dir = FLOW_ORIG;
	uint16_t l3, l4;
	uint32_t index;

	p->flags &= (uint8_t)~PKT_TRANSLATED;
	if (!is_iface(dp, p->iface)) /* it waited, and who could be told has gone */
		return;
	index = p->flags & PKT_LATER_FRAG ? flow_of_fragment(p, &dir) : flow_by_tuple(dp, p, &dir);
	if (index == FLOW_NONE)
		return;
	flows_leaving(t, index, dir, &left);
	flow_key(t, index, dir, &was);
	nat_deltas(&left, &was, &l3, &l4);
	nat_rewrite(p, &was, l3, l4);
	if (p->flags & PKT_FRAGMENT)
		renumber(p, p->old_id);
}

/* ---- a known flow */

static void event(struct dp *dp, uint32_t index, enum ct_event_kind kind)
{
	if (unlikely(dp->events != NULL))
		ct_event_put(dp->events, dp->st->flows, index, kind, dp->tick, dp->now);
}

/* The state word moved: who set a bit first tells. */
static void tell_changes(struct dp *dp, struct flow *f, uint32_t index, uint32_t before,
			 uint32_t after)
{
	uint32_t news = after & ~before;

	/* The rules may judge either direction otherwise now. */
	if (news & (FLOW_REPLIED | FLOW_ASSURED)) {
		__atomic_store_n(&f->judged[FLOW_ORIG], 0, __ATOMIC_RELAXED);
		__atomic_store_n(&f->judged[FLOW_REPLY], 0, __ATOMIC_RELAXED);
	}
	if (news & FLOW_ASSURED)
		event(dp, index, CT_EVENT_ASSURED);
	else if (news & FLOW_REPLIED || (before ^ after) & FLOW_TCP_STATE)
		event(dp, index, CT_EVENT_UPDATE);
}

static void mark_store(struct flow *f, const struct passage *g)
{
	if (g->r.save_mark)
		__atomic_store_n(&f->mark, g->r.saved, __ATOMIC_RELAXED);
}

static void verdict_store(struct flow *f, enum flow_dir dir, uint16_t in, const struct passage *g,
			  bool raw)
{
	uint32_t drop = dir == FLOW_ORIG ? FLOW_DROP : FLOW_DROP_REPLY;
	uint32_t each = dir == FLOW_ORIG ? FLOW_EACH : FLOW_EACH_REPLY;
	uint32_t all = drop | each | (dir == FLOW_ORIG ? FLOW_IN : FLOW_IN_REPLY);
	uint32_t set = flow_in(dir, in);

	/* What is rejected wants an answer each time. */
	if (g->m.varies || g->r.verdict == FILTER_REJECT)
		set |= each;
	if (g->r.verdict != FILTER_ACCEPT)
		set |= drop;
	if ((flow_state(f) & all) != set) {
		__atomic_fetch_and(&f->state, ~all, __ATOMIC_RELAXED);
		__atomic_fetch_or(&f->state, set, __ATOMIC_RELEASE);
	}
	if (set & drop)
		f->dscp[dir] = (g->r.rule ? 0 : FLOW_BY_POLICY) | (raw ? FLOW_IN_RAW : 0);
	else
		f->dscp[dir] = g->r.has_dscp ? g->r.dscp | FLOW_DSCP : 0;
	mark_store(f, g);
	__atomic_store_n(&f->judged[dir], g->generation, __ATOMIC_RELAXED);
	/* By another worker it was answered or assured meanwhile: rules may say otherwise now. Read
	 * by a write of nothing, so that a change we do not see finds what we have stored. */
	if (passage_status(flow_set(f, 0)) != g->m.status)
		__atomic_store_n(&f->judged[dir], 0, __ATOMIC_RELAXED);
}

static bool is_syn(const struct pkt *p)
{
	return p->proto == IPPROTO_TCP && !(p->flags & PKT_LATER_FRAG) &&
	       p->l3[p->l4 + 13] & TCP_F_SYN;
}

static inline bool is_judged(const struct dp *dp, const struct flow *f, enum flow_dir dir)
{
	return __atomic_load_n(&f->judged[dir], __ATOMIC_RELAXED) == dp->generation;
}

/* Rules look for SYNs: what they say of one holds for no other packet of its flow. */
static inline bool is_wanted_syn(const struct dp *dp, const struct pkt *p)
{
	return unlikely(dp->policy->syns) && is_syn(p);
}

/* By another interface than the packets that were judged: the way has moved, or it is forged. Its
 * verdict is its own, until routes move, too. */
static inline bool is_astray(const struct dp *dp, const struct pkt *p, const struct flow *f,
			     enum flow_dir dir, uint32_t state)
{
	return !flow_came_by(state, dir, p->iface) && is_judged(dp, f, dir);
}

/* What came out of the stages so far. False: the packet has been dropped. */
static bool judged(struct dp *dp, struct pkt *p, uint32_t index, enum flow_dir dir,
		   const struct passage *g, bool raw)
{
	struct flow *f = flow_at(dp->st->flows, index);
	bool accept = g->r.verdict == FILTER_ACCEPT;

	p->mark = g->m.mark;
	if (!is_wanted_syn(dp, p) && !is_astray(dp, p, f, dir, flow_state(f))) {
		verdict_store(f, dir, p->iface, g, raw);
		shape_judged(dp->qos, index, dir, g->m.mark);
		p->flow = shape_flow(index, dir);
	} else if (accept) {
		mark_store(f, g);
	}
	if (!accept)
		flows_filtered(dp, p, &g->r);
	return accept;
}

/* The rules have changed, want to see every packet, or see this direction for the first time. Their
 * first stage stands before tracking: what is refused there does nothing to its flow. False: the
 * packet has been dropped. */
static bool judge_raw(struct dp *dp, struct pkt *p, struct flow *f, uint32_t index,
		      enum flow_dir dir, struct passage *g)
{
	uint32_t state = flow_state(f);
	struct flow_key arrives;

	flow_key(dp->st->flows, index, dir, &arrives);
	/* as in Linux, whatever answers is established, also what leaves the flow unanswered */
	passage_begin(g, dp, p, &arrives,
		      state & FLOW_REPLIED || dir == FLOW_REPLY ? CONF_CT_ESTABLISHED
								: CONF_CT_NEW);
	g->m.status = passage_status(state);
	g->r.ct_mark = __atomic_load_n(&f->mark, __ATOMIC_RELAXED);
	return passage_stage(g, FILTER_RAW) || judged(dp, p, index, dir, g, true);
}

/* When the packet has been tracked, as far as rules of routing wait for what is set here. False:
 * the packet has been dropped. */
static bool judge_before(struct dp *dp, struct pkt *p, uint32_t index, enum flow_dir dir,
			 struct passage *g)
{
	struct flow_key leaves;

	flows_leaving(dp->st->flows, index, dir, &leaves);
	g->m.status = passage_status(flow_state(flow_at(dp->st->flows, index)));
	return passage_before(g, &leaves) || judged(dp, p, index, dir, g, false);
}

/* The rest, with what was before if `whole`. */
static bool judge(struct dp *dp, struct pkt *p, uint32_t index, enum flow_dir dir, uint32_t slot,
		  struct passage *g, bool whole)
{
	const struct nh *n = slot ? nh_get(dp->cfg->nht, slot) : NULL;
	struct flow *f = flow_at(dp->st->flows, index);
	struct flow_key leaves;

	flows_leaving(dp->st->flows, index, dir, &leaves);
	if (whole) {
		g->m.status = passage_status(flow_state(f));
		passage_through(g, &leaves, flows_out(dp, n));
	} else {
		passage_behind(g, &leaves, flows_out(dp, n));
	}
	if (!judged(dp, p, index, dir, g, false))
		return false;
	flows_mangle(dp, p, &g->r, n);
	return true;
}

static inline bool must_judge(const struct dp *dp, const struct pkt *p, const struct flow *f,
			      enum flow_dir dir, uint32_t state)
{
	return !is_judged(dp, f, dir) || !flow_came_by(state, dir, p->iface) ||
	       state & (dir == FLOW_ORIG ? FLOW_EACH : FLOW_EACH_REPLY) || is_wanted_syn(dp, p);
}

/* Its masquerade was another interface's (two uplinks, and the route moved): as in Linux it ends,
 * and begins anew by the address of the one it leaves by now. */
static bool has_moved(const struct dp *dp, const struct flow *f, enum flow_dir dir, uint32_t slot)
{
	const struct nh *n = slot ? nh_get(dp->cfg->nht, slot) : NULL;

	return dir == FLOW_ORIG && f->nat_slot && dp->policy->nat &&
	       nat_moved(dp->policy->nat, f->family, f->nat_slot - 1, flows_out(dp, n));
}

void flows_translate(struct dp *dp, struct pkt *p, uint32_t index, enum flow_dir dir,
		     const struct frag_ports *ports)
{
	const struct flow_half *own = flow_half_at(dp->st->flows, index, dir);
	struct flow_key leaves;

	flows_leaving(dp->st->flows, index, dir, &leaves);
	if (!nat_rewrite_quick(p, &leaves, own->l3_delta, own->l4_delta))
		nat_rewrite(p, &leaves, own->l3_delta, own->l4_delta);
	if (ports) /* two hosts behind one address may number datagrams alike (RFC 6864 5.3.1) */
		renumber(p, ports->new_id);
	p->flags |= PKT_TRANSLATED;
}

static inline bool is_refused(uint32_t state, enum flow_dir dir)
{
	return state & (dir == FLOW_ORIG ? FLOW_DROP : FLOW_DROP_REPLY);
}

static void drop_again(struct dp *dp, struct pkt *p, const struct flow *f, enum flow_dir dir)
{
	pkt_drop(dp, p, f->dscp[dir] & FLOW_BY_POLICY ? DROP_FILTER_POLICY : DROP_FILTER_RULE);
}

/* Counts a packet that the flow does not live on. */
static void count_only(struct flow_half *own, uint32_t len)
{
	counter_add(&own->packets, 1);
	counter_add(&own->bytes, len);
}

void flows_known(struct dp *dp, struct pkt *p, const struct flow_key *key, uint32_t index,
		 enum flow_dir dir, const struct frag_ports *ports, uint32_t generation)
{
	struct flow *f = flow_at(dp->st->flows, index);
	struct flow_half *own = flow_half_of(f, dir), *peer = flow_half_of(f, !dir);
	uint32_t before = flow_state(f), state, timeout = 0, slot;
	bool begun = must_judge(dp, p, f, dir, before), by_filter, moved;
	struct passage g;
	enum ct_verdict v;

	if (unlikely(dp->cfg->ruled))
		begun |= flows_routed_by_filter(dp, p, own, generation);
	if (unlikely(begun)) {
		if (!judge_raw(dp, p, f, index, dir, &g))
			return;
	} else if (unlikely(f->dscp[dir] & FLOW_IN_RAW && is_refused(before, dir))) {
		drop_again(dp, p, f, dir);
		return;
	}
	if (unlikely(ports != NULL))
		ct_fragment(own, p, ports->tcp_base);
	if (unlikely(flows_is_outdated(dp->st, own)) && f->proto == IPPROTO_TCP)
		tcp_forget(own);
	v = ct_track(&dp->policy->ct, f, dir, own, peer, p, dp->tick, &timeout);
	if (unlikely(v >= CT_REOPEN)) {
		if (v == CT_REOPEN) {
			flow_kill(dp->st->flows, index);
			flows_new(dp, p, key, ports, generation);
		} else if (begun) {
			flows_invalid_on(dp, p, &g, before & (FLOW_SNAT | FLOW_DNAT));
		} else {
			flows_invalid(dp, p, key, before & (FLOW_SNAT | FLOW_DNAT));
		}
		return;
	}
	state = flow_state(f);
	if (unlikely(state != before))
		tell_changes(dp, f, index, before, state);
	by_filter = begun && dp->cfg->ruled;
	if (unlikely(by_filter) && !judge_before(dp, p, index, dir, &g))
		return;
	moved = own->fib_generation != generation || by_filter;
	slot = own->nexthop;
	if (unlikely(moved || dp->cfg->ruled))
		slot = flows_next_hop(dp, p, index, dir, own, generation, begun ? &g : NULL);
	if (unlikely(moved) && has_moved(dp, f, dir, slot)) {
		flow_kill(dp->st->flows, index);
		flows_new(dp, p, key, ports, generation);
		return;
	}
	/* what it did to its flow, or another way out, may make it necessary, too */
	if (unlikely(begun || !is_judged(dp, f, dir))) {
		if (!begun && !judge_raw(dp, p, f, index, dir, &g))
			return;
		if (!judge(dp, p, index, dir, slot, &g, !by_filter))
			return;
	} else if (unlikely(is_refused(state, dir))) {
		drop_again(dp, p, f, dir);
		return;
	} else {
		p->flow = shape_flow(index, dir);
		if (unlikely(f->dscp[dir] & FLOW_DSCP))
			flows_set_dscp(p, f->dscp[dir] & (uint8_t)~FLOW_DSCP);
	}
	if (likely(v == CT_PASS))
		flow_touch(own, peer, dp->tick, timeout, p->len);
	else
		count_only(own, p->len);
	if (state & (FLOW_SNAT | FLOW_DNAT))
		flows_translate(dp, p, index, dir, ports);
	flows_send(dp, p, slot);
}

/*
 * The same for what nearly every packet is: whole, TCP or UDP, of a flow that the rules of now let
 * pass unseen, on a route that has not moved. False: nothing was done, flows_known() knows what to
 * do.
 */
static inline bool known_quick(struct dp *dp, struct pkt *p, uint32_t index, enum flow_dir dir,
			       uint32_t generation)
{
	const uint32_t odd =
		dir == FLOW_ORIG ? FLOW_DROP | FLOW_EACH : FLOW_DROP_REPLY | FLOW_EACH_REPLY;
	const struct ct_options *o = &dp->policy->ct;
	struct flow *f = flow_at(dp->st->flows, index);
	struct flow_half *own = flow_half_of(f, dir);
	uint32_t state = flow_state(f), timeout = o->udp;

	if (p->proto != IPPROTO_UDP || state & odd || own->fib_generation != generation ||
	    !is_judged(dp, f, dir) || !flow_came_by(state, dir, p->iface) || f->dscp[dir])
		return false;
	if (state & FLOW_ASSURED)
		timeout = o->udp_stream;
	else if (state & FLOW_REPLIED ? dp->tick - f->made > CT_UDP_STREAM_AGE : dir == FLOW_REPLY)
		return false;
	if (likely(!o->outbound_refresh || dir == ct_outbound(state)))
		flow_touch_alone(own, dp->tick, timeout, p->len);
	else
		count_only(own, p->len);
	if (state & (FLOW_SNAT | FLOW_DNAT)) {
		if (p->flags & PKT_IP6)
			flows_translate(dp, p, index, dir, NULL);
		else
			nat_rewrite_inverse4(p, flow_tuple4(f, !dir), own->l3_delta, own->l4_delta);
		p->flags |= PKT_TRANSLATED;
	}
	p->flow = shape_flow(index, dir);
	flows_send(dp, p, own->nexthop);
	return true;
}

/* ---- a burst */

/* The common packet: whole, TCP or UDP, no options. */
static inline bool classify_quick(const struct dp *dp, struct pkt *p, struct flow_key *k)
{
	unsigned need;

	if (p->flags & PKT_SLOW)
		return false;
	memset(k, 0, sizeof(*k));
	if (p->flags & PKT_IP6) {
		k->family = AF_INET6;
		memcpy(k, p->l3 + offsetof(struct ip6_header, src), 32);
	} else {
		const struct ip4_header *h = pkt_ip4(p);

		if (h->frag & htons(IP4_MF | IP4_OFFSET))
			return false;
		p->l4 = IP4_HLEN;
		p->proto = h->proto;
		k->family = AF_INET;
		memcpy(k->src, &h->src, 4);
		memcpy(k->dst, &h->dst, 4);
	}
	need = p->proto == IPPROTO_TCP ? 20 : p->proto == IPPROTO_UDP ? 8 : UINT16_MAX;
	if (p->l4 + need > p->len)
		return false;
	if (p->proto == IPPROTO_UDP && p->l3[p->l4 + 5] + (p->l3[p->l4 + 4] << 8) + p->l4 != p->len)
		return false; /* the careful one judges odd lengths */
	k->proto = p->proto;
	k->zone = dp->cfg->iface[p->iface].zone;
	memcpy(&k->sport, p->l3 + p->l4, 4);
	return true;
}

static_assert(offsetof(struct flow_key, dst) == offsetof(struct flow_key, src) + 16, "one copy");
static_assert(offsetof(struct flow_key, dport) == offsetof(struct flow_key, sport) + 2, "one copy");

/* Packets that do not show their flow: by what they are. */
static void odd(struct dp *dp, struct pkt *p, uint32_t generation)
{
	uint16_t zone = dp->cfg->iface[p->iface].zone, quoted = 0;
	struct flow_key key;
	enum flow_dir dir;
	uint32_t index;

	if (!parse_transport(p)) {
		pkt_drop(dp, p, DROP_IP6_EXTENSION);
		return;
	}
	if (p->flags & PKT_FRAGMENT) {
		flows_fragment(dp, p, zone, generation);
		return;
	}
	flows_outer_key(p, zone, &key);
	switch (ct_classify(p, zone, &key, &quoted)) {
	case CT_FLOW:
		index = flow_lookup(dp->st->flows, &key, dp->tick, &dir);
		if (index != FLOW_NONE)
			flows_known(dp, p, &key, index, dir, NULL, generation);
		else
			flows_new(dp, p, &key, NULL, generation);
		return;
	case CT_ERROR: flows_related(dp, p, &key, quoted); return;
	case CT_UNTRACKED:
		flows_outer_key(p, zone, &key);
		flows_untracked(dp, p, &key);
		return;
	case CT_INVALID: break;
	}
	flows_outer_key(p, zone, &key);
	flows_invalid(dp, p, &key, false);
}

/* The packets of a burst that have no flow yet will ask for mappings of their senders. */
static void expect_mappings(const struct dp *dp, const struct flow_key *key, const uint32_t *index,
			    unsigned n)
{
	struct natport_inside in[BURST];
	unsigned missing = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct flow_key *k = &key[i];
		struct natport_inside *x = &in[missing];

		if (index[i] != FLOW_NONE)
			continue;
		*x = (struct natport_inside){ .addr.family = k->family,
					      .port = ntohs(k->sport),
					      .proto = k->proto,
					      .zone = k->zone };
		memcpy(x->addr.bytes, k->src, sizeof(x->addr.bytes));
		missing++;
	}
	natmap_prefetch(dp->st->ports, in, missing);
}

void flows_run(struct dp *dp, struct pkt *p, unsigned n)
{
	struct flow_table *t = dp->st->flows;
	struct flow_key key[BURST + 1]; /* one more: what is tried last and is odd */
	uint32_t index[BURST], generation;
	uint8_t dir[BURST], at[BURST];
	unsigned quick = 0, missing = 0;

	generation = __atomic_load_n(&dp->cfg->nht->generation, __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < n; i++) {
		at[i] = UINT8_MAX;
		if (likely(classify_quick(dp, &p[i], &key[quick])))
			at[i] = (uint8_t)quick++;
	}
	if (quick)
		flow_lookup_burst(t, key, dp->tick, index, dir, quick);
	for (unsigned i = 0; unlikely(dp->shaped) && i < quick; i++)
		shape_prefetch(dp, index[i]);
	for (unsigned i = 0; i < quick; i++)
		missing += index[i] == FLOW_NONE;
	if (unlikely(missing > 1) && dp->policy->nat)
		expect_mappings(dp, key, index, quick);
	for (unsigned i = 0; i < n; i++) {
		unsigned q = at[i];
		enum flow_dir d;

		if (unlikely(q == UINT8_MAX)) {
			odd(dp, &p[i], generation);
			continue;
		}
		d = (enum flow_dir)dir[q];
		if (likely(index[q] != FLOW_NONE) &&
		    known_quick(dp, &p[i], index[q], d, generation))
			continue;
		if (unlikely(index[q] == FLOW_NONE)) /* unless one of this burst has made it */
			index[q] = flow_lookup(t, &key[q], dp->tick, &d);
		if (likely(index[q] != FLOW_NONE))
			flows_known(dp, &p[i], &key[q], index[q], d, NULL, generation);
		else
			flows_new(dp, &p[i], &key[q], NULL, generation);
	}
}
