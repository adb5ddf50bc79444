/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state that outlives a process: what another version counted, and what kills who adopts it.
 * What is damaged or foreign is in tests/netns/restart_bad.sh. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "router/kept.h"
#include "router/net/region.h"
#include "router/restart.h"
#include "router/router.h"
#include "xsk/steer_private.h"

#define FRAMES 1024u
#define COUNTS (DROP__COUNT + EVENT__COUNT)
#define SAME                                                                                       \
	(sizeof(struct worker_kept) - COUNTS * sizeof(uint64_t)) /* of a worker, in any version */

/* ---- another version */

/* As its author would write it: one more drop, in front of all, and each worker that much longer.
 */
struct theirs {
	int fd;
	size_t bytes;
	struct kept_header *head;
	char (*name)[KEPT_NAME];
	uint64_t *worker;
	uint16_t *owner;
};

static void theirs_create(struct theirs *t)
{
	uint64_t end = 0, name_at, worker_at, owner_at;
	struct kept *k;

	assert_int_equal(kept_create(FRAMES, 2048, &k), 0);
	region_reserve(&end, sizeof(*k->head));
	name_at = region_reserve(&end, (COUNTS + 1) * KEPT_NAME);
	worker_at = region_reserve(&end, WORKERS_MAX * (sizeof(struct worker_kept) + 8));
	owner_at = region_reserve(&end, FRAMES * sizeof(uint16_t));
	region_reserve(&end, XSK_SLOTS * sizeof(struct xsk_queue_kept));
	t->bytes = end;
	t->fd = memfd_create("theirs", MFD_CLOEXEC);
	assert_int_equal(ftruncate(t->fd, (off_t)end), 0);
	t->head = mmap(NULL, end, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);
	assert_true(t->head != MAP_FAILED);
	*t->head = *k->head;
	t->head->ndrops++;
	t->head->bytes = end;
	t->head->workers = 2;
	t->name = (void *)((uint8_t *)t->head + name_at);
	t->worker = (void *)((uint8_t *)t->head + worker_at);
	t->owner = (void *)((uint8_t *)t->head + owner_at);
	snprintf(t->name[0], KEPT_NAME, "a-reason-of-theirs");
	memcpy(t->name[1], k->name[0], COUNTS * KEPT_NAME);
	kept_destroy(k);
}

static uint64_t *theirs_worker(const struct theirs *t, unsigned w)
{
	return t->worker + w * ((COUNTS + 1) + SAME / sizeof(uint64_t));
}

/* While we prepare to take over, the other one goes on: what it counts and owns until it stops is
 * what we go on with. */
static void test_another_version_writes_to_the_end(void **state)
{
	const size_t ports_at = offsetof(struct dp_counters, port) - COUNTS * sizeof(uint64_t);
	struct theirs t;
	struct kept *k;
	char why[160];
	int fd;

	(void)state;
	theirs_create(&t);
	snprintf(t.head->port[3].name, sizeof(t.head->port[3].name), "lan0");
	fd = dup(t.fd);
	assert_int_equal(kept_adopt(fd, &k, why, sizeof(why)), 0);
	assert_string_equal(k->head->port[3].name, "lan0");

	/* now, that is after we have looked */
	theirs_worker(&t, 1)[0] = 7; /* theirs alone */
	theirs_worker(&t, 1)[1 + DROP_TTL] = 11;
	theirs_worker(&t, 1)[1 + DROP__COUNT + EVENT_NAT_RETRY] = 13;
	theirs_worker(&t, 1)[1 + COUNTS + ports_at / 8] = 17; /* the first number of a port */
	t.owner[FRAMES - 1] = FRAME_SENT(5);

	assert_int_equal(kept_carry_over(&k), 0);
	assert_true(k->fd != fd);
	assert_int_equal(k->head->ndrops, DROP__COUNT);
	assert_int_equal(k->head->workers, 2);
	assert_string_equal(k->head->port[3].name, "lan0");
	assert_int_equal(k->worker[1].count.drop[DROP_RESTART], 7);
	assert_int_equal(k->worker[1].count.drop[DROP_TTL], 11);
	assert_int_equal(k->worker[1].count.event[EVENT_NAT_RETRY], 13);
	assert_int_equal(*(uint64_t *)&k->worker[1].count.port[0], 17);
	assert_int_equal(k->xsk.owner[FRAMES - 1], FRAME_SENT(5));
	kept_destroy(k);
	munmap(t.head, t.bytes);
	close(t.fd);
}

static void test_our_own_is_not_copied(void **state)
{
	struct kept *k, *same;
	char why[160];

	(void)state;
	assert_int_equal(kept_create(FRAMES, 2048, &k), 0);
	assert_int_equal(kept_adopt(dup(k->fd), &same, why, sizeof(why)), 0);
	k->worker[0].count.drop[DROP_TTL] = 3;
	assert_int_equal(kept_carry_over(&same), 0);
	assert_int_equal(same->worker[0].count.drop[DROP_TTL], 3);
	kept_destroy(same);
	kept_destroy(k);
}

/* ---- who dies of it */

/* A process that adopts what is left, and dies before it has ports. */
static bool adopts(const struct kept *left, int umem)
{
	struct router *r = calloc(1, sizeof(*r));
	struct steer steer = { 0 };
	struct conf conf = { .memory.frame_size = 2048 };
	bool adopted;

	assert_non_null(r);
	r->steer = &steer;
	r->conf = &conf;
	assert_int_equal(state_create(&r->state), 0);
	assert_int_equal(fdstore_create(&r->store), 0);
	assert_int_equal(fdstore_inherit(r->store, "umem", dup(umem)), 0);
	assert_int_equal(fdstore_inherit(r->store, "state", dup(left->fd)), 0);
	assert_int_equal(restart_begin(r, false), 0);
	assert_true(r->left); /* a start that fails until now takes nothing down */
	adopted = restart_memory(r);
	assert_false(r->left);
	assert_true(adopted == (r->kept != NULL));
	xsk_mem_destroy(r->mem);
	kept_destroy(r->kept);
	fdstore_destroy(r->store);
	state_destroy(r->state);
	free(r);
	return adopted;
}

/* Also what was left in order may kill, a newer version for example. */
static void test_what_kills_is_given_up(void **state)
{
	struct xsk_mem *m;
	struct kept *k;

	(void)state;
	assert_int_equal(kept_create(FRAMES, 2048, &k), 0);
	assert_int_equal(xsk_mem_create(FRAMES, 2048, XSK_HUGEPAGES_OFF, &k->xsk, &m), 0);
	k->head->tries = 2; /* of one that stopped in order that says nothing */
	k->head->clean = 1;
	for (unsigned i = 0; i < KEPT_TRIES; i++)
		assert_true(adopts(k, m->fd));
	assert_false(adopts(k, m->fd));
	xsk_mem_destroy(m);
	kept_destroy(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_version_writes_to_the_end),
		cmocka_unit_test(test_our_own_is_not_copied),
		cmocka_unit_test(test_what_kills_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
