// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * THE table of keys. Rows stand in the order in which conf_print() writes them; a container stands
 * before what it contains. Nothing here runs but lookups: values are read and written by value.c,
 * the walk over a file is bind.c's.
 */
#include "config/schema.h"

#include <assert.h>
#include <string.h>

#include "config/conf.h"
#include "router/lib/log.h"

static_assert(sizeof(enum conf_poll) == sizeof(unsigned), "enums are stored as unsigned");

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
static const struct schema_word follow_words[] = { { "follow", 0 }, { NULL, 0 } };
static const struct schema_word kernel_words[] = { { "kernel", 0 }, { NULL, 0 } };
static const struct schema_word auto_words[] = { { "auto", 0 }, { NULL, 0 } };
static const struct schema_word frames_words[] = { { "auto", 0 }, { "0", 0 }, { NULL, 0 } };

/* Where a value goes; where a list goes. (Names of types and members: no function can take them.)
 */
#define FIELD(record, type, member)                                                                \
	.in = (record), .at = offsetof(struct type, member),                                       \
	.size = sizeof(((struct type *)0)->member)
#define ARRAY(record, type, pointer, counter)                                                      \
	.in = (record), .at = offsetof(struct type, pointer),                                      \
	.size = sizeof(*((struct type *)0)->pointer), .count_at = offsetof(struct type, counter)

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
	{ "router.workers.cpus", SCHEMA_CPUS, FIELD(SCHEMA_CONF, conf, workers.cpus), .max = 4095,
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
	{ "interfaces.*.addresses", SCHEMA_LIST,
	  ARRAY(SCHEMA_IFACE, conf_iface, addresses, naddresses), .element = SCHEMA_IFACE_PREFIX,
	  .doc = "Addresses to set in Linux, each with its prefix length." },
	{ "interfaces.*.addresses[]", SCHEMA_PREFIX, .in = SCHEMA_IFACE_PREFIX,
	  .size = sizeof(struct prefix), .doc = "Like 10.0.0.1/24 or \"2001:db8::1/64\"." },

	{ "routing", SCHEMA_MAP, .doc = "Static routes and neighbours, installed into Linux." },
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
	{ "routing.routes[].table", SCHEMA_UINT, "main", FIELD(SCHEMA_ROUTE, conf_route, table),
	  .min = 1, .max = 0xffffffff, .words = table_words, .doc = "The routing table." },
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

const struct schema_row *schema_find(const char *path)
{
	for (unsigned i = 0; i < schema_nrows; i++)
		if (!strcmp(schema_rows[i].path, path))
			return &schema_rows[i];
	return NULL;
}

const char *schema_key_under(const struct schema_row *row, const struct schema_row *parent)
{
	size_t n = strlen(parent->path);
	const char *rest = row->path + n;

	if (row == parent || strncmp(row->path, parent->path, n))
		return NULL;
	if (n > 0 && *rest++ != '.')
		return NULL;
	return *rest && !strpbrk(rest, ".[*") ? rest : NULL;
}

const struct schema_row *schema_child(const struct schema_row *parent, const char *key)
{
	for (unsigned i = 0; i < schema_nrows; i++) {
		const char *name = schema_key_under(&schema_rows[i], parent);
		if (name && !strcmp(name, key))
			return &schema_rows[i];
	}
	return NULL;
}

const struct schema_row *schema_element(const struct schema_row *container)
{
	char path[64];

	snprintf(path, sizeof(path), "%s%s", container->path,
		 container->type == SCHEMA_NAMED ? ".*" : "[]");
	const struct schema_row *element = schema_find(path);
	assert(element);
	return element;
}

char *schema_words(const struct schema_row *row, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (const struct schema_word *w = row->words; w && w->word && used < size; w++) {
		const char *joint = w == row->words ? "" : w[1].word ? ", " : " or ";
		used += (size_t)snprintf(buf + used, size - used, "%s%s", joint, w->word);
	}
	return buf;
}
