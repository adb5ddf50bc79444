/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a filter, shared by filter.c (runs it), filter_build.c (makes it) and filter_show.c
 * (tells of it). Nobody else includes this.
 *
 * Chains stand in one array: those with a hook by stage, priority and place in the file, then those
 * that are jumped to. Lines are numbered across all of them from 1 on, a chain's rules and, where
 * it has a hook, its policy. Counters are an array of lines for each worker.
 */
#ifndef ROUTER_NET_FILTER_INTERNAL_H
#define ROUTER_NET_FILTER_INTERNAL_H

#include "router/net/filter.h"
#include "router/net/set.h"

#define FILTER_DEPTH	 16u /* chains inside each other by jumps: netfilter's limit */
#define FILTER_LINES_MAX UINT16_MAX

struct filter_action {
	uint8_t act; /* enum conf_act */
	uint8_t nkey;
	uint8_t key[CONF_FIELDS_MAX]; /* enum conf_source */
	uint16_t chain;		      /* jump: its index */
	uint32_t value, mask;
	struct set *set;
};

struct filter_rule {
	struct filter_action *action;
	unsigned nactions;
	uint32_t log_count; /* lines in log_period; 0: it does not log */
	uint64_t log_period;
};

struct filter_chain {
	struct matcher *matcher;
	struct filter_rule *rule;
	unsigned nrules;
	uint16_t first; /* number of its first line */
	bool drop;	/* policy */
	/* for show */
	char name[CONF_NAME];
	enum conf_hook hook;
	int priority;
	bool from_zones;
};

/* A line as text. */
struct filter_line {
	const struct filter_chain *chain;
	char *name, *file, *match, *action, *prefix;
	unsigned line;
	bool policy;
	uint64_t packets, bytes; /* carried over */
};

/* Of one line and worker, written by it alone. */
struct filter_count {
	uint64_t packets, bytes;
	uint64_t log_since; /* when the period began that it has said `said` lines in */
	uint64_t said;
};

struct filter {
	struct filter_chain *chain;
	unsigned nchains;
	unsigned stage[FILTER_STAGES + 1]; /* chains of stage s: from stage[s] up to stage[s + 1] */
	struct filter_line *line;	   /* by number - 1 */
	unsigned nlines;
	struct filter_count **count; /* by worker, then by number */
	unsigned nworkers;
	bool syns;
};

/* ---- while it is built */

/* One chain of the configuration, and what becomes of it. */
struct filter_source {
	const struct conf_chain *conf;
	unsigned stage; /* FILTER_STAGES: none of ours */
	unsigned depth; /* chains inside each other from here on, 0: not looked at yet */
	bool open;	/* being looked at: whoever jumps here goes in a circle */
	bool used;	/* a packet may come here */
	unsigned index; /* in the filter */
};

struct filter_build {
	const struct match_context *c;
	struct conf_chain *zones;
	unsigned nzones, n;
	struct filter_source *source; /* n, in order of the file, zones last */
	struct filter *f;
	char *why;
	size_t size;
};

int filter_refuse(const struct filter_build *b, const char *format, ...)
	__attribute__((format(printf, 2, 3))); /* -EINVAL */
int filter_no_memory(const struct filter_build *b);

/* Fills source[], refuses jumps that lead nowhere or in a circle, gives each chain that is used its
 * place, and makes the filter's array of chains. 0; -EINVAL, -ENOMEM with why. */
int filter_order(struct filter_build *b);
/* The chain of this name in source[]; -1: there is none. */
int filter_chain_named(const struct filter_build *b, const char *name);

#endif
