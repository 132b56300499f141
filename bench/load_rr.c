/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-load rr: one request and one answer of the same size, again and
 * again; and crr: the same with a connection of its own for each.
 */
#include "bench/load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CONNS_MAX = 1024, MISSES_MAX = 5 };

#define UDP_PATIENCE_NS (200 * NS_PER_MS)
#define LOOK_MS		50 /* between two looks for what is overdue */

struct conn {
	int fd;               /* owned */
	size_t left;          /* bytes of the answer still to come */
	int64_t began_ns;
	uint64_t seq;         /* of the request, begins every datagram */
	bool waits;           /* for an answer */
	int missed;           /* answers in a row */
};

struct bench {
	struct target target;
	struct cpu_watch cpu;
	bool is_udp;
	size_t size;
	int n;
	int idle;
	int64_t secs_ns;
	int64_t wait_ns;      /* before a datagram counts as lost */
	char *data;           /* size bytes out, size bytes in */
	struct conn conn[CONNS_MAX];
	struct samples samples;
	uint64_t transactions;
	uint64_t lost;
};

static void request(struct bench *b, struct conn *c)
{
	size_t stamp = b->size < sizeof(c->seq) ? b->size : sizeof(c->seq);
	ssize_t n;

	c->seq++;
	c->waits = true;
	c->left = b->size;
	if (b->is_udp)
		memcpy(b->data, &c->seq, stamp);
	c->began_ns = now_ns();
	n = send(c->fd, b->data, b->size, MSG_NOSIGNAL);
	if (n != (ssize_t)b->size)
		die("request: %s", n < 0 ? strerror(errno) : "cut short");
}

/* Takes what has come; returns whether the answer is whole. */
static bool answer(struct bench *b, struct conn *c, int flags)
{
	char *in = b->data + b->size;
	size_t stamp = b->size < sizeof(c->seq) ? b->size : sizeof(c->seq);
	ssize_t n = recv(c->fd, in, b->is_udp ? b->size : c->left, flags);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0)
		die("answer: %s", strerror(errno));
	if (n == 0)
		die("answer: the server has gone");
	if (b->is_udp) /* A late one answers an older request. */
		return (size_t)n == b->size && !memcmp(in, &c->seq, stamp);
	c->left -= (size_t)n;
	return !c->left;
}

static void finished(struct bench *b, struct conn *c, int64_t now)
{
	c->waits = false;
	c->missed = 0;
	samples_add(&b->samples, now - c->began_ns);
	b->transactions++;
}

/* The answer did not come in time: a datagram may be lost, but not all. */
static void missed(struct bench *b, struct conn *c)
{
	c->waits = false;
	b->lost++;
	if (!b->is_udp || ++c->missed == MISSES_MAX)
		die("answer: the server does not answer any more");
}

/* One connection: calls that block, nothing between them. */
static void run_one(struct bench *b, int64_t end)
{
	struct conn *c = &b->conn[0];
	int64_t now = now_ns();

	while (now < end) {
		request(b, c);
		for (;;) {
			bool whole = answer(b, c, 0);

			now = now_ns();
			if (whole) {
				finished(b, c, now);
				break;
			}
			if (now - c->began_ns < b->wait_ns)
				continue;
			missed(b, c);
			break;
		}
	}
}

/* Looks for answers that are overdue; returns how many are waited for. */
static int look_at_all(struct bench *b, int64_t now, int64_t end)
{
	int waiting = 0;

	for (int i = 0; i < b->n; i++) {
		struct conn *c = &b->conn[i];

		if (c->waits && now - c->began_ns >= b->wait_ns) {
			missed(b, c);
			if (now < end)
				request(b, c);
		}
		waiting += c->waits;
	}
	return waiting;
}

static void run_many(struct bench *b, int64_t end)
{
	struct epoll_event e[64];
	int ep = epoll_create1(EPOLL_CLOEXEC);
	int64_t now = now_ns();
	int64_t looked = now;
	int waiting = b->n;

	for (int i = 0; i < b->n; i++) {
		struct epoll_event in = {.events = EPOLLIN,
					 .data.u32 = (uint32_t)i};

		if (epoll_ctl(ep, EPOLL_CTL_ADD, b->conn[i].fd, &in))
			die("epoll: %s", strerror(errno));
		request(b, &b->conn[i]);
	}
	/* Those under way at the end are waited for: they count. */
	while (now < end || waiting) {
		int n = epoll_wait(ep, e, 64, LOOK_MS);

		now = now_ns();
		for (int i = 0; i < n; i++) {
			struct conn *c = &b->conn[e[i].data.u32];

			if (!answer(b, c, MSG_DONTWAIT))
				continue;
			finished(b, c, now_ns());
			if (now < end)
				request(b, c);
		}
		if (now < end && now - looked < LOOK_MS * NS_PER_MS)
			continue;
		looked = now;
		waiting = look_at_all(b, now, end);
	}
	close(ep);
}

/* A few transactions that do not count: caches, windows, neighbours. */
static void warm_up(struct bench *b)
{
	for (int i = 0; i < b->n; i++) {
		struct conn *c = &b->conn[i];

		for (int k = 0; k < 20; k++) {
			request(b, c);
			while (!answer(b, c, 0))
				if (now_ns() - c->began_ns >= b->wait_ns)
					break;
		}
	}
}

static void open_conns(struct bench *b)
{
	struct timeval tv = {.tv_usec = UDP_PATIENCE_NS / 1000};

	for (int i = 0; i < b->n; i++) {
		struct conn *c = &b->conn[i];

		c->fd = b->is_udp ? target_udp(&b->target, 2)
				  : target_tcp(&b->target, 2);
		if (b->is_udp)
			setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv,
				   sizeof(tv));
	}
}

static void open_idle(struct bench *b)
{
	int *fd = calloc((size_t)b->idle + 1, sizeof(*fd));
	int n;

	if (!fd)
		die("no memory");
	deadline_phase("idle connections");
	n = crowd_open(&b->target, fd, b->idle, 256);
	if (n != b->idle)
		die("only %d of %d idle connections opened", n, b->idle);
	free(fd); /* The descriptors stay open to the end. */
}

static void read_args(struct bench *b, struct args *a)
{
	const char *proto = args_text(a, "proto", "tcp");

	if (strcmp(proto, "tcp") && strcmp(proto, "udp"))
		usage("proto= must be tcp or udp");
	b->is_udp = !strcmp(proto, "udp");
	b->size = (size_t)args_number(a, "size", 1, 1,
				      b->is_udp ? UDP_SIZE_MAX : ECHO_MAX);
	b->n = (int)args_number(a, "conns", 1, 1, CONNS_MAX);
	b->idle = (int)args_number(a, "idle", 0, 0, 200000);
	b->secs_ns = (int64_t)(args_number(a, "secs", 2, 0.05, 600) * 1e9);
	cpu_watch_init(&b->cpu, a);
	target_init(&b->target, a);
	b->wait_ns = b->is_udp ? UDP_PATIENCE_NS
			       : b->target.timeout_s * NS_PER_S;
	args_done(a);
}

static void print(struct bench *b, const char *test, int64_t spent_ns)
{
	printf("{\"test\":\"%s\",\"proto\":\"%s\",\"size\":%zu,\"conns\":%d,"
	       "\"idle\":%d,\"secs\":%.3f,\"transactions\":%llu,"
	       "\"per_s\":%.1f,\"lost\":%llu", test, b->is_udp ? "udp" : "tcp",
	       b->size, b->n, b->idle, (double)spent_ns / 1e9,
	       (unsigned long long)b->transactions,
	       (double)b->transactions * 1e9 / (double)spent_ns,
	       (unsigned long long)b->lost);
	samples_print(&b->samples);
	cpu_watch_print(&b->cpu);
	printf("}\n");
}

static void bench_free(struct bench *b)
{
	samples_deinit(&b->samples);
	free(b->data);
	free(b);
}

static struct bench *bench_new(void)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b)
		die("no memory");
	return b;
}

int load_rr(struct args *a)
{
	struct bench *b = bench_new();
	int64_t start;

	read_args(b, a);
	deadline_set((double)b->secs_ns / 1e9 + 5 + b->idle / 100 +
		     b->target.timeout_s, "connections");
	b->data = calloc(2, b->size);
	if (!b->data)
		die("no memory");
	open_idle(b);
	open_conns(b);
	deadline_phase("answers");
	warm_up(b);
	cpu_watch_start(&b->cpu);
	start = now_ns();
	if (b->n == 1)
		run_one(b, start + b->secs_ns);
	else
		run_many(b, start + b->secs_ns);
	cpu_watch_stop(&b->cpu);
	print(b, "rr", now_ns() - start);
	if (!b->transactions)
		die("not one answer");
	bench_free(b);
	return 0;
}

int load_crr(struct args *a)
{
	struct bench *b = bench_new();
	int64_t start, now;
	char byte = 0;

	b->secs_ns = (int64_t)(args_number(a, "secs", 2, 0.05, 600) * 1e9);
	b->size = 1;
	b->n = 1;
	cpu_watch_init(&b->cpu, a);
	target_init(&b->target, a);
	args_done(a);
	deadline_set((double)b->secs_ns / 1e9 + 5 + b->target.timeout_s,
		     "an answer");
	cpu_watch_start(&b->cpu);
	start = now = now_ns();
	while (now < start + b->secs_ns) {
		struct conn c = {.began_ns = now};

		c.fd = target_tcp(&b->target,
				  2 + (unsigned)(b->transactions % ECHO_PORTS));
		write_all(c.fd, &byte, 1, "request");
		read_all(c.fd, &byte, 1, "answer");
		close(c.fd);
		now = now_ns();
		finished(b, &c, now);
	}
	cpu_watch_stop(&b->cpu);
	print(b, "crr", now - start);
	bench_free(b);
	return 0;
}
