/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See policy.h. */
#include "router/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "router/flows.h"
#include "router/net/frag.h"
#include "router/net/limit.h"
#include "router/net/set.h"

#define TICKS_PER_SEC (NSEC_PER_SEC / FLOW_TICK)
#define BITMAP_BYTES  (sizeof(uint64_t) * NATPORT_SLOTS * NATPORT_PLANES * NATPORT_WORDS)
#define HELD_SHARE    16 /* one frame in so many may wait for the rest of its datagram */

/* ---- tables */

static int secret(void *key, size_t size)
{
	return getrandom(key, size, 0) == (ssize_t)size ? 0 : -EAGAIN;
}

static int make_flows(const struct conf_conntrack *c, unsigned workers, uint64_t now,
		      struct stateful *st)
{
	struct flow_table_config fc = { .max = c->max,
					.workers = workers,
					.now = now,
					.per_source_max = c->per_source_max,
					.drop_new = c->drop_new };
	int err = secret(fc.key, sizeof(fc.key));

	return err ? err : flow_table_create(&fc, &st->flows);
}

static int make_frags(const struct conf_conntrack *c, uint32_t frames, struct stateful *st)
{
	struct frags_config fc = { .max = c->fragments,
				   .per_source = c->fragments_per_source,
				   .held = frames / HELD_SHARE,
				   .timeout = c->timeout[CONF_TIMEOUT_FRAGMENT] * NSEC_PER_SEC };
	int err = secret(fc.key, sizeof(fc.key));

	return err ? err : frags_create(&fc, &st->frags);
}

static int make_ports(const struct conf_conntrack *c, uint64_t *bitmap, struct stateful *st)
{
	uint8_t key[16];
	int err = secret(key, sizeof(key));

	if (bitmap) /* that of an earlier process, whose flows are gone */
		memset(bitmap, 0, BITMAP_BYTES);
	return err ? err : natports_create(bitmap, c->max, key, &st->ports);
}

/* What ends with a process. */
static int make_rest(const struct stateful_config *sc, struct names *names, struct stateful *st)
{
	int err = secret(st->secret, sizeof(st->secret));

	if (!err)
		err = make_frags(sc->conntrack, sc->frames, st);
	if (!err)
		err = sets_create(names, &st->sets);
	if (!err)
		err = limits_create(&st->limits);
	st->quiet = flow_grace_ended(st->flows);
	return err;
}

int stateful_create(const struct stateful_config *sc, struct names *names, struct stateful **out)
{
	struct stateful *st = calloc(1, sizeof(*st));
	int err;

	if (!st)
		return -ENOMEM;
	err = make_flows(sc->conntrack, sc->workers, sc->now, st);
	if (!err)
		err = make_ports(sc->conntrack, sc->nat_bitmap, st);
	if (!err)
		err = make_rest(sc, names, st);
	if (err)
		stateful_destroy(st, NULL, NULL);
	else
		*out = st;
	return err;
}

/* The ports first: from then on they say themselves that they are in doubt, should we be killed
 * while flows, which then are not, are repaired. */
static int adopt_pair(const struct stateful_config *sc, int flows_fd, int ports_fd,
		      struct stateful *st, char *why, size_t size)
{
	bool dirty = false;
	int err = natports_adopt(ports_fd, sc->nat_bitmap, &st->ports, &dirty, why, size);

	dirty |= sc->nat_bitmap_lost;
	if (err)
		close(ports_fd);
	else
		err = flow_table_adopt(flows_fd, sc->workers, &st->flows, &dirty, why, size);
	if (err)
		close(flows_fd);
	else if (dirty)
		flows_repair_ports(st);
	else
		natports_accept(st->ports);
	return err;
}

int stateful_adopt(const struct stateful_config *sc, int flows_fd, int ports_fd,
		   struct names *names, struct stateful **out, char *why, size_t size)
{
	struct stateful *st = calloc(1, sizeof(*st));
	int err;

	if (!st) {
		snprintf(why, size, "out of memory");
		close(ports_fd);
		close(flows_fd);
		return -ENOMEM;
	}
	err = adopt_pair(sc, flows_fd, ports_fd, st, why, size);
	if (!err) {
		err = make_rest(sc, names, st);
		if (err)
			snprintf(why, size, "%s", strerror(-err));
	}
	if (err)
		stateful_destroy(st, NULL, NULL);
	else
		*out = st;
	return err;
}

void stateful_destroy(struct stateful *st, void (*drop)(void *arg, struct pkt *p), void *arg)
{
	if (!st)
		return;
	if (st->frags)
		frags_destroy(st->frags, drop, arg);
	flow_table_destroy(st->flows);
	natports_destroy(st->ports);
	sets_destroy(st->sets);
	limits_destroy(st->limits);
	free(st);
}

/* ---- a policy */

static uint32_t ticks(const struct conf_conntrack *c, enum conf_ct_timeout which)
{
	return c->timeout[which] * (uint32_t)TICKS_PER_SEC;
}

static void tcp_options(const struct conf_conntrack *c, struct ct_options *o)
{
	static const struct {
		enum tcp_state state;
		enum conf_ct_timeout timeout;
	} states[] = {
		{ TCP_SYN_SENT, CONF_TIMEOUT_TCP_SYN_SENT },
		{ TCP_SYN_RECV, CONF_TIMEOUT_TCP_SYN_RECV },
		{ TCP_ESTABLISHED, CONF_TIMEOUT_TCP_ESTABLISHED },
		{ TCP_FIN_WAIT, CONF_TIMEOUT_TCP_FIN_WAIT },
		{ TCP_CLOSE_WAIT, CONF_TIMEOUT_TCP_CLOSE_WAIT },
		{ TCP_LAST_ACK, CONF_TIMEOUT_TCP_LAST_ACK },
		{ TCP_TIME_WAIT, CONF_TIMEOUT_TCP_TIME_WAIT },
		{ TCP_CLOSE, CONF_TIMEOUT_TCP_CLOSE },
		{ TCP_SYN_SENT2, CONF_TIMEOUT_TCP_SYN_SENT2 },
	};

	for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		o->tcp_timeouts.state[states[i].state] = ticks(c, states[i].timeout);
	o->tcp_timeouts.state[TCP_NONE] = ticks(c, CONF_TIMEOUT_TCP_SYN_SENT);
	o->tcp_timeouts.max_retrans = ticks(c, CONF_TIMEOUT_TCP_MAX_RETRANS);
	o->tcp_timeouts.unacknowledged = ticks(c, CONF_TIMEOUT_TCP_UNACKNOWLEDGED);
	o->tcp = (struct tcp_options){ .loose = c->loose,
				       .liberal = c->liberal,
				       .revive = c->revive,
				       .max_retrans = c->max_retrans };
}

static void ct_options(const struct conf_conntrack *c, struct ct_options *o)
{
	tcp_options(c, o);
	o->udp = ticks(c, CONF_TIMEOUT_UDP);
	o->udp_stream = ticks(c, CONF_TIMEOUT_UDP_STREAM);
	o->icmp = ticks(c, CONF_TIMEOUT_ICMP);
	o->gre = ticks(c, CONF_TIMEOUT_GRE);
	o->gre_stream = ticks(c, CONF_TIMEOUT_GRE_STREAM);
	o->sctp = ticks(c, CONF_TIMEOUT_SCTP);
	o->sctp_established = ticks(c, CONF_TIMEOUT_SCTP_ESTABLISHED);
	o->generic = ticks(c, CONF_TIMEOUT_GENERIC);
	o->checksum = c->checksum;
	o->outbound_refresh = c->outbound_refresh;
}

void policy_destroy(struct policy *p)
{
	if (!p)
		return;
	filter_destroy(p->filter);
	nat_destroy(p->nat);
	free(p);
}

static bool wants_nat(const struct conf *c)
{
	return c->nnat_source || c->nnat_destination || c->nnat_static;
}

static bool wants_filter(const struct conf *c)
{
	return c->nchains || c->nzones;
}

int policy_build(const struct policy_config *pc, struct policy **out, char *why, size_t size)
{
	const struct conf *c = pc->conf;
	struct match_context context = { c, pc->names, pc->st->sets, pc->st->limits };
	struct policy *p = calloc(1, sizeof(*p));
	int err = 0;

	if (!p)
		return -ENOMEM;
	ct_options(&c->conntrack, &p->ct);
	p->generation = 1;
	p->per_zone_max = c->conntrack.per_zone_max;
	limits_build_begin(pc->st->limits);
	if (wants_filter(c))
		err = filter_build(&context, pc->workers, &p->filter, why, size);
	if (!err && wants_nat(c))
		err = nat_build(&context, pc->st->ports, pc->local, pc->nlocal, pc->workers,
				&p->nat, why, size);
	if (err) {
		policy_destroy(p);
		return err;
	}
	p->syns = p->filter && filter_wants_syns(p->filter);
	*out = p;
	return 0;
}

/* ---- on trial */

int policy_try(const struct conf *c, char *why, size_t size)
{
	struct stateful_config sc = {
		.conntrack = &c->conntrack, .workers = 1, .frames = HELD_SHARE, .now = clock_now()
	};
	struct names names = { 0 };
	struct policy_config pc = { .conf = c, .names = &names, .workers = 1 };
	struct policy *p = NULL;
	int err;

	if (!c->conntrack.enabled && !conf_filters_shaping(c))
		return 0;
	err = stateful_create(&sc, &names, &pc.st);
	if (err)
		snprintf(why, size, "tables of connection tracking: %s", strerror(-err));
	else
		err = sets_follow(pc.st->sets, c, why, size);
	if (!err && c->conntrack.enabled)
		err = policy_build(&pc, &p, why, size);
	policy_destroy(p);
	stateful_destroy(pc.st, NULL, NULL);
	names_fini(&names);
	return err;
}
