/* SPDX-License-Identifier: BSD-3-Clause */
/* MACs of guests (neigh.h). */
#include "gateway/neigh.h"

#include "wire/arp.h"
#include "wire/eth.h"

#define ASK_NS (UINT64_C(1000000000) / NEIGH_ASKS_PER_SECOND)

void neigh_init(struct neigh *n)
{
	*n = (struct neigh){.key = hash_key_new()};
}

static struct neigh_place *place_of(struct neigh *n, const addr *ip)
{
	return &n->place[hash_bytes(&n->key, ip->b, sizeof(ip->b)) %
			 NEIGH_PLACES];
}

void neigh_learn(struct neigh *n, const addr *ip, mac m)
{
	struct neigh_place *p = place_of(n, ip);

	if (mac_is_group(m) || mac_is_zero(m))
		return;
	p->ip = *ip;
	p->mac = m;
}

static void ask(const struct nat_env *env, const addr *ip)
{
	uint8_t buf[ETH_HDR_LEN + ARP_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	struct eth_hdr eth = {
		.dst = MAC_BROADCAST, .src = env->gw_mac, .type = ETH_T_ARP};
	struct arp_msg m = {.op = ARP_REQUEST,
			    .sha = env->gw_mac,
			    .spa = env->gw4,
			    .tpa = *ip};
	struct batch b = {.n = 1};

	eth_emit(&w, &eth);
	arp_emit(&w, &m);
	b.f[0] = frame_flat(buf, sizeof(buf));
	(void)lan_input(env->port, &b, false); /* losses are counted */
}

bool neigh_known(struct neigh *n, const addr *ip, mac *macp)
{
	const struct neigh_place *p = place_of(n, ip);

	if (!addr_eq(&p->ip, ip) || mac_is_zero(p->mac))
		return false;
	*macp = p->mac;
	return true;
}

bool neigh_find(struct neigh *n, const struct nat_env *env, const addr *ip,
		mac *macp)
{
	struct neigh_place *p = place_of(n, ip);

	if (neigh_known(n, ip, macp))
		return true;
	if (addr_eq(&p->ip, ip) && p->asked_ns &&
	    *env->now_ns - p->asked_ns < ASK_NS)
		return false;
	*p = (struct neigh_place){.ip = *ip, .asked_ns = *env->now_ns};
	ask(env, ip);
	return false;
}
