/* SPDX-License-Identifier: BSD-3-Clause */
/* MACs of guests (neigh.h). */
#include "gateway/neigh.h"

#include "wire/neighbour.h"

#define SECOND_NS UINT64_C(1000000000)
#define ASK_NS (SECOND_NS / NEIGH_ASKS_PER_SECOND)

void neigh_init(struct neigh *n)
{
	*n = (struct neigh){.key = hash_key_new()};
}

static struct neigh_place *set_of(struct neigh *n, const addr *ip)
{
	return n->place[hash_bytes(&n->key, ip->b, sizeof(ip->b)) %
			NEIGH_SETS];
}

/* The place of ip, or NULL. */
static struct neigh_place *find(struct neigh_place *set, const addr *ip)
{
	for (unsigned i = 0; i < NEIGH_WAYS; i++) {
		if (addr_eq(&set[i].ip, ip))
			return &set[i];
	}
	return NULL;
}

static unsigned n_from(const struct neigh_place *set, uint32_t from)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NEIGH_WAYS; i++)
		n += set[i].from == from;
	return n;
}

static uint64_t used_ns(const struct neigh_place *p)
{
	return p->heard_ns > p->asked_ns ? p->heard_ns : p->asked_ns;
}

/* True if b is to go rather than a, for one that comes by the port from. */
static bool is_better(const struct neigh_place *set, uint32_t from,
		      const struct neigh_place *a, const struct neigh_place *b)
{
	unsigned n_a = n_from(set, a->from), n_b = n_from(set, b->from);

	if (n_a != n_b)
		return n_b > n_a;
	if ((a->from == from) != (b->from == from))
		return b->from == from;
	return used_ns(b) < used_ns(a);
}

/* A place for one more, which comes by the port from. */
static struct neigh_place *choose(struct neigh_place *set, uint32_t from)
{
	struct neigh_place *p = &set[0];

	for (unsigned i = 0; i < NEIGH_WAYS; i++) {
		if (addr_is_unspecified(&set[i].ip))
			return &set[i];
		if (is_better(set, from, p, &set[i]))
			p = &set[i];
	}
	return p;
}

void neigh_learn(struct neigh *n, const addr *ip, mac m, uint32_t from,
		 uint64_t now_ns)
{
	struct neigh_place *set = set_of(n, ip), *p;

	if (mac_is_group(m) || mac_is_zero(m))
		return;
	p = find(set, ip);
	if (!p) {
		p = choose(set, from);
		*p = (struct neigh_place){.ip = *ip};
	}
	p->mac = m;
	p->from = from;
	p->heard_ns = now_ns;
	p->n_probes = 0;
}

/* to: where it was, or all. */
static void ask(const struct nat_env *env, const addr *ip, mac to)
{
	const addr *src = addr_is_link_local6(ip) ? &env->ll6
						  : &nat_subnet(env, ip)->gw;
	uint8_t buf[NEIGHBOUR_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	struct batch b = {.n = 1};

	neighbour_ask(&w, env->gw_mac, src, to, ip);
	b.f[0] = frame_flat(buf, (uint32_t)wr_len(&w));
	(void)lan_input(env->port, &b, false); /* losses are counted */
}

bool neigh_known(struct neigh *n, const addr *ip, mac *macp)
{
	const struct neigh_place *p = find(set_of(n, ip), ip);

	if (!p || mac_is_zero(p->mac))
		return false;
	*macp = p->mac;
	return true;
}

/* Of a known one that is used: false if it is gone. */
static bool is_there(struct neigh_place *p, const struct nat_env *env)
{
	uint64_t now = *env->now_ns;

	if (now - p->heard_ns < NEIGH_REACHABLE_SECONDS * SECOND_NS ||
	    (p->n_probes && now - p->asked_ns < SECOND_NS))
		return true;
	if (p->n_probes == NEIGH_PROBES)
		return false;
	p->n_probes++;
	p->asked_ns = now;
	ask(env, &p->ip, p->mac);
	return true;
}

bool neigh_find(struct neigh *n, const struct nat_env *env, const addr *ip,
		mac *macp)
{
	struct neigh_place *set = set_of(n, ip), *p = find(set, ip);
	uint32_t from = lan_ingress(env->lan);

	if (p && !mac_is_zero(p->mac) && is_there(p, env)) {
		*macp = p->mac;
		return true;
	}
	if (p && mac_is_zero(p->mac) &&
	    *env->now_ns - p->asked_ns < ASK_NS)
		return false;
	if (!p)
		p = choose(set, from);
	*p = (struct neigh_place){
		.ip = *ip, .from = from, .asked_ns = *env->now_ns};
	ask(env, ip, MAC_BROADCAST);
	return false;
}
