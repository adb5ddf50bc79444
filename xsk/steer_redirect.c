// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Redirected ports: sets of them in a map that all ports share, and which interface has which. See
 * steer.h.
 *
 * Interfaces mostly redirect the same ports, so equal sets are one. The content of a set does not
 * change while anybody uses it: who gets other ports gets another set, by one store.
 */
#include "xsk/steer_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "xsk/steer.skel.h"

static_assert(STEER_REDIRECT_SETS < UINT8_MAX, "set + 1 in a byte");

static struct steer_redirect_set *find_same(const struct steer *s,
					    const struct steer_redirects *ports)
{
	for (unsigned i = 0; i < STEER_REDIRECT_SETS; i++)
		if (s->redirects[i].users && !memcmp(&s->redirects[i].ports, ports, sizeof(*ports)))
			return &s->redirects[i];
	return NULL;
}

/* Not the one that was free last: a program may still be reading it. */
static struct steer_redirect_set *find_free(struct steer *s)
{
	for (unsigned i = 0; i < STEER_REDIRECT_SETS; i++) {
		s->last_redirect = (s->last_redirect + 1) % STEER_REDIRECT_SETS;
		if (!s->redirects[s->last_redirect].users)
			return &s->redirects[s->last_redirect];
	}
	return NULL;
}

static int fill(const struct steer *s, struct steer_redirect_set *set,
		const struct steer_redirects *ports)
{
	const uint32_t words = STEER_REDIRECT_PLANES * STEER_NAT_WORDS;
	uint32_t first = (uint32_t)(set - s->redirects) * words;
	const uint64_t *from = ports->bits[0];
	uint64_t *is = set->ports.bits[0];

	for (uint32_t i = 0; i < words; i++) {
		uint32_t key = first + i;

		if (is[i] == from[i])
			continue;
		if (bpf_map_update_elem(s->maps[STEER_MAP_REDIRECTS], &key, &from[i], BPF_ANY))
			return -errno;
		is[i] = from[i];
	}
	return 0;
}

/* The number of a set with these ports, from 1 on, with one more user; or -errno. */
static int take(struct steer *s, const struct steer_redirects *ports)
{
	struct steer_redirect_set *set;
	int err;

	if (!s->redirects)
		s->redirects = calloc(STEER_REDIRECT_SETS, sizeof(*s->redirects));
	if (!s->redirects)
		return -ENOMEM;
	set = find_same(s, ports);
	if (!set) {
		set = find_free(s);
		err = set ? fill(s, set, ports) : -ENOSPC;
		if (err)
			return err;
	}
	set->users++;
	return (int)(set - s->redirects) + 1;
}

static void give_back(struct steer *s, unsigned number)
{
	if (number)
		s->redirects[number - 1].users--;
}

/* The flag follows: nobody looks at the map before it is set. */
static int put(struct steer_port *p, uint16_t vid, unsigned number)
{
	uint32_t key = vid;
	uint8_t value = (uint8_t)number;

	if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.redirecting), &key, &value, BPF_ANY))
		return -errno;
	p->nredirecting += !!number;
	p->nredirecting -= !!p->redirecting[vid];
	p->redirecting[vid] = value;
	__atomic_store_n(&p->state->redirects, p->nredirecting, __ATOMIC_RELEASE);
	return 0;
}

int steer_port_redirect(struct steer_port *p, uint16_t vid, const struct steer_redirects *ports)
{
	int number = 0, err;
	unsigned before;

	if (vid >= STEER_VIDS - 1) /* 4095 is reserved */
		return -EINVAL;
	before = p->redirecting[vid];
	if (!ports && !before)
		return 0;
	if (ports)
		number = take(p->steer, ports);
	err = put(p, vid, number > 0 ? (unsigned)number : 0);
	give_back(p->steer, err ? (number > 0 ? (unsigned)number : 0) : before);
	return err ? err : number < 0 ? number : 0;
}

void steer_redirects_release(struct steer_port *p)
{
	for (unsigned vid = 0; vid < STEER_VIDS; vid++)
		give_back(p->steer, p->redirecting[vid]);
}
