/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of router/ctl/nft share: a configuration around some rules, and what is rendered
 * of it. */
#ifndef TESTS_UNIT_NFT_LAB_H
#define TESTS_UNIT_NFT_LAB_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "router/ctl/nft.h"
#include "tests/unit/conf_util.h"

static char why[512];

static const char before[] = "version: 1\n"
			     "interfaces: {wan0: {}, lan0: {match: {name: eth5}}}\n"
			     "zones: {inside: {interfaces: [lan0, wan0], input: accept}}\n"
			     "sets:\n"
			     "  banned: {type: address, size: 1000, timeout: 10m}\n"
			     "  friends: {type: address, elements: [10.0.0.1, \"2001:db8::1\"]}\n"
			     "  nets: {type: prefix, elements: [10.0.0.0/8, \"2001:db8::/32\"]}\n"
			     "  ports: {type: port, elements: [80, 8000-8010]}\n"
			     "  doors: {type: interface, elements: [lan0]}\n"
			     "  pairs: {type: [address, port], elements: [\"10.0.0.1 . 80\"]}\n"
			     "  seen: {type: [address, port], timeout: 1h}\n";

/* `rules` is the filter section, in the flow style of YAML or indented. */
static inline struct conf *conf_with(const char *rules)
{
	char text[8192];

	snprintf(text, sizeof(text), "%sfilter:\n%s", before, rules);
	return load_good("router.yaml", text);
}

static inline struct nft *nft_new(const char *name)
{
	struct nft *n;

	assert_int_equal(nft_create(name, NULL, NULL, &n), 0);
	return n;
}

static inline char *rendered(const char *rules)
{
	struct conf *c = conf_with(rules);
	struct nft *n = nft_new("");
	char *text = NULL;

	why[0] = '\0';
	if (nft_render(n, c, &text, why, sizeof(why)))
		fail_msg("%s", why);
	nft_destroy(n);
	conf_destroy(c);
	return text;
}

#endif
