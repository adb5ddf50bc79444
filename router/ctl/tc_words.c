// SPDX-License-Identifier: GPL-2.0-or-later
/* See tc_words.h. */
#include "router/ctl/tc_words.h"

#include <inttypes.h>
#include <math.h>

#include "config/conf.h"

/* ---- single values */

char *tc_rate(uint64_t bytes_per_second, char buf[TC_STRLEN])
{
	static const char *const units[] = { "", "K", "M", "G", "T" };
	uint64_t rate = bytes_per_second * 8;
	unsigned i = 0;

	/* 1500000 is 1500Kbit: a unit is taken where nothing is lost, or where little is */
	while (i < 4 && rate >= 1000 && (rate % 1000 == 0 || rate >= 1000000)) {
		rate /= 1000;
		i++;
	}
	snprintf(buf, TC_STRLEN, "%" PRIu64 "%sbit", rate, units[i]);
	return buf;
}

/* Is n about a whole number of units? How many, or 0. */
static uint64_t whole(uint64_t n, uint64_t unit, uint64_t off)
{
	uint64_t times = (n + unit / 2) / unit, exact = times * unit;

	return n >= unit && (n > exact ? n - exact : exact - n) < off ? times : 0;
}

char *tc_size(uint64_t bytes, char buf[TC_STRLEN])
{
	uint64_t n;

	if ((n = whole(bytes, 1u << 20, 1024)))
		snprintf(buf, TC_STRLEN, "%" PRIu64 "Mb", n);
	else if ((n = whole(bytes, 1u << 10, 16)))
		snprintf(buf, TC_STRLEN, "%" PRIu64 "Kb", n);
	else
		snprintf(buf, TC_STRLEN, "%" PRIu64 "b", bytes);
	return buf;
}

char *tc_time(uint64_t us, char buf[TC_STRLEN])
{
	if (us >= 1000000)
		snprintf(buf, TC_STRLEN, "%.3gs", (double)us / 1e6);
	else if (us >= 1000)
		snprintf(buf, TC_STRLEN, "%.3gms", (double)us / 1e3);
	else
		snprintf(buf, TC_STRLEN, "%" PRIu64 "us", us);
	return buf;
}

char *tc_handle(uint32_t handle, char buf[TC_STRLEN])
{
	unsigned major = handle >> 16, minor = CONF_MINOR(handle);

	if (handle == CONF_ROOT)
		snprintf(buf, TC_STRLEN, "root");
	else if (!handle)
		snprintf(buf, TC_STRLEN, "none");
	else if (!major)
		snprintf(buf, TC_STRLEN, ":%x", minor);
	else if (!minor)
		snprintf(buf, TC_STRLEN, "%x:", major);
	else
		snprintf(buf, TC_STRLEN, "%x:%x", major, minor);
	return buf;
}

uint64_t tc_codel_us(uint64_t ns)
{
	return (ns >> 10 << 10) / 1000;
}

uint64_t tc_burst_us(uint64_t rate, uint64_t burst)
{
	uint64_t us = rate ? (uint64_t)(1e6 * (double)burst / (double)rate) : 0;
	uint64_t ticks = us * 1000 / 64;

	return ticks * 64 / 1000;
}

uint64_t tc_burst(uint64_t rate, uint64_t burst)
{
	return (uint64_t)((double)rate * (double)tc_burst_us(rate, burst) / 1e6);
}

/* ---- words */

void tc_word(struct tc_words *w, const char *key)
{
	fprintf(w->text, "%s%s", w->begun ? " " : "", key);
	w->begun = true;
}

/* After its key, if it has one. */
static void value(struct tc_words *w, const char *key, const char *text)
{
	if (key)
		tc_word(w, key);
	tc_word(w, text);
}

static void set(struct tc_words *w, const char *key, json_t *json)
{
	if (w->json)
		json_object_set_new(w->json, key, json);
	else
		json_decref(json);
}

void tc_word_flag(struct tc_words *w, const char *key, bool on)
{
	if (on)
		tc_word(w, key);
	set(w, key, json_boolean(on));
}

void tc_word_text(struct tc_words *w, const char *key, const char *text)
{
	value(w, key, text);
	set(w, key, json_string(text));
}

void tc_word_number(struct tc_words *w, const char *key, int64_t n, const char *unit)
{
	char buf[TC_STRLEN];

	snprintf(buf, sizeof(buf), "%" PRId64 "%s", n, unit);
	value(w, key, buf);
	set(w, key, json_integer(n));
}

void tc_word_size(struct tc_words *w, const char *key, uint64_t bytes)
{
	char buf[TC_STRLEN];

	value(w, key, tc_size(bytes, buf));
	set(w, key, json_integer((json_int_t)bytes));
}

void tc_word_rate(struct tc_words *w, const char *key, uint64_t bytes_per_second)
{
	char buf[TC_STRLEN];

	value(w, key, tc_rate(bytes_per_second, buf));
	set(w, key, json_integer((json_int_t)bytes_per_second));
}

void tc_word_time(struct tc_words *w, const char *key, uint64_t us)
{
	char buf[TC_STRLEN];

	value(w, key, tc_time(us, buf));
	set(w, key, json_integer((json_int_t)us));
}

void tc_word_share(struct tc_words *w, const char *key, uint32_t share)
{
	double part = (double)share / UINT32_MAX;
	char buf[TC_STRLEN];

	snprintf(buf, sizeof(buf), "%g%%", 100 * part);
	value(w, key, buf);
	set(w, key ? key : "correlation", json_real(round(part * 1e9) / 1e9));
}

struct tc_words tc_word_begin(struct tc_words *w, const char *key)
{
	struct tc_words inner = *w;

	if (w->json) {
		inner.json = json_object();
		json_object_set_new(w->json, key, inner.json);
	}
	return inner;
}

void tc_word_end(struct tc_words *w, const struct tc_words *inner)
{
	w->begun = inner->begun;
}
