/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of outside ports share: numbered inside hosts and outside addresses. */
#ifndef TESTS_NATPORT_UTIL_H
#define TESTS_NATPORT_UTIL_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "router/net/natport_internal.h"
#include "tests/random.h"

static const uint8_t natport_key[16] = "fifteen letters";

static inline struct natports *ports_of(uint32_t max)
{
	struct natports *n = NULL;

	assert_int_equal(natports_create(NULL, max, natport_key, &n), 0);
	return n;
}

static inline struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static inline uint16_t hold(struct natports *n, const char *text)
{
	struct addr a = address(text);
	uint16_t slot = natports_hold(n, &a);

	assert_int_not_equal(slot, NATPORT_NO_SLOT);
	return slot;
}

static inline struct natport_inside inside4(uint32_t host, uint16_t port, uint8_t proto)
{
	return (struct natport_inside){ .addr = addr_v4(htonl(0x0a000000 + host)),
					.port = port,
					.proto = proto };
}

static inline struct natport_inside inside6(uint32_t host, uint16_t port, uint8_t proto)
{
	struct natport_inside in = { .addr = address("2001:db8::"), .port = port, .proto = proto };

	host = htonl(host);
	memcpy(in.addr.bytes + 12, &host, sizeof(host));
	return in;
}

/* As rules want it by default. */
static inline struct natport_want want(uint16_t port)
{
	return (struct natport_want){ .port = port, .keep = true, .parity = true, .random = true };
}

static inline struct natport_slots only(uint16_t slot)
{
	struct natport_slots s = { 0 };

	natport_slots_add(&s, slot);
	return s;
}

/* A new flow of an endpoint: its port on this slot; 0: none is free. */
static inline uint16_t map(struct natports *n, const struct natport_inside *in, uint16_t slot,
			   const struct natport_want *w)
{
	struct natport_slots slots = only(slot);
	uint16_t port = 0;

	return natmap_make(n, in, &slots, &slot, w, random64(), &port) ? 0 : port;
}

static inline size_t resident(const struct natports *n)
{
	struct stat st;

	assert_int_equal(fstat(n->fd, &st), 0);
	return (size_t)st.st_blocks * 512;
}

static inline uint32_t taken(const struct natports *n, uint16_t slot, enum natport_plane plane)
{
	struct natport_info info;
	uint32_t cursor = slot;

	assert_true(natports_walk(n, &cursor, &info));
	return info.taken[plane];
}

/* Conservation: no record, no port and no head is left. */
static inline void check_empty(struct natports *n)
{
	for (unsigned i = 0; i < NATPORT_SHARDS; i++) {
		assert_int_equal(n->shard[i].records, 0);
		assert_int_equal(n->shard[i].units, 0);
		assert_int_equal(n->stripe[i].records, 0);
	}
	for (size_t i = 0; i < NATPORT_ALL_WORDS; i++)
		assert_true(n->taken[i] == n->reserved[i]);
	for (uint64_t i = 0; i < n->head->layout.in_heads; i++)
		assert_int_equal(n->in[i], 0);
	for (uint64_t i = 0; i < n->head->layout.out_heads; i++)
		assert_int_equal(n->out[i], 0);
}

static inline void ports_close(struct natports *n)
{
	check_empty(n);
	natports_destroy(n);
}

#endif
