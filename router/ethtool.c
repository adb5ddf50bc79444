/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See ethtool.h. By ioctl(2): it knows all that is asked here, and needs no socket kept open. */
#include "router/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <net/if.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "router/net/pkt.h"

static int ethtool(const char *netdev, void *cmd)
{
	struct ifreq ifr = { .ifr_data = cmd };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), err; /* any socket will do */

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", netdev);
	err = ioctl(fd, SIOCETHTOOL, &ifr) ? -errno : 0;
	close(fd);
	return err;
}

unsigned ethtool_queues(const char *netdev)
{
	struct ethtool_channels ch = { .cmd = ETHTOOL_GCHANNELS };
	unsigned n;
	int err = ethtool(netdev, &ch);

	if (err)
		return err == -ENODEV ? 0 : 1;
	n = ch.combined_count + ch.rx_count;
	return n ? n : 1;
}

/* Their register for the size of a receive buffer, SRRCTL, has units of 1 KiB. A longer frame is
 * spread over buffers, of which the driver takes each for a packet. */
static bool counts_in_kib(const char *driver)
{
	return !strcmp(driver, "igb") || !strcmp(driver, "igc") || !strcmp(driver, "ixgbe");
}

const char *ethtool_no_zero_copy(const char *netdev, uint32_t mtu, unsigned shift)
{
	static char why[128];
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	uint32_t used = ((1u << shift) - HEADROOM) & ~1023u;

	if (ethtool(netdev, &info) || !counts_in_kib(info.driver) ||
	    mtu + ETH_HLEN + VLAN_HLEN <= used)
		return NULL;
	snprintf(why, sizeof(why), "zero-copy of %s takes %u bytes of a frame: %s", info.driver,
		 used, shift == 11 ? "memory.frame-size: 4096 helps" : "lower the mtu");
	return why;
}

uint32_t ethtool_offloads_off(const char *netdev)
{
	struct ethtool_value v = { .cmd = ETHTOOL_GFLAGS };
	uint32_t bad, old;

	if (ethtool(netdev, &v))
		return 0;
	old = v.data;
	bad = old & (ETH_FLAG_LRO | ETH_FLAG_RXVLAN);
	if (!bad)
		return 0;
	v.cmd = ETHTOOL_SFLAGS;
	v.data = old & ~bad;
	return ethtool(netdev, &v) ? 0 : bad;
}

void ethtool_offloads_restore(const char *netdev, uint32_t offloads)
{
	struct ethtool_value v = { .cmd = ETHTOOL_GFLAGS };

	if (!offloads || ethtool(netdev, &v))
		return;
	v.cmd = ETHTOOL_SFLAGS;
	v.data |= offloads;
	ethtool(netdev, &v);
}
