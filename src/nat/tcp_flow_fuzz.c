/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary segments, events and times on live flows.
 *
 * The input is a list of orders of one byte with their arguments behind them;
 * the first four bytes choose the world (tcp_sim.h).  Beside an honest guest a
 * liar speaks for the same flow.  After each order the flows must be in order.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "nat/tcp_peer.h"
#include "nat/tcp_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ORDERS_MAX = 400, PEERS = 3 };

struct fuzz {
	struct sim *s;
	struct peer *p[PEERS]; /* the third listens */
	struct rd r;
	uint32_t heard_seq, heard_ack; /* of the last segment to a guest */
	struct host_sock hs;
};

#define must(cond)                                                             \
	do {                                                                   \
		if (!(cond))                                                   \
			abort();                                               \
	} while (0)

static void check_reasm(const struct tcp_flow *f)
{
	const struct tcp_reasm *ra = f->reasm;
	uint32_t at = f->rcv_nxt;

	if (!ra)
		return;
	must(ra->n > 0 && ra->n <= TCP_RANGES && f->up);
	for (unsigned i = 0; i < ra->n; i++) {
		must(seq_lt(at, ra->r[i].from));
		must(seq_lt(ra->r[i].from, ra->r[i].to));
		at = ra->r[i].to;
	}
	must(seq_leq(at, f->rcv_adv));
}

static void check_recov(const struct tcp_flow *f)
{
	const struct tcp_recov *rc = f->recov;
	uint32_t at = f->snd_una, sacked = 0;

	if (!rc)
		return;
	must(rc->n <= TCP_RANGES);
	for (unsigned i = 0; i < rc->n; i++) {
		must(seq_lt(at, rc->r[i].from));
		must(seq_lt(rc->r[i].from, rc->r[i].to));
		if (rc->gap[i].is_lost)
			must(seq_geq(rc->gap[i].rex_nxt, at) &&
			     seq_leq(rc->gap[i].rex_nxt, rc->r[i].from));
		at = rc->r[i].to;
		sacked += rc->r[i].to - rc->r[i].from;
	}
	must(seq_leq(at, f->snd_nxt) && sacked == rc->sacked);
	if (rc->gap[rc->n].is_lost)
		must(seq_geq(rc->gap[rc->n].rex_nxt, at) &&
		     seq_leq(rc->gap[rc->n].rex_nxt, rc->tail_end) &&
		     seq_leq(rc->tail_end, f->snd_nxt));
	must(tcp_sack_pipe(f) <= f->snd_nxt - f->snd_una);
}

static void check_flow(const struct tcp_flow *f)
{
	must(f->state != TCP_S_CLOSED && !tcp_is(f, TCP_F_DEAD));
	check_reasm(f);
	check_recov(f);
	must(timer_is_armed(&f->flow.timer));
	must(list_empty(&f->link_pend));
	if (f->state < TCP_S_ESTABLISHED)
		return;
	must(seq_leq(f->snd_una, f->snd_nxt));
	must(seq_leq(f->up_pos, f->rcv_nxt));
	must(f->rcv_adv - f->up_pos <= f->rcv_cap + 32);
	must(f->rcv_cap >= TCP_WIN_INIT && f->rcv_cap <= TCP_WIN_MAX);
	must(f->mss >= TCP_MSS_MIN);
	if (f->ring)
		must(seq_lt(f->snd_una, f->ring_end) &&
		     f->ring_end - f->snd_una <= TCP_STORE_MAX);
	if (tcp_is(f, TCP_F_PEEK))
		must(seq_leq(f->sock_seq, f->snd_nxt) ||
		     seq_leq(f->sock_seq, f->ring_end));
	else
		must(seq_leq(f->snd_nxt, f->ring_end +
						 tcp_is(f, TCP_F_FIN_SENT)));
}

static void check(const struct sim *s)
{
	struct tcp *t = s->tcp;
	uint64_t promised = 0;
	unsigned n = 0;

	must(!t->in_lan && !t->in_finish && !t->run.f && t->out.b.n == 0);
	must(list_empty(&t->pend) && list_empty(&t->dead));
	list_each (it, &t->flows.all) {
		const struct tcp_flow *f =
			tcp_of(container_of(it, struct flow, link));

		check_flow(f);
		promised += f->rcv_cap - TCP_WIN_INIT;
		n++;
	}
	must(n == t->flows.n && n == t->flow_slab.n_used);
	must(promised + tcp_credit(t) == t->share->credit_max);
	must(quota_load(&t->share->chunks[TCP_USE_UP].n) +
		     quota_load(&t->share->chunks[TCP_USE_DOWN].n) ==
	     t->chunk_slab.n_used);
}

static void on_down(struct sim *s, const uint8_t *b, uint32_t len)
{
	struct fuzz *z = s->arg;
	struct rd r = rd_init(b + 38, 8);

	z->heard_seq = rd_u32(&r);
	z->heard_ack = rd_u32(&r);
}

/* A lie near the truth. */
static void order_segment(struct fuzz *z)
{
	struct peer *p = z->p[rd_u8(&z->r) % PEERS];
	uint8_t opts = rd_u8(&z->r);
	struct tcp_hdr h = {.flags = rd_u8(&z->r)};
	uint32_t len;

	h.seq = z->heard_ack + (uint32_t)(int16_t)rd_u16(&z->r);
	h.ack = z->heard_seq + (uint32_t)(int16_t)rd_u16(&z->r);
	h.win = rd_u16(&z->r);
	len = rd_u16(&z->r) % 1460;
	if (opts & 1) {
		h.has_ts = true;
		h.ts_val = (uint32_t)(z->s->now_ns / SIM_MS) + 77 +
			   (opts & 2 ? rd_u8(&z->r) : 0);
		h.ts_ecr = opts & 4 ? rd_u32(&z->r) : 0;
	}
	if (h.flags & TCP_SYN) {
		h.has_mss = opts & 8;
		h.mss = rd_u16(&z->r);
		h.has_ws = opts & 16;
		h.ws = rd_u8(&z->r) % 15;
		h.sack_ok = opts & 32;
	} else {
		h.n_sack = opts >> 6;
	}
	if (h.flags & TCP_URG)
		h.urg = rd_u16(&z->r);
	for (unsigned i = 0; i < h.n_sack; i++) {
		h.sack[i].from = h.ack + (uint32_t)(int16_t)rd_u16(&z->r);
		h.sack[i].to = h.sack[i].from + rd_u16(&z->r) % 5000;
	}
	if (tcp_hdr_len(&h) <= TCP_HDR_MAX)
		peer_raw(p, &h, sim_pattern(h.seq), len);
}

/* Bytes for a header, whatever they are. */
static void order_garbage(struct fuzz *z)
{
	uint8_t b[54 + 80];
	uint32_t n = rd_u8(&z->r) % 81;
	const struct frame_offload off = {.flags = FRAME_F_CSUM_VALID};
	const struct peer *p = z->p[0];
	struct wr w = wr_init(b, sizeof(b));
	const struct ip_hdr ip = {.l4_len = n,
				  .ttl = 64,
				  .proto = IPPROTO_TCP,
				  .src = p->me.ip,
				  .dst = p->other.ip};

	ip_emit_frame(&w, sim_gw_mac, sim_guest_mac, &ip);
	for (uint32_t i = 0; i < n; i++)
		wr_u8(&w, rd_u8(&z->r));
	sim_send_up(z->s, b, (uint32_t)wr_len(&w), &off);
}

static void order_host(struct fuzz *z)
{
	struct sim *s = z->s;
	struct sim_sock *k;
	uint8_t what = rd_u8(&z->r);

	if (s->n_socks == 0)
		return;
	k = s->sock[what % s->n_socks];
	what = rd_u8(&z->r);
	switch (what % 6) {
	case 0:
		sim_sock_send(k, k->tx_total + rd_u16(&z->r), what & 64);
		if (what & 128 && k->s && k->tx_total > 1)
			sim_sock_urgent(k, k->tx_total - 1);
		return;
	case 1:
		k->is_stalled = true;
		return;
	case 2:
		sim_sock_resume(k);
		return;
	case 3:
		if (k->s)
			sim_sock_reset(k);
		return;
	case 4:
		k->send_err = what & 64 ? 105 : 0; /* ENOBUFS */
		return;
	case 5: /* an event out of nothing */
		if (k->s)
			k->s->event(k->s, what >> 3);
		return;
	default:
		return;
	}
}

static void order_exit(struct fuzz *z)
{
	struct sim *s = z->s;

	s->is_exit_shut = !s->is_exit_shut;
	if (s->is_exit_shut || !s->wants_room)
		return;
	s->wants_room = false;
	lan_port_room(&s->guest_port);
}

static void order(struct fuzz *z)
{
	struct peer *p;

	switch (rd_u8(&z->r) % 8) {
	case 0:
	case 1:
		order_segment(z);
		return;
	case 2:
		sim_pass(z->s, (uint64_t)rd_u8(&z->r) * 100000);
		return;
	case 3:
		sim_pass(z->s, (uint64_t)rd_u8(&z->r)
				       << (20 + rd_u8(&z->r) % 8));
		return;
	case 4:
		order_host(z);
		return;
	case 5:
		p = z->p[rd_u8(&z->r) % PEERS];
		peer_send(p, p->tx_total + rd_u16(&z->r),
			  p->tx_fin || rd_u8(&z->r) & 1);
		return;
	case 6:
		order_exit(z);
		return;
	default:
		order_garbage(z);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sim_config c = {.seed = 1, .max_flows = 16};
	struct fuzz z = {.r = rd_init(data, size), .hs = HOST_SOCK_NULL};
	struct endpoint guest = {.port = 22};
	uint8_t b = rd_u8(&z.r);
	int r;

	c.tso = b & 1;
	c.can_lend = b & 2;
	c.deny_peek = b & 4;
	c.peek_after = b & 8 ? 1 : 0;
	c.lossy = b & 16;
	c.no_sack = b & 32;
	c.no_ts = b & 64;
	c.room = b & 128 ? 3 : 0;
	b = rd_u8(&z.r);
	c.max_buffer = (uint64_t)(2 + (b & 7)) * TCP_CHUNK;
	c.sndbuf = 1 + rd_u16(&z.r);
	c.rcvbuf = 2000 + c.sndbuf;
	c.rcv_buf = b & 8 ? 3000 : 0;
	c.slow_connect = b & 16;
	c.connect_err = b & 32 && b & 16 ? 111 : 0;
	(void)(b & 128 ? sim_speaks6(NULL) : sim_speaks4(NULL)); /* 0 */
	z.s = sim_new(&c);
	guest.ip = z.s->guest_ip;
	z.s->arg = &z;
	z.s->on_down = on_down;
	z.p[2] = peer_listen(z.s, 22);
	z.p[2]->other = z.s->gw;
	(void)sim_client(z.s, &z.hs);
	r = tcp_connect_guest(z.s->tcp, &z.hs,
			      &(struct nat_inward){.guest = guest,
						   .peer = z.s->gw});
	must(r == 0);
	for (unsigned i = 0; i < 2; i++)
		z.p[i] = peer_connect(z.s, (uint16_t)(1000 + i), &z.s->server);
	sim_pass(z.s, b & 64 ? 0 : SIM_MS);
	check(z.s);
	for (unsigned i = 0; i < ORDERS_MAX && rd_left(&z.r); i++) {
		order(&z);
		sim_pass(z.s, 0);
		check(z.s);
	}
	z.s->on_down = NULL;
	sim_free(z.s);
	return 0;
}
