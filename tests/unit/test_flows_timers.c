/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long flows live, by both profiles and by keys of the configuration, to the tick; with clocks
 * that pass 2^31 s, 2^32 ms and 2^62 ns meanwhile. Records, ports and memory come back.
 * Requirements C9, C26, U5, U6, T5, I2; TCP by the linux profile is in test_flows_tcp.c.
 */
#include "tests/unit/pipe_talk.h"

static const uint64_t starts[] = {
	1000 * NSEC_PER_SEC,
	(1ull << 31) * NSEC_PER_SEC - 2 * NSEC_PER_SEC,
	(1ull << 32) * NSEC_PER_MSEC - 2 * NSEC_PER_SEC,
	(1ull << 62) - 2 * NSEC_PER_SEC,
};
#define STARTS (sizeof(starts) / sizeof(starts[0]))

/* Is the flow found by a packet of either direction? Looking does not touch it. */
static bool found(const struct pipe_flows *f, const struct flow_key *k)
{
	uint32_t tick = flow_tick(f->st->flows, f->p.now);
	enum flow_dir dir;

	return flow_lookup(f->st->flows, k, tick, &dir) != FLOW_NONE;
}

/* It lives for exactly so long from now, then is given back. */
static void lives(struct pipe_flows *f, uint32_t seconds)
{
	struct flow_key k;

	assert_int_equal(left_s(f), seconds);
	flow_key(f->st->flows, the_flow(f), FLOW_REPLY, &k);
	f->p.now += seconds * NSEC_PER_SEC - 1;
	worker_turn(f->p.w, f->p.now);
	assert_true(found(f, &k));
	f->p.now++;
	assert_false(found(f, &k));
	flows_wait_s(f, 17); /* the wheel has come by */
	assert_int_equal(live(f), 0);
	flows_grace(f);
	assert_int_equal(flows_stats(f).ipv4 + flows_stats(f).ipv6, 0);
}

/* ---- the profiles */

struct profile {
	const char *yaml;
	unsigned udp, udp_stream, icmp, syn_sent, syn_recv, established, fin_wait, close_wait,
		last_ack, time_wait, close, syn_sent2, gre, gre_stream, generic, unacknowledged;
};

static const struct profile profiles[] = {
	{ "conntrack: {profile: linux}\n", 30, 120, 30, 120, 60, 432000, 120, 60, 30, 120, 10, 120,
	  30, 180, 600, 300 },
	{ "conntrack: {profile: rfc}\n", 300, 300, 60, 240, 240, 7440, 240, 240, 240, 240, 240, 240,
	  30, 180, 600, 300 },
	{ "conntrack: {}\n", 300, 300, 60, 240, 240, 7440, 240, 240, 240, 240, 240, 240, 30, 180,
	  600, 300 },
	{ "conntrack: {timeouts: {udp: 7s, udp-stream: 8s, icmp: 9s, tcp-syn-sent: 10s, "
	  "tcp-syn-recv: "
	  "11s, tcp-established: 12h, tcp-fin-wait: 13s, tcp-close-wait: 14s, tcp-last-ack: 15s, "
	  "tcp-time-wait: 16s, tcp-close: 17s, tcp-syn-sent2: 18s, gre: 19s, gre-stream: 20s, "
	  "generic: "
	  "21s, tcp-unacknowledged: 22s}}\n",
	  7, 8, 9, 10, 11, 43200, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22 },
};
#define PROFILES (sizeof(profiles) / sizeof(profiles[0]))

static void others_live(struct pipe_flows *f, const struct talk *t, const struct profile *p)
{
	struct frame in;

	udp_passes(f, t, false);
	lives(f, p->udp);
	udp_passes(f, t, false);
	udp_passes(f, t, true);
	lives(f, p->udp);
	udp_passes(f, t, false);
	f->p.now += 3 * NSEC_PER_SEC;
	udp_passes(f, t, true);
	udp_passes(f, t, true);
	lives(f, p->udp_stream);
	ping_passes(f, t, false);
	ping_passes(f, t, true);
	lives(f, p->icmp);
	talk_packet(t, &in, false, IPPROTO_GRE, 20);
	passes(f, t, false, &in);
	lives(f, p->gre);
	talk_packet(t, &in, false, IPPROTO_GRE, 20);
	passes(f, t, false, &in);
	talk_packet(t, &in, true, IPPROTO_GRE, 20);
	passes(f, t, true, &in);
	passes(f, t, true, &in);
	lives(f, p->gre_stream);
	talk_packet(t, &in, false, 200, 20);
	passes(f, t, false, &in);
	lives(f, p->generic);
}

static void tcp_lives(struct pipe_flows *f, const struct talk *t, const struct profile *p)
{
	tcp_passes(f, t, false, SYN, 1000, 0, 0);
	lives(f, p->syn_sent);
	tcp_passes(f, t, false, SYN, 1000, 0, 0);
	tcp_passes(f, t, true, SYN, 5000, 0, 0);
	lives(f, p->syn_sent2);
	tcp_passes(f, t, false, SYN, 1000, 0, 0);
	tcp_passes(f, t, true, SYN | ACK, 5000, 1001, 0);
	lives(f, p->syn_recv);
	tcp_opens(f, t);
	lives(f, p->established);
	tcp_opens(f, t);
	tcp_passes(f, t, false, ACK, 1001, 5001, 1);
	lives(f, p->unacknowledged);
	tcp_opens(f, t);
	tcp_passes(f, t, false, FIN | ACK, 1001, 5001, 0);
	lives(f, p->fin_wait);
	tcp_opens(f, t);
	tcp_passes(f, t, false, FIN | ACK, 1001, 5001, 0);
	tcp_passes(f, t, true, ACK, 5001, 1002, 0);
	lives(f, p->close_wait);
	tcp_opens(f, t);
	tcp_passes(f, t, false, FIN | ACK, 1001, 5001, 0);
	tcp_passes(f, t, true, FIN | ACK, 5001, 1002, 0);
	lives(f, p->last_ack);
	tcp_opens(f, t);
	tcp_passes(f, t, false, FIN | ACK, 1001, 5001, 0);
	tcp_passes(f, t, true, FIN | ACK, 5001, 1002, 0);
	tcp_passes(f, t, false, ACK, 1002, 5002, 0);
	lives(f, p->time_wait);
	tcp_opens(f, t);
	tcp_passes(f, t, false, RST, 1001, 0, 0);
	lives(f, p->close);
}

static void test_profiles(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < PROFILES * STARTS; i++) {
		const struct profile *p = &profiles[i % PROFILES];

		flows_open_at(&f, p->yaml, starts[i / PROFILES]);
		others_live(&f, &t[i % 2], p);
		tcp_lives(&f, &t[(i + 1) % 2], p);
		flows_close(&f);
	}
}

/* A timeout that changes counts from the next packet on. */
static void test_reload(void **state)
{
	struct talk t = TALK4;
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "conntrack: {timeouts: {udp: 50s}}\n");
	udp_passes(&f, &t, false);
	assert_true(flows_load(&f, "conntrack: {timeouts: {udp: 20s}}\n"));
	f.p.now += 10 * NSEC_PER_SEC;
	assert_int_equal(left_s(&f), 40);
	udp_passes(&f, &t, false);
	lives(&f, 20);
	flows_close(&f);
}

/* ---- what lives on */

/* The latest of both directions counts, for as long as somebody talks; however the clock is. */
static void test_kept_alive(void **state)
{
	struct talk t[] = { TALK4, TALK6 };
	struct pipe_flows f;

	(void)state;
	for (unsigned i = 0; i < STARTS; i++) {
		struct flow *record;

		flows_open_at(&f, "conntrack: {profile: linux}\n", starts[i]);
		udp_passes(&f, &t[i % 2], false);
		record = the_record(&f);
		for (unsigned n = 0; n < 100; n++) {
			f.p.now += 29 * NSEC_PER_SEC;
			udp_passes(&f, &t[i % 2], n / 3 % 2);
			assert_ptr_equal(the_record(&f), record);
		}
		lives(&f, 120);
		/* an idle connection, by the RFC's two hours and four minutes */
		assert_true(flows_load(&f, "conntrack: {}\n"));
		tcp_opens(&f, &t[i % 2]);
		flows_wait_s(&f, 7439);
		assert_int_equal(live(&f), 1);
		tcp_passes(&f, &t[i % 2], true, ACK, 5001, 1001, 0);
		lives(&f, 7440);
		flows_close(&f);
	}
}

/* ---- C26: all comes back */

static void test_memory(void **state)
{
	struct flow_stats before, after;
	struct pipe_flows f;

	(void)state;
	flows_open(&f, "conntrack: {max: 4096}\n");
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 2000; i++) {
			struct talk t = i % 2 ? TALK4 : TALK6;

			t.sport = (uint16_t)(1000 + i);
			udp_passes(&f, &t, false);
			if (i % 3 == 0)
				udp_passes(&f, &t, true);
		}
		before = flows_stats(&f);
		assert_int_equal(before.live, 2000);
		assert_int_equal(before.ipv4, 1000);
		assert_int_equal(before.ipv6, 1000);
		flows_wait_s(&f, 300 + 16);
		for (unsigned i = 0; i < 32; i++)
			flows_grace(&f);
		after = flows_stats(&f);
		assert_int_equal(after.live, 0);
		assert_int_equal(after.ipv4 + after.ipv6, 0);
		assert_int_equal(after.gone, after.made);
		while (flow_table_trim(f.st->flows, 1000))
			;
		assert_true(flows_stats(&f).bytes < before.bytes);
		assert_int_equal(flow_zone_live(f.st->flows, 0), 0);
	}
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_kept_alive),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
