/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that were left for a card to finish; see unsummed.h. */
#include "lan/unsummed.h"

#include <netinet/in.h>

#include "base/be.h"
#include "lan/offload.h"
#include "wire/csum.h"

enum {
	IP6_HDR_LEN = 40,
	TCP_AT_FLAGS = 13,
	TCP_CWR = 0x80,
	TCP_AT_CSUM = 16,
	UDP_AT_CSUM = 6,
	PAYLOAD_MIN = 512, /* of a segment, however long the headers are */
};

/* The frame ends where its IP packet does. */
static bool is_exact(const struct frame *f, const struct offload_layout *l)
{
	const uint8_t *ip = f->hdr + l->l3_off;
	uint32_t said = l->ip_version == 4 ? get_be16(ip + 2)
					   : get_be16(ip + 4) + IP6_HDR_LEN;

	return said == f->len - l->l3_off;
}

static void ask_for_cut(struct frame *f, const struct offload_layout *l,
			uint32_t whole)
{
	uint32_t hdrs = l->payload_off - (uint32_t)l->l3_off;
	uint32_t size = whole > hdrs ? whole - hdrs : 0;

	f->off.gso = l->ip_version == 4 ? FRAME_GSO_TCP4 : FRAME_GSO_TCP6;
	f->off.gso_size = (uint16_t)(size < PAYLOAD_MIN ? PAYLOAD_MIN : size);
	f->off.hdr_len = l->payload_off;
	if (f->hdr[l->l4_off + TCP_AT_FLAGS] & TCP_CWR)
		f->off.flags |= FRAME_F_ECN;
}

bool unsummed_mark(struct frame *f, uint32_t whole)
{
	struct offload_layout l;
	bool is_long;

	if (!offload_layout(f, &l) || !l.ip_version || l.has_routing ||
	    (l.proto != IPPROTO_TCP && l.proto != IPPROTO_UDP) ||
	    !is_exact(f, &l))
		return true;
	f->off.csum_start = l.l4_off;
	f->off.csum_offset = l.proto == IPPROTO_TCP ? TCP_AT_CSUM : UDP_AT_CSUM;
	if (get_be16(f->hdr + l.l4_off + f->off.csum_offset) !=
	    csum_partial(offload_pseudo(f->hdr, &l, f->len - l.l4_off))) {
		f->off = (struct frame_offload){0};
		return true;
	}
	f->off.flags = FRAME_F_NEEDS_CSUM;
	is_long = f->len - l.l3_off > whole;
	if (is_long && l.proto == IPPROTO_UDP)
		return false;
	if (is_long && f->len > l.payload_off)
		ask_for_cut(f, &l, whole);
	return frame_offload_check(f);
}
