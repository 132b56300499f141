/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC table (see fdb.h).  Called by lan.c, once or twice per frame, on the
 * worker's thread.
 *
 * An entry is on three lists: its hash chain, all entries by age, and the
 * entries of its port by age.  Both age lists are kept in order of seen_ns by
 * moving an entry to the tail whenever seen_ns is set, which happens at most
 * once a second per entry.
 */
#include "lan/fdb.h"

#include <errno.h>
#include <stdlib.h>

struct fdb_entry {
	uint64_t key;		 /* the MAC's six bytes, see mac_key() */
	struct fdb_entry *next;	 /* in the chain */
	struct port *port;	 /* borrowed; flushed before it goes */
	uint64_t seen_ns;
	uint64_t moved_ns;	 /* when it came here from came_from */
	uint32_t came_from;	 /* port.serial, 0 = never moved */
	struct list link_age;	 /* in fdb.by_age */
	struct list link_port;	 /* in port.macs */
};

static inline struct fdb_entry **chain(const struct fdb *t, uint64_t key)
{
	uint64_t h = hash_bytes(&t->key, &key, sizeof(key));

	return &t->bucket[h & t->bucket_mask];
}

static struct fdb_entry *entry_find(const struct fdb *t, uint64_t key)
{
	struct fdb_entry *e = *chain(t, key);

	while (e && e->key != key)
		e = e->next;
	return e;
}

/* Moves p between the lists of ports with equally many entries.  Counts
 * change by one, so n_most does too. */
static void port_count(struct fdb *t, struct port *p, int change)
{
	p->n_macs += change;
	list_del(&p->link_n);
	if (p->n_macs > 0)
		list_add_tail(&t->by_count[p->n_macs], &p->link_n);
	if (p->n_macs > t->n_most)
		t->n_most = p->n_macs;
	else if (t->n_most > 0 && list_empty(&t->by_count[t->n_most]))
		t->n_most--;
}

static unsigned slot_of(const struct fdb *t, const struct fdb_entry *e)
{
	size_t at = (size_t)((const uint8_t *)e - t->slab.mem);

	return (unsigned)(at / t->slab.obj_len);
}

/* e is in its place; NULL: nothing is in this one any more. */
static void slot_put(struct fdb *t, unsigned slot, struct fdb_entry *e)
{
	if (!t->by_slot)
		return;
	t->by_slot[slot] = e;
	t->changed(t->changed_arg, slot);
}

static void entry_join(struct fdb *t, struct fdb_entry *e, struct port *p)
{
	e->port = p;
	slot_put(t, slot_of(t, e), e);
	p->last_mac = mac_of_key(e->key);
	list_add_tail(&p->macs, &e->link_port);
	port_count(t, p, 1);
}

static void entry_leave(struct fdb *t, struct fdb_entry *e)
{
	list_del(&e->link_port);
	port_count(t, e->port, -1);
	e->port = NULL;
}

static void entry_seen(struct fdb *t, struct fdb_entry *e, uint64_t now_ns)
{
	e->seen_ns = now_ns;
	list_del(&e->link_age);
	list_add_tail(&t->by_age, &e->link_age);
	list_del(&e->link_port);
	list_add_tail(&e->port->macs, &e->link_port);
}

static void entry_free(struct fdb *t, struct fdb_entry *e)
{
	struct fdb_entry **pp = chain(t, e->key);

	while (*pp != e)
		pp = &(*pp)->next;
	*pp = e->next;
	entry_leave(t, e);
	list_del(&e->link_age);
	slot_put(t, slot_of(t, e), NULL);
	slab_free(&t->slab, e);
	t->n--;
}

/* Makes room for one entry behind p: who has most gives, p first. */
static void entry_evict(struct fdb *t, struct port *p)
{
	struct list *l = &p->link_n;

	if (p->n_macs < t->n_most)
		l = list_first(&t->by_count[t->n_most]);
	p = container_of(l, struct port, link_n);
	entry_free(t, container_of(list_first(&p->macs), struct fdb_entry,
				   link_port));
}

static void entry_add(struct fdb *t, uint64_t key, struct port *p,
		      uint64_t now_ns)
{
	struct fdb_entry **pp;
	struct fdb_entry *e;

	if (t->n == t->max)
		entry_evict(t, p);
	e = slab_alloc(&t->slab);
	if (!e)
		return;
	pp = chain(t, key);
	e->key = key;
	e->next = *pp;
	*pp = e;
	e->seen_ns = now_ns;
	list_add_tail(&t->by_age, &e->link_age);
	list_init(&e->link_port);
	entry_join(t, e, p);
	t->n++;
	if (!timer_is_armed(&t->age_timer))
		timer_arm(t->wheel, &t->age_timer, now_ns + t->age_ns);
}

/* Fires when the entry that was oldest at arming may be too old.  Each entry
 * is looked at once per age_ns at most, whatever traffic there is. */
static void age_fire(struct timer *timer, uint64_t now_ns)
{
	struct fdb *t = container_of(timer, struct fdb, age_timer);

	list_each_safe(it, &t->by_age) {
		struct fdb_entry *e = container_of(it, struct fdb_entry,
						   link_age);

		if (now_ns < e->seen_ns + t->age_ns) {
			timer_arm(t->wheel, timer, e->seen_ns + t->age_ns);
			return;
		}
		if (e->port->caps.is_ours) /* it is there, if silent */
			entry_seen(t, e, now_ns);
		else
			entry_free(t, e);
	}
}

int fdb_init(struct fdb *t, unsigned max, uint64_t age_ns,
	     struct timer_wheel *wheel)
{
	unsigned n_buckets = 16;

	*t = (struct fdb){.max = max, .age_ns = age_ns, .wheel = wheel};
	list_init(&t->by_age);
	timer_init(&t->age_timer, age_fire);
	t->key = hash_key_new();
	while (n_buckets < max * 2)
		n_buckets *= 2;
	t->bucket_mask = n_buckets - 1;
	t->bucket = calloc(n_buckets, sizeof(*t->bucket));
	t->by_count = calloc(max + 1, sizeof(*t->by_count));
	if (!t->bucket || !t->by_count ||
	    slab_init(&t->slab, sizeof(struct fdb_entry), max) < 0) {
		fdb_deinit(t);
		return -ENOMEM;
	}
	for (unsigned i = 0; i <= max; i++)
		list_init(&t->by_count[i]);
	return 0;
}

void fdb_deinit(struct fdb *t)
{
	if (t->wheel)
		timer_disarm(t->wheel, &t->age_timer);
	slab_deinit(&t->slab);
	free(t->by_slot);
	free(t->bucket);
	free(t->by_count);
	*t = (struct fdb){0};
}

void fdb_port_init(struct port *p)
{
	p->n_macs = 0;
	p->last_mac = (mac){0};
	list_init(&p->macs);
	list_init(&p->link_n);
}

struct port *fdb_find(const struct fdb *t, mac m)
{
	struct fdb_entry *e = entry_find(t, mac_key(m));

	return e ? e->port : NULL;
}

enum fdb_result fdb_learn(struct fdb *t, mac m, struct port *p,
			  uint64_t now_ns, struct port **fromp)
{
	uint64_t key = mac_key(m);
	struct fdb_entry *e = entry_find(t, key);
	bool is_back;

	if (!e) {
		entry_add(t, key, p, now_ns);
		return FDB_ADDED;
	}
	if (e->port == p) {
		if (now_ns - e->seen_ns >= FDB_REFRESH_NS)
			entry_seen(t, e, now_ns);
		return FDB_SAME;
	}
	is_back = e->came_from == p->serial && e->came_from != 0 &&
		  now_ns - e->moved_ns < FDB_BACK_NS;
	*fromp = e->port;
	e->came_from = e->port->serial;
	e->moved_ns = now_ns;
	entry_leave(t, e);
	entry_join(t, e, p);
	entry_seen(t, e, now_ns);
	return is_back ? FDB_MOVED_BACK : FDB_MOVED;
}

void fdb_put(struct fdb *t, mac m, struct port *p, uint64_t now_ns)
{
	struct fdb_entry *e;
	struct port *from;

	(void)fdb_learn(t, m, p, now_ns, &from);
	e = entry_find(t, mac_key(m));
	if (e)
		e->came_from = 0;
}

void fdb_touch(struct fdb *t, struct port *p, uint64_t now_ns)
{
	struct fdb_entry *e;
	struct port *from;

	if (list_empty(&p->macs)) { /* taken by another port, or evicted */
		if (!mac_is_zero(p->last_mac))
			(void)fdb_learn(t, p->last_mac, p, now_ns, &from);
		return;
	}
	e = container_of(p->macs.prev, struct fdb_entry, link_port);
	if (now_ns - e->seen_ns >= FDB_REFRESH_NS)
		entry_seen(t, e, now_ns);
}

void fdb_used(struct fdb *t, mac m, struct port *p, uint64_t now_ns)
{
	struct fdb_entry *e = entry_find(t, mac_key(m));

	if (e && e->port == p && now_ns - e->seen_ns >= FDB_REFRESH_NS)
		entry_seen(t, e, now_ns);
}

void fdb_flush(struct fdb *t, struct port *p)
{
	list_each_safe(it, &p->macs)
		entry_free(t, container_of(it, struct fdb_entry, link_port));
}

void fdb_each(const struct fdb *t, fdb_fn fn, void *arg)
{
	list_each(it, &t->by_age) {
		struct fdb_entry *e = container_of(it, struct fdb_entry,
						   link_age);

		fn(arg, mac_of_key(e->key), e->port, e->seen_ns);
	}
}

static unsigned chain_len(const struct fdb_entry *e)
{
	unsigned n = 0;

	for (; e; e = e->next)
		n++;
	return n;
}

unsigned fdb_walk(const struct fdb *t, unsigned from, unsigned max, fdb_fn fn,
		  void *arg)
{
	unsigned n = 0;

	for (unsigned i = from; t->n && i <= t->bucket_mask; i++) {
		const struct fdb_entry *e = t->bucket[i];
		unsigned len = chain_len(e);

		if (n && len > max - n)
			return i;
		for (; e && n < max; e = e->next, n++)
			fn(arg, mac_of_key(e->key), e->port, e->seen_ns);
	}
	return 0;
}

int fdb_watch(struct fdb *t, fdb_slot_fn fn, void *arg)
{
	fdb_unwatch(t);
	t->by_slot = calloc(t->max, sizeof(struct fdb_entry *));
	if (!t->by_slot)
		return -ENOMEM;
	t->changed = fn;
	t->changed_arg = arg;
	list_each(it, &t->by_age) {
		struct fdb_entry *e = container_of(it, struct fdb_entry,
						   link_age);

		slot_put(t, slot_of(t, e), e);
	}
	return 0;
}

void fdb_unwatch(struct fdb *t)
{
	free(t->by_slot);
	t->by_slot = NULL;
}

struct port *fdb_slot(const struct fdb *t, unsigned slot, mac *mp)
{
	const struct fdb_entry *e = t->by_slot[slot];

	if (!e)
		return NULL;
	*mp = mac_of_key(e->key);
	return e->port;
}
