/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections that the path refuses, and what of a guest's IP header TCP
 * carries. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* after time.h, which it needs */

#include <cmocka.h>

#include "gateway/fake_gateway.h"
#include "wire/csum.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/tcp.h"

#define MS UINT64_C(1000000)

static const addr hop = {
	{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 1}};

static addr far(void)
{
	return addr_v4(192, 0, 2, 1);
}

static void tell(struct fake_gateway *b, struct tcp_hdr h, const char *data)
{
	uint8_t buf[200];
	struct wr w = wr_init(buf, sizeof(buf));
	uint32_t n = (uint32_t)(tcp_hdr_len(&h) + strlen(data));
	const addr dst = far();
	uint16_t sum;

	h.sport = 5000;
	h.dport = 80;
	h.win = 65535;
	tcp_hdr_emit(&w, &h);
	wr_bytes(&w, data, strlen(data));
	sum = csum_fold(csum_add(buf, n,
				 csum_pseudo(&b->g.ip, &dst, IPPROTO_TCP, n)));
	buf[16] = (uint8_t)(sum >> 8);
	buf[17] = (uint8_t)sum;
	fake_clear(b->g.port);
	fake_guest_ip(&b->g, dst, IPPROTO_TCP, buf, n);
	fake_guest_kick(&b->g);
	fake_gateway_pass(b, MS);
}

static void tell_syn(struct fake_gateway *b)
{
	tell(b, (struct tcp_hdr){.seq = 100, .flags = TCP_SYN}, "");
}

/* A whole handshake. Returns the next byte that the guest expects. */
static uint32_t connect_to_far(struct fake_gateway *b)
{
	struct fake_got got;
	struct tcp_hdr h;
	struct rd r;

	tell_syn(b);
	assert_true(fake_guest_got(&b->g, 0, &got));
	r = rd_init(got.l4, got.l4_len);
	assert_true(tcp_hdr_parse(&r, &h));
	assert_int_equal(h.flags, TCP_SYN | TCP_ACK);
	tell(b,
	     (struct tcp_hdr){.seq = 101, .ack = h.seq + 1, .flags = TCP_ACK},
	     "");
	return h.seq + 1;
}

static struct host_err refusal(uint8_t type, uint8_t code, int err)
{
	return (struct host_err){.err = err,
				 .origin = SO_EE_ORIGIN_ICMP,
				 .type = type,
				 .code = code,
				 .offender = hop};
}

static void expect_error(struct fake_gateway *b, const addr *from,
			 uint8_t type, uint8_t code, struct fake_got *gp)
{
	assert_int_equal(b->g.port->n_out, 1);
	assert_true(fake_guest_got(&b->g, 0, gp));
	assert_true(gp->csum_ok);
	assert_int_equal(gp->pkt.proto, IPPROTO_ICMP);
	assert_true(addr_eq(&gp->pkt.src.ip, from));
	assert_int_equal(gp->l4[0], type);
	assert_int_equal(gp->l4[1], code);
	/* ports and sequence number of the SYN */
	assert_memory_equal(gp->l4 + 8 + 20, "\x13\x88\0\x50\0\0\0\x64", 8);
	assert_int_equal(b->fh->n_socks, 0);
}

static void test_the_path_is_asked_again(void **state)
{
	struct host_err e = refusal(ICMP_UNREACHABLE, 10, EHOSTUNREACH);
	struct fake_gateway *b = *state;
	struct gateway_stats st;
	struct fake_got got;

	fake_refuse(b->fh, &e, 2);
	tell_syn(b);
	assert_int_equal(b->fh->n_numbers, 2); /* sockets */
	expect_error(b, &hop, ICMP_UNREACHABLE, 10, &got);
	gateway_stats(b->gw, &st);
	assert_int_equal(st.tcp_refused, 1);
	assert_int_equal(st.n_tcp, 0);
}

static void test_the_second_try_may_succeed(void **state)
{
	struct host_err e = refusal(ICMP_UNREACHABLE, 1, EHOSTUNREACH);
	struct fake_gateway *b = *state;

	fake_refuse(b->fh, &e, 1);
	connect_to_far(b);
	assert_int_equal(b->fh->n_numbers, 2);
	/* what would end it at the first error on the way is off again */
	assert_int_equal(fake_option(b->fh, 1, HOST_OPT_RECVERR), 0);
}

static void test_a_peers_refusal_is_a_reset(void **state)
{
	struct host_err e = refusal(ICMP_UNREACHABLE, 3, ECONNREFUSED);
	struct fake_gateway *b = *state;
	struct fake_got got;

	fake_refuse(b->fh, &e, 1);
	tell_syn(b);
	assert_int_equal(b->fh->n_numbers, 1);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_int_equal(got.pkt.proto, IPPROTO_TCP);
	assert_int_equal(got.l4[13], TCP_RST | TCP_ACK);
}

/* What the host says itself, at once, is not asked again. */
static void test_no_route(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;
	const addr gw4 = addr_v4(10, 0, 2, 2);

	fake_fail(b->fh, FAKE_CONNECT, ENETUNREACH, 1);
	tell_syn(b);
	assert_int_equal(b->fh->n_numbers, 1);
	expect_error(b, &gw4, ICMP_UNREACHABLE, ICMP_U_NET, &got);
}

/* Nobody answers and the host keeps on trying: we give up, once. */
static void test_silence_is_not_asked_again(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;
	const addr gw4 = addr_v4(10, 0, 2, 2);

	fake_fail(b->fh, FAKE_CONNECT, EINPROGRESS, 100);
	tell_syn(b);
	assert_int_equal(b->g.port->n_out, 0);
	fake_gateway_pass(b, 151000 * MS);
	assert_int_equal(b->fh->n_numbers, 1);
	expect_error(b, &gw4, ICMP_UNREACHABLE, ICMP_U_HOST, &got);
}

static void test_an_empty_queue_leaves_the_errno(void **state)
{
	struct host_err e = refusal(ICMP_UNREACHABLE, 10, EHOSTDOWN);
	struct fake_gateway *b = *state;
	struct fake_got got;
	const addr gw4 = addr_v4(10, 0, 2, 2);

	e.type = 4; /* nothing that a guest is told */
	fake_refuse(b->fh, &e, 2);
	tell_syn(b);
	expect_error(b, &gw4, ICMP_UNREACHABLE, ICMP_U_HOST, &got);
}

static void test_a_hop_is_found(void **state)
{
	struct host_err e = refusal(ICMP_TIME_EXCEEDED, 0, EHOSTUNREACH);
	struct fake_gateway *b = *state;
	struct fake_got got;

	b->g.ttl = 4;
	fake_refuse(b->fh, &e, 1);
	tell_syn(b);
	assert_int_equal(b->fh->n_numbers, 1); /* it was known beforehand */
	expect_error(b, &hop, ICMP_TIME_EXCEEDED, 0, &got);
	assert_int_equal(got.l4[8 + 5], 7); /* identification: its own */
	assert_int_equal(got.l4[8 + 8], 1);
}

static void test_first_hop_is_the_gateway(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;
	const addr gw4 = addr_v4(10, 0, 2, 2);

	b->g.ttl = 1;
	tell_syn(b);
	expect_error(b, &gw4, ICMP_TIME_EXCEEDED, 0, &got);
	assert_int_equal(b->fh->n_numbers, 0);
}

static void test_ordinary_connections_set_nothing(void **state)
{
	struct fake_gateway *b = *state;

	connect_to_far(b);
	assert_int_equal(fake_option(b->fh, 0, HOST_OPT_RECVERR), -1);
	assert_int_equal(fake_option(b->fh, 0, HOST_OPT_TTL), -1);
	assert_int_equal(fake_option(b->fh, 0, HOST_OPT_TOS), -1);
}

static void test_hop_limit_follows_the_guest(void **state)
{
	struct fake_gateway *b = *state;

	b->g.ttl = 8;
	tell_syn(b);
	assert_int_equal(fake_option(b->fh, 0, HOST_OPT_TTL), 7);
	assert_int_equal(fake_option(b->fh, 0, HOST_OPT_RECVERR), 1);
	fake_gateway_pass(b, MS);
	b->g.ttl = 64;
	connect_to_far(b);
	assert_int_equal(fake_option(b->fh, 0, HOST_OPT_TTL), IP4_TTL);
	assert_int_equal(fake_option(b->fh, 0, HOST_OPT_RECVERR), 0);
}

static void test_marks_follow_the_guest(void **state)
{
	struct fake_gateway *b = *state;
	struct tcp_hdr h = {.seq = 101, .flags = TCP_ACK};

	b->g.tos = 0x2b; /* with ECN, which is not the host's to repeat */
	h.ack = connect_to_far(b);
	assert_int_equal(fake_option(b->fh, 0, HOST_OPT_TOS), 0x28);
	b->g.tos = 0;
	tell(b, h, ""); /* an ACK alone says nothing */
	assert_int_equal(fake_option(b->fh, 0, HOST_OPT_TOS), 0x28);
	tell(b, h, "hello");
	assert_int_equal(fake_option(b->fh, 0, HOST_OPT_TOS), 0);
}

/* Both have closed: there is no socket any more that could be marked. */
static void test_marks_after_the_end(void **state)
{
	struct fake_gateway *b = *state;
	struct tcp_hdr h = {.seq = 101, .flags = TCP_ACK | TCP_FIN};

	h.ack = connect_to_far(b);
	fake_tcp_push(b->fh, 0, NULL, 0);
	fake_gateway_pass(b, MS);
	h.ack++;
	tell(b, h, "");
	assert_int_equal(b->fh->n_socks, 0);
	b->g.tos = 0x28;
	h.seq = 102;
	h.flags = TCP_ACK;
	tell(b, h, "more");
	assert_int_equal(b->fh->n_socks, 0);
}

#define T(f) \
	cmocka_unit_test_setup_teardown(f, fake_gateway_setup, \
					fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_path_is_asked_again),
		T(test_the_second_try_may_succeed),
		T(test_a_peers_refusal_is_a_reset),
		T(test_no_route),
		T(test_silence_is_not_asked_again),
		T(test_an_empty_queue_leaves_the_errno),
		T(test_a_hop_is_found),
		T(test_first_hop_is_the_gateway),
		T(test_ordinary_connections_set_nothing),
		T(test_hop_limit_follows_the_guest),
		T(test_marks_follow_the_guest),
		T(test_marks_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
