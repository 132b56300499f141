/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: frame_offload_check() on a hostile frame, and segmentation of
 * whatever passes.  Input: one byte of layout (private length and size of the
 * pieces), ten bytes of offload request, then the frame.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "lan/gso.h"
#include "lan/lan_priv.h"
#include "lan/offload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PREFIX = 11, IP6_FRAG_HDR_LEN = 8 };

struct sink {
	struct port port;
	unsigned room;
	uint32_t n_frames;
	uint32_t n_bytes;
};

static uint64_t sink_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct sink *s = (struct sink *)(void *)p;
	static const struct frame_offload none;
	uint8_t buf[FRAME_MAX];
	uint64_t got = 0;

	for (; mask && s->room > 0; mask &= mask - 1) {
		const struct frame *f = &b->f[__builtin_ctzll(mask)];

		assert(f->len <= FRAME_MAX && f->n_iov <= FRAME_IOV_MAX);
		assert(f->hdr_len == f->len || f->hdr_len >= FRAME_HDR_MAX);
		assert(memcmp(&f->off, &none, sizeof(none)) == 0);
		assert(f->len <= gso_wire_len(f));
		if (!frame_copy(f, 0, f->len, buf))
			abort();
		s->n_frames++;
		s->n_bytes += f->len;
		s->room--;
		got |= mask & -mask;
	}
	return got;
}

/* The frame in pieces of n bytes behind hdr_len private ones. */
static void scatter(struct frame *f, const uint8_t *p, struct iovec *iov,
		    uint32_t n)
{
	uint32_t at;

	f->iov = iov;
	for (at = f->hdr_len; at < f->len; f->n_iov++) {
		uint32_t now = f->len - at < n ? f->len - at : n;

		if (f->n_iov == FRAME_IOV_MAX - 1)
			now = f->len - at;
		iov[f->n_iov].iov_base = (void *)(uintptr_t)(p + at);
		iov[f->n_iov].iov_len = now;
		at += now;
	}
}

/* What is cut into pieces begins here: a fragment has its part of the UDP
 * header, a segment one of its own. */
static uint32_t cut_off(const struct frame *f, const struct offload_layout *l)
{
	return f->off.gso == FRAME_GSO_FRAG4 || f->off.gso == FRAME_GSO_FRAG6
		       ? l->l4_off
		       : l->payload_off;
}

static const struct port_ops ops = {.kind = "sink", .send = sink_send};
static const uint64_t now_ns = 1;

/* For a sender that waits with the rest: whatever the steps, the same pieces
 * go out. */
static void segment_in_steps(const struct frame *f, unsigned room)
{
	struct lan lan = {.now_ns = &now_ns};
	struct sink sink = {.port = {.ops = &ops, .lan = &lan, .carrier = true,
				     .admin_up = true}};
	struct iovec iov[FRAME_IOV_MAX];
	uint8_t hdr[FRAME_HDR_MAX];
	struct drops drops = {{0}};
	struct gso_rest rest = {0};
	struct offload_layout l;
	struct batch b = {.n = 1};
	struct frame x = *f;

	if (!offload_layout(f, &l))
		abort();
	memcpy(hdr, f->hdr, f->hdr_len);
	if (f->n_iov)
		memcpy(iov, f->iov, f->n_iov * sizeof(*iov));
	x.hdr = hdr;
	x.iov = iov;
	for (;;) {
		b.f[0] = x;
		sink.room = room;
		if (gso_send(&sink.port, &drops, &b, 1, 1, &rest) & 1)
			break;
		assert(rest.i == 0 && rest.pieces == room);
		gso_skip(&x, hdr, iov, rest.pieces);
		assert(frame_offload_check(&x));
	}
	assert(rest.pieces == 0 && drops.n[DROP_GSO_FAILED] == 0 &&
	       drops.n[DROP_PORT_FULL] == 0);
	assert(sink.n_frames == offload_pieces(f, l.payload_off));
	assert(sink.n_bytes == f->len - l.payload_off +
				       sink.n_frames * l.payload_off);
}

static bool has_steps(const struct frame *f)
{
	return f->off.gso != FRAME_GSO_NONE &&
	       f->off.gso != FRAME_GSO_FRAG4 &&
	       f->off.gso != FRAME_GSO_FRAG6 && f->hdr_len <= FRAME_HDR_MAX;
}

static void segment(const struct frame *f, unsigned room)
{
	struct lan lan = {.now_ns = &now_ns};
	struct sink sink = {.port = {.ops = &ops, .lan = &lan, .carrier = true,
				     .admin_up = true},
			    .room = room};
	struct drops drops = {{0}};
	struct offload_layout l;
	struct batch b = {.n = 1};
	uint32_t off, front;
	uint64_t got;

	b.f[0] = *f;
	got = gso_send(&sink.port, &drops, &b, 1, 1, NULL);
	if (f->off.gso == FRAME_GSO_NONE) {
		assert(got == (room > 0) && sink.n_frames == got);
		return;
	}
	if (!offload_layout(f, &l))
		abort();
	off = cut_off(f, &l);
	front = off + (f->off.gso == FRAME_GSO_FRAG6 ? IP6_FRAG_HDR_LEN : 0);
	if (room <= OFFLOAD_PIECES_MAX) {
		assert(got == (room > 0));
		assert(sink.n_frames + drops.n[DROP_PORT_FULL] ==
			       offload_pieces(f, off) || !got);
		return;
	}
	assert(got == 1 && drops.n[DROP_GSO_FAILED] == 0);
	assert(sink.n_frames == offload_pieces(f, off));
	assert(sink.n_bytes == f->len - off + sink.n_frames * front);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iovec iov[FRAME_IOV_MAX];
	uint32_t piece;
	struct frame f;

	if (size < PREFIX + FRAME_ETH_LEN || size > PREFIX + FRAME_MAX)
		return 0;
	f = frame_flat(data + PREFIX, (uint32_t)(size - PREFIX));
	f.off = (struct frame_offload){
		.flags = data[1],
		.gso = data[2],
		.gso_size = get_be16(data + 3),
		.hdr_len = get_be16(data + 5),
		.csum_start = get_be16(data + 7),
		.csum_offset = get_be16(data + 9),
	};
	piece = data[0] & 0x7f;
	if (piece && f.hdr_len > FRAME_HDR_MAX) {
		f.hdr_len = FRAME_HDR_MAX;
		scatter(&f, data + PREFIX, iov, piece * piece);
	}
	if (!frame_offload_check(&f) ||
	    !(f.off.flags & FRAME_F_NEEDS_CSUM))
		return 0;
	segment(&f, data[0] & 0x80 ? data[0] & 0x0f : UINT32_MAX);
	if (has_steps(&f))
		segment_in_steps(&f, 1 + data[0] % 70);
	return 0;
}
