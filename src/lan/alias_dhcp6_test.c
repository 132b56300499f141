/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two machines with one MAC are two clients of DHCPv6: a DUID that is made of
 * the MAC (RFC 8415 11.2, 11.4) changes at the port with the alias, and back.
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
#include "lan/fake_port.h"
#include "wire/arp.h"
#include "wire/csum.h"
#include "wire/dhcp6.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/packet.h"
#include "wire/udp.h"

enum { ROOM = 2048, L4 = ETH_HDR_LEN + IP6_HDR_LEN, BODY = L4 + UDP_HDR_LEN };

static const mac twin = {{0x52, 0x54, 0, 0x12, 0x34, 0x56}};
static const mac alias = {{0x0e, 0x76, 1, 0x12, 0x34, 0x56}};
static const mac other = {{0x52, 0x54, 0, 0, 0, 3}};
static const mac servers = {{0x33, 0x33, 0, 1, 0, 2}};

/* What a client says of itself. */
struct client {
	mac m;	     /* its DUID ends in it */
	size_t time; /* bytes between that and the DUID's head */
	size_t fill; /* bytes of another option in front */
};

/* twin is a's; b has the alias; c is a server's. */
struct bench {
	struct fake_lan net;
	struct fake_port *a, *b, *c;
	uint8_t buf[ROOM];
	uint32_t len;
};

static struct fake_port *port_new(struct bench *t, uint32_t hdr_max)
{
	return fake_new(t->net.lan, &(struct fake_config){.name = "p",
							  .hdr_max = hdr_max,
							  .lend_piece = 50});
}

static void probe(struct bench *t, struct fake_port *f, mac from)
{
	struct wr w = wr_init(t->buf, sizeof(t->buf));
	const struct eth_hdr eth = {
		.dst = MAC_BROADCAST, .src = from, .type = ETH_T_ARP};
	const struct arp_msg m = {.op = ARP_REQUEST,
				  .sha = from,
				  .spa = addr_v4(0, 0, 0, 0),
				  .tpa = addr_v4(10, 0, 2, 15)};

	eth_emit(&w, &eth);
	arp_emit(&w, &m);
	fake_rx(f, t->buf, (uint32_t)wr_len(&w), NULL);
}

static void bench_open(struct bench *t, uint32_t hdr_max)
{
	fake_lan_init(&t->net, false);
	t->a = port_new(t, hdr_max);
	t->b = port_new(t, hdr_max);
	t->c = port_new(t, hdr_max);
	probe(t, t->a, twin);
	probe(t, t->b, twin);
	probe(t, t->c, other);
	assert_memory_equal(t->net.clash_alias.b, alias.b, MAC_LEN);
}

/* A message of c, or an answer to it, into buf; returns its length. */
static uint32_t message(uint8_t *buf, mac dst, mac src,
			const struct client *c, bool is_answer)
{
	struct wr w = wr_init(buf, ROOM);
	struct ip_hdr ip = {.src = {{0xfe, 0x80, [15] = 1}},
			    .dst = {{0xff, 0x02, [13] = 1, 0, 2}},
			    .proto = IPPROTO_UDP,
			    .ttl = 1};
	const uint16_t ports[2] = {DHCP6_PORT_CLIENT, DHCP6_PORT_SERVER};
	const uint8_t fill[600] = {0};
	uint8_t body[1024], id[32] = {0, c->time ? 1 : 3, 0, 1};
	struct wr b = wr_init(body, sizeof(body));
	uint16_t sum;

	memcpy(id + 4 + c->time, c->m.b, MAC_LEN);
	dhcp6_emit_hdr(&b, is_answer ? DHCP6_REPLY : DHCP6_SOLICIT, 0x123456);
	dhcp6_emit_opt(&b, 16, fill, c->fill); /* vendor class */
	dhcp6_emit_opt(&b, DHCP6_O_CLIENT_ID, id, 4 + c->time + MAC_LEN);
	dhcp6_opt_end(&b, dhcp6_ia_begin(&b, DHCP6_O_IA_NA, 1, 0, 0));
	ip.l4_len = (uint32_t)(UDP_HDR_LEN + wr_len(&b));
	ip_emit_frame(&w, dst, src, &ip);
	udp_emit(&w, &(struct udp_hdr){.sport = ports[is_answer],
				       .dport = ports[!is_answer],
				       .len = (uint16_t)ip.l4_len});
	wr_bytes(&w, body, wr_len(&b));
	assert_true(wr_ok(&w) && wr_ok(&b));
	sum = csum_fold(csum_add(
		buf + L4, ip.l4_len,
		csum_pseudo(&ip.src, &ip.dst, IPPROTO_UDP, ip.l4_len)));
	put_be16(buf + L4 + 6, sum ? sum : 0xffff);
	return (uint32_t)wr_len(&w);
}

/* What comes by in leaves by out as want has it. */
static void carry(struct bench *t, struct fake_port *in,
		  struct fake_port *out, const uint8_t *want)
{
	fake_clear(out);
	fake_rx(in, t->buf, t->len, NULL);
	assert_int_equal(out->n_out, 1);
	assert_int_equal(out->out[0].len, t->len);
	assert_memory_equal(out->out[0].data, want, t->len);
}

static void try_client(struct bench *t, struct client c)
{
	uint8_t want[ROOM];

	c.m = twin;
	t->len = message(t->buf, servers, twin, &c, false);
	c.m = alias;
	(void)message(want, servers, alias, &c, false);
	carry(t, t->b, t->c, want);
	/* The answer names the client as it was named. */
	t->len = message(t->buf, alias, other, &c, true);
	c.m = twin;
	(void)message(want, twin, other, &c, true);
	carry(t, t->c, t->b, want);
	/* The first one's is not the second one's. */
	t->len = message(t->buf, servers, twin, &c, false);
	carry(t, t->a, t->c, t->buf);
}

static void test_duid_of_the_mac(void **state)
{
	static const struct client clients[] = {
		{.time = 0}, {.time = 4},	{.fill = 1},
		{.fill = 2}, {.fill = 599}, {.time = 4, .fill = 113},
	};
	struct bench t;

	(void)state;
	for (uint32_t hdr_max = 0; hdr_max <= FRAME_HDR_MAX;
	     hdr_max += FRAME_HDR_MAX) {
		bench_open(&t, hdr_max);
		for (unsigned i = 0; i < sizeof(clients) / sizeof(clients[0]);
		     i++)
			try_client(&t, clients[i]);
		fake_lan_deinit(&t.net);
	}
}

/* Another's DUID, and what only looks like such a message. */
static void test_not_its(void **state)
{
	const struct client c = {.m = other}, own = {.m = twin};
	uint8_t want[ROOM];
	struct bench t;

	(void)state;
	bench_open(&t, 0);
	t.len = message(t.buf, servers, twin, &c, false);
	(void)message(want, servers, alias, &c, false);
	carry(&t, t.b, t.c, want);
	t.len = message(t.buf, servers, twin, &own, false);
	t.buf[L4 + 3] = 80; /* port */
	memcpy(want, t.buf, t.len);
	memcpy(want + MAC_LEN, alias.b, MAC_LEN);
	carry(&t, t.b, t.c, want);
	t.len = message(t.buf, servers, twin, &own, false);
	put_be16(t.buf + BODY + 6, 600); /* the first option runs out */
	memcpy(want, t.buf, t.len);
	memcpy(want + MAC_LEN, alias.b, MAC_LEN);
	carry(&t, t.b, t.c, want);
	fake_lan_deinit(&t.net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_duid_of_the_mac),
		cmocka_unit_test(test_not_its),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
