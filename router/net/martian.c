/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See martian.h. */
#include "router/net/martian.h"

#include <arpa/inet.h>
#include <string.h>

#include "router/lib/clock.h"
#include "router/net/parse.h"

#define NOTE_EVERY (10 * NSEC_PER_SEC) /* of a worker: a sample is enough, counters count */

bool martian4(const struct dp_settings *set, uint32_t addr)
{
	uint8_t top = (uint8_t)(ntohl(addr) >> 24);

	if (!ip4_martian(addr))
		return false;
	return !set->martians_allowed || top == 127 || top >> 4 == 14 || addr == INADDR_ANY ||
	       addr == INADDR_BROADCAST;
}

static void note(struct dp *dp, uint16_t iface, int family, const uint8_t *frame, uint32_t l2len,
		 enum drop_reason why)
{
	struct dp_note n = {
		.kind = NOTE_MARTIAN, .rule = (uint16_t)why, .in = iface, .family = (uint8_t)family
	};
	const uint8_t *l3 = frame + l2len;

	memcpy(n.mac, frame + 6, sizeof(n.mac));
	memcpy(n.src, l3 + (family == AF_INET6 ? 8 : 12), family == AF_INET6 ? 16 : 4);
	memcpy(n.dst, l3 + (family == AF_INET6 ? 24 : 16), family == AF_INET6 ? 16 : 4);
	if (!dp->note || !dp->note(dp, &n))
		dp_event(dp, EVENT_LOG_LOST);
}

void martian_drop(struct dp *dp, uint16_t iface, int family, const uint8_t *frame, uint32_t l2len,
		  enum drop_reason why)
{
	if (dp->now >= dp->martian_again) {
		dp->martian_again = dp->now + NOTE_EVERY;
		note(dp, iface, family, frame, l2len, why);
	}
	counter_add(&dp->count->drop[why], 1);
	dp->free(dp, frame);
}
