// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of nat.destination that redirect. The XDP program leaves their packets to Linux by
 * interface, protocol, port and family alone, before any rule sees them (router/redirect.c). What
 * Linux then does not redirect, because of something else in the rule, would be lost; and a rule
 * that stands before it and means some of these packets, too, would never see them.
 */
#include <netinet/in.h>
#include <string.h>

#include "config/check.h"

/* ---- what it matches */

/* What nobody could look at, or NULL. */
static const void *redirect_excess(const struct conf_match *m)
{
	const struct {
		const void *field;
		bool used;
	} excess[] = {
		{ &m->from, m->from.set[0] || m->from.nranges },
		{ &m->to, m->to.set[0] || m->to.nranges },
		{ &m->sport, m->sport.set[0] || m->sport.nranges },
		{ &m->in, m->in.set[0] || m->in.negate },
		{ &m->dport, m->dport.set[0] || m->dport.negate },
		{ &m->flags, m->flags_mask },
		{ &m->icmp, m->nicmp },
		{ &m->dscp, m->dscp },
		{ &m->mark, m->has_mark },
		{ &m->ct, m->ct },
		{ &m->status, m->status },
		{ &m->length_min, m->length_max },
		{ &m->ttl_min, m->ttl_max },
		{ &m->fragment, m->fragment },
		{ &m->rate, m->rate.used },
		{ &m->connections_over, m->connections_over },
		{ &m->lookup, m->lookup.set[0] },
	};

	for (size_t i = 0; i < sizeof(excess) / sizeof(excess[0]); i++)
		if (excess[i].used)
			return excess[i].field;
	return NULL;
}

static bool is_tcp_or_udp(const struct conf_match *m)
{
	for (unsigned i = 0; i < m->nprotos; i++)
		if (m->protos[i] != IPPROTO_TCP && m->protos[i] != IPPROTO_UDP)
			return false;
	return m->nprotos > 0;
}

static void redirect_error(struct check *k, const struct conf_nat *r, const void *field,
			   const char *what, const char *help)
{
	char path[YAML_PATH_MAX];

	report_error(k->report, check_place(k, field, &r->line), "%s: %s",
		     check_path(k, &r->line, path), what);
	report_help(k->report, "%s", help);
}

static bool check_match_of(struct check *k, const struct conf_nat *r)
{
	const struct conf_match *m = &r->match;
	const void *excess = redirect_excess(m);

	if (excess)
		redirect_error(k, r, excess,
			       "what is redirected is chosen by in, proto, dport and family only",
			       "names and numbers, no sets; leave the rest to rules at hook input");
	else if (!m->in.nnames)
		redirect_error(k, r, &r->line, "where do packets come in?",
			       "write in: and an interface or zone, like in: lan");
	else if (!is_tcp_or_udp(m))
		redirect_error(k, r, &m->protos, "only TCP and UDP are redirected",
			       "write proto: tcp, udp or [tcp, udp]");
	else if (!m->dport.nranges)
		redirect_error(k, r, &r->line, "which ports are redirected?",
			       "write dport: and ports, like dport: 53");
	else if (r->ports.first != r->ports.last)
		redirect_error(k, r, &r->ports, "all ports are redirected to one",
			       "give one port, or none: then they stay what they are");
	else
		return true;
	return false;
}

/* ---- rules before it */

/* May a packet match both? Of interfaces and zones only the names are compared. */
static bool names_meet(const struct check *k, const struct conf_names *a, const char *name)
{
	const struct conf_zone *z;

	if (!a->nnames || a->set[0] || a->negate)
		return true;
	for (unsigned i = 0; i < a->nnames; i++) {
		if (!strcmp(a->names[i], name))
			return true;
		z = check_find(&k->zones, a->names[i]);
		for (unsigned n = 0; z && n < z->interfaces.nnames; n++)
			if (!strcmp(z->interfaces.names[n], name))
				return true;
	}
	return false;
}

static bool interfaces_meet(const struct check *k, const struct conf_names *redirected,
			    const struct conf_names *other)
{
	for (unsigned i = 0; i < redirected->nnames; i++) {
		const struct conf_zone *z = check_find(&k->zones, redirected->names[i]);

		if (names_meet(k, other, redirected->names[i]))
			return true;
		for (unsigned n = 0; z && n < z->interfaces.nnames; n++)
			if (names_meet(k, other, z->interfaces.names[n]))
				return true;
	}
	return false;
}

static bool protos_meet(const struct conf_match *a, const struct conf_match *b)
{
	for (unsigned i = 0; i < a->nprotos; i++)
		for (unsigned j = 0; j < b->nprotos; j++)
			if (a->protos[i] == b->protos[j])
				return true;
	return !b->nprotos;
}

static bool ports_meet(const struct conf_ports *a, const struct conf_ports *b)
{
	for (unsigned i = 0; i < a->nranges; i++)
		for (unsigned j = 0; j < b->nranges; j++)
			if (a->ranges[i].first <= b->ranges[j].last &&
			    b->ranges[j].first <= a->ranges[i].last)
				return true;
	return !b->nranges || b->negate;
}

/* A rule before it that means other hosts' packets, too, comes too late: these are Linux's already.
 */
static void check_before(struct check *k, const struct conf_nat *r)
{
	const struct conf_nat *all = k->c->nat_destination;
	char path[YAML_PATH_MAX], line[YAML_PATH_MAX];

	for (const struct conf_nat *e = all; e < r; e++) {
		const struct conf_match *m = &e->match;
		struct mark at = check_place(k, &e->line, NULL);

		if (e->kind == CONF_NAT_REDIRECT ||
		    (e->kind == CONF_NAT_DESTINATION && !m->to.nranges && !m->to.set[0]))
			continue;
		if (!interfaces_meet(k, &r->match.in, &m->in) || !protos_meet(&r->match, m) ||
		    !ports_meet(&r->match.dport, &m->dport) ||
		    (m->family && r->match.family && m->family != r->match.family))
			continue;
		report_error(k->report, at, "%s: comes too late for what is redirected at %s",
			     check_path(k, &e->line, path),
			     check_line(k, check_place(k, &r->line, NULL), at, line));
		report_help(k->report, "packets are redirected before any other rule sees them: "
				       "give one of both another in, proto, dport or family");
	}
}

void check_redirect(struct check *k, const struct conf_nat *r)
{
	if (check_match_of(k, r))
		check_before(k, r);
}
