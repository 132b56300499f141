/* SPDX-License-Identifier: BSD-3-Clause */
/* Enclaves: what is in them, and that nothing of them is left. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/enclave.h"
#include "os/rtnl.h"
#include "os/test_user.h"

/* The status of an enclave that has run fn; 1000: there is none here. */
static int status_of(int (*fn)(void *arg), void *arg)
{
	struct error e = ERROR_NULL;
	pid_t pid = enclave_start(fn, arg, &e);
	int status = 0;

	if (pid < 0) {
		assert_int_not_equal(e.code, EXIT_DONE);
		printf("not run: %s\n", e.text);
		return 1000;
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int look_around(void *arg)
{
	struct rtnl_link lo;
	struct stat st;

	(void)arg;
	if (getpid() != 1 || geteuid() != 0)
		return 1;
	if (rtnl_link_get("lo", 0, &lo) < 0 || !(lo.flags & IFF_UP))
		return 2;
	/* The /proc is that of our pids, the /run is ours. */
	if (stat("/proc/1/ns/net", &st) < 0 || stat("/run/vmlan", &st) == 0)
		return 3;
	return mkdir("/run/vmlan", 0700) < 0 ? 4 : 77;
}

static void test_is_apart(void **state)
{
	int status = status_of(look_around, NULL);

	(void)state;
	if (status != 1000)
		assert_int_equal(status, 77);
}

static void wait_in_room(void *arg, int fd)
{
	(void)arg;
	(void)!write(fd, "", 1);
	close(fd);
	pause();
}

/* A cable from here to a room, an address at either end, and a route. */
static int build_cable(void *arg)
{
	const struct rtnl_link_new veth = {
		.name = "a0", .kind = "veth", .peer = "b0"};
	const struct prefix far = {.ip = addr_v4(10, 9, 0, 0), .len = 112};
	struct rtnl_addr a = {.family = AF_INET, .prefix_len = 24,
			      .valid_s = RTNL_FOREVER,
			      .preferred_s = RTNL_FOREVER,
			      .local = addr_v4(192, 0, 2, 2),
			      .peer = addr_v4(192, 0, 2, 2)};
	const addr router = addr_v4(192, 0, 2, 1);
	struct rtnl_route t, *list = NULL;
	struct error e = ERROR_NULL;
	pid_t room = enclave_room(wait_in_room, NULL, &e);
	struct rtnl_link l;
	char text[RTNL_ROUTE_STRLEN];
	int n, net, found = 0;

	(void)arg;
	if (room < 0 || rtnl_link_add(&veth) < 0 ||
	    rtnl_link_get("b0", 0, &l) < 0 ||
	    rtnl_link_set_netns(l.index, room) < 0 ||
	    rtnl_link_get("b0", 0, &l) != -ENODEV)
		return 1;
	if (rtnl_link_get("a0", 0, &l) < 0 ||
	    rtnl_link_set_up(l.index, true) < 0)
		return 2;
	a.index = l.index;
	if (rtnl_addr_add(&a, false) < 0)
		return 3;
	t = rtnl_route_via(&far, &router, l.index);
	if (rtnl_route_add(&t) < 0)
		return 4;
	t = rtnl_route_via(&(struct prefix){.len = 0}, &router, l.index);
	if (rtnl_route_add(&t) < 0)
		return 5;
	n = rtnl_route_list(l.index, &list);
	for (int i = 0; i < n; i++) {
		rtnl_route_format(&list[i], text);
		found |= strcmp(text, "10.9.0.0/16 via 192.0.2.1") == 0;
		found |= (strcmp(text, "default via 192.0.2.1") == 0) << 1;
	}
	free(list);
	if (found != 3)
		return 6;
	net = enclave_net(room);
	if (setns(net, CLONE_NEWNET) < 0 || rtnl_link_get("b0", 0, &l) < 0)
		return 7;
	return 77;
}

static void test_rooms(void **state)
{
	int status = status_of(build_cable, NULL);

	(void)state;
	if (status != 1000)
		assert_int_equal(status, 77);
}

/* Leaves a process behind that holds the pipe's end. */
static int leave_one(void *arg)
{
	int *fd = arg;

	if (fork() == 0)
		pause();
	(void)!write(*fd, "x", 1);
	return 0;
}

/* End of file: nobody holds the other end any more. */
static void test_ends_with_all(void **state)
{
	int fd[2];
	char buf[4];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	if (status_of(leave_one, &fd[1]) == 1000)
		return;
	close(fd[1]);
	assert_int_equal(read(fd[0], buf, sizeof(buf)), 1);
	assert_int_equal(read(fd[0], buf, sizeof(buf)), 0);
	close(fd[0]);
}

static int stay(void *arg)
{
	(void)!write(*(int *)arg, "x", 1);
	pause();
	return 0;
}

/* A maker that is killed takes its enclave along. */
static void test_ends_with_its_maker(void **state)
{
	int fd[2];
	char buf[4];
	pid_t maker;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	maker = fork();
	if (maker == 0) {
		struct error e = ERROR_NULL;

		if (enclave_start(stay, &fd[1], &e) < 0)
			(void)!write(fd[1], "n", 1);
		pause();
	}
	close(fd[1]);
	assert_int_equal(read(fd[0], buf, 1), 1);
	kill(maker, SIGKILL);
	assert_int_equal(waitpid(maker, NULL, 0), maker);
	assert_int_equal(read(fd[0], buf, sizeof(buf)), 0);
	close(fd[0]);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_apart),
		cmocka_unit_test(test_rooms),
		cmocka_unit_test(test_ends_with_all),
		cmocka_unit_test(test_ends_with_its_maker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return test_as_both(group);
}
