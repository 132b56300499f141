/* SPDX-License-Identifier: BSD-3-Clause */
/* Slow readers, full buffers, full tables, many flows, connections from the
 * host's side (tcp_sim.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/tcp_peer.h"

enum { MIB = 1 << 20, KIB = 1 << 10 };

static bool is_open(struct sim *s, void *arg)
{
	return ((struct peer *)arg)->state >= PEER_OPEN;
}

static struct tcp_stats stats(const struct sim *s)
{
	struct tcp_stats st;

	tcp_stats(s->tcp, &st);
	return st;
}

static struct peer *open_one(struct sim *s, uint16_t port)
{
	struct peer *p = peer_connect(s, port, &s->server);

	assert_true(sim_run(s, 60 * SIM_SEC, is_open, p));
	assert_int_equal(p->state, PEER_OPEN);
	return p;
}

static void check_peer(const struct peer *p)
{
	if (p->is_bad)
		print_message("peer: %s\n", p->why_bad);
	assert_false(p->is_bad);
}

/* The guest reads nothing for a minute: probes, no loss, no timeout. */
static void check_guest_stalls(const struct sim_config *c)
{
	struct sim *s = sim_new(c);
	struct peer *p = open_one(s, 1000);
	struct sim_sock *k = s->sock[0];

	p->is_stalled = true;
	sim_sock_send(k, 2 * MIB, true);
	sim_pass(s, 60 * SIM_SEC);
	assert_int_equal(p->rx_nxt, 100 * KIB);
	assert_true(p->n_zero_wnd > 3 && p->n_zero_wnd < 20);
	peer_resume(p);
	sim_pass(s, SIM_SEC);
	assert_int_equal(p->rx_nxt, 2 * MIB);
	assert_true(p->got_fin);
	assert_int_equal(stats(s).n_rto, 0);
	assert_int_equal(p->n_dup_rx, 0);
	check_peer(p);
	sim_free(s);
}

static void test_guest_stalls(void **state)
{
	struct sim_config c = {.seed = 1, .rcv_buf = 100 * KIB};

	check_guest_stalls(&c);
	c.deny_peek = true;
	check_guest_stalls(&c);
	c.deny_peek = false;
	c.peek_after = 1;
	check_guest_stalls(&c);
}

/* The update that opens the window is lost. */
static void test_window_update_lost(void **state)
{
	struct sim_config c = {.seed = 2, .rcv_buf = 100 * KIB};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s, 1000);

	p->is_stalled = true;
	sim_sock_send(s->sock[0], MIB, true);
	sim_pass(s, SIM_SEC);
	s->c.loss_up = 10000;
	peer_resume(p);
	sim_pass(s, 50 * SIM_MS);
	s->c.loss_up = 0;
	sim_pass(s, 5 * SIM_SEC);
	assert_int_equal(p->rx_nxt, MIB);
	assert_int_equal(stats(s).n_rto, 0);
	sim_free(s);
}

static void test_slow_reader(void **state)
{
	struct sim_config c = {.seed = 3, .rcv_buf = 64 * KIB};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s, 1000);

	p->read_rate = 2000; /* 2 MB/s */
	sim_sock_send(s->sock[0], 2 * MIB, true);
	sim_pass(s, 3 * SIM_SEC);
	assert_int_equal(p->rx_nxt, 2 * MIB);
	assert_int_equal(stats(s).n_rto, 0);
	assert_int_equal(p->n_dup_rx, 0);
	/* No silly windows: the segments are not tiny. */
	assert_true(s->n_down_data < 2 * (2 * MIB / 1448));
	check_peer(p);
	sim_free(s);
}

/* The host's program reads nothing: socket and store fill, the window shuts,
 * nothing is lost, and all goes on afterwards. */
static void test_host_stalls(void **state)
{
	struct sim_config c = {.seed = 4, .sndbuf = 50 * KIB};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s, 1000);
	struct sim_sock *k = s->sock[0];

	k->is_stalled = true;
	peer_send(p, 4 * MIB, true);
	sim_pass(s, 100 * SIM_SEC);
	assert_int_equal(k->got, 50 * KIB);
	assert_true(p->una > 50 * KIB && p->una < 50 * KIB + 2 * MIB);
	assert_true(stats(s).buffer_used >= p->una - 50 * KIB);
	sim_sock_resume(k);
	sim_pass(s, 200 * SIM_SEC);
	assert_int_equal(k->got, 4 * MIB);
	assert_true(k->is_shut);
	assert_false(k->is_bad);
	check_peer(p);
	assert_int_equal(s->drops.n[DROP_TCP_NO_MEMORY], 0);
	assert_int_equal(stats(s).buffer_used, 0);
	sim_free(s);
}

/* FIN and close wait for a store that drains late. */
static void test_close_waits_for_store(void **state)
{
	struct sim_config c = {.seed = 5, .sndbuf = 5000};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s, 1000);
	struct sim_sock *k = s->sock[0];

	k->is_stalled = true;
	sim_sock_send(k, 10, true);
	peer_send(p, 30000, true);
	sim_pass(s, 20 * SIM_SEC);
	assert_int_equal(p->state, PEER_DONE);
	assert_false(k->was_closed);
	sim_sock_resume(k);
	sim_pass(s, SIM_SEC);
	assert_int_equal(k->got, 30000);
	assert_true(k->was_closed && !k->was_reset);
	sim_pass(s, 5 * SIM_SEC);
	assert_int_equal(stats(s).n_flows, 0);
	sim_free(s);
}

/* ... which also ends if the host's peer goes away meanwhile. */
static void test_reset_while_draining(void **state)
{
	struct sim_config c = {.seed = 6, .sndbuf = 5000};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s, 1000);
	struct sim_sock *k = s->sock[0];

	k->is_stalled = true;
	sim_sock_send(k, 10, true);
	peer_send(p, 30000, true);
	sim_pass(s, 20 * SIM_SEC);
	sim_sock_reset(k);
	sim_pass(s, 5 * SIM_SEC);
	assert_int_equal(stats(s).n_flows, 0);
	assert_true(k->was_closed);
	sim_free(s);
}

/* The bytes of a hundred stalled flows do not fit: what is not stored is not
 * acknowledged, and arrives in the end. */
static void test_pool_exhausted(void **state)
{
	struct sim_config c = {.seed = 7, .sndbuf = 20 * KIB,
			       .max_buffer = 40 * 16 * KIB};
	struct sim *s = sim_new(&c);
	struct peer *p[100];

	for (unsigned i = 0; i < 100; i++) {
		p[i] = open_one(s, (uint16_t)(1000 + i));
		s->sock[i]->is_stalled = true;
	}
	for (unsigned i = 0; i < 100; i++)
		peer_send(p[i], 80 * KIB, true);
	sim_pass(s, 2 * SIM_SEC);
	assert_true(s->drops.n[DROP_TCP_NO_MEMORY] > 0);
	/* half is one guest's share */
	assert_int_equal(stats(s).buffer_used, 20 * 16 * KIB);
	assert_int_equal(stats(s).buffer_kept, 20 * 16 * KIB);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(p[i]->una <= 80 * KIB);
		sim_sock_resume(s->sock[i]);
	}
	sim_pass(s, 200 * SIM_SEC);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(s->sock[i]->got, 80 * KIB);
		assert_false(s->sock[i]->is_bad);
		check_peer(p[i]);
	}
	assert_int_equal(stats(s).buffer_used, 0);
	assert_int_equal(stats(s).buffer_kept, 0);
	sim_free(s);
}

/* No chunk for what goes down either: it is peeked, or waits. */
static void check_down_exhausted(bool deny_peek)
{
	struct sim_config c = {.seed = 8, .rcv_buf = 60 * KIB,
			       .deny_peek = deny_peek,
			       .max_buffer = 8 * 16 * KIB};
	struct sim *s = sim_new(&c);
	struct peer *p[20];

	for (unsigned i = 0; i < 20; i++) {
		p[i] = open_one(s, (uint16_t)(1000 + i));
		p[i]->drop_all = i < 10; /* they keep their bytes unACKed */
		sim_sock_send(s->sock[i], 100 * KIB, true);
	}
	sim_pass(s, SIM_SEC);
	for (unsigned i = 0; i < 10; i++)
		p[i]->drop_all = false;
	sim_pass(s, 60 * SIM_SEC);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(p[i]->rx_nxt, 100 * KIB);
		check_peer(p[i]);
	}
	assert_int_equal(stats(s).buffer_used, 0);
	sim_free(s);
}

static void test_down_exhausted(void **state)
{
	check_down_exhausted(false);
	check_down_exhausted(true);
}

/* More out-of-order pieces than a flow may have. */
static void test_too_many_pieces(void **state)
{
	struct sim_config c = {.seed = 9};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s, 1000);
	struct tcp_hdr h = {.flags = TCP_ACK, .win = 1000};

	p->drop_all = true; /* they are not of its making */
	h.ack = p->irs + 1;
	h.has_ts = true;
	h.ts_val = s->now_ns / SIM_MS + 77;
	for (uint32_t i = 0; i < 100; i++) {
		h.seq = p->iss + 1 + 100 + 20 * i;
		peer_raw(p, &h, sim_pattern(100 + 20 * i), 10);
	}
	sim_pass(s, SIM_MS);
	assert_int_equal(s->drops.n[DROP_TCP_NO_MEMORY], 36);
	p->drop_all = false;
	peer_send(p, 5000, true);
	sim_pass(s, SIM_SEC);
	assert_int_equal(s->sock[0]->got, 5000);
	assert_false(s->sock[0]->is_bad);
	sim_free(s);
}

static void test_table_full(void **state)
{
	struct sim_config c = {.seed = 10, .max_flows = 8};
	struct sim *s = sim_new(&c);

	for (uint16_t i = 0; i < 4; i++) /* half is one guest's share */
		(void)open_one(s, (uint16_t)(1000 + i));
	(void)peer_connect(s, 2000, &s->server);
	sim_pass(s, 10 * SIM_MS);
	assert_int_equal(s->drops.n[DROP_FLOW_TABLE_FULL], 1);
	assert_int_equal(s->n_socks, 4);
	sim_free(s);
}

static void test_half_open_bound(void **state)
{
	struct sim_config c = {.seed = 11, .no_answer = true};
	struct sim *s = sim_new(&c);

	for (uint16_t i = 0; i < 1100; i++)
		(void)peer_connect(s, (uint16_t)(1000 + i), &s->server);
	sim_pass(s, 100 * SIM_MS);
	assert_int_equal(stats(s).n_flows, 1024);
	assert_int_equal(s->drops.n[DROP_FLOW_TABLE_FULL], 76);
	sim_free(s);
}

static void test_ten_thousand_flows(void **state)
{
	struct sim_config c = {.seed = 12, .max_flows = 32768, .tso = true};
	struct sim *s = sim_new(&c);
	struct peer *p;
	unsigned n = 0;

	for (unsigned i = 0; i < 10000; i++) {
		p = peer_connect(s, (uint16_t)(1000 + i), &s->server);
		peer_send(p, 300, false);
		if (i % 500 == 499)
			sim_pass(s, SIM_MS);
	}
	sim_pass(s, 10 * SIM_MS);
	assert_int_equal(stats(s).n_flows, 10000);
	assert_int_equal(stats(s).buffer_used, 0);
	for (unsigned i = 0; i < 10000; i++)
		sim_sock_send(s->sock[i], 700, true);
	for (p = s->peers; p; p = p->next)
		peer_send(p, 300, true);
	sim_pass(s, 10 * SIM_SEC);
	for (p = s->peers; p; p = p->next, n++) {
		assert_int_equal(p->state, PEER_DONE);
		assert_int_equal(p->rx_nxt, 700);
		check_peer(p);
	}
	assert_int_equal(n, 10000);
	for (unsigned i = 0; i < 10000; i++) {
		assert_int_equal(s->sock[i]->got, 300);
		assert_false(s->sock[i]->was_reset);
	}
	assert_int_equal(stats(s).n_flows, 0);
	assert_int_equal(stats(s).n_rto, 0);
	sim_free(s);
}

static void test_syn_loss(void **state)
{
	struct sim_config c = {.seed = 13};
	struct sim *s = sim_new(&c);
	struct peer *p;

	s->drop_syn = true;
	p = peer_connect(s, 1000, &s->server);
	sim_pass(s, 2500 * SIM_MS);
	assert_int_equal(p->state, PEER_SYN_SENT);
	assert_int_equal(s->n_socks, 1);
	s->drop_syn = false;
	sim_pass(s, 5 * SIM_SEC);
	assert_int_equal(p->state, PEER_OPEN);
	assert_int_equal(s->n_socks, 1);
	sim_free(s);
}

/* A request, an answer at once: after some of them the ACK waits for the
 * answer, and each round is one frame to the guest and few system calls. */
static void test_ack_rides_on_answer(void **state)
{
	struct sim_config c = {.seed = 14};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s, 1000);
	struct sim_sock *k = s->sock[0];
	unsigned frames = 0, sends = 0, recvs = 0;

	for (uint64_t i = 1; i <= 100; i++) {
		if (i == 51) {
			frames = s->n_down_frames;
			sends = k->n_send;
			recvs = k->n_recv;
		}
		peer_send(p, i, false);
		sim_pass(s, 150000);
		assert_int_equal(k->got, i);
		sim_sock_send(k, i, false);
		sim_pass(s, 500000);
		assert_int_equal(p->rx_nxt, i);
	}
	assert_int_equal(s->n_down_frames - frames, 50);
	assert_int_equal(k->n_send - sends, 50);
	assert_int_equal(k->n_recv - recvs, 50);
	assert_int_equal(p->n_rto, 0);
	/* The answer does not come: the ACK does, soon. */
	peer_send(p, 101, false);
	sim_pass(s, 5 * SIM_MS);
	assert_int_equal(p->una, 101);
	sim_free(s);
}

/* All segments of a batch go up in one call, as many ACKs as needed. */
static void test_one_send_per_batch(void **state)
{
	struct sim_config c = {.seed = 15};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s, 1000);
	unsigned frames = s->n_down_frames;

	peer_send(p, 10 * 1448, false);
	sim_pass(s, 10 * SIM_MS);
	assert_int_equal(s->sock[0]->got, 10 * 1448);
	assert_int_equal(s->sock[0]->n_send, 1);
	assert_int_equal(s->n_down_frames - frames, 1);
	sim_free(s);
}

/* Bulk that is peeked: few drains, no read that finds nothing but the last. */
static void test_bulk_down_calls(void **state)
{
	struct sim_config c = {.seed = 16, .tso = true, .can_lend = true,
			       .rcvbuf = 4 * MIB, .rcv_buf = 4 * MIB};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s, 1000);
	struct sim_sock *k = s->sock[0];

	sim_sock_send(k, 32 * MIB, false);
	sim_pass(s, SIM_SEC);
	assert_int_equal(p->rx_nxt, 32 * MIB);
	assert_in_range(k->n_peek, 1, 32 * MIB / (60 * KIB));
	assert_in_range(k->n_discard, 1, 32 * MIB / (250 * KIB));
	assert_in_range(k->n_again, 0, k->n_recv / 4);
	sim_free(s);
}

static void test_exit_shut(void **state)
{
	struct sim_config c = {.seed = 17};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s, 1000);

	s->is_exit_shut = true; /* a machine that is paused */
	sim_sock_send(s->sock[0], 50000, true);
	peer_send(p, 3000, true);
	sim_pass(s, 300 * SIM_SEC);
	assert_int_equal(s->sock[0]->got, 3000);
	assert_int_equal(p->rx_nxt, 0);
	assert_int_equal(stats(s).n_rto, 0);
	assert_true(s->wants_room);
	s->is_exit_shut = false;
	s->wants_room = false;
	lan_port_room(&s->guest_port);
	sim_pass(s, 300 * SIM_SEC);
	assert_int_equal(p->rx_nxt, 50000);
	assert_int_equal(p->state, PEER_DONE);
	check_peer(p);
	sim_free(s);
}

/* A RST of no flow is lost by name where there is no room. */
static void test_rst_without_room(void **state)
{
	struct sim_config c = {.seed = 18};
	struct sim *s = sim_new(&c);
	struct peer *p = open_one(s, 1000);
	struct tcp_hdr h = {.flags = TCP_ACK};

	s->is_exit_shut = true;
	p->me.port = 2000;
	peer_raw(p, &h, NULL, 0);
	sim_pass(s, SIM_MS);
	assert_int_equal(s->drops.n[DROP_PORT_FULL], 1);
	sim_free(s);
}

/* The SYN-ACK and the FIN find no room at first. */
static void test_control_without_room(void **state)
{
	struct sim_config c = {.seed = 19};
	struct sim *s = sim_new(&c);
	struct peer *p;

	p = open_one(s, 999); /* so that the lan knows the guest */
	s->is_exit_shut = true;
	p = peer_connect(s, 1000, &s->server);
	sim_pass(s, 10 * SIM_MS);
	assert_int_equal(p->state, PEER_SYN_SENT);
	s->is_exit_shut = false;
	lan_port_room(&s->guest_port);
	sim_pass(s, 10 * SIM_MS);
	assert_int_equal(p->state, PEER_OPEN);
	s->is_exit_shut = true;
	sim_sock_send(s->sock[1], 0, true);
	sim_pass(s, 10 * SIM_MS);
	assert_false(p->got_fin);
	s->is_exit_shut = false;
	lan_port_room(&s->guest_port);
	sim_pass(s, 10 * SIM_MS);
	assert_true(p->got_fin);
	assert_int_equal(stats(s).n_rto, 0);
	sim_free(s);
}

/* From the host's side. */

struct call {
	struct host_sock hs;
	struct sim_sock *k;
	struct endpoint guest, client;
};

static int dial(struct sim *s, struct call *c, uint16_t port)
{
	c->hs = HOST_SOCK_NULL;
	c->k = sim_client(s, &c->hs);
	c->guest = (struct endpoint){s->guest_ip, port};
	c->client = s->gw;
	return tcp_connect_guest(s->tcp, &c->hs,
				 &(struct nat_inward){.guest = c->guest,
						      .peer = c->client});
}

static void test_forward(void **state)
{
	struct sim_config c = {.seed = 20};
	struct sim *s = sim_new(&c);
	struct peer *p = peer_listen(s, 22);
	struct call d;

	assert_int_equal(dial(s, &d, 22), 0);
	assert_int_equal(d.hs.fd, -1);
	sim_sock_send(d.k, MIB, true);
	sim_pass(s, 10 * SIM_MS);
	assert_int_equal(p->state, PEER_OPEN);
	peer_send(p, MIB, true);
	sim_pass(s, 10 * SIM_SEC);
	assert_int_equal(p->rx_nxt, MIB);
	assert_int_equal(d.k->got, MIB);
	assert_int_equal(p->state, PEER_DONE);
	assert_true(d.k->was_closed && !d.k->was_reset);
	assert_true(p->ts && p->sack && p->snd_shift > 0);
	check_peer(p);
	assert_int_equal(stats(s).n_flows, 0);
	sim_free(s);
}

static void test_forward_refused(void **state)
{
	struct sim_config c = {.seed = 21};
	struct sim *s = sim_new(&c);
	struct peer *p = peer_listen(s, 22);
	struct tcp_hdr h = {.flags = TCP_RST | TCP_ACK};
	struct call d;

	p->drop_all = true;
	assert_int_equal(dial(s, &d, 22), 0);
	p->other = d.client;
	h.ack = 5; /* not ours: ignored */
	peer_raw(p, &h, NULL, 0);
	sim_pass(s, SIM_MS);
	assert_int_equal(stats(s).n_flows, 1);
	/* Its SYN's number is in the frame that was lost; the peer answers
	 * the next one. */
	p->drop_all = false;
	p->state = PEER_DONE;
	sim_pass(s, 40 * SIM_SEC);
	assert_int_equal(stats(s).n_flows, 0);
	assert_true(d.k->was_reset);
	sim_free(s);
}

static uint32_t syn_seq;

static void note_syn(struct sim *s, const uint8_t *b, uint32_t len)
{
	memcpy(&syn_seq, b + s->l4 + 4, 4);
	syn_seq = __builtin_bswap32(syn_seq);
}

static void test_forward_rst(void **state)
{
	struct sim_config c = {.seed = 22};
	struct sim *s = sim_new(&c);
	struct peer *p = peer_listen(s, 22);
	struct tcp_hdr h = {.flags = TCP_RST | TCP_ACK};
	struct call d;

	p->drop_all = true;
	s->on_down = note_syn;
	assert_int_equal(dial(s, &d, 22), 0);
	sim_pass(s, SIM_MS);
	p->other = d.client;
	h.ack = syn_seq + 1;
	peer_raw(p, &h, NULL, 0);
	sim_pass(s, SIM_MS);
	assert_int_equal(stats(s).n_flows, 0);
	assert_int_equal(stats(s).n_refused, 1);
	assert_true(d.k->was_reset);
	sim_free(s);
}

/* Both call each other at the same moment (RFC 9293 3.5). */
static void test_simultaneous_open(void **state)
{
	struct sim_config c = {.seed = 23};
	struct sim *s = sim_new(&c);
	struct peer *p = peer_listen(s, 22);
	struct tcp_hdr h = {.flags = TCP_SYN, .seq = 100, .win = 1000};
	struct call d;

	p->drop_all = true;
	s->on_down = note_syn;
	assert_int_equal(dial(s, &d, 22), 0);
	sim_pass(s, SIM_MS);
	p->other = d.client;
	peer_raw(p, &h, NULL, 0);
	sim_pass(s, SIM_MS);
	h = (struct tcp_hdr){.flags = TCP_ACK, .seq = 101, .win = 1000,
			     .ack = syn_seq + 1};
	peer_raw(p, &h, sim_pattern(0), 10);
	sim_pass(s, SIM_MS);
	assert_int_equal(d.k->got, 10);
	assert_int_equal(stats(s).n_opened, 1);
	sim_free(s);
}

static void test_forward_slow_neighbour(void **state)
{
	struct sim_config c = {.seed = 24};
	struct sim *s = sim_new(&c);
	struct peer *p = peer_listen(s, 22);
	struct call d;

	s->knows_guest = false;
	assert_int_equal(dial(s, &d, 22), 0);
	sim_pass(s, 2 * SIM_SEC);
	assert_int_equal(p->state, PEER_LISTEN);
	s->knows_guest = true;
	sim_pass(s, 200 * SIM_MS);
	assert_int_equal(p->state, PEER_OPEN);
	sim_free(s);
}

static void test_forward_nobody(void **state)
{
	struct sim_config c = {.seed = 25};
	struct sim *s = sim_new(&c);
	struct call d;

	s->knows_guest = false;
	assert_int_equal(dial(s, &d, 22), 0);
	sim_pass(s, 40 * SIM_SEC);
	assert_int_equal(stats(s).n_flows, 0);
	assert_true(d.k->was_reset);
	sim_free(s);
}

/* Clients that a guest does not answer are no reason to let it call nobody. */
static void test_forward_flood(void **state)
{
	struct sim_config c = {.seed = 27};
	struct sim *s = sim_new(&c);
	struct call d;

	s->drop_syn = true;
	for (uint16_t i = 0; i < 1024; i++)
		assert_int_equal(dial(s, &d, (uint16_t)(i + 1)), 0);
	assert_int_equal(dial(s, &d, 2000), -ENOBUFS);
	s->drop_syn = false;
	assert_true(sim_run(s, SIM_SEC / 2, is_open,
			    peer_connect(s, 1000, &s->server)));
	sim_free(s);
}

static void test_forward_no_place(void **state)
{
	struct sim_config c = {.seed = 26, .max_flows = 2};
	struct sim *s = sim_new(&c);
	struct call d, e;

	assert_int_equal(dial(s, &d, 22), 0);
	assert_int_equal(dial(s, &e, 22), -EADDRINUSE);
	assert_int_equal(e.hs.fd, -1);
	assert_true(e.k->was_reset);
	assert_int_equal(dial(s, &e, 23), -ENOBUFS);
	assert_true(e.k->was_reset);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syn_loss),
		cmocka_unit_test(test_ack_rides_on_answer),
		cmocka_unit_test(test_one_send_per_batch),
		cmocka_unit_test(test_bulk_down_calls),
		cmocka_unit_test(test_rst_without_room),
		cmocka_unit_test(test_control_without_room),
		cmocka_unit_test(test_forward),
		cmocka_unit_test(test_forward_refused),
		cmocka_unit_test(test_forward_rst),
		cmocka_unit_test(test_simultaneous_open),
		cmocka_unit_test(test_forward_slow_neighbour),
		cmocka_unit_test(test_forward_nobody),
		cmocka_unit_test(test_forward_no_place),
	};
	/* much work, and no header is looked at */
	const struct CMUnitTest of_one_family[] = {
		cmocka_unit_test(test_guest_stalls),
		cmocka_unit_test(test_window_update_lost),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_host_stalls),
		cmocka_unit_test(test_close_waits_for_store),
		cmocka_unit_test(test_reset_while_draining),
		cmocka_unit_test(test_pool_exhausted),
		cmocka_unit_test(test_down_exhausted),
		cmocka_unit_test(test_too_many_pieces),
		cmocka_unit_test(test_table_full),
		cmocka_unit_test(test_half_open_bound),
		cmocka_unit_test(test_ten_thousand_flows),
		cmocka_unit_test(test_exit_shut),
		cmocka_unit_test(test_forward_flood),
	};

	return SIM_RUN(tests) +
	       cmocka_run_group_tests(of_one_family, sim_speaks4, NULL);
}
