/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: two addresses change places in a hostile frame, and back.
 * Input: one byte of layout (size of the pieces behind the private header, 0
 * for a flat frame; the top bit asks for a checksum), then the frame.  The
 * addresses are 52:54:00:12:34:56 and 0e:76:01:12:34:56.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lan/alias.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEN_MAX = 4096 };

static void scatter(struct frame *f, struct iovec *iov, uint32_t piece)
{
	uint32_t at;

	f->hdr_len = FRAME_HDR_MAX;
	f->iov = iov;
	for (at = f->hdr_len; at < f->len; f->n_iov++) {
		uint32_t now = f->len - at < piece ? f->len - at : piece;

		if (f->n_iov == FRAME_IOV_MAX - 1)
			now = f->len - at;
		iov[f->n_iov].iov_base = (void *)(uintptr_t)(f->hdr + at);
		iov[f->n_iov].iov_len = now;
		at += now;
	}
}

/* The same frame, and it keeps the rules of frame.h. */
static void check(const struct frame *f, const struct frame *from)
{
	uint32_t sum = f->hdr_len;

	assert(f->len == from->len);
	assert(f->hdr_len >= FRAME_HDR_MAX || f->hdr_len == f->len);
	assert(memcmp(&f->off, &from->off, sizeof(f->off)) == 0);
	for (uint32_t i = 0; i < f->n_iov; i++)
		sum += (uint32_t)f->iov[i].iov_len;
	assert(sum == f->len);
}

/* A frame as it was, but for a checksum, where 0 may be 0xffff now. */
static void check_back(const struct frame *f, const struct frame *from)
{
	uint8_t a[LEN_MAX], b[LEN_MAX];
	unsigned n = 0;

	if (!frame_copy(f, 0, f->len, a) || !frame_copy(from, 0, f->len, b))
		abort();
	for (uint32_t i = 0; i < f->len; i++)
		n += a[i] != b[i];
	assert(n <= 2);
}

static void look(struct port *p, struct batch *b)
{
	struct alias_view there, back;

	assert(alias_view(&there, p, b, 1) == 1);
	check(&there.b.f[0], &b->f[0]);
	assert(alias_view(&back, p, &there.b, 1) == 1);
	check(&back.b.f[0], &b->f[0]);
	check_back(&back.b.f[0], &b->f[0]);
	(void)alias_is_start(&b->f[0]);
	(void)alias_is_announcement(&b->f[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct alias a = {.real = {{0x52, 0x54, 0, 0x12, 0x34, 0x56}},
			  .alias = {{0x0e, 0x76, 1, 0x12, 0x34, 0x56}}};
	struct port p = {.alias_use = ALIAS_USE_SWAP};
	struct iovec iov[FRAME_IOV_MAX];
	struct batch b = {.n = 1};
	uint32_t piece;

	if (size < 1 + FRAME_ETH_LEN || size > 1 + LEN_MAX)
		return 0;
	list_init(&p.aliases);
	list_add_tail(&p.aliases, &a.link);
	b.f[0] = frame_flat(data + 1, (uint32_t)size - 1);
	if (data[0] & 0x80)
		b.f[0].off.flags = FRAME_F_NEEDS_CSUM;
	piece = data[0] & 0x7f;
	if (piece && b.f[0].len > FRAME_HDR_MAX)
		scatter(&b.f[0], iov, piece * 8);
	look(&p, &b);
	return 0;
}
