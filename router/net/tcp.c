/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tracked TCP connection: what a segment does to its flow.
 *
 * The life of a segment: judge() reads the state word and both halves and says what is to happen,
 * writing nothing; a change of state is a compare-and-swap on the word (a loser judges again); then
 * the segment teaches its own half, and the timeout follows from state and halves. So a refused
 * segment leaves no trace, and two workers never write the same line but for the word. tcp_track()
 * begins with the same in short for what nearly all segments are: an ACK in an established
 * connection that changes no state.
 *
 * Where this departs from the table (net/tcp_table.c), and why:
 *  - A SYN after the end (TIME_WAIT, CLOSE) makes a new flow if the old one ended by FIN, or by an
 * RST of the SYN's own sender. Else the end may be forged: the SYN is an offer like any other, and
 * reopens nothing before it is answered.
 *  - Simultaneous open (SYN_SENT2): the table cannot know that SYN/ACKs of both sides, or an ACK of
 * either, complete it.
 *  - An ACK in LAST_ACK that answers an offer is a challenge and does not acknowledge the FIN.
 *  - A SYN_SENT flow lets a challenge ACK by, and then the RST that answers it, which is meant for
 * the peer's old connection.
 *  - RST: below.
 *  - With `revive`, the sender of an RST that goes on sending has not sent it: back to ESTABLISHED.
 * Its peer's data prove nothing, they may have crossed the RST.
 *  - With `liberal`, a flow may be seen from one side only: no answer is waited for.
 *
 * RST (RFC 5961, and what keeps a blind forger from closing a flow). Established: it must sit
 * exactly where the peer waits, or behind the last byte its sender sent; elsewhere in the window it
 * passes without effect, for the peer to challenge; before the peer's acknowledgements or outside
 * the window it is refused. Once a FIN was seen any RST in the window closes, and one outside
 * passes without effect. While opening, it must answer the SYN.
 */
#include "router/net/tcp_window.h"

/* What judge() decided. */
enum act {
	ACT_ADVANCE,   /* to the next state, learning */
	ACT_UNJUDGED,  /* to the next state, but it teaches nothing: out of window, and liberal */
	ACT_RESTART,   /* to the next state, the half starting anew with it */
	ACT_ANSWER,    /* SYN/ACK to an offer: SYN_RECV, the half starting anew */
	ACT_AGAIN,     /* the SYN repeated: the half anew, the flow lives no longer for it */
	ACT_BY,	       /* let by, without effect */
	ACT_OFFER,     /* let by, noted as an offer */
	ACT_CHALLENGE, /* let by, its acknowledgement noted */
	ACT_NEW,
	ACT_REFUSE,
};

/* A segment with all that it is judged by, read once. */
struct context {
	const struct tcp_segment *s;
	const struct tcp_options *o;
	enum flow_dir dir;
	uint32_t word; /* flow.state */
	enum tcp_state old;
	struct tcp_view own, peer;
	uint32_t offer; /* of the peer, if HALF_OFFER */
};

static bool half_open(enum tcp_state s)
{
	return s == TCP_SYN_SENT || s == TCP_SYN_SENT2 || s == TCP_SYN_RECV;
}

static bool closing(enum tcp_state s)
{
	return s >= TCP_FIN_WAIT && s <= TCP_CLOSE;
}

static bool established(const struct context *c)
{
	return c->old == TCP_ESTABLISHED && c->word & FLOW_ASSURED;
}

static bool picked_up(const struct context *c)
{
	return c->own.scale == TCP_SCALE_UNKNOWN || c->peer.scale == TCP_SCALE_UNKNOWN;
}

/* Does it acknowledge the peer's SYN that was let by? */
static bool answers_offer(const struct context *c)
{
	return c->peer.flags & HALF_OFFER && c->s->flags & TCP_F_ACK && c->s->ack == c->offer;
}

/* Window rules with the sender as far as known; a first segment is measured with itself. */
static enum tcp_fit fit(const struct context *c)
{
	struct tcp_view own = c->own;

	if (!own.maxwin)
		own = tcp_window_fresh(c->s, &c->own, &c->peer);
	return tcp_window_judge(c->s, &own, &c->peer);
}

static enum act judge_window(const struct context *c)
{
	bool unseen = !c->own.maxwin;
	enum tcp_fit f = fit(c);

	if (f == TCP_FITS || (unseen && picked_up(c)))
		return unseen ? ACT_RESTART : ACT_ADVANCE;
	if (c->o->liberal || picked_up(c))
		return ACT_UNJUDGED;
	return f == TCP_OLD && !half_open(c->old) ? ACT_BY : ACT_REFUSE;
}

/* An RST while the connection opens: of the reply, it must acknowledge the SYN, and is mostly at 0.
 * Of the originator, with no answer to measure it by, it must sit behind the SYN and what came with
 * it. */
static enum act judge_reset_opening(const struct context *c)
{
	struct tcp_segment s = *c->s;
	struct tcp_view own = c->own;

	if (!c->peer.maxwin) {
		if (c->peer.flags & HALF_ACKED && s.seq == c->peer.maxack)
			return ACT_BY; /* answers a challenge */
		return own.end - s.seq <= UINT16_MAX ? ACT_ADVANCE : ACT_REFUSE;
	}
	if (c->old == TCP_SYN_SENT && !tcp_acks(&s))
		return ACT_REFUSE;
	if (!own.maxwin)
		own.end = s.end;
	else if (s.seq == 0 && tcp_acks(&s))
		s.seq = s.end = own.end;
	return tcp_window_judge(&s, &own, &c->peer) == TCP_FITS ? ACT_ADVANCE : ACT_REFUSE;
}

static enum act judge_reset(const struct context *c)
{
	uint32_t seq = c->s->seq;
	bool fits = fit(c) == TCP_FITS;
	bool exact;

	if (half_open(c->old))
		return judge_reset_opening(c);
	if (closing(c->old))
		return fits ? ACT_ADVANCE : ACT_BY;
	/* The server's host knows no connection and refuses the SYN: its client must hear that. */
	if (answers_offer(c))
		return ACT_BY;
	if (!c->peer.maxwin)
		return seq == c->own.end ? ACT_ADVANCE : ACT_BY;
	if (c->peer.flags & HALF_ACKED) {
		exact = seq == c->peer.maxack || (c->own.maxwin && seq == c->own.end);
		if (!exact && seq_after(c->peer.maxack, seq))
			return c->o->ignore_bad_rst ? ACT_BY : ACT_REFUSE;
		if (!exact && established(c) && fits)
			return ACT_BY;
	}
	return fits ? ACT_ADVANCE : ACT_REFUSE;
}

/* A SYN in TIME_WAIT or CLOSE. */
static enum act judge_reopen(const struct context *c)
{
	if ((c->own.flags | c->peer.flags) & HALF_CLOSER || c->own.flags & HALF_RESET)
		return ACT_NEW;
	return c->dir == FLOW_ORIG ? ACT_OFFER : ACT_BY;
}

/* Another SYN before any answer. One that begins a little before the last was overtaken by it, and
 * the answer will be to the last. */
static enum act judge_again(const struct context *c)
{
	uint32_t behind = c->own.end - c->s->end;

	return behind && behind <= TCP_ACK_SLACK ? ACT_BY : ACT_AGAIN;
}

static enum act judge_ignored(const struct context *c, uint8_t *next)
{
	enum tcp_kind kind = (enum tcp_kind)c->s->kind;

	if (kind == TCP_K_SYN)
		return c->dir == FLOW_ORIG ? ACT_OFFER : ACT_BY;
	if (kind == TCP_K_SYNACK && answers_offer(c)) {
		*next = TCP_SYN_RECV;
		return ACT_ANSWER;
	}
	if (kind == TCP_K_SYNACK && c->old == TCP_SYN_RECV && c->own.flags & HALF_SYN &&
	    c->peer.flags & HALF_SYNACK) {
		*next = TCP_ESTABLISHED;
		return judge_window(c);
	}
	if (kind == TCP_K_ACK && c->old == TCP_SYN_SENT && !c->own.maxwin)
		return ACT_CHALLENGE;
	return ACT_BY;
}

/* One direction of a connection whose other goes another way (requirement C28). */
static bool one_sided(const struct context *c, uint8_t *next)
{
	if (!c->o->liberal || c->dir != FLOW_ORIG || c->old != TCP_SYN_SENT || c->peer.maxwin)
		return false;
	if (c->s->kind == TCP_K_ACK)
		*next = TCP_ESTABLISHED;
	else if (c->s->kind == TCP_K_FIN)
		*next = TCP_FIN_WAIT;
	else
		return false;
	return true;
}

/* The sender of the RST that closed the flow sends or acknowledges what is new. */
static bool revives(const struct context *c)
{
	if (!c->o->revive || c->old != TCP_CLOSE || c->s->kind != TCP_K_ACK ||
	    !(c->own.flags & HALF_RESET) || (c->own.flags | c->peer.flags) & HALF_CLOSER)
		return false;
	return seq_after(c->s->end, c->own.end) || seq_after(c->s->ack, c->own.maxack);
}

/* Where the table does not know enough. */
static uint8_t refine(const struct context *c, uint8_t next)
{
	const struct tcp_view *reply = c->dir == FLOW_REPLY ? &c->own : &c->peer;
	bool simultaneous = reply->flags & HALF_SYN;

	if (next == TCP_SYN_RECV && c->old == TCP_SYN_RECV && simultaneous &&
	    (c->s->kind == TCP_K_ACK || c->peer.flags & HALF_SYNACK))
		return TCP_ESTABLISHED;
	if (revives(c) && fit(c) == TCP_FITS)
		return TCP_ESTABLISHED;
	return next;
}

static enum act judge(const struct context *c, uint8_t *next)
{
	*next = tcp_table[c->dir][c->s->kind][c->old];
	switch (*next) {
	case TCP_INVALID: return one_sided(c, next) ? judge_window(c) : ACT_REFUSE;
	case TCP_IGNORE: return judge_ignored(c, next);
	case TCP_SYN_SENT: return c->old == TCP_SYN_SENT ? judge_again(c) : judge_reopen(c);
	case TCP_CLOSE:
		if (c->s->kind == TCP_K_RST)
			return judge_reset(c);
		break;
	case TCP_TIME_WAIT:
		if (c->old == TCP_LAST_ACK && c->s->kind == TCP_K_ACK && c->peer.flags & HALF_OFFER)
			return ACT_BY;
		break;
	default: break;
	}
	*next = refine(c, *next);
	return judge_window(c);
}

/* The state word after the segment. A connection is assured once both sides were seen established.
 */
static uint32_t next_word(const struct context *c, uint8_t next, enum act act)
{
	uint32_t word = (c->word & ~FLOW_TCP_STATE) | next;

	if (c->dir == FLOW_REPLY)
		word |= FLOW_REPLIED;
	if (c->word & FLOW_REPLIED && next == TCP_ESTABLISHED &&
	    (c->old == TCP_SYN_RECV || c->old == TCP_ESTABLISHED))
		word |= FLOW_ASSURED;
	return act == ACT_ANSWER ? word | FLOW_OFFER : word;
}

static bool swap_word(struct flow *f, uint32_t old, uint32_t new)
{
	return old == new || __atomic_compare_exchange_n(&f->state, &old, new, false,
							 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static inline uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* What the flow lives on now, in ticks. */
static inline uint32_t lifetime(const struct tcp_timeouts *t, const struct tcp_options *o,
				const struct tcp_segment *s, enum tcp_state state, uint8_t retrans,
				const struct tcp_view *own, const struct tcp_view *peer)
{
	uint32_t life = t->state[state];
	bool waiting;

	if (retrans >= o->max_retrans || (!s->win && s->kind == TCP_K_ACK))
		life = least(life, t->max_retrans);
	waiting = own->end != peer->maxack || peer->end != own->maxack;
	if (state == TCP_ESTABLISHED && waiting)
		life = least(life, t->unacknowledged);
	return life;
}

/* What the segment says of its sender for later. */
static uint8_t sender_flags(const struct context *c, uint8_t flags, uint8_t next)
{
	flags &= (uint8_t)~HALF_OFFER;
	switch (c->s->kind) {
	case TCP_K_SYN: return flags | HALF_SYN;
	case TCP_K_SYNACK: return flags | HALF_SYNACK;
	case TCP_K_RST: return flags | HALF_RESET;
	case TCP_K_FIN: return c->old != next && next == TCP_FIN_WAIT ? flags | HALF_CLOSER : flags;
	default: break;
	}
	return c->old == TCP_CLOSE && next == TCP_ESTABLISHED ? flags & (uint8_t)~HALF_RESET
							      : flags;
}

static void teach(struct context *c, enum act act, uint8_t next, struct flow_half *own,
		  uint64_t heard)
{
	if (act == ACT_RESTART || act == ACT_ANSWER || act == ACT_AGAIN) {
		c->own = tcp_window_fresh(c->s, &c->own, &c->peer);
		tcp_window_store(own, &c->own);
	}
	if (act != ACT_UNJUDGED && c->s->kind != TCP_K_RST)
		tcp_window_learn(c->s, own, &c->own, &c->peer);
	if (c->s->kind == TCP_K_ACK)
		tcp_count_repeat(c->s, own, heard);
	c->own.flags = sender_flags(c, c->own.flags, next);
	tcp_set_flags(own, c->own.flags);
}

/* Acts that leave the state as it is. Returns the verdict. */
static enum tcp_verdict let_by(struct context *c, enum act act, struct flow_half *own,
			       uint32_t *timeout)
{
	*timeout = own->timeout;
	switch (act) {
	case ACT_REFUSE: return TCP_REFUSE;
	case ACT_NEW: return TCP_NEW_FLOW;
	case ACT_OFFER: tcp_offer_note(own, c->s); break;
	case ACT_CHALLENGE:
		tcp_put(&own->maxack, c->s->ack);
		tcp_set_flags(own, own->tcp_flags | HALF_ACKED);
		break;
	case ACT_AGAIN: teach(c, act, (uint8_t)c->old, own, 0); break;
	default: break;
	}
	return TCP_PASS_BY;
}

/* An offer that was answered becomes its sender's half. */
static void take_offer(struct flow *f, struct flow_half *own)
{
	struct tcp_view v = tcp_offer_view(own);

	tcp_window_store(own, &v);
	__atomic_fetch_and(&f->state, ~FLOW_OFFER, __ATOMIC_RELEASE);
}

static void context_read(struct context *c, struct flow *f, const struct flow_half *own,
			 const struct flow_half *peer)
{
	c->word = __atomic_load_n(&f->state, __ATOMIC_ACQUIRE);
	c->old = (enum tcp_state)(c->word & FLOW_TCP_STATE);
	c->own = tcp_view(own);
	c->peer = tcp_view(peer);
	c->offer = tcp_get(&peer->offer);
	if (c->word & FLOW_OFFER && c->dir == FLOW_REPLY) {
		c->peer = tcp_offer_view(peer);
		c->peer.flags |= HALF_OFFER;
	}
}

/* Any segment, in any state. Not inlined: the registers it needs would be saved for every ACK. */
static enum tcp_verdict track(const struct tcp_segment *s, const struct tcp_options *o,
			      struct flow *f, enum flow_dir dir, struct flow_half *own,
			      const struct flow_half *peer, const struct tcp_timeouts *t,
			      uint32_t *timeout) __attribute__((noinline));

static enum tcp_verdict track(const struct tcp_segment *s, const struct tcp_options *o,
			      struct flow *f, enum flow_dir dir, struct flow_half *own,
			      const struct flow_half *peer, const struct tcp_timeouts *t,
			      uint32_t *timeout)
{
	struct context c = { .s = s, .o = o, .dir = dir };
	uint32_t word;
	uint8_t next;
	enum act act;

	if (dir == FLOW_ORIG && __atomic_load_n(&f->state, __ATOMIC_ACQUIRE) & FLOW_OFFER)
		take_offer(f, own);
	do {
		context_read(&c, f, own, peer);
		act = judge(&c, &next);
		if (act >= ACT_AGAIN)
			return let_by(&c, act, own, timeout);
		word = next_word(&c, next, act);
	} while (!swap_word(f, c.word, word));
	teach(&c, act, next, own, tcp_heard(peer));
	*timeout = lifetime(t, o, s, (enum tcp_state)next, own->retrans, &c.own, &c.peer);
	return TCP_PASS;
}

enum tcp_verdict tcp_track(const struct tcp_segment *s, const struct tcp_options *o, struct flow *f,
			   enum flow_dir dir, struct flow_half *own, struct flow_half *peer,
			   const struct tcp_timeouts *t, uint32_t *timeout)
{
	const uint32_t settled = TCP_ESTABLISHED | FLOW_REPLIED | FLOW_ASSURED;
	uint32_t word = __atomic_load_n(&f->state, __ATOMIC_ACQUIRE);
	struct tcp_view mine = tcp_view(own), theirs = tcp_view(peer);

	if (s->kind != TCP_K_ACK || !mine.maxwin || mine.flags & HALF_OFFER ||
	    (word & (FLOW_TCP_STATE | FLOW_REPLIED | FLOW_ASSURED | FLOW_OFFER)) != settled ||
	    tcp_window_judge(s, &mine, &theirs) != TCP_FITS)
		return track(s, o, f, dir, own, peer, t, timeout);
	tcp_window_learn(s, own, &mine, &theirs);
	tcp_count_repeat(s, own, tcp_heard(peer));
	*timeout = lifetime(t, o, s, TCP_ESTABLISHED, own->retrans, &mine, &theirs);
	return TCP_PASS;
}

/* Private to its maker still, so both halves may be written. */
enum tcp_state tcp_first(const struct tcp_segment *s, const struct tcp_options *o, struct flow *f,
			 struct flow_half *own, struct flow_half *peer,
			 const struct tcp_timeouts *t, uint32_t *timeout)
{
	struct context c = { .s = s, .o = o, .dir = FLOW_ORIG, .old = TCP_NONE };
	uint8_t next = tcp_table[FLOW_ORIG][s->kind][TCP_NONE];

	if (s->kind == TCP_K_SYNACK && o->liberal)
		next = TCP_ESTABLISHED;
	if (next == TCP_INVALID || (next == TCP_ESTABLISHED && !o->loose))
		return TCP_INVALID;
	tcp_window_store(own, &c.own);
	tcp_window_store(peer, &c.peer);
	if (next == TCP_ESTABLISHED) {
		c.own.scale = c.peer.scale = TCP_SCALE_UNKNOWN;
		c.own.flags = c.peer.flags = HALF_SCALE | HALF_SACK;
		tcp_window_store(peer, &c.peer);
	}
	teach(&c, ACT_RESTART, next, own, 0);
	c.word = (f->state & ~(FLOW_TCP_STATE | FLOW_OFFER)) | next;
	__atomic_store_n(&f->state, c.word, __ATOMIC_RELEASE);
	*timeout = lifetime(t, o, s, (enum tcp_state)next, 0, &c.own, &c.peer);
	return (enum tcp_state)next;
}
