// SPDX-License-Identifier: GPL-2.0-or-later
/* What filters do: police, mark, mirror, redirect, drop, pass; ingress, and the mirrors of the
 * whole configuration. S16, S17. */
#include "tests/unit/tc_util.h"

/* An htb whose packets to port 53 a filter acts on, and a second filter for all: 1:20. */
static struct conf_tc_filter *first, *second;

static int acts_setup(void **state)
{
	if (tc_setup(state))
		return -1;
	add_qdisc(H(1, 0), CONF_ROOT, CONF_QDISC_HTB);
	add_class(H(1, 0x10), H(1, 0));
	add_class(H(1, 0x20), H(1, 0));
	first = add_filter(H(1, 0), 1, 53, H(1, 0x10));
	second = add_filter(H(1, 0), 2, 0, H(1, 0x20));
	return 0;
}

static struct tc_packet last;
static struct frame sent;

static enum tc_verdict run(struct frame f)
{
	sent = f;
	last = seen(&sent);
	return tc_classify(place, NULL, &last);
}

static enum tc_verdict run53(void)
{
	return run(packet(false, IPPROTO_UDP, 53, 100));
}

/* ---- drop, pass */

static void test_drop(void **state)
{
	(void)state;
	add_action(first, CONF_TC_DROP);
	build();
	assert_int_equal(run53(), TC_DROPPED);
	assert_int_equal(last.drop, DROP_TC_ACTION);
	assert_int_equal(last.filter, 1);
	assert_true(last.varies); /* a class cannot say it */
	assert_int_equal(run(packet(true, IPPROTO_TCP, 80, 1)), TC_SEND);
	assert_int_equal(last.cls, 0x20);
}

static void test_pass(void **state)
{
	(void)state;
	add_action(first, CONF_TC_PASS);
	add_action(first, CONF_TC_DROP); /* not reached */
	build();
	assert_int_equal(run53(), TC_SEND);
	assert_int_equal(last.cls, 0x10);
	assert_false(last.varies);
	first->classid = 0; /* passes all further filters by */
	build();
	assert_int_equal(run53(), TC_SEND);
	assert_int_equal(last.cls, QCLASS_NONE);
}

/* ---- police */

/* Green to begin with, then what exceeds. */
static struct conf_police *policer(enum conf_conform conform, enum conf_conform exceed)
{
	struct conf_police *p = &add_action(first, CONF_TC_POLICE)->police;

	p->rate = 1;
	p->burst = 142;
	p->conform = conform;
	p->exceed = exceed;
	return p;
}

static void test_police(void **state)
{
	static const struct {
		enum conf_conform says;
		enum tc_verdict verdict;
		uint32_t cls;
	} row[] = {
		{ CONF_CONFORM_PASS, TC_SEND, 0x10 },
		{ CONF_CONFORM_DROP, TC_DROPPED, QCLASS_NONE },
		{ CONF_CONFORM_PIPE, TC_SEND, 0x10 },
		{ CONF_CONFORM_CONTINUE, TC_SEND, 0x20 },
	};
	struct tc_filter_info info;
	struct police_info of;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		first->nactions = 0;
		policer(CONF_CONFORM_PASS, row[i].says)->burst += i; /* another one */
		build();
		assert_int_equal(run53(), TC_SEND);
		assert_int_equal(last.cls, 0x10);
		assert_true(last.varies);
		assert_int_equal(run53(), row[i].verdict);
		assert_int_equal(last.cls, row[i].cls);
	}
	first->nactions = 0;
	policer(CONF_CONFORM_PASS, CONF_CONFORM_DROP)->burst = 200;
	build();
	run53();
	assert_int_equal(run53(), TC_DROPPED);
	assert_int_equal(last.drop, DROP_POLICED);
	assert_true(tc_filter_info(place, 1, &info));
	assert_int_equal(info.npolicers, 1);
	police_info(info.policer[0], &of);
	assert_string_equal(of.name, "qos.wan0.out.1:0.1#1");
	assert_int_equal(of.packets[POLICE_GREEN], 1);
	assert_int_equal(of.bytes[POLICE_YELLOW], 142);
}

/* Without a class, `pass` ends and `pipe` goes on to the next filter. */
static void test_police_alone(void **state)
{
	(void)state;
	first->classid = 0;
	policer(CONF_CONFORM_PASS, CONF_CONFORM_PIPE);
	build();
	assert_int_equal(run53(), TC_SEND);
	assert_int_equal(last.cls, QCLASS_NONE);
	assert_int_equal(run53(), TC_SEND);
	assert_int_equal(last.cls, 0x20);
}

/* The list begins again; if it would for ever, the packet is dropped. */
static void test_reclassify(void **state)
{
	struct conf_tc_action *a;

	(void)state;
	first->match.has_mark = true;
	first->match.mark_mask = UINT32_MAX; /* mark 0 */
	a = add_action(first, CONF_TC_SKBEDIT);
	a->has_mark = true;
	a->mark = 1;
	policer(CONF_CONFORM_RECLASSIFY, CONF_CONFORM_DROP);
	build();
	assert_int_equal(run53(), TC_SEND);
	assert_int_equal(last.cls, 0x20);
	assert_int_equal(hits(1), 1);

	first->nactions = 0;
	policer(CONF_CONFORM_PASS, CONF_CONFORM_RECLASSIFY)->burst = 1;
	build();
	assert_int_equal(run53(), TC_DROPPED);
	assert_int_equal(last.drop, DROP_TC_LOOP);
	assert_int_equal(hits(1), 17); /* once, and 16 times again */
}

/* A colour's DSCP is set, in both families, with the checksum. Later filters see it. */
static void test_police_marks(void **state)
{
	struct conf_police *p;

	(void)state;
	p = policer(CONF_CONFORM_MARK, CONF_CONFORM_MARK);
	p->conform_dscp = 46;
	p->exceed_dscp = 12;
	first->classid = 0;
	second->match.dscp = 1ull << 46;
	build();
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct frame f = packet(v6, IPPROTO_UDP, 53, v6 ? 80 : 100), was = f;
		uint8_t *ip = was.bytes + was.l3;

		build();
		assert_int_equal(run(f), TC_SEND);
		assert_int_equal(last.m.tos, (v6 ? 12 : 46) << 2);
		assert_int_equal(last.cls, v6 ? QCLASS_NONE : 0x20);
		assert_true(last.rewritten);
		assert_true(sums_hold(&sent));
		if (v6) {
			assert_int_equal(sent.bytes[14], 0x63);
			assert_int_equal(sent.bytes[15], 0x00);
			ip[0] = 0x63;
		} else {
			assert_int_equal(sent.bytes[15], 46 << 2);
			ip[1] = 46 << 2;
			memcpy(ip + 10, sent.bytes + 24, 2);
		}
		assert_memory_equal(was.bytes, sent.bytes, was.len);
	}
}

/* AFx1, AFx2, AFx3 are the colours that a colour-aware policer goes by. */
static void test_police_aware(void **state)
{
	struct conf_police *p = policer(CONF_CONFORM_PASS, CONF_CONFORM_CONTINUE);

	(void)state;
	p->violate = CONF_CONFORM_DROP;
	p->burst = p->excess = 1000000;
	p->color_aware = true;
	build();
	for (unsigned dscp = 0; dscp < 64; dscp++) {
		struct frame f = packet(false, IPPROTO_UDP, 53, 100);
		bool af = dscp >= 10 && dscp <= 38 && dscp % 2 == 0 && dscp % 8 != 0;
		unsigned colour = af ? dscp % 8 / 2 : 1;

		f.bytes[f.l3 + 1] = (uint8_t)(dscp << 2);
		assert_int_equal(run(f), colour == 3 ? TC_DROPPED : TC_SEND);
		if (colour < 3)
			assert_int_equal(last.cls, colour == 1 ? 0x10 : 0x20);
	}
}

/* One bucket for a port's two directions, by its name. */
static void test_police_shared(void **state)
{
	struct conf_tc_action *a;

	(void)state;
	snprintf(policer(CONF_CONFORM_PASS, CONF_CONFORM_DROP)->name, CONF_NAME, "both");
	a = add_action(add_ingress(80), CONF_TC_POLICE);
	a->police = first->actions[0].police;
	build();
	assert_int_equal(run53(), TC_SEND);
	assert_int_equal(run(packet(false, IPPROTO_UDP, 80, 100)), TC_DROPPED);
	assert_int_equal(last.drop, DROP_POLICED);
	a->police.rate = 2;
	assert_int_equal(build_at(CONF_DIRECTION_OUT), -EINVAL);
	assert_non_null(strstr(why, "another policer \"both\" has other rates"));
}

/* The filter heard of last, and how many there were. */
static unsigned heard, times;

static void hear(void *arg, const struct tc_packet *x, unsigned number)
{
	assert_ptr_equal(arg, &heard);
	assert_ptr_equal(x, &last);
	heard = number;
	times++;
}

/* No token is taken; the frame is the asker's own, and written to. */
static void test_police_dry(void **state)
{
	(void)state;
	times = 0;
	policer(CONF_CONFORM_MARK, CONF_CONFORM_DROP)->conform_dscp = 9;
	build();
	for (unsigned i = 0; i < 3; i++) {
		sent = packet(false, IPPROTO_UDP, 53, 100);
		last = seen(&sent);
		last.m.dry = true;
		last.say = hear;
		last.arg = &heard;
		assert_int_equal(tc_classify(place, NULL, &last), TC_SEND);
		assert_int_equal(sent.bytes[15], 9 << 2);
		assert_int_equal(times, i + 1);
		assert_int_equal(heard, 1);
		assert_int_equal(last.policed - 1, POLICE_GREEN);
	}
	last.m.dry = false;
	tc_classify(place, NULL, &last);
	assert_int_equal(times, 3);
	assert_int_equal(run53(), TC_DROPPED);
	last = seen(&sent);
	last.m.dry = true;
	assert_int_equal(tc_classify(place, NULL, &last), TC_DROPPED);
	assert_int_equal(last.policed - 1, POLICE_YELLOW);
}

/* ---- mirred */

static void test_mirror(void **state)
{
	struct conf_tc_action *a = add_action(first, CONF_TC_MIRROR);

	(void)state;
	snprintf(a->dev, CONF_NAME, "mon0");
	build();
	assert_int_equal(run53(), TC_SEND);
	assert_int_equal(last.cls, 0x10);
	assert_int_equal(copy.n, 1);
	assert_int_equal(copy.port, 7);
	assert_int_equal(copy.len, 142);
	assert_memory_equal(copy.first, sent.bytes, 64);
	a->snaplen = 60;
	build();
	run53();
	assert_int_equal(copy.len, 60);
	a->snaplen = 1000;
	build();
	run53();
	assert_int_equal(copy.len, 142);
	last = seen(&sent);
	last.m.dry = true;
	tc_classify(place, NULL, &last);
	assert_int_equal(copy.n, 3);
}

static void test_redirect(void **state)
{
	(void)state;
	snprintf(add_action(first, CONF_TC_REDIRECT)->dev, CONF_NAME, "lan0");
	build();
	assert_int_equal(run53(), TC_REDIRECTED);
	assert_int_equal(last.port, 3);
	assert_true(last.varies);
}

/* The copy is of the frame as it is when its turn comes. */
static void test_order(void **state)
{
	struct conf_tc_action *a;

	(void)state;
	snprintf(add_action(first, CONF_TC_MIRROR)->dev, CONF_NAME, "mon0");
	a = add_action(first, CONF_TC_PEDIT);
	a->npedit = 1;
	a->pedit[0] = (struct conf_pedit){ .at = 8, .width = 1, .value = 9 };
	snprintf(add_action(first, CONF_TC_REDIRECT)->dev, CONF_NAME, "lan0");
	build();
	assert_int_equal(run53(), TC_REDIRECTED);
	assert_int_equal(copy.first[22], 64);
	assert_int_equal(sent.bytes[22], 9);
	assert_int_equal(last.m.ttl, 9);
	assert_true(sums_hold(&sent));
}

/* ---- ingress, and mirrors of the whole configuration */

static void test_ingress(void **state)
{
	struct conf_tc_filter *c;

	(void)state;
	c = add_ingress(53); /* asked second: its priority */
	c->priority = 5;
	add_action(c, CONF_TC_DROP);
	c = add_ingress(0);
	c->match.has_mark = true;
	c->match.mark = 3;
	c->match.mark_mask = 3;
	add_action(c, CONF_TC_PASS);
	tree.nqdiscs = 0;
	assert_int_equal(build_at(CONF_DIRECTION_IN), 0);
	assert_int_equal(run53(), TC_DROPPED);
	assert_int_equal(run(packet(false, IPPROTO_UDP, 54, 1)), TC_SEND);
	sent = packet(false, IPPROTO_UDP, 53, 1);
	last = seen(&sent);
	last.m.mark = 7;
	assert_int_equal(tc_classify(place, NULL, &last), TC_SEND);
}

/* First what comes in is filtered, then it is shaped, as through an IFB. */
static void test_ifb(void **state)
{
	struct conf_tc_action *a = add_action(add_ingress(0), CONF_TC_SKBEDIT);

	(void)state;
	a->has_priority = true;
	a->priority = H(1, 0x20);
	assert_int_equal(build_at(CONF_DIRECTION_IN), 0);
	assert_int_equal(run53(), TC_SEND);
	assert_int_equal(last.cls, 0x20);
}

static struct conf_mirror *add_mirror(struct conf_mirror *m, unsigned *n, const char *from,
				      const char *to, enum conf_direction direction)
{
	m += (*n)++;
	snprintf(m->name, CONF_NAME, "m%u", *n);
	snprintf(m->from, CONF_NAME, "%s", from);
	snprintf(m->to, CONF_NAME, "%s", to);
	m->direction = direction;
	any_frame(&m->frame);
	return m;
}

static void test_mirrors(void **state)
{
	struct tc_filter_info info;

	(void)state;
	add_mirror(mirror, &conf.nmirrors, "wan0", "mon0", CONF_DIRECTION_BOTH)->snaplen = 64;
	add_mirror(mirror, &conf.nmirrors, "wan0", "mon0", CONF_DIRECTION_IN);
	add_mirror(mirror, &conf.nmirrors, "lan0", "mon0", CONF_DIRECTION_BOTH);
	build();
	assert_int_equal(run53(), TC_SEND);
	assert_int_equal(copy.n, 1);
	assert_int_equal(copy.len, 64);
	assert_int_equal(last.cls, 0x10);
	assert_true(tc_filter_info(place, 1, &info));
	assert_string_equal(info.name, "m1");
	assert_string_equal(info.match, "");
	assert_string_equal(info.action, "{mirror: mon0, snaplen: 64}");
	assert_int_equal(build_at(CONF_DIRECTION_IN), 0);
	run53();
	assert_int_equal(copy.n, 3);
}

/* A cross-connect: any ethertype. Mirrors see what is redirected, in the tree nobody does. */
static void test_cross_connect(void **state)
{
	struct frame arp = packet(false, IPPROTO_UDP, 53, 20);

	(void)state;
	add_mirror(mirror, &conf.nmirrors, "wan0", "mon0", CONF_DIRECTION_BOTH);
	add_mirror(redirect, &conf.nredirects, "wan0", "lan0", CONF_DIRECTION_IN);
	assert_int_equal(build_at(CONF_DIRECTION_IN), 0);
	memcpy(arp.bytes + 12, "\x08\x06", 2);
	arp.l3 = 0;
	assert_int_equal(run(arp), TC_REDIRECTED);
	assert_int_equal(last.port, 3);
	assert_int_equal(copy.n, 1);
	assert_int_equal(run53(), TC_REDIRECTED);
	assert_int_equal(copy.n, 2);
	assert_int_equal(hits(3), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, acts_setup, tc_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_drop),	  TEST(test_pass),	    TEST(test_police),
		TEST(test_police_alone),  TEST(test_reclassify),    TEST(test_police_marks),
		TEST(test_police_aware),  TEST(test_police_shared), TEST(test_police_dry),
		TEST(test_mirror),	  TEST(test_redirect),	    TEST(test_order),
		TEST(test_ingress),	  TEST(test_ifb),	    TEST(test_mirrors),
		TEST(test_cross_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
