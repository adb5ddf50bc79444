// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pins on the bpffs: see steer_pin.h for the layout.
 *
 * Life-cycle: steer_pin_prepare() finds or mounts the bpffs and makes the directory; ports put
 * their link and maps there when they attach; whoever comes later (the next daemon, or --cleanup)
 * walks the port directories. Only names of ours are ever unlinked, so a pin_dir that holds other
 * people's pins is safe.
 */
#include "xsk/steer_pin.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "xsk/steer.h"
#include "xsk/steer_why.h"
#include "xsk/steer_private.h"

#define BPFFS "/sys/fs/bpf"

static const char *const shared_pins[] = { "local4", "local6", "natports", "fragments" };
static const char *const port_pins[] = { "link", "xsks", "verdicts", "state" };

static bool on_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

static bool lack_of_rights(int err)
{
	return err == EPERM || err == EACCES || err == EROFS;
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !strncmp(path, top, n) && (path[n] == '/' || path[n] == '\0');
}

/* Makes the directory `path`, whose parent is there, on a bpffs only: 0 or a positive errno. */
static int make_level(const char *parent, const char *path)
{
	struct stat st;

	if (!stat(path, &st))
		return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
	if (errno != ENOENT)
		return errno;
	if (!on_bpffs(parent))
		return EMEDIUMTYPE;
	return mkdir(path, 0700) && errno != EEXIST ? errno : 0;
}

/* mkdir -p that makes nothing on other file systems: 0 or a positive errno. */
static int make_dirs(const char *dir)
{
	char parent[STEER_PIN_PATH] = "/", path[STEER_PIN_PATH];
	int err = 0;

	for (const char *end = dir; *end && !err;) {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		snprintf(path, sizeof(path), "%.*s", (int)(end - dir), dir);
		err = make_level(parent, path);
		strcpy(parent, path);
	}
	return err;
}

int steer_pin_prepare(const char *dir, char *note, char *why)
{
	int err = 0;

	if (dir[0] != '/' || strlen(dir) > STEER_PIN_DIR_MAX) {
		steer_why(
			why,
			"%.64s: the directory for pins is not an absolute path of at most %d bytes",
			dir, STEER_PIN_DIR_MAX);
		return -EINVAL;
	}
	if (is_below(dir, BPFFS) && !on_bpffs(BPFFS) &&
	    mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		err = errno;
	if (!err)
		err = make_dirs(dir);
	if (!err && !on_bpffs(dir))
		err = EMEDIUMTYPE;
	if (!err)
		return 0;
	if (lack_of_rights(err)) {
		steer_why(note,
			  "nothing is pinned below %.64s (%s): the ports lose the XDP program "
			  "when this process ends",
			  dir, strerror(err));
		return 1;
	}
	if (err == EMEDIUMTYPE) {
		steer_why(why, "%.64s is not on a bpffs, so nothing can be pinned there", dir);
		return -EINVAL;
	}
	return steer_why_errno(why, err, "cannot make %.64s", dir);
}

char *steer_pin_path(char path[STEER_PIN_PATH], const char *dir, const char *name)
{
	snprintf(path, STEER_PIN_PATH, "%s/%s", dir, name);
	return path;
}

char *steer_pin_port_path(char path[STEER_PIN_PATH], const char *dir, int ifindex, const char *name)
{
	snprintf(path, STEER_PIN_PATH, "%s/port-%d%s%s", dir, ifindex, name ? "/" : "",
		 name ? name : "");
	return path;
}

int steer_pin_put(int fd, const char *path)
{
	if (unlink(path) && errno != ENOENT)
		return -errno;
	return bpf_obj_pin(fd, path) ? -errno : 0;
}

int steer_pin_port_mkdir(const char *dir, int ifindex)
{
	char path[STEER_PIN_PATH];

	steer_pin_port_path(path, dir, ifindex, NULL);
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

void steer_pin_port_remove(const char *dir, int ifindex)
{
	char path[STEER_PIN_PATH];

	steer_whole_forget(dir, ifindex);
	for (size_t i = 0; i < sizeof(port_pins) / sizeof(port_pins[0]); i++)
		unlink(steer_pin_port_path(path, dir, ifindex, port_pins[i]));
	rmdir(steer_pin_port_path(path, dir, ifindex, NULL));
}

int steer_pin_link_info(int link_fd, int *ifindex, uint32_t *prog_id)
{
	struct bpf_link_info info = {};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(link_fd, &info, &len))
		return -errno;
	if (info.type != BPF_LINK_TYPE_XDP)
		return -EINVAL;
	*ifindex = info.xdp.ifindex;
	*prog_id = info.prog_id;
	return 0;
}

static void say_removed(steer_say_fn *say, void *arg, int ifindex, bool gone)
{
	char text[STEER_WHY], name[IF_NAMESIZE] = "?";

	if (!say)
		return;
	if (gone)
		snprintf(text, sizeof(text), "removed the pins of interface %d, which is gone",
			 ifindex);
	else
		snprintf(text, sizeof(text), "detached the XDP program from interface %s (%d)",
			 if_indextoname(ifindex, name) ? name : "?", ifindex);
	say(arg, text);
}

/* The number of links removed: 0 or 1. */
static int remove_port(const char *dir, int ifindex, int link_fd, bool gone, steer_say_fn *say,
		       void *arg)
{
	if (link_fd >= 0)
		bpf_link_detach(link_fd);
	steer_pin_port_remove(dir, ifindex);
	say_removed(say, arg, ifindex, gone);
	return link_fd >= 0;
}

int steer_pin_remove_ports(const char *dir, bool (*which)(const void *arg, int ifindex, bool gone),
			   const void *which_arg, steer_say_fn *say, void *say_arg)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int removed = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d))) {
		char path[STEER_PIN_PATH];
		int ifindex, end = 0, fd, device = 0;
		uint32_t prog_id;

		if (sscanf(e->d_name, "port-%d%n", &ifindex, &end) != 1 || e->d_name[end])
			continue;
		fd = bpf_obj_get(steer_pin_port_path(path, dir, ifindex, "link"));
		if (fd < 0 || steer_pin_link_info(fd, &device, &prog_id))
			device = 0;
		if (which(which_arg, ifindex, !device))
			removed += remove_port(dir, ifindex, fd, !device, say, say_arg);
		if (fd >= 0)
			close(fd);
	}
	closedir(d);
	return removed;
}

static bool every_port(const void *arg, int ifindex, bool gone)
{
	(void)arg, (void)ifindex, (void)gone;
	return true;
}

int steer_cleanup(const char *pin_dir, void (*say)(void *arg, const char *text), void *arg)
{
	char path[STEER_PIN_PATH];
	int removed;

	if (strlen(pin_dir) > STEER_PIN_DIR_MAX)
		return -ENAMETOOLONG;
	if (access(pin_dir, F_OK))
		return errno == ENOENT ? 0 : -errno;
	if (!on_bpffs(pin_dir))
		return -EINVAL;
	removed = steer_pin_remove_ports(pin_dir, every_port, NULL, say, arg);
	if (removed < 0)
		return removed;
	for (size_t i = 0; i < sizeof(shared_pins) / sizeof(shared_pins[0]); i++)
		unlink(steer_pin_path(path, pin_dir, shared_pins[i]));
	if (!rmdir(pin_dir) && say) {
		char text[STEER_WHY];

		snprintf(text, sizeof(text), "removed %.128s", pin_dir);
		say(arg, text);
	}
	return removed;
}
