// SPDX-License-Identifier: GPL-2.0-or-later
/* See tc_filter.h. */
#include "router/ctl/tc_filter.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <net/ethernet.h>

#include "router/ctl/tc_action.h"
#include "router/ctl/tc_words.h"

/* ---- what a filter looks at */

enum {
	LOOKS_MARK = 1,
	LOOKS_U32 = 2,
	LOOKS_BPF = 4,
	LOOKS_HASH = 8,
	LOOKS_KEYS = 16,
	LOOKS_MORE = 32
};

static bool is_single_address(const struct conf_addresses *a)
{
	return !a->negate && !a->set[0] && a->nranges == 1 &&
	       prefix_between(&a->ranges[0].first, &a->ranges[0].last) >= 0;
}

static bool is_any_address(const struct conf_addresses *a)
{
	return !a->set[0] && !a->nranges;
}

static bool is_single_port(const struct conf_ports *p)
{
	return !p->negate && !p->set[0] && p->nranges == 1;
}

static bool is_any_port(const struct conf_ports *p)
{
	return !p->set[0] && !p->nranges;
}

/* More than a key of flower's may hold. */
static bool is_more(const struct conf_match *m)
{
	return m->in.nnames || m->in.set[0] || m->out.nnames || m->out.set[0] || m->nicmp ||
	       m->ct || m->status || m->length_max || m->ttl_max || m->fragment || m->rate.used ||
	       m->connections_over || m->lookup.set[0] || m->nprotos > 1 ||
	       (m->dscp & (m->dscp - 1)) ||
	       !(is_any_address(&m->from) || is_single_address(&m->from)) ||
	       !(is_any_address(&m->to) || is_single_address(&m->to)) ||
	       !(is_any_port(&m->sport) || is_single_port(&m->sport)) ||
	       !(is_any_port(&m->dport) || is_single_port(&m->dport));
}

static bool is_tagged(const struct conf_frame_match *f)
{
	return f->vlan >= 0 || f->vlan_priority >= 0;
}

static bool has_keys(const struct conf_match *m, const struct conf_frame_match *f)
{
	return m->nprotos || m->dscp || m->flags_mask || !is_any_address(&m->from) ||
	       !is_any_address(&m->to) || !is_any_port(&m->sport) || !is_any_port(&m->dport) ||
	       is_tagged(f) || f->has_src_mac || f->has_dst_mac;
}

static unsigned looks(const struct conf_tc_filter *f)
{
	return (f->match.has_mark ? LOOKS_MARK : 0u) | (f->frame.nu32 ? LOOKS_U32 : 0u) |
	       (f->frame.nbpf ? LOOKS_BPF : 0u) | (f->hash.keys ? LOOKS_HASH : 0u) |
	       (has_keys(&f->match, &f->frame) ? LOOKS_KEYS : 0u) |
	       (is_more(&f->match) ? LOOKS_MORE : 0u);
}

/* The ethertype that a packet must have; 0: any. */
static uint16_t ethertype_of(const struct conf_tc_filter *f)
{
	const struct conf_match *m = &f->match;
	uint8_t family = m->family;

	if (f->frame.ethertype)
		return f->frame.ethertype;
	if (!family && m->from.nranges == 1 && !m->from.negate)
		family = m->from.ranges[0].first.family;
	if (!family && m->to.nranges == 1 && !m->to.negate)
		family = m->to.ranges[0].first.family;
	return family == AF_INET ? ETHERTYPE_IP : family == AF_INET6 ? ETHERTYPE_IPV6 : 0;
}

static void print_protocol(FILE *out, uint16_t ethertype)
{
	switch (ethertype) {
	case 0: fputs("all", out); break;
	case ETHERTYPE_IP: fputs("ip", out); break;
	case ETHERTYPE_IPV6: fputs("ipv6", out); break;
	case ETHERTYPE_ARP: fputs("arp", out); break;
	case ETHERTYPE_VLAN: fputs("802.1Q", out); break;
	default: fprintf(out, "[%u]", ethertype);
	}
}

/* ---- flower's keys */

static void print_address(FILE *out, const char *key, const struct conf_addresses *a)
{
	const struct conf_range *r = a->ranges;
	char buf[ADDR_STRLEN];
	int len;

	if (is_any_address(a))
		return;
	len = prefix_between(&r->first, &r->last);
	fprintf(out, "\n  %s %s", key, addr_format(&r->first, buf));
	if (len < (int)addr_bits(&r->first))
		fprintf(out, "/%d", len);
}

static void print_port(FILE *out, const char *key, const struct conf_ports *p)
{
	const struct conf_port_range *r = p->ranges;

	if (is_any_port(p))
		return;
	fprintf(out, "\n  %s %u", key, r->first);
	if (r->last != r->first)
		fprintf(out, "-%u", r->last);
}

static void print_ip_proto(FILE *out, uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: fputs("\n  ip_proto tcp", out); break;
	case IPPROTO_UDP: fputs("\n  ip_proto udp", out); break;
	case IPPROTO_SCTP: fputs("\n  ip_proto sctp", out); break;
	case IPPROTO_ICMP: fputs("\n  ip_proto icmp", out); break;
	case IPPROTO_ICMPV6: fputs("\n  ip_proto icmpv6", out); break;
	default: fprintf(out, "\n  ip_proto %02x", proto);
	}
}

static void print_frame_keys(FILE *out, const struct conf_frame_match *f)
{
	char mac[MAC_STRLEN];

	if (f->vlan >= 0)
		fprintf(out, "\n  vlan_id %d", f->vlan);
	if (f->vlan_priority >= 0)
		fprintf(out, "\n  vlan_prio %d", f->vlan_priority);
	if (f->has_dst_mac)
		fprintf(out, "\n  dst_mac %s", mac_format(f->dst_mac, mac));
	if (f->has_src_mac)
		fprintf(out, "\n  src_mac %s", mac_format(f->src_mac, mac));
}

/* ---- the other kinds */

static void print_class(FILE *out, const char *word, uint32_t classid)
{
	char buf[TC_STRLEN];

	if (classid)
		fprintf(out, "%s %s ", word, tc_handle(classid, buf));
}

static void print_flower(FILE *out, const struct tc_filter_line *f)
{
	const struct conf_match *m = &f->conf->match;
	uint16_t ethertype = ethertype_of(f->conf);

	fprintf(out, "handle 0x%x ", f->node);
	print_class(out, "classid", f->conf->classid);
	print_frame_keys(out, &f->conf->frame);
	if (ethertype == ETHERTYPE_IP || ethertype == ETHERTYPE_IPV6)
		fprintf(out, "\n  eth_type %s", ethertype == ETHERTYPE_IP ? "ipv4" : "ipv6");
	else if (ethertype)
		fprintf(out, "\n  eth_type %04x", ethertype);
	if (m->nprotos)
		print_ip_proto(out, m->protos[0]);
	if (m->dscp)
		fprintf(out, "\n  ip_tos %d/0xfc", 4 * __builtin_ctzll(m->dscp));
	print_address(out, "dst_ip", &m->to);
	print_address(out, "src_ip", &m->from);
	print_port(out, "dst_port", &m->dport);
	print_port(out, "src_port", &m->sport);
	if (m->flags_mask)
		fprintf(out, "\n  tcp_flags 0x%x/%x", m->flags, m->flags_mask);
	fputs("\n  not_in_hw", out);
}

/* Linux compares words of four bytes; a narrower field has its place in one. */
static void print_u32_key(FILE *out, const struct conf_u32 *k)
{
	int shift = 8 * (4 - k->width - (k->at & 3));
	int32_t at = shift < 0 ? k->at : k->at & ~3;

	if (shift < 0) /* reaches into the next word */
		shift = 0;
	fprintf(out, "\n  match %08x/%08x at %s%d", k->value << shift, k->mask << shift,
		k->nexthdr ? "nexthdr+" : "", at);
}

/* Linux also counts how often it looked; here only what matched is known. */
static void print_u32(FILE *out, const struct tc_filter_line *f)
{
	const struct conf_frame_match *m = &f->conf->frame;
	uint64_t hits = f->info->packets;

	fprintf(out, "fh %x::%x order %u key ht %x bkt 0 ", f->table, 0x7ff + f->node,
		0x7ff + f->node, f->table);
	print_class(out, "*flowid", f->conf->classid);
	fputs("not_in_hw ", out);
	if (f->statistics)
		fprintf(out, "(rule hit %" PRIu64 " success %" PRIu64 ")", hits, hits);
	for (unsigned i = 0; i < m->nu32; i++) {
		print_u32_key(out, &m->u32[i]);
		if (f->statistics)
			fprintf(out, " (success %" PRIu64 " ) ", hits);
	}
}

static void print_bpf(FILE *out, const struct tc_filter_line *f)
{
	const struct conf_frame_match *m = &f->conf->frame;

	fprintf(out, "handle 0x%x ", f->node);
	print_class(out, "flowid", f->conf->classid);
	fprintf(out, "not_in_hw bytecode '%u,", m->nbpf);
	for (unsigned i = 0; i < m->nbpf; i++)
		fprintf(out, "%u %u %u %u%c", m->bpf[i].code, m->bpf[i].jt, m->bpf[i].jf,
			m->bpf[i].k, i + 1 < m->nbpf ? ',' : '\'');
}

static void print_flow(FILE *out, const struct tc_filter_line *f)
{
	static const char *const keys[] = { "src",	 "dst",	 "proto", "proto-src",
					    "proto-dst", "mark", "dscp" };
	const struct conf_hash_class *h = &f->conf->hash;
	const char *before = "";
	char buf[TC_STRLEN];

	fprintf(out, "handle 0x%x hash keys ", f->node);
	for (unsigned i = 0; i < 7; i++)
		if (h->keys & 1u << i) {
			fprintf(out, "%s%s", before, keys[i]);
			before = ",";
		}
	fprintf(out, " divisor %u baseclass %s ", h->divisor, tc_handle(h->base, buf));
}

static void print_fw(FILE *out, const struct tc_filter_line *f)
{
	const struct conf_match *m = &f->conf->match;

	fprintf(out, "handle 0x%x", m->mark);
	if (m->mark_mask != UINT32_MAX)
		fprintf(out, "/0x%x", m->mark_mask);
	fputc(' ', out);
	print_class(out, "classid", f->conf->classid);
}

static void print_matchall(FILE *out, const struct tc_filter_line *f)
{
	fprintf(out, "handle 0x%x ", f->node);
	print_class(out, "flowid", f->conf->classid);
	fputs("\n  not_in_hw", out);
	if (f->statistics)
		fprintf(out, " (rule hit %" PRIu64 ")", f->info->packets);
}

static void print_basic(FILE *out, const struct tc_filter_line *f)
{
	fprintf(out, "handle 0x%x ", f->node);
	print_class(out, "flowid", f->conf->classid);
	fprintf(out, "\n  (%s)", f->info->match ? f->info->match : "");
}

/* ---- by kind */

static const struct kind {
	unsigned looks;
	const char *name;
	void (*print)(FILE *out, const struct tc_filter_line *f);
	bool apart; /* its actions stand after an empty line */
} kinds[] = {
	{ 0, "matchall", print_matchall, false },    { LOOKS_MARK, "fw", print_fw, true },
	{ LOOKS_U32, "u32", print_u32, false },	     { LOOKS_BPF, "bpf", print_bpf, false },
	{ LOOKS_HASH, "flow", print_flow, true },    { LOOKS_KEYS, "flower", print_flower, false },
	{ LOOKS_MORE, "basic", print_basic, false }, /* and whatever is left */
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *kind_of(const struct conf_tc_filter *f)
{
	unsigned looked = looks(f);

	for (unsigned i = 0; i + 1 < KINDS; i++)
		if (kinds[i].looks == looked)
			return &kinds[i];
	return &kinds[KINDS - 1];
}

bool tc_filter_kin(const struct conf_tc_filter *a, const struct conf_tc_filter *b)
{
	return a->parent == b->parent && a->priority == b->priority &&
	       ethertype_of(a) == ethertype_of(b) && kind_of(a) == kind_of(b);
}

bool tc_filter_is_u32(const struct conf_tc_filter *f)
{
	return looks(f) == LOOKS_U32;
}

static void print_place(FILE *out, const struct tc_filter_line *f)
{
	const struct conf_tc_filter *c = f->conf;
	char buf[TC_STRLEN];

	fputs("filter ", out);
	if (f->dev)
		fprintf(out, "dev %s ", f->dev);
	fprintf(out, "parent %s protocol ", tc_handle(c->parent, buf));
	print_protocol(out, is_tagged(&c->frame) ? ETHERTYPE_VLAN : ethertype_of(c));
	fprintf(out, " pref %u %s chain 0 ", c->priority, kind_of(c)->name);
}

void tc_filter_head(FILE *out, const struct tc_filter_line *f)
{
	print_place(out, f);
	fputc('\n', out);
	if (!tc_filter_is_u32(f->conf))
		return;
	print_place(out, f);
	fprintf(out, "fh %x: ht divisor 1 \n", f->table);
}

void tc_filter_print(FILE *out, const struct tc_filter_line *f)
{
	const struct kind *k = kind_of(f->conf);

	print_place(out, f);
	k->print(out, f);
	if (k->apart && f->conf->nactions)
		fputc('\n', out);
	tc_actions_print(out, f);
	fputc('\n', out);
}
