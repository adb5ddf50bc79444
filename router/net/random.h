/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers nobody outside can predict (RFC 6056): a keyed hash of a counter, for packet code that
 * may not call the kernel. [any] */
#ifndef ROUTER_NET_RANDOM_H
#define ROUTER_NET_RANDOM_H

#include <stdint.h>

/* SipHash-1-3 of one word under `key`. */
uint64_t random_word(const uint8_t key[16], uint64_t counter);

#endif
