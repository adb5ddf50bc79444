/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the router knows of the network, kept by the control thread and published to the workers:
 *
 *	interfaces	a port, or a VLAN on one, with the addresses Linux gave it
 *	adjacencies	neighbours: one slot of the next hop table each
 *	paths		where routes lead: one slot each, shared by all with the same next hops
 *	routes		Linux's, of all tables (RIB), the best of each prefix in a FIB
 *	rules		of policy routing, made into lists of steps for interfaces they concern
 *
 * So a link or a neighbour that changes is one store, however many routes lead there.
 * Changes collect until state_publish(), which swaps what must be swapped, waits for a grace period
 * if anything was replaced, and frees it. [control]
 */
#ifndef ROUTER_STATE_H
#define ROUTER_STATE_H

#include "router/ctl/netlink.h"
#include "router/lib/table.h"
#include "router/net/dp.h"

#define TABLE_DEFAULT 253
#define TABLE_MAIN    254
#define TABLE_LOCAL   255
#define UNASKED_MAX   64

/* ---- links */

struct link_addr {
	struct link_addr *next;
	struct netlink_addr a;
	bool seen;
};

struct link {
	struct link *next;
	struct netlink_link l;
	struct link_addr *addrs;
	uint16_t iface; /* its dp_iface, or IFACE_NONE */
	uint16_t port;	/* port index, or IFACE_NONE */
	bool seen;	/* during a dump */
};

/* ---- adjacencies and paths */

struct path;

struct adj {
	struct table_node node;
	uint16_t iface;
	int ifindex;
	struct addr addr;
	uint32_t slot;
	uint8_t state; /* enum nh_state */
	bool has_mac;
	uint8_t mac[6];
	uint16_t failures;
	bool dead;    /* failed, and has not answered since, however often Linux asks again */
	bool kernel;  /* Linux has a neighbour entry */
	bool managed; /* a gateway: Linux was asked to keep it fresh */
	bool asking;  /* Linux was asked, and has not said yet */
	bool seen;
	uint16_t nud;  /* as Linux says, for show */
	uint32_t refs; /* path members */
	uint64_t asked_at;
};

/* How much Linux is asked at a time (state_ask.c). */
struct ask_limit {
	uint64_t at; /* when `tokens` was right */
	uint32_t tokens;
	uint32_t asking; /* adjacencies */
};

/* Neighbours Linux has given up on, the oldest at `next`. */
#define FAILED_KEPT 64
struct failed {
	unsigned next;
	struct {
		int ifindex; /* 0: none yet */
		struct addr addr;
	} v[FAILED_KEPT];
};

struct path_hop {
	struct netlink_hop hop;
	struct adj *adj; /* with a gateway */
	uint32_t own;	 /* slot: the adjacency, but with the MTU of the route; 0: none needed */
};

struct path {
	struct table_node node;
	uint32_t slot, refs;
	uint8_t type;	 /* RTN_* */
	uint8_t family;	 /* of the routes: Linux treats their hops apart */
	uint8_t hash;	 /* enum conf_hash: how one of several is chosen */
	bool truncated;	 /* there are more hops than NETLINK_HOPS_MAX */
	bool is_default; /* of routes that lead everywhere */
	uint32_t mtu, nhid;
	unsigned nwide; /* slots of feasible paths that it is in */
	struct route *routes;
	uint32_t prefsrc;    /* of its routes that have one, */
	bool other_prefsrcs; /* or of some of them */
	unsigned nhops;
	struct path_hop hops[]; /* nhid != 0: as the object has them now */
};

/* The buckets of a resilient group: state_resilient.c. */
struct resilient {
	unsigned nbuckets;
	uint64_t idle, unbalanced; /* ns; unbalanced 0: never by force */
	uint64_t unbalanced_at;	   /* since when some member has too many; 0: none has */
	uint32_t *owner;	   /* the id of a member; 0: of none yet */
	uint64_t *used_at;	   /* seen busy; 0: not since it has this owner */
	uint8_t *busy;		   /* workers' */
};

struct nexthop_object {
	struct table_node node;
	struct netlink_nexthop n;
	bool is_group, empty; /* a group that lost its last member is about to go */
	bool seen;
	struct resilient *res; /* or NULL: no resilient group */
};

/* ---- routes */

struct route {
	struct table_node node; /* by table and prefix */
	struct prefix dst;
	uint8_t type, protocol, scope, tos;
	uint32_t table, metric;
	uint32_t prefsrc; /* IPv4, network order */
	struct path *path;
	struct route *prev_on, *next_on;   /* the path */
	struct route *next;		   /* same table and prefix: by metric */
	struct route *prev_all, *next_all; /* all, in order of arrival */
	uint64_t serial;
	bool seen;   /* in this synchronisation, */
	bool dumped; /* by its dump */
	bool in_fib;
};

struct fib_table { /* one routing table of one family that somebody looks up in */
	struct fib_table *next;
	uint32_t table;
	int family;
	bool folded;   /* main, with local's routes */
	int suppress;  /* without routes of up to so many bits; -1: all of them */
	uint64_t used; /* by the configuration of this generation */
	struct fib *fib;
};

/* ---- rules of policy routing */

struct rule {
	struct rule *next; /* by priority, equals as they came */
	struct netlink_rule r;
};

struct state {
	struct netlink *nl;
	struct link *links;
	struct table adjs, paths, routes, objects;
	struct table wides; /* state_feasible.c */
	bool feasible;	    /* some interface asks for feasible paths */
	struct route *first, *last;
	uint64_t removals; /* of routes: a walk that stopped at one must look again */
	uint64_t serial;
	size_t nroutes[2]; /* IPv4, IPv6 */
	struct fib_pool *pool[2];
	struct fib_table *tables;
	size_t ndefault[2];  /* routes of table default */
	size_t local_odd[2]; /* routes of table local that hide more than their own address */
	struct rule *rules[2], *rules_dumped[2]; /* in use; of the dump under way */
	bool rules_known[2], rules_dirty;
	struct rule_list **lists; /* of the latest configuration */
	unsigned nlists;
	uint32_t blackhole, prohibit, suppressed; /* slots */
	struct nh_table nht;
	uint32_t slots_used, nfree_slots;
	uint32_t *free_slots;
	struct neigh_table *neigh;
	uint32_t neigh_used;
	uint32_t glean[IFACES_MAX]; /* slot, by interface */
	struct dp_config *config;   /* as published */
	uint64_t generation;
	struct dp_settings settings; /* to be published */
	bool ifaces_dirty, addrs_dirty;
	uint32_t asking; /* adjacencies, on all interfaces */
	struct ask_limit ask[IFACES_MAX];
	struct failed failed;
	unsigned nunasked;
	struct dp_message unasked[UNASKED_MAX]; /* asks put off until the dump ends */
	bool neighs_unknown;   /* an interface is new: until the dump ends we do not know whom Linux
				  knows */
	struct table refused;  /* what did not fit into a FIB; see state_fib.c */
	uint32_t refused_at;   /* the bucket to go on with */
	bool fib_room;	       /* some was made since the refused were last tried */
	bool fib_missing;      /* a table has none for want of room: then it is tried again */
	uint64_t missing_said; /* when */
	bool fib_full;	       /* said, and not yet taken back */
	uint64_t fib_said;     /* when */
	bool syncing;

	/* waits for a grace period */
	void **retired;
	size_t nretired, retired_cap;
	uint32_t *retired_slots;
	size_t nretired_slots, retired_slots_cap;

	/* told when something outside must follow; may be NULL */
	void *arg;
	void (*link_changed)(void *arg, struct link *l, bool gone);
	void (*addr_changed)(void *arg, const struct netlink_addr *a);
	void (*publish)(void *arg, const struct dp_config *c); /* to the workers */
	void (*neigh_changed)(void *arg);
	uint16_t (*name_id)(void *arg, const struct link *l); /* dp_iface.name_id */
	/* What the file says of an interface; f has all else already. */
	void (*iface_settings)(void *arg, const struct link *l, struct dp_iface *f);
	/* How the file wants one of several next hops of this route chosen: enum conf_hash. */
	uint8_t (*route_hash)(void *arg, const struct netlink_route *r);
	/* state_buckets_upkeep() has to be called then; 0: not any more. */
	void (*buckets_due)(void *arg, uint64_t at);
	/* The port that an earlier process had on a link which appears, or IFACE_NONE: what is
	 * known of it is known from the first dump on. */
	uint16_t (*port_before)(void *arg, const struct netlink_link *l);
	uint32_t *kept_generation; /* where nht.generation is also to be known, or NULL */
};

int state_create(struct state **out);
void state_destroy(struct state *s); /* workers are gone */

/* Flows that outlive processes remember next hops under the generation: it goes on from what *kept
 * says, and is written there from now on. */
void state_keep_generation(struct state *s, uint32_t *kept);

/* For netlink_create(); arg is the struct state. */
extern const struct netlink_ops state_netlink_ops;

struct link *state_link(const struct state *s, int ifindex);
struct link *state_link_named(const struct state *s, const char *name);

/* A port opened on this link, or (IFACE_NONE) closed: interfaces on it come and go. */
void state_port(struct state *s, struct link *l, uint16_t port);

void state_publish(struct state *s);
/* What name_id() or iface_settings() say, or `settings`, has changed: publishes. */
void state_rename(struct state *s);

/* Worker messages, and the upkeep of neighbours that are in use: call every few seconds. */
void state_resolve(struct state *s, const struct dp_message *m);
void state_neighbours_upkeep(struct state *s);

/* What route_hash() says of this (masked) prefix has changed: publish afterwards. */
void state_hash_again(struct state *s, uint32_t table, const struct prefix *p);

/* Resilient groups: who is idle moves. Publish afterwards. */
void state_buckets_upkeep(struct state *s, uint64_t now);

/* How many buckets each member of a group has at present, into count[] (NETLINK_HOPS_MAX); returns
 * how many there are in all. */
unsigned object_buckets(const struct state *s, const struct nexthop_object *o, uint32_t *count);

/* The local addresses of this host, for the XDP program: up to max, returns how many there are. */
unsigned state_local_addrs(const struct state *s, struct addr *out, unsigned max);

/* The route a packet from interface NULL (table main) to `a` would take, or NULL. */
const struct route *state_route_for(const struct state *s, uint32_t table, const struct addr *a);
/* The routes of exactly this (masked) prefix, the best first, linked by next; or NULL. */
const struct route *state_route_exact(const struct state *s, uint32_t table,
				      const struct prefix *p);
struct fib *state_fib(struct state *s, uint32_t table, int family, bool create);
/* Why a route is not in the FIB of its table: there is none, packets of other routes only (TOS),
 * another route of the prefix comes first, or it did not fit. */
enum route_use { ROUTE_USED, ROUTE_NO_TABLE, ROUTE_BY_TOS, ROUTE_SHADOWED, ROUTE_NO_ROOM };
enum route_use state_route_use(const struct state *s, const struct route *r);
/* A table by itself (main without local) and without routes of up to `suppress` bits; -1: with all.
 * It lives while each configuration asks for it anew. */
struct fib *state_fib_alone(struct state *s, uint32_t table, int family, int suppress);
/* False: it takes no packets, since not all it says is known. */
bool rule_understood(const struct netlink_rule *r);

/* ---- inside state*.c */
void state_retire(struct state *s, void *p);
uint32_t slot_alloc(struct state *s);
void slot_release(struct state *s, uint32_t slot);
void slot_store(struct state *s, uint32_t slot, struct nh *n);
void state_routes_moved(struct state *s); /* what flows remember of routes is old */
/* The link header: destination, source, tag. Its type is told by the packet. */
void nh_fill_l2(struct nh *n, const struct dp_iface *f, const uint8_t to[6]);
struct adj *adj_get(struct state *s, const struct link *l, const struct addr *a);
struct adj *adj_find(const struct state *s, int ifindex, const struct addr *a);
void adj_release(struct state *s, struct adj *a);
void adj_store(struct state *s, struct adj *a);
void adj_neigh(struct state *s, const struct netlink_neigh *n);
void adj_manage(struct state *s, struct adj *a);
void adj_unmanage(struct state *s, struct adj *a);
void adj_asked_end(struct state *s, struct adj *a);
void adj_failed(struct state *s, const struct adj *a);
void neighs_ask_linux(struct state *s);
void neighs_known(struct state *s);
void adj_iface_gone(struct state *s, uint16_t iface);
struct path *path_find(const struct state *s, const struct netlink_route *r);
struct path *path_get(struct state *s, const struct netlink_route *r);
void path_put(struct state *s, struct path *p);
void path_store(struct state *s, struct path *p);
struct nh *nh_plain(enum nh_type type);
const struct dp_iface *path_broadcast_iface(const struct state *s, const struct path *p);
void path_reach(const struct state *s, const struct path *p, uint64_t set[NH_REACH_WORDS]);
struct nh *nh_with_reach(struct nh *n, const struct nh_reach *r); /* NULL: n has been freed */
void paths_follow_iface(struct state *s, int ifindex);
void paths_mark_dead(struct state *s, int ifindex, bool dead, bool forced);
void paths_follow_broadcasts(struct state *s);
void paths_follow_adj(struct state *s, const struct adj *a);
void paths_follow_object(struct state *s, uint32_t nhid);
void paths_follow_buckets(struct state *s, uint32_t nhid);
bool hop_serves(const struct state *s, const struct netlink_hop *h);
void resilient_update(struct state *s, struct nexthop_object *o);
void resilient_free(struct state *s, struct nexthop_object *o);
bool resilient_balance(struct state *s, struct nexthop_object *o, uint64_t now);
unsigned object_hops(const struct state *s, uint32_t id, struct netlink_hop *out, unsigned max);
bool link_has_carrier(const struct link *l);
struct nexthop_object *object_find(const struct state *s, uint32_t id);
bool object_member(const struct state *s, const struct nexthop_object *g, unsigned i,
		   struct netlink_hop *out);
bool object_concerns(const struct state *s, uint32_t id, uint32_t changed);
void object_event(struct state *s, const struct netlink_nexthop *n);
void objects_link_down(struct state *s, int ifindex);
void objects_sync_begin(struct state *s);
void objects_sweep(struct state *s);
void objects_forget(struct state *s);
void routes_link_down(struct state *s, int ifindex);
void routes_link_gone(struct state *s, int ifindex);
void routes_ip_off(struct state *s, int ifindex);
/* The part of state_local_addrs() that routes know. */
unsigned routes_local_addrs(const struct state *s, struct addr *out, unsigned max);
void routes_prefsrc_gone(struct state *s, uint32_t table, uint32_t addr);
void routes_object_gone(struct state *s, uint32_t nhid);
void route_event(struct state *s, const struct netlink_route *r);
/* r is to be as n says, which has its prefix, table and metric. */
void route_follow(struct state *s, struct route *r, const struct netlink_route *n);
/* The slot that a prefix gets whose best route this is. */
uint32_t feasible_slot(struct state *s, const struct route *best);
void feasible_follow(struct state *s, const struct path *p); /* its content has changed, */
void feasible_forget(struct state *s, const struct path *p); /* it is about to be freed */
void feasible_want(struct state *s, const struct dp_config *c);
void routes_sweep(struct state *s);
void routes_forget(struct state *s);
struct route *route_head(const struct state *s, uint32_t table, const struct prefix *p);
void fib_refresh(struct state *s, uint32_t table, const struct prefix *p);
bool fibs_try_refused(struct state *s);
void rule_event(struct state *s, const struct netlink_rule *n);
void rules_sync_begin(struct state *s);
void rules_sync_end(struct state *s);
void rules_forget(struct state *s);
void rules_attach(struct state *s, struct dp_config *c);
void fibs_sweep(struct state *s);
void state_build_config(struct state *s);
/* The link a VLAN lies on; NULL: it is none, or its parent is in another namespace. */
const struct link *state_vlan_parent(const struct state *s, const struct link *l);
/* A VLAN's port is its parent's. */
uint16_t state_link_port(const struct state *s, const struct link *l);
/* Where packets of a link are looked up, by the VRF it is in. */
uint32_t state_table_of_master(const struct state *s, int master);

#endif
