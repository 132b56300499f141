/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moves bytes over one TCP connection and tells what it saw, for the tests.
 *
 *      xfer serve PORT            any number of connections, each a command:
 *          'S' u64 n: the client sends n bytes; answer: their hash and
 *                     the longest pause in us (16 bytes), after the client's
 *                     half-close
 *          'R' u64 n: the server sends n bytes, then half-closes, then reads
 *                     until the client closes
 *      xfer echo PORT             echoes, for crowds of connections
 *      xfer send HOST PORT BYTES  -> "hash stall_us"
 *      xfer recv HOST PORT BYTES  -> "hash stall_us"
 *      xfer crr HOST PORT[+N] RATE SECONDS   opens and closes RATE connections a
 *                     second (a byte each way) -> "done failed"
 *      xfer hold HOST PORT N      opens N, prints "open N", waits for stdin
 *                     to end, a byte over each, prints "alive N"
 *
 * The bytes are a generator's, so both ends know the hash they must get.
 * -b CC before the command sets the congestion control of its sockets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 1 << 18 };

static const char *congestion;

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000;
}

/* Byte stream and hash: position-dependent, so that order counts. */
static void fill(uint8_t *p, size_t n, uint64_t at)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t x = (at + i) * 0x9e3779b97f4a7c15u;

		p[i] = (uint8_t)(x >> 56);
	}
}

static uint64_t hash_more(uint64_t h, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

#define HASH_START 0xcbf29ce484222325u

static int put_all(int fd, const void *buf, size_t n)
{
	const uint8_t *p = buf;

	while (n) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

		if (k <= 0)
			return -1;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

static int get_all(int fd, void *buf, size_t n)
{
	return recv(fd, buf, n, MSG_WAITALL) == (ssize_t)n ? 0 : -1;
}

static int pump_out(int fd, uint64_t n, uint64_t *hashp)
{
	static uint8_t buf[CHUNK];
	uint64_t at = 0;

	*hashp = HASH_START;
	while (at < n) {
		size_t k = n - at < CHUNK ? (size_t)(n - at) : CHUNK;

		fill(buf, k, at);
		*hashp = hash_more(*hashp, buf, k);
		if (put_all(fd, buf, k) < 0)
			return -1;
		at += k;
	}
	return 0;
}

/* Reads to the end of the stream; longest pause between two reads. */
static int pump_in(int fd, uint64_t n, uint64_t *hashp, uint64_t *stallp)
{
	static uint8_t buf[CHUNK];
	uint64_t got = 0, last = now_us();

	*hashp = HASH_START;
	*stallp = 0;
	for (;;) {
		ssize_t k = recv(fd, buf, CHUNK, 0);
		uint64_t t = now_us();

		if (k < 0)
			return -1;
		if (t - last > *stallp && got)
			*stallp = t - last;
		last = t;
		if (!k)
			return got == n ? 0 : -1;
		*hashp = hash_more(*hashp, buf, (size_t)k);
		got += (uint64_t)k;
	}
}

static void serve_one(int fd)
{
	uint64_t n, out[2];
	char cmd;

	if (get_all(fd, &cmd, 1) < 0)
		return;
	if (cmd == 'E') { /* echo bytes one by one until the end */
		while (get_all(fd, &cmd, 1) == 0 && put_all(fd, &cmd, 1) == 0)
			;
		return;
	}
	if (get_all(fd, &n, sizeof(n)) < 0)
		return;
	if (cmd == 'S') {
		if (pump_in(fd, n, &out[0], &out[1]) == 0)
			put_all(fd, out, sizeof(out));
	} else if (cmd == 'R') {
		if (pump_out(fd, n, &out[0]) == 0)
			shutdown(fd, SHUT_WR);
		while (recv(fd, &cmd, 1, 0) > 0)
			;
	}
}

/* Echo for crowds: one process, any number of connections. */
static void serve_echo(int lfd)
{
	static struct epoll_event ev[256];
	int ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN, .data.fd = lfd};

	epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &e);
	for (;;) {
		int n = epoll_wait(ep, ev, 256, -1);

		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;
			char b[256];
			ssize_t k;

			if (fd == lfd) {
				while ((fd = accept4(lfd, NULL, NULL,
						     SOCK_NONBLOCK)) >= 0) {
					e.data.fd = fd;
					epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
				}
				continue;
			}
			k = recv(fd, b, sizeof(b), 0);
			if (k <= 0 || send(fd, b, (size_t)k, MSG_NOSIGNAL) < 0)
				close(fd);
		}
	}
}

static int listen_on(const char *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&sa, sizeof(sa)) < 0 || listen(fd, 4096) < 0) {
		perror("xfer: bind");
		exit(1);
	}
	return fd;
}

static int serve(const char *port)
{
	int lfd = listen_on(port);

	for (;;) {
		int fd = accept(lfd, NULL, NULL);

		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (fd < 0)
			continue;
		if (fork() == 0) {
			close(lfd);
			serve_one(fd);
			_exit(0);
		}
		close(fd);
	}
}

static void many_descriptors(void)
{
	struct rlimit rl;

	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
}

static int echo(const char *port)
{
	int lfd = listen_on(port);

	many_descriptors();
	if (fcntl(lfd, F_SETFL, O_NONBLOCK) < 0)
		return 1;
	serve_echo(lfd);
	return 0;
}

static struct sockaddr_in target(const char *host, const char *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(port))};

	if (inet_pton(AF_INET, host, &sa.sin_addr) != 1) {
		fprintf(stderr, "xfer: %s: no address\n", host);
		exit(2);
	}
	return sa;
}

static int connect_to(const struct sockaddr_in *sa, int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd >= 0 && congestion &&
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
		       (socklen_t)strlen(congestion)) < 0) {
		perror(congestion);
		exit(2);
	}
	if (fd < 0 || (connect(fd, (const void *)sa, sizeof(*sa)) < 0 &&
		       errno != EINPROGRESS)) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static int do_send(const struct sockaddr_in *sa, uint64_t n)
{
	uint64_t hash, out[2];
	int fd = connect_to(sa, 0);

	if (fd < 0 || put_all(fd, "S", 1) < 0 || put_all(fd, &n, 8) < 0 ||
	    pump_out(fd, n, &hash) < 0) {
		perror("xfer: send");
		return 1;
	}
	shutdown(fd, SHUT_WR);
	if (get_all(fd, out, sizeof(out)) < 0) {
		perror("xfer: answer");
		return 1;
	}
	printf("%s %llu\n", out[0] == hash ? "equal" : "DIFFERENT",
	       (unsigned long long)out[1]);
	return out[0] != hash;
}

static int do_recv(const struct sockaddr_in *sa, uint64_t n)
{
	static uint8_t buf[CHUNK];
	uint64_t want = HASH_START, hash = 0, stall = 0;
	int fd = connect_to(sa, 0);

	for (uint64_t at = 0; at < n;) {
		size_t k = n - at < CHUNK ? (size_t)(n - at) : CHUNK;

		fill(buf, k, at);
		want = hash_more(want, buf, k);
		at += k;
	}
	if (fd < 0 || put_all(fd, "R", 1) < 0 || put_all(fd, &n, 8) < 0 ||
	    pump_in(fd, n, &hash, &stall) < 0) {
		perror("xfer: recv");
		return 1;
	}
	printf("%s %llu\n", hash == want ? "equal" : "DIFFERENT",
	       (unsigned long long)stall);
	return hash != want;
}

/* Connections opened and closed at a rate, one after another's byte. */
static int do_crr(const struct sockaddr_in *first, unsigned ports,
		  unsigned rate, unsigned seconds)
{
	uint64_t start = now_us(), done = 0, failed = 0;
	uint64_t total = (uint64_t)rate * seconds;

	for (uint64_t i = 0; i < total; i++) {
		uint64_t due = start + i * 1000000 / rate;
		uint64_t now = now_us();
		struct sockaddr_in sa = *first;
		char c = 'E';
		int fd;

		sa.sin_port = htons((uint16_t)(ntohs(sa.sin_port) + i % ports));
		if (due > now)
			usleep((useconds_t)(due - now));
		fd = connect_to(&sa, 0);
		if (fd < 0 || put_all(fd, &c, 1) < 0 || get_all(fd, &c, 1) < 0)
			failed++;
		else
			done++;
		if (fd >= 0)
			close(fd);
	}
	printf("%llu %llu %llu\n", (unsigned long long)done,
	       (unsigned long long)failed,
	       (unsigned long long)(now_us() - start));
	return failed != 0;
}

static int do_hold(const struct sockaddr_in *sa, unsigned n)
{
	int *fd = calloc(n, sizeof(*fd));
	uint64_t start = now_us();
	unsigned open = 0, alive = 0;
	char c = 'h';

	many_descriptors();
	for (unsigned i = 0; i < n; i++) {
		fd[i] = connect_to(sa, 0);
		open += fd[i] >= 0;
	}
	printf("open %u %llu\n", open, (unsigned long long)(now_us() - start));
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	c = 'h';
	for (unsigned i = 0; i < n; i++)
		alive += fd[i] >= 0 && put_all(fd[i], &c, 1) == 0 &&
			 get_all(fd[i], &c, 1) == 0;
	printf("alive %u\n", alive);
	free(fd);
	return alive != n;
}

/* "5002+4": four ports from 5002 on, so that no kernel on the way has to
 * search its ephemeral ports for one that is free towards a single target. */
static unsigned ports_of(const char *text)
{
	const char *plus = strchr(text, '+');
	int n = plus ? atoi(plus + 1) : 1;

	return n > 0 ? (unsigned)n : 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa;

	if (argc > 2 && strcmp(argv[1], "-b") == 0) {
		congestion = argv[2];
		argc -= 2;
		argv += 2;
	}
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		return echo(argv[2]);
	if (argc >= 5) {
		sa = target(argv[2], argv[3]);
		if (strcmp(argv[1], "send") == 0)
			return do_send(&sa, strtoull(argv[4], NULL, 0));
		if (strcmp(argv[1], "recv") == 0)
			return do_recv(&sa, strtoull(argv[4], NULL, 0));
		if (strcmp(argv[1], "hold") == 0)
			return do_hold(&sa, (unsigned)atoi(argv[4]));
		if (strcmp(argv[1], "crr") == 0 && argc == 6)
			return do_crr(&sa, ports_of(argv[3]),
				      (unsigned)atoi(argv[4]),
				      (unsigned)atoi(argv[5]));
	}
	fprintf(stderr, "usage: see the head of xfer.c\n");
	return 2;
}
