// SPDX-License-Identifier: GPL-2.0-or-later
/* Options of qdiscs and classes in tc's words: golden lines for all kinds, and for those that the
 * kernel here has, the lines of tc itself. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/conf.h"
#include "router/ctl/tc_options.h"

#define MTU	       1500
#define MBIT(n)	       ((n)*125000ull)
#define MS(n)	       ((n)*1000000ull)
#define SHARE(percent) ((uint32_t)((percent) / 100. * UINT32_MAX + .5))
#define ROWS(a)	       (sizeof(a) / sizeof((a)[0]))

#define PRIOMAP                                                                                    \
	{                                                                                          \
		1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1                                     \
	}

static const struct row {
	struct conf_qdisc c;
	const char *tc;	 /* as tc has it */
	const char *own; /* with what tc does not say; NULL: the same */
	const char *add; /* makes the same with tc; NULL: it cannot be had here */
} rows[] = {
	{ { .kind = CONF_QDISC_PFIFO }, "limit 1000p", NULL, "pfifo" },
	{ { .kind = CONF_QDISC_PFIFO, .fifo = { 77 } }, "limit 77p", NULL, "pfifo limit 77" },
	{ { .kind = CONF_QDISC_BFIFO }, "limit 1514000b", NULL, "bfifo" },
	{ { .kind = CONF_QDISC_BFIFO, .fifo = { 65536 } }, "limit 64Kb", NULL, "bfifo limit 64k" },
	{ { .kind = CONF_QDISC_BFIFO, .fifo = { 3 << 20 } }, "limit 3Mb", NULL, "bfifo limit 3m" },
	{ { .kind = CONF_QDISC_PFIFO_FAST },
	  "bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1",
	  "bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1 limit 1000p",
	  "pfifo_fast" },
	{ { .kind = CONF_QDISC_NOQUEUE }, "", NULL, "noqueue" },
	{ { .kind = CONF_QDISC_TBF, .tbf = { .rate = MBIT(1), .burst = 10240, .limit = 16490 } },
	  "rate 1Mbit burst 10Kb lat 50ms ",
	  "rate 1Mbit burst 10Kb lat 50ms limit 16490b",
	  "tbf rate 1mbit burst 10k latency 50ms" },
	{ { .kind = CONF_QDISC_TBF,
	    .tbf = { .rate = MBIT(95), .burst = 1600, .limit = 1000, .size = { .overhead = -4 } } },
	  "rate 95Mbit burst 1579b limit 1000b overhead -4 ",
	  "rate 95Mbit burst 1600b limit 1000b overhead -4",
	  NULL },
	{ { .kind = CONF_QDISC_TBF,
	    .tbf = { .rate = MBIT(1),
		     .burst = 10240,
		     .limit = 30000,
		     .peakrate = MBIT(2),
		     .mtu = 1600 } },
	  "rate 1Mbit burst 10Kb peakrate 2Mbit minburst 1600b lat 158ms ",
	  "rate 1Mbit burst 10Kb peakrate 2Mbit minburst 1600b lat 158ms limit 30000b",
	  "tbf rate 1mbit burst 10k limit 30000 peakrate 2mbit mtu 1600" },
	{ { .kind = CONF_QDISC_PRIO, .prio = { .bands = 4, .priomap = PRIOMAP } },
	  "bands 4 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1",
	  NULL,
	  NULL },
	{ { .kind = CONF_QDISC_HTB, .htb = { .r2q = 10, .direct_limit = 1000 } },
	  "r2q 10 default 0 direct_packets_stat 7 direct_qlen 1000",
	  "r2q 10 default 0 direct_qlen 1000",
	  NULL },
	{ { .kind = CONF_QDISC_HTB,
	    .htb = { .default_minor = 0x30, .r2q = 5, .direct_limit = 9, .size = { 18, 64, 1 } } },
	  "r2q 5 default 0x30 direct_packets_stat 7 direct_qlen 9",
	  "r2q 5 default 0x30 direct_qlen 9 overhead 18 mpu 64b linklayer atm",
	  NULL },
	{ { .kind = CONF_QDISC_SFQ,
	    .sfq = { .limit = 127,
		     .depth = 127,
		     .divisor = 1024,
		     .flows = 127,
		     .perturb = MS(10000) } },
	  "limit 127p quantum 1514b depth 127 divisor 1024 perturb 10sec ",
	  "limit 127p quantum 1514b depth 127 flows 127 divisor 1024 perturb 10sec",
	  NULL },
	{ { .kind = CONF_QDISC_RED,
	    .red = { .limit = 400 << 10,
		     .min = 30 << 10,
		     .max = 90 << 10,
		     .avpkt = 1000,
		     .bandwidth = MBIT(10),
		     .probability = SHARE(10),
		     .ecn = true,
		     .adaptive = true } },
	  "limit 400Kb min 30Kb max 90Kb ecn adaptive ",
	  "limit 400Kb min 30Kb max 90Kb ecn adaptive probability 10% avpkt 1000 bandwidth 10Mbit",
	  NULL },
	{ { .kind = CONF_QDISC_RED, .red = { .min = 30 << 10, .harddrop = true, .nodrop = true } },
	  "limit 1514000b min 30Kb max 90Kb harddrop nodrop ",
	  "limit 1514000b min 30Kb max 90Kb harddrop nodrop probability 0% avpkt 0 bandwidth 0bit",
	  NULL },
	{ { .kind = CONF_QDISC_CODEL,
	    .codel = { .limit = 1000,
		       .target = MS(5),
		       .interval = MS(100),
		       .ce_threshold = UINT64_MAX } },
	  "limit 1000p target 5ms interval 100ms ",
	  "limit 1000p target 5ms interval 100ms",
	  NULL },
	{ { .kind = CONF_QDISC_CODEL,
	    .codel = { .limit = 9,
		       .target = MS(1),
		       .interval = MS(20),
		       .ecn = true,
		       .ce_threshold = MS(2) } },
	  "limit 9p target 999us ce_threshold 2ms interval 20ms ecn ",
	  "limit 9p target 1ms ce_threshold 2ms interval 20ms ecn",
	  NULL },
	{ { .kind = CONF_QDISC_FQ_CODEL,
	    .fq_codel = { .limit = 10240,
			  .flows = 1024,
			  .target = MS(5),
			  .interval = MS(100),
			  .ce_threshold = UINT64_MAX,
			  .memory_limit = 32 << 20,
			  .drop_batch = 64,
			  .ecn = true } },
	  "limit 10240p flows 1024 quantum 1514 target 5ms interval 100ms memory_limit 32Mb ecn "
	  "drop_batch 64 ",
	  "limit 10240p flows 1024 quantum 1514 target 5ms interval 100ms memory_limit 32Mb ecn "
	  "drop_batch 64",
	  NULL },
	{ { .kind = CONF_QDISC_NETEM, .netem = { .limit = 1000 } }, "limit 1000", NULL, NULL },
	{ { .kind = CONF_QDISC_NETEM,
	    .netem = { .limit = 1000,
		       .delay = MS(10),
		       .jitter = MS(5),
		       .delay_correlation = SHARE(25),
		       .distribution = CONF_DIST_NORMAL,
		       .loss = SHARE(1),
		       .loss_correlation = SHARE(50),
		       .duplicate = SHARE(2),
		       .reorder = SHARE(25),
		       .corrupt = SHARE(.1),
		       .rate = MBIT(1),
		       .packet_overhead = 5,
		       .cell_size = 48,
		       .cell_overhead = 6,
		       .slot_min = MS(1),
		       .slot_max = MS(2),
		       .slot_packets = 3,
		       .slot_bytes = 100,
		       .ecn = true,
		       .seed = 4 } },
	  "limit 1000 delay 10ms  5ms 25% loss 1% 50% duplicate 2% reorder 25% corrupt 0.1% rate "
	  "1Mbit packetoverhead 5 cellsize 48 celloverhead 6 slot 1ms 2ms packets 3 bytes 100 ecn "
	  " gap 1",
	  "limit 1000 delay 10ms  5ms 25% distribution normal loss 1% 50% duplicate 2% reorder 25% "
	  "corrupt 0.1% rate 1Mbit packetoverhead 5 cellsize 48 celloverhead 6 slot 1ms 2ms "
	  "packets "
	  "3 bytes 100 ecn gap 1 seed 4",
	  NULL },
	{ { .kind = CONF_QDISC_NETEM,
	    .netem = { .limit = 10,
		       .loss_model = CONF_LOSS_STATE,
		       .state = { SHARE(1), SHARE(99), 0, SHARE(100), 0 } } },
	  "limit 10 loss state p13 1% p31 99% p32 0% p23 100% p14 0%",
	  NULL,
	  NULL },
	{ { .kind = CONF_QDISC_NETEM,
	    .netem = { .limit = 10,
		       .loss_model = CONF_LOSS_GEMODEL,
		       .gemodel = { SHARE(1), SHARE(10), SHARE(70), SHARE(.1) } } },
	  "limit 10 loss gemodel p 1% r 10% 1-h 70% 1-k 0.1%",
	  NULL,
	  NULL },
};

static const struct tc_figures figures = { { { "direct_packets_stat", QDISC_NUMBER, 7 } }, 1 };

/* From malloc. */
static char *options(const struct conf_qdisc *c, bool exact, json_t *json)
{
	struct tc_words w = { .json = json, .exact = exact };
	char *text;
	size_t size;

	w.text = open_memstream(&text, &size);
	assert_non_null(w.text);
	tc_options_qdisc(&w, c, &figures, MTU);
	if (exact && tc_options_blank(c->kind))
		fputc(' ', w.text);
	fclose(w.text);
	return text;
}

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char *tc = options(&rows[i].c, true, NULL), *own = options(&rows[i].c, false, NULL);

		assert_string_equal(tc, rows[i].tc);
		assert_string_equal(own, rows[i].own ? rows[i].own : rows[i].tc);
		free(tc);
		free(own);
	}
}

/* Numbers are numbers: bytes, bytes/s, us. */
static void test_json(void **state)
{
	static const struct {
		enum conf_qdisc_kind kind;
		unsigned nth;
		const char *json;
	} row[] = {
		{ CONF_QDISC_TBF, 2,
		  "{\"burst\":10240,\"lat\":158080,\"limit\":30000,\"minburst\":1600,"
		  "\"peakrate\":250000,\"rate\":125000}" },
		{ CONF_QDISC_PRIO, 0,
		  "{\"bands\":4,\"priomap\":[1,2,2,2,1,2,0,0,1,1,1,1,1,1,1,1]}" },
		{ CONF_QDISC_HTB, 1,
		  "{\"default\":\"0x30\",\"direct_qlen\":9,\"linklayer\":\"atm\",\"mpu\":64,"
		  "\"overhead\":18,\"r2q\":5}" },
		{ CONF_QDISC_CODEL, 1,
		  "{\"ce_threshold\":2000,\"ecn\":true,\"interval\":20000,\"limit\":9,"
		  "\"target\":1000}" },
		{ CONF_QDISC_NETEM, 1,
		  "{\"corrupt\":{\"corrupt\":0.001},\"delay\":{\"correlation\":0.25,"
		  "\"delay\":10000,\"distribution\":\"normal\",\"jitter\":5000},"
		  "\"duplicate\":{\"duplicate\":0.02},\"ecn\":true,\"gap\":1,\"limit\":1000,"
		  "\"loss-random\":{\"correlation\":0.5,\"loss\":0.01},"
		  "\"rate\":{\"celloverhead\":6,\"cellsize\":48,\"packetoverhead\":5,"
		  "\"rate\":125000},\"reorder\":{\"reorder\":0.25},\"seed\":4,"
		  "\"slot\":{\"bytes\":100,\"max\":2000,\"packets\":3,\"slot\":1000}}" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(row); i++) {
		const struct row *r = rows;
		json_t *json = json_object();
		char *text;

		for (unsigned n = 0; r->c.kind != row[i].kind || n++ < row[i].nth; r++)
			;
		free(options(&r->c, false, json));
		text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
		assert_string_equal(text, row[i].json);
		free(text);
		json_decref(json);
	}
}

static char *class_options(bool exact, bool inner, const struct conf_size *size)
{
	static const struct conf_class c = { .rate = MBIT(80),
					     .ceil = MBIT(95),
					     .burst = 1600,
					     .cburst = 15 << 10,
					     .quantum = 5000,
					     .prio = 3 };
	struct conf_htb htb = { .size = *size };
	struct tc_words w = { .exact = exact };
	char *text;
	size_t n;

	w.text = open_memstream(&text, &n);
	tc_options_class(&w, &c, &htb, inner);
	fclose(w.text);
	return text;
}

static void test_class(void **state)
{
	static const struct conf_size none, atm = { 18, 0, CONF_LINKLAYER_ATM };
	static const struct {
		bool exact, inner;
		const struct conf_size *size;
		const char *text;
	} row[] = {
		{ true, false, &none, "prio 3 rate 80Mbit ceil 95Mbit burst 1600b cburst 15342b" },
		{ true, true, &none, "rate 80Mbit ceil 95Mbit burst 1600b cburst 15342b" },
		{ true, false, &atm,
		  "prio 3 rate 80Mbit overhead 18 ceil 95Mbit linklayer atm burst 1600b cburst "
		  "15342b" },
		{ false, false, &atm,
		  "prio 3 rate 80Mbit ceil 95Mbit burst 1600b cburst 15Kb quantum 5000" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(row); i++) {
		char *text = class_options(row[i].exact, row[i].inner, row[i].size);

		assert_string_equal(text, row[i].text);
		free(text);
	}
}

/* ---- figures */

static char *xstats(enum conf_qdisc_kind kind, bool of_class, const struct tc_figures *f)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (of_class)
		tc_xstats_class(out, kind, f);
	else
		tc_xstats_qdisc(out, kind, f);
	fclose(out);
	return text;
}

static void test_xstats(void **state)
{
	static const struct {
		enum conf_qdisc_kind kind;
		bool of_class;
		struct tc_figures f;
		const char *text;
	} row[] = {
		{ CONF_QDISC_HTB,
		  true,
		  { { { "lended", QDISC_NUMBER, 5 },
		      { "borrowed", QDISC_NUMBER, 6 },
		      { "tokens", QDISC_NUMBER, 1000 },
		      { "ctokens", QDISC_NUMBER, -100 } },
		    4 },
		  " lended: 5 borrowed: 6 giants: 0\n tokens: 1000 ctokens: -100\n\n" },
		{ CONF_QDISC_HTB,
		  true,
		  { { { "tokens", QDISC_NUMBER, INT64_MAX },
		      { "ctokens", QDISC_NUMBER, INT64_MIN } },
		    2 },
		  " lended: 0 borrowed: 0 giants: 0\n tokens: 2147483647 ctokens: "
		  "-2147483648\n\n" },
		{ CONF_QDISC_FQ_CODEL,
		  false,
		  { { { "maxpacket", QDISC_BYTES, 1514 },
		      { "drop_overlimit", QDISC_NUMBER, 1 },
		      { "new_flow_count", QDISC_NUMBER, 2 },
		      { "ecn_mark", QDISC_NUMBER, 3 },
		      { "memory_used", QDISC_BYTES, 4 },
		      { "old_flows_len", QDISC_NUMBER, 5 } },
		    6 },
		  "  maxpacket 1514 drop_overlimit 1 new_flow_count 2 ecn_mark 3 memory_used 4\n"
		  "  new_flows_len 0 old_flows_len 5\n" },
		{ CONF_QDISC_CODEL,
		  false,
		  { { { "count", QDISC_NUMBER, 1 },
		      { "ldelay", QDISC_NS, 4900000 },
		      { "dropping", QDISC_NUMBER, 1 },
		      { "drop_next", QDISC_NS, -2000 } },
		    4 },
		  "  count 1 lastcount 0 ldelay 4.9ms dropping drop_next -2us\n"
		  "  maxpacket 0 ecn_mark 0 drop_overlimit 0\n" },
		{ CONF_QDISC_RED,
		  false,
		  { { { "marked", QDISC_NUMBER, 1 }, { "early", QDISC_NUMBER, 2 } }, 2 },
		  "  marked 1 early 2 pdrop 0 other 0 \n" },
		{ CONF_QDISC_PFIFO, false, { .n = 0 }, "" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(row); i++) {
		char *text = xstats(row[i].kind, row[i].of_class, &row[i].f);

		assert_string_equal(text, row[i].text);
		free(text);
	}
}

static void test_values(void **state)
{
	static const struct {
		uint64_t n;
		const char *rate, *size, *time;
	} row[] = {
		{ 0, "0bit", "0b", "0us" },
		{ 125, "1Kbit", "125b", "125us" },
		{ 1600, "12800bit", "1600b", "1.6ms" },
		{ 187500, "1500Kbit", "187500b", "188ms" },
		{ 1048576, "8388Kbit", "1Mb", "1.05s" },
		{ 12345678, "98765Kbit", "12345678b", "12.3s" },
		{ 1250000000000, "10Tbit", "1220703125Kb", "1.25e+06s" },
	};
	char buf[TC_STRLEN];

	(void)state;
	for (size_t i = 0; i < ROWS(row); i++) {
		assert_string_equal(tc_rate(row[i].n, buf), row[i].rate);
		assert_string_equal(tc_size(row[i].n, buf), row[i].size);
		assert_string_equal(tc_time(row[i].n, buf), row[i].time);
	}
	assert_string_equal(tc_handle(0x10020, buf), "1:20");
	assert_string_equal(tc_handle(0x80010000, buf), "8001:");
	assert_string_equal(tc_handle(0x1f, buf), ":1f");
	assert_string_equal(tc_handle(CONF_ROOT, buf), "root");
	assert_string_equal(tc_handle(0, buf), "none");
}

/* ---- beside tc */

/* The rest of the first line of what it says, behind the last match of `from`. */
static void assert_said(const char *command, const char *from, const char *want)
{
	FILE *f = popen(command, "r");
	char line[512], *at;

	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_int_equal(pclose(f), 0);
	line[strcspn(line, "\n")] = '\0';
	at = strstr(line, from);
	assert_non_null(at);
	assert_string_equal(at + strlen(from), want);
}

static void test_live(void **state)
{
	static const struct conf_size none;
	char *text, want[256];

	(void)state;
	if (unshare(CLONE_NEWNET) || system("command -v tc >/dev/null && "
					    "ip link add v0 numtxqueues 1 type veth peer name v1"))
		skip();
	for (size_t i = 0; i < ROWS(rows); i++) {
		char command[256];

		if (!rows[i].add)
			continue;
		snprintf(command, sizeof(command),
			 "tc qdisc replace dev v0 root handle 1: %s && tc qdisc show dev v0 && "
			 "tc qdisc del dev v0 root",
			 rows[i].add);
		assert_said(command, "1: root refcnt 2 ", rows[i].tc);
	}
	text = class_options(true, false, &none);
	snprintf(want, sizeof(want), "%s ", text);
	assert_said("tc qdisc add dev v0 root handle 1: htb && "
		    "tc class add dev v0 parent 1: classid 1:10 htb rate 80mbit ceil 95mbit "
		    "burst 1600 cburst 15k prio 3 quantum 5000 && tc class show dev v0",
		    "class htb 1:10 root ", want);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values), cmocka_unit_test(test_words),
		cmocka_unit_test(test_json),   cmocka_unit_test(test_class),
		cmocka_unit_test(test_xstats), cmocka_unit_test(test_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
