// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections that Linux carried on while it stood in for us: see flows.h. [worker]
 *
 * Those that we know have moved on without us. Each half was written by its own worker and stays
 * so: it forgets its window when its next packet comes, if its last one is from before the end of
 * the lapse (flows_is_outdated()). From then on the connection counts as picked up in the middle.
 */
#include "router/flows.h"
#include "router/flows_internal.h"

void flows_resume(struct stateful *st, uint32_t tick)
{
	__atomic_store_n(&st->resumed, tick + 1, __ATOMIC_RELAXED);
}
