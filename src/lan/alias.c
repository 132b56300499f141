/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who gets an alias, which, and how long (see alias.h).  Nothing here runs for
 * frames whose source is where it was.
 */
#include "lan/alias.h"

#include <assert.h>

#include "lan/lan_priv.h"

/* Something that moved may show within this time that it did not. */
#define WATCH_NS (UINT64_C(60) * 1000000000)

static bool is_known(struct lan *lan, mac m)
{
	if (fdb_find(&lan->fdb, m))
		return true;
	list_each(it, &lan->ports) {
		struct port *p = container_of(it, struct port, link_all);

		if (mac_eq(p->last_mac, m))
			return true;
		list_each(jt, &p->aliases) {
			struct alias *a = container_of(jt, struct alias, link);

			if (mac_eq(a->alias, m))
				return true;
		}
	}
	return false;
}

/* A locally administered address (IEEE 802-2014 8.4) that shows which MAC it
 * stands for.  The lowest that is free: a machine that comes back is known by
 * the same, and so has the same lease.  Nobody can use all: there are more than
 * the table has entries. */
static bool alias_choose(struct lan *lan, mac real, mac *aliasp)
{
	for (unsigned n = 1; n < 65536; n++) {
		mac m = {{0x0e, 0x76, (uint8_t)n,
			  (uint8_t)(real.b[3] + (n >> 8)), real.b[4],
			  real.b[5]}};

		if (is_known(lan, m))
			continue;
		*aliasp = m;
		return true;
	}
	return false;
}

/* Tells control that a and b use one address, once a minute per pair.  When
 * too many pairs clash to be remembered the others are not told. */
static void report(struct lan *lan, mac m, struct port *a, struct port *b,
		   const mac *alias)
{
	uint32_t low = a->serial < b->serial ? a->serial : b->serial;
	uint32_t high = a->serial < b->serial ? b->serial : a->serial;
	uint64_t now = *lan->now_ns;
	struct lan_clash *room = NULL;

	if (!lan->events.mac_clash)
		return;
	for (unsigned i = 0; i < LAN_CLASHES; i++) {
		struct lan_clash *c = &lan->clash[i];

		if (c->a == 0 || now - c->told_ns >= LAN_CLASH_NS)
			room = c;
		else if (c->a == low && c->b == high)
			return;
	}
	if (!room)
		return;
	*room = (struct lan_clash){.a = low, .b = high, .told_ns = now};
	lan->events.mac_clash(lan->events.arg, m, a, b, alias);
}

static unsigned count_aliases(const struct port *p)
{
	unsigned n = 0;

	list_each(it, &p->aliases)
		n++;
	return n;
}

/* True if m has to do with an alias of p: a machine that sends from both, or
 * another one that sends from p's alias, gets no further one. */
static bool is_taken(const struct port *p, mac m)
{
	list_each(it, &p->aliases) {
		const struct alias *a = container_of(it, struct alias, link);

		if (mac_eq(a->real, m) || mac_eq(a->alias, m))
			return true;
	}
	return false;
}

/* The machine behind `to` goes by an alias of m from now on; m is owner's.
 * False: there are too many. */
static bool alias_add(mac m, struct port *owner, struct port *to)
{
	struct lan *lan = to->lan;
	struct list *free = list_first(&lan->free_aliases);
	struct alias *a;

	assert(!to->caps.is_ours);
	if (!free || count_aliases(to) == ALIAS_PER_PORT || is_taken(to, m))
		return false;
	a = container_of(free, struct alias, link);
	if (!alias_choose(lan, m, &a->alias))
		return false;
	a->real = m;
	list_del(&a->link);
	list_add_tail(&to->aliases, &a->link);
	to->alias_use |= ALIAS_USE_SWAP;
	lan_port_news(to);
	fdb_put(&lan->fdb, m, owner, *lan->now_ns);
	if (mac_eq(to->last_mac, m))
		to->last_mac = a->alias;
	report(lan, m, owner, to, &a->alias);
	return true;
}

/* Another machine's port where m was seen last, for long though it may be:
 * the table forgets who is silent. */
static struct port *last_user(struct port *from, mac m)
{
	list_each(it, &from->lan->ports) {
		struct port *p = container_of(it, struct port, link_all);

		if (p != from && !p->caps.is_uplink && port_is_up(p) &&
		    mac_eq(p->last_mac, m))
			return p;
	}
	return NULL;
}

static bool learned_new(struct port *from, mac m, const struct frame *f)
{
	struct port *owner;

	if (from->caps.is_ours || !alias_is_start(f))
		return false;
	owner = last_user(from, m);
	return owner && alias_add(m, owner, from);
}

/* Seen here, there and here again within FDB_BACK_NS. */
static void learned_back(struct port *from, mac m, struct port *before)
{
	if (!alias_add(m, from, before))
		report(from->lan, m, from, before, NULL);
}

/* True if m is before's whatever from sends: the gateway's own, and the one
 * that from has an alias for (it has sent from that alias). */
static bool is_fixed(const struct port *from, mac m, const struct port *before)
{
	if (before->caps.is_ours)
		return !from->caps.is_ours;
	list_each(it, &from->aliases)
		if (mac_eq(container_of(it, struct alias, link)->real, m))
			return true;
	return false;
}

static bool learned_fixed(struct port *from, mac m, struct port *before)
{
	struct lan *lan = from->lan;

	if (!from->caps.is_uplink) {
		if (alias_add(m, before, from))
			return true;
		report(lan, m, before, from, NULL);
	}
	fdb_put(&lan->fdb, m, before, *lan->now_ns);
	from->last_mac = (mac){0}; /* not m, in any case */
	return false;
}

bool alias_learned(struct port *from, const struct frame *f,
		   enum fdb_result r, struct port *before)
{
	mac m = mac_bytes(f->hdr + 6);

	if (r != FDB_ADDED && is_fixed(from, m, before))
		return learned_fixed(from, m, before);
	if (from->caps.is_uplink)
		return false;
	if (r == FDB_ADDED)
		return learned_new(from, m, f);
	if (before->caps.is_uplink || before->caps.is_ours) /* two gateways */
		return false;
	if (r == FDB_MOVED_BACK) {
		learned_back(from, m, before);
		return false;
	}
	if (from->caps.is_ours)
		return false;
	if (alias_is_announcement(f)) {
		before->last_mac = (mac){0};
		return false;
	}
	if (alias_is_start(f))
		return alias_add(m, before, from);
	from->alias_use |= ALIAS_USE_WATCH;
	from->watch = m;
	from->watch_from = before->serial;
	from->watch_ns = *from->lan->now_ns;
	return false;
}

static struct port *port_of_serial(struct lan *lan, uint32_t serial)
{
	list_each(it, &lan->ports) {
		struct port *p = container_of(it, struct port, link_all);

		if (p->serial == serial)
			return p;
	}
	return NULL;
}

/* The first frame of b with which a machine that uses m starts; or b->n. */
static unsigned find_start(const struct batch *b, mac m)
{
	unsigned i = 0;

	while (i < b->n && (b->f[i].hdr_len < FRAME_ETH_LEN ||
			    !mac_eq(mac_bytes(b->f[i].hdr + 6), m) ||
			    !alias_is_start(&b->f[i])))
		i++;
	return i;
}

void alias_watch(struct port *from, const struct batch *b)
{
	struct lan *lan = from->lan;
	bool is_over = *lan->now_ns - from->watch_ns >= WATCH_NS ||
		       fdb_find(&lan->fdb, from->watch) != from;
	struct port *owner;

	if (!is_over && find_start(b, from->watch) == b->n)
		return;
	from->alias_use &= (uint8_t)~ALIAS_USE_WATCH;
	if (is_over)
		return;
	owner = port_of_serial(lan, from->watch_from);
	if (owner && port_is_up(owner))
		(void)alias_add(from->watch, owner, from); /* or moves on */
}

void alias_forget(struct port *p)
{
	if (!list_empty(&p->aliases))
		p->last_mac = (mac){0}; /* it may have been one of them */
	list_splice(&p->lan->free_aliases, &p->aliases);
	p->alias_use &= ALIAS_USE_CABLE;
}
