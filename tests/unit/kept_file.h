/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State files (router/kept.h) to be damaged, for test_kept_adopt.c and fuzz_kept.c. */
#ifndef TESTS_UNIT_KEPT_FILE_H
#define TESTS_UNIT_KEPT_FILE_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "router/kept.h"

/* A descriptor of a state as a process leaves it that used two workers; -1 if there is none. */
static inline int kept_file_new(uint32_t frames)
{
	struct kept *k;
	int fd;

	if (kept_create(frames, 2048, &k))
		return -1;
	k->head->workers = 2;
	fd = fcntl(k->fd, F_DUPFD_CLOEXEC, 3);
	kept_destroy(k);
	return fd;
}

/* Looks at all that an adopted state points to, here and there, and at its end. */
static inline uint64_t kept_file_read_all(const struct kept *k)
{
	const struct kept_header *h = k->head;
	const struct {
		const void *at;
		size_t size;
	} part[] = {
		{ k->name, (DROP__COUNT + EVENT__COUNT) * sizeof(*k->name) },
		{ k->worker, h->nworkers * sizeof(*k->worker) },
		{ k->xsk.owner, h->frames * sizeof(*k->xsk.owner) },
		{ k->xsk.queue, h->nslots * sizeof(*k->xsk.queue) },
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(part) / sizeof(*part); i++) {
		const volatile uint8_t *b = part[i].at;

		for (size_t n = 0; n < part[i].size; n += part[i].size / 16 + 1)
			sum += b[n];
		sum += b[part[i].size - 1];
	}
	return sum;
}

#endif
