/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet does to its flow: how long it lives from now on, and whether the packet belongs to
 * it at all.
 *
 * TCP has its own tracker (tcp.h). UDP, GRE and SCTP live longer once they were answered (UDP only
 * when that lasts: nf_conntrack's rule, so that a query and its answer do not count as a stream);
 * ICMP queries and everything else have one timer. Checksums are verified where a forged packet
 * would do most harm: of a flow's first packet, of TCP's SYN, FIN and RST, and of ICMP. Data inside
 * an established flow are left to their receiver.
 */
#include "router/net/ct.h"

#include "router/net/frag.h"
#include "router/net/tcp_window.h"

static bool is_tcp(const struct pkt *p)
{
	return p->proto == IPPROTO_TCP;
}

static bool segment_of(const struct pkt *p, struct tcp_segment *s)
{
	return tcp_parse(p->l3 + p->l4, (uint32_t)p->len - p->l4, s);
}

static bool has_streams(uint8_t proto)
{
	return proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE || proto == IPPROTO_GRE ||
	       proto == IPPROTO_SCTP;
}

static uint32_t timeout_of(const struct ct_options *o, uint8_t proto, bool stream)
{
	switch (proto) {
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE: return stream ? o->udp_stream : o->udp;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: return o->icmp;
	case IPPROTO_GRE: return stream ? o->gre_stream : o->gre;
	case IPPROTO_SCTP: return stream ? o->sctp_established : o->sctp;
	default: return o->generic;
	}
}

bool ct_may_begin(const struct ct_options *o, const struct pkt *p)
{
	struct tcp_segment s;

	if (o->checksum && !ct_checksum_ok(p))
		return false;
	if (p->flags & PKT_LATER_FRAG)
		return true;
	if (p->proto == IPPROTO_ICMP) { /* queries; an answer answers nothing here (C10) */
		uint8_t type = p->l3[p->l4];

		return type == 8 || type == 13 || type == 15 || type == 17;
	}
	if (p->proto == IPPROTO_ICMPV6)
		return p->l3[p->l4] == 128;
	if (!is_tcp(p))
		return true;
	if (!segment_of(p, &s))
		return false;
	switch (tcp_table[FLOW_ORIG][s.kind][TCP_NONE]) {
	case TCP_INVALID: return s.kind == TCP_K_SYNACK && o->tcp.liberal;
	case TCP_ESTABLISHED: return o->tcp.loose;
	default: return true;
	}
}

bool ct_first(const struct ct_options *o, struct flow_table *t, uint32_t index, const struct pkt *p,
	      uint32_t *timeout)
{
	struct flow *f = flow_at(t, index);
	struct tcp_segment s;

	if (!is_tcp(p) || p->flags & PKT_LATER_FRAG) {
		*timeout = timeout_of(o, p->proto, false);
		return true;
	}
	return segment_of(p, &s) &&
	       tcp_first(&s, &o->tcp, f, flow_half_of(f, FLOW_ORIG), flow_half_of(f, FLOW_REPLY),
			 &o->tcp_timeouts, timeout) != TCP_INVALID;
}

/* Of a connection of TCP its windows are not known. */
uint32_t ct_taken(const struct ct_options *o, struct flow *f, uint32_t state)
{
	__atomic_fetch_or(
		&f->state,
		state & (FLOW_TCP_STATE | FLOW_REPLIED | FLOW_ASSURED | FLOW_SNAT | FLOW_DNAT),
		__ATOMIC_RELAXED);
	if (f->proto != IPPROTO_TCP)
		return timeout_of(o, f->proto, state & FLOW_REPLIED);
	tcp_forget(flow_half_of(f, FLOW_ORIG));
	tcp_forget(flow_half_of(f, FLOW_REPLY));
	return o->tcp_timeouts.state[state & FLOW_TCP_STATE];
}

static enum ct_verdict track_tcp(const struct ct_options *o, struct flow *f, enum flow_dir dir,
				 struct flow_half *own, struct flow_half *peer, const struct pkt *p,
				 uint32_t *timeout)
{
	struct tcp_segment s;

	if (!segment_of(p, &s))
		return CT_REFUSE;
	if (s.kind != TCP_K_ACK && o->checksum && !ct_checksum_ok(p))
		return CT_REFUSE;
	switch (tcp_track(&s, &o->tcp, f, dir, own, peer, &o->tcp_timeouts, timeout)) {
	case TCP_PASS: return CT_PASS;
	case TCP_PASS_BY:
		/* Also what opens nothing is an answer, as nf_conntrack has it. */
		if (dir == FLOW_REPLY && !(flow_state(f) & FLOW_REPLIED))
			flow_set(f, FLOW_REPLIED);
		return CT_PASS_BY;
	case TCP_NEW_FLOW: return CT_REOPEN;
	case TCP_REFUSE: break;
	}
	return CT_REFUSE;
}

enum ct_verdict ct_track(const struct ct_options *o, struct flow *f, enum flow_dir dir,
			 struct flow_half *own, struct flow_half *peer, const struct pkt *p,
			 uint32_t tick, uint32_t *timeout)
{
	uint32_t state = flow_state(f);
	bool answered = state & FLOW_REPLIED, stream = false;
	bool inbound = o->outbound_refresh && dir != ct_outbound(state);

	if (p->flags & PKT_LATER_FRAG) { /* of a datagram whose first fragment was tracked */
		*timeout = own->timeout ? own->timeout : timeout_of(o, f->proto, false);
		return inbound || f->proto == IPPROTO_TCP ? CT_PASS_BY : CT_PASS;
	}
	if (is_tcp(p))
		return track_tcp(o, f, dir, own, peer, p, timeout);
	if ((p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6) && o->checksum &&
	    !ct_checksum_ok(p))
		return CT_REFUSE;
	if (dir == FLOW_REPLY && !answered)
		flow_set(f, FLOW_REPLIED);
	if (has_streams(p->proto) && answered) { /* a stream is what goes on after an answer */
		bool udp = p->proto == IPPROTO_UDP || p->proto == IPPROTO_UDPLITE;

		stream = !udp || (int32_t)(tick - f->made) > (int32_t)CT_UDP_STREAM_AGE;
		if (stream && !(state & FLOW_ASSURED))
			flow_set(f, FLOW_ASSURED);
	}
	*timeout = timeout_of(o, p->proto, stream);
	return inbound ? CT_PASS_BY : CT_PASS;
}

/* At most what a datagram holds: the base may be of one that was refused. */
void ct_fragment(struct flow_half *own, const struct pkt *p, uint32_t base)
{
	uint32_t end, ahead;

	if (p->proto != IPPROTO_TCP || !(p->flags & PKT_LATER_FRAG) || !own->maxwin)
		return;
	end = base + frag_start(p) + p->len - p->l4;
	ahead = end - tcp_get(&own->end);
	if (ahead && ahead <= UINT16_MAX)
		tcp_put(&own->end, end);
}
