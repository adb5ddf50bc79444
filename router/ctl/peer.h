/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection to the control socket.
 *
 *   READING   waiting for a whole request line
 *   RUNNING   its command has more to say: called once per turn of the loop, while the client reads
 *   IDLE      its command (endless) has nothing to say now
 *   DEFERRED  its command answers later: command_finish()
 *
 * It goes back to READING when the answer is complete, and never reads a second request before.
 * Private to the server. [control]
 */
#ifndef ROUTER_CTL_PEER_H
#define ROUTER_CTL_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "router/ctl/answer.h"
#include "router/lib/clock.h"
#include "router/lib/loop.h"

#define PEER_REQUEST_MAX (64 * 1024) /* a request line, with its newline */
#define PEER_OUTPUT_MAX	 (64 * 1024) /* no rows are made while this much waits */
#define PEER_WORDS_MAX	 64
#define PEER_PATIENCE_S	 60

enum peer_state { PEER_READING, PEER_RUNNING, PEER_IDLE, PEER_DEFERRED };

/* What a peer needs of its server. `active` is told of progress, `idle` that peer_resume() is
 * wanted in a while, `gone` comes before the peer is freed. */
struct peer_host {
	struct router *router;
	const struct command *table;
	void (*active)(struct peer_host *h, struct peer *p);
	void (*idle)(struct peer_host *h, struct peer *p);
	void (*gone)(struct peer_host *h, struct peer *p);
};

struct peer {
	TAILQ_ENTRY(peer) link; /* the server's: least recently active first */
	struct peer_host *host;
	struct loop_fd *watch;
	uint32_t events; /* what watch waits for */
	int fd;
	bool admin;
	bool shut;    /* it will send no more: an endless command shall end */
	bool eof;     /* and all it sent was read */
	bool closing; /* nothing more is read: close when the output is gone */
	enum peer_state state;
	uint64_t since; /* of the last progress, ns */

	char *in; /* what was read and not yet used; NULL: nothing */
	size_t in_len, in_cap;
	struct jsonw out;

	/* the request under way */
	json_t *json;
	struct request request;
	struct cursor cursor;
	struct command_ctx ctx;
	bool running;  /* its generator is on the stack */
	bool finished; /* ... and has called command_finish(), with this result */
	int result;
};

/* Takes fd over, also on failure: NULL. Its turns are of loop l. */
struct peer *peer_create(struct peer_host *h, struct loop *l, int fd, bool admin);
void peer_destroy(struct peer *p);

/* Call an idle command again, when it is this peer's turn. */
void peer_resume(struct peer *p);

/* For so long it has owed us the rest of a request, or not taken its answer; 0: it does not. */
uint64_t peer_owes_ns(const struct peer *p, uint64_t now);
static inline bool peer_is_stuck(const struct peer *p, uint64_t now)
{
	return peer_owes_ns(p, now) > PEER_PATIENCE_S * NSEC_PER_SEC;
}

/* Of what waits to be read by us, and by it. */
static inline size_t peer_bytes(const struct peer *p)
{
	return p->in_cap + p->out.cap;
}

/* It can be closed without cutting an answer off. */
static inline bool peer_is_evictable(const struct peer *p)
{
	return p->state == PEER_READING && p->out.len == 0;
}

/* Handle a line (without its newline) and write the answer's beginning to p->out: the way from the
 * outside in, also for the fuzzer. */
void peer_request(struct peer *p, const char *line, size_t len);
/* One call of the running command's generator. */
void peer_run(struct peer *p);

#endif
