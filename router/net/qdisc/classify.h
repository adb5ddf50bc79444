/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filters of shaping: which class a packet is of, and what else is done with it on the way:
 * policed, edited, mirrored, redirected, dropped. Linux's tc filters, for one place: what comes in
 * by an interface, or what leaves by it.
 *
 * At a place three things stand behind each other: the mirrors, then the redirects of the whole
 * configuration that begin here; the list of filters of ingress; the filters of a tree of qdiscs,
 * which are walked as tc does: those of the root give a class, the qdisc under that class has
 * filters of its own, and so on, until no filter matches. What was found by then is the class; the
 * qdisc below decides by itself. skb->priority goes before filters, as in htb and prio: if it is
 * the handle of a class, that is the class.
 *
 * A list is asked by priority, then in the order of the file. A filter that matches has its actions
 * done in order; then, unless they decided,
 *   with a class, the packet is classified;
 *   without, the next filter is asked. (In Linux `skbedit` alone ends the list, unless `continue`
 * is written; our files have no word for it, and what decides nothing shall not end anything.)
 * `pass` and a policer's `pass` end the list: with the filter's class, or with none. After
 * `reclassify` the list begins again, at most 16 times, as in Linux.
 *
 * Actions that write to the packet (pedit, a policer's dscp) change what later filters see of the
 * frame, of TOS and TTL; addresses and ports are those of the flow, as they came.
 *
 * A frame that is not IP (l3 == 0) is asked only of filters that look at nothing of IP: at its MAC
 * addresses, ethertype, VLAN tag, bytecode, at interfaces and the mark.
 *
 * Life: built by control beside the old one; immutable but for counters and policers, which live on
 * (police.h); freed after a grace period. Whoever caches a class for a flow asks `varies`.
 */
#ifndef ROUTER_NET_QDISC_CLASSIFY_H
#define ROUTER_NET_QDISC_CLASSIFY_H

#include "router/net/dp.h"
#include "router/net/match.h"
#include "router/net/qdisc/police.h"

struct tc_packet {
	/* key: as netfilter's forward hook sees it, so the inside address of a translated flow: its
	 * source before source NAT, its destination after destination NAT. At ingress as received.
	 * Of a frame that is not IP only in, out, mark, now, worker and dry are looked at. */
	struct match_packet m;
	uint8_t *frame; /* from its Ethernet header: as received, or as to be sent; checksums are
			   complete. Actions write to it, also with m.dry: an imaginary packet is
			   its maker's own. */
	uint32_t len;	/* of it, without padding and FCS: policers count this */
	uint16_t l3;	/* offset of an IP header that parse_frame() let through; 0: not IP */

	uint32_t priority; /* in and out: skb->priority, 0 .. 15 or a handle */
	/* With m.dry: hears of every filter that matches, by number, when its actions are done.
	 * NULL: nobody does. */
	void (*say)(void *arg, const struct tc_packet *x, unsigned number);
	void *arg;
	/* out */
	uint32_t cls;	       /* index in the tree of its class, or QCLASS_NONE */
	enum drop_reason drop; /* of TC_DROPPED */
	uint16_t port;	       /* of TC_REDIRECTED */
	bool varies;	 /* another packet of this flow and direction may fare differently, or an
			    action must be done with each */
	bool rewritten;	 /* the frame was written to: of what was parsed before, nothing holds */
	uint16_t filter; /* that classified or ended it, for tc_filter_info(); 0: none */
	uint8_t policed; /* for say(): this filter's policer found it of the colour policed - 1;
			    0: it has none */
};

enum tc_verdict { TC_SEND, TC_DROPPED, TC_REDIRECTED };

struct tc_context {
	struct match_context match; /* rates and connection limits: within a build of those */
	struct policers *policers;  /* within a build of those */
	unsigned nworkers;
	uint8_t secret[16]; /* of hashes; the same for as long as the process lives */

	/* [control] The number of the port behind an interface, or -1: none to send to. */
	int (*port_of)(void *arg, const char *iface);
	/* [control] The index that a class of the tree has, or QCLASS_NONE. */
	uint32_t (*class_of)(void *arg, uint32_t classid);
	void *arg;
	/* [worker] Send a copy of these bytes by a port, as an own packet; it may fail, and is
	 * counted where it does. */
	void (*mirror)(struct dp *dp, unsigned port, const uint8_t *frame, uint32_t len);
};

/* Where filters stand. `match.conf` says which mirrors and redirects begin here. */
struct tc_place {
	const char *iface;
	enum conf_direction direction; /* in or out */
	const struct conf_tc_filter *ingress;
	unsigned ningress;
	const struct conf_tree *tree; /* NULL: none */
};

struct tc_filters;

/* [control] 0 with *out, which is NULL when nothing stands at this place; -EINVAL or -ENOMEM with
 * why[size]. Nothing of the configuration is kept. */
int tc_filters_build(const struct tc_context *c, const struct tc_place *place,
		     struct tc_filters **out, char *why, size_t size);
void tc_filters_destroy(struct tc_filters *f);
/* [control] Counters of filters that say the same go on. Before f is used. */
void tc_filters_carry_over(struct tc_filters *f, const struct tc_filters *old);

/* [worker, any] Asks all that stands at the place. f NULL: nothing does. Sets all of `out`.
 * TC_REDIRECTED: the frame goes to x->port, as it is; how often that may happen to one packet is
 * the caller's to limit (DROP_TC_LOOP). The caller drops and frees. */
enum tc_verdict tc_classify(const struct tc_filters *f, struct dp *dp, struct tc_packet *x);

/* [control] Filters for show, from number 1 on, in the order in which they stand: mirrors,
 * redirects, ingress, then those of the tree. False: no such filter. */
struct tc_filter_info {
	const char *name; /* of a mirror or redirect, else "" */
	const char *file;
	unsigned line;
	uint32_t parent; /* CONF_INGRESS, the handle of a qdisc or class; 0: a mirror, a redirect */
	uint32_t priority, classid;
	const char *match, *action; /* as in the file */
	uint64_t packets, bytes;    /* that matched; of cached flows only what was asked */
	unsigned npolicers;
	const struct policer *policer[4]; /* of its actions: police_info() */
};
bool tc_filter_info(const struct tc_filters *f, unsigned number, struct tc_filter_info *out);

#endif
