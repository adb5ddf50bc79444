/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See lastconf.h. The text is what `show config` prints, which loads to the same configuration. */
#include "router/lastconf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "router/lib/log.h"
#include "router/router.h"

/* NULL: it cannot be read. */
static char *read_text(int fd)
{
	struct stat st;
	char *text = fstat(fd, &st) ? NULL : malloc((size_t)st.st_size + 1);
	ssize_t n = text ? pread(fd, text, (size_t)st.st_size, 0) : -1;

	if (n < 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

/* The descriptor stays kept until lastconf_keep(): this process may be killed, too. */
static int load_kept(struct router *r)
{
	int fd = fdstore_take(r->store, "config"), err;
	char *text;

	if (fd < 0)
		return -ENOENT;
	text = read_text(fd);
	err = text ? conf_load("the configuration of before", text, stderr, &r->conf) : -EIO;
	free(text);
	if (err) {
		fdstore_del(r->store, "config");
		close(fd);
		return err;
	}
	r->conf_fd = fd;
	return 0;
}

static int fall_back(struct router *r)
{
	int err = load_kept(r);

	if (err)
		return err;
	log_err("%s is refused: going on with the configuration of before", r->conf_path);
	r->conf_refused = true;
	r->refused++;
	return 0;
}

int lastconf_load(struct router *r)
{
	int err = conf_load(r->conf_path, NULL, stderr, &r->conf);

	if (!err)
		return 0;
	if (err != -EINVAL)
		log_err("%s: %s", r->conf_path, strerror(-err));
	return fall_back(r) ? err : 0;
}

bool lastconf_fall_back(struct router *r)
{
	struct conf *refused = r->conf;

	if (r->conf_refused || fall_back(r))
		return false;
	conf_destroy(refused);
	return true;
}

void lastconf_keep(struct router *r)
{
	int fd = memfd_create("router-config", MFD_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(dup(fd), "w");
	bool written = false;

	if (f) {
		conf_print(r->conf, f);
		written = !ferror(f);
		written &= !fclose(f);
	}
	if (!written) {
		log_warn("the configuration could not be kept for the next process");
		if (fd >= 0)
			close(fd);
		return;
	}
	fdstore_put(r->store, "config", fd);
	if (r->conf_fd > 0)
		close(r->conf_fd);
	r->conf_fd = fd;
}
