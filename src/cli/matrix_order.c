/* SPDX-License-Identifier: BSD-3-Clause */
/* What a node of the matrix does, by whomever it is told to. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/matrix.h"
#include "os/netwatch.h"
#include "os/rtnl.h"
#include "os/sysctl.h"

enum { CARD_MS = 5000, RA_MS = 15000 };

static const char card[] = "eth0";

/* Where the server names no router a machine tries the first address, which
 * may be the host's. */
static void try_a_router(struct matrix_lease *l)
{
	const struct prefix own = prefix_of(&l->ip, l->len);

	if (!addr_is_unspecified(&l->router))
		return;
	l->router = prefix_network(&own).ip;
	l->router.b[15]++;
}

static bool is_there(void *arg)
{
	struct rtnl_link l;

	(void)arg;
	return rtnl_link_get(card, 0, &l) == 0;
}

/* A guest's kernel may still be looking for it. */
static bool has_card(const struct order *o)
{
	return o->may_lack_card ? is_there(NULL)
				: netwatch_await(is_there, NULL, CARD_MS) == 0;
}

/* Routes of IPv6 that go by a router: how many; forgets: and takes them. */
static int ways6(int index, bool forgets)
{
	struct rtnl_route *v = NULL;
	int n = rtnl_route_list(index, &v), found = 0, r = n < 0 ? n : 0;

	for (int i = 0; i < n && r == 0; i++) {
		char text[RTNL_ROUTE_STRLEN];

		if (!rtnl_route_has_gateway(&v[i]) ||
		    !strchr(rtnl_route_format(&v[i], text), ':'))
			continue;
		found++;
		r = forgets ? rtnl_route_del(&v[i]) : 0;
	}
	free(v);
	return r < 0 ? r : found;
}

static void find_ip6(struct matrix_lease *l, int index)
{
	struct rtnl_addr *v = NULL;
	int n = rtnl_addr_list(index, &v);

	for (int k = 0; k < n; k++) {
		if (v[k].family == AF_INET6)
			l->ip6 = v[k].local;
	}
	free(v);
}

/* What the kernel makes of a router's advertisements. */
struct advertised {
	struct matrix_lease *l;
	int index;     /* of the card */
	bool has_way6; /* routes are among it */
};

static bool is_advertised(void *arg)
{
	const struct advertised *a = arg;

	find_ip6(a->l, a->index);
	return !addr_is_unspecified(&a->l->ip6) &&
	       (!a->has_way6 || ways6(a->index, false) > 0);
}

/* If they come. */
static void await_ip6(const struct order *o, struct matrix_lease *l, int index)
{
	struct advertised a = {
		.l = l, .index = index, .has_way6 = o->has_way6};

	(void)!netwatch_await(is_advertised, &a, RA_MS);
}

/* Where no router is advertised a machine tries the first address, as above. */
static int try_a_router6(struct matrix_lease *l, struct error *e)
{
	static const struct prefix everything = {.len = 0};
	const struct prefix own = {.ip = l->ip6, .len = 64};

	if (addr_is_unspecified(&l->ip6))
		return 0;
	if (addr_is_unspecified(&l->router6)) {
		l->router6 = prefix_network(&own).ip;
		l->router6.b[15]++;
	}
	return world_route_add(card, &everything, &l->router6, e);
}

static int set_up6(const struct order *o, struct matrix_lease *l, int index,
		   struct error *e)
{
	int r;

	if (!o->has_ip6)
		return 0;
	if (o->by_ra)
		await_ip6(o, l, index);
	else if (world_addr_add(card, &l->ip6, 64, e) < 0)
		return -1;
	if (o->has_router)
		return o->has_way6 ? 0 : try_a_router6(l, e);
	/* and hears of none again */
	r = sysctl_set("net/ipv6/conf/eth0/accept_ra", "0");
	if (r == 0)
		r = ways6(index, true);
	return r < 0 ? error_errno(e, r, "%s: its routes of IPv6", card) : 0;
}

static int set_up(const struct order *o, struct matrix_lease *l,
		  struct error *e)
{
	static const struct prefix everything = {.len = 0};
	struct rtnl_link link;
	int r;

	*l = o->lease;
	if (!has_card(o))
		return o->may_lack_card
			       ? 0
			       : error_set(e, EXIT_FAILED,
					   "there is no card; if its kernel "
					   "has virtio_net as a module, "
					   "--modules names its folder");
	/* A kernel may be told to drop what comes before it has an address. */
	if (sysctl_set("net/ipv4/conf/all/rp_filter", "0") < 0 ||
	    sysctl_set("net/ipv4/conf/eth0/rp_filter", "0") < 0)
		return error_set(e, EXIT_FAILED, "rp_filter cannot be set");
	/* Nobody else has its addresses; that takes a second to find out. */
	r = sysctl_set("net/ipv6/conf/eth0/accept_dad", "0");
	if (r < 0 && r != -ENOENT)
		return error_errno(e, r, "accept_dad");
	r = rtnl_link_get(card, 0, &link);
	if (r == 0)
		r = rtnl_link_set_up(link.index, true);
	if (r < 0)
		return error_errno(e, r, "%s", card);
	if (o->by_dhcp && matrix_lease_get(card, l, e) < 0)
		return -1;
	if (world_addr_add(card, &l->ip, l->len, e) < 0)
		return -1;
	try_a_router(l);
	if (o->has_router &&
	    world_route_add(card, &everything, &l->router, e) < 0)
		return -1;
	return set_up6(o, l, link.index, e);
}

void order_obey(const struct order *o, struct report *rep)
{
	struct error e = ERROR_NULL;
	int r = 0;

	*rep = (struct report){.id = o->id};
	switch (o->kind) {
	case ORDER_SET_UP:
		r = set_up(o, &rep->lease, &e);
		break;
	case ORDER_ADDRESS:
		r = world_addr_add(card, &o->lease.ip, o->lease.len, &e);
		break;
	case ORDER_PROBE:
		matrix_probe(o, &rep->found);
		break;
	}
	rep->has_failed = r < 0;
	snprintf(rep->error, sizeof(rep->error), "%.*s",
		 (int)sizeof(rep->error) - 1, e.text);
}
