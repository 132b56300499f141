/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the keeper knows of a packet's way before the engine is asked: who is a
 * machine of the network, which netdevs the network has, and which forward
 * leads to whom; see why.h.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "keeper/forwards.h"
#include "keeper/why_priv.h"
#include "os/holder.h"
#include "os/rtnl.h"

/* What there is on a LAN besides machines; NULL: none of these. */
struct around {
	struct plan_netdev *gateway; /* the netdev user */
	const struct plan_netdev *router; /* the host's kernel */
	const struct plan_netdev *hostif; /* the host itself is on it */
	const struct plan_netdev *shared; /* a bridge of the host's, a tap */
	const struct plan_netdev *card;	  /* one that the host has as well */
	const struct plan_netdev *uplink; /* any that leads elsewhere */
};

static bool is_kind(const struct plan_netdev *n, const char *kind)
{
	return strcmp(n->opener->kind, kind) == 0;
}

static void look_at(struct around *a, struct plan_netdev *n)
{
	bool is_shared = is_kind(n, "bridge") || is_kind(n, "tap");
	bool is_card = is_kind(n, "macvtap") || is_kind(n, "packet") ||
		       is_kind(n, "af-xdp");

	if (n->order.head.type == ENGINE_MSG_USER_ADD)
		a->gateway = n;
	else if (is_kind(n, "router"))
		a->router = n;
	else if (is_kind(n, "hostif"))
		a->hostif = n;
	else if (is_shared)
		a->shared = a->uplink = n;
	else if (is_card)
		a->card = a->uplink = n;
	else if (!is_kind(n, "hubport"))
		a->uplink = n;
}

/* Those on the LAN, or hub, of that number. */
static struct around around(struct keeper *k, uint32_t lan)
{
	struct around a = {.gateway = NULL};

	list_each(it, &k->plan.netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		if (plan_is_own(n) && n->lan == lan)
			look_at(&a, n);
	}
	return a;
}

static const struct msg_user_add *gateway_of(const struct around *a)
{
	return a->gateway ? &a->gateway->order.user_add : NULL;
}

/* True if two LANs, or hubs, are joined by a cable of the plan's. */
static bool are_joined(struct keeper *k, uint32_t x, uint32_t y)
{
	list_each(it, &k->plan.netdevs) {
		const struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);
		const struct msg_hubport_add *h = &n->order.hubport_add;

		if (n->order.head.type == ENGINE_MSG_HUBPORT_ADD &&
		    ((h->lan == x && h->hub == y) ||
		     (h->lan == y && h->hub == x)))
			return true;
	}
	return x == y;
}

/* ---- a machine and its addresses ---- */

static void say_machine(struct why *w, const struct machine *m)
{
	const struct keeper_network *n = w->keeper->c->network;

	why_say(w, "machine", WHY_YES, "%s is plugged into %s (%s)", m->name,
		n->name, n->mode);
}

/* The first that a machine would be leased, or any. */
static addr made_up_address(const struct msg_user_add *g, bool is_v4)
{
	addr ip = is_v4 ? addr_v4(10, 0, 2, 15) : why_world(false);

	if (g && is_v4 && g->v4.is_on)
		return g->dhcp_start4;
	if (g && !is_v4 && g->v6.is_on) {
		ip = g->v6.net.ip;
		ip.b[15] = 0xf;
	}
	return ip;
}

/* p's address in a family, said; without one what it would be. */
static void say_address(struct why *w, const struct party *p, bool is_v4,
			const struct msg_user_add *g, addr *ap)
{
	const struct machine *m = why_machine(w, p);
	char text[ADDR_STRLEN];
	bool is_its = !addr_is_unspecified(&p->ip) &&
		      addr_is_v4(&p->ip) == is_v4;

	if (is_its)
		*ap = p->ip;
	if (is_its || why_address(m, is_v4, ap)) {
		if (!w->has_address)
			why_say(w, "address", WHY_YES, "%s has %s", m->name,
				addr_format(ap, text));
		return;
	}
	if (!w->has_address)
		why_say(w, "address", WHY_UNKNOWN,
			"%s has not been heard to have an %s address: it has "
			"leased none, and not spoken from one",
			m->name, is_v4 ? "IPv4" : "IPv6");
	*ap = made_up_address(g, is_v4);
}

/* Which family is spoken, where nothing says it. */
static bool speaks_v4(const struct msg_user_add *g, const struct machine *m)
{
	addr ip;

	if (g)
		return g->v4.is_on;
	return why_address(m, true, &ip) || !why_address(m, false, &ip);
}

/* ---- from machine to machine ---- */

static void between(struct why *w, const struct machine *a,
		    const struct machine *b)
{
	struct around at = around(w->keeper, b->netdev->lan);
	char what[32];
	addr ip;

	if (a == b) {
		why_decide(w, "machine", WHY_YES,
			   "both are %s, which needs no network for that",
			   a->name);
		return;
	}
	say_machine(w, b);
	if (!are_joined(w->keeper, a->netdev->lan, b->netdev->lan)) {
		why_say(w, "lan", WHY_NO,
			"%s and %s are on different hubs of the network, with "
			"no cable between them",
			a->name, b->name);
		return;
	}
	say_address(w, &w->to, speaks_v4(gateway_of(&at), b),
			  gateway_of(&at), &ip);
	w->ask = (struct msg_why_ask){
		.from = a->netdev->id,
		.to = b->netdev->id,
		.from_mac = machine_mac(a),
		.to_mac = machine_mac(b),
	};
	w->asks = true;
	why_finally(w, "lan", WHY_YES,
		   "%s and %s are on one LAN, which passes all that they send "
		   "each other; whether %s takes %s is its own matter",
		   a->name, b->name, b->name, why_what(w, what));
}

/* ---- from a machine to others ---- */

/* The engine decides, by the gateway. */
static void ask_gateway(struct why *w, const struct machine *m,
			const struct around *a, const addr *to)
{
	const struct msg_user_add *g = gateway_of(a);
	bool is_v4 = addr_is_unspecified(to) ? g->v4.is_on : addr_is_v4(to);
	addr own;

	/* A machine without IPv4 has it by NAT64. */
	if (is_v4 && !g->v4.is_on && g->nat64)
		is_v4 = false;
	w->ask = (struct msg_why_ask){
		.from = m->netdev->id,
		.gateway = a->gateway->id,
		.from_mac = machine_mac(m),
		.proto = w->proto,
		.dst = {.ip = *to, .port = w->port},
		.is_host = w->to.kind == PARTY_HOST,
	};
	say_address(w, &w->from, is_v4, g, &own);
	w->has_address = true;
	w->ask.src = (struct endpoint){.ip = own, .port = w->port ? 49152 : 0};
	w->asks = true;
}

static void ask_name(struct why *w, const struct machine *m,
		     const struct around *a)
{
	addr any = {{0}};

	w->has_address = true; /* it comes with the way */
	ask_gateway(w, m, a, &any);
	w->has_address = false;
	w->ask.only_name = true;
	w->ask.from = 0; /* its cable comes with the address */
	snprintf(w->ask.name, sizeof(w->ask.name), "%s", w->to.text);
}

/* No gateway of ours is asked, but the machine's cable. */
static void ask_cable(struct why *w, const struct machine *m)
{
	w->ask = (struct msg_why_ask){.from = m->netdev->id};
	w->asks = true;
}

static void say_alone(struct why *w, const char *whom)
{
	why_say(w, "uplink", WHY_NO,
		"nobody but its machines is on %s: nothing of it leads to %s",
		w->keeper->c->network->name, whom);
	why_remedy(w, "a network of mode natnet or bridged leads there");
}

static void say_card(struct why *w, const struct plan_netdev *card)
{
	why_say(w, "uplink", WHY_NO,
		"the kernel does not let the host itself and machines on its "
		"card (%s) reach each other by it",
		card->name);
	why_remedy(w, "bridged with host=on gives the host an interface "
		      "beside the card, which takes root; or bridge= in "
		      "place of if=");
}

/* By a netdev that leads elsewhere. */
static void say_uplink(struct why *w, const struct plan_netdev *n)
{
	if (n->about[0])
		why_finally(w, "uplink", WHY_YES,
			   "the network goes on by %s: %s, packets of %u bytes "
			   "pass whole; what is there vmlan does not see",
			   n->opener->kind, n->about, n->inner_mtu);
	else
		why_finally(w, "uplink", WHY_YES,
			   "the network goes on by %s %s: its own router and "
			   "name server are there, vmlan passes all",
			   n->opener->kind, n->name);
}

/* By the host's kernel as their router, which lets pings to the host itself
 * pass, and what is forwarded. */
static void say_router_host(struct why *w, const struct machine *m)
{
	if (w->proto == IPPROTO_ICMP) {
		why_finally(w, "router", WHY_YES,
			   "the host's kernel is the network's router, and "
			   "answers pings");
		ask_cable(w, m);
		return;
	}
	why_say(w, "router", WHY_NO,
		"the host's kernel is the network's router (backend=kernel), "
		"and its firewall table there lets machines reach nothing of "
		"the host itself but pings and forwarded ports");
	why_remedy(w, "without backend=kernel the gateway's address leads to "
		      "the host");
}

/* The host's interface that is on the machines' LAN; 0: it is not known. */
static int index_of(const struct plan_netdev *n)
{
	const char *name = is_kind(n, "hostif") ? beside_ifname(n) : NULL;

	if (n->lower_index)
		return n->lower_index;
	if (!name)
		name = spec_str(n->spec, "ifname");
	return name ? (int)if_nametoindex(name) : 0;
}

/* Whether the host has an address at that interface, or the card beside which
 * it is. */
static bool has_addresses(const struct plan_netdev *n, int index)
{
	CLEANUP_FREE struct rtnl_addr *all = NULL;

	if (n->order.head.type == ENGINE_MSG_TAP_ADD &&
	    n->order.tap_add.is_beside)
		return n->order.tap_add.n_host_ip > 0;
	return rtnl_addr_list(index, &all) != 0; /* or it cannot be read */
}

static void say_not_on_lan(struct why *w, const char *ifname)
{
	why_say(w, "host", WHY_NO,
		"the host is on this network by %s, and has no address of it "
		"there",
		ifname);
	why_remedy(w, "ip addr add ADDRESS/LENGTH dev %s", ifname);
}

/* n has the host on the machines' LAN, if the host has an address there: both
 * ways lead by its route to the machine. */
static void say_on_lan(struct why *w, const struct machine *m,
		       const struct plan_netdev *n)
{
	char ip[ADDR_STRLEN], name[IF_NAMESIZE] = "?";
	int index = index_of(n);
	bool has_address;
	struct rtnl_route t;
	addr a;

	if (index)
		(void)if_indextoname((unsigned)index, name);
	has_address = why_address(m, true, &a) || why_address(m, false, &a);
	if (index && !has_address && !has_addresses(n, index)) {
		say_not_on_lan(w, name);
		return;
	}
	if (!index || !has_address) {
		why_finally(w, "host", WHY_UNKNOWN,
			    "the host is on this network itself, by %s; which "
			    "address %s has is not known",
			    name, m->name);
		return;
	}
	if (rtnl_route_find(&a, &t) < 0 || rtnl_route_index(&t) != index) {
		say_not_on_lan(w, name);
		return;
	}
	why_finally(w, "host", WHY_YES,
		    "the host is on this network itself, and has %s behind %s",
		    addr_format(&a, ip), name);
}

static void to_host(struct why *w, const struct machine *m,
		    const struct around *a)
{
	const struct msg_user_add *g = gateway_of(a);
	const addr any = {{0}};

	if (a->hostif || a->shared) {
		say_on_lan(w, m, a->hostif ? a->hostif : a->shared);
	} else if (a->router) {
		say_router_host(w, m);
		return;
	} else if (a->card && !g) {
		say_card(w, a->card);
	} else if (g) {
		ask_gateway(w, m, a, &any);
		return;
	} else if (a->uplink) {
		say_uplink(w, a->uplink);
	} else {
		say_alone(w, "the host");
	}
	ask_cable(w, m);
}

/* An address of the machines' own network that is nobody's who is known. */
static bool is_unknown_inside(const struct around *a, const addr *ip)
{
	const struct msg_user_add *g = gateway_of(a);

	return g && (subnet_has(&g->v4, ip) || subnet_has(&g->v6, ip)) &&
	       !plan_is_gateways(a->gateway, ip);
}

static bool is_hosts(const addr *ip)
{
	struct rtnl_route t;

	return rtnl_route_find(ip, &t) == 0 && rtnl_route_is_local(&t);
}

static void say_nobody(struct why *w, const struct machine *m,
		       const struct around *a)
{
	char text[ADDR_STRLEN];

	addr_format(&w->to.ip, text);
	if (a->uplink)
		why_finally(w, "lan", WHY_UNKNOWN,
			   "%s is an address of the machines' own LAN; no "
			   "machine is known to have it, it may be behind %s",
			   text, a->uplink->opener->kind);
	else
		why_say(w, "lan", WHY_NO,
			"%s is an address of the machines' own LAN, and no "
			"machine is known to have it",
			text);
	why_remedy(w, "vmlan leases and vmlan show tell who has which");
	ask_cable(w, m);
}

/* To an address, or anybody out there. */
static void to_address(struct why *w, const struct machine *m,
		       const struct around *a)
{
	const struct msg_user_add *g = gateway_of(a);
	const addr *ip = &w->to.ip;
	bool is_gateways = g && plan_is_gateways(a->gateway, ip);
	bool is_world = w->to.kind == PARTY_INTERNET;

	if (!is_world && a->hostif && is_hosts(ip)) {
		to_host(w, m, a);
		return;
	}
	if (!is_world && is_unknown_inside(a, ip)) {
		if (a->router && is_hosts(ip))
			say_router_host(w, m);
		else
			say_nobody(w, m, a);
		return;
	}
	if (a->router && !is_gateways) {
		why_say(w, "router", WHY_YES,
			"the host's kernel is the network's router, and "
			"masquerades");
		w->by_kernel = true;
		ask_cable(w, m);
		return;
	}
	if (g && (is_gateways || !g->is_restricted || !a->uplink)) {
		ask_gateway(w, m, a, ip);
		return;
	}
	if (a->uplink)
		say_uplink(w, a->uplink);
	else
		say_alone(w, w->to.text);
	ask_cable(w, m);
}

static void to_name(struct why *w, const struct machine *m,
		    const struct around *a)
{
	if (a->gateway) {
		ask_name(w, m, a);
		return;
	}
	if (!a->uplink) {
		why_say(w, "name", WHY_NO,
			"the network has no name server: nobody would tell "
			"who %s is",
			w->to.text);
		why_remedy(w, "dhcp=on gives it one for its machines' names");
		return;
	}
	why_say(w, "name", WHY_UNKNOWN,
		"the machines ask a name server beyond %s, not vmlan's",
		a->uplink->opener->kind);
	say_uplink(w, a->uplink);
	ask_cable(w, m);
}

static void say_elsewhere(struct why *w, const char *whose)
{
	why_say(w, "network", WHY_NO,
		"%s is on another network: the two have nothing in common",
		whose);
	why_remedy(w, "start both on one network (--net natnet:NAME), or "
		      "forward a port: vmlan fwd %s add PORT:PORT",
		   whose);
}

/* Anybody in the world, in each family that leads out. */
static void to_internet(struct why *w, const struct machine *m,
			const struct around *a)
{
	const addr v4 = why_world(true), v6 = why_world(false);
	const struct msg_user_add *g = gateway_of(a);
	bool is_out = a->router || (g && (!g->is_restricted || !a->uplink));

	if (!w->n_ways && is_out)
		why_ways_set(w, !g || g->v4.is_on || g->nat64 ? &v4 : NULL,
			     !g || g->v6.is_on ? &v6 : NULL);
	to_address(w, m, a);
}

static void from_machine(struct why *w, const struct machine *m)
{
	struct around a = around(w->keeper, m->netdev->lan);

	switch (w->to.kind) {
	case PARTY_MACHINE:
		between(w, m, why_machine(w, &w->to));
		return;
	case PARTY_ELSEWHERE:
		say_elsewhere(w, w->to.text);
		return;
	case PARTY_HOST:
		to_host(w, m, &a);
		return;
	case PARTY_NAME:
		to_name(w, m, &a);
		return;
	case PARTY_INTERNET:
		to_internet(w, m, &a);
		return;
	case PARTY_ADDRESS:
		to_address(w, m, &a);
		return;
	}
}

/* ---- from outside ---- */

/* From whom the host's socket would see him come. */
static addr client_of(const struct why *w, const struct plan_forward *f)
{
	const addr *at = &f->host.ip;

	if (w->from.kind == PARTY_ADDRESS)
		return w->from.ip;
	return addr_is_unspecified(at) ? addr_loopback(at) : *at;
}

static void forward_text(const struct plan_forward *f, char *buf, size_t len)
{
	char host[ENDPOINT_STRLEN], guest[ENDPOINT_STRLEN];

	snprintf(buf, len, "forward %u (%s %s -> %s)", f->of->id,
		 f->proto == IPPROTO_UDP ? "udp" : "tcp",
		 f->unix_path[0] ? f->unix_path
				 : endpoint_format(&f->host, host),
		 endpoint_format(&f->guest, guest));
}

/* Whether he who asks gets as far as the host's socket, and is let in. */
static bool try_forward(struct why *w, const struct plan_forward *f, bool says)
{
	bool is_outside = w->from.kind != PARTY_HOST;
	bool is_near = f->unix_path[0] || addr_is_loopback(&f->host.ip);
	const addr client = client_of(w, f);
	const bool is_anybody = w->from.kind == PARTY_INTERNET;
	char text[WHY_SAID_LEN / 2];

	forward_text(f, text, sizeof(text));
	if (is_outside && is_near && (is_anybody || f->unix_path[0] ||
				      !addr_is_loopback(&client))) {
		if (says)
			why_say(w, "forward", WHY_NO,
				"%s is for the host itself alone", text);
		why_remedy(w, "vmlan fwd %s add 0.0.0.0:PORT:%u",
			   w->keeper->c->network->name, f->guest.port);
		return false;
	}
	if (w->from.kind == PARTY_ADDRESS && !f->unix_path[0] &&
	    addr_is_v4(&client) != addr_is_v4(&f->host.ip)) {
		if (says)
			why_say(w, "forward", WHY_NO,
				"%s is of the other family of addresses", text);
		return false;
	}
	if (!f->unix_path[0] && !is_anybody &&
	    !forward_rules_admit(&f->of->rules, &client)) {
		if (says)
			why_say(w, "forward", WHY_NO,
				"%s is not for %s: its from= lets others in",
				text, w->from.text);
		why_remedy(w, "vmlan fwd %s add .. from= with the addresses "
			      "that may come",
			   w->keeper->c->network->name);
		return false;
	}
	if (!says)
		return true;
	if (is_anybody && f->of->rules.n_from)
		why_decide(w, "forward", WHY_YES,
			   "%s leads there, for those whom its from= lets in",
			   text);
	else
		why_decide(w, "forward", WHY_YES, "%s leads there", text);
	return true;
}

/* The machine that a forward leads to. */
static struct machine *target_of(struct keeper *k, const struct plan_forward *f,
				 const struct plan_netdev *n, addr *ap)
{
	struct party p = {.kind = PARTY_ADDRESS};

	*ap = f->guest.ip;
	if (addr_is_unspecified(ap))
		*ap = n->order.user_add.dhcp_start4;
	if (f->of->machine)
		return f->of->machine;
	why_party_at(k, &p, ap);
	return p.kind == PARTY_MACHINE ? machine_find(k, p.name) : NULL;
}

/* Whether it is the one that is asked about: of the machine that is to be
 * reached, or of the host's port. */
static bool is_meant(struct why *w, const struct plan_forward *f,
		     const struct plan_netdev *n)
{
	const struct machine *m = why_machine(w, &w->to);
	const addr *at = &f->host.ip;
	addr ip;

	if (f->fd < 0 || f->proto != w->proto)
		return false;
	if (m)
		return f->guest.port == w->port &&
		       target_of(w->keeper, f, n, &ip) == m;
	if (f->unix_path[0] || f->host.port != w->port)
		return false;
	if (w->to.kind == PARTY_HOST)
		return true;
	return addr_eq(at, &w->to.ip) ||
	       (addr_is_unspecified(at) &&
		addr_is_v4(at) == addr_is_v4(&w->to.ip));
}

/* Of several the first that lets him in, else the first. */
static const struct plan_forward *find_forward(struct why *w,
					       const struct plan_netdev *n)
{
	const struct plan_forward *first = NULL;

	for (unsigned i = 0; n && i < n->n_forwards; i++) {
		const struct plan_forward *f = &n->forwards[i];

		if (!is_meant(w, f, n))
			continue;
		if (try_forward(w, f, false))
			return f;
		first = first ? first : f;
	}
	return first;
}

static void by_forward(struct why *w, const struct plan_forward *f,
		       const struct plan_netdev *n)
{
	struct machine *m;
	addr ip;

	m = target_of(w->keeper, f, n, &ip);
	if (!try_forward(w, f, true))
		return;
	if (m && w->to.kind != PARTY_MACHINE)
		say_machine(w, m);
	if (!m)
		why_say(w, "machine", WHY_UNKNOWN,
			"no machine is known to have the address that it "
			"leads to");
	w->ask = (struct msg_why_ask){
		.to = m ? m->netdev->id : 0,
		.gateway = n->id,
		.is_inward = true,
		.proto = w->proto,
		.dst = {.ip = ip, .port = f->guest.port},
	};
	w->asks = true;
}

static void say_no_forward(struct why *w, const struct machine *m)
{
	char what[32];

	if (w->proto == IPPROTO_ICMP) {
		why_say(w, "forward", WHY_NO,
			"machines of %s are behind its gateway, and pings "
			"cannot be forwarded",
			w->keeper->c->network->name);
		why_remedy(w, "vmlan exec %s -- ping ..",
			   w->keeper->c->network->name);
		return;
	}
	why_say(w, "forward", WHY_NO, "no forward leads to %s of %s",
		why_what(w, what), m->name);
	why_remedy(w, "vmlan fwd %s/%s add %u:%u%s",
		   w->keeper->c->network->name, m->name,
		   w->port < 1024 ? w->port + 2200 : w->port, w->port,
		   w->proto == IPPROTO_UDP ? "/udp" : "");
}

/* The host, or somebody on its side, is on the machines' LAN. */
static bool is_direct(struct why *w, const struct around *a,
		      const struct machine *m)
{
	bool is_host = w->from.kind == PARTY_HOST;

	if (is_host && (a->hostif || a->shared))
		say_on_lan(w, m, a->hostif ? a->hostif : a->shared);
	else if (!is_host && a->uplink && !a->gateway)
		say_uplink(w, a->uplink);
	else
		return false;
	w->ask = (struct msg_why_ask){.to = m->netdev->id};
	w->asks = true;
	return true;
}

static void to_machine(struct why *w, const struct machine *m)
{
	struct around a = around(w->keeper, m->netdev->lan);
	const struct plan_forward *f = find_forward(w, a.gateway);

	say_machine(w, m);
	if (w->from.kind == PARTY_ELSEWHERE)
		say_elsewhere(w, w->from.text);
	else if (is_direct(w, &a, m))
		return;
	else if (f)
		by_forward(w, f, a.gateway);
	else if (a.gateway && !(a.hostif || a.card))
		say_no_forward(w, m);
	else if (a.card && w->from.kind == PARTY_HOST)
		say_card(w, a.card);
	else
		why_say(w, "uplink", WHY_NO,
			"nothing leads from %s to the machines of %s",
			w->from.text, w->keeper->c->network->name);
}

/* Which forward takes what comes to a port of the host. */
static void to_port(struct why *w)
{
	const struct plan_netdev *n = plan_gateway(&w->keeper->plan);
	const struct plan_forward *f = find_forward(w, n);
	const bool is_any = w->to.kind == PARTY_HOST;
	const struct endpoint at = {
		.ip = is_any ? addr_v4(127, 0, 0, 1) : w->to.ip,
		.port = w->port};
	char what[32], who[128];

	if (f) {
		by_forward(w, f, n);
		return;
	}
	if (w->port && holder_find_port(w->proto, &at, who, sizeof(who)))
		why_say(w, "forward", WHY_NO,
			"%s of %s is no forward of %s: %s has it",
			why_what(w, what), w->to.text,
			w->keeper->c->network->name, who);
	else
		why_say(w, "forward", WHY_NO,
			"no forward of %s has %s of %s",
			w->keeper->c->network->name, why_what(w, what),
			w->to.text);
	why_remedy(w, "vmlan fwd %s ls lists them",
		   w->keeper->c->network->name);
}

void why_way(struct why *w)
{
	const struct machine *from = why_machine(w, &w->from);
	const struct machine *to = why_machine(w, &w->to);

	if ((w->from.kind == PARTY_MACHINE && !from) ||
	    (w->to.kind == PARTY_MACHINE && !to)) {
		why_say(w, "machine", WHY_NO, "it has just gone");
		return;
	}
	if (from && !w->before && json_array_size(w->steps) == 0)
		say_machine(w, from);
	if (from)
		from_machine(w, from);
	else if (to)
		to_machine(w, to);
	else
		to_port(w);
}
