/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of vde; see vde_opts.h. */
#include "grammar/vde_opts.h"

#include <stdlib.h>
#include <string.h>

#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"

enum { MODE_MAX = 0777 };

/* libvdeplug's way to write more than a folder: vde://DIR[PORT]. */
static int take_brackets(const struct netdev_spec *s, const char *at,
			 struct vde_opts *o, struct error *e)
{
	char q[QUOTE_LEN];
	char *end;
	unsigned long port = strtoul(at + 1, &end, 10);

	if (at[1] == ']')
		return spec_error(s->kind, e,
				  "sock=%s is a cable between two programs, "
				  "with no switch; use dgram",
				  quote(q, spec_str(s, "sock")));
	if (end == at + 1 || strcmp(end, "]") || port > UINT16_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'sock' expects a folder, or "
				  "FOLDER[PORT], not '%s'",
				  quote(q, spec_str(s, "sock")));
	if (spec_u64(s, "port") && spec_u64(s, "port") != port)
		return spec_error(s->kind, e,
				  "sock= names port %lu and port= another",
				  port);
	o->port = (uint16_t)port;
	return 0;
}

static int take_sock(const struct netdev_spec *s, struct vde_opts *o,
		     struct error *e)
{
	static const char scheme[] = "vde://";
	const char *sock = spec_str(s, "sock");
	const char *text = sock, *bracket;
	char q[QUOTE_LEN];
	size_t len;

	if (!sock)
		return 0;
	if (!strncmp(text, scheme, sizeof(scheme) - 1))
		text += sizeof(scheme) - 1;
	else if (strstr(text, "://"))
		return spec_error(s->kind, e,
				  "sock=%s is no switch, but another plug-in "
				  "of libvdeplug; name a folder, and use "
				  "another netdev for the rest (help lists "
				  "them)",
				  quote(q, sock));
	bracket = strchr(text, '[');
	len = bracket ? (size_t)(bracket - text) : strlen(text);
	if (len == 0)
		return spec_error(s->kind, e,
				  "Parameter 'sock' may not be empty");
	if (len > VDE_FOLDER_MAX)
		return spec_error(s->kind, e,
				  "the folder '%s' is too long (sock, at most "
				  "%d bytes)",
				  quote(q, sock), VDE_FOLDER_MAX);
	memcpy(o->folder, text, len);
	return bracket ? take_brackets(s, bracket, o, e) : 0;
}

int vde_opts_get(const struct netdev_spec *s, struct vde_opts *o,
		 struct error *e)
{
	bool is_server = spec_bool(s, "server");
	int r;

	*o = (struct vde_opts){.port = (uint16_t)spec_u64(s, "port"),
			       .mode = (uint16_t)spec_u64(s, "mode")};
	r = take_sock(s, o, e);
	if (r < 0)
		return r;
	if (o->mode > MODE_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'mode' expects permissions, "
				  "0700 for example, at most 0777");
	if (spec_has(s, "group") && !*spec_str(s, "group"))
		return spec_error(s->kind, e,
				  "Parameter 'group' may not be empty");
	if (is_server && o->port)
		return spec_error(s->kind, e,
				  "port= is a client's; who plugs in chooses");
	if (!is_server && (spec_has(s, "max") || spec_has(s, "mgmt")))
		return spec_error(s->kind, e,
				  "max= and mgmt= are only valid with "
				  "server=on");
	if (spec_has(s, "mgmt") && !*spec_str(s, "mgmt"))
		return spec_error(s->kind, e,
				  "Parameter 'mgmt' may not be empty");
	return 0;
}
