/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which ports Linux uses on this host, so that NAT on the same addresses keeps clear of them.
 *
 * Two things count. A port that a socket is bound to is Linux's, always: XDP steers by the local
 * port alone, so NAT would take that socket's packets away. And a port of the ephemeral range
 * (ip_local_port_range) may become a socket's at any moment, so it is Linux's too, unless it stands
 * in ip_local_reserved_ports: there Linux does not choose it by itself. So a NAT rule whose range
 * overlaps the ephemeral one has its ports reserved there; the operator may also have done so
 * (sysctl.d). Where neither happened (no right to write, or Linux would be left with hardly any)
 * NAT does without the ephemeral range.
 *
 * Use: kernel_ports_reserve(), then kernel_ports_read(), then kernel_ports_blocked() for each
 * address to natports_block(). Reading again now and then finds sockets that came since. All of it
 * concerns the network namespace of the caller. [control]
 */
#ifndef ROUTER_CTL_KERNEL_PORTS_H
#define ROUTER_CTL_KERNEL_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "router/lib/addr.h"
#include "router/net/natport.h"

#define KERNEL_PORTS_WHY 192

/* A bit a port. */
struct port_set {
	uint64_t word[NATPORT_WORDS];
};
void port_set_range(struct port_set *s, uint16_t first, uint16_t last);
static inline bool port_set_has(const struct port_set *s, uint16_t port)
{
	return s->word[port / 64] >> port % 64 & 1;
}
unsigned port_set_count(const struct port_set *s);
/* As the kernel writes and reads them, "80,8000-8010\n" or "": 0 or -EINVAL, *out untouched. */
int port_set_parse(const char *text, struct port_set *out);
/* The length of the text, or -E2BIG when it does not fit. */
int port_set_format(const struct port_set *s, char *buf, size_t size);

/* A port in use at an address of its own. */
struct kernel_port {
	struct addr addr;
	uint16_t port;
	uint16_t plane; /* NATPORT_TCP, NATPORT_UDP */
};

struct kernel_ports {
	struct port_set any[2];	 /* by plane: sockets of the wildcard address, of either family */
	struct kernel_port *own; /* sorted, each once */
	size_t nown;
	uint16_t ephemeral_first, ephemeral_last;
	struct port_set reserved; /* ip_local_reserved_ports */
};

/* By NETLINK_SOCK_DIAG (ENOENT: this kernel lacks the module tcp_diag or udp_diag) and /proc. 0 or
 * -errno with the reason in why[KERNEL_PORTS_WHY], *out untouched. */
int kernel_ports_read(struct kernel_ports *out, char *why);
void kernel_ports_free(struct kernel_ports *k);
/* The range Linux chooses from by itself. Errors as kernel_ports_read(). */
int kernel_ports_ephemeral(uint16_t *first, uint16_t *last, char *why);
/* What NAT must not choose on address a, as natports_block() wants it. Nothing for ICMP: who uses
 * an id is not known; a request of this host may share one with NAT. */
void kernel_ports_blocked(const struct kernel_ports *k, const struct addr *a,
			  enum natport_plane plane, struct port_set *out);

/* Linux keeps at least so many ephemeral ports. */
#define KERNEL_PORTS_LEFT 1024

/* What we added to ip_local_reserved_ports; begins zeroed. */
struct kernel_reserved {
	struct port_set ours;
};

/* From now on we reserve exactly `want` beside what others do: adds what is missing and takes away
 * what we added before. -EACCES, -EPERM, -EROFS: not permitted. -ENOSPC: Linux would be left with
 * fewer than KERNEL_PORTS_LEFT. -E2BIG: more ranges than the kernel reads at once. After a failure
 * the kernel's list is as it was. why as for kernel_ports_read(), may be NULL. */
int kernel_ports_reserve(struct kernel_reserved *r, const struct port_set *want, char *why);
/* At the end: takes away what we added. */
int kernel_ports_restore(struct kernel_reserved *r);

#endif
