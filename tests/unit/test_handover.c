/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router/handover.c, both ends: the old router is a child without ports or workers, whose store
 * holds a state and a text; the new one is the test.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "router/handover.h"
#include "router/kept.h"
#include "router/router.h"

static char dir[] = "/tmp/test_handover.XXXXXX";
static pid_t old;
static int order; /* a byte: the old one's store changes */

/* ---- the old one */

static struct router r;

static int text_fd(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (write(fd, text, strlen(text)) < 0)
		_exit(3);
	return fd;
}

static void on_order(void *arg, int fd, uint32_t events)
{
	char c;

	(void)arg;
	(void)events;
	if (read(fd, &c, 1) == 1)
		fdstore_put(r.store, "more", text_fd("more"));
}

static void old_router(int orders, int ready)
{
	struct handover *h;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(r.run_dir, sizeof(r.run_dir), "%s", dir);
	r.loop = loop_create();
	if (fdstore_create(&r.store) || kept_create(64, 2048, &r.kept) || handover_listen(&r, &h) ||
	    !loop_fd_add(r.loop, orders, EPOLLIN, on_order, NULL))
		_exit(3);
	fdstore_put(r.store, "state", r.kept->fd);
	fdstore_put(r.store, "text", text_fd("hello"));
	if (write(ready, "x", 1) != 1 || loop_run(r.loop))
		_exit(3);
	_exit(r.left ? r.exit_status : 4);
}

static int start_old(void **state)
{
	int orders[2], ready[2];
	char c;

	(void)state;
	if (pipe(orders) || pipe(ready))
		return -1;
	old = fork();
	if (!old)
		old_router(orders[0], ready[1]);
	close(orders[0]);
	close(ready[1]);
	order = orders[1];
	c = read(ready[0], &c, 1) == 1;
	close(ready[0]);
	return c ? 0 : -1;
}

static int old_status(void)
{
	int status = -1;

	assert_int_equal(waitpid(old, &status, 0), old);
	old = 0;
	return status;
}

static int stop_old(void **state)
{
	(void)state;
	if (old) {
		kill(old, SIGKILL);
		old_status();
	}
	return close(order);
}

/* ---- the new one */

struct taker {
	struct fdstore *store;
	struct asking *asking;
	char why[256];
};

static int ask(struct taker *t)
{
	*t = (struct taker){ 0 };
	assert_int_equal(fdstore_create(&t->store), 0);
	return handover_ask(dir, t->store, &t->asking, t->why, sizeof(t->why));
}

static int go(struct taker *t)
{
	return handover_go(t->asking, t->why, sizeof(t->why));
}

static void assert_has(struct taker *t, const char *name, const char *want)
{
	int fd = fdstore_take(t->store, name);
	char text[16] = "";

	assert_int_not_equal(fd, -1);
	assert_int_equal(pread(fd, text, sizeof(text) - 1, 0), strlen(want));
	assert_string_equal(text, want);
	close(fd);
}

static void end(struct taker *t)
{
	fdstore_destroy(t->store);
}

/* The old one goes on: whoever comes now takes it all. */
static void assert_can_be_taken(void)
{
	struct taker t;

	for (unsigned i = 0; ask(&t) && i < 100; i++) { /* it may not have seen the other one go */
		end(&t);
		usleep(10000);
	}
	assert_non_null(t.asking);
	assert_int_equal(go(&t), 0);
	assert_int_equal(old_status(), 0);
	end(&t);
}

/* ---- tests */

static void test_takes_all(void **state)
{
	struct taker t;
	struct kept *k;
	char why[160];

	(void)state;
	assert_int_equal(ask(&t), 0);
	assert_int_equal(waitpid(old, NULL, WNOHANG), 0); /* it runs until it is told */
	assert_int_equal(go(&t), 0);
	assert_int_equal(old_status(), 0);
	assert_has(&t, "text", "hello");
	assert_int_equal(kept_adopt(fdstore_take(t.store, "state"), &k, why, sizeof(why)), 0);
	assert_int_equal(k->head->clean, 1); /* its workers stopped before it said so */
	assert_false(fdstore_has_inherited(t.store));
	kept_destroy(k);
	end(&t);
}

static void test_nobody_is_there(void **state)
{
	struct taker t;

	(void)state;
	kill(old, SIGKILL);
	old_status(); /* its socket is left */
	assert_int_equal(ask(&t), -ENOENT);
	assert_non_null(strstr(t.why, "no router runs there"));
	end(&t);
	assert_int_equal(handover_ask("/nowhere", NULL, &t.asking, t.why, sizeof(t.why)), -ENOENT);
	assert_non_null(strstr(t.why, "/nowhere: no router runs there"));
}

static int raw(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/handover.sock", dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void test_other_version(void **state)
{
	int fd = raw();
	char text[256] = "";

	(void)state;
	assert_int_equal(send(fd, "take over 2", 11, 0), 11);
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "refused: this router speaks another version"));
	assert_int_equal(recv(fd, text, sizeof(text), 0), 0);
	close(fd);
	assert_can_be_taken();
}

static void test_nonsense_for_go(void **state)
{
	int fd = raw();
	char text[256];

	(void)state;
	assert_int_equal(send(fd, "take over 1", 11, 0), 11);
	do
		assert_true(recv(fd, text, sizeof(text), 0) > 0);
	while (strncmp(text, "all", 3) != 0);
	assert_int_equal(send(fd, "gone", 4, 0), 4);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 0);
	close(fd);
	assert_can_be_taken();
}

/* One child's answer: what ask() says to a stranger, or of one who dies. */
static int in_child(void (*before)(void))
{
	pid_t pid = fork();
	struct taker t;
	int status;

	if (!pid) {
		before();
		_exit(-ask(&t));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void as_nobody(void)
{
	if (setgid(65534) || setuid(65534))
		_exit(200);
}

static void nothing(void)
{
}

static void test_stranger(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(in_child(as_nobody), EACCES);
	assert_can_be_taken();
}

static void test_taker_dies(void **state)
{
	(void)state;
	assert_int_equal(in_child(nothing), 0);
	assert_can_be_taken();
}

static void test_two_takers(void **state)
{
	struct taker first, second;

	(void)state;
	assert_int_equal(ask(&first), 0);
	assert_int_equal(ask(&second), -EPERM);
	assert_non_null(strstr(second.why, "somebody else is taking over"));
	assert_int_equal(go(&first), 0);
	assert_int_equal(old_status(), 0);
	end(&first);
	end(&second);
}

static void test_store_changes(void **state)
{
	struct taker t;

	(void)state;
	assert_int_equal(ask(&t), 0);
	assert_int_equal(write(order, "x", 1), 1);
	usleep(100000);
	assert_int_equal(go(&t), -EPERM);
	assert_non_null(strstr(t.why, "ports have changed meanwhile"));
	end(&t);
	assert_int_equal(ask(&t), 0);
	assert_int_equal(go(&t), 0);
	assert_int_equal(old_status(), 0);
	assert_has(&t, "more", "more");
	end(&t);
}

static void test_old_one_dies(void **state)
{
	struct taker t;

	(void)state;
	assert_int_equal(ask(&t), 0);
	kill(old, SIGKILL);
	old_status();
	assert_int_not_equal(go(&t), 0);
	assert_true(t.why[0] != '\0');
	end(&t);
}

/* A service manager would take its end for the end of all. */
static int start_kept(void **state)
{
	int err;

	setenv("NOTIFY_SOCKET", "@nobody-listens", 1);
	err = start_old(state);
	unsetenv("NOTIFY_SOCKET");
	return err;
}

static void test_service(void **state)
{
	struct taker t;

	(void)state;
	assert_int_equal(ask(&t), -EPERM);
	assert_non_null(strstr(t.why, "routerctl restart"));
	end(&t);
}

static int make_dir(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	signal(SIGPIPE, SIG_IGN);
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/handover.sock", dir);
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_takes_all, start_old, stop_old),
		cmocka_unit_test_setup_teardown(test_nobody_is_there, start_old, stop_old),
		cmocka_unit_test_setup_teardown(test_other_version, start_old, stop_old),
		cmocka_unit_test_setup_teardown(test_nonsense_for_go, start_old, stop_old),
		cmocka_unit_test_setup_teardown(test_stranger, start_old, stop_old),
		cmocka_unit_test_setup_teardown(test_taker_dies, start_old, stop_old),
		cmocka_unit_test_setup_teardown(test_two_takers, start_old, stop_old),
		cmocka_unit_test_setup_teardown(test_store_changes, start_old, stop_old),
		cmocka_unit_test_setup_teardown(test_old_one_dies, start_old, stop_old),
		cmocka_unit_test_setup_teardown(test_service, start_kept, stop_old),
	};

	return cmocka_run_group_tests_name("handover", tests, make_dir, remove_dir);
}
