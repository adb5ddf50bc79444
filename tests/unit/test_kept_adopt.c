/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router/kept.c: what one process leaves the next one finds, also one with fewer, more or renamed
 * counters; and what cannot be used is refused, with the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "router/net/region.h"
#include "tests/unit/kept_file.h"

#define FRAMES 4096

static struct kept *adopt(int fd)
{
	char why[160] = "";
	struct kept *k;
	int err = kept_adopt(fd, &k, why, sizeof(why));

	if (err)
		print_message("%s\n", why);
	assert_int_equal(err, 0);
	assert_int_equal(kept_carry_over(&k), 0);
	return k;
}

static void assert_refused(int fd, const char *want)
{
	char why[160] = "";
	struct kept *k = NULL;

	assert_int_not_equal(kept_adopt(fd, &k, why, sizeof(why)), 0);
	assert_null(k);
	if (!strstr(why, want))
		fail_msg("\"%s\" is not in \"%s\"", want, why);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* it was ours to close */
}

static void put(int fd, size_t at, const void *bytes, size_t n)
{
	assert_int_equal(pwrite(fd, bytes, n, (off_t)at), n);
}

/* ---- the same version */

static void test_round_trip(void **state)
{
	struct kept *k;
	int fd;

	(void)state;
	assert_int_equal(kept_create(FRAMES, 2048, &k), 0);
	assert_int_equal(k->head->frames, FRAMES);
	k->head->workers = 3;
	k->head->tries = 2;
	k->head->fib_generation = 77;
	k->head->unsent = 5;
	snprintf(k->head->port[7].name, sizeof(k->head->port[7].name), "wan");
	k->worker[2].count.drop[DROP__COUNT - 1] = 11;
	k->worker[WORKERS_MAX - 1].count.generated = 12;
	k->xsk.owner[FRAMES - 1] = FRAME_HELD;
	k->xsk.queue[XSK_SLOTS - 1].ring_size = 2048;
	fd = fcntl(k->fd, F_DUPFD_CLOEXEC, 3);
	kept_destroy(k);

	k = adopt(fd);
	assert_int_equal(k->fd, fd); /* the same memory, not a copy */
	assert_int_equal(k->head->workers, 3);
	assert_int_equal(k->head->tries, 2);
	assert_int_equal(k->head->fib_generation, 77);
	assert_int_equal(k->head->unsent, 5);
	assert_string_equal(k->head->port[7].name, "wan");
	assert_int_equal(k->worker[2].count.drop[DROP__COUNT - 1], 11);
	assert_int_equal(k->worker[WORKERS_MAX - 1].count.generated, 12);
	assert_int_equal(k->xsk.owner[FRAMES - 1], FRAME_HELD);
	assert_int_equal(k->xsk.queue[XSK_SLOTS - 1].ring_size, 2048);
	kept_file_read_all(k);
	kept_destroy(k);
	kept_destroy(NULL);
}

/* Workers that are not used cost no memory. */
static void test_is_sparse(void **state)
{
	int fd = kept_file_new(FRAMES);
	struct stat st;

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_blocks * 512 < 256 << 10);
	assert_true(st.st_size > 1 << 20);
	close(fd);
}

/* ---- refusals */

static void test_foreign_files(void **state)
{
	int fd = memfd_create("foreign", MFD_CLOEXEC), pipes[2];
	char text[8192];

	(void)state;
	assert_refused(fd, "too short");
	fd = memfd_create("foreign", MFD_CLOEXEC);
	memset(text, 'x', sizeof(text));
	put(fd, 0, text, sizeof(text));
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_refused(fd, "no state of a router");
	assert_int_equal(pipe(pipes), 0);
	assert_refused(pipes[0], "too short");
	close(pipes[1]);
}

static void test_other_lengths(void **state)
{
	int fd = kept_file_new(FRAMES);
	struct stat st;
	uint64_t bytes;

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
	assert_refused(fd, "its size is not what it says");
	fd = kept_file_new(FRAMES);
	assert_int_equal(ftruncate(fd, st.st_size + 4096), 0);
	assert_refused(fd, "its size is not what it says");
	fd = kept_file_new(
		FRAMES); /* what it says goes with the file, but not with its dimensions */
	assert_int_equal(ftruncate(fd, st.st_size + 4096), 0);
	bytes = (uint64_t)st.st_size + 4096;
	put(fd, offsetof(struct kept_header, bytes), &bytes, sizeof(bytes));
	assert_refused(fd, "its size is not what it says");
}

/* One field each that says what cannot be. */
static void test_fields(void **state)
{
#define FIELD(f) offsetof(struct kept_header, f), sizeof(((struct kept_header *)0)->f)
	static const struct {
		size_t at, size;
		uint64_t value;
		const char *why;
	} row[] = {
		{ FIELD(magic), KEPT_MAGIC + 1, "no state of a router" },
		{ FIELD(version), KEPT_VERSION + 1, "its layout is version 2, ours is 1" },
		{ FIELD(version), 0, "its layout is version 0" },
		{ FIELD(header_size), sizeof(struct kept_header) + 8, "its layout" },
		{ offsetof(struct kept_header, boot) + 3, 1, '!', "before the last boot" },
		{ FIELD(netns), 1, "another network namespace" },
		{ FIELD(ndrops), 0, "dimensions" },
		{ FIELD(ndrops), 1025, "dimensions" },
		{ FIELD(ndrops), UINT32_MAX, "dimensions" },
		{ FIELD(ndrops), DROP__COUNT + 500, "size" },
		{ FIELD(nevents), 1025, "dimensions" },
		{ FIELD(nevents), UINT32_MAX - DROP__COUNT + 1, "dimensions" },
		{ FIELD(nports), PORTS_MAX - 1, "dimensions" },
		{ FIELD(nvlans), IFACES_MAX + 1, "dimensions" },
		{ FIELD(nout), DP_OUT_MAX * 2, "dimensions" },
		{ FIELD(nworkers), WORKERS_MAX + 1, "dimensions" },
		{ FIELD(nslots), XSK_SLOTS + 1, "dimensions" },
		{ FIELD(frames), 0, "dimensions" },
		{ FIELD(frames), UINT32_MAX, "dimensions" },
		{ FIELD(frames), FRAMES * 2, "size" },
		{ FIELD(frame_size), 0, "dimensions" },
		{ FIELD(frame_size), 1024, "dimensions" },
		{ FIELD(workers), WORKERS_MAX + 1, "dimensions" },
		{ FIELD(port[PORTS_MAX - 1].queues), XSK_QUEUES_MAX + 1, "damaged" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		int fd = kept_file_new(FRAMES);

		put(fd, row[i].at, &row[i].value, row[i].size);
		assert_refused(fd, row[i].why);
	}
}

static void test_names_without_end(void **state)
{
	char text[64];
	int fd = kept_file_new(FRAMES);

	(void)state;
	memset(text, 'x', sizeof(text));
	put(fd, offsetof(struct kept_header, port[0].name), text, 64);
	assert_refused(fd, "its port 0 is damaged");
	fd = kept_file_new(FRAMES);
	put(fd, offsetof(struct kept_header, port[3].netdev), text, IFNAMSIZ);
	assert_refused(fd, "its port 3 is damaged");
}

/* ---- another version's counters */

/* A file by hand: drops and events by these names, 10 times the worker and 1 a counter in each. */
struct other {
	const char *drop[200], *event[200];
	uint32_t ndrops, nevents;
};

static void names_of_ours(struct other *o)
{
	for (o->ndrops = 0; o->ndrops < DROP__COUNT; o->ndrops++)
		o->drop[o->ndrops] = drop_info[o->ndrops].name;
	for (o->nevents = 0; o->nevents < EVENT__COUNT; o->nevents++)
		o->event[o->nevents] = dp_event_info[o->nevents].name;
}

static void write_worker(uint8_t *at, const struct other *o, unsigned w)
{
	const size_t same_at = offsetof(struct dp_counters, generated);
	struct worker_kept tail = { .count = { .generated = 500 + w } };
	uint64_t *n = (uint64_t *)at;

	tail.count.port[1].rx_packets = 600 + w;
	tail.out[PORTS_MAX - 1].n = 7;
	for (unsigned i = 0; i < o->ndrops; i++)
		*n++ = 1000 * (w + 1) + i;
	for (unsigned i = 0; i < o->nevents; i++)
		*n++ = 5000 * (w + 1) + i;
	memcpy(n, (uint8_t *)&tail + same_at, sizeof(tail) - same_at);
}

static int other_file(const struct other *o)
{
	int mine = kept_file_new(FRAMES), fd = memfd_create("other", MFD_CLOEXEC);
	size_t worker = sizeof(struct worker_kept) +
			((size_t)o->ndrops + o->nevents - DROP__COUNT - EVENT__COUNT) * 8;
	uint64_t bytes = 0, names, workers, owners, queues;
	struct kept_header h;
	uint8_t *file;

	assert_int_equal(pread(mine, &h, sizeof(h), 0), sizeof(h));
	close(mine);
	region_reserve(&bytes, sizeof(h));
	names = region_reserve(&bytes, (uint64_t)(o->ndrops + o->nevents) * KEPT_NAME);
	workers = region_reserve(&bytes, WORKERS_MAX * worker);
	owners = region_reserve(&bytes, FRAMES * sizeof(uint16_t));
	queues = region_reserve(&bytes, XSK_SLOTS * sizeof(struct xsk_queue_kept));
	h.ndrops = o->ndrops;
	h.nevents = o->nevents;
	h.bytes = bytes;
	h.tries = 1;
	h.kernel_rx_dropped = 9;
	h.policy_generation = 42;
	snprintf(h.port[1].name, sizeof(h.port[1].name), "lan");
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	file = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memcpy(file, &h, sizeof(h));
	for (unsigned i = 0; i < o->ndrops + o->nevents; i++)
		strncpy((char *)file + names + (size_t)i * KEPT_NAME,
			i < o->ndrops ? o->drop[i] : o->event[i - o->ndrops], KEPT_NAME - 1);
	for (unsigned w = 0; w < h.workers; w++)
		write_worker(file + workers + w * worker, o, w);
	((uint16_t *)(file + owners))[FRAMES - 1] = FRAME_HELD;
	((struct xsk_queue_kept *)(file + queues))[XSK_SLOTS - 1].ring_size = 512;
	munmap(file, bytes);
	return fd;
}

/* What is no counter of a version. */
static void assert_rest_is_there(const struct kept *k)
{
	assert_int_equal(k->head->workers, 2);
	assert_int_equal(k->head->tries, 1);
	assert_int_equal(k->head->kernel_rx_dropped, 9);
	assert_int_equal(k->head->policy_generation, 42);
	assert_string_equal(k->head->port[1].name, "lan");
	for (unsigned w = 0; w < 2; w++) {
		assert_int_equal(k->worker[w].count.generated, 500 + w);
		assert_int_equal(k->worker[w].count.port[1].rx_packets, 600 + w);
		assert_int_equal(k->worker[w].out[PORTS_MAX - 1].n, 7);
	}
	assert_int_equal(k->xsk.owner[FRAMES - 1], FRAME_HELD);
	assert_int_equal(k->xsk.queue[XSK_SLOTS - 1].ring_size, 512);
	kept_file_read_all(k);
}

static uint64_t sum_of_drops(const struct kept *k, unsigned w)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < DROP__COUNT; i++)
		sum += k->worker[w].count.drop[i];
	return sum;
}

static void test_fewer_counters(void **state)
{
	struct other o;
	struct kept *k;
	int fd;

	(void)state;
	names_of_ours(&o);
	/* an older version: without the first drop and the last two events */
	memmove(o.drop, o.drop + 1, --o.ndrops * sizeof(*o.drop));
	o.nevents -= 2;
	fd = other_file(&o);
	k = adopt(fd);
	assert_int_not_equal(k->fd, fd); /* into a file of our own */
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_rest_is_there(k);
	for (unsigned w = 0; w < 2; w++) {
		assert_int_equal(k->worker[w].count.drop[0], 0);
		for (unsigned i = 1; i < DROP__COUNT; i++)
			assert_int_equal(k->worker[w].count.drop[i], 1000 * (w + 1) + i - 1);
		assert_int_equal(k->worker[w].count.event[EVENT__COUNT - 3],
				 5000 * (w + 1) + EVENT__COUNT - 3);
		assert_int_equal(k->worker[w].count.event[EVENT__COUNT - 1], 0);
	}
	kept_destroy(k);
}

static void test_more_counters(void **state)
{
	struct other o;
	struct kept *k;
	uint64_t want;

	(void)state;
	names_of_ours(&o);
	/* a newer version: two drops that we do not know, and an event, of the longest names */
	o.drop[o.ndrops++] = "caught-in-the-rain";
	o.drop[o.ndrops++] = "a-name-that-takes-all-31-bytes!";
	memmove(o.event + 1, o.event, o.nevents++ * sizeof(*o.event));
	o.event[0] = "rain";
	k = adopt(other_file(&o));
	assert_rest_is_there(k);
	for (unsigned w = 0; w < 2; w++) {
		want = 0;
		for (unsigned i = 0; i < o.ndrops; i++)
			want += 1000 * (w + 1) + i;
		assert_int_equal(sum_of_drops(k, w), want); /* none has vanished */
		assert_int_equal(k->worker[w].count.drop[0], 1000 * (w + 1));
		assert_int_equal(k->worker[w].count.drop[DROP_RESTART],
				 3000 * (w + 1) + DROP_RESTART + 2 * DROP__COUNT + 1);
		assert_int_equal(k->worker[w].count.event[0], 5000 * (w + 1) + 1);
	}
	kept_destroy(k);
}

/* As many, but in another order, and one by another name. */
static void test_renamed_counters(void **state)
{
	struct other o;
	struct kept *k;
	const char *first;

	(void)state;
	names_of_ours(&o);
	first = o.drop[0];
	o.drop[0] = o.drop[1];
	o.drop[1] = first;
	o.drop[2] = "renamed";
	k = adopt(other_file(&o));
	assert_rest_is_there(k);
	assert_int_equal(k->worker[0].count.drop[0], 1001);
	assert_int_equal(k->worker[0].count.drop[1], 1000);
	assert_int_equal(k->worker[0].count.drop[2], 0);
	assert_int_equal(k->worker[0].count.drop[DROP_RESTART], 1000 + DROP_RESTART + 1002);
	kept_destroy(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	 cmocka_unit_test(test_is_sparse),
		cmocka_unit_test(test_foreign_files),	 cmocka_unit_test(test_other_lengths),
		cmocka_unit_test(test_fields),		 cmocka_unit_test(test_names_without_end),
		cmocka_unit_test(test_fewer_counters),	 cmocka_unit_test(test_more_counters),
		cmocka_unit_test(test_renamed_counters),
	};

	static_assert(DROP_RESTART > 2, "test_renamed_counters() renames the third");
	return cmocka_run_group_tests_name("kept_adopt", tests, NULL, NULL);
}
