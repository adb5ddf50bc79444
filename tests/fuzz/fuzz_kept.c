/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router/kept.c, kept_adopt(): a state file that is damaged in some places. The first byte says
 * how: the boot id and the namespace stay right, or the file is as long as it says. Of each six
 * bytes that follow two are a place, in the header or near the file's end, and four are what stands
 * there. What is adopted is read to its end, as are the owners of frames.
 */
#include <stdint.h>
#include <string.h>

#include "tests/unit/kept_file.h"
#include "xsk/mem.h"

#define FRAMES_MAX 65536
#define BYTES_MAX  (256u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEEP_PLACE = 1, KEEP_LENGTH = 2 };

static void damage(uint8_t *file, size_t room, uint8_t how, const uint8_t *data, size_t size)
{
	struct kept_header *h = (struct kept_header *)file, was = *h;

	for (; size >= 6; data += 6, size -= 6) {
		size_t at = (data[0] & 0x7fu) << 8 | data[1];

		at = data[0] & 0x80 ? room - 4 - at * 16 : at * 4 % sizeof(*h);
		memcpy(file + at, data + 2, 4);
	}
	if (how & KEEP_PLACE) {
		memcpy(h->boot, was.boot, sizeof(h->boot));
		h->netns = was.netns;
		h->magic = was.magic;
		h->version = was.version;
		h->header_size = was.header_size;
	}
}

static void adopt_memory(const struct kept *k)
{
	const struct kept_header *h = k->head;
	off_t bytes = ((off_t)h->frames * h->frame_size + (2 << 20) - 1) & ~((off_t)(2 << 20) - 1);
	int fd = memfd_create("umem", MFD_CLOEXEC);
	struct xsk_mem *m;

	if (h->frames <= FRAMES_MAX && fd >= 0 && !ftruncate(fd, bytes) &&
	    !xsk_mem_adopt(fd, h->frames, h->frame_size, &k->xsk, &m)) {
		xsk_mem_settle(m);
		xsk_mem_orphans(m);
		xsk_mem_destroy(m);
	} else if (fd >= 0) {
		close(fd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stat st;
	struct kept *k;
	uint8_t *file;
	uint64_t bytes;
	char why[160];
	int fd;

	if (!size)
		return 0;
	fd = kept_file_new(64);
	if (fd < 0 || fstat(fd, &st))
		abort();
	file = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		abort();
	damage(file, (size_t)st.st_size, data[0], data + 1, size - 1);
	bytes = ((struct kept_header *)file)->bytes;
	munmap(file, (size_t)st.st_size);
	if (data[0] & KEEP_LENGTH && bytes <= BYTES_MAX && ftruncate(fd, (off_t)bytes))
		abort();
	if (kept_adopt(fd, &k, why, sizeof(why)))
		return 0;
	if (!kept_carry_over(&k)) {
		kept_file_read_all(k);
		adopt_memory(k);
	}
	kept_destroy(k);
	return 0;
}
