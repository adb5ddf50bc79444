/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lab for tests of steering on a real device, in a network and a mount namespace of the test's
 * own, with a private bpffs. `port` is our end of a veth pair, `peer` the other one in a second
 * network namespace, which a sleeping child keeps alive; every namespace is unnamed and ends with
 * the test.
 */
#ifndef TESTS_UNIT_STEER_LAB_H
#define TESTS_UNIT_STEER_LAB_H

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "xsk/steer.h"

static char dir[] = "/tmp/steer-XXXXXX", pin_dir[64];
static pid_t peer;
static char why[STEER_WHY];

/* ---- the outside world ---- */

static inline int __attribute__((format(printf, 1, 2))) sh(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

#define SH(...) assert_int_equal(sh(__VA_ARGS__), 0)

static inline int ifindex_of(const char *name)
{
	return if_nametoindex(name);
}

static inline uint32_t program_on(const char *name)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);

	assert_int_equal(bpf_xdp_query(ifindex_of(name), 0, &q), 0);
	return q.prog_id;
}

/* ---- steering ---- */

static inline struct steer *open_steer(void)
{
	struct steer *s = NULL;

	if (steer_create(pin_dir, &s, why))
		fail_msg("%s", why);
	assert_null(steer_note(s));
	return s;
}

static inline struct steer_port_config config_of(const char *name)
{
	struct steer_port_config c = { .ifindex = ifindex_of(name), .name = name, .queues = 1 };
	struct ifreq r = {};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &r), 0);
	memcpy(c.mac, r.ifr_hwaddr.sa_data, 6);
	close(fd);
	return c;
}

static inline struct steer_port *open_port(struct steer *s, const struct steer_port_config *c)
{
	struct steer_port *p = NULL;

	if (steer_port_create(s, c, &p, why))
		fail_msg("%s", why);
	return p;
}

static inline struct steer_port *attach(struct steer *s, const char *name)
{
	struct steer_port_config c = config_of(name);
	struct steer_port *p = open_port(s, &c);

	if (steer_port_attach(p, why))
		fail_msg("%s", why);
	return p;
}

static inline int clean(void **state)
{
	(void)state;
	steer_cleanup(pin_dir, NULL, NULL);
	bpf_xdp_detach(ifindex_of("port"), 0, NULL);
	return 0;
}

/* ---- the lab ---- */

static inline pid_t start_peer(void)
{
	int fds[2];
	char c;
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) || write(fds[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(fds[1]);
	if (pid > 0 && read(fds[0], &c, 1) != 1)
		pid = -1;
	close(fds[0]);
	return pid;
}

static inline int start_lab(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || !mkdtemp(dir))
		return -1;
	if (mount("bpf", dir, "bpf", 0, NULL))
		return -1;
	snprintf(pin_dir, sizeof(pin_dir), "%s/router", dir);
	peer = start_peer();
	if (peer < 0)
		return -1;
	/* `twin` and `port` get the same ifindex, each in its namespace */
	return sh("ip link set lo up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
		  "net.ipv6.conf.default.disable_ipv6=1 && "
		  "nsenter -t %d -n ip link add twin index 77 type veth peer name twin1 && "
		  "ip link add port index 77 type veth peer name peer netns %d && "
		  "nsenter -t %d -n sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && "
		  "ip addr add 10.9.0.1/24 dev port && ip addr add 192.0.2.1/32 dev lo && "
		  "ip link set port up && nsenter -t %d -n ip addr add 10.9.0.2/24 dev peer && "
		  "nsenter -t %d -n ip link set peer up && "
		  "nsenter -t %d -n ip route add 192.0.2.0/24 via 10.9.0.1",
		  peer, peer, peer, peer, peer, peer);
}

static inline void stop_lab(void)
{
	if (peer > 0) {
		kill(peer, SIGKILL);
		waitpid(peer, NULL, 0);
	}
	umount2(dir, MNT_DETACH);
	rmdir(dir);
}

#endif
