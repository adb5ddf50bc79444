/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the adoption of a flow table that was left in the middle of a change: a small table with
 * flows, of which the input overwrites bytes anywhere, header and records before all. It is refused
 * with a reason; or afterwards all of it fits together, and everything in it can end.
 *
 * The input: the heir's workers, then patches, each a part of the region, an offset, a length and
 * so many bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/flow_check.h"

#define MAX	64u
#define PATCHES 64u

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static struct flow_table *table_of_some(void)
{
	struct flow_table_config c = {
		.max = MAX, .workers = 3, .key = "0123456789abcde", .per_source_max = 8
	};
	struct flow_table *t;

	must(!flow_table_create(&c, &t), "no table");
	for (unsigned i = 0; i < 24; i++) {
		struct flow_key k = { .sport = (uint16_t)i, .proto = i % 2 ? 6 : 17 }, r;
		enum flow_refusal why;
		uint32_t index;

		k.family = i % 4 == 3 ? AF_INET6 : AF_INET;
		k.src[0] = (uint8_t)(i / 6);
		flow_key_reverse(&k, &r);
		index = flow_new(t, i % 3, &k, &r, 0, &why);
		must(index != FLOW_NONE, "no record");
		flow_touch(flow_half_at(t, index, FLOW_ORIG), flow_half_at(t, index, FLOW_REPLY), 0,
			   i * 10, 100);
		must(flow_commit(t, index, 0, &why) == index, "no flow");
	}
	return t;
}

/* Where a patch goes: an offset in the region, and how many bytes of that part matter. */
static uint64_t part_at(const struct flow_layout *l, uint8_t part, size_t *size)
{
	*size = REGION_PAGE;
	switch (part % 8) {
	case 0: *size = sizeof(struct flow_header); return 0;
	case 1: return l->worker_at;
	case 2: *size = 8 * sizeof(struct flow_chunk); return l->chunk_at;
	case 3: return l->bucket_at;
	case 4: return l->source_at;
	case 5: *size = sizeof(struct flow_group); return l->group_at;
	default: *size = 7 * FLOW_CHUNK_BYTES; return l->record_at;
	}
}

static void patch(struct flow_header *head, const uint8_t *data, size_t size)
{
	const struct flow_layout as_made = head->layout;

	for (unsigned n = 0; n < PATCHES && size > 4; n++) {
		size_t room, at = data[1] | (size_t)data[2] << 8, bytes = data[3] % 64 + 1;
		uint8_t *part = (uint8_t *)head + part_at(&as_made, data[0], &room);

		if (data[0] % 8 > 5) /* records: by words */
			at *= 8;
		data += 4;
		size -= 4;
		bytes = bytes < size ? bytes : size;
		at %= room;
		bytes = bytes < room - at ? bytes : room - at;
		memcpy(part + at, data, bytes);
		data += bytes;
		size -= bytes;
	}
	head->changing = 1;
}

static void end_all(struct flow_table *t)
{
	uint32_t cursor = 0, index;

	while ((index = flow_walk(t, &cursor)) != FLOW_NONE)
		flow_kill(t, index);
	for (unsigned w = 0; w < t->workers; w++) {
		uint64_t quiet = t->head->grace;

		flow_expire(t, w, t->worker[w].tick, quiet, MAX * 16, NULL, NULL);
		flow_expire(t, w, t->worker[w].tick, flow_grace_begin(t), MAX * 16, NULL, NULL);
		must(!flow_owned(t, w), "a flow that does not end");
	}
	must(!t->head->live, "a flow too many");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flow_table *t = table_of_some(), *heir;
	uint64_t bytes = t->head->layout.bytes;
	int fd = dup(flow_table_fd(t));
	const char *problem;
	char why[256] = "";
	bool dirty = false;

	if (size) {
		patch(t->head, data + 1, size - 1);
		if (flow_table_adopt(fd, data[0] % 8 + 1u, &heir, &dirty, why, sizeof(why))) {
			must(why[0], "no reason");
		} else {
			fd = -1;
			problem = flow_problem(heir, false);
			must(!problem && dirty, problem ? problem : "not built anew");
			end_all(heir);
			flow_table_destroy(heir);
		}
	}
	if (fd >= 0)
		close(fd);
	t->head->layout.bytes = bytes; /* to leave it whole */
	flow_table_destroy(t);
	return 0;
}
