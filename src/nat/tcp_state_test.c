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

#include "nat/tcp_peer.h"

enum { GOT_MAX = 512, ISS = 1000000, PORT = 40000 };

static const struct endpoint server = {
	{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}}, 80};

struct got {
	struct tcp_hdr h;
	uint32_t len;
};

/* A guest moved by hand; nothing of it answers by itself. */
struct hand {
	struct sim *s;
	struct peer *p;
	struct sim_sock *k;
	struct got got[GOT_MAX];
	unsigned n, next; /* got; looked at */
	uint32_t snd, rcv; /* our next byte, next byte expected */
	bool ts;
	uint32_t ts_val;
	uint16_t win;
};

static void on_down(struct sim *s, const uint8_t *b, uint32_t len)
{
	struct hand *g = s->arg;
	struct packet pkt;
	struct rd r;

	assert_int_equal(packet_parse(b, len, len, &pkt), PACKET_OK);
	assert_in_range(g->n, 0, GOT_MAX - 1);
	r = rd_init(b + pkt.l4_off, pkt.l4_len);
	assert_true(tcp_hdr_parse(&r, &g->got[g->n].h));
	g->got[g->n++].len = (uint32_t)rd_left(&r);
}

static void hand_init(struct hand *g, struct sim *s)
{
	*g = (struct hand){.s = s, .snd = ISS, .win = 65535};
	s->arg = g;
	s->on_down = on_down;
	g->p = peer_listen(s, PORT);
	g->p->other = server;
	g->p->drop_all = true;
}

static void settle(struct hand *g)
{
	sim_pass(g->s, 2 * SIM_MS);
}

/* Sends a segment and lets what it causes happen. */
static void tell_at(struct hand *g, uint8_t flags, uint32_t seq, uint32_t ack,
		    uint32_t len)
{
	struct tcp_hdr h = {
		.flags = flags, .seq = seq, .ack = ack, .win = g->win};

	if (g->ts) {
		h.has_ts = true;
		h.ts_val = g->ts_val;
	}
	peer_raw(g->p, &h, sim_pattern(seq - ISS - 1), len);
	settle(g);
}

/* The next segment of an orderly guest. */
static void tell(struct hand *g, uint8_t flags, uint32_t len)
{
	uint32_t seq = g->snd;

	g->snd += len + !!(flags & TCP_FIN) + !!(flags & TCP_SYN);
	tell_at(g, flags, seq, flags & TCP_ACK ? g->rcv : 0, len);
}

/* The next segment it got. */
static const struct got *hear(struct hand *g, uint8_t flags)
{
	static const uint8_t all = TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN;
	struct got *x = &g->got[g->next];

	assert_in_range(g->next, 0, g->n - 1);
	g->next++;
	assert_int_equal(x->h.flags & all, flags);
	g->rcv = x->h.seq + x->len + !!(flags & (TCP_SYN | TCP_FIN));
	return x;
}

static void hear_nothing(const struct hand *g)
{
	assert_int_equal(g->next, g->n);
}

static unsigned n_flows(const struct hand *g)
{
	struct tcp_stats st;

	tcp_stats(g->s->tcp, &st);
	return st.n_flows;
}

static uint64_t drops(const struct hand *g, enum drop_reason why)
{
	return g->s->drops.n[why];
}

static struct hand *make(const struct sim_config *c)
{
	struct hand *g = malloc(sizeof(*g));

	hand_init(g, sim_new(c));
	return g;
}

static void finish(struct hand *g)
{
	sim_free(g->s);
	free(g);
}

/* Up to the SYN-ACK. */
static struct hand *make_syn_rcvd(const struct sim_config *c)
{
	struct hand *g = make(c);
	const struct got *x;

	tell(g, TCP_SYN, 0);
	x = hear(g, TCP_SYN | TCP_ACK);
	assert_int_equal(x->h.ack, ISS + 1);
	assert_int_equal(g->s->n_socks, 1);
	g->k = g->s->sock[0];
	return g;
}

static struct hand *make_open(const struct sim_config *c)
{
	struct hand *g = make_syn_rcvd(c);

	tell(g, TCP_ACK, 0);
	hear_nothing(g);
	return g;
}

static const struct sim_config usual = {.seed = 1};

static void test_syn_ack_after_connect(void **state)
{
	struct sim_config c = {.seed = 1, .slow_connect = true};
	struct hand *g = make(&c);

	tell(g, TCP_SYN, 0);
	hear_nothing(g);
	g->snd = ISS;
	tell(g, TCP_SYN, 0); /* again: absorbed */
	hear_nothing(g);
	assert_int_equal(g->s->n_socks, 1);
	sim_pass(g->s, 5 * SIM_MS);
	hear(g, TCP_SYN | TCP_ACK);
	hear_nothing(g);
	assert_true(addr_eq(&g->s->sock[0]->to.ip, &server.ip));
	assert_int_equal(g->s->sock[0]->to.port, 80);
	finish(g);
}

static void test_connect_new_syn(void **state)
{
	struct sim_config c = {.seed = 1, .slow_connect = true};
	struct hand *g = make(&c);

	tell(g, TCP_SYN, 0);
	g->snd = ISS + 5000; /* the guest has begun anew */
	tell(g, TCP_SYN, 0);
	assert_int_equal(g->s->n_socks, 2);
	assert_true(g->s->sock[0]->was_reset);
	sim_pass(g->s, 5 * SIM_MS);
	assert_int_equal(hear(g, TCP_SYN | TCP_ACK)->h.ack, ISS + 5001);
	finish(g);
}

static void test_connect_rst(void **state)
{
	struct sim_config c = {.seed = 1, .slow_connect = true};
	struct hand *g = make(&c);

	tell(g, TCP_SYN, 0);
	tell_at(g, TCP_RST, ISS + 77, 0, 0);
	assert_int_equal(drops(g, DROP_TCP_WINDOW), 1);
	assert_int_equal(n_flows(g), 1);
	tell_at(g, TCP_RST, ISS + 1, 0, 0);
	assert_int_equal(n_flows(g), 0);
	assert_true(g->s->sock[0]->was_reset);
	finish(g);
}

static void test_connect_bad_segment(void **state)
{
	struct sim_config c = {.seed = 1, .slow_connect = true};
	struct hand *g = make(&c);

	tell(g, TCP_SYN, 0);
	tell_at(g, TCP_ACK, ISS + 1, 5, 0);
	assert_int_equal(hear(g, TCP_RST)->h.seq, 5);
	assert_int_equal(drops(g, DROP_TCP_BAD_STATE), 1);
	assert_int_equal(n_flows(g), 1);
	finish(g);
}

static void check_refused(const struct sim_config *c)
{
	struct hand *g = make(c);
	struct tcp_stats st;

	tell(g, TCP_SYN, 0);
	sim_pass(g->s, 10 * SIM_MS);
	assert_int_equal(hear(g, TCP_RST | TCP_ACK)->h.ack, ISS + 1);
	hear_nothing(g);
	assert_int_equal(n_flows(g), 0);
	tcp_stats(g->s->tcp, &st);
	assert_int_equal(st.n_refused, 1);
	finish(g);
}

static void test_refused(void **state)
{
	check_refused(&(struct sim_config){.seed = 1,
					   .connect_err = ECONNREFUSED});
	check_refused(&(struct sim_config){.seed = 1,
					   .slow_connect = true,
					   .connect_err = ECONNREFUSED});
}

static void test_unreachable(void **state)
{
	struct sim_config c = {.seed = 1, .connect_err = EHOSTUNREACH};
	struct hand *g = make(&c);

	tell(g, TCP_SYN, 0);
	hear_nothing(g);
	assert_int_equal(g->s->n_unreachable, 1);
	assert_int_equal(g->s->last_unreachable, EHOSTUNREACH);
	assert_int_equal(n_flows(g), 0);
	finish(g);
}

static void test_unreachable_no_report(void **state)
{
	struct sim_config c = {.seed = 1, .connect_err = ENETUNREACH};
	struct hand *g = make(&c);

	tcp_set_report(g->s->tcp, &(struct tcp_report){0});
	tell(g, TCP_SYN, 0);
	hear(g, TCP_RST | TCP_ACK);
	finish(g);
}

static void test_connect_times_out(void **state)
{
	struct sim_config c = {.seed = 1, .no_answer = true};
	struct hand *g = make(&c);

	tell(g, TCP_SYN, 0);
	sim_pass(g->s, 200 * SIM_SEC);
	assert_int_equal(g->s->last_unreachable, ETIMEDOUT);
	assert_int_equal(n_flows(g), 0);
	finish(g);
}

static void test_not_to_be_connected(void **state)
{
	struct hand *g = make(&usual);

	g->p->other.port = 666; /* env.redirect says no */
	tell(g, TCP_SYN, 0);
	assert_int_equal(hear(g, TCP_RST | TCP_ACK)->h.ack, ISS + 1);
	assert_int_equal(g->s->n_socks, 0);
	finish(g);
}

static void test_no_host_socket(void **state)
{
	struct hand *g = make(&usual);

	g->s->open_err = EMFILE;
	tell(g, TCP_SYN, 0);
	hear_nothing(g); /* the guest tries again */
	assert_int_equal(drops(g, DROP_HOST_SOCKET), 1);
	assert_int_equal(n_flows(g), 0);
	g->s->open_err = 0;
	g->snd = ISS;
	tell(g, TCP_SYN, 0);
	hear(g, TCP_SYN | TCP_ACK);
	finish(g);
}

static void test_gateway_is_loopback(void **state)
{
	struct hand *g = make(&usual);
	addr loopback = addr_v4(127, 0, 0, 1);

	g->p->other.ip = addr_v4(10, 0, 2, 2);
	tell(g, TCP_SYN, 0);
	hear(g, TCP_SYN | TCP_ACK);
	assert_true(addr_eq(&g->s->sock[0]->to.ip, &loopback));
	finish(g);
}

static void test_syn_ack_again(void **state)
{
	struct hand *g = make_syn_rcvd(&usual);

	for (int i = 0; i < 4; i++) { /* after 1, 2, 4, 8 s */
		sim_pass(g->s, (SIM_SEC << i) + 10 * SIM_MS);
		hear(g, TCP_SYN | TCP_ACK);
		hear_nothing(g);
	}
	sim_pass(g->s, 16 * SIM_SEC);
	assert_int_equal(n_flows(g), 0);
	assert_true(g->k->was_reset);
	finish(g);
}

static void test_syn_again(void **state)
{
	struct hand *g = make_syn_rcvd(&usual);

	tell_at(g, TCP_SYN, ISS, 0, 0);
	hear(g, TCP_SYN | TCP_ACK);
	tell_at(g, TCP_SYN, ISS + 9, 0, 0);
	assert_int_equal(drops(g, DROP_TCP_WINDOW), 1);
	hear_nothing(g);
	finish(g);
}

static void test_syn_rcvd_bad_ack(void **state)
{
	struct hand *g = make_syn_rcvd(&usual);

	tell_at(g, TCP_ACK, ISS + 1, g->got[0].h.seq + 8, 0);
	assert_int_equal(hear(g, TCP_RST)->h.seq, g->got[0].h.seq + 8);
	assert_int_equal(drops(g, DROP_TCP_BAD_STATE), 1);
	tell_at(g, TCP_ACK, ISS + 9000000, g->got[0].h.seq + 1, 0);
	assert_int_equal(drops(g, DROP_TCP_WINDOW), 1);
	assert_int_equal(n_flows(g), 1);
	finish(g);
}

static void test_syn_rcvd_rst(void **state)
{
	struct hand *g = make_syn_rcvd(&usual);

	tell_at(g, TCP_RST, ISS + 100, 0, 0);
	assert_int_equal(n_flows(g), 1);
	tell_at(g, TCP_RST, ISS + 1, 0, 0);
	assert_int_equal(n_flows(g), 0);
	assert_true(g->k->was_reset);
	finish(g);
}

static void test_options_only_if_offered(void **state)
{
	struct hand *g = make(&usual);
	struct tcp_hdr h = {.flags = TCP_SYN, .seq = ISS, .win = 1000,
			    .has_mss = true, .mss = 700, .has_ts = true,
			    .ts_val = 99, .sack_ok = true, .has_ws = true,
			    .ws = 3};
	const struct got *x = NULL;

	tell(g, TCP_SYN, 0);
	x = hear(g, TCP_SYN | TCP_ACK);
	assert_true(x->h.has_mss && x->h.mss == 1460);
	assert_false(x->h.has_ts || x->h.sack_ok || x->h.has_ws);
	g->p->me.port++;
	peer_raw(g->p, &h, NULL, 0);
	settle(g);
	x = hear(g, TCP_SYN | TCP_ACK);
	assert_true(x->h.has_ts && x->h.sack_ok && x->h.has_ws);
	assert_int_equal(x->h.ts_ecr, 99);
	finish(g);
}

/* The third segment of the handshake may carry data. */
static void test_data_with_first_ack(void **state)
{
	struct hand *g = make_syn_rcvd(&usual);

	tell(g, TCP_ACK | TCP_PSH, 100);
	assert_int_equal(hear(g, TCP_ACK)->h.ack, ISS + 101);
	assert_int_equal(g->k->got, 100);
	finish(g);
}

static void test_guest_closes_first(void **state)
{
	struct hand *g = make_open(&usual);

	tell(g, TCP_FIN | TCP_ACK, 10); /* CLOSE_WAIT */
	assert_int_equal(hear(g, TCP_ACK)->h.ack, g->snd);
	assert_true(g->k->is_shut);
	assert_int_equal(g->k->got, 10);
	sim_sock_send(g->k, 50, false); /* half-open: still comes */
	settle(g);
	assert_int_equal(hear(g, TCP_ACK)->len, 50);
	tell(g, TCP_ACK, 0);
	sim_sock_send(g->k, 50, true); /* LAST_ACK */
	settle(g);
	hear(g, TCP_FIN | TCP_ACK);
	assert_int_equal(n_flows(g), 1);
	tell(g, TCP_ACK, 0);
	assert_int_equal(n_flows(g), 0);
	assert_true(g->k->was_closed && !g->k->was_reset);
	hear_nothing(g);
	finish(g);
}

static void test_host_closes_first(void **state)
{
	struct hand *g = make_open(&usual);

	sim_sock_send(g->k, 0, true); /* FIN_WAIT_1 */
	settle(g);
	hear(g, TCP_FIN | TCP_ACK);
	tell(g, TCP_ACK, 0); /* FIN_WAIT_2 */
	tell(g, TCP_ACK, 500); /* half-open: still goes up */
	hear(g, TCP_ACK);
	assert_int_equal(g->k->got, 500);
	assert_false(g->k->was_closed);
	tell(g, TCP_FIN | TCP_ACK, 0); /* TIME_WAIT */
	assert_int_equal(hear(g, TCP_ACK)->h.ack, g->snd);
	assert_true(g->k->was_closed && !g->k->was_reset);
	assert_int_equal(n_flows(g), 1);
	sim_pass(g->s, 2500 * SIM_MS);
	assert_int_equal(n_flows(g), 0);
	finish(g);
}

static void test_both_close(void **state)
{
	struct hand *g = make_open(&usual);

	sim_sock_send(g->k, 0, true); /* FIN_WAIT_1 */
	settle(g);
	g->rcv = g->got[g->n - 1].h.seq; /* our FIN is not seen yet */
	tell(g, TCP_FIN | TCP_ACK, 0); /* CLOSING */
	hear(g, TCP_FIN | TCP_ACK);
	assert_int_equal(hear(g, TCP_ACK)->h.ack, g->snd);
	g->rcv = g->got[1].h.seq + 1;
	tell(g, TCP_ACK, 0); /* TIME_WAIT */
	assert_true(g->k->was_closed && !g->k->was_reset);
	assert_int_equal(n_flows(g), 1);
	sim_pass(g->s, 3 * SIM_SEC);
	assert_int_equal(n_flows(g), 0);
	finish(g);
}

static void test_fin_acks_fin(void **state)
{
	struct hand *g = make_open(&usual);

	sim_sock_send(g->k, 0, true);
	settle(g);
	hear(g, TCP_FIN | TCP_ACK);
	tell(g, TCP_FIN | TCP_ACK, 0); /* FIN_WAIT_1 -> TIME_WAIT */
	hear(g, TCP_ACK);
	assert_true(g->k->was_closed && !g->k->was_reset);
	assert_int_equal(g->k->n_shutdown, 0); /* close() says it */
	finish(g);
}

static struct hand *make_time_wait(void)
{
	struct hand *g = make_open(&usual);

	sim_sock_send(g->k, 0, true);
	settle(g);
	hear(g, TCP_FIN | TCP_ACK);
	tell(g, TCP_FIN | TCP_ACK, 0);
	hear(g, TCP_ACK);
	return g;
}

static void test_time_wait_fin_again(void **state)
{
	struct hand *g = make_time_wait();

	sim_pass(g->s, 1500 * SIM_MS);
	tell_at(g, TCP_FIN | TCP_ACK, g->snd - 1, g->rcv, 0);
	assert_int_equal(hear(g, TCP_ACK)->h.ack, g->snd);
	sim_pass(g->s, 1500 * SIM_MS); /* the two seconds began anew */
	assert_int_equal(n_flows(g), 1);
	sim_pass(g->s, SIM_SEC);
	assert_int_equal(n_flows(g), 0);
	finish(g);
}

static void test_time_wait_new_syn(void **state)
{
	struct hand *g = make_time_wait();

	tell_at(g, TCP_SYN, g->snd - 100, 0, 0); /* an old one */
	assert_int_equal(hear(g, TCP_ACK)->h.ack, g->snd);
	assert_int_equal(g->s->n_socks, 1);
	tell_at(g, TCP_SYN, g->snd + 100, 0, 0);
	hear(g, TCP_SYN | TCP_ACK);
	assert_int_equal(g->s->n_socks, 2);
	finish(g);
}

static void test_time_wait_rst(void **state)
{
	struct hand *g = make_time_wait();

	tell_at(g, TCP_RST, g->snd, 0, 0);
	assert_int_equal(n_flows(g), 0);
	finish(g);
}

static void test_guest_resets(void **state)
{
	struct hand *g = make_open(&usual);

	tell_at(g, TCP_RST, g->snd + 5, 0, 0); /* RFC 5961: challenged */
	assert_int_equal(hear(g, TCP_ACK)->h.ack, g->snd);
	tell_at(g, TCP_RST, g->snd - 5, 0, 0);
	tell_at(g, TCP_RST, g->snd + 2000000, 0, 0);
	assert_int_equal(drops(g, DROP_TCP_WINDOW), 2);
	hear_nothing(g);
	assert_int_equal(n_flows(g), 1);
	tell(g, TCP_RST, 0);
	assert_int_equal(n_flows(g), 0);
	assert_true(g->k->was_reset);
	hear_nothing(g);
	finish(g);
}

static void test_host_resets(void **state)
{
	struct hand *g = make_open(&usual);

	sim_sock_send(g->k, 500, false);
	settle(g);
	hear(g, TCP_ACK);
	sim_sock_reset(g->k);
	settle(g);
	assert_int_equal(hear(g, TCP_RST | TCP_ACK)->h.seq, g->rcv);
	assert_int_equal(n_flows(g), 0);
	finish(g);
}

/* What the host sent before its RST arrives before the RST. */
static void test_host_resets_after_data(void **state)
{
	struct hand *g = make_open(&usual);

	sim_sock_send(g->k, 500, false);
	sim_sock_reset(g->k);
	settle(g);
	assert_int_equal(hear(g, TCP_ACK)->len, 500);
	hear(g, TCP_RST | TCP_ACK);
	finish(g);
}

static void test_host_resets_after_eof(void **state)
{
	struct hand *g = make_open(&usual);

	sim_sock_send(g->k, 0, true);
	settle(g);
	hear(g, TCP_FIN | TCP_ACK);
	tell(g, TCP_ACK, 0);
	sim_sock_reset(g->k);
	settle(g);
	hear(g, TCP_RST | TCP_ACK);
	assert_int_equal(n_flows(g), 0);
	finish(g);
}

static void test_send_fails(void **state)
{
	struct hand *g = make_open(&usual);

	g->k->send_err = EPIPE;
	g->k->err = EPIPE;
	tell(g, TCP_ACK, 10);
	assert_int_equal(hear(g, TCP_RST | TCP_ACK)->h.ack, g->snd - 10);
	assert_int_equal(n_flows(g), 0);
	finish(g);
}

static void test_send_no_memory(void **state)
{
	struct hand *g = make_open(&usual);

	g->k->send_err = ENOBUFS;
	tell(g, TCP_ACK, 10);
	assert_int_equal(hear(g, TCP_ACK)->h.ack, g->snd); /* stored */
	assert_int_equal(g->k->got, 0);
	g->k->send_err = 0;
	sim_pass(g->s, 20 * SIM_MS);
	assert_int_equal(g->k->got, 10);
	finish(g);
}

static void test_syn_when_open(void **state)
{
	struct hand *g = make_open(&usual);

	tell_at(g, TCP_SYN, ISS + 12345, 0, 0);
	assert_int_equal(hear(g, TCP_ACK)->h.ack, g->snd);
	assert_int_equal(drops(g, DROP_TCP_BAD_STATE), 1);
	tell_at(g, TCP_SYN, ISS + 12345, 0, 0);
	hear_nothing(g); /* rationed */
	assert_int_equal(n_flows(g), 1);
	finish(g);
}

static void test_no_flow(void **state)
{
	struct hand *g = make(&usual);

	tell_at(g, TCP_ACK, 5, 77, 10);
	assert_int_equal(hear(g, TCP_RST)->h.seq, 77);
	tell_at(g, TCP_FIN, 5, 0, 10);
	assert_int_equal(hear(g, TCP_RST | TCP_ACK)->h.ack, 16);
	tell_at(g, TCP_RST, 5, 0, 0);
	hear_nothing(g);
	tell_at(g, TCP_SYN | TCP_ACK, 5, 7, 0);
	assert_int_equal(hear(g, TCP_RST)->h.seq, 7);
	assert_int_equal(drops(g, DROP_TCP_NO_FLOW), 4);
	finish(g);
}

static void test_old_bytes(void **state)
{
	struct hand *g = make_open(&usual);

	tell(g, TCP_ACK, 100);
	hear(g, TCP_ACK);
	tell_at(g, TCP_ACK, g->snd - 100, g->rcv, 100);
	assert_int_equal(hear(g, TCP_ACK)->h.ack, g->snd);
	assert_int_equal(drops(g, DROP_TCP_OLD), 1);
	tell_at(g, TCP_ACK, g->snd - 60, g->rcv, 100); /* 60 of them old */
	assert_int_equal(hear(g, TCP_ACK)->h.ack, g->snd + 40);
	assert_int_equal(g->k->got, 140);
	assert_false(g->k->is_bad);
	finish(g);
}

static void test_beyond_window(void **state)
{
	struct hand *g = make_open(&usual);

	tell_at(g, TCP_ACK, g->snd + 70000, g->rcv, 100);
	assert_int_equal(hear(g, TCP_ACK)->h.ack, g->snd);
	assert_int_equal(drops(g, DROP_TCP_WINDOW), 1);
	tell_at(g, TCP_ACK, g->snd + 65500, g->rcv, 100); /* cut */
	hear(g, TCP_ACK);
	assert_int_equal(drops(g, DROP_TCP_WINDOW), 2);
	tell_at(g, TCP_ACK, g->snd, g->rcv + 1, 0); /* ACK of the future */
	assert_int_equal(drops(g, DROP_TCP_WINDOW), 3);
	finish(g);
}

static void test_no_ack_flag(void **state)
{
	struct hand *g = make_open(&usual);

	tell_at(g, 0, g->snd, 0, 10);
	assert_int_equal(drops(g, DROP_TCP_BAD_STATE), 1);
	assert_int_equal(g->k->got, 0);
	finish(g);
}

static void test_data_after_fin(void **state)
{
	struct hand *g = make_open(&usual);

	tell(g, TCP_FIN | TCP_ACK, 0);
	hear(g, TCP_ACK);
	tell(g, TCP_ACK, 10);
	assert_int_equal(drops(g, DROP_TCP_BAD_STATE), 1);
	assert_int_equal(g->k->got, 0);
	finish(g);
}

static void test_fin_out_of_order(void **state)
{
	struct hand *g = make_open(&usual);
	uint32_t seq = g->snd;

	tell_at(g, TCP_FIN | TCP_ACK, seq + 10, g->rcv, 10);
	assert_int_equal(hear(g, TCP_ACK)->h.ack, seq);
	assert_false(g->k->is_shut);
	tell_at(g, TCP_ACK, seq, g->rcv, 10);
	assert_int_equal(hear(g, TCP_ACK)->h.ack, seq + 21);
	assert_true(g->k->is_shut);
	assert_int_equal(g->k->got, 20);
	assert_false(g->k->is_bad);
	finish(g);
}

static void test_bare_fin_out_of_order(void **state)
{
	struct hand *g = make_open(&usual);
	uint32_t seq = g->snd;

	tell_at(g, TCP_FIN | TCP_ACK, seq + 10, g->rcv, 0);
	assert_int_equal(hear(g, TCP_ACK)->h.ack, seq);
	tell_at(g, TCP_ACK, seq, g->rcv, 10);
	assert_int_equal(hear(g, TCP_ACK)->h.ack, seq + 11);
	assert_true(g->k->is_shut);
	finish(g);
}

static void test_paws(void **state)
{
	struct hand *g = make(&usual);
	struct tcp_hdr h = {.flags = TCP_SYN, .seq = ISS, .win = 65535,
			    .has_ts = true, .ts_val = 1000};

	g->ts = true;
	g->ts_val = 1000;
	peer_raw(g->p, &h, NULL, 0);
	settle(g);
	hear(g, TCP_SYN | TCP_ACK);
	g->k = g->s->sock[0];
	g->snd = ISS + 1;
	tell(g, TCP_ACK, 10);
	hear(g, TCP_ACK);
	g->ts_val = 900;
	tell_at(g, TCP_ACK, g->snd, g->rcv, 10);
	assert_int_equal(drops(g, DROP_TCP_OLD), 1);
	assert_int_equal(g->k->got, 10);
	g->ts_val = 1001;
	tell_at(g, TCP_ACK, g->snd, g->rcv, 10);
	assert_int_equal(g->k->got, 20);
	finish(g);
}

static void test_short_header(void **state)
{
	struct hand *g = make(&usual);
	uint8_t b[60] = {0x52, 0x55, 10, 0, 2, 2, 0x52, 0x54, 0, 0, 0, 1,
			 8, 0};
	struct packet pkt = {.eth_src = sim_guest_mac,
			     .proto = IPPROTO_TCP,
			     .src = g->p->me,
			     .dst = server,
			     .l3_off = 14,
			     .l4_off = 34,
			     .l4_len = 26};
	struct frame f = frame_flat(b, 60);

	b[46] = 0x40; /* a header of 16 bytes */
	tcp_input(g->s->tcp, &pkt, &f);
	b[46] = 0x80; /* of 32, of which 26 are there */
	tcp_input(g->s->tcp, &pkt, &f);
	tcp_flush(g->s->tcp);
	assert_int_equal(drops(g, DROP_TCP_SHORT), 2);
	b[46] = 0x50;
	tcp_input(g->s->tcp, &pkt, &f);
	tcp_flush(g->s->tcp);
	assert_int_equal(drops(g, DROP_TCP_CSUM), 1);
	finish(g);
}

static void test_guest_vanishes_in_flight(void **state)
{
	struct hand *g = make_open(&usual);
	struct tcp_stats st;

	sim_sock_send(g->k, 100, false);
	sim_pass(g->s, 1000 * SIM_SEC);
	tcp_stats(g->s->tcp, &st);
	assert_int_equal(st.n_rto, 15);
	assert_int_equal(st.n_flows, 0);
	assert_true(g->k->was_reset);
	assert_int_equal(g->got[g->n - 1].h.flags & TCP_RST, TCP_RST);
	g->next = g->n;
	finish(g);
}

static void test_keepalive(void **state)
{
	struct hand *g = make_open(&usual);

	sim_pass(g->s, 7201 * SIM_SEC);
	assert_int_equal(hear(g, TCP_ACK)->h.seq, g->got[0].h.seq);
	g->rcv = g->got[0].h.seq + 1;
	tell(g, TCP_ACK, 0); /* it lives */
	sim_pass(g->s, 7100 * SIM_SEC);
	hear_nothing(g);
	sim_pass(g->s, 900 * SIM_SEC); /* now it does not */
	assert_int_equal(n_flows(g), 0);
	assert_true(g->k->was_reset);
	finish(g);
}

static void test_keepalive_of_guest(void **state)
{
	struct hand *g = make_open(&usual);

	tell_at(g, TCP_ACK, g->snd - 1, g->rcv, 0);
	assert_int_equal(hear(g, TCP_ACK)->h.ack, g->snd);
	finish(g);
}

static void test_persist(void **state)
{
	struct hand *g = make_open(&usual);

	g->win = 0;
	tell(g, TCP_ACK, 0);
	sim_sock_send(g->k, 500, false);
	settle(g);
	hear_nothing(g);
	for (int i = 0; i < 3; i++) {
		sim_pass(g->s, 5 * SIM_SEC);
		assert_true(g->n > g->next);
		while (g->next < g->n)
			assert_int_equal(hear(g, TCP_ACK)->len, 0);
		g->rcv = g->got[0].h.seq + 1;
		tell(g, TCP_ACK, 0);
	}
	g->win = 200; /* some */
	tell(g, TCP_ACK, 0);
	sim_pass(g->s, SIM_SEC);
	while (g->next < g->n && g->got[g->next].len == 0)
		g->next++;
	assert_int_equal(hear(g, TCP_ACK)->len, 200);
	finish(g);
}

static void test_persist_gives_up(void **state)
{
	struct hand *g = make_open(&usual);

	g->win = 0;
	tell(g, TCP_ACK, 0);
	sim_sock_send(g->k, 500, false);
	sim_pass(g->s, 2000 * SIM_SEC);
	assert_int_equal(n_flows(g), 0);
	assert_true(g->k->was_reset);
	finish(g);
}

static void test_free_resets_all(void **state)
{
	struct hand *g = make_open(&usual);

	/* sim_free() sees to the socket. */
	g->s->on_down = NULL;
	finish(g);
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

	return cmocka_run_group_tests(tests, NULL, NULL);
}
