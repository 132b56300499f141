/* SPDX-License-Identifier: BSD-3-Clause */
/* What addresses were looked up by; see dns_names.h. */
#include "service/dns_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/slab.h"
#include "wire/dns.h"

enum { KEY_BYTES = sizeof(mac) + sizeof(addr) };

struct entry {
	struct list link;   /* in by_age */
	struct entry *next; /* in the bucket */
	mac guest;
	addr ip;
	char name[DNS_NAMES_LEN];
};

struct dns_names {
	struct hash_key key;
	struct entry *bucket[DNS_NAMES_MAX];
	struct list by_age; /* oldest first */
	struct slab memory; /* of struct entry */
};

int dns_names_new(struct dns_names **np)
{
	struct dns_names *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	if (slab_init(&n->memory, sizeof(struct entry), DNS_NAMES_MAX) < 0) {
		free(n);
		return -ENOMEM;
	}
	n->key = hash_key_new();
	list_init(&n->by_age);
	*np = n;
	return 0;
}

struct dns_names *dns_names_free(struct dns_names *n)
{
	if (n)
		slab_deinit(&n->memory);
	free(n);
	return NULL;
}

static unsigned place(const struct dns_names *n, mac guest, const addr *ip)
{
	uint8_t b[KEY_BYTES];

	memcpy(b, &guest, sizeof(guest));
	memcpy(b + sizeof(guest), ip, sizeof(*ip));
	return hash_bytes(&n->key, b, sizeof(b)) % DNS_NAMES_MAX;
}

static struct entry *find(const struct dns_names *n, mac guest, const addr *ip)
{
	struct entry *e = n->bucket[place(n, guest, ip)];

	while (e && !(mac_eq(e->guest, guest) && addr_eq(&e->ip, ip)))
		e = e->next;
	return e;
}

static void forget(struct dns_names *n, struct entry *e)
{
	struct entry **at = &n->bucket[place(n, e->guest, &e->ip)];

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	list_del(&e->link);
	slab_free(&n->memory, e);
}

/* One that is not there yet; when all are in use the oldest makes room. */
static struct entry *add(struct dns_names *n, mac guest, const addr *ip)
{
	struct entry **head = &n->bucket[place(n, guest, ip)];
	struct entry *e = slab_alloc_raw(&n->memory);

	if (!e && list_empty(&n->by_age))
		return NULL; /* no memory at all */
	if (!e) {
		forget(n, container_of(list_first(&n->by_age), struct entry,
				       link));
		e = slab_alloc_raw(&n->memory);
	}
	if (!e)
		return NULL;
	e->guest = guest;
	e->ip = *ip;
	e->next = *head;
	*head = e;
	list_init(&e->link);
	return e;
}

static void learn(struct dns_names *n, mac guest, const addr *ip,
		  const char *name)
{
	struct entry *e = find(n, guest, ip);

	if (!e)
		e = add(n, guest, ip);
	if (!e)
		return;
	memcpy(e->name, name, strlen(name) + 1);
	list_del(&e->link);
	list_add_tail(&n->by_age, &e->link);
}

static bool address_of(const struct dns_record *r, addr *ap)
{
	struct rd d = r->data;
	const uint8_t *b;

	if (r->class != DNS_C_IN)
		return false;
	if (r->type == DNS_T_A && rd_left(&d) == 4) {
		b = rd_bytes(&d, 4);
		*ap = addr_v4(b[0], b[1], b[2], b[3]);
		return true;
	}
	if (r->type == DNS_T_AAAA && rd_left(&d) == 16) {
		memcpy(ap->b, rd_bytes(&d, 16), 16);
		return true;
	}
	return false;
}

void dns_names_learn(struct dns_names *n, mac guest, const struct rd *answer)
{
	unsigned n_found = 0;
	struct dns_record r;
	struct dns_walk w;
	addr ip;

	/* Questions for anything else are most of what names nothing. */
	if (!dns_walk_begin(&w, answer) || w.q.hdr.n_question != 1 ||
	    !w.q.hdr.n_answer || strlen(w.q.name) >= DNS_NAMES_LEN)
		return;
	if (w.q.type != DNS_T_A && w.q.type != DNS_T_AAAA)
		return;
	while (w.i < w.q.hdr.n_answer && n_found < DNS_NAMES_ANSWER &&
	       dns_walk_next(&w, &r)) {
		if (!address_of(&r, &ip))
			continue;
		learn(n, guest, &ip, w.q.name);
		n_found++;
	}
}

const char *dns_names_find(const struct dns_names *n, mac guest,
			   const addr *ip)
{
	const struct entry *e = find(n, guest, ip);

	if (!e)
		e = find(n, (mac){{0}}, ip);
	return e ? e->name : NULL;
}
