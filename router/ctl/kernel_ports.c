// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ports that Linux uses: see router/ctl/kernel_ports.h.
 *
 * Sockets come by a dump of all states of TCP and of UDP in both families: listening, connected,
 * waiting for time to pass, or merely bound. Those on the wildcard address go to a bitmap that
 * counts for both families, since an IPv6 socket takes IPv4 too unless it says otherwise; those on
 * one address go to a list, which is sorted and rid of doubles before it grows: a server has many
 * connections on one port.
 *
 * The two settings of /proc are read and written as any program would. Only what we added ourselves
 * is ever taken away from the list of reserved ports.
 */
#include "router/ctl/kernel_ports.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RANGE_PATH    "/proc/sys/net/ipv4/ip_local_port_range"
#define RESERVED_PATH "/proc/sys/net/ipv4/ip_local_reserved_ports"

#define RESERVED_MOST 4096 /* the kernel reads a page less a byte at a time */
#define TEXT_MOST     (256 * 1024)
#define DUMP_BUF      (64 * 1024)

static int failed(char *why, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int failed(char *why, int err, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!why)
		return err;
	va_start(ap, fmt);
	n = vsnprintf(why, KERNEL_PORTS_WHY, fmt, ap);
	va_end(ap);
	if (n >= 0 && n < KERNEL_PORTS_WHY)
		snprintf(why + n, (size_t)(KERNEL_PORTS_WHY - n), ": %s", strerror(-err));
	return err;
}

/* ---- sets of ports ---- */

static void port_set_add(struct port_set *s, uint16_t port)
{
	s->word[port / 64] |= 1ULL << port % 64;
}

void port_set_range(struct port_set *s, uint16_t first, uint16_t last)
{
	for (unsigned port = first; port <= last; port++)
		port_set_add(s, (uint16_t)port);
}

unsigned port_set_count(const struct port_set *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NATPORT_WORDS; i++)
		n += (unsigned)__builtin_popcountll(s->word[i]);
	return n;
}

/* A decimal number up to 65535 at *text, which moves behind it. */
static bool parse_port(const char **text, uint16_t *out)
{
	char *end;
	unsigned long n;

	if (**text < '0' || **text > '9')
		return false;
	n = strtoul(*text, &end, 10);
	if (n > UINT16_MAX)
		return false;
	*text = end;
	*out = (uint16_t)n;
	return true;
}

int port_set_parse(const char *text, struct port_set *out)
{
	struct port_set s = {};
	uint16_t first, last;

	while (*text && *text != '\n') {
		if (!parse_port(&text, &first))
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (!parse_port(&text, &last) || last < first)
				return -EINVAL;
		}
		port_set_range(&s, first, last);
		if (*text == ',')
			text++;
		else if (*text && *text != '\n')
			return -EINVAL;
	}
	*out = s;
	return 0;
}

int port_set_format(const struct port_set *s, char *buf, size_t size)
{
	size_t n = 0;

	if (!size)
		return -E2BIG;
	buf[0] = '\0';
	for (unsigned first = 0, last; first < 65536; first = last + 1) {
		last = first;
		if (!port_set_has(s, (uint16_t)first))
			continue;
		while (last < 65535 && port_set_has(s, (uint16_t)(last + 1)))
			last++;
		n += (size_t)(first == last
				      ? snprintf(buf + n, size - n, "%s%u", n ? "," : "", first)
				      : snprintf(buf + n, size - n, "%s%u-%u", n ? "," : "", first,
						 last));
		if (n >= size)
			return -E2BIG;
	}
	return (int)n;
}

/* ---- sockets ---- */

static int by_address(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct kernel_port));
}

static void sort_once(struct kernel_ports *k)
{
	size_t n = 0;

	if (k->nown)
		qsort(k->own, k->nown, sizeof(k->own[0]), by_address);
	for (size_t i = 0; i < k->nown; i++)
		if (!n || by_address(&k->own[n - 1], &k->own[i]))
			k->own[n++] = k->own[i];
	k->nown = n;
}

struct dump {
	struct kernel_ports *k;
	size_t room; /* of k->own */
	enum natport_plane plane;
};

static int make_room(struct dump *d)
{
	struct kernel_ports *k = d->k;
	size_t room = d->room ? 2 * d->room : 64;
	void *more;

	if (k->nown < d->room)
		return 0;
	sort_once(k);
	if (k->nown < d->room / 2)
		return 0;
	more = reallocarray(k->own, room, sizeof(k->own[0]));
	if (!more)
		return -ENOMEM;
	k->own = more;
	d->room = room;
	return 0;
}

/* An IPv4 address in IPv6's clothes is that IPv4 address. */
static struct addr local_addr(const struct inet_diag_msg *m)
{
	const void *bytes = m->id.idiag_src;

	if (m->idiag_family == AF_INET)
		return addr_v4(m->id.idiag_src[0]);
	if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)bytes))
		return addr_v4(m->id.idiag_src[3]);
	return addr_v6(bytes);
}

static bool is_wildcard(const struct addr *a)
{
	static const uint8_t zero[16];

	return !memcmp(a->bytes, zero, sizeof(zero));
}

static int socket_cb(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);
	struct dump *d = arg;
	struct kernel_port own = { .plane = (uint16_t)d->plane };

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	own.addr = local_addr(m);
	own.port = ntohs(m->id.idiag_sport);
	if (!own.port)
		return MNL_CB_OK;
	if (is_wildcard(&own.addr)) {
		port_set_add(&d->k->any[d->plane], own.port);
		return MNL_CB_OK;
	}
	if (make_room(d)) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	d->k->own[d->k->nown++] = own;
	return MNL_CB_OK;
}

/* A kernel that cannot dump says so where the dump ends. */
static int done_cb(const struct nlmsghdr *h, void *arg)
{
	int err = 0;

	(void)arg;
	if (mnl_nlmsg_get_payload_len(h) >= sizeof(err))
		memcpy(&err, mnl_nlmsg_get_payload(h), sizeof(err));
	errno = -err;
	return err < 0 ? MNL_CB_ERROR : MNL_CB_STOP;
}

static int dump_sockets(struct mnl_socket *nl, uint8_t family, struct dump *d)
{
	static _Alignas(struct nlmsghdr) uint8_t buf[DUMP_BUF];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *q = mnl_nlmsg_put_extra_header(h, sizeof(*q));
	mnl_cb_t control[] = { [NLMSG_DONE] = done_cb };
	static unsigned seq;
	ssize_t n;
	int ret;

	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++seq;
	q->sdiag_family = family;
	q->sdiag_protocol = d->plane == NATPORT_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	q->idiag_states = UINT32_MAX;
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		ret = n < 0 ? MNL_CB_ERROR
			    : mnl_cb_run2(buf, (size_t)n, seq, mnl_socket_get_portid(nl), socket_cb,
					  d, control, MNL_ARRAY_SIZE(control));
	} while (ret == MNL_CB_OK);
	return ret < 0 ? -errno : 0;
}

static int read_sockets(struct kernel_ports *k, char *why)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	struct dump d = { .k = k };
	int err = 0;

	if (!nl)
		return failed(why, -errno, "the ports of Linux's sockets (NETLINK_SOCK_DIAG)");
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		err = -errno;
	for (int i = 0; i < 4 && !err; i++) {
		d.plane = i < 2 ? NATPORT_TCP : NATPORT_UDP;
		err = dump_sockets(nl, families[i % 2], &d);
		if (err == -ENOENT && families[i % 2] == AF_INET6)
			err = 0; /* no IPv6 at all */
	}
	mnl_socket_close(nl);
	if (err)
		return failed(why, err, "the ports of Linux's %s sockets (NETLINK_SOCK_DIAG)",
			      d.plane == NATPORT_TCP ? "TCP" : "UDP");
	sort_once(k);
	return 0;
}

/* ---- settings ---- */

/* The whole of a file of /proc: to be freed, or NULL: errno. */
static char *read_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = malloc(TEXT_MOST);
	size_t len = 0;
	ssize_t n = -1;

	if (fd >= 0 && text)
		while (len < TEXT_MOST - 1 && (n = read(fd, text + len, TEXT_MOST - 1 - len)) > 0)
			len += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

int kernel_ports_ephemeral(uint16_t *first, uint16_t *last, char *why)
{
	char *text = read_text(RANGE_PATH);
	unsigned from, to;
	int err = text ? 0 : -errno;

	if (!err && (sscanf(text, "%u %u", &from, &to) != 2 || from > to || to > UINT16_MAX))
		err = -EINVAL;
	free(text);
	if (err)
		return failed(why, err, "%s", RANGE_PATH);
	*first = (uint16_t)from;
	*last = (uint16_t)to;
	return 0;
}

static int read_reserved(struct port_set *out, char *why)
{
	char *text = read_text(RESERVED_PATH);
	int err = text ? port_set_parse(text, out) : -errno;

	free(text);
	return err ? failed(why, err, "%s", RESERVED_PATH) : 0;
}

static int write_reserved(const struct port_set *s, char *why)
{
	char text[RESERVED_MOST];
	int len = port_set_format(s, text, sizeof(text) - 1), fd, err = 0;

	if (len < 0)
		return failed(why, len, "%s", RESERVED_PATH);
	text[len++] = '\n'; /* an empty list takes a line as well */
	fd = open(RESERVED_PATH, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)len) != len)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err ? failed(why, err, "%s", RESERVED_PATH) : 0;
}

/* ---- what Linux uses ---- */

int kernel_ports_read(struct kernel_ports *out, char *why)
{
	struct kernel_ports *k = calloc(1, sizeof(*k));
	int err = k ? 0 : failed(why, -ENOMEM, "the ports of Linux");

	if (!err)
		err = kernel_ports_ephemeral(&k->ephemeral_first, &k->ephemeral_last, why);
	if (!err)
		err = read_reserved(&k->reserved, why);
	if (!err)
		err = read_sockets(k, why);
	if (!err)
		*out = *k;
	else if (k)
		kernel_ports_free(k);
	free(k);
	return err;
}

void kernel_ports_free(struct kernel_ports *k)
{
	free(k->own);
	k->own = NULL;
	k->nown = 0;
}

void kernel_ports_blocked(const struct kernel_ports *k, const struct addr *a,
			  enum natport_plane plane, struct port_set *out)
{
	memset(out, 0, sizeof(*out));
	if (plane == NATPORT_ICMP)
		return;
	port_set_range(out, k->ephemeral_first, k->ephemeral_last);
	for (unsigned i = 0; i < NATPORT_WORDS; i++) {
		out->word[i] &= ~k->reserved.word[i];
		out->word[i] |= k->any[plane].word[i];
	}
	for (size_t i = 0; i < k->nown; i++)
		if (k->own[i].plane == plane && addr_equal(&k->own[i].addr, a))
			port_set_add(out, k->own[i].port);
}

/* ---- what we reserve ---- */

/* How many ephemeral ports Linux could still choose from. */
static unsigned ephemeral_left(uint16_t first, uint16_t last, const struct port_set *reserved)
{
	unsigned n = 0;

	for (unsigned port = first; port <= last; port++)
		n += !port_set_has(reserved, (uint16_t)port);
	return n;
}

int kernel_ports_reserve(struct kernel_reserved *r, const struct port_set *want, char *why)
{
	struct port_set was, next, ours;
	uint16_t first, last;
	bool more = false;
	int err = read_reserved(&was, why);

	if (!err)
		err = kernel_ports_ephemeral(&first, &last, why);
	if (err)
		return err;
	for (unsigned i = 0; i < NATPORT_WORDS; i++) {
		uint64_t others = was.word[i] & ~r->ours.word[i];

		next.word[i] = others | want->word[i];
		ours.word[i] = want->word[i] & ~others;
		more |= ours.word[i] & ~was.word[i];
	}
	if (more && ephemeral_left(first, last, &next) < KERNEL_PORTS_LEFT)
		return failed(why, -ENOSPC, "Linux needs %d of its ephemeral ports, %u to %u",
			      KERNEL_PORTS_LEFT, first, last);
	err = memcmp(&was, &next, sizeof(was)) ? write_reserved(&next, why) : 0;
	if (!err)
		r->ours = ours;
	return err;
}

int kernel_ports_restore(struct kernel_reserved *r)
{
	static const struct port_set nothing;

	return kernel_ports_reserve(r, &nothing, NULL);
}
