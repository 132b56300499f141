/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The states of a flow, one transition or refusal after the other, by segments
 * made by hand (tcp_sim.h).
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/tcp_hand.h"

static void test_syn_ack_after_connect(void **state)
{
	struct sim_config c = {.seed = 1, .slow_connect = true};
	struct hand *g = hand_make(&c);

	hand_tell(g, TCP_SYN, 0);
	hand_hear_nothing(g);
	g->snd = ISS;
	hand_tell(g, TCP_SYN, 0); /* again: absorbed */
	hand_hear_nothing(g);
	assert_int_equal(g->s->n_socks, 1);
	sim_pass(g->s, 20 * SIM_MS);
	hand_hear(g, TCP_SYN | TCP_ACK);
	hand_hear_nothing(g);
	assert_true(addr_eq(&g->s->sock[0]->to.ip, &g->s->server.ip));
	assert_int_equal(g->s->sock[0]->to.port, 80);
	hand_finish(g);
}

static void test_connect_new_syn(void **state)
{
	struct sim_config c = {.seed = 1, .slow_connect = true};
	struct hand *g = hand_make(&c);

	hand_tell(g, TCP_SYN, 0);
	g->snd = ISS + 5000; /* the guest has begun anew */
	hand_tell(g, TCP_SYN, 0);
	assert_int_equal(g->s->n_socks, 2);
	assert_true(g->s->sock[0]->was_reset);
	sim_pass(g->s, 20 * SIM_MS);
	assert_int_equal(hand_hear(g, TCP_SYN | TCP_ACK)->h.ack, ISS + 5001);
	hand_finish(g);
}

static void test_connect_rst(void **state)
{
	struct sim_config c = {.seed = 1, .slow_connect = true};
	struct hand *g = hand_make(&c);

	hand_tell(g, TCP_SYN, 0);
	hand_tell_at(g, TCP_RST, ISS + 77, 0, 0);
	assert_int_equal(hand_drops(g, DROP_TCP_WINDOW), 1);
	assert_int_equal(hand_n_flows(g), 1);
	hand_tell_at(g, TCP_RST, ISS + 1, 0, 0);
	assert_int_equal(hand_n_flows(g), 0);
	assert_true(g->s->sock[0]->was_reset);
	hand_finish(g);
}

static void test_connect_bad_segment(void **state)
{
	struct sim_config c = {.seed = 1, .slow_connect = true};
	struct hand *g = hand_make(&c);

	hand_tell(g, TCP_SYN, 0);
	hand_tell_at(g, TCP_ACK, ISS + 1, 5, 0);
	assert_int_equal(hand_hear(g, TCP_RST)->h.seq, 5);
	assert_int_equal(hand_drops(g, DROP_TCP_BAD_STATE), 1);
	assert_int_equal(hand_n_flows(g), 1);
	hand_finish(g);
}

static void check_refused(const struct sim_config *c)
{
	struct hand *g = hand_make(c);
	struct tcp_stats st;

	hand_tell(g, TCP_SYN, 0);
	sim_pass(g->s, 25 * SIM_MS);
	assert_int_equal(hand_hear(g, TCP_RST | TCP_ACK)->h.ack, ISS + 1);
	hand_hear_nothing(g);
	assert_int_equal(hand_n_flows(g), 0);
	tcp_stats(g->s->tcp, &st);
	assert_int_equal(st.n_refused, 1);
	hand_finish(g);
}

static void test_refused(void **state)
{
	check_refused(
		&(struct sim_config){.seed = 1, .connect_err = ECONNREFUSED});
	check_refused(&(struct sim_config){
		.seed = 1, .slow_connect = true, .connect_err = ECONNREFUSED});
}

static void test_unreachable(void **state)
{
	struct sim_config c = {.seed = 1, .connect_err = EHOSTUNREACH};
	struct hand *g = hand_make(&c);

	hand_tell(g, TCP_SYN, 0);
	hand_hear_nothing(g);
	assert_int_equal(g->s->n_unreachable, 1);
	assert_int_equal(g->s->last_unreachable, EHOSTUNREACH);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

static void test_unreachable_no_report(void **state)
{
	struct sim_config c = {.seed = 1, .connect_err = ENETUNREACH};
	struct hand *g = hand_make(&c);

	tcp_set_report(g->s->tcp, &(struct tcp_report){0});
	hand_tell(g, TCP_SYN, 0);
	hand_hear(g, TCP_RST | TCP_ACK);
	hand_finish(g);
}

static void test_connect_times_out(void **state)
{
	struct sim_config c = {.seed = 1, .no_answer = true};
	struct hand *g = hand_make(&c);

	hand_tell(g, TCP_SYN, 0);
	sim_pass(g->s, 200 * SIM_SEC);
	assert_int_equal(g->s->last_unreachable, ETIMEDOUT);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

static void test_not_to_be_connected(void **state)
{
	struct hand *g = hand_make(&hand_usual);

	g->p->other.port = 666; /* env.redirect says no */
	hand_tell(g, TCP_SYN, 0);
	assert_int_equal(hand_hear(g, TCP_RST | TCP_ACK)->h.ack, ISS + 1);
	assert_int_equal(g->s->n_socks, 0);
	hand_finish(g);
}

static void test_no_host_socket(void **state)
{
	struct hand *g = hand_make(&hand_usual);

	g->s->open_err = EMFILE;
	hand_tell(g, TCP_SYN, 0);
	hand_hear_nothing(g); /* the guest tries again */
	assert_int_equal(hand_drops(g, DROP_HOST_SOCKET), 1);
	assert_int_equal(hand_n_flows(g), 0);
	g->s->open_err = 0;
	g->snd = ISS;
	hand_tell(g, TCP_SYN, 0);
	hand_hear(g, TCP_SYN | TCP_ACK);
	hand_finish(g);
}

static void test_gateway_is_loopback(void **state)
{
	struct hand *g = hand_make(&hand_usual);
	addr loopback = addr_loopback(&g->p->me.ip);

	g->p->other.ip = g->s->gw.ip;
	hand_tell(g, TCP_SYN, 0);
	hand_hear(g, TCP_SYN | TCP_ACK);
	assert_true(addr_eq(&g->s->sock[0]->to.ip, &loopback));
	hand_finish(g);
}

/* A host without the family says so at once, and the guest hears it. */
static void test_host_without_the_family(void **state)
{
	struct hand *g = hand_make(&hand_usual);

	g->s->open_err = EAFNOSUPPORT;
	hand_tell(g, TCP_SYN, 0);
	hand_hear_nothing(g);
	assert_int_equal(g->s->n_unreachable, 1);
	assert_int_equal(g->s->last_unreachable, ENETUNREACH);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

/* RFC 9293 3.7.1, MUST-15 */
static void test_mss_of_who_says_nothing(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	g->win = 65535;
	sim_sock_send(g->k, 20000, false);
	hand_settle(g);
	assert_int_equal(hand_hear(g, TCP_ACK)->len, g->s->is_v6 ? 1220 : 536);
	g->next = g->n;
	hand_finish(g);
}

static void test_syn_ack_again(void **state)
{
	struct hand *g = hand_make_syn_rcvd(&hand_usual);

	for (int i = 0; i < 4; i++) { /* after 1, 2, 4, 8 s */
		sim_pass(g->s, (SIM_SEC << i) + 10 * SIM_MS);
		hand_hear(g, TCP_SYN | TCP_ACK);
		hand_hear_nothing(g);
	}
	sim_pass(g->s, 16 * SIM_SEC);
	assert_int_equal(hand_n_flows(g), 0);
	assert_true(g->k->was_reset);
	hand_finish(g);
}

static void test_syn_again(void **state)
{
	struct hand *g = hand_make_syn_rcvd(&hand_usual);

	hand_tell_at(g, TCP_SYN, ISS, 0, 0);
	hand_hear(g, TCP_SYN | TCP_ACK);
	hand_tell_at(g, TCP_SYN, ISS + 9, 0, 0);
	assert_int_equal(hand_drops(g, DROP_TCP_WINDOW), 1);
	hand_hear_nothing(g);
	hand_finish(g);
}

static void test_syn_rcvd_bad_ack(void **state)
{
	struct hand *g = hand_make_syn_rcvd(&hand_usual);

	hand_tell_at(g, TCP_ACK, ISS + 1, g->got[0].h.seq + 8, 0);
	assert_int_equal(hand_hear(g, TCP_RST)->h.seq, g->got[0].h.seq + 8);
	assert_int_equal(hand_drops(g, DROP_TCP_BAD_STATE), 1);
	hand_tell_at(g, TCP_ACK, ISS + 9000000, g->got[0].h.seq + 1, 0);
	assert_int_equal(hand_drops(g, DROP_TCP_WINDOW), 1);
	assert_int_equal(hand_n_flows(g), 1);
	hand_finish(g);
}

static void test_syn_rcvd_rst(void **state)
{
	struct hand *g = hand_make_syn_rcvd(&hand_usual);

	hand_tell_at(g, TCP_RST, ISS + 100, 0, 0);
	assert_int_equal(hand_n_flows(g), 1);
	hand_tell_at(g, TCP_RST, ISS + 1, 0, 0);
	assert_int_equal(hand_n_flows(g), 0);
	assert_true(g->k->was_reset);
	hand_finish(g);
}

static void test_options_only_if_offered(void **state)
{
	struct hand *g = hand_make(&hand_usual);
	struct tcp_hdr h = {.flags = TCP_SYN,
			    .seq = ISS,
			    .win = 1000,
			    .has_mss = true,
			    .mss = 700,
			    .has_ts = true,
			    .ts_val = 99,
			    .sack_ok = true,
			    .has_ws = true,
			    .ws = 3};
	const struct got *x = NULL;

	hand_tell(g, TCP_SYN, 0);
	x = hand_hear(g, TCP_SYN | TCP_ACK);
	assert_true(x->h.has_mss && x->h.mss == (g->s->is_v6 ? 1440 : 1460));
	assert_false(x->h.has_ts || x->h.sack_ok || x->h.has_ws);
	g->p->me.port++;
	peer_raw(g->p, &h, NULL, 0);
	hand_settle(g);
	x = hand_hear(g, TCP_SYN | TCP_ACK);
	assert_true(x->h.has_ts && x->h.sack_ok && x->h.has_ws);
	assert_int_equal(x->h.ts_ecr, 99);
	hand_finish(g);
}

/* The third segment of the handshake may carry data. */
static void test_data_with_first_ack(void **state)
{
	struct hand *g = hand_make_syn_rcvd(&hand_usual);

	hand_tell(g, TCP_ACK | TCP_PSH, 100);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, ISS + 101);
	assert_int_equal(g->k->got, 100);
	hand_finish(g);
}

static void test_guest_closes_first(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	hand_tell(g, TCP_FIN | TCP_ACK, 10); /* CLOSE_WAIT */
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd);
	assert_true(g->k->is_shut);
	assert_int_equal(g->k->got, 10);
	sim_sock_send(g->k, 50, false); /* half-open: still comes */
	hand_settle(g);
	assert_int_equal(hand_hear(g, TCP_ACK)->len, 50);
	hand_tell(g, TCP_ACK, 0);
	sim_sock_send(g->k, 50, true); /* LAST_ACK */
	hand_settle(g);
	hand_hear(g, TCP_FIN | TCP_ACK);
	assert_int_equal(hand_n_flows(g), 1);
	hand_tell(g, TCP_ACK, 0);
	assert_int_equal(hand_n_flows(g), 0);
	assert_true(g->k->was_closed && !g->k->was_reset);
	hand_hear_nothing(g);
	hand_finish(g);
}

static void test_host_closes_first(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	sim_sock_send(g->k, 0, true); /* FIN_WAIT_1 */
	hand_settle(g);
	hand_hear(g, TCP_FIN | TCP_ACK);
	hand_tell(g, TCP_ACK, 0);   /* FIN_WAIT_2 */
	hand_tell(g, TCP_ACK, 500); /* half-open: still goes up */
	hand_hear(g, TCP_ACK);
	assert_int_equal(g->k->got, 500);
	assert_false(g->k->was_closed);
	hand_tell(g, TCP_FIN | TCP_ACK, 0); /* TIME_WAIT */
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd);
	assert_true(g->k->was_closed && !g->k->was_reset);
	assert_int_equal(hand_n_flows(g), 1);
	sim_pass(g->s, 2500 * SIM_MS);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

static void test_both_close(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	sim_sock_send(g->k, 0, true); /* FIN_WAIT_1 */
	hand_settle(g);
	g->rcv = g->got[g->n - 1].h.seq;    /* our FIN is not seen yet */
	hand_tell(g, TCP_FIN | TCP_ACK, 0); /* CLOSING */
	hand_hear(g, TCP_FIN | TCP_ACK);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd);
	g->rcv = g->got[1].h.seq + 1;
	hand_tell(g, TCP_ACK, 0); /* TIME_WAIT */
	assert_true(g->k->was_closed && !g->k->was_reset);
	assert_int_equal(hand_n_flows(g), 1);
	sim_pass(g->s, 3 * SIM_SEC);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

static void test_fin_acks_fin(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	sim_sock_send(g->k, 0, true);
	hand_settle(g);
	hand_hear(g, TCP_FIN | TCP_ACK);
	hand_tell(g, TCP_FIN | TCP_ACK, 0); /* FIN_WAIT_1 -> TIME_WAIT */
	hand_hear(g, TCP_ACK);
	assert_true(g->k->was_closed && !g->k->was_reset);
	assert_int_equal(g->k->n_shutdown, 0); /* close() says it */
	hand_finish(g);
}

static struct hand *make_time_wait(void)
{
	struct hand *g = hand_make_open(&hand_usual);

	sim_sock_send(g->k, 0, true);
	hand_settle(g);
	hand_hear(g, TCP_FIN | TCP_ACK);
	hand_tell(g, TCP_FIN | TCP_ACK, 0);
	hand_hear(g, TCP_ACK);
	return g;
}

static void test_time_wait_fin_again(void **state)
{
	struct hand *g = make_time_wait();

	sim_pass(g->s, 1500 * SIM_MS);
	hand_tell_at(g, TCP_FIN | TCP_ACK, g->snd - 1, g->rcv, 0);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd);
	sim_pass(g->s, 1500 * SIM_MS); /* the two seconds began anew */
	assert_int_equal(hand_n_flows(g), 1);
	sim_pass(g->s, SIM_SEC);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

static void test_time_wait_new_syn(void **state)
{
	struct hand *g = make_time_wait();

	hand_tell_at(g, TCP_SYN, g->snd - 100, 0, 0); /* an old one */
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd);
	assert_int_equal(g->s->n_socks, 1);
	hand_tell_at(g, TCP_SYN, g->snd + 100, 0, 0);
	hand_hear(g, TCP_SYN | TCP_ACK);
	assert_int_equal(g->s->n_socks, 2);
	hand_finish(g);
}

static void test_time_wait_rst(void **state)
{
	struct hand *g = make_time_wait();

	hand_tell_at(g, TCP_RST, g->snd, 0, 0);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syn_ack_after_connect),
		cmocka_unit_test(test_connect_new_syn),
		cmocka_unit_test(test_connect_rst),
		cmocka_unit_test(test_connect_bad_segment),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_unreachable_no_report),
		cmocka_unit_test(test_connect_times_out),
		cmocka_unit_test(test_not_to_be_connected),
		cmocka_unit_test(test_no_host_socket),
		cmocka_unit_test(test_gateway_is_loopback),
		cmocka_unit_test(test_host_without_the_family),
		cmocka_unit_test(test_mss_of_who_says_nothing),
		cmocka_unit_test(test_syn_ack_again),
		cmocka_unit_test(test_syn_again),
		cmocka_unit_test(test_syn_rcvd_bad_ack),
		cmocka_unit_test(test_syn_rcvd_rst),
		cmocka_unit_test(test_options_only_if_offered),
		cmocka_unit_test(test_data_with_first_ack),
		cmocka_unit_test(test_guest_closes_first),
		cmocka_unit_test(test_host_closes_first),
		cmocka_unit_test(test_both_close),
		cmocka_unit_test(test_fin_acks_fin),
		cmocka_unit_test(test_time_wait_fin_again),
		cmocka_unit_test(test_time_wait_new_syn),
		cmocka_unit_test(test_time_wait_rst),
	};

	return SIM_RUN(tests);
}
