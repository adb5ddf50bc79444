// SPDX-License-Identifier: GPL-2.0-or-later
/* pktgen's sink, user space's half: attaches the program, waits, adds up what the CPUs counted.
 *
 * The program hangs on a BPF link and leaves the device with this process, however it ends. One
 * sink judges one run of one generator: a second run begins again at sequence number 0 and would
 * look like duplicates. */
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/tools/pktgen/pktgen.h"
#include "tests/tools/pktgen/sink.skel.h"

#define POLL_NS (5 * 1000000ull)

/* The CPUs' counters added up. */
struct total {
	struct sink_stats s;
	uint64_t hist[HIST_BUCKETS];
	bool any;
};

static void add_cpu(struct total *t, const struct sink_stats *c)
{
	struct sink_stats *s = &t->s;

	s->other += c->other;
	if (!c->packets)
		return;
	s->packets += c->packets;
	s->bytes += c->bytes;
	s->bad_csum += c->bad_csum;
	s->duplicates += c->duplicates;
	s->reordered += c->reordered;
	s->lat_sum += c->lat_sum;
	if (!t->any || c->first_ns < s->first_ns)
		s->first_ns = c->first_ns;
	if (!t->any || c->last_ns > s->last_ns)
		s->last_ns = c->last_ns;
	if (!t->any || c->lat_min < s->lat_min)
		s->lat_min = c->lat_min;
	if (c->lat_max > s->lat_max)
		s->lat_max = c->lat_max;
	if (!t->any || (int32_t)(c->seq_min - s->seq_min) < 0)
		s->seq_min = c->seq_min;
	if (!t->any || (int32_t)(c->seq_max - s->seq_max) > 0)
		s->seq_max = c->seq_max;
	for (unsigned int i = 0; i < HIST_BUCKETS; i++)
		t->hist[i] += c->hist[i];
	t->any = true;
}

static int collect(const struct sink_bpf *skel, struct total *t)
{
	int cpus = libbpf_num_possible_cpus();
	struct sink_stats *percpu;
	uint32_t zero = 0;
	int err;

	if (cpus < 0)
		return cpus;
	percpu = calloc((size_t)cpus, sizeof(*percpu));
	if (!percpu)
		return -ENOMEM;
	memset(t, 0, sizeof(*t));
	err = bpf_map_lookup_elem(bpf_map__fd(skel->maps.stats), &zero, percpu);
	for (int i = 0; !err && i < cpus; i++)
		add_cpu(t, &percpu[i]);
	free(percpu);
	return err;
}

/* The latency that `share` of all packets did not exceed, to a bucket's width. */
static uint64_t percentile(const struct total *t, double share)
{
	uint64_t want = (uint64_t)(share * (double)t->s.packets), seen = 0, ns;
	unsigned int i = 0;

	while (i < HIST_BUCKETS - 1 && (seen += t->hist[i]) <= want)
		i++;
	ns = hist_upper(i);
	return ns > t->s.lat_max ? t->s.lat_max : ns;
}

static void print(const struct sink_options *o, const struct total *t)
{
	const struct sink_stats *s = &t->s;
	struct report r = { .packets = s->packets,
			    .bytes = s->bytes,
			    .ns = s->last_ns - s->first_ns };
	uint64_t unique = s->packets - s->duplicates;
	uint64_t sent = t->any ? (uint64_t)(s->seq_max - s->seq_min) + 1 : 0;

	report_print(&r, o->json);
	report_number("lost", sent - unique, o->json);
	report_number("reordered", s->reordered, o->json);
	report_number("duplicates", s->duplicates, o->json);
	report_number("first", s->seq_min, o->json);
	report_number("last", s->seq_max, o->json);
	report_number("bad_checksum", s->bad_csum, o->json);
	report_number("other", s->other, o->json);
	printf(o->json ? ",\"latency_ns\":{\"min\":%" PRIu64 ",\"avg\":%" PRIu64 ",\"p50\":%" PRIu64
			 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}}\n"
		       : "latency_ns    min %" PRIu64 " avg %" PRIu64 " p50 %" PRIu64
			 " p99 %" PRIu64 " max %" PRIu64 "\n",
	       (uint64_t)s->lat_min, (uint64_t)(s->packets ? s->lat_sum / s->packets : 0),
	       percentile(t, 0.50), percentile(t, 0.99), (uint64_t)s->lat_max);
	fflush(stdout);
}

/* Native XDP where the device has it, else the generic hook; returns the link's fd or -errno. */
static int attach(const struct sink_options *o, const struct sink_bpf *skel)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int prog = bpf_program__fd(skel->progs.sink);
	int fd = bpf_link_create(prog, (int)o->ifindex, BPF_XDP, &opts);

	if (fd != -EOPNOTSUPP)
		return fd;
	fprintf(stderr, "pktgen: %s has no native XDP, using the generic hook\n", o->dev);
	opts.flags = XDP_FLAGS_SKB_MODE;
	return bpf_link_create(prog, (int)o->ifindex, BPF_XDP, &opts);
}

static int wait_for_end(const struct sink_options *o, const struct sink_bpf *skel, struct total *t)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	uint64_t limit = (uint64_t)(o->seconds * 1e9);
	int err = 0;

	while (!stop_signal_wait(POLL_NS)) {
		if (limit && clock_ns(CLOCK_MONOTONIC) - start >= limit)
			break;
		if (!o->count)
			continue;
		err = collect(skel, t);
		if (err || t->s.packets >= o->count)
			break;
	}
	return err;
}

/* The generator has ended; what it sent may still be on its way, for long on a busy machine. */
static int drain(const struct sink_options *o, const struct sink_bpf *skel, struct total *t)
{
	uint64_t quiet = (uint64_t)(o->drain * 1e9), since = clock_ns(CLOCK_MONOTONIC), seen = 0;
	int err;

	do {
		err = collect(skel, t);
		if (t->s.packets != seen)
			since = clock_ns(CLOCK_MONOTONIC);
		seen = t->s.packets;
	} while (!err && clock_ns(CLOCK_MONOTONIC) - since < quiet && !stop_signal_wait(POLL_NS));
	return err;
}

static int run(const struct sink_options *o, const struct sink_bpf *skel)
{
	struct total *t = calloc(1, sizeof(*t));
	int link, err;

	if (!t)
		return -ENOMEM;
	link = attach(o, skel);
	if (link < 0) {
		err = link;
		goto out;
	}
	puts("ready");
	fflush(stdout);
	err = wait_for_end(o, skel, t);
	if (!err && o->drain)
		err = drain(o, skel, t);
	close(link);
	if (!err)
		err = collect(skel, t);
	if (!err)
		print(o, t);
out:
	free(t);
	return err;
}

int sink_run(const struct sink_options *o)
{
	struct sink_bpf *skel;
	struct sink_config *cfg;
	int err = o->cpu < 0 ? 0 : pin_to_cpu(o->cpu);

	if (err)
		goto out;
	skel = sink_bpf__open();
	if (!skel)
		return -errno;
	cfg = (struct sink_config *)&skel->rodata->cfg;
	cfg->verify = o->verify;
	if (o->wall)
		cfg->clock_offset = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	err = sink_bpf__load(skel);
	if (!err)
		err = run(o, skel);
	sink_bpf__destroy(skel);
out:
	if (err)
		fprintf(stderr, "pktgen: sink on %s: %s\n", o->dev, strerror(-err));
	return err;
}
