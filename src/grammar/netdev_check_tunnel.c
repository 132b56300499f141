/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules between the keys of the tunnels, with QEMU's messages for l2tpv3.
 * Called by netdev_check() only. */
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"
#include "grammar/tunnel_opts.h"

enum { AGEING_MAX = 365 * 24 * 3600, TTL_MAX = 255 };

static int check_not_empty(const struct netdev_spec *s, const char *key,
			   struct error *e)
{
	const char *text = spec_str(s, key);

	if (!text || *text)
		return 0;
	return spec_error(s->kind, e, "Parameter '%s' may not be empty", key);
}

static int check_ports(const struct netdev_spec *s, struct error *e)
{
	static const char *const keys[] = {"srcport", "dstport"};
	const char *to = spec_str(s, "dstport");

	for (size_t i = 0; i < array_len(keys); i++) {
		const char *port = spec_str(s, keys[i]);

		if (port && !spec_bool(s, "udp"))
			return spec_error(s->kind, e,
					  "Parameter '%s' is for udp=on; IP "
					  "protocol 115 has no ports",
					  keys[i]);
		if (!port && spec_bool(s, "udp"))
			return spec_error(s->kind, e,
					  "need both src and dst port for udp "
					  "(srcport=, dstport=)");
		if (port &&
		    netdev_check_port(s->kind, keys[i], port, false, e) < 0)
			return -1;
	}
	if (to && strspn(to, "0") == strlen(to))
		return spec_error(s->kind, e,
				  "Parameter 'dstport' may not be 0, it names "
				  "the peer");
	return 0;
}

static int check_cookies(const struct netdev_spec *s, struct error *e)
{
	static const char *const keys[] = {"txcookie", "rxcookie"};

	if (spec_has(s, keys[0]) != spec_has(s, keys[1]))
		return spec_error(s->kind, e,
				  "require both 'rxcookie' and 'txcookie' or "
				  "neither");
	for (size_t i = 0; i < array_len(keys); i++) {
		if (spec_u64(s, keys[i]) > UINT32_MAX &&
		    !spec_bool(s, "cookie64"))
			return spec_error(s->kind, e,
					  "Parameter '%s' is longer than 32 "
					  "bits, which takes cookie64=on",
					  keys[i]);
	}
	return 0;
}

int netdev_check_l2tpv3(const struct netdev_spec *s, struct error *e)
{
	if (check_not_empty(s, "src", e) < 0 ||
	    check_not_empty(s, "dst", e) < 0)
		return -1;
	if (spec_u64(s, "offset") > TUNNEL_OFFSET_MAX)
		return spec_error(s->kind, e,
				  "offset must be less than %d bytes",
				  TUNNEL_OFFSET_MAX);
	return check_ports(s, e) < 0 ? -1 : check_cookies(s, e);
}

static int check_remotes(const struct netdev_spec *s, struct error *e)
{
	size_t n;
	const char *const *list = spec_list(s, "remote", &n);
	addr ip;

	if (n > TUNNEL_REMOTES_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'remote' is given more than %d "
				  "times",
				  TUNNEL_REMOTES_MAX);
	for (size_t i = 0; i < n; i++) {
		char q[QUOTE_LEN];

		if (!*list[i])
			return spec_error(s->kind, e,
					  "Parameter 'remote' may not be "
					  "empty");
		if (addr_parse(list[i], &ip) && !addr_is_unicast(&ip) &&
		    !addr_is_loopback(&ip))
			return spec_error(s->kind, e,
					  "Parameter 'remote' expects the "
					  "address of one peer, not '%s'; "
					  "several are named one by one",
					  quote(q, list[i]));
	}
	return 0;
}

int netdev_check_vxlan(const struct netdev_spec *s, struct error *e)
{
	const char *df = spec_str(s, "df");
	char q[QUOTE_LEN];

	if (spec_u64(s, "vni") > TUNNEL_VNI_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'vni' expects a number of at most "
				  "%d",
				  TUNNEL_VNI_MAX);
	if (!spec_u64(s, "port"))
		return spec_error(s->kind, e,
				  "Parameter 'port' may not be 0, it names the "
				  "peers' port");
	if (!spec_u64(s, "ageing") || spec_u64(s, "ageing") > AGEING_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'ageing' expects 1 to %d seconds",
				  AGEING_MAX);
	if (spec_u64(s, "ttl") > TTL_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'ttl' expects a number of at most "
				  "%d",
				  TTL_MAX);
	if (strcmp(df, "set") && strcmp(df, "unset"))
		return spec_error(s->kind, e,
				  "Parameter 'df' expects set or unset, not "
				  "'%s'",
				  quote(q, df));
	if (check_not_empty(s, "local", e) < 0)
		return -1;
	return check_remotes(s, e);
}
