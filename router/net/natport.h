/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outside ports of NAT: which are taken, and for whom.
 *
 * Every outside address has a slot, and a slot has a plane for each protocol with ports: a bitmap
 * of 65,536 bits. The bitmap is the one truth. Of the router's own addresses it
 * is the memory of the BPF map that the XDP program steers by (xsk/steer.h), so that a port is ours
 * from the moment it is claimed until it is released, without a system call. A port is never given
 * twice at a time (RFC 4787 REQ-3, "no overloading").
 *
 * Choosing (RFC 4787 REQ-3, REQ-4; RFC 6056; netfilter): the inside port itself if it is free and
 * in range; else a random place in the same class (below 512: 1-511; up to 1023: 600-1023; else
 * 1024-65535) and range, of the same parity while there is one, then the next free one from there,
 * found a word of 64 ports at a time. All of a range is found before "exhausted" is said.
 *
 * Mappings (endpoint-independent, RFC 4787 REQ-1) are records that an inside address and port find,
 * and an outside one: all flows of that endpoint share it, and it is freed with the last of them.
 * Memory follows the number of mappings (22 bytes and their share of the hash), however many
 * addresses they are spread over; a port claimed for one flow costs its bit alone.
 *
 * natport_internal.h says how it is laid out and locked.
 */
#ifndef ROUTER_NET_NATPORT_H
#define ROUTER_NET_NATPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "router/lib/addr.h"
#include "router/net/flow.h"

enum natport_plane { NATPORT_TCP, NATPORT_UDP, NATPORT_ICMP, NATPORT_PLANES };
#define NATPORT_WORDS	1024u /* 64 bits each, of one plane */
#define NATPORT_SLOTS	256u  /* outside addresses */
#define NATPORT_NO_SLOT UINT16_MAX

struct natports;

/* [control] bitmap: NATPORT_SLOTS * NATPORT_PLANES * NATPORT_WORDS words, shared with XDP (slot
 * first, then plane), all zero; NULL: memory of our own. max: flows at once; so many mappings find
 * room whatever they are (up to 4 M; beyond, 16 M plain ones). key: of the hash. 0 or -errno. */
int natports_create(uint64_t *bitmap, uint32_t max, const uint8_t key[16], struct natports **out);
void natports_destroy(struct natports *n);
/* [control] The memfd that all of it lies in. */
int natports_fd(const struct natports *n);

/* [control] What another process made, that is no more: goes on with its mappings and claims. fd:
 * of natports_fd(), ours on success. bitmap: the one it was created with. 0; -errno with why: it is
 * foreign, of another version, cut short. *dirty: it was killed in the middle of something; its
 * flows may know more (flow.h). Then one of natports_repair() and natports_accept() comes next,
 * and who is killed before leaves it dirty.
 *
 * Slots that were held and ports that were reserved stay so while rules ask for theirs, until
 * natports_adopted(): at once when the first rules of the new process are in force. */
int natports_adopt(int fd, uint64_t *bitmap, struct natports **out, bool *dirty, char *why,
		   size_t size);
void natports_accept(struct natports *n); /* it is clean, and so were its flows */
void natports_adopted(struct natports *n);

/* [control] The slot of an outside address, its own for as long as it is used: counted.
 * NATPORT_NO_SLOT: all are in use. */
uint16_t natports_hold(struct natports *n, const struct addr *a);
void natports_let_go(struct natports *n, uint16_t slot); /* free when no port is claimed either */
uint16_t natports_find(const struct natports *n, const struct addr *a); /* [any] */
/* [any] The address of a slot that is in use. */
struct addr natports_addr(const struct natports *n, uint16_t slot);
/* [control] Ports that must not be chosen on this address: Linux's sockets and ephemeral range.
 * blocked: 65536 bits; NULL: none. What is claimed already stays. */
void natports_block(struct natports *n, uint16_t slot, enum natport_plane plane,
		    const uint64_t *blocked);
/* [control] Ports that a rule forwards: taken while the rule stands, whoever asks. Counted. What
 * flows have already, they keep. 0; -ENOMEM; off: -ENOENT, no such range was reserved. */
int natports_reserve(struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t first,
		     uint16_t last, bool on);

/* TCP, UDP, ICMP and ICMPv6 ids; others have no ports: -1. */
int natport_plane_of(uint8_t proto);

/* How to choose. Ports in host order. */
struct natport_want {
	uint16_t port;	      /* the inside one */
	uint16_t first, last; /* 0-0: the classes alone */
	bool keep;	      /* try `port` itself first */
	bool parity;
	bool random;	   /* else the next free one after `port` */
	uint8_t filtering; /* of natmap_make(): enum conf_filtering, kept with the mapping */
};

/* [any worker] A port of this slot and plane for itself: its number, or 0: none is free. `random`:
 * 64 unpredictable bits. */
uint16_t natport_claim(struct natports *n, uint16_t slot, enum natport_plane plane,
		       const struct natport_want *w, uint64_t random);
/* [any] What natport_claim() would do now: 0 with *port, or *port 0 where it would be chosen by
 * chance; -ENOSPC: none is free. Nothing changes. */
int natport_foresee(const struct natports *n, uint16_t slot, enum natport_plane plane,
		    const struct natport_want *w, uint16_t *port);
/* [any worker] Just this one. False: taken. */
bool natport_claim_one(struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t port);
void natport_release(struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t port);
bool natport_is_taken(const struct natports *n, uint16_t slot, enum natport_plane plane,
		      uint16_t port);

/* An inside endpoint, as a NAT rule sees it. */
struct natport_inside {
	struct addr addr;
	uint16_t port; /* host order */
	uint8_t proto;
	uint16_t zone;
	uint32_t scope; /* 0 for eim; else a hash of what the mapping depends on (adm: the
			   destination address) */
};

/* Slots a rule may use. */
struct natport_slots {
	uint64_t word[NATPORT_SLOTS / 64];
};
static inline void natport_slots_add(struct natport_slots *s, uint16_t slot)
{
	s->word[slot / 64] |= 1ull << slot % 64;
}
static inline bool natport_slots_have(const struct natport_slots *s, uint16_t slot)
{
	return slot < NATPORT_SLOTS && s->word[slot / 64] >> slot % 64 & 1;
}

/* [any] The mapping of this endpoint on one of these slots; false: none. (An endpoint may have one
 * by each rule whose outside addresses are others.) */
bool natmap_find(const struct natports *n, const struct natport_inside *in,
		 const struct natport_slots *slots, uint16_t *slot, uint16_t *port);
/* [any worker] These endpoints will be asked for soon: their chains come into the cache, for all of
 * them at a time. n <= FLOW_BURST. */
void natmap_prefetch(const struct natports *n, const struct natport_inside *in, unsigned count);
/* [any worker] The same for outside ports whose flows end: natport_done(). */
struct natport_outside {
	uint16_t slot, port; /* port: host order */
	uint8_t plane;	     /* enum natport_plane */
};
void natport_prefetch(const struct natports *n, const struct natport_outside *out, unsigned count);
/* [any worker] The one there is, one more flow using it; or a new one on *slot, one of slots, with
 * its first flow: *slot and *port say. 0; -ENOSPC: no port is free, or no memory. */
int natmap_make(struct natports *n, const struct natport_inside *in,
		const struct natport_slots *slots, uint16_t *slot, const struct natport_want *w,
		uint64_t random, uint16_t *port);
/* [any worker] One more flow that uses the mapping of this outside port: one that it let in. False:
 * there is none any more. */
bool natmap_hold(struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t port);
/* [any worker] A flow is over: by its outside port. Releases the port with the last one, whether it
 * was of a mapping or claimed for one flow. */
void natport_done(struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t port);
/* [any worker] Whose is this outside port? For packets from outside that no flow knows (filtering
 * eif, adf), and hairpins. False: not a mapping's. */
bool natmap_inside(const struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t port,
		   struct natport_inside *out, uint8_t *filtering);

/* [any worker] Who an inside endpoint has spoken to (filtering adf): remote addresses, counted by
 * flow. False: nothing was added, for want of memory; do not take it away later. */
bool natmap_permit(struct natports *n, uint16_t slot, enum natport_plane plane, uint16_t port,
		   const struct addr *remote, bool add);
bool natmap_permits(const struct natports *n, uint16_t slot, enum natport_plane plane,
		    uint16_t port, const struct addr *remote);

/* What a flow holds, for repair: natport_of() in flows. */
struct natport_use {
	uint32_t id;			/* of the flow, the caller's */
	struct addr outside;		/* its address that a port is claimed of; family 0: none */
	struct natport_outside claim;	/* of slot NATPORT_NO_SLOT: none */
	struct addr inside;		/* whom the claim is for */
	struct natport_outside mapping; /* that let it in, and counts it; the same */
	struct addr remote;		/* of natmap_permit() */
	bool permit;
};

/* Flows that live on. next(): another one; false: that was all. lost(): this one holds only what
 * `use` says now, its claim or its mapping being another's; it should not live long. */
struct natport_flows {
	bool (*next)(void *arg, struct natport_use *use);
	void (*lost)(void *arg, const struct natport_use *use);
	void *arg;
};

/* [control] After natports_adopt() of what is dirty: makes everything anew of what the flows hold,
 * and of the mappings' records, whatever bytes these are; what was claimed for nobody is free then.
 * A port that stays taken is so at every moment. No worker runs. */
void natports_repair(struct natports *n, const struct natport_flows *flows);

struct natport_info {
	struct addr addr;
	uint32_t taken[NATPORT_PLANES];	   /* by flows and mappings */
	uint32_t reserved[NATPORT_PLANES]; /* by rules */
	uint64_t exhausted;		   /* asked in vain */
};
/* [control] Slots and mappings, for show; cursors begin at 0. */
bool natports_walk(const struct natports *n, uint32_t *cursor, struct natport_info *out);
bool natmap_walk(const struct natports *n, uint64_t *cursor, struct natport_inside *in,
		 struct addr *outside, uint16_t *port, uint32_t *flows);
/* [control] Gives memory that holds nothing back to Linux. Every second or so. */
void natports_trim(struct natports *n);
/* [control] Resident bytes, by design. */
size_t natports_bytes(const struct natports *n);

#endif
