/* SPDX-License-Identifier: BSD-3-Clause */
/* A network of a process's own, as root and as an ordinary user. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/ownns.h"
#include "os/rtnl.h"
#include "os/tap.h"
#include "os/test_user.h"

enum { OK = 0, DENIED = 77 };

/* In the child: the number of the line that went wrong. */
#define NEED(c)                                                                \
	do {                                                                   \
		if (!(c))                                                      \
			return __LINE__ % 70 + 1;                              \
	} while (0)

static bool reads(const char *path, const char *text)
{
	char buf[256] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	close(fd);
	return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

static int in_network(void *arg)
{
	const char *dir = arg;
	struct error e = ERROR_NULL;
	struct rtnl_link lo;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char path[96], room[96];

	snprintf(room, sizeof(room), "%s/room", dir);
	if (ownns_enter(&e) < 0)
		return DENIED;
	NEED(geteuid() == uid && getegid() == gid);
	NEED(rtnl_link_get("lo", 0, &lo) == 0 && lo.flags & IFF_UP);
	snprintf(path, sizeof(path), "%s/conf", dir);
	NEED(reads(path, "the host's\n"));
	NEED(ownns_cover(path, "ours\n", room) == 0);
	NEED(reads(path, "ours\n"));
	snprintf(path, sizeof(path), "%s/other", dir);
	NEED(ownns_cover(path, "ours\n", room) == -ENOENT);
	return OK;
}

static int by_router(void *arg)
{
	const struct prefix net = {.ip = addr_v4(10, 9, 8, 7), .len = 120};
	const struct tap_opts o = {.ifname = "eth0", .queues = 1};
	const struct rtnl_link_change up = {.ifname = "eth0", .up = true};
	addr near = addr_v4(10, 9, 8, 1), far = addr_v4(10, 1, 1, 1);
	struct tap_result t;
	struct error e = ERROR_NULL;

	(void)arg;
	if (ownns_enter(&e) < 0)
		return DENIED;
	if (tap_open(&o, &t, &e) < 0)
		return DENIED;
	NEED(rtnl_link_set(&up) == 0);
	NEED(ownns_route("eth0", &near) < 0);
	NEED(rtnl_addr_put("eth0", &net) == 0);
	NEED(ownns_route("eth0", &far) < 0);
	NEED(ownns_route("eth0", &near) == 0);
	NEED(ownns_route("eth0", &near) == -EEXIST);
	tap_result_deinit(&t);
	return OK;
}

static void expect(int status)
{
	if (status == DENIED)
		skip();
	if (status != OK)
		fail_msg("in the child: line %d (modulo 70)", status - 1);
}

static void own_files(void **state)
{
	char dir[] = "/tmp/vmlan-ownns-XXXXXX", path[64], room[64];
	int fd, status;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf", dir);
	snprintf(room, sizeof(room), "%s/room", dir);
	assert_int_equal(mkdir(room, 0700), 0);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	assert_int_equal(write(fd, "the host's\n", 11), 11);
	close(fd);
	status = test_in_child(in_network, dir);
	/* The host's file is as it was. */
	assert_true(reads(path, "the host's\n"));
	unlink(path);
	assert_int_equal(rmdir(room), 0);
	assert_int_equal(rmdir(dir), 0);
	expect(status);
}

static void own_routes(void **state)
{
	(void)state;
	expect(test_in_child(by_router, NULL));
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_files),
		cmocka_unit_test(own_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	test_public_tun();
	return test_as_both(group);
}
