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
	for (unsigned i = 0; i < LEASE_STATES; i++)
		list_init(&t->by_state[i]);
	for (unsigned i = 0; i < LEASE_BUCKETS; i++)
		list_init(&t->of_sender[i]);
	t->key = hash_key_new();
	t->first = from;
	t->n = n > LEASE_MAX ? LEASE_MAX : n;
	t->lease = calloc(t->n + 1, sizeof(*t->lease));
	if (!t->lease)
		return -ENOMEM;
	for (unsigned i = 0; i < t->n; i++) {
		t->lease[i].ip = addr_v4_u32(from + i);
		list_init(&t->lease[i].order);
		list_init(&t->lease[i].of_sender);
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

void lease_keep_first(struct lease_table *t, unsigned n)
{
	t->n_kept = n < t->n ? n : t->n;
	t->fresh = t->n_kept;
	for (unsigned i = 0; i < t->n_kept; i++)
		t->lease[i].is_kept = true;
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

	t->n_bound += (state == LEASE_BOUND) - (l->state == LEASE_BOUND);
	if (state != LEASE_FREE && l->state == LEASE_FREE)
		t->n_sender[l->sender]++;
	if (state == LEASE_FREE && l->state != LEASE_FREE)
		t->n_sender[l->sender]--;
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

void lease_expire(struct lease_table *t, uint64_t now_ns)
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

bool lease_is_free_for(const struct lease *l, const struct lease_client *c)
{
	if (l->reserved || l->state == LEASE_RESTED)
		return false;
	if (l->is_kept)
		return !mac_is_zero(l->owner) && mac_eq(l->owner, c->mac);
	return l->state == LEASE_FREE || same_client(&l->client, c);
}

void lease_keep_for(struct lease_table *t, const addr *ip, mac m)
{
	struct lease *l = lease_at(t, ip);

	if (!l || !l->is_kept || mac_eq(l->owner, m))
		return;
	if (l->state != LEASE_FREE)
		set_state(t, l, LEASE_FREE, 0);
	l->owner = m;
}

/* The address that is kept for this client, if it may have it. */
static struct lease *kept_for(const struct lease_table *t,
			      const struct lease_client *c)
{
	for (unsigned i = 0; i < t->n_kept; i++) {
		if (lease_is_free_for(&t->lease[i], c))
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

static struct lease *take_free(struct lease_table *t)
{
	struct list *first = list_first(&t->by_state[LEASE_FREE]);

	return first ? container_of(first, struct lease, order) : NULL;
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
	l->was_bound = false;
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
	l = take_fresh(t);
	return l ? l : take_free(t);
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
	if (!l)
		l = take(t, c, want);
	if (!l)
		return NULL;
	if (old && old != l) {
		/* One client, one address: the old one is anybody's now. */
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
	return l;
}

void lease_bind(struct lease_table *t, struct lease *l, uint64_t end_ns)
{
	l->was_bound = true;
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
