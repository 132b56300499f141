/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opener of router: a bridge of the host with the machines' gateway address,
 * the LAN plugged into it by a tap, and the host's kernel as router and NAT
 * (os/router_table.h).  All of it is written down in the network's journal
 * but what goes with bridge, table or tap.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "grammar/uplink_opts.h"
#include "keeper/plan.h"
#include "os/bridge.h"
#include "os/change.h"
#include "os/guard.h"
#include "os/nft.h"
#include "os/router_table.h"
#include "os/routes.h"
#include "os/rtnl.h"
#include "os/sysctl.h"

/* What is being made. */
struct router {
	struct plan_netdev *n;
	struct journal *j; /* borrowed from the plan */
	const char *br;
	struct prefix host; /* its address, and the network's length */
	int index;	    /* of the bridge */
};

/* The machines find the same one when the bridge is made again. */
static mac router_mac(const addr *a)
{
	return (mac){{0x52, 0x55, a->b[12], a->b[13], a->b[14], a->b[15]}};
}

static int check_name(const struct router *r, struct error *e)
{
	struct rtnl_link l;

	if (rtnl_link_get(r->br, 0, &l) < 0)
		return 0;
	return error_set(e, EXIT_CONFLICT,
			 "there is an interface %s already; another name is "
			 "given by br=, of mode natnet by ifname=",
			 r->br);
}

/* Another network may have taken the place since it was looked for. */
static int check_place(const struct router *r, struct error *e)
{
	CLEANUP_FREE struct prefix *v = NULL;
	char own[ADDR_STRLEN], ip[ADDR_STRLEN];
	unsigned n = 0;

	if (routes_read(&v, &n) < 0)
		return 0; /* nothing is known to be in the way */
	for (unsigned i = 0; i < n; i++) {
		if (!prefix_has(&v[i], &r->host.ip) &&
		    !prefix_has(&r->host, &v[i].ip))
			continue;
		return error_set(e, EXIT_CONFLICT,
				 "the host has a route to %s/%u already, where "
				 "%s would be",
				 addr_format(&v[i].ip, ip), v[i].len - 96u,
				 addr_format(&r->host.ip, own));
	}
	return 0;
}

static int make_table(const struct router *r, struct error *e)
{
	CLEANUP_FREE char *json = router_table(r->br, &r->host);
	char name[ROUTER_TABLE_LEN];

	if (!json)
		return error_errno(e, ENOMEM, "nft");
	return change_nft_table(r->j, ROUTER_TABLE_FAMILY,
				router_table_name(r->br, name), json, e);
}

/* The bridge's own settings, which go with it. */
static int set_up_bridge(const struct router *r, struct error *e)
{
	const struct rtnl_link_change c = {
		.ifname = r->br,
		.mtu = (uint32_t)spec_u64(r->n->spec, "mtu"),
	};
	char name[64];
	int res = rtnl_link_set(&c);

	if (res < 0)
		return error_errno(e, res, "%s", r->br);
	/* Machines have no business with an IPv6 address of the host's. */
	snprintf(name, sizeof(name), "net/ipv6/conf/%s/disable_ipv6", r->br);
	res = sysctl_set(name, "1");
	if (res < 0 && res != -ENOENT)
		return error_errno(e, res, "setting %s", name);
	res = guard_link(r->br, false);
	return res < 0 ? error_errno(e, res, "settings of %s", r->br) : 0;
}

/* Two networks that start at once do not get one place: the second finds the
 * first one's route. */
static int take_place(const struct router *r, struct error *e)
{
	CLEANUP_FD int lock = journal_shared_lock(r->j);
	struct rtnl_addr a = {
		.index = r->index,
		.family = AF_INET,
		.prefix_len = (uint8_t)(r->host.len - 96),
		.local = r->host.ip,
		.peer = r->host.ip,
		.broadcast = prefix_broadcast(&r->host),
		.valid_s = RTNL_FOREVER,
		.preferred_s = RTNL_FOREVER,
	};
	int res = lock < 0 ? error_errno(e, lock, "journal")
			   : check_place(r, e);

	if (res == 0)
		res = change_addr_add(r->j, &a, e);
	if (res == 0)
		res = change_link_up(r->j, r->index, true, e);
	return res;
}

/* The rules come before anything can pass, forwarding after them. */
static int make(struct router *r, struct error *e)
{
	const struct rtnl_link_new bridge = {
		.name = r->br,
		.kind = "bridge",
		.mac = router_mac(&r->host.ip),
	};
	int res = check_name(r, e);

	if (res == 0)
		res = change_link_add(r->j, &bridge, &r->index, e);
	if (res == 0)
		res = make_table(r, e);
	if (res == 0)
		res = set_up_bridge(r, e);
	if (res == 0)
		res = take_place(r, e);
	if (res == 0)
		res = change_forwarding(r->j, e);
	return res;
}

/* What others of the host's rules do is theirs to say, and ours to tell. */
static void look_at_others(struct plan_netdev *n, const char *br)
{
	struct error e = ERROR_NULL;
	char chain[160];

	if (nft_find_dropper(br, chain, sizeof(chain), &e) > 0)
		snprintf(n->warning, sizeof(n->warning),
			 "the host's own nftables chain '%s' drops what it has "
			 "no rule for: machines get out only if it lets %s "
			 "through (vmlan doctor)",
			 chain, br);
}

/* Without its bridge the tap would be an interface of the host like any. */
static int shut_tap(const struct router *r, const char *tap, struct error *e)
{
	CLEANUP_FREE char *json = router_table_tap(r->br, tap);

	return json ? nft_run(json, r->j->fd, e)
		    : error_errno(e, ENOMEM, "nft");
}

int open_router(struct plan_netdev *n, struct error *e)
{
	struct tap_result t = TAP_RESULT_NULL;
	struct router r = {
		.n = n,
		.j = plan_journal(n->plan, e),
		.br = spec_str(n->spec, "br"),
	};
	const struct bridge_opts o = {
		.bridge = r.br,
		.vnet_hdr = plan_vnet_hdr(n),
	};
	const char *text = spec_str(n->spec, "addr");
	int res = r.j ? 0 : -EINVAL;

	if (res == 0 && !hostif_addr_parse(text, &r.host))
		res = error_set(e, EXIT_USAGE, "addr=%s", text);
	if (res == 0)
		res = make(&r, e);
	if (res == 0)
		res = bridge_tap_open(&o, &t, e);
	if (res == 0)
		res = shut_tap(&r, t.ifname, e);
	if (res < 0) {
		tap_result_deinit(&t);
		error_prefix(e, "router: ");
		return res;
	}
	log_info(n->log, "%s: bridge %s, address %s", n->name, r.br, text);
	look_at_others(n, r.br);
	plan_tap(n, &t);
	return 0;
}

/* ---- forwards ---- */

/* Those that come from elsewhere: what the host itself asks of a port is
 * answered by the netdev user, which listens there. */
static bool is_routed(const struct plan_forward *f)
{
	return f->fd >= 0 && !f->unix_path[0] && addr_is_v4(&f->host.ip) &&
	       !addr_is_loopback(&f->host.ip);
}

static unsigned collect(const struct plan_netdev *user,
			struct router_forward *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < user->n_forwards; i++) {
		const struct plan_forward *f = &user->forwards[i];

		if (!is_routed(f))
			continue;
		v[n] = (struct router_forward){
			.proto = f->proto, .host = f->host, .guest = f->guest};
		if (addr_is_unspecified(&f->guest.ip))
			v[n].guest.ip = user->order.user_add.dhcp_start4;
		n++;
	}
	return n;
}

static void forward_by(struct plan_netdev *n, const struct router_forward *v,
		       unsigned n_v)
{
	CLEANUP_FREE char *json = NULL;
	struct error e = ERROR_NULL;

	if (!n_v && !n->n_routed)
		return;
	json = router_table_forwards(spec_str(n->spec, "br"), v, n_v);
	if (!json)
		error_errno(&e, ENOMEM, "nft");
	else if (nft_run(json, n->plan->journal.fd, &e) == 0)
		n->n_routed = n_v;
	if (e.code != EXIT_DONE)
		log_warn(n->log, "%s: forwards are not the kernel's: %s",
			 n->name, e.text);
}

void router_forward(struct plan *p)
{
	const struct plan_netdev *user = plan_gateway(p);
	CLEANUP_FREE struct router_forward *v = NULL;
	unsigned n;

	if (!user)
		return;
	v = calloc(user->n_forwards + 1, sizeof(*v));
	n = v ? collect(user, v) : 0;
	list_each(it, &p->netdevs) {
		struct plan_netdev *r =
			container_of(it, struct plan_netdev, link);

		if (r->opener->open == open_router)
			forward_by(r, v, n);
	}
}
