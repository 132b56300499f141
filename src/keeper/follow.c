/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gateways whose IPv6 network is a part of a prefix of the host's
 * (ipv6-follow=on): when the host has that no more and another instead, the
 * network moves there.  While it has none, nothing moves: what machines say to
 * each other goes on, the way out is a matter of os/ways.h, and the prefix may
 * come back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/part.h"
#include "keeper/keeper_priv.h"
#include "os/routes.h"

enum { TRIES = 256 };

/* What the host has. */
struct host_prefixes {
	struct prefix *mine; /* owned; to be divided */
	struct prefix *routes; /* owned */
	unsigned n_mine, n_routes;
};

static int read_host(struct host_prefixes *h)
{
	int r = routes_delegated(&h->mine, &h->n_mine);

	return r < 0 ? r : routes_read(&h->routes, &h->n_routes);
}

/* True if it still is of a prefix that the host has. */
static bool is_hosts(const struct host_prefixes *h, const struct prefix *net)
{
	for (unsigned i = 0; i < h->n_mine; i++) {
		if (prefix_has(&h->mine[i], &net->ip))
			return true;
	}
	return false;
}

/* The same bits behind the new prefix, if nobody else is there. */
static bool find_place(const struct host_prefixes *h,
		       const struct prefix *begun, struct prefix *net)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < SLAAC_LEN / 8; i++)
		bits = bits << 8 | begun->ip.b[i];
	for (unsigned i = 0; i < h->n_mine * TRIES; i++) {
		const struct prefix *p = &h->mine[i / TRIES];

		*net = part_of(p, bits ^ i % TRIES);
		if (part_is_free(p, net, h->routes, h->n_routes))
			return true;
	}
	return false;
}

static int tell(struct keeper *k, const struct plan_netdev *n,
		const struct subnet *v6)
{
	union engine_msg m = {.user_move = {.port = n->id, .v6 = *v6}};

	return engine_link_send(k, &m, ENGINE_MSG_USER_MOVE, NULL, 0);
}

int follow_tell(struct keeper *k, const struct plan_netdev *n)
{
	int r = 0;

	for (unsigned i = 0; i < n->n_was6 && r == 0; i++)
		r = tell(k, n, &n->was6[i]);
	return n->n_was6 && r == 0 ? tell(k, n, &n->order.user_add.v6) : r;
}

static void move(struct plan_netdev *n, const struct prefix *to)
{
	struct subnet *v6 = &n->order.user_add.v6;
	char from_text[PREFIX_STRLEN], to_text[PREFIX_STRLEN];

	if (n->n_was6 == PLAN_WAS_MAX)
		memmove(&n->was6[0], &n->was6[1],
			--n->n_was6 * sizeof(n->was6[0]));
	n->was6[n->n_was6++] = *v6;
	log_info(n->log, "%s: the host has another IPv6 prefix, the network "
			 "moves from %s to %s",
		 n->name, prefix_format(&v6->net, from_text),
		 prefix_format(to, to_text));
	*v6 = subnet_moved(v6, to);
}

static bool is_follower(const struct plan_netdev *n)
{
	return n->order.head.type == ENGINE_MSG_USER_ADD &&
	       n->order.user_add.follows_host;
}

void follow_look(struct keeper *k, bool tells)
{
	struct host_prefixes h = {.mine = NULL};
	struct prefix net;
	bool has_read = false;

	list_each(it, &k->plan.netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		if (!is_follower(n))
			continue;
		if (!has_read && read_host(&h) < 0)
			break; /* the next change tells */
		has_read = true;
		if (is_hosts(&h, &n->order.user_add.v6.net) ||
		    !find_place(&h, &n->begun6, &net))
			continue;
		move(n, &net);
		if (tells) /* or a new engine is told */
			(void)tell(k, n, &n->order.user_add.v6);
	}
	free(h.mine);
	free(h.routes);
}
