/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/settings: what the file says of the packet path, and the seed of the choice among next
 * hops. Requirement F18: a seed per boot. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/conf.h"
#include "router/router.h"
#include "router/settings.h"
#include "tests/unit/state_events.h"

/* In another process, and there perhaps in another network namespace. */
static uint32_t seed_elsewhere(bool netns)
{
	uint32_t seed = 0;
	int fd[2], status;

	assert_int_equal(pipe(fd), 0);
	if (fork() == 0) {
		if (netns && unshare(CLONE_NEWNET))
			_exit(1);
		seed = settings_seed("/run/router");
		_exit(write(fd[1], &seed, sizeof(seed)) != sizeof(seed));
	}
	wait(&status);
	if (WEXITSTATUS(status) == 0)
		assert_int_equal(read(fd[0], &seed, sizeof(seed)), sizeof(seed));
	close(fd[0]);
	close(fd[1]);
	return seed;
}

static void seed_is_this_boots_and_this_routers(void **state)
{
	uint32_t seed = settings_seed("/run/router");

	(void)state;
	assert_int_equal(seed_elsewhere(false), seed);
	assert_int_not_equal(settings_seed("/run/router-blue"), seed);
	assert_int_not_equal(seed_elsewhere(true), seed); /* or 0: no namespace may be made here */
}

static void the_file_may_name_one(void **state)
{
	struct conf c = { .forwarding = { .hash = CONF_HASH_L3 } };
	struct dp_settings set = settings_of(&c, 7);

	(void)state;
	assert_int_equal(set.seed, 7);
	assert_true(set.hash_l3);
	c.forwarding.seed = 9;
	c.forwarding.hash = CONF_HASH_L4;
	set = settings_of(&c, 7);
	assert_int_equal(set.seed, 9);
	assert_false(set.hash_l3);
}

/* Linux tells routes apart by table, prefix and metric, and so do we; routes of others are not
 * looked for. */
static void routes_have_their_own_hash(void **state)
{
	static struct router r;
	struct conf_route routes[] = { { .table = 254, .hash = CONF_HASH_L3 },
				       { .table = 254, .metric = 7, .hash = CONF_HASH_L4 },
				       { .table = 254, .hash = CONF_HASH_L4 } };
	struct conf c = { .routes = routes, .nroutes = 3 };
	struct netlink_route n = { .table = 254, .protocol = NETLINK_PROTO };

	(void)state;
	r.conf = &c;
	prefix_parse("10.1.2.3/8", &routes[0].to); /* as the file may have it */
	prefix_parse("10.0.0.0/8", &routes[1].to);
	prefix_parse("2001:db8::/32", &routes[2].to);
	prefix_parse("10.0.0.0/8", &n.dst);
	assert_int_equal(settings_route(&r, &n), CONF_HASH_L3);
	n.metric = 7;
	assert_int_equal(settings_route(&r, &n), CONF_HASH_L4);
	n.metric = 8;
	assert_int_equal(settings_route(&r, &n), CONF_HASH_DEFAULT);
	n.metric = 7;
	n.table = 100;
	assert_int_equal(settings_route(&r, &n), CONF_HASH_DEFAULT);
	n.table = 254;
	n.protocol = 3;
	assert_int_equal(settings_route(&r, &n), CONF_HASH_DEFAULT);
	n.protocol = NETLINK_PROTO;
	prefix_parse("2001:db8::/32", &n.dst);
	n.metric = METRIC6_DEFAULT;
	assert_int_equal(settings_route(&r, &n), CONF_HASH_L4);
}

/* Of no packet that hardware has received a checksum is unfinished; but of any that was in the
 * stack before we see it. VLANs are as their port. */
static void checksums_may_be_unfinished(void **state)
{
	static const struct {
		const char *kind;
		enum conf_xdp_mode mode, port;
		bool may;
	} rows[] = {
		{ "", CONF_XDP_BEST_EFFORT, CONF_XDP_DEFAULT, false },
		{ "", CONF_XDP_GENERIC, CONF_XDP_DEFAULT, true },
		{ "", CONF_XDP_GENERIC, CONF_XDP_COPY, false },
		{ "", CONF_XDP_BEST_EFFORT, CONF_XDP_GENERIC, true },
		{ "veth", CONF_XDP_BEST_EFFORT, CONF_XDP_DEFAULT, true },
		{ "tun", CONF_XDP_BEST_EFFORT, CONF_XDP_DEFAULT, true },
		{ "bridge", CONF_XDP_GENERIC, CONF_XDP_DEFAULT, true },
	};
	struct netlink_link lan = {
		.ifindex = LAN, .name = "lan", .has_mac = true, .mtu = 1500, .flags = UP
	};
	struct netlink_link vlan = { .ifindex = VLAN,
				     .name = "lan.7",
				     .kind = "vlan",
				     .link = LAN,
				     .vlan_id = 7,
				     .vlan_proto = 0x8100,
				     .has_mac = true,
				     .mtu = 1500,
				     .flags = UP };
	struct conf_iface port = { .netdev = "lan" };
	struct conf c = { .ifaces = &port, .nifaces = 1 };
	static struct router r;

	(void)state;
	r.conf = &c;
	r.state = s;
	s->iface_settings = settings_iface;
	s->arg = &r;
	state_netlink_ops.link(s, &vlan);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(lan.kind, rows[i].kind);
		c.xdp.mode = rows[i].mode;
		port.xdp_mode = rows[i].port;
		state_netlink_ops.link(s, &lan);
		state_rename(s);
		state_publish(s);
		assert_int_equal(s->config->iface[state_link(s, LAN)->iface].virtual, rows[i].may);
		assert_int_equal(s->config->iface[state_link(s, VLAN)->iface].virtual, rows[i].may);
	}
	s->iface_settings = NULL; /* what it was told of goes with us */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seed_is_this_boots_and_this_routers),
		cmocka_unit_test(the_file_may_name_one),
		cmocka_unit_test(routes_have_their_own_hash),
		cmocka_unit_test_setup_teardown(checksums_may_be_unfinished, network_up,
						network_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
