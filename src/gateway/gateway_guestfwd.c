/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guestfwd: addresses of ours inside the network whose connections go to a
 * program or a socket of the host; and HTTP, which the keeper serves.  Where
 * the engine cannot connect by itself (a program, a unix socket) the keeper
 * brings the other end; the gateway keeps nothing of the question, the flow
 * that waits is known by its two ends.  Called by tcp and the engine; the
 * worker's thread.
 */
#include <errno.h>

#include "gateway/gateway_priv.h"

enum { PORT_HTTP = 80 };

const struct gateway_guestfwd *
gateway_guestfwd_find(const struct gateway *gw, const struct endpoint *server)
{
	for (unsigned i = 0; i < gw->n_guestfwds; i++) {
		if (endpoint_eq(&gw->guestfwd[i].server, server))
			return &gw->guestfwd[i];
	}
	return NULL;
}

bool gateway_is_guestfwd(const struct gateway *gw, const addr *a)
{
	for (unsigned i = 0; i < gw->n_guestfwds; i++) {
		if (addr_eq(&gw->guestfwd[i].server.ip, a))
			return true;
	}
	return false;
}

/* The name server's address, or one that it had before the network moved: who
 * knows the old one may go on using it. */
static bool is_name_server(const struct gateway *gw, const addr *ip)
{
	bool found = gateway_is_dns(gw, ip);

	for (unsigned i = 0; i < gw->nat.n_was6; i++)
		found |= addr_eq(ip, &gw->nat.was6[i].dns);
	return found;
}

bool gateway_is_served(void *arg, const struct endpoint *dst)
{
	const struct gateway *gw = arg;
	const struct gateway_guestfwd *g = gateway_guestfwd_find(gw, dst);

	if (g)
		return addr_is_unspecified(&g->target.ip);
	return gw->service.has_http && dst->port == PORT_HTTP &&
	       is_name_server(gw, &dst->ip);
}

void gateway_http(struct gateway *gw)
{
	gateway_pause(gw);
	gw->service.has_http = true;
	gateway_resume(gw);
}

int gateway_serve(void *arg, const struct nat_call *c)
{
	struct gateway *gw = arg;

	if (!gw->serve)
		return -ENOTCONN;
	return gw->serve(gw->env_arg, gw->port.id, c);
}

int gateway_guestfwd_add(struct gateway *gw, const struct gateway_guestfwd *g)
{
	const addr *ip = &g->server.ip;
	const struct subnet *s = nat_subnet(&gw->nat, ip);

	if (!subnet_has(s, ip) || addr_eq(ip, &s->net.ip) ||
	    addr_eq(ip, &gw->broadcast4) || g->server.port == 0)
		return -EINVAL;
	if (gateway_guestfwd_find(gw, &g->server))
		return -EEXIST;
	if (gw->n_guestfwds >= GATEWAY_GUESTFWDS_MAX)
		return -ENOBUFS;
	gateway_pause(gw);
	gw->guestfwd[gw->n_guestfwds++] = *g;
	gateway_resume(gw);
	dhcp_reserve(gw->dhcp, ip);
	return 0;
}

int gateway_guestfwd_answer(struct gateway *gw, const struct nat_call *c,
			    int fd)
{
	return tcp_serve(gw->tcp, c, fd);
}
