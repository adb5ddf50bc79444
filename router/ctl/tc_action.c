// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See tc_action.h. An action of ours belongs to its filter, so it has the index of its place there
 * and one reference; with -s only policers have figures, as of the others nothing is counted that
 * the filter does not count.
 */
#include "router/ctl/tc_action.h"

#include <inttypes.h>

#include "router/ctl/tc_words.h"

static const char *control_of(enum conf_conform c)
{
	switch (c) {
	case CONF_CONFORM_PASS: return "pass";
	case CONF_CONFORM_DROP: return "drop";
	case CONF_CONFORM_CONTINUE: return "continue";
	case CONF_CONFORM_RECLASSIFY: return "reclassify";
	case CONF_CONFORM_PIPE:
	case CONF_CONFORM_MARK: break;
	}
	return "pipe";
}

static void print_index(FILE *out, const char *before, unsigned index)
{
	fprintf(out, "\n%sindex %u ref 1 bind 1\n", before, index);
}

static void print_police(FILE *out, const struct conf_police *p, unsigned index)
{
	char buf[TC_STRLEN];

	fprintf(out, " police 0x%x rate %s ", index, tc_rate(p->rate, buf));
	fprintf(out, "burst %s ", tc_size(tc_burst(p->rate, p->burst), buf));
	fprintf(out, "mtu %s ", tc_size(p->mtu ? p->mtu : 2047, buf));
	if (p->peakrate)
		fprintf(out, "peakrate %s ", tc_rate(p->peakrate, buf));
	if (p->packet_rate)
		fprintf(out, "pkts_rate %" PRIu64 " pkts_burst %" PRIu64 " ", p->packet_rate,
			p->packet_burst);
	fprintf(out, "action %s", control_of(p->exceed));
	if (p->conform != CONF_CONFORM_PASS)
		fprintf(out, "/%s", control_of(p->conform));
	fprintf(out, " overhead %s ", tc_size((uint64_t)p->size.overhead, buf));
	if (p->size.linklayer == CONF_LINKLAYER_ATM)
		fputs("linklayer atm ", out);
	fputs("\n\tref 1 bind 1 \n", out);
}

static void print_police_figures(FILE *out, const struct policer *policer)
{
	struct police_info p;
	uint64_t packets = 0, bytes = 0, over;

	police_info(policer, &p);
	for (unsigned c = 0; c < POLICE_COLOURS; c++) {
		packets += p.packets[c];
		bytes += p.bytes[c];
	}
	over = packets - p.packets[POLICE_GREEN];
	fprintf(out,
		"\tAction statistics:\n"
		"\tSent %" PRIu64 " bytes %" PRIu64 " pkt (dropped %" PRIu64 ", overlimits %" PRIu64
		" requeues 0) \n"
		"\tbacklog 0b 0p requeues 0\n",
		bytes, packets, p.conf.exceed == CONF_CONFORM_DROP ? over : 0, over);
}

static void print_mirred(FILE *out, const struct conf_tc_action *a, unsigned index)
{
	bool redirect = a->act == CONF_TC_REDIRECT;

	fprintf(out, "mirred (Egress %s to device %s) %s", redirect ? "Redirect" : "Mirror", a->dev,
		redirect ? "stolen" : "pipe");
	print_index(out, "\t", index);
}

static void print_skbedit(FILE *out, const struct conf_tc_action *a, unsigned index)
{
	char buf[TC_STRLEN];

	fputs("skbedit ", out);
	if (a->has_priority)
		fprintf(out, " priority %s", tc_handle(a->priority, buf));
	if (a->has_mark)
		fprintf(out, " mark %u", a->mark);
	if (a->has_mark && a->mask != UINT32_MAX)
		fprintf(out, "/%#x", a->mask);
	fputs(" pipe", out);
	print_index(out, "\t ", index);
}

static void print_pedit(FILE *out, const struct conf_tc_action *a, unsigned index)
{
	fprintf(out, " pedit action pipe keys %u\n \t index %u ref 1 bind 1", a->npedit, index);
	for (unsigned i = 0; i < a->npedit; i++) {
		const struct conf_pedit *k = &a->pedit[i];
		int shift = 8 * (4 - k->width - (k->at & 3));
		int32_t at = shift < 0 ? k->at : k->at & ~3;

		if (shift < 0)
			shift = 0;
		fprintf(out, "\n\t key #%u  at ", i);
		if (k->ethernet || k->nexthdr)
			fprintf(out, "%s%+d", k->ethernet ? "eth" : "tcp", at);
		else
			fprintf(out, "%d", at);
		fprintf(out, ": val %08x mask %08x", k->value << shift, ~(~k->mask << shift));
	}
	fputc('\n', out);
}

static void print_gact(FILE *out, const char *verdict, unsigned index)
{
	fprintf(out, "gact action %s\n\t random type none pass val 0", verdict);
	print_index(out, "\t ", index);
}

void tc_actions_print(FILE *out, const struct tc_filter_line *f)
{
	unsigned policer = 0;

	for (unsigned i = 0; i < f->conf->nactions; i++) {
		const struct conf_tc_action *a = &f->conf->actions[i];

		if (a->act == CONF_TC_CLASS)
			continue;
		fprintf(out, "\n\taction order %u: ", i + 1);
		switch (a->act) {
		case CONF_TC_CLASS: break;
		case CONF_TC_DROP: print_gact(out, "drop", i + 1); break;
		case CONF_TC_PASS: print_gact(out, "pass", i + 1); break;
		case CONF_TC_POLICE:
			print_police(out, &a->police, i + 1);
			if (f->statistics && policer < f->info->npolicers)
				print_police_figures(out, f->info->policer[policer++]);
			break;
		case CONF_TC_MIRROR:
		case CONF_TC_REDIRECT: print_mirred(out, a, i + 1); break;
		case CONF_TC_SKBEDIT: print_skbedit(out, a, i + 1); break;
		case CONF_TC_PEDIT: print_pedit(out, a, i + 1); break;
		}
	}
}
