/* SPDX-License-Identifier: BSD-3-Clause */
/* Listening sockets of slow paths; see listener.h. */
#include "os/listener.h"

#include <errno.h>
#include <sys/socket.h>

#define AGAIN_NS UINT64_C(100000000)

static void wait_a_moment(struct listener *l)
{
	timer_arm(loop_wheel(l->loop), &l->again,
		  *loop_now(l->loop) + AGAIN_NS);
}

static void on_again(struct timer *t, uint64_t now_ns)
{
	struct listener *l = container_of(t, struct listener, again);

	(void)now_ns;
	if (loop_add_level(l->loop, &l->io, EPOLLIN) < 0)
		wait_a_moment(l);
}

static void on_comer(struct loop_io *io, uint32_t events)
{
	struct listener *l = container_of(io, struct listener, io);
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0) {
		l->fn(l, fd);
		return;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	loop_del(l->loop, io);
	wait_a_moment(l);
}

int listener_on(struct listener *l, struct loop *loop)
{
	int r;

	if (l->is_on)
		return 0;
	if (!l->loop)
		timer_init(&l->again, on_again);
	l->loop = loop;
	l->io.fn = on_comer;
	r = loop_add_level(loop, &l->io, EPOLLIN);
	l->is_on = r == 0;
	return r;
}

void listener_off(struct listener *l)
{
	if (!l->is_on)
		return;
	loop_del(l->loop, &l->io);
	timer_disarm(loop_wheel(l->loop), &l->again);
	l->is_on = false;
}
