/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames between a tap and a pair of virtqueues, as a Linux driver moves them:
 *
 * down  Used buffers are written to the tap where they lie, one call for a
 *	 frame, and offered again.  No calls are asked for while there is
 *	 something; before it sleeps it asks, and looks once more.
 * up    Frames are read into free buffers, one call for a frame.  Buffers come
 *	 back unasked; only when none is left a call is asked for, at three
 *	 quarters of them.
 *
 * Each kick stands for all that was offered since the one before.
 */
#include "front_carry.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
	/* A long frame: headers, and the rest in blocks of the size in which
	 * the kernel keeps a socket's bytes. */
	PIECE_HEAD = FRONT_VNET_LEN + 66,
	PIECE_MAX = 32768,
	PIECES_FROM = 2048, /* bytes: shorter is in one */
	/* The engine should not wait longer for the first of many bytes. */
	KICK_BYTES = 131072,
	IP6_LEN = 40,
	/* VIRTIO 1.3, 5.1.6: flags of the header. */
	VNET_NEEDS_CSUM = 1,
	VNET_DATA_VALID = 2,
};

enum turn {
	TURN_IDLE, /* nothing more for now */
	TURN_MORE,
	TURN_BROKEN,
};

/* ---- down ---- */

/* The buffers of the next frame as c->iov; their number, 0 if the engine
 * broke the rules. */
static unsigned gather(struct carry *c, unsigned ready, uint64_t *lenp)
{
	struct vq *q = &c->down;
	unsigned n = 1;
	uint16_t merged;

	*lenp = 0;
	for (unsigned i = 0; i < n; i++) {
		struct vq_elem e = vq_elem(q, i);
		uint8_t *p;

		if (i >= ready || e.id > q->mask ||
		    e.len > q->desc[e.id].len || e.len == 0)
			return 0;
		p = c->rx + (uint64_t)e.id * c->rx_stride;
		if (i == 0 && c->merges) {
			memcpy(&merged, p + FRONT_VNET_LEN - 2, 2);
			n = merged;
		}
		if (n == 0 || n > CARRY_IOV)
			return 0;
		c->iov[i] = (struct iovec){p, e.len};
		*lenp += e.len;
	}
	return n;
}

/* An engine says that a checksum is valid where it did not compute one.  A
 * Linux driver believes it, a tap does not read it: the tap is told instead
 * that the sum is still to be made, which for a local receiver is the same. */
static void believe_sum(uint8_t *p, size_t len)
{
	uint16_t at = FRONT_VNET_LEN + FRONT_ETH_LEN, start, offset;
	uint8_t proto;

	if (p[0] != VNET_DATA_VALID ||
	    len < FRONT_VNET_LEN + FRONT_ETH_LEN + IP6_LEN)
		return;
	if (p[at - 2] == 0x08 && p[at - 1] == 0x00) {
		start = (uint16_t)(FRONT_ETH_LEN + (p[at] & 15) * 4);
		proto = p[at + 9];
	} else if (p[at - 2] == 0x86 && p[at - 1] == 0xdd) {
		start = FRONT_ETH_LEN + IP6_LEN;
		proto = p[at + 6];
	} else {
		return;
	}
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return;
	offset = proto == IPPROTO_TCP ? 16 : 6;
	p[0] = VNET_NEEDS_CSUM;
	memcpy(p + 6, &start, sizeof(start));
	memcpy(p + 8, &offset, sizeof(offset));
}

/* As Linux chooses the length of buffers that frames may span: the mean of
 * the frames before, a 64th for each, and no more than a page. */
static void choose_len(struct carry *c, uint64_t frame)
{
	c->rx_mean += (uint32_t)((int32_t)((uint32_t)frame - c->rx_mean) / 64);
	c->rx_len = c->rx_mean < c->rx_least ? c->rx_least : c->rx_mean;
	if (c->rx_len > c->rx_most)
		c->rx_len = c->rx_most;
}

static void offer_again(struct carry *c, unsigned n)
{
	struct vq *q = &c->down;

	for (unsigned i = 0; i < n; i++) {
		uint16_t id = (uint16_t)vq_elem(q, i).id;

		q->desc[id].len = c->rx_len;
		vq_offer(q, id);
	}
	q->seen = (uint16_t)(q->seen + n);
	vq_publish(q);
	/* An engine that waits for room should not wait for all of it. */
	if ((uint16_t)(q->next - q->kicked) > q->mask / 2)
		vq_kick(q);
}

static enum turn down(struct carry *c)
{
	struct vq *q = &c->down;
	unsigned ready = vq_ready(q);
	unsigned n_frames = 0;

	if (ready == 0)
		return TURN_IDLE;
	if (ready > q->mask)
		c->f->c.down_empty++;
	while (ready && n_frames < FRONT_BATCH) {
		uint64_t len;
		unsigned n = gather(c, ready, &len);

		if (n == 0) {
			front_say("the engine's receive queue is broken");
			return TURN_BROKEN;
		}
		believe_sum(c->iov->iov_base, c->iov->iov_len);
		front_give(c->f, c->iov, (int)n, len);
		choose_len(c, len);
		offer_again(c, n);
		n_frames++;
		ready -= n;
		if (ready == 0)
			ready = vq_ready(q);
	}
	vq_kick(q);
	return ready ? TURN_MORE : TURN_IDLE;
}

/* ---- up ---- */

/* Takes back what the engine is done with. */
static int reap(struct carry *c)
{
	struct vq *q = &c->up;
	unsigned ready = vq_ready(q);

	for (unsigned i = 0; i < ready; i++) {
		uint32_t id = vq_elem(q, i).id;

		if (id > q->mask || c->n_free > q->mask)
			return front_say("the engine's transmit queue is "
					 "broken");
		c->free[c->n_free++] = (uint16_t)id;
	}
	q->seen = (uint16_t)(q->seen + ready);
	return 0;
}

/* The frame of len bytes in buffer i, as one descriptor. */
static void offer_flat(struct carry *c, uint16_t i, uint32_t len)
{
	c->up.desc[i] = (struct vq_desc){
		.addr = c->gpa_tx + (uint64_t)i * FRONT_FRAME_MAX, .len = len};
	vq_offer(&c->up, i);
}

/* The same as a table of pieces. */
static void offer_pieces(struct carry *c, uint16_t i, uint32_t len)
{
	struct vq_desc *t = c->table[i];
	uint64_t at = c->gpa_tx + (uint64_t)i * FRONT_FRAME_MAX;
	uint32_t here = PIECE_HEAD;
	uint16_t n = 0;

	while (len) {
		t[n] = (struct vq_desc){.addr = at,
					.len = here,
					.flags = VQ_F_NEXT,
					.next = (uint16_t)(n + 1)};
		n++;
		at += here;
		len -= here;
		here = len < PIECE_MAX ? len : PIECE_MAX;
	}
	t[n - 1].flags = 0;
	c->up.desc[i] = (struct vq_desc){
		.addr = c->gpa_table + i * sizeof(*c->table),
		.len = n * (uint32_t)sizeof(*t),
		.flags = VQ_F_INDIRECT};
	vq_offer(&c->up, i);
}

static void offer_frame(struct carry *c, uint32_t len)
{
	uint16_t i = c->free[--c->n_free];

	if (c->pieces && len > PIECES_FROM)
		offer_pieces(c, i, len);
	else
		offer_flat(c, i, len);
	vq_publish(&c->up);
}

static ssize_t read_frame(struct carry *c)
{
	uint16_t i = c->free[c->n_free - 1];

	return front_take(c->f, c->tx + (uint64_t)i * FRONT_FRAME_MAX,
			  FRONT_FRAME_MAX);
}

static enum turn up(struct carry *c)
{
	enum turn turn = TURN_MORE;
	uint32_t bytes = 0;

	if (reap(c) < 0)
		return TURN_BROKEN;
	c->is_full = false;
	for (unsigned n = 0; n < FRONT_BATCH && turn == TURN_MORE; n++) {
		ssize_t len;

		if (c->n_free == 0) {
			c->is_full = true;
			c->f->c.up_full++;
			turn = TURN_IDLE;
			break;
		}
		len = read_frame(c);
		if (len > FRONT_VNET_LEN) {
			offer_frame(c, (uint32_t)len);
			bytes += (uint32_t)len;
		} else if (len < 0 && errno == EAGAIN) {
			c->f->c.dry++;
			turn = TURN_IDLE;
		} else {
			front_say_errno("tap");
			turn = TURN_BROKEN;
		}
		if (bytes > KICK_BYTES) {
			vq_kick(&c->up);
			bytes = 0;
		}
	}
	vq_kick(&c->up);
	return turn;
}

/* ---- waiting ---- */

/* Asks for the calls it needs; true if there is something already. */
static bool want_calls(struct carry *c)
{
	unsigned three_quarters = (c->up.mask + 1) / 4 * 3;
	bool is_there = vq_want_call(&c->down, 0);

	if (c->is_full)
		is_there |= vq_want_call(&c->up, three_quarters);
	return is_there;
}

/*
 * A virtual processor that has nothing to do polls before KVM puts its thread
 * to sleep (halt_poll_ns, by default up to 200 us), unless another thread wants
 * the processor.  How long follows the sleeps before: from 10 us on it doubles
 * after each that was shorter than the limit, and one that was longer ends it.
 */
enum { POLL_BEGIN_NS = 10000 };

static int poll_for(struct carry *c, struct epoll_event *ev, uint64_t from)
{
	int n;

	for (;;) {
		n = epoll_wait(c->f->ep, ev, FRONT_EVENTS, 0);
		if (n != 0 || vq_ready(&c->down) ||
		    front_now_ns() - from >= c->poll_ns)
			return n;
		sched_yield();
	}
}

static void choose_poll(struct carry *c, uint64_t slept_ns)
{
	uint64_t most = c->f->o.poll * UINT64_C(1000);

	if (slept_ns <= c->poll_ns)
		return;
	if (slept_ns > most)
		c->poll_ns = 0;
	else
		c->poll_ns = c->poll_ns ? c->poll_ns * 2 : POLL_BEGIN_NS;
	if (c->poll_ns > most)
		c->poll_ns = most;
}

/* Sleeps until there is something; its events. */
static int halt(struct carry *c, struct epoll_event *ev)
{
	uint64_t from = front_now_ns();
	int n = 0;

	if (c->poll_ns)
		n = poll_for(c, ev, from);
	if (n == 0 && !vq_ready(&c->down))
		n = epoll_wait(c->f->ep, ev, FRONT_EVENTS, -1);
	choose_poll(c, front_now_ns() - from);
	return n;
}

/* Events of one wait; false: it is over, and endp says how. */
static bool wait_for(struct carry *c, bool may_sleep, enum front_end *endp)
{
	struct epoll_event ev[FRONT_EVENTS];
	int n = may_sleep ? halt(c, ev)
			  : epoll_wait(c->f->ep, ev, FRONT_EVENTS, 0);

	c->f->c.waits++;
	for (int i = 0; i < n; i++) {
		if (ev[i].data.u32 == FRONT_SIGNAL && front_signal(c->f)) {
			*endp = FRONT_ASKED;
			return false;
		}
		if (ev[i].data.u32 == FRONT_PEER) {
			front_say("the engine closed the connection");
			*endp = FRONT_BROKEN;
			return false;
		}
	}
	vq_quiet(&c->down);
	vq_quiet(&c->up);
	return true;
}

/* Nothing reads the eventfds of calls: each holds the number of them. */
static uint64_t calls_of(const struct vq *q)
{
	uint64_t n = 0;

	return read(q->call, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

void carry_count(struct carry *c)
{
	c->f->c.up_kicks = c->up.n_kicks;
	c->f->c.down_kicks = c->down.n_kicks;
	c->f->c.up_calls = calls_of(&c->up);
	c->f->c.down_calls = calls_of(&c->down);
}

enum front_end carry_run(struct carry *c)
{
	enum front_end end = FRONT_BROKEN;
	unsigned turns = 0;

	for (;;) {
		enum turn d = down(c), u;
		bool more;

		u = d == TURN_BROKEN ? TURN_BROKEN : up(c);
		if (u == TURN_BROKEN)
			break;
		more = d == TURN_MORE || u == TURN_MORE || want_calls(c);
		if (more && ++turns % FRONT_TURNS)
			continue;
		if (!wait_for(c, !more, &end))
			break;
	}
	return end;
}
