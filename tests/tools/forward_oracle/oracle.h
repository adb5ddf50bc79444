/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of forward_oracle share: a seeded source of chance, a packet of the script with
 * what came of it on both sides, and the links that it is sent by. */
#ifndef TESTS_TOOLS_FORWARD_ORACLE_H
#define TESTS_TOOLS_FORWARD_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/if_ether.h>
#include <stdio.h>

#include "router/net/siphash.h"

#define LINKS	   3	/* of each router: lan, wan, dmz */
#define FRAME_ROOM 2048 /* of a packet of the script */
#define BATCH	   192	/* packets that are on their way together; a veth's ring holds 256 */
#define MARK_FIRST 1024
#define MARKS	   60000

enum side { KERNEL, OURS, SIDES };

extern const char *const link_name[LINKS], *const side_name[SIDES];

/* A frame that left a router. */
struct seen {
	struct seen *next;
	uint32_t len;
	uint8_t *b;
};

/* What a packet made a router send by one link, in order. */
struct seen_list {
	struct seen *first, **end;
	unsigned n;
};

/* A packet of the script. Its mark is found in all that comes of it: the identification of IPv4 or
 * the flow label of IPv6, and the source port or the identifier of a query. */
struct packet {
	uint64_t number; /* in the script */
	uint64_t chance; /* numbers drawn so far */
	uint16_t mark;
	unsigned link;	       /* it is sent by */
	const char *from, *to; /* what kinds of addresses were meant */
	bool six;	       /* what was meant; broken packets may say something else */
	uint32_t l3;	       /* where the IP header begins */
	uint32_t len;
	uint8_t b[FRAME_ROOM];
	struct seen_list out[SIDES][LINKS];
};

struct script {
	uint8_t key[16];  /* the seed */
	const char *only; /* makes no other packets than these; NULL: all kinds */
};

/* ---- chance: a packet is the same whatever was made before it */
static inline uint64_t chance(const struct script *s, struct packet *p)
{
	return siphash_number(s->key, p->number << 16 | ++p->chance);
}
static inline unsigned below(const struct script *s, struct packet *p, unsigned n)
{
	return (unsigned)(chance(s, p) % n);
}
static inline bool one_in(const struct script *s, struct packet *p, unsigned n)
{
	return below(s, p, n) == 0;
}

/* ---- bytes on a wire */
static inline unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}
static inline void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}
/* The next n bytes of a packet that is being made, all zero. */
uint8_t *put(struct packet *p, uint32_t n);

/* ---- world.c: the addresses there are */
#define OFF_LINK_LAST 65000
const char *world_source(const struct script *s, struct packet *p, uint8_t *at);
const char *world_destination(const struct script *s, struct packet *p, const uint8_t *source,
			      uint8_t *at);
bool world_is_own(const uint8_t *address, bool six);
void world_macs(unsigned link, uint8_t router[6], uint8_t host[6]);
unsigned world_mtu(unsigned link);

/* ---- make.c, make4.c, make6.c, carry.c: the packets */
void packet_make(const struct script *s, uint64_t number, struct packet *p);
/* A packet of no script: its Ethernet header. */
void packet_begin(struct packet *p, uint64_t number, unsigned link, bool six);
void make4(const struct script *s, struct packet *p);
void make6(const struct script *s, struct packet *p);
void mend4(struct packet *p); /* header checksum */
/* What is carried: from the end of p on, about `size` bytes; its protocol. */
uint8_t carry(const struct script *s, struct packet *p, uint32_t size);
/* Its checksum, once the header in front is complete. */
void carry_sum(const struct script *s, struct packet *p, uint8_t proto, uint32_t l4);
/* How long the IP packet is to be, with so much of headers. */
uint32_t size_of(const struct script *s, struct packet *p, uint32_t headers);

/* ---- parts.c: fill p[room]; how many packets these are */
unsigned part_neighbours(struct packet *p, unsigned room);
unsigned part_redirects(struct packet *p, unsigned room);

/* ---- lab.c: both routers */
struct lab;
struct lab *lab_open(void);
void lab_close(struct lab *l);
/* Sends n packets through both and collects what comes of them; seconds: how long to wait for late
 * answers. False: a router does not forward any more. */
bool lab_run(struct lab *l, struct packet *p, unsigned n, unsigned seconds);
/* Redirects of IPv6 are compared from now on, or ignored: Linux has no switch for them. */
void lab_redirects(struct lab *l, bool wanted);
uint64_t lab_strays(const struct lab *l, enum side side);
bool lab_warm(struct lab *l);

/* ---- compare.c */
/* Masks what is not to be compared in a frame that came from a router; returns it. */
void mask(struct seen *f);
bool same(const struct packet *p);
/* The ICMP error in a frame, of a router's own: offset of its IP header's end; 0: it is none. */
uint32_t error_at(const uint8_t *b, uint32_t len);

/* How many frames a side sent, and the one frame if it is just one, with its link. */
unsigned frames(const struct packet *p, enum side side);
const struct seen *only(const struct packet *p, enum side side, unsigned *link);

/* ---- aspects.c */
enum {
	ASPECT_ECN = 1,		   /* of the type of service */
	ASPECT_OPTIONS = 2,	   /* the kernel's has some */
	ASPECT_QUOTED_OPTIONS = 4, /* the kernel's quote shows them as changed on the way */
	ASPECT_REJECT = 8,	   /* IPv6: 1/6 instead of 1/0 */
	ASPECT_QUOTED_HOPS = 16,   /* the kernel's quote has one less, and may be cut */
	ASPECT_MTU = 32,	   /* that of the link, where the route's is less */
	ASPECT_OTHER = 64,
};
/* In what the errors of both sides differ, frame by frame; 0: in nothing, or there is more to it.
 */
unsigned aspects(const struct packet *p);

/* ---- differences.c */
struct difference {
	bool (*explains)(const struct packet *p);
	/* In a hundred thousand packets; CLOSED, OPEN, RULES: often, and in this mode only. */
	enum { OFTEN, SELDOM, CLOSED, OPEN, RULES } met;
	const char *name, *requirement, *why;
};
extern const struct difference differences[];
extern const unsigned ndifferences;

/* ---- show.c */
void show(FILE *to, const struct packet *p);

#endif
