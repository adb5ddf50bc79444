/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration as plain data: what the YAML file says after parsing, defaults and checks. It
 * holds no descriptor and no pointer into the running router; conf_load() makes it, conf_destroy()
 * frees all of it. [control]
 */
#ifndef CONFIG_CONF_H
#define CONFIG_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <net/if.h>

#include "config/conf_match.h"
#include "config/conf_qos.h"
#include "router/lib/addr.h"

enum conf_poll { CONF_POLL_ADAPTIVE, CONF_POLL_BUSY };
enum conf_hugepages { CONF_HUGEPAGES_PREFER, CONF_HUGEPAGES_REQUIRE, CONF_HUGEPAGES_OFF };
enum conf_xdp_mode {
	CONF_XDP_DEFAULT, /* interfaces only: as router.xdp.mode says */
	CONF_XDP_BEST_EFFORT,
	CONF_XDP_ZERO_COPY,
	CONF_XDP_COPY,
	CONF_XDP_GENERIC,
};
enum conf_rp_filter { CONF_RP_OFF, CONF_RP_STRICT, CONF_RP_LOOSE, CONF_RP_FEASIBLE };
enum conf_hash {
	CONF_HASH_DEFAULT, /* routes only: as routing.multipath.hash says */
	CONF_HASH_L4,
	CONF_HASH_L3,
};
enum conf_route_type {
	CONF_ROUTE_UNICAST,
	CONF_ROUTE_BLACKHOLE,
	CONF_ROUTE_UNREACHABLE,
	CONF_ROUTE_PROHIBIT,
};

#define CONF_CPUS_MAX	  64
#define CONF_MSS_PMTU	  UINT16_MAX
#define CONF_NEXTHOPS_MAX 64

struct conf_iface {
	char name[64];	       /* the key in the file */
	char netdev[IFNAMSIZ]; /* the netdev to own: match.name, else the key; "" with match.mac */
	bool has_mac;	       /* match.mac: find the netdev by its MAC address */
	uint8_t mac[6];
	unsigned queues; /* 0: auto, all the device has */
	enum conf_xdp_mode xdp_mode;
	unsigned mtu;	     /* 0: leave as Linux has it */
	bool fail_pass;	     /* on-failure: pass */
	char vrf[CONF_NAME]; /* "": none */
	bool vrf_refused;    /* Linux would not have it there, and that was said */
	enum conf_rp_filter rp_filter;
	bool rp_default;   /* a default route, too, makes any source good to rp-filter: loose */
	unsigned mss;	   /* mss-clamp: 0: none; CONF_MSS_PMTU */
	bool no_redirects; /* redirects: false */
	bool directed_broadcast;  /* sent out here, by packets from elsewhere */
	struct prefix *addresses; /* host bits kept */
	unsigned naddresses;
	unsigned line; /* of the key, for messages */
};

struct conf_nexthop {
	struct addr via;    /* family 0: none */
	char dev[IFNAMSIZ]; /* "": Linux finds it */
	unsigned weight;    /* 1 .. 256 */
};

struct conf_route {
	struct prefix to; /* "default" is 0.0.0.0/0, or ::/0 when the next hop is IPv6 */
	uint32_t table;	  /* 254: main */
	uint32_t metric;  /* 0: Linux's default */
	enum conf_hash hash;
	enum conf_route_type type;
	struct conf_nexthop *nexthops;
	unsigned nnexthops;
	unsigned line;
	bool refused; /* Linux would not take it, and that was said */
};

/* A name of a routing table: of routing.tables, or of vrfs. */
struct conf_table {
	char name[CONF_NAME];
	uint32_t table;
	unsigned line;
	bool refused; /* a VRF: it is not to be had, and that was said */
};

enum conf_policy_type {
	CONF_POLICY_TABLE,
	CONF_POLICY_BLACKHOLE,
	CONF_POLICY_UNREACHABLE,
	CONF_POLICY_PROHIBIT,
};

/* A rule of routing.rules: which table a packet is looked up in, as `ip rule` has it. */
struct conf_policy {
	uint32_t priority;
	bool invert;		/* not: true */
	uint8_t family;		/* AF_INET, AF_INET6; 0: of both */
	struct prefix from, to; /* family 0: any */
	char in[IFNAMSIZ];	/* "": any */
	uint32_t mark, mark_mask;
	bool has_dscp;
	uint8_t dscp;
	uint8_t proto;			     /* 0: any */
	struct conf_port_range sport, dport; /* 0-0: any */
	enum conf_policy_type type;
	uint32_t table;
	int suppress; /* suppress-prefix-length: routes of up to so many bits do not count; -1 */
	unsigned line;
	bool refused[2]; /* of IPv4, of IPv6: Linux would not take it, and that was said */
};

struct conf_neighbour {
	char dev[IFNAMSIZ];
	struct addr ip;
	uint8_t mac[6];
	unsigned line;
};

/* ---- filter */

enum conf_hook {
	CONF_HOOK_NONE, /* only jumped to */
	CONF_HOOK_PREROUTING,
	CONF_HOOK_INPUT,
	CONF_HOOK_FORWARD,
	CONF_HOOK_OUTPUT,
	CONF_HOOK_POSTROUTING,
};

/* netfilter's priorities */
#define CONF_PRIO_RAW	 (-300)
#define CONF_PRIO_MANGLE (-150)
#define CONF_PRIO_DSTNAT (-100)
#define CONF_PRIO_FILTER 0
#define CONF_PRIO_ZONES	 10
#define CONF_PRIO_SRCNAT 100

enum conf_act {
	CONF_ACT_ACCEPT,
	CONF_ACT_DROP,
	CONF_ACT_REJECT, /* value: enum conf_reject */
	CONF_ACT_JUMP,	 /* name: a chain */
	CONF_ACT_RETURN,
	CONF_ACT_SET_MARK,  /* value, mask: mark = (mark & ~mask) | value */
	CONF_ACT_SAVE_MARK, /* the packet's into the flow's */
	CONF_ACT_RESTORE_MARK,
	CONF_ACT_SET_DSCP,  /* value */
	CONF_ACT_MSS_CLAMP, /* value; 0: pmtu */
	CONF_ACT_NOTRACK,
	CONF_ACT_COUNT,
	CONF_ACT_ADD_TO, /* name: a set, which gets the source address (of a concatenation: key) */
};

enum conf_reject {
	CONF_REJECT_DEFAULT, /* RST for TCP, else port unreachable */
	CONF_REJECT_RESET,
	CONF_REJECT_PORT,
	CONF_REJECT_HOST,
	CONF_REJECT_NET,
	CONF_REJECT_PROHIBITED,
};

struct conf_action {
	enum conf_act act;
	uint32_t value, mask;
	char name[CONF_NAME];
	enum conf_source key[CONF_FIELDS_MAX]; /* add-to: `{add-to: pairs, key: [from, dport]}` */
	unsigned nkey;
};

struct conf_log {
	bool used;
	uint32_t count, period_ms; /* at most so many lines; without limit: 10/s */
	char prefix[CONF_NAME];
};

struct conf_rule {
	char name[CONF_NAME]; /* "": none was given */
	struct conf_match match;
	struct conf_action *actions; /* in order; none: it only counts */
	unsigned nactions;
	struct conf_log log;
	unsigned line;
	char file[CONF_NAME]; /* the tail of the file's name */
};

struct conf_chain {
	char name[CONF_NAME];
	enum conf_hook hook;
	int priority;
	bool drop; /* policy */
	struct conf_rule *rules;
	unsigned nrules;
	unsigned line;
	bool from_zones; /* made by conf_zones_expand() */
};

/* ---- sets and zones */

struct conf_element {
	/* of each field: an address is a range of one; ports, protocols, marks in `low`, `high`,
	 * host order; interfaces by name */
	struct conf_element_field {
		struct addr first, last;
		uint32_t low, high;
		char name[IFNAMSIZ];
	} field[CONF_FIELDS_MAX];
	uint32_t timeout_s; /* 0: the set's */
};

struct conf_set {
	char name[CONF_NAME];
	enum conf_field type[CONF_FIELDS_MAX]; /* `type: address`, `type: [address, port]` */
	unsigned ntypes;
	uint32_t size;	    /* elements at most; default 65536, up to 1 M */
	uint32_t timeout_s; /* of elements without their own; 0: they stay */
	struct conf_element *elements;
	unsigned nelements;
	unsigned line;
};

struct conf_zone {
	char name[CONF_NAME];
	struct conf_names interfaces;
	bool input_drop;
	char (*forward_to)[CONF_NAME]; /* zones */
	unsigned nforward_to;
	unsigned line;
};

/* ---- NAT */

enum conf_nat_kind {
	CONF_NAT_NONE,	     /* action: none: an exception */
	CONF_NAT_MASQUERADE, /* the address of the interface it leaves by */
	CONF_NAT_POOL,	     /* `pool:`, also `to:` of action: snat */
	CONF_NAT_DESTINATION,
	CONF_NAT_REDIRECT, /* action: redirect: to the router's own address on the interface it
			      came in by, and to Linux */
	CONF_NAT_STATIC,
};
enum conf_mapping { CONF_MAPPING_EIM, CONF_MAPPING_ADM, CONF_MAPPING_APDM };
enum conf_filtering { CONF_FILTERING_EIF, CONF_FILTERING_ADF, CONF_FILTERING_APDF };

/* A rule of nat.source, nat.destination or nat.static. `to` of a destination rule is its target,
 * so what such a rule matches as destination is `match.to`, written as `address:`; without it, any
 * address of the router on the interfaces of `in`. */
struct conf_nat {
	char name[CONF_NAME];
	enum conf_nat_kind kind;
	struct conf_match match;
	struct conf_range *pool; /* source: outside addresses; destination: targets */
	unsigned npool;
	struct conf_port_range ports; /* source: outside ports, 0-0: 1024-65535 and classes of X1;
					 destination: `to-port`, 0-0: unchanged */
	bool persistent; /* one outside address for a source, across flows and restarts */
	bool hairpin;	 /* destination and static: also from inside */
	bool no_parity, sequential; /* source: `parity: false`, `random: false` (keep, else next) */
	enum conf_mapping mapping;
	enum conf_filtering filtering;
	struct prefix external, internal; /* static: of one length */
	unsigned line;
	char file[CONF_NAME];
};

/* ---- connection tracking */

#define CONF_CT_TIMEOUTS(X)                                                                        \
	/* ENUM, key, rfc, linux: seconds */                                                       \
	X(TCP_SYN_SENT, "tcp-syn-sent", 240, 120)                                                  \
	X(TCP_SYN_RECV, "tcp-syn-recv", 240, 60)                                                   \
	X(TCP_ESTABLISHED, "tcp-established", 7440, 432000)                                        \
	X(TCP_FIN_WAIT, "tcp-fin-wait", 240, 120)                                                  \
	X(TCP_CLOSE_WAIT, "tcp-close-wait", 240, 60)                                               \
	X(TCP_LAST_ACK, "tcp-last-ack", 240, 30)                                                   \
	X(TCP_TIME_WAIT, "tcp-time-wait", 240, 120)                                                \
	X(TCP_CLOSE, "tcp-close", 240, 10)                                                         \
	X(TCP_SYN_SENT2, "tcp-syn-sent2", 240, 120)                                                \
	X(TCP_MAX_RETRANS, "tcp-max-retrans", 300, 300)                                            \
	X(TCP_UNACKNOWLEDGED, "tcp-unacknowledged", 300, 300)                                      \
	X(UDP, "udp", 300, 30)                                                                     \
	X(UDP_STREAM, "udp-stream", 300, 120)                                                      \
	X(ICMP, "icmp", 60, 30)                                                                    \
	X(GRE, "gre", 30, 30)                                                                      \
	X(GRE_STREAM, "gre-stream", 180, 180)                                                      \
	X(SCTP, "sctp", 240, 30)                                                                   \
	X(SCTP_ESTABLISHED, "sctp-established", 7440, 210)                                         \
	X(GENERIC, "generic", 600, 600)                                                            \
	X(FRAGMENT, "fragment", 30, 30)

enum conf_ct_timeout {
#define X(id, key, rfc, linux) CONF_TIMEOUT_##id,
	CONF_CT_TIMEOUTS(X)
#undef X
		CONF_TIMEOUTS
};

struct conf_conntrack {
	bool enabled; /* `conntrack:` stands in the file, or something needs it */
	uint32_t max; /* 1,000,000 */
	bool linux_profile;
	bool drop_new;					 /* when-full: drop-new */
	uint32_t per_source_max, per_zone_max;		 /* 0: no limit */
	bool loose, liberal, checksum, outbound_refresh; /* tcp-loose, tcp-liberal, checksum,
							    refresh: both | outbound */
	bool revive; /* tcp-revive: RFC 7857 2.3; the profile's unless given */
	uint8_t max_retrans;
	uint32_t timeout[CONF_TIMEOUTS]; /* seconds; filled from the profile where not given */
	uint32_t fragments;		 /* datagrams under reassembly at once: 4096 */
	uint32_t fragments_per_source;	 /* 64 */
};

struct conf_socket {
	char path[108]; /* "": the default in the run directory */
	unsigned mode;
	char group[32]; /* "": leave */
};

struct conf {
	struct {
		unsigned cpus[CONF_CPUS_MAX]; /* one worker pinned to each; none: one worker a CPU,
						 unpinned */
		unsigned ncpus;
		unsigned count; /* workers.count: so many workers, unpinned; 0: not given */
		enum conf_poll poll;
	} workers;
	struct {
		unsigned frames;     /* 0: sized from ports and rings */
		unsigned frame_size; /* 2048 or 4096 */
		enum conf_hugepages hugepages;
	} memory;
	struct {
		enum conf_xdp_mode mode;
		unsigned ring_size; /* rx, tx, fill and completion ring of each queue; power of two
				     */
		unsigned busy_poll_usecs; /* 0: off */
		unsigned busy_poll_budget;
		bool replace; /* replace a foreign XDP program instead of refusing the port */
	} xdp;
	struct conf_iface *ifaces;
	unsigned nifaces;
	struct conf_route *routes;
	unsigned nroutes;
	struct conf_neighbour *neighbours;
	unsigned nneighbours;
	struct conf_policy *policies; /* routing.rules */
	unsigned npolicies;
	struct conf_table *tables, *vrfs;
	unsigned ntables, nvrfs;
	struct {
		bool martians_allowed; /* routing.martians: allow */
		bool source_routes;    /* routing.source-route: forward */
		enum conf_hash hash;   /* routing.multipath.hash */
		uint32_t seed;	       /* routing.multipath.seed; 0: another each boot */
		/* routing.icmp-errors: so many a second, at once, and a second to each destination
		 */
		unsigned icmp_rate, icmp_burst, icmp_each;
	} forwarding;
	struct conf_set *sets;
	unsigned nsets;
	struct conf_zone *zones;
	unsigned nzones;
	struct conf_chain *chains; /* as written; zones are expanded apart */
	unsigned nchains;
	struct conf_nat *nat_source, *nat_destination, *nat_static;
	unsigned nnat_source, nnat_destination, nnat_static;
	struct conf_conntrack conntrack;
	struct conf_qos *qos;
	unsigned nqos;
	struct conf_mirror *mirrors, *redirects;
	unsigned nmirrors, nredirects;
	struct {
		struct conf_socket socket;	     /* admin and group members */
		struct conf_socket read_only_socket; /* anybody the file mode lets in */
		unsigned log_level;		     /* enum log_level */
	} stats;
};

/*
 * Read, parse, check path (or text, when path names what to say in messages and text is not NULL).
 * Writes every error and warning, in file order, to `messages` as config.md shows them, the last
 * line being "N errors" or nothing when there is none. 0 with *out set; -EINVAL, -errno of
 * open/read, with *out untouched. Never logs, never exits; bounded in depth (32), nodes (1 M) and
 * bytes (16 MiB).
 */
int conf_load(const char *path, const char *text, FILE *messages, struct conf **out);
void conf_destroy(struct conf *c);

/*
 * The chains that the zones mean: for `forward` and `input`, at priority CONF_PRIO_ZONES, rules
 * named "zone:lan->wan" and "zone:wan input". Established and related traffic passes, and what a
 * rule of nat.destination forwards; traffic from a zone to itself passes; from a zone to one in its
 * forward-to passes; all else that comes from or goes to a zone is dropped, by "zone:lan->any" and
 * "zone:any->lan". (An interface in no zone is not concerned.) Into the router, IPv6 neighbour
 * discovery passes, too. An array of *n chains like conf.chains, to be freed with
 * conf_chains_free(). NULL and *n 0 without zones; with zones, that means no memory, and the caller
 * must not go on without them.
 */
struct conf_chain *conf_zones_expand(const struct conf *c, unsigned *n);
void conf_chains_free(struct conf_chain *chains, unsigned n);

/* Does a rule of nat.destination that redirects concern packets that come in by this interface? */
bool conf_redirect_comes_in(const struct conf *c, const struct conf_nat *rule, const char *iface);
/* The rule that redirects a packet that comes in there, not to an address of this host; or NULL. */
const struct conf_nat *conf_redirect_find(const struct conf *c, const char *iface, uint8_t family,
					  uint8_t proto, uint16_t dport);

/* Do filters of shaping, mirrors or redirections look at packets? */
static inline bool conf_filters_shaping(const struct conf *c)
{
	return c->nqos || c->nmirrors || c->nredirects;
}

/* Print c as YAML that loads to an equal conf (`show config`). */
void conf_print(const struct conf *c, FILE *out);

#endif
