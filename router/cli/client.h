/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection to the daemon: requests out, JSON lines in. */
#ifndef ROUTER_CLI_CLIENT_H
#define ROUTER_CLI_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "router/lib/jsonw.h"

struct client {
	int fd;
	bool interruptible; /* SIGINT and SIGTERM ask the daemon for the last word */
	bool quiet;	    /* does not say why it failed */
	struct jsonw in;
	size_t searched;	 /* so much of `in` has no newline */
	void (*idle)(void *arg); /* called before waiting: show what there is */
	void *arg;
};

/* 0, or an exit status after having said why. */
int client_connect(struct client *c, const char *dir, bool quiet);
int client_send(struct client *c, json_t *request); /* steals request */
/* The next line; NULL when the connection broke, after having said so. */
json_t *client_next(struct client *c);
/* The command goes on until somebody stops it. */
void client_interruptible(struct client *c);
void client_close(struct client *c);

#endif
