/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What steer.c (the shared maps), steer_local.c (their addresses), steer_redirect.c (their
 * redirected ports), steer_whole.c (ports handed over whole) and steer_port.c (the ports) know of
 * each other. */
#ifndef XSK_STEER_PRIVATE_H
#define XSK_STEER_PRIVATE_H

#include <net/if.h>

#include "xsk/steer.h"

enum steer_map {
	STEER_MAP_LOCAL4,
	STEER_MAP_LOCAL6,
	STEER_MAP_NATPORTS,
	STEER_MAP_FRAGMENTS,
	STEER_MAP_REDIRECTS,
	STEER_MAP_BEATS,
	STEER_MAPS
};

/* What steer_local_nat() was told of an address, whether it is of this host or not. */
struct steer_wish {
	struct addr addr;
	uint16_t value; /* in local4 or local6, never 0 */
};

/* A set of redirected ports, as it stands in the map. */
struct steer_redirect_set {
	unsigned users; /* interfaces; 0: the set is free */
	struct steer_redirects ports;
};

struct steer {
	char *pin_dir; /* NULL: nothing is pinned */
	char note[STEER_WHY], natports_note[STEER_WHY];
	int maps[STEER_MAPS];
	unsigned found;	    /* a bit each: an earlier process has made and filled it */
	uint64_t *natports; /* mapped; NULL: see natports_note */
	uint64_t *beats;    /* mapped; NULL: nobody has asked for them yet */
	struct steer_wish *wishes;
	unsigned nwishes, wishes_room;
	struct steer_redirect_set *redirects; /* NULL: none yet, else STEER_REDIRECT_SETS */
	unsigned last_redirect;
	struct steer_port *ports;
};

struct steer_port {
	struct steer *steer;
	struct steer_port *next;
	struct steer_bpf *skel;
	struct steer_port_state *state;	 /* mapped: the program sees each store */
	uint64_t *percpu;		 /* to read a counter into */
	uint8_t redirecting[STEER_VIDS]; /* as the map has it */
	unsigned nredirecting;		 /* that are not 0 */
	int cpus;
	int link; /* -1: not attached */
	int ifindex;
	char name[IF_NAMESIZE];
	unsigned queues, place;
	int before; /* the socket map of an earlier process; -1 */
	bool generic, replace;
	const char *mode;
};

/* Before the port goes. */
void steer_redirects_release(struct steer_port *p);
void steer_whole_release(struct steer_port *p);
/* Before pins of a port go or are replaced: what an earlier process did to its device. */
void steer_whole_forget(const char *dir, int ifindex);

#endif
