/* SPDX-License-Identifier: BSD-3-Clause */
/* A cable that is spoilt on purpose, see cable.h. */
#include "lan/cable.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/rng.h"
#include "lan/fq.h"
#include "lan/parcel.h"
#include "lan/steer.h"

enum {
	OUT_IOV_MAX = 256, /* pieces of all frames of one batch */
};
_Static_assert((int)OUT_IOV_MAX >= (int)PARCEL_IOV_MAX, "one fits");

#define SECOND_NS UINT64_C(1000000000)
/* Half a tick of the wheel: what is due so soon goes when the timer fires. */
#define SLACK_NS (UINT64_C(1) << (TIMER_TICK_SHIFT - 1))
/* A worker that was away for longer does not make up for it. */
#define LATE_NS UINT64_C(20000000)

/* What is left to chance; a stream of numbers for each. */
enum chance {
	CHANCE_LOSS,
	CHANCE_CORRUPT,
	CHANCE_PLACE, /* of the bit */
	CHANCE_DUPLICATE,
	CHANCE_JITTER,
	CHANCE_REORDER,
	CHANCES
};

struct cable {
	struct cable_config c;
	struct impair set;
	uint64_t seed;
	struct rng rng[CHANCES];
	struct parcel_store store;
	unsigned n;	     /* parcels */
	struct fq *fq;	     /* owned; NULL: there was no rate yet */
	uint64_t next_ns;    /* the next may leave the queue .. */
	uint64_t next_part;  /* .. and that many parts of set.rate of a ns */
	struct list line;    /* parcels with a delay, by due_ns */
	uint64_t last_due_ns;
	struct list ready;   /* they are due */
	struct timer timer;
	bool is_running;
	bool is_cleared;     /* while it ran, as .. */
	enum drop_reason why_cleared;
	uint64_t put_ns;     /* when frames came last */
	bool is_blocked;     /* out() had no room, and has not said otherwise */
	uint64_t blocked_ns; /* since then */
	uint64_t distrust_ns; /* until then nothing waits for it */
};

static void run(struct cable *c, uint64_t slack_ns, bool is_last);
static void empty_queue(struct cable *c);

/* Never before frames that are here. */
static uint64_t now(const struct cable *c)
{
	return *c->c.now_ns > c->put_ns ? *c->c.now_ns : c->put_ns;
}

static void parcel_gone(struct cable *c, struct parcel *p)
{
	list_del(&p->link);
	parcel_free(&c->store, p);
	c->n--;
}

static void frame_lost(struct cable *c, const struct frame *f,
		       enum drop_reason why)
{
	drop(c->c.drops, why);
	++*c->c.n_lost;
	if (c->c.lost)
		c->c.lost(c->c.arg, f, why);
}

static void parcel_lost(struct cable *c, struct parcel *p,
			enum drop_reason why)
{
	struct iovec iov[PARCEL_IOV_MAX];
	struct frame f;

	if (parcel_frame(p, &f, iov, PARCEL_IOV_MAX)) /* it fits */
		frame_lost(c, &f, why);
	parcel_gone(c, p);
}

static void fq_lost(void *arg, struct parcel *p, enum drop_reason why)
{
	parcel_lost(arg, p, why);
}

static void cable_fire(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	run(container_of(t, struct cable, timer), SLACK_NS, false);
}

int cable_new(const struct cable_config *cfg, struct cable **cp)
{
	struct cable *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	if (parcel_store_init(&c->store) < 0) {
		free(c);
		return -ENOMEM;
	}
	c->c = *cfg;
	list_init(&c->line);
	list_init(&c->ready);
	timer_init(&c->timer, cable_fire);
	*cp = c;
	return 0;
}

struct cable *cable_free(struct cable *c)
{
	if (!c)
		return NULL;
	assert(!c->is_running);
	cable_clear(c, DROP_LINK_DOWN);
	timer_disarm(c->c.wheel, &c->timer);
	fq_free(c->fq);
	parcel_store_deinit(&c->store);
	free(c);
	return NULL;
}

unsigned cable_count(const struct cable *c)
{
	return c->n;
}

static void reseed(struct cable *c, uint64_t seed)
{
	c->seed = seed;
	for (unsigned i = 0; i < CHANCES; i++)
		rng_seed(&c->rng[i], seed, c->c.stream * CHANCES + i);
}

/* What has left is still to be paid for, but at the new rate. */
static void turn_at_rate(struct cable *c, uint64_t rate)
{
	uint64_t now_ns = now(c);
	unsigned __int128 bits;

	c->next_part = 0; /* it was of the other one */
	if (c->next_ns <= now_ns)
		return;
	bits = (unsigned __int128)(c->next_ns - now_ns) * c->set.rate;
	c->next_ns = now_ns + (rate ? (uint64_t)(bits / rate) : 0);
}

int cable_set(struct cable *c, const struct impair *set, uint64_t seed,
	      bool restarts)
{
	const struct fq_config qc = {.lost = fq_lost, .arg = c};

	if (set->rate && !c->fq && fq_new(&qc, &c->fq) < 0)
		return -ENOMEM;
	if (restarts || seed != c->seed || impair_is_none(&c->set))
		reseed(c, seed);
	if (set->rate != c->set.rate)
		turn_at_rate(c, set->rate);
	c->set = *set;
	if (set->rate) {
		fq_rate(c->fq, set->rate);
		fq_salt(c->fq, (uint32_t)(seed >> 32 ^ seed));
	} else if (c->fq) {
		empty_queue(c);
	}
	if (c->n > 0) /* there may be another pace */
		timer_arm(c->c.wheel, &c->timer, now(c));
	return 0;
}

/* ---- chance ---- */

static bool happens(struct cable *c, enum chance what, uint32_t share)
{
	return share && rng_below(&c->rng[what], IMPAIR_ALL) < share;
}

/* How long a frame is on its way. */
static uint64_t draw_delay(struct cable *c)
{
	uint64_t part;

	if (!c->set.jitter_ns)
		return c->set.delay_ns;
	part = rng_u32(&c->rng[CHANCE_JITTER]);
	return c->set.delay_ns - c->set.jitter_ns +
	       (uint64_t)((unsigned __int128)part * (2 * c->set.jitter_ns) >>
			  32);
}

static void flip_a_bit(struct cable *c, struct parcel *p)
{
	uint32_t bit;

	if (p->len <= FRAME_ETH_LEN)
		return;
	bit = rng_below(&c->rng[CHANCE_PLACE],
			(p->len - FRAME_ETH_LEN) * 8);
	*parcel_byte(p, FRAME_ETH_LEN + bit / 8) ^= (uint8_t)(1 << bit % 8);
	p->is_valid = false;
}

/* ---- in ---- */

static struct parcel *make(struct cable *c, const struct frame *f)
{
	struct parcel *p = parcel_new(&c->store, f);

	/* Who waits for his turn makes room. */
	while (!p && c->fq && fq_shed(c->fq))
		p = parcel_new(&c->store, f);
	if (!p) {
		frame_lost(c, f, DROP_LINK_QUEUE);
		return NULL;
	}
	p->since_ns = now(c);
	c->n++;
	return p;
}

/* p left the queue at that time, or needed none. */
static void to_line(struct cable *c, struct parcel *p, uint64_t left_ns)
{
	if (p->overtakes) {
		list_add_tail(&c->ready, &p->link);
		return;
	}
	p->due_ns = left_ns + p->delay_ns;
	if (p->due_ns < c->last_due_ns)
		p->due_ns = c->last_due_ns;
	c->last_due_ns = p->due_ns;
	list_add_tail(&c->line, &p->link);
}

/* Nobody waits for his turn any more. */
static void empty_queue(struct cable *c)
{
	struct parcel *p;

	while ((p = fq_drain(c->fq)))
		to_line(c, p, now(c));
}

static void to_queue(struct cable *c, struct parcel *p)
{
	uint64_t burst_ns = impair_burst(&c->set) * 8 * SECOND_NS / c->set.rate;
	uint64_t now_ns = now(c);

	/* While nobody waited it saved up no more than a burst. */
	if (fq_is_empty(c->fq) && now_ns > burst_ns &&
	    c->next_ns < now_ns - burst_ns)
		c->next_ns = now_ns - burst_ns;
	fq_put(c->fq, p);
}

static void enter(struct cable *c, struct parcel *p, uint32_t flow)
{
	p->flow = flow;
	p->overtakes = happens(c, CHANCE_REORDER, c->set.reorder);
	p->delay_ns = draw_delay(c);
	if (c->set.rate)
		to_queue(c, p);
	else
		to_line(c, p, p->since_ns);
}

static void put_one(struct cable *c, const struct frame *f)
{
	uint32_t flow = c->set.rate ? steer_frame(f) : 0;
	bool is_twice, is_corrupt;
	struct parcel *p, *twin = NULL;

	if (happens(c, CHANCE_LOSS, c->set.loss)) {
		frame_lost(c, f, DROP_LINK_LOSS);
		return;
	}
	is_corrupt = happens(c, CHANCE_CORRUPT, c->set.corrupt);
	is_twice = happens(c, CHANCE_DUPLICATE, c->set.duplicate);
	p = make(c, f);
	if (!p)
		return;
	if (is_corrupt)
		flip_a_bit(c, p);
	if (is_twice) {
		struct iovec iov[PARCEL_IOV_MAX];
		struct frame same;

		if (parcel_frame(p, &same, iov, PARCEL_IOV_MAX))
			twin = make(c, &same);
	}
	enter(c, p, flow);
	if (twin)
		enter(c, twin, flow);
}

void cable_put(struct cable *c, const struct batch *b, uint64_t mask)
{
	if (c->c.read_ns)
		c->put_ns = c->c.read_ns();
	for (; mask; mask &= mask - 1)
		put_one(c, &b->f[__builtin_ctzll(mask)]);
	run(c, 0, false);
}

/* ---- out ---- */

/* len bytes have left. */
static void pay(struct cable *c, uint32_t len)
{
	uint64_t ns = len * 8 * SECOND_NS + c->next_part;

	c->next_ns += ns / c->set.rate;
	c->next_part = ns % c->set.rate;
}

static bool has_queue(const struct cable *c)
{
	return c->fq && !fq_is_empty(c->fq);
}

/* What the rate lets go.  Nothing while what is behind it is full: CoDel is to
 * see that. */
static void serve_queue(struct cable *c, uint64_t now_ns, uint64_t slack_ns)
{
	if (c->set.rate && now_ns > LATE_NS && has_queue(c)) {
		uint64_t burst_ns = impair_burst(&c->set) * 8 * SECOND_NS /
				    c->set.rate;

		if (c->next_ns + burst_ns + LATE_NS < now_ns)
			c->next_ns = now_ns - burst_ns - LATE_NS;
	}
	while (has_queue(c) && !c->is_blocked &&
	       (!c->set.rate || c->next_ns <= now_ns + slack_ns)) {
		struct parcel *p = fq_take(c->fq, now_ns);
		uint64_t left_ns = now_ns;

		if (!p)
			break;
		if (c->set.rate) {
			left_ns = c->next_ns > p->since_ns ? c->next_ns
							   : p->since_ns;
			pay(c, p->len);
		}
		to_line(c, p, left_ns);
	}
}

static void serve_line(struct cable *c, uint64_t until_ns)
{
	struct list *it;

	while ((it = list_first(&c->line))) {
		struct parcel *p = container_of(it, struct parcel, link);

		if (p->due_ns > until_ns)
			break;
		list_del(&p->link);
		list_add_tail(&c->ready, &p->link);
	}
}

/* The first that are ready, as many as fit. */
static void collect(const struct cable *c, struct batch *b,
		    struct iovec iov[OUT_IOV_MAX])
{
	unsigned n_iov = 0;

	b->n = 0;
	list_each(it, &c->ready) {
		struct frame *f = &b->f[b->n];

		if (b->n == FRAME_BATCH ||
		    !parcel_frame(container_of(it, struct parcel, link), f,
				  iov + n_iov, OUT_IOV_MAX - n_iov))
			return;
		n_iov += f->n_iov;
		b->n++;
	}
}

/* Those of the first n that are not in mask have gone. */
static void forget(struct cable *c, unsigned n, uint64_t mask)
{
	unsigned i = 0;

	list_each_safe(it, &c->ready) {
		if (i == n)
			return;
		if (!(mask >> i++ & 1))
			parcel_gone(c, container_of(it, struct parcel, link));
	}
}

/* Of the frames of b, the first, those in mask have waited for too long. */
static void stalled(struct cable *c, const struct batch *b, uint64_t mask,
		    uint64_t now_ns)
{
	for (; mask; mask &= mask - 1)
		frame_lost(c, &b->f[__builtin_ctzll(mask)],
			   DROP_PORT_STALLED);
	forget(c, b->n, 0);
	c->distrust_ns = now_ns + CABLE_DISTRUST_NS;
}

static void serve_ready(struct cable *c, uint64_t now_ns, bool is_last)
{
	while (!list_empty(&c->ready) && !c->is_cleared) {
		bool keeps = !is_last && now_ns >= c->distrust_ns;
		struct iovec iov[OUT_IOV_MAX];
		struct batch b;
		uint64_t back;

		collect(c, &b, iov);
		back = c->c.out(c->c.arg, &b, keeps) & batch_mask(&b);
		if (!keeps)
			back = 0; /* counted */
		if (c->is_cleared) {
			for (; back; back &= back - 1)
				frame_lost(c, &b.f[__builtin_ctzll(back)],
					   c->why_cleared);
		}
		if (!back)
			c->blocked_ns = 0;
		else if (!c->blocked_ns || back != batch_mask(&b))
			c->blocked_ns = now_ns;
		if (back && now_ns - c->blocked_ns >= c->c.stall_ns) {
			stalled(c, &b, back, now_ns);
			continue;
		}
		forget(c, b.n, back);
		c->is_blocked = back;
		if (back)
			return;
	}
}

static void arm(struct cable *c)
{
	uint64_t when = UINT64_MAX;
	struct list *it = list_first(&c->line);

	if (c->is_blocked)
		when = c->blocked_ns + c->c.stall_ns + SLACK_NS;
	else if (has_queue(c))
		when = c->next_ns;
	if (it && container_of(it, struct parcel, link)->due_ns < when &&
	    !c->is_blocked)
		when = container_of(it, struct parcel, link)->due_ns;
	if (when == UINT64_MAX)
		timer_disarm(c->c.wheel, &c->timer);
	else
		timer_arm(c->c.wheel, &c->timer, when - SLACK_NS);
}

static void clear(struct cable *c, enum drop_reason why)
{
	list_each_safe(it, &c->ready)
		parcel_lost(c, container_of(it, struct parcel, link), why);
	list_each_safe(jt, &c->line)
		parcel_lost(c, container_of(jt, struct parcel, link), why);
	if (c->fq)
		fq_clear(c->fq, why);
	c->is_cleared = c->is_blocked = false;
	c->blocked_ns = c->distrust_ns = c->last_due_ns = 0;
	assert(c->n == 0);
}

/* All that is due, or will be so soon, goes on; is_last: or is lost. */
static void run(struct cable *c, uint64_t slack_ns, bool is_last)
{
	uint64_t now_ns;

	if (c->is_running)
		return;
	c->is_running = true;
	if (c->is_blocked && now(c) - c->blocked_ns >= c->c.stall_ns)
		c->is_blocked = false; /* it is asked once more */
	do {
		now_ns = now(c); /* out() may have led to cable_put() */
		serve_queue(c, now_ns, slack_ns);
		serve_line(c, now_ns + slack_ns);
		if (!c->is_blocked)
			serve_ready(c, now_ns, is_last);
		if (c->is_cleared)
			clear(c, c->why_cleared);
	} while (!c->is_blocked && !list_empty(&c->ready));
	c->is_running = false;
	arm(c);
}

void cable_room(struct cable *c)
{
	c->is_blocked = false;
	run(c, 0, false);
}

void cable_clear(struct cable *c, enum drop_reason why)
{
	if (c->is_running) {
		c->is_cleared = true;
		c->why_cleared = why;
		return;
	}
	clear(c, why);
	timer_disarm(c->c.wheel, &c->timer);
}

void cable_flush(struct cable *c)
{
	assert(!c->is_running);
	if (c->fq)
		empty_queue(c);
	list_splice(&c->ready, &c->line);
	c->last_due_ns = 0;
	c->is_blocked = false;
	run(c, 0, true);
}
