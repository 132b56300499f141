/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * natnet: as nat, but all machines of the network share one LAN and see each
 * other.  With backend=kernel the way out is the host's kernel, by a bridge
 * that has the gateway's addresses; DHCP and names stay ours, at addresses of
 * their own, and so does the advertising of the router.
 */
#include <stdio.h>
#include <string.h>

#include "grammar/uplink_opts.h"
#include "grammar/user_opts.h"
#include "mode/mode_priv.h"

const struct mode_key mode_natnet_keys[] = {
	MODE_GATEWAY_KEYS,
	MODE_SERVICE_KEYS,
	MODE_NAT_KEYS,
	{.key = "backend",
	 .help = "user, or kernel: the host's own NAT, which takes root"},
	{.key = "ifname",
	 .help = "name of the host's bridge, with backend=kernel (vm-NAME)"},
	{.key = NULL},
};

/* Behind ip in its network. */
static addr next_address(addr ip)
{
	for (unsigned i = 16; i-- && !++ip.b[i];)
		continue;
	return ip;
}

/* The lowest address that is nobody's yet: our server's. */
static addr free_address(const struct subnet *s, const addr *first_leased)
{
	addr ip = s->net.ip;

	do {
		ip = next_address(ip);
	} while (addr_eq(&ip, &s->gw) || addr_eq(&ip, &s->dns) ||
		 addr_eq(&ip, first_leased));
	return ip;
}

/* IPv6's router has the number that IPv4's has, which is no machine's. */
static void number_router(const struct mode_spec *s, struct user_opts *o)
{
	if (mode_value(s, "ipv6-host") || o->v6.net.len > 96)
		return;
	/* There is room for all of IPv4's. */
	(void)prefix_twin(&o->v4.gw, &o->v4.net, &o->v6.net, &o->v6.gw);
	if (addr_eq(&o->v6.gw, &o->v6.dns))
		o->v6.gw = next_address(o->v6.gw);
}

static const char *host_text(const struct subnet *s,
			     char buf[static PREFIX_STRLEN])
{
	const struct prefix p = {.ip = s->gw, .len = s->net.len};

	return s->is_on ? prefix_format(&p, buf) : NULL;
}

static char *router_text(const struct mode_spec *s, const struct user_opts *o)
{
	char v4[PREFIX_STRLEN], v6[PREFIX_STRLEN], made[16];

	return mode_text("router",
			 (const struct mode_pair[]){
				 {"br", mode_ifname(s, made, sizeof(made))},
				 {"addr", host_text(&o->v4, v4)},
				 {"addr", host_text(&o->v6, v6)},
				 {"mtu", mode_value(s, "mtu")},
				 {NULL, NULL}});
}

/* What the gateway beside the router has of its own. */
static void put_server(const struct user_opts *o, char *buf, size_t room)
{
	const addr link = UPLINK_ROUTER_LINK, none = {{0}};
	char server[ADDR_STRLEN], router[ADDR_STRLEN];
	size_t at = 0;
	addr ip;

	buf[0] = '\0';
	if (o->v4.is_on) {
		ip = free_address(&o->v4, &o->dhcp_start4);
		at += (size_t)snprintf(buf, room, ",host=%s,router=%s",
				       addr_format(&ip, server),
				       addr_format(&o->v4.gw, router));
	}
	if (o->v6.is_on) {
		ip = free_address(&o->v6, &none);
		at += (size_t)snprintf(buf + at, room - at,
				       ",ipv6-host=%s,ipv6-router=%s",
				       addr_format(&ip, server),
				       addr_format(&link, router));
	}
	snprintf(buf + at, room - at, ",restrict=services");
}

static int add_both(const struct mode_spec *s, const struct mode_host *h,
		    const struct user_opts *o, struct mode_netdevs *n,
		    struct error *e)
{
	char v4[ADDR_STRLEN], v6[ADDR_STRLEN];
	char more[4 * ADDR_STRLEN + 80];
	bool has_both = o->v4.is_on && o->v6.is_on;
	size_t at;

	put_server(o, more, sizeof(more));
	if (mode_netdev_add(n, router_text(s, o), e) < 0 ||
	    mode_gateway(s, h, more, n, e) < 0)
		return -1;
	at = strlen(n->said); /* a subnet that was moved is told, too */
	snprintf(n->said + at, sizeof(n->said) - at,
		 "%sthe host's kernel is its router, %s%s%s", at ? "; " : "",
		 o->v4.is_on ? addr_format(&o->v4.gw, v4) : "",
		 has_both ? " and " : "",
		 o->v6.is_on ? addr_format(&o->v6.gw, v6) : "");
	return 0;
}

/* What the other back end would be tells the addresses. */
static int kernel(const struct mode_spec *s, const struct mode_host *h,
		  struct mode_netdevs *n, struct error *e)
{
	struct mode_netdevs plain = {.n = 0};
	struct netdev_spec *spec = NULL;
	struct user_opts o = USER_OPTS_NULL;
	int r;

	if (!h->may_make_links)
		return error_set(e, EXIT_PERMISSION,
				 "natnet: backend=kernel takes root, for a "
				 "bridge and a firewall table of the host: "
				 "sudo vmlan ..., or leave it out (vmlan "
				 "doctor)");
	r = mode_gateway(s, h, "", &plain, e);
	if (r == 0)
		r = netdev_parse(plain.text[0], &spec, e);
	if (r == 0)
		r = netdev_user_resolve(spec, &o, e);
	o.v6.is_on = o.v6.is_on && h->host_id;
	if (r == 0 && o.v6.is_on)
		number_router(s, &o);
	if (r == 0)
		r = add_both(s, h, &o, n, e);
	user_opts_deinit(&o);
	netdev_spec_free(spec);
	mode_netdevs_deinit(&plain);
	return r;
}

int mode_natnet(const struct mode_spec *s, const struct mode_host *h,
		struct mode_netdevs *n, struct error *e)
{
	bool is_kernel = mode_is(s, "backend", "kernel");

	if (mode_check(s, "backend", "user", "kernel", e) < 0)
		return -1;
	if (is_kernel && mode_is(s, "nat64", "on"))
		return error_set(e, EXIT_USAGE,
				 "natnet: nat64=on is for backend=user");
	if (is_kernel)
		return kernel(s, h, n, e);
	if (mode_value(s, "ifname"))
		return error_set(e, EXIT_USAGE,
				 "natnet: ifname= is for backend=kernel");
	return mode_gateway(s, h, "", n, e);
}
