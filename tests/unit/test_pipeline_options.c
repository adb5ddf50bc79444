/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of IPv4 (requirement F7): which are refused and where the sender is told that he erred,
 * which pass, and what we write into those that ask for it. Pointers and overflows are worked out
 * here from RFC 791 3.1; what is malformed is what Linux 6.18 answers with a parameter problem.
 */
#include "router/net/options.h"
#include "tests/unit/pipe_rows.h"

#define OPT0 20u /* where options begin, as a parameter problem counts */

static void frame_with(struct frame *f, const uint8_t *opt, unsigned len)
{
	frame_to(f, beyond(false, VIA_OUT), 20);
	frame_options(f, opt, len);
}

/* Row: the frame leaves by `iface` with these options instead of those it came with. */
static void forwards_as(struct pipe *p, const struct frame *in, const uint8_t *opt, unsigned iface)
{
	struct frame other = *in;

	memcpy(other.b + other.l3 + 20, opt, (frame_ip4(&other)->ver_ihl & 15) * 4u - 20);
	frame_sum4(&other);
	pipe_forwards_as(p, in, &other, iface);
}

static void is_wrong(struct pipe *p, struct frame *f, unsigned pointer)
{
	pipe_answers(p, f, DROP_IP4_OPTIONS, 12, 0, pointer << 24);
}

/* What passes as it is. */
static void test_passes(void **state)
{
	static const struct {
		uint8_t len, b[40];
	} rows[] = {
		{ 4, { 1, 1, 1, 1 } },		       /* no operation */
		{ 4, { 0, 0, 0, 0 } },		       /* end of list */
		{ 4, { 148, 4, 0, 0 } },	       /* router alert, in transit */
		{ 4, { 148, 4, 7, 7 } },	       /* of a value nobody knows */
		{ 4, { 222, 4, 7, 7 } },	       /* unknown */
		{ 4, { 222, 2, 1, 1 } },	       /* the shortest there is */
		{ 8, { 222, 3, 1, 222, 3, 2, 1, 0 } }, /* the same twice */
		{ 40, { 222, 40 } },
		{ 40, { 222, 38, [38] = 222, 2 } },
		{ 12, { 130, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } },  /* security */
		{ 8, { 7, 7, 8, 10, 9, 9, 9, 0 } },		    /* record route: full */
		{ 4, { 7, 3, 4, 1 } },				    /* no room from the start */
		{ 12, { 68, 12, 13, 3, 10, 0, 1, 1, 0, 0, 0, 9 } }, /* prespecified: used up */
		{ 12, { 68, 12, 13, 0xf3, 10, 0, 1, 1, 0, 0, 0, 9 } },
		{ 12, { 68, 12, 5, 3, 10, 0, 1, 2, 0, 0, 0, 0 } }, /* somebody else's turn */
		{ 8, { 68, 8, 5, 2, 0, 0, 0, 0 } },		   /* flags nobody knows */
	};
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		frame_with(&f, rows[i].b, rows[i].len);
		pipe_forwards(&p, &f, 1);
		frame_ttl(&f, 1); /* F2: that there are options changes nothing */
		pipe_answers(&p, &f, DROP_TTL, 11, 0, 0);
	}
	pipe_close(&p);
}

/* What is refused, and the byte that is to blame. */
static void test_wrong(void **state)
{
	static const struct {
		uint8_t len, b[40], at;
	} rows[] = {
		{ 4, { 222, 0, 0, 0 }, 0 },
		{ 4, { 222, 1, 0, 0 }, 0 },
		{ 4, { 222, 5, 0, 0 }, 0 },
		{ 4, { 222, 255, 0, 0 }, 0 },
		{ 4, { 1, 1, 1, 222 }, 3 }, /* no room for its length */
		{ 4, { 1, 1, 131, 0 }, 2 },
		{ 40, { 222, 41 }, 0 },
		{ 40, { 222, 39, [39] = 222 }, 39 },
		{ 4, { 148, 3, 0, 0 }, 1 },	      /* router alert, too short */
		{ 4, { 7, 2, 1, 1 }, 1 },	      /* record route without pointer */
		{ 8, { 7, 7, 3, 0, 0, 0, 0, 0 }, 2 }, /* which is too small, */
		{ 8, { 7, 7, 5, 0, 0, 0, 0, 0 }, 2 }, /* or leaves too little */
		{ 8, { 1, 7, 7, 7, 0, 0, 0, 0 }, 3 },
		{ 16, { 7, 7, 4, 0, 0, 0, 0, 7, 7, 4 }, 7 }, /* twice */
		{ 4, { 68, 3, 5, 0 }, 1 },		     /* timestamp without flags */
		{ 8, { 68, 8, 4, 0, 0, 0, 0, 0 }, 2 },
		{ 8, { 68, 8, 6, 0, 0, 0, 0, 0 }, 2 },
		{ 8, { 68, 8, 5, 1, 0, 0, 0, 0 }, 2 }, /* no room for an address */
		{ 8, { 68, 8, 5, 3, 0, 0, 0, 0 }, 2 },
		{ 8, { 68, 8, 9, 0xf0, 0, 0, 0, 0 }, 3 }, /* overflow of the overflow */
		{ 8, { 68, 8, 9, 0xf1, 0, 0, 0, 0 }, 3 },
		{ 8, { 68, 4, 5, 0, 68, 4, 5, 0 }, 4 }, /* twice */
		{ 4, { 131, 2, 1, 1 }, 1 },		/* source routes are checked first */
		{ 8, { 131, 7, 3, 10, 0, 1, 2, 0 }, 2 },
		{ 8, { 131, 3, 4, 137, 3, 4, 0, 0 }, 3 }, /* loose and strict */
		{ 8, { 131, 3, 4, 137, 3, 1, 0, 0 }, 5 }, /* the second is wrong by itself */
	};
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		frame_with(&f, rows[i].b, rows[i].len);
		is_wrong(&p, &f, OPT0 + rows[i].at);
		frame_ttl(&f, 1); /* asked before the TTL and the route, */
		is_wrong(&p, &f, OPT0 + rows[i].at);
		frame_ip4(&f)->dst = beyond(false, TO_NOWHERE).v4;
		frame_sum4(&f);
		is_wrong(&p, &f, OPT0 + rows[i].at);
		frame_ip4(&f)->dst = net4(10, 0, 1, 255).v4; /* F10: a broadcast address */
		frame_sum4(&f);
		pipe_drops(&p, &f, DROP_IP4_OPTIONS);
		frame_ip4(&f)->dst = beyond(false, TO_NOWHERE).v4;
		frame_ip4(&f)->frag = htons(5); /* nor later fragments */
		frame_sum4(&f);
		pipe_drops(&p, &f, DROP_IP4_OPTIONS);
	}
	pipe_close(&p);
}

/* Every length and pointer of a record route. */
static void test_record_route(void **state)
{
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned len = 3; len <= 40; len++) {
		for (unsigned pointer = 0; pointer < 256; pointer += pointer < 44 ? 1 : 31) {
			uint8_t opt[40] = { 7, (uint8_t)len, (uint8_t)pointer };

			frame_with(&f, opt, 40);
			if (pointer < 4 || (pointer <= len && pointer + 3 > len)) {
				is_wrong(&p, &f, OPT0 + 2);
				continue;
			}
			if (pointer <= len) {
				memcpy(opt + pointer - 1, on_link(false, 1, 1).bytes, 4);
				opt[2] += 4;
			}
			forwards_as(&p, &f, opt, 1);
		}
	}
	pipe_close(&p);
}

/* The time, whatever the clock says: 1,012,345 ms after a midnight of long ago. */
static const uint8_t stamp_bytes[4] = { 0x00, 0x0f, 0x72, 0x79 };

static void set_clock(struct pipe *p)
{
	p->cfg->utc_ahead = 19000ull * 86400 * NSEC_PER_SEC + 1012345 * NSEC_PER_MSEC - p->now;
}

/* Every length, pointer and flag of a timestamp. */
static void stamp_row(struct pipe *p, unsigned len, unsigned pointer, unsigned flags, unsigned lost)
{
	uint8_t opt[40] = { 68, (uint8_t)len, (uint8_t)pointer, (uint8_t)(lost << 4 | flags) };
	bool address = flags == 1 || flags == 3;
	struct frame f;

	if (flags == 3 && pointer >= 5 && pointer + 7 <= len) /* by its other interface */
		memcpy(opt + pointer - 1, on_link(false, 2, 1).bytes, 4);
	frame_with(&f, opt, 40);
	set_clock(p);
	if (pointer < 5 || (pointer <= len && pointer + (address ? 7 : 3) > len)) {
		is_wrong(p, &f, OPT0 + 2);
	} else if (pointer > len) {
		if (flags != 3 && lost == 15) {
			is_wrong(p, &f, OPT0 + 3);
			return;
		}
		if (flags != 3)
			opt[3] = (uint8_t)((lost + 1) << 4 | flags);
		forwards_as(p, &f, opt, 1);
	} else {
		if (flags == 1)
			memcpy(opt + pointer - 1, on_link(false, 1, 1).bytes, 4);
		if (flags == 0 || address) {
			memcpy(opt + pointer - 1 + (address ? 4 : 0), stamp_bytes, 4);
			opt[2] = (uint8_t)(opt[2] + (address ? 8 : 4));
		}
		forwards_as(p, &f, opt, 1);
	}
}

static void test_timestamp(void **state)
{
	static const uint8_t flags[] = { 0, 1, 2, 3, 15 };
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(flags); i++) {
		for (unsigned len = 4; len <= 40; len += len < 14 || len > 35 ? 1 : 5)
			for (unsigned pointer = 0; pointer < 256; pointer += pointer < 44 ? 1 : 31)
				stamp_row(&p, len, pointer, flags[i], len % 16);
		for (unsigned lost = 0; lost < 16; lost++)
			stamp_row(&p, 8, 9, flags[i], lost);
	}
	pipe_close(&p);
}

/* We speak by the address on the subnet of who is next, else by the preferred, else by any. */
static void test_which_address(void **state)
{
	static const uint8_t opt[8] = { 7, 7, 4 };
	uint8_t want[8] = { 7, 7, 8 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame_with(&f, opt, 8);
	p.cfg->iface[1].nip4 = 2;
	p.cfg->iface[1].ip4[1] = p.cfg->iface[1].ip4[0];
	p.cfg->iface[1].ip4[0].addr = net4(10, 9, 1, 1).v4;
	memcpy(want + 3, on_link(false, 1, 1).bytes, 4);
	forwards_as(&p, &f, want, 1);
	p.cfg->iface[1].nip4 = 1;
	memcpy(want + 3, net4(10, 9, 1, 1).bytes, 4);
	forwards_as(&p, &f, want, 1);
	p.cfg->iface[1].nip4 = 0;
	memcpy(want + 3, on_link(false, 0, 1).bytes, 4);
	forwards_as(&p, &f, want, 1);
	for (unsigned i = 0; i < PIPE_IFACES; i++)
		p.cfg->iface[i].nip4 = 0;
	memset(want + 3, 0, 4);
	forwards_as(&p, &f, want, 1);
	pipe_close(&p);
}

/* Behind the end of the list stands nothing when it leaves; and padding stays where it was. */
static void test_end_of_list(void **state)
{
	static const struct {
		uint8_t in[8], out[8];
	} rows[] = {
		{ { 0, 99, 99, 99, 1, 131, 0, 7 }, { 0 } },
		{ { 1, 0, 131, 0, 0, 0, 0, 1 }, { 1 } },
		{ { 1, 1, 222, 2, 1, 0, 7, 7 }, { 1, 1, 222, 2, 1 } },
	};
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		frame_with(&f, rows[i].in, 8);
		forwards_as(&p, &f, rows[i].out, 1);
		frame_ttl(&f, 1); /* F9: quoted as it came */
		pipe_answers(&p, &f, DROP_TTL, 11, 0, 0);
	}
	pipe_close(&p);
}

/* RFC 7126 4.3, 4.4. */
static void test_source_route(void **state)
{
	static const uint8_t rows[][8] = {
		{ 131, 7, 4, 10, 0, 1, 2, 0 },
		{ 137, 7, 4, 10, 0, 1, 2, 0 },
		{ 1, 131, 7, 8, 10, 0, 1, 2 }, /* used up: still */
		{ 1, 137, 7, 8, 10, 0, 1, 2 },
	};
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool strict = i % 2;

		frame_with(&f, rows[i], 8);
		p.cfg->set.source_routes = false;
		pipe_drops(&p, &f, DROP_SOURCE_ROUTE);
		p.cfg->set.source_routes = true;
		if (strict) /* it should have come to its destination, and came to us */
			pipe_answers(&p, &f, DROP_SOURCE_ROUTE, 12, 0, 16u << 24);
		else
			pipe_forwards(&p, &f, 1);
	}
	pipe_close(&p);
}

/* Who writes looks again: what is malformed is left alone, and no walk is endless. */
static void test_forward_malformed(void **state)
{
	static const uint8_t rows[][8] = { { 7, 0, 4 }, { 222, 0 },   { 222, 40 },
					   { 7, 7, 6 }, { 68, 3, 5 }, { 1, 1, 1, 1, 1, 1, 1, 7 } };
	struct frame f, was;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pkt pkt = { .l3 = f.b + 14, .len = 48 };

		frame_with(&f, rows[i], 8);
		was = f;
		options_forward(&p.w->dp, &pkt, p.nht.slot[1]);
		assert_memory_equal(f.b, was.b, f.len);
	}
	pipe_close(&p);
}

/* What is asked for is written once, into the first fragment: neither option is copied. */
static void test_fragmented(void **state)
{
	static const uint8_t opt[8] = { 7, 7, 4 };
	static const uint8_t nops[8] = { 1, 1, 1, 1, 1, 1, 1, 0 };
	uint8_t want[8] = { 7, 7, 8 };
	struct frame f, got;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	memcpy(want + 3, on_link(false, 1, 1).bytes, 4);
	p.cfg->iface[1].mtu = 576;
	pipe_learn(&p, 1, on_link(false, 1, 2), NH_RESOLVED, 0);
	frame_to(&f, on_link(false, 1, 2), 1000);
	frame_options(&f, opt, 8);
	pipe_receive(&p, &f);
	pipe_turn(&p);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(pipe_sent(&p, 1, &got));
		assert_memory_equal(got.b + got.l3 + 20, i ? nops : want, 8);
		assert_int_equal(plain_sum(got.b + got.l3, 28, 0), 0xffff);
	}
	pipe_quiet(&p);
	frame_ip4(&f)->frag = htons(IP4_DF); /* F8: told of the MTU, with the packet as it came */
	frame_sum4(&f);
	pipe_answers(&p, &f, DROP_TOO_BIG, 3, 4, 576);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passes),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_record_route),
		cmocka_unit_test(test_timestamp),
		cmocka_unit_test(test_which_address),
		cmocka_unit_test(test_end_of_list),
		cmocka_unit_test(test_source_route),
		cmocka_unit_test(test_fragmented),
		cmocka_unit_test(test_forward_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
