/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between standin.c (Linux is ready, or is not) and standin_take.c (what it has carried on comes
 * back). [control] */
#ifndef ROUTER_STANDIN_INTERNAL_H
#define ROUTER_STANDIN_INTERNAL_H

#include "router/standin.h"

struct link;

/* Does Linux stand in on this link, by the configuration? */
bool standin_has(const struct router *r, const struct link *l);
bool standin_is_anywhere(const struct conf *c);

/* Connections of Linux's that are ours to translate become flows; forget: and Linux forgets them.
 */
void standin_take(struct router *r, bool forget);

#endif
