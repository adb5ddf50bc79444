/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules of nat.destination that redirect, as the XDP programs of the ports see them: packets to
 * such a port of somebody else go to Linux, whose nftables table (ctl/nft.h) does the rest.
 * [control]
 */
#ifndef ROUTER_REDIRECT_H
#define ROUTER_REDIRECT_H

struct router;
struct port;

/* What r->conf redirects, on all open ports: when the table of nftables has the rules. */
void redirects_follow(struct router *r);
/* The same on one, which is about to be attached, or whose VLANs have changed. */
void redirects_follow_port(struct router *r, struct port *p);

#endif
