// SPDX-License-Identifier: GPL-2.0-or-later
/* What filters look at in frames: ethertype, tags, MAC addresses, u32 at every edge. S17. */
#include <errno.h>

#include "router/net/qdisc/tc_match.h"
#include "tests/unit/tc_util.h"

static struct conf_frame_match m;

static int setup(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	any_frame(&m);
	return 0;
}

static bool holds(const struct frame *f)
{
	struct tc_view v;
	uint8_t *own = malloc(f->len ? f->len : 1); /* a read behind the end is seen */
	bool answer;

	memcpy(own, f->bytes, f->len);
	tc_look(&v, own, f->len, f->l3, 0);
	answer = tc_frame_holds(&m, &v);
	free(own);
	return answer;
}

static struct tc_view view_of(const struct frame *f)
{
	struct tc_view v;

	tc_look(&v, f->bytes, f->len, f->l3, 0);
	return v;
}

/* With n tags of this type behind the addresses. */
static struct frame tagged(struct frame f, unsigned n, uint16_t tpid, uint16_t tci)
{
	for (unsigned i = 0; i < n; i++) {
		memmove(f.bytes + 16, f.bytes + 12, f.len - 12);
		l4_store16(f.bytes + 12, htons(tpid));
		l4_store16(f.bytes + 14, htons(tci));
		f.len += 4;
		f.l3 += 4;
		f.l4 += 4;
	}
	return f;
}

static void test_any(void **state)
{
	struct frame f = packet(false, IPPROTO_UDP, 53, 10);

	(void)state;
	assert_false(tc_frame_any(&m));
	for (f.len = 0; f.len < 60; f.len++)
		assert_true(holds(&f));
}

static void test_ethertype(void **state)
{
	struct frame f = packet(true, IPPROTO_UDP, 53, 10);

	(void)state;
	m.ethertype = 0x86dd;
	assert_true(tc_frame_any(&m));
	assert_true(holds(&f));
	for (unsigned tags = 1; tags < 4; tags++) { /* behind two at most */
		f = tagged(packet(true, IPPROTO_UDP, 53, 10), tags, 0x88a8, 5);
		assert_int_equal(holds(&f), tags < 3);
	}
	f = packet(false, IPPROTO_UDP, 53, 10);
	assert_false(holds(&f));
	f.len = 13;
	assert_false(holds(&f));
}

static void test_vlan(void **state)
{
	static const uint16_t tpid[] = { 0x8100, 0x88a8, 0x9100 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct frame f = packet(false, IPPROTO_UDP, 53, 10);

		m.vlan = 0;
		m.vlan_priority = -1;
		assert_false(holds(&f)); /* no tag is not VLAN 0 */
		f = tagged(f, 1, tpid[i], 6 << 13 | 1 << 12 | 100);
		assert_false(holds(&f));
		m.vlan = 100;
		assert_true(holds(&f));
		m.vlan_priority = 6;
		assert_true(holds(&f));
		m.vlan_priority = 5;
		assert_false(holds(&f));
		m.vlan = -1;
		m.vlan_priority = 6;
		assert_true(holds(&f));
		f = tagged(f, 1, 0x88a8, 7); /* the outer one counts */
		assert_false(holds(&f));
		m.vlan_priority = 0;
		assert_true(holds(&f));
	}
}

static void test_macs(void **state)
{
	struct frame f = packet(false, IPPROTO_UDP, 53, 10);

	(void)state;
	m.has_dst_mac = true;
	memcpy(m.dst_mac, "\x02\0\0\0\0\x01", 6);
	assert_true(holds(&f));
	m.has_src_mac = true;
	memcpy(m.src_mac, "\x02\0\0\0\0\x02", 6);
	assert_true(holds(&f));
	m.src_mac[5] = 3;
	assert_false(holds(&f));
	m.src_mac[5] = 2;
	m.dst_mac[0] = 6;
	assert_false(holds(&f));
	m.dst_mac[0] = 2;
	f.len = 13;
	assert_false(holds(&f));
}

/* ---- u32 */

static bool u32_is(const struct frame *f, int32_t at, bool nexthdr, uint8_t width, uint32_t value,
		   uint32_t mask)
{
	m.nu32 = 1;
	m.u32[0] = (struct conf_u32){ at, nexthdr, width, value, mask };
	return holds(f);
}

static void test_u32(void **state)
{
	(void)state;
	for (unsigned tags = 0; tags < 3; tags++)
		for (unsigned v6 = 0; v6 < 2; v6++) {
			struct frame f =
				tagged(packet(v6, IPPROTO_UDP, 53, 10), tags, 0x8100, 0x1234);

			assert_true(u32_is(&f, 0, false, 1, v6 ? 0x60 : 0x45, 0xff));
			assert_true(u32_is(&f, 0, false, 1, v6 ? 0x6f : 0x4f, 0xf0));
			assert_true(u32_is(&f, v6 ? 36 : 16, false, 4, v6 ? 2 : 0x0a000002,
					   UINT32_MAX));
			assert_true(u32_is(&f, 2, true, 2, 53, 0xffff));
			assert_false(u32_is(&f, 2, true, 2, 54, 0xffff));
			assert_true(u32_is(&f, 0, true, 4, 1000 << 16 | 53, UINT32_MAX));
			assert_true(u32_is(&f, -2, false, 2, v6 ? 0x86dd : 0x0800, 0xffff));
			assert_true(u32_is(&f, -(int32_t)f.l3, false, 4, 0x02000000, UINT32_MAX));
			assert_false(u32_is(&f, -(int32_t)f.l3 - 1, false, 1, 0, 0));
			assert_true(u32_is(&f, (int32_t)(f.len - f.l3) - 1, false, 1, 0, 0));
			assert_false(u32_is(&f, (int32_t)(f.len - f.l3) - 1, false, 2, 0, 0));
			assert_false(u32_is(&f, INT32_MAX, true, 4, 0, 0));
			assert_false(u32_is(&f, INT32_MIN, false, 4, 0, 0));
		}
}

/* All places must be as they say. */
static void test_u32_all(void **state)
{
	struct frame f = packet(false, IPPROTO_TCP, 80, 10);

	(void)state;
	m.nu32 = 2;
	m.u32[0] = (struct conf_u32){ 9, false, 1, 6, 0xff };
	m.u32[1] = (struct conf_u32){ 2, true, 2, 80, 0xffff };
	assert_true(holds(&f));
	m.u32[0].value = 17;
	assert_false(holds(&f));
	m.u32[0].value = 6;
	m.u32[1].value = 81;
	assert_false(holds(&f));
}

/* The transport header is behind options and extension headers, and not in later fragments. */
static void test_nexthdr(void **state)
{
	struct frame f = packet(false, IPPROTO_UDP, 53, 20);
	uint8_t *ip = f.bytes + f.l3;

	(void)state;
	ip[0] = 0x46; /* four bytes of options: what was source and destination port */
	assert_true(u32_is(&f, -4, true, 2, 1000, 0xffff));
	ip[0] = 0x45;
	ip[6] = 0x20; /* a first fragment */
	assert_true(u32_is(&f, 2, true, 2, 53, 0xffff));
	ip[7] = 1;
	assert_false(u32_is(&f, 2, true, 2, 53, 0xffff));
	assert_true(u32_is(&f, 22, false, 2, 53, 0xffff));

	f = packet(true, IPPROTO_UDP, 53, 20);
	ip = f.bytes + f.l3;
	ip[6] = 60; /* destination options, in place of the UDP header */
	memcpy(ip + 40, "\x11\0\x01\x04\0\0\0\0", 8);
	l4_store16(ip + 50, htons(4000));
	assert_true(u32_is(&f, 2, true, 2, 4000, 0xffff));
	ip[41] = 200; /* longer than the packet */
	assert_false(u32_is(&f, 2, true, 2, 4000, 0xffff));
}

/* Where an IP header was, and is no more (pedit), nothing is read as one. */
static void test_no_ip(void **state)
{
	struct frame f = packet(false, IPPROTO_UDP, 53, 20);
	uint8_t *ip = f.bytes + f.l3;

	(void)state;
	assert_int_equal(view_of(&f).l3, 14);
	ip[0] = 0x44;
	assert_int_equal(view_of(&f).l3, 0);
	ip[0] = 0x4f; /* header longer than the packet says */
	assert_int_equal(view_of(&f).l3, 0);
	ip[0] = 0x45;
	f.len--;
	assert_int_equal(view_of(&f).l3, 0);
	f.len++;
	ip[0] = 0x65; /* as IPv6 it would be longer */
	ip[4] = 0xff;
	assert_int_equal(view_of(&f).l3, 0);
	f.l3 = (uint16_t)f.len;
	assert_int_equal(view_of(&f).l3, 0);
}

static void test_steady(void **state)
{
	struct frame f4 = packet(false, IPPROTO_UDP, 53, 1), f6 = packet(true, IPPROTO_UDP, 53, 1);
	struct tc_view v4 = view_of(&f4), v6 = view_of(&f6);

	(void)state;
	m.ethertype = 0x0800;
	assert_true(tc_frame_steady(&m, &v4));
	m.nu32 = 1;
	for (int at = 0; at < 40; at++) {
		m.u32[0] = (struct conf_u32){ at, false, 1, 0, 0 };
		assert_int_equal(tc_frame_steady(&m, &v4), at >= 12 && at < 20);
		assert_int_equal(tc_frame_steady(&m, &v6), at >= 8);
		m.u32[0].width = 4;
		assert_int_equal(tc_frame_steady(&m, &v4), at >= 12 && at <= 16);
		m.u32[0].nexthdr = true;
		assert_false(tc_frame_steady(&m, &v4));
	}
	m.nu32 = 0;
	m.vlan_priority = 3;
	assert_false(tc_frame_steady(&m, &v4));
	m.vlan_priority = -1;
	m.has_src_mac = true;
	assert_false(tc_frame_steady(&m, &v4));
	m.has_src_mac = false;
	m.nbpf = 1;
	assert_false(tc_frame_steady(&m, &v4));
}

/* ---- among the matches of rules */

static void test_with_rules(void **state)
{
	struct frame f = packet(false, IPPROTO_TCP, 80, 10);
	struct conf_tc_filter *c;
	struct tc_packet x;

	tc_setup(state);
	add_qdisc(H(1, 0), CONF_ROOT, CONF_QDISC_PRIO);
	c = add_filter(H(1, 0), 1, 80, H(1, 1));
	c->frame = m;
	c->frame.has_dst_mac = true;
	c = add_filter(H(1, 0), 2, 80, H(1, 2));
	c->frame = m;
	c->frame.vlan = 7;
	add_filter(H(1, 0), 3, 80, H(1, 3));
	build();
	x = seen(&f);
	tc_classify(place, NULL, &x);
	assert_int_equal(x.cls, 3);
	assert_true(x.varies);
	f = tagged(f, 1, 0x8100, 7);
	x = seen(&f);
	tc_classify(place, NULL, &x);
	assert_int_equal(x.cls, 2);
	memset(f.bytes, 0, 6);
	x = seen(&f);
	tc_classify(place, NULL, &x);
	assert_int_equal(x.cls, 1);
	f = packet(false, IPPROTO_TCP, 81, 10);
	x = seen(&f);
	tc_classify(place, NULL, &x);
	assert_int_equal(x.cls, QCLASS_NONE);
	assert_false(x.varies);
	tc_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_any),	   TEST(test_ethertype),  TEST(test_vlan),    TEST(test_macs),
		TEST(test_u32),	   TEST(test_u32_all),	  TEST(test_nexthdr), TEST(test_no_ip),
		TEST(test_steady), TEST(test_with_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
