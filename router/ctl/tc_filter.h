/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A filter as `tc filter show` prints it.
 *
 * Ours has one kind, tc has one for each way to look: so the kind is the plainest of tc's that says
 * the same: flow for a hash, bpf, u32, fw for a mark, matchall for any packet, flower for single
 * prefixes, protocols and ports. What none of these can say (sets, lists, ct states) is called
 * basic, with the configuration's own words in parentheses. [control]
 */
#ifndef ROUTER_CTL_TC_FILTER_H
#define ROUTER_CTL_TC_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "router/net/qdisc/classify.h"

struct tc_filter_line {
	const struct conf_tc_filter *conf;
	const struct tc_filter_info *info;
	const char *dev; /* to be named; NULL: the listing is of one */
	uint32_t table;	 /* u32: of its priority, from 0x800 on */
	uint32_t node;	 /* of its priority, from 1 on */
	bool statistics; /* -s */
};

bool tc_filter_is_u32(const struct conf_tc_filter *f);
/* Do both hang on the same and have one priority, kind and protocol? Then tc has one line for both
 * in front. */
bool tc_filter_kin(const struct conf_tc_filter *a, const struct conf_tc_filter *b);
void tc_filter_head(FILE *out, const struct tc_filter_line *f);
void tc_filter_print(FILE *out, const struct tc_filter_line *f);

#endif
