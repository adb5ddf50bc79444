/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an operator writes of a packet; see explain_parse.h. Words are read one after the other; the
 * first that is wrong is told, with what would be right in its place. */
#include "router/ctl/explain_parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/flow_text.h"
#include "router/net/l4.h"
#include "router/net/parse.h"
#include "router/net/tcp.h"

#define SOME_PORT 40000
#define SOME_ID	  1
#define WORD_MAX  80
#define NO_PORT	  UINT32_MAX

struct reading {
	const char *rest; /* of the text */
	char word[WORD_MAX];
	struct explain_packet *p;
	bool has_flags, has_icmp, has_length;
	char *why;
	size_t size;
};

static int refuse(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct reading *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->why, r->size, format, args);
	va_end(args);
	return -EINVAL;
}

/* The next word; "" at the end. One that is too long stays cut, and so is wrong anywhere. */
static const char *next(struct reading *r)
{
	size_t len;

	r->rest += strspn(r->rest, " \t");
	len = strcspn(r->rest, " \t");
	snprintf(r->word, sizeof(r->word), "%.*s", (int)(len < WORD_MAX ? len : WORD_MAX - 1),
		 r->rest);
	r->rest += len;
	return r->word;
}

/* All of s, decimal or 0x... */
static bool number_parse(const char *s, uint32_t least, uint32_t most, uint32_t *out)
{
	unsigned long long n;
	char *end;

	if (s[0] < '0' || s[0] > '9')
		return false;
	errno = 0;
	n = strtoull(s, &end, s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10);
	if (errno || *end || n < least || n > most)
		return false;
	*out = (uint32_t)n;
	return true;
}

/* ---- protocol and endpoints */

static int read_proto(struct reading *r)
{
	const char *word = next(r);

	if (flow_proto_parse(word, &r->p->proto))
		return refuse(
			r,
			"\"%s\" is no protocol: tcp, udp, icmp, icmpv6, sctp, gre or a number; "
			"as in 'tcp 10.0.0.5:1234 > 1.1.1.1:443'",
			word);
	return 0;
}

/* 1.2.3.4, 1.2.3.4:5, 2001:db8::1, [2001:db8::1] or [2001:db8::1]:5 */
static bool endpoint_parse(char *s, struct addr *a, uint32_t *port)
{
	char *colon = strrchr(s, ':'), *end = NULL;

	*port = NO_PORT;
	if (s[0] == '[') {
		s++;
		end = strchr(s, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		colon = end[1] ? end + 1 : NULL;
	} else if (colon && strchr(s, ':') == colon) {
		end = colon;
	} else {
		colon = NULL;
	}
	if (end)
		*end = '\0';
	return (!colon || number_parse(colon + 1, 0, UINT16_MAX, port)) && !addr_parse(s, a) &&
	       (!end || colon == end || a->family == AF_INET6);
}

static int read_endpoint(struct reading *r, const char *what, struct addr *a, uint32_t *port)
{
	const char *word = next(r);
	char copy[WORD_MAX];

	if (!word[0])
		return refuse(r, "its %s is missing: PROTOCOL SOURCE > DESTINATION", what);
	snprintf(copy, sizeof(copy), "%s", word);
	if (!endpoint_parse(copy, a, port))
		return refuse(r,
			      "\"%s\" is no %s: an address, with a port as 10.0.0.5:1234 or "
			      "[2001:db8::5]:1234",
			      word, what);
	return 0;
}

static bool is_icmp(const struct explain_packet *p)
{
	return flow_proto_is_icmp(p->proto);
}

static int set_ports(struct reading *r, uint32_t sport, uint32_t dport)
{
	struct explain_packet *p = r->p;
	char proto[FLOW_PROTO_STRLEN];

	flow_proto_format(p->proto, proto);
	if (is_icmp(p)) {
		if (dport != NO_PORT)
			return refuse(r, "%s has no ports (that of the source would be its id)",
				      proto);
		p->sport = sport == NO_PORT ? SOME_ID : (uint16_t)sport;
		return 0;
	}
	if (!flow_proto_has_ports(p->proto)) {
		if (sport != NO_PORT || dport != NO_PORT)
			return refuse(r, "%s has no ports", proto);
		return 0;
	}
	if (dport == NO_PORT)
		return refuse(r, "%s needs a destination port, as 1.1.1.1:443 or [2001:db8::1]:443",
			      proto);
	p->sport = sport == NO_PORT ? SOME_PORT : (uint16_t)sport;
	p->dport = (uint16_t)dport;
	return 0;
}

static int read_endpoints(struct reading *r)
{
	struct explain_packet *p = r->p;
	uint32_t sport, dport;
	int err = read_endpoint(r, "source", &p->src, &sport);

	if (err)
		return err;
	if (strcmp(next(r), ">") != 0)
		return refuse(r, "\"%s\" after the source: there should be a \">\"", r->word);
	err = read_endpoint(r, "destination", &p->dst, &dport);
	if (err)
		return err;
	if (p->src.family != p->dst.family)
		return refuse(r, "its addresses are of two families");
	if (is_icmp(p) && (p->proto == IPPROTO_ICMPV6) != (p->src.family == AF_INET6))
		return refuse(r, "between IPv%s addresses it is %s",
			      p->src.family == AF_INET6 ? "6" : "4",
			      p->src.family == AF_INET6 ? "icmpv6" : "icmp");
	if (p->src.family == AF_INET6 && ip6_is_extension(p->proto))
		return refuse(r, "%u is an extension header of IPv6 and no protocol", p->proto);
	return set_ports(r, sport, dport);
}

/* ---- what else can be said of it */

static int option_ttl(struct reading *r, const char *value)
{
	uint32_t n;

	if (!number_parse(value, 0, UINT8_MAX, &n))
		return refuse(r, "ttl \"%s\": a number from 0 to 255", value);
	r->p->ttl = (uint8_t)n;
	return 0;
}

static int option_length(struct reading *r, const char *value)
{
	uint32_t n;

	if (!number_parse(value, 0, UINT16_MAX, &n))
		return refuse(r, "length \"%s\": bytes of the IP packet, up to 65535", value);
	r->p->length = (uint16_t)n;
	r->has_length = true;
	return 0;
}

/* cs0-7, af11-43, ef, be (RFC 2474, 2597, 3246), or a number. */
static bool dscp_parse(const char *s, uint8_t *out)
{
	uint32_t n;

	if (!strcmp(s, "be") || !strcmp(s, "ef")) {
		*out = s[0] == 'e' ? 46 : 0;
	} else if (!strncmp(s, "cs", 2) && s[2] >= '0' && s[2] <= '7' && !s[3]) {
		*out = (uint8_t)(8 * (s[2] - '0'));
	} else if (!strncmp(s, "af", 2) && s[2] >= '1' && s[2] <= '4' && s[3] >= '1' &&
		   s[3] <= '3' && !s[4]) {
		*out = (uint8_t)(8 * (s[2] - '0') + 2 * (s[3] - '0'));
	} else if (number_parse(s, 0, 63, &n)) {
		*out = (uint8_t)n;
	} else {
		return false;
	}
	return true;
}

static int option_dscp(struct reading *r, const char *value)
{
	if (!dscp_parse(value, &r->p->dscp))
		return refuse(r, "dscp \"%s\": ef, af11 to af43, cs0 to cs7, be, or 0 to 63",
			      value);
	return 0;
}

/* syn,ack ... or none. */
static bool flags_parse(const char *s, uint8_t *out)
{
	static const struct {
		const char *name;
		uint8_t bit;
	} flags[] = {
		{ "fin", TCP_F_FIN }, { "syn", TCP_F_SYN }, { "rst", TCP_F_RST },
		{ "psh", TCP_F_PSH }, { "ack", TCP_F_ACK }, { "urg", TCP_F_URG },
	};
	const size_t n = sizeof(flags) / sizeof(flags[0]);

	*out = 0;
	if (!strcmp(s, "none"))
		return true;
	for (;; s++) {
		size_t len = strcspn(s, ","), i = 0;

		while (i < n && (len != 3 || strncmp(s, flags[i].name, 3) != 0))
			i++;
		if (i == n)
			return false;
		*out |= flags[i].bit;
		s += len;
		if (!*s)
			return true;
	}
}

static int option_flags(struct reading *r, const char *value)
{
	if (r->p->proto != IPPROTO_TCP)
		return refuse(r, "flags are TCP's");
	if (!flags_parse(value, &r->p->tcp_flags))
		return refuse(r,
			      "flags \"%s\": syn, ack, fin, rst, psh, urg with commas between, or "
			      "none",
			      value);
	r->has_flags = true;
	return 0;
}

static int option_mark(struct reading *r, const char *value)
{
	if (!number_parse(value, 0, UINT32_MAX, &r->p->mark))
		return refuse(r, "mark \"%s\": a number of 32 bits", value);
	return 0;
}

/* An error is about another packet, of which nothing is known here. */
static bool icmp_is_error(uint8_t type, bool six)
{
	return six ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12;
}

static int option_icmp(struct reading *r, const char *value)
{
	char copy[WORD_MAX], *slash;
	bool six = r->p->proto == IPPROTO_ICMPV6;
	uint32_t type, code = 0;

	if (!is_icmp(r->p))
		return refuse(r, "icmp: type and code are ICMP's");
	if (!strcmp(value, "echo-request"))
		value = six ? "128" : "8";
	else if (!strcmp(value, "echo-reply"))
		value = six ? "129" : "0";
	snprintf(copy, sizeof(copy), "%s", value);
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	if (!number_parse(copy, 0, UINT8_MAX, &type) ||
	    (slash && !number_parse(slash, 0, UINT8_MAX, &code)))
		return refuse(r,
			      "icmp \"%s\": a type or TYPE/CODE in numbers, echo-request or "
			      "echo-reply",
			      r->word);
	if (icmp_is_error((uint8_t)type, six))
		return refuse(r,
			      "icmp %s: an error goes where the flow it is about leads it; "
			      "explain a packet of that flow instead",
			      r->word);
	r->p->icmp_type = (uint8_t)type;
	r->p->icmp_code = (uint8_t)code;
	r->has_icmp = true;
	return 0;
}

static int read_option(struct reading *r)
{
	static const struct {
		const char *name;
		int (*read)(struct reading *r, const char *value);
	} options[] = {
		{ "ttl", option_ttl },	   { "length", option_length }, { "dscp", option_dscp },
		{ "flags", option_flags }, { "mark", option_mark },	{ "icmp", option_icmp },
	};

	if (!strcmp(r->word, "df")) {
		r->p->df = true;
		return 0;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(r->word, options[i].name) != 0)
			continue;
		if (!next(r)[0])
			return refuse(r, "%s: its value is missing", options[i].name);
		return options[i].read(r, r->word);
	}
	return refuse(r,
		      "\"%s\" after the destination: ttl N, length N, df, dscp X, flags syn,ack, "
		      "mark N or icmp TYPE/CODE",
		      r->word);
}

static int finish(struct reading *r)
{
	struct explain_packet *p = r->p;
	unsigned least = explain_headers(p->proto);

	least += p->src.family == AF_INET6 ? IP6_HLEN : IP4_HLEN;
	if (p->proto == IPPROTO_TCP && !r->has_flags)
		p->tcp_flags = TCP_F_SYN;
	if (is_icmp(p) && !r->has_icmp)
		p->icmp_type = p->proto == IPPROTO_ICMPV6 ? 128 : 8;
	if (!r->has_length)
		p->length = (uint16_t)least;
	if (p->length < least)
		return refuse(r, "length %u: its headers alone are %u", p->length, least);
	return 0;
}

int explain_parse(const char *text, struct explain_packet *out, char *why, size_t size)
{
	struct explain_packet p = { .ttl = 64 };
	struct reading r = { .rest = text, .p = &p, .why = why, .size = size };
	int err = read_proto(&r);

	if (!err)
		err = read_endpoints(&r);
	while (!err && next(&r)[0])
		err = read_option(&r);
	if (!err)
		err = finish(&r);
	if (!err)
		*out = p;
	return err;
}
