/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a lane carries, and its copies; see lane.h.  Called by lan.c, lan_port.c
 * and worker/lanes.c.
 */
#include "lan/lane.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "lan/lan_priv.h"

int lane_new(const struct lane_config *c, unsigned fdb_max, struct lane **lp)
{
	struct lane *l = calloc(1, sizeof(*l));

	if (!l || fdb_copy_init(&l->table, fdb_max) < 0) {
		free(l);
		return -ENOMEM;
	}
	l->c = *c;
	*lp = l;
	return 0;
}

struct lane *lane_free(struct lane *l)
{
	if (!l)
		return NULL;
	fdb_copy_deinit(&l->table);
	free(l);
	return NULL;
}

struct port *lane_find(const struct lane *l, mac dst)
{
	const struct fdb_copy_entry *e = fdb_copy_find(&l->table, dst);

	return e ? e->port : NULL;
}

struct port *lane_exit(struct port *from, const struct frame *f)
{
	struct lan *lan = from->lan;
	struct lane *l = lan->lane;
	mac src = mac_bytes(f->hdr + 6), dst = mac_bytes(f->hdr);
	struct fdb_copy_entry *e;
	struct port *exit;

	if (from->is_punted || mac_is_group(dst))
		return NULL;
	exit = lane_find(l, dst);
	if (!exit || exit == from || exit->is_punted)
		return NULL;
	/* Of a fault found here worker 0 knows nothing yet: what is for that
	 * port is lost until it does. */
	if (!port_is_up(exit) && !exit->fault)
		return NULL;
	e = fdb_copy_find(&l->table, src);
	if (!e || e->port != from)
		return NULL;
	if (*lan->now_ns - e->told_ns >= l->c.tell_ns) {
		e->told_ns = *lan->now_ns;
		l->c.used(l->c.arg, from, src);
	}
	return exit;
}

bool lane_may_lend(const struct port *from, const struct port *exit)
{
	return from->n_known > 0 && !from->is_punted && !exit->is_punted;
}

void lane_punt(struct port *from, const struct batch *b, uint64_t mask)
{
	const struct lane_config *c = &from->lan->lane->c;
	uint64_t went = c->punt(c->arg, from, b, mask);
	unsigned n = (unsigned)__builtin_popcountll(went);
	struct lan *lan = from->lan;

	/* It counts them, and shows them to who looks on. */
	if (lan->tap && lan->tapped && went)
		lan->tap->back(lan->tap->arg, lan->tapped, went);
	tap_lost(lan, from, false, b, mask & ~went, DROP_MAIL_FULL);
	from->stats.rx_frames -= n;
	from->stats.rx_bytes -= batch_bytes(b, went);
	from->stats.rx_drops += (unsigned)__builtin_popcountll(mask & ~went);
}

void lane_mac(struct lan *lane, unsigned slot, mac m, struct port *leg)
{
	fdb_copy_set(&lane->lane->table, slot, m, leg, *lane->now_ns);
}

void lane_leg_moved(struct lan *lane, const struct port *old,
		    struct port *leg)
{
	fdb_copy_replace(&lane->lane->table, old, leg);
}

void lane_leg_add(struct lan *lane, struct port *leg, const struct port *p)
{
	assert(lane->lane);
	leg->id = p->id;
	memcpy(leg->name, p->name, sizeof(leg->name));
	lan_port_add(lane, leg);
	leg->serial = p->serial;
}

void lane_leg_sync(struct port *leg, const struct port *p)
{
	bool was_up = port_is_up(leg);

	leg->caps = p->caps;
	leg->carrier = p->carrier;
	leg->admin_up = p->admin_up;
	leg->fault = p->fault;
	leg->is_punted = !lan_port_is_plain(p);
	leg->tap = p->tap;
	if (!was_up || port_is_up(leg))
		return;
	if (leg->wants_room)
		lan_wake_later(leg);
	hold_release_soon(leg);
}

int lan_watch(struct lan *lan, const struct lan_watch *w)
{
	int r = fdb_watch(&lan->fdb, w->mac, w->arg);

	if (r == 0)
		lan->watch = *w;
	return r;
}

void lan_unwatch(struct lan *lan)
{
	lan->watch = (struct lan_watch){0};
	fdb_unwatch(&lan->fdb);
}

unsigned lan_mac_slots(const struct lan *lan)
{
	return lan->fdb.max;
}

struct port *lan_mac_slot(const struct lan *lan, unsigned slot, mac *mp)
{
	return fdb_slot(&lan->fdb, slot, mp);
}

void lan_mac_used(struct lan *lan, struct port *p, mac m)
{
	fdb_used(&lan->fdb, m, p, *lan->now_ns);
}

bool lan_port_is_plain(const struct port *p)
{
	return !(p->alias_use & ALIAS_USE_SWAP) && !p->cable;
}
