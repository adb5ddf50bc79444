/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports: the netdevs the configuration names, as they appear, change and vanish.
 *
 *	absent -> open -> (closing: frames in quarantine) -> absent ...
 *	       -> failed: the reason is shown; tried again when the link changes, or a second
 *			later
 *
 * [control]
 */
#ifndef ROUTER_PORTS_H
#define ROUTER_PORTS_H

#include "config/conf.h"
#include "router/net/dp.h"
#include "xsk/port.h"
#include "xsk/steer.h"

struct router;
struct link;

enum port_state { PORT_FREE, PORT_ABSENT, PORT_FAILED, PORT_OPEN, PORT_CLOSING };
extern const char *const port_state_names[];

struct port {
	enum port_state state;
	struct conf_iface conf; /* its key, and how to find and open it; addresses are not used */
	bool wanted;		/* in the configuration */
	char netdev[IFNAMSIZ];
	int ifindex;
	uint8_t mac[6];
	uint32_t mtu; /* looked at last */
	unsigned queues;
	struct xsk_port *xsk;
	struct steer_port *steer;
	uint32_t old_features; /* offloads we switched off, to be restored */
	uint64_t at;	       /* when to try again, or when the quarantine ends */
	unsigned tries;
	bool busy;	    /* failed, but what is in the way may go within a second */
	enum xsk_want want; /* the mode asked for when it was opened */
	char why[XSK_PORT_WHY];
	char said[XSK_PORT_WHY]; /* what was logged last of why it does not open */
};

/* Make the ports follow r->conf and the links: opens, closes, retries. Cheap when nothing has
 * changed. */
void ports_follow(struct router *r);
/* Only give each configured interface its place in r->ports; a part of ports_follow(). */
void ports_assign(struct router *r);
/* The same at start, with the patience that the sockets of a router that was just killed need: they
 * close some time after it. */
void ports_start(struct router *r);
void ports_link_changed(struct router *r, struct link *l, bool gone);
/* Before the daemon ends: all of them, and what is attached. */
void ports_close_all(struct router *r);

/* The link an interface of a configuration means, by name or MAC address; or NULL. */
struct link *ports_find_link(const struct router *r, const struct conf_iface *c);

/* Frames that all ports the configuration names would need, with so many workers. */
uint32_t ports_frames(const struct router *r, const struct conf *c, unsigned workers);
/* The most receive queues of any port that is there. */
unsigned ports_most_queues(const struct router *r, const struct conf *c);
struct port *port_of_link(struct router *r, int ifindex);

#endif
