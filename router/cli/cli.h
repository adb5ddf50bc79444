/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of routerctl share. It knows nothing of the daemon but its socket
 * (router/ctl/server.h). */
#ifndef ROUTER_CLI_CLI_H
#define ROUTER_CLI_CLI_H

#include <stdbool.h>

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

#define WORDS_MAX 64

struct cli {
	const char *dir; /* where the daemon's sockets are */
	bool json;	 /* -j */
	bool statistics; /* -s */
	bool numeric;	 /* -n */
	unsigned nwords;
	const char *words[WORDS_MAX];
};

/* "routerctl: ..." on stderr. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Each returns an exit status. */
int help_run(const struct cli *cli); /* routerctl help [WORDS] */
int complete_run(
	const struct cli *cli); /* routerctl --complete WORDS: candidates for the last one */

extern const char usage_text[];

#endif
