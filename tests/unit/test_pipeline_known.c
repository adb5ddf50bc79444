/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single packets that others have tested routers with, or broken them by: cases of VPP's and Open
 * vSwitch's own tests, what RFCs say of one packet, CVEs. A row is a test by the name of its
 * origin. Each is put to a router that only forwards, and to one that drops what connection
 * tracking calls invalid. Requirements F1, F2, F4, F6, F8, F10, F13, G20 to G26, C8, C10, C29.
 *
 * Where VPP does otherwise (Linux is our model) the row says so. What takes several packets is in
 * test_pipeline_attacks.c.
 */
#include "tests/unit/pipe_edits.h"

#define GOES  (-1)
#define ALONE (-2) /* a fragment: what is made of several is in test_pipeline_attacks.c */

/* A packet from the host on interface 0, edited; what becomes of it here and there. */
struct row {
	const char *origin;
	bool six;
	enum pipe_kind to;
	uint8_t proto;
	uint16_t payload;
	void (*edit)(struct frame *f, unsigned arg);
	unsigned arg;
	int plain, guarded; /* enum drop_reason or GOES */
	uint8_t type, code; /* of the error; 0: nobody is told */
	uint32_t info;
};

/* ---- edits */

static void total(struct frame *f, unsigned len)
{
	frame_ip4(f)->len = htons((uint16_t)len);
	frame_sum4(f);
}

static void checksum(struct frame *f, unsigned sum)
{
	frame_ip4(f)->csum = htons((uint16_t)sum);
}

static void version(struct frame *f, unsigned v)
{
	f->b[f->l3] = (uint8_t)(v << 4 | (f->b[f->l3] & 15));
	if (f->b[f->l3 - 2] == 8)
		frame_sum4(f);
}

static void version3_from_all(struct frame *f, unsigned byte)
{
	version(f, 3);
	memset(frame_ip6(f)->src, (int)byte, 16);
}

static void version3_to_all(struct frame *f, unsigned byte)
{
	version(f, 3);
	memset(frame_ip6(f)->dst, (int)byte, 16);
}

static void ttl(struct frame *f, unsigned v)
{
	frame_ttl(f, v);
}

static void src4(struct frame *f, unsigned a)
{
	frame_ip4(f)->src = htonl(a);
	frame_sum4(f);
}

static void dst4(struct frame *f, unsigned a)
{
	frame_ip4(f)->dst = htonl(a);
	frame_sum4(f);
}

/* LAND: from where it goes to, by the same port. */
static void land(struct frame *f, unsigned a)
{
	if (f->b[f->l3] >> 4 == 6) {
		memcpy(frame_ip6(f)->src, frame_ip6(f)->dst, 16);
	} else {
		if (a)
			dst4(f, a);
		frame_ip4(f)->src = frame_ip4(f)->dst;
		frame_sum4(f);
	}
	put16(f->b + f->len - 20, 139);
	put16(f->b + f->len - 18, 139);
}

static void no_id(struct frame *f, unsigned arg)
{
	(void)arg;
	frame_ip4(f)->id = 0;
	frame_sum4(f);
}

static void priority_tag(struct frame *f, unsigned tci)
{
	frame_tag(f, 0x8100, tci);
}

static void ethertype(struct frame *f, unsigned type)
{
	put16(f->b + 12, type);
}

static void icmp_wrong(struct frame *f, unsigned type_code)
{
	icmp(f, type_code);
	f->b[f->len - 1] ^= 1;
}

static void udp_checksum(struct frame *f, unsigned sum)
{
	put16(f->b + f->l3 + (f->b[f->l3] >> 4 == 6 ? 46 : 26), sum);
}

/* An extension header of 8 bytes: its type, then its second to fourth byte. */
static void extension(struct frame *f, unsigned arg)
{
	uint8_t h[8] = { 0, (uint8_t)(arg >> 16), (uint8_t)(arg >> 8), (uint8_t)arg };

	frame_extension(f, arg >> 24, h, 8);
}

static void two_extensions(struct frame *f, unsigned types)
{
	const uint8_t pad[8] = { 0, 0, 1, 4 };

	frame_extension(f, types & 0xff, pad, 8);
	frame_extension(f, types >> 8, pad, 8);
}

/* ---- rows */

/* clang-format off */
static const struct row rows[] = {
	{ "VPP test_ip4, IP Input: the frame is longer", 0, VIA_OUT, UDP, 108, total, 40,
	  GOES, DROP_FILTER_RULE, 0, 0, 0 },
	{ "VPP test_ip4, IP Input: too long", 0, VIA_OUT, UDP, 108, total, 400,
	  DROP_IP4_LENGTH, DROP_IP4_LENGTH, 0, 0, 0 },
	{ "VPP test_ip4, IP Input: bad checksum", 0, VIA_OUT, UDP, 108, checksum, 400,
	  DROP_IP4_CHECKSUM, DROP_IP4_CHECKSUM, 0, 0, 0 },
	{ "VPP test_ip4, IP Input: funky version", 0, VIA_OUT, UDP, 108, version, 3,
	  DROP_IP4_VERSION, DROP_IP4_VERSION, 0, 0, 0 },
	{ "VPP test_ip4, IP Input: TTL expired", 0, VIA_OUT, UDP, 108, ttl, 1,
	  DROP_TTL, DROP_TTL, 11, 0, 0 },
	{ "VPP test_ip4, IP Input: MTU exceeded", 0, VIA_OUT, UDP, 2008, frame_flags, IP4_DF,
	  DROP_TOO_BIG, DROP_TOO_BIG, 3, 4, 1500 },
	{ "VPP test_ip4, IP Input: source 0.0.0.0", 0, VIA_OUT, PING, 26, src4, 0,
	  DROP_MARTIAN_SRC, DROP_MARTIAN_SRC, 0, 0, 0 },
	{ "VPP test_ip4, IP Input: source 255.255.255.255", 0, VIA_OUT, PING, 26, src4, 0xffffffff,
	  DROP_MARTIAN_SRC, DROP_MARTIAN_SRC, 0, 0, 0 },
	{ "VPP test_ip4, VLAN-0", 0, VIA_OUT, UDP, 108, priority_tag, 0xe000, GOES, GOES, 0, 0, 0 },
	{ "VPP test_ip4, IP Sub Nets: broadcast address", 0, VIA_OUT, UDP, 108, dst4, 0x0a0001ff,
	  DROP_BROADCAST, DROP_BROADCAST, 0, 0, 0 },
	{ "VPP test_ip4, IP NULL: unreachable", 0, TO_UNREACHABLE, UDP, 108, NULL, 0,
	  DROP_UNREACHABLE, DROP_UNREACHABLE, 3, 1, 0 },
	{ "VPP test_ip4, IP NULL: prohibited (VPP: 3/10)", 0, TO_PROHIBIT, UDP, 108, NULL, 0,
	  DROP_PROHIBIT, DROP_PROHIBIT, 3, 13, 0 },
	{ "VPP test_ip4, IP Drop Routes", 0, TO_BLACKHOLE, UDP, 108, NULL, 0,
	  DROP_BLACKHOLE, DROP_BLACKHOLE, 0, 0, 0 },
	{ "VPP test_ip6, IP6 Input: hop limit", 1, VIA_OUT, UDP, 108, ttl, 1,
	  DROP_TTL, DROP_TTL, 3, 0, 0 },
	{ "VPP test_ip6, IP6 Input: funky version", 1, VIA_OUT, UDP, 108, version, 3,
	  DROP_IP6_VERSION, DROP_IP6_VERSION, 0, 0, 0 },
	{ "VPP test_ip6, IP6 Input: from all 0's", 1, VIA_OUT, ND, 26, version3_from_all, 0,
	  DROP_IP6_VERSION, DROP_IP6_VERSION, 0, 0, 0 },
	{ "VPP test_ip6, IP6 Input: to all 0's", 1, VIA_OUT, ND, 26, version3_to_all, 0,
	  DROP_IP6_VERSION, DROP_IP6_VERSION, 0, 0, 0 },
	{ "VPP test_ip6, IP6 Input: from all 1's", 1, VIA_OUT, ND, 26, version3_from_all, 0xff,
	  DROP_IP6_VERSION, DROP_IP6_VERSION, 0, 0, 0 },
	{ "VPP test_ip6, IP6 Input: to all 1's", 1, VIA_OUT, ND, 26, version3_to_all, 0xff,
	  DROP_IP6_VERSION, DROP_IP6_VERSION, 0, 0, 0 },
	{ "VPP test_ip6, hop-by-hop header", 1, VIA_OUT, UDP, 108, extension, 0x00000104,
	  GOES, GOES, 0, 0, 0 },
	{ "VPP test_ip6, IP NULL: unreachable", 1, TO_UNREACHABLE, UDP, 108, NULL, 0,
	  DROP_UNREACHABLE, DROP_UNREACHABLE, 1, 6, 0 },
	{ "VPP test_ip6, IP NULL: prohibited", 1, TO_PROHIBIT, UDP, 108, NULL, 0,
	  DROP_PROHIBIT, DROP_PROHIBIT, 1, 1, 0 },
	{ "OVS, malformed TCP: less than a header", 0, VIA_OUT, TCP, 20, tcp_offset, 1,
	  GOES, DROP_FILTER_RULE, 0, 0, 0 },
	{ "OVS, malformed TCP: more than the packet", 0, VIA_OUT, TCP, 20, tcp_offset, 15,
	  GOES, DROP_FILTER_RULE, 0, 0, 0 },
	{ "OVS, malformed TCP: more than the packet, IPv6", 1, VIA_OUT, TCP, 20, tcp_offset, 15,
	  GOES, DROP_FILTER_RULE, 0, 0, 0 },
	{ "CVE-2020-35498: bytes behind an IPv4 packet", 0, VIA_OUT, UDP, 8, trailing, 1400,
	  GOES, GOES, 0, 0, 0 },
	{ "CVE-2020-35498: bytes behind an IPv6 packet", 1, VIA_OUT, UDP, 8, trailing, 1400,
	  GOES, GOES, 0, 0, 0 },
	{ "CVE-2020-35498: TCP's header is behind the packet", 0, VIA_OUT, TCP, 0, trailing, 40,
	  GOES, DROP_FILTER_RULE, 0, 0, 0 },
	{ "CVE-2023-1668: protocol 0", 0, VIA_OUT, 0, 40, NULL, 0, GOES, GOES, 0, 0, 0 },
	{ "IPv4 in a frame of IPv6", 0, VIA_OUT, UDP, 40, ethertype, 0x86dd,
	  DROP_IP6_VERSION, DROP_IP6_VERSION, 0, 0, 0 },
	{ "IPv6 in a frame of IPv4", 1, VIA_OUT, UDP, 40, ethertype, 0x0800,
	  DROP_IP4_VERSION, DROP_IP4_VERSION, 0, 0, 0 },
	{ "RFC 3514, 6274 3.5: reserved bit", 0, VIA_OUT, UDP, 40, frame_flags, 0x8000, GOES, GOES, 0, 0, 0 },
	{ "RFC 6864: no identification", 0, VIA_OUT, UDP, 40, no_id, 0, GOES, GOES, 0, 0, 0 },
	{ "RFC 6274 3.5: DF and MF", 0, VIA_OUT, UDP, 40, frame_flags, IP4_DF | IP4_MF,
	  GOES, ALONE, 0, 0, 0 },
	{ "RFC 1812 4.3.2.7: too big, DF, no first fragment", 0, VIA_OUT, UDP, 1520, frame_flags,
	  IP4_DF | 1, DROP_TOO_BIG, ALONE, 0, 0, 0 },
	{ "LAND, through us (D4)", 0, VIA_OUT, UDP, 20, land, 0, GOES, GOES, 0, 0, 0 },
	{ "LAND, through us, IPv6", 1, VIA_OUT, UDP, 20, land, 0, GOES, GOES, 0, 0, 0 },
	{ "LAND, at us (D4)", 0, VIA_OUT, UDP, 20, land, 0x0a000101,
	  DROP_SRC_OURS, DROP_SRC_OURS, 0, 0, 0 },
	{ "smurf", 0, VIA_OUT, PING, 40, dst4, 0x0a0001ff, DROP_BROADCAST, DROP_BROADCAST, 0, 0, 0 },
	{ "RFC 1812 5.2.2: no router looks at UDP's checksum", 0, VIA_OUT, UDP, 40, udp_checksum,
	  0x1234, GOES, DROP_FILTER_RULE, 0, 0, 0 },
	{ "RFC 6936: UDP without a checksum in IPv6", 1, VIA_OUT, UDP, 40, udp_checksum, 0,
	  GOES, GOES, 0, 0, 0 },
	{ "RFC 5508 3.2: wrong checksum of ICMP", 0, VIA_OUT, PING, 40, icmp_wrong, 0x0800,
	  GOES, DROP_FILTER_RULE, 0, 0, 0 },
	{ "redirect of nobody's connection, in transit", 0, VIA_OUT, PING, 36, icmp, 0x0501,
	  GOES, DROP_FILTER_RULE, 0, 0, 0 },
	{ "RFC 6633: source quench, in transit", 0, VIA_OUT, PING, 36, icmp, 0x0400,
	  GOES, DROP_FILTER_RULE, 0, 0, 0 },
	{ "CVE-2023-6200: router advertisement, in transit", 1, VIA_OUT, ND, 40, icmp, 134 << 8,
	  GOES, GOES, 0, 0, 0 },
	{ "RFC 4861 7.1.1: solicitation, in transit", 1, VIA_OUT, ND, 32, icmp, 135 << 8,
	  GOES, GOES, 0, 0, 0 },
	{ "RFC 4861 7.1.2: neighbour advertisement, in transit", 1, VIA_OUT, ND, 32, icmp, 136 << 8,
	  GOES, GOES, 0, 0, 0 },
	{ "RFC 4861 8.1: redirect, in transit", 1, VIA_OUT, ND, 40, icmp, 137 << 8,
	  GOES, DROP_FILTER_RULE, 0, 0, 0 },
	{ "RFC 8200 4.1: hop-by-hop header that is not the first", 1, VIA_OUT, UDP, 40,
	  two_extensions, 60 << 8, DROP_IP6_EXTENSION, DROP_IP6_EXTENSION, 0, 0, 0 },
	{ "RFC 8200 4.2: unknown hop-by-hop option, 00", 1, VIA_OUT, UDP, 40, extension, 0x00001e04,
	  GOES, GOES, 0, 0, 0 },
	{ "RFC 8200 4.2: unknown hop-by-hop option, 01", 1, VIA_OUT, UDP, 40, extension, 0x00005e04,
	  DROP_IP6_OPTIONS, DROP_IP6_OPTIONS, 0, 0, 0 },
	{ "RFC 8200 4.2: unknown hop-by-hop option, 10", 1, VIA_OUT, UDP, 40, extension, 0x00009e04,
	  DROP_IP6_OPTIONS, DROP_IP6_OPTIONS, 4, 2, 42 },
	{ "RFC 8200 4.2: unknown hop-by-hop option, 11", 1, VIA_OUT, UDP, 40, extension, 0x0000de04,
	  DROP_IP6_OPTIONS, DROP_IP6_OPTIONS, 4, 2, 42 },
	{ "RFC 8200 4.6: unknown option of the destination's", 1, VIA_OUT, UDP, 40, extension,
	  0x3c00de04, GOES, GOES, 0, 0, 0 },
	{ "RFC 8200 4.4: unknown routing header", 1, VIA_OUT, UDP, 40, extension, 0x2b00fd01,
	  GOES, GOES, 0, 0, 0 },
	{ "RFC 5095: routing header type 0", 1, VIA_OUT, UDP, 40, extension, 0x2b000001,
	  DROP_IP6_RH0, DROP_IP6_RH0, 0, 0, 0 },
	{ "RFC 8200 4.7: bytes behind no next header", 1, VIA_OUT, 59, 40, NULL, 0, GOES, GOES, 0, 0, 0 },
	{ "RFC 6946: atomic fragment", 1, VIA_OUT, UDP, 40, extension, 0x2c000000, GOES, GOES, 0, 0, 0 },
	{ "RFC 7112: first fragment without all of TCP's header", 1, VIA_OUT, TCP, 8, extension,
	  0x2c000001, GOES, DROP_FRAG_TINY, 0, 0, 0 },
	{ "RFC 4443 2.4 e: about an error", 1, TO_NOWHERE, ND, 48, icmp, 0x0100,
	  DROP_NO_ROUTE, DROP_NO_ROUTE, 0, 0, 0 },
	{ "RFC 4443 2.4 e: about an unknown error", 1, TO_NOWHERE, ND, 48, icmp, 0x6400,
	  DROP_NO_ROUTE, DROP_NO_ROUTE, 0, 0, 0 },
	{ "RFC 4443 2.4 e: about a redirect", 1, TO_NOWHERE, ND, 48, icmp, 0x8900,
	  DROP_NO_ROUTE, DROP_NO_ROUTE, 0, 0, 0 },
};
/* clang-format on */

static void fate(struct pipe *p, struct frame *f, const struct row *r, int drop)
{
	if (drop == GOES)
		pipe_forwards(p, f, 1);
	else if (r->type && drop == r->plain)
		pipe_answers(p, f, (enum drop_reason)drop, r->type, r->code, r->info);
	else
		pipe_drops(p, f, (enum drop_reason)drop);
}

static void test_row(void **state)
{
	const struct row *r = *state;
	struct pipe_flows flows;
	struct pipe p;
	struct frame f;

	(r->six ? frame6 : frame4)(&f, on_link(r->six, 0, 2), beyond(r->six, r->to), r->proto,
				   r->payload);
	if (r->edit)
		r->edit(&f, r->arg);
	pipe_open(&p);
	fate(&p, &f, r, r->plain);
	pipe_close(&p);
	if (r->guarded == ALONE)
		return;
	flows_open(&flows, GUARDED);
	fate(&flows.p, &f, r, r->guarded);
	fate(&flows.p, &f, r, r->guarded); /* of a known flow, if it made one */
	flows_close(&flows);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0])];

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		tests[i] = (struct CMUnitTest){ rows[i].origin, test_row, NULL, NULL,
						(void *)(uintptr_t)&rows[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
