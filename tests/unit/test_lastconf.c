/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/lastconf.c: a refused file and what the process before left, in all their combinations. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "router/lastconf.h"
#include "router/router.h"

#define GOOD "version: 1\ninterfaces: {lan0: {}, wan0: {queues: 2}}\n"
#define BAD  "version: 1\ninterfacs: {}\n"

static char path[] = "/tmp/test_lastconf.XXXXXX";

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

/* A process that inherits this as `config`; -1: nothing. */
static struct router *process(int kept)
{
	struct router *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->conf_path = path;
	assert_int_equal(fdstore_create(&r->store), 0);
	if (kept >= 0)
		assert_int_equal(fdstore_inherit(r->store, "config", kept), 0);
	return r;
}

static int config_of(void *arg, const char *name, int fd)
{
	if (!strcmp(name, "config"))
		*(int *)arg = dup(fd);
	return 0;
}

/* It ends, and what it kept is returned. */
static int end(struct router *r)
{
	int fd = -1;

	fdstore_each(r->store, config_of, &fd);
	fdstore_destroy(r->store);
	conf_destroy(r->conf);
	if (r->conf_fd)
		close(r->conf_fd);
	free(r);
	return fd;
}

/* What a process leaves that ran with GOOD. */
static int left(void)
{
	struct router *r = process(-1);

	write_file(GOOD);
	assert_int_equal(lastconf_load(r), 0);
	assert_false(r->conf_refused);
	lastconf_keep(r);
	return end(r);
}

static void test_the_file_goes_first(void **state)
{
	struct router *r = process(left());

	(void)state;
	write_file("version: 1\ninterfaces: {other0: {}}\n");
	assert_int_equal(lastconf_load(r), 0);
	assert_false(r->conf_refused);
	assert_int_equal(r->conf->nifaces, 1);
	assert_string_equal(r->conf->ifaces[0].name, "other0");
	close(end(r));
}

static void test_refused_again_and_again(void **state)
{
	int fd = left();

	(void)state;
	write_file(BAD);
	for (unsigned i = 0; i < 3; i++) {
		struct router *r = process(fd);

		assert_int_equal(lastconf_load(r), 0);
		assert_true(r->conf_refused);
		assert_int_equal(r->refused, 1);
		assert_int_equal(r->conf->nifaces, 2);
		assert_int_equal(r->conf->ifaces[1].queues, 2);
		if (i) /* killed before it could keep its own: the next one finds it still */
			lastconf_keep(r);
		fd = end(r);
		assert_int_not_equal(fd, -1);
	}
	close(fd);
}

static void test_no_file(void **state)
{
	struct router *r = process(left());

	(void)state;
	unlink(path);
	assert_int_equal(lastconf_load(r), 0);
	assert_int_equal(r->conf->nifaces, 2);
	close(end(r));
	r = process(-1);
	assert_int_equal(lastconf_load(r), -ENOENT);
	end(r);
	write_file(BAD);
}

static void test_nothing_to_go_on_with(void **state)
{
	int fd = memfd_create("damaged", MFD_CLOEXEC), pipes[2];
	struct router *r = process(-1);

	(void)state;
	write_file(BAD);
	assert_int_equal(lastconf_load(r), -EINVAL);
	end(r);
	assert_int_equal(write(fd, BAD, strlen(BAD)), strlen(BAD));
	r = process(fd);
	assert_int_equal(lastconf_load(r), -EINVAL);
	assert_int_equal(end(r), -1); /* nobody tries that again */
	assert_int_equal(pipe(pipes), 0);
	r = process(pipes[0]);
	assert_int_equal(lastconf_load(r), -EINVAL);
	assert_int_equal(end(r), -1);
	close(pipes[1]);
}

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_file_goes_first),
		cmocka_unit_test(test_refused_again_and_again),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_nothing_to_go_on_with),
	};

	return cmocka_run_group_tests_name("lastconf", tests, make_file, remove_file);
}
