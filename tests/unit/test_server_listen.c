/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's listeners: made anew, and adopted from an earlier process. */
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/control.h"

static void test_listening(void **state)
{
	char path[100], longer[200];
	struct server *s;
	struct stat st;
	int fd;

	(void)state;
	loop = loop_create();
	assert_int_equal(server_create(loop, NULL, &s), 0);
	snprintf(path, sizeof(path), "%s/router.sock", env.dir);
	assert_int_equal(server_listen(s, path, 0600, "", false, NULL), -EADDRINUSE);
	memset(longer, 'x', sizeof(longer));
	longer[199] = '\0';
	assert_int_equal(server_listen(s, longer, 0600, "", false, NULL), -ENAMETOOLONG);
	snprintf(path, sizeof(path), "%s/file", env.dir);
	assert_int_equal(server_listen(s, path, 0600, "no-such-group", false, NULL), -ENOENT);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(server_listen(s, path, 0600, "", false, NULL), -EEXIST);
	unlink(path);
	/* a socket nobody listens on is left from an earlier run */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	{
		struct sockaddr_un sun = { .sun_family = AF_UNIX };

		snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
		assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	}
	close(fd);
	assert_int_equal(server_listen(s, path, 0640, "", false, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	server_destroy(s);
	loop_destroy(loop);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_adopted(void **state)
{
	struct server *old, *s;
	char path[100];
	struct stat st;
	int own, fd;

	(void)state;
	loop = loop_create();
	assert_int_equal(server_create(loop, NULL, &old), 0);
	assert_int_equal(server_create(loop, NULL, &s), 0);
	snprintf(path, sizeof(path), "%s/left.sock", env.dir);
	assert_int_equal(server_listen(old, path, 0666, "", false, &own), 0);
	fd = dup(own);
	assert_int_equal(server_adopt(s, fd, path, 0600, "no-such-group", false), -ENOENT);
	assert_int_equal(server_adopt(s, fd, env.dir, 0600, "", false), -EINVAL);
	assert_true(fcntl(fd, F_GETFD) >= 0); /* ours still */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_int_equal(server_adopt(s, fd, path, 0600, "", false), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600); /* as the file says now */
	assert_true(server_knows_group(""));
	assert_false(server_knows_group("no-such-group"));
	server_destroy(s);
	server_destroy(old);
	loop_destroy(loop);
}

/* What does not listen there is refused, whatever it is; the file goes with who adopted it. */
static void test_not_adopted(void **state)
{
	struct server *first, *next;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, other[2], waiting;
	char path[160];

	(void)state;
	loop = loop_create();
	snprintf(path, sizeof(path), "%s/adopted", env.dir);
	assert_int_equal(server_create(loop, NULL, &first), 0);
	assert_int_equal(server_create(loop, NULL, &next), 0);
	assert_int_equal(server_listen(first, path, 0600, "", false, &fd), 0);
	waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/adopted", env.dir);
	assert_int_equal(connect(waiting, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(pipe(other), 0);
	assert_int_equal(server_adopt(next, other[0], path, 0600, "", false), -EINVAL);
	assert_int_equal(server_adopt(next, waiting, path, 0600, "", false), -EINVAL);
	assert_int_equal(access(path, F_OK), 0);

	assert_int_equal(server_adopt(next, dup(fd), path, 0600, "", false), 0);
	server_destroy(next);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(server_create(loop, NULL, &next), 0);
	assert_int_equal(server_adopt(next, fd, path, 0600, "", false),
			 -EINVAL); /* no file, no use */
	server_destroy(next);
	server_destroy(first);
	close(other[0]);
	close(other[1]);
	close(waiting);
	loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listening),
		cmocka_unit_test(test_adopted),
		cmocka_unit_test(test_not_adopted),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
