/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/ctl/netlink_parse: messages that are not ours, many in a buffer, cut off at every length,
 * and with bytes changed. And what router/ctl/netlink makes of the ends of dumps. */
#include "tests/unit/netlink_messages.h"

#include <errno.h>

#include "router/ctl/netlink_internal.h"

static unsigned delivered;

static void count_link(void *arg, const struct netlink_link *l)
{
	(void)arg;
	(void)l;
	delivered++;
}

static void count_addr(void *arg, const struct netlink_addr *a)
{
	(void)arg;
	(void)a;
	delivered++;
}

static void count_route(void *arg, const struct netlink_route *r)
{
	(void)arg;
	assert_true(r->nhops <= NETLINK_HOPS_MAX);
	delivered++;
}

static void count_nexthop(void *arg, const struct netlink_nexthop *n)
{
	(void)arg;
	assert_true(n->nmembers <= NETLINK_HOPS_MAX);
	delivered++;
}

static void count_neigh(void *arg, const struct netlink_neigh *n)
{
	(void)arg;
	(void)n;
	delivered++;
}

static void count_rule(void *arg, const struct netlink_rule *r)
{
	(void)arg;
	assert_non_null(memchr(r->iif, 0, sizeof(r->iif)));
	assert_non_null(memchr(r->oif, 0, sizeof(r->oif)));
	assert_true(r->from.len <= addr_bits(&r->from.addr));
	delivered++;
}

static const struct netlink_ops ops = {
	.link = count_link,
	.addr = count_addr,
	.route = count_route,
	.nexthop = count_nexthop,
	.neigh = count_neigh,
	.rule = count_rule,
};

static struct nlmsghdr *(*const whole[])(void) = {
	link_message, addr_message, route_message, nexthop_message, neigh_message, rule_message,
};
#define WHOLE (sizeof(whole) / sizeof(whole[0]))

static void strangers_are_passed_over(void **state)
{
	struct netlink_stats stats = { 0 };
	struct nlmsghdr *h;
	struct rtmsg *rtm;
	struct ifinfomsg *ifi;

	(void)state;
	delivered = 0;
	rtm = route_start(&h, "10.0.0.0/8");
	rtm->rtm_flags = RTM_F_CLONED;
	netlink_parse_buffer(buf, h->nlmsg_len, &ops, NULL, &stats);
	rtm->rtm_flags = 0;
	rtm->rtm_family = AF_MPLS;
	netlink_parse_buffer(buf, h->nlmsg_len, &ops, NULL, &stats);
	ifi = message(&h, RTM_DELLINK, sizeof(*ifi)); /* a bridge let go of a port */
	ifi->ifi_family = AF_BRIDGE;
	netlink_parse_buffer(buf, h->nlmsg_len, &ops, NULL, &stats);
	message(&h, NLMSG_NOOP, 0);
	netlink_parse_buffer(buf, h->nlmsg_len, &ops, NULL, &stats);
	message(&h, RTM_NEWRULE, 12); /* of another family, as multicast routing has */
	netlink_parse_buffer(buf, h->nlmsg_len, &ops, NULL, &stats);
	assert_int_equal(delivered, 0);
	assert_int_equal(stats.messages, 5);
	assert_int_equal(stats.malformed, 0);
	netlink_parse_buffer(buf, h->nlmsg_len, &(struct netlink_ops){ 0 }, NULL, &stats);
	message(&h, RTM_NEWLINK, 0);
	netlink_parse_buffer(buf, h->nlmsg_len, &ops, NULL, &stats);
	assert_int_equal(stats.malformed, 1);
}

static void buffers_hold_many_messages(void **state)
{
	static _Alignas(8) uint8_t many[BUF];
	struct netlink_stats stats = { 0 };
	size_t len = 0;

	(void)state;
	for (unsigned i = 0; i < WHOLE; i++) {
		struct nlmsghdr *h = whole[i]();

		memcpy(many + len, h, h->nlmsg_len);
		len += MNL_ALIGN(h->nlmsg_len);
	}
	delivered = 0;
	netlink_parse_buffer(many, len, &ops, NULL, &stats);
	assert_int_equal(delivered, WHOLE);
	assert_int_equal(stats.messages, WHOLE);
	assert_int_equal(stats.malformed, 0);
	netlink_parse_buffer(many, len - 4, &ops, NULL, &stats); /* the last one is cut */
	assert_int_equal(delivered, 2 * WHOLE - 1);
	assert_int_equal(stats.malformed, 1);
}

/* In memory of just its size, so that a sanitizer sees a read beyond. */
static bool deliver_copy(const uint8_t *from, size_t len, bool set_len)
{
	struct netlink_stats stats = { 0 };
	uint8_t *copy;

	if (len > BUF)
		abort();
	copy = malloc(len ? len : 1);
	memcpy(copy, from, len);
	if (set_len && len >= sizeof(struct nlmsghdr))
		((struct nlmsghdr *)(void *)copy)->nlmsg_len = (uint32_t)len;
	delivered = 0;
	netlink_parse_buffer(copy, len, &ops, NULL, &stats);
	free(copy);
	return delivered;
}

/* Cut off by its buffer, or within its last attribute, a message is refused. */
static void cut_messages(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WHOLE; i++) {
		size_t len = whole[i]()->nlmsg_len;

		assert_true(deliver_copy(buf, len, false));
		for (size_t cut = 0; cut < len; cut++) {
			assert_false(deliver_copy(buf, cut, false));
			deliver_copy(buf, cut, true);
		}
		assert_false(deliver_copy(buf, len - 5, true));
	}
}

static void mutated_messages(void **state)
{
	(void)state;
	srandom(1);
	for (unsigned i = 0; i < WHOLE; i++) {
		size_t len = whole[i]()->nlmsg_len;

		for (size_t at = sizeof(struct nlmsghdr); at < len; at++)
			for (unsigned value = 0; value < 256; value++) {
				uint8_t was = buf[at];

				buf[at] = (uint8_t)value;
				deliver_copy(buf, len, true);
				buf[at] = was;
			}
		for (unsigned round = 0; round < 20000; round++) {
			whole[i]();
			for (unsigned n = 0; n < 6; n++)
				buf[16 + (size_t)random() % (len - 16)] = (uint8_t)random();
			deliver_copy(buf, len, true);
		}
	}
}

/* ---- how dumps end */

static int dump_ends(uint16_t type, int err)
{
	struct nlmsghdr *h;
	int32_t *said = message(&h, type, sizeof(*said));

	*said = err;
	return netlink_done_error(h);
}

/* What this kernel does not have is no failure: or no start where IPv6 is turned off, which has no
 * rules then. */
static void dumps_of_what_there_is_not(void **state)
{
	static const uint16_t types[] = { NLMSG_DONE, NLMSG_ERROR };
	struct nlmsghdr *h;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(dump_ends(types[i], 0), 0);
		assert_int_equal(dump_ends(types[i], 1), 0);
		assert_int_equal(dump_ends(types[i], -EOPNOTSUPP), 0);
		assert_int_equal(dump_ends(types[i], -EAFNOSUPPORT), 0);
		assert_int_equal(dump_ends(types[i], -ENOBUFS), -ENOBUFS);
	}
	message(&h, NLMSG_DONE, 0);
	assert_int_equal(netlink_done_error(h), 0);
	message(&h, NLMSG_ERROR, 0);
	assert_int_equal(netlink_done_error(h), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strangers_are_passed_over),
		cmocka_unit_test(buffers_hold_many_messages),
		cmocka_unit_test(cut_messages),
		cmocka_unit_test(mutated_messages),
		cmocka_unit_test(dumps_of_what_there_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
