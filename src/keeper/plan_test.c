/* SPDX-License-Identifier: BSD-3-Clause */
/* Which lan each netdev lands on, and which plans are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "keeper/keeper.h"
#include "keeper/forwards.h"
#include "keeper/plan.h"

enum { SPECS_MAX = 8 };

struct world {
	struct netdev_spec *specs[SPECS_MAX];
	unsigned n;
	struct plan plan;
	struct log log;
	struct error e;
};

static void begin_plan(struct world *w, const char *const *texts)
{
	memset(w, 0, sizeof(*w));
	w->log = LOG_INIT(LOG_LEVEL_ERROR);
	w->plan = PLAN_INIT(w->plan);
	for (; texts[w->n]; w->n++)
		assert_int_equal(netdev_parse(texts[w->n], &w->specs[w->n],
					      &w->e),
				 0);
}

/* Opens a plan of netdev strings; 0 or negative as plan_open(). */
static int open_plan(struct world *w, const char *const *texts)
{
	struct plan_args a = {.specs = w->specs};

	begin_plan(w, texts);
	a.n_specs = w->n;
	return plan_open(&w->plan, &a, &w->e);
}

static void close_plan(struct world *w)
{
	plan_close(&w->plan);
	for (unsigned i = 0; i < w->n; i++)
		netdev_spec_free(w->specs[i]);
}

#define PLAN(...) ((const char *const[]){__VA_ARGS__, NULL})

static void refused(const char *const *texts, enum exit_code code,
		    const char *says)
{
	struct world w;

	assert_true(open_plan(&w, texts) < 0);
	assert_int_equal(w.e.code, code);
	if (!strstr(w.e.text, says))
		fail_msg("'%s' does not say '%s'", w.e.text, says);
	assert_true(list_empty(&w.plan.netdevs));
	close_plan(&w);
}

static void netdevs_share_one_lan(void **state)
{
	struct world w;

	assert_int_equal(
		open_plan(&w, PLAN("user", "user,id=u,net=10.1.0.0/24")), 0);
	assert_int_equal(w.plan.n_hubs, 0);
	assert_int_equal(plan_find(&w.plan, 1)->lan, 0);
	assert_string_equal(plan_find(&w.plan, 1)->name, "user0");
	assert_string_equal(plan_find(&w.plan, 2)->name, "u");
	assert_null(plan_find(&w.plan, 3));
	close_plan(&w);
}

/* Each way of socket gives the order of the kind it is in other words. */
static void socket_is_stream_or_dgram(void **state)
{
	struct plan_netdev *n;
	struct world w;

	assert_int_equal(
		open_plan(&w, PLAN("socket,listen=127.0.0.1:0,max=3",
				   "socket,connect=127.0.0.1:9,reconnect-ms=7",
				   "socket,id=u,udp=127.0.0.1:9,"
				   "localaddr=127.0.0.1:0",
				   "hubport,hubid=4,netdev=u")),
		0);
	n = plan_find(&w.plan, 1);
	assert_string_equal(n->name, "socket0");
	assert_int_equal(n->order.head.type, ENGINE_MSG_SERVER_ADD);
	assert_int_equal(n->order.server_add.max, 3);
	assert_int_equal(n->n_fds, 1);
	n = plan_find(&w.plan, 2);
	assert_int_equal(n->order.head.type, ENGINE_MSG_STREAM_ADD);
	assert_true(n->is_client && n->is_waiting);
	assert_int_equal(n->reconnect_ms, 7);
	n = plan_find(&w.plan, 3);
	assert_int_equal(n->order.head.type, ENGINE_MSG_DGRAM_ADD);
	assert_int_equal(n->order.dgram_add.remote.port, 9);
	assert_false(n->order.dgram_add.is_multicast);
	assert_int_equal(n->order.dgram_add.lan, 1);
	close_plan(&w);
}

static void a_socket_in_vain_is_refused(void **state)
{
	refused(PLAN("user", "socket,fd=987"), EXIT_USAGE,
		"can't get socket option SO_TYPE");
	refused(PLAN("socket,mcast=localhost:5"), EXIT_USAGE,
		"does not contain a multicast address");
	refused(PLAN("socket,id=s,listen=127.0.0.1:0", "socket,id=s,listen=:0"),
		EXIT_USAGE, "Duplicate ID 's'");
}

static void a_named_netdev_goes_to_the_hub(void **state)
{
	struct world w;

	assert_int_equal(
		open_plan(&w,
			  PLAN("user,id=u", "user,id=v,net=10.1.0.0/24",
			       "hubport,hubid=-7,netdev=u",
			       "hubport,hubid=3,netdev=v", "hubport,hubid=3")),
		0);
	assert_int_equal(w.plan.n_hubs, 2);
	assert_int_equal(w.plan.hubs[0], -7);
	assert_int_equal(plan_find(&w.plan, 1)->lan, 1);
	assert_int_equal(plan_find(&w.plan, 2)->lan, 2);
	assert_int_equal(plan_find(&w.plan, 3)->order.head.type,
			 ENGINE_MSG_NONE);
	assert_int_equal(plan_find(&w.plan, 5)->order.head.type,
			 ENGINE_MSG_HUBPORT_ADD);
	assert_int_equal(plan_find(&w.plan, 5)->order.hubport_add.hub, 2);
	close_plan(&w);
}

static void impossible_plans_are_refused(void **state)
{
	refused(PLAN("hubport,hubid=0", "hubport,hubid=0"), EXIT_USAGE, "loop");
	refused(PLAN("hubport,hubid=0,netdev=zz"), EXIT_USAGE,
		"netdev 'zz' not found");
	refused(PLAN("user,id=u", "hubport,hubid=0,netdev=u",
		     "hubport,hubid=1,netdev=u"),
		EXIT_USAGE, "on hub 0 already");
	refused(PLAN("hubport,id=h,hubid=0", "hubport,hubid=1,netdev=h"),
		EXIT_USAGE, "is a hubport itself");
	refused(PLAN("user,hostfwd=tcp:127.0.0.1:0-10.9.9.9:22"), EXIT_USAGE,
		"no guest of this network");
	refused(PLAN("user,hostfwd=tcp:127.0.0.1:0-10.0.2.2:22"), EXIT_USAGE,
		"no guest of this network");
	refused(PLAN("user,id=u", "user,id=u"), EXIT_USAGE,
		"Duplicate ID 'u' for netdev");
}

static void what_was_opened_is_undone(void **state)
{
	char dir[] = "/tmp/vmlan-plan-XXXXXX";
	char good[128], bad[128], path[64];
	struct world w;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(good, sizeof(good),
		 "stream,server=on,addr.type=unix,addr.path=%s", path);
	snprintf(bad, sizeof(bad),
		 "stream,server=on,addr.type=unix,addr.path=%s/no/such", dir);
	refused(PLAN(good, bad), EXIT_FAILED, "no/such");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(open_plan(&w, PLAN(good)), 0);
	assert_int_equal(access(path, F_OK), 0);
	close_plan(&w);
	assert_int_equal(access(path, F_OK), -1);
	rmdir(dir);
}

/* Whoever may ask for a machine's place may not make hubs, which would stay. */
static void a_machine_gets_a_hub_that_is_there(void **state)
{
	struct netdev_spec *spec = NULL;
	struct plan_netdev *n = NULL;
	struct world w;
	int hub = 4;

	assert_int_equal(open_plan(&w, PLAN("user", "hubport,hubid=4")), 0);
	assert_int_equal(netdev_parse("user,net=10.1.0.0/24", &spec, &w.e), 0);
	assert_int_equal(plan_add(&w.plan, spec, "vm", &hub, &n, &w.e), 0);
	assert_int_equal(n->lan, 1);
	plan_remove(n);
	for (hub = 5; hub < 9; hub++) {
		w.e = ERROR_NULL;
		assert_true(plan_add(&w.plan, spec, "vm", &hub, &n, &w.e) < 0);
		assert_int_equal(w.e.code, EXIT_NO_OBJECT);
	}
	assert_int_equal(w.plan.n_hubs, 1);
	netdev_spec_free(spec);
	close_plan(&w);
}

static void what_changes_the_host_takes_a_folder(void **state)
{
	char dir[] = "/tmp/vmlan-plan-XXXXXX";
	struct journal *j;
	char path[64];
	struct world w;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/" JOURNAL_FILE, dir);
	assert_int_equal(open_plan(&w, PLAN("user")), 0);
	assert_null(plan_journal(&w.plan, &w.e));
	assert_int_equal(w.e.code, EXIT_USAGE);
	w.plan.dir = dir;
	j = plan_journal(&w.plan, &w.e);
	assert_non_null(j);
	assert_int_equal(access(path, F_OK), 0);
	assert_ptr_equal(plan_journal(&w.plan, &w.e), j);
	close_plan(&w);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void the_test_switch_is_strict(void **state)
{
	assert_int_equal(keeper_deny_parse(""), 0);
	assert_int_equal(keeper_deny_parse("ping,peek_off"),
			 ENGINE_DENY_PING | ENGINE_DENY_PEEK_OFF);
	assert_int_equal(keeper_deny_parse("pin"), -1);
	assert_int_equal(keeper_deny_parse("ping,,gso"), -1);
}

static int before_port(const void *past, unsigned n, unsigned i)
{
	return n == 1 && i == 1 ? *(const uint16_t *)past : 0;
}

/* The port of before, if it is free; who asks for one gets that. */
static void drawn_ports_stay(void **state)
{
	struct plan_netdev *n;
	struct world w;
	uint16_t past, second;

	(void)state;
	assert_int_equal(open_plan(&w, PLAN("user,hostfwd=tcp:127.0.0.1:0-:1")),
			 0);
	past = plan_gateway(&w.plan)->forwards[0].host.port;
	assert_true(past && plan_gateway(&w.plan)->forwards[0].of->drawn);
	close_plan(&w);

	begin_plan(&w, PLAN("hubport,hubid=0",
			    "user,hostfwd=tcp:127.0.0.1:0-:1,"
			    "hostfwd=tcp:127.0.0.1:0-:2"));
	for (int again = 0; again < 2; again++) {
		const struct plan_args a = {
			.specs = w.specs,
			.n_specs = w.n,
			.log = again ? &w.log : NULL,
			.port_before = before_port,
			.past = &past,
		};
		struct plan other = PLAN_INIT(other);

		assert_int_equal(plan_open(again ? &other : &w.plan, &a, &w.e),
				 0);
		n = plan_gateway(again ? &other : &w.plan);
		second = n->forwards[1].host.port;
		assert_int_equal(second == past, !again);
		assert_true(second);
		if (again)
			plan_close(&other);
	}
	close_plan(&w);
}

static addr guest_of(const char *spec)
{
	struct world w;
	addr ip;

	assert_int_equal(open_plan(&w, PLAN(spec)), 0);
	ip = plan_gateway(&w.plan)->forwards[0].guest.ip;
	close_plan(&w);
	return ip;
}

/* Who is not named is the first that gets a lease, of either family. */
static void a_guest_without_a_name(void **state)
{
	const struct {
		const char *spec, *guest;
	} t[] = {
		{"user,hostfwd=tcp:127.0.0.1:0-:1", "10.0.2.15"},
		{"user,net=10.9.0.0/16,dhcpstart=10.9.3.4,"
		 "hostfwd=udp:127.0.0.1:0-:1", "10.9.3.4"},
		{"user,ipv4=off,hostfwd=tcp:127.0.0.1:0-:1", "fec0::f"},
		{"user,ipv4=off,ipv6-net=fd00:1::/64,"
		 "hostfwd=udp:127.0.0.1:0-:1", "fd00:1::f"},
	};
	char text[ADDR_STRLEN];

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		const addr ip = guest_of(t[i].spec);

		assert_string_equal(addr_format(&ip, text), t[i].guest);
	}
	/* a place that is not there, or is the gateway's */
	refused(PLAN("user,ipv4=off,ipv6-net=fd00::/126,"
		     "hostfwd=tcp:127.0.0.1:0-:1"), EXIT_USAGE,
		"no guest of this network can have");
	refused(PLAN("user,ipv4=off,ipv6-host=fec0::f,"
		     "hostfwd=tcp:127.0.0.1:0-:1"), EXIT_USAGE,
		"no guest of this network can have");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(netdevs_share_one_lan),
		cmocka_unit_test(socket_is_stream_or_dgram),
		cmocka_unit_test(a_socket_in_vain_is_refused),
		cmocka_unit_test(a_named_netdev_goes_to_the_hub),
		cmocka_unit_test(impossible_plans_are_refused),
		cmocka_unit_test(what_was_opened_is_undone),
		cmocka_unit_test(a_machine_gets_a_hub_that_is_there),
		cmocka_unit_test(what_changes_the_host_takes_a_folder),
		cmocka_unit_test(the_test_switch_is_strict),
		cmocka_unit_test(drawn_ports_stay),
		cmocka_unit_test(a_guest_without_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
