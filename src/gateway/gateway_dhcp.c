/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engine has the gateway's DHCP servers do (rules for clients,
 * addresses that are somebody's, the leases of an engine before this one), and
 * what it hears of their leases.  Called by the engine, and once by gateway.c
 * when the servers are made; the worker's thread.
 */
#include <errno.h>
#include <string.h>

#include "gateway/gateway_priv.h"

void gateway_lease_keep(struct gateway *gw, const addr *ip, mac m)
{
	dhcp_keep(gw->dhcp, ip, m);
}

int gateway_dhcp_option(struct gateway *gw, const struct dhcp_option *o)
{
	return dhcp_rules_add_option(gw->dhcp_rules, o);
}

int gateway_dhcp_reserve(struct gateway *gw, const struct dhcp_reservation *v)
{
	unsigned number;
	int r = dhcp_rules_add_reservation(gw->dhcp_rules, v);

	if (r < 0)
		return r;
	number = dhcp_rules_count(gw->dhcp_rules);
	return dhcp_reserved(gw->dhcp, number) ? 0 : -EINVAL;
}

static void on_news(void *arg, bool is_urgent)
{
	struct gateway *gw = arg;

	if (gw->leases)
		gw->leases(gw->env_arg, gw->port.id, is_urgent);
}

void gateway_lease_watch(struct gateway *gw)
{
	struct lease_table *t = dhcp_leases_of(gw->dhcp);

	for (int i = 0; i < 2 && t; i++, t = t->twin) {
		t->on_news = on_news;
		t->news_arg = gw;
	}
}

static struct lease_table *table_of(struct gateway *gw, const addr *ip)
{
	struct lease_table *t = dhcp_leases_of(gw->dhcp);

	return addr_is_v4(ip) ? t : t->twin;
}

void gateway_lease_restore(struct gateway *gw, const struct dhcp_lease *l,
			   uint32_t left_s)
{
	static const enum lease_state states[] = {
		[DHCP_LEASE_ENDED] = LEASE_FREE,
		[DHCP_LEASE_BOUND] = LEASE_BOUND,
		[DHCP_LEASE_RESTED] = LEASE_RESTED,
	};
	struct lease_table *t = table_of(gw, &l->ip);
	struct lease was = {.ip = l->ip, .state = states[l->state]};
	uint32_t most = dhcp_lease_seconds(gw->dhcp);

	_Static_assert((int)DHCP_CLIENT_LEN == (int)LEASE_ID_MAX + 1,
		       "room for all");
	if (!t || !l->id_len || l->n_part >= l->id_len)
		return;
	memcpy(was.client.id, l->id, l->id_len);
	was.client.id_len = l->id_len;
	was.client.n_part = l->n_part;
	was.client.mac = was.client.sender = l->mac;
	memcpy(was.name, l->name, sizeof(was.name));
	was.client.rule = dhcp_rule_of(gw->dhcp, &was);
	/* None is longer than those that are given now. */
	if (was.state != LEASE_FREE)
		was.end_ns = lease_end(*gw->nat.now_ns,
				       left_s < most ? left_s : most);
	(void)lease_restore(t, &was); /* false: it is left out */
}

static uint32_t seconds_left(const struct gateway *gw, const struct lease *l)
{
	uint64_t now = *gw->nat.now_ns;

	if (l->state == LEASE_FREE || l->end_ns <= now)
		return 0;
	if (l->end_ns == UINT64_MAX)
		return DHCP_FOREVER;
	return (uint32_t)((l->end_ns - now) / UINT64_C(1000000000));
}

static int tell_one(const struct gateway *gw, const struct lease *l,
		    gateway_lease_fn tell, void *arg)
{
	struct dhcp_lease said = {
		.ip = l->ip,
		.mac = l->client.mac,
		.id_len = (uint8_t)l->client.id_len,
		.n_part = (uint8_t)l->client.n_part,
	};

	switch (l->state) {
	case LEASE_FREE:
		said.state = DHCP_LEASE_ENDED;
		break;
	case LEASE_BOUND:
		said.state = DHCP_LEASE_BOUND;
		break;
	case LEASE_RESTED:
		said.state = DHCP_LEASE_RESTED;
		break;
	case LEASE_OFFERED: /* what comes of it is told */
	case LEASE_STATES:
		return 0;
	}
	if (!l->client.id_len)
		return 0; /* its client has another one now, which is told */
	memcpy(said.id, l->client.id, l->client.id_len);
	memcpy(said.name, l->name, sizeof(said.name));
	return tell(arg, &said, seconds_left(gw, l));
}

int gateway_lease_news(struct gateway *gw, gateway_lease_fn tell, void *arg)
{
	struct lease_table *t = dhcp_leases_of(gw->dhcp);

	for (int i = 0; i < 2 && t; i++, t = t->twin) {
		struct lease *l;

		while ((l = lease_news_take(t))) {
			int r = tell_one(gw, l, tell, arg);

			if (r >= 0)
				continue;
			lease_news_return(t, l);
			return r;
		}
	}
	return 0;
}
