// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a rule looks at, in nft's words: see nft_internal.h.
 *
 * The meaning is that of router/net/match.h, part by part: a list of addresses speaks only of the
 * families it has addresses of, negated or not; ports are those of the protocols that have some,
 * and a negation does not take the others in; TCP flags and ICMP types imply their protocols.
 * Whatever keeps count comes last, so that only packets count that all else has let through.
 * Numbers are written as numbers: names would have to be known on this host.
 */
#include "router/ctl/nft_internal.h"

#include <netinet/in.h>
#include <string.h>

/* Rates of sources are kept at least so long after the last packet. */
#define RATE_KEPT_MIN_S 60
#define RATE_KEPT_MAX_S (24 * 3600)
#define SOURCES_MAX	65536u

const char *nft_family_word(int family)
{
	return family == AF_INET ? "ipv4" : "ipv6";
}

static const char *ip(int family)
{
	return family == AF_INET ? "ip" : "ip6";
}

/* A list of n things in braces, or the one. */
static void list_begin(unsigned n, FILE *f)
{
	fputs(n > 1 ? "{ " : "", f);
}

static void list_end(unsigned n, FILE *f)
{
	fputs(n > 1 ? " } " : " ", f);
}

static void set_reference(struct nft_text *t, const char *name, bool negate, int family, FILE *f)
{
	const struct conf_set *s = nft_set_find(t->conf, name);
	char set[NFT_SET_NAME];

	if (!s) {
		nft_refuse(t, "there is no set \"%s\"", name);
		return;
	}
	fprintf(f, "%s@%s ", negate ? "!= " : "", nft_set_name(s, family, set));
}

/* ---- parts */

const char *nft_netdev(struct nft_text *t, const char *iface)
{
	const char *netdev = iface;

	for (unsigned i = 0; i < t->conf->nifaces; i++) {
		const struct conf_iface *f = &t->conf->ifaces[i];

		if (strcmp(f->name, iface) != 0)
			continue;
		netdev = f->netdev;
		if (!netdev[0] && t->netdev)
			netdev = t->netdev(t->netdev_arg, iface);
		if (!netdev || !netdev[0]) {
			nft_refuse(t, "interface \"%s\" is not there yet: its name is not known",
				   iface);
			return iface;
		}
	}
	if (strpbrk(netdev, "\"\\*"))
		nft_refuse(t, "nftables cannot name the interface \"%s\"", netdev);
	return netdev;
}

static const struct conf_zone *zone_find(const struct conf *c, const char *name)
{
	for (unsigned i = 0; i < c->nzones; i++)
		if (!strcmp(c->zones[i].name, name))
			return &c->zones[i];
	return NULL;
}

/* Quoted names of interfaces; those of a zone in its place. How many. */
static unsigned interface_list(struct nft_text *t, const struct conf_names *l, FILE *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->nnames; i++) {
		const struct conf_zone *z = zone_find(t->conf, l->names[i]);

		if (z && (z->interfaces.set[0] || z->interfaces.negate))
			nft_refuse(t, "zone \"%s\" is no list of interfaces", z->name);
		if (z)
			for (unsigned k = 0; k < z->interfaces.nnames; k++)
				fprintf(f, "%s\"%s\"", n++ ? ", " : "",
					nft_netdev(t, z->interfaces.names[k]));
		else
			fprintf(f, "%s\"%s\"", n++ ? ", " : "", nft_netdev(t, l->names[i]));
	}
	return n;
}

void nft_interfaces(struct nft_text *t, const char *what, const struct conf_names *l, FILE *f)
{
	if (l->set[0]) {
		fprintf(f, "%s ", what);
		set_reference(t, l->set, l->negate, 0, f);
		return;
	}
	if (!l->nnames)
		return;
	fprintf(f, "%s %s{ ", what, l->negate ? "!= " : "");
	if (!interface_list(t, l, f))
		nft_refuse(t, "zone \"%s\" has no interfaces", l->names[0]);
	fputs(" } ", f);
}

static void addresses(struct nft_text *t, const char *what, const struct conf_addresses *a,
		      int family, FILE *f)
{
	char first[ADDR_STRLEN], last[ADDR_STRLEN];
	const char *before = "";

	if (!a->set[0] && !a->nranges)
		return;
	fprintf(f, "%s %s ", ip(family), what);
	if (a->set[0]) {
		set_reference(t, a->set, a->negate, family, f);
		return;
	}
	fprintf(f, "%s{ ", a->negate ? "!= " : "");
	for (unsigned i = 0; i < a->nranges; i++) {
		const struct conf_range *r = &a->ranges[i];

		if (r->first.family != family)
			continue;
		fprintf(f, "%s%s", before, addr_format(&r->first, first));
		if (!addr_equal(&r->first, &r->last))
			fprintf(f, "-%s", addr_format(&r->last, last));
		before = ", ";
	}
	fputs(" } ", f);
}

static void protocol(const struct conf_match *m, int family, FILE *f)
{
	uint8_t protos[256];
	unsigned n = nft_protocols(m, family, protos);

	if (n == 256)
		return;
	fputs("meta l4proto ", f);
	list_begin(n, f);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s%u", i ? ", " : "", protos[i]);
	list_end(n, f);
}

static void ports(struct nft_text *t, const char *what, const struct conf_ports *p, FILE *f)
{
	if (!p->set[0] && !p->nranges)
		return;
	fprintf(f, "th %s ", what);
	if (p->set[0]) {
		set_reference(t, p->set, p->negate, 0, f);
		return;
	}
	fputs(p->negate ? "!= " : "", f);
	list_begin(p->nranges, f);
	for (unsigned i = 0; i < p->nranges; i++) {
		fprintf(f, "%s%u", i ? ", " : "", p->ranges[i].first);
		if (p->ranges[i].first != p->ranges[i].last)
			fprintf(f, "-%u", p->ranges[i].last);
	}
	list_end(p->nranges, f);
}

/* Types alone make a list; with a code anywhere, a list of pairs. */
static void icmp(const struct conf_match *m, int family, FILE *f)
{
	const char *what = family == AF_INET ? "icmp" : "icmpv6", *before = "";
	bool codes = false;

	if (!m->nicmp)
		return;
	for (unsigned i = 0; i < m->nicmp; i++)
		codes |= m->icmp[i].family == family && m->icmp[i].code >= 0;
	fprintf(f, "%s type ", what);
	if (codes)
		fprintf(f, ". %s code ", what);
	fputs("{ ", f);
	for (unsigned i = 0; i < m->nicmp; i++) {
		if (m->icmp[i].family != family)
			continue;
		fprintf(f, "%s%u", before, m->icmp[i].type);
		before = ", ";
		if (codes && m->icmp[i].code >= 0)
			fprintf(f, " . %d", m->icmp[i].code);
		else if (codes)
			fputs(" . 0-255", f);
	}
	fputs(" } ", f);
}

static void dscp(const struct conf_match *m, int family, FILE *f)
{
	const char *before = "";

	if (!m->dscp)
		return;
	fprintf(f, "%s dscp { ", ip(family));
	for (unsigned d = 0; d < 64; d++)
		if (m->dscp >> d & 1) {
			fprintf(f, "%s%u", before, d);
			before = ", ";
		}
	fputs(" } ", f);
}

/* Words of the bits set, as a list of any of them. */
static void words(const char *what, unsigned bits, const char *const *word, unsigned n, FILE *f)
{
	const char *before = "";

	if (!bits)
		return;
	fprintf(f, "%s ", what);
	for (unsigned i = 0; i < n; i++)
		if (bits >> i & 1) {
			fprintf(f, "%s%s", before, word[i]);
			before = ",";
		}
	fputc(' ', f);
}

static void connection(const struct conf_match *m, FILE *f)
{
	static const char *const states[] = { "new", "established", "related", "invalid",
					      "untracked" };
	static const char *const status[] = { "seen-reply", "assured", "snat", "dnat" };

	words("ct state", m->ct, states, 5, f);
	words("ct status", m->status, status, 4, f);
}

static void span(const char *what, unsigned min, unsigned max, FILE *f)
{
	if (!max)
		return;
	fprintf(f, "%s %u", what, min);
	if (min != max)
		fprintf(f, "-%u", max);
	fputc(' ', f);
}

/* IPv6 says where a fragment lies only in a header of its own, which most packets lack. So "no
 * fragment" is two rules there: no such header, or one that begins the packet. */
static void fragment(const struct conf_match *m, const struct nft_variant *v, FILE *f)
{
	if (!m->fragment)
		return;
	if (v->family == AF_INET)
		fprintf(f, "ip frag-off & 0x1fff %s 0 ", m->fragment == 1 ? "!=" : "==");
	else if (m->fragment == 1)
		fputs("frag frag-off != 0 ", f);
	else
		fputs(v->fragmented ? "frag frag-off 0 " : "exthdr frag missing ", f);
}

void nft_key(const enum conf_source *key, unsigned n, int family, FILE *f)
{
	for (unsigned i = 0; i < n; i++) {
		fputs(i ? " . " : "", f);
		switch (key[i]) {
		case CONF_SOURCE_FROM: fprintf(f, "%s saddr", ip(family)); break;
		case CONF_SOURCE_TO: fprintf(f, "%s daddr", ip(family)); break;
		case CONF_SOURCE_SPORT: fputs("th sport", f); break;
		case CONF_SOURCE_DPORT: fputs("th dport", f); break;
		case CONF_SOURCE_IN: fputs("iifname", f); break;
		case CONF_SOURCE_OUT: fputs("oifname", f); break;
		case CONF_SOURCE_PROTO: fputs("meta l4proto", f); break;
		case CONF_SOURCE_MARK: fputs("meta mark", f); break;
		}
	}
}

static void lookup(struct nft_text *t, const struct conf_lookup *l, int family, FILE *f)
{
	if (!l->set[0])
		return;
	nft_key(l->key, l->nkey, family, f);
	fputc(' ', f);
	set_reference(t, l->set, l->negate, family, f);
}

/* ---- what keeps count */

void nft_rate(struct nft_text *t, uint32_t count, uint32_t period_ms, uint32_t burst, bool over,
	      FILE *f)
{
	static const struct {
		uint32_t ms;
		const char *name;
	} units[] = {
		{ 1000, "second" }, { 60000, "minute" }, { 3600000, "hour" }, { 86400000, "day" }
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].ms == period_ms) {
			fprintf(f, "rate %s%u/%s burst %u packets", over ? "over " : "", count,
				units[i].name, burst);
			return;
		}
	nft_refuse(t, "nftables knows rates by the second, minute, hour and day");
}

static uint32_t burst_of(const struct conf_rate *r)
{
	if (r->burst)
		return r->burst;
	return r->count > 5 ? r->count : 5;
}

static void rate_text(struct nft_text *t, const struct conf_rate *r, FILE *f)
{
	nft_rate(t, r->count, r->period_ms, burst_of(r), r->over, f);
}

/* Who is counted: an address, of IPv6 its network of 64 bits. */
static void counted(const char *what, int family, FILE *f)
{
	fprintf(f, "%s %s%s ", ip(family), what,
		family == AF_INET ? "" : " & ffff:ffff:ffff:ffff::");
}

static void counting(struct nft_text *t, const struct conf_match *m, int family, FILE *f)
{
	if (m->connections_over) {
		fprintf(f, "ct state new add @conn-%u-%s { ", t->number, nft_family_word(family));
		counted("saddr", family, f);
		fprintf(f, "ct count over %u } ", m->connections_over);
	}
	if (!m->rate.used)
		return;
	if (m->rate.per == CONF_PER_RULE) {
		fprintf(f, "limit name \"limit-%u\" ", t->number);
		return;
	}
	fprintf(f, "update @rate-%u-%s { ", t->number, nft_family_word(family));
	counted(m->rate.per == CONF_PER_SOURCE ? "saddr" : "daddr", family, f);
	fputs("limit ", f);
	rate_text(t, &m->rate, f);
	fputs(" } ", f);
}

/* Until the bucket of a source that sends no more is full again. */
static uint32_t kept_s(const struct conf_rate *r)
{
	uint64_t s = (uint64_t)burst_of(r) * r->period_ms / 1000 / (r->count ? r->count : 1) + 1;

	return s < RATE_KEPT_MIN_S   ? RATE_KEPT_MIN_S
	       : s > RATE_KEPT_MAX_S ? RATE_KEPT_MAX_S
				     : (uint32_t)s;
}

void nft_match_objects(struct nft_text *t)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const struct conf_match *m = &t->rule->match;
	bool per_address = m->rate.used && m->rate.per != CONF_PER_RULE;

	if (m->rate.used && !per_address) {
		fprintf(t->out, "add limit inet %s limit-%u { ", t->table, t->number);
		rate_text(t, &m->rate, t->out);
		fputs("; }", t->out);
		nft_line_end(t);
	}
	for (int i = 0; i < 2; i++) {
		const char *word = nft_family_word(families[i]);

		if (m->connections_over) {
			fprintf(t->out,
				"add set inet %s conn-%u-%s { type %s_addr; flags dynamic; size "
				"%u; }",
				t->table, t->number, word, word, SOURCES_MAX);
			nft_line_end(t);
		}
		if (per_address) {
			fprintf(t->out,
				"add set inet %s rate-%u-%s { type %s_addr; flags dynamic,timeout; "
				"size %u; timeout %us; }",
				t->table, t->number, word, word, SOURCES_MAX, kept_s(&m->rate));
			nft_line_end(t);
		}
	}
}

/* ---- all of it */

void nft_match(struct nft_text *t, const struct nft_variant *v, FILE *f)
{
	const struct conf_match *m = &t->rule->match;

	if (v->family)
		fprintf(f, "meta nfproto %s ", nft_family_word(v->family));
	nft_interfaces(t, "iifname", &m->in, f);
	nft_interfaces(t, "oifname", &m->out, f);
	addresses(t, "saddr", &m->from, v->family, f);
	addresses(t, "daddr", &m->to, v->family, f);
	protocol(m, v->family, f);
	ports(t, "sport", &m->sport, f);
	ports(t, "dport", &m->dport, f);
	if (m->flags_mask)
		fprintf(f, "tcp flags & 0x%02x == 0x%02x ", m->flags_mask, m->flags);
	icmp(m, v->family, f);
	dscp(m, v->family, f);
	if (m->has_mark)
		fprintf(f, "meta mark & 0x%08x == 0x%08x ", m->mark_mask, m->mark & m->mark_mask);
	if (m->status & CONF_STATUS_FORWARDED)
		nft_refuse(t, "status forwarded: nothing at input or output is");
	connection(m, f);
	span("meta length", m->length_min, m->length_max, f);
	span(v->family == AF_INET ? "ip ttl" : "ip6 hoplimit", m->ttl_min, m->ttl_max, f);
	fragment(m, v, f);
	lookup(t, &m->lookup, v->family, f);
	counting(t, m, v->family, f);
}
