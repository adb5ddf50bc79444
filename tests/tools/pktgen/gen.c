// SPDX-License-Identifier: GPL-2.0-or-later
/* pktgen's generator, user space's half.
 *
 * A thread enters BPF_PROG_RUN with live frames and stays there: entering and leaving costs some
 * 20 ms of silence (a page pool is made and torn down), so a run is one call, with `repeat` as
 * large as it goes. The kernel leaves it early only for a signal. The main thread sleeps, looks at
 * the program's state through its mapped .bss, and when count, time or the user says so, sends
 * that signal. Both are pinned to one CPU: frames leave from the CPU that runs the program, and
 * order follows from there being one. */
#include <bpf/bpf.h>
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/tools/pktgen/pktgen.h"
#include "tests/tools/pktgen/gen.skel.h"

/* Frames wait for the end of their batch. Paced, a batch of one sends each at once; at full rate
 * a batch of many saves work. */
#define BATCH_FAST  64
#define POLL_NS	    (10 * 1000000ull)
#define POLL_END_NS 1000000ull /* when the program itself may end the run */

struct runner {
	pthread_t thread;
	int prog_fd;
	uint32_t len, batch;
	bool stop; /* atomic */
	int error;
};

static void on_wakeup(int sig)
{
	(void)sig; /* its coming is all: BPF_PROG_RUN returns EINTR */
}

static void *runner_main(void *arg)
{
	struct runner *r = arg;
	uint8_t frame[FRAME_MAX] = { 0 };

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = r->len,
			    .repeat = INT32_MAX, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
			    .batch_size = r->batch);
		int err = bpf_prog_test_run_opts(r->prog_fd, &opts);

		if (err && err != -EINTR) {
			r->error = err;
			break;
		}
	}
	return NULL;
}

static int runner_start(struct runner *r)
{
	struct sigaction sa = { .sa_handler = on_wakeup };

	sigaction(SIGUSR1, &sa, NULL);
	return -pthread_create(&r->thread, NULL, runner_main, r);
}

static bool runner_ended(const struct runner *r)
{
	return pthread_tryjoin_np(r->thread, NULL) == 0;
}

/* A signal that comes just before the system call is lost, so it is sent until it worked. */
static void runner_stop(struct runner *r)
{
	struct timespec t = { .tv_nsec = 20 * 1000000 };

	__atomic_store_n(&r->stop, true, __ATOMIC_RELAXED);
	do {
		pthread_kill(r->thread, SIGUSR1);
		nanosleep(&t, NULL);
	} while (!runner_ended(r));
}

static void config_fill(struct gen_config *c, const struct gen_options *o)
{
	bool v6 = o->src.family == AF_INET6;

	c->ifindex = o->ifindex;
	c->flows = o->flows;
	c->count = o->count;
	if (o->rate)
		c->interval_fp = (NSEC_PER_SEC << GEN_FP_BITS) / o->rate;
	c->walk[GEN_SRC] = o->src.walk;
	c->walk[GEN_DST] = o->dst.walk;
	c->walk[GEN_SPORT] = o->sport;
	c->walk[GEN_DPORT] = o->dport;
	memcpy(c->src_hi, &o->src.first, sizeof(c->src_hi));
	memcpy(c->dst_hi, &o->dst.first, sizeof(c->dst_hi));
	memcpy(&c->macs[0], o->dst_mac, sizeof(o->dst_mac));
	memcpy(&c->macs[3], o->src_mac, sizeof(o->src_mac));
	c->v6 = v6;
	c->udp_csum = o->udp_csum;
	c->imix = !o->size;
	c->len = (__u16)(o->size ? o->size - FCS_LEN : FRAME_MAX);
	for (unsigned int i = 0; i < GEN_IMIX_LEN; i++)
		c->imix_len[i] = (__u16)(imix_size(i, v6) - FCS_LEN);
}

/* The device's own counters: the program does not learn what became of a frame. */
static struct rtnl_link_stats link_stats(const char *dev)
{
	struct rtnl_link_stats s = { 0 };
	struct ifaddrs *list;

	if (getifaddrs(&list))
		return s;
	for (struct ifaddrs *a = list; a; a = a->ifa_next)
		if (a->ifa_addr && a->ifa_addr->sa_family == AF_PACKET && a->ifa_data &&
		    !strcmp(a->ifa_name, dev))
			memcpy(&s, a->ifa_data, sizeof(s));
	freeifaddrs(list);
	return s;
}

/* Sleeps until the run is over. */
static void wait_for_end(const struct gen_options *o, struct runner *r, const struct gen_state *s)
{
	const volatile __u32 *done = &s->done;
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	uint64_t limit = (uint64_t)(o->seconds * 1e9);
	uint64_t poll = o->count ? POLL_END_NS : POLL_NS;

	while (!*done && !r->error) {
		if (limit && clock_ns(CLOCK_MONOTONIC) - start >= limit)
			break;
		if (stop_signal_wait(poll))
			break;
	}
}

static void print(const struct gen_options *o, const struct gen_state *s, uint32_t dropped)
{
	struct report r = { .packets = s->packets,
			    .bytes = s->bytes,
			    .ns = s->last_ns - s->first_ns };

	report_print(&r, o->json);
	report_number("dropped", dropped, o->json);
	if (o->json)
		puts("}");
	fflush(stdout);
}

static int run(const struct gen_options *o, struct gen_bpf *skel)
{
	struct rtnl_link_stats before = link_stats(o->dev), after;
	struct runner r = {
		.prog_fd = bpf_program__fd(skel->progs.gen),
		.len = skel->rodata->cfg.len,
		.batch = o->batch ? o->batch : (o->rate ? 1 : BATCH_FAST),
	};
	int err = runner_start(&r);

	if (err)
		return err;
	wait_for_end(o, &r, &skel->bss->state);
	skel->bss->state.done = 1;
	runner_stop(&r);
	if (r.error) {
		fprintf(stderr, "pktgen: BPF_PROG_RUN: %s\n", strerror(-r.error));
		return r.error;
	}
	after = link_stats(o->dev);
	print(o, &skel->bss->state, after.tx_dropped - before.tx_dropped);
	if (skel->bss->state.packets && after.tx_packets == before.tx_packets)
		fprintf(stderr,
			"pktgen: %s counts no packet sent: is it up, and if it is a veth, has its "
			"peer GRO or an XDP program?\n",
			o->dev);
	return 0;
}

int gen_run(const struct gen_options *o)
{
	struct gen_bpf *skel;
	int err;

	if (o->kernel)
		return kernel_run(o);
	err = pin_to_cpu(o->cpu < 0 ? sched_getcpu() : o->cpu);
	if (err) {
		fprintf(stderr, "pktgen: CPU %d: %s\n", o->cpu, strerror(-err));
		return err;
	}
	skel = gen_bpf__open();
	if (!skel)
		return -errno;
	config_fill((struct gen_config *)&skel->rodata->cfg, o);
	err = gen_bpf__load(skel);
	if (err)
		fprintf(stderr, "pktgen: load the generator: %s\n", strerror(-err));
	else
		err = run(o, skel);
	gen_bpf__destroy(skel);
	return err;
}
