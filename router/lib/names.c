/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/lib/names.h"

#include <stdlib.h>
#include <string.h>

uint16_t names_find(const struct names *s, const char *name)
{
	for (unsigned i = 1; i <= s->n; i++)
		if (!strcmp(s->name[i], name))
			return (uint16_t)i;
	return 0;
}

uint16_t names_get(struct names *s, const char *name)
{
	uint16_t number = names_find(s, name);

	if (number || s->n == NAMES_MAX)
		return number;
	s->name[s->n + 1] = strdup(name);
	if (!s->name[s->n + 1])
		return 0;
	return (uint16_t)++s->n;
}

const char *names_text(const struct names *s, uint16_t number)
{
	return number && number <= s->n ? s->name[number] : "";
}

void names_fini(struct names *s)
{
	for (unsigned i = 1; i <= s->n; i++)
		free(s->name[i]);
	s->n = 0;
}
