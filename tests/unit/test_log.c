/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/lib/log: which messages come out, and how they look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "router/lib/log.h"

static char said[4096];
static int pipe_fd[2], saved_stderr;

static int stderr_take(void **state)
{
	(void)state;
	saved_stderr = dup(STDERR_FILENO);
	if (pipe(pipe_fd))
		return -1;
	dup2(pipe_fd[1], STDERR_FILENO);
	return 0;
}

static int stderr_give_back(void **state)
{
	(void)state;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	unsetenv("JOURNAL_STREAM");
	unsetenv("ROUTER_LOG_PRIORITY");
	log_init(LOG_INFORM);
	return 0;
}

/* What was written since, which must not be nothing. */
static const char *heard(void)
{
	ssize_t n = read(pipe_fd[0], said, sizeof(said) - 1);

	said[n > 0 ? n : 0] = '\0';
	return said;
}

static void levels_are_respected(void **state)
{
	(void)state;
	log_init(LOG_WARNING);
	assert_int_equal(log_level_get(), LOG_WARNING);
	log_err("one %d", 1);
	log_warn("two");
	log_notice("three");
	log_debug("four");
	assert_string_equal(heard(), "one 1\ntwo\n");
	log_init(LOG_DETAIL);
	log_debug("five\n"); /* a newline of one's own is not doubled */
	assert_string_equal(heard(), "five\n");
}

static void priority_prefix_is_for_the_journal(void **state)
{
	char stream[64];
	struct stat st;

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init(LOG_INFORM);
	log_warn("a");
	assert_string_equal(heard(), "<4>a\n");
	setenv("JOURNAL_STREAM", "1:2", 1); /* stderr was redirected since */
	log_init(LOG_INFORM);
	log_warn("b");
	assert_string_equal(heard(), "b\n");
	setenv("ROUTER_LOG_PRIORITY", "1", 1);
	log_init(LOG_INFORM);
	log_info("c");
	assert_string_equal(heard(), "<6>c\n");
}

static void long_lines_are_cut_and_errno_stays(void **state)
{
	char line[3000];

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	errno = ENOENT;
	log_err("%s", line);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(strlen(heard()), 1024);
	assert_int_equal(said[1023], '\n');
	log_err("%m");
	assert_string_equal(heard(), "No such file or directory\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(levels_are_respected, stderr_take,
						stderr_give_back),
		cmocka_unit_test_setup_teardown(priority_prefix_is_for_the_journal, stderr_take,
						stderr_give_back),
		cmocka_unit_test_setup_teardown(long_lines_are_cut_and_errno_stays, stderr_take,
						stderr_give_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
