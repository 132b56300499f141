/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host -> guest: bytes of the socket into buffers that the guest's exit lends,
 * headers written in front of them.  Called by tcp.c, tcp_sack.c and
 * tcp_timer.c; one worker's thread.
 *
 * An exit that segments gets few frames of up to 64 KiB, another one up to a
 * batch of frames of one segment; either way one lend, one read, one give.
 */
#include <assert.h>
#include <netinet/in.h>

#include "lan/steer.h"
#include "nat/tcp_priv.h"

/* One emission. */
struct burst {
	uint32_t seq;	/* of the first byte */
	uint32_t len;	/* bytes wanted */
	uint32_t seg;	/* payload per segment on the wire */
	uint32_t frame; /* payload per frame, a multiple of seg */
	unsigned hdr;	/* bytes of headers */
	bool has_fin;	/* our FIN is on the last segment */
	uint8_t head[TCP_CTL_MAX];
};

/* Bytes of the ring that were never sent. */
static uint32_t unsent(const struct tcp_flow *f)
{
	return seq_gt(f->ring_end, f->snd_nxt) ? f->ring_end - f->snd_nxt : 0;
}

/* What the guest's window leaves. */
static uint32_t window_room(const struct tcp_flow *f)
{
	uint32_t flight = f->snd_nxt - f->snd_una;

	return f->snd_wnd > flight ? f->snd_wnd - flight : 0;
}

uint32_t tcp_down_room(const struct tcp_flow *f)
{
	uint32_t room = window_room(f);
	uint32_t pipe;

	if (!tcp_is(f, TCP_F_CWND))
		return room;
	pipe = tcp_sack_pipe(f);
	return f->cwnd > pipe ? tcp_min(room, f->cwnd - pipe) : 0;
}

bool tcp_down_has_more(const struct tcp_flow *f)
{
	if (tcp_is(f, TCP_F_FIN_SENT))
		return false;
	return unsent(f) > 0 ||
	       tcp_is(f, TCP_F_READABLE | TCP_F_EOF | TCP_F_HOST_ERR);
}

/* The smallest piece worth a segment while more is to come
 * (RFC 9293 3.8.6.2.1). */
static uint32_t silly(const struct tcp_flow *f)
{
	return tcp_min(f->mss, tcp_max(f->max_wnd / 2, 1));
}

bool tcp_down_is_stuck(const struct tcp_flow *f)
{
	return tcp_down_has_more(f) && list_empty(&f->link_wait) &&
	       window_room(f) < silly(f);
}

/* Borrows frames for b; their number, 0 = no room. */
static unsigned borrow(struct tcp_flow *f, struct burst *b)
{
	const bool is_v4 = addr_is_v4(&f->flow.guest.ip);
	const uint32_t tso =
		PORT_O_CSUM | (is_v4 ? PORT_O_TSO4 : PORT_O_TSO6);
	struct tcp *t = f->tcp;
	struct lend *l = &t->lend;
	unsigned max = FRAME_BATCH;
	struct lan_path path;
	uint32_t left;

	lan_path(t->env->port, f->flow.guest_mac, &path);
	b->hdr = tcp_emit_headers_len(f);
	b->seg = f->mss;
	if (path.max_frame < b->hdr + b->seg && path.max_frame > b->hdr)
		b->seg = path.max_frame - b->hdr;
	b->frame = b->seg;
	if ((path.offload & tso) == tso) {
		b->frame = (TCP_IP_MAX + ETH_HDR_LEN - b->hdr) / b->seg *
			   b->seg;
		max = TCP_GSO_FRAMES;
	}
	if (b->len / b->frame >= max)
		b->len = max * b->frame;
	l->flow = steer_flow(IPPROTO_TCP, &f->flow.guest, &f->flow.remote);
	l->n = 0;
	for (left = b->len; left > 0; left -= tcp_min(left, b->frame))
		l->f[l->n++].want = b->hdr + tcp_min(left, b->frame);
	t->in_lan = true;
	(void)lan_lend(t->env->port, f->flow.guest_mac, l); /* l->n too */
	t->in_lan = false;
	if (l->n * b->frame < b->len)
		b->len = l->n * b->frame;
	return l->n;
}

/* Pieces of the lent frames behind their headers, for b->len bytes. */
static unsigned payload_iov(struct tcp *t, const struct burst *b)
{
	const struct lend *l = &t->lend;
	uint32_t left = b->len;
	unsigned n = 0;

	for (unsigned i = 0; i < l->n && left > 0; i++) {
		uint32_t skip = b->hdr, take = tcp_min(left, b->frame);

		left -= take;
		for (unsigned k = 0; k < l->f[i].n_iov && take > 0; k++) {
			struct iovec v = l->f[i].iov[k];
			uint32_t cut = tcp_min(skip, (uint32_t)v.iov_len);

			skip -= cut;
			v.iov_base = (uint8_t *)v.iov_base + cut;
			v.iov_len = tcp_min((uint32_t)v.iov_len - cut, take);
			if (v.iov_len == 0)
				continue;
			assert(n < LEND_IOV_MAX);
			take -= (uint32_t)v.iov_len;
			t->iov[n++] = v;
		}
	}
	return n;
}

/* Copies b->len bytes of the ring into the lent frames. */
static void copy_ring(struct tcp_flow *f, const struct burst *b)
{
	struct iovec iov[TCP_CHUNKS];
	uint32_t seq = b->seq, left = b->len;

	for (unsigned i = 0; left > 0; i++) {
		struct lend_frame *to = &f->tcp->lend.f[i];
		uint32_t take = tcp_min(left, b->frame), off = b->hdr;
		unsigned n = tcp_store_iov(f->ring, seq, &take, iov,
					   TCP_CHUNKS);

		for (unsigned k = 0; k < n; k++) {
			lend_put(to, off, iov[k].iov_base,
				 (uint32_t)iov[k].iov_len);
			off += (uint32_t)iov[k].iov_len;
		}
		seq += take;
		left -= take;
	}
}

/* Headers and offload requests of the frames that hold len bytes. */
static void put_headers(struct tcp_flow *f, struct burst *b, uint32_t len)
{
	struct lend *l = &f->tcp->lend;
	const addr *guest = &f->flow.guest.ip;
	struct tcp_patch c = {.seq = b->seq, .flags = TCP_ACK};

	b->hdr = tcp_emit_headers(f, b->head);
	for (l->n_used = 0; len > 0; l->n_used++) {
		struct lend_frame *to = &l->f[l->n_used];

		c.payload = tcp_min(len, b->frame);
		len -= c.payload;
		if (len == 0)
			c.flags |= b->has_fin ? TCP_PSH | TCP_FIN : TCP_PSH;
		if (tcp_urgent_is(f, c.seq)) /* alone, see send_burst() */
			c.flags |= TCP_URG;
		tcp_emit_patch(f, b->head, b->hdr, &c);
		lend_put(to, 0, b->head, b->hdr);
		to->len = b->hdr + c.payload;
		to->off = (struct frame_offload){
			.flags = FRAME_F_NEEDS_CSUM,
			.csum_start = (uint16_t)tcp_l4(guest),
			.csum_offset = 16,
		};
		if (c.payload > b->seg) {
			to->off.gso = addr_is_v4(guest) ? FRAME_GSO_TCP4
							: FRAME_GSO_TCP6;
			to->off.gso_size = (uint16_t)b->seg;
			to->off.hdr_len = (uint16_t)b->hdr;
		}
		c.seq += c.payload;
	}
}

/* Gives the frames that hold got bytes; bytes that went out. */
static uint32_t give(struct tcp_flow *f, struct burst *b, uint32_t got)
{
	struct tcp *t = f->tcp;
	struct lend *l = &t->lend;
	unsigned n_used, taken;

	l->n_used = 0;
	if (got > 0)
		put_headers(f, b, got);
	n_used = l->n_used;
	t->in_lan = true;
	taken = lan_give(t->env->port, f->flow.guest_mac, l);
	t->in_lan = false;
	if (taken < n_used) {
		tcp_wait(f);
		got = taken * b->frame;
		b->has_fin = false;
	}
	if (got > 0)
		tcp_emit_acked(f);
	return got;
}

/* Sends up to b->len bytes from b->seq on, which the ring or the socket
 * holds; bytes that went out. */
static uint32_t send_burst(struct tcp_flow *f, struct burst *b)
{
	struct tcp *t = f->tcp;
	bool in_ring = seq_lt(b->seq, f->ring_end);
	enum tcp_src_result why;
	uint32_t got, gave;

	if (in_ring)
		b->len = tcp_min(b->len, f->ring_end - b->seq);
	if (f->urgent)
		b->len = tcp_urgent_cut(f, b->seq, b->len);
	if (borrow(f, b) == 0) {
		tcp_wait(f);
		return 0;
	}
	if (in_ring) {
		copy_ring(f, b);
		b->has_fin = b->has_fin && b->seq + b->len == f->ring_end;
		return give(f, b, b->len);
	}
	got = tcp_src_peek(f, b->seq, payload_iov(t, b), &why);
	gave = give(f, b, got);
	if (gave < got && b->seq == f->snd_nxt) /* no edge tells of it */
		f->flags |= TCP_F_READABLE;
	return gave;
}

/* n new bytes have gone out. */
static void sent_new(struct tcp_flow *f, uint32_t n)
{
	uint64_t now = tcp_now(f->tcp);

	if (f->snd_una == f->snd_nxt)
		f->base_ns = now;
	f->snd_nxt += n;
	f->bytes_down += n;
	f->tx_ns = now;
	f->tcp->stats.bytes_down += n;
	if (!tcp_is(f, TCP_F_RTT)) {
		f->flags |= TCP_F_RTT;
		f->rtt_seq = f->snd_nxt;
		f->rtt_ns = now;
	}
	/* An answer at once, to what came just now? */
	if (f->rx_ns && now - f->rx_ns <= TCP_DELACK_NS) {
		if (f->pingpong < TCP_PINGPONG)
			f->pingpong++;
		f->rx_ns = 0;
	}
}

/* Our FIN has gone out. */
static void sent_fin(struct tcp_flow *f)
{
	f->flags |= TCP_F_FIN_SENT;
	f->snd_nxt++;
	tcp_state(f, f->state == TCP_S_CLOSE_WAIT ? TCP_S_LAST_ACK
						  : TCP_S_FIN_WAIT_1);
}

/* No chunk was left. True if the flow can go on without. */
static bool no_memory(struct tcp_flow *f)
{
	if (tcp_is(f, TCP_F_PEEK))
		return true;
	tcp_timer_retry(f);
	return false;
}

/* Reads into the ring until it holds enough for full segments; false if there
 * is nothing that could be sent now. */
static bool fill_ring(struct tcp_flow *f, uint32_t room)
{
	uint32_t enough = tcp_min(room, TCP_EXPECT_MAX / 4);

	while (unsent(f) < enough && tcp_is(f, TCP_F_READABLE)) {
		switch (tcp_src_fill(f, room - unsent(f))) {
		case TCP_SRC_OK:
			break;
		case TCP_SRC_DRY:
		case TCP_SRC_END:
			return unsent(f) > 0;
		case TCP_SRC_MEMORY:
			return unsent(f) > 0 || no_memory(f);
		}
	}
	return true;
}

/* Full segments only, while there is more behind them. */
static uint32_t whole_segments(const struct tcp_flow *f, uint32_t len)
{
	return len > f->mss ? len - len % f->mss : len;
}

/* One read and one emission; true if it may go on. */
static bool push_once(struct tcp_flow *f)
{
	uint32_t room = tcp_down_room(f), ready = unsent(f), n;
	struct burst b = {.seq = f->snd_nxt};

	if (room == 0 || (ready == 0 && !tcp_is(f, TCP_F_READABLE)))
		return false;
	if (room < silly(f) && (ready == 0 || ready > room) &&
	    !tcp_is(f, TCP_F_OVERRIDE))
		return false;
	if (ready == 0)
		tcp_src_prepare(f);
	if (f->urgent && ready == 0 && !tcp_urgent_unpeek(f))
		return false;
	if (!tcp_is(f, TCP_F_PEEK)) {
		if (!fill_ring(f, room))
			return false;
		ready = unsent(f);
		if (ready == 0)
			return true; /* it is peeked from now on */
	}
	if (ready > 0)
		b.len = tcp_min(ready, room);
	else
		b.len = tcp_min(f->expect + f->mss - 1, room);
	if (b.len == room || tcp_is(f, TCP_F_READABLE))
		b.len = whole_segments(f, b.len);
	/* The FIN of a short answer goes with it. */
	b.has_fin = tcp_is(f, TCP_F_EOF) && !tcp_is(f, TCP_F_HOST_ERR) &&
		    !tcp_is(f, TCP_F_PEEK) && ready < room;
	n = send_burst(f, &b);
	if (n == 0)
		return false;
	f->flags &= ~(uint32_t)TCP_F_OVERRIDE;
	sent_new(f, n);
	if (b.has_fin)
		sent_fin(f);
	return true;
}


void tcp_down_push(struct tcp_flow *f)
{
	if (tcp_is(f, TCP_F_FIN_SENT)) {
		if (tcp_is(f, TCP_F_HOST_ERR))
			tcp_abort(f);
		return;
	}
	/* Without end it would let ACKs wait, and its bytes fill the socket. */
	for (unsigned i = 0; push_once(f); i++) {
		if (tcp_is(f, TCP_F_FIN_SENT))
			return;
		if (i + 1 < TCP_TURN_BURSTS)
			continue;
		tcp_turn(f);
		return;
	}
	if (unsent(f) > 0 || tcp_is(f, TCP_F_READABLE))
		return;
	if (tcp_is(f, TCP_F_HOST_ERR)) {
		tcp_abort(f);
		return;
	}
	if (!tcp_is(f, TCP_F_EOF) || window_room(f) == 0)
		return;
	if (f->snd_una == f->snd_nxt)
		f->base_ns = tcp_now(f->tcp);
	tcp_emit(f, TCP_FIN | TCP_ACK, f->snd_nxt);
	sent_fin(f);
}

uint32_t tcp_down_again(struct tcp_flow *f, uint32_t seq, uint32_t len)
{
	uint32_t fin = tcp_is(f, TCP_F_FIN_SENT), done = 0;
	uint32_t end = f->snd_nxt - fin;

	f->flags &= ~(uint32_t)TCP_F_RTT; /* Karn's rule */
	while (done < len && seq_lt(seq + done, end)) {
		struct burst b = {
			.seq = seq + done,
			.len = tcp_min(len - done, end - (seq + done)),
		};
		uint32_t n = send_burst(f, &b);

		if (n == 0)
			return done;
		f->n_again += (n + f->mss - 1) / f->mss;
		done += n;
	}
	if (fin && done < len && seq + done == end) {
		tcp_emit(f, TCP_FIN | TCP_ACK, end);
		done++;
	}
	return done;
}

void tcp_down_acked(struct tcp_flow *f)
{
	uint32_t una = f->snd_una;

	if (tcp_is(f, TCP_F_FIN_SENT) && una == f->snd_nxt)
		una--;
	if (seq_geq(una, f->ring_end)) {
		tcp_store_free(f->tcp, &f->ring);
		f->ring_end = una;
	}
	if (f->urgent & TCP_U_DOWN && seq_gt(una, f->down_urg))
		f->urgent &= (uint8_t)~TCP_U_DOWN;
	tcp_store_release(f->tcp, f->ring, f->ring_from, una);
	f->ring_from = una;
	tcp_src_drain(f, false);
}

void tcp_down_free(struct tcp_flow *f)
{
	tcp_store_free(f->tcp, &f->ring);
}
