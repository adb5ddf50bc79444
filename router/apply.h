/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration becomes what runs: checked whole, then applied; a refused one changes nothing.
 *
 * Addresses, MTUs, rules, routes and static neighbours of the file are installed into Linux, which
 * tells us about them like about any other; what leaves the file is withdrawn. [control]
 */
#ifndef ROUTER_APPLY_H
#define ROUTER_APPLY_H

#include <stdbool.h>
#include <stdio.h>

struct link;
struct router;

/* Load r->conf_path and apply it. 0; or the error of conf_load() with its messages in `messages`,
 * and nothing changed. Settings that need a restart are named in `messages` and kept as they run.
 */
int apply_reload(struct router *r, FILE *messages);

/* The first time: also withdraws the routes and addresses that a router left which had no time to.
 */
void apply_start(struct router *r);

/* Linux follows r->conf: installs what is missing. Called when links and addresses change, too: a
 * route whose gateway was not reachable may be now. */
void apply_kernel(struct router *r);

/* What the file calls a device: an interface of the file first, else as Linux has it. NULL: it is
 * not there. */
const struct link *apply_named_link(const struct router *r, const char *name);

/* Tell systemd in words what we do: with ready also that we do it; else only if the words changed.
 */
void apply_status(struct router *r, bool ready);

#endif
