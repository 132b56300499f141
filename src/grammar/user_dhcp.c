/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of `user` that are about its DHCP servers: pool, lease time,
 * reservations, what clients are told.  Called by user_opts.c when all other
 * addresses of the network are known.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/netdev_priv.h"
#include "grammar/number.h"
#include "grammar/user_opts.h"

enum { LEASE_MIN_SECONDS = 60 };

static int resolve_lease(const struct netdev_spec *s, struct user_opts *o,
			 struct error *e)
{
	const char *text = spec_str(s, "lease");
	uint64_t n;
	bool too_big;

	if (!text)
		return 0;
	if (strcmp(text, "infinite") == 0) {
		o->serving.lease_s = DHCP_FOREVER;
		return 0;
	}
	if (!number_parse(text, DHCP_FOREVER - 1, &n, &too_big) ||
	    n < LEASE_MIN_SECONDS)
		return user_error(s, e,
				  "a lease has 60 seconds at least, or is "
				  "infinite",
				  "lease");
	o->serving.lease_s = (uint32_t)n;
	return 0;
}

static int resolve_end(const struct netdev_spec *s, struct user_opts *o,
		       struct error *e)
{
	const char *text = spec_str(s, "dhcpend");
	addr *last = &o->serving.dhcp_last;

	if (!text)
		return 0;
	if (!ip4_parse(text, last) || !user_subnet_has(&o->v4, last))
		return user_error(s, e, "no machine of the network can have it",
				  "dhcpend");
	if (addr_u32(last) < addr_u32(&o->dhcp_start4))
		return user_error(s, e, "it is before dhcpstart", "dhcpend");
	return 0;
}

/* ---- what clients are told ---- */

static int too_many(const struct netdev_spec *s, const char *key,
		    struct error *e)
{
	return spec_error(s->kind, e, "%s= is given too many times", key);
}

static struct dhcp_option *add_option(struct user_opts *o)
{
	struct dhcp_said *d = &o->dhcp;
	struct dhcp_option *more = reallocarray(
		d->options, d->n_options + 1, sizeof(*more));

	if (!more)
		return NULL;
	d->options = more;
	more[d->n_options] = (struct dhcp_option){.who.kind = DHCP_WHO_ALL};
	return &more[d->n_options++];
}

static int add_value(struct user_opts *o, bool is_v6, uint16_t code,
		     const struct wr *w, struct error *e)
{
	struct dhcp_option *to = wr_len(w) ? add_option(o) : NULL;

	if (!wr_len(w))
		return 0;
	if (!to)
		return error_errno(e, ENOMEM, "user");
	to->is_v6 = is_v6;
	to->code = code;
	to->len = (uint16_t)wr_len(w);
	memcpy(to->value, w->start, wr_len(w));
	return 0;
}

/* Who gets routes by this option looks at no router any more (RFC 3442), so
 * the way out is one of them. */
static void put_way_out(const struct user_opts *o, struct wr *w)
{
	const struct prefix all = {.ip = addr_v4(0, 0, 0, 0), .len = 96};

	if (!addr_is_unspecified(&o->router4))
		dhcp_route_emit(w, &all, &o->router4);
	else if (!o->is_restricted)
		dhcp_route_emit(w, &all, &o->v4.gw);
}

static int resolve_routes(const struct netdev_spec *s, struct user_opts *o,
			  struct error *e)
{
	uint8_t buf[DHCP_VALUE_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	bool has_all = false, is_all;
	size_t n;
	const char *const *texts = spec_list(s, "route", &n);

	for (size_t i = 0; i < n; i++) {
		if (dhcp_route_parse(texts[i], &w, &is_all, e) < 0) {
			error_prefix(e, "user: ");
			return -1;
		}
		has_all |= is_all;
	}
	if (n && !has_all)
		put_way_out(o, &w);
	if (!wr_ok(&w))
		return too_many(s, "route", e);
	return add_value(o, false, DHCP_CODE_ROUTES, &w, e);
}

static int resolve_ntp(const struct netdev_spec *s, struct user_opts *o,
		       struct error *e)
{
	uint8_t v4[DHCP_VALUE_MAX], ntp6[DHCP_VALUE_MAX], sntp6[DHCP_VALUE_MAX];
	struct wr w4 = wr_init(v4, sizeof(v4));
	struct wr wn = wr_init(ntp6, sizeof(ntp6));
	struct wr ws = wr_init(sntp6, sizeof(sntp6));
	size_t n;
	const char *const *texts = spec_list(s, "ntp-server", &n);

	for (size_t i = 0; i < n; i++) {
		addr a;

		if (!addr_parse(texts[i], &a) || !addr_is_unicast(&a))
			return spec_error(s->kind, e,
					  "nobody has this address "
					  "(ntp-server=%s)",
					  texts[i]);
		if (addr_is_v4(&a)) {
			wr_bytes(&w4, a.b + 12, 4);
			continue;
		}
		dhcp_ntp6_emit(&wn, &a);
		wr_bytes(&ws, a.b, sizeof(a.b));
	}
	if (!wr_ok(&w4) || !wr_ok(&wn) || !wr_ok(&ws))
		return too_many(s, "ntp-server", e);
	if (add_value(o, false, DHCP_CODE_NTP, &w4, e) < 0 ||
	    add_value(o, true, DHCP_CODE6_NTP, &wn, e) < 0)
		return -1;
	return add_value(o, true, DHCP_CODE6_SNTP, &ws, e);
}

static int resolve_options(const struct netdev_spec *s, struct user_opts *o,
			   struct error *e)
{
	size_t n;
	const char *const *texts = spec_list(s, "dhcp-option", &n);

	if (n > DHCP_RULES_MAX / 2)
		return too_many(s, "dhcp-option", e);
	for (size_t i = 0; i < n; i++) {
		struct dhcp_option *to = add_option(o);

		if (!to)
			return error_errno(e, ENOMEM, "user");
		if (dhcp_option_parse(texts[i], to, e) < 0) {
			error_prefix(e, "user: ");
			return -1;
		}
	}
	return 0;
}

/* ---- reservations ---- */

static bool is_somebodys(const struct user_opts *o, const addr *a)
{
	if (user_opts_is_servers(o, a))
		return true;
	for (unsigned i = 0; i < o->n_guestfwds; i++) {
		if (addr_eq(a, &o->guestfwds[i].server.ip))
			return true;
	}
	return false;
}

/* The address of IPv4 that has the number of a, which is IPv6's; false: none
 * has. */
static bool number_of(const struct user_opts *o, const addr *a, addr *v4)
{
	uint32_t number = addr_u32(a);
	addr back;

	if (number > UINT32_MAX - addr_u32(&o->v4.net.ip))
		return false;
	*v4 = addr_v4_u32(addr_u32(&o->v4.net.ip) + number);
	return user_subnet_has(&(struct subnet){.is_on = true,
						.net = o->v4.net},
			       v4) &&
	       prefix_twin(v4, &o->v4.net, &o->v6.net, &back) &&
	       addr_eq(&back, a);
}

static int bad(struct error *e, const char *text, const char *why)
{
	return error_set(e, EXIT_USAGE, "user: reserve=%s: %s", text, why);
}

/* Finds the place of one address among those that can be leased. */
static int place(const struct user_opts *o, const char *text, const addr *a,
		 uint32_t *placep, struct error *e)
{
	const struct subnet *s = addr_is_v4(a) ? &o->v4 : &o->v6;
	addr v4 = *a;

	if (!user_subnet_has(s, a))
		return bad(e, text,
			   s->is_on ? "no machine of the network can have this "
				      "address"
				    : "the address is of a family that is off");
	if (is_somebodys(o, a))
		return bad(e, text, "the address is somebody else's already");
	if (!addr_is_v4(a) && !number_of(o, a, &v4))
		return bad(e, text,
			   "an IPv6 address that is leased has the number of "
			   "one of IPv4 behind the prefix, as fd00::50 has "
			   "10.0.2.80's");
	if (is_somebodys(o, &v4))
		return bad(e, text,
			   "the IPv4 address of its number is somebody else's "
			   "already");
	*placep = addr_u32(&v4);
	return 0;
}

/* The place of v in a family, by IPv4's addresses: without an address of the
 * family it is the other's. */
static uint32_t place_in(const struct user_opts *o,
			 const struct dhcp_reservation *v, bool is_v4)
{
	const addr *own = is_v4 ? &v->ip4 : &v->ip6;
	const addr *other = is_v4 ? &v->ip6 : &v->ip4;
	const addr *a = addr_is_unspecified(own) ? other : own;

	return addr_is_v4(a) ? addr_u32(a)
			     : addr_u32(&o->v4.net.ip) + addr_u32(a);
}

/* True if an earlier one has v's place in a family. */
static bool is_twice(const struct user_opts *o,
		     const struct dhcp_reservation *v)
{
	for (const struct dhcp_reservation *w = o->dhcp.reservations; w < v;
	     w++) {
		if (place_in(o, w, true) == place_in(o, v, true) ||
		    (o->v6.is_on &&
		     place_in(o, w, false) == place_in(o, v, false)))
			return true;
	}
	return false;
}

static int check_reservation(struct user_opts *o, const char *text,
			     const struct dhcp_reservation *v, struct error *e)
{
	const addr *both[] = {&v->ip4, &v->ip6};
	struct serving *to = &o->serving;

	for (unsigned i = 0; i < array_len(both); i++) {
		uint32_t at = 0, low = addr_u32(&o->dhcp_start4);

		if (addr_is_unspecified(both[i]))
			continue;
		if (i && o->follows_host)
			return bad(e, text,
				   "in a network that moves along with the "
				   "host's give the IPv4 address only");
		if (place(o, text, both[i], &at, e) < 0)
			return -1;
		if (!addr_is_unspecified(&to->dhcp_lowest))
			low = addr_u32(&to->dhcp_lowest);
		if (at < low)
			to->dhcp_lowest = addr_v4_u32(at);
	}
	if (is_twice(o, v))
		return bad(e, text,
			   "the address, or that of its number in the other "
			   "family, is reserved already");
	return 0;
}

/* The table of leases begins at the lowest of them. */
static int check_span(const struct user_opts *o, const char *text,
		      const struct dhcp_reservation *v, struct error *e)
{
	const addr *first = addr_is_unspecified(&o->serving.dhcp_lowest)
				    ? &o->dhcp_start4
				    : &o->serving.dhcp_lowest;

	if (place_in(o, v, true) - addr_u32(first) < DHCP_POOL_MAX)
		return 0;
	return bad(e, text,
		   "it is more than 4096 addresses away from the first that is "
		   "leased");
}

static int resolve_reservations(const struct netdev_spec *s,
				struct user_opts *o, struct error *e)
{
	struct dhcp_said *d = &o->dhcp;
	size_t n;
	const char *const *texts = spec_list(s, "reserve", &n);

	if (n > DHCP_POOL_MAX)
		return too_many(s, "reserve", e);
	d->reservations = calloc(n + 1, sizeof(*d->reservations));
	if (!d->reservations)
		return error_errno(e, ENOMEM, "user");
	for (size_t i = 0; i < n; i++) {
		struct dhcp_reservation *v = &d->reservations[i];

		if (dhcp_reservation_parse(texts[i], v, e) < 0) {
			error_prefix(e, "user: ");
			return -1;
		}
		d->n_reservations++;
		if (check_reservation(o, texts[i], v, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (check_span(o, texts[i], &d->reservations[i], e) < 0)
			return -1;
	}
	return 0;
}

int netdev_user_dhcp(const struct netdev_spec *s, struct user_opts *o,
		     struct error *e)
{
	if (resolve_lease(s, o, e) < 0 || resolve_end(s, o, e) < 0 ||
	    resolve_routes(s, o, e) < 0 || resolve_ntp(s, o, e) < 0 ||
	    resolve_options(s, o, e) < 0)
		return -1;
	return resolve_reservations(s, o, e);
}
