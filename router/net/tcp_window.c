/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Windows: does a segment lie where its sender may send now?
 *
 * What is kept. nf_conntrack keeps, for each direction, how far it may send, and lets either
 * direction's packets write both. Here half d is written by the worker that receives direction d
 * and by nobody else, so each half keeps what its own packets said: the end of what it sent, its
 * highest acknowledgement, its largest window, and the grant: acknowledgement (or highest SACK
 * edge) plus window, how far the PEER may send. The limit of direction d is therefore read in the
 * other half. Nothing is written twice.
 *
 * Four bounds, with `own` the sender and `peer` the receiver of the segment:
 *   seq <= peer.maxend                   no data behind what the peer allowed; one byte at the edge
 * of a closed window is a probe, and a grant of 0 counts as 1 ack <= peer.end nothing acknowledged
 * that was never sent end > own.end - peer.maxwin - 1      not older than the widest window; a
 * keep-alive (0 or 1 byte at end - 1) is inside ack > peer.end - max(own.maxwin, 66000) - 1
 * Breaking one of the first two is out of window; the last two are old news, which a host answers
 * with an acknowledgement that may be just what is missing: let by, without effect. All comparisons
 * are of 32-bit differences, so they hold across the wrap at 2^32 while windows stay below 2^31.
 *
 * Why a stale read is harmless. The values only grow (in sequence space), and each is stored before
 * the segment that taught it is handed to a ring, with a release that the receiver's driver
 * acquires. A host can only acknowledge what reached it, and only use a window that reached it: an
 * honest segment that needs a value is caused by the segment that taught it, so its worker sees
 * that value. What can be missed is news that the segment at hand does not depend on. A peer.end
 * that lags makes the lower bound of ack looser and the upper one as strict as it was when the
 * sender sent; a peer.maxend that lags keeps a segment within the grant its sender knew; a
 * peer.maxwin that lags can call a repeat old, and old segments pass. A forger gains nothing but
 * the microseconds in which the bounds of a moment ago still count. Fields of one half may be read
 * from two moments: each bound uses one that moves (end, maxend) and one that hardly does (maxwin),
 * never two that must agree.
 *
 * Exceptions to growing: while nobody has answered, a new SYN starts its half anew; and so does an
 * answer to an offer.
 *
 * Offers. A SYN from the originator inside a connection is let by, for the server to challenge (RFC
 * 5961), and noted in its half: `offer`, the end, and `last`, its window and options; HALF_OFFER
 * until the next other segment of that direction. If the server accepts it after all (its SYN/ACK
 * acknowledges the offer), it was we who were out of step. The server's worker then starts its own
 * half anew and sets FLOW_OFFER with the state; it may not write the client's half, but reads it
 * through tcp_offer_view(); the client's worker puts the offer into its half with the client's next
 * segment and clears FLOW_OFFER.
 *
 * Picked up in the middle (no SYN seen): the scale is unknown, so the largest is assumed in both
 * directions; the other side is taken at its word with its first segment; and what falls outside
 * even then passes unjudged. An RST never does.
 */
#include "router/net/tcp_window.h"

/* last, of a SYN that was let by: the window in the lower half, then scale and flags. */
static uint32_t pack(const struct tcp_segment *s)
{
	uint32_t flags =
		HALF_SYN | (s->has_scale ? HALF_SCALE : 0) | (s->has_sack_perm ? HALF_SACK : 0);

	return s->win | (uint32_t)s->scale << 16 | flags << 24;
}

/* A direction as its first segment shows it. Behind a SYN it is known whole. */
struct tcp_view tcp_window_fresh(const struct tcp_segment *s, const struct tcp_view *own,
				 const struct tcp_view *peer)
{
	struct tcp_view v = { .end = s->end };

	if (s->flags & TCP_F_SYN) {
		v.scale = s->scale;
		v.flags = (uint8_t)((s->flags & TCP_F_ACK ? HALF_SYNACK : HALF_SYN) |
				    (s->has_scale ? HALF_SCALE : 0) |
				    (s->has_sack_perm ? HALF_SACK : 0));
	} else {
		v.scale = own->scale;
		v.flags = own->flags & (HALF_SCALE | HALF_SACK);
		if (peer->maxwin && peer->flags & HALF_ACKED && seq_after(peer->maxack, v.end))
			v.end = peer->maxack;
	}
	v.maxwin = tcp_window_bytes(s, &v, peer);
	if (!v.maxwin)
		v.maxwin = 1;
	return v;
}

void tcp_window_store(struct flow_half *own, const struct tcp_view *v)
{
	tcp_put(&own->end, v->end);
	tcp_put(&own->maxend, v->maxend);
	tcp_put(&own->maxwin, v->maxwin);
	tcp_put(&own->maxack, v->maxack);
	__atomic_store_n(&own->scale, v->scale, __ATOMIC_RELAXED);
	tcp_set_flags(own, v->flags);
	own->retrans = 0;
}

void tcp_forget(struct flow_half *own)
{
	const struct tcp_view v = { .scale = TCP_SCALE_UNKNOWN, .flags = HALF_SCALE | HALF_SACK };

	tcp_window_store(own, &v);
}

/* The originator's SYN that is let by. Flags last: who sees HALF_OFFER sees what it is about. */
void tcp_offer_note(struct flow_half *own, const struct tcp_segment *s)
{
	tcp_put(&own->offer, s->end);
	tcp_put(&own->last, pack(s));
	__atomic_store_n(&own->tcp_flags, own->tcp_flags | HALF_OFFER, __ATOMIC_RELEASE);
}

/* The half that the offer makes, if it is accepted. */
struct tcp_view tcp_offer_view(const struct flow_half *h)
{
	uint32_t last = tcp_get(&h->last);
	uint32_t win = last & UINT16_MAX;

	return (struct tcp_view){
		.end = tcp_get(&h->offer),
		.maxwin = win ? win : 1,
		.scale = (last >> 16) & 15,
		.flags = (uint8_t)(last >> 24),
	};
}
