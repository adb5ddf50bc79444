/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What steer.c (the shared maps) and steer_port.c (the ports) know of each other. */
#ifndef XSK_STEER_PRIVATE_H
#define XSK_STEER_PRIVATE_H

#include <net/if.h>

#include "xsk/steer.h"

struct steer {
	char *pin_dir; /* NULL: nothing is pinned */
	char note[STEER_WHY];
	int local4, local6; /* maps */
	struct steer_port *ports;
};

struct steer_port {
	struct steer *steer;
	struct steer_port *next;
	struct steer_bpf *skel;
	struct steer_port_state *state; /* mapped: the program sees each store */
	uint64_t *percpu;		/* to read a counter into */
	int cpus;
	int link; /* -1: not attached */
	int ifindex;
	char name[IF_NAMESIZE];
	unsigned queues;
	bool generic, replace;
	const char *mode;
};

#endif
