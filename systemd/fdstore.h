/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that outlive the process: memory, sockets, links, by name.
 *
 * Who keeps them is systemd, in the unit's file descriptor store (sd_pid_notify_with_fds(3)), which
 * hands them to the next process that it starts (sd_listen_fds_with_names(3)); or a process that is
 * alive, which hands them over itself (router/handover.h). What was inherited waits until it is
 * taken; the rest is closed, and forgotten by the store, by fdstore_drop_rest().
 *
 * A descriptor in the store stays open when we close ours: whoever is to be rid of a socket says
 * fdstore_del() first. [control]
 */
#ifndef SYSTEMD_FDSTORE_H
#define SYSTEMD_FDSTORE_H

#include <stdbool.h>

#define FDSTORE_NAME 64

struct fdstore;

/* Takes over what the environment hands us. 0 or -ENOMEM. */
int fdstore_create(struct fdstore **out);
void fdstore_destroy(struct fdstore *s); /* closes what was inherited and not taken */

/* Is there anybody who keeps descriptors when this process ends without a word? */
bool fdstore_is_kept(const struct fdstore *s);

/* From now on fd, which stays the caller's, is kept by this name: at most FDSTORE_NAME - 1
 * characters without ':' or blanks. One that is kept by that name already is replaced. */
void fdstore_put(struct fdstore *s, const char *name, int fd);
void fdstore_del(struct fdstore *s, const char *name);
void fdstore_clear(struct fdstore *s); /* all of them; s may be NULL */

/* Another source of descriptors than the environment: fd is ours now. -ENOMEM: it is closed. */
int fdstore_inherit(struct fdstore *s, const char *name, int fd);
/* An inherited one becomes the caller's, and is kept on as if put. -1: there is none. */
int fdstore_take(struct fdstore *s, const char *name);
bool fdstore_has_inherited(const struct fdstore *s);
void fdstore_drop_rest(struct fdstore *s);

/* Another number whenever what is kept has changed. */
unsigned fdstore_serial(const struct fdstore *s);
/* All that are kept, until fn says other than 0, which is returned. */
int fdstore_each(const struct fdstore *s, int (*fn)(void *arg, const char *name, int fd),
		 void *arg);

#endif
