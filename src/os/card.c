/* SPDX-License-Identifier: BSD-3-Clause */
/* Network cards of the host; see card.h. */
#include "os/card.h"

#include <errno.h>
#include <net/if_arp.h>

int card_find(const char *ifname, struct rtnl_link *l, struct error *e)
{
	int r = rtnl_link_get(ifname, 0, l);

	if (r == -ENODEV)
		return error_set(e, EXIT_NO_OBJECT,
				 "there is no interface '%s' on this host",
				 ifname);
	if (r < 0)
		return error_errno(e, r, "%s", ifname);
	if (l->type != ARPHRD_ETHER)
		return error_set(e, EXIT_FAILED, "%s is no Ethernet interface",
				 ifname);
	if (!(l->flags & IFF_UP))
		return error_set(e, EXIT_FAILED,
				 "%s is down (set it up: ip link set %s up)",
				 ifname, ifname);
	return 0;
}
