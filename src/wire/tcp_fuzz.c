/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: tcp_hdr_parse(); what was read is emitted, if it fits, and read
 * again.  Input: a TCP segment.
 */
#include <assert.h>
#include <string.h>

#include "wire/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct tcp_hdr *a, const struct tcp_hdr *b)
{
	assert(a->sport == b->sport && a->dport == b->dport);
	assert(a->seq == b->seq && a->ack == b->ack);
	assert(a->flags == b->flags && a->win == b->win);
	assert(a->csum == b->csum && a->urg == b->urg);
	assert(a->has_mss == b->has_mss && a->mss == b->mss);
	assert(a->has_ws == b->has_ws && a->ws == b->ws);
	assert(a->sack_ok == b->sack_ok && a->n_sack == b->n_sack);
	assert(a->has_ts == b->has_ts && a->ts_val == b->ts_val);
	assert(a->ts_ecr == b->ts_ecr);
	assert(memcmp(a->sack, b->sack, sizeof(a->sack[0]) * a->n_sack) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct tcp_hdr h, g;
	uint8_t b[TCP_HDR_MAX];
	struct wr w = wr_init(b, sizeof(b));

	if (!tcp_hdr_parse(&r, &h))
		return 0;
	assert(h.off >= TCP_HDR_LEN && h.off <= TCP_HDR_MAX);
	assert(rd_left(&r) == size - h.off);
	assert(h.n_sack <= TCP_SACK_MAX && h.ws <= TCP_WSCALE_MAX);
	tcp_hdr_emit(&w, &h);
	/* With our padding it may be longer than it came. */
	assert(wr_ok(&w) == (tcp_hdr_len(&h) <= TCP_HDR_MAX));
	if (!wr_ok(&w))
		return 0;
	r = rd_init(b, wr_len(&w));
	assert(tcp_hdr_parse(&r, &g));
	check_same(&h, &g);
	return 0;
}
