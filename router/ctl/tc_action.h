/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Actions of a filter as tc prints them below it. [control] */
#ifndef ROUTER_CTL_TC_ACTION_H
#define ROUTER_CTL_TC_ACTION_H

#include "router/ctl/tc_filter.h"

/* Nothing, if it has none; else each on lines of its own, the first of which ends the filter's. */
void tc_actions_print(FILE *out, const struct tc_filter_line *f);

#endif
