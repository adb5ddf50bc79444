/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named sets: addresses, prefixes, ranges, ports, interfaces and concatenations of these, with
 * timeouts, up to a million elements; filled by the configuration, by rules (add-to) and by
 * operators.
 *
 * Looking up costs the same whatever the size: one hash lookup for exact elements; for prefixes and
 * ranges of addresses and ports one for each length that occurs near the key (set_internal.h).
 * Lookups take no lock; adding takes one of its bucket. A set lives as long as a configuration
 * names it, dynamic elements included: `sets_follow()` gives those that stay their new elements and
 * forgets those that went.
 */
#ifndef ROUTER_NET_SET_H
#define ROUTER_NET_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/conf.h"
#include "router/lib/names.h"

struct sets;
struct set;

int sets_create(struct names *names, struct sets **out); /* [control] 0 or -errno */
void sets_destroy(struct sets *s);			 /* nobody looks up any more */
/* [control] Make them those of c. 0; -errno with why: nothing has changed then. What went, or was
 * replaced, is freed by sets_sweep(), after c's rules were published and a grace period. If they
 * are refused instead, following the configuration of before gives its rules' sets back. */
int sets_follow(struct sets *s, const struct conf *c, char *why, size_t size);
void sets_sweep(struct sets *s);
struct set *sets_find(struct sets *s, const char *name); /* [control] or NULL */
/* [control] Grows whenever an element came, went or expired in any set: rules that look at sets
 * must judge again. Call once a second or so; it also frees what has expired by `now` (ns). */
uint64_t sets_changes(struct sets *s, uint64_t now);

/* One element's fields, in the order of the set's types. */
struct set_key {
	unsigned n;
	struct {
		uint8_t family;	   /* of an address, else 0 */
		uint8_t bytes[16]; /* as struct addr; or value, host order, in the first four */
	} field[CONF_FIELDS_MAX];
};
void set_key_address(struct set_key *k, uint8_t family, const uint8_t bytes[16]);
void set_key_value(struct set_key *k, uint32_t value); /* port (host order), protocol, mark, number
							  of an interface's name */

/* [worker] */
bool set_has(const struct set *s, const struct set_key *k, uint64_t now);
/* [any worker] Adds an element or starts its timeout anew. False: the set is full. */
bool set_add(struct set *s, const struct set_key *k, uint64_t now);

/* [control] By words, as in the file: "10.0.0.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9", "80", "lan0",
 * and concatenations as "10.0.0.1 . 80". timeout_s 0: the set's. 0; -EINVAL with why; -ENOSPC;
 * -ENOENT (del). */
int set_add_text(struct set *s, const char *text, uint32_t timeout_s, uint64_t now, char *why,
		 size_t size);
int set_del_text(struct set *s, const char *text, char *why, size_t size);
/* [control] Is exactly this element in it? 0; -ENOENT; -EINVAL with why: it is none. */
int set_find_text(struct set *s, const char *text, uint64_t now, char *why, size_t size);

struct set_info {
	const char *name;
	char type[64]; /* "address . port" */
	uint32_t elements, size, timeout_s;
	uint64_t refused; /* additions to a full set */
};
/* [control] The next set from *cursor on (0 at first), or NULL. */
struct set *sets_walk(struct sets *s, uint64_t *cursor, struct set_info *out);
#define SET_ELEMENT_STRLEN 400
/* [control] The next element as text, from *cursor on (0 at first). left_s: 0 if it stays. False:
 * no more. */
bool set_walk(const struct set *s, uint64_t *cursor, uint64_t now, char *text, size_t size,
	      uint32_t *left_s, bool *dynamic);

#endif
