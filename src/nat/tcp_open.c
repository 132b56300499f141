/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How flows begin: a guest's SYN becomes a connection of the host, a
 * connection to the host becomes a SYN to a guest.  Called by tcp_input.c, by
 * the gateway and by the loop; one worker's thread.
 */
#include <assert.h>
#include <errno.h>

#include "nat/tcp_priv.h"

#define NEIGH_RETRY_NS (100 * TCP_MS)

/* RFC 6528: a clock of 4 us ticks and a keyed hash of the endpoints. */
static uint32_t choose_iss(const struct tcp *t, const struct tcp_flow *f)
{
	uint8_t b[2 * (sizeof(addr) + 2)];
	struct wr w = wr_init(b, sizeof(b));

	wr_bytes(&w, f->flow.guest.ip.b, sizeof(f->flow.guest.ip.b));
	wr_u16(&w, f->flow.guest.port);
	wr_bytes(&w, f->flow.remote.ip.b, sizeof(f->flow.remote.ip.b));
	wr_u16(&w, f->flow.remote.port);
	return (uint32_t)hash_bytes(&t->isn_key, b, sizeof(b)) +
	       (uint32_t)(tcp_now(t) / 4096);
}

static void start_sending(struct tcp_flow *f)
{
	f->iss = choose_iss(f->tcp, f);
	f->snd_una = f->iss;
	f->snd_nxt = f->iss + 1;
	f->ring_from = f->ring_end = f->snd_nxt;
}

/* Of a guest that says nothing of it. */
static uint32_t default_mss(const struct tcp_flow *f)
{
	return addr_is_v4(&f->flow.guest.ip) ? TCP_MSS_DEFAULT
					     : TCP_MSS_DEFAULT6;
}

/* What the guest's SYN or SYN-ACK says. */
static void learn_options(struct tcp_flow *f, const struct tcp_hdr *h,
			  bool is_answer)
{
	uint32_t mss = h->has_mss ? h->mss : default_mss(f);
	uint32_t ours = tcp_rcv_mss(f);
	bool may_ts = !is_answer || tcp_is(f, TCP_F_TS);
	bool may_sack = !is_answer || tcp_is(f, TCP_F_SACK);

	f->flags &= ~(uint32_t)(TCP_F_TS | TCP_F_SACK);
	if (h->has_ts && may_ts) {
		f->flags |= TCP_F_TS;
		f->ts_recent = h->ts_val;
		f->ts_age_s = (uint32_t)(tcp_now(f->tcp) / TCP_SEC);
	}
	if (h->sack_ok && may_sack)
		f->flags |= TCP_F_SACK;
	f->rcv_shift = h->has_ws ? TCP_WIN_SHIFT : 0;
	f->snd_shift = h->has_ws ? h->ws : 0;
	mss = tcp_min(mss, ours);
	mss -= tcp_is(f, TCP_F_TS) && mss > 12 ? 12 : 0;
	f->mss = (uint16_t)tcp_max(mss, TCP_MSS_MIN);
	f->irs = h->seq;
	f->rcv_nxt = f->up_pos = f->rcv_acked = h->seq + 1;
	f->rcv_adv = f->rcv_nxt;
	f->snd_wnd = f->max_wnd = h->win; /* never scaled here */
	f->wl1 = h->seq;
	f->wl2 = h->ack;
}

void tcp_open_send(struct tcp_flow *f)
{
	const struct nat_env *env = f->tcp->env;
	uint64_t now = tcp_now(f->tcp);

	/* The handshake is timed, if it takes one try. */
	f->flags &= ~(uint32_t)(TCP_F_CTL_LOST | TCP_F_RTT);
	if (f->rtt_ns == 0)
		f->flags |= TCP_F_RTT;
	f->rtt_ns = now;
	f->rtx_kind = TCP_RTX_SYN;
	f->due_rtx = now + (TCP_RTO_FIRST_NS << f->n_rtx);
	if (f->state == TCP_S_SYN_SENT) {
		if (env->neigh(env->arg, &f->flow.guest.ip,
			       &f->flow.guest_mac)) {
			tcp_emit(f, TCP_SYN, f->iss);
		} else {
			f->due_rtx = now + NEIGH_RETRY_NS;
			f->flags |= TCP_F_NO_NEIGH;
		}
	} else {
		tcp_emit(f, TCP_SYN | TCP_ACK, f->iss);
	}
	tcp_timer_update(f);
}

void tcp_open_timer(struct tcp_flow *f)
{
	if (tcp_is(f, TCP_F_NO_NEIGH))
		f->flags &= ~(uint32_t)TCP_F_NO_NEIGH;
	else
		f->n_rtx++;
	if (f->n_rtx > TCP_SYN_TRIES)
		tcp_open_expired(f);
	else
		tcp_open_send(f);
}

/* The host's end is connected: now the guest may hear of it. */
static void connected(struct tcp_flow *f)
{
	start_sending(f);
	f->n_rtx = 0;
	tcp_state(f, TCP_S_SYN_RCVD);
	tcp_open_send(f);
}

void tcp_open_expired(struct tcp_flow *f)
{
	if (f->state == TCP_S_CONNECT) /* nobody has said anything */
		tcp_refused(f, ETIMEDOUT, false);
	else
		tcp_kill(f, true);
}

void tcp_connect_host(struct tcp_flow *f, const struct endpoint *to)
{
	struct host *h = f->tcp->env->host;
	bool is_v6 = !addr_is_v4(&to->ip);
	int r = h->ops->open(h, &f->flow.sock, HOST_TCP, is_v6);

	tcp_state(f, TCP_S_CONNECT);
	if (r == -EAFNOSUPPORT) { /* the host has no IPv6 */
		f->has_queue = false;
		tcp_refused(f, ENETUNREACH, false);
		return;
	}
	if (r < 0) { /* the guest's SYN comes again */
		drop(f->tcp->env->drops, DROP_HOST_SOCKET);
		tcp_kill(f, false);
		return;
	}
	tcp_carry_open(f);
	r = h->ops->connect(h, &f->flow.sock, to);
	/* Without an address of its own a host says so in the words in which
	 * it says that no port is left. */
	if (r == -EADDRNOTAVAIL && is_v6)
		r = -ENETUNREACH;
	if (r == 0) {
		connected(f);
	} else if (r == -EADDRNOTAVAIL || r == -ENOBUFS || r == -ENOMEM) {
		/* No port is left, or no memory: that may pass. */
		drop(f->tcp->env->drops, DROP_HOST_SOCKET);
		tcp_kill(f, false);
	} else if (r != -EINPROGRESS) {
		tcp_refused(f, -r, false);
	}
}

/* True if the keeper brings what a connection to dst meets. */
static bool is_served(const struct tcp *t, const struct endpoint *dst)
{
	const struct nat_env *env = t->env;

	return env->is_served && env->is_served(env->arg, dst);
}

/* Has the host's end brought; until then the flow has no socket. */
static void await_served(struct tcp_flow *f)
{
	const struct nat_env *env = f->tcp->env;
	const struct nat_call call = {.guest = f->flow.guest,
				      .server = f->flow.remote,
				      .guest_mac = f->flow.guest_mac,
				      .isn = f->irs};
	int r;

	f->syn_ttl = IP_HOP_LIMIT; /* there is no path to measure */
	tcp_carry_open(f);
	tcp_state(f, TCP_S_CONNECT);
	r = env->serve(env->arg, &call);
	if (r == -EAGAIN) { /* the guest's SYN comes again */
		drop(env->drops, DROP_HOST_SOCKET);
		tcp_kill(f, false);
	} else if (r < 0) {
		tcp_refused(f, ECONNREFUSED, false);
	}
}

/* The flow that waits for serve()'s answer, or NULL: the guest may have gone,
 * or begun anew and been served. */
static struct tcp_flow *awaiting(struct tcp *t, const struct endpoint *guest,
				 const struct endpoint *dst)
{
	struct flow_key key = {.guest = *guest, .remote = *dst,
			       .proto = IPPROTO_TCP};
	struct flow *found = flow_find(&t->flows, &key);
	struct tcp_flow *f = found ? tcp_of(found) : NULL;

	return f && f->state == TCP_S_CONNECT && f->flow.sock.fd < 0 ? f : NULL;
}

/* Its socket is there. */
static void served(struct tcp_flow *f)
{
	/* An edge may have come and gone before. */
	f->flags |= TCP_F_READABLE;
	connected(f);
}

int tcp_serve(struct tcp *t, const struct nat_call *c, int fd)
{
	struct tcp_flow *f = awaiting(t, &c->guest, &c->server);
	struct host *h = t->env->host;
	int r;

	if (!f || f->irs != c->isn)
		return -ENOENT;
	r = fd < 0 ? 0 : h->ops->adopt(h, &f->flow.sock, fd);
	if (fd < 0 || r < 0)
		tcp_refused(f, ECONNREFUSED, false);
	else
		served(f);
	tcp_finish(t);
	return r;
}

void tcp_serve_sock(struct tcp *t, const struct endpoint *guest,
		    const struct endpoint *dst, struct host_sock *sock)
{
	struct tcp_flow *f = awaiting(t, guest, dst);
	struct host *h = t->env->host;

	if (!f)
		return;
	h->ops->move(h, sock, &f->flow.sock);
	served(f);
	tcp_finish(t);
}

enum tcp_way tcp_way(const struct tcp *t, const struct endpoint *dst,
		     struct endpoint *to)
{
	if (is_served(t, dst))
		return TCP_WAY_SERVED;
	return nat_map_out(t->env, IPPROTO_TCP, dst, to) ? TCP_WAY_HOST
							 : TCP_WAY_NONE;
}

void tcp_open(struct tcp *t, const struct tcp_seg *s)
{
	struct flow_key key = {.guest = s->pkt->src, .remote = s->pkt->dst,
			       .proto = IPPROTO_TCP};
	struct endpoint to;
	enum tcp_way way = tcp_way(t, &s->pkt->dst, &to);
	struct tcp_flow *f;

	if (s->pkt->src.port == 0 || s->pkt->dst.port == 0 ||
	    way == TCP_WAY_NONE) {
		t->stats.n_refused++;
		tcp_emit_rst(t, s);
		return;
	}
	f = tcp_flow_new(t, &key);
	if (!f)
		return;
	f->flow.guest_mac = s->pkt->eth_src;
	if (!quota_has_room(&t->share->half[f->is_inward], f->flow.payer,
			    TCP_HALF_OPEN_MAX)) {
		drop(t->env->drops, DROP_FLOW_TABLE_FULL);
		tcp_kill(f, false);
		return;
	}
	learn_options(f, &s->h, false);
	if (way == TCP_WAY_SERVED) {
		await_served(f);
		return;
	}
	tcp_carry_syn(f, s);
	tcp_connect_host(f, &to);
}

/* RFC 9293 3.10.7.3, fifth: both SYNs are known, pkt brought the last word. */
static void establish(struct tcp_flow *f, const struct packet *pkt)
{
	struct lan_path path;

	lan_path(f->tcp->env->port, f->flow.guest_mac, &path);
	if (path.lossy) {
		f->flags |= TCP_F_LOSSY | TCP_F_CWND | TCP_F_SLOW_START;
		f->cwnd = (uint32_t)TCP_CWND_LOSSY_SEGS * f->mss;
	}
	if (tcp_is(f, TCP_F_RTT))
		tcp_timer_rtt(f, tcp_now(f->tcp) - f->rtt_ns);
	f->snd_una = f->snd_nxt;
	f->n_rtx = 0;
	f->rtx_kind = TCP_RTX_NONE;
	f->due_rtx = TCP_NEVER;
	f->flags &= ~(uint32_t)(TCP_F_CTL_LOST | TCP_F_RTT);
	tcp_state(f, TCP_S_ESTABLISHED);
	tcp_carry_established(f, pkt);
	tcp_pend(f);
}

/* CONNECT: nothing but the SYN again, or a guest that starts anew. */
static void input_connect(struct tcp_flow *f, const struct tcp_seg *s)
{
	struct tcp *t = f->tcp;

	if (s->h.flags & TCP_RST) {
		if (s->h.seq == f->irs || s->h.seq == f->irs + 1)
			tcp_kill(f, true);
		else
			drop(t->env->drops, DROP_TCP_WINDOW);
	} else if ((s->h.flags & (TCP_SYN | TCP_ACK)) != TCP_SYN) {
		drop(t->env->drops, DROP_TCP_BAD_STATE);
		tcp_emit_rst(t, s);
	} else if (s->h.seq != f->irs) {
		tcp_kill(f, true);
		tcp_open(t, s);
	}
}

/* SYN_SENT (RFC 9293 3.10.7.3). True if established. */
static bool input_syn_sent(struct tcp_flow *f, const struct tcp_seg *s)
{
	struct tcp *t = f->tcp;
	uint8_t flags = s->h.flags;

	if (flags & TCP_ACK && s->h.ack != f->snd_nxt) {
		drop(t->env->drops, DROP_TCP_WINDOW);
		tcp_emit_rst(t, s);
		return false;
	}
	if (flags & TCP_RST) {
		if (flags & TCP_ACK) {
			t->stats.n_refused++;
			tcp_kill(f, true);
		} else {
			drop(t->env->drops, DROP_TCP_WINDOW);
		}
		return false;
	}
	if (!(flags & TCP_SYN)) {
		drop(t->env->drops, DROP_TCP_BAD_STATE);
		return false;
	}
	learn_options(f, &s->h, true);
	f->flow.guest_mac = s->pkt->eth_src;
	f->n_rtx = 0;
	if (!(flags & TCP_ACK)) { /* it calls us at the same moment */
		tcp_state(f, TCP_S_SYN_RCVD);
		tcp_open_send(f);
		return false;
	}
	f->rcv_adv = f->rcv_nxt + tcp_queue_first(f); /* our SYN told it */
	f->flags |= TCP_F_ACK_NOW;
	establish(f, s->pkt);
	return false;
}

/* SYN_RCVD. True if the segment is the third of the handshake. */
static bool input_syn_rcvd(struct tcp_flow *f, const struct tcp_seg *s)
{
	struct tcp *t = f->tcp;
	uint8_t flags = s->h.flags;

	if (flags & TCP_RST) {
		if (s->h.seq == f->rcv_nxt) {
			t->stats.n_reset++;
			tcp_kill(f, true);
		} else {
			drop(t->env->drops, DROP_TCP_WINDOW);
		}
		return false;
	}
	if (flags & TCP_SYN) {
		if (s->h.seq == f->irs)
			tcp_open_send(f); /* ours was lost */
		else
			drop(t->env->drops, DROP_TCP_WINDOW);
		return false;
	}
	if (!(flags & TCP_ACK) || s->h.ack != f->snd_nxt) {
		drop(t->env->drops, DROP_TCP_BAD_STATE);
		tcp_emit_rst(t, s);
		return false;
	}
	if (seq_lt(s->seq, f->rcv_nxt) || seq_gt(s->seq, f->rcv_adv)) {
		drop(t->env->drops, DROP_TCP_WINDOW);
		return false;
	}
	f->snd_wnd = f->max_wnd = (uint32_t)s->h.win << f->snd_shift;
	f->wl1 = s->h.seq;
	f->wl2 = s->h.ack;
	establish(f, s->pkt);
	return true;
}

bool tcp_open_input(struct tcp_flow *f, const struct tcp_seg *s)
{
	switch ((enum tcp_state)f->state) {
	case TCP_S_CONNECT:
		input_connect(f, s);
		return false;
	case TCP_S_SYN_SENT:
		return input_syn_sent(f, s);
	case TCP_S_SYN_RCVD:
		return input_syn_rcvd(f, s);
	case TCP_S_CLOSED:
	case TCP_S_ESTABLISHED:
	case TCP_S_FIN_WAIT_1:
	case TCP_S_FIN_WAIT_2:
	case TCP_S_CLOSE_WAIT:
	case TCP_S_CLOSING:
	case TCP_S_LAST_ACK:
	case TCP_S_TIME_WAIT:
		break;
	}
	return true;
}

/* CONNECT: the host says how it went. */
static void connect_event(struct tcp_flow *f, unsigned events)
{
	struct host *h = f->tcp->env->host;
	int r = 0;

	if (events & (HOST_EV_ERR | HOST_EV_HUP)) {
		r = h->ops->error(h, &f->flow.sock);
		if (r == 0 && !(events & HOST_EV_OUT))
			return;
	} else if (!(events & HOST_EV_OUT)) {
		return;
	}
	if (r < 0)
		tcp_refused(f, -r, true);
	else
		connected(f);
}

void tcp_host_event(struct host_sock *sock, unsigned events)
{
	struct tcp_flow *f = tcp_of(container_of(sock, struct flow, sock));
	struct tcp *t = f->tcp;
	struct host *h = t->env->host;

	if (events & HOST_EV_RDHUP)
		f->flags |= TCP_F_READ_ON;
	if (events & HOST_EV_PRI)
		tcp_urgent_event(f);
	if (!tcp_is(f, TCP_F_EOF) &&
	    events & (HOST_EV_IN | HOST_EV_RDHUP | HOST_EV_ERR | HOST_EV_HUP))
		f->flags |= TCP_F_READABLE;
	if (f->state == TCP_S_CONNECT) {
		connect_event(f, events);
	} else {
		if (events & HOST_EV_OUT && tcp_is(f, TCP_F_BLOCKED))
			tcp_up_drain(f);
		/* With nothing left to read, only this tells of a RST. */
		if (events & HOST_EV_ERR && tcp_is(f, TCP_F_EOF) &&
		    h->ops->error(h, &f->flow.sock) < 0)
			f->flags |= TCP_F_HOST_ERR;
		tcp_pend(f);
	}
	tcp_finish(t);
}

/* Gives up a socket that did not become a flow. */
static int give_up(struct tcp *t, struct host_sock *sock, int err)
{
	t->env->host->ops->close(t->env->host, sock, true);
	return err;
}

/* A pair may be used anew when all that is left of the old is its wait. */
static bool is_over(const struct flow *old)
{
	return container_of(old, struct tcp_flow, flow)->state ==
		       TCP_S_TIME_WAIT &&
	       old->sock.fd < 0;
}

bool tcp_has(struct tcp *t, const struct endpoint *guest,
	     const struct endpoint *peer)
{
	struct flow_key key = {.guest = *guest, .remote = *peer,
			       .proto = IPPROTO_TCP};

	return flow_find(&t->flows, &key);
}

bool tcp_is_pair_free(struct tcp *t, const struct endpoint *guest,
		      const struct endpoint *peer)
{
	struct flow_key key = {.guest = *guest, .remote = *peer,
			       .proto = IPPROTO_TCP};
	const struct flow *old = flow_find(&t->flows, &key);

	return !old || is_over(old);
}

/* Puts what the guest gets first in front of the socket's bytes, as if they had
 * been read: they are numbered, sent and sent again as those are. */
static bool put_head(struct tcp_flow *f, const struct nat_inward *in)
{
	struct iovec iov[2]; /* it may lie across the border of two chunks */
	const uint8_t *from = in->head;
	uint32_t len = in->n_head;
	unsigned n;

	assert(len <= TCP_HEAD_MAX);
	if (tcp_store_reserve(f, &f->ring, TCP_USE_DOWN, f->ring_end, len) <
	    len)
		return false;
	n = tcp_store_iov(f->ring, f->ring_end, &len, iov, 2);
	for (unsigned i = 0; i < n; i++) {
		memcpy(iov[i].iov_base, from, iov[i].iov_len);
		from += iov[i].iov_len;
	}
	f->ring_end += len;
	return true;
}

int tcp_connect_guest(struct tcp *t, struct host_sock *sock,
		      const struct nat_inward *in)
{
	struct flow_key key = {
		.guest = in->guest, .remote = in->peer, .proto = IPPROTO_TCP};
	struct flow *old = flow_find(&t->flows, &key);
	struct tcp_flow *f;

	if (old && !is_over(old))
		return give_up(t, sock, -EADDRINUSE);
	if (old)
		tcp_kill(tcp_of(old), false);
	f = tcp_flow_new(t, &key);
	if (!f)
		return give_up(t, sock, -ENOBUFS);
	f->is_inward = true;
	t->env->host->ops->move(t->env->host, sock, &f->flow.sock);
	if (!quota_has_room(&t->share->half[f->is_inward], f->flow.payer,
			    TCP_HALF_OPEN_MAX)) {
		drop(t->env->drops, DROP_FLOW_TABLE_FULL);
		tcp_kill(f, true);
		tcp_finish(t);
		return -ENOBUFS;
	}
	f->flags |= TCP_F_TS | TCP_F_SACK;
	f->rcv_shift = TCP_WIN_SHIFT;
	start_sending(f);
	if (in->n_head && !put_head(f, in)) {
		drop(t->env->drops, DROP_TCP_NO_MEMORY);
		tcp_kill(f, true);
		tcp_finish(t);
		return -ENOMEM;
	}
	tcp_state(f, TCP_S_SYN_SENT);
	/* An edge may have come and gone before the socket was ours. */
	f->flags |= TCP_F_READABLE;
	tcp_open_send(f);
	tcp_finish(t);
	return 0;
}
