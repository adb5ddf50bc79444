/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The running daemon: what main.c puts together and control code works on. [control] */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "config/conf.h"
#include "router/ctl/kernel_ports.h"
#include "router/ctl/netlink.h"
#include "router/ctl/server.h"
#include "router/lib/loop.h"
#include "router/lib/names.h"
#include "router/net/nat_retired.h"
#include "router/net/policy.h"
#include "router/ports.h"
#include "router/qos.h"
#include "router/state.h"
#include "router/worker.h"
#include "systemd/fdstore.h"
#include "xsk/steer.h"

/* What stateful_follow() and stateful_upkeep() remember from one call to the next. */
struct upkeep {
	struct nat_local *locals; /* our addresses, as the policy knows them */
	unsigned nlocals;
	uint64_t said[DROP__COUNT], said_at; /* drops that the log knows of */
	uint64_t sets, sets_at;		     /* sets_changes(), and when */
	uint64_t trimmed_at;
};

struct router {
	const char *conf_path;
	char run_dir[96];
	uint64_t started_at; /* CLOCK_MONOTONIC, ns */
	bool running;	     /* configuration applied, ports tried */
	bool verbose;	     /* -v: whatever the file says */
	char status[128];    /* as systemd was told */

	struct loop *loop;
	struct conf *conf;	    /* as applied */
	bool no_vrfs;		    /* this kernel has no VRF devices, which the file asks for */
	uint32_t hash_seed;	    /* of the choice among next hops, unless the file has one */
	uint64_t revision, refused; /* configurations applied, and refused */
	bool rules_wait;	    /* Linux has not got all rules of the file: apply_rules() */
	bool conf_refused;	    /* the last one was: at start, lastconf.h */
	int conf_fd;		    /* it, as text; 0: none yet */

	struct netlink *nl;
	struct state *state;
	struct steer *steer;
	struct server *server;

	/* what outlives this process: restart.h */
	struct fdstore *store;
	struct kept *kept;
	bool adopted;	     /* from an earlier process, */
	uint64_t last_alive; /* whose workers last turned then (ns) */
	struct handover *handover;
	struct asking *asking; /* of a router that hands over to this one */
	bool left;	       /* to the next process: nothing is taken down */
	int exit_status;
	struct loop_timer *leave;

	struct xsk_mem *mem;
	unsigned nworkers;
	struct worker *worker[WORKERS_MAX];
	int wake_fd; /* workers ring it */
	struct loop_fd *wake;

	/* stateful forwarding (policy.h): NULL until a configuration asks for it */
	struct names names; /* of interfaces, as rules know them */
	struct stateful *st;
	struct conf_conntrack tables; /* as st was made */
	struct policy *policy;	      /* as published */
	struct nat_retired retired;
	struct nft *nft;			  /* chains of Linux's own traffic: ctl/nft.h */
	struct flow_feed *feed;			  /* ctl/flow_feed.h; NULL: nobody monitors flows */
	uint16_t policy_generation, policy_since; /* latest; first of this policy */
	struct loop_timer *flows_timer;
	struct upkeep upkeep;
	struct port_set ports_wanted; /* for NAT */
	bool ports_unknown;	      /* that Linux's sockets cannot be seen was said */

	struct qos_control qos;	     /* shaping */
	struct qos_rates *qos_rates; /* ctl/qos_rate.h; NULL: nothing was shaped yet */
	struct loop_timer *qos_timer;

	struct standin *standin; /* standin.h */
	struct port ports[PORTS_MAX];
	struct loop_timer *ports_timer;
	bool links_moved;     /* links or addresses changed, and ports_timer has not run since */
	uint32_t quarantined; /* frames of closed ports */

	struct loop_timer *second; /* upkeep once a second */
	struct loop_timer *watchdog;
	struct loop_timer *buckets_timer; /* buckets.h */
	uint64_t moved[WORKERS_MAX];	  /* loops of each worker at the last look */
	struct loop_fd *signals;
};

/* Load the configuration file again and apply it, telling systemd. 0, or the error with `text`
 * saying why; text also has warnings. */
int router_reload(struct router *r, char *text, size_t size);

#endif
