/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/net/hooks.h"

#include <string.h>

uint8_t passage_status(uint32_t state)
{
	uint8_t status = 0;

	if (state & FLOW_REPLIED)
		status |= CONF_STATUS_REPLIED;
	if (state & FLOW_ASSURED)
		status |= CONF_STATUS_ASSURED;
	if (state & FLOW_SNAT)
		status |= CONF_STATUS_SNAT;
	if (state & FLOW_DNAT)
		status |= CONF_STATUS_DNAT;
	if (state & FLOW_FORWARDED)
		status |= CONF_STATUS_FORWARDED;
	return status;
}

static void see_transport(struct match_packet *m, const struct pkt *p)
{
	const uint8_t *l4 = p->l3 + p->l4;
	unsigned left = p->len > p->l4 ? p->len - p->l4 : 0;
	bool icmp = p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6;

	m->fragment = p->flags & PKT_LATER_FRAG;
	if (m->fragment && icmp) { /* as the first: its flow's key has them */
		m->icmp_type = (uint8_t)(ntohs(m->key.dport) >> 8);
		m->icmp_code = (uint8_t)ntohs(m->key.dport);
	}
	if (m->fragment || !p->l4)
		return;
	if (p->proto == IPPROTO_TCP && left >= 14)
		m->tcp_flags = l4[13];
	if (icmp && left >= 2) {
		m->icmp_type = l4[0];
		m->icmp_code = l4[1];
	}
}

void passage_view(struct match_packet *m, const struct dp *dp, const struct pkt *p,
		  const struct flow_key *key)
{
	memset(m, 0, sizeof(*m));
	m->key = *key;
	m->in = dp->cfg->iface[p->iface].name_id;
	m->len = p->len;
	m->now = dp->now;
	m->worker = dp->worker;
	m->mark = p->mark;
	if (p->flags & PKT_IP6) {
		uint32_t word;

		memcpy(&word, p->l3, 4);
		m->tos = (uint8_t)(ntohl(word) >> 20);
		m->ttl = pkt_ip6(p)->hops;
	} else {
		m->tos = pkt_ip4(p)->tos;
		m->ttl = pkt_ip4(p)->ttl;
	}
	see_transport(m, p);
}

void passage_begin(struct passage *g, struct dp *dp, const struct pkt *p,
		   const struct flow_key *key, uint8_t ct)
{
	memset(g, 0, sizeof(*g));
	passage_view(&g->m, dp, p, key);
	g->dp = dp;
	g->filter = dp->policy->filter;
	g->generation = dp->generation;
	g->m.ct = ct;
}

/* Destination NAT has been at work behind FILTER_MANGLE, source NAT behind FILTER_POST. */
static void show_destination(struct match_packet *m, const struct flow_key *leaves)
{
	memcpy(m->key.dst, leaves->dst, sizeof(m->key.dst));
	m->key.dport = leaves->dport;
}

static void show_source(struct match_packet *m, const struct flow_key *leaves)
{
	memcpy(m->key.src, leaves->src, sizeof(m->key.src));
	m->key.sport = leaves->sport;
}

bool passage_before(struct passage *g, const struct flow_key *leaves)
{
	if (!passage_stage(g, FILTER_MANGLE))
		return false;
	show_destination(&g->m, leaves);
	return passage_stage(g, FILTER_DSTNAT);
}

bool passage_behind(struct passage *g, const struct flow_key *leaves, uint16_t out)
{
	g->m.out = out;
	if (!passage_stage(g, FILTER_FORWARD) || !passage_stage(g, FILTER_POST))
		return false;
	show_source(&g->m, leaves);
	return passage_stage(g, FILTER_SRCNAT);
}

bool passage_through(struct passage *g, const struct flow_key *leaves, uint16_t out)
{
	return passage_before(g, leaves) && passage_behind(g, leaves, out);
}

void passage_log(void *arg, uint16_t rule, const struct match_packet *m)
{
	const struct passage *g = arg;
	struct dp_note n = { .rule = rule,
			     .generation = g->generation,
			     .in = m->in,
			     .out = m->out,
			     .len = m->len,
			     .ttl = m->ttl,
			     .tcp_flags = m->tcp_flags,
			     .family = m->key.family,
			     .proto = m->key.proto,
			     .sport = m->key.sport,
			     .dport = m->key.dport };

	memcpy(n.src, m->key.src, sizeof(n.src));
	memcpy(n.dst, m->key.dst, sizeof(n.dst));
	if (!g->dp->note || !g->dp->note(g->dp, &n))
		dp_event(g->dp, EVENT_LOG_LOST);
}
