/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP at its edges: shut windows, slow readers, both ends closing at once,
 * ports used again, floods, keepalives (tcp_sim.h, tcp_hand.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/tcp_hand.h"

enum { KIB = 1 << 10, MINUTES = 60 };

static struct tcp_stats stats(struct sim *s)
{
	struct tcp_stats st;

	tcp_stats(s->tcp, &st);
	return st;
}

static bool is_open(struct sim *s, void *arg)
{
	return ((struct peer *)arg)->state >= PEER_OPEN;
}

static struct peer *open_at(struct sim *s, uint16_t port)
{
	struct peer *p = peer_connect(s, port, &s->server);

	(void)sim_run(s, 5 * SIM_SEC, is_open, p);
	return p;
}

/* The host's program reads nothing: the guest asks with a byte beyond its
 * window, is answered each time, and loses nothing. */
static void test_probes_of_the_guest(void **state)
{
	const struct sim_config c = {.seed = 1, .sndbuf = 1000};
	struct hand *g = hand_make_open(&c);
	const struct got *x = NULL;
	uint32_t edge;

	g->k->is_stalled = true;
	do {
		hand_tell(g, TCP_ACK, 1000);
		while (g->next < g->n)
			x = hand_hear(g, TCP_ACK);
		assert_non_null(x);
		edge = x->h.ack + x->h.win; /* not scaled */
	} while (edge - g->snd >= 1000);
	if (edge != g->snd)
		hand_tell(g, TCP_ACK, edge - g->snd);
	assert_int_equal(g->got[g->n - 1].h.win, 0);
	for (unsigned i = 0; i < MINUTES; i++) {
		g->n = g->next = 0;
		sim_pass(g->s, 60 * SIM_SEC);
		hand_tell_at(g, TCP_ACK, g->snd, g->rcv, 1);
		x = hand_hear(g, TCP_ACK);
		assert_int_equal(x->h.ack, g->snd);
		assert_int_equal(x->h.win, 0);
		/* ... and as Linux asks */
		hand_tell_at(g, TCP_ACK, g->snd - 1, g->rcv, 0);
		assert_int_equal(hand_hear(g, TCP_ACK)->h.win, 0);
	}
	assert_int_equal(g->k->got, 1000);
	assert_int_equal(g->k->keep_s, 0); /* these are no keepalives */
	g->n = g->next = 0;
	sim_sock_resume(g->k);
	hand_settle(g);
	sim_pass(g->s, SIM_SEC);
	assert_true(g->n > 0 && g->got[g->n - 1].h.win >= 1000);
	assert_int_equal(g->k->got, edge - ISS - 1);
	assert_false(g->k->is_bad);
	hand_finish(g);
}

/* The guest's window is shut for an hour: it is asked, no more than once a
 * minute in the end, and is served when it opens. */
static void test_probes_for_an_hour(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);
	unsigned n_asked = 0;

	g->win = 0;
	hand_tell(g, TCP_ACK, 0);
	sim_sock_send(g->k, 500, false);
	for (unsigned i = 0; i < 60 * MINUTES; i++) {
		sim_pass(g->s, SIM_SEC);
		if (g->n == 0)
			continue;
		assert_int_equal(g->got[g->n - 1].len, 0);
		g->rcv = g->got[g->n - 1].h.seq + 1;
		n_asked++;
		hand_tell(g, TCP_ACK, 0);
		g->n = g->next = 0;
	}
	assert_in_range(n_asked, MINUTES - 2, 2 * MINUTES);
	assert_int_equal(hand_n_flows(g), 1);
	g->win = 65535;
	hand_tell(g, TCP_ACK, 0);
	assert_int_equal(hand_hear(g, TCP_ACK)->len, 500);
	hand_finish(g);
}

/* A guest that reads its buffer once a minute, for an hour. */
static void check_slow_guest(struct sim_config *c)
{
	struct sim *s = sim_new(c);
	struct peer *p = open_at(s, 1000);
	uint64_t before;

	p->is_stalled = true;
	sim_sock_send(s->sock[0], 10000 * KIB, false);
	for (unsigned i = 0; i < MINUTES; i++) {
		sim_pass(s, 60 * SIM_SEC);
		before = p->rx_nxt;
		peer_resume(p);
		p->is_stalled = true;
		assert_true(stats(s).buffer_used <= 1 << 20);
		sim_pass(s, 10 * SIM_MS);
		assert_true(p->rx_nxt > before); /* the update is enough */
	}
	assert_int_equal(stats(s).n_rto, 0);
	assert_int_equal(p->n_dup_rx, 0);
	p->is_stalled = false;
	peer_resume(p);
	sim_sock_send(s->sock[0], 10000 * KIB, true);
	sim_pass(s, 20 * SIM_SEC);
	assert_int_equal(p->rx_nxt, 10000 * KIB);
	assert_true(p->got_fin);
	assert_false(p->is_bad);
	sim_free(s);
}

static void test_slow_guest_for_an_hour(void **state)
{
	struct sim_config c = {.seed = 3, .rcv_buf = 32 * KIB};

	check_slow_guest(&c);
	c.deny_peek = true;
	check_slow_guest(&c);
	c.deny_peek = false;
	c.peek_after = 1;
	check_slow_guest(&c);
}

/* A program of the host that reads its buffer once a minute, for an hour. */
static void test_slow_host_for_an_hour(void **state)
{
	struct sim_config c = {.seed = 4, .sndbuf = 64 * KIB};
	struct sim *s = sim_new(&c);
	struct peer *p = open_at(s, 1000);
	struct sim_sock *k = s->sock[0];
	uint64_t before;

	k->is_stalled = true;
	peer_send(p, 20000 * KIB, true);
	for (unsigned i = 0; i < MINUTES; i++) {
		sim_pass(s, 60 * SIM_SEC);
		before = k->got;
		sim_sock_resume(k);
		k->is_stalled = true;
		sim_pass(s, 10 * SIM_MS);
		assert_true(k->got > before);
		/* A store is bounded, however long it waits. */
		assert_true(stats(s).buffer_used <= 1 << 20);
	}
	assert_int_equal(p->state, PEER_OPEN);
	k->is_stalled = false;
	sim_sock_resume(k);
	sim_pass(s, 200 * SIM_SEC); /* the guest asks ever more seldom */
	assert_int_equal(k->got, 20000 * KIB);
	assert_true(k->is_shut);
	assert_false(k->is_bad || k->was_reset || p->is_bad);
	sim_free(s);
}

/* Both ends close at the same moment, and their FINs cross with what was sent
 * before: all of it arrives, nobody resets. */
static void check_close_together(struct sim_config *c)
{
	struct sim *s = sim_new(c);
	struct peer *p = open_at(s, 1000);
	struct sim_sock *k = s->sock[0];

	peer_send(p, 300 * KIB, true);
	sim_sock_send(k, 300 * KIB, true);
	sim_pass(s, 20 * SIM_SEC);
	assert_int_equal(p->state, PEER_DONE);
	assert_int_equal(p->rx_nxt, 300 * KIB);
	assert_int_equal(k->got, 300 * KIB);
	assert_true(k->was_closed && !k->was_reset);
	assert_false(k->is_bad || p->is_bad);
	sim_pass(s, 5 * SIM_SEC);
	assert_int_equal(stats(s).n_flows, 0);
	assert_int_equal(stats(s).n_reset, 0);
	sim_free(s);
}

static void test_close_together(void **state)
{
	struct sim_config c = {.seed = 5, .delay_ns = 20 * SIM_MS};

	check_close_together(&c);
	c.peek_after = 1;
	check_close_together(&c);
	c.loss_up = c.loss_down = 200;
	for (c.seed = 6; c.seed < 16; c.seed++)
		check_close_together(&c);
}

/* The guest uses its port again, and so soon that nothing tells the new SYN
 * from an old one: its RST to our ACK makes room, its next SYN connects. */
static void test_port_again_at_once(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	sim_sock_send(g->k, 0, true);
	hand_settle(g);
	(void)hand_hear(g, TCP_FIN | TCP_ACK);
	hand_tell(g, TCP_FIN | TCP_ACK, 0);
	(void)hand_hear(g, TCP_ACK);
	hand_tell_at(g, TCP_SYN, g->snd - 5000, 0, 0);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd);
	hand_tell_at(g, TCP_RST, g->snd, 0, 0); /* its answer */
	assert_int_equal(hand_n_flows(g), 0);
	hand_tell_at(g, TCP_SYN, g->snd - 5000, 0, 0);
	(void)hand_hear(g, TCP_SYN | TCP_ACK);
	assert_int_equal(g->s->n_socks, 2);
	hand_finish(g);
}

/* A client of a forward uses its port again while the guest's old connection
 * waits; one that is not over is not touched. */
static void test_forward_port_again(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);
	const struct endpoint client = g->s->gw;
	const struct nat_inward in = {.guest = g->p->me, .peer = g->s->server};
	struct host_sock hs = HOST_SOCK_NULL;

	assert_false(tcp_is_pair_free(g->s->tcp, &g->p->me, &g->s->server));
	(void)sim_client(g->s, &hs);
	assert_int_equal(tcp_connect_guest(g->s->tcp, &hs, &in),
			 -EADDRINUSE);
	assert_int_equal(hs.fd, -1);
	assert_true(tcp_is_pair_free(g->s->tcp, &g->p->me, &client));
	sim_sock_send(g->k, 0, true);
	hand_settle(g);
	(void)hand_hear(g, TCP_FIN | TCP_ACK);
	hand_tell(g, TCP_FIN | TCP_ACK, 0);
	(void)hand_hear(g, TCP_ACK);
	assert_true(tcp_is_pair_free(g->s->tcp, &g->p->me, &g->s->server));
	(void)sim_client(g->s, &hs);
	assert_int_equal(tcp_connect_guest(g->s->tcp, &hs, &in), 0);
	hand_settle(g);
	(void)hand_hear(g, TCP_SYN);
	assert_int_equal(hand_n_flows(g), 1);
	hand_finish(g);
}

/* All ports of the host to that place are taken: its trouble, and it may pass;
 * the guest is not told that the server refused. */
static void test_host_out_of_ports(void **state)
{
	const struct sim_config c = {.seed = 7,
				     .connect_err = EADDRNOTAVAIL};
	struct hand *g = hand_make(&c);

	hand_tell(g, TCP_SYN, 0);
	hand_hear_nothing(g);
	/* ... unless it may be that there is no IPv6 at all */
	assert_int_equal(g->s->n_unreachable, g->s->is_v6);
	assert_int_equal(hand_drops(g, DROP_HOST_SOCKET), !g->s->is_v6);
	assert_int_equal(hand_n_flows(g), 0);
	g->s->c.connect_err = 0;
	hand_tell_at(g, TCP_SYN, ISS, 0, 0); /* it comes again */
	(void)hand_hear(g, TCP_SYN | TCP_ACK);
	hand_finish(g);
}

/* One guest begins far more connections than are ever answered: it gets no
 * more of them, another guest its own, and itself again when they are over. */
static void test_flood(void **state)
{
	struct sim_config c = {.seed = 8, .no_answer = true};
	struct sim *s = sim_new(&c);
	struct peer *p;

	for (unsigned i = 0; i < 5000; i++)
		(void)peer_connect(s, (uint16_t)(1000 + i), &s->server);
	sim_pass(s, 100 * SIM_MS);
	assert_int_equal(stats(s).n_flows, 1024);
	assert_int_equal(stats(s).buffer_used, 0);
	s->c.no_answer = false;
	s->guest_ip = sim_other_guest(s);
	p = open_at(s, 900);
	assert_int_equal(p->state, PEER_OPEN);
	peer_send(p, 1000, false);
	sim_pass(s, SIM_SEC);
	assert_int_equal(s->sock[1024]->got, 1000);
	for (p = s->peers; p; p = p->next)
		p->drop_all |= p->state == PEER_SYN_SENT;
	s->c.loss_up = 10000; /* and the flood is over */
	sim_pass(s, 200 * SIM_SEC);
	assert_int_equal(stats(s).n_flows, 1);
	s->c.loss_up = 0;
	s->guest_ip = sim_guest(s, 15);
	p = open_at(s, 7000);
	assert_int_equal(p->state, PEER_OPEN);
	sim_free(s);
}

/* The same under many addresses. */
static void test_flood_of_one_port(void **state)
{
	struct sim_config c = {.seed = 8, .no_answer = true};
	struct sim *s = sim_new(&c);

	for (unsigned i = 0; i < 5000; i++) {
		s->guest_ip = sim_guest(s, (uint8_t)(16 + i % 200));
		(void)peer_connect(s, (uint16_t)(1000 + i), &s->server);
	}
	sim_pass(s, 100 * SIM_MS);
	assert_int_equal(stats(s).n_flows, 3 * 1024);
	sim_free(s);
}

/* SYNs whose SYN-ACK the guest never answers. */
static void test_flood_unanswered(void **state)
{
	struct sim_config c = {.seed = 9};
	struct sim *s = sim_new(&c);
	struct peer *p;

	s->drop_syn = true;
	for (unsigned i = 0; i < 3000; i++)
		(void)peer_connect(s, (uint16_t)(1000 + i), &s->server);
	sim_pass(s, 100 * SIM_MS);
	assert_int_equal(stats(s).n_flows, 1024);
	s->drop_syn = false;
	s->guest_ip = sim_other_guest(s);
	p = open_at(s, 900);
	assert_int_equal(p->state, PEER_OPEN);
	sim_free(s);
}

/* What the guest asks of us is asked of the host's peer as well, as often. */
static void test_keepalive_goes_on(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	sim_pass(g->s, SIM_SEC);
	hand_tell_at(g, TCP_ACK, g->snd - 1, g->rcv, 1); /* sent again */
	(void)hand_hear(g, TCP_ACK);
	assert_int_equal(g->k->keep_s, 0);
	sim_pass(g->s, 60 * SIM_SEC);
	hand_tell_at(g, TCP_ACK, g->snd - 1, g->rcv, 0);
	assert_int_equal(hand_hear(g, TCP_ACK)->h.ack, g->snd);
	assert_in_range(g->k->keep_s, 60, 62);
	sim_pass(g->s, 30 * SIM_SEC);
	hand_tell_at(g, TCP_ACK, g->snd - 1, g->rcv, 1);
	assert_in_range(g->k->keep_s, 29, 31);
	sim_sock_reset(g->k); /* nobody is there */
	hand_settle(g);
	(void)hand_hear(g, TCP_ACK);
	(void)hand_hear(g, TCP_RST | TCP_ACK);
	assert_int_equal(hand_n_flows(g), 0);
	hand_finish(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_together),
		cmocka_unit_test(test_port_again_at_once),
		cmocka_unit_test(test_forward_port_again),
		cmocka_unit_test(test_host_out_of_ports),
		cmocka_unit_test(test_keepalive_goes_on),
	};
	/* much work, and no header is looked at */
	const struct CMUnitTest of_one_family[] = {
		cmocka_unit_test(test_probes_of_the_guest),
		cmocka_unit_test(test_probes_for_an_hour),
		cmocka_unit_test(test_slow_guest_for_an_hour),
		cmocka_unit_test(test_slow_host_for_an_hour),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_flood_of_one_port),
		cmocka_unit_test(test_flood_unanswered),
	};

	return SIM_RUN(tests) +
	       cmocka_run_group_tests(of_one_family, sim_speaks4, NULL);
}
