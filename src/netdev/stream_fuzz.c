/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: the reader of the stream framing, fed a byte stream in
 * arbitrary pieces, against a reader that sees it all at once.  The first 8
 * bytes of the input are the sizes of the pieces, the rest is the stream.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netdev/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_SIZES = 8 };

struct naive {
	const uint8_t *p;
	size_t len, at;
};

/* The next non-empty frame of the whole stream. */
static enum framing_result naive_next(struct naive *n, size_t seen,
				      const uint8_t **pp, uint32_t *lenp)
{
	while (seen - n->at >= FRAMING_HEAD) {
		const uint8_t *p = n->p + n->at;
		uint64_t len = 0;

		for (unsigned i = 0; i < FRAMING_HEAD; i++)
			len = len * 256 + p[i];
		if (len > FRAME_MAX)
			return FRAMING_BAD;
		if (n->at + FRAMING_HEAD + len > seen)
			return FRAMING_MORE;
		n->at += FRAMING_HEAD + len;
		*pp = p + FRAMING_HEAD;
		*lenp = (uint32_t)len;
		if (len)
			return FRAMING_FRAME;
	}
	return FRAMING_MORE;
}

/* Takes all frames out of both; false at the end of the connection. */
static int compare(struct framing *f, struct naive *n, size_t seen)
{
	for (;;) {
		const uint8_t *a = NULL, *b = NULL;
		uint32_t a_len = 0, b_len = 0;
		enum framing_result r = framing_next(f, &a, &a_len);

		assert(r == naive_next(n, seen, &b, &b_len));
		if (r == FRAMING_BAD) /* it stays bad */
			assert(framing_next(f, &a, &a_len) == FRAMING_BAD);
		if (r != FRAMING_FRAME)
			return r == FRAMING_MORE;
		assert(a_len == b_len && memcmp(a, b, a_len) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct naive n = {0};
	struct framing f;
	size_t seen = 0;

	if (size < N_SIZES || framing_init(&f) < 0)
		return 0;
	n.p = data + N_SIZES;
	n.len = size - N_SIZES;
	for (unsigned i = 0; seen < n.len; i++) {
		uint32_t room, piece = (uint32_t)data[i % N_SIZES] + 1;
		uint8_t *at = framing_space(&f, &room);

		assert(room >= FRAMING_LOW);
		if (piece == 256) /* now and then all there is */
			piece = room;
		if (piece > n.len - seen)
			piece = (uint32_t)(n.len - seen);
		if (piece > room)
			piece = room;
		memcpy(at, n.p + seen, piece);
		framing_filled(&f, piece);
		seen += piece;
		if (!compare(&f, &n, seen))
			break;
	}
	framing_deinit(&f);
	return 0;
}
