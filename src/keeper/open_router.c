/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opener of router: a bridge of the host with the machines' gateway address,
 * the LAN plugged into it by a tap, and the host's kernel as router and NAT
 * (os/router_table.h).  All of it is written down in the network's journal
 * but what goes with bridge, table or tap.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "grammar/uplink_opts.h"
#include "keeper/forwards.h"
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
	/* Its addresses, one of a family at most, and the networks' lengths. */
	struct prefix hosts[2];
	unsigned n_hosts;
	int index; /* of the bridge */
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

/* The route is in the way of the network: in IPv6 one to more than that is not,
 * for such are there to lead whatever nobody has to nowhere. */
static bool is_in_the_way(const struct prefix *route, const struct prefix *host)
{
	return prefix_has(host, &route->ip) ||
	       (addr_is_v4(&host->ip) && prefix_has(route, &host->ip));
}

/* Another network may have taken the place since it was looked for. */
static int check_place(const struct prefix *host, struct error *e)
{
	CLEANUP_FREE struct prefix *v = NULL;
	char own[ADDR_STRLEN], to[PREFIX_STRLEN];
	unsigned n = 0;

	if (routes_read(&v, &n) < 0)
		return 0; /* nothing is known to be in the way */
	for (unsigned i = 0; i < n; i++) {
		if (!is_in_the_way(&v[i], host))
			continue;
		return error_set(e, EXIT_CONFLICT,
				 "the host has a route to %s already, where %s "
				 "would be",
				 prefix_format(&v[i], to),
				 addr_format(&host->ip, own));
	}
	return 0;
}

static int make_table(const struct router *r, struct error *e)
{
	CLEANUP_FREE char *json = router_table(r->br, r->hosts, r->n_hosts);
	char name[ROUTER_TABLE_LEN];

	if (!json)
		return error_errno(e, ENOMEM, "nft");
	return change_nft_table(r->j, ROUTER_TABLE_FAMILY,
				router_table_name(r->br, name), json, e);
}

/* Whose network it is to have. */
static bool has_family(const struct router *r, bool is_v4)
{
	for (unsigned i = 0; i < r->n_hosts; i++) {
		if (addr_is_v4(&r->hosts[i].ip) == is_v4)
			return true;
	}
	return false;
}

/* No address of the kernel's own choice, and none at all where the machines
 * have no business with one. */
static int set_up_ip6(const struct router *r, struct error *e)
{
	const struct {
		const char *name, *value;
	} settings[] = {
		{"addr_gen_mode", "1"},
		{"disable_ipv6", has_family(r, false) ? "0" : "1"},
	};
	char name[64];

	for (size_t i = 0; i < array_len(settings); i++) {
		int res;

		snprintf(name, sizeof(name), "net/ipv6/conf/%s/%s", r->br,
			 settings[i].name);
		res = sysctl_set(name, settings[i].value);
		if (res < 0 && res != -ENOENT)
			return error_errno(e, res, "setting %s", name);
	}
	return 0;
}

/* The bridge's own settings, which go with it. */
static int set_up_bridge(const struct router *r, struct error *e)
{
	const struct rtnl_link_change c = {
		.ifname = r->br,
		.mtu = (uint32_t)spec_u64(r->n->spec, "mtu"),
	};
	int res = rtnl_link_set(&c);

	if (res < 0)
		return error_errno(e, res, "%s", r->br);
	if (set_up_ip6(r, e) < 0)
		return -1;
	res = guard_link(r->br, false);
	return res < 0 ? error_errno(e, res, "settings of %s", r->br) : 0;
}

static int add_address(const struct router *r, const struct prefix *p,
		       struct error *e)
{
	const struct rtnl_addr a = rtnl_addr_of(r->index, p);

	return change_addr_add(r->j, &a, e);
}

/* Two networks that start at once do not get one place: the second finds the
 * first one's route. */
static int take_place(const struct router *r, struct error *e)
{
	/* Routers of IPv6 are known by their address of the link. */
	const struct prefix link = {.ip = UPLINK_ROUTER_LINK,
				    .len = SLAAC_LEN};
	CLEANUP_FD int lock = journal_shared_lock(r->j);
	int res = lock < 0 ? error_errno(e, lock, "journal") : 0;

	for (unsigned i = 0; i < r->n_hosts && res == 0; i++)
		res = check_place(&r->hosts[i], e);
	for (unsigned i = 0; i < r->n_hosts && res == 0; i++)
		res = add_address(r, &r->hosts[i], e);
	if (res == 0 && has_family(r, false))
		res = add_address(r, &link, e);
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
		.mac = router_mac(&r->hosts[0].ip),
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
	for (unsigned i = 0; i < r->n_hosts && res == 0; i++)
		res = change_forwarding(r->j, !addr_is_v4(&r->hosts[i].ip), e);
	return res;
}

/* What others of the host's rules do is theirs to say, and ours to tell. */
static void look_at_others(const struct router *r)
{
	struct plan_netdev *n = r->n;
	struct error e = ERROR_NULL;
	char chain[160];

	if (nft_find_dropper(r->br, has_family(r, false), chain, sizeof(chain),
			     &e) > 0)
		snprintf(n->warning, sizeof(n->warning),
			 "the host's own nftables chain '%s' drops what it has "
			 "no rule for: machines get out only if it lets %s "
			 "through (vmlan doctor)",
			 chain, r->br);
}

/* Without its bridge the tap would be an interface of the host like any. */
static int shut_tap(const struct router *r, const char *tap, struct error *e)
{
	CLEANUP_FREE char *json = router_table_tap(r->br, tap);

	return json ? nft_run(json, r->j->fd, e)
		    : error_errno(e, ENOMEM, "nft");
}

/* Its addresses, IPv4's first.  A kernel without IPv6 has none of that. */
static int read_hosts(struct router *r, struct error *e)
{
	char value[UNDO_VALUE_LEN];
	const bool has_ip6 = sysctl_get("net/ipv6/conf/all/forwarding", value,
					sizeof(value)) == 0;
	size_t n;
	const char *const *list = spec_list(r->n->spec, "addr", &n);

	for (size_t i = 0; i < n; i++) {
		struct prefix p;

		if (!hostif_addr_parse(list[i], &p) ||
		    r->n_hosts == array_len(r->hosts))
			return error_set(e, EXIT_USAGE, "addr=%s", list[i]);
		if (addr_is_v4(&p.ip) || has_ip6)
			r->hosts[r->n_hosts++] = p;
		else
			snprintf(r->n->warning, sizeof(r->n->warning),
				 "the host's kernel has no IPv6, and so leads "
				 "no machine out by that");
	}
	return r->n_hosts ? 0
			  : error_set(e, EXIT_FAILED,
				      "the host's kernel has no IPv6");
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
	int res = r.j ? read_hosts(&r, e) : -EINVAL;

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
	for (unsigned i = 0; i < r.n_hosts; i++) {
		char ip[ADDR_STRLEN];

		log_info(n->log, "%s: bridge %s, address %s", n->name, r.br,
			 addr_format(&r.hosts[i].ip, ip));
	}
	look_at_others(&r);
	plan_tap(n, &t);
	return 0;
}

/* ---- forwards ---- */

/* Those that come from elsewhere: what the host itself asks of a port is
 * answered by the netdev user, which listens there, and so is who comes by
 * another family than his machine's, or of whom something is asked or said. */
static bool is_routed(const struct plan_forward *f)
{
	return f->fd >= 0 && !f->unix_path[0] &&
	       !addr_is_loopback(&f->host.ip) &&
	       !addr_is_link_local6(&f->host.ip) &&
	       addr_is_v4(&f->guest.ip) == addr_is_v4(&f->host.ip) &&
	       !f->of->rules.proxy && !f->of->rules.n_from;
}

static unsigned collect(const struct plan_netdev *user,
			struct router_forward *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < user->n_forwards; i++) {
		const struct plan_forward *f = &user->forwards[i];

		if (!is_routed(f))
			continue;
		v[n++] = (struct router_forward){
			.proto = f->proto, .host = f->host, .guest = f->guest};
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
