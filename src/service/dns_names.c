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

enum {
	KEY_BYTES = sizeof(mac) + sizeof(addr),
	HOLDER_BUCKETS = 256,
};

/* A port of the lan that has names. */
struct holder {
	struct list link;    /* in by_n[n] */
	struct holder *next; /* in the bucket */
	uint32_t port;
	unsigned n;	     /* entries; none: it is freed */
	struct list by_age;  /* they, oldest first */
};

struct entry {
	struct list link;      /* in holder->by_age */
	struct entry *next;    /* in the bucket */
	struct holder *holder; /* borrowed: it lives as long */
	mac guest;
	addr ip;
	char name[DNS_NAMES_LEN];
};

struct dns_names {
	struct hash_key key;
	struct entry *bucket[DNS_NAMES_MAX];
	struct holder *holder[HOLDER_BUCKETS]; /* by port */
	struct list by_n[DNS_NAMES_MAX + 1]; /* of holders with so many */
	unsigned most; /* that a holder has */
	struct slab memory;  /* of struct entry */
	struct slab holders; /* of struct holder: each has an entry */
};

int dns_names_new(struct dns_names **np)
{
	struct dns_names *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	if (slab_init(&n->memory, sizeof(struct entry), DNS_NAMES_MAX) < 0 ||
	    slab_init(&n->holders, sizeof(struct holder), DNS_NAMES_MAX) < 0) {
		dns_names_free(n);
		return -ENOMEM;
	}
	n->key = hash_key_new();
	for (unsigned i = 0; i <= DNS_NAMES_MAX; i++)
		list_init(&n->by_n[i]);
	*np = n;
	return 0;
}

struct dns_names *dns_names_free(struct dns_names *n)
{
	if (n) {
		slab_deinit(&n->memory);
		slab_deinit(&n->holders);
	}
	free(n);
	return NULL;
}

/* ---- whose they are ---- */

static struct holder *find_holder(const struct dns_names *n, uint32_t port)
{
	struct holder *h = n->holder[port % HOLDER_BUCKETS];

	while (h && h->port != port)
		h = h->next;
	return h;
}

/* NULL: there is no memory. */
static struct holder *get_holder(struct dns_names *n, uint32_t port)
{
	struct holder **head = &n->holder[port % HOLDER_BUCKETS];
	struct holder *h = find_holder(n, port);

	if (h)
		return h;
	h = slab_alloc_raw(&n->holders);
	if (!h)
		return NULL;
	*h = (struct holder){.port = port, .next = *head};
	*head = h;
	list_init(&h->link);
	list_init(&h->by_age);
	return h;
}

static void free_holder(struct dns_names *n, struct holder *h)
{
	struct holder **at = &n->holder[h->port % HOLDER_BUCKETS];

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	slab_free(&n->holders, h);
}

static void give(struct dns_names *n, struct holder *h, struct entry *e)
{
	e->holder = h;
	list_init(&e->link);
	list_add_tail(&h->by_age, &e->link);
	list_del(&h->link);
	list_add_tail(&n->by_n[++h->n], &h->link);
	n->most = h->n > n->most ? h->n : n->most;
}

static void take(struct dns_names *n, struct entry *e)
{
	struct holder *h = e->holder;

	list_del(&e->link);
	list_del(&h->link);
	n->most -= h->n == n->most && list_empty(&n->by_n[h->n]);
	if (--h->n)
		list_add_tail(&n->by_n[h->n], &h->link);
	else
		free_holder(n, h);
}

/* ---- the table ---- */

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
	take(n, e);
	slab_free(&n->memory, e);
}

/* All are in use: that which port may well do without, if it has as many as
 * anybody, or he who has most. */
static void make_room(struct dns_names *n, uint32_t port)
{
	const struct holder *h = find_holder(n, port);

	if (!h || h->n < n->most)
		h = container_of(list_first(&n->by_n[n->most]), struct holder,
				 link);
	forget(n, container_of(list_first(&h->by_age), struct entry, link));
}

/* One that is not there yet; NULL: there is no memory. */
static struct entry *add(struct dns_names *n, mac guest, uint32_t port,
			 const addr *ip)
{
	struct entry **head = &n->bucket[place(n, guest, ip)];
	struct holder *h;
	struct entry *e;

	if (n->memory.n_used == DNS_NAMES_MAX)
		make_room(n, port);
	e = slab_alloc_raw(&n->memory);
	h = e ? get_holder(n, port) : NULL;
	if (!h) {
		slab_free(&n->memory, e);
		return NULL;
	}
	e->guest = guest;
	e->ip = *ip;
	e->next = *head;
	*head = e;
	give(n, h, e);
	return e;
}

static void learn(struct dns_names *n, mac guest, uint32_t port, const addr *ip,
		  const char *name)
{
	struct entry *e = find(n, guest, ip);

	if (e && e->holder->port != port) { /* it has moved */
		forget(n, e);
		e = NULL;
	}
	if (!e)
		e = add(n, guest, port, ip);
	if (!e)
		return;
	memcpy(e->name, name, strlen(name) + 1);
	list_del(&e->link);
	list_add_tail(&e->holder->by_age, &e->link);
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

void dns_names_learn(struct dns_names *n, mac guest, uint32_t port,
		     const struct rd *answer)
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
		learn(n, guest, port, &ip, w.q.name);
		n_found++;
	}
}

const char *dns_names_find(const struct dns_names *n, mac guest,
			   const addr *ip)
{
	const struct entry *e = find(n, guest, ip);

	return e ? e->name : NULL;
}
