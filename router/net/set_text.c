/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements in words, as the configuration has them: "10.0.0.0/8", "80-90", "lan0", "tcp", and
 * concatenations with " . " between the fields. What is printed parses to the same element.
 * [control]
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/set_internal.h"

#define FIELD_TEXT 96 /* bytes of one field, NUL included: two IPv6 addresses and a dash */

static const char *const type_names[] = {
	[CONF_FIELD_ADDRESS] = "address", [CONF_FIELD_PREFIX] = "prefix",
	[CONF_FIELD_PORT] = "port",	  [CONF_FIELD_INTERFACE] = "interface",
	[CONF_FIELD_PROTO] = "proto",	  [CONF_FIELD_MARK] = "mark",
};

static const struct {
	const char *name;
	uint8_t number;
} protos[] = {
	{ "icmp", IPPROTO_ICMP },     { "tcp", IPPROTO_TCP },	{ "udp", IPPROTO_UDP },
	{ "gre", IPPROTO_GRE },	      { "esp", IPPROTO_ESP },	{ "ah", IPPROTO_AH },
	{ "icmpv6", IPPROTO_ICMPV6 }, { "sctp", IPPROTO_SCTP }, { "udplite", IPPROTO_UDPLITE },
	{ "ipip", IPPROTO_IPIP },
};
#define PROTOS (sizeof(protos) / sizeof(protos[0]))

static_assert(SET_ELEMENT_STRLEN > CONF_FIELDS_MAX * FIELD_TEXT, "an element is printed whole");

/* ---- parsing: 0 or -EINVAL */

static int parse_number(const char *text, uint32_t most, uint32_t *out)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)text[0]) || strlen(text) > 10)
		return -EINVAL;
	n = strtoull(text, &end, hex ? 16 : 10);
	if (*end || n > most || (hex && !text[2]))
		return -EINVAL;
	*out = (uint32_t)n;
	return 0;
}

/* "a-b" in two; false: there is no dash. */
static bool halve(const char *text, char first[FIELD_TEXT], char last[FIELD_TEXT])
{
	const char *dash = strchr(text, '-');

	if (!dash)
		return false;
	snprintf(first, FIELD_TEXT, "%.*s", (int)(dash - text), text);
	snprintf(last, FIELD_TEXT, "%s", dash + 1);
	return true;
}

static int parse_addresses(const char *text, struct conf_element_field *f)
{
	char first[FIELD_TEXT], last[FIELD_TEXT];
	struct prefix p, m;
	unsigned bytes;

	if (halve(text, first, last)) {
		if (addr_parse(first, &f->first) || addr_parse(last, &f->last))
			return -EINVAL;
		return f->first.family == f->last.family && addr_cmp(&f->first, &f->last) <= 0
			       ? 0
			       : -EINVAL;
	}
	if (prefix_parse(text, &p))
		return -EINVAL;
	m = prefix_masked(&p);
	if (!prefix_equal(&m, &p))
		return -EINVAL;
	f->first = f->last = p.addr;
	bytes = addr_bits(&p.addr) / 8;
	for (unsigned b = p.len; b < bytes * 8; b++)
		f->last.bytes[b / 8] |= (uint8_t)(0x80u >> b % 8);
	return 0;
}

static int parse_ports(const char *text, struct conf_element_field *f)
{
	char first[FIELD_TEXT], last[FIELD_TEXT];

	if (!halve(text, first, last)) {
		strcpy(first, text);
		strcpy(last, text);
	}
	if (parse_number(first, UINT16_MAX, &f->low) || parse_number(last, UINT16_MAX, &f->high))
		return -EINVAL;
	return f->low <= f->high ? 0 : -EINVAL;
}

static int parse_interface(const char *text, struct conf_element_field *f)
{
	size_t n = strlen(text);

	if (!n || n >= sizeof(f->name) || !strcmp(text, ".") || !strcmp(text, ".."))
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)text[i]) || text[i] == '/')
			return -EINVAL;
	memcpy(f->name, text, n + 1);
	return 0;
}

static int parse_proto(const char *text, struct conf_element_field *f)
{
	int err = parse_number(text, UINT8_MAX, &f->low);

	for (unsigned i = 0; i < PROTOS && err; i++) {
		if (strcmp(protos[i].name, text) != 0)
			continue;
		f->low = protos[i].number;
		err = 0;
	}
	f->high = f->low;
	return err;
}

static int parse_field(enum conf_field type, const char *text, struct conf_element_field *f)
{
	switch (type) {
	case CONF_FIELD_ADDRESS:
	case CONF_FIELD_PREFIX: return parse_addresses(text, f);
	case CONF_FIELD_PORT: return parse_ports(text, f);
	case CONF_FIELD_INTERFACE: return parse_interface(text, f);
	case CONF_FIELD_PROTO: return parse_proto(text, f);
	case CONF_FIELD_MARK:
		if (parse_number(text, UINT32_MAX, &f->low))
			return -EINVAL;
		f->high = f->low;
		return 0;
	}
	return -EINVAL;
}

/* The field that text begins with, up to " . " or the end; *rest is what follows, or NULL. */
static int cut_field(const char *text, char field[FIELD_TEXT], const char **rest)
{
	const char *dot = strstr(text, " . ");
	size_t n = dot ? (size_t)(dot - text) : strlen(text);

	if (n >= FIELD_TEXT)
		return -EINVAL;
	memcpy(field, text, n);
	field[n] = '\0';
	*rest = dot ? dot + 3 : NULL;
	return 0;
}

int set_parse(const struct set *s, const char *text, struct conf_element *out, char *why,
	      size_t size)
{
	struct conf_element e = { 0 };
	char field[FIELD_TEXT], type[64];

	for (unsigned i = 0; i < s->ntypes; i++) {
		const char *rest;

		if (!text || cut_field(text, field, &rest) || (!rest && i + 1 < s->ntypes) ||
		    (rest && i + 1 == s->ntypes)) {
			set_format_type(s, type);
			snprintf(why, size, "an element of this set is %s", type);
			return -EINVAL;
		}
		if (parse_field(s->type[i], field, &e.field[i]) ||
		    (s->type[i] == CONF_FIELD_ADDRESS &&
		     addr_cmp(&e.field[i].first, &e.field[i].last))) {
			snprintf(why, size, "\"%s\" is no %s", field, type_names[s->type[i]]);
			return -EINVAL;
		}
		text = rest;
	}
	return set_normalise(s, &e, out, why, size);
}

/* ---- printing */

struct out {
	char *text;
	size_t size, len;
};

static void __attribute__((format(printf, 2, 3))) put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (o->len >= o->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(o->text + o->len, o->size - o->len, fmt, ap);
	va_end(ap);
	o->len += n > 0 ? (size_t)n : 0;
}

static void format_addresses(const struct conf_element_field *f, struct out *o)
{
	char first[ADDR_STRLEN], last[ADDR_STRLEN];
	int len = prefix_between(&f->first, &f->last);

	addr_format(&f->first, first);
	if (len == (int)addr_bits(&f->first))
		put(o, "%s", first);
	else if (len >= 0)
		put(o, "%s/%d", first, len);
	else
		put(o, "%s-%s", first, addr_format(&f->last, last));
}

static void format_proto(uint32_t proto, struct out *o)
{
	for (unsigned i = 0; i < PROTOS; i++)
		if (protos[i].number == proto) {
			put(o, "%s", protos[i].name);
			return;
		}
	put(o, "%" PRIu32, proto);
}

void set_format(const struct set *s, const struct conf_element *e, char *text, size_t size)
{
	struct out o = { .text = text, .size = size };

	for (unsigned i = 0; i < s->ntypes; i++) {
		const struct conf_element_field *f = &e->field[i];

		put(&o, "%s", i ? " . " : "");
		switch (s->type[i]) {
		case CONF_FIELD_ADDRESS:
		case CONF_FIELD_PREFIX: format_addresses(f, &o); break;
		case CONF_FIELD_PORT:
			put(&o, "%" PRIu32, f->low);
			if (f->high != f->low)
				put(&o, "-%" PRIu32, f->high);
			break;
		case CONF_FIELD_INTERFACE:
			put(&o, "%s", names_text(s->names, (uint16_t)f->low));
			break;
		case CONF_FIELD_PROTO: format_proto(f->low, &o); break;
		case CONF_FIELD_MARK: put(&o, "0x%" PRIx32, f->low); break;
		}
	}
}

void set_format_type(const struct set *s, char text[64])
{
	struct out o = { .text = text, .size = 64 };

	for (unsigned i = 0; i < s->ntypes; i++)
		put(&o, "%s%s", i ? " . " : "", type_names[s->type[i]]);
}
