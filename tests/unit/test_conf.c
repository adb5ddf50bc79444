// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration as its users see it: tests/config holds files beside the exact messages they
 * cause (no messages: the file is good); what is printed loads again as the same; the schema, the
 * annotated example and the JSON Schema name the same keys. UPDATE_GOLDEN=1 writes the .expect
 * files anew. Run from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/conf.h"
#include "config/schema.h"
#include "config/text.h"
#include "config/value.h"
#include "router/lib/log.h"

#define GOLDEN_DIR "tests/config"

/* Load and give back the messages, to be freed. */
static int load(const char *path, const char *text, struct conf **c, char **messages)
{
	size_t len;
	FILE *out = open_memstream(messages, &len);

	*c = NULL;
	int err = conf_load(path, text, out, c);
	fclose(out);
	return err;
}

static struct conf *load_good(const char *path, const char *text)
{
	struct conf *c;
	char *messages;
	int err = load(path, text, &c, &messages);

	if (err)
		print_error("%s", messages);
	free(messages);
	assert_int_equal(err, 0);
	return c;
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

static char *printed(const struct conf *c)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	conf_print(c, out);
	fclose(out);
	return text;
}

static char *file_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (f) {
		size_t n = fread(text, 1, (1 << 20) - 1, f);
		text[n] = '\0';
		fclose(f);
	}
	return text;
}

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
	assert_int_equal(c->nifaces, 5);
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

/* ---- printing */

static bool same_iface(const struct conf_iface *a, const struct conf_iface *b)
{
	bool same = !strcmp(a->name, b->name) && !strcmp(a->netdev, b->netdev) &&
		    a->has_mac == b->has_mac && !memcmp(a->mac, b->mac, 6) &&
		    a->queues == b->queues && a->xdp_mode == b->xdp_mode && a->mtu == b->mtu &&
		    a->naddresses == b->naddresses;

	for (unsigned i = 0; same && i < a->naddresses; i++)
		same = prefix_equal(&a->addresses[i], &b->addresses[i]);
	return same;
}

static bool same_route(const struct conf_route *a, const struct conf_route *b)
{
	bool same = prefix_equal(&a->to, &b->to) && a->table == b->table &&
		    a->metric == b->metric && a->type == b->type && a->nnexthops == b->nnexthops;

	for (unsigned i = 0; same && i < a->nnexthops; i++)
		same = addr_equal(&a->nexthops[i].via, &b->nexthops[i].via) &&
		       !strcmp(a->nexthops[i].dev, b->nexthops[i].dev) &&
		       a->nexthops[i].weight == b->nexthops[i].weight;
	return same;
}

static void assert_same(const struct conf *a, const struct conf *b)
{
	assert_memory_equal(&a->workers, &b->workers, sizeof(a->workers));
	assert_memory_equal(&a->memory, &b->memory, sizeof(a->memory));
	assert_int_equal(a->xdp.mode, b->xdp.mode);
	assert_int_equal(a->xdp.ring_size, b->xdp.ring_size);
	assert_int_equal(a->xdp.busy_poll_usecs, b->xdp.busy_poll_usecs);
	assert_int_equal(a->xdp.busy_poll_budget, b->xdp.busy_poll_budget);
	assert_int_equal(a->xdp.replace, b->xdp.replace);
	assert_memory_equal(&a->stats, &b->stats, sizeof(a->stats));
	assert_int_equal(a->nifaces, b->nifaces);
	for (unsigned i = 0; i < a->nifaces; i++)
		assert_true(same_iface(&a->ifaces[i], &b->ifaces[i]));
	assert_int_equal(a->nroutes, b->nroutes);
	for (unsigned i = 0; i < a->nroutes; i++)
		assert_true(same_route(&a->routes[i], &b->routes[i]));
	assert_int_equal(a->nneighbours, b->nneighbours);
	for (unsigned i = 0; i < a->nneighbours; i++) {
		assert_string_equal(a->neighbours[i].dev, b->neighbours[i].dev);
		assert_true(addr_equal(&a->neighbours[i].ip, &b->neighbours[i].ip));
		assert_memory_equal(a->neighbours[i].mac, b->neighbours[i].mac, 6);
	}
}

static void assert_prints_again(const struct conf *c)
{
	char *text = printed(c);
	struct conf *again = load_good("printed.yaml", text);

	assert_same(c, again);
	char *text_again = printed(again);
	assert_string_equal(text, text_again);
	free(text_again);
	free(text);
	conf_destroy(again);
}

static void test_example_prints_again(void **state)
{
	struct conf *c = load_good("config/router.yaml", NULL);
	(void)state;

	assert_prints_again(c);
	conf_destroy(c);
	c = load_good("config/minimal.yaml", NULL);
	assert_prints_again(c);
	conf_destroy(c);
}

static unsigned pick(unsigned *seed, unsigned n)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % n;
}

static void random_iface(struct conf_iface *f, unsigned index, unsigned *seed)
{
	static const char *const styles[] = { "eth%u",	"lan0.%u", "\"q%u\"", "0x%u",
					      "a,b]%u", "on%u",	   "#{\\%u" };

	sprintf(f->name, styles[pick(seed, 7)], index);
	if (pick(seed, 3) == 0)
		f->has_mac = true, memcpy(f->mac, (uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)index }, 6);
	else if (pick(seed, 2))
		sprintf(f->netdev, "n%u", index);
	else
		strcpy(f->netdev, f->name);
	f->queues = pick(seed, 2) ? 0 : 1 + pick(seed, 1024);
	f->xdp_mode = (enum conf_xdp_mode)pick(seed, 5);
	f->mtu = pick(seed, 2) ? 0 : 1280 + pick(seed, 60000);
	f->naddresses = pick(seed, 4);
	f->addresses = f->naddresses ? calloc(f->naddresses, sizeof(struct prefix)) : NULL;
	for (unsigned i = 0; i < f->naddresses; i++) {
		char text[64];
		sprintf(text, pick(seed, 2) ? "10.%u.%u.7/24" : "2001:db8:%x:%x::7/64", index, i);
		assert_int_equal(prefix_parse(text, &f->addresses[i]), 0);
	}
}

static void random_route(struct conf_route *r, unsigned index, unsigned *seed)
{
	char text[64];
	bool v6 = pick(seed, 2);

	sprintf(text, v6 ? "fd00:%x::/32" : "77.%u.0.0/16", index);
	assert_int_equal(prefix_parse(pick(seed, 8) ? text : v6 ? "::/0" : "0.0.0.0/0", &r->to), 0);
	r->table = pick(seed, 2) ? 254 : 1 + pick(seed, 1u << 24);
	r->metric = index + 1;
	r->type = pick(seed, 2) ? CONF_ROUTE_UNICAST : (enum conf_route_type)pick(seed, 4);
	r->nnexthops = r->type == CONF_ROUTE_UNICAST ? 1 + pick(seed, 3) : 0;
	r->nexthops = r->nnexthops ? calloc(r->nnexthops, sizeof(struct conf_nexthop)) : NULL;
	for (unsigned i = 0; i < r->nnexthops; i++) {
		struct conf_nexthop *h = &r->nexthops[i];
		sprintf(text, v6 || pick(seed, 4) == 0 ? "fe80::%x" : "172.16.0.%u", i + 1);
		if (pick(seed, 4))
			h->via = address(text);
		sprintf(h->dev, "n%u", i);
		h->weight = 1 + pick(seed, 2) * pick(seed, 256);
	}
}

static struct conf *random_conf(unsigned seed)
{
	struct conf *c = load_good("t.yaml", "version: 1");

	c->workers.ncpus = pick(&seed, 5);
	for (unsigned i = 0; i < c->workers.ncpus; i++)
		c->workers.cpus[i] = 3 * i + pick(&seed, 3);
	c->workers.count = c->workers.ncpus ? 0 : pick(&seed, 3);
	c->workers.poll = (enum conf_poll)pick(&seed, 2);
	c->memory.frames = pick(&seed, 2) * 65536;
	c->memory.hugepages = (enum conf_hugepages)pick(&seed, 3);
	c->xdp.mode = (enum conf_xdp_mode)(1 + pick(&seed, 4));
	c->xdp.ring_size = 64u << pick(&seed, 10);
	c->xdp.replace = pick(&seed, 2);
	c->stats.socket.mode = pick(&seed, 512);
	strcpy(c->stats.socket.path, pick(&seed, 2) ? "/run/a \"b\"\\: c#" : "");
	c->stats.log_level = 3 + pick(&seed, 5);
	c->nifaces = pick(&seed, 6);
	c->ifaces = c->nifaces ? calloc(c->nifaces, sizeof(*c->ifaces)) : NULL;
	for (unsigned i = 0; i < c->nifaces; i++)
		random_iface(&c->ifaces[i], i, &seed);
	c->nroutes = pick(&seed, 8);
	c->routes = c->nroutes ? calloc(c->nroutes, sizeof(*c->routes)) : NULL;
	for (unsigned i = 0; i < c->nroutes; i++)
		random_route(&c->routes[i], i, &seed);
	return c;
}

static void test_random_confs_print_again(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 500; seed++) {
		struct conf *c = random_conf(seed);
		assert_prints_again(c);
		conf_destroy(c);
	}
}

/* ---- the table, the example, the JSON Schema */

static bool names_key(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = strstr(text, key); p; p = strstr(p + 1, key))
		if (p[n] == ':' && p > text && strchr(" {\n", p[-1]))
			return true;
	return false;
}

static void test_example_mentions_every_key(void **state)
{
	char *text = file_text("config/router.yaml");
	unsigned missing = 0;
	(void)state;

	for (unsigned i = 1; i < schema_nrows; i++) {
		const char *path = schema_rows[i].path, *dot = strrchr(path, '.');
		const char *key = dot ? dot + 1 : path;
		if (strpbrk(key, "*["))
			continue;
		if (!names_key(text, key)) {
			print_error("config/router.yaml does not mention %s\n", path);
			missing++;
		}
	}
	free(text);
	assert_int_equal(missing, 0);
}

/* Every row has a container before it, a text for people, and a default that is its own text. */
static void test_rows_are_sound(void **state)
{
	struct value_error e;
	char buf[VALUE_TEXT_MAX];
	_Alignas(max_align_t) char field[512] = { 0 };
	(void)state;

	for (unsigned i = 1; i < schema_nrows; i++) {
		const struct schema_row *row = &schema_rows[i];
		assert_ptr_equal(schema_find(row->path), row); /* no path twice */
		assert_true(strlen(row->path) < 60 && row->doc[0]);
		assert_true(row->type != SCHEMA_ENUM || row->words);
		bool owned = false;
		for (unsigned j = 0; j < i; j++)
			owned |= schema_key_under(row, &schema_rows[j]) ||
				 ((schema_rows[j].type == SCHEMA_NAMED ||
				   schema_rows[j].type == SCHEMA_LIST) &&
				  schema_element(&schema_rows[j]) == row);
		assert_true(owned);
		if (!row->fallback)
			continue;
		assert_int_equal(value_parse(row, row->fallback, field, &e), 0);
		assert_string_equal(value_format(row, field, buf), row->fallback);
	}
}

/* Follow a row's path through the JSON Schema. */
static json_t *json_find(json_t *schema, const char *path)
{
	char step[64];

	while (schema && *path) {
		size_t n = strcspn(path, ".[");
		if (*path == '*' || *path == '[') {
			schema = json_object_get(schema,
						 *path == '*' ? "additionalProperties" : "items");
			path += *path == '*' ? 1 : 2;
		} else {
			snprintf(step, sizeof(step), "%.*s", (int)n, path);
			schema = json_object_get(json_object_get(schema, "properties"), step);
			path += n;
		}
		path += *path == '.';
	}
	return schema;
}

static void test_json_schema(void **state)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	json_error_t error;
	(void)state;

	assert_int_equal(conf_schema_json(out), 0);
	fclose(out);
	json_t *schema = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!schema)
		fail_msg("line %d: %s", error.line, error.text);
	for (unsigned i = 0; i < schema_nrows; i++) {
		const json_t *found = json_find(schema, schema_rows[i].path);
		if (!found)
			fail_msg("the JSON Schema lacks %s", schema_rows[i].path);
		assert_string_equal(json_string_value(json_object_get(found, "description")),
				    schema_rows[i].doc);
	}
	const json_t *mtu = json_find(schema, "interfaces.*.mtu");
	assert_int_equal(json_integer_value(json_object_get(mtu, "maximum")), 65535);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(schema, "required"), 0)),
		"version");
	json_decref(schema);
	free(text);
}

static void test_schema_text_names_every_key(void **state)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	(void)state;

	conf_schema_print(out);
	fclose(out);
	for (unsigned i = 1; i < schema_nrows; i++)
		assert_non_null(strstr(text, schema_rows[i].path));
	assert_non_null(strstr(
		text,
		"router.xdp.ring-size\n    number 64..32768, a power of two; default 2048\n"));
	free(text);
}

/* ---- words */

static void test_distance(void **state)
{
	(void)state;
	assert_int_equal(text_distance("masqurade", "masquerade"), 1);
	assert_int_equal(text_distance("adrdesses", "addresses"), 1); /* neighbours swapped */
	assert_int_equal(text_distance("", "mtu"), 3);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
	assert_int_equal(text_distance("same", "same"), 0);
}

static void test_guess(void **state)
{
	struct text_guess g = { .written = "mtuu" };
	struct text_guess none = { .written = "zones" };
	(void)state;

	text_guess_add(&g, "match");
	text_guess_add(&g, "mtu");
	text_guess_add(&g, "queues");
	assert_string_equal(g.best, "mtu");
	text_guess_add(&none, "routing");
	text_guess_add(&none, "router");
	assert_null(none.best);
}

static void test_quote(void **state)
{
	char buf[TEXT_QUOTE_MAX], long_word[200];
	(void)state;

	memset(long_word, 'x', sizeof(long_word));
	long_word[199] = '\0';
	assert_string_equal(text_quote("a\x1b[31m\xff", buf), "\"a?[31m?\"");
	assert_true(strlen(text_quote(long_word, buf)) < TEXT_QUOTE_MAX);
	assert_non_null(strstr(buf, "...\""));
	assert_string_equal(text_quote("\xc3\xa4", buf), "\"\xc3\xa4\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_example_interfaces),
		cmocka_unit_test(test_example_routes),
		cmocka_unit_test(test_cpu_lists),
		cmocka_unit_test(test_yaml_1_1_traps),
		cmocka_unit_test(test_files_that_are_not_there),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test(test_many_entries),
		cmocka_unit_test(test_example_prints_again),
		cmocka_unit_test(test_random_confs_print_again),
		cmocka_unit_test(test_example_mentions_every_key),
		cmocka_unit_test(test_rows_are_sound),
		cmocka_unit_test(test_json_schema),
		cmocka_unit_test(test_schema_text_names_every_key),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_guess),
		cmocka_unit_test(test_quote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
