/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual reassembly: order, contradictions, first fragments and their fate. Requirements U14, V4,
 * G26, C29. Every lab that closes has accounted for its frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/frag_lab.h"

/* ---- order */

/* U14: 0, 1, 2, 3 in this order; what must come out is all of them, those that had to wait behind
 * the first and by offset. */
static void send_order(struct frag_lab *l, bool six, const unsigned order[4], uint32_t id)
{
	struct lab_worker *w = l->w[0];
	unsigned out = 0;
	bool first = false, waits[4] = { false };

	w->nsent = 0;
	for (unsigned i = 0; i < 4; i++) {
		unsigned n = order[i];
		struct spec s = udp(six, n * 104, n == 3 ? 13 : 104, n < 3);

		s.id = id;
		assert_int_equal(frag_send(w, &s), first || !n ? FRAG_KNOWN : FRAG_HELD);
		waits[n] = !first && n;
		first |= !n;
		if (!first) {
			assert_int_equal(w->nsent, 0);
			continue;
		}
		assert_int_equal(w->sent[out++].tag, n * 13);
		for (unsigned k = 1; k < 4; k++) {
			if (waits[k])
				assert_int_equal(w->sent[out++].tag, k * 13);
			waits[k] = false;
		}
		assert_int_equal(w->nsent, out);
	}
	assert_int_equal(out, 4);
	for (unsigned i = 0; i < 4; i++) {
		const struct frag_ports *p = &w->sent[i].ports;

		assert_int_equal(p->sport, htons(1024));
		assert_int_equal(p->dport, htons(53));
		assert_int_equal(p->proto, IPPROTO_UDP);
		assert_int_equal(p->new_id, w->sent[0].ports.new_id);
		assert_int_equal(p->first, w->sent[i].tag == 0);
	}
}

static void test_permutations(void **state)
{
	(void)state;
	for (int six = 0; six < 2; six++) {
		struct frag_lab *l = lab_of(1024, 1, 512); /* a datagram ends when it is complete */
		uint32_t id = 0;

		for (unsigned n = 0; n < 256; n++) {
			unsigned o[4] = { n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6 };

			if ((1u << o[0] | 1u << o[1] | 1u << o[2] | 1u << o[3]) == 15)
				send_order(l, six, o, ++id);
		}
		assert_int_equal(id, 24);
		assert_int_equal(stats_of(l).datagrams, 0);
		expect_dropped(l, DROP_FRAG_TIMEOUT, 0);
		frag_lab_close(l);
	}
}

/* Datagrams differ in each of the key's fields; IPv6 protocols do not tell them apart. */
static void test_keys(void **state)
{
	struct frag_lab *l = lab_default();
	struct spec other[6];

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		other[i] = udp(i > 3, 104, 8, false);
	other[0].src = 2;
	other[1].id = 78;
	other[2].zone = 1;
	other[3].proto = IPPROTO_SCTP;
	other[4].id = 77 + (1 << 16);
	other[5].zone = 1;
	for (int six = 0; six < 2; six++) {
		struct spec s = udp(six, 0, 104, true);

		assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
	}
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(frag_send(l->w[0], &other[i]), FRAG_HELD);
	other[5] = udp(true, 104, 8, false);
	other[5].proto = IPPROTO_TCP;
	l->w[0]->nsent = 0;
	assert_int_equal(frag_send(l->w[0], &other[5]), FRAG_KNOWN);
	assert_int_equal(l->w[0]->sent[0].ports.proto, IPPROTO_UDP); /* the first's */
	frag_lab_close(l);
}

/* V4: an id for each datagram, none twice as long as 65,535 others lie between, never 0. */
static void test_new_ids(void **state)
{
	struct frag_lab *l = lab_default();
	static uint8_t seen[65536];

	(void)state;
	memset(seen, 0, sizeof(seen));
	for (uint32_t i = 0; i < 65535; i++) {
		struct spec s = udp(false, 0, 16, true);

		s.src = i % 200;
		s.id = i;
		l->w[0]->nsent = 0;
		assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
		assert_false(seen[l->w[0]->sent[0].ports.new_id]++);
		s = udp(false, 16, 8, false);
		s.src = i % 200;
		s.id = i;
		assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
		assert_int_equal(l->w[0]->sent[1].ports.new_id, l->w[0]->sent[0].ports.new_id);
	}
	assert_false(seen[0]);
	frag_lab_close(l);
}

/* ---- contradictions */

struct cut {
	uint32_t start, len;
	bool last;
};

/* G26, RFC 5722: fragments of which the last condemns the datagram, if they come in this order. */
static const struct {
	const char *what;
	unsigned n;
	struct cut cut[4];
} contradictions[] = {
	{ "head", 3, { { 0, 24, 0 }, { 64, 32, 0 }, { 56, 16, 0 } } },
	{ "tail", 3, { { 0, 24, 0 }, { 64, 32, 0 }, { 88, 16, 0 } } },
	{ "inside", 3, { { 0, 24, 0 }, { 64, 32, 0 }, { 72, 8, 0 } } },
	{ "around", 3, { { 0, 24, 0 }, { 64, 32, 0 }, { 56, 48, 0 } } },
	{ "around, same start", 3, { { 0, 24, 0 }, { 64, 32, 0 }, { 64, 40, 0 } } },
	{ "inside, same start", 3, { { 0, 24, 0 }, { 64, 32, 0 }, { 64, 24, 0 } } },
	{ "inside, same end", 3, { { 0, 24, 0 }, { 64, 32, 0 }, { 72, 24, 0 } } },
	{ "around two", 4, { { 0, 24, 0 }, { 64, 8, 0 }, { 80, 8, 0 }, { 56, 48, 0 } } },
	{ "bridges two", 4, { { 0, 24, 0 }, { 64, 8, 0 }, { 80, 8, 0 }, { 64, 24, 0 } } },
	{ "the first's tail", 2, { { 0, 24, 0 }, { 16, 16, 0 } } },
	{ "a second first", 2, { { 0, 24, 0 }, { 0, 32, 0 } } },
	{ "a smaller first", 2, { { 0, 32, 0 }, { 0, 24, 0 } } },
	{ "a second last", 3, { { 0, 24, 0 }, { 64, 8, 1 }, { 80, 8, 1 } } },
	{ "an earlier last", 3, { { 0, 24, 0 }, { 64, 8, 1 }, { 40, 8, 1 } } },
	{ "the last, longer", 3, { { 0, 24, 0 }, { 64, 8, 1 }, { 64, 9, 1 } } },
	{ "the last, shorter", 3, { { 0, 24, 0 }, { 64, 8, 1 }, { 64, 7, 1 } } },
	{ "the last, with more", 3, { { 0, 24, 0 }, { 64, 8, 1 }, { 64, 8, 0 } } },
	{ "with more, then the last", 3, { { 0, 24, 0 }, { 64, 8, 0 }, { 64, 8, 1 } } },
	{ "beyond the last", 3, { { 0, 24, 0 }, { 64, 8, 1 }, { 80, 8, 0 } } },
	{ "the last before others", 3, { { 0, 24, 0 }, { 64, 8, 0 }, { 40, 8, 1 } } },
};

/* The cuts in the order of `turn` on: after the last nothing goes on any more, nothing waits. */
static void contradict(bool six, unsigned row, unsigned turn)
{
	struct frag_lab *l = lab_default();
	unsigned n = contradictions[row].n, known = 0;
	uint64_t all;

	for (unsigned i = 0; i < n; i++) {
		const struct cut *c = &contradictions[row].cut[(i + turn) % n];
		struct spec s = udp(six, c->start, c->len, !c->last);
		enum frag_verdict v = frag_send(l->w[0], &s);

		/* in another order two may meet earlier */
		if (v == FRAG_DROPPED ? !turn && i + 1 < n : i + 1 == n || lab_drops_all(l))
			fail_msg("%s, turn %u: fragment %u: %d", contradictions[row].what, turn, i,
				 v);
		known += v == FRAG_KNOWN;
	}
	assert_int_equal(stats_of(l).held, 0);
	assert_int_equal(stats_of(l).overlaps, 1);
	all = lab_drops_all(l);
	assert_int_equal(lab_drops(l, DROP_FRAG_OVERLAP), all);
	for (unsigned i = 0; i < n; i++) { /* what comes is dropped, whatever it is */
		struct spec s = udp(six, i * 200, 8, true);

		assert_int_equal(frag_send(l->w[0], &s), FRAG_DROPPED);
	}
	assert_int_equal(lab_drops(l, DROP_FRAG_OVERLAP), all + n);
	assert_true(turn || known == n - 1);
	frag_lab_close(l);
}

static void test_contradictions(void **state)
{
	(void)state;
	for (unsigned row = 0; row < sizeof(contradictions) / sizeof(contradictions[0]); row++)
		for (unsigned turn = 0; turn < contradictions[row].n; turn++) {
			contradict(false, row, turn);
			contradict(true, row, turn);
		}
}

/* The same fragment again goes no further and does no harm, before and after the end. */
static void test_duplicates(void **state)
{
	(void)state;
	for (int six = 0; six < 2; six++) {
		struct frag_lab *l = lab_of(64, 4, 16);
		struct spec s[3] = { udp(six, 104, 104, true), udp(six, 0, 104, true),
				     udp(six, 208, 5, false) };

		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(frag_send(l->w[0], &s[i]), i ? FRAG_KNOWN : FRAG_HELD);
			for (unsigned k = 0; k <= i; k++)
				assert_int_equal(frag_send(l->w[0], &s[k]), FRAG_DROPPED);
		}
		assert_int_equal(l->w[0]->nsent, 3);
		expect_dropped(l, DROP_FRAG_OVERLAP, 6);
		assert_int_equal(stats_of(l).datagrams, 0);
		l->w[0]->dp.now += NSEC_PER_SEC; /* the id is free again */
		assert_int_equal(frag_send(l->w[0], &s[1]), FRAG_KNOWN);
		frag_lab_close(l);
	}
}

static void test_lengths(void **state)
{
	static const struct cut bad[] = {
		{ 64, 0, 0 },	 { 64, 0, 1 },	   { 64, 9, 0 },     { 64, 7, 0 },
		{ 65528, 8, 1 }, { 65528, 20, 1 }, { 65512, 16, 1 }, { 65528, 1480, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(bad) / sizeof(bad[0]); i++) {
		const struct cut *c = &bad[i / 2];
		bool six = i % 2;
		struct frag_lab *l = lab_default();
		struct spec wait = udp(six, 24, 8, true), s = udp(six, c->start, c->len, !c->last);

		/* IPv6 counts no header but extensions */
		if (six && c->start == 65512)
			s.before = 1;
		assert_int_equal(frag_send(l->w[0], &wait), FRAG_HELD);
		assert_int_equal(frag_send(l->w[0], &s), FRAG_DROPPED);
		assert_int_equal(stats_of(l).held, 0);
		expect_dropped(l, six ? DROP_IP6_LENGTH : DROP_IP4_LENGTH, 2);
		s = udp(six, 0, 24, true);
		assert_int_equal(frag_send(l->w[0], &s), FRAG_DROPPED);
		frag_lab_close(l);
	}
}

/* The longest there can be. */
static void test_longest(void **state)
{
	(void)state;
	for (int six = 0; six < 2; six++) {
		struct frag_lab *l = lab_default();
		struct spec s = udp(six, 65512, six ? 23 : 3, false);

		assert_int_equal(frag_send(l->w[0], &s), FRAG_HELD);
		s = udp(six, 0, 1400, true);
		assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
		assert_int_equal(l->w[0]->nsent, 2);
		frag_lab_close(l);
	}
}

/* ---- first fragments */

static const struct {
	const char *what;
	struct spec s;
	bool fine;
	uint16_t sport, dport;
} firsts[] = {
	{ "TCP, all", { .proto = 6, .len = 24 }, true, 1024, 53 },
	{ "TCP, 16 bytes", { .proto = 6, .len = 16 }, false, 0, 0 },
	{ "TCP, 8 bytes", { .proto = 6, .len = 8 }, false, 0, 0 },
	{ "TCP, options behind it",
	  { .proto = 6, .len = 24, .data = { [12] = 0x70 } },
	  false,
	  0,
	  0 },
	{ "TCP, with options", { .proto = 6, .len = 24, .data = { [12] = 0x60 } }, true, 0, 0 },
	{ "TCP, data offset 4", { .proto = 6, .len = 24, .data = { [12] = 0x40 } }, false, 0, 0 },
	{ "UDP, all", { .proto = 17, .len = 8 }, true, 1024, 53 },
	{ "SCTP, 8 bytes", { .proto = 132, .len = 8 }, false, 0, 0 },
	{ "SCTP, all", { .proto = 132, .len = 16 }, true, 1024, 53 },
	{ "GRE", { .proto = 47, .len = 8 }, true, 0, 0 },
	{ "ICMP echo", { .proto = 1, .len = 8 }, true, 0x1234, 0x0800 },
	{ "ICMP error", { .proto = 1, .len = 64, .data = { 3, 1 } }, false, 0, 0 },
	{ "ICMP redirect", { .proto = 1, .len = 64, .data = { 5, 1 } }, false, 0, 0 },
	{ "TCP", { .six = true, .proto = 6, .len = 24 }, true, 1024, 53 },
	{ "TCP, 16", { .six = true, .proto = 6, .len = 16 }, false, 0, 0 },
	{ "TCP after 8", { .six = true, .proto = 6, .len = 32, .after = 1 }, true, 1024, 53 },
	{ "TCP after 8, 16", { .six = true, .proto = 6, .len = 24, .after = 1 }, false, 0, 0 },
	{ "UDP after 24", { .six = true, .proto = 17, .len = 32, .after = 3 }, true, 1024, 53 },
	{ "nothing after 8", { .six = true, .proto = 17, .len = 8, .after = 1 }, false, 0, 0 },
	{ "none after 8", { .six = true, .proto = 59, .len = 8, .after = 1 }, false, 0, 0 },
	{ "echo", { .six = true, .proto = 58, .len = 8, .before = 2 }, true, 0x1234, 0x8000 },
	{ "error", { .six = true, .proto = 58, .len = 64, .data = { 1, 4 } }, false, 0, 0 },
	{ "solicitation", { .six = true, .proto = 58, .len = 64, .data = { 135 } }, false, 0, 0 },
};

/* G26, RFC 7112, RFC 1858: a first fragment too small condemns. */
static void test_firsts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		struct frag_lab *l = lab_default();
		struct spec s = firsts[i].s, late = s;
		enum frag_verdict v;

		s.src = late.src = 1;
		s.more = late.more = true;
		late.start = 512;
		late.len = 8;
		assert_int_equal(frag_send(l->w[0], &late), FRAG_HELD);
		v = frag_send(l->w[0], &s);
		if (v != (firsts[i].fine ? FRAG_KNOWN : FRAG_DROPPED))
			fail_msg("%s: %d", firsts[i].what, v);
		assert_int_equal(stats_of(l).held, 0);
		late.start = 600;
		assert_int_equal(frag_send(l->w[0], &late), v);
		if (v == FRAG_KNOWN && !s.data[12]) {
			assert_int_equal(ntohs(l->w[0]->sent[2].ports.sport), firsts[i].sport);
			assert_int_equal(ntohs(l->w[0]->sent[2].ports.dport), firsts[i].dport);
		}
		expect_dropped(l, DROP_FRAG_TINY, v == FRAG_KNOWN ? 0 : 3);
		assert_int_equal(stats_of(l).tiny, v == FRAG_DROPPED);
		frag_lab_close(l);
	}
}

/* RFC 3128: what begins where TCP's flags are is an attack; elsewhere it is not. */
static void test_flags_in_second(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct frag_lab *l = lab_default();
		struct spec s = udp(false, i == 2 ? 16 : 8, 16, false);

		s.proto = i == 1 ? IPPROTO_UDP : IPPROTO_TCP;
		assert_int_equal(frag_send(l->w[0], &s), i ? FRAG_HELD : FRAG_DROPPED);
		expect_dropped(l, DROP_FRAG_TINY, !i);
		frag_lab_close(l);
	}
}

/* C29: extension headers stand before the fragment header of every fragment. Two of those make no
 * sense together. */
static void test_extensions6(void **state)
{
	struct frag_lab *l = lab_default();
	struct spec s = udp(true, 104, 8, false);
	struct frag_ports ports;
	struct pkt p;

	(void)state;
	s.before = 2;
	assert_int_equal(frag_send(l->w[0], &s), FRAG_HELD);
	s = udp(true, 0, 104, true);
	s.before = 1;
	assert_int_equal(frag_send(l->w[0], &s), FRAG_KNOWN);
	assert_int_equal(l->w[0]->nsent, 2);
	assert_int_equal(lab_drops_all(l), 0);
	/* an atomic one first: the outer header's next is 44, that of the atomic one 44 */
	s = udp(true, 0, 104, true);
	s.proto = 44;
	memcpy(s.data, (uint8_t[]){ 17, 0, 0, 1 }, 4);
	assert_true(lab_make(l->w[0], &s, &p));
	l->w[0]->made++;
	assert_int_equal(frag_input(l->f, &l->w[0]->dp, &p, 0, &ports), FRAG_DROPPED);
	expect_dropped(l, DROP_IP6_EXTENSION, 1);
	/* and alone it is no fragment (RFC 6946): the parser does not call it one */
	s = udp(true, 0, 104, false);
	assert_false(lab_make(l->w[0], &s, &p));
	frag_lab_close(l);
}

/* ---- the first one's fate */

static void test_judged(void **state)
{
	struct frag_lab *l = lab_default();
	struct frag_ports first, other;
	struct spec s = udp(false, 208, 8, true);

	(void)state;
	assert_int_equal(frag_send(l->w[1], &s), FRAG_HELD);
	s = udp(false, 0, 104, true);
	assert_int_equal(frag_send_only(l->w[0], &s, &first), FRAG_KNOWN);
	assert_true(first.first);
	s = udp(false, 104, 104, true); /* the flow is half made */
	assert_int_equal(frag_send_only(l->w[1], &s, &other), FRAG_HELD);
	frag_send_waiting(l->w[0], &first);
	assert_int_equal(l->w[0]->nsent, 3);
	assert_int_equal(l->w[0]->sent[1].start, 104);
	assert_int_equal(l->w[0]->sent[2].start, 208);
	s = udp(false, 216, 8, false);
	assert_int_equal(frag_send_only(l->w[1], &s, &other), FRAG_KNOWN);
	assert_false(other.first);
	assert_int_equal(other.new_id, first.new_id);
	frag_refuse(l->f, &l->w[0]->dp, &first); /* too late: it is of the past */
	frag_send_waiting(l->w[0], &first);
	assert_int_equal(lab_drops_all(l), 0);
	frag_lab_close(l);
}

/* What the first fragment told of is gone, and its entry another's. */
static void test_judged_too_long(void **state)
{
	struct frag_lab *l = lab_of(1, 4, 4);
	struct frag_ports first, other;
	struct spec s = udp(false, 0, 104, true);

	(void)state;
	assert_int_equal(frag_send_only(l->w[0], &s, &first), FRAG_KNOWN);
	l->w[0]->dp.now += LAB_TIMEOUT;
	s.id++;
	assert_int_equal(frag_send_only(l->w[0], &s, &other), FRAG_KNOWN);
	frag_refuse(l->f, &l->w[0]->dp, &first);
	s = udp(false, 104, 8, false);
	s.id++;
	assert_int_equal(frag_send(l->w[0], &s), FRAG_HELD);
	frag_send_waiting(l->w[0], &first);
	assert_int_equal(l->w[0]->nsent, 2);
	frag_send_waiting(l->w[0], &other);
	assert_int_equal(l->w[0]->nsent, 3);
	frag_lab_close(l);
}

static void test_refused(void **state)
{
	struct frag_lab *l = lab_of(64, 4, 16);

	(void)state;
	for (uint32_t id = 0; id < 20; id++) { /* a refused datagram counts until it is complete */
		struct spec wait = udp(false, 104, 8, false), s = udp(false, 0, 96, true);
		struct frag_ports first;

		wait.id = s.id = id;
		assert_int_equal(frag_send(l->w[0], &wait), FRAG_HELD);
		assert_int_equal(frag_send_only(l->w[0], &s, &first), FRAG_KNOWN);
		frag_refuse(l->f, &l->w[1]->dp, &first);
		frag_refuse(l->f, &l->w[1]->dp, &first);
		frag_send_waiting(l->w[0], &first);
		expect_dropped(l, DROP_FRAG_REFUSED, 2 * id + 1);
		s = udp(false, 96, 8, true);
		s.id = id;
		assert_int_equal(frag_send(l->w[0], &s), FRAG_DROPPED);
		expect_dropped(l, DROP_FRAG_REFUSED, 2 * id + 2);
		assert_int_equal(stats_of(l).datagrams, 0);
	}
	assert_int_equal(l->w[0]->nsent, 20);
	frag_lab_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permutations),	cmocka_unit_test(test_keys),
		cmocka_unit_test(test_new_ids),		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_duplicates),	cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_longest),		cmocka_unit_test(test_firsts),
		cmocka_unit_test(test_flags_in_second), cmocka_unit_test(test_extensions6),
		cmocka_unit_test(test_judged),		cmocka_unit_test(test_judged_too_long),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
