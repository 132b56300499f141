/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bounded reader and writer over bytes, with a sticky error.
 *
 * A reader past its end yields zeros and remembers; a parser reads all it
 * wants and judges once: if (!rd_ok(&r)) return false.  A writer that does
 * not fit writes nothing more and remembers.  Numbers are big-endian (network
 * order).  Values live on the caller's stack and own nothing.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rd {
	const uint8_t *p;   /* next byte */
	const uint8_t *end; /* one past the last */
	bool bad;	    /* somebody asked for more than there was */
};

struct wr {
	uint8_t *start;
	uint8_t *p;   /* next byte to write */
	uint8_t *end; /* one past the room */
	bool bad;     /* something did not fit; nothing was written since */
};

static inline struct rd rd_init(const void *p, size_t len)
{
	/* Adding even 0 to NULL is not C, and an empty input may be NULL. */
	const uint8_t *b = p ? p : (const void *)"";

	return (struct rd){.p = b, .end = b + len};
}

static inline bool rd_ok(const struct rd *r)
{
	return !r->bad;
}

static inline size_t rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

/* The next len bytes in place, or NULL (and the sticky error). */
static inline const uint8_t *rd_bytes(struct rd *r, size_t len)
{
	const uint8_t *p = r->p;

	if (r->bad || len > rd_left(r)) {
		r->bad = true;
		return NULL;
	}
	r->p += len;
	return p;
}

static inline void rd_skip(struct rd *r, size_t len)
{
	(void)rd_bytes(r, len); /* failure is sticky */
}

static inline uint8_t rd_u8(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 1);

	return p ? p[0] : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 2);

	return (uint16_t)(p ? p[0] << 8 | p[1] : 0);
}

static inline uint32_t rd_u32(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
			   (uint32_t)p[2] << 8 | p[3]
		 : 0;
}

/* Copies len bytes out; zeros (and the sticky error) when there are fewer. */
static inline void rd_copy(struct rd *r, void *to, size_t len)
{
	const uint8_t *p = rd_bytes(r, len);

	if (p)
		memcpy(to, p, len);
	else
		memset(to, 0, len);
}

/* A reader over the next len bytes only, which are consumed here. */
static inline struct rd rd_sub(struct rd *r, size_t len)
{
	const uint8_t *p = rd_bytes(r, len);

	if (!p)
		return (struct rd){.p = r->p, .end = r->p, .bad = true};
	return rd_init(p, len);
}

static inline struct wr wr_init(void *p, size_t room)
{
	return (struct wr){.start = p, .p = p, .end = (uint8_t *)p + room};
}

static inline bool wr_ok(const struct wr *w)
{
	return !w->bad;
}

static inline size_t wr_len(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

static inline size_t wr_left(const struct wr *w)
{
	return (size_t)(w->end - w->p);
}

/* Room for len bytes to be filled by the caller, or NULL (sticky error). */
static inline uint8_t *wr_room(struct wr *w, size_t len)
{
	uint8_t *p = w->p;

	if (w->bad || len > wr_left(w)) {
		w->bad = true;
		return NULL;
	}
	w->p += len;
	return p;
}

static inline void wr_bytes(struct wr *w, const void *from, size_t len)
{
	uint8_t *p = wr_room(w, len);

	if (p && len)
		memcpy(p, from, len);
}

static inline void wr_zero(struct wr *w, size_t len)
{
	uint8_t *p = wr_room(w, len);

	if (p)
		memset(p, 0, len);
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	wr_bytes(w, &v, 1);
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	wr_bytes(w, b, sizeof(b));
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16),
			(uint8_t)(v >> 8), (uint8_t)v};

	wr_bytes(w, b, sizeof(b));
}

#endif
