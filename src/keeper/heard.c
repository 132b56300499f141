/* SPDX-License-Identifier: BSD-3-Clause */
/* Where machines are, as engines heard; see machine.h. */
#include <string.h>

#include "base/mem.h"
#include "keeper/machine.h"
#include "keeper/state.h"

static bool has(const addr *list, unsigned n, const addr *ip)
{
	for (unsigned i = 0; i < n; i++) {
		if (addr_eq(&list[i], ip))
			return true;
	}
	return false;
}

static void put_all(addr *list, unsigned *np, const addr *ip, unsigned n,
		    bool is_link_local)
{
	for (unsigned i = 0; i < n; i++) {
		if (addr_is_link_local6(&ip[i]) == is_link_local &&
		    !has(list, *np, &ip[i]))
			list[(*np)++] = ip[i];
	}
}

unsigned machine_addresses(const struct machine *m,
			   addr list[MACHINE_ADDRESSES_MAX])
{
	unsigned n = 0;

	for (int local = 0; local < 2; local++) {
		put_all(list, &n, m->heard, m->n_heard, local);
		put_all(list, &n, m->before, m->n_before, local);
	}
	return n;
}

/* The gateway answers at its own, and the host, whoever says he has one. */
static bool is_networks_own(const struct keeper *k, const addr *ip)
{
	list_each(it, &k->plan.netdevs) {
		const struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);
		const struct msg_tap_add *t = &n->order.tap_add;

		if (plan_is_gateways(n, ip))
			return true;
		if (n->order.head.type != ENGINE_MSG_TAP_ADD)
			continue;
		for (unsigned i = 0; i < t->n_host_ip; i++) {
			if (addr_eq(&t->host_ip[i].ip, ip))
				return true;
		}
	}
	return false;
}

/* Somebody else has it now. */
static void take_from_others(const struct machine *m, const addr *ip)
{
	list_each(it, &m->keeper->machines) {
		struct machine *o = container_of(it, struct machine, link);
		unsigned n = 0;

		for (unsigned i = 0; i < o->n_before; i++) {
			if (o == m || !addr_eq(&o->before[i], ip))
				o->before[n++] = o->before[i];
		}
		o->n_before = n;
	}
}

static void say_addresses(const struct machine *m, const addr *ip, unsigned n)
{
	json_t *list = json_array();
	char text[ADDR_STRLEN];

	for (unsigned i = 0; list && i < n; i++)
		json_array_append_new(list,
				      json_string(addr_format(&ip[i], text)));
	event_say(m->keeper, EVENT_MACHINE_ADDRESSES, "{s:s,s:o}", "machine",
		  m->name, "addresses", list);
}

void machine_heard(struct machine *m, const struct msg_heard *h)
{
	addr old[MACHINE_ADDRESSES_MAX], now[MACHINE_ADDRESSES_MAX];
	unsigned n_old = machine_addresses(m, old), n_now;
	bool is_news = false;

	m->heard_mac = h->mac;
	m->n_heard = 0;
	for (unsigned i = 0; i < h->n; i++) {
		if (is_networks_own(m->keeper, &h->ip[i]))
			continue;
		m->heard[m->n_heard++] = h->ip[i];
		take_from_others(m, &h->ip[i]);
	}
	n_now = machine_addresses(m, now);
	for (unsigned i = 0; i < n_now; i++)
		is_news |= !has(old, n_old, &now[i]);
	if (!is_news && n_now == n_old)
		return;
	say_addresses(m, now, n_now);
	if (!m->netns)
		state_save_rarely(m->keeper);
}

void machine_heard_before(struct machine *m)
{
	addr all[MACHINE_ADDRESSES_MAX];
	unsigned n = machine_addresses(m, all);

	m->n_heard = 0;
	m->n_before = n < ENGINE_HEARD_MAX ? n : ENGINE_HEARD_MAX;
	memcpy(m->before, all, m->n_before * sizeof(all[0]));
}
