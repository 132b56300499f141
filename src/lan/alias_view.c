/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two addresses change places in a frame (see alias.h).  Called by lan.c and
 * lend.c for ports with aliases only.
 *
 * The frames themselves are borrowed and stay as they are: what changes is a
 * copy of their first FRAME_HDR_MAX bytes, or of a whole DHCP message, whose
 * options lie behind those.
 */
#include "base/be.h"
#include "lan/alias.h"

#include <netinet/in.h>
#include <string.h>

#include "lan/lan.h"
#include "wire/arp.h"
#include "wire/csum.h"
#include "wire/dhcp.h"
#include "wire/dhcp6.h"
#include "wire/eth.h"
#include "wire/nd.h"
#include "wire/packet.h"
#include "wire/udp.h"

/* The bytes of a frame that are in private memory and may be changed. */
struct bytes {
	const struct port *port;
	uint8_t *p;
	uint32_t len;
	uint32_t frame_len;
	uint32_t tags; /* bytes of VLAN tags */
	bool is_summed; /* its transport checksum is complete */
	bool changed;
};

/* What stands for the MAC at p on the other side; NULL: itself. */
static const mac *other_side(const struct port *port, const uint8_t *p)
{
	list_each(it, &port->aliases) {
		const struct alias *a = container_of(it, struct alias, link);

		if (memcmp(p, a->real.b, MAC_LEN) == 0)
			return &a->alias;
		if (memcmp(p, a->alias.b, MAC_LEN) == 0)
			return &a->real;
	}
	return NULL;
}

static void swap(struct bytes *x, uint32_t at)
{
	const mac *m = other_side(x->port, x->p + at);

	if (!m)
		return;
	memcpy(x->p + at, m->b, MAC_LEN);
	x->changed = true;
}

/* As swap(), and the checksum at csum_at follows, which covers the bytes from
 * l4 on. */
static void swap_summed(struct bytes *x, uint32_t at, uint32_t l4,
			uint32_t csum_at)
{
	uint32_t odd = (at - l4) & 1;
	uint32_t len = MAC_LEN + 2 * odd;
	const mac *m = other_side(x->port, x->p + at);
	uint16_t old, now;
	uint8_t *start;

	if (!m)
		return;
	at -= odd;
	start = x->p + at;
	if (len > x->len - at)
		len = x->len - at;
	old = csum_partial(csum_add(start, len, 0));
	memcpy(start + odd, m->b, MAC_LEN);
	now = csum_partial(csum_add(start, len, 0));
	x->changed = true;
	if (x->is_summed)
		put_be16(x->p + csum_at,
			 csum_update(get_be16(x->p + csum_at), old, now));
}

/* The Ethernet type behind the tags, whose length is noted. */
static uint16_t ether_type(struct bytes *x)
{
	uint16_t type = get_be16(x->p + 12);

	x->tags = 0;
	while ((type == ETH_T_VLAN || type == ETH_T_QTAG) &&
	       x->tags < ETH_TAGS_MAX * ETH_TAG_LEN &&
	       x->len >= x->tags + ETH_TAG_LEN + ETH_HDR_LEN) {
		x->tags += ETH_TAG_LEN;
		type = get_be16(x->p + x->tags + 12);
	}
	return type;
}

/* Where ARP's message is; 0 unless it is one for Ethernet and IPv4. */
static uint32_t arp_at(const struct bytes *x)
{
	static const uint8_t head[6] = {0, 1, ETH_T_IP4 >> 8, 0, MAC_LEN, 4};
	uint32_t at = x->tags + ETH_HDR_LEN;

	if (x->len < at + ARP_LEN ||
	    memcmp(x->p + at, head, sizeof(head)) != 0)
		return 0;
	return at;
}

static bool parse(const struct bytes *x, struct packet *pktp)
{
	/* Behind tags the addresses are not where packet_parse() takes them
	 * from; nobody asks it for them here. */
	enum packet_result r = packet_parse(x->p + x->tags, x->len - x->tags,
					    x->frame_len - x->tags, pktp);

	return r == PACKET_OK || r == PACKET_IP4_OPTIONS;
}

/* The link-layer address options of neighbour discovery, as far as they are
 * within reach. */
static void swap_nd(struct bytes *x, const struct packet *pkt)
{
	static const uint8_t fixed[] = {8, 16, 24, 24, 40};
	uint32_t l4 = x->tags + pkt->l4_off;
	uint32_t end = l4 + pkt->l4_len;
	uint8_t type = x->p[l4];
	uint32_t at;

	if (type < ND_SOLICIT_ROUTER || type > ND_REDIRECT)
		return;
	if (end > x->len)
		end = x->len;
	for (at = l4 + fixed[type - ND_SOLICIT_ROUTER];
	     at + 8 <= end && x->p[at + 1];
	     at += x->p[at + 1] * 8u) {
		if (x->p[at] == ND_O_SOURCE || x->p[at] == ND_O_TARGET)
			swap_summed(x, at + 2, l4, l4 + ICMP6_AT_CSUM);
	}
}

/* Where the options of a DHCPv6 message are; 0: it is none. */
static uint32_t dhcp6_at(const struct bytes *x, const struct packet *pkt)
{
	uint32_t at = x->tags + pkt->l4_off + UDP_HDR_LEN + DHCP6_HDR_LEN;

	if ((pkt->dst.port != DHCP6_PORT_CLIENT &&
	     pkt->dst.port != DHCP6_PORT_SERVER) ||
	    x->len < at)
		return 0;
	return at;
}

/* Where chaddr is, if it is to change; else 0. */
static uint32_t dhcp4_at(const struct bytes *x, const struct packet *pkt)
{
	uint32_t at = x->tags + pkt->l4_off + UDP_HDR_LEN;

	if ((pkt->src.port != DHCP_PORT_CLIENT &&
	     pkt->src.port != DHCP_PORT_SERVER) ||
	    (pkt->dst.port != DHCP_PORT_CLIENT &&
	     pkt->dst.port != DHCP_PORT_SERVER) ||
	    x->len < at + DHCP_AT_CHADDR + MAC_LEN ||
	    x->p[at + 1] != DHCP_HTYPE_ETHERNET || x->p[at + 2] != MAC_LEN ||
	    !other_side(x->port, x->p + at + DHCP_AT_CHADDR))
		return 0;
	return at + DHCP_AT_CHADDR;
}

/* A code or a length. */
static uint32_t get_word(const uint8_t *p, uint32_t n)
{
	return n == 1 ? p[0] : get_be16(p);
}

/* The client identifier, which most clients make of their MAC: type 1 and the
 * MAC (RFC 2132 9.14), or a DUID that ends in it (RFC 4361, 8415 11).  Of the
 * options from at on; codes and lengths have two bytes in DHCPv6. */
static void swap_client_id(struct bytes *x, bool is_v4, uint32_t l4,
			   uint32_t at, uint32_t end)
{
	const uint32_t n = is_v4 ? 1 : 2;
	const uint32_t id = is_v4 ? (uint32_t)DHCP_O_CLIENT_ID
				  : (uint32_t)DHCP6_O_CLIENT_ID;

	while (at + 2 * n <= end && !(is_v4 && x->p[at] == DHCP_O_END)) {
		uint32_t code = get_word(x->p + at, n);
		uint32_t len = get_word(x->p + at + n, n);

		if (is_v4 && code == DHCP_O_PAD) {
			at++;
			continue;
		}
		at += 2 * n;
		if (len > end - at)
			return;
		if (code == id && len > MAC_LEN)
			swap_summed(x, at + len - MAC_LEN, l4,
				    l4 + UDP_AT_CSUM);
		at += len;
	}
}

/* chaddr is at, or DHCPv6's options are; x is the whole message, or its
 * beginning. */
static void swap_dhcp(struct bytes *x, const struct packet *pkt, uint32_t at)
{
	bool is_v4 = pkt->ip_version == 4;
	uint32_t l4 = x->tags + pkt->l4_off;
	uint8_t *sum = x->p + l4 + UDP_AT_CSUM;
	uint32_t end = l4 + pkt->l4_len;

	x->is_summed = x->is_summed && get_be16(sum) != 0;
	if (is_v4) {
		swap_summed(x, at, l4, l4 + UDP_AT_CSUM);
		at = l4 + UDP_HDR_LEN + DHCP_HDR_LEN;
	}
	swap_client_id(x, is_v4, l4, at, end < x->len ? end : x->len);
	if (x->is_summed && get_be16(sum) == 0)
		put_be16(sum, 0xffff); /* 0 would say there is none */
}

/* Changes all that is in reach but DHCP's.  True if it is a DHCP message that
 * may be of somebody who has an alias; then *atp is for swap_dhcp(). */
static bool swap_head(struct bytes *x, struct packet *pktp, uint32_t *atp)
{
	uint16_t type = ether_type(x);
	uint32_t arp;

	swap(x, 0);
	swap(x, MAC_LEN);
	if (type == ETH_T_ARP || type == ETH_T_RARP) {
		arp = arp_at(x);
		if (arp) {
			swap(x, arp + ARP_AT_SHA);
			swap(x, arp + ARP_AT_THA);
		}
		return false;
	}
	if ((type != ETH_T_IP4 && type != ETH_T_IP6) || !parse(x, pktp) ||
	    pktp->is_fragment)
		return false;
	if (pktp->proto == IPPROTO_ICMPV6 && pktp->ip_version == 6)
		swap_nd(x, pktp);
	if (pktp->proto != IPPROTO_UDP)
		return false;
	*atp = pktp->ip_version == 4 ? dhcp4_at(x, pktp) : dhcp6_at(x, pktp);
	return *atp != 0;
}

static bool is_summed(const struct frame_offload *off)
{
	return !(off->flags & FRAME_F_NEEDS_CSUM);
}

static void *store_take(struct alias_view *v, uint32_t len)
{
	void *p = v->store + v->used;

	len = (len + 15) & ~15u;
	if (len > sizeof(v->store) - v->used)
		return NULL;
	v->used += len;
	return p;
}

/* Points to->iov at what follows its new, shorter header. */
static bool view_cut(struct alias_view *v, const struct frame *f,
		     struct frame *to)
{
	struct iovec *iov;

	if (f->hdr_len == to->hdr_len)
		return true;
	iov = store_take(v, (f->n_iov + 1) * (uint32_t)sizeof(*iov));
	if (!iov)
		return false;
	to->n_iov = frame_iov(f, to->hdr_len, iov, f->n_iov + 1);
	to->iov = iov;
	return true;
}

/* The whole message, flat. */
static bool view_dhcp(struct alias_view *v, struct bytes *x,
		      const struct packet *pkt, uint32_t at, struct frame *to)
{
	uint8_t *p;

	if (to->len > ALIAS_DHCP_MAX) {
		swap_dhcp(x, pkt, at);
		return true;
	}
	p = store_take(v, to->len);
	if (!p || !frame_copy(to, 0, to->len, p))
		return false;
	x->p = p;
	x->len = to->len;
	swap_dhcp(x, pkt, at);
	to->hdr = p;
	to->hdr_len = to->len;
	to->n_iov = 0;
	return true;
}

/* False if the store is full. */
static bool view_frame(struct alias_view *v, const struct port *p,
		       const struct frame *f, unsigned i)
{
	struct frame *to = &v->b.f[i];
	struct bytes x = {.port = p,
			  .p = v->hdr[i],
			  .frame_len = f->len,
			  .is_summed = is_summed(&f->off)};
	struct packet pkt;
	uint32_t at;

	*to = *f;
	/* Most frames that are not for one of the two do not speak of them. */
	if (f->hdr_len < FRAME_ETH_LEN ||
	    (!(f->hdr[0] & 1) && !other_side(p, f->hdr) &&
	     !other_side(p, f->hdr + MAC_LEN)))
		return true;
	x.len = f->hdr_len < FRAME_HDR_MAX ? f->hdr_len : FRAME_HDR_MAX;
	memcpy(x.p, f->hdr, x.len);
	to->hdr = x.p;
	to->hdr_len = x.len;
	if (!view_cut(v, f, to))
		return false;
	if (swap_head(&x, &pkt, &at))
		return view_dhcp(v, &x, &pkt, at, to);
	if (!x.changed)
		*to = *f;
	return true;
}

uint64_t alias_view(struct alias_view *v, const struct port *p,
		    const struct batch *b, uint64_t mask)
{
	uint64_t done = 0;

	_Static_assert(ALIAS_STORE >= ALIAS_DHCP_MAX +
					      (FRAME_IOV_MAX + 1) *
						      sizeof(struct iovec),
		       "one frame always fits");
	v->used = 0;
	v->b.n = 0;
	for (; mask; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask);

		if (!view_frame(v, p, &b->f[i], i))
			break;
		v->b.n = i + 1;
		done |= UINT64_C(1) << i;
	}
	return done;
}

void alias_lent(const struct port *p, struct lend_frame *f)
{
	const struct frame view = {
		.iov = f->iov, .n_iov = f->n_iov, .len = f->len};
	uint8_t hdr[FRAME_HDR_MAX];
	struct bytes x = {.port = p,
			  .p = hdr,
			  .len = f->len < sizeof(hdr) ? f->len : sizeof(hdr),
			  .frame_len = f->len,
			  .is_summed = is_summed(&f->off)};
	struct packet pkt;
	uint32_t at;

	if (x.len < FRAME_ETH_LEN || !frame_copy(&view, 0, x.len, hdr))
		return;
	if (swap_head(&x, &pkt, &at))
		swap_dhcp(&x, &pkt, at);
	if (x.changed)
		lend_put(f, 0, hdr, x.len);
}

/* For looking only. */
static struct bytes bytes_of(const struct frame *f)
{
	return (struct bytes){.p = (uint8_t *)(uintptr_t)f->hdr,
			      .len = f->hdr_len,
			      .frame_len = f->len};
}

bool alias_is_start(const struct frame *f)
{
	struct bytes x = bytes_of(f);
	uint16_t type = ether_type(&x);
	struct packet pkt;
	uint32_t arp;

	if (type == ETH_T_ARP) {
		arp = arp_at(&x);
		return arp && get_be16(x.p + arp + ARP_AT_SPA) == 0 &&
		       get_be16(x.p + arp + ARP_AT_SPA + 2) == 0;
	}
	return (type == ETH_T_IP4 || type == ETH_T_IP6) && parse(&x, &pkt) &&
	       addr_is_unspecified(&pkt.src.ip);
}

bool alias_is_announcement(const struct frame *f)
{
	struct bytes x = bytes_of(f);

	return ether_type(&x) == ETH_T_RARP;
}
