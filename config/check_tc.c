// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Filters of shaping: the classes they name, what their actions need, and policers, of which those
 * with one name are one bucket.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/check_qos.h"
#include "config/value.h"

/* ---- policers */

static bool two_buckets(const struct conf_police *p)
{
	return p->excess || p->peakburst;
}

static void check_buckets(struct check *k, const struct conf_police *p, const unsigned *line)
{
	if (p->peakburst && !p->peakrate)
		check_tc_error(k, &p->peakburst, line, "has no meaning without peakrate");
	if (p->peakrate && p->peakrate <= p->rate)
		check_tc_error(k, &p->peakrate, line, "is not above rate");
	if (p->excess && p->peakrate)
		check_tc_error(k, &p->excess, line,
			       "is srTCM's, and peakrate trTCM's; give one of them");
	if (p->packet_rate && (p->peakrate || p->excess))
		check_tc_error(k, &p->packet_rate, line, "packets are counted by one bucket only");
	if (two_buckets(p))
		return;
	if (p->color_aware)
		check_tc_error(k, &p->color_aware, line,
			       "has no meaning without excess or peakburst");
	if (p->violate != CONF_CONFORM_DROP)
		check_tc_error(k, &p->violate, line,
			       "has no meaning without excess or peakburst: what does not conform "
			       "exceeds");
}

/* What is longer than mtu exceeds, whatever else there is: that is enough for a policer. */
static bool lacks_rate(const struct conf_police *p)
{
	return !p->rate && !p->packet_rate && (!p->mtu || p->peakrate || p->excess);
}

static void check_police(struct check *k, struct conf_police *p, const unsigned *line,
			 unsigned frame)
{
	if (p->rate && p->packet_rate)
		check_tc_error(k, &p->packet_rate, line, "not beside rate");
	else if (lacks_rate(p))
		check_tc_error(k, p->name, line, "a policer needs rate, packet-rate or mtu");
	if (p->rate && !p->burst)
		check_tc_error(k, &p->rate, line, "needs a burst");
	else if (p->burst && !p->rate && !p->packet_rate)
		check_tc_error(k, &p->burst, line, "has no meaning without rate");
	if (p->packet_rate && !p->packet_burst)
		check_tc_error(k, &p->packet_rate, line, "needs a packet-burst");
	if (p->rate && p->burst && p->burst < frame)
		check_tc_warning(k, &p->burst, line,
				 "%llu bytes are less than a full frame of %u: these never conform",
				 (unsigned long long)p->burst, frame);
	if (p->peakrate && !p->peakburst && !p->mtu)
		p->mtu = frame;
	check_buckets(k, p, line);
}

/* ---- policers with one name */

struct named_police {
	struct conf_police *police;
	const unsigned *line;
	unsigned order;
};

struct named_list {
	struct named_police *list; /* NULL: only count */
	unsigned n;
};

static void collect(struct named_list *l, struct conf_tc_filter *filters, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; j < filters[i].nactions; j++) {
			struct conf_tc_action *a = &filters[i].actions[j];
			if (a->act != CONF_TC_POLICE || !a->police.name[0])
				continue;
			if (l->list)
				l->list[l->n] =
					(struct named_police){ &a->police, &filters[i].line, l->n };
			l->n++;
		}
	}
}

static void collect_all(struct named_list *l, struct conf *c)
{
	l->n = 0;
	for (unsigned i = 0; i < c->nqos; i++) {
		collect(l, c->qos[i].egress.filters, c->qos[i].egress.nfilters);
		collect(l, c->qos[i].ifb.filters, c->qos[i].ifb.nfilters);
		collect(l, c->qos[i].ingress, c->qos[i].ningress);
	}
}

/* `police: {name: shared}`: all but the name is as it is by default. */
static bool only_named(const struct conf_police *p)
{
	struct conf_police bare;

	memset(&bare, 0, sizeof(bare));
	strcpy(bare.name, p->name);
	bare.exceed = bare.violate = CONF_CONFORM_DROP;
	return !memcmp(&bare, p, sizeof(bare));
}

/* By name; of these, those that say what the bucket is first. */
static int compare_named(const void *a, const void *b)
{
	const struct named_police *x = a, *y = b;
	int order = strcmp(x->police->name, y->police->name);

	if (order)
		return order;
	if (only_named(x->police) != only_named(y->police))
		return only_named(x->police) - only_named(y->police);
	return (x->order > y->order) - (x->order < y->order);
}

/* One bucket is described once; who only names it gets all of the description. */
static void join_named(struct check *k, const struct named_police *first,
		       const struct named_police *p)
{
	char line[YAML_PATH_MAX];

	if (only_named(p->police)) {
		*p->police = *first->police;
		return;
	}
	if (!memcmp(p->police, first->police, sizeof(*p->police)))
		return;
	struct mark at = check_place(k, p->police->name, p->line);
	check_tc_error(k, p->police->name, p->line,
		       "%s is described otherwise at %s, but is one bucket", p->police->name,
		       check_line(k, check_place(k, first->police->name, first->line), at, line));
	report_help(k->report, "describe it once, and write police: {name: %s} elsewhere",
		    p->police->name);
}

/* The bucket of peakrate holds a frame: of a shared one, the longest of any port. */
static void fill_shared_mtu(struct check *k, struct named_list *l)
{
	unsigned longest = 0;

	for (unsigned i = 0; i < k->c->nifaces; i++) {
		unsigned frame = check_frame(k, k->c->ifaces[i].name);
		longest = frame > longest ? frame : longest;
	}
	for (unsigned i = 0; i < l->n; i++) {
		struct conf_police *p = l->list[i].police;
		if (p->peakrate && !p->peakburst && !p->mtu)
			p->mtu = longest;
	}
}

int check_police_names(struct check *k, struct conf *c)
{
	struct named_list l = { 0 };

	collect_all(&l, c);
	if (l.n == 0)
		return 0;
	l.list = calloc(l.n, sizeof(*l.list));
	if (!l.list)
		return -ENOMEM;
	collect_all(&l, c);
	qsort(l.list, l.n, sizeof(*l.list), compare_named);
	for (unsigned i = 1, first = 0; i < l.n; i++) {
		if (strcmp(l.list[i].police->name, l.list[first].police->name))
			first = i;
		else
			join_named(k, &l.list[first], &l.list[i]);
	}
	fill_shared_mtu(k, &l);
	free(l.list);
	return 0;
}

/* ---- actions */

static void check_action(struct check *k, struct conf_tc_action *a, const unsigned *line,
			 const char *port)
{
	if (a->act == CONF_TC_POLICE)
		check_police(k, &a->police, line, check_frame(k, port));
	if (a->act != CONF_TC_MIRROR && a->act != CONF_TC_REDIRECT)
		return;
	if (check_iface_there(k, a->dev, line) && a->dev[0] && !strcmp(a->dev, port))
		check_tc_error(k, a->dev, line, "%s is the interface itself", a->dev);
}

/* ---- classes */

/* As in Linux; those of sfq and fq_codel have actions only, for flows are chosen by hash here. */
static bool has_filters(enum conf_qdisc_kind kind)
{
	return kind == CONF_QDISC_HTB || kind == CONF_QDISC_PRIO || kind == CONF_QDISC_SFQ ||
	       kind == CONF_QDISC_FQ_CODEL;
}

/* The qdisc that asks the filter; NULL: there is none that could, reported. */
static const struct conf_qdisc *asked_by(struct check_tree *x, struct conf_tc_filter *f)
{
	const struct conf_qdisc *root = &x->t->qdiscs[0], *q = root;
	char text[VALUE_HANDLE_MAX];
	uint32_t handle;

	if (f->parent_name[0]) {
		bool is_handle = value_handle(f->parent_name, &handle) == 0;
		q = is_handle && !CONF_MINOR(handle) ? check_qdisc_of(x, handle) : NULL;
		if (!q) {
			check_tc_error(x->k, f->parent_name, &f->line,
				       "there is no qdisc %s in this tree", f->parent_name);
			if (is_handle && CONF_MINOR(handle))
				report_help(x->k->report, "filters hang on qdiscs, like \"%x:\"",
					    handle >> 16);
			return NULL;
		}
	}
	f->parent = q->handle;
	strcpy(f->parent_name, q == root ? "" : value_handle_format(q->handle, text));
	if (has_filters(q->kind))
		return q;
	check_tc_error(x->k, f->parent_name, &f->line, "%s %s has no filters",
		       conf_qdisc_names[q->kind], value_handle_format(q->handle, text));
	report_help(x->k->report, "htb, prio, sfq and fq_codel have them, as in Linux");
	return NULL;
}

/* The handle of a class of q that a filter names; 0: there is none, reported. */
static uint32_t class_handle(struct check_tree *x, const struct conf_tc_filter *f,
			     const struct conf_qdisc *q, const char *name)
{
	int index = check_class_named(x, name);
	char text[VALUE_HANDLE_MAX];
	uint32_t handle = 0;

	if (index != CHECK_NONE)
		handle = x->t->classes[index].handle;
	else if (value_handle(name, &handle) < 0 || !CONF_MINOR(handle))
		handle = 0;
	bool is_band = handle && q->kind == CONF_QDISC_PRIO && CONF_MAJOR(handle) == q->handle &&
		       CONF_MINOR(handle) <= q->prio.bands;
	if (!handle || (check_class_of(x, handle) == CHECK_NONE && !is_band)) {
		check_tc_error(x->k, name, &f->line, "there is no class %s in this tree", name);
		check_suggest_class(x, name);
		return 0;
	}
	if (CONF_MAJOR(handle) != q->handle) {
		check_tc_error(x->k, name, &f->line, "%s is no class of %s, which asks this filter",
			       name, value_handle_format(q->handle, text));
		return 0;
	}
	return handle;
}

static void check_filter_class(struct check_tree *x, struct conf_tc_filter *f,
			       const struct conf_qdisc *q)
{
	f->classid = class_handle(x, f, q, f->class_name);
	if (!f->classid)
		return;
	int index = check_class_of(x, f->classid);
	if (index != CHECK_NONE && x->children[index])
		check_tc_warning(x->k, f->class_name, &f->line,
				 "%s is no leaf: its packets go where those of the default go",
				 f->class_name);
	check_class_label(x, f->classid, f->class_name);
}

/* How many of the classes base .. base + n - 1 are in the list. */
static unsigned classes_between(const struct check_tree *x, uint32_t base, unsigned n)
{
	unsigned low[2];

	for (unsigned end = 0; end < 2; end++) {
		unsigned from = 0, to = x->t->nclasses;
		while (from < to) {
			unsigned mid = from + (to - from) / 2;
			if (x->classes[mid].handle < base + (end ? n : 0))
				from = mid + 1;
			else
				to = mid;
		}
		low[end] = from;
	}
	return low[1] - low[0];
}

static void check_hash(struct check_tree *x, struct conf_tc_filter *f, const struct conf_qdisc *q)
{
	struct conf_hash_class *h = &f->hash;

	if (!h->divisor || !h->base_name[0]) /* reported */
		return;
	h->base = class_handle(x, f, q, h->base_name);
	if (!h->base)
		return;
	check_class_label(x, h->base, h->base_name);
	unsigned last = q->kind == CONF_QDISC_PRIO ? q->prio.bands : 0xffff;
	if (CONF_MINOR(h->base) + h->divisor - 1 > last) {
		check_tc_error(x->k, &h->divisor, &f->line,
			       "the last class would be %x:%x, but there are none behind %x:%x",
			       q->handle >> 16, CONF_MINOR(h->base) + h->divisor - 1,
			       q->handle >> 16, last);
		return;
	}
	unsigned there = classes_between(x, h->base, h->divisor);
	if (q->kind == CONF_QDISC_HTB && there < h->divisor)
		check_tc_warning(x->k, &h->divisor, &f->line,
				 "of these %u classes, %u are there; the others' packets go where "
				 "those of the default go",
				 h->divisor, there);
}

/* ---- filters */

/* What comes in has no class, and is not tracked yet. */
static void check_ingress(struct check *k, struct conf_tc_filter *f)
{
	static const char *const of_trees[] = { "parent", "class", "hash" };

	f->parent = CONF_INGRESS;
	for (unsigned i = 0; i < sizeof(of_trees) / sizeof(of_trees[0]); i++) {
		if (!check_tc_given(k, &f->line, of_trees[i]))
			continue;
		check_tc_error(k, NULL, &f->line, "%s: ingress has no classes", of_trees[i]);
		report_help(k->report, "to shape what comes in, write ifb: {root: ...}");
	}
	if (f->match.out.nnames || f->match.out.set[0])
		check_tc_error(k, &f->match.out, &f->line,
			       "where a packet leaves is not known when it comes in");
	if (f->match.ct || f->match.status)
		check_tc_warning(k, f->match.ct ? &f->match.ct : &f->match.status, &f->line,
				 "connection tracking has not seen the packet yet");
}

void check_tc_filter(struct check *k, struct check_tree *x, struct conf_tc_filter *f,
		     const char *port)
{
	bool has_class = check_tc_given(k, &f->line, "class");
	bool has_hash = check_tc_given(k, &f->line, "hash");
	const struct conf_qdisc *q = x ? asked_by(x, f) : NULL;

	check_match(k, &f->match, &f->line, CONF_HOOK_FORWARD);
	for (unsigned i = 0; i < f->nactions; i++)
		check_action(k, &f->actions[i], &f->line, port);
	if (!x)
		check_ingress(k, f);
	if (!has_class && !has_hash && !check_tc_given(k, &f->line, "action") && !f->nactions)
		check_tc_error(k, NULL, &f->line, "needs %s",
			       x ? "class, hash or action" : "action");
	if (has_class && has_hash)
		check_tc_error(k, &f->hash.keys, &f->line, "not beside class");
	if (q && f->class_name[0])
		check_filter_class(x, f, q);
	if (q && has_hash)
		check_hash(x, f, q);
}
