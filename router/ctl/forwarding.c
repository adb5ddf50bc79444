// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See forwarding.h. The file is written before a setting is changed, and again after the last one
 * of an interface was put back: whenever we die, it names at least what is changed.
 */
#include "router/ctl/forwarding.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_MOST 192
#define UNCHANGED (-1)

enum { V4, V6, FAMILIES };

static const char *const settings[FAMILIES] = {
	[V4] = "ipv4/conf/%s/forwarding",
	[V6] = "ipv6/conf/%s/force_forwarding",
};

/* An interface we have changed something of. */
struct changed {
	char netdev[IFNAMSIZ];
	int was[FAMILIES]; /* UNCHANGED: it is as it was */
};

struct forwarding {
	char path[PATH_MOST];
	struct changed *changed;
	unsigned n;
};

/* ---- settings */

static int setting_open(char path[PATH_MOST], int flags, const char *fmt, va_list ap)
{
	size_t n = (size_t)snprintf(path, PATH_MOST, "/proc/sys/net/");
	int fd;

	vsnprintf(path + n, PATH_MOST - n, fmt, ap);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int forwarding_setting(const char *fmt, ...)
{
	char path[PATH_MOST], text[32];
	ssize_t n;
	va_list ap;
	int fd;

	va_start(ap, fmt);
	fd = setting_open(path, O_RDONLY, fmt, ap);
	va_end(ap);
	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return n ? -errno : -EIO;
	text[n] = '\0';
	return atoi(text);
}

static int write_setting(int value, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int write_setting(int value, const char *fmt, ...)
{
	char path[PATH_MOST], text[32];
	int fd, n = snprintf(text, sizeof(text), "%d\n", value), err = 0;
	va_list ap;

	va_start(ap, fmt);
	fd = setting_open(path, O_WRONLY, fmt, ap);
	va_end(ap);
	if (fd < 0)
		return fd;
	if (write(fd, text, (size_t)n) != n)
		err = -errno;
	close(fd);
	return err;
}

static int read_of(int family, const char *netdev)
{
	return family == V4 ? forwarding_setting("ipv4/conf/%s/forwarding", netdev)
			    : forwarding_setting("ipv6/conf/%s/force_forwarding", netdev);
}

static int write_of(int family, const char *netdev, int value)
{
	return family == V4 ? write_setting(value, "ipv4/conf/%s/forwarding", netdev)
			    : write_setting(value, "ipv6/conf/%s/force_forwarding", netdev);
}

/* ---- the file */

bool forwarding_parse(const char *line, char netdev[IFNAMSIZ], int was[2])
{
	char name[IFNAMSIZ];
	int v4, v6, end = 0;

	if (sscanf(line, "%15s %d %d %n", name, &v4, &v6, &end) != 3 || line[end])
		return false;
	if (strchr(name, '/') || v4 < UNCHANGED || v6 < UNCHANGED)
		return false;
	memcpy(netdev, name, sizeof(name));
	was[V4] = v4;
	was[V6] = v6;
	return true;
}

static int save(const struct forwarding *f)
{
	char temporary[PATH_MOST + 8];
	FILE *out;
	bool bad;

	if (!f->n)
		return unlink(f->path) && errno != ENOENT ? -errno : 0;
	snprintf(temporary, sizeof(temporary), "%s.new", f->path);
	out = fopen(temporary, "we");
	if (!out)
		return -errno;
	for (unsigned i = 0; i < f->n; i++)
		fprintf(out, "%s %d %d\n", f->changed[i].netdev, f->changed[i].was[V4],
			f->changed[i].was[V6]);
	bad = ferror(out);
	if (fclose(out) || bad)
		return -EIO;
	return rename(temporary, f->path) ? -errno : 0;
}

static struct changed *find(struct forwarding *f, const char *netdev)
{
	for (unsigned i = 0; i < f->n; i++)
		if (!strcmp(f->changed[i].netdev, netdev))
			return &f->changed[i];
	return NULL;
}

static struct changed *add(struct forwarding *f, const char *netdev)
{
	struct changed *more = reallocarray(f->changed, f->n + 1, sizeof(*more)), *c;

	if (!more)
		return NULL;
	f->changed = more;
	c = &more[f->n++];
	*c = (struct changed){ .was = { UNCHANGED, UNCHANGED } };
	snprintf(c->netdev, sizeof(c->netdev), "%s", netdev);
	return c;
}

int forwarding_create(const char *path, struct forwarding **out)
{
	struct forwarding *f = calloc(1, sizeof(*f));
	char line[64], netdev[IFNAMSIZ];
	int was[FAMILIES], err = 0;
	FILE *in;

	if (!f)
		return -ENOMEM;
	snprintf(f->path, sizeof(f->path), "%s", path);
	in = fopen(path, "re");
	while (in && !err && fgets(line, sizeof(line), in)) {
		struct changed *c;

		if (!forwarding_parse(line, netdev, was) || find(f, netdev))
			continue;
		c = add(f, netdev);
		if (c)
			memcpy(c->was, was, sizeof(was));
		else
			err = -ENOMEM;
	}
	if (in)
		fclose(in);
	if (err)
		forwarding_destroy(f);
	else
		*out = f;
	return err;
}

void forwarding_destroy(struct forwarding *f)
{
	if (!f)
		return;
	free(f->changed);
	free(f);
}

/* ---- on and off */

static int refused(char *why, int err, const char *netdev, int family)
{
	char name[64];

	snprintf(name, sizeof(name), settings[family], netdev);
	for (char *c = name; (c = strchr(c, '/'));)
		*c = '.';
	snprintf(why, FORWARDING_WHY, "net.%s: %s; set it to 1 (sysctl.d)", name, strerror(-err));
	return err;
}

static int turn_on(struct forwarding *f, const char *netdev, int family, char *why)
{
	int was = read_of(family, netdev), err;
	struct changed *c;

	if (was < 0)
		return refused(why, was, netdev, family);
	if (was)
		return 0;
	c = find(f, netdev);
	if (!c)
		c = add(f, netdev);
	if (!c)
		return refused(why, -ENOMEM, netdev, family);
	if (c->was[family] == UNCHANGED) {
		c->was[family] = was;
		err = save(f);
		if (err) { /* better not than for good */
			c->was[family] = UNCHANGED;
			snprintf(why, FORWARDING_WHY, "%s: %s", f->path, strerror(-err));
			return err;
		}
	}
	err = write_of(family, netdev, 1);
	return err ? refused(why, err, netdev, family) : 0;
}

/* An interface without IPv6 has no such settings. */
static int turn_on6(struct forwarding *f, const char *netdev, char *why)
{
	if (forwarding_setting("ipv6/conf/%s/forwarding", netdev) < 0 ||
	    forwarding_setting("ipv6/conf/all/forwarding") > 0)
		return 0;
	if (read_of(V6, netdev) != -ENOENT)
		return turn_on(f, netdev, V6, why);
	snprintf(why, FORWARDING_WHY,
		 "this kernel forwards IPv6 only if net.ipv6.conf.all.forwarding is 1: set it "
		 "(sysctl.d; accept_ra=2 where advertisements are to count all the same)");
	return -ENOTSUP;
}

int forwarding_on(struct forwarding *f, const char *netdev, char *why)
{
	int err = turn_on(f, netdev, V4, why);

	return err ? err : turn_on6(f, netdev, why);
}

static void put_back(struct changed *c)
{
	for (int family = 0; family < FAMILIES; family++)
		if (c->was[family] != UNCHANGED)
			write_of(family, c->netdev, c->was[family]);
}

static void forget(struct forwarding *f, unsigned i)
{
	f->changed[i] = f->changed[--f->n];
	save(f);
}

void forwarding_off(struct forwarding *f, const char *netdev)
{
	struct changed *c = find(f, netdev);

	if (!c)
		return;
	put_back(c);
	forget(f, (unsigned)(c - f->changed));
}

unsigned forwarding_sweep(struct forwarding *f, bool (*keep)(void *arg, const char *netdev),
			  void *arg)
{
	unsigned gone = 0;

	for (unsigned i = f->n; i > 0; i--) {
		if (keep && keep(arg, f->changed[i - 1].netdev))
			continue;
		put_back(&f->changed[i - 1]);
		forget(f, i - 1);
		gone++;
	}
	return gone;
}
