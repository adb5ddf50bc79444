/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening and closing ports; see ports.h.
 *
 * Opening goes from the inside out, so that no packet is ever redirected to where nobody listens:
 * sockets with posted frames, workers that serve them, sockets in the XSKMAP, the program on the
 * device. Closing goes the other way, with a grace period in the middle; the frames the kernel
 * still had stay in quarantine until it is surely done.
 */
#include "router/ports.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "router/ethtool.h"
#include "router/lib/clock.h"
#include "router/lib/log.h"
#include "router/kept.h"
#include "router/lib/rcu.h"
#include "router/ports_internal.h"
#include "router/redirect.h"
#include "router/standin.h"

#define RETRY_NS      NSEC_PER_SEC
#define RETRY_BUSY_NS (50 * NSEC_PER_MSEC)
#define QUARANTINE_ZC (2 * NSEC_PER_SEC) /* zero-copy: the device may still write */
#define SPARE_QUEUES  2			 /* in the default memory size: for ports that come later */

const char *const port_state_names[] = {
	[PORT_FREE] = "free", [PORT_ABSENT] = "absent",	  [PORT_FAILED] = "failed",
	[PORT_OPEN] = "open", [PORT_CLOSING] = "closing",
};

/* ---- what workers serve */

/* Queue q of every port is received by worker q modulo W, so that a flow that a device's hash keeps
 * on one queue stays with one worker. Ports without a queue for each worker are dealt out in turn:
 * between two ports with one queue each, each direction has a worker. */
static unsigned rx_worker(const struct router *r, const struct port *p, unsigned q)
{
	unsigned first = p->xsk->nqueues < r->nworkers ? (unsigned)(p - r->ports) : 0;

	return (first + q) % r->nworkers;
}

void ports_epoll(const struct router *r, const struct port *p, int op)
{
	for (unsigned q = 0; q < p->xsk->nqueues; q++) {
		int fd = p->xsk->queue[q]->fd;
		struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

		epoll_ctl(r->worker[rx_worker(r, p, q)]->epoll_fd, op, fd, &ev);
	}
}

/* What worker w receives, and the queue of each port it sends on: w modulo Q. */
static struct worker_ports *worker_ports_build(const struct router *r, unsigned w)
{
	struct worker_ports *wp = calloc(1, sizeof(*wp));
	uint64_t *beats;

	if (!wp)
		return NULL;
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		const struct port *p = &r->ports[i];

		if (p->state != PORT_OPEN)
			continue;
		wp->tx[i] = p->xsk->queue[w % p->xsk->nqueues];
		beats = p->conf.fail_pass ? steer_beats(r->steer, i) : NULL;
		for (unsigned q = 0; q < p->xsk->nqueues; q++) {
			if (rx_worker(r, p, q) != w)
				continue;
			wp->beats |= beats != NULL;
			wp->rx[wp->nrx].beat = beats ? beats + q : NULL;
			wp->rx[wp->nrx].q = p->xsk->queue[q];
			wp->rx[wp->nrx++].port = (uint16_t)i;
		}
	}
	return wp;
}

/* Publish what is open now, and wait until no worker uses what was. */
void ports_publish(struct router *r)
{
	const struct worker_ports *old[WORKERS_MAX];

	for (unsigned w = 0; w < r->nworkers; w++) {
		struct worker_ports *wp = worker_ports_build(r, w);

		/* without memory it serves none, rather than some that close */
		old[w] = r->worker[w]->ports;
		__atomic_store_n(&r->worker[w]->ports, wp, __ATOMIC_RELEASE);
		worker_wake(r->worker[w]);
	}
	rcu_wait();
	for (unsigned w = 0; w < r->nworkers; w++)
		free((void *)old[w]);
}

static_assert(PORTS_MAX <= STEER_PLACES && XSK_QUEUES_MAX <= STEER_QUEUES_MAX, "a beat for each");

/* ---- open */

const struct conf_iface *ports_conf(const struct conf *c, const char *name)
{
	for (unsigned i = 0; i < c->nifaces; i++)
		if (!strcmp(c->ifaces[i].name, name))
			return &c->ifaces[i];
	return NULL;
}

/* Bridges, bonds and VLANs wear the MAC address of a device below them: hardware goes first. */
static struct link *find_mac(const struct router *r, const uint8_t mac[6])
{
	struct link *found = NULL;

	for (struct link *l = r->state->links; l; l = l->next) {
		if (!l->l.has_mac || memcmp(l->l.mac, mac, 6) != 0 || !strcmp(l->l.kind, "vlan"))
			continue;
		if (!l->l.kind[0])
			return l;
		if (!found || found->l.ifindex > l->l.ifindex)
			found = l;
	}
	return found;
}

struct link *ports_find_link(const struct router *r, const struct conf_iface *c)
{
	return c->has_mac ? find_mac(r, c->mac) : state_link_named(r->state, c->netdev);
}

static unsigned queues_of(const struct conf_iface *c, const char *netdev)
{
	unsigned have = ethtool_queues(netdev);

	return c->queues && c->queues < have ? c->queues : have;
}

static enum xsk_want wanted_mode(const struct conf *c, const struct conf_iface *i)
{
	switch (i->xdp_mode == CONF_XDP_DEFAULT ? c->xdp.mode : i->xdp_mode) {
	case CONF_XDP_ZERO_COPY: return XSK_WANT_ZERO_COPY;
	case CONF_XDP_COPY: return XSK_WANT_COPY;
	case CONF_XDP_GENERIC: return XSK_WANT_GENERIC;
	case CONF_XDP_DEFAULT:
	case CONF_XDP_BEST_EFFORT: break;
	}
	return XSK_WANT_BEST;
}

/* Does a frame hold what may arrive? 256 bytes before the packet are the kernel's and ours, then
 * the link header with a tag. */
static int check_mtu(const struct router *r, struct port *p, const struct link *l)
{
	uint32_t room = (1u << r->mem->shift) - HEADROOM - ETH_HLEN - VLAN_HLEN;

	if (l->l.mtu <= room)
		return 0;
	snprintf(p->why, sizeof(p->why), "MTU %u does not fit a frame of %u bytes (at most %u): %s",
		 l->l.mtu, 1u << r->mem->shift, room,
		 r->mem->shift == 11 ? "set router.memory.frame-size: 4096, or a smaller mtu"
				     : "set a smaller mtu");
	return -EMSGSIZE;
}

static bool is_vlan_of(const struct link *l, int ifindex)
{
	return l->l.link == ifindex && !l->l.link_foreign && !strcmp(l->l.kind, "vlan");
}

int ports_steer(struct router *r, struct port *p, const struct link *l)
{
	struct steer_port_config sc = { .ifindex = p->ifindex,
					.name = p->netdev,
					.queues = p->queues,
					.generic = p->want == XSK_WANT_GENERIC,
					.place = (unsigned)(p - r->ports),
					.fail_pass = p->conf.fail_pass,
					.replace = r->conf->xdp.replace };
	int err;

	memcpy(sc.mac, p->mac, 6);
	err = steer_port_create(r->steer, &sc, &p->steer, p->why);
	if (err)
		return err;
	for (unsigned q = 0; q < p->queues && !err; q++)
		err = steer_port_socket(p->steer, q, p->xsk->queue[q]->fd);
	for (const struct link *v = r->state->links; v && !err; v = v->next)
		if (is_vlan_of(v, l->l.ifindex))
			steer_port_vlan(p->steer, v->l.vlan_id, true);
	redirects_follow_port(r, p);
	if (err)
		snprintf(p->why, sizeof(p->why), "XSKMAP: %s", strerror(-err));
	return err ? err : steer_port_attach(p->steer, p->why);
}

void ports_log_open(const struct port *p)
{
	const struct xsk_queue *q = p->xsk->queue[0];

	log_notice("%s: port %s open: %u queue%s, %s mode%s%s%s", p->conf.name, p->netdev,
		   p->queues, p->queues == 1 ? "" : "s", xsk_mode_names[q->mode],
		   q->why[0] ? " (" : "", q->why, q->why[0] ? ")" : "");
}

static int port_open_sockets(struct router *r, struct port *p)
{
	struct xsk_port_config c = { .name = p->netdev,
				     .ifindex = p->ifindex,
				     .queues = p->queues,
				     .ring_size = r->conf->xdp.ring_size,
				     .want = p->want,
				     .no_zero_copy =
					     ethtool_no_zero_copy(p->netdev, p->mtu, r->mem->shift),
				     .busy_poll_usecs = r->conf->xdp.busy_poll_usecs,
				     .busy_poll_budget = r->conf->xdp.busy_poll_budget,
				     .tx_shared = p->queues < r->nworkers };

	return xsk_port_open(r->mem, &c, &p->xsk, p->why);
}

/* Said once, however often it is tried. What is busy may be so for a moment only: the socket or the
 * program of a process that just ended. */
void ports_fail(struct port *p, int err, uint64_t now)
{
	bool patient = err == -EBUSY && p->tries < 20;

	p->state = PORT_FAILED;
	p->busy = patient;
	p->tries++;
	p->at = now + (patient ? RETRY_BUSY_NS : RETRY_NS);
	if (!p->why[0])
		snprintf(p->why, sizeof(p->why), "%s", strerror(-err));
	if (patient || !strcmp(p->why, p->said))
		return;
	log_err("%s: %s", p->conf.name, p->why);
	memcpy(p->said, p->why, sizeof(p->said));
}

/* The kernel forgets a socket's counters with the socket. */
static void account_kernel(struct router *r, const struct xsk_port *x)
{
	struct xsk_port_stats st;

	xsk_port_stats(x, &st);
	r->kept->head->kernel_rx_dropped += st.rx_dropped;
	r->kept->head->kernel_rx_ring_full += st.rx_ring_full;
}

/* Every descriptor of the port that the kernel had not taken was counted as sent: take that back.
 * What it had delivered and nobody read was not counted at all. */
static void account_rings(struct router *r, const struct xsk_port *x)
{
	for (unsigned q = 0; q < x->nqueues; q++) {
		r->kept->head->unsent += x->queue[q]->unsent;
		r->kept->head->kernel_rx_unread += x->queue[q]->unread;
	}
}

static bool is_zero_copy(const struct xsk_port *x)
{
	for (unsigned q = 0; q < x->nqueues; q++)
		if (x->queue[q]->mode == XSK_MODE_ZERO_COPY)
			return true;
	return false;
}

/* The frames the kernel had of a closed port are nobody's for this long; longer where it is the
 * device that may still write to them. */
void ports_quarantine(struct router *r, struct port *p, uint64_t span, uint64_t now)
{
	r->quarantined += xsk_port_outstanding(p->xsk);
	p->at = now + (is_zero_copy(p->xsk) && span < QUARANTINE_ZC ? QUARANTINE_ZC : span);
}

static void port_quarantine_end(struct router *r, struct port *p)
{
	r->quarantined -= xsk_port_outstanding(p->xsk);
	xsk_port_reclaim(p->xsk);
	xsk_port_free(p->xsk);
	p->xsk = NULL;
}

static void port_open(struct router *r, struct port *p, struct link *l, uint64_t now)
{
	int err;

	p->why[0] = '\0';
	p->ifindex = l->l.ifindex;
	p->mtu = l->l.mtu;
	p->want = wanted_mode(r->conf, &p->conf);
	memcpy(p->mac, l->l.mac, 6);
	snprintf(p->netdev, sizeof(p->netdev), "%s", l->l.name);
	p->queues = queues_of(&p->conf, p->netdev);
	if (!p->queues)
		return; /* gone already: the news is on its way */
	err = check_mtu(r, p, l);
	if (err) {
		ports_fail(p, err, now);
		return;
	}
	p->old_features = ethtool_offloads_off(p->netdev);
	err = port_open_sockets(r, p);
	if (err)
		goto fail;
	p->state = PORT_OPEN;
	ports_epoll(r, p, EPOLL_CTL_ADD);
	ports_publish(r);
	state_port(r->state, l, (uint16_t)(p - r->ports));
	state_publish(r->state);
	err = ports_steer(r, p, l);
	if (!err) {
		p->tries = 0;
		p->said[0] = '\0';
		ports_keep(r, p);
		ports_log_open(p);
		return;
	}
	state_port(r->state, l, IFACE_NONE);
	p->state = PORT_ABSENT;
	ports_publish(r);
	state_publish(r->state);
	if (p->steer)
		steer_port_destroy(p->steer, true);
	p->steer = NULL;
	xsk_port_close(p->xsk);
	account_rings(r, p->xsk); /* the workers could send already */
fail:
	ethtool_offloads_restore(p->netdev, p->old_features);
	p->old_features = 0;
	ports_fail(p, err, now);
	if (p->xsk)
		ports_quarantine(r, p, p->at > now + QUARANTINE_NS ? p->at - now : QUARANTINE_NS,
				 now);
}

/* ---- close */

void ports_close(struct router *r, struct port *p, bool gone, uint64_t now)
{
	struct link *l = state_link(r->state, p->ifindex);

	if (!p->wanted)
		standin_leave(r, p);
	p->state = PORT_CLOSING;
	ports_epoll(r, p, EPOLL_CTL_DEL);
	if (l && !gone) {
		state_port(r->state, l, IFACE_NONE);
		state_publish(r->state);
	}
	if (p->steer)
		steer_port_destroy(p->steer, true);
	p->steer = NULL;
	ports_publish(r);
	account_kernel(r, p->xsk);
	ports_forget(r, p);
	xsk_port_close(p->xsk);
	account_rings(r, p->xsk);
	if (!gone)
		ethtool_offloads_restore(p->netdev, p->old_features);
	p->old_features = 0;
	ports_quarantine(r, p, QUARANTINE_NS, now);
	log_notice("%s: port %s closed%s", p->conf.name, p->netdev,
		   gone ? ": the device has gone" : "");
}

/* ---- following */

/* One that was just closed may lie in quarantine beside its successor. */
struct port *port_of_link(struct router *r, int ifindex)
{
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (r->ports[i].state == PORT_OPEN && r->ports[i].ifindex == ifindex)
			return &r->ports[i];
	return NULL;
}

static bool queues_changed(const struct port *p, const struct conf_iface *c)
{
	unsigned now = queues_of(c, p->netdev);

	return now && now != p->queues;
}

/* What the configuration names is not this device any more: it has another name now. A device
 * matched by its MAC address stays ours when that is changed: to find it again is what it is for.
 */
static bool is_renamed(const struct port *p, const struct conf_iface *c)
{
	return !c->has_mac && strcmp(p->netdev, c->netdev) != 0;
}

static bool needs_reopen(const struct router *r, const struct port *p, const struct conf_iface *c)
{
	return c->queues != p->conf.queues || wanted_mode(r->conf, c) != p->want ||
	       c->has_mac != p->conf.has_mac || memcmp(c->mac, p->conf.mac, 6) != 0 ||
	       strcmp(c->netdev, p->conf.netdev) != 0 || is_renamed(p, c) || queues_changed(p, c) ||
	       p->xsk->queue[0]->fill.size != r->conf->xdp.ring_size;
}

/* Beats begin before the program looks at them, and end after it. */
static void port_follow_conf(struct router *r, struct port *p, const struct conf_iface *c)
{
	bool changed = c->fail_pass != p->conf.fail_pass;
	uint64_t *beats;

	p->conf = *c;
	if (!changed || p->state != PORT_OPEN)
		return;
	if (!c->fail_pass)
		steer_port_fail_pass(p->steer, false);
	ports_publish(r);
	beats = c->fail_pass ? steer_beats(r->steer, (unsigned)(p - r->ports)) : NULL;
	for (unsigned q = 0; beats && q < p->queues; q++)
		__atomic_store_n(&beats[q], clock_now(), __ATOMIC_RELAXED);
	if (c->fail_pass && steer_port_fail_pass(p->steer, true))
		log_err("%s: on-failure: no heartbeat, it stays drop", c->name);
}

/* Give each configured interface a port, and mark those that are no longer wanted. */
void ports_assign(struct router *r)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port *p = &r->ports[i];
		const struct conf_iface *c;

		if (p->state == PORT_FREE)
			continue;
		c = ports_conf(r->conf, p->conf.name);
		p->wanted = c != NULL;
		if (p->state == PORT_OPEN && (!c || needs_reopen(r, p, c)))
			ports_close(r, p, false, clock_now());
		if (c)
			port_follow_conf(r, p, c);
		else if (p->state == PORT_ABSENT || p->state == PORT_FAILED)
			p->state = p->xsk ? PORT_CLOSING : PORT_FREE;
	}
	for (unsigned k = 0; k < r->conf->nifaces; k++) {
		const struct conf_iface *c = &r->conf->ifaces[k];
		struct port *free_port = NULL;
		bool found = false;

		for (unsigned i = 0; i < PORTS_MAX; i++) {
			struct port *p = &r->ports[i];

			found |= p->state != PORT_FREE && !strcmp(p->conf.name, c->name);
			if (p->state == PORT_FREE && !free_port)
				free_port = p;
		}
		if (found)
			continue;
		if (!free_port) {
			log_err("%s: more than %u ports", c->name, PORTS_MAX);
			continue;
		}
		*free_port = (struct port){ .state = PORT_ABSENT, .conf = *c, .wanted = true };
	}
}

static bool is_vlan(const struct link *l)
{
	return !strcmp(l->l.kind, "vlan"); /* received through its parent's port */
}

void ports_follow(struct router *r)
{
	uint64_t now = clock_now(), next = 0;

	ports_assign(r);
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port *p = &r->ports[i];
		struct link *l;

		if (p->xsk && p->state != PORT_OPEN && now >= p->at)
			port_quarantine_end(r, p);
		if (p->state == PORT_CLOSING && !p->xsk) {
			p->state = p->wanted ? PORT_ABSENT : PORT_FREE;
			p->ifindex = 0;
		}
		l = p->state == PORT_ABSENT || p->state == PORT_FAILED
			    ? ports_find_link(r, &p->conf)
			    : NULL;
		if (p->state == PORT_FAILED && !l)
			p->state = p->xsk ? PORT_CLOSING : PORT_ABSENT;
		if (l && !is_vlan(l) && (p->state == PORT_ABSENT || now >= p->at))
			port_open(r, p, l, now);
		if ((p->state == PORT_CLOSING || p->state == PORT_FAILED) &&
		    (!next || p->at < next))
			next = p->at;
	}
	standin_follow(r);
	/* what waits to be followed must not wait for a port */
	loop_timer_set(r->ports_timer, r->links_moved ? 1 : next);
}

static bool any_busy(const struct router *r)
{
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (r->ports[i].state == PORT_FAILED && r->ports[i].busy)
			return true;
	return false;
}

void ports_start(struct router *r)
{
	const struct timespec wait = { .tv_nsec = RETRY_BUSY_NS };

	ports_follow(r);
	while (any_busy(r)) { /* a second at most: see ports_fail() */
		nanosleep(&wait, NULL);
		ports_follow(r);
	}
}

/* An MTU raised under an open port: what still fits goes on, what does not is dropped by the kernel
 * (kernel-rx-dropped). */
static void mtu_follow(const struct router *r, struct port *p, const struct link *l)
{
	if (p->mtu == l->l.mtu)
		return;
	p->mtu = l->l.mtu;
	p->why[0] = '\0';
	if (check_mtu(r, p, l))
		log_err("%s: %s; longer packets are dropped", p->conf.name, p->why);
}

void ports_link_changed(struct router *r, struct link *l, bool gone)
{
	struct port *p = port_of_link(r, l->l.ifindex);
	struct port *parent = port_of_link(r, l->l.link);

	r->links_moved = true;
	if (parent && parent->steer && is_vlan_of(l, parent->ifindex)) {
		steer_port_vlan(parent->steer, l->l.vlan_id, !gone);
		redirects_follow_port(r, parent);
	}
	if (p) {
		snprintf(p->netdev, sizeof(p->netdev), "%s", l->l.name);
		if (gone) {
			ports_close(r, p, gone, clock_now());
		} else {
			mtu_follow(r, p, l);
			memcpy(p->mac, l->l.mac, 6);
			steer_port_mac(p->steer, p->mac);
		}
	}
	loop_timer_set(r->ports_timer, 1); /* as soon as the messages at hand are read */
}

void ports_close_all(struct router *r)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port *p = &r->ports[i];

		p->wanted = false;
		if (p->state == PORT_OPEN)
			ports_close(r, p, false, 0);
		if (p->xsk)
			port_quarantine_end(r, p);
		p->state = PORT_FREE;
	}
}

/* ---- sizes */

uint32_t ports_frames(const struct router *r, const struct conf *c, unsigned workers)
{
	uint32_t queues = SPARE_QUEUES, need;

	for (unsigned i = 0; i < c->nifaces; i++) {
		const struct link *l = ports_find_link(r, &c->ifaces[i]);

		queues += l ? queues_of(&c->ifaces[i], l->l.name) : 1;
	}
	/* posted and under way at once, in each queue; cached and held, in each worker */
	need = queues * 2 * c->xdp.ring_size + workers * (FRAME_CACHE + HOLD_TOTAL);
	return (need + 1023) & ~1023u;
}

unsigned ports_most_queues(const struct router *r, const struct conf *c)
{
	unsigned most = 1;

	for (unsigned i = 0; i < c->nifaces; i++) {
		const struct link *l = ports_find_link(r, &c->ifaces[i]);
		unsigned n = l ? queues_of(&c->ifaces[i], l->l.name) : 1;

		if (n > most)
			most = n;
	}
	return most;
}
