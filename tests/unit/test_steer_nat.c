// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * NAT on addresses of this host, by BPF_PROG_RUN: which packets the XDP program takes for NAT's and
 * which for Linux's. Each row goes through both families and every way of tagging. F16: Linux keeps
 * what is its own on an address that NAT uses too. All of it runs twice, the second time with no
 * capability that the service lacks: the verifier is stricter then.
 */
#include <linux/capability.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/steer_nat_packets.h"
#include "tests/unit/steer_run.h"

#define SLOT		3
#define PORT		40000
#define OPTIONS_AS_PORT 0x0101

static const char *tags_name;
static const unsigned *tags_now;

static void is(const char *what, struct packet k, enum steer_verdict want)
{
	char text[96];

	snprintf(text, sizeof(text), "%s, %s, %s", what, tags_name,
		 k.dst.family == AF_INET ? "IPv4" : "IPv6");
	expect(text, frame_of(tags_now, &k), want);
}

/* Short of its last header the packet is Linux's, then NAT's. */
static void is_nat_when_whole(const char *what, struct packet k)
{
	struct frame f = frame_of(tags_now, &k);
	unsigned header = f.len - k.len;

	for (unsigned len = header; len < f.len; len++)
		expect_length(what, &f, len, STEER_PASS_LOCAL, XDP_PASS);
	is(what, k, STEER_NAT);
}

/* ---- the bitmap ---- */

static void set_bit(unsigned slot, enum steer_nat_plane plane, unsigned port, bool on)
{
	uint64_t *words = steer_natports(s), bit = 1ULL << port % 64;

	assert_non_null(words);
	words += (slot * STEER_NAT_PLANES + plane) * STEER_NAT_WORDS + port / 64;
	if (on)
		__atomic_fetch_or(words, bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(words, ~bit, __ATOMIC_RELAXED);
}

static void prepare(struct family f)
{
	family = f;
	assert_int_equal(steer_local_add(s, &family.nat), 0);
	assert_int_equal(steer_local_add(s, &family.all), 0);
	assert_int_equal(steer_local_add(s, &family.plain), 0);
	assert_int_equal(steer_local_nat(s, &family.nat, SLOT), 0);
	assert_int_equal(steer_local_nat(s, &family.all, STEER_NAT_ALL), 0);
	for (int plane = 0; plane < STEER_NAT_PLANES; plane++)
		set_bit(SLOT, plane, PORT, false);
}

static void (*rows_now)(void);
static void run_rows(const char *name, const unsigned *tags, unsigned l2)
{
	(void)l2;
	tags_name = name;
	tags_now = tags;
	rows_now();
}

static void each_way(void (*rows)(void))
{
	rows_now = rows;
	prepare(family4());
	each_tagging(run_rows);
	prepare(family6());
	each_tagging(run_rows);
}

/* ---- ports and ids ---- */

static void port_rows(void)
{
	static const unsigned protocols[] = { 6, 17 };

	for (int plane = 0; plane < 2; plane++) {
		unsigned proto = protocols[plane], other = protocols[!plane];

		set_bit(SLOT, plane, PORT, true);
		is_nat_when_whole("its port", packet(family.nat, proto, 1, PORT));
		is("another", packet(family.nat, proto, PORT, OTHER), STEER_PASS_LOCAL);
		is("of 64 at once", packet(family.nat, proto, 1, PORT + 64), STEER_PASS_LOCAL);
		is("another protocol", packet(family.nat, other, 1, PORT), STEER_PASS_LOCAL);
		is("no ports", packet(family.nat, 132, 1, PORT), STEER_PASS_LOCAL);
		is("the id", icmp(family.nat, family.reply, PORT), STEER_PASS_LOCAL);
		is("no NAT here", packet(family.plain, proto, 1, PORT), STEER_PASS_LOCAL);
		is("not local", packet(family.transit, proto, 1, PORT), STEER_SOCKET);
		set_bit(SLOT, plane, PORT, false);
		is("no more", packet(family.nat, proto, 1, PORT), STEER_PASS_LOCAL);
	}
}

static void test_ports(void **state)
{
	(void)state;
	each_way(port_rows);
}

static void id_rows(void)
{
	set_bit(SLOT, STEER_NAT_ID, PORT, true);
	is_nat_when_whole("echo reply", icmp(family.nat, family.reply, PORT));
	is("another id", icmp(family.nat, family.reply, OTHER), STEER_PASS_LOCAL);
	is("echo request is for us", icmp(family.nat, family.request, PORT), STEER_PASS_LOCAL);
	is("another type", icmp(family.nat, family.unknown, PORT), STEER_PASS_LOCAL);
	is("a port", packet(family.nat, 17, 1, PORT), STEER_PASS_LOCAL);
	if (family.icmp == 1) {
		is("timestamp reply", icmp(family.nat, 14, PORT), STEER_NAT);
		is("timestamp request", icmp(family.nat, 13, PORT), STEER_PASS_LOCAL);
		is("information reply", icmp(family.nat, 16, PORT), STEER_NAT);
		is("information request", icmp(family.nat, 15, PORT), STEER_PASS_LOCAL);
		is("mask reply", icmp(family.nat, 18, PORT), STEER_NAT);
		is("mask request", icmp(family.nat, 17, PORT), STEER_PASS_LOCAL);
	}

	struct packet wrong = icmp(family.nat, family.reply, PORT);

	wrong.protocol = family.other_icmp;
	is("ICMP of the other family", wrong, STEER_PASS_LOCAL);
	set_bit(SLOT, STEER_NAT_ID, PORT, false);
}

static void test_ids(void **state)
{
	(void)state;
	each_way(id_rows);
}

/* Word and bit of every port, and of the first and last slot. */
static void test_every_bit(void **state)
{
	static const int slots[] = { 0, STEER_NAT_SLOTS - 1 };

	(void)state;
	tags_name = "untagged";
	tags_now = NULL;
	prepare(family4());
	for (int i = 0; i < 2; i++) {
		assert_int_equal(steer_local_nat(s, &family.nat, slots[i]), 0);
		for (unsigned port = 0; port < 65536; port += port < 200 ? 1 : 251) {
			is("clear", packet(family.nat, 17, 1, port), STEER_PASS_LOCAL);
			set_bit(slots[i], STEER_NAT_UDP, port, true);
			is("set", packet(family.nat, 17, 1, port), STEER_NAT);
			is("TCP", packet(family.nat, 6, 1, port), STEER_PASS_LOCAL);
			set_bit(slots[i], STEER_NAT_UDP, port, false);
		}
	}
}

/* ---- ICMP errors ---- */

static void error_rows(void)
{
	const uint8_t types[] = { family.unreachable, family.too_big, family.exceeded,
				  family.problem };
	struct packet tcp = sent(6, PORT), udp = sent(17, PORT), echo, other = sent(6, OTHER);

	echo = sent_icmp(family.request, PORT);
	for (int plane = 0; plane < STEER_NAT_PLANES; plane++)
		set_bit(SLOT, plane, PORT, true);
	for (int i = 0; i < 4; i++) {
		is_nat_when_whole("about TCP", icmp_error(types[i], &tcp));
		is("about UDP", icmp_error(types[i], &udp), STEER_NAT);
		is("about an echo", icmp_error(types[i], &echo), STEER_NAT);
		is("about Linux's", icmp_error(types[i], &other), STEER_PASS_LOCAL);
	}
	is("no error", icmp_error(family.unknown, &tcp), STEER_PASS_LOCAL);
	echo = sent_icmp(family.reply, PORT); /* that one Linux has sent */
	is("about an answer", icmp_error(family.exceeded, &echo), STEER_PASS_LOCAL);
	other = sent(132, PORT);
	is("about SCTP", icmp_error(family.exceeded, &other), STEER_PASS_LOCAL);
	other = sent_icmp(family.icmp == 1 ? 128 : 8, PORT);
	other.protocol = family.other_icmp;
	is("about the other ICMP", icmp_error(family.exceeded, &other), STEER_PASS_LOCAL);

	struct packet e = icmp_error(family.exceeded, &tcp);

	set_bit(SLOT, STEER_NAT_TCP, PORT, false);
	is("TCP no more", e, STEER_PASS_LOCAL);
	set_bit(SLOT, STEER_NAT_TCP, PORT, true);
	e.l4[8] ^= 0x10;
	is("of no IP version", e, STEER_PASS_LOCAL);
	tcp.src = family.plain;
	e = icmp_error(family.exceeded, &tcp);
	e.dst = family.nat;
	is("about another's packet", e, STEER_PASS_LOCAL);
}

static void test_errors(void **state)
{
	(void)state;
	each_way(error_rows);
}

/* One bit of the quoted source is another address. */
static void test_quoted_source_counts_whole(void **state)
{
	struct packet tcp, e;

	(void)state;
	tags_name = "untagged";
	tags_now = NULL;
	for (int i = 0; i < 2; i++) {
		unsigned at = i ? 8 + 8 : 8 + 12, bytes = i ? 16 : 4;

		prepare(i ? family6() : family4());
		set_bit(SLOT, STEER_NAT_TCP, PORT, true);
		tcp = sent(6, PORT);
		for (unsigned k = 0; k < bytes; k++) {
			e = icmp_error(family.exceeded, &tcp);
			e.l4[at + k] ^= 4;
			is("one bit off", e, STEER_PASS_LOCAL);
		}
	}
}

static void test_errors_behind_what_varies(void **state)
{
	struct packet tcp, e;

	(void)state;
	tags_name = "untagged";
	tags_now = NULL;
	prepare(family4());
	set_bit(SLOT, STEER_NAT_TCP, PORT, true);
	set_bit(SLOT, STEER_NAT_TCP, OPTIONS_AS_PORT, true);
	tcp = sent(6, PORT);
	tcp.ihl = 6;
	is("quoted options", icmp_error(3, &tcp), STEER_PASS_LOCAL);
	tcp.ihl = 0;
	tcp.fragment = 0x2000;
	is("quoted first fragment", icmp_error(3, &tcp), STEER_NAT);
	tcp.fragment = 0x2001;
	is("quoted later fragment", icmp_error(3, &tcp), STEER_PASS_LOCAL);
	tcp.fragment = 0;
	e = icmp_error(3, &tcp);
	e.ihl = 6;
	is("outer options", e, STEER_PASS_LOCAL);

	tcp = packet(family.nat, 6, 1, PORT);
	for (tcp.ihl = 6; tcp.ihl <= 15; tcp.ihl++)
		is("options", tcp, STEER_PASS_LOCAL);
	prepare(family6());
	set_bit(SLOT, STEER_NAT_TCP, PORT, true);
	tcp = packet(family.nat, 60, 6 << 8, PORT); /* destination options */
	is("extension header", tcp, STEER_PASS_LOCAL);
}

/* ---- fragments ---- */

static struct packet fragment_of(unsigned port, unsigned id, unsigned offset, bool more)
{
	struct packet k = packet(family.nat, 17, 1, port);

	k.split = true;
	k.id = id;
	k.fragment = k.dst.family == AF_INET ? offset | (more ? 0x2000 : 0) : offset << 3 | more;
	if (offset) /* what would be ports are not */
		memcpy(k.l4, (uint8_t[]){ 1, 2, PORT >> 8, PORT & 255 }, 4);
	return k;
}

static void fragment_rows(void)
{
	static unsigned id = 100; /* ids are new in each way of tagging */
	struct packet k;

	id += 10;
	set_bit(SLOT, STEER_NAT_UDP, PORT, true);
	is("before its first", fragment_of(PORT, id, 3, true), STEER_NAT);
	is("first", fragment_of(PORT, id, 0, true), STEER_NAT);
	is("middle", fragment_of(PORT, id, 3, true), STEER_NAT);
	is("last", fragment_of(PORT, id, 8191, false), STEER_NAT);
	is("another id", fragment_of(PORT, id + 1, 3, true), STEER_NAT);
	k = fragment_of(PORT, id, 3, true);
	k.src = family.transit;
	is("another source", k, STEER_NAT);
	k = fragment_of(PORT, id, 3, true);
	k.protocol = 6;
	is("another protocol", k, STEER_NAT);
	k.protocol = 47;
	is("without ports", k, STEER_PASS_LOCAL);
	k = fragment_of(PORT, id, 3, true);
	k.dst = family.plain;
	is("another address", k, STEER_PASS_LOCAL);
	k.dst = family.transit;
	is("to be forwarded", k, STEER_SOCKET);

	is("Linux's first", fragment_of(OTHER, id + 1, 0, true), STEER_PASS_LOCAL);
	is("Linux's next", fragment_of(OTHER, id + 1, 3, false), STEER_PASS_LOCAL);
	is("id comes round", fragment_of(OTHER, id, 0, true), STEER_PASS_LOCAL);
	is("id is Linux's", fragment_of(OTHER, id, 3, false), STEER_PASS_LOCAL);

	is("alone", fragment_of(PORT, id + 2, 0, false), STEER_NAT);
	is("nothing was kept", fragment_of(OTHER, id + 2, 3, false), STEER_NAT);
	k = fragment_of(PORT, id + 3, 0, true);
	k.len = 7;
	is("first without ports", k, STEER_PASS_LOCAL);
	is("nor later", fragment_of(PORT, id + 3, 3, false), STEER_PASS_LOCAL);
	set_bit(SLOT, STEER_NAT_ID, PORT, true);
	k = icmp(family.nat, family.reply, PORT);
	k.split = true;
	k.id = id;
	k.fragment = family.icmp == 1 ? 0x2000 : 1;
	is("an echo reply's first", k, STEER_NAT);
	k.fragment = family.icmp == 1 ? 0x2003 : 3 << 3 | 1;
	is("an echo reply's next", k, STEER_NAT);
}

static void test_fragments(void **state)
{
	(void)state;
	each_way(fragment_rows);
}

/* Many datagrams at once: an old one is forgotten, a new one never is. */
static void test_fragments_are_bounded(void **state)
{
	(void)state;
	tags_name = "untagged";
	tags_now = NULL;
	prepare(family6());
	set_bit(SLOT, STEER_NAT_UDP, PORT, true);
	is("Linux's", fragment_of(OTHER, 1, 0, true), STEER_PASS_LOCAL);
	is("Linux's next", fragment_of(OTHER, 1, 3, false), STEER_PASS_LOCAL);
	for (unsigned id = 2; id < 3 * STEER_FRAGMENTS_MAX; id++) {
		is("first", fragment_of(PORT, id, 0, true), STEER_NAT);
		is("next", fragment_of(PORT, id, 3, false), STEER_NAT);
	}
	is("long ago", fragment_of(OTHER, 1, 3, false), STEER_NAT);
}

/* ---- addresses ---- */

static void all_rows(void)
{
	struct packet k = packet(family.all, 17, 1, OTHER);

	is("any port", packet(family.all, 6, 1, OTHER), STEER_NAT);
	is("any protocol", packet(family.all, 132, 1, OTHER), STEER_NAT);
	is("echo request", icmp(family.all, family.request, 1), STEER_NAT);
	k.split = true;
	k.fragment = 8 << 3;
	is("a fragment", k, STEER_NAT);
	k.ihl = 7;
	is("with options", k, STEER_NAT);
	k.len = 0;
	is("nothing in it", k, STEER_NAT);
	if (family.icmp == 1) {
		k = packet(family.all, 17, 67, 68);
		is("DHCP answer", k, STEER_PASS_DHCP);
		return;
	}
	for (uint8_t type = 130; type < 140; type++)
		is("neighbour discovery", icmp(family.all, type, 1),
		   type >= 133 && type <= 137 ? STEER_PASS_LOCAL : STEER_NAT);
}

static void test_all(void **state)
{
	(void)state;
	each_way(all_rows);
}

/* The port of DHCP may be NAT's by a rule for a wide range; the answer is Linux's still. */
static void test_dhcp_answer(void **state)
{
	(void)state;
	tags_name = "untagged";
	tags_now = NULL;
	prepare(family4());
	set_bit(SLOT, STEER_NAT_UDP, 68, true);
	is("to a client", packet(family.nat, 17, 67, 68), STEER_PASS_DHCP);
	is("from elsewhere", packet(family.nat, 17, 53, 68), STEER_NAT);
	set_bit(SLOT, STEER_NAT_UDP, 68, false);
	is("not NAT's", packet(family.nat, 17, 67, 68), STEER_PASS_LOCAL);
}

static void test_wishes(void **state)
{
	struct addr none = { .family = 0 }, many[600];
	struct packet k;

	(void)state;
	tags_name = "untagged";
	tags_now = NULL;
	family = family4();
	set_bit(SLOT, STEER_NAT_TCP, PORT, true);
	k = packet(family.nat, 6, 1, PORT);
	assert_int_equal(steer_local_nat(s, &family.nat, SLOT), 0);
	is("not local yet", k, STEER_SOCKET);
	assert_int_equal(steer_local_replace(s, &family.nat, 1), 0);
	is("local now", k, STEER_NAT);
	assert_int_equal(steer_local_replace(s, &family.nat, 1), 0);
	is("the same set", k, STEER_NAT);
	assert_int_equal(steer_local_replace(s, &family.plain, 1), 0);
	is("left the set", k, STEER_SOCKET);
	assert_int_equal(steer_local_add(s, &family.nat), 0);
	is("came back", k, STEER_NAT);
	assert_int_equal(steer_local_nat(s, &family.nat, SLOT + 1), 0);
	is("another slot", k, STEER_PASS_LOCAL);
	assert_int_equal(steer_local_nat(s, &family.nat, STEER_NAT_ALL), 0);
	is("all", packet(family.nat, 6, 1, OTHER), STEER_NAT);
	assert_int_equal(steer_local_nat(s, &family.nat, STEER_NAT_NONE), 0);
	assert_int_equal(steer_local_nat(s, &family.nat, STEER_NAT_NONE), 0);
	is("none", k, STEER_PASS_LOCAL);
	assert_int_equal(steer_local_add(s, &family.nat), 0);
	is("none is kept", k, STEER_PASS_LOCAL);

	assert_int_equal(steer_local_nat(s, &family.nat, -2), -EINVAL);
	assert_int_equal(steer_local_nat(s, &family.nat, STEER_NAT_ALL + 1), -EINVAL);
	assert_int_equal(steer_local_nat(s, &none, SLOT), -EAFNOSUPPORT);

	for (unsigned i = 0; i < 600; i++) {
		many[i] = v4(10, 9, i >> 8, i & 255);
		assert_int_equal(steer_local_nat(s, &many[i], STEER_NAT_ALL), 0);
	}
	assert_int_equal(steer_local_nat(s, &many[7], STEER_NAT_NONE), 0);
	assert_int_equal(steer_local_replace(s, many, 600), 0);
	is("first of many", packet(many[0], 6, 1, 1), STEER_NAT);
	is("last of many", packet(many[599], 6, 1, 1), STEER_NAT);
	is("one less", packet(many[7], 6, 1, 1), STEER_PASS_LOCAL);
}

static void *replace_often(void *arg)
{
	struct addr a[2] = { family.nat };

	for (int i = 0; i < 1000; i++) {
		a[1] = v4(10, 0, 1 + i % 200, 1);
		if (steer_local_replace(s, a, 2))
			return arg;
	}
	return NULL;
}

/* An address that stays is NAT's for every packet in between. */
static void test_replace_keeps_nat(void **state)
{
	LIBBPF_OPTS(bpf_test_run_opts, o, .repeat = 20000);
	uint64_t n[STEER__COUNT];
	struct packet k;
	struct frame f;
	pthread_t thread;
	void *failed;

	(void)state;
	prepare(family4());
	set_bit(SLOT, STEER_NAT_TCP, PORT, true);
	k = packet(family.nat, 6, 1, PORT);
	f = frame_of(NULL, &k);
	o.data_in = f.b;
	o.data_size_in = f.len;
	assert_int_equal(pthread_create(&thread, NULL, replace_often, &failed), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(bpf_prog_test_run_opts(steer_port_prog_fd(p), &o), 0);
	pthread_join(thread, &failed);
	assert_null(failed);
	steer_port_counters(p, n);
	assert_int_equal(n[STEER_NAT], 20 * 20000);
}

static void test_no_socket(void **state)
{
	struct packet k;
	struct frame f;

	(void)state;
	prepare(family4());
	k = packet(family.all, 6, 1, PORT);
	f = frame_of(NULL, &k);
	assert_int_equal(steer_port_socket(p, 0, -1), 0);
	expect_length("fallback", &f, f.len, STEER_NO_SOCKET, XDP_DROP);
}

static int run_all(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_ports),
		TEST(test_ids),
		TEST(test_every_bit),
		TEST(test_errors),
		TEST(test_quoted_source_counts_whole),
		TEST(test_errors_behind_what_varies),
		TEST(test_fragments),
		TEST(test_fragments_are_bounded),
		TEST(test_all),
		TEST(test_dhcp_answer),
		TEST(test_wishes),
		TEST(test_replace_keeps_nat),
		TEST(test_no_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Neither CAP_PERFMON nor CAP_SYS_ADMIN: what systemd/router.service grants. */
static int drop_capabilities(void)
{
	const uint64_t keep = 1ULL << CAP_NET_ADMIN | 1ULL << CAP_NET_RAW | 1ULL << CAP_IPC_LOCK |
			      1ULL << CAP_BPF;
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)keep, .permitted = (uint32_t)keep },
		{ .effective = keep >> 32, .permitted = keep >> 32 },
	};

	return (int)syscall(SYS_capset, &head, data);
}

int main(void)
{
	int status, failed;
	pid_t pid;

	if (cannot_run())
		return 77;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		if (drop_capabilities())
			_exit(1);
		failed = run_all();
		fflush(NULL);
		_exit(failed);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 1;
	failed = run_all();
	return failed || status;
}
