/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Resolves the options of `user`.  The order of the checks and their texts
 * are those of QEMU's net/slirp (reference 2.2); what QEMU lets pass and
 * cannot work is refused behind them.
 */
#include "grammar/user_opts.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"
#include "grammar/number.h"

/* The network as numbers, for the arithmetic. */
struct net {
	uint32_t ip, mask, host, dns, dhcp;
	uint32_t router; /* 0: host */
};

int user_error(const struct netdev_spec *s, struct error *e, const char *text,
	       const char *key)
{
	char q[QUOTE_LEN];
	const char *value = spec_typed(s, key);

	return spec_error(s->kind, e, "%s (%s=%s)", text, key,
			  value ? quote(q, value) : " not given");
}

/* The mask of an address written without one. */
static uint32_t class_mask(uint32_t ip)
{
	if (!(ip & 0x80000000))
		return 0xff000000;
	if ((ip & 0xfff00000) == 0xac100000)
		return 0xfff00000;
	if ((ip & 0xc0000000) == 0x80000000)
		return 0xffff0000;
	if ((ip & 0xffff0000) == 0xc0a80000)
		return 0xffff0000;
	if ((ip & 0xfffe0000) == 0xc6120000)
		return 0xfffe0000;
	if ((ip & 0xe0000000) == 0xc0000000)
		return 0xffffff00;
	return 0xfffffff0;
}

/* A length of 4..32, or dotted; returns why not, or NULL. */
static const char *parse_mask(const char *text, uint32_t *maskp)
{
	static const char range[] =
		"Invalid netmask provided (must be in range 4-32)";
	bool too_big;
	uint64_t len;
	uint32_t mask;
	addr a;

	if (!text[strspn(text, "0123456789")] && *text) {
		/* decimal, so no leading zeros as octal */
		while (*text == '0' && text[1])
			text++;
		if (!number_parse(text, 32, &len, &too_big) || len < 4)
			return range;
		*maskp = (uint32_t)(0xffffffffull << (32 - len));
		return NULL;
	}
	if (!ip4_parse(text, &a))
		return "Failed to parse netmask (trailing chars)";
	mask = addr_u32(&a);
	if (~mask & (~mask + 1))
		return "Invalid netmask provided (its ones must be "
		       "contiguous)";
	if (__builtin_popcount(mask) < 4)
		return range;
	*maskp = mask;
	return NULL;
}

/* Sets ip and mask from net= or ip=. */
static int parse_net(const struct netdev_spec *s, struct net *n,
		     struct error *e)
{
	const char *key = spec_has(s, "ip") ? "ip" : "net";
	const char *text = spec_str(s, key);
	const char *slash = strchr(text, '/');
	char host[64];
	const char *why;
	addr a;

	if (spec_has(s, "ip") && spec_has(s, "net"))
		return spec_error(s->kind, e,
				  "net= and ip= are two spellings of one "
				  "thing, give net= only");
	if (slash && *key == 'i')
		return user_error(s, e, "Failed to parse netmask", key);
	snprintf(host, sizeof(host), "%.*s",
		 (int)(slash ? slash - text : (long)strlen(text)), text);
	if (!ip4_parse(host, &a) ||
	    (size_t)(slash ? slash - text : (long)strlen(text)) > 63)
		return user_error(s, e, "Failed to parse netmask", key);
	n->ip = addr_u32(&a);
	n->mask = *key == 'i' ? 0xffffff00 : class_mask(n->ip);
	why = slash ? parse_mask(slash + 1, &n->mask) : NULL;
	if (why)
		return user_error(s, e, why, key);
	n->ip &= n->mask;
	if (n->ip >= 0xe0000000 || (n->ip & n->mask) >> 24 == 127 ||
	    !(n->ip >> 24))
		return user_error(s, e,
				  "a network of guests cannot be multicast, "
				  "reserved or loopback",
				  key);
	return 0;
}

static int parse_ip(const struct netdev_spec *s, const char *key,
		    const char *failed, uint32_t *ipp, struct error *e)
{
	const char *text = spec_str(s, key);
	addr a;

	if (!text)
		return 0;
	if (!ip4_parse(text, &a))
		return user_error(s, e, failed, key);
	*ipp = addr_u32(&a);
	return 0;
}

static bool in_net(const struct net *n, uint32_t ip)
{
	return (ip & n->mask) == n->ip;
}

/* Neither the network's own address nor its broadcast. */
static int check_usable(const struct netdev_spec *s, const struct net *n,
			uint32_t ip, const char *key, struct error *e)
{
	char text[160], buf[ADDR_STRLEN];
	addr a = addr_v4_u32(ip);

	if (!in_net(n, ip) || (ip != n->ip && ip != (n->ip | ~n->mask)))
		return 0;
	snprintf(text, sizeof(text),
		 "%s is the %s address of the network; set %s= to another",
		 addr_format(&a, buf), ip == n->ip ? "network" : "broadcast",
		 key);
	return user_error(s, e, text, key);
}

/* Where room is for the leases (QEMU's are 16), they must fit behind
 * dhcpstart. */
static int check_pool(const struct netdev_spec *s, const struct net *n,
		      unsigned n_leases, struct error *e)
{
	uint32_t broadcast = n->ip | ~n->mask;
	char text[160], buf[ADDR_STRLEN];
	addr last;

	if (~n->mask < 2 * n_leases - 1 || broadcast - n->dhcp >= n_leases)
		return 0;
	last = addr_v4_u32(broadcast - n_leases);
	snprintf(text, sizeof(text),
		 "the %u leases run past the network; the last dhcpstart "
		 "that fits is %s",
		 n_leases, addr_format(&last, buf));
	return user_error(s, e, text, "dhcpstart");
}

static int resolve_addrs(const struct netdev_spec *s, struct net *n,
			 struct error *e)
{
	if (parse_net(s, n, e) < 0)
		return -1;
	n->host = n->ip | (0x0202 & ~n->mask);
	n->dns = n->ip | (0x0203 & ~n->mask);
	n->dhcp = n->ip | (0x020f & ~n->mask);
	if (parse_ip(s, "host", "Failed to parse host", &n->host, e) < 0)
		return -1;
	if (!in_net(n, n->host))
		return user_error(s, e, "Host doesn't belong to network",
				  "host");
	if (parse_ip(s, "dns", "Failed to parse DNS", &n->dns, e) < 0)
		return -1;
	if (n->dns == n->host)
		return user_error(s, e, "DNS must be different from host",
				  "dns");
	if (parse_ip(s, "dhcpstart", "Failed to parse DHCP start address",
		     &n->dhcp, e) < 0)
		return -1;
	if (!in_net(n, n->dhcp))
		return user_error(s, e, "DHCP doesn't belong to network",
				  "dhcpstart");
	if (n->dhcp == n->host || n->dhcp == n->dns)
		return user_error(s, e,
				  "DHCP must be different from host and DNS",
				  "dhcpstart");
	return 0;
}

/* Another router than this gateway: a machine of the network, but none that
 * has its address by DHCP. */
static int resolve_router(const struct netdev_spec *s, struct net *n,
			  struct error *e)
{
	if (parse_ip(s, "router", "Failed to parse router", &n->router, e) < 0)
		return -1;
	if (!n->router && !spec_has(s, "router"))
		return 0;
	if (!in_net(n, n->router))
		return user_error(s, e, "Router doesn't belong to network",
				  "router");
	if (n->router == n->host || n->router == n->dns ||
	    n->router == n->dhcp)
		return user_error(s, e,
				  "Router must be different from host, DNS and "
				  "the first guest",
				  "router");
	return check_usable(s, n, n->router, "router", e);
}

static int check_addrs(const struct netdev_spec *s, const struct net *n,
		       unsigned n_leases, struct error *e)
{
	addr dns = addr_v4_u32(n->dns);

	if (check_usable(s, n, n->host, "host", e) < 0 ||
	    check_usable(s, n, n->dns, "dns", e) < 0 ||
	    check_usable(s, n, n->dhcp, "dhcpstart", e) < 0)
		return -1;
	if (addr_is_unspecified(&dns) || addr_is_multicast(&dns) ||
	    addr_is_broadcast(&dns))
		return user_error(s, e,
				  "the name server cannot have this address",
				  "dns");
	return check_pool(s, n, n_leases, e);
}

/* Labels of 1..63 letters, digits, '-', '_', no '-' at an end; a dot may
 * end the name. */
static bool is_dns_name(const char *name)
{
	const char *label = name, *p = name;

	for (;; p++) {
		if (isalnum((unsigned char)*p) || *p == '_' || *p == '-')
			continue;
		if ((*p && *p != '.') || p == label || p - label > 63 ||
		    *label == '-' || p[-1] == '-')
			return false;
		if (!*p || !p[1])
			return true;
		label = p + 1;
	}
}

int user_name(const struct netdev_spec *s, const char *key, const char *name,
	      char *out, struct error *e)
{
	char q[QUOTE_LEN];

	if (!*name)
		return spec_error(s->kind, e, "'%s' parameter cannot be empty",
				  key);
	if (strlen(name) >= USER_NAME_LEN)
		return spec_error(s->kind, e,
				  "'%s' parameter cannot exceed 255 bytes",
				  key);
	if (strlen(name) > 253 || !is_dns_name(name))
		return spec_error(s->kind, e,
				  "Parameter '%s' expects a domain name, not "
				  "'%s'",
				  key, quote(q, name));
	memcpy(out, name, strlen(name) + 1);
	return 0;
}

static int resolve_names(const struct netdev_spec *s, struct user_opts *o,
			 struct error *e)
{
	const char *hostname = spec_str(s, "hostname");
	const char *domain = spec_str(s, "domainname");
	const char *const *search;
	size_t n;

	if (hostname && user_name(s, "hostname", hostname, o->hostname, e) < 0)
		return -1;
	if (domain && user_name(s, "domainname", domain, o->domainname, e) < 0)
		return -1;
	search = spec_list(s, "dnssearch", &n);
	if (n > USER_SEARCH_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'dnssearch' is given %zu times, "
				  "at most %d fit",
				  n, USER_SEARCH_MAX);
	for (; o->n_dnssearch < n; o->n_dnssearch++) {
		if (user_name(s, "dnssearch", search[o->n_dnssearch],
			      o->dnssearch[o->n_dnssearch], e) < 0)
			return -1;
	}
	return 0;
}

static int resolve_mtu(const struct netdev_spec *s, struct user_opts *o,
		       struct error *e)
{
	uint64_t mtu = spec_u64(s, "mtu");

	if (mtu < USER_MTU_MIN || mtu > USER_MTU_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'mtu' expects a number from %d to "
				  "%d, not %llu",
				  USER_MTU_MIN, USER_MTU_MAX,
				  (unsigned long long)mtu);
	o->mtu = (uint32_t)mtu;
	return 0;
}

static int resolve_hostfwds(const struct netdev_spec *s, struct user_opts *o,
			    struct error *e)
{
	size_t n;
	const char *const *texts = spec_list(s, "hostfwd", &n);

	if (!n)
		return 0;
	o->hostfwds = calloc(n, sizeof(*o->hostfwds));
	if (!o->hostfwds)
		return error_errno(e, ENOMEM, "user");
	for (; o->n_hostfwds < n; o->n_hostfwds++) {
		if (hostfwd_parse(texts[o->n_hostfwds],
				  &o->hostfwds[o->n_hostfwds], e) < 0) {
			error_prefix(e, "user: ");
			return -1;
		}
	}
	return 0;
}

/* Also by what it would be, were it no rule. */
bool user_opts_is_servers(const struct user_opts *o, const addr *a)
{
	return subnet_is_ours(addr_is_v4(a) ? &o->v4 : &o->v6, a) ||
	       addr_eq(a, &o->router4) || addr_eq(a, &o->serving.host4) ||
	       addr_eq(a, &o->serving.host6);
}

bool user_opts_is_taken(const struct user_opts *o,
			const struct guestfwd_rule *r)
{
	for (unsigned i = 0; i < o->n_guestfwds; i++) {
		const struct guestfwd_rule *old = &o->guestfwds[i];

		if (endpoint_eq(&old->server, &r->server))
			return true;
	}
	return (addr_eq(&r->server.ip, &o->v4.dns) ||
		addr_eq(&r->server.ip, &o->v6.dns)) &&
	       r->server.port == 53;
}

addr user_opts_server(const struct subnet *s)
{
	const bool is_v4 = addr_is_v4(&s->net.ip);
	uint32_t room = UINT32_MAX;
	addr a = s->net.ip;

	if (is_v4)
		room = (uint32_t)((UINT64_C(1) << (128 - s->net.len)) - 1);
	a.b[14] |= (uint8_t)(is_v4 ? 0x02 & room >> 8 : 0);
	a.b[15] |= (uint8_t)(0x04 & room);
	return a;
}

bool user_opts_has(const struct user_opts *o, const addr *ip)
{
	return user_subnet_has(addr_is_v4(ip) ? &o->v4 : &o->v6, ip);
}

bool user_subnet_has(const struct subnet *s, const addr *ip)
{
	const addr last = prefix_broadcast(&s->net);

	return subnet_has(s, ip) && !addr_eq(ip, &s->net.ip) &&
	       !addr_eq(ip, &last);
}

/* Completes a rule and checks it against the network and those before. */
static int place_guestfwd(const struct netdev_spec *s,
			  const struct user_opts *o, const char *text,
			  struct guestfwd_rule *r, struct error *e)
{
	char q[QUOTE_LEN];

	if (addr_is_unspecified(&r->server.ip))
		r->server.ip =
			user_opts_server(o->v4.is_on ? &o->v4 : &o->v6);
	if (!user_opts_has(o, &r->server.ip) || user_opts_is_taken(o, r))
		return spec_error(s->kind, e,
				  "Conflicting/invalid host:port in guest "
				  "forwarding rule '%s'",
				  quote(q, text));
	if (addr_eq(&r->server.ip, &o->dhcp_start4))
		return spec_error(s->kind, e,
				  "guest forwarding rule '%s' has the address "
				  "of the first guest (dhcpstart=)",
				  quote(q, text));
	return 0;
}

static int resolve_guestfwds(const struct netdev_spec *s, struct user_opts *o,
			     struct error *e)
{
	size_t n_texts;
	const char *const *texts = spec_list(s, "guestfwd", &n_texts);

	if (n_texts > USER_GUESTFWDS_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'guestfwd' is given %zu times, at "
				  "most %d fit",
				  n_texts, USER_GUESTFWDS_MAX);
	o->guestfwds = calloc(n_texts + USER_SMB_MAX, sizeof(*o->guestfwds));
	if (!o->guestfwds)
		return error_errno(e, ENOMEM, "user");
	for (; o->n_guestfwds < n_texts; o->n_guestfwds++) {
		struct guestfwd_rule *r = &o->guestfwds[o->n_guestfwds];
		const char *text = texts[o->n_guestfwds];

		if (guestfwd_parse(text, r, e) < 0) {
			error_prefix(e, "user: ");
			return -1;
		}
		if (place_guestfwd(s, o, text, r, e) < 0)
			return -1;
	}
	return 0;
}

static int resolve_restrict(const struct netdev_spec *s, const struct net *n,
			    struct user_opts *o, struct error *e)
{
	o->is_restricted = spec_bool(s, "restrict");
	o->keeps_services = spec_is_also(s, "restrict");
	o->has_multicast = spec_bool(s, "multicast");
	if (o->is_restricted && o->has_multicast)
		return user_error(s, e, "restrict lets no group pass",
				  "multicast");
	if (o->is_restricted && !in_net(n, n->dns))
		return user_error(s, e, "DNS doesn't belong to network", "dns");
	return 0;
}

/* A text of 1..max bytes, if it was given. */
static int take_text(const struct netdev_spec *s, const char *key, size_t max,
		     const char **textp, struct error *e)
{
	const char *text = spec_str(s, key);

	if (text && !*text)
		return spec_error(s->kind, e, "'%s' parameter cannot be empty",
				  key);
	if (text && strlen(text) > max)
		return spec_error(s->kind, e,
				  "'%s' parameter cannot exceed %zu bytes", key,
				  max);
	*textp = text;
	return 0;
}

static int resolve_boot(const struct netdev_spec *s, struct user_opts *o,
			struct error *e)
{
	if (take_text(s, "tftp", PATH_MAX - 1, &o->tftp, e) < 0 ||
	    take_text(s, "bootfile", USER_BOOTFILE_MAX, &o->bootfile, e) < 0)
		return -1;
	return take_text(s, "tftp-server-name", USER_NAME_LEN - 1,
			 &o->tftp_server_name, e);
}

static int resolve_nat64(const struct netdev_spec *s, struct user_opts *o,
			 struct error *e)
{
	o->nat64 = spec_bool(s, "nat64");
	if (o->nat64 && !o->v6.is_on)
		return user_error(s, e,
				  "NAT64 is for guests with IPv6, and that is "
				  "off",
				  "nat64");
	return 0;
}

static int resolve_follow(const struct netdev_spec *s, struct user_opts *o,
			  struct error *e)
{
	o->follows_host = spec_bool(s, "ipv6-follow");
	if (o->follows_host && (!o->v6.is_on || !spec_has(s, "ipv6-net") ||
				o->v6.net.len != USER_FOLLOW_LEN))
		return user_error(s, e,
				  "what follows the host is a /64 given by "
				  "ipv6-net=",
				  "ipv6-follow");
	if (o->follows_host && !addr_is_unspecified(&o->router6))
		return user_error(s, e,
				  "the network of another router does not "
				  "move",
				  "ipv6-follow");
	return 0;
}

int netdev_user_resolve(const struct netdev_spec *spec, struct user_opts *o,
			struct error *e)
{
	return netdev_user_resolve_for(spec, USER_LEASES, o, e);
}

int netdev_user_resolve_for(const struct netdev_spec *spec, unsigned n_leases,
			    struct user_opts *o, struct error *e)
{
	struct net n = {.ip = 0};

	*o = USER_OPTS_NULL;
	if (resolve_addrs(spec, &n, e) < 0 ||
	    check_addrs(spec, &n, n_leases, e) < 0 ||
	    resolve_router(spec, &n, e) < 0 ||
	    resolve_restrict(spec, &n, o, e) < 0 ||
	    netdev_user_resolve6(spec, o, e) < 0 ||
	    resolve_names(spec, o, e) < 0 || resolve_mtu(spec, o, e) < 0 ||
	    resolve_hostfwds(spec, o, e) < 0) {
		user_opts_deinit(o);
		return -1;
	}
	o->v4.net.ip = addr_v4_u32(n.ip);
	o->v4.net.len = (uint8_t)(96 + __builtin_popcount(n.mask));
	o->v4.gw = addr_v4_u32(n.host);
	o->v4.dns = addr_v4_u32(n.dns);
	o->v4.is_on = netdev_user_families(spec).v4;
	o->dhcp_start4 = addr_v4_u32(n.dhcp);
	o->router4 = addr_v4_u32(n.router);
	if (resolve_nat64(spec, o, e) < 0 || resolve_follow(spec, o, e) < 0 ||
	    resolve_boot(spec, o, e) < 0 ||
	    resolve_guestfwds(spec, o, e) < 0 ||
	    netdev_user_serving(spec, o, e) < 0 ||
	    netdev_user_smb(spec, o, e) < 0 ||
	    netdev_user_dhcp(spec, o, e) < 0 ||
	    netdev_user_dns(spec, o, e) < 0) {
		user_opts_deinit(o);
		return -1;
	}
	return 0;
}

void user_opts_deinit(struct user_opts *o)
{
	free(o->hostfwds);
	free(o->guestfwds);
	dhcp_said_deinit(&o->dhcp);
	free(o->dns_servers);
	*o = USER_OPTS_NULL;
}
