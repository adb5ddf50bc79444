/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The little that we ask of a device's driver. [control] */
#ifndef ROUTER_ETHTOOL_H
#define ROUTER_ETHTOOL_H

#include <stdint.h>

/* Receive queues. 0: there is no such device, although its RTM_DELLINK may not have been read yet.
 */
unsigned ethtool_queues(const char *netdev);

/* Why the driver cannot have packets of that MTU in zero-copy mode, with frames of 1 << shift
 * bytes: good until the next call. NULL: it can. */
const char *ethtool_no_zero_copy(const char *netdev, uint32_t mtu, unsigned shift);

/* Receive offloads hide from us what came by the wire: merged packets, stripped tags. Returns those
 * that were on and are off now, for ethtool_offloads_restore(). */
uint32_t ethtool_offloads_off(const char *netdev);
void ethtool_offloads_restore(const char *netdev, uint32_t offloads);

#endif
