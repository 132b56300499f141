/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that wait for room at their exit, see hold.h. */
#include "lan/hold.h"

#include <assert.h>
#include <stdlib.h>

#include "lan/lan_priv.h"

/* A frame that waits.  Its header and the list of its pieces are copies; the
 * pieces are the sender's memory. */
struct held {
	struct list link; /* in hold_queue.frames */
	uint64_t since_ns;
	struct frame f; /* of hdr and iov */
	uint8_t hdr[FRAME_HDR_MAX];
	struct iovec iov[FRAME_IOV_MAX];
};

/* What one sender holds for one exit; exists while that is something. */
struct hold_queue {
	struct list link_from; /* in hold.queues */
	struct list link_exit; /* in exit->holders */
	struct hold *h;
	struct port *exit;
	struct list frames; /* of held.link */
	uint32_t cost, bytes;
};

struct hold {
	struct port *from;
	struct slab frames; /* of struct held */
	struct slab slots;  /* of struct hold_queue */
	struct list queues; /* of hold_queue.link_from */
	struct timer timer; /* armed while there is a queue */
	uint32_t cost, bytes; /* of all queues */
};

/* Frames that are finished with, told of together. */
struct ended {
	struct port *from;
	unsigned n;
	uint32_t cookie[FRAME_BATCH];
};

static void ended_tell(struct ended *e)
{
	if (e->n > 0)
		e->from->ops->let_go(e->from, e->cookie, e->n);
	e->n = 0;
}

/* ---- queues ---- */

static struct hold_queue *queue_find(struct hold *h, const struct port *exit)
{
	list_each(it, &h->queues) {
		struct hold_queue *q =
			container_of(it, struct hold_queue, link_from);

		if (q->exit == exit)
			return q;
	}
	return NULL;
}

static struct hold_queue *queue_make(struct hold *h, struct port *exit)
{
	struct hold_queue *q = slab_alloc(&h->slots);

	if (!q)
		return NULL;
	q->h = h;
	q->exit = exit;
	list_init(&q->frames);
	list_add_tail(&h->queues, &q->link_from);
	list_add_tail(&exit->holders, &q->link_exit);
	return q;
}

static void queue_free(struct hold_queue *q)
{
	assert(list_empty(&q->frames) && q->cost == 0 && q->bytes == 0);
	list_del(&q->link_from);
	list_del(&q->link_exit);
	slab_free(&q->h->slots, q);
}

static struct held *queue_first(const struct hold_queue *q)
{
	return container_of(list_first(&q->frames), struct held, link);
}

static struct held *queue_last(const struct hold_queue *q)
{
	return container_of(q->frames.prev, struct held, link);
}

/* Bytes that q may have. */
static uint32_t queue_most(const struct hold_queue *q, uint64_t now_ns)
{
	if (list_empty(&q->frames) ||
	    now_ns - queue_first(q)->since_ns < HOLD_QUICK_NS)
		return HOLD_EXIT_BYTES;
	return HOLD_SLOW_BYTES;
}

static bool queue_put(struct hold_queue *q, const struct frame *f,
		      uint64_t now_ns)
{
	struct hold *h = q->h;
	uint32_t max = h->from->hold_max;
	struct held *x;

	if (!f->hold_cost || f->hdr_len > FRAME_HDR_MAX ||
	    f->n_iov > FRAME_IOV_MAX)
		return false;
	if (q->cost + f->hold_cost > max / 2 || h->cost + f->hold_cost > max)
		return false;
	if (q->bytes + f->len > queue_most(q, now_ns) ||
	    h->bytes + f->len > HOLD_BYTES)
		return false;
	x = slab_alloc_raw(&h->frames);
	if (!x)
		return false;
	list_init(&x->link);
	x->since_ns = now_ns;
	x->f = *f;
	memcpy(x->hdr, f->hdr, f->hdr_len);
	x->f.hdr = x->hdr;
	if (f->n_iov > 0)
		memcpy(x->iov, f->iov, f->n_iov * sizeof(x->iov[0]));
	x->f.iov = x->iov;
	list_add_tail(&q->frames, &x->link);
	q->cost += f->hold_cost;
	q->bytes += f->len;
	h->cost += f->hold_cost;
	h->bytes += f->len;
	return true;
}

static void frame_end(struct hold_queue *q, struct held *x, struct ended *e)
{
	struct hold *h = q->h;

	list_del(&x->link);
	q->cost -= x->f.hold_cost;
	q->bytes -= x->f.len;
	h->cost -= x->f.hold_cost;
	h->bytes -= x->f.len;
	e->cookie[e->n++] = x->f.cookie;
	slab_free(&h->frames, x);
	if (e->n == FRAME_BATCH)
		ended_tell(e);
}

/* The first pieces of x are gone. */
static void frame_skip(struct hold_queue *q, struct held *x, uint32_t pieces)
{
	uint32_t len = x->f.len;

	gso_skip(&x->f, x->hdr, x->iov, pieces);
	q->bytes -= len - x->f.len;
	q->h->bytes -= len - x->f.len;
}

/* All frames until no more than one that came after until_ns is first. */
static unsigned frames_drop(struct hold_queue *q, uint64_t until_ns,
			    enum drop_reason why)
{
	struct ended e = {.from = q->h->from};
	unsigned n = 0;

	while (!list_empty(&q->frames)) {
		struct held *x = queue_first(q);

		if (x->since_ns > until_ns)
			break;
		tap_lost_frame(q->exit, &x->f, why);
		frame_end(q, x, &e);
		n++;
	}
	ended_tell(&e);
	return n;
}

/* The sender is gone. */
static void queue_drop(struct hold_queue *q)
{
	struct port *from = q->h->from;
	unsigned n = frames_drop(q, UINT64_MAX, DROP_LINK_DOWN_IN);

	drop_n(from->lan->drops, DROP_LINK_DOWN_IN, n);
	from->stats.rx_drops += n;
	queue_free(q);
}

/* ---- time ---- */

static bool is_trusted(const struct port *exit, uint64_t now_ns)
{
	if (!exit->hold_after_ns)
		return true;
	return now_ns >= exit->hold_after_ns &&
	       exit->stats.tx_frames != exit->hold_tx_frames;
}

/* What has waited too long. */
static void queue_expire(struct hold_queue *q, uint64_t now_ns)
{
	struct port *exit = q->exit;
	unsigned n = 0;

	if (now_ns >= HOLD_NS)
		n = frames_drop(q, now_ns - HOLD_NS, DROP_PORT_STALLED);
	if (n == 0)
		return;
	drop_n(exit->lan->drops, DROP_PORT_STALLED, n);
	exit->stats.tx_drops += n;
	exit->hold_after_ns = now_ns + HOLD_DISTRUST_NS;
	exit->hold_tx_frames = exit->stats.tx_frames;
	if (list_empty(&q->frames))
		queue_free(q);
}

static void timer_set(struct hold *h)
{
	uint64_t first = UINT64_MAX;

	list_each(it, &h->queues) {
		const struct hold_queue *q =
			container_of(it, struct hold_queue, link_from);

		if (queue_first(q)->since_ns < first)
			first = queue_first(q)->since_ns;
	}
	if (first != UINT64_MAX)
		timer_arm(h->from->lan->wheel, &h->timer, first + HOLD_NS);
}

static void hold_fire(struct timer *t, uint64_t now_ns)
{
	struct hold *h = container_of(t, struct hold, timer);

	if (!port_is_up(h->from)) {
		lan_port_release(h->from);
		return;
	}
	list_each_safe(it, &h->queues)
		queue_expire(container_of(it, struct hold_queue, link_from),
			     now_ns);
	timer_set(h);
}

void hold_release_soon(struct port *p)
{
	if (p->hold && !list_empty(&p->hold->queues))
		timer_arm(p->lan->wheel, &p->hold->timer, *p->lan->now_ns);
}

/* ---- in and out ---- */

uint64_t hold_keep(struct port *from, struct port *exit,
		   const struct batch *b, uint64_t mask,
		   const struct gso_rest *rest)
{
	struct hold *h = from->hold;
	uint64_t now_ns = *from->lan->now_ns, kept = 0;
	struct hold_queue *q;

	if (!mask || !is_trusted(exit, now_ns))
		return 0;
	exit->hold_after_ns = 0;
	q = queue_find(h, exit);
	if (!q)
		q = queue_make(h, exit);
	if (!q)
		return 0;
	for (; mask; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask);

		if (!queue_put(q, &b->f[i], now_ns))
			continue;
		kept |= mask & -mask;
		if (rest->pieces && rest->i == i)
			frame_skip(q, queue_last(q), rest->pieces);
	}
	if (list_empty(&q->frames)) {
		queue_free(q);
		return 0;
	}
	lan_ask_room(exit);
	if (!timer_is_armed(&h->timer))
		timer_set(h);
	return kept;
}

/* One batch of q, which may be freed. */
static void queue_send(struct hold_queue *q)
{
	struct port *exit = q->exit;
	struct ended e = {.from = q->h->from};
	struct gso_rest rest = {0};
	uint64_t back, sent;
	unsigned i = 0;
	struct batch b;

	b.n = 0; /* the array is filled as far as it is used */
	list_each(it, &q->frames) {
		if (b.n == FRAME_BATCH)
			break;
		b.f[b.n++] = container_of(it, struct held, link)->f;
	}
	back = lan_carry_held(e.from, exit, &b, &rest);
	sent = batch_mask(&b) & ~back;
	list_each_safe(it, &q->frames) {
		if (i == b.n)
			break;
		if (sent >> i & 1)
			frame_end(q, container_of(it, struct held, link), &e);
		else if (rest.pieces && rest.i == i)
			frame_skip(q, container_of(it, struct held, link),
				   rest.pieces);
		i++;
	}
	ended_tell(&e);
	if (back)
		lan_ask_room(exit);
	if (list_empty(&q->frames)) {
		queue_free(q);
	} else if (sent || rest.pieces) { /* the others' turn */
		list_del(&q->link_exit);
		list_add_tail(&exit->holders, &q->link_exit);
	}
}

void hold_serve(struct port *exit)
{
	while (!list_empty(&exit->holders) && !exit->wants_room) {
		struct hold_queue *q = container_of(
			list_first(&exit->holders), struct hold_queue,
			link_exit);

		if (port_is_up(q->h->from))
			queue_send(q);
		else
			queue_drop(q);
	}
}

/* ---- life ---- */

void lan_port_release(struct port *p)
{
	if (!p->hold)
		return;
	list_each_safe(it, &p->hold->queues)
		queue_drop(container_of(it, struct hold_queue, link_from));
	timer_disarm(p->lan->wheel, &p->hold->timer);
}

struct hold *hold_new(struct port *from)
{
	struct hold *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->from = from;
	list_init(&h->queues);
	timer_init(&h->timer, hold_fire);
	if (slab_init(&h->frames, sizeof(struct held), HOLD_FRAMES) < 0)
		goto err_free;
	if (slab_init(&h->slots, sizeof(struct hold_queue), HOLD_FRAMES) < 0)
		goto err_deinit;
	return h;

err_deinit:
	slab_deinit(&h->frames);
err_free:
	free(h);
	return NULL;
}

struct hold *hold_free(struct hold *h)
{
	if (!h)
		return NULL;
	lan_port_release(h->from);
	slab_deinit(&h->slots);
	slab_deinit(&h->frames);
	free(h);
	return NULL;
}
