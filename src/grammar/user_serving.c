/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of `user` that turn off or replace what it serves; all ours.
 * Called by user_opts.c when the networks and the forwards are known.
 */
#include <netinet/in.h>
#include <string.h>

#include "grammar/netdev_priv.h"
#include "grammar/user_opts.h"

static const struct {
	const char *key;
	enum serving_lack lack;
} parts[] = {
	{"dhcp", LACK_DHCP4}, {"dhcpv6", LACK_DHCP6}, {"ra", LACK_RA},
	{"ndp", LACK_ND},     {"tcp", LACK_TCP},      {"udp", LACK_UDP},
	{"icmp", LACK_ICMP},
};

/* What would wait for ever for a protocol that is off. */
static int check_parts(const struct netdev_spec *s, const struct user_opts *o,
		       struct error *e)
{
	const uint32_t lacks = o->serving.lacks;

	for (unsigned i = 0; i < o->n_hostfwds; i++) {
		bool is_udp = o->hostfwds[i].proto == IPPROTO_UDP;

		if (lacks & (is_udp ? LACK_UDP : LACK_TCP))
			return user_error(s, e,
					  "hostfwd= needs what is turned off",
					  is_udp ? "udp" : "tcp");
	}
	if (o->n_guestfwds && (lacks & LACK_TCP))
		return user_error(s, e, "guestfwd= needs what is turned off",
				  "tcp");
	if (o->tftp && (lacks & LACK_UDP))
		return user_error(s, e, "tftp= needs what is turned off",
				  "udp");
	if (o->serving.has_ntp && (lacks & LACK_UDP))
		return user_error(s, e, "ntp= needs what is turned off", "udp");
	if (o->has_multicast && (lacks & LACK_UDP))
		return user_error(s, e, "multicast= needs what is turned off",
				  "udp");
	return 0;
}

/* The key's address; returns 0 with *ap unspecified if it is not given, or is
 * the word none. */
static int parse_addr(const struct netdev_spec *s, const char *key,
		      const char *none, addr *ap, struct error *e)
{
	const char *text = spec_str(s, key);

	*ap = (addr){{0}};
	if (!text || (none && strcmp(text, none) == 0))
		return 0;
	if (!addr_parse(text, ap))
		return user_error(s, e, "this is no address", key);
	if (addr_is_unspecified(ap) || addr_is_multicast(ap) ||
	    addr_is_broadcast(ap) || addr_is_link_local6(ap))
		return user_error(s, e, "nobody is found by this address", key);
	return 0;
}

/* The address is for guests, and they need its family. */
static int check_family(const struct netdev_spec *s, const struct user_opts *o,
			const addr *a, const char *key, struct error *e)
{
	if (addr_is_unspecified(a) || (addr_is_v4(a) ? &o->v4 : &o->v6)->is_on)
		return 0;
	return user_error(s, e,
			  addr_is_v4(a) ? "IPv4 is off" : "IPv6 is off", key);
}

static int resolve_nameserver(const struct netdev_spec *s, struct user_opts *o,
			      struct error *e)
{
	struct serving *v = &o->serving;

	v->has_nameserver = spec_has(s, "nameserver");
	if (parse_addr(s, "nameserver", "none", &v->nameserver, e) < 0 ||
	    parse_addr(s, "resolver", NULL, &v->resolver, e) < 0)
		return -1;
	return check_family(s, o, &v->nameserver, "nameserver", e);
}

/* An address of the network that is not somebody's already, or any other. */
static int check_host(const struct netdev_spec *s, const struct user_opts *o,
		      const addr *a, struct error *e)
{
	const struct subnet *net = addr_is_v4(a) ? &o->v4 : &o->v6;
	static const char key[] = "host-loopback";

	if (addr_is_loopback(a))
		return user_error(s, e, "a guest would reach itself there",
				  key);
	if (addr_eq(a, &net->dns) || addr_eq(a, &o->dhcp_start4) ||
	    addr_eq(a, &o->router4))
		return user_error(s, e,
				  "the address is somebody else's already",
				  key);
	if (!subnet_has(net, a) || user_subnet_has(net, a))
		return check_family(s, o, a, key, e);
	return user_error(s, e, "nobody can have this address", key);
}

static int resolve_host(const struct netdev_spec *s, struct user_opts *o,
			struct error *e)
{
	const char *text = spec_str(s, "host-loopback");
	struct serving *v = &o->serving;
	addr a;

	if (parse_addr(s, "host-loopback", "off", &a, e) < 0)
		return -1;
	v->hides_host = text && addr_is_unspecified(&a);
	if (!text || v->hides_host)
		return 0;
	if (check_host(s, o, &a, e) < 0)
		return -1;
	if (o->follows_host && !addr_is_v4(&a))
		return user_error(s, e,
				  "a network that moves along with the host's "
				  "has no place for it",
				  "host-loopback");
	*(addr_is_v4(&a) ? &v->host4 : &v->host6) = a;
	return 0;
}

int netdev_user_serving(const struct netdev_spec *s, struct user_opts *o,
			struct error *e)
{
	const char *text = spec_str(s, "mac");

	for (size_t i = 0; i < array_len(parts); i++) {
		if (!spec_bool(s, parts[i].key))
			o->serving.lacks |= parts[i].lack;
	}
	o->serving.has_ntp = spec_bool(s, "ntp");
	/* netdev_check_mac() has judged it. */
	if (text && (!mac_parse(text, &o->serving.mac) ||
		     mac_is_zero(o->serving.mac)))
		return user_error(s, e, "nobody can have this address", "mac");
	if (check_parts(s, o, e) < 0 || resolve_nameserver(s, o, e) < 0)
		return -1;
	return resolve_host(s, o, e);
}
