/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routing tables by name: those of Linux, and those that the configuration names. [control] */
#ifndef ROUTER_CTL_TABLE_NAMES_H
#define ROUTER_CTL_TABLE_NAMES_H

#include <stdint.h>

struct router;

#define TABLE_STRLEN 64

/* Its name, or its number. Returns buf. */
const char *table_text(const struct router *r, uint32_t table, char buf[TABLE_STRLEN]);
/* A name or a number: 0, or -EINVAL. */
int table_parse(const struct router *r, const char *text, uint32_t *table);

#endif
