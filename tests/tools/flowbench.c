/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flowbench: what the flow table costs. For 1 k, 64 k and 1 M flows in a table for a million:
 * cycles a lookup (bursts of 64, flows and directions in random order), memory, and how fast flows
 * are made, adopted and expire.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "router/net/flow.h"
#include "tests/measure.h"
#include "tests/random.h"

#define LOOKUPS (1u << 20)
#define MANY	(256u << 10) /* the table of fewer flows than these */
#define MAX	(1u << 20)

/* Flow i: a host behind a masquerade. */
static void keys_of(uint32_t i, int family, struct flow_key *orig, struct flow_key *reply)
{
	uint32_t src = htonl(0x0a000000 | i / 16), dst = htonl(0xc6336400 | i % 251);

	memset(orig, 0, sizeof(*orig));
	memcpy(orig->src + (family == AF_INET ? 0 : 12), &src, 4);
	memcpy(orig->dst + (family == AF_INET ? 0 : 12), &dst, 4);
	orig->sport = htons((uint16_t)(1024 + i % 16));
	orig->dport = htons(53);
	orig->proto = 17;
	orig->family = (uint8_t)family;
	flow_key_reverse(orig, reply);
	src = htonl(0xcb007100 | i >> 16);
	memcpy(reply->dst + (family == AF_INET ? 0 : 12), &src, 4);
	reply->dport = (uint16_t)i;
}

static double make(struct flow_table *t, uint32_t flows, int family)
{
	uint64_t start = cpu_time();

	for (uint32_t i = 0; i < flows; i++) {
		struct flow_key orig, reply;
		enum flow_refusal why;
		uint32_t index;

		keys_of(i, family, &orig, &reply);
		index = flow_new(t, 0, &orig, &reply, 0, &why);
		if (index == FLOW_NONE) {
			fprintf(stderr, "flowbench: refused at %u: %d\n", i, why);
			exit(1);
		}
		flow_touch(flow_half_at(t, index, FLOW_ORIG), flow_half_at(t, index, FLOW_REPLY), 0,
			   120, 64);
		if (flow_commit(t, index, 0, &why) != index) {
			fprintf(stderr, "flowbench: clash at %u: %d\n", i, why);
			exit(1);
		}
	}
	return flows / ((double)(cpu_time() - start) / 1e3);
}

/* The keys are in the cache, as those are that a parser has just written. */
static double look_up(struct flow_table *t, uint32_t flows, int family)
{
	struct flow_key k[FLOW_BURST], both[2];
	uint32_t index[FLOW_BURST], missed = 0;
	uint64_t least = UINT64_MAX;
	uint8_t dir[FLOW_BURST];

	for (unsigned round = 0; round < 10; round++) {
		uint64_t all = 0, start;

		for (uint32_t n = 0; n < LOOKUPS; n += FLOW_BURST) {
			for (unsigned i = 0; i < FLOW_BURST; i++) {
				uint64_t r = random64();

				keys_of((uint32_t)(r >> 8) % flows, family, &both[0], &both[1]);
				k[i] = both[r & 1];
			}
			start = cpu_cycles();
			flow_lookup_burst(t, k, 1, index, dir, FLOW_BURST);
			all += cpu_cycles() - start;
			missed += index[n / FLOW_BURST % FLOW_BURST] == FLOW_NONE;
		}
		least = all < least ? all : least;
	}
	if (missed)
		printf("  %u missed!\n", missed);
	return (double)least / LOOKUPS;
}

static double resident(const struct flow_table *t)
{
	struct stat st;

	return fstat(t->fd, &st) ? 0 : (double)st.st_blocks / 2048;
}

/* What a next process takes to go on with the table: as it was left, and when it was left in the
 * middle of a change. */
static struct flow_table *adopt(struct flow_table *t, uint32_t flows, bool change)
{
	int fd = dup(flow_table_fd(t));
	uint64_t start;
	char why[256];
	bool dirty = false;

	if (change)
		flow_change_begin(t, 0);
	flow_table_destroy(t);
	start = cpu_time();
	if (flow_table_adopt(fd, 1, &t, &dirty, why, sizeof(why)) || dirty != change) {
		fprintf(stderr, "flowbench: not adopted: %s\n", why);
		exit(1);
	}
	start = cpu_time() - start;
	printf("  adopt   %.2f ms%s\n", (double)start / 1e6, change ? ", built anew" : "");
	if (change)
		printf("          %.0f ns a flow\n", (double)start / flows);
	return t;
}

static void expire(struct flow_table *t, uint32_t flows)
{
	uint64_t start = cpu_time(), worst = 0, all, quiet = 0;
	struct flow_stats s;
	unsigned n = 1;

	for (uint32_t tick = 0; n || tick <= 200; tick++) {
		do {
			uint64_t loop = cpu_time();

			n = flow_expire(t, 0, tick, quiet, 128, NULL, NULL);
			loop = cpu_time() - loop;
			worst = loop > worst ? loop : worst;
			quiet = flow_grace_begin(t);
		} while (n);
	}
	flow_expire(t, 0, 201, quiet, 128, NULL, NULL);
	all = cpu_time() - start;
	flow_table_stats(t, &s);
	start = cpu_time();
	while (flow_table_trim(t, 100000))
		;
	printf("  expire  %.2f M/s, worst loop %.0f us, %u left; trimmed in %.1f ms to %.2f MiB\n",
	       flows / ((double)all / 1e3), (double)worst / 1e3, s.live,
	       (double)(cpu_time() - start) / 1e6, resident(t));
}

static void bench(uint32_t flows, int family)
{
	struct flow_table_config c = { .max = flows < MANY ? MANY : MAX,
				       .workers = 1,
				       .key = "sixteen letters" };
	struct flow_table *t;
	double rate;

	if (flow_table_create(&c, &t))
		exit(1);
	printf("%u flows, IPv%d; %.2f MiB before\n", flows, family == AF_INET ? 4 : 6, resident(t));
	rate = make(t, flows, family);
	printf("  make    %.2f M/s; %.2f MiB\n", rate, resident(t));
	printf("  look up %.1f TSC cycles\n", look_up(t, flows, family));
	t = adopt(t, flows, false);
	t = adopt(t, flows, true);
	expire(t, flows);
	printf("  again   %.2f M/s\n", make(t, flows, family));
	flow_table_destroy(t);
}

int main(void)
{
	bench(1000, AF_INET);
	bench(65536, AF_INET);
	bench(1000000, AF_INET);
	bench(1000, AF_INET6);
	bench(65536, AF_INET6);
	return 0;
}
