/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets that are in a multicast group; see host_group.h.
 * #syscalls: socket bind setsockopt close
 */
#include "os/host_group.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/sockaddr.h"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno
								      : 0;
}

/* The group and the interface in the form of each family. */
static int set_member(int fd, const addr *group, uint32_t link)
{
	struct ip_mreqn v4 = {.imr_ifindex = (int)link};
	struct ipv6_mreq v6 = {.ipv6mr_interface = link};
	int r;

	if (addr_is_v4(group)) {
		memcpy(&v4.imr_multiaddr, group->b + 12, 4);
		r = setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &v4,
			       sizeof(v4));
	} else {
		memcpy(&v6.ipv6mr_multiaddr, group->b, 16);
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &v6,
			       sizeof(v6));
	}
	return r < 0 ? -errno : 0;
}

int host_group_link(int fd, bool is_v6, int link)
{
	struct ip_mreqn v4 = {.imr_ifindex = link};

	if (is_v6)
		return set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, link);
	return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &v4, sizeof(v4)) < 0
		       ? -errno
		       : 0;
}

static int make_member(int fd, const struct endpoint *group, uint32_t link)
{
	bool is_v6 = !addr_is_v4(&group->ip);
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(group, &ss);
	int r = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (is_v6)
		((struct sockaddr_in6 *)(void *)&ss)->sin6_scope_id = link;
	if (r == 0 && is_v6)
		r = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	/* Not what others on this host have joined. */
	if (r == 0)
		r = is_v6 ? set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
			  : set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	if (r == 0)
		r = host_group_link(fd, is_v6, (int)link);
	if (r == 0 && bind(fd, (struct sockaddr *)&ss, len) < 0)
		r = -errno;
	return r == 0 ? set_member(fd, &group->ip, link) : r;
}

int host_group_open(const struct endpoint *group, uint32_t link)
{
	int fd = socket(addr_is_v4(&group->ip) ? AF_INET : AF_INET6,
			SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = make_member(fd, group, link);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}
