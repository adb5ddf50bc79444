/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program does when it does not run as a daemon. They return its exit status. */
#ifndef ROUTER_ONCE_H
#define ROUTER_ONCE_H

int once_check(const char *path); /* router --check */
int once_cleanup(
	const char *run_dir); /* router --cleanup: what a router attached, pinned or left */

#endif
