/* SPDX-License-Identifier: BSD-3-Clause */
/* One look at a frame's headers; see packet.h. */
#include "wire/packet.h"

#include <netinet/in.h>

#include "base/cursor.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcp.h"
#include "wire/udp.h"

enum {
	IP6_EXT_MAX = 8, /* more extension headers than this are refused */
	IP6_DEST_OPTIONS = 60,
	/* of a routing header (RFC 8200 4.4) */
	IP6_ROUTING_AT = 2, /* type */
	IP6_SEGMENTS_AT = 3,
};

/* Least bytes of a transport header; 0 for protocols we do not look into. */
static uint32_t l4_least(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return TCP_HDR_LEN;
	case IPPROTO_UDP:
		return UDP_HDR_LEN;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return ICMP_HDR_LEN;
	default: /* handed on or dropped by number */
		return 0;
	}
}

/* Ports of TCP and UDP; r stands at the transport header. */
static enum packet_result parse_l4(struct rd *r, struct packet *p)
{
	if (p->frag_off)
		return PACKET_OK; /* the header is in the first fragment */
	if (p->l4_len < l4_least(p->proto) || rd_left(r) < l4_least(p->proto))
		return PACKET_L4_SHORT;
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return PACKET_OK;
	p->src.port = rd_u16(r);
	p->dst.port = rd_u16(r);
	return PACKET_OK;
}

/* r stands at the IP header; left bytes of frame follow from there. */
static enum packet_result parse_ip4(struct rd *r, size_t left,
				    struct packet *p)
{
	const uint8_t *start = r->p;
	uint8_t vihl = rd_u8(r);
	unsigned hdr_len = (vihl & 15u) * 4;
	uint16_t total, frag;
	uint8_t a[4];

	p->tos = rd_u8(r);
	total = rd_u16(r);
	p->ip_id = rd_u16(r);
	frag = rd_u16(r);
	p->ttl = rd_u8(r);
	p->proto = rd_u8(r);
	(void)rd_u16(r); /* checksum: summed with the rest */
	rd_copy(r, a, sizeof(a));
	p->src.ip = addr_v4_bytes(a);
	rd_copy(r, a, sizeof(a));
	p->dst.ip = addr_v4_bytes(a);
	if (!rd_ok(r) || vihl >> 4 != 4 || hdr_len < IP4_HDR_LEN ||
	    total < hdr_len || total > left)
		return PACKET_IP4_SHORT;
	rd_skip(r, hdr_len - IP4_HDR_LEN);
	if (!rd_ok(r))
		return PACKET_IP4_SHORT;
	if (csum_fold(csum_add(start, hdr_len, 0)) != 0)
		return PACKET_IP4_CSUM;
	p->ip_version = 4;
	p->df = frag & IP4_F_DF;
	p->frag_more = frag & IP4_F_MF;
	p->frag_off = (uint16_t)((frag & IP4_OFF_MASK) * 8);
	p->is_fragment = p->frag_more || p->frag_off;
	p->l4_off = (uint16_t)(p->l3_off + hdr_len);
	p->l4_len = (uint32_t)total - hdr_len;
	if (hdr_len > IP4_HDR_LEN)
		return PACKET_IP4_OPTIONS;
	return parse_l4(r, p);
}

static bool is_extension(uint8_t next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING ||
	       next == IPPROTO_FRAGMENT || next == IP6_DEST_OPTIONS;
}

static void parse_fragment(struct rd *r, struct packet *p)
{
	uint16_t off = rd_u16(r);

	p->ip_id = rd_u32(r);
	p->frag_off = off & IP6_OFF_MASK;
	p->frag_more = off & 1;
	p->is_fragment = p->frag_off || p->frag_more;
	p->df = false;
}

/* One extension header (RFC 8200 4.2 - 4.6), of the *lenp bytes left as
 * the IPv6 header says.  False if it lies about its length. */
static bool skip_extension(struct rd *r, uint8_t *nextp, uint32_t *lenp,
			   struct packet *p)
{
	bool is_frag = *nextp == IPPROTO_FRAGMENT;
	uint8_t next = rd_u8(r), units = rd_u8(r);
	uint32_t len = is_frag ? IP6_FRAG_LEN : 8 + units * 8u;

	if (len > *lenp)
		return false;
	if (is_frag)
		parse_fragment(r, p);
	else
		rd_skip(r, len - 2);
	*lenp -= len;
	*nextp = next;
	return rd_ok(r);
}

/* True if the extension header at r is not to be passed over. */
static bool is_stop(const struct rd *r, uint8_t next, struct packet *p)
{
	if (next == IPPROTO_HOPOPTS)
		return p->next_off != IP6_PROTO_AT; /* RFC 8200 4.1 */
	if (next != IPPROTO_ROUTING || rd_left(r) < IP6_SEGMENTS_AT + 1 ||
	    !r->p[IP6_SEGMENTS_AT])
		return false;
	p->next_off = (uint16_t)(p->l4_off - p->l3_off + IP6_ROUTING_AT);
	return true;
}

/* Walks the extension headers (RFC 8200 4); *lenp bytes follow at r.  Behind
 * the fragment header of a fragment there is payload, not headers. */
static bool skip_extensions(struct rd *r, uint8_t *nextp, uint32_t *lenp,
			    struct packet *p)
{
	p->next_off = IP6_PROTO_AT;
	p->l4_off = (uint16_t)(p->l3_off + IP6_HDR_LEN);
	for (unsigned i = 0; is_extension(*nextp) && !p->is_fragment; i++) {
		const uint8_t *start = r->p;

		if (is_stop(r, *nextp, p))
			break;
		if (i == IP6_EXT_MAX || !skip_extension(r, nextp, lenp, p))
			return false;
		p->next_off = (uint16_t)(p->l4_off - p->l3_off);
		p->l4_off = (uint16_t)(p->l4_off + (r->p - start));
	}
	return true;
}

static enum packet_result parse_ip6(struct rd *r, size_t left,
				    struct packet *p)
{
	uint32_t word = rd_u32(r);
	uint32_t len = rd_u16(r);
	uint8_t next = rd_u8(r);

	p->ttl = rd_u8(r);
	rd_copy(r, p->src.ip.b, sizeof(p->src.ip.b));
	rd_copy(r, p->dst.ip.b, sizeof(p->dst.ip.b));
	if (!rd_ok(r) || word >> 28 != 6 || len > left - IP6_HDR_LEN)
		return PACKET_IP6_SHORT;
	/* In here they would be IPv4's, on a wire they are nobody's. */
	if (addr_is_v4(&p->src.ip) || addr_is_v4(&p->dst.ip))
		return PACKET_IP6_SHORT;
	p->tos = (uint8_t)(word >> 20);
	p->df = true;
	if (!skip_extensions(r, &next, &len, p))
		return PACKET_IP6_SHORT;
	p->ip_version = 6;
	p->proto = next;
	p->l4_len = len;
	return parse_l4(r, p);
}

enum packet_result packet_parse(const uint8_t *hdr, size_t hdr_len,
				size_t frame_len, struct packet *pktp)
{
	struct rd r = rd_init(hdr, hdr_len);
	struct eth_hdr eth;

	*pktp = (struct packet){0};
	if (!eth_parse(&r, &eth))
		return PACKET_ETH_SHORT;
	pktp->eth_dst = eth.dst;
	pktp->eth_src = eth.src;
	pktp->ethertype = eth.type;
	pktp->l3_off = ETH_HDR_LEN;
	if (eth.type == ETH_T_IP4)
		return parse_ip4(&r, frame_len - ETH_HDR_LEN, pktp);
	if (eth.type == ETH_T_IP6)
		return parse_ip6(&r, frame_len - ETH_HDR_LEN, pktp);
	return PACKET_NOT_IP;
}
