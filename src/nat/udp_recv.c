/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP down: what the host's sockets received, to the guest.  Called by the
 * sockets' events, by room and by the turn timer; the worker's thread.
 *
 * The usual round lends frames of the guest's MTU and receives a batch of
 * datagrams straight into them, as far in as the headers then go.  What
 * may come longer (a datagram to be fragmented, a run that UDP_GRO made) runs
 * over into a spill area behind each frame:
 *
 *	lent frame:   | headers | first bytes |
 *	spill area:   | SPILL_FRONT ..........|.......... SPILL_BACK |
 *	                  first bytes copied ^ rest received
 *
 * From the first such message on, a round's messages are completed in their
 * spill areas and leave through out_dgram(), and the next round receives into
 * the spill areas only, until all messages are short again.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* after time.h, which it needs */

#include "lan/steer.h"
#include "nat/udp_priv.h"
#include "wire/csum.h"

enum {
	SPILL_FRONT = 65536,
	SPILL_BACK = 65536,
	SPILL_LEN = SPILL_FRONT + SPILL_BACK,
	SPILL_BATCH = 16, /* messages of a round into the spill areas */
	ROUNDS = 8,       /* of one turn */
};

/* How a round ended. */
enum round {
	ROUND_MORE,    /* there may be more */
	ROUND_DRAINED, /* the socket is empty: an edge will tell */
	ROUND_BLOCKED, /* no room on the lan: room() will tell */
	ROUND_ERROR,   /* the socket reported something */
};

int udp_rx_init(struct udp_rx *rx)
{
	/* Address space; a page is touched when a long datagram needs it. */
	rx->spill = malloc((size_t)UDP_BATCH * SPILL_LEN);
	return rx->spill ? 0 : -ENOMEM;
}

void udp_rx_deinit(struct udp_rx *rx)
{
	free(rx->spill);
}

static uint8_t *spill_at(struct udp_rx *rx, unsigned i)
{
	return rx->spill + (size_t)i * SPILL_LEN + SPILL_FRONT;
}

/* True if the host itself says what its route's MTU is. */
static bool is_local_too_big(const struct host_err *err)
{
	return err->origin == SO_EE_ORIGIN_LOCAL && err->err == EMSGSIZE;
}

unsigned udp_end_errors(struct udp_end *e, uint32_t *mtup)
{
	const struct nat_env *env = e->udp->env;
	struct host *h = env->host;
	unsigned n = 0;

	for (unsigned i = 0; i < UDP_BATCH; i++) {
		uint8_t quote[UDP_HDR_LEN +
			      sizeof(((struct host_err *)0)->payload)];
		struct host_err err;
		struct udp_hdr udp;
		struct wr w;
		struct icmp_relay r = {
			.err = &err, .proto = IPPROTO_UDP, .quote = quote};

		if (h->ops->recv_err(h, e->sock, &err) <= 0)
			return n;
		if (is_local_too_big(&err)) {
			if (mtup)
				*mtup = err.info;
			continue;
		}
		n++;
		if (!e->ops->guest(e, &r.guest, &r.guest_mac) ||
		    !e->ops->known(e, &err.dst, &r.dst) ||
		    err.payload_len > sizeof(err.payload))
			continue;
		/* The kernel quotes our payload; the header was the
		 * guest's. */
		udp = (struct udp_hdr){
			.sport = r.guest.port,
			.dport = r.dst.port,
			.len = (uint16_t)(UDP_HDR_LEN + err.payload_len)};
		w = wr_init(quote, UDP_HDR_LEN);
		udp_emit(&w, &udp);
		memcpy(quote + UDP_HDR_LEN, err.payload, err.payload_len);
		r.quote_len = UDP_HDR_LEN + (uint32_t)err.payload_len;
		(void)icmp_relay(e->udp->icmp, &r); /* there is no other way */
	}
	return n;
}

/* Payload of a datagram to guest that is not fragmented. */
static uint32_t room_for(const struct udp *u, const addr *guest)
{
	return u->env->mtu - ip_hdr_len(guest) - UDP_HDR_LEN;
}

/* True if m is one datagram that fits into a frame. */
static bool is_short(const struct host_msg *m, uint32_t room)
{
	return m->len <= room && (m->gso_size == 0 || m->len <= m->gso_size);
}

static uint8_t ttl_down(const struct host_msg *m)
{
	return m->ttl > 1 ? m->ttl - 1 : IP_HOP_LIMIT;
}

/* Writes the headers of message i into its lent frame. */
static void put_headers(struct udp *u, unsigned i, const struct endpoint *guest,
			mac to, const struct endpoint *seen)
{
	struct lend_frame *lf = &u->rx.lend.f[i];
	const struct host_msg *m = &u->rx.m[i];
	struct out_addr a = {.to = to,
			     .src = seen->ip,
			     .dst = guest->ip,
			     .proto = IPPROTO_UDP,
			     .ttl = ttl_down(m),
			     .tos = m->tos};
	uint32_t l4_len = UDP_HDR_LEN + (uint32_t)m->len;
	uint32_t l4 = out_l4(&a.dst);
	uint8_t hdr[OUT_UDP_PAYLOAD_MAX];
	struct wr w = wr_init(hdr + l4, UDP_HDR_LEN);
	struct udp_hdr udp = {.sport = seen->port,
			      .dport = guest->port,
			      .len = (uint16_t)l4_len,
			      .csum = csum_partial(csum_pseudo(
				      &a.src, &a.dst, a.proto, l4_len))};

	out_put_ip(hdr, u->env, &a, l4_len);
	udp_emit(&w, &udp);
	lend_put(lf, 0, hdr, l4 + UDP_HDR_LEN);
	lf->len = l4 + l4_len;
	lf->off = (struct frame_offload){.flags = FRAME_F_NEEDS_CSUM,
					 .csum_start = (uint16_t)l4,
					 .csum_offset = 6};
}

/* One datagram of len bytes at p through out; step < len: a run of them, which
 * the exit cuts, or the lan for one that cannot. */
static void emit(struct udp *u, const struct out_addr *a, uint16_t src_port,
		 uint16_t dst_port, const uint8_t *p, uint32_t len,
		 uint32_t step)
{
	struct out_dgram d = {.a = *a,
			      .payload = p,
			      .len = len,
			      .gso_size = step < len ? (uint16_t)step : 0};

	d.is_partial = len <= room_for(u, &a->dst) || d.gso_size;
	out_udp_head(&d, src_port, dst_port);
	out_dgram(&u->out, &d);
}

/* A run stays whole, if each of its datagrams fits a frame.  What is held for
 * a guest without a MAC is kept by single datagrams: its place is small. */
static bool is_run_whole(const struct udp *u, const addr *guest, uint32_t step)
{
	return !u->out.hold && step <= room_for(u, guest);
}

/* Message i, whole at p, to the guest. */
static void emit_message(struct udp_end *e, unsigned i, const uint8_t *p,
			 const struct endpoint *guest, mac to)
{
	struct udp *u = e->udp;
	const struct host_msg *m = &u->rx.m[i];
	uint32_t step = m->gso_size ? m->gso_size : (uint32_t)m->len;
	uint32_t left = (uint32_t)m->len;
	struct out_addr a = {.to = to,
			     .dst = guest->ip,
			     .proto = IPPROTO_UDP,
			     .ttl = ttl_down(m),
			     .tos = m->tos};
	struct endpoint seen;

	if (m->truncated || m->len > UINT16_MAX) {
		drop(u->env->drops, DROP_UDP_TOO_LONG);
		return;
	}
	if (!e->ops->seen(e, m, &seen)) {
		drop(u->env->drops, e->unseen);
		return;
	}
	udp_end_received(e, m->len);
	a.src = seen.ip;
	if (left > step && left <= UDP_LEN_MAX &&
	    is_run_whole(u, &a.dst, step)) {
		emit(u, &a, seen.port, guest->port, p, left, step);
		return;
	}
	do {
		uint32_t len = left < step ? left : step;

		/* A run's pieces are datagrams, and so is an empty message;
		 * one that says it is longer than UDP can be is none. */
		if (len > udp_len_max(&a.dst))
			drop(u->env->drops, DROP_UDP_TOO_LONG);
		else
			emit(u, &a, seen.port, guest->port, p, len,
			     len);
		p += len;
		left -= len;
	} while (left > 0);
}

/* Copies what of message i lies in its lent frame in front of the rest. */
static const uint8_t *complete(struct udp_rx *rx, unsigned i, uint32_t room)
{
	const struct host_msg *m = &rx->m[i];
	uint32_t left = m->len < room ? (uint32_t)m->len : room;
	uint8_t *start = spill_at(rx, i) - left;
	uint8_t *to = start;

	for (unsigned k = 0; k < m->n_iov && left > 0; k++) {
		uint32_t n = (uint32_t)m->iov[k].iov_len;

		if (n > left)
			n = left;
		memcpy(to, m->iov[k].iov_base, n);
		to += n;
		left -= n;
	}
	return start;
}

/* The pieces of lent frame lf after skip bytes of headers, room bytes of them,
 * then the spill area.  Returns their number. */
static unsigned message_iov(const struct lend_frame *lf, uint32_t skip,
			    uint32_t room, uint8_t *spill, struct iovec *iov,
			    unsigned max)
{
	unsigned n;

	if (!max)
		return 0;
	n = udp_slice(lf->iov, lf->n_iov, skip, room, iov, max - 1);
	if (n == max) /* none is left for the spill area */
		return 0;
	iov[n++] = (struct iovec){.iov_base = spill, .iov_len = SPILL_BACK};
	return n;
}

/* The frames of a lend lie in one queue of the guest, that of the flow from
 * e->last.  True if what came from seen may follow. */
static bool is_same_queue(struct udp_end *e, const struct endpoint *seen)
{
	const struct port *exit = e->udp->rx.lend.port;
	bool is_same;

	if (!exit || exit->caps.queues == 1)
		return true;
	is_same = endpoint_eq(seen, &e->last);
	e->last = *seen;
	return is_same;
}

/* Lends up to want frames; the messages are ready to be received. */
static unsigned lend_messages(struct udp_end *e, const struct endpoint *to_ep,
			      mac to, unsigned want, uint32_t room)
{
	struct udp *u = e->udp;
	struct udp_rx *rx = &u->rx;
	const addr *guest = &to_ep->ip;
	uint32_t skip = out_l4(guest) + UDP_HDR_LEN;
	unsigned n, n_iov = 0;

	rx->lend.n = want;
	rx->lend.flow = steer_flow(IPPROTO_UDP, to_ep, &e->last);
	for (unsigned i = 0; i < want; i++)
		rx->lend.f[i].want = skip + room;
	n = lan_lend(u->env->port, to, &rx->lend);
	for (unsigned i = 0; i < n; i++) {
		struct host_msg *m = &rx->m[i];

		*m = (struct host_msg){.iov = rx->iov + n_iov};
		m->n_iov = message_iov(&rx->lend.f[i], skip, room,
				       spill_at(rx, i), m->iov,
				       UDP_RECV_IOV - n_iov);
		n_iov += m->n_iov;
	}
	return n;
}

static enum round round_end(struct udp_end *e, unsigned asked, int got)
{
	if (got == -EAGAIN || got == 0)
		return ROUND_DRAINED;
	if (got < 0) {
		(void)udp_end_errors(e, NULL); /* the number is nothing */
		return ROUND_ERROR;
	}
	if ((unsigned)got < asked) {
		if ((unsigned)got * 2 < asked && e->expect > UDP_EXPECT_MIN)
			e->expect /= 2;
		return ROUND_DRAINED;
	}
	e->expect = e->expect < UDP_BATCH / 2 ? e->expect * 2 : UDP_BATCH;
	return ROUND_MORE;
}

/* Receives into lent frames. */
static enum round round_lent(struct udp_end *e, const struct endpoint *guest,
			     mac to)
{
	struct udp *u = e->udp;
	struct udp_rx *rx = &u->rx;
	struct host *h = u->env->host;
	uint32_t room = room_for(u, &guest->ip);
	const uint8_t *whole[UDP_BATCH];
	unsigned n = lend_messages(e, guest, to, e->expect, room);
	unsigned k = 0, given;
	struct endpoint seen;
	int got;

	if (n == 0)
		return ROUND_BLOCKED;
	got = h->ops->recv_batch(h, e->sock, rx->m, n);
	for (; (int)k < got && is_short(&rx->m[k], room); k++) {
		if (!e->ops->seen(e, &rx->m[k], &seen) ||
		    !is_same_queue(e, &seen))
			break;
		udp_end_received(e, rx->m[k].len);
		put_headers(u, k, guest, to, &seen);
	}
	e->is_long = (int)k < got;
	for (int i = (int)k; i < got; i++)
		whole[i] = complete(rx, (unsigned)i, room);
	rx->lend.n_used = k;
	given = lan_give(u->env->port, to, &rx->lend);
	drop_n(u->env->drops, DROP_PORT_FULL, k - given);
	for (int i = (int)k; i < got; i++)
		emit_message(e, (unsigned)i, whole[i], guest, to);
	out_flush(&u->out);
	return round_end(e, n, got);
}

/* True if the lan can take a frame now; if not, room() will tell. */
static bool has_room(struct udp_end *e, const struct endpoint *guest, mac to)
{
	struct udp *u = e->udp;
	struct lend *l = &u->rx.lend;

	l->n = 1;
	l->flow = steer_flow(IPPROTO_UDP, guest, &e->last);
	l->f[0].want = OUT_UDP_PAYLOAD_MAX;
	if (lan_lend(u->env->port, to, l) == 0)
		return false;
	l->n_used = 0;
	(void)lan_give(u->env->port, to, l); /* nothing was given */
	return true;
}

/* Receives into the spill areas; is_held: the guest's MAC is not known. */
static enum round round_spill(struct udp_end *e, const struct endpoint *guest,
			      mac to, bool is_held)
{
	struct udp *u = e->udp;
	struct udp_rx *rx = &u->rx;
	struct host *h = u->env->host;
	bool is_long = false;
	int got;

	if (!is_held && !has_room(e, guest, to))
		return ROUND_BLOCKED;
	for (unsigned i = 0; i < SPILL_BATCH; i++) {
		rx->iov[i] = (struct iovec){.iov_base = spill_at(rx, i),
					    .iov_len = SPILL_BACK};
		rx->m[i] = (struct host_msg){.iov = &rx->iov[i], .n_iov = 1};
	}
	got = h->ops->recv_batch(h, e->sock, rx->m, SPILL_BATCH);
	u->out.hold = is_held ? &guest->ip : NULL;
	for (int i = 0; i < got; i++) {
		is_long |= !is_short(&rx->m[i], room_for(u, &guest->ip));
		emit_message(e, (unsigned)i, spill_at(rx, (unsigned)i), guest,
			     to);
	}
	out_flush(&u->out);
	u->out.hold = NULL;
	e->is_long = is_long;
	return round_end(e, SPILL_BATCH, got);
}

static enum round one_round(struct udp_end *e)
{
	struct endpoint guest;
	mac to = {{0}};

	if (!e->ops->guest(e, &guest, &to))
		return round_spill(e, &guest, to, true);
	if (e->is_long)
		return round_spill(e, &guest, to, false);
	return round_lent(e, &guest, to);
}

void udp_end_read(struct udp_end *e)
{
	struct udp *u = e->udp;
	enum round r = ROUND_MORE;
	unsigned n_errors = 0;

	list_del(&e->link);
	for (unsigned i = 0; i < ROUNDS; i++) {
		r = one_round(e);
		if (r == ROUND_DRAINED || r == ROUND_BLOCKED)
			break;
		/* Reported errors come one by one; the same one again and
		 * again would be no error queue. */
		if (r == ROUND_ERROR && ++n_errors == ROUNDS)
			return;
	}
	if (r == ROUND_DRAINED)
		return;
	if (r == ROUND_BLOCKED) {
		list_add_tail(&u->blocked, &e->link);
		return;
	}
	list_add_tail(&u->ready, &e->link);
	timer_arm(u->env->wheel, &u->turn, *u->env->now_ns);
}

void udp_turn(struct timer *t, uint64_t now_ns)
{
	struct udp *u = container_of(t, struct udp, turn);
	struct list mine;

	list_init(&mine);
	list_splice(&mine, &u->ready);
	while (!list_empty(&mine)) {
		struct udp_end *e =
			container_of(list_first(&mine), struct udp_end, link);

		list_del(&e->link);
		udp_end_read(e);
	}
}
