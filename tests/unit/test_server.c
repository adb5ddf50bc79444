/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket as clients see it, those that behave and those that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "router/ctl/peer.h"
#include "tests/unit/control.h"

static unsigned child_fds(void)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", env.pid);
	d = opendir(path);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static long child_rss_kib(void)
{
	char path[64];
	long size, rss;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", env.pid);
	f = fopen(path, "r");
	assert_int_equal(fscanf(f, "%ld %ld", &size, &rss), 2);
	fclose(f);
	return rss * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- a client by hand */
static int dial(const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = 20 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", env.dir, name);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void ask(int fd, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* Lines until one that ends an answer, or the end of the connection. */
static const char *answer(int fd)
{
	static char buf[65536];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(buf) - 1) {
		n = recv(fd, buf + len, 1, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
		buf[len] = '\0';
		if (buf[len - 1] == '\n' && strstr(buf, "{\"end\":"))
			break;
	}
	buf[len] = '\0';
	return buf;
}

static const char *line(int fd)
{
	static char buf[4096];
	size_t len = 0;

	do
		assert_int_equal(recv(fd, buf + len, 1, 0), 1);
	while (buf[len] != '\n' && ++len < sizeof(buf) - 1);
	buf[len] = '\0';
	return buf;
}

static void assert_alive(void)
{
	int fd = dial("router.sock");

	ask(fd, "{\"words\":[\"say\"]}\n");
	assert_non_null(strstr(answer(fd), "{\"end\":0}"));
	close(fd);
}

static void test_wire_format(void **state)
{
	int fd = dial("router.sock");

	(void)state;
	ask(fd, "{\"words\":[\"show\",\"rows\",\"2\"],\"statistics\":false}\n");
	assert_string_equal(
		answer(fd),
		"{\"columns\":[{\"key\":\"name\",\"title\":\"name\",\"kind\":\"text\"},"
		"{\"key\":\"n\",\"title\":\"packets\",\"kind\":\"number\"},"
		"{\"key\":\"bytes\",\"title\":null,\"kind\":\"bytes\"},"
		"{\"key\":\"even\",\"title\":\"even\",\"kind\":\"bool\"},"
		"{\"key\":\"nested\",\"title\":\"nested\",\"kind\":\"json\"},"
		"{\"key\":\"hidden\",\"title\":null,\"kind\":\"text\"}],\"single\":false,"
		"\"endless\":false}\n"
		"{\"row\":{\"name\":\"row0\",\"n\":0,\"bytes\":0,\"even\":true,\"nested\":null,"
		"\"hidden\":null}}\n"
		"{\"row\":{\"name\":\"row1\",\"n\":1000,\"bytes\":123456,\"even\":false,\"nested\":"
		"{\"json\":[{\"x\":1}],\"text\":\"x 1\"},\"hidden\":null}}\n"
		"{\"end\":0}\n");
	close(fd);
}

static void test_many_requests_on_a_connection(void **state)
{
	int fd = dial("router.sock");

	(void)state;
	ask(fd,
	    "{\"words\":[\"refuse\"]}\n{\"words\":[\"refuse\",\"x\"]}\n{\"words\":[\"shwo\"]}\n");
	assert_string_equal(strchr(answer(fd), '\n'),
			    "\n{\"end\":1,\"error\":\"Device or resource busy\"}\n");
	assert_string_equal(strchr(answer(fd), '\n'),
			    "\n{\"end\":1,\"error\":\"no such thing: x\"}\n");
	assert_string_equal(
		answer(fd),
		"{\"end\":2,\"error\":\"\\\"shwo\\\" is unknown; did you mean \\\"show\\\"?\"}\n");
	/* what was sent is answered in full, though nothing more is coming */
	ask(fd, "{\"words\":[\"show\",\"rows\",\"200\"]}\n{\"words\":[\"say\"]}\n");
	shutdown(fd, SHUT_WR);
	assert_non_null(strstr(answer(fd), "row199"));
	assert_non_null(strstr(answer(fd), "second line"));
	assert_string_equal(answer(fd), "");
	close(fd);
}

static void test_garbage(void **state)
{
	static const char *const bad[] = {
		"\n",
		"x\n",
		"[]\n",
		"{}\n",
		"{\"words\":3}\n",
		"{\"words\":[3]}\n",
		"{\"words\":[\"say\"],\"words\":[\"say\"]}\n",
		"\xff\xfe\n",
		"{\"words\":[\"\\u0000\"]}\n",
		"{\"complete\":{}}\n",
		"{\"words\":[]}\n",
		"{\"words\":[\"\"]}\n",
	};
	int fd = dial("router.sock");

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ask(fd, bad[i]);
		assert_memory_equal(answer(fd), "{\"end\":2,\"error\":", 17);
	}
	close(fd);
}

static void test_request_too_long(void **state)
{
	static char line[70000];
	int fd = dial("router.sock");

	(void)state;
	memset(line, ' ', sizeof(line));
	send(fd, line, sizeof(line), MSG_NOSIGNAL);
	assert_string_equal(answer(fd),
			    "{\"end\":2,\"error\":\"the request is longer than 64 KiB\"}\n");
	assert_string_equal(answer(fd), "");
	close(fd);
}

static void test_half_a_request_costs_nothing(void **state)
{
	int half = dial("router.sock");

	(void)state;
	ask(half, "{\"words\":[\"sa");
	assert_alive();
	ask(half, "y\"]}\n");
	assert_non_null(strstr(answer(half), "{\"end\":0}"));
	ask(half, "{\"wor");
	close(half);
	assert_alive();
}

static void test_read_only_peers(void **state)
{
	int fd = dial("stats.sock");

	(void)state;
	ask(fd, "{\"words\":[\"say\"]}\n{\"words\":[\"change\"]}\n");
	assert_non_null(strstr(answer(fd), "admin 0"));
	assert_memory_equal(answer(fd), "{\"end\":1,", 9);
	close(fd);
	fd = dial("router.sock");
	ask(fd, "{\"words\":[\"change\"]}\n");
	assert_non_null(strstr(answer(fd), "admin 1"));
	close(fd);
}

/* What the kernel recorded of a peer without privileges, with or without the socket's group. */
static char ask_as_nobody(gid_t group)
{
	int result[2], status;
	char admin = '?';
	pid_t pid;

	assert_int_equal(pipe(result), 0);
	pid = fork();
	if (pid == 0) {
		const char *all;
		int fd;

		if (setgroups(1, &group) || setresgid(65534, 65534, 65534) ||
		    setresuid(65534, 65534, 65534))
			_exit(1);
		fd = dial("group.sock");
		ask(fd, "{\"words\":[\"say\"]}\n");
		all = strstr(answer(fd), "admin ");
		_exit(write(result[1], all ? all + 6 : "?", 1) != 1);
	}
	close(result[1]);
	if (read(result[0], &admin, 1) != 1)
		admin = '!';
	close(result[0]);
	waitpid(pid, &status, 0);
	return admin;
}

static void test_group_members_are_admins(void **state)
{
	const struct group *g = getgrnam(GROUP);

	(void)state;
	if (geteuid() != 0 || !g)
		skip();
	assert_int_equal(ask_as_nobody(g->gr_gid), '1');
	assert_int_equal(ask_as_nobody(65533), '0');
}

static void test_who_is_stuck(void **state)
{
	const uint64_t s = NSEC_PER_SEC;
	struct peer half = { .state = PEER_READING, .in_len = 3, .since = s };
	struct peer unread = { .state = PEER_RUNNING, .out = { .len = 1 }, .since = s };
	struct peer full = { .state = PEER_RUNNING, .since = s }; /* the kernel has it all */
	struct peer quiet = { .state = PEER_READING, .since = s };
	struct peer waiting = { .state = PEER_DEFERRED, .in_len = 3, .since = s };

	(void)state;
	assert_false(peer_is_stuck(&half, 61 * s));
	assert_true(peer_is_stuck(&half, 62 * s));
	assert_true(peer_is_stuck(&unread, 62 * s));
	assert_true(peer_is_stuck(&full, 62 * s));
	assert_false(peer_is_stuck(&quiet, 1000 * s));
	assert_false(peer_is_stuck(&waiting, 1000 * s));
}

static void test_answer_that_comes_later(void **state)
{
	int fd = dial("router.sock"), gone = dial("router.sock");

	(void)state;
	ask(gone, "{\"words\":[\"later\"]}\n");
	ask(fd, "{\"words\":[\"later\"]}\n{\"words\":[\"later\",\"--badly\"]}\n");
	assert_alive();
	close(gone);
	assert_string_equal(strchr(answer(fd), '\n'),
			    "\n{\"message\":\"it went well\"}\n{\"end\":0}\n");
	assert_string_equal(strchr(answer(fd), '\n'),
			    "\n{\"end\":1,\"error\":\"it went wrong\"}\n");
	ask(fd,
	    "{\"words\":[\"later\",\"--now\"]}\n{\"words\":[\"later\",\"--now\",\"--badly\"]}\n");
	assert_string_equal(strchr(answer(fd), '\n'), "\n{\"message\":\"at once\"}\n{\"end\":0}\n");
	assert_string_equal(strchr(answer(fd), '\n'), "\n{\"end\":1,\"error\":\"at once\"}\n");
	close(fd);
}

static void test_endless_command(void **state)
{
	int fd = dial("router.sock");
	const char *all;

	(void)state;
	ask(fd, "{\"words\":[\"watch\"]}\n");
	while (!strstr(line(fd), "event 2")) /* a few tenths of a second, not a flood */
		;
	shutdown(fd, SHUT_WR);
	all = answer(fd);
	assert_null(strstr(all, "event 20"));
	assert_non_null(strstr(all, "{\"message\":\"0 events lost\"}\n{\"end\":0}\n"));
	close(fd);
}

/* Who does not read stops only himself, and the memory of the server stays what it was. */
static void test_slow_reader(void **state)
{
	int slow[20];
	long before;

	(void)state;
	assert_alive();
	before = child_rss_kib();
	for (int i = 0; i < 20; i++) {
		slow[i] = dial("router.sock");
		ask(slow[i], "{\"words\":[\"show\",\"rows\",\"1000000\"]}\n");
	}
	usleep(300000);
	assert_alive();
#ifndef __SANITIZE_ADDRESS__
	assert_true(child_rss_kib() - before < 20 * 100);
#endif
	(void)before;
	for (int i = 0; i < 20; i++)
		close(slow[i]);
	assert_alive();
}

static void test_million_rows(void **state)
{
	static char buf[1 << 16];
	int fd = dial("router.sock");
	long before, most = 0;
	unsigned lines = 0;
	unsigned turns = 0;
	bool over = false;

	(void)state;
	assert_alive();
	before = child_rss_kib();
	ask(fd, "{\"words\":[\"show\",\"rows\",\"1000000\"]}\n");
	while (!over) {
		ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

		assert_true(n > 0);
		buf[n] = '\0';
		for (char *p = buf; (p = strchr(p, '\n')); p++)
			lines++;
		over = strstr(buf, "{\"end\":0}");
		if (turns++ % 64)
			continue;
		most = child_rss_kib() > most ? child_rss_kib() : most;
		if (turns % 1024 == 1)
			assert_alive();
	}
	assert_int_equal(lines, 1000000 + 2);
#ifndef __SANITIZE_ADDRESS__
	assert_true(most - before < 1024);
#endif
	(void)before;
	close(fd);
}

/* The 1024 that are let in are the ones that do something, or came last; nobody costs a descriptor.
 */
static void test_two_thousand_connections(void **state)
{
	static int fd[2000];
	unsigned before = child_fds();
	char x;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		fd[i] = dial("router.sock");
		if (i == 0)
			ask(fd[0], "{\"words\":[\"watch\"]}\n");
		if (i == 0)
			assert_int_equal(recv(fd[0], &x, 1, MSG_PEEK), 1);
	}
	assert_alive();
	assert_true(child_fds() <= before + 1024);
	assert_int_equal(recv(fd[1], &x, 1, 0), 0); /* idle longest: closed */
	assert_int_equal(recv(fd[0], &x, 1, MSG_DONTWAIT), 1);
	ask(fd[1999], "{\"words\":[\"say\"]}\n");
	assert_non_null(strstr(answer(fd[1999]), "{\"end\":0}"));
	for (int i = 0; i < 2000; i++)
		close(fd[i]);
	assert_alive();
	for (int i = 0; i < 100 && child_fds() > before; i++)
		usleep(50000);
	assert_true(child_fds() <= before);
}

/* Takes what came: so far, it owes nothing. */
static void read_all(int fd)
{
	char buf[4096];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
	}
}

/* Readers that keep a command running cannot lock out who may change things. */
static void test_readers_leave_room(void **state)
{
	static int fd[1100];
	char x;

	(void)state;
	for (int i = 0; i < 1100; i++) {
		fd[i] = dial("stats.sock");
		send(fd[i], "{\"words\":[\"watch\"]}\n", 20, MSG_NOSIGNAL);
		assert_int_equal(recv(fd[i], &x, 1, MSG_PEEK), 1);
		for (int k = 0; i == 1098 && k < i; k++)
			read_all(fd[k]);
	}
	assert_non_null(strstr(answer(fd[1099]), "too many connections"));
	assert_alive();
	for (int i = 0; i < 1100; i++)
		close(fd[i]);
	assert_alive();
}

static bool is_closed(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
	}
	return n == 0 || errno == ECONNRESET;
}

/* All places taken by admins whose command goes on: those who do not read make room. */
static void test_who_reads_nothing_makes_room(void **state)
{
	static int fd[1024];
	bool answered = false;

	(void)state;
	for (int i = 0; i < 1024; i++) {
		char x;

		fd[i] = dial("router.sock");
		ask(fd[i], "{\"words\":[\"show\",\"rows\",\"1000000\"]}\n");
		assert_int_equal(recv(fd[i], &x, 1, MSG_PEEK), 1);
	}
	for (int tries = 0; tries < 100 && !answered; tries++) {
		int late = dial("router.sock");

		send(late, "{\"words\":[\"say\"]}\n", 18, MSG_NOSIGNAL);
		answered = strstr(answer(late), "{\"end\":0}");
		close(late);
		usleep(100000);
	}
	assert_true(answered);
	for (int i = 0; i < 1024; i++)
		close(fd[i]);
	assert_alive();
}

/* Requests that never end hold 64 KiB each, and all together no more than so much. */
static void test_memory_of_half_requests(void **state)
{
	static char blanks[PEER_REQUEST_MAX - 1];
	static int fd[700];
	unsigned closed = 0;

	(void)state;
	memset(blanks, ' ', sizeof(blanks));
	for (int i = 0; i < 700; i++) {
		fd[i] = dial("stats.sock");
		send(fd[i], blanks, sizeof(blanks), MSG_NOSIGNAL);
	}
	for (int tries = 0; tries < 100 && closed < 700 - (16 << 20) / PEER_REQUEST_MAX; tries++) {
		usleep(50000);
		closed = 0;
		for (int i = 0; i < 700; i++)
			closed += is_closed(fd[i]);
	}
	assert_in_range(closed, 700 - (16 << 20) / PEER_REQUEST_MAX, 699);
	assert_alive();
	for (int i = 0; i < 700; i++)
		close(fd[i]);
	assert_alive();
}

/* A thousand dumps under way, and an admin is answered as soon as anybody. */
static void test_admins_do_not_queue_behind_readers(void **state)
{
	static int fd[700];
	uint64_t worst = 0;

	(void)state;
	for (int i = 0; i < 700; i++) {
		fd[i] = dial("stats.sock");
		ask(fd[i], "{\"words\":[\"show\",\"rows\",\"1000000\"]}\n");
	}
	for (int k = 0; k < 10; k++) {
		uint64_t start = clock_now();

		assert_alive();
		worst = clock_now() - start > worst ? clock_now() - start : worst;
		for (int i = 0; i < 700; i++)
			read_all(fd[i]);
	}
	assert_in_range(worst, 0, NSEC_PER_SEC);
	for (int i = 0; i < 700; i++)
		close(fd[i]);
	assert_alive();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire_format),
		cmocka_unit_test(test_many_requests_on_a_connection),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_request_too_long),
		cmocka_unit_test(test_half_a_request_costs_nothing),
		cmocka_unit_test(test_read_only_peers),
		cmocka_unit_test(test_group_members_are_admins),
		cmocka_unit_test(test_who_is_stuck),
		cmocka_unit_test(test_answer_that_comes_later),
		cmocka_unit_test(test_endless_command),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_million_rows),
		cmocka_unit_test(test_two_thousand_connections),
		cmocka_unit_test(test_readers_leave_room),
		cmocka_unit_test(test_who_reads_nothing_makes_room),
		cmocka_unit_test(test_memory_of_half_requests),
		cmocka_unit_test(test_admins_do_not_queue_behind_readers),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
