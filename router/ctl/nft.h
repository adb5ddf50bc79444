/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains of the configuration at `input` and `output` concern Linux's own traffic, which never
 * passes through the daemon: they go into one table of nftables, by libnftables. So do rules of
 * nat.destination that redirect packets to Linux, and NAT where Linux stands in for us.
 *
 * nft_check() and nft_apply() render what the configuration means (nft_render.c and its helpers)
 * as commands of nft(8). All of them are one transaction that replaces the table, so there is never
 * a packet without rules nor a half of them. What nftables cannot express is refused with the name
 * and place of the rule. Counters of rules that stay go on; so do the elements that rules have
 * added to sets. Without such chains and rules, and without zones, there is no table.
 *
 * A set of addresses becomes one set of nftables for each family: "banned" is set-banned-ipv4 and
 * set-banned-ipv6. These are Linux's own: what a rule adds in the daemon, to its set of that name,
 * does not appear there, nor the other way round. What an operator adds is to be added to both, by
 * nft_element().
 *
 * The table belongs to the network namespace in which nft_create() was called. [control]
 */
#ifndef ROUTER_CTL_NFT_H
#define ROUTER_CTL_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/conf.h"

#define NFT_TABLE 80

struct nft;

/* The netdev of an interface of the file, when the file does not say (match.mac); NULL: not known.
 */
typedef const char *nft_netdev_fn(void *arg, const char *iface);

/* The table is "router", or "router_NAME" when a daemon of that name shares the namespace with
 * others; of NAME only letters, digits, '-', '.' and '_' are kept. netdev may be NULL. 0, -ENOMEM.
 */
int nft_create(const char *name, nft_netdev_fn *netdev, void *arg, struct nft **out);
void nft_destroy(struct nft *n); /* leaves the table as it is */

/* Does Linux stand in for us on this interface of c (router/standin.h)? Then NAT's rules get into
 * the table, too: nft_standin.c. arg as of netdev. Without this, it does nowhere. */
typedef bool nft_standin_fn(void *arg, const struct conf *c, const char *iface);
void nft_set_standin(struct nft *n, nft_standin_fn *standin);
/* Has somebody taken NAT's rules away, which nft_apply() had put there? Then apply again. Cheap. */
bool nft_standin_is_gone(const struct nft *n);
/* Why Linux forwards nothing all the same, of what was applied last; or "". */
#define NFT_NOTE 256
const char *nft_standin_note(const struct nft *n);

/* Would nft_apply() take it? Linux is asked, too; nothing is changed. 0; -EINVAL with the reason
 * in why[size]: something that nftables cannot express, or refuses; -EPERM; -ENOMEM. */
int nft_check(struct nft *n, const struct conf *c, char *why, size_t size);
/* Makes the table what c says, or removes it when c says nothing. Errors as nft_check(); the table
 * is as it was then. */
int nft_apply(struct nft *n, const struct conf *c, char *why, size_t size);
/* Removes the table, also one that an earlier process has left: at stop, and for --cleanup. True if
 * there was one. */
bool nft_remove(struct nft *n);

/* Adds an element to a set, its timeout beginning anew (timeout_s 0: the set's), or takes it away;
 * by words, as set_add_text(). 1: done. 0: the table has no such set, or had no such element. Else
 * nothing has changed: -EINVAL with why. */
int nft_element(struct nft *n, const char *set, const char *text, uint32_t timeout_s, bool add,
		char *why, size_t size);
/* Where a set has ranges, elements that overlap are one in nftables: to take one away may take part
 * of another. So such a set is to be filled again, with what is left; by words, each with the
 * seconds it stays (0: for good). False: no more. 0; -EINVAL with why: nothing has changed. */
bool nft_set_merges(const struct nft *n, const char *set);
typedef bool nft_elements_fn(void *arg, char *text, size_t size, uint32_t *left_s);
int nft_set_refill(struct nft *n, const char *set, nft_elements_fn *next, void *arg, char *why,
		   size_t size);

/* A rule, or the policy of a chain, in the order of the table. */
struct nft_counter {
	const char *chain, *name, *file;
	enum conf_hook hook; /* NONE: a chain that others jump to; PREROUTING: of nat.destination */
	int priority;
	bool policy, from_zones;
	unsigned line;
	const char *match, *action; /* in the file's words, as filter_rule() has them */
	uint64_t packets, bytes;
};
/* Read from Linux. *out is valid until the next call with this n. 0 with *count 0 when there is no
 * table; -errno. */
int nft_counters(struct nft *n, const struct nft_counter **out, unsigned *count);

/* The commands, as nft_apply() would give them, for tests and for `check`: *text is to be freed,
 * NULL when there is nothing to say. */
int nft_render(const struct nft *n, const struct conf *c, char **text, char *why, size_t size);

#endif
