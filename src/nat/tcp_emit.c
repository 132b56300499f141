/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What leaves for a guest: headers, and segments without payload.  Called by
 * every part of TCP; one worker's thread.
 *
 * Segments without payload are collected and leave together through the lan,
 * one call for all guests.  One that finds no room at its exit leaves a mark
 * at its flow, which then waits for room and says it again.
 */
#include "wire/csum.h"

#include "nat/tcp_priv.h"

enum { TCP_CSUM_OFF = 16, TCP_SEQ_OFF = 4, TCP_FLAGS_OFF = 13,
       TCP_URG_OFF = 18 };

/* Ethernet and IP headers of a segment from remote to guest. */
static void put_outer(struct wr *w, const struct tcp *t, mac dst,
		      const struct flow_key *key, unsigned l4_len)
{
	const struct ip_hdr ip = {
		.l4_len = l4_len,
		.ttl = IP_HOP_LIMIT,
		.proto = IPPROTO_TCP,
		.src = key->remote.ip,
		.dst = key->guest.ip,
	};

	ip_emit_frame(w, dst, t->env->gw_mac, &ip);
}

/* Queues h as a frame of its own; false if there is no place for it. */
static bool queue(struct tcp *t, mac dst, const struct flow_key *key,
		  struct tcp_hdr *h, struct tcp_flow *f)
{
	struct tcp_out *o = &t->out;
	unsigned len = tcp_hdr_len(h), l4 = tcp_l4(&key->guest.ip);
	unsigned i;
	struct wr w;
	uint64_t sum;

	if (o->b.n == FRAME_BATCH)
		tcp_emit_flush(t);
	if (o->b.n == FRAME_BATCH)
		return false; /* they are under way, we are called from there */
	i = o->b.n;
	w = wr_init(o->hdr[i], sizeof(o->hdr[i]));
	put_outer(&w, t, dst, key, len);
	h->sport = key->remote.port;
	h->dport = key->guest.port;
	h->csum = 0;
	tcp_hdr_emit(&w, h);
	sum = csum_pseudo(&key->remote.ip, &key->guest.ip, IPPROTO_TCP, len);
	h->csum = csum_fold(csum_add(o->hdr[i] + l4, len, sum));
	w = wr_init(o->hdr[i] + l4 + TCP_CSUM_OFF, 2);
	wr_u16(&w, h->csum);
	o->b.f[i] = frame_flat(o->hdr[i], l4 + len);
	o->flow[i] = f;
	o->b.n++;
	return true;
}

static struct flow_key key_of(const struct tcp_flow *f)
{
	return (struct flow_key){.guest = f->flow.guest,
				 .remote = f->flow.remote,
				 .proto = IPPROTO_TCP};
}

/* The fields that every segment of f has. */
static struct tcp_hdr header(const struct tcp_flow *f, uint8_t flags,
			     uint32_t seq)
{
	struct tcp_hdr h = {.seq = seq, .flags = flags};

	if (flags & TCP_ACK)
		h.ack = f->rcv_nxt;
	if (tcp_is(f, TCP_F_TS)) {
		h.has_ts = true;
		h.ts_val = tcp_ts(f);
		h.ts_ecr = flags & TCP_ACK ? f->ts_recent : 0;
	}
	return h;
}

/* Options of a SYN, or of a SYN-ACK with what the guest offered. */
static void put_syn_options(const struct tcp_flow *f, struct tcp_hdr *h)
{
	h->has_mss = true;
	h->mss = (uint16_t)tcp_rcv_mss(f);
	h->has_ws = f->rcv_shift > 0;
	h->ws = f->rcv_shift;
	h->sack_ok = tcp_is(f, TCP_F_SACK);
}

static void lost_room(struct tcp_flow *f, uint8_t flags)
{
	if (flags & (TCP_SYN | TCP_FIN))
		f->flags |= TCP_F_CTL_LOST;
	else
		f->flags |= TCP_F_ACK_NOW;
	tcp_wait(f);
}

/* What is acknowledged must be in socket or store. */
static void settle(struct tcp_flow *f)
{
	if (f->tcp->run.f == f)
		tcp_up_flush(f->tcp);
}

void tcp_emit(struct tcp_flow *f, uint8_t flags, uint32_t seq)
{
	struct flow_key key = key_of(f);
	bool is_rst = flags & TCP_RST;
	struct tcp_hdr h;

	settle(f);
	if (f->state == TCP_S_CLOSED)
		return;
	h = header(f, flags, seq);
	if (flags & TCP_SYN) {
		put_syn_options(f, &h);
		/* Never scaled (RFC 7323 2.2). */
		h.win = (uint16_t)tcp_queue_first(f);
		f->rcv_adv = f->rcv_nxt + h.win;
	} else if (!is_rst) {
		h.win = tcp_up_window(f);
	}
	if (queue(f->tcp, f->flow.guest_mac, &key, &h, is_rst ? NULL : f)) {
		if (flags & TCP_ACK)
			tcp_emit_acked(f);
	} else if (!is_rst) {
		lost_room(f, flags);
	} else {
		drop(f->tcp->env->drops, DROP_PORT_FULL);
	}
}

void tcp_emit_ack(struct tcp_flow *f, const struct tcp_range *dup)
{
	struct flow_key key = key_of(f);
	struct tcp_hdr h;

	settle(f);
	if (f->state == TCP_S_CLOSED)
		return;
	h = header(f, TCP_ACK, f->snd_nxt);
	if (tcp_is(f, TCP_F_SACK)) {
		if (dup) {
			h.sack[0].from = dup->from;
			h.sack[0].to = dup->to;
			h.n_sack = 1;
		}
		tcp_up_sack(f, &h);
	}
	h.win = tcp_up_window(f);
	if (queue(f->tcp, f->flow.guest_mac, &key, &h, f))
		tcp_emit_acked(f);
	else
		lost_room(f, TCP_ACK);
}

void tcp_emit_challenge(struct tcp_flow *f, uint64_t limit_ns)
{
	uint64_t now = tcp_now(f->tcp);

	if (now - f->oow_ns < limit_ns)
		return;
	f->oow_ns = now;
	tcp_emit_ack(f, NULL);
}

void tcp_emit_rst(struct tcp *t, const struct tcp_seg *s)
{
	struct flow_key key = {.guest = s->pkt->src, .remote = s->pkt->dst,
			       .proto = IPPROTO_TCP};
	struct tcp_hdr h = {.flags = TCP_RST};

	if (s->h.flags & TCP_RST)
		return;
	if (s->h.flags & TCP_ACK) {
		h.seq = s->h.ack;
	} else {
		h.flags |= TCP_ACK;
		h.ack = s->h.seq + s->len + s->has_fin +
			!!(s->h.flags & TCP_SYN);
	}
	if (!queue(t, s->pkt->eth_src, &key, &h, NULL))
		drop(t->env->drops, DROP_PORT_FULL);
}

void tcp_emit_flush(struct tcp *t)
{
	struct tcp_out *o = &t->out;
	uint64_t back;
	struct batch b;

	if (o->b.n == 0 || t->in_lan)
		return;
	/* While the lan carries them a guest may answer, and more be queued:
	 * behind these, and sent by the caller's next round. */
	t->in_lan = true;
	b.n = o->b.n;
	memcpy(b.f, o->b.f, b.n * sizeof(b.f[0]));
	back = lan_input(t->env->port, &b, true);
	for (; back; back &= back - 1) {
		unsigned i = (unsigned)__builtin_ctzll(back);
		struct tcp_flow *f = o->flow[i];

		if (!f)
			drop(t->env->drops, DROP_PORT_FULL);
		else if (f->state != TCP_S_CLOSED)
			lost_room(f, o->hdr[i][tcp_l4(&f->flow.guest.ip) +
					    TCP_FLAGS_OFF]);
	}
	t->in_lan = false;
	o->b.n -= b.n;
	for (unsigned i = 0; i < o->b.n; i++) {
		memcpy(o->hdr[i], o->hdr[b.n + i], sizeof(o->hdr[i]));
		o->b.f[i] = frame_flat(o->hdr[i], o->b.f[b.n + i].len);
		o->flow[i] = o->flow[b.n + i];
	}
}

unsigned tcp_emit_headers_len(const struct tcp_flow *f)
{
	return tcp_l4(&f->flow.guest.ip) + TCP_HDR_LEN +
	       (tcp_is(f, TCP_F_TS) ? 12 : 0);
}

unsigned tcp_emit_headers(struct tcp_flow *f, uint8_t *p)
{
	struct tcp_hdr h = header(f, TCP_ACK, 0);
	struct flow_key key = key_of(f);
	struct wr w = wr_init(p, TCP_CTL_MAX);

	h.sport = key.remote.port;
	h.dport = key.guest.port;
	h.win = tcp_up_window(f);
	put_outer(&w, f->tcp, f->flow.guest_mac, &key, tcp_hdr_len(&h));
	tcp_hdr_emit(&w, &h);
	return (unsigned)wr_len(&w);
}

void tcp_emit_patch(const struct tcp_flow *f, uint8_t *p, unsigned len,
		    const struct tcp_patch *c)
{
	const addr *guest = &f->flow.guest.ip;
	unsigned l4 = tcp_l4(guest);
	uint32_t l4_len = len - l4 + c->payload;
	uint8_t *th = p + l4;
	struct wr w;

	if (ip_set_len(p + ETH_HDR_LEN, guest, l4_len)) {
		/* The field holds the pseudo-header's sum (FRAME_F_NEEDS_CSUM)
		 * and depends on nothing else. */
		w = wr_init(th + TCP_CSUM_OFF, 2);
		wr_u16(&w, csum_partial(csum_pseudo(&f->flow.remote.ip,
						    guest, IPPROTO_TCP,
						    l4_len)));
	}
	w = wr_init(th + TCP_SEQ_OFF, 4);
	wr_u32(&w, c->seq);
	th[TCP_FLAGS_OFF] = c->flags;
	th[TCP_URG_OFF + 1] = c->flags & TCP_URG ? 1 : 0;
}

void tcp_emit_acked(struct tcp_flow *f)
{
	f->rcv_acked = f->rcv_nxt;
	f->flags &= ~(uint32_t)(TCP_F_ACK_NOW | TCP_F_ACK_LATER);
	if (!tcp_is(f, TCP_F_RETRY))
		f->due_ack = TCP_NEVER;
}
