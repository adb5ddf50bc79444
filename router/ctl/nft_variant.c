// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For which packets a rule makes sense at all: see nft_internal.h.
 *
 * A rule of ours may look at addresses of both families, at ports without saying of which protocol,
 * at ICMP types of one family: each of nftables' is for one. So a rule becomes one for each family
 * that can match, and its protocols are those that all it looks at leaves.
 */
#include "router/ctl/nft_internal.h"

#include <netinet/in.h>

static bool set_has_address(const struct nft_text *t, const char *name)
{
	const struct conf_set *s = nft_set_find(t->conf, name);

	return s && nft_set_has_address(s);
}

static bool has_family(const struct nft_text *t)
{
	const struct conf_match *m = &t->rule->match;

	return nft_action_has_family(t->rule) || m->family || m->from.nranges || m->from.set[0] ||
	       m->to.nranges || m->to.set[0] || m->nicmp || m->dscp || m->ttl_max || m->fragment ||
	       m->connections_over || (m->rate.used && m->rate.per != CONF_PER_RULE) ||
	       set_has_address(t, m->lookup.set);
}

static bool addresses_allow(const struct conf_addresses *a, int family)
{
	for (unsigned i = 0; i < a->nranges; i++)
		if (a->ranges[i].first.family == family)
			return true;
	return !a->nranges;
}

static bool has_ports(unsigned proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_DCCP || proto == IPPROTO_UDPLITE;
}

bool nft_key_has_address(const enum conf_source *key, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (key[i] == CONF_SOURCE_FROM || key[i] == CONF_SOURCE_TO)
			return true;
	return false;
}

bool nft_key_has_ports(const enum conf_source *key, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (key[i] == CONF_SOURCE_SPORT || key[i] == CONF_SOURCE_DPORT)
			return true;
	return false;
}

static bool asks_for_ports(const struct conf_match *m)
{
	return m->sport.nranges || m->sport.set[0] || m->dport.nranges || m->dport.set[0] ||
	       (m->lookup.set[0] && nft_key_has_ports(m->lookup.key, m->lookup.nkey));
}

static bool icmp_allows(const struct conf_match *m, int family, unsigned proto)
{
	if (!m->nicmp)
		return true;
	for (unsigned i = 0; i < m->nicmp; i++)
		if (m->icmp[i].family == family)
			return proto == (family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	return false;
}

unsigned nft_protocols(const struct conf_match *m, int family, uint8_t out[256])
{
	bool listed[256] = {};
	unsigned n = 0;

	for (unsigned i = 0; i < m->nprotos; i++)
		listed[m->protos[i]] = true;
	for (unsigned proto = 0; proto < 256; proto++)
		if ((!m->nprotos || listed[proto]) && icmp_allows(m, family, proto) &&
		    (!m->flags_mask || proto == IPPROTO_TCP) &&
		    (!asks_for_ports(m) || has_ports(proto)))
			out[n++] = (uint8_t)proto;
	return n;
}

unsigned nft_variants(struct nft_text *t, struct nft_variant out[NFT_VARIANTS])
{
	static const int families[] = { AF_INET, AF_INET6 };
	const struct conf_match *m = &t->rule->match;
	uint8_t protos[256];
	unsigned n = 0;

	if (!has_family(t)) {
		out[0] = (struct nft_variant){ .family = 0 };
		return nft_protocols(m, 0, protos) ? 1 : 0;
	}
	for (int i = 0; i < 2; i++) {
		if ((m->family && m->family != families[i]) ||
		    !addresses_allow(&m->from, families[i]) ||
		    !addresses_allow(&m->to, families[i]) || !nft_protocols(m, families[i], protos))
			continue;
		out[n++] = (struct nft_variant){ .family = families[i] };
		if (m->fragment == 2 && families[i] == AF_INET6)
			out[n++] = (struct nft_variant){ .family = AF_INET6, .fragmented = true };
	}
	return n;
}
