/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of any content through parsing, classification and rewriting, as tracking and NAT do
 * them: nothing outside the packet is read or written, no length changes, and every checksum is
 * afterwards as right or wrong as it was before.
 *
 * The input: a byte of control, 40 bytes of the tuple it is rewritten to, and a frame from its IP
 * header on. Control: bit 0: IPv6; bit 1: mend the transport checksum; bit 2: mend the header
 * checksum of what an ICMP error would quote; bits 3, 4: rewrite the outer addresses of an error;
 * bit 5: an error, whatever it says, and its quote where it may not begin.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "router/net/csum.h"
#include "router/net/ct.h"
#include "router/net/l4.h"
#include "router/net/nat_rewrite.h"
#include "router/net/parse.h"
#include "router/net/quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
static struct dp_counters counters;

/* One interface, no routes: enough to be parsed for. */
static const struct dp_config *config(void)
{
	static struct dp_config *c;

	if (!c) {
		c = calloc(1, sizeof(*c) + sizeof(c->iface[0]));
		assert(c);
		c->nifaces = 1;
		c->iface[0].up = true;
		memcpy(c->iface[0].mac, mac, sizeof(mac));
	}
	return c;
}

static void not_taken(struct dp *dp, const uint8_t *frame)
{
	(void)dp;
	(void)frame;
}

static bool ip_sum_ok(const struct pkt *p)
{
	return p->flags & PKT_IP6 || csum_fold(csum_add(p->l3, (p->l3[0] & 15) * 4u, 0)) == 0xffff;
}

/* Fields at `at` that make a sum over them right. */
static void mend(uint8_t *at, const uint8_t *from, size_t len, uint64_t sum)
{
	l4_store16(at, 0);
	l4_store16(at, (uint16_t)~csum_fold(csum_add(from, len, sum)));
}

static void mend_transport(struct pkt *p)
{
	bool ip6 = p->flags & PKT_IP6;
	uint32_t at = l4_csum_at(p->proto, ip6), len = l4_len(p);
	uint64_t sum = 0;

	if (!at || at + 2 > len || p->flags & PKT_LATER_FRAG)
		return;
	if (ip6)
		sum = csum_pseudo6(pkt_ip6(p)->src, pkt_ip6(p)->dst, p->proto, len);
	else if (p->proto != IPPROTO_ICMP)
		sum = csum_pseudo4(pkt_ip4(p)->src, pkt_ip4(p)->dst, p->proto, (uint16_t)len);
	mend(p->l3 + p->l4 + at, p->l3 + p->l4, len, sum);
}

static void mend_quote(struct pkt *p)
{
	uint32_t at = p->l4 + (uint32_t)ICMP_HLEN, hlen;

	if (p->flags & PKT_IP6 || at + IP4_HLEN > p->len)
		return;
	hlen = (p->l3[at] & 15) * 4u;
	if (hlen >= IP4_HLEN && at + hlen <= p->len)
		mend(p->l3 + at + 10, p->l3 + at, hlen, 0);
}

/* The rewritten error is about `to`, as far as it is quoted. */
static void check_quote(struct pkt *p, uint16_t zone, uint16_t quoted, const struct flow_key *to)
{
	struct flow_key now;
	uint16_t at;

	assert(ct_classify(p, zone, &now, &at) == CT_ERROR && at == quoted);
	assert(!memcmp(now.src, to->src, now.family == AF_INET6 ? 16 : 4));
	assert(!memcmp(now.dst, to->dst, now.family == AF_INET6 ? 16 : 4));
	if (l4_nat_ports(now.proto))
		assert(now.sport == to->sport && now.dport == to->dport);
	if (l4_is_icmp(now.proto, now.family == AF_INET6))
		assert(now.sport == to->sport);
}

static void rewrite_error(struct pkt *p, uint8_t control, uint16_t quoted,
			  const struct flow_key *to)
{
	struct addr src = { .family = p->flags & PKT_IP6 ? AF_INET6 : AF_INET }, dst = src;
	bool ip_ok = ip_sum_ok(p), ok = ct_checksum_ok(p);
	uint16_t len = p->len;

	memcpy(src.bytes, to->dst, p->flags & PKT_IP6 ? 16 : 4);
	memcpy(dst.bytes, to->src, p->flags & PKT_IP6 ? 16 : 4);
	nat_rewrite_error(p, quoted, to, control & 8 ? &src : NULL, control & 16 ? &dst : NULL);
	assert(p->len == len && ip_sum_ok(p) == ip_ok);
	if (l4_is_icmp(p->proto, p->flags & PKT_IP6))
		assert(ct_checksum_ok(p) == ok);
}

/* An echo reply of zeros with a checksum of 0, which should be 0xffff: wrong, but by nothing. */
static bool nothing(const struct pkt *p)
{
	const uint8_t *l4 = p->l3 + p->l4;

	return p->proto == IPPROTO_ICMP && l4_len(p) >= ICMP_HLEN && l4[0] == 0 &&
	       !memcmp(l4, l4 + 1, l4_len(p) - 1);
}

/* A packet of a flow becomes one of `to`: it is still of a flow, which has its addresses. */
static void rewrite(struct pkt *p, const struct flow_key *from, const struct flow_key *to)
{
	bool ip_ok = ip_sum_ok(p), ok = ct_checksum_ok(p) || nothing(p);
	uint16_t l3, l4, len = p->len, at;
	struct flow_key now, reply, twice;

	ct_reply_key(from, &reply);
	ct_reply_key(&reply, &twice);
	assert(!memcmp(from, &twice, sizeof(twice)));
	nat_deltas(from, to, &l3, &l4);
	nat_rewrite(p, to, l3, l4);
	assert(p->len == len && ip_sum_ok(p) == ip_ok);
	assert((ct_checksum_ok(p) || nothing(p)) == ok);
	assert(ct_classify(p, from->zone, &now, &at) == CT_FLOW);
	assert(!memcmp(now.src, to->src, 16) && !memcmp(now.dst, to->dst, 16));
}

static void packet(struct pkt *p, uint8_t control, struct flow_key *to)
{
	struct flow_key key;
	uint16_t quoted;
	enum ct_class class;

	if (!parse_transport(p))
		return;
	if (control & 4)
		mend_quote(p);
	if (control & 2)
		mend_transport(p);
	to->family = p->flags & PKT_IP6 ? AF_INET6 : AF_INET;
	to->proto = p->proto;
	if (!(p->flags & PKT_IP6)) {
		memset(to->src + 4, 0, 12);
		memset(to->dst + 4, 0, 12);
	}
	if (control & 32 && p->l4 + 10u <= p->len) {
		rewrite_error(p, control, p->l4 + 10, to);
		return;
	}
	class = ct_classify(p, 1, &key, &quoted);
	if (class == CT_ERROR) {
		rewrite_error(p, control, quoted, to);
		check_quote(p, 1, quoted, to);
	} else if (class == CT_FLOW) {
		rewrite(p, &key, to);
	} else if (p->flags & PKT_LATER_FRAG) {
		nat_rewrite(p, to, 1, 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dp dp = { .cfg = config(), .count = &counters, .free = not_taken };
	struct flow_key to;
	uint8_t *frame, control, *exact;
	uint32_t len;
	struct pkt p = { 0 };

	if (size < 1 + sizeof(to) || size > 4096)
		return 0;
	control = data[0];
	memcpy(&to, data + 1, sizeof(to));
	data += 1 + sizeof(to);
	size -= 1 + sizeof(to);
	len = ETH_HLEN + (uint32_t)size;
	frame = calloc(1, len);
	memcpy(frame, mac, 6);
	frame[12] = control & 1 ? 0x86 : 0x08;
	frame[13] = control & 1 ? 0xdd : 0;
	memcpy(frame + ETH_HLEN, data, size);
	if (!(control & 1) && size >= IP4_HLEN && (data[0] & 15u) * 4 <= size) /* get it in */
		mend(frame + ETH_HLEN + 10, frame + ETH_HLEN, (data[0] & 15u) * 4, 0);
	if (parse_frame(&dp, &p, frame, len) && p.len) {
		exact = malloc(p.len); /* without the padding behind it */
		memcpy(exact, p.l3, p.len);
		p.l3 = exact;
		packet(&p, control, &to);
		free(exact);
	}
	free(frame);
	return 0;
}
