/* SPDX-License-Identifier: BSD-3-Clause */
/* Openers of user and passt (host ports are bound here), and hubport. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "grammar/passt.h"
#include "keeper/forwards.h"
#include "keeper/plan.h"
#include "os/sock.h"

/* An address that is the loopback's, and so no machine's. */
static bool serves_host(const struct serving *v, const addr *ip)
{
	return addr_eq(ip, &v->host4) || addr_eq(ip, &v->host6);
}

bool plan_is_gateways(const struct plan_netdev *n, const addr *ip)
{
	const struct msg_user_add *m = &n->order.user_add;
	bool found;

	if (n->order.head.type != ENGINE_MSG_USER_ADD)
		return false;
	found = subnet_is_ours(&m->v4, ip) || subnet_is_ours(&m->v6, ip) ||
		addr_eq(ip, &m->router4) || addr_eq(ip, &m->router6) ||
		serves_host(&m->serving, ip);
	for (unsigned i = 0; i < n->n_guestfwds; i++)
		found |= addr_eq(ip, &n->guestfwds[i].rule.server.ip);
	return found;
}

bool plan_place(const struct plan_netdev *n, uint32_t i, addr *ap)
{
	const struct msg_user_add *m = &n->order.user_add;
	const addr ip = addr_v4_u32(addr_u32(&m->dhcp_start4) + i);

	*ap = ip;
	return m->v4.is_on ||
	       prefix_twin(&ip, &m->v4.net, &m->v6.net, ap);
}

bool plan_is_twin(const struct plan_netdev *n, const addr *ip,
		  const struct dhcp_reservation *v)
{
	const struct msg_user_add *m = &n->order.user_add;
	addr twin;

	if (addr_is_v4(ip))
		return addr_is_unspecified(&v->ip4) &&
		       prefix_twin(ip, &m->v4.net, &m->v6.net, &twin) &&
		       addr_eq(&twin, &v->ip6);
	return addr_is_unspecified(&v->ip6) &&
	       prefix_twin(&v->ip4, &m->v4.net, &m->v6.net, &twin) &&
	       addr_eq(&twin, ip);
}

/* As check_guest() below does, of what the order says. */
static int check_machine(const struct plan_netdev *n, const addr *ip,
			 struct error *e)
{
	const struct msg_user_add *m = &n->order.user_add;
	const struct subnet *s = addr_is_v4(ip) ? &m->v4 : &m->v6;
	char text[ADDR_STRLEN];

	if (user_subnet_has(s, ip) && !plan_is_gateways(n, ip))
		return 0;
	return error_set(e, EXIT_USAGE,
			 "a forwarded port leads to %s, which no machine of "
			 "this network can have",
			 addr_format(ip, text));
}

int plan_forward_check(const struct plan_netdev *n, uint8_t proto,
		       const addr *ip, struct error *e)
{
	int r = check_machine(n, ip, e);

	if (r < 0)
		return r;
	if (n->order.user_add.serving.lacks &
	    (proto == IPPROTO_UDP ? LACK_UDP : LACK_TCP))
		return error_set(e, EXIT_USAGE,
				 "a forwarded port of %s leads nowhere, for %s "
				 "has it off",
				 proto == IPPROTO_UDP ? "udp" : "tcp", n->name);
	return 0;
}

static bool is_server(const struct user_opts *o, const addr *a)
{
	for (unsigned i = 0; i < o->n_guestfwds; i++) {
		if (addr_eq(&o->guestfwds[i].server.ip, a))
			return true;
	}
	return false;
}

/* A forward to an address that no guest can have would wait for ever. */
static int check_guest(const struct user_opts *o, const addr *guest,
		       struct error *e)
{
	const struct subnet *s = addr_is_v4(guest) ? &o->v4 : &o->v6;
	char text[ADDR_STRLEN];

	if (!s->is_on)
		return error_set(e, EXIT_USAGE,
				 "user: hostfwd= to guest address %s, but %s "
				 "is off",
				 addr_format(guest, text),
				 s == &o->v4 ? "IPv4" : "IPv6");
	if (user_subnet_has(s, guest) && !subnet_is_ours(s, guest) &&
	    !addr_eq(guest, &o->router4) && !is_server(o, guest) &&
	    !serves_host(&o->serving, guest))
		return 0;
	return error_set(
		e, EXIT_USAGE,
		"user: hostfwd= to guest address %s, which no guest of "
		"this network can have",
		addr_format(guest, text));
}

/* Who is not named is the first that asks for a lease; what has no place stays
 * unspecified. */
static addr guest_of(const struct plan_netdev *n, const struct port_rule *rule)
{
	addr ip = rule->guest_ip;

	if (addr_is_unspecified(&ip))
		(void)!plan_place(n, 0, &ip);
	return ip;
}

/* The i-th hostfwd=. */
static int bind_forward(struct plan_netdev *n, const struct user_opts *o,
			unsigned i, struct error *e)
{
	const struct plan *p = n->plan;
	int before = p->port_before ? p->port_before(p->past, n->id - 1, i) : 0;
	const struct forward model = {
		.origin = FORWARD_OF_NETDEV,
		.index = i,
		.rule = o->hostfwds[i],
		.guest_ip = guest_of(n, &o->hostfwds[i]),
		.drawn = before > 0 ? (uint16_t)before : 0,
		.is_removed = before == PLAN_NO_FORWARD,
	};
	struct forward *f;

	return forward_open(n, &model, &f, e);
}

static int bind_forwards(struct plan_netdev *n, const struct user_opts *o,
			 struct error *e)
{
	for (unsigned i = 0; i < o->n_hostfwds; i++) {
		const addr guest = guest_of(n, &o->hostfwds[i]);
		int r = check_guest(o, &guest, e);

		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < o->n_hostfwds; i++) {
		int r = bind_forward(n, o, i, e);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Names of targets are looked up once; programs and sockets are met when a
 * guest calls. */
static int resolve_guestfwds(struct plan_netdev *n, const struct user_opts *o,
			     struct error *e)
{
	n->guestfwds = calloc(o->n_guestfwds + 1, sizeof(*n->guestfwds));
	if (!n->guestfwds)
		return error_errno(e, ENOMEM, "user");
	for (unsigned i = 0; i < o->n_guestfwds; i++) {
		struct plan_guestfwd *g = &n->guestfwds[n->n_guestfwds];
		int r = 0;

		g->rule = o->guestfwds[i];
		if (g->rule.kind == GUESTFWD_TCP)
			r = sock_resolve(g->rule.target, g->rule.port, false,
					 &g->target, e);
		if (r < 0) {
			error_prefix(e, "user: guestfwd: ");
			return r;
		}
		/* What connect() takes it for. */
		if (g->rule.kind == GUESTFWD_TCP &&
		    addr_is_unspecified(&g->target.ip))
			g->target.ip = addr_loopback(&g->target.ip);
		n->n_guestfwds++;
	}
	return 0;
}

/* The rules of smb= are the last. */
static int open_smb(struct plan_netdev *n, const struct user_opts *o,
		    struct error *e)
{
	return o->guestfwds[o->n_guestfwds - 1].kind == GUESTFWD_SMB
		       ? smb_open(n, e)
		       : 0;
}

static int take_dns_servers(struct plan_netdev *n, const struct user_opts *o,
			    struct error *e)
{
	n->dns_servers = calloc(o->n_dns_servers + 1, sizeof(*n->dns_servers));
	if (!n->dns_servers)
		return error_errno(e, ENOMEM, "user");
	for (unsigned i = 0; i < o->n_dns_servers; i++) {
		struct plan_dns_server *s = &n->dns_servers[i];

		_Static_assert(sizeof(s->domain) == sizeof(o->zone), "names");
		s->ep = o->dns_servers[i].ep;
		memcpy(s->domain, o->dns_servers[i].domain, sizeof(s->domain));
	}
	n->n_dns_servers = o->n_dns_servers;
	return 0;
}

/* A gateway of these options, which it frees. */
static int open_gateway(struct plan_netdev *n, struct user_opts *o,
			struct error *e)
{
	struct msg_user_add *m = &n->order.user_add;
	int r;

	_Static_assert(sizeof(m->hostname) == sizeof(o->hostname), "names");
	_Static_assert(sizeof(m->zone) == sizeof(o->zone), "names");
	_Static_assert(sizeof(m->dnssearch) == sizeof(o->dnssearch), "names");
	m->port = n->id;
	m->lan = n->lan;
	m->v4 = o->v4;
	m->v6 = o->v6;
	m->dhcp_start4 = o->dhcp_start4;
	m->router4 = o->router4;
	m->router6 = o->router6;
	m->n_dnssearch = o->n_dnssearch;
	m->mtu = o->mtu;
	m->nat64 = o->nat64;
	m->follows_host = o->follows_host;
	n->begun6 = o->v6.net;
	m->is_restricted = o->is_restricted;
	m->keeps_services = o->keeps_services;
	m->has_multicast = o->has_multicast;
	m->serving = o->serving;
	memcpy(m->hostname, o->hostname, sizeof(m->hostname));
	memcpy(m->domainname, o->domainname, sizeof(m->domainname));
	memcpy(m->dnssearch, o->dnssearch, sizeof(m->dnssearch));
	memcpy(m->zone, o->zone, sizeof(m->zone));
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_USER_ADD;
	n->dhcp = o->dhcp;
	o->dhcp = (struct dhcp_said){.n_options = 0};
	if (o->v6.is_on && o->v6.net.len != SLAAC_LEN)
		snprintf(n->warning, sizeof(n->warning),
			 "its IPv6 prefix has a length of %u, and machines "
			 "choose their addresses themselves (SLAAC) in one of "
			 "64 only (RFC 4862)",
			 o->v6.net.len);
	r = bind_forwards(n, o, e);
	if (r == 0)
		r = resolve_guestfwds(n, o, e);
	if (r == 0 && o->n_guestfwds)
		r = open_smb(n, o, e);
	if (r == 0)
		r = boot_open(n, o, e);
	if (r == 0)
		r = take_dns_servers(n, o, e);
	user_opts_deinit(o);
	return r;
}

int open_user(struct plan_netdev *n, struct error *e)
{
	struct user_opts o = USER_OPTS_NULL;
	int r = netdev_user_resolve(n->spec, &o, e);

	return r < 0 ? r : open_gateway(n, &o, e);
}

int open_passt(struct plan_netdev *n, struct error *e)
{
	struct user_opts o = USER_OPTS_NULL;
	int r = netdev_passt_resolve(n->spec, &o, e);

	return r < 0 ? r : open_gateway(n, &o, e);
}

/* A hubport that names a netdev is only that netdev's place (plan.c); one
 * that names none is a cable between its hub and the LAN. */
int open_hubport(struct plan_netdev *n, struct error *e)
{
	struct msg_hubport_add *m = &n->order.hubport_add;

	(void)e; /* nothing is opened */
	if (n->lan)
		return 0;
	m->port = n->id;
	m->lan = 0;
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_HUBPORT_ADD;
	return 0;
}
