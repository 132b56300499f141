/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-load serve: the sockets of the server and its loop.
 */
#include "bench/load_serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { BACKLOG = 16384 };

void *source_new(struct server *s, int fd, uint32_t events, size_t size,
		 void (*ready)(struct server *, struct source *, uint32_t))
{
	struct source *src = calloc(1, size);

	if (!src)
		die("no memory");
	src->ready = ready;
	src->fd = fd;
	struct epoll_event e = {.events = events, .data.ptr = src};
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e))
		die("epoll: %s", strerror(errno));
	return src;
}

void source_events(struct server *s, struct source *src, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = src};

	if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, src->fd, &e))
		die("epoll: %s", strerror(errno));
}

void source_close(struct source *src)
{
	if (src->fd >= 0)
		close(src->fd);
	src->fd = -1;
}

void source_drop(struct server *s, struct source *src)
{
	source_close(src);
	src->next_dead = s->dead;
	s->dead = src;
}

int source_accept(const struct source *src)
{
	int fd = accept4(src->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	/* Whoever called would wait in vain, and the listener never rest. */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		die("connections need more descriptors than are allowed here");
	return fd;
}

static void bury(struct server *s)
{
	while (s->dead) {
		struct source *src = s->dead;

		s->dead = src->next_dead;
		free(src);
	}
}

int server_socket(const struct server *s, int type, unsigned offset,
		  const struct in6_addr *self)
{
	struct sockaddr_storage ss = s->addr;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&ss;
	int fd = socket(ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "reuse address");
	if (ss.ss_family == AF_INET6) {
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0, "both families");
		six->sin6_port = htons((uint16_t)(s->port + offset));
		if (self && IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr))
			six->sin6_addr = *self;
	} else {
		((struct sockaddr_in *)&ss)->sin_port =
			htons((uint16_t)(s->port + offset));
	}
	if (bind(fd, (struct sockaddr *)&ss, s->addr_len))
		die("bind to port %u: %s", s->port + offset, strerror(errno));
	return fd;
}

static void listen_on(struct server *s, unsigned offset,
		      void (*ready)(struct server *, struct source *, uint32_t))
{
	int fd = server_socket(s, SOCK_STREAM, offset, NULL);

	/* What is accepted inherits these. */
	set_cc(fd, s->cc);
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "no delay");
	if (listen(fd, BACKLOG))
		die("listen: %s", strerror(errno));
	source_new(s, fd, EPOLLIN, sizeof(struct source), ready);
}

static int datagrams_on(struct server *s, unsigned offset,
			void (*ready)(struct server *, struct source *,
				      uint32_t))
{
	int fd = server_socket(s, SOCK_DGRAM, offset, NULL);

	set_large_buffer(fd);
	if (s->addr.ss_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "pktinfo");
	source_new(s, fd, EPOLLIN, sizeof(struct source), ready);
	return fd;
}

static void stop(struct server *s, struct source *src, uint32_t events)
{
	_exit(0); /* The kernel takes back all that is held. */
}

/* SIGTERM and SIGINT end the server, between two events. */
static void open_signals(struct server *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	source_new(s, signalfd(-1, &set, SFD_CLOEXEC), EPOLLIN,
		   sizeof(struct source), stop);
}

static void open_all(struct server *s)
{
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->chunk = calloc(1, SINK_CHUNK);
	if (s->epoll < 0 || !s->chunk)
		die("no memory");
	s->receiver = receiver_new(s->gro);
	s->echo = udp_echo_new();
	listen_on(s, 0, run_control_accept);
	listen_on(s, 1, run_flow_accept);
	s->udp_data = datagrams_on(s, 1, blast_ready);
	if (s->gro)
		set_option(s->udp_data, IPPROTO_UDP, UDP_GRO, 1, "GRO");
	for (unsigned i = 0; i < ECHO_PORTS; i++) {
		listen_on(s, 2 + i, echo_accept);
		datagrams_on(s, 2 + i, udp_echo_ready);
	}
	open_signals(s);
}

static void parse_addr(struct server *s, const char *text)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&s->addr;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&s->addr;

	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		s->addr_len = sizeof(*four);
	} else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		s->addr_len = sizeof(*six);
	} else {
		usage("addr=%s: not an IPv4 or IPv6 address", text);
	}
}

int load_serve(struct args *a)
{
	struct epoll_event e[EVENTS];
	struct server s = {.cc = args_text(a, "cc", "cubic")};

	s.gro = args_switch(a, "gro", false);
	s.port = (uint16_t)args_number(a, "port", LOAD_PORT, 1,
				       65535 - ECHO_PORTS - 2);
	parse_addr(&s, args_text(a, "addr", "::"));
	args_done(a);
	raise_files();
	open_all(&s);
	printf("{\"ready\":true,\"port\":%u}\n", s.port);
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(s.epoll, e, EVENTS, s.n_busy ? 0 : -1);

		for (int i = 0; i < n; i++) {
			struct source *src = e[i].data.ptr;

			if (src->fd >= 0)
				src->ready(&s, src, e[i].events);
		}
		for (int i = 0; s.n_busy && i < RUNS_MAX; i++)
			if (s.run[i] && run_blast(s.run[i])->busy)
				blast_push(&s, run_blast(s.run[i]));
		bury(&s);
	}
}
