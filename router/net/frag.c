/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a fragment; see frag.h. A datagram's life:
 *
 *   HEADLESS   the first fragment has not come: what comes waits. Made with what came.
 *   JUDGED     the first is with the worker that has it: what comes waits still.
 *   OPEN       its fate is told and nothing waits: what comes goes on.
 *   DONE       all has come and gone on; kept a moment so that duplicates are known as such.
 *   CONDEMNED  what comes is dropped.
 *
 * It ends in time, or when others need its place (frag_table.c).
 *
 * Which bytes have come is kept fragment by fragment, in order of offset, so that any overlap is
 * seen, and the same fragment again is told from it. Frames that wait stay where they are in packet
 * memory; they are counted in the table and in no worker.
 */
#include "router/net/frag_internal.h"

#include <string.h>

static void condemn(struct frags *f, struct dp *dp, struct datagram *d, enum drop_reason why)
{
	frag_drop_waiting(f, dp, d, why);
	d->state = FRAG_CONDEMNED;
	d->why = (uint8_t)why;
}

/* ---- fragments */

enum piece_verdict { PIECE_NEW, PIECE_SAME, PIECE_OVERLAP, PIECE_TOO_MANY, PIECE_BAD };

/* Add what a fragment covers. */
static enum piece_verdict add_piece(struct datagram *d, const struct frag_part *part)
{
	unsigned at = d->npieces;
	const struct frag_piece *last = at ? &d->piece[at - 1] : NULL;

	while (at && d->piece[at - 1].start >= part->start)
		at--;
	if (at < d->npieces && d->piece[at].start == part->start && d->piece[at].end == part->end &&
	    (d->total == part->end) == part->last)
		return PIECE_SAME;
	if ((at < d->npieces && d->piece[at].start < part->end) ||
	    (at && d->piece[at - 1].end > part->start))
		return PIECE_OVERLAP;
	/* they do not overlap, but contradict each other where the datagram ends */
	if (d->total ? part->last || part->end > d->total
		     : part->last && last && last->end > part->end)
		return PIECE_OVERLAP;
	if (d->npieces == FRAG_PIECES)
		return PIECE_TOO_MANY;
	memmove(&d->piece[at + 1], &d->piece[at], (d->npieces - at) * sizeof(d->piece[0]));
	d->piece[at] = (struct frag_piece){ (uint16_t)part->start, (uint16_t)part->end };
	d->npieces++;
	d->seen += part->end - part->start;
	if (part->last)
		d->total = (uint16_t)part->end;
	return PIECE_NEW;
}

/* Keep p until the first fragment's fate is known. False: too many wait, even without those of
 * another headless datagram of the bucket. */
static bool wait_for_first(struct frags *f, struct dp *dp, struct frag_bucket *b,
			   struct datagram *d, const struct pkt *p, uint32_t start)
{
	unsigned at;

	if (d->nwaiting == FRAG_WAITING)
		return false;
	while (!frag_claim(&f->held, f->config.held))
		if (!frag_give_up(f, dp, b, d))
			return false;
	for (at = d->nwaiting++; at && d->waiter[at - 1].start < start; at--)
		d->waiter[at] = d->waiter[at - 1];
	d->waiter[at] = (struct frag_waiter){ .p = *p, .start = start };
	frag_tally(&f->count.waited);
	return true;
}

/* RFC 6864: 16 bits are few, so one sequence serves all, and an id comes again as late as can be.
 */
uint16_t frag_new_id(struct frags *f)
{
	uint16_t id;

	do
		id = __atomic_fetch_add(&f->next_id, 1, __ATOMIC_RELAXED);
	while (!id);
	return id;
}

static void begin(struct frags *f, struct datagram *d, const struct frag_part *part)
{
	d->state = FRAG_JUDGED;
	d->ports = (struct frag_ports){ .sport = part->sport,
					.dport = part->dport,
					.proto = part->proto,
					.tcp_base = part->tcp_base,
					.new_id = frag_new_id(f),
					.datagram = (uint32_t)(d - f->datagram),
					.serial = d->serial };
}

/* The datagram is done or condemned: so is what comes. */
static enum drop_reason too_late(struct frags *f, struct dp *dp, struct datagram *d,
				 const struct frag_part *part)
{
	if (d->state == FRAG_DONE) {
		frag_tally(&f->count.overlaps);
		return DROP_FRAG_OVERLAP;
	}
	/* a filter that refuses one peer's datagrams must not use up the source's share */
	if (d->why == DROP_FRAG_REFUSED && !part->bad && add_piece(d, part) == PIECE_NEW &&
	    frag_is_complete(d)) {
		frag_done(f, dp, d);
		return DROP_FRAG_REFUSED;
	}
	return (enum drop_reason)d->why;
}

static enum drop_reason fault_of(struct frags *f, enum piece_verdict piece,
				 const struct frag_part *part)
{
	if (piece == PIECE_TOO_MANY) {
		frag_tally(&f->count.too_many);
		return DROP_FRAG_LIMIT;
	}
	if (piece == PIECE_BAD && part->bad == DROP_FRAG_TINY)
		frag_tally(&f->count.tiny);
	else
		frag_tally(&f->count.overlaps);
	return piece == PIECE_BAD ? (enum drop_reason)part->bad : DROP_FRAG_OVERLAP;
}

/* FRAG_DROPPED: for *why, by the caller. */
static enum frag_verdict judge(struct frags *f, struct dp *dp, struct frag_bucket *b,
			       struct datagram *d, const struct pkt *p,
			       const struct frag_part *part, enum drop_reason *why)
{
	enum piece_verdict piece;

	if (d->state == FRAG_CONDEMNED || d->state == FRAG_DONE) {
		*why = too_late(f, dp, d, part);
		return FRAG_DROPPED;
	}
	piece = part->bad ? PIECE_BAD : add_piece(d, part);
	if (piece == PIECE_NEW) {
		if (part->start == 0)
			begin(f, d, part);
		if (part->start == 0 || d->state == FRAG_OPEN)
			return FRAG_KNOWN;
		if (wait_for_first(f, dp, b, d, p, part->start))
			return FRAG_HELD;
		piece = PIECE_TOO_MANY; /* without it the rest is worth nothing */
	}
	*why = fault_of(f, piece, part);
	if (piece != PIECE_SAME) /* which RFC 5722 lets be */
		condemn(f, dp, d, *why);
	return FRAG_DROPPED;
}

enum frag_verdict frag_input(struct frags *f, struct dp *dp, struct pkt *p, uint16_t zone,
			     struct frag_ports *out)
{
	enum frag_verdict verdict = FRAG_DROPPED;
	enum drop_reason why = DROP_FRAG_LIMIT;
	struct frag_bucket *b;
	struct frag_part part;
	struct datagram *d;

	if (!frag_read(p, zone, &part)) {
		pkt_drop(dp, p, DROP_IP6_EXTENSION);
		return FRAG_DROPPED;
	}
	d = frag_entry(f, dp, &part.key, &b);
	if (d)
		verdict = judge(f, dp, b, d, p, &part, &why);
	if (verdict == FRAG_KNOWN) {
		*out = d->ports;
		out->first = part.start == 0;
		frag_tally(&f->count.known);
		if (d->state == FRAG_OPEN && frag_is_complete(d))
			frag_done(f, dp, d);
	}
	frag_unlock(b);
	if (verdict == FRAG_DROPPED)
		pkt_drop(dp, p, why);
	return verdict;
}

/* ---- the first fragment's fate */

bool frag_waiting(struct frags *f, struct dp *dp, const struct frag_ports *first, struct pkt *out)
{
	struct frag_bucket *b;
	struct datagram *d = frag_entry_again(f, first, &b);
	bool any;

	if (!d)
		return false;
	any = d->nwaiting;
	if (any) {
		*out = d->waiter[--d->nwaiting].p;
		frag_unclaim(&f->held, 1);
		frag_tally(&f->count.known);
	} else if (d->state == FRAG_JUDGED) {
		d->state = FRAG_OPEN;
		if (frag_is_complete(d))
			frag_done(f, dp, d);
	}
	frag_unlock(b);
	return any;
}

void frag_refuse(struct frags *f, struct dp *dp, const struct frag_ports *first)
{
	struct frag_bucket *b;
	struct datagram *d = frag_entry_again(f, first, &b);

	if (!d)
		return;
	if (d->state == FRAG_JUDGED) {
		condemn(f, dp, d, DROP_FRAG_REFUSED);
		if (frag_is_complete(d))
			frag_done(f, dp, d);
	}
	frag_unlock(b);
}
