/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one timer of a flow: three deadlines, armed for the earliest.  A
 * deadline that moves away leaves the timer where it is; it fires, sees that
 * nothing is due and is armed anew, so that the common case (every ACK moves
 * the retransmission timer) costs nothing.  Called by every part of TCP and by
 * the wheel; one worker's thread.
 */
#include "nat/tcp_priv.h"

void tcp_timer_update(struct tcp_flow *f)
{
	struct timer_wheel *w = f->tcp->env->wheel;
	uint64_t due = f->due_rtx;

	if (f->due_ack < due)
		due = f->due_ack;
	if (f->due_idle < due)
		due = f->due_idle;
	if (due == TCP_NEVER)
		timer_disarm(w, &f->flow.timer);
	else if (!timer_is_armed(&f->flow.timer) ||
		 due < f->flow.timer.deadline_ns)
		timer_arm(w, &f->flow.timer, due);
}

uint64_t tcp_timer_rto(const struct tcp_flow *f)
{
	uint64_t rto = TCP_RTO_FIRST_NS;
	unsigned shift = f->n_rtx < 10 ? f->n_rtx : 10;

	if (tcp_is(f, TCP_F_MEASURED)) {
		uint64_t var = UINT64_C(4000) * f->rttvar_us;

		/* The guest's delayed ACK is part of what is waited for. */
		if (var < TCP_RTO_MIN_NS)
			var = TCP_RTO_MIN_NS;
		rto = UINT64_C(1000) * f->srtt_us + var;
	}
	rto <<= shift;
	return rto < TCP_RTO_MAX_NS ? rto : TCP_RTO_MAX_NS;
}

void tcp_timer_retry(struct tcp_flow *f)
{
	uint64_t due = tcp_now(f->tcp) + TCP_RETRY_NS;

	f->flags |= TCP_F_RETRY;
	if (f->due_ack > due)
		f->due_ack = due;
}

void tcp_timer_rtt(struct tcp_flow *f, uint64_t rtt_ns)
{
	uint32_t us = (uint32_t)(rtt_ns / 1000);

	if (rtt_ns > TCP_RTO_MAX_NS)
		return;
	if (!tcp_is(f, TCP_F_MEASURED)) { /* RFC 6298 2.2 */
		f->flags |= TCP_F_MEASURED;
		f->srtt_us = us;
		f->rttvar_us = us / 2;
		return;
	}
	f->rttvar_us += ((us > f->srtt_us ? us - f->srtt_us
					  : f->srtt_us - us) / 4) -
			f->rttvar_us / 4;
	f->srtt_us = f->srtt_us - f->srtt_us / 8 + us / 8;
}

/* When a probe of the tail is due; not before the RTO where one delayed ACK
 * explains the silence (RFC 8985 7.2). */
static uint64_t tlp_due(const struct tcp_flow *f)
{
	uint64_t pto = UINT64_C(2000) * f->srtt_us;
	uint64_t least = tcp_is(f, TCP_F_LOSSY) ? TCP_PTO_MIN_NS
						: TCP_PTO_CALM_NS;

	if (!tcp_is(f, TCP_F_MEASURED) || tcp_is(f, TCP_F_TLP) || f->recov ||
	    f->n_rtx > 0)
		return TCP_NEVER;
	if (f->snd_nxt - f->snd_una < 2u * f->mss &&
	    !tcp_is(f, TCP_F_FIN_SENT)) /* a FIN is ACKed at once */
		return TCP_NEVER;
	if (pto < least)
		pto = least;
	return (f->tx_ns > f->base_ns ? f->tx_ns : f->base_ns) + pto;
}

void tcp_timer_rtx(struct tcp_flow *f)
{
	uint64_t due = TCP_NEVER, tlp, loss;
	enum tcp_rtx kind = TCP_RTX_NONE;

	if (f->state == TCP_S_TIME_WAIT)
		return;
	if (f->snd_nxt != f->snd_una) {
		kind = TCP_RTX_RTO;
		due = f->base_ns + tcp_timer_rto(f);
		tlp = tlp_due(f);
		loss = f->recov ? tcp_sack_due(f) : TCP_NEVER;
		if (tlp < due) {
			kind = TCP_RTX_TLP;
			due = tlp;
		}
		if (loss < due) {
			kind = TCP_RTX_LOSS;
			due = loss;
		}
	} else if (tcp_down_is_stuck(f)) {
		if (f->rtx_kind == TCP_RTX_PERSIST)
			return;
		kind = TCP_RTX_PERSIST;
		due = tcp_now(f->tcp) + tcp_timer_rto(f);
	}
	f->rtx_kind = (uint8_t)kind;
	f->due_rtx = due;
}

static void tail_probe(struct tcp_flow *f)
{
	uint32_t len = tcp_min(f->mss, f->snd_nxt - f->snd_una);

	if (tcp_down_again(f, f->snd_nxt - len, len) > 0)
		f->flags |= TCP_F_TLP;
	f->base_ns = tcp_now(f->tcp); /* the RTO counts from the probe */
}

/* The window is shut: a segment the guest must answer. */
static void persist(struct tcp_flow *f)
{
	if (++f->n_rtx > TCP_RTO_TRIES) {
		tcp_abort(f);
		return;
	}
	/* Something small may go out against the silly window avoidance. */
	if (tcp_down_room(f) > 0) {
		f->flags |= TCP_F_OVERRIDE;
		f->n_rtx = 0;
	} else {
		tcp_emit(f, TCP_ACK, f->snd_una - 1);
	}
	f->rtx_kind = TCP_RTX_NONE;
	tcp_pend(f);
}

static void timeout(struct tcp_flow *f)
{
	if (!list_empty(&f->link_wait)) { /* nothing can leave anyway */
		f->base_ns = tcp_now(f->tcp);
		return;
	}
	if (++f->n_rtx > TCP_RTO_TRIES) {
		tcp_abort(f);
		return;
	}
	f->tcp->stats.n_rto++;
	f->base_ns = tcp_now(f->tcp);
	tcp_sack_timeout(f);
}

static void rtx_due(struct tcp_flow *f)
{
	f->due_rtx = TCP_NEVER;
	switch ((enum tcp_rtx)f->rtx_kind) {
	case TCP_RTX_NONE:
	case TCP_RTX_LOSS:
		break;
	case TCP_RTX_SYN:
		tcp_open_timer(f);
		return;
	case TCP_RTX_RTO:
		timeout(f);
		break;
	case TCP_RTX_TLP:
		if (list_empty(&f->link_wait))
			tail_probe(f);
		else
			f->base_ns = tcp_now(f->tcp);
		break;
	case TCP_RTX_PERSIST:
		persist(f);
		break;
	}
	tcp_pend(f);
}

/* Nothing was heard of the guest for long. */
static void keepalive(struct tcp_flow *f)
{
	f->due_idle = tcp_now(f->tcp) + TCP_KEEP_NS;
	if (!list_empty(&f->link_wait))
		return; /* its exit is blocked: it is there, and paused */
	if (f->n_keep++ >= TCP_KEEP_TRIES)
		tcp_abort(f);
	else
		tcp_emit(f, TCP_ACK, f->snd_una - 1);
}

static void idle_due(struct tcp_flow *f)
{
	f->due_idle = TCP_NEVER;
	switch ((enum tcp_state)f->state) {
	case TCP_S_CLOSED:
		return;
	case TCP_S_CONNECT:
	case TCP_S_SYN_SENT:
	case TCP_S_SYN_RCVD:
		tcp_open_expired(f);
		return;
	case TCP_S_ESTABLISHED:
	case TCP_S_FIN_WAIT_1:
	case TCP_S_FIN_WAIT_2:
	case TCP_S_CLOSE_WAIT:
	case TCP_S_CLOSING:
	case TCP_S_LAST_ACK:
		keepalive(f);
		return;
	case TCP_S_TIME_WAIT:
		if (f->flow.sock.fd < 0)
			tcp_kill(f, false);
		else /* the store is still draining */
			f->due_idle = tcp_now(f->tcp) + TCP_TIME_WAIT_NS;
		return;
	}
}

static void ack_due(struct tcp_flow *f)
{
	f->due_ack = TCP_NEVER;
	if (tcp_is(f, TCP_F_ACK_LATER)) { /* no answer to ride on came */
		f->flags &= ~(uint32_t)TCP_F_ACK_LATER;
		f->flags |= TCP_F_ACK_NOW;
		f->pingpong = 0;
	}
	if (tcp_is(f, TCP_F_RETRY)) {
		f->flags &= ~(uint32_t)TCP_F_RETRY;
		if (!tcp_is(f, TCP_F_EOF))
			f->flags |= TCP_F_READABLE;
		if (tcp_is(f, TCP_F_BLOCKED))
			tcp_up_drain(f);
	}
	tcp_pend(f);
}

void tcp_timer_fire(struct timer *timer, uint64_t now_ns)
{
	struct tcp_flow *f = tcp_of(container_of(timer, struct flow, timer));
	struct tcp *t = f->tcp;

	now_ns = tcp_now(t);
	if (now_ns >= f->due_ack)
		ack_due(f);
	if (now_ns >= f->due_rtx)
		rtx_due(f);
	if (now_ns >= f->due_idle)
		idle_due(f);
	if (f->state != TCP_S_CLOSED)
		tcp_timer_update(f);
	tcp_finish(t);
}
