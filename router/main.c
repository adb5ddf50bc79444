/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon: arguments, start, the control loop, stop in reverse order.
 *
 * One control thread (this one) and N workers. Start order: configuration, Linux's state, control
 * socket, packet memory, workers, rules, what the configuration wants of Linux, ports; READY only
 * then. Where an earlier process left its memory and its sockets (restart.h), ports come before
 * what is asked of Linux: packets wait in their rings.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/schema.h"
#include "router/apply.h"
#include "router/apply_rules.h"
#include "router/buckets.h"
#include "router/ctl/qos_rate.h"
#include "router/lib/clock.h"
#include "router/lib/log.h"
#include "router/handover.h"
#include "router/linux_ports.h"
#include "router/listen.h"
#include "router/notes.h"
#include "router/kept.h"
#include "router/lastconf.h"
#include "router/once.h"
#include "router/restart.h"
#include "router/router.h"
#include "router/rundir.h"
#include "router/settings.h"
#include "router/standin.h"
#include "router/stateful.h"
#include "systemd/notify.h"

#define CONF_DEFAULT  "/etc/router/router.yaml"
#define UPKEEP_NS     (5 * NSEC_PER_SEC)
#define LOCALS_MAX    4096
#define FLOWS_BUSY_NS (50 * NSEC_PER_MSEC)
#define FLOWS_IDLE_NS NSEC_PER_SEC
#define FRAMES_MIN    16384 /* by default: also for ports that come later */

enum action { ACTION_RUN, ACTION_CHECK, ACTION_CLEANUP, ACTION_SCHEMA };

static const char usage[] =
	"usage: router [-c FILE] [-R DIR] [-v]      run in the foreground, log on stderr\n"
	"       router --handover [-c FILE] ...     the same, taking over from the one that runs\n"
	"       router --check [-c] [FILE]          check a configuration and say what is wrong\n"
	"       router --cleanup [-R DIR]           remove what a router attached or pinned\n"
	"       router --schema                     print the JSON Schema of the configuration\n"
	"       router --help | --version\n"
	"  -c FILE  configuration (default " CONF_DEFAULT ")\n"
	"  -R DIR   sockets and state (default " RUN_DIR_DEFAULT
	"): one for each router on a host\n"
	"  -v       log more\n";

/* ---- callbacks of the state */

static void on_publish(void *arg, const struct dp_config *c)
{
	struct router *r = arg;

	for (unsigned w = 0; w < r->nworkers; w++)
		__atomic_store_n(&r->worker[w]->config, c, __ATOMIC_RELEASE);
}

static void on_neigh_changed(void *arg)
{
	struct router *r = arg;

	for (unsigned w = 0; w < r->nworkers; w++)
		if (__atomic_load_n(&r->worker[w]->nheld, __ATOMIC_RELAXED))
			worker_wake(r->worker[w]);
}

static void on_link_changed(void *arg, struct link *l, bool gone)
{
	struct router *r = arg;

	if (!r->running)
		return;
	ports_link_changed(r, l, gone);
}

static void locals_follow(struct router *r)
{
	static struct addr locals[LOCALS_MAX]; /* [control] only; large */
	unsigned n = state_local_addrs(r->state, locals, LOCALS_MAX);

	if (n > LOCALS_MAX)
		log_err("%u local addresses: only %u can be kept from the routed ports", n,
			LOCALS_MAX);
	n = n < LOCALS_MAX ? n : LOCALS_MAX;
	if (steer_local_replace(r->steer, locals, n))
		log_err("local addresses: the XDP map would not take them all");
}

static void on_addr_changed(void *arg, const struct netlink_addr *a)
{
	struct router *r = arg;

	if (!r->running)
		return;
	/* An address must reach Linux from its first packet on; what goes may go a little later. */
	if (!a->deleted) {
		steer_local_add(r->steer, &a->local.addr);
		if (a->broadcast.family)
			steer_local_add(r->steer, &a->broadcast);
	}
	r->links_moved = true;
	loop_timer_set(r->ports_timer, 1);
}

/* ---- timers and signals */

/* Links or addresses changed: everything that hangs on them follows, once for a batch of changes.
 */
static void on_ports_timer(void *arg, uint64_t now)
{
	struct router *r = arg;

	(void)now;
	r->links_moved = false;
	locals_follow(r);
	ports_follow(r);
	qos_ports_moved(r);
	apply_kernel(r);
	state_publish(r->state);
	stateful_follow(r);
	apply_status(r, false);
}

/* Often while flows come and go, seldom while there are none, never without tables of them. */
static void on_flows_timer(void *arg, uint64_t now)
{
	struct router *r = arg;

	stateful_upkeep(r, now);
	if (r->st)
		loop_timer_set(r->flows_timer,
			       now + (stateful_busy(r) ? FLOWS_BUSY_NS : FLOWS_IDLE_NS));
}

static void on_second(void *arg, uint64_t now)
{
	struct router *r = arg;

	ports_follow(r); /* not every driver tells when its queues are more or fewer */
	qos_ports_moved(r);
	if (r->rules_wait)
		apply_rules(r);
	state_neighbours_upkeep(r->state);
	state_publish(r->state);
	linux_ports_follow(r);
	restart_upkeep(r, now);
	loop_timer_set(r->second, now + UPKEEP_NS);
}

/* A worker that neither sleeps nor turns for a whole interval hangs: systemd hears nothing then. */
static void on_watchdog(void *arg, uint64_t now)
{
	struct router *r = arg;
	bool all = true;

	for (unsigned w = 0; w < r->nworkers; w++) {
		bool asleep = __atomic_load_n(&r->worker[w]->asleep, __ATOMIC_ACQUIRE);
		uint64_t loops = counter_read(&r->worker[w]->loops); /* after it: see doze() */

		if (loops == r->moved[w] && !asleep) {
			log_err("worker %u does not move", w);
			all = false;
		}
		r->moved[w] = loops;
	}
	if (all)
		notify_watchdog();
	loop_timer_set(r->watchdog, now + notify_watchdog_interval_ns());
}

static void on_signal(void *arg, int fd, uint32_t events)
{
	struct router *r = arg;
	struct signalfd_siginfo si;
	char text[4096];

	(void)events;
	if (read(fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGHUP)
		router_reload(r, text, sizeof(text));
	else if (!restart_now(r)) /* a service manager does not wait for who is about to leave */
		loop_stop(r->loop);
}

static void on_worker_message(void *arg, int fd, uint32_t events)
{
	struct router *r = arg;
	struct dp_message m;
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	for (unsigned w = 0; w < r->nworkers; w++)
		while (spsc_get(&r->worker[w]->messages, &m))
			state_resolve(r->state, &m);
	notes_read(r);
	standin_resume(r);
}

/* ---- start */

static int start_signals(struct router *r)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* workers inherit it */
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	r->signals = fd < 0 ? NULL : loop_fd_add(r->loop, fd, EPOLLIN, on_signal, r);
	return r->signals ? 0 : -ENOMEM;
}

static int start_steer(struct router *r)
{
	char dir[160], why[STEER_WHY];
	int err;

	rundir_pins(r->run_dir, dir, sizeof(dir));
	err = steer_create(dir, &r->steer, why);
	if (err)
		log_err("XDP: %s", why);
	else if (steer_note(r->steer))
		log_warn("XDP: %s", steer_note(r->steer));
	return err;
}

static int start_state(struct router *r)
{
	int err = state_create(&r->state);

	if (err)
		return err;
	r->state->arg = r;
	r->state->publish = on_publish;
	r->state->neigh_changed = on_neigh_changed;
	r->state->link_changed = on_link_changed;
	r->state->addr_changed = on_addr_changed;
	r->state->name_id = stateful_name_id;
	r->state->iface_settings = settings_iface;
	r->state->route_hash = settings_route;
	err = buckets_start(r);
	if (err)
		return err;
	r->hash_seed = settings_seed(r->run_dir);
	r->state->settings = settings_of(r->conf, r->hash_seed);
	r->state->port_before = restart_port_before;
	err = netlink_create(r->loop, &state_netlink_ops, r->state, &r->nl);
	if (err)
		log_err("rtnetlink: %s", strerror(-err));
	r->state->nl = r->nl;
	return err;
}

static unsigned cpus_usable(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

/* One worker for each CPU named; else so many as asked for; else as many as there is work for. */
static unsigned workers_wanted(const struct router *r)
{
	unsigned queues = ports_most_queues(r, r->conf), cpus = cpus_usable();

	if (r->conf->workers.ncpus)
		return r->conf->workers.ncpus;
	if (r->conf->workers.count)
		return r->conf->workers.count < WORKERS_MAX ? r->conf->workers.count : WORKERS_MAX;
	return queues < cpus ? queues : cpus;
}

static int start_memory(struct router *r)
{
	static const enum xsk_hugepages huge[] = { [CONF_HUGEPAGES_PREFER] = XSK_HUGEPAGES_PREFER,
						   [CONF_HUGEPAGES_REQUIRE] = XSK_HUGEPAGES_REQUIRE,
						   [CONF_HUGEPAGES_OFF] = XSK_HUGEPAGES_OFF };
	uint32_t need = ports_frames(r, r->conf, workers_wanted(r)) + qos_frames(r->conf), frames;
	int err;

	frames = need > FRAMES_MIN ? need : FRAMES_MIN;
	if (r->conf->memory.frames)
		frames = r->conf->memory.frames;
	err = restart_go(r);
	if (err || restart_memory(r))
		return err;
	if (frames < need)
		log_warn("router.memory.frames: %u are fewer than the %u these ports may use at "
			 "once; under load queues will run dry",
			 frames, need);
	err = kept_create(frames, r->conf->memory.frame_size, &r->kept);
	if (!err)
		err = xsk_mem_create(frames, r->conf->memory.frame_size,
				     huge[r->conf->memory.hugepages], &r->kept->xsk, &r->mem);
	if (err)
		log_err("packet memory: %u frames of %u bytes: %s%s", frames,
			r->conf->memory.frame_size, strerror(-err),
			r->conf->memory.hugepages == CONF_HUGEPAGES_REQUIRE
				? " (no such huge pages: vm.nr_hugepages, or hugepages: prefer)"
				: "");
	else
		log_info("packet memory: %u frames of %u bytes%s", frames,
			 r->conf->memory.frame_size, r->mem->huge ? ", 2 MiB pages" : "");
	if (!err)
		restart_keep(r);
	return err;
}

static int start_workers(struct router *r)
{
	unsigned n = workers_wanted(r);

	r->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r->wake = r->wake_fd < 0 ? NULL
				 : loop_fd_add(r->loop, r->wake_fd, EPOLLIN, on_worker_message, r);
	if (!r->wake)
		return -ENOMEM;
	for (unsigned w = 0; w < n; w++) {
		int cpu = r->conf->workers.ncpus ? (int)r->conf->workers.cpus[w] : -1;
		int err = worker_create(r->mem, w, cpu, r->conf->workers.poll == CONF_POLL_BUSY,
					r->wake_fd, &r->worker[w]);

		if (err)
			return err;
		r->nworkers++;
		r->worker[w]->peers = r->worker;
		r->worker[w]->dp.icmp = &r->worker[0]->icmp;
		r->worker[w]->config = r->state->config;
	}
	restart_workers(r);
	for (unsigned w = 0; w < n; w++) {
		int err = worker_start(r->worker[w]);

		if (err)
			return err;
	}
	return 0;
}

static void warn_of_kernel_forwarding(void)
{
	char c = '0';
	int fd = open("/proc/sys/net/ipv4/ip_forward", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, &c, 1) == 1 && c != '0')
		log_warn("net.ipv4.ip_forward is on: Linux forwards what reaches it by other ways");
	if (fd >= 0)
		close(fd);
}

static int build_policy(struct router *r, struct policy **out)
{
	char why[512] = "";
	int err = stateful_build(r, r->conf, out, why, sizeof(why));

	if (!err) {
		err = qos_check(r, r->conf, why, sizeof(why));
		if (err)
			stateful_forget(r, *out);
	}
	if (err)
		log_err("rules: %s", why);
	return err;
}

static int start_policy(struct router *r)
{
	struct policy *p;
	int err = stateful_start(r, rundir_table(r->run_dir));

	if (err) {
		log_err("nftables: %s", strerror(-err));
		return err;
	}
	err = build_policy(r, &p);
	if (err && lastconf_fall_back(r))
		err = build_policy(r, &p);
	if (err)
		return err;
	stateful_publish(r, p);
	loop_timer_set(r->flows_timer, clock_now() + FLOWS_IDLE_NS);
	return 0;
}

/* What Linux is asked for takes long, and is there already after a restart: packets first. */
static void start_ports(struct router *r)
{
	apply_vrfs(r, NULL); /* flows that there are know their zones */
	if (r->adopted) {
		restart_places(r);
		ports_assign(r);
		qos_follow(r, NULL);
		standin_take_back(r);
		restart_ports(r);
	}
	stateful_apply(r);
	apply_start(r);
	netlink_catch_up(r->nl); /* the first packet goes by what was just installed */
	locals_follow(r);
	ports_assign(r);
	qos_follow(r, NULL);
	if (!r->adopted)
		standin_take_back(r);
	ports_start(r);
	standin_settle(r);
	qos_ports_moved(r);
	steer_prune(r->steer, NULL, NULL);
	restart_end(r);
}

static int start(struct router *r, bool handover)
{
	int err;

	r->loop = loop_create();
	if (!r->loop)
		return -errno;
	if (mkdir(r->run_dir, 0755) && errno != EEXIST) {
		log_err("%s: %s", r->run_dir, strerror(errno));
		return -errno;
	}
	r->ports_timer = loop_timer_add(r->loop, on_ports_timer, r);
	r->second = loop_timer_add(r->loop, on_second, r);
	r->watchdog = loop_timer_add(r->loop, on_watchdog, r);
	r->flows_timer = loop_timer_add(r->loop, on_flows_timer, r);
	if (!r->ports_timer || !r->second || !r->watchdog || !r->flows_timer || qos_rate_start(r))
		return -ENOMEM;
	/* Up to the sockets nothing is changed: whoever finds a router running must not disturb it,
	 * and who takes over keeps it waiting for as short as can be. */
	if ((err = start_signals(r)) || (err = restart_begin(r, handover)) ||
	    (err = start_state(r)) || (err = listen_start(r)) || (err = start_steer(r)) ||
	    (err = standin_start(r)) || (err = start_memory(r)) || (err = start_workers(r)))
		return err;
	warn_of_kernel_forwarding();
	err = start_policy(r); /* before the first packet */
	if (err)
		return err;
	start_ports(r);
	if (handover_listen(r, &r->handover))
		log_warn("nobody can take over from this process: %s", strerror(errno));
	lastconf_keep(r);
	r->running = true;
	r->revision = 1;
	return 0;
}

/* ---- stop */

static void stop(struct router *r)
{
	r->running = false;
	handover_destroy(r->handover);
	server_destroy(r->server);
	if (r->nworkers && r->state)
		ports_close_all(r);
	standin_stop(r);
	for (unsigned w = 0; w < r->nworkers; w++)
		worker_stop(r->worker[w]);
	if (r->nworkers)
		qos_stop(r);
	qos_rate_stop(r);
	buckets_stop(r);
	state_destroy(r->state); /* lets go of the neighbours Linux keeps fresh for us */
	netlink_destroy(r->nl);
	for (unsigned w = 0; w < r->nworkers; w++) {
		free((void *)r->worker[w]->ports);
		worker_destroy(r->worker[w]);
	}
	stateful_stop(r);
	xsk_mem_destroy(r->mem);
	kept_destroy(r->kept);
	fdstore_clear(r->store);
	fdstore_destroy(r->store);
	steer_destroy(r->steer, true);
	loop_fd_del(r->wake);
	loop_fd_del(r->signals);
	loop_timer_del(r->ports_timer);
	loop_timer_del(r->second);
	loop_timer_del(r->watchdog);
	loop_timer_del(r->flows_timer);
	loop_timer_del(r->leave);
	loop_destroy(r->loop);
	if (r->wake_fd > 0)
		close(r->wake_fd);
	conf_destroy(r->conf);
}

static int run(const char *conf_path, const char *run_dir, bool verbose, bool handover)
{
	static struct router r; /* zeroed, and large */
	int err;

	r.conf_path = conf_path;
	r.started_at = clock_now();
	snprintf(r.run_dir, sizeof(r.run_dir), "%s", run_dir);
	r.verbose = verbose;
	log_init(verbose ? LOG_DETAIL : LOG_INFORM);
	if (fdstore_create(&r.store) || lastconf_load(&r))
		return 1;
	if (!verbose)
		log_init((enum log_level)r.conf->stats.log_level);
	err = start(&r, handover);
	if (err) {
		log_err("start failed: %s", strerror(-err));
		if (!r.left)
			stop(&r);
		return 1;
	}
	loop_timer_set(r.second, clock_now() + NSEC_PER_SEC);
	if (notify_watchdog_interval_ns())
		loop_timer_set(r.watchdog, 1);
	apply_status(&r, true);
	err = loop_run(r.loop);
	if (r.left)
		_exit(r.exit_status); /* as it is: all of it is the next one's, nothing is freed */
	notify_stopping("stopping");
	log_notice("stopping");
	stop(&r);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "check", no_argument, NULL, 'k' },	    { "handover", no_argument, NULL, 'o' },
		{ "schema", no_argument, NULL, 's' },	    { "cleanup", no_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },	    { "version", no_argument, NULL, 'V' },
		{ "config", required_argument, NULL, 'c' }, { 0 },
	};
	const char *conf = CONF_DEFAULT, *run_dir = getenv("ROUTER_RUN_DIR");
	enum action action = ACTION_RUN;
	bool verbose = false, handover = false;
	int o;

	while ((o = getopt_long(argc, argv, "c:R:vhV", options, NULL)) != -1) {
		switch (o) {
		case 'c': conf = optarg; break;
		case 'R': run_dir = optarg; break;
		case 'v': verbose = true; break;
		case 'k': action = ACTION_CHECK; break;
		case 'o': handover = true; break;
		case 's': action = ACTION_SCHEMA; break;
		case 'x': action = ACTION_CLEANUP; break;
		case 'h': fputs(usage, stdout); return 0;
		case 'V': puts("router " ROUTER_VERSION); return 0;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (action == ACTION_CHECK && optind + 1 == argc)
		conf = argv[optind++];
	if (optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	if (!run_dir || !run_dir[0])
		run_dir = RUN_DIR_DEFAULT;
	switch (action) {
	case ACTION_CHECK: return once_check(conf);
	case ACTION_CLEANUP: return once_cleanup(run_dir);
	case ACTION_SCHEMA: return conf_schema_json(stdout) ? 1 : 0;
	case ACTION_RUN: break;
	}
	return run(conf, run_dir, verbose, handover);
}
