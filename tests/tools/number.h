/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers on the command lines of tools. */
#ifndef TESTS_TOOLS_NUMBER_H
#define TESTS_TOOLS_NUMBER_H

#include <errno.h>
#include <stdlib.h>

/* Decimal, 0x.. or 0..; 0, or -EINVAL. */
static inline int number_parse(const char *text, unsigned long max, unsigned long *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (end == text || *end || n > max)
		return -EINVAL;
	*out = n;
	return 0;
}

#endif
