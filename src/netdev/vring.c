/* SPDX-License-Identifier: BSD-3-Clause */
/* The device's side of a split virtqueue, see vring.h. */
/* #syscalls: write */
#include "netdev/vring.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* VIRTIO 1.3, 2.7.5 to 2.7.8: little-endian, as this machine is. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "rings are read as they lie");

enum {
	DESC_F_NEXT = 1,
	DESC_F_WRITE = 2,
	DESC_F_INDIRECT = 4,
	AVAIL_F_NO_INTERRUPT = 1,
	USED_F_NO_NOTIFY = 1,
	DESC_LEN = 16,
	AVAIL_HEAD = 4, /* flags, idx */
	USED_HEAD = 4,
	USED_LEN = 8, /* an element */
	LOG_PAGE_SHIFT = 12,
	/* In a used element's len, above the used index it is noted for: no
	 * frame is as long. */
	NOTE_MARK = 0x766d0000,
};

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

_Static_assert(sizeof(struct vring_desc) == DESC_LEN, "as on the wire");

static uint16_t load16(const uint8_t *p)
{
	return __atomic_load_n((const uint16_t *)(const void *)p,
			       __ATOMIC_RELAXED);
}

/* A store that is seen before the load behind it is made: the driver does the
 * same the other way round, and one of the two sees the other's. */
static void store16_before(uint8_t *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_SEQ_CST);
}

static uint16_t load16_after(const uint8_t *p)
{
	return __atomic_load_n((const uint16_t *)(const void *)p,
			       __ATOMIC_SEQ_CST);
}

static void store16(uint8_t *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELAXED);
}

/* ---- the log ---- */

static void log_page(const struct vlog *log, uint64_t page)
{
	if (page / 8 < log->size)
		__atomic_fetch_or(&log->bits[page / 8],
				  (uint8_t)(1u << (page % 8)),
				  __ATOMIC_RELAXED);
}

static void log_range(const struct vlog *log, uint64_t gpa, uint64_t len)
{
	uint64_t last;

	if (!log->is_on || !log->bits || len == 0 || gpa + len < gpa)
		return;
	last = (gpa + len - 1) >> LOG_PAGE_SHIFT;
	if (last / 8 >= log->size) /* what is behind has no bit */
		last = log->size * 8 - 1;
	for (uint64_t page = gpa >> LOG_PAGE_SHIFT; page <= last; page++)
		log_page(log, page);
}

void vlog_bytes(const struct vlog *log, const struct vmem *m, const void *p,
		uint64_t len)
{
	uint64_t gpa;

	if (!log->is_on || !log->bits)
		return;
	gpa = vmem_gpa_of(m, p);
	if (gpa != UINT64_MAX)
		log_range(log, gpa, len);
}

static void log_used(const struct vring *q, uint64_t off, uint64_t len)
{
	if (q->logs_used)
		log_range(q->log, q->log_gpa + off, len);
}

/* ---- life ---- */

static int broken(struct vring *q)
{
	q->is_broken = true;
	return -EPROTO;
}

int vring_map(struct vring *q)
{
	uint64_t n = q->size;
	/* with the event index behind each ring */
	uint64_t avail_len = AVAIL_HEAD + n * 2 + 2;
	uint64_t used_len = USED_HEAD + n * USED_LEN + 2;
	bool was_lost = !q->desc;

	q->desc = q->avail = NULL;
	q->used = NULL;
	if (!q->is_set)
		return 0;
	if (n == 0 || (q->desc_uva & 15) || (q->avail_uva & 1) ||
	    (q->used_uva & 3))
		return broken(q);
	q->desc = vmem_uva(q->mem, q->desc_uva, n * DESC_LEN);
	q->avail = vmem_uva(q->mem, q->avail_uva, avail_len);
	q->used = vmem_uva(q->mem, q->used_uva, used_len);
	if (q->desc && q->avail && q->used) {
		if (was_lost)
			q->is_broken = false; /* its memory is back */
		return 0;
	}
	q->desc = q->avail = NULL;
	q->used = NULL;
	return broken(q);
}

static uint8_t *used_elem(const struct vring *q, unsigned nth)
{
	uint32_t at = (uint16_t)(q->used_idx + nth) & (q->size - 1);

	return q->used + USED_HEAD + (size_t)at * USED_LEN;
}

/* Gives back what was noted by who had the ring before, and was killed. */
static void return_noted(struct vring *q)
{
	uint16_t offered = (uint16_t)(load16(q->avail + 2) - q->last_avail);
	uint32_t elem[2];
	unsigned n = 0;

	if (q->last_avail != q->used_idx)
		return;
	for (; n < q->size / 2; n++) {
		memcpy(elem, used_elem(q, n), USED_LEN);
		if (elem[1] != (NOTE_MARK | q->used_idx))
			break;
	}
	if (n == 0 || n > offered)
		return;
	for (unsigned i = 0; i < n; i++) {
		memcpy(elem, used_elem(q, i), USED_LEN);
		vring_push(q, i, (uint16_t)elem[0], 0);
	}
	vring_publish(q, n);
	vring_take(q, n);
}

int vring_start(struct vring *q)
{
	int r;

	q->is_broken = false;
	r = vring_map(q);
	if (r < 0)
		return r;
	if (!q->desc)
		return broken(q);
	q->used_idx = load16(q->used + 2);
	q->signalled = q->used_idx;
	return_noted(q);
	q->avail_idx = q->last_avail;
	q->is_running = true;
	vring_signal(q);
	vring_no_kick(q);
	return 0;
}

void vring_stop(struct vring *q)
{
	q->is_running = false;
	q->desc = q->avail = NULL;
	q->used = NULL;
}

/* ---- chains ---- */

unsigned vring_avail(struct vring *q, unsigned want)
{
	unsigned n = (uint16_t)(q->avail_idx - q->last_avail);

	if (!q->is_running || q->is_broken || !q->desc)
		return 0;
	if (n >= want)
		return n;
	q->avail_idx = __atomic_load_n(
		(const uint16_t *)(const void *)(q->avail + 2),
		__ATOMIC_ACQUIRE);
	n = (uint16_t)(q->avail_idx - q->last_avail);
	if (n > q->size) {
		(void)broken(q);
		return 0;
	}
	return n;
}

/* Where the descriptors of a chain are read from. */
struct table {
	const uint8_t *at;
	uint32_t n;
	bool is_indirect;
};

static void desc_read(const struct table *t, uint32_t i, struct vring_desc *d)
{
	const uint8_t *p = t->at + (size_t)i * DESC_LEN;

	/* Once and for all: it may change while we think about it. */
	memcpy(d, p, sizeof(*d));
	__atomic_signal_fence(__ATOMIC_ACQ_REL);
}

/* Adds the buffer of d, which may lie across regions. */
static int add_buffer(struct vring *q, const struct vring_desc *d,
		      struct iovec *iov, unsigned max, struct vchain *c)
{
	uint64_t gpa = d->addr, left = d->len, here;

	while (left) {
		uint8_t *p = vmem_gpa(q->mem, gpa, &here, &q->hit);

		if (!p)
			return broken(q);
		if (c->n_iov == max)
			return -E2BIG;
		if (here > left)
			here = left;
		iov[c->n_iov++] = (struct iovec){p, here};
		gpa += here;
		left -= here;
	}
	c->len += d->len;
	return 0;
}

/* d is an indirect descriptor: its table becomes t. */
static int enter_table(struct vring *q, const struct vring_desc *d,
		       struct table *t)
{
	uint64_t here;

	if (t->is_indirect || (d->flags & DESC_F_NEXT) || d->len == 0 ||
	    d->len % DESC_LEN || d->len / DESC_LEN > VRING_SIZE_MAX)
		return broken(q);
	t->at = vmem_gpa(q->mem, d->addr, &here, &q->hit);
	if (!t->at || here < d->len)
		return broken(q);
	t->n = d->len / DESC_LEN;
	t->is_indirect = true;
	return 0;
}

static int walk(struct vring *q, struct table *t, bool writable,
		struct iovec *iov, unsigned max, struct vchain *c)
{
	uint32_t next = c->head, left = t->n;
	struct vring_desc d;
	int r;

	for (;;) {
		if (next >= t->n || left-- == 0)
			return broken(q); /* a loop is no chain */
		if (c->n_read++ > max) /* the one of a table is for free */
			return -E2BIG;
		desc_read(t, next, &d);
		c->n_desc += !t->is_indirect;
		if (d.flags & DESC_F_INDIRECT) {
			r = enter_table(q, &d, t);
			if (r < 0)
				return r;
			next = 0;
			left = t->n;
			continue;
		}
		if (!(d.flags & DESC_F_WRITE) == writable)
			return broken(q);
		r = add_buffer(q, &d, iov, max, c);
		if (r < 0)
			return r;
		if (!(d.flags & DESC_F_NEXT))
			return 0;
		next = d.next;
	}
}

int vring_chain(struct vring *q, unsigned nth, bool writable, struct iovec *iov,
		unsigned max, struct vchain *c)
{
	uint16_t at = (uint16_t)(q->last_avail + nth) & (uint16_t)(q->size - 1);
	struct table t = {.at = q->desc, .n = q->size};

	*c = (struct vchain){.head = load16(q->avail + AVAIL_HEAD + at * 2u)};
	return walk(q, &t, writable, iov, max, c);
}

/* ---- used ---- */

void vring_push(struct vring *q, unsigned nth, uint16_t head, uint32_t len)
{
	uint8_t *at = used_elem(q, nth);
	uint32_t elem[2] = {head, len};

	memcpy(at, elem, USED_LEN);
	log_used(q, (uint64_t)(at - q->used), USED_LEN);
}

void vring_note(struct vring *q, const uint16_t *head, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t elem[2] = {head[i], NOTE_MARK | q->used_idx};

		memcpy(used_elem(q, i), elem, USED_LEN);
	}
}

void vring_publish(struct vring *q, unsigned n)
{
	q->used_idx = (uint16_t)(q->used_idx + n);
	/* Sequentially consistent, as the loads of vring_signal(). */
	__atomic_store_n((uint16_t *)(void *)(q->used + 2), q->used_idx,
			 __ATOMIC_SEQ_CST);
	log_used(q, 2, 2);
}

/* VIRTIO 1.3, 2.7.10: is event among the indices from old up to now? */
static bool is_due(uint16_t event, uint16_t now, uint16_t old)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

void vring_signal(struct vring *q)
{
	static const uint64_t one = 1;
	uint16_t old = q->signalled;
	bool wants;

	if (old == q->used_idx || !q->used)
		return;
	/* The index was to be seen before the wish is read. */
	if (q->event_idx)
		wants = is_due(
			load16_after(q->avail + AVAIL_HEAD + q->size * 2),
			q->used_idx, old);
	else
		wants = !(load16_after(q->avail) & AVAIL_F_NO_INTERRUPT);
	q->signalled = q->used_idx;
	if (wants && q->call_fd >= 0)
		(void)!write(q->call_fd, &one, sizeof(one));
}

/* ---- kicks ---- */

static uint8_t *avail_event(const struct vring *q)
{
	return q->used + USED_HEAD + (size_t)q->size * USED_LEN;
}

bool vring_want_kick(struct vring *q)
{
	uint16_t seen = q->avail_idx;

	if (!q->is_running || q->is_broken || !q->used)
		return false;
	if (q->event_idx) {
		store16_before(avail_event(q), seen);
		log_used(q, USED_HEAD + (uint64_t)q->size * USED_LEN, 2);
	} else {
		store16_before(q->used, 0);
		log_used(q, 0, 2);
	}
	/* The wish is seen before the index is looked at again. */
	return load16_after(q->avail + 2) != seen;
}

void vring_no_kick(struct vring *q)
{
	if (!q->used || q->event_idx) /* the old event index is passed */
		return;
	store16(q->used, USED_F_NO_NOTIFY);
	log_used(q, 0, 2);
}
