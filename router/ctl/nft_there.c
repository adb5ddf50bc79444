// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Are the chains of nft_standin.c still there? Whoever flushes all rules, as a restart of the
 * service nftables does, takes them along; and without them Linux would let packets out as they
 * are. So it is asked every few seconds, for one chain by its name, which costs Linux nothing
 * however large tables are.
 */
#include "router/ctl/nft_internal.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define ANSWER_MOST 8192

/* 0, or -errno of Linux. */
static int ask(struct mnl_socket *nl, const char *table, const char *chain)
{
	_Alignas(struct nlmsghdr) char buf[ANSWER_MOST];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nf = mnl_nlmsg_put_extra_header(h, sizeof(*nf));
	ssize_t n;

	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
	h->nlmsg_flags = NLM_F_REQUEST;
	nf->nfgen_family = NFPROTO_INET;
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, chain);
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)n, 0, 0, NULL, NULL) < 0 ? -errno : 0;
}

bool nft_chain_is_gone(const char *table, const char *chain)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	bool gone;

	if (!nl)
		return false;
	gone = ask(nl, table, chain) == -ENOENT;
	mnl_socket_close(nl);
	return gone;
}
