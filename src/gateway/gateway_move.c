/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The gateway's IPv6 network becomes another (gateway_move6): the host, of
 * whose prefix it is a part, has got another prefix.  Guests hear that the new
 * one is theirs and the old one is deprecated (RFC 7084 L-13, RFC 9096 3.5);
 * what they have there goes on: NAT and services know them by both.  Called by
 * the engine; the worker's thread.
 */
#include <errno.h>
#include <string.h>

#include "gateway/gateway_priv.h"

#define SECOND_NS UINT64_C(1000000000)

static void forget(struct gateway *gw, unsigned i)
{
	struct nat_env *env = &gw->nat;
	unsigned behind = --env->n_was6 - i;

	memmove(&env->was6[i], &env->was6[i + 1],
		behind * sizeof(env->was6[0]));
	memmove(&gw->nd.was_ns[i], &gw->nd.was_ns[i + 1],
		behind * sizeof(gw->nd.was_ns[0]));
}

static void remember(struct gateway *gw)
{
	struct nat_env *env = &gw->nat;

	if (env->n_was6 == NAT_WAS_MAX)
		forget(gw, NAT_WAS_MAX - 1);
	memmove(&env->was6[1], &env->was6[0],
		env->n_was6 * sizeof(env->was6[0]));
	memmove(&gw->nd.was_ns[1], &gw->nd.was_ns[0],
		env->n_was6 * sizeof(gw->nd.was_ns[0]));
	env->was6[0] = env->v6;
	gw->nd.was_ns[0] = *env->now_ns;
	env->n_was6++;
}

void gateway_move_expire(struct gateway *gw)
{
	const uint64_t now = *gw->nat.now_ns;

	for (unsigned i = gw->nat.n_was6; i-- > 0;) {
		if (now - gw->nd.was_ns[i] < GATEWAY_WAS_SECONDS * SECOND_NS)
			continue;
		gateway_pause(gw);
		forget(gw, i);
		gateway_resume(gw);
	}
}

int gateway_move6(struct gateway *gw, const struct subnet *to)
{
	struct nat_env *env = &gw->nat;

	if (!env->v6.is_on || !to->is_on ||
	    env->v6.net.len != SLAAC_LEN || to->net.len != SLAAC_LEN)
		return -EINVAL;
	if (addr_eq(&to->net.ip, &env->v6.net.ip))
		return 0;
	gateway_pause(gw);
	remember(gw);
	env->v6 = *to;
	/* It may have been there before. */
	for (unsigned i = env->n_was6; i-- > 0;) {
		if (addr_eq(&env->was6[i].net.ip, &to->net.ip))
			forget(gw, i);
	}
	gateway_resume(gw);
	gw->service.v6 = *to;
	gateway_names(gw);
	if (gw->dhcp6)
		dhcp6_moved(gw->dhcp6);
	gateway_nd_changed(gw);
	return 0;
}
