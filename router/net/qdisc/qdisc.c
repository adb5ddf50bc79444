// SPDX-License-Identifier: GPL-2.0-or-later
/* What all disciplines share; see qdisc.h. */
#include "router/net/qdisc/qdisc.h"

#include <string.h>

#include "router/net/csum.h"

#define ECN_MASK 3u
#define ECN_CE	 3u

const struct qdisc_ops *const qdisc_ops_of[CONF_QDISC_KINDS] = {
	[CONF_QDISC_PFIFO] = &pfifo_ops,
	[CONF_QDISC_BFIFO] = &bfifo_ops,
	[CONF_QDISC_PFIFO_FAST] = &pfifo_fast_ops,
	[CONF_QDISC_NOQUEUE] = &noqueue_ops,
	[CONF_QDISC_TBF] = &tbf_ops,
	[CONF_QDISC_PRIO] = &prio_ops,
	[CONF_QDISC_HTB] = &htb_ops,
	[CONF_QDISC_SFQ] = &sfq_ops,
	[CONF_QDISC_RED] = &red_ops,
	[CONF_QDISC_CODEL] = &codel_ops,
	[CONF_QDISC_FQ_CODEL] = &fq_codel_ops,
	[CONF_QDISC_NETEM] = &netem_ops,
};

void qdisc_drop(struct qdisc *q, struct qpkt *p, enum drop_reason why)
{
	struct qdisc_tree *t = q->tree;

	for (struct qdisc *x = q; x; x = x->up) {
		counter_add(&x->stats.drops, 1);
		if (x->place)
			counter_add(&x->place->stats.drops, 1);
	}
	t->held--;
	counter_add(&t->dp->count->drop[why], 1);
	counter_add(&t->dp->count->port[p->port].drops, 1);
	t->dp->free(t->dp, t->dp->base + p->addr);
}

/* ---- ECN: the lowest two bits of the TOS byte, and of the traffic class */

static uint8_t *ip_header(const struct qdisc_tree *t, const struct qpkt *p)
{
	return p->l3 ? t->dp->base + p->addr + p->l3 : NULL;
}

static uint8_t ecn_of(const uint8_t *ip)
{
	return (ip[0] >> 4 == 6 ? ip[1] >> 4 : ip[1]) & ECN_MASK;
}

bool qpkt_is_ect(const struct qdisc_tree *t, const struct qpkt *p)
{
	const uint8_t *ip = ip_header(t, p);

	return ip && ecn_of(ip) != 0;
}

static void mark_ip4(uint8_t *ip)
{
	struct ip4_header *h = (struct ip4_header *)ip;
	uint16_t before, after;

	memcpy(&before, ip, 2);
	h->tos |= ECN_CE;
	memcpy(&after, ip, 2);
	h->csum = csum_update16(h->csum, before, after);
}

bool qpkt_mark_ce(struct qdisc_tree *t, struct qpkt *p)
{
	uint8_t *ip = ip_header(t, p);

	if (!ip || ecn_of(ip) == 0)
		return false;
	if (ecn_of(ip) != ECN_CE) {
		if (ip[0] >> 4 == 6)
			ip[1] |= ECN_CE << 4;
		else
			mark_ip4(ip);
	}
	counter_add(&t->ecn_marked, 1);
	return true;
}
