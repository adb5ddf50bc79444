/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * systemd/notify.c against a datagram socket of ours in systemd's place.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "systemd/notify.h"

static int listener;

/* The abstract namespace, so that nothing is left behind: "@name" to sd_notify, "\0name" to us. */
static int listen_as_systemd(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char env[sizeof(a.sun_path)];
	int n;

	(void)state;
	n = snprintf(a.sun_path, sizeof(a.sun_path), "@router-test-notify-%d", getpid());
	snprintf(env, sizeof(env), "%s", a.sun_path);
	a.sun_path[0] = '\0';
	listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_not_equal(listener, -1);
	assert_int_equal(bind(listener, (struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)),
			 0);
	setenv("NOTIFY_SOCKET", env, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return 0;
}

static int close_listener(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	return close(listener);
}

static const char *heard(void)
{
	static char text[256];
	ssize_t n = recv(listener, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void test_words(void **state)
{
	(void)state;
	notify_ready("forwarding on 2 ports");
	assert_string_equal(heard(), "READY=1\nSTATUS=forwarding on 2 ports");
	notify_status("100% of a %s"); /* a status is text, never a format */
	assert_string_equal(heard(), "STATUS=100% of a %s");
	notify_stopping("draining");
	assert_string_equal(heard(), "STOPPING=1\nSTATUS=draining");
	notify_watchdog();
	assert_string_equal(heard(), "WATCHDOG=1");
}

/* systemd refuses RELOADING=1 of a Type=notify-reload service without the time it happened at. */
static void test_reloading_says_when(void **state)
{
	struct timespec before, after;
	uint64_t usec;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &before);
	notify_reloading();
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_int_equal(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%" SCNu64, &usec), 1);
	assert_true(usec >= (uint64_t)before.tv_sec * 1000000 + (uint64_t)before.tv_nsec / 1000);
	assert_true(usec <= (uint64_t)after.tv_sec * 1000000 + (uint64_t)after.tv_nsec / 1000);
}

static void test_watchdog_interval(void **state)
{
	char pid[16];

	(void)state;
	assert_int_equal(notify_watchdog_interval_ns(), 0);
	setenv("WATCHDOG_USEC", "10000000", 1);
	assert_int_equal(notify_watchdog_interval_ns(), 5000000000);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_watchdog_interval_ns(), 5000000000);
	setenv("WATCHDOG_PID", "1", 1); /* meant for somebody else */
	assert_int_equal(notify_watchdog_interval_ns(), 0);
}

static void test_nobody_listens(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_ready("unheard");
	notify_reloading();
	notify_stopping("unheard");
	notify_watchdog();
	assert_string_equal(heard(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_words, listen_as_systemd, close_listener),
		cmocka_unit_test_setup_teardown(test_reloading_says_when, listen_as_systemd,
						close_listener),
		cmocka_unit_test_setup_teardown(test_watchdog_interval, listen_as_systemd,
						close_listener),
		cmocka_unit_test_setup_teardown(test_nobody_listens, listen_as_systemd,
						close_listener),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
