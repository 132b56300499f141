/* SPDX-License-Identifier: BSD-3-Clause */
/* The routes of a namespace of our own. */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/route.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/routes.h"
#include "os/rtnl.h"
#include "os/test_user.h"

static void set_addr(struct sockaddr *sa, const char *ip)
{
	struct sockaddr_in *sin = (void *)sa;

	sin->sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, ip, &sin->sin_addr), 1);
}

static void add_route(int fd, const char *ip, const char *mask)
{
	char dev[] = "lo";
	struct rtentry rt = {.rt_flags = RTF_UP, .rt_dev = dev};

	set_addr(&rt.rt_dst, ip);
	set_addr(&rt.rt_genmask, mask);
	assert_int_equal(ioctl(fd, SIOCADDRT, &rt), 0);
}

static bool has(const struct prefix *v, unsigned n, addr ip, uint8_t len)
{
	for (unsigned i = 0; i < n; i++) {
		if (addr_eq(&v[i].ip, &ip) && v[i].len == 96 + len)
			return true;
	}
	return false;
}

static void test_routes(void **state)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct prefix *v = NULL;
	unsigned n = 0;

	assert_int_equal(routes_read(&v, &n), 0);
	assert_int_equal(n, 0);
	free(v);
	add_route(fd, "10.1.0.0", "255.255.0.0");
	add_route(fd, "192.0.2.7", "255.255.255.255");
	add_route(fd, "0.0.0.0", "0.0.0.0");
	add_route(fd, "128.0.0.0", "128.0.0.0");
	assert_int_equal(routes_read(&v, &n), 0);
	assert_int_equal(n, 2);
	assert_true(has(v, n, addr_v4(10, 1, 0, 0), 16));
	assert_true(has(v, n, addr_v4(192, 0, 2, 7), 32));
	free(v);
	close(fd);
}

static void put(const char *text, uint8_t len, uint8_t type)
{
	struct prefix p = {.len = len};
	struct rtnl_route t;
	struct rtmsg m;
	struct rtnl_link lo;

	assert_true(addr_parse(text, &p.ip));
	assert_int_equal(rtnl_link_get("lo", 0, &lo), 0);
	t = rtnl_route_via(&p, &p.ip, lo.index);
	memcpy(&m, t.raw, sizeof(m));
	m.rtm_type = type;
	memcpy(t.raw, &m, sizeof(m));
	assert_int_equal(rtnl_route_add(&t), 0);
}

static void test_delegated(void **state)
{
	struct prefix *v = NULL;
	unsigned n = 0;
	char text[ADDR_STRLEN];

	put("2001:db8:1::", 48, RTN_UNREACHABLE);
	put("2001:db8:2::", 64, RTN_UNREACHABLE);
	put("fd00:3::", 48, RTN_UNREACHABLE);
	assert_int_equal(routes_delegated(&v, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(addr_format(&v[0].ip, text), "2001:db8:1::");
	assert_int_equal(v[0].len, 48);
	free(v);
	assert_int_equal(routes_read(&v, &n), 0);
	for (unsigned i = 0; i < n; i++)
		assert_true(addr_is_v4(&v[i].ip)); /* those lead nowhere */
	free(v);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_delegated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return test_in_netns(group);
}
