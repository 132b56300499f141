/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP sockets by name, for netdev dgram, and the tunnels'; see sock.h. */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/holder.h"
#include "os/sock.h"
#include "os/sockaddr.h"

static int udp_socket(const struct endpoint *ep, struct error *e)
{
	int fd = socket(addr_is_v4(&ep->ip) ? AF_INET : AF_INET6,
			SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? error_errno(e, errno, "socket") : fd;
}

static int bind_to(int fd, const struct endpoint *ep, struct error *e)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(ep, &ss);
	char text[ENDPOINT_STRLEN];

	if (bind(fd, (struct sockaddr *)&ss, len) == 0)
		return 0;
	if (errno == EADDRINUSE) {
		char who[128];

		return error_set(e, EXIT_CONFLICT,
				 "cannot bind udp:%s: the port is held by %s; "
				 "stop that or choose another port",
				 endpoint_format(ep, text),
				 holder_of_port(IPPROTO_UDP, ep, who,
						sizeof(who)));
	}
	if (errno == EADDRNOTAVAIL)
		return error_set(e, EXIT_FAILED,
				 "cannot bind udp:%s: this host has no such "
				 "address; give one that it has",
				 endpoint_format(ep, text));
	return error_errno(e, errno, "cannot bind udp:%s",
			   endpoint_format(ep, text));
}

int sock_dgram_inet(const char *host, const char *port,
		    const struct endpoint *remote, struct error *e)
{
	CLEANUP_FD int fd = -1;
	struct endpoint ep;
	int r;

	r = sock_resolve(host, port, false, &ep, e);
	if (r < 0)
		return r;
	if (addr_is_v4(&ep.ip) != addr_is_v4(&remote->ip))
		return error_set(e, EXIT_USAGE,
				 "local and remote are of different families");
	fd = udp_socket(&ep, e);
	if (fd < 0)
		return fd;
	r = bind_to(fd, &ep, e);
	return r < 0 ? r : fd_steal(&fd);
}

static int join_v6(const struct sock_mcast *m, const struct endpoint *group)
{
	struct ipv6_mreq mreq = {.ipv6mr_interface = 0};

	memcpy(&mreq.ipv6mr_multiaddr, group->ip.b, 16);
	return setsockopt(m->rx_fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq,
			  sizeof(mreq)) < 0
		       ? -errno
		       : 0;
}

/* Multicast comes and goes by the interface that has the address iface. */
static int join_v4(const struct sock_mcast *m, const struct endpoint *group,
		   const addr *iface)
{
	const int on = 1, off = 0;
	struct ip_mreq mreq;

	memcpy(&mreq.imr_multiaddr, group->ip.b + 12, 4);
	memcpy(&mreq.imr_interface, iface->b + 12, 4);
	/* Only what this socket joined, not what others on this host did. */
	if (setsockopt(m->rx_fd, IPPROTO_IP, IP_MULTICAST_ALL, &off,
		       sizeof(off)) < 0 ||
	    setsockopt(m->rx_fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq,
		       sizeof(mreq)) < 0)
		return -errno;
	/* Others on this host are to hear us; TTL stays at 1, as QEMU's. */
	if (setsockopt(m->tx_fd, IPPROTO_IP, IP_MULTICAST_LOOP, &on,
		       sizeof(on)) < 0)
		return -errno;
	if (mreq.imr_interface.s_addr &&
	    setsockopt(m->tx_fd, IPPROTO_IP, IP_MULTICAST_IF,
		       &mreq.imr_interface, sizeof(mreq.imr_interface)) < 0)
		return -errno;
	return 0;
}

/* The port that tx_fd sends from; its address may differ per interface. */
static int own_source(struct sock_mcast *m)
{
	return sock_bound_to(m->tx_fd, &m->self);
}

static int mcast_open(struct sock_mcast *m, const struct endpoint *group,
		      const addr *iface, struct error *e)
{
	const int one = 1;
	const struct endpoint any = {.ip = *iface};
	char text[ENDPOINT_STRLEN];
	int r;

	m->rx_fd = udp_socket(group, e);
	if (m->rx_fd < 0)
		return m->rx_fd;
	m->tx_fd = udp_socket(group, e);
	if (m->tx_fd < 0)
		return m->tx_fd;
	/* Each machine of the group on this host is bound to its port. */
	(void)setsockopt(m->rx_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	r = bind_to(m->rx_fd, group, e);
	if (r == 0)
		r = bind_to(m->tx_fd, &any, e);
	if (r < 0)
		return r;
	r = addr_is_v4(&group->ip) ? join_v4(m, group, iface)
				   : join_v6(m, group);
	if (r == 0)
		r = own_source(m);
	if (r < 0)
		return error_errno(e, r, "cannot join the multicast group %s%s",
				   endpoint_format(group, text),
				   r == -ENODEV
					   ? " (no interface has a route to "
					     "it: give the address of one)"
					   : "");
	return 0;
}

int sock_dgram_mcast(const struct endpoint *group, const char *iface,
		     struct sock_mcast *mp, struct error *e)
{
	struct sock_mcast m = SOCK_MCAST_NULL;
	addr via = addr_is_v4(&group->ip) ? addr_v4(0, 0, 0, 0) : (addr){0};
	int r;

	if (iface && *iface &&
	    (!addr_parse(iface, &via) || !addr_is_v4(&via) ||
	     !addr_is_v4(&group->ip)))
		return error_set(e, EXIT_USAGE,
				 "localaddr '%s' is not a valid IPv4 address",
				 iface);
	r = mcast_open(&m, group, &via, e);
	if (r < 0) {
		fd_close(&m.rx_fd);
		fd_close(&m.tx_fd);
		return r;
	}
	*mp = m;
	return 0;
}

/* ---- tunnels ---- */

/* What holds for all that it sends; before it is bound. */
static int tunnel_set_up(int fd, const struct sock_tunnel *t)
{
	bool is_v4 = addr_is_v4(&t->local.ip);
	int level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
	int df = is_v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER;
	int how = is_v4 ? IP_PMTUDISC_DONT : IPV6_PMTUDISC_WANT;
	int ttl = is_v4 ? IP_TTL : IPV6_UNICAST_HOPS;
	const int hops = t->ttl;

	if (t->sets_df)
		how = is_v4 ? IP_PMTUDISC_DO : IPV6_PMTUDISC_DO;
	if (setsockopt(fd, level, df, &how, sizeof(how)) < 0 ||
	    (hops && setsockopt(fd, level, ttl, &hops, sizeof(hops)) < 0))
		return -errno;
	sock_set_buffers(fd);
	return 0;
}

int sock_tunnel_udp(struct sock_tunnel *t, struct error *e)
{
	CLEANUP_FD int fd = udp_socket(&t->local, e);
	const int on = 1;
	int r;

	if (fd < 0)
		return fd;
	r = tunnel_set_up(fd, t);
	if (r == 0 && !addr_is_v4(&t->local.ip) &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		r = -errno;
	if (r < 0)
		return error_errno(e, r, "cannot set up a UDP socket");
	/* RFC 6935 5: tunnels may leave the checksum out.  A kernel that does
	 * not know that drops such datagrams, as it always did. */
	if (!addr_is_v4(&t->local.ip))
		(void)setsockopt(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, &on,
				 sizeof(on));
	r = bind_to(fd, &t->local, e);
	if (r < 0)
		return r;
	r = sock_bound_to(fd, &t->local);
	if (r < 0)
		return error_errno(e, r, "cannot tell the port of a socket");
	return fd_steal(&fd);
}

int sock_tunnel_raw(struct sock_tunnel *t, int proto, struct error *e)
{
	const struct endpoint remote = {.ip = t->remote};
	struct sockaddr_storage own, peer;
	socklen_t own_len = sockaddr_from(&t->local, &own);
	socklen_t peer_len = sockaddr_from(&remote, &peer);
	CLEANUP_FD int fd = socket(own.ss_family,
				   SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
				   proto);
	char text[ADDR_STRLEN];
	int r;

	if (fd < 0 && (errno == EPERM || errno == EACCES))
		return error_set(e, EXIT_PERMISSION,
				 "IP protocol %d takes CAP_NET_RAW (root); "
				 "udp=on does without",
				 proto);
	if (fd < 0)
		return error_errno(e, errno, "cannot open IP protocol %d",
				   proto);
	r = tunnel_set_up(fd, t);
	if (r < 0)
		return error_errno(e, r, "cannot set up IP protocol %d", proto);
	if (bind(fd, (struct sockaddr *)&own, own_len) < 0)
		return error_errno(e, errno, "could not bind to %s",
				   addr_format(&t->local.ip, text));
	if (connect(fd, (struct sockaddr *)&peer, peer_len) < 0)
		return error_errno(e, errno, "no way to %s",
				   addr_format(&t->remote, text));
	r = sock_bound_to(fd, &t->local);
	if (r < 0)
		return error_errno(e, r, "cannot tell the address of a socket");
	t->local.port = 0; /* the kernel says 115 */
	return fd_steal(&fd);
}

uint32_t sock_tunnel_mtu(const struct sock_tunnel *t)
{
	const struct endpoint any = {.ip = t->local.ip};
	const struct endpoint remote = {.ip = t->remote, .port = 9};
	CLEANUP_FD int fd = udp_socket(&any, NULL);
	bool is_v4 = addr_is_v4(&any.ip);
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(&any, &ss);
	int mtu = 0;

	/* Connected, it has a route; nothing is sent. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len) < 0)
		return 0;
	len = sockaddr_from(&remote, &ss);
	if (connect(fd, (struct sockaddr *)&ss, len) < 0)
		return 0;
	len = sizeof(mtu);
	if (getsockopt(fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
		       is_v4 ? IP_MTU : IPV6_MTU, &mtu, &len) < 0)
		return 0;
	return mtu > 0 ? (uint32_t)mtu : 0;
}
