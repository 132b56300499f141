/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way of one frame through the gateway: is it for us, is it sound, whose
 * is it.  Each frame is parsed once, here.  Called by gateway.c for every
 * frame of a batch, the worker's thread; what gateway_is_shared() asks, by legs
 * on theirs, too: it reads what is written in pauses only.
 */
#include <netinet/in.h>

#include "gateway/gateway_priv.h"
#include "wire/arp.h"
#include "wire/dhcp.h"
#include "wire/dhcp6.h"
#include "wire/eth.h"
#include "wire/ntp.h"
#include "wire/udp.h"

/* What a part does with a packet of its protocol. */
typedef void (*proto_fn)(struct gateway *gw, const struct packet *pkt,
			 const struct frame *f);

static enum drop_reason l4_reason(uint8_t proto)
{
	if (proto == IPPROTO_TCP)
		return DROP_TCP_SHORT;
	return proto == IPPROTO_UDP ? DROP_UDP_SHORT : DROP_ICMP_SHORT;
}

static enum drop_reason parse_reason(enum packet_result r,
				     const struct packet *pkt)
{
	static const uint8_t why[] = {
		[PACKET_OK] = DROP_ETHERTYPE,
		[PACKET_NOT_IP] = DROP_ETHERTYPE,
		[PACKET_ETH_SHORT] = DROP_FRAME_SHORT,
		[PACKET_IP4_SHORT] = DROP_IP4_SHORT,
		[PACKET_IP4_CSUM] = DROP_IP4_CSUM,
		[PACKET_IP4_OPTIONS] = DROP_IP4_OPTIONS,
		[PACKET_IP6_SHORT] = DROP_IP6_SHORT,
	};

	return r == PACKET_L4_SHORT ? l4_reason(pkt->proto) : why[r];
}

bool gateway_is_ours(const struct gateway *gw, const addr *a)
{
	return nat_is_ours(&gw->nat, a) || gateway_is_guestfwd(gw, a);
}

/* Answers a request for one of our addresses, and nobody else's. */
static void input_arp(struct gateway *gw, const struct packet *pkt,
		      const struct frame *f)
{
	uint8_t buf[FRAME_ETH_LEN + ARP_LEN];
	struct rd r = rd_init(f->hdr, f->hdr_len);
	struct wr w = wr_init(buf, sizeof(buf));
	struct batch b = {.n = 1};
	struct eth_hdr eth;
	struct arp_msg m, reply;

	rd_skip(&r, FRAME_ETH_LEN);
	if (!arp_parse(&r, &m)) {
		drop(gw->nat.drops, DROP_ARP_BAD);
		return;
	}
	if (gateway_source_ok(gw, &m.spa))
		gateway_learn(gw, &m.spa, m.sha);
	if (m.op != ARP_REQUEST || !gateway_is_ours(gw, &m.tpa))
		return;
	reply = (struct arp_msg){.op = ARP_REPLY,
				 .sha = gw->nat.gw_mac,
				 .spa = m.tpa,
				 .tha = m.sha,
				 .tpa = m.spa};
	eth = (struct eth_hdr){
		.dst = pkt->eth_src, .src = gw->nat.gw_mac, .type = ETH_T_ARP};
	eth_emit(&w, &eth);
	arp_emit(&w, &reply);
	b.f[0] = frame_flat(buf, sizeof(buf));
	(void)lan_input(gw->nat.port, &b, false); /* losses are counted */
}

/* True for the MAC of a gateway (ours or another) of our network: QEMU's are
 * 52:55 and the address, and so are ours.  Two on one lan would answer each
 * other, each inside the call in which the other sends.  A guest may well have
 * a MAC that begins with 52:55. */
static bool is_gateway_mac(const struct gateway *gw, const mac *m)
{
	addr a = addr_v4_bytes(m->b + 2);

	return m->b[0] == 0x52 && m->b[1] == 0x55 &&
	       prefix_has(&gw->nat.v4.net, &a);
}

/* True if the frame's MACs say that it is ours to look at. */
static bool is_for_us(const struct gateway *gw, const struct packet *pkt)
{
	const mac *dst = &pkt->eth_dst;

	if (is_gateway_mac(gw, &pkt->eth_src) ||
	    mac_eq(pkt->eth_src, gw->nat.gw_mac))
		return false;
	return mac_eq(*dst, gw->nat.gw_mac) || mac_is_group(*dst) ||
	       mac_eq(*dst, gw->dns_mac);
}

bool gateway_source_ok(const struct gateway *gw, const addr *src)
{
	const struct subnet *s = nat_subnet(&gw->nat, src);

	/* In IPv6 the network's own address is every router's (RFC 4291
	 * 2.6.1). */
	return subnet_has(s, src) && !gateway_is_ours(gw, src) &&
	       !addr_eq(src, &s->net.ip) && !addr_eq(src, &gw->broadcast4);
}

bool gateway_neighbour_ok(const struct gateway *gw, const addr *a)
{
	if (addr_is_link_local6(a))
		return gw->nat.v6.is_on && !addr_eq(a, &gw->nat.ll6);
	return gateway_source_ok(gw, a);
}

static bool is_group_dst(const struct gateway *gw, const struct packet *pkt)
{
	const addr *dst = &pkt->dst.ip;

	return mac_is_group(pkt->eth_dst) || addr_is_multicast(dst) ||
	       addr_is_broadcast(dst) || addr_eq(dst, &gw->broadcast4);
}

static void input_tcp(struct gateway *gw, const struct packet *pkt,
		      const struct frame *f)
{
	tcp_input(gw->tcp, pkt, f);
}

/* The payload of a sound datagram, as one piece: its length, -1 if the
 * checksum is wrong or it is longer than a service takes. */
static int service_payload(struct gateway *gw, const struct packet *pkt,
			   const struct frame *f, enum drop_reason too_long)
{
	uint32_t len;

	if (!udp_check(&gw->nat, pkt, f, &len))
		return -1; /* counted there */
	if (len > sizeof(gw->payload) ||
	    !frame_copy(f, pkt->l4_off + UDP_HDR_LEN, len, gw->payload)) {
		drop(gw->nat.drops, too_long);
		return -1;
	}
	return (int)len;
}

/* A datagram to this port of the gateway, at its address or the link's. */
static bool is_to_port(const struct gateway *gw, const struct packet *pkt,
		       uint16_t port)
{
	const addr *dst = &pkt->dst.ip;
	const struct subnet *s = nat_subnet(&gw->nat, dst);

	return pkt->dst.port == port && s->is_on &&
	       (addr_eq(dst, &s->gw) || addr_eq(dst, &gw->nat.ll6));
}

static bool is_tftp(const struct gateway *gw, const struct packet *pkt)
{
	return gw->tftp && is_to_port(gw, pkt, TFTP_PORT);
}

static bool is_ntp(const struct gateway *gw, const struct packet *pkt)
{
	return gw->ntp && is_to_port(gw, pkt, NTP_PORT);
}

enum gateway_taker gateway_udp_taker(const struct gateway *gw,
				     const struct packet *pkt)
{
	if (is_tftp(gw, pkt))
		return TAKER_TFTP;
	if (is_ntp(gw, pkt))
		return TAKER_NTP;
	if (pkt->dst.port == DNS_PORT && gateway_is_dns(gw, &pkt->dst.ip))
		return TAKER_DNS;
	return TAKER_NAT;
}

static void input_udp(struct gateway *gw, const struct packet *pkt,
		      const struct frame *f)
{
	int len;

	switch (gateway_udp_taker(gw, pkt)) {
	case TAKER_TFTP:
		len = service_payload(gw, pkt, f, DROP_TFTP_BAD);
		if (len >= 0)
			tftp_input(gw->tftp, pkt, gw->payload, (size_t)len);
		return;
	case TAKER_NTP:
		len = service_payload(gw, pkt, f, DROP_NTP_BAD);
		if (len >= 0)
			ntp_input(gw->ntp, pkt, gw->payload, (size_t)len);
		return;
	case TAKER_DNS:
		len = service_payload(gw, pkt, f, DROP_DNS_BAD);
		if (len >= 0)
			dns_input(gw->dns, pkt, gw->payload, (size_t)len);
		return;
	case TAKER_NAT:
		udp_input(gw->udp, pkt, f);
		return;
	}
}

static bool is_dhcp4(const struct gateway *gw, const struct packet *pkt)
{
	const addr *dst = &pkt->dst.ip;

	return pkt->dst.port == DHCP_PORT_SERVER &&
	       pkt->src.port == DHCP_PORT_CLIENT &&
	       (addr_is_broadcast(dst) || addr_eq(dst, &gw->nat.v4.gw) ||
		addr_eq(dst, &gw->broadcast4));
}

/* Clients send from any port (RFC 8415 7.2). */
static bool is_dhcp6(const struct gateway *gw, const struct packet *pkt)
{
	const addr servers = {{0xff, 0x02, [13] = 1, 0, 2}};

	return gw->nat.v6.is_on && pkt->dst.port == DHCP6_PORT_SERVER &&
	       pkt->ip_version == 6 &&
	       (addr_eq(&pkt->dst.ip, &servers) ||
		nat_is_ours(&gw->nat, &pkt->dst.ip));
}

/* DHCP comes from machines without an address: no source is asked for. */
static bool input_dhcp(struct gateway *gw, const struct packet *pkt,
		       const struct frame *f)
{
	bool is_v6 = is_dhcp6(gw, pkt);
	int len;

	if (pkt->proto != IPPROTO_UDP || (!is_v6 && !is_dhcp4(gw, pkt)))
		return false;
	if (gw->config.serving.lacks & (is_v6 ? LACK_DHCP6 : LACK_DHCP4)) {
		drop(gw->nat.drops, DROP_RESTRICTED);
		return true;
	}
	len = service_payload(gw, pkt, f, DROP_DHCP_BAD);
	if (len >= 0 && is_v6)
		dhcp6_input(gw->dhcp6, pkt, gw->payload, (size_t)len);
	else if (len >= 0)
		dhcp_input(gw->dhcp, pkt, gw->payload, (size_t)len);
	return true;
}

/* Whether the protocol is one that is served at all. */
static bool is_carried(const struct gateway *gw, const struct packet *pkt)
{
	const uint32_t lacks = gw->config.serving.lacks;

	switch (pkt->proto) {
	case IPPROTO_TCP:
		return !(lacks & LACK_TCP);
	case IPPROTO_UDP:
		return !(lacks & LACK_UDP);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return !(lacks & LACK_ICMP);
	}
	return true;
}

bool gateway_is_far(const struct gateway *gw, const addr *a)
{
	if (!gateway_is_ours(gw, a))
		return true;
	return nat_is_host(&gw->nat, a) && !gateway_is_dns(gw, a) &&
	       !gateway_is_guestfwd(gw, a);
}

/* A datagram that is for no service, and no answer to a forward's client. */
static bool is_shared_udp(const struct gateway *gw, const struct packet *pkt)
{
	return !is_tftp(gw, pkt) && !is_ntp(gw, pkt) && !is_dhcp4(gw, pkt) &&
	       !is_dhcp6(gw, pkt) &&
	       !gateway_legs_forward(gw->legs, pkt->src.port);
}

bool gateway_is_shared(const struct gateway *gw, const struct packet *pkt)
{
	bool is_udp = pkt->proto == IPPROTO_UDP;

	if (pkt->is_fragment || (pkt->proto != IPPROTO_TCP && !is_udp) ||
	    !is_for_us(gw, pkt) ||
	    !nat_subnet(&gw->nat, &pkt->src.ip)->is_on ||
	    !gateway_source_ok(gw, &pkt->src.ip) || is_group_dst(gw, pkt) ||
	    !is_carried(gw, pkt) || !gateway_is_far(gw, &pkt->dst.ip))
		return false;
	if (pkt->ttl <= 1 && !gateway_is_ours(gw, &pkt->dst.ip))
		return false;
	return !is_udp || is_shared_udp(gw, pkt);
}

static void input_icmp(struct gateway *gw, const struct packet *pkt,
		       const struct frame *f)
{
	struct icmp_refusal r;

	if (!icmp_is_refusal(pkt, f, &r))
		icmp_input(gw->icmp, pkt, f);
	else if (!icmp_check(gw->icmp, pkt, f))
		return; /* counted there */
	else if (gw->legs && gateway_legs_refused(gw, &r))
		return;
	else if (r.proto == IPPROTO_TCP)
		tcp_guest_refused(gw->tcp, &r);
	else
		udp_refused(gw->udp, &r);
}

/* ICMP of its own family. */
static bool is_icmp(const struct packet *pkt)
{
	return pkt->proto == icmp_proto(&pkt->src.ip);
}

/* What restrict= lets through (reference 2.7): replies to forwarded ports and
 * what is asked of our own addresses.  TCP is judged by its own part, for it
 * is refused and not dropped. */
static bool is_allowed(const struct gateway *gw, const struct packet *pkt,
		       const struct frame *f)
{
	const struct gateway_config *c = &gw->config;
	bool is_dns = gateway_is_dns(gw, &pkt->dst.ip);

	if (!is_carried(gw, pkt))
		return false;
	if (!c->is_restricted || pkt->proto == IPPROTO_TCP)
		return true;
	/* The whole is judged when it is put together. */
	if (pkt->is_fragment)
		return pkt->ttl > 1 &&
		       (pkt->proto == IPPROTO_UDP || is_icmp(pkt));
	if (pkt->proto == IPPROTO_UDP)
		return (gateway_has_dns(gw) && is_dns &&
			pkt->dst.port == DNS_PORT) ||
		       is_tftp(gw, pkt) || is_ntp(gw, pkt) ||
		       udp_is_answer(gw->udp, pkt);
	/* An error is about something that was let through. */
	return is_icmp(pkt) &&
	       (nat_is_ours(&gw->nat, &pkt->dst.ip) ||
		f->hdr[pkt->l4_off] != icmp_echo_type(&pkt->src.ip));
}

static const proto_fn proto_table[256] = {
	[IPPROTO_ICMP] = input_icmp,
	[IPPROTO_ICMPV6] = input_icmp,
	[IPPROTO_TCP] = input_tcp,
	[IPPROTO_UDP] = input_udp,
};

/* Who takes a packet of this protocol; NULL: nobody. */
static proto_fn proto_of(const struct packet *pkt)
{
	bool is_any_icmp = pkt->proto == IPPROTO_ICMP ||
			   pkt->proto == IPPROTO_ICMPV6;

	return is_any_icmp && !is_icmp(pkt) ? NULL : proto_table[pkt->proto];
}

/* A packet that is for us to carry, to the part that can. */
static void input_transport(struct gateway *gw, const struct packet *pkt,
			    const struct frame *f)
{
	proto_fn input = proto_of(pkt);

	if (gw->legs && gateway_is_shared(gw, pkt)) {
		carrier_carry(gw->legs->first, pkt, f);
		return;
	}
	if (input) {
		input(gw, pkt, f);
		return;
	}
	drop(gw->nat.drops, DROP_IP_PROTOCOL);
	icmp_error(gw->icmp, ICMP_UNREACHABLE, ICMP_U_PROTOCOL, 0, pkt, f);
}

/* True for a fragment of a datagram that we may serve: what is behind options
 * for the destination shows only when it is whole. */
static bool is_for_reasm(const struct packet *pkt)
{
	bool may_show = pkt->ip_version == 6 && pkt->proto == IPPROTO_DSTOPTS;

	return pkt->is_fragment && (proto_of(pkt) || may_show);
}

/* A fragment of such a datagram. */
static void input_fragment(struct gateway *gw, const struct packet *pkt,
			   const struct frame *f)
{
	/* Kept, as f is, until the batch ends. */
	const struct frame *whole = reasm_input(
		gw->reasm, lan_ingress(gw->port.lan), pkt, f);
	enum packet_result r;
	struct packet p;

	if (!whole)
		return;
	r = packet_parse(whole->hdr, whole->hdr_len, whole->len, &p);
	if (r != PACKET_OK || p.is_fragment) {
		drop(gw->nat.drops, r == PACKET_OK ? DROP_FRAG_BAD
						   : parse_reason(r, &p));
		return;
	}
	p.df = false; /* it came in fragments, and may leave in some */
	if (input_dhcp(gw, &p, whole))
		return;
	else if (is_allowed(gw, &p, whole))
		input_transport(gw, &p, whole);
	else
		drop(gw->nat.drops, DROP_RESTRICTED);
}

/* Addresses of the link are for the link: RFC 4443 3.1, "beyond scope". */
static bool is_beyond_scope(const struct gateway *gw, const struct packet *pkt)
{
	return addr_is_link_local6(&pkt->src.ip) &&
	       !gateway_is_ours(gw, &pkt->dst.ip);
}

enum drop_reason gateway_refuses(const struct gateway *gw,
				 const struct packet *pkt,
				 const struct frame *f)
{
	if (is_group_dst(gw, pkt))
		return DROP_IP_MULTICAST;
	if (!is_allowed(gw, pkt, f))
		return DROP_RESTRICTED;
	if (is_beyond_scope(gw, pkt))
		return DROP_IP_DEST;
	if (pkt->ttl <= 1 && !gateway_is_ours(gw, &pkt->dst.ip))
		return DROP_IP_TTL;
	return DROP_N;
}

static void refuse(struct gateway *gw, enum drop_reason why,
		   const struct packet *pkt, const struct frame *f)
{
	drop(gw->nat.drops, why);
	if (why == DROP_IP_DEST)
		icmp_error(gw->icmp, ICMP_UNREACHABLE, ICMP_U_SCOPE, 0, pkt, f);
	else if (why == DROP_IP_TTL)
		icmp_error(gw->icmp, ICMP_TIME_EXCEEDED, 0, 0, pkt, f);
}

/* A sound packet of a family that is served. */
static void input_ip(struct gateway *gw, const struct packet *pkt,
		     const struct frame *f)
{
	enum drop_reason why;

	if (!pkt->is_fragment &&
	    (input_dhcp(gw, pkt, f) || gateway_nd_input(gw, pkt, f)))
		return;
	if (!gateway_neighbour_ok(gw, &pkt->src.ip)) {
		drop(gw->nat.drops, DROP_IP_SOURCE);
		return;
	}
	gateway_learn(gw, &pkt->src.ip, pkt->eth_src);
	if (gw->groups && addr_is_multicast(&pkt->dst.ip)) {
		groups_input(gw->groups, pkt, f);
		return;
	}
	why = gateway_refuses(gw, pkt, f);
	if (why != DROP_N) {
		refuse(gw, why, pkt, f);
		return;
	}
	if (is_for_reasm(pkt))
		input_fragment(gw, pkt, f);
	else
		input_transport(gw, pkt, f);
}

void gateway_input(struct gateway *gw, const struct frame *f)
{
	struct drops *drops = gw->nat.drops;
	struct packet pkt;
	enum packet_result r = packet_parse(f->hdr, f->hdr_len, f->len, &pkt);

	if (frame_may_be_cut(f))
		pkt.df = false;
	if (r != PACKET_ETH_SHORT && !is_for_us(gw, &pkt)) {
		drop(drops, DROP_NOT_FOR_US);
		return;
	}
	if (r == PACKET_OK && nat_subnet(&gw->nat, &pkt.src.ip)->is_on)
		input_ip(gw, &pkt, f);
	else if (r == PACKET_NOT_IP && pkt.ethertype == ETH_T_ARP)
		input_arp(gw, &pkt, f);
	else
		drop(drops, parse_reason(r, &pkt));
}
