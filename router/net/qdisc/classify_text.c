// SPDX-License-Identifier: GPL-2.0-or-later
/* Filters in the words of the file: what they look at, and what they do. [control] */
#include "router/net/qdisc/classify_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "router/net/rule_text.h"

/* ---- what they look at */

static void separate(FILE *out, bool *begun)
{
	if (*begun)
		fputs(", ", out);
	*begun = true;
}

static void mac_text(FILE *out, bool *begun, const char *key, const uint8_t m[6])
{
	separate(out, begun);
	fprintf(out, "%s: \"%02x:%02x:%02x:%02x:%02x:%02x\"", key, m[0], m[1], m[2], m[3], m[4],
		m[5]);
}

static void vlan_text(FILE *out, bool *begun, const struct conf_frame_match *m)
{
	if (m->vlan < 0 && m->vlan_priority < 0)
		return;
	separate(out, begun);
	fputs("vlan: {", out);
	if (m->vlan >= 0)
		fprintf(out, "id: %d%s", m->vlan, m->vlan_priority >= 0 ? ", " : "");
	if (m->vlan_priority >= 0)
		fprintf(out, "priority: %d", m->vlan_priority);
	fputc('}', out);
}

static void u32_text(FILE *out, const struct conf_u32 *k)
{
	fprintf(out, "{at: %d%s, width: %u, value: 0x%x, mask: 0x%x}", k->at,
		k->nexthdr ? ", nexthdr: true" : "", k->width, k->value, k->mask);
}

static void frame_text(FILE *out, bool *begun, const struct conf_frame_match *m)
{
	if (m->ethertype) {
		separate(out, begun);
		fprintf(out, "ethertype: 0x%04x", m->ethertype);
	}
	vlan_text(out, begun, m);
	if (m->has_src_mac)
		mac_text(out, begun, "src-mac", m->src_mac);
	if (m->has_dst_mac)
		mac_text(out, begun, "dst-mac", m->dst_mac);
	if (m->nu32) {
		separate(out, begun);
		fputs("u32: [", out);
		for (unsigned i = 0; i < m->nu32; i++) {
			fputs(i ? ", " : "", out);
			u32_text(out, &m->u32[i]);
		}
		fputc(']', out);
	}
	if (m->nbpf) {
		separate(out, begun);
		fprintf(out, "bytecode: \"%u", m->nbpf);
		for (unsigned i = 0; i < m->nbpf; i++)
			fprintf(out, ",%u %u %u %u", m->bpf[i].code, m->bpf[i].jt, m->bpf[i].jf,
				m->bpf[i].k);
		fputc('"', out);
	}
}

char *tc_match_text(const struct conf_match *m, const struct conf_frame_match *frame)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool begun;

	if (!out)
		return NULL;
	rule_text_match(m, out);
	begun = ftell(out) > 0;
	frame_text(out, &begun, frame);
	return fclose(out) ? NULL : text;
}

/* ---- what they do */

static const char *conform_name(enum conf_conform c)
{
	switch (c) {
	case CONF_CONFORM_PASS: return "pass";
	case CONF_CONFORM_DROP: return "drop";
	case CONF_CONFORM_PIPE: return "pipe";
	case CONF_CONFORM_CONTINUE: return "continue";
	case CONF_CONFORM_RECLASSIFY: return "reclassify";
	case CONF_CONFORM_MARK: break;
	}
	return "";
}

static void verdict_text(FILE *out, const char *key, enum conf_conform c, uint8_t dscp)
{
	if (c == CONF_CONFORM_MARK)
		fprintf(out, ", %s: {dscp: %u}", key, dscp);
	else
		fprintf(out, ", %s: %s", key, conform_name(c));
}

static void number(FILE *out, bool *begun, const char *key, uint64_t value, const char *unit)
{
	if (!value)
		return;
	separate(out, begun);
	fprintf(out, "%s: %" PRIu64 "%s", key, value, unit);
}

static void police_text(FILE *out, const struct conf_police *c)
{
	bool begun = false;

	fputs("{police: {", out);
	if (c->name[0]) {
		separate(out, &begun);
		fprintf(out, "name: %s", c->name);
	}
	number(out, &begun, "rate", 8 * c->rate, "bit");
	number(out, &begun, "burst", c->burst, "b");
	number(out, &begun, "peakrate", 8 * c->peakrate, "bit");
	number(out, &begun, "peakburst", c->peakburst, "b");
	number(out, &begun, "excess", c->excess, "b");
	number(out, &begun, "mtu", c->mtu, "");
	number(out, &begun, "packet-rate", c->packet_rate, "");
	number(out, &begun, "packet-burst", c->packet_burst, "");
	separate(out, &begun);
	fprintf(out, "color-aware: %s", c->color_aware ? "true" : "false");
	verdict_text(out, "conform", c->conform, c->conform_dscp);
	verdict_text(out, "exceed", c->exceed, c->exceed_dscp);
	verdict_text(out, "violate", c->violate, c->violate_dscp);
	fputs("}}", out);
}

static void skbedit_text(FILE *out, const struct conf_tc_action *a)
{
	bool begun = false;

	fputc('{', out);
	if (a->has_mark) {
		separate(out, &begun);
		fprintf(out, "mark: 0x%x", a->mark);
		if (a->mask && a->mask != UINT32_MAX)
			fprintf(out, "/0x%x", a->mask);
	}
	if (a->has_priority) {
		separate(out, &begun);
		if (CONF_MAJOR(a->priority))
			fprintf(out, "priority: \"%x:%x\"", a->priority >> 16,
				CONF_MINOR(a->priority));
		else
			fprintf(out, "priority: %u", a->priority);
	}
	fputc('}', out);
}

static void pedit_text(FILE *out, const struct conf_tc_action *a)
{
	fputs("{pedit: [", out);
	for (unsigned i = 0; i < a->npedit; i++) {
		const struct conf_pedit *k = &a->pedit[i];

		fprintf(out, "%s{at: %d%s%s, width: %u, value: 0x%x, keep: 0x%x}", i ? ", " : "",
			k->at, k->nexthdr ? ", nexthdr: true" : "",
			k->ethernet ? ", ethernet: true" : "", k->width, k->value, k->mask);
	}
	fprintf(out, "], csum: %s}", a->csum ? "true" : "false");
}

static void one_action(FILE *out, const struct conf_tc_action *a)
{
	switch (a->act) {
	case CONF_TC_CLASS: break; /* stands behind all */
	case CONF_TC_DROP: fputs("drop", out); break;
	case CONF_TC_PASS: fputs("pass", out); break;
	case CONF_TC_POLICE: police_text(out, &a->police); break;
	case CONF_TC_MIRROR:
		fprintf(out, "{mirror: %s", a->dev);
		if (a->snaplen)
			fprintf(out, ", snaplen: %u", a->snaplen);
		fputc('}', out);
		break;
	case CONF_TC_REDIRECT: fprintf(out, "{redirect: %s}", a->dev); break;
	case CONF_TC_SKBEDIT: skbedit_text(out, a); break;
	case CONF_TC_PEDIT: pedit_text(out, a); break;
	}
}

static void hash_text(FILE *out, const struct conf_hash_class *h)
{
	static const char *const key[] = {
		"from", "to", "proto", "sport", "dport", "mark", "dscp"
	};
	bool begun = false;

	fputs("{hash: {keys: [", out);
	for (unsigned i = 0; i < sizeof(key) / sizeof(key[0]); i++)
		if (h->keys >> i & 1) {
			separate(out, &begun);
			fputs(key[i], out);
		}
	fprintf(out, "], divisor: %u, base: \"%x:%x\"}}", h->divisor, h->base >> 16,
		CONF_MINOR(h->base));
}

char *tc_action_text(const struct conf_tc_filter *c)
{
	unsigned n = c->nactions + (c->hash.keys || c->classid);
	bool begun = false;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs(n > 1 ? "[" : "", out);
	for (unsigned i = 0; i < c->nactions; i++) {
		separate(out, &begun);
		one_action(out, &c->actions[i]);
	}
	if (c->hash.keys || c->classid)
		separate(out, &begun);
	if (c->hash.keys)
		hash_text(out, &c->hash);
	else if (c->classid)
		fprintf(out, "{class: \"%x:%x\"}", c->classid >> 16, CONF_MINOR(c->classid));
	fputs(n > 1 ? "]" : "", out);
	return fclose(out) ? NULL : text;
}
