/* SPDX-License-Identifier: BSD-3-Clause */
/* What -nic and -net become, and what is refused in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/net_option.h"

static int parse(const char *text, bool is_net, struct net_option *o,
		 struct error *e)
{
	return is_net ? net_option_net(text, 3, o, e)
		      : net_option_nic(text, o, e);
}

/* A netdev and its place; what is NULL is not there. */
static void becomes(const char *text, bool is_net, const char *netdev,
		    const char *hubport)
{
	struct error e = ERROR_NULL;
	struct net_option o;

	if (parse(text, is_net, &o, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	assert_int_equal(o.what, NET_OPTION_NETDEV);
	assert_string_equal(o.netdev, netdev);
	if (hubport)
		assert_string_equal(o.hubport, hubport);
	else
		assert_null(o.hubport);
	net_option_deinit(&o);
}

static void test_netdevs(void **state)
{
	becomes("user", false, "user", NULL);
	becomes("", false, "user", NULL);
	becomes("model=virtio", false, "user", NULL);
	becomes("user,model=e1000,hostfwd=tcp::1-:2,mac=52:54:00:00:00:01,"
		"hostfwd=udp::1-:2",
		false, "user,hostfwd=tcp::1-:2,hostfwd=udp::1-:2", NULL);
	becomes("type=tap,id=t,script=/a,,b,novnet_hdr", false,
		"tap,id=t,script=/a,,b,novnet_hdr", NULL);
	becomes("socket,listen=:1", true, "socket,id=hub0port3,listen=:1",
		"hubport,hubid=0,netdev=hub0port3");
	becomes("user,id=u", true, "user,id=u", "hubport,hubid=0,netdev=u");
	becomes("hubport,hubid=2", false, "hubport,hubid=2", NULL);
}

static void test_cards(void **state)
{
	struct net_option o;

	assert_int_equal(
		net_option_nic("user,model=e1000,mac=52-54-00-00-00-01", &o,
			       NULL),
		0);
	assert_true(o.has_model && o.nic.has_mac);
	assert_string_equal(o.nic.model->name, "e1000");
	assert_int_equal(o.nic.mac.b[5], 1);
	net_option_deinit(&o);

	assert_int_equal(net_option_nic("mac=52:54:00:00:00:02", &o, NULL), 0);
	assert_true(!o.has_model && o.nic.has_mac);
	net_option_deinit(&o);

	assert_int_equal(net_option_net("nic,model=virtio,addr=5,vectors=0,"
					"macaddr=52:54:00:00:00:03,id=n",
					0, &o, NULL),
			 0);
	assert_int_equal(o.what, NET_OPTION_CARD);
	assert_string_equal(o.nic.model->device, "virtio-net-pci");
	assert_int_equal(o.nic.mac.b[5], 3);
	assert_string_equal(o.device, ",addr=5,vectors=0");
	assert_string_equal(o.hubport, "hubport,hubid=0");
	net_option_deinit(&o);

	assert_int_equal(net_option_net("nic,netdev=u", 0, &o, NULL), 0);
	assert_string_equal(o.peer, "u");
	assert_null(o.hubport);
	assert_false(o.has_model);
	net_option_deinit(&o);
}

static void test_none(void **state)
{
	struct net_option o;

	for (int is_net = 0; is_net < 2; is_net++) {
		assert_int_equal(parse("none", is_net, &o, NULL), 0);
		assert_int_equal(o.what, NET_OPTION_NONE);
		assert_null(o.netdev);
		net_option_deinit(&o);
	}
}

static void refused(const char *text, bool is_net, const char *line)
{
	struct error e = ERROR_NULL;
	struct net_option o;

	if (parse(text, is_net, &o, &e) >= 0)
		fail_msg("accepted: %s", text);
	assert_int_equal(e.code, EXIT_USAGE);
	assert_string_equal(e.text, line);
	assert_null(o.netdev);
}

static void test_refusals(void **state)
{
	refused("", true, "Parameter 'type' is missing (-net)");
	refused("{\"type\":\"user\"}", false,
		"Parameter 'type' is missing (-nic takes no JSON)");
	refused("hubport,hubid=1", true,
		"network backend 'hubport' is only supported with "
		"-netdev/-nic");
	refused("none,model=e1000", false,
		"Invalid parameter 'model' (-nic none)");
	refused("user,type=tap", false,
		"Parameter 'type' is given twice (-nic)");
	refused("usr", false,
		"Parameter 'type' does not accept value 'usr'; the nearest "
		"is 'user', 'help' lists all");
	refused("nic,model=e1000", false,
		"nic: network backend 'nic' is not compiled into this "
		"binary; a card is the guest's end of the cable: vmlan run "
		"--nic MODEL");
	refused("user,addr=5", false,
		"user: Invalid parameter 'addr'; the nearest is 'id', "
		"'user,help' lists all");
	refused("user,model=e1000", true,
		"user: Invalid parameter 'model'; the nearest is 'zone', "
		"'user,help' lists all");
	refused("user,model=bogus", false,
		"Unsupported NIC model: bogus; the nearest is 'igb', all are "
		"in 'vmlan nic list'");
	refused("user,mac=01:00:00:00:00:01", false,
		"NIC cannot have multicast MAC address (mac=01:00:00:00:00:01 "
		"of --nic)");
	refused("user,mac", false, "Expected '=' after parameter 'mac' (-nic)");
	refused("user,model=e1000,model=igb", false,
		"Parameter 'model' is given twice (-nic)");
	refused("nic,name=x", true,
		"nic: Invalid parameter 'name'; the nearest is 'id', "
		"'nic,help' lists all");
	refused("nic,vectors=5;6", true,
		"Parameter 'vectors' expects a number, not '5;6' (-net nic)");
	refused("socket,listen=1", true,
		"socket: host address '1' doesn't contain ':' separating host "
		"from port (listen=)");
}

static void test_which_of_two(void **state)
{
	assert_true(net_option_is_nic("user,hostfwd=tcp::1-:2"));
	assert_true(net_option_is_nic("none"));
	assert_true(net_option_is_nic("type=user"));
	assert_true(net_option_is_nic("hostfwd=tcp::1-:2"));
	assert_false(net_option_is_nic("e1000,mac=52:54:00:00:00:01"));
	assert_false(net_option_is_nic("model=e1000"));
	assert_false(net_option_is_nic("mac=52:54:00:00:00:01"));
	assert_false(net_option_is_nic("usr"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_netdevs),
		cmocka_unit_test(test_cards),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_which_of_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
