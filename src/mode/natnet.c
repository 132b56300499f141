/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * natnet: as nat, but all machines of the network share one LAN and see each
 * other.  With backend=kernel the way out is the host's kernel, by a bridge
 * that has the gateway's address; DHCP and names stay ours, at addresses of
 * their own.
 */
#include <string.h>

#include "grammar/user_opts.h"
#include "mode/mode_priv.h"

const struct mode_key mode_natnet_keys[] = {
	MODE_GATEWAY_KEYS,
	{.key = "backend",
	 .help = "user, or kernel: the host's own NAT, which takes root"},
	{.key = "ifname",
	 .help = "name of the host's bridge, with backend=kernel (vm-NAME)"},
	{.key = NULL},
};

/* The lowest address that is nobody's yet: our server's. */
static addr free_address(const struct user_opts *o)
{
	addr ip = o->net4.ip;

	do {
		ip = addr_v4_u32(addr_u32(&ip) + 1);
	} while (addr_eq(&ip, &o->host4) || addr_eq(&ip, &o->dns4) ||
		 addr_eq(&ip, &o->dhcp_start4));
	return ip;
}

static char *router_text(const struct mode_spec *s, const struct user_opts *o)
{
	char ip[ADDR_STRLEN], text[ADDR_STRLEN + 4], made[16];

	snprintf(text, sizeof(text), "%s/%u", addr_format(&o->host4, ip),
		 o->net4.len - 96u);
	return mode_text("router",
			 (const struct mode_pair[]){
				 {"br", mode_ifname(s, made, sizeof(made))},
				 {"addr", text},
				 {"mtu", mode_value(s, "mtu")},
				 {NULL, NULL}});
}

static int add_both(const struct mode_spec *s, const struct mode_host *h,
		    const struct user_opts *o, struct mode_netdevs *n,
		    struct error *e)
{
	char server[ADDR_STRLEN], router[ADDR_STRLEN];
	char more[2 * ADDR_STRLEN + 64];
	const addr ip = free_address(o);
	size_t at;

	snprintf(more, sizeof(more), ",host=%s,router=%s,restrict=services",
		 addr_format(&ip, server), addr_format(&o->host4, router));
	if (mode_netdev_add(n, router_text(s, o), e) < 0 ||
	    mode_gateway(s, h, more, n, e) < 0)
		return -1;
	at = strlen(n->said); /* a subnet that was moved is told, too */
	snprintf(n->said + at, sizeof(n->said) - at,
		 "%sthe host's kernel is its router, %s", at ? "; " : "",
		 router);
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
	const char *backend = mode_value(s, "backend");

	if (backend && strcmp(backend, "kernel") == 0)
		return kernel(s, h, n, e);
	if (backend && strcmp(backend, "user") != 0)
		return error_set(e, EXIT_USAGE,
				 "natnet: backend= must be user or kernel");
	if (mode_value(s, "ifname"))
		return error_set(e, EXIT_USAGE,
				 "natnet: ifname= is for backend=kernel");
	return mode_gateway(s, h, "", n, e);
}
