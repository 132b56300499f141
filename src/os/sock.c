/* SPDX-License-Identifier: BSD-3-Clause */
/* Stream sockets by name; see sock.h. sock_dgram.c has the datagrams. */
#include "os/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/holder.h"
#include "os/sockaddr.h"

enum { BACKLOG = 4096 };

static int unix_addr(const char *path, bool is_abstract, bool is_tight,
		     struct sockaddr_un *sa, socklen_t *lenp, struct error *e)
{
	size_t len = strlen(path);
	size_t at = is_abstract ? 1 : 0;

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!len || len + at >= sizeof(sa->sun_path))
		return error_set(e, EXIT_USAGE,
				 "UNIX socket path '%s' is too long (at most "
				 "%zu bytes)",
				 path, sizeof(sa->sun_path) - 1 - at);
	memcpy(sa->sun_path + at, path, len);
	*lenp = sizeof(*sa);
	if (is_abstract && is_tight)
		*lenp = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				    len);
	return 0;
}

static int unix_socket(struct error *e)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? error_errno(e, errno, "socket") : fd;
}

/* Makes room for a listener at path: nothing there, or a socket that nobody
 * listens on any more. */
static int clear_path(const char *path, const struct sockaddr_un *sa,
		      struct error *e)
{
	CLEANUP_FD int fd = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : error_errno(e, errno, "%s", path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(e, EXIT_CONFLICT,
				 "%s: exists and is not a socket; remove it or "
				 "use another path",
				 path);
	fd = unix_socket(e);
	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ||
	    errno == EAGAIN)
		return error_set(e, EXIT_CONFLICT,
				 "%s: somebody listens there already; stop that "
				 "or use another path",
				 path);
	if (errno != ECONNREFUSED)
		return error_errno(e, errno, "%s", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return error_errno(e, errno, "%s: stale socket", path);
	return 0;
}

int sock_listen_unix(const char *path, bool is_abstract, bool is_tight,
		     struct error *e)
{
	CLEANUP_FD int fd = -1;
	struct sockaddr_un sa;
	socklen_t len;
	int r;

	r = unix_addr(path, is_abstract, is_tight, &sa, &len, e);
	if (r == 0 && !is_abstract)
		r = clear_path(path, &sa, e);
	if (r < 0)
		return r;
	fd = unix_socket(e);
	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, BACKLOG) < 0)
		return error_errno(e, errno, "cannot listen on unix:%s", path);
	return fd_steal(&fd);
}

int sock_connect_unix(const char *path, bool is_abstract, bool is_tight,
		      struct error *e)
{
	CLEANUP_FD int fd = -1;
	struct sockaddr_un sa;
	socklen_t len;
	int r;

	r = unix_addr(path, is_abstract, is_tight, &sa, &len, e);
	if (r < 0)
		return r;
	fd = unix_socket(e);
	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&sa, len) < 0)
		return error_errno(e, errno, "cannot connect to unix:%s", path);
	return fd_steal(&fd);
}

static int resolve_list(const struct sock_inet *a, bool passive,
			struct addrinfo **listp, struct error *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	const char *host = a->host && *a->host ? a->host : NULL;
	int r;

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

static int bound_to(int fd, struct endpoint *ep)
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

int sock_listen_inet(const struct sock_inet *a, struct endpoint *boundp,
		     struct error *e)
{
	struct addrinfo *list = NULL;
	int fd = -EADDRNOTAVAIL;
	int r = resolve_list(a, true, &list, e);

	if (r < 0)
		return r;
	for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
		fd = listen_one(a, ai);
	freeaddrinfo(list);
	if (fd == -EADDRINUSE) {
		char who[128];

		return error_set(e, EXIT_CONFLICT,
				 "tcp port %s is held by %s; choose another",
				 a->port,
				 holder_of_port(IPPROTO_TCP,
						(uint16_t)atoi(a->port), who,
						sizeof(who)));
	}
	if (fd < 0)
		return error_errno(e, fd, "cannot listen on tcp:%s:%s",
				   a->host ? a->host : "", a->port);
	*boundp = (struct endpoint){0};
	(void)bound_to(fd, boundp); /* only told to people */
	return fd;
}

int sock_connect_inet(const struct sock_inet *a, struct error *e)
{
	struct addrinfo *list = NULL;
	int r = resolve_list(a, false, &list, e);
	int err = EADDRNOTAVAIL;

	if (r < 0)
		return r;
	for (struct addrinfo *ai = list; ai; ai = ai->ai_next) {
		CLEANUP_FD int fd = inet_socket(a, ai);

		if (fd < 0) {
			err = -fd;
			continue;
		}
		if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0 ||
		    errno == EINPROGRESS) {
			freeaddrinfo(list);
			return fd_steal(&fd);
		}
		err = errno;
	}
	freeaddrinfo(list);
	return error_errno(e, err, "cannot connect to tcp:%s:%s",
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
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	struct sockaddr_storage ss = {0};
	struct addrinfo *list = NULL;
	bool found = false;
	int r;

	if (numeric)
		hints.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	r = getaddrinfo(host && *host ? host : NULL, port, &hints, &list);
	if (r)
		return error_set(e, EXIT_FAILED,
				 "can't resolve host address '%s': %s", host,
				 gai_strerror(r));
	for (int pass = 0; pass < 2 && !found; pass++) {
		for (struct addrinfo *ai = list; ai && !found;
		     ai = ai->ai_next) {
			if ((ai->ai_family == AF_INET) != (pass == 0))
				continue;
			memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
			found = sockaddr_to(&ss, ep);
		}
	}
	freeaddrinfo(list);
	if (!found)
		return error_set(e, EXIT_FAILED,
				 "can't resolve host address '%s'", host);
	return 0;
}

int sock_fd_take(int fd, int type, bool listening, struct error *e)
{
	socklen_t len = sizeof(int);
	int got = 0, accepts = 0, copy;

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
				 fd, got == SOCK_STREAM ? "stream" : "datagram",
				 type == SOCK_STREAM ? "stream" : "datagram");
	len = sizeof(int);
	if (type == SOCK_STREAM &&
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) == 0 &&
	    (bool)accepts != listening)
		return error_set(e, EXIT_USAGE,
				 "fd=%d %s; with server=on it must listen, "
				 "without it must be connected",
				 fd, accepts ? "listens" : "does not listen");
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0 || fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) |
						     O_NONBLOCK) < 0)
		return error_errno(e, errno, "fd=%d", fd);
	if (fd > 2)
		close(fd);
	return copy;
}

static int forward_error(uint8_t proto, const struct endpoint *ep, int err,
			 struct error *e)
{
	const char *name = proto == IPPROTO_UDP ? "udp" : "tcp";
	char where[ENDPOINT_STRLEN], who[128];

	endpoint_format(ep, where);
	if (err == EADDRINUSE)
		return error_set(e, EXIT_CONFLICT,
				 "cannot forward %s %s: the port is held by %s; "
				 "stop that or choose another port",
				 name, where,
				 holder_of_port(proto, ep->port, who,
						sizeof(who)));
	if (err == EACCES)
		return error_set(e, EXIT_PERMISSION,
				 "cannot forward %s %s: ports below "
				 "net.ipv4.ip_unprivileged_port_start need "
				 "root; choose one from 1024 up, or lower that "
				 "sysctl",
				 name, where);
	if (err == EADDRNOTAVAIL)
		return error_set(e, EXIT_USAGE,
				 "cannot forward %s %s: this host has no such "
				 "address",
				 name, where);
	return error_errno(e, err, "cannot forward %s %s", name, where);
}

int sock_listen_forward(uint8_t proto, struct endpoint *ep, struct error *e)
{
	const int one = 1;
	CLEANUP_FD int fd = -1;
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(ep, &ss);
	bool tcp = proto == IPPROTO_TCP;

	fd = socket(ss.ss_family,
		    (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK |
			    SOCK_CLOEXEC,
		    0);
	if (fd < 0)
		return forward_error(proto, ep, errno, e);
	if (tcp) /* connections of before in TIME_WAIT are no holders */
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
				 sizeof(one));
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 ||
	    (tcp && listen(fd, BACKLOG) < 0))
		return forward_error(proto, ep, errno, e);
	if (!ep->port)
		(void)bound_to(fd, ep); /* only told to people */
	return fd_steal(&fd);
}
