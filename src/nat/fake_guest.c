/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest of tests (fake_guest.h). */
#include "nat/fake_guest.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "wire/arp.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/udp.h"

enum { FRAME_ROOM = 70000, FRAG_ID = 7, ICMP6_ECHO_REQUEST = 128 };

void fake_guest_init(struct fake_guest *g, struct fake_port *port, mac m,
		     mac gw_mac, addr ip)
{
	*g = (struct fake_guest){.port = port,
				 .mac = m,
				 .gw_mac = gw_mac,
				 .ip = ip,
				 .ttl = 64,
				 .df = true};
}

static void put_ip4(const struct fake_guest *g, addr dst, uint8_t proto,
		    uint32_t len, struct wr *w)
{
	struct ip4_hdr ip = {.total_len = (uint16_t)(IP4_HDR_LEN + len),
			     .id = FRAG_ID,
			     .frag = g->frag,
			     .tos = g->tos,
			     .ttl = g->ttl,
			     .proto = proto,
			     .src = g->ip,
			     .dst = dst};
	struct eth_hdr eth = {
		.dst = g->gw_mac, .src = g->mac, .type = ETH_T_IP4};

	if (g->df && !g->frag)
		ip.frag = IP4_F_DF;
	eth_emit(w, &eth);
	ip4_emit(w, &ip);
}

static void put_ip6(const struct fake_guest *g, addr dst, uint8_t proto,
		    uint32_t len, struct wr *w)
{
	struct ip_hdr ip = {.src = g->ip,
			    .dst = dst,
			    .l4_len = len,
			    .proto = proto,
			    .ttl = g->ttl,
			    .tos = g->tos,
			    .is_fragment = g->frag,
			    .more = g->frag & IP4_F_MF,
			    .off = (g->frag & IP4_OFF_MASK) * 8u,
			    .id = FRAG_ID};

	ip_emit_frame(w, g->gw_mac, g->mac, &ip);
}

void fake_guest_ip(struct fake_guest *g, addr dst, uint8_t proto,
		   const void *l4, uint32_t len)
{
	uint8_t *buf = calloc(1, FRAME_ROOM);
	struct wr w = wr_init(buf, FRAME_ROOM);

	if (addr_is_v4(&g->ip))
		put_ip4(g, dst, proto, len, &w);
	else
		put_ip6(g, dst, proto, len, &w);
	if (g->bad_ip_csum)
		buf[ETH_HDR_LEN + 10] ^= 0x55;
	wr_bytes(&w, l4, len);
	for (unsigned i = 0; i < g->pad; i++)
		wr_u8(&w, 0xa5);
	fake_queue(g->port, buf, (uint32_t)wr_len(&w), NULL);
	free(buf);
	g->bad_ip_csum = g->bad_l4_csum = g->no_l4_csum = false;
	g->frag = g->udp_len = 0;
	g->pad = 0;
}

void fake_guest_udp(struct fake_guest *g, uint16_t sport,
		    const struct endpoint *dst, const void *data, uint32_t len)
{
	uint8_t *buf = calloc(1, FRAME_ROOM);
	struct wr w = wr_init(buf, FRAME_ROOM);
	struct udp_hdr h = {.sport = sport,
			    .dport = dst->port,
			    .len = (uint16_t)(UDP_HDR_LEN + len)};
	uint64_t sum;

	if (g->udp_len)
		h.len = g->udp_len;
	udp_emit(&w, &h);
	wr_bytes(&w, data, len);
	sum = csum_pseudo(&g->ip, &dst->ip, IPPROTO_UDP, h.len);
	h.csum = csum_fold(csum_add(buf, UDP_HDR_LEN + len, sum));
	if (h.csum == 0)
		h.csum = 0xffff;
	if (g->bad_l4_csum)
		h.csum ^= 0x5500;
	if (g->no_l4_csum)
		h.csum = 0;
	w = wr_init(buf, UDP_HDR_LEN);
	udp_emit(&w, &h);
	fake_guest_ip(g, dst->ip, IPPROTO_UDP, buf, UDP_HDR_LEN + len);
	free(buf);
}

void fake_guest_echo(struct fake_guest *g, addr dst, uint16_t id, uint16_t seq,
		     const void *data, uint32_t len)
{
	bool is_v4 = addr_is_v4(&g->ip);
	uint8_t proto = is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	uint8_t buf[4096];
	struct wr w = wr_init(buf, sizeof(buf));
	struct icmp_hdr h = {.type = is_v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
			     .id = id,
			     .seq = seq};
	uint64_t sum = 0;

	if (!is_v4)
		sum = csum_pseudo(&g->ip, &dst, proto, ICMP_HDR_LEN + len);
	icmp_emit(&w, &h);
	wr_bytes(&w, data, len);
	h.csum = csum_fold(csum_add(buf, ICMP_HDR_LEN + len, sum));
	if (g->bad_l4_csum)
		h.csum ^= 0x5500;
	w = wr_init(buf, sizeof(buf));
	icmp_emit(&w, &h);
	fake_guest_ip(g, dst, proto, buf, ICMP_HDR_LEN + len);
}

void fake_guest_arp(struct fake_guest *g, addr target)
{
	uint8_t buf[ETH_HDR_LEN + ARP_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	struct eth_hdr eth = {
		.dst = MAC_BROADCAST, .src = g->mac, .type = ETH_T_ARP};
	struct arp_msg m = {
		.op = ARP_REQUEST, .sha = g->mac, .spa = g->ip, .tpa = target};

	eth_emit(&w, &eth);
	arp_emit(&w, &m);
	fake_queue(g->port, buf, sizeof(buf), NULL);
}

void fake_guest_kick(struct fake_guest *g)
{
	while (lan_port_readable(&g->port->port))
		;
}

static bool check_csum(const struct fake_frame *f, const struct fake_got *got)
{
	const struct packet *p = &got->pkt;
	unsigned at = p->proto == IPPROTO_TCP ? 16 : 6;
	uint64_t sum = 0;
	uint16_t want;

	if (p->proto != IPPROTO_ICMP)
		sum = csum_pseudo(&p->src.ip, &p->dst.ip, p->proto,
				  got->l4_len);
	if (!(f->off.flags & FRAME_F_NEEDS_CSUM))
		return csum_fold(csum_add(got->l4, got->l4_len, sum)) == 0;
	want = csum_partial(sum);
	return f->off.csum_start == p->l4_off && f->off.csum_offset == at &&
	       got->l4[at] == want >> 8 && got->l4[at + 1] == (want & 0xff);
}

bool fake_guest_got(const struct fake_guest *g, unsigned i,
		    struct fake_got *gotp)
{
	const struct fake_frame *f;

	if (i >= g->port->n_out)
		return false;
	f = &g->port->out[i];
	gotp->frame = f->data;
	gotp->len = f->len;
	if (packet_parse(f->data, f->len, f->len, &gotp->pkt) != PACKET_OK)
		return false;
	gotp->l4 = f->data + gotp->pkt.l4_off;
	gotp->l4_len = gotp->pkt.l4_len;
	gotp->csum_ok = check_csum(f, gotp);
	return gotp->pkt.ip_version == (addr_is_v4(&g->ip) ? 4 : 6);
}
