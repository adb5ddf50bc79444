/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The XDP program by BPF_PROG_RUN: nothing is attached and nothing pinned. What its tests share: a
 * port with a socket, tagged frames in every way, and what came of a frame, exact to the count. */
#ifndef TESTS_UNIT_STEER_RUN_H
#define TESTS_UNIT_STEER_RUN_H

#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>
#include <linux/bpf.h>

#include "tests/unit/steer_frames.h"
#include "xsk/steer.h"

#define TEST_VID 100

static struct steer *s;
static struct steer_port *p;
static int xsk = -1;
static char why[STEER_WHY];

static inline int run_length(const struct frame *f, unsigned len)
{
	/* a buffer of exactly the length: the kernel copies it, sanitizers watch */
	void *data = malloc(len);
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = data, .data_size_in = len, .repeat = 1);

	assert_non_null(data);
	memcpy(data, f->b, len);
	assert_int_equal(bpf_prog_test_run_opts(steer_port_prog_fd(p), &o), 0);
	free(data);
	return o.retval;
}

/* Runs the first len bytes; checks that exactly this verdict was counted, once, and what came of
 * it. */
static inline void expect_length(const char *what, const struct frame *f, unsigned len,
				 enum steer_verdict want, int action)
{
	uint64_t before[STEER__COUNT], after[STEER__COUNT];
	int did;

	steer_port_counters(p, before);
	did = run_length(f, len);
	steer_port_counters(p, after);
	for (int v = 0; v < STEER__COUNT; v++)
		if (after[v] - before[v] != (v == (int)want))
			fail_msg("%s, %u bytes: %s +%d, but %s was expected", what, len,
				 steer_verdict_info[v].name, (int)(after[v] - before[v]),
				 steer_verdict_info[want].name);
	if (did != action)
		fail_msg("%s, %u bytes: action %d instead of %d", what, len, did, action);
}

/* On a queue with a socket. */
static inline int action_of(enum steer_verdict v)
{
	return v == STEER_SOCKET || v == STEER_NAT || v == STEER_WHOLE ? XDP_REDIRECT : XDP_PASS;
}

static inline void expect(const char *what, struct frame f, enum steer_verdict want)
{
	expect_length(what, &f, f.len, want, action_of(want));
}

/* The frame gives `want` from `enough` bytes on; below that the socket gets it, and below l2 bytes
 * (where its Ethernet and VLAN headers end) it is too short to judge. */
static inline void expect_cut(const char *what, struct frame f, enum steer_verdict want,
			      unsigned l2, unsigned enough)
{
	for (unsigned len = ETH; len <= f.len; len++) {
		enum steer_verdict v = len < l2	      ? STEER_PASS_SHORT
				       : len < enough ? STEER_SOCKET
						      : want;

		expect_length(what, &f, len, v, action_of(v));
	}
}

static inline void create_port(unsigned queues, bool fail_pass)
{
	struct steer_port_config c = {
		.ifindex = 1, .name = "test", .queues = queues, .fail_pass = fail_pass
	};

	memcpy(c.mac, our_mac, 6);
	if (steer_port_create(s, &c, &p, why))
		fail_msg("%s", why);
}

static inline int setup(void **state)
{
	(void)state;
	why[0] = '\0';
	if (steer_create(NULL, &s, why))
		fail_msg("%s", why);
	create_port(1, false);
	xsk = socket(AF_XDP, SOCK_RAW, 0);
	assert_true(xsk >= 0);
	assert_int_equal(steer_port_socket(p, 0, xsk), 0);
	assert_int_equal(steer_port_vlan(p, TEST_VID, true), 0);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	close(xsk);
	steer_port_destroy(p, true);
	steer_destroy(s, true);
	return 0;
}

/* ---- tagging ---- */

static const unsigned tagged[] = { 0x8100, 0xe000 | TEST_VID, 0 }; /* PCP and DEI do not matter */
static const unsigned priority[] = { 0x8100, 0xe000, 0 };
static const unsigned qinq[] = { 0x88a8, TEST_VID, 0x8100, TEST_VID, 0 };

static const struct {
	const char *name;
	const unsigned *tags;
	unsigned l2;
} tagging[] = {
	{ "untagged", NULL, ETH },
	{ "tagged", tagged, ETH + TAG },
	{ "priority-tagged", priority, ETH + TAG },
	{ "QinQ", qinq, ETH + 2 * TAG },
};

/* Calls f for every way of tagging that is ours. */
static inline void each_tagging(void (*f)(const char *name, const unsigned *tags, unsigned l2))
{
	for (size_t i = 0; i < sizeof(tagging) / sizeof(tagging[0]); i++)
		f(tagging[i].name, tagging[i].tags, tagging[i].l2);
}

/* Where the tests must skip, with a word why. */
static inline bool cannot_run(void)
{
	int fd = socket(AF_XDP, SOCK_RAW, 0);

	if (fd < 0) {
		fprintf(stderr, "no AF_XDP here: %s\n", strerror(errno));
		return true;
	}
	close(fd);
	if (steer_create(NULL, &s, why)) {
		fprintf(stderr, "no BPF here: %s\n", why);
		return true;
	}
	steer_destroy(s, false);
	return false;
}

#endif
