/* SPDX-License-Identifier: BSD-3-Clause */
/* The networks around a mode: host, LAN and internet; see matrix.h. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/matrix.h"
#include "os/enclave.h"
#include "os/rtnl.h"
#include "os/sysctl.h"

const char *const node_names[N_NODES] = {
	[NODE_HOST] = "host", [NODE_LAN] = "lan", [NODE_INET] = "inet",
	[NODE_A] = "a",	      [NODE_B] = "b",
};

int world_enter(const struct world *w, enum node_id id, struct error *e)
{
	if (setns(w->nodes[id].net, CLONE_NEWNET) < 0)
		return error_errno(e, errno, "cannot enter %s", node_names[id]);
	return 0;
}

/* Nobody else has the addresses here; that takes a second to find out. */
static int skip_checks(struct error *e)
{
	int r = sysctl_set("net/ipv6/conf/default/accept_dad", "0");

	return r == 0 || r == -ENOENT
		       ? 0 /* or no IPv6 at all */
		       : error_errno(e, r, "accept_dad");
}

int world_node_add(struct world *w, enum node_id id, struct error *e)
{
	struct node *n = &w->nodes[id];

	n->pid = enclave_room(matrix_answer, n, e);
	if (n->pid < 0)
		return -1;
	n->net = enclave_net(n->pid);
	if (n->net < 0)
		return error_errno(e, n->net, "%s", node_names[id]);
	if (world_enter(w, id, e) < 0 || skip_checks(e) < 0)
		return -1;
	return world_enter(w, NODE_HOST, e);
}

/* ---- in the current namespace ---- */

static int index_of(const char *ifname, int *indexp, struct error *e)
{
	struct rtnl_link l;
	int r = rtnl_link_get(ifname, 0, &l);

	*indexp = l.index;
	return r < 0 ? error_errno(e, r, "%s", ifname) : 0;
}

int world_addr_add(const char *ifname, const addr *ip, uint8_t len,
		   struct error *e)
{
	const struct prefix p = prefix_of(ip, len);
	int index, r = index_of(ifname, &index, e);

	if (r == 0) {
		const struct rtnl_addr a = rtnl_addr_of(index, &p);

		r = rtnl_link_set_up(index, true);
		if (r == 0)
			r = rtnl_addr_add(&a, false);
		if (r < 0)
			error_errno(e, r, "%s: no address", ifname);
	}
	return r;
}

int world_route_add(const char *ifname, const struct prefix *to,
		    const addr *router, struct error *e)
{
	struct rtnl_route t;
	int index = 0;
	int r = index_of(ifname, &index, e);

	if (r < 0)
		return r;
	t = rtnl_route_via(to, router, index);
	r = rtnl_route_add(&t);
	return r < 0 ? error_errno(e, r, "%s: no route", ifname) : 0;
}

static int set(const char *name, const char *value, struct error *e)
{
	int r = sysctl_set(name, value);

	return r < 0 ? error_errno(e, r, "%s=%s", name, value) : 0;
}

/* A cable; each end stays here where its node is NODE_HOST. */
static int cable(struct world *w, const char *name, enum node_id at,
		 const char *peer, enum node_id peer_at, struct error *e)
{
	const struct rtnl_link_new n = {
		.name = name, .kind = "veth", .peer = peer};
	const char *const ends[2] = {name, peer};
	const enum node_id nodes[2] = {at, peer_at};
	int r = rtnl_link_add(&n);

	if (r < 0)
		return error_errno(e, r, "no cable %s", name);
	for (int i = 0; i < 2; i++) {
		int index;

		if (index_of(ends[i], &index, e) < 0)
			return -1;
		r = nodes[i] == NODE_HOST
			    ? rtnl_link_set_up(index, true)
			    : rtnl_link_set_netns(index,
						  w->nodes[nodes[i]].pid);
		if (r < 0)
			return error_errno(e, r, "%s", ends[i]);
	}
	return 0;
}

static int bridge(const char *name, const char *const ports[], struct error *e)
{
	const struct rtnl_link_new n = {.name = name, .kind = "bridge"};
	int r = rtnl_link_add(&n);
	int index = 0;

	if (r < 0)
		return error_errno(e, r, "no bridge %s", name);
	if (index_of(name, &index, e) < 0)
		return -1;
	for (; *ports; ports++) {
		int port;

		if (index_of(*ports, &port, e) < 0)
			return -1;
		r = rtnl_link_set_master(port, index);
		if (r == 0)
			r = rtnl_link_set_up(port, true);
		if (r < 0)
			return error_errno(e, r, "%s: port %s", name, *ports);
	}
	return 0;
}

/* ---- the nodes ---- */

static const struct prefix everything = {.len = 0};

addr world_ip6(uint8_t net, uint8_t last)
{
	return (addr){{0x20, 0x01, 0x0d, 0xb8, 0, net, [15] = last}};
}

/* Where machines may be that are not of the LAN. */
static int routes_to_machines(const char *ifname, const addr *host,
			      struct error *e)
{
	const struct prefix places[] = {
		{.ip = addr_v4(10, 0, 0, 0), .len = 96 + 8},
		{.ip = addr_v4(192, 168, 0, 0), .len = 96 + 16},
		{.ip = {{0xfc}}, .len = 7},
		{.ip = {{0xfe, 0xc0}}, .len = 10},
	};
	int r = 0;

	for (size_t i = 0; i < array_len(places) && r == 0; i++) {
		if (addr_is_v4(&places[i].ip) == addr_is_v4(host))
			r = world_route_add(ifname, &places[i], host, e);
	}
	return r;
}

static int build_inet6(struct world *w, struct error *e)
{
	const addr ip = world_ip6(0, 1), host = world_ip6(0, 2);
	const addr router = world_ip6(1, 254);

	if (!w->has_ip6)
		return 0;
	w->nodes[NODE_INET].ip[MATRIX_IP6] = world_ip6(2, 80);
	if (set("net/ipv6/conf/all/forwarding", "1", e) < 0 ||
	    world_addr_add("eth0", &ip, 64, e) < 0 ||
	    world_addr_add("eth1", &router, 64, e) < 0 ||
	    world_addr_add("lo", &w->nodes[NODE_INET].ip[MATRIX_IP6], 128,
			   e) < 0)
		return -1;
	return routes_to_machines("eth0", &host, e);
}

static int build_inet(struct world *w, struct error *e)
{
	const addr ip = addr_v4(192, 0, 2, 1), host = addr_v4(192, 0, 2, 2);
	const addr router = addr_v4(198, 51, 100, 254);

	w->nodes[NODE_INET].ip[MATRIX_IP4] = addr_v4(203, 0, 113, 80);
	if (world_enter(w, NODE_INET, e) < 0 ||
	    set("net/ipv4/ip_forward", "1", e) < 0 ||
	    world_addr_add("eth0", &ip, 24, e) < 0 ||
	    world_addr_add("eth1", &router, 24, e) < 0 ||
	    world_addr_add("lo", &w->nodes[NODE_INET].ip[MATRIX_IP4], 32,
			   e) < 0 ||
	    routes_to_machines("eth0", &host, e) < 0)
		return -1;
	return build_inet6(w, e);
}

static int build_lan6(struct world *w, struct error *e)
{
	const addr router = world_ip6(1, 254), host = world_ip6(1, 1);

	if (!w->has_ip6)
		return 0;
	w->nodes[NODE_LAN].ip[MATRIX_IP6] = world_ip6(1, 9);
	if (world_addr_add("sw0", &w->nodes[NODE_LAN].ip[MATRIX_IP6], 64, e) <
		    0 ||
	    world_route_add("sw0", &everything, &router, e) < 0)
		return -1;
	return routes_to_machines("sw0", &host, e);
}

static int build_lan(struct world *w, struct error *e)
{
	static const char *const ports[] = {"eth0", "eth2", NULL};
	const addr router = addr_v4(198, 51, 100, 254);
	const addr host = addr_v4(198, 51, 100, 1);

	w->nodes[NODE_LAN].ip[MATRIX_IP4] = addr_v4(198, 51, 100, 9);
	if (world_enter(w, NODE_LAN, e) < 0 ||
	    set("net/ipv4/ip_forward", "0", e) < 0 ||
	    bridge("sw0", ports, e) < 0 ||
	    world_addr_add("sw0", &w->nodes[NODE_LAN].ip[MATRIX_IP4], 24, e) <
		    0 ||
	    world_route_add("sw0", &everything, &router, e) < 0 ||
	    routes_to_machines("sw0", &host, e) < 0)
		return -1;
	return build_lan6(w, e);
}

static int build_host6(struct world *w, const char *lan, struct error *e)
{
	const addr ip = world_ip6(0, 2), router = world_ip6(0, 1);
	const addr on_lan = world_ip6(1, 1);
	const addr any = {{0}};

	if (!w->has_ip6)
		return 0;
	w->nodes[NODE_HOST].ip[MATRIX_IP6] = addr_loopback(&any);
	if (set("net/ipv6/conf/all/forwarding", "1", e) < 0 ||
	    world_addr_add("up0", &ip, 64, e) < 0 ||
	    world_addr_add(lan, &on_lan, 64, e) < 0)
		return -1;
	return world_route_add("up0", &everything, &router, e);
}

static int build_host(struct world *w, struct error *e)
{
	static const char *const ports[] = {"lan0", NULL};
	const addr ip = addr_v4(192, 0, 2, 2), router = addr_v4(192, 0, 2, 1);
	const addr on_lan = addr_v4(198, 51, 100, 1);
	const char *lan = w->row->has_bridge ? "br0" : "lan0";

	w->nodes[NODE_HOST].ip[MATRIX_IP4] = addr_v4(127, 0, 0, 1);
	if (world_enter(w, NODE_HOST, e) < 0 ||
	    set("net/ipv4/ip_forward", "1", e) < 0 ||
	    set("net/ipv4/ping_group_range", "0 0", e) < 0 ||
	    world_addr_add("up0", &ip, 24, e) < 0 ||
	    (w->row->has_bridge && bridge("br0", ports, e) < 0) ||
	    world_addr_add(lan, &on_lan, 24, e) < 0 ||
	    world_route_add("up0", &everything, &router, e) < 0)
		return -1;
	return build_host6(w, lan, e);
}

int world_build(struct world *w, struct error *e)
{
	for (int i = 0; i < N_NODES; i++)
		w->nodes[i] = (struct node){.id = (enum node_id)i, .net = -1};
	w->nodes[NODE_HOST].net = enclave_net(0);
	if (w->nodes[NODE_HOST].net < 0)
		return error_errno(e, w->nodes[NODE_HOST].net, "host");
	w->has_ip6 = access("/proc/sys/net/ipv6", F_OK) == 0;
	if (skip_checks(e) < 0 || world_node_add(w, NODE_LAN, e) < 0 ||
	    world_node_add(w, NODE_INET, e) < 0 ||
	    cable(w, "up0", NODE_HOST, "eth0", NODE_INET, e) < 0 ||
	    cable(w, "lan0", NODE_HOST, "eth0", NODE_LAN, e) < 0 ||
	    cable(w, "eth1", NODE_INET, "eth2", NODE_LAN, e) < 0)
		return -1;
	if (build_inet(w, e) < 0 || build_lan(w, e) < 0)
		return -1;
	return build_host(w, e);
}
