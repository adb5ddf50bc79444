/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * routerctl --complete: what completion/routerctl.bash asks, which asks the daemon, for the command
 * table is the daemon's. Without one running nothing is said about it; the exit status tells.
 */
#include <stdio.h>

#include "router/cli/cli.h"
#include "router/cli/client.h"

int complete_run(const struct cli *cli)
{
	json_t *words = json_array(), *line;
	struct client c;
	bool done = false;

	for (unsigned i = 0; i < cli->nwords; i++)
		json_array_append_new(words, json_string(cli->words[i]));
	if (client_connect(&c, cli->dir, true)) {
		json_decref(words);
		return EXIT_UNREACHABLE;
	}
	client_send(&c, json_pack("{s:o}", "complete", words));
	while (!done && (line = client_next(&c))) {
		const char *word =
			json_string_value(json_object_get(json_object_get(line, "row"), "word"));

		if (word)
			puts(word);
		done = json_object_get(line, "end");
		json_decref(line);
	}
	client_close(&c);
	return done ? EXIT_DONE : EXIT_UNREACHABLE;
}
