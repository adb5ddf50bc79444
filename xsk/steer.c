// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The part of steering that all ports share: the maps of local addresses (steer_local.c fills them)
 * and of NAT's ports, and the pins. See steer.h.
 *
 * Life-cycle: steer_create() finds or makes the maps; steer_port_create() loads an instance of the
 * program over them, steer_port_socket() fills its socket map, steer_port_attach() puts it on the
 * device (steer_link.c) and pins it (steer_pin.c). The shared maps outlive the process together
 * with the programs that read them: all instances, of the old process and of the new one, must
 * agree on them.
 */
#include "xsk/steer_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

static const struct layout {
	const char *name;
	enum bpf_map_type type;
	uint32_t key_size, value_size, entries, flags;
	bool anew; /* each process makes its own: programs of before go on with theirs */
} layouts[STEER_MAPS] = {
	[STEER_MAP_LOCAL4] = { "local4", BPF_MAP_TYPE_HASH, 4, sizeof(uint16_t), STEER_LOCALS_ROOM,
			       BPF_F_NO_PREALLOC, false },
	[STEER_MAP_LOCAL6] = { "local6", BPF_MAP_TYPE_HASH, 16, sizeof(uint16_t), STEER_LOCALS_ROOM,
			       BPF_F_NO_PREALLOC, false },
	[STEER_MAP_NATPORTS] = { "natports", BPF_MAP_TYPE_ARRAY, 4, sizeof(uint64_t),
				 STEER_NAT_SIZE, BPF_F_MMAPABLE, false },
	[STEER_MAP_FRAGMENTS] = { "fragments", BPF_MAP_TYPE_LRU_HASH, STEER_FRAGMENT_KEY_SIZE,
				  sizeof(uint32_t), STEER_FRAGMENTS_MAX, 0, false },
	[STEER_MAP_REDIRECTS] = { "redirects", BPF_MAP_TYPE_ARRAY, 4, sizeof(uint64_t),
				  STEER_REDIRECT_SIZE, 0, true },
	[STEER_MAP_BEATS] = { "beats", BPF_MAP_TYPE_ARRAY, 4, sizeof(uint64_t), STEER_BEATS,
			      BPF_F_MMAPABLE, true },
};

static bool is_laid_out(int fd, const struct layout *l)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &len) && info.type == l->type &&
	       info.key_size == l->key_size && info.value_size == l->value_size &&
	       info.max_entries == l->entries && info.map_flags == l->flags;
}

/* A pinned map as an earlier process left it, if its layout is still ours: an fd or -errno. */
static int open_pinned(const char *path, const struct layout *l)
{
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return -errno;
	if (is_laid_out(fd, l))
		return fd;
	close(fd);
	return -EINVAL;
}

static int open_map(struct steer *s, enum steer_map which, char *why)
{
	const struct layout *l = &layouts[which];
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = l->flags);
	bool pinned = s->pin_dir && !l->anew;
	char path[STEER_PIN_PATH] = "";
	int fd = -ENOENT, err;

	if (pinned)
		fd = open_pinned(steer_pin_path(path, s->pin_dir, l->name), l);
	if (fd >= 0) {
		s->maps[which] = fd;
		s->found |= 1u << which;
		return 0;
	}
	fd = bpf_map_create(l->type, l->name, l->key_size, l->value_size, l->entries, &opts);
	if (fd < 0)
		return steer_why_errno(why, fd, "cannot make the map %s", l->name);
	err = pinned ? steer_pin_put(fd, path) : 0;
	if (err) {
		close(fd);
		return steer_why_errno(why, err, "cannot pin %.96s", path);
	}
	s->maps[which] = fd;
	return 0;
}

static int open_maps(struct steer *s, char *why)
{
	int err = 0;

	for (int i = 0; i < STEER_MAPS && !err; i++)
		err = open_map(s, (enum steer_map)i, why);
	return err;
}

/* ---- NAT's ports ---- */

#define NATPORTS_BYTES (STEER_NAT_SIZE * sizeof(uint64_t))

/* Not to be had is no reason to stop: only NAT on addresses of this host needs it. */
static void map_natports(struct steer *s)
{
	void *at = mmap(NULL, NATPORTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			s->maps[STEER_MAP_NATPORTS], 0);

	if (at == MAP_FAILED)
		steer_why_errno(s->natports_note, errno, "no NAT on addresses of this host: mmap");
	else
		s->natports = at;
}

uint64_t *steer_natports(struct steer *s)
{
	return s->natports;
}

bool steer_natports_found(const struct steer *s)
{
	return s->found & 1u << STEER_MAP_NATPORTS;
}

const char *steer_natports_note(const struct steer *s)
{
	return s->natports ? NULL : s->natports_note;
}

/* ---- beats ---- */

#define BEATS_BYTES (STEER_BEATS * sizeof(uint64_t))

uint64_t *steer_beats(struct steer *s, unsigned place)
{
	void *at = s->beats;

	assert(place < STEER_PLACES);
	if (!at) {
		at = mmap(NULL, BEATS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			  s->maps[STEER_MAP_BEATS], 0);
		if (at == MAP_FAILED)
			return NULL;
		s->beats = at;
	}
	return s->beats + place * STEER_QUEUES_MAX;
}

/* ---- create and destroy ---- */

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
	for (int i = 0; i < STEER_MAPS; i++)
		s->maps[i] = -1;
	if (pin_dir) {
		err = steer_pin_prepare(pin_dir, s->note, why);
		if (err < 0)
			goto fail;
		if (err == 0 && !(s->pin_dir = strdup(pin_dir))) {
			err = steer_why_errno(why, ENOMEM, "steering");
			goto fail;
		}
	}
	err = open_maps(s, why);
	if (err)
		goto fail;
	map_natports(s);
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
	if (s->natports)
		munmap(s->natports, NATPORTS_BYTES);
	if (s->beats)
		munmap(s->beats, BEATS_BYTES);
	for (int i = 0; i < STEER_MAPS; i++)
		if (s->maps[i] >= 0)
			close(s->maps[i]);
	free(s->wishes);
	free(s->redirects);
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
