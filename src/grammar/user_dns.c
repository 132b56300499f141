/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of `user` about names: the zone of the machines, and resolvers;
 * all ours.
 * Called by user_opts.c when all the others are known.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"
#include "grammar/number.h"
#include "grammar/user_opts.h"

/* True if name is below domain, ".local", or that itself. */
static bool is_in(const char *name, const char *domain)
{
	size_t n = strlen(name), k = strlen(domain);

	return (n > k && strcasecmp(name + n - k, domain) == 0) ||
	       strcasecmp(name, domain + 1) == 0;
}

/* Whose names belong to others, or are looked for elsewhere. */
static int check_zone(const struct netdev_spec *s, const char *zone,
		      struct error *e)
{
	static const struct {
		const char *domain, *why;
	} others[] = {
		{".local", "names in .local are asked by mDNS, give another"},
		{".localhost", "names in .localhost are the loopback's, give "
			       "another"},
		{".arpa", "names in .arpa belong to addresses, give another"},
	};

	if (!strchr(zone, '.'))
		return user_error(s, e,
				  "a whole top-level domain cannot be the "
				  "network's, give one below it, as vm.lan",
				  "zone");
	for (size_t i = 0; i < array_len(others); i++) {
		if (is_in(zone, others[i].domain))
			return user_error(s, e, others[i].why, "zone");
	}
	return 0;
}

/* The name server is ours, and guests get to it. */
static bool has_server(const struct user_opts *o)
{
	return !o->serving.has_nameserver && !(o->serving.lacks & LACK_UDP);
}

static bool parse_port(const char *text, uint16_t *portp)
{
	uint64_t n;
	bool too_big;

	if (!number_parse(text, UINT16_MAX, &n, &too_big) || !n)
		return false;
	*portp = (uint16_t)n;
	return true;
}

/* "ADDRESS[:PORT]", an IPv6 one with a port in brackets. */
static bool parse_server(const char *text, struct endpoint *ep)
{
	const char *colon = strchr(text, ':');
	char v4[sizeof("255.255.255.255")];

	ep->port = 53;
	if (*text == '[')
		return ip6_take(&text, &ep->ip) &&
		       (!*text ||
			(*text == ':' && parse_port(text + 1, &ep->port)));
	if (!colon || strchr(colon + 1, ':'))
		return addr_parse(text, &ep->ip);
	if ((size_t)(colon - text) >= sizeof(v4))
		return false;
	memcpy(v4, text, (size_t)(colon - text));
	v4[colon - text] = '\0';
	return ip4_parse(v4, &ep->ip) && parse_port(colon + 1, &ep->port);
}

static int server_error(const struct netdev_spec *s, struct error *e,
			const char *why, const char *text)
{
	char q[QUOTE_LEN];

	return spec_error(s->kind, e, "%s (dns-server=%s)", why,
			  quote(q, text));
}

/* One value of dns-server=. */
static int take_server(const struct netdev_spec *s, const struct user_opts *o,
		       const char *text, struct user_dns_server *v,
		       struct error *e)
{
	const char *slash = strchr(text, '/');
	char domain[USER_NAME_LEN], zone[USER_NAME_LEN + 1];

	*v = (struct user_dns_server){.domain = ""};
	if (slash) {
		if ((size_t)(slash - text) >= sizeof(domain))
			return server_error(s, e, "this is no domain", text);
		memcpy(domain, text, (size_t)(slash - text));
		domain[slash - text] = '\0';
		if (user_name(s, "dns-server", domain, v->domain, e) < 0)
			return -1;
	}
	if (!parse_server(slash ? slash + 1 : text, &v->ep))
		return server_error(s, e,
				    "this is no [DOMAIN/]ADDRESS[:PORT]",
				    text);
	if (!addr_is_loopback(&v->ep.ip) &&
	    (!addr_is_unicast(&v->ep.ip) || addr_is_link_local6(&v->ep.ip)))
		return server_error(s, e, "nobody is found by this address",
				    text);
	snprintf(zone, sizeof(zone), ".%s", o->zone);
	if (*v->domain && *o->zone && is_in(v->domain, zone))
		return server_error(s, e,
				    "names in the zone are answered here, and "
				    "nobody is asked for them",
				    text);
	if (!*v->domain && spec_has(s, "resolver"))
		return server_error(s, e,
				    "resolver= names one for all names "
				    "already, give one of the two",
				    text);
	return 0;
}

static int resolve_servers(const struct netdev_spec *s, struct user_opts *o,
			   struct error *e)
{
	size_t n;
	const char *const *texts = spec_list(s, "dns-server", &n);

	if (n > USER_DNS_SERVERS_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'dns-server' is given %zu times, "
				  "at most %d fit",
				  n, USER_DNS_SERVERS_MAX);
	if (n && o->is_restricted && !o->keeps_services)
		return server_error(s, e,
				    "restrict=on lets no name server ask "
				    "anybody",
				    texts[0]);
	o->dns_servers = calloc(n + 1, sizeof(*o->dns_servers));
	if (!o->dns_servers)
		return error_errno(e, ENOMEM, "user");
	for (; o->n_dns_servers < n; o->n_dns_servers++) {
		if (take_server(s, o, texts[o->n_dns_servers],
				&o->dns_servers[o->n_dns_servers], e) < 0)
			return -1;
	}
	return 0;
}

static int resolve_zone(const struct netdev_spec *s, struct user_opts *o,
			struct error *e)
{
	const char *zone = spec_str(s, "zone");
	size_t len;

	if (strcmp(zone, "off") == 0)
		return 0;
	/* QEMU's restrict=on has no name server. */
	if (o->is_restricted && !o->keeps_services && !spec_has(s, "zone"))
		return 0;
	if (user_name(s, "zone", zone, o->zone, e) < 0)
		return -1;
	len = strlen(o->zone);
	if (o->zone[len - 1] == '.')
		o->zone[len - 1] = '\0';
	if (check_zone(s, o->zone, e) < 0)
		return -1;
	/* Who is told a domain has his own; two would be none too many. */
	if (has_server(o) && !*o->domainname && !o->n_dnssearch)
		memcpy(o->domainname, o->zone, sizeof(o->zone));
	return 0;
}

int netdev_user_dns(const struct netdev_spec *s, struct user_opts *o,
		    struct error *e)
{
	return resolve_zone(s, o, e) < 0 ? -1 : resolve_servers(s, o, e);
}
