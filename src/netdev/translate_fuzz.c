/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: hostile frames through one MAC, from a machine and from the
 * network.  Input: one byte (bit 0: the checksum is yet to be made), then the
 * frame.  The host's MAC is 0e:76:01:12:34:56.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lan/frame.h"
#include "netdev/translate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEN_MAX = 4096 };

/* The first bytes are in memory of just that size. */
static void leave(struct translate *t, const uint8_t *p, uint32_t len,
		  bool is_summed)
{
	uint32_t n = len < FRAME_HDR_MAX ? len : FRAME_HDR_MAX;
	uint8_t *head = malloc(n);

	assert(head);
	memcpy(head, p, n);
	(void)!translate_out(t, head, n, len, is_summed, 1);
	assert(memcmp(head, p, 6) == 0);
	assert(memcmp(head + 6, t->host.b, 6) == 0);
	assert(t->n <= 1);
	free(head);
}

static void come(struct translate *t, const uint8_t *p, uint32_t len,
		 const uint8_t *to)
{
	uint8_t *frame = malloc(len);

	assert(frame);
	memcpy(frame, p, len);
	memcpy(frame, to, 6);
	if (translate_in(t, frame, len)) {
		/* Who it is for changed, and whom ARP names; no more. */
		assert(memcmp(frame, t->host.b, 6) != 0);
		assert(memcmp(frame + 6, p + 6, 8) == 0);
	}
	free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct translate t = {.host = {{0x0e, 0x76, 1, 0x12, 0x34, 0x56}}};
	struct sock_filter f[TRANSLATE_FILTER_MAX];
	const uint8_t *p = data + 1;
	uint32_t len = (uint32_t)size - 1;

	if (size < 1 + FRAME_ETH_LEN || size > 1 + LEN_MAX)
		return 0;
	/* A machine that claims the host's MAC cannot be told from it. */
	if (memcmp(p + 6, t.host.b, 6) == 0)
		return 0;
	leave(&t, p, len, !(data[0] & 1));
	come(&t, p, len, t.host.b);
	come(&t, p, len, p);
	assert(translate_filter(&t, f) <= TRANSLATE_FILTER_MAX);
	(void)!translate_host(&t, p, len);
	come(&t, p, len, t.host.b);
	return 0;
}
