/* SPDX-License-Identifier: BSD-3-Clause */
/* Reader of the length-prefixed framing, see framing.h. */
#include "netdev/framing.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int framing_init(struct framing *f)
{
	*f = (struct framing){.buf = malloc(FRAMING_ROOM)};
	return f->buf ? 0 : -ENOMEM;
}

void framing_deinit(struct framing *f)
{
	free(f->buf);
	*f = (struct framing){0};
}

void framing_reset(struct framing *f)
{
	f->start = f->end = 0;
}

static uint32_t head_len(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

enum framing_result framing_next(struct framing *f, const uint8_t **pp,
				 uint32_t *lenp)
{
	while (f->end - f->start >= FRAMING_HEAD) {
		const uint8_t *p = f->buf + f->start;
		uint32_t len = head_len(p);

		if (len > FRAME_MAX)
			return FRAMING_BAD;
		if (f->end - f->start - FRAMING_HEAD < len)
			return FRAMING_MORE;
		f->start += FRAMING_HEAD + len;
		if (len == 0)
			continue;
		*pp = p + FRAMING_HEAD;
		*lenp = len;
		return FRAMING_FRAME;
	}
	return FRAMING_MORE;
}

uint8_t *framing_space(struct framing *f, uint32_t *roomp)
{
	uint32_t have = f->end - f->start;

	assert(have < FRAMING_LOW); /* less than one whole frame is left */
	if (have == 0) {
		f->start = f->end = 0;
	} else if (FRAMING_ROOM - f->end < FRAMING_LOW) {
		memmove(f->buf, f->buf + f->start, have);
		f->start = 0;
		f->end = have;
	}
	*roomp = FRAMING_ROOM - f->end;
	return f->buf + f->end;
}

void framing_filled(struct framing *f, uint32_t n)
{
	assert(n <= FRAMING_ROOM - f->end);
	f->end += n;
}
