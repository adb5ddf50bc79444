/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outside ports of a former process: which memory is refused, what goes on, and what ends when the
 * new rules have not asked for it. Kills at any instant are test_natport_kill.c's.
 */
#include <unistd.h>

#include "tests/unit/natport_books.h"

/* Its descriptor, and the process that made it is no more. */
static int orphaned(struct natports *n)
{
	int fd = dup(natports_fd(n));

	natports_destroy(n);
	return fd;
}

static struct natports *adopt(int fd, uint64_t *lent, bool *dirty)
{
	struct natports *n = NULL;
	char why[128] = "";

	if (natports_adopt(fd, lent, &n, dirty, why, sizeof(why)))
		fail_msg("%s", why);
	return n;
}

/* The process dies in peace, and another one goes on. */
static struct natports *next_process(struct natports *n)
{
	bool dirty;

	n = adopt(orphaned(n), NULL, &dirty);
	assert_false(dirty);
	natports_accept(n);
	return n;
}

/* ---- what is refused */

struct refusal {
	const char *why;
	size_t at; /* of the header: */
	uint32_t value;
	uint64_t size; /* instead of its own */
	bool lent;
};

#define AT(field) offsetof(struct natport_header, field)

static const struct refusal refusals[] = {
	{ "not the memory of NAT's ports", AT(magic), 0x776f6c66, 0, false },
	{ "NAT's ports of version 1, ours is 2", AT(version), 1, 0, false },
	{ "NAT's ports for 0 flows", AT(layout.max), 0, 0, false },
	{ "NAT's ports for 67108865 flows", AT(layout.max), FLOW_MAX + 1, 0, false },
	{ "NAT's ports are laid out in another way", AT(layout.max), 2000000, 0, false },
	{ "NAT's ports are laid out in another way", AT(layout.chunks), 300, 0, false },
	{ "NAT's ports are laid out in another way", AT(layout.in_heads), 0, 0, false },
	{ "NAT's ports are laid out in another way", AT(layout.slot_at), 64, 0, false },
	{ "NAT's ports are laid out in another way", AT(layout.unit_at), 0x7ffff000, 0, false },
	{ "NAT's ports without a bitmap that XDP steers by", 0, NATPORT_MAGIC, 0, true },
	{ "NAT's ports with a bitmap that XDP steers by", AT(layout.taken_at), 0, 0, false },
	{ "NAT's ports: 4096 bytes of ", 0, NATPORT_MAGIC, 4096, false },
	{ "NAT's ports: 1099511627776 bytes of ", 0, NATPORT_MAGIC, 1ull << 40, false },
	{ "NAT's ports: no memory, or too little to be all", 0, NATPORT_MAGIC, 100, false },
	{ "NAT's ports: no memory, or too little to be all", 0, NATPORT_MAGIC, 1, false },
};

static void refused(void **state)
{
	static uint64_t bitmap[NATPORT_ALL_WORDS];

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		const struct refusal *r = &refusals[i];
		int fd = orphaned(ports_of(1000));
		struct natports *n = NULL;
		bool dirty = true;
		char why[128] = "";

		assert_int_equal(pwrite(fd, &r->value, 4, (off_t)r->at), 4);
		if (r->size)
			assert_int_equal(ftruncate(fd, (off_t)r->size), 0);
		assert_int_equal(
			natports_adopt(fd, r->lent ? bitmap : NULL, &n, &dirty, why, sizeof(why)),
			-EINVAL);
		assert_memory_equal(why, r->why, strlen(r->why));
		assert_null(n);
		assert_true(dirty); /* out-parameters are untouched */
		assert_int_equal(close(fd), 0);
	}
}

static void no_memory_at_all(void **state)
{
	struct natports *n = NULL;
	char why[128];
	int fd[2];
	bool dirty;

	(void)state;
	assert_int_equal(natports_adopt(-1, NULL, &n, &dirty, why, sizeof(why)), -EBADF);
	assert_string_equal(why, "NAT's ports: Bad file descriptor");
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(natports_adopt(fd[0], NULL, &n, &dirty, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "NAT's ports: no memory, or too little to be all");
	close(fd[0]);
	close(fd[1]);
}

/* Whatever a kill leaves so, it must be repaired. */
static void says_when_it_is_dirty(void **state)
{
	(void)state;
	for (unsigned what = 0; what < 6; what++) {
		struct natports *n = ports_of(1000);
		struct books *l = books_memory(sizeof(*l));
		bool dirty;

		switch (what) {
		case 0: natport_change_begin(n); break;
		case 1: spin_lock(&n->shard[NATPORT_SHARDS - 1].lock); break;
		case 2: spin_lock(&n->stripe[0].lock); break;
		case 3: spin_lock(&n->head->pool.lock); break;
		case 4: /* adopted, and killed again before it was looked at */
			n = adopt(orphaned(n), NULL, &dirty);
			assert_false(dirty);
			break;
		default: break;
		}
		n = adopt(orphaned(n), NULL, &dirty);
		assert_int_equal(dirty, what < 5);
		if (dirty)
			books_repair(n, l);
		else
			natports_accept(n);
		natports_adopted(n);
		assert_int_equal(hold(n, books_addr[0]), 0);
		natports_let_go(n, 0);
		ports_close(n);
		munmap(l, sizeof(*l));
	}
}

/* ---- what goes on */

static void mappings_go_on(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1"), port, found, alone;
	struct natport_inside in = inside4(1, 5000, IPPROTO_UDP), back;
	struct addr remote = address("198.51.100.1");
	struct natport_want w = want(5000);
	struct natport_slots slots = only(slot);
	uint8_t filtering;

	(void)state;
	w.filtering = CONF_FILTERING_ADF;
	port = map(n, &in, slot, &w);
	natmap_permit(n, slot, NATPORT_UDP, port, &remote, true);
	alone = natport_claim(n, slot, NATPORT_UDP, &w, random64());
	n = next_process(n);

	assert_int_equal(hold(n, "203.0.113.1"), slot);
	natports_adopted(n);
	assert_true(natmap_find(n, &in, &slots, &slot, &found));
	assert_int_equal(found, port);
	assert_true(natmap_inside(n, slot, NATPORT_UDP, port, &back, &filtering));
	assert_int_equal(filtering, CONF_FILTERING_ADF);
	assert_true(natmap_permits(n, slot, NATPORT_UDP, port, &remote));
	assert_true(natport_is_taken(n, slot, NATPORT_UDP, alone));
	assert_int_equal(map(n, &in, slot, &w), port); /* one more flow of it */
	natport_done(n, slot, NATPORT_UDP, port);
	natmap_permit(n, slot, NATPORT_UDP, port, &remote, false);
	natport_done(n, slot, NATPORT_UDP, port);
	natport_done(n, slot, NATPORT_UDP, alone);
	ports_close(n);
}

/* What rules ask for again stays all the time; the rest ends. */
static void reservations_of_before(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t slot = hold(n, "203.0.113.1");

	(void)state;
	assert_true(natport_claim_one(n, slot, NATPORT_TCP, 85));
	natports_reserve(n, slot, NATPORT_TCP, 80, 89, true);
	natports_reserve(n, slot, NATPORT_UDP, 60, 70, true);
	natports_reserve(n, slot, NATPORT_TCP, 1, 65535, true);
	n = next_process(n);

	hold(n, "203.0.113.1");
	/* a policy that came to nothing, then another one */
	natports_reserve(n, slot, NATPORT_TCP, 80, 84, true);
	natports_reserve(n, slot, NATPORT_TCP, 80, 84, false);
	assert_true(natport_is_taken(n, slot, NATPORT_TCP, 80));
	natports_reserve(n, slot, NATPORT_TCP, 82, 85, true);
	natports_reserve(n, slot, NATPORT_TCP, 65535, 65535, true);
	for (uint32_t port = 1; port <= UINT16_MAX; port++)
		assert_true(natport_is_taken(n, slot, NATPORT_TCP, (uint16_t)port));
	natports_adopted(n);
	for (uint32_t port = 1; port <= UINT16_MAX; port++)
		assert_int_equal(natport_is_taken(n, slot, NATPORT_TCP, (uint16_t)port),
				 (port >= 82 && port <= 85) || port == 65535);
	assert_int_equal(taken(n, slot, NATPORT_UDP), 0);
	assert_false(natport_is_taken(n, slot, NATPORT_UDP, 60));

	/* what a flow had before, it has still */
	natports_reserve(n, slot, NATPORT_TCP, 82, 85, false);
	natports_reserve(n, slot, NATPORT_TCP, 65535, 65535, false);
	assert_int_equal(taken(n, slot, NATPORT_TCP), 1);
	assert_true(natport_is_taken(n, slot, NATPORT_TCP, 85));
	natport_done(n, slot, NATPORT_TCP, 85);
	ports_close(n);
}

/* Two that were held, one is again; a third has a port. */
static void slots_of_before(void **state)
{
	struct natports *n = ports_of(1000);
	uint16_t one = hold(n, "203.0.113.1"), two = hold(n, "2001:db8::2"),
		 three = hold(n, "203.0.113.3");
	struct addr a = address("203.0.113.1"), b = address("2001:db8::2"),
		    c = address("203.0.113.3");

	(void)state;
	hold(n, "203.0.113.1");
	assert_true(natport_claim_one(n, three, NATPORT_TCP, 1234));
	natports_let_go(n, three);
	n = next_process(n);
	n = next_process(n); /* one that did not live to its first rules */

	natports_trim(n);
	assert_int_equal(natports_find(n, &b), two);
	assert_int_equal(hold(n, "203.0.113.1"), one);
	natports_adopted(n);
	natports_adopted(n);
	assert_int_equal(natports_find(n, &a), one);
	assert_int_equal(natports_find(n, &b), NATPORT_NO_SLOT);
	assert_int_equal(natports_find(n, &c), three);
	natport_done(n, three, NATPORT_TCP, 1234);
	natports_trim(n);
	assert_int_equal(natports_find(n, &c), NATPORT_NO_SLOT);
	natports_let_go(n, one);
	assert_int_equal(natports_find(n, &a), NATPORT_NO_SLOT);
	ports_close(n);
}

/* ---- what is not as it should be */

static void lost(void *arg, const struct natport_use *use)
{
	struct natport_use *u = arg;

	*u = *use;
}

static bool both(void *arg, struct natport_use *use)
{
	struct natport_use *u = arg;

	if (u->id == 2)
		return false;
	*use = (struct natport_use){ .id = u->id++,
				     .outside = address("203.0.113.1"),
				     .claim = { 0, 5000, NATPORT_TCP },
				     .inside = address("10.0.0.1"),
				     .mapping.slot = NATPORT_NO_SLOT };
	use->inside.bytes[3] = (uint8_t)use->id;
	return true;
}

/* Two flows that say they have one port: the first one has it. */
static void one_port_for_two(void **state)
{
	struct natport_use u = { 0 };
	struct natports *n = ports_of(1000);
	bool dirty;

	(void)state;
	assert_int_equal(hold(n, "203.0.113.1"), 0);
	n = adopt(orphaned(n), NULL, &dirty);
	natports_repair(n, &(struct natport_flows){ both, lost, &u });
	assert_int_equal(u.id, 1);
	assert_int_equal(u.claim.slot, NATPORT_NO_SLOT);
	assert_true(natport_is_taken(n, 0, NATPORT_TCP, 5000));
	natport_done(n, 0, NATPORT_TCP, 5000);
	natports_adopted(n);
	ports_close(n);
}

/* A slot whose address is none is nobody's, and the next one finds nothing taken of it. */
static void slot_without_address(void **state)
{
	static uint64_t lent[NATPORT_ALL_WORDS];
	struct natports *n;
	bool dirty;

	(void)state;
	assert_int_equal(natports_create(lent, 1000, natport_key, &n), 0);
	assert_int_equal(hold(n, "203.0.113.1"), 0);
	assert_int_equal(hold(n, "203.0.113.2"), 1);
	assert_true(natport_claim_one(n, 0, NATPORT_TCP, 5000));
	assert_true(natport_claim_one(n, 1, NATPORT_TCP, 5000));
	n->slot[0].word[0] = 77;
	n = adopt(orphaned(n), lent, &dirty);
	natports_accept(n);
	natports_adopted(n);
	assert_false(slot_is_used(&n->slot[0]));
	assert_int_equal(hold(n, "203.0.113.3"), 0);
	assert_false(natport_is_taken(n, 0, NATPORT_TCP, 5000));
	natports_let_go(n, 0);
	assert_true(natport_is_taken(n, 1, NATPORT_TCP, 5000));
	natport_done(n, 1, NATPORT_TCP, 5000);
	ports_close(n);
}

static bool nonsense(void *arg, struct natport_use *use)
{
	static const struct natport_use uses[] = {
		{ .claim = { 256, 5000, NATPORT_TCP }, .mapping = { 256, 5000, NATPORT_TCP } },
		{ .claim = { 0, 5000, 3 }, .mapping = { 0, 5000, 3 } },
		{ .claim = { 7, 5000, NATPORT_TCP }, .mapping = { 7, 5000, NATPORT_TCP } },
		{ .claim = { 0, 0, NATPORT_TCP }, .mapping = { 0, 0, NATPORT_TCP } },
		{ .claim = { 0, 1, NATPORT_TCP }, .mapping = { 0, 1, NATPORT_TCP } },
	};
	struct natport_use *u = arg;

	if (u->id == sizeof(uses) / sizeof(*uses))
		return false;
	*use = uses[u->id];
	use->id = ++u->id;
	return true;
}

static void count_lost(void *arg, const struct natport_use *use)
{
	struct natport_use *u = arg;

	assert_int_equal(use->claim.slot, NATPORT_NO_SLOT);
	assert_int_equal(use->mapping.slot, NATPORT_NO_SLOT);
	u->claim.port++;
}

/* Slots, planes, addresses and mappings there are none of. */
static void flows_that_lie(void **state)
{
	struct natport_use u = { 0 };
	struct natports *n = ports_of(1000);
	bool dirty;

	(void)state;
	assert_int_equal(hold(n, "203.0.113.1"), 0);
	n = adopt(orphaned(n), NULL, &dirty);
	natports_repair(n, &(struct natport_flows){ nonsense, count_lost, &u });
	assert_int_equal(u.claim.port, 5);
	natports_adopted(n);
	ports_close(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(no_memory_at_all),
		cmocka_unit_test(says_when_it_is_dirty),
		cmocka_unit_test(mappings_go_on),
		cmocka_unit_test(reservations_of_before),
		cmocka_unit_test(slots_of_before),
		cmocka_unit_test(one_port_for_two),
		cmocka_unit_test(slot_without_address),
		cmocka_unit_test(flows_that_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
