/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * smb= of `user`: connections of guests to the SMB server's address in either
 * family, ports 139 and 445, as rules beside those of guestfwd=.  Called by
 * user_opts.c when the networks and the other rules are known.
 */
#include <stdio.h>
#include <string.h>

#include "grammar/netdev_priv.h"
#include "grammar/number.h"
#include "grammar/user_opts.h"

static const uint16_t ports[] = {139, 445};

/* Nobody else's, and one that a guest finds in its network. */
static bool is_free(const struct user_opts *o, const struct subnet *net,
		    const addr *a)
{
	return user_subnet_has(net, a) && !user_opts_is_servers(o, a) &&
	       !addr_eq(a, &o->dhcp_start4);
}

static int parse_server(const struct netdev_spec *s, const char *key,
			bool is_v4, addr *ap, struct error *e)
{
	const char *text = spec_str(s, key);

	if (!text || (is_v4 ? ip4_parse(text, ap) : ip6_parse(text, ap)))
		return 0;
	return user_error(s, e, "Failed to parse SMB address", key);
}

static int add_rules(const struct netdev_spec *s, struct user_opts *o,
		     bool is_v4, struct error *e)
{
	const struct subnet *net = is_v4 ? &o->v4 : &o->v6;
	const char *key = is_v4 ? "smbserver" : "ipv6-smbserver";
	addr a = user_opts_server(net);

	if (parse_server(s, key, is_v4, &a, e) < 0)
		return -1;
	if (!spec_has(s, "smb"))
		return 0;
	if (!net->is_on && spec_has(s, key))
		return user_error(s, e, is_v4 ? "IPv4 is off" : "IPv6 is off",
				  key);
	for (size_t i = 0; i < array_len(ports) && net->is_on; i++) {
		struct guestfwd_rule *r = &o->guestfwds[o->n_guestfwds];

		*r = (struct guestfwd_rule){
			.server = {.ip = a, .port = ports[i]},
			.kind = GUESTFWD_SMB,
		};
		snprintf(r->target, sizeof(r->target), "%s",
			 spec_str(s, "smb"));
		if (!is_free(o, net, &a) || user_opts_is_taken(o, r))
			return user_error(s, e,
					  "Conflicting/invalid smbserver "
					  "address",
					  key);
		o->n_guestfwds++;
	}
	return 0;
}

int netdev_user_smb(const struct netdev_spec *s, struct user_opts *o,
		    struct error *e)
{
	const char *dir = spec_str(s, "smb");

	if (dir && !*dir)
		return user_error(s, e, "this is no folder", "smb");
	if (dir && strlen(dir) >= GUESTFWD_TARGET_LEN)
		return user_error(s, e, "the folder's name is too long", "smb");
	if (dir && (o->serving.lacks & LACK_TCP))
		return user_error(s, e, "smb= needs what is turned off", "tcp");
	if (!dir && spec_has(s, "smb-readonly"))
		return user_error(s, e, "there is no folder to read without "
					"smb=",
				  "smb-readonly");
	return add_rules(s, o, true, e) < 0 ? -1 : add_rules(s, o, false, e);
}
