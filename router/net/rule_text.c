/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/net/rule_text.h"

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

/* Pairs of a mapping, with commas between them. */
struct text {
	FILE *out;
	bool begun;
};

static FILE *key(struct text *t, const char *name)
{
	fprintf(t->out, "%s%s: ", t->begun ? ", " : "", name);
	t->begun = true;
	return t->out;
}

/* One word stands alone, more in brackets. */
static void list(FILE *out, unsigned n, void (*word)(FILE *out, const void *of, unsigned i),
		 const void *of)
{
	if (n != 1)
		fputc('[', out);
	for (unsigned i = 0; i < n; i++) {
		if (i)
			fputs(", ", out);
		word(out, of, i);
	}
	if (n != 1)
		fputc(']', out);
}

struct word {
	const char *name;
	unsigned value;
};

static void word_or_number(FILE *out, const struct word *words, unsigned value)
{
	for (; words->name; words++)
		if (words->value == value) {
			fputs(words->name, out);
			return;
		}
	fprintf(out, "%u", value);
}

/* ---- lists that a "!" may stand before, or that are a set */

static void set(FILE *out, bool negate, const char *name)
{
	fprintf(out, "\"%s@%s\"", negate ? "!" : "", name);
}

/* YAML wants quotes around what holds a "!" or a colon. */
static void quoted(FILE *out, bool negate, const char *text)
{
	const char *quote = negate || strchr(text, ':') ? "\"" : "";

	fprintf(out, "%s%s%s%s", quote, negate ? "!" : "", text, quote);
}

static void address(FILE *out, const void *of, unsigned i)
{
	const struct conf_addresses *a = of;
	const struct conf_range *r = &a->ranges[i];
	char text[2 * ADDR_STRLEN], last[ADDR_STRLEN];
	int len = prefix_between(&r->first, &r->last);
	size_t n;

	addr_format(&r->first, text);
	n = strlen(text);
	if (len < 0)
		snprintf(text + n, sizeof(text) - n, "-%s", addr_format(&r->last, last));
	else if ((unsigned)len < addr_bits(&r->first))
		snprintf(text + n, sizeof(text) - n, "/%d", len);
	quoted(out, a->negate, text);
}

static void addresses(struct text *t, const char *name, const struct conf_addresses *a)
{
	if (a->set[0])
		set(key(t, name), a->negate, a->set);
	else if (a->nranges)
		list(key(t, name), a->nranges, address, a);
}

static void port(FILE *out, const void *of, unsigned i)
{
	const struct conf_ports *p = of;
	const struct conf_port_range *r = &p->ranges[i];
	char text[16];

	if (r->first == r->last)
		snprintf(text, sizeof(text), "%u", r->first);
	else
		snprintf(text, sizeof(text), "%u-%u", r->first, r->last);
	quoted(out, p->negate, text);
}

static void ports(struct text *t, const char *name, const struct conf_ports *p)
{
	if (p->set[0])
		set(key(t, name), p->negate, p->set);
	else if (p->nranges)
		list(key(t, name), p->nranges, port, p);
}

static void interface(FILE *out, const void *of, unsigned i)
{
	const struct conf_names *l = of;

	quoted(out, l->negate, l->names[i]);
}

static void interfaces(struct text *t, const char *name, const struct conf_names *l)
{
	if (l->set[0])
		set(key(t, name), l->negate, l->set);
	else if (l->nnames)
		list(key(t, name), l->nnames, interface, l);
}

/* ---- protocols and what is in their headers */

static void protocol(FILE *out, const void *of, unsigned i)
{
	static const struct word words[] = {
		{ "icmp", 1 },	 { "ipip", 4 },	     { "tcp", 6 }, { "udp", 17 },
		{ "gre", 47 },	 { "esp", 50 },	     { "ah", 51 }, { "icmpv6", 58 },
		{ "sctp", 132 }, { "udplite", 136 }, { NULL, 0 },
	};

	word_or_number(out, words, ((const uint8_t *)of)[i]);
}

struct icmp_of {
	const struct conf_match *match;
	uint8_t family;
};

static void icmp(FILE *out, const void *of, unsigned n)
{
	static const struct word words4[] = {
		{ "echo-reply", 0 },
		{ "destination-unreachable", 3 },
		{ "redirect", 5 },
		{ "echo-request", 8 },
		{ "time-exceeded", 11 },
		{ "parameter-problem", 12 },
		{ "timestamp-request", 13 },
		{ "timestamp-reply", 14 },
		{ NULL, 0 },
	};
	static const struct word words6[] = {
		{ "destination-unreachable", 1 },
		{ "packet-too-big", 2 },
		{ "time-exceeded", 3 },
		{ "parameter-problem", 4 },
		{ "echo-request", 128 },
		{ "echo-reply", 129 },
		{ "redirect", 137 },
		{ NULL, 0 },
	};
	const struct icmp_of *l = of;
	const struct conf_icmp *t = l->match->icmp;

	for (;; t++)
		if (t->family == l->family && !n--)
			break;
	word_or_number(out, l->family == AF_INET ? words4 : words6, t->type);
	if (t->code >= 0)
		fprintf(out, "/%d", t->code);
}

static void icmp_types(struct text *t, const char *name, const struct conf_match *m, uint8_t family)
{
	struct icmp_of of = { m, family };
	unsigned n = 0;

	for (unsigned i = 0; i < m->nicmp; i++)
		n += m->icmp[i].family == family;
	if (n)
		list(key(t, name), n, icmp, &of);
}

static void flags(FILE *out, uint8_t bits)
{
	static const char *const name[] = {
		"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"
	};
	const char *joint = "";

	for (unsigned i = 0; i < 8; i++)
		if (bits >> i & 1) {
			fprintf(out, "%s%s", joint, name[i]);
			joint = "+";
		}
	if (!bits)
		fputs("none", out);
}

/* RFC 2474, 2597, 3246, 8622 */
static void dscp(FILE *out, unsigned d)
{
	if (d % 8 == 0)
		fprintf(out, "cs%u", d / 8);
	else if (d >= 10 && d <= 38 && d % 2 == 0)
		fprintf(out, "af%u%u", d / 8, d % 8 / 2);
	else if (d == 46 || d == 1)
		fputs(d == 1 ? "le" : "ef", out);
	else
		fprintf(out, "%u", d);
}

/* ---- sets of bits, as words in brackets */

static void bits(FILE *out, uint64_t of, void (*word)(FILE *out, unsigned bit))
{
	bool many = of & (of - 1);
	const char *joint = many ? "[" : "";

	for (unsigned i = 0; i < 64; i++)
		if (of >> i & 1) {
			fputs(joint, out);
			word(out, i);
			joint = ", ";
		}
	if (many)
		fputc(']', out);
}

static void ct(FILE *out, unsigned bit)
{
	static const struct word words[] = { { "new", 0 },	 { "established", 1 },
					     { "related", 2 },	 { "invalid", 3 },
					     { "untracked", 4 }, { NULL, 0 } };

	word_or_number(out, words, bit);
}

static void status(FILE *out, unsigned bit)
{
	static const struct word words[] = {
		{ "replied", 0 }, { "assured", 1 },   { "snat", 2 },
		{ "dnat", 3 },	  { "forwarded", 4 }, { NULL, 0 },
	};

	word_or_number(out, words, bit);
}

/* ---- the rest */

static void span(FILE *out, unsigned min, unsigned max)
{
	fprintf(out, min == max ? "%u" : "%u-%u", min, max);
}

static void mark(FILE *out, uint32_t value, uint32_t mask)
{
	fprintf(out, mask == UINT32_MAX ? "0x%" PRIx32 : "0x%" PRIx32 "/0x%" PRIx32, value, mask);
}

static void per_time(FILE *out, uint32_t count, uint32_t period_ms)
{
	static const struct word words[] = {
		{ "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
	};

	fprintf(out, "%" PRIu32 "/", count);
	word_or_number(out, words, period_ms);
}

static void rate(FILE *out, const struct conf_rate *r)
{
	static const char *const per[] = { "rule", "source", "destination" };

	fprintf(out, "{%s: ", r->over ? "over" : "under");
	per_time(out, r->count, r->period_ms);
	if (r->burst)
		fprintf(out, ", burst: %" PRIu32, r->burst);
	if (r->per != CONF_PER_RULE)
		fprintf(out, ", per: %s", per[r->per]);
	fputc('}', out);
}

static void source(FILE *out, const void *of, unsigned i)
{
	static const char *const name[] = { "from", "to",  "sport", "dport",
					    "in",   "out", "proto", "mark" };

	fputs(name[((const enum conf_source *)of)[i]], out);
}

static void lookup(FILE *out, const struct conf_lookup *l)
{
	fputs("{key: ", out);
	list(out, l->nkey, source, l->key);
	fprintf(out, ", set: %s%s}", l->set, l->negate ? ", not: true" : "");
}

static void headers(struct text *t, const struct conf_match *m)
{
	if (m->family)
		fputs(m->family == AF_INET ? "ipv4" : "ipv6", key(t, "family"));
	if (m->nprotos)
		list(key(t, "proto"), m->nprotos, protocol, m->protos);
	ports(t, "sport", &m->sport);
	ports(t, "dport", &m->dport);
	if (m->flags_mask) {
		flags(key(t, "flags"), m->flags);
		fputc('/', t->out);
		flags(t->out, m->flags_mask);
	}
	icmp_types(t, "icmp", m, AF_INET);
	icmp_types(t, "icmpv6", m, AF_INET6);
	if (m->dscp)
		bits(key(t, "dscp"), m->dscp, dscp);
	if (m->length_max)
		span(key(t, "length"), m->length_min, m->length_max);
	if (m->ttl_max)
		span(key(t, "ttl"), m->ttl_min, m->ttl_max);
	if (m->fragment)
		fputs(m->fragment == 1 ? "true" : "false", key(t, "fragment"));
}

void rule_text_match(const struct conf_match *m, FILE *out)
{
	struct text t = { .out = out };

	interfaces(&t, "in", &m->in);
	interfaces(&t, "out", &m->out);
	addresses(&t, "from", &m->from);
	addresses(&t, "to", &m->to);
	headers(&t, m);
	if (m->has_mark)
		mark(key(&t, "mark"), m->mark, m->mark_mask);
	if (m->ct)
		bits(key(&t, "ct"), m->ct, ct);
	if (m->status)
		bits(key(&t, "status"), m->status, status);
	if (m->lookup.set[0])
		lookup(key(&t, "lookup"), &m->lookup);
	if (m->connections_over)
		fprintf(key(&t, "connections"), "{over: %" PRIu32 "}", m->connections_over);
	if (m->rate.used)
		rate(key(&t, "rate"), &m->rate);
}

/* ---- actions */

static void reject(FILE *out, uint32_t with)
{
	static const char *const name[] = {
		[CONF_REJECT_RESET] = "tcp-reset",
		[CONF_REJECT_PORT] = "port-unreachable",
		[CONF_REJECT_HOST] = "host-unreachable",
		[CONF_REJECT_NET] = "net-unreachable",
		[CONF_REJECT_PROHIBITED] = "admin-prohibited",
	};

	if (with == CONF_REJECT_DEFAULT)
		fputs("reject", out);
	else
		fprintf(out, "{reject: %s}", name[with]);
}

static void add_to(FILE *out, const struct conf_action *a)
{
	fprintf(out, "{add-to: %s", a->name);
	if (a->nkey) {
		fputs(", key: ", out);
		list(out, a->nkey, source, a->key);
	}
	fputc('}', out);
}

static void action(FILE *out, const void *of, unsigned i)
{
	const struct conf_action *a = (const struct conf_action *)of + i;

	switch (a->act) {
	case CONF_ACT_ACCEPT: fputs("accept", out); break;
	case CONF_ACT_DROP: fputs("drop", out); break;
	case CONF_ACT_REJECT: reject(out, a->value); break;
	case CONF_ACT_JUMP: fprintf(out, "{jump: %s}", a->name); break;
	case CONF_ACT_RETURN: fputs("return", out); break;
	case CONF_ACT_SET_MARK:
		fputs("{set-mark: ", out);
		mark(out, a->value, a->mask);
		fputc('}', out);
		break;
	case CONF_ACT_SAVE_MARK: fputs("save-mark", out); break;
	case CONF_ACT_RESTORE_MARK: fputs("restore-mark", out); break;
	case CONF_ACT_SET_DSCP:
		fputs("{set-dscp: ", out);
		dscp(out, a->value);
		fputc('}', out);
		break;
	case CONF_ACT_MSS_CLAMP:
		fprintf(out, a->value ? "{mss-clamp: %" PRIu32 "}" : "{mss-clamp: pmtu}", a->value);
		break;
	case CONF_ACT_NOTRACK: fputs("notrack", out); break;
	case CONF_ACT_COUNT: fputs("count", out); break;
	case CONF_ACT_ADD_TO: add_to(out, a); break;
	}
}

static void log_of(FILE *out, const struct conf_log *l)
{
	fputs("log: {limit: ", out);
	per_time(out, l->count, l->period_ms);
	if (l->prefix[0])
		fputs(", prefix: \"", out);
	for (const char *s = l->prefix; *s; s++)
		fprintf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	fputs(l->prefix[0] ? "\"}" : "}", out);
}

void rule_text_actions(const struct conf_rule *r, FILE *out)
{
	if (r->nactions)
		list(out, r->nactions, action, r->actions);
	if (!r->log.used)
		return;
	fputs(r->nactions ? ", " : "", out);
	log_of(out, &r->log);
}
