/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small numbers for names, so that packet code compares numbers: given once, never taken back, the
 * same for as long as the process lives. 0 is no name. [control] */
#ifndef ROUTER_LIB_NAMES_H
#define ROUTER_LIB_NAMES_H

#include <stdint.h>

#define NAMES_MAX 1024

struct names {
	unsigned n; /* numbers given: 1 .. n */
	char *name[NAMES_MAX + 1];
};

uint16_t names_get(struct names *s, const char *name); /* its number; a new one if it has none; 0:
							  there are NAMES_MAX already */
uint16_t names_find(const struct names *s, const char *name);	/* or 0 */
const char *names_text(const struct names *s, uint16_t number); /* "" for 0 or an unknown one */
void names_fini(struct names *s);

#endif
