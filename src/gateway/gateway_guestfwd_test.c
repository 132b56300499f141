/* SPDX-License-Identifier: BSD-3-Clause */
/* guestfwd: whom a guest's connection to one of our addresses meets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/fake_segment.h"
#include "wire/arp.h"
#include "wire/eth.h"

#define SERVER fake_ep(10, 0, 2, 100, 80)

static void add(struct fake_gateway *b, struct endpoint server,
		struct endpoint target)
{
	const struct gateway_guestfwd g = {.server = server, .target = target};

	assert_int_equal(gateway_guestfwd_add(b->gw, &g), 0);
}

static int setup(void **state)
{
	fake_gateway_setup(state);
	add(*state, SERVER, (struct endpoint){.port = 0});
	return 0;
}

static void call(struct fake_gateway *b)
{
	fake_tell(b, SERVER.ip, fake_syn(80), NULL, 0);
}

static int answer(struct fake_gateway *b, int fd)
{
	const struct nat_call call = b->call;
	int r;

	fake_clear(b->g.port);
	r = gateway_guestfwd_answer(b->gw, &call, fd);
	fake_gateway_pass(b, 1000000);
	return r;
}

static void expect_rst(struct fake_gateway *b)
{
	struct fake_got got;

	assert_int_equal(fake_heard(b, &got).flags, TCP_RST | TCP_ACK);
	assert_int_equal(b->fh->n_socks, 0);
}

static void test_the_address_is_ours(void **state)
{
	struct fake_gateway *b = *state;
	struct arp_msg m;
	struct rd r;

	fake_guest_arp(&b->g, SERVER.ip);
	fake_guest_kick(&b->g);
	assert_int_equal(b->g.port->n_out, 1);
	r = rd_init(b->g.port->out[0].data, b->g.port->out[0].len);
	rd_skip(&r, ETH_HDR_LEN);
	assert_true(arp_parse(&r, &m));
	assert_int_equal(m.op, ARP_REPLY);
	assert_true(mac_eq(m.sha, FAKE_GW_MAC));
	/* and nobody else's */
	b->g.ip = SERVER.ip;
	fake_tell(b, addr_v4(192, 0, 2, 1), fake_syn(80), NULL, 0);
	assert_int_equal(b->drops.n[DROP_IP_SOURCE], 1);
}

static void test_the_guest_waits_for_the_answer(void **state)
{
	struct fake_gateway *b = *state;
	struct endpoint guest = fake_ep(10, 0, 2, 15, 5000), server = SERVER;
	struct fake_got got;
	struct tcp_hdr h;
	const uint8_t *out;
	size_t len;
	int fd = fake_stream(b->fh);

	call(b);
	assert_int_equal(b->g.port->n_out, 0);
	call(b); /* the SYN again asks nobody again */
	assert_int_equal(b->n_calls, 1);
	assert_true(endpoint_eq(&b->call.guest, &guest));
	assert_true(endpoint_eq(&b->call.server, &server));
	/* what the program says before the guest is there is not lost */
	fake_tcp_push(b->fh, 0, "hello", 5);
	assert_int_equal(answer(b, fd), 0);
	h = fake_heard(b, &got);
	assert_int_equal(h.flags, TCP_SYN | TCP_ACK);
	assert_true(addr_eq(&got.pkt.src.ip, &server.ip));
	fake_tell(b, SERVER.ip,
		  (struct tcp_hdr){.sport = 5000,
				   .dport = 80,
				   .seq = 101,
				   .ack = h.seq + 1,
				   .flags = TCP_ACK | TCP_PSH},
		  "question", 8);
	out = fake_tcp_out(b->fh, 0, &len);
	assert_int_equal(len, 8);
	assert_memory_equal(out, "question", 8);
	fake_heard(b, &got);
	assert_memory_equal(got.l4 + TCP_HDR_LEN, "hello", 5);
}

static void test_nobody_comes(void **state)
{
	struct fake_gateway *b = *state;

	call(b);
	assert_int_equal(answer(b, -1), 0);
	expect_rst(b);
}

static void test_nobody_can_be_asked(void **state)
{
	struct fake_gateway *b = *state;

	b->serve_err = -ENOTCONN;
	call(b);
	expect_rst(b);
}

static void test_too_many_are_asked_for(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;

	b->serve_err = -EAGAIN;
	call(b);
	assert_int_equal(b->g.port->n_out, 0); /* it comes again */
	assert_int_equal(b->drops.n[DROP_HOST_SOCKET], 1);
	b->serve_err = 0;
	call(b);
	assert_int_equal(b->n_calls, 2);
	assert_int_equal(answer(b, fake_stream(b->fh)), 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_SYN | TCP_ACK);
}

static void test_the_answer_cannot_be_taken(void **state)
{
	struct fake_gateway *b = *state;
	int fd = fake_stream(b->fh);

	call(b);
	fake_fail(b->fh, FAKE_ADOPT, ENFILE, 1);
	assert_int_equal(answer(b, fd), -ENFILE);
	assert_int_equal(b->g.port->n_out, 1);
	/* it is still the caller's: taken by the next */
	call(b);
	assert_int_equal(answer(b, fd), 0);
}

static void test_the_guest_did_not_wait(void **state)
{
	struct fake_gateway *b = *state;
	int fd = fake_stream(b->fh);

	call(b);
	fake_tell(b, SERVER.ip,
		  (struct tcp_hdr){.sport = 5000, .dport = 80, .seq = 101,
				   .flags = TCP_RST},
		  NULL, 0);
	assert_int_equal(answer(b, fd), -ENOENT);
	/* a second answer to one question */
	call(b);
	assert_int_equal(answer(b, fd), 0);
	assert_int_equal(answer(b, fd), -ENOENT);
	assert_int_equal(answer(b, -1), -ENOENT);
}

/* Somebody takes its place before the answer comes: that is not his. */
static void test_another_began_between_its_ends(void **state)
{
	struct fake_gateway *b = *state;
	int fd = fake_stream(b->fh);
	struct tcp_hdr syn = fake_syn(80);
	struct nat_call first;
	struct fake_got got;

	call(b);
	first = b->call;
	syn.seq += 1000;
	fake_tell(b, SERVER.ip, syn, NULL, 0);
	assert_int_equal(b->n_calls, 2);
	assert_true(endpoint_eq(&first.guest, &b->call.guest));
	assert_int_equal(gateway_guestfwd_answer(b->gw, &first, fd), -ENOENT);
	assert_int_equal(answer(b, fd), 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_SYN | TCP_ACK);
}

static void test_a_target_is_connected(void **state)
{
	struct fake_gateway *b = *state;
	const struct endpoint target = fake_ep(192, 0, 2, 9, 99);
	struct endpoint peer;
	struct fake_got got;

	add(b, fake_ep(10, 0, 2, 100, 81), target);
	fake_tell(b, SERVER.ip, fake_syn(81), NULL, 0);
	peer = fake_peer(b->fh, 0);
	assert_true(endpoint_eq(&peer, &target));
	assert_int_equal(fake_heard(b, &got).flags, TCP_SYN | TCP_ACK);
	assert_int_equal(b->n_calls, 0);
}

/* The server is on the guest's own wire: the path behind it is not shown. */
static void test_a_target_has_no_path(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;
	struct tcp_hdr h;

	add(b, fake_ep(10, 0, 2, 100, 81), fake_ep(192, 0, 2, 9, 99));
	b->g.ttl = 2;
	fake_tell(b, SERVER.ip, fake_syn(81), NULL, 0);
	h = fake_heard(b, &got);
	fake_tell(b, SERVER.ip,
		  (struct tcp_hdr){.sport = 5000,
				   .dport = 81,
				   .seq = 101,
				   .ack = h.seq + 1,
				   .flags = TCP_ACK},
		  NULL, 0);
	assert_int_equal(fake_option(b->fh, 0, HOST_OPT_TTL), -1);
	assert_int_equal(fake_option(b->fh, 0, HOST_OPT_RECVERR), -1);
}

static void test_other_ports_are_refused(void **state)
{
	struct fake_gateway *b = *state;

	fake_tell(b, SERVER.ip, fake_syn(81), NULL, 0);
	expect_rst(b);
	assert_int_equal(b->n_calls, 0);
}

/* HTTP is the name server's neighbour, and there once it is said so. */
static void test_http_is_the_keepers(void **state)
{
	struct fake_gateway *b = *state;
	const addr ns = addr_v4(10, 0, 2, 3);
	const struct endpoint server = {.ip = ns, .port = 80};
	struct fake_got got;

	fake_tell(b, ns, fake_syn(80), NULL, 0);
	expect_rst(b);
	gateway_http(b->gw);
	fake_clear(b->g.port);
	fake_tell(b, ns, fake_syn(81), NULL, 0);
	expect_rst(b);
	assert_int_equal(b->n_calls, 0);
	fake_clear(b->g.port);
	fake_tell(b, ns, fake_syn(80), NULL, 0);
	assert_int_equal(b->n_calls, 1);
	assert_true(endpoint_eq(&b->call.server, &server));
	assert_int_equal(answer(b, fake_stream(b->fh)), 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_SYN | TCP_ACK);
}

/* What the user has put there is before it. */
static void test_a_rule_is_before_http(void **state)
{
	struct fake_gateway *b = *state;
	const addr ns = addr_v4(10, 0, 2, 3);
	const struct endpoint target = fake_ep(192, 0, 2, 9, 99);
	struct endpoint peer;

	add(b, (struct endpoint){.ip = ns, .port = 80}, target);
	gateway_http(b->gw);
	fake_tell(b, ns, fake_syn(80), NULL, 0);
	peer = fake_peer(b->fh, 0);
	assert_true(endpoint_eq(&peer, &target));
	assert_int_equal(b->n_calls, 0);
}

static void test_rules_that_cannot_be(void **state)
{
	struct fake_gateway *b = *state;
	struct gateway_guestfwd g = {.server = SERVER};

	assert_int_equal(gateway_guestfwd_add(b->gw, &g), -EEXIST);
	g.server = fake_ep(10, 0, 3, 1, 80);
	assert_int_equal(gateway_guestfwd_add(b->gw, &g), -EINVAL);
	g.server = fake_ep(10, 0, 2, 0, 80);
	assert_int_equal(gateway_guestfwd_add(b->gw, &g), -EINVAL);
	g.server = fake_ep(10, 0, 2, 255, 80);
	assert_int_equal(gateway_guestfwd_add(b->gw, &g), -EINVAL);
	g.server = fake_ep(10, 0, 2, 4, 0);
	assert_int_equal(gateway_guestfwd_add(b->gw, &g), -EINVAL);
	g.server.ip = SERVER.ip;
	for (uint16_t i = 1; i < GATEWAY_GUESTFWDS_MAX; i++) {
		g.server.port = 100 + i;
		assert_int_equal(gateway_guestfwd_add(b->gw, &g), 0);
	}
	g.server.port = 99;
	assert_int_equal(gateway_guestfwd_add(b->gw, &g), -ENOBUFS);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_address_is_ours),
		T(test_the_guest_waits_for_the_answer),
		T(test_nobody_comes),
		T(test_nobody_can_be_asked),
		T(test_too_many_are_asked_for),
		T(test_the_answer_cannot_be_taken),
		T(test_the_guest_did_not_wait),
		T(test_another_began_between_its_ends),
		T(test_a_target_is_connected),
		T(test_http_is_the_keepers),
		T(test_a_rule_is_before_http),
		T(test_a_target_has_no_path),
		T(test_other_ports_are_refused),
		T(test_rules_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
