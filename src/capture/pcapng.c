/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks of a pcapng file; see pcapng.h.  Called by scribe.c. */
#include "capture/pcapng.h"

#include <string.h>

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_STATS = 5,
	BLOCK_FRAME = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINK_ETHERNET = 1,
	RESOLUTION_NS = 9, /* 10^-9 s */
	FILTER_TEXT = 0,   /* libpcap's words follow */
	BLOCK_FRAMING = 12, /* type and twice the length */
	TEXT_MAX = 4096,   /* of an option */
};

enum {
	OPT_END = 0,
	OPT_COMMENT = 1,
	OPT_PROGRAM = 4,    /* of a section */
	OPT_NAME = 2,	    /* of an interface .. */
	OPT_RESOLUTION = 9,
	OPT_FILTER = 11,
	OPT_FLAGS = 2,	    /* of a frame */
	OPT_BEGIN = 2,	    /* of statistics .. */
	OPT_FINISH = 3,
	OPT_RECEIVED = 4,
	OPT_DROPPED = 5,
	OPT_ACCEPTED = 6,
	OPT_LOST = 7,
};

static void put(FILE *f, const void *p, size_t len)
{
	if (len)
		(void)fwrite(p, 1, len, f); /* ferror() says it */
}

static void put_le(FILE *f, uint64_t v, unsigned len)
{
	uint8_t b[8];

	for (unsigned i = 0; i < len; i++)
		b[i] = (uint8_t)(v >> 8 * i);
	put(f, b, len);
}

static void put_pad(FILE *f, size_t len)
{
	static const uint8_t zero[4];

	put(f, zero, -len & 3);
}

static uint32_t padded(size_t len)
{
	return (uint32_t)((len + 3) & ~(size_t)3);
}

/* ---- options ---- */

static size_t text_len(const char *text)
{
	return strnlen(text, TEXT_MAX);
}

/* Bytes of a text; 0 for none. */
static uint32_t text_size(const char *text)
{
	return text ? 4 + padded(text_len(text)) : 0;
}

static void put_head(FILE *f, unsigned code, size_t len)
{
	put_le(f, code, 2);
	put_le(f, len, 2);
}

static void put_text(FILE *f, unsigned code, const char *text)
{
	if (!text)
		return;
	put_head(f, code, text_len(text));
	put(f, text, text_len(text));
	put_pad(f, text_len(text));
}

static void put_end(FILE *f)
{
	put_head(f, OPT_END, 0);
}

static void put_time(FILE *f, uint64_t ns)
{
	put_le(f, ns >> 32, 4);
	put_le(f, ns, 4);
}

/* ---- blocks ---- */

static void begin(FILE *f, uint32_t type, uint32_t len)
{
	put_le(f, type, 4);
	put_le(f, len, 4);
}

void pcapng_section(FILE *f, const char *program, const char *comment)
{
	uint32_t len = BLOCK_FRAMING + 16 + text_size(comment) +
		       text_size(program) + 4;

	begin(f, BLOCK_SECTION, len);
	put_le(f, BYTE_ORDER_MAGIC, 4);
	put_le(f, 1, 2); /* version 1.0 */
	put_le(f, 0, 2);
	put_le(f, UINT64_MAX, 8); /* of a length that is not known */
	put_text(f, OPT_COMMENT, comment);
	put_text(f, OPT_PROGRAM, program);
	put_end(f);
	put_le(f, len, 4);
}

void pcapng_interface(FILE *f, const char *name, uint32_t snap_len,
		      const char *filter)
{
	size_t n = filter ? 1 + text_len(filter) : 0;
	uint32_t len = BLOCK_FRAMING + 8 + text_size(name) + 8 +
		       (filter ? 4 + padded(n) : 0) + 4;

	begin(f, BLOCK_INTERFACE, len);
	put_le(f, LINK_ETHERNET, 2);
	put_le(f, 0, 2);
	put_le(f, snap_len, 4);
	put_text(f, OPT_NAME, name);
	put_head(f, OPT_RESOLUTION, 1);
	put_le(f, RESOLUTION_NS, 4);
	if (filter) {
		put_head(f, OPT_FILTER, n);
		put_le(f, FILTER_TEXT, 1);
		put(f, filter, n - 1);
		put_pad(f, n);
	}
	put_end(f);
	put_le(f, len, 4);
}

void pcapng_frame(FILE *f, const struct pcapng_frame *p)
{
	uint32_t len = BLOCK_FRAMING + 20 + padded(p->data_len) +
		       text_size(p->comment) + 8 + 4;

	begin(f, BLOCK_FRAME, len);
	put_le(f, p->interface, 4);
	put_time(f, p->when_ns);
	put_le(f, p->data_len, 4);
	put_le(f, p->frame_len, 4);
	put(f, p->data, p->data_len);
	put_pad(f, p->data_len);
	put_text(f, OPT_COMMENT, p->comment);
	put_head(f, OPT_FLAGS, 4);
	put_le(f, p->dir, 4);
	put_end(f);
	put_le(f, len, 4);
}

static uint32_t number_size(uint64_t v)
{
	return v == PCAPNG_UNKNOWN ? 0 : 12;
}

static void put_number(FILE *f, unsigned code, uint64_t v)
{
	if (v == PCAPNG_UNKNOWN)
		return;
	put_head(f, code, 8);
	put_le(f, v, 8);
}

void pcapng_stats(FILE *f, const struct pcapng_stats *s)
{
	uint32_t len = BLOCK_FRAMING + 12 + text_size(s->comment) + 24 +
		       number_size(s->received) + number_size(s->dropped) +
		       number_size(s->accepted) + number_size(s->lost) + 4;

	begin(f, BLOCK_STATS, len);
	put_le(f, s->interface, 4);
	put_time(f, s->end_ns);
	put_text(f, OPT_COMMENT, s->comment);
	put_head(f, OPT_BEGIN, 8);
	put_time(f, s->begin_ns);
	put_head(f, OPT_FINISH, 8);
	put_time(f, s->end_ns);
	put_number(f, OPT_RECEIVED, s->received);
	put_number(f, OPT_DROPPED, s->dropped);
	put_number(f, OPT_ACCEPTED, s->accepted);
	put_number(f, OPT_LOST, s->lost);
	put_end(f);
	put_le(f, len, 4);
}
