/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See flow_text.h. The lines are held to what conntrack-tools 1.4.7 prints by test_flow_text.c. */
#include "router/ctl/flow_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/lib/addr.h"
#include "router/net/tcp.h"

#define PROTO_AH  51
#define PROTO_ESP 50

/* Those that conntrack has a name for, and those it calls unknown. */
static const struct proto {
	uint8_t number;
	const char *name;
	bool unknown;
} protos[] = {
	{ IPPROTO_TCP, "tcp", false },
	{ IPPROTO_UDP, "udp", false },
	{ IPPROTO_ICMP, "icmp", false },
	{ IPPROTO_ICMPV6, "icmpv6", false },
	{ IPPROTO_GRE, "gre", false },
	{ IPPROTO_SCTP, "sctp", false },
	{ IPPROTO_UDPLITE, "udplite", false },
	{ IPPROTO_DCCP, "dccp", false },
	{ PROTO_ESP, "esp", true },
	{ PROTO_AH, "ah", true },
	{ IPPROTO_ICMPV6, "ipv6-icmp", false }, /* Linux's name of it, to be read only */
};
#define PROTOS (sizeof(protos) / sizeof(protos[0]))

static const struct proto *proto_find(uint8_t number)
{
	for (size_t i = 0; i < PROTOS; i++)
		if (protos[i].number == number)
			return &protos[i];
	return NULL;
}

char *flow_proto_format(uint8_t proto, char buf[FLOW_PROTO_STRLEN])
{
	const struct proto *p = proto_find(proto);

	if (p)
		snprintf(buf, FLOW_PROTO_STRLEN, "%s", p->name);
	else
		snprintf(buf, FLOW_PROTO_STRLEN, "%u", proto);
	return buf;
}

int flow_proto_parse(const char *s, uint8_t *out)
{
	unsigned long number;
	char *end;

	for (size_t i = 0; i < PROTOS; i++) {
		if (strcmp(protos[i].name, s) == 0) {
			*out = protos[i].number;
			return 0;
		}
	}
	if (!s[0] || strlen(s) > 3 || strspn(s, "0123456789") != strlen(s))
		return -EINVAL;
	number = strtoul(s, &end, 10);
	if (number > UINT8_MAX)
		return -EINVAL;
	*out = (uint8_t)number;
	return 0;
}

bool flow_proto_has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_UDPLITE || proto == IPPROTO_DCCP;
}

bool flow_proto_is_icmp(uint8_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

const char *flow_family_name(uint8_t family)
{
	return family == AF_INET6 ? "ipv6" : "ipv4";
}

const char *flow_state_name(const struct ct_event *e)
{
	uint32_t state = e->state & FLOW_TCP_STATE;

	if (e->orig.proto != IPPROTO_TCP || state >= TCP_STATES)
		return NULL;
	return tcp_state_names[state];
}

/* What stands in a key for ICMP: network order, as on the wire. */
static unsigned icmp_type(const struct flow_key *k)
{
	return ntohs(k->dport) >> 8;
}

static unsigned icmp_code(const struct flow_key *k)
{
	return ntohs(k->dport) & 0xff;
}

static char *source(const struct flow_key *k, char buf[ADDR_STRLEN])
{
	return inet_ntop(k->family, k->src, buf, ADDR_STRLEN) ? buf : strcpy(buf, "-");
}

static char *target(const struct flow_key *k, char buf[ADDR_STRLEN])
{
	return inet_ntop(k->family, k->dst, buf, ADDR_STRLEN) ? buf : strcpy(buf, "-");
}

/* ---- lines */
struct line {
	char *text;
	size_t size, len;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, l->size - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n;
	if (l->len >= l->size)
		l->len = l->size - 1;
}

static void add_protocol(struct line *l, const struct ct_event *e)
{
	const struct proto *p = proto_find(e->orig.proto);

	add(l, "%-8s %u ", p && !p->unknown ? p->name : "unknown", e->orig.proto);
}

static void add_state(struct line *l, const struct ct_event *e)
{
	const char *state = flow_state_name(e);

	if (state)
		add(l, "%s ", state);
}

static void add_key(struct line *l, const struct flow_key *k)
{
	char src[ADDR_STRLEN], dst[ADDR_STRLEN];

	add(l, "src=%s dst=%s ", source(k, src), target(k, dst));
	if (flow_proto_is_icmp(k->proto))
		add(l, "type=%u code=%u id=%u ", icmp_type(k), icmp_code(k), ntohs(k->sport));
	else if (k->proto == IPPROTO_GRE)
		add(l, "srckey=0x%x dstkey=0x%x ", ntohs(k->sport), ntohs(k->dport));
	else if (flow_proto_has_ports(k->proto))
		add(l, "sport=%u dport=%u ", ntohs(k->sport), ntohs(k->dport));
}

static void add_counters(struct line *l, const struct ct_event *e, enum flow_dir dir)
{
	add(l, "packets=%" PRIu64 " bytes=%" PRIu64 " ", e->packets[dir], e->bytes[dir]);
}

static void add_tuples(struct line *l, const struct ct_event *e, bool counters)
{
	add_key(l, &e->orig);
	if (counters)
		add_counters(l, e, FLOW_ORIG);
	if (!(e->state & FLOW_REPLIED))
		add(l, "[UNREPLIED] ");
	add_key(l, &e->reply);
	if (counters)
		add_counters(l, e, FLOW_REPLY);
	if (e->state & FLOW_ASSURED)
		add(l, "[ASSURED] ");
}

/* Each field brings a blank; the last one's is too many. */
static char *finish(struct line *l)
{
	l->text[l->len - 1] = '\0';
	return l->text;
}

char *flow_list_line(const struct ct_event *e, char buf[FLOW_LINE_STRLEN])
{
	struct line l = { .text = buf, .size = FLOW_LINE_STRLEN };

	add_protocol(&l, e);
	add(&l, "%u ", flow_seconds(e->left));
	add_state(&l, e);
	add_tuples(&l, e, true);
	add(&l, "mark=%u ", e->mark);
	if (e->orig.zone)
		add(&l, "zone=%u ", e->orig.zone);
	add(&l, "use=1 ");
	return finish(&l);
}

/* The kernel tells the counters with the end only, and leaves out what is zero. */
char *flow_event_line(const struct ct_event *e, char buf[FLOW_LINE_STRLEN])
{
	static const char *const kinds[] = {
		[CT_EVENT_NEW] = "[NEW]",
		[CT_EVENT_UPDATE] = "[UPDATE]",
		[CT_EVENT_ASSURED] = "[UPDATE]",
		[CT_EVENT_DESTROY] = "[DESTROY]",
	};
	struct line l = { .text = buf, .size = FLOW_LINE_STRLEN };
	bool over = e->kind == CT_EVENT_DESTROY;

	add(&l, "%9s ", kinds[e->kind]);
	add_protocol(&l, e);
	if (!over || flow_seconds(e->left))
		add(&l, "%u ", flow_seconds(e->left));
	add_state(&l, e);
	add_tuples(&l, e, over);
	if (e->mark)
		add(&l, "mark=%u ", e->mark);
	if (e->orig.zone)
		add(&l, "zone=%u ", e->orig.zone);
	return finish(&l);
}

/* ---- JSON */

/* Counters that large saturate: as row_unsigned(). */
static json_t *count_json(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *port_json(const struct flow_key *k, uint16_t port)
{
	return flow_proto_has_ports(k->proto) ? json_integer(ntohs(port)) : json_null();
}

json_t *flow_half_json(const struct ct_event *e, enum flow_dir dir)
{
	const struct flow_key *k = dir == FLOW_ORIG ? &e->orig : &e->reply;
	char src[ADDR_STRLEN], dst[ADDR_STRLEN];
	json_t *o;

	o = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "src", source(k, src), "dst",
		      target(k, dst), "sport", port_json(k, k->sport), "dport",
		      port_json(k, k->dport), "packets", count_json(e->packets[dir]), "bytes",
		      count_json(e->bytes[dir]));
	if (o && flow_proto_is_icmp(k->proto)) {
		json_object_set_new(o, "type", json_integer(icmp_type(k)));
		json_object_set_new(o, "code", json_integer(icmp_code(k)));
		json_object_set_new(o, "id", json_integer(ntohs(k->sport)));
	}
	return o;
}

/* ---- the short form */
static void add_endpoint(struct line *l, const struct flow_key *k, const char *addr, uint16_t port)
{
	if (!flow_proto_has_ports(k->proto))
		add(l, "%s", addr);
	else
		add(l, k->family == AF_INET6 ? "[%s]:%u" : "%s:%u", addr, ntohs(port));
}

/* What answers come from and go to tells what the flow was translated to. */
static void add_translation(struct line *l, const struct ct_event *e)
{
	const struct flow_key *r = &e->reply;
	char addr[ADDR_STRLEN];

	if (e->state & FLOW_DNAT) {
		add(l, " dnat ");
		add_endpoint(l, r, source(r, addr), r->sport);
	}
	if (e->state & FLOW_SNAT) {
		add(l, " snat ");
		add_endpoint(l, r, target(r, addr), r->dport);
	}
}

char *flow_short(const struct ct_event *e, bool statistics, char buf[FLOW_SHORT_STRLEN])
{
	struct line l = { .text = buf, .size = FLOW_SHORT_STRLEN };
	const struct flow_key *k = &e->orig;
	char addr[ADDR_STRLEN];

	add_endpoint(&l, k, source(k, addr), k->sport);
	add(&l, " > ");
	add_endpoint(&l, k, target(k, addr), k->dport);
	if (flow_proto_is_icmp(k->proto))
		add(&l, " type %u code %u id %u", icmp_type(k), icmp_code(k), ntohs(k->sport));
	add_translation(&l, e);
	if (!(e->state & FLOW_REPLIED))
		add(&l, " unreplied");
	if (e->mark)
		add(&l, " mark 0x%x", e->mark);
	if (k->zone)
		add(&l, " zone %u", k->zone);
	if (statistics)
		add(&l,
		    " (%" PRIu64 " packets %" PRIu64 " bytes, back %" PRIu64 " packets %" PRIu64
		    " bytes)",
		    e->packets[FLOW_ORIG], e->bytes[FLOW_ORIG], e->packets[FLOW_REPLY],
		    e->bytes[FLOW_REPLY]);
	return buf;
}

/* ---- rows */
void row_flow(struct row *row, const struct ct_event *e, const char *text)
{
	char proto[FLOW_PROTO_STRLEN];

	row_text(row, "family", flow_family_name(e->orig.family));
	row_text(row, "proto", flow_proto_format(e->orig.proto, proto));
	row_text(row, "state", flow_state_name(e));
	row_unsigned(row, "timeout", flow_seconds(e->left));
	row_bool(row, "assured", e->state & FLOW_ASSURED);
	row_unsigned(row, "mark", e->mark);
	row_unsigned(row, "zone", e->orig.zone);
	row_json(row, "orig", flow_half_json(e, FLOW_ORIG), text);
	row_json(row, "reply", flow_half_json(e, FLOW_REPLY), NULL);
}
