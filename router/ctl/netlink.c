/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets, events and synchronisation of the mirror (router/ctl/netlink.h).
 *
 * Three sockets: `events` is subscribed to the groups, `dumps` runs one dump at a time, `requests`
 * (netlink_request.c) asks and waits. Messages are parsed by netlink_parse.c.
 *
 * Synchronisation, at start, after an overrun (ENOBUFS) and on demand:
 *
 *	IDLE --> DUMP --> REPLAY --> IDLE		a failed dump: --> WAIT --(1 s)--> DUMP
 *
 *   1. What waits in the event socket is read and dropped. It was sent before any dump began, so
 * each dump already shows its effect. Emptying the socket also ends the state of congestion in
 * which the kernel drops all further events.
 *   2. sync_begin, then the dumps one after the other. The kernel does not freeze a table while it
 *	is dumped, so the objects come as they were at different moments after 1. Events are queued
 *	meanwhile, as raw bytes in the kernel's order.
 *   3. When the last dump has ended, the queue is applied, up to the present; then sync_end.
 *
 * Why nothing stale remains: take any object. If it did not change after 1, no event of it is
 * queued and the dump showed it as it is. If it did, the last of its events is in the queue behind
 * whatever the dump showed, and that event says what the object is now (NEW carries the whole
 * object, DEL removes it); that earlier queued events repeat what the dump already knew does no
 * harm. If an event was lost after 1, there is an ENOBUFS, and all begins anew. Objects that
 * neither a dump nor an event named since sync_begin are gone; the owner of the mirror drops them
 * at sync_end. The one weak spot are IPv4 aliases (routes of one prefix, TOS and metric, `ip route
 * append`): a repeated replace names only the new route, not which alias it took away. An alias
 * that was both added and replaced during the dump may stay until the next synchronisation.
 *
 * A table that changed in a way the kernel's cursor could not follow is marked NLM_F_DUMP_INTR;
 * objects may be missing, and that dump is run again. A queue beyond its bound, or ENOBUFS, starts
 * all again.
 *
 * Each callback of the loop reads a bounded number of datagrams, so that neither a dump of a
 * million routes nor a storm of events stops other control work for long. [control]
 */
#include "router/ctl/netlink_internal.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "router/lib/clock.h"
#include "router/lib/log.h"

#define EVENTS_RCVBUF  (8 << 20)
#define EVENTS_A_TURN  256	   /* datagrams of one message, mostly */
#define CATCH_UP_TURNS 64	   /* more than the socket's buffer holds */
#define DUMPS_A_TURN   8	   /* datagrams of some hundred routes */
#define REPLAY_A_TURN  (1u << 20)  /* bytes */
#define DISCARD_MOST   (1u << 18)  /* datagrams: more than the socket's buffer holds */
#define QUEUE_MOST     (64u << 20) /* bytes */
#define CREATE_TIMEOUT (60 * NSEC_PER_SEC)

static const int groups[] = {
	RTNLGRP_LINK,	    RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
	RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,	 RTNLGRP_NEIGH,
	RTNLGRP_NEXTHOP,    RTNLGRP_IPV4_RULE,	 RTNLGRP_IPV6_RULE,
};

/* In the order that lets the owner of the mirror resolve what refers to what. */
static const struct dump {
	uint16_t type;
	uint8_t family;
	uint8_t header; /* size of the fixed header; all begin with the family */
	const char *name;
} dumps[] = {
	{ RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg), "links" },
	{ RTM_GETADDR, AF_INET, sizeof(struct ifaddrmsg), "IPv4 addresses" },
	{ RTM_GETADDR, AF_INET6, sizeof(struct ifaddrmsg), "IPv6 addresses" },
	{ RTM_GETRULE, AF_INET, sizeof(struct fib_rule_hdr), "IPv4 rules" },
	{ RTM_GETRULE, AF_INET6, sizeof(struct fib_rule_hdr), "IPv6 rules" },
	{ RTM_GETNEXTHOP, AF_UNSPEC, sizeof(struct nhmsg), "nexthops" },
	{ RTM_GETROUTE, AF_INET, sizeof(struct rtmsg), "IPv4 routes" },
	{ RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg), "IPv6 routes" },
	{ RTM_GETNEIGH, AF_INET, sizeof(struct ndmsg), "IPv4 neighbours" },
	{ RTM_GETNEIGH, AF_INET6, sizeof(struct ndmsg), "IPv6 neighbours" },
};
#define DUMPS (sizeof(dumps) / sizeof(dumps[0]))

/* ---- sockets */

struct mnl_socket *netlink_socket(int flags)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	int one = 1;

	if (!s)
		return NULL;
	/* older kernels have neither, and we can live without */
	mnl_socket_setsockopt(s, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(s, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID)) {
		mnl_socket_close(s);
		return NULL;
	}
	return s;
}

ssize_t netlink_recv(struct mnl_socket *s, void *buf, size_t size, int flags)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	ssize_t n;

	do {
		n = recvfrom(mnl_socket_get_fd(s), buf, size, MSG_TRUNC | flags,
			     (struct sockaddr *)&from, &from_len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (from.nl_pid) /* another process, not the kernel */
		return 0;
	return (size_t)n > size ? -EMSGSIZE : n;
}

int netlink_rcvbuf(struct netlink *nl, int bytes)
{
	int fd = mnl_socket_get_fd(nl->events);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)))
		return -errno;
	return 0;
}

/* Kernels before 5.3 have no nexthop objects; all others groups are old. */
static int groups_join(struct netlink *nl)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(nl->events, NETLINK_ADD_MEMBERSHIP, &group,
					  sizeof(group)) &&
		    group != RTNLGRP_NEXTHOP)
			return -errno;
	}
	return 0;
}

static void batch_end(struct netlink *nl)
{
	if (nl->ops->batch_end)
		nl->ops->batch_end(nl->arg);
}

/* ---- the queue of events that arrive during a dump */

static int queue_append(struct netlink_queue *q, const void *data, size_t len)
{
	size_t need = q->len + MNL_ALIGN(len);
	size_t size = q->size ? q->size : NETLINK_BUF;
	uint8_t *bigger;

	if (need > QUEUE_MOST)
		return -ENOBUFS;
	while (size < need)
		size *= 2;
	if (size != q->size) {
		bigger = realloc(q->data, size);
		if (!bigger)
			return -ENOMEM;
		q->data = bigger;
		q->size = size;
	}
	memcpy(q->data + q->len, data, len);
	memset(q->data + q->len + len, 0, MNL_ALIGN(len) - len);
	q->len = need;
	return 0;
}

static void queue_fini(struct netlink_queue *q)
{
	free(q->data);
	*q = (struct netlink_queue){ 0 };
}

/* ---- synchronisation */

static void dumps_cb(void *arg, int fd, uint32_t events);

/* A socket whose dump was broken off stays busy with it: each synchronisation takes a new one. */
static void dumps_close(struct netlink *nl)
{
	loop_fd_del(nl->dumps_fd);
	nl->dumps_fd = NULL;
	if (nl->dumps)
		mnl_socket_close(nl->dumps);
	nl->dumps = NULL;
}

static int dumps_open(struct netlink *nl)
{
	dumps_close(nl);
	nl->dumps = netlink_socket(SOCK_NONBLOCK);
	if (!nl->dumps)
		return -errno;
	nl->dumps_fd = loop_fd_add(nl->loop, mnl_socket_get_fd(nl->dumps), EPOLLIN, dumps_cb, nl);
	return nl->dumps_fd ? 0 : -errno;
}

static int dump_send(struct netlink *nl)
{
	const struct dump *d = &dumps[nl->dump];
	uint8_t buf[128] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	uint8_t *family;

	h->nlmsg_type = d->type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++nl->dump_seq;
	family = mnl_nlmsg_put_extra_header(h, d->header);
	*family = d->family;
	if (d->type == RTM_GETLINK)
		mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	nl->dump_intr = false;
	return mnl_socket_sendto(nl->dumps, h, h->nlmsg_len) < 0 ? -errno : 0;
}

static void sync_fail(struct netlink *nl, int err)
{
	log_warn("netlink: dump of %s failed: %s; again in 1 s", dumps[nl->dump].name,
		 strerror(-err));
	nl->stats.errors++;
	nl->error = err;
	nl->stage = STAGE_WAIT;
	queue_fini(&nl->queue);
	dumps_close(nl);
	loop_timer_set(nl->timer, clock_now() + NSEC_PER_SEC);
}

static void events_discard(struct netlink *nl)
{
	for (unsigned i = 0; i < DISCARD_MOST; i++) {
		ssize_t n = netlink_recv(nl->events, nl->buf, NETLINK_BUF, MSG_DONTWAIT);

		if (n < 0 && n != -ENOBUFS && n != -EMSGSIZE)
			return;
	}
}

static void sync_start(struct netlink *nl)
{
	int err;

	loop_timer_set(nl->timer, 0);
	nl->dump = 0;
	nl->again = false;
	nl->queue.len = nl->queue.applied = 0;
	nl->stage = STAGE_DUMP;
	err = dumps_open(nl);
	if (err) {
		sync_fail(nl, err);
		return;
	}
	events_discard(nl);
	if (nl->ops->sync_begin)
		nl->ops->sync_begin(nl->arg);
	err = dump_send(nl);
	if (err)
		sync_fail(nl, err);
}

static void resync_start(struct netlink *nl)
{
	nl->stats.resyncs++;
	sync_start(nl);
}

/* Events are lost. A storm says this once a dump, not once an event. */
static void overrun(struct netlink *nl, const char *what)
{
	nl->stats.overruns++;
	log_warn("netlink: events lost (%s); reading everything again", what);
	resync_start(nl);
}

static void sync_finish(struct netlink *nl)
{
	queue_fini(&nl->queue);
	nl->stage = STAGE_IDLE;
	if (nl->ops->sync_end)
		nl->ops->sync_end(nl->arg);
	/* what made the caller ask may have happened behind the dump's cursor, without an event */
	if (nl->again)
		loop_timer_set(nl->timer, clock_now());
}

/* Whole messages of at most REPLAY_A_TURN bytes; the last piece ends the synchronisation. */
static void replay_piece(struct netlink *nl)
{
	struct netlink_queue *q = &nl->queue;
	size_t from = q->applied;

	while (q->applied < q->len && q->applied - from < REPLAY_A_TURN) {
		const struct nlmsghdr *h = (const void *)(q->data + q->applied);

		netlink_dispatch(h, nl->ops, nl->arg, &nl->stats);
		q->applied += MNL_ALIGN(h->nlmsg_len);
	}
	if (q->applied < q->len)
		loop_timer_set(nl->timer, clock_now());
	else
		sync_finish(nl);
	batch_end(nl);
}

static void timer_cb(void *arg, uint64_t now_ns)
{
	struct netlink *nl = arg;

	(void)now_ns;
	if (nl->stage == STAGE_REPLAY)
		replay_piece(nl);
	else
		resync_start(nl);
}

void netlink_resync(struct netlink *nl)
{
	if (nl->stage == STAGE_DUMP || nl->stage == STAGE_REPLAY)
		nl->again = true;
	else
		loop_timer_set(nl->timer, clock_now());
}

/* ---- reading dumps */

/* A kernel without something dumps none of it: EAFNOSUPPORT are rules of a family that has none,
 * as IPv6 where it is turned off. */
int netlink_done_error(const struct nlmsghdr *h)
{
	int err = 0;

	/* NLMSG_DONE and struct nlmsgerr both begin with it */
	if (h->nlmsg_len >= MNL_NLMSG_HDRLEN + sizeof(err))
		memcpy(&err, mnl_nlmsg_get_payload(h), sizeof(err));
	else if (h->nlmsg_type == NLMSG_ERROR)
		err = -EBADMSG;
	if (err == -EOPNOTSUPP || err == -EAFNOSUPPORT)
		err = 0;
	return err < 0 ? err : 0;
}

static void dump_done(struct netlink *nl, const struct nlmsghdr *h)
{
	int err = netlink_done_error(h);

	if (err) {
		sync_fail(nl, err);
		return;
	}
	if (!nl->dump_intr)
		nl->dump++;
	if (nl->dump < DUMPS) {
		err = dump_send(nl);
		if (err)
			sync_fail(nl, err);
		return;
	}
	dumps_close(nl);
	nl->stage = STAGE_REPLAY;
	loop_timer_set(nl->timer, clock_now());
}

static void dump_take(struct netlink *nl, size_t len)
{
	const struct nlmsghdr *h = (const void *)nl->buf;
	int left = (int)len;

	for (; nl->stage == STAGE_DUMP && mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		if (h->nlmsg_seq != nl->dump_seq)
			continue;
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			nl->dump_intr = true;
		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
			dump_done(nl, h);
		else
			netlink_dispatch(h, nl->ops, nl->arg, &nl->stats);
	}
}

static void dumps_read(struct netlink *nl)
{
	unsigned i;

	for (i = 0; i < DUMPS_A_TURN && nl->stage == STAGE_DUMP; i++) {
		ssize_t n = netlink_recv(nl->dumps, nl->buf, NETLINK_BUF, MSG_DONTWAIT);

		if (n == -EAGAIN)
			break;
		if (n < 0)
			sync_fail(nl, (int)n);
		else
			dump_take(nl, (size_t)n);
	}
	if (i)
		batch_end(nl);
}

static void dumps_cb(void *arg, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	dumps_read(arg);
}

/* ---- reading events */

static void event_queue(struct netlink *nl, size_t len)
{
	const struct nlmsghdr *h = (const void *)nl->buf;
	int left = (int)len;

	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		if (queue_append(&nl->queue, h, h->nlmsg_len) == 0)
			continue;
		overrun(nl, "too many during a dump");
		return;
	}
}

static void event_take(struct netlink *nl, size_t len)
{
	switch (nl->stage) {
	case STAGE_IDLE: netlink_parse_buffer(nl->buf, len, nl->ops, nl->arg, &nl->stats); break;
	case STAGE_DUMP:
	case STAGE_REPLAY: event_queue(nl, len); break;
	case STAGE_WAIT: break;
	}
}

/* Was that all, and is it in the mirror? */
static bool events_read(struct netlink *nl)
{
	unsigned i;

	for (i = 0; i < EVENTS_A_TURN; i++) {
		ssize_t n = netlink_recv(nl->events, nl->buf, NETLINK_BUF, MSG_DONTWAIT);

		if (n == -EAGAIN)
			break;
		if (n < 0) { /* lost: ENOBUFS, EMSGSIZE, or what we do not know */
			overrun(nl, strerror((int)-n));
			return false;
		}
		event_take(nl, (size_t)n);
	}
	if (i && nl->stage == STAGE_IDLE)
		batch_end(nl);
	return i < EVENTS_A_TURN && nl->stage == STAGE_IDLE;
}

bool netlink_catch_up(struct netlink *nl)
{
	for (unsigned i = 0; i < CATCH_UP_TURNS && nl->stage == STAGE_IDLE; i++)
		if (events_read(nl))
			return true;
	return false;
}

static void events_cb(void *arg, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	events_read(arg);
}

/* ---- life */

/* The first synchronisation, without the loop. */
static int sync_wait(struct netlink *nl)
{
	uint64_t deadline = clock_now() + CREATE_TIMEOUT;

	sync_start(nl);
	while (nl->stage == STAGE_DUMP) {
		struct pollfd p[] = {
			{ .fd = mnl_socket_get_fd(nl->events), .events = POLLIN },
			{ .fd = mnl_socket_get_fd(nl->dumps), .events = POLLIN },
		};

		if (clock_now() > deadline)
			return -ETIMEDOUT;
		if (poll(p, 2, 1000) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents)
			events_read(nl);
		dumps_read(nl);
	}
	while (nl->stage == STAGE_REPLAY)
		replay_piece(nl);
	loop_timer_set(nl->timer, 0); /* the loop has nothing to go on with */
	return nl->stage == STAGE_IDLE ? 0 : nl->error;
}

static int sockets_open(struct netlink *nl)
{
	struct timeval most = { .tv_sec = 2 }; /* nobody waits for ever */

	nl->events = netlink_socket(SOCK_NONBLOCK);
	nl->requests = netlink_socket(0);
	if (!nl->events || !nl->requests)
		return -errno;
	setsockopt(mnl_socket_get_fd(nl->requests), SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	netlink_rcvbuf(nl, EVENTS_RCVBUF);
	return groups_join(nl);
}

int netlink_create(struct loop *loop, const struct netlink_ops *ops, void *arg,
		   struct netlink **out)
{
	struct netlink *nl = calloc(1, sizeof(*nl));
	int err = -ENOMEM;

	if (!nl)
		return -ENOMEM;
	nl->loop = loop;
	nl->ops = ops;
	nl->arg = arg;
	nl->buf = malloc(NETLINK_BUF);
	nl->timer = loop_timer_add(loop, timer_cb, nl);
	if (!nl->buf || !nl->timer)
		goto fail;
	err = sockets_open(nl);
	if (err)
		goto fail;
	err = sync_wait(nl);
	if (err)
		goto fail;
	nl->events_fd = loop_fd_add(loop, mnl_socket_get_fd(nl->events), EPOLLIN, events_cb, nl);
	if (!nl->events_fd) {
		err = -errno;
		goto fail;
	}
	*out = nl;
	return 0;
fail:
	netlink_destroy(nl);
	return err;
}

void netlink_destroy(struct netlink *nl)
{
	if (!nl)
		return;
	loop_fd_del(nl->events_fd);
	loop_timer_del(nl->timer);
	dumps_close(nl);
	if (nl->events)
		mnl_socket_close(nl->events);
	if (nl->requests)
		mnl_socket_close(nl->requests);
	queue_fini(&nl->queue);
	free(nl->buf);
	free(nl);
}

void netlink_stats(const struct netlink *nl, struct netlink_stats *out)
{
	*out = nl->stats;
	out->syncing = nl->stage != STAGE_IDLE;
}
