/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls from outside on several workers, and changes under traffic. */
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

/* ---- flows from outside ---- */

static int host_client(uint16_t port)
{
	struct sockaddr_in sa = legs_loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (void *)&sa, sizeof(sa)), 0);
	return fd;
}

static uint16_t forward_add_tcp(struct legs_bench *b, uint32_t id, addr ip)
{
	struct gateway_forward f = {.id = id,
				    .proto = IPPROTO_TCP,
				    .guest = {.ip = ip, .port = 80},
				    .fd = legs_host_socket(SOCK_STREAM, 0)};
	uint16_t port = legs_port_of(f.fd);

	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
	return port;
}

/* The guest answers by another queue than it was called by. */
static void answer_call(struct legs_bench *b, struct legs_conn *c, unsigned by,
			unsigned q, int fd)
{
	(void)legs_hear_tcp(b, by, c, TCP_SYN);
	legs_say_tcp(b, q, c, TCP_SYN | TCP_ACK, "");
	(void)legs_hear_tcp(b, by, c, TCP_ACK);
	legs_say_tcp(b, q, c, TCP_ACK, "hello");
	legs_host_expect(b, fd, "hello");
	assert_int_equal(send(fd, "there", 5, 0), 5);
	(void)legs_hear_tcp(b, by, c, TCP_PSH);
}

static void test_a_call_from_outside(void **state)
{
	struct legs_bench *b = *state;
	int fd = host_client(forward_add_tcp(b, 1, b->g[0].ip));
	struct legs_conn c = {.sport = 80,
			      .server = fake_ep(10, 0, 2, 2, legs_port_of(fd)),
			      .snd = LEGS_ISS};

	answer_call(b, &c, 0, 2, fd);
	assert_int_equal(legs_n_tcp(b, 0), 1);
	assert_int_equal(gateway_forward_del(b->gw, 1), 0);
	legs_say_tcp(b, 3, &c, TCP_ACK, "still");
	legs_host_expect(b, fd, "still");
	assert_int_equal(dropped(&b->w, DROP_TCP_NO_FLOW), 0);
	close(fd);
}

/* The bucket of this client's connection, which its port decides. */
static uint32_t bucket_of(const struct bucket_holds *h, int client,
			  const struct endpoint *guest, struct legs_conn *c)
{
	struct sockaddr_in sa = legs_loopback(0);

	assert_int_equal(bind(client, (void *)&sa, sizeof(sa)), 0);
	c->server = fake_ep(10, 0, 2, 2, legs_port_of(client));
	return buckets_of(h->b, IPPROTO_TCP, guest, &c->server);
}

/* The bucket of a connection to guest is worker 2's: so is it. */
static void call_other(struct legs_bench *b, addr ip)
{
	struct bucket_holds *h = &b->gw->legs->leg[1]->carrier.holds;
	struct sockaddr_in to = legs_loopback(forward_add_tcp(b, 1, ip));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct legs_conn c = {.sport = 80, .snd = LEGS_ISS};
	const struct endpoint guest = {.ip = ip, .port = 80};
	uint32_t bucket = bucket_of(h, fd, &guest, &c);
	unsigned owner;

	team_pause(b->w.t);
	assert_true(bucket_hold(h, bucket, &owner));
	team_resume(b->w.t);
	assert_int_equal(connect(fd, (void *)&to, sizeof(to)), 0);
	if (!addr_eq(&b->g[0].ip, &ip)) { /* a stranger is asked for */
		until_got(&b->w, b->g[0].port, 1);
		for (unsigned q = 0; q < LEGS_N; q++)
			b->g[q].ip = ip;
		fake_guest_arp(&b->g[0], addr_v4(10, 0, 2, 2));
		fake_guest_kick(&b->g[0]);
	}
	answer_call(b, &c, 2, 3, fd);
	assert_int_equal(legs_n_tcp(b, 0), 0);
	assert_int_equal(legs_n_tcp(b, 2), 1);
	team_pause(b->w.t);
	bucket_release(h, bucket);
	team_resume(b->w.t);
	close(fd);
}

static void test_a_call_is_handed_over(void **state)
{
	call_other(*state, addr_v4(10, 0, 2, 15));
}

static void test_a_call_to_a_stranger(void **state)
{
	call_other(*state, addr_v4(10, 0, 2, 16));
}

/* The guest has a queue for each worker, and so has each its turn. */
static void test_calls_are_shared_out(void **state)
{
	struct legs_bench *b = *state;
	uint16_t port = forward_add_tcp(b, 1, b->g[0].ip);
	struct port_caps caps = b->g[0].port->port.caps;
	const uint64_t *now = loop_now(loop_of(&b->w, 0));
	int fd[2 * LEGS_N];

	caps.queues = LEGS_N;
	lan_port_caps(&b->g[0].port->port, &caps);
	for (unsigned i = 0; i < 2 * LEGS_N; i++) {
		uint64_t before = *now;
		struct legs_conn c = {.sport = 80, .snd = LEGS_ISS};

		while (*now < before + 2000000)
			assert_int_equal(loop_turn(loop_of(&b->w, 0), 1), 0);
		fd[i] = host_client(port);
		c.server = fake_ep(10, 0, 2, 2, legs_port_of(fd[i]));
		answer_call(b, &c, i % LEGS_N, (i + 1) % LEGS_N, fd[i]);
	}
	for (unsigned i = 0; i < LEGS_N; i++)
		assert_int_equal(legs_n_tcp(b, i), 2);
	for (unsigned i = 0; i < 2 * LEGS_N; i++)
		close(fd[i]);
}

static unsigned n_pauses;

static void count_pause(void *arg)
{
	n_pauses++;
	team_pause(((struct legs_bench *)arg)->w.t);
}

/* Whoever has the bucket and calls itself as often as it can stops the others
 * for a part of the time only. */
static void test_calls_cost_few_pauses(void **state)
{
	enum { N = 3000 };
	struct legs_bench *b = *state;
	struct gateway_legs *ls = b->gw->legs;
	int listener = legs_host_socket(SOCK_STREAM, 0), fd;
	struct legs_conn c = legs_conn_to(80, listener);
	const struct nat_inward in = {.guest = fake_ep(10, 0, 2, 15, 80),
				      .peer = c.server};
	struct host_sock sock = HOST_SOCK_NULL;

	/* The pair is in use there: nothing comes of a call but the pause. */
	legs_say_tcp(b, 2, &c, TCP_SYN, "");
	fd = legs_host_accept(b, listener);
	(void)legs_hear_tcp(b, 2, &c, TCP_SYN | TCP_ACK);
	ls->pause = count_pause;
	n_pauses = 0;
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(gateway_legs_connect(b->gw, &sock, &in),
				 -EAGAIN);
	assert_in_range(n_pauses, 1, N / 2);
	close(fd);
	close(listener);
}

/* What may not cost one now is worker 0's, from another port. */
static void test_a_call_from_another_port(void **state)
{
	struct legs_bench *b = *state;
	struct bucket_holds *h = &b->gw->legs->leg[1]->carrier.holds;
	uint16_t port = forward_add_tcp(b, 1, b->g[0].ip);
	struct sockaddr_in sa = legs_loopback(0), to = legs_loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct legs_conn c = {.sport = 80, .snd = LEGS_ISS};
	const struct endpoint guest = fake_ep(10, 0, 2, 15, 80);
	unsigned owner;
	uint32_t bucket;

	assert_int_equal(bind(fd, (void *)&sa, sizeof(sa)), 0);
	c.server = fake_ep(10, 0, 2, 2, legs_port_of(fd));
	bucket = buckets_of(h->b, IPPROTO_TCP, &guest, &c.server);
	team_pause(b->w.t);
	assert_true(bucket_hold(h, bucket, &owner));
	team_resume(b->w.t);
	b->gw->legs->paid_ns = UINT64_MAX / 2;
	c.server.port = 49152; /* the first of those that are given */
	assert_int_equal(connect(fd, (void *)&to, sizeof(to)), 0);
	answer_call(b, &c, 0, 3, fd);
	assert_int_equal(legs_n_tcp(b, 0), 1);
	assert_int_equal(legs_n_tcp(b, 2), 0);
	team_pause(b->w.t);
	bucket_release(h, bucket);
	team_resume(b->w.t);
	close(fd);
}

/* The client of a forward is answered by the forward, by whatever queue. */
static void test_a_forward_of_udp(void **state)
{
	struct legs_bench *b = *state;
	int fd = legs_host_socket(SOCK_DGRAM, 0),
	    fwd = legs_host_socket(SOCK_DGRAM, 0);
	struct gateway_forward f = {.id = 1,
				    .proto = IPPROTO_UDP,
				    .guest = fake_ep(10, 0, 2, 15, 53),
				    .fd = fwd};
	struct sockaddr_in sa = legs_loopback(legs_port_of(fwd));
	struct endpoint to = fake_ep(10, 0, 2, 2, legs_port_of(fd));
	uint16_t port = legs_port_of(fwd);

	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
	assert_int_equal(sendto(fd, "ask", 3, 0, (void *)&sa, sizeof(sa)), 3);
	until_got(&b->w, b->g[0].port, 1);
	for (unsigned q = 0; q < LEGS_N; q++) {
		legs_say_udp(b, q, 53, &to, "answer");
		assert_int_equal(legs_host_heard(b, fd, "answer"), port);
	}
	assert_int_equal(gateway_forward_del(b->gw, 1), 0);
	legs_say_udp(b, 2, 53, &to, "late");
	assert_int_not_equal(legs_host_heard(b, fd, "late"), port);
	assert_int_equal(legs_n_udp(b, 2), 1);
	close(fd);
}

static void forward_add_udp(struct legs_bench *b, uint32_t id, uint16_t port)
{
	struct gateway_forward f = {.id = id,
				    .proto = IPPROTO_UDP,
				    .guest = fake_ep(10, 0, 2, 15, port),
				    .fd = legs_host_socket(SOCK_DGRAM, 0)};

	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
}

/* The others are stopped only for what they are to know. */
static void test_what_forwards_cost(void **state)
{
	struct legs_bench *b = *state;
	struct gateway_legs *ls = b->gw->legs;

	ls->pause = count_pause;
	n_pauses = 0;
	(void)forward_add_tcp(b, 1, b->g[0].ip);
	assert_int_equal(gateway_forward_del(b->gw, 1), 0);
	assert_int_equal(n_pauses, 0);
	forward_add_udp(b, 2, 53);
	assert_int_equal(n_pauses, 1);
	forward_add_udp(b, 3, 53);
	assert_int_equal(gateway_forward_del(b->gw, 2), 0);
	assert_int_equal(n_pauses, 1);
	assert_true(gateway_legs_forward(ls, 53));
	forward_add_udp(b, 4, 54);
	assert_int_equal(gateway_forward_del(b->gw, 3), 0);
	assert_int_equal(n_pauses, 3);
	assert_false(gateway_legs_forward(ls, 53));
	assert_true(gateway_legs_forward(ls, 54));
}

/* ---- changes under traffic ---- */

static void queue_many(struct legs_bench *b, const struct endpoint *to)
{
	for (unsigned i = 0; i < LEGS_N; i++) {
		for (unsigned k = 0; k < 4 * LEGS_MANY; k++)
			fake_guest_udp(&b->g[i], (uint16_t)(9000 + k % 100), to,
				       "x", 1);
	}
}

static void test_forwards_change_meanwhile(void **state)
{
	struct legs_bench *b = *state;
	int fd = legs_host_socket(SOCK_DGRAM, 0);
	struct endpoint to = fake_ep(10, 0, 2, 2, legs_port_of(fd));
	struct legs_talk t[LEGS_N];
	struct legs_sum s = {b, 100};

	team_pause(b->w.t);
	queue_many(b, &to);
	legs_talk_all(b, t);
	team_resume(b->w.t);
	for (uint32_t id = 1; id <= 50; id++) {
		struct gateway_forward f = {
			.id = id,
			.proto = IPPROTO_UDP,
			.guest = fake_ep(10, 0, 2, 15, (uint16_t)(9200 + id)),
			.fd = legs_host_socket(SOCK_DGRAM, 0)};

		assert_int_equal(gateway_forward_add(b->gw, &f), 0);
		(void)forward_add_tcp(b, 1000 + id, b->g[0].ip);
		assert_int_equal(loop_turn(loop_of(&b->w, 0), 0), 0);
		assert_int_equal(gateway_forward_del(b->gw, 1000 + id), 0);
		gateway_network(b->gw, &to.ip, 1);
	}
	for (uint32_t id = 1; id <= 50; id++)
		assert_int_equal(gateway_forward_del(b->gw, id), 0);
	until(&b->w, legs_has_flows, &s);
	close(fd);
}

/* Its flows are told good-bye; what comes later is nobody's. */
static void test_it_goes_under_traffic(void **state)
{
	struct legs_bench *b = *state;
	int listener = legs_host_socket(SOCK_STREAM, 0), fd;
	struct legs_conn c = legs_conn_to(5000, listener);
	struct endpoint to = fake_ep(10, 0, 2, 2, 9);
	struct legs_talk t[LEGS_N];

	legs_say_tcp(b, 1, &c, TCP_SYN, "");
	fd = legs_host_accept(b, listener);
	(void)legs_hear_tcp(b, 1, &c, TCP_SYN | TCP_ACK);
	legs_say_tcp(b, 1, &c, TCP_ACK, "");
	team_pause(b->w.t);
	queue_many(b, &to);
	legs_talk_all(b, t);
	team_resume(b->w.t);
	assert_int_equal(loop_turn(loop_of(&b->w, 0), 0), 0);
	b->gw = gateway_free(b->gw);
	(void)legs_hear_tcp(b, 1, &c, TCP_RST);
	until(&b->w, legs_is_readable, &fd);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(loop_turn(loop_of(&b->w, 0), 2), 0);
	close(fd);
	close(listener);
}

#define T(name) cmocka_unit_test_setup_teardown(name, legs_setup, legs_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_call_from_outside),
		T(test_a_call_is_handed_over),
		T(test_a_call_to_a_stranger),
		T(test_calls_are_shared_out),
		T(test_calls_cost_few_pauses),
		T(test_a_call_from_another_port),
		T(test_a_forward_of_udp),
		T(test_what_forwards_cost),
		T(test_forwards_change_meanwhile),
		T(test_it_goes_under_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
