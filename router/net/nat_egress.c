/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Masquerading is by the interface a flow leaves by: what becomes of flows when that changes.
 * [worker] */
#include "router/net/nat_internal.h"

bool nat_moved(const struct nat *n, uint8_t family, uint16_t slot, uint16_t out)
{
	const struct nat_own *own = n->own[family_index(family)];
	bool elsewhere = false;

	if (!out || nat_own_of(n, family, out)->slot == slot)
		return false;
	for (unsigned i = 0; i < n->nown; i++)
		elsewhere |= own[i].slot == slot;
	return elsewhere;
}
