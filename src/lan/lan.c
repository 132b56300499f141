/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carrying batches: learn, one mask per exit, one send() per exit.
 *
 * Called by the port kinds and the gateway on the worker's thread.  No
 * allocation, no system call, no log line.
 *
 * A call of lan_input() goes in two steps.  First every frame is judged and
 * its bit goes into a mask: the pending mask of its one known exit, or the
 * flood mask.  No hook runs in this step, so port.pending belongs to this call
 * alone.  Then the exits (at most 128: a group with more is flooded) are
 * copied to the stack and sent to; a send() may well call lan_input() again
 * (the gateway answers, a hubport leads to another lan and back), and finds
 * the ports' fields clean.
 */
#include <assert.h>

#include "lan/gso.h"
#include "lan/heard.h"
#include "lan/lan_priv.h"
#include "lan/port_cable.h"

enum {
	/* A batch's unicast frames may have as many exits as there are
	 * frames; what is left over is for those to groups. */
	CARRY_EXITS = 2 * FRAME_BATCH,
	CARRY_CUTS = 32, /* exits for which a flood is cut at once */
};

/* Where frames with one pair of addresses go. */
struct verdict {
	struct port *exit;	/* NULL: flooded, or dropped */
	bool is_drop;
	bool is_again;		/* the entrance has an alias for the source */
	enum drop_reason why;	/* if is_drop */
};

struct carry_exit {
	struct port *port;
	uint64_t mask;
};

/* What becomes of unicast frames their exit has no room for. */
enum carry_mode {
	CARRY_LOSE, /* lost, counted */
	CARRY_KEEP, /* the caller has them still and is told (room) */
	CARRY_HOLD, /* the lan holds what it can (hold.h) */
	CARRY_HELD, /* it does already */
};

/* One call of lan_input(). */
struct carry {
	struct lan *lan;
	struct port *from;
	const struct batch *b;
	enum carry_mode mode;
	bool is_through;	/* the entrance's cable */
	unsigned next;		/* the first frame not looked at */
	uint32_t need;		/* PORT_O_* of all frames together */
	uint32_t longest;	/* on the wire */
	uint64_t flood;
	uint64_t group;		/* of the masks of exits: not unicast */
	struct gso_rest rest;	/* of the exit that was sent to last */
	unsigned n_pending;	/* exits with a mask */
	uint64_t seen;		/* bit per serial % 64 of the exits below */
	unsigned n_exits;
	struct carry_exit exit[CARRY_EXITS];
};

static inline unsigned count_bits(uint64_t mask)
{
	return (unsigned)__builtin_popcountll(mask);
}

static void exit_lost(struct carry *c, struct port *p, uint64_t mask,
		      enum drop_reason why)
{
	drop_n(c->lan->drops, why, count_bits(mask));
	p->stats.tx_drops += count_bits(mask);
	tap_lost(c->lan, p, true, c->b, mask, why);
}

/* The entrance lets no further. */
static __attribute__((noinline)) void
entry_lost(struct carry *c, uint64_t mask, enum drop_reason why)
{
	drop_n(c->lan->drops, why, count_bits(mask));
	c->from->stats.rx_drops += count_bits(mask);
	tap_lost(c->lan, c->from, false, c->b, mask, why);
}

/* 01:80:c2:00:00:0x never crosses a bridge (IEEE 802.1Q 8.6.3). */
static inline bool is_reserved_group(const uint8_t *dst)
{
	static const uint8_t group[5] = {0x01, 0x80, 0xc2, 0, 0};

	return memcmp(dst, group, sizeof(group)) == 0 && dst[5] < 0x10;
}

/* The MACs of IP multicast (RFC 1112 6.4, 2464 7). */
static inline bool is_ip_group(const uint8_t *dst)
{
	return (dst[0] == 0x33 && dst[1] == 0x33) ||
	       (dst[0] == 0x01 && dst[1] == 0 && dst[2] == 0x5e);
}

static struct verdict judge(struct lan *lan, struct port *from,
			    const struct frame *f)
{
	const uint8_t *hdr = f->hdr;
	mac src = mac_bytes(hdr + 6);
	struct verdict v = {0};
	struct port *before;
	enum fdb_result r;

	if (lan->is_hub)
		return v;
	if (mac_is_group(src))
		return (struct verdict){.is_drop = true,
					.why = DROP_FRAME_SRC_GROUP};
	r = fdb_learn(&lan->fdb, src, from, *lan->now_ns, &before);
	if (r != FDB_SAME && alias_learned(from, f, r, before))
		return (struct verdict){.is_again = true};
	if (is_reserved_group(hdr))
		return (struct verdict){.is_drop = true,
					.why = DROP_RESERVED_GROUP};
	v.exit = lan_exit(lan, mac_bytes(hdr));
	if (v.exit == from)
		return (struct verdict){.is_drop = true, .why = DROP_HAIRPIN};
	return v;
}

/* i is for p, too; first is the list of exits. */
static struct port *exit_add(struct carry *c, struct port *first,
			     struct port *p, unsigned i)
{
	if (!p->pending) {
		p->pending_next = first;
		first = p;
		c->n_pending++;
	}
	p->pending |= UINT64_C(1) << i;
	return first;
}

/* Frame i is for a group: to all, or to those who want it. */
static __attribute__((noinline)) struct port *
group_add(struct carry *c, struct port *first, unsigned i)
{
	struct port *exit[CARRY_EXITS];
	unsigned max = CARRY_EXITS - c->n_pending - (c->b->n - 1 - i);
	int n = snoop_exits(c->from, &c->b->f[i], exit, max);

	if (n == 0)
		entry_lost(c, UINT64_C(1) << i, DROP_NO_LISTENER);
	c->group |= UINT64_C(1) << i;
	if (n == SNOOP_FLOOD)
		c->flood |= UINT64_C(1) << i;
	for (int k = 0; k < n; k++)
		first = exit_add(c, first, exit[k], i);
	return first;
}

/* What f asks of an exit is asked of all. */
static inline void carry_weigh(struct carry *c, const struct frame *f)
{
	uint32_t wire_len = f->len;

	if (f->off.flags | f->off.gso) {
		c->need |= gso_need(&f->off);
		wire_len = gso_wire_len(f);
	}
	if (wire_len > c->longest)
		c->longest = wire_len;
}

static inline bool is_short(struct carry *c, unsigned i)
{
	if (c->b->f[i].hdr_len >= FRAME_ETH_LEN)
		return false;
	entry_lost(c, UINT64_C(1) << i, DROP_FRAME_SHORT);
	return true;
}

/* Step one: a mask for each exit. Returns the list of exits.  It ends early,
 * at c->next, where the entrance has got an alias for the frame's source. */
static struct port *classify(struct carry *c)
{
	const uint8_t *last = NULL;
	struct port *first = NULL;
	struct verdict v = {0};

	for (unsigned i = c->next; i < c->b->n; i++) {
		const struct frame *f = &c->b->f[i];

		if (is_short(c, i))
			continue;
		/* Most batches are one conversation. */
		if (!last || memcmp(last, f->hdr, 12) != 0)
			v = judge(c->lan, c->from, f);
		last = f->hdr;
		if (v.is_again) {
			c->next = i;
			return first;
		}
		if (v.is_drop) {
			entry_lost(c, UINT64_C(1) << i, v.why);
			continue;
		}
		carry_weigh(c, f);
		if (v.exit) {
			first = exit_add(c, first, v.exit, i);
			continue;
		}
		heard_frame(c->from, f);
		if (is_ip_group(f->hdr))
			first = group_add(c, first, i);
		else
			c->flood |= UINT64_C(1) << i;
	}
	c->next = c->b->n;
	return first;
}

/* Step one on a lane, where what has no such exit is another's. */
static __attribute__((noinline)) struct port *classify_lane(struct carry *c)
{
	struct port *first = NULL, *exit = NULL;
	const uint8_t *last = NULL;
	uint64_t punted = 0;

	for (unsigned i = 0; i < c->b->n; i++) {
		const struct frame *f = &c->b->f[i];

		if (is_short(c, i))
			continue;
		if (!last || memcmp(last, f->hdr, 12) != 0)
			exit = lane_exit(c->from, f);
		last = f->hdr;
		if (!exit) {
			punted |= UINT64_C(1) << i;
			continue;
		}
		carry_weigh(c, f);
		first = exit_add(c, first, exit, i);
	}
	c->next = c->b->n;
	if (punted)
		lane_punt(c->from, c->b, punted);
	return first;
}

/* Takes the masks out of the ports. */
static void collect(struct carry *c, struct port *p)
{
	while (p) {
		struct port *next = p->pending_next;

		c->exit[c->n_exits++] =
			(struct carry_exit){.port = p, .mask = p->pending};
		c->seen |= UINT64_C(1) << p->serial % 64;
		p->pending = 0;
		p->pending_next = NULL;
		p = next;
	}
}

static uint64_t mask_long(const struct carry *c, const struct port *p,
			  uint64_t mask)
{
	uint64_t is_long = 0;

	for (; mask; mask &= mask - 1) {
		int i = __builtin_ctzll(mask);

		if (gso_wire_len(&c->b->f[i]) > p->caps.max_frame)
			is_long |= UINT64_C(1) << i;
	}
	return is_long;
}

static uint64_t mask_soft(const struct carry *c, const struct port *p,
			  uint64_t mask)
{
	uint64_t soft = 0;

	for (; mask; mask &= mask - 1) {
		int i = __builtin_ctzll(mask);

		if (gso_need(&c->b->f[i].off) & ~p->caps.offload)
			soft |= UINT64_C(1) << i;
	}
	return soft;
}

static enum drop_reason down_reason(const struct port *p)
{
	return p->fault ? DROP_PORT_FAULT : DROP_LINK_DOWN;
}

/* True if what p does not take of a frame that is cut for it need not be
 * lost. */
static bool has_rest(const struct carry *c, const struct port *p)
{
	return (c->mode == CARRY_HOLD || c->mode == CARRY_HELD) &&
	       port_can_refuse(p);
}

/* One send() of frames that p can take. Returns the bits it had no room for. */
static uint64_t exit_put(struct carry *c, struct port *p,
			 const struct batch *b, uint64_t mask)
{
	uint64_t soft = 0;
	uint64_t got;

	if (c->need & ~p->caps.offload)
		soft = mask_soft(c, p, mask);
	if (soft)
		got = gso_send(p, c->lan->drops, b, mask, soft,
			       has_rest(c, p) ? &c->rest : NULL);
	else
		got = p->ops->send(p, b, mask);
	got &= mask;
	p->stats.tx_frames += count_bits(got);
	p->stats.tx_bytes += batch_bytes(b, got);
	if (p->tap)
		tap_out(p, b, got);
	return mask & ~got;
}

/* As exit_put(), in the view of a port with aliases. */
static __attribute__((noinline)) uint64_t
exit_put_aliased(struct carry *c, struct port *p, uint64_t mask)
{
	struct alias_view v;
	uint64_t lost = 0;

	while (mask && !lost && port_is_up(p)) {
		uint64_t part = alias_view(&v, p, c->b, mask);

		lost = exit_put(c, p, &v.b, part);
		mask &= ~part;
	}
	return mask | lost;
}

/* Returns the bits the exit had no room for. */
static uint64_t exit_send(struct carry *c, struct port *p, uint64_t mask)
{
	if (c->longest > p->caps.max_frame) {
		uint64_t is_long = mask_long(c, p, mask);

		exit_lost(c, p, is_long, DROP_FRAME_LONG);
		mask &= ~is_long;
		if (!mask)
			return 0;
	}
	assert(!p->lent);
	if (p->alias_use & ALIAS_USE_SWAP)
		return exit_put_aliased(c, p, mask);
	return exit_put(c, p, c->b, mask);
}

/* p is full, or others wait for it: the sender waits, too, with what it can.
 * Returns those frames. */
static __attribute__((noinline)) uint64_t
exit_hold(struct carry *c, struct port *p, uint64_t mask)
{
	uint64_t held = hold_keep(c->from, p, c->b, mask, &c->rest);

	exit_lost(c, p, mask & ~held, DROP_PORT_FULL);
	return held;
}

/* Unicast frames p had no room for; returns as lan_input(). */
static uint64_t exit_refused(struct carry *c, struct port *p, uint64_t mask)
{
	if (c->mode == CARRY_HOLD)
		return exit_hold(c, p, mask);
	if (mask && c->mode == CARRY_KEEP)
		lan_wait(c->from, p);
	return mask;
}

/* Sends unicast and flooded frames through p; returns the unicast frames that
 * come back to the sender, or are held. */
static uint64_t exit_carry(struct carry *c, struct port *p, uint64_t unicast,
			   uint64_t flood)
{
	uint64_t held = 0, lost;

	c->rest.pieces = 0;
	if (!port_is_up(p)) { /* since this batch came in */
		exit_lost(c, p, unicast, down_reason(p));
		return 0;
	}
	if (c->mode == CARRY_HOLD && !list_empty(&p->holders)) {
		held = exit_hold(c, p, unicast); /* behind those */
		unicast = 0;
		if (!flood)
			return held;
	}
	lost = exit_send(c, p, unicast | flood);
	if (!lost)
		return held;
	if (!port_is_up(p)) { /* since it was sent to */
		exit_lost(c, p, lost, down_reason(p));
		return held;
	}
	if (c->mode == CARRY_LOSE || !port_can_refuse(p)) {
		exit_lost(c, p, lost, DROP_PORT_FULL);
		return c->mode == CARRY_LOSE ? lost & unicast : held;
	}
	exit_lost(c, p, lost & ~unicast, DROP_PORT_FULL);
	return held | exit_refused(c, p, lost & unicast);
}

static bool is_exit(const struct carry *c, const struct port *p)
{
	if (!(c->seen & UINT64_C(1) << p->serial % 64))
		return false;
	for (unsigned i = 0; i < c->n_exits; i++)
		if (c->exit[i].port == p)
			return true;
	return false;
}

/* The flooded frames found no port that is up: says why. */
static enum drop_reason no_exit_reason(const struct carry *c)
{
	enum drop_reason why = DROP_NO_EXIT;

	list_each(it, &c->lan->ports) {
		struct port *p = container_of(it, struct port, link_all);

		if (p == c->from)
			continue;
		if (!p->fault)
			return DROP_LINK_DOWN;
		why = DROP_PORT_FAULT;
	}
	return why;
}

/* Exits of a flood that lack the same abilities. */
struct flood_cut {
	uint64_t soft; /* frames that are cut or summed for them */
	unsigned n;
	struct gso_exit exit[CARRY_CUTS];
};

static void cut_flush(struct carry *c, struct flood_cut *g)
{
	if (g->n == 0)
		return;
	gso_send_all(g->exit, g->n, c->lan->drops, c->b, c->flood, g->soft);
	for (unsigned i = 0; i < g->n; i++) {
		struct port *p = g->exit[i].port;
		uint64_t got = g->exit[i].taken & c->flood;

		p->stats.tx_frames += count_bits(got);
		p->stats.tx_bytes += batch_bytes(c->b, got);
		if (p->tap)
			tap_out(p, c->b, got);
		exit_lost(c, p, c->flood & ~got,
			  port_is_up(p) ? DROP_PORT_FULL : down_reason(p));
	}
	g->n = 0;
}

/* True if p is one of g's now: what it cannot do by itself is done once. */
static bool cut_add(struct carry *c, struct flood_cut *g, struct port *p)
{
	uint64_t soft;

	if (!(c->need & ~p->caps.offload) ||
	    c->longest > p->caps.max_frame || p->alias_use & ALIAS_USE_SWAP)
		return false;
	soft = mask_soft(c, p, c->flood);
	if (!soft)
		return false;
	if (g->n == CARRY_CUTS || g->soft != soft)
		cut_flush(c, g);
	assert(!p->lent);
	g->soft = soft;
	g->exit[g->n++].port = p;
	return true;
}

/* To all ports that are up and had no frames of their own in the batch. */
static unsigned flood_others(struct carry *c)
{
	struct flood_cut g;
	unsigned n = 0;

	g.n = 0; /* the array is filled as far as it is used */
	g.soft = 0;

	list_each(it, &c->lan->ports) {
		struct port *p = container_of(it, struct port, link_all);

		if (p == c->from || !port_is_up(p) || is_exit(c, p))
			continue;
		if (!cut_add(c, &g, p))
			(void)exit_carry(c, p, 0, c->flood); /* none is kept */
		n++;
	}
	cut_flush(c, &g);
	return n;
}

/* Step two: one send per exit. */
static uint64_t deliver(struct carry *c)
{
	uint64_t back = 0;
	unsigned n = c->n_exits;

	for (unsigned i = 0; i < c->n_exits; i++)
		back |= exit_carry(c, c->exit[i].port,
				   c->exit[i].mask & ~c->group,
				   c->flood | (c->exit[i].mask & c->group));
	if (!c->flood)
		return back;
	n += flood_others(c);
	if (n == 0)
		entry_lost(c, c->flood, no_exit_reason(c));
	return back;
}

/* Nothing is known yet of the frames of b from next on. */
static inline void carry_init(struct carry *c, const struct batch *b,
			      unsigned next)
{
	c->b = b;
	c->next = next;
	c->need = 0;
	c->longest = 0;
	c->flood = 0;
	c->group = 0;
	c->n_pending = 0;
	c->seen = 0;
	c->n_exits = 0; /* the array is filled as far as it is used */
}

static inline uint64_t carry_out(struct carry *c)
{
	collect(c, c->lan->lane ? classify_lane(c) : classify(c));
	return deliver(c);
}

/* Carries the frames from c->next on of a port with aliases or a cable, or one
 * that may have to get an alias. */
static __attribute__((noinline)) uint64_t carry_aliased(struct carry *c)
{
	const struct batch *b = c->b;
	struct alias_view v;
	uint64_t back = 0;
	unsigned next = c->next;

	if (c->from->alias_use & ALIAS_USE_CABLE && !c->is_through) {
		port_cable_in(c->from, b);
		return 0;
	}
	if (c->from->alias_use & ALIAS_USE_WATCH)
		alias_watch(c->from, b);
	while (next < b->n && port_is_up(c->from)) {
		carry_init(c, b, next);
		if (c->from->alias_use & ALIAS_USE_SWAP) {
			(void)alias_view(&v, c->from, b,
					 batch_mask(b) & ~UINT64_C(0) << next);
			c->b = &v.b; /* v.b.n says how far it goes */
		}
		back |= carry_out(c);
		next = c->next;
	}
	c->b = b;
	if (next < b->n)
		entry_lost(c, batch_mask(b) & ~UINT64_C(0) << next,
			   DROP_LINK_DOWN_IN);
	return back;
}

/* from has spoken, if it is a machine: what the gateway says is the host's. */
static void note_talk(struct lan *lan, const struct port *from, uint64_t bytes)
{
	if (lan->talk && from && !from->caps.is_ours)
		talk_note(lan->talk, from, bytes);
}

/* A batch that its entrance has counted. */
static inline uint64_t carry_in(struct port *from, const struct batch *b,
				enum carry_mode mode, bool is_through)
{
	struct lan *lan = from->lan;
	struct port *outer = lan->ingress;
	struct carry c;
	uint64_t back;

	c.lan = lan;
	c.from = from;
	c.mode = mode;
	c.is_through = is_through;
	carry_init(&c, b, 0);
	assert(!lan->lend_open && b->n <= FRAME_BATCH);
	if (!port_is_up(from)) {
		entry_lost(&c, batch_mask(b), DROP_LINK_DOWN_IN);
		return 0;
	}
	if (lan->depth >= LAN_DEPTH_MAX) {
		entry_lost(&c, batch_mask(b), DROP_LAN_LOOP);
		return 0;
	}
	lan->depth++;
	lan->busy++;
	lan->ingress = from;
	back = from->alias_use ? 0 : carry_out(&c);
	if (c.next < b->n)
		back |= carry_aliased(&c);
	lan->ingress = outer;
	lan->busy--;
	lan->depth--;
	return back;
}

static inline uint64_t input_carry(struct port *from, const struct batch *b,
				   enum carry_mode mode)
{
	uint64_t bytes = batch_bytes(b, batch_mask(b));
	uint64_t back;

	from->stats.rx_frames += b->n;
	from->stats.rx_bytes += bytes;
	note_talk(from->lan, from, bytes);
	back = carry_in(from, b, mode, false);
	if (mode == CARRY_KEEP && back) { /* they will come again */
		from->stats.rx_frames -= count_bits(back);
		from->stats.rx_bytes -= batch_bytes(b, back);
	}
	return back;
}

/* As input(), while somebody looks on. */
static __attribute__((noinline)) uint64_t
input_tapped(struct port *from, const struct batch *b, enum carry_mode mode)
{
	struct lan *lan = from->lan;
	const struct lan_tap *tap = lan->tap;
	struct tap_batch *outer = lan->tapped;
	struct tap_batch t;
	uint64_t back;

	tap->begin(tap->arg);
	t.from = from;
	lan->tapped = from->tap ? &t : NULL;
	if (from->tap)
		tap->in(tap->arg, from, b, &t);
	back = input_carry(from, b, mode);
	if (from->tap && mode == CARRY_KEEP && back)
		tap->back(tap->arg, &t, back);
	lan->tapped = outer;
	tap->end(tap->arg);
	return back;
}

static uint64_t input(struct port *from, const struct batch *b,
		      enum carry_mode mode)
{
	if (from->lan->tap)
		return input_tapped(from, b, mode);
	return input_carry(from, b, mode);
}

uint64_t lan_input(struct port *from, const struct batch *b, bool keep)
{
	return input(from, b, keep ? CARRY_KEEP : CARRY_LOSE);
}

uint64_t lan_carry_cabled(struct port *from, const struct batch *b, bool keep)
{
	return carry_in(from, b, keep ? CARRY_KEEP : CARRY_LOSE, true);
}

/* Frames whose exit is known, and whose entrance has counted them. */
static uint64_t carry_to(struct port *from, struct port *exit,
			 const struct batch *b, enum carry_mode mode,
			 struct gso_rest *rest)
{
	struct lan *lan = exit->lan;
	struct port *outer = lan->ingress;
	struct tap_batch *tapped = lan->tapped;
	struct carry c;
	uint64_t back;

	c.lan = lan;
	c.from = from;
	c.mode = mode;
	carry_init(&c, b, b->n);
	for (unsigned i = 0; i < b->n; i++)
		carry_weigh(&c, &b->f[i]);
	lan->busy++;
	lan->ingress = from;
	lan->tapped = NULL; /* it has been told of them before */
	if (lan->tap)
		lan->tap->begin(lan->tap->arg);
	back = exit_carry(&c, exit, batch_mask(b), 0);
	if (lan->tap)
		lan->tap->end(lan->tap->arg);
	lan->tapped = tapped;
	lan->ingress = outer;
	lan->busy--;
	*rest = c.rest;
	return back;
}

uint64_t lan_carry_held(struct port *from, struct port *exit,
			const struct batch *b, struct gso_rest *rest)
{
	return carry_to(from, exit, b, CARRY_HELD, rest);
}

void lan_output(struct port *exit, struct port *from, const struct batch *b)
{
	struct lan *lan = exit->lan;
	struct gso_rest rest;

	assert(lan->busy == 0);
	note_talk(lan, from, batch_bytes(b, batch_mask(b)));
	(void)carry_to(from, exit, b, CARRY_LOSE, &rest); /* it counts */
	if (!list_empty(&lan->wake))
		lan_wake_now(lan);
}

uint32_t lan_ingress(const struct lan *lan)
{
	return lan->ingress ? lan->ingress->serial : 0;
}

uint32_t lan_ingress_id(const struct lan *lan)
{
	return lan->ingress ? lan->ingress->id : 0;
}

bool lan_ingress_is_uplink(const struct lan *lan)
{
	return lan->ingress && lan->ingress->caps.is_uplink;
}

uint32_t lan_payer(const struct lan *lan)
{
	return lan_ingress_is_uplink(lan) ? 0 : lan_ingress(lan);
}

bool lan_port_readable(struct port *p)
{
	struct lan *lan = p->lan;
	struct batch b;
	bool has_more = true;

	if (!lan)
		return false;
	lan->busy++;
	for (int i = 0; i < LAN_READ_BATCHES && has_more; i++) {
		b.n = 0;
		has_more = false;
		if (p->fault)
			break;
		b.n = p->ops->recv(p, &b);
		if (b.n == 0)
			break;
		b.held = 0;
		if (p->hold)
			b.held = input(p, &b, CARRY_HOLD);
		else
			(void)input(p, &b, CARRY_LOSE); /* it counts */
		p->ops->done(p, &b);
		has_more = true;
	}
	lan->busy--;
	if (lan->busy == 0 && !list_empty(&lan->wake))
		lan_wake_now(lan);
	return has_more;
}
