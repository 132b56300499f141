/* SPDX-License-Identifier: BSD-3-Clause */
/* FlowQueue-CoDel, see fq.h. */
#include "lan/fq.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/impair.h"

#define SECOND_NS UINT64_C(1000000000)

enum {
	SHED_MAX = 64, /* parcels at a time: to find the flow costs more */
	RECENT = 16,   /* intervals in which CoDel goes on where it was */
};

struct fq_flow {
	struct list link;    /* in fresh or old; alone: it is idle */
	struct list parcels; /* oldest first */
	uint64_t bytes;
	int64_t deficit;     /* bytes it may send before the next one's turn */
	/* CoDel's, with RFC 8289's names for them */
	uint64_t first_above_ns;
	uint64_t drop_next_ns;
	uint32_t count, last_count;
	bool is_dropping;
};

struct fq {
	struct fq_config c;
	uint64_t target_ns, interval_ns;
	uint64_t limit; /* bytes */
	uint64_t bytes;
	uint32_t salt;
	struct list fresh, old; /* of fq_flow.link */
	struct fq_flow flow[FQ_FLOWS];
};

int fq_new(const struct fq_config *c, struct fq **qp)
{
	struct fq *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->c = *c;
	list_init(&q->fresh);
	list_init(&q->old);
	for (unsigned i = 0; i < FQ_FLOWS; i++) {
		list_init(&q->flow[i].link);
		list_init(&q->flow[i].parcels);
	}
	fq_rate(q, IMPAIR_RATE_MAX);
	*qp = q;
	return 0;
}

struct fq *fq_free(struct fq *q)
{
	assert(!q || q->bytes == 0);
	free(q);
	return NULL;
}

static uint64_t within(uint64_t n, uint64_t lo, uint64_t hi)
{
	if (n < lo)
		return lo;
	return n < hi ? n : hi;
}

void fq_rate(struct fq *q, uint64_t rate)
{
	uint64_t frame_ns = FQ_QUANTUM * 8 * SECOND_NS / rate;

	/* Who sends a frame waits for that one in any case (RFC 8290 5.2.1);
	 * the bound keeps the square below in range. */
	q->target_ns = within(frame_ns, FQ_TARGET_NS, SECOND_NS / 4);
	q->interval_ns = within(10 * q->target_ns, FQ_INTERVAL_NS,
				5 * SECOND_NS / 2);
	q->limit = within(rate / 8, FQ_LIMIT_MIN, FQ_LIMIT_MAX);
}

void fq_salt(struct fq *q, uint32_t salt)
{
	q->salt = salt;
}

uint64_t fq_bytes(const struct fq *q)
{
	return q->bytes;
}

bool fq_is_empty(const struct fq *q)
{
	return q->bytes == 0;
}

/* ---- parcels of a flow ---- */

static struct parcel *flow_pop(struct fq *q, struct fq_flow *f)
{
	struct list *it = list_first(&f->parcels);
	struct parcel *p;

	if (!it)
		return NULL;
	p = container_of(it, struct parcel, link);
	list_del(&p->link);
	f->bytes -= p->len;
	q->bytes -= p->len;
	return p;
}

static struct fq_flow *fattest(struct fq *q)
{
	struct fq_flow *f = &q->flow[0];

	for (unsigned i = 1; i < FQ_FLOWS; i++) {
		if (q->flow[i].bytes > f->bytes)
			f = &q->flow[i];
	}
	return f;
}

bool fq_shed(struct fq *q)
{
	struct fq_flow *f = fattest(q);
	uint64_t most = f->bytes / 2;
	uint64_t enough = q->limit - q->limit / 16;
	unsigned n = 0;

	if (fq_is_empty(q))
		return false;
	/* At least one; half of what it has, or until there is some room. */
	do {
		q->c.lost(q->c.arg, flow_pop(q, f), DROP_LINK_QUEUE);
	} while (++n < SHED_MAX && f->bytes > most && q->bytes > enough);
	return true;
}

void fq_put(struct fq *q, struct parcel *p)
{
	uint32_t h = (p->flow ^ q->salt) * UINT32_C(2654435769);
	struct fq_flow *f = &q->flow[h >> 22 & (FQ_FLOWS - 1)];

	list_add_tail(&f->parcels, &p->link);
	f->bytes += p->len;
	q->bytes += p->len;
	if (list_empty(&f->link)) {
		f->deficit = FQ_QUANTUM;
		list_add_tail(&q->fresh, &f->link);
	}
	while (q->bytes > q->limit)
		(void)fq_shed(q); /* there is some */
}

void fq_clear(struct fq *q, enum drop_reason why)
{
	for (unsigned i = 0; i < FQ_FLOWS; i++) {
		struct fq_flow *f = &q->flow[i];
		struct parcel *p;

		while ((p = flow_pop(q, f)))
			q->c.lost(q->c.arg, p, why);
	}
}

/* ---- CoDel (RFC 8289 5) ---- */

static uint64_t square_root(uint64_t n)
{
	uint64_t root = 0;

	for (uint64_t bit = UINT64_C(1) << 62; bit; bit >>= 2) {
		bool fits = n >= root + bit;

		if (fits)
			n -= root + bit;
		root = fits ? root / 2 + bit : root / 2;
	}
	return root;
}

/* interval / sqrt(count) after t. */
static uint64_t control_law(const struct fq *q, uint64_t t, uint32_t count)
{
	return t + square_root(q->interval_ns * q->interval_ns / count);
}

/* The next one, and whether the flow has been too long for an interval. */
static struct parcel *do_dequeue(struct fq *q, struct fq_flow *f,
				 uint64_t now_ns, bool *may_dropp)
{
	struct parcel *p = flow_pop(q, f);

	*may_dropp = false;
	if (!p) {
		f->first_above_ns = 0;
		return NULL;
	}
	if (now_ns - p->since_ns < q->target_ns || f->bytes <= FQ_QUANTUM)
		f->first_above_ns = 0;
	else if (!f->first_above_ns)
		f->first_above_ns = now_ns + q->interval_ns;
	else
		*may_dropp = now_ns >= f->first_above_ns;
	return p;
}

/* True if p goes on, marked; else it is lost. */
static bool mark_or_lose(struct fq *q, struct parcel *p)
{
	if (parcel_mark(p))
		return true;
	q->c.lost(q->c.arg, p, DROP_LINK_CODEL);
	return false;
}

/* While it drops: as many as are due by now. */
static struct parcel *go_on(struct fq *q, struct fq_flow *f, struct parcel *p,
			    uint64_t now_ns, bool may_drop)
{
	f->is_dropping = may_drop;
	while (f->is_dropping && now_ns >= f->drop_next_ns) {
		bool is_marked = mark_or_lose(q, p);

		f->count++;
		f->drop_next_ns = control_law(q, f->drop_next_ns, f->count);
		if (is_marked)
			return p;
		p = do_dequeue(q, f, now_ns, &f->is_dropping);
	}
	return p;
}

/* It begins to drop, at the pace it had if that was a moment ago. */
static struct parcel *begin(struct fq *q, struct fq_flow *f, struct parcel *p,
			    uint64_t now_ns)
{
	uint32_t more = f->count - f->last_count;
	int64_t since = (int64_t)(now_ns - f->drop_next_ns);
	bool may_drop;

	if (!mark_or_lose(q, p))
		p = do_dequeue(q, f, now_ns, &may_drop);
	f->is_dropping = true;
	f->count = 1;
	if (more > 1 && since < (int64_t)(RECENT * q->interval_ns))
		f->count = more;
	f->last_count = f->count;
	f->drop_next_ns = control_law(q, now_ns, f->count);
	return p;
}

static struct parcel *codel_take(struct fq *q, struct fq_flow *f,
				 uint64_t now_ns)
{
	bool may_drop;
	struct parcel *p = do_dequeue(q, f, now_ns, &may_drop);

	if (f->is_dropping)
		return go_on(q, f, p, now_ns, may_drop);
	return may_drop ? begin(q, f, p, now_ns) : p;
}

/* ---- turns (RFC 8290 4.2) ---- */

static void move_to(struct list *to, struct fq_flow *f)
{
	list_del(&f->link);
	list_add_tail(to, &f->link);
}

/* The next one, if judges as CoDel leaves it. */
static struct parcel *take(struct fq *q, uint64_t now_ns, bool judges)
{
	for (;;) {
		struct list *it = list_first(&q->fresh);
		bool is_fresh = it;
		struct parcel *p;
		struct fq_flow *f;

		if (!it)
			it = list_first(&q->old);
		if (!it)
			return NULL;
		f = container_of(it, struct fq_flow, link);
		if (f->deficit <= 0) {
			f->deficit += FQ_QUANTUM;
			move_to(&q->old, f);
			continue;
		}
		p = judges ? codel_take(q, f, now_ns) : flow_pop(q, f);
		if (p) {
			f->deficit -= p->len;
			return p;
		}
		/* One that is new waits for a turn of the others'. */
		if (is_fresh && !list_empty(&q->old))
			move_to(&q->old, f);
		else
			list_del(&f->link);
	}
}

struct parcel *fq_take(struct fq *q, uint64_t now_ns)
{
	return take(q, now_ns, true);
}

struct parcel *fq_drain(struct fq *q)
{
	return take(q, 0, false);
}
