/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a flow could stop, or mix its bytes up, though nothing was lost:
 * exits and sockets that take a part (tcp_sim.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/tcp_hand.h"
#include "nat/tcp_priv.h"

enum { MIB = 1 << 20, KIB = 1 << 10 };

static bool is_open(struct sim *s, void *arg)
{
	return ((struct peer *)arg)->state >= PEER_OPEN;
}

static struct peer *open_at(struct sim *s, uint16_t port)
{
	struct peer *p = peer_connect(s, port, &s->server);

	assert_true(sim_run(s, SIM_SEC, is_open, p));
	assert_int_equal(p->state, PEER_OPEN);
	return p;
}

static struct peer *open_one(struct sim *s)
{
	return open_at(s, 1000);
}

/* The exit takes some frames of a read that emptied the socket: the others'
 * bytes are peeked again, though no edge tells of them. */
static void test_exit_takes_a_part(void **state)
{
	struct sim_config c = {.seed = 1, .peek_after = 1, .room = 4};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s);

	sim_sock_send(s->sock[0], 1000, false);
	sim_pass(s, SIM_SEC);
	for (unsigned i = 1; i < 30; i++)
		sim_sock_send(s->sock[0], 1000 + 1000 * i, false);
	sim_pass(s, SIM_SEC);
	assert_int_equal(p->rx_nxt, 30000);
	assert_false(p->is_bad);
	sim_free(s);
}

/* One batch of a guest has more pieces than one call sends, and the socket
 * fills up between the two: the order is kept. */
static void test_run_in_two_calls(void **state)
{
	struct sim_config c = {.seed = 2, .up_piece = 24, .sndbuf = 9000};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s);
	struct sim_sock *k = s->sock[0];

	k->is_stalled = true;
	p->cwnd = 40 * 1448;
	peer_send(p, 40 * 1448, true);
	sim_pass(s, SIM_SEC);
	assert_int_equal(k->got, 9000);
	sim_sock_resume(k);
	sim_pass(s, 10 * SIM_SEC);
	assert_int_equal(k->got, 40 * 1448);
	assert_false(k->is_bad);
	assert_true(k->is_shut);
	sim_free(s);
}

/* The guest acknowledges at once more than one call throws away, and all is
 * over: nothing unread may be left when the socket is closed. */
static void test_close_after_great_ack(void **state)
{
	struct sim_config c = {.seed = 3, .peek_after = 1, .rcv_buf = 8 * MIB,
			       .rcvbuf = 8 * MIB};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s);
	struct sim_sock *k = s->sock[0];

	s->c.loss_up = 10000;
	sim_sock_send(k, 7 * MIB, true);
	sim_pass(s, 100 * SIM_MS);
	assert_int_equal(p->rx_nxt, 7 * MIB);
	peer_send(p, 10, true);
	s->c.loss_up = 0;
	sim_pass(s, 10 * SIM_SEC);
	assert_int_equal(p->state, PEER_DONE);
	assert_true(k->was_closed);
	assert_false(k->was_reset);
	sim_free(s);
}

static bool has_half(struct sim *s, void *arg)
{
	return ((struct peer *)arg)->rx_nxt >= 3 * MIB;
}

/* Two sockets with much to read, and guests that take all of it: neither is
 * read to its end while the other waits. */
static void test_flows_take_turns(void **state)
{
	struct sim_config c = {.seed = 4, .peek_after = 1, .rcv_buf = 8 * MIB,
			       .rcvbuf = 8 * MIB};
	struct sim *s = sim_new(&c);
	struct peer *a = open_at(s, 1000), *b = open_at(s, 1001);

	sim_sock_send(s->sock[0], 6 * MIB, true);
	sim_sock_send(s->sock[1], 6 * MIB, true);
	assert_true(sim_run(s, 10 * SIM_SEC, has_half, a));
	assert_true(b->rx_nxt >= 2 * MIB);
	sim_pass(s, 10 * SIM_SEC);
	assert_int_equal(a->rx_nxt, 6 * MIB);
	assert_int_equal(b->rx_nxt, 6 * MIB);
	assert_false(a->is_bad || b->is_bad);
	sim_free(s);
}

/* Bytes beyond the guest's FIN belong to no stream and hold nothing up. */
static void test_bytes_beyond_the_fin(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	hand_tell_at(g, TCP_ACK, g->snd + 100, g->rcv, 50);
	(void)hand_hear(g, TCP_ACK);
	hand_tell(g, TCP_ACK | TCP_FIN, 0);
	(void)hand_hear(g, TCP_ACK);
	sim_sock_send(g->k, 0, true);
	hand_settle(g);
	(void)hand_hear(g, TCP_ACK | TCP_FIN);
	hand_tell(g, TCP_ACK, 0);
	assert_true(g->k->was_closed);
	assert_false(g->k->was_reset);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

/* A read stops at an urgent byte, and what is behind it raises no edge. */
static void check_urgent(uint64_t peek_after)
{
	struct sim_config c = {.seed = 4, .peek_after = peek_after};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s);

	sim_sock_send(s->sock[0], 1000, false);
	sim_pass(s, SIM_MS * 10);
	sim_sock_send(s->sock[0], 3000, false);
	sim_sock_urgent(s->sock[0], 2000);
	sim_pass(s, SIM_SEC);
	assert_int_equal(p->rx_nxt, 3000);
	/* ... which is no reason to ask for ever. */
	assert_in_range(s->sock[0]->n_recv, 1, 20);
	sim_free(s);
}

static void test_urgent_byte(void **state)
{
	check_urgent(0);
	check_urgent(1);
}

/* Both sides are over, and bytes that were acknowledged wait for the host: a
 * guest that uses its port again does not take them back. */
static void test_late_rst_while_draining(void **state)
{
	const struct sim_config c = {.seed = 6, .sndbuf = 1000};
	struct hand *g = hand_make_open(&c);

	g->k->is_stalled = true;
	hand_tell(g, TCP_ACK, 1000);
	hand_tell(g, TCP_ACK, 1000);
	hand_tell(g, TCP_ACK, 1000);
	g->next = g->n;
	sim_sock_send(g->k, 0, true);
	hand_settle(g);
	(void)hand_hear(g, TCP_ACK | TCP_FIN);
	hand_tell(g, TCP_ACK | TCP_FIN, 0);
	(void)hand_hear(g, TCP_ACK);
	hand_tell_at(g, TCP_SYN, g->snd + 1000, 0, 0);
	(void)hand_hear(g, TCP_ACK); /* to which the guest says: */
	hand_tell_at(g, TCP_RST, g->snd, 0, 0);
	assert_int_equal(hand_n_flows(g), 1);
	assert_false(g->k->was_closed);
	sim_sock_resume(g->k);
	hand_settle(g);
	assert_int_equal(g->k->got, 3000);
	assert_true(g->k->was_closed);
	assert_false(g->k->was_reset);
	hand_tell_at(g, TCP_SYN, g->snd + 1000, 0, 0);
	assert_int_equal(g->s->n_socks, 2); /* now it may */
	hand_finish(g);
}

/* A guest that was short of memory takes back the window that it gave, and
 * answers every segment so: it is there, however long that lasts. */
static void test_window_taken_back(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	sim_sock_send(g->k, 3000, false);
	hand_settle(g);
	g->win = 0;
	for (unsigned i = 0; i < 60; i++) {
		g->n = g->next = 0;
		hand_tell(g, TCP_ACK, 0);
		sim_pass(g->s, 60 * SIM_SEC);
	}
	assert_int_equal(hand_n_flows(g), 1);
	assert_true(g->n > 0); /* it is asked still */
	g->win = 65535;
	g->rcv += 3000;
	hand_tell(g, TCP_ACK, 0);
	g->n = g->next = 0;
	sim_sock_send(g->k, 3500, false);
	hand_settle(g);
	assert_int_equal(hand_hear(g, TCP_ACK)->len, 500);
	hand_finish(g);
}

/* A guest that acknowledges nothing holds memory, and leaves some for
 * others. */
static void test_memory_for_others(void **state)
{
	struct sim_config c = {.seed = 5, .deny_peek = true,
			       .max_buffer = 64 * 16 * KIB};
	struct sim *s = sim_new(&c);
	struct peer *p;

	for (uint16_t i = 0; i < 20; i++) {
		p = open_at(s, (uint16_t)(1000 + i));
		p->drop_all = true;
		sim_sock_send(s->sock[i], 100 * KIB, true);
	}
	sim_pass(s, 100 * SIM_MS);
	s->guest_ip = sim_other_guest(s);
	p = open_at(s, 2000);
	sim_sock_send(s->sock[20], 200 * KIB, false);
	sim_pass(s, SIM_SEC);
	assert_int_equal(p->rx_nxt, 200 * KIB);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_takes_a_part),
		cmocka_unit_test(test_run_in_two_calls),
		cmocka_unit_test(test_close_after_great_ack),
		cmocka_unit_test(test_flows_take_turns),
		cmocka_unit_test(test_bytes_beyond_the_fin),
		cmocka_unit_test(test_urgent_byte),
		cmocka_unit_test(test_late_rst_while_draining),
		cmocka_unit_test(test_window_taken_back),
		cmocka_unit_test(test_memory_for_others),
	};

	return SIM_RUN(tests);
}
