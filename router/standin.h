/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux as our stand-in, on ports with `on-failure: pass`: it forwards while we are dead or hung.
 *
 * The XDP program decides by itself when that is (router/beat.h). What has to be there before is
 * made ready here: Linux forwards what comes in by these interfaces (ctl/forwarding.h), and
 * translates it as nat.source says (ctl/nft_standin.c). While we live nothing of that is met by
 * any packet, as XDP leaves Linux none that it would forward.
 *
 * When we come back, connections that Linux has translated meanwhile are taken over with the ports
 * they have: standin_take.c. [control]
 */
#ifndef ROUTER_STANDIN_H
#define ROUTER_STANDIN_H

#include <stdbool.h>

struct router;
struct port;
struct conf;

/* At start. 0 or -ENOMEM. */
int standin_start(struct router *r);
/* Interfaces that are on open ports have Linux ready, all others have not. Cheap. */
void standin_follow(struct router *r);
/* Linux would not translate as it must, and shall not forward: why, or "". */
void standin_hold(struct router *r, const char *why);
/* Before the program leaves a port that is no longer ours: else Linux would forward from then on.
 */
void standin_leave(struct router *r, const struct port *p);
/* At the end: before ports close. */
void standin_stop(struct router *r);
/* For --cleanup: what a process that was killed has left. How many interfaces there were. */
unsigned standin_cleanup(const char *run_dir);

/* Does Linux stand in for this interface of a configuration? A VLAN is as its port is. */
bool standin_is_on(const struct router *r, const struct conf *c, const char *iface);

/* Taking back, at start: before ports open, which leave packets to Linux until all of them have;
 * and then, for packets to come to us, and Linux to forget a moment later. */
void standin_take_back(struct router *r);
void standin_settle(struct router *r);
/* Workers that were hung wait for this before packets come to them again (router/beat.h). Nothing,
 * if none does. */
void standin_resume(struct router *r);

#endif
