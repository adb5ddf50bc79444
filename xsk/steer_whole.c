// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ports that are handed over whole, as an end of a cross-connect needs it. See steer.h.
 *
 * Two things are to be had: the flag that the program reads, and a device that lets frames for
 * others in. The latter is a membership of a packet socket that receives nothing. Unlike the
 * interface flag it counts, so tcpdump may come and go, and it ends with the socket, so it ends
 * with this process, however that ends.
 */
#include "xsk/steer_private.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

/* A socket that holds the device promiscuous, or -errno. */
static int promisc_open(int ifindex)
{
	struct packet_mreq m = { .mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: nothing arrives */
	int err;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int steer_port_whole(struct steer_port *p, bool on)
{
	int fd;

	if (on == (p->promisc >= 0))
		return 0;
	if (!on) {
		steer_whole_release(p);
		return 0;
	}
	fd = promisc_open(p->ifindex);
	if (fd < 0)
		return fd;
	p->promisc = fd;
	__atomic_store_n(&p->state->whole, 1, __ATOMIC_RELAXED);
	return 0;
}

void steer_whole_release(struct steer_port *p)
{
	if (p->promisc < 0)
		return;
	__atomic_store_n(&p->state->whole, 0, __ATOMIC_RELAXED);
	close(p->promisc);
	p->promisc = -1;
}
