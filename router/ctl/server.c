/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket's listeners, and the list of those connected; what happens on a connection is
 * in peer.c. One timer does the housekeeping, and only while somebody is connected: it calls idle
 * commands again, closes the stuck, and opens listeners again that ran out of descriptors.
 *
 * Anybody may connect, and nobody shall delay the rest of control, or lock out who may change
 * things. So peers have loops of their own, of which a turn of control's runs a few steps, one for
 * readers and one for admins; and who asks or reads nothing makes room for who comes. [control]
 */
#include "router/ctl/server.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "router/ctl/peer.h"
#include "router/lib/clock.h"
#include "router/lib/log.h"

#define SERVER_PEERS_MAX      1024
#define SERVER_ACCEPTS_A_TURN 16
#define SERVER_FILES	      (2 * SERVER_PEERS_MAX)
#define SERVER_GROUPS_MAX     65536 /* as the kernel's NGROUPS_MAX */
#define SERVER_TICK_NS	      NSEC_PER_SEC
#define SERVER_IDLE_TICK_NS   (100 * NSEC_PER_MSEC)
#define SERVER_STEPS_A_TURN   4 /* of readers, and of admins; a step may take a millisecond */
#define SERVER_GRACE_NS	      NSEC_PER_SEC /* who owes for as long makes room if it must be */
#define SERVER_BYTES_MAX      (16u << 20)  /* that peers may have waiting */

struct listener {
	LIST_ENTRY(listener) link;
	struct server *server;
	struct loop_fd *watch;
	int fd;
	bool read_only, paused;
	gid_t gid; /* (gid_t)-1: no group */
	dev_t dev; /* of the socket file: what is removed in the end is ours */
	ino_t ino;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

struct server {
	struct peer_host host; /* first: peers point here */
	struct loop *loop, *readers, *admins;
	struct loop_timer *timer;
	uint64_t tick; /* when it comes; 0: not set */
	LIST_HEAD(, listener) listeners;
	TAILQ_HEAD(, peer) peers; /* least recently active first */
	unsigned npeers, nreaders;
	unsigned peers_max, readers_max; /* the rest is for those who may change things */
};

static struct server *server_of(struct peer_host *h)
{
	return (struct server *)h;
}

static void peer_active(struct peer_host *h, struct peer *p)
{
	struct server *s = server_of(h);

	TAILQ_REMOVE(&s->peers, p, link);
	TAILQ_INSERT_TAIL(&s->peers, p, link);
}

static void peer_gone(struct peer_host *h, struct peer *p)
{
	struct server *s = server_of(h);

	TAILQ_REMOVE(&s->peers, p, link);
	s->npeers--;
	s->nreaders -= !p->admin;
}

/* ---- housekeeping */
static void resume_listeners(struct server *s)
{
	struct listener *l;

	LIST_FOREACH(l, &s->listeners, link)
	{
		if (l->paused)
			loop_fd_events(l->watch, EPOLLIN);
		l->paused = false;
	}
}

/* The timer comes after `wait`, or earlier when that was wanted before. */
static void tick_within(struct server *s, uint64_t wait)
{
	uint64_t at = clock_now() + wait;

	if (s->tick && s->tick <= at)
		return;
	s->tick = at;
	loop_timer_set(s->timer, at);
}

static void peer_idle(struct peer_host *h, struct peer *p)
{
	(void)p;
	tick_within(server_of(h), SERVER_IDLE_TICK_NS);
}

/* The ones that have not moved for longest go until what the others have waiting is little. */
static void bound_memory(struct server *s, uint64_t now)
{
	struct peer *p, *next;
	size_t bytes = 0;

	TAILQ_FOREACH(p, &s->peers, link)
	{
		bytes += peer_bytes(p);
	}
	for (p = TAILQ_FIRST(&s->peers); p && bytes > SERVER_BYTES_MAX; p = next) {
		next = TAILQ_NEXT(p, link);
		if (peer_owes_ns(p, now) < SERVER_GRACE_NS)
			continue;
		bytes -= peer_bytes(p);
		peer_destroy(p);
	}
}

static void on_timer(void *arg, uint64_t now)
{
	struct server *s = arg;
	struct peer *p, *next;

	s->tick = 0;
	resume_listeners(s);
	for (p = TAILQ_FIRST(&s->peers); p; p = next) {
		next = TAILQ_NEXT(p, link);
		if (peer_is_stuck(p, now))
			peer_destroy(p);
		else
			peer_resume(p);
	}
	bound_memory(s, now);
	if (s->npeers)
		tick_within(s, SERVER_TICK_NS);
}

void server_wake(struct server *s)
{
	if (s->npeers)
		tick_within(s, 0);
}

/* ---- who is it */
static bool in_group(int fd, gid_t gid)
{
	gid_t few[64], *groups = few;
	socklen_t len = sizeof(few);
	bool found = false;
	int rc = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len);

	if (rc && errno == ERANGE && len <= SERVER_GROUPS_MAX * sizeof(gid_t)) {
		groups = malloc(len);
		rc = groups ? getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) : -1;
	}
	for (size_t i = 0; !rc && i < len / sizeof(gid_t) && !found; i++)
		found = groups[i] == gid;
	if (groups != few)
		free(groups);
	return found;
}

/* The kernel recorded uid and groups when the peer connected: no /proc and no name service, which
 * could be late, or stall the loop. */
static bool is_admin(const struct listener *l, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (l->read_only || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return false;
	if (cred.uid == 0 || cred.uid == geteuid())
		return true;
	return l->gid != (gid_t)-1 && (cred.gid == l->gid || in_group(fd, l->gid));
}

/* ---- letting them in */

/* For whom is there room if not for all? Who has nothing under way goes first, then who does not
 * take what he asked for; for an admin any reader goes. Of each kind the one that has not moved for
 * longest. A reader makes no admin go. */
enum room { ROOM_IDLE, ROOM_OWED, ROOM_READER, ROOM_KINDS };

static bool may_go(const struct peer *p, enum room kind, bool admin, uint64_t now)
{
	if (p->admin && !admin)
		return false;
	switch (kind) {
	case ROOM_IDLE: return peer_is_evictable(p);
	case ROOM_OWED: return peer_owes_ns(p, now) > SERVER_GRACE_NS;
	case ROOM_READER: return admin && !p->admin;
	case ROOM_KINDS: break;
	}
	return false;
}

static struct peer *first_to_go(const struct server *s, enum room kind, bool admin)
{
	uint64_t now = clock_now();
	struct peer *p;

	TAILQ_FOREACH(p, &s->peers, link)
	{
		if (may_go(p, kind, admin, now))
			return p;
	}
	return NULL;
}

static bool evict(struct server *s, bool admin)
{
	struct peer *p = NULL;

	for (enum room kind = ROOM_IDLE; kind < ROOM_KINDS && !p; kind++)
		p = first_to_go(s, kind, admin);
	if (p)
		peer_destroy(p);
	return p != NULL;
}

static bool has_room(struct server *s, bool admin)
{
	if (s->npeers < s->peers_max && (admin || s->nreaders < s->readers_max))
		return true;
	return evict(s, admin);
}

static void turn_away(int fd)
{
	static const char text[] = "{\"end\":1,\"error\":\"too many connections\"}\n";

	if (send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("control socket: too many connections");
	close(fd);
}

static void admit(struct server *s, int fd, bool admin)
{
	struct peer *p;

	if (!has_room(s, admin)) {
		turn_away(fd);
		return;
	}
	p = peer_create(&s->host, admin ? s->admins : s->readers, fd, admin);
	if (!p)
		return;
	TAILQ_INSERT_TAIL(&s->peers, p, link);
	s->nreaders += !admin;
	s->npeers++;
	tick_within(s, SERVER_TICK_NS);
}

static void on_listener(void *arg, int fd, uint32_t events)
{
	struct listener *l = arg;

	(void)events;
	for (unsigned i = 0; i < SERVER_ACCEPTS_A_TURN; i++) {
		int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (peer >= 0) {
			admit(l->server, peer, is_admin(l, peer));
			continue;
		}
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		if ((errno == EMFILE || errno == ENFILE) && evict(l->server, !l->read_only))
			continue;
		/* no descriptors or no memory: those who wait keep waiting in the backlog */
		log_warn("control socket %s: %s", l->path, strerror(errno));
		l->paused = true;
		loop_fd_events(l->watch, 0);
		tick_within(l->server, SERVER_TICK_NS);
		return;
	}
}

/* ---- listeners */
static int find_group(const char *name, gid_t *gid)
{
	struct group g, *found = NULL;
	char buf[16384];
	int err;

	*gid = (gid_t)-1;
	if (!name || !name[0])
		return 0;
	err = getgrnam_r(name, &g, buf, sizeof(buf), &found);
	if (found)
		*gid = found->gr_gid;
	return err ? -err : found ? 0 : -ENOENT;
}

bool server_knows_group(const char *name)
{
	gid_t gid;

	return find_group(name, &gid) != -ENOENT;
}

/* A file that nobody answers behind is left from a run that ended badly. */
static int remove_stale(const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, err;

	if (lstat(sun->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) ? errno : 0;
	close(fd);
	if (err != ECONNREFUSED) /* EAGAIN: it lives, and its backlog is full */
		return err && err != EAGAIN ? -err : -EADDRINUSE;
	return unlink(sun->sun_path) ? -errno : 0;
}

/* Connections are refused until listen(2), when mode and group are right. */
static int bind_path(struct listener *l, unsigned mode)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	int err;

	strcpy(sun.sun_path, l->path);
	err = remove_stale(&sun);
	if (err)
		return err;
	if (bind(l->fd, (const struct sockaddr *)&sun, sizeof(sun)))
		return -errno;
	if (lstat(l->path, &st) || (l->gid != (gid_t)-1 && chown(l->path, (uid_t)-1, l->gid)) ||
	    chmod(l->path, mode) || listen(l->fd, SOMAXCONN)) {
		err = -errno;
		unlink(l->path);
		return err;
	}
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}

static void listener_destroy(struct listener *l)
{
	struct stat st;

	LIST_REMOVE(l, link);
	loop_fd_del(l->watch);
	close(l->fd);
	if (lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	free(l);
}

static int listener_create(struct server *s, const char *path, const char *group, bool read_only,
			   struct listener **out)
{
	struct listener *l;
	int err;

	if (strlen(path) >= sizeof(l->path))
		return -ENAMETOOLONG;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	strcpy(l->path, path);
	l->server = s;
	l->read_only = read_only;
	err = find_group(group, &l->gid);
	if (err)
		free(l);
	else
		*out = l;
	return err;
}

static int listener_watch(struct server *s, struct listener *l)
{
	LIST_INSERT_HEAD(&s->listeners, l, link);
	l->watch = loop_fd_add(s->loop, l->fd, EPOLLIN, on_listener, l);
	return l->watch ? 0 : -errno;
}

int server_listen(struct server *s, const char *path, unsigned mode, const char *group,
		  bool read_only, int *out_fd)
{
	struct listener *l;
	int err = listener_create(s, path, group, read_only, &l);

	if (err)
		return err;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0) {
		err = -errno;
		goto fail_free;
	}
	err = bind_path(l, mode);
	if (err)
		goto fail_close;
	err = listener_watch(s, l);
	if (err)
		listener_destroy(l);
	else if (out_fd)
		*out_fd = l->fd;
	return err;
fail_close:
	close(l->fd);
fail_free:
	free(l);
	return err;
}

/* Does this socket listen at that path? */
static bool listens_at(int fd, struct listener *l)
{
	struct sockaddr_un sun = { 0 };
	socklen_t len = sizeof(sun), one = sizeof(int);
	struct stat st;
	int listens = 0;

	if (getsockname(fd, (struct sockaddr *)&sun, &len) || sun.sun_family != AF_UNIX ||
	    strncmp(sun.sun_path, l->path, sizeof(sun.sun_path)) != 0 || lstat(l->path, &st) ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &one) || !listens)
		return false;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return true;
}

/* The file's mode and group may have been others for the process before. */
static int set_rights(const struct listener *l, unsigned mode)
{
	gid_t gid = l->gid == (gid_t)-1 ? getegid() : l->gid;
	struct stat st;

	if (lstat(l->path, &st))
		return -errno;
	if (st.st_gid != gid && chown(l->path, (uid_t)-1, gid))
		return -errno;
	return (st.st_mode & 07777) != mode && chmod(l->path, mode) ? -errno : 0;
}

int server_adopt(struct server *s, int fd, const char *path, unsigned mode, const char *group,
		 bool read_only)
{
	struct listener *l;
	int err = listener_create(s, path, group, read_only, &l);

	if (err)
		return err;
	err = listens_at(fd, l) ? set_rights(l, mode) : -EINVAL;
	if (err) {
		free(l);
		return err;
	}
	l->fd = fd;
	err = listener_watch(s, l);
	if (err) {
		LIST_REMOVE(l, link);
		free(l);
	}
	return err;
}

void server_set_table(struct server *s, const struct command *table)
{
	s->host.table = table;
}

/* Peers may have half of the descriptors, so that a reload or a port still finds some; and there
 * shall be more than a process has by default. */
static unsigned peers_for_descriptors(void)
{
	struct rlimit files;
	rlim_t wanted;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return SERVER_PEERS_MAX;
	wanted = files.rlim_max < SERVER_FILES ? files.rlim_max : SERVER_FILES;
	if (files.rlim_cur < wanted) {
		files.rlim_cur = wanted;
		if (setrlimit(RLIMIT_NOFILE, &files) || getrlimit(RLIMIT_NOFILE, &files))
			log_debug("descriptors: %s", strerror(errno));
	}
	return files.rlim_cur / 2 < SERVER_PEERS_MAX ? (unsigned)files.rlim_cur / 2
						     : SERVER_PEERS_MAX;
}

int server_create(struct loop *loop, struct router *r, struct server **out)
{
	struct server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->peers_max = peers_for_descriptors();
	s->readers_max = s->peers_max / 4 * 3;
	s->loop = loop;
	s->host = (struct peer_host){
		.router = r,
		.table = command_table,
		.active = peer_active,
		.idle = peer_idle,
		.gone = peer_gone,
	};
	LIST_INIT(&s->listeners);
	TAILQ_INIT(&s->peers);
	s->timer = loop_timer_add(loop, on_timer, s);
	err = s->timer ? loop_nest(loop, SERVER_STEPS_A_TURN, &s->admins) : -ENOMEM;
	if (!err)
		err = loop_nest(loop, SERVER_STEPS_A_TURN, &s->readers);
	if (err)
		server_destroy(s);
	else
		*out = s;
	return err;
}

void server_destroy(struct server *s)
{
	struct listener *l;
	struct peer *p;

	if (!s)
		return;
	while ((p = TAILQ_FIRST(&s->peers)))
		peer_destroy(p);
	while ((l = LIST_FIRST(&s->listeners)))
		listener_destroy(l);
	loop_timer_del(s->timer);
	loop_destroy(s->readers);
	loop_destroy(s->admins);
	free(s);
}
