/* SPDX-License-Identifier: BSD-3-Clause */
/* The gateway as guests see it: who gets which frame, and every drop. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fake_gateway.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip4.h"

static const struct endpoint far = {
	.ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}},
	.port = 9};

/* A raw frame from the guest. */
static void raw(struct fake_gateway *b, mac dst, mac src, uint16_t type,
		const void *data, uint32_t len)
{
	uint8_t buf[2000];
	struct wr w = wr_init(buf, sizeof(buf));
	struct eth_hdr eth = {.dst = dst, .src = src, .type = type};

	eth_emit(&w, &eth);
	wr_bytes(&w, data, len);
	fake_rx(b->g.port, buf, (uint32_t)wr_len(&w), NULL);
}

static void say(struct fake_gateway *b, const struct endpoint *dst)
{
	fake_guest_udp(&b->g, 5000, dst, "question", 8);
	fake_guest_kick(&b->g);
}

static bool got_arp(struct fake_gateway *b, unsigned i, struct arp_msg *mp)
{
	struct rd r;

	if (i >= b->g.port->n_out)
		return false;
	r = rd_init(b->g.port->out[i].data, b->g.port->out[i].len);
	rd_skip(&r, ETH_HDR_LEN);
	return arp_parse(&r, mp);
}

/* --- ARP and who we are --- */

static void test_arp_is_answered_for_our_addresses(void **state)
{
	struct fake_gateway *b = *state;
	struct arp_msg m;

	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 2));
	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 3));
	fake_guest_kick(&b->g);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(got_arp(b, i, &m));
		assert_int_equal(m.op, ARP_REPLY);
		assert_true(mac_eq(m.tha, b->g.mac));
		assert_int_equal(addr_u32(&m.spa), 0x0a000202 + i);
	}
}

static void test_arp_is_not_answered_for_others(void **state)
{
	struct fake_gateway *b = *state;

	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 4));
	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 15));
	fake_guest_arp(&b->g, addr_v4(192, 0, 2, 1));
	fake_guest_kick(&b->g);
	assert_int_equal(b->g.port->n_out, 0);
}

static void test_arp_malformed(void **state)
{
	struct fake_gateway *b = *state;

	raw(b, FAKE_GW_MAC, b->g.mac, ETH_T_ARP, "\0\1\x08\0\6\4\0\1", 8);
	assert_int_equal(b->drops.n[DROP_ARP_BAD], 1);
}

static void test_both_macs_are_ours(void **state)
{
	struct fake_gateway *b = *state;

	b->g.gw_mac = FAKE_DNS_MAC;
	say(b, &far);
	assert_int_equal(b->fh->n_sent, 1);
	b->g.gw_mac = fake_mac(9);
	say(b, &far);
	assert_int_equal(b->drops.n[DROP_NOT_FOR_US], 1);
	assert_int_equal(b->fh->n_sent, 1);
}

static void test_another_gateway_is_not_heard(void **state)
{
	struct fake_gateway *b = *state;

	b->g.mac = (mac){{0x52, 0x55, 10, 0, 2, 9}};
	say(b, &far);
	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 2));
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_NOT_FOR_US], 2);
	assert_int_equal(b->g.port->n_out, 0);
	/* the MAC of QEMU's own examples is a guest's */
	b->g.mac = (mac){{0x52, 0x55, 0x00, 0xd1, 0x55, 0x01}};
	say(b, &far);
	assert_int_equal(b->fh->n_sent, 1);
}

/* --- what is not carried --- */

static void test_ethertypes(void **state)
{
	struct fake_gateway *b = *state;
	uint8_t v6[48] = {0x60, 0, 0, 0, 0, 8, 59, 64};

	raw(b, FAKE_GW_MAC, b->g.mac, 0x88cc, "lldp", 4);
	raw(b, FAKE_GW_MAC, b->g.mac, ETH_T_VLAN, "\0\1\x08\0", 4);
	raw(b, FAKE_GW_MAC, b->g.mac, ETH_T_IP6, v6, sizeof(v6));
	assert_int_equal(b->drops.n[DROP_ETHERTYPE], 3);
	raw(b, FAKE_GW_MAC, b->g.mac, ETH_T_IP6, v6, 39);
	assert_int_equal(b->drops.n[DROP_IP6_SHORT], 1);
}

static void test_ip_headers(void **state)
{
	struct fake_gateway *b = *state;
	uint8_t ip[24] = {0x46, 0,    0,  24, 0, 0,  0,    0, 64, 17,
			  0xe4, 0xe8, 10, 0,  2, 15, 0xc0, 0, 2,  1};
	uint64_t before;

	raw(b, FAKE_GW_MAC, b->g.mac, ETH_T_IP4, ip, 19);
	assert_int_equal(b->drops.n[DROP_IP4_SHORT], 1);
	b->g.bad_ip_csum = true;
	say(b, &far);
	before = b->drops.n[DROP_IP4_CSUM];
	assert_int_equal(before, 1);
	/* options: the sum is made right by trying */
	for (unsigned sum = 0; sum < 65536; sum++) {
		ip[10] = (uint8_t)(sum >> 8);
		ip[11] = (uint8_t)sum;
		raw(b, FAKE_GW_MAC, b->g.mac, ETH_T_IP4, ip, sizeof(ip));
		if (b->drops.n[DROP_IP4_OPTIONS])
			break;
	}
	assert_int_equal(b->drops.n[DROP_IP4_OPTIONS], 1);
	assert_int_equal(b->fh->n_sent, 0);
}

static void test_transports_cut_short(void **state)
{
	struct fake_gateway *b = *state;

	fake_guest_ip(&b->g, far.ip, IPPROTO_TCP, "1234567890123456789", 19);
	fake_guest_ip(&b->g, far.ip, IPPROTO_UDP, "1234567", 7);
	fake_guest_ip(&b->g, far.ip, IPPROTO_ICMP, "1234567", 7);
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_TCP_SHORT], 1);
	assert_int_equal(b->drops.n[DROP_UDP_SHORT], 1);
	assert_int_equal(b->drops.n[DROP_ICMP_SHORT], 1);
}

/* A fragment from byte off of p, n bytes; none follow the last. */
static void fragment(struct fake_gateway *b, addr dst, uint8_t proto,
		     const uint8_t *p, uint32_t off, uint32_t n, bool more)
{
	b->g.frag = (uint16_t)(off / 8 | (more ? IP4_F_MF : 0));
	fake_guest_ip(&b->g, dst, proto, p + off, n);
}

static void test_fragments(void **state)
{
	/* port 5000 to 9, without a checksum */
	static const uint8_t dgram[32] = {0x13, 0x88, 0, 9, 0, 32, 0, 0, 'q'};
	struct fake_gateway *b = *state;
	const struct fake_sent *d;

	/* whole within one batch, and twice in it */
	for (int i = 0; i < 2; i++) {
		fragment(b, far.ip, IPPROTO_UDP, dgram, 16, 16, false);
		fragment(b, far.ip, IPPROTO_UDP, dgram, 0, 16, true);
	}
	fake_guest_kick(&b->g);
	d = fake_sent(b->fh, 0); /* in one call, as equal ones do */
	assert_non_null(d);
	assert_int_equal(d->gso_size, 24);
	assert_int_equal(d->len, 48);
	assert_memory_equal(d->data, dgram + 8, 24);
	assert_memory_equal(d->data + 24, dgram + 8, 24);
	/* and over two */
	fragment(b, far.ip, IPPROTO_UDP, dgram, 0, 8, true);
	fake_guest_kick(&b->g);
	assert_int_equal(b->fh->n_sent, 1);
	fragment(b, far.ip, IPPROTO_UDP, dgram, 8, 24, false);
	fake_guest_kick(&b->g);
	assert_int_equal(b->fh->n_sent, 2);
	assert_memory_equal(fake_sent(b->fh, 1)->data, dgram + 8, 24);
}

static void test_fragments_are_judged_first(void **state)
{
	static const uint8_t bytes[32] = {0x13, 0x88, 0, 9, 0, 32};
	struct fake_gateway *b = *state;

	b->g.ip = addr_v4(10, 0, 3, 1);
	fragment(b, far.ip, IPPROTO_UDP, bytes, 0, 16, true);
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_IP_SOURCE], 1);
	b->g.ip = addr_v4(10, 0, 2, 15);
	fragment(b, addr_v4(224, 0, 0, 1), IPPROTO_UDP, bytes, 0, 16, true);
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_IP_MULTICAST], 1);
	/* one error for a datagram, and the later ones get none */
	fragment(b, far.ip, IPPROTO_SCTP, bytes, 0, 16, true);
	fragment(b, far.ip, IPPROTO_SCTP, bytes, 16, 16, false);
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_IP_PROTOCOL], 2);
	assert_int_equal(b->g.port->n_out, 1);
	b->g.ttl = 1;
	fragment(b, far.ip, IPPROTO_UDP, bytes, 0, 16, true);
	fragment(b, far.ip, IPPROTO_UDP, bytes, 16, 16, false);
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_IP_TTL], 2);
	assert_int_equal(b->g.port->n_out, 2);
	assert_int_equal(b->fh->n_sent, 0);
}

/* A machine that begins datagram after datagram, each under another MAC, has
 * no more places for that than one. */
static void test_fragments_of_others(void **state)
{
	static const uint8_t dgram[32] = {0x13, 0x88, 0, 9, 0, 32};
	const struct fake_config pc = {.name = "vm1"};
	struct fake_gateway *b = *state;
	const struct fake_guest first = b->g;
	struct fake_guest other = b->g;

	other.port = fake_new(b->lan, &pc);
	other.mac = fake_mac(200);
	other.ip = addr_v4(10, 0, 2, 16);
	for (uint8_t i = 0; i < 100; i++) {
		b->g.mac = fake_mac(i);
		fragment(b, far.ip, IPPROTO_UDP, dgram, 0, 16, true);
		fake_guest_kick(&b->g);
		if (i != 50)
			continue;
		b->g = other;
		fragment(b, far.ip, IPPROTO_UDP, dgram, 0, 16, true);
		fake_guest_kick(&b->g);
		b->g = first;
	}
	b->g = other;
	fragment(b, far.ip, IPPROTO_UDP, dgram, 16, 16, false);
	fake_guest_kick(&b->g);
	assert_int_equal(b->fh->n_sent, 1);
	b->g = first;
	fake_free(other.port);
}

static void test_fragments_of_nothing(void **state)
{
	static const uint8_t bytes[32] = {0x13, 0x88, 0, 9, 0, 64};
	struct fake_gateway *b = *state;

	fragment(b, far.ip, IPPROTO_UDP, bytes, 4, 12, true); /* no eights */
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_FRAG_BAD], 1);
	/* a header that promises more than all of them hold */
	fragment(b, far.ip, IPPROTO_UDP, bytes, 0, 16, true);
	fragment(b, far.ip, IPPROTO_UDP, bytes, 16, 16, false);
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_UDP_SHORT], 1);
	assert_int_equal(b->fh->n_sent, 0);
}

/* The host refuses them when the batch ends: each is told of by itself. */
static void test_fragments_refused_by_the_host(void **state)
{
	static const uint8_t dgram[2][32] = {
		{0x13, 0x88, 0, 9, 0, 32, 0, 0, 'a'},
		{0x13, 0x88, 0, 10, 0, 32, 0, 0, 'b'}};
	struct fake_gateway *b = *state;
	struct fake_got got;

	fake_fail(b->fh, FAKE_SEND, ENETUNREACH, 100);
	for (int i = 0; i < 2; i++) {
		fragment(b, far.ip, IPPROTO_UDP, dgram[i], 0, 16, true);
		fragment(b, far.ip, IPPROTO_UDP, dgram[i], 16, 16, false);
	}
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_UDP_SEND], 2);
	assert_int_equal(b->g.port->n_out, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(fake_guest_got(&b->g, i, &got));
		assert_int_equal(got.pkt.proto, IPPROTO_ICMP);
		assert_int_equal(got.l4[0], ICMP_UNREACHABLE);
		assert_int_equal(got.l4[1], ICMP_U_NET);
		assert_memory_equal(got.l4 + 8 + IP4_HDR_LEN, dgram[i], 32);
	}
}

static void test_sources(void **state)
{
	static const uint32_t bad[] = {0x00000000, 0x7f000001, 0x0a000202,
				       0x0a000203, 0x0a000200, 0x0a0002ff,
				       0x0a00030f, 0xe0000001, 0xffffffff};
	struct fake_gateway *b = *state;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		b->g.ip = addr_v4_u32(bad[i]);
		say(b, &far);
	}
	assert_int_equal(b->drops.n[DROP_IP_SOURCE], 9);
	assert_int_equal(b->fh->n_sent, 0);
	assert_int_equal(b->g.port->n_out, 0);
}

static void test_groups_are_not_routed(void **state)
{
	struct fake_gateway *b = *state;

	say(b, &(struct endpoint){.ip = addr_v4(224, 0, 0, 251)});
	say(b, &(struct endpoint){.ip = addr_v4(255, 255, 255, 255)});
	say(b, &(struct endpoint){.ip = addr_v4(10, 0, 2, 255)});
	b->g.gw_mac = MAC_BROADCAST;
	say(b, &far);
	assert_int_equal(b->drops.n[DROP_IP_MULTICAST], 4);
	assert_int_equal(b->fh->n_sent, 0);
	assert_int_equal(b->g.port->n_out, 0);
}

static void test_hop_limit(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;

	b->g.ttl = 1;
	say(b, &far);
	assert_int_equal(b->drops.n[DROP_IP_TTL], 1);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_int_equal(got.l4[0], ICMP_TIME_EXCEEDED);
	assert_int_equal(addr_u32(&got.pkt.src.ip), 0x0a000202);
	/* we ourselves are no hop */
	say(b, &(struct endpoint){.ip = addr_v4(10, 0, 2, 2), .port = 9});
	assert_int_equal(b->fh->n_sent, 1);
}

static void test_protocols(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;

	fake_guest_ip(&b->g, far.ip, IPPROTO_SCTP, "123456789012", 12);
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_IP_PROTOCOL], 1);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_int_equal(got.l4[0], ICMP_UNREACHABLE);
	assert_int_equal(got.l4[1], ICMP_U_PROTOCOL);
}

/* --- what is carried --- */

static void test_ping_of_gateway(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;

	fake_guest_echo(&b->g, addr_v4(10, 0, 2, 2), 77, 3, "abcdefgh", 8);
	fake_guest_kick(&b->g);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_int_equal(got.l4[0], ICMP_ECHO_REPLY);
	assert_true(got.csum_ok);
	assert_memory_equal(got.l4 + 4, "\0\115\0\3abcdefgh", 12);
	assert_int_equal(addr_u32(&got.pkt.src.ip), 0x0a000202);
}

static void test_udp_out_and_in(void **state)
{
	struct fake_gateway *b = *state;
	struct endpoint other = fake_ep(192, 0, 2, 7, 99);
	struct gateway_stats st;
	const struct fake_sent *d;
	struct fake_got got;

	say(b, &far);
	d = fake_sent(b->fh, 0);
	assert_non_null(d);
	assert_true(endpoint_eq(&d->to, &far));
	assert_memory_equal(d->data, "question", 8);
	fake_deliver(b->fh, d->sock, &other, "answer", 6);
	fake_host_run(b->fh);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_true(got.csum_ok);
	assert_true(endpoint_eq(&got.pkt.src, &other));
	assert_int_equal(got.pkt.dst.port, 5000);
	assert_memory_equal(got.l4 + 8, "answer", 6);
	gateway_stats(b->gw, &st);
	assert_int_equal(st.n_udp, 1);
}

/* A guest that leaves the cutting to us (UFO): the host cuts as it likes. */
static void test_datagram_longer_than_the_mtu(void **state)
{
	struct fake_gateway *b = *state;
	uint8_t *data = calloc(1, 9000);
	const struct fake_sent *d;

	assert_non_null(data);
	fake_guest_udp(&b->g, 5000, &far, data, 9000);
	b->g.port->in[0].off = (struct frame_offload){
		.flags = FRAME_F_NEEDS_CSUM,
		.gso = FRAME_GSO_FRAG4,
		.gso_size = 1480,
		.csum_start = 34,
		.csum_offset = 6};
	fake_guest_kick(&b->g);
	d = fake_sent(b->fh, 0);
	assert_non_null(d);
	assert_int_equal(d->len, 9000);
	assert_int_equal(d->gso_size, 0);
	assert_int_equal(b->fh->n_sent, 1);
	free(data);
}

static void test_dns_address_has_no_other_ports(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;

	say(b, &(struct endpoint){.ip = addr_v4(10, 0, 2, 3), .port = 54});
	assert_int_equal(b->drops.n[DROP_IP_DEST], 1);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_int_equal(got.l4[1], ICMP_U_PORT);
}

static void test_forward_asks_for_an_unknown_guest(void **state)
{
	struct fake_gateway *b = *state;
	struct gateway_forward f = {.proto = IPPROTO_UDP,
				    .guest = {.port = 22},
				    .fd = fake_udp(b->fh, 2222)};
	struct fake_got got;
	struct arp_msg m;

	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
	fake_deliver(b->fh, (unsigned)f.fd, &far, "one", 3);
	fake_host_run(b->fh);
	assert_true(got_arp(b, 0, &m)); /* dhcp_start is meant */
	assert_int_equal(m.op, ARP_REQUEST);
	assert_int_equal(addr_u32(&m.tpa), 0x0a00020f);
	assert_int_equal(addr_u32(&m.spa), 0x0a000202);
	fake_deliver(b->fh, (unsigned)f.fd, &far, "two", 3);
	fake_host_run(b->fh);
	assert_int_equal(b->g.port->n_out, 1); /* not asked twice at once */
	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 2));
	fake_guest_kick(&b->g); /* the guest speaks */
	fake_deliver(b->fh, (unsigned)f.fd, &far, "three", 5);
	fake_host_run(b->fh);
	assert_true(fake_guest_got(&b->g, 2, &got));
	assert_memory_equal(got.l4 + 8, "three", 5);
	assert_true(mac_eq(got.pkt.eth_dst, b->g.mac));
}

static void test_forward_to_nobody(void **state)
{
	static const uint32_t bad[] = {0x0a000202, 0x0a0002ff, 0xc0000201};
	struct fake_gateway *b = *state;
	struct gateway_forward f = {.proto = IPPROTO_UDP,
				    .guest.port = 22,
				    .fd = fake_udp(b->fh, 2222)};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		f.guest.ip = addr_v4_u32(bad[i]);
		assert_int_equal(gateway_forward_add(b->gw, &f), -EINVAL);
	}
	f.guest.ip = addr_v4(10, 0, 2, 99);
	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
}

static void test_port_as_the_lan_sees_it(void **state)
{
	struct fake_gateway *b = *state;
	struct port *p = gateway_port(b->gw);

	assert_string_equal(p->ops->kind, "user");
	assert_string_equal(p->name, "net0");
	assert_true(port_is_up(p));
	assert_int_equal(p->caps.offload & PORT_O_CSUM, PORT_O_CSUM);
	assert_int_equal(p->ops->recv(p, &(struct batch){.n = 0}), 0);
}

#define T(f) \
	cmocka_unit_test_setup_teardown(f, fake_gateway_setup, \
					fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_arp_is_answered_for_our_addresses),
		T(test_arp_is_not_answered_for_others),
		T(test_arp_malformed),
		T(test_both_macs_are_ours),
		T(test_another_gateway_is_not_heard),
		T(test_ethertypes),
		T(test_ip_headers),
		T(test_transports_cut_short),
		T(test_fragments),
		T(test_fragments_are_judged_first),
		T(test_fragments_of_others),
		T(test_fragments_of_nothing),
		T(test_fragments_refused_by_the_host),
		T(test_sources),
		T(test_groups_are_not_routed),
		T(test_hop_limit),
		T(test_protocols),
		T(test_ping_of_gateway),
		T(test_udp_out_and_in),
		T(test_datagram_longer_than_the_mtu),
		T(test_dns_address_has_no_other_ports),
		T(test_forward_asks_for_an_unknown_guest),
		T(test_forward_to_nobody),
		T(test_port_as_the_lan_sees_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
