/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transport checksums that a Linux sender behind a veth left to its device. Between skbs a mark
 * says so; it does not reach an AF_XDP socket. [worker]
 */
#ifndef ROUTER_NET_UNFINISHED_H
#define ROUTER_NET_UNFINISHED_H

#include "router/net/dp.h"

/* p was received on a virtual port: finish its checksum, or the one of what it carries in a tunnel,
 * if it looks as though that were still to be done. */
void unfinished_complete(struct dp *dp, struct pkt *p);

#endif
