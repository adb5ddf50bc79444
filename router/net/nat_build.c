/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NAT rules out of a configuration: what they say, and the matchers that find them. [control] */
#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/nat_internal.h"

/* ---- addresses */

struct addr nat_addr_add(const struct addr *a, uint64_t k)
{
	struct addr sum = *a;
	unsigned i = a->family == AF_INET6 ? 16 : 4;

	for (uint64_t carry = k; carry && i--;) {
		carry += sum.bytes[i];
		sum.bytes[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return sum;
}

uint64_t nat_range_size(const struct conf_range *r)
{
	const uint64_t most = 1ull << 32;
	unsigned bytes = r->first.family == AF_INET6 ? 16 : 4;
	uint64_t size = 0;

	/* the difference, byte by byte; once it is large it stays so */
	for (unsigned i = 0; i < bytes; i++) {
		int64_t digit = (int64_t)r->last.bytes[i] - r->first.bytes[i];

		if (size > most)
			return most;
		size = (uint64_t)((int64_t)(size << 8) + digit);
	}
	return size < most ? size + 1 : most;
}

/* ---- what a rule says */

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u; /* FNV-1a */
	return h;
}

/* Out of what it translates to, so that it is the same when the file is loaded again. */
static void make_key(const struct conf_nat *c, uint8_t key[16])
{
	uint64_t h[2] = { hash_bytes(0xcbf29ce484222325u, c->name, strlen(c->name)), 0 };

	for (unsigned i = 0; i < c->npool; i++) {
		h[0] = hash_bytes(h[0], &c->pool[i].first, sizeof(struct addr));
		h[0] = hash_bytes(h[0], &c->pool[i].last, sizeof(struct addr));
	}
	h[1] = hash_bytes(h[0], h, sizeof(h[0]));
	memcpy(key, h, sizeof(h));
}

static bool names_given(const struct conf_names *n)
{
	return n->nnames || n->set[0];
}

static bool addresses_given(const struct conf_addresses *a)
{
	return a->nranges || a->set[0];
}

static int copy_targets(struct nat_rule *r, const struct conf_nat *c)
{
	r->target = calloc(c->npool + 1, sizeof(*r->target));
	r->dport = calloc(c->match.dport.nranges + 1, sizeof(*r->dport));
	if (!r->target || !r->dport)
		return -ENOMEM;
	for (; r->ntargets < c->npool; r->ntargets++) {
		r->target[r->ntargets] = c->pool[r->ntargets];
		r->naddresses[family_index(c->pool[r->ntargets].first.family)] +=
			nat_range_size(&c->pool[r->ntargets]);
	}
	for (; !c->match.dport.negate && r->ndport < c->match.dport.nranges; r->ndport++)
		r->dport[r->ndport] = c->match.dport.ranges[r->ndport];
	return 0;
}

static int rule_init(struct nat_rule *r, const struct conf_nat *c)
{
	r->kind = (uint8_t)c->kind;
	r->mapping = (uint8_t)c->mapping;
	r->filtering = (uint8_t)c->filtering;
	r->persistent = c->persistent;
	r->hairpin = c->hairpin;
	r->parity = !c->no_parity;
	r->random = !c->sequential;
	r->has_in = names_given(&c->match.in);
	r->has_out = names_given(&c->match.out);
	r->has_from = addresses_given(&c->match.from);
	r->has_address = addresses_given(&c->match.to);
	r->first = c->ports.first;
	r->last = c->ports.last;
	r->external = c->external;
	r->internal = c->internal;
	r->line = c->line;
	memcpy(r->name, c->name, sizeof(r->name));
	memcpy(r->file, c->file, sizeof(r->file));
	make_key(c, r->key);
	if (!nat_rule_describe(r, c))
		return -ENOMEM;
	return c->kind == CONF_NAT_DESTINATION ? copy_targets(r, c) : 0;
}

static void rule_fini(struct nat_rule *r)
{
	free(r->slot[0]);
	free(r->slot[1]);
	free(r->target);
	free(r->dport);
	free(r->match);
	free(r->text);
}

static int build_rules(struct nat *n, const struct conf *c)
{
	const struct conf_nat *const list[] = { c->nat_source, c->nat_destination, c->nat_static };
	const unsigned length[] = { n->nsource, n->ndestination, n->nstatic };
	struct nat_rule *r = n->rule;
	int rc = 0;

	for (unsigned k = 0; k < 3; k++)
		for (unsigned i = 0; i < length[k] && !rc; i++)
			rc = rule_init(r++, &list[k][i]);
	return rc;
}

/* ---- matchers */

/* What of a rule is to be matched; a range of it that the configuration does not have goes to
 * *range. */
typedef struct conf_match part_fn(const struct conf_nat *rule, struct conf_range *range);

/* A list of rules to be matched, as they stand or in part. */
struct part {
	const struct conf_nat *rules;
	unsigned n;
	const char *list; /* in the file */
	part_fn *of;
};

/* What rates are called, for ever: by the rule's name, or its place. */
static const char *part_name(void *arg, unsigned i)
{
	static char name[CONF_NAME + 64];
	const struct part *p = arg;

	if (p->rules[i].name[0])
		snprintf(name, sizeof(name), "nat.%s.%s", p->list, p->rules[i].name);
	else
		snprintf(name, sizeof(name), "nat.%s[%u]", p->list, i);
	return name;
}

/* AF_INET, AF_INET6, or 0: of both. */
static uint8_t family_of(const struct conf_nat *c)
{
	uint8_t family = c->npool ? c->pool[0].first.family : 0;

	for (unsigned i = 1; i < c->npool; i++)
		if (c->pool[i].first.family != family)
			return 0;
	return family;
}

/* A rule is for packets of the families that it has addresses of. */
static struct conf_match whole(const struct conf_nat *c, struct conf_range *range)
{
	struct conf_match m = c->match;

	(void)range;
	if (!m.family)
		m.family = family_of(c);
	return m;
}

static struct conf_match whatever_out(const struct conf_nat *c, struct conf_range *range)
{
	struct conf_match m = whole(c, range);

	m.out = (struct conf_names){ 0 };
	m.rate.used = false;
	m.connections_over = 0;
	return m;
}

static struct conf_match out_alone(const struct conf_nat *c, struct conf_range *range)
{
	(void)range;
	return (struct conf_match){ .in = c->match.out };
}

static struct conf_match in_alone(const struct conf_nat *c, struct conf_range *range)
{
	(void)range;
	return (struct conf_match){ .in = c->match.in };
}

static struct conf_match whatever_in(const struct conf_nat *c, struct conf_range *range)
{
	struct conf_match m = whole(c, range);

	if (c->hairpin)
		m.in = (struct conf_names){ 0 };
	return m;
}

static struct conf_addresses range_of(const struct prefix *p, struct conf_range *range)
{
	struct prefix first = prefix_masked(p);

	range->first = range->last = first.addr;
	for (unsigned bit = p->len; bit < addr_bits(&p->addr); bit++)
		range->last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return (struct conf_addresses){ .ranges = range, .nranges = 1 };
}

static struct conf_match to_external(const struct conf_nat *c, struct conf_range *range)
{
	struct conf_match m = whatever_in(c, range);

	m.to = range_of(&c->external, range);
	return m;
}

static struct conf_match from_internal(const struct conf_nat *c, struct conf_range *range)
{
	return (struct conf_match){ .from = range_of(&c->internal, range) };
}

static int build_part(const struct match_context *c, struct part *p, struct matcher **out,
		      char *why, size_t size)
{
	struct conf_match *match = calloc(p->n + 1, sizeof(*match));
	struct conf_range *range = calloc(p->n + 1, sizeof(*range));
	const struct conf_match **list = calloc(p->n + 1, sizeof(*list));
	int rc = -ENOMEM;

	if (match && range && list) {
		for (unsigned i = 0; i < p->n; i++) {
			match[i] = p->of(&p->rules[i], &range[i]);
			list[i] = &match[i];
		}
		rc = matcher_build(c, list, p->n, part_name, p, out, why, size);
	}
	free(match);
	free(range);
	free(list);
	return rc;
}

static int build_matchers(struct nat *n, const struct match_context *c, char *why, size_t size)
{
	const struct conf_nat *source = c->conf->nat_source, *to = c->conf->nat_destination,
			      *fixed = c->conf->nat_static;
	const struct {
		struct part part;
		struct matcher **out;
	} all[] = {
		{ { source, n->nsource, "source", whole }, &n->source },
		{ { source, n->nsource, "source", whatever_out }, &n->source_any },
		{ { source, n->nsource, "source", out_alone }, &n->source_out },
		{ { to, n->ndestination, "destination", whatever_in }, &n->destination },
		{ { to, n->ndestination, "destination", in_alone }, &n->destination_in },
		{ { fixed, n->nstatic, "static", to_external }, &n->external },
		{ { fixed, n->nstatic, "static", from_internal }, &n->internal },
		{ { fixed, n->nstatic, "static", in_alone }, &n->static_in },
	};
	int rc = 0;

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]) && !rc; i++) {
		struct part p = all[i].part;

		rc = build_part(c, &p, all[i].out, why, size);
	}
	return rc;
}

/* ---- the router's own addresses */

static int compare_local(const void *a, const void *b)
{
	const struct nat_local *x = a, *y = b;
	int order = addr_cmp(&x->addr, &y->addr);

	return order ? order : x->iface - y->iface;
}

static bool is_link_local(const struct addr *a)
{
	return a->family == AF_INET6 ? IN6_IS_ADDR_LINKLOCAL(&a->v6)
				     : a->bytes[0] == 169 && a->bytes[1] == 254;
}

static int build_local(struct nat *n, const struct nat_local *local, unsigned nlocal)
{
	n->local = calloc(nlocal + 1, sizeof(*n->local));
	if (!n->local)
		return -ENOMEM;
	for (unsigned i = 0; i < nlocal; i++) {
		n->local[n->nlocal++] = local[i];
		if (local[i].iface >= n->nown)
			n->nown = local[i].iface + 1u;
	}
	for (unsigned family = 0; family < 2; family++) {
		n->own[family] = calloc(n->nown + 1, sizeof(**n->own));
		if (!n->own[family])
			return -ENOMEM;
		for (unsigned i = 0; i < n->nown; i++)
			n->own[family][i].slot = NATPORT_NO_SLOT;
	}
	for (unsigned i = 0; i < nlocal; i++) {
		struct nat_own *o = &n->own[family_index(local[i].addr.family)][local[i].iface];

		if (!o->addr.family && !is_link_local(&local[i].addr))
			o->addr = local[i].addr;
	}
	qsort(n->local, n->nlocal, sizeof(*n->local), compare_local);
	return 0;
}

/* ---- all of it */

/* A worker's counters have cache lines of their own. */
static int build_counters(struct nat *n, unsigned nworkers)
{
	const size_t line = 64, size = (n->nrules + 1) * sizeof(**n->count);

	n->count = calloc(nworkers + 1, sizeof(*n->count));
	for (; n->count && n->nworkers < nworkers; n->nworkers++) {
		void *own = aligned_alloc(line, (size + line - 1) / line * line);

		if (!own)
			return -ENOMEM;
		n->count[n->nworkers] = memset(own, 0, size);
	}
	return n->count ? 0 : -ENOMEM;
}

int nat_build(const struct match_context *c, struct natports *ports, const struct nat_local *local,
	      unsigned nlocal, unsigned nworkers, struct nat **out, char *why, size_t size)
{
	const struct conf *conf = c->conf;
	struct nat *n = calloc(1, sizeof(*n));
	int rc = -ENOMEM;

	snprintf(why, size, "out of memory");
	if (!n)
		return -ENOMEM;
	n->ports = ports;
	n->nsource = conf->nnat_source;
	n->ndestination = conf->nnat_destination;
	n->nstatic = conf->nnat_static;
	n->nrules = n->nsource + n->ndestination + n->nstatic;
	if (n->nrules > NAT_RULES_MAX) {
		snprintf(why, size, "nat: %u rules are more than %u", n->nrules, NAT_RULES_MAX);
		rc = -EINVAL;
		goto err;
	}
	n->rule = calloc(n->nrules + 1, sizeof(*n->rule));
	if (!n->rule)
		goto err;
	rc = build_rules(n, conf);
	if (!rc)
		rc = build_local(n, local, nlocal);
	if (!rc)
		rc = build_counters(n, nworkers);
	if (!rc)
		rc = build_matchers(n, c, why, size);
	if (!rc)
		rc = nat_ports_init(n, conf, why, size);
	if (rc)
		goto err;
	*out = n;
	return 0;
err:
	nat_destroy(n);
	return rc;
}

void nat_destroy(struct nat *n)
{
	if (!n)
		return;
	nat_ports_fini(n);
	matcher_destroy(n->source);
	matcher_destroy(n->source_any);
	matcher_destroy(n->source_out);
	matcher_destroy(n->destination);
	matcher_destroy(n->destination_in);
	matcher_destroy(n->external);
	matcher_destroy(n->internal);
	matcher_destroy(n->static_in);
	for (unsigned i = 0; n->rule && i < n->nrules; i++)
		rule_fini(&n->rule[i]);
	for (unsigned i = 0; i < n->nworkers; i++)
		free(n->count[i]);
	free(n->count);
	free(n->rule);
	free(n->local);
	free(n->own[0]);
	free(n->own[1]);
	free(n);
}
