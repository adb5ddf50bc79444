/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several next hops: a flow keeps its path, the fragments of a datagram go one way, and the flows
 * divide as the weights say. Requirement F18.
 */
#include "tests/unit/pipe_rows.h"

#define FLOWS 4000

/* Which interface the frame leaves by. */
static unsigned path_of(struct pipe *p, struct frame *f)
{
	unsigned iface;
	struct frame want;

	pipe_receive(p, f);
	worker_turn(p->w, p->now);
	iface = xsk_queue_unsent(p->port[1]->queue[0]) ? 1 : 2;
	frame_forwarded(&want, f, iface, 2);
	expect_frame(p, iface, &want);
	return iface;
}

/* What makes flows differ: the row's place in a frame of each family. */
static const struct {
	const char *what;
	unsigned at4, at6;
} fields[] = {
	{ "source", 14 + 14, 14 + 22 },
	{ "destination", 14 + 18, 14 + 38 },
	{ "source port", 34, 54 },
	{ "destination port", 36, 56 },
};

static void frame_flow(struct frame *f, bool six, unsigned field, unsigned n)
{
	frame_to(f, beyond(six, VIA_GROUP), 40);
	put16(f->b + (six ? fields[field].at6 : fields[field].at4), 0x4000 + n); /* none of ours */
	if (!six)
		frame_sum4(f);
}

static void test_weights(void **state)
{
	static const unsigned weights[][2] = { { 1, 1 }, { 3, 1 }, { 1, 7 }, { 10, 3 }, { 1, 0 } };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(weights) / sizeof(weights[0]); i++) {
		unsigned a = weights[i][0], b = weights[i][1];

		for (unsigned six = 0; six < 2; six++) {
			pipe_group(&p,
				   fib_get(six ? p.fib6 : p.fib4, beyond(six, VIA_GROUP).bytes,
					   six ? 48 : 16),
				   six, a, b);
			for (unsigned k = 0; k < 4; k++) {
				unsigned by[3] = { 0 };

				for (unsigned n = 0; n < FLOWS; n++) {
					frame_flow(&f, six, k, n);
					by[path_of(&p, &f)]++;
				}
				assert_in_range(by[2] * 100 * (a + b), FLOWS * b * 85,
						FLOWS * b * 115);
				assert_in_range(by[1] * 100 * (a + b), FLOWS * a * 85,
						FLOWS * a * 115);
			}
		}
	}
	pipe_check(&p);
	pipe_close(&p);
}

/* The same five say the same path, whatever else differs. */
static void test_flow_is_stable(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned n = 0; n < 200; n++) {
		for (unsigned six = 0; six < 2; six++) {
			static const uint8_t nops[4] = { 1, 1, 1, 1 }, dest[8] = { 0, 0, 1, 4 };
			static const uint8_t atomic[8] = { 0, 0, 0, 6 }; /* reserved bits set */
			unsigned path;

			frame_flow(&f, six, 2, n);
			path = path_of(&p, &f);
			f.b[f.l3 + (six ? 60 : 40)] ^= 0xff; /* data */
			assert_int_equal(path_of(&p, &f), path);
			frame_ttl(&f, 3);
			f.b[15] ^= 0x0c; /* DSCP; flow label, some */
			if (!six)
				frame_sum4(&f);
			assert_int_equal(path_of(&p, &f), path);
			if (six)
				frame_extension(&f, 60, dest, 8);
			else
				frame_options(&f, nops, 4);
			assert_int_equal(path_of(&p, &f), path);
			if (six)
				frame_extension(&f, 44, atomic, 8);
			assert_int_equal(path_of(&p, &f), path);
		}
	}
	pipe_check(&p);
	pipe_close(&p);
}

/* Another seed, other paths: nobody outside can tell which flow goes where. */
static void test_seed(void **state)
{
	unsigned moved = 0;
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned n = 0; n < 1000; n++) {
		unsigned before;

		frame_flow(&f, false, 2, n);
		p.cfg->set.seed = 1;
		before = path_of(&p, &f);
		p.cfg->set.seed = 2;
		moved += path_of(&p, &f) != before;
	}
	assert_in_range(moved, 250, 500); /* of three to one: 375 */
	pipe_close(&p);
}

/* "Too big" from the far side of an anycast address goes where the flow goes that it is about: its
 * quote is an answer, with the ports the other way around (RFC 7690). */
static void test_errors_follow(void **state)
{
	struct pipe p;
	struct frame flow, error;
	unsigned by[3] = { 0 };

	(void)state;
	pipe_open(&p);
	for (unsigned n = 0; n < 400; n++) {
		bool six = n & 1;
		unsigned at = six ? 54 : 34, path, ports = 0x4000 + n;

		frame_flow(&flow, six, 2, n);
		path = path_of(&p, &flow);
		by[path]++;
		frame_to(&error, beyond(six, VIA_GROUP), six ? 56 : 36);
		error.b[six ? 20 : 23] = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		error.b[at] = six ? 2 : 3;
		error.b[at + 1] = six ? 0 : 4;
		memcpy(error.b + at + 8, flow.b + 14, six ? 48 : 28);
		memcpy(error.b + at + 8 + (six ? 8 : 12), flow.b + 14 + (six ? 24 : 16),
		       six ? 16 : 4);
		memcpy(error.b + at + 8 + (six ? 24 : 16), flow.b + 14 + (six ? 8 : 12),
		       six ? 16 : 4);
		memcpy(error.b + at + 8 + (six ? 40 : 20), flow.b + at + 2, 2);
		put16(error.b + at + 8 + (six ? 42 : 22), ports);
		if (!six)
			frame_sum4(&error);
		assert_int_equal(path_of(&p, &error), path);
	}
	assert_true(by[1] > 200 && by[2] > 60);
	pipe_check(&p);
	pipe_close(&p);
}

/* By addresses alone: ports make no difference, hosts do. */
static void test_l3(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	p.cfg->set.hash_l3 = true;
	for (unsigned six = 0; six < 2; six++) {
		unsigned by[3] = { 0 };

		for (unsigned n = 0; n < 400; n++) {
			frame_flow(&f, six, 2 + n % 2, n);
			by[path_of(&p, &f)]++;
		}
		assert_true(by[1] == 0 || by[2] == 0);
		memset(by, 0, sizeof(by));
		for (unsigned n = 0; n < 400; n++) {
			frame_flow(&f, six, 0, n);
			by[path_of(&p, &f)]++;
		}
		assert_in_range(by[2], 60, 140);
	}
	pipe_check(&p);
	pipe_close(&p);
}

static void test_fragments4(void **state)
{
	static const unsigned frags[] = { IP4_MF, IP4_MF | 100, 200 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned n = 0; n < 200; n++) {
		unsigned path[3];

		for (unsigned i = 0; i < 3; i++) {
			frame_flow(&f, false, 0, n);
			put16(f.b + 34, i * 77); /* ports are in the first only */
			frame_ip4(&f)->frag = htons((uint16_t)frags[i]);
			frame_sum4(&f);
			path[i] = path_of(&p, &f);
		}
		assert_true(path[0] == path[1] && path[1] == path[2]);
	}
	pipe_close(&p);
}

/* Only the first fragment shows the headers behind the fragment header. */
static void test_fragments6(void **state)
{
	static const uint8_t first[8] = { 0, 0, 0, 1 }, later[8] = { 0, 0, 5, 0xa8 };
	static const uint8_t dest[8] = { 0, 0, 1, 4 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned n = 0; n < 200; n++) {
		unsigned path;

		frame_flow(&f, true, 0, n);
		frame_extension(&f, 60, dest, 8);
		frame_extension(&f, 44, first, 8);
		path = path_of(&p, &f);
		frame_flow(&f, true, 0, n);
		put16(f.b + 54, n); /* data now */
		frame_extension(&f, 44, later, 8);
		f.b[54] = 60; /* as the first says */
		assert_int_equal(path_of(&p, &f), path);
	}
	pipe_close(&p);
}

/* What the chosen member is, decides. */
static void test_members(void **state)
{
	struct nh group = { .type = NH_GROUP };
	struct addr out = beyond(false, VIA_GROUP);
	uint32_t slot, members[3];
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	members[0] = fib_get(p.fib4, beyond(false, TO_BLACKHOLE).bytes, 16);
	members[1] = p.dark4;
	members[2] = slot = fib_get(p.fib4, out.bytes, 16);
	frame_to(&f, out, 40);
	for (unsigned i = 0; i < 3; i++) {
		p.nht.slot[pipe_nh(&p, slot, &group, 1)]->bucket[0] = members[i];
		if (i == 0)
			pipe_drops(&p, &f, DROP_BLACKHOLE);
		if (i == 2)
			pipe_drops(&p, &f, DROP_NO_ROUTE); /* a group in a group */
		if (i != 1)
			continue;
		pipe_receive(&p, &f);
		pipe_turn(&p);
		assert_int_equal(p.w->dp.nheld, 1);
	}
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weights),	      cmocka_unit_test(test_flow_is_stable),
		cmocka_unit_test(test_seed),	      cmocka_unit_test(test_fragments4),
		cmocka_unit_test(test_fragments6),    cmocka_unit_test(test_members),
		cmocka_unit_test(test_errors_follow), cmocka_unit_test(test_l3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
