/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real sockets: workers that forward between two veth ports are killed under load, one after the
 * other, at any time; each goes on with what the one before left. All packets arrive once, and no
 * frame is lost. And descriptors that are not what they should be.
 *
 * The parent is who sends, receives, holds the descriptors, and kills.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <cmocka.h>

#include "tests/unit/kept_worker.h"

#define FRAMES	8192u
#define SIZE	2048u
#define RING	1024u
#define KILLS	40
#define WINDOW	192 /* packets under way: fewer than any queue of Linux on the way drops */
#define PATIENT 3.0 /* seconds without a packet: they are lost */
#define TYPE	0x88b5
#define SEQ_AT	14
#define LENGTH	64
#define SEQS	(1u << 22)

static const char *const port_name[PORTS] = { "a1", "b1" };
enum { FD_MEM, FD_PORT, FDS = FD_PORT + PORTS };

struct lab {
	struct kept *kept;
	int fd[FDS];	/* what outlives a worker */
	int map[PORTS]; /* XSKMAPs */
	int wire[2];	/* packet sockets at the far ends */
	pid_t worker;
	uint32_t seq, arrived;
	uint8_t *seen;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- a network namespace of our own */

static bool make_net(void)
{
	return unshare(CLONE_NEWNET) == 0 &&
	       system("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; "
		      "ip link add a0 type veth peer name a1 && ip link add b0 type veth peer "
		      "name b1 && for i in a0 a1 b0 b1; do ip link set $i up || exit 1; done") == 0;
}

/* Everything to the socket of the queue it came by. */
static bool attach(struct lab *l, unsigned port)
{
	unsigned ifindex = if_nametoindex(port_name[port]);
	int prog;

	l->map[port] = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "sockets", 4, 4, 1, NULL);
	struct bpf_insn code[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		  .dst_reg = 2,
		  .src_reg = 1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = 1,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = l->map[port] },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	prog = bpf_prog_load(BPF_PROG_TYPE_XDP, "to_socket", "GPL", code,
			     sizeof(code) / sizeof(code[0]), NULL);
	return prog >= 0 && bpf_xdp_attach((int)ifindex, prog, XDP_FLAGS_DRV_MODE, NULL) == 0;
}

static int wire_open(const char *name)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
				 .sll_protocol = htons(TYPE),
				 .sll_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(TYPE)), size = 8 << 20;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* ---- workers */

static struct xsk_port_config config_of(unsigned port, const struct xsk_mem *m)
{
	struct xsk_port_config c = { .name = port_name[port],
				     .ifindex = (int)if_nametoindex(port_name[port]),
				     .ring_size = RING,
				     .want = XSK_WANT_COPY };

	c.queues = m ? xsk_port_kept(m, c.ifindex) : 1;
	return c;
}

static void work(struct world *w)
{
	struct pollfd p[PORTS];

	for (unsigned i = 0; i < PORTS; i++)
		p[i] = (struct pollfd){ .fd = w->port[i]->queue[0]->fd, .events = POLLIN };
	for (;;)
		if (!turn(w) && !xsk_queue_busy(w->port[0]->queue[0]) &&
		    !xsk_queue_busy(w->port[1]->queue[0]))
			poll(p, PORTS, 5);
}

static void hand_over(int to, const struct world *w)
{
	union {
		char buf[CMSG_SPACE(FDS * sizeof(int))];
		struct cmsghdr align;
	} u = { 0 };
	char byte = 0;
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = u.buf,
			    .msg_controllen = sizeof(u.buf) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	int fd[FDS] = { w->mem->fd, w->port[0]->queue[0]->fd, w->port[1]->queue[0]->fd };

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(h), fd, sizeof(fd));
	if (sendmsg(to, &m, 0) < 0)
		_exit(1);
}

static void take_over(int from, struct lab *l)
{
	union {
		char buf[CMSG_SPACE(FDS * sizeof(int))];
		struct cmsghdr align;
	} u;
	char byte;
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = u.buf,
			    .msg_controllen = sizeof(u.buf) };

	assert_int_equal(recvmsg(from, &m, 0), 1);
	memcpy(l->fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(l->fd));
	for (unsigned i = 0; i < PORTS; i++) {
		uint32_t queue = 0;

		assert_int_equal(bpf_map_update_elem(l->map[i], &queue, &l->fd[FD_PORT + i], 0), 0);
	}
}

/* The first one makes everything. */
static _Noreturn void work_first(struct lab *l, int to)
{
	struct xsk_kept kept = kept_of(l->kept);
	static struct world w;
	char why[XSK_PORT_WHY];

	w = (struct world){ .kept = l->kept, .seq_at = SEQ_AT };
	if (xsk_mem_create(FRAMES, SIZE, XSK_HUGEPAGES_OFF, &kept, &w.mem))
		_exit(1);
	frame_cache_init(&w.cache, w.mem);
	for (unsigned i = 0; i < PORTS; i++) {
		struct xsk_port_config c = config_of(i, NULL);
		int err;

		/* what was closed a moment ago may be busy for another */
		while ((err = xsk_port_open(w.mem, &c, &w.port[i], why)) == -EBUSY)
			usleep(1000);
		if (err)
			_exit(1);
	}
	hand_over(to, &w);
	work(&w);
	_exit(0);
}

/* 0, or what xsk_port_adopt() said of a port. */
static int adopt(struct lab *l, struct world *w, char *why)
{
	struct xsk_kept kept = kept_of(l->kept);
	struct xsk_port_done done;
	int err = 0;

	*w = (struct world){ .kept = l->kept, .seq_at = SEQ_AT };
	assert_int_equal(xsk_mem_adopt(dup(l->fd[FD_MEM]), FRAMES, SIZE, &kept, &w->mem), 0);
	frame_cache_init(&w->cache, w->mem);
	for (unsigned i = 0; i < PORTS; i++) {
		struct xsk_port_config c = config_of(i, w->mem);
		int fd = dup(l->fd[FD_PORT + i]), bad;
		char also[XSK_PORT_WHY];

		assert_int_equal(c.queues, 1);
		bad = xsk_port_adopt(w->mem, &c, &fd, &w->port[i], err ? also : why);
		err = err ? err : bad;
	}
	if (err)
		return err;
	name_pending(w);
	for (unsigned i = 0; i < PORTS; i++) {
		xsk_port_resume(w->port[i], &done);
		l->kept->rx += done.rx_packets;
		l->kept->tx += done.tx_packets;
	}
	assert_in_range(xsk_mem_settle(w->mem), 0, 2);
	for (unsigned i = 0; i < PORTS; i++)
		flush(w, i);
	return 0;
}

static _Noreturn void work_next(struct lab *l)
{
	static struct world w;
	char why[XSK_PORT_WHY];

	if (adopt(l, &w, why)) {
		fprintf(stderr, "%s\n", why);
		_exit(1);
	}
	work(&w);
	_exit(0);
}

static void start_next(struct lab *l)
{
	l->worker = fork();
	if (!l->worker)
		work_next(l);
}

/* It must have been alive. */
static void kill_worker(struct lab *l)
{
	int status;

	kill(l->worker, SIGKILL);
	assert_int_equal(waitpid(l->worker, &status, 0), l->worker);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("a worker ended by itself: status %x", status);
}

/* ---- traffic */

static bool send_one(struct lab *l)
{
	uint8_t b[LENGTH] = {
		255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, TYPE >> 8, TYPE & 255
	};

	memcpy(b + SEQ_AT, &l->seq, sizeof(l->seq));
	if (send(l->wire[0], b, sizeof(b), 0) != sizeof(b))
		return false;
	l->seq++;
	if (is_for_nobody(l->seq))
		l->seq++; /* not sent: it would not arrive */
	return true;
}

static unsigned receive_all(struct lab *l)
{
	uint8_t b[LENGTH];
	uint32_t seq;
	unsigned n = 0;

	for (; recv(l->wire[1], b, sizeof(b), 0) == sizeof(b); n++) {
		memcpy(&seq, b + SEQ_AT, sizeof(seq));
		assert_true(seq < l->seq);
		if (l->seen[seq]++)
			fail_msg("packet %u came twice", seq);
		l->arrived++;
	}
	return n;
}

/* Packets sent by now, without those that are for nobody. */
static uint32_t sent(const struct lab *l)
{
	return l->seq - l->seq / 5;
}

static void traffic(struct lab *l, double until, bool more)
{
	double heard = now();

	while (now() < until || (!more && l->arrived < sent(l))) {
		for (unsigned i = 0; more && i < 32 && sent(l) - l->arrived < WINDOW; i++)
			if (!send_one(l))
				break;
		if (receive_all(l))
			heard = now();
		else if (now() - heard > PATIENT)
			fail_msg("%u of %u packets are lost", sent(l) - l->arrived, sent(l));
	}
}

/* ---- tests */

static void lab_open(struct lab *l)
{
	int pair[2];

	memset(l, 0, sizeof(*l));
	l->kept = mmap(NULL, sizeof(*l->kept), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	l->seen = calloc(SEQS, 1);
	assert_true(l->kept != MAP_FAILED && l->seen);
	for (unsigned i = 0; i < PORTS; i++)
		if (!attach(l, i))
			skip(); /* no BPF, or no XDP in veth */
	l->wire[0] = wire_open("a0");
	l->wire[1] = wire_open("b0");
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	l->worker = fork();
	if (!l->worker)
		work_first(l, pair[1]);
	take_over(pair[0], l);
	close(pair[0]);
	close(pair[1]);
}

/* w: who adopted last; all its frames come back. */
static void lab_close(struct lab *l, struct world *w)
{
	if (w) {
		frame_cache_fini(&w->cache);
		for (unsigned i = 0; i < PORTS; i++) {
			xsk_port_close(w->port[i]);
			xsk_port_reclaim(w->port[i]);
			xsk_port_free(w->port[i]);
		}
		assert_int_equal(w->mem->ndepot, FRAMES);
		xsk_mem_destroy(w->mem);
	}
	for (unsigned i = 0; i < FDS; i++)
		close(l->fd[i]);
	for (unsigned i = 0; i < PORTS; i++) {
		close(l->map[i]);
		close(l->wire[i]);
	}
	munmap(l->kept, sizeof(*l->kept));
	free(l->seen);
}

static void test_killed_under_load(void **state)
{
	static struct lab l;
	struct world w;
	char why[XSK_PORT_WHY];
	uint32_t frames = 0;

	(void)state;
	srand(1);
	lab_open(&l);
	traffic(&l, now() + 0.01, true);
	for (unsigned i = 0; i < KILLS; i++) {
		traffic(&l, now() + rand() % 8000 / 1e6, true);
		kill_worker(&l);
		traffic(&l, now() + rand() % 1000 / 1e6, true); /* nobody is there */
		start_next(&l);
	}
	traffic(&l, 0, false);
	kill_worker(&l);
	print_message("%u packets, %llu received, %llu sent; %llu turns\n", sent(&l),
		      (unsigned long long)l.kept->rx, (unsigned long long)l.kept->tx,
		      (unsigned long long)l.kept->turns);
	assert_true(sent(&l) > 1000);

	if (adopt(&l, &w, why)) /* and the frames are all there */
		fail_msg("%s", why);
	for (unsigned i = 0; i < PORTS; i++)
		frames += xsk_port_outstanding(w.port[i]);
	assert_int_equal(w.mem->ndepot + w.cache.n + frames, FRAMES);
	lab_close(&l, &w);
}

/* Refused, with the reason; the other port goes on, and all frames come back. */
static void expect_refused(struct lab *l, const char *what)
{
	struct xsk_port_stats st;
	struct world w;
	char why[XSK_PORT_WHY];

	assert_int_equal(adopt(l, &w, why), -EUCLEAN);
	if (!strstr(why, what))
		fail_msg("`%s` instead of: %s", why, what);
	xsk_port_stats(w.port[1], &st); /* closed: no descriptor, no harm */
	xsk_mem_settle(w.mem);
	lab_close(l, &w);
}

static void test_other_socket(void **state)
{
	static struct lab l;
	int fd;

	(void)state;
	lab_open(&l);
	kill_worker(&l);
	fd = l.fd[FD_PORT + 1];
	l.fd[FD_PORT + 1] = l.fd[FD_PORT];
	l.fd[FD_PORT] = fd;
	expect_refused(&l, "another socket");
	lab_open(&l);
	kill_worker(&l);
	close(l.fd[FD_PORT + 1]);
	l.fd[FD_PORT + 1] = -1;
	expect_refused(&l, "not handed over");
}

static void test_contradictions(void **state)
{
	static struct lab l;
	struct xsk_queue_kept *k;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		lab_open(&l);
		kill_worker(&l);
		k = &l.kept->queue[1];
		if (i == 0) {
			k->ring_size = 3 * RING;
			expect_refused(&l, "size");
		} else if (i == 1) {
			k->ring_size = 4 * RING; /* more than there is to be mapped */
			expect_refused(&l, "Invalid argument");
		} else if (i == 2) {
			k->filled += 2 * RING;
			expect_refused(&l, "more than its size");
		} else if (i == 3) {
			memset(l.kept->owner, 0, sizeof(l.kept->owner));
			expect_refused(&l, "somebody else's");
		} else {
			for (unsigned f = 0; f < FRAMES; f++)
				l.kept->owner[f] = FRAME_POSTED(1);
			expect_refused(&l, "somebody else's");
		}
	}
}

static void test_other_memory(void **state)
{
	static struct kept k;
	struct xsk_kept kept = kept_of(&k);
	struct xsk_mem *m = NULL;
	int fd = memfd_create("short", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(xsk_mem_adopt(-1, FRAMES, SIZE, &kept, &m), -EINVAL);
	assert_int_equal(xsk_mem_adopt(fd, FRAMES, SIZE, &kept, &m), -EINVAL);
	assert_int_equal(ftruncate(fd, FRAMES * SIZE - 4096), 0);
	assert_int_equal(xsk_mem_adopt(fd, FRAMES, SIZE, &kept, &m), -EINVAL);
	assert_int_equal(ftruncate(fd, FRAMES * SIZE), 0);
	assert_int_equal(xsk_mem_adopt(fd, FRAMES, 4096, &kept, &m), -EINVAL);
	assert_int_equal(xsk_mem_adopt(fd, 0, SIZE, &kept, &m), -EINVAL);
	k.owner[5] = FRAME_SENT(7); /* no such queue */
	assert_int_equal(xsk_mem_adopt(fd, FRAMES, SIZE, &kept, &m), -EUCLEAN);
	k.owner[5] = FRAME_POSTED(XSK_SLOTS);
	assert_int_equal(xsk_mem_adopt(fd, FRAMES, SIZE, &kept, &m), -EUCLEAN);
	assert_null(m);
	k.owner[5] = FRAME_RECEIVED(7); /* held, wherever it came from */
	assert_int_equal(xsk_mem_adopt(fd, FRAMES, SIZE, &kept, &m), 0);
	assert_false(xsk_mem_pending(m, FRAMES));
	assert_false(xsk_mem_pending(m, 4));
	assert_true(xsk_mem_pending(m, 5));
	assert_false(xsk_mem_pending(m, 5)); /* once is enough */
	assert_int_equal(xsk_mem_settle(m), 0);
	assert_int_equal(m->ndepot, FRAMES - 1);
	xsk_mem_populate(m);
	m->base[m->size - 1] = 1;
	xsk_mem_destroy(m);
}

/* Queues whose descriptors were lost: their frames come back later. */
static void test_orphans(void **state)
{
	static struct lab l;
	struct xsk_kept kept;
	struct xsk_mem *m;

	(void)state;
	lab_open(&l);
	kill_worker(&l);
	kept = kept_of(l.kept);
	assert_int_equal(xsk_mem_adopt(dup(l.fd[FD_MEM]), FRAMES, SIZE, &kept, &m), 0);
	assert_in_range(xsk_mem_settle(m), 0, 2);
	assert_int_equal(m->ndepot, FRAMES - PORTS * RING);
	assert_int_equal(xsk_mem_orphans(m), PORTS * RING);
	assert_int_equal(m->ndepot, FRAMES);
	assert_int_equal(xsk_port_kept(m, (int)if_nametoindex(port_name[0])), 0);
	xsk_mem_destroy(m);
	lab_close(&l, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_memory), cmocka_unit_test(test_killed_under_load),
		cmocka_unit_test(test_other_socket), cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_orphans),
	};

	if (!make_net()) {
		printf("no network namespaces here\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
