/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a packet would go that nobody sends (vmlan why): one is made up, and
 * what decides about packets is asked about it, in the order in which it would
 * be: gateway_input.c, the NAT's mapping, the name server's zone, cache and
 * choice of resolvers, the host's routing by a socket that sends nothing.
 * Called by the engine; worker 0's thread, between batches.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/nat64.h"
#include "base/mem.h"
#include "gateway/gateway_priv.h"
#include "service/dns_cache.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip.h"

enum {
	PORT_DISCARD = 9,
	OPT_LEN = 11, /* without options (RFC 6891 6.1.2) */
	QUESTION_LEN = DNS_HDR_LEN + DNS_NAME_LEN + 4 + OPT_LEN,
};

/* ---- names ---- */

static size_t make_question(const char *name, bool is_v4, uint16_t flags,
			    bool has_opt, uint8_t buf[static QUESTION_LEN])
{
	const struct dns_hdr h = {
		.flags = flags, .n_question = 1, .n_extra = has_opt};
	struct wr w = wr_init(buf, QUESTION_LEN);

	dns_hdr_emit(&w, &h);
	if (!dns_name_emit(&w, name))
		return 0;
	wr_u16(&w, is_v4 ? DNS_T_A : DNS_T_AAAA);
	wr_u16(&w, DNS_C_IN);
	if (has_opt) {
		wr_u8(&w, 0); /* the root */
		wr_u16(&w, DNS_T_OPT);
		wr_u16(&w, DNS_UDP_MAX);
		wr_u32(&w, 0);
		wr_u16(&w, 0);
	}
	return wr_ok(&w) ? wr_len(&w) : 0;
}

/* The first address in an answer; returns its rcode. */
static enum dns_rcode read_answer(const struct rd *msg, addr *ap)
{
	struct dns_record r;
	struct dns_walk w;

	*ap = (addr){{0}};
	if (!dns_walk_begin(&w, msg))
		return DNS_SERVFAIL;
	while (addr_is_unspecified(ap) && dns_walk_next(&w, &r)) {
		if (r.type == DNS_T_A && rd_left(&r.data) == 4)
			*ap = addr_v4_bytes(r.data.p);
		else if (r.type == DNS_T_AAAA && rd_left(&r.data) == 16)
			memcpy(ap->b, r.data.p, 16);
	}
	return (enum dns_rcode)(w.q.hdr.flags & DNS_F_RCODE);
}

/* What we know of a name ourselves: true, with a step, unless somebody else has
 * to be asked. */
static bool name_own(struct gateway *gw, const char *name, bool is_v4,
		     struct why_trail *t, addr *ap)
{
	uint8_t q[QUESTION_LEN], made[DNS_UDP_MAX];
	struct rd msg = rd_init(q, make_question(name, is_v4, DNS_F_RD,
						  false, q));
	struct wr w = wr_init(made, sizeof(made));
	enum dns_rcode rcode;
	struct why_step *s;
	struct rd a;

	if (!dns_emit_own(gw->dns, &msg, !is_v4, &w))
		return false;
	a = rd_init(made, wr_len(&w));
	rcode = read_answer(&a, ap);
	s = why_put(t, rcode == DNS_REFUSED ? WHY_NAME_CLOSED : WHY_NAME_OWN,
		    addr_is_unspecified(ap) ? WHY_NO : WHY_YES);
	s->ep.ip = *ap;
	return true;
}

/* What was answered before, to any of the questions that resolvers of guests
 * put. */
static bool name_kept(struct gateway *gw, const char *name, bool is_v4,
		      struct why_trail *t, addr *ap, enum dns_rcode *rcodep)
{
	static const struct {
		uint16_t flags;
		bool has_opt;
	} ways[] = {
		{DNS_F_RD, false},
		{DNS_F_RD, true},
		{DNS_F_RD | DNS_F_AD, false},
		{DNS_F_RD | DNS_F_AD, true},
	};
	uint8_t q[QUESTION_LEN], kept[DNS_CACHE_LEN];

	for (size_t i = 0; i < array_len(ways); i++) {
		struct rd msg = rd_init(
			q, make_question(name, is_v4, ways[i].flags,
					 ways[i].has_opt, q));
		struct wr w = wr_init(kept, sizeof(kept));
		struct why_step *s;
		struct rd a;

		if (!dns_recall(gw->dns, &msg, &w))
			continue;
		a = rd_init(kept, wr_len(&w));
		*rcodep = read_answer(&a, ap);
		s = why_put(t, WHY_NAME_KEPT,
			    addr_is_unspecified(ap) ? WHY_NO : WHY_YES);
		s->ep.ip = *ap;
		return true;
	}
	return false;
}

/* The network's own name, as a guest writes it whose domain is the zone. */
static bool name_short(struct gateway *gw, const char *name, bool is_v4,
		       struct why_trail *t, addr *ap)
{
	char full[2 * GATEWAY_NAME_LEN];
	struct why_trail tried = {.n = 0};

	if (strchr(name, '.') || !gw->config.zone[0])
		return false;
	snprintf(full, sizeof(full), "%s.%s", name, gw->config.zone);
	if (!name_own(gw, full, is_v4, &tried, ap) || addr_is_unspecified(ap))
		return false;
	why_put(t, WHY_NAME_OWN, WHY_YES)->ep.ip = *ap;
	return true;
}

/* .. where an address of IPv6 is made of one of IPv4, as nobody has the former,
 * or one that leads nowhere (dns64.c).  *asksp: nobody knows yet whether. */
static bool name_made(struct gateway *gw, const char *name, struct why_trail *t,
		      bool *asksp)
{
	struct why_trail tried = {.n = 0};
	enum dns_rcode rcode;
	addr ip;

	if (!gw->nat.nat64.len ||
	    !name_kept(gw, name, false, &tried, &ip, &rcode) ||
	    rcode == DNS_NXDOMAIN ||
	    (!addr_is_unspecified(&ip) &&
	     dns64_is_useful(dns_dns64(gw->dns), &ip)))
		return false;
	*asksp = !name_kept(gw, name, true, &tried, &ip, &rcode);
	if (*asksp || addr_is_unspecified(&ip))
		return false;
	why_put(t, WHY_NAME_KEPT, WHY_YES)->ep.ip =
		nat64_v6(&gw->nat.nat64, &ip);
	return true;
}

static void look_up(struct gateway *gw, const char *name, bool is_v4,
		    struct why_trail *t)
{
	uint8_t text[QUESTION_LEN];
	uint64_t tried = 0;
	struct endpoint ep;
	enum dns_rcode rcode;
	bool asks = false;
	struct rd msg;
	addr ip;

	msg = rd_init(text, make_question(name, is_v4, DNS_F_RD, false, text));
	if (!gateway_has_dns(gw) || rd_left(&msg) == 0) {
		why_put(t, WHY_NAME_NOWHERE, WHY_NO);
		return;
	}
	if (name_short(gw, name, is_v4, t, &ip) ||
	    name_own(gw, name, is_v4, t, &ip) ||
	    (!is_v4 && name_made(gw, name, t, &asks)) ||
	    (!asks && name_kept(gw, name, is_v4, t, &ip, &rcode)))
		return;
	if (dns_pick(gw->dns, &msg, &tried, &ep))
		why_put(t, WHY_NAME_ASKED, WHY_UNKNOWN)->ep = ep;
	else
		why_put(t, WHY_NAME_NOWHERE, WHY_NO);
}

/* Who would tell the addresses of a name, and what he would say, if that is
 * known here: a step for each family that the network has. */
static void look_up_all(struct gateway *gw, const char *name,
			struct why_trail *t)
{
	for (unsigned side = 0; side < 2; side++) {
		const struct subnet *s = side ? &gw->nat.v6 : &gw->nat.v4;
		uint32_t n = t->n;

		if (!s->is_on)
			continue;
		look_up(gw, name, side == 0, t);
		t->step[n].side = (uint8_t)side;
	}
}

/* ---- the packet ---- */

/* What it would look like, as far as anybody looks. */
struct made_up {
	struct packet pkt;
	struct frame f;
	uint8_t hdr[FRAME_ETH_LEN + IP6_HDR_LEN + ICMP_HDR_LEN];
};

static void make_up(struct made_up *m, const struct gateway *gw,
		    const struct gateway_why *q)
{
	bool is_v4 = addr_is_v4(&q->from.ip);
	uint32_t l4 = FRAME_ETH_LEN + ip_hdr_len(&q->from.ip);

	*m = (struct made_up){
		.pkt = {
			.eth_dst = gw->nat.gw_mac,
			.eth_src = q->from_mac,
			.ethertype = is_v4 ? ETH_T_IP4 : ETH_T_IP6,
			.ip_version = is_v4 ? 4 : 6,
			.proto = q->proto == IPPROTO_ICMP
					 ? icmp_proto(&q->from.ip)
					 : q->proto,
			.ttl = IP_HOP_LIMIT,
			.df = true,
			.src = q->from,
			.dst = q->to,
			.l3_off = FRAME_ETH_LEN,
			.l4_off = (uint16_t)l4,
			.l4_len = ICMP_HDR_LEN,
		},
	};
	if (q->proto == IPPROTO_ICMP) {
		m->pkt.src.port = m->pkt.dst.port = 0;
		m->hdr[l4] = icmp_echo_type(&q->from.ip);
	}
	m->f = frame_flat(m->hdr, l4 + ICMP_HDR_LEN);
}

static void put_own(struct why_trail *t, const char *what)
{
	struct why_step *s = why_put(t, WHY_OWN, WHY_YES);

	snprintf(s->text, sizeof(s->text), "%s", what);
}

/* NAT does not carry it: the reason in words. */
static void put_no_way(const struct gateway *gw, const struct packet *pkt,
		       struct why_trail *t)
{
	const struct nat_env *env = &gw->nat;
	const addr *dst = &pkt->dst.ip;

	if (gw->config.is_restricted)
		why_put(t, WHY_RESTRICTED, WHY_NO);
	else if (gateway_is_ours(gw, dst))
		why_put(t, WHY_NOT_OWN, WHY_NO)->ep = pkt->dst;
	else if (nat_is_inside(env, dst))
		why_put(t, WHY_NOBODY, WHY_NO)->ep = pkt->dst;
	else
		why_put(t, WHY_REFUSED, WHY_NO)->err = DROP_IP_DEST;
}

static void on_socket(struct host_sock *s, unsigned events)
{
	(void)s; /* nothing is sent by it */
	(void)events;
}

/* Whether the host would send there, by its routing and addresses. */
static void put_host_way(const struct gateway *gw, const struct endpoint *to,
			 struct why_trail *t)
{
	struct host *h = gw->nat.host;
	struct host_sock s = {.fd = -1, .event = on_socket};
	struct endpoint peer = *to, own = {.port = 0};
	struct why_step *step;
	int r = h->ops->open(h, &s, HOST_UDP, !addr_is_v4(&to->ip));

	peer.port = peer.port ? peer.port : PORT_DISCARD;
	if (r == 0)
		r = h->ops->connect(h, &s, &peer);
	if (r == 0)
		r = h->ops->local(h, &s, &own);
	h->ops->close(h, &s, false);
	step = why_put(t, WHY_HOST_WAY, r < 0 ? WHY_NO : WHY_YES);
	step->ep.ip = own.ip;
	step->err = -r;
}

/* Of ping, which some users may not. */
static bool has_ping(const struct gateway *gw, const addr *to)
{
	struct host *h = gw->nat.host;
	struct host_sock s = {.fd = -1, .event = on_socket};
	int r = h->ops->open(h, &s, HOST_PING, !addr_is_v4(to));

	h->ops->close(h, &s, false);
	return r != -EACCES && r != -EPERM;
}

static void put_mapped(const struct gateway *gw, const struct packet *pkt,
		       const struct endpoint *to, struct why_trail *t)
{
	bool is_ping = pkt->proto == icmp_proto(&pkt->src.ip);

	why_put(t, WHY_MAPPED, WHY_YES)->ep = *to;
	if (is_ping && !has_ping(gw, &to->ip))
		why_put(t, WHY_PING_DENIED, WHY_NO);
	else
		put_host_way(gw, to, t);
}

static void put_tcp(struct gateway *gw, const struct packet *pkt,
		    struct why_trail *t)
{
	bool is_dns = gateway_is_dns(gw, &pkt->dst.ip) &&
		      pkt->dst.port == DNS_PORT;
	struct endpoint to;

	switch (tcp_way(gw->tcp, &pkt->dst, &to)) {
	case TCP_WAY_NONE:
		put_no_way(gw, pkt, t);
		return;
	case TCP_WAY_SERVED:
		if (gateway_guestfwd_find(gw, &pkt->dst))
			put_own(t, "guestfwd=");
		else
			put_own(t, is_dns ? "DNS" : "HTTP");
		return;
	case TCP_WAY_HOST:
		put_mapped(gw, pkt, &to, t);
		return;
	}
}

static void put_mapping(struct gateway *gw, const struct packet *pkt,
			struct why_trail *t)
{
	struct endpoint to;

	if (nat_map_out(&gw->nat, pkt->proto, &pkt->dst, &to))
		put_mapped(gw, pkt, &to, t);
	else
		put_no_way(gw, pkt, t);
}

static void put_udp(struct gateway *gw, const struct packet *pkt,
		    struct why_trail *t)
{
	switch (gateway_udp_taker(gw, pkt)) {
	case TAKER_TFTP:
		put_own(t, "TFTP");
		return;
	case TAKER_NTP:
		put_own(t, "NTP");
		return;
	case TAKER_DNS:
		put_own(t, "DNS");
		return;
	case TAKER_NAT:
		put_mapping(gw, pkt, t);
		return;
	}
}

/* A packet of a guest's that the lan has brought. */
static void follow(struct gateway *gw, const struct made_up *m,
		   struct why_trail *t)
{
	const struct packet *pkt = &m->pkt;
	enum drop_reason why;

	if (!gateway_neighbour_ok(gw, &pkt->src.ip)) {
		why_put(t, WHY_SOURCE, WHY_NO)->ep = pkt->src;
		return;
	}
	why = gateway_refuses(gw, pkt, &m->f);
	if (why == DROP_RESTRICTED)
		why_put(t, WHY_RESTRICTED, WHY_NO);
	else if (why != DROP_N)
		why_put(t, WHY_REFUSED, WHY_NO)->err = (int)why;
	else if (pkt->proto == IPPROTO_TCP)
		put_tcp(gw, pkt, t);
	else if (pkt->proto == IPPROTO_UDP)
		put_udp(gw, pkt, t);
	else if (nat_is_ours(&gw->nat, &pkt->dst.ip))
		put_own(t, "ping");
	else
		put_mapping(gw, pkt, t);
}

/* ---- both ways ---- */

/* A connection to a guest: it is spoken to where it was heard. */
static void put_guest(struct gateway *gw, const addr *ip, struct why_trail *t)
{
	struct lan_path path = {.port = NULL};
	struct why_step *s;
	mac m;

	if (neigh_known(&gw->neigh, ip, &m))
		lan_path(&gw->port, m, &path);
	s = why_put(t, WHY_GUEST, path.port ? WHY_YES : WHY_UNKNOWN);
	s->ep.ip = *ip;
	if (path.port)
		snprintf(s->text, sizeof(s->text), "%s", path.port->name);
}

/* As the guest writes it that has IPv6 alone. */
static addr as_guest_has(const struct gateway *gw, const addr *from, addr to)
{
	if (addr_is_v4(&to) && !addr_is_v4(from) && gw->nat.nat64.len)
		return nat64_v6(&gw->nat.nat64, &to);
	return to;
}

void gateway_why(struct gateway *gw, const struct gateway_why *q,
		 struct why_trail *t)
{
	struct gateway_why a = *q;
	const struct subnet *own = nat_subnet(&gw->nat, &q->from.ip);
	struct made_up m;

	if (q->is_inward) {
		put_guest(gw, &q->to.ip, t);
		return;
	}
	if (!own->is_on) {
		why_put(t, WHY_FAMILY_OFF, WHY_NO)->ep = q->from;
		return;
	}
	if (q->only_name) {
		look_up_all(gw, q->name, t);
		return;
	}
	if (q->is_host && gw->nat.hides_host) {
		why_put(t, WHY_NOT_OWN, WHY_NO)->ep = q->to;
		return;
	}
	if (q->is_host)
		a.to.ip = *nat_host(&gw->nat, own);
	else if (addr_is_unspecified(&a.to.ip))
		a.to.ip = why_world(addr_is_v4(&q->from.ip));
	a.to.ip = as_guest_has(gw, &q->from.ip, a.to.ip);
	if (addr_is_v4(&a.to.ip) != addr_is_v4(&q->from.ip)) {
		why_put(t, WHY_FAMILY_OFF, WHY_NO)->ep = a.to;
		return;
	}
	make_up(&m, gw, &a);
	follow(gw, &m, t);
}
