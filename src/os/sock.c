/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internet streams by name, descriptors taken over and forwarded ports; see
 * sock.h.  sock_unix.c has the unix sockets, sock_dgram.c the datagrams.
 */
#include "os/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/holder.h"
#include "os/sockaddr.h"

enum { BACKLOG = 4096 };

static int resolve_list(const struct sock_inet *a, bool passive,
			struct addrinfo **listp, struct error *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	const char *host = a->host && *a->host ? a->host : NULL;
	int r;

	if (!a->ipv4 && !a->ipv6)
		return error_set(e, EXIT_USAGE,
				 "address '%s:%s': neither IPv4 nor IPv6 may "
				 "be used",
				 host ? host : "", a->port);
	if (passive)
		hints.ai_flags |= AI_PASSIVE;
	if (a->numeric)
		hints.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	if (a->ipv4 != a->ipv6)
		hints.ai_family = a->ipv4 ? AF_INET : AF_INET6;
	r = getaddrinfo(host, a->port, &hints, listp);
	if (r)
		return error_set(e, EXIT_FAILED, "address '%s:%s': %s",
				 host ? host : "", a->port, gai_strerror(r));
	return 0;
}

static int inet_socket(const struct sock_inet *a, const struct addrinfo *ai)
{
	const int one = 1;
	int proto = a->mptcp ? IPPROTO_MPTCP : 0;
	int fd = socket(ai->ai_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, proto);

	if (fd < 0)
		return -errno;
	/* Latency and liveness options: a kernel without them serves too. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (a->keep_alive)
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one,
				 sizeof(one));
	if (a->keep_alive_count)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT,
				 &a->keep_alive_count, sizeof(uint32_t));
	if (a->keep_alive_idle)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE,
				 &a->keep_alive_idle, sizeof(uint32_t));
	if (a->keep_alive_interval)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL,
				 &a->keep_alive_interval, sizeof(uint32_t));
	return fd;
}

int sock_bound_to(int fd, struct endpoint *ep)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	return sockaddr_to(&ss, ep) ? 0 : -EAFNOSUPPORT;
}

/* One address, its port and, with to=, those above it. */
static int listen_one(const struct sock_inet *a, const struct addrinfo *ai)
{
	const int one = 1;
	struct sockaddr_storage ss = {0};
	struct endpoint ep = {0};
	unsigned last;

	memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
	if (!sockaddr_to(&ss, &ep))
		return -EAFNOSUPPORT;
	last = a->has_to && a->to > ep.port ? a->to : ep.port;
	for (unsigned port = ep.port; port <= last; port++) {
		CLEANUP_FD int fd = inet_socket(a, ai);
		socklen_t len;

		if (fd < 0)
			return fd;
		ep.port = (uint16_t)port;
		len = sockaddr_from(&ep, &ss);
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
				 sizeof(one));
		if (ai->ai_family == AF_INET6 && a->ipv4 != a->ipv6)
			(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
					 sizeof(one));
		if (bind(fd, (struct sockaddr *)&ss, len) == 0 &&
		    listen(fd, BACKLOG) == 0)
			return fd_steal(&fd);
		if (errno != EADDRINUSE || port == last)
			return -errno;
	}
	return -EADDRINUSE;
}

/* What the person asked for; 0 if it cannot be told. */
static struct endpoint endpoint_of(const struct addrinfo *ai)
{
	struct sockaddr_storage ss = {0};
	struct endpoint ep = {0};

	if (!ai)
		return ep;
	memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
	(void)sockaddr_to(&ss, &ep); /* else 0 */
	return ep;
}

static int listen_error(const struct sock_inet *a, const struct endpoint *ep,
			int err, struct error *e)
{
	const char *host = a->host ? a->host : "";
	char who[128];

	if (err == -EADDRNOTAVAIL)
		return error_set(e, EXIT_FAILED,
				 "cannot listen on tcp:%s:%s: this host has no "
				 "such address; leave it out for all of them",
				 host, a->port);
	if (err != -EADDRINUSE)
		return error_errno(e, err, "cannot listen on tcp:%s:%s", host,
				   a->port);
	holder_of_port(IPPROTO_TCP, ep, who, sizeof(who));
	if (a->has_to)
		return error_set(e, EXIT_CONFLICT,
				 "tcp ports %s to %u are all held (%s by %s); "
				 "choose others",
				 a->port, a->to, a->port, who);
	return error_set(e, EXIT_CONFLICT,
			 "tcp port %s is held by %s; choose another", a->port,
			 who);
}

int sock_listen_inet(const struct sock_inet *a, struct endpoint *boundp,
		     struct error *e)
{
	struct addrinfo *list = NULL;
	int fd = -EADDRNOTAVAIL;
	int r = resolve_list(a, true, &list, e);
	struct endpoint ep;
	uint16_t port;

	if (r < 0)
		return r;
	ep = endpoint_of(list);
	port = ep.port;
	if (a->has_to && a->to < port)
		fd = -EINVAL;
	for (struct addrinfo *ai = list; ai && fd < 0 && fd != -EINVAL;
	     ai = ai->ai_next) {
		ep = endpoint_of(ai);
		fd = listen_one(a, ai);
	}
	freeaddrinfo(list);
	if (fd == -EINVAL && a->has_to && a->to < port)
		return error_set(e, EXIT_USAGE,
				 "to=%u is below port %u: no port to try",
				 a->to, port);
	if (fd < 0)
		return listen_error(a, &ep, fd, e);
	*boundp = (struct endpoint){0};
	(void)sock_bound_to(fd, boundp); /* only told to people */
	return fd;
}

/* Begins a connection: fd, or a negative errno.  What is refused at once, as
 * on this host, is known here, so that the next address has its turn. */
static int connect_one(const struct sock_inet *a, const struct addrinfo *ai)
{
	CLEANUP_FD int fd = inet_socket(a, ai);
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int err = 0;

	if (fd < 0)
		return fd;
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	if (poll(&p, 1, 0) == 1 && p.revents & POLLERR &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err)
		return -err;
	return fd_steal(&fd);
}

int sock_connect_inet(const struct sock_inet *a, struct error *e)
{
	struct addrinfo *list = NULL;
	int r = resolve_list(a, false, &list, e);
	int fd = -EADDRNOTAVAIL;

	if (r < 0)
		return r;
	for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
		fd = connect_one(a, ai);
	freeaddrinfo(list);
	if (fd >= 0)
		return fd;
	return error_errno(e, fd, "cannot connect to tcp:%s:%s",
			   a->host ? a->host : "", a->port);
}

int sock_connect_result(int fd, struct error *e)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err)
		return error_errno(e, err, "cannot connect");
	return 0;
}

int sock_resolve(const char *host, const char *port, bool numeric,
		 struct endpoint *ep, struct error *e)
{
	return sock_resolve_as(host, port, numeric ? SOCK_NUMERIC : SOCK_ANY,
			       ep, e);
}

/* The first of the list that is of IPv4, if is_v4, or else of another. */
static bool pick(const struct addrinfo *list, bool is_v4, struct endpoint *ep)
{
	struct sockaddr_storage ss = {0};

	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) {
		if ((ai->ai_family == AF_INET) != is_v4)
			continue;
		memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
		if (sockaddr_to(&ss, ep))
			return true;
	}
	return false;
}

int sock_resolve_as(const char *host, const char *port, enum sock_way way,
		    struct endpoint *ep, struct error *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	struct addrinfo *list = NULL;
	bool found;
	int r;

	if (way == SOCK_NUMERIC)
		hints.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	if (way == SOCK_V4 || way == SOCK_V6)
		hints.ai_family = way == SOCK_V4 ? AF_INET : AF_INET6;
	r = getaddrinfo(host && *host ? host : NULL, port, &hints, &list);
	if (r == EAI_SERVICE)
		return error_set(e, EXIT_FAILED,
				 "no service is called '%s'; give its port as "
				 "a number",
				 port);
	if (r)
		return error_set(e, EXIT_FAILED,
				 "can't resolve host address '%s': %s",
				 host ? host : "", gai_strerror(r));
	found = pick(list, true, ep) || pick(list, false, ep);
	freeaddrinfo(list);
	if (!found)
		return error_set(e, EXIT_FAILED,
				 "can't resolve host address '%s'",
				 host ? host : "");
	return 0;
}

void sock_set_buffers(int fd)
{
	static const struct {
		int forced, wished;
	} sides[] = {
		{SO_RCVBUFFORCE, SO_RCVBUF},
		{SO_SNDBUFFORCE, SO_SNDBUF},
	};
	const int size = 8 << 20;

	for (size_t i = 0; i < array_len(sides); i++) {
		/* Who may not is given what the host allows everybody. */
		if (setsockopt(fd, SOL_SOCKET, sides[i].forced, &size,
			       sizeof(size)) < 0)
			(void)setsockopt(fd, SOL_SOCKET, sides[i].wished, &size,
					 sizeof(size));
	}
}

static const char *type_name(int type)
{
	if (type == SOCK_STREAM)
		return "stream";
	return type == SOCK_DGRAM ? "datagram" : "packet";
}

/* A stream must listen, or have its peer. */
static int check_stream(int fd, bool listening, struct error *e)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(int);
	int accepts = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) < 0)
		return error_errno(e, errno, "fd=%d", fd);
	if ((bool)accepts != listening)
		return error_set(e, EXIT_USAGE,
				 "fd=%d %s; with server=on it must listen, "
				 "without it must be connected",
				 fd, accepts ? "listens" : "does not listen");
	len = sizeof(ss);
	if (!listening && getpeername(fd, (struct sockaddr *)&ss, &len) < 0)
		return error_set(e, EXIT_USAGE,
				 "fd=%d is not connected to anybody", fd);
	return 0;
}

int sock_fd_take(int fd, int type, bool listening, struct error *e)
{
	CLEANUP_FD int copy = -1;
	socklen_t len = sizeof(int);
	int got = 0, fl;

	if (fcntl(fd, F_GETFD) < 0)
		return error_set(e, EXIT_USAGE,
				 "Can't set file descriptor %d non-blocking: "
				 "Bad file descriptor",
				 fd);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &got, &len) < 0)
		return error_set(e, EXIT_USAGE, "fd=%d is not a socket", fd);
	if (got != type)
		return error_set(e, EXIT_USAGE,
				 "fd=%d is a %s socket, a %s socket is needed",
				 fd, type_name(got), type_name(type));
	if (type == SOCK_STREAM && check_stream(fd, listening, e) < 0)
		return -EINVAL;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	fl = copy < 0 ? -1 : fcntl(copy, F_GETFL);
	if (fl < 0 || fcntl(copy, F_SETFL, fl | O_NONBLOCK) < 0)
		return error_errno(e, errno, "fd=%d", fd);
	if (fd > 2)
		close(fd);
	return fd_steal(&copy);
}

static int forward_error(uint8_t proto, const struct endpoint *ep, int err,
			 struct error *e)
{
	const char *name = proto == IPPROTO_UDP ? "udp" : "tcp";
	char where[ENDPOINT_STRLEN], who[128];

	endpoint_format(ep, where);
	if (err == EADDRINUSE)
		return error_set(
			e, EXIT_CONFLICT,
			"cannot forward %s %s: the port is held by %s; "
			"stop that or choose another port",
			name, where,
			holder_of_port(proto, ep, who, sizeof(who)));
	if (err == EACCES)
		return error_set(e, EXIT_PERMISSION,
				 "cannot forward %s %s: ports below "
				 "net.ipv4.ip_unprivileged_port_start need "
				 "root; choose one from 1024 up, or lower that "
				 "sysctl",
				 name, where);
	if (err == EADDRNOTAVAIL || err == EAFNOSUPPORT)
		return error_set(e, EXIT_USAGE,
				 "cannot forward %s %s: this host has no such "
				 "address",
				 name, where);
	return error_errno(e, err, "cannot forward %s %s", name, where);
}

bool sock_has_address(const addr *ip)
{
	const struct endpoint ep = {.ip = *ip};
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(&ep, &ss);
	CLEANUP_FD int fd =
		socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && bind(fd, (struct sockaddr *)&ss, len) == 0;
}

/* A socket for it, and how it is said to bind(). */
static int forward_socket(uint8_t proto, const struct endpoint *ep,
			  struct sockaddr_storage *ss, socklen_t *lenp)
{
	const int one = 1;
	bool tcp = proto == IPPROTO_TCP;
	int fd;

	*lenp = sockaddr_from(ep, ss);
	fd = socket(ss->ss_family,
		    (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK |
			    SOCK_CLOEXEC,
		    0);
	if (fd < 0)
		return -errno;
	if (tcp) /* connections of before in TIME_WAIT are no holders */
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
				 sizeof(one));
	if (ss->ss_family == AF_INET6) /* [::] is no more than it says */
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
				 sizeof(one));
	return fd;
}

int sock_listen_forward(uint8_t proto, struct endpoint *ep, struct error *e)
{
	struct sockaddr_storage ss;
	socklen_t len;
	CLEANUP_FD int fd = forward_socket(proto, ep, &ss, &len);

	if (fd < 0)
		return forward_error(proto, ep, -fd, e);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 ||
	    (proto == IPPROTO_TCP && listen(fd, BACKLOG) < 0))
		return forward_error(proto, ep, errno, e);
	if (!ep->port)
		(void)sock_bound_to(fd, ep); /* only told to people */
	return fd_steal(&fd);
}

/* Who lets others in is told from who does not by SO_REUSEADDR, which both must
 * have while the second one is bound. */
static void share_port(int fd, int is_shared)
{
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &is_shared,
			 sizeof(is_shared));
}

void sock_retire_forward(int fd, uint8_t proto)
{
	if (proto == IPPROTO_TCP)
		(void)shutdown(fd, SHUT_RDWR); /* it listens no more */
	else
		share_port(fd, 1);
}

int sock_listen_again(const struct endpoint *ep)
{
	struct sockaddr_storage ss;
	socklen_t len;
	CLEANUP_FD int fd = forward_socket(IPPROTO_UDP, ep, &ss, &len);

	if (fd < 0)
		return fd;
	share_port(fd, 1);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		return -errno;
	share_port(fd, 0);
	return fd_steal(&fd);
}
