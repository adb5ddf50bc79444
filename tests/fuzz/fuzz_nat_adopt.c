// SPDX-License-Identifier: GPL-2.0-or-later
/* The memory of NAT's outside ports, some bytes of it overwritten: it is refused, or repaired to
 * something that goes on and in the end is empty. Input: patches, of a part of the region, an
 * offset there, a length and so many bytes; first a byte that says which flows live on. */
#include <arpa/inet.h>
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "router/net/natport_internal.h"

#define FLOWS 12u
#define HELD  0xc0u /* of the first byte: reserve, and let the heir be killed as well */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct flows {
	struct natport_use use[FLOWS];
	unsigned next;
};

static const uint8_t key[16] = "fifteen letters";

static struct natport_inside endpoint(unsigned i)
{
	struct natport_inside in = { .addr = addr_v4(htonl(0x0a000001 + i % 4)),
				     .port = (uint16_t)(5000 + i),
				     .proto = i & 1 ? IPPROTO_UDP : IPPROTO_TCP,
				     .scope = i % 5 ? 0 : i + 1 };

	if (i % 3 == 0)
		in.addr = addr_v6("0123456789abcdef");
	return in;
}

/* Half of them have mappings with permits; the last ones came in by those of the first. */
static void flow_make(struct natports *n, const struct natport_use *first, unsigned i,
		      struct natport_use *u)
{
	struct natport_want w = { .port = (uint16_t)(5000 + i), .keep = true };
	struct natport_inside in = endpoint(i);
	struct natport_slots slots = { 0 };
	uint16_t slot = i & 1, port = 0;

	*u = (struct natport_use){ .id = i,
				   .claim.slot = NATPORT_NO_SLOT,
				   .mapping.slot = NATPORT_NO_SLOT };
	if (i >= FLOWS - 2) {
		u->mapping = first[i - FLOWS + 2].claim;
		natmap_hold(n, u->mapping.slot, (enum natport_plane)u->mapping.plane,
			    u->mapping.port);
		return;
	}
	u->claim.plane = (uint8_t)natport_plane_of(in.proto);
	natport_slots_add(&slots, slot);
	if (i & 4)
		port = natport_claim(n, slot, (enum natport_plane)u->claim.plane, &w, i);
	else
		natmap_make(n, &in, &slots, &slot, &w, i, &port);
	u->claim.slot = slot;
	u->claim.port = port;
	u->outside = natports_addr(n, slot);
	u->inside = in.addr;
	u->remote = addr_v4(i % 7);
	u->permit =
		natmap_permit(n, slot, (enum natport_plane)u->claim.plane, port, &u->remote, true);
}

static void flow_end(struct natports *n, const struct natport_use *u)
{
	enum natport_plane plane = (enum natport_plane)u->claim.plane;

	if (u->mapping.slot != NATPORT_NO_SLOT)
		natport_done(n, u->mapping.slot, (enum natport_plane)u->mapping.plane,
			     u->mapping.port);
	if (u->claim.slot == NATPORT_NO_SLOT)
		return;
	if (u->permit)
		natmap_permit(n, u->claim.slot, plane, u->claim.port, &u->remote, false);
	natport_done(n, u->claim.slot, plane, u->claim.port);
}

static bool next(void *arg, struct natport_use *use)
{
	struct flows *f = arg;

	if (f->next == FLOWS)
		return false;
	*use = f->use[f->next++];
	return true;
}

static void lost(void *arg, const struct natport_use *use)
{
	struct flows *f = arg;

	f->use[use->id] = *use;
}

/* ---- the bytes */

static uint8_t *part_of(const struct natports *n, unsigned which)
{
	const uint32_t first = 1 * NATMAP_CHUNK_UNITS;

	switch (which % 9) {
	case 0: return (uint8_t *)n->head;
	case 1: return (uint8_t *)n->slot;
	case 2: return (uint8_t *)n->shard;
	case 3: return (uint8_t *)n->stripe;
	case 4: return (uint8_t *)n->chunk;
	case 5: return (uint8_t *)n->taken;
	case 6: return (uint8_t *)n->reserved;
	case 7: return n->unit + (size_t)(first * (1 + which / 9 % 16)) * NATMAP_UNIT;
	default: return (uint8_t *)n->in;
	}
}

static void patch(const struct natports *n, const uint8_t *data, size_t size)
{
	while (size >= 4) {
		uint8_t *at = part_of(n, data[0]) + (data[1] << 8 & 0xf00) + data[2];
		size_t bytes = data[3] % 32;

		data += 4;
		size -= 4;
		if (bytes > size)
			bytes = size;
		memcpy(at, data, bytes);
		data += bytes;
		size -= bytes;
	}
}

static struct natports *start(struct flows *f, uint8_t first)
{
	const struct addr outside[] = { addr_v4(htonl(0xcb007101)), addr_v6("outside address!") };
	struct natports *n;

	if (natports_create(NULL, 1000, key, &n))
		return NULL;
	for (unsigned i = 0; i < 2; i++)
		natports_hold(n, &outside[i]);
	for (unsigned i = 0; i < FLOWS; i++)
		flow_make(n, f->use, i, &f->use[i]);
	if (first & HELD)
		natports_reserve(n, 0, NATPORT_TCP, 4990, 5010, true);
	return n;
}

static struct natports *adopt(const struct natports *n, struct flows *f)
{
	struct natports *heir;
	char why[128] = "";
	bool dirty;
	int fd = dup(natports_fd(n));

	if (natports_adopt(fd, NULL, &heir, &dirty, why, sizeof(why))) {
		assert(why[0]);
		close(fd);
		return NULL;
	}
	natports_repair(heir, &(struct natport_flows){ next, lost, f });
	f->next = 0;
	return heir;
}

/* It can be used like any other, and nothing is left of anybody. */
static void go_on(struct natports *n, struct flows *f)
{
	struct natport_want w = { .port = 7000, .keep = true };
	struct addr a = addr_v4(htonl(0xcb007101));
	uint16_t slot = natports_hold(n, &a), port = 0;
	struct natport_slots slots = { 0 };
	struct natport_inside in = endpoint(1);

	natports_adopted(n);
	if (slot != NATPORT_NO_SLOT) {
		natport_slots_add(&slots, slot);
		if (!natmap_make(n, &in, &slots, &slot, &w, 1, &port))
			natport_done(n, slot, NATPORT_UDP, port);
		natports_let_go(n, slot);
	}
	for (unsigned i = 0; i < FLOWS; i++)
		flow_end(n, &f->use[i]);
	natports_trim(n);
	for (unsigned i = 0; i < NATPORT_SLOTS; i++)
		assert(!slot_is_used(&n->slot[i]));
	for (unsigned i = 0; i < NATPORT_SHARDS; i++)
		assert(!n->shard[i].records && !n->shard[i].units && !n->stripe[i].records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flows f = { .next = 0 };
	struct natports *n, *heir, *second;
	uint64_t bytes;

	if (!size)
		return 0;
	n = start(&f, data[0]);
	if (!n)
		return 0;
	bytes = n->head->layout.bytes;
	patch(n, data + 1, size - 1);
	f.next = data[0] % FLOWS;
	for (unsigned i = 0; i < f.next; i++)
		f.use[i].claim.slot = f.use[i].mapping.slot = NATPORT_NO_SLOT;
	heir = adopt(n, &f);
	if (heir && data[0] & HELD) {
		second = adopt(heir, &f);
		natports_destroy(heir);
		heir = second;
	}
	if (heir) {
		go_on(heir, &f);
		natports_destroy(heir);
	}
	n->head->layout.bytes = bytes; /* for the end of this process's view */
	natports_destroy(n);
	return 0;
}
