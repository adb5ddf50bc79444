/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets to many addresses that nobody has: who waits for its neighbour, who is refused, and who
 * finds room beside. Requirements G25, F13; RFC 6583.
 */
#include "router/net/hold.h"
#include "tests/unit/pipe_flows.h"

#define SCANNED 60000 /* addresses */

static void offer(struct pipe *p, struct addr src, struct addr dst)
{
	struct frame f;

	if (src.family == AF_INET)
		frame4(&f, src, dst, IPPROTO_UDP, 9);
	else
		frame6(&f, src, dst, IPPROTO_UDP, 9);
	pipe_receive(p, &f);
	pipe_turn(p);
	while (pipe_sent(p, 0, &f)) { /* what errors the limit allows */
	}
}

/* A connected network of 2^16 and more addresses on interface i. */
static struct addr scanned(bool six, unsigned i, unsigned n)
{
	return six ? net6(i, n + 1000) : net4(198, 18 + i, n >> 8, n & 255);
}

static void scan_open(struct pipe *p)
{
	pipe_open(p);
	for (unsigned i = 1; i < 3; i++)
		pipe_route(p, scanned(false, i, 0), 16,
			   pipe_nh(p, 0,
				   &(struct nh){ .type = NH_GLEAN,
						 .iface = (uint16_t)i,
						 .port = p->cfg->iface[i].port,
						 .mtu = 1500 },
				   0));
}

/* One source scans the network on interface i. */
static void scan(struct pipe *p, bool six, unsigned i, unsigned source, unsigned from, unsigned n)
{
	struct addr src = six ? net6(0x7000 + source, 2) : net4(172, 0, source, 9);

	for (unsigned k = 0; k < n; k++)
		offer(p, src, scanned(six, i, from + k));
}

static unsigned refused(const struct pipe *p)
{
	return (unsigned)p->w->count->drop[DROP_NEIGH_LIMIT];
}

static bool waits_for(const struct pipe *p, struct addr a)
{
	const struct hold *h = p->w->dp.hold;

	for (unsigned i = 0; i < h->n; i++)
		if (addr_equal(&h->entry[i].addr, &a))
			return true;
	return false;
}

/* Requests that control would find. */
static unsigned asked(struct pipe *p, unsigned *sure)
{
	struct dp_message m;
	unsigned n = 0;

	*sure = 0;
	while (spsc_get(&p->w->messages, &m)) {
		n++;
		*sure += m.sure;
	}
	return n;
}

/* One source gets no further than a third of what there is for all who guess, and control hears of
 * no more than that; another source still finds room, and so does the next. */
static void test_one_source(void **state)
{
	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct pipe p;
		unsigned sure, n;

		scan_open(&p);
		scan(&p, six, 1, 0, 0, 2000);
		n = p.w->dp.hold->n;
		assert_in_range(n, 20, 30);
		assert_int_equal(refused(&p), 2000 - n);
		assert_int_equal(asked(&p, &sure), n);
		assert_int_equal(sure, 0);
		for (unsigned other = 1; other < 9; other++) {
			scan(&p, six, 1, other, 5000 * other, 1);
			assert_true(waits_for(&p, scanned(six, 1, 5000 * other)));
		}
		pipe_close(&p);
	}
}

/* Many sources fill what one interface may have; another interface has room for its own. */
static void test_one_interface(void **state)
{
	struct pipe p;

	(void)state;
	scan_open(&p);
	for (unsigned source = 0; source < 250; source++)
		scan(&p, false, 1, source, 10 * source, 2);
	assert_in_range(p.w->dp.hold->n, 35, 45);
	scan(&p, false, 2, 251, 0, 1);
	assert_true(waits_for(&p, scanned(false, 2, 0)));
	pipe_close(&p);
}

/* Many sources; but one destination is tried again. It is let in, and who is not is told. */
static void test_who_comes_again(void **state)
{
	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct addr host = scanned(six, 1, SCANNED), src = on_link(six, 0, 2);
		struct pipe p;
		unsigned n;

		scan_open(&p);
		for (unsigned source = 0; source < 250; source++)
			scan(&p, six, 1, source, 10 * source, 2);
		offer(&p, src, host);
		assert_false(waits_for(&p, host));
		p.now += 100 * NSEC_PER_MSEC;
		offer(&p, src, host); /* so soon: that may be a burst */
		assert_false(waits_for(&p, host));
		assert_int_equal(p.w->count->event[EVENT_ICMP_SENT], 0);
		p.now += 150 * NSEC_PER_MSEC;
		for (unsigned k = 0; k < 1000; k++)
			scan(&p, six, 1, k % 250, 3000 + k, 1);
		offer(&p, src, host);
		assert_true(waits_for(&p, host));

		p.now += 300 * NSEC_PER_MSEC; /* the scan comes again: not all of it */
		for (unsigned k = 0; k < 1000; k++)
			scan(&p, six, 1, k % 250, 3000 + k, 1);
		n = p.w->dp.hold->n;
		assert_in_range(n, 50, 60);
		assert_true(p.w->count->event[EVENT_ICMP_SENT] > 0);
		pipe_close(&p);
	}
}

/* One source scans the same addresses again and again, and then many sources those: none of that is
 * a host that somebody wants. */
static void test_scanned_again(void **state)
{
	struct addr host = scanned(false, 1, SCANNED), src = on_link(false, 0, 2);
	struct pipe p;

	(void)state;
	scan_open(&p);
	for (unsigned k = 0; k < 20; k++) {
		scan(&p, false, 1, 0, 0, 1000);
		p.now += 300 * NSEC_PER_MSEC;
	}
	offer(&p, src, host);
	assert_true(waits_for(&p, host));
	p.now += HOLD_TIMEOUT;
	scan(&p, false, 1, 0, 0, 1000);
	p.now += 300 * NSEC_PER_MSEC;
	for (unsigned k = 0; k < 1000; k++)
		scan(&p, false, 1, k % 250, k, 1);
	host = scanned(false, 1, SCANNED + 1);
	offer(&p, src, host);
	assert_false(waits_for(&p, host));
	p.now += 300 * NSEC_PER_MSEC;
	offer(&p, net4(172, 0, 7, 9), host);
	assert_false(waits_for(&p, host)); /* another one wants it for the first time */
	offer(&p, src, host);
	assert_true(waits_for(&p, host));
	pipe_close(&p);
}

/* Who found a place at once, but not control's ear, has it when sent to again. */
static void test_heard_late(void **state)
{
	struct addr host = scanned(false, 1, SCANNED), src = on_link(false, 0, 2);
	struct pipe p;
	unsigned sure;

	(void)state;
	scan_open(&p);
	offer(&p, src, host);
	assert_int_equal(asked(&p, &sure), 1);
	assert_int_equal(sure, 0);
	p.now += 100 * NSEC_PER_MSEC;
	offer(&p, src, host);
	p.now += 110 * NSEC_PER_MSEC;
	pipe_turn(&p);
	assert_int_equal(asked(&p, &sure), 1);
	assert_int_equal(sure, 0); /* that was a burst, perhaps */
	offer(&p, src, host);
	p.now += 210 * NSEC_PER_MSEC;
	pipe_turn(&p);
	assert_int_equal(asked(&p, &sure), 1);
	assert_int_equal(sure, 1);
	pipe_close(&p);
}

/* What was refused long ago does not count, wherever the clock of that stands. */
static void test_too_late(void **state)
{
	struct addr host = scanned(false, 1, SCANNED), src = on_link(false, 0, 2);
	struct pipe p;

	(void)state;
	scan_open(&p);
	for (unsigned i = 1; i < 1000; i += 97) {
		uint64_t start = p.now;

		for (unsigned source = 0; source < 250; source++)
			scan(&p, false, 1, source, 10 * source, 2);
		offer(&p, src, host);
		p.now = start + i * NSEC_PER_SEC + 10 * NSEC_PER_SEC;
		pipe_turn(&p); /* all have waited too long */
		for (unsigned source = 0; source < 250; source++)
			scan(&p, false, 1, source, 10 * source + 5, 2);
		offer(&p, src, host);
		if ((i + 10) % 205 > 6) /* the clock goes around in 204.8 s */
			assert_false(waits_for(&p, host));
		p.now += HOLD_TIMEOUT;
		pipe_turn(&p);
	}
	pipe_close(&p);
}

/* Gateways, and hosts that were there before, wait whatever else does, and control knows. */
static void test_sure(void **state)
{
	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct addr host = scanned(six, 1, SCANNED), src = on_link(six, 0, 2);
		struct pipe p;
		unsigned sure;

		scan_open(&p);
		for (unsigned k = 0; k < 500; k++)
			scan(&p, six, 1 + k % 2, k % 250, k, 1);
		p.now += 300 * NSEC_PER_MSEC;
		for (unsigned k = 0; k < 500; k++) /* those who return take what they may */
			scan(&p, six, 1 + k % 2, k % 250, k, 1);
		asked(&p, &sure);
		neigh_note_known(&p.nht, 1, &host);
		offer(&p, src, host);
		offer(&p, src, beyond(six, VIA_DARK));
		offer(&p, src, beyond(six, VIA_FAILED));
		assert_true(waits_for(&p, host));
		assert_true(waits_for(&p, on_link(six, 1, 9)));
		assert_true(waits_for(&p, on_link(six, 1, 10)));
		assert_int_equal(asked(&p, &sure), 3);
		assert_int_equal(sure, 3);
		pipe_close(&p);
	}
}

/* A neighbour that Linux has given up on, and for which there is no room now: its sender is told.
 */
static void test_failed_and_no_room(void **state)
{
	struct addr host = scanned(false, 1, SCANNED);
	struct pipe p;

	(void)state;
	scan_open(&p);
	pipe_learn(&p, 1, host, NH_FAILED, 1);
	scan(&p, false, 1, 0, 0, 500);
	assert_int_equal(p.w->count->event[EVENT_ICMP_SENT], 0);
	offer(&p, net4(172, 0, 0, 9), host);
	assert_int_equal(p.w->count->event[EVENT_ICMP_SENT], 1);
	pipe_close(&p);
}

/* Flows remember the neighbours of connected networks by what Linux knows of them, and a scan has
 * made it try many: they are guesses as before. */
static void test_flows_guess(void **state)
{
	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		struct pipe_flows f;
		struct frame error;
		unsigned sure;

		flows_open(&f, "conntrack: {}");
		for (unsigned k = 0; k < 150; k++)
			pipe_learn(&f.p, 1, on_link(six, 1, 20 + k),
				   k % 2 ? NH_FAILED : NH_UNRESOLVED, k % 2);
		for (unsigned k = 0; k < 150; k++)
			offer(&f.p, on_link(six, 0, 2), on_link(six, 1, 20 + k));
		assert_in_range(f.p.w->dp.hold->n, 20, 30);
		asked(&f.p, &sure);
		assert_int_equal(sure, 0);
		f.p.now += HOLD_TIMEOUT;
		pipe_turn(&f.p);
		while (pipe_sent(&f.p, 0, &error)) {
		}
		flows_close(&f);
	}
}

/* Those who were found make room for the next. */
static void test_all_answer(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	scan_open(&p);
	for (unsigned n = 0; n < 200; n++) {
		scan(&p, false, 1, 0, n, 1);
		assert_true(waits_for(&p, scanned(false, 1, n)));
		pipe_learn(&p, 1, scanned(false, 1, n), NH_RESOLVED, 0);
		pipe_turn(&p);
		assert_true(pipe_sent(&p, 1, &f));
	}
	assert_int_equal(refused(&p), 0);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_source),
		cmocka_unit_test(test_one_interface),
		cmocka_unit_test(test_who_comes_again),
		cmocka_unit_test(test_heard_late),
		cmocka_unit_test(test_scanned_again),
		cmocka_unit_test(test_too_late),
		cmocka_unit_test(test_sure),
		cmocka_unit_test(test_all_answer),
		cmocka_unit_test(test_flows_guess),
		cmocka_unit_test(test_failed_and_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
