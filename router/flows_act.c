/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rules want done to a packet: refused, with an answer to who sent it, or changed. [worker]
 */
#include "router/flows_internal.h"
#include "router/forward.h"
#include "router/net/csum.h"
#include "router/net/mss.h"
#include "router/net/reject.h"
#include "router/net/route.h"

/* ---- what rules refuse */

static enum icmp_error reject_error(uint8_t how)
{
	switch ((enum conf_reject)how) {
	case CONF_REJECT_HOST: return ICMP_ERROR_HOST;
	case CONF_REJECT_NET: return ICMP_ERROR_NO_ROUTE;
	case CONF_REJECT_PROHIBITED: return ICMP_ERROR_PROHIBIT;
	case CONF_REJECT_DEFAULT:
	case CONF_REJECT_RESET:
	case CONF_REJECT_PORT: break;
	}
	return ICMP_ERROR_PORT;
}

static void reject(struct dp *dp, struct pkt *p, uint8_t how)
{
	bool reset =
		how == CONF_REJECT_RESET || (how == CONF_REJECT_DEFAULT && p->proto == IPPROTO_TCP);
	struct pkt rst;
	bool answer;

	if (!reset) {
		refuse(dp, p, DROP_FILTER_REJECT, reject_error(how), 0);
		return;
	}
	answer = is_iface(dp, p->iface) && reject_reset(dp, p, &rst);
	pkt_drop(dp, p, DROP_FILTER_REJECT);
	if (!answer)
		return;
	counter_add(&dp->count->generated, 1);
	forward(dp, &rst, route_own(dp, &rst));
}

void flows_filtered(struct dp *dp, struct pkt *p, const struct filter_result *r)
{
	if (r->verdict == FILTER_REJECT)
		reject(dp, p, r->reject);
	else
		pkt_drop(dp, p, r->rule ? DROP_FILTER_RULE : DROP_FILTER_POLICY);
}

/* ---- what they change */

void flows_set_dscp(struct pkt *p, uint8_t dscp)
{
	if (p->flags & PKT_IP6) {
		uint32_t word;

		memcpy(&word, p->l3, 4);
		word = (word & htonl(0xf03fffff)) | htonl((uint32_t)dscp << 22);
		memcpy(p->l3, &word, 4);
	} else {
		struct ip4_header *h = pkt_ip4(p);
		uint8_t tos = (uint8_t)((h->tos & 3) | dscp << 2);

		h->csum = csum_update16(h->csum, htons(h->tos), htons(tos));
		h->tos = tos;
	}
}

/* What a passage wants done to the packet itself, once it may leave. */
void flows_mangle(struct dp *dp, struct pkt *p, const struct filter_result *r, const struct nh *n)
{
	uint16_t mtu = dp->cfg->iface[p->iface].mtu;

	if (r->has_dscp)
		flows_set_dscp(p, r->dscp);
	if (!r->has_mss)
		return;
	if (n && (n->type == NH_ADJ || n->type == NH_GLEAN) && n->mtu < mtu)
		mtu = n->mtu;
	mss_clamp(p, r->mss ? r->mss : mss_of_mtu(p, mtu));
}
