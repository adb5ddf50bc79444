/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rate, rate-5g, htb-tree: how exactly a tree keeps its rates, in real time, of a worker that has a
 * core for itself.
 *
 * What real time takes from us because others have the core too may be made up for from the burst,
 * which is a millisecond here; what a longer stall takes shows as a rate that is too low. So a busy
 * machine needs BENCH_TIME=1: time is then what this thread has had of the core. BENCH_SECONDS
 * says how long each run is.
 */
#include <arpa/inet.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "router/lib/clock.h"
#include "router/net/csum.h"
#include "tests/bench/bench.h"
#include "tests/bench/lab.h"
#include "tests/measure.h"

#define SECONDS	  10
#define SETTLE_NS (500 * NSEC_PER_MSEC)
#define BIN_NS	  (10 * NSEC_PER_MSEC)
#define BINS_MAX  1200
#define STALL_NS  NSEC_PER_MSEC
#define OWED_MAX  200000
#define STREAMS	  4

/* Traffic to one class, and what came out of it. */
struct stream {
	double mbit;  /* that it shall get */
	double offer; /* Mbit/s */
	uint64_t cburst;
	const unsigned *len; /* frame sizes, in turn, the largest last; 0 ends them */
	unsigned turn;
	double owed; /* bytes to offer still */
	uint64_t bin[BINS_MAX];
};

/* A run: streams through a router. */
struct run {
	struct lab l;
	struct stream s[STREAMS];
	unsigned n;
	unsigned bins;	      /* how long it is; those before SETTLE_NS do not count */
	bool stall[BINS_MAX]; /* others had the core for longer than a burst makes up for */
};

/* The worst of all runs, and which it was. */
struct worst {
	double off; /* percent */
	char what[96];
	unsigned windows, stalled; /* of 100 ms; not judged because of stalls */
};

static void __attribute__((format(printf, 3, 4)))
worse(struct worst *w, double off, const char *what, ...)
{
	va_list ap;

	if (off < w->off)
		return;
	w->off = off;
	va_start(ap, what);
	vsnprintf(w->what, sizeof(w->what), what, ap);
	va_end(ap);
}

/* ---- traffic */

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

/* At most a burst of what is owed to the streams, a frame of each in turn. */
static void offer(struct run *r, uint64_t passed)
{
	uint8_t *data[BURST];
	uint32_t len[BURST];
	unsigned k = 0;

	for (unsigned i = 0; i < r->n; i++)
		r->s[i].owed =
			fmin(r->s[i].owed + r->s[i].offer * 1e-3 / 8 * (double)passed, OWED_MAX);
	for (bool more = true; more && k < BURST;) {
		more = false;
		for (unsigned i = 0; i < r->n && k < BURST; i++) {
			struct stream *s = &r->s[i];
			unsigned want = s->len[s->turn];

			if (s->owed < want || xsk_memwire_take(&r->l.wire[0], data + k, 1) != 1)
				continue;
			s->owed -= want;
			s->turn = s->len[s->turn + 1] ? s->turn + 1 : 0;
			frame_of(data[k], i, want);
			len[k++] = want;
			more = true;
		}
	}
	xsk_memwire_deliver(&r->l.wire[0], data, len, k);
}

static void collect(struct run *r, uint64_t at)
{
	uint8_t *data[BURST];
	uint32_t len[BURST], got;

	while ((got = xsk_memwire_sent(&r->l.wire[1], data, len, BURST))) {
		for (unsigned i = 0; i < got; i++) {
			unsigned stream = data[i][29] - 2u; /* of the source address */

			if (stream < r->n)
				r->s[stream].bin[at / BIN_NS] += len[i];
		}
		xsk_memwire_done(&r->l.wire[1], got);
	}
}

static uint64_t time_of(const struct run *r)
{
	return r->l.by_time ? cpu_time() : clock_now();
}

/* What has passed since *seen. The machine under a virtual one may take the core, too, and that is
 * CPU time like any: no turn takes that long. */
static uint64_t passed(const struct run *r, uint64_t *seen)
{
	uint64_t now = time_of(r), step = now - *seen;

	*seen = now;
	return r->l.by_time && step > STALL_NS / 2 ? STALL_NS / 2 : step;
}

/* Runs what r->s offers through the router of this configuration. */
static void run(struct run *r, const char *yaml, double seconds)
{
	const char *said = getenv("BENCH_SECONDS");
	uint64_t span, seen, last = 0, now = 0;

	if (said)
		seconds = fmin(fmax(atof(said), 1), SECONDS);
	r->bins = (unsigned)((seconds * NSEC_PER_SEC + SETTLE_NS) / BIN_NS);
	span = r->bins * BIN_NS;
	memset(r->stall, 0, sizeof(r->stall));
	lab_setup(&r->l, yaml);
	r->l.by_time = getenv("BENCH_TIME") != NULL;
	seen = time_of(r);
	while ((now += passed(r, &seen)) < span) {
		for (uint64_t t = last; now - last > STALL_NS && t <= now; t += BIN_NS / 2)
			r->stall[t / BIN_NS] = r->stall[now / BIN_NS] = true;
		offer(r, now - last);
		last = now;
		worker_turn(r->l.w, r->l.now + now);
		collect(r, now);
	}
	lab_teardown(&r->l);
}

/* ---- what it came to */

static uint64_t window(const struct stream *s, unsigned first, unsigned width)
{
	uint64_t bytes = 0;

	for (unsigned i = first; i < first + width; i++)
		bytes += s->bin[i];
	return bytes;
}

static bool stalled(const struct run *r, unsigned first, unsigned width)
{
	for (unsigned i = first; i < first + width; i++)
		if (r->stall[i])
			return true;
	return false;
}

static double mbit(const struct stream *s, unsigned first, unsigned width)
{
	return (double)window(s, first, width) * 8e3 / (double)(width * BIN_NS);
}

/* Windows of 10 ms, 100 ms and 1 s: none above the ceiling, and one of 100 ms off by no more than
 * 5 % and a packet, as it begins and ends within packets. A broken promise is off by all there is.
 */
static void judge_windows(const struct run *r, const struct stream *s, struct worst *w,
			  const char *what)
{
	double byte_ms = s->mbit * 125;
	unsigned packet = 0;

	for (const unsigned *len = s->len; *len; len++)
		packet = *len;
	for (unsigned width = 1; width <= 100; width *= 10)
		for (unsigned i = SETTLE_NS / BIN_NS; i + width <= r->bins; i++) {
			double bytes = (double)window(s, i, width);
			double due = byte_ms * width * BIN_NS / NSEC_PER_MSEC;

			if (bytes > due + (double)s->cburst + packet)
				worse(w, 100, "%g Mbit/s, %s: %.0f bytes in %u ms", s->mbit, what,
				      bytes, width * 10);
			if (width != 10)
				continue;
			w->windows++;
			if (stalled(r, i, width))
				w->stalled++;
			else if (fabs(bytes - due) > due * 0.05 + packet)
				worse(w, 100, "%g Mbit/s, %s: %.2f in 100 ms", s->mbit, what,
				      mbit(s, i, width));
		}
}

static void judge(const struct run *r, struct worst *w, const char *what)
{
	unsigned first = SETTLE_NS / BIN_NS;

	for (const struct stream *s = r->s; s < r->s + r->n; s++) {
		double got = mbit(s, first, r->bins - first);

		judge_windows(r, s, w, what);
		worse(w, fabs(got / s->mbit - 1) * 100, "%.5g for %g Mbit/s, %s", got, s->mbit,
		      what);
		if (getenv("BENCH_VERBOSE"))
			fprintf(stderr, "%s: %.3f for %g Mbit/s\n", what, got, s->mbit);
	}
}

static double report(const struct worst *w)
{
	fprintf(stderr, "worst: %s", w->what);
	if (w->stalled)
		fprintf(stderr, "; stalls in %u of %u windows", w->stalled, w->windows);
	fputc('\n', stderr);
	return w->off;
}

/* ---- rates */

static const unsigned sizes[4][13] = {
	{ 60 }, { 512 }, { 1514 }, { 60, 60, 60, 590, 60, 60, 590, 60, 60, 590, 590, 1514 }
};
static const char *const size_names[4] = { "64 B", "512 B", "1500 B", "IMIX" };

#define SHAPED LAB_INTERFACES "conntrack: {}\nqos:\n  wan:\n    frames: 8000\n    egress:\n"

#define STREAM_FILTERS                                                                             \
	"      filters:\n"                                                                         \
	"        - {from: 10.0.0.2, class: \"1:1\"}\n"                                             \
	"        - {from: 10.0.0.3, class: \"1:2\"}\n"                                             \
	"        - {from: 10.0.0.4, class: \"1:3\"}\n"                                             \
	"        - {from: 10.0.0.5, class: \"1:4\"}\n"

/* Streams of 1 Mbit to 1 Gbit beside each other, in frames of one size at a time. */
static double rates(const char *yaml)
{
	static const double rate[STREAMS] = { 1, 10, 100, 1000 };
	static struct run r;
	struct worst w = { 0 };

	for (unsigned k = 0; k < 4; k++) {
		memset(&r, 0, sizeof(r));
		r.n = STREAMS;
		for (unsigned i = 0; i < STREAMS; i++)
			r.s[i] = (struct stream){ .mbit = rate[i],
						  .offer = rate[i] * (rate[i] < 1000 ? 2 : 1.2),
						  .cburst = (uint64_t)fmax(rate[i] * 125, 1600),
						  .len = sizes[k] };
		run(&r, yaml, SECONDS);
		judge(&r, &w, size_names[k]);
	}
	return report(&w);
}

double bench_rate_htb(void)
{
	return rates(SHAPED
		     "      root: {htb: {}, handle: \"1:\"}\n"
		     "      classes:\n"
		     "        a: {handle: \"1:1\", rate: 1mbit, leaf: {pfifo: {limit: 50}}}\n"
		     "        b: {handle: \"1:2\", rate: 10mbit, leaf: {pfifo: {limit: 100}}}\n"
		     "        c: {handle: \"1:3\", rate: 100mbit, quantum: 15kb, leaf: {pfifo: "
		     "{limit: 500}}}\n"
		     "        d: {handle: \"1:4\", rate: 1gbit, quantum: 15kb, leaf: {pfifo: "
		     "{limit: 2000}}}\n" //
		     STREAM_FILTERS);
}

double bench_rate_tbf(void)
{
	return rates(SHAPED
		     "      root: {prio: {bands: 4}, handle: \"1:\"}\n"
		     "      qdiscs:\n"
		     "        - {parent: \"1:1\", tbf: {rate: 1mbit, burst: 1600b, limit: 50kb}}\n"
		     "        - {parent: \"1:2\", tbf: {rate: 10mbit, burst: 1600b, limit: "
		     "100kb}}\n"
		     "        - {parent: \"1:3\", tbf: {rate: 100mbit, burst: 12500b, limit: "
		     "100kb}}\n"
		     "        - {parent: \"1:4\", tbf: {rate: 1gbit, burst: 125000b, limit: "
		     "200kb}}\n" //
		     STREAM_FILTERS);
}

/* Shaped to 5 Gbit/s: off by so many percent. */
double bench_rate_5g(void)
{
	static struct run r;
	struct worst w = { 0 };

	memset(&r, 0, sizeof(r));
	r.n = 1;
	r.s[0] = (struct stream){ .mbit = 5000, .offer = 5500, .cburst = 625000, .len = sizes[2] };
	run(&r,
	    SHAPED "      root: {htb: {default: \"1:1\"}, handle: \"1:\"}\n"
		   "      classes: {a: {handle: \"1:1\", rate: 5gbit, quantum: 15kb, leaf: {pfifo: "
		   "{limit: 4000}}}}\n",
	    SECONDS);
	judge(&r, &w, "1500 B");
	return report(&w);
}

/* ---- shares of a tree */

/* Root 20; A 4, B 12 { B1 8, B2 4 }, C 4 Mbit: those that are busy, and what they shall get. What
 * a family's idle member leaves goes to its own first, the rest to each borrower alike. */
static const double shares[][STREAMS] = {
	/* A, B1, B2, C; 0: idle */
	{ 4, 8, 4, 4 },	 { 20, 0, 0, 0 },  { 0, 40 / 3., 20 / 3., 0 },
	{ 6, 0, 14, 0 }, { 10, 0, 0, 10 }, { 6, 14, 0, 0 },
};
static const char *const share_names[STREAMS] = { "A", "B1", "B2", "C" };

static const char share_tree[] =
	SHAPED "      root: {htb: {}, handle: \"1:\"}\n"
	       "      classes:\n"
	       "        top: {handle: \"1:f\", rate: 20mbit}\n"
	       "        a: {parent: top, handle: \"1:1\", rate: 4mbit, ceil: 20mbit}\n"
	       "        b: {parent: top, handle: \"1:e\", rate: 12mbit, ceil: 20mbit}\n"
	       "        c: {parent: top, handle: \"1:4\", rate: 4mbit, ceil: 20mbit}\n"
	       "        b1: {parent: b, handle: \"1:2\", rate: 8mbit, ceil: 20mbit}\n"
	       "        b2: {parent: b, handle: \"1:3\", rate: 4mbit, ceil: 20mbit}\n" //
	STREAM_FILTERS;

/* Worst deviation from the ideal shares, in percent. */
double bench_htb_tree(void)
{
	static struct run r;
	struct worst w = { 0 };

	for (unsigned c = 0; c < sizeof(shares) / sizeof(shares[0]); c++) {
		unsigned first = SETTLE_NS / BIN_NS;

		memset(&r, 0, sizeof(r));
		r.n = STREAMS;
		for (unsigned i = 0; i < STREAMS; i++)
			r.s[i] = (struct stream){ .mbit = shares[c][i],
						  .offer = shares[c][i] ? 25 : 0,
						  .len = sizes[2] };
		run(&r, share_tree, SECONDS / 2.);
		for (unsigned i = 0; i < STREAMS; i++) {
			double got = mbit(&r.s[i], first, r.bins - first);

			if (!shares[c][i])
				continue;
			worse(&w, fabs(got / shares[c][i] - 1) * 100, "%s: %.2f of %.2f Mbit/s",
			      share_names[i], got, shares[c][i]);
			if (getenv("BENCH_VERBOSE"))
				fprintf(stderr, "case %u, %s: %.2f of %.2f Mbit/s\n", c,
					share_names[i], got, shares[c][i]);
		}
	}
	return report(&w);
}
