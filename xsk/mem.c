/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet memory; see mem.h. The memory is a memfd so that the next process can map it too. */
#include "xsk/mem.h"

#include <errno.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

int xsk_mem_create(uint32_t frames, uint32_t frame_size, enum xsk_hugepages huge,
		   struct xsk_mem **out)
{
	struct xsk_mem *m = calloc(1, sizeof(*m));
	int err = -EINVAL;

	if (!m)
		return -ENOMEM;
	if (frames == 0 || (frame_size != 2048 && frame_size != 4096))
		goto fail;
	m->frames = frames;
	m->shift = frame_size == 2048 ? 11 : 12;
	m->size = ((uint64_t)frames * frame_size + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1);
	err = huge == XSK_HUGEPAGES_OFF ? -ENOMEM : map_memory(m, true);
	if (err && huge != XSK_HUGEPAGES_REQUIRE)
		err = map_memory(m, false);
	if (err)
		goto fail;
	err = -ENOMEM;
	m->owner = calloc(frames, sizeof(*m->owner));
	m->depot = malloc(frames * sizeof(*m->depot));
	if (!m->owner || !m->depot)
		goto unmap;
	for (uint32_t i = 0; i < frames; i++)
		m->depot[i] = frames - 1 - i; /* low frames go out first */
	m->ndepot = frames;
	pthread_mutex_init(&m->lock, NULL);
	*out = m;
	return 0;
unmap:
	free(m->owner);
	free(m->depot);
	munmap(m->base, m->size);
	close(m->fd);
fail:
	free(m);
	return err;
}

void xsk_mem_destroy(struct xsk_mem *m)
{
	if (!m)
		return;
	munmap(m->base, m->size);
	close(m->fd);
	pthread_mutex_destroy(&m->lock);
	free(m->owner);
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
		/* The others change hands meanwhile, but none of them to this owner, who is gone.
		 */
		if (__atomic_load_n(&m->owner[f], __ATOMIC_RELAXED) != owner)
			continue;
		m->owner[f] = FRAME_FREE;
		m->depot[m->ndepot++] = f;
		n++;
	}
	pthread_mutex_unlock(&m->lock);
	return n;
}
