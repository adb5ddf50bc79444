/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of IPv6 that every hop processes: which pass, which are dropped in silence, and whose
 * sender is told what. Requirement G26; RFC 8200 4.2 and 4.3, RFC 2675 3, and what Linux does where
 * these leave it open.
 */
#include "tests/unit/pipe_rows.h"

/* One row: the header's first bytes, the next header left out; the rest of it is Pad1. */
struct row {
	const char *what;
	uint8_t len, b[24];
	int error;	/* -1: forwarded; -2: dropped in silence; code of a parameter problem */
	unsigned where; /* its pointer, from the begin of the packet */
};
#define PASSES -1
#define SILENT -2
#define FIELD  0
#define OPTION 2

static void run_row(struct pipe *p, const struct row *row, unsigned payload)
{
	struct frame f;

	frame_to(&f, beyond(true, VIA_OUT), payload);
	frame_extension(&f, 0, row->b, row->len);
	if (row->error == PASSES)
		pipe_forwards(p, &f, 1);
	else if (row->error == SILENT)
		pipe_drops(p, &f, DROP_IP6_OPTIONS);
	else
		pipe_answers(p, &f, DROP_IP6_OPTIONS, 4, (unsigned)row->error, row->where);
}

static void run_rows(const struct row *rows, unsigned n)
{
	struct pipe p;

	pipe_open(&p);
	for (unsigned i = 0; i < n; i++) {
		print_message("%s\n", rows[i].what);
		run_row(&p, &rows[i], 20);
		run_row(&p, &rows[i], 1432); /* what is quoted has an end */
	}
	pipe_close(&p);
}

/* 8 bytes hold an option of 4 bytes' data, or shorter ones and padding. */
static void test_known(void **state)
{
	static const struct row rows[] = {
		{ "padding alone", 8, { 0, 0, 1, 4 }, PASSES, 0 },
		{ "padding of one byte each", 8, { 0 }, PASSES, 0 },
		{ "router alert", 8, { 0, 0, 5, 2, 0, 0, 1, 0 }, PASSES, 0 },
		{ "router alert of a value nobody knows", 8, { 0, 0, 5, 2, 9, 9 }, PASSES, 0 },
		{ "router alert, too long", 8, { 0, 0, 5, 3, 0, 0, 0, 0 }, SILENT, 0 },
		{ "router alert, too short", 8, { 0, 0, 5, 1, 0, 1, 1, 0 }, SILENT, 0 },
		{ "jumbo that is none", 8, { 0, 0, 0xc2, 4, 0, 0, 255, 255 }, FIELD, 44 },
		{ "jumbo beside a length", 8, { 0, 0, 0xc2, 4, 0, 1, 0, 0 }, FIELD, 42 },
		{ "jumbo not aligned", 16, { 0, 1, 0, 0xc2, 4, 0, 1, 0, 0 }, SILENT, 0 },
		{ "jumbo, too short", 8, { 0, 0, 0xc2, 3, 0, 1, 0, 0 }, SILENT, 0 },
	};

	(void)state;
	run_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_malformed(void **state)
{
	static const struct row rows[] = {
		{ "a type at the very end", 8, { 0, 0, 1, 3, 0, 0, 0, 5 }, SILENT, 0 },
		{ "a length behind the end", 8, { 0, 0, 1, 5, 0, 0, 0, 0 }, SILENT, 0 },
		{ "the longest length", 8, { 0, 0, 0x1e, 255 }, SILENT, 0 },
		{ "an unknown one behind the end", 8, { 0, 0, 0xfe, 5 }, SILENT, 0 },
		{ "padding that says something", 8, { 0, 0, 1, 4, 0, 0, 0, 1 }, SILENT, 0 },
		{ "more padding than aligns", 16, { 0, 1, 1, 6, 0 }, SILENT, 0 },
		{ "the most", 16, { 0, 1, 0x1e, 5, 1, 2, 3, 4, 5, 1, 5 }, PASSES, 0 },
		{ "the same by bytes", 16, { 0, 1, 0x1e, 5, 1, 2, 3, 4, 5 }, PASSES, 0 },
		{ "by bytes, one more", 16, { 0, 1, 0x1e, 4, 1, 2, 3, 4 }, SILENT, 0 },
		{ "both kinds", 16, { 0, 1, 0x1e, 4, 1, 2, 3, 4, 0, 1, 5 }, SILENT, 0 },
		{ "twice, with one between",
		  24,
		  { 0, 2, 1, 5, 0, 0, 0, 0, 0, 5, 2, 0, 0, 1, 5, 0, 0, 0, 0, 0, 5, 2, 0, 0 },
		  PASSES,
		  0 },
	};

	(void)state;
	run_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* The two top bits: skip, drop, drop and tell, drop and tell (not if multicast, which never comes
 * here). */
static void test_unknown(void **state)
{
	struct row row = { .what = "each type", .len = 8 };
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned type = 2; type < 256; type++) {
		if (type == 5 || type == 0xc2)
			continue;
		row.b[2] = (uint8_t)type;
		row.b[3] = 4;
		row.error = type < 0x40 ? PASSES : type < 0x80 ? SILENT : OPTION;
		row.where = 42;
		run_row(&p, &row, 20);
	}
	row.len = 16; /* the first that is not passed over decides, and the error points to it */
	memcpy(row.b, (uint8_t[]){ 0, 1, 0x1e, 1, 7, 0x9e, 0, 0x5e, 0, 0x1e, 0, 0x1e, 0 }, 13);
	row.where = 45;
	run_row(&p, &row, 20);
	row.b[5] = 0x5e;
	row.b[7] = 0x9e;
	row.error = SILENT;
	run_row(&p, &row, 20);
	pipe_close(&p);
}

/* Eight, padding not counted. */
static void test_how_many(void **state)
{
	struct row row = { .what = "many", .len = 24, .b = { 0, 2 } };
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned n = 8; n <= 11; n++) {
		for (unsigned i = 0; i < 11; i++)
			row.b[2 + 2 * i] = i < n ? 0x1e : 1;
		row.error = n == 8 ? PASSES : SILENT;
		run_row(&p, &row, 20);
	}
	pipe_close(&p);
}

/* Nobody is told of what says that it is an error itself, and of other headers' options nothing. */
static void test_not_told(void **state)
{
	static const uint8_t unknown[8] = { 0, 0, 0x9e, 4 };
	struct pipe p;
	struct frame f;

	(void)state;
	pipe_open(&p);
	frame6(&f, on_link(true, 0, 2), beyond(true, VIA_OUT), IPPROTO_ICMPV6, 28);
	f.b[54] = 1;
	frame_extension(&f, 0, unknown, 8);
	pipe_drops(&p, &f, DROP_IP6_OPTIONS);
	frame_to(&f, beyond(true, VIA_OUT), 20);
	frame_extension(&f, 60, unknown, 8);
	pipe_forwards(&p, &f, 1);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),	 cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_unknown),	 cmocka_unit_test(test_how_many),
		cmocka_unit_test(test_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
