/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One router hands over to the next without a keeper between them: `router --handover`.
 *
 * The one that runs listens on RUN_DIR/handover.sock, for root and its own user alone. Whoever
 * connects and says which version of this protocol it speaks gets every descriptor that outlives
 * the process, with its name, and can prepare itself while the old one forwards. Told to go, the
 * old one stops its workers, says that nothing else will be written, and ends. Rings fill
 * meanwhile, and nothing is lost. [control]
 *
 *	> "take over 1"
 *	< name, with one descriptor attached		any number
 *	< "all"						or "refused: why"
 *	> "go"
 *	< "yours"					or "refused: why", and the old one goes on
 */
#ifndef ROUTER_HANDOVER_H
#define ROUTER_HANDOVER_H

#include <stddef.h>

#include "systemd/fdstore.h"

struct router;
struct handover;

/* The old one: listens. 0 or -errno. */
int handover_listen(struct router *r, struct handover **out);
void handover_destroy(struct handover *h); /* removes its socket */

/* The new one: all descriptors into s. 0; -ENOENT: no router runs there; or -errno with why. */
struct asking;
int handover_ask(const char *run_dir, struct fdstore *s, struct asking **out, char *why,
		 size_t size);
/* 0: all of it is ours. -errno with why: the other one died, or goes on. Frees a. */
int handover_go(struct asking *a, char *why, size_t size);

#endif
