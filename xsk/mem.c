/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet memory; see mem.h. The memory is a memfd so that the next process can map it too. */
#include "xsk/mem.h"

#include <errno.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HUGE_SIZE (2ul << 20)

static int map_memory(struct xsk_mem *m, bool huge)
{
	int fd = memfd_create("router-umem", MFD_CLOEXEC | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0));
	int err;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)m->size) < 0)
		goto fail;
	m->base = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (m->base == MAP_FAILED)
		goto fail;
	m->fd = fd;
	m->huge = huge;
	return 0;
fail:
	err = -errno;
	close(fd);
	return err;
}

/* Owner table and slots in memory that ends with us. */
static int own_kept(struct xsk_mem *m)
{
	m->own_kept = true;
	m->owner = calloc(m->frames, sizeof(*m->owner));
	m->queue = aligned_alloc(64, XSK_SLOTS * sizeof(*m->queue));
	if (!m->owner || !m->queue)
		return -ENOMEM;
	memset(m->queue, 0, XSK_SLOTS * sizeof(*m->queue));
	return 0;
}

static int mem_alloc(uint32_t frames, uint32_t frame_size, const struct xsk_kept *kept,
		     struct xsk_mem **out)
{
	struct xsk_mem *m = NULL;

	if (frames == 0 || (frame_size != 2048 && frame_size != 4096))
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->fd = -1;
	m->base = MAP_FAILED;
	m->frames = frames;
	m->shift = frame_size == 2048 ? 11 : 12;
	m->size = ((uint64_t)frames * frame_size + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1);
	pthread_mutex_init(&m->lock, NULL);
	m->depot = malloc(frames * sizeof(*m->depot));
	if (kept) {
		m->owner = kept->owner;
		m->queue = kept->queue;
	}
	if (!m->depot || (!kept && own_kept(m))) {
		xsk_mem_destroy(m);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

int xsk_mem_create(uint32_t frames, uint32_t frame_size, enum xsk_hugepages huge,
		   const struct xsk_kept *kept, struct xsk_mem **out)
{
	struct xsk_mem *m;
	int err = mem_alloc(frames, frame_size, kept, &m);

	if (err)
		return err;
	err = huge == XSK_HUGEPAGES_OFF ? -ENOMEM : map_memory(m, true);
	if (err && huge != XSK_HUGEPAGES_REQUIRE)
		err = map_memory(m, false);
	if (err) {
		xsk_mem_destroy(m);
		return err;
	}
	memset(m->owner, 0, frames * sizeof(*m->owner));
	memset(m->queue, 0, XSK_SLOTS * sizeof(*m->queue));
	for (uint32_t i = 0; i < frames; i++)
		m->depot[i] = frames - 1 - i; /* low frames go out first */
	m->ndepot = frames;
	*out = m;
	return 0;
}

/* Does every frame that is with a queue name one that there is? */
static bool owners_valid(const struct xsk_mem *m)
{
	for (uint32_t f = 0; f < m->frames; f++) {
		unsigned state = m->owner[f] & 3, slot = m->owner[f] >> 2;

		if (m->owner[f] == FRAME_PENDING)
			continue;
		if (slot > XSK_SLOTS || (state == FRAME_FREE && slot))
			return false;
		if (state > FRAME_HELD && (!slot || !m->queue[slot - 1].used))
			return false;
	}
	return true;
}

int xsk_mem_adopt(int fd, uint32_t frames, uint32_t frame_size, const struct xsk_kept *kept,
		  struct xsk_mem **out)
{
	struct xsk_mem *m;
	struct stat st;
	int err = mem_alloc(frames, frame_size, kept, &m);

	if (err)
		return err;
	err = -EINVAL;
	if (fstat(fd, &st) || (uint64_t)st.st_size != m->size)
		goto fail;
	err = -EUCLEAN;
	if (!owners_valid(m))
		goto fail;
	m->base = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m->base == MAP_FAILED) {
		err = -errno;
		goto fail;
	}
	for (uint32_t f = 0; f < frames; f++) /* said by one that was killed while it adopted */
		if (m->owner[f] == FRAME_PENDING)
			m->owner[f] = FRAME_HELD;
	m->fd = fd;
	m->huge = st.st_blksize == HUGE_SIZE;
	*out = m;
	return 0;
fail:
	xsk_mem_destroy(m);
	return err;
}

bool xsk_mem_pending(struct xsk_mem *m, uint32_t frame)
{
	if (frame >= m->frames || !frame_is_held(m->owner[frame]) ||
	    m->owner[frame] == FRAME_PENDING)
		return false;
	m->owner[frame] = FRAME_PENDING;
	return true;
}

uint32_t xsk_mem_settle(struct xsk_mem *m)
{
	uint32_t held = 0;

	pthread_mutex_lock(&m->lock);
	m->ndepot = 0;
	for (uint32_t f = m->frames; f-- > 0;) { /* low frames go out first */
		if (frame_is_held(m->owner[f]) && m->owner[f] != FRAME_PENDING) {
			m->owner[f] = FRAME_FREE;
			held++;
		}
		if (m->owner[f] == FRAME_FREE)
			m->depot[m->ndepot++] = f;
	}
	pthread_mutex_unlock(&m->lock);
	/* Nobody goes on with a queue that we do not go on with: another may be bound there soon.
	 */
	for (unsigned slot = 0; slot < XSK_SLOTS; slot++)
		if (!(m->served[slot / 64] >> (slot % 64) & 1))
			m->queue[slot].cookie = 0;
	return held;
}

void xsk_mem_populate(const struct xsk_mem *m)
{
	madvise(m->base, m->size, MADV_POPULATE_WRITE); /* since Linux 5.14; it only helps */
}

uint32_t xsk_mem_orphans(struct xsk_mem *m)
{
	uint32_t n = 0;

	for (unsigned slot = 0; slot < XSK_SLOTS; slot++) {
		if (!m->queue[slot].used || m->served[slot / 64] >> (slot % 64) & 1)
			continue;
		n += xsk_mem_reclaim(m, FRAME_POSTED(slot));
		n += xsk_mem_reclaim(m, FRAME_SENT(slot));
		m->queue[slot].used = 0;
	}
	return n;
}

void xsk_mem_destroy(struct xsk_mem *m)
{
	if (!m)
		return;
	if (m->base != MAP_FAILED)
		munmap(m->base, m->size);
	if (m->fd >= 0)
		close(m->fd);
	pthread_mutex_destroy(&m->lock);
	if (m->own_kept) {
		free(m->owner);
		free(m->queue);
	}
	free(m->depot);
	free(m);
}

void frame_cache_init(struct frame_cache *c, struct xsk_mem *m)
{
	c->mem = m;
	c->n = 0;
}

/* With the lock held. */
static void put_down(struct frame_cache *c, uint32_t n)
{
	struct xsk_mem *m = c->mem;

	c->n -= n;
	memcpy(m->depot + m->ndepot, c->frame + c->n, n * sizeof(*m->depot));
	m->ndepot += n;
}

static void give_back(struct frame_cache *c, uint32_t n)
{
	pthread_mutex_lock(&c->mem->lock);
	put_down(c, n);
	pthread_mutex_unlock(&c->mem->lock);
}

void frame_cache_share(struct frame_cache *c)
{
	pthread_mutex_lock(&c->mem->lock);
	if (c->mem->ndepot < FRAME_SLAB)
		put_down(c, c->n);
	pthread_mutex_unlock(&c->mem->lock);
}

void frame_cache_fini(struct frame_cache *c)
{
	give_back(c, c->n);
}

bool frame_cache_more(struct frame_cache *c)
{
	struct xsk_mem *m = c->mem;
	uint32_t n = FRAME_CACHE - c->n < FRAME_SLAB ? FRAME_CACHE - c->n : FRAME_SLAB;

	pthread_mutex_lock(&m->lock);
	n = m->ndepot < n ? m->ndepot : n;
	m->ndepot -= n;
	memcpy(c->frame + c->n, m->depot + m->ndepot, n * sizeof(*m->depot));
	c->n += n;
	pthread_mutex_unlock(&m->lock);
	return n > 0;
}

void frame_cache_less(struct frame_cache *c)
{
	give_back(c, FRAME_SLAB);
}

uint32_t xsk_mem_reclaim(struct xsk_mem *m, uint16_t owner)
{
	uint32_t n = 0;

	pthread_mutex_lock(&m->lock);
	for (uint32_t f = 0; f < m->frames; f++) {
		/* Others change hands meanwhile, but none to this owner, who is gone. */
		if (__atomic_load_n(&m->owner[f], __ATOMIC_RELAXED) != owner)
			continue;
		m->owner[f] = FRAME_FREE;
		m->depot[m->ndepot++] = f;
		n++;
	}
	pthread_mutex_unlock(&m->lock);
	return n;
}
