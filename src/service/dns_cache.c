/* SPDX-License-Identifier: BSD-3-Clause */
/* The cache of the name server; see dns_cache.h. */
#include "service/dns_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/slab.h"
#include "base/quota.h"

#define SECOND_NS UINT64_C(1000000000)

enum {
	BUCKETS = 1024,
	TYPE_META = 128,      /* QTYPEs and Meta-TYPEs (RFC 6895 3.1) .. */
	TYPE_META_LAST = 255, /* .. up to this */
	SOA_MINIMUM = 4,      /* its last bytes */
	TTL_BEFORE_DATA = 6,  /* and the length behind it */
	TTL_MAX = INT32_MAX,  /* RFC 2181 8 */
};

struct entry {
	struct list age; /* in cache->oldest, what was wanted last at its end */
	struct entry *chain;
	uint32_t bucket;
	uint32_t port; /* that pays; 0: none */
	uint64_t stored_ns, end_ns;
	struct dns_cache_key key;
	size_t len;
	uint8_t answer[DNS_CACHE_LEN];
};

struct dns_cache {
	struct slab memory;
	struct list oldest;
	struct entry *bucket[BUCKETS];
	struct hash_key key;
};

int dns_cache_new(struct dns_cache **cp)
{
	struct dns_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->key = hash_key_new();
	list_init(&c->oldest);
	if (slab_init(&c->memory, sizeof(struct entry), DNS_CACHE_MAX) < 0) {
		free(c);
		return -ENOMEM;
	}
	*cp = c;
	return 0;
}

struct dns_cache *dns_cache_free(struct dns_cache *c)
{
	if (!c)
		return NULL;
	slab_deinit(&c->memory);
	free(c);
	return NULL;
}

static void forget(struct dns_cache *c, struct entry *e)
{
	struct entry **at = &c->bucket[e->bucket];

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	list_del(&e->age);
	slab_free(&c->memory, e);
}

void dns_cache_clear(struct dns_cache *c)
{
	struct list *first;

	while ((first = list_first(&c->oldest)))
		forget(c, container_of(first, struct entry, age));
	slab_trim(&c->memory);
}

/* --- questions --- */

/* The header with one question alone, in IN and of an ordinary type. */
static bool is_ordinary(const struct dns_question *q)
{
	return q->hdr.n_question == 1 && !q->hdr.n_answer &&
	       !q->hdr.n_authority && q->hdr.n_extra <= 1 &&
	       !(q->hdr.flags & (DNS_F_QR | DNS_F_OPCODE | DNS_F_TC)) &&
	       q->class == DNS_C_IN &&
	       (q->type < TYPE_META || q->type > TYPE_META_LAST) &&
	       q->type != DNS_T_OPT;
}

/* What of EDNS the answer depends on: 0 without it. False: on more than can be
 * told (RFC 6891 6.1.2: options; another version). */
static bool edns_byte(const struct rd *question, const struct dns_question *q,
		      uint8_t *bp)
{
	struct dns_record opt;

	*bp = 0;
	if (!q->hdr.n_extra)
		return rd_left(question) == q->end;
	if (!dns_opt_find(question, &opt) || rd_left(&opt.data) ||
	    opt.data.end != question->end || (opt.ttl & ~DNS_EDNS_DO))
		return false;
	*bp = opt.ttl & DNS_EDNS_DO ? 2 : 1;
	return true;
}

bool dns_cache_key(const struct rd *question, struct dns_cache_key *kp)
{
	const uint16_t asked = DNS_F_RD | DNS_F_AD | DNS_F_CD;
	struct wr w = wr_init(kp->b, sizeof(kp->b));
	struct dns_question q;
	uint8_t edns;

	if (!dns_question_parse(question, &q) || !is_ordinary(&q) ||
	    !edns_byte(question, &q, &edns))
		return false;
	(void)wr_room(&w, dns_question_name(question, kp->b));
	for (uint8_t *p = w.start; p < w.p; p++)
		*p = dns_lower(*p);
	wr_u16(&w, q.type);
	wr_u16(&w, q.hdr.flags & asked);
	wr_u8(&w, edns);
	kp->len = wr_len(&w);
	return wr_ok(&w);
}

/* --- answers --- */

/* How long an answer holds, in seconds; 0: not at all. */
struct lifetime {
	uint32_t ttl;	/* the least */
	bool has_answer; /* a record of the type that was asked for */
	bool has_soa;
};

static void live_less(struct lifetime *l, uint32_t ttl)
{
	if (ttl > TTL_MAX)
		ttl = 0;
	l->ttl = ttl < l->ttl ? ttl : l->ttl;
}

static void look_at(struct lifetime *l, const struct dns_record *rec,
		    bool is_answer, bool is_authority, uint16_t type)
{
	struct rd data = rec->data;

	if (rec->type == DNS_T_OPT)
		return;
	live_less(l, rec->ttl);
	l->has_answer |= is_answer && rec->type == type;
	if (!is_authority || rec->type != DNS_T_SOA ||
	    rd_left(&data) < SOA_MINIMUM)
		return;
	rd_skip(&data, rd_left(&data) - SOA_MINIMUM);
	live_less(l, rd_u32(&data));
	l->has_soa = true;
}

/* RFC 2308 5: "no" has its lifetime from the SOA. */
static uint32_t lifetime_of(const struct rd *answer, uint16_t type)
{
	struct lifetime l = {.ttl = DNS_CACHE_SECONDS};
	struct dns_record rec;
	struct dns_walk w;
	unsigned n_answer, rcode;

	if (!dns_walk_begin(&w, answer) || (w.q.hdr.flags & DNS_F_TC))
		return 0;
	rcode = w.q.hdr.flags & DNS_F_RCODE;
	if (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN)
		return 0;
	n_answer = w.q.hdr.n_answer;
	while (dns_walk_next(&w, &rec)) {
		bool is_answer = w.i <= n_answer;

		look_at(&l, &rec, is_answer,
			!is_answer && w.i <= n_answer + w.q.hdr.n_authority,
			type);
	}
	if (w.i < w.n || rd_left(&w.r))
		return 0;
	if (rcode == DNS_NOERROR && l.has_answer)
		return l.ttl;
	if (!l.has_soa)
		return 0;
	return l.ttl < DNS_CACHE_NO_SECONDS ? l.ttl : DNS_CACHE_NO_SECONDS;
}

static bool is_sound(const struct rd *msg)
{
	struct dns_record rec;
	struct dns_walk w;

	if (!dns_walk_begin(&w, msg))
		return false;
	while (dns_walk_next(&w, &rec))
		;
	return w.i == w.n;
}

/* All records of a sound message are so many seconds older.  False: it is none
 * then, as a name of it leads to where a TTL is. */
static bool grow_older(uint8_t *msg, size_t len, uint32_t seconds)
{
	const struct rd all = rd_init(msg, len);
	struct dns_record rec;
	struct dns_walk walk;

	if (!dns_walk_begin(&walk, &all))
		return false;
	while (dns_walk_next(&walk, &rec)) {
		uint32_t ttl = rec.ttl > seconds ? rec.ttl - seconds : 0;
		struct wr w = wr_init(
			msg + (rec.data.p - all.p - TTL_BEFORE_DATA), 4);

		if (rec.type != DNS_T_OPT)
			wr_u32(&w, ttl);
	}
	return is_sound(&all);
}

bool dns_cache_adopt(const struct rd *question, const struct rd *answer,
		     struct wr *w)
{
	struct dns_question q;
	struct wr v = *w;

	if (!dns_question_parse(question, &q) || rd_left(answer) < q.end)
		return false;
	wr_bytes(&v, question->p, 2);
	wr_bytes(&v, answer->p + 2, DNS_HDR_LEN - 2);
	wr_bytes(&v, question->p + DNS_HDR_LEN, q.end - DNS_HDR_LEN);
	wr_bytes(&v, answer->p + q.end, rd_left(answer) - q.end);
	if (!wr_ok(&v))
		return false;
	*w = v;
	return true;
}

/* --- the table --- */

static uint32_t bucket_of(const struct dns_cache *c,
			  const struct dns_cache_key *k)
{
	return (uint32_t)(hash_bytes(&c->key, k->b, k->len) % BUCKETS);
}

static struct entry *find(const struct dns_cache *c,
			  const struct dns_cache_key *k, uint32_t bucket)
{
	struct entry *e = c->bucket[bucket];

	while (e && (e->key.len != k->len ||
		     memcmp(e->key.b, k->b, k->len) != 0))
		e = e->chain;
	return e;
}

bool dns_cache_get(struct dns_cache *c, const struct rd *question,
		   uint64_t now_ns, struct wr *w)
{
	const struct wr before = *w;
	struct dns_cache_key k;
	struct entry *e;
	struct rd answer;

	if (!dns_cache_key(question, &k))
		return false;
	e = find(c, &k, bucket_of(c, &k));
	if (!e)
		return false;
	if (now_ns >= e->end_ns) {
		forget(c, e);
		return false;
	}
	answer = rd_init(e->answer, e->len);
	if (!dns_cache_adopt(question, &answer, w))
		return false;
	if (!grow_older(before.p, (size_t)(w->p - before.p),
			(uint32_t)((now_ns - e->stored_ns) / SECOND_NS))) {
		*w = before;
		forget(c, e);
		return false;
	}
	list_del(&e->age);
	list_add_tail(&c->oldest, &e->age);
	return true;
}

/* The oldest of a port, and how many it has. */
static struct entry *oldest_of(struct dns_cache *c, uint32_t port,
			       unsigned *np)
{
	struct entry *oldest = NULL;

	*np = 0;
	list_each(it, &c->oldest) {
		struct entry *e = container_of(it, struct entry, age);

		if (e->port != port)
			continue;
		oldest = oldest ? oldest : e;
		++*np;
	}
	return oldest;
}

static void make_room(struct dns_cache *c, uint32_t port)
{
	unsigned n_free = DNS_CACHE_MAX - c->memory.n_used, n_port;
	struct entry *own = port ? oldest_of(c, port, &n_port) : NULL;

	if (own && !quota_port_has_room(n_port, n_free))
		forget(c, own);
	else if (!n_free)
		forget(c, container_of(list_first(&c->oldest), struct entry,
				       age));
}

void dns_cache_put(struct dns_cache *c, const struct rd *question,
		   const struct rd *answer, uint32_t port, uint64_t now_ns)
{
	struct dns_cache_key k;
	struct dns_question q;
	uint32_t ttl, bucket;
	struct entry *e;

	if (rd_left(answer) > DNS_CACHE_LEN || !dns_cache_key(question, &k) ||
	    !dns_question_parse(question, &q))
		return;
	ttl = lifetime_of(answer, q.type);
	bucket = bucket_of(c, &k);
	e = find(c, &k, bucket);
	if (e)
		forget(c, e);
	if (!ttl)
		return;
	make_room(c, port);
	e = slab_alloc_raw(&c->memory);
	if (!e)
		return;
	e->bucket = bucket;
	e->port = port;
	e->stored_ns = now_ns;
	e->end_ns = now_ns + ttl * SECOND_NS;
	e->key = k;
	e->len = rd_left(answer);
	memcpy(e->answer, answer->p, e->len);
	e->answer[2] &= (uint8_t)~(DNS_F_AA >> 8); /* of the second hand */
	e->chain = c->bucket[bucket];
	c->bucket[bucket] = e;
	list_add_tail(&c->oldest, &e->age);
}
