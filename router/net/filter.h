/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filter chains, compiled: what becomes of a packet at a stage of its way.
 *
 * Stages are netfilter's hooks cut where connection tracking and NAT stand. The chains of a stage
 * run by priority, then in the order of the file; accept ends a chain, drop and reject end all.
 * What a rule written by hand accepts is not asked of the zones' chain again, which stands behind.
 * Built by control, immutable but for counters. Chains at `input` and `output` are Linux's affair
 * (nftables) and not compiled here.
 */
#ifndef ROUTER_NET_FILTER_H
#define ROUTER_NET_FILTER_H

#include "router/net/match.h"

enum filter_stage {
	FILTER_RAW,	/* prerouting, priority up to -200: before connection tracking */
	FILTER_MANGLE,	/* prerouting, up to -100: before destination NAT */
	FILTER_DSTNAT,	/* prerouting, the rest */
	FILTER_FORWARD, /* all of forward */
	FILTER_POST,	/* postrouting, below 100: before source NAT */
	FILTER_SRCNAT,	/* postrouting, the rest */
	FILTER_STAGES,
};

enum filter_verdict { FILTER_ACCEPT, FILTER_DROP, FILTER_REJECT };

/* What the stages of one packet leave behind; begins zeroed. */
struct filter_result {
	uint8_t verdict; /* enum filter_verdict */
	uint8_t reject;	 /* enum conf_reject */
	bool notrack;
	bool has_dscp;
	uint8_t dscp;
	bool has_mss;
	uint16_t mss;	/* 0: of the path's MTU */
	bool save_mark; /* the flow's mark becomes `saved` */
	uint32_t saved;
	uint32_t ct_mark; /* in: the flow's mark, for restore-mark */
	uint16_t rule;	  /* that decided, for filter_rule(); 0: a policy or nothing */
	uint16_t chain;	  /* dropped by policy: the line of that policy, for filter_rule() */
};

struct filter;

/* [control] Chains of c and those that its zones mean. nworkers: for counters. 0, -EINVAL (a jump
 * in a circle, ...) or -ENOMEM with why. */
int filter_build(const struct match_context *c, unsigned nworkers, struct filter **out, char *why,
		 size_t size);
void filter_destroy(struct filter *f);

/* Does the stage have any chain? [any] */
bool filter_has(const struct filter *f, enum filter_stage stage);
/* Does any rule clamp the MSS, or match SYNs only? Then every SYN is judged. [any] */
bool filter_wants_syns(const struct filter *f);

/* [worker] Run a stage; p->mark follows set-mark. A rule's log goes to say(arg, rule, p), at most
 * as often as it may; NULL: nowhere.
 *
 * [any] With p->dry nothing is counted, logged or added to a set; say() hears of every rule that
 * matches and of every policy that is asked, in their order, before what they do is done. */
typedef void filter_say_fn(void *arg, uint16_t rule, const struct match_packet *p);
enum filter_verdict filter_run(const struct filter *f, enum filter_stage stage,
			       struct match_packet *p, struct filter_result *out,
			       filter_say_fn *say, void *arg);

/* Rules for show and explain: number from 1 on, in order of chains. False: no such rule. [control]
 */
struct filter_rule_info {
	const char *chain, *hook, *name, *file, *log_prefix;
	int priority;
	bool policy; /* the last line of a chain: its policy */
	bool from_zones;
	unsigned line;
	char match[256], action[128]; /* as in the file */
	uint64_t packets, bytes;      /* judged by it: the first of a flow and direction */
};
bool filter_rule(const struct filter *f, unsigned number, struct filter_rule_info *out);
/* Counters of rules that are the same (chain, name or place, and content) go on. Before `f` is
 * used. [control] */
void filter_carry_over(struct filter *f, const struct filter *old);

#endif
