/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/rundir.h"

#include <stdio.h>
#include <string.h>

#define BPF_DIR "/sys/fs/bpf/router"

void rundir_pins(const char *run_dir, char *out, size_t size)
{
	int n = snprintf(out, size, "%s/", BPF_DIR);

	while (*run_dir == '/')
		run_dir++;
	for (; *run_dir && (size_t)n + 1 < size; run_dir++)
		out[n++] = *run_dir == '/' || *run_dir == '.' ? '-' : *run_dir;
	out[n] = '\0';
}

const char *rundir_table(const char *run_dir)
{
	const char *tail = strrchr(run_dir, '/');

	if (!strcmp(run_dir, RUN_DIR_DEFAULT))
		return "";
	return tail ? tail + 1 : run_dir;
}
