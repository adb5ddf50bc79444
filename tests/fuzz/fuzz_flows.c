/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of few hosts and ports through a whole worker with zones, NAT of every kind, limits, sets
 * and fragments: the books of packets, frames, records and ports must balance, whatever comes.
 *
 * The input is a list of records of 8 bytes: what happens, and seven bytes that say who, whereto
 * and what. Most of the packet is made here, with right checksums, so that random bytes get far.
 */
#include "tests/unit/pipe_flows.h"

static void load(struct pipe_flows *f, const char *yaml)
{
	bool loaded = flows_load(f, yaml);

	assert(loaded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reload goes to and fro between these. */
static const char *const yaml[] = {
	("zones: {lan: {interfaces: [p0, p2], forward-to: [wan]}, wan: {interfaces: [p1]}}\n"
	 "sets: {seen: {type: address, size: 4, timeout: 2s}}\n"
	 "filter: {pre: {hook: prerouting, priority: mangle, rules: [{name: s, in: wan, proto: "
	 "udp, "
	 "dport: 9, action: {add-to: seen}}]}, fwd: {hook: forward, rules: [{name: n, ct: new, "
	 "connections: {over: 6}, action: reject}, {name: r, proto: tcp, flags: syn/syn, rate: "
	 "{over: 9/s, per: source}, action: drop}, {name: m, proto: tcp, action: "
	 "{mss-clamp: pmtu}}, {name: e, proto: udp, dport: 7, in: wan, action: accept}]}}\n"
	 "nat: {source: [{name: h, from: [10.0.0.0/24, '2001:db8::/64'], out: p1, action: "
	 "masquerade, filtering: eif, ports: 40000-40007}, {name: p, from: [10.0.2.0/24, "
	 "'2001:db8:2::/64'], out: p1, action: masquerade, mapping: apdm}], destination: "
	 "[{name: d, proto: udp, dport: 7, in: wan, to: 10.0.0.2, hairpin: true}], static: "
	 "[{name: t, external: 10.0.1.77, internal: 10.0.0.3}]}\n"
	 "conntrack: {max: 1024, per-source-max: 12}\n"),
	("nat: {source: [{name: h, from: [10.0.0.0/24, '2001:db8::/64'], out: p1, action: "
	 "masquerade, filtering: adf, mapping: adm}]}\nconntrack: {max: 1024, per-source-max: "
	 "12, refresh: outbound}\n"),
	("filter: {raw: {hook: prerouting, priority: raw, rules: [{name: n, proto: udp, dport: 8, "
	 "action: notrack}]}}\nconntrack: {max: 1024, per-source-max: 12}\n"),
};

static struct addr someone(bool six, unsigned n)
{
	static const uint8_t host[8][2] = { { 0, 2 }, { 0, 3 },	 { 1, 2 }, { 1, 1 },
					    { 2, 2 }, { 1, 77 }, { 2, 1 }, { 0, 9 } };

	return on_link(six, host[n % 8][0], host[n % 8][1]);
}

static void finish(uint8_t *l3, unsigned hlen, unsigned len, unsigned proto)
{
	bool six = l3[0] >> 4 == 6;
	unsigned at = proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2;
	uint64_t sum = 0;
	uint16_t csum;

	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP && proto != IPPROTO_ICMP &&
	    proto != IPPROTO_ICMPV6)
		return;
	memset(l3 + hlen + at, 0, 2);
	if (six)
		sum = csum_pseudo6(l3 + 8, l3 + 24, (uint8_t)proto, len);
	else if (proto != IPPROTO_ICMP) {
		uint32_t src, dst;

		memcpy(&src, l3 + 12, 4);
		memcpy(&dst, l3 + 16, 4);
		sum = csum_pseudo4(src, dst, (uint8_t)proto, (uint16_t)len);
	}
	csum = (uint16_t)~csum_fold(csum_add(l3 + hlen, len, sum));
	memcpy(l3 + hlen + at, &csum, 2);
}

static unsigned header(uint8_t *l3, bool six, const uint8_t r[8], unsigned proto, unsigned len)
{
	struct addr src = someone(six, r[1]), dst = someone(six, r[1] >> 3);
	unsigned ttl = r[7] & 0x80 ? 1 : 64;

	memset(l3, 0, 40);
	if (six) {
		l3[0] = 0x60;
		l3[4] = (uint8_t)(len >> 8);
		l3[5] = (uint8_t)len;
		l3[6] = (uint8_t)proto;
		l3[7] = (uint8_t)ttl;
		memcpy(l3 + 8, src.bytes, 16);
		memcpy(l3 + 24, dst.bytes, 16);
		return 40;
	}
	l3[0] = 0x45;
	l3[2] = (uint8_t)((len + 20) >> 8);
	l3[3] = (uint8_t)(len + 20);
	l3[5] = r[7] & 3;
	l3[8] = (uint8_t)ttl;
	l3[9] = (uint8_t)proto;
	memcpy(l3 + 12, src.bytes, 4);
	memcpy(l3 + 16, dst.bytes, 4);
	return 20;
}

/* The packet that a record says; bits of r[4] make a fragment of it, or an error that quotes it. */
static unsigned packet(uint8_t *l3, const uint8_t r[8])
{
	static const uint8_t protos[8] = { 6, 17, 6, 17, 1, 58, 47, 132 };
	bool six = r[2] & 0x80;
	unsigned proto = protos[r[2] & 7], len = 24 + (r[7] & 0x7c) * 4, hlen;
	uint8_t *l4;

	hlen = header(l3, six, r, proto, len);
	l4 = l3 + hlen;
	memset(l4, 0, len);
	if (proto == 1 || proto == 58) {
		l4[0] = proto == 58 ? 128 + (r[3] & 1) : r[3] & 1 ? 0 : 8;
		l4[5] = r[3] >> 6;
	} else {
		l4[1] = r[3] & 15;
		l4[3] = r[3] >> 4;
		if (r[2] & 0x40) /* a port of a mapping */
			l4[2] = 0x9c, l4[3] = 0x40 + (r[3] >> 5);
	}
	if (proto == 17) {
		l4[4] = (uint8_t)(len >> 8);
		l4[5] = (uint8_t)len;
	}
	if (proto == 6) {
		l4[7] = r[6];
		l4[11] = r[7] & 63;
		l4[12] = 0x60;
		l4[13] = r[5];
		l4[14] = 0x40;
		l4[20] = r[6] & 7;
		l4[21] = r[6] >> 5;
	}
	finish(l3, hlen, len, proto);
	if (!six && r[4] & 0x80) {
		unsigned at = (r[4] & 7) * 8, some = len > at ? len - at : 0;

		some = r[4] & 8 ? some & ~7u : some > 16 ? 16 : some;
		memmove(l4, l4 + at, some);
		l3[3] = (uint8_t)(20 + some);
		l3[2] = (uint8_t)((20 + some) >> 8);
		l3[6] = r[4] & 0x10 ? 0x20 : 0;
		l3[7] = r[4] & 7;
		len = some;
	}
	return hlen + len;
}

/* About what went the other way, as far as the record knows it. */
static unsigned error_about(uint8_t *l3, const uint8_t r[8], const uint8_t *quoted, unsigned len)
{
	bool six = quoted[0] >> 4 == 6;
	unsigned hlen, keep = len < 28u + r[5] ? len : 28u + r[5];

	hlen = header(l3, six, r, six ? 58 : 1, 8 + keep);
	if (r[3] & 1) /* to the sender of what it quotes */
		memcpy(l3 + (six ? 24 : 16), quoted + (six ? 8 : 12), six ? 16 : 4);
	memset(l3 + hlen, 0, 8);
	l3[hlen] = six ? 1 + (r[3] >> 1) % 4 : (r[3] & 2 ? 3 : 11);
	l3[hlen + 5] = r[6];
	memcpy(l3 + hlen + 8, quoted, keep);
	finish(l3, hlen, 8 + keep, six ? 58 : 1);
	return hlen + 8 + keep;
}

static void receive(struct pipe_flows *f, unsigned port, const uint8_t *l3, unsigned len)
{
	uint8_t b[2048] = { 2, 0, 0, 0, 0xff, (uint8_t)port, 2, 0, 0, 0, 1, 1 };
	uint8_t *frame;
	uint16_t sum;

	b[12] = l3[0] >> 4 == 6 ? 0x86 : 0x08;
	b[13] = l3[0] >> 4 == 6 ? 0xdd : 0x00;
	memcpy(b + 14, l3, len);
	if (l3[0] >> 4 == 4) {
		memset(b + 24, 0, 2);
		sum = (uint16_t)~csum_fold(csum_add(b + 14, 20, 0));
		memcpy(b + 24, &sum, 2);
	}
	if (xsk_memwire_take(&f->p.wire[port], &frame, 1) != 1)
		return;
	memcpy(frame, b, 14 + len);
	len += 14;
	xsk_memwire_deliver(&f->p.wire[port], &frame, &len, 1);
}

/* What was sent comes off the wire; the last of it is remembered. */
static void sent(struct pipe_flows *f, uint8_t *last, unsigned *last_len)
{
	for (unsigned i = 0; i < PIPE_PORTS; i++) {
		uint8_t *data[PIPE_RING];
		uint32_t len[PIPE_RING];
		unsigned n = xsk_memwire_sent(&f->p.wire[i], data, len, PIPE_RING);

		for (unsigned k = 0; k < n; k++) {
			uint8_t version = data[k][14] >> 4;

			if (len[k] < 34 || (version != 4 && version != 6) ||
			    (version == 6 && len[k] < 54))
				continue;
			*last_len = len[k] - 14 < 300 ? len[k] - 14 : 300;
			memcpy(last, data[k] + 14, *last_len);
		}
		xsk_memwire_done(&f->p.wire[i], n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pipe_flows f;
	uint8_t l3[1024], last[300] = { 0x45 };
	unsigned last_len = 28, which = 1;

	flows_open(&f, yaml[0]);
	for (; size >= 8; data += 8, size -= 8) {
		unsigned op = data[0] & 15, port = (data[0] >> 4) % PIPE_PORTS;

		if (op < 10)
			receive(&f, port, l3, packet(l3, data));
		else if (op < 12)
			receive(&f, port, l3, error_about(l3, data, last, last_len));
		else if (op == 12)
			flows_wait_s(&f, data[1]);
		else if (op == 13)
			load(&f, yaml[which++ % 3]);
		else if (op == 14)
			flows_grace(&f);
		worker_turn(f.p.w, f.p.now);
		sent(&f, last, &last_len);
		flows_check(&f);
	}
	flows_wait_s(&f, 60); /* fragments and neighbours give up */
	flows_wait_s(&f, 60);
	sent(&f, last, &last_len);
	flows_close(&f);
	return 0;
}
