/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagram sockets by name, for netdev dgram; see sock.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/sock.h"
#include "os/sockaddr.h"

int sock_dgram_unix(const char *path, struct error *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	CLEANUP_FD int fd = -1;
	struct stat st;

	if (strlen(path) >= sizeof(sa.sun_path))
		return error_set(e, EXIT_USAGE,
				 "UNIX socket path '%s' is too long", path);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(e, errno, "socket");
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return error_set(e, EXIT_CONFLICT,
					 "%s: exists and is not a socket; "
					 "remove it or use another path",
					 path);
		/* QEMU unlinks, then binds; a socket that is still read is
		 * told from a stale one by connecting. */
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
			return error_set(e, EXIT_CONFLICT,
					 "%s: somebody reads there already; stop "
					 "that or use another path",
					 path);
		if (unlink(path) < 0 && errno != ENOENT)
			return error_errno(e, errno, "%s: stale socket", path);
	}
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return error_errno(e, errno, "cannot bind unix:%s", path);
	return fd_steal(&fd);
}

int sock_dgram_unix_tx(struct error *e)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? error_errno(e, errno, "socket") : fd;
}

int sock_dgram_unix_point(int fd, const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
}

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

	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		return error_errno(e, errno, "cannot bind udp:%s",
				   endpoint_format(ep, text));
	return 0;
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

/* Multicast leaves by the interface that has this address (IPv4). */
static int join_group(const struct sock_mcast *m, const struct endpoint *group,
		      const addr *iface)
{
	const int one = 1;
	struct ip_mreq mreq;
	struct in_addr via;

	if (!addr_is_v4(&group->ip)) {
		struct ipv6_mreq m6 = {.ipv6mr_interface = 0};

		memcpy(&m6.ipv6mr_multiaddr, group->ip.b, 16);
		if (setsockopt(m->rx_fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m6,
			       sizeof(m6)) < 0)
			return -errno;
		return 0;
	}
	memcpy(&mreq.imr_multiaddr, group->ip.b + 12, 4);
	memcpy(&mreq.imr_interface, iface->b + 12, 4);
	if (setsockopt(m->rx_fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq,
		       sizeof(mreq)) < 0)
		return -errno;
	/* Others on this host are to hear us; TTL stays at 1, as QEMU's. */
	if (setsockopt(m->tx_fd, IPPROTO_IP, IP_MULTICAST_LOOP, &one,
		       sizeof(one)) < 0)
		return -errno;
	memcpy(&via, iface->b + 12, 4);
	if (via.s_addr && setsockopt(m->tx_fd, IPPROTO_IP, IP_MULTICAST_IF,
				     &via, sizeof(via)) < 0)
		return -errno;
	return 0;
}

/* The port that tx_fd sends from; its address may differ per interface. */
static int own_source(struct sock_mcast *m)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);

	if (getsockname(m->tx_fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	return sockaddr_to(&ss, &m->self) ? 0 : -EAFNOSUPPORT;
}

int sock_dgram_mcast(const struct endpoint *group, const char *iface,
		     struct sock_mcast *mp, struct error *e)
{
	const int one = 1;
	struct sock_mcast m = SOCK_MCAST_NULL;
	struct endpoint any = {.ip = addr_v4(0, 0, 0, 0)};
	addr via = addr_v4(0, 0, 0, 0);
	int r;

	if (iface && *iface && !addr_parse(iface, &via))
		return error_set(e, EXIT_USAGE,
				 "localaddr '%s' is not a valid IPv4 address",
				 iface);
	if (!addr_is_v4(&group->ip))
		any.ip = (addr){0};
	m.rx_fd = udp_socket(group, e);
	m.tx_fd = m.rx_fd < 0 ? -1 : udp_socket(group, e);
	if (m.tx_fd < 0) {
		fd_close(&m.rx_fd);
		return -1;
	}
	(void)setsockopt(m.rx_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	any.ip = addr_is_v4(&group->ip) ? via : any.ip;
	r = bind_to(m.rx_fd, group, e);
	if (r == 0)
		r = bind_to(m.tx_fd, &any, e);
	if (r == 0) {
		r = join_group(&m, group, &via);
		if (r == 0)
			r = own_source(&m);
		if (r < 0)
			error_errno(e, r, "cannot join the multicast group");
	}
	if (r < 0) {
		fd_close(&m.rx_fd);
		fd_close(&m.tx_fd);
		return r;
	}
	*mp = m;
	return 0;
}
