// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One table of nftables, by libnftables: see router/ctl/nft.h.
 *
 * The library is not touched before there is something to say or to remove. Its context holds the
 * netlink socket, so it belongs to the namespace it was made in. What it prints it keeps in
 * buffers, which are read back: errors begin with the line of our commands, and that line tells the
 * rule they are about.
 *
 * Applying what stands already changes nothing; but somebody may have flushed all rules, so the
 * table is looked for. Otherwise its counters and sets are read first, and what goes on is written
 * into the commands that replace it.
 */
#include "router/ctl/nft.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nftables/libnftables.h>

#include "router/ctl/nft_internal.h"
#include "router/net/set.h"

struct nft {
	char table[NFT_TABLE];
	nft_netdev_fn *netdev;
	void *netdev_arg;
	struct nft_ctx *ctx; /* NULL: not needed yet */
	char *applied;	     /* commands that made the table, counters at 0; NULL: none of ours */
	struct nft_rule *rules;
	unsigned nrules;
	struct nft_known_set *sets;
	unsigned nsets;
	struct nft_counter *counters; /* as last asked for */
	nft_standin_fn *standin;
	char standin_note[NFT_NOTE];
};

int nft_create(const char *name, nft_netdev_fn *netdev, void *arg, struct nft **out)
{
	struct nft *n = calloc(1, sizeof(*n));
	size_t len;

	if (!n)
		return -ENOMEM;
	n->netdev = netdev;
	n->netdev_arg = arg;
	len = (size_t)snprintf(n->table, sizeof(n->table), "%s", name[0] ? "router_" : "router");
	for (; *name && len < sizeof(n->table) - 1; name++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._",
			   *name))
			n->table[len++] = *name;
	*out = n;
	return 0;
}

void nft_set_standin(struct nft *n, nft_standin_fn *standin)
{
	n->standin = standin;
}

bool nft_standin_is_gone(const struct nft *n)
{
	return n->applied && strstr(n->applied, " standin-forward ") &&
	       nft_chain_is_gone(n->table, "standin-forward");
}

const char *nft_standin_note(const struct nft *n)
{
	return n->standin_note;
}

static void forget(struct nft *n)
{
	nft_rules_free(n->rules, n->nrules);
	free(n->sets);
	n->sets = NULL;
	n->nsets = 0;
	free(n->applied);
	n->rules = NULL;
	n->nrules = 0;
	n->applied = NULL;
	n->standin_note[0] = '\0';
}

void nft_destroy(struct nft *n)
{
	if (!n)
		return;
	forget(n);
	free(n->counters);
	if (n->ctx)
		nft_ctx_free(n->ctx);
	free(n);
}

/* ---- the library */

/* Where there is no socket to be had, libnftables would end the process. */
static int probe(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int need_library(struct nft *n)
{
	int err = n->ctx ? 0 : probe();

	if (n->ctx || err)
		return err;
	n->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!n->ctx)
		return -ENOMEM;
	nft_ctx_buffer_output(n->ctx);
	nft_ctx_buffer_error(n->ctx);
	return 0;
}

/* Commands as a file, for only of files the library tells the lines: an fd or -errno. */
static int file_of(const char *commands, size_t len)
{
	int fd = memfd_create("nft", MFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	while (len) {
		ssize_t done = write(fd, commands, len);

		if (done < 0) {
			err = -errno;
			close(fd);
			return err;
		}
		commands += done;
		len -= (size_t)done;
	}
	return fd;
}

static int run(struct nft *n, const char *commands, bool dry, bool json)
{
	int fd = file_of(commands, strlen(commands)), rc;
	char path[32];

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	nft_ctx_set_dry_run(n->ctx, dry);
	nft_ctx_output_set_flags(n->ctx, json ? NFT_CTX_OUTPUT_JSON : 0);
	rc = nft_run_cmd_from_filename(n->ctx, path);
	nft_ctx_set_dry_run(n->ctx, false);
	close(fd);
	return rc ? -EINVAL : 0;
}

/* "/proc/self/fd/7:12:5-9: Error: words" gives 12 and the words. */
static const char *error_words(const char *said, unsigned *line)
{
	const char *words = strstr(said, "Error: "), *colon = strchr(said, ':');

	*line = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
	return words ? words + strlen("Error: ") : said;
}

static int refused(struct nft *n, const struct nft_text *t, char *why, size_t size)
{
	const char *said = nft_ctx_get_error_buffer(n->ctx);
	unsigned line;
	const char *words = error_words(said ? said : "", &line);
	int len = (int)strcspn(words, "\n");
	const struct nft_rule *r = NULL;

	for (unsigned i = 0; i < t->nrules; i++)
		if (line >= t->rules[i].first_line && line <= t->rules[i].last_line)
			r = &t->rules[i];
	if (r && r->policy)
		snprintf(why, size, "chain \"%s\": nftables: %.*s", r->chain, len, words);
	else if (r)
		snprintf(why, size, "%s:%u: rule%s%s%s of chain \"%s\": nftables: %.*s", r->file,
			 r->line, r->name[0] ? " \"" : "", r->name, r->name[0] ? "\"" : "",
			 r->chain, len, words);
	else
		snprintf(why, size, "nftables: %.*s", len, words);
	return strstr(words, "Operation not permitted") ? -EPERM : -EINVAL;
}

/* ---- rendering */

static struct nft_text text_of(const struct nft *n, const struct conf *c, char *why, size_t size)
{
	return (struct nft_text){ .conf = c,
				  .table = n->table,
				  .netdev = n->netdev,
				  .netdev_arg = n->netdev_arg,
				  .standin = n->standin,
				  .why = why,
				  .size = size };
}

static void text_free(struct nft_text *t)
{
	nft_rules_free(t->rules, t->nrules);
	free(t->known);
	t->rules = NULL;
	t->nrules = 0;
	t->known = NULL;
}

/* *text: the commands, to be freed; NULL when there are none. Whatever comes of it, text_free() is
 * the caller's. */
static int render(struct nft_text *t, char **text)
{
	char *buf = NULL;
	size_t size;
	int err = -ENOMEM;

	t->out = open_memstream(&buf, &size);
	if (t->out) {
		err = nft_text_render(t);
		if (fclose(t->out) && !err)
			err = -ENOMEM;
	}
	if (err == -ENOMEM)
		snprintf(t->why, t->size, "%s", strerror(ENOMEM));
	if (!err && size)
		t->known = nft_known_sets(t, &t->nknown);
	nft_text_fini(t);
	if (err || !size) {
		text_free(t);
		free(buf);
		buf = NULL;
	}
	if (!err)
		*text = buf;
	return err;
}

int nft_render(const struct nft *n, const struct conf *c, char **text, char *why, size_t size)
{
	struct nft_text t = text_of(n, c, why, size);
	int err = render(&t, text);

	text_free(&t);
	return err;
}

/* ---- the table */

/* What the table holds, as JSON that is valid until the next command; NULL: there is no table. */
static const char *read_state(struct nft *n)
{
	char command[NFT_TABLE + 32];

	snprintf(command, sizeof(command), "list table inet %s", n->table);
	return need_library(n) || run(n, command, false, true) ? NULL
							       : nft_ctx_get_output_buffer(n->ctx);
}

static int no_library(int err, char *why, size_t size)
{
	snprintf(why, size, "nftables: %s", strerror(-err));
	return err;
}

int nft_check(struct nft *n, const struct conf *c, char *why, size_t size)
{
	struct nft_text t = text_of(n, c, why, size);
	char *text;
	int err = render(&t, &text);

	if (err || !text)
		return err;
	err = need_library(n);
	if (err)
		no_library(err, why, size);
	else if (run(n, text, true, false))
		err = refused(n, &t, why, size);
	text_free(&t);
	free(text);
	return err;
}

/* Replaces the table by what c says and `plain` stands for; what goes on, goes on. */
static int replace(struct nft *n, const struct conf *c, const char *state, char *why, size_t size)
{
	struct nft_text t = text_of(n, c, why, size);
	char *text;
	int err;

	if (state && n->applied && !nft_state_counters(state, n->rules, n->nrules)) {
		t.old = n->rules;
		t.nold = n->nrules;
		t.before = n->applied;
		t.state = state;
	}
	err = render(&t, &text);
	if (err)
		return err;
	if (run(n, text, false, false))
		err = refused(n, &t, why, size);
	free(text);
	if (err) {
		text_free(&t);
		return err;
	}
	nft_rules_free(n->rules, n->nrules);
	n->rules = t.rules;
	n->nrules = t.nrules;
	free(n->sets);
	n->sets = t.known;
	n->nsets = t.nknown;
	memcpy(n->standin_note, t.standin_note, sizeof(n->standin_note));
	return 0;
}

int nft_apply(struct nft *n, const struct conf *c, char *why, size_t size)
{
	char *plain = NULL, *copy = NULL;
	const char *state;
	int err = nft_render(n, c, &plain, why, size);

	if (err)
		return err;
	if (!plain) {
		nft_remove(n);
		return 0;
	}
	err = need_library(n);
	if (err) {
		no_library(err, why, size);
		goto done;
	}
	state = n->applied ? read_state(n) : NULL;
	if (state && !strcmp(plain, n->applied))
		goto done;
	if (state)
		copy = strdup(state); /* the library writes into it again */
	err = replace(n, c, copy, why, size);
	if (!err) {
		free(n->applied);
		n->applied = plain;
		plain = NULL;
	}
done:
	free(copy);
	free(plain);
	return err;
}

bool nft_remove(struct nft *n)
{
	char command[NFT_TABLE + 32];
	bool removed;

	snprintf(command, sizeof(command), "delete table inet %s", n->table);
	removed = !need_library(n) && !run(n, command, false, false);
	forget(n);
	return removed;
}

/* ---- elements */

static const struct nft_known_set *known_set(const struct nft *n, const char *set)
{
	for (unsigned i = 0; i < n->nsets; i++)
		if (!strcmp(n->sets[i].set.name, set))
			return &n->sets[i];
	return NULL;
}

/* Elements of sets that have ranges do not have timeouts of their own, unless all have one. */
static bool takes_timeouts(const struct nft_known_set *s)
{
	return !s->ranges || s->set.timeout_s;
}

static void put_element(const struct nft *n, const struct nft_known_set *s, const char *word,
			const char *element, int family, uint32_t timeout_s, FILE *f)
{
	char name[NFT_SET_NAME];

	fprintf(f, "%s element inet %s %s { %s", word, n->table,
		nft_set_name(&s->set, family, name), element);
	if (timeout_s)
		fprintf(f, " timeout %us", timeout_s);
	fputs(" }\n", f);
}

/* To be freed. NULL: no memory. */
static char *element_commands(const struct nft *n, const struct nft_known_set *s,
			      const char *element, int family, uint32_t timeout_s, bool add)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	/* adding what is there would leave its timeout: so it goes and comes, in one transaction */
	if (add && !s->ranges)
		put_element(n, s, "add", element, family, 0, f);
	if (!add || !s->ranges)
		put_element(n, s, "delete", element, family, 0, f);
	if (add)
		put_element(n, s, "add", element, family, timeout_s, f);
	fclose(f);
	return text;
}

/* 0, or what came of it, in words. */
static int run_elements(struct nft *n, const struct nft_known_set *s, const char *commands,
			char *why, size_t size)
{
	const char *said, *words;
	unsigned line;

	if (!commands) {
		snprintf(why, size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	if (!run(n, commands, false, false))
		return 0;
	said = nft_ctx_get_error_buffer(n->ctx);
	words = error_words(said ? said : "", &line);
	if (strstr(words, strerror(ENFILE)))
		words = "it is full";
	snprintf(why, size, "set \"%s\" of nftables: %.*s", s->set.name, (int)strcspn(words, "\n"),
		 words);
	return strstr(words, strerror(ENOENT)) ? -ENOENT : -EINVAL;
}

int nft_element(struct nft *n, const char *set, const char *text, uint32_t timeout_s, bool add,
		char *why, size_t size)
{
	const struct nft_known_set *s = known_set(n, set);
	char element[512], *commands;
	int family, err;

	if (!s)
		return 0;
	if (nft_element_text(s, text, element, sizeof(element), &family)) {
		snprintf(why, size, "set \"%s\" of nftables cannot have \"%s\"", set, text);
		return -EINVAL;
	}
	if (timeout_s && !takes_timeouts(s)) {
		snprintf(why, size,
			 "set \"%s\" of nftables has ranges: no element has a timeout of its own",
			 set);
		return -EINVAL;
	}
	commands = element_commands(n, s, element, family, timeout_s, add);
	err = run_elements(n, s, commands, why, size);
	free(commands);
	if (err == -ENOENT && !add)
		return 0;
	return err ? err : 1;
}

bool nft_set_merges(const struct nft *n, const char *set)
{
	const struct nft_known_set *s = known_set(n, set);

	return s && s->ranges;
}

/* To be freed. NULL: no memory. */
static char *refill_commands(const struct nft *n, const struct nft_known_set *s,
			     nft_elements_fn *next, void *arg)
{
	static const int families[] = { AF_INET, AF_INET6 };
	char word[SET_ELEMENT_STRLEN], element[512], name[NFT_SET_NAME], *text = NULL;
	uint32_t left_s;
	int family;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (unsigned i = 0; i < (nft_set_has_address(&s->set) ? 2 : 1); i++)
		fprintf(f, "flush set inet %s %s\n", n->table,
			nft_set_name(&s->set, families[i], name));
	while (next(arg, word, sizeof(word), &left_s))
		if (!nft_element_text(s, word, element, sizeof(element), &family))
			put_element(n, s, "add", element, family, takes_timeouts(s) ? left_s : 0,
				    f);
	fclose(f);
	return text;
}

int nft_set_refill(struct nft *n, const char *set, nft_elements_fn *next, void *arg, char *why,
		   size_t size)
{
	const struct nft_known_set *s = known_set(n, set);
	char *commands = s ? refill_commands(n, s, next, arg) : NULL;
	int err = s ? run_elements(n, s, commands, why, size) : 0;

	free(commands);
	return err;
}

/* ---- counters */

int nft_counters(struct nft *n, const struct nft_counter **out, unsigned *count)
{
	const char *state = n->nrules ? read_state(n) : NULL;
	struct nft_counter *all;
	int err;

	*count = 0;
	if (!state)
		return 0;
	err = nft_state_counters(state, n->rules, n->nrules);
	all = err ? NULL : reallocarray(n->counters, n->nrules, sizeof(*all));
	if (!all)
		return err ? err : -ENOMEM;
	n->counters = all;
	for (unsigned i = 0; i < n->nrules; i++) {
		const struct nft_rule *r = &n->rules[i];

		all[i] = (struct nft_counter){ .chain = r->chain,
					       .name = r->name,
					       .file = r->file,
					       .hook = r->hook,
					       .priority = r->priority,
					       .policy = r->policy,
					       .from_zones = r->from_zones,
					       .line = r->line,
					       .match = r->match,
					       .action = r->action,
					       .packets = r->packets,
					       .bytes = r->bytes };
	}
	*out = all;
	*count = n->nrules;
	return 0;
}
