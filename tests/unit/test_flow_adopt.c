/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flow table whose process ends, and one that goes on with it: whole, with more workers and
 * fewer; killed with SIGKILL at random while threads make, end and trim flows; and what is not
 * adopted, with the reason.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/flow_check.h"
#include "tests/unit/flow_util.h"

#define WORKERS 3u
#define KILLS	200u
#define LASTING 4096u /* flows that nobody ends, of each worker */
#define FOREVER 1000000u
#define HTTP	80u /* the target port of those */

static struct flow_table *adopt(int fd, unsigned workers, bool *dirty)
{
	struct flow_table *t = NULL;
	char why[256] = "";

	*dirty = false;
	if (flow_table_adopt(fd, workers, &t, dirty, why, sizeof(why)))
		fail_msg("not adopted: %s", why);
	return t;
}

/* The table as the next process has it. */
static struct flow_table *succeed(struct flow_table *t, unsigned workers, bool *dirty)
{
	int fd = dup(flow_table_fd(t));

	flow_table_destroy(t);
	return adopt(fd, workers, dirty);
}

static void check_whole(const struct flow_table *t, bool zones)
{
	const char *problem = flow_problem(t, zones);

	if (problem)
		fail_msg("%s", problem);
}

/* ---- one that was left in peace */

static void test_peace(void **state)
{
	struct flow_table *t = table_of(1000, 2);
	struct flow_stats before, after;
	bool dirty = true;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct flow_key k = key_of(i, i % 2 ? AF_INET : AF_INET6, UDP);

		must_add(t, &k, 0, i < 50 ? 5 : 500);
	}
	flow_expire(t, 0, 20, 0, 30, NULL, NULL); /* some expire, and wait for their grace period */
	for (uint32_t i = 80; i < 85; i++) {
		struct flow_key k = key_of(i, i % 2 ? AF_INET : AF_INET6, UDP);

		flow_kill(t, lookup(t, &k, 20)); /* these wait for their owner */
	}
	before = stats_of(t);
	t = succeed(t, 2, &dirty);
	after = stats_of(t);
	assert_false(dirty);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(flow_table_config(t)->max, 1000);
	check_whole(t, false);
	for (uint32_t i = 0; i < 100; i++) {
		struct flow_key k = key_of(i, i % 2 ? AF_INET : AF_INET6, UDP), r = reverse_of(&k);
		bool lives = i >= 50 && (i < 80 || i >= 85);

		assert_true((lookup(t, &k, 20) != FLOW_NONE) == lives);
		assert_int_equal(lookup(t, &k, 20), lookup(t, &r, 20));
	}
	table_close(t);
}

/* What is counted in memory that ended with the process is not uncounted by its heir. */
static void test_ours(void **state)
{
	struct flow_table_config c = { .max = 10,
				       .workers = 1,
				       .now = clock_now() - 100 * FLOW_TICK,
				       .key = "0123456789abcde" };
	struct flow_key k = key_of(1, AF_INET, UDP);
	struct flow_table *t;
	uint32_t tick;
	bool dirty = false;

	(void)state;
	assert_int_equal(flow_table_create(&c, &t), 0);
	must_add(t, &k, 0, FOREVER);
	assert_true(flow_is_ours(t, flow_at(t, lookup(t, &k, 0))));
	tick = flow_tick(t, clock_now());
	t = succeed(t, 1, &dirty);
	assert_false(flow_is_ours(t, flow_at(t, lookup(t, &k, 0))));
	k.sport++;
	must_add(t, &k, tick, FOREVER);
	assert_false(flow_is_ours(t, flow_at(t, lookup(t, &k, tick))));
	k.sport++;
	must_add(t, &k, tick + 5, FOREVER);
	assert_true(flow_is_ours(t, flow_at(t, lookup(t, &k, tick + 5))));
	table_close(t);
}

/* Who keeps something of flows elsewhere is not sure of it: then those that are dying are gone. */
static void test_doubt(void **state)
{
	struct flow_table *t = table_of(1000, 1);
	char why[256] = "";
	bool dirty = true;
	int fd;

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		struct flow_key k = key_of(i, AF_INET, UDP);

		must_add(t, &k, 0, 500);
		if (i < 3)
			flow_kill(t, lookup(t, &k, 1));
	}
	fd = dup(flow_table_fd(t));
	flow_table_destroy(t);
	assert_int_equal(flow_table_adopt(fd, 1, &t, &dirty, why, sizeof(why)), 0);
	assert_true(dirty);
	assert_int_equal(flow_owned(t, 0), 7);
	check_whole(t, false);
	flow_table_destroy(t);
}

/* ---- other numbers of workers */

static void test_workers(void **state)
{
	static const unsigned workers[] = { 8, FLOW_WORKERS_MAX, 3, 1, 2 };
	struct flow_table *t = table_of(4000, 4);
	uint32_t n = 0, keys = 0;
	bool dirty = false;

	(void)state;
	for (unsigned i = 0; i < sizeof(workers) / sizeof(workers[0]); i++) {
		unsigned before = t->workers;

		for (; keys < 600 * (i + 1); keys++) {
			struct flow_key k = key_of(keys, keys % 3 ? AF_INET : AF_INET6, UDP);
			enum flow_refusal why;

			n += flow_add(t, keys % t->workers, &k, 0, FOREVER, &why) != FLOW_NONE;
		}
		t = succeed(t, workers[i], &dirty);
		assert_int_equal(dirty, workers[i] < before);
		assert_int_equal(t->workers, workers[i]);
		assert_int_equal(flow_table_config(t)->workers, workers[i]);
		check_whole(t, false);
		assert_int_equal(stats_of(t).live, n);
		assert_int_equal(stats_of(t).made, n);
		for (uint32_t j = 0; j < keys; j++) {
			struct flow_key k = key_of(j, j % 3 ? AF_INET : AF_INET6, UDP);

			assert_int_not_equal(lookup(t, &k, 0), FLOW_NONE);
		}
	}
	table_close(t);
}

/* ---- built anew */

/* Left in the middle of a change. */
static struct flow_table *succeed_dead(struct flow_table *t)
{
	bool dirty = false;

	flow_change_begin(t, 0);
	t = succeed(t, t->workers, &dirty);
	assert_true(dirty);
	check_whole(t, false);
	return t;
}

/* Limits hold as before: of sources (requirement C14), and of a zone. */
static void test_limits(void **state)
{
	struct flow_table_config c = {
		.max = 100, .workers = 1, .key = "0123456789abcde", .per_source_max = 2
	};
	struct flow_key k = key_of(0, AF_INET, UDP);
	enum flow_refusal why;
	struct flow_table *t;

	(void)state;
	assert_int_equal(flow_table_create(&c, &t), 0);
	for (unsigned i = 0; i < 2; i++, k.sport++) {
		must_add(t, &k, 0, i ? FOREVER : 5);
		assert_true(flow_zone_take(t, 0, 2));
	}
	assert_false(flow_zone_take(t, 0, 2));
	t = succeed_dead(t);
	assert_int_equal(flow_zone_live(t, 0), 2);
	assert_false(flow_zone_take(t, 0, 2));
	assert_int_equal(flow_add(t, 0, &k, 0, 5, &why), FLOW_NONE);
	assert_int_equal(why, FLOW_SOURCE_LIMIT);
	flow_expire(t, 0, 10, 0, 100, NULL, NULL);
	assert_int_not_equal(flow_add(t, 0, &k, 10, 5, &why), FLOW_NONE);
	t = succeed_dead(t);
	k.sport++;
	assert_int_equal(flow_add(t, 0, &k, 10, 5, &why), FLOW_NONE);
	table_close(t);
}

/* Who was dying goes, and who was not committed; of two with one tuple the second goes. */
static void test_who_stays(void **state)
{
	struct flow_table *t = table_of(100, 1);
	struct flow_key k[8], r;
	enum flow_refusal why;
	uint32_t index[8];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		k[i] = key_of(16 * i, AF_INET, UDP);
		index[i] = must_add(t, &k[i], 0, FOREVER);
	}
	flow_kill(t, index[1]);
	flow_key_pack(flow_at(t, index[3]), FLOW_REPLY, &k[2]); /* two of one tuple */
	flow_at(t, index[4])->family = AF_INET6;
	flow_at(t, index[5])->family = 0;
	flow_at(t, index[6])->owner = 77;
	r = reverse_of(&k[0]);
	r.sport++;
	assert_int_not_equal(flow_new(t, 0, &r, &k[0], 0, &why), FLOW_NONE);
	t = succeed_dead(t);
	for (unsigned i = 0; i < 8; i++)
		assert_true((lookup(t, &k[i], 0) != FLOW_NONE) ==
			    (i == 0 || i == 2 || i == 6 || i == 7));
	assert_int_equal(stats_of(t).live, 4);
	assert_int_equal(stats_of(t).ipv4, 4);
	table_close(t);
}

/* Whatever the records say. */
static void test_garbage(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		struct flow_table *t = table_of(1000, 2);
		uint64_t *word = (void *)flow_at(t, FLOW_CHUNK_UNITS);

		for (uint32_t i = 0; i < 600; i++) {
			struct flow_key k = key_of(i, i % 2 ? AF_INET : AF_INET6, UDP);

			must_add(t, &k, 0, FOREVER);
		}
		for (unsigned i = 0; i < 1000; i++)
			word[random64() % (4 * FLOW_CHUNK_BYTES / 8)] =
				random64() >> random64() % 64;
		table_close(succeed_dead(t));
	}
}

/* ---- what is not adopted */

#define AT(member) offsetof(struct flow_header, member)

static void test_refused(void **state)
{
	static const struct {
		size_t at, size;
		uint64_t value;
		const char *why;
	} rows[] = {
		{ AT(magic), 4, 0, "not a flow table" },
		{ AT(version), 4, 1, "flow table of version 1, not 2" },
		{ AT(version), 4, 3, "flow table of version 3, not 2" },
		{ AT(config.max), 4, 0, "impossible configuration" },
		{ AT(config.max), 4, FLOW_MAX + 1, "impossible configuration" },
		{ AT(config.workers), 4, 0, "impossible configuration" },
		{ AT(config.workers), 4, FLOW_WORKERS_MAX + 1, "impossible configuration" },
		{ AT(config.per_source_max), 4, 1u << 24, "impossible configuration" },
		{ AT(config.drop_new), 1, 2, "impossible configuration" },
		{ AT(config.now), 8, UINT64_MAX, "begun in the future" },
		{ AT(config.max), 4, 999999, "its layout is not that of its configuration" },
		{ AT(config.per_source_max), 4, 1, "its layout is not that" },
		{ AT(layout.bytes), 8, 1ull << 40, "its layout is not that" },
		{ AT(layout.record_at), 8, 0, "its layout is not that" },
		{ AT(layout.buckets), 8, 1ull << 32, "its layout is not that" },
		{ AT(pool.chunks), 4, UINT32_MAX, "its layout is not that" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow_table *t = table_of(1000, 2), *none = NULL;
		int fd = dup(flow_table_fd(t));
		char why[256] = "";
		bool dirty;

		flow_table_destroy(t);
		assert_int_equal(pwrite(fd, &rows[i].value, rows[i].size, (off_t)rows[i].at),
				 rows[i].size);
		assert_int_equal(flow_table_adopt(fd, 2, &none, &dirty, why, sizeof(why)), -EINVAL);
		if (!strstr(why, rows[i].why))
			fail_msg("row %u: %s", i, why);
		assert_null(none);
		assert_int_equal(close(fd), 0); /* it is ours still */
	}
}

static void test_truncated(void **state)
{
	struct flow_table *t = table_of(1000, 2), *none;
	uint64_t bytes = t->head->layout.bytes;
	off_t sizes[] = { 0, 100, 4096, (off_t)bytes - 1, (off_t)bytes + 1 };
	int fd = dup(flow_table_fd(t)), ends[2];
	char why[256], want[64];
	bool dirty = false;

	(void)state;
	flow_table_destroy(t);
	assert_int_equal(flow_table_adopt(fd, 0, &none, &dirty, why, sizeof(why)), -EINVAL);
	assert_int_equal(
		flow_table_adopt(fd, FLOW_WORKERS_MAX + 1, &none, &dirty, why, sizeof(why)),
		-EINVAL);
	for (unsigned i = 5; i-- > 0;) {
		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		assert_int_equal(flow_table_adopt(fd, 2, &none, &dirty, why, sizeof(why)), -EINVAL);
		snprintf(want, sizeof(want), "%lld bytes, not %llu", (long long)sizes[i],
			 (unsigned long long)bytes);
		assert_non_null(strstr(why, sizes[i] < 4096 ? "too short" : want));
	}
	close(fd);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(flow_table_adopt(ends[0], 2, &none, &dirty, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "not a flow table"));
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(flow_table_adopt(ends[0], 2, &none, &dirty, why, sizeof(why)), -EINVAL);
}

/* ---- killed at random */

/* What the child that will be killed tells, in memory that stays. */
struct journal {
	uint32_t lasting[WORKERS]; /* so many of each worker's are committed, for good */
	bool running;
};

struct child;
struct thread {
	struct child *child;
	unsigned id;
	uint64_t rounds;
};

struct child {
	struct flow_table *t;
	struct journal *journal;
	struct thread thread[WORKERS];
	uint64_t quiet;
	unsigned round;
};

static struct flow_key lasting_key(unsigned worker, uint32_t n)
{
	struct flow_key k = key_of(worker * LASTING + n, n % 2 ? AF_INET : AF_INET6, UDP);

	k.dport = htons(HTTP);
	k.zone = (uint16_t)(n % 4);
	return k;
}

static void give_zone(void *arg, struct flow_table *t, uint32_t index)
{
	(void)arg;
	flow_zone_give(t, flow_at(t, index)->zone);
}

/* As flows_new.c does it. Sometimes it is thought better of. */
static bool add_counted(struct flow_table *t, unsigned worker, const struct flow_key *k,
			uint32_t tick, uint32_t timeout, bool lasting)
{
	struct flow_key r = reverse_of(k);
	uint32_t index, made = FLOW_NONE;
	enum flow_refusal why;

	flow_change_begin(t, worker);
	flow_zone_take(t, k->zone, 0);
	index = flow_new(t, worker, k, &r, tick, &why);
	if (index != FLOW_NONE) {
		if (lasting)
			flow_set(flow_at(t, index), FLOW_ASSURED);
		touch(t, index, FLOW_ORIG, tick, timeout);
		if (lasting || random64() % 8)
			made = flow_commit(t, index, tick, &why);
		if (made == FLOW_NONE)
			flow_discard(t, index);
	}
	if (made == FLOW_NONE || made != index)
		flow_zone_give(t, k->zone);
	flow_change_end(t, worker);
	return made != FLOW_NONE && made == index;
}

static void churn_one(struct thread *me, uint32_t tick)
{
	uint32_t n = (uint32_t)(random64() >> 20) % 1500, index;
	struct flow_key k = key_of(n, n % 4 ? AF_INET : AF_INET6, n % 2 ? TCP : UDP);
	struct flow_table *t = me->child->t;

	k.zone = (uint16_t)(n % 4);
	index = lookup(t, &k, tick);
	if (index == FLOW_NONE)
		add_counted(t, me->id, &k, tick, 1 + (uint32_t)random64() % 8, false);
	else if (random64() % 16 == 0)
		flow_kill(t, index);
}

static void *churn(void *arg)
{
	struct thread *me = arg;
	struct child *c = me->child;
	uint32_t *lasting = &c->journal->lasting[me->id];

	for (uint64_t skip = 7919 * (uint64_t)(me->id + WORKERS * c->round); skip; skip--)
		random64();
	for (uint32_t i = 0;; i++) {
		uint32_t tick = c->round * 4 + i / 64;

		if (i % 4 == 0 && *lasting < LASTING) {
			struct flow_key k = lasting_key(me->id, *lasting);

			if (add_counted(c->t, me->id, &k, tick, FOREVER, true) ||
			    lookup(c->t, &k, tick) != FLOW_NONE)
				__atomic_store_n(lasting, *lasting + 1, __ATOMIC_RELEASE);
		}
		for (unsigned j = 0; j < 32; j++)
			churn_one(me, tick);
		flow_expire(c->t, me->id, tick, __atomic_load_n(&c->quiet, __ATOMIC_ACQUIRE), 64,
			    give_zone, NULL);
		__atomic_store_n(&me->rounds, me->rounds + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Control: grace periods, a walk that kills, trimming. */
static void control(struct child *c)
{
	uint64_t number = flow_grace_begin(c->t), before[WORKERS];
	uint32_t cursor = 0, index, n = 0;
	struct flow_key k;

	for (unsigned i = 0; i < c->t->workers; i++)
		before[i] = __atomic_load_n(&c->thread[i].rounds, __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < c->t->workers; i++)
		while (__atomic_load_n(&c->thread[i].rounds, __ATOMIC_ACQUIRE) == before[i])
			sched_yield();
	__atomic_store_n(&c->quiet, number, __ATOMIC_RELEASE);
	while ((index = flow_walk(c->t, &cursor)) != FLOW_NONE) {
		flow_key(c->t, index, FLOW_ORIG, &k);
		if (k.dport != htons(HTTP) && n++ % 16 == 0)
			flow_kill(c->t, index);
	}
	flow_table_trim(c->t, 16);
}

/* Never returns. */
static void run_child(struct flow_table *t, struct journal *journal, unsigned round)
{
	struct child c = { .t = t, .journal = journal, .round = round };
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	c.quiet = flow_grace_ended(t);
	for (unsigned i = 0; i < t->workers; i++) {
		c.thread[i] = (struct thread){ .child = &c, .id = i };
		if (pthread_create(&thread, NULL, churn, &c.thread[i]))
			_exit(1);
	}
	__atomic_store_n(&journal->running, true, __ATOMIC_RELEASE);
	for (;;)
		control(&c);
}

static void kill_one(struct flow_table *t, struct journal *journal, unsigned round)
{
	pid_t child;
	int status;

	journal->running = false;
	child = fork();
	assert_true(child >= 0);
	if (!child)
		run_child(t, journal, round);
	while (!__atomic_load_n(&journal->running, __ATOMIC_ACQUIRE))
		sched_yield();
	usleep((useconds_t)(random64() >> 20) % 2000);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

static void check_journal(const struct flow_table *t, const struct journal *journal)
{
	for (unsigned w = 0; w < WORKERS; w++)
		for (uint32_t i = 0; i < journal->lasting[w]; i++) {
			struct flow_key k = lasting_key(w, i), r = reverse_of(&k);
			uint32_t index = lookup(t, &k, KILLS * 100);

			assert_int_not_equal(index, FLOW_NONE);
			assert_int_equal(lookup(t, &r, KILLS * 100), index);
		}
}

static void test_kills(void **state)
{
	struct flow_table_config c = {
		.max = 20000, .workers = WORKERS, .key = "0123456789abcde", .per_source_max = 40
	};
	struct journal *journal = mmap(NULL, sizeof(*journal), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned repaired = 0;
	struct flow_table *t;

	(void)state;
	assert_true(journal != MAP_FAILED);
	assert_int_equal(flow_table_create(&c, &t), 0);
	for (unsigned round = 0; round < KILLS; round++) {
		bool dirty;

		kill_one(t, journal, round);
		t = succeed(t, round % 16 == 7 ? 1 : WORKERS, &dirty);
		repaired += dirty;
		check_whole(t, true);
		check_journal(t, journal);
	}
	assert_true(repaired > KILLS / 10);
	assert_true(journal->lasting[0] > 100 && journal->lasting[1] > 100);
	munmap(journal, sizeof(*journal));
	table_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peace),	  cmocka_unit_test(test_ours),
		cmocka_unit_test(test_doubt),	  cmocka_unit_test(test_workers),
		cmocka_unit_test(test_limits),	  cmocka_unit_test(test_who_stays),
		cmocka_unit_test(test_garbage),	  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_truncated), cmocka_unit_test(test_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
