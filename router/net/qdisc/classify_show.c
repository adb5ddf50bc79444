// SPDX-License-Identifier: GPL-2.0-or-later
/* Filters for show, and whose counters go on in the next configuration. [control] */
#include "router/net/qdisc/classify_internal.h"

#include <string.h>

static void sum(const struct tc_filters *f, unsigned number, uint64_t *packets, uint64_t *bytes)
{
	*packets = f->filter[number - 1].packets;
	*bytes = f->filter[number - 1].bytes;
	for (unsigned w = 0; w < f->nworkers; w++) {
		*packets += counter_read(&f->count[w][number].packets);
		*bytes += counter_read(&f->count[w][number].bytes);
	}
}

static void policers_of(const struct tc_filter *filter, struct tc_filter_info *out)
{
	const unsigned most = sizeof(out->policer) / sizeof(out->policer[0]);

	for (unsigned i = 0; i < filter->nactions && out->npolicers < most; i++)
		if (filter->action[i].policer)
			out->policer[out->npolicers++] = filter->action[i].policer;
}

bool tc_filter_info(const struct tc_filters *f, unsigned number, struct tc_filter_info *out)
{
	const struct tc_filter *filter;

	if (!f || !number || number > f->nfilters)
		return false;
	filter = &f->filter[number - 1];
	*out = (struct tc_filter_info){
		.name = filter->name ? filter->name : "",
		.file = filter->file,
		.line = filter->line,
		.parent = filter->parent,
		.priority = filter->priority,
		.classid = filter->classid,
		.match = filter->match,
		.action = filter->does,
	};
	sum(f, number, &out->packets, &out->bytes);
	policers_of(filter, out);
	return true;
}

/* By what a filter is, not by its place: one put before it costs it nothing. */
static bool same(const struct tc_filter *a, const struct tc_filter *b)
{
	const char *x = a->name ? a->name : "", *y = b->name ? b->name : "";

	return a->parent == b->parent && a->priority == b->priority && !strcmp(x, y) &&
	       !strcmp(a->match, b->match) && !strcmp(a->does, b->does);
}

/* Filters keep their order as a rule, so the one looked for stands where the last one was found, or
 * a little further. Of several that are the same, the first goes on as the first. */
void tc_filters_carry_over(struct tc_filters *f, const struct tc_filters *old)
{
	unsigned at = 0;

	for (unsigned i = 0; f && old && i < f->nfilters; i++) {
		for (unsigned k = at; k < old->nfilters; k++) {
			if (!same(&f->filter[i], &old->filter[k]))
				continue;
			sum(old, k + 1, &f->filter[i].packets, &f->filter[i].bytes);
			at = k + 1;
			break;
		}
	}
}
