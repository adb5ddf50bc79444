// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which program sits on a device, and how ours gets there: see steer_link.h.
 *
 * Attachment is by bpf_link: it belongs to who holds it, so no other tool can push it aside by
 * accident, and its program can be exchanged atomically. A link pinned by an earlier process is
 * adopted that way; the device sees neither a reset nor a packet without a program. Two cases
 * cannot be atomic: a change between native and generic mode (a property of the link), and a
 * foreign program we were told to replace.
 *
 * bpf(2) answers a refusal with an errno only. Netlink, asked for the same, answers in words ("Peer
 * MTU is too large to set XDP"), so after a failure it is asked too.
 */
#include "xsk/steer_link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "xsk/steer.h"
#include "xsk/steer_pin.h"
#include "xsk/steer_why.h"

struct attached {
	uint32_t prog_id; /* 0: nothing */
	int mode;	  /* XDP_ATTACHED_* */
};

static int query(int ifindex, struct attached *out)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	int err;

	steer_capture_begin();
	err = bpf_xdp_query(ifindex, 0, &q);
	steer_capture_end();
	if (err)
		return err;
	out->prog_id = q.prog_id;
	out->mode = q.attach_mode;
	if (q.attach_mode == XDP_ATTACHED_MULTI) {
		out->mode = q.drv_prog_id ? XDP_ATTACHED_DRV : XDP_ATTACHED_SKB;
		out->prog_id = q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id;
	}
	return 0;
}

static const char *mode_name(int mode)
{
	switch (mode) {
	case XDP_ATTACHED_DRV: return "native";
	case XDP_ATTACHED_SKB: return "generic";
	case XDP_ATTACHED_HW: return "offload";
	default: return "";
	}
}

const char *steer_link_mode(int ifindex)
{
	struct attached now;

	return query(ifindex, &now) ? "" : mode_name(now.mode);
}

static uint32_t mode_flag(int mode)
{
	switch (mode) {
	case XDP_ATTACHED_DRV: return XDP_FLAGS_DRV_MODE;
	case XDP_ATTACHED_HW: return XDP_FLAGS_HW_MODE;
	default: return XDP_FLAGS_SKB_MODE;
	}
}

/* ---- adopting a pinned link ---- */

/* Whether the pinned link sits on the device of this request. The ifindex alone does not tell: it
 * may be that of a device in another network namespace. 1, 0 when its device has gone, or -errno.
 */
static int link_is_here(const struct steer_link_request *r, int fd, const struct attached *now,
			char *why)
{
	uint32_t prog_id;
	int ifindex, err;

	err = steer_pin_link_info(fd, &ifindex, &prog_id);
	if (err)
		return steer_why_errno(why, err, "%s: what is pinned for it is no link of ours",
				       r->name);
	if (ifindex == 0)
		return 0;
	if (ifindex == r->ifindex && prog_id == now->prog_id)
		return 1;
	steer_why(
		why,
		"%s: the link pinned in %.64s/port-%d is on a device of another network namespace",
		r->name, r->pin_dir, r->ifindex);
	return -EBUSY;
}

/* The adopted link, -ENOENT when there is none to adopt, or -errno. */
static int adopt(const struct steer_link_request *r, const struct attached *now, char *why)
{
	char path[STEER_PIN_PATH];
	int fd, err;

	if (!r->pin_dir)
		return -ENOENT;
	fd = bpf_obj_get(steer_pin_port_path(path, r->pin_dir, r->ifindex, "link"));
	if (fd < 0)
		return errno == ENOENT ? -ENOENT
				       : steer_why_errno(why, errno, "cannot open %.96s", path);
	err = link_is_here(r, fd, now, why);
	if (err < 0)
		goto out;
	if (err == 1 && (now->mode == XDP_ATTACHED_SKB) == r->generic) {
		err = bpf_link_update(fd, r->prog_fd, NULL) ? -errno : 0;
		if (!err)
			return fd;
		if (err != -ENOLINK) {
			steer_why_errno(why, err, "%s: cannot update the pinned link", r->name);
			goto out;
		}
	}
	bpf_link_detach(fd);
	steer_pin_port_remove(r->pin_dir, r->ifindex);
	err = -ENOENT;
out:
	close(fd);
	return err;
}

/* ---- a foreign program ---- */

static void program_name(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	strcpy(name, "?");
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.name[0])
		strcpy(name, info.name);
	close(fd);
}

/* The id of the link that holds program prog_id on the device; 0 if none does or we may not look.
 */
static uint32_t link_of_program(int ifindex, uint32_t prog_id)
{
	uint32_t id = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		int fd = bpf_link_get_fd_by_id(id), device;
		uint32_t prog;
		bool found;

		if (fd < 0)
			continue;
		found = !steer_pin_link_info(fd, &device, &prog) && device == ifindex &&
			prog == prog_id;
		close(fd);
		if (found)
			return id;
	}
	return 0;
}

static void describe(const struct attached *now, uint32_t link, char out[96])
{
	char name[BPF_OBJ_NAME_LEN], by[32] = "";

	program_name(now->prog_id, name);
	if (link)
		snprintf(by, sizeof(by), ", held by bpf_link %u", link);
	snprintf(out, 96, "XDP program \"%s\" (id %u, %s%s)", name, now->prog_id,
		 mode_name(now->mode), by);
}

/* Makes room for ours, or refuses in words. */
static int evict(const struct steer_link_request *r, const struct attached *now, char *why)
{
	uint32_t link = link_of_program(r->ifindex, now->prog_id);
	const char *said;
	char what[96];
	int err;

	describe(now, link, what);
	if (!r->replace) {
		steer_why(why, "%s already has the %s", r->name, what);
		return -EBUSY;
	}
	if (link) {
		steer_why(why, "%s already has the %s, and a link can be removed by its owner only",
			  r->name, what);
		return -EBUSY;
	}
	steer_capture_begin();
	err = bpf_xdp_detach(r->ifindex, mode_flag(now->mode), NULL);
	said = steer_capture_end();
	if (err)
		steer_why(why, "%s: cannot replace the %s: %s", r->name, what,
			  said[0] ? said : strerror(-err));
	return err;
}

/* ---- a new link ---- */

/* Asks netlink for what bpf(2) refused, to hear the reason. */
static const char *ask_netlink(const struct steer_link_request *r, uint32_t mode)
{
	const char *said;
	int err;

	steer_capture_begin();
	err = bpf_xdp_attach(r->ifindex, r->prog_fd, mode | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	if (!err)
		bpf_xdp_detach(r->ifindex, mode, NULL);
	said = steer_capture_end();
	return said;
}

static int create_link(const struct steer_link_request *r, char *why)
{
	uint32_t mode = r->generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = mode);
	int fd = bpf_link_create(r->prog_fd, r->ifindex, BPF_XDP, &opts);
	const char *said = "", *word = r->generic ? "generic" : "native";
	int err = fd < 0 ? fd : 0;

	if (!err)
		return fd;
	if (err != -EPERM)
		said = ask_netlink(r, mode);
	return steer_why_errno(why, err, "%s: cannot attach the XDP program in %s mode%s%s%s",
			       r->name, word, said[0] ? " (" : "", said, said[0] ? ")" : "");
}

int steer_link_attach(const struct steer_link_request *r, char *why)
{
	struct attached now;
	int err, fd;

	err = query(r->ifindex, &now);
	if (err)
		return steer_why_errno(why, err, "%s: cannot ask for its XDP program", r->name);
	fd = adopt(r, &now, why);
	if (fd != -ENOENT)
		return fd;
	err = query(r->ifindex, &now); /* what could not be adopted has gone */
	if (err)
		return steer_why_errno(why, err, "%s: cannot ask for its XDP program", r->name);
	if (now.prog_id) {
		err = evict(r, &now, why);
		if (err)
			return err;
	}
	return create_link(r, why);
}
