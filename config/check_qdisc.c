// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Options of qdiscs that do not go together: what tc or Linux would refuse, and what would drop or
 * hold packets for ever. Latency and the like become the numbers that Linux would compute of them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/check_qos.h"
#include "config/value.h"

static void __attribute__((format(printf, 4, 5)))
refuse(struct check_tree *x, const struct conf_qdisc *q, const void *field, const char *fmt, ...)
{
	char what[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	check_tc_error(x->k, field, &q->line, "%s", what);
}

/* ---- tbf */

static uint64_t bytes_in(uint64_t rate, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)rate * ns / 1000000000);
}

/* What may wait so long, by the bucket, and by that of peakrate if there is one. */
static void tbf_limit(struct conf_tbf *t)
{
	if (!t->latency)
		return;
	t->limit = bytes_in(t->rate, t->latency) + t->burst;
	if (t->peakrate) {
		uint64_t peak = bytes_in(t->peakrate, t->latency) + t->mtu;
		t->limit = peak < t->limit ? peak : t->limit;
	}
}

static void check_tbf(struct check_tree *x, struct conf_qdisc *q)
{
	struct conf_tbf *t = &q->tbf;

	if (!t->rate || !t->burst) /* reported */
		return;
	if (t->burst < x->frame) {
		refuse(x, q, &t->burst,
		       "%llu bytes are less than a full frame of %u, each of which would be "
		       "dropped",
		       (unsigned long long)t->burst, x->frame);
		report_help(x->k->report, "write %ub or more", x->frame);
	}
	if (t->peakrate && t->peakrate <= t->rate)
		refuse(x, q, &t->peakrate, "is not above rate");
	if (t->mtu && !t->peakrate)
		refuse(x, q, &t->mtu, "is the bucket of peakrate, which is not given");
	else if (t->mtu && t->mtu < x->frame)
		refuse(x, q, &t->mtu,
		       "%u is less than a full frame of %u, each of which would be dropped", t->mtu,
		       x->frame);
	if (t->peakrate && !t->mtu)
		t->mtu = x->frame;
	if (t->latency && t->limit)
		refuse(x, q, &t->latency, "not beside limit");
	else if (!t->latency && !t->limit)
		refuse(x, q, NULL, "tbf needs limit or latency");
	else if (t->limit && t->limit < x->frame)
		refuse(x, q, &t->limit, "no full frame of %u bytes has room", x->frame);
	tbf_limit(t);
}

/* ---- red */

static void check_red(struct check_tree *x, const struct conf_qdisc *q)
{
	const struct conf_red *r = &q->red;

	if (!r->min || !r->max)
		return;
	if (r->min >= r->max)
		refuse(x, q, &r->max, "is not above min");
	if (r->limit && r->limit <= r->max)
		refuse(x, q, &r->limit, "is not above max");
	if (r->burst && r->avpkt && r->burst < r->min / r->avpkt) {
		refuse(x, q, &r->burst, "%u packets are less than min / avpkt", r->burst);
		report_help(x->k->report, "write %llu or more",
			    (unsigned long long)(r->min / r->avpkt));
	}
	if (r->nodrop && !r->ecn)
		refuse(x, q, &r->nodrop, "has no meaning without ecn");
}

/* ---- netem */

static void need(struct check_tree *x, const struct conf_qdisc *q, const void *field, bool given,
		 bool there, const char *what)
{
	if (given && !there)
		refuse(x, q, field, "has no meaning without %s", what);
}

static void check_netem(struct check_tree *x, struct conf_qdisc *q)
{
	struct conf_netem *e = &q->netem;

	need(x, q, &e->jitter, e->jitter, e->delay, "delay");
	need(x, q, &e->delay_correlation, e->delay_correlation, e->jitter, "jitter");
	need(x, q, &e->distribution, e->distribution != CONF_DIST_UNIFORM, e->jitter, "jitter");
	if (e->gap && !e->reorder) /* as in Linux, each so manieth packet */
		e->reorder = UINT32_MAX;
	need(x, q, e->gap ? (void *)&e->gap : &e->reorder, e->reorder, e->delay, "delay");
	need(x, q, &e->reorder_correlation, e->reorder_correlation, e->reorder, "reorder");
	need(x, q, &e->duplicate_correlation, e->duplicate_correlation, e->duplicate, "duplicate");
	need(x, q, &e->corrupt_correlation, e->corrupt_correlation, e->corrupt, "corrupt");
	need(x, q, &e->ecn, e->ecn, e->loss || e->nstate || e->ngemodel, "loss");
	need(x, q, &e->packet_overhead, e->packet_overhead, e->rate, "rate");
	need(x, q, &e->cell_size, e->cell_size, e->rate, "rate");
	need(x, q, &e->cell_overhead, e->cell_overhead, e->cell_size, "cell-size");
	if (e->slot_max < e->slot_min)
		refuse(x, q, &e->slot_max, "is less than min");
}

/* ---- the others */

static void check_prio(struct check_tree *x, const struct conf_qdisc *q)
{
	for (unsigned i = 0; i < sizeof(q->prio.priomap); i++) {
		if (q->prio.priomap[i] < q->prio.bands)
			continue;
		refuse(x, q, q->prio.npriomap ? q->prio.priomap : NULL,
		       "priority %u goes to band %u, but the last is %u", i, q->prio.priomap[i],
		       q->prio.bands - 1);
		if (!q->prio.npriomap)
			report_help(x->k->report, "write a priomap of bands 0 to %u",
				    q->prio.bands - 1);
		return;
	}
}

/* The class of what no filter knows; a name must be there, a number need not, as in tc. */
static void check_default(struct check_tree *x, struct conf_qdisc *q)
{
	struct conf_htb *h = &q->htb;
	int index = check_class_named(x, h->default_class);
	char word[CONF_NAME + 8];
	uint32_t handle;

	if (!h->default_class[0])
		return;
	if (index != CHECK_NONE) {
		handle = x->t->classes[index].handle;
	} else if (value_handle(h->default_class, &handle) < 0) {
		snprintf(word, sizeof(word), "%x:%s", q->handle >> 16, h->default_class);
		if (value_handle(word, &handle) < 0) {
			refuse(x, q, h->default_class, "there is no class %s in this tree",
			       h->default_class);
			check_suggest_class(x, h->default_class);
			return;
		}
	}
	if (CONF_MAJOR(handle) != q->handle) {
		refuse(x, q, h->default_class, "%s is no class of this qdisc", h->default_class);
		return;
	}
	index = check_class_of(x, handle);
	if (CONF_MINOR(handle) && (index == CHECK_NONE || x->children[index]))
		check_tc_warning(x->k, h->default_class, &q->line,
				 "%s is %s: what no filter knows goes unshaped", h->default_class,
				 index == CHECK_NONE ? "no class of this qdisc" : "no leaf");
	h->default_minor = CONF_MINOR(handle);
	check_class_label(x, handle, h->default_class);
	if (!h->default_minor)
		h->default_class[0] = '\0';
}

void check_qdisc(struct check_tree *x, struct conf_qdisc *q)
{
	switch (q->kind) {
	case CONF_QDISC_TBF: check_tbf(x, q); break;
	case CONF_QDISC_RED: check_red(x, q); break;
	case CONF_QDISC_NETEM: check_netem(x, q); break;
	case CONF_QDISC_PRIO: check_prio(x, q); break;
	case CONF_QDISC_HTB: check_default(x, q); break;
	case CONF_QDISC_BFIFO:
		if (q->fifo.limit && q->fifo.limit < x->frame)
			refuse(x, q, &q->fifo.limit, "no full frame of %u bytes has room",
			       x->frame);
		break;
	case CONF_QDISC_FQ_CODEL:
		if (q->fq_codel.memory_limit < x->frame)
			refuse(x, q, &q->fq_codel.memory_limit,
			       "no full frame of %u bytes has room", x->frame);
		break;
	case CONF_QDISC_PFIFO:
	case CONF_QDISC_PFIFO_FAST:
	case CONF_QDISC_NOQUEUE:
	case CONF_QDISC_SFQ:
	case CONF_QDISC_CODEL:
	case CONF_QDISC_KINDS: break;
	}
}
