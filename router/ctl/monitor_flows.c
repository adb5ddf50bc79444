/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * monitor conntrack: events of flows as they happen, a line each, as `conntrack -E` has them. Every
 * client reads them at its own pace (flow_feed.h) and is told in the end how many it missed.
 * [control]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "router/ctl/flow_feed.h"
#include "router/ctl/flow_filter.h"
#include "router/ctl/flow_text.h"
#include "router/ctl/rows.h"
#include "router/router.h"

#define LOOK_A_CALL 1024 /* events looked at, whether they match or not */
#define TIME_STRLEN 64

const struct column monitor_conntrack_columns[] = {
	{ "event", "", COL_JSON, false, "new, update, assured or destroy" },
	{ "time", NULL, COL_TEXT, false, "UTC, as in RFC 3339" },
	{ "family", NULL, COL_TEXT, false, "ipv4 or ipv6" },
	{ "proto", NULL, COL_TEXT, false, "protocol, or its number" },
	{ "state", NULL, COL_TEXT, false, "of TCP, as conntrack has them" },
	{ "timeout", NULL, COL_NUMBER, false, "seconds until it expires" },
	{ "assured", NULL, COL_BOOL, false, "never evicted to make room" },
	{ "mark", NULL, COL_NUMBER, false, "of the connection" },
	{ "zone", NULL, COL_NUMBER, false, "of the connection: 0, or its VRF's table" },
	{ "orig", NULL, COL_JSON, false, "as it began: src, dst, sport, dport, packets, bytes" },
	{ "reply", NULL, COL_JSON, false, "as answers come in: the same keys" },
	{ 0 },
};

struct monitor {
	struct feed_reader feed;
	struct flow_filter filter;
	uint64_t until; /* stopping: the number of the event that is not told any more */
};

static void monitor_release(void *data)
{
	struct monitor *m = data;

	feed_reader_close(&m->feed);
	free(m);
}

static int monitor_begin(struct router *r, const struct request *q, struct cursor *cur,
			 struct command_ctx *c)
{
	struct monitor *m = calloc(1, sizeof(*m));
	int err = m ? flow_filter_parse(q, &m->filter, c) : -ENOMEM;

	if (!err)
		err = feed_reader_open(r, &m->feed);
	if (err) {
		free(m);
		return err;
	}
	cur->data = m;
	cur->release = monitor_release;
	return 0;
}

/* When it was, from how long ago it was. */
static char *time_format(uint64_t then, char buf[TIME_STRLEN])
{
	struct timespec now;
	struct tm tm;
	uint64_t ns;
	time_t s;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec - (clock_now() - then);
	s = (time_t)(ns / NSEC_PER_SEC);
	n = strftime(buf, TIME_STRLEN, "%FT%T", gmtime_r(&s, &tm));
	snprintf(buf + n, TIME_STRLEN - n, ".%06uZ", (unsigned)(ns % NSEC_PER_SEC / NSEC_PER_USEC));
	return buf;
}

static void event_row(const struct ct_event *e, struct command_ctx *c)
{
	static const char *const names[] = {
		[CT_EVENT_NEW] = "new",
		[CT_EVENT_UPDATE] = "update",
		[CT_EVENT_ASSURED] = "assured",
		[CT_EVENT_DESTROY] = "destroy",
	};
	char line[FLOW_LINE_STRLEN], time[TIME_STRLEN];
	struct row *row = command_row(c);

	row_json(row, "event", json_string(names[e->kind]), flow_event_line(e, line));
	row_text(row, "time", time_format(e->now, time));
	row_flow(row, e, NULL);
}

/* Up to 64 events. False: there are no more now, or none that this client should hear of. */
static bool tell(struct monitor *m, bool stopping, struct command_ctx *c)
{
	struct ct_event e;
	unsigned rows = 0;

	for (unsigned look = 0; rows < ROWS_A_CALL && look < LOOK_A_CALL; look++) {
		if ((stopping && m->feed.at >= m->until) || !feed_next(&m->feed, &e))
			return false;
		if (!flow_filter_match(&m->filter, &e))
			continue;
		event_row(&e, c);
		rows++;
	}
	return true;
}

int monitor_conntrack(struct router *r, const struct request *q, struct cursor *cur,
		      struct command_ctx *c)
{
	int err = cur->data ? 0 : monitor_begin(r, q, cur, c);
	struct monitor *m = cur->data;
	uint64_t lost;

	if (err)
		return err;
	if (q->stopping && !m->until)
		m->until = feed_end(&m->feed);
	if (tell(m, q->stopping, c))
		return COMMAND_MORE;
	if (!q->stopping)
		return COMMAND_IDLE;
	lost = feed_lost(&m->feed);
	command_message(c, "%llu event%s lost", (unsigned long long)lost, lost == 1 ? "" : "s");
	return COMMAND_DONE;
}
