/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour discovery of the gateway (gateway_nd.h). */
#include "gateway/gateway_nd.h"

#include <netinet/in.h>

#include "gateway/gateway_priv.h"
#include "wire/dns.h"
#include "wire/group.h"
#include "wire/ip.h"

#define MS_NS UINT64_C(1000000)
#define SECOND_NS (1000 * MS_NS)

enum {
	ADVERT_MAX = ETH_HDR_LEN + IP6_MTU_MIN,
};

static void tell(struct gateway *gw, mac to, const addr *src, const addr *dst,
		 const struct nd_msg *m)
{
	uint8_t buf[ADVERT_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	struct batch b = {.n = 1};

	nd_emit_frame(&w, to, gw->nat.gw_mac, src, dst, m);
	b.f[0] = frame_flat(buf, (uint32_t)wr_len(&w));
	(void)lan_input(gw->nat.port, &b, false); /* losses are counted */
}

/* Whom we advertise. */
static const addr *router_address(const struct gateway *gw)
{
	const addr *other = &gw->config.router6;

	return addr_is_unspecified(other) ? &gw->nat.ll6 : other;
}

bool gateway_is_way6(const struct gateway *gw)
{
	const struct gateway_config *c = &gw->config;
	bool is_way = c->has_way6 || (c->has_way4 && gw->nat.nat64.len);

	/* restrict= is no matter of another router's. */
	if (router_address(gw) != &gw->nat.ll6)
		return c->has_way6;
	return is_way && !c->is_restricted && !gw->nat.has_other_router;
}

/* What we are; lifetime_s 0: nothing any more. */
static struct nd_msg router(const struct gateway *gw, uint16_t lifetime_s)
{
	const struct subnet *s = &gw->nat.v6;
	struct nd_msg m = {.type = ND_ADVERTISE_ROUTER};
	struct nd_router *ra = &m.router;

	/* Another router is asked for where it is. */
	if (router_address(gw) == &gw->nat.ll6)
		m.source = gw->nat.gw_mac;
	ra->hop_limit = IP_HOP_LIMIT;
	ra->is_managed = gw->dhcp6;
	ra->has_other = gw->dhcp6;
	ra->lifetime_s = gateway_is_way6(gw) ? lifetime_s : 0;
	ra->mtu = gw->nat.mtu < IP6_MTU_MIN ? IP6_MTU_MIN : gw->nat.mtu;
	ra->has_prefix = true;
	ra->is_on_link = true;
	ra->is_autonomous = s->net.len == SLAAC_LEN;
	ra->prefix = s->net;
	ra->valid_s = GATEWAY_RA_VALID_SECONDS;
	ra->preferred_s = GATEWAY_RA_PREFERRED_SECONDS;
	if (gateway_nameserver(gw, false, &ra->dns))
		ra->dns_s = lifetime_s;
	ra->nat64 = gw->nat.nat64;
	ra->nat64_s = lifetime_s;
	ra->search = gw->nd.search;
	ra->search_len = gw->nd.search_len;
	ra->search_s = lifetime_s;
	return m;
}

/* What the i-th network of before is: nothing to begin with (RFC 9096 3.5).
 * False: it is past. */
static bool router_was(const struct gateway *gw, unsigned i,
		       uint16_t lifetime_s, struct nd_msg *m)
{
	const struct subnet *s = &gw->nat.was6[i];
	uint64_t age_s = (*gw->nat.now_ns - gw->nd.was_ns[i]) / SECOND_NS;
	struct nd_router *ra = &m->router;

	if (age_s >= GATEWAY_RA_WAS_SECONDS)
		return false;
	*m = router(gw, lifetime_s);
	ra->mtu = 0;
	ra->nat64.len = 0;
	ra->search_len = 0;
	ra->prefix = s->net;
	ra->preferred_s = 0;
	ra->valid_s = GATEWAY_RA_WAS_SECONDS - (uint32_t)age_s;
	ra->dns = s->dns;
	ra->dns_s = 0;
	/* It is not of the prefix, or nobody was told of it. */
	if (addr_eq(&s->dns, &gw->nat.v6.dns) ||
	    gw->config.serving.has_nameserver)
		ra->dns = (addr){{0}};
	return true;
}

/* All that there is to say, in several messages (RFC 4861 6.2.3). */
static void advertise(struct gateway *gw, mac to, const addr *dst,
		      uint16_t lifetime_s)
{
	struct nd_msg m = router(gw, lifetime_s);

	tell(gw, to, router_address(gw), dst, &m);
	for (unsigned i = 0; i < gw->nat.n_was6; i++) {
		if (router_was(gw, i, lifetime_s, &m))
			tell(gw, to, router_address(gw), dst, &m);
	}
}

static bool lacks_ra(const struct gateway *gw)
{
	return gw->config.serving.lacks & (LACK_RA | LACK_ND);
}

static void tell_all(struct gateway *gw, uint16_t lifetime_s)
{
	const addr all = nd_all_nodes();

	advertise(gw, group_mac(&all), &all, lifetime_s);
	gw->nd.n_sent++;
	gw->nd.n_same++;
	gw->nd.sent_ns = *gw->nat.now_ns;
}

/* Until the next one. */
static uint64_t interval_ns(struct gateway_nd *nd)
{
	const unsigned range =
		GATEWAY_RA_MAX_SECONDS - GATEWAY_RA_MIN_SECONDS + 1;

	if (nd->n_same < GATEWAY_RA_FIRST)
		return GATEWAY_RA_FIRST_SECONDS * SECOND_NS;
	return SECOND_NS *
	       (GATEWAY_RA_MIN_SECONDS +
		hash_bytes(&nd->key, &nd->n_sent, sizeof(nd->n_sent)) % range);
}

static void turn(struct timer *t, uint64_t now_ns)
{
	struct gateway *gw = container_of(t, struct gateway, nd.timer);

	gateway_move_expire(gw);
	tell_all(gw, GATEWAY_RA_LIFETIME_SECONDS);
	timer_arm(gw->nat.wheel, t, now_ns + interval_ns(&gw->nd));
}

void gateway_nd_init(struct gateway *gw)
{
	const struct gateway_config *c = &gw->config;
	struct gateway_nd *nd = &gw->nd;
	struct wr w = wr_init(nd->search, sizeof(nd->search));

	nd->key = hash_key_new();
	timer_init(&nd->timer, turn);
	/* A name that does not fit is not looked through; the others are. */
	for (unsigned i = 0; i < c->n_dnssearch; i++)
		(void)dns_name_emit(&w, c->dnssearch[i]);
	if (c->domainname[0])
		(void)dns_name_emit(&w, c->domainname);
	nd->search_len = wr_len(&w);
}

void gateway_nd_start(struct gateway *gw)
{
	if (gw->nat.v6.is_on && !lacks_ra(gw))
		turn(&gw->nd.timer, *gw->nat.now_ns);
}

void gateway_nd_stop(struct gateway *gw)
{
	timer_disarm(gw->nat.wheel, &gw->nd.timer);
	if (gw->nd.n_sent)
		tell_all(gw, 0);
}

void gateway_nd_changed(struct gateway *gw)
{
	uint64_t at = gw->nd.sent_ns + GATEWAY_RA_AGAIN_MS * MS_NS;

	if (!gw->nd.n_sent)
		return;
	gw->nd.n_same = 0;
	if (*gw->nat.now_ns >= at)
		turn(&gw->nd.timer, *gw->nat.now_ns);
	else
		timer_arm(gw->nat.wheel, &gw->nd.timer, at);
}

/* A guest says itself where it is. */
static void learn(struct gateway *gw, const addr *ip, mac m)
{
	gateway_learn(gw, ip, m);
	lan_heard(gw->port.lan, ip);
}

/* Who asks without an address of its own is told by its MAC (RFC 6085): to
 * tell all would take its time. */
static void input_router_solicit(struct gateway *gw, const struct packet *pkt,
				 const struct nd_msg *m)
{
	const addr all = nd_all_nodes();
	bool is_nobody = addr_is_unspecified(&pkt->src.ip);

	if (!is_nobody && !mac_is_zero(m->source))
		learn(gw, &pkt->src.ip, m->source);
	if (!lacks_ra(gw))
		advertise(gw, pkt->eth_src, is_nobody ? &all : &pkt->src.ip,
			  GATEWAY_RA_LIFETIME_SECONDS);
}

/* Answers for our own addresses; one who wants to have one of them, and has no
 * address yet, hears with all others that it is taken (RFC 4862 5.4.3). */
static void input_solicit(struct gateway *gw, const struct packet *pkt,
			  const struct nd_msg *m)
{
	struct nd_msg answer = {.type = ND_ADVERTISE,
				.target = m->target,
				.target_mac = gw->nat.gw_mac,
				.is_router = gateway_is_way6(gw) &&
					     !gw->nat.has_other_router,
				.overrides = true};
	addr to = pkt->src.ip;
	mac to_mac = pkt->eth_src;

	if (!addr_is_unspecified(&to) && !mac_is_zero(m->source))
		learn(gw, &to, m->source);
	if (!gateway_is_ours(gw, &m->target))
		return;
	if (addr_is_unspecified(&to)) {
		to = nd_all_nodes();
		to_mac = group_mac(&to);
	} else {
		answer.is_solicited = true;
	}
	tell(gw, to_mac, &m->target, &to, &answer);
}

/* Nobody but a guest has a place in our table, and none takes another's on the
 * word of a third (RFC 4861 7.2.5: without the override flag). */
static void input_advert(struct gateway *gw, const struct packet *pkt,
			 const struct nd_msg *m)
{
	mac from = mac_is_zero(m->target_mac) ? pkt->eth_src : m->target_mac;
	mac known;

	if (!gateway_neighbour_ok(gw, &m->target)) {
		drop(gw->nat.drops, DROP_IP_SOURCE);
		return;
	}
	if (!m->overrides && neigh_known(&gw->neigh, &m->target, &known) &&
	    !mac_eq(known, from))
		return;
	learn(gw, &m->target, from);
}

static bool is_nd(const struct packet *pkt, const struct frame *f)
{
	uint8_t type;

	if (pkt->ip_version != 6 || pkt->proto != IPPROTO_ICMPV6)
		return false;
	type = f->hdr[pkt->l4_off];
	return type >= ND_SOLICIT_ROUTER && type <= ND_REDIRECT;
}

bool gateway_nd_input(struct gateway *gw, const struct packet *pkt,
		      const struct frame *f)
{
	const uint8_t vouched = FRAME_F_NEEDS_CSUM | FRAME_F_CSUM_VALID;
	struct nd_msg m;

	if (!is_nd(pkt, f))
		return false;
	if (gw->config.serving.lacks & LACK_ND) {
		drop(gw->nat.drops, DROP_RESTRICTED);
		return true;
	}
	if (pkt->l4_len > sizeof(gw->payload) ||
	    !frame_copy(f, pkt->l4_off, pkt->l4_len, gw->payload) ||
	    !nd_parse(pkt, gw->payload, f->off.flags & vouched, &m)) {
		drop(gw->nat.drops, DROP_ND_BAD);
		return true;
	}
	/* Another router's word is for guests. */
	if (m.type == ND_ADVERTISE_ROUTER)
		return true;
	if (!addr_is_unspecified(&pkt->src.ip) &&
	    !gateway_neighbour_ok(gw, &pkt->src.ip)) {
		drop(gw->nat.drops, DROP_IP_SOURCE);
		return true;
	}
	if (m.type == ND_SOLICIT_ROUTER)
		input_router_solicit(gw, pkt, &m);
	else if (m.type == ND_SOLICIT)
		input_solicit(gw, pkt, &m);
	else
		input_advert(gw, pkt, &m);
	return true;
}
