/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP and neighbour discovery as one; see neighbour.h. */
#include "wire/neighbour.h"

#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/group.h"
#include "wire/nd.h"

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

/* True if the message is about its sender's MAC.  It may leave that out where
 * it goes to one machine, or where nothing is said yet (RFC 4861 4.3, 4.4). */
static bool is_senders(const struct packet *pkt, const struct nd_msg *m)
{
	mac said = m->type == ND_SOLICIT ? m->source : m->target_mac;

	if (mac_is_zero(said))
		return addr_is_unspecified(&pkt->src.ip) ||
		       !addr_is_multicast(&pkt->dst.ip);
	return mac_eq(said, pkt->eth_src);
}

static bool parse_nd(const uint8_t *hdr, size_t hdr_len, size_t len,
		     struct neighbour *np)
{
	struct packet pkt;
	struct nd_msg m;

	if (packet_parse(hdr, hdr_len, len, &pkt) != PACKET_OK ||
	    pkt.is_fragment || pkt.l4_len > hdr_len - pkt.l4_off ||
	    !nd_parse(&pkt, hdr + pkt.l4_off, true, &m) ||
	    (m.type != ND_SOLICIT && m.type != ND_ADVERTISE) ||
	    !is_senders(&pkt, &m))
		return false;
	*np = (struct neighbour){.from = m.target, .mac = pkt.eth_src};
	if (m.type == ND_ADVERTISE)
		return true;
	np->asked = m.target;
	np->reply = pkt.src.ip;
	/* Who has no address yet is about to take this one. */
	if (!addr_is_unspecified(&pkt.src.ip))
		np->from = pkt.src.ip;
	return true;
}

bool neighbour_parse(const uint8_t *hdr, size_t hdr_len, size_t len,
		     struct neighbour *np)
{
	struct rd r = rd_init(hdr, hdr_len);
	struct eth_hdr eth;

	if (!eth_parse(&r, &eth))
		return false;
	if (eth.type == ETH_T_ARP)
		return parse_arp(&r, eth.src, np);
	return eth.type == ETH_T_IP6 && parse_nd(hdr, hdr_len, len, np);
}

static void emit_arp(struct wr *w, const struct arp_msg *m, mac to)
{
	struct eth_hdr eth = {.dst = to, .src = m->sha, .type = ETH_T_ARP};

	eth_emit(w, &eth);
	arp_emit(w, m);
}

static void answer_nd(struct wr *w, const struct neighbour *n, mac own)
{
	bool to_all = addr_is_unspecified(&n->reply);
	const addr to = to_all ? nd_all_nodes() : n->reply;
	const struct nd_msg m = {.type = ND_ADVERTISE,
				 .target = n->asked,
				 .target_mac = own,
				 .is_solicited = !to_all,
				 .overrides = true};

	nd_emit_frame(w, to_all ? group_mac(&to) : n->mac, own, &n->asked, &to,
		      &m);
}

void neighbour_answer(struct wr *w, const struct neighbour *n, mac own)
{
	const struct arp_msg m = {.op = ARP_REPLY,
				  .sha = own,
				  .spa = n->asked,
				  .tha = n->mac,
				  .tpa = n->reply};

	if (addr_is_v4(&n->asked))
		emit_arp(w, &m, n->mac);
	else
		answer_nd(w, n, own);
}

static void ask_nd(struct wr *w, mac own, const addr *from, mac to,
		   const addr *ip)
{
	struct nd_msg m = {.type = ND_SOLICIT, .target = *ip};
	addr dst = *ip;

	if (!addr_is_unspecified(from)) /* RFC 4861 4.3 */
		m.source = own;
	if (mac_is_broadcast(to)) {
		dst = nd_solicited(ip);
		to = group_mac(&dst);
	}
	nd_emit_frame(w, to, own, from, &dst, &m);
}

void neighbour_ask(struct wr *w, mac own, const addr *from, mac to,
		   const addr *ip)
{
	const struct arp_msg m = {
		.op = ARP_REQUEST, .sha = own, .spa = *from, .tpa = *ip};

	if (addr_is_v4(ip))
		emit_arp(w, &m, to);
	else
		ask_nd(w, own, from, to, ip);
}
