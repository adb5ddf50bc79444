/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the walk (bind.c) and those who begin and end its records (bind_records.c, bind_rules.c,
 * bind_qos.c) share. For these files only.
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
	unsigned qdisc_room;	      /* of record[SCHEMA_TREE] */
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
/* A record's match: its beginning, and its end with the mapping that its keys stand in. */
void bind_match_begin(struct bind *b, struct conf_match *m);
void bind_match_end(struct bind *b, struct conf_match *m, const struct yaml_node *n);
void bind_file_tail(const struct bind *b, const struct yaml_node *n, char file[CONF_NAME]);
/* When everything else is bound: timeouts of the profile, and whether connections are tracked. */
void bind_conntrack_end(struct conf *c, const struct yaml_node *root);

/* bind_qos.c: qdiscs of a tree live in one array, wherever in the tree they stand; NULL: no room */
void *bind_qdisc_take(struct bind *b, const struct schema_row *row);
void *bind_qdiscs_take(struct bind *b, unsigned n);
/* Was it a kind of qdisc that is no more, or not yet? Then that was reported. */
bool bind_qdisc_unknown(struct bind *b, const struct schema_row *parent,
			const struct yaml_node *map, const struct yaml_node *key);
void bind_qos_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_tree_begin(struct bind *b, void *record, const struct yaml_item *item);
void bind_qdisc_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_codel_begin(struct bind *b, void *record, const struct yaml_item *item);
void bind_fq_codel_begin(struct bind *b, void *record, const struct yaml_item *item);
void bind_prio_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_netem_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_class_begin(struct bind *b, void *record, const struct yaml_item *item);

/* bind_tc.c */
void bind_tc_filter_begin(struct bind *b, void *record, const struct yaml_item *item);
void bind_tc_filter_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_tc_action_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_police_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_u32_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_pedit_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_mirror_begin(struct bind *b, void *record, const struct yaml_item *item);
void bind_mirror_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);
void bind_redirect_end(struct bind *b, void *record, const struct yaml_item *item, bool clean);

#endif
