/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What changes in a frame at a port with an alias, and that nothing else does:
 * every protocol that carries a MAC, every shape a frame comes in.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "lan/alias.h"
#include "lan/fake_port.h"
#include "wire/arp.h"
#include "wire/csum.h"
#include "wire/dhcp.h"
#include "wire/eth.h"
#include "wire/ip4.h"
#include "wire/packet.h"
#include "wire/udp.h"

enum {
	AT_ARP = ETH_HDR_LEN,
	AT_UDP = ETH_HDR_LEN + IP4_HDR_LEN,
	AT_DHCP = AT_UDP + UDP_HDR_LEN,
	AT_CHADDR = AT_DHCP + 28,
	AT_ICMP6 = ETH_HDR_LEN + 40,
	PIECE = 10, /* no MAC lies whole in one of every second */
};

static const mac twin = {{0x52, 0x54, 0, 0x12, 0x34, 0x56}};
static const mac alias = {{0x0e, 0x76, 1, 0x12, 0x34, 0x56}};
static const mac other = {{0x52, 0x54, 0, 0, 0, 3}};
static const mac gw_mac = {{0x52, 0x55, 10, 0, 2, 2}};

/* twin is a's; b, of the kind asked for, has the alias. */
struct bench {
	struct fake_lan net;
	struct fake_port *a, *b, *c, *gw;
	uint8_t buf[FRAME_MAX], want[FRAME_MAX];
	uint32_t len;
	struct frame_offload off;
};

static void put_arp(struct bench *t, mac dst, mac src, uint16_t op, mac sha,
		    mac tha, addr spa)
{
	struct wr w = wr_init(t->buf, sizeof(t->buf));
	struct eth_hdr eth = {.dst = dst, .src = src, .type = ETH_T_ARP};
	struct arp_msg m = {.op = op,
			    .sha = sha,
			    .spa = spa,
			    .tha = tha,
			    .tpa = addr_v4(10, 0, 2, 15)};

	eth_emit(&w, &eth);
	arp_emit(&w, &m);
	t->len = (uint32_t)wr_len(&w);
	t->off = (struct frame_offload){0};
}

static struct bench *bench_new(const struct fake_config *b)
{
	struct bench *t = calloc(1, sizeof(*t));
	const struct fake_config c = {.name = "p"};

	assert_non_null(t);
	fake_lan_init(&t->net, false);
	t->a = fake_new(t->net.lan, &c);
	t->b = fake_new(t->net.lan, b);
	t->c = fake_new(t->net.lan, &c);
	t->gw = fake_new(t->net.lan,
			 &(struct fake_config){.is_ours = true,
					       .offload = PORT_O_ALL,
					       .can_wait = true});
	put_arp(t, MAC_BROADCAST, twin, ARP_REQUEST, twin, (mac){0},
		addr_v4(0, 0, 0, 0));
	fake_rx(t->a, t->buf, t->len, NULL);
	fake_rx(t->b, t->buf, t->len, NULL);
	assert_int_equal(t->net.n_clash, 1);
	assert_memory_equal(t->net.clash_alias.b, alias.b, 6);
	fake_frame_fill(t->buf, 60, MAC_BROADCAST, other, 0);
	fake_rx(t->c, t->buf, 60, NULL);
	fake_frame_fill(t->buf, 60, MAC_BROADCAST, gw_mac, 0);
	fake_rx(t->gw, t->buf, 60, NULL);
	return t;
}

static void bench_free(struct bench *t)
{
	fake_lan_deinit(&t->net);
	free(t);
}

static void clear(struct bench *t)
{
	fake_clear(t->a);
	fake_clear(t->b);
	fake_clear(t->c);
	fake_clear(t->gw);
}

/* Writes what is expected: the frame in t->buf, with m at each place given
 * (the last is 0, or the first if it is alone). */
static void want(struct bench *t, const uint32_t *at, unsigned n, mac m)
{
	for (unsigned i = 0; i < n; i++)
		memcpy(t->want + at[i], m.b, 6);
}

static void expect_frame(const struct bench *t, const struct fake_port *f,
			 unsigned i)
{
	assert_true(i < f->n_out);
	assert_int_equal(f->out[i].len, t->len);
	for (uint32_t k = 0; k < t->len; k++) {
		if (f->out[i].data[k] != t->want[k])
			fail_msg("byte %u is %02x, not %02x", k,
				 f->out[i].data[k], t->want[k]);
	}
	assert_memory_equal(&f->out[i].off, &t->off, sizeof(t->off));
}

/* The frame in t->buf comes by in and leaves by out with the alias where b's
 * machine has its MAC, and the other way round. */
static void carry(struct bench *t, struct fake_port *in,
		  struct fake_port *out, const uint32_t *at, unsigned n,
		  mac m)
{
	clear(t);
	memcpy(t->want, t->buf, t->len);
	want(t, at, n, m);
	fake_rx(in, t->buf, t->len, &t->off);
	expect_frame(t, out, 0);
}

#define PLACES(...)                                                            \
	(const uint32_t[]){__VA_ARGS__},                                       \
		sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)

/* --- ARP ---------------------------------------------------------------- */

static void test_arp(void **state)
{
	struct bench *t = bench_new(&(struct fake_config){.name = "b"});
	const addr ip = addr_v4(10, 0, 2, 16);

	(void)state;
	put_arp(t, MAC_BROADCAST, twin, ARP_REQUEST, twin, (mac){0}, ip);
	carry(t, t->b, t->c, PLACES(6, AT_ARP + 8), alias);
	put_arp(t, other, twin, ARP_REPLY, twin, other, ip);
	carry(t, t->b, t->c, PLACES(6, AT_ARP + 8), alias);
	put_arp(t, alias, other, ARP_REPLY, other, alias, ip);
	carry(t, t->c, t->b, PLACES(0, AT_ARP + 18), twin);
	/* The first one's address is not the second one's. */
	put_arp(t, MAC_BROADCAST, twin, ARP_REQUEST, twin, (mac){0}, ip);
	carry(t, t->a, t->b, PLACES(6, AT_ARP + 8), alias);
	put_arp(t, alias, twin, ARP_REPLY, twin, alias, ip);
	memcpy(t->want, t->buf, t->len);
	clear(t);
	fake_rx(t->a, t->buf, t->len, NULL);
	want(t, PLACES(0, AT_ARP + 18), twin);
	want(t, PLACES(6, AT_ARP + 8), alias);
	expect_frame(t, t->b, 0);
	bench_free(t);
}

static void put_tags(struct bench *t, unsigned n)
{
	static const uint8_t tag[2][4] = {{0x81, 0, 0, 5}, {0x88, 0xa8, 0, 7}};

	while (n-- > 0) {
		memmove(t->buf + 16, t->buf + 12, t->len - 12);
		memcpy(t->buf + 12, tag[n], 4);
		t->len += 4;
	}
}

static void test_arp_of_other_shapes(void **state)
{
	struct bench *t = bench_new(&(struct fake_config){.name = "b"});
	const addr ip = addr_v4(10, 0, 2, 16);

	(void)state;
	for (unsigned n = 1; n <= 2; n++) {
		put_arp(t, other, twin, ARP_REPLY, twin, other, ip);
		put_tags(t, n);
		carry(t, t->b, t->c, PLACES(6, AT_ARP + n * 4 + 8), alias);
	}
	/* RARP: "whose address is this" of oneself */
	put_arp(t, other, twin, 3, twin, twin, ip);
	t->buf[13] = 0x35;
	t->buf[12] = 0x80;
	carry(t, t->b, t->c, PLACES(6, AT_ARP + 8, AT_ARP + 18), alias);
	/* Not of Ethernet, and cut short: only the frame's own. */
	put_arp(t, other, twin, ARP_REPLY, twin, other, ip);
	t->buf[AT_ARP + 1] = 6;
	carry(t, t->b, t->c, PLACES(6), alias);
	put_arp(t, other, twin, ARP_REPLY, twin, other, ip);
	t->len--;
	carry(t, t->b, t->c, PLACES(6), alias);
	bench_free(t);
}

/* --- DHCP --------------------------------------------------------------- */

struct dhcp_case {
	uint8_t op;
	mac chaddr;
	uint8_t pad;	    /* options of one byte before the identifier */
	uint8_t id_prefix;  /* bytes before the MAC in it; 0: none */
	uint32_t fill;	    /* more bytes of options */
	bool no_sum;
	bool is_partial;    /* the checksum is left to the exit */
};

static uint16_t udp_sum(const uint8_t *frame, uint32_t len, bool is_partial)
{
	addr src = addr_v4_bytes(frame + 26), dst = addr_v4_bytes(frame + 30);
	uint32_t l4 = len - AT_UDP;
	uint64_t sum = csum_pseudo(&src, &dst, IPPROTO_UDP, l4);

	if (is_partial)
		return csum_partial(sum);
	return csum_fold(csum_add(frame + AT_UDP, l4, sum));
}

/* Returns where the MAC is in the client identifier. */
static uint32_t put_dhcp(struct bench *t, mac dst, mac src,
			 const struct dhcp_case *d)
{
	struct wr w = wr_init(t->buf, sizeof(t->buf));
	struct eth_hdr eth = {.dst = dst, .src = src, .type = ETH_T_IP4};
	struct dhcp_hdr h = {.op = d->op,
			     .htype = DHCP_HTYPE_ETHERNET,
			     .hlen = 6,
			     .xid = 0x12345678};
	bool is_request = d->op == DHCP_REQUEST_OP;
	uint8_t id[32] = {d->id_prefix > 1 ? 0xff : 1, 0xaa, 0xbb, 0xcc};
	const uint8_t vendor[64] = {0x52, 0x54};
	uint8_t body[4096] = {0};
	struct wr b = wr_init(body, sizeof(body));
	uint32_t at, l4;

	memcpy(h.chaddr, d->chaddr.b, 6);
	dhcp_emit_hdr(&b, &h);
	dhcp_emit_u8(&b, DHCP_O_TYPE, is_request ? DHCP_DISCOVER : DHCP_OFFER);
	wr_zero(&b, d->pad);
	memcpy(id + d->id_prefix, d->chaddr.b, 6);
	if (d->id_prefix)
		dhcp_emit_opt(&b, DHCP_O_CLIENT_ID, id, d->id_prefix + 6u);
	at = AT_DHCP + (uint32_t)wr_len(&b) - 6;
	for (uint32_t i = 0; i < d->fill; i += 200)
		dhcp_emit_opt(&b, DHCP_O_VENDOR_CLASS, vendor,
			      sizeof(vendor));
	dhcp_emit_end(&b, 0);
	l4 = UDP_HDR_LEN + (uint32_t)wr_len(&b);
	eth_emit(&w, &eth);
	ip4_emit(&w, &(struct ip4_hdr){
			     .total_len = (uint16_t)(IP4_HDR_LEN + l4),
			     .ttl = 64,
			     .proto = IPPROTO_UDP,
			     .src = addr_v4(0, 0, 0, 0),
			     .dst = addr_v4(255, 255, 255, 255)});
	udp_emit(&w, &(struct udp_hdr){.sport = is_request ? 68 : 67,
				       .dport = is_request ? 67 : 68,
				       .len = (uint16_t)l4});
	wr_bytes(&w, body, wr_len(&b));
	assert_true(wr_ok(&w) && wr_ok(&b));
	t->len = (uint32_t)wr_len(&w);
	t->off = (struct frame_offload){0};
	if (!d->no_sum)
		put_be16(t->buf + AT_UDP + 6,
			 udp_sum(t->buf, t->len, d->is_partial));
	if (d->is_partial)
		t->off = (struct frame_offload){.flags = FRAME_F_NEEDS_CSUM,
						.csum_start = AT_UDP,
						.csum_offset = 6};
	return d->id_prefix ? at : AT_CHADDR;
}

/* What must come out, made anew and not by a change. */
static void want_dhcp(struct bench *t, mac dst, mac src,
		      const struct dhcp_case *d, mac chaddr)
{
	uint8_t *keep = malloc(t->len);
	struct dhcp_case now = *d;
	uint32_t len = t->len;

	assert_non_null(keep);
	memcpy(keep, t->buf, len);
	now.chaddr = chaddr;
	(void)put_dhcp(t, dst, src, &now);
	memcpy(t->want, t->buf, len);
	memcpy(t->buf, keep, len);
	free(keep);
}

static const struct dhcp_case dhcp_cases[] = {
	{.pad = 0},
	{.pad = 0, .id_prefix = 1},
	{.pad = 1, .id_prefix = 1},
	{.pad = 0, .id_prefix = 12},
	{.pad = 1, .id_prefix = 12},
	{.pad = 3, .id_prefix = 1, .no_sum = true},
	{.pad = 2, .id_prefix = 1, .is_partial = true},
	{.pad = 0, .id_prefix = 1, .fill = 1800},
	{.pad = 1, .id_prefix = 15, .fill = 800},
};

static void test_dhcp(void **state)
{
	for (uint32_t hdr_max = 0; hdr_max <= FRAME_HDR_MAX;
	     hdr_max += FRAME_HDR_MAX) {
		struct fake_config c = {.name = "b",
					.hdr_max = hdr_max,
					.lend_piece = 100,
					.offload = PORT_O_ALL};
		struct bench *t = bench_new(&c);

		lan_port_caps(&t->c->port,
			      &(struct port_caps){.offload = PORT_O_ALL,
						  .max_frame = FRAME_MAX});
		lan_port_caps(&t->a->port, &t->c->port.caps);
		for (unsigned i = 0;
		     i < sizeof(dhcp_cases) / sizeof(dhcp_cases[0]); i++) {
			struct dhcp_case d = dhcp_cases[i];

			d.op = DHCP_REQUEST_OP;
			d.chaddr = twin;
			(void)put_dhcp(t, MAC_BROADCAST, twin, &d);
			want_dhcp(t, MAC_BROADCAST, alias, &d, alias);
			clear(t);
			fake_rx(t->b, t->buf, t->len, &t->off);
			expect_frame(t, t->c, 0);
			d.op = DHCP_REPLY_OP;
			d.chaddr = alias;
			(void)put_dhcp(t, alias, other, &d);
			want_dhcp(t, twin, other, &d, twin);
			clear(t);
			fake_rx(t->c, t->buf, t->len, &t->off);
			expect_frame(t, t->b, 0);
			/* A broadcast answer: to whom, chaddr says. */
			(void)put_dhcp(t, MAC_BROADCAST, other, &d);
			want_dhcp(t, MAC_BROADCAST, other, &d, twin);
			clear(t);
			fake_rx(t->c, t->buf, t->len, &t->off);
			expect_frame(t, t->b, 0);
			memcpy(t->want, t->buf, t->len);
			expect_frame(t, t->a, 0);
		}
		(void)state;
		bench_free(t);
	}
}

/* Other clients' messages, and what only looks like one. */
static void test_not_its_dhcp(void **state)
{
	struct bench *t = bench_new(&(struct fake_config){.name = "b"});
	struct dhcp_case d = {.op = DHCP_REQUEST_OP, .chaddr = other,
			      .id_prefix = 1};

	(void)state;
	(void)put_dhcp(t, MAC_BROADCAST, other, &d);
	carry(t, t->c, t->b, PLACES(0), MAC_BROADCAST);
	d.chaddr = twin;
	(void)put_dhcp(t, other, twin, &d);
	t->buf[AT_DHCP + 2] = 7; /* hlen */
	carry(t, t->b, t->c, PLACES(6), alias);
	(void)put_dhcp(t, other, twin, &d);
	t->buf[AT_UDP + 3] = 80; /* port */
	carry(t, t->b, t->c, PLACES(6), alias);
	(void)put_dhcp(t, other, twin, &d);
	t->buf[AT_UDP - 1] = 1; /* IPv4's checksum is wrong now */
	carry(t, t->b, t->c, PLACES(6), alias);
	(void)put_dhcp(t, other, twin, &d);
	t->len = AT_CHADDR + 6; /* cut */
	carry(t, t->b, t->c, PLACES(6), alias);
	bench_free(t);
}

/* More of them in a batch than there is room for at a time. */
static void test_many_dhcp(void **state)
{
	struct fake_config c = {.name = "b", .lossy = true};
	struct dhcp_case d = {.op = DHCP_REQUEST_OP, .chaddr = twin,
			      .id_prefix = 1};
	struct bench *t = bench_new(&c);
	uint32_t id;

	(void)state;
	clear(t);
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		id = put_dhcp(t, other, twin, &d);
		t->buf[AT_DHCP + 4] = (uint8_t)i; /* xid, and no checksum */
		put_be16(t->buf + AT_UDP + 6, 0);
		fake_queue(t->b, t->buf, t->len, NULL);
	}
	while (lan_port_readable(&t->b->port))
		;
	assert_int_equal(t->c->n_out, FRAME_BATCH);
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		memcpy(t->want, t->buf, t->len);
		t->want[AT_DHCP + 4] = (uint8_t)i;
		want(t, PLACES(6, AT_CHADDR, id), alias);
		expect_frame(t, t->c, i);
	}
	/* The other way, into a port that takes some of them. */
	clear(t);
	t->b->room = 40;
	d = (struct dhcp_case){.op = DHCP_REPLY_OP, .chaddr = alias,
			       .id_prefix = 1, .no_sum = true};
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		id = put_dhcp(t, alias, other, &d);
		t->buf[AT_DHCP + 4] = (uint8_t)i;
		fake_queue(t->c, t->buf, t->len, NULL);
	}
	while (lan_port_readable(&t->c->port))
		;
	assert_int_equal(t->b->n_out, 40);
	for (unsigned i = 0; i < 40; i++) {
		memcpy(t->want, t->buf, t->len);
		t->want[AT_DHCP + 4] = (uint8_t)i;
		want(t, PLACES(0, AT_CHADDR, id), twin);
		expect_frame(t, t->b, i);
	}
	assert_int_equal(t->net.drops.n[DROP_PORT_FULL], FRAME_BATCH - 40);
	bench_free(t);
}

/* --- neighbour discovery ------------------------------------------------ */

static uint16_t icmp6_sum(const uint8_t *frame, uint32_t len)
{
	addr src, dst;

	memcpy(src.b, frame + 22, 16);
	memcpy(dst.b, frame + 38, 16);
	return csum_fold(csum_add(frame + AT_ICMP6, len - AT_ICMP6,
				  csum_pseudo(&src, &dst, IPPROTO_ICMPV6,
					      len - AT_ICMP6)));
}

/* An option of 16 bytes, then the address. Returns where that is. */
static uint32_t put_nd(struct bench *t, mac dst, mac src, uint8_t type,
		       uint32_t fixed, uint8_t option, mac m)
{
	static const uint8_t ip6[8] = {0x60, 0, 0, 0, 0, 0, IPPROTO_ICMPV6,
				       255};
	uint32_t at = AT_ICMP6 + fixed + 16 + 2;
	struct wr w = wr_init(t->buf, sizeof(t->buf));
	struct eth_hdr eth = {.dst = dst, .src = src, .type = ETH_T_IP6};

	t->len = at + 6;
	t->off = (struct frame_offload){0};
	memset(t->buf, 0, t->len);
	eth_emit(&w, &eth);
	wr_bytes(&w, ip6, sizeof(ip6));
	put_be16(t->buf + 18, (uint16_t)(t->len - AT_ICMP6));
	t->buf[22] = 0xfe;
	t->buf[38] = 0xff;
	t->buf[AT_ICMP6] = type;
	t->buf[AT_ICMP6 + fixed] = 14;
	t->buf[AT_ICMP6 + fixed + 1] = 2;
	t->buf[at - 2] = option;
	t->buf[at - 1] = 1;
	memcpy(t->buf + at, m.b, 6);
	put_be16(t->buf + AT_ICMP6 + 2, icmp6_sum(t->buf, t->len));
	return at;
}

static void test_neighbour_discovery(void **state)
{
	static const struct {
		uint8_t type;
		uint32_t fixed;
		uint8_t option;
	} cases[] = {{133, 8, 1},  {134, 16, 1}, {135, 24, 1},
		     {136, 24, 2}, {137, 40, 2}};
	struct bench *t = bench_new(&(struct fake_config){.name = "b"});
	uint32_t at;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		at = put_nd(t, other, twin, cases[i].type, cases[i].fixed,
			    cases[i].option, twin);
		clear(t);
		memcpy(t->want, t->buf, t->len);
		want(t, PLACES(6, at), alias);
		put_be16(t->want + AT_ICMP6 + 2, 0);
		put_be16(t->want + AT_ICMP6 + 2, icmp6_sum(t->want, t->len));
		fake_rx(t->b, t->buf, t->len, NULL);
		expect_frame(t, t->c, 0);
		assert_int_equal(icmp6_sum(t->c->out[0].data, t->len), 0);
	}
	/* Echo has no options. */
	(void)put_nd(t, other, twin, 128, 24, 1, twin);
	carry(t, t->b, t->c, PLACES(6), alias);
	/* An option of no length ends them. */
	at = put_nd(t, other, twin, 135, 24, 1, twin);
	t->buf[at - 1 - 16] = 0;
	carry(t, t->b, t->c, PLACES(6), alias);
	/* A start in IPv6: duplicate address detection. */
	(void)put_nd(t, other, twin, 135, 24, 1, twin);
	assert_false(alias_is_start(&(struct frame){
		.hdr = t->buf, .len = t->len, .hdr_len = t->len}));
	t->buf[22] = 0;
	assert_true(alias_is_start(&(struct frame){
		.hdr = t->buf, .len = t->len, .hdr_len = t->len}));
	bench_free(t);
}

/* --- shapes ------------------------------------------------------------- */

/* One TCP segment of 20,000 bytes, to be cut by whoever must. */
static void put_gso(struct bench *t, mac dst, mac src)
{
	addr a = addr_v4(10, 0, 2, 16), b = addr_v4(10, 0, 2, 3);

	t->len = 54 + 20000;
	fake_frame_fill(t->buf, t->len, dst, src, 5);
	put_be16(t->buf + 12, ETH_T_IP4);
	struct wr w = wr_init(t->buf + 14, 20);
	ip4_emit(&w, &(struct ip4_hdr){.total_len = 20040,
				       .ttl = 64,
				       .proto = IPPROTO_TCP,
				       .src = a,
				       .dst = b});
	t->buf[AT_UDP + 12] = 0x50;
	t->buf[AT_UDP + 13] = 0x10;
	put_be16(t->buf + AT_UDP + 16,
		 csum_partial(csum_pseudo(&a, &b, IPPROTO_TCP, 20020)));
	t->off = (struct frame_offload){.flags = FRAME_F_NEEDS_CSUM,
					.gso = FRAME_GSO_TCP4,
					.gso_size = 1000,
					.hdr_len = 54,
					.csum_start = AT_UDP,
					.csum_offset = 16};
}

static void expect_pieces(struct bench *t, const struct fake_port *out,
			  mac dst, mac src)
{
	assert_int_equal(out->n_out, 20);
	for (unsigned i = 0; i < 20; i++) {
		const uint8_t *p = out->out[i].data;
		addr a = addr_v4_bytes(p + 26), b = addr_v4_bytes(p + 30);

		assert_int_equal(out->out[i].len, 1054);
		assert_memory_equal(p, dst.b, 6);
		assert_memory_equal(p + 6, src.b, 6);
		assert_memory_equal(p + 54, t->buf + 54 + i * 1000, 1000);
		assert_int_equal(
			csum_fold(csum_add(p + 34, 1020,
					   csum_pseudo(&a, &b, IPPROTO_TCP,
						       1020))),
			0);
	}
}

static void test_gso(void **state)
{
	struct fake_config c = {.name = "b", .offload = PORT_O_ALL,
				.hdr_max = FRAME_HDR_MAX, .lend_piece = 1000};
	struct bench *t = bench_new(&c);

	(void)state;
	/* whole, to the gateway, and back */
	put_gso(t, gw_mac, twin);
	carry(t, t->b, t->gw, PLACES(6), alias);
	put_gso(t, alias, gw_mac);
	carry(t, t->gw, t->b, PLACES(0), twin);
	/* in pieces */
	put_gso(t, other, twin);
	clear(t);
	fake_rx(t->b, t->buf, t->len, &t->off);
	expect_pieces(t, t->c, other, alias);
	lan_port_caps(&t->b->port, &(struct port_caps){.max_frame = 1514});
	put_gso(t, alias, gw_mac);
	clear(t);
	fake_rx(t->gw, t->buf, t->len, &t->off);
	expect_pieces(t, t->b, twin, gw_mac);
	bench_free(t);
}

/* Flat and scattered, shorter and longer than what is copied. */
static void test_sizes(void **state)
{
	static const uint32_t len[] = {14,   20,   41,	 60,   191,  192,
				       193,  194,  1514, 9000, FRAME_MAX};
	static const uint32_t hdr[] = {0, FRAME_HDR_MAX, FRAME_HDR_MAX + 1,
				       1000};

	for (unsigned i = 0; i < sizeof(hdr) / sizeof(hdr[0]); i++) {
		struct fake_config c = {.name = "b", .hdr_max = hdr[i],
					.lend_piece = 1500};
		struct bench *t = bench_new(&c);

		(void)state;
		for (unsigned k = 0; k < sizeof(len) / sizeof(len[0]); k++) {
			t->len = len[k];
			fake_frame_fill(t->buf, t->len, other, twin, k);
			carry(t, t->b, t->c, PLACES(6), alias);
			fake_frame_fill(t->buf, t->len, alias, other, k);
			carry(t, t->c, t->b, PLACES(0), twin);
		}
		bench_free(t);
	}
}

/* 64 of them with as many pieces as a frame may have. */
static void test_many_pieces(void **state)
{
	struct fake_config c = {.name = "b", .hdr_max = FRAME_HDR_MAX,
				.lend_piece = PIECE};
	struct bench *t = bench_new(&c);

	(void)state;
	clear(t);
	t->len = 2000;
	fake_frame_fill(t->buf, t->len, other, twin, 1);
	for (unsigned i = 0; i < FRAME_BATCH; i++)
		fake_queue(t->b, t->buf, t->len, NULL);
	while (lan_port_readable(&t->b->port))
		;
	memcpy(t->want, t->buf, t->len);
	want(t, PLACES(6), alias);
	assert_int_equal(t->c->n_out, FRAME_BATCH);
	for (unsigned i = 0; i < FRAME_BATCH; i++)
		expect_frame(t, t->c, i);
	bench_free(t);
}

/* --- lent --------------------------------------------------------------- */

static void give(struct bench *t)
{
	struct lend *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	clear(t);
	l->n = 3;
	for (unsigned i = 0; i < 3; i++)
		l->f[i].want = t->len;
	assert_int_equal(lan_lend(&t->gw->port, alias, l), 3);
	assert_ptr_equal(l->port, &t->b->port);
	for (unsigned i = 0; i < 3; i++) {
		lend_put(&l->f[i], 0, t->buf, t->len);
		l->f[i].len = t->len;
		l->f[i].off = t->off;
	}
	l->n_used = 3;
	assert_int_equal(lan_give(&t->gw->port, alias, l), 3);
	assert_int_equal(t->b->n_out, 3);
	memcpy(t->want, t->buf, t->len);
		want(t, PLACES(0), twin);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(t->b->out[i].is_lent);
		expect_frame(t, t->b, i);
	}
	free(l);
}

/* Straight into the buffers of the port, in pieces that cut the MACs. */
static void test_lent(void **state)
{
	struct fake_config c = {.name = "b", .can_lend = true,
				.lend_piece = PIECE, .offload = PORT_O_ALL};
	struct bench *t = bench_new(&c);

	(void)state;
	t->len = 1514;
	t->off = (struct frame_offload){0};
	fake_frame_fill(t->buf, t->len, alias, gw_mac, 4);
	give(t);
	t->len = 14;
	give(t);
	bench_free(t);
	c.lend_piece = 4096;
	t = bench_new(&c);
	put_gso(t, alias, gw_mac);
	give(t);
	bench_free(t);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_arp),
		T(test_arp_of_other_shapes),
		T(test_dhcp),
		T(test_not_its_dhcp),
		T(test_many_dhcp),
		T(test_neighbour_discovery),
		T(test_gso),
		T(test_sizes),
		T(test_many_pieces),
		T(test_lent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
