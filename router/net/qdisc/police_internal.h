/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of a policer, shared by police.c (which there are) and police_meter.c (the buckets).
 * Nobody else includes this. */
#ifndef ROUTER_NET_QDISC_POLICE_INTERNAL_H
#define ROUTER_NET_QDISC_POLICE_INTERNAL_H

#include <stdalign.h>

#include "router/lib/spinlock.h"
#include "router/lib/table.h"
#include "router/net/qdisc/police.h"

#define METER_UNIT	1000000000ull /* tokens of a byte, or of a packet */
#define METER_DEPTH_MAX UINT32_MAX    /* bytes or packets: with it, a bucket fits 62 bits */
#define METER_PEAK_MTU	2047u	      /* depth of tc's second bucket, if the file gives no mtu */

enum meter_kind {
	METER_NONE,    /* no rate: everything is green, but for mtu */
	METER_BYTES,   /* one bucket, or tc's two */
	METER_PACKETS, /* one bucket */
	METER_SRTCM,
	METER_TRTCM,
};

struct bucket {
	uint64_t rate; /* tokens a nanosecond */
	uint64_t depth, tokens;
};

/* bucket[0]: the only one, or the committed one; bucket[1]: peak, excess; of depth 0 and unasked
 * where there is none. */
struct meter {
	enum meter_kind kind;
	bool aware, peak;
	uint32_t mtu; /* 0: any */
	struct conf_size size;
	struct bucket bucket[2];
	uint64_t last; /* ns: reckoned up to here */
};

struct policer {
	alignas(64) uint32_t lock; /* of the meter, and of who counts */
	struct meter meter;
	uint64_t packets[POLICE_COLOURS], bytes[POLICE_COLOURS];
	/* control's own */
	struct table_node node;
	char *name;
	bool shared;
	struct conf_police conf;
	uint64_t used; /* the last build that asked for it */
};

/* [control] Full buckets. 0 or -EINVAL. */
int meter_init(struct meter *m, const struct conf_police *c);
/* Takes tokens as the colour it returns demands. [any] who has it for himself */
enum police_colour meter_packet(struct meter *m, uint32_t len, enum police_colour before,
				uint64_t now);

#endif
