/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports of an earlier process: their sockets are still bound, the XDP program still gives them
 * packets, and the rings hold what has come since. restart.h says where this belongs.
 *
 * A packet that was under way when the process was killed is in one of three places. In a receive
 * ring, for it is released only when its packets have gone on: it is received again. In a worker's
 * list of what it was about to hand to a port: it is sent. Anywhere else (it waited for a
 * neighbour, for fragments, or in a queue of shaping): it is lost, and counted as `restart`.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "router/ctl/rows.h"
#include "router/ethtool.h"
#include "router/kept.h"
#include "router/lib/clock.h"
#include "router/lib/log.h"
#include "router/ports_internal.h"
#include "router/restart.h"

/* ---- what outlives us */

void ports_socket_name(int ifindex, unsigned q, char out[PORT_SOCKET_NAME])
{
	snprintf(out, PORT_SOCKET_NAME, "xsk-%d-%u", ifindex, q);
}

void ports_keep(struct router *r, const struct port *p)
{
	struct kept_port *k = &r->kept->head->port[p - r->ports];
	char name[PORT_SOCKET_NAME];

	for (unsigned q = 0; q < p->queues; q++) {
		ports_socket_name(p->ifindex, q, name);
		fdstore_put(r->store, name, p->xsk->queue[q]->fd);
	}
	*k = (struct kept_port){ .ifindex = p->ifindex,
				 .queues = p->queues,
				 .want = p->want,
				 .old_features = p->old_features };
	snprintf(k->netdev, sizeof(k->netdev), "%s", p->netdev);
	snprintf(k->name, sizeof(k->name), "%s", p->conf.name);
}

static void forget_sockets(struct router *r, int ifindex, unsigned n)
{
	char name[PORT_SOCKET_NAME];

	for (unsigned q = 0; q < n; q++) {
		ports_socket_name(ifindex, q, name);
		fdstore_del(r->store, name);
	}
}

/* Before its sockets are closed: else they would stay open in the store. */
void ports_forget(struct router *r, const struct port *p)
{
	r->kept->head->port[p - r->ports].name[0] = '\0';
	forget_sockets(r, p->ifindex, p->queues);
}

/* ---- sockets */

/* All of a port's, or none: with some queues missing its packets would be lost there. */
static bool take_sockets(struct router *r, int ifindex, unsigned n, int *fds)
{
	char name[PORT_SOCKET_NAME];
	unsigned got = 0;

	while (got < n) {
		ports_socket_name(ifindex, got, name);
		fds[got] = fdstore_take(r->store, name);
		if (fds[got] < 0)
			break;
		got++;
	}
	if (got == n)
		return true;
	forget_sockets(r, ifindex, got);
	while (got--)
		close(fds[got]);
	return false;
}

static void say_failed(const struct kept_port *k, const char *why)
{
	log_warn("%s: its sockets are opened anew, not adopted: %s", k->name, why);
}

/* The device that had this ifindex may be another one now. */
static struct link *link_of(const struct router *r, const struct kept_port *k)
{
	struct link *l = state_link(r->state, k->ifindex);

	return l && !strcmp(l->l.name, k->netdev) ? l : NULL;
}

static void port_fill(struct port *p, const struct kept_port *k, const struct link *l)
{
	p->ifindex = k->ifindex;
	p->queues = k->queues;
	p->want = (enum xsk_want)k->want;
	p->old_features = k->old_features;
	p->mtu = l->l.mtu;
	memcpy(p->mac, l->l.mac, sizeof(p->mac));
	memcpy(p->netdev, k->netdev, sizeof(p->netdev));
}

static void port_adopt(struct router *r, struct port *p, const struct kept_port *k)
{
	struct xsk_port_config c = { .name = k->netdev,
				     .ifindex = k->ifindex,
				     .queues = k->queues,
				     .tx_shared = k->queues < r->nworkers };
	const struct conf_iface *conf = ports_conf(r->conf, k->name);
	struct link *l = link_of(r, k);
	int fds[XSK_QUEUES_MAX];

	if (!conf || !l) {
		say_failed(k, conf ? "the device has gone" : "the configuration has no such port");
		return;
	}
	if (k->queues != xsk_port_kept(r->mem, k->ifindex) ||
	    !take_sockets(r, k->ifindex, k->queues, fds)) {
		say_failed(k, "not all of them were kept");
		return;
	}
	*p = (struct port){ .conf = *conf, .wanted = true };
	port_fill(p, k, l);
	if (xsk_port_adopt(r->mem, &c, fds, &p->xsk, p->why)) {
		say_failed(k, p->why);
		forget_sockets(r, k->ifindex, k->queues);
		ports_fail(p, -EBUSY, clock_now());
		if (p->xsk)
			ports_quarantine(r, p, QUARANTINE_NS, clock_now());
		return;
	}
	p->state = PORT_OPEN;
}

/* ---- packets */

/* A list of a dead worker, as far as it can be believed. */
static unsigned list_length(const struct router *r, const struct dp_out *o)
{
	uint64_t size = 1ull << r->mem->shift;
	unsigned n = 0;

	while (n < o->n && n < DP_OUT_MAX) {
		const struct dp_frame *f = &o->frame[n];

		if (f->addr >= (uint64_t)r->mem->frames * size || !f->len ||
		    (f->addr & (size - 1)) + f->len > size)
			break;
		n++;
	}
	return n;
}

/* What is not to be sent any more leaves the list. */
static void list_check(struct router *r, struct dp_out *o)
{
	unsigned n = list_length(r, o), left = 0;

	for (unsigned i = 0; i < n; i++)
		if (xsk_mem_pending(r->mem, xsk_mem_frame(r->mem, o->frame[i].addr)))
			o->frame[left++] = o->frame[i];
	o->n = left;
}

static void list_send(struct router *r, unsigned w, unsigned port, struct frame_cache *cache)
{
	struct worker_kept *kept = &r->kept->worker[w];
	struct dp_out *o = &kept->out[port];
	const struct port *p = &r->ports[port];
	bool open = p->state == PORT_OPEN;
	uint32_t n = o->n, sent = 0;
	uint64_t bytes = 0;

	if (!n)
		return;
	if (open) {
		struct xsk_queue *q = p->xsk->queue[w % p->xsk->nqueues];

		sent = xsk_queue_tx(q, (const struct xdp_desc *)o->frame, &o->n, cache);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (i < sent)
			bytes += o->frame[i].len;
		else
			frame_free(cache, xsk_mem_frame(r->mem, o->frame[i].addr));
	}
	o->n = 0;
	counter_add(&kept->count.port[port].tx_packets, sent);
	counter_add(&kept->count.port[port].tx_bytes, bytes);
	counter_add(&kept->count.drop[open ? DROP_TX_RING_FULL : DROP_TX_NO_PORT], n - sent);
}

static void lists_check(struct router *r)
{
	for (unsigned w = 0; w < r->kept->head->workers; w++)
		for (unsigned i = 0; i < PORTS_MAX; i++)
			list_check(r, &r->kept->worker[w].out[i]);
}

static void lists_send(struct router *r)
{
	static struct frame_cache cache; /* [control] only; large */

	frame_cache_init(&cache, r->mem);
	for (unsigned w = 0; w < r->kept->head->workers; w++)
		for (unsigned i = 0; i < PORTS_MAX; i++)
			list_send(r, w, i, &cache);
	frame_cache_fini(&cache);
}

/* What was done, but not counted any more. */
static void port_resume(struct router *r, unsigned i)
{
	struct dp_counters *n = &r->kept->worker[0].count;
	struct xsk_port_done done;

	xsk_port_resume(r->ports[i].xsk, &done);
	counter_add(&n->port[i].rx_packets, done.rx_packets);
	counter_add(&n->port[i].rx_bytes, done.rx_bytes);
	counter_add(&n->port[i].tx_packets, done.tx_packets);
	counter_add(&n->port[i].tx_bytes, done.tx_bytes);
}

/* Packets that were counted when they came, and are nowhere now. As many are they as frames that
 * were held; a few more or less where a process was killed between a change and its count. */
static void count_lost(struct router *r, uint32_t held)
{
	struct totals t;
	uint64_t lost;

	totals_get(r, &t);
	lost = t.rx + t.generated - t.tx - t.dropped;
	if ((int64_t)lost < 0)
		lost = held;
	if (lost != held)
		log_info("restart: %u frames held packets, and %llu packets are missing", held,
			 (unsigned long long)lost);
	if (lost)
		log_notice("%llu packets were held by the last process, and are lost",
			   (unsigned long long)lost);
	counter_add(&r->kept->worker[0].count.drop[DROP_RESTART], lost);
}

/* ---- all of it */

/* Served first, and only then waited for: a worker that is woken by packets of a port which it does
 * not serve yet would spin with its priority, and keep this thread from saying that it does. */
static void forward_again(struct router *r)
{
	state_publish(r->state);
	ports_publish(r);
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (r->ports[i].state == PORT_OPEN)
			ports_epoll(r, &r->ports[i], EPOLL_CTL_ADD);
}

/* The program of before has gone on with its own maps until here. */
static void steer_again(struct router *r)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port *p = &r->ports[i];
		int err;

		if (p->state != PORT_OPEN)
			continue;
		err = ports_steer(r, p, state_link(r->state, p->ifindex));
		if (!err) {
			ports_log_open(p);
			continue;
		}
		ports_close(r, p, false, clock_now());
		ports_fail(p, err, clock_now());
	}
}

/* It is opened like any other then, or not at all. */
static void port_forget(struct router *r, unsigned i)
{
	struct kept_port *k = &r->kept->head->port[i];

	if (k->name[0] && link_of(r, k))
		ethtool_offloads_restore(k->netdev, k->old_features);
	k->name[0] = '\0';
	for (struct link *l = r->state->links; l; l = l->next)
		if (l->port == i)
			state_port(r->state, l, IFACE_NONE);
}

void restart_places(struct router *r)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		const struct conf_iface *conf = ports_conf(r->conf, r->kept->head->port[i].name);

		if (conf)
			r->ports[i] = (struct port){ .state = PORT_ABSENT,
						     .conf = *conf,
						     .wanted = true };
	}
}

void restart_ports(struct router *r)
{
	uint32_t held;

	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (r->kept->head->port[i].name[0])
			port_adopt(r, &r->ports[i], &r->kept->head->port[i]);
	fdstore_drop_rest(r->store); /* sockets that stay open keep new ones from their queues */
	lists_check(r);
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (r->ports[i].state == PORT_OPEN)
			port_resume(r, i);
		else
			port_forget(r, i);
	}
	held = xsk_mem_settle(r->mem);
	lists_send(r);
	count_lost(r, held);
	forward_again(r);
	log_notice("forwarding again, %.1f ms after the last process",
		   (double)(clock_now() - r->last_alive) / 1e6);
	steer_again(r);
}
