/* SPDX-License-Identifier: BSD-3-Clause */
/* Openers of user (host ports are bound here) and hubport. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "grammar/user_opts.h"
#include "keeper/plan.h"
#include "os/sock.h"

/* By the port that this forward, which asks for any, had with another keeper:
 * negative if it had none, or somebody else has it now. */
static int bind_again(struct plan_netdev *n, struct plan_forward *f)
{
	const struct plan *p = n->plan;
	struct error e = ERROR_NULL;
	int fd;

	f->host.port = p->port_before ? p->port_before(p->past, n->id - 1,
						       n->n_forwards)
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

/* Binds one host port of a rule, offset ports above its first. */
static int bind_one(struct plan_netdev *n, const struct port_rule *r,
		    uint16_t offset, struct error *e)
{
	struct plan_forward *f = &n->forwards[n->n_forwards];

	*f = (struct plan_forward){
		.proto = r->proto,
		.host = {.ip = r->host_ip,
			 .port = (uint16_t)(r->host_lo + offset)},
		.guest = {.ip = r->guest_ip,
			  .port = (uint16_t)(r->guest_lo + offset)},
		.is_drawn = !r->host_lo && !r->unix_path[0],
	};
	f->fd = f->is_drawn ? bind_again(n, f) : -1;
	if (f->fd < 0 && r->unix_path[0])
		f->fd = sock_listen_unix(r->unix_path, false, false, e);
	else if (f->fd < 0)
		f->fd = sock_listen_forward(r->proto, &f->host, e);
	if (f->fd < 0)
		return f->fd;
	memcpy(f->unix_path, r->unix_path, sizeof(f->unix_path));
	n->n_forwards++;
	return 0;
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

bool plan_is_gateways(const struct plan_netdev *n, const addr *ip)
{
	const struct msg_user_add *m = &n->order.user_add;
	bool found;

	if (n->order.head.type != ENGINE_MSG_USER_ADD)
		return false;
	found = addr_eq(ip, &m->host4) || addr_eq(ip, &m->dns4) ||
		addr_eq(ip, &m->router4);
	for (unsigned i = 0; i < n->n_guestfwds; i++)
		found |= addr_eq(ip, &n->guestfwds[i].rule.server.ip);
	return found;
}

/* As check_guest() below does, of what the order says. */
static int check_machine(const struct plan_netdev *n, const addr *ip,
			 struct error *e)
{
	const struct msg_user_add *m = &n->order.user_add;
	const addr broadcast = prefix_broadcast(&m->net4);
	char text[ADDR_STRLEN];

	if (prefix_has(&m->net4, ip) && !plan_is_gateways(n, ip) &&
	    !addr_eq(ip, &broadcast) && !addr_eq(ip, &m->net4.ip))
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
	const addr broadcast = prefix_broadcast(&o->net4);
	char text[ADDR_STRLEN];

	if (addr_is_unspecified(guest) ||
	    (prefix_has(&o->net4, guest) && !addr_eq(guest, &o->host4) &&
	     !addr_eq(guest, &o->dns4) && !addr_eq(guest, &o->router4) &&
	     !is_server(o, guest) &&
	     !addr_eq(guest, &o->net4.ip) && !addr_eq(guest, &broadcast)))
		return 0;
	return error_set(
		e, EXIT_USAGE,
		"user: hostfwd= to guest address %s, which no guest of "
		"this network can have",
		addr_format(guest, text));
}

static int bind_forwards(struct plan_netdev *n, const struct user_opts *o,
			 struct error *e)
{
	size_t total = 0;

	for (unsigned i = 0; i < o->n_hostfwds; i++) {
		int r = check_guest(o, &o->hostfwds[i].guest_ip, e);

		if (r < 0)
			return r;
		total += (size_t)(o->hostfwds[i].host_hi -
				  o->hostfwds[i].host_lo) + 1;
	}
	n->forwards = calloc(total + 1, sizeof(*n->forwards));
	if (!n->forwards)
		return error_errno(e, ENOMEM, "user");
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
			g->target.ip = addr_v4(127, 0, 0, 1);
		n->n_guestfwds++;
	}
	return 0;
}

int open_user(struct plan_netdev *n, struct error *e)
{
	struct msg_user_add *m = &n->order.user_add;
	struct user_opts o = USER_OPTS_NULL;
	int r;

	_Static_assert(sizeof(m->hostname) == sizeof(o.hostname), "names");
	_Static_assert(sizeof(m->dnssearch) == sizeof(o.dnssearch), "names");
	r = netdev_user_resolve(n->spec, &o, e);
	if (r < 0)
		return r;
	m->port = n->id;
	m->lan = n->lan;
	m->net4 = o.net4;
	m->host4 = o.host4;
	m->dns4 = o.dns4;
	m->dhcp_start4 = o.dhcp_start4;
	m->router4 = o.router4;
	m->n_dnssearch = o.n_dnssearch;
	m->mtu = o.mtu;
	m->is_restricted = o.is_restricted;
	m->keeps_services = o.keeps_services;
	memcpy(m->hostname, o.hostname, sizeof(m->hostname));
	memcpy(m->domainname, o.domainname, sizeof(m->domainname));
	memcpy(m->dnssearch, o.dnssearch, sizeof(m->dnssearch));
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_USER_ADD;
	r = bind_forwards(n, &o, e);
	if (r == 0)
		r = resolve_guestfwds(n, &o, e);
	user_opts_deinit(&o);
	return r;
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
