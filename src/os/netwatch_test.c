/* SPDX-License-Identifier: BSD-3-Clause */
/* Changes of addresses in a namespace of our own are noticed, and which went
 * is told. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/netwatch.h"
#include "os/sock.h"
#include "os/test_user.h"

struct bench {
	struct loop *loop;
	struct netwatch *w;
	unsigned n_calls, n_gone;
	addr gone[16]; /* all that were told */
};

static void on_change(void *arg, const addr *gone, unsigned n)
{
	struct bench *b = arg;

	b->n_calls++;
	for (unsigned i = 0; i < n; i++) {
		assert_in_range(b->n_gone, 0, 15);
		b->gone[b->n_gone++] = gone[i];
	}
}

/* Gives lo (or a label of it) an address; "0.0.0.0" takes it away. */
static void set(const char *label, const char *ip)
{
	struct ifreq ifr = {0};
	struct sockaddr_in *sin = (void *)&ifr.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(ifr.ifr_name, label, IFNAMSIZ - 1);
	sin->sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, ip, &sin->sin_addr), 1);
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &ifr), 0);
	close(fd);
}

static void assert_gone(const struct bench *b, unsigned i, uint8_t net)
{
	addr want = addr_v4(192, 0, net, 1);

	assert_true(addr_eq(&b->gone[i], &want));
}

static void wait_call(struct bench *b)
{
	unsigned before = b->n_calls;

	while (b->n_calls == before)
		assert_int_equal(loop_turn(b->loop, 10000), 0);
}

static int setup(void **state)
{
	static struct bench bench;

	bench = (struct bench){0};
	set("lo:1", "192.0.2.1");
	set("lo:2", "192.0.3.1");
	assert_int_equal(loop_new(&bench.loop), 0);
	assert_int_equal(netwatch_new(bench.loop, on_change, &bench, &bench.w),
			 0);
	*state = &bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	b->w = netwatch_free(b->w);
	assert_null(b->w);
	loop_free(b->loop);
	return 0;
}

static void a_new_address_is_a_change(void **state)
{
	struct bench *b = *state;

	set("lo:3", "192.0.4.1");
	wait_call(b);
	assert_int_equal(b->n_gone, 0);
	set("lo:3", "0.0.0.0");
	wait_call(b);
	assert_int_equal(b->n_gone, 1);
	assert_gone(b, 0, 4);
}

static void what_went_is_told_together(void **state)
{
	struct bench *b = *state;

	set("lo:1", "0.0.0.0");
	set("lo:2", "0.0.0.0");
	wait_call(b);
	assert_int_equal(b->n_calls, 1);
	assert_int_equal(b->n_gone, 2);
	assert_gone(b, 0, 2);
	assert_gone(b, 1, 3);
}

static void what_came_back_is_not(void **state)
{
	struct bench *b = *state;

	set("lo:1", "0.0.0.0");
	set("lo:1", "192.0.2.1");
	wait_call(b);
	assert_int_equal(b->n_gone, 0);
	/* and it is known that it is here */
	set("lo:1", "0.0.0.0");
	wait_call(b);
	assert_int_equal(b->n_gone, 1);
}

/* More messages than the socket holds: some are lost, the change is not. */
static void a_flood_is_one_change(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 2000; i++) {
		set("lo:3", "192.0.4.1");
		set("lo:3", "0.0.0.0");
	}
	set("lo:2", "0.0.0.0");
	do {
		wait_call(b);
	} while (b->n_gone == 0);
	assert_int_equal(b->n_gone, 1);
	assert_gone(b, 0, 3);
}

/* What is waited for: an address that a process gives lo when it is told that
 * somebody looks. */
struct wish {
	addr ip;
	int tell; /* -1: nobody is to be told */
	unsigned n_looks;
};

static bool has_come(void *arg)
{
	struct wish *w = arg;
	bool found = w->n_looks++ && sock_has_address(&w->ip);

	if (w->tell >= 0)
		assert_int_equal(write(w->tell, "", 1), 1);
	w->tell = -1;
	return found;
}

static void what_comes_is_waited_for(void **state)
{
	struct wish w = {.ip = addr_v4(192, 0, 5, 1)};
	int told[2], status;
	pid_t pid;
	char c;

	assert_int_equal(pipe(told), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (read(told[0], &c, 1) == 1)
			set("lo:5", "192.0.5.1");
		_exit(0);
	}
	w.tell = told[1];
	assert_int_equal(netwatch_await(has_come, &w, 60000), 0);
	assert_true(w.n_looks > 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(told[0]);
	close(told[1]);
	/* Nothing is to come. */
	assert_int_equal(netwatch_await(has_come, &w, 60000), 0);
	set("lo:5", "0.0.0.0");
	assert_int_equal(netwatch_await(has_come, &w, 20), -ETIMEDOUT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int group(void)
{
	const struct CMUnitTest tests[] = {
		T(a_new_address_is_a_change),
		T(what_went_is_told_together),
		T(what_came_back_is_not),
		T(a_flood_is_one_change),
		cmocka_unit_test(what_comes_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return test_in_netns(group);
}
