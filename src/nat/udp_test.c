/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP both ways: mapping, batches, long datagrams, and every drop. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nat/fake_nat.h"
#include "wire/csum.h"

static bool is_v6(const struct fake_nat *n)
{
	return !addr_is_v4(&n->g.ip);
}

static void say(struct fake_nat *n, uint16_t sport, const struct endpoint *dst,
		const char *text)
{
	fake_guest_udp(&n->g, sport, dst, text, (uint32_t)strlen(text));
	fake_guest_kick(&n->g);
}

static void hear(struct fake_nat *n, unsigned sock, const struct endpoint *from,
		 const void *data, size_t len)
{
	assert_true(fake_deliver(n->fh, sock, from, data, len));
	fake_host_run(n->fh);
}

static void fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / 251);
}

/* --- mapping --- */

static void test_one_socket_per_guest_endpoint(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint other = fake_nat_ep(n, 2, 10);

	say(n, 5000, &n->far, "a");
	say(n, 5000, &other, "b");
	assert_int_equal(n->fh->n_socks, 1);
	assert_int_equal(fake_is_v6(n->fh, 0), is_v6(n));
	assert_int_equal(fake_sent(n->fh, 0)->sock, fake_sent(n->fh, 1)->sock);
	assert_true(endpoint_eq(&fake_sent(n->fh, 1)->to, &other));
	say(n, 5001, &n->far, "c");
	assert_int_equal(n->fh->n_socks, 2);
	assert_int_equal(udp_n_flows(n->udp), 2);
}

static void test_anybody_may_answer(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint stranger = fake_nat_ep(n, 77, 777);
	struct fake_got got;

	say(n, 5000, &n->far, "a");
	hear(n, 0, &stranger, "hello", 5);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(got.csum_ok);
	assert_true(endpoint_eq(&got.pkt.src, &stranger));
	assert_int_equal(got.pkt.dst.port, 5000);
	assert_true(addr_eq(&got.pkt.dst.ip, &n->g.ip));
	assert_memory_equal(got.l4 + 8, "hello", 5);
	assert_true(n->g.port->out[0].is_lent); /* straight into the guest */
}

static void test_gateway_is_host_loopback(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint gw = {.ip = n->gw_ip, .port = 1234};
	struct endpoint lo = {.ip = addr_loopback(&n->g.ip), .port = 1234};
	struct fake_got got;

	say(n, 5000, &gw, "a");
	assert_true(endpoint_eq(&fake_sent(n->fh, 0)->to, &lo));
	hear(n, 0, &lo, "b", 1);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(endpoint_eq(&got.pkt.src, &gw));
}

static void test_empty_datagram(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	say(n, 5000, &n->far, "");
	assert_int_equal(fake_sent(n->fh, 0)->len, 0);
	hear(n, 0, &n->far, "", 0);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_int_equal(got.l4_len, 8);
	assert_true(got.csum_ok);
}

static void test_padding_is_not_payload(void **state)
{
	struct fake_nat *n = *state;

	n->g.pad = 17;
	say(n, 5000, &n->far, "abc");
	assert_int_equal(fake_sent(n->fh, 0)->len, 3);
}

/* --- soundness --- */

static void test_checksum(void **state)
{
	struct fake_nat *n = *state;

	n->g.bad_l4_csum = true;
	say(n, 5000, &n->far, "abc");
	assert_int_equal(n->drops.n[DROP_UDP_CSUM], 1);
	n->g.no_l4_csum = true; /* the guest made none */
	say(n, 5000, &n->far, "abc");
	assert_int_equal(n->fh->n_sent, !is_v6(n));
	assert_int_equal(n->drops.n[DROP_UDP_NO_CSUM], is_v6(n));
}

static void test_length_that_lies(void **state)
{
	struct fake_nat *n = *state;

	n->g.udp_len = 7;
	say(n, 5000, &n->far, "abc");
	n->g.udp_len = 12;
	say(n, 5000, &n->far, "abc");
	assert_int_equal(n->drops.n[DROP_UDP_SHORT], 2);
	n->g.udp_len = 9; /* shorter than the packet: RFC 768 allows it */
	n->g.no_l4_csum = true;
	say(n, 5000, &n->far, "abc");
	assert_int_equal(fake_sent(n->fh, 0)->len, 1);
}

/* --- batches up --- */

static void test_equal_run_is_one_message(void **state)
{
	struct fake_nat *n = *state;

	for (int i = 0; i < 5; i++)
		fake_guest_udp(&n->g, 5000, &n->far, "0123456789", 10);
	fake_guest_udp(&n->g, 5000, &n->far, "tail", 4);
	fake_guest_udp(&n->g, 5000, &n->far, "next", 4);
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_calls, 1);
	assert_int_equal(n->fh->n_sent, 2);
	assert_int_equal(fake_sent(n->fh, 0)->gso_size, 10);
	assert_int_equal(fake_sent(n->fh, 0)->len, 54);
	assert_int_equal(fake_sent(n->fh, 1)->gso_size, 0);
	assert_memory_equal(fake_sent(n->fh, 1)->data, "next", 4);
}

static void test_run_is_no_longer_than_udp(void **state)
{
	struct fake_nat *n = *state;
	uint8_t data[1472] = {0};

	for (int i = 0; i < 60; i++)
		fake_guest_udp(&n->g, 5000, &n->far, data, sizeof(data));
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 2);
	assert_int_equal(fake_sent(n->fh, 0)->len, 44 * 1472);
	assert_int_equal(fake_sent(n->fh, 1)->len, 16 * 1472);
}

static void test_run_ends_at_another_destination(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint other = fake_nat_ep(n, 2, 10);

	fake_guest_udp(&n->g, 5000, &n->far, "aaaa", 4);
	fake_guest_udp(&n->g, 5000, &other, "bbbb", 4);
	fake_guest_udp(&n->g, 5000, &n->far, "cccc", 4);
	fake_guest_udp(&n->g, 5001, &n->far, "dddd", 4);
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 4);
	assert_int_equal(n->fh->n_calls, 2); /* one per socket */
	assert_true(endpoint_eq(&fake_sent(n->fh, 1)->to, &other));
}

/* A run that the guest made itself (USO), as the lan's check lets it by. */
static void guest_run(struct fake_nat *n, uint32_t len, uint16_t size)
{
	uint32_t l4 = fake_nat_l4(n);
	uint8_t *payload = malloc(len);
	struct fake_frame *last;

	fill(payload, len);
	n->g.no_l4_csum = true;
	fake_guest_udp(&n->g, 5000, &n->far, payload, len);
	last = &n->g.port->in[n->g.port->n_in - 1];
	last->off = (struct frame_offload){.flags = FRAME_F_NEEDS_CSUM,
					   .gso = is_v6(n) ? FRAME_GSO_UDP6
							   : FRAME_GSO_UDP4,
					   .gso_size = size,
					   .hdr_len = (uint16_t)(l4 + 8),
					   .csum_start = (uint16_t)l4,
					   .csum_offset = 6};
	free(payload);
	fake_guest_kick(&n->g);
}

static void test_guest_run_stays_a_run(void **state)
{
	struct fake_nat *n = *state;

	guest_run(n, 10000, 1200);
	assert_int_equal(n->fh->n_sent, 1);
	assert_int_equal(fake_sent(n->fh, 0)->gso_size, 1200);
	assert_int_equal(fake_sent(n->fh, 0)->len, 10000);
}

static void test_guest_run_of_many_pieces(void **state)
{
	struct fake_nat *n = *state;
	uint8_t want[7000];

	fill(want, sizeof(want));
	guest_run(n, sizeof(want), 100);
	assert_int_equal(n->fh->n_sent, 70); /* more than one call takes */
	assert_int_equal(fake_sent(n->fh, 69)->len, 100);
	assert_memory_equal(fake_sent(n->fh, 69)->data, want + 6900, 100);
}

static void test_batch_breaks_in_the_middle(void **state)
{
	struct fake_nat *n = *state;
	char text[] = "a";

	/* Not the first: an error of before is told, and all are sent. */
	fake_fail_after(n->fh, FAKE_SEND, 2, ECONNREFUSED, 1);
	for (int i = 0; i < 5; i++) {
		struct endpoint dst = n->far;

		dst.port = (uint16_t)(i + 1);
		text[0] = (char)('a' + i);
		fake_guest_udp(&n->g, 5000, &dst, text, 1);
	}
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(fake_sent(n->fh, i)->data[0], 'a' + i);
}

static void test_full_socket_loses_by_name(void **state)
{
	struct fake_nat *n = *state;

	fake_fail_after(n->fh, FAKE_SEND, 1, EAGAIN, 1);
	for (int i = 0; i < 3; i++)
		fake_guest_udp(&n->g, 5000, &n->far, "xyz", (uint32_t)i + 1);
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 1);
	assert_int_equal(n->drops.n[DROP_UDP_SEND], 2);
	assert_int_equal(n->g.port->n_out, 0);
}

/* --- options --- */

static void test_options_are_carried(void **state)
{
	struct fake_nat *n = *state;
	uint8_t big[1400] = {0};

	say(n, 5000, &n->far, "plain");
	assert_int_equal(fake_sent(n->fh, 0)->ttl, -1); /* no call for it */
	assert_int_equal(fake_sent(n->fh, 0)->df, -1);
	n->g.ttl = 2;
	n->g.tos = 0xb8;
	fake_guest_udp(&n->g, 5000, &n->far, big, sizeof(big));
	n->g.ttl = 64;
	n->g.tos = 0;
	n->g.df = false;
	fake_guest_udp(&n->g, 5000, &n->far, big, sizeof(big));
	fake_guest_kick(&n->g);
	assert_int_equal(fake_sent(n->fh, 1)->ttl, 1);
	assert_int_equal(fake_sent(n->fh, 1)->tos, 0xb8);
	assert_int_equal(fake_sent(n->fh, 1)->df, 1);
	assert_int_equal(fake_sent(n->fh, 2)->ttl, 64);
	assert_int_equal(fake_sent(n->fh, 2)->tos, 0);
	/* nobody on the way may fragment IPv6 */
	assert_int_equal(fake_sent(n->fh, 2)->df, is_v6(n));
}

static void test_tos_and_hop_limit_down(void **state)
{
	struct fake_nat *n = *state;
	struct fake_datagram d = {
		.from = n->far, .data = "x", .len = 1, .tos = 0x03, .ttl = 57};
	struct fake_got got;

	say(n, 5000, &n->far, "a");
	fake_deliver_full(n->fh, 0, &d);
	fake_host_run(n->fh);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_int_equal(got.pkt.tos, 0x03);
	assert_int_equal(got.pkt.ttl, 56);
}

/* --- down --- */

static void test_many_datagrams_in_order(void **state)
{
	struct fake_nat *n = *state;

	say(n, 5000, &n->far, "a");
	for (unsigned i = 0; i < 1000; i++)
		fake_deliver(n->fh, 0, &n->far, &i, sizeof(i));
	fake_host_run(n->fh);
	assert_in_range(n->g.port->n_out, 1, 999); /* others had their turn */
	for (int i = 0; i < 8; i++)
		fake_nat_pass(n, FAKE_SECOND / 100);
	assert_int_equal(n->g.port->n_out, 1000);
	for (unsigned i = 0; i < 1000; i++) {
		struct fake_got got;

		assert_true(fake_guest_got(&n->g, i, &got));
		assert_true(got.csum_ok);
		assert_memory_equal(got.l4 + 8, &i, sizeof(i));
	}
}

static void test_no_room_waits_in_the_socket(void **state)
{
	struct fake_nat *n = *state;

	say(n, 5000, &n->far, "a");
	n->g.port->room = 3;
	for (unsigned i = 0; i < 20; i++)
		fake_deliver(n->fh, 0, &n->far, &i, sizeof(i));
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 3);
	fake_add_room(n->g.port, 1000);
	assert_int_equal(n->g.port->n_out, 20);
	assert_int_equal(n->drops.n[DROP_PORT_FULL], 0);
}

static void test_closed_while_waiting_for_room(void **state)
{
	struct fake_nat *n = *state;

	say(n, 5000, &n->far, "a");
	n->g.port->room = 0;
	hear(n, 0, &n->far, "x", 1);
	fake_nat_pass(n, 300 * FAKE_SECOND);
	assert_int_equal(n->fh->n_socks, 0);
	fake_add_room(n->g.port, 10);
	assert_int_equal(n->g.port->n_out, 0);
}

/* A lossless exit that cannot lend: what it refuses has left the socket. */
static void test_no_room_behind_scratch(void **state)
{
	struct fake_nat_config c = {.port.name = "vm0",
				    .is_v6 = is_v6(*state)};
	struct fake_nat *n = fake_nat_new(&c);

	say(n, 5000, &n->far, "a");
	n->g.port->room = 3;
	for (unsigned i = 0; i < 6; i++)
		fake_deliver(n->fh, 0, &n->far, &i, sizeof(i));
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 3);
	assert_int_equal(n->drops.n[DROP_PORT_FULL], 1);
	fake_add_room(n->g.port, 100);
	fake_nat_pass(n, FAKE_SECOND / 100);
	assert_int_equal(n->g.port->n_out, 5);
	fake_nat_free(n);
}

/* A guest of several queues is lent frames of one flow at a time (fake_give()
 * looks), and gets all in order. */
static void test_queues_of_the_guest(void **state)
{
	enum { MANY = 40, TURN = 10 };
	struct fake_nat_config c = {.port = {.name = "vm0",
					     .offload = PORT_O_CSUM,
					     .can_lend = true,
					     .queues = 4},
				    .is_v6 = is_v6(*state)};
	struct fake_nat *n = fake_nat_new(&c);
	struct endpoint other = fake_nat_ep(n, 2, 10);
	unsigned n_lent = 0;

	say(n, 5000, &n->far, "a");
	for (unsigned i = 0; i < MANY; i++) {
		const struct endpoint *from = i / TURN % 2 ? &other : &n->far;

		assert_true(fake_deliver(n->fh, 0, from, &i, sizeof(i)));
	}
	fake_host_run(n->fh);
	for (unsigned i = 0; i < MANY; i++) {
		struct fake_got got;

		assert_true(fake_guest_got(&n->g, i, &got));
		assert_memory_equal(got.l4 + 8, &i, sizeof(i));
		assert_int_equal(got.pkt.src.port,
				 (i / TURN % 2 ? &other : &n->far)->port);
		n_lent += n->g.port->out[i].is_lent;
	}
	assert_in_range(n_lent, MANY / 4, MANY - 1);
	fake_nat_free(n);
}

/* Puts the fragments that start at frame i together. Returns the bytes. */
static uint32_t reassemble(struct fake_nat *n, unsigned i, uint8_t *to,
			   unsigned *n_fragp)
{
	uint32_t end = 0;
	uint32_t id = 0;
	bool more = true;

	for (*n_fragp = 0; more; (*n_fragp)++) {
		struct fake_got got;

		assert_true(fake_guest_got(&n->g, i + *n_fragp, &got));
		assert_true(got.len <= 14 + n->env.mtu);
		assert_int_equal(got.pkt.frag_off, end);
		if (*n_fragp > 0)
			assert_int_equal(got.pkt.ip_id, id);
		id = got.pkt.ip_id;
		memcpy(to + end, got.l4, got.l4_len);
		end += got.l4_len;
		more = got.pkt.frag_more;
	}
	return end;
}

static void check_long(struct fake_nat *n, uint32_t len)
{
	uint8_t *big = malloc(len), *got = malloc(70000);
	uint64_t sum;
	unsigned n_frag;

	fill(big, len);
	say(n, 5000, &n->far, "a");
	hear(n, 0, &n->far, big, len);
	assert_int_equal(reassemble(n, 0, got, &n_frag), len + 8);
	assert_true(n_frag > 1);
	assert_memory_equal(got + 8, big, len);
	sum = csum_pseudo(&n->far.ip, &n->g.ip, IPPROTO_UDP, len + 8);
	assert_int_equal(csum_fold(csum_add(got, len + 8, sum)), 0);
	free(big);
	free(got);
}

static void test_long_datagram_is_fragmented(void **state)
{
	check_long(*state, 1473);
}

static void test_longest_datagram_is_fragmented(void **state)
{
	check_long(*state, is_v6(*state) ? 65527 : 65507);
}

static void test_fragments_of_an_odd_mtu(void **state)
{
	struct fake_nat_config c = {
		.port.name = "vm0", .mtu = 1401, .is_v6 = is_v6(*state)};
	struct fake_nat *n = fake_nat_new(&c);

	check_long(n, 5001);
	fake_nat_free(n);
}

/* RFC 768: a checksum that comes out as zero is sent as all ones. */
static void test_checksum_of_zero(void **state)
{
	struct fake_nat *n = *state;
	uint8_t big[2000] = {0};
	uint8_t head[8] = {0, 9, 0x13, 0x88, 0x07, 0xd8};
	struct fake_got got;
	uint16_t csum;
	uint64_t sum;

	sum = csum_pseudo(&n->far.ip, &n->g.ip, IPPROTO_UDP, sizeof(big) + 8);
	csum = csum_fold(csum_add(big, sizeof(big), csum_add(head, 8, sum)));
	big[0] = (uint8_t)(csum >> 8);
	big[1] = (uint8_t)csum;
	say(n, 5000, &n->far, "a");
	hear(n, 0, &n->far, big, sizeof(big));
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_memory_equal(got.l4, "\0\x09\x13\x88\x07\xd8\xff\xff", 8);
}

static void test_too_long_for_udp(void **state)
{
	struct fake_nat *n = *state;
	uint8_t *big = calloc(1, 70000);

	say(n, 5000, &n->far, "a");
	hear(n, 0, &n->far, big, is_v6(n) ? 65528 : 65508);
	hear(n, 0, &n->far, big, 70000); /* cut by the host */
	assert_int_equal(n->drops.n[DROP_UDP_TOO_LONG], 2);
	assert_int_equal(n->g.port->n_out, 0);
	free(big);
}

/* short, run, short: all arrive, whole, whatever the round's mode */
static void test_runs_from_the_host_are_taken_apart(void **state)
{
	struct fake_nat *n = *state;
	uint8_t run[5000];
	struct fake_datagram d = {
		.from = n->far,
		.data = run,
		.len = sizeof(run),
		.gso_size = 1200};
	struct fake_got got;
	unsigned seen = 0;

	fill(run, sizeof(run));
	say(n, 5000, &n->far, "a");
	for (int round = 0; round < 3; round++) {
		hear(n, 0, &n->far, "one", 3);
		fake_deliver(n->fh, 0, &n->far, "two", 3);
		fake_deliver_full(n->fh, 0, &d);
		fake_deliver(n->fh, 0, &n->far, "end", 3);
		fake_host_run(n->fh);
	}
	assert_int_equal(n->g.port->n_out, 3 * (1 + 1 + 5 + 1));
	for (unsigned i = 0; i < n->g.port->n_out; i++) {
		assert_true(fake_guest_got(&n->g, i, &got));
		assert_true(got.csum_ok);
		if (i % 8 < 2 || i % 8 == 7) {
			assert_int_equal(got.l4_len, 11);
			continue;
		}
		assert_int_equal(got.l4_len - 8, i % 8 == 6 ? 200 : 1200);
		assert_memory_equal(got.l4 + 8, run + (i % 8 - 2) * 1200,
				    got.l4_len - 8);
		seen++;
	}
	assert_int_equal(seen, 15);
}

/* An exit that cuts runs gets each in one piece (VIRTIO_NET_F_GUEST_USO4). */
static void test_run_stays_whole_where_it_can(void **state)
{
	struct fake_nat_config c = {
		.is_v6 = is_v6(*state),
		.port = {.name = "vm0",
			 .offload = PORT_O_CSUM | PORT_O_USO4 | PORT_O_USO6}};
	struct fake_nat *n = fake_nat_new(&c);
	uint8_t run[5000];
	struct fake_datagram d = {
		.from = n->far,
		.data = run,
		.len = sizeof(run),
		.gso_size = 1200};
	const struct fake_frame *f;

	fill(run, sizeof(run));
	say(n, 5000, &n->far, "a");
	fake_deliver_full(n->fh, 0, &d);
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 1);
	f = n->g.port->out;
	assert_int_equal(f->off.gso,
			 is_v6(n) ? FRAME_GSO_UDP6 : FRAME_GSO_UDP4);
	assert_int_equal(f->off.gso_size, 1200);
	assert_int_equal(f->off.flags, FRAME_F_NEEDS_CSUM);
	assert_int_equal(f->len, fake_nat_l4(n) + 8 + sizeof(run));
	assert_memory_equal(f->data + fake_nat_l4(n) + 8, run, sizeof(run));
	fake_nat_free(n);
}

static void test_no_room_while_taking_runs_apart(void **state)
{
	struct fake_nat *n = *state;
	uint8_t run[5000] = {0};
	struct fake_datagram d = {
		.from = n->far,
		.data = run,
		.len = sizeof(run),
		.gso_size = 1200};

	say(n, 5000, &n->far, "a");
	fake_deliver_full(n->fh, 0, &d);
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 5);
	n->g.port->room = 0;
	fake_deliver_full(n->fh, 0, &d);
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 5);
	fake_add_room(n->g.port, 100);
	assert_int_equal(n->g.port->n_out, 10);
}

#define T4(f)                                                                  \
	cmocka_unit_test_setup_teardown(f, fake_nat_setup, fake_nat_teardown)
#define T6(f)                                                                  \
	{#f " over IPv6", f, fake_nat_setup6, fake_nat_teardown, NULL}
#define T(f) T4(f), T6(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_socket_per_guest_endpoint),
		T(test_anybody_may_answer),
		T(test_gateway_is_host_loopback),
		T(test_empty_datagram),
		T(test_padding_is_not_payload),
		T(test_checksum),
		T4(test_length_that_lies),
		T(test_equal_run_is_one_message),
		T(test_run_is_no_longer_than_udp),
		T(test_run_ends_at_another_destination),
		T(test_guest_run_stays_a_run),
		T(test_guest_run_of_many_pieces),
		T(test_batch_breaks_in_the_middle),
		T(test_full_socket_loses_by_name),
		T(test_options_are_carried),
		T(test_tos_and_hop_limit_down),
		T(test_many_datagrams_in_order),
		T(test_no_room_waits_in_the_socket),
		T(test_closed_while_waiting_for_room),
		T(test_no_room_behind_scratch),
		T(test_queues_of_the_guest),
		T(test_long_datagram_is_fragmented),
		T(test_longest_datagram_is_fragmented),
		T(test_fragments_of_an_odd_mtu),
		T(test_checksum_of_zero),
		T(test_too_long_for_udp),
		T(test_runs_from_the_host_are_taken_apart),
		T(test_run_stays_whole_where_it_can),
		T(test_no_room_while_taking_runs_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
