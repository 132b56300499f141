/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments become datagrams (reasm.h).  Called by the gateway and by the
 * timer wheel; one worker's thread.
 *
 * An item holds the datagram as it grows, in the place where it will be, and
 * two bitmaps over its units of eight bytes: which are there, and at which a
 * fragment began.  From the two follows whether a fragment is new, a
 * repetition, or neither.
 */
#include "nat/reasm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/slab.h"
#include "nat/quota.h"
#include "wire/eth.h"
#include "wire/ip.h"

enum {
	UNIT = 8, /* what offsets count in */
	UNITS = 65536 / UNIT,
	WORD_BITS = 64,
	/* of a fragment: where the body begins */
	HEAD_MAX = ETH_HDR_LEN + IP6_HDR_LEN + IP6_FRAG_LEN,
	BODY_MAX = 65535,   /* IPv6 does not count the header */
	IP6_LENGTH_AT = 4,  /* where the header names its payload's length */
	IP6_OFFSET_AT = -6, /* the fragment's offset, from what follows its
			     * header on */
	ECN_MASK = 3,
	ECN_NOT = 0, /* RFC 3168 5 */
	ECN_CE = 3,
};

#define LIFE_NS (REASM_SECONDS * UINT64_C(1000000000))

/* RFC 791: what the fragments of one datagram have in common, and who sent
 * them.  Of IPv6 the protocol is among it, for nobody sends it otherwise
 * (RFC 8200 4.5 believes the first).  Compared as bytes: no padding inside. */
struct item_key {
	addr src;
	addr dst;
	uint32_t port;
	uint32_t id;
	mac from;
	uint8_t proto;
	uint8_t zero;
};

struct item {
	struct list link; /* in reasm.items or reasm.done */
	struct item_key key;
	uint64_t end_ns;   /* when it is given up */
	uint16_t quota;    /* index of the port's quota */
	bool is_dead;      /* it was not believed */
	uint8_t ecn_seen;  /* bit per codepoint */
	/* of the first fragment */
	uint8_t tos, ttl;
	mac to;
	uint16_t first_len; /* its headers, in buf before the body; 0: it is
			     * not here, or has more than can be kept */
	unsigned n_frames; /* fragments it holds */
	uint32_t have;     /* bytes of body */
	uint32_t top;      /* one past the highest of them */
	uint32_t total;    /* bytes of the whole body; 0: not known */
	uint32_t first;    /* bytes of body in the first fragment */
	uint64_t filled[UNITS / WORD_BITS];
	uint64_t starts[UNITS / WORD_BITS];
	struct frame whole; /* once it is */
	uint8_t buf[HEAD_MAX + BODY_MAX + UNIT];
};

struct reasm {
	const struct nat_env *env; /* borrowed */
	struct icmp *icmp;         /* borrowed */
	struct slab slab;  /* struct item */
	struct list items; /* oldest first */
	struct list done;  /* whole ones, until the batch is over */
	struct timer timer; /* for the oldest */
	unsigned n;         /* items on the first list */
	unsigned n_quota[QUOTA_PLACES];
};

static bool bit(const uint64_t *map, uint32_t i)
{
	return map[i / WORD_BITS] >> (i % WORD_BITS) & 1;
}

static void set_bit(uint64_t *map, uint32_t i)
{
	map[i / WORD_BITS] |= UINT64_C(1) << (i % WORD_BITS);
}

static struct item *item_of(struct list *it)
{
	return container_of(it, struct item, link);
}

/* The timer waits for the oldest: all live equally long. */
static void arm(struct reasm *r)
{
	struct list *it = list_first(&r->items);

	if (it)
		timer_arm(r->env->wheel, &r->timer, item_of(it)->end_ns);
	else
		timer_disarm(r->env->wheel, &r->timer);
}

/* Takes it off the list of those under way. */
static void unlink_item(struct reasm *r, struct item *t)
{
	list_del(&t->link);
	r->n--;
	r->n_quota[t->quota]--;
	arm(r);
}

static void give_up(struct reasm *r, struct item *t, enum drop_reason why)
{
	drop_n(r->env->drops, why, t->n_frames);
	unlink_item(r, t);
	slab_free(&r->slab, t);
}

/* RFC 792, 8200 4.5: what is told is the first fragment. */
static void tell_timeout(struct reasm *r, struct item *t)
{
	struct frame f = frame_flat(t->buf + HEAD_MAX - t->first_len,
				    t->first_len + t->first);
	struct packet pkt;

	if (t->is_dead || t->first_len == 0 ||
	    packet_parse(f.hdr, f.hdr_len, f.len, &pkt) != PACKET_OK)
		return;
	icmp_error(r->icmp, ICMP_TIME_EXCEEDED, ICMP_T_REASSEMBLY, 0, &pkt,
		   &f);
}

static void timeout(struct timer *timer, uint64_t now_ns)
{
	struct reasm *r = container_of(timer, struct reasm, timer);
	struct list *it;

	while ((it = list_first(&r->items)) && item_of(it)->end_ns <= now_ns) {
		tell_timeout(r, item_of(it));
		give_up(r, item_of(it), DROP_FRAG_TIMEOUT);
	}
	arm(r);
}

static struct item *item_find(struct reasm *r, const struct item_key *key)
{
	/* From the newest on: most often it is that one. */
	for (struct list *it = r->items.prev; it != &r->items; it = it->prev)
		if (memcmp(&item_of(it)->key, key, sizeof(*key)) == 0)
			return item_of(it);
	return NULL;
}

/* Makes room for one more of that quota: the machine's own oldest goes; if it
 * has none, its port's; if that has none, the oldest of all. */
static void make_room(struct reasm *r, uint16_t quota, const mac *from)
{
	struct item *oldest = NULL;

	if (r->n_quota[quota] < REASM_MAX - r->n)
		return;
	list_each(it, &r->items) {
		struct item *t = item_of(it);

		if (t->quota != quota)
			continue;
		if (!oldest)
			oldest = t;
		if (mac_eq(t->key.from, *from)) {
			oldest = t;
			break;
		}
	}
	if (!oldest)
		oldest = item_of(list_first(&r->items));
	give_up(r, oldest, DROP_FRAG_FULL);
}

static struct item *item_new(struct reasm *r, const struct item_key *key)
{
	uint16_t quota = (uint16_t)(key->port % QUOTA_PLACES);
	struct item *t;

	make_room(r, quota, &key->from);
	t = slab_alloc_raw(&r->slab);
	if (!t)
		return NULL;
	memset(t, 0, offsetof(struct item, buf));
	t->key = *key;
	t->quota = quota;
	t->end_ns = *r->env->now_ns + LIFE_NS;
	list_add_tail(&r->items, &t->link);
	r->n++;
	r->n_quota[quota]++;
	arm(r);
	return t;
}

/* How a fragment fits what is there. */
enum fit {
	FIT_NEW,
	FIT_AGAIN,   /* the very same range was there before */
	FIT_OVERLAP, /* it cannot be of the same datagram */
};

static enum fit fit_of(const struct item *t, uint32_t off, uint32_t len,
		       bool more)
{
	uint32_t from = off / UNIT, to = (off + len + UNIT - 1) / UNIT;
	uint32_t n = 0, n_starts = 0;

	if (t->total && (off + len > t->total ||
			 (!more && off + len != t->total)))
		return FIT_OVERLAP;
	if (!more && t->top > off + len)
		return FIT_OVERLAP;
	for (uint32_t i = from; i < to; i++) {
		n += bit(t->filled, i);
		n_starts += bit(t->starts, i);
	}
	if (n == 0)
		return FIT_NEW;
	if (n == to - from && n_starts == 1 && bit(t->starts, from) &&
	    (to == UNITS || !bit(t->filled, to) || bit(t->starts, to)))
		return FIT_AGAIN;
	return FIT_OVERLAP;
}

/* Takes the headers of the first fragment. */
static void put_first(struct item *t, const struct packet *pkt,
		      const struct frame *f)
{
	t->first = pkt->l4_len;
	t->tos = pkt->tos;
	t->ttl = pkt->ttl;
	t->to = pkt->eth_dst;
	if (pkt->l4_off > HEAD_MAX)
		return; /* other extension headers: who sent it is not told */
	t->first_len = pkt->l4_off;
	memcpy(t->buf + HEAD_MAX - pkt->l4_off, f->hdr, pkt->l4_off);
}

static void put(struct item *t, const struct packet *pkt,
		const struct frame *f)
{
	uint32_t off = pkt->frag_off, len = pkt->l4_len;

	set_bit(t->starts, off / UNIT);
	for (uint32_t i = off / UNIT; i < (off + len + UNIT - 1) / UNIT; i++)
		set_bit(t->filled, i);
	t->n_frames++;
	t->have += len;
	t->ecn_seen |= (uint8_t)(1 << (pkt->tos & ECN_MASK));
	if (off + len > t->top)
		t->top = off + len;
	if (!pkt->frag_more)
		t->total = off + len;
	if (off == 0)
		put_first(t, pkt, f);
}

/* RFC 3168 5.3: congestion seen by any fragment was seen by the datagram,
 * unless some of it was not marked as able to tell. False: to be lost. */
static bool join_ecn(const struct item *t, uint8_t *tosp)
{
	if (!(t->ecn_seen & 1 << ECN_CE))
		return true;
	*tosp |= ECN_CE;
	return !(t->ecn_seen & 1 << ECN_NOT);
}

/* All is there: the headers become those of a whole datagram.  It may be
 * fragmented again on its way, as it was here. */
static const struct frame *complete(struct reasm *r, struct item *t)
{
	bool is_v4 = addr_is_v4(&t->key.dst);
	uint32_t head_len = ETH_HDR_LEN + ip_hdr_len(&t->key.dst);
	uint8_t *head = t->buf + HEAD_MAX - head_len;
	struct wr w = wr_init(head, head_len);
	struct ip_hdr ip = {.src = t->key.src,
			    .dst = t->key.dst,
			    .l4_len = t->total,
			    .proto = t->key.proto,
			    .ttl = t->ttl,
			    .tos = t->tos,
			    .is_fragment = is_v4, /* of IPv4: without DF */
			    .id = t->key.id};

	if (!join_ecn(t, &ip.tos)) {
		give_up(r, t, DROP_FRAG_BAD);
		return NULL;
	}
	ip_emit_frame(&w, t->to, t->key.from, &ip);
	unlink_item(r, t);
	list_add_tail(&r->done, &t->link);
	t->whole = frame_flat(head, head_len + t->total);
	return &t->whole;
}

/* Bytes of the longest datagram. */
static uint32_t body_max(const addr *a)
{
	return addr_is_v4(a) ? BODY_MAX - IP4_HDR_LEN : BODY_MAX;
}

/* True of what no fragment of a datagram can be.  IPv6 wants to hear it
 * (RFC 8200 4.5): *pointerp is at what, from the IP header on, else 0. */
static bool is_bad(const struct packet *pkt, uint16_t *pointerp)
{
	uint32_t max = body_max(&pkt->dst.ip);

	*pointerp = 0;
	if (pkt->frag_more && pkt->l4_len % UNIT) {
		*pointerp = IP6_LENGTH_AT;
		return true;
	}
	if (pkt->frag_off > max || pkt->l4_len > max - pkt->frag_off) {
		*pointerp = (uint16_t)(pkt->l4_off - pkt->l3_off +
				       IP6_OFFSET_AT);
		return true;
	}
	return pkt->l4_len == 0;
}

static void refuse(struct reasm *r, uint16_t pointer, const struct packet *pkt,
		   const struct frame *f)
{
	drop(r->env->drops, DROP_FRAG_BAD);
	if (pointer && pkt->ip_version == 6)
		icmp_error(r->icmp, ICMP_PARAMETER, 0, pointer, pkt, f);
}

const struct frame *reasm_input(struct reasm *r, uint32_t port,
				const struct packet *pkt,
				const struct frame *f)
{
	struct item_key key = {.src = pkt->src.ip,
			       .dst = pkt->dst.ip,
			       .port = port,
			       .id = pkt->ip_id,
			       .from = pkt->eth_src,
			       .proto = pkt->proto};
	struct drops *drops = r->env->drops;
	uint16_t pointer;
	struct item *t;

	if (is_bad(pkt, &pointer)) {
		refuse(r, pointer, pkt, f);
		return NULL;
	}
	t = item_find(r, &key);
	if (!t)
		t = item_new(r, &key);
	if (!t) {
		drop(drops, DROP_FRAG_FULL);
		return NULL;
	}
	if (t->is_dead) {
		drop(drops, DROP_FRAG_OVERLAP);
		return NULL;
	}
	switch (fit_of(t, pkt->frag_off, pkt->l4_len, pkt->frag_more)) {
	case FIT_NEW:
		break;
	case FIT_AGAIN:
		drop(drops, DROP_FRAG_AGAIN);
		return NULL;
	case FIT_OVERLAP:
		drop_n(drops, DROP_FRAG_OVERLAP, t->n_frames + 1);
		t->n_frames = 0;
		t->is_dead = true;
		return NULL;
	}
	if (!frame_copy(f, pkt->l4_off, pkt->l4_len,
			t->buf + HEAD_MAX + pkt->frag_off)) {
		drop(drops, DROP_FRAG_BAD);
		return NULL;
	}
	put(t, pkt, f);
	return t->have == t->total ? complete(r, t) : NULL;
}

void reasm_flush(struct reasm *r)
{
	struct list *it;

	while ((it = list_first(&r->done))) {
		list_del(it);
		slab_free(&r->slab, item_of(it));
	}
}

int reasm_new(const struct nat_env *env, struct icmp *ic, struct reasm **rp)
{
	struct reasm *r = calloc(1, sizeof(*r));

	_Static_assert(sizeof(struct item_key) ==
			       2 * sizeof(addr) + 2 * sizeof(uint32_t) +
				       sizeof(mac) + 2,
		       "compared as bytes");
	if (!r)
		return -ENOMEM;
	r->env = env;
	r->icmp = ic;
	list_init(&r->items);
	list_init(&r->done);
	timer_init(&r->timer, timeout);
	/* Whole ones stay a little: a batch can have that many. */
	if (slab_init(&r->slab, sizeof(struct item), REASM_MAX + FRAME_BATCH) <
	    0) {
		free(r);
		return -ENOMEM;
	}
	*rp = r;
	return 0;
}

struct reasm *reasm_free(struct reasm *r)
{
	if (!r)
		return NULL;
	timer_disarm(r->env->wheel, &r->timer);
	slab_deinit(&r->slab);
	free(r);
	return NULL;
}

unsigned reasm_n(const struct reasm *r)
{
	return r->n;
}
