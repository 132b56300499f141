/* SPDX-License-Identifier: BSD-3-Clause */
/* libmicrohttpd in a loop; see http_loop.h. */
#include "keeper/http_loop.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/list.h"
#include "os/clock.h"

/* Pieces of each connection's answer that go out before others in the loop have
 * their turn, unless that takes longer: connections may be many. */
enum { RUNS_PER_TURN = 8, TURN_MS = 2 };

/* Whether it has more to do at once; else *msp is the time until a client will
 * have been silent for too long, in ms, -1: there is none. */
static bool is_busy(struct http_loop *h, int64_t *msp)
{
	MHD_UNSIGNED_LONG_LONG ms;

	*msp = -1;
	if (h->mhd.get_timeout(h->daemon, &ms) == MHD_YES)
		*msp = (int64_t)ms;
	return *msp == 0;
}

void http_loop_turn(struct http_loop *h)
{
	struct timer_wheel *wheel = loop_wheel(h->loop);
	int64_t ms, until = now_ms() + TURN_MS;
	unsigned n = 0;

	do {
		h->mhd.run(h->daemon);
	} while (is_busy(h, &ms) && ++n < RUNS_PER_TURN && now_ms() < until);
	timer_disarm(wheel, &h->timeout);
	if (ms >= 0)
		timer_arm(wheel, &h->timeout,
			  *loop_now(h->loop) + (uint64_t)ms * 1000000u);
}

static void on_http(struct loop_io *io, uint32_t events)
{
	(void)events;
	http_loop_turn(container_of(io, struct http_loop, io));
}

static void on_timeout(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	http_loop_turn(container_of(t, struct http_loop, timeout));
}

int http_loop_init(struct http_loop *h, struct error *e)
{
	*h = (struct http_loop){.loop = NULL};
	return mhd_load(&h->mhd, e);
}

int http_loop_start(struct http_loop *h, struct loop *loop,
		    struct MHD_Daemon *daemon)
{
	const union MHD_DaemonInfo *info =
		!daemon ? NULL
			: h->mhd.get_daemon_info(daemon,
						 MHD_DAEMON_INFO_EPOLL_FD);
	int r = -ENOMEM;

	h->loop = loop;
	h->daemon = daemon;
	timer_init(&h->timeout, on_timeout);
	if (info) {
		h->io = (struct loop_io){.fd = info->epoll_fd, .fn = on_http};
		r = loop_add_level(loop, &h->io, EPOLLIN);
	}
	if (r == 0)
		return 0;
	if (daemon)
		h->mhd.stop_daemon(daemon);
	h->daemon = NULL;
	return r;
}

void http_loop_stop(struct http_loop *h)
{
	if (!h->daemon)
		return;
	loop_del(h->loop, &h->io);
	h->mhd.stop_daemon(h->daemon);
	timer_disarm(loop_wheel(h->loop), &h->timeout);
	h->daemon = NULL;
}

bool http_loop_add(struct http_loop *h, int fd)
{
	const struct sockaddr nobody = {.sa_family = AF_UNIX};

	return h->mhd.add_connection(h->daemon, fd, &nobody,
				     sizeof(nobody.sa_family)) == MHD_YES;
}
