/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router/settings: the seed of the choice among next hops. Requirement F18: a seed per boot. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/conf.h"
#include "router/settings.h"

/* In another process, and there perhaps in another network namespace. */
static uint32_t seed_elsewhere(bool netns)
{
	uint32_t seed = 0;
	int fd[2], status;

	assert_int_equal(pipe(fd), 0);
	if (fork() == 0) {
		if (netns && unshare(CLONE_NEWNET))
			_exit(1);
		seed = settings_seed("/run/router");
		_exit(write(fd[1], &seed, sizeof(seed)) != sizeof(seed));
	}
	wait(&status);
	if (WEXITSTATUS(status) == 0)
		assert_int_equal(read(fd[0], &seed, sizeof(seed)), sizeof(seed));
	close(fd[0]);
	close(fd[1]);
	return seed;
}

static void seed_is_this_boots_and_this_routers(void **state)
{
	uint32_t seed = settings_seed("/run/router");

	(void)state;
	assert_int_equal(seed_elsewhere(false), seed);
	assert_int_not_equal(settings_seed("/run/router-blue"), seed);
	assert_int_not_equal(seed_elsewhere(true), seed); /* or 0: no namespace may be made here */
}

static void the_file_may_name_one(void **state)
{
	struct conf c = { .forwarding = { .hash = CONF_HASH_L3 } };
	struct dp_settings s = settings_of(&c, 7);

	(void)state;
	assert_int_equal(s.seed, 7);
	assert_true(s.hash_l3);
	c.forwarding.seed = 9;
	c.forwarding.hash = CONF_HASH_L4;
	s = settings_of(&c, 7);
	assert_int_equal(s.seed, 9);
	assert_false(s.hash_l3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seed_is_this_boots_and_this_routers),
		cmocka_unit_test(the_file_may_name_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
