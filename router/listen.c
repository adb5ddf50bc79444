/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See listen.h. */
#include "router/listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "router/ctl/server.h"
#include "router/lib/log.h"
#include "router/router.h"

/* How a socket is called among what is kept. */
#define NAME 32

/* -ENOENT: nobody has left one, or it cannot be ours. Then it is given up: as long as somebody
 * keeps it, it answers, and no other one could listen at its path. */
static int adopt(struct router *r, const struct conf_socket *s, const char *path, const char *group,
		 const char *kept, bool read_only)
{
	int fd = fdstore_take(r->store, kept);

	if (fd < 0)
		return -ENOENT;
	if (!server_adopt(r->server, fd, path, s->mode, group, read_only))
		return 0;
	fdstore_del(r->store, kept);
	close(fd);
	return -ENOENT;
}

static int open_one(struct router *r, const struct conf_socket *s, const char *name, bool read_only)
{
	const char *group = s->group;
	char path[160], kept[NAME];
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", r->run_dir, name);
	snprintf(kept, sizeof(kept), "socket-%s", name);
	if (s->path[0])
		snprintf(path, sizeof(path), "%s", s->path);
	if (!server_knows_group(group)) {
		log_warn("%s: no group \"%s\"; only root may use it", path, group);
		group = "";
	}
	if (!adopt(r, s, path, group, kept, read_only))
		return 0;
	err = server_listen(r->server, path, s->mode, group, read_only, &fd);
	if (!err)
		fdstore_put(r->store, kept, fd);
	else
		log_err("%s: %s", path,
			err == -EADDRINUSE ? "a router runs already" : strerror(-err));
	return err;
}

int listen_start(struct router *r)
{
	int err = server_create(r->loop, r, &r->server);

	if (!err)
		err = open_one(r, &r->conf->stats.socket, "router.sock", false);
	if (!err)
		err = open_one(r, &r->conf->stats.read_only_socket, "stats.sock", true);
	return err;
}
