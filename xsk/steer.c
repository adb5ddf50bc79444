// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The part of steering that all ports share: the two maps of local addresses, and the pins. See
 * steer.h.
 *
 * Life-cycle: steer_create() finds or makes the maps; steer_port_create() loads an instance of the
 * program over them, steer_port_socket() fills its socket map, steer_port_attach() puts it on the
 * device (steer_link.c) and pins it (steer_pin.c). The maps of local addresses outlive the process
 * together with the programs that read them: all instances, of the old process and of the new one,
 * must agree on them.
 */
#include "xsk/steer_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "xsk/steer_pin.h"
#include "xsk/steer_why.h"

const struct steer_verdict_info steer_verdict_info[STEER__COUNT] = {
#define X(id, name, text) { name, text },
	STEER_VERDICTS(X)
#undef X
};

/* ---- the shared maps ---- */

/* A pinned map as an earlier process left it, if its layout is still ours: an fd or -errno. */
static int open_pinned(const char *path, uint32_t key_size)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return -errno;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.type == BPF_MAP_TYPE_HASH &&
	    info.key_size == key_size && info.value_size == STEER_LOCAL_VALUE_SIZE &&
	    info.max_entries == STEER_LOCALS_ROOM && info.map_flags == BPF_F_NO_PREALLOC)
		return fd;
	close(fd);
	return -EINVAL;
}

static int local_map(const struct steer *s, const char *name, uint32_t key_size, int *out,
		     char *why)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	char path[STEER_PIN_PATH] = "";
	int fd = -ENOENT, err;

	if (s->pin_dir)
		fd = open_pinned(steer_pin_path(path, s->pin_dir, name), key_size);
	if (fd >= 0) {
		*out = fd;
		return 0;
	}
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, name, key_size, STEER_LOCAL_VALUE_SIZE,
			    STEER_LOCALS_ROOM, &opts);
	if (fd < 0)
		return steer_why_errno(why, fd, "cannot make the map %s", name);
	err = s->pin_dir ? steer_pin_put(fd, path) : 0;
	if (err) {
		close(fd);
		return steer_why_errno(why, err, "cannot pin %.96s", path);
	}
	*out = fd;
	return 0;
}

static bool has_gone(const void *arg, int ifindex, bool gone)
{
	(void)arg, (void)ifindex;
	return gone;
}

int steer_create(const char *pin_dir, struct steer **out, char *why)
{
	struct steer *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (!s)
		return steer_why_errno(why, ENOMEM, "steering");
	s->local4 = s->local6 = -1;
	if (pin_dir) {
		err = steer_pin_prepare(pin_dir, s->note, why);
		if (err < 0)
			goto fail;
		if (err == 0 && !(s->pin_dir = strdup(pin_dir))) {
			err = steer_why_errno(why, ENOMEM, "steering");
			goto fail;
		}
	}
	err = local_map(s, "local4", 4, &s->local4, why);
	if (!err)
		err = local_map(s, "local6", 16, &s->local6, why);
	if (err)
		goto fail;
	if (s->pin_dir)
		steer_pin_remove_ports(s->pin_dir, has_gone, NULL, NULL, NULL);
	*out = s;
	return 0;
fail:
	steer_destroy(s, false);
	return err;
}

const char *steer_note(const struct steer *s)
{
	return s->note[0] ? s->note : NULL;
}

void steer_destroy(struct steer *s, bool detach)
{
	if (!s)
		return;
	assert(!s->ports);
	if (detach && s->pin_dir)
		steer_cleanup(s->pin_dir, NULL, NULL);
	if (s->local4 >= 0)
		close(s->local4);
	if (s->local6 >= 0)
		close(s->local6);
	free(s->pin_dir);
	free(s);
}

static bool is_not_attached(const void *arg, int ifindex, bool gone)
{
	const struct steer *s = arg;

	(void)gone;
	for (const struct steer_port *p = s->ports; p; p = p->next)
		if (p->ifindex == ifindex && p->link >= 0)
			return false;
	return true;
}

int steer_prune(struct steer *s, void (*say)(void *arg, const char *text), void *arg)
{
	return s->pin_dir ? steer_pin_remove_ports(s->pin_dir, is_not_attached, s, say, arg) : 0;
}

/* ---- local addresses ---- */

static int local_fd(const struct steer *s, const struct addr *a)
{
	switch (a->family) {
	case AF_INET: return s->local4;
	case AF_INET6: return s->local6;
	default: return -EAFNOSUPPORT;
	}
}

int steer_local_add(struct steer *s, const struct addr *a)
{
	static const uint8_t here[STEER_LOCAL_VALUE_SIZE] = { 1 };
	int fd = local_fd(s, a);

	if (fd < 0)
		return fd;
	return bpf_map_update_elem(fd, a->bytes, here, BPF_ANY) ? -errno : 0;
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
		err = local_delete_others(s->local4, AF_INET, sorted, n);
	if (!err)
		err = local_delete_others(s->local6, AF_INET6, sorted, n);
	free(sorted);
	return err;
}
