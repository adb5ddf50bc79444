/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the checks of a configuration share: check.c (the daemon, interfaces), check_routing.c,
 * check_tables.c (tables, VRFs and rules of routing), check_sets.c (sets and zones), check_match.c
 * (what rules match), check_filter.c, check_nat.c. For these files only.
 */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/bind.h"
#include "config/yaml.h"

struct own_address;

/* Records of a kind, each of which begins with its name, sorted by it. */
struct check_names {
	const char **name;
	unsigned n;
};

struct check {
	const struct conf *c;
	const struct bind_places *places;
	struct report *report;
	struct own_address *by_addr, *by_net; /* the same addresses in two orders */
	unsigned naddrs;
	bool lens[2][129];	    /* which prefix lengths by_net has, IPv4 and IPv6 */
	struct check_names netdevs; /* interfaces and their netdevs: no records */
	struct check_names ifaces, zones, sets, chains;
};

/* The place of a field, else of the record it belongs to. */
struct mark check_place(const struct check *k, const void *field, const void *record);
/* The place of word number `index` of a field that may be a list. */
struct mark check_word_place(const struct check *k, const void *field, unsigned index,
			     const void *record);
/* Were there more errors than anybody reads? What takes long is left out then. */
bool check_enough(const struct check *k);
char *check_path(const struct check *k, const void *field, char buf[YAML_PATH_MAX]);
/* "line 7", or the file too when it is another than that of the message. Returns buf. */
char *check_line(const struct check *k, struct mark of, struct mark seen_from,
		 char buf[YAML_PATH_MAX]);

/* A sorted index of `n` records of `size` bytes, each beginning with its name. 0 or -ENOMEM. */
int check_index_names(struct check_names *names, const void *records, unsigned n, size_t size);
/* The record of that name, or NULL. */
const void *check_find(const struct check_names *names, const char *name);
/* After an error about a name that is not there: the one that may have been meant, of one or two
 * kinds. */
void check_suggest(const struct check *k, const char *name, const struct check_names *kind,
		   const struct check_names *other);

/* The interface that has this address, or NULL. */
const struct conf_iface *check_own_address(const struct check *k, const struct addr *a);
/* Is there an interface with an address in the same prefix? */
bool check_on_some_link(const struct check *k, const struct addr *a);

int check_compare_prefix(const struct prefix *x, const struct prefix *y);

/* 0 or -ENOMEM. */
int check_routing(struct check *k);
void check_tables(struct check *k, struct conf *c); /* c is k->c; names of tables are resolved */
int check_sets(struct check *k);
int check_zones(struct check *k);
int check_filter(struct check *k);
int check_nat(struct check *k);
int check_qos(struct check *k, struct conf *c); /* c is k->c; what it leaves out is filled in */
/* A warning about a netdev that the file does not know. */
void check_dev(struct check *k, const char *dev, const void *record);
void check_redirect(struct check *k, const struct conf_nat *r); /* a rule of nat.destination */

/* A rule's match, at a hook. `line` is the rule's. */
void check_match(struct check *k, const struct conf_match *m, const unsigned *line,
		 enum conf_hook hook);
/* Whether the fields of a key make an element of a set; `field` is what to point at. */
void check_set_key(struct check *k, const char *set, const enum conf_source *key, unsigned nkey,
		   const void *field, const unsigned *line);
/* The family a match is about: AF_INET, AF_INET6, or 0 for both. */
uint8_t check_match_family(const struct conf_match *m);
/* Two matches with equal numbers say the same. */
uint64_t check_match_fingerprint(const struct conf_match *m);
/* Are all its protocols among those with ports? */
bool check_has_ports(const struct conf_match *m);

/* Something with a name of its own among its kind; a name twice is worth a warning. */
struct check_label {
	const char *name;
	const unsigned *line;
};
void check_labels(struct check *k, struct check_label *labels, unsigned n); /* reorders them */

#endif
