/* SPDX-License-Identifier: BSD-3-Clause */
/* What a guest gets in front of the client's bytes (nat_inward.head): in order,
 * once, and again where it was lost (tcp_sim.h, tcp_hand.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/tcp_hand.h"

enum { HEAD = TCP_HEAD_MAX, BODY = 2000, ALL = HEAD + BODY };

/* A guest that keeps the bytes it gets where their numbers say. */
struct reader {
	struct hand g; /* first: it is the sim's arg */
	void (*on_down)(struct sim *s, const uint8_t *p, uint32_t len);
	uint32_t first; /* number of the first byte; 0: not known */
	uint8_t b[ALL];
	uint8_t head[HEAD];
};

static void keep(struct sim *s, const uint8_t *p, uint32_t len)
{
	struct reader *r = s->arg;
	struct packet pkt;
	struct tcp_hdr h;
	struct rd rd;
	uint32_t at, n;

	r->on_down(s, p, len);
	(void)packet_parse(p, len, len, &pkt); /* as there */
	rd = rd_init(p + pkt.l4_off, pkt.l4_len);
	(void)tcp_hdr_parse(&rd, &h);
	if (h.flags & TCP_SYN)
		r->first = h.seq + 1;
	at = h.seq - r->first;
	n = (uint32_t)rd_left(&rd);
	if (n && at < ALL && n <= ALL - at)
		rd_copy(&rd, r->b + at, n);
}

static struct reader *reader_make(void)
{
	struct reader *r = calloc(1, sizeof(*r));

	hand_init(&r->g, sim_new(&hand_usual));
	r->on_down = r->g.s->on_down;
	r->g.s->on_down = keep;
	for (unsigned i = 0; i < HEAD; i++)
		r->head[i] = (uint8_t)(i * 7 + 3);
	return r;
}

/* A client calls; the guest hears our SYN. */
static void call(struct reader *r)
{
	struct host_sock hs = HOST_SOCK_NULL;
	const struct nat_inward in = {.guest = r->g.p->me,
				      .peer = r->g.s->server,
				      .head = r->head,
				      .n_head = HEAD};

	r->g.k = sim_client(r->g.s, &hs);
	assert_int_equal(tcp_connect_guest(r->g.s->tcp, &hs, &in), 0);
	hand_settle(&r->g);
	(void)hand_hear(&r->g, TCP_SYN);
}

static void finish(struct reader *r)
{
	sim_free(r->g.s);
	free(r);
}

static void check(const struct reader *r)
{
	assert_memory_equal(r->b, r->head, HEAD);
	assert_memory_equal(r->b + HEAD, sim_pattern(0), BODY);
}

/* All that was ever sent, up to its end. */
static void ack_all(struct reader *r)
{
	while (r->g.next < r->g.n)
		(void)hand_hear(&r->g, r->g.got[r->g.next].h.flags &
					       (TCP_SYN | TCP_ACK | TCP_RST |
						TCP_FIN));
	hand_tell(&r->g, TCP_ACK, 0);
}

/* The client says nothing: its name is told all the same, and at once. */
static void test_head_alone(void **state)
{
	struct reader *r = reader_make();
	const struct got *x;

	call(r);
	hand_tell(&r->g, TCP_SYN | TCP_ACK, 0);
	x = hand_hear(&r->g, TCP_ACK);
	while (x->len == 0)
		x = hand_hear(&r->g, TCP_ACK);
	assert_int_equal(x->len, HEAD);
	assert_int_equal(x->h.seq, r->first);
	assert_memory_equal(r->b, r->head, HEAD);
	finish(r);
}

/* Nothing of it arrives; it comes again, and the client's bytes and end follow
 * as if nobody had spoken before. */
static void test_head_is_lost(void **state)
{
	struct reader *r = reader_make();
	uint32_t sent = 0;

	call(r);
	sim_sock_send(r->g.k, BODY, true);
	hand_tell(&r->g, TCP_SYN | TCP_ACK, 0);
	check(r);
	memset(r->b, 0, sizeof(r->b));
	for (unsigned i = 0; i < r->g.n; i++)
		sent += r->g.got[i].len;
	assert_in_range(sent, ALL, ALL);
	sim_pass(r->g.s, 2 * SIM_SEC); /* the timer, from the first byte on */
	assert_memory_equal(r->b, r->head, HEAD);
	/* a part of it is known */
	r->g.rcv = r->first + 100;
	memset(r->b, 0, 100);
	hand_tell(&r->g, TCP_ACK, 0);
	sim_pass(r->g.s, 10 * SIM_SEC);
	assert_int_equal(r->b[99], 0); /* not again */
	memcpy(r->b, r->head, 100);
	check(r);
	ack_all(r);
	assert_int_equal(r->g.rcv, r->first + ALL + 1); /* and a FIN */
	hand_tell(&r->g, TCP_FIN | TCP_ACK, 0);
	assert_true(r->g.k->was_closed && !r->g.k->was_reset);
	finish(r);
}

/* The guest refuses: so is the client, and no memory is left behind (which
 * sim_free() sees). */
static void test_head_is_refused(void **state)
{
	struct reader *r = reader_make();

	call(r);
	hand_tell(&r->g, TCP_RST | TCP_ACK, 0);
	assert_true(r->g.k->was_reset);
	assert_int_equal(hand_n_flows(&r->g), 0);
	finish(r);
}

/* No memory for it: the client is reset, not served without. */
static void test_no_room_for_a_head(void **state)
{
	const struct sim_config c = {.seed = 1, .max_buffer = 1};
	struct sim *s = sim_new(&c);
	const uint8_t head[HEAD] = {0};
	struct host_sock hs = HOST_SOCK_NULL;
	const struct nat_inward in = {.guest = {s->guest_ip, 22},
				      .peer = s->gw,
				      .head = head,
				      .n_head = HEAD};
	struct sim_sock *k;
	int r = 0;

	for (unsigned i = 0; i < 1000 && r == 0; i++) {
		struct nat_inward one = in;

		one.peer.port = (uint16_t)(2000 + i);
		k = sim_client(s, &hs);
		r = tcp_connect_guest(s->tcp, &hs, &one);
	}
	assert_int_equal(r, -ENOMEM);
	assert_true(k->was_reset);
	assert_int_equal(hs.fd, -1);
	assert_int_equal(s->drops.n[DROP_TCP_NO_MEMORY], 1);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head_alone),
		cmocka_unit_test(test_head_is_lost),
		cmocka_unit_test(test_head_is_refused),
		cmocka_unit_test(test_no_room_for_a_head),
	};

	return SIM_RUN(tests);
}
