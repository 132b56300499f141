/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The IPv6 network of a mode's gateway.  It is one of the host's own making
 * (RFC 4193), the same in each run and another for each network, user and
 * host; or with prefix=host one out of a prefix that the host has for others
 * than its own LAN.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/part.h"
#include "grammar/user_opts.h"
#include "mode/mode_priv.h"

enum { TRIES = 256 };

/* IPv6 would not fit into that. */
static bool is_small(const char *mtu)
{
	return mtu && strtoul(mtu, NULL, 10) < USER_MTU_MIN6;
}

static int check_words(const struct mode_spec *s, struct error *e)
{
	static const struct {
		const char *key, *one, *other;
	} words[] = {
		{"ipv4", "on", "off"},
		{"ipv6", "on", "off"},
		{"prefix", "host", "ula"},
	};

	for (size_t i = 0; i < array_len(words); i++) {
		if (mode_check(s, words[i].key, words[i].one, words[i].other,
			       e) < 0)
			return -1;
	}
	if (mode_value(s, "prefix") && mode_value(s, "ipv6-net"))
		return error_set(e, EXIT_USAGE,
				 "%s: prefix= chooses what ipv6-net= names; "
				 "give one of them",
				 s->mode->word);
	return 0;
}

/* What asks for IPv6 in vain. */
static int check_on(const struct mode_spec *s, struct error *e)
{
	/* what is turned off first, then what goes with it */
	static const char *const keys[] = {"ipv6", "prefix", "ipv6-net"};
	bool is_too_small = is_small(mode_value(s, "mtu"));

	for (size_t i = 0; i < array_len(keys); i++) {
		const char *v = mode_value(s, keys[i]);

		if (i && v && mode_is(s, "ipv6", "off"))
			return error_set(e, EXIT_USAGE,
					 "%s: %s= is for IPv6, which ipv6=off "
					 "turns off",
					 s->mode->word, keys[i]);
		if (v && !mode_is(s, keys[i], "off") && is_too_small)
			return error_set(e, EXIT_USAGE,
					 "%s: IPv6 takes an mtu= of %d, and "
					 "%s=%s asks for it",
					 s->mode->word, USER_MTU_MIN6, keys[i],
					 v);
	}
	return 0;
}

/* The n-th choice of bits for this network.  The key is no secret: it keeps
 * the host's identity from being told by what anybody else makes of it. */
static uint64_t bits_of(const struct mode_spec *s, const struct mode_host *h,
			unsigned n)
{
	static const struct hash_key key = {.k0 = 0x766d6c616e206970,
					    .k1 = 0x7636207072656669};
	const char *name = s->name[0] ? s->name : s->mode->word;
	char text[512];
	int len = snprintf(text, sizeof(text), "%s%s%s/%s/%u", name,
			   h->machine ? "-" : "", h->machine ? h->machine : "",
			   h->host_id, n);

	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	return hash_bytes(&key, text, (size_t)len);
}

/* A place in p that the host has no route into. */
static bool find_place(const struct mode_spec *s, const struct mode_host *h,
		       const struct prefix *p, struct prefix *net)
{
	for (unsigned n = 0; n < TRIES; n++) {
		*net = part_of(p, bits_of(s, h, n));
		if (part_is_free(p, net, h->routes, h->n_routes))
			return true;
	}
	return false;
}

static int take_hosts(const struct mode_spec *s, const struct mode_host *h,
		      struct prefix *net, struct error *e)
{
	for (unsigned i = 0; i < h->n_delegated; i++) {
		if (find_place(s, h, &h->delegated[i], net))
			return 0;
	}
	return error_set(e, EXIT_CONFLICT,
			 "%s: prefix=host: the host has no IPv6 prefix shorter "
			 "than /64, and a /64 is one LAN's, which a NAT cannot "
			 "share; use bridged for addresses of that LAN, or "
			 "ipv6-net= with a /64 that is yours",
			 s->mode->word);
}

/* The one that was given, as user reads it. */
static int take_given(const struct mode_spec *s, const struct mode_host *h,
		      const char *given, struct mode_net6 *n, struct error *e)
{
	CLEANUP_FREE char *text = mode_text(
		"user", (const struct mode_pair[]){{"ipv6-net", given},
						   {NULL, NULL}});
	struct user_opts o = USER_OPTS_NULL;
	struct netdev_spec *spec = NULL;
	const struct prefix *route;
	char to[PREFIX_STRLEN];
	int r = text ? netdev_parse(text, &spec, e)
		     : error_set(e, EXIT_FAILED, "out of memory");

	if (r == 0)
		r = netdev_user_resolve(spec, &o, e);
	netdev_spec_free(spec);
	n->net = o.v6.net;
	user_opts_deinit(&o);
	if (r < 0)
		return r;
	route = mode_route_into(h, &n->net);
	if (!route)
		return 0;
	return error_set(e, EXIT_CONFLICT,
			 "%s: ipv6-net=%s: the host has a route to %s, "
			 "which the machines could not reach; give another, or "
			 "none",
			 s->mode->word, given, prefix_format(route, to));
}

int mode_net6(const struct mode_spec *s, const struct mode_host *h,
	      struct mode_net6 *n, struct error *e)
{
	const struct prefix ula = {.ip = {{0xfd}}, .len = 8};
	const char *given = mode_value(s, "ipv6-net");

	*n = (struct mode_net6){.is_on = false};
	if (check_words(s, e) < 0 || check_on(s, e) < 0)
		return -1;
	if (mode_is(s, "ipv6", "off") || !h->host_id ||
	    is_small(mode_value(s, "mtu")))
		return 0; /* user says what else does not go with it */
	n->is_on = true;
	if (given)
		return take_given(s, h, given, n, e);
	n->follows = mode_is(s, "prefix", "host");
	if (n->follows)
		return take_hosts(s, h, &n->net, e);
	if (find_place(s, h, &ula, &n->net))
		return 0;
	return error_set(e, EXIT_CONFLICT,
			 "the host has routes into all IPv6 subnets that vmlan "
			 "would take; give one by ipv6-net=");
}

const char *mode_net6_text(const struct mode_net6 *n, unsigned host,
			   char buf[static PREFIX_STRLEN])
{
	struct prefix p = n->net;

	p.ip.b[15] |= (uint8_t)host;
	return prefix_format(&p, buf);
}
