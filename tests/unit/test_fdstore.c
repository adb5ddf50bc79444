/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * systemd/fdstore.c between two processes: what the first one puts arrives at a datagram socket of
 * ours, in systemd's place, and is handed to the second one as systemd does it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "systemd/fdstore.h"

static int listener;

static int listen_as_systemd(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n;

	(void)state;
	n = snprintf(a.sun_path, sizeof(a.sun_path), "@router-test-fdstore-%d", getpid());
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	a.sun_path[0] = '\0';
	listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_not_equal(listener, -1);
	assert_int_equal(bind(listener, (struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)),
			 0);
	return 0;
}

static int close_listener(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	return close(listener);
}

/* The next message, with a descriptor or -1; "" when there is none. */
static const char *heard(int *fd)
{
	static char text[256];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec v = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(listener, &m, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	text[n > 0 ? n : 0] = '\0';
	*fd = -1;
	/* sd_notify(3) of some versions attaches credentials */
	for (; c; c = CMSG_NXTHDR(&m, (struct cmsghdr *)(uintptr_t)c))
		if (c->cmsg_type == SCM_RIGHTS)
			memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return text;
}

static void assert_heard(const char *want)
{
	int fd;

	assert_string_equal(heard(&fd), want);
	assert_int_equal(fd, -1);
}

static int memory(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static bool is_same(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static struct fdstore *create(void)
{
	struct fdstore *s;

	assert_int_equal(fdstore_create(&s), 0);
	return s;
}

/* ---- what systemd is told */

static void test_put_and_del(void **state)
{
	struct fdstore *s = create();
	int one = memory("1"), two = memory("2"), got;
	unsigned serial = fdstore_serial(s);

	(void)state;
	assert_true(fdstore_is_kept(s));
	fdstore_put(s, "umem", one);
	assert_string_equal(heard(&got), "FDSTORE=1\nFDNAME=umem\nFDPOLL=0");
	assert_true(is_same(got, one));
	close(got);
	assert_int_not_equal(fdstore_serial(s), serial);

	/* another by that name: systemd would keep both */
	serial = fdstore_serial(s);
	fdstore_put(s, "umem", two);
	assert_heard("FDSTOREREMOVE=1\nFDNAME=umem");
	assert_string_equal(heard(&got), "FDSTORE=1\nFDNAME=umem\nFDPOLL=0");
	assert_true(is_same(got, two));
	close(got);
	assert_int_not_equal(fdstore_serial(s), serial);

	serial = fdstore_serial(s);
	fdstore_del(s, "flows");
	assert_heard("");
	assert_int_equal(fdstore_serial(s), serial);
	fdstore_del(s, "umem");
	assert_heard("FDSTOREREMOVE=1\nFDNAME=umem");
	assert_int_not_equal(fdstore_serial(s), serial);
	assert_true(is_open(one) && is_open(two)); /* they are ours */
	fdstore_destroy(s);
	close(one);
	close(two);
}

static int count(void *arg, const char *name, int fd)
{
	int *n = arg;

	(void)fd;
	if (!strcmp(name, "stop"))
		return -EINTR;
	++*n;
	return 0;
}

static void test_each_and_clear(void **state)
{
	struct fdstore *s = create();
	int fd = memory("x"), n = 0, got;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 100; i++) { /* more than there is room for at first */
		snprintf(name, sizeof(name), "xsk-%u-0", i);
		fdstore_put(s, name, fd);
		heard(&got);
		close(got);
	}
	assert_int_equal(fdstore_each(s, count, &n), 0);
	assert_int_equal(n, 100);
	fdstore_put(s, "stop", fd);
	assert_int_equal(fdstore_each(s, count, &n), -EINTR);
	heard(&got);
	close(got);
	for (unsigned i = 3; i < 100; i++) { /* a datagram socket's queue is short */
		snprintf(name, sizeof(name), "xsk-%u-0", i);
		fdstore_del(s, name);
		heard(&got);
	}
	fdstore_clear(s);
	for (n = 0; !strncmp(heard(&got), "FDSTOREREMOVE=1\n", 16); n++)
		assert_int_equal(got, -1);
	assert_int_equal(n, 4);
	n = 0;
	fdstore_each(s, count, &n);
	assert_int_equal(n, 0);
	fdstore_clear(NULL);
	fdstore_destroy(s);
	close(fd);
}

static void test_nobody_keeps(void **state)
{
	struct fdstore *s;
	int fd = memory("x"), n = 0;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	s = create();
	assert_false(fdstore_is_kept(s));
	fdstore_put(s, "state", fd);
	assert_heard("");
	fdstore_each(s, count, &n); /* who takes over asks for it */
	assert_int_equal(n, 1);
	fdstore_clear(s);
	fdstore_destroy(s);
	close(fd);
}

/* ---- what a process inherits */

static void test_take(void **state)
{
	struct fdstore *s = create();
	int state_fd = memory("s"), n = 0;
	unsigned serial;

	(void)state;
	assert_false(fdstore_has_inherited(s));
	assert_int_equal(fdstore_inherit(s, "state", state_fd), 0);
	assert_true(fdstore_has_inherited(s));
	assert_int_equal(fdstore_take(s, "umem"), -1);
	assert_int_equal(fdstore_each(s, count, &n), 0);
	assert_int_equal(n, 0); /* nobody has taken it */
	serial = fdstore_serial(s);
	assert_int_equal(fdstore_take(s, "state"), state_fd);
	assert_int_equal(fdstore_take(s, "state"), -1);
	assert_false(fdstore_has_inherited(s));
	assert_int_equal(fdstore_serial(s), serial); /* it was kept before */
	assert_heard("");			     /* systemd has it */
	fdstore_each(s, count, &n);
	assert_int_equal(n, 1);
	fdstore_del(s, "state");
	assert_heard("FDSTOREREMOVE=1\nFDNAME=state");
	fdstore_destroy(s);
	assert_true(is_open(state_fd));
	close(state_fd);
}

static void test_drop_rest(void **state)
{
	struct fdstore *s = create();
	int one = memory("1"), two = memory("2"), three = memory("3");

	(void)state;
	fdstore_inherit(s, "one", one);
	fdstore_inherit(s, "two", two);
	fdstore_inherit(s, "three", three);
	assert_int_equal(fdstore_take(s, "two"), two);
	fdstore_drop_rest(s);
	assert_heard("FDSTOREREMOVE=1\nFDNAME=three");
	assert_heard("FDSTOREREMOVE=1\nFDNAME=one");
	assert_heard("");
	assert_false(is_open(one) || is_open(three));
	assert_true(is_open(two));
	fdstore_drop_rest(s);
	assert_heard("");
	fdstore_destroy(s);
	close(two);
}

/* What is put by the name of an inherited one must not go when that does: systemd goes by names. */
static void test_put_over_inherited(void **state)
{
	struct fdstore *s = create();
	int old = memory("old"), new = memory("new"), got;

	(void)state;
	fdstore_inherit(s, "umem", old);
	fdstore_put(s, "umem", new);
	assert_heard("FDSTOREREMOVE=1\nFDNAME=umem");
	assert_string_equal(heard(&got), "FDSTORE=1\nFDNAME=umem\nFDPOLL=0");
	assert_true(is_same(got, new));
	close(got);
	assert_false(is_open(old));
	fdstore_drop_rest(s);
	assert_heard("");
	fdstore_destroy(s);
	close(new);
}

static void test_doubtful_names(void **state)
{
	struct fdstore *s = create();
	int one = memory("1"), again = memory("2"), longer = memory("3"), longest = memory("4");
	char name[FDSTORE_NAME + 1];

	(void)state;
	assert_int_equal(fdstore_inherit(s, "one", one), 0);
	assert_int_equal(fdstore_inherit(s, "one", again), 0);
	assert_false(is_open(again));
	assert_int_equal(fdstore_take(s, "one"), one);
	assert_int_equal(fdstore_take(s, "one"), -1);

	memset(name, 'x', FDSTORE_NAME);
	name[FDSTORE_NAME] = '\0';
	assert_int_equal(fdstore_inherit(s, name, longer), 0);
	assert_false(is_open(longer));
	assert_false(fdstore_has_inherited(s));
	name[FDSTORE_NAME - 1] = '\0';
	assert_int_equal(fdstore_inherit(s, name, longest), 0);
	assert_int_equal(fdstore_take(s, name), longest);
	fdstore_destroy(s);
	close(one);
	close(longest);
}

static void test_destroy_closes(void **state)
{
	struct fdstore *s = create();
	int fd = memory("x");

	(void)state;
	fdstore_inherit(s, "x", fd);
	fdstore_destroy(s);
	assert_false(is_open(fd));
	assert_heard(""); /* the next process may want it */
	fdstore_destroy(NULL);
}

/* As systemd starts a process: descriptors from 3 on, their names joined by ':'. */
static int inheriting(int state_fd, int umem_fd, const char *names)
{
	char pid[16], text[2] = "";
	struct fdstore *s;
	int fd;

	dup2(state_fd, 30); /* 3 and 4 may be they */
	dup2(umem_fd, 31);
	dup2(30, 3);
	dup2(31, 4);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", names, 1);
	if (fdstore_create(&s))
		return 1;
	if (getenv("LISTEN_FDS")) /* it is not for children of ours */
		return 2;
	fd = fdstore_take(s, "umem");
	if (fd != 4 || pread(fd, text, 1, 0) != 1 || text[0] != 'u')
		return 3;
	if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC))
		return 4;
	if (fdstore_take(s, "state") != 3 || fdstore_has_inherited(s))
		return 5;
	fdstore_destroy(s);
	return 0;
}

static void test_environment(void **state)
{
	int state_fd = memory("s"), umem_fd = memory("u"), status;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(inheriting(state_fd, umem_fd, "state:umem"));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(state_fd);
	close(umem_fd);
}

int main(void)
{
#define WITH_LISTENER(t) cmocka_unit_test_setup_teardown(t, listen_as_systemd, close_listener)
	const struct CMUnitTest tests[] = {
		WITH_LISTENER(test_put_and_del),    WITH_LISTENER(test_each_and_clear),
		WITH_LISTENER(test_nobody_keeps),   WITH_LISTENER(test_take),
		WITH_LISTENER(test_drop_rest),	    WITH_LISTENER(test_put_over_inherited),
		WITH_LISTENER(test_doubtful_names), WITH_LISTENER(test_destroy_closes),
		WITH_LISTENER(test_environment),
	};

	return cmocka_run_group_tests_name("fdstore", tests, NULL, NULL);
}
