// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a filter that matches does with a packet: its actions in order, then its class. [worker]
 *
 * Whatever is done to a packet is to be done to each of its flow, so all but `pass` says `varies`.
 */
#include "router/net/qdisc/classify_internal.h"
#include "router/net/qdisc/tc_pedit.h"
#include "router/net/siphash.h"

const struct tc_view *tc_run_view(struct tc_run *r)
{
	const struct tc_packet *x = r->x;

	if (!r->looked)
		tc_look(&r->view, x->frame, x->len, x->l3, x->m.mark);
	r->looked = true;
	return &r->view;
}

/* The frame was written to: what filters look at follows. */
static void written(struct tc_run *r)
{
	struct tc_packet *x = r->x;
	const struct tc_view *v;

	x->rewritten = true;
	r->looked = false;
	v = tc_run_view(r);
	x->l3 = v->l3;
	if (!v->l3)
		return;
	x->m.tos = tc_tos(v);
	x->m.ttl = tc_ttl(v);
}

/* ---- policing */

/* AFx1 is green, AFx2 yellow, AFx3 red (RFC 2597 2), and what is of no such class green. */
static enum police_colour colour_of(uint8_t dscp)
{
	unsigned class = dscp >> 3, precedence = dscp >> 1 & 3;

	if (dscp & 1 || class < 1 || class > 4 || !precedence)
		return POLICE_GREEN;
	return (enum police_colour)(precedence - 1);
}

static void set_dscp(struct tc_run *r, uint8_t dscp)
{
	if (tc_set_dscp(tc_run_view(r), r->x->frame, dscp))
		written(r);
}

static enum tc_outcome police(struct tc_run *r, const struct tc_action *a)
{
	const struct conf_police *c = &a->conf.police;
	const enum conf_conform verdict[] = { c->conform, c->exceed, c->violate };
	const uint8_t dscp[] = { c->conform_dscp, c->exceed_dscp, c->violate_dscp };
	struct tc_packet *x = r->x;
	enum police_colour colour = x->l3 ? colour_of(x->m.tos >> 2) : POLICE_GREEN;

	colour = police_packet(a->policer, x->len, colour, x->m.now, x->m.dry);
	x->policed = (uint8_t)(colour + 1);
	switch (verdict[colour]) {
	case CONF_CONFORM_PASS: return TC_END;
	case CONF_CONFORM_DROP: x->drop = DROP_POLICED; return TC_DROP;
	case CONF_CONFORM_PIPE: return TC_PIPE;
	case CONF_CONFORM_CONTINUE: return TC_NEXT;
	case CONF_CONFORM_RECLASSIFY: return TC_AGAIN;
	case CONF_CONFORM_MARK: set_dscp(r, dscp[colour]); break;
	}
	return TC_PIPE;
}

/* ---- the other actions */

static void mirror(const struct tc_run *r, const struct tc_action *a)
{
	uint32_t len = r->x->len;

	if (a->conf.snaplen && a->conf.snaplen < len)
		len = a->conf.snaplen;
	if (!r->x->m.dry && r->f->mirror)
		r->f->mirror(r->dp, a->port, r->x->frame, len);
}

static void skbedit(struct tc_run *r, const struct conf_tc_action *a)
{
	struct tc_packet *x = r->x;

	if (a->has_mark) {
		uint32_t mask = a->mask ? a->mask : UINT32_MAX;

		x->m.mark = (x->m.mark & ~mask) | (a->mark & mask);
		r->looked = false;
	}
	if (a->has_priority)
		x->priority = a->priority;
}

static void pedit(struct tc_run *r, const struct conf_tc_action *a)
{
	for (unsigned i = 0; i < a->npedit; i++)
		if (tc_pedit(tc_run_view(r), r->x->frame, &a->pedit[i], a->csum))
			written(r);
}

static enum tc_outcome act(struct tc_run *r, const struct tc_action *a)
{
	struct tc_packet *x = r->x;

	switch (a->conf.act) {
	case CONF_TC_CLASS:
	case CONF_TC_PASS: return TC_END;
	case CONF_TC_DROP: x->drop = DROP_TC_ACTION; return TC_DROP;
	case CONF_TC_POLICE: return police(r, a);
	case CONF_TC_MIRROR: mirror(r, a); break;
	case CONF_TC_REDIRECT: x->port = a->port; return TC_REDIRECT;
	case CONF_TC_SKBEDIT: skbedit(r, &a->conf); break;
	case CONF_TC_PEDIT: pedit(r, &a->conf); break;
	}
	return TC_PIPE;
}

/* ---- the class */

static uint64_t hash_of(const struct tc_run *r, uint32_t keys)
{
	const struct match_packet *m = &r->x->m;
	struct flow_key k = { 0 };
	uint64_t word[6] = { 0 };

	if (r->x->l3)
		k = m->key;
	if (keys & CONF_HASH_SRC)
		memcpy(&word[0], k.src, sizeof(k.src));
	if (keys & CONF_HASH_DST)
		memcpy(&word[2], k.dst, sizeof(k.dst));
	if (keys & CONF_HASH_SPORT)
		word[4] |= k.sport;
	if (keys & CONF_HASH_DPORT)
		word[4] |= (uint64_t)k.dport << 16;
	if (keys & CONF_HASH_PROTO)
		word[4] |= (uint64_t)k.proto << 32;
	if (keys & CONF_HASH_DSCP && r->x->l3)
		word[4] |= (uint64_t)(m->tos >> 2) << 40;
	if (keys & CONF_HASH_MARK)
		word[5] = m->mark;
	return siphash_words(r->f->secret, word, 6);
}

/* NULL: none, or none there. */
static const struct tc_class *class_of(const struct tc_run *r, const struct tc_filter *filter)
{
	const struct conf_hash_class *h = &filter->hash;

	if (!h->keys)
		return filter->class == TC_NONE ? NULL : &r->f->class[filter->class];
	if (h->keys & CONF_HASH_DSCP)
		r->x->varies = true;
	return tc_class_find(r->f, h->base + (uint32_t)(hash_of(r, h->keys) % h->divisor));
}

static bool has_class(const struct tc_filter *filter)
{
	return !filter->ends && (filter->hash.keys || filter->class != TC_NONE);
}

enum tc_outcome tc_act(struct tc_run *r, const struct tc_filter *filter,
		       const struct tc_class **out)
{
	enum tc_outcome o = TC_PIPE;

	for (unsigned i = 0; i < filter->nactions && o == TC_PIPE; i++) {
		o = act(r, &filter->action[i]);
		r->x->varies |= o != TC_END || filter->action[i].policer;
	}
	if (o == TC_PIPE && !has_class(filter))
		return TC_NEXT;
	if (o != TC_PIPE && o != TC_END)
		return o;
	*out = has_class(filter) ? class_of(r, filter) : NULL;
	return *out ? TC_CLASS : TC_END;
}
