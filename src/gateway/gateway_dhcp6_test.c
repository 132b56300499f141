/* SPDX-License-Identifier: BSD-3-Clause */
/* The way of DHCPv6, and of DNS over IPv6, through the gateway. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fake_gateway.h"
#include "wire/csum.h"
#include "wire/dhcp6.h"
#include "wire/dns.h"
#include "wire/nd.h"
#include "wire/udp.h"

static const addr servers = {{0xff, 0x02, [13] = 1, 0, 2}};
static const addr ll_gw = {{0xfe, 0x80, [15] = 2}};
static const addr ll_guest = {{0xfe, 0x80, [15] = 0x99}};

static addr ip6(uint8_t n)
{
	return (addr){{0xfe, 0xc0, [15] = n}};
}

static struct gateway_config config(void)
{
	struct gateway_config gc = fake_gateway_config();

	gc.v6 = (struct subnet){.net = {.ip = ip6(0), .len = 64},
				.gw = ip6(2),
				.dns = ip6(3),
				.is_on = true};
	strcpy(gc.domainname, "lab.test");
	return gc;
}

static int setup_with(void **state, const struct gateway_config *gc)
{
	const struct fake_config pc = {.name = "vm0"};
	struct fake_gateway *b;

	fake_gateway_setup_with(state, gc, &pc);
	b = *state;
	b->g.ip = ll_guest;
	return 0;
}

static int setup(void **state)
{
	struct gateway_config gc = config();

	return setup_with(state, &gc);
}

static int setup_restricted(void **state)
{
	struct gateway_config gc = config();

	gc.is_restricted = true;
	return setup_with(state, &gc);
}

static int setup_without_v4(void **state)
{
	struct gateway_config gc = config();

	gc.v4.is_on = false;
	return setup_with(state, &gc);
}

static int setup_without_v6(void **state)
{
	struct gateway_config gc = config();

	gc.v6.is_on = false;
	return setup_with(state, &gc);
}

/* A SOLICIT with rapid commit. */
static void solicit(struct fake_gateway *b, addr dst, uint16_t sport)
{
	const struct endpoint ep = {.ip = dst, .port = DHCP6_PORT_SERVER};
	uint8_t buf[128];
	struct wr w = wr_init(buf, sizeof(buf));

	dhcp6_emit_hdr(&w, DHCP6_SOLICIT, 1);
	dhcp6_emit_duid_ll(&w, DHCP6_O_CLIENT_ID, b->g.mac);
	dhcp6_emit_opt(&w, DHCP6_O_RAPID_COMMIT, "", 0);
	dhcp6_opt_end(&w, dhcp6_ia_begin(&w, DHCP6_O_IA_NA, 1, 0, 0));
	assert_true(wr_ok(&w));
	b->g.gw_mac = addr_is_multicast(&dst)
			      ? (mac){{0x33, 0x33, 0, 1, 0, 2}}
			      : FAKE_GW_MAC;
	fake_clear(b->g.port);
	fake_guest_udp(&b->g, sport, &ep, buf, (uint32_t)wr_len(&w));
	fake_guest_kick(&b->g);
}

/* The address of the first answer, number 0: there is none. */
static uint8_t leased(struct fake_gateway *b, bool *has_dnsp)
{
	struct dhcp6_addr a = {0};
	struct dhcp6_msg m;
	struct fake_got got;
	struct rd r;

	if (!fake_guest_got(&b->g, 0, &got) || got.pkt.proto != IPPROTO_UDP)
		return 0;
	assert_true(got.csum_ok);
	assert_int_equal(got.pkt.src.port, DHCP6_PORT_SERVER);
	assert_int_equal(got.pkt.dst.port, DHCP6_PORT_CLIENT);
	assert_true(addr_eq(&got.pkt.src.ip, &ll_gw));
	assert_true(addr_eq(&got.pkt.dst.ip, &ll_guest));
	r = rd_init(got.l4 + UDP_HDR_LEN, got.l4_len - UDP_HDR_LEN);
	assert_true(dhcp6_parse(&r, &m));
	assert_int_equal(m.type, DHCP6_REPLY);
	assert_int_equal(m.n_ia, 1);
	assert_true(dhcp6_next_addr(&m.ia[0].opts, &a));
	*has_dnsp = memmem(got.l4, got.l4_len, ip6(3).b, 16);
	return a.ip.b[15];
}

static unsigned n_leases(const struct fake_gateway *b)
{
	struct gateway_stats st;

	gateway_stats(b->gw, &st);
	return st.n_leases;
}

static bool is_heard(const struct fake_gateway *b, addr ip)
{
	const struct port *p = &b->g.port->port;

	for (unsigned i = 0; i < p->n_heard; i++) {
		if (addr_eq(&p->heard[i], &ip))
			return true;
	}
	return false;
}

static void test_lease(void **state)
{
	struct fake_gateway *b = *state;
	bool has_dns;

	solicit(b, servers, DHCP6_PORT_CLIENT);
	assert_int_equal(leased(b, &has_dns), 15);
	assert_true(has_dns);
	assert_int_equal(n_leases(b), 1);
	assert_true(is_heard(b, ip6(15)));
}

static void test_lease_by_our_own_addresses(void **state)
{
	const addr to[] = {ll_gw, ip6(2)};
	struct fake_gateway *b = *state;
	bool has_dns;

	for (unsigned i = 0; i < 2; i++) {
		solicit(b, to[i], 1234); /* from any port */
		assert_int_equal(leased(b, &has_dns), 15);
	}
	assert_int_equal(n_leases(b), 1);
	solicit(b, ip6(77), DHCP6_PORT_CLIENT); /* a guest's */
	assert_int_equal(leased(b, &has_dns), 0);
}

static void test_lease_of_a_closed_network(void **state)
{
	struct fake_gateway *b = *state;
	bool has_dns;

	solicit(b, servers, DHCP6_PORT_CLIENT);
	assert_int_equal(leased(b, &has_dns), 15);
	assert_false(has_dns);
}

static void test_no_lease_without_the_family(void **state)
{
	struct fake_gateway *b = *state;
	bool has_dns;

	solicit(b, servers, DHCP6_PORT_CLIENT);
	assert_int_equal(leased(b, &has_dns), 0);
	assert_int_equal(n_leases(b), 0);
}

static void test_guestfwd_is_nobodys(void **state)
{
	const struct gateway_guestfwd g = {
		.server = {.ip = ip6(15), .port = 80},
		.target = fake_ep(192, 0, 2, 1, 80)};
	struct fake_gateway *b = *state;
	bool has_dns;

	assert_int_equal(gateway_guestfwd_add(b->gw, &g), 0);
	solicit(b, servers, DHCP6_PORT_CLIENT);
	assert_int_equal(leased(b, &has_dns), 16);
}

/* Advertisements send guests to DHCPv6. */
static void test_adverts(void **state)
{
	const addr all = {{0xff, 0x02, [15] = 2}};
	struct fake_gateway *b = *state;
	struct fake_got got;
	uint8_t rs[8] = {ND_SOLICIT_ROUTER};
	uint16_t sum = csum_fold(csum_add(
		rs, sizeof(rs),
		csum_pseudo(&ll_guest, &all, IPPROTO_ICMPV6, sizeof(rs))));

	rs[2] = (uint8_t)(sum >> 8);
	rs[3] = (uint8_t)sum;
	fake_clear(b->g.port);
	b->g.gw_mac = (mac){{0x33, 0x33, 0, 0, 0, 2}};
	b->g.ttl = ND_HOP_LIMIT;
	fake_guest_ip(&b->g, all, IPPROTO_ICMPV6, rs, sizeof(rs));
	fake_guest_kick(&b->g);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_int_equal(got.l4[0], ND_ADVERTISE_ROUTER);
	assert_int_equal(got.l4[5], 0xc0); /* M and O */
}

static void test_name(void **state)
{
	static const uint8_t tail[] = {1, 'x', 4, 't', 'e', 's', 't',
				       0, 0,   1, 0,   1};
	const struct endpoint up = fake_ep(192, 0, 2, 53, 53);
	const struct endpoint dns = {.ip = ip6(3), .port = DNS_PORT};
	struct fake_gateway *b = *state;
	struct dns_hdr h = {.id = 0x1234, .flags = DNS_F_RD, .n_question = 1};
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));
	const struct fake_sent *s;
	struct fake_got got;

	dns_hdr_emit(&w, &h);
	wr_bytes(&w, tail, sizeof(tail));
	b->g.ip = ip6(15);
	b->g.gw_mac = FAKE_GW_MAC;
	fake_clear(b->g.port);
	fake_guest_udp(&b->g, 5000, &dns, buf, (uint32_t)wr_len(&w));
	fake_guest_kick(&b->g);
	s = fake_sent(b->fh, 0);
	assert_non_null(s);
	assert_true(endpoint_eq(&s->to, &up));
	memcpy(buf, s->data, s->len);
	buf[2] |= DNS_F_QR >> 8;
	fake_deliver(b->fh, s->sock, &up, buf, s->len);
	fake_host_run(b->fh);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_true(got.csum_ok);
	assert_true(endpoint_eq(&got.pkt.src, &dns));
	assert_true(addr_eq(&got.pkt.dst.ip, &b->g.ip));
	assert_int_equal(got.pkt.dst.port, 5000);
}

#define T(f, setup) cmocka_unit_test_setup_teardown(f, setup,                  \
						    fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_lease, setup),
		T(test_lease, setup_without_v4),
		T(test_lease_by_our_own_addresses, setup),
		T(test_lease_of_a_closed_network, setup_restricted),
		T(test_no_lease_without_the_family, setup_without_v6),
		T(test_guestfwd_is_nobodys, setup),
		T(test_adverts, setup),
		T(test_name, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
