/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See peer.h. */
#include "router/ctl/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "router/lib/clock.h"

/* Outlives the peer when the client goes first: then peer is NULL. */
struct pending {
	struct peer *peer;
};

static void progress(struct peer *p)
{
	p->since = clock_now();
	p->host->active(p->host, p);
}

/* ---- the command under way */
static void end_command(struct peer *p)
{
	if (p->ctx.pending)
		p->ctx.pending->peer = NULL;
	answer_fini(&p->ctx);
	(p->cursor.release ? p->cursor.release : free)(p->cursor.data);
	json_decref(p->json);
	p->json = NULL;
	p->request = (struct request){ 0 };
	p->cursor = (struct cursor){ 0 };
	p->finished = false;
	p->state = PEER_READING;
}

void peer_run(struct peer *p)
{
	struct command_ctx *c = &p->ctx;
	int rc;

	if (!p->out.len) /* patience is measured from the first byte that waits */
		progress(p);
	p->running = true;
	rc = c->cmd->run(p->host->router, &p->request, &p->cursor, c);
	p->running = false;
	if (p->finished)
		rc = p->result;
	if (c->pending && rc >= 0) {
		p->state = PEER_DEFERRED;
		return;
	}
	if (rc == COMMAND_IDLE && !p->request.stopping) {
		answer_pause(c);
		p->state = PEER_IDLE;
		p->host->idle(p->host, p);
		return;
	}
	if (rc == COMMAND_MORE) {
		p->state = PEER_RUNNING;
		return;
	}
	answer_end(c, rc == COMMAND_IDLE ? COMMAND_DONE : rc);
	end_command(p);
}

static void start_command(struct peer *p, const char *const *words, unsigned n)
{
	char why[COMMAND_WHY];
	const struct command *cmd =
		command_match(p->host->table, words, n, &p->request, why, sizeof(why));

	if (!cmd) {
		answer_line_end(&p->out, END_USAGE, why);
		end_command(p);
		return;
	}
	if (cmd->admin && !p->admin) {
		answer_line_end(
			&p->out, END_REFUSED,
			"this changes the router: it needs root or the control socket's group");
		end_command(p);
		return;
	}
	answer_begin(&p->ctx, p->host->table, cmd, &p->out, p->request.statistics);
	p->ctx.peer = p;
	peer_run(p);
}

struct pending *command_defer(struct command_ctx *c)
{
	if (!c->pending)
		c->pending = calloc(1, sizeof(*c->pending));
	if (c->pending)
		c->pending->peer = c->peer;
	return c->pending;
}

static void move(struct peer *p);

void command_finish(struct pending *pending, int err, const char *text)
{
	struct peer *p = pending->peer;

	free(pending);
	if (!p)
		return;
	p->ctx.pending = NULL;
	if (!p->out.len)
		progress(p);
	if (text && err >= 0)
		command_message(&p->ctx, "%s", text);
	else if (text)
		command_fail(&p->ctx, err, "%s", text);
	if (p->running) { /* sooner than expected: peer_run() ends it */
		p->finished = true;
		p->result = err < 0 ? err : COMMAND_DONE;
		return;
	}
	answer_end(&p->ctx, err);
	end_command(p);
	move(p);
}

/* ---- a request */
static const struct column completion_columns[] = {
	{ .key = "word", .title = "word", .help = "what may stand there" },
	{ .key = "help", .title = "help", .help = "what the command does" },
	{ 0 },
};
static const struct command completion = { .words = "complete", .columns = completion_columns };

static void completion_row(void *arg, const char *word, const char *help)
{
	struct row *r = command_row(arg);

	row_text(r, "word", word);
	row_text(r, "help", help);
}

static void answer_completion(struct peer *p, const char *const *words, unsigned n)
{
	answer_begin(&p->ctx, p->host->table, &completion, &p->out, false);
	command_complete(p->host->table, words, n, completion_row, &p->ctx);
	answer_end(&p->ctx, 0);
	end_command(p);
}

/* The strings of a JSON array; how many, or -1: it is something else, or too long. */
static int words_of(const json_t *array, const char *words[PEER_WORDS_MAX])
{
	size_t n = json_array_size(array);

	if (!json_is_array(array) || n > PEER_WORDS_MAX)
		return -1;
	for (size_t i = 0; i < n; i++) {
		words[i] = json_string_value(json_array_get(array, i));
		if (!words[i])
			return -1;
	}
	return (int)n;
}

static void refuse(struct peer *p, const char *text)
{
	answer_line_end(&p->out, END_USAGE, text);
	end_command(p);
}

void peer_request(struct peer *p, const char *line, size_t len)
{
	const char *words[PEER_WORDS_MAX], *cwd;
	const json_t *complete;
	int n;

	p->json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(p->json)) {
		refuse(p, "a request is a JSON object on a line");
		return;
	}
	cwd = json_string_value(json_object_get(p->json, "cwd"));
	p->request = (struct request){
		.admin = p->admin,
		.statistics = json_is_true(json_object_get(p->json, "statistics")),
		.numeric = json_is_true(json_object_get(p->json, "numeric")),
		.stopping = p->shut || p->eof,
		.cwd = cwd && cwd[0] == '/' ? cwd : NULL,
	};
	complete = json_object_get(p->json, "complete");
	n = words_of(complete ? complete : json_object_get(p->json, "words"), words);
	if (n < 0)
		refuse(p, "\"words\" is an array of at most 64 strings");
	else if (complete)
		answer_completion(p, words, (unsigned)n);
	else
		start_command(p, words, (unsigned)n);
}

/* ---- bytes in and out */
static int receive(struct peer *p)
{
	ssize_t n;

	if (p->in_len == p->in_cap) {
		size_t cap = p->in_cap ? p->in_cap * 2 : 4096;
		char *in = realloc(p->in, cap);

		if (!in)
			return -ENOMEM;
		p->in = in;
		p->in_cap = cap;
	}
	n = recv(p->fd, p->in + p->in_len, p->in_cap - p->in_len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		p->eof = true;
	else if (p->in_len == 0)
		progress(p);
	p->in_len += (size_t)n;
	return 0;
}

static int transmit(struct peer *p)
{
	ssize_t n;

	if (p->out.failed)
		return -ENOMEM;
	if (!p->out.len)
		return 0;
	n = send(p->fd, jsonw_bytes(&p->out), p->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	jsonw_consume(&p->out, (size_t)n);
	progress(p);
	return 0;
}

static void forget_input(struct peer *p, size_t n)
{
	p->in_len -= n;
	if (p->in_len) {
		memmove(p->in, p->in + n, p->in_len);
		return;
	}
	free(p->in);
	p->in = NULL;
	p->in_cap = 0;
}

static bool has_line(const struct peer *p)
{
	return p->in_len && memchr(p->in, '\n', p->in_len);
}

/* The next request, if a whole one is there. */
static void take_line(struct peer *p)
{
	char *end = p->in_len ? memchr(p->in, '\n', p->in_len) : NULL;
	size_t len = end ? (size_t)(end - p->in) : p->in_len;

	if (len >= PEER_REQUEST_MAX) {
		answer_line_end(&p->out, END_USAGE, "the request is longer than 64 KiB");
		p->closing = true;
		forget_input(p, p->in_len);
	} else if (end) {
		peer_request(p, p->in, len);
		forget_input(p, len + 1);
		progress(p);
	}
}

static uint32_t wanted_events(const struct peer *p)
{
	bool reading = p->state == PEER_READING && !p->closing;
	uint32_t events = 0;

	if (reading && !p->eof && !has_line(p))
		events |= EPOLLIN;
	if (!reading && !p->eof && !p->shut)
		events |= EPOLLRDHUP;
	if (p->out.len || p->state == PEER_RUNNING || (reading && has_line(p)))
		events |= EPOLLOUT;
	return events;
}

static void watch(struct peer *p)
{
	uint32_t events = wanted_events(p);

	if (events != p->events)
		loop_fd_events(p->watch, events);
	p->events = events;
}

/* Nothing is left to answer, and nothing more will be asked. */
static bool is_over(const struct peer *p)
{
	if (p->out.len || p->state != PEER_READING)
		return false;
	return p->closing || (p->eof && !has_line(p));
}

/* One step: a generator call or a request at most, so that all peers get their turn. */
static void move(struct peer *p)
{
	int err = transmit(p);

	if (!err && p->out.len < PEER_OUTPUT_MAX && !p->closing) {
		if (p->state == PEER_RUNNING)
			peer_run(p);
		else if (p->state == PEER_READING)
			take_line(p);
		err = transmit(p);
	}
	if (err || is_over(p))
		peer_destroy(p);
	else
		watch(p);
}

/* An endless command whose client has enough, and waits for the last word. */
static void note_shut(struct peer *p)
{
	p->shut = true;
	p->request.stopping = true;
	if (p->state == PEER_IDLE)
		p->state = PEER_RUNNING;
}

static void on_events(void *arg, int fd, uint32_t events)
{
	struct peer *p = arg;

	(void)fd;
	if (events & (EPOLLHUP | EPOLLERR)) {
		peer_destroy(p);
		return;
	}
	if (events & EPOLLRDHUP && p->state != PEER_READING)
		note_shut(p);
	if (events & EPOLLIN && p->state == PEER_READING && receive(p) < 0) {
		peer_destroy(p);
		return;
	}
	move(p);
}

void peer_resume(struct peer *p)
{
	if (p->state != PEER_IDLE)
		return;
	p->state = PEER_RUNNING;
	watch(p);
}

uint64_t peer_owes_ns(const struct peer *p, uint64_t now)
{
	/* RUNNING: its generator is called when the kernel has room, though we may have nothing */
	bool owes =
		p->out.len || p->state == PEER_RUNNING || (p->state == PEER_READING && p->in_len);

	return owes && now > p->since ? now - p->since : 0;
}

/* What the kernel keeps of an answer for who does not read counts as our memory, too. */
static void bound_kernel(int fd)
{
	const int size = PEER_OUTPUT_MAX;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size))) {
		/* then it is what it is by default */
	}
}

struct peer *peer_create(struct peer_host *h, struct loop *l, int fd, bool admin)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p) {
		close(fd);
		return NULL;
	}
	bound_kernel(fd);
	p->host = h;
	p->fd = fd;
	p->admin = admin;
	p->since = clock_now();
	p->events = EPOLLIN;
	p->watch = loop_fd_add(l, fd, p->events, on_events, p);
	if (p->watch)
		return p;
	close(fd);
	free(p);
	return NULL;
}

void peer_destroy(struct peer *p)
{
	p->host->gone(p->host, p);
	loop_fd_del(p->watch);
	close(p->fd);
	end_command(p);
	free(p->in);
	jsonw_fini(&p->out);
	free(p);
}
