/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show status, drops, workers, memory, config; reload, restart. [control] */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "router/ctl/rows.h"
#include "router/kept.h"
#include "router/lib/clock.h"
#include "router/net/frag.h"
#include "router/policy.h"
#include "router/restart.h"
#include "router/router.h"

static uint64_t sum_drop(const struct router *r, enum drop_reason why)
{
	uint64_t n = why == DROP_TX_NO_PORT ? r->kept->head->unsent : 0;

	for (unsigned w = 0; w < r->nworkers; w++)
		n += counter_read(&r->worker[w]->count->drop[why]);
	return n;
}

void totals_get(const struct router *r, struct totals *t)
{
	memset(t, 0, sizeof(*t));
	t->tx = -r->kept->head
			 ->unsent; /* counted as sent when handed over, and lost with their port */
	for (unsigned w = 0; w < r->nworkers; w++) {
		const struct worker *x = r->worker[w];

		for (unsigned i = 0; i < PORTS_MAX; i++) {
			t->rx += counter_read(&x->count->port[i].rx_packets);
			t->tx += counter_read(&x->count->port[i].tx_packets);
		}
		t->generated += counter_read(&x->count->generated);
		t->held += __atomic_load_n(&x->nheld, __ATOMIC_RELAXED);
	}
	t->held += r->st ? frags_held(r->st->frags) : 0;
	t->held += qos_held(r);
	for (unsigned d = 0; d < DROP__COUNT; d++)
		t->dropped += sum_drop(r, (enum drop_reason)d);
}

/* ---- status */

const struct column show_status_columns[] = {
	{ "state", "state", COL_TEXT, false, "starting or running" },
	{ "version", "version", COL_TEXT, false, "of the daemon" },
	{ "pid", "pid", COL_NUMBER, false, "process id" },
	{ "uptime", "uptime", COL_NUMBER, false, "seconds" },
	{ "config", "config", COL_TEXT, false, "configuration file" },
	{ "revision", "revision", COL_NUMBER, false, "configurations applied" },
	{ "refused", "refused", COL_NUMBER, false, "configurations refused" },
	{ "workers", "workers", COL_NUMBER, false, "packet threads" },
	{ "interfaces", "interfaces", COL_NUMBER, false, "ports open" },
	{ "routes_ipv4", "routes ipv4", COL_NUMBER, false, "routes mirrored from Linux" },
	{ "routes_ipv6", "routes ipv6", COL_NUMBER, false, "routes mirrored from Linux" },
	{ "rx_packets", "received", COL_NUMBER, false, "packets taken from receive rings" },
	{ "tx_packets", "sent", COL_NUMBER, false, "packets handed over for sending" },
	{ "dropped", "dropped", COL_NUMBER, false, "packets dropped, each with a reason" },
	{ "generated", "generated", COL_NUMBER, false,
	  "packets made here: ICMP errors, fragments" },
	{ "held", "held", COL_NUMBER, false,
	  "packets that wait for a neighbour or a first fragment" },
	{ "netlink_overruns", "netlink overruns", COL_NUMBER, false,
	  "times Linux was faster than we" },
	{ "netlink_resyncs", "netlink resyncs", COL_NUMBER, false,
	  "dumps of everything since start" },
	{ "netlink_malformed", "netlink malformed", COL_NUMBER, false,
	  "messages of Linux that make no sense to us" },
	{ 0 },
};

int show_status(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	struct row *row = command_row(c);
	struct netlink_stats nl;
	struct totals t;
	unsigned open = 0;

	(void)q;
	(void)cur;
	for (unsigned i = 0; i < PORTS_MAX; i++)
		open += r->ports[i].state == PORT_OPEN;
	totals_get(r, &t);
	row_text(row, "state", r->running ? "running" : "starting");
	row_text(row, "version", ROUTER_VERSION);
	row_number(row, "pid", getpid());
	row_unsigned(row, "uptime", (clock_now() - r->started_at) / NSEC_PER_SEC);
	row_text(row, "config", r->conf_path);
	row_unsigned(row, "revision", r->revision);
	row_unsigned(row, "refused", r->refused);
	row_unsigned(row, "workers", r->nworkers);
	row_unsigned(row, "interfaces", open);
	row_unsigned(row, "routes_ipv4", r->state ? r->state->nroutes[0] : 0);
	row_unsigned(row, "routes_ipv6", r->state ? r->state->nroutes[1] : 0);
	row_unsigned(row, "rx_packets", t.rx);
	row_unsigned(row, "tx_packets", t.tx);
	row_unsigned(row, "dropped", t.dropped);
	row_unsigned(row, "generated", t.generated);
	row_unsigned(row, "held", t.held);
	if (r->nl) {
		netlink_stats(r->nl, &nl);
		row_unsigned(row, "netlink_overruns", nl.overruns);
		row_unsigned(row, "netlink_resyncs", nl.resyncs);
		row_unsigned(row, "netlink_malformed", nl.malformed);
	}
	return COMMAND_DONE;
}

/* ---- drops */

const struct column show_drops_columns[] = {
	{ "reason", "reason", COL_TEXT, false, "name of the counter" },
	{ "stage", "stage", COL_TEXT, false, "where on the packet's way" },
	{ "packets", "packets", COL_NUMBER, false, "dropped since start" },
	{ "help", "meaning", COL_TEXT, false, "what it means" },
	{ 0 },
};

static void drop_row(struct command_ctx *c, const char *reason, const char *stage, uint64_t n,
		     const char *help)
{
	struct row *row = command_row(c);

	row_text(row, "reason", reason);
	row_text(row, "stage", stage);
	row_unsigned(row, "packets", n);
	row_text(row, "help", help);
}

/* What the kernel lost before we saw it: not part of our books, but the operator's loss all the
 * same. */
static void kernel_drops(const struct router *r, bool all, struct command_ctx *c)
{
	const struct kept_header *k = r->kept->head;
	struct xsk_port_stats sum = { .rx_dropped = k->kernel_rx_dropped,
				      .rx_ring_full = k->kernel_rx_ring_full };

	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct xsk_port_stats one;

		if (r->ports[i].state != PORT_OPEN)
			continue;
		xsk_port_stats(r->ports[i].xsk, &one);
		sum.rx_dropped += one.rx_dropped;
		sum.rx_ring_full += one.rx_ring_full;
	}
	if (all || sum.rx_dropped)
		drop_row(c, "kernel-rx-dropped", "kernel", sum.rx_dropped,
			 "longer than a frame, or no free frame was posted");
	if (all || sum.rx_ring_full)
		drop_row(c, "kernel-rx-ring-full", "kernel", sum.rx_ring_full,
			 "the worker was too slow: receive ring full");
	if (all || k->kernel_rx_unread)
		drop_row(c, "kernel-rx-unread", "kernel", k->kernel_rx_unread,
			 "in the receive ring when the port was closed");
}

int show_drops(struct router *r, const struct request *q, struct cursor *cur, struct command_ctx *c)
{
	bool all = q->arg[0] != NULL;

	(void)cur;
	for (unsigned d = 0; d < DROP__COUNT; d++) {
		uint64_t n = sum_drop(r, (enum drop_reason)d);

		if (n || all)
			drop_row(c, drop_info[d].name, drop_info[d].stage, n, drop_info[d].text);
	}
	kernel_drops(r, all, c);
	if (!q->statistics)
		return COMMAND_DONE;
	for (unsigned e = 0; e < EVENT__COUNT; e++) { /* -s: what is no drop */
		uint64_t n = 0;

		for (unsigned w = 0; w < r->nworkers; w++)
			n += counter_read(&r->worker[w]->count->event[e]);
		if (n || all)
			drop_row(c, dp_event_info[e].name, "event", n, dp_event_info[e].text);
	}
	return COMMAND_DONE;
}

/* ---- workers */

const struct column show_workers_columns[] = {
	{ "worker", "worker", COL_NUMBER, false,
	  "number; serves this queue of every port that has as many" },
	{ "cpu", "cpu", COL_TEXT, false, "pinned to, or any" },
	{ "mode", "mode", COL_TEXT, false, "adaptive or busy" },
	{ "state", "state", COL_TEXT, false, "asleep or awake now" },
	{ "rx_packets", "received", COL_NUMBER, false, "packets received" },
	{ "tx_packets", "sent", COL_NUMBER, false, "packets sent" },
	{ "dropped", "dropped", COL_NUMBER, false, "packets dropped" },
	{ "loops", "loops", COL_NUMBER, true, "turns of the loop" },
	{ "busy_loops", "busy", COL_NUMBER, true, "turns that moved a packet" },
	{ "sleeps", "sleeps", COL_NUMBER, true, "times it slept" },
	{ "worst_loop_us", "worst us", COL_NUMBER, true,
	  "longest turn that moved a packet, in microseconds, since `reset workers`" },
	{ 0 },
};

int show_workers(struct router *r, const struct request *q, struct cursor *cur,
		 struct command_ctx *c)
{
	(void)q;
	(void)cur;
	for (unsigned i = 0; i < r->nworkers; i++) {
		const struct worker *w = r->worker[i];
		struct row *row = command_row(c);
		uint64_t rx = 0, tx = 0, dropped = 0;

		for (unsigned p = 0; p < PORTS_MAX; p++) {
			rx += counter_read(&w->count->port[p].rx_packets);
			tx += counter_read(&w->count->port[p].tx_packets);
		}
		for (unsigned d = 0; d < DROP__COUNT; d++)
			dropped += counter_read(&w->count->drop[d]);
		row_unsigned(row, "worker", i);
		if (w->cpu < 0)
			row_text(row, "cpu", "any");
		else
			row_textf(row, "cpu", "%d", w->cpu);
		row_text(row, "mode", w->busy ? "busy" : "adaptive");
		row_text(row, "state",
			 __atomic_load_n(&w->asleep, __ATOMIC_RELAXED) ? "asleep" : "awake");
		row_unsigned(row, "rx_packets", rx);
		row_unsigned(row, "tx_packets", tx);
		row_unsigned(row, "dropped", dropped);
		row_unsigned(row, "loops", counter_read(&w->loops));
		row_unsigned(row, "busy_loops", counter_read(&w->busy_loops));
		row_unsigned(row, "sleeps", counter_read(&w->sleeps));
		row_unsigned(row, "worst_loop_us", counter_read(&w->worst_loop_ns) / NSEC_PER_USEC);
	}
	return COMMAND_DONE;
}

int reset_workers(struct router *r, const struct request *q, struct cursor *cur,
		  struct command_ctx *c)
{
	(void)q;
	(void)cur;
	(void)c;
	for (unsigned i = 0; i < r->nworkers; i++) /* a turn under way may still be told of */
		__atomic_store_n(&r->worker[i]->worst_loop_ns, 0, __ATOMIC_RELAXED);
	return COMMAND_DONE;
}

/* ---- memory */

const struct column show_memory_columns[] = {
	{ "frames", "frames", COL_NUMBER, false, "in the packet memory" },
	{ "frame_size", "frame size", COL_NUMBER, false, "bytes" },
	{ "hugepages", "2 MiB pages", COL_BOOL, false, "the memory lies in huge pages" },
	{ "free", "free", COL_NUMBER, false, "in nobody's hands" },
	{ "held", "held", COL_NUMBER, false, "by the packet path" },
	{ "posted", "posted", COL_NUMBER, false, "with the kernel, for receive" },
	{ "sent", "sent", COL_NUMBER, false, "with the kernel, for sending" },
	{ "quarantined", "quarantined", COL_NUMBER, false, "of ports that were just closed" },
	{ "missing", "missing", COL_NUMBER, false,
	  "none of the above: 0 when at rest, or it is a bug" },
	{ "rss_kib", "resident KiB", COL_NUMBER, false, "of the process, packet memory included" },
	{ "fib_bytes", "FIB bytes", COL_NUMBER, false, "all tables, both families" },
	{ 0 },
};

static uint64_t resident_kib(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%lu %lu", &size, &resident) != 2)
			resident = 0;
		fclose(f);
	}
	return resident * ((uint64_t)sysconf(_SC_PAGESIZE) / 1024);
}

int show_memory(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	struct row *row = command_row(c);
	uint64_t nfree = 0, held = 0, posted = 0, sent = 0;

	(void)q;
	(void)cur;
	if (!r->mem)
		return command_fail(c, -EAGAIN, "the packet memory is not there yet");
	pthread_mutex_lock(&r->mem->lock);
	nfree = r->mem->ndepot;
	pthread_mutex_unlock(&r->mem->lock);
	for (unsigned w = 0; w < r->nworkers; w++) {
		nfree += __atomic_load_n(&r->worker[w]->nfree, __ATOMIC_RELAXED);
		held += __atomic_load_n(&r->worker[w]->nheld, __ATOMIC_RELAXED);
	}
	held += r->st ? frags_held(r->st->frags) : 0;
	held += qos_held(r);
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		const struct xsk_port *x = r->ports[i].state == PORT_OPEN ? r->ports[i].xsk : NULL;

		for (unsigned k = 0; x && k < x->nqueues; k++) {
			posted += counter_read(&x->queue[k]->posted) -
				  counter_read(&x->queue[k]->received);
			sent += counter_read(&x->queue[k]->sent) -
				counter_read(&x->queue[k]->completed);
		}
	}
	row_unsigned(row, "frames", r->mem->frames);
	row_unsigned(row, "frame_size", 1u << r->mem->shift);
	row_bool(row, "hugepages", r->mem->huge);
	row_unsigned(row, "free", nfree);
	row_unsigned(row, "held", held);
	row_unsigned(row, "posted", posted);
	row_unsigned(row, "sent", sent);
	row_unsigned(row, "quarantined", r->quarantined);
	row_number(row, "missing",
		   (int64_t)r->mem->frames -
			   (int64_t)(nfree + held + posted + sent + r->quarantined));
	row_unsigned(row, "rss_kib", resident_kib());
	row_unsigned(row, "fib_bytes",
		     fib_pool_bytes(r->state->pool[0]) + fib_pool_bytes(r->state->pool[1]));
	return COMMAND_DONE;
}

/* ---- config, reload */

const struct column show_config_columns[] = {
	{ "config", "", COL_TEXT, false, "the running configuration as YAML" },
	{ 0 },
};

int show_config(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)q;
	(void)cur;
	if (!f)
		return command_fail(c, -ENOMEM, "out of memory");
	conf_print(r->conf, f);
	fclose(f);
	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	row_text(command_row(c), "config", text);
	free(text);
	return COMMAND_DONE;
}

int cmd_reload(struct router *r, const struct request *q, struct cursor *cur, struct command_ctx *c)
{
	char text[8192];
	int err = router_reload(r, text, sizeof(text));

	(void)q; /* applying is synchronous: with and without --wait it is done when we answer */
	(void)cur;
	if (err)
		return command_fail(c, err, "%s", text);
	if (text[0])
		command_message(c, "%s", text);
	command_message(c, "configuration applied (revision %" PRIu64 ")", r->revision);
	return COMMAND_DONE;
}

/* Does the next process find a file that it would take? Its own version will judge, but most of
 * what is wrong with a file is wrong in any. */
static int config_check(struct router *r, struct command_ctx *c)
{
	struct conf *conf = NULL;
	char *text = NULL, why[512] = "";
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int err = f ? conf_load(r->conf_path, NULL, f, &conf) : -ENOMEM;

	if (!err)
		err = policy_try(conf, why, sizeof(why));
	if (!err)
		err = qos_check(r, conf, why, sizeof(why));
	if (f)
		fclose(f);
	conf_destroy(conf);
	if (err)
		command_fail(c, err, "%s%s%snot restarted: %s is refused", text ? text : "", why,
			     why[0] ? "\n" : "", r->conf_path);
	free(text);
	return err;
}

int cmd_restart(struct router *r, const struct request *q, struct cursor *cur,
		struct command_ctx *c)
{
	const char *why;
	int err;

	(void)cur;
	if (!restart_is_possible(r, &why))
		return command_fail(c, -EPERM, "%s", why);
	err = q->arg[0] ? 0 : config_check(r, c);
	if (err)
		return err;
	err = restart_soon(r);
	if (err)
		return command_fail(c, err, "out of memory");
	command_message(c, "the next process takes over");
	return COMMAND_DONE;
}
