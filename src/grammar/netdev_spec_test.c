/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parser accepts, in all forms, and what the accessors give back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/netdev_priv.h"
#include "grammar/number.h"

static struct netdev_spec *parsed(const char *text)
{
	struct netdev_spec *s = NULL;
	struct error e = ERROR_NULL;

	if (netdev_parse(text, &s, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return s;
}

/* The text that a netdev prints as. */
static void assert_prints(const char *text, const char *wanted)
{
	struct netdev_spec *s = parsed(text);
	char *got = netdev_spec_format(s);

	assert_string_equal(got, wanted);
	free(got);
	netdev_spec_free(s);
}

static void test_forms_are_equal(void **state)
{
	static const char *const equal[][4] = {
		{"user,id=n,net=10.9.0.0/16,hostfwd=tcp::1-:2,"
		 "hostfwd=udp::3-:4,ipv6=off",
		 "type=user,id=n,ipv6=no,net=10.9.0.0/16,hostfwd=tcp::1-:2,"
		 "hostfwd=udp::3-:4",
		 "hostfwd=tcp::1-:2,id=n,noipv6,type=user,net=10.9.0.0/16,"
		 "hostfwd=udp::3-:4",
		 "{\"type\":\"user\",\"id\":\"n\",\"net\":\"10.9.0.0/16\","
		 "\"ipv6\":false,\"hostfwd\":[{\"str\":\"tcp::1-:2\"},"
		 "{\"str\":\"udp::3-:4\"}]}"},
		{"stream,id=s,addr.type=inet,addr.host=h,addr.port=1,"
		 "reconnect-ms=500",
		 "addr.type=inet,addr.host=h,addr.port=1,type=stream,"
		 "reconnect-ms=0x1f4,id=s",
		 "reconnect-ms=0764,type=stream,id=s,addr.port=1,"
		 "addr.type=inet,addr.host=h",
		 "{\"type\":\"stream\",\"id\":\"s\",\"reconnect-ms\":500,"
		 "\"addr\":{\"type\":\"inet\",\"host\":\"h\",\"port\":"
		 "\"1\"}}"},
		{"dgram,local.type=unix,local.path=a,,b,remote.type=unix,"
		 "remote.path=c",
		 "type=dgram,remote.type=unix,remote.path=c,local.type=unix,"
		 "local.path=a,,b",
		 "remote.path=c,remote.type=unix,local.path=a,,b,"
		 "local.type=unix,type=dgram,",
		 "{\"type\":\"dgram\",\"local\":{\"type\":\"unix\",\"path\":"
		 "\"a,b\"},\"remote\":{\"path\":\"c\",\"type\":\"unix\"}}"},
		{"tap,ifname=t0,script=no,vnet_hdr,queues=4",
		 "tap,vnet_hdr=true,queues=04,script=no,ifname=t0",
		 "queues=0x4,type=tap,ifname=t0,vnet_hdr=y,script=no",
		 "{\"type\":\"tap\",\"vnet_hdr\":true,\"queues\":4,"
		 "\"ifname\":\"t0\",\"script\":\"no\"}"},
		{"hubport,hubid=-2,netdev=x", "netdev=x,hubid=-02,type=hubport",
		 "type=hubport,hubid=-0x2,netdev=x",
		 "{\"hubid\":-2,\"netdev\":\"x\",\"type\":\"hubport\"}"},
	};

	for (size_t i = 0; i < array_len(equal); i++) {
		struct netdev_spec *a = parsed(equal[i][0]);

		for (size_t j = 1; j < 4; j++) {
			struct netdev_spec *b = parsed(equal[i][j]);

			assert_ptr_equal(spec_kind(a), spec_kind(b));
			for (size_t k = 0; k < a->n_values; k++) {
				struct value *x = &a->values[k];
				struct value *y = &b->values[k];

				assert_int_equal(x->is_set, y->is_set);
				assert_int_equal(x->b, y->b);
				assert_int_equal(x->u, y->u);
				assert_int_equal(x->i, y->i);
				assert_int_equal(x->n_list, y->n_list);
				for (size_t l = 0; l < x->n_list; l++)
					assert_string_equal(x->list[l],
							    y->list[l]);
			}
			netdev_spec_free(b);
		}
		netdev_spec_free(a);
	}
}

static void test_round_trips(void **state)
{
	assert_prints("user", "user");
	assert_prints("id=a.b-c_9,type=user", "user,id=a.b-c_9");
	assert_prints("tap,script=a,,b,ifname=x,", "tap,ifname=x,script=a,,b");
	assert_prints("tap,sndbuf=1M,queues=0x10", "tap,queues=0x10,sndbuf=1M");
	assert_prints("{\"type\":\"stream\",\"server\":true,\"addr\":{"
		      "\"type\":\"unix\",\"path\":\"/a,b=c\",\"abstract\":"
		      "true}}",
		      "stream,addr.type=unix,addr.path=/a,,b=c,"
		      "addr.abstract=on,server=on");
	assert_prints("stream,addr.type=unix,addr.path=/a,,b=c,"
		      "addr.abstract=on,server=on",
		      "stream,addr.type=unix,addr.path=/a,,b=c,"
		      "addr.abstract=on,server=on");
	assert_prints("user,dnssearch=b,dnssearch=a",
		      "user,dnssearch=b,dnssearch=a");
}

static void test_defaults(void **state)
{
	struct netdev_spec *s = parsed("user");
	size_t n = 9;

	assert_string_equal(spec_kind(s)->name, "user");
	assert_null(spec_id(s));
	assert_false(spec_has(s, "net"));
	assert_string_equal(spec_str(s, "net"), "10.0.2.0/24");
	assert_null(spec_str(s, "host"));
	assert_true(spec_bool(s, "ipv4"));
	assert_false(spec_bool(s, "restrict"));
	spec_list(s, "hostfwd", &n);
	assert_int_equal(n, 0);
	netdev_spec_free(s);

	s = parsed("tap,vnet_hdr=off");
	assert_int_equal(spec_u64(s, "queues"), 1);
	assert_int_equal(spec_u64(s, "sndbuf"), 0);
	assert_string_equal(spec_str(s, "script"), "/etc/qemu-ifup");
	assert_true(spec_has(s, "vnet_hdr"));
	assert_false(spec_bool(s, "vnet_hdr"));
	netdev_spec_free(s);

	s = parsed("netns,pid=7");
	assert_string_equal(spec_str(s, "ifname"), "eth0");
	assert_int_equal(spec_u64(s, "pid"), 7);
	netdev_spec_free(s);
}

static void test_values(void **state)
{
	struct netdev_spec *s = parsed("tap,fds=3:14:15,sndbuf=1.5k");
	const char *const *list;
	int fds[2] = {-1, -1};
	size_t n;

	assert_int_equal(spec_fds(s, "fds", fds, 2), 3);
	assert_int_equal(fds[0], 3);
	assert_int_equal(fds[1], 14);
	assert_int_equal(spec_fds(s, "fd", fds, 2), 0);
	assert_int_equal(spec_u64(s, "sndbuf"), 1536);
	netdev_spec_free(s);

	s = parsed("hubport,hubid=-5");
	assert_int_equal(spec_int(s, "hubid"), -5);
	netdev_spec_free(s);

	s = parsed("user,dnssearch=one,dnssearch=two");
	list = spec_list(s, "dnssearch", &n);
	assert_int_equal(n, 2);
	assert_string_equal(list[0], "one");
	assert_string_equal(list[1], "two");
	netdev_spec_free(s);
}

static void test_inet_address(void **state)
{
	struct netdev_spec *s = parsed(
		"stream,server=on,addr.type=inet,addr.host=::1,addr.port=10,"
		"addr.to=20,addr.ipv4=off,addr.keep-alive=on,"
		"addr.keep-alive-idle=7,addr.numeric=on,max=1");
	const struct sock_addr_spec *a = spec_addr(s, "addr");

	assert_int_equal(a->type, SOCK_ADDR_INET);
	assert_string_equal(a->host, "::1");
	assert_string_equal(a->port, "10");
	assert_true(a->has_to);
	assert_int_equal(a->to, 20);
	assert_int_equal(a->ipv4, TRI_OFF);
	assert_int_equal(a->ipv6, TRI_UNSET);
	assert_int_equal(a->keep_alive, TRI_ON);
	assert_int_equal(a->keep_alive_idle, 7);
	assert_int_equal(a->keep_alive_count, 0);
	assert_true(a->numeric);
	assert_false(a->mptcp);
	assert_int_equal(a->fd, -1);
	assert_null(a->path);
	assert_true(spec_bool(s, "server"));
	assert_int_equal(spec_u64(s, "max"), 1);
	netdev_spec_free(s);
}

static void test_other_addresses(void **state)
{
	struct netdev_spec *s = parsed("dgram,remote.type=unix,remote.path=r,"
				       "local.type=unix,local.path=l,"
				       "local.abstract=on,local.tight=off");

	assert_int_equal(spec_addr(s, "local")->type, SOCK_ADDR_UNIX);
	assert_string_equal(spec_addr(s, "local")->path, "l");
	assert_true(spec_addr(s, "local")->is_abstract);
	assert_false(spec_addr(s, "local")->is_tight);
	assert_true(spec_addr(s, "remote")->is_tight);
	netdev_spec_free(s);

	s = parsed("dgram,local.type=fd,local.str=12");
	assert_int_equal(spec_addr(s, "local")->type, SOCK_ADDR_FD);
	assert_int_equal(spec_addr(s, "local")->fd, 12);
	assert_null(spec_addr(s, "remote"));
	netdev_spec_free(s);
}

/* Each of these asks for something that works or for nothing we lack. */
static void test_accepted(void **state)
{
	static const char *const texts[] = {
		"user,ipv4=on,ipv6=off,restrict=off",
		"user,ipv4",
		"user,norestrict",
		"tap,vhost=off,vhostforce=no,poll-us=0x0",
		"tap,vhost=on,vhostforce=on,poll-us=50",
		"tap,fds=3:4,vhostfds=5:6,vhost=on",
		"tap,queues=2,vhostfds=5:6",
		"tap,fd=3,vhostfd=5",
		"tap,helper=/x,vhost",
		"tap,ifname=tap%d",
		"tap,fd=0",
		"stream,addr.type=inet,addr.host=h,addr.port=ssh",
		"stream,server=on,addr.type=inet,addr.host=,addr.port=0",
		"stream,server=on,reconnect-ms=0,addr.type=unix,addr.path=p",
		"stream,addr.type=fd,addr.str=3",
		"dgram,remote.type=inet,remote.host=230.0.0.1,remote.port=1",
		"dgram,remote.type=inet,remote.host=230.0.0.1,remote.port=1,"
		"local.type=inet,local.host=10.0.0.1,local.port=0",
		"dgram,remote.type=inet,remote.host=230.0.0.1,remote.port=1,"
		"local.type=fd,local.str=4",
		"dgram,remote.type=inet,remote.host=ff02::9,remote.port=1",
		"netns,path=/proc/1/ns/net,mac=52:54:00:12:34:56,queues=2",
		"hubport,hubid=2147483647",
		"vhost-user,path=/x,queues=16",
		"vhost-user,fd=3,server=on,queues=1",
	};

	for (size_t i = 0; i < array_len(texts); i++)
		netdev_spec_free(parsed(texts[i]));
}

static void test_wants_help(void **state)
{
	const struct netdev_kind *k = NULL;

	assert_true(netdev_wants_help("help", &k));
	assert_null(k);
	assert_true(netdev_wants_help("?", &k));
	assert_null(k);
	assert_true(netdev_wants_help("tap,help", &k));
	assert_string_equal(k->name, "tap");
	assert_true(netdev_wants_help("type=vde,sock=x,?", &k));
	assert_string_equal(k->name, "vde");
	assert_false(netdev_wants_help("tap", &k));
	assert_false(netdev_wants_help("tap,ifname=help", &k));
	assert_false(netdev_wants_help("tup,help", &k));
	assert_false(netdev_wants_help("{\"type\":\"tap\"}", &k));
	assert_false(netdev_wants_help("", &k));
}

static void test_numbers(void **state)
{
	uint64_t n = 1;
	bool big;

	assert_true(number_parse("0", 9, &n, &big) && n == 0);
	assert_true(number_parse("010", 9, &n, &big) && n == 8);
	assert_true(number_parse("0xfF", 255, &n, &big) && n == 255);
	assert_false(number_parse("256", 255, &n, &big));
	assert_true(big);
	assert_false(
		number_parse("99999999999999999999", UINT64_MAX, &n, &big));
	assert_true(big);
	assert_false(number_parse("18446744073709551616x", 9, &n, &big));
	assert_false(number_parse("", 9, &n, &big));
	assert_false(number_parse("0x", 9, &n, &big));
	assert_false(number_parse("08", 9, &n, &big));
	assert_false(number_parse("+1", 9, &n, &big));
	assert_false(number_parse(" 1", 9, &n, &big));
	assert_true(
		number_parse("18446744073709551615", UINT64_MAX, &n, &big) &&
		n == UINT64_MAX);
}

static void test_sizes(void **state)
{
	uint64_t n = 1;

	assert_true(size_parse("0", &n) && n == 0);
	assert_true(size_parse("010", &n) && n == 10);
	assert_true(size_parse("0x10", &n) && n == 16);
	assert_true(size_parse("3k", &n) && n == 3072);
	assert_true(size_parse("1.25M", &n) && n == 1310720);
	assert_true(size_parse("2T", &n) && n == (uint64_t)2 << 40);
	assert_false(size_parse("1.5", &n));
	assert_false(size_parse("1.", &n));
	assert_false(size_parse("1.k", &n));
	assert_false(size_parse("k", &n));
	assert_false(size_parse("-1", &n));
	assert_false(size_parse("1kk", &n));
	assert_false(size_parse("99999999999999999999", &n));
	assert_false(size_parse("99999999T", &n));
}

static void test_too_long(void **state)
{
	struct netdev_spec *s = NULL;
	struct error e = ERROR_NULL;
	char *text = malloc(NETDEV_TEXT_MAX + 2);

	assert_non_null(text);
	memset(text, 'a', NETDEV_TEXT_MAX + 1);
	text[NETDEV_TEXT_MAX + 1] = '\0';
	assert_true(netdev_parse(text, &s, &e) < 0);
	assert_string_equal(e.text,
			    "a netdev may not be longer than 65536 bytes");
	/* As long as allowed, and nested as deep as fits: no crash. */
	memset(text, '{', NETDEV_TEXT_MAX);
	text[NETDEV_TEXT_MAX] = '\0';
	e = ERROR_NULL;
	assert_true(netdev_parse(text, &s, &e) < 0);
	assert_string_equal(e.text,
			    "JSON parse error, nested more than 8 deep");
	assert_null(s);
	free(text);
}

static void test_descriptors(void **state)
{
	static const struct {
		const char *text;
		bool is_fd;
	} rows[] = {
		{"tap,fd=3", true},
		{"tap,fds=3:4", true},
		{"stream,addr.type=fd,addr.str=3", true},
		{"dgram,local.type=fd,local.str=3", true},
		{"socket,fd=3", true},
		{"vhost-user,fd=3", true},
		{"user", false},
		{"tap,ifname=fd", false},
		{"stream,addr.type=unix,addr.path=fd", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct netdev_spec *spec = NULL;
		struct error e = ERROR_NULL;

		if (netdev_parse(rows[i].text, &spec, &e) < 0)
			fail_msg("%s: %s", rows[i].text, e.text);
		if (spec_is_fd(spec) != rows[i].is_fd)
			fail_msg("%s", rows[i].text);
		netdev_spec_free(spec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms_are_equal),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_inet_address),
		cmocka_unit_test(test_other_addresses),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_wants_help),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
