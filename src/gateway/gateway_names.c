/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the zone of the name server has its machines from: the engine, that
 * knows the switch, and the leases; and which resolvers it asks.  The worker's
 * thread.
 */
#include <errno.h>

#include "gateway/gateway_priv.h"

static bool next_machine(void *arg, struct zone_walk *w, struct zone_machine *m)
{
	struct gateway *gw = arg;

	return gw->machines &&
	       gw->machines(gw->env_arg, gw->port.id, w, m);
}

/* What leads to the host's loopback, if anything does. */
static addr host_addr(const struct gateway *gw, const struct subnet *s)
{
	if (gw->nat.hides_host || gw->config.is_restricted || !s->is_on)
		return (addr){{0}};
	return *nat_host(&gw->nat, s);
}

void gateway_names(struct gateway *gw)
{
	const struct gateway_config *c = &gw->config;
	const struct zone_source src = {
		.next = next_machine,
		.arg = gw,
		.leases = dhcp_leases_of(gw->dhcp),
		.host4 = host_addr(gw, &gw->nat.v4),
		.host6 = host_addr(gw, &gw->nat.v6),
	};

	dns_set_zone(gw->dns, &src, c->zone,
		     c->is_restricted && !c->keeps_services);
}

int gateway_dns_server(struct gateway *gw, const char *domain,
		       const struct endpoint *ep)
{
	struct dns_server_config c = {.ep = *ep};
	struct wr w = wr_init(c.domain, sizeof(c.domain));

	if (!*domain)
		wr_u8(&w, 0); /* the root */
	else if (!dns_name_emit(&w, domain))
		return -EINVAL;
	c.domain_len = wr_len(&w);
	return dns_add_server(gw->dns, &c);
}
