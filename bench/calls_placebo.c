/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The placebo: answers each request with what a network once said to such a
 * one, by the number in its X-Kind.  Who names none is held open, as a network
 * holds one that has not asked yet.  A file of answers is "LENGTH\n" and so
 * many bytes, for 0, 1, ...
 */
#include "bench/calls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct asker {
	int fd;
	struct text asked;
};

static struct text *read_answers(const char *path, size_t *n)
{
	FILE *f = fopen(path, "re");
	struct text *all = NULL;
	size_t len;

	if (!f)
		die("%s: %m", path);
	for (*n = 0; fscanf(f, "%zu", &len) == 1; ++*n) {
		struct text t = {0};

		all = realloc(all, (*n + 1) * sizeof(*all));
		if (!all)
			die("no memory");
		if (getc(f) != '\n' || fread(text_room(&t, len + 1), 1, len, f)
		    != len)
			die("%s: answer %zu is cut", path, *n);
		t.len = len;
		all[*n] = t;
	}
	fclose(f);
	return all;
}

/* The number of a header's line; -1 where there is none. */
static long header(const char *head, const char *name)
{
	const char *at = strstr(head, name);

	return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

/* Which answer a whole request is for; -1 while there is none. */
static long wanted(struct text *t)
{
	const char *body;
	long len;

	*text_room(t, 1) = 0;
	body = strstr(t->at, "\r\n\r\n");
	len = header(t->at, "\r\nContent-Length: ");
	if (!body || len < 0 ||
	    t->len < (size_t)(body + 4 - t->at) + (size_t)len)
		return -1;
	return header(t->at, "\r\nX-Kind: ");
}

/* Returns whether the client is done with. */
static bool hear(struct asker *c, const struct text *answers, size_t n)
{
	ssize_t got = recv(c->fd, text_room(&c->asked, 65536), 65536, 0);
	long kind;

	if (got <= 0)
		return true;
	c->asked.len += (size_t)got;
	kind = wanted(&c->asked);
	if (kind < 0 || (size_t)kind >= n)
		return false;
	/* One that does not wait for it is no matter. */
	for (size_t sent = 0; sent < answers[kind].len; sent += (size_t)got) {
		got = send(c->fd, answers[kind].at + sent,
			   answers[kind].len - sent, 0);
		if (got <= 0)
			break;
	}
	return true;
}

static void watch(int epoll, int fd, void *what)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = what};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
		die("epoll: %m");
}

int calls_placebo(struct args *a)
{
	const char *path = args_word(a), *file = args_word(a);
	int epoll = epoll_create1(EPOLL_CLOEXEC), server;
	struct epoll_event e;
	struct text *answers;
	struct asker *c;
	size_t n;

	args_done(a);
	if (!path || !file)
		usage("placebo: needs a socket and a file");
	answers = read_answers(file, &n);
	server = unix_socket(path, true);
	watch(epoll, server, NULL);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		if (epoll_wait(epoll, &e, 1, -1) != 1) {
			if (errno != EINTR)
				die("epoll: %m");
			continue;
		}
		c = e.data.ptr;
		if (c) {
			if (!hear(c, answers, n))
				continue;
			close(c->fd);
			free(c->asked.at);
			free(c);
			continue;
		}
		c = calloc(1, sizeof(*c));
		if (!c)
			die("no memory");
		c->fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
		if (c->fd < 0)
			die("accept: %m");
		watch(epoll, c->fd, c);
	}
}
