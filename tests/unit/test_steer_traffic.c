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
	assert_int_equal(n[STEER_NO_SOCKET], 10);
	steer_port_destroy(p, true);
	steer_destroy(s, true);
}

static void test_frames_reach_the_socket(void **state)
{
	const struct xsk_socket_config sc = { .rx_size = FRAMES,
					      .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
					      .xdp_flags = XDP_FLAGS_DRV_MODE,
					      .bind_flags = XDP_COPY };
	void *area = mmap(NULL, FRAMES * FRAME_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct steer *s = open_steer();
	struct steer_port_config c = config_of("port");
	struct steer_port *p = open_port(s, &c);
	struct xsk_ring_prod fill;
	struct xsk_ring_cons comp, rx;
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	uint64_t n[STEER__COUNT];
	uint32_t at = 0;

	(void)state;
	add_local(s);
	assert_int_equal(xsk_umem__create(&umem, area, FRAMES * FRAME_SIZE, &fill, &comp, NULL), 0);
	assert_int_equal(xsk_socket__create(&xsk, "port", 0, umem, &rx, NULL, &sc), 0);
	assert_int_equal(xsk_ring_prod__reserve(&fill, FRAMES, &at), FRAMES);
	for (uint32_t i = 0; i < FRAMES; i++)
		*xsk_ring_prod__fill_addr(&fill, at + i) = i * FRAME_SIZE;
	xsk_ring_prod__submit(&fill, FRAMES);
	assert_int_equal(steer_port_socket(p, 0, xsk_socket__fd(xsk)), 0);
	if (steer_port_attach(p, why))
		fail_msg("%s", why);
	assert_int_equal(ping("192.0.2.1", 10), 0);
	assert_int_equal(ping("10.9.0.1", 10), 10);
	steer_port_counters(p, n);
	assert_int_equal(n[STEER_SOCKET], 10);
	assert_int_equal(n[STEER_NO_SOCKET], 0);
	assert_int_equal(xsk_ring_cons__peek(&rx, FRAMES, &at), 10);
	steer_port_destroy(p, true);
	steer_destroy(s, true);
	xsk_socket__delete(xsk);
	xsk_umem__delete(umem);
	munmap(area, FRAMES * FRAME_SIZE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, clean)
	const struct CMUnitTest tests[] = {
		TEST(test_ping_loses_nothing),
		TEST(test_no_socket_drops_or_passes),
		TEST(test_frames_reach_the_socket),
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
