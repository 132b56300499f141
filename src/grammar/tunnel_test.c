/* SPDX-License-Identifier: BSD-3-Clause */
/* The tunnels' netdev strings: what is refused, and what stands where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "grammar/netdev_spec.h"
#include "grammar/tunnel_opts.h"

#define L2 "l2tpv3,src=a,dst=b,txsession=1"
#define VX "vxlan,vni=1,remote=192.0.2.1"

/* A text and the one line it is answered with. */
static const struct {
	const char *text, *line;
} bad[] = {
	{"l2tpv3,src=a,dst=b", "l2tpv3: Parameter 'txsession' is missing"},
	{"l2tpv3,src=,dst=b,txsession=1",
	 "l2tpv3: Parameter 'src' may not be empty"},
	{L2 ",udp=on",
	 "l2tpv3: need both src and dst port for udp (srcport=, dstport=)"},
	{L2 ",udp=on,dstport=5",
	 "l2tpv3: need both src and dst port for udp (srcport=, dstport=)"},
	{L2 ",srcport=5",
	 "l2tpv3: Parameter 'srcport' is for udp=on; IP protocol 115 has no "
	 "ports"},
	{L2 ",udp=on,srcport=1,dstport=0",
	 "l2tpv3: Parameter 'dstport' may not be 0, it names the peer"},
	{L2 ",udp=on,srcport=1,dstport=00000",
	 "l2tpv3: Parameter 'dstport' may not be 0, it names the peer"},
	{L2 ",udp=on,srcport=70000,dstport=1",
	 "l2tpv3: Parameter 'srcport' expects a number of at most 65535 or the "
	 "name of a service, not '70000'"},
	{L2 ",txcookie=1",
	 "l2tpv3: require both 'rxcookie' and 'txcookie' or neither"},
	{L2 ",rxcookie=1",
	 "l2tpv3: require both 'rxcookie' and 'txcookie' or neither"},
	{L2 ",txcookie=1,rxcookie=0x100000000",
	 "l2tpv3: Parameter 'rxcookie' is longer than 32 bits, which takes "
	 "cookie64=on"},
	{L2 ",cookie64=off,txcookie=0x100000000,rxcookie=1",
	 "l2tpv3: Parameter 'txcookie' is longer than 32 bits, which takes "
	 "cookie64=on"},
	{L2 ",offset=257", "l2tpv3: offset must be less than 256 bytes"},
	{"vxlan,remote=a", "vxlan: Parameter 'vni' is missing"},
	{"vxlan,vni=5", "vxlan: Parameter 'remote' is missing"},
	{"vxlan,vni=16777216,remote=a",
	 "vxlan: Parameter 'vni' expects a number of at most 16777215"},
	{VX ",port=0",
	 "vxlan: Parameter 'port' may not be 0, it names the peers' port"},
	{VX ",ageing=0",
	 "vxlan: Parameter 'ageing' expects 1 to 31536000 seconds"},
	{VX ",ttl=256",
	 "vxlan: Parameter 'ttl' expects a number of at most 255"},
	{VX ",df=maybe",
	 "vxlan: Parameter 'df' expects set or unset, not 'maybe'"},
	{VX ",local=", "vxlan: Parameter 'local' may not be empty"},
	{VX ",remote=", "vxlan: Parameter 'remote' may not be empty"},
	{VX ",remote=239.1.1.1",
	 "vxlan: Parameter 'remote' expects the address of one peer, not "
	 "'239.1.1.1'; several are named one by one"},
	{VX ",remote=::",
	 "vxlan: Parameter 'remote' expects the address of one peer, not '::'; "
	 "several are named one by one"},
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < array_len(bad); i++) {
		struct netdev_spec *s = NULL;
		struct error e = ERROR_NULL;

		if (netdev_parse(bad[i].text, &s, &e) == 0)
			fail_msg("accepted: %s", bad[i].text);
		assert_int_equal(e.code, EXIT_USAGE);
		assert_string_equal(e.text, bad[i].line);
	}
}

static struct netdev_spec *parse(const char *text)
{
	struct netdev_spec *s = NULL;
	struct error e = ERROR_NULL;

	if (netdev_parse(text, &s, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return s;
}

/* Of l2tpv3 QEMU takes them all. */
static void test_good(void **state)
{
	static const char *const texts[] = {
		L2,
		L2 ",rxsession=0xffffffff,counter=off,pincounter",
		L2 ",udp,srcport=0,dstport=l2tp,noipv6,offset=256",
		L2 ",txcookie=0xffffffff,rxcookie=0",
		L2 ",cookie64,txcookie=0xffffffffffffffff,rxcookie=0",
		L2 ",cookie64=on",
		"{\"type\":\"l2tpv3\",\"id\":\"n\",\"src\":\"a\",\"dst\":\"b\","
		"\"txsession\":1,\"ipv6\":true,\"txcookie\":1,\"rxcookie\":2}",
		VX ",remote=2001:db8::1,remote=peer.example,df=set,ttl=255",
	};

	for (size_t i = 0; i < array_len(texts); i++)
		netdev_spec_free(parse(texts[i]));
}

static void test_remotes(void **state)
{
	struct netdev_spec *s = parse(VX ",remote=b,remote=c,nolearning");
	const char *const *list;
	struct error e = ERROR_NULL;
	char text[64 * TUNNEL_REMOTES_MAX] = VX;
	size_t n;

	list = spec_list(s, "remote", &n);
	assert_int_equal(n, 3);
	assert_string_equal(list[2], "c");
	assert_false(spec_bool(s, "learning"));
	assert_int_equal(spec_u64(s, "port"), 4789);
	netdev_spec_free(s);
	for (unsigned i = 1; i < TUNNEL_REMOTES_MAX; i++)
		strcat(text, ",remote=a");
	netdev_spec_free(parse(text));
	strcat(text, ",remote=a");
	assert_true(netdev_parse(text, &s, &e) < 0);
	assert_string_equal(e.text,
			    "vxlan: Parameter 'remote' is given more than 256 "
			    "times");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_remotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
