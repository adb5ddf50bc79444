/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets against a list that is looked through: all types and concatenations; words and errors;
 * ranges that overlap; what an enemy may choose; what an empty set costs. (Time and configurations:
 * test_set_life.c; threads: test_set_thread.c.)
 */
#include "tests/unit/set_util.h"

#define NOW (1000 * SECONDS)

#define A CONF_FIELD_ADDRESS
#define P CONF_FIELD_PREFIX
#define T CONF_FIELD_PORT
#define I CONF_FIELD_INTERFACE
#define R CONF_FIELD_PROTO
#define M CONF_FIELD_MARK

/* ---- the oracle */

#define ELEMENTS 300u

struct oracle {
	struct set *set;
	struct conf_element e[ELEMENTS];
	unsigned n;
};

/* A small world, so that elements overlap and keys hit. */
static void random_address(char *text, size_t size)
{
	if (random64() % 2)
		snprintf(text, size, "10.%u.%u.%u", (unsigned)(random64() % 2),
			 (unsigned)(random64() % 3), (unsigned)(random64() % 256));
	else
		snprintf(text, size, "2001:db8:%x::%x", (unsigned)(random64() % 3),
			 (unsigned)(random64() % 256));
}

static void random_prefix(char *text, size_t size)
{
	char address[64];
	struct prefix p;

	random_address(address, sizeof(address));
	prefix_parse(address, &p);
	p.len = (uint8_t)(random64() % 3 ? addr_bits(&p.addr) - random64() % 13
					 : random64() % (addr_bits(&p.addr) + 1));
	p = prefix_masked(&p);
	prefix_format(&p, address);
	snprintf(text, size, "%s", address);
}

static void random_range(char *text, size_t size)
{
	char one[64], two[64];
	struct addr a, b;

	do {
		random_address(one, sizeof(one));
		random_address(two, sizeof(two));
		addr_parse(one, &a);
		addr_parse(two, &b);
	} while (a.family != b.family || addr_cmp(&a, &b) > 0);
	snprintf(text, size, "%s-%s", one, two);
}

static void random_field(enum conf_field type, bool exact, char *text, size_t size)
{
	unsigned low = (unsigned)(random64() % 500), more = (unsigned)(random64() % 100);

	switch (type) {
	case A: random_address(text, size); break;
	case P:
		if (exact)
			random_address(text, size);
		else if (random64() % 2)
			random_prefix(text, size);
		else
			random_range(text, size);
		break;
	case T:
		if (exact || random64() % 2)
			snprintf(text, size, "%u", low);
		else
			snprintf(text, size, "%u-%u", low, low + more);
		break;
	case I: snprintf(text, size, "eth%u", low % 40); break;
	case R: snprintf(text, size, "%u", low % 256); break;
	case M: snprintf(text, size, "0x%x", low); break;
	}
}

static void random_words(const struct set *s, bool exact, char *text, size_t size)
{
	size_t n = 0;

	for (unsigned i = 0; i < s->ntypes; i++) {
		n += (size_t)snprintf(text + n, size - n, "%s", i ? " . " : "");
		random_field(s->type[i], exact, text + n, size - n);
		n += strlen(text + n);
	}
}

static bool in_field(enum conf_field type, const struct conf_element_field *f,
		     const struct conf_element_field *k)
{
	if (!set_field_is_address(type))
		return k->low >= f->low && k->low <= f->high;
	return k->first.family == f->first.family && addr_cmp(&k->first, &f->first) >= 0 &&
	       addr_cmp(&k->first, &f->last) <= 0;
}

static bool oracle_has(const struct oracle *o, const struct conf_element *k)
{
	for (unsigned i = 0; i < o->n; i++) {
		unsigned f = 0;

		while (f < o->set->ntypes &&
		       in_field(o->set->type[f], &o->e[i].field[f], &k->field[f]))
			f++;
		if (f == o->set->ntypes)
			return true;
	}
	return false;
}

static int oracle_find(const struct oracle *o, const struct conf_element *e)
{
	uint64_t a[SET_FLAT], b[SET_FLAT];
	unsigned n = set_flatten(o->set, e, a);

	for (unsigned i = 0; i < o->n; i++) {
		set_flatten(o->set, &o->e[i], b);
		if (!memcmp(a, b, n * 8))
			return (int)i;
	}
	return -1;
}

static void oracle_add(struct lab *l, struct oracle *o)
{
	struct conf_element e;
	char text[300];

	random_words(o->set, false, text, sizeof(text));
	assert_int_equal(set_parse(o->set, text, &e, l->why, sizeof(l->why)), 0);
	if (set_add_text(o->set, text, 0, NOW, l->why, sizeof(l->why))) {
		assert_non_null(strstr(l->why, "too many")); /* concatenations of wide ranges */
		return;
	}
	if (oracle_find(o, &e) < 0)
		o->e[o->n++] = e;
}

static void oracle_del(struct lab *l, struct oracle *o)
{
	unsigned i = (unsigned)(random64() % o->n);
	char text[300];

	set_format(o->set, &o->e[i], text, sizeof(text));
	assert_int_equal(set_del_text(o->set, text, l->why, sizeof(l->why)), 0);
	assert_int_equal(set_del_text(o->set, text, l->why, sizeof(l->why)), -ENOENT);
	o->e[i] = o->e[--o->n];
}

static unsigned compare(struct lab *l, const struct oracle *o, unsigned keys)
{
	unsigned hits = 0;

	for (unsigned i = 0; i < keys; i++) {
		struct conf_element k;
		char text[300];
		bool want;

		random_words(o->set, true, text, sizeof(text));
		assert_int_equal(set_parse(o->set, text, &k, l->why, sizeof(l->why)), 0);
		want = oracle_has(o, &k);
		if (has(l, o->set, text, NOW) != want)
			fail_msg("%s: %s", text, want ? "missed" : "made up");
		hits += want;
	}
	return hits;
}

/* What the walk says is what was put in, in words that parse back to it. */
static void compare_walk(struct lab *l, const struct oracle *o)
{
	uint64_t cursor = 0;
	unsigned n = 0;
	char text[300];
	uint32_t left;
	bool dynamic;

	while (set_walk(o->set, &cursor, NOW, text, sizeof(text), &left, &dynamic)) {
		struct conf_element e;

		assert_int_equal(set_parse(o->set, text, &e, l->why, sizeof(l->why)), 0);
		assert_true(oracle_find(o, &e) >= 0);
		assert_true(dynamic);
		assert_int_equal(left, 0);
		n++;
	}
	assert_int_equal(n, o->n);
	assert_int_equal(info_of(l, "s").elements, o->n);
}

static void against_oracle(unsigned ntypes, const enum conf_field *type)
{
	static struct oracle o;
	struct lab l;
	unsigned hits;

	lab_init(&l);
	lab_set(&l, "s", ntypes, type);
	memset(&o, 0, sizeof(o));
	o.set = lab_follow(&l, "s");
	for (unsigned i = 0; i < ELEMENTS; i++)
		oracle_add(&l, &o);
	hits = compare(&l, &o, 2000);
	compare_walk(&l, &o);
	for (unsigned i = 0; i < ELEMENTS / 2 && o.n > 2; i++)
		oracle_del(&l, &o);
	hits += compare(&l, &o, 2000);
	compare_walk(&l, &o);
	while (o.n < ELEMENTS / 2 + 20)
		oracle_add(&l, &o); /* what was freed is used again */
	hits += compare(&l, &o, 2000);
	while (o.n)
		oracle_del(&l, &o);
	assert_int_equal(compare(&l, &o, 100), 0);
	if (ntypes == 1)
		assert_true(hits > 100); /* or the test says nothing */
	lab_fini(&l);
}

static void test_address(void **state)
{
	(void)state;
	against_oracle(1, (enum conf_field[]){ A });
}

static void test_prefix(void **state)
{
	(void)state;
	against_oracle(1, (enum conf_field[]){ P });
}

static void test_port(void **state)
{
	(void)state;
	against_oracle(1, (enum conf_field[]){ T });
}

static void test_interface(void **state)
{
	(void)state;
	against_oracle(1, (enum conf_field[]){ M });
	against_oracle(2, (enum conf_field[]){ I, R });
}

static void test_concatenations(void **state)
{
	(void)state;
	against_oracle(2, (enum conf_field[]){ A, T });
	against_oracle(2, (enum conf_field[]){ P, R });
	against_oracle(2, (enum conf_field[]){ I, P });
	against_oracle(3, (enum conf_field[]){ T, A, R });
	against_oracle(4, (enum conf_field[]){ A, A, T, T });
	against_oracle(4, (enum conf_field[]){ I, R, M, P });
}

/* A key of another shape than the set's is nowhere in it, and does not come in. */
static void test_foreign_key(void **state)
{
	struct lab l;
	struct set_key k = { 0 };
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 2, (enum conf_field[]){ A, T });
	s = lab_follow(&l, "s");
	add(&l, s, "10.0.0.1 . 80", 0, NOW);
	assert_false(set_has(s, &k, NOW));
	assert_false(set_add(s, &k, NOW));
	set_key_value(&k, 0x0a000001);
	set_key_value(&k, 80);
	assert_false(set_has(s, &k, NOW));
	assert_false(set_add(s, &k, NOW));
	assert_int_equal(info_of(&l, "s").elements, 1);
	lab_fini(&l);
}

/* ---- words */

static void test_words(void **state)
{
	static const struct {
		enum conf_field type;
		const char *in, *out; /* NULL: refused */
	} rows[] = {
		{ A, "10.0.0.1", "10.0.0.1" },
		{ A, "10.0.0.1/32", "10.0.0.1" },
		{ A, "2001:DB8:0::1", "2001:db8::1" },
		{ A, "10.0.0.0/8", NULL },
		{ A, "10.0.0.1-10.0.0.2", NULL },
		{ A, "", NULL },
		{ A, "10.0.0", NULL },
		{ A, "10.0.0.1 ", NULL },
		{ P, "10.0.0.0/8", "10.0.0.0/8" },
		{ P, "10.0.0.1", "10.0.0.1" },
		{ P, "10.0.0.1/8", NULL }, /* which of the two is meant? */
		{ P, "10.0.0.0-10.255.255.255", "10.0.0.0/8" },
		{ P, "10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9" },
		{ P, "10.0.0.9-10.0.0.1", NULL },
		{ P, "10.0.0.1-::1", NULL },
		{ P, "10.0.0.1-", NULL },
		{ P, "-10.0.0.1", NULL },
		{ P, "0.0.0.0/0", "0.0.0.0/0" },
		{ P, "::/0", "::/0" },
		{ P, "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0" },
		{ P, "10.0.0.0/33", NULL },
		{ T, "80", "80" },
		{ T, "0-65535", "0-65535" },
		{ T, "80-90", "80-90" },
		{ T, "90-80", NULL },
		{ T, "65536", NULL },
		{ T, "-1", NULL },
		{ T, "80-", NULL },
		{ T, "http", NULL },
		{ I, "lan0.20", "lan0.20" },
		{ I, "a-name-too-long-for-linux", NULL },
		{ I, "a/b", NULL },
		{ I, "a b", NULL },
		{ I, "", NULL },
		{ R, "tcp", "tcp" },
		{ R, "6", "tcp" },
		{ R, "200", "200" },
		{ R, "256", NULL },
		{ R, "tcpp", NULL },
		{ M, "0x20", "0x20" },
		{ M, "4294967295", "0xffffffff" },
		{ M, "4294967296", NULL },
		{ M, "0x", NULL },
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab l;
		struct set *s;
		uint64_t cursor = 0;
		char text[200] = "";
		uint32_t left;
		bool dynamic;
		int err;

		lab_init(&l);
		lab_set(&l, "s", 1, &rows[i].type);
		s = lab_follow(&l, "s");
		err = set_add_text(s, rows[i].in, 0, NOW, l.why, sizeof(l.why));
		set_walk(s, &cursor, NOW, text, sizeof(text), &left, &dynamic);
		if (err != (rows[i].out ? 0 : -EINVAL) ||
		    strcmp(text, rows[i].out ? rows[i].out : "") != 0)
			fail_msg("%s: %d \"%s\" %s", rows[i].in, err, text, l.why);
		assert_true(!err || l.why[0]);
		assert_int_equal(set_find_text(s, rows[i].in, NOW, l.why, sizeof(l.why)), err);
		if (!err)
			set_del_text(s, rows[i].in, l.why, sizeof(l.why));
		assert_int_equal(set_find_text(s, rows[i].in, NOW, l.why, sizeof(l.why)),
				 err ? err : -ENOENT);
		lab_fini(&l);
	}
	(void)state;
}

static void test_words_of_concatenations(void **state)
{
	static const char *const wrong[] = { "10.0.0.1",
					     "10.0.0.1 . 80 . tcp",
					     "80 . 10.0.0.1",
					     "10.0.0.1 .80",
					     " . ",
					     "10.0.0.1 . 80 . ",
					     "" };
	struct set_info info;
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 2, (enum conf_field[]){ A, T });
	s = lab_follow(&l, "s");
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(set_add_text(s, wrong[i], 0, NOW, l.why, sizeof(l.why)), -EINVAL);
		assert_int_equal(set_del_text(s, wrong[i], l.why, sizeof(l.why)), -EINVAL);
	}
	info = info_of(&l, "s");
	assert_int_equal(info.elements, 0);
	assert_string_equal(info.type, "address . port");
	lab_fini(&l);
}

/* ---- ranges */

static void test_overlapping_ranges(void **state)
{
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, (enum conf_field[]){ P });
	s = lab_follow(&l, "s");
	add(&l, s, "10.0.0.0-10.0.2.9", 0, NOW); /* its parts: /23, /29, /31 */
	add(&l, s, "10.0.0.0/23", 0, NOW);	 /* which is one of these */
	add(&l, s, "10.0.0.0-10.0.2.9", 0, NOW); /* again: still one */
	assert_int_equal(info_of(&l, "s").elements, 2);
	assert_true(has(&l, s, "10.0.2.9", NOW));
	assert_false(has(&l, s, "10.0.2.10", NOW));
	assert_int_equal(set_del_text(s, "10.0.0.0-10.0.2.9", l.why, sizeof(l.why)), 0);
	assert_false(has(&l, s, "10.0.2.9", NOW));
	assert_true(has(&l, s, "10.0.1.255", NOW)); /* by the prefix, which is its own element */
	assert_int_equal(set_del_text(s, "10.0.0.0/23", l.why, sizeof(l.why)), 0);
	assert_false(has(&l, s, "10.0.1.255", NOW));
	assert_int_equal(info_of(&l, "s").elements, 0);
	lab_fini(&l);
}

/* 62 parts times 30, and nothing of one that has too many stays behind. */
static void test_wide_concatenations(void **state)
{
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 2, (enum conf_field[]){ P, T });
	s = lab_follow(&l, "s");
	assert_int_equal(set_add_text(s, "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe . 1-65534", 0,
				      NOW, l.why, sizeof(l.why)),
			 -EINVAL);
	assert_int_equal(set_load32(&s->used), 0);
	add(&l, s, "10.0.0.1-10.0.0.6 . 1-65534", 0, NOW);
	assert_true(has(&l, s, "10.0.0.6 . 65534", NOW));
	assert_false(has(&l, s, "10.0.0.6 . 65535", NOW));
	assert_false(has(&l, s, "10.0.0.7 . 1", NOW));
	lab_fini(&l);
}

/* One prefix of each length, in a set of its own: addresses one bit off are in it or not. */
static void every_length(uint8_t family)
{
	uint8_t bits = family == AF_INET ? 32 : 128;

	for (uint8_t len = 0; len <= bits; len++) {
		struct prefix p = { .addr = { .family = family }, .len = len }, m;
		char text[PREFIX_STRLEN];
		struct lab l;
		struct set *s;

		for (unsigned i = 0; i < bits / 8u; i++)
			p.addr.bytes[i] = (uint8_t)random64();
		m = prefix_masked(&p);
		lab_init(&l);
		lab_set(&l, "s", 1, (enum conf_field[]){ P });
		s = lab_follow(&l, "s");
		add(&l, s, prefix_format(&m, text), 0, NOW);
		for (unsigned i = 0; i < 2u * bits; i++) { /* each bit turned, of two addresses */
			struct addr a = i % 2 ? p.addr : m.addr;
			struct set_key k = { 0 };

			a.bytes[i / 16] ^= (uint8_t)(1u << i / 2 % 8);
			set_key_address(&k, family, a.bytes);
			assert_true(set_has(s, &k, NOW) == prefix_contains(&m, &a));
		}
		lab_fini(&l);
	}
}

static void test_every_length(void **state)
{
	(void)state;
	every_length(AF_INET);
	every_length(AF_INET6);
}

/* ---- what an enemy may choose */

/* All have one hash_bytes(): what the second word does to the state undoes what the first did. */
static void colliding(struct set_key *k)
{
	uint64_t first = random64(), h = 0 ^ (16 * 0x9e3779b97f4a7c15ull), second;
	uint8_t bytes[16];

	h = (h ^ first) * 0xff51afd7ed558ccdull;
	h ^= h >> 32;
	second = h ^ 0x1234567;
	memcpy(bytes, &first, 8);
	memcpy(bytes + 8, &second, 8);
	*k = (struct set_key){ 0 };
	set_key_address(k, AF_INET6, bytes);
}

static unsigned longest_bucket(const struct set *s)
{
	unsigned longest = 0;

	for (uint32_t b = 0; b <= s->mask; b++) {
		unsigned n = 0;

		for (uint32_t i = s->bucket[b].head; i; i = set_part(s, i)->next)
			n++;
		longest = n > longest ? n : longest;
	}
	return longest;
}

static void test_collisions(void **state)
{
	uint32_t hash = 0;
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, (enum conf_field[]){ A })->size = 65536;
	s = lab_follow(&l, "s");
	for (unsigned i = 0; i < 65536; i++) {
		struct set_key k;

		colliding(&k);
		if (!i)
			hash = hash_bytes(k.field[0].bytes, 16, 0);
		assert_int_equal(hash_bytes(k.field[0].bytes, 16, 0), hash);
		assert_true(set_add(s, &k, NOW));
	}
	/* of 65536 balls in 65536 bins, 8 in the fullest; 20 are as likely as 2^-50 */
	assert_in_range(longest_bucket(s), 2, 20);
	lab_fini(&l);
}

/* ---- memory */

static size_t resident_pages(void)
{
	size_t all, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%zu %zu", &all, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return pages;
}

static void test_empty_costs_nothing(void **state)
{
	size_t before, after;
	struct lab l;
	struct set *s;

	(void)state;
	lab_init(&l);
	lab_set(&l, "s", 1, (enum conf_field[]){ P })->size = 1u << 20;
	before = resident_pages();
	s = lab_follow(&l, "s");
	add(&l, s, "10.0.0.0/8", 0, NOW);
	for (unsigned i = 0; i < 10000; i++) {
		struct set_key k = { 0 };
		uint8_t bytes[16] = { 10 };
		uint64_t r = random64();

		memcpy(bytes + (i % 2), &r, 3);
		set_key_address(&k, AF_INET, bytes);
		assert_true(set_has(s, &k, NOW) == (bytes[0] == 10));
	}
	after = resident_pages();
	assert_true(after - before < 4096); /* of 300 MiB; untouched pages of the hash are one */
	lab_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_interface),
		cmocka_unit_test(test_concatenations),
		cmocka_unit_test(test_foreign_key),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_words_of_concatenations),
		cmocka_unit_test(test_overlapping_ranges),
		cmocka_unit_test(test_wide_concatenations),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_empty_costs_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
