/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fragments of a few datagrams through virtual reassembly, from two workers, with any offset,
 * length, content and extension chain, and time that passes. Whatever comes: no two fragments that
 * went on as of one datagram cover the same byte, they agree in ports and id, a first one goes
 * before all others, and every frame is somewhere.
 *
 * A step is 8 bytes, or more where it brings its content along.
 */
#define LAB_FRAMES 128u
#include "tests/unit/frag_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct step {
	uint8_t what; /* bit 0: worker; 1: IPv6; 2: more; 3: content; 4: any chain; 5: refuse; 6:
			 wait with the fate of the first; 7: time passes */
	uint8_t who;  /* bits 0-1: source; 2-3: id; 4: zone; 5-6: protocol */
	uint8_t start[2];
	uint8_t len;
	uint8_t chain; /* bits 0-1: before; 2-3: after */
	uint8_t time;
	uint8_t content; /* bytes that follow */
};

/* What is known of all that went on: the rings of both workers. */
static void check_sent(const struct frag_lab *l, struct lab_worker *w, unsigned from)
{
	for (unsigned i = from; i < w->nsent && i < LAB_SENT; i++) {
		const struct lab_sent *a = &w->sent[i];
		bool first = !a->start;

		assert(a->start < a->end && a->end <= UINT16_MAX);
		assert(a->ports.new_id);
		for (unsigned k = 0; k < LAB_WORKERS; k++)
			for (unsigned n = 0; n < l->w[k]->nsent && n < LAB_SENT; n++) {
				const struct lab_sent *b = &l->w[k]->sent[n];

				if (a == b || a->ports.datagram != b->ports.datagram ||
				    a->ports.serial != b->ports.serial)
					continue;
				first |= !b->start;
				assert(a->end <= b->start || b->end <= a->start);
				assert(a->ports.new_id == b->ports.new_id);
				assert(a->ports.sport == b->ports.sport);
				assert(a->ports.dport == b->ports.dport);
				assert(a->ports.proto == b->ports.proto);
			}
		assert(first);
	}
}

/* An IPv6 packet of any bytes behind its header. False: no fragment. */
static bool make_any(struct lab_worker *w, const struct spec *s, const uint8_t *data, size_t len,
		     struct pkt *p)
{
	struct spec blank = *s;

	blank.six = true;
	blank.start = blank.before = blank.after = 0;
	blank.more = true;
	if (len < 8 || !lab_make(w, &blank, p))
		return false;
	pkt_ip6(p)->next = data[0] & 1 ? 44 : 60;
	pkt_ip6(p)->plen = htons((uint16_t)len);
	memcpy(p->l3 + IP6_HLEN, data, len);
	*p = (struct pkt){ .l3 = p->l3, .flags = PKT_IP6, .len = (uint16_t)(IP6_HLEN + len) };
	if (parse_transport(p) && p->flags & PKT_FRAGMENT)
		return true;
	lab_free(&w->dp, p->l3);
	return false;
}

static struct spec spec_of(const struct step *in, const uint8_t *content, size_t len)
{
	static const uint8_t v4[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, 47 };
	static const uint8_t v6[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMPV6, 59 };
	struct spec s = { .six = in->what & 2,
			  .more = in->what & 4,
			  .src = in->who & 3,
			  .id = in->who >> 2 & 3,
			  .zone = in->who >> 4 & 1,
			  .start = (in->start[0] | (in->start[1] & 0x80u) << 6) * 8u,
			  .len = in->len,
			  .before = in->chain & 3,
			  .after = in->chain >> 2 & 3 };

	s.proto = (s.six ? v6 : v4)[in->who >> 5 & 3];
	memcpy(s.data, content, len < sizeof(s.data) ? len : sizeof(s.data));
	return s;
}

/* kept: a first one whose fate is told later. */
static void run(struct frag_lab *l, struct frag_ports *kept, const struct step *in,
		const uint8_t *content, size_t len)
{
	struct lab_worker *w = l->w[in->what & 1];
	struct spec s = spec_of(in, content, len);
	unsigned from = w->nsent;
	struct frag_ports ports;
	struct pkt p;

	if (in->what & 0x80)
		l->w[0]->dp.now = l->w[1]->dp.now += in->time * (LAB_TIMEOUT / 128);
	frag_expire(l->f, &w->dp);
	if (in->what & 0x10 ? !make_any(w, &s, content, len, &p) : !lab_make(w, &s, &p))
		return;
	w->made++;
	if (frag_input(l->f, &w->dp, &p, s.zone, &ports) != FRAG_KNOWN)
		return;
	lab_forward(w, &p, &ports);
	if (ports.first && in->what & 0x20)
		frag_refuse(l->f, &w->dp, &ports);
	else if (ports.first && in->what & 0x40)
		*kept = ports;
	else if (ports.first)
		frag_send_waiting(w, &ports);
	else if (in->what & 0x40)
		frag_send_waiting(w, kept); /* may be of the past */
	check_sent(l, w, from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frags_config c = { .max = 8,
				  .per_source = 3,
				  .held = 12,
				  .timeout = LAB_TIMEOUT,
				  .key = "0123456789abcde" };
	struct frag_lab *l = frag_lab_open(&c);
	struct frag_ports kept = { .serial = UINT32_MAX };

	for (unsigned n = 0; n < LAB_SENT && size >= sizeof(struct step); n++) {
		struct step in;
		size_t len;

		memcpy(&in, data, sizeof(in));
		data += sizeof(in);
		size -= sizeof(in);
		len = in.what & 0x18 ? in.content : 0;
		len = len < size ? len : size;
		run(l, &kept, &in, data, len);
		data += len;
		size -= len;
		frag_lab_check(l);
	}
	frag_lab_close(l);
	return 0;
}
