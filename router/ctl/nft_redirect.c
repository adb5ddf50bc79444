// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of nat.destination that redirect to this host, as a chain of nftables: see nft_internal.h.
 *
 * Their packets never come to the daemon: the XDP program leaves them to Linux (router/redirect.c),
 * and Linux translates them, with its own connection tracking, and their answers back. What is left
 * to XDP looks at interface, protocol, port and family only; so these rules may do no more
 * (config/check_nat.c), or Linux would be left with packets that it neither answers nor forwards.
 */
#include "router/ctl/nft_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The match is lent, not copied. */
static void redirect(struct nft_text *t, const struct conf_nat *n)
{
	struct conf_rule *r = &t->redirects.rules[t->redirects.nrules];

	memcpy(r->name, n->name, sizeof(r->name));
	memcpy(r->file, n->file, sizeof(r->file));
	r->match = n->match;
	r->line = n->line;
	t->redirected[t->redirects.nrules++] = n;
}

int nft_redirects(struct nft_text *t)
{
	const struct conf *c = t->conf;

	t->redirects = (struct conf_chain){ .name = "redirects",
					    .hook = CONF_HOOK_PREROUTING,
					    .priority = CONF_PRIO_DSTNAT };
	t->redirects.rules = calloc(c->nnat_destination + 1, sizeof(*t->redirects.rules));
	t->redirected = calloc(c->nnat_destination + 1, sizeof(struct conf_nat *));
	if (!t->redirects.rules || !t->redirected)
		return -ENOMEM;
	for (unsigned i = 0; i < c->nnat_destination; i++)
		if (c->nat_destination[i].kind == CONF_NAT_REDIRECT)
			redirect(t, &c->nat_destination[i]);
	return 0;
}

void nft_redirects_fini(struct nft_text *t)
{
	free(t->redirects.rules);
	free(t->redirected);
}

void nft_redirect_action(struct nft_text *t, FILE *f)
{
	const struct conf_nat *n = t->redirected[t->rule - t->redirects.rules];

	fputs("redirect", f);
	if (n->ports.last)
		fprintf(f, " to :%u", n->ports.first);
}
