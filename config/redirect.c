// SPDX-License-Identifier: GPL-2.0-or-later
/* What rules of nat.destination redirect. They name interfaces and zones, and match no more than
 * check_redirect.c lets them. [control] */
#include <string.h>

#include "config/conf.h"

static bool zone_has(const struct conf *c, const char *zone, const char *iface)
{
	for (unsigned i = 0; i < c->nzones; i++) {
		const struct conf_zone *z = &c->zones[i];

		if (strcmp(z->name, zone) != 0)
			continue;
		for (unsigned n = 0; n < z->interfaces.nnames; n++)
			if (!strcmp(z->interfaces.names[n], iface))
				return true;
	}
	return false;
}

bool conf_redirect_comes_in(const struct conf *c, const struct conf_nat *rule, const char *iface)
{
	const struct conf_names *in = &rule->match.in;

	for (unsigned i = 0; i < in->nnames; i++)
		if (!strcmp(in->names[i], iface) || zone_has(c, in->names[i], iface))
			return true;
	return false;
}

static bool has_proto(const struct conf_match *m, uint8_t proto)
{
	for (unsigned i = 0; i < m->nprotos; i++)
		if (m->protos[i] == proto)
			return true;
	return false;
}

static bool has_dport(const struct conf_match *m, uint16_t port)
{
	for (unsigned i = 0; i < m->dport.nranges; i++)
		if (port >= m->dport.ranges[i].first && port <= m->dport.ranges[i].last)
			return true;
	return false;
}

const struct conf_nat *conf_redirect_find(const struct conf *c, const char *iface, uint8_t family,
					  uint8_t proto, uint16_t dport)
{
	for (unsigned i = 0; i < c->nnat_destination; i++) {
		const struct conf_nat *n = &c->nat_destination[i];
		const struct conf_match *m = &n->match;

		if (n->kind == CONF_NAT_REDIRECT && (!m->family || m->family == family) &&
		    has_proto(m, proto) && has_dport(m, dport) &&
		    conf_redirect_comes_in(c, n, iface))
			return n;
	}
	return NULL;
}
