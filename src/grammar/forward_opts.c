/* SPDX-License-Identifier: BSD-3-Clause */
/* proxy= and from= of a forward; see forward_opts.h. */
#include "grammar/forward_opts.h"

#include <string.h>

#include "grammar/nearest.h"

static const char *const versions[] = {
	[PROXY_V1] = "v1",
	[PROXY_V2] = "v2",
};

int forward_proxy_parse(const char *text, struct forward_rules *r,
			struct error *e)
{
	char q[QUOTE_LEN];

	for (uint8_t i = PROXY_V1; i < array_len(versions); i++) {
		if (strcmp(text, versions[i]) != 0)
			continue;
		r->proxy = i;
		return 0;
	}
	return error_set(e, EXIT_USAGE,
			 "proxy=%s: the PROXY protocol has versions v1 (text) "
			 "and v2 (binary)",
			 quote(q, text));
}

const char *forward_proxy_name(uint8_t proxy)
{
	return proxy < array_len(versions) ? versions[proxy] : NULL;
}

int forward_from_add(const char *text, struct forward_rules *r,
		     struct error *e)
{
	struct prefix p;
	char q[QUOTE_LEN];
	addr ip;

	if (addr_parse(text, &ip))
		p = (struct prefix){.ip = ip, .len = 128};
	else if (!prefix_parse(text, &p))
		return error_set(e, EXIT_USAGE,
				 "from=%s: wants the addresses and networks "
				 "that may come, as in "
				 "from=192.168.0.0/16,::1",
				 quote(q, text));
	if (r->n_from == FORWARD_SOURCES_MAX)
		return error_set(e, EXIT_USAGE,
				 "from=: more than %d addresses and networks",
				 FORWARD_SOURCES_MAX);
	r->from[r->n_from++] = prefix_network(&p);
	return 0;
}

int forward_rules_check(const struct port_rule *rule,
			const struct forward_rules *r, struct error *e)
{
	if (r->proxy && rule->proto == IPPROTO_UDP)
		return error_set(e, EXIT_USAGE,
				 "proxy=: a header has its place at the "
				 "beginning of a connection, and udp has none; "
				 "leave it out, or forward tcp");
	if (r->n_from && rule->unix_path[0])
		return error_set(e, EXIT_USAGE,
				 "from=: clients of a unix socket have no "
				 "address; the socket's permissions say who "
				 "may come");
	return 0;
}
