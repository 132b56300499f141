/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses, sockets and the kernel's counters, for both ends of bench-load.
 */
#include "bench/load.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static socklen_t parse_address(const char *text, struct sockaddr_storage *ss)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST,
				 .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	socklen_t len;

	if (getaddrinfo(text, NULL, &hints, &found))
		usage("%s: not an IPv4 or IPv6 address", text);
	len = found->ai_addrlen;
	memcpy(ss, found->ai_addr, len);
	freeaddrinfo(found);
	return len;
}

static void set_port(struct sockaddr_storage *ss, unsigned port)
{
	if (ss->ss_family == AF_INET)
		((struct sockaddr_in *)ss)->sin_port = htons((uint16_t)port);
	else
		((struct sockaddr_in6 *)ss)->sin6_port = htons((uint16_t)port);
}

void target_init(struct target *t, struct args *a)
{
	const char *from = args_text(a, "bind", NULL);

	*t = (struct target){
		.name = args_word(a),
		.port = (uint16_t)args_number(a, "port", LOAD_PORT, 1,
					      65535 - ECHO_PORTS - 2),
		.cc = args_text(a, "cc", "cubic"),
		.timeout_s = (int)args_number(a, "timeout", 5, 1, 600),
	};
	if (!t->name)
		usage("which host?");
	t->to_len = parse_address(t->name, &t->to);
	if (from)
		t->from_len = parse_address(from, &t->from);
}

void set_option(int fd, int level, int name, int value, const char *what)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die("%s: %s", what, strerror(errno));
}

void set_large_buffer(int fd)
{
	int size = 8 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size,
				 sizeof(size));
}

void set_cc(int fd, const char *cc)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc,
		       (socklen_t)strlen(cc)))
		die("congestion control %s: %s", cc, strerror(errno));
}

unsigned long raise_files(void)
{
	struct rlimit r = {.rlim_cur = 1 << 18, .rlim_max = 1 << 18};

	if (!setrlimit(RLIMIT_NOFILE, &r))
		return r.rlim_cur;
	if (getrlimit(RLIMIT_NOFILE, &r))
		die("getrlimit: %s", strerror(errno));
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
	return r.rlim_cur;
}

/* A socket to speak to port + offset, whose address is put in to. */
static int new_socket(const struct target *t, int type, unsigned offset,
		      struct sockaddr_storage *to)
{
	int fd = socket(t->to.ss_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	*to = t->to;
	set_port(to, t->port + offset);
	if (!t->from_len)
		return fd;
	set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, "bind later");
	if (bind(fd, (const struct sockaddr *)&t->from, t->from_len))
		die("bind: %s", strerror(errno));
	return fd;
}

static int connect_socket(const struct target *t, int type, unsigned offset)
{
	struct sockaddr_storage to;
	int fd = new_socket(t, type, offset, &to);
	struct timeval tv = {.tv_sec = t->timeout_s};
	int err;

	if (type == SOCK_STREAM)
		set_cc(fd, t->cc);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (!connect(fd, (const struct sockaddr *)&to, t->to_len))
		return fd;
	err = errno == EINPROGRESS ? ETIMEDOUT : errno;
	die("connect to %s port %u: %s", t->name, t->port + offset,
	    strerror(err));
}

int target_tcp(const struct target *t, unsigned offset)
{
	int fd = connect_socket(t, SOCK_STREAM, offset);

	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "no delay");
	return fd;
}

int target_udp(const struct target *t, unsigned offset)
{
	return connect_socket(t, SOCK_DGRAM, offset);
}

int target_tcp_begin(const struct target *t, unsigned offset)
{
	struct sockaddr_storage to;
	int fd = new_socket(t, SOCK_STREAM | SOCK_NONBLOCK, offset, &to);

	if (!connect(fd, (const struct sockaddr *)&to, t->to_len) ||
	    errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

unsigned tcp_retrans(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return 0;
	return info.tcpi_total_retrans;
}

unsigned socket_drops(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len))
		return 0;
	return info[SK_MEMINFO_DROPS];
}

static void ended(const char *what, ssize_t n)
{
	if (n == 0)
		die("%s: the server has gone", what);
	die("%s: %s", what,
	    errno == EAGAIN ? "the server does not answer" : strerror(errno));
}

void write_all(int fd, const void *p, size_t len, const char *what)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			ended(what, -1);
		p = (const char *)p + n;
		len -= (size_t)n;
	}
}

void read_all(int fd, void *p, size_t len, const char *what)
{
	while (len) {
		ssize_t n = recv(fd, p, len, 0);

		if (n <= 0)
			ended(what, n);
		p = (char *)p + n;
		len -= (size_t)n;
	}
}

/* The value under a name in a pair of lines of /proc/net/netstat. */
static int64_t column(const char *names, const char *values, const char *name)
{
	size_t len = strlen(name);

	while (*names && *values) {
		if (!strncmp(names, name, len) && strchr(" \n", names[len]))
			return strtoll(values, NULL, 10);
		names += strcspn(names, " ");
		names += *names == ' ';
		values += strcspn(values, " ");
		values += *values == ' ';
	}
	return 0;
}

static FILE *open_netstat(void)
{
	FILE *f = fopen("/proc/thread-self/net/netstat", "re");

	if (!f)
		die("/proc/net/netstat: %s", strerror(errno));
	return f;
}

void netstat_read(struct netstat *s)
{
	FILE *f = open_netstat();
	char names[8192];
	char values[8192];

	*s = (struct netstat){0};
	while (fgets(names, sizeof(names), f) &&
	       fgets(values, sizeof(values), f)) {
		if (strncmp(names, "TcpExt:", 7))
			continue;
		s->timeouts = column(names, values, "TCPTimeouts");
		s->out_of_order = column(names, values, "TCPOFOQueue");
	}
	fclose(f);
}
