/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See fdstore.h. Two lists of names: what we keep, and what an earlier process has left us. */
#include "systemd/fdstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

struct entry {
	char name[FDSTORE_NAME];
	int fd;
};

struct list {
	struct entry *entry;
	unsigned n, room;
};

struct fdstore {
	struct list kept, inherited;
	bool has_keeper; /* systemd listens */
	unsigned serial;
};

/* ---- lists */

static struct entry *find(const struct list *l, const char *name)
{
	for (unsigned i = 0; i < l->n; i++)
		if (!strcmp(l->entry[i].name, name))
			return &l->entry[i];
	return NULL;
}

static int add(struct list *l, const char *name, int fd)
{
	if (l->n == l->room) {
		unsigned room = l->room ? 2 * l->room : 32;
		struct entry *e = realloc(l->entry, room * sizeof(*e));

		if (!e)
			return -ENOMEM;
		l->entry = e;
		l->room = room;
	}
	snprintf(l->entry[l->n].name, FDSTORE_NAME, "%s", name);
	l->entry[l->n++].fd = fd;
	return 0;
}

static void cut(struct list *l, struct entry *e)
{
	*e = l->entry[--l->n];
}

/* ---- what systemd is told */

static void tell_put(const struct fdstore *s, const char *name, int fd)
{
	char text[FDSTORE_NAME + 40];

	if (!s->has_keeper)
		return;
	/* not polled: a socket whose device has gone hangs up, and that is for us to see */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

static void tell_del(const struct fdstore *s, const char *name)
{
	if (s->has_keeper)
		sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

/* ---- life */

static int inherit_all(struct fdstore *s)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), err = 0;

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (!err)
			err = fdstore_inherit(s, names[i], fd);
		else
			close(fd);
		free(names[i]);
	}
	free(names);
	return err;
}

int fdstore_create(struct fdstore **out)
{
	struct fdstore *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->has_keeper = getenv("NOTIFY_SOCKET") != NULL;
	err = inherit_all(s);
	if (err)
		fdstore_destroy(s);
	else
		*out = s;
	return err;
}

void fdstore_destroy(struct fdstore *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->inherited.n; i++)
		close(s->inherited.entry[i].fd);
	free(s->inherited.entry);
	free(s->kept.entry);
	free(s);
}

bool fdstore_is_kept(const struct fdstore *s)
{
	return s->has_keeper;
}

/* ---- ours */

/* The store has it by its name still: what is put by that name later must not go with it. */
static void drop(struct fdstore *s, struct entry *e)
{
	tell_del(s, e->name);
	close(e->fd);
	cut(&s->inherited, e);
}

void fdstore_put(struct fdstore *s, const char *name, int fd)
{
	struct entry *old = find(&s->inherited, name);

	if (old)
		drop(s, old);
	fdstore_del(s, name);
	s->serial++;
	if (!add(&s->kept, name, fd))
		tell_put(s, name, fd);
}

void fdstore_del(struct fdstore *s, const char *name)
{
	char own[FDSTORE_NAME];
	struct entry *e = find(&s->kept, name);

	if (!e)
		return;
	memcpy(own, e->name, sizeof(own)); /* name may be the entry's */
	cut(&s->kept, e);
	s->serial++;
	tell_del(s, own);
}

void fdstore_clear(struct fdstore *s)
{
	while (s && s->kept.n)
		fdstore_del(s, s->kept.entry[0].name);
}

unsigned fdstore_serial(const struct fdstore *s)
{
	return s->serial;
}

int fdstore_each(const struct fdstore *s, int (*fn)(void *arg, const char *name, int fd), void *arg)
{
	int err = 0;

	for (unsigned i = 0; i < s->kept.n && !err; i++)
		err = fn(arg, s->kept.entry[i].name, s->kept.entry[i].fd);
	return err;
}

/* ---- inherited */

/* Of two by one name the second is closed; of one whose name is too long nobody would ask. */
int fdstore_inherit(struct fdstore *s, const char *name, int fd)
{
	int err = strlen(name) >= FDSTORE_NAME ? -ENAMETOOLONG : 0;

	if (!err && find(&s->inherited, name))
		err = -EEXIST;
	if (!err)
		err = add(&s->inherited, name, fd);
	if (err)
		close(fd);
	else
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return err == -ENOMEM ? err : 0;
}

int fdstore_take(struct fdstore *s, const char *name)
{
	struct entry *e = find(&s->inherited, name);
	int fd;

	if (!e)
		return -1;
	fd = e->fd;
	cut(&s->inherited, e);
	add(&s->kept, name, fd); /* the store has it already */
	return fd;
}

bool fdstore_has_inherited(const struct fdstore *s)
{
	return s->inherited.n > 0;
}

void fdstore_drop_rest(struct fdstore *s)
{
	while (s->inherited.n)
		drop(s, &s->inherited.entry[s->inherited.n - 1]);
}
