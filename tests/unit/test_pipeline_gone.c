/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces that go while packets are on their way: those that wait in the hold queue, and those
 * whose neighbour is known but may not be used any more.
 */
#include "tests/unit/pipe_rows.h"

/* The configuration with its first n interfaces only; no byte more, for the sanitizer. */
static struct dp_config *first_ifaces(const struct pipe *p, unsigned n)
{
	size_t size = sizeof(*p->cfg) + n * sizeof(p->cfg->iface[0]);
	struct dp_config *c = malloc(size);

	assert_non_null(c);
	memcpy(c, p->cfg, size);
	c->nifaces = n;
	return c;
}

/* A packet came by an interface that is gone when its neighbour turns out not to answer: there is
 * nobody to tell, and no table to ask for the way. */
static void test_ingress_gone_while_held(void **state)
{
	struct dp_config *less;
	struct frame f;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	frame_to(&f, beyond(false, VIA_DARK), 40);
	f.port = 2;
	f.b[5] = 2; /* the MAC address of port 2 */
	pipe_receive(&p, &f);
	pipe_turn(&p);
	assert_int_equal(p.w->dp.nheld, 1);
	less = first_ifaces(&p, 2);
	p.w->config = less;
	p.now += HOLD_TIMEOUT;
	pipe_turn(&p);
	assert_int_equal(p.w->dp.nheld, 0);
	assert_int_equal(p.w->count->drop[DROP_NEIGH_FAILED], 1);
	assert_int_equal(p.w->count->generated, 0);
	pipe_quiet(&p);
	p.w->config = p.cfg;
	pipe_close(&p);
	free(less);
}

static void put_down(struct pipe *p, struct addr a)
{
	struct nh down = { .type = NH_DOWN,
			   .state = NH_RESOLVED,
			   .iface = 1,
			   .port = IFACE_NONE,
			   .mtu = 1500,
			   .addr = a };

	pipe_nh(p, neigh_lookup(p->neigh, &p->nht, 1, &a), &down, 0);
}

/* A connected neighbour whose interface went down, or whose port closed, under a connected route
 * that has not followed yet. */
static void test_neighbour_down(void **state)
{
	struct frame f;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	put_down(&p, on_link(false, 1, 2));
	frame_to(&f, on_link(false, 1, 2), 40);
	pipe_receive(&p, &f);
	pipe_turn(&p);
	assert_int_equal(p.w->count->drop[DROP_EGRESS_DOWN], 1);
	assert_true(pipe_sent(&p, 0, &f)); /* the error */
	pipe_quiet(&p);
	pipe_close(&p);
}

/* Held packets do not leave by a port that closed just when their neighbour became known. */
static void test_port_closed_while_held(void **state)
{
	struct frame f;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	frame_to(&f, beyond(false, VIA_DARK), 40);
	pipe_receive(&p, &f);
	pipe_turn(&p);
	put_down(&p, on_link(false, 1, 9));
	p.now += NSEC_PER_MSEC;
	pipe_turn(&p);
	assert_int_equal(p.w->dp.nheld, 1);
	pipe_quiet(&p);
	p.now += HOLD_TIMEOUT;
	pipe_turn(&p);
	assert_int_equal(p.w->dp.nheld, 0);
	assert_int_equal(p.w->count->drop[DROP_NEIGH_FAILED], 1);
	pipe_close(&p);
}

static struct pipe *closing;
static uint8_t *(*alloc)(struct dp *dp);

static uint8_t *alloc_and_close(struct dp *dp)
{
	put_down(closing, on_link(false, 1, 9));
	return alloc(dp);
}

/* Control closes the port while the packets that waited for a neighbour on it are being sent: those
 * behind the first, which is being cut meanwhile, find another next hop than it has found. */
static void test_port_closed_while_sent(void **state)
{
	struct frame f;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < 3; i++) {
		frame_to(&f, beyond(false, VIA_DARK), 1000);
		pipe_receive(&p, &f);
	}
	pipe_turn(&p);
	assert_int_equal(p.w->dp.nheld, 3);
	closing = &p;
	alloc = p.w->dp.alloc;
	p.w->dp.alloc = alloc_and_close;
	p.cfg->iface[1].mtu = 600;
	pipe_learn(&p, 1, on_link(false, 1, 9), NH_RESOLVED, 0);
	pipe_turn(&p);
	p.w->dp.alloc = alloc;
	assert_int_equal(p.w->dp.nheld, 0);
	assert_int_equal(p.w->count->drop[DROP_EGRESS_DOWN], 2);
	assert_true(pipe_sent(&p, 1, &f) && pipe_sent(&p, 1, &f)); /* both parts of the first */
	assert_true(pipe_sent(&p, 0, &f) && pipe_sent(&p, 0, &f)); /* its sender is told */
	pipe_quiet(&p);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ingress_gone_while_held),
		cmocka_unit_test(test_neighbour_down),
		cmocka_unit_test(test_port_closed_while_held),
		cmocka_unit_test(test_port_closed_while_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
