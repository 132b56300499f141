/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-load open: many connections at once, each answered with one byte, and
 * held until standard input ends.  rr uses the same for its idle ones.
 */
#include "bench/load.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 256, SPARE_FILES = 16 };

struct crowd {
	const struct target *target;
	int *fd;              /* borrowed from the caller */
	int n;
	int begun;
	int answered;
	int failed;
	int epoll;
};

static void begin(struct crowd *c)
{
	int i = c->begun++;
	struct epoll_event e = {.events = EPOLLOUT, .data.u32 = (uint32_t)i};

	c->fd[i] = target_tcp_begin(c->target,
				    2 + (unsigned)i % ECHO_PORTS);
	if (c->fd[i] < 0) {
		c->failed++;
		return;
	}
	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->fd[i], &e))
		die("epoll: %s", strerror(errno));
}

static void fail(struct crowd *c, int i)
{
	close(c->fd[i]);
	c->fd[i] = -1;
	c->failed++;
}

static void ready(struct crowd *c, int i, uint32_t events)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
	char byte = 0;

	if (events & EPOLLOUT) {
		if (send(c->fd[i], &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
			fail(c, i);
		else
			epoll_ctl(c->epoll, EPOLL_CTL_MOD, c->fd[i], &e);
		return;
	}
	if (recv(c->fd[i], &byte, 1, MSG_DONTWAIT) != 1) {
		fail(c, i);
		return;
	}
	c->answered++;
	epoll_ctl(c->epoll, EPOLL_CTL_DEL, c->fd[i], NULL);
}

int crowd_open(const struct target *t, int *fd, int n, int at_once)
{
	struct crowd c = {.target = t, .fd = fd, .n = n};
	struct epoll_event e[EVENTS];
	unsigned long most = raise_files();
	int quiet = 0;

	if ((unsigned long)n + SPARE_FILES > most)
		die("%d connections need more descriptors than the %lu"
		    " allowed here", n, most);
	c.epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < n; i++)
		fd[i] = -1;
	while (c.answered + c.failed < n && quiet < t->timeout_s) {
		int k;

		while (c.begun < n &&
		       c.begun - c.answered - c.failed < at_once)
			begin(&c);
		k = epoll_wait(c.epoll, e, EVENTS, 1000);
		quiet = k ? 0 : quiet + 1;
		for (int i = 0; i < k; i++)
			ready(&c, (int)e[i].data.u32, e[i].events);
	}
	close(c.epoll);
	return c.answered;
}

/* Waits for the end of standard input; returns how many connections have
 * been closed by the other side meanwhile. */
static int hold(const int *fd, int n)
{
	char text[256];
	int lost = 0;

	while (read(0, text, sizeof(text)) > 0)
		;
	for (int i = 0; i < n; i++) {
		struct pollfd p = {.fd = fd[i], .events = POLLIN | POLLRDHUP};

		lost += fd[i] >= 0 && poll(&p, 1, 0) != 0;
	}
	return lost;
}

int load_open(struct args *a)
{
	int n = (int)args_number(a, "n", 10000, 1, 200000);
	int at_once = (int)args_number(a, "at_once", 256, 1, 100000);
	struct cpu_watch cpu;
	struct target t;
	int64_t start, spent;
	int answered, lost;
	int *fd = calloc((size_t)n, sizeof(*fd));

	cpu_watch_init(&cpu, a);
	target_init(&t, a);
	args_done(a);
	if (!fd)
		die("no memory");
	deadline_set(n / 100 + 10 + t.timeout_s, "connections");
	cpu_watch_start(&cpu);
	start = now_ns();
	answered = crowd_open(&t, fd, n, at_once);
	spent = now_ns() - start;
	cpu_watch_stop(&cpu);
	printf("{\"test\":\"open\",\"n\":%d,\"answered\":%d,\"secs\":%.4f",
	       n, answered, (double)spent / 1e9);
	cpu_watch_print(&cpu);
	printf("}\n");
	fflush(stdout); /* Somebody waits for it while they are held. */
	if (answered != n)
		die("only %d of %d connections were answered", answered, n);
	deadline_stop();
	lost = hold(fd, n);
	printf("{\"held\":%d,\"lost\":%d}\n", answered - lost, lost);
	if (lost)
		die("%d connections were closed by the other side", lost);
	free(fd);
	return 0;
}
