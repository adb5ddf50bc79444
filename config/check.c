// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What no single value shows: two interfaces on one netdev, one address twice, names that are not
 * there. Here are the daemon and its interfaces, the indices all checks search, and the order of
 * the checks. An error is what Linux would refuse or what cannot be meant; a warning is what may
 * well be right, because Linux has addresses and netdevs that this file does not know.
 *
 * A file may have a million entries, so nothing here compares all with all: an index is sorted once
 * and searched. Fields that failed to parse are zero and are passed over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"
#include "config/text.h"

struct own_address {
	struct prefix p; /* as written */
	struct prefix net;
	const struct conf_iface *iface;
	const struct yaml_node *node;
};

struct mark check_place(const struct check *k, const void *field, const void *record)
{
	const struct yaml_node *n = bind_where(k->places, field);
	const struct mark start = { .line = 1, .col = 1, .len = 1 };

	if (!n)
		n = bind_where(k->places, record);
	return n ? n->mark : start;
}

/* Nobody reads the thousandth error: no more time is spent on saying it well. */
bool check_enough(const struct check *k)
{
	return report_errors(k->report) > 1000;
}

struct mark check_word_place(const struct check *k, const void *field, unsigned index,
			     const void *record)
{
	const struct yaml_node *n = bind_where(k->places, field);
	const struct yaml_item *item = n && n->kind == YAML_LIST ? n->items : NULL;

	while (item && index-- > 0 && !check_enough(k))
		item = item->next;
	return item ? item->value->mark : check_place(k, field, record);
}

char *check_path(const struct check *k, const void *field, char buf[YAML_PATH_MAX])
{
	return yaml_path(bind_where(k->places, field), buf);
}

char *check_line(const struct check *k, struct mark of, struct mark seen_from,
		 char buf[YAML_PATH_MAX])
{
	if (of.source == seen_from.source)
		snprintf(buf, YAML_PATH_MAX, "line %u", of.line);
	else
		snprintf(buf, YAML_PATH_MAX, "%.200s:%u", report_source_name(k->report, of.source),
			 of.line);
	return buf;
}

static int compare_addr(const void *a, const void *b)
{
	const struct own_address *x = a, *y = b;
	int order = addr_cmp(&x->p.addr, &y->p.addr);

	return order ? order : (x->node > y->node) - (x->node < y->node);
}

int check_compare_prefix(const struct prefix *x, const struct prefix *y)
{
	int order = addr_cmp(&x->addr, &y->addr);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static int compare_net(const void *a, const void *b)
{
	return check_compare_prefix(&((const struct own_address *)a)->net,
				    &((const struct own_address *)b)->net);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int index_addresses(struct check *k)
{
	size_t n = 0;

	for (unsigned i = 0; i < k->c->nifaces; i++)
		n += k->c->ifaces[i].naddresses;
	k->by_addr = calloc(n + 1, sizeof(*k->by_addr));
	k->by_net = calloc(n + 1, sizeof(*k->by_net));
	if (!k->by_addr || !k->by_net)
		return -ENOMEM;
	for (unsigned i = 0; i < k->c->nifaces; i++) {
		const struct conf_iface *f = &k->c->ifaces[i];
		for (unsigned j = 0; j < f->naddresses; j++) {
			const struct prefix *p = &f->addresses[j];
			if (!p->addr.family)
				continue;
			k->by_addr[k->naddrs++] = (struct own_address){ *p, prefix_masked(p), f,
									bind_where(k->places, p) };
			k->lens[p->addr.family == AF_INET6][p->len] = true;
		}
	}
	memcpy(k->by_net, k->by_addr, k->naddrs * sizeof(*k->by_net));
	qsort(k->by_addr, k->naddrs, sizeof(*k->by_addr), compare_addr);
	qsort(k->by_net, k->naddrs, sizeof(*k->by_net), compare_net);
	return 0;
}

int check_index_names(struct check_names *names, const void *records, unsigned n, size_t size)
{
	names->name = calloc((size_t)n + 1, sizeof(*names->name));
	if (!names->name)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		names->name[i] = (const char *)records + i * size;
	names->n = n;
	qsort(names->name, n, sizeof(*names->name), compare_names);
	return 0;
}

static int index_netdevs(struct check *k)
{
	struct check_names *names = &k->netdevs;

	names->name = calloc(2 * (size_t)k->c->nifaces + 1, sizeof(*names->name));
	if (!names->name)
		return -ENOMEM;
	for (unsigned i = 0; i < k->c->nifaces; i++) {
		names->name[names->n++] = k->c->ifaces[i].name;
		names->name[names->n++] = k->c->ifaces[i].netdev;
	}
	qsort(names->name, names->n, sizeof(*names->name), compare_names);
	return 0;
}

static_assert(offsetof(struct conf_iface, name) == 0, "check_index_names");
static_assert(offsetof(struct conf_zone, name) == 0, "check_index_names");
static_assert(offsetof(struct conf_set, name) == 0, "check_index_names");
static_assert(offsetof(struct conf_chain, name) == 0, "check_index_names");

static int index_all(struct check *k)
{
	const struct conf *c = k->c;
	int err = index_addresses(k);

	if (!err)
		err = index_netdevs(k);
	if (!err)
		err = check_index_names(&k->ifaces, c->ifaces, c->nifaces, sizeof(*c->ifaces));
	if (!err)
		err = check_index_names(&k->zones, c->zones, c->nzones, sizeof(*c->zones));
	if (!err)
		err = check_index_names(&k->sets, c->sets, c->nsets, sizeof(*c->sets));
	if (!err)
		err = check_index_names(&k->chains, c->chains, c->nchains, sizeof(*c->chains));
	return err;
}

const void *check_find(const struct check_names *names, const char *name)
{
	const char *const *found = names->n ? bsearch(&name, names->name, names->n,
						      sizeof(*names->name), compare_names)
					    : NULL;

	return found ? *found : NULL;
}

void check_suggest(const struct check *k, const char *name, const struct check_names *kind,
		   const struct check_names *other)
{
	enum { MANY = 1000 }; /* to compare a misspelt name with */
	struct text_guess guess = { .written = name };

	if (check_enough(k))
		return;
	for (unsigned i = 0; i < kind->n && i < MANY; i++)
		text_guess_add(&guess, kind->name[i]);
	for (unsigned i = 0; other && i < other->n && i < MANY; i++)
		text_guess_add(&guess, other->name[i]);
	if (guess.best)
		report_help(k->report, "did you mean \"%s\"?", guess.best);
}

const struct conf_iface *check_own_address(const struct check *k, const struct addr *a)
{
	unsigned low = 0, high = k->naddrs;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		int order = addr_cmp(&k->by_addr[mid].p.addr, a);
		if (order == 0)
			return k->by_addr[mid].iface;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

bool check_on_some_link(const struct check *k, const struct addr *a)
{
	struct own_address key = { 0 };

	for (unsigned len = 0; len <= addr_bits(a); len++) {
		if (!k->lens[a->family == AF_INET6][len])
			continue;
		const struct prefix p = { *a, (uint8_t)len };
		key.net = prefix_masked(&p);
		if (bsearch(&key, k->by_net, k->naddrs, sizeof(key), compare_net))
			return true;
	}
	return false;
}

static void check_duplicate_addresses(struct check *k)
{
	char path[YAML_PATH_MAX], text[ADDR_STRLEN];

	for (unsigned i = 1; i < k->naddrs; i++) {
		const struct own_address *a = &k->by_addr[i - 1], *b = &k->by_addr[i];
		if (!addr_equal(&a->p.addr, &b->p.addr) || !a->node || !b->node ||
		    strcmp(a->iface->vrf, b->iface->vrf) != 0) /* VRFs are worlds apart */
			continue;
		const struct mark *x = &a->node->mark, *y = &b->node->mark;
		bool swap = x->source != y->source ? x->source > y->source
			    : x->line != y->line   ? x->line > y->line
						   : x->col > y->col;
		const struct own_address *first = swap ? b : a, *second = swap ? a : b;
		report_error(k->report, second->node->mark, "%s: %s is an address of %s already",
			     yaml_path(second->node, path), addr_format(&second->p.addr, text),
			     first->iface->name);
	}
}

static int compare_netdevs(const void *a, const void *b)
{
	const struct conf_iface *x = *(const struct conf_iface *const *)a;
	const struct conf_iface *y = *(const struct conf_iface *const *)b;
	int order = strcmp(x->netdev, y->netdev);

	return order ? order : (x > y) - (x < y);
}

static int compare_macs(const void *a, const void *b)
{
	const struct conf_iface *x = *(const struct conf_iface *const *)a;
	const struct conf_iface *y = *(const struct conf_iface *const *)b;
	int order = memcmp(x->mac, y->mac, 6);

	return order ? order : (x > y) - (x < y);
}

/* One netdev, or one MAC address, for two interfaces. */
static int check_clashes(struct check *k)
{
	unsigned n = k->c->nifaces;
	const struct conf_iface **f = calloc(n + 1, sizeof(struct conf_iface *));

	if (!f)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		f[i] = &k->c->ifaces[i];
	qsort(f, n, sizeof(*f), compare_netdevs);
	for (unsigned i = 1; i < n; i++)
		if (f[i]->netdev[0] && !strcmp(f[i]->netdev, f[i - 1]->netdev) &&
		    strcmp(f[i]->name,
			   f[i - 1]->name)) /* equal names were reported as a duplicate key */
			report_error(k->report, check_place(k, f[i]->netdev, f[i]->name),
				     "interfaces.%s: netdev %s is interfaces.%s already",
				     f[i]->name, f[i]->netdev, f[i - 1]->name);
	qsort(f, n, sizeof(*f), compare_macs);
	for (unsigned i = 1; i < n; i++)
		if (f[i]->has_mac && f[i - 1]->has_mac && !memcmp(f[i]->mac, f[i - 1]->mac, 6) &&
		    strcmp(f[i]->name, f[i - 1]->name))
			report_error(k->report, check_place(k, f[i]->mac, f[i]->name),
				     "interfaces.%s.match.mac: is interfaces.%s's already",
				     f[i]->name, f[i - 1]->name);
	free(f);
	return 0;
}

/* Is it the first or the last address of an IPv4 subnet that has such? */
static bool subnet_edge(const struct prefix *p)
{
	if (p->addr.family != AF_INET || p->len >= 31)
		return false;
	uint32_t host = ntohl(p->addr.v4) & (0xffffffffu >> p->len);
	return host == 0 || host == 0xffffffffu >> p->len;
}

/* A frame holds the kernel's headroom for XDP, an Ethernet header with a VLAN tag, and the packet.
 */
static void check_mtu(struct check *k, const struct conf_iface *f)
{
	enum { HEADROOM = 256 + 14 + 4, LARGEST_FRAME = 4096 };
	unsigned frame = k->c->memory.frame_size;
	char path[YAML_PATH_MAX];

	if (f->mtu + HEADROOM <= frame)
		return;
	report_warning(k->report, check_place(k, &f->mtu, f->name),
		       "%s: %u does not fit into a frame of %u bytes", check_path(k, &f->mtu, path),
		       f->mtu, frame);
	if (f->mtu + HEADROOM <= LARGEST_FRAME)
		report_help(k->report, "set router.memory.frame-size: 4096");
	else
		report_help(k->report, "with router.memory.frame-size: 4096, the largest MTU is %d",
			    LARGEST_FRAME - HEADROOM);
}

static void check_iface(struct check *k, const struct conf_iface *f)
{
	char path[YAML_PATH_MAX], text[PREFIX_STRLEN];
	bool v6 = false;

	check_mtu(k, f);
	for (unsigned i = 0; i < f->naddresses; i++) {
		const struct prefix *p = &f->addresses[i];
		v6 |= p->addr.family == AF_INET6;
		if (subnet_edge(p))
			report_warning(
				k->report, check_place(k, p, f->name),
				"%s: %s is the network's or its broadcast address, not a host's",
				check_path(k, p, path), prefix_format(p, text));
	}
	if (f->mtu && f->mtu < 1280 && v6) {
		report_error(k->report, check_place(k, &f->mtu, f->name),
			     "%s: %u is less than IPv6 needs", check_path(k, &f->mtu, path),
			     f->mtu);
		report_help(k->report, "write 1280 or more, or take the IPv6 addresses away");
	}
	if (!strcmp(f->netdev, "lo"))
		report_error(k->report, check_place(k, f->netdev, f->name),
			     "interfaces.%s: lo carries only Linux's own packets", f->name);
}

static void check_daemon(struct check *k)
{
	const struct conf *c = k->c;
	const struct yaml_node *count = bind_where(k->places, &c->workers.count);

	if (count && bind_where(k->places, c->workers.cpus)) {
		report_error(k->report, count->mark, "router.workers.count: not beside cpus");
		report_help(k->report, "cpus has one worker for each CPU it names");
	}
	if (c->stats.socket.path[0] &&
	    !strcmp(c->stats.socket.path, c->stats.read_only_socket.path))
		report_error(k->report, check_place(k, c->stats.read_only_socket.path, NULL),
			     "stats.read-only-socket.path: is stats.socket.path already");
}

int conf_check(struct conf *c, const struct bind_places *places, struct report *r)
{
	struct check k = { .c = c, .places = places, .report = r };
	int err = index_all(&k);

	if (err)
		goto out;
	check_daemon(&k);
	check_duplicate_addresses(&k);
	for (unsigned i = 0; i < c->nifaces; i++)
		check_iface(&k, &c->ifaces[i]);
	err = check_clashes(&k);
	check_tables(&k, c); /* before routes are compared */
	if (!err)
		err = check_routing(&k);
	if (!err)
		err = check_sets(&k);
	if (!err)
		err = check_zones(&k);
	if (!err)
		err = check_filter(&k);
	if (!err)
		err = check_nat(&k);
	if (!err)
		err = check_qos(&k, c);
out:
	free(k.by_addr);
	free(k.by_net);
	free(k.netdevs.name);
	free(k.ifaces.name);
	free(k.zones.name);
	free(k.sets.name);
	free(k.chains.name);
	return err;
}
