/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver's side of a split virtqueue (VIRTIO 1.3, 2.7), as bench-front
 * uses it: every entry of the queue is a buffer, or a table of descriptors, of
 * its own for ever.
 *
 *	     seen          used->idx      avail->idx
 *   ----------|===============|--------------|----->
 *	        given back       the engine's
 *
 * The engine is trusted as far as a measured program is: what it says is
 * bounded, and a wrong word of it is the end.
 */
#ifndef BENCH_FRONT_VQ_H
#define BENCH_FRONT_VQ_H

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

enum {
	VQ_F_NEXT = 1,
	VQ_F_WRITE = 2,
	VQ_F_INDIRECT = 4,
	VQ_NO_INTERRUPT = 1,
	VQ_NO_NOTIFY = 1,
};

struct vq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct vq_elem {
	uint32_t id;
	uint32_t len;
};

struct vq_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[]; /* and behind it the event index for used */
};

struct vq_used {
	uint16_t flags;
	uint16_t idx;
	struct vq_elem ring[]; /* and behind it the one for avail */
};

_Static_assert(sizeof(struct vq_desc) == 16, "as in memory");
_Static_assert(sizeof(struct vq_elem) == 8, "as in memory");

struct vq {
	struct vq_desc *desc; /* shared memory, as the next two */
	struct vq_avail *avail;
	struct vq_used *used;
	uint16_t *used_event;	     /* ours to write */
	const uint16_t *avail_event; /* the engine's */
	uint32_t mask;		     /* entries - 1 */
	bool event_idx;
	uint16_t next;	 /* place of the next offer */
	uint16_t kicked; /* next, when a kick was last thought of */
	uint16_t seen;	 /* used elements taken */
	int kick, call;	 /* eventfds, owned */
	uint64_t n_kicks;
};

/* Puts a head in the next place; the engine cannot see it yet. */
static inline void vq_offer(struct vq *q, uint16_t head)
{
	q->avail->ring[q->next & q->mask] = head;
	q->next++;
}

/* Lets the engine see what was offered.  Sequentially consistent, as the
 * loads of vq_wants_kick(): the index is seen before the wish is read. */
static inline void vq_publish(struct vq *q)
{
	__atomic_store_n(&q->avail->idx, q->next, __ATOMIC_SEQ_CST);
}

/* 2.7.10: does the way from `kicked` to `next` pass what it waits for? */
static inline bool vq_wants_kick(const struct vq *q)
{
	uint16_t event;

	if (!q->event_idx)
		return !(__atomic_load_n(&q->used->flags, __ATOMIC_SEQ_CST) &
			 VQ_NO_NOTIFY);
	event = __atomic_load_n(q->avail_event, __ATOMIC_SEQ_CST);
	return (uint16_t)(q->next - event - 1) <
	       (uint16_t)(q->next - q->kicked);
}

/* Publishes, and kicks if the engine wants it for what is new. */
static inline void vq_kick(struct vq *q)
{
	static const uint64_t one = 1;

	if (q->next == q->kicked)
		return;
	vq_publish(q);
	if (vq_wants_kick(q)) {
		q->n_kicks++;
		(void)!write(q->kick, &one, sizeof(one));
	}
	q->kicked = q->next;
}

/* Elements given back and not taken.  Sequentially consistent, for
 * vq_want_call(): costs no more than acquire on a load. */
static inline uint16_t vq_ready(const struct vq *q)
{
	return (uint16_t)(__atomic_load_n(&q->used->idx, __ATOMIC_SEQ_CST) -
			  q->seen);
}

static inline struct vq_elem vq_elem(const struct vq *q, unsigned nth)
{
	return q->used->ring[(uint16_t)(q->seen + nth) & q->mask];
}

/* No calls, please.  By event index there is nothing to do: the one that was
 * asked for has been passed. */
static inline void vq_quiet(struct vq *q)
{
	if (!q->event_idx)
		__atomic_store_n(&q->avail->flags, VQ_NO_INTERRUPT,
				 __ATOMIC_RELAXED);
}

/* Asks for a call when more than `ahead` elements are given back; true if
 * they are already, and no call may come. */
static inline bool vq_want_call(struct vq *q, unsigned ahead)
{
	/* The wish is seen before the index is looked at again. */
	if (q->event_idx)
		__atomic_store_n(q->used_event, (uint16_t)(q->seen + ahead),
				 __ATOMIC_SEQ_CST);
	else
		__atomic_store_n(&q->avail->flags, 0, __ATOMIC_SEQ_CST);
	return vq_ready(q) > (q->event_idx ? ahead : 0);
}

#endif
