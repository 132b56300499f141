/* SPDX-License-Identifier: BSD-3-Clause */
/* What lans tell, into rings; see taps.h. */
/* #syscalls: sendto close futex */
#include "capture/taps.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "lan/lan.h"

struct capture {
	uint32_t id; /* 0: none; in pauses, as what is not the lock's */
	char port[PORT_NAME_LEN];
	uint32_t snap_len;
	int wake; /* owned, a socket; -1 */
	/* the lock's */
	struct ring_writer ring;
	bool is_due;	   /* the reader waits, and a timer will wake it */
	uint64_t woken_ns;
};

/* When it is fired capture n's reader is woken. */
struct wake_timer {
	struct timer timer;
	struct side *side;
	unsigned n;
};

/* A worker's. */
struct side {
	struct taps *taps;
	struct taps_worker c;
	struct lan_tap tap;
	unsigned depth;	  /* of begin() */
	uint64_t wall_ns; /* of the last, or of the lock */
	uint8_t touched;  /* bits of captures of which there is news */
	struct wake_timer timer[TAP_MAX];
	/* the lock's: the first record that may not be shown yet, or
	 * RING_NOWHERE */
	uint64_t from[TAP_MAX];
};

struct tapped_lan {
	struct list link;
	struct lan *lan;   /* borrowed */
	struct side *side; /* of its worker */
};

struct taps {
	struct taps_config c;
	struct list lans; /* of struct tapped_lan; all that there are */
	unsigned n;
	uint8_t both;	  /* bits of captures of a port, which want both ways */
	struct side *sides; /* owned: c.n_workers */
	pthread_mutex_t lock;
	struct capture capture[TAP_MAX];
};

/* What is put in from now on is of this moment, unless there are no others who
 * might come between. */
static void lock(struct side *s)
{
	struct taps *t = s->taps;

	pthread_mutex_lock(&t->lock);
	if (t->c.n_workers > 1)
		s->wall_ns = t->c.wall_ns();
}

static void unlock(struct side *s)
{
	pthread_mutex_unlock(&s->taps->lock);
}

/* ---- the reader ---- */

/* With the lock. */
static void wake(struct side *s, struct capture *c)
{
	c->is_due = false;
	c->woken_ns = *s->c.now_ns;
	/* Full is as good: it has not read what was told before. */
	(void)!send(c->wake, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_timer(struct timer *timer, uint64_t now_ns)
{
	struct wake_timer *w = container_of(timer, struct wake_timer, timer);
	struct capture *c = &w->side->taps->capture[w->n];

	(void)now_ns;
	lock(w->side);
	if (c->is_due) /* not woken since by a full ring */
		wake(w->side, c);
	unlock(w->side);
}

/* What may be shown of capture n: all but what a batch under way may still
 * change.  With the lock. */
static uint64_t shown_end(const struct taps *t, unsigned n)
{
	uint64_t end = t->capture[n].ring.head;

	for (unsigned i = 0; i < t->c.n_workers; i++) {
		if (t->sides[i].from[n] < end)
			end = t->sides[i].from[n];
	}
	return end;
}

/* With the lock. */
static void show(struct side *s, unsigned n)
{
	struct capture *c = &s->taps->capture[n];
	struct timer *timer = &s->timer[n].timer;

	if (!ring_publish(&c->ring, shown_end(s->taps, n)) || c->wake < 0)
		return;
	if (c->is_due) {
		if (ring_unread(&c->ring) >= c->ring.size / 4)
			wake(s, c);
		return;
	}
	if (!ring_reader_waits(&c->ring))
		return;
	c->is_due = true;
	timer_disarm(s->c.wheel, timer);
	timer_arm(s->c.wheel, timer, c->woken_ns + TAPS_WAKE_NS);
}

/* ---- what the lans tell ---- */

static void on_begin(void *arg)
{
	struct side *s = arg;

	s->depth++;
	if (s->taps->c.n_workers == 1)
		s->wall_ns = s->taps->c.wall_ns();
}

static void on_end(void *arg)
{
	struct side *s = arg;

	if (--s->depth > 0 || !s->touched)
		return;
	pthread_mutex_lock(&s->taps->lock);
	for (; s->touched; s->touched &= s->touched - 1) {
		unsigned n = (unsigned)__builtin_ctz(s->touched);

		s->from[n] = RING_NOWHERE;
		show(s, n);
	}
	unlock(s);
}

static uint32_t part_of(const struct capture *c, const struct frame *f)
{
	return f->len < c->snap_len ? f->len : c->snap_len;
}

/* Those frames of b, into capture n; r says the rest.  Where they are to at. */
static void put(struct side *s, unsigned n, struct ring_record *r,
		const struct batch *b, uint64_t mask,
		uint64_t at[static FRAME_BATCH])
{
	struct capture *c = &s->taps->capture[n];
	bool is_kept = c->ring.mode == RING_KEPT;

	s->touched |= (uint8_t)(1 << n);
	lock(s);
	r->type = RING_FRAME;
	r->when_ns = s->wall_ns;
	for (uint64_t m = mask; m; m &= m - 1) {
		unsigned i = (unsigned)__builtin_ctzll(m);
		const struct frame *f = &b->f[i];

		r->frame_len = f->len;
		r->data_len = part_of(c, f);
		r->off = f->off;
		at[i] = is_kept ? ring_put_frame(&c->ring, r, f)
				: ring_reserve_frame(&c->ring, r);
		if (at[i] < s->from[n])
			s->from[n] = at[i];
	}
	unlock(s);
	if (is_kept)
		return;
	for (uint64_t m = mask; m; m &= m - 1) {
		unsigned i = (unsigned)__builtin_ctzll(m);

		ring_fill_frame(&c->ring, at[i], &b->f[i],
				part_of(c, &b->f[i]));
	}
}

static struct ring_record record_of(const struct port *p, enum ring_dir dir)
{
	struct ring_record r = {.dir = (uint8_t)dir};

	memcpy(r.port, p->name, sizeof(r.port) - 1);
	return r;
}

static void on_in(void *arg, struct port *from, const struct batch *b,
		  struct tap_batch *tb)
{
	struct ring_record r = record_of(from, RING_IN);

	for (uint8_t left = from->tap; left; left &= left - 1) {
		unsigned n = (unsigned)__builtin_ctz(left);

		put(arg, n, &r, b, batch_mask(b), tb->at[n]);
	}
}

static void on_back(void *arg, struct tap_batch *tb, uint64_t mask)
{
	struct side *s = arg;

	lock(s);
	for (; mask; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask);

		for (uint8_t left = tb->from->tap; left; left &= left - 1) {
			unsigned n = (unsigned)__builtin_ctz(left);

			ring_set_void(&s->taps->capture[n].ring, tb->at[n][i]);
		}
	}
	unlock(s);
}

static void on_out(void *arg, struct port *exit, const struct batch *b,
		   uint64_t mask)
{
	struct ring_record r = record_of(exit, RING_OUT);
	struct side *s = arg;
	uint64_t at[FRAME_BATCH];

	for (uint8_t left = exit->tap & s->taps->both; left; left &= left - 1)
		put(s, (unsigned)__builtin_ctz(left), &r, b, mask, at);
}

/* Those of mask say so in the records that they have. */
static void mark_lost(struct side *s, const struct tap_batch *tb, uint8_t which,
		      const struct port *at, uint64_t mask, unsigned why)
{
	lock(s);
	for (; which; which &= which - 1) {
		unsigned n = (unsigned)__builtin_ctz(which);

		for (uint64_t m = mask; m; m &= m - 1)
			ring_set_lost(&s->taps->capture[n].ring,
				      tb->at[n][__builtin_ctzll(m)], why,
				      at->name);
	}
	unlock(s);
}

static void on_lost(void *arg, const struct tap_batch *tb, struct port *at,
		    bool is_exit, const struct batch *b, uint64_t mask,
		    enum drop_reason why)
{
	uint8_t marked = tb ? tb->from->tap : 0;
	struct ring_record r = record_of(at, is_exit ? RING_OUT : RING_IN);
	struct side *s = arg;
	uint64_t places[FRAME_BATCH];

	if (marked)
		mark_lost(s, tb, marked, at, mask, why);
	/* The gateway has taken it, and counts it as gone out. */
	if (at->caps.is_ours)
		return;
	/* It says so where it came in, or waited on a cable since. */
	if (!is_exit && tb)
		return;
	r.lost = (uint16_t)(why + 1);
	r.is_out = true;
	memcpy(r.at, at->name, sizeof(r.at) - 1);
	for (uint8_t left = at->tap & ~marked; left; left &= left - 1) {
		unsigned n = (unsigned)__builtin_ctz(left);

		/* One that takes what comes in has it, unless it waited. */
		if (tb && !(s->taps->both & 1 << n))
			continue;
		put(s, n, &r, b, mask, places);
	}
}

/* ---- which ports ---- */

static bool wants(const struct taps *t, const struct capture *c,
		  const struct port *p)
{
	if (!c->id)
		return false;
	return c->port[0] ? strcmp(c->port, p->name) == 0
			  : !t->c.is_cable(p);
}

/* On worker 0. */
static void say_counts(struct taps *t, struct capture *c, const struct port *p,
		       enum ring_type type)
{
	unsigned bit = (unsigned)(c - t->capture);
	struct ring_record r =
		record_of(p, t->both & 1 << bit ? RING_IN | RING_OUT : RING_IN);
	struct side *s = &t->sides[0];
	struct port_stats sum = p->stats;
	struct ring_count n;

	if (t->c.stats)
		t->c.stats(t->c.arg, p, &sum);
	n = (struct ring_count){
		.rx_frames = sum.rx_frames,
		.tx_frames = sum.tx_frames,
		.rx_bytes = sum.rx_bytes,
		.tx_bytes = sum.tx_bytes,
		.rx_drops = sum.rx_drops,
		.tx_drops = sum.tx_drops,
	};
	r.type = (uint8_t)type;
	r.data_len = sizeof(n);
	lock(s);
	r.when_ns = t->c.wall_ns();
	(void)ring_put(&c->ring, &r, &n); /* no room: the reader says so */
	show(s, bit);
	unlock(s);
}

static void on_added(void *arg, struct port *p)
{
	struct side *s = arg;
	struct taps *t = s->taps;
	uint8_t tap = 0;

	if (s != t->sides) /* a leg: it has its port's */
		return;
	for (unsigned i = 0; i < TAP_MAX; i++) {
		struct capture *c = &t->capture[i];

		if (!wants(t, c, p))
			continue;
		tap |= (uint8_t)(1 << i);
		say_counts(t, c, p, RING_BEGIN);
	}
	lan_tap_port(p, tap);
}

static void on_removed(void *arg, struct port *p)
{
	struct side *s = arg;

	if (s != s->taps->sides)
		return;
	for (uint8_t left = p->tap; left; left &= left - 1)
		say_counts(s->taps, &s->taps->capture[__builtin_ctz(left)], p,
			   RING_END);
	p->tap = 0;
}

/* c begins at its ports, or ends. */
static void set_ports(struct taps *t, struct capture *c, bool is_on)
{
	uint8_t bit = (uint8_t)(1 << (c - t->capture));

	list_each(it, &t->lans) {
		const struct tapped_lan *l =
			container_of(it, struct tapped_lan, link);

		if (l->side != t->sides) /* its ports' legs follow them */
			continue;
		list_each(jt, lan_ports(l->lan)) {
			struct port *p =
				container_of(jt, struct port, link_all);

			if (is_on ? !wants(t, c, p) : !(p->tap & bit))
				continue;
			lan_tap_port(p, (uint8_t)(is_on ? p->tap | bit
							: p->tap & ~bit));
			say_counts(t, c, p, is_on ? RING_BEGIN : RING_END);
		}
	}
}

/* ---- captures ---- */

static struct capture *find(struct taps *t, uint32_t id)
{
	for (unsigned i = 0; i < TAP_MAX; i++) {
		if (t->capture[i].id == id)
			return &t->capture[i];
	}
	return NULL;
}

static void watch_lans(struct taps *t)
{
	list_each(it, &t->lans) {
		struct tapped_lan *l =
			container_of(it, struct tapped_lan, link);

		lan_tap_set(l->lan, t->n ? &l->side->tap : NULL);
	}
}

int taps_start(struct taps *t, const struct taps_capture *s)
{
	struct capture *c = find(t, 0);
	int r;

	assert(s->id && t->sides[0].depth == 0);
	if (find(t, s->id))
		return -EEXIST;
	if (!c)
		return -ENOSPC;
	r = ring_writer_open(&c->ring, s->ring, s->size, s->mode);
	if (r < 0)
		return r;
	c->id = s->id;
	c->snap_len = s->snap_len;
	c->wake = s->wake;
	c->woken_ns = 0;
	c->is_due = false;
	memset(c->port, 0, sizeof(c->port));
	strncpy(c->port, s->port, sizeof(c->port) - 1);
	if (c->port[0])
		t->both |= (uint8_t)(1 << (c - t->capture));
	if (t->n++ == 0)
		watch_lans(t);
	set_ports(t, c, true);
	return 0;
}

int taps_stop(struct taps *t, uint32_t id, struct ring_writer *endedp)
{
	struct capture *c = id ? find(t, id) : NULL;

	*endedp = (struct ring_writer){.shared = NULL};
	assert(t->sides[0].depth == 0);
	if (!c)
		return -ENOENT;
	set_ports(t, c, false);
	t->both &= (uint8_t)~(1 << (c - t->capture));
	ring_writer_over(&c->ring);
	if (c->wake >= 0)
		wake(t->sides, c);
	for (unsigned i = 0; i < t->c.n_workers; i++) {
		struct side *s = &t->sides[i];

		timer_disarm(s->c.wheel, &s->timer[c - t->capture].timer);
	}
	*endedp = c->ring;
	c->ring = (struct ring_writer){.shared = NULL};
	fd_close(&c->wake);
	c->id = 0;
	if (--t->n == 0)
		watch_lans(t);
	return 0;
}

int taps_lan_add(struct taps *t, struct lan *lan, unsigned worker)
{
	struct tapped_lan *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	assert(worker < t->c.n_workers);
	l->lan = lan;
	l->side = &t->sides[worker];
	list_add_tail(&t->lans, &l->link);
	if (t->n)
		lan_tap_set(lan, &l->side->tap);
	return 0;
}

void taps_lan_del(struct taps *t, struct lan *lan)
{
	list_each_safe(it, &t->lans) {
		struct tapped_lan *l =
			container_of(it, struct tapped_lan, link);

		if (l->lan != lan)
			continue;
		lan_tap_set(lan, NULL);
		list_del(&l->link);
		free(l);
	}
}

static void side_init(struct side *s, struct taps *t,
		      const struct taps_worker *c)
{
	s->taps = t;
	s->c = *c;
	s->tap = (struct lan_tap){
		.begin = on_begin,
		.end = on_end,
		.in = on_in,
		.back = on_back,
		.out = on_out,
		.lost = on_lost,
		.added = on_added,
		.removed = on_removed,
		.arg = s,
	};
	for (unsigned i = 0; i < TAP_MAX; i++) {
		s->timer[i].side = s;
		s->timer[i].n = i;
		timer_init(&s->timer[i].timer, on_timer);
		s->from[i] = RING_NOWHERE;
	}
}

int taps_new(const struct taps_config *c, struct taps **tp)
{
	struct taps *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->sides = mem_apart(c->n_workers, sizeof(*t->sides));
	if (!t->sides) {
		free(t);
		return -ENOMEM;
	}
	t->c = *c;
	t->c.workers = NULL; /* sides have them */
	list_init(&t->lans);
	(void)pthread_mutex_init(&t->lock, NULL); /* of this sort: always */
	for (unsigned i = 0; i < c->n_workers; i++)
		side_init(&t->sides[i], t, &c->workers[i]);
	for (unsigned i = 0; i < TAP_MAX; i++)
		t->capture[i].wake = -1;
	*tp = t;
	return 0;
}

struct taps *taps_free(struct taps *t)
{
	struct ring_writer ended;

	if (!t)
		return NULL;
	for (unsigned i = 0; i < TAP_MAX; i++) {
		if (!t->capture[i].id)
			continue;
		(void)taps_stop(t, t->capture[i].id, &ended);
		ring_writer_close(&ended);
	}
	list_each_safe(it, &t->lans)
		taps_lan_del(t, container_of(it, struct tapped_lan, link)->lan);
	pthread_mutex_destroy(&t->lock);
	free(t->sides);
	free(t);
	return NULL;
}
