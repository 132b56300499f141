/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Urgent bytes.  Called by tcp_up.c, tcp_down.c and tcp_source.c; one worker's
 * thread.
 *
 * A pointer of TCP names one byte of the stream (RFC 6093: the last one of what
 * is urgent), and a newer one takes the place of an older one.  Programs get it
 * as the byte before the place the pointer names, as every system has it.
 *
 * Guest to host, that byte is sent by a call of its own, which marks it.  Host
 * to guest, it stays in the stream (SO_OOBINLINE), and goes to the guest in a
 * segment of its own, however often.  A read stops before it, but one that
 * begins at it runs over it.  So once a socket had one (TCP_U_SEEN), each read
 * is preceded by two questions: is a byte there, and is it the one?  In this
 * order, as an urgent byte is known to the socket before it can be read.
 *
 * The socket can tell only of the byte that is taken out next, not of one that
 * would be peeked next.  A peeked flow becomes one with a ring again, for good,
 * when all that was peeked is acknowledged and taken out.
 *
 * The first one of a flow is announced by HOST_EV_PRI: the read that empties
 * the socket was short, so that the next one waits for an event.
 */
#include "nat/tcp_priv.h"

void tcp_urgent_input(struct tcp_flow *f, const struct tcp_seg *s)
{
	uint32_t at = s->seq + s->h.urg - 1;

	if (s->h.urg == 0 || seq_lt(at, f->up_pos) || seq_geq(at, f->rcv_adv))
		return;
	if (f->urgent & TCP_U_UP && seq_leq(at, f->up_urg))
		return;
	f->urgent |= TCP_U_UP;
	f->up_urg = at;
}

uint32_t tcp_urgent_piece(const struct tcp_flow *f, uint32_t len, bool *oobp)
{
	uint32_t before = f->up_urg - f->up_pos;

	*oobp = f->urgent & TCP_U_UP && before == 0;
	if (*oobp)
		return 1;
	return f->urgent & TCP_U_UP && before < len ? before : len;
}

void tcp_urgent_event(struct tcp_flow *f)
{
	f->urgent |= TCP_U_SEEN;
}

bool tcp_urgent_unpeek(struct tcp_flow *f)
{
	struct host *h = f->tcp->env->host;

	if (!(f->urgent & TCP_U_SEEN) || !tcp_is(f, TCP_F_PEEK))
		return true;
	if (f->snd_una != f->snd_nxt)
		return false;
	tcp_src_drain(f, true);
	/* Where bytes are missing, the next read says why. */
	if (f->sock_seq == f->snd_nxt &&
	    h->ops->set(h, &f->flow.sock, HOST_OPT_PEEK_OFF, -1) == 0)
		f->flags &= ~(uint32_t)TCP_F_PEEK;
	return true;
}

ssize_t tcp_urgent_look(struct tcp_flow *f)
{
	struct host *h = f->tcp->env->host;
	uint8_t byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	int is_next = 0;
	ssize_t r;

	if (!(f->urgent & TCP_U_SEEN))
		return 1;
	r = h->ops->recv(h, &f->flow.sock, &iov, 1, HOST_PEEK);
	if (r <= 0)
		return r;
	(void)h->ops->get(h, &f->flow.sock, HOST_OPT_ATMARK, &is_next);
	if (is_next) {
		f->urgent |= TCP_U_DOWN;
		f->down_urg = f->ring_end;
	}
	return r;
}

uint32_t tcp_urgent_cut(const struct tcp_flow *f, uint32_t seq, uint32_t len)
{
	uint32_t before = f->down_urg - seq;

	if (!(f->urgent & TCP_U_DOWN) || before >= len)
		return len;
	return before ? before : 1;
}
