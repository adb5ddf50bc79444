/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process killed at each instruction: it makes, ends, frees and evicts flows one step of its CPU
 * at a time, under ptrace(2), and after every step that changed the table a copy of it is adopted,
 * as if the process had died there. Each copy must be whole, with the flows that were there before
 * the step's operation began and those that earlier ones had made.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/flow_check.h"
#include "tests/unit/flow_util.h"

#define CROWD	  258u /* flows of no name: more than a chunk of them */
#define MAX	  (CROWD + 5)
#define FOREVER	  1000000u
#define LATE	  20u /* tick */
#define NO_PTRACE 77

/* Flows with a name, and during which operation they come and go. */
enum { OLD, OLD6, KILLED, EXPIRED, NEW, NEW6, EVICTS, NAMES };
enum { MAKE = 1, MAKE6, DISCARD, CLASH, EVICT, KILL, EXPIRE, FREE, EMPTY, TRIM, NEVER };
static const struct {
	unsigned made, gone; /* operations; 0: before the first */
	int family;
} names[NAMES] = {
	[OLD] = { 0, NEVER, AF_INET },	      [OLD6] = { 0, NEVER, AF_INET6 },
	[KILLED] = { 0, KILL, AF_INET },      [EXPIRED] = { 0, EXPIRE, AF_INET },
	[NEW] = { MAKE, EMPTY, AF_INET },     [NEW6] = { MAKE6, NEVER, AF_INET6 },
	[EVICTS] = { EVICT, EMPTY, AF_INET },
};

/* Twice the operation when it is done, one less while it is under way. */
static volatile unsigned *phase;

static struct flow_key name_key(unsigned name)
{
	struct flow_key k = key_of(1000 + 16 * name, names[name].family, UDP);

	k.zone = (uint16_t)(name % 4);
	return k;
}

static void give_zone(void *arg, struct flow_table *t, uint32_t index)
{
	(void)arg;
	flow_zone_give(t, flow_at(t, index)->zone);
}

/* A new flow, or with `discard` one that comes to nothing. */
static uint32_t add(struct flow_table *t, const struct flow_key *k, const struct flow_key *r,
		    uint32_t timeout, uint32_t bits, bool discard)
{
	uint32_t index, made = FLOW_NONE;
	enum flow_refusal why;

	flow_change_begin(t, 0);
	flow_zone_take(t, k->zone, 0);
	index = flow_new(t, 0, k, r, 0, &why);
	if (index != FLOW_NONE) {
		flow_set(flow_at(t, index), bits);
		touch(t, index, FLOW_ORIG, 0, timeout);
		if (!discard)
			made = flow_commit(t, index, 0, &why);
		if (made == FLOW_NONE)
			flow_discard(t, index);
	}
	if (made == FLOW_NONE)
		flow_zone_give(t, k->zone);
	flow_change_end(t, 0);
	return made;
}

static uint32_t add_name(struct flow_table *t, unsigned name)
{
	struct flow_key k = name_key(name), r = reverse_of(&k);

	return add(t, &k, &r, name == EXPIRED ? LATE : FOREVER, FLOW_ASSURED, false);
}

/* ---- the one that dies */

static void end_all_of_chunk(struct flow_table *t, uint32_t chunk)
{
	uint32_t cursor = 0, index;

	while ((index = flow_walk(t, &cursor)) != FLOW_NONE)
		if (index / FLOW_CHUNK_UNITS == chunk &&
		    !(flow_state(flow_at(t, index)) & FLOW_ASSURED))
			flow_kill(t, index);
}

static void operate(struct flow_table *t, unsigned operation)
{
	struct flow_key k = key_of(5000, AF_INET, UDP), r = name_key(OLD);

	switch (operation) {
	case MAKE: add_name(t, NEW); break;
	case MAKE6: add_name(t, NEW6); break;
	case DISCARD: add(t, &k, &r, 1, 0, true); break;
	case CLASH: add(t, &k, &r, 1, 0, false); break;
	case EVICT: add_name(t, EVICTS); break;
	case KILL:
		k = name_key(KILLED);
		flow_kill(t, lookup(t, &k, 0));
		break;
	case EXPIRE: flow_expire(t, 0, LATE, 0, 1000, give_zone, NULL); break;
	case FREE: flow_expire(t, 0, LATE, flow_grace_begin(t), 1000, give_zone, NULL); break;
	case EMPTY: /* a chunk, which goes to the pool */
		k = name_key(EVICTS);
		end_all_of_chunk(t, lookup(t, &k, 0) / FLOW_CHUNK_UNITS);
		flow_kill(t, lookup(t, &k, 0));
		k = name_key(NEW);
		flow_kill(t, lookup(t, &k, 0));
		flow_expire(t, 0, LATE, 0, 1000, give_zone, NULL);
		flow_expire(t, 0, LATE, flow_grace_begin(t), 1000, give_zone, NULL);
		break;
	default: flow_table_trim(t, 8);
	}
}

static void run_child(struct flow_table *t)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(NO_PTRACE);
	raise(SIGSTOP);
	for (unsigned i = MAKE; i < NEVER; i++) {
		*phase = 2 * i - 1;
		operate(t, i);
		*phase = 2 * i;
	}
	_exit(0);
}

/* ---- the heir */

/* The table's bytes as they were at the last look: those of its pages that hold any. */
struct copy {
	uint8_t *bytes;
	size_t size;
	blkcnt_t blocks;
	unsigned parts;
	struct {
		size_t at, end;
	} part[64];
};

static void find_parts(struct copy *c, int fd)
{
	off_t at = 0;

	for (c->parts = 0; c->parts < 64; c->parts++) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0)
			break;
		c->part[c->parts].at = (size_t)at;
		at = lseek(fd, at, SEEK_HOLE);
		c->part[c->parts].end = (size_t)at;
	}
	assert_true(c->parts < 64);
}

/* Takes what has changed. False: nothing has. */
static bool take(struct copy *c, const struct flow_table *t)
{
	const uint8_t *now = (const uint8_t *)t->head;
	bool changed = false;
	struct stat st;

	assert_int_equal(fstat(t->fd, &st), 0);
	if (st.st_blocks != c->blocks) {
		for (unsigned i = 0; i < c->parts; i++) /* some may be gone */
			memset(c->bytes + c->part[i].at, 0, c->part[i].end - c->part[i].at);
		find_parts(c, t->fd);
		c->blocks = st.st_blocks;
		changed = true;
	}
	for (unsigned i = 0; i < c->parts; i++) {
		size_t at = c->part[i].at, size = c->part[i].end - at;

		if (!memcmp(c->bytes + at, now + at, size))
			continue;
		memcpy(c->bytes + at, now + at, size);
		changed = true;
	}
	return changed;
}

static int memfd_of(const struct copy *c)
{
	int fd = memfd_create("copy", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)c->size), 0);
	for (unsigned i = 0; i < c->parts; i++) {
		size_t at = c->part[i].at, size = c->part[i].end - at;

		assert_int_equal(pwrite(fd, c->bytes + at, size, (off_t)at), size);
	}
	return fd;
}

static void check_names(const struct flow_table *t)
{
	for (unsigned i = 0; i < NAMES; i++) {
		struct flow_key k = name_key(i), r = reverse_of(&k);
		bool found = lookup(t, &k, 0) != FLOW_NONE;

		assert_int_equal(lookup(t, &k, 0), lookup(t, &r, 0));
		if (*phase >= 2 * names[i].made && *phase < 2 * names[i].gone - 1)
			assert_true(found);
		else if (*phase + 1 < 2 * names[i].made || *phase >= 2 * names[i].gone)
			assert_false(found);
	}
}

/* Returns whether it was found in the middle of a change. */
static bool inherit(const struct copy *c)
{
	struct flow_table *t = NULL;
	const char *problem;
	bool dirty = false;
	char why[256];

	assert_int_equal(flow_table_adopt(memfd_of(c), 1, &t, &dirty, why, sizeof(why)), 0);
	problem = flow_problem(t, true);
	if (problem)
		fail_msg("phase %u: %s", *phase, problem);
	check_names(t);
	table_close(t);
	return dirty;
}

static struct flow_table *old_table(void)
{
	struct flow_table_config c = {
		.max = MAX, .workers = 1, .key = "0123456789abcde", .per_source_max = 20
	};
	struct flow_table *t;

	assert_int_equal(flow_table_create(&c, &t), 0);
	for (unsigned i = 0; i < CROWD; i++) {
		struct flow_key k = key_of(i, AF_INET, UDP), r = reverse_of(&k);

		assert_int_not_equal(add(t, &k, &r, FOREVER, 0, false), FLOW_NONE);
		if (i < NAMES && !names[i].made)
			assert_int_not_equal(add_name(t, i), FLOW_NONE);
	}
	return t;
}

static void test_each_step(void **state)
{
	unsigned steps = 0, whole = 0, repaired = 0;
	struct flow_table *t = old_table();
	struct copy c = { .size = t->head->layout.bytes };
	int status;
	pid_t child;

	(void)state;
	phase = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	c.bytes = mmap(NULL, c.size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(phase != MAP_FAILED && c.bytes != MAP_FAILED);
	child = fork();
	if (!child)
		run_child(t);
	assert_int_equal(waitpid(child, &status, 0), child);
	for (; WIFSTOPPED(status); steps++) {
		if (take(&c, t))
			*(inherit(&c) ? &repaired : &whole) += 1;
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_PTRACE)
		skip();
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	assert_int_equal(*phase, 2 * TRIM);
	print_message("%u instructions, %u times built anew, %u times whole\n", steps, repaired,
		      whole);
	assert_true(repaired > 500 && whole > 10);
	munmap(c.bytes, c.size);
	munmap((void *)(uintptr_t)phase, 4096);
	table_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
