/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The IPv6 options of `user`, resolved with QEMU's defaults, checks and texts;
 * what QEMU lets pass and cannot work is refused behind them.  Called by
 * user_opts.c.
 */
#include <stdio.h>
#include <string.h>

#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"
#include "grammar/number.h"
#include "grammar/user_opts.h"

enum {
	LEN_DEFAULT = 64,
	LEN_MAX = 126, /* QEMU's */
};

struct user_families netdev_user_families(const struct netdev_spec *s)
{
	bool has4 = spec_has(s, "ipv4"), has6 = spec_has(s, "ipv6");
	bool on4 = spec_bool(s, "ipv4"), on6 = spec_bool(s, "ipv6");

	return (struct user_families){
		.v4 = !(has4 && !on4) && !(has6 && on6 && !has4),
		.v6 = !(has6 && !on6) && !(has4 && on4 && !has6),
	};
}

/* The key that an IPv6 network was given by; NULL: by none. */
static const char *net_key(const struct netdev_spec *s)
{
	if (spec_has(s, "ipv6-net"))
		return "ipv6-net";
	if (spec_has(s, "ipv6-prefix"))
		return "ipv6-prefix";
	return spec_has(s, "ipv6-prefixlen") ? "ipv6-prefixlen" : NULL;
}

/* ipv6-net=PREFIX[/LENGTH]; the length as typed, -1: not given. */
static int parse_net(const struct netdev_spec *s, struct subnet *v6,
		     long *lenp, struct error *e)
{
	const char *text = spec_str(s, "ipv6-net");
	const char *slash = strchr(text, '/');
	size_t host_len = slash ? (size_t)(slash - text) : strlen(text);
	char host[ADDR_STRLEN] = "";
	bool too_big;
	uint64_t n;

	if (host_len < sizeof(host))
		memcpy(host, text, host_len);
	if (slash) {
		const char *digits = slash + 1;

		/* decimal, so no leading zeros as octal */
		while (*digits == '0' && digits[1])
			digits++;
		if (!*digits || digits[strspn(digits, "0123456789")])
			return spec_error(s->kind, e,
					  "parameter 'ipv6-net' expects a "
					  "number after '/'");
		*lenp = number_parse(digits, LEN_MAX, &n, &too_big)
				? (long)n
				: LEN_MAX + 1;
	}
	if (!ip6_parse(host, &v6->net.ip))
		return user_error(s, e, "Failed to parse IPv6 prefix",
				  "ipv6-net");
	return 0;
}

static bool overlaps(const struct prefix *p, const char *text, uint8_t len)
{
	struct prefix other = {.len = len};

	return addr_parse(text, &other.ip) &&
	       (prefix_has(p, &other.ip) || prefix_has(&other, &p->ip));
}

static int check_net(const struct netdev_spec *s, const struct subnet *v6,
		     const char *key, struct error *e)
{
	if (overlaps(&v6->net, "ff00::", 8) || overlaps(&v6->net, "::", 8) ||
	    overlaps(&v6->net, "fe80::", 10))
		return user_error(s, e,
				  "a network of guests cannot be multicast, "
				  "reserved, loopback or of the link",
				  key);
	return 0;
}

static int resolve_net(const struct netdev_spec *s, struct subnet *v6,
		       struct error *e)
{
	const char *key = net_key(s), *prefix = spec_str(s, "ipv6-prefix");
	long len = spec_int(s, "ipv6-prefixlen");

	if (key && strcmp(key, "ipv6-net") == 0) {
		if (spec_has(s, "ipv6-prefix") || spec_has(s, "ipv6-prefixlen"))
			return spec_error(s->kind, e,
					  "ipv6-net= and ipv6-prefix= are two "
					  "spellings of one thing, give "
					  "ipv6-net= only");
		len = LEN_DEFAULT;
		if (parse_net(s, v6, &len, e) < 0)
			return -1;
	} else if (!ip6_parse(prefix, &v6->net.ip)) {
		return user_error(s, e, "Failed to parse IPv6 prefix",
				  "ipv6-prefix");
	}
	/* QEMU's 0 is "not given". */
	len = len ? len : LEN_DEFAULT;
	if (len < 0 || len > LEN_MAX)
		return user_error(s, e,
				  "Invalid IPv6 prefix provided (IPv6 prefix "
				  "length must be between 0 and 126)",
				  spec_has(s, "ipv6-prefixlen")
					  ? "ipv6-prefixlen"
					  : "ipv6-net");
	v6->net.len = (uint8_t)len;
	v6->net = prefix_network(&v6->net);
	return key ? check_net(s, v6, key, e) : 0;
}

/* An address that one machine can have. */
static int check_usable(const struct netdev_spec *s, const struct subnet *v6,
			const addr *a, const char *key, struct error *e)
{
	if (addr_eq(a, &v6->net.ip))
		return user_error(s, e,
				  "this is the address of all routers of the "
				  "network (RFC 4291 2.6.1)",
				  key);
	if (!addr_is_unicast(a) || addr_is_link_local6(a))
		return user_error(s, e, "nobody can have this address", key);
	return 0;
}

static int resolve_host(const struct netdev_spec *s, struct subnet *v6,
			struct error *e)
{
	const char *text = spec_str(s, "ipv6-host");

	v6->gw = v6->net.ip;
	v6->gw.b[15] |= 2;
	if (text && !ip6_parse(text, &v6->gw))
		return user_error(s, e, "Failed to parse IPv6 host",
				  "ipv6-host");
	if (!prefix_has(&v6->net, &v6->gw))
		return user_error(s, e, "IPv6 Host doesn't belong to network",
				  "ipv6-host");
	return check_usable(s, v6, &v6->gw, "ipv6-host", e);
}

static int resolve_dns(const struct netdev_spec *s, struct subnet *v6,
		       struct error *e)
{
	const char *text = spec_str(s, "ipv6-dns");

	v6->dns = v6->net.ip;
	v6->dns.b[15] |= 3;
	if (text && !ip6_parse(text, &v6->dns))
		return user_error(s, e, "Failed to parse IPv6 DNS",
				  "ipv6-dns");
	if (spec_bool(s, "restrict") && !prefix_has(&v6->net, &v6->dns))
		return user_error(s, e, "IPv6 DNS doesn't belong to network",
				  "ipv6-dns");
	if (addr_eq(&v6->dns, &v6->gw))
		return user_error(s, e,
				  "IPv6 DNS must be different from IPv6 host",
				  "ipv6-dns");
	return check_usable(s, v6, &v6->dns, "ipv6-dns", e);
}

/* True if IPv6 was named. */
static bool is_asked(const struct netdev_spec *s)
{
	return net_key(s) || spec_has(s, "ipv6") || spec_has(s, "ipv6-host") ||
	       spec_has(s, "ipv6-dns") || spec_has(s, "ipv6-router") ||
	       spec_bool(s, "nat64");
}

/* No link that carries less can carry IPv6 (RFC 8200 5). */
static int check_mtu(const struct netdev_spec *s, struct subnet *v6,
		     struct error *e)
{
	char ask[32];

	if (spec_u64(s, "mtu") >= USER_MTU_MIN6 || !v6->is_on)
		return 0;
	v6->is_on = false;
	if (!is_asked(s) && netdev_user_families(s).v4)
		return 0;
	snprintf(ask, sizeof(ask), "IPv6 takes an mtu= of %d", USER_MTU_MIN6);
	return user_error(s, e, ask, "mtu");
}

/* Another router than this gateway, which has fe80::2 itself. */
static int resolve_router(const struct netdev_spec *s, addr *routerp,
			  struct error *e)
{
	const addr own = {{0xfe, 0x80, [15] = 2}};
	const char *text = spec_str(s, "ipv6-router");

	*routerp = (addr){{0}};
	if (!text)
		return 0;
	if (!ip6_parse(text, routerp) || !addr_is_link_local6(routerp))
		return user_error(s, e,
				  "a router is known by its address of the "
				  "link (fe80::/10)",
				  "ipv6-router");
	if (addr_eq(routerp, &own))
		return user_error(s, e, "this is the gateway's own address",
				  "ipv6-router");
	return 0;
}

int netdev_user_resolve6(const struct netdev_spec *s, struct user_opts *o,
			 struct error *e)
{
	struct subnet *v6 = &o->v6;

	v6->is_on = netdev_user_families(s).v6;
	if (resolve_net(s, v6, e) < 0 || resolve_host(s, v6, e) < 0 ||
	    resolve_dns(s, v6, e) < 0 ||
	    resolve_router(s, &o->router6, e) < 0)
		return -1;
	return check_mtu(s, v6, e);
}
