/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking a matcher: candidates of a segment by its tables, then the rest of each candidate, in
 * order. [worker]
 *
 * What a rule looks at is asked in the order of how long the answer holds: first what never changes
 * for a flow, then what changes with the flow, then what differs from packet to packet. So a flow
 * whose packets may be judged together is not kept from it by rules that mean other flows or other
 * states: `ct: new, flags: syn` makes an established flow depend on its state, and no more. A rate
 * comes last, since asking takes a token.
 */
#include "router/net/match_internal.h"

#include <arpa/inet.h>
#include <string.h>

#include "router/net/limit.h"

/* A packet as numbers of each dimension. */
struct numbers {
	uint32_t low[MATCH_DIMENSIONS];
	unsigned __int128 wide[2]; /* IPv6 source, destination */
	bool v6;
};

static unsigned __int128 wide_of(const uint8_t bytes[16])
{
	uint64_t half[2];

	memcpy(half, bytes, sizeof(half));
	return (unsigned __int128)be64toh(half[0]) << 64 | be64toh(half[1]);
}

static uint32_t low_of(const uint8_t bytes[16])
{
	uint32_t n;

	memcpy(&n, bytes, sizeof(n));
	return ntohl(n);
}

static void numbers_of(const struct match_packet *p, struct numbers *out)
{
	bool ports = match_has_ports(p);

	out->v6 = p->key.family == AF_INET6;
	if (out->v6) {
		out->wide[MATCH_SRC] = wide_of(p->key.src);
		out->wide[MATCH_DST] = wide_of(p->key.dst);
	} else {
		out->low[MATCH_SRC] = low_of(p->key.src);
		out->low[MATCH_DST] = low_of(p->key.dst);
	}
	out->low[MATCH_PROTO] = p->key.proto;
	out->low[MATCH_SPORT] = ports ? ntohs(p->key.sport) : MATCH_NO_PORT;
	out->low[MATCH_DPORT] = ports ? ntohs(p->key.dport) : MATCH_NO_PORT;
	out->low[MATCH_IN] = p->in;
	out->low[MATCH_OUT] = p->out;
}

/* The last interval that begins at or before n; without a branch that depends on it. */
static inline uint32_t search_low(const uint32_t *start, uint32_t n, uint32_t number)
{
	const uint32_t *base = start;

	while (n > 1) {
		uint32_t half = n / 2;

		base += base[half] <= number ? half : 0;
		n -= half;
	}
	return (uint32_t)(base - start);
}

static inline uint32_t search_wide(const unsigned __int128 *start, uint32_t n,
				   unsigned __int128 number)
{
	const unsigned __int128 *base = start;

	while (n > 1) {
		uint32_t half = n / 2;

		base += base[half] <= number ? half : 0;
		n -= half;
	}
	return (uint32_t)(base - start);
}

static inline uint32_t class_of(const struct match_table *t, const struct numbers *n)
{
	return t->class[t->wide ? search_wide(t->wide, t->n, n->wide[t->dimension])
				: search_low(t->low, t->n, n->low[t->dimension])];
}

/* The rules of a segment that every table allows. False: none. */
static bool candidates(const struct match_segment *s, const struct numbers *n,
		       struct match_vector *out)
{
	*out = s->all;
	for (unsigned i = 0; i < s->ntables[n->v6]; i++) {
		const struct match_table *t = &s->table[n->v6][i];
		uint32_t class = class_of(t, n);
		uint64_t left = 0;

		if (!class)
			return false;
		for (unsigned w = 0; w < MATCH_WORDS; w++) {
			out->word[w] &= t->vector[class].word[w];
			left |= out->word[w];
		}
		if (!left)
			return false;
	}
	return true;
}

/* ---- the rest of a rule */

static bool sets_hold(const struct match_rest *r, const struct match_packet *p)
{
	struct set_key k;

	for (unsigned i = 0; i < r->nlookups; i++) {
		const struct match_lookup *l = &r->lookup[i];

		if (!match_key(p, l->key, l->nkey, &k) || set_has(l->set, &k, p->now) == l->negate)
			return false;
	}
	return true;
}

static bool flow_holds(const struct match_rest *r, const struct match_packet *p)
{
	if (r->what & MATCH_MARK && (p->mark & r->mark_mask) != (r->mark & r->mark_mask))
		return false;
	return !(r->what & MATCH_SETS) || sets_hold(r, p);
}

static bool state_holds(const struct match_rest *r, const struct match_packet *p)
{
	return (!(r->what & MATCH_CT) || r->ct & p->ct) &&
	       (!(r->what & MATCH_STATUS) || r->status & p->status);
}

static bool icmp_holds(const struct match_rest *r, const struct match_packet *p)
{
	for (unsigned i = 0; i < r->nicmp; i++)
		if (r->icmp[i].family == p->key.family && r->icmp[i].type == p->icmp_type &&
		    (r->icmp[i].code < 0 || r->icmp[i].code == p->icmp_code))
			return true;
	return false;
}

static bool packet_holds(const struct match_rest *r, const struct match_packet *p)
{
	if (r->what & MATCH_LENGTH && (p->len < r->length_min || p->len > r->length_max))
		return false;
	if (r->what & MATCH_TTL && (p->ttl < r->ttl_min || p->ttl > r->ttl_max))
		return false;
	if (r->what & MATCH_DSCP && !(r->dscp >> (p->tos >> 2) & 1))
		return false;
	if (r->what & MATCH_FLAGS && (p->fragment || (p->tcp_flags & r->flags_mask) != r->flags))
		return false;
	if (r->what & MATCH_ICMP && !icmp_holds(r, p))
		return false;
	return !(r->what & MATCH_FRAGMENT) || p->fragment == r->fragment;
}

static void count_against(struct match_packet *p, uint16_t limit)
{
	unsigned i = 0;

	while (i < MATCH_LIMITS && p->counted[i] && p->counted[i] != limit)
		i++;
	if (i < MATCH_LIMITS)
		p->counted[i] = limit;
}

/* Connections are judged when they begin: who lives on is not cut off because others came. A later
 * packet matches as little as a first one that was not too many. */
static bool connections_hold(const struct matcher *m, const struct match_rest *r,
			     struct match_packet *p)
{
	if (!p->first)
		return false;
	count_against(p, r->connections);
	if (!limit_connections_over(m->limits, r->connections, &p->key))
		return false;
	p->varies = true;
	return true;
}

static bool rate_holds(const struct matcher *m, const struct match_rest *r, struct match_packet *p)
{
	p->varies |= !r->syn;
	return (p->dry ? limit_would(m->limits, r->rate, &p->key, p->now)
		       : limit_within(m->limits, r->rate, &p->key, p->now)) != r->rate_over;
}

static bool rest_holds(const struct matcher *m, const struct match_rest *r, struct match_packet *p)
{
	if (r->what & MATCH_PER_FLOW && !flow_holds(r, p))
		return false;
	if (r->what & MATCH_PER_STATE) {
		p->used_ct = true;
		if (!state_holds(r, p))
			return false;
	}
	if (r->what & MATCH_PER_PACKET) {
		p->varies |= !r->syn;
		if (!packet_holds(r, p))
			return false;
	}
	if (r->what & MATCH_CONNECTIONS && !connections_hold(m, r, p))
		return false;
	return !(r->what & MATCH_RATE) || rate_holds(m, r, p);
}

/* The first of the candidates whose rest holds, or MATCH_SEGMENT. */
static unsigned first_of(const struct matcher *m, const struct match_rest *rest,
			 const struct match_vector *candidate, struct match_packet *p)
{
	for (unsigned w = 0; w < MATCH_WORDS; w++)
		for (uint64_t bits = candidate->word[w]; bits; bits &= bits - 1) {
			unsigned i = 64 * w + (unsigned)__builtin_ctzll(bits);

			if (!rest[i].what || rest_holds(m, &rest[i], p))
				return i;
		}
	return MATCH_SEGMENT;
}

/* Rules before the `from`-th of a segment are behind us. */
static void skip(struct match_vector *v, unsigned from)
{
	for (unsigned w = 0; w < from / 64; w++)
		v->word[w] = 0;
	if (from % 64)
		v->word[from / 64] &= ~0ull << from % 64;
}

unsigned matcher_next(const struct matcher *m, unsigned from, struct match_packet *p)
{
	struct numbers n;

	if (from >= m->n)
		return m->n;
	numbers_of(p, &n);
	for (unsigned s = from / MATCH_SEGMENT; s < m->nsegments; s++) {
		unsigned first = s * MATCH_SEGMENT, i;
		struct match_vector v;

		if (!candidates(&m->segment[s], &n, &v))
			continue;
		if (from > first)
			skip(&v, from - first);
		i = first_of(m, m->rest + first, &v, p);
		if (i < MATCH_SEGMENT)
			return first + i;
	}
	return m->n;
}
