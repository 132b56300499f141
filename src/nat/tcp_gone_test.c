/* SPDX-License-Identifier: BSD-3-Clause */
/* The host loses addresses: which flows end, how, and which live on; by
 * segments made by hand (tcp_hand.h). */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/tcp_hand.h"

static const addr here = {
	{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 2}};
static const addr there = {
	{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 2}};

static void lose(struct hand *g, const addr *a)
{
	const addr gone[2] = {{{0x20, 1}}, *a};

	tcp_addrs_gone(g->s->tcp, gone, 2);
	hand_settle(g);
}

static struct hand *make_open(void)
{
	struct hand *g = hand_make_open(&hand_usual);

	g->k->local = here;
	return g;
}

static void test_another_address_is_no_matter(void **state)
{
	struct hand *g = make_open();

	lose(g, &there);
	g->k->local = (addr){{0}}; /* a unix socket has none */
	lose(g, &here);
	hand_hear_nothing(g);
	hand_tell(g, TCP_ACK, 100);
	hand_hear(g, TCP_ACK);
	assert_int_equal(g->k->got, 100);
	assert_int_equal(hand_n_flows(g), 1);
	hand_finish(g);
}

static void test_open_flow_is_reset(void **state)
{
	struct hand *g = make_open();

	lose(g, &here);
	assert_int_equal(hand_hear(g, TCP_RST | TCP_ACK)->h.ack, g->snd);
	assert_int_equal(hand_n_flows(g), 0);
	assert_true(g->k->was_closed && g->k->was_reset);
	hand_finish(g);
}

/* What came before is the guest's. */
static void test_what_has_come_is_not_lost(void **state)
{
	struct hand *g = make_open();

	sim_sock_send(g->k, 500, false);
	lose(g, &here);
	assert_int_equal(hand_hear(g, TCP_ACK)->len, 500);
	hand_hear(g, TCP_RST | TCP_ACK);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

static void test_flow_that_waits_for_its_end(void **state)
{
	struct hand *g = make_open();

	sim_sock_send(g->k, 0, true);
	hand_settle(g);
	hand_hear(g, TCP_FIN | TCP_ACK);
	hand_tell(g, TCP_ACK, 0); /* FIN_WAIT_2 */
	lose(g, &here);
	hand_hear(g, TCP_RST | TCP_ACK);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);

	g = make_open();
	hand_tell(g, TCP_FIN | TCP_ACK, 0); /* CLOSE_WAIT */
	hand_hear(g, TCP_ACK);
	lose(g, &here);
	hand_hear(g, TCP_RST | TCP_ACK);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

static void test_handshake_is_reset(void **state)
{
	struct hand *g = hand_make_syn_rcvd(&hand_usual);

	g->k->local = here;
	lose(g, &here);
	hand_hear(g, TCP_RST | TCP_ACK);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

/* The guest waits for a connection: it gets one from where the host is now. */
static void test_connect_begins_anew(void **state)
{
	struct sim_config c = {.seed = 1, .slow_connect = true};
	struct hand *g = hand_make(&c);
	struct sim_sock *k;

	hand_tell(g, TCP_SYN, 0);
	k = g->s->sock[0];
	k->local = here;
	lose(g, &there);
	assert_int_equal(g->s->n_socks, 1);
	lose(g, &here);
	hand_hear_nothing(g);
	assert_true(k->was_closed);
	assert_int_equal(g->s->n_socks, 2);
	assert_true(endpoint_eq(&g->s->sock[1]->to, &g->s->server));
	sim_pass(g->s, 30 * SIM_MS);
	hand_hear(g, TCP_SYN | TCP_ACK);
	assert_int_equal(hand_n_flows(g), 1);
	hand_finish(g);
}

/* And if there is no way any more, it is told so. */
static void test_connect_that_cannot_begin_anew(void **state)
{
	struct sim_config c = {.seed = 1, .slow_connect = true};
	struct hand *g = hand_make(&c);

	hand_tell(g, TCP_SYN, 0);
	g->s->sock[0]->local = here;
	g->s->c.slow_connect = false;
	g->s->c.connect_err = ENETUNREACH;
	lose(g, &here);
	assert_int_equal(g->s->n_unreachable, 1);
	assert_int_equal(g->s->last_unreachable, ENETUNREACH);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

/* Nobody waits for a way that has gone; what is open waits for another. */
static void test_way_is_gone(void **state)
{
	struct sim_config c = {.seed = 1, .slow_connect = true};
	struct hand *g = hand_make(&c);
	bool is_v4;

	hand_tell(g, TCP_SYN, 0);
	g->s->sock[0]->local = here;
	is_v4 = addr_is_v4(&here);
	tcp_way_gone(g->s->tcp, !is_v4);
	hand_settle(g);
	assert_int_equal(g->s->n_socks, 1);
	g->s->c.slow_connect = false;
	g->s->c.connect_err = ENETUNREACH;
	tcp_way_gone(g->s->tcp, is_v4);
	hand_settle(g);
	assert_int_equal(g->s->last_unreachable, ENETUNREACH);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);

	g = make_open();
	tcp_way_gone(g->s->tcp, true);
	tcp_way_gone(g->s->tcp, false);
	hand_settle(g);
	hand_hear_nothing(g);
	assert_int_equal(hand_n_flows(g), 1);
	hand_finish(g);
}

static void test_forwarded_flow_is_reset(void **state)
{
	struct hand *g = hand_make(&hand_usual);
	struct host_sock hs = HOST_SOCK_NULL;
	const struct nat_inward in = {.guest = {g->s->guest_ip, PORT},
				      .peer = g->s->server};

	g->k = sim_client(g->s, &hs);
	g->k->local = here;
	assert_int_equal(tcp_connect_guest(g->s->tcp, &hs, &in), 0);
	hand_settle(g);
	hand_hear(g, TCP_SYN);
	lose(g, &here);
	hand_hear(g, TCP_RST);
	assert_int_equal(hand_n_flows(g), 0);
	assert_true(g->k->was_reset);
	hand_finish(g);
}

/* Many at once, each to its own guest's port. */
static void test_many_flows(void **state)
{
	struct sim *s = sim_new(&hand_usual);
	struct peer *p[200];

	for (unsigned i = 0; i < 200; i++)
		p[i] = peer_connect(s, (uint16_t)(1000 + i), &s->server);
	sim_pass(s, 10 * SIM_MS);
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(p[i]->state, PEER_OPEN);
		s->sock[i]->local = i % 2 ? here : there;
	}
	tcp_addrs_gone(s->tcp, &here, 1);
	sim_pass(s, 10 * SIM_MS);
	assert_int_equal(s->n_open, 100);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(s->sock[i]->was_closed, i % 2);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_address_is_no_matter),
		cmocka_unit_test(test_open_flow_is_reset),
		cmocka_unit_test(test_what_has_come_is_not_lost),
		cmocka_unit_test(test_flow_that_waits_for_its_end),
		cmocka_unit_test(test_handshake_is_reset),
		cmocka_unit_test(test_connect_begins_anew),
		cmocka_unit_test(test_connect_that_cannot_begin_anew),
		cmocka_unit_test(test_way_is_gone),
		cmocka_unit_test(test_forwarded_flow_is_reset),
		cmocka_unit_test(test_many_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
