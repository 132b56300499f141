/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: a ring that a hostile engine has written, read as `vmlan cap`
 * reads it.  Input: a byte of mode, then pieces, each behind three bytes of
 * place and one of length, which are laid over the memory.  No crash, and an
 * end.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "capture/scribe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Lays them, or zeros in their places. */
static void lay(uint8_t *memory, size_t len, const uint8_t *data, size_t size,
		bool is_zero)
{
	while (size >= 4) {
		size_t at = (size_t)(data[0] | data[1] << 8 | data[2] << 16) *
			    8 % len;
		size_t n = data[3];

		data += 4;
		size -= 4;
		n = n < size ? n : size;
		n = n < len - at ? n : len - at;
		if (is_zero)
			memset(memory + at, 0, n);
		else
			memcpy(memory + at, data, n);
		data += n;
		size -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t len = ring_len(0);
	enum ring_mode mode = size && data[0] & 1 ? RING_KEPT : RING_STREAM;
	struct scribe_config c = {.has_counts = true};
	static uint8_t *memory; /* zeros between two inputs */
	static bool is_zeroed;
	struct scribe *s = NULL;
	struct ring_reader r;
	struct ring_record rec;
	struct scribe_sum sum;
	const uint8_t *at;
	char *file = NULL;
	size_t n_file;
	int got;

	if (!memory)
		memory = aligned_alloc(RING_FIRST, len);
	assert(memory);
	if (!is_zeroed)
		memset(memory, 0, len);
	is_zeroed = true;
	if (size)
		lay(memory, len, data + 1, size - 1, false);
	c.f = open_memstream(&file, &n_file);
	assert(c.f && scribe_new(&c, &s) == 0);
	assert(ring_reader_init(&r, memory, len, mode) == 0);
	while ((got = ring_reader_next(&r, &rec, &at)) != RING_R_NONE) {
		if (got == RING_R_RECORD)
			assert(scribe_record(s, &rec, at) == 0);
		ring_reader_done(&r);
	}
	scribe_end(s, 0, 0, &sum);
	scribe_free(s);
	fclose(c.f);
	free(file);
	free(r.copy);
	memset(memory, 0, RING_FIRST);
	if (size)
		lay(memory, len, data + 1, size - 1, true);
	return 0;
}
