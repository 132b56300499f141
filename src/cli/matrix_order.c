/* SPDX-License-Identifier: BSD-3-Clause */
/* What a node of the matrix does, by whomever it is told to. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/matrix.h"
#include "os/rtnl.h"
#include "os/sysctl.h"

enum { CARD_TRIES = 100, CARD_PAUSE_MS = 50 };

static const char card[] = "eth0";

/* Where the server names no router a machine tries the first address, which
 * may be the host's. */
static void try_a_router(struct matrix_lease *l)
{
	const struct prefix own = {.ip = l->ip, .len = (uint8_t)(96 + l->len)};

	if (!addr_is_unspecified(&l->router))
		return;
	l->router = prefix_network(&own).ip;
	l->router.b[15]++;
}

/* A guest's kernel may still be looking for it. */
static bool has_card(const struct order *o)
{
	const struct timespec t = {.tv_nsec = CARD_PAUSE_MS * 1000000L};
	struct rtnl_link l;

	for (int i = 0; i < CARD_TRIES; i++) {
		if (rtnl_link_get(card, 0, &l) == 0)
			return true;
		if (o->may_lack_card)
			return false;
		nanosleep(&t, NULL);
	}
	return false;
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
	return o->has_router
		       ? world_route_add(card, &everything, &l->router, e)
		       : 0;
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
