/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The XDP program's place on a device: adopt, create, name who sits there. Private to steer*.c.
 * [control] */
#ifndef XSK_STEER_LINK_H
#define XSK_STEER_LINK_H

#include <stdbool.h>

struct steer_link_request {
	int ifindex;
	const char *name;
	int prog_fd;
	const char *pin_dir; /* NULL: not pinned */
	bool generic, replace;
};

/* Takes over a pinned link of ours by an atomic update of its program, else makes a new one. The
 * link's file descriptor, or -errno with the reason in why. The pin is the caller's to make. */
int steer_link_attach(const struct steer_link_request *r, char *why);

/* "native", "generic", "offload" or "" for nothing: what the kernel says of the device now. */
const char *steer_link_mode(int ifindex);

#endif
