/* SPDX-License-Identifier: BSD-3-Clause */
/* Flows of a guest on several workers: each stays with one. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/fake_legs.h"
#include "wire/csum.h"
#include "wire/ip4.h"

/* It begins by queue 1, and goes on by all of them. */
static void test_a_flow_stays_with_its_worker(void **state)
{
	struct legs_bench *b = *state;
	int listener = legs_host_socket(SOCK_STREAM, 0), fd;
	struct legs_conn c = legs_conn_to(5000, listener);
	struct gateway_stats st;

	legs_say_tcp(b, 1, &c, TCP_SYN, "");
	fd = legs_host_accept(b, listener);
	(void)legs_hear_tcp(b, 1, &c, TCP_SYN | TCP_ACK);
	assert_int_equal(legs_n_tcp(b, 1), 1);
	legs_say_tcp(b, 2, &c, TCP_ACK, "two ");
	legs_host_expect(b, fd, "two ");
	legs_say_tcp(b, 0, &c, TCP_ACK, "none ");
	legs_host_expect(b, fd, "none ");
	legs_say_tcp(b, 3, &c, TCP_ACK, "three ");
	legs_host_expect(b, fd, "three ");
	legs_say_tcp(b, 1, &c, TCP_ACK, "one");
	legs_host_expect(b, fd, "one");
	team_pause(b->w.t);
	fake_clear(b->g[1].port);
	team_resume(b->w.t);
	assert_int_equal(send(fd, "answer", 6, 0), 6);
	(void)legs_hear_tcp(b, 1, &c, TCP_PSH);
	assert_int_equal(legs_n_tcp(b, 1), 1);
	gateway_stats(b->gw, &st);
	assert_int_equal(st.n_tcp, 1);
	assert_int_equal(dropped(&b->w, DROP_TCP_NO_FLOW), 0);
	/* A reset by another queue ends it, and anybody may begin anew. */
	legs_say_tcp(b, 3, &c, TCP_RST, "");
	close(fd);
	while (legs_n_tcp(b, 1))
		assert_int_equal(loop_turn(loop_of(&b->w, 0), 2), 0);
	c.snd = 5 * LEGS_ISS;
	legs_say_tcp(b, 2, &c, TCP_SYN, "");
	fd = legs_host_accept(b, listener);
	(void)legs_hear_tcp(b, 2, &c, TCP_SYN | TCP_ACK);
	assert_int_equal(legs_n_tcp(b, 2), 1);
	close(fd);
	close(listener);
}

static void test_a_mapping_stays_with_its_worker(void **state)
{
	struct legs_bench *b = *state;
	int fd = legs_host_socket(SOCK_DGRAM, 0),
	    other = legs_host_socket(SOCK_DGRAM, 0);
	struct endpoint to = fake_ep(10, 0, 2, 2, legs_port_of(fd));
	struct endpoint to_other = fake_ep(10, 0, 2, 2, legs_port_of(other));
	struct sockaddr_in sa;
	uint16_t from;

	legs_say_udp(b, 1, 6000, &to, "one");
	from = legs_host_heard(b, fd, "one");
	for (unsigned q = 0; q < LEGS_N; q++) {
		legs_say_udp(b, q, 6000, &to, "again");
		assert_int_equal(legs_host_heard(b, fd, "again"), from);
		/* To whomever (RFC 4787 REQ-1). */
		legs_say_udp(b, q, 6000, &to_other, "other");
		assert_int_equal(legs_host_heard(b, other, "other"), from);
	}
	assert_int_equal(legs_n_udp(b, 1), 1);
	sa = legs_loopback(from);
	assert_int_equal(sendto(fd, "back", 4, 0, (void *)&sa, sizeof(sa)), 4);
	until_got(&b->w, b->g[1].port, 1);
	/* Another port of the guest is another's. */
	legs_say_udp(b, 3, 6001, &to, "three");
	assert_int_not_equal(legs_host_heard(b, fd, "three"), from);
	assert_int_equal(legs_n_udp(b, 3), 1);
	assert_int_equal(legs_n_udp(b, 0) + legs_n_udp(b, 2), 0);
	close(fd);
	close(other);
}

/* Worker 0 puts them together, and leg 1 sends the whole. */
static void test_fragments(void **state)
{
	struct legs_bench *b = *state;
	int fd = legs_host_socket(SOCK_DGRAM, 0);
	struct endpoint to = fake_ep(10, 0, 2, 2, legs_port_of(fd));
	char text[2001];
	uint8_t whole[2008];
	struct wr w = wr_init(whole, sizeof(whole));
	uint16_t from;

	legs_say_udp(b, 1, 6000, &to, "one");
	from = legs_host_heard(b, fd, "one");
	memset(text, 'x', sizeof(text) - 1);
	text[2000] = '\0';
	wr_u16(&w, 6000);
	wr_u16(&w, to.port);
	wr_u16(&w, sizeof(whole));
	wr_u16(&w, 0);
	wr_bytes(&w, text, 2000);
	team_pause(b->w.t);
	b->g[2].df = false;
	b->g[2].frag = IP4_F_MF;
	fake_guest_ip(&b->g[2], to.ip, IPPROTO_UDP, whole, 1200);
	b->g[2].frag = 1200 / 8;
	fake_guest_ip(&b->g[2], to.ip, IPPROTO_UDP, whole + 1200,
		      sizeof(whole) - 1200);
	fake_guest_kick(&b->g[2]);
	team_resume(b->w.t);
	assert_int_equal(legs_host_heard(b, fd, text), from);
	assert_int_equal(legs_n_udp(b, 0), 0);
	close(fd);
}

/* The same connections begin by all queues at once. */
static void test_one_of_many_claims(void **state)
{
	struct legs_bench *b = *state;
	int listener = legs_host_socket(SOCK_STREAM, 0), fd[LEGS_MANY];
	struct legs_sum s = {b, LEGS_MANY};
	struct gateway_stats st;
	struct legs_talk t[LEGS_N];

	team_pause(b->w.t);
	for (unsigned i = 0; i < LEGS_N; i++) {
		for (unsigned k = 0; k < LEGS_MANY; k++) {
			struct legs_conn c =
				legs_conn_to((uint16_t)(7000 + k), listener);

			legs_put_segment(&b->g[i], &c, TCP_SYN, "");
		}
	}
	legs_talk_all(b, t);
	team_resume(b->w.t);
	until(&b->w, legs_has_flows, &s);
	for (unsigned k = 0; k < LEGS_MANY; k++)
		fd[k] = legs_host_accept(b, listener);
	/* All that was on its way has come. */
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(loop_turn(loop_of(&b->w, 0), 2), 0);
	gateway_stats(b->gw, &st);
	assert_int_equal(st.n_tcp, LEGS_MANY);
	assert_false(legs_is_readable(&b->w, &listener));
	for (unsigned k = 0; k < LEGS_MANY; k++)
		close(fd[k]);
	close(listener);
}

/* Each by a queue of its own, and all at the same time. */
static void test_flows_of_all_queues(void **state)
{
	struct legs_bench *b = *state;
	int fd = legs_host_socket(SOCK_DGRAM, 0);
	struct endpoint to = fake_ep(10, 0, 2, 2, legs_port_of(fd));
	struct legs_sum s = {b, LEGS_N * LEGS_MANY};
	struct legs_talk t[LEGS_N];

	team_pause(b->w.t);
	for (unsigned i = 0; i < LEGS_N; i++) {
		for (unsigned k = 0; k < LEGS_MANY; k++)
			fake_guest_udp(&b->g[i],
				       (uint16_t)(8000 + i * LEGS_MANY + k),
				       &to, "x", 1);
	}
	legs_talk_all(b, t);
	team_resume(b->w.t);
	until(&b->w, legs_has_flows, &s);
	for (unsigned i = 0; i < LEGS_N * LEGS_MANY; i++)
		(void)legs_host_heard(b, fd, "x");
	for (unsigned i = 0; i < LEGS_N; i++)
		assert_true(legs_n_udp(b, i) > LEGS_MANY / 2);
	close(fd);
}

static void put_refusal(struct fake_guest *g, const struct endpoint *peer,
			uint16_t port)
{
	uint8_t buf[8 + 20 + 8];
	struct wr w = wr_init(buf, sizeof(buf));
	struct ip4_hdr ip = {.total_len = 28,
			     .ttl = 64,
			     .proto = IPPROTO_UDP,
			     .src = peer->ip,
			     .dst = g->ip};
	uint16_t sum;

	wr_u8(&w, 3); /* unreachable */
	wr_u8(&w, 3); /* port */
	wr_u16(&w, 0);
	wr_u32(&w, 0);
	ip4_emit(&w, &ip);
	wr_u16(&w, peer->port);
	wr_u16(&w, port);
	wr_u16(&w, 8);
	wr_u16(&w, 0);
	sum = csum_fold(csum_add(buf, sizeof(buf), 0));
	buf[2] = (uint8_t)(sum >> 8);
	buf[3] = (uint8_t)sum;
	fake_guest_ip(g, peer->ip, IPPROTO_ICMP, buf, sizeof(buf));
}

static bool is_refused(struct world *w, void *arg)
{
	(void)w;
	return ((struct legs_bench *)arg)->n_refused > 0;
}

static void test_a_guest_refuses(void **state)
{
	struct legs_bench *b = *state;
	int fd = legs_host_socket(SOCK_DGRAM, 0);
	struct endpoint peer = fake_ep(10, 0, 2, 2, legs_port_of(fd));
	struct sockaddr_in sa;

	legs_say_udp(b, 1, 6000, &peer, "one");
	sa = legs_loopback(legs_host_heard(b, fd, "one"));
	assert_int_equal(sendto(fd, "back", 4, 0, (void *)&sa, sizeof(sa)), 4);
	until_got(&b->w, b->g[1].port, 1);
	team_pause(b->w.t);
	put_refusal(&b->g[2], &peer, 6000);
	fake_guest_kick(&b->g[2]);
	team_resume(b->w.t);
	until(&b->w, is_refused, b);
	assert_int_equal(b->refused.port, peer.port);
	assert_int_equal(b->n_refused, 1);
	close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, legs_setup, legs_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_flow_stays_with_its_worker),
		T(test_a_mapping_stays_with_its_worker),
		T(test_fragments),
		T(test_one_of_many_claims),
		T(test_flows_of_all_queues),
		T(test_a_guest_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
