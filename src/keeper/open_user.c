/* SPDX-License-Identifier: BSD-3-Clause */
/* Openers of user and passt (host ports are bound here), and hubport. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "grammar/passt.h"
#include "keeper/plan.h"
#include "os/sock.h"

/* By the port that this forward, which asks for any, had with another keeper:
 * negative if it had none, or somebody else has it now. */
static int bind_again(struct plan_netdev *n, uint32_t id,
		      struct plan_forward *f)
{
	const struct plan *p = n->plan;
	struct error e = ERROR_NULL;
	int fd;

	f->host.port = p->port_before ? p->port_before(p->past, n->id - 1, id)
				      : 0;
	if (!f->host.port)
		return -1;
	fd = sock_listen_forward(f->proto, &f->host, &e);
	if (fd < 0)
		log_warn(n->log,
			 "%s: its port of before cannot be forwarded again, "
			 "it gets another: %s",
			 n->name, e.text);
	f->host.port = fd < 0 ? 0 : f->host.port;
	return fd;
}

/* A place in the array, free or new. */
static int forward_place(struct plan_netdev *n, uint32_t *idp)
{
	struct plan_forward *more;

	for (*idp = 0; *idp < n->n_forwards; (*idp)++) {
		if (n->forwards[*idp].fd < 0)
			return 0;
	}
	more = reallocarray(n->forwards, n->n_forwards + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	n->forwards = more;
	more[n->n_forwards++] = (struct plan_forward){.fd = -1};
	return 0;
}

/* Binds one host port of a rule, offset ports above its first. */
static int bind_one(struct plan_netdev *n, const struct port_rule *r,
		    uint16_t offset, struct error *e)
{
	struct plan_forward f = {
		.proto = r->proto,
		.host = {.ip = r->host_ip,
			 .port = (uint16_t)(r->host_lo + offset)},
		.guest = {.ip = r->guest_ip,
			  .port = (uint16_t)(r->guest_lo + offset)},
		.is_drawn = !r->host_lo && !r->unix_path[0],
	};
	uint32_t id;

	if (forward_place(n, &id) < 0)
		return error_errno(e, ENOMEM, "%s", n->name);
	f.fd = f.is_drawn ? bind_again(n, id, &f) : -1;
	if (f.fd < 0 && r->unix_path[0])
		f.fd = sock_listen_unix(r->unix_path, false, false, e);
	else if (f.fd < 0)
		f.fd = sock_listen_forward(r->proto, &f.host, e);
	if (f.fd < 0)
		return f.fd;
	memcpy(f.unix_path, r->unix_path, sizeof(f.unix_path));
	n->forwards[id] = f;
	return r->is_localhost || r->has_both
		       ? plan_forward_beside(n, id, f.is_drawn, &id, e)
		       : 0;
}

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

int plan_forward_add(struct plan_netdev *n, const struct port_rule *rule,
		     struct machine *m, uint32_t *idp, struct error *e)
{
	struct plan_forward f = {
		.proto = rule->proto,
		.host = {.ip = rule->host_ip, .port = rule->host_lo},
		.guest = {.ip = rule->guest_ip, .port = rule->guest_lo},
		.machine = m,
	};
	int r = check_machine(n, &rule->guest_ip, e);

	if (r < 0)
		return r;
	if (n->order.user_add.serving.lacks &
	    (f.proto == IPPROTO_UDP ? LACK_UDP : LACK_TCP))
		return error_set(e, EXIT_USAGE,
				 "a forwarded port of %s leads nowhere, for %s "
				 "has it off",
				 f.proto == IPPROTO_UDP ? "udp" : "tcp",
				 n->name);
	if (forward_place(n, idp) < 0)
		return error_errno(e, ENOMEM, "%s", n->name);
	memcpy(f.unix_path, rule->unix_path, sizeof(f.unix_path));
	if (f.unix_path[0])
		f.fd = sock_listen_unix(f.unix_path, false, false, e);
	else
		f.fd = sock_listen_forward(f.proto, &f.host, e);
	if (f.fd < 0)
		return f.fd;
	n->forwards[*idp] = f;
	return 0;
}

int plan_forward_beside(struct plan_netdev *n, uint32_t id, bool is_drawn,
			uint32_t *idp, struct error *e)
{
	struct plan_forward f = n->forwards[id];
	struct error busy = ERROR_NULL;
	uint32_t place;

	f.host.ip = (addr){{[15] = !addr_is_unspecified(&f.host.ip)}};
	f.is_drawn = false;
	if (!sock_has_address(&f.host.ip))
		return 0;
	f.fd = sock_listen_forward(f.proto, &f.host, is_drawn ? &busy : e);
	if (f.fd < 0 && !is_drawn)
		return f.fd;
	if (f.fd < 0) {
		log_warn(n->log, "%s: %s", n->name, busy.text);
		return 0;
	}
	if (forward_place(n, &place) < 0) {
		fd_close(&f.fd);
		return error_errno(e, ENOMEM, "%s", n->name);
	}
	n->forwards[place] = f;
	*idp = place;
	return 0;
}

void plan_forward_del(struct plan_netdev *n, uint32_t id)
{
	struct plan_forward *f = &n->forwards[id];

	fd_close(&f->fd);
	if (f->unix_path[0])
		sock_remove_unix(f->unix_path);
	*f = (struct plan_forward){.fd = -1};
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

static int bind_forwards(struct plan_netdev *n, struct user_opts *o,
			 struct error *e)
{
	for (unsigned i = 0; i < o->n_hostfwds; i++) {
		addr *guest = &o->hostfwds[i].guest_ip;
		int r;

		/* Who is not named is the first that asks for a lease; what
		 * has no place is refused below. */
		if (addr_is_unspecified(guest))
			(void)!plan_place(n, 0, guest);
		r = check_guest(o, guest, e);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < o->n_hostfwds; i++) {
		const struct port_rule *rule = &o->hostfwds[i];

		for (unsigned k = 0; k <= (unsigned)(rule->host_hi -
						     rule->host_lo); k++) {
			int r = bind_one(n, rule, (uint16_t)k, e);

			if (r < 0)
				return r;
		}
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
