/* SPDX-License-Identifier: BSD-3-Clause */
/* The way of TCP through the gateway: where a guest's connection goes, and
 * whom a forwarded one finds. */
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
#include "wire/csum.h"
#include "wire/icmp.h"

#define MS UINT64_C(1000000)

static void expect_syn_ack(struct fake_gateway *b, addr from, uint16_t port,
			   struct endpoint to)
{
	struct fake_got got;
	struct endpoint peer = fake_peer(b->fh, 0);
	struct tcp_hdr h = fake_heard(b, &got);

	assert_int_equal(h.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(h.ack, 101);
	assert_int_equal(h.sport, port);
	assert_true(addr_eq(&got.pkt.src.ip, &from));
	assert_true(endpoint_eq(&peer, &to));
}

static void expect_rst(struct fake_gateway *b)
{
	struct fake_got got;
	struct tcp_hdr h = fake_heard(b, &got);

	assert_int_equal(h.flags, TCP_RST | TCP_ACK);
	assert_int_equal(h.ack, 101);
	assert_int_equal(b->fh->n_socks, 0);
}

static void test_outside_is_itself(void **state)
{
	struct fake_gateway *b = *state;
	struct gateway_stats st;

	fake_tell(b, addr_v4(192, 0, 2, 1), fake_syn(80), NULL, 0);
	expect_syn_ack(b, addr_v4(192, 0, 2, 1), 80,
		       fake_ep(192, 0, 2, 1, 80));
	gateway_stats(b->gw, &st);
	assert_int_equal(st.n_tcp, 1);
}

static void test_gateway_is_the_host(void **state)
{
	struct fake_gateway *b = *state;

	fake_tell(b, addr_v4(10, 0, 2, 2), fake_syn(8000), NULL, 0);
	expect_syn_ack(b, addr_v4(10, 0, 2, 2), 8000,
		       fake_ep(127, 0, 0, 1, 8000));
}

/* The name server answers by TCP itself, and no resolver is called for what is
 * not asked. */
static void test_dns_is_the_name_server(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;

	fake_tell(b, addr_v4(10, 0, 2, 3), fake_syn(53), NULL, 0);
	fake_gateway_pass(b, UINT64_C(10000000));
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_int_equal(got.l4[13], TCP_SYN | TCP_ACK);
	assert_int_equal(b->fh->n_numbers, 2); /* both ends of one stream */
}

static void test_dns_address_has_no_other_ports(void **state)
{
	struct fake_gateway *b = *state;

	fake_tell(b, addr_v4(10, 0, 2, 3), fake_syn(54), NULL, 0);
	expect_rst(b);
	assert_int_equal(b->fh->n_numbers, 0); /* nobody was asked */
}

static void test_refused_stays_refused(void **state)
{
	struct fake_gateway *b = *state;

	fake_fail(b->fh, FAKE_CONNECT, ECONNREFUSED, 1);
	fake_tell(b, addr_v4(192, 0, 2, 1), fake_syn(80), NULL, 0);
	expect_rst(b);
}

static void test_bytes_both_ways(void **state)
{
	struct fake_gateway *b = *state;
	addr far = addr_v4(192, 0, 2, 1);
	struct fake_got got;
	struct tcp_hdr h, say = {.sport = 5000,
				 .dport = 80,
				 .seq = 101,
				 .flags = TCP_ACK};
	const uint8_t *out;
	size_t len;

	fake_tell(b, far, fake_syn(80), NULL, 0);
	say.ack = fake_heard(b, &got).seq + 1;
	say.flags |= TCP_PSH;
	fake_tell(b, far, say, "question", 8);
	out = fake_tcp_out(b->fh, 0, &len);
	assert_int_equal(len, 8);
	assert_memory_equal(out, "question", 8);
	fake_clear(b->g.port);
	fake_tcp_push(b->fh, 0, "answer", 6);
	fake_gateway_pass(b, MS);
	h = fake_heard(b, &got);
	assert_int_equal(h.seq, say.ack);
	assert_int_equal(h.ack, 109);
	assert_int_equal(got.l4_len, TCP_HDR_LEN + 6);
	assert_memory_equal(got.l4 + TCP_HDR_LEN, "answer", 6);
}

static void test_forward_opens_to_the_guest(void **state)
{
	struct fake_gateway *b = *state;
	struct endpoint client = fake_ep(127, 0, 0, 1, 777);
	struct gateway_forward f = {.proto = IPPROTO_TCP,
				    .guest.port = 22,
				    .fd = fake_listen(b->fh)};
	struct fake_got got;
	struct tcp_hdr h;

	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 2));
	fake_guest_kick(&b->g); /* it is known */
	fake_clear(b->g.port);
	fake_client(b->fh, f.fd, &client);
	fake_gateway_pass(b, 0);
	h = fake_heard(b, &got);
	assert_int_equal(h.flags, TCP_SYN);
	assert_int_equal(h.dport, 22);
	/* the host's loopback is the gateway to the guest */
	assert_int_equal(addr_u32(&got.pkt.src.ip), 0x0a000202);
	assert_int_equal(addr_u32(&got.pkt.dst.ip), 0x0a00020f);
	/* a guest that refuses: the client hears it */
	fake_tell(b, addr_v4(10, 0, 2, 2),
		  (struct tcp_hdr){.sport = 22,
				   .dport = h.sport,
				   .ack = h.seq + 1,
				   .flags = TCP_RST | TCP_ACK},
		  NULL, 0);
	assert_int_equal(b->fh->n_socks, 1); /* the listener */
}

/* A connection to the guest; what it got first. */
static struct fake_got forwarded(struct fake_gateway *b)
{
	struct endpoint client = fake_ep(127, 0, 0, 1, 777);
	struct gateway_forward f = {.proto = IPPROTO_TCP,
				    .guest.port = 22,
				    .fd = fake_listen(b->fh)};
	struct fake_got got;

	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 2));
	fake_guest_kick(&b->g); /* it is known */
	fake_clear(b->g.port);
	fake_client(b->fh, f.fd, &client);
	fake_gateway_pass(b, 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_SYN);
	return got;
}

/* The guest answers p, a whole IP packet, with an error.  add is added to the
 * sequence number that it quotes. */
static void tell_error(struct fake_gateway *b, const uint8_t *p, uint8_t code,
		       uint8_t add)
{
	uint8_t msg[8 + 28] = {ICMP_UNREACHABLE, code};
	uint16_t sum;

	memcpy(msg + 8, p, 28);
	msg[8 + 27] = (uint8_t)(msg[8 + 27] + add);
	sum = csum_fold(csum_add(msg, sizeof(msg), 0));
	msg[2] = (uint8_t)(sum >> 8);
	msg[3] = (uint8_t)sum;
	fake_guest_ip(&b->g, addr_v4(10, 0, 2, 2), IPPROTO_ICMP, msg,
		      sizeof(msg));
	fake_guest_kick(&b->g);
}

/* A guest's firewall that rejects as most do: by port unreachable. */
static void test_forward_is_refused_by_an_error(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got = forwarded(b);
	struct gateway_stats st;
	uint8_t syn[28];

	memcpy(syn, got.frame + FRAME_ETH_LEN, sizeof(syn));
	assert_int_equal(b->fh->n_socks, 2); /* the listener too */
	tell_error(b, syn, ICMP_U_PORT, 1); /* of another segment */
	tell_error(b, syn, ICMP_U_FRAG_NEEDED, 0);
	b->g.ip = addr_v4(10, 0, 2, 16); /* by somebody else */
	tell_error(b, syn, ICMP_U_PORT, 0);
	b->g.ip = addr_v4(10, 0, 2, 15);
	assert_int_equal(b->fh->n_socks, 2);
	assert_int_equal(b->drops.n[DROP_ICMP_TYPE], 3);
	tell_error(b, syn, ICMP_U_PORT, 0);
	assert_int_equal(b->fh->n_socks, 1);
	gateway_stats(b->gw, &st);
	assert_int_equal(st.tcp_refused, 1);
	tell_error(b, syn, ICMP_U_PORT, 0); /* it is no more */
	assert_int_equal(b->drops.n[DROP_ICMP_TYPE], 4);
}

/* Errors do not end what is open. */
static void test_an_error_ends_no_connection(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got = forwarded(b);
	struct tcp_hdr h = fake_heard(b, &got);
	uint8_t syn[28];

	memcpy(syn, got.frame + FRAME_ETH_LEN, sizeof(syn));
	fake_tell(b, addr_v4(10, 0, 2, 2),
		  (struct tcp_hdr){.sport = 22,
				   .dport = h.sport,
				   .seq = 100,
				   .ack = h.seq + 1,
				   .flags = TCP_SYN | TCP_ACK},
		  NULL, 0);
	tell_error(b, syn, ICMP_U_PORT, 0);
	tell_error(b, syn, ICMP_U_PORT, 1);
	assert_int_equal(b->fh->n_socks, 2);
	assert_int_equal(b->drops.n[DROP_ICMP_TYPE], 2);
}

/* Who comes from 127.0.0.1 and who from 127.0.0.2 look alike to the guest but
 * for their ports. */
static void test_forward_tells_clients_apart(void **state)
{
	struct fake_gateway *b = *state;
	struct endpoint client = fake_ep(127, 0, 0, 1, 777);
	struct gateway_forward f = {.proto = IPPROTO_TCP,
				    .guest.port = 22,
				    .fd = fake_listen(b->fh)};
	struct fake_got got;

	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 2));
	fake_guest_kick(&b->g); /* it is known */
	fake_clear(b->g.port);
	fake_client(b->fh, f.fd, &client);
	client = fake_ep(127, 0, 0, 2, 777);
	fake_client(b->fh, f.fd, &client);
	fake_gateway_pass(b, 0);
	assert_int_equal(b->fh->n_socks, 3); /* the listener too */
	assert_int_equal(b->g.port->n_out, 2);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_int_equal(got.pkt.src.port, 777);
	assert_true(fake_guest_got(&b->g, 1, &got));
	assert_int_not_equal(got.pkt.src.port, 777);
	assert_int_equal(addr_u32(&got.pkt.src.ip), 0x0a000202);
}

/* A guest that takes one frame at a time: neither the stream nor the datagrams
 * wait for the others' end. */
static void test_room_goes_round(void **state)
{
	static const uint8_t bytes[40000];
	struct fake_gateway *b = *state;
	const struct endpoint far = fake_ep(192, 0, 2, 1, 7);
	unsigned n_tcp = 0, n_udp = 0;
	struct fake_got got;
	struct tcp_hdr h;

	fake_tell(b, far.ip, fake_syn(80), NULL, 0);
	h = fake_heard(b, &got);
	fake_tell(b, far.ip,
		  (struct tcp_hdr){.sport = 5000,
				   .dport = 80,
				   .seq = 101,
				   .ack = h.seq + 1,
				   .flags = TCP_ACK},
		  NULL, 0);
	fake_guest_udp(&b->g, 6000, &far, "x", 1);
	fake_guest_kick(&b->g);
	fake_clear(b->g.port);
	b->g.port->room = 0;
	fake_tcp_push(b->fh, 0, bytes, sizeof(bytes));
	for (int i = 0; i < 3; i++)
		assert_true(fake_deliver(b->fh, 1, &far, "y", 1));
	fake_gateway_pass(b, MS);
	for (int i = 0; i < 6; i++)
		fake_add_room(b->g.port, 1);
	for (unsigned i = 0; i < b->g.port->n_out; i++) {
		assert_true(fake_guest_got(&b->g, i, &got));
		n_tcp += got.pkt.proto == IPPROTO_TCP;
		n_udp += got.pkt.proto == IPPROTO_UDP;
	}
	assert_in_range(n_tcp, 2, 5);
	assert_in_range(n_udp, 1, 3);
}

#define T(f) \
	cmocka_unit_test_setup_teardown(f, fake_gateway_setup, \
					fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_outside_is_itself),
		T(test_gateway_is_the_host),
		T(test_dns_is_the_name_server),
		T(test_dns_address_has_no_other_ports),
		T(test_refused_stays_refused),
		T(test_bytes_both_ways),
		T(test_forward_opens_to_the_guest),
		T(test_forward_is_refused_by_an_error),
		T(test_an_error_ends_no_connection),
		T(test_forward_tells_clients_apart),
		T(test_room_goes_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
