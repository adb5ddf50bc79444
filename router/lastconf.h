/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration of before, for a start that finds a refused file.
 *
 * A process may be killed, or restarted by systemd without being asked, while somebody edits the
 * file. What applies is therefore kept as text beside all else that outlives a process (restart.h),
 * by the name `config`: the next one goes on by it, says so in log and status, and takes the file
 * at the next reload that it accepts. A start after a stop finds nothing kept, and a refused file
 * ends it. [control]
 */
#ifndef ROUTER_LASTCONF_H
#define ROUTER_LASTCONF_H

#include <stdbool.h>

struct router;

/* r->conf: the file's, or else the one of before. 0, or the file's error, which has been said. */
int lastconf_load(struct router *r);
/* The rules of r->conf cannot be built: from here on it is the one of before, if there is one. */
bool lastconf_fall_back(struct router *r);
/* r->conf applies. */
void lastconf_keep(struct router *r);

#endif
