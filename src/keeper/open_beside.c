/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opener of hostif with if=: the host beside the machines that share its card
 * (netdev/beside.h), and its routes to them.
 *
 * All that is made here is of the tap: it, its routes and neighbours are gone
 * when its descriptor is closed, even by a kill, so nothing is written down.
 * The card, its addresses and routes are not touched.
 *
 * The engine says which machine has which address.  It is believed only in so
 * far as no connection of the host suffers: for an address on the card's own
 * network, that is not the host's, nor a router's, nor known to be another's,
 * and that the host would look for on the card.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "keeper/keeper_priv.h"
#include "os/card.h"
#include "os/rtnl.h"
#include "os/sysctl.h"
#include "os/tap.h"

/* How often those are looked at again to whom the host has no route. */
#define LOOK_NS UINT64_C(5000000000)

enum {
	NEIGHBOURS_MAX = 128, /* what the engine keeps */
	PREFIX_LEAST = 8,     /* no network of a card is wider */
	MAC_LOCAL = 2,	      /* IEEE 802-2014 8.2 */
};

struct neighbour {
	addr ip;
	mac mac;
	addr source;	 /* of the host, by which it speaks to ip */
	bool is_reached; /* the host has the route */
};

struct plan_beside {
	char ifname[IFNAMSIZ]; /* the tap's */
	int index;
	char card[IFNAMSIZ];
	struct neighbour v[NEIGHBOURS_MAX];
	unsigned n;
};

/* ---- the card ---- */

static bool to_prefix(const struct rtnl_addr *a, struct prefix *p)
{
	*p = prefix_of(&a->local, a->prefix_len);
	return a->prefix_len >= PREFIX_LEAST && addr_eq(&a->local, &a->peer);
}

/* The host's addresses on it. */
static unsigned read_addresses(const char *card,
			       struct prefix ip[static ENGINE_HOST_IP_MAX])
{
	CLEANUP_FREE struct rtnl_addr *v = NULL;
	int k = rtnl_addr_list((int)if_nametoindex(card), &v);
	unsigned n = 0;

	for (int i = 0; i < k && n < ENGINE_HOST_IP_MAX; i++)
		n += to_prefix(&v[i], &ip[n]);
	return n;
}

/* The host's address on the network of ip, or NULL: it has none there, or is
 * ip itself. */
static const addr *source_for(const struct msg_tap_add *m, const addr *ip)
{
	const addr *source = NULL;

	for (unsigned i = 0; i < m->n_host_ip; i++) {
		const struct prefix *p = &m->host_ip[i];

		if (addr_eq(&p->ip, ip))
			return NULL;
		if (!source && addr_is_v4(&p->ip) == addr_is_v4(ip) &&
		    prefix_has(p, ip))
			source = &p->ip;
	}
	return source;
}

/* The host's routes by the card, which are read once for all neighbours: some
 * hosts have very many. */
struct view {
	int card;
	int n; /* negative: they are not known */
	struct rtnl_route *v;
};

static void view_init(struct view *w, const struct plan_beside *b)
{
	*w = (struct view){.card = (int)if_nametoindex(b->card), .n = 0};
	if (b->n)
		w->n = rtnl_route_list(w->card, &w->v);
}

static void view_deinit(struct view *w)
{
	free(w->v);
}

/* True if the host would ask for it on the card: no route of its own leads
 * elsewhere, or nowhere. */
static bool is_on_the_card(const struct view *w, const addr *ip)
{
	struct rtnl_route t;

	return rtnl_route_find(ip, &t) == 0 &&
	       rtnl_route_is_direct(&t, w->card);
}

/* True for the address of a router of the host's, of somebody on the wire whom
 * the host knows already, or of one who is not on the wire. */
static bool is_others(const struct view *w, const struct neighbour *x)
{
	mac m;

	if (!x->is_reached && !is_on_the_card(w, &x->ip))
		return true;
	for (int i = 0; i < w->n; i++) {
		if (rtnl_route_has_router(&w->v[i], &x->ip))
			return true;
	}
	if (w->n >= 0 && (rtnl_neighbour_find(w->card, &x->ip, &m) < 0 ||
			  mac_eq(m, x->mac)))
		return false;
	/* He may have left: the answer is known when it is looked again. */
	(void)!rtnl_neighbour_ask(w->card, &x->ip);
	return true;
}

/* ---- the routes ---- */

static struct rtnl_route route_to(const struct plan_beside *b,
				  const struct neighbour *x)
{
	return rtnl_route_to(&x->ip, &x->source, b->index);
}

static void unreach(const struct plan_beside *b, struct neighbour *x)
{
	const struct rtnl_route t = route_to(b, x);

	/* What is gone already, with an address or the interface, is gone. */
	(void)!rtnl_route_del(&t);
	(void)!rtnl_neighbour_del(b->index, &x->ip);
	x->is_reached = false;
}

/* Again, too: with an address of the host its routes go. */
static void reach(const struct plan_netdev *n, struct neighbour *x)
{
	const struct plan_beside *b = n->beside;
	const struct rtnl_route t = route_to(b, x);
	char ip[ADDR_STRLEN];
	int r = rtnl_neighbour_set(b->index, &x->ip, x->mac);

	if (r == 0)
		r = rtnl_route_add(&t);
	if (r == -EEXIST)
		r = 0;
	if (r < 0)
		log_warn(n->log, "%s: no route to %s: %s", n->name,
			 addr_format(&x->ip, ip), strerror(-r));
	else if (!x->is_reached)
		log_info(n->log, "%s: the host reaches %s by %s", n->name,
			 addr_format(&x->ip, ip), b->ifname);
	x->is_reached = r == 0;
}

static void settle(struct plan_netdev *n, struct neighbour *x,
		   const struct view *w)
{
	const struct plan_beside *b = n->beside;
	const addr *source = source_for(&n->order.tap_add, &x->ip);
	bool may = source && !is_others(w, x);

	if (x->is_reached && (!may || !addr_eq(source, &x->source)))
		unreach(b, x);
	if (!may)
		return;
	x->source = *source;
	reach(n, x);
}

/* ---- what the engine says ---- */

static struct neighbour *find(struct plan_beside *b, const addr *ip)
{
	for (unsigned i = 0; i < b->n; i++) {
		if (addr_eq(&b->v[i].ip, ip))
			return &b->v[i];
	}
	return NULL;
}

static void forget(struct plan_beside *b, struct neighbour *x)
{
	if (x->is_reached)
		unreach(b, x);
	*x = b->v[--b->n];
}

static void look_again(struct keeper *k)
{
	if (!timer_is_armed(&k->beside_timer))
		timer_arm(loop_wheel(k->loop), &k->beside_timer,
			  *loop_now(k->loop) + LOOK_NS);
}

static void settle_all(struct keeper *k, struct plan_netdev *n)
{
	struct plan_beside *b = n->beside;
	bool is_whole = true;
	struct view w;

	view_init(&w, b);
	for (unsigned i = 0; i < b->n; i++) {
		settle(n, &b->v[i], &w);
		is_whole &= b->v[i].is_reached;
	}
	view_deinit(&w);
	if (!is_whole)
		look_again(k);
}

void beside_tick(struct timer *t, uint64_t now_ns)
{
	struct keeper *k = container_of(t, struct keeper, beside_timer);

	(void)now_ns;
	list_each (it, &k->plan.netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		if (n->beside)
			settle_all(k, n);
	}
}

void beside_neighbour(struct keeper *k, const struct msg_neighbour *m)
{
	struct plan_netdev *n = plan_find(&k->plan, m->port);
	struct plan_beside *b = n ? n->beside : NULL;
	struct neighbour *x = b ? find(b, &m->ip) : NULL;
	struct view w;

	if (x)
		forget(b, x);
	/* What no engine of ours would say. */
	if (!b || !m->is_here || b->n == NEIGHBOURS_MAX ||
	    mac_is_group(m->mac) || mac_is_zero(m->mac))
		return;
	x = &b->v[b->n++];
	*x = (struct neighbour){.ip = m->ip, .mac = m->mac};
	view_init(&w, b);
	settle(n, x, &w);
	view_deinit(&w);
	if (!x->is_reached)
		look_again(k);
}

void beside_restart(struct plan_netdev *n)
{
	while (n->beside && n->beside->n)
		forget(n->beside, &n->beside->v[n->beside->n - 1]);
}

void beside_look(struct keeper *k, struct plan_netdev *n)
{
	struct msg_tap_add *m = &n->order.tap_add;
	union engine_msg now = {.hostif_host = {.port = n->id}};

	if (!n->beside)
		return;
	m->n_host_ip = read_addresses(n->beside->card, m->host_ip);
	now.hostif_host.n = m->n_host_ip;
	memcpy(now.hostif_host.ip, m->host_ip, sizeof(m->host_ip));
	/* If the engine is gone the next one gets them with its order. */
	(void)!engine_link_send(k, &now, ENGINE_MSG_HOSTIF_HOST, NULL, 0);
	settle_all(k, n);
}

/* ---- opening ---- */

/* The host asks nobody there, and says nothing of itself: machines know its
 * MAC, which is the card's but for the bit that says who gives it out, so that
 * the next keeper's is the same; and IPv6 makes no address of its own. */
const char *beside_ifname(const struct plan_netdev *n)
{
	return n->beside ? n->beside->ifname : NULL;
}

static int make_mute(const struct plan_netdev *n, const char *ifname,
		     const struct rtnl_link *i)
{
	struct rtnl_link_change c = {.ifname = ifname,
				.mtu = i->mtu,
				.mac = i->mac,
				.no_arp = true};
	const char *own = spec_str(n->spec, "mac");
	const struct rtnl_link_change up = {.ifname = ifname, .up = true};
	char name[96];
	int r;

	c.mac.b[0] ^= MAC_LOCAL;
	if (own)
		(void)mac_parse(own, &c.mac); /* checked while parsing */
	if (spec_has(n->spec, "mtu"))
		c.mtu = (uint32_t)spec_u64(n->spec, "mtu");
	r = rtnl_link_set(&c);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "net/ipv6/conf/%s/addr_gen_mode", ifname);
	/* Where the host has no IPv6, or /proc/sys may not be written: then
	 * what the kernel sends of itself ends in the port. */
	(void)!sysctl_set(name, "1");
	hostif_guard(n, ifname);
	return rtnl_link_set(&up);
}

int open_beside(struct plan_netdev *n, struct error *e)
{
	const char *card = spec_str(n->spec, "if");
	struct tap_opts o = {
		.ifname = spec_has(n->spec, "ifname")
				  ? spec_str(n->spec, "ifname")
				  : "vmlan%d",
		.queues = 1,
		.vnet_hdr = plan_vnet_hdr(n),
	};
	struct msg_tap_add *m = &n->order.tap_add;
	struct tap_result t = TAP_RESULT_NULL;
	struct rtnl_link i;
	int r = card_find(card, &i, e);

	if (r < 0) {
		error_prefix(e, "hostif: ");
		return r;
	}
	n->beside = calloc(1, sizeof(*n->beside));
	if (!n->beside)
		return error_errno(e, ENOMEM, "hostif: %s", card);
	r = tap_open(&o, &t, e);
	if (r < 0)
		return r;
	r = make_mute(n, t.ifname, &i);
	if (r == 0)
		r = rtnl_link_get(t.ifname, 0, &i);
	if (r < 0) {
		error_errno(e, r, "hostif: %s", t.ifname);
		tap_result_deinit(&t);
		return r;
	}
	m->mac = i.mac;
	n->beside->index = i.index;
	snprintf(n->beside->ifname, sizeof(n->beside->ifname), "%s", t.ifname);
	snprintf(n->beside->card, sizeof(n->beside->card), "%s", card);
	m->is_beside = true;
	m->n_host_ip = read_addresses(card, m->host_ip);
	log_info(n->log, "%s: interface %s, for the machines on %s", n->name,
		 t.ifname, card);
	plan_tap(n, &t);
	return 0;
}
