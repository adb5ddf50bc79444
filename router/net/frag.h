/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual reassembly: the ports of fragments, for tracking, NAT and filters. Nothing is put
 * together for forwarding: each fragment goes on as it came, once its datagram's first fragment is
 * known (RFC 4787 REQ-14).
 *
 * A datagram under way is an entry found by source, destination, protocol (IPv4), id and zone.
 * Later fragments that come before the first wait in it. An overlap (RFC 5722, RFC 1858, RFC 3128),
 * a first fragment too small for its transport header, a length that would end beyond 65,535 or a
 * second last fragment condemns the datagram: what waits and what comes is dropped. Bounded in all,
 * per source and in time; a flood of fragments hurts fragments only.
 *
 * One table for all workers (fragments of one datagram may come by different queues); a lock a
 * bucket. IPv4 and IPv6 (RFC 8200 4.5; an atomic fragment is none, RFC 6946; the first must hold
 * the whole header chain, RFC 7112).
 */
#ifndef ROUTER_NET_FRAG_H
#define ROUTER_NET_FRAG_H

#include "router/net/dp.h"

struct frags;

struct frags_config {
	uint32_t max;	     /* datagrams at once */
	uint32_t per_source; /* of one source address (IPv6: /64) */
	uint32_t held;	     /* frames that wait, in all: the packet memory is not theirs */
	uint64_t timeout;    /* ns a datagram has */
	uint8_t key[16];
};
/* [control] 0 or -errno. */
int frags_create(const struct frags_config *c, struct frags **out);
/* [control, no worker runs] Frames that wait go to drop(arg, p). */
void frags_destroy(struct frags *f, void (*drop)(void *arg, struct pkt *p), void *arg);

/* What the first fragment says for all of its datagram. */
struct frag_ports {
	uint16_t sport, dport; /* network order; ICMP: id, and type and code, as struct flow_key */
	uint8_t proto;
	uint16_t new_id; /* IPv4: unlike that of any other datagram that NAT gives this address
			    (RFC 6864 5.3.1); of one datagram always the same */
	bool first;	 /* this is the first fragment: frag_waiting() may have more */
};

enum frag_verdict {
	FRAG_KNOWN, /* *out says */
	FRAG_HELD,  /* it waits; the table owns it */
	FRAG_DROPPED,
};

/* [worker] p: a fragment, parsed by parse_transport(); zone: of its interface. Takes ownership
 * unless FRAG_KNOWN. */
enum frag_verdict frag_input(struct frags *f, struct dp *dp, struct pkt *p, uint16_t zone,
			     struct frag_ports *out);
/* [worker] After a first fragment was dealt with: the next that waited for it, with its ports.
 * False: no more. The packet is the caller's. */
bool frag_waiting(struct frags *f, struct dp *dp, const struct pkt *first, uint16_t zone,
		  struct pkt *out, struct frag_ports *ports);
/* [worker] The datagram's first fragment was dropped: so is what waits and what comes. */
void frag_refuse(struct frags *f, struct dp *dp, const struct pkt *first, uint16_t zone);
/* [worker] What has had its time: a little at each call. */
void frag_expire(struct frags *f, struct dp *dp);

struct frag_stats {
	uint32_t datagrams, held;
	uint64_t known, waited, overlaps, tiny, too_many, too_many_of_source, timed_out;
};
void frags_stats(const struct frags *f, struct frag_stats *out); /* [control] */

#endif
