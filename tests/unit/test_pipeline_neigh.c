/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Neighbours that are not known yet: packets wait, control is asked, then they go in order or their
 * senders are told. Requirements F13, G24; RFC 1122 2.3.2.2.
 */
#include "tests/unit/pipe_rows.h"

/* Control's end of the ring: the next address it is asked to have resolved. */
static bool asked(struct pipe *p, struct dp_message *m)
{
	return spsc_get(&p->w->messages, m);
}

static void expect_asked(struct pipe *p, unsigned iface, struct addr a)
{
	struct dp_message m;

	assert_true(asked(p, &m));
	assert_int_equal(m.iface, iface);
	assert_memory_equal(&m.addr, &a, sizeof(a));
	assert_false(asked(p, &m));
}

/* The n-th packet to somewhere: what it carries tells them apart. */
static void frame_nth(struct frame *f, struct addr dst, unsigned n)
{
	frame_to(f, dst, 100);
	put16(f->b + f->l3 + 60, n);
}

static void offer(struct pipe *p, struct addr dst, unsigned from, unsigned to)
{
	struct frame f;

	for (unsigned n = from; n <= to; n++) {
		frame_nth(&f, dst, n);
		pipe_receive(p, &f);
		pipe_turn(p);
	}
}

/* n packets of somebody. */
static void offer_from(struct pipe *p, struct addr src, struct addr dst, unsigned n)
{
	struct frame f;

	frame4(&f, src, dst, IPPROTO_UDP, 9);
	for (unsigned i = 0; i < n; i++) {
		pipe_receive(p, &f);
		pipe_turn(p);
	}
}

static void expect_sent(struct pipe *p, struct addr dst, unsigned host, unsigned from, unsigned to)
{
	struct frame f, want;

	for (unsigned n = from; n <= to; n++) {
		frame_nth(&f, dst, n);
		frame_forwarded(&want, &f, 1, host);
		expect_frame(p, 1, &want);
	}
	pipe_quiet(p);
}

/* A gateway, or a connected host: what is asked for, and how it comes to be known. */
static const struct {
	bool six, gateway;
} kinds[] = { { false, true }, { false, false }, { true, true }, { true, false } };

static struct addr kind_dst(unsigned k)
{
	return kinds[k].gateway ? beyond(kinds[k].six, VIA_DARK) : on_link(kinds[k].six, 1, 9);
}

static void test_resolved(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct addr neighbour = on_link(kinds[k].six, 1, 9), dst = kind_dst(k);
		struct pipe p;

		pipe_open(&p);
		offer(&p, dst, 1, HOLD_PACKETS);
		pipe_quiet(&p);
		assert_int_equal(p.w->dp.nheld, HOLD_PACKETS);
		assert_int_equal(p.w->count->event[EVENT_HELD], HOLD_PACKETS);
		expect_asked(&p, 1, neighbour);
		pipe_learn(&p, 1, neighbour, NH_RESOLVED, 0);
		pipe_turn(&p);
		expect_sent(&p, dst, 9, 1, HOLD_PACKETS);
		assert_int_equal(p.w->dp.nheld, 0);
		assert_int_equal(pipe_drops_all(&p), 0);
		offer(&p, dst, 50, 50); /* nobody waits any more */
		expect_sent(&p, dst, 9, 50, 50);
		pipe_close(&p);
	}
}

/* A connected host nobody has heard of, not even as unresolved. */
static void test_unheard_of(void **state)
{
	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct addr host = on_link(six, 1, 77);
		struct pipe p;

		pipe_open(&p);
		offer(&p, host, 1, 2);
		expect_asked(&p, 1, host);
		pipe_turn(&p);
		pipe_learn(&p, 1, host, NH_UNRESOLVED, 0);
		pipe_turn(&p);
		assert_int_equal(p.w->dp.nheld, 2);
		pipe_learn(&p, 1, host, NH_RESOLVED, 0);
		offer(&p, host, 3, 3); /* behind those that waited */
		expect_sent(&p, host, 77, 1, 3);
		pipe_close(&p);
	}
}

/* In the table of neighbours, what was removed does not hide what stands behind it. */
static void test_behind_a_removed_one(void **state)
{
	struct addr host = on_link(false, 1, 77);
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (uint32_t i = 0, at = neigh_hash(1, &host); i < 3; i++)
		if (!p.neigh->entry[(at + i) & p.neigh->mask])
			p.neigh->entry[(at + i) & p.neigh->mask] = NEIGH_GONE;
	pipe_learn(&p, 1, host, NH_RESOLVED, 0);
	offer(&p, host, 1, 3);
	expect_sent(&p, host, 77, 1, 3);
	pipe_close(&p);
}

/* The newest stay. */
static void test_overflow(void **state)
{
	struct addr dst = beyond(false, VIA_DARK);
	struct pipe p;

	(void)state;
	pipe_open(&p);
	offer(&p, dst, 1, 3 * HOLD_PACKETS);
	assert_int_equal(p.w->count->drop[DROP_NEIGH_HOLD_FULL], 2 * HOLD_PACKETS);
	assert_int_equal(p.w->dp.nheld, HOLD_PACKETS);
	pipe_learn(&p, 1, on_link(false, 1, 9), NH_RESOLVED, 0);
	pipe_turn(&p);
	expect_sent(&p, dst, 9, 2 * HOLD_PACKETS + 1, 3 * HOLD_PACKETS);
	pipe_close(&p);
}

static void expect_host_unreachable(struct pipe *p, struct addr dst, unsigned from, unsigned to)
{
	bool six = dst.family == AF_INET6;
	struct error e = { six ? 1 : 3, six ? 3 : 1, 0, on_link(six, 0, 1), 0, 0 };
	struct frame f;

	for (unsigned n = from; n <= to; n++) {
		frame_nth(&f, dst, n);
		expect_error(p, &f, &e);
	}
	pipe_quiet(p);
}

/* Asked again and again, then given up; the limit on errors holds here too. */
static void test_timeout(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct addr neighbour = on_link(kinds[k].six, 1, 9), dst = kind_dst(k);
		struct pipe p;
		uint64_t start;

		pipe_open(&p);
		start = p.now;
		offer(&p, dst, 1, HOLD_PACKETS);
		expect_asked(&p, 1, neighbour);
		for (unsigned i = 1; i * HOLD_ASK_AGAIN < HOLD_TIMEOUT; i++) {
			p.now = start + i * HOLD_ASK_AGAIN - 1;
			pipe_turn(&p);
			assert_int_equal(p.w->messages.head, p.w->messages.tail);
			p.now++;
			pipe_turn(&p);
			expect_asked(&p, 1, neighbour);
		}
		p.now = start + HOLD_TIMEOUT - 1;
		pipe_turn(&p);
		assert_int_equal(p.w->dp.nheld, HOLD_PACKETS);
		p.now++;
		pipe_turn(&p);
		assert_int_equal(p.w->dp.nheld, 0);
		assert_int_equal(p.w->count->drop[DROP_NEIGH_FAILED], HOLD_PACKETS);
		assert_int_equal(p.w->count->event[EVENT_ICMP_LIMITED], HOLD_PACKETS - 6);
		expect_host_unreachable(&p, dst, 1, 6);
		pipe_close(&p);
	}
}

/* Linux gives up sooner than we do: so do we. One that had failed before is asked for anew. */
static void test_failed(void **state)
{
	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct addr dst = beyond(six, VIA_DARK), again = beyond(six, VIA_FAILED);
		struct pipe p;

		pipe_open(&p);
		offer(&p, dst, 1, 3);
		expect_asked(&p, 1, on_link(six, 1, 9));
		pipe_learn(&p, 1, on_link(six, 1, 9), NH_FAILED, 1);
		pipe_turn(&p);
		assert_int_equal(p.w->count->drop[DROP_NEIGH_FAILED], 3);
		expect_host_unreachable(&p, dst, 1, 3);

		p.now += 10 * NSEC_PER_SEC;
		offer(&p, again, 1, 3);
		expect_asked(&p, 1, on_link(six, 1, 10));
		pipe_turn(&p);
		assert_int_equal(p.w->dp.nheld, 3); /* the old failure is not ours */
		pipe_learn(&p, 1, on_link(six, 1, 10), NH_FAILED, 2);
		pipe_turn(&p);
		expect_host_unreachable(&p, again, 1, 3);
		offer(&p, again, 4, 5);
		expect_asked(&p, 1, on_link(six, 1, 10));
		pipe_learn(&p, 1, on_link(six, 1, 10), NH_RESOLVED, 2);
		pipe_turn(&p);
		expect_sent(&p, again, 10, 4, 5);
		pipe_close(&p);
	}
}

/* Neighbours with full queues of their own do not take all memory: there is a limit in total, and
 * always room for one more packet. */
static void test_total_full(void **state)
{
	struct pipe p;
	unsigned held;

	(void)state;
	pipe_open_sized(&p, 4 * HOLD_TOTAL, PIPE_RING);
	for (unsigned host = 20; host < 60; host++)
		offer_from(&p, on_link(false, 0, host), on_link(false, 1, host), 2 * HOLD_PACKETS);
	held = p.w->dp.nheld;
	assert_in_range(held, HOLD_TOTAL * 3 / 4, HOLD_TOTAL - 1);
	assert_int_equal(p.w->count->drop[DROP_NEIGH_HOLD_FULL], 40 * 2 * HOLD_PACKETS - held);
	offer_from(&p, on_link(false, 0, 99), on_link(false, 2, 200), 1);
	assert_int_equal(p.w->dp.nheld, held + 1);
	offer(&p, on_link(false, 1, 20), 7, 7); /* the newest of a full queue stays */
	assert_int_equal(p.w->dp.nheld, held + 1);
	assert_int_equal(p.w->count->drop[DROP_NEIGH_LIMIT], 0);
	pipe_close(&p);
}

/* Control does not read: its ring fills, the requests that did not fit are counted. */
static void test_ring_full(void **state)
{
	struct pipe p;
	struct frame f;
	struct dp_message m;
	unsigned n = 0;

	(void)state;
	pipe_open(&p);
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned host = 20; host < 60; host++)
			offer_from(&p, net4(172, 0, host, 9), on_link(false, 1, host), 1);
		p.now += HOLD_TIMEOUT;
		pipe_turn(&p);
		while (pipe_sent(&p, 0, &f)) { /* what errors the limit allows */
		}
	}
	assert_int_equal(p.w->count->event[EVENT_RESOLVE_LOST], 30 * 40 - 1024);
	while (asked(&p, &m))
		n++;
	assert_int_equal(n, 1024);
	pipe_close(&p);
}

/* What waits was not changed yet: the questions about it are asked when its turn comes. */
static void test_asked_when_known(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame_to(&f, beyond(false, VIA_DARK), 1400);
	frame_ip4(&f)->frag = htons(IP4_DF);
	frame_sum4(&f);
	pipe_receive(&p, &f);
	frame_ttl(&f, 1); /* needs no neighbour to be refused */
	pipe_answers(&p, &f, DROP_TTL, 11, 0, 0);
	assert_int_equal(p.w->dp.nheld, 1);
	p.cfg->iface[1].mtu = 1300;
	pipe_learn(&p, 1, on_link(false, 1, 9), NH_RESOLVED, 0);
	pipe_turn(&p);
	frame_ttl(&f, 64);
	expect_error(&p, &f, &(struct error){ 3, 4, 1300, on_link(false, 0, 1), 0, 0 });
	assert_int_equal(p.w->count->drop[DROP_TOO_BIG], 1);
	pipe_close(&p);
}

/* But for the length: a route may have an MTU of its own, which its gateway does not know (F8,
 * G22). Who cannot be cut need not wait to be told. */
static void test_mtu_of_route(void **state)
{
	struct frame f, first, second;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	p.nht.slot[p.dark4]->mtu = p.nht.slot[p.dark6]->mtu = 1300;
	frame_to(&f, beyond(false, VIA_DARK), 1281);
	frame_ip4(&f)->frag = htons(IP4_DF);
	frame_sum4(&f);
	pipe_answers(&p, &f, DROP_TOO_BIG, 3, 4, 1300);
	frame_to(&f, beyond(true, VIA_DARK), 1261);
	pipe_answers(&p, &f, DROP_TOO_BIG, 2, 0, 1300);
	assert_int_equal(p.w->dp.nheld, 0);
	frame_to(&f, beyond(true, VIA_DARK), 1260);
	pipe_receive(&p, &f);
	frame_to(&f, beyond(false, VIA_DARK), 1281);
	pipe_receive(&p, &f);
	pipe_turn(&p);
	pipe_quiet(&p);
	assert_int_equal(p.w->dp.nheld, 2);
	pipe_learn(&p, 1, on_link(false, 1, 9), NH_RESOLVED, 0); /* the link takes 1500 */
	pipe_turn(&p);
	assert_true(pipe_sent(&p, 1, &first));
	assert_true(pipe_sent(&p, 1, &second));
	assert_int_equal(first.len, 14 + 1300);
	assert_int_equal(ntohs(frame_ip4(&second)->len), 20 + 1);
	pipe_quiet(&p);
	pipe_close(&p);
}

/* An error of ours waits too; when nobody answers it is dropped without a word. */
static void test_own_error_waits(void **state)
{
	struct pipe p;
	struct frame f;
	struct error e = { .type = 3, .iface = 2, .host = 40, .from = on_link(false, 2, 1) };

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < 2; i++) {
		frame4(&f, on_link(false, 2, 40 + i), beyond(false, TO_NOWHERE), IPPROTO_UDP, 9);
		pipe_receive(&p, &f);
		pipe_turn(&p);
		pipe_quiet(&p);
		expect_asked(&p, 2, on_link(false, 2, 40 + i));
	}
	pipe_learn(&p, 2, on_link(false, 2, 40), NH_RESOLVED, 0);
	pipe_turn(&p);
	frame4(&f, on_link(false, 2, 40), beyond(false, TO_NOWHERE), IPPROTO_UDP, 9);
	expect_error(&p, &f, &e);
	p.now += HOLD_TIMEOUT;
	pipe_turn(&p);
	pipe_quiet(&p);
	assert_int_equal(p.w->count->drop[DROP_NEIGH_FAILED], 1);
	pipe_close(&p);
}

/* The worker stops: what waits is counted as gone. pipe_close() sees every frame come home. */
static void test_stop(void **state)
{
	struct pipe p;

	(void)state;
	pipe_open(&p);
	offer(&p, beyond(false, VIA_DARK), 1, 5);
	offer(&p, on_link(true, 2, 30), 1, 2);
	hold_drop(&p.w->dp);
	assert_int_equal(p.w->count->drop[DROP_NEIGH_GONE], 7);
	pipe_check(&p);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolved),
		cmocka_unit_test(test_unheard_of),
		cmocka_unit_test(test_behind_a_removed_one),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_total_full),
		cmocka_unit_test(test_ring_full),
		cmocka_unit_test(test_mtu_of_route),
		cmocka_unit_test(test_asked_when_known),
		cmocka_unit_test(test_own_error_waits),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
