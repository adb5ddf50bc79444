// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chains at input and output in a network namespace of the test's own: Linux takes all that can be
 * rendered, does with packets what the rules say and counts them; a new configuration is all or
 * nothing, and what goes on goes on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/nft_lab.h"

static struct nft *n;
static bool may_nft;

static bool sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool sh(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return system(line) == 0;
}

static int namespace_new(void **state)
{
	(void)state;
	may_nft =
		unshare(CLONE_NEWNET) == 0 &&
		sh("ip link set lo up && nft add table inet probe && nft delete table inet probe");
	n = nft_new("");
	return 0;
}

static int namespace_end(void **state)
{
	(void)state;
	nft_destroy(n);
	return 0;
}

static void need_nft(void)
{
	if (!may_nft) {
		print_message("no network namespace with nftables\n");
		skip();
	}
}

static int apply_text(const char *chains)
{
	struct conf *c = conf_with(chains);
	int check, err;

	why[0] = '\0';
	check = nft_check(n, c, why, sizeof(why));
	err = nft_apply(n, c, why, sizeof(why));
	conf_destroy(c);
	assert_int_equal(check, err);
	return err;
}

static void apply(const char *chains)
{
	if (apply_text(chains))
		fail_msg("%s", why);
}

static bool there(const char *words)
{
	return sh("nft list ruleset | grep -q -- '%s'", words);
}

static uint64_t packets_of(const char *chain, const char *name)
{
	const struct nft_counter *all;
	unsigned count;

	assert_int_equal(nft_counters(n, &all, &count), 0);
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(all[i].chain, chain) &&
		    (name ? !all[i].policy && !strcmp(all[i].name, name) : all[i].policy)) {
			assert_true(all[i].bytes >= 20 * all[i].packets);
			return all[i].packets;
		}
	fail_msg("no rule %s in %s", name, chain);
	return 0;
}

/* ---- packets to ourselves */

static int send_udp(const char *to, uint16_t port)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool v6 = strchr(to, ':');
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), err = 0;
	char c = 0;

	inet_pton(v6 ? AF_INET6 : AF_INET, to, v6 ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr);
	assert_int_equal(connect(fd, v6 ? (void *)&a6 : (void *)&a4, v6 ? sizeof(a6) : sizeof(a4)),
			 0);
	if (send(fd, &c, 1, 0) != 1 || send(fd, &c, 1, 0) != 1)
		err = errno; /* the second one hears what came of the first */
	close(fd);
	return err;
}

static int connect_tcp(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), err;

	err = connect(fd, (void *)&to, sizeof(to)) ? errno : 0;
	if (err) {
		close(fd);
		return -err;
	}
	return fd;
}

static int listen_tcp(uint16_t port)
{
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (void *)&me, sizeof(me)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

/* ---- tests */

static const char every[] =
	"  t:\n"
	"    hook: input\n"
	"    rules:\n"
	"      - {in: [wan0, lan0], from: \"@banned\", to: \"!@nets\", action: "
	"count}\n"
	"      - {from: [10.0.0.0/8, 10.1.0.0/16, \"2001:db8::1-2001:db8::9\"], action: count}\n"
	"      - {proto: [tcp, udp], sport: \"!22\", dport: [1-9, \"80\"], action: count}\n"
	"      - {proto: tcp, flags: syn/syn+ack, sport: \"@ports\", action: count}\n"
	"      - {icmp: [echo-request, 3/4], action: count}\n"
	"      - {icmpv6: [echo-request], action: count}\n"
	"      - {dscp: [ef, cs1], mark: 0x10/0xff, ct: [new], status: [snat], action: count}\n"
	"      - {length: 20-1500, ttl: 1-5, fragment: false, action: count}\n"
	"      - {fragment: true, in: \"@doors\", action: count}\n"
	"      - {rate: {over: 5/s}, action: count}\n"
	"      - {rate: {under: 5/m, per: source}, action: count}\n"
	"      - {rate: {over: 5/h, per: destination}, action: count}\n"
	"      - {connections: {over: 5, per: source}, action: count}\n"
	"      - {lookup: {key: [from, dport], set: pairs}, proto: tcp, action: count}\n"
	"      - {lookup: {key: [to, sport], set: pairs, not: true}, action: count}\n"
	"      - {action: [{set-mark: 0x20/0xff}, save-mark, restore-mark, {set-dscp: ef}]}\n"
	"      - {action: [{mss-clamp: 1400}, {add-to: banned}, {jump: u}]}\n"
	"      - {action: {add-to: seen, key: [from, dport]}}\n"
	"      - {log: {prefix: hello, limit: 1/s}, action: count}\n"
	"      - {log: true, action: reject}\n"
	"      - {proto: tcp, action: {reject: tcp-reset}}\n"
	"      - {action: {reject: port-unreachable}}\n"
	"      - {action: {reject: host-unreachable}}\n"
	"      - {action: {reject: net-unreachable}}\n"
	"      - {action: {reject: admin-prohibited}}\n"
	"  u: {rules: [{action: return}, {action: accept}, {action: drop}]}\n"
	"  o: {hook: output, rules: [{out: \"!inside\", action: {mss-clamp: pmtu}}, {action: "
	"{jump: u}}]}\n"
	"  r: {hook: output, priority: raw, rules: [{action: notrack}]}\n"
	"  m: {hook: output, priority: mangle, rules: [{action: {set-mark: 1}}]}\n";

static void test_linux_takes_everything(void **state)
{
	const struct nft_counter *all;
	unsigned count;

	(void)state;
	need_nft();
	apply(every);
	assert_true(there("chain input-t"));
	assert_int_equal(nft_counters(n, &all, &count), 0);
	assert_true(count > 30);
	for (unsigned i = 0; i < count; i++)
		assert_true(all[i].policy || all[i].from_zones || all[i].line);
	assert_string_equal(all[4].match, "icmp: [echo-request, destination-unreachable/4]");
	assert_string_equal(all[4].action, "count");
	assert_true(nft_remove(n));
	assert_false(there("table"));
	assert_false(nft_remove(n));
	assert_int_equal(nft_counters(n, &all, &count), 0);
	assert_int_equal(count, 0);
}

static void test_rules_do_what_they_say(void **state)
{
	int lfd, fd;

	(void)state;
	need_nft();
	apply("  t:\n"
	      "    hook: input\n"
	      "    rules:\n"
	      "      - {name: quiet, proto: udp, dport: 1000, action: drop}\n"
	      "      - {name: loud, proto: udp, dport: 1001, action: reject}\n"
	      "      - {name: six, to: \"::1\", proto: udp, dport: 1002, action: count}\n"
	      "      - {name: tcp, proto: tcp, dport: 1003, action: reject}\n"
	      "      - {name: away, proto: udp, dport: 1004, action: {jump: more}}\n"
	      "      - {name: back, proto: udp, dport: 1004, action: count}\n"
	      "  more: {rules: [{name: log, log: true, action: [{set-mark: 7}, return]},"
	      "                 {name: no, action: drop}]}\n");
	assert_int_equal(send_udp("127.0.0.1", 1000), 0);
	assert_int_equal(packets_of("t", "quiet"), 2);
	assert_int_equal(send_udp("127.0.0.1", 1001), ECONNREFUSED);
	assert_int_equal(packets_of("t", "loud"), 1);
	send_udp("::1", 1002);
	assert_true(packets_of("t", "six") > 0);
	lfd = listen_tcp(1003);
	assert_int_equal(connect_tcp(1003), -ECONNREFUSED); /* a reset, though somebody listens */
	assert_int_equal(packets_of("t", "tcp"), 1);
	close(lfd);
	send_udp("127.0.0.1", 1004);
	assert_int_equal(packets_of("more", "log"), packets_of("t", "away"));
	assert_int_equal(packets_of("more", "no"), 0);
	assert_int_equal(packets_of("t", "back"), packets_of("t", "away"));
	assert_true(packets_of("t", NULL) > 0); /* answers of the kernel's own */
	fd = connect_tcp(1005);			/* nobody there */
	assert_int_equal(fd, -ECONNREFUSED);
}

/* Packets here come in by lo: a zone that lets nobody in. */
static const char closed[] =
	"version: 1\n"
	"interfaces: {self: {match: {mac: \"02:00:00:00:00:01\"}}}\n"
	"zones: {us: {interfaces: [self], input: drop}}\n"
	"filter:\n"
	"  second: {hook: input, priority: 5, rules: [\n"
	"      {name: dropped, proto: udp, dport: 1001, action: drop}]}\n"
	"  first: {hook: input, priority: filter, rules: [\n"
	"      {name: plain, proto: udp, dport: 1000-1001, action: accept},\n"
	"      {name: several, proto: udp, dport: 1002, action: [{set-mark: 7}, accept]},\n"
	"      {name: jump, proto: udp, dport: 1003, action: {jump: shared}}]}\n"
	"  same: {hook: input, priority: filter, rules: [\n"
	"      {name: marked, mark: 7, action: count}]}\n"
	"  late: {hook: input, priority: 20, rules: [{name: late, proto: udp, action: accept}]}\n"
	"  sent: {hook: output, rules: [{proto: udp, dport: 1003, action: {jump: shared}}]}\n"
	"  after: {hook: output, priority: 5, rules: [{name: sent, proto: udp, action: count}]}\n"
	"  shared: {rules: [{name: accept, action: accept}]}\n";

static const char *always_lo(void *arg, const char *iface)
{
	(void)arg;
	(void)iface;
	return "lo";
}

/* What a rule accepts, zones do not drop: by whichever chain before theirs. */
static void test_rules_win_over_zones(void **state)
{
	struct conf *c = load_good("router.yaml", closed);

	(void)state;
	need_nft();
	nft_destroy(n);
	assert_int_equal(nft_create("", always_lo, NULL, &n), 0);
	if (nft_apply(n, c, why, sizeof(why)))
		fail_msg("%s", why);
	conf_destroy(c);
	send_udp("127.0.0.1", 1000);
	assert_int_equal(packets_of("first", "plain"), 1); /* the error says: nobody listens */
	assert_int_equal(packets_of("zones-input", "zone:us input"), 0);
	send_udp("127.0.0.1", 1002);
	assert_int_equal(packets_of("first", "several"), 1);
	assert_int_equal(packets_of("same", "marked"),
			 1); /* chains run as they stand in the file */
	send_udp("127.0.0.1", 1003);
	assert_int_equal(packets_of("shared", "accept"), 2); /* once each way */
	assert_int_equal(packets_of("zones-input", "zone:us input"), 0);
	assert_true(packets_of("zones-input", "zone:established") > 0);
	send_udp("127.0.0.1", 1001);
	assert_int_equal(packets_of("second", "dropped"), 2);
	send_udp("127.0.0.1", 1009);
	assert_int_equal(packets_of("zones-input", "zone:us input"), 2);
	assert_int_equal(packets_of("late", "late"), 3);
	assert_true(sh("nft insert rule inet router output-after meta priority feed:1 counter "
		       "packets 0 bytes 0 drop"));
	send_udp("127.0.0.1", 1003);
	assert_int_equal(packets_of("after", "sent"), 8);
}

static void test_rates_and_connections(void **state)
{
	int lfd, fds[6];

	(void)state;
	need_nft();
	apply("  t:\n"
	      "    hook: input\n"
	      "    rules:\n"
	      "      - {name: all, proto: udp, dport: 1000, rate: {over: 5/h}, action: drop}\n"
	      "      - {name: each, proto: udp, dport: 1001, rate: {over: 5/h, per: source}, "
	      "action: drop}\n"
	      "      - {name: many, proto: tcp, dport: 1002, connections: {over: 4, per: source}, "
	      "action: reject}\n");
	for (int i = 0; i < 8; i++) {
		send_udp("127.0.0.1", 1000);
		send_udp("127.0.0.1", 1001);
		send_udp("::1", 1001);
	}
	assert_true(packets_of("t", "all") > 0);
	assert_true(packets_of("t", "each") > 0);
	lfd = listen_tcp(1002);
	for (int i = 0; i < 4; i++)
		assert_true((fds[i] = connect_tcp(1002)) >= 0);
	assert_int_equal(connect_tcp(1002), -ECONNREFUSED);
	assert_int_equal(packets_of("t", "many"), 1);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	close(lfd);
}

static const char counting[] =
	"  t: {hook: input, rules: [\n"
	"      {name: a, proto: udp, dport: 1000, action: drop},\n"
	"      {name: b, proto: udp, dport: 1001, action: {add-to: banned}}]}\n";
static const char changed[] =
	"  t: {hook: input, rules: [\n"
	"      {name: new, proto: udp, dport: 1009, action: drop},\n"
	"      {name: a, proto: udp, dport: 1000, action: drop},\n"
	"      {name: b, proto: udp, dport: 1001, action: [count, {add-to: banned}]}]}\n";

static void test_what_goes_on(void **state)
{
	(void)state;
	need_nft();
	apply(counting);
	send_udp("127.0.0.1", 1000);
	send_udp("127.0.0.1", 1001);
	assert_true(there("elements = { 127.0.0.1"));
	assert_int_equal(packets_of("t", "a"), 2);
	apply(counting); /* the same: nothing happens */
	assert_int_equal(packets_of("t", "a"), 2);
	apply(changed);
	assert_int_equal(packets_of("t", "new"), 0);
	assert_int_equal(packets_of("t", "a"), 2); /* the same rule in another place */
	assert_int_equal(packets_of("t", "b"), 0); /* another rule of that name */
	assert_true(there("elements = { 127.0.0.1 .*expires"));
	send_udp("127.0.0.1", 1000);
	assert_int_equal(packets_of("t", "a"), 4);

	assert_true(sh("nft flush ruleset")); /* somebody restarts nftables.service */
	apply(changed);
	assert_int_equal(packets_of("t", "a"), 0);
}

static int element(const char *set, const char *text, uint32_t timeout_s, bool add)
{
	return nft_element(n, set, text, timeout_s, add, why, sizeof(why));
}

/* What an operator adds: at once, and still there after a change of something else. */
static void test_elements_of_operators(void **state)
{
	static const char *const wrong[] = {
		"10.0.0.0/8",	"10.0.0.1-10.0.0.2",	     "x",	 "",
		"10.0.0.1 . 5", "10.0.0.1 }; flush ruleset", "10.0.0.1;"
	};
	static const char rules[] =
		"  t: {hook: input, rules: [\n"
		"      {name: a, from: \"@banned\", proto: udp, action: drop},\n"
		"      {from: \"@nets\", lookup: {key: [from, dport], set: pairs},\n"
		"       proto: udp, action: drop}%s]}\n";
	char text[512];

	(void)state;
	need_nft();
	snprintf(text, sizeof(text), rules, "");
	apply(text);
	assert_int_equal(element("banned", "127.0.0.1", 100, true), 1);
	assert_int_equal(element("banned", "127.0.0.1/32", 200, true), 1);
	assert_true(there("127.0.0.1 timeout 3m20s"));
	assert_int_equal(element("banned", "2001:db8::7", 0, true), 1);
	send_udp("127.0.0.1", 1000);
	assert_int_equal(packets_of("t", "a"), 2);
	assert_int_equal(element("nets", "172.16.0.0/12", 0, true), 1);
	assert_int_equal(element("nets", "172.40.0.0-172.40.0.9", 0, true), 1);
	assert_int_equal(element("pairs", "10.0.0.1 . 443", 0, true), 1);
	assert_true(there("172.16.0.0/12"));
	assert_true(there("10.0.0.1 . 443"));
	assert_int_equal(element("pairs", "10.0.0.1", 0, true), -EINVAL);
	assert_int_equal(element("pairs", "10.0.0.1 . 4-5", 0, true), -EINVAL);
	assert_int_equal(element("seen", "nobody asks for that one", 0, true), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (element("banned", wrong[i], 0, true) != -EINVAL)
			fail_msg("took %s", wrong[i]);
	snprintf(text, sizeof(text), rules, ", {name: new, proto: tcp, action: count}");
	apply(text);
	assert_true(there("127.0.0.1 timeout 3m20s"));
	assert_true(there("2001:db8::7"));
	assert_true(there("172.16.0.0/12"));
	assert_true(there("172.40.0.0-172.40.0.9"));
	assert_int_equal(element("banned", "127.0.0.1", 0, false), 1);
	assert_int_equal(element("banned", "127.0.0.1", 0, false), 0);
	assert_false(there("127.0.0.1"));
}

/* Ranges that time out are not merged: they come back as they are. */
static void test_ranges_with_timeouts(void **state)
{
	static const char timed[] =
		"version: 1\n"
		"interfaces: {lan0: {}}\n"
		"sets:\n"
		"  nets: {type: prefix, timeout: 1h, elements: [10.0.0.0/8]}\n"
		"  pairs: {type: [prefix, port], elements: [\"10.0.0.0/8 . 1-9\"]}\n"
		"filter: {t: {hook: input, rules: [\n"
		"  {name: %s, from: \"@nets\", lookup: {key: [from, dport], set: pairs}, proto: "
		"udp,\n"
		"   action: drop}]}}\n";
	struct conf *c;
	char text[1024];

	(void)state;
	need_nft();
	for (unsigned i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), timed, i ? "second" : "first");
		c = load_good("r.yaml", text);
		if (nft_apply(n, c, why, sizeof(why)))
			fail_msg("%s", why);
		conf_destroy(c);
		if (i)
			break;
		assert_int_equal(element("nets", "172.16.0.0/12", 100, true), 1);
		assert_int_equal(element("pairs", "172.16.0.0/12 . 80-90", 0, true), 1);
	}
	assert_true(there("second"));
	assert_true(there("172.16.0.0/12 timeout 1m40s"));
	assert_true(there("172.16.0.0/12 . 80-90"));
	assert_true(there("10.0.0.0/8 . 1-9"));
	assert_true(there("10.0.0.0/8 "));
}

static void test_all_or_nothing(void **state)
{
	struct conf *c = conf_with(changed);

	(void)state;
	need_nft();
	apply(counting);
	send_udp("127.0.0.1", 1000);
	/* what the checks of the file would have said, Linux says */
	c->chains[0].rules[1].match.lookup = (struct conf_lookup){ .set = "pairs", .nkey = 2 };
	c->chains[0].rules[1].match.lookup.key[1] = CONF_SOURCE_IN;
	assert_int_equal(nft_check(n, c, why, sizeof(why)), -EINVAL);
	if (strncmp(why, "router.yaml:15: rule \"a\" of chain \"t\": nftables: ", 49) != 0)
		fail_msg("%s", why);
	assert_int_equal(nft_apply(n, c, why, sizeof(why)), -EINVAL);
	assert_int_equal(packets_of("t", "a"), 2);
	assert_false(there("1009"));
	conf_destroy(c);
}

/* Loops are found before; if not, Linux finds them. */
static void test_errors_of_the_kernel_name_the_rule(void **state)
{
	struct conf *c = conf_with("  t: {hook: input, rules: [{name: x, action: {jump: u}}]}\n"
				   "  u: {rules: [{name: y, action: drop}]}\n");

	(void)state;
	need_nft();
	c->chains[1].rules[0].actions[0] = (struct conf_action){ .act = CONF_ACT_JUMP };
	strcpy(c->chains[1].rules[0].actions[0].name, "u");
	assert_int_equal(nft_apply(n, c, why, sizeof(why)), -EINVAL);
	if (!strstr(why, "rule \"y\" of chain \"u\": nftables: "))
		fail_msg("%s", why);
	assert_false(there("table"));
	conf_destroy(c);
}

static void test_nothing_configured_leaves_nothing(void **state)
{
	struct conf *c = load_good("r.yaml", "version: 1\ninterfaces: {a: {}}\n");
	struct nft *other = nft_new("other");

	(void)state;
	need_nft();
	apply(counting);
	assert_int_equal(nft_apply(other, c, why, sizeof(why)), 0);
	assert_true(there("table inet router {")); /* another's */
	nft_destroy(n);				   /* as a process that was killed */
	n = nft_new("");
	assert_int_equal(nft_apply(n, c, why, sizeof(why)), 0);
	assert_false(there("table"));
	nft_destroy(other);
	conf_destroy(c);
}

static int child_without_rights(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};
	struct conf *c = conf_with(counting);
	int err;

	if (syscall(SYS_capset, &head, data))
		return 1;
	err = nft_apply(n, c, why, sizeof(why));
	if (err != -EPERM)
		return fprintf(stderr, "%d: %s\n", err, why), 2;
	return strstr(why, "not permitted") ? 0 : 3;
}

/* CAP_NET_ADMIN alone is enough: tests/systemd/sandbox.sh says so of the unit. */
static int child_with_net_admin(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { .effective = 1 << CAP_NET_ADMIN,
						    .permitted = 1 << CAP_NET_ADMIN } };
	struct conf *c = conf_with(counting);

	if (syscall(SYS_capset, &head, data))
		return 1;
	if (nft_apply(n, c, why, sizeof(why)))
		return fprintf(stderr, "%s\n", why), 2;
	return nft_remove(n) ? 0 : 3;
}

static void test_rights(void **state)
{
	static int (*const children[])(void) = { child_without_rights, child_with_net_admin };

	(void)state;
	need_nft();
	for (int i = 0; i < 2; i++) {
		int status;
		pid_t pid = fork();

		if (!pid)
			_exit(children[i]());
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, namespace_new, namespace_end)
	const struct CMUnitTest tests[] = {
		TEST(test_linux_takes_everything),
		TEST(test_rules_do_what_they_say),
		TEST(test_rules_win_over_zones),
		TEST(test_rates_and_connections),
		TEST(test_what_goes_on),
		TEST(test_elements_of_operators),
		TEST(test_ranges_with_timeouts),
		TEST(test_all_or_nothing),
		TEST(test_errors_of_the_kernel_name_the_rule),
		TEST(test_nothing_configured_leaves_nothing),
		TEST(test_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
