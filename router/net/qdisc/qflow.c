// SPDX-License-Identifier: GPL-2.0-or-later
/* The pool of flow queues; see qflow.h. Memory that was never used is never touched. */
#include "router/net/qdisc/qflow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPARE 1024u /* listed, but empty */

int qflows_create(uint32_t packets, struct qflows **out)
{
	struct qflows *f = calloc(1, sizeof(*f));
	unsigned bits = 1;

	if (!f)
		return -ENOMEM;
	f->capacity = packets + SPARE;
	while ((1u << bits) < f->capacity)
		bits++;
	f->shift = 64 - bits;
	f->bucket = calloc(1u << bits, sizeof(*f->bucket));
	f->pool = aligned_alloc(64, f->capacity * sizeof(*f->pool));
	if (!f->bucket || !f->pool) {
		qflows_destroy(f);
		return -ENOMEM;
	}
	*out = f;
	return 0;
}

void qflows_destroy(struct qflows *f)
{
	if (!f)
		return;
	free(f->bucket);
	free(f->pool);
	free(f);
}

uint32_t qflows_name(struct qflows *f)
{
	if (!++f->names)
		f->names = 1;
	return f->names;
}

static uint32_t place(const struct qflows *f, const struct qflow *fl)
{
	return (uint32_t)(fl - f->pool) + 1;
}

static void unchain(struct qflows *f, const struct qflow *fl)
{
	uint32_t *at = qflow_bucket(f, fl->key);

	while (*at != place(f, fl))
		at = &f->pool[*at - 1].chain;
	*at = fl->chain;
}

struct qflow *qflow_make(struct qflows *f, uint64_t key)
{
	uint32_t *first = qflow_bucket(f, key);
	struct qflow *fl;

	if (f->free) {
		fl = f->free;
		f->free = fl->next;
	} else if (f->used < f->capacity) {
		fl = &f->pool[f->used++];
	} else if (f->oldest) {
		fl = f->oldest;
		qflow_wake(f, fl);
		unchain(f, fl);
	} else {
		return NULL;
	}
	memset(fl, 0, sizeof(*fl));
	fl->key = key;
	fl->chain = *first;
	*first = place(f, fl);
	return fl;
}

void qflow_forget(struct qflows *f, struct qflow *fl)
{
	unchain(f, fl);
	fl->next = f->free;
	f->free = fl;
}
