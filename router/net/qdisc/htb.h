/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hierarchical token bucket: what its files share. htb.c is the discipline and explains it,
 * htb_class.c its classes, htb_share.c who is served next. Included by nobody else but their tests.
 */
#ifndef ROUTER_NET_QDISC_HTB_H
#define ROUTER_NET_QDISC_HTB_H

#include "router/lib/clock.h"
#include "router/net/qdisc/qdisc.h"
#include "router/net/qdisc/waitq.h"

#define HTB_PRIOS   8
#define HTB_KEYS    (2 * HTB_PRIOS)
#define HTB_NOTHING 0xff

/* Tokens are time: what a byte takes at the rate. A tick is 2^-12 ns, so that a byte at 100 Gbit/s
 * is 328 of them; the cost of a byte is kept with 22 more bits. */
#define HTB_TICK     12
#define HTB_FRACTION 22

/* Linux's mbuffer: nobody saves up more than this, or owes more. */
#define HTB_MBUFFER	  (60 * NSEC_PER_SEC)
#define HTB_MBUFFER_TICKS ((int64_t)(HTB_MBUFFER << HTB_TICK))

/* What a class may save up beyond its burst while it waits for its turn; at least another burst. */
#define HTB_LATE_TICKS ((int64_t)((100 * NSEC_PER_MSEC) << HTB_TICK))

enum htb_mode {
	HTB_GREEN,  /* within its rate */
	HTB_YELLOW, /* within its ceil: may borrow */
	HTB_RED,    /* must wait */
};

struct htb_class;

/*
 * A round robin: classes of one parent that offer packets under the same key. A key is what an
 * offer is worth, less is served first: 0 .. 7 are priorities within a guarantee, 8 .. 15 the same
 * priorities of borrowers.
 */
struct htb_row {
	struct htb_class *now;	 /* ring: those that have a share of this round left */
	struct htb_class *later; /* ring: those that have had theirs */
	uint32_t round;
	uint64_t weight; /* the sum of its members'; kept for borrowers */
};

struct htb_rows {
	uint32_t mask; /* of the keys whose rows have members */
	struct htb_row row[HTB_KEYS];
};

/* Where a class stands in a round robin. It survives the class's leaving the row: a borrower turns
 * green for a packet or two all the time. */
struct htb_turn {
	int64_t left; /* of its share of this round, which is HTB_SHARE; less than 0: overdrawn */
	uint32_t round;
};
#define HTB_SHARE (INT64_C(1) << 40)

/* A leaf that sends within its rate needs the public part's first line and the three lines from
 * `up` on, which tree_enqueue_burst() fetches. */
struct htb_class {
	struct qclass c;

	struct htb_class *up; /* NULL: top level */
	uint64_t at;	      /* ns: when the buckets were last looked at */
	int64_t tokens, ctokens;
	uint64_t cost, ccost;  /* of a byte, in 2^-HTB_FRACTION ticks */
	int64_t burst, cburst; /* the most that buckets keep for an idle class */

	int64_t late; /* the most that `tokens` grows to while it waits for its turn */
	struct htb_class *next, *prev; /* in its row */
	uint64_t weight;	       /* as counted in its row */
	uint64_t byte_share;	       /* of a byte: HTB_SHARE / quantum */
	uint64_t lended, borrowed;
	uint8_t key; /* of its row above; HTB_NOTHING: it offers nothing */
	uint8_t mode;
	uint8_t prio;
	bool inner;  /* there are classes below it */
	bool active; /* has something to send, as far as those below it let it */
	bool held;   /* leaf: its child has packets and gives none before held_until */

	/* Within the guarantee; borrowing: a leaf has one, an inner class one for each priority. */
	struct htb_turn turn[1 + HTB_PRIOS];
	uint64_t waited_rate;	/* times it reached its ceil */
	uint64_t waited_parent; /* times it could have sent, but none above it would let it */
	struct wait wait;
	uint64_t held_until;

	uint64_t rate; /* bytes/s */
	uint32_t quantum;
	uint32_t quantum_of_file; /* 0: by r2q */
	uint32_t nclasses;	  /* below it */
	uint32_t least;		  /* quantum of the leaves right below it */
	struct htb_rows rows;	  /* of these */
};
static_assert(offsetof(struct htb_class, turn) % 64 == 0, "hot fields fill their lines");

struct htb {
	struct qdisc q;
	struct htb_rows rows;	    /* of the classes at the top */
	struct waitq waiting;	    /* classes that are not green, and held ones */
	struct htb_class *fallback; /* what no filter knows goes here; NULL: direct */
	bool moved;		    /* classes or quanta have, since `least` was looked for */
	struct htb_class *only;	    /* the one class at the top; NULL: there are more, or none */
	uint32_t ntop;
	struct conf_size size;
	struct pktq direct;
	uint32_t direct_limit;
	uint64_t direct_packets;
	uint32_t default_minor;
	uint32_t r2q;
};

/* ---- htb_share.c: whose turn it is */

/* After classes or quanta have changed, before the next packet. */
void htb_find_least(struct htb *h);

/* ---- htb_class.c: buckets, and what a class may do */

static inline int64_t htb_ticks(uint64_t cost, uint64_t bytes)
{
	unsigned __int128 ticks = (unsigned __int128)cost * bytes;

	return (int64_t)((ticks + (1u << (HTB_FRACTION - 1))) >> HTB_FRACTION);
}

/* Something below cl, in it, or the time has changed: what it offers, and all above it. */
void htb_update(struct htb *h, struct htb_class *cl);
/* p of the leaf leaves; `lender` is the leaf itself, or who above it lends what it takes. As in
 * Linux, a leaf that needs no other counts itself as the lender. */
void htb_charge(struct htb *h, struct htb_class *leaf, struct htb_class *lender,
		const struct qpkt *p);
/* Could an idle leaf send now, within its own guarantee? Then htb_charge_free() follows. */
bool htb_is_free(struct htb *h, struct htb_class *leaf);
void htb_charge_free(struct htb *h, struct htb_class *leaf, const struct qpkt *p);
/* The leaf was asked, and its child has dropped what it had or holds it back until `wake`. */
void htb_gave_nothing(struct htb *h, struct htb_class *leaf, uint64_t wake);
/* All those whose time has come. */
void htb_run_due(struct htb *h);
/* When that will next be the case, in ns; QDISC_NEVER. */
uint64_t htb_next_due(struct htb *h);
/* By r2q, if the file does not give it. */
void htb_set_quantum(const struct htb *h, struct htb_class *cl);

int htb_class_init(struct qclass *c, const struct conf_class *conf);
void htb_class_change(struct qclass *c, struct qclass *fresh);
void htb_class_link(struct qdisc *q, struct qclass *c, struct qclass *above);
void htb_class_unlink(struct qdisc *q, struct qclass *c);
unsigned htb_class_values(const struct qclass *c, struct qdisc_value out[QDISC_VALUES_MAX]);

/* ---- htb_share.c */

/* The leaf to serve now, and who lends to it (itself: nobody); NULL: none may send. */
struct htb_class *htb_pick(struct htb *h, struct htb_class **lender);
/* `size` bytes were sent by cl, which htb_pick() came through; leaf: it is where that ended. */
void htb_take_turn(struct htb *h, struct htb_class *cl, uint32_t size, bool leaf);
/* File cl in the row where it belongs now. True if that may change what its parent offers. */
bool htb_relist(struct htb *h, struct htb_class *cl);

#endif
