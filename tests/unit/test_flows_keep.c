/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A router whose process is killed at any instant while hosts talk through its NAT, and the next
 * one, which adopts its flows and its ports: generation after generation, each killed as well. What
 * flows hold and what ports say is the same each time, established talk is answered by the same
 * ports, and when all has ended nothing is left of anybody.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/random.h"
#include "tests/unit/pipe_nat.h"

#define KILLS 60u
#define HOSTS 4u

/* Each way to have a port, with ranges that fill up. */
static const char rules[] =
	"nat: {source: ["
	"{name: eim, from: [10.0.0.0/24], out: p1, action: masquerade, ports: 2000-2099, "
	"filtering: adf}, "
	"{name: adm, from: ['2001:db8::/64'], out: p1, action: masquerade, ports: 2000-2099, "
	"mapping: adm, filtering: eif}, "
	"{name: apdm, from: [10.0.2.0/24, '2001:db8:2::/64'], out: p1, action: masquerade, "
	"ports: 2000-2199, mapping: apdm}], "
	"destination: [{name: web, in: p1, proto: tcp, dport: 2050-2059, to: 10.0.0.2}]}\n" ROUTES;

struct lab {
	uint64_t now;
	uint32_t turns; /* of the process that lives: packets */
};

/* What one process had; the next one's are duplicates of these. */
struct heritage {
	struct lab *lab; /* shared */
	int flows, ports;
	uint64_t *bitmap; /* lent, or NULL */
	bool bitmap_lost;
};

static unsigned below(unsigned n)
{
	return (unsigned)(random64() % n);
}

/* ---- what flows say, counted by ourselves */

struct expected {
	uint32_t ports, mapped, claims;
};

/* The port of its own that a flow has; of ICMP its id. */
static uint16_t claimed(const struct flow *f, const struct flow_key *reply)
{
	bool query = f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6;

	return ntohs(query ? reply->sport : reply->dport);
}

static uint8_t seen[8][NATPORT_PLANES][1u << 16];

/* 1 the first time. */
static uint32_t see(const struct stateful *st, unsigned slot, unsigned plane, uint16_t port)
{
	uint8_t *s = &seen[slot][plane][port], was = *s; /* there are four slots */

	assert(natport_is_taken(st->ports, (uint16_t)slot, (enum natport_plane)plane, port));
	*s = 1;
	return !was;
}

static struct expected expect(const struct stateful *st)
{
	struct expected e = { 0 };
	uint32_t cursor = 0, index;

	memset(seen, 0, sizeof(seen));
	while ((index = flow_walk(st->flows, &cursor)) != FLOW_NONE) {
		const struct flow *f = flow_at(st->flows, index);
		struct flow_key orig, reply;

		flow_key(st->flows, index, FLOW_ORIG, &orig);
		flow_key(st->flows, index, FLOW_REPLY, &reply);
		if (f->nat_slot) {
			e.ports += see(st, f->nat_slot - 1u, (unsigned)natport_plane_of(f->proto),
				       claimed(f, &reply));
			e.claims++;
		}
		if (flow_state(f) & FLOW_MAPPED) {
			struct natport_outside o = nat_mapping_of(st->ports, &orig);

			e.ports += see(st, o.slot, o.plane, o.port);
			e.mapped++;
		}
	}
	return e;
}

/* How many flows the mappings say they have. */
static uint32_t mapped(const struct stateful *st)
{
	struct natport_inside in;
	struct addr outside;
	uint64_t cursor = 0;
	uint32_t flows, all = 0;
	uint16_t port;

	while (natmap_walk(st->ports, &cursor, &in, &outside, &port, &flows))
		all += flows;
	return all;
}

/* Flows with a port for themselves alone. */
static uint32_t alone(const struct stateful *st)
{
	uint32_t cursor = 0, index, n = 0;

	while ((index = flow_walk(st->flows, &cursor)) != FLOW_NONE) {
		const struct flow *f = flow_at(st->flows, index);
		struct natport_inside in;
		struct flow_key reply;
		uint8_t filtering;

		flow_key(st->flows, index, FLOW_REPLY, &reply);
		n += f->nat_slot && !natmap_inside(st->ports, f->nat_slot - 1,
						   (enum natport_plane)natport_plane_of(f->proto),
						   claimed(f, &reply), &in, &filtering);
	}
	return n;
}

/* ---- a process */

/* Everything but flows and ports begins anew; these are adopted. */
static void go_on(struct pipe_flows *f, const struct heritage *h)
{
	struct stateful_config sc = { .workers = 1, .frames = 1024 };
	char why[256] = "";
	bool loaded;

	nat_open(f, rules);
	f->p.w->policy = NULL;
	f->p.w->st = NULL;
	worker_turn(f->p.w, f->p.now);
	policy_destroy(f->policy);
	stateful_destroy(f->st, NULL, NULL);
	f->policy = NULL;
	f->st = NULL;
	sc.conntrack = &f->conf->conntrack;
	sc.frames = f->p.mem->frames;
	sc.nat_bitmap = h->bitmap;
	sc.nat_bitmap_lost = h->bitmap_lost;
	if (stateful_adopt(&sc, dup(h->flows), dup(h->ports), &f->names, &f->st, why, sizeof(why)))
		fprintf(stderr, "%s\n", why);
	assert(f->st);
	f->p.now = f->p.w->rate_at = h->lab->now;
	loaded = flows_load(f, rules);
	assert(loaded);
	natports_adopted(f->st->ports);
}

/* If none is dying: those still hold something. */
static void check(const struct pipe_flows *f)
{
	struct expected e = expect(f->st);
	struct flow_stats s = flows_stats(f);

	if (s.live != s.ipv4 + s.ipv6)
		return;
	assert(flows_ports_taken(f) == e.ports);
	assert(mapped(f->st) + alone(f->st) == e.claims + e.mapped);
}

static void drain(struct pipe_flows *f)
{
	struct frame out;

	for (unsigned i = 0; i < PIPE_PORTS; i++)
		while (pipe_sent(&f->p, i, &out))
			;
}

/* From inside, from outside to where a mapping may be, or by the forward. */
static struct packet some_packet(unsigned *iface)
{
	bool six = below(2);
	struct packet k;

	*iface = below(3);
	if (*iface == OUTSIDE)
		return below(4) ? udp(server(six, 1 + below(3)), 53, router(six), 2000 + below(200))
				: tcp(server(false, 1), 1000 + below(8), router(false), 2055, SYN,
				      1, 0);
	switch (below(4)) {
	case 0: return echo(on_link(six, *iface, 2 + below(HOSTS)), server(six, 1), below(30));
	case 1: /* a hairpin, or an attempt */
		return udp(on_link(six, *iface, 2 + below(HOSTS)), 3000 + below(30), router(six),
			   2000 + below(200));
	default:
		k = udp(on_link(six, *iface, 2 + below(HOSTS)), 3000 + below(30),
			server(six, 1 + below(3)), 53);
		return k;
	}
}

static void talk(struct pipe_flows *f, struct lab *l)
{
	unsigned iface;
	struct packet k = some_packet(&iface);

	send_packet(f, iface, &k);
	drain(f);
	if (below(64) == 0)
		flows_wait_s(f, below(40));
	if (below(256) == 0)
		natports_trim(f->st->ports);
	if (below(256) == 0)
		flows_load(f, rules);
	__atomic_store_n(&l->now, f->p.now, __ATOMIC_RELAXED);
	__atomic_store_n(&l->turns, l->turns + 1, __ATOMIC_RELEASE);
}

static void live_and_die(const struct heritage *h)
{
	unsigned skip = below(1000);
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		static struct pipe_flows f;

		while (skip--)
			random64();
		go_on(&f, h);
		check(&f);
		for (;;)
			talk(&f, h->lab);
	}
	while (!waitpid(pid, &status, WNOHANG) &&
	       !__atomic_load_n(&h->lab->turns, __ATOMIC_ACQUIRE))
		usleep(100);
	usleep(500 + below(20000));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	h->lab->turns = 0;
}

/* The first tables, that nobody has used. */
static struct heritage begin(void)
{
	struct heritage h = { .lab = mmap(NULL, sizeof(struct lab), PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
	struct pipe_flows f;

	assert_true(h.lab != MAP_FAILED);
	nat_open(&f, rules);
	h.lab->now = f.p.now;
	h.flows = dup(flow_table_fd(f.st->flows));
	h.ports = dup(natports_fd(f.st->ports));
	flows_close(&f);
	return h;
}

static void killed_while_hosts_talk(void **state)
{
	static struct pipe_flows f;
	struct heritage h = begin();
	uint32_t most = 0;

	(void)state;
	for (unsigned i = 0; i < KILLS; i++)
		live_and_die(&h);
	go_on(&f, &h);
	check(&f);
	most = flows_stats(&f).live;
	print_message("%u flows have outlived %u processes\n", most, KILLS);
	assert_in_range(most, 10, 100000);
	flows_wait_s(&f, 400);
	flows_grace(&f);
	assert_int_equal(flows_stats(&f).live, 0);
	flows_close(&f);
}

/* ---- what is said goes on */

static void answers_find_their_way(void **state)
{
	static struct pipe_flows dead, f;
	struct heritage h = begin();
	struct packet k, out, back, in;
	struct frame got;

	(void)state;
	go_on(&dead, &h);
	k = udp(inside(false, 3), 3000, server(false, 1), 53);
	send_packet(&dead, INSIDE, &k);
	assert_true(pipe_sent(&dead.p, OUTSIDE, &got));
	out = k;
	out.src = router(false);
	out.sport = (uint16_t)get16(got.b + 14 + 20);
	go_on(&f, &h); /* nothing is taken back of what was the first one's */

	back = answer(&out);
	in = answer(&k);
	send_packet(&f, OUTSIDE, &back);
	expect_packet(&f.p, INSIDE, &in);
	k.dst = out.dst = server(false, 2); /* the same mapping for another server */
	send_packet(&f, INSIDE, &k);
	expect_packet(&f.p, OUTSIDE, &out);
	flows_close(&f);
}

/* The bits that XDP steers by were in a map that somebody has removed. */
static void bits_that_are_lost(void **state)
{
	const size_t bytes = NATPORT_SLOTS * NATPORT_PLANES * NATPORT_WORDS * sizeof(uint64_t);
	static struct pipe_flows dead, f;
	struct heritage h = begin();
	struct stateful_config sc = { .workers = 1, .frames = 1024, .now = h.lab->now };
	struct packet k = udp(inside(false, 3), 3000, server(false, 1), 53);
	struct stateful *st;

	(void)state;
	sc.nat_bitmap = h.bitmap = calloc(1, bytes);
	nat_open(&f, rules);
	sc.conntrack = &f.conf->conntrack;
	assert_int_equal(stateful_create(&sc, &f.names, &st), 0);
	h.flows = dup(flow_table_fd(st->flows));
	h.ports = dup(natports_fd(st->ports));
	stateful_destroy(st, NULL, NULL);
	flows_close(&f);
	go_on(&dead, &h);
	send_packet(&dead, INSIDE, &k);
	assert_int_equal(flows_ports_taken(&dead), 1);
	memset(h.bitmap, 0, bytes);
	h.bitmap_lost = true;
	go_on(&f, &h);
	assert_int_equal(flows_ports_taken(&f), 1);
	check(&f);
	flows_close(&f);
	free(h.bitmap);
}

static void what_cannot_be_adopted(void **state)
{
	struct heritage h = begin();
	struct conf_conntrack c = { .max = 1000, .fragments = 100 };
	struct stateful_config sc = { .conntrack = &c, .workers = 1, .frames = 1024 };
	struct stateful *st = NULL;
	struct names names = { 0 };
	char why[256] = "";

	(void)state;
	assert_int_equal(
		stateful_adopt(&sc, dup(h.ports), dup(h.ports), &names, &st, why, sizeof(why)),
		-EINVAL);
	assert_int_not_equal(why[0], 0);
	assert_int_equal(
		stateful_adopt(&sc, dup(h.flows), dup(h.flows), &names, &st, why, sizeof(why)),
		-EINVAL);
	assert_string_equal(why, "not the memory of NAT's ports");
	assert_null(st);
	names_fini(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_find_their_way),
		cmocka_unit_test(bits_that_are_lost),
		cmocka_unit_test(what_cannot_be_adopted),
		cmocka_unit_test(killed_while_hosts_talk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
