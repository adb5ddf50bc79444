/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that follow from the run directory, so that several routers live on one host. [control] */
#ifndef ROUTER_RUNDIR_H
#define ROUTER_RUNDIR_H

#include <stddef.h>

#define RUN_DIR_DEFAULT "/run/router"

/* Where our pins are: one folder for each run directory, "/run/router" -> ".../run-router". */
void rundir_pins(const char *run_dir, char *out, size_t size);
/* What tells our table of nftables from another router's: nothing for the usual one. */
const char *rundir_table(const char *run_dir);

#endif
