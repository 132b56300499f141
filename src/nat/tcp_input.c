/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments of guests (RFC 9293 3.10.7): what is legal, ACKs, RST, FIN.
 * Called by the gateway for each frame; one worker's thread.
 */

#include "wire/csum.h"

#include "nat/tcp_priv.h"

/* The guest's segment, its checksum verified unless somebody did or it was
 * left to be filled in. False: dropped. */
static bool parse(struct tcp *t, const struct packet *pkt,
		  const struct frame *f, struct tcp_seg *s)
{
	struct rd r = rd_init(f->hdr + pkt->l4_off, f->hdr_len - pkt->l4_off);
	uint64_t sum;

	if (!tcp_hdr_parse(&r, &s->h) || s->h.off > pkt->l4_len) {
		drop(t->env->drops, DROP_TCP_SHORT);
		return false;
	}
	s->pkt = pkt;
	s->frame = *f;
	s->frame.len = pkt->l4_off + pkt->l4_len; /* no Ethernet padding */
	if (!(f->off.flags & (FRAME_F_NEEDS_CSUM | FRAME_F_CSUM_VALID))) {
		sum = csum_pseudo(&pkt->src.ip, &pkt->dst.ip, IPPROTO_TCP,
				  pkt->l4_len);
		if (csum_fold(frame_sum(&s->frame, pkt->l4_off, sum)) != 0) {
			drop(t->env->drops, DROP_TCP_CSUM);
			return false;
		}
	}
	s->off = pkt->l4_off + s->h.off;
	s->len = pkt->l4_len - s->h.off;
	s->seq = s->h.seq + !!(s->h.flags & TCP_SYN);
	s->has_fin = s->h.flags & TCP_FIN;
	return true;
}

/* RFC 9293 3.10.7.1 */
static void no_flow(struct tcp *t, const struct tcp_seg *s)
{
	const uint8_t kind = TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN;

	if ((s->h.flags & kind) == TCP_SYN) {
		tcp_open(t, s);
		return;
	}
	drop(t->env->drops, DROP_TCP_NO_FLOW);
	tcp_emit_rst(t, s);
}

/* RFC 7323 5.3: the timestamp is older than the newest, by less than the
 * clock's half period of 24 days. */
static bool is_paws_old(const struct tcp_flow *f, const struct tcp_seg *s)
{
	uint32_t now_s = (uint32_t)(tcp_now(f->tcp) / TCP_SEC);

	return tcp_is(f, TCP_F_TS) && s->h.has_ts &&
	       !(s->h.flags & TCP_RST) &&
	       seq_lt(s->h.ts_val, f->ts_recent) &&
	       now_s - f->ts_age_s < 24 * 86400;
}

/* RFC 5961 3.2 */
static void input_rst(struct tcp_flow *f, const struct tcp_seg *s)
{
	if (f->state == TCP_S_TIME_WAIT && f->flow.sock.fd >= 0) {
		/* All was said, and what was acknowledged still drains: the
		 * guest's next connection has no say in that (RFC 1337 3). */
		drop(f->tcp->env->drops, DROP_TCP_BAD_STATE);
	} else if (s->h.seq == f->rcv_nxt) {
		f->tcp->stats.n_reset++;
		tcp_kill(f, true);
	} else if (seq_gt(s->h.seq, f->rcv_nxt) &&
		   seq_leq(s->h.seq, f->rcv_adv)) {
		tcp_emit_challenge(f, TCP_CHALLENGE_NS);
	} else {
		drop(f->tcp->env->drops, DROP_TCP_WINDOW);
	}
}

/* A SYN on a connection that we think is alive. */
static void input_syn(struct tcp_flow *f, const struct tcp_seg *s)
{
	struct tcp *t = f->tcp;
	bool is_newer = seq_gt(s->h.seq, f->rcv_nxt);

	if (tcp_is(f, TCP_F_TS) && s->h.has_ts) /* RFC 6191 2 */
		is_newer |= seq_gt(s->h.ts_val, f->ts_recent);
	if (f->state == TCP_S_TIME_WAIT && is_newer && f->flow.sock.fd < 0 &&
	    !(s->h.flags & (TCP_ACK | TCP_FIN))) {
		tcp_kill(f, false);
		tcp_open(t, s);
		return;
	}
	drop(t->env->drops, DROP_TCP_BAD_STATE);
	tcp_emit_challenge(f, TCP_CHALLENGE_NS); /* RFC 5961 4.2 */
}

/* Our FIN was acknowledged. */
static void fin_acked(struct tcp_flow *f)
{
	switch ((enum tcp_state)f->state) {
	case TCP_S_FIN_WAIT_1:
		tcp_state(f, TCP_S_FIN_WAIT_2);
		return;
	case TCP_S_LAST_ACK:
		tcp_close_host(f);
		if (f->flow.sock.fd < 0) {
			tcp_kill(f, false);
			return;
		}
		tcp_state(f, TCP_S_TIME_WAIT); /* the store drains first */
		return;
	case TCP_S_CLOSING:
		tcp_close_host(f);
		tcp_state(f, TCP_S_TIME_WAIT);
		return;
	case TCP_S_CLOSED:
	case TCP_S_CONNECT:
	case TCP_S_SYN_SENT:
	case TCP_S_SYN_RCVD:
	case TCP_S_ESTABLISHED:
	case TCP_S_FIN_WAIT_2:
	case TCP_S_CLOSE_WAIT:
	case TCP_S_TIME_WAIT:
		return;
	}
}

static void sample_rtt(struct tcp_flow *f, const struct tcp_hdr *h)
{
	uint64_t now = tcp_now(f->tcp);

	if (tcp_is(f, TCP_F_RTT) && seq_geq(f->snd_una, f->rtt_seq)) {
		f->flags &= ~(uint32_t)TCP_F_RTT;
		tcp_timer_rtt(f, now - f->rtt_ns);
	} else if (f->recov && tcp_is(f, TCP_F_TS) && h->has_ts && h->ts_ecr) {
		/* Milliseconds, but true for retransmitted bytes too. */
		tcp_timer_rtt(f, (uint32_t)(tcp_ts(f) - h->ts_ecr) * TCP_MS);
	}
}

static void update_window(struct tcp_flow *f, const struct tcp_hdr *h)
{
	if (!seq_lt(f->wl1, h->seq) &&
	    !(f->wl1 == h->seq && seq_leq(f->wl2, h->ack)))
		return;
	f->snd_wnd = (uint32_t)h->win << f->snd_shift;
	f->max_wnd = tcp_max(f->max_wnd, f->snd_wnd);
	f->wl1 = h->seq;
	f->wl2 = h->ack;
}

/* The ACK moved by n > 0 bytes. */
static void acked_new(struct tcp_flow *f, uint32_t n, const struct tcp_hdr *h)
{
	f->snd_una += n;
	f->snd_wnd -= tcp_min(n, f->snd_wnd);
	f->n_rtx = 0;
	f->n_dup = 0;
	f->base_ns = tcp_now(f->tcp);
	f->flags &= ~(uint32_t)TCP_F_TLP;
	sample_rtt(f, h);
	update_window(f, h);
	tcp_down_acked(f);
	tcp_sack_acked(f, n);
	if (tcp_is(f, TCP_F_FIN_SENT) && f->snd_una == f->snd_nxt)
		fin_acked(f);
}

/* The ACK field (RFC 9293 3.10.7.4, RFC 5961 5.2); false: the segment is not
 * to be looked at further. */
static bool input_ack(struct tcp_flow *f, const struct tcp_seg *s)
{
	const struct tcp_hdr *h = &s->h;
	uint32_t old_wnd = f->snd_wnd;
	bool was_waiting;

	if (seq_gt(h->ack, f->snd_nxt) ||
	    seq_lt(h->ack, f->snd_una - f->max_wnd)) {
		drop(f->tcp->env->drops, DROP_TCP_WINDOW);
		tcp_emit_challenge(f, TCP_CHALLENGE_NS);
		return false;
	}
	was_waiting = f->rtx_kind == TCP_RTX_PERSIST;
	/* It is there, and its window shut: that may last.  So too if it has
	 * taken back what it gave, and what was sent then is beyond. */
	if ((was_waiting || h->win == 0) && f->n_rtx > TCP_PERSIST_SHIFT)
		f->n_rtx = TCP_PERSIST_SHIFT;
	if (seq_gt(h->ack, f->snd_una)) {
		acked_new(f, h->ack - f->snd_una, h);
	} else if (h->ack == f->snd_una) {
		update_window(f, h);
		if (f->snd_una != f->snd_nxt && s->len == 0 && !s->has_fin &&
		    f->snd_wnd == old_wnd && !tcp_is(f, TCP_F_SACK))
			tcp_sack_dup(f);
	}
	if (f->state == TCP_S_CLOSED)
		return false;
	if (was_waiting && f->snd_wnd > 0) {
		f->n_rtx = 0;
		f->rtx_kind = TCP_RTX_NONE;
	}
	if (tcp_is(f, TCP_F_SACK) && h->n_sack > 0)
		(void)tcp_sack_input(f, h);
	if (f->recov || tcp_down_has_more(f) || was_waiting ||
	    tcp_is(f, TCP_F_FIN_SENT))
		tcp_pend(f);
	else
		tcp_timer_rtx(f);
	return true;
}

/* RFC 9293 3.10.7.4, first: false if nothing of the segment is acceptable. It
 * is then answered, unless it is an ACK overtaken by others. */
static bool is_acceptable(struct tcp_flow *f, const struct tcp_seg *s)
{
	uint32_t end = s->seq + s->len + s->has_fin;
	struct tcp_range dup = {.from = s->seq, .to = end};

	if (s->seq == end) {
		if (seq_geq(s->seq, f->rcv_nxt) && seq_leq(s->seq, f->rcv_adv))
			return true;
		if (s->seq == f->rcv_nxt - 1) { /* a keepalive or probe */
			tcp_up_keepalive(f);
			tcp_emit_challenge(f, TCP_PROBE_REPLY_NS);
		} else if (seq_gt(s->seq, f->rcv_adv)) {
			tcp_emit_challenge(f, TCP_CHALLENGE_NS);
		}
		if (seq_lt(s->seq, f->rcv_nxt))
			return f->rcv_nxt - s->seq <= 2 * TCP_WIN_MAX;
	} else if (seq_leq(end, f->rcv_nxt)) {
		drop(f->tcp->env->drops, DROP_TCP_OLD);
		if (f->state == TCP_S_TIME_WAIT)
			f->due_idle = tcp_now(f->tcp) + TCP_TIME_WAIT_NS;
		if (s->seq == f->rcv_nxt - 1) /* with a byte, as some send */
			tcp_up_keepalive(f);
		if (f->rcv_nxt - end > TCP_WIN_MAX)
			tcp_emit_challenge(f, TCP_CHALLENGE_NS);
		else
			tcp_emit_ack(f, s->len > 0 ? &dup : NULL);
		return false;
	} else if (seq_lt(s->seq, f->rcv_adv) ||
		   (s->len == 0 && s->seq == f->rcv_adv)) {
		return true;
	} else {
		tcp_emit_ack(f, NULL);
	}
	drop(f->tcp->env->drops, DROP_TCP_WINDOW);
	return false;
}

/* The guest's stream is at its end. */
static void guest_fin(struct tcp_flow *f)
{
	tcp_up_flush(f->tcp);
	if (f->rcv_nxt != f->fin_seq)
		return; /* what was before it had no place */
	tcp_up_fin(f);
	switch ((enum tcp_state)f->state) {
	case TCP_S_ESTABLISHED:
		tcp_state(f, TCP_S_CLOSE_WAIT);
		return;
	case TCP_S_FIN_WAIT_1:
		tcp_state(f, TCP_S_CLOSING);
		return;
	case TCP_S_FIN_WAIT_2:
		tcp_close_host(f);
		tcp_state(f, TCP_S_TIME_WAIT);
		return;
	case TCP_S_CLOSED:
	case TCP_S_CONNECT:
	case TCP_S_SYN_SENT:
	case TCP_S_SYN_RCVD:
	case TCP_S_CLOSE_WAIT:
	case TCP_S_CLOSING:
	case TCP_S_LAST_ACK:
	case TCP_S_TIME_WAIT:
		return;
	}
}

static void input_data(struct tcp_flow *f, const struct tcp_seg *s)
{
	uint32_t fin_seq = s->seq + s->len;

	if (tcp_is(f, TCP_F_HOST_ERR) || tcp_is(f, TCP_F_GUEST_FIN)) {
		drop(f->tcp->env->drops, DROP_TCP_BAD_STATE);
		return;
	}
	/* A FIN beyond the window comes again. */
	if (s->has_fin && seq_leq(fin_seq, f->rcv_adv)) {
		f->flags |= TCP_F_FIN_SEEN;
		f->fin_seq = fin_seq;
	}
	if (s->len > 0 && seq_gt(fin_seq, f->rcv_nxt))
		tcp_up_input(f, s);
	else if (s->len == 0 && s->seq != f->rcv_nxt)
		tcp_emit_ack(f, NULL); /* a FIN out of order */
	if (tcp_is(f, TCP_F_FIN_SEEN) && f->rcv_nxt == f->fin_seq)
		guest_fin(f);
}

static void note_timestamp(struct tcp_flow *f, const struct tcp_seg *s)
{
	if (!tcp_is(f, TCP_F_TS) || !s->h.has_ts ||
	    seq_gt(s->seq, f->rcv_acked) || seq_lt(s->h.ts_val, f->ts_recent))
		return;
	f->ts_recent = s->h.ts_val;
	f->ts_age_s = (uint32_t)(tcp_now(f->tcp) / TCP_SEC);
}

/* A segment of a flow that is established or beyond. */
static void synchronized(struct tcp_flow *f, const struct tcp_seg *s)
{
	struct tcp *t = f->tcp;

	if (s->h.flags & (TCP_SYN | TCP_RST | TCP_FIN) ||
	    s->seq != f->rcv_nxt)
		tcp_up_flush(t);
	if (is_paws_old(f, s)) {
		drop(t->env->drops, DROP_TCP_OLD);
		tcp_emit_challenge(f, TCP_PROBE_REPLY_NS);
		return;
	}
	if (s->h.flags & TCP_RST) {
		input_rst(f, s);
		return;
	}
	if (s->h.flags & TCP_SYN) {
		input_syn(f, s);
		return;
	}
	if (!(s->h.flags & TCP_ACK)) {
		drop(t->env->drops, DROP_TCP_BAD_STATE);
		return;
	}
	if (!is_acceptable(f, s))
		return;
	note_timestamp(f, s);
	if (s->len > 0 && (s->pkt->tos ^ f->dscp) & TCP_DSCP)
		tcp_carry_tos(f, s->pkt->tos);
	f->flow.guest_mac = s->pkt->eth_src;
	f->n_keep = 0;
	if (f->state != TCP_S_TIME_WAIT)
		f->due_idle = tcp_now(t) + TCP_KEEP_IDLE_NS;
	if (input_ack(f, s) && s->len + s->has_fin > 0)
		input_data(f, s);
}

void tcp_input(struct tcp *t, const struct packet *pkt, const struct frame *f)
{
	struct flow_key key = {
		.guest = pkt->src, .remote = pkt->dst, .proto = IPPROTO_TCP};
	struct flow *found;
	struct tcp_flow *fl;
	struct tcp_seg s;

	if (!parse(t, pkt, f, &s))
		return;
	found = flow_find(&t->flows, &key);
	if (!found) {
		no_flow(t, &s);
		return;
	}
	fl = tcp_of(found);
	if (fl->state < TCP_S_ESTABLISHED && !tcp_open_input(fl, &s))
		return;
	synchronized(fl, &s);
}
