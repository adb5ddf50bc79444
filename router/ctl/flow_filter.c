/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See flow_filter.h. One row an argument, in the order of FLOW_FILTER_WORDS: how it is read, and
 * what it asks of a flow. */
#include "router/ctl/flow_filter.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "router/ctl/flow_text.h"
#include "router/net/tcp.h"

/* ---- values */

/* Decimal or 0x..., all of s up to `stop`. */
static int number_parse(const char *s, char stop, uint32_t most, uint32_t *out)
{
	unsigned long long n;
	char *end;

	if (s[0] < '0' || s[0] > '9') /* no blank, no sign */
		return -EINVAL;
	errno = 0;
	n = strtoull(s, &end, s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10);
	if (errno || n > most || (*end && *end != stop))
		return -EINVAL;
	*out = (uint32_t)n;
	return 0;
}

static int port_parse(const char *s, uint16_t *out)
{
	uint32_t n;
	int err = number_parse(s, '\0', UINT16_MAX, &n);

	if (!err)
		*out = htons((uint16_t)n);
	return err;
}

static int parse_family(struct flow_filter *f, const char *s)
{
	if (strcmp(s, "ipv4") != 0 && strcmp(s, "ipv6") != 0)
		return -EINVAL;
	f->family = s[3] == '4' ? AF_INET : AF_INET6;
	return 0;
}

static int parse_proto(struct flow_filter *f, const char *s)
{
	return flow_proto_parse(s, &f->proto);
}

static int parse_src(struct flow_filter *f, const char *s)
{
	return prefix_parse(s, &f->src);
}

static int parse_dst(struct flow_filter *f, const char *s)
{
	return prefix_parse(s, &f->dst);
}

static int parse_host(struct flow_filter *f, const char *s)
{
	return prefix_parse(s, &f->host);
}

static int parse_sport(struct flow_filter *f, const char *s)
{
	return port_parse(s, &f->sport);
}

static int parse_dport(struct flow_filter *f, const char *s)
{
	return port_parse(s, &f->dport);
}

static int parse_port(struct flow_filter *f, const char *s)
{
	return port_parse(s, &f->port);
}

static int parse_state(struct flow_filter *f, const char *s)
{
	for (uint8_t i = 0; i < TCP_STATES; i++) {
		if (strcasecmp(s, tcp_state_names[i]) == 0) {
			f->state = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_mark(struct flow_filter *f, const char *s)
{
	const char *slash = strchr(s, '/');

	f->mark_mask = UINT32_MAX;
	if (number_parse(s, '/', UINT32_MAX, &f->mark))
		return -EINVAL;
	return slash ? number_parse(slash + 1, '\0', UINT32_MAX, &f->mark_mask) : 0;
}

static int parse_zone(struct flow_filter *f, const char *s)
{
	uint32_t n;
	int err = number_parse(s, '\0', UINT16_MAX, &n);

	if (!err)
		f->zone = (uint16_t)n;
	return err;
}

static int parse_nothing(struct flow_filter *f, const char *s)
{
	(void)f;
	(void)s;
	return 0;
}

/* ---- what is asked */
static bool inside(const struct prefix *p, const struct flow_key *k, const uint8_t addr[16])
{
	struct addr a = { .family = k->family };

	memcpy(a.bytes, addr, sizeof(a.bytes));
	return prefix_contains(p, &a);
}

static bool has_family(const struct flow_filter *f, const struct ct_event *e)
{
	return e->orig.family == f->family;
}

static bool has_proto(const struct flow_filter *f, const struct ct_event *e)
{
	return e->orig.proto == f->proto;
}

static bool has_src(const struct flow_filter *f, const struct ct_event *e)
{
	return inside(&f->src, &e->orig, e->orig.src);
}

static bool has_dst(const struct flow_filter *f, const struct ct_event *e)
{
	return inside(&f->dst, &e->orig, e->orig.dst);
}

static bool has_host(const struct flow_filter *f, const struct ct_event *e)
{
	return inside(&f->host, &e->orig, e->orig.src) || inside(&f->host, &e->orig, e->orig.dst) ||
	       inside(&f->host, &e->reply, e->reply.src) ||
	       inside(&f->host, &e->reply, e->reply.dst);
}

static bool has_sport(const struct flow_filter *f, const struct ct_event *e)
{
	return flow_proto_has_ports(e->orig.proto) && e->orig.sport == f->sport;
}

static bool has_dport(const struct flow_filter *f, const struct ct_event *e)
{
	return flow_proto_has_ports(e->orig.proto) && e->orig.dport == f->dport;
}

static bool has_port(const struct flow_filter *f, const struct ct_event *e)
{
	return flow_proto_has_ports(e->orig.proto) &&
	       (e->orig.sport == f->port || e->orig.dport == f->port || e->reply.sport == f->port ||
		e->reply.dport == f->port);
}

static bool has_state(const struct flow_filter *f, const struct ct_event *e)
{
	return flow_state_name(e) && (e->state & FLOW_TCP_STATE) == f->state;
}

static bool has_mark(const struct flow_filter *f, const struct ct_event *e)
{
	return (e->mark & f->mark_mask) == f->mark;
}

static bool has_zone(const struct flow_filter *f, const struct ct_event *e)
{
	return e->orig.zone == f->zone;
}

static bool is_nat(const struct flow_filter *f, const struct ct_event *e)
{
	(void)f;
	return e->state & (FLOW_SNAT | FLOW_DNAT);
}

static bool is_snat(const struct flow_filter *f, const struct ct_event *e)
{
	(void)f;
	return e->state & FLOW_SNAT;
}

static bool is_dnat(const struct flow_filter *f, const struct ct_event *e)
{
	(void)f;
	return e->state & FLOW_DNAT;
}

static bool is_assured(const struct flow_filter *f, const struct ct_event *e)
{
	(void)f;
	return e->state & FLOW_ASSURED;
}

static bool is_unreplied(const struct flow_filter *f, const struct ct_event *e)
{
	(void)f;
	return !(e->state & FLOW_REPLIED);
}

/* ---- the arguments */
static const struct argument {
	const char *word, *wants;
	int (*parse)(struct flow_filter *f, const char *s);
	bool (*match)(const struct flow_filter *f, const struct ct_event *e);
} arguments[] = {
	{ "family", "ipv4 or ipv6", parse_family, has_family },
	{ "proto", "tcp, udp, icmp, icmpv6, gre, sctp, udplite, dccp, esp, ah or a number",
	  parse_proto, has_proto },
	{ "src", "an address or prefix", parse_src, has_src },
	{ "dst", "an address or prefix", parse_dst, has_dst },
	{ "host", "an address or prefix", parse_host, has_host },
	{ "sport", "a port, 0-65535", parse_sport, has_sport },
	{ "dport", "a port, 0-65535", parse_dport, has_dport },
	{ "port", "a port, 0-65535", parse_port, has_port },
	{ "state", NULL, parse_state, has_state },
	{ "mark", "a mark or mark/mask", parse_mark, has_mark },
	{ "zone", "a zone, 0-65535", parse_zone, has_zone },
	{ "nat", NULL, parse_nothing, is_nat },
	{ "snat", NULL, parse_nothing, is_snat },
	{ "dnat", NULL, parse_nothing, is_dnat },
	{ "assured", NULL, parse_nothing, is_assured },
	{ "unreplied", NULL, parse_nothing, is_unreplied },
};
static_assert(sizeof(arguments) / sizeof(arguments[0]) == FLOW_FILTER_ARGS, "a row for each");
static_assert(FLOW_FILTER_ARGS < COMMAND_ARGS, "and room for another");

static const char *state_list(char *buf, size_t size)
{
	size_t len = 0;

	for (unsigned i = 0; i < TCP_STATES && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? ", " : "",
					tcp_state_names[i]);
	return buf;
}

int flow_filter_parse(const struct request *q, struct flow_filter *f, struct command_ctx *c)
{
	char states[256];

	*f = (struct flow_filter){ 0 };
	for (unsigned i = 0; i < FLOW_FILTER_ARGS; i++) {
		const struct argument *a = &arguments[i];

		if (!q->arg[i])
			continue;
		if (a->parse(f, q->arg[i]))
			return command_fail(
				c, -EINVAL, "%s \"%.64s\": it takes %s", a->word, q->arg[i],
				a->wants ? a->wants : state_list(states, sizeof(states)));
		f->given |= 1u << i;
	}
	return 0;
}

bool flow_filter_match(const struct flow_filter *f, const struct ct_event *e)
{
	for (uint32_t left = f->given; left; left &= left - 1)
		if (!arguments[__builtin_ctz(left)].match(f, e))
			return false;
	return true;
}
