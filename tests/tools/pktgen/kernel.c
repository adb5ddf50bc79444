// SPDX-License-Identifier: GPL-2.0-or-later
/* The same run by the kernel's own pktgen module, where there is one (`pktgen gen --kernel`).
 *
 * Settings are lines written to files below /proc/net/pktgen, which show the network namespace
 * that opens them. Writing "start" blocks until the count is sent or a signal comes. Where it
 * differs from our generator: fields step all at once with each packet, so flows are as many as
 * the longest range and --flows is not asked; its clock is CLOCK_REALTIME (sink --wall); and its
 * packets carry no flow number, so that the sink judges order over all of them. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/tools/pktgen/pktgen.h"

#define DIR_PATH "/proc/net/pktgen"

__attribute__((format(printf, 2, 3))) static int put(const char *file, const char *format, ...)
{
	char path[64], line[160];
	va_list args;
	int fd, n, err;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	snprintf(path, sizeof(path), DIR_PATH "/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write(fd, line, (size_t)n) < 0 ? -errno : 0;
	close(fd);
	if (err && err != -EINTR)
		fprintf(stderr, "pktgen: %s: \"%s\": %s\n", path, line, strerror(-err));
	return err;
}

/* "dst_min A" and "dst_max B", or their IPv6 names. */
static int put_range(const char *dev, const char *what, const struct range *r)
{
	const char *six = r->family == AF_INET6 ? "6" : "";
	struct in6_addr last = r->first;
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
	uint64_t low = r->walk.base + r->walk.count - 1;
	uint64_t half = htobe64(low);
	uint32_t quad = htonl((uint32_t)low);
	int err;

	if (r->family == AF_INET6)
		memcpy(&last.s6_addr[8], &half, sizeof(half));
	else
		memcpy(&last, &quad, sizeof(quad));
	inet_ntop(r->family, &r->first, a, sizeof(a));
	inet_ntop(r->family, &last, b, sizeof(b));
	err = put(dev, "%s%s_min %s", what, six, a);
	return err ? err : put(dev, "%s%s_max %s", what, six, b);
}

static int put_ports(const char *dev, const char *what, const struct gen_walk *w)
{
	int err = put(dev, "udp_%s_min %" PRIu64, what, (uint64_t)w->base);

	return err ? err : put(dev, "udp_%s_max %" PRIu64, what, (uint64_t)w->base + w->count - 1);
}

static int put_mac(const char *dev, const char *what, const uint8_t m[6])
{
	return put(dev, "%s %02x:%02x:%02x:%02x:%02x:%02x", what, m[0], m[1], m[2], m[3], m[4],
		   m[5]);
}

static int put_size(const struct gen_options *o)
{
	if (o->size)
		return put(o->dev, "pkt_size %u", o->size - FCS_LEN);
	return put(o->dev, "imix_weights %u,7 590,4 %u,1",
		   imix_size(0, o->src.family == AF_INET6) - FCS_LEN, FRAME_MAX);
}

static int configure(const struct gen_options *o, const char *thread)
{
	return put(thread, "rem_device_all") ?: put(thread, "add_device %s", o->dev)
		?: put(o->dev, "count %" PRIu64, o->count)
		?: put_size(o)
		?: put_mac(o->dev, "dst_mac", o->dst_mac)
		?: put_mac(o->dev, "src_mac", o->src_mac)
		?: put_range(o->dev, "src", &o->src)
		?: put_range(o->dev, "dst", &o->dst)
		?: put_ports(o->dev, "src", &o->sport)
		?: put_ports(o->dev, "dst", &o->dport)
		?: (o->rate ? put(o->dev, "ratep %" PRIu64, o->rate) : put(o->dev, "delay 0"));
}

/* "Result: OK: 2000132(c1999700+d432) usec, 20000 (60byte,0frags)" */
static int print_result(const struct gen_options *o)
{
	char path[64], line[256];
	unsigned int len = 0;
	struct report r = { 0 };
	FILE *f;

	snprintf(path, sizeof(path), DIR_PATH "/%s", o->dev);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Result: OK: %" SCNu64 "(%*[^)]) usec, %" SCNu64 " (%ubyte", &r.ns,
			   &r.packets, &len) == 3)
			r.ns *= 1000;
	fclose(f);
	if (!len)
		return -EIO;
	r.bytes = r.packets * len;
	report_print(&r, o->json);
	report_number("dropped", 0, o->json);
	if (o->json)
		puts("}");
	return 0;
}

static void on_alarm(int sig)
{
	(void)sig; /* its coming is all: the write of "start" returns */
}

int kernel_run(const struct gen_options *o)
{
	struct itimerval limit = { .it_value = { .tv_sec = (time_t)o->seconds,
						 .tv_usec = (long)(o->seconds * 1e6) % 1000000 } };
	struct sigaction sa = { .sa_handler = on_alarm };
	sigset_t set;
	char thread[32];
	int err;

	if (access(DIR_PATH "/pgctrl", W_OK) && system("modprobe -q pktgen") != 0) {
		fputs("pktgen: this kernel has no pktgen module\n", stderr);
		return -ENOENT;
	}
	snprintf(thread, sizeof(thread), "kpktgend_%d", o->cpu < 0 ? sched_getcpu() : o->cpu);
	err = configure(o, thread);
	if (err)
		return err;
	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigfillset(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
	err = put("pgctrl", "start");
	put("pgctrl", "stop");
	if (!err || err == -EINTR)
		err = print_result(o);
	put(thread, "rem_device_all");
	return err;
}
