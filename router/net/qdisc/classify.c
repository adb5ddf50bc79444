// SPDX-License-Identifier: GPL-2.0-or-later
/* A packet's way past the filters of a place; see classify.h. [worker, any] */
#include "router/net/qdisc/classify_internal.h"

#include <assert.h>

/* ---- a list */

/* What a frame that is not IP shows to the matcher. */
static struct match_packet bare(const struct match_packet *m)
{
	return (struct match_packet){
		.key = { .family = AF_INET },
		.in = m->in,
		.out = m->out,
		.mark = m->mark,
		.now = m->now,
		.worker = m->worker,
		.dry = m->dry,
	};
}

static const struct tc_filter *filter_at(const struct tc_run *r, const struct tc_list *l,
					 const struct tc_sort *s, unsigned i)
{
	return &r->f->filter[l->first + (s->place ? s->place[i] : i)];
}

static bool frame_holds(struct tc_run *r, const struct tc_filter *filter)
{
	const struct tc_view *v = tc_run_view(r);

	r->x->varies |= !tc_frame_steady(filter->frame, v);
	return tc_frame_holds(filter->frame, v) &&
	       (!filter->rates || matcher_next(filter->rates, 0, &r->x->m) == 0);
}

/* The next filter that matches, from the i-th of its sort on; or n. */
static unsigned next(struct tc_run *r, const struct tc_list *l, const struct tc_sort *s, unsigned i)
{
	struct match_packet of_frame, *m = &r->x->m;

	if (!r->x->l3) {
		of_frame = bare(m);
		m = &of_frame;
	}
	for (; (i = matcher_next(s->matcher, i, m)) < s->n; i++) {
		const struct tc_filter *filter = filter_at(r, l, s, i);

		if (!filter->frame || frame_holds(r, filter))
			break;
	}
	return i;
}

static void count(const struct tc_run *r, unsigned number)
{
	struct tc_count *c = &r->count[number];

	counter_add(&c->packets, 1);
	counter_add(&c->bytes, r->x->len);
}

static enum tc_outcome act(struct tc_run *r, unsigned number, const struct tc_class **out)
{
	struct tc_packet *x = r->x;
	enum tc_outcome o;

	if (!x->m.dry) {
		count(r, number);
		return tc_act(r, &r->f->filter[number - 1], out);
	}
	x->policed = 0;
	o = tc_act(r, &r->f->filter[number - 1], out);
	if (x->say)
		x->say(x->arg, x, number);
	return o;
}

/* TC_NEXT: no filter decided. An action may make another sort of packet of it. */
static enum tc_outcome run_list(struct tc_run *r, const struct tc_list *l,
				const struct tc_class **out)
{
	const struct tc_sort *s = r->x->l3 ? &l->ip : &l->other;
	unsigned begun = 0;

	for (unsigned i = 0; i < s->n && (i = next(r, l, s, i)) < s->n;) {
		unsigned number = (unsigned)(filter_at(r, l, s, i) - r->f->filter) + 1;
		enum tc_outcome o;

		o = act(r, number, out);
		if (o == TC_AGAIN && begun++ == TC_RECLASSIFY) {
			r->x->drop = DROP_TC_LOOP;
			o = TC_DROP;
		}
		if (o != TC_NEXT && o != TC_AGAIN) {
			r->x->filter = (uint16_t)number;
			return o;
		}
		i = o == TC_AGAIN ? 0 : i + 1;
		if (s != &l->other && !r->x->l3)
			break;
	}
	return TC_NEXT;
}

/* ---- a tree */

const struct tc_class *tc_class_find(const struct tc_filters *f, uint32_t handle)
{
	unsigned first = 0, n = f->nclasses;

	while (n) {
		unsigned half = n / 2;
		const struct tc_class *c = &f->class[first + half];

		if (c->handle == handle)
			return c;
		if (c->handle < handle) {
			first += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return NULL;
}

/* skb->priority goes before filters where it is the handle of a class of this qdisc. */
static const struct tc_class *by_priority(const struct tc_run *r, const struct tc_node *n)
{
	uint32_t priority = r->x->priority;

	if (CONF_MINOR(n->handle) || CONF_MAJOR(priority) != n->handle || !CONF_MINOR(priority))
		return NULL;
	return tc_class_find(r->f, priority);
}

/* A filter may have changed the priority: that counts where no filter gave a class. */
static enum tc_outcome ask_node(struct tc_run *r, const struct tc_node *n,
				const struct tc_class **out)
{
	enum tc_outcome o = TC_NEXT;

	*out = by_priority(r, n);
	if (*out)
		return TC_CLASS;
	if (n->list != TC_NONE)
		o = run_list(r, &r->f->list[n->list], out);
	if (o != TC_NEXT && o != TC_END)
		return o;
	*out = by_priority(r, n);
	return *out ? TC_CLASS : o;
}

/* The class that the qdisc will choose by itself. */
static const struct tc_class *unasked(const struct tc_run *r, const struct tc_node *n)
{
	const struct tc_filters *f = r->f;
	uint32_t priority = r->x->priority;

	switch (n->otherwise) {
	case TC_STOP: break;
	case TC_FIXED: return &f->class[n->fixed];
	case TC_PRIOMAP:
		r->x->varies = true;
		return tc_class_find(
			f, n->handle + 1u + n->priomap[CONF_MAJOR(priority) ? 0 : priority & 15]);
	}
	return NULL;
}

static enum tc_outcome walk(struct tc_run *r)
{
	const struct tc_filters *f = r->f;
	uint32_t at = f->nnodes ? f->root : TC_NONE;

	for (unsigned depth = 0; at != TC_NONE && depth < TC_DEPTH; depth++) {
		const struct tc_class *c = NULL;
		enum tc_outcome o = ask_node(r, &f->node[at], &c);

		if (o == TC_DROP || o == TC_REDIRECT)
			return o;
		if (o != TC_CLASS) {
			c = unasked(r, &f->node[at]);
			if (!c || c->node == TC_NONE)
				break; /* nothing below asks: the qdisc itself decides */
		}
		if (!c->inner && c->cls != QCLASS_NONE)
			r->x->cls = c->cls;
		at = c->node;
	}
	return TC_END;
}

/* ---- all of it */

enum tc_verdict tc_classify(const struct tc_filters *f, struct dp *dp, struct tc_packet *x)
{
	struct tc_run r = { .f = f, .dp = dp, .x = x };
	const struct tc_class *none;
	enum tc_outcome o = TC_NEXT;

	x->cls = QCLASS_NONE;
	x->port = x->filter = 0;
	x->drop = 0;
	x->varies = x->rewritten = x->m.varies = false;
	if (!f)
		return TC_SEND;
	assert(x->m.worker < f->nworkers);
	r.count = f->count[x->m.worker];
	for (unsigned i = 0; i < TC_LIST_TREE && o != TC_DROP && o != TC_REDIRECT; i++)
		o = run_list(&r, &f->list[i], &none);
	if (o != TC_DROP && o != TC_REDIRECT)
		o = walk(&r);
	x->varies |= x->m.varies;
	return o == TC_DROP ? TC_DROPPED : o == TC_REDIRECT ? TC_REDIRECTED : TC_SEND;
}
