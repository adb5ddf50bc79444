/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Longest-prefix match: one struct fib is one table of one family.
 *
 * Writers: one thread (control). Readers: any number, lock-free, inside an RCU read side (QSBR: a
 * worker between two quiescent reports). An update is one store for every address it concerns: a
 * reader finds the old value or the new one, never a gap or a shorter match between. (A prefix of
 * less than 18 bits is several such stores: two addresses inside it may change one after the
 * other.)
 *
 * What an update replaced is put aside and given back by fib_pool_reclaim(), which the writer calls
 * after a grace period that began after its last update. That is some 100 bytes an update in a full
 * table of IPv4, 2 KiB in one of IPv6, and counts as used; a bulk load waits for a grace period
 * whenever fib_pool_retired() says some MiB.
 */
#ifndef ROUTER_NET_FIB_H
#define ROUTER_NET_FIB_H

#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>

#define FIB_NONE 0u /* no route; a stored value is 1 .. FIB_MAX */
#define FIB_MAX	 ((1u << 30) - 1)

/* Node and leaf memory shared by all tables, so that an empty table costs its root only: 256 bytes.
 * With its first route it gets a root of 1 MiB, for fast lookups, unless a sixteenth of max_bytes
 * has gone into such roots; then with its 4,097th. Grows by need up to max_bytes (virtual; touched
 * when used). */
struct fib_pool;
struct fib_pool *fib_pool_create(size_t max_bytes); /* NULL: errno */
void fib_pool_destroy(struct fib_pool *p);	    /* after all its tables */
void fib_pool_reclaim(struct fib_pool *p);	    /* [control] after a grace period */
size_t fib_pool_retired(const struct fib_pool *p);  /* bytes waiting for fib_pool_reclaim() */
size_t fib_pool_bytes(const struct fib_pool *p);    /* bytes lookups walk: roots, nodes, leaves and
						     * what is retired, of all tables */
size_t fib_pool_shadow_bytes(const struct fib_pool *p); /* bytes only the control thread reads */

struct fib;
struct fib *fib_create(struct fib_pool *p, int family); /* AF_INET or AF_INET6; NULL: errno */
void fib_destroy(struct fib *f);			/* no reader may be left */

/* Add or replace (atomically) the prefix addr/len; addr: 4 or 16 bytes in network order, host bits
 * ignored. 0, -EINVAL (len, value), -ENOSPC (over the pool's max, which a replacement may exceed by
 * a sixteenth; the table is unchanged). */
int fib_set(struct fib *f, const void *addr, unsigned len, uint32_t value);
/* 0, or -ENOENT. May go over the pool's max by an eighth, so that a full table can shrink; -ENOSPC
 * (the prefix is still there; reclaim and try again) only when that is used up as well. */
int fib_del(struct fib *f, const void *addr, unsigned len);
uint32_t fib_get(const struct fib *f, const void *addr, unsigned len); /* exact match or FIB_NONE */
size_t fib_count(const struct fib *f);				       /* prefixes */

/* [any reader] value[i] = longest match of dst[i] (network order), or FIB_NONE. n <= 256. */
uint32_t fib4_lookup(const struct fib *f, uint32_t dst);
uint32_t fib6_lookup(const struct fib *f, const struct in6_addr *dst);
void fib4_lookup_burst(const struct fib *f, const uint32_t *dst, uint32_t *value, unsigned n);
void fib6_lookup_burst(const struct fib *f, const struct in6_addr *const *dst, uint32_t *value,
		       unsigned n);

#endif
