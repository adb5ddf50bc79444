/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one list of drop reasons: counter, `show drops`, metrics label and man page come from it.
 * X(ENUM, "name", "stage", "what an operator reads") */
#ifndef ROUTER_NET_COUNTERS_H
#define ROUTER_NET_COUNTERS_H

#include <stdint.h>

/* clang-format off */
#define DROP_REASONS(X)                                                                            \
	X(RUNT,            "runt",             "parse",   "frame shorter than its headers")            \
	X(ETHERTYPE,       "ethertype",        "parse",   "neither IPv4 nor IPv6")                     \
	X(NOT_OURS,        "not-our-mac",      "parse",   "frame for another MAC address")             \
	X(VLAN_UNKNOWN,    "vlan-unknown",     "parse",   "VLAN tag without an interface")             \
	X(IFACE_DOWN,      "interface-down",   "parse",   "received on an interface that is down")     \
	X(IP4_VERSION,     "ip4-version",      "parse",   "IPv4 version or header length is wrong")    \
	X(IP4_LENGTH,      "ip4-length",       "parse",   "IPv4 total length is wrong")                \
	X(IP4_CHECKSUM,    "ip4-checksum",     "parse",   "IPv4 header checksum is wrong")             \
	X(IP4_OPTIONS,     "ip4-options",      "parse",   "IPv4 options are malformed")                \
	X(SOURCE_ROUTE,    "source-route",     "parse",   "IPv4 source route (RFC 7126)")              \
	X(IP6_VERSION,     "ip6-version",      "parse",   "IPv6 version is wrong")                     \
	X(IP6_LENGTH,      "ip6-length",       "parse",   "IPv6 payload length is wrong")              \
	X(IP6_EXTENSION,   "ip6-extension",    "parse",   "IPv6 extension header is malformed")        \
	X(IP6_OPTIONS,     "ip6-options",      "parse",   "IPv6 hop-by-hop options forbid it")         \
	X(IP6_RH0,         "ip6-rh0",          "parse",   "IPv6 routing header type 0 (RFC 5095)")     \
	X(MARTIAN_SRC,     "martian-source",   "parse",   "source address that may not be routed")     \
	X(MARTIAN_DST,     "martian-dest",     "parse",   "destination that may not be routed")        \
	X(RP_FILTER,       "rp-filter",        "parse",   "its source is not routed back that way")    \
	X(FRAG_TINY,       "frag-tiny",        "fragment", "first fragment without transport header")     \
	X(FRAG_OVERLAP,    "frag-overlap",     "fragment", "fragments overlap")                           \
	X(FRAG_LIMIT,      "frag-limit",       "fragment", "too many datagrams or fragments wait")        \
	X(FRAG_TIMEOUT,    "frag-timeout",     "fragment", "the first fragment did not come")             \
	X(FRAG_REFUSED,    "frag-refused",     "fragment", "its first fragment was dropped")              \
	X(CT_INVALID,      "ct-invalid",       "conntrack", "belongs to no connection and begins none")   \
	X(CT_FULL,         "ct-full",          "conntrack", "the flow table is full")                     \
	X(CT_SOURCE_LIMIT, "ct-source-limit",  "conntrack", "its source has too many flows")              \
	X(CT_ZONE_LIMIT,   "ct-zone-limit",    "conntrack", "its zone has too many flows")                \
	X(NAT_EXHAUSTED,   "nat-exhausted",    "nat",     "no outside port is free")                      \
	X(NAT_FILTERED,    "nat-filtered",     "nat",     "the mapping does not let this sender in")      \
	X(NAT_CLASH,       "nat-clash",        "nat",     "its translation is another flow's")            \
	X(FILTER_RULE,     "filter-rule",      "filter",  "a filter rule drops it")                       \
	X(FILTER_POLICY,   "filter-policy",    "filter",  "no filter rule accepts it")                    \
	X(FILTER_REJECT,   "filter-reject",    "filter",  "a filter rule rejects it")                     \
	X(SCOPE,           "beyond-scope",     "forward", "link-local address to another link")        \
	X(SRC_OURS,        "source-ours",      "forward", "source is an address of this router")       \
	X(TTL,             "ttl",              "forward", "TTL or hop limit ran out")                  \
	X(NO_ROUTE,        "no-route",         "forward", "no route to the destination")               \
	X(BLACKHOLE,       "blackhole",        "forward", "blackhole route")                           \
	X(UNREACHABLE,     "unreachable",      "forward", "unreachable route")                         \
	X(PROHIBIT,        "prohibit",         "forward", "prohibit route")                            \
	X(LOCAL,           "local",            "forward", "for this router, seen before Linux knew")   \
	X(BROADCAST,       "broadcast",        "forward", "directed broadcast")                        \
	X(EGRESS_FOREIGN,  "egress-not-ours",  "forward", "route leads to an interface we do not own") \
	X(EGRESS_DOWN,     "egress-down",      "forward", "egress interface is down")                  \
	X(TOO_BIG,         "too-big",          "forward", "larger than the MTU and may not be cut")    \
	X(FRAG_MANY,       "frag-many",        "forward", "the MTU would cut it into too many pieces") \
	X(FRAG_NO_FRAME,   "frag-no-frame",    "forward", "no free frame for a fragment")              \
	X(NEIGH_FAILED,    "neighbour-failed", "l2",      "Linux could not resolve the neighbour")     \
	X(NEIGH_HOLD_FULL, "hold-full",        "l2",      "hold queue of the neighbour is full")       \
	X(NEIGH_LIMIT,     "neighbour-limit",  "l2",      "too many unknown neighbours are waited for")  \
	X(NEIGH_GONE,      "hold-gone",        "l2",      "interface went while a packet waited")      \
	X(QDISC_FULL,      "qdisc-full",       "shape",   "the limit of a queue")                         \
	X(QDISC_AQM,       "qdisc-aqm",        "shape",   "dropped early by active queue management")    \
	X(QDISC_OVERSIZE,  "qdisc-oversize",   "shape",   "longer than the bucket of its qdisc")          \
	X(QDISC_LOSS,      "qdisc-loss",       "shape",   "lost by netem, on purpose")                    \
	X(QDISC_GONE,      "qdisc-gone",       "shape",   "its queue was deleted or changed")             \
	X(QDISC_BUDGET,    "qdisc-budget",     "shape",   "the tree holds all the frames it may")         \
	X(QDISC_HANDOVER,  "qdisc-handover",   "shape",   "the ring to the owner of the tree is full")    \
	X(POLICED,         "policed",          "shape",   "a policer drops it")                           \
	X(TC_ACTION,       "tc-action",        "shape",   "an action of a filter drops it")               \
	X(TC_LOOP,         "tc-loop",          "shape",   "redirected too often")                         \
	X(TX_RING_FULL,    "tx-ring-full",     "send",    "send ring is full")                         \
	X(TX_NO_PORT,      "tx-no-port",       "send",    "egress port has gone")                      \
	X(TX_DEVICE,       "tx-device",        "send",    "the device dropped it (EBUSY)")            \
	X(RESTART,         "restart",          "restart", "in the hands of a process that ended")
/* clang-format on */

enum drop_reason {
#define X(id, name, stage, text) DROP_##id,
	DROP_REASONS(X)
#undef X
		DROP__COUNT
};

struct drop_info {
	const char *name, *stage, *text;
};
extern const struct drop_info drop_info[DROP__COUNT];

/* An own counter of one worker: only that worker writes, anybody may read a slightly old value. */
static inline void counter_add(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, *c + n, __ATOMIC_RELAXED);
}
static inline uint64_t counter_read(const uint64_t *c)
{
	return __atomic_load_n(c, __ATOMIC_RELAXED);
}

#endif
