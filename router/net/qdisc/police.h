/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policers: token buckets that colour packets and never queue them. S16 of the requirements.
 *
 *   one rate    `rate`, `burst`: green, or yellow ("exceed"); with `peakrate` both buckets must
 * have enough, as tc's police; the second one's depth is `mtu` packets     `packet_rate`,
 * `packet_burst`: the same in packets srTCM       with `excess`: RFC 2697, CIR CBS EBS trTCM with
 * `peakrate` and `peakburst`: RFC 2698, CIR CBS PIR PBS mtu         longer packets are not green:
 * yellow, or red where there are three colours
 *
 * All buckets are full at the beginning. Tokens are kept in 1e-9 byte, what a rate of 1 byte a
 * second brings in a nanosecond, so nothing is ever rounded and a burst is exact to the byte.
 *
 * A policer is known by its name, or by the place of its filter, and by its parameters: asked for
 * again by the next configuration, it is the same one, with its tokens and counters. Several
 * workers, ports and directions may use one at once; it is locked for as long as the reckoning
 * takes.
 */
#ifndef ROUTER_NET_QDISC_POLICE_H
#define ROUTER_NET_QDISC_POLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/conf.h"

enum police_colour { POLICE_GREEN, POLICE_YELLOW, POLICE_RED, POLICE_COLOURS };

struct policers;
struct policer;

int policers_create(struct policers **out); /* [control] 0 or -errno */
void policers_destroy(struct policers *p);

/* [control] Between begin and end of a build all policers in use are asked for; what was not is
 * freed by the sweep, which comes after a grace period. */
void policers_build_begin(struct policers *p);
void policers_sweep(struct policers *p);
/* [control] By c->name, or, if it has none, by the place it stands at, which names it in `show`. 0;
 * -ENOMEM; -EINVAL: a rate without a burst, or too large to reckon with; -EEXIST: this build has
 * another one of that name with other parameters. */
int police_get(struct policers *p, const char *place, const struct conf_police *c,
	       struct policer **out);

/* [worker] The colour of a packet of so many bytes, whose tokens are taken. `before`: the colour it
 * has, if the policer is colour-aware and has three. dry: as it would be, and nothing is taken. */
enum police_colour police_packet(struct policer *p, uint32_t len, enum police_colour before,
				 uint64_t now, bool dry);

/* [any] For show. */
struct police_info {
	const char *name;
	bool shared; /* it has a name of its own */
	struct conf_police conf;
	uint64_t packets[POLICE_COLOURS], bytes[POLICE_COLOURS];
};
void police_info(const struct policer *p, struct police_info *out);
/* [control] All there are, in the order of their making: NULL after the last. */
const struct policer *police_at(const struct policers *p, unsigned i);

#endif
