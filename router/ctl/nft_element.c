// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Single elements of sets, in the file's words: see nft_internal.h.
 *
 * They come from operators, so nothing of them gets into a command as it is: each part is parsed by
 * its type and printed again. Interfaces are left out; their sets do not change while the router
 * runs.
 */
#include "router/ctl/nft_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define PART_MAX 128

/* "a", "a/len" or "a-b". */
static int put_address(const char *word, bool ranges, FILE *f, int *family)
{
	char first[PART_MAX], text[ADDR_STRLEN];
	const char *dash = strchr(word, '-');
	struct prefix a, b;
	bool whole;

	snprintf(first, sizeof(first), "%.*s", (int)(dash ? dash - word : (long)strlen(word)),
		 word);
	if (prefix_parse(first, &a) || (dash && addr_parse(dash + 1, &b.addr)))
		return -EINVAL;
	whole = a.len == addr_bits(&a.addr);
	if ((*family && *family != a.addr.family) || ((dash || !whole) && !ranges))
		return -EINVAL;
	*family = a.addr.family;
	if (dash && (!whole || a.addr.family != b.addr.family || addr_cmp(&a.addr, &b.addr) > 0))
		return -EINVAL;
	a = prefix_masked(&a);
	fputs(addr_format(&a.addr, text), f);
	if (dash)
		fprintf(f, "-%s", addr_format(&b.addr, text));
	else if (!whole)
		fprintf(f, "/%u", a.len);
	return 0;
}

/* "n", "0xn" or "n-m". */
static int put_numbers(const char *word, bool ranges, FILE *f)
{
	char *end;
	unsigned long first, last;

	if (*word < '0' || *word > '9')
		return -EINVAL;
	first = last = strtoul(word, &end, 0);
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		last = strtoul(end + 1, &end, 0);
	if (*end || first > last || last > UINT32_MAX || (first != last && !ranges))
		return -EINVAL;
	fprintf(f, "%lu", first);
	if (first != last)
		fprintf(f, "-%lu", last);
	return 0;
}

static int put_proto(const char *word, FILE *f)
{
	if (*word >= '0' && *word <= '9')
		return put_numbers(word, false, f);
	if (!*word || word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-")])
		return -EINVAL;
	fputs(word, f);
	return 0;
}

static int put_part(const char *word, enum conf_field type, bool ranges, FILE *f, int *family)
{
	switch (type) {
	case CONF_FIELD_ADDRESS:
	case CONF_FIELD_PREFIX: return put_address(word, ranges, f, family);
	case CONF_FIELD_PORT:
	case CONF_FIELD_MARK: return put_numbers(word, ranges, f);
	case CONF_FIELD_PROTO: return put_proto(word, f);
	case CONF_FIELD_INTERFACE: break;
	}
	return -EINVAL;
}

int nft_element_text(const struct nft_known_set *s, const char *text, char *out, size_t size,
		     int *family)
{
	FILE *f = fmemopen(out, size, "w");
	int err = f ? 0 : -ENOMEM;

	*family = 0;
	for (unsigned k = 0; k < s->set.ntypes && !err; k++) {
		const char *end = strstr(text, " . ");
		size_t n = end ? (size_t)(end - text) : strlen(text);
		char word[PART_MAX];

		if (n >= sizeof(word) || !end != (k == s->set.ntypes - 1)) {
			err = -EINVAL;
			break;
		}
		memcpy(word, text, n);
		word[n] = '\0';
		fputs(k ? " . " : "", f);
		err = put_part(word, s->set.type[k], s->ranges, f, family);
		text = end ? end + 3 : text;
	}
	if (f && fclose(f) && !err)
		err = -EINVAL;
	return err;
}

struct nft_known_set *nft_known_sets(const struct nft_text *t, unsigned *n)
{
	struct nft_known_set *all = calloc(t->conf->nsets + 1, sizeof(*all));

	*n = 0;
	for (unsigned i = 0; all && i < t->conf->nsets; i++) {
		const struct conf_set *s = &t->conf->sets[i];

		if (!nft_set_is_used(t, s))
			continue;
		all[*n].set = *s;
		all[*n].ranges = nft_set_has_ranges(s);
		all[*n].set.elements = NULL;
		all[(*n)++].set.nelements = 0;
	}
	return all;
}
