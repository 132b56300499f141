/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a flow ends and what it refuses, by segments made by hand (tcp_hand.h).
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/tcp_hand.h"

static void test_guest_resets(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	hand_tell_at(g, TCP_RST, g->snd + 5, 0, 0); /* RFC 5961: challenged */
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd);
	hand_tell_at(g, TCP_RST, g->snd - 5, 0, 0);
	hand_tell_at(g, TCP_RST, g->snd + 2000000, 0, 0);
	assert_int_equal(hand_drops(g, DROP_TCP_WINDOW), 2);
	hand_hear_nothing(g);
	assert_int_equal(hand_n_flows(g), 1);
	hand_tell(g, TCP_RST, 0);
	assert_int_equal(hand_n_flows(g), 0);
	assert_true(g->k->was_reset);
	hand_hear_nothing(g);
	hand_finish(g);
}

static void test_host_resets(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	sim_sock_send(g->k, 500, false);
	hand_settle(g);
	hand_hear(g, TCP_ACK);
	sim_sock_reset(g->k);
	hand_settle(g);
	assert_int_equal(hand_hear(g, TCP_RST | TCP_ACK)->h.seq, g->rcv);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

/* What the host sent before its RST arrives before the RST. */
static void test_host_resets_after_data(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	sim_sock_send(g->k, 500, false);
	sim_sock_reset(g->k);
	hand_settle(g);
	assert_int_equal(hand_hear(g, TCP_ACK)->len, 500);
	hand_hear(g, TCP_RST | TCP_ACK);
	hand_finish(g);
}

static void test_host_resets_after_eof(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	sim_sock_send(g->k, 0, true);
	hand_settle(g);
	hand_hear(g, TCP_FIN | TCP_ACK);
	hand_tell(g, TCP_ACK, 0);
	sim_sock_reset(g->k);
	hand_settle(g);
	hand_hear(g, TCP_RST | TCP_ACK);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

static void test_send_fails(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	g->k->send_err = EPIPE;
	g->k->err = EPIPE;
	hand_tell(g, TCP_ACK, 10);
	assert_int_equal(hand_hear(g, TCP_RST | TCP_ACK)->h.ack, g->snd - 10);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

static void test_send_no_memory(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	g->k->send_err = ENOBUFS;
	hand_tell(g, TCP_ACK, 10);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd); /* stored */
	assert_int_equal(g->k->got, 0);
	g->k->send_err = 0;
	sim_pass(g->s, 20 * SIM_MS);
	assert_int_equal(g->k->got, 10);
	hand_finish(g);
}

static void test_syn_when_open(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	hand_tell_at(g, TCP_SYN, ISS + 12345, 0, 0);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd);
	assert_int_equal(hand_drops(g, DROP_TCP_BAD_STATE), 1);
	hand_tell_at(g, TCP_SYN, ISS + 12345, 0, 0);
	hand_hear_nothing(g); /* rationed */
	assert_int_equal(hand_n_flows(g), 1);
	hand_finish(g);
}

static void test_no_flow(void **state)
{
	struct hand *g = hand_make(&hand_usual);

	hand_tell_at(g, TCP_ACK, 5, 77, 10);
	assert_int_equal(hand_hear(g, TCP_RST)->h.seq, 77);
	hand_tell_at(g, TCP_FIN, 5, 0, 10);
	assert_int_equal(hand_hear(g, TCP_RST | TCP_ACK)->h.ack, 16);
	hand_tell_at(g, TCP_RST, 5, 0, 0);
	hand_hear_nothing(g);
	hand_tell_at(g, TCP_SYN | TCP_ACK, 5, 7, 0);
	assert_int_equal(hand_hear(g, TCP_RST)->h.seq, 7);
	assert_int_equal(hand_drops(g, DROP_TCP_NO_FLOW), 4);
	hand_finish(g);
}

static void test_old_bytes(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	hand_tell(g, TCP_ACK, 100);
	hand_hear(g, TCP_ACK);
	hand_tell_at(g, TCP_ACK, g->snd - 100, g->rcv, 100);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd);
	assert_int_equal(hand_drops(g, DROP_TCP_OLD), 1);
	hand_tell_at(g, TCP_ACK, g->snd - 60, g->rcv, 100); /* 60 of them old */
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd + 40);
	assert_int_equal(g->k->got, 140);
	assert_false(g->k->is_bad);
	hand_finish(g);
}

static void test_beyond_window(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	hand_tell_at(g, TCP_ACK, g->snd + 70000, g->rcv, 100);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd);
	assert_int_equal(hand_drops(g, DROP_TCP_WINDOW), 1);
	hand_tell_at(g, TCP_ACK, g->snd + 65500, g->rcv, 100); /* cut */
	hand_hear(g, TCP_ACK);
	assert_int_equal(hand_drops(g, DROP_TCP_WINDOW), 2);
	hand_tell_at(g, TCP_ACK, g->snd, g->rcv + 1, 0); /* ACK of the future */
	assert_int_equal(hand_drops(g, DROP_TCP_WINDOW), 3);
	hand_finish(g);
}

static void test_no_ack_flag(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	hand_tell_at(g, 0, g->snd, 0, 10);
	assert_int_equal(hand_drops(g, DROP_TCP_BAD_STATE), 1);
	assert_int_equal(g->k->got, 0);
	hand_finish(g);
}

static void test_data_after_fin(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	hand_tell(g, TCP_FIN | TCP_ACK, 0);
	hand_hear(g, TCP_ACK);
	hand_tell(g, TCP_ACK, 10);
	assert_int_equal(hand_drops(g, DROP_TCP_BAD_STATE), 1);
	assert_int_equal(g->k->got, 0);
	hand_finish(g);
}

/* A host that ends at once acknowledges the guest's end by its own. */
static void test_ends_in_one_frame(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);
	struct tcp_hdr fin = {.flags = TCP_FIN | TCP_ACK,
			      .seq = g->snd,
			      .ack = g->rcv,
			      .win = g->win};

	peer_raw(g->p, &fin, NULL, 0);
	sim_pass(g->s, SIM_MS / 2);
	assert_true(g->k->is_shut);
	hand_hear_nothing(g);
	sim_sock_send(g->k, 0, true);
	hand_settle(g);
	assert_int_equal(hand_hear(g, TCP_FIN | TCP_ACK)->h.ack, g->snd + 1);
	hand_hear_nothing(g);
	hand_finish(g);
}

static void test_fin_out_of_order(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);
	uint32_t seq = g->snd;

	hand_tell_at(g, TCP_FIN | TCP_ACK, seq + 10, g->rcv, 10);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, seq);
	assert_false(g->k->is_shut);
	hand_tell_at(g, TCP_ACK, seq, g->rcv, 10);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, seq + 21);
	assert_true(g->k->is_shut);
	assert_int_equal(g->k->got, 20);
	assert_false(g->k->is_bad);
	hand_finish(g);
}

static void test_bare_fin_out_of_order(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);
	uint32_t seq = g->snd;

	hand_tell_at(g, TCP_FIN | TCP_ACK, seq + 10, g->rcv, 0);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, seq);
	hand_tell_at(g, TCP_ACK, seq, g->rcv, 10);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, seq + 11);
	assert_true(g->k->is_shut);
	hand_finish(g);
}

static void test_paws(void **state)
{
	struct hand *g = hand_make(&hand_usual);
	struct tcp_hdr h = {.flags = TCP_SYN,
			    .seq = ISS,
			    .win = 65535,
			    .has_ts = true,
			    .ts_val = 1000};

	g->ts = true;
	g->ts_val = 1000;
	peer_raw(g->p, &h, NULL, 0);
	hand_settle(g);
	hand_hear(g, TCP_SYN | TCP_ACK);
	g->k = g->s->sock[0];
	g->snd = ISS + 1;
	hand_tell(g, TCP_ACK, 10);
	hand_hear(g, TCP_ACK);
	g->ts_val = 900;
	hand_tell_at(g, TCP_ACK, g->snd, g->rcv, 10);
	assert_int_equal(hand_drops(g, DROP_TCP_OLD), 1);
	assert_int_equal(g->k->got, 10);
	g->ts_val = 1001;
	hand_tell_at(g, TCP_ACK, g->snd, g->rcv, 10);
	assert_int_equal(g->k->got, 20);
	hand_finish(g);
}

static void test_short_header(void **state)
{
	struct hand *g = hand_make(&hand_usual);
	unsigned l4 = g->s->l4;
	uint8_t b[80] = {0};
	struct packet pkt = {.eth_src = sim_guest_mac,
			     .proto = IPPROTO_TCP,
			     .src = g->p->me,
			     .dst = g->s->server,
			     .l3_off = 14,
			     .l4_off = (uint16_t)l4,
			     .l4_len = 26};
	struct frame f = frame_flat(b, l4 + 26);

	b[l4 + 12] = 0x40; /* a header of 16 bytes */
	tcp_input(g->s->tcp, &pkt, &f);
	b[l4 + 12] = 0x80; /* of 32, of which 26 are there */
	tcp_input(g->s->tcp, &pkt, &f);
	tcp_flush(g->s->tcp);
	assert_int_equal(hand_drops(g, DROP_TCP_SHORT), 2);
	b[l4 + 12] = 0x50;
	tcp_input(g->s->tcp, &pkt, &f);
	tcp_flush(g->s->tcp);
	assert_int_equal(hand_drops(g, DROP_TCP_CSUM), 1);
	hand_finish(g);
}

static void test_guest_vanishes_in_flight(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);
	struct tcp_stats st;

	sim_sock_send(g->k, 100, false);
	sim_pass(g->s, 1000 * SIM_SEC);
	tcp_stats(g->s->tcp, &st);
	assert_int_equal(st.n_rto, 15);
	assert_int_equal(st.n_flows, 0);
	assert_true(g->k->was_reset);
	assert_int_equal(g->got[g->n - 1].h.flags & TCP_RST, TCP_RST);
	g->next = g->n;
	hand_finish(g);
}

static void test_keepalive(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	sim_pass(g->s, 7201 * SIM_SEC);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.seq, g->got[0].h.seq);
	g->rcv = g->got[0].h.seq + 1;
	hand_tell(g, TCP_ACK, 0); /* it lives */
	sim_pass(g->s, 7100 * SIM_SEC);
	hand_hear_nothing(g);
	sim_pass(g->s, 900 * SIM_SEC); /* now it does not */
	assert_int_equal(hand_n_flows(g), 0);
	assert_true(g->k->was_reset);
	hand_finish(g);
}

static void test_keepalive_of_guest(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	hand_tell_at(g, TCP_ACK, g->snd - 1, g->rcv, 0);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd);
	hand_finish(g);
}

static void test_persist(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	g->win = 0;
	hand_tell(g, TCP_ACK, 0);
	sim_sock_send(g->k, 500, false);
	hand_settle(g);
	hand_hear_nothing(g);
	for (int i = 0; i < 3; i++) {
		sim_pass(g->s, 5 * SIM_SEC);
		assert_true(g->n > g->next);
		while (g->next < g->n)
			assert_int_equal(hand_hear(g, TCP_ACK)->len, 0);
		g->rcv = g->got[0].h.seq + 1;
		hand_tell(g, TCP_ACK, 0);
	}
	g->win = 200; /* some */
	hand_tell(g, TCP_ACK, 0);
	sim_pass(g->s, SIM_SEC);
	while (g->next < g->n && g->got[g->next].len == 0)
		g->next++;
	assert_int_equal(hand_hear(g, TCP_ACK)->len, 200);
	hand_finish(g);
}

static void test_persist_gives_up(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	g->win = 0;
	hand_tell(g, TCP_ACK, 0);
	sim_sock_send(g->k, 500, false);
	sim_pass(g->s, 2000 * SIM_SEC);
	assert_int_equal(hand_n_flows(g), 0);
	assert_true(g->k->was_reset);
	hand_finish(g);
}

static void test_free_resets_all(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	/* sim_free() sees to the socket. */
	g->s->on_down = NULL;
	hand_finish(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guest_resets),
		cmocka_unit_test(test_host_resets),
		cmocka_unit_test(test_host_resets_after_data),
		cmocka_unit_test(test_host_resets_after_eof),
		cmocka_unit_test(test_send_fails),
		cmocka_unit_test(test_send_no_memory),
		cmocka_unit_test(test_syn_when_open),
		cmocka_unit_test(test_no_flow),
		cmocka_unit_test(test_old_bytes),
		cmocka_unit_test(test_beyond_window),
		cmocka_unit_test(test_no_ack_flag),
		cmocka_unit_test(test_data_after_fin),
		cmocka_unit_test(test_ends_in_one_frame),
		cmocka_unit_test(test_fin_out_of_order),
		cmocka_unit_test(test_bare_fin_out_of_order),
		cmocka_unit_test(test_paws),
		cmocka_unit_test(test_short_header),
		cmocka_unit_test(test_guest_vanishes_in_flight),
		cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_keepalive_of_guest),
		cmocka_unit_test(test_persist),
		cmocka_unit_test(test_persist_gives_up),
		cmocka_unit_test(test_free_resets_all),
	};

	return SIM_RUN(tests);
}
