// SPDX-License-Identifier: GPL-2.0-or-later
/* Filters of a tree: their order, classes, nested qdiscs, priorities, hashes; counters. S17. */
#include "tests/unit/tc_util.h"

/* htb 1: with leaves 1:10 and 1:20 under 1:1, and 1:30 by default. */
static void office(void)
{
	add_qdisc(H(1, 0), CONF_ROOT, CONF_QDISC_HTB)->htb.default_minor = 0x30;
	add_class(H(1, 1), H(1, 0));
	add_class(H(1, 0x10), H(1, 1));
	add_class(H(1, 0x20), H(1, 1));
	add_class(H(1, 0x30), H(1, 1));
}

/* By priority, then in the order of the file. What none knows is the qdisc's to decide. */
static void test_order(void **state)
{
	(void)state;
	office();
	add_filter(H(1, 0), 20, 53, H(1, 0x10));
	add_filter(H(1, 0), 10, 53, H(1, 0x20));
	add_filter(H(1, 0), 10, 53, H(1, 0x30));
	add_filter(H(1, 0), 20, 80, H(1, 0x10));
	add_filter(H(1, 0), 20, 80, H(1, 0x20));
	build();
	assert_int_equal(class_of_port(53), 0x20);
	assert_int_equal(class_of_port(80), 0x10);
	assert_int_equal(class_of_port(443), QCLASS_NONE);
	assert_int_equal(hits(1), 1); /* in the order they are asked */
	assert_int_equal(hits(2), 0);
	assert_int_equal(hits(4), 1);
}

/* An inner class asks its own filters; if none answers, the default is htb's to give. */
static void test_inner_class(void **state)
{
	(void)state;
	office();
	add_filter(H(1, 0), 1, 0, H(1, 1));
	add_filter(H(1, 1), 1, 53, H(1, 0x20));
	build();
	assert_int_equal(class_of_port(53), 0x20);
	assert_int_equal(class_of_port(80), QCLASS_NONE);
}

/* Inner classes that point at each other end. */
static void test_circle(void **state)
{
	(void)state;
	office();
	add_filter(H(1, 0), 1, 0, H(1, 1));
	add_filter(H(1, 1), 1, 0, H(1, 1));
	build();
	assert_int_equal(class_of_port(53), QCLASS_NONE);
}

/* Below a class is a prio, and below one of its bands an htb, each with filters. */
static void nested(void)
{
	office();
	add_qdisc(H(0x10, 0), H(1, 0x10), CONF_QDISC_PRIO);
	add_qdisc(H(0x20, 0), H(0x10, 2), CONF_QDISC_HTB);
	add_class(H(0x20, 5), H(0x20, 0));
	add_filter(H(1, 0), 1, 53, H(1, 0x10));
	add_filter(H(1, 0), 1, 80, H(1, 0x10));
	add_filter(H(0x10, 0), 1, 53, H(0x10, 2));
	add_filter(H(0x20, 0), 7, 0, H(0x20, 5));
}
#define AT(major, minor) ((minor) + 100 * ((major)-1))

static void test_nested(void **state)
{
	struct frame f = packet(false, IPPROTO_UDP, 80, 1);
	struct tc_packet x;

	(void)state;
	nested();
	build();
	assert_int_equal(class_of_port(53), AT(0x20, 5));
	assert_int_equal(class_of_port(443), QCLASS_NONE);

	x = seen(&f); /* no filter of the prio: band 1 by the map, which is 10:2 */
	x.priority = 0;
	assert_int_equal(tc_classify(place, NULL, &x), TC_SEND);
	assert_int_equal(x.cls, AT(0x20, 5));
	assert_true(x.varies); /* with the priority */
	x = seen(&f);
	x.priority = H(9, 6); /* a class of nobody here: as priority 0 */
	assert_int_equal(tc_classify(place, NULL, &x), TC_SEND);
	assert_int_equal(x.cls, AT(0x20, 5));
	x = seen(&f);
	x.priority = 6; /* band 0: nobody asks below, so prio itself decides */
	assert_int_equal(tc_classify(place, NULL, &x), TC_SEND);
	assert_int_equal(x.cls, 0x10);
}

/* Only an inner class of the qdisc below has filters: its own class is the way there. */
static void test_nested_inner(void **state)
{
	struct frame f = packet(false, IPPROTO_UDP, 80, 1);
	struct tc_packet x = seen(&f);

	(void)state;
	add_qdisc(H(1, 0), CONF_ROOT, CONF_QDISC_TBF);
	add_qdisc(H(2, 0), H(1, 1), CONF_QDISC_HTB)->htb.default_minor = 9;
	add_class(H(2, 1), H(2, 0));
	add_class(H(2, 5), H(2, 1));
	add_class(H(2, 9), H(2, 0));
	add_filter(H(2, 1), 1, 80, H(2, 5));
	build();
	x.priority = H(2, 1);
	assert_int_equal(tc_classify(place, NULL, &x), TC_SEND);
	assert_int_equal(x.cls, AT(2, 5));
	assert_int_equal(class_of_port(80), 1);
}

/* The default class of htb, the only child of tbf: a packet goes on to the filters below. */
static void test_default_way(void **state)
{
	(void)state;
	add_qdisc(H(1, 0), CONF_ROOT, CONF_QDISC_TBF);
	add_qdisc(H(2, 0), H(1, 1), CONF_QDISC_HTB)->htb.default_minor = 9;
	add_class(H(2, 9), H(2, 0));
	add_class(H(2, 8), H(2, 0));
	add_qdisc(H(3, 0), H(2, 9), CONF_QDISC_PRIO);
	add_filter(H(2, 0), 1, 80, H(2, 8));
	add_filter(H(3, 0), 1, 53, H(3, 1));
	build();
	assert_int_equal(class_of_port(80), AT(2, 8));
	assert_int_equal(class_of_port(53), AT(3, 1));
	assert_int_equal(class_of_port(99), AT(2, 9));
}

/* skbedit or a first packet's priority: a handle is the class, before any filter. */
static void test_priority(void **state)
{
	static const struct {
		uint32_t priority, cls;
	} row[] = {
		{ 0, 0x20 },	      { 6, 0x20 },
		{ H(1, 0x10), 0x10 }, { H(1, 1), QCLASS_NONE }, /* inner: no filter there */
		{ H(1, 0x77), 0x20 }, { H(1, 0), 0x20 },
		{ H(9, 0x10), 0x20 },
	};
	struct frame f = packet(false, IPPROTO_UDP, 53, 1);

	(void)state;
	office();
	add_filter(H(1, 0), 1, 0, H(1, 0x20));
	build();
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct tc_packet x = seen(&f);

		x.priority = row[i].priority;
		assert_int_equal(tc_classify(place, NULL, &x), TC_SEND);
		assert_int_equal(x.cls, row[i].cls);
		assert_int_equal(x.priority, row[i].priority);
	}
}

static void test_skbedit(void **state)
{
	struct frame f = packet(false, IPPROTO_UDP, 53, 1);
	struct tc_packet x = seen(&f);
	struct conf_tc_filter *c;
	struct conf_tc_action *a;

	(void)state;
	office();
	a = add_action(add_filter(H(1, 0), 1, 53, 0), CONF_TC_SKBEDIT);
	a->has_mark = true;
	a->mark = 0x1234;
	a->mask = 0xff;
	a = add_action(add_filter(H(1, 0), 2, 80, 0), CONF_TC_SKBEDIT);
	a->has_priority = true;
	a->priority = H(1, 0x10);
	c = add_filter(H(1, 0), 3, 0, H(1, 0x20));
	c->match.has_mark = true;
	c->match.mark = 0xaa34;
	c->match.mark_mask = UINT32_MAX;
	build();
	x.m.mark = 0xaaaa;
	assert_int_equal(tc_classify(place, NULL, &x), TC_SEND);
	assert_int_equal(x.m.mark, 0xaa34);
	assert_int_equal(x.cls, 0x20);
	assert_int_equal(x.filter, 3);
	assert_true(x.varies);
	assert_int_equal(class_of_port(80), 0x10);
}

/* ---- hashes */

static void test_hash(void **state)
{
	struct conf_tc_filter *c;
	unsigned seen_class[4] = { 0 };
	struct frame f;

	(void)state;
	add_qdisc(H(1, 0), CONF_ROOT, CONF_QDISC_HTB);
	for (unsigned i = 0; i < 4; i++)
		add_class(H(1, 0x40 + i), H(1, 0));
	c = add_filter(H(1, 0), 1, 0, 0);
	c->hash = (struct conf_hash_class){ CONF_HASH_SRC, 4, H(1, 0x40), "" };
	build();
	for (unsigned host = 0; host < 400; host++) {
		uint32_t cls = QCLASS_NONE;

		for (uint16_t dport = 1; dport < 4; dport++) {
			struct tc_packet x;

			f = packet(false, IPPROTO_UDP, dport, 1);
			l4_store16(f.bytes + f.l3 + 14, (uint16_t)host);
			x = seen(&f);
			assert_int_equal(tc_classify(place, NULL, &x), TC_SEND);
			assert_true(x.cls >= 0x40 && x.cls < 0x44);
			assert_true(cls == QCLASS_NONE || cls == x.cls); /* by its source alone */
			assert_false(x.varies);
			cls = x.cls;
		}
		seen_class[cls - 0x40]++;
	}
	for (unsigned i = 0; i < 4; i++) /* 5 sigma */
		assert_in_range(seen_class[i], 57, 143);
}

static void test_hash_keys(void **state)
{
	static const uint32_t keys[] = { CONF_HASH_SRC,	  CONF_HASH_DST,   CONF_HASH_PROTO,
					 CONF_HASH_SPORT, CONF_HASH_DPORT, CONF_HASH_MARK,
					 CONF_HASH_DSCP };
	struct conf_tc_filter *c;

	(void)state;
	add_qdisc(H(1, 0), CONF_ROOT, CONF_QDISC_HTB);
	for (unsigned i = 0; i < 32; i++)
		add_class(H(1, 0x40 + i), H(1, 0));
	c = add_filter(H(1, 0), 1, 0, 0);
	for (unsigned k = 0; k < 7; k++) {
		uint32_t differs = 0, first = 0;

		c->hash = (struct conf_hash_class){ keys[k], 32, H(1, 0x40), "" };
		build();
		for (unsigned i = 0; i < 8; i++) {
			struct frame f = packet(true, IPPROTO_UDP, 1, 1);
			struct tc_packet x = seen(&f);

			x.m.key.src[15] = (uint8_t)(k == 0 ? i : 0);
			x.m.key.dst[15] = (uint8_t)(k == 1 ? i : 0);
			x.m.key.proto = (uint8_t)(k == 2 ? i : 0);
			x.m.key.sport = (uint16_t)(k == 3 ? i : 0);
			x.m.key.dport = (uint16_t)(k == 4 ? i : 0);
			x.m.mark = k == 5 ? i : 0;
			x.m.tos = (uint8_t)(k == 6 ? i << 2 : 0);
			tc_classify(place, NULL, &x);
			assert_int_equal(x.varies, k == 6);
			first = i ? first : x.cls;
			differs += x.cls != first;
		}
		assert_true(differs >= 4);
	}
}

/* ---- the rest */

/* Frames that are not IP are asked only of filters that look at nothing of IP. */
static void test_not_ip(void **state)
{
	struct frame f = packet(false, IPPROTO_UDP, 53, 20);
	struct conf_tc_filter *c;
	struct tc_packet x;

	(void)state;
	office();
	c = add_filter(H(1, 0), 1, 0, H(1, 0x10));
	c->match.dscp = UINT64_MAX;
	c = add_filter(H(1, 0), 2, 0, H(1, 0x10));
	c->frame.u32[0] = (struct conf_u32){ .width = 1 };
	c->frame.nu32 = 1;
	c = add_filter(H(1, 0), 3, 0, H(1, 0x20));
	c->frame.ethertype = 0x0806;
	build();
	f.l3 = 0;
	x = seen(&f);
	tc_classify(place, NULL, &x);
	assert_int_equal(x.cls, QCLASS_NONE);
	memcpy(f.bytes + 12, "\x08\x06", 2);
	x = seen(&f);
	tc_classify(place, NULL, &x);
	assert_int_equal(x.cls, 0x20);
	assert_int_equal(x.filter, 3);
}

/* Each word that means IP. */
static void test_ip_words(void **state)
{
	struct conf_range any = { { .family = AF_INET }, { .family = AF_INET } };
	struct conf_port_range ports = { 0, 65535 };
	struct conf_icmp icmp = { AF_INET, 0, -1 };
	uint8_t proto = 0;
	const struct conf_match row[] = {
		{ .from = { .ranges = &any, .nranges = 1 } },
		{ .to = { .ranges = &any, .nranges = 1 } },
		{ .family = AF_INET },
		{ .protos = &proto, .nprotos = 1 },
		{ .sport = { .negate = true, .ranges = &ports, .nranges = 1 } },
		{ .dport = { .negate = true, .ranges = &ports, .nranges = 1 } },
		{ .flags = 0, .flags_mask = 1 },
		{ .icmp = &icmp, .nicmp = 1 },
		{ .dscp = 1 },
		{ .length_max = 9000 },
		{ .ttl_max = 255 },
		{ .fragment = 2 },
		{ .rate = { true, false, 100, 1, 100, CONF_PER_RULE } },
	};
	struct frame f = packet(false, IPPROTO_UDP, 53, 20);
	struct conf_tc_filter *c;

	(void)state;
	office();
	c = add_filter(H(1, 0), 1, 0, H(1, 0x10));
	f.l3 = 0;
	for (unsigned i = 0; i <= sizeof(row) / sizeof(row[0]); i++) {
		bool none = i == sizeof(row) / sizeof(row[0]);
		struct tc_packet x = seen(&f);

		if (none)
			memset(&c->match, 0, sizeof(c->match));
		else
			c->match = row[i];
		build();
		tc_classify(place, NULL, &x);
		assert_int_equal(x.cls, none ? 0x10 : QCLASS_NONE);
	}
}

/* Marks and interfaces are known of any frame. */
static void test_not_ip_mark(void **state)
{
	static char lan[1][CONF_NAME] = { "lan0" };
	struct frame f = packet(false, IPPROTO_UDP, 53, 20);
	struct conf_tc_filter *c;
	struct tc_packet x;

	(void)state;
	office();
	c = add_filter(H(1, 0), 1, 0, H(1, 0x10));
	c->match.has_mark = true;
	c->match.mark = 5;
	c->match.mark_mask = 0xf;
	c->match.in.names = lan;
	c->match.in.nnames = 1;
	build();
	f.l3 = 0;
	x = seen(&f);
	tc_classify(place, NULL, &x);
	assert_int_equal(x.cls, QCLASS_NONE);
	x = seen(&f);
	x.m.mark = 0x15;
	tc_classify(place, NULL, &x);
	assert_int_equal(x.cls, 0x10);
	x = seen(&f);
	x.m.mark = 0x15;
	x.m.in = x.m.out;
	tc_classify(place, NULL, &x);
	assert_int_equal(x.cls, QCLASS_NONE);
}

/* A class may be remembered for a flow, unless what decided may differ between its packets. */
static void test_varies(void **state)
{
	struct frame f = packet(true, IPPROTO_UDP, 53, 20);
	struct conf_tc_filter *c;
	struct tc_packet x = seen(&f);

	(void)state;
	office();
	c = add_filter(H(1, 0), 5, 53, H(1, 0x10));
	build();
	tc_classify(place, NULL, &x);
	assert_false(x.varies);
	c->frame.nu32 = 1;
	c->frame.u32[0] = (struct conf_u32){ .at = 36, .width = 4, .value = 2, .mask = 0xff };
	build();
	tc_classify(place, NULL, &x); /* the destination is the flow's */
	assert_int_equal(x.cls, 0x10);
	assert_false(x.varies);
	c->frame.u32[0].at = 4;
	build();
	tc_classify(place, NULL, &x);
	assert_true(x.varies);
	c->frame.nu32 = 0;
	c->match.length_max = 1000;
	build();
	tc_classify(place, NULL, &x);
	assert_int_equal(x.cls, 0x10);
	assert_true(x.varies);
	c->match.length_max = 0;
	c = add_filter(H(1, 0), 4, 99, H(1, 0x20)); /* of another flow: no matter */
	c->match.dscp = 1;
	build();
	tc_classify(place, NULL, &x);
	assert_false(x.varies);
}

/* Only frames that match lose tokens of a rate. */
static void test_rate(void **state)
{
	struct conf_tc_filter *c;

	(void)state;
	office();
	c = add_filter(H(1, 0), 1, 0, H(1, 0x10));
	c->match.rate = (struct conf_rate){ true, false, 1, 1000, 2, CONF_PER_RULE };
	c->frame.nu32 = 1;
	c->frame.u32[0] = (struct conf_u32){ 2, true, 2, 53, 0xffff };
	build();
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(class_of_port(80), QCLASS_NONE);
	assert_int_equal(class_of_port(53), 0x10);
	build(); /* the same again: its tokens are what they were */
	assert_int_equal(class_of_port(53), 0x10);
	assert_int_equal(class_of_port(53), QCLASS_NONE);
}

/* Counters follow what a filter says, wherever it stands. */
static void test_counters(void **state)
{
	struct tc_filter_info info;

	(void)state;
	office();
	add_filter(H(1, 0), 5, 53, H(1, 0x10));
	add_filter(H(1, 0), 6, 80, H(1, 0x20));
	build();
	class_of_port(53);
	class_of_port(80);
	class_of_port(80);
	add_filter(H(1, 0), 1, 99, H(1, 0x20));
	add_filter(H(1, 0), 5, 53, H(1, 0x10)); /* the same again, never reached */
	build();
	assert_int_equal(hits(1), 0);
	assert_int_equal(hits(2), 1);
	assert_int_equal(hits(3), 0);
	assert_int_equal(hits(4), 2);
	build();
	assert_int_equal(hits(2), 1);
	assert_int_equal(hits(3), 0);
	assert_true(tc_filter_info(place, 4, &info));
	assert_string_equal(info.match, "dport: 80");
	assert_string_equal(info.action, "{class: \"1:20\"}");
	assert_int_equal(info.bytes, 2 * 52);
	assert_int_equal(info.line, 2);
	assert_int_equal(info.parent, H(1, 0));
	assert_false(tc_filter_info(place, 5, &info) || tc_filter_info(place, 0, &info));
}

static void test_dry(void **state)
{
	struct frame f = packet(false, IPPROTO_UDP, 53, 1);
	struct tc_packet x = seen(&f);

	(void)state;
	office();
	add_filter(H(1, 0), 5, 53, H(1, 0x10));
	build();
	x.m.dry = true;
	tc_classify(place, NULL, &x);
	assert_int_equal(x.cls, 0x10);
	assert_int_equal(hits(1), 0);
}

static void test_refused(void **state)
{
	struct conf_tc_filter *c;

	(void)state;
	office();
	c = add_filter(H(1, 0), 1, 0, H(1, 0x99));
	assert_int_equal(build_at(CONF_DIRECTION_OUT), -EINVAL);
	assert_string_equal(why, "qos.wan0.out.1:0.1#1: there is no class 1:99");
	c->classid = 0;
	c->parent = H(7, 0);
	assert_int_equal(build_at(CONF_DIRECTION_OUT), -EINVAL);
	assert_string_equal(why, "qos.wan0: filters: there is no 7:0 in the tree");
	c->parent = H(1, 0);
	snprintf(add_action(c, CONF_TC_MIRROR)->dev, CONF_NAME, "nowhere");
	assert_int_equal(build_at(CONF_DIRECTION_OUT), -EINVAL);
	assert_string_equal(why, "qos.wan0.out.1:0.1#1: there is no port \"nowhere\"");
	c->nactions = 0;
	c->hash = (struct conf_hash_class){ CONF_HASH_SRC, 0, H(1, 1), "" };
	assert_int_equal(build_at(CONF_DIRECTION_OUT), -EINVAL);
	c->hash.keys = 0;
	c->frame.bpf = &(struct conf_bpf){ .code = 0xff };
	c->frame.nbpf = 1;
	assert_int_equal(build_at(CONF_DIRECTION_OUT), -EINVAL);
	assert_string_equal(why,
			    "qos.wan0.out.1:0.1#1: bytecode, instruction 0: no such instruction");
}

/* Nothing stands there. */
static void test_nothing(void **state)
{
	struct frame f = packet(false, IPPROTO_UDP, 53, 1);
	struct tc_packet x = seen(&f);

	(void)state;
	build();
	assert_null(place);
	x.cls = 5;
	x.varies = true;
	assert_int_equal(tc_classify(NULL, NULL, &x), TC_SEND);
	assert_int_equal(x.cls, QCLASS_NONE);
	assert_false(x.varies);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tc_setup, tc_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),	TEST(test_inner_class),	 TEST(test_circle),
		TEST(test_nested),	TEST(test_nested_inner), TEST(test_ip_words),
		TEST(test_default_way), TEST(test_priority),	 TEST(test_skbedit),
		TEST(test_hash),	TEST(test_hash_keys),	 TEST(test_not_ip),
		TEST(test_not_ip_mark), TEST(test_varies),	 TEST(test_rate),
		TEST(test_counters),	TEST(test_dry),		 TEST(test_refused),
		TEST(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
