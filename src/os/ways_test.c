/* SPDX-License-Identifier: BSD-3-Clause */
/* Ways out of a namespace of our own that come and go. */
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/rtnl.h"
#include "os/test_user.h"
#include "os/ways.h"

static void assert_ways(bool v4, bool v6)
{
	struct ways w = ways_now();

	assert_int_equal(w.v4, v4);
	assert_int_equal(w.v6, v6);
}

static void put(int index, const addr *ip, uint8_t family,
		uint8_t len)
{
	struct rtnl_addr a = {
		.index = index,
		.family = family,
		.prefix_len = len,
		.flags = IFA_F_NODAD,
		.local = *ip,
		.peer = *ip,
		.valid_s = RTNL_FOREVER,
		.preferred_s = RTNL_FOREVER,
	};

	assert_int_equal(rtnl_addr_add(&a, false), 0);
}

static struct rtnl_route to_by(const struct prefix *to, int index,
			       const char *router)
{
	addr ip;
	struct rtnl_route t;

	assert_true(addr_parse(router, &ip));
	t = rtnl_route_via(to, &ip, index);
	assert_int_equal(rtnl_route_add(&t), 0);
	return t;
}

static struct rtnl_route via(int index, const char *router)
{
	const struct prefix all = {.len = 0};

	return to_by(&all, index, router);
}

static void ways_come_and_go(void **state)
{
	const struct rtnl_link_new n = {
		.name = "out", .kind = "veth", .peer = "in"};
	struct rtnl_link l;
	struct rtnl_route t4, t6;
	addr v4 = addr_v4(192, 0, 2, 2), v6;

	(void)state;
	assert_ways(false, false);
	assert_int_equal(rtnl_link_add(&n), 0);
	assert_int_equal(rtnl_link_get("in", 0, &l), 0);
	assert_int_equal(rtnl_link_set_up(l.index, true), 0);
	assert_int_equal(rtnl_link_get("out", 0, &l), 0);
	assert_int_equal(rtnl_link_set_up(l.index, true), 0);
	put(l.index, &v4, AF_INET, 24);
	assert_ways(false, false); /* a LAN is none */
	t4 = via(l.index, "192.0.2.1");
	assert_ways(true, false);
	assert_true(addr_parse("2001:db8::2", &v6));
	put(l.index, &v6, AF_INET6, 64);
	assert_ways(true, false);
	t6 = via(l.index, "2001:db8::1");
	assert_ways(true, true);
	assert_int_equal(rtnl_route_del(&t4), 0);
	assert_ways(false, true);
	assert_int_equal(rtnl_route_del(&t6), 0);
	assert_ways(false, false);
}

/* A router alone is none: nobody could answer fe80::1. */
static void an_address_of_the_link_is_no_way(void **state)
{
	struct rtnl_link l;
	struct rtnl_addr a;
	struct rtnl_route t;
	addr own, v6;

	(void)state;
	assert_int_equal(rtnl_link_get("out", 0, &l), 0);
	assert_true(addr_parse("2001:db8::2", &v6));
	assert_true(addr_parse("fe80::7", &own));
	put(l.index, &own, AF_INET6, 64);
	t = via(l.index, "fe80::1");
	assert_ways(false, true);
	a = (struct rtnl_addr){.index = l.index,
			       .family = AF_INET6,
			       .prefix_len = 64,
			       .local = v6,
			       .peer = v6};
	assert_int_equal(rtnl_addr_del(&a), 0);
	assert_ways(false, false);
	assert_int_equal(rtnl_route_del(&t), 0);
}

/* A cable that is pulled takes no route away.  A second way, by another link,
 * is taken where the kernel takes it. */
static void a_link_without_carrier_is_no_way(void **state)
{
	const struct rtnl_link_new n = {
		.name = "out2", .kind = "veth", .peer = "in2"};
	const struct prefix global = {.ip = {{0x20}}, .len = 3};
	struct rtnl_link out, in, out2, in2;
	struct rtnl_route first;
	addr v6;

	(void)state;
	assert_int_equal(rtnl_link_get("out", 0, &out), 0);
	assert_int_equal(rtnl_link_get("in", 0, &in), 0);
	assert_int_equal(rtnl_link_add(&n), 0);
	assert_int_equal(rtnl_link_get("out2", 0, &out2), 0);
	assert_int_equal(rtnl_link_get("in2", 0, &in2), 0);
	assert_int_equal(rtnl_link_set_up(out2.index, true), 0);
	assert_int_equal(rtnl_link_set_up(in2.index, true), 0);
	assert_true(addr_parse("2001:db8::2", &v6));
	put(out.index, &v6, AF_INET6, 64);
	assert_true(addr_parse("2001:db8:2::2", &v6));
	put(out2.index, &v6, AF_INET6, 64);
	/* the Internet alone will do, and goes before the default */
	first = to_by(&global, out.index, "2001:db8::1");
	(void)via(out2.index, "2001:db8:2::1");
	assert_ways(false, true);
	assert_int_equal(ways_now().link6, out.index);
	(void)via(out.index, "192.0.2.1");
	assert_ways(true, true);
	assert_int_equal(ways_now().link4, out.index);
	assert_int_equal(rtnl_link_set_up(in.index, false), 0);
	assert_ways(false, false);
	assert_int_equal(ways_now().link6, 0);
	assert_int_equal(rtnl_route_del(&first), 0);
	assert_ways(false, true);
	assert_int_equal(ways_now().link6, out2.index);
	assert_int_equal(rtnl_link_set_up(out2.index, false), 0);
	assert_ways(false, false);
	assert_int_equal(rtnl_link_set_up(in.index, true), 0);
	assert_ways(true, false);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ways_come_and_go),
		cmocka_unit_test(an_address_of_the_link_is_no_way),
		cmocka_unit_test(a_link_without_carrier_is_no_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return test_in_netns(group);
}
