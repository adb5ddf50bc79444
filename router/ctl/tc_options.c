// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See tc_options.h. One function a kind; words, their order and what is left out while it is
 * unset are tc's. What tc shows only with -d, or never, comes when the words need not be exactly
 * its own.
 */
#include "router/ctl/tc_options.h"

#include <inttypes.h>
#include <string.h>

/* ---- figures */

void tc_figures_of_qdisc(const struct qdisc *q, struct tc_figures *out)
{
	out->n = q->ops->values ? q->ops->values(q, out->value) : 0;
}

void tc_figures_of_class(const struct qclass *cl, struct tc_figures *out)
{
	const struct qdisc_ops *ops = cl->qdisc->ops;

	out->n = ops->class_values ? ops->class_values(cl, out->value) : 0;
}

int64_t tc_figure(const struct tc_figures *f, const char *name)
{
	for (unsigned i = 0; i < f->n; i++)
		if (strcmp(f->value[i].name, name) == 0)
			return f->value[i].value;
	return 0;
}

/* ---- options */

static uint32_t or_frame(uint32_t quantum, uint32_t mtu)
{
	return quantum ? quantum : mtu + ETH_HLEN;
}

static void words_size(struct tc_words *w, const struct conf_size *s)
{
	if (s->overhead)
		tc_word_number(w, "overhead", s->overhead, "");
	if (s->mpu && !w->exact)
		tc_word_size(w, "mpu", s->mpu);
	if (s->linklayer == CONF_LINKLAYER_ATM)
		tc_word_text(w, "linklayer", "atm");
}

static void words_burst(struct tc_words *w, const char *key, uint64_t rate, uint64_t burst)
{
	tc_word_size(w, key, w->exact ? tc_burst(rate, burst) : burst);
}

static uint64_t default_bytes(uint32_t mtu)
{
	return 1000ull * (mtu + ETH_HLEN);
}

static void words_fifo(struct tc_words *w, const struct conf_qdisc *c, uint32_t mtu)
{
	if (c->kind == CONF_QDISC_BFIFO)
		tc_word_size(w, "limit", c->fifo.limit ? c->fifo.limit : default_bytes(mtu));
	else
		tc_word_number(w, "limit", c->fifo.limit ? c->fifo.limit : 1000, "p");
}

static void words_bands(struct tc_words *w, unsigned bands, const uint8_t priomap[16])
{
	json_t *map = json_array();

	tc_word_number(w, "bands", bands, "");
	tc_word(w, "priomap");
	for (unsigned i = 0; i < 16; i++) {
		fprintf(w->text, " %u", priomap[i]);
		json_array_append_new(map, json_integer(priomap[i]));
	}
	if (w->json)
		json_object_set(w->json, "priomap", map);
	json_decref(map);
}

static void words_pfifo_fast(struct tc_words *w, const struct conf_qdisc *c)
{
	static const uint8_t linux_map[16] = { 1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 };

	words_bands(w, 3, linux_map);
	if (!w->exact)
		tc_word_number(w, "limit", c->fifo.limit ? c->fifo.limit : 1000, "p");
}

/* The longest that a packet may wait for tokens, in us; less than 0: limit is below burst. */
static double latency(uint64_t limit, uint64_t rate, uint64_t burst)
{
	return 1e6 * ((double)limit / (double)rate) - (double)tc_burst_us(rate, burst);
}

static void words_tbf(struct tc_words *w, const struct conf_tbf *c)
{
	double lat = latency(c->limit, c->rate, c->burst);

	tc_word_rate(w, "rate", c->rate);
	words_burst(w, "burst", c->rate, c->burst);
	if (c->peakrate) {
		double peak = latency(c->limit, c->peakrate, c->mtu);

		tc_word_rate(w, "peakrate", c->peakrate);
		words_burst(w, "minburst", c->peakrate, c->mtu);
		lat = peak > lat ? peak : lat;
	}
	if (lat >= 0)
		tc_word_time(w, "lat", (uint64_t)lat);
	if (lat < 0 || !w->exact)
		tc_word_size(w, "limit", c->limit);
	words_size(w, &c->size);
}

static void words_htb(struct tc_words *w, const struct conf_htb *c, const struct tc_figures *f)
{
	char buf[TC_STRLEN];

	snprintf(buf, sizeof(buf), "%#x", c->default_minor);
	tc_word_number(w, "r2q", c->r2q, "");
	tc_word_text(w, "default", buf);
	if (w->exact)
		tc_word_number(w, "direct_packets_stat", tc_figure(f, "direct_packets_stat"), "");
	tc_word_number(w, "direct_qlen", c->direct_limit, "");
	if (!w->exact)
		words_size(w, &c->size);
}

static void words_sfq(struct tc_words *w, const struct conf_sfq *c, uint32_t mtu)
{
	tc_word_number(w, "limit", c->limit, "p");
	tc_word_size(w, "quantum", or_frame(c->quantum, mtu));
	tc_word_number(w, "depth", c->depth, "");
	if (!w->exact)
		tc_word_number(w, "flows", c->flows, "");
	tc_word_number(w, "divisor", c->divisor, "");
	if (c->perturb)
		tc_word_number(w, "perturb", (int64_t)(c->perturb / 1000000000), "sec");
}

/* What the file leaves out is as tc chooses it; the limit is then that of a bfifo. */
static void words_red(struct tc_words *w, const struct conf_red *c, uint32_t mtu)
{
	uint64_t max = c->max ? c->max : c->min ? 3 * c->min : c->limit / 4;

	tc_word_size(w, "limit", c->limit ? c->limit : default_bytes(mtu));
	tc_word_size(w, "min", c->min ? c->min : max / 3);
	tc_word_size(w, "max", max);
	tc_word_flag(w, "ecn", c->ecn);
	tc_word_flag(w, "harddrop", c->harddrop);
	tc_word_flag(w, "adaptive", c->adaptive);
	tc_word_flag(w, "nodrop", c->nodrop);
	if (w->exact)
		return;
	tc_word_share(w, "probability", c->probability);
	tc_word_number(w, "avpkt", c->avpkt, "");
	tc_word_rate(w, "bandwidth", c->bandwidth);
}

static void words_codel_time(struct tc_words *w, const char *key, uint64_t ns)
{
	tc_word_time(w, key, w->exact ? tc_codel_us(ns) : ns / 1000);
}

static void words_codel(struct tc_words *w, const struct conf_codel *c)
{
	tc_word_number(w, "limit", c->limit, "p");
	words_codel_time(w, "target", c->target);
	if (c->ce_threshold != UINT64_MAX)
		words_codel_time(w, "ce_threshold", c->ce_threshold);
	words_codel_time(w, "interval", c->interval);
	tc_word_flag(w, "ecn", c->ecn);
}

static void words_fq_codel(struct tc_words *w, const struct conf_fq_codel *c, uint32_t mtu)
{
	tc_word_number(w, "limit", c->limit, "p");
	tc_word_number(w, "flows", c->flows, "");
	tc_word_number(w, "quantum", or_frame(c->quantum, mtu), "");
	words_codel_time(w, "target", c->target);
	if (c->ce_threshold != UINT64_MAX)
		words_codel_time(w, "ce_threshold", c->ce_threshold);
	words_codel_time(w, "interval", c->interval);
	tc_word_size(w, "memory_limit", c->memory_limit);
	tc_word_flag(w, "ecn", c->ecn);
	tc_word_number(w, "drop_batch", c->drop_batch, "");
}

/* ---- netem */

static void words_share(struct tc_words *w, const char *name, const char *key, uint32_t share,
			uint32_t correlation)
{
	struct tc_words o;

	if (!share)
		return;
	o = tc_word_begin(w, name);
	tc_word_share(&o, key, share);
	if (correlation)
		tc_word_share(&o, NULL, correlation);
	tc_word_end(w, &o);
}

static void words_delay(struct tc_words *w, const struct conf_netem *c)
{
	static const char *const names[] = {
		[CONF_DIST_UNIFORM] = "uniform",
		[CONF_DIST_NORMAL] = "normal",
		[CONF_DIST_PARETO] = "pareto",
		[CONF_DIST_PARETONORMAL] = "paretonormal",
	};
	struct tc_words o;

	if (!c->delay && !c->jitter)
		return;
	o = tc_word_begin(w, "delay");
	tc_word_time(&o, "delay", c->delay / 1000);
	if (c->jitter) {
		char buf[TC_STRLEN];

		fputs("  ", w->text); /* two blanks are tc's */
		fputs(tc_time(c->jitter / 1000, buf), w->text);
		if (o.json)
			json_object_set_new(o.json, "jitter",
					    json_integer((json_int_t)(c->jitter / 1000)));
		if (c->delay_correlation)
			tc_word_share(&o, NULL, c->delay_correlation);
	}
	if (!w->exact && c->jitter && c->distribution != CONF_DIST_UNIFORM)
		tc_word_text(&o, "distribution", names[c->distribution]);
	tc_word_end(w, &o);
}

static void words_loss(struct tc_words *w, const struct conf_netem *c)
{
	static const char *const state[] = { "p13", "p31", "p32", "p23", "p14" };
	static const char *const gilbert[] = { "p", "r", "1-h", "1-k" };
	bool is_state = c->loss_model == CONF_LOSS_STATE;
	struct tc_words o;

	if (c->loss_model == CONF_LOSS_RANDOM) {
		words_share(w, "loss-random", "loss", c->loss, c->loss_correlation);
		return;
	}
	o = tc_word_begin(w, is_state ? "loss-state" : "loss-gemodel");
	tc_word(&o, is_state ? "loss state" : "loss gemodel");
	for (unsigned i = 0; i < (is_state ? 5 : 4); i++)
		tc_word_share(&o, is_state ? state[i] : gilbert[i],
			      is_state ? c->state[i] : c->gemodel[i]);
	tc_word_end(w, &o);
}

static void words_number_if(struct tc_words *w, const char *key, int64_t n)
{
	if (n)
		tc_word_number(w, key, n, "");
}

static void words_netem_rate(struct tc_words *w, const struct conf_netem *c)
{
	struct tc_words o;

	if (!c->rate)
		return;
	o = tc_word_begin(w, "rate");
	tc_word_rate(&o, "rate", c->rate);
	words_number_if(&o, "packetoverhead", c->packet_overhead);
	words_number_if(&o, "cellsize", c->cell_size);
	words_number_if(&o, "celloverhead", c->cell_overhead);
	tc_word_end(w, &o);
}

static void words_slot(struct tc_words *w, const struct conf_netem *c)
{
	struct tc_words o;
	char buf[TC_STRLEN];

	if (!c->slot_min && !c->slot_max)
		return;
	o = tc_word_begin(w, "slot");
	tc_word_time(&o, "slot", c->slot_min / 1000);
	tc_word(&o, tc_time(c->slot_max / 1000, buf));
	if (o.json)
		json_object_set_new(o.json, "max", json_integer((json_int_t)(c->slot_max / 1000)));
	words_number_if(&o, "packets", c->slot_packets);
	words_number_if(&o, "bytes", c->slot_bytes);
	tc_word_end(w, &o);
}

static void words_netem(struct tc_words *w, const struct conf_netem *c)
{
	tc_word_number(w, "limit", c->limit, "");
	words_delay(w, c);
	words_loss(w, c);
	words_share(w, "duplicate", "duplicate", c->duplicate, c->duplicate_correlation);
	words_share(w, "reorder", "reorder", c->reorder, c->reorder_correlation);
	words_share(w, "corrupt", "corrupt", c->corrupt, c->corrupt_correlation);
	words_netem_rate(w, c);
	words_slot(w, c);
	tc_word_flag(w, "ecn", c->ecn);
	if (c->ecn && w->exact)
		fputc(' ', w->text);
	words_number_if(w, "gap", c->reorder && !c->gap ? 1 : c->gap);
	if (c->seed && !w->exact)
		tc_word_number(w, "seed", (int64_t)c->seed, "");
}

/* ---- by kind */

void tc_options_qdisc(struct tc_words *w, const struct conf_qdisc *c, const struct tc_figures *f,
		      uint32_t mtu)
{
	switch (c->kind) {
	case CONF_QDISC_PFIFO:
	case CONF_QDISC_BFIFO: words_fifo(w, c, mtu); break;
	case CONF_QDISC_PFIFO_FAST: words_pfifo_fast(w, c); break;
	case CONF_QDISC_TBF: words_tbf(w, &c->tbf); break;
	case CONF_QDISC_PRIO: words_bands(w, c->prio.bands, c->prio.priomap); break;
	case CONF_QDISC_HTB: words_htb(w, &c->htb, f); break;
	case CONF_QDISC_SFQ: words_sfq(w, &c->sfq, mtu); break;
	case CONF_QDISC_RED: words_red(w, &c->red, mtu); break;
	case CONF_QDISC_CODEL: words_codel(w, &c->codel); break;
	case CONF_QDISC_FQ_CODEL: words_fq_codel(w, &c->fq_codel, mtu); break;
	case CONF_QDISC_NETEM: words_netem(w, &c->netem); break;
	case CONF_QDISC_NOQUEUE:
	case CONF_QDISC_KINDS: break;
	}
}

bool tc_options_blank(enum conf_qdisc_kind kind)
{
	return kind == CONF_QDISC_TBF || kind == CONF_QDISC_SFQ || kind == CONF_QDISC_RED ||
	       kind == CONF_QDISC_CODEL || kind == CONF_QDISC_FQ_CODEL;
}

void tc_options_class(struct tc_words *w, const struct conf_class *c, const struct conf_htb *htb,
		      bool inner)
{
	if (!inner)
		tc_word_number(w, "prio", c->prio, "");
	tc_word_rate(w, "rate", c->rate);
	if (w->exact && htb->size.overhead)
		tc_word_number(w, "overhead", htb->size.overhead, "");
	tc_word_rate(w, "ceil", c->ceil);
	if (w->exact && htb->size.linklayer == CONF_LINKLAYER_ATM)
		tc_word_text(w, "linklayer", "atm");
	words_burst(w, "burst", c->rate, c->burst);
	words_burst(w, "cburst", c->ceil, c->cburst);
	if (!w->exact && c->quantum)
		tc_word_number(w, "quantum", c->quantum, "");
}

/* ---- figures, as tc prints them */

static void xstats_codel(FILE *out, const struct tc_figures *f)
{
	int64_t next = tc_figure(f, "drop_next") / 1000;
	char ldelay[TC_STRLEN], when[TC_STRLEN];

	fprintf(out, "  count %" PRId64 " lastcount %" PRId64 " ldelay %s%s drop_next %s%s\n",
		tc_figure(f, "count"), tc_figure(f, "lastcount"),
		tc_time((uint64_t)tc_figure(f, "ldelay") / 1000, ldelay),
		tc_figure(f, "dropping") ? " dropping" : "", next < 0 ? "-" : "",
		tc_time((uint64_t)(next < 0 ? -next : next), when));
	fprintf(out, "  maxpacket %" PRId64 " ecn_mark %" PRId64 " drop_overlimit %" PRId64,
		tc_figure(f, "maxpacket"), tc_figure(f, "ecn_mark"),
		tc_figure(f, "drop_overlimit"));
	if (tc_figure(f, "ce_mark"))
		fprintf(out, " ce_mark %" PRId64, tc_figure(f, "ce_mark"));
	fputc('\n', out);
}

static void xstats_fq_codel(FILE *out, const struct tc_figures *f)
{
	static const char *const always[] = { "maxpacket", "drop_overlimit", "new_flow_count",
					      "ecn_mark" };
	static const char *const if_any[] = { "ce_mark", "memory_used", "drop_overmemory" };

	for (unsigned i = 0; i < 4; i++)
		fprintf(out, "%s %s %" PRId64, i ? "" : " ", always[i], tc_figure(f, always[i]));
	for (unsigned i = 0; i < 3; i++)
		if (tc_figure(f, if_any[i]))
			fprintf(out, " %s %" PRId64, if_any[i], tc_figure(f, if_any[i]));
	fprintf(out, "\n  new_flows_len %" PRId64 " old_flows_len %" PRId64 "\n",
		tc_figure(f, "new_flows_len"), tc_figure(f, "old_flows_len"));
}

void tc_xstats_qdisc(FILE *out, enum conf_qdisc_kind kind, const struct tc_figures *f)
{
	if (kind == CONF_QDISC_CODEL)
		xstats_codel(out, f);
	else if (kind == CONF_QDISC_FQ_CODEL)
		xstats_fq_codel(out, f);
	else if (kind == CONF_QDISC_RED)
		fprintf(out,
			"  marked %" PRId64 " early %" PRId64 " pdrop %" PRId64 " other %" PRId64
			" \n",
			tc_figure(f, "marked"), tc_figure(f, "early"), tc_figure(f, "pdrop"),
			tc_figure(f, "other"));
}

/* tc has them in 32 bits. */
static int64_t tokens(const struct tc_figures *f, const char *name)
{
	int64_t ticks = tc_figure(f, name);

	return ticks < INT32_MIN ? INT32_MIN : ticks > INT32_MAX ? INT32_MAX : ticks;
}

void tc_xstats_class(FILE *out, enum conf_qdisc_kind kind, const struct tc_figures *f)
{
	if (kind != CONF_QDISC_HTB)
		return;
	fprintf(out, " lended: %" PRId64 " borrowed: %" PRId64 " giants: %" PRId64 "\n",
		tc_figure(f, "lended"), tc_figure(f, "borrowed"), tc_figure(f, "giants"));
	fprintf(out, " tokens: %" PRId64 " ctokens: %" PRId64 "\n\n", tokens(f, "tokens"),
		tokens(f, "ctokens"));
}
