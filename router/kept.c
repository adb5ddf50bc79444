/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file, in this order: header, names of counters, workers, owners of frames, queues; each on
 * pages of its own, so that what is not used costs nothing. See kept.h.
 */
#include "router/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "router/net/region.h"

#define FRAMES_MAX (64u << 20) /* 128 GiB of packets: no file of ours says more */
#define NAMES_MAX  1024u

struct layout {
	uint64_t name_at, worker_at, owner_at, queue_at, bytes;
};

static struct layout lay_out(const struct kept_header *h)
{
	/* of a worker whose counters are others: the same fields, in the same order */
	uint64_t worker =
		sizeof(struct worker_kept) +
		((uint64_t)h->ndrops - DROP__COUNT + h->nevents - EVENT__COUNT) * sizeof(uint64_t);
	struct layout l;

	l.bytes = 0;
	region_reserve(&l.bytes, h->header_size);
	l.name_at = region_reserve(&l.bytes, (uint64_t)(h->ndrops + h->nevents) * KEPT_NAME);
	l.worker_at = region_reserve(&l.bytes, h->nworkers * worker);
	l.owner_at = region_reserve(&l.bytes, h->frames * sizeof(uint16_t));
	l.queue_at = region_reserve(&l.bytes, h->nslots * sizeof(struct xsk_queue_kept));
	return l;
}

static void point(struct kept *k)
{
	struct layout l = lay_out(k->head);
	uint8_t *base = (uint8_t *)k->head;

	k->name = (void *)(base + l.name_at);
	k->worker = (void *)(base + l.worker_at);
	k->xsk.owner = (void *)(base + l.owner_at);
	k->xsk.queue = (void *)(base + l.queue_at);
}

static const char *name_of(unsigned i)
{
	return i < DROP__COUNT ? drop_info[i].name : dp_event_info[i - DROP__COUNT].name;
}

/* ---- this boot, this namespace */

void kept_boot(char out[40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, 36);

	memset(out + (n > 0 ? n : 0), 0, 40 - (size_t)(n > 0 ? n : 0));
	if (fd >= 0)
		close(fd);
}

uint64_t kept_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : st.st_ino;
}

/* ---- create */

static void dimensions(struct kept_header *h)
{
	h->magic = KEPT_MAGIC;
	h->version = KEPT_VERSION;
	h->header_size = sizeof(*h);
	h->ndrops = DROP__COUNT;
	h->nevents = EVENT__COUNT;
	h->nports = PORTS_MAX;
	h->nvlans = IFACES_MAX;
	h->nout = DP_OUT_MAX;
	h->nworkers = WORKERS_MAX;
	h->nslots = XSK_SLOTS;
}

int kept_create(uint32_t frames, uint32_t frame_size, struct kept **out)
{
	struct kept_header h = { .frames = frames, .frame_size = frame_size };
	struct kept *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -ENOMEM;
	dimensions(&h);
	kept_boot(h.boot);
	h.netns = kept_netns();
	h.bytes = lay_out(&h).bytes;
	k->bytes = h.bytes;
	k->fd = memfd_create("router-state", MFD_CLOEXEC);
	if (k->fd < 0 || ftruncate(k->fd, (off_t)h.bytes))
		goto fail;
	k->head = mmap(NULL, k->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, 0);
	if (k->head == MAP_FAILED)
		goto fail;
	*k->head = h;
	point(k);
	for (unsigned i = 0; i < DROP__COUNT + EVENT__COUNT; i++)
		snprintf(k->name[i], KEPT_NAME, "%s", name_of(i));
	*out = k;
	return 0;
fail:
	err = -errno;
	if (k->fd >= 0)
		close(k->fd);
	free(k);
	return err;
}

void kept_destroy(struct kept *k)
{
	if (!k)
		return;
	munmap(k->head, k->bytes);
	close(k->fd);
	free(k);
}

/* ---- adopt */

static int refuse(char *why, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(char *why, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* What is in the header alone, of a file of `bytes`. */
static int header_check(const struct kept_header *h, uint64_t bytes, char *why, size_t size)
{
	struct kept_header now = { 0 };

	dimensions(&now);
	kept_boot(now.boot);
	if (h->magic != now.magic)
		return refuse(why, size, "it is no state of a router");
	if (h->version != now.version || h->header_size != now.header_size)
		return refuse(why, size, "its layout is version %u, ours is %u", h->version,
			      now.version);
	if (memcmp(h->boot, now.boot, sizeof(now.boot)) != 0)
		return refuse(why, size, "it is from before the last boot");
	if (h->netns != kept_netns()) {
		refuse(why, size, "it is of another network namespace");
		return -EXDEV;
	}
	if (h->nports != now.nports || h->nvlans != now.nvlans || h->nout != now.nout ||
	    h->nworkers != now.nworkers || h->nslots != now.nslots || !h->ndrops ||
	    h->ndrops > NAMES_MAX || h->nevents > NAMES_MAX || !h->frames ||
	    h->frames > FRAMES_MAX || (h->frame_size != 2048 && h->frame_size != 4096) ||
	    h->workers > h->nworkers)
		return refuse(why, size, "its dimensions are not a router's");
	if (h->bytes != bytes || lay_out(h).bytes != bytes)
		return refuse(why, size, "its size is not what it says");
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (memchr(h->port[i].name, 0, sizeof(h->port[i].name)) == NULL ||
		    memchr(h->port[i].netdev, 0, sizeof(h->port[i].netdev)) == NULL ||
		    h->port[i].queues > XSK_QUEUES_MAX)
			return refuse(why, size, "its port %u is damaged", i);
	return 0;
}

static bool same_counters(const struct kept *k)
{
	if (k->head->ndrops != DROP__COUNT || k->head->nevents != EVENT__COUNT)
		return false;
	for (unsigned i = 0; i < DROP__COUNT + EVENT__COUNT; i++)
		if (strncmp(k->name[i], name_of(i), KEPT_NAME) != 0)
			return false;
	return true;
}

/* Our number of a counter of another version, from first to last; last: it is gone. */
static unsigned number_of(const char *name, unsigned first, unsigned last)
{
	while (first < last && strncmp(name, name_of(first), KEPT_NAME) != 0)
		first++;
	return first;
}

/* A worker of another version: first its drops and events, and behind them what is the same. What
 * was counted by a name that we do not have is counted as lost in the restart: no packet may
 * vanish. */
static void worker_import(struct worker_kept *to, const struct kept *old, unsigned w)
{
	const struct kept_header *h = old->head;
	const size_t same_at = offsetof(struct dp_counters, generated);
	const size_t same = sizeof(struct worker_kept) - same_at;
	const uint64_t *n = (const void *)((const uint8_t *)old->worker +
					   w * ((h->ndrops + h->nevents) * sizeof(*n) + same));

	for (unsigned i = 0; i < h->ndrops; i++) {
		unsigned mine = number_of(old->name[i], 0, DROP__COUNT);

		to->count.drop[mine < DROP__COUNT ? mine : DROP_RESTART] += n[i];
	}
	for (unsigned i = 0; i < h->nevents; i++) {
		unsigned mine = number_of(old->name[h->ndrops + i], DROP__COUNT,
					  DROP__COUNT + EVENT__COUNT);

		if (mine < DROP__COUNT + EVENT__COUNT)
			to->count.event[mine - DROP__COUNT] += n[h->ndrops + i];
	}
	memcpy((uint8_t *)to + same_at, n + h->ndrops + h->nevents, same);
}

static_assert(offsetof(struct dp_counters, drop) == 0 &&
		      offsetof(struct dp_counters, event) == DROP__COUNT * sizeof(uint64_t) &&
		      offsetof(struct dp_counters, generated) ==
			      (DROP__COUNT + EVENT__COUNT) * sizeof(uint64_t),
	      "worker_import() goes by this order");

static int import(const struct kept *old, struct kept **out)
{
	const struct kept_header *h = old->head;
	struct kept_header *now;
	struct kept *k;
	int err = kept_create(h->frames, h->frame_size, &k);

	if (err)
		return err;
	now = k->head;
	now->workers = h->workers;
	now->tries = h->tries;
	now->clean = h->clean;
	now->adopted = h->adopted;
	now->died_at = h->died_at;
	now->fib_generation = h->fib_generation;
	now->policy_generation = h->policy_generation;
	now->unsent = h->unsent;
	now->kernel_rx_dropped = h->kernel_rx_dropped;
	now->kernel_rx_ring_full = h->kernel_rx_ring_full;
	now->kernel_rx_unread = h->kernel_rx_unread;
	memcpy(now->port, h->port, sizeof(now->port));
	now->reserved = h->reserved;
	for (unsigned w = 0; w < h->workers; w++)
		worker_import(&k->worker[w], old, w);
	memcpy(k->xsk.owner, old->xsk.owner, h->frames * sizeof(uint16_t));
	memcpy(k->xsk.queue, old->xsk.queue, h->nslots * sizeof(struct xsk_queue_kept));
	*out = k;
	return 0;
}

static int map(int fd, struct kept *k, char *why, size_t size)
{
	struct kept_header h;
	struct stat st;
	int err;

	if (fstat(fd, &st) || pread(fd, &h, sizeof(h), 0) != sizeof(h))
		return refuse(why, size, "it is too short");
	err = header_check(&h, (uint64_t)st.st_size, why, size);
	if (err)
		return err;
	k->fd = fd;
	k->bytes = h.bytes;
	k->head = mmap(NULL, k->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (k->head == MAP_FAILED)
		return refuse(why, size, "it cannot be mapped: %s", strerror(errno));
	point(k);
	return 0;
}

int kept_adopt(int fd, struct kept **out, char *why, size_t size)
{
	struct kept *k = calloc(1, sizeof(*k));
	int err = k ? map(fd, k, why, size) : refuse(why, size, "out of memory");

	if (err) {
		close(fd);
		free(k);
		return err;
	}
	*out = k;
	return 0;
}

int kept_carry_over(struct kept **k)
{
	struct kept *mine;
	int err;

	if (same_counters(*k))
		return 0;
	err = import(*k, &mine);
	if (err)
		return err;
	kept_destroy(*k);
	*k = mine;
	return 0;
}
