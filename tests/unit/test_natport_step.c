/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kill between any two instructions, one after the other: a process is single-stepped through all
 * that workers and control do with outside ports, and after each step that wrote something an heir
 * adopts a copy of the memory. Then an heir itself is stepped through its adoption: at no step is
 * a port free that a flow or a rule has, and whoever adopts from it there finds all of it.
 */
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/natport_books.h"

#define EXTENTS	  1024u
#define TURNS	  24u
#define NO_TRACER 77
#define EVERY	  997u /* an heir's heir after so many steps */

/* Parts of a memfd that hold memory, and what was in them at the last look. */
struct mirror {
	int fd;
	const uint8_t *at;
	uint8_t *copy;
	size_t size;
	blkcnt_t blocks;
	struct {
		off_t from, to;
	} extent[EXTENTS];
	unsigned extents;
};

struct lab {
	struct books *books;
	struct natports *n;
	struct mirror mirror;
	unsigned steps, heirs, repaired;
};

/* ---- the memory */

static void find_extents(struct mirror *m)
{
	off_t from = 0;

	m->extents = 0;
	while ((from = lseek(m->fd, from, SEEK_DATA)) >= 0) {
		off_t to = lseek(m->fd, from, SEEK_HOLE);

		assert_true(m->extents < EXTENTS);
		m->extent[m->extents].from = from;
		m->extent[m->extents++].to = to;
		from = to;
	}
}

static bool has_changed(struct mirror *m)
{
	bool changed = false;
	struct stat st;

	assert_int_equal(fstat(m->fd, &st), 0);
	if (st.st_blocks != m->blocks) {
		find_extents(m);
		m->blocks = st.st_blocks;
	}
	for (unsigned i = 0; i < m->extents; i++) {
		off_t from = m->extent[i].from;
		size_t bytes = (size_t)(m->extent[i].to - from);

		if (!memcmp(m->at + from, m->copy + from, bytes))
			continue;
		memcpy(m->copy + from, m->at + from, bytes);
		changed = true;
	}
	return changed;
}

static int duplicate(const struct mirror *m)
{
	int fd = memfd_create("heir", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)m->size), 0);
	for (unsigned i = 0; i < m->extents; i++) {
		off_t from = m->extent[i].from;
		size_t bytes = (size_t)(m->extent[i].to - from);

		assert_int_equal(pwrite(fd, m->at + from, bytes, from), bytes);
	}
	return fd;
}

static void mirror_open(struct mirror *m, const struct natports *n)
{
	*m = (struct mirror){ .fd = natports_fd(n),
			      .at = (const uint8_t *)n->head,
			      .copy = books_memory(n->head->layout.bytes),
			      .size = n->head->layout.bytes };
	has_changed(m);
}

/* ---- who goes on */

static void policy(struct natports *n, const struct books *l)
{
	for (unsigned i = 0; i < (l->slots ? l->slots : BOOKS_SLOTS); i++)
		hold(n, books_addr[i]);
	natports_reserve(n, l->slot[0], NATPORT_TCP, 20010, 20012, true);
}

static bool go_on(int fd, struct books *l, struct natports **out)
{
	char why[128] = "";
	bool dirty;

	if (natports_adopt(fd, NULL, out, &dirty, why, sizeof(why)))
		fail_msg("%s", why);
	dirty |= l->changing[0];
	if (dirty)
		books_repair(*out, l);
	else
		natports_accept(*out);
	policy(*out, l);
	natports_adopted(*out);
	return dirty;
}

static void check_heir(struct lab *l)
{
	struct natports *heir;

	l->repaired += go_on(duplicate(&l->mirror), l->books, &heir);
	assert_int_equal(l->books->lost, 0);
	books_check(heir, l->books);
	natports_destroy(heir);
	l->heirs++;
}

/* ---- who is stepped */

/* Both on one processor: each step is a change between them. */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

/* Returns the process, which has not begun yet; -1: nobody may trace here. */
static pid_t trace(void (*body)(struct lab *l), struct lab *l)
{
	pid_t pid;
	int status;

	stay_here();
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(NO_TRACER);
		raise(SIGSTOP);
		body(l);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSTOPPED(status) ? pid : -1;
}

/* False: it has ended, as it should. */
static bool step(struct lab *l, pid_t pid)
{
	int status;

	assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	l->steps++;
	if (WIFSTOPPED(status)) {
		assert_int_equal(WSTOPSIG(status), SIGTRAP);
		return true;
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return false;
}

/* A rule that forwards the port of a flow, and the next one. */
static void reserve(struct lab *l, struct natport_outside *o, bool on)
{
	for (uint32_t row = 0; on && row < l->books->rows; row++)
		if (l->books->row[row].lives && l->books->row[row].use.claim.slot < BOOKS_SLOTS)
			*o = l->books->row[row].use.claim;
	natports_reserve(l->n, o->slot, (enum natport_plane)o->plane, o->port, o->port + 1, on);
}

/* One worker's flows, and in between what control does. */
static void everything(struct lab *l)
{
	const struct addr other = addr_v4(htonl(0xc0000201));
	struct natport_outside forwarded = { 0 };
	uint16_t held = 0;

	for (unsigned i = 0; i < TURNS; i++) {
		books_step(l->n, l->books, 0);
		switch (i) {
		case 3: held = natports_hold(l->n, &other); break;
		case 7: reserve(l, &forwarded, true); break;
		case 10: reserve(l, &forwarded, false); break;
		case 12: natports_let_go(l->n, held); break;
		case 18: natports_trim(l->n); break;
		default: break;
		}
	}
}

static void lab_open(struct lab *l, uint32_t slots)
{
	*l = (struct lab){ .books = books_memory(sizeof(struct books)), .n = ports_of(1000) };
	l->books->rows = 16;
	l->books->slots = slots;
	for (unsigned i = 0; i < BOOKS_SLOTS; i++)
		l->books->slot[i] = (uint16_t)i; /* the first ones */
	policy(l->n, l->books);
	mirror_open(&l->mirror, l->n);
}

static void lab_close(struct lab *l)
{
	munmap(l->mirror.copy, l->mirror.size);
	munmap(l->books, sizeof(*l->books));
	natports_destroy(l->n);
}

static void killed_after_each_step(void **state)
{
	struct lab l;
	pid_t pid;

	(void)state;
	lab_open(&l, BOOKS_SLOTS);
	pid = trace(everything, &l);
	if (pid < 0)
		skip();
	while (step(&l, pid))
		if (has_changed(&l.mirror))
			check_heir(&l);
	print_message("%u steps, %u heirs, of whom %u had to repair\n", l.steps, l.heirs,
		      l.repaired);
	assert_in_range(l.heirs, 500, l.steps);
	assert_in_range(l.repaired, 100, l.heirs);
	lab_close(&l);
}

/* ---- the heir, stepped */

static void adopts(struct lab *l)
{
	struct natports *n;

	go_on(dup(natports_fd(l->n)), l->books, &n);
}

/* What XDP must see taken at any time, each word with a port. */
struct must {
	size_t at[64];
	uint64_t bits[64];
	unsigned words;
};

static void must_of(const struct lab *l, struct must *m)
{
	uint64_t *bits = books_bits(l->books);

	for (uint16_t port = 20010; port <= 20012; port++)
		bits[port_word(natport_id(0, NATPORT_TCP, port))] |= port_bit(port);
	m->words = 0;
	for (size_t i = 0; i < BOOKS_WORDS; i++) {
		if (!bits[i])
			continue;
		assert_true(m->words < 64);
		m->at[m->words] = i;
		m->bits[m->words++] = bits[i];
	}
	free(bits);
}

static void must_check(const struct lab *l, const struct must *m)
{
	for (unsigned i = 0; i < m->words; i++)
		if (m->bits[i] & ~word_read(l->n->taken, m->at[i]))
			fail_msg("a port is free after %u steps", l->steps);
}

static void no_port_is_free_for_a_moment(void **state)
{
	struct must must;
	struct lab l;
	pid_t pid;

	(void)state;
	lab_open(&l, 1);
	for (unsigned i = 0; i < 1000; i++)
		books_step(l.n, l.books, 0);
	l.books->changing[0] = 1;
	natport_claim_one(l.n, 0, NATPORT_TCP, 30000); /* nobody's */
	must_of(&l, &must);
	pid = trace(adopts, &l);
	if (pid < 0)
		skip();
	while (step(&l, pid)) {
		must_check(&l, &must);
		if (l.steps % EVERY == 0 && has_changed(&l.mirror))
			check_heir(&l);
	}
	print_message("%u steps, %u words, %u heirs\n", l.steps, must.words, l.heirs);
	assert_in_range(l.heirs, 20, l.steps);
	assert_false(natport_is_taken(l.n, 0, NATPORT_TCP, 30000));
	books_check(l.n, l.books);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_after_each_step),
		cmocka_unit_test(no_port_is_free_for_a_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
