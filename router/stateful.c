/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See stateful.h. */
#include "router/stateful.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "router/ctl/nft.h"
#include "router/kept.h"
#include "router/lib/clock.h"
#include "router/lib/log.h"
#include "router/lib/rcu.h"
#include "router/linux_ports.h"
#include "router/net/limit.h"
#include "router/net/set.h"
#include "router/policy.h"
#include "router/redirect.h"
#include "router/standin.h"

#define LOCALS_MAX  4096
#define TRIM_PIECES 512
#define RETIRE	    65536 /* flows looked at in one go: a few milliseconds */
#define SETS_EVERY  (100 * NSEC_PER_MSEC)
#define COMPLAIN    (10 * NSEC_PER_SEC)

static_assert(NATPORT_SLOTS == STEER_NAT_SLOTS && (int)NATPORT_PLANES == STEER_NAT_PLANES &&
		      NATPORT_WORDS == STEER_NAT_WORDS,
	      "one bitmap");
static_assert((int)NATPORT_TCP == STEER_NAT_TCP && (int)NATPORT_UDP == STEER_NAT_UDP &&
		      (int)NATPORT_ICMP == STEER_NAT_ID,
	      "one order of planes");

/* ---- Linux's own traffic */

static const char *netdev_of(void *router, const char *iface)
{
	const struct router *r = router;

	for (unsigned i = 0; i < r->conf->nifaces; i++) {
		const struct link *l = strcmp(r->conf->ifaces[i].name, iface)
					       ? NULL
					       : ports_find_link(r, &r->conf->ifaces[i]);

		if (l)
			return l->l.name;
	}
	return NULL;
}

static bool stands_in(void *router, const struct conf *c, const char *iface)
{
	return standin_is_on(router, c, iface);
}

int stateful_start(struct router *r, const char *name)
{
	int err = nft_create(name, netdev_of, r, &r->nft);

	if (!err)
		nft_set_standin(r->nft, stands_in);
	return err;
}

void stateful_apply(struct router *r)
{
	char why[512] = "";
	int err = nft_apply(r->nft, r->conf, why, sizeof(why));

	if (err)
		log_err("nftables: %s; Linux's own traffic is filtered as before", why);
	else
		redirects_follow(r);
	standin_hold(r, err ? why : nft_standin_note(r->nft));
}

/* ---- what stays */

/* The tables of an earlier process: both, or none of them. */
static bool adopt(struct router *r, const struct stateful_config *sc)
{
	int flows = fdstore_take(r->store, "flows"), ports = fdstore_take(r->store, "natports");
	char why[160] = "one of two tables was not kept";
	int err = -ENOENT;

	if (flows < 0 && ports < 0)
		return false;
	if (r->adopted && flows >= 0 && ports >= 0) {
		err = stateful_adopt(sc, flows, ports, &r->names, &r->st, why, sizeof(why));
	} else {
		close(flows);
		close(ports);
	}
	if (!err)
		return true;
	fdstore_del(r->store, "flows");
	fdstore_del(r->store, "natports");
	log_warn("flows of an earlier process are not used: %s", why);
	return false;
}

/* As they are, whatever the file says now: sizes change at a cold start only. */
static void describe_tables(struct router *r, const struct conf_conntrack *c)
{
	const struct flow_table_config *f = flow_table_config(r->st->flows);
	struct flow_stats s;

	r->tables = *c;
	r->tables.max = f->max;
	r->tables.per_source_max = f->per_source_max;
	r->tables.drop_new = f->drop_new;
	flow_table_stats(r->st->flows, &s);
	if (s.live)
		log_notice("%u flows go on", s.live);
}

static int create(struct router *r, const struct conf *c, char *why, size_t size)
{
	struct stateful_config sc = { .conntrack = &c->conntrack,
				      .workers = r->nworkers,
				      .frames = r->mem->frames,
				      .nat_bitmap = steer_natports(r->steer),
				      .nat_bitmap_lost = steer_natports(r->steer) &&
							 !steer_natports_found(r->steer),
				      .now = clock_now() };
	int err = adopt(r, &sc) ? 0 : stateful_create(&sc, &r->names, &r->st);

	if (err) {
		snprintf(why, size, "tables of connection tracking: %s", strerror(-err));
		return err;
	}
	fdstore_put(r->store, "flows", flow_table_fd(r->st->flows));
	fdstore_put(r->store, "natports", natports_fd(r->st->ports));
	describe_tables(r, &c->conntrack);
	if (steer_natports_note(r->steer))
		log_warn("NAT: %s; the router's own addresses cannot be outside addresses",
			 steer_natports_note(r->steer));
	for (unsigned w = 0; w < r->nworkers; w++)
		__atomic_store_n(&r->worker[w]->st, r->st, __ATOMIC_RELEASE);
	return 0;
}

/* ---- names and addresses */

/* Rules call an interface what the file calls it. */
uint16_t stateful_name_id(void *router, const struct link *l)
{
	struct router *r = router;

	for (unsigned i = 0; r->conf && i < r->conf->nifaces; i++)
		if (ports_find_link(r, &r->conf->ifaces[i]) == l)
			return names_get(&r->names, r->conf->ifaces[i].name);
	return names_get(&r->names, l->l.name);
}

/* An address that packets of others may be sent to: neither loopback nor link-local. */
static bool is_public(const struct addr *a)
{
	static const uint8_t loopback[16] = { [15] = 1 };

	if (a->family == AF_INET)
		return a->bytes[0] != 127;
	return memcmp(a->bytes, loopback, 16) != 0 &&
	       !(a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80);
}

static unsigned locals_read(const struct router *r, struct nat_local *out, unsigned max)
{
	unsigned n = 0;

	for (const struct link *l = r->state->links; l; l = l->next) {
		uint16_t iface = stateful_name_id((void *)(uintptr_t)r, l);

		for (const struct link_addr *a = l->addrs; a && n < max; a = a->next) {
			const struct addr *addr = &a->a.local.addr;

			if (!is_public(addr))
				continue;
			out[n].iface = iface;
			out[n++].addr = *addr;
		}
	}
	return n;
}

/* The XDP program sends us the ports of addresses that have a slot; all of what is 1:1. */
static void steer_follow(struct router *r, const struct conf *c, const struct nat_local *local,
			 unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint16_t slot = natports_find(r->st->ports, &local[i].addr);
		int wish = slot == NATPORT_NO_SLOT ? STEER_NAT_NONE : slot;

		for (unsigned k = 0; k < c->nnat_static; k++)
			if (prefix_contains(&c->nat_static[k].external, &local[i].addr))
				wish = STEER_NAT_ALL;
		steer_local_nat(r->steer, &local[i].addr, wish);
	}
}

/* With the sets as they are. */
static int build(struct router *r, const struct conf *c, struct policy **out, char *why,
		 size_t size)
{
	static struct nat_local local[LOCALS_MAX]; /* [control] only; large */
	struct policy_config pc = { .conf = c,
				    .names = &r->names,
				    .st = r->st,
				    .local = local,
				    .nlocal = locals_read(r, local, LOCALS_MAX),
				    .workers = r->nworkers };

	return policy_build(&pc, out, why, size);
}

int stateful_build(struct router *r, const struct conf *c, struct policy **out, char *why,
		   size_t size)
{
	struct policy *p = NULL;
	int err;

	err = nft_check(r->nft, c, why, size);
	if (!err && (c->conntrack.enabled || conf_filters_shaping(c)) && !r->st)
		err = create(r, c, why, size); /* filters of shaping look at sets, too */
	if (!err && r->st)
		err = sets_follow(r->st->sets, c, why, size);
	if (err)
		return err;
	if (c->conntrack.enabled)
		err = build(r, c, &p, why, size);
	if (err)
		stateful_forget(r, NULL);
	else
		*out = p;
	return err;
}

void stateful_forget(struct router *r, struct policy *p)
{
	char why[256];

	policy_destroy(p);
	if (r->st && sets_follow(r->st->sets, r->conf, why, sizeof(why)))
		log_err("sets: %s", why);
}

static uint16_t next_generation(struct router *r)
{
	r->policy_generation++;
	if (!r->policy_generation)
		r->policy_generation = 1;
	r->kept->head->policy_generation = r->policy_generation;
	return r->policy_generation;
}

void stateful_judge_again(struct router *r)
{
	if (!r->policy)
		return;
	__atomic_store_n(&r->policy->generation, next_generation(r), __ATOMIC_RELAXED);
}

/* The first rules of this process have asked for what they need of the former one's. */
static void end_adoption(struct router *r)
{
	if (r->st)
		natports_adopted(r->st->ports);
}

void stateful_publish(struct router *r, struct policy *p)
{
	static struct nat_local local[LOCALS_MAX];
	struct policy *old = r->policy;

	if (!p && !old) {
		end_adoption(r);
		return;
	}
	if (p) {
		p->generation = r->policy_since = next_generation(r);
		if (old && old->filter && p->filter)
			filter_carry_over(p->filter, old->filter);
		if (old && old->nat && p->nat)
			nat_carry_over(p->nat, old->nat);
	}
	r->policy = p;
	for (unsigned w = 0; w < r->nworkers; w++)
		__atomic_store_n(&r->worker[w]->policy, p, __ATOMIC_RELEASE);
	rcu_wait();
	if (nat_retire(&r->retired, old ? old->nat : NULL, p ? p->nat : NULL))
		log_err("sessions of nat.static rules that are gone go on: out of memory");
	linux_ports_follow(r);
	steer_follow(r, r->conf, local, locals_read(r, local, LOCALS_MAX));
	policy_destroy(old);
	limits_sweep(r->st->limits);
	end_adoption(r);
}

void stateful_sweep(struct router *r)
{
	if (r->st)
		sets_sweep(r->st->sets);
}

/* Build again from the running configuration: its surroundings changed. What operators did to sets
 * stays. */
static void rebuild(struct router *r)
{
	struct policy *p;
	char why[256];

	if (build(r, r->conf, &p, why, sizeof(why)))
		log_err("rules: %s; those of before stay", why);
	else {
		stateful_apply(r);
		stateful_publish(r, p);
	}
}

/* Are they those of the last call? Out of memory: no. */
static bool locals_known(struct upkeep *u, const struct nat_local *now, unsigned n)
{
	if (n == u->nlocals && (!n || !memcmp(now, u->locals, n * sizeof(now[0]))))
		return true;
	free(u->locals);
	u->locals = n ? malloc(n * sizeof(now[0])) : NULL;
	u->nlocals = u->locals ? n : 0;
	if (u->locals)
		memcpy(u->locals, now, n * sizeof(now[0]));
	return false;
}

void stateful_follow(struct router *r)
{
	static struct nat_local now[LOCALS_MAX];

	if (!r->policy || !r->policy->nat)
		return;
	memset(now, 0, sizeof(now));
	if (!locals_known(&r->upkeep, now, locals_read(r, now, LOCALS_MAX)))
		rebuild(r);
}

/* ---- upkeep */

static uint64_t drops(const struct router *r, enum drop_reason why)
{
	uint64_t n = 0;

	for (unsigned w = 0; w < r->nworkers; w++)
		n += counter_read(&r->worker[w]->count->drop[why]);
	return n;
}

/* What was reached since the last complaint, said at most every COMPLAIN. */
static void complain(struct router *r, uint64_t now)
{
	static const enum drop_reason about[] = { DROP_CT_FULL, DROP_CT_SOURCE_LIMIT,
						  DROP_CT_ZONE_LIMIT, DROP_NAT_EXHAUSTED,
						  DROP_FRAG_LIMIT };
	struct upkeep *u = &r->upkeep;

	if (now - u->said_at < COMPLAIN)
		return;
	for (unsigned i = 0; i < sizeof(about) / sizeof(about[0]); i++) {
		uint64_t n = drops(r, about[i]);

		if (n == u->said[about[i]])
			continue;
		log_warn("%s: %llu packets dropped", drop_info[about[i]].text,
			 (unsigned long long)(n - u->said[about[i]]));
		u->said[about[i]] = n;
		u->said_at = now;
	}
}

bool stateful_busy(const struct router *r)
{
	struct flow_stats s;

	if (!r->st)
		return false;
	flow_table_stats(r->st->flows, &s);
	return s.ipv4 || s.ipv6;
}

void stateful_upkeep(struct router *r, uint64_t now)
{
	struct upkeep *u = &r->upkeep;
	uint64_t quiet, sets;

	if (!r->st)
		return;
	quiet = flow_grace_begin(r->st->flows);
	rcu_wait();
	__atomic_store_n(&r->st->quiet, quiet, __ATOMIC_RELEASE);
	nat_retired_walk(&r->retired, r->st->flows, RETIRE);
	complain(r, now);
	if (now - u->sets_at >= SETS_EVERY) {
		u->sets_at = now;
		sets = sets_changes(r->st->sets, now);
		if (sets != u->sets && r->policy)
			stateful_judge_again(r);
		u->sets = sets;
	}
	if (now - u->trimmed_at >= NSEC_PER_SEC) {
		u->trimmed_at = now;
		flow_table_trim(r->st->flows, TRIM_PIECES);
		natports_trim(r->st->ports);
	}
}

void stateful_stop(struct router *r)
{
	linux_ports_stop(r);
	if (r->nft)
		nft_remove(r->nft);
	nft_destroy(r->nft);
	policy_destroy(r->policy);
	r->policy = NULL;
	free(r->upkeep.locals);
	nat_retired_fini(&r->retired);
	stateful_destroy(r->st, NULL, NULL);
	r->st = NULL;
	names_fini(&r->names);
}
