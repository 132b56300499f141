/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets of IPv6 through the gateway: who gets what, and every answer. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fake_segment.h"
#include "wire/icmp.h"
#include "wire/udp.h"

static const addr ll6 = {{0xfe, 0x80, [15] = 2}};
static const addr guest_ll6 = {{0xfe, 0x80, [15] = 0x15}};
static const addr loopback6 = {{[15] = 1}};

static int setup(void **state)
{
	return fake_gateway_setup6(state, fake_gateway_config6());
}

static int setup_without4(void **state)
{
	struct gateway_config gc = fake_gateway_config6();

	gc.v4.is_on = false;
	return fake_gateway_setup6(state, gc);
}

static void say(struct fake_gateway *b, struct endpoint dst)
{
	fake_clear(b->g.port);
	fake_guest_udp(&b->g, 5000, &dst, "question", 8);
	fake_guest_kick(&b->g);
}

static void ping(struct fake_gateway *b, addr dst)
{
	fake_clear(b->g.port);
	fake_guest_echo(&b->g, dst, 77, 3, "abcdefgh", 8);
	fake_guest_kick(&b->g);
}

/* The only packet that the guest got, an ICMPv6 message. */
static void expect_icmp(struct fake_gateway *b, uint8_t type, uint8_t code)
{
	struct fake_got got;

	assert_int_equal(b->g.port->n_out, 1);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_int_equal(got.pkt.proto, IPPROTO_ICMPV6);
	assert_true(got.csum_ok);
	assert_int_equal(got.l4[0], type);
	assert_int_equal(got.l4[1], code);
	assert_true(addr_eq(&got.pkt.dst.ip, &b->g.ip));
}

static struct endpoint inside(uint8_t host, uint16_t port)
{
	return (struct endpoint){.ip = fake_inside6(host), .port = port};
}

static void test_ping_of_ours(void **state)
{
	const addr from[] = {fake_inside6(0x15), guest_ll6};
	const addr to[] = {fake_inside6(2), fake_inside6(3), ll6};
	struct fake_gateway *b = *state;
	struct fake_got got;

	for (unsigned i = 0; i < 6; i++) {
		b->g.ip = from[i / 3];
		ping(b, to[i % 3]);
		expect_icmp(b, ICMP6_ECHO_REPLY, 0);
		assert_true(fake_guest_got(&b->g, 0, &got));
		assert_true(addr_eq(&got.pkt.src.ip, &to[i % 3]));
		assert_memory_equal(got.l4 + 4, "\0\115\0\3abcdefgh", 12);
	}
}

static void test_udp_out_and_in(void **state)
{
	const struct endpoint far = fake_ep6(1, 9), other = fake_ep6(7, 99);
	struct fake_gateway *b = *state;
	const struct fake_sent *d;
	struct fake_got got;

	say(b, far);
	d = fake_sent(b->fh, 0);
	assert_non_null(d);
	assert_true(endpoint_eq(&d->to, &far));
	assert_memory_equal(d->data, "question", 8);
	fake_deliver(b->fh, d->sock, &other, "answer", 6);
	fake_host_run(b->fh);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_true(got.csum_ok);
	assert_true(endpoint_eq(&got.pkt.src, &other));
	assert_memory_equal(got.l4 + UDP_HDR_LEN, "answer", 6);
}

static void test_gateway_is_the_host(void **state)
{
	const struct endpoint lo = {.ip = loopback6, .port = 9};
	struct fake_gateway *b = *state;
	struct endpoint peer;
	struct fake_got got;

	say(b, inside(2, 9));
	assert_int_equal(b->fh->n_sent, 1);
	assert_true(endpoint_eq(&fake_sent(b->fh, 0)->to, &lo));
	fake_tell(b, fake_inside6(2), fake_syn(9), NULL, 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_SYN | TCP_ACK);
	peer = fake_peer(b->fh, 1);
	assert_true(endpoint_eq(&peer, &lo));
}

static void test_tcp_out(void **state)
{
	const struct endpoint far = fake_ep6(1, 80);
	struct fake_gateway *b = *state;
	struct endpoint peer;
	struct fake_got got;

	fake_tell(b, far.ip, fake_syn(80), NULL, 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_SYN | TCP_ACK);
	assert_true(endpoint_eq(&got.pkt.src, &far));
	peer = fake_peer(b->fh, 0);
	assert_true(endpoint_eq(&peer, &far));
}

static void test_guestfwd(void **state)
{
	struct gateway_guestfwd g = {.server = inside(4, 80),
				     .target = fake_ep(127, 0, 0, 1, 8080)};
	struct fake_gateway *b = *state;
	struct endpoint peer;
	struct fake_got got;

	assert_int_equal(gateway_guestfwd_add(b->gw, &g), 0);
	assert_int_equal(gateway_guestfwd_add(b->gw, &g), -EEXIST);
	fake_tell(b, fake_inside6(4), fake_syn(80), NULL, 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_SYN | TCP_ACK);
	peer = fake_peer(b->fh, 0);
	assert_true(endpoint_eq(&peer, &g.target));
	g.server.ip = fake_ep6(4, 0).ip;
	assert_int_equal(gateway_guestfwd_add(b->gw, &g), -EINVAL);
	g.server.ip = fake_inside6(0);
	assert_int_equal(gateway_guestfwd_add(b->gw, &g), -EINVAL);
}

static void test_forwards(void **state)
{
	const struct endpoint client = fake_ep6(7, 777);
	struct fake_gateway *b = *state;
	struct gateway_forward f = {.proto = IPPROTO_TCP,
				    .guest = {.ip = b->g.ip, .port = 22},
				    .fd = fake_listen(b->fh)};
	struct fake_got got;

	ping(b, fake_inside6(2)); /* it is known */
	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
	fake_client(b->fh, f.fd, &client);
	fake_clear(b->g.port);
	fake_gateway_pass(b, 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_SYN);
	assert_true(endpoint_eq(&got.pkt.src, &client));
	f.fd = -1;
	f.guest.ip = fake_inside6(2);
	assert_int_equal(gateway_forward_add(b->gw, &f), -EINVAL);
	f.guest.ip = guest_ll6; /* which of them? */
	assert_int_equal(gateway_forward_add(b->gw, &f), -EINVAL);
}

/* "What is the IPv6 address of x?" goes to the host's resolver. */
static void expect_dns(struct fake_gateway *b)
{
	static const uint8_t q[] = "\0\1\1\0\0\1\0\0\0\0\0\0\1x\0\0\34\0\1";
	const struct endpoint dns = inside(3, 53);

	fake_guest_udp(&b->g, 5000, &dns, q, sizeof(q) - 1);
	fake_guest_kick(&b->g);
	assert_int_equal(b->fh->n_sent, 1);
	assert_int_equal(fake_sent(b->fh, 0)->to.port, 53);
}

static void test_dns(void **state)
{
	struct fake_gateway *b = *state;

	expect_dns(b);
	say(b, inside(3, 54));
	expect_icmp(b, ICMP6_UNREACHABLE, ICMP6_U_PORT);
}

static void test_hop_limit(void **state)
{
	struct fake_gateway *b = *state;

	b->g.ttl = 1;
	say(b, fake_ep6(1, 9));
	assert_int_equal(b->drops.n[DROP_IP_TTL], 1);
	expect_icmp(b, ICMP6_EXCEEDED, 0);
	say(b, inside(2, 9)); /* we ourselves are no hop */
	assert_int_equal(b->fh->n_sent, 1);
}

static void test_protocols(void **state)
{
	static const uint8_t others[] = {IPPROTO_SCTP, IPPROTO_ICMP};
	struct fake_gateway *b = *state;

	for (unsigned i = 0; i < 2; i++) {
		fake_clear(b->g.port);
		fake_guest_ip(&b->g, fake_ep6(1, 0).ip, others[i],
			      "\10\0\0\0\0\0\0\0\0\0\0", 12);
		fake_guest_kick(&b->g);
		expect_icmp(b, ICMP6_PARAMETER, ICMP6_P_NEXT);
	}
	assert_int_equal(b->drops.n[DROP_IP_PROTOCOL], 2);
	/* nor has IPv4 IPv6's */
	b->g.ip = addr_v4(10, 0, 2, 15);
	fake_guest_ip(&b->g, addr_v4(10, 0, 2, 2), IPPROTO_ICMPV6,
		      "\200\0\0\0\0\0\0\0\0\0\0", 12);
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_IP_PROTOCOL], 3);
}

static void test_links_stay_links(void **state)
{
	struct fake_gateway *b = *state;

	b->g.ip = guest_ll6;
	say(b, fake_ep6(1, 9));
	expect_icmp(b, ICMP6_UNREACHABLE, ICMP6_U_SCOPE);
	ping(b, fake_ep6(1, 0).ip);
	expect_icmp(b, ICMP6_UNREACHABLE, ICMP6_U_SCOPE);
	say(b, inside(9, 9));
	expect_icmp(b, ICMP6_UNREACHABLE, ICMP6_U_SCOPE);
	assert_int_equal(b->drops.n[DROP_IP_DEST], 3);
	/* the gateway's own is no way to the host */
	say(b, (struct endpoint){.ip = ll6, .port = 9});
	expect_icmp(b, ICMP6_UNREACHABLE, ICMP6_U_PORT);
	b->g.ip = fake_inside6(0x15); /* and nothing goes to one */
	say(b, (struct endpoint){.ip = guest_ll6, .port = 9});
	assert_int_equal(b->fh->n_socks, 0);
}

static void test_groups_are_not_routed(void **state)
{
	const addr group = {{0xff, 0x02, [15] = 0xfb}};
	struct fake_gateway *b = *state;

	say(b, (struct endpoint){.ip = group, .port = 5353});
	assert_int_equal(b->drops.n[DROP_IP_MULTICAST], 1);
	assert_int_equal(b->g.port->n_out, 0);
	assert_int_equal(b->fh->n_sent, 0);
}

/* A host without IPv6: no guest waits. */
static void test_no_way_out(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;

	fake_fail(b->fh, FAKE_SEND, ENETUNREACH, 2);
	say(b, fake_ep6(1, 9));
	expect_icmp(b, ICMP6_UNREACHABLE, ICMP6_U_NO_ROUTE);
	/* none at all: an IPv4 socket would be tried for NAT64's sake */
	fake_fail(b->fh, FAKE_OPEN, EAFNOSUPPORT, 1);
	ping(b, fake_ep6(1, 0).ip);
	expect_icmp(b, ICMP6_UNREACHABLE, ICMP6_U_NO_ROUTE);
	fake_fail(b->fh, FAKE_CONNECT, ENETUNREACH, 1);
	fake_tell(b, fake_ep6(1, 0).ip, fake_syn(80), NULL, 0);
	assert_true(b->g.port->n_out > 0);
	assert_true(fake_guest_got(&b->g, 0, &got));
	if (got.pkt.proto == IPPROTO_TCP)
		assert_int_equal(fake_heard(b, &got).flags, TCP_RST | TCP_ACK);
	else
		expect_icmp(b, ICMP6_UNREACHABLE, ICMP6_U_NO_ROUTE);
}

static void test_closed_network(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;

	say(b, fake_ep6(1, 9));
	say(b, inside(2, 9));
	say(b, inside(3, 53));
	ping(b, fake_ep6(1, 0).ip);
	assert_int_equal(b->drops.n[DROP_RESTRICTED], 4);
	assert_int_equal(b->g.port->n_out, 0);
	ping(b, ll6);
	expect_icmp(b, ICMP6_ECHO_REPLY, 0);
	ping(b, fake_inside6(2));
	expect_icmp(b, ICMP6_ECHO_REPLY, 0);
	fake_tell(b, fake_ep6(1, 0).ip, fake_syn(80), NULL, 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_RST | TCP_ACK);
	assert_int_equal(b->fh->n_numbers, 0);
}

static void test_closed_but_for_services(void **state)
{
	struct fake_gateway *b = *state;

	say(b, inside(3, 54));
	assert_int_equal(b->drops.n[DROP_RESTRICTED], 1);
	expect_dns(b);
}

static void test_without_ip4(void **state)
{
	struct fake_gateway *b = *state;

	b->g.ip = addr_v4(10, 0, 2, 15);
	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 2));
	fake_guest_echo(&b->g, addr_v4(10, 0, 2, 2), 77, 3, "abcdefgh", 8);
	fake_guest_kick(&b->g);
	assert_int_equal(b->g.port->n_out, 0);
	assert_int_equal(b->drops.n[DROP_ETHERTYPE], 1);
	b->g.ip = fake_inside6(0x15);
	ping(b, fake_inside6(2));
	expect_icmp(b, ICMP6_ECHO_REPLY, 0);
}

#define T(f) TW(f, setup)
#define TW(f, s) \
	cmocka_unit_test_setup_teardown(f, s, fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ping_of_ours),
		T(test_udp_out_and_in),
		T(test_gateway_is_the_host),
		T(test_tcp_out),
		T(test_guestfwd),
		T(test_forwards),
		T(test_dns),
		T(test_hop_limit),
		T(test_protocols),
		T(test_links_stay_links),
		T(test_groups_are_not_routed),
		T(test_no_way_out),
		TW(test_closed_network, fake_gateway_setup_closed6),
		TW(test_closed_but_for_services, fake_gateway_setup_services6),
		TW(test_without_ip4, setup_without4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
