/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storm: hosts that send everything a wire can carry, for soak tests: well-formed packets of both
 * families, the same mutated, and noise. The same seed makes the same frames in the same order.
 *
 * This file reads the command line and keeps to the rate; storm/packet.c makes packets and
 * storm/mutate.c breaks them. Says "ready" first. What a device took is in its own counters, so the
 * report is brief.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "router/lib/clock.h"
#include "tests/tools/number.h"
#include "tests/tools/storm/storm.h"

#define BACKLOG_MAX 256 /* a busy machine: what is later than this is not made up for */

static const char usage[] =
	"usage: storm DEV --dst-mac MAC --from ADDR[,ADDR...] --to ADDR[,ADDR...] [OPTION...]\n"
	"  --from, --to     up to 16 addresses each, of both families\n"
	"  --rate PPS       1000\n"
	"  --time SECONDS   until SIGINT or SIGTERM if left out\n"
	"  --seed N         1\n"
	"  --mutate PERCENT of the frames that are changed before they go (50)\n"
	"  --mtu BYTES      of IP packets (1500)\n";

static volatile sig_atomic_t stopped;

struct options {
	const char *dev;
	unsigned long rate, seconds, seed, mutate;
	bool have_mac;
};

static void on_stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static int parse_hosts(char *list, struct addr *to, unsigned *n)
{
	char *save = NULL;

	*n = 0;
	for (char *a = strtok_r(list, ",", &save); a; a = strtok_r(NULL, ",", &save))
		if (*n == STORM_HOSTS || addr_parse(a, &to[(*n)++]))
			return -EINVAL;
	return 0;
}

static bool both_families(const struct addr *a, unsigned n)
{
	bool four = false, six = false;

	for (unsigned i = 0; i < n; i++) {
		four |= a[i].family == AF_INET;
		six |= a[i].family == AF_INET6;
	}
	return four && six;
}

static int option(struct options *o, struct storm *s, int id)
{
	unsigned long mtu = 0;
	int err;

	switch (id) {
	case 'm': o->have_mac = true; return mac_parse(optarg, s->dst_mac);
	case 'f': return parse_hosts(optarg, s->from, &s->nfrom);
	case 't': return parse_hosts(optarg, s->to, &s->nto);
	case 'r': return number_parse(optarg, 10000000, &o->rate);
	case 'T': return number_parse(optarg, 1000000, &o->seconds);
	case 's': return number_parse(optarg, ~0ul, &o->seed);
	case 'M': return number_parse(optarg, 100, &o->mutate);
	case 'u':
		err = number_parse(optarg, FRAME_ROOM - 100, &mtu);
		s->mtu = (unsigned)mtu;
		return err || mtu < 256 ? -EINVAL : 0;
	default: return -EINVAL;
	}
}

static int arguments(int argc, char **argv, struct options *o, struct storm *s)
{
	static const struct option longopts[] = {
		{ "dst-mac", required_argument, NULL, 'm' },
		{ "from", required_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 't' },
		{ "rate", required_argument, NULL, 'r' },
		{ "time", required_argument, NULL, 'T' },
		{ "seed", required_argument, NULL, 's' },
		{ "mutate", required_argument, NULL, 'M' },
		{ "mtu", required_argument, NULL, 'u' },
		{ 0 },
	};
	int id;

	while ((id = getopt_long(argc, argv, "", longopts, NULL)) != -1)
		if (option(o, s, id))
			return -EINVAL;
	if (optind != argc - 1 || !o->have_mac || !both_families(s->from, s->nfrom) ||
	    !both_families(s->to, s->nto))
		return -EINVAL;
	o->dev = argv[optind];
	memcpy(s->key, &o->seed, sizeof(o->seed));
	return 0;
}

static int open_device(const char *dev, uint8_t mac[6])
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_ifindex = (int)if_nametoindex(dev) };
	struct ifreq req = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	memcpy(req.ifr_name, dev, strnlen(dev, IFNAMSIZ - 1));
	if (!at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    ioctl(fd, SIOCGIFHWADDR, &req)) {
		int err = -errno;

		close(fd);
		return err;
	}
	memcpy(mac, req.ifr_hwaddr.sa_data, 6);
	return fd;
}

struct tally {
	uint64_t sent, refused, mutated;
};

static void send_one(int fd, struct storm *s, const struct options *o, struct tally *t)
{
	struct frame f[STORM_PIECES];
	unsigned n = storm_packet(s, f);

	for (unsigned i = 0; i < n; i++) {
		if (below(s, 100) < o->mutate) {
			storm_mutate(s, &f[i]);
			t->mutated++;
		}
		if (send(fd, f[i].b, f[i].len, MSG_DONTWAIT) <
		    0) /* too long, or the link is down */
			t->refused++;
		else
			t->sent++;
	}
}

static void run(int fd, struct storm *s, const struct options *o, struct tally *t)
{
	uint64_t start = clock_now(), now, made = 0;
	struct timespec pause = { .tv_nsec = NSEC_PER_MSEC };

	while (!stopped) {
		uint64_t due;

		now = clock_now();
		if (o->seconds && now - start > o->seconds * NSEC_PER_SEC)
			break;
		due = (now - start) / NSEC_PER_USEC * o->rate / 1000000;
		if (due > made + BACKLOG_MAX)
			made = due - BACKLOG_MAX;
		for (; made < due; made++)
			send_one(fd, s, o, t);
		nanosleep(&pause, NULL);
	}
}

int main(int argc, char **argv)
{
	static struct storm s = { .mtu = 1500 };
	struct options o = { .rate = 1000, .seed = 1, .mutate = 50 };
	struct sigaction stop = { .sa_handler = on_stop };
	struct tally t = { 0 };
	int fd;

	if (arguments(argc, argv, &o, &s)) {
		fputs(usage, stderr);
		return 2;
	}
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	fd = open_device(o.dev, s.src_mac);
	if (fd < 0) {
		fprintf(stderr, "storm: %s: %s\n", o.dev, strerror(-fd));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	run(fd, &s, &o, &t);
	close(fd);
	printf("{\"sent\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"mutated\": %" PRIu64 "}\n",
	       t.sent, t.refused, t.mutated);
	return 0;
}
