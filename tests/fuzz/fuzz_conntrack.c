/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A message, as long as it says, as one of Linux's connections: what is taken for one keeps its
 * bounds, and says the same of both directions. */
#include <assert.h>
#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/conntrack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_key(const struct flow_key *k)
{
	static const uint8_t zero[12];

	assert(k->family == AF_INET || k->family == AF_INET6);
	assert(!k->zone);
	if (k->family == AF_INET)
		assert(!memcmp(k->src + 4, zero, 12) && !memcmp(k->dst + 4, zero, 12));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nlmsghdr *h = malloc(size ? size : 1); /* exactly so long, and aligned */
	struct conntrack_entry e;

	if (!h || size > INT32_MAX)
		abort();
	memcpy(h, data, size);
	if (size >= sizeof(*h)) {
		h->nlmsg_len = (uint32_t)size;
		if (conntrack_parse(h, &e)) {
			check_key(&e.orig);
			check_key(&e.reply);
			assert(e.orig.family == e.reply.family && e.orig.proto == e.reply.proto);
			assert((e.state & FLOW_TCP_STATE) <= 9);
		}
	}
	free(h);
	return 0;
}
