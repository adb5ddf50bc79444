/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See notes.h. */
#include "router/notes.h"

#include <arpa/inet.h>
#include <string.h>

#include "router/lib/log.h"
#include "router/lib/spsc.h"
#include "router/net/filter.h"
#include "router/net/policy.h"
#include "router/router.h"
#include "router/state.h"

/* Between an operator's prefix and what follows: a blank, unless the prefix brings its own. */
static const char *blank_after(const char *prefix)
{
	size_t len = strlen(prefix);

	return len && prefix[len - 1] != ' ' ? " " : "";
}

/* Its generation moves whenever a set changes, and its rules stay. */
static bool is_of_policy(const struct router *r, uint16_t generation)
{
	return (uint16_t)(generation - r->policy_since) <=
	       (uint16_t)(r->policy_generation - r->policy_since);
}

static void rule_note(const struct router *r, const struct dp_note *n)
{
	struct filter_rule_info rule = { .name = "?", .log_prefix = "" };
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	const char *in = names_text(&r->names, n->in), *out = names_text(&r->names, n->out);

	if (r->policy && r->policy->filter && is_of_policy(r, n->generation))
		filter_rule(r->policy->filter, n->rule, &rule);
	inet_ntop(n->family, n->src, src, sizeof(src));
	inet_ntop(n->family, n->dst, dst, sizeof(dst));
	log_notice("%s%srule \"%s\": in=%s out=%s src=%s dst=%s len=%u ttl=%u proto=%u sport=%u "
		   "dport=%u",
		   rule.log_prefix, blank_after(rule.log_prefix), rule.name, in, out, src, dst,
		   n->len, n->ttl, n->proto, ntohs(n->sport), ntohs(n->dport));
}

/* F4. Its number may be another interface's by now, or nobody's. */
static void martian_note(const struct router *r, const struct dp_note *n)
{
	const struct dp_config *c = r->state->config;
	const char *iface =
		n->in < c->nifaces && c->iface[n->in].name[0] ? c->iface[n->in].name : "?";
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	const uint8_t *m = n->mac;

	if (n->rule >= DROP__COUNT)
		return;
	inet_ntop(n->family, n->src, src, sizeof(src));
	inet_ntop(n->family, n->dst, dst, sizeof(dst));
	log_notice("%s: %s: src=%s dst=%s mac=%02x:%02x:%02x:%02x:%02x:%02x", iface,
		   drop_info[n->rule].text, src, dst, m[0], m[1], m[2], m[3], m[4], m[5]);
}

void notes_read(struct router *r)
{
	struct dp_note n;

	for (unsigned w = 0; w < r->nworkers; w++) {
		while (spsc_get(&r->worker[w]->notes, &n)) {
			if (n.kind == NOTE_MARTIAN)
				martian_note(r, &n);
			else
				rule_note(r, &n);
		}
	}
}
