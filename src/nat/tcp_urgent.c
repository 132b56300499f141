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
 * to guest, it stays in the stream (SO_OOBINLINE); a read stops before it, and
 * the socket tells whether its next byte is the one.  Peeked bytes are still in
 * the socket: before it can tell they must be acknowledged and taken out.  The
 * byte goes to the guest in a segment of its own, however often.
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
	f->urgent |= TCP_U_SEEK;
}

bool tcp_urgent_seek(struct tcp_flow *f)
{
	struct host *h = f->tcp->env->host;
	uint32_t next = f->ring_end;
	int is_next = 0;

	if (!(f->urgent & TCP_U_SEEK))
		return true;
	if (tcp_is(f, TCP_F_PEEK)) {
		next = f->snd_nxt;
		if (f->snd_una != next)
			return false;
		tcp_src_drain(f, true);
	}
	if (h->ops->get(h, &f->flow.sock, HOST_OPT_ATMARK, &is_next) < 0)
		f->urgent &= (uint8_t)~TCP_U_SEEK;
	if (!is_next)
		return true;
	f->urgent = (uint8_t)((f->urgent & ~TCP_U_SEEK) | TCP_U_DOWN);
	f->down_urg = next;
	return true;
}

void tcp_urgent_dry(struct tcp_flow *f)
{
	f->urgent &= (uint8_t)~TCP_U_SEEK; /* one to come is told by PRI */
}

uint32_t tcp_urgent_cut(const struct tcp_flow *f, uint32_t seq, uint32_t len)
{
	uint32_t before = f->down_urg - seq;

	if (!(f->urgent & TCP_U_DOWN) || before >= len)
		return len;
	return before ? before : 1;
}
