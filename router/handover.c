/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See handover.h. Both ends block, for no longer than PATIENCE: while descriptors change hands
 * there is nothing else to do for either. */
#include "router/handover.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "router/lib/log.h"
#include "router/restart.h"
#include "router/router.h"

#define HELLO	 "take over 1"
#define ALL	 "all"
#define GO	 "go"
#define YOURS	 "yours"
#define REFUSED	 "refused: "
#define PATIENCE 5 /* seconds */
#define MESSAGE	 256

struct handover {
	struct router *r;
	struct loop_fd *watch;
	struct sockaddr_un at;
	int fd;
	/* who is taking over; -1: nobody */
	int to;
	struct loop_fd *taker;
	unsigned serial; /* of the store, as they know it */
};

struct asking {
	int fd;
};

/* ---- messages: text, and perhaps a descriptor */

static int send_one(int to, const char *text, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec v = { .iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *c = &control.align;

		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(to, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* *fd: -1 if there is none. */
static int receive_one(int from, char text[MESSAGE], int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec v = { .iov_base = text, .iov_len = MESSAGE - 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c;

	*fd = -1;
	if (n < 0 && errno == ECONNRESET) /* said once, and before what it sent last */
		n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return n ? -errno : -ECONNRESET;
	text[n] = '\0';
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return 0;
}

static int be_patient(int fd)
{
	const struct timeval t = { .tv_sec = PATIENCE };

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) ||
			       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t))
		       ? -errno
		       : 0;
}

/* False: no such path fits a socket's address. */
static bool place(const char *run_dir, struct sockaddr_un *at)
{
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return snprintf(at->sun_path, sizeof(at->sun_path), "%s/handover.sock", run_dir) <
	       (int)sizeof(at->sun_path);
}

/* ---- the old one */

static bool may_take(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) &&
	       (who.uid == 0 || who.uid == geteuid());
}

/* Why this peer gets nothing; NULL: it does. */
static const char *refusal(const struct handover *h, int peer)
{
	if (!may_take(peer))
		return REFUSED "not allowed";
	if (h->to >= 0)
		return REFUSED "somebody else is taking over";
	if (fdstore_is_kept(h->r->store)) /* it would take this one's end for the end of all */
		return REFUSED "a service manager keeps this router; use: routerctl restart";
	return NULL;
}

static int give(void *arg, const char *name, int fd)
{
	return send_one(*(const int *)arg, name, fd);
}

static void taker_gone(struct handover *h)
{
	loop_fd_del(h->taker);
	h->taker = NULL;
	if (h->to >= 0)
		close(h->to);
	h->to = -1;
}

/* Told to go. From here on there is no way back. */
static void on_taker(void *arg, int fd, uint32_t events)
{
	struct handover *h = arg;
	char text[MESSAGE];
	int none = -1;

	(void)events;
	if (receive_one(fd, text, &none) || strcmp(text, GO) != 0) {
		log_notice("the process that was to take over does not");
		taker_gone(h);
	} else if (fdstore_serial(h->r->store) != h->serial) {
		send_one(fd, REFUSED "ports have changed meanwhile; try again", -1);
		taker_gone(h);
	} else {
		log_notice("another process takes over");
		restart_quiesce(h->r);
		send_one(fd, YOURS, -1);
		restart_leave(h->r, EXIT_SUCCESS);
	}
	if (none >= 0)
		close(none);
}

/* Half an answer is its business: it goes on only when it has got all. */
static void show_all(struct handover *h)
{
	char hello[MESSAGE];
	int none = -1, err = be_patient(h->to);

	if (!err)
		err = receive_one(h->to, hello, &none);
	if (none >= 0)
		close(none);
	if (!err && strcmp(hello, HELLO) != 0) {
		send_one(h->to, REFUSED "this router speaks another version of the protocol", -1);
		err = -EPROTO;
	}
	h->serial = fdstore_serial(h->r->store);
	if (!err)
		err = fdstore_each(h->r->store, give, &h->to);
	if (!err)
		err = send_one(h->to, ALL, -1);
	if (!err)
		h->taker = loop_fd_add(h->r->loop, h->to, EPOLLIN, on_taker, h);
	if (!h->taker)
		taker_gone(h);
}

static void on_handover(void *arg, int fd, uint32_t events)
{
	struct handover *h = arg;
	int to = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	const char *no;

	(void)events;
	if (to < 0)
		return;
	no = refusal(h, to);
	if (no) {
		send_one(to, no, -1);
		close(to);
		return;
	}
	h->to = to;
	show_all(h);
}

int handover_listen(struct router *r, struct handover **out)
{
	struct handover *h = calloc(1, sizeof(*h));
	mode_t mask;
	int err = -ENOMEM;

	if (!h)
		return err;
	h->r = r;
	h->to = -1;
	h->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = h->fd < 0 ? -errno : place(r->run_dir, &h->at) ? 0 : -ENAMETOOLONG;
	if (err)
		goto fail;
	unlink(h->at.sun_path); /* who runs here is who has router.sock, and that is us */
	mask = umask(0177);
	err = bind(h->fd, (struct sockaddr *)&h->at, sizeof(h->at)) || listen(h->fd, 4) ? -errno
											: 0;
	umask(mask);
	h->watch = err ? NULL : loop_fd_add(r->loop, h->fd, EPOLLIN, on_handover, h);
	if (!err && !h->watch)
		err = -ENOMEM;
	if (!err) {
		*out = h;
		return 0;
	}
fail:
	if (h->fd >= 0)
		close(h->fd);
	free(h);
	return err;
}

void handover_destroy(struct handover *h)
{
	if (!h)
		return;
	taker_gone(h);
	unlink(h->at.sun_path);
	loop_fd_del(h->watch);
	close(h->fd);
	free(h);
}

/* ---- the new one */

/* What it says that is no descriptor: `word`, or why not. */
static int expect(const char *text, const char *word, char *why, size_t size)
{
	if (!strcmp(text, word))
		return 0;
	snprintf(why, size, "%s", text);
	return -EPERM;
}

static int take_all(int from, struct fdstore *s, char *why, size_t size)
{
	char text[MESSAGE];
	int fd, err;

	while (!(err = receive_one(from, text, &fd))) {
		if (fd < 0)
			return expect(text, ALL, why, size);
		err = fdstore_inherit(s, text, fd);
		if (err)
			break;
	}
	snprintf(why, size, "%s", strerror(-err));
	return err;
}

int handover_ask(const char *run_dir, struct fdstore *s, struct asking **out, char *why,
		 size_t size)
{
	struct asking *a = malloc(sizeof(*a));
	struct sockaddr_un at;
	int err = -ENOMEM;

	if (!a)
		return err;
	a->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	err = a->fd < 0 ? -errno : place(run_dir, &at) ? 0 : -ENAMETOOLONG;
	if (!err && connect(a->fd, (struct sockaddr *)&at, sizeof(at)))
		err = errno == ECONNREFUSED ? -ENOENT : -errno;
	if (!err)
		err = be_patient(a->fd);
	if (!err)
		err = send_one(a->fd, HELLO, -1);
	if (err == -EPIPE) /* it has said why */
		err = 0;
	if (err)
		snprintf(why, size, "%s: %s", run_dir,
			 err == -ENOENT ? "no router runs there" : strerror(-err));
	else
		err = take_all(a->fd, s, why, size);
	if (!err) {
		*out = a;
		return 0;
	}
	if (a->fd >= 0)
		close(a->fd);
	free(a);
	return err;
}

int handover_go(struct asking *a, char *why, size_t size)
{
	char text[MESSAGE];
	int none = -1, err = send_one(a->fd, GO, -1);

	if (!err)
		err = receive_one(a->fd, text, &none);
	if (err)
		snprintf(why, size, "%s", strerror(-err));
	else
		err = expect(text, YOURS, why, size);
	if (none >= 0)
		close(none);
	close(a->fd);
	free(a);
	return err;
}
