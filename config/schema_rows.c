// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * THE table of keys. Rows stand in the order in which conf_print() writes them; a container stands
 * before what it contains, and all that it contains right behind it. Nothing here runs but the
 * predicates of keys that share a field: values are read and written by value*.c, the walk over a
 * file is bind.c's, looking up rows is schema.c's. Rows of shaping are in schema_qos.inc, of policy
 * routing in schema_routing.inc.
 */
#include <assert.h>

#include "config/conf.h"
#include "config/schema_qos.h"
#include "router/lib/log.h"

static_assert(sizeof(enum conf_poll) == sizeof(unsigned), "enums are stored as unsigned");

const struct schema_word schema_protos[] = {
	{ "tcp", IPPROTO_TCP },	      { "udp", IPPROTO_UDP },	{ "icmp", IPPROTO_ICMP },
	{ "icmpv6", IPPROTO_ICMPV6 }, { "gre", IPPROTO_GRE },	{ "esp", IPPROTO_ESP },
	{ "ah", IPPROTO_AH },	      { "sctp", IPPROTO_SCTP }, { "udplite", IPPROTO_UDPLITE },
	{ "ipip", IPPROTO_IPIP },     { "any", 256 },		{ NULL, 0 },
};
static const struct schema_word poll_words[] = { { "adaptive", CONF_POLL_ADAPTIVE },
						 { "busy", CONF_POLL_BUSY },
						 { NULL, 0 } };
static const struct schema_word hugepage_words[] = {
	{ "prefer", CONF_HUGEPAGES_PREFER },
	{ "require", CONF_HUGEPAGES_REQUIRE },
	{ "off", CONF_HUGEPAGES_OFF },
	{ NULL, 0 },
};
static const struct schema_word xdp_words[] = {
	{ "best-effort", CONF_XDP_BEST_EFFORT },
	{ "zero-copy", CONF_XDP_ZERO_COPY },
	{ "copy", CONF_XDP_COPY },
	{ "generic", CONF_XDP_GENERIC },
	{ NULL, 0 },
};
static const struct schema_word route_words[] = {
	{ "unicast", CONF_ROUTE_UNICAST },
	{ "blackhole", CONF_ROUTE_BLACKHOLE },
	{ "unreachable", CONF_ROUTE_UNREACHABLE },
	{ "prohibit", CONF_ROUTE_PROHIBIT },
	{ NULL, 0 },
};
static const struct schema_word level_words[] = {
	{ "error", LOG_ERROR }, { "warning", LOG_WARNING }, { "notice", LOG_NOTICE },
	{ "info", LOG_INFORM }, { "debug", LOG_DETAIL },    { NULL, 0 },
};
static const struct schema_word table_words[] = {
	{ "main", 254 }, { "local", 255 }, { "default", 253 }, { NULL, 0 }
};
static const struct schema_word policy_words[] = {
	{ "table", CONF_POLICY_TABLE },
	{ "blackhole", CONF_POLICY_BLACKHOLE },
	{ "unreachable", CONF_POLICY_UNREACHABLE },
	{ "prohibit", CONF_POLICY_PROHIBIT },
	{ NULL, 0 },
};
static const struct schema_word policy_family_words[] = {
	{ "any", 0 }, { "ipv4", AF_INET }, { "ipv6", AF_INET6 }, { NULL, 0 }
};
static const struct schema_word follow_words[] = { { "follow", 0 }, { NULL, 0 } };
static const struct schema_word kernel_words[] = { { "kernel", 0 }, { NULL, 0 } };
static const struct schema_word auto_words[] = { { "auto", 0 }, { NULL, 0 } };
static const struct schema_word frames_words[] = { { "auto", 0 }, { "0", 0 }, { NULL, 0 } };

static const struct schema_word type_words[] = {
	{ "address", CONF_FIELD_ADDRESS },
	{ "prefix", CONF_FIELD_PREFIX },
	{ "port", CONF_FIELD_PORT },
	{ "interface", CONF_FIELD_INTERFACE },
	{ "proto", CONF_FIELD_PROTO },
	{ "mark", CONF_FIELD_MARK },
	{ NULL, 0 },
};
static const struct schema_word rp_words[] = {
	{ "off", CONF_RP_OFF },
	{ "strict", CONF_RP_STRICT },
	{ "loose", CONF_RP_LOOSE },
	{ "feasible", CONF_RP_FEASIBLE },
	{ NULL, 0 },
};
static const struct schema_word clamp_words[] = { { "pmtu", CONF_MSS_PMTU }, { NULL, 0 } };
static const struct schema_word multipath_words[] = { { "l4", CONF_HASH_L4 },
						      { "l3", CONF_HASH_L3 },
						      { NULL, 0 } };
static const struct schema_word martian_words[] = { { "drop", 0 }, { "allow", 1 }, { NULL, 0 } };
static const struct schema_word source_route_words[] = { { "drop", 0 },
							 { "forward", 1 },
							 { NULL, 0 } };
static const struct schema_word truth_words[] = { { "true", 0 }, { "false", 1 }, { NULL, 0 } };
static const struct schema_word failure_words[] = { { "drop", 0 }, { "pass", 1 }, { NULL, 0 } };
static const struct schema_word verdict_words[] = { { "accept", 0 }, { "drop", 1 }, { NULL, 0 } };
static const struct schema_word hook_words[] = {
	{ "prerouting", CONF_HOOK_PREROUTING },	  { "input", CONF_HOOK_INPUT },
	{ "forward", CONF_HOOK_FORWARD },	  { "output", CONF_HOOK_OUTPUT },
	{ "postrouting", CONF_HOOK_POSTROUTING }, { NULL, 0 },
};
static const struct schema_word priority_words[] = {
	{ "raw", (unsigned)CONF_PRIO_RAW },	  { "mangle", (unsigned)CONF_PRIO_MANGLE },
	{ "dstnat", (unsigned)CONF_PRIO_DSTNAT }, { "filter", CONF_PRIO_FILTER },
	{ "srcnat", CONF_PRIO_SRCNAT },		  { NULL, 0 },
};
static const struct schema_word act_words[] = {
	{ "accept", CONF_ACT_ACCEPT },
	{ "drop", CONF_ACT_DROP },
	{ "reject", CONF_ACT_REJECT },
	{ "return", CONF_ACT_RETURN },
	{ "notrack", CONF_ACT_NOTRACK },
	{ "count", CONF_ACT_COUNT },
	{ "save-mark", CONF_ACT_SAVE_MARK },
	{ "restore-mark", CONF_ACT_RESTORE_MARK },
	{ NULL, 0 },
};
static const struct schema_word reject_words[] = {
	{ "tcp-reset", CONF_REJECT_RESET },
	{ "port-unreachable", CONF_REJECT_PORT },
	{ "host-unreachable", CONF_REJECT_HOST },
	{ "net-unreachable", CONF_REJECT_NET },
	{ "admin-prohibited", CONF_REJECT_PROHIBITED },
	{ NULL, 0 },
};
static const struct schema_word pmtu_words[] = { { "pmtu", 0 }, { NULL, 0 } };
static const struct schema_word source_nat_words[] = {
	{ "masquerade", CONF_NAT_MASQUERADE },
	{ "snat", CONF_NAT_POOL },
	{ "none", CONF_NAT_NONE },
	{ NULL, 0 },
};
static const struct schema_word destination_nat_words[] = {
	{ "dnat", CONF_NAT_DESTINATION },
	{ "redirect", CONF_NAT_REDIRECT },
	{ "none", CONF_NAT_NONE },
	{ NULL, 0 },
};
static const struct schema_word mapping_words[] = {
	{ "eim", CONF_MAPPING_EIM },
	{ "adm", CONF_MAPPING_ADM },
	{ "apdm", CONF_MAPPING_APDM },
	{ NULL, 0 },
};
static const struct schema_word filtering_words[] = {
	{ "eif", CONF_FILTERING_EIF },
	{ "adf", CONF_FILTERING_ADF },
	{ "apdf", CONF_FILTERING_APDF },
	{ NULL, 0 },
};
static const struct schema_word profile_words[] = { { "rfc", 0 }, { "linux", 1 }, { NULL, 0 } };
static const struct schema_word full_words[] = { { "early-drop", 0 },
						 { "drop-new", 1 },
						 { NULL, 0 } };
static const struct schema_word refresh_words[] = { { "both", 0 }, { "outbound", 1 }, { NULL, 0 } };

static_assert(offsetof(struct conf_log, period_ms) == offsetof(struct conf_log, count) + 4, "RATE");
static_assert(offsetof(struct conf_policy, mark_mask) == offsetof(struct conf_policy, mark) + 4,
	      "MARK");
static_assert(offsetof(struct conf_action, mask) == offsetof(struct conf_action, value) + 4,
	      "MARK");

static bool act_is(const struct schema_row *row, const void *action)
{
	const struct conf_action *a = action;

	return a->act == row->act;
}

static bool policy_has_dscp(const struct schema_row *row, const void *policy)
{
	(void)row;
	return ((const struct conf_policy *)policy)->has_dscp;
}

static bool policy_suppresses(const struct schema_row *row, const void *policy)
{
	(void)row;
	return ((const struct conf_policy *)policy)->suppress >= 0;
}

const struct schema_row schema_rows[] = {
	{ "", SCHEMA_MAP, .doc = "The configuration of a router." },
	{ "version", SCHEMA_UINT, .min = 1, .max = 1, .required = true,
	  .doc = "Version of this format. A file of another version is refused." },
	{ "include", SCHEMA_LIST,
	  .doc = "More files to merge into this one, as shell patterns relative to it." },
	{ "include[]", SCHEMA_PATTERN,
	  .doc = "A file name or pattern below this file's directory." },

	{ "router", SCHEMA_MAP, .doc = "The daemon itself: threads, memory, how it drives NICs." },
	{ "router.workers", SCHEMA_MAP, .doc = "The threads that move packets." },
	{ "router.workers.cpus", SCHEMA_CPUS, ARRAY(SCHEMA_CONF, conf, workers.cpus, workers.ncpus),
	  .max = 4095,
	  .doc = "CPUs to pin one worker each to: 3, 2-5 or [0, 2-3]. Without it, one worker a "
		 "CPU, unpinned." },
	{ "router.workers.count", SCHEMA_UINT, FIELD(SCHEMA_CONF, conf, workers.count), .min = 1,
	  .max = CONF_CPUS_MAX, .doc = "So many workers, unpinned. Not together with cpus." },
	{ "router.workers.mode", SCHEMA_ENUM, "adaptive", FIELD(SCHEMA_CONF, conf, workers.poll),
	  .words = poll_words, .doc = "adaptive sleeps when no packets come; busy never does." },
	{ "router.memory", SCHEMA_MAP, .doc = "The packet memory all ports share." },
	{ "router.memory.frames", SCHEMA_UINT, "auto", FIELD(SCHEMA_CONF, conf, memory.frames),
	  .min = 1024, .max = 1u << 26, .words = frames_words,
	  .doc = "Number of frames; auto sizes it from ports and rings." },
	{ "router.memory.frame-size", SCHEMA_UINT, "2048",
	  FIELD(SCHEMA_CONF, conf, memory.frame_size), .min = 2048, .max = 4096,
	  .power_of_two = true,
	  .doc = "Bytes a frame. An MTU above 1774 needs 4096; the largest is 3822." },
	{ "router.memory.hugepages", SCHEMA_ENUM, "prefer",
	  FIELD(SCHEMA_CONF, conf, memory.hugepages), .words = hugepage_words,
	  .doc = "2 MiB pages: use them if there are any, refuse to start without, or do not "
		 "ask." },
	{ "router.xdp", SCHEMA_MAP, .doc = "AF_XDP, for all interfaces." },
	{ "router.xdp.mode", SCHEMA_ENUM, "best-effort", FIELD(SCHEMA_CONF, conf, xdp.mode),
	  .words = xdp_words,
	  .doc = "best-effort takes zero-copy, else native copy. The others are demands; generic "
		 "is never chosen unasked." },
	{ "router.xdp.ring-size", SCHEMA_UINT, "2048", FIELD(SCHEMA_CONF, conf, xdp.ring_size),
	  .min = 64, .max = 32768, .power_of_two = true,
	  .doc = "Entries in each ring of each queue." },
	{ "router.xdp.busy-poll", SCHEMA_MAP,
	  .doc = "Kernel busy polling of the sockets (SO_BUSY_POLL)." },
	{ "router.xdp.busy-poll.usecs", SCHEMA_UINT, "0",
	  FIELD(SCHEMA_CONF, conf, xdp.busy_poll_usecs), .max = 1000000,
	  .doc = "Microseconds to poll for; 0 is off." },
	{ "router.xdp.busy-poll.budget", SCHEMA_UINT, "64",
	  FIELD(SCHEMA_CONF, conf, xdp.busy_poll_budget), .min = 1, .max = 65535,
	  .doc = "Packets a poll may take." },
	{ "router.xdp.replace-foreign", SCHEMA_BOOL, "false", FIELD(SCHEMA_CONF, conf, xdp.replace),
	  .doc = "Replace another XDP program found on a port instead of refusing the port." },
	{ "router.kernel", SCHEMA_MAP, .doc = "What stays Linux's work." },
	{ "router.kernel.routes", SCHEMA_ENUM, "follow", .words = follow_words,
	  .doc = "Routes in Linux, whoever set them, are the ones packets follow." },
	{ "router.kernel.neighbours", SCHEMA_ENUM, "follow", .words = follow_words,
	  .doc = "Linux resolves neighbours; the router follows." },
	{ "router.kernel.local-delivery", SCHEMA_ENUM, "kernel", .words = kernel_words,
	  .doc = "Packets to the router's own addresses go to Linux." },

	{ "interfaces", SCHEMA_NAMED, ARRAY(SCHEMA_CONF, conf, ifaces, nifaces),
	  .element = SCHEMA_IFACE, .doc = "The interfaces to route between, by name." },
	{ "interfaces.*", SCHEMA_MAP,
	  .doc = "One interface; its key is its netdev unless match says otherwise." },
	{ "interfaces.*.match", SCHEMA_MAP, .doc = "Which netdev it is: give mac or name." },
	{ "interfaces.*.match.mac", SCHEMA_MAC, FIELD(SCHEMA_IFACE, conf_iface, mac),
	  .doc = "The netdev with this MAC address. Quote it." },
	{ "interfaces.*.match.name", SCHEMA_NETDEV, FIELD(SCHEMA_IFACE, conf_iface, netdev),
	  .doc = "The netdev with this name." },
	{ "interfaces.*.queues", SCHEMA_UINT, "auto", FIELD(SCHEMA_IFACE, conf_iface, queues),
	  .min = 1, .max = 1024, .words = auto_words,
	  .doc = "Queues to use; auto takes all the device has." },
	{ "interfaces.*.xdp", SCHEMA_MAP, .doc = "AF_XDP on this interface." },
	{ "interfaces.*.xdp.mode", SCHEMA_ENUM, FIELD(SCHEMA_IFACE, conf_iface, xdp_mode),
	  .words = xdp_words, .doc = "As router.xdp.mode, which is its default." },
	{ "interfaces.*.mtu", SCHEMA_UINT, FIELD(SCHEMA_IFACE, conf_iface, mtu), .min = 68,
	  .max = 65535, .doc = "Bytes; IPv6 needs 1280. Without it, as Linux has it." },
	{ "interfaces.*.on-failure", SCHEMA_ENUM, FIELD(SCHEMA_IFACE, conf_iface, fail_pass),
	  .words = failure_words,
	  .doc = "While no router serves it: drop (the default), or pass for Linux to forward, "
		 "without "
		 "filters. A VLAN is as its port is." },
	{ "interfaces.*.vrf", SCHEMA_NAME, FIELD(SCHEMA_IFACE, conf_iface, vrf),
	  .doc = "The VRF it is in." },
	{ "interfaces.*.rp-filter", SCHEMA_ENUM, "off", FIELD(SCHEMA_IFACE, conf_iface, rp_filter),
	  .words = rp_words,
	  .doc = "Which sources may come in here: strict, the best route back leads here; "
		 "feasible, "
		 "any route of the best prefix does; loose, there is a route at all; off (RFC "
		 "3704)." },
	{ "interfaces.*.rp-filter-default-route", SCHEMA_BOOL, "false",
	  FIELD(SCHEMA_IFACE, conf_iface, rp_default),
	  .doc = "To rp-filter: loose, a default route is a route, too." },
	{ "interfaces.*.mss-clamp", SCHEMA_UINT, FIELD(SCHEMA_IFACE, conf_iface, mss), .min = 216,
	  .max = 65495, .words = clamp_words,
	  .doc = "TCP that passes here, in either direction, announces no larger segments: pmtu, "
		 "as "
		 "the MTU of the way allows, or so many bytes." },
	{ "interfaces.*.redirects", SCHEMA_ENUM, "true",
	  FIELD(SCHEMA_IFACE, conf_iface, no_redirects), .words = truth_words,
	  .doc = "Tell hosts here of a better router on their link (ICMP redirect)." },
	{ "interfaces.*.directed-broadcast", SCHEMA_BOOL, "false",
	  FIELD(SCHEMA_IFACE, conf_iface, directed_broadcast),
	  .doc = "Send out here what comes from elsewhere for the broadcast address of its "
		 "subnet." },
	{ "interfaces.*.addresses", SCHEMA_LIST,
	  ARRAY(SCHEMA_IFACE, conf_iface, addresses, naddresses), .element = SCHEMA_IFACE_PREFIX,
	  .doc = "Addresses to set in Linux, each with its prefix length." },
	{ "interfaces.*.addresses[]", SCHEMA_PREFIX, .in = SCHEMA_IFACE_PREFIX,
	  .size = sizeof(struct prefix), .doc = "Like 10.0.0.1/24 or \"2001:db8::1/64\"." },

	{ "routing", SCHEMA_MAP, .doc = "Static routes and neighbours, installed into Linux." },
	{ "routing.martians", SCHEMA_ENUM, "drop",
	  FIELD(SCHEMA_CONF, conf, forwarding.martians_allowed), .words = martian_words,
	  .doc = "Addresses of 0.0.0.0/8 and 240.0.0.0/4; those of 127.0.0.0/8 are always "
		 "dropped." },
	{ "routing.source-route", SCHEMA_ENUM, "drop",
	  FIELD(SCHEMA_CONF, conf, forwarding.source_routes), .words = source_route_words,
	  .doc = "IPv4 packets with a source route (RFC 7126)." },
	{ "routing.multipath", SCHEMA_MAP, .doc = "The choice among several next hops." },
	{ "routing.multipath.hash", SCHEMA_ENUM, "l4", FIELD(SCHEMA_CONF, conf, forwarding.hash),
	  .words = multipath_words,
	  .doc = "By addresses, protocol and ports (l4), or addresses (l3)." },
	{ "routing.multipath.seed", SCHEMA_UINT, "0", FIELD(SCHEMA_CONF, conf, forwarding.seed),
	  .max = 0xffffffff, .doc = "The same seed makes the same choices; 0: another each boot." },
	{ "routing.icmp-errors", SCHEMA_MAP, .doc = "How many ICMP errors are sent." },
	{ "routing.icmp-errors.rate", SCHEMA_UINT, "1000",
	  FIELD(SCHEMA_CONF, conf, forwarding.icmp_rate), .min = 1, .max = 1000000,
	  .doc = "A second, in total." },
	{ "routing.icmp-errors.burst", SCHEMA_UINT, "50",
	  FIELD(SCHEMA_CONF, conf, forwarding.icmp_burst), .min = 1, .max = 1000000,
	  .doc = "At once." },
	{ "routing.icmp-errors.per-destination", SCHEMA_UINT, "1",
	  FIELD(SCHEMA_CONF, conf, forwarding.icmp_each), .min = 1, .max = 1000000,
	  .doc = "A second, to one destination; six at once." },
	{ "routing.routes", SCHEMA_LIST, ARRAY(SCHEMA_CONF, conf, routes, nroutes),
	  .element = SCHEMA_ROUTE, .doc = "Static routes." },
	{ "routing.routes[]", SCHEMA_MAP, .doc = "One route: to, and via, dev, nexthops or type." },
	{ "routing.routes[].to", SCHEMA_DESTINATION, FIELD(SCHEMA_ROUTE, conf_route, to),
	  .required = true, .doc = "A prefix, or default (IPv6's when the next hop is IPv6)." },
	{ "routing.routes[].type", SCHEMA_ENUM, "unicast", FIELD(SCHEMA_ROUTE, conf_route, type),
	  .words = route_words,
	  .doc = "What to do with packets it matches; only unicast has next hops." },
	{ "routing.routes[].via", SCHEMA_ADDRESS, FIELD(SCHEMA_NEXTHOP, conf_nexthop, via),
	  .doc = "The next router; IPv6 is allowed for an IPv4 route." },
	{ "routing.routes[].dev", SCHEMA_NETDEV, FIELD(SCHEMA_NEXTHOP, conf_nexthop, dev),
	  .doc = "The netdev to leave by. Without via: everything in the prefix is on that link." },
	{ "routing.routes[].hash", SCHEMA_ENUM, FIELD(SCHEMA_ROUTE, conf_route, hash),
	  .words = multipath_words,
	  .doc = "How one of several is chosen, as routing.multipath.hash, which is its default." },
	{ "routing.routes[].nexthops", SCHEMA_LIST,
	  ARRAY(SCHEMA_ROUTE, conf_route, nexthops, nnexthops), .max = CONF_NEXTHOPS_MAX,
	  .element = SCHEMA_NEXTHOP, .doc = "Several next hops to share flows between." },
	{ "routing.routes[].nexthops[]", SCHEMA_MAP, .doc = "One of several next hops." },
	{ "routing.routes[].nexthops[].via", SCHEMA_ADDRESS,
	  FIELD(SCHEMA_NEXTHOP, conf_nexthop, via), .doc = "The next router." },
	{ "routing.routes[].nexthops[].dev", SCHEMA_NETDEV,
	  FIELD(SCHEMA_NEXTHOP, conf_nexthop, dev), .doc = "The netdev to leave by." },
	{ "routing.routes[].nexthops[].weight", SCHEMA_UINT, "1",
	  FIELD(SCHEMA_NEXTHOP, conf_nexthop, weight), .min = 1, .max = 256,
	  .doc = "Its share of the flows, relative to the others'." },
	{ "routing.routes[].table", SCHEMA_TABLE, "main", FIELD(SCHEMA_ROUTE, conf_route, table),
	  .min = 1, .max = 0xffffffff, .words = table_words,
	  .doc = "The routing table: a number, or a name of routing.tables or vrfs." },
	{ "routing.routes[].metric", SCHEMA_UINT, "0", FIELD(SCHEMA_ROUTE, conf_route, metric),
	  .max = 0xffffffff, .doc = "The lowest wins among equal prefixes; 0 leaves it to Linux." },
	{ "routing.neighbours", SCHEMA_LIST, ARRAY(SCHEMA_CONF, conf, neighbours, nneighbours),
	  .element = SCHEMA_NEIGHBOUR, .doc = "Static neighbour entries." },
	{ "routing.neighbours[]", SCHEMA_MAP, .doc = "One neighbour." },
	{ "routing.neighbours[].dev", SCHEMA_NETDEV, FIELD(SCHEMA_NEIGHBOUR, conf_neighbour, dev),
	  .required = true, .doc = "The netdev it is on." },
	{ "routing.neighbours[].ip", SCHEMA_ADDRESS, FIELD(SCHEMA_NEIGHBOUR, conf_neighbour, ip),
	  .required = true, .doc = "Its address." },
	{ "routing.neighbours[].mac", SCHEMA_MAC, FIELD(SCHEMA_NEIGHBOUR, conf_neighbour, mac),
	  .required = true, .doc = "Its MAC address. Quote it." },
#include "config/schema_routing.inc"

	{ "sets", SCHEMA_NAMED, ARRAY(SCHEMA_CONF, conf, sets, nsets), .element = SCHEMA_SET,
	  .doc = "Named sets for rules to look into, as \"@name\"." },
	{ "sets.*", SCHEMA_MAP, .doc = "One set." },
	{ "sets.*.type", SCHEMA_WORDS, ARRAY(SCHEMA_SET, conf_set, type, ntypes), .required = true,
	  .words = type_words,
	  .doc = "What its elements are: one type, or a list for combinations." },
	{ "sets.*.size", SCHEMA_UINT, "65536", FIELD(SCHEMA_SET, conf_set, size), .min = 1,
	  .max = 1u << 20, .doc = "Elements it can hold." },
	{ "sets.*.timeout", SCHEMA_DURATION, FIELD(SCHEMA_SET, conf_set, timeout_s),
	  .doc = "How long an element stays; without it, for ever." },
	{ "sets.*.elements", SCHEMA_LIST, ARRAY(SCHEMA_SET, conf_set, elements, nelements),
	  .element = SCHEMA_SET_ELEMENT, .max = 1u << 20,
	  .doc = "The elements it has from the beginning." },
	{ "sets.*.elements[]", SCHEMA_ELEMENT, .in = SCHEMA_SET_ELEMENT,
	  .size = sizeof(struct conf_element), .map_too = true,
	  .doc = "Like 10.0.0.1, 80, or a combination [10.0.0.1, 80] or \"10.0.0.1 . 80\"." },
	{ "sets.*.elements[].element", SCHEMA_ELEMENT, .in = SCHEMA_SET_ELEMENT,
	  .size = sizeof(struct conf_element), .required = true, .doc = "The element itself." },
	{ "sets.*.elements[].timeout", SCHEMA_DURATION,
	  FIELD(SCHEMA_SET_ELEMENT, conf_element, timeout_s), .doc = "How long this one stays." },

	{ "zones", SCHEMA_NAMED, ARRAY(SCHEMA_CONF, conf, zones, nzones), .element = SCHEMA_ZONE,
	  .doc = "Interfaces that are trusted alike, and who may talk to whom." },
	{ "zones.*", SCHEMA_MAP, .doc = "One zone." },
	{ "zones.*.interfaces", SCHEMA_NAME_LIST,
	  ARRAY(SCHEMA_ZONE, conf_zone, interfaces.names, interfaces.nnames), .empty_too = true,
	  .doc = "Its interfaces." },
	{ "zones.*.input", SCHEMA_ENUM, "accept", FIELD(SCHEMA_ZONE, conf_zone, input_drop),
	  .words = verdict_words,
	  .doc = "May it open connections to the router itself? drop lets in only replies, and "
		 "IPv6's neighbour discovery." },
	{ "zones.*.forward-to", SCHEMA_NAME_LIST,
	  ARRAY(SCHEMA_ZONE, conf_zone, forward_to, nforward_to), .empty_too = true,
	  .doc = "The zones it may open connections to." },

	{ "filter", SCHEMA_NAMED, ARRAY(SCHEMA_CONF, conf, chains, nchains),
	  .element = SCHEMA_CHAIN, .doc = "Chains of filter rules." },
	{ "filter.*", SCHEMA_MAP, .doc = "One chain; without a hook it is only jumped to." },
	{ "filter.*.hook", SCHEMA_ENUM, FIELD(SCHEMA_CHAIN, conf_chain, hook), .words = hook_words,
	  .doc = "Where on a packet's way it stands; netfilter's names." },
	{ "filter.*.priority", SCHEMA_PRIORITY, "filter", FIELD(SCHEMA_CHAIN, conf_chain, priority),
	  .words = priority_words,
	  .doc = "Its place among the chains of a hook: a name, a number, or like filter+10." },
	{ "filter.*.policy", SCHEMA_ENUM, "accept", FIELD(SCHEMA_CHAIN, conf_chain, drop),
	  .words = verdict_words, .doc = "What happens to packets no rule decides about." },
	{ "filter.*.rules", SCHEMA_LIST, ARRAY(SCHEMA_CHAIN, conf_chain, rules, nrules),
	  .element = SCHEMA_RULE, .doc = "Its rules, in order." },
	{ "filter.*.rules[]", SCHEMA_MAP,
	  .doc = "One rule: all that it matches must hold, then its actions are done." },
	{ "filter.*.rules[].name", SCHEMA_LABEL, FIELD(SCHEMA_RULE, conf_rule, name),
	  .doc = "What it is called in messages and counters." },
	IN_ROW("filter.*.rules[]"),
	OUT_ROW("filter.*.rules[]"),
	FROM_ROW("filter.*.rules[]", "from"),
	TO_ROW("filter.*.rules[]", "to"),
	MATCH_ROWS("filter.*.rules[]"),
	{ "filter.*.rules[].action", SCHEMA_LIST, ARRAY(SCHEMA_RULE, conf_rule, actions, nactions),
	  .element = SCHEMA_ACTION, .single_too = true, .max = 16,
	  .doc = "What to do, one or a list; only the last may decide about the packet." },
	{ "filter.*.rules[].action[]", SCHEMA_ENUM, FIELD(SCHEMA_ACTION, conf_action, act),
	  .words = act_words, .map_too = true, .doc = "A word, or one of the keys below." },
	{ "filter.*.rules[].action[].reject", SCHEMA_ENUM, FIELD(SCHEMA_ACTION, conf_action, value),
	  .words = reject_words, .says = act_is, .act = CONF_ACT_REJECT,
	  .doc = "Drop it, and tell the sender this." },
	{ "filter.*.rules[].action[].jump", SCHEMA_NAME, FIELD(SCHEMA_ACTION, conf_action, name),
	  .says = act_is, .act = CONF_ACT_JUMP,
	  .doc = "Go through this chain, and come back if it does not decide." },
	{ "filter.*.rules[].action[].set-mark", SCHEMA_MARK,
	  FIELD(SCHEMA_ACTION, conf_action, value), .says = act_is, .act = CONF_ACT_SET_MARK,
	  .doc = "Set the packet's mark, 0x20, or some of its bits, 0x20/0xff." },
	{ "filter.*.rules[].action[].set-dscp", SCHEMA_UINT,
	  FIELD(SCHEMA_ACTION, conf_action, value), .max = 63, .words = dscp_words, .says = act_is,
	  .act = CONF_ACT_SET_DSCP, .doc = "Set the DSCP." },
	{ "filter.*.rules[].action[].mss-clamp", SCHEMA_UINT,
	  FIELD(SCHEMA_ACTION, conf_action, value), .min = 216, .max = 65495, .words = pmtu_words,
	  .says = act_is, .act = CONF_ACT_MSS_CLAMP,
	  .doc = "Lower the MSS of TCP connections to this, or to what the path's MTU allows." },
	{ "filter.*.rules[].action[].add-to", SCHEMA_NAME, FIELD(SCHEMA_ACTION, conf_action, name),
	  .says = act_is, .act = CONF_ACT_ADD_TO,
	  .doc = "Add the source address, or the key, to this set." },
	{ "filter.*.rules[].action[].key", SCHEMA_WORDS,
	  ARRAY(SCHEMA_ACTION, conf_action, key, nkey), .words = key_words,
	  .doc = "Of add-to: the fields to add." },
	{ "filter.*.rules[].log", SCHEMA_BOOL, "false", FIELD(SCHEMA_RULE, conf_rule, log.used),
	  .map_too = true, .doc = "Write packets that match to the log." },
	{ "filter.*.rules[].log.limit", SCHEMA_RATE, "10/s",
	  FIELD(SCHEMA_RULE, conf_rule, log.count), .doc = "At most so many lines." },
	{ "filter.*.rules[].log.prefix", SCHEMA_LABEL, FIELD(SCHEMA_RULE, conf_rule, log.prefix),
	  .doc = "What such a line begins with." },

	{ "nat", SCHEMA_MAP,
	  .doc = "Network address translation; the first rule that matches wins." },
	{ "nat.source", SCHEMA_LIST, ARRAY(SCHEMA_CONF, conf, nat_source, nnat_source),
	  .element = SCHEMA_NAT_SOURCE, .doc = "Translation of sources, behind postrouting." },
	{ "nat.source[]", SCHEMA_MAP, .doc = "One rule: action or pool, and what it matches." },
	{ "nat.source[].name", SCHEMA_LABEL, FIELD(SCHEMA_NAT_SOURCE, conf_nat, name),
	  .doc = "What it is called." },
	OUT_ROW("nat.source[]"),
	FROM_ROW("nat.source[]", "from"),
	TO_ROW("nat.source[]", "to"),
	MATCH_ROWS("nat.source[]"),
	{ "nat.source[].action", SCHEMA_ENUM, FIELD(SCHEMA_NAT_SOURCE, conf_nat, kind),
	  .words = source_nat_words,
	  .doc = "masquerade takes the address of the interface it leaves by; snat, the default "
		 "with a pool, one of the pool; none leaves it as it is." },
	{ "nat.source[].pool", SCHEMA_RANGES, ARRAY(SCHEMA_NAT_SOURCE, conf_nat, pool, npool),
	  .doc = "Outside addresses: one, a range, a prefix, or a list." },
	{ "nat.source[].ports", SCHEMA_PORT_RANGE, FIELD(SCHEMA_NAT_SOURCE, conf_nat, ports),
	  .doc = "Outside ports; without it, 1024-65535, and below that for ports below it." },
	{ "nat.source[].persistent", SCHEMA_BOOL, "false",
	  FIELD(SCHEMA_NAT_SOURCE, conf_nat, persistent),
	  .doc = "The same outside address for a source, always." },
	{ "nat.source[].mapping", SCHEMA_ENUM, "eim", FIELD(SCHEMA_NAT_SOURCE, conf_nat, mapping),
	  .words = mapping_words,
	  .doc = "Is one outside port used to all (eim), to an address (adm), or to an address "
		 "and port (apdm)?" },
	{ "nat.source[].filtering", SCHEMA_ENUM, "apdf",
	  FIELD(SCHEMA_NAT_SOURCE, conf_nat, filtering), .words = filtering_words,
	  .doc = "Who may send to it: all (eif), addresses it sent to (adf), and only from the "
		 "port "
		 "it sent to (apdf)." },
	{ "nat.source[].parity", SCHEMA_BOOL, "true", FIELD(SCHEMA_NAT_SOURCE, conf_nat, no_parity),
	  .inverted = true, .doc = "Even ports stay even, odd ones odd (UDP)." },
	{ "nat.source[].random", SCHEMA_BOOL, "true",
	  FIELD(SCHEMA_NAT_SOURCE, conf_nat, sequential), .inverted = true,
	  .doc = "Pick ports at random; false keeps the port if it is free, else takes the next." },
	{ "nat.destination", SCHEMA_LIST,
	  ARRAY(SCHEMA_CONF, conf, nat_destination, nnat_destination),
	  .element = SCHEMA_NAT_DESTINATION,
	  .doc = "Translation of destinations, port forwarding, in prerouting." },
	{ "nat.destination[]", SCHEMA_MAP, .doc = "One rule: to, and what it matches." },
	{ "nat.destination[].name", SCHEMA_LABEL, FIELD(SCHEMA_NAT_DESTINATION, conf_nat, name),
	  .doc = "What it is called." },
	IN_ROW("nat.destination[]"),
	FROM_ROW("nat.destination[]", "from"),
	TO_ROW("nat.destination[]", "address"),
	MATCH_ROWS("nat.destination[]"),
	{ "nat.destination[].action", SCHEMA_ENUM, "dnat",
	  FIELD(SCHEMA_NAT_DESTINATION, conf_nat, kind), .words = destination_nat_words,
	  .doc = "dnat sends it to `to`, redirect to the router itself, by in, proto, dport and "
		 "family only; none leaves it as it is." },
	{ "nat.destination[].to", SCHEMA_RANGES,
	  ARRAY(SCHEMA_NAT_DESTINATION, conf_nat, pool, npool),
	  .doc = "The target: an address, or several to share flows between." },
	{ "nat.destination[].to-port", SCHEMA_PORT_RANGE,
	  FIELD(SCHEMA_NAT_DESTINATION, conf_nat, ports),
	  .doc = "The target's port, or a range as long as dport's; without it, the same port." },
	{ "nat.destination[].hairpin", SCHEMA_BOOL, "false",
	  FIELD(SCHEMA_NAT_DESTINATION, conf_nat, hairpin),
	  .doc = "Also for clients inside, who address the outside address." },
	{ "nat.static", SCHEMA_LIST, ARRAY(SCHEMA_CONF, conf, nat_static, nnat_static),
	  .element = SCHEMA_NAT_STATIC,
	  .doc = "One outside address for one inside, in both directions, ports unchanged." },
	{ "nat.static[]", SCHEMA_MAP, .doc = "One pair of addresses, or of prefixes." },
	{ "nat.static[].name", SCHEMA_LABEL, FIELD(SCHEMA_NAT_STATIC, conf_nat, name),
	  .doc = "What it is called." },
	{ "nat.static[].external", SCHEMA_NETWORK, FIELD(SCHEMA_NAT_STATIC, conf_nat, external),
	  .required = true, .doc = "The outside address or prefix." },
	{ "nat.static[].internal", SCHEMA_NETWORK, FIELD(SCHEMA_NAT_STATIC, conf_nat, internal),
	  .required = true, .doc = "The inside address, or a prefix of the same length." },
	IN_ROW("nat.static[]"),
	{ "nat.static[].hairpin", SCHEMA_BOOL, "true", FIELD(SCHEMA_NAT_STATIC, conf_nat, hairpin),
	  .doc = "Also for clients inside, who address the outside address." },

	{ "conntrack", SCHEMA_MAP,
	  .doc = "Connection tracking. It is on when this key, a NAT rule, a "
		 "zone or a filter chain on the way of forwarded packets "
		 "stands in the file." },
	{ "conntrack.max", SCHEMA_UINT, "1000000", FIELD(SCHEMA_CONNTRACK, conf_conntrack, max),
	  .min = 1024, .max = 100000000, .doc = "Flows at once." },
	{ "conntrack.profile", SCHEMA_ENUM, "rfc",
	  FIELD(SCHEMA_CONNTRACK, conf_conntrack, linux_profile), .words = profile_words,
	  .doc = "Timeouts as the RFCs on NAT demand, or as Linux has them." },
	{ "conntrack.when-full", SCHEMA_ENUM, "early-drop",
	  FIELD(SCHEMA_CONNTRACK, conf_conntrack, drop_new), .words = full_words,
	  .doc = "Forget a flow that is not assured, or drop what would begin a new one." },
	{ "conntrack.per-source-max", SCHEMA_UINT, "0",
	  FIELD(SCHEMA_CONNTRACK, conf_conntrack, per_source_max), .max = 100000000,
	  .doc = "Flows a source may have; 0 is no limit." },
	{ "conntrack.per-zone-max", SCHEMA_UINT, "0",
	  FIELD(SCHEMA_CONNTRACK, conf_conntrack, per_zone_max), .max = 100000000,
	  .doc = "Flows that may begin in one zone; 0 is no limit." },
	{ "conntrack.tcp-loose", SCHEMA_BOOL, "true",
	  FIELD(SCHEMA_CONNTRACK, conf_conntrack, loose),
	  .doc = "Pick up connections whose beginning was not seen." },
	{ "conntrack.tcp-liberal", SCHEMA_BOOL, "false",
	  FIELD(SCHEMA_CONNTRACK, conf_conntrack, liberal),
	  .doc = "Let segments outside the window pass." },
	{ "conntrack.tcp-revive", SCHEMA_BOOL, FIELD(SCHEMA_CONNTRACK, conf_conntrack, revive),
	  .doc = "Keep a flow whose RST was answered by more segments (RFC 7857); by default the "
		 "profile rfc does." },
	{ "conntrack.tcp-max-retrans", SCHEMA_UINT, "3",
	  FIELD(SCHEMA_CONNTRACK, conf_conntrack, max_retrans), .min = 1, .max = 255,
	  .doc = "Retransmissions after which tcp-max-retrans bounds the timeout." },
	{ "conntrack.checksum", SCHEMA_BOOL, "true",
	  FIELD(SCHEMA_CONNTRACK, conf_conntrack, checksum),
	  .doc = "A packet with a wrong checksum is invalid." },
	{ "conntrack.refresh", SCHEMA_ENUM, "both",
	  FIELD(SCHEMA_CONNTRACK, conf_conntrack, outbound_refresh), .words = refresh_words,
	  .doc = "Which packets keep a flow alive: all, or only those of who began it." },
	{ "conntrack.fragments", SCHEMA_UINT, "4096",
	  FIELD(SCHEMA_CONNTRACK, conf_conntrack, fragments), .min = 1, .max = 1u << 20,
	  .doc = "Datagrams that may wait for fragments at once." },
	{ "conntrack.fragments-per-source", SCHEMA_UINT, "64",
	  FIELD(SCHEMA_CONNTRACK, conf_conntrack, fragments_per_source), .min = 1, .max = 1u << 20,
	  .doc = "Of these, how many from one source." },
	{ "conntrack.timeouts", SCHEMA_MAP,
	  .doc = "How long a flow lives without packets; by default as the profile says." },
#define X(id, key, rfc, linux)                                                                     \
	{ "conntrack.timeouts." key, SCHEMA_DURATION,                                              \
	  FIELD(SCHEMA_CONNTRACK, conf_conntrack, timeout[CONF_TIMEOUT_##id]),                     \
	  .doc = "By default " #rfc "s with profile rfc, " #linux "s with linux." },
	CONF_CT_TIMEOUTS(X)
#undef X

#include "config/schema_qos.inc"

		{ "stats", SCHEMA_MAP, .doc = "Asking the router how it is." },
	{ "stats.socket", SCHEMA_MAP, .doc = "The control socket, for root and a group." },
	{ "stats.socket.path", SCHEMA_PATH, FIELD(SCHEMA_CONF, conf, stats.socket.path),
	  .doc = "Where it is; by default router.sock in the run directory." },
	{ "stats.socket.mode", SCHEMA_MODE, "0660", FIELD(SCHEMA_CONF, conf, stats.socket.mode),
	  .doc = "Its permissions. Quote it." },
	{ "stats.socket.group", SCHEMA_GROUP, FIELD(SCHEMA_CONF, conf, stats.socket.group),
	  .doc = "Its group, whose members may change things; by default the daemon's." },
	{ "stats.read-only-socket", SCHEMA_MAP, .doc = "A socket that only shows." },
	{ "stats.read-only-socket.path", SCHEMA_PATH,
	  FIELD(SCHEMA_CONF, conf, stats.read_only_socket.path),
	  .doc = "Where it is; by default stats.sock in the run directory." },
	{ "stats.read-only-socket.mode", SCHEMA_MODE, "0666",
	  FIELD(SCHEMA_CONF, conf, stats.read_only_socket.mode),
	  .doc = "Its permissions. Quote it." },
	{ "stats.read-only-socket.group", SCHEMA_GROUP,
	  FIELD(SCHEMA_CONF, conf, stats.read_only_socket.group), .doc = "Its group." },
	{ "stats.log", SCHEMA_MAP, .doc = "What the daemon writes to its log." },
	{ "stats.log.level", SCHEMA_ENUM, "info", FIELD(SCHEMA_CONF, conf, stats.log_level),
	  .words = level_words, .doc = "The least important messages to write." },
};
const unsigned schema_nrows = sizeof(schema_rows) / sizeof(schema_rows[0]);
