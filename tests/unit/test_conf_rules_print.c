// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What conf_print() writes of sets, zones, filter, nat and conntrack loads again as the same: every
 * field is compared, not only the text. Run from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "config/conf.h"
#include "tests/unit/conf_util.h"

static bool same_array(const void *a, unsigned na, const void *b, unsigned nb, size_t size)
{
	return na == nb && (na == 0 || !memcmp(a, b, na * size));
}

static bool same_names(const struct conf_names *a, const struct conf_names *b)
{
	return a->negate == b->negate && !strcmp(a->set, b->set) &&
	       same_array(a->names, a->nnames, b->names, b->nnames, CONF_NAME);
}

static bool same_addresses(const struct conf_addresses *a, const struct conf_addresses *b)
{
	return a->negate == b->negate && !strcmp(a->set, b->set) &&
	       same_array(a->ranges, a->nranges, b->ranges, b->nranges, sizeof(*a->ranges));
}

static bool same_ports(const struct conf_ports *a, const struct conf_ports *b)
{
	return a->negate == b->negate && !strcmp(a->set, b->set) &&
	       same_array(a->ranges, a->nranges, b->ranges, b->nranges, sizeof(*a->ranges));
}

static void assert_same_match(const struct conf_match *a, const struct conf_match *b)
{
	assert_true(same_names(&a->in, &b->in) && same_names(&a->out, &b->out));
	assert_true(same_addresses(&a->from, &b->from) && same_addresses(&a->to, &b->to));
	assert_true(same_ports(&a->sport, &b->sport) && same_ports(&a->dport, &b->dport));
	assert_true(same_array(a->protos, a->nprotos, b->protos, b->nprotos, 1));
	assert_true(same_array(a->icmp, a->nicmp, b->icmp, b->nicmp, sizeof(*a->icmp)));
	assert_int_equal(a->family, b->family);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->flags_mask, b->flags_mask);
	assert_true(a->dscp == b->dscp && a->has_mark == b->has_mark && a->mark == b->mark &&
		    a->mark_mask == b->mark_mask && a->ct == b->ct && a->status == b->status);
	assert_true(a->length_min == b->length_min && a->length_max == b->length_max &&
		    a->ttl_min == b->ttl_min && a->ttl_max == b->ttl_max &&
		    a->fragment == b->fragment);
	assert_memory_equal(&a->rate, &b->rate, sizeof(a->rate));
	assert_int_equal(a->connections_over, b->connections_over);
	assert_memory_equal(&a->lookup, &b->lookup, sizeof(a->lookup));
}

static void assert_same_rule(const struct conf_rule *a, const struct conf_rule *b)
{
	assert_string_equal(a->name, b->name);
	assert_same_match(&a->match, &b->match);
	assert_true(
		same_array(a->actions, a->nactions, b->actions, b->nactions, sizeof(*a->actions)));
	assert_memory_equal(&a->log, &b->log, sizeof(a->log));
}

static void assert_same_nat(const struct conf_nat *a, unsigned na, const struct conf_nat *b,
			    unsigned nb)
{
	assert_int_equal(na, nb);
	for (; na-- > 0; a++, b++) {
		assert_string_equal(a->name, b->name);
		assert_int_equal(a->kind, b->kind);
		assert_same_match(&a->match, &b->match);
		assert_true(same_array(a->pool, a->npool, b->pool, b->npool, sizeof(*a->pool)));
		assert_memory_equal(&a->ports, &b->ports, sizeof(a->ports));
		assert_true(a->persistent == b->persistent && a->hairpin == b->hairpin &&
			    a->no_parity == b->no_parity && a->sequential == b->sequential &&
			    a->mapping == b->mapping && a->filtering == b->filtering);
		assert_true(prefix_equal(&a->external, &b->external) &&
			    prefix_equal(&a->internal, &b->internal));
	}
}

static void assert_same_sets_and_zones(const struct conf *a, const struct conf *b)
{
	assert_int_equal(a->nsets, b->nsets);
	for (unsigned i = 0; i < a->nsets; i++) {
		const struct conf_set *x = &a->sets[i], *y = &b->sets[i];
		assert_string_equal(x->name, y->name);
		assert_memory_equal(x->type, y->type, sizeof(x->type));
		assert_true(x->ntypes == y->ntypes && x->size == y->size &&
			    x->timeout_s == y->timeout_s);
		assert_true(same_array(x->elements, x->nelements, y->elements, y->nelements,
				       sizeof(*x->elements)));
	}
	assert_int_equal(a->nzones, b->nzones);
	for (unsigned i = 0; i < a->nzones; i++) {
		const struct conf_zone *x = &a->zones[i], *y = &b->zones[i];
		assert_string_equal(x->name, y->name);
		assert_true(same_names(&x->interfaces, &y->interfaces));
		assert_int_equal(x->input_drop, y->input_drop);
		assert_true(same_array(x->forward_to, x->nforward_to, y->forward_to, y->nforward_to,
				       CONF_NAME));
	}
}

static void assert_same(const struct conf *a, const struct conf *b)
{
	assert_same_sets_and_zones(a, b);
	assert_int_equal(a->nchains, b->nchains);
	for (unsigned i = 0; i < a->nchains; i++) {
		const struct conf_chain *x = &a->chains[i], *y = &b->chains[i];
		assert_string_equal(x->name, y->name);
		assert_true(x->hook == y->hook && x->priority == y->priority &&
			    x->drop == y->drop && x->nrules == y->nrules);
		for (unsigned j = 0; j < x->nrules; j++)
			assert_same_rule(&x->rules[j], &y->rules[j]);
	}
	assert_same_nat(a->nat_source, a->nnat_source, b->nat_source, b->nnat_source);
	assert_same_nat(a->nat_destination, a->nnat_destination, b->nat_destination,
			b->nnat_destination);
	assert_same_nat(a->nat_static, a->nnat_static, b->nat_static, b->nnat_static);
	assert_memory_equal(&a->conntrack, &b->conntrack, sizeof(a->conntrack));
}

static void assert_prints_again(const char *path, const char *text)
{
	struct conf *c = load_good(path, text);
	char *first = printed(c);
	struct conf *again = load_good("printed.yaml", first);
	char *second = printed(again);

	assert_same(c, again);
	assert_string_equal(first, second);
	free(first);
	free(second);
	conf_destroy(c);
	conf_destroy(again);
}

static void test_example(void **state)
{
	(void)state;
	assert_prints_again("config/router.yaml", NULL);
}

/* Values that YAML readers, or ours, could take for something else. */
static void test_awkward(void **state)
{
	(void)state;
	assert_prints_again(
		"t.yaml",
		"version: 1\ninterfaces: {no: {match: {name: e0}}, \"1\": {match: {name: e1}}}\n"
		"zones: {\"on\": {interfaces: [\"1\"], forward-to: []}, off: {interfaces: []}}\n"
		"sets:\n  \"0\": {type: mark, elements: [0, 4294967295]}\n"
		"  null: {type: [prefix, proto, interface], elements: [\"0.0.0.0/0 . 99 . no\"]}\n"
		"  ifs: {type: interface}\n  y: {type: prefix, elements: [\"::/0\", 0.0.0.0/1, "
		"128.0.0.0-255.255.255.254]}\n"
		"filter:\n  \"true\":\n    hook: forward\n    priority: -7\n    policy: drop\n"
		"    rules:\n"
		"      - {name: \"a \\\"quoted\\\" \\\\ : # name\", in: \"1\", out: \"!no\", "
		"from: \"0.0.0.0/0\", to: [\"!10.0.0.1-10.0.0.3\"], action: {set-mark: 0/1}}\n"
		"      - {mark: 0, dscp: [0, 63, cs7], proto: [0, 255], fragment: true, "
		"action: [{set-dscp: 0}, {mss-clamp: 1400}, return]}\n"
		"      - {in: \"@ifs\", log: {prefix: \"no\"}, icmp: 0/0, icmpv6: [1, 255/255]}\n"
		"  null2: {rules: [{action: count}]}\n");
}

static void test_conntrack(void **state)
{
	(void)state;
	assert_prints_again("t.yaml", "version: 1\n");
	assert_prints_again("t.yaml", "version: 1\nconntrack: {}\n");
	assert_prints_again("t.yaml", "version: 1\nconntrack: {profile: linux, tcp-revive: true, "
				      "timeouts: {udp: 1d1h1m1s}}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_awkward),
		cmocka_unit_test(test_conntrack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
