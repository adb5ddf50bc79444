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
 *
 * The caller's part: a fragment with ports->first is dealt with, and its fate told: frag_waiting()
 * until it says no more, or frag_refuse(). Until then what comes of its datagram, by any queue,
 * waits, so that none finds the flow half made. The first may be rewritten, sent or freed by then:
 * ports remembers which datagram it was.
 */
#ifndef ROUTER_NET_FRAG_H
#define ROUTER_NET_FRAG_H

#include "router/lib/clock.h"
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
/* [control, no worker runs] Frames that wait go to drop(arg, p), unless it is NULL. */
void frags_destroy(struct frags *f, void (*drop)(void *arg, struct pkt *p), void *arg);

/* What the first fragment says for all of its datagram. */
struct frag_ports {
	uint16_t sport, dport; /* network order; ICMP: id, and type and code, as struct flow_key */
	uint8_t proto;
	uint32_t tcp_base; /* of TCP: where its fragments' data begin, as a sequence number */
	uint16_t new_id;   /* IPv4: unlike that of any other datagram that NAT gives this address
			      (RFC 6864 5.3.1); of one datagram always the same */
	bool first;	   /* this is the first fragment: its fate is to be told */
	uint32_t datagram, serial; /* for frag_waiting() and frag_refuse() */
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
/* [worker] After the first fragment was dealt with: the next that waited for it, by offset; its
 * ports are those of `first`. False: no more. The packet is the caller's; it was received up to
 * `timeout` ago: its interface may be down now, its next hop is to be looked up. */
bool frag_waiting(struct frags *f, struct dp *dp, const struct frag_ports *first, struct pkt *out);
/* [worker] The first fragment was dropped: so is what waits and what comes. */
void frag_refuse(struct frags *f, struct dp *dp, const struct frag_ports *first);
/* [worker] What has had its time: 1/64 of the table for every FRAG_SWEEP that went by since anybody
 * called. Cheap when nothing is under way or nothing is due. */
#define FRAG_SWEEP (10 * NSEC_PER_MSEC)
void frag_expire(struct frags *f, struct dp *dp);

/* [worker] An id for a translated datagram that this router cuts: as frag_ports.new_id. */
uint16_t frag_new_id(struct frags *f);

/* [any] Where a fragment's data begin in the datagram's. */
uint32_t frag_start(const struct pkt *p);

struct frag_stats {
	uint32_t datagrams;	/* under way */
	uint32_t held;		/* frames that wait: no worker counts them */
	uint64_t known, waited; /* fragments */
	uint64_t overlaps;	/* and other contradictions; duplicates too */
	uint64_t tiny;
	uint64_t too_many; /* refused or given up: table, frames or fragments of one datagram */
	uint64_t too_many_of_source;
	uint64_t timed_out;
};
void frags_stats(const struct frags *f, struct frag_stats *out); /* [control] */
/* [any] Frames that wait. */
uint32_t frags_held(const struct frags *f);

#endif
