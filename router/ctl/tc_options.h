/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tc(8) says of qdiscs and classes behind their handles: options, and figures of their kind.
 * [control] */
#ifndef ROUTER_CTL_TC_OPTIONS_H
#define ROUTER_CTL_TC_OPTIONS_H

#include "router/ctl/tc_words.h"
#include "router/net/qdisc/qdisc.h"

/* Figures of a qdisc or class, as its discipline tells them. */
struct tc_figures {
	struct qdisc_value value[QDISC_VALUES_MAX];
	unsigned n;
};
void tc_figures_of_qdisc(const struct qdisc *q, struct tc_figures *out);
void tc_figures_of_class(const struct qclass *cl, struct tc_figures *out);
int64_t tc_figure(const struct tc_figures *f, const char *name); /* 0: there is none */

/* f: for the options in which tc shows figures. mtu: of the port. */
void tc_options_qdisc(struct tc_words *w, const struct conf_qdisc *c, const struct tc_figures *f,
		      uint32_t mtu);
/* A class of htb, which `htb` configures. inner: classes are below it. */
void tc_options_class(struct tc_words *w, const struct conf_class *c, const struct conf_htb *htb,
		      bool inner);
/* Does tc end the options of this kind with a blank? */
bool tc_options_blank(enum conf_qdisc_kind kind);

/* tc's lines under the counters, each with its end; nothing, if it has none. */
void tc_xstats_qdisc(FILE *out, enum conf_qdisc_kind kind, const struct tc_figures *f);
void tc_xstats_class(FILE *out, enum conf_qdisc_kind kind, const struct tc_figures *f);

#endif
