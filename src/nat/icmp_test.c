/* SPDX-License-Identifier: BSD-3-Clause */
/* Ping, ICMP errors, and every ICMP drop. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* after time.h, which it needs */

#include <cmocka.h>

#include "base/cursor.h"
#include "nat/fake_nat.h"
#include "wire/csum.h"

static const addr world = {
	{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}};

static void ping(struct fake_nat *n, addr dst, uint16_t id, uint16_t seq)
{
	fake_guest_echo(&n->g, dst, id, seq, "0123456789", 10);
	fake_guest_kick(&n->g);
}

/* The kernel's answer to the ith message sent. */
static void answer(struct fake_nat *n, unsigned i, const addr *from)
{
	const struct fake_sent *d = fake_sent(n->fh, i);
	struct endpoint ep = {.ip = *from};
	uint8_t buf[2048];

	memcpy(buf, d->data, d->len);
	buf[0] = ICMP_ECHO_REPLY;
	buf[4] = 0xde; /* the kernel's identifier */
	buf[5] = 0xad;
	fake_deliver(n->fh, d->sock, &ep, buf, d->len);
	fake_host_run(n->fh);
}

static void test_echo_self(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	ping(n, n->env.gw4, 0x1234, 1);
	ping(n, n->env.dns4, 0x1234, 2);
	assert_int_equal(n->fh->n_numbers, 0); /* no socket was asked */
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(addr_eq(&got.pkt.src.ip, &n->env.gw4));
	assert_true(got.csum_ok);
	assert_memory_equal(got.l4 + 4,
			    "\x12\x34\0\1"
			    "0123456789",
			    14);
	assert_true(fake_guest_got(&n->g, 1, &got));
	assert_true(addr_eq(&got.pkt.src.ip, &n->env.dns4));
}

static void test_echo_self_ttl_one(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	n->g.ttl = 1;
	ping(n, n->env.gw4, 1, 1);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_int_equal(got.pkt.ttl, 64);
}

static void test_ping_answered_by_target_only(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	ping(n, world, 0x1234, 9);
	assert_int_equal(n->fh->n_sent, 1);
	assert_int_equal(n->g.port->n_out, 0); /* nobody has answered yet */
	assert_int_equal(fake_sent(n->fh, 0)->proto, HOST_PING);
	answer(n, 0, &world);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(got.csum_ok);
	assert_int_equal(got.l4[0], ICMP_ECHO_REPLY);
	assert_memory_equal(got.l4 + 4,
			    "\x12\x34\0\x09"
			    "0123456789",
			    14);
	assert_true(addr_eq(&got.pkt.src.ip, &world));
}

static void test_one_socket_per_identifier(void **state)
{
	struct fake_nat *n = *state;

	ping(n, world, 1, 1);
	ping(n, world, 1, 2);
	ping(n, addr_v4(192, 0, 2, 9), 1, 3);
	assert_int_equal(n->fh->n_socks, 1);
	ping(n, world, 2, 1);
	assert_int_equal(n->fh->n_socks, 2);
	assert_int_equal(icmp_n_flows(n->icmp), 2);
}

static void test_idle_flow_ends(void **state)
{
	struct fake_nat *n = *state;

	ping(n, world, 1, 1);
	fake_nat_pass(n, (ICMP_IDLE_SECONDS - 1) * FAKE_SECOND);
	ping(n, world, 1, 2);
	fake_nat_pass(n, (ICMP_IDLE_SECONDS - 1) * FAKE_SECOND);
	assert_int_equal(n->fh->n_socks, 1); /* it was used in between */
	fake_nat_pass(n, 2 * FAKE_SECOND);
	assert_int_equal(n->fh->n_socks, 0);
	assert_int_equal(icmp_n_flows(n->icmp), 0);
}

static void test_low_hop_limit_is_carried(void **state)
{
	struct fake_nat *n = *state;

	n->g.ttl = 3;
	ping(n, world, 1, 1);
	n->g.ttl = 64;
	ping(n, world, 1, 2);
	assert_int_equal(fake_sent(n->fh, 0)->ttl, 2);
	assert_int_equal(fake_sent(n->fh, 1)->ttl, 64);
}

static void test_time_exceeded_comes_from_the_hop(void **state)
{
	struct fake_nat *n = *state;
	struct host_err e = {.err = EHOSTUNREACH,
			     .origin = SO_EE_ORIGIN_ICMP,
			     .type = ICMP_TIME_EXCEEDED,
			     .dst = {.ip = world},
			     .offender = addr_v4(198, 51, 100, 1),
			     .payload = {8, 0, 1, 2, 0xde, 0xad, 0, 5},
			     .payload_len = 8};
	struct fake_got got;

	n->g.ttl = 2;
	ping(n, world, 0x1234, 5);
	fake_error(n->fh, fake_sent(n->fh, 0)->sock, &e);
	fake_host_run(n->fh);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(got.csum_ok);
	assert_int_equal(addr_u32(&got.pkt.src.ip), 0xc6336401);
	assert_int_equal(got.l4[0], ICMP_TIME_EXCEEDED);
	/* the guest's own packet is quoted: its address, its identifier, and
	 * all it said */
	assert_memory_equal(got.l4 + 8 + 12, "\x0a\0\2\x0f\xc0\0\2\1", 8);
	assert_memory_equal(got.l4 + 8 + 20 + 4,
			    "\x12\x34\0\5"
			    "0123456789",
			    14);
	assert_int_equal(csum_fold(csum_add(got.l4 + 8 + 20, 18, 0)), 0);
}

static void test_error_that_is_no_refusal_is_not_told(void **state)
{
	struct fake_nat *n = *state;
	struct host_err e = {.err = EPROTO,
			     .origin = SO_EE_ORIGIN_ICMP,
			     .type = 4, /* source quench */
			     .payload = {8},
			     .payload_len = 8};

	ping(n, world, 1, 1);
	fake_error(n->fh, 0, &e);
	e.type = ICMP_UNREACHABLE;
	e.payload_len = 7; /* too short to quote */
	fake_error(n->fh, 0, &e);
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 0);
}

static void test_what_is_no_reply_is_ignored(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint ep = {.ip = world};

	ping(n, world, 1, 1);
	fake_deliver(n->fh, 0, &ep, "\x08\0\0\0\0\1\0\1", 8);
	fake_deliver(n->fh, 0, &ep, "\0\0\0", 3);
	fake_deliver(n->fh, 0, &ep, "", 0);
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 0);
}

static void test_flood_takes_turns(void **state)
{
	struct fake_nat *n = *state;

	ping(n, world, 1, 1);
	for (int i = 0; i < 200; i++) {
		struct endpoint ep = {.ip = world};

		fake_deliver(n->fh, 0, &ep, "\0\0\0\0\0\1\0\1", 8);
	}
	fake_host_run(n->fh);
	assert_in_range(n->g.port->n_out, 1, 199);
	for (int i = 0; i < 8; i++)
		fake_nat_pass(n, FAKE_SECOND / 100);
	assert_int_equal(n->g.port->n_out, 200);
}

static void test_denied_is_counted_and_said_once(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	fake_fail(n->fh, FAKE_OPEN, EACCES, 2);
	ping(n, world, 1, 1);
	ping(n, world, 2, 1);
	assert_int_equal(n->drops.n[DROP_ICMP_DENIED], 2);
	for (unsigned i = 0; i < 2; i++) { /* no answer is made up */
		assert_true(fake_guest_got(&n->g, i, &got));
		assert_int_equal(got.l4[0], ICMP_UNREACHABLE);
		assert_int_equal(got.l4[1], ICMP_U_ADMIN);
		assert_true(addr_eq(&got.pkt.src.ip, &n->env.gw4));
	}
	assert_int_equal(n->g.port->n_out, 2);
	ping(n, world, 3, 1);
	assert_int_equal(n->fh->n_sent, 1);
}

static void test_no_socket(void **state)
{
	struct fake_nat *n = *state;

	fake_fail(n->fh, FAKE_OPEN, EMFILE, 1);
	ping(n, world, 1, 1);
	assert_int_equal(n->drops.n[DROP_HOST_SOCKET], 1);
	assert_int_equal(icmp_n_flows(n->icmp), 0);
}

static void test_table_full(void **state)
{
	struct fake_nat_config c = {.max_icmp = 16, .port.name = "vm0"};
	struct fake_nat *n = fake_nat_new(&c);

	for (uint16_t id = 0; id < 10; id++)
		ping(n, world, id, 1);
	assert_int_equal(icmp_n_flows(n->icmp), 8);
	assert_int_equal(n->drops.n[DROP_FLOW_TABLE_FULL], 2);
	fake_nat_free(n);
}

static void test_unreachable_on_send(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	fake_fail(n->fh, FAKE_SEND, ENETUNREACH, 2);
	ping(n, world, 1, 1);
	assert_int_equal(n->drops.n[DROP_UDP_SEND], 1);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_int_equal(got.l4[0], ICMP_UNREACHABLE);
	assert_int_equal(got.l4[1], ICMP_U_NET);
	assert_true(addr_eq(&got.pkt.src.ip, &n->env.gw4));
}

static void test_earlier_error_does_not_cost_an_echo(void **state)
{
	struct fake_nat *n = *state;

	ping(n, world, 1, 1);
	fake_fail(n->fh, FAKE_SEND, EHOSTUNREACH, 1);
	ping(n, world, 1, 2);
	assert_int_equal(n->fh->n_sent, 2);
	assert_int_equal(n->drops.n[DROP_UDP_SEND], 0);
}

static void test_not_routed(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	ping(n, addr_v4(10, 0, 2, 99), 1, 1);
	assert_int_equal(n->drops.n[DROP_IP_DEST], 1);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_int_equal(got.l4[1], ICMP_U_HOST);
}

static void test_short_bad_and_foreign(void **state)
{
	static const uint8_t timestamp[20] = {13, 0, 0xf2, 0xff};
	struct fake_nat *n = *state;

	n->g.bad_l4_csum = true;
	ping(n, world, 1, 1);
	assert_int_equal(n->drops.n[DROP_ICMP_CSUM], 1);
	fake_guest_ip(&n->g, world, 1, timestamp, sizeof(timestamp));
	fake_guest_kick(&n->g);
	assert_int_equal(n->drops.n[DROP_ICMP_TYPE], 1);
	assert_int_equal(n->fh->n_sent, 0);
	assert_int_equal(n->g.port->n_out, 0);
}

static void test_cut_short(void **state)
{
	struct fake_nat *n = *state;
	uint8_t buf[64] = {0};
	struct packet pkt = {.ip_version = 4,
			     .proto = 1,
			     .l3_off = 14,
			     .l4_off = 34,
			     .l4_len = 7,
			     .dst.ip = world};
	struct frame f = frame_flat(buf, sizeof(buf));

	icmp_input(n->icmp, &pkt, &f);
	pkt.l4_len = 31;
	icmp_input(n->icmp, &pkt, &f);
	assert_int_equal(n->drops.n[DROP_ICMP_SHORT], 2);
}

static void test_padding_is_not_data(void **state)
{
	struct fake_nat *n = *state;

	n->g.pad = 8;
	ping(n, world, 1, 1);
	assert_int_equal(fake_sent(n->fh, 0)->len, 18);
}

static void test_long_reply_is_fragmented(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint ep = {.ip = world};
	uint8_t big[3000] = {0};
	struct fake_got got;

	ping(n, world, 1, 1);
	fake_deliver(n->fh, 0, &ep, big, sizeof(big));
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 3);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(got.pkt.frag_more);
	assert_true(fake_guest_got(&n->g, 2, &got));
	assert_int_equal(got.pkt.frag_off + got.l4_len, 3000);
}

static void error_about(struct fake_nat *n, const struct packet *pkt,
			const struct frame *f)
{
	icmp_error(n->icmp, ICMP_UNREACHABLE, ICMP_U_PORT, 0, pkt, f);
}

static void test_what_gets_no_error(void **state)
{
	struct fake_nat *n = *state;
	uint8_t buf[64] = {0};
	struct frame f = frame_flat(buf, sizeof(buf));
	struct packet good = {.ip_version = 4,
			      .proto = 17,
			      .l3_off = 14,
			      .l4_off = 34,
			      .l4_len = 30,
			      .dst.ip = world,
			      .eth_src = n->g.mac,
			      .src.ip = n->g.ip};
	struct packet pkt = good;

	pkt.eth_dst = MAC_BROADCAST;
	error_about(n, &pkt, &f);
	pkt = good;
	pkt.is_fragment = true;
	pkt.frag_off = 8;
	error_about(n, &pkt, &f);
	pkt = good;
	pkt.dst.ip = addr_v4(224, 0, 0, 1);
	error_about(n, &pkt, &f);
	pkt.dst.ip = addr_v4(255, 255, 255, 255);
	error_about(n, &pkt, &f);
	pkt = good;
	pkt.proto = 1;
	buf[34] = ICMP_UNREACHABLE; /* about an error */
	error_about(n, &pkt, &f);
	fake_guest_kick(&n->g);
	assert_int_equal(n->g.port->n_out, 0);
	buf[34] = ICMP_ECHO;
	fake_guest_udp(&n->g, 1, &(struct endpoint){.ip = world, .port = 2},
		       "x", 1);
	fake_guest_kick(&n->g); /* the lan learns the guest */
	error_about(n, &pkt, &f);
	assert_int_equal(n->g.port->n_out, 1);
}

static void test_errors_are_rationed(void **state)
{
	struct fake_nat *n = *state;

	for (int i = 0; i < ICMP_ERROR_BURST + 5; i++)
		ping(n, addr_v4(10, 0, 2, 99), 1, 1);
	assert_int_equal(n->g.port->n_out, ICMP_ERROR_BURST);
	assert_int_equal(n->drops.n[DROP_ICMP_RATE], 5);
	n->g.ip = addr_v4(10, 0, 2, 16); /* another name is of no use */
	ping(n, addr_v4(10, 0, 2, 99), 1, 1);
	assert_int_equal(n->g.port->n_out, ICMP_ERROR_BURST);
	n->g.ip = addr_v4(10, 0, 2, 15);
	fake_clear(n->g.port);
	fake_nat_pass(n, FAKE_SECOND / ICMP_ERROR_RATE);
	ping(n, addr_v4(10, 0, 2, 99), 1, 1);
	assert_int_equal(n->g.port->n_out, 1);
	fake_nat_pass(n, 3600 * FAKE_SECOND);
	for (int i = 0; i < ICMP_ERROR_BURST + 5; i++)
		ping(n, addr_v4(10, 0, 2, 99), 1, 1);
	assert_int_equal(n->g.port->n_out, ICMP_ERROR_BURST + 1);
}

/* One guest uses up all errors, under the address of another. */
static void test_errors_of_others_are_not_spent(void **state)
{
	struct fake_nat *n = *state;
	unsigned before = 0, i;

	/* Two that share a bucket are rare; then a third is none of them. */
	for (i = 0; i < 8 && n->g.port->n_out == before; i++) {
		fake_nat_pass(n, FAKE_SECOND);
		n->g.mac = fake_mac(2 + i);
		for (int k = 0; k < ICMP_ERROR_BURST + 5; k++)
			ping(n, addr_v4(10, 0, 2, 99), 1, 1);
		before = n->g.port->n_out;
		n->g.mac = fake_mac(1);
		ping(n, addr_v4(10, 0, 2, 99), 1, 1);
	}
	assert_true(n->g.port->n_out > before);
}

static void test_error_is_at_most_576_bytes(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint dst = fake_ep(10, 0, 2, 99, 9);
	struct fake_got got;
	uint8_t big[1400] = {0};

	fake_guest_udp(&n->g, 1, &dst, big, sizeof(big));
	fake_guest_kick(&n->g);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_int_equal(got.len, 14 + 576);
	assert_true(got.csum_ok);
}

#define T(f)                                                                   \
	cmocka_unit_test_setup_teardown(f, fake_nat_setup, fake_nat_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_echo_self),
		T(test_echo_self_ttl_one),
		T(test_ping_answered_by_target_only),
		T(test_one_socket_per_identifier),
		T(test_idle_flow_ends),
		T(test_low_hop_limit_is_carried),
		T(test_time_exceeded_comes_from_the_hop),
		T(test_error_that_is_no_refusal_is_not_told),
		T(test_what_is_no_reply_is_ignored),
		T(test_flood_takes_turns),
		T(test_denied_is_counted_and_said_once),
		T(test_no_socket),
		cmocka_unit_test(test_table_full),
		T(test_unreachable_on_send),
		T(test_earlier_error_does_not_cost_an_echo),
		T(test_not_routed),
		T(test_short_bad_and_foreign),
		T(test_cut_short),
		T(test_padding_is_not_data),
		T(test_long_reply_is_fragmented),
		T(test_what_gets_no_error),
		T(test_errors_are_rationed),
		T(test_errors_of_others_are_not_spent),
		T(test_error_is_at_most_576_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
