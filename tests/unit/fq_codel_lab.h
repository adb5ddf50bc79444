/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An fq_codel alone at the root, whose flows are told apart by number. */
#ifndef TESTS_UNIT_FQ_CODEL_LAB_H
#define TESTS_UNIT_FQ_CODEL_LAB_H

#include "router/net/qdisc/qflow.h"
#include "tests/unit/qdisc_lab.h"

#define MS NSEC_PER_MSEC

static const struct conf_qdisc defaults = {
	.handle = CONF_HANDLE(1, 0),
	.parent = CONF_ROOT,
	.kind = CONF_QDISC_FQ_CODEL,
	.fq_codel = { .limit = 10240,
		      .flows = 1024,
		      .target = 5 * MS,
		      .interval = 100 * MS,
		      .ce_threshold = UINT64_MAX,
		      .memory_limit = 32 << 20,
		      .drop_batch = 64,
		      .ecn = true },
};

static inline struct conf_tree one(struct conf_qdisc *q)
{
	return (struct conf_tree){ .qdiscs = q, .nqdiscs = 1 };
}

static inline int64_t value(const struct qdisc *q, const char *name)
{
	struct qdisc_value v[QDISC_VALUES_MAX];
	unsigned n = q->ops->values(q, v);

	for (unsigned i = 0; i < n; i++)
		if (!strcmp(v[i].name, name))
			return v[i].value;
	fail_msg("no value %s", name);
	return 0;
}

/* A packet of the flow in bucket n - 1, by priority, so that no two share one by accident. */
static inline void send_to(struct lab *l, uint16_t len, uint32_t n)
{
	struct qpkt *p = lab_packet(l, len, n * 7919);

	p->priority = CONF_HANDLE(1, n);
	tree_enqueue(l->t, p);
}

static inline uint32_t flow_of(const struct qpkt *p)
{
	return CONF_MINOR(p->priority);
}

/* Who leaves next, as flow numbers in a string. */
static inline void expect(struct lab *l, const char *order)
{
	for (const char *c = order; *c; c++) {
		struct qpkt *p = lab_take(l);

		assert_non_null(p);
		if (flow_of(p) != (uint32_t)(*c - '0'))
			fail_msg("flow %u at %zu of %s", flow_of(p), (size_t)(c - order), order);
	}
}

#endif
