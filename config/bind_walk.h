/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the walk (bind.c) and those who begin and end its records (bind_records.c, bind_rules.c)
 * share. For these files only.
 */
#ifndef CONFIG_BIND_WALK_H
#define CONFIG_BIND_WALK_H

#include "config/bind.h"
#include "config/schema.h"

struct bind {
	struct report *report;
	struct bind_places *places;
	void *record[SCHEMA_RECORDS]; /* NULL: values are read but not stored */
	bool unclear_set;	      /* the type of record[SCHEMA_SET] could not be read */
	bool no_memory;
};

/*
 * Before and after an element of a list, or a name of a mapping, is bound: what its row does not
 * say. `record` has its defaults; clean: binding it made no error.
 */
struct bind_kind {
	void (*begin)(struct bind *b, void *record, const struct yaml_item *item);
	void (*end)(struct bind *b, void *record, const struct yaml_item *item, bool clean);
	size_t line_at; /* of its `line`; 0: it has none */
};
extern const struct bind_kind bind_kinds[SCHEMA_RECORDS]; /* bind_records.c */

/* bind.c */
void bind_node(struct bind *b, const struct schema_row *row, const struct yaml_node *n);
void bind_defaults(enum schema_record kind, void *record);
void bind_place_add(struct bind *b, const void *field, const struct yaml_node *node);

/* bind_rules.c */
void bind_set_begin(struct bind *b, void *record, const struct yaml_item *item);
void bind_named_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_rule_begin(struct bind *b, void *record, const struct yaml_item *item);
void bind_rule_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_action_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_nat_begin(struct bind *b, void *record, const struct yaml_item *item);
void bind_source_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_destination_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_static_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
/* When everything else is bound: timeouts of the profile, and whether connections are tracked. */
void bind_conntrack_end(struct conf *c, const struct yaml_node *root);

#endif
