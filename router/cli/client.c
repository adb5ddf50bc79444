/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See client.h. */
#include "router/cli/client.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "router/cli/cli.h"

#define LINE_MAX_BYTES (256u << 20) /* something is wrong with whoever sends this */

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* The one who may not is told what is missing. */
static void explain_denied(const char *path)
{
	struct stat st;
	const struct group *g = stat(path, &st) ? NULL : getgrgid(st.st_gid);

	complain("%s: permission denied", path);
	if (g && g->gr_gid != 0)
		fprintf(stderr,
			"  it is open to root and to the group \"%s\", and you are in neither; to "
			"join:\n"
			"  sudo usermod -aG %s $USER   (then log in again)\n",
			g->gr_name, g->gr_name);
	else
		fprintf(stderr, "  it is open to root, and to the group \"router\" when the "
				"configuration has\n"
				"  stats.socket.group; run routerctl with sudo\n");
}

static void explain_unreachable(const char *path, int err)
{
	if (err == EACCES || err == EPERM) {
		explain_denied(path);
		return;
	}
	complain("cannot reach the daemon at %s: %s", path, strerror(err));
	if (err == ENOENT || err == ECONNREFUSED)
		fprintf(stderr, "  is it running? (systemctl status router); -R DIR or "
				"ROUTER_RUN_DIR names another\n");
}

int client_connect(struct client *c, const char *dir, bool quiet)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/router.sock", dir);

	*c = (struct client){ .fd = -1, .quiet = quiet };
	if (n < 0 || (size_t)n >= sizeof(sun.sun_path)) {
		if (!quiet)
			complain("%s/router.sock: the path is too long for a socket", dir);
		return EXIT_UNREACHABLE;
	}
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd >= 0 && connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return 0;
	if (!quiet)
		explain_unreachable(sun.sun_path, errno);
	client_close(c);
	return EXIT_UNREACHABLE;
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	jsonw_fini(&c->in);
}

static int send_all(int fd, const char *s, size_t len)
{
	while (len) {
		ssize_t n = send(fd, s, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		s += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* An error here is not the last word: the daemon may have told why it hung up. */
int client_send(struct client *c, json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT);

	json_decref(request);
	if (!line) {
		complain("the command is not UTF-8");
		return EXIT_USAGE;
	}
	if (send_all(c->fd, line, strlen(line)) == 0)
		send_all(c->fd, "\n", 1);
	free(line);
	return 0;
}

void client_interruptible(struct client *c)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL); /* delivered in ppoll(2) only */
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	c->interruptible = true;
}

/* Until there is something to read. false: whoever reads our output has gone. */
static bool wait_readable(struct client *c)
{
	struct pollfd p[2] = { { .fd = c->fd, .events = POLLIN }, { .fd = STDOUT_FILENO } };
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	if (c->interruptible) {
		sigdelset(&mask, SIGINT);
		sigdelset(&mask, SIGTERM);
	}
	while (ppoll(p, 2, NULL, &mask) < 0 || !p[0].revents) {
		if (interrupted)
			shutdown(c->fd, SHUT_WR);
		interrupted = 0;
		if (p[1].revents & POLLERR)
			return false;
		if (p[1].revents) /* nothing to learn from it, and it would not let us sleep */
			p[1].fd = -1;
		p[0].revents = p[1].revents = 0;
	}
	return true;
}

/* Some more bytes. false: there are none. */
static bool fill(struct client *c)
{
	static char buf[65536];
	ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN) {
		if (c->idle)
			c->idle(c->arg);
		if (!wait_readable(c))
			exit(EXIT_DONE);
		n = recv(c->fd, buf, sizeof(buf), 0);
	}
	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	jsonw_append(&c->in, buf, (size_t)n);
	return !c->in.failed && c->in.len < LINE_MAX_BYTES;
}

json_t *client_next(struct client *c)
{
	const char *end;
	json_t *line;
	size_t len;

	for (;;) {
		const char *start = jsonw_bytes(&c->in);

		end = memchr(start + c->searched, '\n', c->in.len - c->searched);
		if (end) {
			len = (size_t)(end - start);
			line = json_loadb(start, len, 0, NULL);
			break;
		}
		c->searched = c->in.len;
		if (!fill(c)) {
			if (!c->quiet)
				complain("the daemon closed the connection");
			return NULL;
		}
	}
	jsonw_consume(&c->in, len + 1);
	c->searched = 0;
	if (!line && !c->quiet)
		complain("the daemon's answer is not JSON");
	return line;
}
