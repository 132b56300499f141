/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest moved by hand, see tcp_hand.h. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/tcp_hand.h"

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

void hand_init(struct hand *g, struct sim *s)
{
	*g = (struct hand){.s = s, .snd = ISS, .win = 65535};
	s->arg = g;
	s->on_down = on_down;
	g->p = peer_listen(s, PORT);
	g->p->other = s->server;
	g->p->drop_all = true;
}

void hand_settle(struct hand *g)
{
	sim_pass(g->s, 4 * SIM_MS); /* a delayed ACK included */
}

/* Sends a segment and lets what it causes happen. */
void hand_tell_at(struct hand *g, uint8_t flags, uint32_t seq, uint32_t ack,
		  uint32_t len)
{
	struct tcp_hdr h = {
		.flags = flags, .seq = seq, .ack = ack, .win = g->win};

	if (g->ts) {
		h.has_ts = true;
		h.ts_val = g->ts_val;
	}
	peer_raw(g->p, &h, sim_pattern(seq - ISS - 1), len);
	hand_settle(g);
}

/* The next segment of an orderly guest. */
void hand_tell(struct hand *g, uint8_t flags, uint32_t len)
{
	uint32_t seq = g->snd;

	g->snd += len + !!(flags & TCP_FIN) + !!(flags & TCP_SYN);
	hand_tell_at(g, flags, seq, flags & TCP_ACK ? g->rcv : 0, len);
}

/* The next segment it got. */
const struct got *hand_hear(struct hand *g, uint8_t flags)
{
	static const uint8_t all = TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN;
	struct got *x = &g->got[g->next];

	assert_in_range(g->next, 0, g->n - 1);
	g->next++;
	assert_int_equal(x->h.flags & all, flags);
	g->rcv = x->h.seq + x->len + !!(flags & (TCP_SYN | TCP_FIN));
	return x;
}

void hand_hear_nothing(const struct hand *g)
{
	assert_int_equal(g->next, g->n);
}

unsigned hand_n_flows(const struct hand *g)
{
	struct tcp_stats st;

	tcp_stats(g->s->tcp, &st);
	return st.n_flows;
}

uint64_t hand_drops(const struct hand *g, enum drop_reason why)
{
	return g->s->drops.n[why];
}

struct hand *hand_make(const struct sim_config *c)
{
	struct hand *g = malloc(sizeof(*g));

	hand_init(g, sim_new(c));
	return g;
}

void hand_finish(struct hand *g)
{
	sim_free(g->s);
	free(g);
}

/* Up to the SYN-ACK. */
struct hand *hand_make_syn_rcvd(const struct sim_config *c)
{
	struct hand *g = hand_make(c);
	const struct got *x;

	hand_tell(g, TCP_SYN, 0);
	x = hand_hear(g, TCP_SYN | TCP_ACK);
	assert_int_equal(x->h.ack, ISS + 1);
	assert_int_equal(g->s->n_socks, 1);
	g->k = g->s->sock[0];
	return g;
}

struct hand *hand_make_open(const struct sim_config *c)
{
	struct hand *g = hand_make_syn_rcvd(c);

	hand_tell(g, TCP_ACK, 0);
	hand_hear_nothing(g);
	return g;
}

const struct sim_config hand_usual = {.seed = 1};
