/* SPDX-License-Identifier: BSD-3-Clause */
/* The copy of a MAC table; see fdb_copy.h. */
#include "lan/fdb_copy.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static inline uint32_t *chain(const struct fdb_copy *t, uint64_t key)
{
	uint64_t h = hash_bytes(&t->key, &key, sizeof(key));

	return &t->bucket[h & t->bucket_mask];
}

int fdb_copy_init(struct fdb_copy *t, unsigned max)
{
	unsigned n_buckets = 16;

	while (n_buckets < max * 2)
		n_buckets *= 2;
	*t = (struct fdb_copy){.max = max,
			       .bucket_mask = n_buckets - 1,
			       .key = hash_key_new()};
	t->entry = calloc(max, sizeof(*t->entry));
	t->bucket = calloc(n_buckets, sizeof(*t->bucket));
	if (t->entry && t->bucket)
		return 0;
	fdb_copy_deinit(t);
	return -ENOMEM;
}

void fdb_copy_deinit(struct fdb_copy *t)
{
	free(t->entry);
	free(t->bucket);
	*t = (struct fdb_copy){0};
}

static void take_out(struct fdb_copy *t, unsigned slot)
{
	struct fdb_copy_entry *e = &t->entry[slot];
	uint32_t *at = chain(t, e->key);

	while (*at != slot + 1)
		at = &t->entry[*at - 1].next;
	*at = e->next;
	e->port->n_known--;
	*e = (struct fdb_copy_entry){0};
}

void fdb_copy_set(struct fdb_copy *t, unsigned slot, mac m, struct port *p,
		  uint64_t now_ns)
{
	struct fdb_copy_entry *e = &t->entry[slot];
	uint32_t *first;

	assert(slot < t->max);
	if (e->port)
		take_out(t, slot);
	if (!p)
		return;
	/* In front of an older place of the same address. */
	first = chain(t, mac_key(m));
	*e = (struct fdb_copy_entry){.key = mac_key(m),
				     .port = p,
				     .told_ns = now_ns,
				     .next = *first};
	*first = slot + 1;
	p->n_known++;
}

struct fdb_copy_entry *fdb_copy_find(const struct fdb_copy *t, mac m)
{
	uint64_t key = mac_key(m);
	uint32_t i = *chain(t, key);

	while (i && t->entry[i - 1].key != key)
		i = t->entry[i - 1].next;
	return i ? &t->entry[i - 1] : NULL;
}

void fdb_copy_replace(struct fdb_copy *t, const struct port *old,
		      struct port *p)
{
	for (unsigned i = 0; i < t->max; i++) {
		if (t->entry[i].port != old)
			continue;
		if (!p) {
			take_out(t, i);
			continue;
		}
		t->entry[i].port->n_known--;
		t->entry[i].port = p;
		p->n_known++;
	}
}
