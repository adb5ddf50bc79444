// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several files as one configuration.
 *
 * The main file may name others by shell patterns, relative to its own directory: a configuration
 * is one directory, and no text that is only to be checked makes the daemon read files elsewhere.
 * Files that are included include nothing themselves, so there is no cycle to find.
 *
 * Merging: mappings are merged key by key, lists are joined in file order, and everything else may
 * be given once. The merge makes new nodes instead of changing those it was given, for an alias may
 * share them.
 */
#include "config/include.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/text.h"

enum { FILES_MAX = 128 };

struct including {
	struct yaml_tree *tree;
	struct report *report;
	const char *dir; /* of the main file, with its slash; "" for the working directory */
	size_t dir_len;
	struct yaml_node *roots[FILES_MAX + 1]; /* the main file's first */
	unsigned nroots;
};

static int merge_maps(struct including *in, struct yaml_node *const maps[], unsigned n,
		      struct yaml_node **out);

static int read_all(int fd, char *text, size_t size, size_t *len)
{
	*len = 0;
	while (*len < size) {
		ssize_t n = read(fd, text + *len, size - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	text[*len] = '\0';
	return 0;
}

int include_read_file(const char *path, char **text, size_t *len)
{
	int err = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *buf = NULL;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else if (st.st_size > REPORT_BYTES_MAX)
		err = -EFBIG;
	if (!err && !(buf = malloc((size_t)st.st_size + 1)))
		err = -ENOMEM;
	if (!err)
		err = read_all(fd, buf, (size_t)st.st_size, len);
	close(fd);
	if (err) {
		free(buf);
		return err;
	}
	*text = buf;
	return 0;
}

static void check_included(struct including *in, struct yaml_node *main, struct yaml_node *root)
{
	for (struct yaml_item *i = root->items; i; i = i->next) {
		struct yaml_node *version = yaml_get(main, "version");
		if (!strcmp(i->key->text, "include")) {
			report_error(in->report, i->key->mark,
				     "include: only the main file may include others");
		} else if (!strcmp(i->key->text, "version") && version &&
			   version->kind == YAML_TEXT && i->value->kind == YAML_TEXT &&
			   strcmp(version->text, i->value->text)) {
			report_error(in->report, i->value->mark,
				     "version: differs from the main file's %.20s", version->text);
		}
	}
}

static int include_file(struct including *in, const struct yaml_node *pattern, const char *path)
{
	char *text;
	size_t len;

	if (in->nroots > FILES_MAX) {
		report_error(in->report, pattern->mark, "include: more than %d files", FILES_MAX);
		return 0;
	}
	int err = include_read_file(path, &text, &len);
	if (err && err != -ENOMEM) {
		report_error(in->report, pattern->mark, "include: %.200s: %s", path,
			     strerror(-err));
		return 0;
	}
	int source = err ? err : report_source_add(in->report, path, text, len);
	if (source == -EFBIG) {
		report_error(in->report, pattern->mark,
			     "include: all files together exceed 16 MiB");
		return 0;
	}
	if (source < 0)
		return source;
	struct yaml_node *root = NULL;
	if (report_source_check(in->report, (unsigned)source) < 0)
		return 0;
	err = yaml_read(in->tree, in->report, (unsigned)source, &root);
	if (err || !root)
		return err == -EINVAL ? 0 : err;
	if (root->kind != YAML_MAP) {
		report_error(in->report, root->mark, "expected a mapping of keys");
		return 0;
	}
	check_included(in, in->roots[0], root);
	in->roots[in->nroots++] = root;
	return 0;
}

/* The directory's own name is no pattern. */
static char *absolute_pattern(const struct including *in, const char *pattern)
{
	char *full = malloc(2 * in->dir_len + strlen(pattern) + 1), *p = full;

	for (size_t i = 0; full && i < in->dir_len; i++) {
		if (strchr("*?[]\\", in->dir[i]))
			*p++ = '\\';
		*p++ = in->dir[i];
	}
	if (full)
		strcpy(p, pattern);
	return full;
}

static bool leaves_directory(const char *pattern)
{
	size_t n = strlen(pattern);

	return pattern[0] == '/' || !strncmp(pattern, "../", 3) || strstr(pattern, "/../") ||
	       !strcmp(pattern, "..") || (n >= 3 && !strcmp(pattern + n - 3, "/.."));
}

static int include_pattern(struct including *in, const struct yaml_node *pattern)
{
	char word[TEXT_QUOTE_MAX];
	glob_t found = { 0 };

	if (pattern->kind == YAML_BROKEN)
		return 0;
	if (pattern->kind != YAML_TEXT || !pattern->text[0] || strlen(pattern->text) > 200) {
		report_error(in->report, pattern->mark, "include: expected a file name or pattern");
		return 0;
	}
	if (leaves_directory(pattern->text)) {
		report_error(in->report, pattern->mark,
			     "include: %s is outside this file's directory",
			     text_quote(pattern->text, word));
		report_help(in->report, "name files below it, like conf.d/*.yaml");
		return 0;
	}
	char *full = absolute_pattern(in, pattern->text);
	if (!full)
		return -ENOMEM;
	int err = glob(full, 0, NULL, &found) == GLOB_NOSPACE ? -ENOMEM : 0;
	free(full);
	if (!err && found.gl_pathc == 0 && !strpbrk(pattern->text, "*?["))
		report_error(in->report, pattern->mark, "include: there is no file %s",
			     text_quote(pattern->text, word));
	for (size_t i = 0; i < found.gl_pathc && !err; i++)
		err = include_file(in, pattern, found.gl_pathv[i]);
	globfree(&found);
	return err;
}

static int join_lists(struct including *in, struct yaml_item *const group[], unsigned n,
		      struct yaml_node **out)
{
	struct yaml_node *list = yaml_node_copy(in->tree, group[0]->value);

	if (!list)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		for (struct yaml_item *item = group[i]->value->items; item; item = item->next)
			if (!yaml_item_add(in->tree, list, NULL, item->value))
				return -ENOMEM;
	*out = list;
	return 0;
}

static bool all_of_kind(struct yaml_item *const group[], unsigned n, enum yaml_kind kind)
{
	for (unsigned i = 0; i < n; i++)
		if (group[i]->value->kind != kind)
			return false;
	return true;
}

/* What several files, or once only one, say about one key. */
static int merge_group(struct including *in, struct yaml_item *const group[], unsigned n,
		       struct yaml_node **out)
{
	struct yaml_node *first = group[0]->value;
	char word[TEXT_QUOTE_MAX], where[YAML_PATH_MAX];

	*out = first;
	if (n == 1 || (!first->parent->parent && !strcmp(group[0]->key->text, "version")))
		return 0;
	if (all_of_kind(group, n, YAML_LIST))
		return join_lists(in, group, n, out);
	if (all_of_kind(group, n, YAML_MAP)) {
		struct yaml_node *maps[FILES_MAX + 1];
		for (unsigned i = 0; i < n; i++)
			maps[i] = group[i]->value;
		return merge_maps(in, maps, n, out);
	}
	for (unsigned i = 1; i < n; i++) {
		const struct yaml_node *key = group[i]->key;
		const struct mark *given = &group[0]->key->mark;
		report_error(in->report, key->mark, "duplicate key %s %s",
			     text_quote(key->text, word), yaml_within(first->parent, where));
		report_help(in->report, "it was given first at %s:%u",
			    report_source_name(in->report, given->source), given->line);
	}
	return 0;
}

/* Keys in the order of their first appearance. */
static int compare_places(const void *a, const void *b)
{
	const struct mark *x = &((const struct yaml_item *)a)->key->mark;
	const struct mark *y = &((const struct yaml_item *)b)->key->mark;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->col < y->col ? -1 : x->col > y->col;
}

/* One file may not say a key twice; that was reported, and its first value stands for all. */
static unsigned drop_repeated(struct yaml_item *group[], unsigned n)
{
	unsigned kept = 1;

	for (unsigned i = 1; i < n; i++)
		if (group[i]->key->mark.source != group[kept - 1]->key->mark.source)
			group[kept++] = group[i];
	return kept;
}

static int merge_maps(struct including *in, struct yaml_node *const maps[], unsigned n,
		      struct yaml_node **out)
{
	unsigned nitems = 0, nmerged = 0;
	struct yaml_node *map = yaml_node_copy(in->tree, maps[0]);
	struct yaml_item **sorted = yaml_sorted(maps, n, &nitems);
	struct yaml_item *merged = malloc((nitems + 1) * sizeof(*merged));
	int err = map && sorted && merged ? 0 : -ENOMEM;

	for (unsigned i = 0, end; i < nitems && !err; i = end) {
		for (end = i + 1; end < nitems; end++)
			if (strcmp(sorted[i]->key->text, sorted[end]->key->text))
				break;
		struct yaml_item *item = &merged[nmerged++];
		item->key = sorted[i]->key;
		err = merge_group(in, &sorted[i], drop_repeated(&sorted[i], end - i), &item->value);
	}
	if (!err)
		qsort(merged, nmerged, sizeof(*merged), compare_places);
	for (unsigned i = 0; i < nmerged && !err; i++) {
		bool include = !map->parent && !strcmp(merged[i].key->text, "include");
		if (!include && !yaml_item_add(in->tree, map, merged[i].key, merged[i].value))
			err = -ENOMEM;
	}
	free(sorted);
	free(merged);
	if (!err)
		*out = map;
	return err;
}

int include_resolve(struct yaml_tree *t, struct report *r, struct yaml_node **root)
{
	struct yaml_node *list = yaml_get(*root, "include");
	const char *name = report_source_name(r, (*root)->mark.source);
	const char *slash = strrchr(name, '/');

	if (!list)
		return 0;
	struct including *in = calloc(1, sizeof(*in));
	if (!in)
		return -ENOMEM;
	*in = (struct including){ .tree = t, .report = r, .roots = { *root }, .nroots = 1 };
	in->dir = name;
	in->dir_len = slash ? (size_t)(slash + 1 - name) : 0;
	int err = 0;
	if (list->kind != YAML_LIST) {
		report_error(r, list->mark, "include: expected a list");
		report_help(r, "write include: [conf.d/*.yaml]");
	}
	for (struct yaml_item *i = list->kind == YAML_LIST ? list->items : NULL; i && !err;
	     i = i->next)
		err = include_pattern(in, i->value);
	if (!err)
		err = merge_maps(in, in->roots, in->nroots, root);
	free(in);
	return err;
}
