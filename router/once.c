/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/once.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/conf.h"
#include "router/ctl/nft.h"
#include "router/policy.h"
#include "router/rundir.h"
#include "router/standin.h"
#include "xsk/steer.h"

int once_check(const char *path)
{
	struct conf *c = NULL;
	char why[512] = "";
	int err = conf_load(path, NULL, stderr, &c);

	if (err && err != -EINVAL)
		fprintf(stderr, "%s: %s\n", path, strerror(-err));
	if (!err) {
		err = policy_try(c, why, sizeof(why));
		if (err)
			fprintf(stderr, "%s: %s\n", path, why);
	}
	if (!err)
		printf("%s: ok\n", path);
	conf_destroy(c);
	return err ? 1 : 0;
}

static void say(void *arg, const char *text)
{
	(void)arg;
	puts(text);
}

static void cleanup_table(const char *run_dir)
{
	struct nft *nft;

	if (nft_create(rundir_table(run_dir), NULL, NULL, &nft))
		return;
	if (nft_remove(nft))
		puts("table of nftables removed");
	nft_destroy(nft);
}

int once_cleanup(const char *run_dir)
{
	char dir[160];
	unsigned interfaces;
	int n;

	rundir_pins(run_dir, dir, sizeof(dir));
	n = steer_cleanup(dir, say, NULL);
	if (n < 0 && n != -ENOENT) {
		fprintf(stderr, "router: %s: %s\n", dir, strerror(-n));
		return 1;
	}
	cleanup_table(run_dir);
	interfaces = standin_cleanup(run_dir);
	if (interfaces)
		printf("%u interface%s: Linux forwards no more\n", interfaces,
		       interfaces == 1 ? "" : "s");
	printf("%d program%s removed\n", n > 0 ? n : 0, n == 1 ? "" : "s");
	return 0;
}
