/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * natbench: what outside ports cost. Cycles of a new mapping with its port, of one more flow of it,
 * and of its end: with 16 addresses that are half full, with one that is 99 % full, and with one
 * that has no port left. And how long it takes to repair what a killed process left.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "router/net/natport.h"
#include "tests/measure.h"
#include "tests/random.h"

#define ADDRESSES 16u
#define PORTS	  64512u
#define ROUNDS	  400u /* of so many mappings made, used and ended: */
#define BATCH	  512u

static const uint8_t key[16] = "fifteen letters";

static struct natport_want want(uint16_t port)
{
	return (struct natport_want){ .port = port, .keep = true, .parity = true, .random = true };
}

/* Endpoints of hosts that are never the same ones. */
static struct natport_inside endpoint(uint32_t i)
{
	return (struct natport_inside){ .addr = addr_v4(htonl(0x0a000000 + i / 64)),
					.port = (uint16_t)(1024 + i * 31),
					.proto = IPPROTO_UDP };
}

static void fill(struct natports *n, const uint16_t *slot, unsigned slots, unsigned percent)
{
	for (unsigned s = 0; s < slots; s++) {
		for (uint32_t port = 0; port < PORTS; port++) {
			struct natport_inside in = endpoint(0x800000 + s * PORTS + port);
			struct natport_want w = want((uint16_t)(1024 + port));
			struct natport_slots only = { 0 };
			uint16_t got, at = slot[s];

			natport_slots_add(&only, at);
			if (random64() % 100 < percent)
				natmap_make(n, &in, &only, &at, &w, random64(), &got);
		}
	}
}

struct cost {
	uint64_t make, use, done;
	unsigned made, refused;
};

/* As many as a worker may have in a while, so that not all lies in the cache's first lines. */
static void batch(struct natports *n, const uint16_t *slot, unsigned slots, uint32_t first,
		  struct cost *c)
{
	uint16_t port[BATCH], at[BATCH];
	struct natport_slots all = { 0 };
	uint64_t start;
	unsigned made = 0;

	for (unsigned s = 0; s < slots; s++)
		natport_slots_add(&all, slot[s]);
	start = cpu_cycles();
	for (unsigned i = 0; i < BATCH; i++) {
		struct natport_inside in = endpoint(first + i);
		struct natport_want w = want(in.port);

		at[i] = slot[i % slots];
		if (natmap_make(n, &in, &all, &at[i], &w, random64(), &port[i]))
			port[i] = 0;
	}
	c->make += cpu_cycles() - start;
	start = cpu_cycles();
	for (unsigned i = 0; i < BATCH; i++) {
		struct natport_inside in = endpoint(first + i);
		struct natport_want w = want(in.port);

		if (port[i])
			made += !natmap_make(n, &in, &all, &at[i], &w, 0, &port[i]);
	}
	c->use += cpu_cycles() - start;
	start = cpu_cycles();
	for (unsigned i = 0; i < 2 * BATCH; i++)
		if (port[i % BATCH])
			natport_done(n, at[i % BATCH], NATPORT_UDP, port[i % BATCH]);
	c->done += cpu_cycles() - start;
	c->made += made;
	c->refused += BATCH - made;
}

static void bench(const char *what, unsigned slots, unsigned percent)
{
	struct natports *n;
	uint16_t slot[ADDRESSES];
	struct cost c = { 0 };
	double all = ROUNDS * BATCH;

	if (natports_create(NULL, 2 * ADDRESSES * PORTS, key, &n))
		exit(1);
	for (unsigned s = 0; s < slots; s++) {
		struct addr a = addr_v4(htonl(0xcb007100 + s));

		slot[s] = natports_hold(n, &a);
	}
	fill(n, slot, slots, percent);
	for (unsigned i = 0; i < ROUNDS; i++)
		batch(n, slot, slots, i * BATCH, &c);
	printf("%-32s make %4.0f, use %4.0f, done %4.0f TSC cycles; %4.1f %% refused; %.1f MiB\n",
	       what, (double)c.make / all, (double)c.use / all, (double)c.done / all / 2,
	       100 * c.refused / all, (double)natports_bytes(n) / (1 << 20));
	natports_destroy(n);
}

/* ---- repair */

struct flows {
	struct natport_use *use;
	unsigned n, next;
};

static bool next(void *arg, struct natport_use *use)
{
	struct flows *f = arg;

	if (f->next == f->n)
		return false;
	*use = f->use[f->next++];
	return true;
}

static void lost(void *arg, const struct natport_use *use)
{
	(void)arg;
	fprintf(stderr, "flow %u has lost its port\n", use->id);
	exit(1);
}

/* Every second flow is another one of the mapping before. */
static void make_flows(struct natports *n, struct flows *f)
{
	uint16_t slot[ADDRESSES];

	for (unsigned s = 0; s < ADDRESSES; s++) {
		struct addr a = addr_v4(htonl(0xcb007100 + s));

		slot[s] = natports_hold(n, &a);
	}
	for (unsigned i = 0; i < f->n; i++) {
		struct natport_inside in = endpoint(i / 2);
		struct natport_want w = want(in.port);
		struct natport_slots only = { 0 };
		struct natport_use *u = &f->use[i];

		u->id = i;
		u->claim.slot = slot[i / 2 % ADDRESSES];
		u->claim.plane = NATPORT_UDP;
		natport_slots_add(&only, u->claim.slot);
		if (natmap_make(n, &in, &only, &u->claim.slot, &w, random64(), &u->claim.port))
			exit(1);
		u->outside = natports_addr(n, u->claim.slot);
		u->inside = in.addr;
		u->mapping.slot = NATPORT_NO_SLOT;
	}
}

static void bench_repair(unsigned flows)
{
	struct flows f = { .use = calloc(flows, sizeof(*f.use)), .n = flows };
	struct natports *n;
	uint64_t start, adopted, repaired;
	char why[128];
	bool dirty;
	int fd;

	if (!f.use || natports_create(NULL, flows, key, &n))
		exit(1);
	make_flows(n, &f);
	fd = dup(natports_fd(n));
	natports_destroy(n);
	start = cpu_time();
	if (natports_adopt(fd, NULL, &n, &dirty, why, sizeof(why)))
		exit(1);
	adopted = cpu_time();
	natports_repair(n, &(struct natport_flows){ next, lost, &f });
	repaired = cpu_time();
	printf("%7u flows: adopted in %.2f ms, repaired in %.2f ms, %.0f ns a flow, of CPU time\n",
	       flows, (double)(adopted - start) / 1e6, (double)(repaired - adopted) / 1e6,
	       (double)(repaired - adopted) / flows);
	natports_destroy(n);
	free(f.use);
}

int main(void)
{
	bench("1 address, empty", 1, 0);
	bench("16 addresses, half full", ADDRESSES, 50);
	bench("1 address, 99 % full", 1, 99);
	bench("1 address, full", 1, 100);
	bench_repair(1000);
	bench_repair(100000);
	bench_repair(1000000);
	return 0;
}
