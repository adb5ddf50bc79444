/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router/state and random announcements of routes, compared with a model: an array of routes in
 * Linux's order, searched from end to end. What is left at the end is nothing.
 */
#include "tests/unit/state_events.h"

#include <stdio.h>

#define ROUNDS 20000
#define MOST   64

/* The prefixes lie within each other, so that a lookup finds the longest that is there. */
static const char *const prefixes[2][4] = {
	{ "0.0.0.0/0", "172.16.0.0/12", "172.16.1.0/24", "172.16.1.1/32" },
	{ "::/0", "2001:db8::/32", "2001:db8:0:1::/64", "2001:db8:0:1::1/128" },
};
static const char *const inside[2] = { "172.16.1.1", "2001:db8:0:1::1" };

struct model_route {
	unsigned prefix, metric, gateway;
};

static struct model_route model[2][MOST];
static unsigned nmodel[2];

static struct netlink_route *event(unsigned six, const struct model_route *m)
{
	char gateway[32];
	struct netlink_route *r;

	snprintf(gateway, sizeof(gateway), six ? "2001:db8:1::%x" : "10.1.0.%u", m->gateway);
	r = via(prefixes[six][m->prefix], m->gateway & 1 ? LAN : WAN, gateway);
	r->metric = m->metric;
	return r;
}

static bool same_class(const struct model_route *a, const struct model_route *b)
{
	return a->prefix == b->prefix && a->metric == b->metric;
}

static void model_insert(unsigned six, unsigned at, const struct model_route *m)
{
	memmove(&model[six][at + 1], &model[six][at], (nmodel[six]++ - at) * sizeof(*m));
	model[six][at] = *m;
}

static void model_remove(unsigned six, unsigned at)
{
	memmove(&model[six][at], &model[six][at + 1], (--nmodel[six] - at) * sizeof(model[0][0]));
}

static void add_or_replace(unsigned six, const struct model_route *m)
{
	struct netlink_route *r = event(six, m);
	unsigned first = 0, last = nmodel[six];

	for (unsigned i = 0; i < nmodel[six]; i++)
		if (same_class(&model[six][i], m) && model[six][i].gateway == m->gateway)
			return; /* Linux refuses, and does nothing */
	while (first < nmodel[six] && !same_class(&model[six][first], m))
		first++;
	switch (six || nmodel[six] == MOST ? 0 : random() % 3) {
	case 0: /* of IPv6 no others: siblings have their own test */
		r->replace = true;
		if (first < nmodel[six])
			model[six][first] = *m;
		else if (nmodel[six] < MOST)
			model_insert(six, last, m);
		else
			return;
		break;
	case 1:
		r->append = true;
		model_insert(six, last, m);
		break;
	default: model_insert(six, 0, m); break;
	}
	tell(r);
}

static void remove_one(unsigned six)
{
	unsigned at;

	if (!nmodel[six])
		return;
	at = (unsigned)random() % nmodel[six];
	tell_gone(event(six, &model[six][at]));
	model_remove(six, at);
}

/* The gateway of the longest prefix, of the least metric, of the first: -1, none. */
static int model_lookup(unsigned six)
{
	const struct model_route *best = NULL;

	for (unsigned i = 0; i < nmodel[six]; i++) {
		const struct model_route *m = &model[six][i];

		if (!best || m->prefix > best->prefix ||
		    (m->prefix == best->prefix && m->metric < best->metric))
			best = m;
	}
	return best ? (int)best->gateway : -1;
}

static void resync(void)
{
	state_netlink_ops.sync_begin(s);
	network_is_there();
	for (unsigned six = 0; six < 2; six++)
		for (unsigned i = 0; i < nmodel[six]; i++)
			tell(event(six, &model[six][i]));
	state_netlink_ops.sync_end(s);
}

static void random_routes(void **state)
{
	(void)state;
	srandom(7);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned six = random() & 1;
		struct model_route m = { .prefix = random() & 3,
					 .metric = (unsigned)(random() % 3) * 10,
					 .gateway = 1 + (unsigned)(random() % 6) };

		if (random() % 100 < 55)
			add_or_replace(six, &m);
		else
			remove_one(six);
		if (random() % 500 == 0 && nmodel[six]) { /* an event is lost */
			model_remove(six, 0);
			resync();
		}
		if (random() & 1)
			state_publish(s);
		for (six = 0; six < 2; six++) {
			assert_int_equal(s->nroutes[six], nmodel[six]);
			assert_int_equal(gateway_of(inside[six]), model_lookup(six));
		}
	}
	while (nmodel[0] + nmodel[1]) {
		remove_one(0);
		remove_one(1);
	}
	assert_int_equal(s->paths.count + s->adjs.count + s->routes.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_routes, network_up, network_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
