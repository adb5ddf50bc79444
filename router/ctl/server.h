/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: JSON lines over AF_UNIX SOCK_STREAM.
 *
 *   > {"words": ["show","routes"], "statistics": false}
 *   < {"columns": [{"key":..., "title":..., "kind":...}, ...], "single": false}
 *   < {"row": {...}}                       any number; a COL_JSON value is {"json":..., "text":...}
 *   < {"message": "..."}                   for people
 *   < {"end": 0}  or  {"end": 1, "error": "..."}   (end 2: usage)
 *
 * One request a line, many in turn on a connection. Rows are generated only while the client reads, so
 * a dump of a million rows needs the memory of one. Peers are admin when SO_PEERCRED says root, the
 * daemon's own uid, or a member of the socket's group (on the admin socket); else read-only. [control]
 */
#ifndef ROUTER_CTL_SERVER_H
#define ROUTER_CTL_SERVER_H

#include <stdbool.h>

#include "router/lib/loop.h"

struct router;
struct server;

/* Listens on path, mode as chmod(2), group by name or "". A stale socket file is replaced; one that
 * answers is -EADDRINUSE. 0 or -errno. */
int server_create(struct loop *loop, struct router *r, struct server **out);
int server_listen(struct server *s, const char *path, unsigned mode, const char *group, bool read_only);
void server_destroy(struct server *s); /* removes the socket files it made */

#endif
