/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the XDP program (steer.bpf.c) and the code that loads it (steer.c) must agree on. Compiled
 * for both targets, so it includes nothing but linux/types.h. */
#ifndef XSK_STEER_SHARED_H
#define XSK_STEER_SHARED_H

#include <linux/types.h>

/* X(ENUM, "name", "what it means") in the order of the BPF program's counters. */
#define STEER_VERDICTS(X)                                                                          \
	X(SOCKET, "to-socket", "redirected to the AF_XDP socket")                                  \
	X(NO_SOCKET, "no-socket", "queue without a socket: fallback taken")                        \
	X(PASS_LOCAL, "pass-local", "to an address of this host")                                  \
	X(PASS_MULTICAST, "pass-multicast", "multicast or broadcast")                              \
	X(PASS_ETHERTYPE, "pass-ethertype", "neither IPv4 nor IPv6: ARP, LLDP, ...")               \
	X(PASS_OTHER_MAC, "pass-other-mac", "for another MAC address")                             \
	X(PASS_VLAN, "pass-vlan", "VLAN without an interface of ours")                             \
	X(PASS_DHCP, "pass-dhcp", "DHCP answer")                                                   \
	X(PASS_SHORT, "pass-short", "too short to judge")

enum steer_verdict {
#define X(id, name, text) STEER_##id,
	STEER_VERDICTS(X)
#undef X
		STEER__COUNT
};

/* Addresses of this host, per family. A set is replaced by adding the new one before the old one
 * goes, so two full sets of STEER_LOCALS_MAX must fit at a time. */
#define STEER_LOCALS_MAX  4096
#define STEER_LOCALS_ROOM (2 * STEER_LOCALS_MAX)

/* The value of both address maps: being there is all that is said. */
#define STEER_LOCAL_VALUE_SIZE 1

/* What the program reads of its port. Every change is one aligned store of the daemon's into this
 * memory, so the program never sees half a MAC address. */
struct steer_port_state {
	__u64 mac;	/* the six bytes as they stand in a frame, then two of zero */
	__u32 fallback; /* XDP_DROP or XDP_PASS */
	__u32 pad;
	__u64 vlans[4096 / 64]; /* bit vid: frames tagged with it are ours */
};

#endif
