/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The far ends of both routers' links, k-lan, k-wan, k-dmz and r-lan, r-wan, r-dmz, in the
 * namespace that this runs in.
 *
 * A batch goes into both routers, and behind it, by each link, fences: a packet of each family to
 * each link, and an echo request of each to the router itself, which Linux answers also where we
 * forward. A router keeps the order of what takes the same way, so when all fences are back all
 * that the batch caused is, too; nothing waits for a timeout. What comes out is related to what
 * went in by its mark.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "router/lib/clock.h"
#include "router/net/csum.h"
#include "tests/tools/forward_oracle/oracle.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define ARENA_SIZE     (16u << 20) /* what a batch may cause: each packet 35 fragments */
#define SEEN_MAX       (1u << 14)
#define FENCES	       (2 * LINKS + 2) /* by each link */
#define FENCE_AGAIN    (300 * NSEC_PER_MSEC)
#define FENCE_PATIENCE (10 * NSEC_PER_SEC)
#define AT_ONCE	       64

static const uint8_t magic[8] = "fence:)";

struct fence {
	uint8_t magic[8];
	uint32_t serial;
	uint8_t link, kind, pad[2];
};

struct lab {
	int fd[SIDES][LINKS];
	bool redirects;
	uint32_t serial;
	uint32_t missing[SIDES]; /* bits: fences that are not back */
	uint64_t strays[SIDES];
	uint8_t *arena;
	uint32_t used, nseen;
	struct seen *seen;
	struct packet *batch;
	unsigned n;
	uint16_t place[MARK_FIRST + MARKS]; /* by mark: in the batch, + 1 */
	uint8_t rx[AT_ONCE][FRAME_ROOM];
};

static int open_link(const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(3 /* all */),
				  .sll_ifindex = (int)if_nametoindex(name) };
	int one = 1, size = 64 << 20;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (!at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof(at))) {
		close(fd);
		return -1;
	}
	return fd;
}

struct lab *lab_open(void)
{
	static const char letter[SIDES] = { [KERNEL] = 'k', [OURS] = 'r' };
	struct lab *l = calloc(1, sizeof(*l));
	char name[IFNAMSIZ];

	if (!l)
		return NULL;
	l->arena = malloc(ARENA_SIZE);
	l->seen = calloc(SEEN_MAX, sizeof(*l->seen));
	for (unsigned side = 0; side < SIDES; side++)
		for (unsigned link = 0; link < LINKS; link++) {
			snprintf(name, sizeof(name), "%c-%s", letter[side], link_name[link]);
			l->fd[side][link] = open_link(name);
			if (l->fd[side][link] < 0) {
				fprintf(stderr, "%s: %s\n", name, strerror(errno));
				return NULL;
			}
		}
	return l->arena && l->seen ? l : NULL;
}

void lab_close(struct lab *l)
{
	for (unsigned side = 0; side < SIDES; side++)
		for (unsigned link = 0; link < LINKS; link++)
			close(l->fd[side][link]);
	free(l->arena);
	free(l->seen);
	free(l);
}

uint64_t lab_strays(const struct lab *l, enum side side)
{
	return l->strays[side];
}

void lab_redirects(struct lab *l, bool wanted)
{
	l->redirects = wanted;
}

/* ---- in */

static void send_batch(struct lab *l, enum side side, unsigned link)
{
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	unsigned n = 0;

	memset(msg, 0, sizeof(msg));
	for (unsigned i = 0; i < l->n; i++) {
		if (l->batch[i].link != link)
			continue;
		iov[n] = (struct iovec){ l->batch[i].b, l->batch[i].len };
		msg[n].msg_hdr.msg_iov = &iov[n];
		msg[n++].msg_hdr.msg_iovlen = 1;
	}
	for (unsigned at = 0; at < n;) {
		int sent = sendmmsg(l->fd[side][link], msg + at, n - at, 0);

		if (sent < 0 && errno != EINTR && errno != EAGAIN && errno != ENOBUFS)
			perror("forward_oracle: a link takes no packets");
		at += sent > 0 ? (unsigned)sent : errno != EAGAIN;
	}
}

static uint16_t checksum(const void *data, uint32_t len, uint64_t sum)
{
	return (uint16_t)~csum_fold(csum_add(data, len, sum));
}

/* Kinds: to each link, of IPv4; the same of IPv6; to the router, of either. Returns its length. */
static uint32_t fence(uint8_t *b, unsigned link, unsigned kind, uint32_t serial)
{
	bool own = kind >= 2 * LINKS, six = own ? kind & 1 : kind >= LINKS;
	unsigned to = own ? link : kind % LINKS;
	struct fence mark = { .serial = serial, .link = (uint8_t)link, .kind = (uint8_t)kind };
	uint8_t *h = b + ETH_HLEN, *l4 = h + (six ? 40 : 20);
	uint32_t len = 8 + sizeof(mark);
	uint16_t sum;

	memcpy(mark.magic, magic, sizeof(magic));
	memset(b, 0, ETH_HLEN + 40 + len);
	world_macs(link, b, b + 6);
	put16(b + 12, six ? ETH_P_IPV6 : ETH_P_IP);
	memcpy(l4 + 8, &mark, sizeof(mark));
	if (own) {
		l4[0] = six ? 128 : 8;
	} else {
		put16(l4, 9);
		put16(l4 + 2, 9);
		put16(l4 + 4, len);
	}
	if (six) {
		const uint8_t from[16] = {
			0x20, 1, 0xd, 0xb8, 0, (uint8_t)(link + 1), [12] = 9, [15] = 9
		};
		const uint8_t dst[16] = {
			0x20, 1, 0xd, 0xb8, 0, (uint8_t)(to + 1), [12] = 9, [15] = 8
		};
		const uint8_t self[16] = {
			0x20, 1, 0xd, 0xb8, 0, (uint8_t)(0xa1 + link), [15] = 1
		};

		h[0] = 0x60;
		put16(h + 4, len);
		h[6] = own ? 58 : 17;
		h[7] = 64;
		memcpy(h + 8, from, 16);
		memcpy(h + 24, own ? self : dst, 16);
		sum = checksum(l4, len, csum_pseudo6(h + 8, h + 24, h[6], len));
		memcpy(l4 + (own ? 2 : 6), &sum, 2);
		return ETH_HLEN + 40 + len;
	}
	memcpy(h, (const uint8_t[]){ 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, own ? 1 : 17 }, 10);
	put16(h + 2, 20 + len);
	memcpy(h + 12, (const uint8_t[]){ 10, (uint8_t)(link + 1), 255, 251 }, 4);
	memcpy(h + 16, (const uint8_t[]){ 10, (uint8_t)(to + 1), 255, 250 }, 4);
	if (own)
		memcpy(h + 16, (const uint8_t[]){ 10, 0, (uint8_t)(link + 1), 1 }, 4);
	sum = checksum(h, 20, 0);
	memcpy(h + 10, &sum, 2);
	sum = own ? checksum(l4, len, 0) : 0; /* of UDP: none */
	memcpy(l4 + (own ? 2 : 6), &sum, 2);
	return ETH_HLEN + 20 + len;
}

static void send_fences(struct lab *l, enum side side)
{
	uint8_t b[128];

	for (unsigned i = 0; i < LINKS * FENCES; i++)
		if (l->missing[side] >> i & 1 &&
		    send(l->fd[side][i / FENCES], b, fence(b, i / FENCES, i % FENCES, l->serial),
			 0) < 0)
			perror("forward_oracle: a link takes no fence");
}

/* ---- out */

static bool is_fence(struct lab *l, enum side side, const uint8_t *b, uint32_t len)
{
	uint32_t at = get16(b + 12) == ETH_P_IP ? ETH_HLEN + 20 + 8 : ETH_HLEN + 40 + 8;
	struct fence f;

	if (len < at + sizeof(f))
		return false;
	memcpy(&f, b + at, sizeof(f));
	if (memcmp(f.magic, magic, sizeof(magic)))
		return false;
	if (f.serial == l->serial)
		l->missing[side] &= ~(1u << (f.link * FENCES + f.kind));
	return true;
}

/* Is it of neighbour discovery? */
static bool is_discovery(const uint8_t *b, uint32_t len)
{
	return get16(b + 12) == ETH_P_IPV6 && len >= ETH_HLEN + 40 + 8 && b[ETH_HLEN + 6] == 58 &&
	       b[ETH_HLEN + 7] == 255 && b[ETH_HLEN + 40] >= 133 && b[ETH_HLEN + 40] <= 137;
}

/* A redirect has the packet in its last option. */
static unsigned redirect_mark(const uint8_t *b, uint32_t len)
{
	for (uint32_t at = ETH_HLEN + 40 + 40; at + 12 <= len && b[at + 1]; at += b[at + 1] * 8u)
		if (b[at] == 4)
			return get16(b + at + 8 + 2);
	return 0;
}

/* The mark of what a router itself answers. */
static unsigned answer_mark(const uint8_t *b, uint32_t len, bool six)
{
	uint32_t hlen = six ? 40 : (b[ETH_HLEN] & 15) * 4u;
	const uint8_t *l4 = b + ETH_HLEN + hlen;
	uint8_t proto = b[ETH_HLEN + (six ? 6 : 9)];

	if (len < ETH_HLEN + hlen + 8)
		return 0;
	if (proto == 6)
		return get16(l4 + 2);
	return proto == (six ? 58 : 1) ? get16(l4 + 4) : 0;
}

/* The mark of the packet that this came of, or of nothing: 0. */
static unsigned mark_of(const uint8_t *b, uint32_t len)
{
	const uint8_t *h = b + ETH_HLEN;
	bool six = get16(b + 12) == ETH_P_IPV6;
	uint32_t error = error_at(b, len), at;

	if (is_discovery(b, len))
		return redirect_mark(b, len);
	if (six && get16(h + 2))
		return get16(h + 2);
	if (error) {
		at = error + 8 + (six ? 2 : 4);
		return at + 2 <= len ? get16(b + at) : 0;
	}
	if (world_is_own(h + (six ? 8 : 12), six))
		return answer_mark(b, len, six);
	return six ? 0 : get16(h + 4);
}

static void keep(struct lab *l, enum side side, unsigned link, const uint8_t *b, uint32_t len)
{
	unsigned mark = mark_of(b, len);
	struct seen_list *list;
	struct seen *f;

	if (mark >= sizeof(l->place) / sizeof(l->place[0]) || !l->place[mark] ||
	    l->nseen == SEEN_MAX || l->used + len > ARENA_SIZE) {
		l->strays[side]++;
		return;
	}
	list = &l->batch[l->place[mark] - 1].out[side][link];
	f = &l->seen[l->nseen++];
	*f = (struct seen){ .len = len, .b = l->arena + l->used };
	memcpy(f->b, b, len);
	l->used += len;
	mask(f);
	*list->end = f;
	list->end = &f->next;
	list->n++;
}

/* Linux announces itself, asks for neighbours, and redirects. */
static bool is_of_no_packet(const struct lab *l, const uint8_t *b, uint32_t len)
{
	unsigned type = get16(b + 12);

	if (len < ETH_HLEN + (type == ETH_P_IPV6 ? 40 : 20) ||
	    (type != ETH_P_IP && type != ETH_P_IPV6))
		return true;
	return is_discovery(b, len) && !(l->redirects && b[ETH_HLEN + 40] == 137);
}

static void collect(struct lab *l, enum side side, unsigned link)
{
	struct mmsghdr msg[AT_ONCE];
	struct iovec iov[AT_ONCE];
	int n;

	do {
		memset(msg, 0, sizeof(msg));
		for (unsigned i = 0; i < AT_ONCE; i++) {
			iov[i] = (struct iovec){ l->rx[i], FRAME_ROOM };
			msg[i].msg_hdr.msg_iov = &iov[i];
			msg[i].msg_hdr.msg_iovlen = 1;
		}
		n = recvmmsg(l->fd[side][link], msg, AT_ONCE, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++) {
			const uint8_t *b = l->rx[i];

			if (!is_of_no_packet(l, b, msg[i].msg_len) &&
			    !is_fence(l, side, b, msg[i].msg_len))
				keep(l, side, link, b, msg[i].msg_len);
		}
	} while (n == AT_ONCE);
}

static void collect_all(struct lab *l)
{
	struct pollfd p[SIDES * LINKS];

	for (unsigned i = 0; i < SIDES * LINKS; i++)
		p[i] = (struct pollfd){ .fd = l->fd[i / LINKS][i % LINKS], .events = POLLIN };
	if (poll(p, SIDES * LINKS, 20) <= 0)
		return;
	for (unsigned i = 0; i < SIDES * LINKS; i++)
		if (p[i].revents)
			collect(l, i / LINKS, i % LINKS);
}

static bool until_fences(struct lab *l, uint64_t patience)
{
	uint64_t start = clock_now(), last = start, now;

	while (l->missing[KERNEL] || l->missing[OURS]) {
		collect_all(l);
		now = clock_now();
		if (now - start > patience)
			return false;
		if (now - last > FENCE_AGAIN) {
			last = now;
			send_fences(l, KERNEL);
			send_fences(l, OURS);
		}
	}
	return true;
}

bool lab_run(struct lab *l, struct packet *p, unsigned n, unsigned seconds)
{
	uint64_t until = clock_now() + seconds * NSEC_PER_SEC;

	l->batch = p;
	l->n = n;
	l->used = l->nseen = 0;
	l->serial++;
	memset(l->place, 0, sizeof(l->place));
	for (unsigned i = 0; i < n; i++)
		l->place[p[i].mark] = (uint16_t)(i + 1);
	for (unsigned side = 0; side < SIDES; side++) {
		l->missing[side] = (1u << LINKS * FENCES) - 1;
		for (unsigned link = 0; link < LINKS; link++)
			send_batch(l, side, link);
		send_fences(l, side);
	}
	while (seconds && clock_now() < until)
		collect_all(l);
	return until_fences(l, FENCE_PATIENCE);
}

/* Until both know all neighbours. */
bool lab_warm(struct lab *l)
{
	return lab_run(l, NULL, 0, 0);
}
