/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ports.c (opening, closing, following) and ports_adopt.c (going on with those of an earlier
 * process) know of each other. [control] */
#ifndef ROUTER_PORTS_INTERNAL_H
#define ROUTER_PORTS_INTERNAL_H

#include "router/router.h"

/* Of frames in copy mode: close() has waited for the kernel already. */
#define QUARANTINE_NS (100 * NSEC_PER_MSEC)

/* ---- ports.c */
const struct conf_iface *ports_conf(const struct conf *c, const char *name); /* or NULL */
/* Workers see what is open now, and none uses what was any more. */
void ports_publish(struct router *r);
void ports_epoll(const struct router *r, const struct port *p, int op);
/* The XDP program, with the sockets of this port. 0 or -errno with p->why. */
int ports_steer(struct router *r, struct port *p, const struct link *l);
/* After a failure, p->why says which: when it is tried again. */
void ports_fail(struct port *p, int err, uint64_t now);
/* The frames the kernel had of a closed port are nobody's for a while. */
void ports_quarantine(struct router *r, struct port *p, uint64_t span, uint64_t now);
void ports_close(struct router *r, struct port *p, bool gone, uint64_t now);
void ports_log_open(const struct port *p);

/* ---- ports_adopt.c */
/* What a next process must know of an open port; or no longer. */
void ports_keep(struct router *r, const struct port *p);
void ports_forget(struct router *r, const struct port *p);

/* How the socket of queue q is called among what is kept. */
#define PORT_SOCKET_NAME 32
void ports_socket_name(int ifindex, unsigned q, char out[PORT_SOCKET_NAME]);

#endif
