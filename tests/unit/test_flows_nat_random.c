/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT in the packet path against a model, at random: hosts talk and are answered, time goes by,
 * rules are loaded again, and there are fewer outside ports than endpoints. Always, a mapping is
 * one endpoint's and an endpoint has one (U1, U3, U11), what lives is answered and nothing else is
 * (U5, I2), nobody is refused while a port is free (K11, K13), and in the end all is given back.
 *
 * Of a flow that has expired the port is free up to 16 s later, when the wheel comes by; until then
 * the model allows for both.
 */
#include "tests/random.h"
#include "tests/unit/pipe_nat.h"

#define PORTS	  24 /* outside, of each protocol */
#define RULES	  MASQUERADE(", ports: 2000-2023")
#define HOSTS	  4
#define ENDPOINTS (HOSTS * 12)
#define SERVERS	  4
#define STEPS	  30000
#define LATE	  (17 * NSEC_PER_SEC)

struct endpoint {
	uint16_t outside;	 /* of the last flow */
	uint64_t until[SERVERS]; /* of the flow with each server; 0: there was none */
};

struct model {
	struct pipe_flows f;
	struct endpoint endpoint[2][2][ENDPOINTS]; /* by family, by query or datagram */
	uint64_t random;
	unsigned refused, answered, silent;
};

static unsigned below(struct model *m, unsigned n)
{
	return random_below(&m->random, n);
}

enum life { GONE, MAYBE, LIVES };

static enum life life_of(const struct model *m, uint64_t until)
{
	uint64_t now = m->f.p.now;

	return now < until ? LIVES : until && now < until + LATE ? MAYBE : GONE;
}

static enum life mapping_life(const struct model *m, const struct endpoint *e)
{
	enum life best = GONE;

	for (unsigned i = 0; i < SERVERS; i++)
		if (life_of(m, e->until[i]) > best)
			best = life_of(m, e->until[i]);
	return best;
}

static unsigned mappings(const struct model *m, const struct endpoint *all, enum life at_least)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ENDPOINTS; i++)
		n += mapping_life(m, &all[i]) >= at_least;
	return n;
}

static struct packet packet_of(bool six, bool query, unsigned endpoint, unsigned far)
{
	struct addr src = inside(six, 2 + endpoint % HOSTS), dst = server(six, far / 2);
	unsigned port = 2000 + endpoint / HOSTS;

	return query ? echo(src, server(six, far), port) : udp(src, port, dst, 53 + far % 2);
}

static uint64_t timeout(bool query)
{
	return (query ? 60 : 300) * NSEC_PER_SEC;
}

static void refused(struct model *m, const struct endpoint *all, const struct endpoint *e)
{
	struct frame error;

	assert_int_not_equal(mapping_life(m, e), LIVES);
	assert_in_range(mappings(m, all, MAYBE), PORTS, ENDPOINTS);
	while (pipe_sent(&m->f.p, INSIDE, &error))
		;
	m->refused++;
}

/* A packet from inside: by the mapping there is, or one that nobody has. */
static void talk(struct model *m, bool six, bool query, unsigned endpoint, unsigned far)
{
	struct endpoint *all = m->endpoint[six][query], *e = &all[endpoint];
	struct packet k = packet_of(six, query, endpoint, far), out = k;
	uint64_t before = m->f.p.w->count->drop[DROP_NAT_EXHAUSTED];
	struct frame got;

	send_packet(&m->f, INSIDE, &k);
	if (m->f.p.w->count->drop[DROP_NAT_EXHAUSTED] != before) {
		refused(m, all, e);
		return;
	}
	assert_true(pipe_sent(&m->f.p, OUTSIDE, &got));
	out.src = router(six);
	out.sport = (uint16_t)get16(got.b + 14 + (six ? 40 : 20) + (query ? 4 : 0));
	assert_in_range(out.sport, 2000, 2000 + PORTS - 1);
	if (mapping_life(m, e) == LIVES)
		assert_int_equal(out.sport, e->outside);
	for (unsigned i = 0; i < ENDPOINTS; i++)
		assert_false(i != endpoint && all[i].outside == out.sport &&
			     mapping_life(m, &all[i]) == LIVES);
	e->outside = out.sport;
	e->until[far] = m->f.p.now + timeout(query);
}

/* An answer from outside to what this endpoint sent, long ago maybe. */
static void reply(struct model *m, bool six, bool query, unsigned endpoint, unsigned far)
{
	struct endpoint *all = m->endpoint[six][query], *e = &all[endpoint];
	struct packet k = packet_of(six, query, endpoint, far), out = k;
	struct packet back, want = answer(&k);

	if (!e->until[far])
		return;
	out.src = router(six);
	out.sport = e->outside;
	back = answer(&out);
	if (life_of(m, e->until[far]) == LIVES) {
		passes(&m->f, OUTSIDE, &back, INSIDE, &want);
		e->until[far] = m->f.p.now + timeout(query);
		m->answered++;
		return;
	}
	for (unsigned i = 0; i < ENDPOINTS; i++) /* it may be another's by now */
		if (all[i].outside == e->outside && life_of(m, all[i].until[far]) == LIVES)
			return;
	send_packet(&m->f, OUTSIDE, &back);
	pipe_quiet(&m->f.p);
	m->silent++;
}

static void step(struct model *m)
{
	static const unsigned wait[] = { 0, 0, 0, 0, 0, 1, 1, 10 };
	bool six = below(m, 2), query = below(m, 2);
	unsigned endpoint = below(m, ENDPOINTS), far = below(m, SERVERS);

	switch (below(m, 8)) {
	case 0: flows_wait_s(&m->f, wait[below(m, 8)]); break;
	case 1:
	case 2:
	case 3: talk(m, six, query, endpoint, far); break;
	default: reply(m, six, query, endpoint, far); break;
	}
	if (below(m, 500) == 0)
		assert_true(flows_load(&m->f, RULES));
	if (below(m, 2000) == 0)
		flows_wait_s(&m->f, 350);
}

static void drain(struct model *m)
{
	struct frame f;

	for (unsigned i = 0; i < PIPE_PORTS; i++)
		while (pipe_sent(&m->f.p, i, &f))
			;
}

static void at_random(void **state)
{
	static struct model m;

	(void)state;
	for (unsigned seed = 1; seed <= 3; seed++) {
		memset(&m, 0, sizeof(m));
		m.random = seed;
		nat_open(&m.f, RULES);
		for (unsigned i = 0; i < STEPS; i++) {
			step(&m);
			drain(&m);
		}
		print_message("%u answered, %u not, %u refused\n", m.answered, m.silent, m.refused);
		assert_in_range(m.answered, 1000, STEPS);
		assert_in_range(m.silent, 200, STEPS);
		assert_in_range(m.refused, 200, STEPS);
		all_gone_after(&m.f, 300);
		flows_close(&m.f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
