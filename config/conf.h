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
enum conf_route_type {
	CONF_ROUTE_UNICAST,
	CONF_ROUTE_BLACKHOLE,
	CONF_ROUTE_UNREACHABLE,
	CONF_ROUTE_PROHIBIT,
};

#define CONF_CPUS_MAX	  64
#define CONF_NEXTHOPS_MAX 64

struct conf_iface {
	char name[64];	       /* the key in the file */
	char netdev[IFNAMSIZ]; /* the netdev to own: match.name, else the key; "" with match.mac */
	bool has_mac;	       /* match.mac: find the netdev by its MAC address */
	uint8_t mac[6];
	unsigned queues; /* 0: auto, all the device has */
	enum conf_xdp_mode xdp_mode;
	unsigned mtu;		  /* 0: leave as Linux has it */
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
	enum conf_route_type type;
	struct conf_nexthop *nexthops;
	unsigned nnexthops;
	unsigned line;
	bool refused; /* Linux would not take it, and that was said */
};

struct conf_neighbour {
	char dev[IFNAMSIZ];
	struct addr ip;
	uint8_t mac[6];
	unsigned line;
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

/* Print c as YAML that loads to an equal conf (`show config`). */
void conf_print(const struct conf *c, FILE *out);

#endif
