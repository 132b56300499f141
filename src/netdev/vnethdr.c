/* SPDX-License-Identifier: BSD-3-Clause */
/* The offload header of taps, see vnethdr.h. */
#include "netdev/vnethdr.h"

#include <string.h>

/* VIRTIO 1.3, 5.1.6 */
enum {
	VNET_F_NEEDS_CSUM = 1,
	VNET_F_DATA_VALID = 2,

	VNET_GSO_NONE = 0,
	VNET_GSO_TCPV4 = 1,
	VNET_GSO_UDP = 3,
	VNET_GSO_TCPV6 = 4,
	VNET_GSO_UDP_L4 = 5,
	VNET_GSO_ECN = 0x80,
};

/* Where the fields are. */
enum {
	AT_FLAGS = 0,
	AT_GSO_TYPE = 1,
	AT_HDR_LEN = 2,
	AT_GSO_SIZE = 4,
	AT_CSUM_START = 6,
	AT_CSUM_OFFSET = 8,
};

enum {
	UDP_HDR_LEN = 8,
	TCP_HDR_MIN = 20,
	TCP_AT_DOFF = 12,
	ETHERTYPE_V4 = 0x0800,
	ETHERTYPE_V6 = 0x86dd,
	ETHERTYPE_CTAG = 0x8100,
	ETHERTYPE_STAG = 0x88a8,
};

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* The type behind at most two VLAN tags; 0 if the frame ends before it. */
static uint16_t frame_ethertype(const struct frame *f)
{
	uint32_t at = FRAME_ETH_LEN - 2;

	for (unsigned tags = 0; tags < 3; tags++, at += 4) {
		uint16_t type;

		if (f->hdr_len < at + 2)
			return 0;
		type = (uint16_t)(f->hdr[at] << 8 | f->hdr[at + 1]);
		if (type != ETHERTYPE_CTAG && type != ETHERTYPE_STAG)
			return type;
	}
	return 0;
}

/* Kind of segmentation and length of all headers. */
static bool parse_gso(const struct frame *f, uint8_t type,
		      struct frame_offload *off)
{
	uint32_t l4 = off->csum_start, ethertype;

	switch (type) {
	case VNET_GSO_TCPV4:
	case VNET_GSO_TCPV6:
		if (l4 + TCP_HDR_MIN > f->hdr_len)
			return false;
		off->gso = type == VNET_GSO_TCPV4 ? FRAME_GSO_TCP4
						  : FRAME_GSO_TCP6;
		off->hdr_len = (uint16_t)(l4 +
					  (f->hdr[l4 + TCP_AT_DOFF] >> 4) * 4u);
		return off->hdr_len >= l4 + TCP_HDR_MIN;
	case VNET_GSO_UDP:
	case VNET_GSO_UDP_L4:
		if (off->flags & FRAME_F_ECN)
			return false; /* a thing of TCP */
		ethertype = frame_ethertype(f);
		if (ethertype != ETHERTYPE_V4 && ethertype != ETHERTYPE_V6)
			return false;
		off->gso = ethertype == ETHERTYPE_V4 ? FRAME_GSO_UDP4
						     : FRAME_GSO_UDP6;
		if (type == VNET_GSO_UDP) {
			off->gso_size &= (uint16_t)~7;
			off->gso = ethertype == ETHERTYPE_V4 ? FRAME_GSO_FRAG4
							     : FRAME_GSO_FRAG6;
		}
		off->hdr_len = (uint16_t)(l4 + UDP_HDR_LEN);
		return l4 + UDP_HDR_LEN <= f->hdr_len;
	}
	return false;
}

bool vnethdr_parse(const uint8_t h[static VNETHDR_LEN], struct frame *f)
{
	struct frame_offload off = {0};
	uint8_t type = h[AT_GSO_TYPE];

	if (h[AT_FLAGS] & VNET_F_NEEDS_CSUM) {
		off.flags = FRAME_F_NEEDS_CSUM;
		off.csum_start = get16(h + AT_CSUM_START);
		off.csum_offset = get16(h + AT_CSUM_OFFSET);
	} else if (h[AT_FLAGS] & VNET_F_DATA_VALID) {
		off.flags = FRAME_F_CSUM_VALID;
	}
	if (type != VNET_GSO_NONE) {
		if (!(off.flags & FRAME_F_NEEDS_CSUM))
			return false; /* 5.1.6.2: gso without it is wrong */
		if (type & VNET_GSO_ECN)
			off.flags |= FRAME_F_ECN;
		off.gso_size = get16(h + AT_GSO_SIZE);
		type &= (uint8_t)~VNET_GSO_ECN;
		if (!parse_gso(f, type, &off))
			return false;
	}
	f->off = off;
	return true;
}

static uint8_t emit_gso(const struct frame_offload *off)
{
	uint8_t ecn = off->flags & FRAME_F_ECN ? VNET_GSO_ECN : 0;

	switch ((enum frame_gso)off->gso) {
	case FRAME_GSO_NONE:
		return VNET_GSO_NONE;
	case FRAME_GSO_TCP4:
		return VNET_GSO_TCPV4 | ecn;
	case FRAME_GSO_TCP6:
		return VNET_GSO_TCPV6 | ecn;
	case FRAME_GSO_UDP4:
	case FRAME_GSO_UDP6:
		return VNET_GSO_UDP_L4;
	case FRAME_GSO_FRAG4:
	case FRAME_GSO_FRAG6:
		return VNET_GSO_UDP;
	case FRAME_GSO_N:
		break;
	}
	return VNET_GSO_NONE;
}

void vnethdr_emit(const struct frame_offload *off,
		  uint8_t h[static VNETHDR_LEN])
{
	memset(h, 0, VNETHDR_LEN);
	if (off->flags & FRAME_F_NEEDS_CSUM) {
		h[AT_FLAGS] = VNET_F_NEEDS_CSUM;
		put16(h + AT_CSUM_START, off->csum_start);
		put16(h + AT_CSUM_OFFSET, off->csum_offset);
	} else if (off->flags & FRAME_F_CSUM_VALID) {
		h[AT_FLAGS] = VNET_F_DATA_VALID;
	}
	h[AT_GSO_TYPE] = emit_gso(off);
	if (off->gso != FRAME_GSO_NONE) {
		put16(h + AT_HDR_LEN, off->hdr_len);
		put16(h + AT_GSO_SIZE, off->gso_size);
	}
}
