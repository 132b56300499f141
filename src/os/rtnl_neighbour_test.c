/* SPDX-License-Identifier: BSD-3-Clause */
/* Routes to one address, and neighbours, on a link of the test's own. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/test_site.h"
#include "os/test_user.h"

static const mac first = {{2, 0, 0, 0, 0, 1}};
static const mac second = {{2, 0, 0, 0, 0, 2}};

static addr ip_of(const char *text)
{
	addr a;

	if (!addr_parse(text, &a))
		fail();
	return a;
}

static void neighbours_are_told(void **state)
{
	static const char *const ips[] = {"192.0.2.9", "2001:db8::9"};
	const struct site *s = *state;

	for (size_t i = 0; i < array_len(ips); i++) {
		const addr ip = ip_of(ips[i]);
		mac m;

		assert_int_equal(rtnl_neighbour_find(s->veth, &ip, &m),
				 -ENOENT);
		assert_int_equal(rtnl_neighbour_set(s->veth, &ip, first), 0);
		assert_int_equal(rtnl_neighbour_set(s->veth, &ip, second), 0);
		assert_int_equal(rtnl_neighbour_find(s->veth, &ip, &m), 0);
		assert_true(mac_eq(m, second));
		/* of that link, and no other */
		assert_int_equal(rtnl_neighbour_find(s->veth + 1, &ip, &m),
				 -ENOENT);
		assert_int_equal(rtnl_neighbour_ask(s->veth, &ip), 0);
		assert_int_equal(rtnl_neighbour_del(s->veth, &ip), 0);
		assert_int_equal(rtnl_neighbour_find(s->veth, &ip, &m),
				 -ENOENT);
	}
}

static void a_route_to_one_address(void **state)
{
	const struct site *s = *state;
	const addr to = ip_of("192.0.2.9"), from = ip_of("192.0.2.2");
	const struct rtnl_route t = rtnl_route_to(&to, &from, s->veth);
	char text[RTNL_ROUTE_STRLEN];

	assert_true(rtnl_route_is_sound(&t));
	assert_string_equal(rtnl_route_format(&t, text), "192.0.2.9/32");
	assert_int_equal(rtnl_route_add(&t), 0);
	assert_int_equal(rtnl_route_add(&t), -EEXIST);
	assert_false(rtnl_route_has_gateway(&t));
	assert_int_equal(rtnl_route_del(&t), 0);
	assert_int_equal(rtnl_route_del(&t), -ESRCH);
}

/* One of two nexthops, as the kernel tells them. */
static struct rtnl_route by_two(const addr *a, const addr *b, int index)
{
	struct {
		struct rtmsg m;
		struct nlattr multi;
		struct {
			struct rtnexthop h;
			struct nlattr gw;
			uint8_t ip[4];
		} hop[2];
	} raw = {
		.m = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN},
		.multi = {sizeof(raw.multi) + sizeof(raw.hop), RTA_MULTIPATH},
	};
	struct rtnl_route t = {.len = sizeof(raw)};

	for (int i = 0; i < 2; i++) {
		raw.hop[i].h = (struct rtnexthop){
			.rtnh_len = sizeof(raw.hop[i]), .rtnh_ifindex = index};
		raw.hop[i].gw =
			(struct nlattr){sizeof(raw.hop[i].gw) + 4, RTA_GATEWAY};
		memcpy(raw.hop[i].ip, (i ? b : a)->b + 12, 4);
	}
	memcpy(t.raw, &raw, sizeof(raw));
	return t;
}

static void routers_are_known(void **state)
{
	const struct site *s = *state;
	const addr a = ip_of("192.0.2.1"), b = ip_of("192.0.2.3");
	const addr other = ip_of("192.0.2.9"), six = ip_of("2001:db8::1");
	const struct prefix all = {.len = 0};
	struct rtnl_route t = site_default_by(s->veth);

	assert_true(rtnl_route_has_router(&t, &a));
	assert_false(rtnl_route_has_router(&t, &other));
	t = rtnl_route_via(&all, &six, s->veth);
	assert_true(rtnl_route_has_router(&t, &six));
	assert_false(rtnl_route_has_router(&t, &a));
	t = by_two(&a, &b, s->veth);
	assert_true(rtnl_route_is_sound(&t));
	assert_true(rtnl_route_has_router(&t, &a));
	assert_true(rtnl_route_has_router(&t, &b));
	assert_false(rtnl_route_has_router(&t, &other));
	t = rtnl_route_to(&other, &a, s->veth);
	assert_false(rtnl_route_has_router(&t, &other));
}

/* Where the host would look for somebody. */
static void the_way_to_an_address(void **state)
{
	const struct site *s = *state;
	const addr near = ip_of("192.0.2.9"), far = ip_of("198.51.100.1");
	const addr own = ip_of("192.0.2.2");
	struct rtnl_route t = site_default_by(s->veth);

	assert_int_equal(rtnl_route_find(&far, &t), -ENETUNREACH);
	assert_int_equal(rtnl_route_add(&t), 0);
	assert_int_equal(rtnl_route_find(&near, &t), 0);
	assert_true(rtnl_route_is_direct(&t, s->veth));
	assert_false(rtnl_route_is_direct(&t, s->veth + 1));
	assert_int_equal(rtnl_route_find(&far, &t), 0);
	assert_int_equal(rtnl_route_index(&t), s->veth);
	assert_false(rtnl_route_is_direct(&t, s->veth)); /* by a router */
	assert_int_equal(rtnl_route_find(&own, &t), 0);
	assert_false(rtnl_route_is_direct(&t, s->veth));
	assert_false(rtnl_route_is_direct(&t, rtnl_route_index(&t)));
}

#define on_site(fn)                                                            \
	cmocka_unit_test_setup_teardown(fn, site_set_up, site_tear_down)

static int group(void)
{
	const struct CMUnitTest tests[] = {
		on_site(neighbours_are_told),
		on_site(a_route_to_one_address),
		on_site(routers_are_known),
		on_site(the_way_to_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return test_in_netns(group);
}
