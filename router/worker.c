/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker's loop; see worker.h.
 *
 * Every turn: for each queue a burst through the pipeline, what it sent handed over at the end of
 * each burst, then one kick a port with packets under way, then free frames posted again. Nothing
 * here waits: a full send ring is a counted drop. Only when nothing moved, nothing is under way and
 * nothing came for a while does the worker sleep in epoll (adaptive mode), RCU-offline so that
 * control never waits for it.
 */
#include "router/worker.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "router/beat.h"
#include "router/lib/clock.h"
#include "router/lib/rcu.h"
#include "router/flows.h"
#include "router/net/policy.h"
#include "router/pipeline.h"
#include "router/net/qdisc/qdisc.h"
#include "router/worker_internal.h"

#define MESSAGES      1024
#define LOOK_SLEEP_MS 10 /* packets wait for a neighbour, or a queue for frames */
#define NOTES	      512
#define OWED_NAPS     5			   /* doublings of a millisecond */
#define SPIN_NS	      (50 * NSEC_PER_USEC) /* awake this long after the last packet */
#define SPIN_PROBE    64 /* when spinning was in vain, try it again once in so many sleeps */

/*
 * Where packets are received by a kernel thread on the worker's own core, the two take turns, and
 * the worker must run as soon as there is a burst: else that thread fills the ring and then spends
 * its time on drops. So the worker wakes with real-time priority, if it may have it, and gives it
 * up when it has run for BOOST_NS without sleeping: a busy worker shares its core fairly, and
 * nobody's ssh waits longer than that.
 */
#define BOOST_NS       (2 * NSEC_PER_MSEC)
#define BOOST_PRIORITY 1

/* Depth of the fill ring follows the rate: frames posted absorb a stall, but more of them than the
 * cache holds cost speed. Above BUSY_PPS keep few, below half of it as many as the ring takes. What
 * waited during a stall comes at such a rate, too, and is no reason: BUSY_PERIODS of it are. */
#define RATE_PERIOD  NSEC_PER_SEC / 20
#define BUSY_PPS     400000
#define BUSY_DEPTH   1024
#define BUSY_PERIODS 4

static void dp_flush(struct dp *dp, unsigned port)
{
	struct worker *w = worker_of(dp);
	struct dp_out *o = &dp->out[port];
	struct xsk_queue *q = w->serving->tx[port];
	const struct xdp_desc *d = (const struct xdp_desc *)o->frame;
	uint32_t n = o->n, sent;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += o->frame[i].len;
	sent = q ? xsk_queue_tx(q, d, &o->n, &w->cache) : 0;
	for (unsigned i = sent; i < n; i++)
		bytes -= o->frame[i].len;
	/* At once: a kill between the two leaves packets that were sent and are not counted. */
	counter_add(&dp->count->port[port].tx_packets, sent);
	counter_add(&dp->count->port[port].tx_bytes, bytes);
	if (sent < n) {
		counter_add(&dp->count->drop[q && !xsk_queue_dead(q) ? DROP_TX_RING_FULL
								     : DROP_TX_NO_PORT],
			    n - sent);
		counter_add(&dp->count->port[port].drops, n - sent);
		for (unsigned i = sent; i < n; i++)
			frame_free(&w->cache, xsk_mem_frame(w->cache.mem, o->frame[i].addr));
	}
	o->n = 0;
}

static_assert(sizeof(struct dp_frame) == sizeof(struct xdp_desc), "handed over as it is");
static_assert(offsetof(struct dp_frame, len) == offsetof(struct xdp_desc, len), "same layout");

static uint8_t *dp_alloc(struct dp *dp)
{
	struct worker *w = worker_of(dp);
	uint32_t frame;

	if (!frame_alloc(&w->cache, &frame))
		return NULL;
	return dp->base + xsk_mem_addr(w->cache.mem, frame) + HEADROOM;
}

static void dp_free(struct dp *dp, const uint8_t *data)
{
	struct worker *w = worker_of(dp);

	frame_free(&w->cache, xsk_mem_frame(w->cache.mem, (uint64_t)(data - dp->base)));
}

static bool dp_ask(struct dp *dp, const struct dp_message *m)
{
	return spsc_put(&worker_of(dp)->messages, m);
}

static bool dp_note(struct dp *dp, const struct dp_note *n)
{
	dp->ask_now = true;
	return spsc_put(&worker_of(dp)->notes, n);
}

void worker_flush(struct dp *dp)
{
	while (dp->dirty) {
		unsigned port = (unsigned)__builtin_ctzll(dp->dirty);

		dp->dirty &= dp->dirty - 1;
		if (dp->out[port].n)
			dp_flush(dp, port);
	}
}

static void kick_all(struct worker *w, const struct worker_ports *ports)
{
	w->sending = false;
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct xsk_queue *q = ports->tx[i];
		unsigned refused;

		if (!q || !xsk_queue_busy(q))
			continue;
		refused = xsk_queue_kick(q, &w->cache);
		w->sending |= xsk_queue_more(q);
		if (refused) { /* handed over and counted as sent, then dropped by the device */
			counter_add(&w->count->drop[DROP_TX_DEVICE], refused);
			counter_add(&w->count->port[i].tx_packets, -(uint64_t)refused);
			counter_add(&w->count->port[i].drops, refused);
		}
	}
}

static void ring_control(struct worker *w)
{
	uint64_t one = 1;

	w->dp.ask_now = false;
	if (write(w->control_fd, &one, sizeof(one)) < 0) { /* full: it is awake anyway */
	}
}

static void follow_rate(struct worker *w, const struct worker_ports *ports, uint64_t now)
{
	uint64_t span = now - w->rate_at;

	w->rate_at = now;
	for (unsigned i = 0; i < ports->nrx; i++) {
		struct xsk_queue *q = ports->rx[i].q;
		uint64_t pps = (q->received - q->rated) * NSEC_PER_SEC / (span | 1);
		uint32_t all = q->fill.size;

		xsk_queue_rouse(q);
		q->rated = q->received;
		q->busy = pps > BUSY_PPS ? q->busy + 1 : 0;
		if (q->busy >= BUSY_PERIODS && all > BUSY_DEPTH)
			q->depth = BUSY_DEPTH;
		else if (pps < BUSY_PPS / 2)
			q->depth = all;
	}
}

/* What is stateful, for this turn. Flows outlive the policy they came from. */
static void see_policy(struct worker *w)
{
	struct dp *dp = &w->dp;

	dp->st = __atomic_load_n(&w->st, __ATOMIC_ACQUIRE);
	if (!dp->st)
		return;
	dp->policy = __atomic_load_n(&w->policy, __ATOMIC_ACQUIRE);
	if (dp->policy)
		dp->generation = __atomic_load_n(&dp->policy->generation, __ATOMIC_RELAXED);
	dp->events = __atomic_load_n(&w->events, __ATOMIC_ACQUIRE);
	dp->tick = flow_tick(dp->st->flows, dp->now);
	flows_upkeep(dp);
}

/* A burst of one queue. It stays in the ring until all of it has gone its way: killed before that,
 * the next process receives it again. */
static unsigned receive(struct worker *w, struct xsk_queue *q, uint16_t port)
{
	struct dp *dp = &w->dp;
	struct dp_frame frames[BURST];
	unsigned n = xsk_queue_rx(q, (struct xdp_desc *)frames, BURST);
	uint64_t bytes = 0;

	if (!n)
		return 0;
	dp->rx_port = port;
	pipeline_run(dp, frames, n);
	worker_shape_resume(w, port);
	worker_flush(dp);
	for (unsigned i = 0; i < n; i++)
		bytes += frames[i].len;
	counter_add(&dp->count->port[port].rx_packets, n);
	counter_add(&dp->count->port[port].rx_bytes, bytes);
	xsk_queue_rx_done(q, n);
	return n;
}

static void take_flows(struct worker *w)
{
	struct flows_taking *taking = __atomic_load_n(&w->taking, __ATOMIC_ACQUIRE);

	if (__builtin_expect(!taking, 1) || !w->dp.policy)
		return;
	if (flows_take(&w->dp, taking))
		__atomic_store_n(&w->taking, NULL, __ATOMIC_RELEASE);
}

unsigned worker_turn(struct worker *w, uint64_t now)
{
	static const struct worker_ports none; /* trees are changed and emptied all the same */
	const struct worker_ports *ports = __atomic_load_n(&w->ports, __ATOMIC_ACQUIRE);
	struct dp *dp = &w->dp;
	unsigned total = 0;

	dp->cfg = __atomic_load_n(&w->config, __ATOMIC_ACQUIRE);
	dp->now = now;
	__atomic_store_n(&w->kept->alive, now, __ATOMIC_RELAXED);
	worker_shape_see(w);
	see_policy(w); /* its flows end also when it has no port left */
	take_flows(w);
	if (!dp->cfg)
		return 0;
	if (!ports)
		ports = &none;
	w->serving = ports;
	beat(w, ports, now);
	if (dp->qos)
		worker_shape_begin(w, ports);
	if (dp->nheld)
		pipeline_held(dp);
	for (unsigned i = 0; i < ports->nrx; i++) {
		struct xsk_queue *q = ports->rx[i].q;

		total += receive(w, q, ports->rx[i].port);
		xsk_queue_fill(q, &w->cache);
	}
	worker_flush(dp);
	if (dp->qos)
		worker_shape(w);
	kick_all(w, ports);
	if (dp->ask_now)
		ring_control(w);
	if (now - w->rate_at > RATE_PERIOD)
		follow_rate(w, ports, now);
	__atomic_store_n(&w->nheld, dp->nheld, __ATOMIC_RELAXED);
	__atomic_store_n(&w->nfree, w->cache.n, __ATOMIC_RELAXED);
	return total;
}

/* Is a receive queue short of frames? Without any posted it would never wake us. */
static bool is_starved(const struct worker_ports *ports)
{
	bool starved = false;

	for (unsigned i = 0; i < ports->nrx; i++) {
		const struct xsk_queue *q = ports->rx[i].q;

		xsk_queue_rouse(q);
		starved |= q->posted - q->received < q->depth;
	}
	return starved;
}

/* Nobody tells us of completions, nor when a device takes packets again: look after 1 ms, then less
 * and less often while nothing moves, as with a port that was set down. 0: nothing is under way. */
static int owed_sleep_ms(struct worker *w, const struct worker_ports *ports)
{
	uint64_t done = 0;
	bool owed = false;

	for (unsigned i = 0; i < PORTS_MAX; i++) {
		const struct xsk_queue *q = ports->tx[i];

		if (!q)
			continue;
		done += counter_read(&q->completed);
		owed |= xsk_queue_busy(q) && !xsk_queue_dead(q);
	}
	if (!owed || done != w->done)
		w->naps = 0;
	w->done = done;
	return owed ? 1 << (w->naps < OWED_NAPS ? w->naps++ : w->naps) : 0;
}

/* In milliseconds; -1: until a packet comes or control wakes us. */
static int sleep_time(struct worker *w)
{
	const struct worker_ports *ports = __atomic_load_n(&w->ports, __ATOMIC_ACQUIRE);
	bool look = w->dp.nheld || (ports && is_starved(ports));
	int owed = ports ? owed_sleep_ms(w, ports) : 0, expire;

	if (look)
		return owed && owed < LOOK_SLEEP_MS ? owed : LOOK_SLEEP_MS;
	expire = w->dp.st ? flows_sleep_ms(&w->dp) : -1;
	if (!owed || (expire >= 0 && expire < owed))
		return expire;
	return owed;
}

/* The same in nanoseconds, and no longer than the trees of this worker wait. False: for ever. */
static bool sleep_until(struct worker *w, uint64_t now, struct timespec *t)
{
	int ms = sleep_time(w);
	uint64_t ns = ms < 0 ? UINT64_MAX : (uint64_t)ms * NSEC_PER_MSEC;

	ns = beat_sleep_ns(__atomic_load_n(&w->ports, __ATOMIC_ACQUIRE), ns);
	if (w->dp.qos && w->shape_at != QDISC_NEVER)
		ns = w->shape_at <= now ? 0 : w->shape_at - now < ns ? w->shape_at - now : ns;
	*t = (struct timespec){ .tv_sec = (time_t)(ns / NSEC_PER_SEC),
				.tv_nsec = (long)(ns % NSEC_PER_SEC) };
	return ns != UINT64_MAX;
}

/* Sleep until a packet, control, or the time a held packet, a completion or a tree of qdiscs should
 * be looked at. */
static void doze(struct worker *w, uint64_t now)
{
	struct epoll_event ev[8];
	struct timespec timeout;
	bool ends = sleep_until(w, now, &timeout), ready;
	uint64_t drain;

	frame_cache_share(&w->cache);
	__atomic_store_n(&w->nfree, w->cache.n, __ATOMIC_RELAXED);
	__atomic_exchange_n(&w->asleep, 1, __ATOMIC_SEQ_CST);
	ready = worker_shape_has_news(w) || /* still online: trees stay */
		__atomic_load_n(&w->taking, __ATOMIC_ACQUIRE);
	rcu_sleep();
	counter_add(&w->sleeps, 1);
	if (!ready && __atomic_load_n(&w->stop, __ATOMIC_SEQ_CST) == 0)
		epoll_pwait2(w->epoll_fd, ev, 8, ends ? &timeout : NULL, NULL);
	counter_add(&w->loops, 1); /* first: who sees us awake sees that we moved */
	__atomic_store_n(&w->asleep, 0, __ATOMIC_SEQ_CST);
	if (read(w->wake_fd, &drain, sizeof(drain)) < 0) { /* EAGAIN: a packet woke us */
	}
	rcu_awake();
}

static void pin(const struct worker *w)
{
	cpu_set_t set;

	if (w->cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)w->cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void boost(struct worker *w, bool on)
{
	struct sched_param p = { .sched_priority = on ? BOOST_PRIORITY : 0 };

	if (w->boosted == on || w->boost_denied)
		return;
	if (pthread_setschedparam(pthread_self(), on ? SCHED_FIFO : SCHED_OTHER, &p))
		w->boost_denied = true;
	else
		w->boosted = on;
}

/* Staying awake pays only where packets can arrive meanwhile: not when whoever delivers them needs
 * this very core. What the last spins brought tells. */
static bool worth_spinning(struct worker *w, bool fruit)
{
	if (fruit)
		w->vain = 0;
	else
		w->vain++;
	return w->vain < 2 || w->vain % SPIN_PROBE == 0;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	uint64_t last = clock_now(), now = last, woke = last, spin = SPIN_NS;
	bool idle = false; /* nothing came in the last turn */
	char name[16];

	snprintf(name, sizeof(name), "worker-%u", w->index);
	pthread_setname_np(pthread_self(), name);
	pin(w);
	prctl(PR_SET_TIMERSLACK, 1000ul); /* a shaper's packet leaves on time */
	boost(w, !w->busy);
	rcu_register_thread();
	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		unsigned n = worker_turn(w, now);
		uint64_t then = now;

		now = clock_now();
		counter_add(&w->loops, 1);
		if (n) {
			last = now;
			counter_add(&w->busy_loops, 1);
			if (now - then > counter_read(&w->worst_loop_ns))
				__atomic_store_n(&w->worst_loop_ns, now - then, __ATOMIC_RELAXED);
		}
		rcu_quiet();
		if (n && idle) { /* came while we spun */
			spin = worth_spinning(w, true) ? SPIN_NS : 0;
			idle = false;
		} else if (!n) {
			idle = true;
		}
		if (!n && !w->busy && now - last >= spin && !worker_shape_is_due(w, now) &&
		    !w->sending) {
			boost(w, true);
			doze(w, now);
			spin = worth_spinning(w, false) ? SPIN_NS : 0;
			idle = false;
			last = now = woke = clock_now();
		}
		if (now - woke > BOOST_NS)
			boost(w, false);
	}
	w->dp.now = now;
	w->dp.cfg = w->config;
	hold_drop(&w->dp);
	rcu_unregister_thread();
	return NULL;
}

int worker_create(struct xsk_mem *mem, unsigned index, int cpu, bool busy, int control_fd,
		  struct worker **out)
{
	struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);
	struct epoll_event ev = { .events = EPOLLIN };
	uint8_t secret[16];

	if (!w)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	w->index = index;
	w->cpu = cpu;
	w->busy = busy;
	w->control_fd = control_fd;
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	ev.data.fd = w->wake_fd;
	w->own_kept = true;
	w->kept = calloc(1, sizeof(*w->kept));
	if (!w->kept || getrandom(secret, sizeof(secret), 0) < 0 || w->wake_fd < 0 ||
	    w->epoll_fd < 0 || spsc_init(&w->messages, MESSAGES, sizeof(struct dp_message)) ||
	    spsc_init(&w->notes, NOTES, sizeof(struct dp_note)) ||
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &ev)) {
		int err = errno ? -errno : -ENOMEM;

		worker_destroy(w);
		return err;
	}
	w->count = &w->kept->count;
	frame_cache_init(&w->cache, mem);
	icmp_limits_init(&w->icmp, secret);
	w->dp = (struct dp){ .base = mem->base,
			     .frame_shift = mem->shift,
			     .count = w->count,
			     .out = w->kept->out,
			     .icmp = &w->icmp,
			     .hold = &w->hold,
			     .flush = dp_flush,
			     .alloc = dp_alloc,
			     .free = dp_free,
			     .ask = dp_ask,
			     .note = dp_note,
			     .worker = index,
			     .random = (uint64_t)index << 48 };
	*out = w;
	return 0;
}

void worker_keep(struct worker *w, struct worker_kept *kept)
{
	if (w->own_kept)
		free(w->kept);
	w->own_kept = false;
	w->kept = kept;
	w->count = w->dp.count = &kept->count;
	w->dp.out = kept->out;
}

int worker_start(struct worker *w)
{
	int err = pthread_create(&w->thread, NULL, worker_main, w);

	w->started = !err;
	return -err;
}

/* Looked at by a write of nothing, as doze() falls asleep by an exchange: of the two one is first.
 * If it is this one, doze() sees all that was done before it, and what was handed to its trees. */
void worker_wake(struct worker *w)
{
	uint64_t one = 1;

	if (__atomic_fetch_add(&w->asleep, 0, __ATOMIC_SEQ_CST) &&
	    write(w->wake_fd, &one, sizeof(one)) < 0) {
		/* already rung */
	}
}

void worker_stop(struct worker *w)
{
	if (!w->started)
		return;
	__atomic_store_n(&w->stop, 1, __ATOMIC_SEQ_CST);
	worker_wake(w);
	pthread_join(w->thread, NULL);
	w->started = false;
}

void worker_destroy(struct worker *w)
{
	if (!w)
		return;
	if (w->cache.mem)
		frame_cache_fini(&w->cache);
	if (w->own_kept)
		free(w->kept);
	spsc_fini(&w->messages);
	spsc_fini(&w->notes);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	free(w);
}
