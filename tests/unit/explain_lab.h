/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A router to ask `explain` of, and to send the packet itself through: agree() holds the one to the
 * other, and that asking has changed nothing. Each test includes it once, first.
 */
#ifndef TESTS_UNIT_EXPLAIN_LAB_H
#define TESTS_UNIT_EXPLAIN_LAB_H

#include "tests/unit/pipe_flows.h"
/* after cmocka.h */
#include "router/ctl/explain_parse.h"
#include "router/net/qdisc/classify.h"
#include "router/router.h"
#include "tests/random.h"
#include "tests/unit/ask.h"

static struct pipe_flows f;
static struct router router;
static struct state state;
static struct ask asked;

/* The daemon's clock is the pipe's. */
int clock_gettime(clockid_t id, struct timespec *t)
{
	(void)id;
	t->tv_sec = (time_t)(f.p.now / NSEC_PER_SEC);
	t->tv_nsec = (long)(f.p.now % NSEC_PER_SEC);
	return 0;
}

/* What the daemon would know. */
static inline void follow(void)
{
	router.names = f.names;
	router.conf = f.conf;
	router.policy = f.policy;
	router.st = f.st;
	router.qos = f.qos;
}

static inline void open_with(const char *yaml)
{
	flows_open(&f, yaml);
	memset(&router, 0, sizeof(router));
	memset(&state, 0, sizeof(state));
	assert_int_equal(table_init(&state.routes), 0);
	state.config = f.p.cfg;
	router.state = &state;
	for (unsigned i = 0; i < PIPE_PORTS; i++)
		snprintf(router.ports[i].conf.name, CONF_NAME, "p%u", i);
	follow();
}

static inline int tear_down(void **s)
{
	(void)s;
	table_fini(&state.routes);
	flows_close(&f);
	return 0;
}

/* ---- asking */

/* The packet is one word: blanks in it are tabs. */
static inline void ask_about(const char *iface, const char *packet)
{
	char words[300];
	size_t len;

	len = (size_t)snprintf(words, sizeof(words), "explain in %s ", iface);
	snprintf(words + len, sizeof(words) - len, "%s", packet);
	for (char *c = words + len; *c; c++)
		*c = *c == ' ' ? '\t' : *c;
	ask_all(&asked, &router, words);
}

static inline const char *text_at(size_t i, const char *key)
{
	const char *s = json_string_value(json_object_get(json_array_get(asked.rows, i), key));

	return s ? s : "";
}

static inline const char *last(const char *key)
{
	return text_at(json_array_size(asked.rows) - 1, key);
}

/* Is there a line of this step whose text begins so? */
static inline bool told(const char *step, const char *begin)
{
	for (size_t i = 0; i < json_array_size(asked.rows); i++)
		if (!strcmp(text_at(i, "step"), step) &&
		    !strncmp(text_at(i, "text"), begin, strlen(begin)))
			return true;
	for (size_t i = 0; i < json_array_size(asked.rows); i++)
		print_message("%s: %s\n", text_at(i, "step"), text_at(i, "text"));
	return false;
}

/* ---- all that a packet could change */
struct footprint {
	uint64_t rules, nat, elements, counters, filters, policed, held;
	unsigned ports;
	struct flow_stats flows;
};

static inline uint64_t count_elements(void)
{
	uint64_t cursor = 0, n = 0;
	struct set_info info;

	while (sets_walk(f.st->sets, &cursor, &info))
		n += info.elements;
	return n;
}

/* What filters of a place have counted, and their policers. */
static inline void footprint_filters(const struct tc_filters *filters, struct footprint *out)
{
	struct tc_filter_info info;
	struct police_info police;

	for (unsigned i = 1; tc_filter_info(filters, i, &info); i++) {
		out->filters += info.packets + info.bytes;
		for (unsigned k = 0; k < info.npolicers; k++) {
			police_info(info.policer[k], &police);
			for (unsigned c = 0; c < POLICE_COLOURS; c++)
				out->policed += police.packets[c] + police.bytes[c];
		}
	}
}

static inline void footprint_qos(struct footprint *out)
{
	const struct qos *q = f.qos.published;

	for (unsigned i = 0; q && i < PIPE_PORTS; i++) {
		footprint_filters(q->port[i].in, out);
		footprint_filters(q->port[i].out, out);
	}
	for (unsigned i = 0; q && i < q->nshapers; i++)
		out->held += shaper_held(q->shaper[i]);
}

/* Padding too: they are compared as bytes. */
static inline void footprint(struct footprint *out)
{
	const uint64_t *counters = (const uint64_t *)(const void *)f.p.w->count;
	const struct filter *filter = f.policy ? f.policy->filter : NULL;
	const struct nat *nat = f.policy ? f.policy->nat : NULL;
	struct filter_rule_info rule;
	struct nat_rule_info chosen;

	memset(out, 0, sizeof(*out));
	out->ports = flows_ports_taken(&f);
	out->elements = count_elements();
	footprint_qos(out);
	flow_table_stats(f.st->flows, &out->flows);
	for (unsigned i = 1; filter && filter_rule(filter, i, &rule); i++)
		out->rules += rule.packets + rule.bytes;
	for (unsigned i = 1; nat && nat_rule(nat, i, &chosen); i++)
		out->nat += chosen.flows + chosen.packets_refused;
	for (size_t i = 0; i < sizeof(*f.p.w->count) / sizeof(*counters); i++)
		out->counters += counters[i];
}

/* ---- and the packet itself */

static inline unsigned iface_number(const char *name)
{
	for (unsigned i = 0; i < PIPE_IFACES; i++)
		if (!strcmp(names_text(&f.names, f.p.cfg->iface[i].name_id), name))
			return i;
	fail_msg("no interface %s", name);
	return 0;
}

static inline void make_frame(const char *iface, const char *packet, uint32_t seq, uint32_t ack,
			      struct frame *out)
{
	static uint8_t bytes[EXPLAIN_FRAME_MAX];
	const struct dp_iface *in = &f.p.cfg->iface[iface_number(iface)];
	struct explain_link l = { .vid = in->vid, .vlan_proto = in->vlan_proto };
	struct explain_packet p;
	char why[256];

	memcpy(l.mac, in->mac, 6);
	if (explain_parse(packet, &p, why, sizeof(why)))
		fail_msg("%s: %s", packet, why);
	p.seq = seq;
	p.ack = ack;
	*out = (struct frame){ .port = in->port, .len = explain_frame(&p, &l, bytes) };
	assert_true(out->len <= FRAME_ROOM);
	memcpy(out->b, bytes, out->len);
}

/* By how many ports frames left; the last one. */
static inline unsigned sent(unsigned *port)
{
	struct frame out;
	unsigned n = 0;

	for (unsigned i = 0; i < PIPE_PORTS; i++)
		for (; pipe_sent(&f.p, i, &out); n++)
			*port = i;
	return n;
}

static inline void send_and_compare(const char *iface, const char *packet, uint32_t seq,
				    uint32_t ack)
{
	uint64_t drops = pipe_drops_all(&f.p), held = f.p.w->count->event[EVENT_HELD], why = 0;
	uint64_t before[DROP__COUNT];
	const char *verdict = last("verdict");
	unsigned port = UINT32_MAX, n;
	struct frame in;

	if (!strcmp(verdict, "linux")) /* XDP would not have given it to us */
		return;
	memcpy(before, f.p.w->count->drop, sizeof(before));
	make_frame(iface, packet, seq, ack, &in);
	pipe_receive(&f.p, &in);
	worker_turn(f.p.w, f.p.now);
	n = sent(&port);
	drops = pipe_drops_all(&f.p) - drops;
	held = f.p.w->count->event[EVENT_HELD] - held;
	if (!strcmp(verdict, "forwarded")) {
		if (drops || held || !n)
			fail_msg("%s %s: not forwarded: %s", iface, packet,
				 drops ? "dropped" : "held");
		assert_int_equal(port, f.p.cfg->iface[iface_number(last("iface"))].port);
	} else if (!strcmp(verdict, "waits")) {
		if (drops || !held)
			fail_msg("%s %s: does not wait: %s", iface, packet,
				 drops ? "dropped" : "sent");
	} else {
		while (why < DROP__COUNT && strcmp(drop_info[why].name, last("reason")) != 0)
			why++;
		assert_true(why < DROP__COUNT);
		/* one more may be the error about it, on its way */
		if (drops > 2 || f.p.w->count->drop[why] == before[why])
			fail_msg("%s %s: explained as %s, and not dropped so", iface, packet,
				 last("text"));
	}
}

/* Explained, without a trace; then sent, and it was as explained. */
static inline void agree(const char *iface, const char *packet)
{
	struct footprint before, after;

	footprint(&before);
	ask_about(iface, packet);
	if (asked.end)
		fail_msg("%s: %s", packet, asked.error);
	footprint(&after);
	assert_memory_equal(&before, &after, sizeof(before));
	send_and_compare(iface, packet, 1, 1);
}

static inline void expect(const char *iface, const char *packet, const char *verdict,
			  const char *reason)
{
	agree(iface, packet);
	if (strcmp(last("verdict"), verdict) != 0 || strcmp(last("reason"), reason) != 0)
		fail_msg("%s %s: %s", iface, packet, last("text"));
	assert_string_equal(last("step"), "verdict");
	ask_end(&asked);
}

/* ---- packets by chance */

static inline unsigned chance(unsigned n)
{
	return (unsigned)(random64() >> 20) % n;
}

static inline const char *any(const char *const *of, unsigned n)
{
	return of[chance(n)];
}
#define ANY(of) any(of, sizeof(of) / sizeof((of)[0]))

/* TCP's begin connections: what is in sequence is not a matter of chance. */
static inline void random_packet(char *to, size_t size, unsigned i)
{
	static const char *const from4[] = { "10.0.0.2", "10.0.0.3", "10.0.0.2",  "10.0.1.2",
					     "10.0.2.2", "10.0.1.1", "172.16.0.7" },
				 *const to4[] = { "10.0.0.2",	"10.0.1.2",   "10.0.2.2",
						  "10.0.1.1",	"10.0.0.1",   "172.16.0.7",
						  "172.17.0.7", "172.21.0.9", "172.22.0.1",
						  "172.19.0.1", "10.0.3.2" },
				 *const hosts6[] = { "[2001:db8::2]",	 "[2001:db8:1::2]",
						     "[2001:db8:2::2]",	 "[2001:db8:1::1]",
						     "[2001:db8:10::7]", "[2001:db8:16::1]",
						     "[2001:db8:15::9]", "[fe80::2]",
						     "[2001:db8:13::1]", "[2001:db8:3::2]" },
				 *const more[] = { "",
						   "",
						   "",
						   "",
						   " ttl 1",
						   " dscp ef",
						   " length 1450",
						   " length 1600",
						   " length 1600 df",
						   " length 1600 ttl 1" };
	static const unsigned ports[] = { 7, 9, 23, 24, 53, 80, 99, 5000, 8080, 12000, 12001 };
	bool six = !chance(3);
	const char *a = six ? ANY(hosts6) : ANY(from4), *b = six ? ANY(hosts6) : ANY(to4),
		   *m = ANY(more);
	unsigned x = ports[chance(11)], y = ports[chance(11)];

	switch (chance(8)) {
	case 0: snprintf(to, size, "tcp %s:%u > %s:%u%s", a, 20000 + i, b, y, m); break;
	case 1:
	case 2:
		snprintf(to, size, "icmp%s %s:%u > %s%s icmp echo-%s", six ? "v6" : "", a, x, b, m,
			 chance(2) ? "request" : "reply");
		break;
	case 3: snprintf(to, size, "gre %s > %s%s", a, b, m); break;
	default: snprintf(to, size, "udp %s:%u > %s:%u%s", a, x, b, y, m);
	}
}

#endif
