// SPDX-License-Identifier: GPL-2.0-or-later
/* The XDP program on a real device (tests/unit/steer_lab.h): attach, adopt, refuse, replace,
 * survive, clean up, and words for what went wrong. */
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include <linux/if_link.h>

#include "tests/unit/steer_lab.h"

static const char *pin_of(const char *name, const char *what)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/port-%d%s%s", pin_dir, ifindex_of(name),
		 what[0] ? "/" : "", what);
	return path;
}

static bool pinned(const char *name, const char *what)
{
	return access(pin_of(name, what), F_OK) == 0;
}

static uint32_t pinned_link_id(const char *name)
{
	struct bpf_link_info info = {};
	uint32_t len = sizeof(info);
	int fd = bpf_obj_get(pin_of(name, "link"));

	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	close(fd);
	return info.id;
}

/* A life of the daemon in one call: attach `port` and die, leaving the pins. */
static void live_and_die(void)
{
	struct steer *s = open_steer();
	struct steer_port *p = attach(s, "port");

	steer_port_destroy(p, false);
	steer_destroy(s, false);
}

static int foreign_program(void)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "foreign_prog", "GPL", pass, 2, NULL);
}

/* ---- tests ---- */

static void test_attach_and_leave_nothing(void **state)
{
	static const char *const pins[] = { "link", "xsks", "verdicts", "state" };
	struct steer *s = open_steer();
	struct steer_port *p = attach(s, "port");

	(void)state;
	assert_string_equal(steer_port_mode(p), "native");
	assert_int_not_equal(program_on("port"), 0);
	for (int i = 0; i < 4; i++)
		assert_true(pinned("port", pins[i]));
	assert_int_equal(steer_port_attach(p, why), 0); /* again: nothing to do */
	steer_port_destroy(p, true);
	assert_int_equal(program_on("port"), 0);
	assert_false(pinned("port", ""));
	steer_destroy(s, true);
	assert_int_equal(access(pin_dir, F_OK), -1);
}

static void test_generic_mode(void **state)
{
	struct steer *s = open_steer();
	struct steer_port_config c = config_of("port");
	struct steer_port *p;

	(void)state;
	c.generic = true;
	p = open_port(s, &c);
	assert_int_equal(steer_port_attach(p, why), 0);
	assert_string_equal(steer_port_mode(p), "generic");
	steer_port_destroy(p, false);
	p = attach(s, "port"); /* the pinned link is of the wrong mode: a new one */
	assert_string_equal(steer_port_mode(p), "native");
	steer_port_destroy(p, true);
	steer_destroy(s, true);
}

static void test_next_process_adopts(void **state)
{
	uint32_t link, prog;
	int status;
	pid_t pid;

	(void)state;
	live_and_die();
	link = pinned_link_id("port");
	prog = program_on("port");
	assert_int_not_equal(prog, 0);
	pid = fork();
	if (!pid) {
		live_and_die();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(pinned_link_id("port"), link); /* same link, new program: no gap */
	assert_int_not_equal(program_on("port"), prog);
	assert_int_not_equal(program_on("port"), 0);
}

/* The old process may stop, and detach as it stops, after the new one has taken over. */
static void test_late_detach_spares_the_next(void **state)
{
	struct steer *s = open_steer();
	struct steer_port *p = attach(s, "port"), *next = attach(s, "port");
	uint32_t prog = program_on("port");

	(void)state;
	steer_port_destroy(p, true);
	assert_int_equal(program_on("port"), prog);
	assert_true(pinned("port", "link"));
	steer_port_destroy(next, true);
	assert_int_equal(program_on("port"), 0);
	steer_destroy(s, true);
}

static void test_killed_process_leaves_it_attached(void **state)
{
	int fds[2];
	char c;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		attach(open_steer(), "port");
		pause();
		_exit((int)write(fds[1], "x", 1));
	}
	while (!pinned("port", "state"))
		usleep(1000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 0);
	close(fds[0]);
	assert_int_not_equal(program_on("port"), 0);
	assert_true(pinned("port", "link"));
	live_and_die();
}

static void test_foreign_program_is_named(void **state)
{
	struct steer *s = open_steer();
	struct steer_port_config c = config_of("port");
	struct steer_port *p = open_port(s, &c);
	int foreign = foreign_program();
	uint32_t id;

	(void)state;
	assert_true(foreign >= 0);
	assert_int_equal(bpf_xdp_attach(c.ifindex, foreign, XDP_FLAGS_DRV_MODE, NULL), 0);
	id = program_on("port");
	assert_int_equal(steer_port_attach(p, why), -EBUSY);
	assert_non_null(strstr(why, "foreign_prog"));
	assert_null(strstr(why, "bpf_link"));
	assert_int_equal(program_on("port"), id);
	steer_port_destroy(p, true); /* never attached: theirs stays */
	assert_int_equal(program_on("port"), id);

	c.replace = true;
	p = open_port(s, &c);
	if (steer_port_attach(p, why))
		fail_msg("%s", why);
	assert_int_not_equal(program_on("port"), id);
	steer_port_destroy(p, true);
	assert_int_equal(program_on("port"), 0);
	steer_destroy(s, true);
	close(foreign);
}

static void test_foreign_link_is_not_replaced(void **state)
{
	LIBBPF_OPTS(bpf_link_create_opts, o, .flags = XDP_FLAGS_DRV_MODE);
	struct steer *s = open_steer();
	struct steer_port_config c = config_of("port");
	int foreign = foreign_program(), link;
	struct steer_port *p;

	(void)state;
	link = bpf_link_create(foreign, c.ifindex, BPF_XDP, &o);
	assert_true(link >= 0);
	c.replace = true;
	p = open_port(s, &c);
	assert_int_equal(steer_port_attach(p, why), -EBUSY);
	assert_non_null(strstr(why, "foreign_prog"));
	assert_non_null(strstr(why, "held by bpf_link"));
	assert_non_null(strstr(why, "by its owner only"));
	close(link);
	assert_int_equal(steer_port_attach(p, why), 0);
	steer_port_destroy(p, true);
	steer_destroy(s, true);
	close(foreign);
}

static void test_kernel_words_reach_the_operator(void **state)
{
	struct steer *s = open_steer();
	struct steer_port_config c = config_of("port");
	struct steer_port *p = open_port(s, &c);

	(void)state;
	SH("nsenter -t %d -n ip link set peer mtu 9000", peer);
	assert_int_equal(steer_port_attach(p, why), -ERANGE);
	SH("nsenter -t %d -n ip link set peer mtu 1500", peer);
	if (!strstr(why, "MTU"))
		fail_msg("%s", why);
	steer_port_destroy(p, true);
	c.ifindex = 9999;
	p = open_port(s, &c);
	assert_true(steer_port_attach(p, why) < 0);
	steer_port_destroy(p, true);
	steer_destroy(s, true);
}

static void test_same_ifindex_in_another_namespace(void **state)
{
	char path[64];
	int status, fd;
	pid_t pid;

	(void)state;
	live_and_die();
	snprintf(path, sizeof(path), "/proc/%d/ns/net", peer);
	pid = fork();
	if (!pid) {
		struct steer *s = open_steer();
		struct steer_port_config c = config_of("port");
		struct steer_port *p = open_port(s, &c);

		fd = open(path, O_RDONLY);
		if (fd < 0 || setns(fd, CLONE_NEWNET) || !ifindex_of("twin"))
			_exit(1);
		if (steer_port_attach(p, why) != -EBUSY)
			_exit(2);
		_exit(strstr(why, "another network namespace") ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_not_equal(program_on("port"), 0);
}

static int said;
static void count_lines(void *arg, const char *text)
{
	assert_ptr_equal(arg, &said);
	assert_non_null(strstr(text, "spare"));
	said++;
}

static void test_prune_and_gone_devices(void **state)
{
	struct steer *s = open_steer();
	char path[128];

	(void)state;
	SH("ip link add spare type veth peer name spare1 && ip link set spare up");
	steer_port_destroy(attach(s, "port"), false);
	steer_port_destroy(attach(s, "spare"), false);
	steer_destroy(s, false);

	s = open_steer(); /* the next start has no port `spare` any more */
	struct steer_port *p = attach(s, "port");
	said = 0;
	assert_int_equal(steer_prune(s, count_lines, &said), 1);
	assert_int_equal(said, 1);
	assert_int_equal(program_on("spare"), 0);
	assert_false(pinned("spare", ""));
	assert_int_not_equal(program_on("port"), 0);

	steer_port_destroy(attach(s, "spare"), false);
	snprintf(path, sizeof(path), "%s", pin_of("spare", ""));
	steer_port_destroy(p, true);
	steer_destroy(s, false);
	assert_int_equal(access(path, F_OK), 0);
	SH("ip link del spare");
	s = open_steer();
	assert_int_equal(access(path, F_OK), -1);
	steer_destroy(s, true);
}

static void test_cleanup(void **state)
{
	(void)state;
	live_and_die();
	assert_int_equal(steer_cleanup(pin_dir, NULL, NULL), 1);
	assert_int_equal(program_on("port"), 0);
	assert_int_equal(access(pin_dir, F_OK), -1);
	assert_int_equal(steer_cleanup(pin_dir, NULL, NULL), 0);
}

static uint32_t map_id(const char *path, uint32_t *max_entries)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	int fd = bpf_obj_get(path);

	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	close(fd);
	*max_entries = info.max_entries;
	return info.id;
}

/* A socket that goes on from process to process stands in no map but the latest. */
static void test_maps_of_before_go(void **state)
{
	int xsk = socket(AF_XDP, SOCK_RAW, 0), fd;
	struct steer *s[2];
	struct steer_port *p[2];
	uint32_t id = 0, entries;

	(void)state;
	assert_true(xsk >= 0);
	for (int i = 0; i < 2; i++) {
		struct steer_port_config c = config_of("port");

		s[i] = open_steer();
		p[i] = open_port(s[i], &c);
		assert_int_equal(steer_port_socket(p[i], 0, xsk), 0);
		if (!i) {
			assert_int_equal(steer_port_attach(p[0], why), 0);
			id = map_id(pin_of("port", "xsks"), &entries);
		}
	}
	steer_port_destroy(p[0], false);
	steer_destroy(s[0], false);
	assert_int_equal(steer_port_attach(p[1], why), 0);
	assert_int_not_equal(map_id(pin_of("port", "xsks"), &entries), id);
	steer_forget_before(s[1]);
	for (int i = 0; i < 500 && (fd = bpf_map_get_fd_by_id(id)) >= 0; i++) {
		close(fd);
		usleep(10000); /* a grace period of the kernel's */
	}
	assert_int_equal(fd, -ENOENT);
	steer_port_destroy(p[1], true);
	steer_destroy(s[1], true);
	close(xsk);
}

static void test_layout_of_pinned_maps(void **state)
{
	char path[128];
	uint32_t id, room;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/local4", pin_dir);
	live_and_die();
	id = map_id(path, &room);
	assert_int_equal(room, STEER_LOCALS_ROOM);
	live_and_die();
	assert_int_equal(map_id(path, &room), id); /* reused */
	for (int i = 0; i < 4; i++) {
		LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = i == 0 ? 0 : BPF_F_NO_PREALLOC);
		uint32_t older;

		assert_int_equal(unlink(path), 0);
		fd = bpf_map_create(BPF_MAP_TYPE_HASH, "older", i == 1 ? 8 : 4, i == 2 ? 1 : 2,
				    i == 3 ? 16 : STEER_LOCALS_ROOM, &o);
		assert_int_equal(bpf_obj_pin(fd, path), 0);
		close(fd);
		older = map_id(path, &room);
		live_and_die();
		assert_int_not_equal(map_id(path, &room), older); /* replaced */
		assert_int_equal(room, STEER_LOCALS_ROOM);
	}
}

/* NAT's ports outlive the process, for the program goes on; where the layout is another's, they are
 * made anew. */
static void test_natports_outlive_the_process(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_MMAPABLE);
	struct steer *s = open_steer();
	char path[128];
	int fd;

	(void)state;
	assert_null(steer_natports_note(s));
	steer_natports(s)[STEER_NAT_SIZE - 1] = 0x5a;
	steer_destroy(s, false);
	s = open_steer();
	assert_int_equal(steer_natports(s)[STEER_NAT_SIZE - 1], 0x5a);
	assert_int_equal(steer_natports(s)[0], 0);
	steer_destroy(s, false);

	snprintf(path, sizeof(path), "%s/natports", pin_dir);
	assert_int_equal(unlink(path), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "older", 4, 8, STEER_NAT_SIZE / 2, &o);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);
	s = open_steer();
	assert_int_equal(steer_natports(s)[STEER_NAT_SIZE - 1], 0);
	steer_destroy(s, true);
	assert_int_equal(access(pin_dir, F_OK), -1); /* nothing is left of it */
}

/* ---- where there is no bpffs ---- */

static int keep_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)keep, .permitted = (uint32_t)keep },
		{ .effective = keep >> 32, .permitted = keep >> 32 },
	};

	return (int)syscall(SYS_capset, &head, data);
}

/* The capabilities of the service are enough, but for mounting. */
static int child_without_sys_admin(void)
{
	struct steer *s;
	struct steer_port *p;
	struct steer_port_config c = config_of("port");

	if (keep_capabilities(1ULL << CAP_NET_ADMIN | 1ULL << CAP_NET_RAW | 1ULL << CAP_BPF))
		return 1;
	if (steer_create("/sys/fs/bpf/steer-test/deep", &s, why) || !steer_note(s))
		return 2;
	if (!strstr(steer_note(s), "nothing is pinned"))
		return 3;
	if (steer_port_create(s, &c, &p, why) || steer_port_attach(p, why))
		return fprintf(stderr, "%s\n", why), 4;
	return program_on("port") ? 0 : 5;
}

static void test_bpffs_is_mounted_or_done_without(void **state)
{
	struct steer *s;
	int status;
	pid_t pid;

	(void)state;
	while (!umount2("/sys/fs/bpf", MNT_DETACH)) /* in our mount namespace only */
		;
	pid = fork();
	if (!pid)
		_exit(child_without_sys_admin());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(program_on("port"), 0); /* unpinned: it left with the process */

	assert_int_equal(steer_create("/sys/fs/bpf/steer-test/deep", &s, why), 0);
	assert_null(steer_note(s));
	assert_int_equal(access("/sys/fs/bpf/steer-test/deep/local4", F_OK), 0);
	steer_destroy(s, true);
	assert_int_equal(access("/sys/fs/bpf/steer-test/deep", F_OK), -1);
	umount2("/sys/fs/bpf", MNT_DETACH);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, clean)
	const struct CMUnitTest tests[] = {
		TEST(test_attach_and_leave_nothing),
		TEST(test_generic_mode),
		TEST(test_next_process_adopts),
		TEST(test_maps_of_before_go),
		TEST(test_late_detach_spares_the_next),
		TEST(test_killed_process_leaves_it_attached),
		TEST(test_foreign_program_is_named),
		TEST(test_foreign_link_is_not_replaced),
		TEST(test_kernel_words_reach_the_operator),
		TEST(test_same_ifindex_in_another_namespace),
		TEST(test_prune_and_gone_devices),
		TEST(test_cleanup),
		TEST(test_layout_of_pinned_maps),
		TEST(test_natports_outlive_the_process),
		TEST(test_bpffs_is_mounted_or_done_without),
	};
	int failed;

	if (start_lab()) {
		fprintf(stderr, "no namespaces with veth and bpffs here: %s\n", strerror(errno));
		stop_lab();
		return 77;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	stop_lab();
	return failed;
}
