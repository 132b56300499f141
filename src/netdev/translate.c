/* SPDX-License-Identifier: BSD-3-Clause */
/* Many machines behind one MAC; see translate.h. */
#include "netdev/translate.h"

#include <netinet/in.h>
#include <string.h>

#include "base/be.h"
#include "lan/frame.h"
#include "wire/arp.h"
#include "wire/csum.h"
#include "wire/dhcp.h"
#include "wire/eth.h"
#include "wire/group.h"
#include "wire/nd.h"
#include "wire/packet.h"
#include "wire/udp.h"

enum {
	AT_SOURCE = 6,
	AT_TYPE = 12,
	/* for the filter */
	AT_V4_PROTO = 23,
	AT_V4_TO = 30,
	AT_V6_TO = 38,
	AT_UDP_TO = 36, /* with no IP options */
	V6_GROUP = 0xff,
};
#define V4_GROUP UINT32_C(0xe0000000) /* 224.0.0.0 and above */

/* A frame, as far as it is within reach. */
struct view {
	uint8_t *p;
	uint32_t n;    /* bytes at p */
	uint32_t len;  /* of the frame */
	uint32_t tags; /* bytes of VLAN tags */
	uint16_t type; /* behind them */
};

static bool is_mac(const uint8_t *p, mac m)
{
	return memcmp(p, m.b, MAC_LEN) == 0;
}

static void put_mac(uint8_t *p, mac m)
{
	memcpy(p, m.b, MAC_LEN);
}

static struct view view_of(uint8_t *p, uint32_t n, uint32_t len)
{
	struct view v = {
		.p = p, .n = n, .len = len, .type = get_be16(p + AT_TYPE)};

	while ((v.type == ETH_T_VLAN || v.type == ETH_T_QTAG) &&
	       v.tags < ETH_TAGS_MAX * ETH_TAG_LEN &&
	       n >= v.tags + ETH_TAG_LEN + ETH_HDR_LEN) {
		v.tags += ETH_TAG_LEN;
		v.type = get_be16(p + v.tags + AT_TYPE);
	}
	return v;
}

/* ARP's message; NULL unless it is one for Ethernet and IPv4. */
static uint8_t *arp_of(const struct view *v)
{
	static const uint8_t head[6] = {0, 1, ETH_T_IP4 >> 8, 0, MAC_LEN, 4};
	uint32_t at = v->tags + ETH_HDR_LEN;

	if ((v->type != ETH_T_ARP && v->type != ETH_T_RARP) ||
	    v->n < at + ARP_LEN || memcmp(v->p + at, head, sizeof(head)) != 0)
		return NULL;
	return v->p + at;
}

/* Offsets of *pktp count from behind the tags. */
static bool ip_of(const struct view *v, struct packet *pktp)
{
	enum packet_result r;

	if (v->type != ETH_T_IP4 && v->type != ETH_T_IP6)
		return false;
	r = packet_parse(v->p + v->tags, v->n - v->tags, v->len - v->tags,
			 pktp);
	return r == PACKET_OK || r == PACKET_IP4_OPTIONS;
}

/* ---- the table ---- */

static bool is_hosts(const struct translate *t, const addr *ip)
{
	for (unsigned i = 0; i < t->n_host && i < TRANSLATE_HOST_MAX; i++) {
		if (addr_eq(&t->host_ip[i], ip))
			return true;
	}
	return false;
}

static struct translate_entry *find(struct translate *t, const addr *ip)
{
	for (unsigned i = 0; i < t->n; i++) {
		if (addr_eq(&t->e[i].ip, ip))
			return &t->e[i];
	}
	return NULL;
}

/* A place for one more; NULL: all are in use. */
static struct translate_entry *place(struct translate *t, uint64_t now)
{
	unsigned i;

	if (t->n < TRANSLATE_MAX)
		return &t->e[t->n++];
	i = fair_choose(&t->e[0].place, sizeof(t->e[0]), t->n, t->from, now);
	return i < t->n ? &t->e[i] : NULL;
}

/* The machine with MAC m has address ip; true if the table grew. */
static bool learn(struct translate *t, const addr *ip, mac m, uint64_t now)
{
	struct translate_entry *e = find(t, ip);

	if (e) {
		e->mac = m;
		e->place.used_ns = now;
		return false;
	}
	if (!addr_is_unicast(ip) || is_hosts(t, ip))
		return false;
	e = place(t, now);
	if (e)
		*e = (struct translate_entry){*ip, m, {now, t->from}};
	return e != NULL;
}

bool translate_host_ip(struct translate *t, const addr *ip)
{
	struct translate_entry *e;

	if (!addr_is_unicast(ip) || is_hosts(t, ip))
		return false;
	t->host_ip[t->n_host++ % TRANSLATE_HOST_MAX] = *ip;
	e = find(t, ip);
	if (!e)
		return false;
	*e = t->e[--t->n];
	return true;
}

bool translate_host(struct translate *t, const uint8_t *p, uint32_t len)
{
	/* Looked at only. */
	struct view v = view_of((uint8_t *)(uintptr_t)p, len, len);
	const uint8_t *arp = arp_of(&v);
	struct packet pkt;
	addr ip;

	if (arp) {
		ip = addr_v4_bytes(arp + ARP_AT_SPA);
		return translate_host_ip(t, &ip);
	}
	return ip_of(&v, &pkt) && translate_host_ip(t, &pkt.src.ip);
}

/* ---- out ---- */

static void out_arp(const struct translate *t, uint8_t *arp, mac m)
{
	if (is_mac(arp + ARP_AT_SHA, m))
		put_mac(arp + ARP_AT_SHA, t->host);
	if (is_mac(arp + ARP_AT_THA, m)) /* an announcement */
		put_mac(arp + ARP_AT_THA, t->host);
}

/* The link-layer address options of neighbour discovery. */
static void out_nd(const struct translate *t, const struct view *v,
		   const struct packet *pkt, mac m, bool is_summed)
{
	static const uint8_t fixed[] = {8, 16, 24, 24, 40};
	uint32_t l4 = v->tags + pkt->l4_off;
	uint32_t end = l4 + pkt->l4_len;
	uint8_t *sum = v->p + l4 + ICMP6_AT_CSUM;
	uint8_t type = v->p[l4];

	if (type < ND_SOLICIT_ROUTER || type > ND_REDIRECT)
		return;
	if (end > v->n)
		end = v->n;
	for (uint32_t at = l4 + fixed[type - ND_SOLICIT_ROUTER];
	     at + 8 <= end && v->p[at + 1]; at += v->p[at + 1] * 8u) {
		uint8_t *o = v->p + at;

		if ((o[0] != ND_O_SOURCE && o[0] != ND_O_TARGET) ||
		    !is_mac(o + 2, m))
			continue;
		for (unsigned i = 0; i < MAC_LEN && is_summed; i += 2)
			put_be16(sum,
				 csum_update(get_be16(sum), get_be16(o + 2 + i),
					     get_be16(t->host.b + i)));
		put_mac(o + 2, t->host);
	}
}

static bool is_dhcp(const struct view *v, const struct packet *pkt, uint16_t to)
{
	return pkt->ip_version == 4 && pkt->proto == IPPROTO_UDP &&
	       !pkt->is_fragment && pkt->dst.port == to &&
	       v->n >= v->tags + pkt->l4_off + UDP_HDR_LEN + DHCP_AT_CHADDR +
			       MAC_LEN &&
	       pkt->l4_len >= UDP_HDR_LEN + DHCP_AT_CHADDR + MAC_LEN;
}

/* Asks for an answer to all, and remembers who asked. */
static void out_dhcp(struct translate *t, const struct view *v,
		     const struct packet *pkt, mac m, bool is_summed)
{
	uint8_t *udp = v->p + v->tags + pkt->l4_off;
	uint8_t *flags = udp + UDP_HDR_LEN + DHCP_AT_FLAGS;
	uint8_t *sum = udp + UDP_AT_CSUM;
	uint16_t old = get_be16(flags);
	bool is_known = false;

	for (unsigned i = 0; i < TRANSLATE_CLIENTS; i++)
		is_known = is_known || mac_eq(t->client[i], m);
	if (!is_known)
		t->client[t->n_client++ % TRANSLATE_CLIENTS] = m;
	put_be16(flags, old | DHCP_F_BROADCAST);
	if (!is_summed || get_be16(sum) == 0)
		return;
	put_be16(sum, csum_update(get_be16(sum), old, get_be16(flags)));
	if (get_be16(sum) == 0)
		put_be16(sum, 0xffff); /* 0 would say there is none */
}

bool translate_out(struct translate *t, uint8_t *p, uint32_t n, uint32_t len,
		   bool is_summed, uint64_t now_ns)
{
	struct view v = view_of(p, n, len);
	mac m = mac_bytes(p + AT_SOURCE);
	uint8_t *arp = arp_of(&v);
	struct packet pkt;
	bool grew;

	put_mac(p + AT_SOURCE, t->host);
	if (arp) {
		addr ip = addr_v4_bytes(arp + ARP_AT_SPA);

		grew = learn(t, &ip, m, now_ns);
		out_arp(t, arp, m);
		return grew;
	}
	if (!ip_of(&v, &pkt))
		return false;
	grew = learn(t, &pkt.src.ip, m, now_ns);
	if (pkt.proto == IPPROTO_ICMPV6 && pkt.ip_version == 6 &&
	    !pkt.is_fragment)
		out_nd(t, &v, &pkt, m, is_summed);
	if (is_dhcp(&v, &pkt, DHCP_PORT_SERVER))
		out_dhcp(t, &v, &pkt, m, is_summed);
	return grew;
}

/* ---- in ---- */

static bool in_arp(struct translate *t, uint8_t *p, uint8_t *arp)
{
	addr ip = addr_v4_bytes(arp + ARP_AT_TPA);
	const struct translate_entry *e = find(t, &ip);
	mac to = MAC_BROADCAST;

	if (e)
		to = e->mac;
	else if (!addr_is_unspecified(&ip))
		return false;
	/* The answer to a probe, by one who has no address yet, is for all. */
	put_mac(p, to);
	if (is_mac(arp + ARP_AT_THA, t->host))
		put_mac(arp + ARP_AT_THA, to);
	return true;
}

/* A lease that is told to its taker's address, before he has it. */
static bool in_dhcp(const struct translate *t, const struct view *v,
		    const struct packet *pkt)
{
	const uint8_t *chaddr =
		v->p + v->tags + pkt->l4_off + UDP_HDR_LEN + DHCP_AT_CHADDR;

	for (unsigned i = 0; i < t->n_client && i < TRANSLATE_CLIENTS; i++) {
		if (is_mac(chaddr, t->client[i])) {
			put_mac(v->p, t->client[i]);
			return true;
		}
	}
	return false;
}

bool translate_in(struct translate *t, uint8_t *p, uint32_t len)
{
	struct view v = view_of(p, len, len);
	const struct translate_entry *e;
	uint8_t *arp;
	struct packet pkt;

	if (p[0] & 1)
		return true;
	if (!is_mac(p, t->host))
		return false;
	arp = arp_of(&v);
	if (arp)
		return in_arp(t, p, arp);
	if (!ip_of(&v, &pkt))
		return false;
	if (addr_is_multicast(&pkt.dst.ip) || addr_is_broadcast(&pkt.dst.ip)) {
		put_mac(p, addr_is_broadcast(&pkt.dst.ip)
				   ? MAC_BROADCAST
				   : group_mac(&pkt.dst.ip));
		return true;
	}
	e = find(t, &pkt.dst.ip);
	if (!e)
		return is_dhcp(&v, &pkt, DHCP_PORT_CLIENT) &&
		       in_dhcp(t, &v, &pkt);
	put_mac(p, e->mac);
	return true;
}

/* ---- the kernel's filter ---- */

struct program {
	struct sock_filter *f;
	unsigned n;
};

static void load(struct program *g, uint16_t size, uint32_t at)
{
	g->f[g->n++] = (struct sock_filter)BPF_STMT(
		(uint16_t)(BPF_LD | BPF_ABS | size), at);
}

static void ret(struct program *g, bool accept)
{
	g->f[g->n++] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, accept ? ~0u : 0);
}

/* The next `skip` instructions are left out unless the value is v. */
static void unless(struct program *g, uint32_t v, uint8_t skip)
{
	g->f[g->n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						    v, 0, skip);
}

static void if_eq_accept(struct program *g, uint32_t v)
{
	unless(g, v, 1);
	ret(g, true);
}

/* Groups; then nothing but what is for the host's MAC. */
static void filter_mac(struct program *g, mac m)
{
	load(g, BPF_B, 0);
	g->f[g->n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
						    1, 0, 1);
	ret(g, true);
	load(g, BPF_W, 0);
	g->f[g->n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						    get_be32(m.b), 1, 0);
	ret(g, false);
	load(g, BPF_H, 4);
	g->f[g->n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						    get_be16(m.b + 4), 1, 0);
	ret(g, false);
}

/* Groups of IP that an access point sent to our MAC alone. */
static void filter_groups(struct program *g)
{
	load(g, BPF_H, AT_TYPE);
	unless(g, ETH_T_IP4, 3);
	load(g, BPF_W, AT_V4_TO);
	g->f[g->n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K,
						    V4_GROUP, 0, 1);
	ret(g, true);
	load(g, BPF_H, AT_TYPE);
	unless(g, ETH_T_IP6, 3);
	load(g, BPF_B, AT_V6_TO);
	if_eq_accept(g, V6_GROUP);
}

/* What is for an address of these: judged by its last 32 bits, the rest is
 * translate_in()'s.  The kernel takes a filter for some ten times its length,
 * and 20 kB of them for a socket (Linux 6.1), the old and the new one: so each
 * address has one instruction, and the frame is asked once. */
static void filter_ip(struct program *g, const struct translate *t, bool is_v4)
{
	unsigned left = 0;

	for (unsigned i = 0; i < t->n; i++)
		left += addr_is_v4(&t->e[i].ip) == is_v4;
	if (!left)
		return;
	load(g, BPF_H, AT_TYPE);
	unless(g, is_v4 ? ETH_T_IP4 : ETH_T_IP6, (uint8_t)(left + 3));
	load(g, BPF_W, is_v4 ? AT_V4_TO : AT_V6_TO + 12);
	for (unsigned i = 0; i < t->n; i++) {
		const addr *ip = &t->e[i].ip;

		if (addr_is_v4(ip) == is_v4)
			g->f[g->n++] = (struct sock_filter)BPF_JUMP(
				BPF_JMP | BPF_JEQ | BPF_K, get_be32(ip->b + 12),
				(uint8_t)left--, 0);
	}
	g->f[g->n++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1);
	ret(g, true);
}

unsigned translate_filter(const struct translate *t,
			  struct sock_filter f[static TRANSLATE_FILTER_MAX])
{
	struct program g = {.f = f};

	filter_mac(&g, t->host);
	load(&g, BPF_H, AT_TYPE);
	if_eq_accept(&g, ETH_T_ARP);
	filter_groups(&g);
	filter_ip(&g, t, true);
	filter_ip(&g, t, false);
	/* A lease, for whom only its inside tells. */
	load(&g, BPF_H, AT_TYPE);
	unless(&g, ETH_T_IP4, 5);
	load(&g, BPF_B, AT_V4_PROTO);
	unless(&g, IPPROTO_UDP, 3);
	load(&g, BPF_H, AT_UDP_TO);
	if_eq_accept(&g, DHCP_PORT_CLIENT);
	ret(&g, false);
	return g.n;
}
