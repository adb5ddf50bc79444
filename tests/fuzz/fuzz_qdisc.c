// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any tree of qdiscs (qdisc_genes.h), changed under any load on any clock. After each step the
 * books balance (tests/unit/qdisc_books.h); no packet leaves before the time the tree has named,
 * none twice, none before an earlier one of its flow but under netem; none stays for ever; no frame
 * is lost.
 */
#define LAB_FRAMES 256u

#include "tests/fuzz/qdisc_genes.h"
#include "tests/unit/qdisc_books.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BUDGET	    200u
#define PATIENCE    100000 /* steps until a tree without new packets is empty */
#define HANDLE_PRIO 0x40u

struct input {
	const uint8_t *at, *end;
};

static uint8_t next(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

/* What is known of a frame that is out. */
struct out {
	bool is_out;
	bool may_overtake; /* netem had a hand in it */
	uint8_t flow;
	uint32_t serial, epoch;
};

/* The last packet of a flow that left. */
struct left {
	uint32_t serial, epoch;
};

static struct {
	struct lab l;
	struct gene genes[NODES];
	struct grown grown[2]; /* the one in use, and the next */
	unsigned which;
	bool netem;	  /* the tree has one */
	uint32_t epoch;	  /* configurations so far: they decide where a flow goes */
	uint64_t promise; /* nothing leaves before */
	uint64_t sent, taken;
	struct out out[LAB_FRAMES];
	struct left left[256];
} z;

static struct out *out_of(const uint8_t *data)
{
	return &z.out[(uint64_t)(data - z.l.memory) >> LAB_SHIFT];
}

/* Only netem makes frames: copies. */
static uint8_t *alloc_copy(struct dp *dp)
{
	uint8_t *frame = lab_alloc(dp);

	if (frame) {
		assert(!out_of(frame)->is_out);
		*out_of(frame) = (struct out){ .is_out = true, .may_overtake = true };
	}
	return frame;
}

static void free_frame(struct dp *dp, const uint8_t *data)
{
	assert(out_of(data)->is_out);
	out_of(data)->is_out = false;
	lab_free(dp, data);
}

/* ---- the invariants */

/* What they have to say is there at any time. */
static void ask(const struct qdisc *q)
{
	struct qdisc_value values[QDISC_VALUES_MAX];
	unsigned n = q->ops->values ? q->ops->values(q, values) : 0;

	assert(n <= QDISC_VALUES_MAX);
	for (unsigned i = 0; i < n; i++)
		assert(values[i].name && values[i].unit <= QDISC_BYTES);
}

static void ask_all(const struct qdisc_tree *t)
{
	struct qdisc_value values[QDISC_VALUES_MAX];

	ask(t->root);
	for (uint32_t i = 0; i < t->ncls; i++) {
		const struct qclass *cl = t->cls[i];

		if (cl && cl->child)
			ask(cl->child);
		if (cl && cl->qdisc->ops->class_values)
			assert(cl->qdisc->ops->class_values(cl, values) <= QDISC_VALUES_MAX);
	}
}

static void check(void)
{
	uint64_t drops = 0;

	assert(books_balance(&z.l));
	ask_all(z.l.t);
	for (unsigned i = 0; i < DROP__COUNT; i++)
		drops += z.l.count->drop[i];
	assert(z.sent + z.l.count->generated == z.taken + drops + z.l.t->held);
}

static void check_order(const struct out *o)
{
	struct left *left = &z.left[o->flow];

	if (o->may_overtake)
		return;
	assert(left->epoch != o->epoch || left->serial < o->serial);
	if (left->epoch <= o->epoch)
		*left = (struct left){ .serial = o->serial, .epoch = o->epoch };
}

/* ---- steps */

/* A packet of one of 256 flows, each of which always looks the same. */
static void send_one(uint8_t flow, uint16_t len)
{
	const struct qdisc_tree *t = z.l.t;
	struct qpkt *p;
	struct out *o;

	if (!z.l.nfree)
		return;
	p = lab_packet(&z.l, len, flow * 0x9e3779b1u);
	if (t->ncls && t->cls[flow % t->ncls])
		p->cls = flow % t->ncls;
	p->priority = flow & HANDLE_PRIO ? CONF_HANDLE(1 + flow % 4u, flow % 8u) : flow % 16u;
	z.l.memory[p->addr + ETH_HLEN + 1] |= flow & 3; /* ECN */
	o = out_of(z.l.memory + p->addr);
	assert(!o->is_out);
	*o = (struct out){ .is_out = true,
			   .may_overtake = z.netem,
			   .flow = flow,
			   .serial = z.l.serial,
			   .epoch = z.epoch };
	z.sent++;
	z.promise = 0;
	tree_enqueue(z.l.t, p);
}

static bool take(void)
{
	const struct qdisc_tree *t = z.l.t;
	struct qpkt *p = tree_dequeue(z.l.t);

	if (!p) {
		assert(!t->root->qlen || (t->wake != QDISC_NEVER && t->wake > t->now));
		z.promise = t->root->qlen ? t->wake : 0;
		return false;
	}
	assert(t->now >= z.promise && t->now >= p->enqueued);
	z.taken++;
	check_order(out_of(z.l.memory + p->addr));
	free_frame(z.l.dp, z.l.memory + p->addr);
	return true;
}

/* The genes have changed. */
static void change(void)
{
	struct grown *g = &z.grown[z.which ^= 1];

	grow(g, z.genes);
	lab_change(&z.l, &g->tree);
	z.netem = false;
	for (unsigned i = 0; i < g->tree.nqdiscs; i++)
		z.netem |= g->qdiscs[i].kind == CONF_QDISC_NETEM;
	z.epoch++;
	z.promise = 0;
}

static void mutate(struct input *in)
{
	unsigned at = next(in) % sizeof(z.genes);

	((uint8_t *)z.genes)[at] = next(in);
}

static void pass_time(struct input *in)
{
	uint8_t how = next(in);

	if (how < 64 && z.l.t->wake != QDISC_NEVER && z.l.t->wake > z.l.now)
		lab_at(&z.l, z.l.t->wake - how % 2);
	else
		lab_at(&z.l, z.l.now + scaled(how) * (how % 3 ? NSEC_PER_USEC : 1));
}

static void step(struct input *in)
{
	uint8_t op = next(in), n = op / 8;

	switch (op % 8) {
	case 0:
	case 1:
	case 2:
		for (uint8_t flow = next(in), len = next(in); n; n--)
			send_one(op & 1 ? flow + n : flow, 42 + len * 6u);
		break;
	case 3: pass_time(in); break;
	case 4:
	case 5:
		while (n-- && take())
			;
		break;
	case 6:
		mutate(in);
		change();
		break;
	case 7:
		for (n %= 8; n; n--)
			mutate(in);
		change();
		break;
	}
	check();
}

/* Without new packets everything leaves, or is dropped, in the end. */
static void drain(void)
{
	unsigned steps = 0;

	while (z.l.t->root->qlen) {
		steps++;
		assert(steps < PATIENCE);
		if (!take() && z.l.t->root->qlen)
			lab_at(&z.l, z.l.t->wake);
	}
	check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	bool to_the_end = next(&in) & 1;

	memset(&z, 0, sizeof(z));
	for (unsigned i = 0; i < sizeof(z.genes); i++)
		((uint8_t *)z.genes)[i] = next(&in);
	grow(&z.grown[0], z.genes);
	lab_open(&z.l, &z.grown[0].tree, BUDGET);
	z.l.dp->alloc = alloc_copy;
	z.l.dp->free = free_frame;
	change(); /* nothing changes: only to know what it is */
	while (in.at < in.end)
		step(&in);
	if (to_the_end)
		drain();
	lab_close(&z.l);
	return 0;
}
