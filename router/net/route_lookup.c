/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lookups of route.h, which ask the rules of policy routing where there are any. [worker] */
#include <string.h>

#include "router/net/flow.h"
#include "router/net/l4.h"
#include "router/net/parse.h"
#include "router/net/route.h"
#include "router/net/rules.h"

uint8_t route_tos(const struct pkt *p)
{
	uint32_t word;

	if (!(p->flags & PKT_IP6))
		return pkt_ip4(p)->tos;
	memcpy(&word, p->l3, 4);
	return (uint8_t)(ntohl(word) >> 20);
}

static uint32_t label_of(const struct pkt *p)
{
	uint32_t word;

	if (!(p->flags & PKT_IP6))
		return 0;
	memcpy(&word, p->l3, 4);
	return ntohl(word) & 0xfffff;
}

/* Protocols whose ports Linux shows to rules. */
static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_DCCP || proto == IPPROTO_UDPLITE;
}

/* No fragment shows its ports, as in Linux without connection tracking. */
static void view_ports(struct rule_packet *v, struct pkt *p)
{
	parse_transport(p);
	v->proto = p->proto;
	if (p->flags & PKT_FRAGMENT || !p->l4 || p->l4 + 4u > p->len || !has_ports(p->proto))
		return;
	v->sport = ntohs(l4_load16(p->l3 + p->l4));
	v->dport = ntohs(l4_load16(p->l3 + p->l4 + 2));
}

static uint32_t lookup_ruled(const struct dp *dp, const struct rule_list *l, struct pkt *p)
{
	bool six = p->flags & PKT_IP6;
	struct rule_packet v = {
		.src = six ? pkt_ip6(p)->src : (const uint8_t *)&pkt_ip4(p)->src,
		.dst = six ? pkt_ip6(p)->dst : (const uint8_t *)&pkt_ip4(p)->dst,
		.mark = p->mark,
		.label = label_of(p),
		.tos = route_tos(p),
	};

	if (l->ports)
		view_ports(&v, p);
	return rules_lookup(l, dp->cfg->nht, &v, NULL);
}

static uint32_t lookup_plain(const struct dp_iface *in, const struct pkt *p)
{
	return p->flags & PKT_IP6 ? route_to(in, AF_INET6, pkt_ip6(p)->dst)
				  : route_to(in, AF_INET, (const uint8_t *)&pkt_ip4(p)->dst);
}

uint32_t route_lookup(const struct dp *dp, struct pkt *p)
{
	const struct dp_iface *in = &dp->cfg->iface[p->iface];
	const struct rule_list *l = route_rules(in, p->flags & PKT_IP6);

	return l ? lookup_ruled(dp, l, p) : lookup_plain(in, p);
}

uint32_t route_own(const struct dp *dp, struct pkt *p)
{
	const struct dp_iface *in = &dp->cfg->iface[p->iface];
	const struct rule_list *l = p->flags & PKT_IP6 ? in->own6 : in->own4;

	return l ? lookup_ruled(dp, l, p) : lookup_plain(in, p);
}

uint32_t route_flow(const struct dp *dp, const struct pkt *p, const struct flow_key *key,
		    uint32_t mark, uint8_t tos, unsigned *decided)
{
	const struct dp_iface *in = &dp->cfg->iface[p->iface];
	const struct rule_list *l = route_rules(in, key->family == AF_INET6);
	struct rule_packet v = { .src = key->src,
				 .dst = key->dst,
				 .mark = mark,
				 .label = label_of(p),
				 .tos = tos,
				 .proto = key->proto };

	if (!l)
		return route_to(in, key->family, key->dst);
	if (has_ports(key->proto)) {
		v.sport = ntohs(key->sport);
		v.dport = ntohs(key->dport);
	}
	return rules_lookup(l, dp->cfg->nht, &v, decided);
}

uint32_t route_back(const struct dp *dp, const struct pkt *p)
{
	const struct dp_iface *in = &dp->cfg->iface[p->iface];
	bool six = p->flags & PKT_IP6;
	const struct rule_list *l = route_rules(in, six);
	struct rule_packet v = {
		.src = six ? pkt_ip6(p)->dst : (const uint8_t *)&pkt_ip4(p)->dst,
		.dst = six ? pkt_ip6(p)->src : (const uint8_t *)&pkt_ip4(p)->src,
		.mark = p->mark,
		.tos = route_tos(p),
	};
	struct pkt walk = *p;
	uint16_t sport;

	if (!l)
		return route_to(in, six ? AF_INET6 : AF_INET, v.dst);
	if (l->ports)
		view_ports(&v, &walk);
	sport = v.sport;
	v.sport = v.dport;
	v.dport = sport;
	return rules_lookup(l, dp->cfg->nht, &v, NULL);
}
