/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses as the guest sees them and as the host does (env.h).  Called by
 * every part of the NAT; no state.
 */
#include "nat/env.h"

#include "base/nat64.h"

/* Destinations that no router carries: "this network" and loopback on a wire
 * (RFC 1122 3.2.1.3), class E and broadcast, multicast, addresses of a link
 * (RFC 4291 2.5.6). */
static bool is_martian(const addr *a)
{
	uint32_t v4;

	if (addr_is_unspecified(a) || addr_is_loopback(a) ||
	    addr_is_multicast(a) || addr_is_link_local6(a))
		return true;
	if (!addr_is_v4(a))
		return false;
	v4 = addr_u32(a);
	return v4 >> 24 == 0 || v4 >> 28 == 15;
}

bool nat_map_out(const struct nat_env *env, uint8_t proto,
		 const struct endpoint *dst, struct endpoint *to)
{
	struct endpoint real = *dst;

	/* From here on it is as an IPv4 guest would have it (RFC 6146). */
	if (nat64_has(&env->nat64, &dst->ip))
		real.ip = nat64_v4(&dst->ip);
	if (is_martian(&real.ip))
		return false;
	*to = real;
	if (nat_is_host(env, &real.ip))
		to->ip = addr_loopback(&real.ip);
	else if (nat_is_inside(env, &real.ip))
		to->ip = (addr){{0}}; /* nobody, unless redirect knows */
	if (env->redirect && !env->redirect(env->arg, proto, &real, to))
		return false;
	return !addr_is_unspecified(&to->ip);
}

struct endpoint nat_map_in(const struct nat_env *env,
			   const struct endpoint *src, const addr *guest)
{
	bool is_64 = env->nat64.len && addr_is_v4(&src->ip) &&
		     !addr_is_v4(guest);
	/* The host as an IPv4 guest sees it. */
	bool is_host4 = is_64 && env->v4.is_on && addr_is_loopback(&src->ip);
	const struct subnet *s = nat_subnet(env, guest);
	struct endpoint seen = *src;

	if (is_64)
		seen.ip = nat64_v6(&env->nat64,
				   is_host4 ? nat_host(env, &env->v4)
					    : &src->ip);
	/* An outer network may use the guest's own prefix; its machines are
	 * shown as the gateway too, or the guest would look for them on its
	 * own wire. */
	if (env->has_other_router ||
	    addr_is_unspecified(&src->ip) || addr_is_link_local6(&src->ip) ||
	    addr_is_v4(&seen.ip) != addr_is_v4(guest) ||
	    nat_is_inside(env, &src->ip))
		seen.ip = s->gw;
	else if (addr_is_loopback(&src->ip) && !is_host4)
		seen.ip = *nat_host(env, s);
	return seen;
}

struct endpoint nat_map_client(const struct nat_env *env,
			       const struct endpoint *src, const addr *guest)
{
	struct endpoint seen = nat_map_in(env, src, guest);

	if (addr_is_v4(guest) ? env->lacks_way4 : env->lacks_way6)
		seen.ip = nat_subnet(env, guest)->gw;
	return seen;
}
