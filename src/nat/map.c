/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses as the guest sees them and as the host does (env.h).  Called by
 * every part of the NAT; no state.
 */
#include "nat/env.h"

/* Destinations that no router carries: "this network" and loopback on a wire
 * (RFC 1122 3.2.1.3), class E and broadcast, multicast. */
static bool is_martian(const addr *a)
{
	uint32_t v4;

	if (addr_is_unspecified(a) || addr_is_loopback(a) ||
	    addr_is_multicast(a))
		return true;
	if (!addr_is_v4(a))
		return false;
	v4 = addr_u32(a);
	return v4 >> 24 == 0 || v4 >> 28 == 15;
}

bool nat_map_out(const struct nat_env *env, uint8_t proto,
		 const struct endpoint *dst, struct endpoint *to)
{
	bool local = prefix_has(&env->net4, &dst->ip) ||
		     addr_eq(&dst->ip, &env->dns4);

	if (is_martian(&dst->ip))
		return false;
	*to = *dst;
	if (addr_eq(&dst->ip, &env->gw4))
		to->ip = addr_v4(127, 0, 0, 1);
	else if (local)
		to->ip = (addr){{0}}; /* nobody, unless redirect knows */
	if (env->redirect && !env->redirect(env->arg, proto, dst, to))
		return false;
	return !addr_is_unspecified(&to->ip);
}

struct endpoint nat_map_in(const struct nat_env *env,
			   const struct endpoint *src)
{
	struct endpoint seen = *src;

	/* An outer network may use the guest's own prefix; its machines are
	 * shown as the gateway too, or the guest would look for them on its
	 * own wire. */
	if (env->has_other_router || addr_is_loopback(&src->ip) ||
	    addr_is_unspecified(&src->ip) || prefix_has(&env->net4, &src->ip))
		seen.ip = env->gw4;
	return seen;
}
