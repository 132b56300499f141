/* SPDX-License-Identifier: BSD-3-Clause */
/* The netdev passt in the words of user, its forwards, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/passt.h"

static struct netdev_spec *parsed(const char *text)
{
	struct netdev_spec *s = NULL;
	struct error e = ERROR_NULL;

	if (netdev_parse(text, &s, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return s;
}

/* A passt and the user that it is. */
static const struct {
	const char *passt, *user;
} words[] = {
	{"passt", "user"},
	{"passt,id=n,path=/usr/bin/passt,quiet=off,vhost-user=on", "user"},
	{"passt,mtu=9000", "user,mtu=9000"},
	{"passt,mtu=0", "user"},
	{"passt,address=192.0.2.77/24",
	 "user,net=192.0.2.0/24,host=192.0.2.2,dns=192.0.2.3,"
	 "dhcpstart=192.0.2.77"},
	{"passt,address=192.0.2.2,netmask=255.255.255.0",
	 "user,net=192.0.2.0/24,host=192.0.2.1,dns=192.0.2.3,"
	 "dhcpstart=192.0.2.2"},
	{"passt,address=192.0.2.3,netmask=29,gateway=192.0.2.1",
	 "user,net=192.0.2.0/29,host=192.0.2.1,dns=192.0.2.2,"
	 "dhcpstart=192.0.2.3"},
	{"passt,address=192.0.2.250/24,gateway=192.0.2.254,"
	 "dns-forward=10.64.0.1",
	 "user,net=192.0.2.0/24,host=192.0.2.254,dns=10.64.0.1,"
	 "dhcpstart=192.0.2.250"},
	/* the length of the class, as passt has it */
	{"passt,address=10.1.2.5",
	 "user,net=10.0.0.0/8,host=10.0.0.2,dns=10.0.0.3,dhcpstart=10.1.2.5"},
	{"passt,address=172.16.2.5",
	 "user,net=172.16.0.0/16,host=172.16.0.2,dns=172.16.0.3,"
	 "dhcpstart=172.16.2.5"},
	{"passt,address=192.168.7.5",
	 "user,net=192.168.7.0/24,host=192.168.7.2,dns=192.168.7.3,"
	 "dhcpstart=192.168.7.5"},
	{"passt,netmask=16,gateway=10.0.7.7",
	 "user,net=10.0.2.0/16,host=10.0.7.7"},
	{"passt,gateway=fe80::2", "user"},
	{"passt,address=2001:db8:1::15",
	 "user,ipv6-net=2001:db8:1::/64,dhcpstart=10.0.2.21"},
	{"passt,address=2001:db8:1::15/56,ipv4=off",
	 "user,ipv6-net=2001:db8:1::/64,dhcpstart=10.0.2.21,ipv4=off"},
	{"passt,mac=52:54:00:ab:cd:ef", "user,mac=52:54:00:ab:cd:ef"},
	{"passt,dns=192.0.2.53", "user,nameserver=192.0.2.53"},
	{"passt,dns=none", "user,nameserver=none"},
	{"passt,dns=192.0.2.53,dhcp-dns=off", "user,nameserver=none"},
	{"passt,dns-forward=10.64.0.1,dns-host=127.0.0.53",
	 "user,dns=10.64.0.1,resolver=127.0.0.53"},
	{"passt,dns-forward=fd00::53", "user,ipv6-dns=fd00::53"},
	{"passt,search=a.test,search=b.test",
	 "user,dnssearch=a.test,dnssearch=b.test"},
	{"passt,search=a.test b.test",
	 "user,dnssearch=a.test,dnssearch=b.test"},
	{"passt,search=none", "user"},
	{"passt,search=a.test,dhcp-search=off", "user"},
	{"passt,fqdn=vm.lab.test.", "user,hostname=vm,domainname=lab.test"},
	{"passt,fqdn=vm", "user,hostname=vm"},
	{"passt,fqdn=vm.lab.test,dhcp-search=off", "user,hostname=vm.lab.test"},
	{"passt,tcp=off,udp=off,dhcp=off,dhcpv6=off,ra=off",
	 "user,dhcp=off,dhcpv6=off,ra=off,tcp=off,udp=off"},
	{"passt,icmp=off", "user,icmp=off,ndp=off"},
	{"passt,ndp=off", "user,ndp=off"},
	{"passt,ipv4=on,ipv6=off", "user,ipv6=off"},
	{"passt,map-host-loopback=192.0.2.9",
	 "user,host-loopback=192.0.2.9"},
	{"passt,map-host-loopback=none,map-guest-addr=none,freebind=off",
	 "user,host-loopback=off"},
	{"{\"type\":\"passt\",\"id\":\"n\",\"mtu\":1400,\"tcp\":false,"
	 "\"search\":[{\"str\":\"a.test\"}]}",
	 "user,dnssearch=a.test,mtu=1400,tcp=off"},
};

static void test_words(void **state)
{
	for (size_t i = 0; i < array_len(words); i++) {
		struct netdev_spec *s = parsed(words[i].passt);
		struct error e = ERROR_NULL;
		char *user = netdev_passt_user(s, &e);

		if (!user)
			fail_msg("%s: %s", words[i].passt, e.text);
		assert_string_equal(user, words[i].user);
		netdev_spec_free(parsed(user));
		free(user);
		netdev_spec_free(s);
	}
}

#define NO_OUTBOUND                                                            \
	"connections leave the way that the host's routes say; the nearest "   \
	"is a rule of ip-rule(8) for the user that vmlan runs as"

static const struct {
	const char *text, *line;
} bad[] = {
	{"passt,interface=eth0",
	 "passt: Parameter 'interface' is refused: no address is taken from "
	 "the host; give address= and gateway=, or join the guest to that "
	 "network: bridge, macvtap or packet"},
	{"passt,outbound=192.0.2.1",
	 "passt: Parameter 'outbound' is refused: " NO_OUTBOUND},
	{"passt,outbound-if4=eth0",
	 "passt: Parameter 'outbound-if4' is refused: " NO_OUTBOUND},
	{"passt,outbound-if6=eth0",
	 "passt: Parameter 'outbound-if6' is refused: " NO_OUTBOUND},
	{"passt,map-guest-addr=192.0.2.1",
	 "passt: Parameter 'map-guest-addr' is refused: the guest has none of "
	 "the host's addresses, so it reaches the host by these; its loopback "
	 "is map-host-loopback="},
	{"passt,freebind=on",
	 "passt: Parameter 'freebind' is refused: ports are bound at the "
	 "start, to addresses that the host has; without an address in "
	 "tcp-ports= they are bound to those that it will have, too"},
	{"passt,param=--debug",
	 "passt: Parameter 'param' is refused: there is no process to pass "
	 "arguments to; say it by the keys of passt or user"},
	{"passt,hostname=vm",
	 "passt: Invalid parameter 'hostname'; the nearest is 'vhost-user', "
	 "'passt,help' lists all"},
	{"passt,mtu=100",
	 "passt, which is 'user,mtu=100' here: user: Parameter 'mtu' expects "
	 "a number from 576 to 65520, not 100"},
	{"passt,mtu=-1", "passt: this is no number of bytes (mtu=-1)"},
	{"passt,address=host", "passt: this is no address of a guest "
			       "(address=host)"},
	{"passt,address=fe80::5", "passt: this is no address of a guest "
				  "(address=fe80::5)"},
	{"passt,address=224.0.0.5", "passt: this is no address of a guest "
				    "(address=224.0.0.5)"},
	{"passt,address=192.0.2.7/33",
	 "passt: this is no length (address=192.0.2.7/33)"},
	{"passt,address=192.0.2.7/",
	 "passt: this is no length (address=192.0.2.7/)"},
	{"passt,address=192.0.2.7/24,netmask=24",
	 "passt: netmask= and a length behind address= are two spellings of "
	 "one thing, give one (netmask=24)"},
	{"passt,netmask=255.0.255.0",
	 "passt: this is no mask (netmask=255.0.255.0)"},
	{"passt,netmask=33", "passt: this is no mask (netmask=33)"},
	{"passt,address=192.0.2.7/31",
	 "passt: the network has no room for a gateway and a name server "
	 "beside the guest; give a shorter length, or gateway= and "
	 "dns-forward= (address=192.0.2.7/31)"},
	{"passt,address=192.0.2.7/24,gateway=192.0.3.1",
	 "passt: it is not in the network of address= (gateway=192.0.3.1)"},
	{"passt,gateway=192.0.2.1",
	 "passt: it is not in the guest's network, 10.0.2.0/24 or as netmask= "
	 "says; give address= too (gateway=192.0.2.1)"},
	{"passt,gateway=0.0.0.0", "passt: this is no address "
				  "(gateway=0.0.0.0)"},
	{"passt,gateway=fe80::1",
	 "passt: the gateway's address of the link is fe80::2, and no other "
	 "can be chosen (gateway=fe80::1)"},
	{"passt,address=2001:db8::1:5",
	 "passt: of IPv6 a guest is leased PREFIX::1, ::4 or one up to ::fe; "
	 "the nearest is user,ipv6-net=2001:db8::/64, where it chooses its "
	 "own (address=2001:db8::1:5)"},
	{"passt,address=2001:db8::2",
	 "passt: of IPv6 a guest is leased PREFIX::1, ::4 or one up to ::fe; "
	 "the nearest is user,ipv6-net=2001:db8::/64, where it chooses its "
	 "own (address=2001:db8::2)"},
	{"passt,dns=me", "passt, which is 'user,nameserver=me' here: user: "
			 "this is no address (nameserver=me)"},
	{"passt,dns-forward=me", "passt: this is no address (dns-forward=me)"},
	{"passt,fqdn=.", "passt: this is no name (fqdn=.)"},
	{"passt,ipv4=off,ipv6=off",
	 "passt, which is 'user,ipv4=off,ipv6=off' here: user: IPv4 and IPv6 "
	 "disabled"},
	{"passt,ipv4=off,address=192.0.2.7/24",
	 "passt, which is 'user,net=192.0.2.0/24,host=192.0.2.2,dns=192.0.2.3,"
	 "dhcpstart=192.0.2.7,ipv4=off' here: user: IPv4 disabled but "
	 "netmask/host/dns provided"},
	{"passt,tcp-ports=53/udp",
	 "passt: tcp-ports= is written [ADDRESS/]PORTS[:PORTS],.."},
	{"passt,udp-ports=tcp::22-:22",
	 "passt: udp-ports= is written [ADDRESS/]PORTS[:PORTS],.."},
	{"passt,tcp-ports=all",
	 "passt: tcp-ports=: port spec 'all': this word of passt is not built "
	 "yet; name the ports"},
	{"passt,tcp-ports=20-30,tcp-ports=~25",
	 "passt: tcp-ports=: port spec '~25': exclusions (~) are not built "
	 "yet; name the ports"},
	{"passt,tcp-ports=%eth0/22",
	 "passt: tcp-ports=: port spec '%eth0/22': binding to an interface "
	 "(%) is not built yet"},
	{"passt,udp-ports=70000",
	 "passt: udp-ports=: port spec '70000': a port is a number from 1 to "
	 "65535, a range is LOW-HIGH"},
	{"passt,tcp-ports=22,tcp=off",
	 "passt: tcp-ports= forwards what tcp=off turns off"},
	{"passt,udp-ports=53,udp=off",
	 "passt: udp-ports= forwards what udp=off turns off"},
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < array_len(bad); i++) {
		struct netdev_spec *s = NULL;
		struct error e = ERROR_NULL;

		if (netdev_parse(bad[i].text, &s, &e) >= 0)
			fail_msg("accepted: %s", bad[i].text);
		assert_null(s);
		assert_int_equal(e.code, EXIT_USAGE);
		assert_string_equal(e.text, bad[i].line);
	}
}

/* The rules of a text, in one line. */
static void assert_forwards(const char *text, const char *wanted)
{
	struct netdev_spec *s = parsed(text);
	struct user_opts o;
	struct error e = ERROR_NULL;
	char got[400] = "", rule[PORT_RULE_STRLEN];

	assert_int_equal(netdev_passt_resolve(s, &o, &e), 0);
	for (unsigned i = 0; i < o.n_hostfwds; i++) {
		strcat(got, i ? " " : "");
		strcat(got, port_rule_format(&o.hostfwds[i], rule));
		strcat(got, o.hostfwds[i].has_both ? "+" : "");
	}
	assert_string_equal(got, wanted);
	user_opts_deinit(&o);
	netdev_spec_free(s);
}

static void test_forwards(void **state)
{
	assert_forwards("passt", "");
	assert_forwards("passt,tcp-ports=none,udp-ports=none", "");
	assert_forwards("passt,tcp-ports=22", "tcp::22-:22+");
	assert_forwards("passt,tcp-ports=22,,25", "tcp::22-:22+ tcp::25-:25+");
	assert_forwards("passt,tcp-ports=2222:22,udp-ports=53",
			"tcp::2222-:22+ udp::53-:53+");
	/* joined as QEMU does: the address is of all of them */
	assert_forwards("passt,tcp-ports=192.0.2.1/22,"
			"tcp-ports=8000-8002:80-82",
			"tcp:192.0.2.1:22-:22 "
			"192.0.2.1:8000-8002:80-82/tcp");
	assert_forwards("passt,udp-ports=::1/53", "udp:[::1]:53-:53");
	assert_forwards("passt,tcp-ports=22,ipv6=off", "tcp::22-:22");
}

/* passt has one guest: there is no pool to fit behind it. */
static void test_one_guest(void **state)
{
	struct netdev_spec *s = parsed("passt,address=192.0.2.254/24");
	struct user_opts o;
	struct error e = ERROR_NULL;

	assert_int_equal(netdev_passt_resolve(s, &o, &e), 0);
	assert_int_equal(addr_u32(&o.dhcp_start4), 0xc00002fe);
	user_opts_deinit(&o);
	netdev_spec_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_forwards),
		cmocka_unit_test(test_one_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
