/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostonly: the machines and the host, by an interface that is made for it,
 * and a DHCP server that leads nowhere.  The host has the first address of
 * the subnet (192.168.56.1/24, or the next into which it has no route), the
 * server the second, name server's place the third.  Who may make no interface
 * gets the LAN without the host.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/uplink_opts.h"
#include "mode/mode_priv.h"

const struct mode_key mode_hostonly_keys[] = {
	{.key = "addr",
	 .help = "address of the host and length of the network "
		 "(192.168.56.1/24)"},
	{.key = "ifname", .help = "name of the host's interface (vm-NAME)"},
	{.key = "dhcp", .help = "off: no server leases addresses (on)"},
	{.key = "dhcpstart", .help = "first address leased"},
	MODE_DHCP_KEYS,
	{.key = "hostname", .help = "name given to the machines by DHCP"},
	{.key = "domainname", .help = "domain given to the machines"},
	{.key = "dnssearch",
	 .help = "domain to search for short names; may be given again",
	 .is_list = true},
	{.key = "zone", .help = "zone in which the machines find each other by "
				"name; off: none (vm.lan)"},
	{.key = "mtu", .help = "bytes of an IP packet, given to the machines"},
	{.key = "ipv6", .help = "off: no IPv6 (on)"},
	{.key = "ipv6-net", .help = "IPv6 prefix of the network, whose first "
				    "address is the host's"},
	MODE_SERVICE_KEYS,
	{.key = NULL},
};

enum {
	FIRST_PLACE = 0xc0a83800, /* 192.168.56.0 */
	PLACES = 64,              /* subnets of /24 from there on */
};

/* What was asked for, and the host allows. */
struct plan {
	struct prefix host; /* its address, and the network's length */
	bool has_host;
	bool has_dhcp;
	char text[PREFIX_STRLEN]; /* host, as typed */
	struct mode_net6 net6;
	bool has_host6;		   /* the host has an address of it */
	char text6[PREFIX_STRLEN]; /* host's first of it */
};

static int find_host(const struct mode_host *h, struct plan *p, struct error *e)
{
	for (uint32_t k = 0; k < PLACES; k++) {
		p->host = (struct prefix){
			.ip = addr_v4_u32(FIRST_PLACE + (k << 8) + 1),
			.len = 96 + 24};
		if (!mode_route_into(h, &p->host))
			return 0;
	}
	return error_set(e, EXIT_CONFLICT,
			 "the host has routes into all subnets that vmlan "
			 "would take; give one by addr=");
}

static int take_host(const struct mode_host *h, const char *text,
		     struct plan *p, struct error *e)
{
	const struct prefix *route;
	char to[PREFIX_STRLEN];

	if (!hostif_addr_parse(text, &p->host) || !addr_is_v4(&p->host.ip))
		return error_set(e, EXIT_USAGE,
				 "hostonly: addr= must be an IPv4 address of "
				 "the host and the length of its network, as "
				 "192.168.56.1/24");
	route = mode_route_into(h, &p->host);
	if (route)
		return error_set(e, EXIT_CONFLICT,
				 "hostonly: addr=%s: the host has a route to "
				 "%s already; give another, or none",
				 text, prefix_format(route, to));
	return 0;
}

/* Without the server of DHCP there is none of anything. */
static int check_services(const struct mode_spec *s, const struct plan *p,
			  struct error *e)
{
	static const struct mode_key services[] = {MODE_SERVICE_KEYS,
						   {.key = NULL}};

	for (const struct mode_key *k = services; k->key && !p->has_dhcp; k++) {
		if (mode_value(s, k->key))
			return error_set(e, EXIT_USAGE,
					 "hostonly: with dhcp=off there is no "
					 "server for %s=",
					 k->key);
	}
	return 0;
}

static int make_plan(const struct mode_spec *s, const struct mode_host *h,
		     struct plan *p, struct error *e)
{
	const char *given = mode_value(s, "addr");

	p->has_host = h->may_make_links;
	p->has_dhcp = !mode_is(s, "dhcp", "off");
	if (mode_check(s, "dhcp", "on", "off", e) < 0 ||
	    check_services(s, p, e) < 0)
		return -1;
	if (!p->has_host && mode_value(s, "ifname"))
		return error_set(e, EXIT_PERMISSION,
				 "hostonly: an interface of the host takes "
				 "root; without ifname= the machines have a "
				 "network without the host");
	if ((given ? take_host(h, given, p, e) : find_host(h, p, e)) < 0)
		return -1;
	prefix_format(&p->host, p->text);
	if (mode_net6(s, h, &p->net6, e) < 0)
		return -1;
	p->has_host6 = p->net6.is_on && h->may_have_ipv6;
	mode_net6_text(&p->net6, 1, p->text6);
	return 0;
}

static char *hostif_text(const struct mode_spec *s, const struct plan *p)
{
	const char *mtu = mode_value(s, "mtu");
	char made[16];

	return mode_text("hostif",
			 (const struct mode_pair[]){
				 {"ifname", mode_ifname(s, made, sizeof(made))},
				 {"addr", p->text},
				 {"addr", p->has_host6 ? p->text6 : NULL},
				 {"mtu", mtu},
				 {NULL, NULL}});
}

/* The n-th address of the network that is not the host's. */
static const char *other(const struct plan *p, uint32_t n,
			 char buf[static ADDR_STRLEN])
{
	struct prefix net = prefix_network(&p->host);
	uint32_t first = addr_u32(&net.ip);
	addr ip;

	if (first + n >= addr_u32(&p->host.ip))
		n++;
	ip = addr_v4_u32(first + n);
	return addr_format(&ip, buf);
}

/* The key of an option that is the gateway's as well; NULL: it is ours alone,
 * or told otherwise. */
static const char *passed_key(const struct mode *m, const char *option)
{
	static const char *const own[] = {"addr", "ifname", "dhcp", "ipv6",
					  "ipv6-net"};
	const size_t len = strcspn(option, "=");
	const struct mode_key *k = mode_key_find(m, option, len);

	for (size_t i = 0; k && i < array_len(own); i++) {
		if (strcmp(k->key, own[i]) == 0)
			return NULL;
	}
	return k ? k->key : NULL;
}

static char *dhcp_text(const struct mode_spec *s, const struct plan *p)
{
	struct prefix net = prefix_network(&p->host);
	char server[ADDR_STRLEN], dns[ADDR_STRLEN], smb[ADDR_STRLEN];
	char net4[PREFIX_STRLEN], net6[PREFIX_STRLEN];
	struct mode_pair pairs[MODE_OPTIONS_MAX + 9];
	unsigned n = 0;

	pairs[n++] = (struct mode_pair){"net", prefix_format(&net, net4)};
	pairs[n++] = (struct mode_pair){"host", other(p, 1, server)};
	pairs[n++] = (struct mode_pair){"dns", other(p, 2, dns)};
	if (mode_value(s, "smb") && !mode_value(s, "smbserver"))
		pairs[n++] = (struct mode_pair){"smbserver", other(p, 3, smb)};
	if (p->net6.is_on)
		pairs[n++] = (struct mode_pair){
			"ipv6-net", mode_net6_text(&p->net6, 0, net6)};
	else if (mode_value(s, "ipv6"))
		pairs[n++] = (struct mode_pair){"ipv6", "off"};
	for (unsigned i = 0; i < s->n_options; i++) {
		const char *key = passed_key(s->mode, s->options[i]);

		if (key)
			pairs[n++] = (struct mode_pair){
				key, s->options[i] + strlen(key) + 1};
	}
	if (!mode_value(s, "zone"))
		pairs[n++] = (struct mode_pair){"zone", "vm.lan"};
	pairs[n++] = (struct mode_pair){"restrict", "on"};
	pairs[n] = (struct mode_pair){NULL, NULL};
	return mode_text("user", pairs);
}

int mode_hostonly(const struct mode_spec *s, const struct mode_host *h,
		  struct mode_netdevs *n, struct error *e)
{
	struct plan p = {.has_host = false};

	if (make_plan(s, h, &p, e) < 0)
		return -1;
	if (p.has_host && mode_netdev_add(n, hostif_text(s, &p), e) < 0)
		return -1;
	if (p.has_dhcp && mode_netdev_add(n, dhcp_text(s, &p), e) < 0)
		return -1;
	if (p.has_host)
		snprintf(n->said, sizeof(n->said), "the host is %s%s%s on it%s",
			 p.text, p.has_host6 ? " and " : "",
			 p.has_host6 ? p.text6 : "",
			 p.has_host6 || !p.net6.is_on
				 ? ""
				 : ", without IPv6, which it has turned off: "
				   "net.ipv6.conf.default.disable_ipv6");
	else
		snprintf(n->said, sizeof(n->said),
			 "the host is not on it: an interface of the host "
			 "takes root");
	return 0;
}
