/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The XDP program on our ports: which frames go to the AF_XDP socket and which to Linux.
 *
 * To Linux (XDP_PASS): all but IPv4 and IPv6, multicast and broadcast, frames for other MACs,
 * packets to an address of this host but those that NAT has a claim on, packets to other hosts on
 * redirected ports, DHCPv4 answers (UDP 67 to 68), VLAN tags nobody asked for. To the socket of the
 * receive queue: the rest. Where a queue has no socket: fallback (drop or pass). Where that is
 * pass, Linux also gets what is for a queue that was not looked after for 100 ms (steer_beats()). A
 * port may also be handed over whole, for a cross-connect: then nothing of it goes to Linux.
 *
 * One struct steer per daemon: the maps all ports share (local addresses, NAT's ports), pinned
 * together with a link and maps per port below pin_dir, so that a process that dies leaves the
 * ports as they are and the next one adopts and replaces them atomically. [control]
 */
#ifndef XSK_STEER_H
#define XSK_STEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "router/lib/addr.h"
#include "xsk/steer_shared.h" /* the verdicts */

struct steer_verdict_info {
	const char *name, *text;
};
extern const struct steer_verdict_info steer_verdict_info[STEER__COUNT];

#define STEER_WHY 192

struct steer;
struct steer_port;

/* Mounts a bpffs on /sys/fs/bpf when none is there and pin_dir lies below it; makes pin_dir; opens
 * pinned maps of a compatible layout, else makes and pins new ones. pin_dir NULL: nothing is pinned
 * (tests). 0 or -errno with the reason in why[STEER_WHY], which names a missing capability. */
int steer_create(const char *pin_dir, struct steer **out, char *why);
/* Why nothing is pinned although pin_dir was given (no right to mount a bpffs), or NULL. Without
 * pins the program leaves its port when this process ends. */
const char *steer_note(const struct steer *s);
/* Frees the handle, after its ports. detach: also unpin and detach everything below pin_dir. */
void steer_destroy(struct steer *s, bool detach);
/* After the ports of this start are attached: detaches what an earlier process left on ports that
 * are not among them any more. The number of links removed or -errno; say as for steer_cleanup, may
 * be NULL. */
int steer_prune(struct steer *s, void (*say)(void *arg, const char *text), void *arg);
/* When programs of before surely run no more, a second later: sockets that go on leave their maps,
 * which they would keep for as long as they live. */
void steer_forget_before(struct steer *s);

/* -EAFNOSUPPORT: neither IPv4 nor IPv6. -E2BIG: no room; STEER_LOCALS_MAX of a family always fit.
 */
int steer_local_add(struct steer *s, const struct addr *a); /* idempotent */
int steer_local_del(struct steer *s, const struct addr *a);
/* Make the set exactly these (after start and after a resync); never a moment without a common
 * member. */
int steer_local_replace(struct steer *s, const struct addr *a, unsigned n);

/* NAT on addresses of this host. A packet to such an address goes to the socket if its port is set
 * in the address's slot of the bitmap: the TCP or UDP destination port, the id of an ICMP answer,
 * what an ICMP error quotes; a fragment goes where the first of its datagram went, and to NAT
 * before that. */
#define STEER_NAT_NONE (-1)
#define STEER_NAT_ALL  STEER_NAT_SLOTS /* whatever the port, as static NAT has it */

/* The bitmap, STEER_NAT_SIZE words as steer_shared.h lays them out: set and clear bits atomically,
 * the program sees them at once. It holds what the process before left in it. NULL if the kernel
 * does not map it: steer_natports_note() says why. [any] */
uint64_t *steer_natports(struct steer *s);
/* Is it as an earlier process left it? Else it is empty. */
bool steer_natports_found(const struct steer *s);
const char *steer_natports_note(const struct steer *s); /* NULL: it is there */
/* From now on this is the address's slot, or STEER_NAT_ALL, or STEER_NAT_NONE; remembered also
 * while the address is not one of this host. -EINVAL: no such slot. -EAFNOSUPPORT, -ENOMEM. */
int steer_local_nat(struct steer *s, const struct addr *a, int slot);

/* When the queues of the port at this place were looked after last, STEER_QUEUES_MAX of them, in ns
 * of CLOCK_MONOTONIC: to be stored by whoever serves them, much more often than every 100 ms. Stays
 * mapped as long as s lives. NULL: the kernel does not map it. [control]; the memory: [any] */
uint64_t *steer_beats(struct steer *s, unsigned place);

/* TCP and UDP ports that go to Linux whatever the address, of both families: Linux answers for
 * others. So do errors of ICMP about such answers, and all fragments of a datagram. */
struct steer_redirects {
	uint64_t bits[STEER_REDIRECT_PLANES][STEER_NAT_WORDS]; /* of enum steer_redirect_plane */
};

struct steer_port_config {
	int ifindex;
	const char *name; /* for the pin and messages */
	uint8_t mac[6];
	unsigned queues;
	bool generic;	/* attach in generic mode, else native */
	bool replace;	/* replace a foreign program; else -EBUSY naming it in why */
	unsigned place; /* below STEER_PLACES, of its own: of its beats */
	bool fail_pass; /* Linux stands in where nobody serves a queue; else frames wait, or drop */
};
/* Loads and verifies the program for this port, with an empty XSKMAP; does not attach it yet.
 * Adopts a pinned link of ours on the same ifindex later in steer_port_attach by updating its
 * program atomically. */
int steer_port_create(struct steer *s, const struct steer_port_config *c, struct steer_port **out,
		      char *why);
int steer_port_socket(struct steer_port *p, unsigned queue, int xsk_fd); /* -1: none */
/* After the sockets are in, so that no packet misses one. */
int steer_port_attach(struct steer_port *p, char *why);
int steer_port_mac(struct steer_port *p, const uint8_t mac[6]);
/* fail_pass, from now on: with true, queues must have beats by then. 0; -errno: there can be none,
 * and nothing has changed. */
int steer_port_fail_pass(struct steer_port *p, bool pass);
/* Frames tagged with vid (1 to 4094) go to us; of two tags both must be ours. */
int steer_port_vlan(struct steer_port *p, uint16_t vid, bool ours);
/* Of frames with this vid (0: without a tag) these are redirected; NULL: none. -ENOSPC: more than
 * STEER_REDIRECT_SETS different ones at a time; nothing is then. */
int steer_port_redirect(struct steer_port *p, uint16_t vid, const struct steer_redirects *ports);
/* Every frame of the port goes to the socket from now on, whatever it is: any ethertype, multicast,
 * broadcast, other MACs, any tag, too short to have a header; or no longer. Linux then neither sees
 * nor answers anything there, its own addresses included. While it lasts the
 * device is promiscuous, since its filter would keep frames for other MACs and VLANs away; after a
 * process that was killed, until the next one attaches, or takes its pins away.
 * Idempotent; a new port is not. -errno: nothing has changed. */
int steer_port_whole(struct steer_port *p, bool on);
/* Summed over CPUs, since this program was loaded. */
void steer_port_counters(const struct steer_port *p, uint64_t out[STEER__COUNT]);
const char *steer_port_mode(const struct steer_port *p); /* "native", "generic", "" before attach */
int steer_port_prog_fd(const struct steer_port *p);	 /* for BPF_PROG_RUN in tests */
/* Frees the handle. detach: program and pins leave the port, unless another process has taken the
 * link over; else the pinned link stays. */
void steer_port_destroy(struct steer_port *p, bool detach);

/* router --cleanup: detach and unpin everything below pin_dir; returns the number of links removed
 * or -errno. A line a thing removed goes to say(arg, text). */
int steer_cleanup(const char *pin_dir, void (*say)(void *arg, const char *text), void *arg);

#endif
