/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the XDP program (steer.bpf.c) and the code that loads it (steer.c) must agree on. Compiled
 * for both targets, so it includes nothing but linux/types.h. */
#ifndef XSK_STEER_SHARED_H
#define XSK_STEER_SHARED_H

#include <linux/types.h>

/* X(ENUM, "name", "what it means") in the order of the BPF program's counters. */
#define STEER_VERDICTS(X)                                                                          \
	X(SOCKET, "to-socket", "redirected to the AF_XDP socket")                                  \
	X(NAT, "to-socket-nat", "to an address of this host, but NAT's: redirected likewise")      \
	X(WHOLE, "to-socket-whole", "of a port that is handed over whole: redirected likewise")    \
	X(NO_SOCKET, "no-socket", "queue without a socket: fallback taken")                        \
	X(PASS_STALE, "pass-stale", "nobody serves the queue any more, and Linux stands in")       \
	X(PASS_LOCAL, "pass-local", "to an address of this host")                                  \
	X(PASS_MULTICAST, "pass-multicast", "multicast or broadcast")                              \
	X(PASS_ETHERTYPE, "pass-ethertype", "neither IPv4 nor IPv6: ARP, LLDP, ...")               \
	X(PASS_OTHER_MAC, "pass-other-mac", "for another MAC address")                             \
	X(PASS_VLAN, "pass-vlan", "VLAN without an interface of ours")                             \
	X(PASS_DHCP, "pass-dhcp", "DHCP answer")                                                   \
	X(PASS_REDIRECT, "pass-redirect", "to a port that this host answers for others")           \
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

/* The value of both address maps, a __u16: 0 for an address without NAT, slot + 1 for one whose NAT
 * ports stand in that slot of the port bitmap, STEER_LOCAL_ALL for one that is NAT's altogether. */
#define STEER_LOCAL_ALL (STEER_NAT_SLOTS + 1)

/* The bitmap of NAT's ports: word (slot * STEER_NAT_PLANES + plane) * STEER_NAT_WORDS + port / 64,
 * bit port % 64, port in host order. router/net/natport.h has the same layout. */
#define STEER_NAT_SLOTS	 256
#define STEER_NAT_PLANES 3
#define STEER_NAT_WORDS	 1024
#define STEER_NAT_SIZE	 (STEER_NAT_SLOTS * STEER_NAT_PLANES * STEER_NAT_WORDS) /* words */
enum steer_nat_plane { STEER_NAT_TCP, STEER_NAT_UDP, STEER_NAT_ID /* of ICMP and ICMPv6 */ };

/* Sets of ports that are redirected to this host, whatever the address: of a set, word (set *
 * STEER_REDIRECT_PLANES + plane) * STEER_NAT_WORDS + port / 64, bit port % 64. */
#define STEER_REDIRECT_SETS 32
#define STEER_REDIRECT_SIZE                                                                        \
	(STEER_REDIRECT_SETS * STEER_REDIRECT_PLANES * STEER_NAT_WORDS) /* words */
enum steer_redirect_plane {
	STEER_REDIRECT_TCP4,
	STEER_REDIRECT_UDP4,
	STEER_REDIRECT_TCP6,
	STEER_REDIRECT_UDP6,
	STEER_REDIRECT_PLANES
};

/* Datagrams whose first fragment was judged and whose rest may still come. */
#define STEER_FRAGMENTS_MAX	4096
#define STEER_FRAGMENT_KEY_SIZE 40

#define STEER_VIDS 4096

/* When each receive queue was last looked after, of CLOCK_MONOTONIC, in ns: place *
 * STEER_QUEUES_MAX
 * + queue. Where Linux is to stand in, it does when that is longer ago than STEER_STALE_NS. */
#define STEER_PLACES	 64 /* ports of a process */
#define STEER_QUEUES_MAX 64
#define STEER_BEATS	 (STEER_PLACES * STEER_QUEUES_MAX)
#define STEER_STALE_NS	 100000000

/* What the program reads of its port. Every change is one aligned store of the daemon's into this
 * memory, so the program never sees half a MAC address. */
struct steer_port_state {
	__u64 mac;	 /* the six bytes as they stand in a frame, then two of zero */
	__u32 fallback;	 /* XDP_DROP or XDP_PASS */
	__u32 redirects; /* 0: none of redirecting[] */
	__u32 whole;	 /* not 0: every frame is for the socket */
	__u32 beats;	 /* 0: nobody looks at them; else 1 + where those of the port begin */
	__u64 vlans[STEER_VIDS / 64]; /* bit vid: frames tagged with it are ours */
};

#endif
