/* SPDX-License-Identifier: BSD-3-Clause */
/* Who has a name, and where he is; see zone.h. */
#include <string.h>

#include "base/mem.h"
#include "service/zone.h"

/* Who has a name by what he told DHCP, or was given. */
struct holder {
	struct zone_machine m; /* key NULL: behind an uplink */
	const struct lease *lease; /* whose name it is; NULL: it was given */
};

static bool next(const struct zone *z, struct zone_walk *w,
		 struct zone_machine *m)
{
	return z->source.next && z->source.next(z->source.arg, w, m);
}

static struct lease_table *table_of(const struct zone *z, bool is_v4)
{
	struct lease_table *t = z->source.leases;

	return t && !is_v4 ? t->twin : t;
}

bool zone_label(const char *text, bool with_dots, char out[ZONE_LABEL_LEN])
{
	size_t n = 0;

	for (; *text && n < DNS_LABEL_LEN; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '.' && !with_dots)
			break;
		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		else if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
			c = '-';
		if (n || c != '-')
			out[n++] = (char)c;
	}
	while (n && out[n - 1] == '-')
		n--;
	out[n] = '\0';
	return n > 0;
}

static bool given_label(const struct zone_machine *m, char out[ZONE_LABEL_LEN])
{
	return m->key && m->name && zone_label(m->name, true, out);
}

/* Names by which machines look for somebody to trust: a guest that calls
 * itself so would be him. */
static const char *const nobodys[] = {"wpad", "isatap", "localhost"};

/* What a client told of itself, as a name of the zone. */
static bool told_name(const struct lease *l, char out[ZONE_LABEL_LEN])
{
	if (!zone_label(l->name, false, out))
		return false;
	for (size_t i = 0; i < array_len(nobodys); i++) {
		if (strcmp(out, nobodys[i]) == 0)
			return false;
	}
	return true;
}

static bool is_held(const struct zone *z, const struct lease *l)
{
	return l->state == LEASE_BOUND && l->end_ns > *z->env->now_ns;
}

/* The machine that holds the lease; false: it is not here.  Behind an uplink
 * nobody knows: it is as long as it has the lease. */
static bool find_machine(const struct zone *z, const struct lease *l,
			 struct zone_machine *mp)
{
	const struct lease_client *c = &l->client;
	bool has_uplink = false, has_mac = false;
	struct zone_walk w = {0};
	struct zone_machine m;

	*mp = (struct zone_machine){.key = NULL};
	while (next(z, &w, &m)) {
		if (m.is_uplink) {
			has_uplink = true;
			continue;
		}
		if (c->port && m.serial == c->port) {
			*mp = m;
			return true;
		}
		if (!has_mac && !mac_is_zero(m.mac) && mac_eq(m.mac, c->mac)) {
			*mp = m;
			has_mac = true;
		}
	}
	return has_mac || (!c->port && has_uplink);
}

static bool is_holder(const struct zone *z, const struct lease *l,
		      const struct zone_machine *m)
{
	const struct lease_client *c = &l->client;
	struct zone_machine o;

	/* What costs less first. */
	if (!(c->port && c->port == m->serial) &&
	    !(!mac_is_zero(m->mac) && mac_eq(m->mac, c->mac)))
		return false;
	return find_machine(z, l, &o) && o.key == m->key;
}

/* The i-th address that was heard of it. */
static const addr *heard(const struct zone_machine *m, unsigned i)
{
	return i < m->n_ip ? &m->ip[i] : &m->before[i - m->n_ip];
}

/* Somebody else has leased it, whoever says that he has it. */
static bool is_anothers(const struct zone *z, const addr *ip,
			const struct zone_machine *m)
{
	struct lease_table *t = table_of(z, addr_is_v4(ip));
	const struct lease *l = t ? lease_at(t, ip) : NULL;
	struct zone_machine o;

	return l && is_held(z, l) && find_machine(z, l, &o) && o.key != m->key;
}

/* An address of the network that a machine can have. */
static bool is_machines(const struct zone *z, const addr *ip)
{
	const struct service_env *env = z->env;
	const struct subnet *s = addr_is_v4(ip) ? &env->v4 : &env->v6;
	const addr last = prefix_broadcast(&s->net);

	return subnet_has(s, ip) && !subnet_is_ours(s, ip) &&
	       !addr_eq(ip, &s->net.ip) && !addr_eq(ip, &last) &&
	       !addr_eq(ip, &z->source.host4) && !addr_eq(ip, &z->source.host6);
}

static bool has(const struct zone_addrs *f, const addr *ip)
{
	for (unsigned i = 0; i < f->n; i++) {
		if (addr_eq(&f->ip[i], ip))
			return true;
	}
	return false;
}

static void put(const struct zone *z, struct zone_addrs *f, const addr *ip)
{
	if (f->n < ZONE_ADDRS_MAX && is_machines(z, ip) && !has(f, ip))
		f->ip[f->n++] = *ip;
}

static void put_heard(const struct zone *z, const struct zone_machine *m,
		      bool is_v4, struct zone_addrs *f)
{
	for (unsigned i = 0; i < m->n_ip + m->n_before; i++) {
		const addr *ip = heard(m, i);

		if (addr_is_v4(ip) == is_v4 && !is_anothers(z, ip, m))
			put(z, f, ip);
	}
}

/* What is leased comes first: it stays longer than what machines choose. */
static void put_all(const struct zone *z, const struct holder *h, bool is_v4,
		    struct zone_addrs *f)
{
	struct lease_table *t = table_of(z, is_v4);
	const struct list *bound = t ? &t->by_state[LEASE_BOUND] : NULL;

	for (const struct list *it = t ? bound->next : NULL; it != bound;
	     it = it->next) {
		const struct lease *l = container_of(it, struct lease, order);

		if (f->n == ZONE_ADDRS_MAX)
			return;
		if (!is_held(z, l))
			continue;
		if (h->m.key ? is_holder(z, l, &h->m)
			     : mac_eq(l->client.mac, h->lease->client.mac))
			put(z, f, &l->ip);
	}
	if (h->m.key && (!h->lease || h->m.is_one))
		put_heard(z, &h->m, is_v4, f);
}

/* True if l had its name before the other. */
static bool is_first(const struct lease *l, const struct lease *other)
{
	if (!other || l->named_ns != other->named_ns)
		return !other || l->named_ns < other->named_ns;
	return memcmp(l->ip.b, other->ip.b, sizeof(l->ip.b)) < 0;
}

/* Who of a table's clients called himself so first, if that was before h.  One
 * machine may have told it by hundreds of leases, and is looked for once. */
static void look_in_table(const struct zone *z, struct lease_table *t,
			  const char *label, struct holder *h)
{
	char own[ZONE_LABEL_LEN];
	struct zone_machine m;
	uint32_t given = 0; /* a port whose machine has another name */

	if (!t)
		return;
	list_each(it, &t->by_state[LEASE_BOUND]) {
		const struct lease *l = container_of(it, struct lease, order);
		const uint32_t port = l->client.port;

		if (!is_held(z, l) || !told_name(l, own) ||
		    strcmp(own, label) != 0 || !is_first(l, h->lease) ||
		    (port && port == given))
			continue;
		if (h->lease && port && port == h->m.serial)
			h->lease = l;
		else if (find_machine(z, l, &m) && !given_label(&m, own))
			*h = (struct holder){.m = m, .lease = l};
		else
			given = m.serial;
	}
}

static bool find_holder(const struct zone *z, const char *label,
			struct holder *h)
{
	struct zone_walk w = {0};
	char own[ZONE_LABEL_LEN];
	struct zone_machine m;

	*h = (struct holder){.lease = NULL};
	while (next(z, &w, &m)) {
		if (m.is_uplink || !given_label(&m, own) ||
		    strcmp(own, label) != 0)
			continue;
		h->m = m;
		return true;
	}
	look_in_table(z, table_of(z, true), label, h);
	look_in_table(z, table_of(z, false), label, h);
	return h->lease;
}

/* What we are ourselves; nobody else is called so. */
static const char *const own_names[] = {"gateway", "dns", "host"};

static addr own_addr(const struct zone *z, size_t i, bool is_v4)
{
	const struct service_env *env = z->env;
	const struct subnet *s = is_v4 ? &env->v4 : &env->v6;
	const addr ip[] = {s->gw, s->dns,
			   is_v4 ? z->source.host4 : z->source.host6};

	return s->is_on ? ip[i] : (addr){{0}};
}

bool zone_find(const struct zone *z, const char *label, bool is_v4,
	       struct zone_addrs *found)
{
	struct holder h;

	found->n = 0;
	for (size_t i = 0; i < array_len(own_names); i++) {
		if (strcmp(own_names[i], label) != 0)
			continue;
		found->ip[0] = own_addr(z, i, is_v4);
		found->n = !addr_is_unspecified(&found->ip[0]);
		return true;
	}
	if (!find_holder(z, label, &h))
		return false;
	put_all(z, &h, is_v4, found);
	return true;
}

/* What the machine told DHCP by one of its leases in t. */
static bool told_label(const struct zone *z, struct lease_table *t,
		       const struct zone_machine *m, char label[ZONE_LABEL_LEN])
{
	if (!t)
		return false;
	list_each(it, &t->by_state[LEASE_BOUND]) {
		const struct lease *l = container_of(it, struct lease, order);

		if (is_held(z, l) && told_name(l, label) && is_holder(z, l, m))
			return true;
	}
	return false;
}

static bool machine_label(const struct zone *z, const struct zone_machine *m,
			  char label[ZONE_LABEL_LEN])
{
	return given_label(m, label) ||
	       told_label(z, table_of(z, true), m, label) ||
	       told_label(z, table_of(z, false), m, label);
}

static bool has_heard(const struct zone_machine *m, const addr *ip)
{
	for (unsigned i = 0; i < m->n_ip + m->n_before; i++) {
		if (addr_eq(heard(m, i), ip))
			return true;
	}
	return false;
}

/* The name that who has the address would have, if nobody else has it. */
static bool wanted_label(const struct zone *z, const addr *ip,
			 char label[ZONE_LABEL_LEN])
{
	struct lease_table *t = table_of(z, addr_is_v4(ip));
	const struct lease *l = t ? lease_at(t, ip) : NULL;
	struct zone_walk w = {0};
	struct zone_machine m;

	if (l && is_held(z, l) && find_machine(z, l, &m))
		return (m.key && given_label(&m, label)) ||
		       told_name(l, label) ||
		       (m.key && machine_label(z, &m, label));
	while (next(z, &w, &m)) {
		if (!m.is_uplink && has_heard(&m, ip))
			return machine_label(z, &m, label);
	}
	return false;
}

bool zone_find_name(const struct zone *z, const addr *ip,
		    char label[ZONE_LABEL_LEN])
{
	struct zone_addrs found;

	for (size_t i = 0; i < array_len(own_names); i++) {
		const addr own = own_addr(z, i, addr_is_v4(ip));

		if (!addr_eq(&own, ip))
			continue;
		strcpy(label, own_names[i]);
		return true;
	}
	/* What leads there must lead back. */
	return wanted_label(z, ip, label) &&
	       zone_find(z, label, addr_is_v4(ip), &found) && has(&found, ip);
}
