/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completion for bash: a script that asks `routerctl --complete`, which asks the daemon. The
 * command table is the daemon's; without one running there is nothing to complete, and nothing is
 * said about it.
 */
#include <stdio.h>

#include "router/cli/cli.h"
#include "router/cli/client.h"

/* Names of files and interfaces are the shell's to complete; -R and its like never get to the
 * daemon. */
static const char script[] =
	"# bash completion for routerctl\n"
	"_routerctl()\n"
	"{\n"
	"	local cur=${COMP_WORDS[COMP_CWORD]} word\n"
	"	local -a words=(\"${COMP_WORDS[@]:1:COMP_CWORD}\")\n"
	"	COMPREPLY=()\n"
	"	if [[ ${COMP_WORDS[COMP_CWORD-1]} == -R ]]; then\n"
	"		mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
	"		return\n"
	"	fi\n"
	"	while IFS= read -r word; do\n"
	"		case $word in\n"
	"		'<file>')\n"
	"			compopt -o filenames\n"
	"			mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "
	"\"$cur\") ;;\n"
	"		'<interface>')\n"
	"			mapfile -t -O ${#COMPREPLY[@]} COMPREPLY \\\n"
	"				< <(compgen -W \"$(ls /sys/class/net)\" -- \"$cur\") ;;\n"
	"		'<'*) ;;\n"
	"		*) COMPREPLY+=(\"$word\") ;;\n"
	"		esac\n"
	"	done < <(routerctl --complete \"${words[@]}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _routerctl routerctl\n";

int completion_script(void)
{
	fputs(script, stdout);
	return EXIT_DONE;
}

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
