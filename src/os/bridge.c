/* SPDX-License-Identifier: BSD-3-Clause */
/* A tap on a bridge; see bridge.h. */
#include "os/bridge.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "base/mem.h"
#include "os/bridge_helper.h"
#include "os/rtnl.h"

static int find_bridge(const char *name, struct rtnl_link *br, struct error *e)
{
	int r = rtnl_link_get(name, 0, br);

	if (r == -ENODEV)
		return error_set(e, EXIT_NO_OBJECT,
				 "bridge: there is no interface '%s' (make it: "
				 "ip link add %s type bridge)",
				 name, name);
	if (r < 0)
		return error_errno(e, r, "bridge: %s", name);
	if (strcmp(br->kind, "bridge") != 0)
		return error_set(e, EXIT_FAILED,
				 "bridge: interface %s is no bridge; a guest "
				 "is put on it itself by macvtap,if=%s or "
				 "packet,if=%s",
				 name, name, name);
	if (!(br->flags & IFF_UP))
		return error_set(e, EXIT_FAILED,
				 "bridge: %s is down (set it up: ip link set "
				 "%s up)",
				 name, name);
	return 0;
}

/* A bridge takes the least address of its ports for its own unless it was
 * given one: this one is greater than all that are likely. */
static mac port_mac(const char *tap)
{
	struct rtnl_link l;

	if (rtnl_link_get(tap, 0, &l) == 0)
		l.mac.b[0] = 0xfe;
	return l.mac;
}

static int enslave(const struct tap_result *t, const struct rtnl_link *br)
{
	struct rtnl_link_change c = {
		.ifname = t->ifname,
		.mtu = br->mtu,
		.mac = port_mac(t->ifname),
		.master = br->index,
	};
	int r = rtnl_link_set(&c);

	if (r < 0)
		return r;
	c = (struct rtnl_link_change){.ifname = t->ifname, .up = true};
	return rtnl_link_set(&c);
}

/* -EPERM: the helper may. */
static int make(const struct bridge_opts *o, const struct rtnl_link *br,
		struct tap_result *t, struct error *e)
{
	struct tap_opts to = {.queues = 1, .vnet_hdr = o->vnet_hdr};
	int r = tap_open(&to, t, e);

	if (r < 0)
		return e->code == EXIT_PERMISSION ? -EPERM : r;
	r = enslave(t, br);
	if (r < 0) {
		tap_result_deinit(t);
		error_errno(e, r, "bridge: cannot put a tap on %s", o->bridge);
	}
	return r;
}

static int ask_helper(const struct bridge_opts *o, struct tap_result *t,
		      struct error *e)
{
	int fd = bridge_helper_run(o->helper, o->bridge,
				   o->patience_ms, e);
	int r;

	if (fd < 0)
		return fd;
	r = tap_adopt(&fd, 1, t, e);
	if (r < 0)
		fd_close(&fd);
	return r;
}

int bridge_tap_open(const struct bridge_opts *o, struct tap_result *t,
		    struct error *e)
{
	struct error denied = ERROR_NULL;
	struct rtnl_link br;
	int r = find_bridge(o->bridge, &br, e);

	*t = TAP_RESULT_NULL;
	if (r < 0)
		return r;
	if (o->asks_helper)
		return ask_helper(o, t, e);
	r = make(o, &br, t, &denied);
	if (r == -EPERM && o->helper)
		return ask_helper(o, t, e);
	if (r < 0)
		*e = denied;
	return r;
}
