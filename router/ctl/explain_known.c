/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Imaginary packets of flows there are; see explain_internal.h. A packet of a flow changes it, so
 * tracking gets a copy of the record to work on. Of TCP it is the next segment that its sender
 * could send: which sequence numbers it would have is known from the record.
 */
#include <stdalign.h>
#include <string.h>

#include "router/ctl/explain_internal.h"
#include "router/ctl/flow_text.h"
#include "router/net/ct.h"
#include "router/net/route.h"
#include "router/net/rules.h"

/* A record by itself. */
struct specimen {
	alignas(64) uint8_t bytes[FLOW_SIZE6];
};

static struct flow *record(struct specimen *s)
{
	return (struct flow *)(void *)s->bytes;
}

/* Workers write it meanwhile: word by word, each as somebody left it. */
static void take_copy(const struct flow_table *t, uint32_t index, struct specimen *out)
{
	const struct flow *f = flow_at(t, index);
	const uint64_t *from = (const uint64_t *)(const void *)f;
	uint64_t *to = (uint64_t *)(void *)out->bytes;
	size_t size = f->family == AF_INET6 ? FLOW_SIZE6 : FLOW_SIZE4;

	for (size_t i = 0; i < size / sizeof(*to); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/* A reset is believed where the peer's acknowledgements are, a SYN is sent again or anew. */
static void next_segment(struct explain *e, struct flow *f, enum flow_dir dir)
{
	const struct flow_half *own = flow_half_of(f, dir), *peer = flow_half_of(f, !dir);
	uint8_t state = (uint8_t)(flow_state(f) & FLOW_TCP_STATE);
	bool opening = state == TCP_SYN_SENT || state == TCP_SYN_RECV || state == TCP_SYN_SENT2;

	e->packet.seq = own->end;
	e->packet.ack = peer->end;
	if (e->packet.tcp_flags & TCP_F_RST && peer->maxack)
		e->packet.seq = peer->maxack;
	else if (e->packet.tcp_flags & TCP_F_SYN)
		e->packet.seq += opening ? UINT32_MAX : 1;
}

static enum ct_verdict track(struct explain *e, enum flow_dir dir, struct specimen *s)
{
	struct flow *f = record(s);
	uint32_t timeout;

	return ct_track(&e->dp.policy->ct, f, dir, flow_half_of(f, dir), flow_half_of(f, !dir),
			&e->p, e->dp.tick, &timeout);
}

static void tell_flow(struct explain *e, uint32_t index, enum flow_dir dir)
{
	char text[FLOW_SHORT_STRLEN];
	struct ct_event flow = { 0 };
	const char *state;

	ct_event_copy(e->r->st->flows, index, e->dp.tick, &flow);
	state = flow_state_name(&flow);
	explain_step(e, "conntrack", "known flow%s%s: %s; this is its %s direction; %u s left",
		     state ? ", " : "", state ? state : "", flow_short(&flow, false, text),
		     dir == FLOW_ORIG ? "original" : "reply", flow_seconds(flow.left));
}

/* news: what the packet has changed of the flow's state. */
static bool wanted_syn(const struct explain *e)
{
	return e->dp.policy->syns && e->packet.tcp_flags & TCP_F_SYN;
}

static bool must_judge(const struct explain *e, const struct flow *f, enum flow_dir dir,
		       uint32_t news, const char **why)
{
	uint32_t state = flow_state(f);

	if (news & (FLOW_REPLIED | FLOW_ASSURED))
		*why = "this packet makes another flow of it: answered, or assured";
	else if (f->judged[dir] != e->dp.generation)
		*why = "the rules, or what they look at, are not those it was judged by";
	else if (!flow_came_by(state, dir, e->p.iface))
		*why = "those before it came by another interface";
	else if (state & (dir == FLOW_ORIG ? FLOW_EACH : FLOW_EACH_REPLY))
		*why = "they look at more than what all its packets have in common";
	else if (wanted_syn(e))
		*why = "a rule looks at SYNs";
	else if (e->g.dp)
		*why = "rules of routing look at what they may set";
	else
		return false;
	return true;
}

/* Up to where the way out is looked up. */
static bool judge_before(struct explain *e, const struct flow_key *arrives,
			 const struct flow_key *leaves, const struct flow *f, enum flow_dir dir)
{
	static const enum filter_stage before[] = { FILTER_RAW, FILTER_MANGLE };
	uint32_t state = flow_state(f);
	struct match_packet *m = &e->g.m;

	explain_begin(e, arrives,
		      state & FLOW_REPLIED || dir == FLOW_REPLY ? CONF_CT_ESTABLISHED
								: CONF_CT_NEW);
	m->status = passage_status(state);
	e->g.r.ct_mark = f->mark;
	for (unsigned i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		if (!explain_stage(e, before[i]))
			return false;
	memcpy(m->key.dst, leaves->dst, sizeof(m->key.dst));
	m->key.dport = leaves->dport;
	return explain_stage(e, FILTER_DSTNAT);
}

static bool judge_behind(struct explain *e, const struct flow_key *leaves, uint32_t slot)
{
	struct match_packet *m = &e->g.m;

	m->out = explain_out_name(e, slot);
	if (!explain_stage(e, FILTER_FORWARD) || !explain_stage(e, FILTER_POST))
		return false;
	memcpy(m->key.src, leaves->src, sizeof(m->key.src));
	m->key.sport = leaves->sport;
	if (!explain_stage(e, FILTER_SRCNAT))
		return false;
	explain_judged(e);
	return true;
}

/* What its flow knows of its way, before it is judged. */
static void way_of(struct explain *e, const struct flow *f, enum flow_dir dir, uint32_t index,
		   const struct flow_key *arrives, const struct flow_key *leaves)
{
	const struct flow_class *c = e->dp.qos ? e->dp.qos->flow_class : NULL;
	uint32_t state = flow_state(f);

	e->way = (struct explain_way){
		.tracked = true,
		.arrives = *arrives,
		.leaves = *leaves,
		.ct = state & FLOW_REPLIED || dir == FLOW_REPLY ? CONF_CT_ESTABLISHED : CONF_CT_NEW,
		.status = passage_status(state),
		.flow = shape_flow(index, dir),
		.mark = c ? __atomic_load_n(&c[index].mark[dir], __ATOMIC_RELAXED) : e->mark,
		.has_dscp = f->dscp[dir] & FLOW_DSCP,
		.dscp = f->dscp[dir] & (uint8_t)~FLOW_DSCP,
	};
}

/* What is judged alone does not go on as its flow's, unless how it is translated tells. */
static bool shown_as_flow(const struct explain *e, const struct flow *f, enum flow_dir dir)
{
	uint32_t state = flow_state(f);
	bool astray = !flow_came_by(state, dir, e->p.iface) && f->judged[dir] == e->dp.generation;

	return state & (FLOW_SNAT | FLOW_DNAT) || !(wanted_syn(e) || astray);
}

/* What the rules say, or have said. */
static bool allowed(struct explain *e, const struct flow_key *arrives,
		    const struct flow_key *leaves, const struct flow *f, enum flow_dir dir,
		    uint32_t news, uint32_t slot)
{
	const char *why;

	if (must_judge(e, f, dir, news, &why)) {
		explain_step(e, "filter", "asked again: %s", why);
		e->way.flow = PKT_NO_FLOW;
		e->way.tracked = shown_as_flow(e, f, dir);
		return (e->g.dp || judge_before(e, arrives, leaves, f, dir)) &&
		       judge_behind(e, leaves, slot);
	}
	explain_step(e, "filter", "not asked again: the flow was judged by these rules");
	if (flow_state(f) & (dir == FLOW_ORIG ? FLOW_DROP : FLOW_DROP_REPLY)) {
		explain_drop(e,
			     f->dscp[dir] & FLOW_BY_POLICY ? DROP_FILTER_POLICY : DROP_FILTER_RULE);
		return false;
	}
	return true;
}

static void tell_translation(struct explain *e, const struct flow_key *arrives,
			     const struct flow_key *leaves)
{
	char from[2][EXPLAIN_ENDPOINT_STRLEN], to[2][EXPLAIN_ENDPOINT_STRLEN];

	explain_endpoint(arrives, arrives->src, arrives->sport, from[0]);
	explain_endpoint(arrives, arrives->dst, arrives->dport, from[1]);
	explain_endpoint(leaves, leaves->src, leaves->sport, to[0]);
	explain_endpoint(leaves, leaves->dst, leaves->dport, to[1]);
	explain_step(e, "nat", "as the flow is translated: %s > %s becomes %s > %s", from[0],
		     from[1], to[0], to[1]);
}

/* As flows_routed_by_filter(). */
static bool by_filter(const struct explain *e, const struct flow_half *own, uint32_t generation)
{
	const struct rule_list *l = route_rules(e->in, e->p.flags & PKT_IP6);
	const struct filter *f = e->dp.policy->filter;

	return l && (l->marks || l->each) && own->fib_generation != generation && f &&
	       (filter_has(f, FILTER_RAW) || filter_has(f, FILTER_MANGLE));
}

void explain_known(struct explain *e, const struct flow_key *key, uint32_t index, enum flow_dir dir)
{
	const struct flow_table *t = e->r->st->flows;
	struct flow_key arrives, other, leaves, to;
	const struct flow_half *own;
	struct specimen s;
	enum ct_verdict v;
	uint32_t before, slot, generation;
	bool remembered;

	take_copy(t, index, &s);
	own = flow_half_of(record(&s), dir);
	tell_flow(e, index, dir);
	if (key->proto == IPPROTO_TCP) {
		next_segment(e, record(&s), dir);
		if (!explain_arrive(e))
			return;
	}
	before = flow_state(record(&s));
	v = track(e, dir, &s);
	if (v == CT_REOPEN) {
		explain_step(e, "conntrack", "which is over: this begins another");
		explain_new(e, key);
		return;
	}
	if (v == CT_REFUSE) {
		explain_invalid(e, key, flow_state(record(&s)) & (FLOW_SNAT | FLOW_DNAT));
		return;
	}
	flow_key(t, index, dir, &arrives);
	flow_key(t, index, !dir, &other);
	ct_reply_key(&other, &leaves);
	generation = __atomic_load_n(&e->dp.cfg->nht->generation, __ATOMIC_ACQUIRE);
	remembered = own->fib_generation == generation &&
		     (!e->dp.cfg->ruled || flow_came_by(flow_state(record(&s)), dir, e->p.iface));
	if (by_filter(e, own, generation) && !judge_before(e, &arrives, &leaves, record(&s), dir))
		return;
	to = arrives; /* its source is translated behind routing */
	memcpy(to.dst, leaves.dst, sizeof(to.dst));
	to.dport = leaves.dport;
	if (remembered)
		explain_route_known(e, &leaves, slot = own->nexthop);
	else
		slot = explain_route(e, &to);
	way_of(e, record(&s), dir, index, &arrives, &leaves);
	if (!allowed(e, &arrives, &leaves, record(&s), dir, flow_state(record(&s)) & ~before, slot))
		return;
	if (flow_state(record(&s)) & (FLOW_SNAT | FLOW_DNAT))
		tell_translation(e, &arrives, &leaves);
	explain_leave(e, &leaves, slot);
}
