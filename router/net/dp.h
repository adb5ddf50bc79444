/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker lends to the packet path: the published configuration, its own memory and counters,
 * and the time. Nothing here is shared between workers but what is read only.
 */
#ifndef ROUTER_NET_DP_H
#define ROUTER_NET_DP_H

#include <stdbool.h>
#include <stdint.h>
#include <net/if.h>

#include "router/net/counters.h"
#include "router/net/fib.h"
#include "router/net/nexthop.h"
#include "router/net/pkt.h"

#define PORTS_MAX  64
#define IFACES_MAX 256
#define IFACE_NONE UINT16_MAX
static_assert(IFACES_MAX == NH_REACH_WORDS * 64, "a bit each");

#define IFACE_IP4_ADDRS 8
#define IFACE_IP6_ADDRS 8

/* An interface packets come in and go out by: a port, or a VLAN on one. */
struct dp_iface {
	char name[IFNAMSIZ];
	int ifindex;
	uint16_t port;
	uint16_t vid; /* 0: untagged */
	uint16_t vlan_proto;
	uint16_t mtu;
	uint8_t mac[6];
	uint16_t name_id; /* what rules call it: a number of struct names */
	uint16_t zone;	  /* of connection tracking: 0, or the VRF's table */
	bool up;
	bool virtual; /* not hardware, or XDP is generic: transport checksums may be unfinished */
	/* as the file has it for this interface, or for the port it is on */
	uint8_t rp_filter;	 /* enum conf_rp_filter */
	bool rp_default;	 /* to loose: a default route counts */
	bool redirects;		 /* ICMP redirects are sent */
	bool directed_broadcast; /* what is for its subnet's broadcast address goes out */
	uint16_t mss;		 /* TCP in and out announces no more; 0: whatever; CONF_MSS_PMTU */
	struct fib *fib4, *fib6; /* of its VRF's table, or of local and main */
	/* policy routing, of what comes in and of what we make for where it came from; NULL: fib4,
	 * fib6 */
	const struct rule_list *rules4, *rules6, *own4, *own6;
	/* addresses an ICMP error may come from: of IPv4 the preferred first, of IPv6 the oldest */
	unsigned nip4, nip6;
	struct {
		uint32_t addr;
		uint32_t mask;
	} ip4[IFACE_IP4_ADDRS];
	struct {
		struct in6_addr addr;
		uint8_t len;
	} ip6[IFACE_IP6_ADDRS];
	struct in6_addr ip6_link_local;
	bool has_link_local;
};

#define OWN_WORDS 64
static inline uint32_t own_bit(uint32_t addr)
{
	return (addr * 0x9e3779b1u) >> 20; /* 12 bits */
}

/* How packets are forwarded wherever they come from. */
struct dp_settings {
	bool martians_allowed; /* 0/8 and 240/4 are addresses like others (D3) */
	bool source_routes;    /* LSRR is forwarded; SSRR is not ours, and its sender is told */
	bool hash_l3;	       /* next hops are chosen by addresses alone */
	uint32_t seed;	       /* of that choice */
	/* ICMP errors of all workers: a second, at once, a second to one destination */
	uint32_t icmp_rate, icmp_burst, icmp_each;
};

/* What control publishes: immutable. */
struct dp_config {
	uint64_t generation;
	struct dp_settings set;
	uint64_t
		utc_ahead; /* of CLOCK_REALTIME before CLOCK_MONOTONIC, ns, when it was published */
	struct nh_table *nht;
	struct neigh_table *neigh;
	uint64_t own4[OWN_WORDS]; /* Bloom bits of this router's IPv4 addresses, and of its
				 subnets' broadcast addresses: source check */
	bool ruled;		  /* an interface has a list of rules */
	unsigned nifaces;
	uint16_t port_iface[PORTS_MAX]; /* the untagged interface of a port, or IFACE_NONE */
	uint16_t port_vlans[PORTS_MAX]; /* VLAN interfaces of a port: 0 is the common case */
	/* bits of ports with an interface that looks at what comes in (rp-filter, mss-clamp), or
	 * at what goes out (mss-clamp) */
	uint64_t guarded, clamped;
	struct dp_iface iface[];
};

/* Events that are no drop. X(ENUM, "name", "what it counts") */
/* clang-format off */
#define DP_EVENTS(X)                                                                               \
	X(ICMP_SENT,      "icmp-sent",      "ICMP errors sent")                                    \
	X(ICMP_LIMITED,   "icmp-limited",   "ICMP errors not sent: rate limit")                    \
	X(ICMP_NO_FRAME,  "icmp-no-frame",  "ICMP errors not sent: no free frame")                 \
	X(ICMP_NO_SOURCE, "icmp-no-source", "ICMP errors not sent: no address to send from")       \
	X(REDIRECTS,      "redirects",      "senders told of a better router (ICMP redirect)")       \
	X(FRAGMENTED,     "fragmented",     "packets cut into fragments")                          \
	X(FRAGMENTS,      "fragments",      "fragments made")                                      \
	X(CSUM_COMPLETED, "csum-completed", "unfinished checksums of a virtual port completed")    \
	X(HELD,           "held",           "packets that waited for a neighbour")                 \
	X(FLOW_ADOPTED,   "flow-adopted",   "new flows that another worker had made already")      \
	X(NAT_RETRY,      "nat-retry",      "translations chosen again: the first was taken")      \
	X(MIRROR_LOST,    "mirror-lost",    "copies not sent: no free frame")                        \
	X(LOG_LOST,       "log-lost",       "log lines of rules that found the ring to control full") \
	X(RESOLVE_LOST,   "resolve-lost",   "requests to resolve that found the ring to control full")
/* clang-format on */
enum dp_event {
#define X(id, name, text) EVENT_##id,
	DP_EVENTS(X)
#undef X
		EVENT__COUNT
};
extern const struct drop_info dp_event_info[EVENT__COUNT];

struct dp_counters {
	uint64_t drop[DROP__COUNT];
	uint64_t event[EVENT__COUNT];
	uint64_t generated; /* packets made here: ICMP errors, further fragments */
	struct {
		uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, drops;
	} port[PORTS_MAX];
	struct {
		uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
	} vlan[IFACES_MAX]; /* of tagged interfaces only */
};

struct icmp_limits;
struct hold;
struct policy;
struct rule_list;
struct stateful;
struct ct_events;
struct qos;
struct qpkt;

/* A message to the control thread: a neighbour to have resolved. */
struct dp_message {
	uint16_t iface;
	bool sure; /* a gateway, or known before: there is such a host */
	struct addr addr;
};

/* What is to be in the log, for the control thread to write. */
enum dp_note_kind {
	NOTE_RULE,   /* a rule wants it */
	NOTE_MARTIAN /* a sample; rule: enum drop_reason, in: index of the interface */
};
struct dp_note {
	uint8_t kind;
	uint8_t mac[6];		   /* NOTE_MARTIAN: of who sent it */
	uint16_t rule, generation; /* of struct policy */
	uint16_t in, out;	   /* numbers of interface names */
	uint16_t len;
	uint8_t ttl, tcp_flags;
	uint8_t family, proto;
	uint16_t sport, dport; /* network order */
	uint8_t src[16], dst[16];
};

/* A frame on its way out, laid out as struct xdp_desc. */
struct dp_frame {
	uint64_t addr;
	uint32_t len, options;
};
#define DP_OUT_MAX (2 * BURST)
struct dp_out {
	uint32_t n;
	struct dp_frame frame[DP_OUT_MAX];
};

struct dp {
	const struct dp_config *cfg;
	uint8_t *base; /* packet memory */
	unsigned frame_shift;
	struct dp_counters *count;
	uint64_t now;	  /* CLOCK_MONOTONIC, ns; read once a loop */
	uint16_t rx_port; /* the port of the burst under way */
	uint64_t dirty;	  /* a bit for each port with frames in out[] */
	struct icmp_limits *icmp;
	struct hold *hold;
	uint32_t nheld;		/* packets in the hold queue */
	uint64_t martian_again; /* ns: when control may be told of the next */
	bool ask_now;		/* control has messages to read: wake it */
	uint64_t watched; /* a bit for each port where emit() has more to do: `shaped`, clamped */

	/* stateful forwarding: all NULL and 0 without */
	const struct policy *policy; /* read once a loop */
	struct stateful *st;
	struct ct_events *events; /* somebody monitors: read once a loop */
	unsigned worker;
	unsigned made;	     /* flows, since the last look at what expires */
	bool due;	     /* more flows have expired than the last turn looked at */
	uint16_t generation; /* of the policy */
	uint32_t tick;	     /* of the flow table, now */
	uint64_t random;     /* state of random choices: siphash_number() */

	/* shaping: all NULL and 0 without */
	uint64_t shaped;       /* a bit for each port with a tree of qdiscs */
	const struct qos *qos; /* read once a loop */
	uint64_t handed;       /* bits of workers that own a tree something was handed to */
	unsigned tc_depth;     /* redirections of the packet under way */
	struct qpkt *qpkt;     /* what queues know of packets, by frame: net/qdisc/qdisc.h */

	/* Given by the worker, with itself behind `dp`. flush: hand out[port] to its send queue.
	 * alloc: a frame with HEADROOM before the pointer, or NULL. ask, note: a message to
	 * control; false: the ring is full. */
	void (*flush)(struct dp *dp, unsigned port);
	uint8_t *(*alloc)(struct dp *dp);
	void (*free)(struct dp *dp, const uint8_t *data);
	bool (*ask)(struct dp *dp, const struct dp_message *m);
	bool (*note)(struct dp *dp, const struct dp_note *n);
	struct dp_out *out; /* PORTS_MAX: frames on their way to a send ring */
};

/* Bytes from data to the end of its frame. */
static inline uint32_t dp_room(const struct dp *dp, const uint8_t *data)
{
	uint64_t size = 1ull << dp->frame_shift;

	return (uint32_t)(size - ((uint64_t)(data - dp->base) & (size - 1)));
}

/* Send a whole frame; takes ownership. Sent when the port's burst is flushed. */
static inline void dp_send(struct dp *dp, unsigned port, const uint8_t *frame, uint32_t len)
{
	struct dp_out *o = &dp->out[port];

	if (__builtin_expect(o->n == DP_OUT_MAX, 0))
		dp->flush(dp, port);
	o->frame[o->n] = (struct dp_frame){ .addr = (uint64_t)(frame - dp->base), .len = len };
	__atomic_store_n(&o->n, o->n + 1, __ATOMIC_RELEASE); /* the next process reads the list */
	dp->dirty |= 1ull << port;
}

/* Its frame is gone afterwards, and p says so: who gave p to others can see what became of it. */
static inline void pkt_drop(struct dp *dp, struct pkt *p, enum drop_reason why)
{
	counter_add(&dp->count->drop[why], 1);
	dp->free(dp, p->l3);
	p->l3 = NULL;
}

static inline void dp_event(struct dp *dp, enum dp_event e)
{
	counter_add(&dp->count->event[e], 1);
}

#endif
