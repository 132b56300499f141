/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest -> host: payload goes from the guest's frame into the socket, or waits
 * in the flow's store.  Called by tcp_input.c and tcp.c; one worker's thread.
 *
 *	       up_pos             rcv_nxt                    rcv_adv
 *	  ........|==================|----[##]---[####]---------|
 *	 in socket  in store, in order    store, out of order    window's end
 *
 * In-order payload of a flow is collected over a batch (tcp.run) and sent by
 * one system call, straight from the frames; rcv_nxt then runs ahead of what
 * is safe, so the run is sent before anything is told to the guest, and what
 * neither socket nor store took is forgotten again, unacknowledged.
 *
 * Nothing is promised that has no place: rcv_adv - up_pos stays within
 * rcv_cap, which is at most what a store can hold.  The first 64 KiB of
 * rcv_cap are the socket's own send buffer, empty when they are promised; what
 * goes beyond is drawn from the share's credit, half of all chunks.  While the
 * socket takes no more (BLOCKED) the window's edge stands still.  Where the
 * guest's frames wait for us in a queue, the window is what that holds
 * (tcp_queue.c).
 */
#include <errno.h>

#include "nat/tcp_priv.h"

/* A silence shorter than this: one byte was sent again. */
enum { KEEP_MIN_S = 3 };

/* End of the bytes received in order; the FIN is none. */
static inline uint32_t data_end(const struct tcp_flow *f)
{
	return f->rcv_nxt - tcp_is(f, TCP_F_GUEST_FIN);
}

/* Bytes in order that wait in the store. */
static inline uint32_t spilled(const struct tcp_flow *f)
{
	uint32_t in_run = f->tcp->run.f == f ? f->tcp->run.len : 0;

	return data_end(f) - f->up_pos - in_run;
}

/* Bytes from up_pos on that the guest may be promised. */
static inline uint32_t cap(const struct tcp_flow *f)
{
	return tcp_min(f->rcv_cap, tcp_queue_cap(f));
}

/* The socket failed: what was not taken is not acknowledged, and the guest is
 * reset once it has what the host had sent. */
static void up_failed(struct tcp_flow *f)
{
	f->flags |= TCP_F_HOST_ERR;
	if (!tcp_is(f, TCP_F_EOF))
		f->flags |= TCP_F_READABLE;
	tcp_pend(f);
}

/* Sends iov; bytes taken. Short: BLOCKED or failed. */
static uint32_t send_plain(struct tcp_flow *f, const struct iovec *iov,
			   unsigned n_iov, uint32_t len, unsigned flags)
{
	struct host *h = f->tcp->env->host;
	ssize_t n;

	/* The first bytes leave at once in any case. */
	if (tcp_is(f, TCP_F_SENT) && !tcp_is(f, TCP_F_OPTS_SET)) {
		f->flags |= TCP_F_OPTS_SET;
		/* Without it small segments may come late: not an error. */
		(void)h->ops->set(h, &f->flow.sock, HOST_OPT_NODELAY, 1);
	}
	n = h->ops->send(h, &f->flow.sock, iov, n_iov, flags);
	if (n < 0 && n != -EAGAIN && n != -EINTR && n != -ENOBUFS &&
	    n != -ENOMEM) {
		up_failed(f);
		return 0;
	}
	if (n < 0 && n != -EAGAIN) /* no edge will tell */
		tcp_timer_retry(f);
	if (n < 0)
		n = 0;
	if ((uint32_t)n < len)
		f->flags |= TCP_F_BLOCKED;
	if (n > 0)
		f->flags |= TCP_F_SENT;
	f->rcv_grow += (uint32_t)n;
	f->bytes_up += (uint64_t)n;
	f->tcp->stats.bytes_up += (uint64_t)n;
	return (uint32_t)n;
}

/* The pieces of iov that hold len bytes from byte skip on. */
static unsigned cut(const struct iovec *iov, uint32_t skip, uint32_t len,
		    struct iovec *out)
{
	unsigned n = 0;

	for (; len > 0; iov++) {
		uint32_t have = (uint32_t)iov->iov_len;
		uint32_t off = tcp_min(skip, have);
		uint32_t take = tcp_min(have - off, len);

		skip -= off;
		if (take == 0)
			continue;
		out[n++] = (struct iovec){(uint8_t *)iov->iov_base + off, take};
		len -= take;
	}
	return n;
}

/* The same with an urgent byte in it or ahead: before, the byte, behind. */
static uint32_t send_urgent(struct tcp_flow *f, const struct iovec *iov,
			    uint32_t len)
{
	struct iovec out[TCP_RUN_IOV];
	uint32_t pos = f->up_pos, done = 0;

	while (done < len) {
		bool is_oob;
		uint32_t want = tcp_urgent_piece(f, len - done, &is_oob);
		unsigned n = cut(iov, done, want, out);
		uint32_t got = send_plain(f, out, n, want,
					  is_oob ? HOST_OOB : 0);

		done += got;
		f->up_pos += got;
		if (is_oob && got)
			f->urgent &= (uint8_t)~TCP_U_UP;
		if (got < want)
			break;
	}
	f->up_pos = pos; /* up_advance() */
	return done;
}

static uint32_t up_send(struct tcp_flow *f, const struct iovec *iov,
			unsigned n_iov, uint32_t len)
{
	if (f->urgent & TCP_U_UP)
		return send_urgent(f, iov, len);
	return send_plain(f, iov, n_iov, len, 0);
}

/* up_pos goes on by n bytes. */
static void up_advance(struct tcp_flow *f, uint32_t n)
{
	tcp_store_release(f->tcp, f->up, f->up_pos, f->up_pos + n);
	f->up_pos += n;
	if (f->up && !f->reasm && spilled(f) == 0)
		tcp_store_free(f->tcp, &f->up);
}

/* A flow that uses its window gets a larger one, as long as the promises of
 * all flows can be kept. */
static void grow_window(struct tcp_flow *f)
{
	struct tcp *t = f->tcp;
	uint32_t want = tcp_min(f->rcv_cap * 2, TCP_WIN_MAX);
	uint32_t more = want - f->rcv_cap;

	if (f->rcv_grow < f->rcv_cap / 2)
		return;
	f->rcv_grow = 0;
	if (f->rcv_shift == 0 || more == 0 || f->rcv_cap >= tcp_queue_cap(f))
		return;
	if (tcp_credit_take(t, more))
		f->rcv_cap = want;
}

/* With little credit left for others a flow gives back what it has not
 * promised. */
static void shrink_window(struct tcp_flow *f)
{
	struct tcp *t = f->tcp;
	uint32_t promised = f->rcv_adv - f->up_pos;
	uint32_t keep = tcp_max(tcp_max(promised, f->rcv_cap / 2),
				TCP_WIN_INIT);

	if (tcp_credit(t) >= t->share->credit_max / 16 || keep >= f->rcv_cap)
		return;
	tcp_credit_give(t, f->rcv_cap - keep);
	f->rcv_cap = keep;
}

void tcp_up_flush(struct tcp *t)
{
	struct tcp_run *run = &t->run;
	struct tcp_flow *f = run->f;
	uint32_t took, kept;

	if (!f)
		return;
	run->f = NULL;
	took = up_send(f, run->iov, run->n_iov, run->len);
	up_advance(f, took);
	if (took == run->len)
		return;
	kept = 0;
	if (!tcp_is(f, TCP_F_HOST_ERR))
		kept = tcp_store_write(f, f->up_pos, run->iov, took,
				       run->len - took);
	if (took + kept == run->len)
		return;
	f->rcv_nxt = f->up_pos + kept;
	drop(t->env->drops, DROP_TCP_NO_MEMORY);
}

void tcp_up_forget(struct tcp *t, const struct tcp_flow *f)
{
	if (t->run.f == f)
		t->run.f = NULL;
}

/* An ACK that may wait for ns for something to ride on. */
static void ack_later(struct tcp_flow *f, uint64_t ns)
{
	uint64_t due = tcp_now(f->tcp) + ns;

	f->flags |= TCP_F_ACK_LATER;
	if (f->due_ack > due)
		f->due_ack = due;
}

/* The ACK of what came in order: at the end of the batch, or with the answer
 * where one is likely to come at once. */
static void plan_ack(struct tcp_flow *f)
{
	f->rx_ns = tcp_now(f->tcp);
	if (f->pingpong < TCP_PINGPONG || f->reasm ||
	    f->rcv_nxt - f->rcv_acked >= 2 * tcp_rcv_mss(f))
		f->flags |= TCP_F_ACK_NOW;
	else if (!tcp_is(f, TCP_F_ACK_LATER))
		ack_later(f, TCP_DELACK_NS);
	tcp_pend(f);
}

/* The ACK of the guest's FIN: most servers end as soon as they hear that the
 * client has, and one frame says both then. */
static void plan_fin_ack(struct tcp_flow *f)
{
	if (f->state == TCP_S_ESTABLISHED && !tcp_is(f, TCP_F_ACK_NOW))
		ack_later(f, TCP_FIN_DELACK_NS);
	else
		f->flags |= TCP_F_ACK_NOW;
	tcp_pend(f);
}

/* Adds the payload of fr from byte off on to the run.  False: the run had to
 * go first, and the socket does not take more. */
static bool run_add(struct tcp_flow *f, const struct frame *fr, uint32_t off)
{
	struct tcp_run *run = &f->tcp->run;
	unsigned n = 0;

	if (run->f == f)
		n = frame_iov(fr, off, run->iov + run->n_iov,
			      TCP_RUN_IOV - run->n_iov);
	if (n == 0) {
		tcp_up_flush(f->tcp);
		if (tcp_is(f, TCP_F_BLOCKED | TCP_F_HOST_ERR))
			return false;
		run->f = f;
		run->len = 0;
		run->n_iov = 0;
		n = frame_iov(fr, off, run->iov, TCP_RUN_IOV);
	}
	run->n_iov += n;
	run->len += fr->len - off;
	f->rcv_nxt += fr->len - off;
	return true;
}

/* Writes len bytes of fr from off on into the store at seq. */
static uint32_t store_frame(struct tcp_flow *f, uint32_t seq,
			    const struct frame *fr, uint32_t off)
{
	struct iovec iov[FRAME_IOV_MAX + 1];
	uint32_t len = fr->len - off, kept;

	if (frame_iov(fr, off, iov, FRAME_IOV_MAX + 1) == 0)
		return 0;
	kept = tcp_store_write(f, seq, iov, 0, len);
	if (kept < len)
		drop(f->tcp->env->drops, DROP_TCP_NO_MEMORY);
	return kept;
}

/* Pieces that are in order now join what is. */
static void absorb(struct tcp_flow *f)
{
	struct tcp_reasm *ra = f->reasm;
	unsigned n = 0;

	if (!ra || seq_lt(f->rcv_nxt, ra->r[0].from))
		return;
	tcp_up_flush(f->tcp);
	while (n < ra->n && seq_leq(ra->r[n].from, f->rcv_nxt)) {
		if (seq_gt(ra->r[n].to, f->rcv_nxt))
			f->rcv_nxt = ra->r[n].to;
		n++;
	}
	ra->n -= n;
	memmove(ra->r, ra->r + n, ra->n * sizeof(ra->r[0]));
	if (ra->n == 0) {
		slab_free(&f->tcp->reasm_slab, ra);
		f->reasm = NULL;
	}
	if (!tcp_is(f, TCP_F_BLOCKED | TCP_F_HOST_ERR))
		tcp_up_drain(f);
}

static void in_order(struct tcp_flow *f, const struct frame *fr, uint32_t off)
{
	uint32_t seq = f->rcv_nxt;
	bool is_direct = spilled(f) == 0 && !tcp_is(f, TCP_F_BLOCKED) &&
			 run_add(f, fr, off);

	if (!is_direct && f->rcv_nxt == seq)
		f->rcv_nxt += store_frame(f, seq, fr, off);
	else if (!is_direct) /* what was before it had no place */
		drop(f->tcp->env->drops, DROP_TCP_NO_MEMORY);
	plan_ack(f);
	absorb(f);
}

static void note_recent(struct tcp_reasm *ra, uint32_t seq)
{
	memmove(ra->recent + 1, ra->recent,
		sizeof(ra->recent) - sizeof(ra->recent[0]));
	ra->recent[0] = seq;
	if (ra->n_recent < TCP_SACK_MAX)
		ra->n_recent++;
}

static void out_of_order(struct tcp_flow *f, uint32_t seq,
			 const struct frame *fr, uint32_t off)
{
	struct tcp *t = f->tcp;
	struct tcp_range add = {.from = seq};

	tcp_up_flush(t);
	if (!f->reasm)
		f->reasm = slab_alloc(&t->reasm_slab);
	if (!f->reasm) {
		drop(t->env->drops, DROP_TCP_NO_MEMORY);
		return;
	}
	add.to = seq + store_frame(f, seq, fr, off);
	if (add.to != add.from) {
		if (tcp_range_add(f->reasm->r, &f->reasm->n, TCP_RANGES, add))
			note_recent(f->reasm, seq);
		else
			drop(t->env->drops, DROP_TCP_NO_MEMORY);
	}
	if (f->reasm->n == 0) {
		slab_free(&t->reasm_slab, f->reasm);
		f->reasm = NULL;
		if (spilled(f) == 0)
			tcp_store_free(t, &f->up);
	}
	tcp_emit_ack(f, NULL);
}

void tcp_up_input(struct tcp_flow *f, const struct tcp_seg *s)
{
	struct frame fr = s->frame;
	uint32_t seq = s->seq, off = s->off;

	tcp_queue_note(f, s->len);
	if (s->h.flags & TCP_URG)
		tcp_urgent_input(f, s);
	if (seq_lt(seq, f->rcv_nxt)) {
		off += f->rcv_nxt - seq;
		seq = f->rcv_nxt;
	}
	if (seq_gt(seq + (fr.len - off), f->rcv_adv)) {
		fr.len = off + (f->rcv_adv - seq);
		drop(f->tcp->env->drops, DROP_TCP_WINDOW);
	}
	if (seq == f->rcv_nxt)
		in_order(f, &fr, off);
	else
		out_of_order(f, seq, &fr, off);
}

void tcp_up_drain(struct tcp_flow *f)
{
	struct iovec iov[TCP_CHUNKS + 1];

	f->flags &= ~(uint32_t)TCP_F_BLOCKED;
	while (spilled(f) > 0 && !tcp_is(f, TCP_F_BLOCKED | TCP_F_HOST_ERR)) {
		uint32_t len = spilled(f);
		unsigned n = tcp_store_iov(f->up, f->up_pos, &len, iov,
					   TCP_CHUNKS + 1);

		up_advance(f, up_send(f, iov, n, len));
	}
	if (tcp_is(f, TCP_F_GUEST_FIN))
		tcp_up_fin(f);
}

uint16_t tcp_up_window(struct tcp_flow *f)
{
	uint32_t edge, field;

	if (f->rcv_shift > 0) {
		grow_window(f);
		shrink_window(f);
	}
	edge = f->up_pos + cap(f);
	if (tcp_is(f, TCP_F_BLOCKED) || seq_lt(edge, f->rcv_adv))
		edge = f->rcv_adv;
	if (seq_leq(edge, f->rcv_nxt))
		return 0;
	/* Rounded up, so that the edge never moves back, unless that would
	 * promise more than there is. */
	edge -= f->rcv_nxt;
	field = (edge + (1u << f->rcv_shift) - 1) >> f->rcv_shift;
	if (f->rcv_nxt + (field << f->rcv_shift) - f->up_pos >
	    f->rcv_cap + (1u << TCP_WIN_SHIFT))
		field = edge >> f->rcv_shift;
	field = tcp_min(field, UINT16_MAX);
	edge = f->rcv_nxt + (field << f->rcv_shift);
	if (seq_gt(edge, f->rcv_adv))
		f->rcv_adv = edge;
	return (uint16_t)field;
}

bool tcp_up_should_tell(const struct tcp_flow *f)
{
	uint32_t room = cap(f);
	uint32_t step = tcp_min(2 * tcp_rcv_mss(f), room / 2);
	uint32_t edge = f->up_pos + room;

	if (tcp_is(f, TCP_F_BLOCKED | TCP_F_GUEST_FIN | TCP_F_HOST_ERR))
		return false;
	/* Usually the ACK of the data that moved up_pos tells it. */
	return seq_gt(edge, f->rcv_adv) && edge - f->rcv_adv >= step &&
	       f->rcv_adv - f->rcv_nxt < room / 2;
}

void tcp_up_keepalive(struct tcp_flow *f)
{
	struct host *h = f->tcp->env->host;
	uint64_t heard = f->due_idle - TCP_KEEP_IDLE_NS, secs;

	/* A shut window is asked after in the same words. */
	if (f->flow.sock.fd < 0 || f->state == TCP_S_TIME_WAIT ||
	    f->n_keep > 0 || f->rcv_adv == f->rcv_nxt)
		return;
	secs = (tcp_now(f->tcp) - heard + TCP_SEC / 2) / TCP_SEC;
	if (secs < KEEP_MIN_S || (f->keep_s && secs >= f->keep_s))
		return;
	f->keep_s = (uint16_t)secs;
	/* Refused: the host's end is then trusted, as it was. */
	(void)h->ops->set(h, &f->flow.sock, HOST_OPT_KEEPALIVE, (int)secs);
}

/* Pieces beyond the end of the stream will never be in order. */
static void forget_pieces(struct tcp_flow *f)
{
	slab_free(&f->tcp->reasm_slab, f->reasm);
	f->reasm = NULL;
	if (spilled(f) == 0)
		tcp_store_free(f->tcp, &f->up);
}

void tcp_up_fin(struct tcp_flow *f)
{
	struct host *h = f->tcp->env->host;

	if (!tcp_is(f, TCP_F_GUEST_FIN)) {
		f->flags |= TCP_F_GUEST_FIN;
		f->rcv_nxt++;
		forget_pieces(f);
		plan_fin_ack(f);
	}
	/* If ours was sent, the close() soon to come says it as well. */
	if (spilled(f) > 0 || tcp_is(f, TCP_F_SHUT | TCP_F_FIN_SENT) ||
	    f->flow.sock.fd < 0)
		return;
	f->flags |= TCP_F_SHUT;
	if (h->ops->shutdown(h, &f->flow.sock) < 0)
		up_failed(f);
}

void tcp_up_sack(const struct tcp_flow *f, struct tcp_hdr *h)
{
	const struct tcp_reasm *ra = f->reasm;
	unsigned max = h->has_ts ? TCP_SACK_MAX - 1 : TCP_SACK_MAX;
	unsigned first = h->n_sack;

	for (unsigned i = 0; ra && i < ra->n_recent && h->n_sack < max; i++) {
		const struct tcp_range *r = ra->r;
		unsigned k = first;

		while (r < ra->r + ra->n && seq_leq(r->to, ra->recent[i]))
			r++;
		if (r == ra->r + ra->n || seq_lt(ra->recent[i], r->from))
			continue;
		while (k < h->n_sack && h->sack[k].from != r->from)
			k++;
		if (k < h->n_sack)
			continue; /* a later byte of a block told already */
		h->sack[h->n_sack].from = r->from;
		h->sack[h->n_sack].to = r->to;
		h->n_sack++;
	}
}

void tcp_up_free(struct tcp_flow *f)
{
	struct tcp *t = f->tcp;

	tcp_store_free(t, &f->up);
	slab_free(&t->reasm_slab, f->reasm);
	f->reasm = NULL;
	tcp_credit_give(t, f->rcv_cap - TCP_WIN_INIT);
	f->rcv_cap = TCP_WIN_INIT;
}
