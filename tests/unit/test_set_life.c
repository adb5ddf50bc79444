/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets in time and across configurations: timeouts by a manual clock, a full set, the counter that
 * tells rules to judge again, what a reload keeps and what it does not.
 */
#include "tests/unit/conf_util.h"
#include "tests/unit/set_util.h"

static const enum conf_field address[] = { CONF_FIELD_ADDRESS }, prefix[] = { CONF_FIELD_PREFIX },
			     port[] = { CONF_FIELD_PORT };

/* ---- time */

static void test_timeout(void **state)
{
	uint64_t now = 5 * SECONDS;
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, address)->timeout_s = 10;
	s = lab_follow(&l, "s");
	assert_true(learn(&l, s, "10.0.0.1", now));
	assert_true(has(&l, s, "10.0.0.1", now + 10 * SECONDS - 1));
	assert_false(has(&l, s, "10.0.0.1", now + 10 * SECONDS));

	now += 4 * SECONDS;
	assert_true(learn(&l, s, "10.0.0.1", now)); /* anew */
	assert_true(has(&l, s, "10.0.0.1", now + 10 * SECONDS - 1));
	assert_false(has(&l, s, "10.0.0.1", now + 10 * SECONDS));
	lab_fini(&l);
}

/* An operator's timeout is what was said, also if it is shorter; a rule's only ever makes longer.
 */
static void test_operators_timeout(void **state)
{
	uint64_t now = 5 * SECONDS;
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, prefix)->timeout_s = 100;
	s = lab_follow(&l, "s");
	for (unsigned i = 0; i < 2; i++) {
		const char *e = i ? "10.0.0.1-10.0.0.6" : "10.0.0.1";

		add(&l, s, e, 1000, now);
		if (!i)
			assert_true(learn(&l, s, e, now));
		assert_true(has(&l, s, "10.0.0.1", now + 999 * SECONDS));
		add(&l, s, e, 7, now);
		assert_true(has(&l, s, "10.0.0.1", now + 7 * SECONDS - 1));
		assert_false(has(&l, s, "10.0.0.1", now + 7 * SECONDS));
		add(&l, s, e, 0, now); /* the set's */
		assert_true(has(&l, s, "10.0.0.1", now + 100 * SECONDS - 1));
		assert_false(has(&l, s, "10.0.0.1", now + 100 * SECONDS));
		assert_int_equal(set_del_text(s, e, l.why, sizeof(l.why)), 0);
		assert_false(has(&l, s, "10.0.0.1", now));
	}
	lab_fini(&l);
}

/* 136 years ahead, on a host that has been up for as long. */
static void test_far_future(void **state)
{
	static const uint64_t starts[] = { 1, 1ull << 62, (1ull << 63) - 2 * SECONDS };
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, address)->timeout_s = UINT32_MAX;
	s = lab_follow(&l, "s");
	for (unsigned i = 0; i < 3; i++) {
		uint64_t until = starts[i] + UINT32_MAX * SECONDS;

		add(&l, s, "10.0.0.1", 0, starts[i]);
		assert_true(has(&l, s, "10.0.0.1", starts[i]));
		assert_true(has(&l, s, "10.0.0.1", starts[i] + SECONDS));
		if (until < 1ull << 63) {
			assert_true(has(&l, s, "10.0.0.1", until - 1));
			assert_false(has(&l, s, "10.0.0.1", until));
		}
	}
	lab_fini(&l);
}

static void test_changes(void **state)
{
	uint64_t now = 5 * SECONDS, before;
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, prefix)->timeout_s = 10;
	s = lab_follow(&l, "s");
	before = sets_changes(l.sets, now);
	assert_int_equal(sets_changes(l.sets, now), before);

	learn(&l, s, "10.0.0.1", now);
	assert_true(sets_changes(l.sets, now) > before);
	before = sets_changes(l.sets, now);
	for (unsigned i = 1; i < 8; i++) /* refreshed, again and again */
		learn(&l, s, "10.0.0.1", now += SECONDS);
	assert_int_equal(sets_changes(l.sets, now), before);
	assert_int_equal(info_of(&l, "s").elements, 1);

	now += 10 * SECONDS;
	learn(&l, s, "10.0.0.1", now); /* it had expired: it comes again */
	assert_true(sets_changes(l.sets, now) > before);
	assert_int_equal(info_of(&l, "s").elements, 1);
	before = sets_changes(l.sets, now);

	now += 10 * SECONDS;
	assert_true(sets_changes(l.sets, now) > before); /* it expired */
	assert_int_equal(info_of(&l, "s").elements, 0);
	before = sets_changes(l.sets, now);

	add(&l, s, "10.0.0.1-10.0.0.9", 5, now);
	assert_true(sets_changes(l.sets, now) > before);
	before = sets_changes(l.sets, now);
	add(&l, s, "10.0.0.1-10.0.0.9", 8, now);
	assert_int_equal(sets_changes(l.sets, now + 7 * SECONDS), before);
	assert_true(sets_changes(l.sets, now + 8 * SECONDS) > before);
	assert_int_equal(info_of(&l, "s").elements, 0);
	lab_fini(&l);
}

static void test_full(void **state)
{
	uint64_t now = 5 * SECONDS;
	char text[32];
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, address)->timeout_s = 10;
	l.set[0].size = 100;
	s = lab_follow(&l, "s");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "10.0.0.%u", i);
		assert_true(learn(&l, s, text, now));
	}
	assert_false(learn(&l, s, "10.0.1.1", now));
	assert_int_equal(set_add_text(s, "10.0.1.2", 0, now, l.why, sizeof(l.why)), -ENOSPC);
	assert_int_equal(info_of(&l, "s").refused, 2);
	assert_int_equal(info_of(&l, "s").elements, 100);
	assert_true(learn(&l, s, "10.0.0.7", now + 5 * SECONDS)); /* who is in may stay */

	sets_changes(l.sets, now + 10 * SECONDS);
	assert_int_equal(info_of(&l, "s").elements, 1);
	assert_true(learn(&l, s, "10.0.1.1", now + 10 * SECONDS));
	lab_fini(&l);
}

static void test_walk(void **state)
{
	uint64_t now = 5 * SECONDS, cursor = 0;
	uint32_t left;
	struct lab l;
	struct set *s;
	char text[100];
	bool dynamic;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, port);
	lab_element(&l, &l.set[0], "80", 0);
	lab_element(&l, &l.set[0], "443", 60);
	s = lab_follow(&l, "s");
	add(&l, s, "1000-1005", 30, now);
	assert_true(set_walk(s, &cursor, now, text, sizeof(text), &left, &dynamic));
	assert_string_equal(text, "80");
	assert_int_equal(left, 0);
	assert_false(dynamic);
	assert_true(set_walk(s, &cursor, now, text, sizeof(text), &left, &dynamic));
	assert_string_equal(text, "443");
	assert_int_equal(left, 60); /* not begun */
	assert_true(set_walk(s, &cursor, now + SECONDS + 1, text, sizeof(text), &left, &dynamic));
	assert_string_equal(text, "1000-1005");
	assert_int_equal(left, 29);
	assert_true(dynamic);
	assert_false(set_walk(s, &cursor, now, text, sizeof(text), &left, &dynamic));
	lab_fini(&l);
}

/* ---- configurations */

static void test_reload_keeps(void **state)
{
	uint64_t now = 5 * SECONDS;
	struct set *s, *again;
	struct lab l;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, prefix);
	lab_element(&l, &l.set[0], "10.0.0.0/8", 0);
	lab_element(&l, &l.set[0], "192.0.2.1-192.0.2.9", 0);
	s = lab_follow(&l, "s");
	sets_sweep(l.sets);
	learn(&l, s, "198.51.100.1", now);
	add(&l, s, "203.0.113.5-203.0.113.20", 100, now);

	again = lab_follow(&l, "s"); /* the same file */
	assert_ptr_equal(s, again);
	sets_sweep(l.sets);
	assert_true(has(&l, s, "198.51.100.1", now));

	lab_element(&l, &l.set[0], "172.16.0.0/12", 0); /* one more in the file */
	l.set[0].size = 2000;
	again = lab_follow(&l, "s");
	assert_true(has(&l, again, "172.16.1.1", now));
	assert_true(has(&l, again, "10.1.1.1", now));
	assert_true(has(&l, again, "192.0.2.9", now));
	assert_true(has(&l, again, "198.51.100.1", now));
	assert_true(has(&l, again, "203.0.113.20", now + 100 * SECONDS - 1));
	assert_false(has(&l, again, "203.0.113.20", now + 100 * SECONDS));
	assert_int_equal(info_of(&l, "s").elements, 5);
	assert_int_equal(info_of(&l, "s").size, 2000);

	learn(&l, s, "198.51.100.2", now); /* by a rule of before, still running */
	sets_sweep(l.sets);
	assert_true(has(&l, again, "198.51.100.2", now));
	lab_fini(&l);
}

static void test_file_is_exact(void **state)
{
	uint64_t now = 5 * SECONDS;
	struct set *s;
	struct lab l;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, address);
	lab_element(&l, &l.set[0], "10.0.0.1", 0);
	lab_element(&l, &l.set[0], "10.0.0.2", 0);
	s = lab_follow(&l, "s");
	learn(&l, s, "10.0.0.1", now); /* it is the file's, and stays the file's */
	learn(&l, s, "10.0.0.3", now);
	l.set[0].nelements = 1;
	s = lab_follow(&l, "s");
	sets_sweep(l.sets);
	assert_true(has(&l, s, "10.0.0.1", now));
	assert_false(has(&l, s, "10.0.0.2", now));
	assert_true(has(&l, s, "10.0.0.3", now));

	/* what an operator took away, the next load brings back */
	assert_int_equal(set_del_text(s, "10.0.0.1", l.why, sizeof(l.why)), 0);
	assert_false(has(&l, s, "10.0.0.1", now));
	s = lab_follow(&l, "s");
	sets_sweep(l.sets);
	assert_true(has(&l, s, "10.0.0.1", now));
	assert_int_equal(info_of(&l, "s").elements, 2);
	lab_fini(&l);
}

/* A timeout that the file gives begins when the router knows the time. */
static void test_file_timeouts(void **state)
{
	uint64_t now = 1000 * SECONDS;
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, prefix)->timeout_s = 20;
	lab_element(&l, &l.set[0], "10.0.0.1", 0);
	lab_element(&l, &l.set[0], "10.0.1.1-10.0.1.9", 30);
	s = lab_follow(&l, "s");
	assert_true(has(&l, s, "10.0.0.1", now));
	learn(&l, s, "10.0.0.1", now); /* no shorter by this */
	sets_changes(l.sets, now);
	assert_true(has(&l, s, "10.0.0.1", now + 20 * SECONDS - 1));
	assert_false(has(&l, s, "10.0.0.1", now + 20 * SECONDS));
	assert_true(has(&l, s, "10.0.1.9", now + 30 * SECONDS - 1));
	assert_false(has(&l, s, "10.0.1.9", now + 30 * SECONDS));
	sets_changes(l.sets, now + 30 * SECONDS);
	assert_int_equal(info_of(&l, "s").elements, 0);

	s = lab_follow(&l, "s"); /* a reload begins anew */
	assert_int_equal(info_of(&l, "s").elements, 2);
	lab_fini(&l);
}

static void test_other_type(void **state)
{
	uint64_t now = 5 * SECONDS;
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, address);
	lab_set(&l, "t", 1, address);
	s = lab_follow(&l, "s");
	learn(&l, s, "10.0.0.1", now);
	learn(&l, sets_find(l.sets, "t"), "10.0.0.1", now);
	l.set[0].type[0] = CONF_FIELD_PREFIX;
	l.conf.nsets = 1;
	s = lab_follow(&l, "s");
	assert_null(sets_find(l.sets, "t"));
	sets_sweep(l.sets);
	assert_int_equal(info_of(&l, "s").elements, 0);
	lab_fini(&l);
}

/* A configuration that is refused leaves all as it was. */
static void test_refused(void **state)
{
	uint64_t now = 5 * SECONDS, before;
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, address);
	lab_element(&l, &l.set[0], "10.0.0.1", 0);
	s = lab_follow(&l, "s");
	learn(&l, s, "10.0.0.9", now);
	before = sets_changes(l.sets, now);
	lab_element(&l, &l.set[0], "10.0.0.2", 0);
	lab_set(&l, "full", 1, address)->size = 1;
	lab_element(&l, &l.set[1], "10.0.0.1", 0);
	lab_element(&l, &l.set[1], "10.0.0.2", 0);
	assert_int_equal(sets_follow(l.sets, &l.conf, l.why, sizeof(l.why)), -ENOSPC);
	assert_non_null(strstr(l.why, "\"full\""));
	assert_ptr_equal(sets_find(l.sets, "s"), s);
	assert_null(sets_find(l.sets, "full"));
	assert_false(has(&l, s, "10.0.0.2", now));
	assert_int_equal(info_of(&l, "s").elements, 2);
	assert_int_equal(sets_changes(l.sets, now), before);

	l.set[1].nelements = 1;
	l.set[1].elements[0].field[0].last.bytes[3]++; /* no address, but two */
	assert_int_equal(sets_follow(l.sets, &l.conf, l.why, sizeof(l.why)), -EINVAL);
	assert_ptr_equal(sets_find(l.sets, "s"), s);
	lab_fini(&l);
}

/* The new rules were refused after all: the old file again, and the very sets that the old rules
 * use, with what has become of them. */
static void test_going_back(void **state)
{
	uint64_t now = 5 * SECONDS;
	struct set *s, *new;
	struct lab l;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, address)->timeout_s = 50;
	lab_element(&l, &l.set[0], "10.0.0.1", 0);
	s = lab_follow(&l, "s");
	sets_sweep(l.sets);
	sets_changes(l.sets, now);
	learn(&l, s, "10.0.0.8", now);
	learn(&l, s, "10.0.0.9", now);
	assert_int_equal(set_del_text(s, "10.0.0.1", l.why, sizeof(l.why)), 0);

	lab_element(&l, &l.set[0], "10.0.0.2", 0);
	new = lab_follow(&l, "s");
	assert_ptr_not_equal(new, s);
	l.set[0].nelements = 1;
	assert_ptr_equal(lab_follow(&l, "s"), s);
	assert_true(has(&l, s, "10.0.0.9", now));
	assert_int_equal(info_of(&l, "s").elements, 2);

	/* what now goes does not come back with the next load, nor does what was never used */
	assert_int_equal(set_del_text(s, "10.0.0.8", l.why, sizeof(l.why)), 0);
	l.set[0].nelements = 2;
	assert_ptr_not_equal(lab_follow(&l, "s"), new);
	assert_false(has(&l, sets_find(l.sets, "s"), "10.0.0.8", now));
	l.set[0].nelements = 1;
	assert_ptr_equal(lab_follow(&l, "s"), s);
	sets_sweep(l.sets);
	assert_false(has(&l, s, "10.0.0.8", now));
	assert_int_equal(info_of(&l, "s").elements, 1);
	/* which makes the file's elements whole */
	s = lab_follow(&l, "s");
	sets_sweep(l.sets);
	assert_true(has(&l, s, "10.0.0.1", now));
	assert_true(has(&l, s, "10.0.0.9", now));
	lab_fini(&l);
}

/* Two loads without a sweep between: what came into the first still gets to the third. */
static void test_two_reloads(void **state)
{
	uint64_t now = 5 * SECONDS;
	struct set *first, *third;
	struct lab l;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, address);
	first = lab_follow(&l, "s");
	sets_sweep(l.sets);
	l.set[0].size++;
	lab_follow(&l, "s");
	l.set[0].size++;
	third = lab_follow(&l, "s");
	learn(&l, first, "10.0.0.1", now);
	assert_false(has(&l, third, "10.0.0.1", now));
	sets_sweep(l.sets);
	assert_true(has(&l, third, "10.0.0.1", now));
	lab_fini(&l);
}

/* What the file says is what there is, in the same words. */
static void test_from_a_file(void **state)
{
	static const char text[] =
		"version: 1\n"
		"interfaces:\n"
		"  lan0: {}\n"
		"sets:\n"
		"  a: {type: prefix, elements: [10.0.0.0/8, 192.0.2.1-192.0.2.9]}\n"
		"  b: {type: [address, port], elements: [10.0.0.1 . 80]}\n"
		"  c: {type: [interface, proto, mark], timeout: 10m,\n"
		"      elements: [lan0 . tcp . 0x20]}\n";
	static const struct {
		const char *set, *element;
	} want[] = { { "a", "10.0.0.0/8" },
		     { "a", "192.0.2.1-192.0.2.9" },
		     { "b", "10.0.0.1 . 80" },
		     { "c", "lan0 . tcp . 0x20" } };
	struct conf *c = load_good("sets.yaml", text);
	struct lab l;

	(void)state;
	lab_init(&l);
	assert_int_equal(sets_follow(l.sets, c, l.why, sizeof(l.why)), 0);
	for (unsigned i = 0; i < 4; i++) {
		struct set *s = sets_find(l.sets, want[i].set);

		assert_true(has(&l, s, want[i].element, SECONDS));
		assert_int_equal(set_del_text(s, want[i].element, l.why, sizeof(l.why)), 0);
	}
	conf_destroy(c);
	lab_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timeout),	      cmocka_unit_test(test_operators_timeout),
		cmocka_unit_test(test_far_future),    cmocka_unit_test(test_changes),
		cmocka_unit_test(test_full),	      cmocka_unit_test(test_walk),
		cmocka_unit_test(test_reload_keeps),  cmocka_unit_test(test_file_is_exact),
		cmocka_unit_test(test_file_timeouts), cmocka_unit_test(test_other_type),
		cmocka_unit_test(test_refused),	      cmocka_unit_test(test_two_reloads),
		cmocka_unit_test(test_going_back),    cmocka_unit_test(test_from_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
