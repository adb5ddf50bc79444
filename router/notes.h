/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What workers want in the log: rules that say so, and a sample of packets that cannot be.
 * [control] */
#ifndef ROUTER_NOTES_H
#define ROUTER_NOTES_H

struct router;

/* Write what has come. */
void notes_read(struct router *r);

#endif
