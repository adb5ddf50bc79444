// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration as its users see it: tests/config holds files beside the exact messages they
 * cause (no messages: the file is good); then what good files mean, and where the limits are.
 * UPDATE_GOLDEN=1 writes the .expect files anew. Run from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/conf.h"
#include "router/lib/log.h"
#include "tests/unit/conf_util.h"

#define GOLDEN_DIR "tests/config"

/* ---- golden files */

static int is_yaml(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot && !strcmp(dot, ".yaml");
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void print_difference(const char *expect_path, const char *messages)
{
	char command[400], got[] = "/tmp/test_conf.XXXXXX";
	int fd = mkstemp(got);

	assert_true(fd >= 0);
	close(fd);
	write_text(got, messages);
	snprintf(command, sizeof(command), "diff -u %s %s >&2", expect_path, got);
	if (system(command) < 0)
		print_error("cannot run diff\n");
	unlink(got);
}

/* 1 when the messages are not those of the .expect file. */
static int golden(const char *name)
{
	char expect_path[300];
	struct conf *c;
	char *messages;
	int err = load(name, NULL, &c, &messages);
	bool failed = strstr(messages, ": error: ") != NULL;

	snprintf(expect_path, sizeof(expect_path), "%.*s.expect", (int)(strlen(name) - 5), name);
	if (getenv("UPDATE_GOLDEN"))
		write_text(expect_path, messages);
	char *expect = file_text(expect_path);
	int different =
		strcmp(expect, messages) != 0 || (err != 0) != failed || (c == NULL) != failed;
	if (different) {
		print_error("%s: conf_load gave %d\n", name, err);
		print_difference(expect_path, messages);
	}
	conf_destroy(c);
	free(expect);
	free(messages);
	return different;
}

static void test_golden(void **state)
{
	struct dirent **files;
	char *top = get_current_dir_name();
	int different = 0;
	(void)state;

	assert_int_equal(chdir(GOLDEN_DIR), 0);
	int n = scandir(".", &files, is_yaml, alphasort);
	for (int i = 0; i < n; i++) {
		different += golden(files[i]->d_name);
		free(files[i]);
	}
	free(files);
	assert_int_equal(chdir(top), 0);
	free(top);
	assert_true(n >= 40);
	assert_int_equal(different, 0);
}

/* ---- what a file means */

static void test_defaults(void **state)
{
	struct conf *c = load_good("config/minimal.yaml", NULL);
	(void)state;

	assert_int_equal(c->workers.ncpus, 0);
	assert_int_equal(c->workers.count, 0);
	assert_int_equal(c->workers.poll, CONF_POLL_ADAPTIVE);
	assert_int_equal(c->memory.frames, 0);
	assert_int_equal(c->memory.frame_size, 2048);
	assert_int_equal(c->memory.hugepages, CONF_HUGEPAGES_PREFER);
	assert_int_equal(c->xdp.mode, CONF_XDP_BEST_EFFORT);
	assert_int_equal(c->xdp.ring_size, 2048);
	assert_int_equal(c->xdp.busy_poll_usecs, 0);
	assert_false(c->xdp.replace);
	assert_int_equal(c->nifaces + c->nroutes + c->nneighbours, 0);
	assert_string_equal(c->stats.socket.path, "");
	assert_int_equal(c->stats.socket.mode, 0660);
	assert_int_equal(c->stats.read_only_socket.mode, 0666);
	assert_int_equal(c->stats.log_level, LOG_INFORM);
	conf_destroy(c);
}

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void assert_addr(const struct addr *a, const char *text)
{
	struct addr b = address(text);

	assert_true(addr_equal(a, &b));
}

static void test_example_interfaces(void **state)
{
	struct conf *c = load_good("config/router.yaml", NULL);
	(void)state;

	assert_int_equal(c->workers.ncpus, 4);
	assert_int_equal(c->workers.cpus[0], 2);
	assert_int_equal(c->workers.cpus[3], 5);
	assert_int_equal(c->xdp.busy_poll_usecs, 20);
	assert_int_equal(c->nifaces, 6);
	const struct conf_iface *wan0 = &c->ifaces[0], *wan1 = &c->ifaces[1];
	assert_string_equal(wan0->name, "wan0");
	assert_true(wan0->has_mac);
	assert_int_equal(wan0->mac[3], 0xaa);
	assert_string_equal(wan0->netdev, "");
	assert_int_equal(wan0->xdp_mode, CONF_XDP_ZERO_COPY);
	assert_int_equal(wan0->mtu, 1500);
	assert_int_equal(wan0->naddresses, 2);
	assert_addr(&wan0->addresses[0].addr, "203.0.113.2");
	assert_int_equal(wan0->addresses[0].len, 29);
	assert_addr(&wan0->addresses[1].addr, "2001:db8:0:1::2");
	assert_int_equal(wan0->line > 0, 1);
	assert_string_equal(wan1->netdev, "eth3");
	assert_int_equal(wan1->xdp_mode, CONF_XDP_DEFAULT);
	assert_string_equal(c->ifaces[3].netdev, "lan0.20");
	conf_destroy(c);
}

/* Names of tables stand for their numbers, also where they come before these. */
static void test_example_policy(void **state)
{
	struct conf *c = load_good("config/router.yaml", NULL);
	const struct conf_policy *p = c->policies;
	(void)state;

	assert_int_equal(c->routes[4].table, 100);
	assert_int_equal(c->ntables, 1);
	assert_string_equal(c->tables[0].name, "guest");
	assert_string_equal(c->vrfs[0].name, "mgmt");
	assert_int_equal(c->vrfs[0].table, 1000);
	assert_string_equal(c->ifaces[5].vrf, "mgmt");
	assert_int_equal(c->npolicies, 4);
	assert_true(p[0].mark == 0x20 && p[0].mark_mask == 0xff && p[0].table == 100);
	assert_int_equal(p[0].family, 0);
	assert_int_equal(p[1].family, AF_INET);
	assert_string_equal(p[1].in, "lan0.20");
	assert_true(p[1].proto == IPPROTO_UDP && p[1].sport.first == 1024 &&
		    p[1].sport.last == 49151 && p[1].dport.last == 53);
	assert_true(p[2].has_dscp && p[2].dscp == 46 && p[2].invert && p[2].suppress == 0);
	assert_int_equal(p[2].family, AF_INET6);
	assert_int_equal(p[3].type, CONF_POLICY_PROHIBIT);
	assert_int_equal(p[3].suppress, -1);
	assert_false(p[3].has_dscp);
	conf_destroy(c);
}

static void test_example_routes(void **state)
{
	struct conf *c = load_good("config/router.yaml", NULL);
	const struct conf_route *r = c->routes;
	(void)state;

	assert_int_equal(c->nroutes, 6);
	assert_int_equal(r[0].to.addr.family, AF_INET);
	assert_int_equal(r[0].to.len, 0);
	assert_int_equal(r[0].table, 254);
	assert_int_equal(r[0].nnexthops, 1);
	assert_int_equal(r[0].nexthops[0].weight, 1);
	assert_int_equal(r[1].to.addr.family, AF_INET6); /* default, by its next hop */
	assert_int_equal(r[2].to.addr.family, AF_INET);
	assert_addr(&r[2].nexthops[0].via, "fe80::9");
	assert_string_equal(r[2].nexthops[0].dev, "core0");
	assert_int_equal(r[3].nnexthops, 2);
	assert_int_equal(r[3].nexthops[0].weight, 3);
	assert_int_equal(r[4].table, 100);
	assert_int_equal(r[5].type, CONF_ROUTE_BLACKHOLE);
	assert_int_equal(r[5].metric, 4000);
	assert_int_equal(r[5].nnexthops, 0);
	assert_int_equal(c->nneighbours, 1);
	assert_addr(&c->neighbours[0].ip, "10.0.0.9");
	assert_int_equal(c->neighbours[0].mac[5], 9);
	assert_string_equal(c->stats.socket.path, "/run/router/router.sock");
	assert_string_equal(c->stats.socket.group, "router");
	conf_destroy(c);
}

static void test_cpu_lists(void **state)
{
	struct conf *c =
		load_good("t.yaml", "{version: 1, router: {workers: {cpus: [0, 2-3, \"7\"]}}}");
	(void)state;

	assert_int_equal(c->workers.ncpus, 4);
	assert_int_equal(c->workers.cpus[1], 2);
	assert_int_equal(c->workers.cpus[3], 7);
	conf_destroy(c);
	c = load_good("t.yaml", "{version: 1, router: {workers: {cpus: 3}}}");
	assert_int_equal(c->workers.ncpus, 1);
	assert_int_equal(c->workers.cpus[0], 3);
	conf_destroy(c);
}

/* YAML 1.1 readers make numbers of these; here a word is the text it is. */
static void test_yaml_1_1_traps(void **state)
{
	struct conf *c = load_good("t.yaml", "version: 1\n"
					     "interfaces: {a: {match: {mac: 10:20:30:40:50:10}}}\n"
					     "router: {memory: {hugepages: off}}\n"
					     "stats: {socket: {mode: 0660, group: no}}\n");
	(void)state;

	assert_int_equal(c->ifaces[0].mac[0], 0x10);
	assert_int_equal(c->memory.hugepages, CONF_HUGEPAGES_OFF);
	assert_int_equal(c->stats.socket.mode, 0660);
	assert_string_equal(c->stats.socket.group, "no");
	char *text = printed(c); /* and what we print is quoted, so that they do not */
	assert_non_null(strstr(text, "hugepages: \"off\""));
	assert_non_null(strstr(text, "mac: \"10:20:30:40:50:10\""));
	assert_non_null(strstr(text, "mode: \"0660\""));
	assert_non_null(strstr(text, "group: \"no\""));
	free(text);
	conf_destroy(c);
}

static void test_files_that_are_not_there(void **state)
{
	struct conf *c = (struct conf *)1;
	char *messages;
	size_t len;
	FILE *out = open_memstream(&messages, &len);
	(void)state;

	assert_int_equal(conf_load("/nonexistent/router.yaml", NULL, out, &c), -ENOENT);
	assert_int_equal(conf_load("/tmp", NULL, out, &c), -EISDIR);
	assert_int_equal(conf_load("/dev/zero", NULL, out, &c), -EINVAL);
	fclose(out);
	assert_ptr_equal(c, (struct conf *)1); /* untouched */
	assert_non_null(strstr(
		messages, "/nonexistent/router.yaml: error: No such file or directory\n1 error\n"));
	free(messages);
}

/* ---- limits: bytes, nodes, depth, aliases, messages */

static char *repeated(const char *head, const char *unit, size_t times, const char *tail)
{
	size_t unit_len = strlen(unit), head_len = strlen(head);
	char *text = malloc(head_len + unit_len * times + strlen(tail) + 1), *p = text + head_len;

	strcpy(text, head);
	for (size_t i = 0; i < times; i++, p += unit_len)
		memcpy(p, unit, unit_len);
	strcpy(p, tail);
	return text;
}

static void assert_message(const char *text, const char *wanted)
{
	struct conf *c;
	char *messages;

	load("t.yaml", text, &c, &messages);
	if (!strstr(messages, wanted))
		fail_msg("no \"%s\" in:\n%s", wanted, messages);
	conf_destroy(c);
	free(messages);
}

static void assert_limit(const char *head, const char *unit, size_t times, const char *tail,
			 const char *wanted)
{
	char *text = repeated(head, unit, times, tail);

	assert_message(text, wanted);
	free(text);
}

static void test_limits(void **state)
{
	(void)state;
	assert_limit("version: 1 #", "x", 17 << 20, "\n", "larger than 16 MiB");
	assert_limit("a: [", "1,", 1000001, "]", "more than 1000000 nodes");
	assert_limit("a: ", "[", 100, "", "nested deeper than 32 levels");
	assert_limit("a: ", "[", 32, "", "nested deeper than 32 levels");
	assert_limit("version: 1\n", "x: 1\n", 2000, "", "more errors not shown");
	assert_limit("a: ", "&a b\n", 1, "", "unknown key");
}

static void test_alias_bomb(void **state)
{
	char *text = calloc(1, 4096);
	(void)state;

	strcpy(text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 9; i++)
		sprintf(text + strlen(text),
			"a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
			i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	assert_message(text, "aliases make this larger than 1000000 nodes");
	text[0] = '\0';
	for (int i = 0; i < 40; i++)
		sprintf(text + strlen(text), i ? "a%d: &a%d [*a%d]\n" : "a%d: &a%d [x]\n", i, i,
			i - 1);
	assert_message(text, "nested deeper than 32 levels");
	free(text);
}

/* A million of anything is decided in seconds, not hours. */
static void test_many_entries(void **state)
{
	FILE *f;
	char *text;
	size_t len;
	struct conf *c;
	char *messages;
	(void)state;

	f = open_memstream(&text, &len);
	fputs("version: 1\ninterfaces: {a: {addresses: [", f);
	for (unsigned i = 0; i < 60000; i++)
		fprintf(f, "10.%u.%u.1/%u,", i >> 8, i & 255, 20 + i % 8);
	fputs("]}}\nrouting: {routes: [\n", f);
	for (unsigned i = 0; i < 60000; i++)
		fprintf(f, "{to: 20.%u.%u.0/24, via: 10.%u.%u.2},\n", i >> 8, i & 255, i >> 8,
			i & 255);
	fputs("]}\n", f);
	fclose(f);
	assert_int_equal(load("t.yaml", text, &c, &messages), 0);
	assert_int_equal(c->nroutes, 60000);
	assert_string_equal(messages, "");
	conf_destroy(c);
	free(messages);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_example_interfaces),
		cmocka_unit_test(test_example_policy),
		cmocka_unit_test(test_example_routes),
		cmocka_unit_test(test_cpu_lists),
		cmocka_unit_test(test_yaml_1_1_traps),
		cmocka_unit_test(test_files_that_are_not_there),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test(test_many_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
