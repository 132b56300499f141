/* SPDX-License-Identifier: BSD-3-Clause */
/* What becomes of a guest's call that cannot be taken. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper/http.h"

static bool has_no_watches; /* fs.epoll.max_user_watches is reached */

/* In place of libc's, for libmicrohttpd as well. */
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (has_no_watches && op == EPOLL_CTL_ADD) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
}

static void test_no_room_for_a_client(void **state)
{
	const struct msg_guestfwd_call call = {.port = 1, .from = 2};
	struct keeper k = {.loop = NULL};
	struct error e = ERROR_NULL;
	int fd[2], r;
	char byte;

	(void)state;
	assert_int_equal(loop_new(&k.loop), 0);
	list_init(&k.plan.netdevs);
	fd[0] = http_call(&k, &call, &e);
	assert_true(fd[0] >= 0);
	has_no_watches = true;
	r = http_call(&k, &call, &e);
	has_no_watches = false;
	assert_true(r < 0);
	assert_int_equal(e.code, EXIT_FAILED);
	/* The others stay, and there is room for more. */
	fd[1] = http_call(&k, &call, &e);
	assert_true(fd[1] >= 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(recv(fd[i], &byte, 1, MSG_DONTWAIT), -1);
		assert_int_equal(errno, EAGAIN);
		close(fd[i]);
	}
	http_close(&k);
	loop_free(k.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_room_for_a_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
