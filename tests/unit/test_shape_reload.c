/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trees that change while packets wait in them: what stays keeps its packets and its figures, what
 * goes drops them and says so, and nothing leaks. Requirements S1, S19, and the "100
 * reconfigurations under load".
 */
#include "tests/random.h"
#include "tests/unit/pipe_shape.h"
#include "tests/unit/pipe_talk.h"

#define EGRESS(tree) "conntrack: {}\nqos: {p1: {egress: {" tree "}}}\n"
#define TBF(rate)    EGRESS("root: {handle: '1:', tbf: {rate: " rate ", burst: 2000b, limit: 50kb}}")
/* One slow class and one fast one. */
#define SLOW "slow: {handle: '1:1', rate: 8mbit, burst: 1900b, cburst: 1900b}"
#define FAST "fast: {handle: '1:2', rate: 1gbit}"
#define HTB(classes, filters)                                                                      \
	EGRESS("root: {handle: '1:', htb: {default: fast}}, classes: {" classes                    \
	       "}, filters: [" filters "]")

/* n packets of 1000 bytes, to this port, in one turn. */
static void arrive(struct pipe_flows *f, unsigned n, unsigned dport)
{
	struct talk t = { false, 0, 1, 40000, (uint16_t)dport };
	struct frame in;

	talk_udp(&t, &in, false, 958);
	for (unsigned i = 0; i < n; i++)
		pipe_receive(&f->p, &in);
	turn_at(f, f->p.now);
}

static void load(struct pipe_flows *f, const char *yaml)
{
	bool loaded = flows_load(f, yaml);

	assert_true(loaded);
	flows_check(f);
}

/* ---- one change */

/* Another rate: what waits goes at that, and what was counted stays. */
static void test_rate(void **state)
{
	struct pipe_flows f;
	struct qdisc_tree *tree;
	uint64_t at;

	(void)state;
	flows_open(&f, TBF("8mbit"));
	tree = tree_at(&f, 1);
	at = f.p.now;
	arrive(&f, 10, 80);
	turn_at(&f, at += 1000 * USEC);
	assert_int_equal(sent_by(&f, 1), 3);
	load(&f, TBF("16mbit"));
	assert_ptr_equal(tree_at(&f, 1), tree);
	assert_int_equal(waiting(&f, 1), 7);
	assert_int_equal(tree->root->qlen, 7);
	assert_int_equal(tree->root->backlog, 7000);
	assert_int_equal(tree->root->stats.packets, 3);
	turn_at(&f, at += 500 * USEC - 1);
	pipe_quiet(&f.p);
	turn_at(&f, at += 1);
	assert_int_equal(sent_by(&f, 1), 1);
	load(&f, TBF("8mbit"));
	turn_at(&f, at += 1000 * USEC);
	assert_int_equal(sent_by(&f, 1), 1);
	assert_int_equal(runs_empty(&f, 1), 5);
	assert_int_equal(f.p.now, at + 5000 * USEC);
	assert_int_equal(tree->root->stats.packets, 10);
	assert_int_equal(pipe_drops_all(&f.p), 0);
	tree_idle(&f, 1);
	flows_close(&f);
}

/* The same file again is no change at all. */
static void test_same(void **state)
{
	struct pipe_flows f;
	struct qclass *slow;

	(void)state;
	flows_open(&f, HTB(SLOW ", " FAST, "{proto: udp, dport: 80, class: slow}"));
	arrive(&f, 10, 80);
	slow = class_at(&f, 1, 0x10001);
	for (unsigned i = 0; i < 5; i++) {
		load(&f, HTB(SLOW ", " FAST, "{proto: udp, dport: 80, class: slow}"));
		assert_ptr_equal(class_at(&f, 1, 0x10001), slow);
		assert_int_equal(slow->child->qlen, 8);
		assert_int_equal(filter_hits(&f, 1, 1), 1);
	}
	assert_int_equal(runs_empty(&f, 1), 10);
	assert_int_equal(slow->stats.packets, 10);
	flows_close(&f);
}

/* S1: a class that goes drops what waits in it; its flows leave by another one. */
static void test_class_goes_s1(void **state)
{
	struct pipe_flows f;
	uint64_t fast;

	(void)state;
	flows_open(&f, HTB(SLOW ", " FAST, "{proto: udp, dport: 80, class: slow}"));
	arrive(&f, 10, 80);
	arrive(&f, 2, 81);
	assert_int_equal(sent_by(&f, 1), 4);
	fast = class_at(&f, 1, 0x10002)->stats.packets;
	assert_int_equal(fast, 2);
	load(&f, HTB(FAST, ""));
	assert_int_equal(dropped(&f, DROP_QDISC_GONE), 8);
	assert_null(tree_class(tree_at(&f, 1), 0x10001));
	tree_idle(&f, 1);
	f.p.now += NSEC_PER_MSEC;
	arrive(&f, 3, 80);
	assert_int_equal(sent_by(&f, 1), 3);
	assert_int_equal(class_at(&f, 1, 0x10002)->stats.packets, fast + 3);
	/* and comes again, as a new one */
	load(&f, HTB(SLOW ", " FAST, "{proto: udp, dport: 80, class: slow}"));
	assert_int_equal(class_at(&f, 1, 0x10001)->stats.packets, 0);
	f.p.now += NSEC_PER_MSEC;
	arrive(&f, 5, 80);
	assert_int_equal(runs_empty(&f, 1), 5);
	assert_int_equal(class_at(&f, 1, 0x10001)->stats.packets, 5);
	flows_close(&f);
}

/* A leaf of another kind: what waited there goes, the class stays; then the root. */
static void test_kind_replaced(void **state)
{
	struct pipe_flows f;

	(void)state;
	flows_open(&f, HTB(SLOW ", " FAST, "{proto: udp, dport: 80, class: slow}"));
	arrive(&f, 10, 80);
	assert_int_equal(sent_by(&f, 1), 2);
	load(&f, HTB("slow: {handle: '1:1', rate: 8mbit, burst: 1900b, cburst: 1900b, leaf: "
		     "{fq_codel: {}}}, " FAST,
		     "{proto: udp, dport: 80, class: slow}"));
	assert_int_equal(dropped(&f, DROP_QDISC_GONE), 8);
	assert_int_equal(class_at(&f, 1, 0x10001)->stats.packets, 2);
	arrive(&f, 6, 80);
	assert_int_equal(waiting(&f, 1), 6);
	load(&f, TBF("8mbit"));
	assert_int_equal(dropped(&f, DROP_QDISC_GONE), 14);
	arrive(&f, 4, 80);
	assert_int_equal(runs_empty(&f, 1), 4);
	tree_idle(&f, 1);
	flows_close(&f);
}

/* No tree any more, with packets in it; one again. */
static void test_tree_goes(void **state)
{
	struct pipe_flows f;

	(void)state;
	flows_open(&f, TBF("8mbit"));
	for (unsigned i = 0; i < 4; i++) {
		arrive(&f, 10, 80);
		assert_int_equal(sent_by(&f, 1), 2);
		load(&f, i & 1 ? "conntrack: {}\n"
			       : "conntrack: {}\nqos: {p2: {egress: {root: {pfifo: {}}}}}\n");
		assert_null(f.qos.tree[1][QOS_EGRESS].shaper);
		assert_int_equal(dropped(&f, DROP_QDISC_GONE), 8 * (i + 1));
		assert_int_equal(f.p.w->count->port[1].drops, 8 * (i + 1));
		arrive(&f, 10, 80);
		assert_int_equal(sent_by(&f, 1), 10);
		load(&f, TBF("8mbit"));
		assert_int_equal(waiting(&f, 1), 0);
	}
	flows_close(&f);
}

/* The ifb goes with what waits in it, and what it has sent stays sent. */
static void test_ifb_goes(void **state)
{
	struct pipe_flows f;

	(void)state;
	flows_open(&f,
		   "qos: {p0: {ifb: {root: {tbf: {rate: 8mbit, burst: 2000b, limit: 50kb}}}}}\n");
	arrive(&f, 10, 80);
	assert_int_equal(sent_by(&f, 1), 2);
	load(&f, "");
	assert_int_equal(dropped(&f, DROP_QDISC_GONE), 8);
	assert_int_equal(f.p.w->count->port[0].drops, 8);
	arrive(&f, 10, 80);
	assert_int_equal(sent_by(&f, 1), 10);
	flows_close(&f);
}

/* A file that cannot be leaves all as it was: trees, packets, filters, what flows remember. */
static void test_refused(void **state)
{
	static const char *const bad[] = {
		HTB(FAST, "{proto: udp, class: '1:7'}"),
		HTB(SLOW ", " FAST, "{bytecode: '1,999 0 0 0', class: slow}"),
		HTB(SLOW ", " FAST,
		    "{proto: udp, police: {name: a, rate: 1mbit, burst: 2kb}, class: "
		    "slow}, {proto: tcp, police: {name: a, rate: 2mbit, burst: 2kb}, "
		    "class: slow}"),
		HTB(FAST, "{proto: udp, mirror: p7}"),
		/* what other ports were to have is given up, too */
		"qos: {p1: {egress: {root: {handle: '1:', tbf: {rate: 1mbit, burst: 2kb, limit: "
		"9kb}}}}, "
		"p2: {egress: {root: {pfifo: {}}}, ingress: [{proto: udp, mirror: vlan100}]}}\n",
		HTB(FAST, "{from: '@nobody', class: fast}"),
		EGRESS("root: {handle: '1:', htb: {default: fast}}, classes: {fast: {handle: "
		       "'1:2', "
		       "rate: 0mbit}}"),
	};
	struct pipe_flows f;
	const struct qos *was;
	struct qclass *slow;

	(void)state;
	flows_open(&f, HTB(SLOW ", " FAST, "{proto: udp, dport: 80, class: slow}"));
	arrive(&f, 10, 80);
	assert_int_equal(sent_by(&f, 1), 2);
	was = f.p.w->qos;
	slow = class_at(&f, 1, 0x10001);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(flows_load(&f, bad[i]));
		flows_check(&f);
		assert_ptr_equal(f.p.w->qos, was);
		assert_ptr_equal(class_at(&f, 1, 0x10001), slow);
		assert_int_equal(slow->child->qlen, 8);
	}
	assert_int_equal(pipe_drops_all(&f.p), 0);
	assert_int_equal(runs_empty(&f, 1), 8);
	arrive(&f, 1, 80);
	assert_int_equal(runs_empty(&f, 1), 1);
	assert_int_equal(filter_hits(&f, 1, 1), 1);
	assert_int_equal(slow->stats.packets, 11);
	flows_close(&f);
}

/* ---- many, under load */

static const char *const trees[] = {
	"",
	"root: {pfifo: {limit: 20}}",
	"root: {handle: '1:', tbf: {rate: 80mbit, burst: 5kb, limit: 30kb}}",
	("root: {handle: '1:', tbf: {rate: 8mbit, burst: 5kb, limit: 30kb}}, qdiscs: [{parent: "
	 "'1:1', "
	 "handle: '2:', fq_codel: {}}]"),
	"root: {handle: '2:', prio: {}}, filters: [{proto: udp, dport: 82, class: '2:1'}]",
	("root: {handle: '1:', htb: {default: b}}, classes: {a: {handle: '1:1', rate: 8mbit}, b: "
	 "{handle: '1:2', rate: 8mbit, leaf: {fq_codel: {}}}}, filters: [{dport: 81, proto: udp, "
	 "class: a}]"),
	("root: {handle: '1:', htb: {default: c}}, classes: {top: {handle: '1:5', rate: 40mbit}, "
	 "a: "
	 "{parent: top, handle: '1:1', rate: 8mbit, ceil: 40mbit, leaf: {sfq: {}}}, c: {parent: "
	 "top, "
	 "handle: '1:2', rate: 16mbit, leaf: {handle: '7:', netem: {delay: 1ms, jitter: 500us}}}}, "
	 "filters: [{dport: 81, proto: udp, class: a}, {hash: {keys: [sport], divisor: 2, base: "
	 "'1:1'}}]"),
	"root: {red: {min: 5kb, max: 15kb, limit: 60kb, avpkt: 1000, bandwidth: 80mbit}}",
	"root: {netem: {delay: 2ms, loss: 5%, duplicate: 5%, reorder: 10%}}",
	("root: {handle: '1:', prio: {}}, classes: {x: {handle: '1:2', leaf: {tbf: {rate: 8mbit, "
	 "burst: 2kb, limit: 10kb}}}, y: {handle: '1:3', leaf: {codel: {}}}}"),
};

static void random_file(uint64_t *seed, char *yaml, size_t size)
{
	unsigned n = sizeof(trees) / sizeof(trees[0]);
	size_t at =
		(size_t)snprintf(yaml, size, "%s", random_below(seed, 4) ? "conntrack: {}\n" : "");

	at += (size_t)snprintf(yaml + at, size - at, "qos:\n");
	for (unsigned port = 0; port < PIPE_PORTS; port++) {
		const char *out = trees[random_below(seed, n)],
			   *in = trees[random_below(seed, 3) ? 0 : random_below(seed, n)];

		at += (size_t)snprintf(
			yaml + at, size - at,
			"  p%u: {frames: %u, ingress: [{proto: udp, dport: 83, action: "
			"%s}]%s%s%s%s%s%s}\n",
			port, 64 + random_below(seed, 100),
			random_below(seed, 2) ? "drop" : "{mark: 1}", *out ? ", egress: {" : "",
			out, *out ? "}" : "", *in ? ", ifb: {" : "", in, *in ? "}" : "");
	}
	if (random_below(seed, 3) == 0)
		snprintf(yaml + at, size - at,
			 "mirror: [{name: m, from: p%u, direction: both, to: p2}]\n",
			 random_below(seed, 2));
}

static void random_load(struct pipe_flows *f, uint64_t *seed)
{
	for (unsigned turn = 0; turn < 5; turn++) {
		for (unsigned i = random_below(seed, 40); i; i--) {
			struct talk t = { random_below(seed, 2), random_below(seed, 3), 0,
					  (uint16_t)(1000 + random_below(seed, 8)),
					  (uint16_t)(80 + random_below(seed, 4)) };
			struct frame in;

			t.b = (t.a + 1 + random_below(seed, 2)) % 3;
			talk_udp(&t, &in, false, random_below(seed, 1400));
			pipe_receive(&f->p, &in);
		}
		turn_at(f, f->p.now + random_below(seed, 2000) * USEC);
		for (unsigned port = 0; port < PIPE_PORTS; port++)
			if (random_below(seed, 4))
				sent_by(f, port);
	}
}

/* Each is another configuration at random; the books balance after each turn and each reload, and
 * at the end nothing is left. */
static void test_random_reloads(void **state)
{
	static char yaml[8192];

	(void)state;
	for (uint64_t first = 1; first <= 3; first++) {
		uint64_t seed = first;
		struct pipe_flows f;

		flows_open(&f, "conntrack: {}\n");
		for (unsigned i = 0; i < 100; i++) {
			random_file(&seed, yaml, sizeof(yaml));
			load(&f, yaml);
			random_load(&f, &seed);
		}
		load(&f, "conntrack: {}\n");
		assert_int_equal(f.qos.published->nshapers, 0);
		assert_true(dropped(&f, DROP_QDISC_GONE) > 0);
		for (unsigned port = 0; port < PIPE_PORTS; port++)
			sent_by(&f, port);
		flows_close(&f);
	}
}

/* An owner that is slower than control's patience: until it has done the last change there is no
 * other, and what it emptied late is freed late. */
static void test_slow_owner(void **state)
{
	struct pipe_flows f;
	bool loaded;

	(void)state;
	flows_open(&f, HTB(SLOW ", " FAST, "{proto: udp, dport: 80, class: slow}"));
	arrive(&f, 10, 80);
	f.slow = true;
	load(&f, HTB(FAST, ""));
	assert_non_null(tree_class(tree_at(&f, 1), 0x10001));
	loaded = flows_load(&f, HTB(SLOW ", " FAST, ""));
	assert_false(loaded);
	turn_at(&f, f.p.now);
	assert_null(tree_class(tree_at(&f, 1), 0x10001));
	f.slow = false;
	load(&f, HTB(SLOW ", " FAST, "{proto: udp, dport: 80, class: slow}"));
	assert_non_null(tree_class(tree_at(&f, 1), 0x10001));
	sent_by(&f, 1);

	arrive(&f, 10, 80);
	f.slow = true;
	load(&f, "conntrack: {}\n");
	assert_null(f.qos.tree[1][QOS_EGRESS].conf);
	loaded = flows_load(&f, TBF("8mbit"));
	assert_false(loaded);
	turn_at(&f, f.p.now);
	f.slow = false;
	load(&f, TBF("8mbit"));
	assert_string_equal(tree_at(&f, 1)->root->ops->kind, "tbf");
	sent_by(&f, 1);
	arrive(&f, 1, 80);
	assert_int_equal(sent_by(&f, 1), 1);
	flows_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),	      cmocka_unit_test(test_same),
		cmocka_unit_test(test_class_goes_s1), cmocka_unit_test(test_kind_replaced),
		cmocka_unit_test(test_tree_goes),     cmocka_unit_test(test_ifb_goes),
		cmocka_unit_test(test_refused),	      cmocka_unit_test(test_random_reloads),
		cmocka_unit_test(test_slow_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
