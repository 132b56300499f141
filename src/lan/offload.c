/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The check of offload requests.  Called once per frame that carries one, at
 * recv, by the port kinds; the worker's thread.  Everything here comes from a
 * hostile guest: offsets are compared as "need > have", and only the first
 * FRAME_HDR_MAX bytes of the private header copy are read.
 */
#include "lan/offload.h"

#include <netinet/in.h>
#include <stddef.h>

#include "base/be.h"
#include "wire/csum.h"

enum {
	ETHERTYPE_IP4 = 0x0800,
	ETHERTYPE_IP6 = 0x86dd,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_QINQ = 0x88a8,
	VLAN_TAGS_MAX = 2,
	IP4_HDR_LEN = 20,
	IP6_HDR_LEN = 40,
	TCP_HDR_LEN = 20,
	UDP_HDR_LEN = 8,
	TCP_CSUM_OFF = 16,
	UDP_CSUM_OFF = 6,
	TCP_GSO_MIN = 8, /* smaller pieces are only an amplifier */
	IP_LEN_MAX = 65535,
};

/* Bytes of f->hdr that may be parsed. */
static inline uint32_t parse_limit(const struct frame *f)
{
	return f->hdr_len < FRAME_HDR_MAX ? f->hdr_len : FRAME_HDR_MAX;
}

static bool layout_ip4(const uint8_t *h, uint32_t limit,
		       struct offload_layout *l)
{
	const uint8_t *ip = h + l->l3_off;
	uint32_t ihl;

	if (limit - l->l3_off < IP4_HDR_LEN || ip[0] >> 4 != 4)
		return false;
	ihl = (ip[0] & 15) * 4u;
	if (ihl < IP4_HDR_LEN || ihl > limit - l->l3_off)
		return false;
	l->ip_version = 4;
	l->l4_off = (uint16_t)(l->l3_off + ihl);
	/* more fragments, or an offset: RFC 791 3.1 */
	l->proto = get_be16(ip + 6) & 0x3fff ? 0 : ip[9];
	return true;
}

static bool layout_ip6(const uint8_t *h, uint32_t limit,
		       struct offload_layout *l)
{
	uint32_t off = l->l3_off;
	uint8_t next;

	if (limit - off < IP6_HDR_LEN || h[off] >> 4 != 6)
		return false;
	next = h[off + 6];
	off += IP6_HDR_LEN;
	while (next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_ROUTING) {
		uint32_t len;

		if (limit - off < 8)
			return false;
		len = (h[off + 1] + 1u) * 8;
		if (len > limit - off)
			return false;
		l->has_routing |= next == IPPROTO_ROUTING;
		next = h[off];
		off += len;
	}
	l->ip_version = 6;
	l->l4_off = (uint16_t)off;
	l->proto = next == IPPROTO_FRAGMENT ? 0 : next;
	return true;
}

static bool layout_l4(const uint8_t *h, uint32_t limit,
		      struct offload_layout *l)
{
	uint32_t left = limit - l->l4_off;
	uint32_t len = 0;

	if (l->proto == IPPROTO_TCP) {
		if (left < TCP_HDR_LEN)
			return false;
		len = (h[l->l4_off + 12] >> 4) * 4u;
		if (len < TCP_HDR_LEN || len > left)
			return false;
	} else if (l->proto == IPPROTO_UDP) {
		if (left < UDP_HDR_LEN)
			return false;
		len = UDP_HDR_LEN;
	}
	l->payload_off = (uint16_t)(l->l4_off + len);
	return true;
}

bool offload_layout(const struct frame *f, struct offload_layout *lp)
{
	uint32_t limit = parse_limit(f);
	struct offload_layout l = {0};
	const uint8_t *h = f->hdr;
	uint32_t off = FRAME_ETH_LEN;
	uint16_t type;

	if (limit < FRAME_ETH_LEN)
		return false;
	type = get_be16(h + 12);
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		if (type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ)
			break;
		if (limit - off < 4)
			return false;
		type = get_be16(h + off + 2);
		off += 4;
	}
	l.l3_off = l.l4_off = (uint16_t)off;
	if (type == ETHERTYPE_IP4 && !layout_ip4(h, limit, &l))
		return false;
	if (type == ETHERTYPE_IP6 && !layout_ip6(h, limit, &l))
		return false;
	if (!layout_l4(h, limit, &l))
		return false;
	*lp = l;
	return true;
}

uint64_t offload_pseudo(const uint8_t *h, const struct offload_layout *l,
			uint32_t l4_len)
{
	const uint8_t rest[4] = {0, l->proto, (uint8_t)(l4_len >> 8),
				 (uint8_t)l4_len};
	uint64_t sum = csum_add(rest, sizeof(rest), 0);

	return l->ip_version == 4 ? csum_add(h + l->l3_off + 12, 8, sum)
				  : csum_add(h + l->l3_off + 8, 32, sum);
}

/* The checksum field lies in the copy and where a checksum may be: never in
 * the MACs, the IP header or the ports, which others judge before it is
 * filled in. */
static bool csum_check(const struct frame *f, const struct offload_layout *l)
{
	uint32_t limit = parse_limit(f);
	uint32_t start = f->off.csum_start;
	uint32_t field = start + f->off.csum_offset;

	if (start < l->l4_off || field > limit || limit - field < 2)
		return false;
	if (l->proto != IPPROTO_TCP && l->proto != IPPROTO_UDP)
		return true;
	if (start != l->l4_off)
		return start >= l->payload_off; /* inside a tunnel */
	return f->off.csum_offset ==
	       (l->proto == IPPROTO_TCP ? TCP_CSUM_OFF : UDP_CSUM_OFF);
}

static bool gso_protocol_check(const struct frame *f,
			       const struct offload_layout *l)
{
	switch ((enum frame_gso)f->off.gso) {
	case FRAME_GSO_NONE:
		return true;
	case FRAME_GSO_TCP4:
		return l->ip_version == 4 && l->proto == IPPROTO_TCP;
	case FRAME_GSO_TCP6:
		return l->ip_version == 6 && l->proto == IPPROTO_TCP;
	case FRAME_GSO_UDP4:
		return l->ip_version == 4 && l->proto == IPPROTO_UDP;
	case FRAME_GSO_UDP6:
		return l->ip_version == 6 && l->proto == IPPROTO_UDP;
	case FRAME_GSO_FRAG4: /* options would have to be sorted */
		return l->ip_version == 4 && l->proto == IPPROTO_UDP &&
		       l->l4_off == l->l3_off + IP4_HDR_LEN;
	case FRAME_GSO_FRAG6:
		return l->ip_version == 6 && l->proto == IPPROTO_UDP &&
		       l->l4_off == l->l3_off + IP6_HDR_LEN;
	case FRAME_GSO_N:
		break;
	}
	return false;
}

/* One whole datagram, and what it says of its lengths is true. */
static bool frag_check(const struct frame *f, const struct offload_layout *l)
{
	uint32_t ip_hdr = l->ip_version == 4 ? 0 : IP6_HDR_LEN;
	uint32_t ip_len = f->len - l->l3_off - ip_hdr;
	uint32_t udp_len = f->len - l->l4_off;
	const uint8_t *ip = f->hdr + l->l3_off;

	return f->off.csum_start == l->l4_off && f->off.hdr_len <= f->len &&
	       f->off.gso_size >= 8 && f->off.gso_size % 8 == 0 &&
	       f->off.gso_size < IP_LEN_MAX - IP6_HDR_LEN &&
	       get_be16(ip + (l->ip_version == 4 ? 2 : 4)) == ip_len &&
	       get_be16(f->hdr + l->l4_off + 4) == udp_len &&
	       offload_pieces(f, l->l4_off) <= OFFLOAD_PIECES_MAX;
}

static bool gso_check(const struct frame *f, const struct offload_layout *l)
{
	uint32_t ip_hdr = l->ip_version == 4 ? 0 : IP6_HDR_LEN;
	uint32_t ip_len = f->len - l->l3_off - ip_hdr;
	uint32_t payload = f->len - l->payload_off;
	uint32_t piece = f->off.gso_size;
	uint32_t at = l->l3_off + (l->ip_version == 4 ? 2u : 4u);
	uint16_t said = get_be16(f->hdr + at);

	if (f->off.csum_start != l->l4_off || l->has_routing)
		return false;
	if (piece == 0 || payload == 0 || f->off.hdr_len > f->len)
		return false;
	if (l->proto == IPPROTO_TCP && piece < TCP_GSO_MIN)
		return false;
	if (offload_pieces(f, l->payload_off) > OFFLOAD_PIECES_MAX)
		return false;
	/* 0: more than the field can say */
	if (said != 0 && said != ip_len)
		return false;
	if (piece > payload)
		piece = payload;
	return ip_len - payload + piece <= IP_LEN_MAX;
}

bool frame_offload_check(const struct frame *f)
{
	const unsigned known = FRAME_F_NEEDS_CSUM | FRAME_F_CSUM_VALID |
			       FRAME_F_ECN;
	struct offload_layout l;
	bool is_tcp = f->off.gso == FRAME_GSO_TCP4 ||
		      f->off.gso == FRAME_GSO_TCP6;

	if (f->off.flags & ~known || f->off.gso >= FRAME_GSO_N)
		return false;
	if (f->off.flags & FRAME_F_ECN && !is_tcp)
		return false;
	if (!(f->off.flags & FRAME_F_NEEDS_CSUM))
		return f->off.gso == FRAME_GSO_NONE;
	if (!offload_layout(f, &l) || !csum_check(f, &l) ||
	    !gso_protocol_check(f, &l))
		return false;
	if (f->off.gso == FRAME_GSO_FRAG4 || f->off.gso == FRAME_GSO_FRAG6)
		return frag_check(f, &l);
	return f->off.gso == FRAME_GSO_NONE || gso_check(f, &l);
}
