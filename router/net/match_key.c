/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/net/match_key.h"

#include <arpa/inet.h>

bool match_key(const struct match_packet *p, const uint8_t *source, unsigned n, struct set_key *out)
{
	const struct flow_key *k = &p->key;

	out->n = 0;
	for (unsigned i = 0; i < n; i++) {
		switch ((enum conf_source)source[i]) {
		case CONF_SOURCE_FROM: set_key_address(out, k->family, k->src); break;
		case CONF_SOURCE_TO: set_key_address(out, k->family, k->dst); break;
		case CONF_SOURCE_SPORT:
			if (!match_has_ports(p))
				return false;
			set_key_value(out, ntohs(k->sport));
			break;
		case CONF_SOURCE_DPORT:
			if (!match_has_ports(p))
				return false;
			set_key_value(out, ntohs(k->dport));
			break;
		case CONF_SOURCE_IN: set_key_value(out, p->in); break;
		case CONF_SOURCE_OUT: set_key_value(out, p->out); break;
		case CONF_SOURCE_PROTO: set_key_value(out, k->proto); break;
		case CONF_SOURCE_MARK: set_key_value(out, p->mark); break;
		}
	}
	return true;
}
