/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The gateway that several modes have, and its subnet.  Machines could not
 * reach what the host reaches at their own network's addresses, so a subnet
 * that the host has a route into is not taken: the next one is, and that is
 * said; one that was asked for by name is refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/user_opts.h"
#include "mode/mode_priv.h"

/* Where to look, in this order; the first is QEMU's. */
static const struct {
	uint32_t first;
	unsigned n; /* subnets of /24 from there on */
} places[] = {
	{0x0a000200, 64},  /* 10.0.2.0 */
	{0xac1c0000, 64},  /* 172.28.0.0 */
	{0xc0a8dc00, 32},  /* 192.168.220.0 */
};

static bool overlaps(const struct prefix *a, const struct prefix *b)
{
	return prefix_has(a, &b->ip) || prefix_has(b, &a->ip);
}

const struct prefix *mode_route_into(const struct mode_host *h,
				     const struct prefix *net)
{
	for (unsigned i = 0; i < h->n_routes; i++) {
		if (addr_is_v4(&h->routes[i].ip) == addr_is_v4(&net->ip) &&
		    overlaps(&h->routes[i], net))
			return &h->routes[i];
	}
	return NULL;
}

static int find_place(const struct mode_host *h, struct prefix *net,
		      struct error *e)
{
	for (size_t i = 0; i < array_len(places); i++) {
		for (unsigned k = 0; k < places[i].n; k++) {
			*net = (struct prefix){
				.ip = addr_v4_u32(places[i].first + (k << 8)),
				.len = 96 + 24};
			if (!mode_route_into(h, net))
				return 0;
		}
	}
	return error_set(e, EXIT_CONFLICT,
			 "the host has routes into all subnets that vmlan "
			 "would take; give one by net=");
}

/* True for the mode's own keys, which user does not know. */
static bool is_own(const char *option)
{
	return strncmp(option, "dhcp=", 5) == 0 ||
	       strncmp(option, "exec=", 5) == 0 ||
	       strncmp(option, "ifname=", 7) == 0 ||
	       strncmp(option, "backend=", 8) == 0 ||
	       strncmp(option, "prefix=", 7) == 0 ||
	       /* user would turn the other family off */
	       strcmp(option, "ipv4=on") == 0 || strcmp(option, "ipv6=on") == 0;
}

/* True if its key is one of those in more, ",KEY=VALUE..". */
static bool is_replaced(const char *option, const char *more)
{
	size_t len = strcspn(option, "=") + 1;

	while ((more = strchr(more, ','))) {
		if (strncmp(++more, option, len) == 0)
			return true;
	}
	return false;
}

static char *print(const struct mode_spec *s, const struct prefix *net,
		   const struct mode_net6 *net6, const char *more)
{
	char text4[PREFIX_STRLEN], text6[PREFIX_STRLEN];
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs("user", f);
	if (net)
		fprintf(f, ",net=%s", prefix_format(net, text4));
	if (net6->is_on && !mode_value(s, "ipv6-net"))
		fprintf(f, ",ipv6-net=%s", mode_net6_text(net6, 0, text6));
	/* A router of the kernel's does not move along. */
	if (net6->follows && !strstr(more, ",ipv6-router="))
		fputs(",ipv6-follow=on", f);
	for (unsigned i = 0; i < s->n_options; i++) {
		if (!is_own(s->options[i]) && !is_replaced(s->options[i], more))
			mode_put_key(f, s->options[i]);
	}
	fputs(more, f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Judges what was given with user's own checks, and learns its subnet. */
static int check(const struct mode_spec *s, const char *text,
		 struct prefix *net, struct error *e)
{
	struct user_opts o = USER_OPTS_NULL;
	struct netdev_spec *spec = NULL;
	int r;

	if (!text)
		return error_errno(e, ENOMEM, "%s", s->mode->word);
	r = netdev_parse(text, &spec, e);
	if (r == 0)
		r = netdev_user_resolve(spec, &o, e);
	if (r == 0)
		*net = o.v4.net;
	user_opts_deinit(&o);
	netdev_spec_free(spec);
	return r;
}

int mode_gateway(const struct mode_spec *s, const struct mode_host *h,
		 const char *more, struct mode_netdevs *n, struct error *e)
{
	char own[PREFIX_STRLEN], to[PREFIX_STRLEN];
	CLEANUP_FREE char *text = NULL;
	const struct prefix *route;
	struct prefix net, was;
	bool is_off = mode_is(s, "ipv4", "off");
	bool is_given = mode_value(s, "net") != NULL;
	struct mode_net6 net6 = {.is_on = false};

	if (!strstr(more, ",ipv6=off") && mode_net6(s, h, &net6, e) < 0)
		return -1;
	if (!is_given && !is_off && find_place(h, &net, e) < 0)
		return -1;
	text = print(s, is_given || is_off ? NULL : &net, &net6, more);
	if (check(s, text, &net, e) < 0)
		return -1;
	if (is_off)
		return mode_netdev_add(n, mem_steal(text), e);
	route = is_given ? mode_route_into(h, &net) : NULL;
	if (route)
		return error_set(e, EXIT_CONFLICT,
				 "%s: net=%s: the host has a route to %s, "
				 "which the machines could not reach; give "
				 "another, or none",
				 s->mode->word, mode_value(s, "net"),
				 prefix_format(route, to));
	was = (struct prefix){.ip = addr_v4_u32(places[0].first),
			      .len = 96 + 24};
	route = is_given ? NULL : mode_route_into(h, &was);
	if (route)
		snprintf(n->said, sizeof(n->said),
			 "the network is %s, for the host has a route to %s",
			 prefix_format(&net, own), prefix_format(route, to));
	return mode_netdev_add(n, mem_steal(text), e);
}
