/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where things are pinned on the bpffs, and how they go away again. Private to steer*.c. [control]
 *
 *	pin_dir/local4, local6			addresses, shared by all ports
 *	pin_dir/natports, fragments		what NAT holds, shared by all ports
 *	pin_dir/port-IFINDEX/link		keeps the program on the port
 *	pin_dir/port-IFINDEX/xsks, verdicts, state	maps of that program, for bpftool and people
 *
 * A port goes by its ifindex: a bpffs takes no dots in names (eth0.100), and interfaces get
 * renamed.
 */
#ifndef XSK_STEER_PIN_H
#define XSK_STEER_PIN_H

#include <stdbool.h>
#include <stdint.h>

#define STEER_PIN_DIR_MAX 200
#define STEER_PIN_PATH	  256

typedef void steer_say_fn(void *arg, const char *text);

/* Makes dir, on a bpffs. 0; 1 if that takes rights we do not have (note[STEER_WHY] says which): go
 * on without pins; or -errno with the reason in why. */
int steer_pin_prepare(const char *dir, char *note, char *why);

/* dir/name, or dir/port-IFINDEX/name; name NULL: the directory itself. Return path. */
char *steer_pin_path(char path[STEER_PIN_PATH], const char *dir, const char *name);
char *steer_pin_port_path(char path[STEER_PIN_PATH], const char *dir, int ifindex,
			  const char *name);

int steer_pin_put(int fd, const char *path); /* in place of what is pinned there */
int steer_pin_port_mkdir(const char *dir, int ifindex);
void steer_pin_port_remove(const char *dir, int ifindex); /* pins and directory, not the link */

/* The device and program of an XDP link; ifindex 0 when its device has gone. -EINVAL: another link.
 */
int steer_pin_link_info(int link_fd, int *ifindex, uint32_t *prog_id);

/* Detaches and unpins each pinned port that which(arg, ifindex, gone) asks for; gone: its device
 * does not exist any more. The number of links removed or -errno. */
int steer_pin_remove_ports(const char *dir, bool (*which)(const void *arg, int ifindex, bool gone),
			   const void *which_arg, steer_say_fn *say, void *say_arg);

#endif
