/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state that outlives the process: a memfd with counters, who owns each frame, which socket is
 * which queue of which port, and numbers that must go on. Beside it lie the packet memory
 * (xsk/mem.h), the flow table (net/flow.h) and NAT's ports (net/natport.h), in memfds of their own.
 *
 * The next process maps the same memfd. What it reads there was written by a process that may have
 * been killed between any two instructions, or by another version: everything is checked against
 * the size of the file before it is used. A version whose counters are others has them carried
 * over by name into a memfd of its own, when the other process writes no more; one whose layout we
 * do not know is refused, and the caller starts cold. [control], but for what is pointed to
 */
#ifndef ROUTER_KEPT_H
#define ROUTER_KEPT_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "config/conf.h"
#include "router/ctl/kernel_ports.h"
#include "router/worker.h"
#include "xsk/mem.h"

#define KEPT_MAGIC   0x74706b2d72747572ull /* "rutr-kpt" */
#define KEPT_VERSION 1u
#define KEPT_NAME    32 /* bytes of a counter's name */
#define KEPT_TRIES   3	/* adoptions in a row that did not live for long */

/* An open port; its place in the table is its number, which counters and queues go by. */
struct kept_port {
	char name[64]; /* in the configuration; "": none */
	char netdev[IFNAMSIZ];
	int32_t ifindex;
	uint32_t queues;
	uint32_t want;	       /* enum xsk_want */
	uint32_t old_features; /* offloads that were switched off */
};

/* Plain numbers, at the beginning of the file. Offsets are from there. */
struct kept_header {
	uint64_t magic;
	uint32_t version, header_size;
	uint64_t bytes;
	char boot[40];	/* of this start of the kernel: clocks and ifindexes are worth nothing after
			 */
	uint64_t netns; /* inode of the network namespace */

	/* dimensions, from which all offsets follow */
	uint32_t ndrops, nevents, nports, nvlans, nout, nworkers, nslots, frames;
	uint32_t frame_size;
	uint32_t workers; /* that were in use */

	/* life */
	uint32_t tries;	  /* adoptions since a process last lived for long */
	uint32_t clean;	  /* workers stopped in order: nothing was under way */
	uint64_t adopted; /* times in all */
	uint64_t died_at; /* CLOCK_MONOTONIC, ns: a process let go in order; 0: it was killed */

	/* Numbers that must not come again: flows remember them. */
	uint32_t fib_generation, policy_generation;

	/* What struct router counts beside the workers. */
	uint64_t unsent, kernel_rx_dropped, kernel_rx_ring_full, kernel_rx_unread;

	struct kept_port port[PORTS_MAX];
	struct kernel_reserved reserved; /* ports that we took from Linux's sockets */
};

struct kept {
	int fd;
	size_t bytes;
	struct kept_header *head;
	char (*name)[KEPT_NAME];    /* of drops, then of events */
	struct worker_kept *worker; /* WORKERS_MAX */
	struct xsk_kept xsk;
};

/* 0 or -errno. */
int kept_create(uint32_t frames, uint32_t frame_size, struct kept **out);

/* Another process's, which may be writing still: the header may be read, and nothing else until
 * kept_carry_over(). fd becomes ours, also on failure. 0; or -errno with why in words: no router's,
 * another layout, another boot, damaged, and -EXDEV: of another network namespace. */
int kept_adopt(int fd, struct kept **out, char *why, size_t size);
/* Nobody else writes any more. If its counters are not ours, *k becomes a copy in a memfd of its
 * own, where they are. 0 or -errno. */
int kept_carry_over(struct kept **k);

/* This start of the kernel, "" if it cannot be read; and this network namespace. */
void kept_boot(char out[40]);
uint64_t kept_netns(void);

/* Unmaps and closes; what others keep of it stays. */
void kept_destroy(struct kept *k);

#endif
