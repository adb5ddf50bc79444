/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control sockets of a daemon, in its run directory or where the configuration has them; new,
 * or those of an earlier process, whose clients wait meanwhile (restart.h). [control] */
#ifndef ROUTER_LISTEN_H
#define ROUTER_LISTEN_H

struct router;

/* r->server, listening. 0; or -errno after saying why, -EADDRINUSE if a router runs already. */
int listen_start(struct router *r);

#endif
