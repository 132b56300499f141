/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Netdevs on an interface of the host's that others make and remove: a bridge
 * whose port they are (bridge, tap with helper=), the card that they share
 * (macvtap, packet) or have queues of (af-xdp).  When it is gone the netdev is
 * closed, which takes what is left of it from the host, and the other netdevs
 * go on; when there is one of that name again, the netdev is opened as at the
 * start, with another number.
 *
 *         gone, or refused                there, up
 *   open ---------------> lost ----------------------------> open
 *                          ^ |  there, and cannot be opened:
 *                          +-+  said; again when it has changed
 *
 * Looked at whenever the host's network has changed (os/netwatch.h), by the
 * interface's number, which no other has: one that was removed and made within
 * a moment is another one.
 */
#include <errno.h>
#include <net/if.h>

#include "control/text.h"
#include "keeper/keeper_priv.h"
#include "os/rtnl.h"

/* The last word is the kernel's: what it cannot tell now is as it was. */
static bool is_gone(const struct plan_netdev *n)
{
	struct rtnl_link l;

	if (rtnl_link_get(NULL, n->lower_index, &l) != -ENODEV)
		return false;
	/* Somebody has put the tap on another bridge, and it stays there. */
	return !n->port_index || rtnl_link_get(NULL, n->port_index, &l) < 0 ||
	       !l.master;
}

static void lose(struct keeper *k, struct plan_netdev *n)
{
	log_warn(n->log,
		 "%s: the interface was removed: %s; it is used again when "
		 "there is one of that name",
		 n->name, n->lower);
	event_say(k, EVENT_NETDEV_LOST, "{s:s,s:s}", "netdev", n->name, "text",
		  "the interface was removed");
	engine_link_del(k, n);
	plan_lose(n);
	n->tried_index = 0;
}

static void regain(struct keeper *k, struct plan_netdev *n)
{
	struct error e = ERROR_NULL;
	struct rtnl_link l;

	if (rtnl_link_get(n->lower, 0, &l) < 0 || !(l.flags & IFF_UP)) {
		n->tried_index = 0;
		return;
	}
	/* A try may itself be a change of the host's network: that of a helper
	 * that makes a tap and then refuses it. */
	if (n->tried_index == l.index && n->tried_master == l.master)
		return;
	n->tried_index = l.index;
	n->tried_master = l.master;
	if (n->opener->open(n, &e) < 0) {
		log_warn(n->log, "%s: %s is there again: %s", n->name, n->lower,
			 e.text);
		return;
	}
	n->is_lost = false;
	log_info(n->log, "%s: %s is there again", n->name, n->lower);
	event_say(k, EVENT_NETDEV_BACK, "{s:s}", "netdev", n->name);
	engine_link_add(k, n);
}

bool regain_refused(struct keeper *k, struct plan_netdev *n, const char *why)
{
	struct rtnl_link l;

	if (!k->is_ready || !(n->lower || n->af_xdp))
		return false;
	log_error(n->log, "%s: %s", n->name, why);
	event_say(k, EVENT_NETDEV_LOST, "{s:s,s:o}", "netdev", n->name, "text",
		  text_shown(why));
	engine_link_del(k, n); /* should it have some of it */
	plan_lose(n);
	if (n->lower && rtnl_link_get(n->lower, 0, &l) == 0) {
		n->tried_index = l.index;
		n->tried_master = l.master;
	}
	return true;
}

void regain_look(struct keeper *k, struct plan_netdev *n)
{
	if (n->lower && !n->is_lost && is_gone(n))
		lose(k, n);
	if (n->is_lost)
		regain(k, n);
}
