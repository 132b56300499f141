/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of the offload header of taps, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <linux/virtio_net.h>
#include <string.h>

#include <cmocka.h>

#include "netdev/vnethdr.h"

/* VIRTIO 1.3, 5.1.6; not in the kernel headers of 6.1. */
enum { GSO_UDP_L4 = 5 };

/* The layout the kernel declares is the one we read. */
static void test_layout(void **state)
{
	struct virtio_net_hdr_mrg_rxbuf h = {
		.hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 |
				    VIRTIO_NET_HDR_GSO_ECN,
			.hdr_len = 66,
			.gso_size = 1448,
			.csum_start = 34,
			.csum_offset = 16},
	};
	const struct frame_offload off = {
		.flags = FRAME_F_NEEDS_CSUM | FRAME_F_ECN,
		.gso = FRAME_GSO_TCP4,
		.gso_size = 1448,
		.hdr_len = 66,
		.csum_start = 34,
		.csum_offset = 16,
	};
	uint8_t out[VNETHDR_LEN];

	(void)state;
	assert_int_equal(sizeof(h), VNETHDR_LEN);
	vnethdr_emit(&off, out);
	assert_memory_equal(out, &h, VNETHDR_LEN);
}

struct packet_case {
	const char *name;
	struct virtio_net_hdr h;
	uint16_t ethertype;
	uint8_t doff; /* at csum_start + 12: words of TCP header << 4 */
	bool is_ok;
	struct frame_offload want;
};

#define CSUM VIRTIO_NET_HDR_F_NEEDS_CSUM

static const struct packet_case cases[] = {
	{"plain", {.flags = 0}, 0x0800, 0, true, {0}},
	{"valid",
	 {.flags = VIRTIO_NET_HDR_F_DATA_VALID},
	 0x0800,
	 0,
	 true,
	 {.flags = FRAME_F_CSUM_VALID}},
	{"csum",
	 {.flags = CSUM, .csum_start = 34, .csum_offset = 16},
	 0x0800,
	 0,
	 true,
	 {.flags = FRAME_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16}},
	/* hdr_len is a hint that lies as a rule: the kernel gives what lay in
	 * the linear part. */
	{"tso4",
	 {.flags = CSUM,
	  .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	  .hdr_len = 1000,
	  .gso_size = 1448,
	  .csum_start = 34,
	  .csum_offset = 16},
	 0x0800,
	 0x80,
	 true,
	 {.flags = FRAME_F_NEEDS_CSUM,
	  .gso = FRAME_GSO_TCP4,
	  .gso_size = 1448,
	  .hdr_len = 66,
	  .csum_start = 34,
	  .csum_offset = 16}},
	{"tso6",
	 {.flags = CSUM,
	  .gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
	  .gso_size = 1428,
	  .csum_start = 54,
	  .csum_offset = 16},
	 0x86dd,
	 0x50,
	 true,
	 {.flags = FRAME_F_NEEDS_CSUM,
	  .gso = FRAME_GSO_TCP6,
	  .gso_size = 1428,
	  .hdr_len = 74,
	  .csum_start = 54,
	  .csum_offset = 16}},
	{"uso4",
	 {.flags = CSUM,
	  .gso_type = GSO_UDP_L4,
	  .gso_size = 1200,
	  .csum_start = 34,
	  .csum_offset = 6},
	 0x0800,
	 0,
	 true,
	 {.flags = FRAME_F_NEEDS_CSUM,
	  .gso = FRAME_GSO_UDP4,
	  .gso_size = 1200,
	  .hdr_len = 42,
	  .csum_start = 34,
	  .csum_offset = 6}},
	{"uso6",
	 {.flags = CSUM,
	  .gso_type = GSO_UDP_L4,
	  .gso_size = 1200,
	  .csum_start = 54,
	  .csum_offset = 6},
	 0x86dd,
	 0,
	 true,
	 {.flags = FRAME_F_NEEDS_CSUM,
	  .gso = FRAME_GSO_UDP6,
	  .gso_size = 1200,
	  .hdr_len = 62,
	  .csum_start = 54,
	  .csum_offset = 6}},
	{"gso without csum",
	 {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1448},
	 0x0800,
	 0x50,
	 false,
	 {0}},
	{"ufo",
	 {.flags = CSUM,
	  .gso_type = VIRTIO_NET_HDR_GSO_UDP,
	  .gso_size = 1480,
	  .csum_start = 34,
	  .csum_offset = 6},
	 0x0800,
	 0,
	 true,
	 {.flags = FRAME_F_NEEDS_CSUM,
	  .gso = FRAME_GSO_FRAG4,
	  .gso_size = 1480,
	  .hdr_len = 42,
	  .csum_start = 34,
	  .csum_offset = 6}},
	{"uso of arp",
	 {.flags = CSUM,
	  .gso_type = GSO_UDP_L4,
	  .csum_start = 34,
	  .csum_offset = 6},
	 0x0806,
	 0,
	 false,
	 {0}},
	{"short tcp header",
	 {.flags = CSUM,
	  .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	  .csum_start = 34,
	  .csum_offset = 16},
	 0x0800,
	 0x40,
	 false,
	 {0}},
	{"tcp header outside",
	 {.flags = CSUM,
	  .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	  .csum_start = 190,
	  .csum_offset = 16},
	 0x0800,
	 0,
	 false,
	 {0}},
	{"far outside",
	 {.flags = CSUM,
	  .gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
	  .csum_start = 0xffff,
	  .csum_offset = 0xffff},
	 0x86dd,
	 0,
	 false,
	 {0}},
	{"ecn of udp",
	 {.flags = CSUM,
	  .gso_type = GSO_UDP_L4 | VIRTIO_NET_HDR_GSO_ECN,
	  .csum_start = 34,
	  .csum_offset = 6},
	 0x0800,
	 0,
	 false,
	 {0}},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct packet_case *c = &cases[i];
		uint8_t h[VNETHDR_LEN] = {0}, bytes[200] = {0};
		struct frame f = frame_flat(bytes, sizeof(bytes));

		memcpy(h, &c->h, sizeof(c->h));
		bytes[12] = (uint8_t)(c->ethertype >> 8);
		bytes[13] = (uint8_t)c->ethertype;
		if (c->h.csum_start + 12u < sizeof(bytes))
			bytes[c->h.csum_start + 12] = c->doff;
		if (vnethdr_parse(h, &f) != c->is_ok)
			fail_msg("%s", c->name);
		if (memcmp(&f.off, &c->want, sizeof(f.off)) != 0)
			fail_msg("%s: other offload", c->name);
	}
}

/* The type is found behind VLAN tags, and a frame may end inside them. */
static void test_tags(void **state)
{
	uint8_t bytes[80] = {[12] = 0x88, 0xa8, 0, 1,    0x81,
			     0,           0,    2, 0x86, 0xdd};
	const struct virtio_net_hdr uso = {
		.flags = CSUM,
		.gso_type = GSO_UDP_L4,
		.gso_size = 100,
		.csum_start = 62,
		.csum_offset = 6};
	uint8_t h[VNETHDR_LEN] = {0};
	struct frame f = frame_flat(bytes, sizeof(bytes));

	(void)state;
	memcpy(h, &uso, sizeof(uso));
	assert_true(vnethdr_parse(h, &f));
	assert_int_equal(f.off.gso, FRAME_GSO_UDP6);
	f = frame_flat(bytes, 18);
	assert_false(vnethdr_parse(h, &f));
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_tags),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
