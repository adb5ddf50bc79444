// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a rule of any kind matches: names that must be there, sets that must fit, and combinations
 * that can never match or do not mean what they say.
 */
#include <stdarg.h>
#include <string.h>

#include "config/check.h"
#include "config/schema.h"
#include "config/value.h"

struct match_check {
	struct check *k;
	const struct conf_match *m;
	const unsigned *line; /* of the rule */
	enum conf_hook hook;
};

static void say(const struct match_check *x, bool error, const void *field, const char *fmt,
		va_list args)
{
	char path[YAML_PATH_MAX], what[300];
	const void *at = bind_where(x->k->places, field) ? field : x->line;

	vsnprintf(what, sizeof(what), fmt, args);
	check_path(x->k, at, path);
	if (error)
		report_error(x->k->report, check_place(x->k, at, NULL), "%s: %s", path, what);
	else
		report_warning(x->k->report, check_place(x->k, at, NULL), "%s: %s", path, what);
}

static void __attribute__((format(printf, 3, 4)))
match_error(const struct match_check *x, const void *field, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(x, true, field, fmt, args);
	va_end(args);
}

static void __attribute__((format(printf, 3, 4)))
match_warning(const struct match_check *x, const void *field, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(x, false, field, fmt, args);
	va_end(args);
}

/* ---- sets */

static const struct conf_set *find_set(const struct match_check *x, const char *name,
				       const void *field)
{
	const struct conf_set *set = check_find(&x->k->sets, name);

	if (set || !name[0])
		return set;
	match_error(x, field, "there is no set %s", name);
	check_suggest(x->k, name, &x->k->sets, NULL);
	return NULL;
}

static const char *type_name(enum conf_field type)
{
	const struct schema_row *row = schema_find("sets.*.type");

	for (const struct schema_word *w = row->words; w->word; w++)
		if (w->value == (unsigned)type)
			return w->word;
	return "";
}

/* A match on a single field wants a set of a single type that fits it. */
static void check_set(const struct match_check *x, const char *name, const void *field,
		      enum conf_field wanted, enum conf_field also)
{
	const struct conf_set *set = name[0] ? find_set(x, name, field) : NULL;

	if (!set || set->ntypes == 0) /* which was reported */
		return;
	if (set->ntypes > 1) {
		match_error(x, field, "set %s holds combinations", name);
		report_help(x->k->report, "use lookup: {key: [...], set: %s}", name);
	} else if (set->type[0] != wanted && set->type[0] != also) {
		match_error(x, field, "set %s is of type %s, not %s", name, type_name(set->type[0]),
			    type_name(wanted));
	}
}

static bool source_fits(enum conf_source source, enum conf_field type)
{
	switch (source) {
	case CONF_SOURCE_FROM:
	case CONF_SOURCE_TO: return type == CONF_FIELD_ADDRESS || type == CONF_FIELD_PREFIX;
	case CONF_SOURCE_SPORT:
	case CONF_SOURCE_DPORT: return type == CONF_FIELD_PORT;
	case CONF_SOURCE_IN:
	case CONF_SOURCE_OUT: return type == CONF_FIELD_INTERFACE;
	case CONF_SOURCE_PROTO: return type == CONF_FIELD_PROTO;
	case CONF_SOURCE_MARK: return type == CONF_FIELD_MARK;
	}
	return false;
}

static const char *source_name(enum conf_source source)
{
	const struct schema_row *row = schema_find("filter.*.rules[].lookup.key");

	for (const struct schema_word *w = row->words; w->word; w++)
		if (w->value == (unsigned)source)
			return w->word;
	return "";
}

void check_set_key(struct check *k, const char *name, const enum conf_source *key, unsigned nkey,
		   const void *field, const unsigned *line)
{
	const struct match_check x = { .k = k, .line = line };
	const struct conf_set *set = find_set(&x, name, field);

	if (!set || set->ntypes == 0 || nkey == 0)
		return;
	if (set->ntypes != nkey) {
		match_error(&x, field, "an element of set %s has %u field%s, not %u", name,
			    set->ntypes, set->ntypes == 1 ? "" : "s", nkey);
		if (nkey == 1)
			report_help(k->report, "say which by key, like key: [from, dport]");
		return;
	}
	for (unsigned i = 0; i < nkey; i++) {
		if (source_fits(key[i], set->type[i]))
			continue;
		match_error(&x, field, "field %u of set %s is of type %s, which %s is not", i + 1,
			    name, type_name(set->type[i]), source_name(key[i]));
		return;
	}
}

/* ---- interfaces */

static void check_names(const struct match_check *x, const struct conf_names *names)
{
	struct check *k = x->k;
	char path[YAML_PATH_MAX];

	check_set(x, names->set, names, CONF_FIELD_INTERFACE, CONF_FIELD_INTERFACE);
	for (unsigned i = 0; i < names->nnames; i++) {
		const char *name = names->names[i];
		if (check_find(&k->ifaces, name) || check_find(&k->zones, name))
			continue;
		report_error(k->report, check_word_place(k, names, i, x->line),
			     "%s: there is no interface or zone %s", check_path(k, names, path),
			     name);
		check_suggest(k, name, &k->ifaces, &k->zones);
	}
}

/* Where a packet is going is decided behind prerouting, and where it came from is no longer known
 * at the end. Chains at input and output go to nftables, which takes either. */
static void check_hook(const struct match_check *x)
{
	const struct conf_names *in = &x->m->in, *out = &x->m->out;

	if (in->nnames || in->set[0]) {
		if (x->hook == CONF_HOOK_POSTROUTING) {
			match_error(x, in, "a packet has no input interface at postrouting");
			report_help(x->k->report,
				    "match it at forward, or by a mark set at prerouting");
		} else if (x->hook == CONF_HOOK_OUTPUT) {
			match_warning(x, in, "a packet has no input interface at output");
		}
	}
	if (out->nnames || out->set[0]) {
		if (x->hook == CONF_HOOK_PREROUTING) {
			match_error(x, out, "a packet has no output interface at prerouting");
			report_help(x->k->report, "match it at forward or postrouting");
		} else if (x->hook == CONF_HOOK_INPUT) {
			match_warning(x, out, "a packet has no output interface at input");
		}
	}
}

/* ---- protocols */

static bool has_proto(const struct conf_match *m, unsigned proto)
{
	for (unsigned i = 0; i < m->nprotos; i++)
		if (m->protos[i] == proto)
			return true;
	return false;
}

bool check_has_ports(const struct conf_match *m)
{
	for (unsigned i = 0; i < m->nprotos; i++)
		if (m->protos[i] != IPPROTO_TCP && m->protos[i] != IPPROTO_UDP &&
		    m->protos[i] != IPPROTO_SCTP && m->protos[i] != IPPROTO_UDPLITE)
			return false;
	return m->nprotos > 0;
}

/* It was given, and could not be read. */
static bool protos_unclear(const struct match_check *x)
{
	const struct yaml_node *n = bind_where(x->k->places, &x->m->protos);

	return n && x->m->nprotos == 0 && !(n->kind == YAML_TEXT && !strcmp(n->text, "any"));
}

static void check_ports(const struct match_check *x, const struct conf_ports *ports)
{
	check_set(x, ports->set, ports, CONF_FIELD_PORT, CONF_FIELD_PORT);
	if ((ports->nranges == 0 && !ports->set[0]) || check_has_ports(x->m) || protos_unclear(x))
		return;
	if (x->m->nprotos == 0)
		match_error(x, ports, "ports need a protocol that has them");
	else
		match_error(x, ports, "not every protocol of this rule has ports");
	report_help(x->k->report, "write proto: tcp, udp, sctp or udplite, or a list of these");
}

static void check_protos(const struct match_check *x)
{
	const struct conf_match *m = x->m;

	check_ports(x, &m->sport);
	check_ports(x, &m->dport);
	if (m->flags_mask && (m->nprotos != 1 || m->protos[0] != IPPROTO_TCP) &&
	    !protos_unclear(x)) {
		match_error(x, &m->flags, "only TCP has flags");
		report_help(x->k->report, "write proto: tcp");
	}
	for (unsigned i = 0; i < m->nicmp; i++) {
		bool v4 = m->icmp[i].family == AF_INET;
		if (m->nprotos == 0 || has_proto(m, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			continue;
		match_warning(x, &m->icmp, "never matches, for proto has no %s",
			      v4 ? "icmp" : "icmpv6");
		break;
	}
}

/* ---- families */

enum { V4 = 1, V6 = 2, BOTH = 3 };

static unsigned addresses_families(const struct conf_addresses *a)
{
	unsigned families = 0;

	if (a->negate || a->set[0] || a->nranges == 0)
		return BOTH;
	for (unsigned i = 0; i < a->nranges; i++)
		families |= a->ranges[i].first.family == AF_INET ? V4 : V6;
	return families;
}

static unsigned icmp_families(const struct conf_match *m)
{
	unsigned families = m->nicmp ? 0 : BOTH;

	for (unsigned i = 0; i < m->nicmp; i++)
		families |= m->icmp[i].family == AF_INET ? V4 : V6;
	return families;
}

static unsigned match_families(const struct conf_match *m)
{
	unsigned family = m->family == AF_INET ? V4 : m->family == AF_INET6 ? V6 : BOTH;

	return family & addresses_families(&m->from) & addresses_families(&m->to) &
	       icmp_families(m);
}

uint8_t check_match_family(const struct conf_match *m)
{
	switch (match_families(m)) {
	case V4: return AF_INET;
	case V6: return AF_INET6;
	default: return 0;
	}
}

static void check_families(const struct match_check *x)
{
	const struct conf_match *m = x->m;
	const void *field = m->nicmp ? (const void *)&m->icmp : m->to.nranges ? &m->to : &m->from;

	if (match_families(m))
		return;
	match_warning(x, field, "never matches: it is of another family than the rest of the rule");
	report_help(x->k->report, "write a rule for IPv4 and one for IPv6");
}

void check_match(struct check *k, const struct conf_match *m, const unsigned *line,
		 enum conf_hook hook)
{
	const struct match_check x = { k, m, line, hook };

	check_names(&x, &m->in);
	check_names(&x, &m->out);
	check_hook(&x);
	check_set(&x, m->from.set, &m->from, CONF_FIELD_ADDRESS, CONF_FIELD_PREFIX);
	check_set(&x, m->to.set, &m->to, CONF_FIELD_ADDRESS, CONF_FIELD_PREFIX);
	check_protos(&x);
	check_families(&x);
	if (m->lookup.set[0])
		check_set_key(k, m->lookup.set, m->lookup.key, m->lookup.nkey, m->lookup.set, line);
}

/* ---- the same match twice */

static uint64_t mix(uint64_t sum, const char *text)
{
	do {
		sum = (sum ^ (uint8_t)*text) * 0x100000001b3u; /* FNV-1a, the NUL too */
	} while (*text++);
	return sum;
}

/* What a match would be printed as, hashed. */
uint64_t check_match_fingerprint(const struct conf_match *m)
{
	const struct schema_row *rule = schema_find("filter.*.rules[]"), *end = schema_end(rule);
	char buf[VALUE_TEXT_MAX];
	uint64_t sum = 0xcbf29ce484222325u;

	for (const struct schema_row *row = rule + 1; row < end; row++) {
		if (row->in != SCHEMA_MATCH || (row->says && !row->says(row, m)))
			continue;
		if (schema_is_words(row)) {
			for (unsigned i = 0; value_word(row, m, i, buf); i++)
				sum = mix(i ? sum : mix(sum, row->path), buf);
		} else if (value_format(row, (const char *)m + row->at, buf)[0] &&
			   (!row->fallback || strcmp(buf, row->fallback))) {
			sum = mix(mix(sum, row->path), buf);
		}
	}
	return sum;
}
