/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan connect: stdin and stdout as a connection to a port of a machine, as
 * soon as that answers.  Used by vmlan ssh, in the namespace that vmlan exec
 * makes; named in no help.
 *
 * Whatever address a machine says it has, the connection does not leave its
 * network: no router is asked for it.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/ctl.h"
#include "os/clock.h"
#include "cli/find.h"
#include "cli/pump.h"
#include "cli/start.h"
#include "os/sockaddr.h"

static const char usage[] =
	"usage: vmlan connect WAIT-SECONDS NETWORK/VM PORT\n";

enum {
	TRY_MS = 2000,	/* for an address to answer */
	AGAIN_MS = 200, /* between the rounds */
	ADDRESSES_MAX = 16,
};

struct caller {
	int64_t until_ms;
	struct found vm;
	uint16_t port;
	char why[160];	/* it does not answer yet */
	char told[160]; /* of that */
};

/* ---- one address ---- */

static socklen_t sockaddr_of(const addr *ip, uint16_t port,
			     struct sockaddr_storage *ss)
{
	const struct endpoint to = {.ip = *ip, .port = port};
	socklen_t len = sockaddr_from(&to, ss);

	if (ss->ss_family == AF_INET6) /* exec's only card */
		((struct sockaddr_in6 *)ss)->sin6_scope_id =
			if_nametoindex("eth0");
	return len;
}

static int await_connect(int fd, int64_t ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int err = 0;

	if (poll(&p, 1, (int)(ms < 0 ? 0 : ms)) <= 0)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	return -err;
}

/* The connection, or a negative errno. */
static int try_address(const struct caller *c, const addr *ip)
{
	const int on = 1;
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(ip, c->port, &ss);
	int64_t left = c->until_ms - now_ms();
	CLEANUP_FD int fd = socket(ss.ss_family,
				   SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
				   0);
	int r = 0;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_DONTROUTE, &on, sizeof(on)) < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&ss, len) < 0)
		r = errno == EINPROGRESS
			    ? await_connect(fd, left < TRY_MS && left > 0
							? left
							: TRY_MS)
			    : -errno;
	return r < 0 ? r : fd_steal(&fd);
}

/* ---- the machine ---- */

/* Its addresses as they are known now: their number, or negative with *e. */
static int ask_addresses(struct caller *c, addr *ip, struct error *e)
{
	const json_t *m;
	json_t *o = NULL, *v;
	int r = start_ask(c->vm.network, "GET", CONTROL_NETWORK, NULL, &o, e);
	unsigned n = 0;
	size_t i;

	if (r == -ENOENT)
		error_set(e, EXIT_NO_NETWORK, "network %s has ended",
			  c->vm.network);
	if (r < 0)
		return r;
	m = find_in(o, c->vm.machine);
	if (!m)
		r = error_set(e, EXIT_NO_OBJECT, "%s/%s has ended",
			      c->vm.network, c->vm.machine);
	json_array_foreach(json_object_get(m, "addresses"), i, v) {
		if (n < ADDRESSES_MAX &&
		    addr_parse(ctl_text(v), &ip[n]))
			n++;
	}
	json_decref(o);
	return r < 0 ? r : (int)n;
}

static const char *reason(int err)
{
	switch (err) {
	case -ECONNREFUSED:
		return "refuses";
	case -EHOSTUNREACH:
	case -ETIMEDOUT:
		return "does not answer";
	default:
		return strerror(-err);
	}
}

static void note(struct caller *c, const addr *ip, int err)
{
	char text[ADDR_STRLEN];

	if (c->why[0]) /* the first one says it */
		return;
	snprintf(c->why, sizeof(c->why), "%s port %u %s",
		 addr_format(ip, text), c->port, reason(err));
}

/* Asks all its addresses once: the connection, -EAGAIN with c->why, or another
 * with *e filled. */
static int try_all(struct caller *c, struct error *e)
{
	addr ip[ADDRESSES_MAX];
	int n = ask_addresses(c, ip, e);

	c->why[0] = '\0';
	if (n < 0)
		return n;
	if (!n)
		snprintf(c->why, sizeof(c->why), "its address is not known");
	for (int i = 0; i < n; i++) {
		int fd = try_address(c, &ip[i]);

		if (fd >= 0)
			return fd;
		note(c, &ip[i], fd);
	}
	return -EAGAIN;
}

/* A moment's pause; false if nobody reads us any more: ssh has ended. */
static bool pause_read(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO};

	return poll(&p, 1, AGAIN_MS) <= 0;
}

static void say_why(struct caller *c)
{
	if (strcmp(c->why, c->told) == 0)
		return;
	memcpy(c->told, c->why, sizeof(c->told));
	fprintf(stderr, "vmlan: waiting for %s/%s (%s)\n", c->vm.network,
		c->vm.machine, c->why);
}

static int reach(struct caller *c, struct error *e)
{
	for (;;) {
		int fd = try_all(c, e);

		if (fd != -EAGAIN)
			return fd;
		if (now_ms() >= c->until_ms)
			return error_set(e, EXIT_FAILED,
					 "%s/%s does not answer (%s)",
					 c->vm.network, c->vm.machine, c->why);
		say_why(c);
		if (!pause_read())
			return error_set(e, EXIT_FAILED,
					 "nobody waits for %s/%s any more",
					 c->vm.network, c->vm.machine);
	}
}

/* ---- the words ---- */

static bool number(const char *text, unsigned long max, unsigned long *np)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*np = strtoul(text, &end, 10);
	return !*end && *np <= max;
}

int cmd_connect(int argc, char **argv)
{
	struct caller c = {.port = 0};
	struct error e = ERROR_NULL;
	CLEANUP_FD int fd = -1;
	unsigned long wait_s, port;
	int r;

	if (argc != 4 || !number(argv[1], INT32_MAX, &wait_s) ||
	    !number(argv[3], UINT16_MAX, &port)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	c.until_ms = now_ms() + (int64_t)wait_s * 1000;
	c.port = (uint16_t)port;
	r = find_machine(argv[2], &c.vm, &e);
	if (r == 0)
		fd = reach(&c, &e);
	found_deinit(&c.vm);
	if (fd < 0) {
		error_prefix(&e, "ssh: ");
		return cli_fail(&e);
	}
	signal(SIGPIPE, SIG_IGN);
	r = pump(STDIN_FILENO, STDOUT_FILENO, fd);
	return r == 0 || r == -EPIPE ? EXIT_DONE : EXIT_FAILED;
}
