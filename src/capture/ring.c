/* SPDX-License-Identifier: BSD-3-Clause */
/* Records in shared memory; see ring.h. */
/* #syscalls: mmap munmap */
#include "capture/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lan/drop.h"

enum {
	RECORD_ALIGN = 8,
	KEPT_TRIES = 4, /* until half of what was there is copied in time */
};

/* The first bytes of the memory. */
struct ring_shared {
	/* writer: rw, reader: ro */
	_Alignas(MEM_APART) _Atomic uint64_t head;
	_Atomic uint64_t low; /* of a kept ring: what is before has gone */
	_Atomic uint64_t lost;
	_Atomic uint32_t is_over;
	_Atomic uint32_t has_gaps; /* a count found no room */
	/* reader: rw, writer: believes nothing */
	_Alignas(MEM_APART) _Atomic uint64_t tail;
	_Atomic uint32_t is_waiting; /* cleared by the writer */
};

_Static_assert(sizeof(struct ring_shared) <= RING_FIRST, "its place");
_Static_assert(RING_BLOCK_MIN >= 1 << 17 &&
		       sizeof(struct ring_record) + FRAME_MAX < 1 << 17,
	       "a record fits a block");
_Static_assert(sizeof(struct ring_record) % RECORD_ALIGN == 0, "aligned");

static uint64_t size_of(uint64_t n)
{
	uint64_t size = RING_MIN;

	while (size < RING_MAX && size * 2 <= n)
		size *= 2;
	return size;
}

size_t ring_len(uint64_t n)
{
	return RING_FIRST + size_of(n);
}

static uint64_t block_of(uint64_t size)
{
	uint64_t block = size / RING_BLOCKS;

	return block > RING_BLOCK_MIN ? block : RING_BLOCK_MIN;
}

/* The memory of fd: 0 or a negative errno. */
static int map(int fd, size_t len, struct ring_shared **sharedp)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	*sharedp = at;
	return 0;
}

/* ---- the writer ---- */

static uint8_t *place(const struct ring_writer *w, uint64_t at)
{
	return w->data + (at & (w->size - 1));
}

static uint64_t left_in_block(uint64_t block, uint64_t at)
{
	return block - (at & (block - 1));
}

/* Of a kept ring: what lies where the next block goes has gone.  A worker that
 * is late may hold up what is shown: when half of the ring waits for it, that
 * is shown without it, or there would be nothing. */
static void take_block(struct ring_writer *w)
{
	uint64_t end = w->head + w->block;

	if (w->mode != RING_KEPT)
		return;
	if (end > w->told + w->size / 2)
		(void)ring_publish(w, w->head);
	if (end < w->size || w->low >= end - w->size)
		return;
	w->low = end - w->size;
	atomic_store_explicit(&w->shared->low, w->low, memory_order_relaxed);
	/* Whoever sees a byte of what comes sees this, too. */
	atomic_thread_fence(memory_order_seq_cst);
}

static void put_pad(struct ring_writer *w)
{
	const struct {
		uint32_t len;
		uint32_t type;
	} pad = {.len = (uint32_t)left_in_block(w->block, w->head)};

	memcpy(place(w, w->head), &pad, sizeof(pad));
	w->head += pad.len;
}

int ring_writer_open(struct ring_writer *w, int fd, uint64_t n,
		     enum ring_mode mode)
{
	const size_t len = ring_len(n);
	struct ring_shared *s = NULL;
	int r = map(fd, len, &s);

	if (r < 0)
		return r;
	*w = (struct ring_writer){
		.shared = s,
		.data = (uint8_t *)s + RING_FIRST,
		.size = len - RING_FIRST,
		.block = block_of(len - RING_FIRST),
		.mode = mode,
	};
	w->head = atomic_load_explicit(&s->head, memory_order_relaxed) &
		  ~(uint64_t)(RECORD_ALIGN - 1);
	w->low = atomic_load_explicit(&s->low, memory_order_relaxed);
	w->lost = atomic_load_explicit(&s->lost, memory_order_relaxed);
	w->told = w->head;
	/* Its reader waits, it may be, to be woken by the other writer. */
	if (w->head)
		atomic_store(&s->is_waiting, 1);
	/* Of the block that another writer was in the rest stays as it is. */
	if (w->mode == RING_KEPT && w->head & (w->block - 1))
		put_pad(w);
	return 0;
}

void ring_writer_close(struct ring_writer *w)
{
	if (w->shared)
		munmap(w->shared, RING_FIRST + w->size);
	*w = (struct ring_writer){.shared = NULL};
}

uint64_t ring_unread(const struct ring_writer *w)
{
	uint64_t tail = atomic_load_explicit(&w->shared->tail,
					     memory_order_acquire);
	uint64_t n = w->head - tail;

	return n < w->size ? n : w->size;
}

/* Where len bytes go, with a pad before them if need be. */
static bool make_room(struct ring_writer *w, uint32_t len, uint64_t spare)
{
	uint64_t pad = left_in_block(w->block, w->head);

	if (pad >= len)
		pad = 0;
	if (w->mode == RING_STREAM) {
		uint64_t need = len + pad + spare;

		if (need > w->size - ring_unread(w))
			return false;
	}
	if (pad)
		put_pad(w);
	if (!(w->head & (w->block - 1)))
		take_block(w);
	return true;
}

static uint64_t append(struct ring_writer *w, const struct ring_record *r,
		       uint64_t spare)
{
	uint32_t len = (uint32_t)sizeof(*r) +
		       ((r->data_len + RECORD_ALIGN - 1) &
			~(uint32_t)(RECORD_ALIGN - 1));
	struct ring_record copy = *r;
	uint64_t at;

	if (!make_room(w, len, spare))
		return RING_NOWHERE;
	copy.len = len;
	at = w->head;
	memcpy(place(w, at), &copy, sizeof(copy));
	w->head += len;
	return at;
}

uint64_t ring_put(struct ring_writer *w, const struct ring_record *r,
		  const void *data)
{
	uint64_t at = append(w, r, 0);

	if (at == RING_NOWHERE)
		atomic_store_explicit(&w->shared->has_gaps, 1,
				      memory_order_relaxed);
	else if (r->data_len)
		memcpy(place(w, at) + sizeof(*r), data, r->data_len);
	return at;
}

static void copy_frame(uint8_t *to, const struct frame *f, uint32_t len)
{
	uint32_t n = f->hdr_len < len ? f->hdr_len : len;

	if (n)
		memcpy(to, f->hdr, n);
	to += n;
	len -= n;
	for (uint32_t i = 0; len && i < f->n_iov; i++) {
		n = f->iov[i].iov_len < len ? (uint32_t)f->iov[i].iov_len : len;
		memcpy(to, f->iov[i].iov_base, n);
		to += n;
		len -= n;
	}
}

uint64_t ring_reserve_frame(struct ring_writer *w, const struct ring_record *r)
{
	uint64_t at = append(w, r, RING_SPARE);

	w->lost += at == RING_NOWHERE;
	return at;
}

void ring_fill_frame(const struct ring_writer *w, uint64_t at,
		     const struct frame *f, uint32_t data_len)
{
	if (at != RING_NOWHERE)
		copy_frame(place(w, at) + sizeof(struct ring_record), f,
			   data_len);
}

uint64_t ring_put_frame(struct ring_writer *w, const struct ring_record *r,
			const struct frame *f)
{
	uint64_t at = ring_reserve_frame(w, r);

	ring_fill_frame(w, at, f, r->data_len);
	return at;
}

/* True while the record is there and nobody has been shown it. */
static bool is_ours(const struct ring_writer *w, uint64_t at)
{
	return at < w->head && at >= w->told && at >= w->low;
}

void ring_set_lost(struct ring_writer *w, uint64_t at, unsigned why,
		   const char where[PORT_NAME_LEN])
{
	const uint16_t lost = (uint16_t)(why + 1);
	uint8_t *p;

	if (!is_ours(w, at))
		return;
	p = place(w, at);
	memcpy(p + offsetof(struct ring_record, lost), &lost, sizeof(lost));
	memcpy(p + offsetof(struct ring_record, at), where, PORT_NAME_LEN);
}

void ring_set_void(struct ring_writer *w, uint64_t at)
{
	if (at == RING_NOWHERE)
		w->lost--;
	else if (is_ours(w, at))
		place(w, at)[offsetof(struct ring_record, type)] = RING_VOID;
}

bool ring_publish(struct ring_writer *w, uint64_t end)
{
	atomic_store_explicit(&w->shared->lost, w->lost, memory_order_relaxed);
	if (end <= w->told)
		return false;
	w->told = end;
	/* In one order with is_waiting: ring_reader_wait(). */
	atomic_store(&w->shared->head, end);
	return true;
}

void ring_writer_over(struct ring_writer *w)
{
	(void)ring_publish(w, w->head); /* is_over says as much */
	atomic_store(&w->shared->is_over, 1);
}

bool ring_reader_waits(struct ring_writer *w)
{
	return atomic_load(&w->shared->is_waiting) &&
	       atomic_exchange(&w->shared->is_waiting, 0);
}

/* ---- the reader ---- */

/* What a kept ring has; how much of it the writer did not take meanwhile. */
static uint64_t copy_kept(struct ring_reader *r)
{
	uint64_t low;

	r->head = atomic_load(&r->shared->head);
	/* What was not written yet has no pages, and is to get none. */
	memcpy(r->copy, r->data, r->head < r->size ? r->head : r->size);
	atomic_thread_fence(memory_order_seq_cst);
	low = atomic_load_explicit(&r->shared->low, memory_order_relaxed);
	r->tail = low < r->head ? low : r->head;
	if (r->head - r->tail > r->size || r->tail & (r->block - 1))
		r->tail = r->head; /* no writer of ours says so */
	return r->head - r->tail;
}

int ring_reader_init(struct ring_reader *r, void *memory, size_t len,
		     enum ring_mode mode)
{
	struct ring_shared *s = memory;
	uint64_t size = len - RING_FIRST;

	*r = (struct ring_reader){.shared = NULL};
	if (len < ring_len(0) || len != ring_len(size))
		return -EINVAL;
	*r = (struct ring_reader){
		.shared = s,
		.len = len,
		.data = (uint8_t *)s + RING_FIRST,
		.size = size,
		.block = block_of(size),
		.mode = mode,
	};
	if (mode == RING_STREAM) {
		r->tail = atomic_load(&s->tail);
		return 0;
	}
	r->copy = malloc(size);
	if (!r->copy)
		return -ENOMEM;
	for (unsigned i = 0; i < KEPT_TRIES; i++) {
		if (copy_kept(r) >= (r->head < size ? r->head : size) / 2)
			break;
	}
	r->data = r->copy;
	return 0;
}

int ring_reader_open(struct ring_reader *r, int fd, enum ring_mode mode)
{
	struct ring_shared *s = NULL;
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	rc = map(fd, (size_t)st.st_size, &s);
	if (rc < 0)
		return rc;
	rc = ring_reader_init(r, s, (size_t)st.st_size, mode);
	if (rc < 0) {
		munmap(s, (size_t)st.st_size);
		*r = (struct ring_reader){.shared = NULL};
	}
	return rc;
}

void ring_reader_close(struct ring_reader *r)
{
	free(r->copy);
	if (r->shared)
		munmap(r->shared, r->len);
	*r = (struct ring_reader){.shared = NULL};
}

/* What the writer calls a record, in left bytes of the ring. */
static bool is_sound(const struct ring_record *h, uint64_t left)
{
	const struct frame_offload *off = &h->off;

	if (h->len < sizeof(*h) || h->len > left || h->len % RECORD_ALIGN ||
	    h->type >= RING_TYPES || h->data_len > h->len - sizeof(*h) ||
	    h->lost > DROP_N || !memchr(h->port, '\0', sizeof(h->port)) ||
	    !memchr(h->at, '\0', sizeof(h->at)))
		return false;
	if (h->type == RING_BEGIN || h->type == RING_END)
		return h->data_len == sizeof(struct ring_count);
	return h->type != RING_FRAME ||
	       (h->data_len <= h->frame_len && h->frame_len <= FRAME_MAX &&
		off->gso < FRAME_GSO_N);
}

/* The rest of the block is passed over. */
static void skip_block(struct ring_reader *r)
{
	uint64_t n = left_in_block(r->block, r->tail);

	r->tail += n < r->head - r->tail ? n : r->head - r->tail;
}

int ring_reader_next(struct ring_reader *r, struct ring_record *rp,
		     const uint8_t **datap)
{
	if (r->mode == RING_STREAM)
		r->head = atomic_load(&r->shared->head);
	while (r->tail != r->head) {
		uint64_t left = left_in_block(r->block, r->tail);
		const uint8_t *p = r->data + (r->tail & (r->size - 1));

		if (r->head - r->tail > r->size) {
			r->tail = r->head;
			return RING_R_DAMAGED;
		}
		if (left > r->head - r->tail)
			left = r->head - r->tail;
		memset(rp, 0, sizeof(*rp));
		if (left >= RECORD_ALIGN)
			memcpy(rp, p, left < sizeof(*rp) ? left : sizeof(*rp));
		if (left >= RECORD_ALIGN && rp->type == RING_PAD &&
		    rp->len == left) {
			skip_block(r);
			continue;
		}
		if (!is_sound(rp, left)) {
			skip_block(r);
			return RING_R_DAMAGED;
		}
		r->tail += rp->len;
		*datap = p + sizeof(*rp);
		if (rp->type == RING_VOID || rp->type == RING_PAD)
			continue;
		return RING_R_RECORD;
	}
	return RING_R_NONE;
}

void ring_reader_done(struct ring_reader *r)
{
	if (r->mode == RING_STREAM)
		atomic_store_explicit(&r->shared->tail, r->tail,
				      memory_order_release);
}

bool ring_reader_wait(struct ring_reader *r)
{
	atomic_store(&r->shared->is_waiting, 1);
	return atomic_load(&r->shared->head) == r->tail &&
	       !ring_reader_is_over(r);
}

bool ring_reader_is_over(const struct ring_reader *r)
{
	return atomic_load(&r->shared->is_over);
}

bool ring_reader_has_gaps(const struct ring_reader *r)
{
	return atomic_load_explicit(&r->shared->has_gaps, memory_order_relaxed);
}

uint64_t ring_reader_lost(const struct ring_reader *r)
{
	return atomic_load_explicit(&r->shared->lost, memory_order_relaxed);
}

uint64_t ring_lost(int fd)
{
	uint64_t n;

	return pread(fd, &n, sizeof(n), offsetof(struct ring_shared, lost)) ==
			       (ssize_t)sizeof(n)
		       ? n
		       : 0;
}
