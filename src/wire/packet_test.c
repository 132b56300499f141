/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of every kind through packet_parse(), and each way to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ip4.h"
#include "wire/packet.h"

enum { L3 = ETH_HDR_LEN, ROOM = 2000, IP6 = 40, HDR_MAX = 192 };

static const struct eth_hdr eth4 = {
	.dst = {{0x52, 0x55, 10, 0, 2, 2}},
	.src = {{0x52, 0x54, 0, 1, 2, 3}},
	.type = ETH_T_IP4,
};

/* An IPv4 frame of len payload bytes: ports 1000, 53, then zeros. */
static size_t frame4(uint8_t *b, uint8_t proto, uint16_t frag, size_t len)
{
	struct ip4_hdr ip = {
		.total_len = (uint16_t)(IP4_HDR_LEN + len),
		.id = 0xabcd,
		.frag = frag,
		.tos = 0x10,
		.ttl = 63,
		.proto = proto,
		.src = addr_v4(10, 0, 2, 15),
		.dst = addr_v4(8, 8, 4, 4),
	};
	static const uint8_t ports[4] = {1000 >> 8, 1000 & 255, 0, 53};
	struct wr w = wr_init(b, ROOM);

	eth_emit(&w, &eth4);
	ip4_emit(&w, &ip);
	wr_bytes(&w, ports, len < 4 ? len : 4);
	wr_zero(&w, len < 4 ? 0 : len - 4);
	assert_true(wr_ok(&w));
	return wr_len(&w);
}

/* Makes the checksum of a header of units words right again. */
static void resum(uint8_t *b, unsigned units)
{
	uint16_t sum;

	b[L3] = (uint8_t)(0x40 | units);
	b[L3 + 10] = b[L3 + 11] = 0;
	sum = csum_fold(csum_add(b + L3, units * 4, 0));
	b[L3 + 10] = (uint8_t)(sum >> 8);
	b[L3 + 11] = (uint8_t)sum;
}

/* Parses with the first bytes in a block of just their length, so that a read
 * beyond them is seen. */
static enum packet_result parse(const uint8_t *b, size_t len,
				struct packet *pktp)
{
	size_t hdr_len = len < HDR_MAX ? len : HDR_MAX;
	uint8_t *copy = malloc(hdr_len + 1);
	enum packet_result res;

	assert_non_null(copy);
	memcpy(copy + 1, b, hdr_len); /* nor is it aligned */
	res = packet_parse(copy + 1, hdr_len, len, pktp);
	free(copy);
	return res;
}

static void ip4_udp(void **state)
{
	uint8_t b[ROOM];
	struct packet p;
	size_t len = frame4(b, 17, IP4_F_DF, 30);

	/* Padding of the Ethernet frame is not payload. */
	memset(b + len, 0xee, 10);
	assert_int_equal(parse(b, len + 10, &p), PACKET_OK);
	assert_true(mac_eq(p.eth_dst, eth4.dst));
	assert_true(mac_eq(p.eth_src, eth4.src));
	assert_int_equal(p.ethertype, ETH_T_IP4);
	assert_int_equal(p.ip_version, 4);
	assert_int_equal(p.proto, 17);
	assert_int_equal(p.ttl, 63);
	assert_int_equal(p.tos, 0x10);
	assert_true(p.df);
	assert_false(p.is_fragment);
	assert_int_equal(p.ip_id, 0xabcd);
	assert_int_equal(addr_u32(&p.src.ip), 0x0a00020f);
	assert_int_equal(addr_u32(&p.dst.ip), 0x08080404);
	assert_true(addr_is_v4(&p.src.ip) && addr_is_v4(&p.dst.ip));
	assert_int_equal(p.src.port, 1000);
	assert_int_equal(p.dst.port, 53);
	assert_int_equal(p.l3_off, 14);
	assert_int_equal(p.l4_off, 34);
	assert_int_equal(p.l4_len, 30);
}

static void ip4_other_protocols_have_no_ports(void **state)
{
	uint8_t b[ROOM];
	struct packet p;

	assert_int_equal(parse(b, frame4(b, 1, 0, 8), &p), PACKET_OK);
	assert_int_equal(p.src.port | p.dst.port, 0);
	assert_false(p.df);
	assert_int_equal(parse(b, frame4(b, 47, 0, 0), &p), PACKET_OK);
	assert_int_equal(p.proto, 47);
	assert_int_equal(p.l4_len, 0);
}

static void ip4_every_cut_is_named(void **state)
{
	uint8_t b[ROOM];
	struct packet p;
	size_t len = frame4(b, 17, 0, 30);

	for (size_t n = 0; n < len; n++)
		assert_int_equal(parse(b, n, &p), n < 14 ? PACKET_ETH_SHORT
							 : PACKET_IP4_SHORT);
}

static void ip4_least_transport_headers(void **state)
{
	static const struct {
		uint8_t proto;
		uint8_t least;
	} t[] = {{6, 20}, {17, 8}, {1, 8}};
	uint8_t b[ROOM];
	struct packet p;

	for (unsigned i = 0; i < 3; i++) {
		size_t len = frame4(b, t[i].proto, 0, t[i].least - 1u);

		/* Padding does not complete it. */
		b[len] = 0;
		assert_int_equal(parse(b, len, &p), PACKET_L4_SHORT);
		assert_int_equal(parse(b, len + 1, &p), PACKET_L4_SHORT);
		assert_int_equal(p.ip_version, 4);
		len = frame4(b, t[i].proto, 0, t[i].least);
		assert_int_equal(parse(b, len, &p), PACKET_OK);
	}
}

static void ip4_lies_are_refused(void **state)
{
	uint8_t b[ROOM];
	struct packet p;
	size_t len = frame4(b, 17, 0, 30);

	b[L3 + 3]++; /* longer than the frame */
	resum(b, 5);
	assert_int_equal(parse(b, len, &p), PACKET_IP4_SHORT);
	b[L3 + 3] = 19; /* shorter than its header */
	resum(b, 5);
	assert_int_equal(parse(b, len, &p), PACKET_IP4_SHORT);
	len = frame4(b, 17, 0, 30);
	resum(b, 4);
	assert_int_equal(parse(b, len, &p), PACKET_IP4_SHORT);
	b[L3] = 0x65;
	assert_int_equal(parse(b, len, &p), PACKET_IP4_SHORT);
}

static void ip4_checksum(void **state)
{
	uint8_t b[ROOM];
	struct packet p;
	size_t len = frame4(b, 17, 0, 30);

	for (unsigned bit = 0; bit < 8 * IP4_HDR_LEN; bit++) {
		enum packet_result res;

		b[L3 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		res = parse(b, len, &p);
		assert_true(res == PACKET_IP4_CSUM || res == PACKET_IP4_SHORT);
		b[L3 + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(parse(b, len, &p), PACKET_OK);
}

static void ip4_options_are_told(void **state)
{
	uint8_t b[ROOM];
	struct packet p;
	size_t len = frame4(b, 17, 0, 60);

	memset(b + L3 + IP4_HDR_LEN, 1, 40);
	resum(b, 15);
	assert_int_equal(parse(b, len, &p), PACKET_IP4_OPTIONS);
	assert_int_equal(p.ip_version, 4);
	assert_int_equal(p.l4_off, 14 + 60);
	assert_int_equal(p.l4_len, 20);
	assert_int_equal(addr_u32(&p.src.ip), 0x0a00020f);
	b[L3 + IP4_HDR_LEN + 39] = 2; /* options are under the checksum */
	assert_int_equal(parse(b, len, &p), PACKET_IP4_CSUM);
}

static void ip4_fragments(void **state)
{
	uint8_t b[ROOM];
	struct packet p;

	assert_int_equal(parse(b, frame4(b, 17, IP4_F_MF, 64), &p), PACKET_OK);
	assert_true(p.is_fragment && p.frag_more);
	assert_int_equal(p.frag_off, 0);
	assert_int_equal(p.dst.port, 53);
	assert_int_equal(parse(b, frame4(b, 17, 0x1fff, 4), &p), PACKET_OK);
	assert_true(p.is_fragment && !p.frag_more);
	assert_int_equal(p.frag_off, 65528);
	assert_int_equal(p.src.port | p.dst.port, 0);
	assert_int_equal(p.l4_len, 4);
}

static void not_ip(void **state)
{
	static const uint16_t types[] = {ETH_T_ARP, ETH_T_VLAN, 0x88cc, 60};
	uint8_t b[14] = {0};
	struct packet p;

	for (unsigned i = 0; i < 4; i++) {
		b[12] = (uint8_t)(types[i] >> 8);
		b[13] = (uint8_t)types[i];
		assert_int_equal(parse(b, 14, &p), PACKET_NOT_IP);
		assert_int_equal(p.ethertype, types[i]);
		assert_int_equal(p.ip_version, 0);
	}
}

/* An IPv6 frame whose payload is these bytes. */
static size_t frame6(uint8_t *b, uint8_t next, const void *payload,
		     size_t len)
{
	struct eth_hdr eth = eth4;
	struct wr w = wr_init(b, ROOM);
	uint8_t ip[16] = {0xfe, 0xc0, [15] = 0x15};

	eth.type = ETH_T_IP6;
	eth_emit(&w, &eth);
	wr_u32(&w, 0x6ab12345);
	wr_u16(&w, (uint16_t)len);
	wr_u8(&w, next);
	wr_u8(&w, 64);
	wr_bytes(&w, ip, 16);
	ip[15] = 2;
	wr_bytes(&w, ip, 16);
	wr_bytes(&w, payload, len);
	assert_true(wr_ok(&w));
	return wr_len(&w);
}

static void ip6_plain(void **state)
{
	static const uint8_t udp[8] = {3, 232, 0, 53};
	uint8_t b[ROOM];
	struct packet p;
	size_t len = frame6(b, 17, udp, 8);

	memset(b + len, 0, 8);
	assert_int_equal(parse(b, len + 8, &p), PACKET_OK);
	assert_int_equal(p.ip_version, 6);
	assert_int_equal(p.tos, 0xab);
	assert_int_equal(p.ttl, 64);
	assert_int_equal(p.proto, 17);
	assert_true(p.df);
	assert_false(p.is_fragment);
	assert_int_equal(p.src.ip.b[15], 0x15);
	assert_int_equal(p.dst.ip.b[15], 2);
	assert_int_equal(p.src.port, 1000);
	assert_int_equal(p.dst.port, 53);
	assert_int_equal(p.l4_off, 54);
	assert_int_equal(p.l4_len, 8);
	for (size_t n = 14; n < len; n++)
		assert_int_equal(parse(b, n, &p), PACKET_IP6_SHORT);
	b[L3] = 0x4a;
	assert_int_equal(parse(b, len, &p), PACKET_IP6_SHORT);
	len = frame6(b, 17, udp, 7);
	assert_int_equal(parse(b, len, &p), PACKET_L4_SHORT);
}

static void ip6_extensions(void **state)
{
	/* hop-by-hop of 8, routing of 16, fragment 0+, destination of 8 */
	static const uint8_t ext[] = {
		43, 0, 1, 4, 0, 0, 0, 0,
		44, 1, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9,
		60, 7, 0, 1, 0xde, 0xad, 0xbe, 0xef,
		17, 0, 1, 4, 0, 0, 0, 0,
		3, 232, 0, 53, 0, 8, 0, 0,
	};
	enum { OFF_AT = 14 + IP6 + 24 + 2 };
	uint8_t b[ROOM];
	struct packet p;
	size_t len = frame6(b, 0, ext, sizeof(ext));

	/* What follows the header of a fragment is payload. */
	assert_int_equal(parse(b, len, &p), PACKET_OK);
	assert_int_equal(p.proto, 60);
	assert_true(p.is_fragment && p.frag_more);
	assert_int_equal(p.frag_off, 0);
	assert_int_equal(p.ip_id, 0xdeadbeef);
	assert_int_equal(p.src.port | p.dst.port, 0);
	assert_int_equal(p.l4_off, 54 + 32);
	assert_int_equal(p.l4_len, 16);
	b[OFF_AT] = 0x05;
	b[OFF_AT + 1] = 0xa8;
	assert_int_equal(parse(b, len, &p), PACKET_OK);
	assert_int_equal(p.proto, 60);
	assert_int_equal(p.frag_off, 1448);
	assert_false(p.frag_more);
	assert_int_equal(p.l4_len, 16);
	/* The ports are in the first only. */
	b[OFF_AT - 2] = 17;
	assert_int_equal(parse(b, len, &p), PACKET_OK);
	assert_int_equal(p.src.port | p.dst.port, 0);
	b[OFF_AT] = 0;
	b[OFF_AT + 1] = 1;
	assert_int_equal(parse(b, len, &p), PACKET_OK);
	assert_int_equal(p.src.port, 17 << 8);
	assert_int_equal(p.next_off, IP6 + 24);
	assert_false(p.df);
	b[OFF_AT - 2] = 60;
	/* An atomic fragment is none (RFC 6946), but who sent it lets others
	 * fragment. */
	b[OFF_AT + 1] = 0;
	assert_int_equal(parse(b, len, &p), PACKET_OK);
	assert_false(p.is_fragment);
	assert_false(p.df);
	assert_int_equal(p.proto, 17);
	assert_int_equal(p.dst.port, 53);
	assert_int_equal(p.l4_off, 54 + 40);
	assert_int_equal(p.l4_len, 8);
	assert_int_equal(p.next_off, IP6 + 32);
	/* A routing header that names more nodes is not ours to pass over. */
	b[14 + IP6 + 8 + 3] = 2;
	assert_int_equal(parse(b, len, &p), PACKET_OK);
	assert_int_equal(p.proto, 43);
	assert_int_equal(p.next_off, IP6 + 8 + 2);
	assert_int_equal(p.l4_off, 54 + 8);
	assert_int_equal(p.l4_len, 40);
}

static void ip6_options_that_come_late(void **state)
{
	static const uint8_t ext[] = {
		0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0,
		3, 232, 0, 53, 0, 8, 0, 0,
	};
	uint8_t b[ROOM];
	struct packet p;

	/* destination options, then hop by hop */
	assert_int_equal(parse(b, frame6(b, 60, ext, sizeof(ext)), &p),
			 PACKET_OK);
	assert_int_equal(p.proto, 0);
	assert_int_equal(p.next_off, IP6);
	assert_int_equal(p.l4_off, 54 + 8);
	/* at the front they are where they belong, and once is enough */
	assert_int_equal(parse(b, frame6(b, 0, ext + 8, 16), &p), PACKET_OK);
	assert_int_equal(p.proto, 17);
	assert_int_equal(parse(b, frame6(b, 0, ext, sizeof(ext)), &p),
			 PACKET_OK);
	assert_int_equal(p.proto, 0);
	assert_int_equal(p.l4_off, 54 + 8);
}

static void ip6_has_no_addresses_of_ip4(void **state)
{
	static const uint8_t udp[8] = {3, 232, 0, 53};
	uint8_t b[ROOM];
	struct packet p;
	size_t len = frame6(b, 17, udp, 8);
	addr a = addr_v4(10, 0, 2, 15);

	memcpy(b + L3 + 8, a.b, 16);
	assert_int_equal(parse(b, len, &p), PACKET_IP6_SHORT);
	len = frame6(b, 17, udp, 8);
	memcpy(b + L3 + 24, a.b, 16);
	assert_int_equal(parse(b, len, &p), PACKET_IP6_SHORT);
}

static void ip6_extensions_are_bounded(void **state)
{
	uint8_t ext[9 * 8 + 8] = {0}, b[ROOM];
	struct packet p;
	size_t len;

	/* Eight are read, nine are refused. */
	for (unsigned i = 0; i < 9; i++)
		ext[i * 8] = 60;
	ext[7 * 8] = 17;
	ext[8 * 8] = 3;
	len = frame6(b, 60, ext, 9 * 8);
	assert_int_equal(parse(b, len, &p), PACKET_OK);
	assert_int_equal(p.src.port, 0x0300);
	ext[7 * 8] = 60;
	ext[8 * 8] = 17;
	len = frame6(b, 60, ext, 9 * 8 + 8);
	assert_int_equal(parse(b, len, &p), PACKET_IP6_SHORT);
	/* One longer than the packet, and one beyond what is parsed. */
	ext[0] = 17;
	ext[1] = 1;
	len = frame6(b, 0, ext, 15);
	memset(b + len, 0, 20); /* padding does not help */
	assert_int_equal(parse(b, len + 20, &p), PACKET_IP6_SHORT);
	/* A jumbogram (RFC 2675): the header counts nothing. */
	{
		static const uint8_t jumbo[16] = {17, 0, 0xc2, 4, 0, 0, 0, 16,
						  0, 1, 0, 2, 0, 8};

		len = frame6(b, 0, jumbo, sizeof(jumbo));
		assert_int_equal(parse(b, len, &p), PACKET_OK);
		b[14 + 4] = b[14 + 5] = 0;
		assert_int_equal(parse(b, len, &p), PACKET_IP6_SHORT);
	}
	{
		uint8_t big[400] = {17, 30};

		len = frame6(b, 0, big, sizeof(big));
		assert_int_equal(parse(b, len, &p), PACKET_IP6_SHORT);
	}
}

static void a_frame_longer_than_its_first_bytes(void **state)
{
	uint8_t b[ROOM];
	struct packet p;
	size_t len = frame4(b, 6, 0, 1480);

	assert_int_equal(parse(b, len, &p), PACKET_OK);
	assert_int_equal(p.l4_len, 1480);
	assert_int_equal(parse(b, len - 1, &p), PACKET_IP4_SHORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_udp),
		cmocka_unit_test(ip4_other_protocols_have_no_ports),
		cmocka_unit_test(ip4_every_cut_is_named),
		cmocka_unit_test(ip4_least_transport_headers),
		cmocka_unit_test(ip4_lies_are_refused),
		cmocka_unit_test(ip4_checksum),
		cmocka_unit_test(ip4_options_are_told),
		cmocka_unit_test(ip4_fragments),
		cmocka_unit_test(not_ip),
		cmocka_unit_test(ip6_plain),
		cmocka_unit_test(ip6_extensions),
		cmocka_unit_test(ip6_options_that_come_late),
		cmocka_unit_test(ip6_has_no_addresses_of_ip4),
		cmocka_unit_test(ip6_extensions_are_bounded),
		cmocka_unit_test(a_frame_longer_than_its_first_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
