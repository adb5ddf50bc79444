/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: JSON lines over AF_UNIX SOCK_STREAM.
 *
 *   > {"words": ["show","routes"], "statistics": false, "numeric": false, "cwd": "/root"}
 *   < {"columns": [{"key":..., "title":..., "kind":...}, ...], "single": false, "endless": false}
 *   < {"row": {...}}                       any number; a COL_JSON value is {"json":..., "text":...}
 *   < {"message": "..."}                   for people
 *   < {"end": 0}  or  {"end": 1, "error": "..."}   (end 2: usage)
 *
 *   > {"complete": ["show","ro"]}          rows {"word":..., "help":...} that could be the last
 * word
 *
 * "words" alone is needed. A title is null when text has no such column, a kind is "text",
 * "number", "bytes", "bool" or "json". One request a line, many in turn on a connection. An endless
 * command ends when the client shuts its sending side down.
 *
 * Rows are generated only while the client reads, so a dump of a million rows needs the memory of a
 * few. A request line has at most 64 KiB. Connections are bounded, and so is what waits in all of
 * them: when it is too much, who has not moved for longest goes. When all connections are taken,
 * the one that has been idle longest makes room, then one whose client takes nothing for a second,
 * then, for those who may change things, any that may only read; and readers never take the last
 * quarter. Who leaves half a request or an unread answer standing for a minute is closed. A turn of
 * control's loop does a few steps for readers and a few for admins: packets that wait for a
 * neighbour do not wait for a thousand dumps. Peers are admin when
 * SO_PEERCRED says root, the daemon's own uid, or a member of the socket's group (on the admin
 * socket); else read-only. [control]
 */
#ifndef ROUTER_CTL_SERVER_H
#define ROUTER_CTL_SERVER_H

#include <stdbool.h>

#include "router/lib/loop.h"

struct router;
struct server;

/* Listens on path, mode as chmod(2), group by name or "". A stale socket file is replaced; one that
 * answers is -EADDRINUSE. 0 with *out_fd, still the server's (out_fd may be NULL), or -errno. */
int server_create(struct loop *loop, struct router *r, struct server **out);
int server_listen(struct server *s, const char *path, unsigned mode, const char *group,
		  bool read_only, int *out_fd);
/* The same with a socket that an earlier process listened on, whose clients wait. -EINVAL: it is
 * another one, -ENOENT: there is no such group. fd is the server's only if this succeeds. */
int server_adopt(struct server *s, int fd, const char *path, unsigned mode, const char *group,
		 bool read_only);
/* Is there such a group? Yes also if name is "". */
bool server_knows_group(const char *name);
void server_destroy(struct server *s); /* removes the socket files it made */

/* Something happened that endless commands may tell of: call them soon. */
void server_wake(struct server *s);

/* Another table than command_table, for tests. Before the first connection. */
struct command;
void server_set_table(struct server *s, const struct command *table);

#endif
