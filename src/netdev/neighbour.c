/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP and neighbour discovery as one; see neighbour.h. */
#include "netdev/neighbour.h"

#include <netinet/in.h>

#include "wire/arp.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/nd.h"

enum {
	IP6_HDR_LEN = 40,
	IP6_VERSION = 0x60000000,
	ND_HOP_LIMIT = 255, /* what a router has passed on has less */
	ND_MSG_LEN = 32,    /* head, target, one option with a MAC */
	ND_SOLICIT = 135,
	ND_ADVERTISE = 136,
	ND_F_SOLICITED = 0x40000000,
	ND_F_OVERRIDE = 0x20000000,
	ND_OPTION_UNITS = 1, /* of 8 bytes */
};

/* ff02::1 and its MAC. */
static const addr all_nodes = {
	{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
static const mac all_nodes_mac = {{0x33, 0x33, 0, 0, 0, 1}};

static bool parse_arp(struct rd *r, mac sender, struct neighbour *np)
{
	struct arp_msg m;

	if (!arp_parse(r, &m) || !mac_eq(m.sha, sender))
		return false;
	*np = (struct neighbour){.from = m.spa, .mac = sender, .reply = m.spa};
	if (m.op == ARP_REQUEST && !addr_eq(&m.spa, &m.tpa))
		np->asked = m.tpa;
	return true;
}

static bool parse_nd(struct rd *r, mac sender, struct neighbour *np)
{
	struct neighbour n = {.mac = sender};
	uint8_t next, hops, type, code;
	addr from, to, target;

	rd_skip(r, 6);
	next = rd_u8(r);
	hops = rd_u8(r);
	rd_copy(r, from.b, sizeof(from.b));
	rd_copy(r, to.b, sizeof(to.b));
	type = rd_u8(r);
	code = rd_u8(r);
	rd_skip(r, 6);
	rd_copy(r, target.b, sizeof(target.b));
	if (!rd_ok(r) || next != IPPROTO_ICMPV6 || hops != ND_HOP_LIMIT ||
	    code != 0 || (type != ND_SOLICIT && type != ND_ADVERTISE))
		return false;
	n.from = target;
	if (type == ND_SOLICIT) {
		n.asked = target;
		n.reply = from;
		/* Who has no address yet is about to take this one. */
		if (!addr_is_unspecified(&from))
			n.from = from;
	}
	*np = n;
	return true;
}

bool neighbour_parse(const struct frame *f, struct neighbour *np)
{
	struct rd r = rd_init(f->hdr, f->hdr_len);
	struct eth_hdr eth;

	if (!eth_parse(&r, &eth))
		return false;
	if (eth.type == ETH_T_ARP)
		return parse_arp(&r, eth.src, np);
	return eth.type == ETH_T_IP6 && parse_nd(&r, eth.src, np);
}

/* One message with a MAC in its option. */
static void emit_nd(struct wr *w, uint8_t type, uint32_t flags,
		    const addr *from, const addr *to, const addr *target,
		    mac own)
{
	uint8_t msg[ND_MSG_LEN];
	struct wr m = wr_init(msg, sizeof(msg));
	uint16_t csum;

	wr_u8(&m, type);
	wr_zero(&m, 3); /* code, checksum */
	wr_u32(&m, flags);
	wr_bytes(&m, target->b, sizeof(target->b));
	wr_u8(&m, type == ND_SOLICIT ? ND_O_SOURCE : ND_O_TARGET);
	wr_u8(&m, ND_OPTION_UNITS);
	wr_bytes(&m, own.b, sizeof(own.b));
	csum = csum_fold(csum_add(
		msg, sizeof(msg),
		csum_pseudo(from, to, IPPROTO_ICMPV6, sizeof(msg))));
	msg[ICMP6_AT_CSUM] = (uint8_t)(csum >> 8);
	msg[ICMP6_AT_CSUM + 1] = (uint8_t)csum;
	wr_u32(w, IP6_VERSION);
	wr_u16(w, sizeof(msg));
	wr_u8(w, IPPROTO_ICMPV6);
	wr_u8(w, ND_HOP_LIMIT);
	wr_bytes(w, from->b, sizeof(from->b));
	wr_bytes(w, to->b, sizeof(to->b));
	wr_bytes(w, msg, sizeof(msg));
}

static void answer_nd(struct wr *w, const struct neighbour *n, mac own)
{
	bool to_all = addr_is_unspecified(&n->reply);
	struct eth_hdr eth = {.dst = to_all ? all_nodes_mac : n->mac,
			      .src = own,
			      .type = ETH_T_IP6};

	eth_emit(w, &eth);
	emit_nd(w, ND_ADVERTISE,
		to_all ? ND_F_OVERRIDE : ND_F_SOLICITED | ND_F_OVERRIDE,
		&n->asked, to_all ? &all_nodes : &n->reply, &n->asked, own);
}

static void emit_arp(struct wr *w, const struct arp_msg *m, mac to)
{
	struct eth_hdr eth = {.dst = to, .src = m->sha, .type = ETH_T_ARP};

	eth_emit(w, &eth);
	arp_emit(w, m);
}

void neighbour_answer(struct wr *w, const struct neighbour *n, mac own)
{
	struct arp_msg m = {.op = ARP_REPLY,
			    .sha = own,
			    .spa = n->asked,
			    .tha = n->mac,
			    .tpa = n->reply};

	if (addr_is_v4(&n->asked))
		emit_arp(w, &m, n->mac);
	else
		answer_nd(w, n, own);
}

void neighbour_ask(struct wr *w, mac own, const addr *from, mac to,
		   const addr *ip)
{
	struct arp_msg m = {
		.op = ARP_REQUEST, .sha = own, .spa = *from, .tpa = *ip};
	struct eth_hdr eth = {.dst = to, .src = own, .type = ETH_T_IP6};

	if (addr_is_v4(ip)) {
		emit_arp(w, &m, to);
		return;
	}
	eth_emit(w, &eth);
	emit_nd(w, ND_SOLICIT, 0, from, ip, ip, own);
}
