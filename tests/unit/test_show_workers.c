/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show workers, reset workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "router/lib/clock.h"
#include "router/router.h"
#include "tests/unit/ask.h"

static struct router router;

static json_int_t worst_of(unsigned worker)
{
	struct ask a;
	json_int_t us;

	ask_all(&a, &router, "show workers -s");
	assert_int_equal(a.end, 0);
	us = json_integer_value(json_object_get(json_array_get(a.rows, worker), "worst_loop_us"));
	ask_end(&a);
	return us;
}

/* The longest turn is told until it is forgotten, which takes who may change things. */
static void test_worst_loop(void **state)
{
	static struct dp_counters count[2];
	static struct worker worker[2];
	struct ask a;

	(void)state;
	router.nworkers = 2;
	for (unsigned w = 0; w < 2; w++) {
		worker[w].count = &count[w];
		worker[w].worst_loop_ns = (w + 1) * 70 * NSEC_PER_USEC;
		router.worker[w] = &worker[w];
	}
	assert_int_equal(worst_of(0), 70);
	assert_int_equal(worst_of(1), 140);
	ask_begin(&a, &router, false, "reset workers");
	assert_int_equal(a.end, 1);
	ask_end(&a);
	assert_int_equal(worst_of(1), 140);
	ask_all(&a, &router, "reset workers");
	assert_int_equal(a.end, 0);
	ask_end(&a);
	assert_int_equal(worst_of(0), 0);
	assert_int_equal(worst_of(1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worst_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
