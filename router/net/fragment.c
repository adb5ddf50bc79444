/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/net/fragment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "router/net/csum.h"

static void header_checksum(struct ip4_header *h, uint32_t hlen)
{
	h->csum = 0;
	h->csum = (uint16_t)~csum_fold(csum_add(h, hlen, 0));
}

/* Options that only the first fragment carries become no-operations; lengths were checked by the
 * parser. */
static void drop_uncopied_options(uint8_t *opt, uint32_t len)
{
	for (uint32_t i = 0; i < len && opt[i] != 0;) {
		uint32_t size = opt[i] == 1 ? 1 : opt[i + 1];

		if (!(opt[i] & 0x80))
			memset(opt + i, 1, size);
		i += size;
	}
}

/* One more fragment: the data of p from `at` on, `len` bytes. */
static bool make(struct dp *dp, const struct pkt *p, uint32_t hlen, uint32_t at, uint32_t len,
		 struct pkt *out)
{
	const struct ip4_header *h = pkt_ip4(p);
	uint8_t *frame = dp->alloc(dp);
	uint16_t frag = ntohs(h->frag);
	bool last = at + len == p->len - hlen;
	struct ip4_header *n;

	if (!frame)
		return false;
	*out = *p;
	out->flags |= PKT_FRAGMENT | PKT_LATER_FRAG; /* behind the transport header of p */
	out->l3 = frame + NH_L2_MAX + 2;
	pkt_type(out);
	out->len = (uint16_t)(hlen + len);
	memcpy(out->l3, h, hlen);
	memcpy(out->l3 + hlen, p->l3 + hlen + at, len);
	if (!(frag & IP4_OFFSET)) /* else whoever cut it first has done so */
		drop_uncopied_options(out->l3 + IP4_HLEN, hlen - IP4_HLEN);
	n = pkt_ip4(out);
	n->len = htons(out->len);
	n->frag = htons((uint16_t)((((frag & IP4_OFFSET) + at / 8) & IP4_OFFSET) |
				   (last ? frag & IP4_MF : IP4_MF)));
	header_checksum(n, hlen);
	return true;
}

int fragment4(struct dp *dp, struct pkt *p, uint16_t mtu, struct pkt out[FRAGMENTS_MAX])
{
	struct ip4_header *h = pkt_ip4(p);
	uint32_t hlen = (h->ver_ihl & 15) * 4u, room = mtu - hlen, step = room & ~7u;
	uint32_t data = p->len - hlen;
	unsigned n = 1;

	if (mtu < hlen + 8 || data > (FRAGMENTS_MAX - 1) * step + room)
		return -E2BIG;
	for (uint32_t at = step, len; at < data; at += len, n++) {
		len = data - at <= room ? data - at : step; /* the last may be odd */

		if (!make(dp, p, hlen, at, len, &out[n])) {
			while (--n > 0)
				dp->free(dp, out[n].l3);
			return -ENOBUFS;
		}
	}
	/* The copies are made: the first one may now lose its tail. */
	p->len = (uint16_t)(hlen + step);
	h->len = htons(p->len);
	h->frag = htons((uint16_t)((ntohs(h->frag) & IP4_OFFSET) | IP4_MF));
	header_checksum(h, hlen);
	p->flags |= PKT_FRAGMENT | (ntohs(h->frag) & IP4_OFFSET ? PKT_LATER_FRAG : 0);
	out[0] = *p;
	counter_add(&dp->count->generated, n - 1);
	counter_add(&dp->count->event[EVENT_FRAGMENTS], n);
	dp_event(dp, EVENT_FRAGMENTED);
	return (int)n;
}
