/* SPDX-License-Identifier: BSD-3-Clause */
/* Who connects is handed on; who cannot be taken waits and is not forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/listener.h"

enum { TURNS = 100 };

struct world {
	struct loop *loop;
	struct listener l;
	struct sockaddr_un sa;
	socklen_t len;
	int last; /* taken; -1: nobody was */
	unsigned n;
};

static void took(struct listener *l, int fd)
{
	struct world *w = container_of(l, struct world, l);

	fd_close(&w->last);
	w->last = fd;
	w->n++;
}

static void begin(struct world *w)
{
	*w = (struct world){.last = -1,
			    .sa = {.sun_family = AF_UNIX},
			    .len = sizeof(w->sa)};
	assert_int_equal(loop_new(&w->loop), 0);
	w->l.fn = took;
	w->l.io.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	/* the kernel's choice of an abstract name */
	assert_int_equal(bind(w->l.io.fd, (struct sockaddr *)&w->sa,
			      sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(w->l.io.fd, (struct sockaddr *)&w->sa,
				     &w->len), 0);
	assert_int_equal(listen(w->l.io.fd, 8), 0);
}

static void finish(struct world *w)
{
	listener_off(&w->l);
	close(w->l.io.fd);
	fd_close(&w->last);
	loop_free(w->loop);
}

static int come(struct world *w)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&w->sa, w->len), 0);
	return fd;
}

static void turn_until(struct world *w, unsigned n)
{
	for (unsigned i = 0; i < TURNS && w->n < n; i++)
		assert_int_equal(loop_turn(w->loop, 100), 0);
	assert_int_equal(w->n, n);
}

static void it_is_on_and_off(void **state)
{
	struct world w;
	int fd[2];

	begin(&w);
	listener_off(&w.l);
	assert_int_equal(listener_on(&w.l, w.loop), 0);
	assert_int_equal(listener_on(&w.l, w.loop), 0);
	fd[0] = come(&w);
	turn_until(&w, 1);
	assert_true(fcntl(w.last, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(w.last, F_GETFD) & FD_CLOEXEC);
	listener_off(&w.l);
	fd[1] = come(&w);
	assert_int_equal(loop_turn(w.loop, 0), 0);
	assert_int_equal(w.n, 1);
	assert_int_equal(listener_on(&w.l, w.loop), 0);
	turn_until(&w, 2);
	close(fd[0]);
	close(fd[1]);
	finish(&w);
}

static void who_cannot_be_taken_waits(void **state)
{
	struct rlimit old, tight;
	struct world w;
	int fd, next;

	begin(&w);
	assert_int_equal(listener_on(&w.l, w.loop), 0);
	fd = come(&w);
	next = dup(0);
	close(next); /* the first free one */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = (struct rlimit){.rlim_cur = (rlim_t)next,
				.rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_int_equal(loop_turn(w.loop, 1000), 0);
	assert_int_equal(w.n, 0);
	assert_true(timer_is_armed(&w.l.again));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	turn_until(&w, 1);
	close(fd);
	finish(&w);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(it_is_on_and_off),
		cmocka_unit_test(who_cannot_be_taken_waits),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
