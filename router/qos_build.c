// SPDX-License-Identifier: GPL-2.0-or-later
/* See qos_build.h. */
#include "router/qos_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "router/lib/clock.h"
#include "router/lib/rcu.h"
#include "router/net/limit.h"
#include "router/net/qdisc/classify.h"
#include "router/net/qdisc/tc_match.h"
#include "router/net/qdisc/tree.h"
#include "router/shaper.h"

#define FRAMES_WANTED 12288 /* of a tree: more than fq_codel's limit */
#define FRAMES_LEAST  64
#define MTU_UNKNOWN   1500

/* ---- what the configuration says of a port */

static const struct conf_qos *conf_of(const struct conf *c, const char *iface)
{
	for (unsigned i = 0; iface && i < c->nqos; i++)
		if (!strcmp(c->qos[i].iface, iface))
			return &c->qos[i];
	return NULL;
}

static const struct conf_tree *tree_of(const struct conf_qos *q, unsigned which)
{
	const struct conf_tree *t = !q ? NULL : which == QOS_IFB ? &q->ifb : &q->egress;

	return t && t->nqdiscs ? t : NULL;
}

static bool is_all(const struct conf_mirror *m)
{
	static const struct conf_match any;

	return !memcmp(&m->match, &any, sizeof(any)) && !tc_frame_any(&m->frame);
}

/* Is all that comes in there sent on, so that nothing is left for Linux? */
static bool is_cross(const struct conf *c, const char *iface)
{
	for (unsigned i = 0; i < c->nredirects; i++)
		if (!strcmp(c->redirects[i].from, iface) && is_all(&c->redirects[i]))
			return true;
	return false;
}

uint32_t qos_frames(const struct conf *c)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < c->nqos; i++) {
		const struct conf_qos *q = &c->qos[i];
		uint32_t each = q->frames ? q->frames : FRAMES_WANTED;

		n += each * ((q->egress.nqdiscs != 0) + (q->ifb.nqdiscs != 0));
	}
	return n;
}

/* A tree's share of the packet memory that ports do not need. */
static uint32_t budget(const struct qos_env *e, const struct conf_qos *q)
{
	uint32_t spare = e->spare > e->frames / 4 ? e->spare : e->frames / 4, trees = 0, share;
	const struct conf *c = e->conf;

	for (unsigned i = 0; i < c->nqos; i++)
		trees += (c->qos[i].egress.nqdiscs != 0) + (c->qos[i].ifb.nqdiscs != 0);
	share = spare / (trees ? trees : 1);
	if (share > (q->frames ? q->frames : FRAMES_WANTED))
		share = q->frames ? q->frames : FRAMES_WANTED;
	return share > FRAMES_LEAST ? share : FRAMES_LEAST;
}

static uint64_t seed(void)
{
	uint64_t n = 0;

	return getrandom(&n, sizeof(n), 0) == sizeof(n) ? n : clock_now();
}

static struct tree_config tree_config(const struct qos_env *e, const struct conf_qos *q,
				      const struct conf_tree *t, uint32_t mtu)
{
	return (struct tree_config){
		.conf = t, .mtu = mtu ? mtu : MTU_UNKNOWN, .budget = budget(e, q), .seed = seed()
	};
}

/* ---- filters */

/* Handles of classes, and the indexes they have or will have. */
struct building {
	const struct qos_env *e;
	const struct tree_index *index;
};

static int port_of(void *arg, const char *iface)
{
	const struct qos_env *e = ((struct building *)arg)->e;

	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (e->port[i].iface && !strcmp(e->port[i].iface, iface))
			return (int)i;
	return -1;
}

/* While a configuration is only tried, its ports are not there yet. */
static int port_assumed(void *arg, const char *iface)
{
	(void)arg, (void)iface;
	return 0;
}

static uint32_t class_of(void *arg, uint32_t classid)
{
	const struct building *b = arg;

	return b->index ? tree_index_find(b->index, classid) : QCLASS_NONE;
}

static int filters_build(const struct qos_control *qc, const struct qos_env *e, const char *iface,
			 bool in, const struct tree_index *index, bool dry, struct tc_filters **out,
			 char *why, size_t size)
{
	const struct conf_qos *q = conf_of(e->conf, iface);
	struct building b = { e, index };
	struct tc_context context = {
		.match = { .conf = e->conf,
			   .names = e->names,
			   .sets = e->sets,
			   .limits = qc->limits },
		.policers = qc->policers,
		.nworkers = e->nworkers,
		.port_of = dry ? port_assumed : port_of,
		.class_of = class_of,
		.arg = &b,
		.mirror = shape_mirror,
	};
	struct tc_place place = { .iface = iface,
				  .direction = in ? CONF_DIRECTION_IN : CONF_DIRECTION_OUT,
				  .ingress = in && q ? q->ingress : NULL,
				  .ningress = in && q ? q->ningress : 0,
				  .tree = tree_of(q, in ? QOS_IFB : QOS_EGRESS) };

	memcpy(context.secret, qc->secret, sizeof(context.secret));
	return tc_filters_build(&context, &place, out, why, size);
}

/* ---- what stays for good */

/* Zeroed, and there when it is touched. NULL: no memory. */
static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int prepare(struct qos_control *q, const struct qos_env *e, char *why, size_t size)
{
	int err = 0;

	if (!q->policers) {
		err = policers_create(&q->policers);
		if (!err && getrandom(q->secret, sizeof(q->secret), 0) != sizeof(q->secret))
			err = -EAGAIN;
	}
	if (!err && !q->limits)
		err = limits_create(&q->limits);
	if (!err && !q->qpkt) {
		q->qpkt_size = e->frames * sizeof(*q->qpkt);
		q->qpkt = map(q->qpkt_size);
		err = q->qpkt ? 0 : -ENOMEM;
	}
	if (!err && !q->flow_class && e->flows) {
		q->flow_class_size = flow_table_units(e->flows) * sizeof(struct flow_class);
		q->flow_class = map(q->flow_class_size);
		err = q->flow_class ? 0 : -ENOMEM;
	}
	if (err)
		snprintf(why, size, "qos: %s", strerror(-err));
	return err;
}

/* ---- trying */

static int try_place(const struct qos_control *qc, const struct qos_env *e, const char *iface,
		     bool in, char *why, size_t size)
{
	const struct conf_qos *q = conf_of(e->conf, iface);
	const struct conf_tree *t = tree_of(q, in ? QOS_IFB : QOS_EGRESS);
	struct tree_config config;
	struct qdisc_tree *tree = NULL;
	struct tree_index *index = NULL;
	struct tc_filters *filters = NULL;
	int err = 0;

	if (t) {
		config = tree_config(e, q, t, 0);
		err = tree_create(&config, &tree);
		if (!err)
			err = tree_index_create(tree, NULL, &index);
		if (err)
			snprintf(why, size, "qos.%s: %s", iface, strerror(-err));
	}
	if (!err)
		err = filters_build(qc, e, iface, in, index, true, &filters, why, size);
	tc_filters_destroy(filters);
	tree_index_destroy(index);
	tree_destroy(tree, NULL);
	return err;
}

int qos_try(struct qos_control *q, const struct qos_env *e, char *why, size_t size)
{
	const struct conf *c = e->conf;
	int err;

	if (!conf_filters_shaping(c))
		return 0;
	err = prepare(q, e, why, size);
	if (err)
		return err;
	policers_build_begin(q->policers);
	limits_build_begin(q->limits);
	for (unsigned i = 0; i < c->nifaces && !err; i++) {
		err = try_place(q, e, c->ifaces[i].name, false, why, size);
		if (!err)
			err = try_place(q, e, c->ifaces[i].name, true, why, size);
	}
	return err;
}

/* ---- following */

/* One tree on its way from what it is to what it shall be. */
struct step {
	struct tree_change *change; /* of the tree there is */
	struct shaper *fresh;	    /* instead of none */
	struct tree_index *index;
	bool goes;
};

struct follow {
	struct qos_control *q;
	const struct qos_env *e;
	struct qos *next;
	struct step step[PORTS_MAX][QOS_TREES];
};

static unsigned owner_of(const struct qos_env *e, unsigned port, unsigned which)
{
	/* Between two ports, what leaves by one was received by the worker of the other. */
	return (which == QOS_IFB ? port : port ^ 1u) % e->nworkers;
}

static int step_plan(struct follow *f, unsigned port, unsigned which)
{
	const struct qos_env *e = f->e;
	struct qos_tree *at = &f->q->tree[port][which];
	struct step *s = &f->step[port][which];
	const struct conf_qos *q = conf_of(e->conf, e->port[port].iface);
	const struct conf_tree *t = tree_of(q, which);
	struct qdisc_tree *tree = NULL;
	struct tree_config config;
	int err;

	if (at->shaper && shaper_is_busy(at->shaper))
		return -EBUSY; /* its owner did not turn; a plan would start from what it is not */
	tree_change_destroy(at->late);
	at->late = NULL;
	s->goes = !t && at->shaper;
	if (!t)
		return 0;
	config = tree_config(e, q, t, e->port[port].mtu);
	if (at->shaper) {
		err = tree_plan(at->shaper->tree, at->conf, &config, &s->change);
		return err ? err : tree_index_create(at->shaper->tree, s->change, &s->index);
	}
	err = tree_create(&config, &tree);
	if (!err)
		err = tree_index_create(tree, NULL, &s->index);
	if (!err)
		err = shaper_create(tree, port, which == QOS_IFB, owner_of(e, port, which),
				    e->nworkers, &s->fresh);
	if (err)
		tree_destroy(tree, NULL);
	else
		at->conf = t;
	return err;
}

static int plan_port(struct follow *f, unsigned port, char *why, size_t size)
{
	const char *iface = f->e->port[port].iface;
	struct qos_port *at = &f->next->port[port];
	int err = step_plan(f, port, QOS_EGRESS);

	if (!err)
		err = step_plan(f, port, QOS_IFB);
	if (err || !iface)
		return err;
	err = filters_build(f->q, f->e, iface, false, f->step[port][QOS_EGRESS].index, false,
			    &at->out, why, size);
	return err ? err
		   : filters_build(f->q, f->e, iface, true, f->step[port][QOS_IFB].index, false,
				   &at->in, why, size);
}

/* Shapers of what the file wants; those that go are still run, to be emptied. */
static void list_shapers(const struct qos_control *qc, struct qos *q)
{
	q->nshapers = 0;
	/* what comes in first: it may go into the others at once */
	for (int which = QOS_TREES - 1; which >= 0; which--)
		for (unsigned i = 0; i < PORTS_MAX; i++) {
			struct shaper *s = qc->tree[i][which].shaper;

			if (s)
				q->shaper[q->nshapers++] = s;
		}
}

static void fill_port(struct follow *f, unsigned i)
{
	struct qos *q = f->next;
	struct qos_port *at = &q->port[i];

	at->egress = f->step[i][QOS_EGRESS].goes ? NULL : f->q->tree[i][QOS_EGRESS].shaper;
	at->ifb = f->step[i][QOS_IFB].goes ? NULL : f->q->tree[i][QOS_IFB].shaper;
	if (at->egress || at->out)
		q->shaped |= 1ull << i;
	if (at->ifb || at->in)
		q->ingress |= 1ull << i;
	if (f->e->port[i].iface && is_cross(f->e->conf, f->e->port[i].iface))
		q->whole |= 1ull << i;
}

/* Whoever sleeps looks at its trees: another worker may have handed it something between the two
 * stores, for a tree that it did not know yet. */
static void publish(const struct qos_env *e, const struct qos *q)
{
	for (unsigned w = 0; w < e->nworkers; w++)
		__atomic_store_n(&e->worker[w]->qos, q, __ATOMIC_SEQ_CST);
	for (unsigned w = 0; w < e->nworkers; w++)
		worker_wake(e->worker[w]);
	rcu_wait();
}

/* Trees there are take their changes. */
static void change_trees(struct follow *f)
{
	for (unsigned i = 0; i < PORTS_MAX; i++)
		for (unsigned which = 0; which < QOS_TREES; which++) {
			struct qos_tree *at = &f->q->tree[i][which];
			struct step *s = &f->step[i][which];

			if (s->change) {
				shaper_change(at->shaper, s->change);
				if (f->e->wait(f->e->arg, at->shaper))
					tree_change_destroy(s->change);
				else
					at->late = s->change;
				s->change = NULL;
			}
			if (at->shaper && !s->goes)
				at->conf = tree_of(conf_of(f->e->conf, f->e->port[i].iface), which);
			if (s->fresh) {
				at->shaper = s->fresh;
				s->fresh = NULL;
			}
		}
}

/* Trees that their owners have emptied: nobody runs them any more, then they are freed. */
static void trees_bury(struct qos_control *q, const struct qos_env *e)
{
	struct shaper *gone[PORTS_MAX * QOS_TREES];
	struct qos *first = q->published, *second;
	unsigned n = 0;

	for (unsigned i = 0; i < first->nshapers; i++)
		if (shaper_is_empty(first->shaper[i]))
			gone[n++] = first->shaper[i];
	second = n ? malloc(sizeof(*second)) : NULL;
	if (!second) /* or they stay, empty and run for nothing, until the next time */
		return;
	*second = *first;
	for (unsigned i = 0; i < PORTS_MAX; i++)
		for (unsigned which = 0; which < QOS_TREES; which++) {
			struct qos_tree *at = &q->tree[i][which];

			if (at->shaper && shaper_is_empty(at->shaper))
				*at = (struct qos_tree){ 0 };
		}
	list_shapers(q, second);
	publish(e, second);
	q->published = second;
	free(first);
	while (n--) {
		tree_destroy(gone[n]->tree, NULL);
		shaper_destroy(gone[n]);
	}
}

/* No worker files packets into them any more. An owner that does not turn does it later. */
static void trees_go(struct follow *f)
{
	for (unsigned i = 0; i < PORTS_MAX; i++)
		for (unsigned which = 0; which < QOS_TREES; which++) {
			struct qos_tree *at = &f->q->tree[i][which];

			if (!f->step[i][which].goes)
				continue;
			at->conf = NULL;
			shaper_leave(at->shaper);
			f->e->wait(f->e->arg, at->shaper);
		}
	trees_bury(f->q, f->e);
}

/* Counters of filters go on, if there is such a port still. */
static void carry_over(const struct qos *old, struct qos *next)
{
	for (unsigned i = 0; old && i < PORTS_MAX; i++) {
		if (next->port[i].out && old->port[i].out)
			tc_filters_carry_over(next->port[i].out, old->port[i].out);
		if (next->port[i].in && old->port[i].in)
			tc_filters_carry_over(next->port[i].in, old->port[i].in);
	}
}

static void qos_free(struct qos *q)
{
	for (unsigned i = 0; q && i < PORTS_MAX; i++) {
		tc_filters_destroy(q->port[i].out);
		tc_filters_destroy(q->port[i].in);
	}
	free(q);
}

static void steps_free(struct follow *f)
{
	for (unsigned i = 0; i < PORTS_MAX; i++)
		for (unsigned which = 0; which < QOS_TREES; which++) {
			struct step *s = &f->step[i][which];

			tree_change_destroy(s->change);
			tree_index_destroy(s->index);
			if (s->fresh)
				tree_destroy(s->fresh->tree, NULL);
			shaper_destroy(s->fresh);
		}
}

static int follow(struct follow *f, char *why, size_t size)
{
	int err = 0;

	policers_build_begin(f->q->policers);
	limits_build_begin(f->q->limits);
	for (unsigned i = 0; i < PORTS_MAX && !err; i++)
		err = plan_port(f, i, why, size);
	if (err == -EBUSY)
		snprintf(why, size, "a worker has not carried out the last change yet");
	if (err)
		return err;
	change_trees(f);
	list_shapers(f->q, f->next);
	for (unsigned i = 0; i < PORTS_MAX; i++)
		fill_port(f, i);
	f->next->qpkt = f->q->qpkt;
	f->next->flow_class = f->q->flow_class;
	return 0;
}

int qos_update(struct qos_control *q, const struct qos_env *e, char *why, size_t size)
{
	static struct follow f; /* [control] only; large */
	struct qos *old = q->published;
	int err;

	if (!conf_filters_shaping(e->conf) && !old)
		return 0;
	memset(&f, 0, sizeof(f));
	f.q = q;
	f.e = e;
	f.next = calloc(1, sizeof(*f.next));
	err = f.next ? prepare(q, e, why, size) : -ENOMEM;
	if (!err && old)
		trees_bury(q, e);
	old = q->published;
	if (!err)
		err = follow(&f, why, size);
	if (err) {
		qos_free(f.next);
	} else {
		carry_over(old, f.next);
		publish(e, f.next);
		q->published = f.next;
		trees_go(&f);
		qos_free(old);
		policers_sweep(q->policers);
		limits_sweep(q->limits);
	}
	steps_free(&f);
	return err;
}

void qos_fini(struct qos_control *q, struct worker *const *worker)
{
	for (unsigned i = 0; i < PORTS_MAX; i++)
		for (unsigned which = 0; which < QOS_TREES; which++) {
			struct shaper *s = q->tree[i][which].shaper;

			tree_change_destroy(q->tree[i][which].late);
			if (!s)
				continue;
			shaper_drain(s, &worker[s->owner]->dp);
			tree_destroy(s->tree, &worker[s->owner]->dp);
			shaper_destroy(s);
		}
	qos_free(q->published);
	policers_destroy(q->policers);
	limits_destroy(q->limits);
	if (q->qpkt)
		munmap(q->qpkt, q->qpkt_size);
	if (q->flow_class)
		munmap(q->flow_class, q->flow_class_size);
	conf_destroy(q->kept);
	*q = (struct qos_control){ 0 };
}
