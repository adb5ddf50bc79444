/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The router of pipe.h with a policy: flows_open() takes YAML, flows_load() replaces the policy as
 * a reload does. Interfaces are called p0, p1, p2, vlan100 and qinq. A grace period ends when the
 * test says so (flows_grace()), time passes with flows_wait_s(). flows_check() balances the books
 * of packets, frames, records and ports.
 */
#ifndef TESTS_UNIT_PIPE_FLOWS_H
#define TESTS_UNIT_PIPE_FLOWS_H

#include <time.h>

#include "router/net/frag.h"
#include "router/net/limit.h"
#include "router/net/nat_retired.h"
#include "router/net/set.h"
#include "router/policy.h"
#include "router/qos_build.h"
#include "router/shaper.h"
#include "tests/unit/pipe.h"
#include "tests/unit/pipe_rows.h"

struct pipe_flows {
	struct pipe p;
	struct names names;
	struct stateful *st;
	struct policy *policy;
	struct conf *conf;
	uint16_t generation;
	unsigned workers; /* the tables and policies are for so many; this one is the first */
	struct nat_retired retired;
	struct qos_control qos;
	struct nat_local local[2 * PIPE_IFACES];
	unsigned nlocal;
	struct worker *second; /* NULL: shaping has one worker only */
	bool running;	       /* both are threads: they turn by themselves */
	bool slow;	       /* trees are changed by a turn to come, later than control waits */
};

static inline bool flows_qos_wait(void *arg, const struct shaper *s)
{
	const struct timespec nap = { .tv_nsec = 20000 };
	struct pipe_flows *f = arg;
	struct worker *w = s->owner ? f->second : f->p.w;

	if (!f->running && !f->slow)
		worker_turn(w, f->p.now);
	for (; f->running && shaper_is_busy(s); nanosleep(&nap, NULL))
		worker_wake(w);
	return !shaper_is_busy(s);
}

/* What shapes follows f->conf, as router/qos.c has it follow. 0 or -errno. */
static inline int flows_qos(struct pipe_flows *f, const struct conf *conf, char *why, size_t size)
{
	struct worker *const worker[] = { f->p.w, f->second };
	struct qos_env e = { .conf = conf,
			     .names = &f->names,
			     .sets = f->st->sets,
			     .flows = f->st->flows,
			     .frames = f->p.mem->frames,
			     .spare = f->p.mem->frames / 2,
			     .nworkers = f->second ? 2 : 1,
			     .worker = worker,
			     .wait = flows_qos_wait,
			     .arg = f };

	for (unsigned i = 0; i < PIPE_PORTS; i++) {
		e.port[i].iface = i == 0 ? "p0" : i == 1 ? "p1" : "p2";
		e.port[i].mtu = 1500;
	}
	return qos_update(&f->qos, &e, why, size);
}

/* Load another configuration. False: refused, nothing has changed. */
static inline bool flows_load(struct pipe_flows *f, const char *yaml)
{
	static const char head[] = "version: 1\ninterfaces: {p0: {}, p1: {}, p2: {}, vlan100: {}, "
				   "qinq: {}}\n";
	struct policy_config pc = {
		.names = &f->names, .local = f->local, .nlocal = f->nlocal, .workers = f->workers
	};
	struct policy *policy = NULL;
	char text[16384], why[512] = "";
	struct conf *conf;

	snprintf(text, sizeof(text), "%s%s", head, yaml);
	if (conf_load("test.yaml", text, stderr, &conf))
		return false;
	if (!f->st) {
		struct stateful_config sc = { .conntrack = &conf->conntrack,
					      .workers = f->workers,
					      .frames = f->p.mem->frames,
					      .now = f->p.now - 10 * NSEC_PER_SEC };

		must(stateful_create(&sc, &f->names, &f->st));
	}
	pc.conf = conf;
	pc.st = f->st;
	if (sets_follow(f->st->sets, conf, why, sizeof(why)) ||
	    (conf->conntrack.enabled && policy_build(&pc, &policy, why, sizeof(why))) ||
	    flows_qos(f, conf, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		policy_destroy(policy);
		conf_destroy(conf);
		return false;
	}
	if (policy) {
		policy->generation = ++f->generation;
		if (f->policy && f->policy->filter && policy->filter)
			filter_carry_over(policy->filter, f->policy->filter);
		if (f->policy && f->policy->nat && policy->nat)
			nat_carry_over(policy->nat, f->policy->nat);
	}
	f->p.w->st = f->st;
	f->p.w->policy = policy;
	must(nat_retire(&f->retired, f->policy ? f->policy->nat : NULL,
			policy ? policy->nat : NULL));
	policy_destroy(f->policy);
	conf_destroy(f->conf);
	f->policy = policy;
	f->conf = conf;
	sets_sweep(f->st->sets);
	limits_sweep(f->st->limits);
	return true;
}

/* now: what the clock says at first. */
static inline void flows_open_for(struct pipe_flows *f, const char *yaml, uint64_t now,
				  unsigned workers)
{
	bool loaded;
	static const char *const name[PIPE_IFACES] = { "p0", "p1", "p2", "vlan100", "qinq" };

	memset(f, 0, sizeof(*f));
	f->workers = workers;
	pipe_open_sized(&f->p, (workers * workers) * PIPE_FRAMES, PIPE_RING); /* caches hoard */
	f->p.now = f->p.w->rate_at = now;
	f->p.nht.generation = 1;
	for (unsigned i = 0; i < PIPE_IFACES; i++) {
		uint16_t id = names_get(&f->names, name[i]);

		f->p.cfg->iface[i].name_id = id;
		for (unsigned six = 0; six < 2; six++)
			f->local[f->nlocal++] =
				(struct nat_local){ .iface = id, .addr = on_link(six, i, 1) };
	}
	loaded = flows_load(f, yaml);
	assert(loaded);
}

static inline void flows_open_at(struct pipe_flows *f, const char *yaml, uint64_t now)
{
	flows_open_for(f, yaml, now, 1);
}

static inline void flows_open(struct pipe_flows *f, const char *yaml)
{
	flows_open_at(f, yaml, 1000 * NSEC_PER_SEC);
}

/* One grace period: what is gone may be freed. */
static inline void flows_grace(struct pipe_flows *f)
{
	f->st->quiet = flow_grace_begin(f->st->flows);
	nat_retired_walk(&f->retired, f->st->flows, 3); /* it takes several */
	worker_turn(f->p.w, f->p.now);
}

static inline void flows_wait_s(struct pipe_flows *f, double seconds)
{
	f->p.now += (uint64_t)(seconds * 1e9);
	for (unsigned i = 0; i < 64; i++) /* the wheel has slots to turn */
		worker_turn(f->p.w, f->p.now);
	flows_grace(f);
}

static inline struct flow_stats flows_stats(const struct pipe_flows *f)
{
	struct flow_stats s;

	flow_table_stats(f->st->flows, &s);
	return s;
}

/* Outside ports taken by flows and mappings. */
static inline unsigned flows_ports_taken(const struct pipe_flows *f)
{
	struct natport_info info;
	uint32_t cursor = 0;
	unsigned n = 0;

	while (natports_walk(f->st->ports, &cursor, &info))
		for (unsigned i = 0; i < NATPORT_PLANES; i++)
			n += info.taken[i];
	return n;
}

/* The books. */
static inline void flows_check(struct pipe_flows *f)
{
	pipe_check(&f->p);
}

/* Everything must end: no flow, no port, no frame stays. */
static inline void flows_close(struct pipe_flows *f)
{
	uint32_t cursor = 0, index;

	flows_check(f);
	while ((index = flow_walk(f->st->flows, &cursor)) != FLOW_NONE)
		flow_kill(f->st->flows, index);
	flows_wait_s(f, 100);
	flows_grace(f);
	flows_check(f);
	assert(flows_stats(f).live == 0);
	assert(flows_ports_taken(f) == 0);
	f->p.w->qos = NULL;
	worker_turn(f->p.w, f->p.now);
	qos_fini(&f->qos, &f->p.w);
	f->p.w->policy = NULL;
	f->p.w->st = NULL;
	f->p.w->dp.st = NULL;
	policy_destroy(f->policy);
	nat_retired_fini(&f->retired);
	stateful_destroy(f->st, NULL, NULL);
	conf_destroy(f->conf);
	names_fini(&f->names);
	pipe_close(&f->p);
}

#endif
