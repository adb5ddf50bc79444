// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the configuration of shaping means (S1, S4, S5, S9 to S17): units, defaults, handles,
 * parents and the order of what is handed on; and that all of it prints as what loads the same
 * again. What is refused is in tests/config/qos-*. Run from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "config/conf.h"
#include "config/schema.h"
#include "config/value.h"
#include "tests/unit/conf_util.h"

#define PORTS "version: 1\ninterfaces: {w: {}, l: {}, m: {}}\n"

/* A file of one tree at w. */
static struct conf *load_tree(const char *tree)
{
	char *text = NULL;

	assert_true(asprintf(&text, PORTS "qos: {w: {egress: %s}}\n", tree) > 0);
	struct conf *c = load_good("t.yaml", text);
	free(text);
	return c;
}

static const struct conf_class *class_named(const struct conf_tree *t, const char *name)
{
	for (unsigned i = 0; i < t->nclasses; i++)
		if (!strcmp(t->classes[i].name, name))
			return &t->classes[i];
	fail_msg("no class %s", name);
	return NULL;
}

static const struct conf_qdisc *qdisc_in(const struct conf_tree *t, uint32_t parent)
{
	for (unsigned i = 0; i < t->nqdiscs; i++)
		if (t->qdiscs[i].parent == parent)
			return &t->qdiscs[i];
	fail_msg("nothing is in %x", parent);
	return NULL;
}

/* ---- units */

static const struct unit_case {
	const char *row, *text;
	uint64_t value;
	const char *printed;
} unit_cases[] = {
#define ROOT "qos.*.egress.root"
	{ "qos.*.egress.classes.*.rate", "95mbit", 11875000, "95mbit" },
	{ "qos.*.egress.classes.*.rate", "1.5mbit", 187500, "1500kbit" },
	{ "qos.*.egress.classes.*.rate", "8bit", 1, "8bit" },
	{ "qos.*.egress.classes.*.rate", "10Gbit", 1250000000, "10gbit" },
	{ "qos.*.egress.classes.*.rate", "1tbit", 125000000000, "1000gbit" },
	{ "qos.*.egress.classes.*.rate", "8kibit", 1024, "8192bit" },
	{ "qos.*.egress.classes.*.rate", "1mibit", 131072, "1048576bit" },
	{ "qos.*.egress.classes.*.burst", "15kb", 15360, "15kb" },
	{ "qos.*.egress.classes.*.burst", "15k", 15360, "15kb" },
	{ "qos.*.egress.classes.*.burst", "1.5kb", 1536, "1536b" },
	{ "qos.*.egress.classes.*.burst", "1mb", 1 << 20, "1mb" },
	{ "qos.*.egress.classes.*.burst", "1gb", 1 << 30, "1024mb" },
	{ "qos.*.egress.classes.*.burst", "8kbit", 1024, "1kb" },
	{ ROOT ".codel.target", "5ms", 5000000, "5ms" },
	{ ROOT ".codel.target", "0.5ms", 500000, "500us" },
	{ ROOT ".codel.target", "1.000000001s", 1000000001, "1000000001ns" },
	{ ROOT ".codel.target", "2s", 2000000000, "2s" },
#undef ROOT
};

static void test_units(void **state)
{
	(void)state;

	for (unsigned i = 0; i < sizeof(unit_cases) / sizeof(unit_cases[0]); i++) {
		const struct unit_case *u = &unit_cases[i];
		const struct schema_row *row = schema_find(u->row);
		char buf[VALUE_TEXT_MAX];
		struct value_error e;
		uint64_t value = 0;
		assert_non_null(row);
		assert_int_equal(row->size, sizeof(value));
		assert_int_equal(value_parse(row, u->text, &value, &e), 0);
		assert_int_equal(value, u->value);
		assert_string_equal(value_format(row, &value, buf), u->printed);
	}
}

/* All 2^32 shares of a whole print as a decimal that reads back; here, those where it is tight. */
static void test_percentages(void **state)
{
	const struct schema_row *row = schema_find("qos.*.egress.root.netem.corrupt");
	const struct schema_row *plain = schema_find("qos.*.egress.root.red.probability");
	char buf[VALUE_TEXT_MAX];
	struct value_error e;
	uint32_t value, again;
	(void)state;

	assert_int_equal(value_parse(row, "100%", &value, &e), 0);
	assert_int_equal(value, UINT32_MAX);
	assert_int_equal(value_parse(row, "0.1%", &value, &e), 0);
	assert_int_equal(value, 4294967);
	assert_string_equal(value_format(row, &value, buf), "0.1%");
	assert_int_equal(value_parse(plain, "0.02", &value, &e), 0);
	assert_int_equal(value, 85899346);
	for (unsigned i = 0; i < 100000; i++) {
		value = i < 1000 ? i + 1 : i < 2000 ? UINT32_MAX - (i - 1000) : i * 42943u;
		assert_int_equal(value_parse(row, value_format(row, &value, buf), &again, &e), 0);
		assert_int_equal(value, again);
		assert_int_equal(value_parse(plain, value_format(plain, &value, buf), &again, &e),
				 0);
		assert_int_equal(value, again);
	}
}

/* ---- qdiscs */

static void test_defaults(void **state)
{
	struct conf *c = load_tree("{root: {prio: {bands: 16}, handle: \"1:\"}, qdiscs: ["
				   "{parent: \"1:1\", fq_codel: {}}, {parent: \"1:2\", codel: {}}, "
				   "{parent: \"1:3\", sfq: {}}, {parent: \"1:4\", netem: {}}, "
				   "{parent: \"1:5\", red: {min: 30kb, max: 90kb}}, "
				   "{parent: \"1:6\", htb: {}}, {parent: \"1:7\", fq-codel: {}}]}");
	const struct conf_tree *t = &c->qos[0].egress;
	const struct conf_fq_codel *fq = &qdisc_in(t, 0x10001)->fq_codel;
	const struct conf_codel *codel = &qdisc_in(t, 0x10002)->codel;
	const struct conf_sfq *sfq = &qdisc_in(t, 0x10003)->sfq;
	const struct conf_red *red = &qdisc_in(t, 0x10005)->red;
	const struct conf_htb *htb = &qdisc_in(t, 0x10006)->htb;
	(void)state;

	assert_true(fq->limit == 10240 && fq->flows == 1024 && fq->quantum == 0 && fq->ecn);
	assert_true(fq->target == 5000000 && fq->interval == 100000000 &&
		    fq->ce_threshold == UINT64_MAX && fq->memory_limit == 32 << 20 &&
		    fq->drop_batch == 64);
	assert_true(codel->limit == 1000 && codel->target == 5000000 &&
		    codel->interval == 100000000 && !codel->ecn &&
		    codel->ce_threshold == UINT64_MAX);
	assert_true(sfq->limit == 127 && sfq->depth == 127 && sfq->divisor == 1024 &&
		    sfq->flows == 127 && sfq->quantum == 0 && sfq->perturb == 0);
	assert_int_equal(qdisc_in(t, 0x10004)->netem.limit, 1000);
	assert_true(red->avpkt == 1000 && red->burst == 0 && red->limit == 0 &&
		    red->bandwidth == 1250000 && red->probability == 85899346);
	assert_true(htb->r2q == 10 && htb->direct_limit == 1000 && htb->default_minor == 0);
	assert_int_equal(qdisc_in(t, 0x10007)->kind, CONF_QDISC_FQ_CODEL);
	assert_int_equal(t->qdiscs[0].prio.priomap[0], 1);
	assert_int_equal(t->qdiscs[0].prio.priomap[6], 0);
	conf_destroy(c);
}

/* S4: latency is a limit, of the smaller bucket if there are two; the second is one frame. */
static void test_tbf(void **state)
{
	struct conf *c = load_tree("{root: {tbf: {rate: 8mbit, burst: 10kb, latency: 50ms}}}");
	const struct conf_tbf *t = &c->qos[0].egress.qdiscs[0].tbf;
	(void)state;

	assert_int_equal(t->limit, 1000000 / 20 + 10240);
	assert_int_equal(t->mtu, 0);
	conf_destroy(c);
	c = load_tree(
		"{root: {tbf: {rate: 8mbit, burst: 100kb, latency: 50ms, peakrate: 16mbit}}}");
	t = &c->qos[0].egress.qdiscs[0].tbf;
	assert_int_equal(t->mtu, 1514);
	assert_int_equal(t->limit, 2000000 / 20 + 1514);
	conf_destroy(c);
}

/* S14: what a model's missing numbers are, by tc-netem(8). */
static void test_netem(void **state)
{
	struct conf *c =
		load_tree("{root: {netem: {loss: {gemodel: [1%, 20%]}, delay: 1ms, gap: 5}}, "
			  "qdiscs: [{parent: \"8001:1\", netem: {loss: {state: [10%]}, "
			  "slot: {min: 1ms}}}]}");
	const struct conf_netem *ge = &c->qos[0].egress.qdiscs[0].netem;
	const struct conf_netem *four = &c->qos[0].egress.qdiscs[1].netem;
	(void)state;

	assert_int_equal(ge->loss_model, CONF_LOSS_GEMODEL);
	assert_int_equal(ge->gemodel[1], 858993459);
	assert_int_equal(ge->gemodel[2], UINT32_MAX);
	assert_int_equal(ge->gemodel[3], 0);
	assert_int_equal(ge->reorder, UINT32_MAX);
	assert_int_equal(four->loss_model, CONF_LOSS_STATE);
	assert_int_equal(four->state[1], UINT32_MAX - four->state[0]);
	assert_int_equal(four->state[3], UINT32_MAX);
	assert_int_equal(four->state[2] + four->state[4], 0);
	assert_int_equal(four->slot_max, 1000000);
	conf_destroy(c);
}

/* ---- handles, parents, order */

static void test_chosen_handles(void **state)
{
	struct conf *c = load_tree(
		"{root: {htb: {default: 3}}, classes: {"
		"  late: {parent: top, rate: 1mbit, leaf: {pfifo: {}}},"
		"  top: {handle: 8002:1, rate: 10mbit},"
		"  other: {parent: \"8002:1\", rate: 1mbit},"
		"  own: {handle: \"8002:3\", rate: 1mbit, leaf: {sfq: {}, handle: \"8001:\"}},"
		"  last: {parent: \"8002:\", rate: 1mbit}},"
		" qdiscs: [{parent: other, handle: \"1f:\", bfifo: {}}]}");
	const struct conf_tree *t = &c->qos[0].egress;
	(void)state;

	assert_int_equal(t->qdiscs[0].handle, 0x80020000); /* 8001: is another's */
	assert_int_equal(t->qdiscs[0].parent, CONF_ROOT);
	assert_int_equal(t->qdiscs[0].htb.default_minor, 3);
	assert_string_equal(t->qdiscs[0].htb.default_class, "own");
	assert_int_equal(class_named(t, "top")->parent, 0x80020000);
	assert_int_equal(class_named(t, "late")->handle, 0x80020002);
	assert_int_equal(class_named(t, "late")->parent, 0x80020001);
	assert_int_equal(class_named(t, "other")->handle, 0x80020004);
	assert_int_equal(class_named(t, "other")->parent, 0x80020001);
	assert_int_equal(class_named(t, "last")->handle, 0x80020005);
	assert_int_equal(qdisc_in(t, 0x80020002)->handle, 0x80030000);
	assert_int_equal(qdisc_in(t, 0x80020003)->handle, 0x80010000);
	assert_int_equal(qdisc_in(t, 0x80020004)->handle, 0x001f0000);
	conf_destroy(c);
}

static void assert_ordered(const struct conf_tree *t)
{
	for (unsigned i = 0; i < t->nqdiscs; i++) {
		bool seen = i == 0;
		for (unsigned j = 0; j < i; j++)
			seen |= t->qdiscs[j].handle == CONF_MAJOR(t->qdiscs[i].parent);
		assert_true(seen);
	}
	for (unsigned i = 0; i < t->nclasses; i++) {
		bool seen = CONF_MINOR(t->classes[i].parent) == 0;
		for (unsigned j = 0; j < i; j++)
			seen |= t->classes[j].handle == t->classes[i].parent;
		assert_true(seen);
	}
	for (unsigned i = 1; i < t->nfilters; i++)
		assert_true(t->filters[i - 1].priority <= t->filters[i].priority);
}

/* A tree that is written from the leaves up, with a qdisc below netem below a class. */
static const char upside_down[] =
	"{filters: [{priority: 9, mark: 9, class: c}, {mark: 7, class: a}, {priority: 9, mark: 8, "
	"class: a}, {priority: 2, parent: \"5:\", mark: 1, class: \"5:2\"}],"
	" qdiscs: [{parent: \"5:2\", handle: \"7:\", codel: {}}, "
	"{parent: \"4:1\", handle: \"5:\", prio: {}}, {parent: c, handle: \"4:\", netem: {}}, "
	"{parent: \"5:3\", handle: \"3:\", htb: {default: deep}}],"
	" classes: {deep: {parent: deeper, rate: 1mbit, leaf: {red: {min: 10kb, max: 20kb}}}, "
	"deeper: {parent: \"3:\", rate: 1mbit}, c: {parent: b, rate: 1mbit}, b: {parent: a0, rate: "
	"1mbit}, a0: {rate: 5mbit}, a: {parent: b, rate: 1mbit, leaf: {fq_codel: {}}}},"
	" root: {htb: {}, handle: \"1:\"}}";

static void test_order(void **state)
{
	struct conf *c = load_tree(upside_down);
	const struct conf_tree *t = &c->qos[0].egress;
	(void)state;

	assert_ordered(t);
	assert_int_equal(t->nqdiscs, 7);
	assert_int_equal(t->nclasses, 6);
	assert_int_equal(t->filters[0].classid, 0x50002);
	assert_int_equal(t->filters[1].match.mark, 9); /* of equals, as in the file */
	assert_int_equal(t->filters[2].match.mark, 8);
	assert_int_equal(t->filters[3].priority, 49152);
	conf_destroy(c);
}

/* S1: a millisecond of the rate, but a full frame at least; ceil is rate. */
static void test_classes(void **state)
{
	struct conf *c = load_tree("{root: {htb: {}}, classes: {slow: {rate: 1mbit}, fast: {rate: "
				   "1mbit, ceil: 80mbit}, set: {rate: 1mbit, burst: 4kb}}}");
	const struct conf_tree *t = &c->qos[0].egress;
	(void)state;

	assert_int_equal(class_named(t, "slow")->ceil, 125000);
	assert_int_equal(class_named(t, "slow")->burst, 1600);
	assert_int_equal(class_named(t, "slow")->cburst, 1600);
	assert_int_equal(class_named(t, "fast")->cburst, 10000);
	assert_int_equal(class_named(t, "set")->burst, 4096);
	assert_int_equal(class_named(t, "slow")->quantum, 0);
	conf_destroy(c);
}

/* ---- filters */

static void test_filters(void **state)
{
	struct conf *c = load_good(
		"t.yaml", PORTS
		"qos: {w: {ingress: [\n"
		"{vlan: {id: 0}, dst-mac: \"ff:ff:ff:ff:ff:ff\", action: drop},\n"
		"{u32: {at: 8, width: 1, value: 0x40, mask: 0xf0, nexthdr: true}, police: {rate: "
		"8mbit, burst: 10kb, peakrate: 16mbit}},\n"
		"{bytecode: \"2,40 0 0 12,6 0 0 4294967295\", action: [{mark: 0x10/0xf0}, "
		"{priority: 1:1f}, {mirror: m, snaplen: 64}, {pedit: [{at: 1, width: 1, value: "
		"0xb8, keep: 3}]}, pass]},\n"
		"{police: {packet-rate: 100, packet-burst: 5, exceed: {dscp: cs1}}}]}}\n");
	const struct conf_tc_filter *f = c->qos[0].ingress;
	(void)state;

	assert_int_equal(c->qos[0].ningress, 4);
	assert_int_equal(f[0].parent, CONF_INGRESS);
	assert_true(f[0].frame.vlan == 0 && f[0].frame.vlan_priority == -1);
	assert_true(f[0].frame.has_dst_mac && !f[0].frame.has_src_mac);
	assert_int_equal(f[0].actions[0].act, CONF_TC_DROP);
	assert_true(f[1].frame.nu32 == 1 && f[1].frame.u32[0].mask == 0xf0 &&
		    f[1].frame.u32[0].nexthdr && f[1].frame.vlan == -1);
	assert_int_equal(f[1].actions[0].act, CONF_TC_POLICE);
	assert_int_equal(f[1].actions[0].police.mtu, 1514); /* peakrate's bucket */
	assert_true(f[2].frame.nbpf == 2 && f[2].frame.bpf[1].k == UINT32_MAX);
	assert_int_equal(f[2].nactions, 5);
	assert_true(f[2].actions[0].has_mark && f[2].actions[0].mask == 0xf0 &&
		    !f[2].actions[0].has_priority);
	assert_true(f[2].actions[1].has_priority && f[2].actions[1].priority == 0x1001f);
	assert_true(!strcmp(f[2].actions[2].dev, "m") && f[2].actions[2].snaplen == 64);
	assert_true(f[2].actions[3].npedit == 1 && f[2].actions[3].pedit[0].mask == 3 &&
		    f[2].actions[3].csum);
	assert_int_equal(f[2].actions[4].act, CONF_TC_PASS);
	assert_int_equal(f[3].actions[0].police.exceed, CONF_CONFORM_MARK);
	assert_int_equal(f[3].actions[0].police.exceed_dscp, 8);
	assert_int_equal(f[3].actions[0].police.conform, CONF_CONFORM_PASS);
	assert_int_equal(f[3].actions[0].police.violate, CONF_CONFORM_DROP);
	conf_destroy(c);
}

/* S16: one bucket for all that name it, wherever it is described. */
static void test_shared_police(void **state)
{
	struct conf *c = load_good("t.yaml",
				   PORTS "qos: {w: {ingress: [{police: {name: a}}]}, l: {ingress: ["
					 "{police: {name: a, rate: 8mbit, burst: 10kb}}]}}\n");
	const struct conf_police *x = &c->qos[0].ingress[0].actions[0].police;
	const struct conf_police *y = &c->qos[1].ingress[0].actions[0].police;
	(void)state;

	assert_int_equal(x->rate, 1000000);
	assert_memory_equal(x, y, sizeof(*x));
	conf_destroy(c);
	c = load_good("t.yaml", "version: 1\ninterfaces: {w: {mtu: 1000}, l: {mtu: 1700}}\n"
				"qos: {w: {ingress: [{police: {name: a}}]}, l: {ingress: [{police: "
				"{name: a, rate: 8mbit, burst: 10kb, peakrate: 16mbit}}]}}\n");
	assert_int_equal(c->qos[0].ingress[0].actions[0].police.mtu, 1714);
	assert_int_equal(c->qos[1].ingress[0].actions[0].police.mtu, 1714);
	conf_destroy(c);
}

static void test_mirrors(void **state)
{
	struct conf *c = load_good("t.yaml", PORTS
				   "mirror: [{from: w, to: m}, {from: w, direction: out, "
				   "ethertype: 0x88cc, source: 10.0.0.0/8, to: m, snaplen: 64}]\n"
				   "redirect: [{in: w, to: l}, {in: l, to: w}]\n");
	(void)state;

	assert_int_equal(c->nmirrors, 2);
	assert_true(c->mirrors[0].direction == CONF_DIRECTION_BOTH && !c->mirrors[0].snaplen);
	assert_int_equal(c->mirrors[1].direction, CONF_DIRECTION_OUT);
	assert_int_equal(c->mirrors[1].frame.ethertype, 0x88cc);
	assert_int_equal(c->mirrors[1].match.from.nranges, 1);
	assert_int_equal(c->nredirects, 2);
	assert_string_equal(c->redirects[1].from, "l");
	assert_int_equal(c->redirects[1].direction, CONF_DIRECTION_IN);
	conf_destroy(c);
}

/* ---- printed, and read again */

static void assert_same_frame(const struct conf_frame_match *a, const struct conf_frame_match *b)
{
	struct conf_frame_match x = *a, y = *b;

	assert_int_equal(a->nbpf, b->nbpf);
	if (a->nbpf)
		assert_memory_equal(a->bpf, b->bpf, a->nbpf * sizeof(*a->bpf));
	x.bpf = y.bpf = NULL;
	assert_memory_equal(&x, &y, sizeof(x));
}

/* (That matches are the same is test_conf_rules_print.c's; here it shows in the text.) */
static void assert_same_filters(const struct conf_tc_filter *a, unsigned na,
				const struct conf_tc_filter *b, unsigned nb)
{
	assert_int_equal(na, nb);
	for (; na-- > 0; a++, b++) {
		assert_true(a->priority == b->priority && a->parent == b->parent &&
			    a->classid == b->classid);
		assert_string_equal(a->class_name, b->class_name);
		assert_memory_equal(&a->hash, &b->hash, sizeof(a->hash));
		assert_same_frame(&a->frame, &b->frame);
		assert_int_equal(a->nactions, b->nactions);
		if (a->nactions)
			assert_memory_equal(a->actions, b->actions,
					    a->nactions * sizeof(*a->actions));
	}
}

static void assert_same_tree(const struct conf_tree *a, const struct conf_tree *b)
{
	assert_int_equal(a->nqdiscs, b->nqdiscs);
	for (unsigned i = 0; i < a->nqdiscs; i++) {
		struct conf_qdisc x = a->qdiscs[i], y = b->qdiscs[i];
		x.line = y.line = 0;
		assert_memory_equal(&x, &y, sizeof(x));
	}
	assert_int_equal(a->nclasses, b->nclasses);
	for (unsigned i = 0; i < a->nclasses; i++) {
		struct conf_class x = a->classes[i], y = b->classes[i];
		x.line = y.line = 0;
		assert_memory_equal(&x, &y, sizeof(x));
	}
	assert_same_filters(a->filters, a->nfilters, b->filters, b->nfilters);
}

static void assert_prints_again(struct conf *c)
{
	char *first = printed(c);
	struct conf *again = load_good("printed.yaml", first);
	char *second = printed(again);

	assert_string_equal(first, second);
	assert_int_equal(c->nqos, again->nqos);
	for (unsigned i = 0; i < c->nqos; i++) {
		const struct conf_qos *a = &c->qos[i], *b = &again->qos[i];
		assert_string_equal(a->iface, b->iface);
		assert_int_equal(a->frames, b->frames);
		assert_same_tree(&a->egress, &b->egress);
		assert_same_tree(&a->ifb, &b->ifb);
		assert_same_filters(a->ingress, a->ningress, b->ingress, b->ningress);
	}
	assert_int_equal(c->nmirrors, again->nmirrors);
	for (unsigned i = 0; i < c->nmirrors; i++) {
		const struct conf_mirror *a = &c->mirrors[i], *b = &again->mirrors[i];
		assert_string_equal(a->from, b->from);
		assert_string_equal(a->to, b->to);
		assert_true(a->direction == b->direction && a->snaplen == b->snaplen);
		assert_same_frame(&a->frame, &b->frame);
	}
	assert_int_equal(c->nredirects, again->nredirects);
	free(first);
	free(second);
	conf_destroy(c);
	conf_destroy(again);
}

static void test_prints_again(void **state)
{
	(void)state;
	assert_prints_again(load_good("config/router.yaml", NULL));
	assert_prints_again(load_good("tests/config/good-qos.yaml", NULL));
	assert_prints_again(load_tree(upside_down));
}

/* ---- many */

/* Every class has a leaf, more of them than handles from 8001: on; no check compares all with all.
 */
static void test_many_classes(void **state)
{
	enum { CLASSES = 50000 };
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	(void)state;

	fputs("{root: {htb: {default: c7}, handle: \"1:\"}, classes: {all: {rate: 10gbit},\n", f);
	for (unsigned i = 0; i < CLASSES; i++)
		fprintf(f, "c%u: {parent: all, rate: 100kbit, leaf: {fq_codel: {}}},\n", i);
	fputs("}}", f);
	fclose(f);
	struct conf *c = load_tree(text);
	const struct conf_tree *t = &c->qos[0].egress;
	free(text);
	assert_int_equal(t->nqdiscs, CLASSES + 1);
	assert_int_equal(t->classes[CLASSES].handle, CONF_HANDLE(1, CLASSES + 1));
	assert_int_equal(t->qdiscs[CLASSES].parent, t->classes[CLASSES].handle);
	assert_prints_again(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units),	     cmocka_unit_test(test_percentages),
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_tbf),
		cmocka_unit_test(test_netem),	     cmocka_unit_test(test_chosen_handles),
		cmocka_unit_test(test_order),	     cmocka_unit_test(test_classes),
		cmocka_unit_test(test_filters),	     cmocka_unit_test(test_shared_police),
		cmocka_unit_test(test_mirrors),	     cmocka_unit_test(test_prints_again),
		cmocka_unit_test(test_many_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
