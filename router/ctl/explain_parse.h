/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Imaginary packets: what an operator writes of one (explain_parse.c), and the frame it would be
 * (explain_frame.c).
 *
 *	tcp 10.0.0.5:1234 > 1.1.1.1:443
 *	udp [2001:db8::5]:1234 > [2001:db8::53]:53 ttl 1 length 1400 dscp ef
 *	icmp 10.0.0.5 > 1.1.1.1 icmp 8/0		(the "port" of a source: its id)
 *	gre 10.0.0.5 > 1.1.1.1 mark 0x20
 *
 * What is not said is as an ordinary packet has it: TCP begins a connection, ICMP asks for an echo,
 * the source's port is some port, and there is no data. [any]
 */
#ifndef ROUTER_CTL_EXPLAIN_PARSE_H
#define ROUTER_CTL_EXPLAIN_PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "router/lib/addr.h"

struct explain_packet {
	struct addr src, dst;  /* of one family */
	uint16_t sport, dport; /* host order; of ICMP queries sport is the id */
	uint16_t length;       /* of the IP packet, at least its headers */
	uint8_t proto;
	uint8_t ttl, dscp;
	bool df;	   /* IPv4: do not fragment */
	uint8_t tcp_flags; /* enum tcp_flag */
	uint8_t icmp_type, icmp_code;
	uint32_t mark;	   /* the router's, before its first rule */
	uint32_t seq, ack; /* TCP: not part of the text */
};

/* 0; or -EINVAL with what is wrong, and what would be right, in why. */
int explain_parse(const char *text, struct explain_packet *out, char *why, size_t size);

/* Bytes of the headers behind IP's that every packet of this protocol has. */
unsigned explain_headers(uint8_t proto);

/* Where it comes in: the Ethernet header. */
struct explain_link {
	uint8_t mac[6];
	uint16_t vid, vlan_proto; /* vid 0: untagged */
};
#define EXPLAIN_FRAME_MAX (18u + UINT16_MAX)
/* The whole frame, its checksums right; returns its length. */
uint32_t explain_frame(const struct explain_packet *p, const struct explain_link *l,
		       uint8_t frame[EXPLAIN_FRAME_MAX]);

#endif
