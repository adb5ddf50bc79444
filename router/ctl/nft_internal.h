/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by the files of nft and nobody else: nft.c (the library, counters), nft_render.c (chains
 * and their order), nft_variant.c, nft_match.c, nft_action.c, nft_standin.c, nft_set.c (text
 * of one thing each), nft_state.c (what is there). [control]
 */
#ifndef ROUTER_CTL_NFT_INTERNAL_H
#define ROUTER_CTL_NFT_INTERNAL_H

#include <stdio.h>

#include "router/ctl/nft.h"

/* A chain that gets into the table, and from where packets reach it. */
enum nft_reach {
	NFT_FROM_INPUT = 1,
	NFT_FROM_OUTPUT_RAW = 2, /* before connection tracking */
	NFT_FROM_OUTPUT = 4,
	NFT_BEFORE_ZONES = 8, /* from input, too: what it accepts the zones do not judge */
	NFT_REDIRECTS = 16,   /* from prerouting: nft_redirect.c */
};
struct nft_chain {
	const struct conf_chain *conf;
	unsigned reach;	   /* enum nft_reach; 0: not needed */
	unsigned followed; /* the part of it that its jumps were followed for */
};

/* A rule in the table, or the policy of a chain. Its counter is "rule-N", N its place in the table
 * from 1 on. */
struct nft_rule {
	char chain[CONF_NAME], name[CONF_NAME], file[CONF_NAME];
	enum conf_hook hook;
	int priority;
	bool policy, from_zones;
	unsigned line;
	uint64_t packets, bytes;
	unsigned first_line, last_line; /* of the commands */
	char *match, *action;		/* in the file's words: the same rule has the same */
};

struct nft_text {
	const struct conf *conf;
	const char *table;
	nft_netdev_fn *netdev;
	void *netdev_arg;
	nft_standin_fn *standin; /* NULL: Linux stands in nowhere */
	char standin_note[NFT_NOTE];
	struct conf_chain *zones;
	unsigned nzones;
	struct conf_chain redirects; /* a rule for each of `redirected` */
	const struct conf_nat **redirected;
	struct nft_chain *chains;
	unsigned nchains;
	struct nft_rule *rules;
	unsigned nrules, room;
	const struct nft_rule *old; /* whose counters go on */
	unsigned nold, next_old;
	const char *before, *state;  /* commands that made the table, and what it holds; or NULL */
	struct nft_known_set *known; /* sets, once rendered */
	unsigned nknown;
	FILE *out;
	unsigned lines;

	/* of the rule at hand */
	const struct nft_chain *chain;
	const struct conf_rule *rule;
	unsigned number;

	int err; /* the first one; then nothing counts any more */
	char *why;
	size_t size;
};

/* All that c means, as commands: t->out gets them; nothing, when there is nothing to say. */
int nft_text_render(struct nft_text *t);
void nft_text_fini(struct nft_text *t); /* not its rules */
void nft_rules_free(struct nft_rule *rules, unsigned n);
void nft_line_end(struct nft_text *t);
/* Ends rendering with -EINVAL, naming the rule at hand. */
void nft_refuse(struct nft_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- nft_state.c: the table as it is, as JSON of nft(8) */

/* Packets and bytes of the rules. -EINVAL: not what we know. */
int nft_state_counters(const char *json, struct nft_rule *rules, unsigned n);
/* Commands that add what the set `name` holds, types as in s; nothing, if it is empty. */
void nft_state_elements(const char *json, const char *name, const struct conf_set *s,
			struct nft_text *t);

/* ---- nft_variant.c */

/* A rule that looks at addresses is one rule for each family in nftables. */
struct nft_variant {
	int family;	 /* AF_INET, AF_INET6, or 0 for both at once */
	bool fragmented; /* of IPv6: with a fragment header; see match_fragment() */
};
#define NFT_VARIANTS 3
/* How many there are; 0: the rule never matches. */
unsigned nft_variants(struct nft_text *t, struct nft_variant out[NFT_VARIANTS]);
/* The protocols a packet may have: how many, 256 when it may have any. */
unsigned nft_protocols(const struct conf_match *m, int family, uint8_t out[256]);
bool nft_key_has_address(const enum conf_source *key, unsigned n);
bool nft_key_has_ports(const enum conf_source *key, unsigned n);

/* ---- nft_match.c */

/* All the rule matches, each part followed by a blank. */
void nft_match(struct nft_text *t, const struct nft_variant *v, FILE *f);
/* The limits and sets that its matches refer to, as commands. */
void nft_match_objects(struct nft_text *t);
/* "rate [over] 50/second burst 100 packets" */
void nft_rate(struct nft_text *t, uint32_t count, uint32_t period_ms, uint32_t burst, bool over,
	      FILE *f);
/* "ip saddr . th dport" */
void nft_key(const enum conf_source *key, unsigned n, int family, FILE *f);
const char *nft_family_word(int family); /* "ipv4", "ipv6" */
const char *nft_netdev(struct nft_text *t, const char *iface);
/* "iifname { ... } ", or nothing where l says nothing. */
void nft_interfaces(struct nft_text *t, const char *what, const struct conf_names *l, FILE *f);

/* ---- nft_action.c */

/* The chain of its own that the rule's actions need, as commands: nothing, when they fit in a
 * line. */
void nft_action_chain(struct nft_text *t);
/* Is the line of the rule one for each family, because its action is? */
bool nft_action_has_family(const struct conf_rule *r);
/* What ends the rule's line: the action, or the way to its chain. */
void nft_action(struct nft_text *t, int family, FILE *f);
/* Chains that reject shares, as commands. */
void nft_reject_chains(struct nft_text *t);
/* What "accept" is in chains that stand before the zones', and what their chain begins with: see
 * nft_action.c. Commands; nothing, if there are no such chains. */
void nft_accept_chain(struct nft_text *t);
void nft_accepted_rule(struct nft_text *t);
/* Text inside quotes: nothing in it ends them. */
void nft_quoted(const char *text, FILE *f);

/* ---- nft_redirect.c */

/* Makes t->redirects of what nat.destination says. 0 or -ENOMEM. */
int nft_redirects(struct nft_text *t);
void nft_redirects_fini(struct nft_text *t);
/* What ends the line of such a rule. */
void nft_redirect_action(struct nft_text *t, FILE *f);

/* ---- nft_standin.c */

/* Is there NAT, and does Linux stand in anywhere? */
bool nft_standin_wanted(const struct nft_text *t);
bool nft_standin_looks_at(const struct nft_text *t, const char *set);
/* All its chains, as commands. */
void nft_standin(struct nft_text *t);

/* ---- nft_there.c */

/* Linux says that there is no such chain. */
bool nft_chain_is_gone(const char *table, const char *chain);

/* ---- nft_set.c */

#define NFT_SET_NAME (CONF_NAME + 16)

const struct conf_set *nft_set_find(const struct conf *c, const char *name);
bool nft_set_has_address(const struct conf_set *s);
bool nft_set_has_ranges(const struct conf_set *s); /* may it have any? */
/* The name of the set of this family, "@" not included; returns name. */
char *nft_set_name(const struct conf_set *s, int family, char name[NFT_SET_NAME]);
/* Does a rule of the table refer to it? */
bool nft_set_is_used(const struct nft_text *t, const struct conf_set *s);
/* All sets that are used, as commands, with what was added to them in the table as it is, if
 * t->before has the same set. */
void nft_sets(struct nft_text *t);

/* ---- nft_element.c */

/* A set of the table, to add to: without its elements. */
struct nft_known_set {
	struct conf_set set;
	bool ranges;
};
/* The sets of the table: an array of *n, NULL without any or without memory. */
struct nft_known_set *nft_known_sets(const struct nft_text *t, unsigned *n);
/* "10.0.0.1 . 80", as the file has it, for nft: 0 with its family (0: it has none), or -EINVAL. */
int nft_element_text(const struct nft_known_set *s, const char *text, char *out, size_t size,
		     int *family);

#endif
