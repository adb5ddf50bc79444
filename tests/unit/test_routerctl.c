/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real routerctl against a server in a child: what it prints, complains of, and ends with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

#include "tests/unit/control.h"

static char routerctl[512];

struct run {
	int status;
	char out[20000], err[2000];
};

static void slurp(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	close(fd);
}

static const struct run *ctl(const char *args)
{
	static struct run r;
	char cmd[1024];
	int out = open("/tmp", O_TMPFILE | O_RDWR, 0600),
	    err = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	if (access(routerctl, X_OK))
		skip();
	snprintf(cmd, sizeof(cmd),
		 "cd /; ROUTER_RUN_DIR=%s; export ROUTER_RUN_DIR; ctl=%s; { %s%s; } >&%d 2>&%d",
		 env.dir, routerctl, strchr(args, '$') ? "" : "$ctl ", args, out, err);
	r.status = system(cmd);
	r.status = WEXITSTATUS(r.status);
	slurp(out, r.out, sizeof(r.out));
	slurp(err, r.err, sizeof(r.err));
	return &r;
}

static void assert_ctl(const char *args, int status, const char *out, const char *err)
{
	const struct run *r = ctl(args);

	assert_string_equal(r->out, out);
	assert_string_equal(r->err, err);
	assert_int_equal(r->status, status);
}

static void test_ctl_tables(void **state)
{
	(void)state;
	assert_ctl("show rows 3", 0,
		   "name  packets  even  nested\n"
		   "row0        0  yes   -\n"
		   "row1     1000  no    x 1\n"
		   "row2     2000  yes   -\n",
		   "");
	assert_ctl("-s show rows 2", 0,
		   "name  packets      bytes  even  nested\n"
		   "row0        0          0  yes   -\n"
		   "row1     1000  120.6 KiB  no    x 1\n",
		   "");
	assert_ctl("show rows 0", 0, "", "");
	assert_ctl("show object", 0,
		   "name     a\"?[31m\xef\xbf\xbd\n"
		   "          second\n"
		   "packets  -5\n"
		   "even     -\n"
		   "nested   -\n",
		   "");
	assert_ctl("show prose", 0,
		   "word     text\n"
		   "long     a line that goes on and on, much longer than a terminal of eighty\n"
		   "         columns has room for, so that it is folded\n"
		   "lines    first line\n"
		   "         second line\n"
		   "unknown  -\n",
		   "");
	assert_ctl("nested", 0,
		   "word  nested\n"
		   "long  [2001:db8:aaaa:bbbb:cccc:dddd:eeee:1]:1 >\n"
		   "      [2001:db8:aaaa:bbbb:cccc:dddd:eeee:2]:2\n",
		   "");
	assert_ctl("lines", 0,
		   "a line that goes on and on, much longer than a terminal of eighty columns has "
		   "room for\nshort\n",
		   "");
	assert_ctl("say -n", 0, "admin 1 statistics 0 numeric 1 cwd /\nsecond line\n", "");
}

static void test_ctl_json(void **state)
{
	(void)state;
	assert_ctl("show rows 2 -j", 0,
		   "[\n{\"name\":\"row0\",\"n\":0,\"bytes\":0,\"even\":true,\"nested\":null,"
		   "\"hidden\":null},\n"
		   "{\"name\":\"row1\",\"n\":1000,\"bytes\":123456,\"even\":false,\"nested\":[{"
		   "\"x\":1}],"
		   "\"hidden\":null}\n]\n",
		   "");
	assert_ctl("-j show rows 0", 0, "[]\n", "");
	assert_ctl("-j show object", 0,
		   "{\"name\":\"a\\\"\\u001B[31m\xef\xbf\xbd\\n second\",\"n\":-5,\"bytes\":null,"
		   "\"even\":null,\"nested\":null,\"hidden\":null}\n",
		   "");
	assert_ctl("-j later", 0, "{\"message\":\"it went well\"}\n", "");
}

static void test_ctl_failures(void **state)
{
	const struct run *r;

	(void)state;
	assert_ctl("refuse x", 1, "", "routerctl: no such thing: x\n");
	assert_ctl("-j refuse", 1, "", "routerctl: Device or resource busy\n");
	assert_ctl("show rosw 1", 2, "",
		   "routerctl: \"rosw\" is unknown after \"show\"; did you mean \"rows\"?\n");
	assert_int_equal(ctl("-x show")->status, 2);
	assert_int_equal(ctl("-R")->status, 2);
	assert_int_equal(ctl("$ctl")->status, 2);
	r = ctl("-R /nonexistent show commands");
	assert_int_equal(r->status, 3);
	assert_non_null(strstr(r->err, "/nonexistent/router.sock"));
	/* names the socket and the group that is missing */
	if (geteuid() == 0 && getgrnam(GROUP)) {
		r = ctl("mkdir -m 755 $ROUTER_RUN_DIR/d; ln $ROUTER_RUN_DIR/router.sock "
			"$ROUTER_RUN_DIR/d; chgrp " GROUP " $ROUTER_RUN_DIR/d/router.sock; "
			"setpriv --reuid 65534 --regid 65534 --clear-groups "
			"$ctl -R $ROUTER_RUN_DIR/d say; s=$?; rm -r $ROUTER_RUN_DIR/d; exit $s");
		if (r->status != 126 && r->status != 127) { /* nobody may run what we built */
			assert_int_equal(r->status, 3);
			assert_non_null(strstr(r->err, "/d/router.sock: permission denied"));
			assert_non_null(strstr(r->err, "group \"" GROUP "\""));
		}
	}
	assert_int_equal(ctl("$ctl say > /dev/full; test $? = 1")->status, 0);
}

static void test_ctl_help_and_completion(void **state)
{
	const struct run *r;

	(void)state;
	r = ctl("help");
	assert_int_equal(r->status, 0);
	assert_non_null(strstr(r->out, "\n  show rows <n>           Rows\n"));
	r = ctl("--help");
	assert_int_equal(r->status, 0);
	assert_non_null(strstr(r->out, "\n  show rows <n>           Rows\n"));
	assert_ctl("help show prose", 0,
		   "usage: routerctl show prose\n\nLong\n\nwith -j:\n"
		   "  word            the word\n  text            what it means\n",
		   "");
	assert_ctl("help lines", 0,
		   "usage: routerctl lines [first <first>] [second <second>] [third <third>]\n"
		   "                     [fourth <fourth>]\n\nLines\n\nwith -j:\n"
		   "  line            \n",
		   "");
	assert_ctl("help nothing", 1, "",
		   "routerctl: no command begins with that; `routerctl help` lists all\n");
	assert_int_equal(ctl("--version")->status, 0);
	assert_ctl("--complete sh ''", 0, "rows\nobject\nprose\ncommands\n", "");
	assert_ctl("--complete later --", 0, "--badly\n--now\n", "");
	assert_ctl("--complete -R /nonexistent x", 3, "", ""); /* nobody wants to read about it */
}

static void test_ctl_streams(void **state)
{
	(void)state;
	/* 5000 rows: those after the first 2000 keep the widths; the reader that goes is no error
	 * to tell */
	assert_ctl("$ctl show rows 5000 | wc -l", 0, "5001\n", "");
	assert_ctl("$ctl show rows 1000000 | head -n 1", 0, "name     packets  even  nested\n", "");
	assert_ctl("$ctl -j show rows 3000 | tail -c 20", 0, "}],\"hidden\":null}\n]\n", "");
	/* interrupted once an event is out, however long that takes, it tells the rest and ends */
	assert_ctl("sh -c 'echo $$; exec '$ctl' watch' | "
		   "(read pid; read a; read b; echo $a; echo $b; kill -INT $pid; tail -n 1)",
		   0, "name\nevent 0\n0 events lost\n", "");
	/* events are there when they happen */
	assert_ctl("($ctl watch | (read a; read b; echo $b)) ", 0, "event 0\n", "");
}

static void find_routerctl(void)
{
	char exe[400] = "", *slash = NULL;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = '\0';
	for (int i = 0; i < 3 && (slash = strrchr(exe, '/')); i++)
		*slash = '\0';
	snprintf(routerctl, sizeof(routerctl), "%s/routerctl", exe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ctl_tables),   cmocka_unit_test(test_ctl_json),
		cmocka_unit_test(test_ctl_failures), cmocka_unit_test(test_ctl_help_and_completion),
		cmocka_unit_test(test_ctl_streams),
	};

	find_routerctl();
	return cmocka_run_group_tests(tests, start, stop);
}
