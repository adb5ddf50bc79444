// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Local addresses, and what NAT wishes of them. See steer.h.
 *
 * A set is replaced by adding the new one before the old one goes, and an address that stays keeps
 * its value all the while: the maps hold what the programs need, the wishes what an address is to
 * get that comes later, or goes and comes back.
 */
#include "xsk/steer_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

static_assert(STEER_NAT_ALL + 1 == STEER_LOCAL_ALL, "a value is the slot + 1");

static int local_fd(const struct steer *s, const struct addr *a)
{
	switch (a->family) {
	case AF_INET: return s->maps[STEER_MAP_LOCAL4];
	case AF_INET6: return s->maps[STEER_MAP_LOCAL6];
	default: return -EAFNOSUPPORT;
	}
}

/* ---- what NAT wishes ---- */

static struct steer_wish *find_wish(const struct steer *s, const struct addr *a)
{
	for (unsigned i = 0; i < s->nwishes; i++)
		if (addr_equal(&s->wishes[i].addr, a))
			return &s->wishes[i];
	return NULL;
}

static int keep_wish(struct steer *s, const struct addr *a, uint16_t value)
{
	struct steer_wish *w = find_wish(s, a);

	if (!w && s->nwishes == s->wishes_room) {
		unsigned room = s->wishes_room ? 2 * s->wishes_room : 16;

		w = reallocarray(s->wishes, room, sizeof(*w));
		if (!w)
			return -ENOMEM;
		s->wishes = w;
		s->wishes_room = room;
		w = NULL;
	}
	if (!w)
		w = &s->wishes[s->nwishes++];
	*w = (struct steer_wish){ .addr = *a, .value = value };
	return 0;
}

static void forget_wish(struct steer *s, const struct addr *a)
{
	struct steer_wish *w = find_wish(s, a);

	if (w)
		*w = s->wishes[--s->nwishes];
}

int steer_local_nat(struct steer *s, const struct addr *a, int slot)
{
	uint16_t value = (uint16_t)(slot + 1); /* STEER_NAT_ALL becomes STEER_LOCAL_ALL */
	int fd = local_fd(s, a), err = 0;

	if (fd < 0)
		return fd;
	if (slot < STEER_NAT_NONE || slot > STEER_NAT_ALL)
		return -EINVAL;
	if (slot == STEER_NAT_NONE)
		forget_wish(s, a);
	else
		err = keep_wish(s, a, value);
	if (err)
		return err;
	/* an address of this host now, or else when it becomes one */
	return bpf_map_update_elem(fd, a->bytes, &value, BPF_EXIST) && errno != ENOENT ? -errno : 0;
}

/* ---- the sets ---- */

int steer_local_add(struct steer *s, const struct addr *a)
{
	const struct steer_wish *w = find_wish(s, a);
	uint16_t value = w ? w->value : 0;
	int fd = local_fd(s, a);

	if (fd < 0)
		return fd;
	return bpf_map_update_elem(fd, a->bytes, &value, BPF_ANY) ? -errno : 0;
}

int steer_local_del(struct steer *s, const struct addr *a)
{
	int fd = local_fd(s, a);

	if (fd < 0)
		return fd;
	return bpf_map_delete_elem(fd, a->bytes) && errno != ENOENT ? -errno : 0;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct addr));
}

/* Deletes from the map of one family what is not among the n sorted addresses. */
static int local_delete_others(int fd, uint8_t family, const struct addr *sorted, unsigned n)
{
	struct addr at = { .family = family }, next = { .family = family };
	bool more = !bpf_map_get_next_key(fd, NULL, at.bytes);

	while (more) {
		/* ask for the next first: from a deleted key there is no way on */
		more = !bpf_map_get_next_key(fd, at.bytes, next.bytes);
		if (!bsearch(&at, sorted, n, sizeof(at), by_bytes) &&
		    bpf_map_delete_elem(fd, at.bytes) && errno != ENOENT)
			return -errno;
		at = next;
	}
	return 0;
}

static int local_count_check(const struct addr *a, unsigned n)
{
	unsigned v4 = 0, v6 = 0;

	for (unsigned i = 0; i < n; i++) {
		v4 += a[i].family == AF_INET;
		v6 += a[i].family == AF_INET6;
	}
	if (v4 + v6 != n)
		return -EAFNOSUPPORT;
	return v4 > STEER_LOCALS_MAX || v6 > STEER_LOCALS_MAX ? -E2BIG : 0;
}

int steer_local_replace(struct steer *s, const struct addr *a, unsigned n)
{
	struct addr *sorted;
	int err = local_count_check(a, n);

	if (err)
		return err;
	sorted = calloc(n + 1, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	if (n)
		memcpy(sorted, a, n * sizeof(*a));
	qsort(sorted, n, sizeof(*sorted), by_bytes);
	for (unsigned i = 0; i < n && !err; i++)
		err = steer_local_add(s, &sorted[i]);
	if (!err)
		err = local_delete_others(s->maps[STEER_MAP_LOCAL4], AF_INET, sorted, n);
	if (!err)
		err = local_delete_others(s->maps[STEER_MAP_LOCAL6], AF_INET6, sorted, n);
	free(sorted);
	return err;
}
