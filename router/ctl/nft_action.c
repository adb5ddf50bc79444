// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a rule does, in nft's words: see nft_internal.h.
 *
 * A single action ends the line of its rule. Several, or a log of limited rate, get a chain of
 * their own, "act-N", one line an action: there a line that does not apply (a set that is full, a
 * packet without an MSS, a log over its rate) holds nothing else up. A rule that returns goes there
 * for good, so that the chain's end is the return.
 */
#include "router/ctl/nft_internal.h"

#include <netinet/in.h>
#include <string.h>

#define LOGS_PER_SECOND 10
#define LOG_BURST	5

void nft_quoted(const char *text, FILE *f)
{
	fputc('"', f);
	for (; *text; text++)
		fputc(*text < ' ' || strchr("\"\\$", *text) ? '_' : *text, f);
	fputc('"', f);
}

static bool is_of_family(const struct conf_action *a)
{
	if (a->act == CONF_ACT_ADD_TO)
		return !a->nkey || nft_key_has_address(a->key, a->nkey);
	return a->act == CONF_ACT_SET_DSCP;
}

static bool adds_ports(const struct conf_action *a)
{
	return a->act == CONF_ACT_ADD_TO && nft_key_has_ports(a->key, a->nkey);
}

/* Some actions are for packets of some protocols only, which may not be those of the match. */
static bool has_chain(const struct conf_rule *r)
{
	return r->log.used || r->nactions > 1 ||
	       (r->nactions == 1 &&
		(r->actions[0].act == CONF_ACT_MSS_CLAMP || adds_ports(&r->actions[0])));
}

bool nft_action_has_family(const struct conf_rule *r)
{
	return r->nactions && !has_chain(r) && is_of_family(&r->actions[0]);
}

static bool returns(const struct conf_rule *r)
{
	for (unsigned i = 0; i < r->nactions; i++)
		if (r->actions[i].act == CONF_ACT_RETURN)
			return true;
	return false;
}

/* ---- actions */

static void reject(const struct conf_action *a, FILE *f)
{
	switch ((enum conf_reject)a->value) {
	case CONF_REJECT_DEFAULT:
	case CONF_REJECT_RESET: fputs("goto reject-default", f); break;
	case CONF_REJECT_PORT: fputs("reject with icmpx type port-unreachable", f); break;
	case CONF_REJECT_HOST: fputs("reject with icmpx type host-unreachable", f); break;
	case CONF_REJECT_NET: fputs("reject with icmpx type no-route", f); break;
	case CONF_REJECT_PROHIBITED: fputs("reject with icmpx type admin-prohibited", f); break;
	}
}

/* What the packet's mark had outside of the mask stays. */
static void set_mark(const struct conf_action *a, FILE *f)
{
	if (a->mask == UINT32_MAX)
		fprintf(f, "meta mark set 0x%08x", a->value);
	else
		fprintf(f, "meta mark set (meta mark & 0x%08x) ^ 0x%08x", ~a->mask,
			a->value & a->mask);
}

static void mss_clamp(struct nft_text *t, const struct conf_action *a, FILE *f)
{
	fputs("tcp flags & (syn | rst) == syn tcp option maxseg size set ", f);
	if (a->value)
		fprintf(f, "%u", a->value);
	else if (t->chain->reach & NFT_FROM_INPUT)
		nft_refuse(t, "mss-clamp: pmtu has no path at hook input");
	else
		fputs("rt mtu", f);
}

static void notrack(struct nft_text *t, FILE *f)
{
	if (t->chain->reach & (NFT_FROM_INPUT | NFT_FROM_OUTPUT))
		nft_refuse(t, "notrack comes too late here: at hook output it takes priority raw");
	fputs("notrack", f);
}

/* An element that has no timeout has none to begin anew. */
static void add_to(struct nft_text *t, const struct conf_action *a, int family, FILE *f)
{
	static const enum conf_source source[] = { CONF_SOURCE_FROM };
	const struct conf_set *s = nft_set_find(t->conf, a->name);
	char name[NFT_SET_NAME];

	if (!s) {
		nft_refuse(t, "there is no set \"%s\"", a->name);
		return;
	}
	fprintf(f, "%s @%s { ", s->timeout_s ? "update" : "add", nft_set_name(s, family, name));
	if (a->nkey)
		nft_key(a->key, a->nkey, family, f);
	else
		nft_key(source, 1, family, f);
	fputs(" }", f);
}

/* A family where the action is of one. */
static void action(struct nft_text *t, const struct conf_action *a, int family, FILE *f)
{
	switch (a->act) {
	case CONF_ACT_ACCEPT:
		fputs(t->chain->reach & NFT_BEFORE_ZONES ? "goto accepted" : "accept", f);
		break;
	case CONF_ACT_DROP: fputs("drop", f); break;
	case CONF_ACT_REJECT: reject(a, f); break;
	case CONF_ACT_JUMP: fprintf(f, "jump chain-%s", a->name); break;
	case CONF_ACT_RETURN: fputs("return", f); break;
	case CONF_ACT_SET_MARK: set_mark(a, f); break;
	case CONF_ACT_SAVE_MARK: fputs("ct mark set meta mark", f); break;
	case CONF_ACT_RESTORE_MARK: fputs("meta mark set ct mark", f); break;
	case CONF_ACT_SET_DSCP:
		fprintf(f, "%s dscp set %u", family == AF_INET ? "ip" : "ip6", a->value);
		break;
	case CONF_ACT_MSS_CLAMP: mss_clamp(t, a, f); break;
	case CONF_ACT_NOTRACK: notrack(t, f); break;
	case CONF_ACT_COUNT: break; /* all rules do */
	case CONF_ACT_ADD_TO: add_to(t, a, family, f); break;
	}
}

void nft_action(struct nft_text *t, int family, FILE *f)
{
	if (t->chain->reach & NFT_REDIRECTS)
		nft_redirect_action(t, f);
	else if (has_chain(t->rule))
		fprintf(f, "%s act-%u", returns(t->rule) ? "goto" : "jump", t->number);
	else if (t->rule->nactions)
		action(t, &t->rule->actions[0], family, f);
}

/* ---- the chain of a rule */

static void line_begin(struct nft_text *t)
{
	fprintf(t->out, "add rule inet %s act-%u ", t->table, t->number);
}

static void log_line(struct nft_text *t)
{
	const struct conf_log *l = &t->rule->log;
	const char *said = l->prefix[0] ? l->prefix : t->rule->name[0] ? t->rule->name : "router";
	char prefix[CONF_NAME + 3];

	snprintf(prefix, sizeof(prefix), "%s%s", said,
		 strchr(" :", said[strlen(said) - 1]) ? "" : ": ");
	line_begin(t);
	fputs("limit ", t->out);
	nft_rate(t, l->count ? l->count : LOGS_PER_SECOND, l->count ? l->period_ms : 1000,
		 LOG_BURST, false, t->out);
	fputs(" log prefix ", t->out);
	nft_quoted(prefix, t->out);
	fputs(" level info", t->out);
	nft_line_end(t);
}

static void action_line(struct nft_text *t, const struct conf_action *a, int family)
{
	if (a->act == CONF_ACT_COUNT)
		return;
	line_begin(t);
	if (family)
		fprintf(t->out, "meta nfproto %s ", nft_family_word(family));
	if (adds_ports(a))
		fputs("meta l4proto { 6, 17, 33, 132, 136 } ", t->out);
	action(t, a, family, t->out);
	nft_line_end(t);
}

void nft_action_chain(struct nft_text *t)
{
	const struct conf_rule *r = t->rule;

	if (!has_chain(r))
		return;
	fprintf(t->out, "add chain inet %s act-%u", t->table, t->number);
	nft_line_end(t);
	if (r->log.used)
		log_line(t);
	for (unsigned i = 0; i < r->nactions; i++) {
		const struct conf_action *a = &r->actions[i];

		action_line(t, a, is_of_family(a) ? AF_INET : 0);
		if (is_of_family(a))
			action_line(t, a, AF_INET6);
	}
}

/* Lines of commands: each %s is the table. */
static void command_lines(struct nft_text *t, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *table = strstr(lines[i], "%s");

		fprintf(t->out, "%.*s%s%s", (int)(table - lines[i]), lines[i], t->table, table + 2);
		nft_line_end(t);
	}
}

static bool any_before_zones(const struct nft_text *t)
{
	for (unsigned i = 0; i < t->nchains; i++)
		if (t->chains[i].reach & NFT_BEFORE_ZONES)
			return true;
	return false;
}

/* What a rule written by hand accepts, the zones do not judge (router/net/filter.h). But accept of
 * nftables ends its own base chain only, and one base chain for all would lose their priorities,
 * and with it their order among tables of others. So the packet itself carries the news to the
 * zones' chain: in its priority, a class of traffic control, which nobody reads between the hook
 * and the socket, and which the zones' chain clears for those that get out of a tunnel here. A mark
 * would be in the way of the operator's own. A chain that output jumps to, as well, leaves the
 * priority of what is sent alone: there, no interface is the one it came in by. */
#define ACCEPTED "feed:1"

void nft_accept_chain(struct nft_text *t)
{
	static const char *const lines[] = {
		"add chain inet %s accepted",
		"add rule inet %s accepted iif 0 accept",
		"add rule inet %s accepted meta priority set " ACCEPTED " accept",
	};

	if (any_before_zones(t))
		command_lines(t, lines, sizeof(lines) / sizeof(lines[0]));
}

void nft_accepted_rule(struct nft_text *t)
{
	static const char *const line =
		"add rule inet %s input-zones-input meta priority " ACCEPTED
		" meta priority set none accept comment \"accepted by hand\"";

	if (any_before_zones(t))
		command_lines(t, &line, 1);
}

/* TCP is answered by a reset, all else by an error. */
void nft_reject_chains(struct nft_text *t)
{
	static const char *const lines[] = {
		"add chain inet %s reject-default",
		"add rule inet %s reject-default meta l4proto 6 reject with tcp reset",
		"add rule inet %s reject-default reject with icmpx type port-unreachable",
	};

	command_lines(t, lines, sizeof(lines) / sizeof(lines[0]));
}
