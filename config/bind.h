/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a tree to struct conf by the rows of the schema, and the checks between values. [control] */
#ifndef CONFIG_BIND_H
#define CONFIG_BIND_H

#include "config/conf.h"
#include "config/yaml.h"

/* Which node each field that the file gives came from, for the messages of conf_check(). The name
 * of an interface is at its key; the `line` of a record is at the record's mapping. */
struct bind_place {
	const void *field;
	const struct yaml_node *node;
};

struct bind_places {
	struct bind_place *place;
	size_t n, room;
};

/* Fill *c, which is zeroed, with defaults and what root says. Everything wrong is reported and left
 * at its default. 0; -EINVAL when checking what was bound makes no sense (another version);
 * -ENOMEM. */
int bind_conf(struct report *r, const struct yaml_node *root, struct conf *c,
	      struct bind_places *places);
const struct yaml_node *bind_where(const struct bind_places *places,
				   const void *field); /* or NULL */
void bind_places_fini(struct bind_places *places);

/* What no single value shows: clashes, references, families. Reports. Of shaping, handles, parents
 * and what follows from them are filled in. 0 or -ENOMEM. */
int conf_check(struct conf *c, const struct bind_places *places, struct report *r);

#endif
