/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From one process to the next without losing a packet: what this one inherits, and what it leaves.
 *
 * What outlives a process is kept by name (systemd/fdstore.h) from the moment it exists: `state`
 * (router/kept.h), `umem` (xsk/mem.h), `flows`, `natports`, `xsk-IFINDEX-QUEUE` for each socket,
 * `socket-NAME` for those of the control plane. The XDP program stays on its ports by its pins
 * (xsk/steer.h), and goes on giving packets to the sockets' rings, where they wait.
 *
 * The next process adopts all of it: restart_memory() before there are workers, the tables when
 * rules are built (stateful.c), restart_ports() when everything is ready for packets. Whatever does
 * not fit is said in the log and left out; without state or packet memory it is a cold start.
 * [control]
 */
#ifndef ROUTER_RESTART_H
#define ROUTER_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#define EXIT_RESTART 75 /* the service manager shall start the next one: sysexits' EX_TEMPFAIL */

struct router;
struct netlink_link;

/* What r->store has inherited, or, if wanted, what a running router hands over. 0, or -errno after
 * saying why. */
int restart_begin(struct router *r, bool handover);
/* state.port_before */
uint16_t restart_port_before(void *router, const struct netlink_link *l);
/* A router that hands over stops here: from now on all is ours. 0; or -errno after saying why, and
 * the other one goes on. */
int restart_go(struct router *r);
/* An inherited packet memory and its state become r->mem and r->kept. False: start with new ones;
 * nothing inherited is left. */
bool restart_memory(struct router *r);
/* New ones will be kept. */
void restart_keep(struct router *r);
/* What workers leave to the next process lies in r->kept from here on; before they start. */
void restart_workers(struct router *r);
/* Ports that were open and are still wanted get the places they had, by which counters, queues and
 * packets under way know them; before any other port is given one. */
void restart_places(struct router *r);
/* Opens the ports that were open, with their sockets; packets flow from here on. What nobody took
 * until here is closed: rules and tables have been built. */
void restart_ports(struct router *r);
/* When there is time again: what could wait. */
void restart_end(struct router *r);
/* Every few seconds: who has lived for long is trusted again, and frames of queues that nobody
 * adopted come back. */
void restart_upkeep(struct router *r, uint64_t now);

/* No worker runs any more, and nothing is under way but what lies in rings. */
void restart_quiesce(struct router *r);
/* Both, for a service manager that starts the next one, when the command has been answered. */
int restart_soon(struct router *r);
/* Is that about to happen? Then at once, and it is done. */
bool restart_now(struct router *r);
/* After it: ends this process, leaving everything to the next. */
void restart_leave(struct router *r, int status);
/* Would there be a next one, if this ended? False with why. */
bool restart_is_possible(const struct router *r, const char **why);

#endif
