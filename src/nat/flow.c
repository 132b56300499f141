/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow table (flow.h): a fixed array of chains.  Called by tcp, udp and
 * icmp for every packet of a guest; one worker's thread.
 */
#include "nat/flow.h"

#include <errno.h>
#include <stdlib.h>

enum {
	KEY_BYTES = 2 * ENDPOINT_BYTES + 1,
	WALK_CHAINS = 8192, /* looked at in a turn, be they empty */
};

static uint32_t key_hash(const struct flow_table *t, uint8_t proto,
			 const struct endpoint *guest,
			 const struct endpoint *remote)
{
	uint8_t b[KEY_BYTES];
	uint8_t *p = b;

	p = endpoint_put(p, guest);
	p = endpoint_put(p, remote);
	*p = proto;
	return (uint32_t)hash_bytes(&t->key, b, sizeof(b));
}

static bool key_match(const struct flow *f, const struct flow_key *key)
{
	return f->guest.port == key->guest.port &&
	       f->remote.port == key->remote.port && f->proto == key->proto &&
	       addr_eq(&f->guest.ip, &key->guest.ip) &&
	       addr_eq(&f->remote.ip, &key->remote.ip);
}

int flow_table_init(struct flow_table *t, unsigned n_max)
{
	uint32_t n = 16;

	while (n < n_max && n < UINT32_C(1) << 24)
		n <<= 1;
	*t = (struct flow_table){.mask = n - 1, .n_max = n_max};
	t->bucket = calloc(n, sizeof(struct flow *));
	if (!t->bucket)
		return -ENOMEM;
	t->key = hash_key_new();
	t->quota = &t->own;
	list_init(&t->all);
	return 0;
}

void flow_share_init(struct flow_share *s)
{
	*s = (struct flow_share){.key = hash_key_new(),
				 .quota = {.is_shared = true}};
}

void flow_table_join(struct flow_table *t, struct flow_share *s,
		     struct bucket_holds *h)
{
	t->key = s->key;
	t->quota = &s->quota;
	t->holds = h;
}

void flow_table_deinit(struct flow_table *t)
{
	free(t->bucket);
	t->bucket = NULL;
}

struct flow *flow_find(struct flow_table *t, const struct flow_key *key)
{
	struct flow *f = t->last;
	uint32_t hash;

	if (f && key_match(f, key))
		return f;
	hash = key_hash(t, key->proto, &key->guest, &key->remote);
	for (f = t->bucket[hash & t->mask]; f; f = f->chain) {
		if (f->hash != hash || !key_match(f, key))
			continue;
		t->last = f;
		return f;
	}
	return NULL;
}

/* Nothing is held of another's bucket: see flow.h. */
static void hold(struct bucket_holds *h, struct flow *f)
{
	uint32_t bucket = buckets_of(h->b, f->proto, &f->guest, &f->remote);
	unsigned owner;

	f->held = bucket_hold(h, bucket, &owner) ? bucket + 1 : 0;
}

bool flow_add(struct flow_table *t, struct flow *f, uint32_t port)
{
	struct quota_payer payer = quota_payer(
		hash_bytes(&t->key, f->guest.ip.b, sizeof(f->guest.ip.b)),
		port);
	struct flow **head;

	if (!quota_has_room(t->quota, payer, quota_free(t->quota, t->n_max)))
		return false;
	if (t->holds)
		hold(t->holds, f);
	f->hash = key_hash(t, f->proto, &f->guest, &f->remote);
	f->payer = payer;
	head = &t->bucket[f->hash & t->mask];
	f->chain = *head;
	*head = f;
	list_add_tail(&t->all, &f->link);
	quota_take(t->quota, payer);
	t->n++;
	t->last = f;
	return true;
}

void flow_del(struct flow_table *t, struct flow *f)
{
	struct flow **at = &t->bucket[f->hash & t->mask];

	while (*at != f)
		at = &(*at)->chain;
	*at = f->chain;
	list_del(&f->link);
	quota_give(t->quota, f->payer);
	t->n--;
	if (t->last == f)
		t->last = NULL;
	if (f->held)
		bucket_release(t->holds, f->held - 1);
	f->held = 0;
}

static unsigned chain_len(const struct flow *f)
{
	unsigned n = 0;

	for (; f; f = f->chain)
		n++;
	return n;
}

uint32_t flow_walk(const struct flow_table *t, uint32_t from, unsigned max,
		   flow_fn fn, void *arg)
{
	unsigned n = 0;

	if (!t->n)
		return 0;
	if (from == 0 && t->n <= max) { /* no need to look for them */
		list_each (it, &t->all)
			fn(arg, container_of(it, struct flow, link));
		return 0;
	}
	for (uint32_t i = from; i <= t->mask; i++) {
		const struct flow *f = t->bucket[i];
		unsigned len = chain_len(f);

		if (i - from == WALK_CHAINS || (n && len > max - n))
			return i;
		for (; f && n < max; f = f->chain, n++)
			fn(arg, f);
	}
	return 0;
}

static uint64_t ms_since(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? (now_ns - then_ns) / 1000000u : 0;
}

struct flow_seen *flow_show(struct flow_room *r, const struct flow *f,
			    uint64_t used_ns)
{
	struct flow_seen *s = &r->to[r->n++];

	*s = (struct flow_seen){
		.guest = f->guest,
		.guest_mac = f->guest_mac,
		.proto = f->proto,
		.age_ms = ms_since(f->born_ns, r->now_ns),
		.idle_ms = ms_since(used_ns > f->born_ns ? used_ns : f->born_ns,
				    r->now_ns),
	};
	return s;
}
