// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ports that are handed over whole, as an end of a cross-connect needs it. See steer.h.
 *
 * Two things are to be had: the flag that the program reads, and a device that lets frames for
 * others in. The latter is the interface flag, which outlives a process that is killed; so the
 * program's pinned state says whether it was us who set it, and whoever takes the pins over, or
 * away, clears it. (A membership of a packet socket would end by itself, but a daemon that may open
 * packet sockets may do much more.)
 */
#include "xsk/steer_private.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsk/steer_pin.h"

enum { WHOLE = 1, WHOLE_PROMISC = 2 }; /* of steer_port_state.whole: we have set the flag */

/* 1: it was so already. 0 or -errno. */
static int set_promisc(int ifindex, bool on)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	struct ifreq r = {};

	if (fd < 0)
		return -errno;
	if (!if_indextoname((unsigned)ifindex, r.ifr_name)) {
		err = -ENODEV;
	} else if (ioctl(fd, SIOCGIFFLAGS, &r)) {
		err = -errno;
	} else if (((r.ifr_flags & IFF_PROMISC) != 0) == on) {
		err = 1;
	} else {
		r.ifr_flags ^= IFF_PROMISC;
		err = ioctl(fd, SIOCSIFFLAGS, &r) ? -errno : 0;
	}
	close(fd);
	return err;
}

int steer_port_whole(struct steer_port *p, bool on)
{
	int err;

	if (on == (p->state->whole != 0))
		return 0;
	if (!on) {
		steer_whole_release(p);
		return 0;
	}
	err = set_promisc(p->ifindex, true);
	if (err < 0)
		return err;
	__atomic_store_n(&p->state->whole, err ? WHOLE : WHOLE_PROMISC, __ATOMIC_RELAXED);
	return 0;
}

void steer_whole_release(struct steer_port *p)
{
	if (!p->state)
		return;
	if (p->state->whole == WHOLE_PROMISC)
		set_promisc(p->ifindex, false);
	__atomic_store_n(&p->state->whole, 0, __ATOMIC_RELAXED);
}

void steer_whole_forget(const char *dir, int ifindex)
{
	char path[STEER_PIN_PATH];
	struct steer_port_state state;
	uint32_t key = 0;
	int fd = bpf_obj_get(steer_pin_port_path(path, dir, ifindex, "state"));

	if (fd < 0)
		return;
	if (!bpf_map_lookup_elem(fd, &key, &state) && state.whole == WHOLE_PROMISC)
		set_promisc(ifindex, false);
	close(fd);
}
