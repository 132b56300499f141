/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of DHCP leases; see lease.h. */
#include "service/lease.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "service/service.h"

static void table_init(struct lease_table *t)
{
	memset(t, 0, sizeof(*t));
	for (unsigned i = 0; i < LEASE_STATES; i++)
		list_init(&t->by_state[i]);
	for (unsigned i = 0; i < LEASE_BUCKETS; i++)
		list_init(&t->of_sender[i]);
	list_init(&t->news);
	t->key = hash_key_new();
}

static void place_init(struct lease *l)
{
	list_init(&l->order);
	list_init(&l->of_sender);
	list_init(&l->news);
}

int lease_table_init(struct lease_table *t, const struct prefix *net,
		     const struct lease_pool *pool)
{
	addr broadcast = prefix_broadcast(net);
	uint32_t first = addr_u32(&pool->first), to = addr_u32(&broadcast);
	uint32_t last = addr_is_unspecified(&pool->last)
				? UINT32_MAX
				: addr_u32(&pool->last);
	uint32_t from = first;
	unsigned n;

	if (!addr_is_unspecified(&pool->lowest) &&
	    addr_u32(&pool->lowest) < from)
		from = addr_u32(&pool->lowest);
	n = to > from ? to - from : 0; /* without the broadcast */
	table_init(t);
	t->first = from;
	t->n = n > LEASE_MAX ? LEASE_MAX : n;
	t->pool = first - from < t->n ? first - from : t->n;
	t->lease = calloc(t->n + 1, sizeof(*t->lease));
	if (!t->lease)
		return -ENOMEM;
	for (unsigned i = 0; i < t->n; i++) {
		t->lease[i].ip = addr_v4_u32(from + i);
		t->lease[i].is_outside = from + i < first || from + i > last;
		t->n_shared += !t->lease[i].is_outside;
		place_init(&t->lease[i]);
	}
	t->fresh = t->pool;
	return 0;
}

int lease_table_twin(struct lease_table *t, struct lease_table *of,
		     const struct prefix *net4, const struct prefix *net6)
{
	table_init(t);
	t->lease = calloc(of->n + 1, sizeof(*t->lease));
	if (!t->lease)
		return -ENOMEM;
	t->n = of->n;
	for (unsigned i = 0; i < t->n; i++) {
		struct lease *l = &t->lease[i], *o = &of->lease[i];
		bool has_room = prefix_twin(&o->ip, net4, net6, &l->ip);

		place_init(l);
		l->reserved = o->reserved || !has_room;
		l->is_outside = o->is_outside;
		l->owner = o->owner;
		t->n_shared += !l->is_outside;
		l->twin = o;
		o->twin = l;
	}
	t->first = addr_u32(&t->lease[0].ip);
	t->pool = of->pool;
	lease_keep_first(t, of->n_kept);
	t->twin = of;
	t->is_led = true;
	of->twin = t;
	return 0;
}

/* True if a lease in this state is told of: an offer is none yet. */
static bool is_told(enum lease_state state)
{
	return state == LEASE_BOUND || state == LEASE_RESTED;
}

static void make_news(struct lease_table *t, struct lease *l, bool is_urgent)
{
	if (list_empty(&l->news))
		list_add_tail(&t->news, &l->news);
	t->is_news = true;
	t->is_urgent |= is_urgent;
}

/* Says that there is news, when all that makes it is done. */
static void say_news(struct lease_table *t)
{
	bool is_urgent = t->is_urgent;

	if (!t->is_news)
		return;
	t->is_news = t->is_urgent = false;
	if (t->on_news)
		t->on_news(t->news_arg, is_urgent);
}

void lease_table_move(struct lease_table *t, const struct prefix *net6)
{
	for (unsigned i = 0; i < t->n; i++) {
		addr *a = &t->lease[i].ip;

		for (unsigned k = 0; k < net6->len / 8u; k++)
			a->b[k] = net6->ip.b[k];
	}
	/* The numbers, which lie behind it, are the same. */
	for (unsigned i = 0; i < t->n; i++) {
		if (is_told(t->lease[i].state))
			make_news(t, &t->lease[i], false);
	}
	say_news(t);
}

void lease_table_deinit(struct lease_table *t)
{
	if (t->twin) {
		for (unsigned i = 0; i < t->n; i++)
			t->twin->lease[i].twin = NULL;
		t->twin->twin = NULL;
		t->twin = NULL;
	}
	free(t->lease);
	free(t->by_rule);
	t->lease = NULL;
	t->by_rule = NULL;
	t->n = t->n_rules = 0;
}

struct lease *lease_at(struct lease_table *t, const addr *ip)
{
	uint32_t at = addr_u32(ip);

	if (at < t->first || at - t->first >= t->n ||
	    !addr_eq(&t->lease[at - t->first].ip, ip))
		return NULL;
	return &t->lease[at - t->first];
}

void lease_reserve(struct lease_table *t, const addr *ip)
{
	struct lease *l = lease_at(t, ip);

	if (!l && t->twin) {
		t = t->twin;
		l = lease_at(t, ip);
	}
	if (l)
		l->reserved = true;
	if (l && l->twin && !t->is_led)
		l->twin->reserved = true;
}

void lease_keep_first(struct lease_table *t, unsigned n)
{
	unsigned room = t->n - t->pool;

	t->n_kept = n < room ? n : room;
	t->fresh = t->pool + t->n_kept;
	for (unsigned i = t->pool; i < t->fresh; i++) {
		t->n_shared -= !t->lease[i].is_outside;
		t->lease[i].is_kept = true;
	}
}

bool lease_set_rule(struct lease_table *t, unsigned rule, const addr *ip)
{
	struct lease *l = addr_is_unspecified(ip) ? NULL : lease_at(t, ip);
	struct lease **more = t->by_rule;

	if (!rule || rule > UINT16_MAX)
		return false;
	if (rule > t->n_rules)
		more = reallocarray(more, rule, sizeof(*more));
	if (!more)
		return false;
	t->by_rule = more;
	while (t->n_rules < rule)
		more[t->n_rules++] = NULL;
	if (!l || l->reserved || l->rule)
		return false;
	if (!l->is_kept)
		t->n_shared -= !l->is_outside;
	l->is_kept = true;
	l->rule = (uint16_t)rule;
	more[rule - 1] = l;
	return true;
}

static unsigned bucket_of(const struct lease_table *t,
			  const struct lease_client *c)
{
	return (unsigned)(hash_bytes(&t->key, c->id, c->id_len) %
			  LEASE_BUCKETS);
}

static uint16_t sender_of(const struct lease_table *t,
			  const struct lease_client *c)
{
	return (uint16_t)(hash_bytes(&t->key, c->sender.b,
				     sizeof(c->sender.b)) %
			  LEASE_BUCKETS);
}

static bool same_client(const struct lease_client *a,
			const struct lease_client *b)
{
	return a->id_len == b->id_len && memcmp(a->id, b->id, a->id_len) == 0;
}

struct lease *lease_find(struct lease_table *t, const struct lease_client *c)
{
	for (struct lease *l = t->bucket[bucket_of(t, c)]; l; l = l->chain) {
		if (same_client(&l->client, c))
			return l;
	}
	return NULL;
}

static void unchain(struct lease_table *t, struct lease *l)
{
	struct lease **pp = &t->bucket[bucket_of(t, &l->client)];

	while (*pp && *pp != l)
		pp = &(*pp)->chain;
	if (*pp)
		*pp = l->chain;
	l->chain = NULL;
}

/* Keeps the list sorted; new ends are nearly always the latest. */
static void sort_in(struct list *head, struct lease *l)
{
	struct list *pos = head;

	while (pos->prev != head &&
	       container_of(pos->prev, struct lease, order)->end_ns >
		       l->end_ns)
		pos = pos->prev;
	list_add_before(pos, &l->order);
}

static void set_state(struct lease_table *t, struct lease *l,
		      enum lease_state state, uint64_t end_ns)
{
	struct list *head = &t->by_state[state];

	if (is_told(state) || (is_told(l->state) && state == LEASE_FREE))
		make_news(t, l, state != l->state);

	t->n_bound += (state == LEASE_BOUND) - (l->state == LEASE_BOUND);
	if (state != LEASE_FREE && l->state == LEASE_FREE)
		t->n_sender[l->sender]++;
	if (state == LEASE_FREE && l->state != LEASE_FREE)
		t->n_sender[l->sender]--;
	if (!l->is_kept)
		t->n_held += (state != LEASE_FREE) - (l->state != LEASE_FREE);
	l->state = state;
	l->end_ns = end_ns;
	list_del(&l->of_sender);
	if (state != LEASE_FREE)
		list_add_tail(&t->of_sender[l->sender], &l->of_sender);
	list_del(&l->order);
	if (state != LEASE_FREE)
		sort_in(head, l);
	else if (l->is_kept)
		return; /* nobody else takes it */
	else if (l->was_bound)
		list_add_tail(head, &l->order); /* its client may return */
	else
		list_add_head(head, &l->order);
}

static void expire(struct lease_table *t, uint64_t now_ns)
{
	for (unsigned i = LEASE_FREE + 1; i < LEASE_STATES; i++) {
		struct list *first;

		while ((first = list_first(&t->by_state[i]))) {
			struct lease *l =
				container_of(first, struct lease, order);

			if (l->end_ns > now_ns)
				break;
			set_state(t, l, LEASE_FREE, 0);
		}
	}
}

void lease_expire(struct lease_table *t, uint64_t now_ns)
{
	expire(t, now_ns);
	say_news(t);
	if (!t->twin)
		return;
	expire(t->twin, now_ns);
	say_news(t->twin);
}

/* True if both are clients of one machine by what they say of it. */
static bool same_owner(const struct lease_client *a,
		       const struct lease_client *b)
{
	size_t len = a->id_len - a->n_part;

	return a->n_part && a->n_part == b->n_part &&
	       a->id_len == b->id_len && memcmp(a->id, b->id, len) == 0;
}

unsigned lease_n_bound(const struct lease_table *t)
{
	unsigned n = t->n_bound;

	for (unsigned i = 0; t->twin && i < t->n; i++)
		n += t->twin->lease[i].state == LEASE_BOUND &&
		     t->lease[i].state != LEASE_BOUND;
	return n;
}

static bool is_held(const struct lease *l)
{
	return l->state == LEASE_OFFERED || l->state == LEASE_BOUND;
}

/* True if another machine has this place by the other family. */
static bool is_anothers(const struct lease *l, const struct lease_client *c)
{
	return l->twin && is_held(l->twin) &&
	       !mac_eq(l->twin->client.mac, c->mac);
}

/* True if the place is kept, and c is whom it is kept for. */
static bool is_owner(const struct lease *l, const struct lease_client *c)
{
	if (l->rule)
		return l->rule == c->rule;
	return l->is_kept && !mac_is_zero(l->owner) && mac_eq(l->owner, c->mac);
}

bool lease_is_free_for(const struct lease *l, const struct lease_client *c)
{
	bool is_own = same_client(&l->client, c);

	if (l->reserved || l->state == LEASE_RESTED || is_anothers(l, c))
		return false;
	if (!l->is_kept)
		return (l->state == LEASE_FREE || is_own) && !l->is_outside;
	/* The owner's, whatever it calls itself, but once. */
	return is_owner(l, c) &&
	       (l->state == LEASE_FREE || is_own ||
		(mac_eq(l->client.mac, c->mac) && !same_owner(&l->client, c)));
}

/* Who has it already goes on, and if it is nobody's from now on its lease runs
 * out, for the machine may be back. */
static void keep_for(struct lease_table *t, struct lease *l, mac m)
{
	if (l->state != LEASE_FREE && !mac_is_zero(m) &&
	    !mac_eq(l->client.mac, m))
		set_state(t, l, LEASE_FREE, 0);
	l->owner = m;
}

void lease_keep_for(struct lease_table *t, const addr *ip, mac m)
{
	struct lease *l = lease_at(t, ip);

	if (!l && t->twin) {
		t = t->twin;
		l = lease_at(t, ip);
	}
	if (!l || !l->is_kept || l->rule || mac_eq(l->owner, m))
		return;
	keep_for(t, l, m);
	say_news(t);
	if (!l->twin || l->twin->rule)
		return;
	keep_for(t->twin, l->twin, m);
	say_news(t->twin);
}

/* The place that a rule gives this client, or NULL. */
static struct lease *own_place(const struct lease_table *t,
			       const struct lease_client *c)
{
	return c->rule && c->rule <= t->n_rules ? t->by_rule[c->rule - 1]
						: NULL;
}

/* The address that is kept for this client, if it may have it. */
static struct lease *kept_for(const struct lease_table *t,
			      const struct lease_client *c)
{
	struct lease *l = own_place(t, c);

	if (l && lease_is_free_for(l, c))
		return l;
	for (unsigned i = t->pool; i < t->pool + t->n_kept; i++) {
		if (!t->lease[i].rule && lease_is_free_for(&t->lease[i], c))
			return &t->lease[i];
	}
	return NULL;
}

bool lease_may_have(const struct lease_table *t, const struct lease *l,
		    const struct lease_client *c)
{
	const struct lease *kept = kept_for(t, c);

	return lease_is_free_for(l, c) && (!kept || kept == l);
}

/* The lowest address that was never given out. One that another machine had by
 * the other family waits behind the rest. */
static struct lease *take_fresh(struct lease_table *t,
				const struct lease_client *c)
{
	while (t->fresh < t->n) {
		struct lease *l = &t->lease[t->fresh++];

		if (l->reserved || l->was_used || l->is_outside || l->is_kept)
			continue;
		if (!l->twin || !l->twin->was_used ||
		    mac_eq(l->twin->client.mac, c->mac))
			return l;
		list_add_tail(&t->by_state[LEASE_FREE], &l->order);
	}
	return NULL;
}

static struct lease *take_free(struct lease_table *t,
			       const struct lease_client *c)
{
	list_each(it, &t->by_state[LEASE_FREE]) {
		struct lease *l = container_of(it, struct lease, order);

		if (lease_is_free_for(l, c))
			return l;
	}
	return NULL;
}

/* True if c is what holds l, under another name: a machine that was started
 * anew may have made one up.  Only where its IAs tell its own clients apart. */
static bool may_inherit(const struct lease *l, const struct lease_client *c)
{
	return c->n_part && is_held(l) && !l->reserved && !l->is_kept &&
	       !is_anothers(l, c) && mac_eq(l->client.mac, c->mac) &&
	       !same_owner(&l->client, c);
}

/* The place that c's machine has already: by the other family, or under
 * another name. */
static struct lease *machines_place(const struct lease_table *t,
				    const struct lease_client *c)
{
	const struct lease_client by_mac = {.sender = c->mac};
	const struct list *head, *it;
	struct lease *found = NULL;

	if (!t->twin)
		return NULL;
	/* The newest is last.  By IPv4 that is what the machine runs now, by
	 * IPv6 one of all that it has at once: the lowest. */
	head = &t->twin->of_sender[sender_of(t->twin, &by_mac)];
	for (it = head->prev; it != head; it = it->prev) {
		struct lease *l = container_of(it, struct lease, of_sender);

		if (!is_held(l) || !mac_eq(l->client.mac, c->mac) ||
		    !(lease_is_free_for(l->twin, c) ||
		      may_inherit(l->twin, c)))
			continue;
		if (!found || (!t->is_led && l->twin < found))
			found = l->twin;
	}
	if (found)
		return found;
	head = &t->of_sender[sender_of(t, &by_mac)];
	for (it = head->prev; it != head; it = it->prev) {
		struct lease *l = container_of(it, struct lease, of_sender);

		if (may_inherit(l, c))
			return l;
	}
	return NULL;
}

/* A FREE address gets a new client. */
static void give_to(struct lease_table *t, struct lease *l,
		    const struct lease_client *c)
{
	unsigned b;

	if (l->was_used)
		unchain(t, l);
	l->client = *c;
	l->was_used = true;
	l->was_bound = l->is_probed = false;
	l->name[0] = '\0';
	l->sender = sender_of(t, c);
	b = bucket_of(t, c);
	l->chain = t->bucket[b];
	t->bucket[b] = l;
}

/* The client's own address if it may keep it, and if it wants no other. */
static struct lease *own_lease(struct lease *own, const struct lease_client *c,
			       const addr *want)
{
	if (!own || !lease_is_free_for(own, c))
		return NULL;
	if (own->state != LEASE_FREE || addr_is_unspecified(want) ||
	    addr_eq(want, &own->ip))
		return own;
	return NULL;
}

static struct lease *take(struct lease_table *t, const struct lease_client *c,
			  const addr *want)
{
	struct lease *l = lease_at(t, want);

	if (l && lease_is_free_for(l, c))
		return l;
	l = machines_place(t, c);
	if (!l)
		l = take_fresh(t, c);
	return l ? l : take_free(t, c);
}

/* True if the client's port of the lan has so many places, by either family,
 * that it gets no other one. */
static bool is_port_full(const struct lease_table *t,
			 const struct lease_client *c)
{
	unsigned n_max = t->n_shared, n = 0, n_port = 0;
	unsigned most = t->n_held + (t->twin ? t->twin->n_held : 0);

	if (most < n_max && !service_port_is_full(c->port, most, most, n_max))
		return false;
	for (unsigned i = t->pool; i < t->n; i++) {
		const struct lease *l = &t->lease[i], *o = l->twin;
		bool is_in = l->state != LEASE_FREE;
		bool is_out = o && o->state != LEASE_FREE;

		if (l->is_kept || l->is_outside)
			continue;
		n += is_in || is_out;
		n_port += (is_in && l->client.port == c->port) ||
			  (is_out && o->client.port == c->port);
	}
	return service_port_is_full(c->port, n_port, n, n_max);
}

/* True if the client's sender may have one more.  One that is at its share
 * gives the oldest of the same machine under another identifier for it. */
static bool has_share(struct lease_table *t, const struct lease_client *c)
{
	uint16_t sender = sender_of(t, c);

	if (t->n_sender[sender] < LEASE_PER_SENDER)
		return true;
	list_each(it, &t->of_sender[sender]) {
		struct lease *l = container_of(it, struct lease, of_sender);

		if (l->state == LEASE_RESTED || !mac_eq(l->client.mac, c->mac))
			continue;
		set_state(t, l, LEASE_FREE, 0);
		return true;
	}
	return false;
}

addr lease_wish(struct lease_table *t, const struct lease_client *c,
		const addr *want)
{
	const struct lease *l = lease_find(t, c);

	if (l && lease_is_free_for(l, c))
		return *want;
	l = machines_place(t, c);
	return l ? l->ip : *want;
}

struct lease *lease_offer(struct lease_table *t, const struct lease_client *c,
			  const addr *want, uint64_t end_ns)
{
	struct lease *old = lease_find(t, c);
	struct lease *l = kept_for(t, c);

	if (l)
		want = &l->ip;
	l = own_lease(old, c, want);
	if (l && !lease_may_have(t, l, c))
		l = NULL;

	if ((!l || l->state == LEASE_FREE) && !has_share(t, c))
		return NULL;
	if (!l && !machines_place(t, c) && !kept_for(t, c) &&
	    is_port_full(t, c))
		return NULL;
	if (!l)
		l = take(t, c, want);
	if (!l)
		return NULL;
	if (old && old != l) {
		/* One client, one address: the old one is anybody's now. */
		if (is_held(old))
			set_state(t, old, LEASE_FREE, 0);
		unchain(t, old);
		old->client.id_len = 0;
	}
	/* The same machine under another identifier, as its firmware has. */
	if (old != l && l->state != LEASE_FREE)
		set_state(t, l, LEASE_FREE, 0);
	if (old != l)
		give_to(t, l, c);
	l->client = *c; /* it may come by another card */
	if (l->state == LEASE_FREE)
		l->sender = sender_of(t, c);
	if (l->state != LEASE_BOUND)
		set_state(t, l, LEASE_OFFERED, end_ns);
	say_news(t);
	return l;
}

void lease_name(struct lease *l, const char name[LEASE_NAME_LEN],
		uint64_t now_ns)
{
	if (strcmp(l->name, name) == 0)
		return;
	memcpy(l->name, name, LEASE_NAME_LEN);
	l->named_ns = now_ns;
}

void lease_bind(struct lease_table *t, struct lease *l, uint64_t end_ns)
{
	l->was_bound = true;
	set_state(t, l, LEASE_BOUND, end_ns);
	say_news(t);
}

void lease_release(struct lease_table *t, struct lease *l)
{
	set_state(t, l, LEASE_FREE, 0);
	say_news(t);
}

void lease_rest(struct lease_table *t, struct lease *l, uint64_t end_ns)
{
	set_state(t, l, LEASE_RESTED, end_ns);
	say_news(t);
}

static unsigned count_used(const struct lease_table *t, uint32_t port)
{
	unsigned n = 0;

	list_each(it, &t->by_state[LEASE_RESTED]) {
		const struct lease *l = container_of(it, struct lease, order);

		n += l->client.port == port;
	}
	return n;
}

bool lease_used(struct lease_table *t, struct lease *l, mac user, uint32_t port,
		uint64_t end_ns)
{
	/* No client names itself so: it is nobody's lease. */
	struct lease_client c = {
		.mac = user, .sender = user, .port = port, .id_len = 17};

	if (t->n_sender[sender_of(t, &c)] >= LEASE_PER_SENDER ||
	    (port && count_used(t, port) >= LEASE_PER_SENDER))
		return false;
	memcpy(c.id + 1, l->ip.b, sizeof(l->ip.b));
	if (l->state != LEASE_FREE)
		set_state(t, l, LEASE_FREE, 0);
	give_to(t, l, &c);
	set_state(t, l, LEASE_RESTED, end_ns);
	say_news(t);
	return true;
}

bool lease_restore(struct lease_table *t, const struct lease *was)
{
	const struct lease_client *c = &was->client;
	struct lease *l = lease_at(t, &was->ip);

	if (!l || l->reserved || l->was_used || l->state != LEASE_FREE ||
	    was->state == LEASE_OFFERED || !c->id_len || lease_find(t, c))
		return false;
	/* Who has a place of his own, or this one is another's. */
	if (own_place(t, c) != (l->rule ? l : NULL) ||
	    (l->is_outside && !l->rule))
		return false;
	give_to(t, l, c);
	l->was_bound = was->state != LEASE_RESTED;
	memcpy(l->name, was->name, sizeof(l->name));
	set_state(t, l, was->state, was->end_ns);
	list_del(&l->news);
	t->is_news = t->is_urgent = false;
	return true;
}

struct lease *lease_news_take(struct lease_table *t)
{
	struct list *first = list_first(&t->news);
	struct lease *l;

	if (!first)
		return NULL;
	l = container_of(first, struct lease, news);
	list_del(&l->news);
	return l;
}

void lease_news_return(struct lease_table *t, struct lease *l)
{
	list_add_head(&t->news, &l->news);
}
