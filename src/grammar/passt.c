/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The netdev passt in the words of user (passt.h).  What its keys mean is in
 * passt(1); the forwards are in the grammar that port_spec.c knows.
 */
#include "grammar/passt.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"
#include "grammar/number.h"

enum {
	LEASES = 1,	   /* passt has one guest */
	FQDN_LEN = 256,	   /* a name with NUL */
	ADDRESS_LEN = 128, /* of address=, with NUL */
	TRIES = 8,	   /* addresses of a network that one is picked of */
};

/* A spec while it is put in other words. */
struct passt {
	const struct netdev_spec *s;
	FILE *f;
	struct error *e;
	uint32_t taken[4]; /* IPv4 addresses that somebody has */
	unsigned n_taken;
};

static void put(const struct passt *p, const char *key, const char *value)
{
	netdev_key_put(p->f, "", key, value);
}

static void put_addr4(const struct passt *p, const char *key, uint32_t ip)
{
	const addr a = addr_v4_u32(ip);
	char text[ADDR_STRLEN];

	put(p, key, addr_format(&a, text));
}

/* "passt: TEXT (KEY=VALUE)"; returns -1. */
static int refuse(const struct passt *p, const char *text, const char *key)
{
	return user_error(p->s, p->e, text, key);
}

/* The mask of an address without one, as passt has it: of its class. */
static unsigned class_len(uint32_t ip)
{
	if (!(ip >> 31))
		return 8;
	return ip >> 30 == 2 ? 16 : 24;
}

/* The number of bits of a mask, a number itself or dotted. */
static bool parse_mask(const char *text, unsigned *lenp)
{
	bool too_big;
	uint64_t n;
	uint32_t mask;
	addr a;

	if (strspn(text, "0123456789") == strlen(text)) {
		if (!number_parse(text, 32, &n, &too_big))
			return false;
		*lenp = (unsigned)n;
		return true;
	}
	if (!ip4_parse(text, &a))
		return false;
	mask = addr_u32(&a);
	*lenp = (unsigned)__builtin_popcount(mask);
	return (~mask & (~mask + 1)) == 0;
}

/* What address= and netmask= say; *ap unspecified and *lenp UINT_MAX: not
 * given. */
static int parse_address(const struct passt *p, addr *ap, unsigned *lenp)
{
	const char *text = spec_str(p->s, "address");
	const char *mask = spec_str(p->s, "netmask");
	const char *slash = text ? strchr(text, '/') : NULL;
	size_t len = slash ? (size_t)(slash - text) : text ? strlen(text) : 0;
	char ip[ADDRESS_LEN] = "";

	*ap = (addr){{0}};
	*lenp = UINT_MAX;
	if (slash && mask)
		return refuse(p,
			      "netmask= and a length behind address= are two "
			      "spellings of one thing, give one",
			      "netmask");
	if (mask && !parse_mask(mask, lenp))
		return refuse(p, "this is no mask", "netmask");
	if (!text)
		return 0;
	if (len < sizeof(ip))
		memcpy(ip, text, len);
	if (!addr_parse(ip, ap) || !addr_is_unicast(ap) ||
	    addr_is_link_local6(ap))
		return refuse(p, "this is no address of a guest", "address");
	if (!slash)
		return 0;
	/* Whatever the length of IPv6's is, passt makes it 64. */
	if (slash[1] && !slash[1 + strspn(slash + 1, "0123456789")] &&
	    (!addr_is_v4(ap) || parse_mask(slash + 1, lenp)))
		return 0;
	return refuse(p, "this is no length", "address");
}

static bool is_taken(const struct passt *p, uint32_t ip)
{
	for (unsigned i = 0; i < p->n_taken; i++) {
		if (p->taken[i] == ip)
			return true;
	}
	return false;
}

static void take(struct passt *p, uint32_t ip)
{
	if (p->n_taken < array_len(p->taken))
		p->taken[p->n_taken++] = ip;
}

/* An address of the network that nobody has, the first-th if it is free; 0:
 * there is none. */
static uint32_t pick(struct passt *p, uint32_t net, uint32_t mask,
		     uint32_t first)
{
	for (uint32_t i = 0; i < TRIES; i++) {
		uint32_t ip = net + (i == 0 ? first : i);

		if ((i == 0 || i != first) && ip - net < ~mask &&
		    !is_taken(p, ip)) {
			take(p, ip);
			return ip;
		}
	}
	return 0;
}

/* gateway=, if it is of IPv4: *ipp, else 0. */
static int parse_gateway(const struct passt *p, uint32_t *ipp)
{
	static const addr own = {{0xfe, 0x80, [15] = 2}};
	const char *text = spec_str(p->s, "gateway");
	addr a;

	*ipp = 0;
	if (!text)
		return 0;
	if (!addr_parse(text, &a) || addr_is_unspecified(&a))
		return refuse(p, "this is no address", "gateway");
	if (addr_is_v4(&a)) {
		*ipp = addr_u32(&a);
		return 0;
	}
	if (addr_eq(&a, &own))
		return 0;
	return refuse(p,
		      "the gateway's address of the link is fe80::2, and no "
		      "other can be chosen",
		      "gateway");
}

/* dns-forward=, if it is of IPv4: *ipp, else 0; IPv6's is written. */
static int parse_dns_forward(const struct passt *p, uint32_t *ipp)
{
	const char *text = spec_str(p->s, "dns-forward");
	addr a;

	*ipp = 0;
	if (!text)
		return 0;
	if (!addr_parse(text, &a) || addr_is_unspecified(&a))
		return refuse(p, "this is no address", "dns-forward");
	if (addr_is_v4(&a))
		*ipp = addr_u32(&a);
	else
		put(p, "ipv6-dns", text);
	return 0;
}

/* The IPv4 network of address=, a whole: network, gateway, name server and
 * guest.  What is not said is the first that is free. */
static int put_net4(struct passt *p, uint32_t ip, unsigned len, uint32_t gw,
		    uint32_t dns)
{
	uint32_t mask = len ? 0xffffffffu << (32 - len) : 0;
	const uint32_t net = ip & mask;
	const addr a = addr_v4_u32(net);
	const struct prefix whole = prefix_of(&a, len);
	char text[PREFIX_STRLEN];

	take(p, ip);
	if (gw && (gw & mask) != net)
		return refuse(p, "it is not in the network of address=",
			      "gateway");
	if (gw)
		take(p, gw);
	if (dns)
		take(p, dns);
	if (!gw)
		gw = pick(p, net, mask, 2);
	if (!dns)
		dns = pick(p, net, mask, 3);
	if (!gw || !dns)
		return refuse(p,
			      "the network has no room for a gateway and a "
			      "name server beside the guest; give a shorter "
			      "length, or gateway= and dns-forward=",
			      "address");
	put(p, "net", prefix_format(&whole, text));
	put_addr4(p, "host", gw);
	put_addr4(p, "dns", dns);
	put_addr4(p, "dhcpstart", ip);
	return 0;
}

/* Without address= the network is user's. */
static int put_own4(const struct passt *p, unsigned len, uint32_t gw,
		    uint32_t dns)
{
	const unsigned bits = len == UINT_MAX ? 24 : len;
	char text[32];

	if (gw && bits && (gw ^ 0x0a000200) >> (32 - bits))
		return refuse(p,
			      "it is not in the guest's network, 10.0.2.0/24 "
			      "or as netmask= says; give address= too",
			      "gateway");
	if (len != UINT_MAX) {
		snprintf(text, sizeof(text), "10.0.2.0/%u", len);
		put(p, "net", text);
	}
	if (gw)
		put_addr4(p, "host", gw);
	if (dns)
		put_addr4(p, "dns", dns);
	return 0;
}

/* The prefix of an IPv6 address.  The guest is leased that address if it can
 * be the twin of one of 10.0.2.0/24, for a place has one number. */
static int put_net6(const struct passt *p, const addr *a)
{
	const struct prefix net = {.ip = *a, .len = 64};
	addr base = prefix_network(&net).ip, rest = *a;
	char text[ADDR_STRLEN + 4], ip[ADDR_STRLEN], why[200];
	uint8_t place = a->b[15];

	memcpy(rest.b, base.b, 8);
	rest.b[15] = 0;
	snprintf(text, sizeof(text), "%s/64", addr_format(&base, ip));
	if (!addr_eq(&rest, &base) || !place || place == 2 || place == 3 ||
	    place == 255) {
		snprintf(why, sizeof(why),
			 "of IPv6 a guest is leased PREFIX::1, ::4 or one up "
			 "to ::fe; the nearest is user,ipv6-net=%s, where it "
			 "chooses its own",
			 text);
		return refuse(p, why, "address");
	}
	put(p, "ipv6-net", text);
	put_addr4(p, "dhcpstart", 0x0a000200u | place);
	return 0;
}

static int put_networks(struct passt *p)
{
	uint32_t gw, dns;
	unsigned len;
	addr a;

	if (parse_address(p, &a, &len) < 0 || parse_gateway(p, &gw) < 0 ||
	    parse_dns_forward(p, &dns) < 0)
		return -1;
	if (addr_is_v4(&a)) {
		if (len == UINT_MAX)
			len = class_len(addr_u32(&a));
		return put_net4(p, addr_u32(&a), len, gw, dns);
	}
	if (put_own4(p, len, gw, dns) < 0)
		return -1;
	return addr_is_unspecified(&a) ? 0 : put_net6(p, &a);
}

/* One name of several in a text. */
static void put_search(const struct passt *p, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, " \t");
		CLEANUP_FREE char *name = strndup(text, len);

		/* without memory the stream of p fails, too */
		if (len && name)
			put(p, "dnssearch", name);
		text += len + strspn(text + len, " \t");
	}
}

/* The full name, by the options that clients look at. */
static int put_fqdn(const struct passt *p, bool tells_search)
{
	const char *text = spec_str(p->s, "fqdn");
	char name[FQDN_LEN], *dot;
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return 0;
	if (len && text[len - 1] == '.')
		len--;
	if (len == 0 || len >= sizeof(name))
		return refuse(p, "this is no name", "fqdn");
	memcpy(name, text, len);
	name[len] = '\0';
	/* Clients look other names up in their domain. */
	dot = tells_search ? strchr(name, '.') : NULL;
	if (dot)
		*dot = '\0';
	put(p, "hostname", name);
	if (dot)
		put(p, "domainname", dot + 1);
	return 0;
}

static int put_names(const struct passt *p)
{
	bool tells_search = spec_bool(p->s, "dhcp-search");
	const char *dns = spec_str(p->s, "dns");
	const char *resolver = spec_str(p->s, "dns-host");
	size_t n;
	const char *const *search = spec_list(p->s, "search", &n);
	bool is_none = n == 1 && strcmp(search[0], "none") == 0;

	if (!spec_bool(p->s, "dhcp-dns"))
		put(p, "nameserver", "none");
	else if (dns)
		put(p, "nameserver", dns);
	if (resolver)
		put(p, "resolver", resolver);
	for (size_t i = 0; tells_search && !is_none && i < n; i++)
		put_search(p, search[i]);
	return put_fqdn(p, tells_search);
}

static int put_mtu(const struct passt *p)
{
	int32_t mtu = spec_int(p->s, "mtu");
	char text[16];

	/* 0: guests are told of none, and have what they have by themselves,
	 * which is user's default. */
	if (!spec_has(p->s, "mtu") || mtu == 0)
		return 0;
	if (mtu < 0)
		return refuse(p, "this is no number of bytes", "mtu");
	snprintf(text, sizeof(text), "%d", mtu);
	put(p, "mtu", text);
	return 0;
}

static void put_parts(const struct passt *p)
{
	static const char *const same[] = {"dhcp", "dhcpv6", "ra",   "tcp",
					   "udp",  "icmp",   "ipv4", "ipv6"};
	const char *loop = spec_str(p->s, "map-host-loopback");
	const char *text = spec_str(p->s, "mac");

	for (size_t i = 0; i < array_len(same); i++) {
		if (!spec_bool(p->s, same[i]))
			put(p, same[i], "off");
	}
	/* Of ICMPv6 it is a part. */
	if (!spec_bool(p->s, "ndp") || !spec_bool(p->s, "icmp"))
		put(p, "ndp", "off");
	if (text)
		put(p, "mac", text);
	if (loop)
		put(p, "host-loopback",
		    strcmp(loop, "none") == 0 ? "off" : loop);
}

char *netdev_passt_user(const struct netdev_spec *spec, struct error *e)
{
	char *text = NULL;
	size_t len;
	struct passt p = {
		.s = spec, .e = e, .f = open_memstream(&text, &len)};
	int r;

	if (!p.f) {
		error_errno(e, ENOMEM, "passt");
		return NULL;
	}
	fputs("user", p.f);
	r = put_networks(&p);
	if (r == 0)
		r = put_names(&p);
	if (r == 0)
		r = put_mtu(&p);
	put_parts(&p);
	if (fclose(p.f) != 0 && r == 0)
		r = error_errno(e, ENOMEM, "passt");
	if (r == 0)
		return text;
	free(text);
	return NULL;
}

/* All values of a key as one, with commas between, as QEMU passes them; an
 * IPv6 address in front in brackets, as port_spec.c wants it.  The caller
 * frees; NULL: no memory. */
static char *join_ports(const char *const *v, size_t n)
{
	char *text = NULL, ip[ADDRESS_LEN] = "";
	size_t len, head = strcspn(v[0], "/");
	FILE *f = open_memstream(&text, &len);
	addr a;

	if (!f)
		return NULL;
	if (v[0][head] && head < sizeof(ip))
		memcpy(ip, v[0], head);
	fprintf(f, ip6_parse(ip, &a) ? "[%.*s]%s" : "%.*s%s", (int)head, v[0],
		v[0] + head);
	for (size_t i = 1; i < n; i++)
		fprintf(f, ",%s", v[i]);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* Other spellings that port_spec.c knows name a protocol, or one port of one
 * address; passt's do not. */
static bool is_passts(const char *text)
{
	static const char *const others[] = {"/tcp", "/udp", "tcp:", "udp:",
					     "unix:", "localhost"};

	for (size_t i = 0; i < array_len(others); i++) {
		if (strstr(text, others[i]))
			return false;
	}
	return true;
}

static unsigned count_items(const char *text)
{
	unsigned n = 1;

	for (; *text; text++)
		n += *text == ',';
	return n;
}

/* Adds the forwards of a key to the rules. */
static int add_ports(const struct passt *p, const char *key, uint8_t proto,
		     struct user_opts *o)
{
	size_t n;
	const char *const *v = spec_list(p->s, key, &n);
	bool is_none = n == 1 && strcmp(v[0], "none") == 0;
	CLEANUP_FREE char *text = n ? join_ports(v, n) : NULL;
	struct port_rule *more;
	unsigned room, got;

	if (!n || is_none)
		return 0;
	if (!text)
		return error_errno(p->e, ENOMEM, "passt");
	if (!is_passts(text))
		return spec_error(p->s->kind, p->e,
				  "%s= is written [ADDRESS/]PORTS[:PORTS],..",
				  key);
	room = count_items(text);
	more = reallocarray(o->hostfwds, o->n_hostfwds + room, sizeof(*more));
	if (!more)
		return error_errno(p->e, ENOMEM, "passt");
	o->hostfwds = more;
	more += o->n_hostfwds;
	if (port_spec_parse(text, more, room, &got, p->e) < 0) {
		error_prefix(p->e, "passt: %s=: ", key);
		return -1;
	}
	for (unsigned i = 0; i < got; i++) {
		more[i].proto = proto;
		/* passt's "all addresses" are those of both families */
		more[i].has_both = !more[i].has_host_ip && o->v6.is_on;
	}
	o->n_hostfwds += got;
	return 0;
}

static int add_forwards(const struct passt *p, struct user_opts *o)
{
	static const struct {
		const char *key, *part;
		uint8_t proto;
		enum serving_lack lack;
	} all[] = {
		{"tcp-ports", "tcp", IPPROTO_TCP, LACK_TCP},
		{"udp-ports", "udp", IPPROTO_UDP, LACK_UDP},
	};

	for (size_t i = 0; i < array_len(all); i++) {
		unsigned before = o->n_hostfwds;

		if (add_ports(p, all[i].key, all[i].proto, o) < 0)
			return -1;
		if (o->n_hostfwds > before && (o->serving.lacks & all[i].lack))
			return spec_error(p->s->kind, p->e,
					  "%s= forwards what %s=off turns off",
					  all[i].key, all[i].part);
	}
	return 0;
}

/* As user, whose words are not those that were typed. */
static int resolve_user(const struct passt *p, const char *text,
			struct user_opts *o)
{
	struct netdev_spec *user = NULL;
	char q[QUOTE_LEN];
	int r = netdev_parse(text, &user, p->e);

	if (r == 0)
		r = netdev_user_resolve_for(user, LEASES, o, p->e);
	netdev_spec_free(user);
	if (r < 0)
		error_prefix(p->e, "passt, which is '%s' here: ",
			     quote(q, text));
	return r;
}

int netdev_passt_resolve(const struct netdev_spec *spec, struct user_opts *o,
			 struct error *e)
{
	const struct passt p = {.s = spec, .e = e};
	CLEANUP_FREE char *text = netdev_passt_user(spec, e);
	int r;

	*o = USER_OPTS_NULL;
	if (!text)
		return -1;
	r = resolve_user(&p, text, o);
	if (r == 0)
		r = add_forwards(&p, o);
	if (r < 0)
		user_opts_deinit(o);
	return r;
}

int netdev_check_passt(const struct netdev_spec *s, struct error *e)
{
	struct user_opts o;
	int r = netdev_passt_resolve(s, &o, e);

	if (r == 0)
		user_opts_deinit(&o);
	return r;
}
