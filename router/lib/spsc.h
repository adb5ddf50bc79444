/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bounded queue of fixed-size messages from one thread to one other. Never blocks, never
 * allocates. */
#ifndef ROUTER_LIB_SPSC_H
#define ROUTER_LIB_SPSC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct spsc {
	uint32_t mask;
	size_t size; /* of a message */
	uint8_t *slots;
	uint32_t head __attribute__((aligned(64))); /* written by the producer */
	uint32_t tail __attribute__((aligned(64))); /* written by the consumer */
};

/* n: a power of two. 0 or -1. */
static inline int spsc_init(struct spsc *q, uint32_t n, size_t size)
{
	memset(q, 0, sizeof(*q));
	q->mask = n - 1;
	q->size = size;
	q->slots = malloc(n * size);
	return q->slots ? 0 : -1;
}

static inline void spsc_fini(struct spsc *q)
{
	free(q->slots);
	q->slots = NULL;
}

static inline bool spsc_put(struct spsc *q, const void *message)
{
	uint32_t head = q->head;

	if (head - __atomic_load_n(&q->tail, __ATOMIC_ACQUIRE) > q->mask)
		return false;
	memcpy(q->slots + (head & q->mask) * q->size, message, q->size);
	__atomic_store_n(&q->head, head + 1, __ATOMIC_RELEASE);
	return true;
}

static inline bool spsc_get(struct spsc *q, void *message)
{
	uint32_t tail = q->tail;

	if (__atomic_load_n(&q->head, __ATOMIC_ACQUIRE) == tail)
		return false;
	memcpy(message, q->slots + (tail & q->mask) * q->size, q->size);
	__atomic_store_n(&q->tail, tail + 1, __ATOMIC_RELEASE);
	return true;
}

/* Messages in it now: exact only while neither thread is at work. */
static inline uint32_t spsc_count(const struct spsc *q)
{
	return __atomic_load_n(&q->head, __ATOMIC_RELAXED) -
	       __atomic_load_n(&q->tail, __ATOMIC_RELAXED);
}

#endif
