/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qos-*: cycles a packet takes through the pipeline, its class and a tree of htb with fq_codel
 * leaves, rings included. rate, htb-tree, rate-5g: how exactly a tree keeps its rates, in real
 * time.
 *
 * A packet that real time takes from us (the machine is shared) may be made up for from the burst,
 * which is a millisecond by default; what a longer stall takes shows as a rate that is too low.
 */
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/lib/clock.h"
#include "router/net/csum.h"
#include "tests/bench/bench.h"
#include "tests/bench/lab.h"

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* ---- cycles */

#define SLICES 100
#define TURNS  400
#define FLOWS  65536u

/* Each port has a tree of its own: class 1:1 stands for all. */
#define TREE(dev, key)                                                                             \
	"  " dev ":\n"                                                                             \
	"    egress:\n"                                                                            \
	"      root: {htb: {default: \"1:1\"}, handle: \"1:\"}\n"                                  \
	"      classes:\n"                                                                         \
	"        all: {handle: \"1:fffe\", rate: 40gbit, ceil: 40gbit}\n"                          \
	"        one: {parent: all, handle: \"1:1\", rate: 10mbit, ceil: 10gbit, "                 \
	"leaf: {fq_codel: {}, handle: \"2:\"}}\n"                                                  \
	"      filters: [{hash: {keys: [" key "], divisor: 65535, base: \"1:1\"}}]\n"

/* Packets of 64 k flows in both directions, of which each port has its own tree. */
static double shaped(unsigned classes, unsigned busy)
{
	static struct lab l;
	static double slice[SLICES];
	static uint8_t query[FLOWS][WIRE], answer[FLOWS][WIRE];
	unsigned at = 0, got;
	uint64_t received = 0, sent = 0;

	lab_setup_classes(&l,
			  LAB_INTERFACES "conntrack: {max: 1100000}\nqos:\n" TREE("wan", "from")
				  TREE("lan", "to"),
			  classes, busy);
	l.by_time = getenv("BENCH_TIME") != NULL;
	for (unsigned i = 0; i < FLOWS; i++) {
		struct tuple t = lab_tuple(i), back = { t.dst, t.src, t.dport, t.sport };

		lab_frame(query[i], 0, &t);
		lab_frame(answer[i], 1, &back);
	}
	for (unsigned i = 0; i < FLOWS; i += BURST) { /* flows are made, and classified */
		lab_turn(&l, 0, query + i, BURST, NULL, &got);
		lab_turn(&l, 1, answer + i, BURST, NULL, &got);
	}
	for (unsigned s = 0; s < SLICES; s++) {
		uint64_t spent = 0;

		for (unsigned t = 0; t < TURNS; t++) {
			spent += t & 1 ? lab_turn(&l, 1, answer + at, BURST, NULL, &got)
				       : lab_turn(&l, 0, query + at, BURST, NULL, &got);
			received += BURST;
			sent += got;
			if (t & 1)
				at = at + 2 * BURST <= FLOWS ? at + BURST : 0;
		}
		slice[s] = (double)spent / (TURNS * BURST);
	}
	if (received != sent)
		lab_die("packets were lost or late: the figure would mean nothing");
	lab_teardown(&l);
	qsort(slice, SLICES, sizeof(slice[0]), compare);
	return slice[SLICES / 2];
}

double bench_qos_1k(void)
{
	return shaped(500, 500);
}

double bench_qos_100k(void)
{
	return shaped(50000, 50000);
}

/* 1,000 classes in use among 10,000 that are not. */
double bench_qos_idle(void)
{
	return shaped(5500, 500);
}

/* ---- rates, in real time */

#define SETTLE_NS (500 * NSEC_PER_MSEC)
#define BIN_NS	  (10 * NSEC_PER_MSEC)
#define BINS_MAX  1200

/* Traffic to one class, and what came out of it. */
struct stream {
	double mbit;  /* that it shall get */
	double offer; /* Mbit/s */
	uint64_t cburst;
	const unsigned *len; /* frame sizes, in turn; 0 ends them */
	unsigned turn;
	double owed; /* bytes to offer still */
	uint64_t bytes;
	uint32_t bin[BINS_MAX];
};

static void frame_of(uint8_t *f, unsigned stream, unsigned len)
{
	struct tuple t = { .src = htonl(INSIDE + 2 + stream),
			   .dst = htonl(OUTSIDE + 1),
			   .sport = htons(1000),
			   .dport = htons(2000) };
	struct ip4_header h;

	lab_frame(f, 0, &t);
	memset(f + WIRE, 0, len - WIRE);
	memcpy(&h, f + 14, sizeof(h));
	h.len = htons((uint16_t)(len - 14));
	h.csum = 0;
	h.csum = (uint16_t)~csum_ip4_20(&h);
	memcpy(f + 14, &h, sizeof(h));
	f[38] = (uint8_t)((len - 34) >> 8); /* UDP's length; it has no checksum */
	f[39] = (uint8_t)(len - 34);
	f[40] = f[41] = 0;
}

/* At most a burst of what is owed to the streams. */
static unsigned offer(struct lab *l, struct stream *s, unsigned n, uint64_t passed)
{
	uint8_t *data[BURST];
	uint32_t len[BURST];
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++) {
		s[i].owed += s[i].offer * 1e-3 / 8 * (double)passed;
		if (s[i].owed > 200000) /* the machine was busy elsewhere */
			s[i].owed = 200000;
	}
	for (bool more = true; more && k < BURST;) {
		more = false;
		for (unsigned i = 0; i < n && k < BURST; i++) {
			unsigned want = s[i].len[s[i].turn];

			if (s[i].owed < want || xsk_memwire_take(&l->wire[0], data + k, 1) != 1)
				continue;
			s[i].owed -= want;
			s[i].turn = s[i].len[s[i].turn + 1] ? s[i].turn + 1 : 0;
			frame_of(data[k], i, want);
			len[k++] = want;
			more = true;
		}
	}
	xsk_memwire_deliver(&l->wire[0], data, len, k);
	return k;
}

static void collect(struct lab *l, struct stream *s, unsigned n, uint64_t at)
{
	uint8_t *data[BURST];
	uint32_t len[BURST], got;

	while ((got = xsk_memwire_sent(&l->wire[1], data, len, BURST))) {
		for (unsigned i = 0; i < got; i++) {
			unsigned stream = data[i][29] - 2u;

			if (stream < n && at < BINS_MAX * BIN_NS)
				s[stream].bin[at / BIN_NS] += len[i];
		}
		xsk_memwire_done(&l->wire[1], got);
	}
}

/* Real time passes. */
static void run(struct lab *l, struct stream *s, unsigned n, uint64_t span)
{
	uint64_t begin = clock_now(), last = begin, now;

	while ((now = clock_now()) - begin < span) {
		offer(l, s, n, now - last);
		last = now;
		worker_turn(l->w, now);
		collect(l, s, n, now - begin);
	}
}

static double mbit(uint64_t bytes, uint64_t ns)
{
	return (double)bytes * 8e3 / (double)ns;
}

/* Worst deviation of a stream from its rate over all the time, in percent; -1: it broke its
 * ceiling, or a window of 100 ms was off by more than 5 % and a packet. */
static double judge(const struct stream *s, uint64_t span, const char *what)
{
	unsigned first = SETTLE_NS / BIN_NS, end = (unsigned)(span / BIN_NS), bad = 0;
	double byte_ms = s->mbit * 125, worst = 0, over = 0;
	uint64_t all = 0;

	for (unsigned i = first; i < end; i++)
		all += s->bin[i];
	for (unsigned width = 1; width <= 100; width *= 10)
		for (unsigned i = first; i + width <= end; i++) {
			double bytes = 0, ms = width * (double)BIN_NS / 1e6;

			for (unsigned k = 0; k < width; k++)
				bytes += s->bin[i + k];
			/* a bin ends with the turn that was under way: a millisecond more or less
			 */
			if (bytes - byte_ms * (ms + 1) - (double)s->cburst - 1514 > over)
				over = bytes - byte_ms * (ms + 1) - (double)s->cburst - 1514;
			if (width == 10 && fabs(bytes - byte_ms * ms) > byte_ms * ms * 0.05 + 1514)
				bad++;
		}
	worst = fabs(mbit(all, (end - first) * BIN_NS) / s->mbit - 1) * 100;
	if (getenv("BENCH_VERBOSE"))
		fprintf(stderr,
			"%-24s %8.2f Mbit/s: off by %.3f %%, %u windows, over by %.0f bytes\n",
			what, s->mbit, worst, bad, over);
	return over > 0 || bad > (end - first) / 100 ? -1 : worst;
}

static const unsigned sizes[4][13] = {
	{ 60 }, { 512 }, { 1514 }, { 60, 60, 60, 590, 60, 60, 590, 60, 60, 590, 590, 1514 }
};
static const char *const size_names[4] = { "64 B", "512 B", "1500 B", "IMIX" };

static void must_be(double *worst, double got)
{
	if (got < 0)
		*worst = 100; /* no rate, but what broke a promise is no measure of it */
	else if (got > *worst)
		*worst = got;
}

#define RATE_SPAN (SETTLE_NS + 10 * NSEC_PER_SEC)

/* Streams of 1 Mbit to 1 Gbit through one tree at a time. */
static double rates(const char *tree)
{
	static const double rate[4] = { 1, 10, 100, 1000 };
	static struct lab l;
	static struct stream s[4];
	double worst = 0;
	char yaml[4096];

	snprintf(yaml, sizeof(yaml),
		 LAB_INTERFACES "conntrack: {}\nqos:\n  wan:\n    frames: 8000\n    egress:\n%s",
		 tree);
	for (unsigned k = 0; k < 4; k++) {
		lab_setup(&l, yaml);
		memset(s, 0, sizeof(s));
		for (unsigned i = 0; i < 4; i++)
			s[i] = (struct stream){ .mbit = rate[i],
						.offer = rate[i] * (rate[i] < 1000 ? 2 : 1.2),
						.cburst = rate[i] > 12.8 ? (uint64_t)(rate[i] * 125)
									 : 1600,
						.len = sizes[k] };
		run(&l, s, 4, RATE_SPAN);
		for (unsigned i = 0; i < 4; i++)
			must_be(&worst, judge(&s[i], RATE_SPAN, size_names[k]));
		lab_teardown(&l);
	}
	return worst;
}

#define STREAM_FILTERS                                                                             \
	"      filters:\n"                                                                         \
	"        - {from: 10.0.0.2, class: \"1:1\"}\n"                                             \
	"        - {from: 10.0.0.3, class: \"1:2\"}\n"                                             \
	"        - {from: 10.0.0.4, class: \"1:3\"}\n"                                             \
	"        - {from: 10.0.0.5, class: \"1:4\"}\n"

double bench_rate_htb(void)
{
	return rates("      root: {htb: {}, handle: \"1:\"}\n"
		     "      classes:\n"
		     "        a: {handle: \"1:1\", rate: 1mbit, leaf: {pfifo: {limit: 50}}}\n"
		     "        b: {handle: \"1:2\", rate: 10mbit, leaf: {pfifo: {limit: 100}}}\n"
		     "        c: {handle: \"1:3\", rate: 100mbit, leaf: {pfifo: {limit: 500}}}\n"
		     "        d: {handle: \"1:4\", rate: 1gbit, leaf: {pfifo: {limit: "
		     "2000}}}\n" STREAM_FILTERS);
}

double bench_rate_tbf(void)
{
	return rates(
		"      root: {prio: {bands: 4}, handle: \"1:\"}\n"
		"      qdiscs:\n"
		"        - {parent: \"1:1\", tbf: {rate: 1mbit, burst: 1600b, limit: 50kb}}\n"
		"        - {parent: \"1:2\", tbf: {rate: 10mbit, burst: 1600b, limit: 100kb}}\n"
		"        - {parent: \"1:3\", tbf: {rate: 100mbit, burst: 12500b, limit: 200kb}}\n"
		"        - {parent: \"1:4\", tbf: {rate: 1gbit, burst: 125000b, limit: "
		"1000kb}}\n" STREAM_FILTERS);
}

/* Shaped to 5 Gbit/s: off by so many percent. */
double bench_rate_5g(void)
{
	static struct lab l;
	static struct stream s[1];
	double off;

	lab_setup(&l, LAB_INTERFACES "conntrack: {}\nqos:\n  wan:\n    frames: 8000\n    egress:\n"
				     "      root: {htb: {default: \"1:1\"}, handle: \"1:\"}\n"
				     "      classes: {a: {handle: \"1:1\", rate: 5gbit, leaf: "
				     "{pfifo: {limit: 4000}}}}\n");
	s[0] = (struct stream){ .mbit = 5000, .offer = 5500, .cburst = 625000, .len = sizes[2] };
	run(&l, s, 1, RATE_SPAN);
	off = judge(&s[0], RATE_SPAN, "5 Gbit/s");
	lab_teardown(&l);
	return off < 0 ? 100 : off;
}

/* ---- shares of a tree */

/* Root 20; A 4, B 12 { B1 8, B2 4 }, C 4 Mbit: those that are busy, and what they shall get. */
static const struct {
	double want[4]; /* A, B1, B2, C; 0: idle */
} cases[] = {
	{ { 4, 8, 4, 4 } },  { { 20, 0, 0, 0 } },  { { 0, 40 / 3., 20 / 3., 0 } },
	{ { 6, 0, 14, 0 } }, { { 10, 0, 0, 10 } }, { { 6, 14, 0, 0 } },
};

#define SHARE_SPAN (SETTLE_NS + 4 * NSEC_PER_SEC)

/* Worst deviation from the ideal shares, in percent. */
double bench_htb_tree(void)
{
	static struct lab l;
	static struct stream s[4];
	double worst = 0;

	for (unsigned c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		lab_setup(&l, LAB_INTERFACES
			  "conntrack: {}\nqos:\n  wan:\n    egress:\n"
			  "      root: {htb: {}, handle: \"1:\"}\n"
			  "      classes:\n"
			  "        top: {handle: \"1:f\", rate: 20mbit}\n"
			  "        a: {parent: top, handle: \"1:1\", rate: 4mbit, ceil: 20mbit}\n"
			  "        b: {parent: top, handle: \"1:e\", rate: 12mbit, ceil: 20mbit}\n"
			  "        c: {parent: top, handle: \"1:4\", rate: 4mbit, ceil: 20mbit}\n"
			  "        b1: {parent: b, handle: \"1:2\", rate: 8mbit, ceil: 20mbit}\n"
			  "        b2: {parent: b, handle: \"1:3\", rate: 4mbit, ceil: "
			  "20mbit}\n" STREAM_FILTERS);
		memset(s, 0, sizeof(s));
		for (unsigned i = 0; i < 4; i++)
			s[i] = (struct stream){ .mbit = cases[c].want[i],
						.offer = cases[c].want[i] ? 25 : 0,
						.cburst = 2500,
						.len = sizes[2] };
		run(&l, s, 4, SHARE_SPAN);
		for (unsigned i = 0; i < 4; i++) {
			uint64_t all = 0;
			double got;

			for (unsigned k = SETTLE_NS / BIN_NS; k < SHARE_SPAN / BIN_NS; k++)
				all += s[i].bin[k];
			got = mbit(all, SHARE_SPAN - SETTLE_NS);
			if (getenv("BENCH_VERBOSE"))
				fprintf(stderr, "case %u, class %u: %.2f of %.2f Mbit/s\n", c, i,
					got, s[i].mbit);
			if (s[i].mbit)
				must_be(&worst, fabs(got / s[i].mbit - 1) * 100);
		}
		lab_teardown(&l);
	}
	return worst;
}
