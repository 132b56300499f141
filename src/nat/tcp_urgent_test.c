/* SPDX-License-Identifier: BSD-3-Clause */
/* Urgent bytes through the NAT, by segments made by hand (tcp_hand.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/tcp_hand.h"

/* len bytes from seq on; the one before seq + up is urgent. */
static void tell(struct hand *g, uint32_t seq, uint32_t len, uint16_t up)
{
	struct tcp_hdr h = {.flags = TCP_ACK | TCP_URG, .seq = seq,
			    .ack = g->rcv, .win = g->win, .urg = up};

	peer_raw(g->p, &h, sim_pattern(seq - ISS - 1), len);
	hand_settle(g);
}

static void test_up(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	tell(g, g->snd, 100, 41);
	assert_int_equal(g->k->got, 100);
	assert_int_equal(g->k->n_oob, 1);
	assert_int_equal(g->k->oob_at, 40);
	tell(g, g->snd, 100, 41); /* sent again */
	tell(g, g->snd + 100, 1, 1); /* alone */
	assert_int_equal(g->k->n_oob, 2);
	assert_int_equal(g->k->oob_at, 100);
	tell(g, g->snd + 101, 50, 0); /* points nowhere */
	assert_int_equal(g->k->n_oob, 2);
	assert_int_equal(g->k->got, 151);
	assert_false(g->k->is_bad);
	hand_finish(g);
}

/* The pointer runs ahead of the bytes, and they come out of order. */
static void test_up_ahead(void **state)
{
	struct hand *g = hand_make_open(&hand_usual);

	tell(g, g->snd, 100, 250);
	assert_int_equal(g->k->n_oob, 0);
	tell(g, g->snd + 200, 100, 50);
	assert_int_equal(g->k->n_oob, 0);
	tell(g, g->snd + 100, 100, 150);
	assert_int_equal(g->k->got, 300);
	assert_int_equal(g->k->n_oob, 1);
	assert_int_equal(g->k->oob_at, 249);
	assert_false(g->k->is_bad);
	hand_finish(g);
}

/* The socket is full before the byte: it waits, and is urgent then. */
static void test_up_waits(void **state)
{
	const struct sim_config c = {.seed = 2, .sndbuf = 60};
	struct hand *g = hand_make_open(&c);

	g->k->is_stalled = true;
	tell(g, g->snd, 100, 81);
	tell(g, g->snd + 100, 50, 0);
	assert_int_equal(g->k->got, 60);
	assert_int_equal(g->k->n_oob, 0);
	sim_sock_resume(g->k);
	hand_settle(g);
	assert_int_equal(g->k->got, 150);
	assert_int_equal(g->k->n_oob, 1);
	assert_int_equal(g->k->oob_at, 80);
	assert_false(g->k->is_bad);
	hand_finish(g);
}

/* A newer one takes the place of one that has not gone yet. */
static void test_up_newer(void **state)
{
	const struct sim_config c = {.seed = 3, .sndbuf = 10};
	struct hand *g = hand_make_open(&c);

	g->k->is_stalled = true;
	tell(g, g->snd, 100, 51);
	tell(g, g->snd + 100, 100, 51);
	g->k->sndbuf = 1000;
	sim_sock_resume(g->k);
	hand_settle(g);
	assert_int_equal(g->k->n_oob, 1);
	assert_int_equal(g->k->oob_at, 150);
	assert_int_equal(g->k->got, 200);
	hand_finish(g);
}

/* Takes what came: where the urgent byte is, counted from the first; -1. */
static int take(struct hand *g, uint32_t *nextp)
{
	int at = -1;

	for (; g->next < g->n; g->next++) {
		const struct got *x = &g->got[g->next];

		if (x->len == 0)
			continue;
		if (x->h.flags & TCP_URG) {
			assert_int_equal(x->len, 1);
			assert_int_equal(x->h.urg, 1);
			at = (int)(x->h.seq - g->got[0].h.seq - 1);
		} else {
			assert_int_equal(x->h.urg, 0);
		}
		*nextp = x->h.seq + x->len;
	}
	return at;
}

/* 3000 bytes with an urgent one, to a guest that acknowledges each look. */
static void check_down(uint64_t peek_after, bool deny_peek)
{
	const struct sim_config c = {.seed = 4, .peek_after = peek_after,
				     .deny_peek = deny_peek};
	struct hand *g = hand_make_open(&c);
	uint32_t next = g->rcv;
	int at = -1, now;

	sim_sock_send(g->k, 500, false);
	hand_settle(g);
	(void)take(g, &next);
	g->rcv = next;
	hand_tell(g, TCP_ACK, 0);
	sim_sock_send(g->k, 3000, false);
	sim_sock_urgent(g->k, 2000);
	for (unsigned i = 0; i < 10; i++) {
		hand_settle(g);
		now = take(g, &next);
		at = now >= 0 ? now : at;
		g->rcv = next;
		hand_tell(g, TCP_ACK, 0);
	}
	assert_int_equal(at, 2000);
	assert_int_equal(next - g->got[0].h.seq - 1, 3000);
	/* The next one comes between two reads, with others behind it. */
	sim_sock_send(g->k, 3100, false);
	sim_sock_urgent_late(g->k, 3200, 3100);
	for (unsigned i = 0; i < 3; i++) {
		hand_settle(g);
		now = take(g, &next);
		at = now >= 0 ? now : at;
		g->rcv = next;
		hand_tell(g, TCP_ACK, 0);
	}
	assert_int_equal(at, 3100);
	assert_int_equal(next - g->got[0].h.seq - 1, 3200);
	/* A quiet flow is not asked. */
	now = (int)g->k->n_recv;
	hand_tell(g, TCP_ACK, 0);
	sim_pass(g->s, 2 * SIM_SEC);
	assert_int_equal((int)g->k->n_recv, now);
	assert_int_equal(take(g, &next), -1);
	hand_finish(g);
}

static void test_down(void **state)
{
	check_down(0, false);
	check_down(1, false);
	check_down(0, true);
}

/* Its segment is lost: what is sent again is urgent as it was. */
static void check_again(uint64_t peek_after)
{
	const struct sim_config c = {.seed = 5, .peek_after = peek_after};
	struct hand *g = hand_make_open(&c);
	uint32_t next = g->rcv;

	sim_sock_send(g->k, 100, false);
	hand_settle(g);
	(void)take(g, &next);
	g->rcv = next;
	hand_tell(g, TCP_ACK, 0);
	sim_sock_send(g->k, 150, false);
	hand_settle(g);
	assert_int_equal(take(g, &next), -1);
	sim_sock_send(g->k, 300, false);
	sim_sock_urgent(g->k, 200);
	hand_settle(g);
	assert_int_equal(take(g, &next), peek_after ? -1 : 200);
	if (peek_after) { /* what was peeked must have arrived */
		g->rcv = next;
		hand_tell(g, TCP_ACK, 0);
		assert_int_equal(take(g, &next), 200);
	}
	sim_pass(g->s, 2 * SIM_SEC);
	assert_int_equal(take(g, &next), 200);
	assert_int_equal(next - g->got[0].h.seq - 1, 300);
	hand_finish(g);
}

static void test_down_again(void **state)
{
	check_again(0);
	check_again(1);
}

static bool is_open(struct sim *s, void *arg)
{
	return ((struct peer *)arg)->state >= PEER_OPEN;
}

static bool is_over(struct sim *s, void *arg)
{
	return ((struct peer *)arg)->got_fin;
}

/* Many of them in a long stream, over a link that loses: nothing stands
 * still, and each byte is where it was. */
static void check_many(struct sim_config *c)
{
	struct sim *s = sim_new(c);
	struct peer *p = peer_connect(s, 1000, &s->server);
	struct sim_sock *k;
	uint64_t at = 0;

	assert_true(sim_run(s, 10 * SIM_SEC, is_open, p));
	k = s->sock[0];
	for (unsigned i = 0; i < 200; i++) {
		at += 1 + sim_random(s) % 10000;
		sim_sock_send(k, at, false);
		if (sim_chance(s, 5000))
			sim_sock_urgent(k, at - 1);
		sim_pass(s, sim_random(s) % (3 * SIM_MS));
	}
	sim_sock_send(k, at, true);
	assert_true(sim_run(s, 60 * SIM_SEC, is_over, p));
	assert_int_equal(p->rx_nxt, at);
	assert_false(p->is_bad);
	sim_free(s);
}

static void test_many(void **state)
{
	struct sim_config c = {.loss_up = 100, .loss_down = 100,
			       .reorder = 100};

	for (c.seed = 1; c.seed <= 24; c.seed++) {
		c.peek_after = c.seed % 3 ? 1 : 0;
		c.deny_peek = c.seed % 3 == 2;
		c.tso = c.seed & 4;
		check_many(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_up),
		cmocka_unit_test(test_up_ahead),
		cmocka_unit_test(test_up_waits),
		cmocka_unit_test(test_up_newer),
		cmocka_unit_test(test_down),
		cmocka_unit_test(test_down_again),
		cmocka_unit_test(test_many),
	};

	return SIM_RUN(tests);
}
