/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread a core: receive, pipeline, send, quiescent report.
 *
 * Ports with fewer queues than workers are dealt out in turn (ports.c); of every other port worker
 * w serves queue w (and w + W, w + 2W ... where a port has more queues than there are workers).
 * What it serves and how packets are judged are two pointers that control replaces under RCU
 * (QSBR): a worker reads them once a loop and reports a quiescent state at the end of it; asleep,
 * it is offline.
 */
#ifndef ROUTER_WORKER_H
#define ROUTER_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "router/lib/spsc.h"
#include "router/net/dp.h"
#include "router/net/hold.h"
#include "router/net/icmp_limit.h"
#include "xsk/port.h"

#define WORKERS_MAX 64

/* The queues of one worker, and where it sends: immutable, published by control. */
struct worker_ports {
	struct xsk_queue *tx[PORTS_MAX]; /* by port; NULL: no such port */
	unsigned nrx;
	bool beats; /* some of rx have one */
	struct {
		struct xsk_queue *q;
		uint64_t *beat; /* beat.h; NULL: none */
		uint16_t port;
	} rx[PORTS_MAX * XSK_QUEUES_MAX]; /* all there can be: one worker may serve them */
};

/* What the next process must know of a worker, in memory that outlives this one (kept.h): its
 * counters, and frames that were about to be handed to a send ring. */
struct worker_kept {
	struct dp_counters count;
	uint64_t alive; /* CLOCK_MONOTONIC, ns: when it last turned */
	struct dp_out out[PORTS_MAX];
};

struct worker {
	unsigned index;
	int cpu;   /* pinned to; -1: anywhere */
	bool busy; /* never sleeps */
	pthread_t thread;
	bool started;

	/* published by control */
	const struct dp_config *config;
	const struct worker_ports *ports;
	const struct policy *policy; /* NULL: nothing is stateful */
	struct stateful *st;	     /* NULL until something is; then for good */
	struct ct_events *events;    /* NULL: nobody monitors flows */
	const struct qos *qos;	     /* NULL: nothing is shaped */
	struct flows_taking *taking; /* flows.h; NULL: nothing, or it is done */
	struct worker *const *peers; /* all workers, by number; set once before it starts */
	int stop;

	/* to control: neighbours to resolve; rung when there is something to read */
	struct spsc messages;
	struct spsc notes; /* struct dp_note: notes.h */
	int control_fd;	   /* eventfd of the control loop */
	int wake_fd;	   /* eventfd: control wakes us */
	int epoll_fd;	   /* sockets of our queues, and wake_fd */

	/* ours alone; anybody may read a slightly old value */
	uint64_t loops, sleeps, busy_loops; /* loops that moved a packet */
	uint64_t worst_loop_ns;		    /* control may set it to 0 */
	uint32_t asleep;
	uint32_t nheld, nfree;	  /* packets held, frames cached, after the last turn */
	struct worker_kept *kept; /* own_kept: memory of our own */
	bool own_kept;
	struct dp_counters *count; /* in kept */
	struct frame_cache cache;
	struct icmp_limits icmp; /* of all workers, if we are the first of them */
	struct hold hold;
	uint64_t rate_at;
	uint64_t beat_at;		    /* ns, of the last beat; beat_of: to whom */
	const struct worker_ports *beat_of; /* only compared */
	uint64_t lapses, lapse_at;	    /* how often it was late; when it noticed */
	uint64_t went_on;		    /* lapses that control has seen to; control's */
	bool boosted, boost_denied;	    /* runs with real-time priority; may not */
	bool sending;			    /* kernels take more of what is in send rings */
	const struct worker_ports *serving; /* in this turn */
	uint64_t done;			    /* frames completed when we last went to sleep */
	unsigned naps;			    /* sleeps since one was */
	uint32_t vain;			    /* spins in a row that brought nothing */
	struct dp_frame back[BURST];	    /* out of an ifb: on their way again */
	unsigned nback;
	uint64_t shape_at; /* ns: when a tree of ours may give a packet */
	struct dp dp;
};

/* 0 or -errno. [control] */
int worker_create(struct xsk_mem *mem, unsigned index, int cpu, bool busy, int control_fd,
		  struct worker **out);
/* Before it starts: what outlives it is there, and goes on from what it says. */
void worker_keep(struct worker *w, struct worker_kept *kept);
int worker_start(struct worker *w);
void worker_stop(struct worker *w); /* joins */
void worker_destroy(struct worker *w);
void worker_wake(struct worker *w); /* [control] if asleep */

/* One turn: what the thread does for ever; tests and benchmarks call it themselves. Returns packets
 * received. */
unsigned worker_turn(struct worker *w, uint64_t now);

#endif
