// SPDX-License-Identifier: GPL-2.0-or-later
/* pktgen: a packet generator and a sink for tests and benchmarks, over veth as over hardware.
 *
 * `pktgen gen` is an XDP program that the kernel runs on live frames; `pktgen sink` is an XDP
 * program on the device where they come out. Packets carry the header of the kernel's pktgen, so
 * that the sink sees loss, order and latency. Run each in its network namespace (ip netns exec).
 * This file reads the command line; the rest is in tests/tools/pktgen/. */
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/tools/pktgen/pktgen.h"

#define FLOWS_MAX 1000000u

static const char usage[] =
	"usage: pktgen gen DEV --dst-mac MAC --src A[-B] --dst A[-B] [OPTION...]\n"
	"       pktgen sink DEV [--time S] [--count N] [--cpu N] [--verify] [--wall]\n"
	"              [--drain S] [-j]\n"
	"\n"
	"gen: send UDP out of DEV until --time or --count, or SIGINT or SIGTERM\n"
	"  --dst-mac MAC     the next hop's (--src-mac MAC: DEV's own)\n"
	"  --src, --dst A-B  IPv4 or IPv6 addresses; --sport, --dport A-B  ports (1024-65535, 9)\n"
	"  --flows N         1 to 1000000 (1): source address first, then destination, then ports\n"
	"  --size N|imix     frame with FCS, 64 (IPv6: 84) to 1518 bytes; imix is 7x64 4x594 "
	"1x1518\n"
	"  --rate PPS        as fast as can be if left out\n"
	"  --count N, --time S, --cpu N\n"
	"  --batch N         frames sent at once, 1 to 256 (64, or 1 with --rate)\n"
	"  --udp-checksum    over IPv4 too\n"
	"  --kernel          use the kernel's pktgen module\n"
	"sink: count what comes to DEV; says \"ready\" first, the report when it ends\n"
	"  --verify          check IP and UDP checksums\n"
	"  --drain S         a signal ends it once nothing has come for so long (0)\n"
	"  --wall            the sender's clock is CLOCK_REALTIME, as with gen --kernel\n"
	"  -j                the report as JSON\n";

static int fail(const char *what, const char *value)
{
	fprintf(stderr, "pktgen: %s: \"%s\" will not do (pktgen --help)\n", what, value);
	return -EINVAL;
}

enum option_id {
	OPT_DST_MAC = 256,
	OPT_SRC_MAC,
	OPT_SRC,
	OPT_DST,
	OPT_SPORT,
	OPT_DPORT,
	OPT_FLOWS,
	OPT_SIZE,
	OPT_RATE,
	OPT_COUNT,
	OPT_TIME,
	OPT_CPU,
	OPT_BATCH,
	OPT_UDP_CHECKSUM,
	OPT_KERNEL,
	OPT_VERIFY,
	OPT_WALL,
	OPT_DRAIN,
};

static const struct option gen_longopts[] = {
	{ "dst-mac", required_argument, NULL, OPT_DST_MAC },
	{ "src-mac", required_argument, NULL, OPT_SRC_MAC },
	{ "src", required_argument, NULL, OPT_SRC },
	{ "dst", required_argument, NULL, OPT_DST },
	{ "sport", required_argument, NULL, OPT_SPORT },
	{ "dport", required_argument, NULL, OPT_DPORT },
	{ "flows", required_argument, NULL, OPT_FLOWS },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "time", required_argument, NULL, OPT_TIME },
	{ "cpu", required_argument, NULL, OPT_CPU },
	{ "batch", required_argument, NULL, OPT_BATCH },
	{ "udp-checksum", no_argument, NULL, OPT_UDP_CHECKSUM },
	{ "kernel", no_argument, NULL, OPT_KERNEL },
	{ 0 },
};

static const struct option sink_longopts[] = {
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "time", required_argument, NULL, OPT_TIME },
	{ "cpu", required_argument, NULL, OPT_CPU },
	{ "verify", no_argument, NULL, OPT_VERIFY },
	{ "wall", no_argument, NULL, OPT_WALL },
	{ "drain", required_argument, NULL, OPT_DRAIN },
	{ 0 },
};

static int set_number(uint64_t min, uint64_t max, uint32_t *out)
{
	uint64_t v;
	int err = parse_number(optarg, min, max, &v);

	if (!err)
		*out = (uint32_t)v;
	return err;
}

static int set_cpu(int *out)
{
	uint32_t v;
	int err = set_number(0, (uint64_t)sysconf(_SC_NPROCESSORS_CONF) - 1, &v);

	if (!err)
		*out = (int)v;
	return err;
}

static int set_size(uint32_t *out)
{
	if (strcmp(optarg, "imix"))
		return set_number(FRAME_MIN_V4 + FCS_LEN, FRAME_MAX + FCS_LEN, out);
	*out = 0;
	return 0;
}

static int set_flag(bool *out)
{
	*out = true;
	return 0;
}

static int gen_option(struct gen_options *o, int id, bool *have_mac)
{
	switch (id) {
	case OPT_DST_MAC: *have_mac = true; return parse_mac(optarg, o->dst_mac);
	case OPT_SRC_MAC: return parse_mac(optarg, o->src_mac);
	case OPT_SRC: return parse_range(optarg, &o->src);
	case OPT_DST: return parse_range(optarg, &o->dst);
	case OPT_SPORT: return parse_ports(optarg, &o->sport);
	case OPT_DPORT: return parse_ports(optarg, &o->dport);
	case OPT_FLOWS: return set_number(1, FLOWS_MAX, &o->flows);
	case OPT_SIZE: return set_size(&o->size);
	case OPT_RATE: return parse_number(optarg, 1, 100000000, &o->rate);
	case OPT_COUNT: return parse_number(optarg, 1, UINT32_MAX, &o->count);
	case OPT_TIME: return parse_seconds(optarg, &o->seconds);
	case OPT_CPU: return set_cpu(&o->cpu);
	case OPT_BATCH: return set_number(1, 256, &o->batch);
	case OPT_UDP_CHECKSUM: return set_flag(&o->udp_csum);
	case OPT_KERNEL: return set_flag(&o->kernel);
	case 'j': return set_flag(&o->json);
	default: return -EINVAL;
	}
}

/* What no single option can check. */
static int gen_check(const struct gen_options *o, bool have_mac)
{
	uint64_t flows = 1;

	if (!have_mac || !o->src.family || !o->dst.family) {
		fputs("pktgen: gen needs --dst-mac, --src and --dst\n", stderr);
		return -EINVAL;
	}
	if (o->src.family != o->dst.family) {
		fputs("pktgen: --src and --dst are of two families\n", stderr);
		return -EINVAL;
	}
	if (o->src.family == AF_INET6 && o->size && o->size < FRAME_MIN_V6 + FCS_LEN) {
		fprintf(stderr, "pktgen: an IPv6 frame needs --size %d\n", FRAME_MIN_V6 + FCS_LEN);
		return -EINVAL;
	}
	for (const uint32_t *n = (const uint32_t[]){ o->src.walk.count, o->dst.walk.count,
						     o->sport.count, o->dport.count, 0 };
	     *n && flows < o->flows; n++)
		flows *= *n;
	if (flows < o->flows) {
		fprintf(stderr, "pktgen: these addresses and ports make %u flows of %u\n",
			(unsigned int)flows, o->flows);
		return -EINVAL;
	}
	return 0;
}

static int device_mac(const char *dev, uint8_t mac[6])
{
	struct ifreq req = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	memcpy(req.ifr_name, dev, strnlen(dev, IFNAMSIZ - 1));
	if (ioctl(fd, SIOCGIFHWADDR, &req))
		err = -errno;
	else
		memcpy(mac, req.ifr_hwaddr.sa_data, 6);
	close(fd);
	return err;
}

static int device(const char *name, const char **dev, unsigned int *ifindex)
{
	*dev = name;
	*ifindex = name ? if_nametoindex(name) : 0;
	if (*ifindex)
		return 0;
	fprintf(stderr, "pktgen: no device \"%s\"\n", name ? name : "");
	return -ENODEV;
}

static int gen_main(int argc, char **argv)
{
	struct gen_options o = {
		.sport = { .base = 1024, .count = 65536 - 1024 },
		.dport = { .base = 9, .count = 1 },
		.flows = 1,
		.size = 64,
		.cpu = -1,
	};
	bool have_mac = false;
	int id, err = device(argv[0], &o.dev, &o.ifindex);

	if (err || (err = device_mac(o.dev, o.src_mac)))
		return err;
	while ((id = getopt_long(argc, argv, "j", gen_longopts, NULL)) != -1)
		if (gen_option(&o, id, &have_mac))
			return fail(argv[optind - 1], optarg ? optarg : "");
	if (optind < argc)
		return fail("argument", argv[optind]);
	err = gen_check(&o, have_mac);
	return err ? err : gen_run(&o);
}

static int sink_option(struct sink_options *o, int id)
{
	switch (id) {
	case OPT_COUNT: return parse_number(optarg, 1, UINT64_MAX, &o->count);
	case OPT_TIME: return parse_seconds(optarg, &o->seconds);
	case OPT_CPU: return set_cpu(&o->cpu);
	case OPT_VERIFY: return set_flag(&o->verify);
	case OPT_WALL: return set_flag(&o->wall);
	case OPT_DRAIN: return parse_seconds(optarg, &o->drain);
	case 'j': return set_flag(&o->json);
	default: return -EINVAL;
	}
}

static int sink_main(int argc, char **argv)
{
	struct sink_options o = { .cpu = -1 };
	int id, err = device(argv[0], &o.dev, &o.ifindex);

	if (err)
		return err;
	while ((id = getopt_long(argc, argv, "j", sink_longopts, NULL)) != -1)
		if (sink_option(&o, id))
			return fail(argv[optind - 1], optarg ? optarg : "");
	if (optind < argc)
		return fail("argument", argv[optind]);
	return sink_run(&o);
}

int main(int argc, char **argv)
{
	int err;

	if (argc < 3) {
		fputs(usage, argc == 2 && !strcmp(argv[1], "--help") ? stdout : stderr);
		return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
	}
	err = stop_signals_block();
	if (!err && !strcmp(argv[1], "gen"))
		err = gen_main(argc - 2, argv + 2);
	else if (!err && !strcmp(argv[1], "sink"))
		err = sink_main(argc - 2, argv + 2);
	else
		err = fail("command", argv[1]);
	return err == -EINVAL ? 2 : err ? 1 : 0;
}
