// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Classes: rates, bursts and levels of htb's; of the other qdiscs' classes, which are just there,
 * whether they are. A burst that the file leaves out is filled in here.
 */
#include <errno.h>
#include <stdlib.h>

#include "config/check_qos.h"
#include "config/value_parts.h"

enum {
	HTB_LEVELS = 8,	    /* TC_HTB_MAXDEPTH */
	QUANTUM_MIN = 1000, /* what Linux keeps a computed quantum between */
	QUANTUM_MAX = 200000,
};

static const char *rate_text(uint64_t rate, char buf[VALUE_TEXT_MAX])
{
	static const struct schema_row row = { .type = SCHEMA_BITRATE, .size = sizeof(rate) };

	return value_format(&row, &rate, buf);
}

static void check_burst(struct check_tree *x, const struct conf_class *c, uint64_t *burst,
			uint64_t rate)
{
	if (!*burst)
		*burst = conf_usual_burst(rate);
	else if (*burst < x->frame)
		check_tc_warning(x->k, burst, &c->line,
				 "%llu bytes are less than a full frame of %u: each of these "
				 "makes the class wait longer",
				 (unsigned long long)*burst, x->frame);
}

static void check_rates(struct check_tree *x, struct conf_class *c)
{
	char rate[VALUE_TEXT_MAX], ceil[VALUE_TEXT_MAX];

	if (!c->rate) {
		if (!check_tc_given(x->k, &c->line, "rate"))
			check_tc_error(x->k, NULL, &c->line, "\"rate\" is missing");
		return;
	}
	if (!c->ceil)
		c->ceil = c->rate;
	if (c->ceil < c->rate)
		check_tc_error(x->k, &c->ceil, &c->line, "%s is less than rate, %s",
			       rate_text(c->ceil, ceil), rate_text(c->rate, rate));
	check_burst(x, c, &c->burst, c->rate);
	check_burst(x, c, &c->cburst, c->ceil);
	if (c->quantum && c->quantum < QUANTUM_MIN)
		check_tc_warning(x->k, &c->quantum, &c->line,
				 "%u bytes are little: a full frame of %u takes several turns",
				 c->quantum, x->frame);
	else if (c->quantum > QUANTUM_MAX)
		check_tc_warning(x->k, &c->quantum, &c->line,
				 "%u bytes are much: the other classes wait for %llu us at %s",
				 c->quantum, c->quantum * 1000000ull / c->ceil,
				 rate_text(c->ceil, ceil));
}

static void check_htb_class(struct check_tree *x, unsigned index)
{
	struct conf_class *c = &x->t->classes[index];
	int leaf = x->leaf[index];

	check_rates(x, c);
	if (x->class_depth[index] == HTB_LEVELS + 1)
		check_tc_error(x->k, NULL, &c->line, "more than %d levels of classes", HTB_LEVELS);
	if (x->children[index] && leaf != CHECK_NONE)
		check_tc_error(x->k, NULL, &x->t->qdiscs[leaf].line,
			       "class %s has classes below it, and only those hold packets",
			       c->name);
}

/* A name for a class that its qdisc just has. */
static void check_given_class(struct check_tree *x, unsigned index, const struct conf_qdisc *q)
{
	static const char *const htb_only[] = {
		"rate", "ceil", "burst", "cburst", "quantum", "prio"
	};
	const struct conf_class *c = &x->t->classes[index];
	const char *kind = conf_qdisc_names[q->kind];
	unsigned last = q->kind == CONF_QDISC_PRIO ? q->prio.bands : 1;

	for (unsigned i = 0; i < sizeof(htb_only) / sizeof(htb_only[0]); i++)
		if (check_tc_given(x->k, &c->line, htb_only[i]))
			check_tc_error(x->k, NULL, &c->line,
				       "%s: only classes of htb have one, not those of %s",
				       htb_only[i], kind);
	if (x->above_class[index] != CHECK_NONE)
		check_tc_error(x->k, c->parent_name, &c->line, "a class of %s has no classes",
			       kind);
	else if (CONF_MINOR(c->handle) > last)
		check_tc_error(x->k, &c->handle, &c->line, "the last class of this %s is %x:%x",
			       kind, q->handle >> 16, last);
}

void check_class(struct check_tree *x, unsigned index)
{
	const struct conf_class *c = &x->t->classes[index];
	const struct conf_qdisc *q = check_qdisc_of(x, c->handle);

	if (!q)
		return;
	switch (q->kind) {
	case CONF_QDISC_HTB: check_htb_class(x, index); break;
	case CONF_QDISC_PRIO:
	case CONF_QDISC_TBF:
	case CONF_QDISC_RED:
	case CONF_QDISC_NETEM: check_given_class(x, index, q); break;
	default:
		check_tc_error(x->k, c->parent_name, &c->line, "%s has no classes",
			       conf_qdisc_names[q->kind]);
	}
}

/* Rates that are promised below a class must come from its own. */
void check_class_sums(struct check_tree *x, uint64_t *sums)
{
	char sum[VALUE_TEXT_MAX], rate[VALUE_TEXT_MAX];

	for (unsigned i = 0; i < x->t->nclasses; i++)
		if (x->above_class[i] != CHECK_NONE)
			sums[x->above_class[i]] += x->t->classes[i].rate;
	for (unsigned i = 0; i < x->t->nclasses; i++) {
		const struct conf_class *c = &x->t->classes[i];
		if (!c->rate || sums[i] <= c->rate)
			continue;
		check_tc_warning(x->k, &c->rate, &c->line,
				 "the classes below are promised %s, but it has %s",
				 rate_text(sums[i], sum), rate_text(c->rate, rate));
	}
}

/* ---- quanta that follow from rates, but only between bounds */

struct quanta {
	uint64_t low, high; /* rates of some leaves */
	unsigned n;
};
enum { BELOW, ABOVE, ANY, KINDS }; /* their bound */

static void quanta_add(struct quanta *q, uint64_t rate)
{
	q->low = q->n && q->low < rate ? q->low : rate;
	q->high = q->high > rate ? q->high : rate;
	q->n++;
}

/* Leaves of different rates get the same quantum then, and share what others leave equally. */
static void warn_quanta(struct check_tree *x, const struct conf_qdisc *q, const struct quanta *sums,
			bool large)
{
	const struct quanta *s = &sums[large ? ABOVE : BELOW], *all = &sums[ANY];

	if (s->n < 2 || s->low == s->high)
		return;
	uint64_t r2q = large ? all->high / QUANTUM_MAX + 1 : all->low / QUANTUM_MIN;
	bool fits = r2q && all->low / r2q >= QUANTUM_MIN && all->high / r2q <= QUANTUM_MAX;
	check_tc_warning(x->k, &q->htb.r2q, &q->line,
			 "rate / r2q of %u leaves is %s %u bytes, which is their quantum then: "
			 "they share equally what others leave",
			 s->n, large ? "over" : "under", large ? QUANTUM_MAX : QUANTUM_MIN);
	if (fits)
		report_help(x->k->report, "write r2q: %llu, or a quantum for each",
			    (unsigned long long)r2q);
	else
		report_help(x->k->report, "write a quantum for each");
}

int check_class_quanta(struct check_tree *x)
{
	struct quanta(*sums)[KINDS] = calloc(x->t->nqdiscs, sizeof(*sums));

	if (!sums)
		return -ENOMEM;
	for (unsigned i = 0; i < x->t->nclasses; i++) {
		const struct conf_class *c = &x->t->classes[i];
		const struct conf_qdisc *q = check_qdisc_of(x, c->handle);
		if (!q || q->kind != CONF_QDISC_HTB || c->quantum || !c->rate || x->children[i])
			continue;
		struct quanta *of = sums[q - x->t->qdiscs];
		quanta_add(&of[ANY], c->rate);
		if (c->rate / q->htb.r2q > QUANTUM_MAX)
			quanta_add(&of[ABOVE], c->rate);
		else if (c->rate / q->htb.r2q < QUANTUM_MIN)
			quanta_add(&of[BELOW], c->rate);
	}
	for (unsigned i = 0; i < x->t->nqdiscs; i++) {
		warn_quanta(x, &x->t->qdiscs[i], sums[i], false);
		warn_quanta(x, &x->t->qdiscs[i], sums[i], true);
	}
	free(sums);
	return 0;
}
