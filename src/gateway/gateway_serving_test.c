/* SPDX-License-Identifier: BSD-3-Clause */
/* What a gateway leaves out or replaces (base/serving.h). */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fake_segment.h"
#include "gateway/gateway_nd.h"
#include "wire/arp.h"
#include "wire/dhcp.h"
#include "wire/dhcp6.h"
#include "wire/dns.h"
#include "wire/eth.h"
#include "wire/group.h"
#include "wire/nd.h"
#include "wire/udp.h"

#define SECOND UINT64_C(1000000000)

static const addr all4 = {
	{[10] = 0xff, 0xff, 255, 255, 255, 255}};
static const addr servers6 = {{0xff, 0x02, [13] = 1, 0, 2}};
static const addr ll_guest = {{0xfe, 0x80, [15] = 0x99}};
static const struct endpoint far = {
	.ip = {{[10] = 0xff, 0xff, 192, 0, 2, 1}}, .port = 9};

/* A gateway of both families that serves like this, with a guest of IPv4. */
static struct fake_gateway *start(void **state, const struct serving *v)
{
	const struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};
	struct gateway_config gc = fake_gateway_config6();

	gc.serving = *v;
	fake_gateway_setup_with(state, &gc, &pc);
	return *state;
}

static struct fake_gateway *start_without(void **state, uint32_t lacks)
{
	const struct serving v = {.lacks = lacks};

	return start(state, &v);
}

/* The guest asks for a lease of IPv4; true: it got one. */
static bool lease4(struct fake_gateway *b, addr dst, struct dhcp_msg *mp)
{
	const struct endpoint ep = {.ip = dst, .port = DHCP_PORT_SERVER};
	static const uint8_t list[] = {DHCP_O_DNS};
	uint8_t buf[DHCP_MIN_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	struct dhcp_hdr h = {.op = DHCP_REQUEST_OP,
			     .htype = DHCP_HTYPE_ETHERNET,
			     .hlen = 6};
	struct fake_got got;
	struct rd r;

	memcpy(h.chaddr, b->g.mac.b, sizeof(b->g.mac.b));
	dhcp_emit_hdr(&w, &h);
	dhcp_emit_u8(&w, DHCP_O_TYPE, DHCP_REQUEST);
	dhcp_emit_u32(&w, DHCP_O_REQUESTED_IP, 0x0a00020f);
	dhcp_emit_opt(&w, DHCP_O_PARAMS, list, sizeof(list));
	dhcp_emit_end(&w, 0);
	fake_clear(b->g.port);
	fake_guest_udp(&b->g, DHCP_PORT_CLIENT, &ep, buf,
		       (uint32_t)wr_len(&w));
	fake_guest_kick(&b->g);
	if (!fake_guest_got(&b->g, 0, &got))
		return false;
	r = rd_init(got.l4 + UDP_HDR_LEN, got.l4_len - UDP_HDR_LEN);
	return dhcp_parse(&r, mp) && mp->type == DHCP_ACK;
}

/* Of IPv6; the answer is the first frame that the guest got. */
static bool lease6(struct fake_gateway *b)
{
	const struct endpoint ep = {.ip = servers6, .port = DHCP6_PORT_SERVER};
	const mac gw = b->g.gw_mac;
	uint8_t buf[128];
	struct wr w = wr_init(buf, sizeof(buf));

	dhcp6_emit_hdr(&w, DHCP6_SOLICIT, 1);
	dhcp6_emit_duid_ll(&w, DHCP6_O_CLIENT_ID, b->g.mac);
	dhcp6_emit_opt(&w, DHCP6_O_RAPID_COMMIT, "", 0);
	dhcp6_opt_end(&w, dhcp6_ia_begin(&w, DHCP6_O_IA_NA, 1, 0, 0));
	b->g.ip = ll_guest;
	b->g.gw_mac = group_mac(&servers6);
	fake_clear(b->g.port);
	fake_guest_udp(&b->g, DHCP6_PORT_CLIENT, &ep, buf,
		       (uint32_t)wr_len(&w));
	fake_guest_kick(&b->g);
	b->g.gw_mac = gw;
	b->g.ip = addr_v4(10, 0, 2, 15);
	return b->g.port->n_out == 1;
}

/* The neighbour's message i that the guest got. */
static bool heard(const struct fake_gateway *b, unsigned i, struct nd_msg *m)
{
	const struct fake_frame *f = &b->g.port->out[i];
	struct packet pkt;

	return i < b->g.port->n_out &&
	       packet_parse(f->data, f->len, f->len, &pkt) == PACKET_OK &&
	       nd_parse(&pkt, f->data + pkt.l4_off, false, m);
}

/* What a guest says to its neighbours. */
static void say_nd(struct fake_gateway *b, const addr *dst,
		   const struct nd_msg *m)
{
	uint8_t buf[200];
	struct wr w = wr_init(buf, sizeof(buf));

	nd_emit_frame(&w, group_mac(dst), b->g.mac, &ll_guest, dst, m);
	fake_clear(b->g.port);
	fake_rx(b->g.port, buf, (uint32_t)wr_len(&w), NULL);
}

static bool ask_router(struct fake_gateway *b, struct nd_msg *mp)
{
	const struct nd_msg m = {.type = ND_SOLICIT_ROUTER,
				 .source = b->g.mac};
	const addr all = {{0xff, 2, [15] = 2}};

	say_nd(b, &all, &m);
	return heard(b, 0, mp) && mp->type == ND_ADVERTISE_ROUTER;
}

static bool ask_gateway6(struct fake_gateway *b)
{
	const struct nd_msg m = {.type = ND_SOLICIT,
				 .source = b->g.mac,
				 .target = fake_inside6(2)};
	const addr group = nd_solicited(&m.target);
	struct nd_msg answer;

	say_nd(b, &group, &m);
	return heard(b, 0, &answer) && answer.type == ND_ADVERTISE;
}

static void say(struct fake_gateway *b, struct endpoint to)
{
	fake_clear(b->g.port);
	fake_guest_udp(&b->g, 6000, &to, "question", 8);
	fake_guest_kick(&b->g);
}

/* Nothing came and nothing was asked of the host; the losses have a name. */
static void expect_silence(struct fake_gateway *b, unsigned n)
{
	assert_int_equal(b->g.port->n_out, 0);
	assert_int_equal(b->fh->n_numbers, 0);
	assert_int_equal(b->drops.n[DROP_RESTRICTED], n);
}

/* --- what is left out --- */

static void test_no_dhcp(void **state)
{
	struct fake_gateway *b = start_without(state, LACK_DHCP4);
	struct dhcp_msg m;

	assert_false(lease4(b, all4, &m));
	assert_false(lease4(b, addr_v4(10, 0, 2, 2), &m)); /* a renewal */
	expect_silence(b, 2);
	assert_true(lease6(b)); /* that one stays */
}

static void test_no_dhcp6(void **state)
{
	struct fake_gateway *b = start_without(state, LACK_DHCP6);
	struct dhcp_msg m;
	struct nd_msg ra;

	assert_false(lease6(b));
	expect_silence(b, 1);
	assert_true(ask_router(b, &ra));
	assert_false(ra.router.is_managed);
	assert_false(ra.router.has_other);
	assert_true(lease4(b, all4, &m));
}

static void test_no_advertisements(void **state)
{
	struct fake_gateway *b = start_without(state, LACK_RA);
	struct nd_msg ra;

	fake_gateway_pass(b, 2 * GATEWAY_RA_FIRST_SECONDS * SECOND);
	assert_int_equal(b->g.port->n_out, 0);
	assert_false(ask_router(b, &ra));
	assert_true(ask_gateway6(b));
	gateway_ways(b->gw, true, false); /* a change is not told, either */
	fake_clear(b->g.port);
	fake_gateway_pass(b, SECOND);
	assert_int_equal(b->g.port->n_out, 0);
}

static void test_no_neighbour_discovery(void **state)
{
	struct fake_gateway *b = start_without(state, LACK_ND);
	struct nd_msg ra;

	fake_gateway_pass(b, 2 * GATEWAY_RA_FIRST_SECONDS * SECOND);
	assert_false(ask_router(b, &ra));
	assert_false(ask_gateway6(b));
	expect_silence(b, 2);
}

static void test_no_tcp(void **state)
{
	struct fake_gateway *b = start_without(state, LACK_TCP);

	fake_tell(b, far.ip, fake_syn(80), NULL, 0);
	fake_tell(b, addr_v4(10, 0, 2, 2), fake_syn(80), NULL, 0);
	expect_silence(b, 2);
	say(b, far);
	assert_int_equal(b->fh->n_sent, 1);
}

static void test_no_udp(void **state)
{
	struct fake_gateway *b = start_without(state, LACK_UDP);
	struct dhcp_msg m;

	say(b, far);
	say(b, fake_ep(10, 0, 2, 3, DNS_PORT));
	expect_silence(b, 2);
	assert_true(lease4(b, all4, &m));
	fake_tell(b, far.ip, fake_syn(80), NULL, 0);
	assert_int_equal(b->fh->n_numbers, 1);
}

/* The pieces of a datagram do not get round it. */
static void test_no_udp_in_fragments(void **state)
{
	struct fake_gateway *b = start_without(state, LACK_UDP);

	b->g.frag = 0x2000; /* more follow */
	say(b, far);
	expect_silence(b, 1);
}

static void test_no_icmp(void **state)
{
	struct fake_gateway *b = start_without(state, LACK_ICMP);

	fake_guest_echo(&b->g, far.ip, 1, 1, "abcdefgh", 8);
	fake_guest_echo(&b->g, addr_v4(10, 0, 2, 2), 1, 1, "abcdefgh", 8);
	fake_guest_kick(&b->g);
	expect_silence(b, 2);
	say(b, far);
	assert_int_equal(b->fh->n_sent, 1);
}

/* --- what is replaced --- */

static void test_own_mac(void **state)
{
	const struct serving v = {.mac = {{0x52, 0x54, 0, 1, 2, 3}}};
	struct fake_gateway *b = start(state, &v);
	const struct fake_frame *f;
	struct fake_got got;
	struct arp_msg m;
	struct rd r;

	fake_clear(b->g.port);
	b->g.gw_mac = MAC_BROADCAST;
	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 2));
	fake_guest_kick(&b->g);
	assert_int_equal(b->g.port->n_out, 1);
	f = &b->g.port->out[0];
	r = rd_init(f->data + ETH_HDR_LEN, f->len - ETH_HDR_LEN);
	assert_true(arp_parse(&r, &m));
	assert_true(mac_eq(m.sha, v.mac));

	b->g.gw_mac = v.mac;
	fake_clear(b->g.port);
	fake_guest_echo(&b->g, addr_v4(10, 0, 2, 2), 1, 1, "abcdefgh", 8);
	fake_guest_kick(&b->g);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_true(mac_eq(got.pkt.eth_src, v.mac));

	/* another machine's, now */
	b->g.gw_mac = FAKE_GW_MAC;
	say(b, far);
	assert_int_equal(b->fh->n_sent, 0);
	/* our own frames, back by a loop */
	b->g.mac = v.mac;
	b->g.gw_mac = v.mac;
	say(b, far);
	assert_int_equal(b->fh->n_sent, 0);
}

static bool tells_dns4(struct fake_gateway *b, const char *wanted)
{
	char text[ADDR_STRLEN] = "none";
	struct dhcp_msg m;
	struct rd r;

	assert_true(lease4(b, all4, &m));
	if (dhcp_find(&m, DHCP_O_DNS, &r)) {
		addr a = addr_v4_u32(rd_u32(&r));

		addr_format(&a, text);
	}
	return strcmp(text, wanted) == 0;
}

/* By DHCPv6 and in advertisements; NULL: none. */
static bool tells_dns6(struct fake_gateway *b, const addr *wanted)
{
	const uint8_t code[] = {0, DHCP6_O_DNS, 0, 16};
	const struct fake_frame *f;
	struct nd_msg ra;
	const uint8_t *at;

	assert_true(lease6(b));
	f = &b->g.port->out[0];
	at = memmem(f->data, f->len, code, sizeof(code));
	if (wanted ? !at || memcmp(at + sizeof(code), wanted->b, 16) != 0
		   : at != NULL)
		return false;
	assert_true(ask_router(b, &ra));
	return wanted ? addr_eq(&ra.router.dns, wanted)
		      : addr_is_unspecified(&ra.router.dns);
}

static void test_own_name_server_is_told(void **state)
{
	const addr own = fake_inside6(3);
	struct fake_gateway *b = start_without(state, 0);

	assert_true(tells_dns4(b, "10.0.2.3"));
	assert_true(tells_dns6(b, &own));
}

static void test_other_name_server(void **state)
{
	const struct serving v = {.has_nameserver = true,
				  .nameserver = addr_v4(192, 0, 2, 53)};
	struct fake_gateway *b = start(state, &v);

	assert_true(tells_dns4(b, "192.0.2.53"));
	assert_true(tells_dns6(b, NULL));
	/* it is a machine like any other */
	say(b, fake_ep(192, 0, 2, 53, DNS_PORT));
	assert_true(addr_eq(&fake_sent(b->fh, 0)->to.ip, &v.nameserver));
}

static void test_other_name_server_of_ip6(void **state)
{
	const struct serving v = {.has_nameserver = true,
				  .nameserver = {{0x20, 1, 0xd, 0xb8,
						  [15] = 53}}};
	struct fake_gateway *b = start(state, &v);

	assert_true(tells_dns4(b, "none"));
	assert_true(tells_dns6(b, &v.nameserver));
}

static void test_no_name_server_is_told(void **state)
{
	const struct serving v = {.has_nameserver = true};
	struct fake_gateway *b = start(state, &v);

	assert_true(tells_dns4(b, "none"));
	assert_true(tells_dns6(b, NULL));
}

/* The first of the pool is another's. */
static void test_its_place_is_not_leased(void **state)
{
	const struct serving v = {.has_nameserver = true,
				  .nameserver = addr_v4(10, 0, 2, 15),
				  .host6 = fake_inside6(16)};
	const addr taken = fake_inside6(16);
	struct fake_gateway *b = start(state, &v);
	struct dhcp_msg m;

	assert_false(lease4(b, all4, &m)); /* it asks for that one */
	assert_false(lease6(b) &&
		     memmem(b->g.port->out[0].data, b->g.port->out[0].len,
			    taken.b, sizeof(taken.b)));
}

static void ask_name(struct fake_gateway *b)
{
	static const uint8_t tail[] = {1, 'x', 4, 't', 'e', 's', 't',
				       0, 0,   1, 0,   1};
	const struct endpoint dns = fake_ep(10, 0, 2, 3, DNS_PORT);
	const struct dns_hdr h = {
		.id = 0x1234, .flags = DNS_F_RD, .n_question = 1};
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	dns_hdr_emit(&w, &h);
	wr_bytes(&w, tail, sizeof(tail));
	fake_guest_udp(&b->g, 5000, &dns, buf, (uint32_t)wr_len(&w));
	fake_guest_kick(&b->g);
}

static void test_other_resolver(void **state)
{
	const struct endpoint own = fake_ep(192, 0, 2, 99, DNS_PORT);
	const struct endpoint next = fake_ep(192, 0, 2, 7, DNS_PORT);
	const struct serving v = {.resolver = own.ip};
	struct fake_gateway *b = start(state, &v);

	ask_name(b);
	assert_true(endpoint_eq(&fake_sent(b->fh, 0)->to, &own));
	gateway_resolvers(b->gw, &next, 1); /* the host's are no matter */
	ask_name(b);
	for (unsigned i = 0; i < b->fh->n_sent; i++)
		assert_true(endpoint_eq(&fake_sent(b->fh, i)->to, &own));
}

/* --- the host's loopback --- */

/* Where a datagram to an address goes, its loopback or nowhere. */
static bool reaches_host(struct fake_gateway *b, addr to)
{
	const struct endpoint ep = {.ip = to, .port = 9};
	unsigned n = b->fh->n_sent;

	say(b, ep);
	if (b->fh->n_sent == n)
		return false;
	assert_true(addr_is_loopback(&fake_sent(b->fh, n)->to.ip));
	return true;
}

static void test_other_loopback(void **state)
{
	const struct serving v = {.host4 = addr_v4(10, 0, 2, 9),
				  .host6 = fake_inside6(9)};
	const struct endpoint local = fake_ep(127, 0, 0, 1, 9);
	struct fake_gateway *b = start(state, &v);
	struct fake_got got;

	assert_false(reaches_host(b, addr_v4(10, 0, 2, 2)));
	assert_true(reaches_host(b, v.host4));
	/* the answer is from where it was asked */
	fake_clear(b->g.port);
	fake_deliver(b->fh, fake_sent(b->fh, 0)->sock, &local, "hello", 5);
	fake_host_run(b->fh);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_true(addr_eq(&got.pkt.src.ip, &v.host4));
	/* it is on the wire of the guests */
	fake_clear(b->g.port);
	fake_guest_arp(&b->g, v.host4);
	fake_guest_kick(&b->g);
	assert_int_equal(b->g.port->n_out, 1);
	/* and of IPv6 */
	b->g.ip = fake_inside6(0x15);
	assert_false(reaches_host(b, fake_inside6(2)));
	assert_true(reaches_host(b, v.host6));
}

/* An address that no network has: routed, so nobody asks for its MAC. */
static void test_loopback_from_afar(void **state)
{
	const struct serving v = {.host4 = addr_v4(192, 168, 127, 254)};
	struct fake_gateway *b = start(state, &v);

	assert_false(reaches_host(b, addr_v4(10, 0, 2, 2)));
	assert_true(reaches_host(b, v.host4));
	b->g.ip = fake_inside6(0x15); /* of that family nothing was said */
	assert_true(reaches_host(b, fake_inside6(2)));
}

static void test_no_loopback(void **state)
{
	const struct serving v = {.hides_host = true};
	struct fake_gateway *b = start(state, &v);
	struct fake_got got;

	assert_false(reaches_host(b, addr_v4(10, 0, 2, 2)));
	fake_tell(b, addr_v4(10, 0, 2, 2), fake_syn(22), NULL, 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_RST | TCP_ACK);
	b->g.ip = fake_inside6(0x15);
	assert_false(reaches_host(b, fake_inside6(2)));
	assert_int_equal(b->fh->n_sent, 0);
}

#define T(f) cmocka_unit_test_teardown(f, fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_no_dhcp),
		T(test_no_dhcp6),
		T(test_no_advertisements),
		T(test_no_neighbour_discovery),
		T(test_no_tcp),
		T(test_no_udp),
		T(test_no_udp_in_fragments),
		T(test_no_icmp),
		T(test_own_mac),
		T(test_own_name_server_is_told),
		T(test_other_name_server),
		T(test_other_name_server_of_ip6),
		T(test_no_name_server_is_told),
		T(test_its_place_is_not_leased),
		T(test_other_resolver),
		T(test_other_loopback),
		T(test_loopback_from_afar),
		T(test_no_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
