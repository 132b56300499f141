/* SPDX-License-Identifier: BSD-3-Clause */
/* Ways out of the host; see ways.h. */
#include "os/ways.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "os/rtnl.h"
#include "os/sock.h"
#include "os/sockaddr.h"

enum { PORT_DISCARD = 9 };

/* The link by which the host would speak to that address.  The kernel goes on
 * choosing one whose cable is out, by which nothing goes. */
static bool find_link(const addr *to, uint32_t *linkp)
{
	struct rtnl_route t;
	struct rtnl_link l;
	int index;

	*linkp = 0;
	if (rtnl_route_find(to, &t) < 0)
		return true; /* then it cannot be asked: the way is there */
	index = rtnl_route_index(&t);
	if (index <= 0 || rtnl_link_get(NULL, index, &l) < 0)
		return true;
	*linkp = (uint32_t)index;
	return l.flags & IFF_RUNNING;
}

/* A UDP socket that is connected sends nothing, but has found its route and
 * its source address.  An address of a link is none to speak to the world
 * from, and a host that takes the other end for its own leads nowhere. */
static bool has_way(const addr *to, uint32_t *linkp)
{
	const struct endpoint peer = {.ip = *to, .port = PORT_DISCARD};
	struct endpoint self = {0};
	struct sockaddr_storage ss = {0};
	socklen_t len = sockaddr_from(&peer, &ss);
	CLEANUP_FD int fd =
		socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&ss, len) < 0)
		return false;
	if (sock_bound_to(fd, &self) < 0)
		return false;
	if (!addr_is_unicast(&self.ip) || addr_is_link_local6(&self.ip) ||
	    addr_eq(&self.ip, to))
		return false;
	if (find_link(to, linkp))
		return true;
	*linkp = 0;
	return false;
}

struct ways ways_now(void)
{
	/* Addresses that are nobody's, so that only routes to everywhere lead
	 * there: 6to4 relays' of old (RFC 7526), and the first of the global
	 * ones (2000::/3). */
	const addr v4 = addr_v4(192, 88, 99, 1);
	const addr v6 = {{[0] = 0x20, [15] = 1}};

	struct ways w = {.link4 = 0};

	w.v4 = has_way(&v4, &w.link4);
	w.v6 = has_way(&v6, &w.link6);
	return w;
}
