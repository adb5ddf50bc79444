/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket as clients see it: a forked child runs the loop and the server with a table of
 * its own, the test talks to it, well and badly, and runs the real routerctl against it.
 */
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
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "router/ctl/command.h"
#include "router/ctl/server.h"
#include "router/lib/clock.h"

/* ---- the commands under test */
static struct loop *loop;

static const struct column number_columns[] = {
	{ .key = "name", .title = "name", .help = "of the row" },
	{ .key = "n", .title = "packets", .kind = COL_NUMBER, .help = "its number" },
	{ .key = "bytes", .title = "bytes", .kind = COL_BYTES, .stats = true, .help = "a size" },
	{ .key = "even", .title = "even", .kind = COL_BOOL, .help = "or odd" },
	{ .key = "nested", .title = "nested", .kind = COL_JSON, .help = "something deeper" },
	{ .key = "hidden", .help = "for programs" },
	{ 0 },
};

static int rows(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	uint64_t total = strtoull(q->arg[0], NULL, 10);

	(void)r;
	for (unsigned n = 0; cur->i < total; n++, cur->i++) {
		struct row *row;

		if (n == 64)
			return COMMAND_MORE;
		row = command_row(c);
		row_unsigned(row, "n", cur->i * 1000); /* in no order */
		row_textf(row, "name", "row%llu", (unsigned long long)cur->i);
		row_unsigned(row, "bytes", cur->i * 123456);
		row_bool(row, "even", cur->i % 2 == 0);
		if (cur->i % 2)
			row_json(row, "nested", json_pack("[{s:i}]", "x", 1), "x 1");
	}
	return COMMAND_DONE;
}

static int object(struct router *r, const struct request *q, struct cursor *cur,
		  struct command_ctx *c)
{
	struct row *row = command_row(c);

	(void)r;
	(void)q;
	(void)cur;
	row_text(row, "name", "a\"\x1b[31m\xff\n second");
	row_number(row, "n", -5);
	return COMMAND_DONE;
}

static int refusal(struct router *r, const struct request *q, struct cursor *cur,
		   struct command_ctx *c)
{
	(void)r;
	(void)cur;
	if (q->arg[0])
		return command_fail(c, -ENOENT, "no such thing: %s", q->arg[0]);
	return -EBUSY;
}

static int message(struct router *r, const struct request *q, struct cursor *cur,
		   struct command_ctx *c)
{
	(void)r;
	(void)cur;
	command_message(c, "admin %d statistics %d numeric %d cwd %s", q->admin, q->statistics,
			q->numeric, q->cwd ? q->cwd : "-");
	command_message(c, "second line");
	return COMMAND_DONE;
}

struct later {
	struct loop_timer *timer;
	struct pending *pending;
	int err;
};

static void finish_later(void *arg, uint64_t now)
{
	struct later *l = arg;

	(void)now;
	command_finish(l->pending, l->err, l->err ? "it went wrong" : "it went well");
	loop_timer_del(l->timer);
	free(l);
}

static int later(struct router *r, const struct request *q, struct cursor *cur,
		 struct command_ctx *c)
{
	struct later *l = calloc(1, sizeof(*l));

	(void)r;
	(void)cur;
	l->err = q->arg[0] ? -EIO : 0;
	l->pending = command_defer(c);
	l->timer = loop_timer_add(loop, finish_later, l);
	loop_timer_set(l->timer, clock_now() + 200 * NSEC_PER_MSEC);
	return COMMAND_DONE;
}

static int watch(struct router *r, const struct request *q, struct cursor *cur,
		 struct command_ctx *c)
{
	(void)r;
	if (q->stopping) {
		command_message(c, "0 events lost");
		return COMMAND_DONE;
	}
	row_textf(command_row(c), "name", "event %llu", (unsigned long long)cur->i++);
	if (!cur->data)
		cur->data = malloc(16);
	return COMMAND_IDLE;
}

static const struct column watch_columns[] = { { .key = "name", .title = "name" }, { 0 } };
static const struct column prose_columns[] = {
	{ .key = "word", .title = "word", .help = "the word" },
	{ .key = "text", .title = "text", .help = "what it means" },
	{ 0 },
};

static int prose(struct router *r, const struct request *q, struct cursor *cur,
		 struct command_ctx *c)
{
	struct row *row = command_row(c);

	(void)r;
	(void)q;
	(void)cur;
	row_text(row, "word", "long");
	row_text(row, "text",
		 "a line that goes on and on, much longer than a terminal of eighty "
		 "columns has room for, so that it is folded");
	row = command_row(c);
	row_text(row, "word", "unknown");
	return COMMAND_DONE;
}

static struct command table[] = {
	{ .words = "show rows <n>", .help = "Rows", .columns = number_columns, .run = rows },
	{ .words = "show object",
	  .help = "One",
	  .columns = number_columns,
	  .run = object,
	  .single = true },
	{ .words = "show prose", .help = "Long", .columns = prose_columns, .run = prose },
	{ .words = "refuse [<name>]", .help = "No", .run = refusal },
	{ .words = "say", .help = "Say", .run = message },
	{ .words = "change", .help = "Change", .run = message, .admin = true },
	{ .words = "later [--badly]", .help = "Later", .run = later, .wait = true },
	{ .words = "watch",
	  .help = "Watch",
	  .columns = watch_columns,
	  .run = watch,
	  .endless = true },
	{ .words = "show commands", .help = "Commands" }, /* filled in from the real table */
	{ 0 },
};

/* ---- the server in a child */
static struct {
	pid_t pid;
	char dir[64];
	char routerctl[512];
} env;

static void stop_loop(int sig)
{
	(void)sig;
	loop_stop(loop);
}

static void serve(int ready)
{
	char path[100], public[100];
	struct server *s;

	snprintf(path, sizeof(path), "%s/router.sock", env.dir);
	snprintf(public, sizeof(public), "%s/stats.sock", env.dir);
	loop = loop_create();
	signal(SIGTERM, stop_loop);
	if (server_create(loop, NULL, &s))
		_exit(1);
	server_set_table(s, table);
	if (server_listen(s, path, 0660, "", false) || server_listen(s, public, 0666, "", true))
		_exit(1);
	if (write(ready, "x", 1) != 1)
		_exit(1);
	close(ready);
	loop_run(loop);
	server_destroy(s);
	loop_destroy(loop);
	exit(0); /* the leak checker has its say */
}

static int start(void **state)
{
	struct rlimit files = { 5000, 5000 };
	int ready[2];
	char x;

	(void)state;
	setrlimit(RLIMIT_NOFILE, &files);
	snprintf(env.dir, sizeof(env.dir), "/tmp/test_server.XXXXXX");
	if (!mkdtemp(env.dir) || pipe(ready))
		return -1;
	chmod(env.dir, 0755);
	env.pid = fork();
	if (env.pid == 0)
		serve(ready[1]);
	close(ready[1]);
	if (read(ready[0], &x, 1) != 1)
		return -1;
	close(ready[0]);
	return 0;
}

static int stop(void **state)
{
	char path[100];
	int status;

	(void)state;
	kill(env.pid, SIGTERM);
	waitpid(env.pid, &status, 0);
	snprintf(path, sizeof(path), "%s/router.sock", env.dir);
	/* its files are gone: the directory is empty */
	return status || access(path, F_OK) == 0 || rmdir(env.dir) ? -1 : 0;
}

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
	close(fd);
}

static void test_endless_command(void **state)
{
	int fd = dial("router.sock");
	const char *all;

	(void)state;
	ask(fd, "{\"words\":[\"watch\"]}\n");
	usleep(350000);
	shutdown(fd, SHUT_WR);
	all = answer(fd);
	assert_non_null(strstr(all, "event 2"));
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
	usleep(50000);
	assert_true(child_fds() <= before);
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
	}
	assert_non_null(strstr(answer(fd[1099]), "too many connections"));
	assert_alive();
	for (int i = 0; i < 1100; i++)
		close(fd[i]);
	assert_alive();
}

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
	assert_int_equal(server_listen(s, path, 0600, "", false), -EADDRINUSE);
	memset(longer, 'x', sizeof(longer));
	longer[199] = '\0';
	assert_int_equal(server_listen(s, longer, 0600, "", false), -ENAMETOOLONG);
	snprintf(path, sizeof(path), "%s/file", env.dir);
	assert_int_equal(server_listen(s, path, 0600, "no-such-group", false), -ENOENT);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(server_listen(s, path, 0600, "", false), -EEXIST);
	unlink(path);
	/* a socket nobody listens on is left from an earlier run */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	{
		struct sockaddr_un sun = { .sun_family = AF_UNIX };

		snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
		assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	}
	close(fd);
	assert_int_equal(server_listen(s, path, 0640, "", false), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	server_destroy(s);
	loop_destroy(loop);
	assert_int_equal(access(path, F_OK), -1);
}

/* ---- the real routerctl */
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

	if (access(env.routerctl, X_OK))
		skip();
	snprintf(cmd, sizeof(cmd),
		 "cd /; ROUTER_RUN_DIR=%s; export ROUTER_RUN_DIR; ctl=%s; { %s%s; } >&%d 2>&%d",
		 env.dir, env.routerctl, strchr(args, '$') ? "" : "$ctl ", args, out, err);
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
		   "unknown  -\n",
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
	assert_int_equal(ctl("$ctl say > /dev/full; test $? = 1")->status, 0);
}

static void test_ctl_help_and_completion(void **state)
{
	const struct run *r;

	(void)state;
	r = ctl("help");
	assert_int_equal(r->status, 0);
	assert_non_null(strstr(r->out, "\n  show rows <n>           Rows\n"));
	assert_ctl("help show prose", 0,
		   "usage: routerctl show prose\n\nLong\n\nwith -j:\n"
		   "  word            the word\n  text            what it means\n",
		   "");
	assert_ctl("help nothing", 1, "",
		   "routerctl: no command begins with that; `routerctl help` lists all\n");
	assert_int_equal(ctl("--version")->status, 0);
	assert_ctl("--complete sh ''", 0, "rows\nobject\nprose\ncommands\n", "");
	assert_ctl("--complete later --", 0, "--badly\n", "");
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
	assert_ctl("(timeout -s INT 0.35 $ctl watch | head -n 2) ", 0, "name\nevent 0\n", "");
	assert_ctl("(timeout -s INT 0.35 $ctl watch | tail -n 1) ", 0, "0 events lost\n", "");
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
	snprintf(env.routerctl, sizeof(env.routerctl), "%s/routerctl", exe);
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
		cmocka_unit_test(test_answer_that_comes_later),
		cmocka_unit_test(test_endless_command),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_million_rows),
		cmocka_unit_test(test_two_thousand_connections),
		cmocka_unit_test(test_readers_leave_room),
		cmocka_unit_test(test_listening),
		cmocka_unit_test(test_ctl_tables),
		cmocka_unit_test(test_ctl_json),
		cmocka_unit_test(test_ctl_failures),
		cmocka_unit_test(test_ctl_help_and_completion),
		cmocka_unit_test(test_ctl_streams),
	};

	for (struct command *c = table; c->words; c++) {
		if (c->run)
			continue;
		c->columns = command_table[0].columns;
		c->run = command_table[0].run;
	}
	find_routerctl();
	return cmocka_run_group_tests(tests, start, stop);
}
