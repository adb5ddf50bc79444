// SPDX-License-Identifier: GPL-2.0-or-later
/* Packets through the XDP program on a real device (tests/unit/steer_lab.h): to Linux without a
 * loss while the program comes, changes and goes; to an AF_XDP socket; and to nobody. */
#include <fcntl.h>
#include <sys/mman.h>

#include <linux/if_link.h>
#include <xdp/xsk.h>

#include "tests/unit/steer_lab.h"

#define FRAMES	   64
#define FRAME_SIZE 4096

static pid_t ping_start(const char *dst, int count, const char *interval, int *out)
{
	char target[64], n[16];
	int fds[2];
	pid_t pid;

	snprintf(target, sizeof(target), "%d", peer);
	snprintf(n, sizeof(n), "%d", count);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		execlp("nsenter", "nsenter", "-t", target, "-n", "ping", "-q", "-i", interval, "-W",
		       "1", "-c", n, dst, NULL);
		_exit(127);
	}
	close(fds[1]);
	*out = fds[0];
	return pid;
}

/* The number of answers. */
static int ping_wait(pid_t pid, int out)
{
	char text[1024] = "", *at;
	FILE *f = fdopen(out, "r");
	size_t n = fread(text, 1, sizeof(text) - 1, f);

	fclose(f);
	waitpid(pid, NULL, 0);
	text[n] = '\0';
	at = strstr(text, "transmitted, ");
	if (!at)
		fail_msg("ping said: %s", text);
	return atoi(at + strlen("transmitted, "));
}

static int ping(const char *dst, int count)
{
	int out;
	pid_t pid = ping_start(dst, count, "0.002", &out);

	return ping_wait(pid, out);
}

static void add_local(struct steer *s)
{
	struct addr a = { .family = AF_INET };

	memcpy(a.bytes, (uint8_t[]){ 10, 9, 0, 1 }, 4);
	assert_int_equal(steer_local_replace(s, &a, 1), 0);
}

/* F16: a local address answers all the time, whatever is done to the program. */
static void test_ping_loses_nothing(void **state)
{
	struct steer *s = open_steer();
	struct steer_port *p;
	int out;
	pid_t pid;

	(void)state;
	add_local(s);
	assert_int_equal(ping("10.9.0.1", 3), 3); /* resolves the neighbour */
	pid = ping_start("10.9.0.1", 500, "0.002", &out);
	usleep(100000);
	p = attach(s, "port");
	for (int i = 0; i < 20; i++) {
		struct steer_port *next = attach(s, "port"); /* takes the link over */

		steer_port_destroy(p, false);
		p = next;
		usleep(20000);
	}
	steer_port_destroy(p, true);
	usleep(50000);
	p = attach(s, "port");
	assert_int_equal(ping_wait(pid, out), 500);
	steer_port_destroy(p, true);
	steer_destroy(s, true);
}

static void test_no_socket_drops_or_passes(void **state)
{
	struct steer *s = open_steer();
	struct steer_port_config c = config_of("port");
	struct steer_port *p = attach(s, "port");
	uint64_t n[STEER__COUNT];

	(void)state;
	add_local(s);
	assert_int_equal(ping("10.9.0.1", 10), 10);
	assert_int_equal(ping("192.0.2.1", 10), 0);
	steer_port_counters(p, n);
	assert_int_equal(n[STEER_NO_SOCKET], 10);
	assert_int_equal(n[STEER_SOCKET], 0);
	assert_true(n[STEER_PASS_LOCAL] >= 10);
	steer_port_destroy(p, false);

	c.fail_pass = true;
	p = open_port(s, &c);
	assert_int_equal(steer_port_attach(p, why), 0);
	assert_int_equal(ping("192.0.2.1", 10), 10); /* Linux has this address, we were not told */
	steer_port_counters(p, n);
	assert_int_equal(n[STEER_NO_SOCKET] + n[STEER_PASS_STALE], 10);
	steer_port_destroy(p, true);
	steer_destroy(s, true);
}

/* ---- with a socket ---- */

struct listener {
	void *area;
	struct xsk_ring_prod fill;
	struct xsk_ring_cons comp, rx;
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
};

static void listen_on_port(struct listener *l, struct steer_port *p)
{
	const struct xsk_socket_config sc = { .rx_size = FRAMES,
					      .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
					      .xdp_flags = XDP_FLAGS_DRV_MODE,
					      .bind_flags = XDP_COPY };
	uint32_t at = 0;
	int err, tries = 200;

	*l = (struct listener){ .area = mmap(NULL, FRAMES * FRAME_SIZE, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) };
	assert_int_equal(
		xsk_umem__create(&l->umem, l->area, FRAMES * FRAME_SIZE, &l->fill, &l->comp, NULL),
		0);
	/* the kernel closes the socket of the test before this one when it finds time */
	do
		err = xsk_socket__create(&l->xsk, "port", 0, l->umem, &l->rx, NULL, &sc);
	while (err == -EBUSY && tries-- && !usleep(10000));
	assert_int_equal(err, 0);
	assert_int_equal(xsk_ring_prod__reserve(&l->fill, FRAMES, &at), FRAMES);
	for (uint32_t i = 0; i < FRAMES; i++)
		*xsk_ring_prod__fill_addr(&l->fill, at + i) = i * FRAME_SIZE;
	xsk_ring_prod__submit(&l->fill, FRAMES);
	assert_int_equal(steer_port_socket(p, 0, xsk_socket__fd(l->xsk)), 0);
}

static unsigned received(struct listener *l)
{
	uint32_t at = 0;
	unsigned n = xsk_ring_cons__peek(&l->rx, FRAMES, &at);

	xsk_ring_cons__release(&l->rx, n);
	return n;
}

static void listen_end(struct listener *l)
{
	xsk_socket__delete(l->xsk);
	xsk_umem__delete(l->umem);
	munmap(l->area, FRAMES * FRAME_SIZE);
}

static void test_frames_reach_the_socket(void **state)
{
	struct steer *s = open_steer();
	struct steer_port_config c = config_of("port");
	struct steer_port *p = open_port(s, &c);
	uint64_t n[STEER__COUNT];
	struct listener l;

	(void)state;
	add_local(s);
	listen_on_port(&l, p);
	if (steer_port_attach(p, why))
		fail_msg("%s", why);
	assert_int_equal(ping("192.0.2.1", 10), 0);
	assert_int_equal(ping("10.9.0.1", 10), 10);
	steer_port_counters(p, n);
	assert_int_equal(n[STEER_SOCKET], 10);
	assert_int_equal(n[STEER_NO_SOCKET], 0);
	assert_int_equal(received(&l), 10);
	steer_port_destroy(p, true);
	steer_destroy(s, true);
	listen_end(&l);
}

/* Writes a frame of len bytes out of the peer's end of the cable. */
static void send_from_peer(const uint8_t dst[6], unsigned proto, unsigned len)
{
	char hex[13];

	for (int i = 0; i < 6; i++)
		snprintf(hex + 2 * i, 3, "%02x", dst[i]);
	SH("nsenter -t %d -n python3 -c 'import socket; s = socket.socket(socket.AF_PACKET, "
	   "socket.SOCK_RAW); s.bind((\"peer\", 0)); s.send(bytes.fromhex(\"%s020000000009%04x\") "
	   "+ "
	   "bytes(%u))'",
	   peer, hex, proto, len - 14);
}

/* So that Linux has nothing to ask at either end, and what comes is what the test sent. */
static void neighbours_for_good(void)
{
	SH("ip neigh replace 10.9.0.2 nud permanent dev port lladdr "
	   "$(nsenter -t %d -n ip -o link show peer | grep -o 'ether [0-9a-f:]*' | cut -d' ' -f2) "
	   "&& "
	   "nsenter -t %d -n ip neigh replace 10.9.0.1 nud permanent dev peer lladdr "
	   "$(ip -o link show port | grep -o 'ether [0-9a-f:]*' | cut -d' ' -f2)",
	   peer, peer);
}

static bool is_promiscuous(void)
{
	return !sh("ip -d link show port | grep -q 'promiscuity 1'");
}

/* What a cross-connect is for: ARP and LLDP, frames for others, and runts. Linux hears of nothing
 * until the port is its own again; and all that without a moment without a program. */
static void test_whole_port(void **state)
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
	static const uint8_t lldp[6] = { 1, 0x80, 0xc2, 0, 0, 0x0e },
			     other[6] = { 2, 0, 0, 0, 0, 5 };
	struct steer *s = open_steer();
	struct steer_port_config c = config_of("port");
	struct steer_port *p = open_port(s, &c);
	uint64_t n[STEER__COUNT];
	struct listener l;
	uint32_t prog;

	(void)state;
	add_local(s);
	listen_on_port(&l, p);
	assert_int_equal(steer_port_attach(p, why), 0);
	prog = program_on("port");
	neighbours_for_good();
	assert_false(is_promiscuous());
	assert_int_equal(ping("10.9.0.1", 2), 2);
	assert_int_equal(received(&l), 0);

	assert_int_equal(steer_port_whole(p, true), 0);
	assert_true(is_promiscuous());
	assert_int_equal(ping("10.9.0.1", 2), 0);
	send_from_peer(all, 0x0806, 42);
	send_from_peer(lldp, 0x88cc, 60);
	send_from_peer(other, 0x0800, 60);
	send_from_peer(c.mac, 0x1234, 14); /* not a byte behind its header */
	assert_int_equal(received(&l), 6);
	steer_port_counters(p, n);
	assert_int_equal(n[STEER_WHOLE], 6);

	assert_int_equal(steer_port_whole(p, false), 0);
	assert_false(is_promiscuous());
	assert_int_equal(ping("10.9.0.1", 2), 2);
	assert_int_equal(received(&l), 0);
	assert_int_equal(program_on("port"), prog);

	assert_int_equal(steer_port_whole(p, true), 0);
	steer_port_destroy(p, true); /* as a port closes */
	assert_false(is_promiscuous());
	assert_int_equal(ping("10.9.0.1", 2), 2);
	steer_destroy(s, true);
	listen_end(&l);
}

/* A process that dies leaves its program and a promiscuous device; its successor's port is neither
 * before it says so, and who only takes the pins away leaves nothing, too. */
static void die_whole(void)
{
	struct steer_port *p;
	int status;
	pid_t pid = fork();

	if (!pid) {
		p = attach(open_steer(), "port");
		_exit(steer_port_whole(p, true) || !is_promiscuous());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_not_equal(program_on("port"), 0);
	assert_true(is_promiscuous());
	assert_int_equal(ping("10.9.0.1", 2), 0); /* nobody's, and the fallback says drop */
}

static void test_whole_ends_with_the_process(void **state)
{
	struct steer *s;
	struct steer_port *p;

	(void)state;
	die_whole();
	s = open_steer();
	add_local(s);
	p = attach(s, "port");
	assert_false(is_promiscuous());
	assert_int_equal(ping("10.9.0.1", 2), 2);
	steer_port_destroy(p, true);
	steer_destroy(s, true);

	die_whole();
	s = open_steer();
	assert_int_equal(steer_prune(s, NULL, NULL), 1);
	assert_false(is_promiscuous());
	assert_int_equal(ping("10.9.0.1", 2), 2);
	steer_destroy(s, true);
}

static void test_whole_of_no_device(void **state)
{
	struct steer *s = open_steer();
	struct steer_port_config c = config_of("port");
	struct steer_port *p;

	(void)state;
	c.ifindex = 9999;
	p = open_port(s, &c);
	assert_int_equal(steer_port_whole(p, true), -ENODEV);
	assert_int_equal(steer_port_whole(p, false), 0);
	steer_port_destroy(p, true);
	steer_destroy(s, true);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, clean)
	const struct CMUnitTest tests[] = {
		TEST(test_ping_loses_nothing),		TEST(test_no_socket_drops_or_passes),
		TEST(test_frames_reach_the_socket),	TEST(test_whole_port),
		TEST(test_whole_ends_with_the_process), TEST(test_whole_of_no_device),
	};
	int failed;

	if (start_lab()) {
		fprintf(stderr, "no namespaces with veth and bpffs here: %s\n", strerror(errno));
		stop_lab();
		return 77;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	stop_lab();
	return failed;
}
