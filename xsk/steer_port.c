// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A port's instance of the XDP program: load, socket map, state, counters, attach, leave. See
 * steer.h.
 *
 * The maps of a port are made anew by each process. On adoption the old program goes on with its
 * old maps up to the moment its link is updated, so an old daemon may forward until the new one is
 * complete; the pins of the maps follow right after.
 */
#include "xsk/steer_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "xsk/steer.skel.h"
#include "xsk/steer_link.h"
#include "xsk/steer_pin.h"
#include "xsk/steer_why.h"

#define VID_MAX 4094 /* 4095 is reserved */

static int use_shared_maps(const struct steer_port *p)
{
	struct bpf_map *const maps[STEER_MAPS] = {
		[STEER_MAP_LOCAL4] = p->skel->maps.local4,
		[STEER_MAP_LOCAL6] = p->skel->maps.local6,
		[STEER_MAP_NATPORTS] = p->skel->maps.natports,
		[STEER_MAP_FRAGMENTS] = p->skel->maps.fragments,
		[STEER_MAP_REDIRECTS] = p->skel->maps.redirects,
		[STEER_MAP_BEATS] = p->skel->maps.beats,
	};
	int err = 0;

	for (int i = 0; i < STEER_MAPS && !err; i++)
		err = bpf_map__reuse_fd(maps[i], p->steer->maps[i]);
	return err;
}

static int load(struct steer_port *p, char *why)
{
	const char *said;
	int err;

	p->skel = steer_bpf__open();
	if (!p->skel)
		return steer_why_errno(why, errno, "%s: cannot open the XDP program", p->name);
	err = bpf_map__set_max_entries(p->skel->maps.xsks, p->queues);
	if (!err)
		err = use_shared_maps(p);
	if (err)
		return steer_why_errno(why, err, "%s: cannot prepare the XDP program", p->name);
	steer_capture_begin();
	err = steer_bpf__load(p->skel);
	said = steer_capture_end();
	if (err)
		return steer_why_errno(why, err, "%s: cannot load the XDP program (%.80s)", p->name,
				       said);
	p->state = &p->skel->data_port->port;
	return 0;
}

static int config_check(const struct steer_port_config *c, char *why)
{
	if (c->queues >= 1 && c->queues <= STEER_QUEUES_MAX)
		return 0;
	steer_why(why, "%s: %u queues, but 1 to %d can be served", c->name, c->queues,
		  STEER_QUEUES_MAX);
	return -EINVAL;
}

int steer_port_create(struct steer *s, const struct steer_port_config *c, struct steer_port **out,
		      char *why)
{
	struct steer_port *p;
	int err = config_check(c, why);

	if (err)
		return err;
	p = calloc(1, sizeof(*p));
	if (!p)
		return steer_why_errno(why, ENOMEM, "%s", c->name);
	p->steer = s;
	p->next = s->ports;
	s->ports = p;
	p->link = p->before = -1;
	p->mode = "";
	p->ifindex = c->ifindex;
	snprintf(p->name, sizeof(p->name), "%s", c->name);
	p->queues = c->queues;
	p->place = c->place;
	p->generic = c->generic;
	p->replace = c->replace;
	p->cpus = libbpf_num_possible_cpus();
	p->percpu = calloc(p->cpus > 0 ? p->cpus : 1, sizeof(*p->percpu));
	if (p->cpus < 0 || !p->percpu)
		err = steer_why_errno(why, p->cpus < 0 ? p->cpus : ENOMEM, "%s", c->name);
	else
		err = load(p, why);
	if (err) {
		steer_port_destroy(p, false);
		return err;
	}
	err = steer_port_fail_pass(p, c->fail_pass);
	if (err) {
		steer_port_destroy(p, false);
		return steer_why_errno(why, err, "%s: no heartbeat for on-failure: pass", c->name);
	}
	steer_port_mac(p, c->mac);
	*out = p;
	return 0;
}

int steer_port_socket(struct steer_port *p, unsigned queue, int xsk_fd)
{
	int map = bpf_map__fd(p->skel->maps.xsks);
	uint32_t key = queue;

	if (queue >= p->queues)
		return -EINVAL;
	if (xsk_fd >= 0)
		return bpf_map_update_elem(map, &key, &xsk_fd, BPF_ANY) ? -errno : 0;
	return bpf_map_delete_elem(map, &key) && errno != ENOENT ? -errno : 0;
}

static int pin(struct steer_port *p, char *why)
{
	const struct {
		const char *name;
		int fd;
	} pins[] = {
		{ "link", p->link },
		{ "xsks", bpf_map__fd(p->skel->maps.xsks) },
		{ "verdicts", bpf_map__fd(p->skel->maps.verdicts) },
		{ "state", bpf_map__fd(p->skel->maps.data_port) },
	};
	const char *dir = p->steer->pin_dir;
	char path[STEER_PIN_PATH];
	int err = steer_pin_port_mkdir(dir, p->ifindex);

	if (!p->state->whole)
		steer_whole_forget(dir, p->ifindex);
	if (p->before < 0)
		p->before = bpf_obj_get(steer_pin_port_path(path, dir, p->ifindex, "xsks"));
	steer_pin_port_path(path, dir, p->ifindex, NULL);
	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]) && !err; i++)
		err = steer_pin_put(pins[i].fd,
				    steer_pin_port_path(path, dir, p->ifindex, pins[i].name));
	return err ? steer_why_errno(why, err, "%s: cannot pin %.96s", p->name, path) : 0;
}

/* Whether the link still runs our program: the next process may have taken it over meanwhile. */
static bool link_is_ours(const struct steer_port *p)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info), prog_id;
	int ifindex;

	if (bpf_obj_get_info_by_fd(steer_port_prog_fd(p), &info, &len) ||
	    steer_pin_link_info(p->link, &ifindex, &prog_id))
		return true;
	return prog_id == info.id;
}

static void detach(struct steer_port *p)
{
	if (p->link >= 0 && link_is_ours(p)) {
		bpf_link_detach(p->link); /* at once, whoever else holds the link */
		if (p->steer->pin_dir)
			steer_pin_port_remove(p->steer->pin_dir, p->ifindex);
	}
	if (p->link >= 0)
		close(p->link);
	p->link = -1;
	p->mode = "";
}

int steer_port_attach(struct steer_port *p, char *why)
{
	const struct steer_link_request r = {
		.ifindex = p->ifindex,
		.name = p->name,
		.prog_fd = steer_port_prog_fd(p),
		.pin_dir = p->steer->pin_dir,
		.generic = p->generic,
		.replace = p->replace,
	};
	int err;

	if (p->link >= 0)
		return 0;
	err = steer_link_attach(&r, why);
	if (err < 0)
		return err;
	p->link = err;
	p->mode = steer_link_mode(p->ifindex);
	err = p->steer->pin_dir ? pin(p, why) : 0;
	if (err)
		detach(p);
	return err;
}

static void forget_before(struct steer_port *p)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	if (p->before < 0)
		return;
	if (!bpf_obj_get_info_by_fd(p->before, &info, &len) && info.type == BPF_MAP_TYPE_XSKMAP)
		for (uint32_t q = 0; q < info.max_entries; q++)
			bpf_map_delete_elem(p->before, &q); /* or there is none */
	close(p->before);
	p->before = -1;
}

void steer_forget_before(struct steer *s)
{
	for (struct steer_port *p = s->ports; p; p = p->next)
		forget_before(p);
}

int steer_port_mac(struct steer_port *p, const uint8_t mac[6])
{
	uint64_t word = 0;

	memcpy(&word, mac, 6);
	__atomic_store_n(&p->state->mac, word, __ATOMIC_RELAXED);
	return 0;
}

int steer_port_fail_pass(struct steer_port *p, bool pass)
{
	const uint64_t *beat = pass ? steer_beats(p->steer, p->place) : NULL;
	uint32_t first = p->place * STEER_QUEUES_MAX + 1;

	if (pass && !beat)
		return -errno;
	__atomic_store_n(&p->state->beats, pass ? first : 0, __ATOMIC_RELEASE);
	__atomic_store_n(&p->state->fallback, pass ? XDP_PASS : XDP_DROP, __ATOMIC_RELAXED);
	return 0;
}

int steer_port_vlan(struct steer_port *p, uint16_t vid, bool ours)
{
	uint64_t bit = 1ULL << vid % 64;

	if (vid == 0 || vid > VID_MAX)
		return -EINVAL;
	if (ours)
		__atomic_fetch_or(&p->state->vlans[vid / 64], bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&p->state->vlans[vid / 64], ~bit, __ATOMIC_RELAXED);
	return 0;
}

void steer_port_counters(const struct steer_port *p, uint64_t out[STEER__COUNT])
{
	int map = bpf_map__fd(p->skel->maps.verdicts);

	for (uint32_t v = 0; v < STEER__COUNT; v++) {
		out[v] = 0;
		if (bpf_map_lookup_elem(map, &v, p->percpu))
			continue;
		for (int cpu = 0; cpu < p->cpus; cpu++)
			out[v] += p->percpu[cpu];
	}
}

const char *steer_port_mode(const struct steer_port *p)
{
	return p->mode;
}

int steer_port_prog_fd(const struct steer_port *p)
{
	return bpf_program__fd(p->skel->progs.steer);
}

static void unlist(struct steer_port *p)
{
	struct steer_port **at = &p->steer->ports;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
}

void steer_port_destroy(struct steer_port *p, bool leave)
{
	if (!p)
		return;
	if (leave)
		detach(p);
	if (p->link >= 0)
		close(p->link); /* a pin, if there is one, keeps the link */
	steer_redirects_release(p);
	steer_whole_release(p);
	if (p->before >= 0)
		close(p->before);
	unlist(p);
	steer_bpf__destroy(p->skel);
	free(p->percpu);
	free(p);
}
