// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What conf_print() writes loads again as an equal configuration: the examples, and random ones
 * with names and paths that need quoting. Run from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "config/conf.h"
#include "tests/unit/conf_util.h"

static bool same_iface(const struct conf_iface *a, const struct conf_iface *b)
{
	bool same = !strcmp(a->name, b->name) && !strcmp(a->netdev, b->netdev) &&
		    a->has_mac == b->has_mac && !memcmp(a->mac, b->mac, 6) &&
		    a->queues == b->queues && a->xdp_mode == b->xdp_mode && a->mtu == b->mtu &&
		    a->fail_pass == b->fail_pass && a->naddresses == b->naddresses;

	for (unsigned i = 0; same && i < a->naddresses; i++)
		same = prefix_equal(&a->addresses[i], &b->addresses[i]);
	return same;
}

static bool same_route(const struct conf_route *a, const struct conf_route *b)
{
	bool same = prefix_equal(&a->to, &b->to) && a->table == b->table &&
		    a->metric == b->metric && a->type == b->type && a->nnexthops == b->nnexthops;

	for (unsigned i = 0; same && i < a->nnexthops; i++)
		same = addr_equal(&a->nexthops[i].via, &b->nexthops[i].via) &&
		       !strcmp(a->nexthops[i].dev, b->nexthops[i].dev) &&
		       a->nexthops[i].weight == b->nexthops[i].weight;
	return same;
}

static void assert_same(const struct conf *a, const struct conf *b)
{
	assert_memory_equal(&a->workers, &b->workers, sizeof(a->workers));
	assert_memory_equal(&a->memory, &b->memory, sizeof(a->memory));
	assert_int_equal(a->xdp.mode, b->xdp.mode);
	assert_int_equal(a->xdp.ring_size, b->xdp.ring_size);
	assert_int_equal(a->xdp.busy_poll_usecs, b->xdp.busy_poll_usecs);
	assert_int_equal(a->xdp.busy_poll_budget, b->xdp.busy_poll_budget);
	assert_int_equal(a->xdp.replace, b->xdp.replace);
	assert_memory_equal(&a->stats, &b->stats, sizeof(a->stats));
	assert_int_equal(a->nifaces, b->nifaces);
	for (unsigned i = 0; i < a->nifaces; i++)
		assert_true(same_iface(&a->ifaces[i], &b->ifaces[i]));
	assert_int_equal(a->nroutes, b->nroutes);
	for (unsigned i = 0; i < a->nroutes; i++)
		assert_true(same_route(&a->routes[i], &b->routes[i]));
	assert_int_equal(a->nneighbours, b->nneighbours);
	for (unsigned i = 0; i < a->nneighbours; i++) {
		assert_string_equal(a->neighbours[i].dev, b->neighbours[i].dev);
		assert_true(addr_equal(&a->neighbours[i].ip, &b->neighbours[i].ip));
		assert_memory_equal(a->neighbours[i].mac, b->neighbours[i].mac, 6);
	}
}

static void assert_prints_again(const struct conf *c)
{
	char *text = printed(c);
	struct conf *again = load_good("printed.yaml", text);

	assert_same(c, again);
	char *text_again = printed(again);
	assert_string_equal(text, text_again);
	free(text_again);
	free(text);
	conf_destroy(again);
}

static void test_example_prints_again(void **state)
{
	struct conf *c = load_good("config/router.yaml", NULL);
	(void)state;

	assert_prints_again(c);
	conf_destroy(c);
	c = load_good("config/minimal.yaml", NULL);
	assert_prints_again(c);
	conf_destroy(c);
}

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static unsigned pick(unsigned *seed, unsigned n)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % n;
}

static void random_iface(struct conf_iface *f, unsigned index, unsigned *seed)
{
	static const char *const styles[] = { "eth%u",	"lan0.%u", "\"q%u\"", "0x%u",
					      "a,b]%u", "on%u",	   "#{\\%u" };

	sprintf(f->name, styles[pick(seed, 7)], index);
	if (pick(seed, 3) == 0)
		f->has_mac = true, memcpy(f->mac, (uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)index }, 6);
	else if (pick(seed, 2))
		sprintf(f->netdev, "n%u", index);
	else
		strcpy(f->netdev, f->name);
	f->queues = pick(seed, 2) ? 0 : 1 + pick(seed, 1024);
	f->xdp_mode = (enum conf_xdp_mode)pick(seed, 5);
	f->mtu = pick(seed, 2) ? 0 : 1280 + pick(seed, 60000);
	f->fail_pass = pick(seed, 2);
	f->naddresses = pick(seed, 4);
	f->addresses = f->naddresses ? calloc(f->naddresses, sizeof(struct prefix)) : NULL;
	for (unsigned i = 0; i < f->naddresses; i++) {
		char text[64];
		sprintf(text, pick(seed, 2) ? "10.%u.%u.7/24" : "2001:db8:%x:%x::7/64", index, i);
		assert_int_equal(prefix_parse(text, &f->addresses[i]), 0);
	}
}

static void random_route(struct conf_route *r, unsigned index, unsigned *seed)
{
	char text[64];
	bool v6 = pick(seed, 2);

	sprintf(text, v6 ? "fd00:%x::/32" : "77.%u.0.0/16", index);
	assert_int_equal(prefix_parse(pick(seed, 8) ? text : v6 ? "::/0" : "0.0.0.0/0", &r->to), 0);
	r->table = pick(seed, 2) ? 254 : 1 + pick(seed, 1u << 24);
	r->metric = index + 1;
	r->type = pick(seed, 2) ? CONF_ROUTE_UNICAST : (enum conf_route_type)pick(seed, 4);
	r->nnexthops = r->type == CONF_ROUTE_UNICAST ? 1 + pick(seed, 3) : 0;
	r->nexthops = r->nnexthops ? calloc(r->nnexthops, sizeof(struct conf_nexthop)) : NULL;
	for (unsigned i = 0; i < r->nnexthops; i++) {
		struct conf_nexthop *h = &r->nexthops[i];
		sprintf(text, v6 || pick(seed, 4) == 0 ? "fe80::%x" : "172.16.0.%u", i + 1);
		if (pick(seed, 4))
			h->via = address(text);
		sprintf(h->dev, "n%u", i);
		h->weight = 1 + pick(seed, 2) * pick(seed, 256);
	}
}

static struct conf *random_conf(unsigned seed)
{
	struct conf *c = load_good("t.yaml", "version: 1");

	c->workers.ncpus = pick(&seed, 5);
	for (unsigned i = 0; i < c->workers.ncpus; i++)
		c->workers.cpus[i] = 3 * i + pick(&seed, 3);
	c->workers.count = c->workers.ncpus ? 0 : pick(&seed, 3);
	c->workers.poll = (enum conf_poll)pick(&seed, 2);
	c->memory.frames = pick(&seed, 2) * 65536;
	c->memory.hugepages = (enum conf_hugepages)pick(&seed, 3);
	c->xdp.mode = (enum conf_xdp_mode)(1 + pick(&seed, 4));
	c->xdp.ring_size = 64u << pick(&seed, 10);
	c->xdp.replace = pick(&seed, 2);
	c->stats.socket.mode = pick(&seed, 512);
	strcpy(c->stats.socket.path, pick(&seed, 2) ? "/run/a \"b\"\\: c#" : "");
	c->stats.log_level = 3 + pick(&seed, 5);
	c->nifaces = pick(&seed, 6);
	c->ifaces = c->nifaces ? calloc(c->nifaces, sizeof(*c->ifaces)) : NULL;
	for (unsigned i = 0; i < c->nifaces; i++)
		random_iface(&c->ifaces[i], i, &seed);
	c->nroutes = pick(&seed, 8);
	c->routes = c->nroutes ? calloc(c->nroutes, sizeof(*c->routes)) : NULL;
	for (unsigned i = 0; i < c->nroutes; i++)
		random_route(&c->routes[i], i, &seed);
	return c;
}

static void test_random_confs_print_again(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 500; seed++) {
		struct conf *c = random_conf(seed);
		assert_prints_again(c);
		conf_destroy(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example_prints_again),
		cmocka_unit_test(test_random_confs_print_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
