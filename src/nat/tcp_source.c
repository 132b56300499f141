/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where bytes for the guest wait until they are acknowledged.  Called by
 * tcp_down.c; one worker's thread.
 *
 * A flow begins with a ring: bytes are received into chunks and copied from
 * there into the guest's buffers.  For the small answers of most connections
 * this is one system call per read and none per ACK.  A flow that has moved
 * peek_after bytes, or finds no chunk, is peeked from then on: the bytes stay
 * in the socket (SO_PEEK_OFF), are received straight into the guest's buffers
 * as often as needed, and are taken out in big steps once acknowledged:
 *
 *	snd_una      ring_end                                    snd_nxt
 *	   |--- ring ----|------------ socket, peeked ---------------|
 *	              sock_seq: offset 0 of the socket's queue
 *
 * Where the kernel has no SO_PEEK_OFF for TCP (before 6.9) it stays a ring.
 */
#include <errno.h>

#include "nat/tcp_priv.h"

/* A step of draining: as much as leaves the sender outside most of its
 * window, however small the kernel keeps the buffer. */
static void choose_step(struct tcp_flow *f)
{
	struct host *h = f->tcp->env->host;
	int rcvbuf = 0;

	if (f->drain >= TCP_DRAIN_MAX)
		return;
	if (h->ops->get(h, &f->flow.sock, HOST_OPT_RCVBUF, &rcvbuf) < 0 ||
	    rcvbuf < 4 * TCP_DRAIN_MIN)
		rcvbuf = 4 * TCP_DRAIN_MIN;
	f->drain = tcp_min((uint32_t)rcvbuf / 4, TCP_DRAIN_MAX);
}

static void start_peek(struct tcp_flow *f)
{
	struct tcp *t = f->tcp;
	struct host *h = t->env->host;
	int r;

	if (f->urgent & TCP_U_SEEN)
		return;
	r = h->ops->set(h, &f->flow.sock, HOST_OPT_PEEK_OFF, 0);
	if (r == -ENOTSUP)
		t->can_peek = false;
	if (r < 0)
		return;
	f->flags |= TCP_F_PEEK;
	f->sock_seq = f->peek_seq = f->ring_end;
	choose_step(f);
}

void tcp_src_prepare(struct tcp_flow *f)
{
	struct tcp *t = f->tcp;
	struct host *h = t->env->host;

	if (!tcp_is(f, TCP_F_RECV_SET)) {
		f->flags |= TCP_F_RECV_SET;
		/* An urgent byte would leave the stream, and a peek would
		 * count it all the same. Refused: no urgent data then. */
		(void)h->ops->set(h, &f->flow.sock, HOST_OPT_OOBINLINE, 1);
	}
	if (!tcp_is(f, TCP_F_PEEK) && t->can_peek &&
	    f->bytes_down >= t->peek_after)
		start_peek(f);
}

/* The socket has said what it will say. */
static enum tcp_src_result no_more(struct tcp_flow *f, ssize_t r)
{
	f->flags &= ~(uint32_t)TCP_F_READABLE;
	if (r == -EAGAIN)
		return TCP_SRC_DRY;
	if (r == -EINTR || r == -ENOBUFS || r == -ENOMEM) {
		tcp_timer_retry(f);
		return TCP_SRC_DRY;
	}
	f->flags |= r == 0 ? TCP_F_EOF : TCP_F_HOST_ERR;
	return TCP_SRC_END;
}

/* After got of len bytes: how many to ask for next time. */
static void adapt(struct tcp_flow *f, uint32_t got, uint32_t len)
{
	if (got == len && len >= f->expect)
		f->expect = tcp_min(f->expect * 4, TCP_EXPECT_MAX);
	else if (got < f->expect / 4)
		f->expect = tcp_max(got * 2, TCP_EXPECT_MIN);
	/* Short: the queue is empty, a new edge will come.  Or an urgent byte
	 * stopped it, see tcp_urgent.c. */
	if (got < len && !tcp_is(f, TCP_F_READ_ON) &&
	    !(f->urgent & TCP_U_SEEN))
		f->flags &= ~(uint32_t)TCP_F_READABLE;
}

enum tcp_src_result tcp_src_fill(struct tcp_flow *f, uint32_t len)
{
	struct tcp *t = f->tcp;
	struct host *h = t->env->host;
	uint32_t used = f->ring_end - f->snd_una;
	unsigned n_iov;
	ssize_t r;

	len = tcp_min(tcp_min(len, f->expect), TCP_STORE_MAX - used);
	if (len > 0)
		len = tcp_store_reserve(f, &f->ring, TCP_USE_DOWN, f->ring_end,
					len);
	if (len == 0) {
		if (t->can_peek)
			start_peek(f);
		return TCP_SRC_MEMORY;
	}
	n_iov = tcp_store_iov(f->ring, f->ring_end, &len, t->iov,
			      LEND_IOV_MAX);
	r = f->urgent ? tcp_urgent_look(f) : 1;
	if (r > 0)
		r = h->ops->recv(h, &f->flow.sock, t->iov, n_iov, 0);
	if (r <= 0) {
		if (used == 0)
			tcp_store_free(t, &f->ring);
		return no_more(f, r);
	}
	f->ring_end += (uint32_t)r;
	adapt(f, (uint32_t)r, len);
	return TCP_SRC_OK;
}

/* Points the socket's peek offset at seq. */
static bool seek(struct tcp_flow *f, uint32_t seq)
{
	struct host *h = f->tcp->env->host;

	if (f->peek_seq == seq)
		return true;
	if (h->ops->set(h, &f->flow.sock, HOST_OPT_PEEK_OFF,
			(int)(seq - f->sock_seq)) < 0)
		return false;
	f->peek_seq = seq;
	return true;
}

uint32_t tcp_src_peek(struct tcp_flow *f, uint32_t seq, unsigned n_iov,
		      enum tcp_src_result *whyp)
{
	struct tcp *t = f->tcp;
	struct host *h = t->env->host;
	bool is_new = seq == f->snd_nxt;
	uint32_t len = 0;
	ssize_t r = -EIO;

	for (unsigned i = 0; i < n_iov; i++)
		len += (uint32_t)t->iov[i].iov_len;
	if (seek(f, seq))
		r = h->ops->recv(h, &f->flow.sock, t->iov, n_iov, HOST_PEEK);
	if (r > 0) {
		f->peek_seq += (uint32_t)r;
		if (is_new)
			adapt(f, (uint32_t)r, len);
		*whyp = TCP_SRC_OK;
		return (uint32_t)r;
	}
	/* Bytes that were there are gone: the guest cannot be served. */
	if (!is_new)
		r = -EIO;
	*whyp = no_more(f, r);
	return 0;
}

void tcp_src_drain(struct tcp_flow *f, bool all)
{
	struct host *h = f->tcp->env->host;
	uint32_t end = f->snd_una;
	struct iovec iov = {0};
	ssize_t r;

	/* The FIN is not in the socket. */
	if (tcp_is(f, TCP_F_FIN_SENT) && end == f->snd_nxt)
		end--;
	if (!tcp_is(f, TCP_F_PEEK) || seq_leq(end, f->sock_seq) ||
	    f->flow.sock.fd < 0)
		return;
	/* When all is acknowledged the sender outside may be waiting for
	 * room, whatever the step. */
	if (!all && end - f->sock_seq < f->drain && end != f->snd_nxt)
		return;
	do { /* a call takes so much, and stops at an urgent byte */
		iov.iov_len = end - f->sock_seq;
		r = h->ops->recv(h, &f->flow.sock, &iov, 1, HOST_DISCARD);
		if (r > 0)
			f->sock_seq += (uint32_t)r;
	} while (r > 0 && f->sock_seq != end);
	choose_step(f);
}
