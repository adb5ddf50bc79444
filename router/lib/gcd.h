/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ROUTER_LIB_GCD_H
#define ROUTER_LIB_GCD_H

#include <stdint.h>

/* The greatest number that divides both; of 0 and a it is a. [any] */
static inline uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

#endif
