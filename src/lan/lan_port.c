/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ports of a lan: coming and going, link, faults, and who waits for room.
 * Called by the port kinds and the engine on the worker's thread.
 *
 * What may be called where: lan_port_add() and lan_port_del() only while no
 * batch is carried on the lan (the engine does them from its loop, a kind asks
 * for it there).  Everything else may be called at any time, from inside any
 * hook as well: it marks the port and returns, and whoever waits for the port
 * is told when the batch is over (lan_port_readable) or from a timer.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lan/heard.h"
#include "lan/lan_priv.h"
#include "lan/port_cable.h"

enum { WAIT_SHARED = LAN_WAITERS - 1 };

void lan_wake_now(struct lan *lan)
{
	struct list todo;
	struct list *it;

	list_init(&todo);
	list_splice(&todo, &lan->wake);
	while ((it = list_first(&todo))) {
		list_del(it);
		lan_port_room(container_of(it, struct port, link_wake));
	}
}

static void wake_fire(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	lan_wake_now(container_of(t, struct lan, wake_timer));
}

int lan_new(const struct lan_config *c, struct lan **lanp)
{
	struct lan *lan = calloc(1, sizeof(*lan));
	unsigned fdb_max = c->fdb_max ? c->fdb_max : LAN_FDB_MAX;
	uint64_t age_ns = c->age_ns;

	if (!lan)
		return -ENOMEM;
	if (!age_ns)
		age_ns = LAN_AGE_SECONDS * UINT64_C(1000000000);
	lan->is_hub = c->is_hub;
	lan->now_ns = c->now_ns;
	lan->read_ns = c->read_ns;
	lan->talk = c->talk;
	lan->drops = c->drops;
	lan->wheel = c->wheel;
	lan->events = c->events;
	list_init(&lan->ports);
	list_init(&lan->wake);
	list_init(&lan->free_aliases);
	for (unsigned i = 0; i < LAN_ALIASES; i++)
		list_add_tail(&lan->free_aliases, &lan->alias[i].link);
	timer_init(&lan->wake_timer, wake_fire);
	lan->name = strdup(c->name);
	if (!lan->name)
		goto err_free;
	if (fdb_init(&lan->fdb, c->lane ? 1 : fdb_max, age_ns, c->wheel) < 0)
		goto err_free_name;
	if (snoop_init(&lan->snoop, c->wheel) < 0)
		goto err_deinit_fdb;
	if (c->lane && lane_new(c->lane, fdb_max, &lan->lane) < 0)
		goto err_deinit_snoop;
	if (slab_init(&lan->scratch,
		      FRAME_BATCH * (FRAME_MAX + LAN_SCRATCH_ALIGN),
		      LAN_SCRATCH_MAX) < 0)
		goto err_free_lane;
	*lanp = lan;
	return 0;

err_free_lane:
	lane_free(lan->lane);
err_deinit_snoop:
	snoop_deinit(&lan->snoop);
err_deinit_fdb:
	fdb_deinit(&lan->fdb);
err_free_name:
	free(lan->name);
err_free:
	free(lan);
	return -ENOMEM;
}

struct lan *lan_free(struct lan *lan)
{
	if (!lan)
		return NULL;
	assert(list_empty(&lan->ports));
	timer_disarm(lan->wheel, &lan->wake_timer);
	slab_deinit(&lan->scratch);
	lane_free(lan->lane);
	snoop_deinit(&lan->snoop);
	fdb_deinit(&lan->fdb);
	free(lan->name);
	free(lan);
	return NULL;
}

const char *lan_name(const struct lan *lan)
{
	return lan->name;
}

struct list *lan_ports(struct lan *lan)
{
	return &lan->ports;
}

uint32_t lan_waiter_take(struct lan *lan, struct port *p)
{
	for (uint32_t i = 0; i < WAIT_SHARED; i++) {
		if (lan->waiter[i])
			continue;
		lan->waiter[i] = p;
		return i;
	}
	return WAIT_SHARED;
}

void lan_waiter_give(struct lan *lan, struct port *p)
{
	if (p->wait_slot == WAIT_SHARED)
		return; /* others may use the bit: a wake too many */
	lan->waiter[p->wait_slot] = NULL;
	list_each(it, &lan->ports)
		container_of(it, struct port, link_all)->waiters &=
			~(UINT64_C(1) << p->wait_slot);
	p->wait_slot = WAIT_SHARED;
}

void lan_port_add(struct lan *lan, struct port *p)
{
	assert(!p->lan && lan->busy == 0);
	assert(p->ops->send && p->ops->recv && p->ops->done);
	assert(!p->ops->lend == !p->ops->give);
	p->lan = lan;
	p->pending = 0;
	p->pending_next = NULL;
	p->carrier = false;
	p->admin_up = true;
	p->wants_room = false;
	p->lent = false;
	p->fault = FAULT_NONE;
	p->serial = ++lan->last_serial;
	p->waiters = 0;
	p->wait_turn = 0;
	p->holders_first = false;
	p->hold_after_ns = 0;
	p->cable = NULL;
	list_init(&p->holders);
	p->hold = p->ops->let_go ? hold_new(p) : NULL;
	p->wait_slot = WAIT_SHARED;
	if (p->ops->room)
		p->wait_slot = lan_waiter_take(lan, p);
	list_init(&p->link_wake);
	list_init(&p->aliases);
	p->alias_use = 0;
	p->tap = 0;
	p->is_punted = false;
	p->n_known = 0;
	p->n_heard = 0;
	fdb_port_init(p);
	snoop_port_init(p);
	list_add_tail(&lan->ports, &p->link_all);
	if (lan->watch.added)
		lan->watch.added(lan->watch.arg, p);
	if (lan->tap)
		lan->tap->added(lan->tap->arg, p);
}

void lan_port_del(struct port *p)
{
	struct lan *lan = p->lan;

	if (!lan)
		return;
	assert(lan->busy == 0 && !p->lent);
	if (lan->watch.removed)
		lan->watch.removed(lan->watch.arg, p);
	port_cable_cut(p);
	p->carrier = false;
	if (lan->tap)
		lan->tap->removed(lan->tap->arg, p);
	p->hold = hold_free(p->hold);
	fdb_flush(&lan->fdb, p);
	alias_forget(p);
	snoop_forget(p);
	if (p->ops->room)
		lan_waiter_give(lan, p);
	lan_port_room(p);
	assert(list_empty(&p->holders));
	list_del(&p->link_wake);
	list_del(&p->link_all);
	p->lan = NULL;
}

bool port_is_up(const struct port *p)
{
	return p->carrier && p->admin_up && p->fault == FAULT_NONE;
}

/* Its peer is there, and believed. */
static bool has_peer(const struct port *p)
{
	return p->carrier && p->fault == FAULT_NONE;
}

static void up_changed(struct port *p, bool is_up)
{
	struct lan *lan = p->lan;

	if (!is_up) {
		fdb_flush(&lan->fdb, p);
		alias_forget(p);
		heard_forget(p);
		snoop_forget(p);
		if (p->wants_room)
			lan_wake_later(p);
		hold_release_soon(p);
		if (p->cable)
			port_cable_down(p);
	} else {
		snoop_link_up(p);
	}
	lan_port_news(p);
}

/* How p was, before carrier, cable or fault change. */
struct port_was {
	bool up, peer;
};

static struct port_was port_now(const struct port *p)
{
	return (struct port_was){.up = port_is_up(p), .peer = has_peer(p)};
}

static void port_changed(struct port *p, struct port_was was)
{
	struct lan *lan = p->lan;

	if (!lan)
		return;
	if (port_is_up(p) != was.up)
		up_changed(p, !was.up);
	if (has_peer(p) != was.peer && lan->events.link)
		lan->events.link(lan->events.arg, p, !was.peer);
}

void lan_port_link(struct port *p, bool up)
{
	struct port_was was = port_now(p);

	assert(!p->lan || !p->lan->lane);
	p->carrier = up;
	if (!up && !p->caps.is_ours)
		p->last_mac = (mac){0}; /* who comes next is another */
	port_changed(p, was);
}

void lan_port_admin(struct port *p, bool up)
{
	struct port_was was = port_now(p);

	assert(!p->lan || !p->lan->lane);
	if (p->admin_up == up)
		return;
	p->admin_up = up;
	port_changed(p, was);
	if (p->ops->link)
		p->ops->link(p, up);
}

void lan_port_caps(struct port *p, const struct port_caps *caps)
{
	assert(!p->lan || !p->lan->lane);
	if (p->cable)
		port_cable_caps(p, caps);
	else
		p->caps = *caps;
	if (p->lan)
		lan_port_news(p);
}

const struct port_caps *lan_port_own_caps(const struct port *p)
{
	return p->cable ? port_cable_own_caps(p) : &p->caps;
}

void port_fault(struct port *p, enum port_fault why, const char *fmt, ...)
{
	struct port_was was = port_now(p);
	struct lan *lan = p->lan;
	char text[256];
	va_list ap;

	if (p->fault != FAULT_NONE)
		return;
	p->fault = (uint8_t)why;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (lan && lan->events.fault)
		lan->events.fault(lan->events.arg, p, why, text);
	port_changed(p, was);
}

void port_fault_clear(struct port *p)
{
	struct port_was was = port_now(p);

	assert(!p->lan || !p->lan->lane);
	p->fault = FAULT_NONE;
	port_changed(p, was);
}

void lan_ask_room(struct port *exit)
{
	if (exit->wants_room)
		return;
	exit->wants_room = true;
	exit->lan->busy++;
	exit->ops->want_room(exit);
	exit->lan->busy--;
}

void lan_wait(struct port *sender, struct port *exit)
{
	if (!sender->ops->room)
		return;
	exit->waiters |= UINT64_C(1) << sender->wait_slot;
	lan_ask_room(exit);
}

void lan_wake_later(struct port *exit)
{
	struct lan *lan = exit->lan;

	list_del(&exit->link_wake);
	list_add_tail(&lan->wake, &exit->link_wake);
	if (!timer_is_armed(&lan->wake_timer))
		timer_arm(lan->wheel, &lan->wake_timer, *lan->now_ns);
}

/* Tells the senders that share the last bit. */
static void wake_shared(struct lan *lan, struct port *exit)
{
	list_each(it, &lan->ports) {
		struct port *p = container_of(it, struct port, link_all);

		if (p->ops->room && p->wait_slot == WAIT_SHARED && p != exit)
			p->ops->room(p, exit);
	}
}

/* The first bit set in mask from bit turn on, round the end. */
static unsigned next_bit(uint64_t mask, unsigned turn)
{
	uint64_t ahead = mask & (~UINT64_C(0) << turn % LAN_WAITERS);

	return (unsigned)__builtin_ctzll(ahead ? ahead : mask);
}

/* A sender that is told may fill the exit at once; the next then is refused
 * and waits again.  So that each gets its turn, the first one changes. */
static void wake_waiters(struct lan *lan, struct port *p)
{
	uint64_t left = p->waiters;
	unsigned turn = p->wait_turn;

	p->waiters = 0;
	if (left)
		p->wait_turn = next_bit(left, turn) + 1;
	while (left) {
		unsigned slot = next_bit(left, turn);

		left &= ~(UINT64_C(1) << slot);
		turn = slot;
		if (slot == WAIT_SHARED)
			wake_shared(lan, p);
		else if (lan->waiter[slot])
			lan->waiter[slot]->ops->room(lan->waiter[slot], p);
	}
}

void lan_port_room(struct port *p)
{
	struct lan *lan = p->lan;
	bool holders_first = p->holders_first;

	if (!lan)
		return;
	if (lan->busy > 0 || lan->lend_open) {
		lan_wake_later(p);
		return;
	}
	/* Either kind of sender may use the room up. */
	p->holders_first = !holders_first;
	p->wants_room = false;
	if (p->cable)
		port_cable_room(p);
	if (holders_first)
		hold_serve(p);
	wake_waiters(lan, p);
	if (!holders_first)
		hold_serve(p);
}

/* ---- what is known of them ---- */

void lan_path(struct port *from, mac dst, struct lan_path *pathp)
{
	struct lan *lan = from->lan;
	struct port *exit = lan_exit(lan, dst);
	struct lan_path path = {.offload = PORT_O_ALL, .max_frame = FRAME_MAX};

	if (exit && exit != from && port_is_up(exit)) {
		path.port = exit;
		path.offload = exit->caps.offload;
		path.max_frame = exit->caps.max_frame;
		path.lossy = exit->caps.lossy;
		path.queue_frames = exit->caps.queue_frames;
		*pathp = path;
		return;
	}
	list_each(it, &lan->ports) {
		struct port *p = container_of(it, struct port, link_all);

		if (p == from || !port_is_up(p))
			continue;
		path.offload &= p->caps.offload;
		if (p->caps.max_frame < path.max_frame)
			path.max_frame = p->caps.max_frame;
		path.lossy |= p->caps.lossy;
		/* 0, any number, wraps to the greatest. */
		if (p->caps.queue_frames - 1 < path.queue_frames - 1)
			path.queue_frames = p->caps.queue_frames;
	}
	*pathp = path;
}

struct mac_walk {
	lan_mac_fn fn;
	void *arg;
	uint64_t now_ns;
};

static void mac_show(void *arg, mac m, struct port *p, uint64_t seen_ns)
{
	struct mac_walk *w = arg;

	w->fn(w->arg, m, p, w->now_ns - seen_ns);
}

void lan_macs(struct lan *lan, lan_mac_fn fn, void *arg)
{
	struct mac_walk w = {.fn = fn, .arg = arg, .now_ns = *lan->now_ns};

	fdb_each(&lan->fdb, mac_show, &w);
}

unsigned lan_some_macs(struct lan *lan, unsigned from, unsigned max,
		       lan_mac_fn fn, void *arg)
{
	struct mac_walk w = {.fn = fn, .arg = arg, .now_ns = *lan->now_ns};

	return lan->is_hub || lan->lane
		       ? 0
		       : fdb_walk(&lan->fdb, from, max, mac_show, &w);
}

struct port *lan_behind(const struct lan *lan, mac m)
{
	return lan_exit(lan, m);
}

unsigned lan_n_macs(const struct lan *lan)
{
	return lan->is_hub || lan->lane ? 0 : lan->fdb.n;
}
