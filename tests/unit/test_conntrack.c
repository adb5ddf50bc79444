// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What Linux tells of its connections, as keys of ours: messages as the kernel lays them out,
 * whole, with parts missing, and cut off anywhere. fuzz_conntrack.c has the rest.
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "router/ctl/conntrack.h"
#include "router/net/ct.h"

/* What a message leaves out. */
enum without { NOTHING, ORIG, REPLY, STATUS, ID, NUMBER, PORTS, PROTOINFO };

static _Alignas(struct nlmsghdr) uint8_t buf[1024];

static void put_tuple(struct nlmsghdr *h, unsigned which, const struct flow_key *k, enum without no)
{
	bool six = k->family == AF_INET6, icmp = k->proto == IPPROTO_ICMP;
	struct nlattr *tuple = mnl_attr_nest_start(h, (uint16_t)which), *in;

	in = mnl_attr_nest_start(h, CTA_TUPLE_IP);
	mnl_attr_put(h, six ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, six ? 16 : 4, k->src);
	mnl_attr_put(h, six ? CTA_IP_V6_DST : CTA_IP_V4_DST, six ? 16 : 4, k->dst);
	mnl_attr_nest_end(h, in);
	in = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	if (no != NUMBER)
		mnl_attr_put_u8(h, CTA_PROTO_NUM, k->proto);
	if (icmp) {
		mnl_attr_put_u16(h, CTA_PROTO_ICMP_ID, k->sport);
		mnl_attr_put_u8(h, CTA_PROTO_ICMP_TYPE, (uint8_t)(ntohs(k->dport) >> 8));
		mnl_attr_put_u8(h, CTA_PROTO_ICMP_CODE, (uint8_t)ntohs(k->dport));
	} else if (no != PORTS) {
		mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, k->sport);
		mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, k->dport);
	}
	mnl_attr_nest_end(h, in);
	mnl_attr_nest_end(h, tuple);
}

static struct nlmsghdr *message(const struct flow_key *orig, const struct flow_key *reply,
				uint32_t status, enum without no)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nlattr *info, *tcp;

	memset(buf + MNL_NLMSG_HDRLEN, 0, sizeof(buf) - MNL_NLMSG_HDRLEN);
	mnl_nlmsg_put_extra_header(h, sizeof(struct nfgenmsg));
	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	if (no != ORIG)
		put_tuple(h, CTA_TUPLE_ORIG, orig, no);
	if (no != REPLY)
		put_tuple(h, CTA_TUPLE_REPLY, reply, no);
	if (no != STATUS)
		mnl_attr_put_u32(h, CTA_STATUS, htonl(status));
	if (no != ID)
		mnl_attr_put_u32(h, CTA_ID, htonl(4711));
	if (no != PROTOINFO && orig->proto == IPPROTO_TCP) {
		info = mnl_attr_nest_start(h, CTA_PROTOINFO);
		tcp = mnl_attr_nest_start(h, CTA_PROTOINFO_TCP);
		mnl_attr_put_u8(h, CTA_PROTOINFO_TCP_STATE, TCP_CLOSE_WAIT);
		mnl_attr_nest_end(h, tcp);
		mnl_attr_nest_end(h, info);
	}
	return h;
}

static struct flow_key key(uint8_t proto, bool six)
{
	struct flow_key k = { .proto = proto, .family = six ? AF_INET6 : AF_INET };

	memset(k.src, 1, six ? 16 : 4);
	memset(k.dst, 2, six ? 16 : 4);
	k.sport = htons(40000);
	k.dport = proto == IPPROTO_ICMP ? htons(8 << 8) : htons(443);
	return k;
}

static void test_whole(void **state)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };
	uint32_t status = IPS_SRC_NAT | IPS_SEEN_REPLY | IPS_CONFIRMED;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct flow_key orig = key(protos[i % 3], i > 2), reply;
		struct conntrack_entry e;
		uint32_t want = FLOW_SNAT | FLOW_REPLIED;

		ct_reply_key(&orig, &reply);
		assert_true(conntrack_parse(message(&orig, &reply, status, NOTHING), &e));
		assert_memory_equal(&e.orig, &orig, sizeof(orig));
		assert_memory_equal(&e.reply, &reply, sizeof(reply));
		want |= orig.proto == IPPROTO_TCP ? TCP_CLOSE_WAIT : 0;
		assert_int_equal(e.state, want);
		assert_int_equal(e.id, 4711);
	}
}

static void test_parts_missing(void **state)
{
	struct flow_key orig = key(IPPROTO_TCP, false), reply, other = key(IPPROTO_TCP, true);
	struct conntrack_entry e = { .id = 1 };

	(void)state;
	ct_reply_key(&orig, &reply);
	for (enum without no = ORIG; no <= PORTS; no++)
		assert_false(conntrack_parse(message(&orig, &reply, IPS_DST_NAT, no), &e));
	assert_false(conntrack_parse(message(&orig, &other, IPS_DST_NAT, NOTHING), &e));
	assert_int_equal(e.id, 1); /* untouched */
	assert_true(conntrack_parse(message(&orig, &reply, IPS_DST_NAT, PROTOINFO), &e));
	assert_int_equal(e.state, FLOW_DNAT);
}

/* Exactly so long, for a sanitizer to watch. */
static void test_cut_off(void **state)
{
	struct flow_key orig = key(IPPROTO_TCP, true), reply;
	struct nlmsghdr *h;
	uint32_t whole;

	(void)state;
	ct_reply_key(&orig, &reply);
	h = message(&orig, &reply, IPS_SRC_NAT, NOTHING);
	whole = h->nlmsg_len;
	for (uint32_t len = MNL_NLMSG_HDRLEN; len < whole; len++) {
		struct nlmsghdr *copy = malloc(len);
		struct conntrack_entry e;

		assert_non_null(copy);
		memcpy(copy, h, len);
		copy->nlmsg_len = len;
		conntrack_parse(copy, &e);
		free(copy);
	}
	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	assert_false(conntrack_parse(h, &(struct conntrack_entry){ 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_parts_missing),
		cmocka_unit_test(test_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
