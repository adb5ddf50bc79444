// SPDX-License-Identifier: GPL-2.0-or-later
/* Ports that Linux uses, against the kernel in a network namespace of the test's own: sockets of
 * every kind are found, and what is reserved for NAT comes and goes again. F16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "router/ctl/kernel_ports.h"

static struct kernel_ports k;
static char why[KERNEL_PORTS_WHY];
static bool may_unshare;

static int namespace_new(void **state)
{
	(void)state;
	memset(&k, 0, sizeof(k));
	may_unshare = unshare(CLONE_NEWNET) == 0;
	if (may_unshare && system("ip link set lo up; ip address add 192.0.2.1/32 dev lo; "
				  "ip address add 2001:db8::1/128 dev lo nodad"))
		return -1;
	return 0;
}

static int namespace_end(void **state)
{
	(void)state;
	kernel_ports_free(&k);
	return 0;
}

static void need_namespace(void)
{
	if (!may_unshare) {
		print_message("no network namespace\n");
		skip();
	}
}

static struct addr addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct sockaddr_in6 sockaddr(const char *text, uint16_t port, socklen_t *len)
{
	struct addr a = addr(text);
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in *to4 = (void *)&to;

	*len = a.family == AF_INET ? sizeof(*to4) : sizeof(to);
	if (a.family == AF_INET)
		*to4 = (struct sockaddr_in){ .sin_family = AF_INET,
					     .sin_port = htons(port),
					     .sin_addr.s_addr = a.v4 };
	else
		to.sin6_addr = a.v6;
	return to;
}

static int bound(int type, const char *text, uint16_t port)
{
	socklen_t len;
	struct sockaddr_in6 to = sockaddr(text, port, &len);
	int fd = socket(strchr(text, ':') ? AF_INET6 : AF_INET, type, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (void *)&to, len), 0);
	return fd;
}

static int listening(const char *text, uint16_t port)
{
	int fd = bound(SOCK_STREAM, text, port);

	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 me;
	socklen_t len = sizeof(me);

	assert_int_equal(getsockname(fd, (void *)&me, &len), 0);
	return ntohs(me.sin6_port);
}

static int connected(const char *text, uint16_t port)
{
	socklen_t len;
	struct sockaddr_in6 to = sockaddr(text, port, &len);
	int fd = socket(to.sin6_family, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (void *)&to, len), 0);
	return fd;
}

static void read_ports(void)
{
	kernel_ports_free(&k);
	if (kernel_ports_read(&k, why))
		fail_msg("%s", why);
}

static bool is_blocked(const char *text, enum natport_plane plane, uint16_t port)
{
	struct addr a = addr(text);
	struct port_set s;

	kernel_ports_blocked(&k, &a, plane, &s);
	return port_set_has(&s, port);
}

static unsigned blocked(const char *text, enum natport_plane plane)
{
	struct addr a = addr(text);
	struct port_set s;

	kernel_ports_blocked(&k, &a, plane, &s);
	return port_set_count(&s);
}

static void setting(const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void reserved_is(const char *want)
{
	char text[4096] = "";
	int fd = open("/proc/sys/net/ipv4/ip_local_reserved_ports", O_RDONLY);

	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	text[strcspn(text, "\n")] = '\0';
	assert_string_equal(text, want);
}

/* ---- sets */

static void test_text_of_sets(void **state)
{
	static const char *const same[] = {
		"", "0", "80", "65535", "1-2", "0-65535", "22,80,8000-8010", "63-64,127-128,130"
	};
	static const char *const wrong[] = { "x",    "-1",    "1-", "2-1", "65536",
					     "1,,2", "1-2-3", " 1", "1 2", "99999999999999999999" };
	struct port_set s;
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_int_equal(port_set_parse(same[i], &s), 0);
		assert_int_equal(port_set_format(&s, text, sizeof(text)), strlen(same[i]));
		assert_string_equal(text, same[i]);
	}
	assert_int_equal(port_set_parse("80,79\n", &s), 0);
	assert_int_equal(port_set_count(&s), 2);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (port_set_parse(wrong[i], &s) != -EINVAL)
			fail_msg("took \"%s\"", wrong[i]);
	assert_int_equal(port_set_count(&s), 2);		/* untouched */
	assert_int_equal(port_set_format(&s, text, 5), -E2BIG); /* "79-80" and its end */
	assert_int_equal(port_set_format(&s, text, 6), 5);
	assert_int_equal(port_set_format(&s, text, 0), -E2BIG);
}

/* ---- sockets */

static void test_sockets_of_every_kind(void **state)
{
	(void)state;
	need_namespace();
	setting("ip_local_port_range", "60000 60999");
	read_ports();
	assert_int_equal(blocked("192.0.2.1", NATPORT_TCP), 1000); /* nothing but the range */
	assert_int_equal(blocked("192.0.2.1", NATPORT_ICMP), 0);

	int fds[] = {
		listening("0.0.0.0", 80),
		bound(SOCK_DGRAM, "0.0.0.0", 53),
		listening("192.0.2.1", 81),
		bound(SOCK_DGRAM, "192.0.2.1", 54),
		listening("2001:db8::1", 82),
		bound(SOCK_DGRAM, "::", 55),
		bound(SOCK_DGRAM, "2001:db8::1", 56),
		bound(SOCK_DGRAM, "::ffff:192.0.2.1", 57),
	};

	read_ports();
	assert_true(is_blocked("192.0.2.1", NATPORT_TCP, 80));
	assert_true(is_blocked("2001:db8::1", NATPORT_TCP, 80));
	assert_false(is_blocked("192.0.2.1", NATPORT_UDP, 80));
	assert_true(is_blocked("192.0.2.1", NATPORT_UDP, 53));
	assert_false(is_blocked("192.0.2.1", NATPORT_TCP, 53));
	assert_true(is_blocked("192.0.2.1", NATPORT_TCP, 81));
	assert_false(is_blocked("192.0.2.2", NATPORT_TCP, 81));
	assert_true(is_blocked("192.0.2.1", NATPORT_UDP, 54));
	assert_true(is_blocked("2001:db8::1", NATPORT_TCP, 82));
	assert_false(is_blocked("192.0.2.1", NATPORT_TCP, 82));
	assert_true(is_blocked("192.0.2.1", NATPORT_UDP, 55)); /* :: takes IPv4 too */
	assert_true(is_blocked("2001:db8::1", NATPORT_UDP, 56));
	assert_true(is_blocked("192.0.2.1", NATPORT_UDP, 57)); /* mapped */
	assert_int_equal(blocked("192.0.2.1", NATPORT_TCP), 1000 + 2);
	assert_int_equal(blocked("192.0.2.1", NATPORT_UDP), 1000 + 4);
	assert_int_equal(blocked("2001:db8::1", NATPORT_UDP), 1000 + 3);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	read_ports();
	assert_int_equal(blocked("192.0.2.1", NATPORT_UDP), 1000);
	assert_int_equal(k.nown, 0);
}

/* Both ends of a connection hold a port, also when they have closed and time passes. */
static void test_connections(void **state)
{
	int lfd, cfd, sfd;
	uint16_t port;

	(void)state;
	need_namespace();
	lfd = listening("192.0.2.1", 8080);
	setting("ip_local_port_range", "60000 60999");
	cfd = connected("192.0.2.1", 8080);
	sfd = accept(lfd, NULL, NULL);
	port = port_of(cfd);
	setting("ip_local_port_range", "61000 61999"); /* so that it blocks by itself */
	close(lfd);
	read_ports();
	assert_true(is_blocked("192.0.2.1", NATPORT_TCP, 8080));
	assert_true(is_blocked("192.0.2.1", NATPORT_TCP, port));
	close(cfd); /* closes first: TIME_WAIT is its */
	close(sfd);
	read_ports();
	assert_true(is_blocked("192.0.2.1", NATPORT_TCP, port));
}

static void test_many_connections_take_little(void **state)
{
	enum { MANY = 300 };
	int lfd, fds[2 * MANY];

	(void)state;
	need_namespace();
	lfd = bound(SOCK_STREAM, "2001:db8::1", 8080);
	assert_int_equal(listen(lfd, MANY), 0);
	for (int i = 0; i < MANY; i++) {
		fds[2 * i] = connected("2001:db8::1", 8080);
		fds[2 * i + 1] = accept(lfd, NULL, NULL);
	}
	read_ports();
	assert_int_equal(k.nown, MANY + 1); /* of the server's ends one is kept */
	for (int i = 0; i < MANY; i++)
		assert_true(is_blocked("2001:db8::1", NATPORT_TCP, port_of(fds[2 * i])));
	for (int i = 0; i < 2 * MANY; i++)
		close(fds[i]);
	close(lfd);
}

/* ---- reserving */

static void test_reserved_ports_are_free_for_nat(void **state)
{
	struct kernel_reserved r = {};
	struct port_set want = {};

	(void)state;
	need_namespace();
	setting("ip_local_port_range", "32768 60999");
	setting("ip_local_reserved_ports", "8080,40000-40010");
	read_ports();
	assert_false(is_blocked("192.0.2.1", NATPORT_TCP, 40000));
	assert_true(is_blocked("192.0.2.1", NATPORT_TCP, 40011));

	port_set_range(&want, 40005, 50000);
	assert_int_equal(kernel_ports_reserve(&r, &want, why), 0);
	reserved_is("8080,40000-50000");
	read_ports();
	assert_false(is_blocked("192.0.2.1", NATPORT_UDP, 50000));
	assert_true(is_blocked("192.0.2.1", NATPORT_UDP, 50001));

	int fd = bound(SOCK_DGRAM, "192.0.2.1", 45000); /* by name, it may */

	read_ports();
	assert_true(is_blocked("192.0.2.1", NATPORT_UDP, 45000));
	close(fd);
	for (int i = 0; i < 200; i++) {
		fd = bound(SOCK_DGRAM, "192.0.2.1", 0);
		assert_false(port_set_has(&want, port_of(fd)));
		close(fd);
	}
	assert_int_equal(kernel_ports_restore(&r), 0);
	reserved_is("8080,40000-40010");
	assert_int_equal(kernel_ports_restore(&r), 0);
	reserved_is("8080,40000-40010");
}

/* A reload asks for other ports; meanwhile somebody else has reserved some, too. */
static void test_reserving_anew(void **state)
{
	struct kernel_reserved r = {};
	struct port_set want = {};

	(void)state;
	need_namespace();
	setting("ip_local_port_range", "32768 60999");
	port_set_range(&want, 40000, 40100);
	assert_int_equal(kernel_ports_reserve(&r, &want, why), 0);
	setting("ip_local_reserved_ports", "9,40000-40100,50000");
	memset(&want, 0, sizeof(want));
	port_set_range(&want, 40050, 40200);
	assert_int_equal(kernel_ports_reserve(&r, &want, why), 0);
	reserved_is("9,40050-40200,50000");
	assert_int_equal(kernel_ports_restore(&r), 0);
	reserved_is("9,50000");
}

static void test_reserving_too_much(void **state)
{
	struct kernel_reserved r = {};
	struct port_set want = {};

	(void)state;
	need_namespace();
	setting("ip_local_port_range", "32768 60999");
	port_set_range(&want, 1024, 65535);
	assert_int_equal(kernel_ports_reserve(&r, &want, why), -ENOSPC);
	assert_non_null(strstr(why, "32768 to 60999"));
	reserved_is("");
	memset(&want, 0, sizeof(want));
	port_set_range(&want, 32768 + KERNEL_PORTS_LEFT, 65535);
	assert_int_equal(kernel_ports_reserve(&r, &want, why), 0);
	assert_int_equal(kernel_ports_restore(&r), 0);
	reserved_is("");
	for (unsigned port = 1; port < 4000; port += 2)
		port_set_range(&want, (uint16_t)port, (uint16_t)port);
	assert_int_equal(kernel_ports_reserve(&r, &want, why), -E2BIG);
	reserved_is("");
}

static void test_not_permitted(void **state)
{
	struct kernel_reserved r = {};
	struct port_set want = {};
	int status;
	pid_t pid;

	(void)state;
	need_namespace();
	port_set_range(&want, 40000, 40100);
	pid = fork();
	if (!pid) {
		int err;

		if (setuid(65534))
			_exit(1);
		err = kernel_ports_reserve(&r, &want, why);
		_exit((err == -EACCES || err == -EPERM) && strstr(why, "reserved_ports") ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	reserved_is("");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, namespace_new, namespace_end)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_of_sets),
		TEST(test_sockets_of_every_kind),
		TEST(test_connections),
		TEST(test_many_connections_take_little),
		TEST(test_reserved_ports_are_free_for_nat),
		TEST(test_reserving_anew),
		TEST(test_reserving_too_much),
		TEST(test_not_permitted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
