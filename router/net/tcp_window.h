/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Windows of a tracked connection: for net/tcp*.c alone. The essay is in tcp_window.c; what every
 * segment needs is inline here. [worker]
 */
#ifndef ROUTER_NET_TCP_WINDOW_H
#define ROUTER_NET_TCP_WINDOW_H

#include "router/net/tcp.h"

/* flow_half.tcp_flags: what this direction has done. */
enum tcp_half_flag {
	HALF_SCALE = 0x01, /* its SYN carried a window scale */
	HALF_SACK = 0x02,  /* its SYN permitted SACK */
	HALF_ACKED = 0x04, /* maxack and maxend mean something */
	HALF_SYN = 0x08,   /* sent a SYN without ACK */
	HALF_SYNACK = 0x10,
	HALF_OFFER =
		0x20, /* its last segment was a SYN that was let by: offer and last describe it */
	HALF_RESET = 0x40,  /* its RST closed the connection */
	HALF_CLOSER = 0x80, /* its FIN came first */
};

/* flow_half.scale of a connection picked up in the middle: not known, so the largest is taken. */
#define TCP_SCALE_UNKNOWN 15

/* A half as read once: other than the owner's fields may move meanwhile. maxwin 0: nothing was
 * seen. */
struct tcp_view {
	uint32_t end;	 /* behind the last byte it sent */
	uint32_t maxend; /* how far it let the peer send */
	uint32_t maxwin; /* the largest window it offered */
	uint32_t maxack; /* its highest acknowledgement */
	uint8_t scale, flags;
};

enum tcp_fit {
	TCP_FITS,
	TCP_OLD, /* repeats what the peer acknowledged: harmless, and the peer may have to answer it
		  */
	TCP_BEYOND, /* more than the peer allowed, or acknowledges what was never sent */
};

/* An acknowledgement this far back is only late, however small the window (66,000: nf_conntrack's).
 */
#define TCP_ACK_SLACK 66000u

static inline bool seq_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static inline uint32_t tcp_get(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void tcp_put(uint32_t *p, uint32_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELAXED);
}

static inline struct tcp_view tcp_view(const struct flow_half *h)
{
	return (struct tcp_view){
		.end = tcp_get(&h->end),
		.maxend = tcp_get(&h->maxend),
		.maxwin = tcp_get(&h->maxwin),
		.maxack = tcp_get(&h->maxack),
		.scale = __atomic_load_n(&h->scale, __ATOMIC_RELAXED),
		.flags = __atomic_load_n(&h->tcp_flags, __ATOMIC_ACQUIRE),
	};
}

static inline void tcp_set_flags(struct flow_half *h, uint8_t flags)
{
	if (h->tcp_flags != flags)
		__atomic_store_n(&h->tcp_flags, flags, __ATOMIC_RELAXED);
}

/* A segment without ACK acknowledges nothing new; nor does the RST with ACK 0 that some hosts send.
 */
static inline bool tcp_acks(const struct tcp_segment *s)
{
	return s->kind == TCP_K_ACK || (s->flags & TCP_F_ACK && (s->ack || s->kind != TCP_K_RST));
}

static inline uint32_t tcp_ack_edge(const struct tcp_segment *s, const struct tcp_view *peer)
{
	if (!tcp_acks(s))
		return peer->end;
	return peer->flags & HALF_SACK ? s->sack : s->ack;
}

/* Is the segment one that its sender may send now, after what both sides said? */
static inline enum tcp_fit tcp_window_judge(const struct tcp_segment *s, const struct tcp_view *own,
					    const struct tcp_view *peer)
{
	uint32_t edge = tcp_ack_edge(s, peer);
	uint32_t slack = own->maxwin > TCP_ACK_SLACK ? own->maxwin : TCP_ACK_SLACK;
	uint32_t limit;

	if (!peer->maxwin)
		return TCP_FITS;
	/* A peer that acknowledged nothing yet has offered a window, but not from where on: SYN
	 * data. */
	limit = peer->flags & HALF_ACKED ? peer->maxend : own->end + peer->maxwin;
	if (seq_after(s->seq, limit) || seq_after(edge, peer->end))
		return TCP_BEYOND;
	if (!seq_after(s->end, own->end - peer->maxwin - 1) ||
	    !seq_after(edge, peer->end - slack - 1))
		return TCP_OLD;
	return TCP_FITS;
}

/* The window it offers, in bytes. RFC 7323: never scaled in a SYN, and only if both SYNs agreed. */
static inline uint32_t tcp_window_bytes(const struct tcp_segment *s, const struct tcp_view *own,
					const struct tcp_view *peer)
{
	uint32_t shift = own->flags & peer->flags & HALF_SCALE ? own->scale : 0;

	if (s->kind == TCP_K_SYN || s->kind == TCP_K_SYNACK)
		return s->win;
	return (uint32_t)s->win << (shift < TCP_SCALE_UNKNOWN ? shift : TCP_SCALE_UNKNOWN - 1);
}

/* How often the peer was heard: what is said again after that is no repetition. */
static inline uint64_t tcp_heard(const struct flow_half *peer)
{
	return __atomic_load_n(&peer->packets, __ATOMIC_RELAXED);
}

/* Count what repeats the sender's last segment while the peer says nothing (requirement C5). */
static inline void tcp_count_repeat(const struct tcp_segment *s, struct flow_half *own,
				    uint64_t heard)
{
	uint32_t ack = s->ack << 16 | s->ack >> 16;
	uint32_t last =
		(s->seq ^ ack) * 0x9e3779b1u + s->end + (uint32_t)heard + ((uint32_t)s->win << 16);

	if (own->last != last) {
		tcp_put(&own->last, last);
		if (own->retrans)
			own->retrans = 0;
	} else if (own->retrans < UINT8_MAX) {
		own->retrans++;
	}
}

/* What a segment that fits teaches; v is the half as read before, and follows. */
static inline void tcp_window_learn(const struct tcp_segment *s, struct flow_half *own,
				    struct tcp_view *v, const struct tcp_view *peer)
{
	uint32_t win = tcp_window_bytes(s, v, peer);
	uint32_t edge = tcp_ack_edge(s, peer);
	uint32_t ahead = tcp_acks(s) ? edge - s->ack : 0;
	uint32_t grant = edge + (win ? win : 1); /* a closed window is probed with one byte */
	bool first = !(v->flags & HALF_ACKED);

	if (win + ahead > v->maxwin)
		tcp_put(&own->maxwin, v->maxwin = win + ahead);
	if (seq_after(s->end, v->end))
		tcp_put(&own->end, v->end = s->end);
	if (!tcp_acks(s))
		return;
	if (first || seq_after(s->ack, v->maxack))
		tcp_put(&own->maxack, v->maxack = s->ack);
	if (first || seq_after(grant, v->maxend))
		tcp_put(&own->maxend, v->maxend = grant);
	v->flags |= HALF_ACKED;
}

/* tcp_window.c */
struct tcp_view tcp_window_fresh(const struct tcp_segment *s, const struct tcp_view *own,
				 const struct tcp_view *peer);
void tcp_window_store(struct flow_half *own, const struct tcp_view *v);
void tcp_offer_note(struct flow_half *own, const struct tcp_segment *s);
struct tcp_view tcp_offer_view(const struct flow_half *h);

#endif
