// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf_load(): the stages a file goes through, in order. Each stage adds what it has to say to one
 * report; a stage runs if those before it left it something to work on, so that one run shows as
 * many errors as there are.
 */
#include "config/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/bind.h"
#include "config/include.h"
#include "config/report.h"
#include "config/yaml.h"

static void match_fini(struct conf_match *m)
{
	free(m->in.names);
	free(m->out.names);
	free(m->from.ranges);
	free(m->to.ranges);
	free(m->protos);
	free(m->sport.ranges);
	free(m->dport.ranges);
	free(m->icmp);
}

static void nat_free(struct conf_nat *rules, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		match_fini(&rules[i].match);
		free(rules[i].pool);
	}
	free(rules);
}

void conf_chains_free(struct conf_chain *chains, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; j < chains[i].nrules; j++) {
			match_fini(&chains[i].rules[j].match);
			free(chains[i].rules[j].actions);
		}
		free(chains[i].rules);
	}
	free(chains);
}

static void zones_free(struct conf_zone *zones, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		free(zones[i].interfaces.names);
		free(zones[i].forward_to);
	}
	free(zones);
}

static void tc_filters_free(struct conf_tc_filter *filters, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		match_fini(&filters[i].match);
		free(filters[i].frame.bpf);
		free(filters[i].actions);
	}
	free(filters);
}

static void tree_fini(struct conf_tree *t)
{
	free(t->qdiscs);
	free(t->classes);
	tc_filters_free(t->filters, t->nfilters);
}

static void qos_free(struct conf_qos *qos, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		tree_fini(&qos[i].egress);
		tree_fini(&qos[i].ifb);
		tc_filters_free(qos[i].ingress, qos[i].ningress);
	}
	free(qos);
}

static void mirrors_free(struct conf_mirror *mirrors, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		match_fini(&mirrors[i].match);
		free(mirrors[i].frame.bpf);
	}
	free(mirrors);
}

void conf_destroy(struct conf *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->nifaces; i++)
		free(c->ifaces[i].addresses);
	for (unsigned i = 0; i < c->nroutes; i++)
		free(c->routes[i].nexthops);
	for (unsigned i = 0; i < c->nsets; i++)
		free(c->sets[i].elements);
	free(c->ifaces);
	free(c->routes);
	free(c->neighbours);
	free(c->policies);
	free(c->tables);
	free(c->vrfs);
	free(c->sets);
	zones_free(c->zones, c->nzones);
	conf_chains_free(c->chains, c->nchains);
	nat_free(c->nat_source, c->nnat_source);
	nat_free(c->nat_destination, c->nnat_destination);
	nat_free(c->nat_static, c->nnat_static);
	qos_free(c->qos, c->nqos);
	mirrors_free(c->mirrors, c->nmirrors);
	mirrors_free(c->redirects, c->nredirects);
	free(c);
}

/* The main file becomes source 0 of the report. What can go wrong here has no line to show. */
static int take_source(struct report *r, const char *path, const char *text, FILE *messages)
{
	size_t len = 0;
	char *copy = NULL;
	int err;

	if (text) {
		len = strlen(text);
		copy = malloc(len + 1);
		if (copy)
			memcpy(copy, text, len + 1);
		err = copy ? 0 : -ENOMEM;
	} else {
		err = include_read_file(path, &copy, &len);
	}
	if (!err)
		err = report_source_add(r, path, copy, len);
	if (err >= 0)
		return 0;
	if (err == -EFBIG)
		fprintf(messages, "%s: error: larger than 16 MiB\n1 error\n", path);
	else
		fprintf(messages, "%s: error: %s\n1 error\n", path, strerror(-err));
	return err == -EFBIG ? -EINVAL : err;
}

static int bind_and_check(struct report *r, const struct yaml_node *root, struct conf *c)
{
	struct bind_places places = { 0 };
	int err = bind_conf(r, root, c, &places);

	if (!err)
		err = conf_check(c, &places, r);
	bind_places_fini(&places);
	return err;
}

static int load(struct yaml_tree *tree, struct report *r, struct conf *c)
{
	struct yaml_node *root = NULL;
	const struct mark start = { .line = 1, .col = 1, .len = 1 };

	if (report_source_check(r, 0) < 0)
		return -EINVAL;
	int err = yaml_read(tree, r, 0, &root);
	if (err)
		return err;
	if (!root) {
		report_error(r, start, "\"version\" is missing");
		report_help(r, "begin the file with version: 1");
		return -EINVAL;
	}
	err = include_resolve(tree, r, &root);
	return err ? err : bind_and_check(r, root, c);
}

int conf_load(const char *path, const char *text, FILE *messages, struct conf **out)
{
	struct report *r = report_create();
	struct yaml_tree *tree = yaml_tree_create();
	struct conf *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	if (!r || !tree || !c)
		goto out;
	err = take_source(r, path, text, messages);
	if (err)
		goto out;
	err = load(tree, r, c);
	report_print(r, messages);
	if (!err && report_errors(r))
		err = -EINVAL;
	if (err)
		goto out;
	*out = c;
	c = NULL;
out:
	conf_destroy(c);
	yaml_tree_destroy(tree);
	report_destroy(r);
	return err;
}
