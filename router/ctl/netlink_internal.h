/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the netlink module and nobody else: netlink_parse.c and netlink_rule.c
 * (pure), netlink.c (sockets, events, synchronisation), netlink_request.c (what we ask of Linux).
 * [control]
 */
#ifndef ROUTER_CTL_NETLINK_INTERNAL_H
#define ROUTER_CTL_NETLINK_INTERNAL_H

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>

#include "router/ctl/netlink.h"

/* See "Synchronisation" at the top of netlink.c. */
enum netlink_stage {
	STAGE_IDLE,   /* the mirror is whole; events are applied as they come */
	STAGE_DUMP,   /* dumping; events are queued */
	STAGE_REPLAY, /* dumps are done; the queue is being applied */
	STAGE_WAIT,   /* a dump failed; the timer starts again, events are dropped till then */
};

struct netlink_queue { /* raw messages, each aligned to NLMSG_ALIGNTO */
	uint8_t *data;
	size_t len, size, applied;
};

struct netlink {
	struct loop *loop;
	const struct netlink_ops *ops;
	void *arg;
	struct mnl_socket *events, *dumps, *requests;
	struct loop_fd *events_fd, *dumps_fd;
	struct loop_timer *timer; /* start of a resync, or the next piece of a replay */
	struct netlink_stats stats;

	enum netlink_stage stage;
	int error;	   /* why STAGE_WAIT */
	bool again;	   /* netlink_resync() came during a synchronisation */
	unsigned dump;	   /* index of the running dump */
	uint32_t dump_seq; /* of the running dump; answers to earlier ones are skipped */
	bool dump_intr;	   /* the running dump must be repeated (NLM_F_DUMP_INTR) */
	struct netlink_queue queue;

	uint32_t request_seq;
	bool no_ifa_proto, no_managed; /* this kernel refused them */
	uint8_t *buf;		       /* NETLINK_BUF bytes, for one read of events or of a dump */
};

/* Attributes of rules that came after the oldest headers we build with: Linux 6.14 and 6.15. */
enum {
	NETLINK_FRA_DSCP = FRA_DPORT_RANGE + 1, /* u8: 6 bits */
	NETLINK_FRA_FLOWLABEL,			/* be32 */
	NETLINK_FRA_FLOWLABEL_MASK,
	NETLINK_FRA_SPORT_MASK, /* u16, host order */
	NETLINK_FRA_DPORT_MASK,
	NETLINK_FRA_DSCP_MASK,
	NETLINK_FRA_END
};

#define NETLINK_BUF (256 * 1024)

/* One message to ops; counts it in stats. */
void netlink_dispatch(const struct nlmsghdr *h, const struct netlink_ops *ops, void *arg,
		      struct netlink_stats *stats);

/* The end of a dump (NLMSG_DONE or NLMSG_ERROR): 0, or what the kernel says went wrong. */
int netlink_done_error(const struct nlmsghdr *h);

/* A netlink route socket with extended acks and strict checking where the kernel has them; NULL:
 * errno. */
struct mnl_socket *netlink_socket(int flags);
/* Bytes of one datagram from the kernel (0: it was of somebody else), -EAGAIN, -ENOBUFS, or
 * -EMSGSIZE when it did not fit. */
ssize_t netlink_recv(struct mnl_socket *s, void *buf, size_t size, int flags);

#endif
