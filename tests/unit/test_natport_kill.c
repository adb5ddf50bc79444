/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outside ports outlive a process that is killed at any instant (SIGKILL): two workers that make
 * and end flows, and control that reserves, blocks, gives slots and trims. The next process finds
 * every flow's port and mapping, with exact counts, and nothing that belongs to nobody; and no bit
 * that stays taken is seen free meanwhile by whoever steers by it.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/natport_books.h"

#define KILLS 150u

struct lab {
	struct books *books;
	uint64_t *lent; /* NULL: their own bitmap */
	struct natports *n;
	uint32_t born[BOOKS_WORKERS + 1]; /* seeds */
	bool watched;
	uint64_t *must; /* bits that may not be clear */
};

/* The one that every generation has. */
static void reserve(struct lab *l)
{
	assert_int_equal(natports_reserve(l->n, l->books->slot[0], NATPORT_TCP, 20900, 20963, true),
			 0);
}

static void policy(struct lab *l)
{
	for (unsigned i = 0; i < BOOKS_SLOTS; i++)
		assert_int_equal(hold(l->n, books_addr[i]), l->books->slot[i]);
	reserve(l);
}

/* ---- the process that is killed */

struct worker {
	struct lab *lab;
	unsigned id;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned skip = 0; skip < w->lab->born[w->id]; skip++)
		random64();
	for (;;) {
		books_step(w->lab->n, w->lab->books, w->id);
		if (random64() % 64 == 0)
			usleep(1);
	}
	return NULL;
}

/* What rules that come and go do, and the clock. */
static void control(struct lab *l)
{
	static const uint64_t blocked[NATPORT_WORDS] = { [321] = 0x5555 };

	for (unsigned i = 0;; i++) {
		uint16_t slot = l->books->slot[random64() % BOOKS_SLOTS];
		enum natport_plane plane = (enum natport_plane)(random64() % NATPORT_PLANES);
		uint16_t first = (uint16_t)(20000 + random64() % 900);
		struct addr a = addr_v4(htonl(0xc0000200 + (uint32_t)(random64() % 8)));
		uint16_t other = natports_hold(l->n, &a);

		natports_reserve(l->n, slot, plane, first, first + 50, true);
		natports_block(l->n, other, plane, blocked);
		if (i % 4 == 0)
			natports_trim(l->n);
		natports_reserve(l->n, slot, plane, first, first + 50, false);
		natports_let_go(l->n, other);
		usleep(1);
	}
}

static pid_t live(struct lab *l)
{
	struct worker w[BOOKS_WORKERS];
	pthread_t thread;
	pid_t pid;

	for (unsigned i = 0; i <= BOOKS_WORKERS; i++)
		l->born[i] = (uint32_t)(random64() % 100000);
	pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	for (unsigned i = 0; i < BOOKS_WORKERS; i++) {
		w[i] = (struct worker){ l, i };
		if (pthread_create(&thread, NULL, work, &w[i]))
			_exit(1);
	}
	control(l);
	_exit(1);
}

static void kill_some_time(struct lab *l)
{
	pid_t pid = live(l);
	int status;

	usleep((useconds_t)(200 + random64() % 2000));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- who steers by the bits */

static void *watch(void *arg)
{
	struct lab *l = arg;

	while (__atomic_load_n(&l->watched, __ATOMIC_RELAXED))
		for (size_t i = 0; i < BOOKS_WORDS; i++)
			if (l->must[i] & ~word_read(l->lent, i))
				abort();
	return NULL;
}

static pthread_t watch_begin(struct lab *l)
{
	pthread_t thread;

	l->must = books_bits(l->books);
	for (uint32_t port = 20900; port <= 20963; port++)
		l->must[port_word(natport_id(l->books->slot[0], NATPORT_TCP, (uint16_t)port))] |=
			port_bit(port);
	l->watched = true;
	assert_int_equal(pthread_create(&thread, NULL, watch, l), 0);
	return thread;
}

static void watch_end(struct lab *l, pthread_t thread)
{
	__atomic_store_n(&l->watched, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	free(l->must);
}

/* ---- the next process */

/* Returns whether there was something to repair. */
static bool adopt(struct lab *l)
{
	int fd = dup(natports_fd(l->n));
	char why[128] = "";
	bool dirty;

	natports_destroy(l->n);
	if (natports_adopt(fd, l->lent, &l->n, &dirty, why, sizeof(why)))
		fail_msg("%s", why);
	for (unsigned i = 0; i < BOOKS_WORKERS; i++) {
		dirty |= l->books->changing[i];
		l->books->changing[i] = 0;
	}
	if (dirty)
		books_repair(l->n, l->books);
	else
		natports_accept(l->n);
	assert_int_equal(l->books->lost, 0);
	policy(l);
	natports_adopted(l->n);
	return dirty;
}

/* Only what this process asked for is reserved, and held. */
static void check_policy(struct lab *l)
{
	struct natport_info info;
	uint32_t cursor = 0, reserved = 0, slots = 0;

	natports_trim(l->n);
	while (natports_walk(l->n, &cursor, &info)) {
		for (unsigned plane = 0; plane < NATPORT_PLANES; plane++)
			reserved += info.reserved[plane];
		slots++;
	}
	assert_int_equal(reserved, 64);
	assert_int_equal(slots, BOOKS_SLOTS);
	for (unsigned i = 0; i < BOOKS_SLOTS; i++)
		assert_int_equal(l->n->slot[l->books->slot[i]].holds, 1);
}

static void end_all(struct lab *l)
{
	for (uint32_t row = 0; row < BOOKS_ROWS; row++)
		if (l->books->row[row].lives)
			books_end(l->n, l->books, row);
	natports_reserve(l->n, l->books->slot[0], NATPORT_TCP, 20900, 20963, false);
	for (unsigned i = 0; i < BOOKS_SLOTS; i++)
		natports_let_go(l->n, l->books->slot[i]);
	natports_trim(l->n);
	for (unsigned i = 0; i < NATPORT_SLOTS; i++)
		assert_false(slot_is_used(&l->n->slot[i]));
	ports_close(l->n);
}

/* Generation after generation goes on with what the one before had. */
static void generations(uint64_t *lent)
{
	struct lab l = { .books = books_memory(sizeof(struct books)), .lent = lent };
	unsigned repaired = 0;

	assert_int_equal(natports_create(lent, 10000, natport_key, &l.n), 0);
	for (unsigned i = 0; i < BOOKS_SLOTS; i++)
		l.books->slot[i] = hold(l.n, books_addr[i]);
	reserve(&l);
	for (unsigned i = 0; i < KILLS; i++) {
		pthread_t watcher = 0;

		kill_some_time(&l);
		if (lent)
			watcher = watch_begin(&l);
		repaired += adopt(&l);
		if (lent)
			watch_end(&l, watcher);
		books_check(l.n, l.books);
		check_policy(&l);
	}
	print_message("%u of %u kills hit in the middle of something\n", repaired, KILLS);
	assert_in_range(repaired, 1, KILLS);
	end_all(&l);
	munmap(l.books, sizeof(*l.books));
}

static void killed_with_a_bitmap_of_its_own(void **state)
{
	(void)state;
	generations(NULL);
}

static void killed_while_others_steer_by_the_bitmap(void **state)
{
	const size_t bytes = NATPORT_ALL_WORDS * sizeof(uint64_t);
	uint64_t *lent = books_memory(bytes);

	(void)state;
	generations(lent);
	munmap(lent, bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_with_a_bitmap_of_its_own),
		cmocka_unit_test(killed_while_others_steer_by_the_bitmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
