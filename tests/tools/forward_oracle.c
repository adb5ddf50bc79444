/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward_oracle: the kernel as oracle of forwarding. One script of packets, made from a seed, goes
 * through a Linux router and through ours at the same time; what leaves them by any link, forwarded
 * or answered, must be the same but for what forward_oracle/differences.c lists.
 *
 * This file reads the command line, keeps the books and reports. A packet of the script is a
 * function of the seed and its number: --first N --packets 1 sends one again. What differs is sent
 * once more, alone, before it counts: a busy machine loses packets. See
 * tests/netns/oracle_forward.sh.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "router/lib/clock.h"
#include "tests/tools/forward_oracle/oracle.h"
#include "tests/tools/number.h"

#define SHOWN		  16
#define RETRIES		  2
#define DIFFERENCES_MAX	  64
#define NEIGHBOUR_SECONDS 5   /* Linux asks three times, a second apart */
#define LOST_PARTS	  500 /* of all packets one may have been lost */

static const char usage[] =
	"usage: forward_oracle [OPTION...]\n"
	"  --packets N      100000\n"
	"  --first N        number of the first (0)\n"
	"  --seed N         1\n"
	"  --only 4|6       of one family\n"
	"  --part NAME      instead of the script: neighbours (that do not exist), redirects\n"
	"  --open           both routers forward martians, source routes and directed broadcasts\n"
	"  --rules          ours also has rules, which track nothing\n"
	"  --shown N        so many at most (16)\n"
	"  --stale          a listed difference that was never met is an error\n"
	"  --explain NAME   show packets that differences explain whose names begin so\n";

struct options {
	unsigned long packets, first, seed, shown;
	bool stale, open, rules;
	const char *explain, *part;
};

struct books {
	uint64_t forwarded, answered, dropped, lost, wrong;
	uint64_t *met; /* by difference */
};

static int arguments(int argc, char **argv, struct options *o, struct script *s)
{
	static const struct option longopts[] = {
		{ "packets", required_argument, NULL, 'n' },
		{ "first", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },
		{ "only", required_argument, NULL, 'o' },
		{ "part", required_argument, NULL, 'p' },
		{ "shown", required_argument, NULL, 'S' },
		{ "open", no_argument, NULL, 'O' },
		{ "rules", no_argument, NULL, 'r' },
		{ "stale", no_argument, NULL, 't' },
		{ "explain", required_argument, NULL, 'e' },
		{ 0 },
	};
	int id, err = 0;

	while (!err && (id = getopt_long(argc, argv, "", longopts, NULL)) != -1)
		switch (id) {
		case 'n': err = number_parse(optarg, ULONG_MAX, &o->packets); break;
		case 'f': err = number_parse(optarg, ULONG_MAX, &o->first); break;
		case 's': err = number_parse(optarg, ULONG_MAX, &o->seed); break;
		case 'S': err = number_parse(optarg, ULONG_MAX, &o->shown); break;
		case 'p': o->part = optarg; break;
		case 'o': s->only = optarg; break;
		case 'O': o->open = true; break;
		case 'r': o->rules = true; break;
		case 't': o->stale = true; break;
		case 'e': o->explain = optarg; break;
		default: err = -EINVAL;
		}
	memcpy(s->key, &o->seed, sizeof(o->seed));
	return err || optind != argc ? -EINVAL : 0;
}

/* ---- a batch */

static void count(struct books *k, const struct packet *p)
{
	const struct seen *f = NULL;

	for (unsigned link = 0; link < LINKS && !f; link++)
		f = p->out[KERNEL][link].first;
	if (!f)
		k->dropped++;
	else if (world_is_own(
			 f->b + (get16(f->b + 12) == ETH_P_IPV6 ? ETH_HLEN + 8 : ETH_HLEN + 12),
			 get16(f->b + 12) == ETH_P_IPV6))
		k->answered++;
	else
		k->forwarded++;
}

/* Does the row say something about routers in this mode? */
static bool applies(const struct options *o, const struct difference *d)
{
	switch (d->met) {
	case CLOSED: return !o->open;
	case OPEN: return o->open;
	case RULES: return o->rules;
	default: return true;
	}
}

/* Is a listed difference, or several, all there is to it? */
static bool explained(struct books *k, const struct options *o, const struct packet *p)
{
	bool any = false;

	for (unsigned i = 0; i < ndifferences; i++) {
		if (!applies(o, &differences[i]) || !differences[i].explains(p))
			continue;
		if (o->explain && !strncmp(o->explain, differences[i].name, strlen(o->explain)) &&
		    k->met[i] < o->shown)
			show(stdout, p);
		k->met[i]++;
		any = true;
	}
	return any;
}

/* Alone, as often as needed. False: no router goes on. */
static bool again(struct lab *l, const struct script *s, const struct options *o, struct books *k,
		  uint64_t number)
{
	static struct packet p;

	for (unsigned i = 0; i < RETRIES; i++) {
		packet_make(s, number, &p);
		if (!lab_run(l, &p, 1, 0))
			return false;
		if (same(&p) || explained(k, o, &p)) {
			k->lost++;
			return true;
		}
	}
	if (k->wrong++ < o->shown)
		show(stdout, &p);
	return true;
}

static bool batch(struct lab *l, const struct script *s, const struct options *o, struct books *k,
		  uint64_t first, unsigned n)
{
	static struct packet p[BATCH];
	uint64_t doubtful[BATCH];
	unsigned ndoubtful = 0;

	for (unsigned i = 0; i < n; i++)
		packet_make(s, first + i, &p[i]);
	if (!lab_run(l, p, n, 0))
		return false;
	for (unsigned i = 0; i < n; i++) {
		count(k, &p[i]);
		if (!same(&p[i]) && !explained(k, o, &p[i]))
			doubtful[ndoubtful++] = first + i;
	}
	for (unsigned i = 0; i < ndoubtful; i++)
		if (!again(l, s, o, k, doubtful[i]))
			return false;
	return true;
}

/* ---- the parts that are not the script */

static bool run_part(struct lab *l, struct options *o, struct books *k)
{
	static struct packet p[BATCH];
	bool redirects = !strcmp(o->part, "redirects");
	unsigned n = redirects ? part_redirects(p, BATCH) : part_neighbours(p, BATCH);

	lab_redirects(l, redirects);
	if (!lab_run(l, p, n, redirects ? 0 : NEIGHBOUR_SECONDS))
		return false;
	o->packets = n;
	for (unsigned i = 0; i < n; i++) {
		count(k, &p[i]);
		if (!same(&p[i]) && !explained(k, o, &p[i]) && k->wrong++ < o->shown)
			show(stdout, &p[i]);
	}
	return true;
}

/* ---- the whole script */

static bool run(struct lab *l, const struct script *s, const struct options *o, struct books *k)
{
	for (uint64_t at = 0; at < o->packets; at += BATCH) {
		unsigned n = o->packets - at < BATCH ? (unsigned)(o->packets - at) : BATCH;

		if (!batch(l, s, o, k, o->first + at, n)) {
			printf("no fence comes back after packets %" PRIu64 " to %" PRIu64 "\n",
			       o->first + at, o->first + at + n - 1);
			return false;
		}
	}
	return true;
}

static bool report(const struct lab *l, const struct options *o, const struct books *k)
{
	bool good = k->wrong == 0;

	printf("%lu packets, seed %lu: the kernel forwards %" PRIu64 ", answers %" PRIu64
	       ", drops %" PRIu64 "\n",
	       o->packets, o->seed, k->forwarded, k->answered, k->dropped);
	printf("%" PRIu64 " sent again since one side lost them; strays: %" PRIu64 ", %" PRIu64
	       "\n",
	       k->lost, lab_strays(l, KERNEL), lab_strays(l, OURS));
	for (unsigned i = 0; i < ndifferences; i++) {
		bool stale = o->stale && !k->met[i] && differences[i].met != SELDOM;

		if (!applies(o, &differences[i]))
			continue;
		printf("%s%" PRIu64 " %s (%s: %s)\n", stale ? "STALE: " : "accepted: ", k->met[i],
		       differences[i].name, differences[i].requirement, differences[i].why);
		good &= !stale;
	}
	if (k->lost > o->packets / LOST_PARTS + 10) {
		printf("TOO MANY were lost\n");
		good = false;
	}
	if (k->wrong)
		printf("DIFFERENT: %" PRIu64 " packets\n", k->wrong);
	return good;
}

/* All that Linux does with a packet is done on the CPU that sends it, and so in order. */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

int main(int argc, char **argv)
{
	struct options o = { .packets = 100000, .seed = 1, .shown = SHOWN };
	struct script s = { 0 };
	uint64_t met[DIFFERENCES_MAX] = { 0 };
	struct books k = { .met = met };
	struct lab *l;
	uint64_t start;
	bool good;

	if (arguments(argc, argv, &o, &s)) {
		fputs(usage, stderr);
		return 2;
	}
	assert(ndifferences <= DIFFERENCES_MAX);
	stay_here();
	l = lab_open();
	if (!l)
		return 1;
	if (!lab_warm(l)) {
		printf("a router does not forward\n");
		return 1;
	}
	start = clock_now();
	good = o.part ? run_part(l, &o, &k) : run(l, &s, &o, &k);
	good &= report(l, &o, &k);
	printf("%.1f s\n", (double)(clock_now() - start) / NSEC_PER_SEC);
	lab_close(l);
	return good ? 0 : 1;
}
