/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See restart.h. What becomes of ports is in ports_adopt.c, of the control plane's sockets in
 * listen.c, of flows and NAT in stateful.c. */
#include "router/restart.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "router/ethtool.h"
#include "router/handover.h"
#include "router/kept.h"
#include "router/lib/clock.h"
#include "router/lib/log.h"
#include "router/policy.h"
#include "router/ports_internal.h"
#include "router/router.h"
#include "xsk/mem.h"

#define ANSWER_NS (20 * NSEC_PER_MSEC)	/* for who asked to hear the answer */
#define LIFE_NS	  (900 * NSEC_PER_MSEC) /* who lives for so long did not die of what it adopted */

/* ---- begin and end */

static bool refuse(const char *what, const char *why)
{
	log_warn("what an earlier process left is not used (%s: %s): starting cold", what, why);
	return false;
}

static int adopt_state(struct router *r, char *why, size_t size)
{
	int fd = fdstore_take(r->store, "state"), err;

	if (fd < 0)
		return 0;
	err = kept_adopt(fd, &r->kept, why, size);
	if (err)
		fdstore_del(r->store, "state");
	return err;
}

/* Nothing is changed there yet; and one that cannot be gone on with is left alone if it serves
 * other devices than we could. */
static int begin_handover(struct router *r)
{
	char why[256] = "";
	int err = handover_ask(r->run_dir, r->store, &r->asking, why, sizeof(why));

	r->left = true; /* until it is ours, nothing is to be taken down */
	if (!err) {
		err = adopt_state(r, why, sizeof(why));
		if (err && err != -EXDEV) {
			refuse("state", why);
			err = 0;
		}
	}
	if (err)
		log_err("taking over: %s", why);
	return err;
}

int restart_begin(struct router *r, bool handover)
{
	char why[256];

	if (handover)
		return begin_handover(r);
	if (adopt_state(r, why, sizeof(why)))
		refuse("state", why);
	/* should the start fail before restart_memory(), the next try finds it */
	r->left = r->kept != NULL;
	return 0;
}

uint16_t restart_port_before(void *router, const struct netlink_link *l)
{
	const struct router *r = router;

	for (unsigned i = 0; r->kept && i < PORTS_MAX; i++) {
		const struct kept_port *k = &r->kept->head->port[i];

		if (k->name[0] && k->ifindex == l->ifindex && !strcmp(k->netdev, l->name))
			return (uint16_t)i;
	}
	return IFACE_NONE;
}

void restart_end(struct router *r)
{
	if (r->adopted)
		xsk_mem_populate(r->mem);
}

void restart_upkeep(struct router *r, uint64_t now)
{
	if (now - r->started_at < LIFE_NS)
		return;
	r->kept->head->tries = 0;
	if (!r->adopted)
		return;
	xsk_mem_orphans(r->mem);
	steer_forget_before(r->steer);
	r->adopted = false;
}

/* ---- memory */

/* What the other process changed of Linux, and nobody else would know of any more. */
static void undo_settings(struct kept_header *h)
{
	kernel_ports_restore(&h->reserved);
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (h->port[i].name[0])
			ethtool_offloads_restore(h->port[i].netdev, h->port[i].old_features);
}

/* Cold: what is left goes first, for sockets that stay open keep new ones from their queues. What
 * was expected of links is not so: they have no ports yet. */
static void forget_all(struct router *r)
{
	fdstore_del(r->store, "state");
	fdstore_del(r->store, "umem");
	fdstore_drop_rest(r->store);
	if (r->kept)
		undo_settings(r->kept->head);
	kept_destroy(r->kept);
	r->kept = NULL;
	for (struct link *l = r->state->links; l; l = l->next)
		if (l->port != IFACE_NONE)
			state_port(r->state, l, IFACE_NONE);
}

static bool adopt_umem(struct router *r)
{
	const struct kept_header *h = r->kept->head;
	int fd = fdstore_take(r->store, "umem"), err = -ENOENT;

	if (fd >= 0)
		err = xsk_mem_adopt(fd, h->frames, h->frame_size, &r->kept->xsk, &r->mem);
	if (!err)
		return true;
	if (fd >= 0)
		close(fd);
	return refuse("packet memory", strerror(-err));
}

void restart_keep(struct router *r)
{
	fdstore_put(r->store, "umem", r->mem->fd);
	fdstore_put(r->store, "state", r->kept->fd);
}

/* A worker that is no more leaves what it counted to the first. */
static void merge_counters(struct router *r, unsigned nworkers)
{
	struct kept_header *h = r->kept->head;
	uint64_t *sum = (void *)&r->kept->worker[0].count;

	for (unsigned w = nworkers; w < h->workers; w++) {
		uint64_t *n = (void *)&r->kept->worker[w].count;

		for (size_t i = 0; i < sizeof(struct dp_counters) / sizeof(*n); i++)
			sum[i] += n[i];
		memset(n, 0, sizeof(struct dp_counters));
	}
}

/* VLAN interfaces may have other numbers now; their counters begin anew. */
static void forget_vlans(struct router *r)
{
	for (unsigned w = 0; w < r->kept->head->workers; w++)
		memset(r->kept->worker[w].count.vlan, 0, sizeof(r->kept->worker[w].count.vlan));
}

/* Of another version, perhaps: as it is now that nobody writes to it any more. */
static bool carry_over(struct router *r)
{
	int theirs = r->kept->fd, err = kept_carry_over(&r->kept);

	if (err)
		return refuse("state", strerror(-err));
	if (r->kept->fd != theirs)
		fdstore_put(r->store, "state", r->kept->fd);
	return true;
}

static bool is_usable(struct router *r)
{
	if (steer_note(r->steer))
		return refuse("state", "nothing of XDP is pinned");
	if (r->kept->head->tries >= KEPT_TRIES)
		return refuse("state", "processes that adopted it died soon after");
	return carry_over(r) && adopt_umem(r);
}

int restart_go(struct router *r)
{
	char why[512] = "";
	int err;

	if (!r->asking)
		return 0;
	err = policy_try(r->conf, why, sizeof(why)); /* once it is ours, there is no way back */
	if (!err) {
		err = handover_go(r->asking, why, sizeof(why));
		r->asking = NULL;
	}
	if (err)
		log_err("taking over: %s", why);
	else
		r->left = false;
	return err;
}

/* Sockets are bound to it: another one means that all begins anew. */
static void say_memory(const struct kept_header *h, const struct conf *c)
{
	if ((!c->memory.frames || c->memory.frames == h->frames) &&
	    c->memory.frame_size == h->frame_size)
		return;
	log_warn("router.memory: %u frames of %u bytes go on; what the file says takes effect "
		 "when the router is stopped and started",
		 h->frames, h->frame_size);
}

bool restart_memory(struct router *r)
{
	struct kept_header *h;

	r->left = false;
	if (!r->kept || !is_usable(r)) {
		forget_all(r);
		return false;
	}
	h = r->kept->head;
	h->tries = h->clean ? 1 : h->tries + 1; /* who stopped in order did not die of it */
	h->adopted++;
	log_notice("going on where the last process %s", h->clean ? "stopped" : "was killed");
	h->clean = 0; /* if we die of it, that counts */
	say_memory(h, r->conf);
	r->policy_generation = (uint16_t)h->policy_generation;
	r->adopted = true;
	return true;
}

/* When a worker last turned: packets have waited since then. One that sleeps missed none. */
static uint64_t last_alive(const struct router *r)
{
	uint64_t at = 0;

	for (unsigned w = 0; w < r->kept->head->workers; w++)
		if (r->kept->worker[w].alive > at)
			at = r->kept->worker[w].alive;
	return at;
}

/* The counters and lists of the workers, before they start. */
void restart_workers(struct router *r)
{
	struct kept_header *h = r->kept->head;

	if (r->adopted) {
		r->last_alive = last_alive(r);
		merge_counters(r, r->nworkers);
		forget_vlans(r);
	}
	/* what it was about to send is read before the workers begin: ports_adopt.c */
	for (unsigned w = 0; w < r->nworkers; w++)
		worker_keep(r->worker[w], &r->kept->worker[w]);
	state_keep_generation(r->state, &h->fib_generation);
	h->workers = h->workers > r->nworkers ? h->workers : r->nworkers;
}

/* ---- leaving */

bool restart_is_possible(const struct router *r, const char **why)
{
	*why = NULL;
	if (!fdstore_is_kept(r->store))
		*why = "no service manager would start the next process; start it yourself: "
		       "router --handover";
	else if (steer_note(r->steer))
		*why = steer_note(r->steer);
	return !*why;
}

void restart_quiesce(struct router *r)
{
	r->running = false;
	for (unsigned w = 0; w < r->nworkers; w++)
		worker_stop(r->worker[w]);
	r->kept->head->clean = 1;
}

static void on_leave(void *arg, uint64_t now)
{
	struct router *r = arg;

	(void)now;
	log_notice("leaving everything to the next process");
	restart_quiesce(r);
	restart_leave(r, EXIT_RESTART);
}

int restart_soon(struct router *r)
{
	if (!r->leave)
		r->leave = loop_timer_add(r->loop, on_leave, r);
	if (!r->leave)
		return -ENOMEM;
	loop_timer_set(r->leave, clock_now() + ANSWER_NS);
	return 0;
}

bool restart_now(struct router *r)
{
	if (r->leave && !r->left)
		on_leave(r, 0);
	return r->leave;
}

void restart_leave(struct router *r, int status)
{
	r->left = true;
	r->exit_status = status;
	loop_stop(r->loop);
}
