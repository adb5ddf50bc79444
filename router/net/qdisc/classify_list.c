// SPDX-License-Identifier: GPL-2.0-or-later
/* A list of filters as it is asked: what each does, and matchers of all. [control] */
#include "router/net/qdisc/classify_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/qdisc/tc_bpf.h"

/* ---- names: of limits and policers for ever, and in messages */

struct naming {
	const struct tc_build *b;
	const struct conf_tc_filter *const *filter; /* of a list */
	const uint16_t *place;			    /* NULL: the i-th is meant by i */
};

static const char *filter_name(const struct tc_build *b, const struct conf_tc_filter *const *filter,
			       unsigned i)
{
	static char name[CONF_NAME + 80];
	const struct conf_tc_filter *c = filter[i];
	unsigned nth = 1;

	while (i && filter[i - 1]->priority == c->priority) {
		nth++;
		i--;
	}
	snprintf(name, sizeof(name), "qos.%s.%s.%x:%x.%u#%u", b->place->iface,
		 b->place->direction == CONF_DIRECTION_OUT ? "out" : "in", c->parent >> 16,
		 CONF_MINOR(c->parent), c->priority, nth);
	return name;
}

static const char *rule_name(void *arg, unsigned i)
{
	const struct naming *n = arg;

	return filter_name(n->b, n->filter, n->place ? n->place[i] : i);
}

/* ---- one filter */

static int build_frame(struct tc_build *b, const struct conf_tc_filter *c, const char *name,
		       struct tc_filter *out)
{
	struct conf_frame_match *m;
	const char *wrong;
	unsigned at;

	if (!tc_frame_any(&c->frame))
		return 0;
	m = out->frame = malloc(sizeof(*m));
	if (!m)
		return tc_no_memory(b);
	*m = c->frame;
	m->bpf = NULL;
	if (!m->nbpf)
		return 0;
	wrong = tc_bpf_check(c->frame.bpf, m->nbpf, &at);
	if (wrong)
		return tc_refuse(b, "%s: bytecode, instruction %u: %s", name, at, wrong);
	m->bpf = malloc(m->nbpf * sizeof(*m->bpf));
	if (!m->bpf)
		return tc_no_memory(b);
	memcpy(m->bpf, c->frame.bpf, m->nbpf * sizeof(*m->bpf));
	return 0;
}

/* Of several unnamed policers of a filter each has a name of its own. */
static int build_policer(struct tc_build *b, const char *name, struct tc_action *a, unsigned nth)
{
	char place[CONF_NAME + 96];
	int rc;

	snprintf(place, sizeof(place), nth ? "%s.%u" : "%s", name, nth + 1);
	rc = police_get(b->c->policers, place, &a->conf.police, &a->policer);
	if (rc == -EEXIST)
		return tc_refuse(b, "%s: another policer \"%s\" has other rates", name,
				 a->conf.police.name);
	if (rc == -EINVAL)
		return tc_refuse(b, "%s: police: a rate needs a burst, and none over 4 GB", name);
	return rc ? tc_no_memory(b) : 0;
}

static int build_actions(struct tc_build *b, const struct conf_tc_filter *c, const char *name,
			 struct tc_filter *out)
{
	out->action = calloc(c->nactions + 1ul, sizeof(*out->action));
	if (!out->action)
		return tc_no_memory(b);
	for (; out->nactions < c->nactions; out->nactions++) {
		struct tc_action *a = &out->action[out->nactions];
		int rc = 0, port;

		a->conf = c->actions[out->nactions];
		if (a->conf.act == CONF_TC_POLICE)
			rc = build_policer(b, name, a, out->nactions);
		if (rc)
			return rc;
		if (a->conf.act != CONF_TC_MIRROR && a->conf.act != CONF_TC_REDIRECT)
			continue;
		port = b->c->port_of(b->c->arg, a->conf.dev);
		if (port < 0)
			return tc_refuse(b, "%s: there is no port \"%s\"", name, a->conf.dev);
		a->port = (uint16_t)port;
	}
	return 0;
}

static int build_class(struct tc_build *b, const struct conf_tc_filter *c, const char *name,
		       struct tc_filter *out)
{
	const struct tc_class *class;

	out->class = TC_NONE;
	out->classid = c->classid;
	out->ends = c->parent == CONF_INGRESS;
	if (out->ends)
		return 0;
	if (c->hash.keys && (!c->hash.divisor || c->hash.divisor > TC_DIVISOR_MAX))
		return tc_refuse(b, "%s: hash: divisor: 1 .. %u", name, TC_DIVISOR_MAX);
	out->hash = c->hash;
	if (!c->classid)
		return 0;
	class = tc_class_find(b->f, c->classid);
	if (!class || (!class->inner && class->cls == QCLASS_NONE))
		return tc_refuse(b, "%s: there is no class %x:%x", name, c->classid >> 16,
				 CONF_MINOR(c->classid));
	out->class = (uint32_t)(class - b->f->class);
	return 0;
}

static int build_filter(struct tc_build *b, const struct conf_tc_filter *c, const char *name,
			struct tc_filter *out)
{
	int rc = build_frame(b, c, name, out);

	if (!rc)
		rc = build_actions(b, c, name, out);
	if (!rc)
		rc = build_class(b, c, name, out);
	if (rc)
		return rc;
	out->line = c->line;
	out->parent = c->parent;
	out->priority = c->priority;
	out->file = strdup(c->file);
	out->match = tc_match_text(&c->match, &c->frame);
	out->does = tc_action_text(c);
	return out->file && out->match && out->does ? 0 : tc_no_memory(b);
}

/* ---- a list */

static bool has_rates(const struct conf_match *m)
{
	return m->rate.used || m->connections_over;
}

/* May it hold for a frame that is not IP? */
static bool any_type(const struct conf_tc_filter *c)
{
	const struct conf_match *m = &c->match;

	if (m->from.set[0] || m->from.nranges || m->to.set[0] || m->to.nranges || m->family ||
	    m->nprotos || m->sport.set[0] || m->sport.nranges || m->dport.set[0] ||
	    m->dport.nranges || m->flags_mask || m->nicmp || m->dscp || m->ct || m->status ||
	    m->length_max || m->ttl_max || m->fragment || has_rates(m) || m->lookup.set[0])
		return false;
	return tc_frame_any_type(&c->frame);
}

/* One of all that the sort names; without the rates that only frames that match may count for. */
static int build_matcher(struct tc_build *b, const struct conf_tc_filter *const *filter,
			 struct tc_sort *s)
{
	struct naming names = { .b = b, .filter = filter, .place = s->place };
	const struct conf_match **rule = calloc(s->n + 1ul, sizeof(*rule));
	struct conf_match *own = calloc(s->n + 1ul, sizeof(*own));
	int rc;

	if (!rule || !own) {
		rc = tc_no_memory(b);
		goto out;
	}
	for (unsigned i = 0; i < s->n; i++) {
		const struct conf_tc_filter *c = filter[s->place ? s->place[i] : i];

		rule[i] = &own[i];
		own[i] = c->match;
		if (tc_frame_any(&c->frame)) {
			own[i].rate.used = false;
			own[i].connections_over = 0;
		}
	}
	rc = matcher_build(&b->c->match, rule, s->n, rule_name, &names, &s->matcher, b->why,
			   b->size);
out:
	free(rule);
	free(own);
	return rc;
}

/* Of filters of frames that have rates: the whole match, for when the frame holds. */
static int build_rates(struct tc_build *b, const struct conf_tc_filter *const *filter, unsigned i,
		       struct tc_filter *out)
{
	const struct conf_match *rule = &filter[i]->match;
	uint16_t place = (uint16_t)i;
	struct naming names = { .b = b, .filter = filter, .place = &place };

	if (!out->frame || !has_rates(rule))
		return 0;
	return matcher_build(&b->c->match, &rule, 1, rule_name, &names, &out->rates, b->why,
			     b->size);
}

static int build_other(struct tc_build *b, const struct conf_tc_filter *const *filter, unsigned n,
		       struct tc_sort *s)
{
	s->place = calloc(n + 1ul, sizeof(*s->place));
	if (!s->place)
		return tc_no_memory(b);
	for (unsigned i = 0; i < n; i++)
		if (any_type(filter[i]))
			s->place[s->n++] = (uint16_t)i;
	return build_matcher(b, filter, s);
}

/* n filters, in the order they are asked. */
int tc_build_list(struct tc_build *b, const struct conf_tc_filter *const *filter, unsigned n)
{
	struct tc_filters *f = b->f;
	struct tc_list *l = &f->list[f->nlists++];
	int rc = 0;

	*l = (struct tc_list){ .first = f->nfilters, .n = n, .ip.n = n };
	for (unsigned i = 0; i < n && !rc; i++) {
		struct tc_filter *out = &f->filter[f->nfilters++];

		rc = build_filter(b, filter[i], filter_name(b, filter, i), out);
		if (!rc)
			rc = build_rates(b, filter, i, out);
	}
	if (!rc)
		rc = build_matcher(b, filter, &l->ip);
	return rc ? rc : build_other(b, filter, n, &l->other);
}

/* ---- the end */

void tc_filter_fini(struct tc_filter *filter)
{
	if (filter->frame)
		free(filter->frame->bpf);
	free(filter->frame);
	matcher_destroy(filter->rates);
	free(filter->action);
	free(filter->name);
	free(filter->file);
	free(filter->match);
	free(filter->does);
}

void tc_list_fini(struct tc_list *l)
{
	matcher_destroy(l->ip.matcher);
	matcher_destroy(l->other.matcher);
	free(l->other.place);
}
