/* SPDX-License-Identifier: BSD-3-Clause */
/* What lans tell, into rings; see taps.h. */
/* #syscalls: write close */
#include "capture/taps.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lan/lan.h"

struct capture {
	uint32_t id; /* 0: none */
	struct taps *taps;
	char port[PORT_NAME_LEN];
	uint32_t snap_len;
	int wake; /* owned; -1 */
	struct ring_writer ring;
	struct timer timer;   /* armed: the reader waits */
	uint64_t woken_ns;
};

struct tapped_lan {
	struct list link;
	struct lan *lan; /* borrowed */
};

struct taps {
	struct taps_config c;
	struct lan_tap tap;
	struct list lans; /* of struct tapped_lan; all that there are */
	unsigned depth;	  /* of begin() */
	uint64_t wall_ns; /* of the last */
	unsigned n;
	uint8_t both;	  /* bits of captures of a port, which want both ways */
	struct capture capture[TAP_MAX];
};

/* ---- the reader ---- */

static void wake(struct capture *c)
{
	const uint64_t one = 1;

	timer_disarm(c->taps->c.wheel, &c->timer);
	c->woken_ns = *c->taps->c.now_ns;
	/* Full is as good: it has not read what was told before. */
	(void)!write(c->wake, &one, sizeof(one));
}

static void on_timer(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	wake(container_of(t, struct capture, timer));
}

static void show(struct capture *c)
{
	if (!ring_publish(&c->ring) || c->wake < 0)
		return;
	if (timer_is_armed(&c->timer)) {
		if (ring_unread(&c->ring) >= c->ring.size / 4)
			wake(c);
		return;
	}
	if (!ring_reader_waits(&c->ring))
		return;
	timer_arm(c->taps->c.wheel, &c->timer, c->woken_ns + TAPS_WAKE_NS);
}

/* ---- what the lans tell ---- */

static void on_begin(void *arg)
{
	struct taps *t = arg;

	t->depth++;
	t->wall_ns = t->c.wall_ns();
}

static void on_end(void *arg)
{
	struct taps *t = arg;

	if (--t->depth > 0)
		return;
	for (unsigned i = 0; i < TAP_MAX; i++) {
		if (t->capture[i].id)
			show(&t->capture[i]);
	}
}

static uint64_t put(struct capture *c, struct ring_record *r,
		    const struct frame *f)
{
	r->type = RING_FRAME;
	r->when_ns = c->taps->wall_ns;
	r->frame_len = f->len;
	r->data_len = f->len < c->snap_len ? f->len : c->snap_len;
	r->off = f->off;
	return ring_put_frame(&c->ring, r, f);
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
	struct taps *t = arg;

	for (uint8_t left = from->tap; left; left &= left - 1) {
		unsigned n = (unsigned)__builtin_ctz(left);

		for (unsigned i = 0; i < b->n; i++)
			tb->at[n][i] = put(&t->capture[n], &r, &b->f[i]);
	}
}

static void on_back(void *arg, struct tap_batch *tb, uint64_t mask)
{
	struct taps *t = arg;

	for (; mask; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask);

		for (uint8_t left = tb->from->tap; left; left &= left - 1) {
			unsigned n = (unsigned)__builtin_ctz(left);

			ring_set_void(&t->capture[n].ring, tb->at[n][i]);
		}
	}
}

static void on_out(void *arg, struct port *exit, const struct batch *b,
		   uint64_t mask)
{
	struct ring_record r = record_of(exit, RING_OUT);
	struct taps *t = arg;

	for (uint8_t left = exit->tap & t->both; left; left &= left - 1) {
		struct capture *c = &t->capture[__builtin_ctz(left)];

		for (uint64_t m = mask; m; m &= m - 1)
			(void)put(c, &r, &b->f[__builtin_ctzll(m)]);
	}
}

/* Those of mask say so in the records that they have. */
static void mark_lost(struct taps *t, const struct tap_batch *tb, uint8_t which,
		      const struct port *at, uint64_t mask, unsigned why)
{
	for (; which; which &= which - 1) {
		unsigned n = (unsigned)__builtin_ctz(which);

		for (uint64_t m = mask; m; m &= m - 1)
			ring_set_lost(&t->capture[n].ring,
				      tb->at[n][__builtin_ctzll(m)], why,
				      at->name);
	}
}

static void on_lost(void *arg, const struct tap_batch *tb, struct port *at,
		    bool is_exit, const struct batch *b, uint64_t mask,
		    enum drop_reason why)
{
	uint8_t marked = tb ? tb->from->tap : 0;
	struct ring_record r = record_of(at, is_exit ? RING_OUT : RING_IN);
	struct taps *t = arg;

	mark_lost(t, tb, marked, at, mask, why);
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
		struct capture *c = &t->capture[__builtin_ctz(left)];

		/* One that takes what comes in has it, unless it waited. */
		if (tb && !(t->both & 1 << __builtin_ctz(left)))
			continue;
		for (uint64_t m = mask; m; m &= m - 1)
			(void)put(c, &r, &b->f[__builtin_ctzll(m)]);
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

static void say_counts(struct taps *t, struct capture *c, const struct port *p,
		       enum ring_type type)
{
	bool is_both = t->both & 1 << (c - t->capture);
	struct ring_record r = record_of(p, is_both ? RING_IN | RING_OUT
						    : RING_IN);
	const struct ring_count n = {
		.rx_frames = p->stats.rx_frames,
		.tx_frames = p->stats.tx_frames,
		.rx_bytes = p->stats.rx_bytes,
		.tx_bytes = p->stats.tx_bytes,
		.rx_drops = p->stats.rx_drops,
		.tx_drops = p->stats.tx_drops,
	};

	r.type = (uint8_t)type;
	r.when_ns = t->c.wall_ns();
	r.data_len = sizeof(n);
	(void)ring_put(&c->ring, &r, &n); /* no room: the reader says so */
}

static void on_added(void *arg, struct port *p)
{
	struct taps *t = arg;
	uint8_t tap = 0;

	for (unsigned i = 0; i < TAP_MAX; i++) {
		struct capture *c = &t->capture[i];

		if (!wants(t, c, p))
			continue;
		tap |= (uint8_t)(1 << i);
		say_counts(t, c, p, RING_BEGIN);
		show(c);
	}
	lan_tap_port(p, tap);
}

static void on_removed(void *arg, struct port *p)
{
	struct taps *t = arg;

	for (uint8_t left = p->tap; left; left &= left - 1) {
		struct capture *c = &t->capture[__builtin_ctz(left)];

		say_counts(t, c, p, RING_END);
		show(c);
	}
	p->tap = 0;
}

/* c begins at its ports, or ends. */
static void set_ports(struct taps *t, struct capture *c, bool is_on)
{
	uint8_t bit = (uint8_t)(1 << (c - t->capture));

	list_each(it, &t->lans) {
		const struct tapped_lan *l =
			container_of(it, struct tapped_lan, link);

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
	list_each(it, &t->lans)
		lan_tap_set(container_of(it, struct tapped_lan, link)->lan,
			    t->n ? &t->tap : NULL);
}

int taps_start(struct taps *t, const struct taps_capture *s)
{
	struct capture *c = find(t, 0);
	int r;

	assert(s->id && t->depth == 0);
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
	memset(c->port, 0, sizeof(c->port));
	strncpy(c->port, s->port, sizeof(c->port) - 1);
	if (c->port[0])
		t->both |= (uint8_t)(1 << (c - t->capture));
	if (t->n++ == 0)
		watch_lans(t);
	set_ports(t, c, true);
	show(c);
	return 0;
}

int taps_stop(struct taps *t, uint32_t id)
{
	struct capture *c = id ? find(t, id) : NULL;

	assert(t->depth == 0);
	if (!c)
		return -ENOENT;
	set_ports(t, c, false);
	t->both &= (uint8_t)~(1 << (c - t->capture));
	ring_writer_over(&c->ring);
	if (c->wake >= 0)
		wake(c);
	ring_writer_close(&c->ring);
	fd_close(&c->wake);
	c->id = 0;
	if (--t->n == 0)
		watch_lans(t);
	return 0;
}

void taps_lan_add(struct taps *t, struct lan *lan)
{
	struct tapped_lan *l = calloc(1, sizeof(*l));

	if (!l)
		return; /* it is captured by none */
	l->lan = lan;
	list_add_tail(&t->lans, &l->link);
	if (t->n)
		lan_tap_set(lan, &t->tap);
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

int taps_new(const struct taps_config *c, struct taps **tp)
{
	struct taps *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->c = *c;
	list_init(&t->lans);
	t->tap = (struct lan_tap){
		.begin = on_begin,
		.end = on_end,
		.in = on_in,
		.back = on_back,
		.out = on_out,
		.lost = on_lost,
		.added = on_added,
		.removed = on_removed,
		.arg = t,
	};
	for (unsigned i = 0; i < TAP_MAX; i++) {
		t->capture[i].taps = t;
		t->capture[i].wake = -1;
		timer_init(&t->capture[i].timer, on_timer);
	}
	*tp = t;
	return 0;
}

struct taps *taps_free(struct taps *t)
{
	if (!t)
		return NULL;
	for (unsigned i = 0; i < TAP_MAX; i++) {
		if (t->capture[i].id)
			(void)taps_stop(t, t->capture[i].id);
	}
	list_each_safe(it, &t->lans)
		taps_lan_del(t, container_of(it, struct tapped_lan, link)->lan);
	free(t);
	return NULL;
}
