/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of DHCP leases; see lease.h. */
#include "service/lease.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lease_table_init(struct lease_table *t, const struct prefix *net,
		     const addr *first)
{
	addr last = prefix_broadcast(net);
	uint32_t from = addr_u32(first), to = addr_u32(&last);
	unsigned n = to > from ? to - from : 0; /* without the broadcast */

	memset(t, 0, sizeof(*t));
	list_init(&t->by_end);
	t->key = hash_key_new();
	t->first = from;
	t->n = n > LEASE_MAX ? LEASE_MAX : n;
	t->lease = calloc(t->n + 1, sizeof(*t->lease));
	if (!t->lease)
		return -ENOMEM;
	for (unsigned i = 0; i < t->n; i++) {
		t->lease[i].ip = addr_v4_u32(from + i);
		list_init(&t->lease[i].order);
	}
	return 0;
}

void lease_table_deinit(struct lease_table *t)
{
	free(t->lease);
	t->lease = NULL;
	t->n = 0;
}

struct lease *lease_at(struct lease_table *t, const addr *ip)
{
	uint32_t at = addr_u32(ip);

	if (!addr_is_v4(ip) || at < t->first || at - t->first >= t->n)
		return NULL;
	return &t->lease[at - t->first];
}

void lease_reserve(struct lease_table *t, const addr *ip)
{
	struct lease *l = lease_at(t, ip);

	if (l)
		l->reserved = true;
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

/* Keeps by_end sorted; new ends are nearly always the latest. */
static void sort_in(struct lease_table *t, struct lease *l)
{
	struct list *pos = &t->by_end;

	list_del(&l->order);
	if (!l->end_ns) {
		list_add_head(&t->by_end, &l->order);
		return;
	}
	while (pos->prev != &t->by_end &&
	       container_of(pos->prev, struct lease, order)->end_ns >
		       l->end_ns)
		pos = pos->prev;
	list_add_before(pos, &l->order);
}

static bool is_held(const struct lease *l)
{
	return l->state == LEASE_OFFERED || l->state == LEASE_BOUND;
}

static void set_state(struct lease_table *t, struct lease *l,
		      enum lease_state state, uint64_t end_ns)
{
	bool was_held = is_held(l);

	t->n_bound += (state == LEASE_BOUND) - (l->state == LEASE_BOUND);
	l->state = state;
	l->end_ns = end_ns;
	if (is_held(l) && !was_held)
		t->n_sender[l->sender]++;
	if (!is_held(l) && was_held)
		t->n_sender[l->sender]--;
	sort_in(t, l);
}

bool lease_is_free_for(const struct lease_table *t, const struct lease *l,
		       const struct lease_client *c, uint64_t now_ns)
{
	(void)t; /* the lease tells all */
	if (l->reserved)
		return false;
	if (l->state == LEASE_RESTED)
		return l->end_ns <= now_ns;
	return same_client(&l->client, c) || !is_held(l) ||
	       l->end_ns <= now_ns;
}

/* The lowest address that was never given out. */
static struct lease *take_fresh(struct lease_table *t)
{
	while (t->fresh < t->n) {
		struct lease *l = &t->lease[t->fresh++];

		if (!l->reserved && !l->was_used)
			return l;
	}
	return NULL;
}

/* The address whose time ended first, if its time has ended. */
static struct lease *take_ended(struct lease_table *t, uint64_t now_ns)
{
	list_each(it, &t->by_end) {
		struct lease *l = container_of(it, struct lease, order);

		/* Sorted: what follows ends later still. */
		if (l->state != LEASE_FREE && l->end_ns > now_ns)
			return NULL;
		return l;
	}
	return NULL;
}

static void give_to(struct lease_table *t, struct lease *l,
		    const struct lease_client *c)
{
	unsigned b;

	if (is_held(l))
		set_state(t, l, LEASE_FREE, l->end_ns);
	if (l->was_used)
		unchain(t, l);
	l->client = *c;
	l->was_used = true;
	l->name[0] = '\0';
	l->sender = sender_of(t, c);
	b = bucket_of(t, c);
	l->chain = t->bucket[b];
	t->bucket[b] = l;
}

/* The client's own address if it may keep it, and if it wants no other. */
static struct lease *own_lease(struct lease_table *t,
			       const struct lease_client *c, const addr *want,
			       uint64_t now_ns)
{
	struct lease *l = lease_find(t, c);

	if (!l || !lease_is_free_for(t, l, c, now_ns))
		return NULL;
	if (is_held(l) || addr_is_unspecified(want) || addr_eq(want, &l->ip))
		return l;
	return NULL;
}

struct lease *lease_offer(struct lease_table *t, const struct lease_client *c,
			  const addr *want, uint64_t now_ns, uint64_t end_ns)
{
	struct lease *l = own_lease(t, c, want, now_ns);
	struct lease *old = l ? NULL : lease_find(t, c);

	if ((!l || !is_held(l)) &&
	    t->n_sender[sender_of(t, c)] >= LEASE_PER_SENDER)
		return NULL;
	if (!l) {
		l = lease_at(t, want);
		if (l && !lease_is_free_for(t, l, c, now_ns))
			l = NULL;
	}
	if (!l)
		l = take_fresh(t);
	if (!l)
		l = take_ended(t, now_ns);
	if (!l)
		return NULL;
	if (old && old != l) {
		/* One client, one address: the old one is anybody's now. */
		unchain(t, old);
		old->client.id_len = 0;
	}
	if (!same_client(&l->client, c) || !l->was_used)
		give_to(t, l, c);
	if (l->state != LEASE_BOUND || l->end_ns <= now_ns)
		set_state(t, l, LEASE_OFFERED, end_ns);
	return l;
}

void lease_bind(struct lease_table *t, struct lease *l, uint64_t end_ns)
{
	set_state(t, l, LEASE_BOUND, end_ns);
}

void lease_release(struct lease_table *t, struct lease *l)
{
	set_state(t, l, LEASE_FREE, 0);
}

void lease_rest(struct lease_table *t, struct lease *l, uint64_t end_ns)
{
	set_state(t, l, LEASE_RESTED, end_ns);
}
