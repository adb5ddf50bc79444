// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See conntrack.h. The kernel's messages are attributes within attributes; each level is put into
 * an array by type, with the length its readers rely on. What is missing makes the whole message
 * none of ours.
 */
#include "router/ctl/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BUF   (64 * 1024)
#define FORGET_BUF (32 * 1024)
#define FORGET_MAX 512 /* bytes of a request */
#define ATTRS	   32

/* ---- attributes */

struct attrs {
	const struct nlattr *of[ATTRS];
};

static int attr_cb(const struct nlattr *a, void *arg)
{
	struct attrs *all = arg;
	unsigned type = mnl_attr_get_type(a);

	if (type < ATTRS)
		all->of[type] = a;
	return MNL_CB_OK;
}

/* The attributes within one; none, if there is no such one. */
static struct attrs nested(const struct attrs *all, unsigned type)
{
	struct attrs in = { { NULL } };

	if (all->of[type] && mnl_attr_parse_nested(all->of[type], attr_cb, &in) != MNL_CB_OK)
		memset(&in, 0, sizeof(in));
	return in;
}

/* Its payload, if it is exactly so long. */
static const void *payload(const struct attrs *all, unsigned type, size_t size)
{
	const struct nlattr *a = all->of[type];

	return a && mnl_attr_get_payload_len(a) == size ? mnl_attr_get_payload(a) : NULL;
}

static bool get(const struct attrs *all, unsigned type, void *out, size_t size)
{
	const void *from = payload(all, type, size);

	if (from)
		memcpy(out, from, size);
	return from;
}

static bool get32(const struct attrs *all, unsigned type, uint32_t *out)
{
	if (!get(all, type, out, sizeof(*out)))
		return false;
	*out = ntohl(*out);
	return true;
}

/* ---- tuples */

static bool parse_addresses(const struct attrs *ip, struct flow_key *k)
{
	if (get(ip, CTA_IP_V4_SRC, k->src, 4) && get(ip, CTA_IP_V4_DST, k->dst, 4))
		k->family = AF_INET;
	else if (get(ip, CTA_IP_V6_SRC, k->src, 16) && get(ip, CTA_IP_V6_DST, k->dst, 16))
		k->family = AF_INET6;
	return k->family;
}

static bool parse_ports(const struct attrs *p, struct flow_key *k)
{
	bool six = k->proto == IPPROTO_ICMPV6;
	uint8_t type, code;

	switch (k->proto) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (!get(p, six ? CTA_PROTO_ICMPV6_ID : CTA_PROTO_ICMP_ID, &k->sport, 2) ||
		    !get(p, six ? CTA_PROTO_ICMPV6_TYPE : CTA_PROTO_ICMP_TYPE, &type, 1) ||
		    !get(p, six ? CTA_PROTO_ICMPV6_CODE : CTA_PROTO_ICMP_CODE, &code, 1))
			return false;
		k->dport = htons((uint16_t)(type << 8 | code));
		return true;
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		return get(p, CTA_PROTO_SRC_PORT, &k->sport, 2) &&
		       get(p, CTA_PROTO_DST_PORT, &k->dport, 2);
	default: return true;
	}
}

static bool parse_tuple(const struct attrs *all, unsigned type, struct flow_key *out)
{
	struct attrs tuple = nested(all, type);
	struct attrs ip = nested(&tuple, CTA_TUPLE_IP), proto = nested(&tuple, CTA_TUPLE_PROTO);
	struct flow_key k = { .family = 0 };

	if (tuple.of[CTA_TUPLE_ZONE] || !parse_addresses(&ip, &k) ||
	    !get(&proto, CTA_PROTO_NUM, &k.proto, 1) || !parse_ports(&proto, &k))
		return false;
	*out = k;
	return true;
}

/* Numbers of TCP's states are the same up to CLOSE; LISTEN is not one that netfilter uses. */
static uint32_t tcp_state_of(const struct attrs *all)
{
	struct attrs info = nested(all, CTA_PROTOINFO), tcp = nested(&info, CTA_PROTOINFO_TCP);
	uint8_t state = 0;

	get(&tcp, CTA_PROTOINFO_TCP_STATE, &state, 1);
	return state <= TCP_CONNTRACK_SYN_SENT2 ? state : 0;
}

static uint32_t status_bits(uint32_t status)
{
	return (status & IPS_SEEN_REPLY ? FLOW_REPLIED : 0) |
	       (status & IPS_ASSURED ? FLOW_ASSURED : 0) | (status & IPS_SRC_NAT ? FLOW_SNAT : 0) |
	       (status & IPS_DST_NAT ? FLOW_DNAT : 0);
}

bool conntrack_parse(const struct nlmsghdr *h, struct conntrack_entry *out)
{
	struct conntrack_entry e = { .id = 0 };
	struct attrs all = { { NULL } };
	uint32_t status;

	/* as the kernel pads them; libmnl would read on to the next multiple */
	if (h->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg) ||
	    h->nlmsg_len % MNL_ALIGNTO != 0 ||
	    h->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
	    mnl_attr_parse(h, sizeof(struct nfgenmsg), attr_cb, &all) != MNL_CB_OK)
		return false;
	if (all.of[CTA_ZONE] || !parse_tuple(&all, CTA_TUPLE_ORIG, &e.orig) ||
	    !parse_tuple(&all, CTA_TUPLE_REPLY, &e.reply) || !get32(&all, CTA_STATUS, &status) ||
	    !get32(&all, CTA_ID, &e.id))
		return false;
	if (e.orig.family != e.reply.family || e.orig.proto != e.reply.proto)
		return false;
	e.state = status_bits(status);
	if (e.orig.proto == IPPROTO_TCP)
		e.state |= tcp_state_of(&all);
	*out = e;
	return true;
}

/* ---- reading */

struct reading {
	conntrack_fn *f;
	void *arg;
};

static int read_cb(const struct nlmsghdr *h, void *arg)
{
	const struct reading *r = arg;
	struct conntrack_entry e;

	if (conntrack_parse(h, &e))
		r->f(r->arg, &e);
	return MNL_CB_OK;
}

static struct nlmsghdr *request(void *buf, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nf = mnl_nlmsg_put_extra_header(h, sizeof(*nf));

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nf->nfgen_family = family;
	nf->version = NFNETLINK_V0;
	return h;
}

static int read_family(struct mnl_socket *nl, uint8_t family, struct reading *r, void *buf)
{
	struct nlmsghdr *h = request(buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
	static unsigned seq;
	ssize_t n;
	int ret;

	h->nlmsg_seq = ++seq;
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nl, buf, READ_BUF);
		ret = n < 0 ? MNL_CB_ERROR
			    : mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(nl), read_cb,
					 r);
	} while (ret == MNL_CB_OK);
	return ret < 0 ? -errno : 0;
}

static struct mnl_socket *open_socket(void)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	if (nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID)) {
		int err = errno;

		mnl_socket_close(nl);
		errno = err;
		return NULL;
	}
	return nl;
}

int conntrack_read(conntrack_fn *f, void *arg, char *why)
{
	struct reading r = { f, arg };
	struct mnl_socket *nl = open_socket();
	void *buf = malloc(READ_BUF);
	int err = nl ? 0 : -errno;

	if (!buf)
		err = -ENOMEM;
	if (!err)
		err = read_family(nl, AF_INET, &r, buf);
	if (!err)
		err = read_family(nl, AF_INET6, &r, buf);
	if (err)
		snprintf(why, CONNTRACK_WHY, "%s", strerror(-err));
	if (nl)
		mnl_socket_close(nl);
	free(buf);
	return err;
}

/* ---- forgetting */

static void put_tuple(struct nlmsghdr *h, const struct flow_key *k)
{
	bool six = k->family == AF_INET6, icmp6 = k->proto == IPPROTO_ICMPV6;
	struct nlattr *tuple = mnl_attr_nest_start(h, CTA_TUPLE_ORIG), *in;
	uint16_t type_code = ntohs(k->dport);

	in = mnl_attr_nest_start(h, CTA_TUPLE_IP);
	mnl_attr_put(h, six ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, six ? 16 : 4, k->src);
	mnl_attr_put(h, six ? CTA_IP_V6_DST : CTA_IP_V4_DST, six ? 16 : 4, k->dst);
	mnl_attr_nest_end(h, in);
	in = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, k->proto);
	if (k->proto == IPPROTO_ICMP || icmp6) {
		mnl_attr_put_u16(h, icmp6 ? CTA_PROTO_ICMPV6_ID : CTA_PROTO_ICMP_ID, k->sport);
		mnl_attr_put_u8(h, icmp6 ? CTA_PROTO_ICMPV6_TYPE : CTA_PROTO_ICMP_TYPE,
				(uint8_t)(type_code >> 8));
		mnl_attr_put_u8(h, icmp6 ? CTA_PROTO_ICMPV6_CODE : CTA_PROTO_ICMP_CODE,
				(uint8_t)type_code);
	} else {
		mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, k->sport);
		mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, k->dport);
	}
	mnl_attr_nest_end(h, in);
	mnl_attr_nest_end(h, tuple);
}

/* Many at a time, without answers; a refusal of one is not waited for. */
int conntrack_forget(const struct conntrack_entry *e, size_t n)
{
	struct mnl_socket *nl = open_socket();
	uint8_t *buf = calloc(1, FORGET_BUF);
	int err = nl ? (buf ? 0 : -ENOMEM) : -errno;
	size_t len = 0;

	for (size_t i = 0; i < n && !err; i++) {
		struct nlmsghdr *h = request(buf + len, IPCTNL_MSG_CT_DELETE, 0, e[i].orig.family);

		put_tuple(h, &e[i].orig);
		mnl_attr_put_u32(h, CTA_ID, htonl(e[i].id));
		len += NLMSG_ALIGN(h->nlmsg_len);
		if (len + FORGET_MAX < FORGET_BUF && i + 1 < n)
			continue;
		if (mnl_socket_sendto(nl, buf, len) < 0)
			err = -errno;
		len = 0;
	}
	if (nl)
		mnl_socket_close(nl);
	free(buf);
	return err;
}
