/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flows as the engine shows them, a turn at a time (control/look.h): at[0] is a
 * gateway, at[1] a worker, at[2] and [3] where it is among its flows.
 *
 *	worker 0				worker i
 *	LOOK -- its own flows: shows them
 *	     -- another's ------- mail ------>	shows them
 *	names, LOOKED  <--------- mail -------	.. and gives back the turn
 *
 * So nobody waits for anybody, and a worker has a turn's work between two
 * rounds.  There is one turn at a time, for there is one room; what is asked
 * meanwhile, be it of flows or not, comes next.
 */
#include "engine/engine_priv.h"

/* The first gateway from that number on; NULL: none. */
static struct engine_netdev *gateway_from(struct engine *e, uint32_t id)
{
	struct engine_netdev *found = NULL;

	list_each(it, &e->netdevs) {
		struct engine_netdev *n =
			container_of(it, struct engine_netdev, link);

		if (n->role == ROLE_GATEWAY && n->id >= id &&
		    (!found || n->id < found->id))
			found = n;
	}
	return found;
}

static struct flow_room room_of(struct engine *e, unsigned n)
{
	union look_room *room = e->counters.room;

	return (struct flow_room){.to = room->flow, .n = n, .max = LOOK_TURN};
}

/* The worker's own flows. */
static void show(struct engine *e, struct gateway *gw, struct msg_look *m)
{
	struct gateway_flows_at at = {.part = m->at[2], .chain = m->at[3]};
	struct flow_room r = room_of(e, 0);

	if (gateway_show_flows(gw, m->at[1], &at, &r)) {
		m->at[2] = at.part;
		m->at[3] = at.chain;
	} else {
		m->at[1]++;
		m->at[2] = m->at[3] = 0;
	}
	m->n = r.n;
}

/* Worker 0: what m says is in the room. */
static void finish(struct engine *e, struct gateway *gw, struct msg_look *m)
{
	struct flow_room r = room_of(e, m->n);

	if (gw)
		gateway_name_flows(gw, &r);
	if (!gw || m->at[1] >= gateway_n_workers(gw)) {
		m->is_over = !gateway_from(e, m->at[0] + 1);
		m->at[0]++;
		m->at[1] = m->at[2] = m->at[3] = 0;
	}
	engine_news_looked(e, m);
}

static void post(struct engine *e, unsigned me, unsigned to)
{
	const struct mail_cell c = {.kind = ENGINE_MAIL_LOOK};

	e->look.owes[me] = !mail_post(team_mail(e->team, me, to), &c);
}

bool engine_look_later(struct engine *e, const struct msg_look *m)
{
	if (!e->look.worker)
		return false;
	e->look.next = *m;
	e->look.has_next = true;
	return true;
}

void engine_look_flows(struct engine *e, const struct msg_look *asked)
{
	struct engine_netdev *n = gateway_from(e, asked->at[0]);
	struct msg_look m = *asked;

	m.n = 0;
	m.is_over = !n;
	if (!n) {
		engine_news_looked(e, &m);
		return;
	}
	if (n->id != m.at[0] || m.at[1] >= gateway_n_workers(n->gateway)) {
		m.at[0] = n->id;
		m.at[1] = m.at[2] = m.at[3] = 0;
	}
	if (m.at[1] == 0) {
		show(e, n->gateway, &m);
		finish(e, n->gateway, &m);
		return;
	}
	e->look.m = m;
	e->look.gw = n->gateway;
	e->look.worker = m.at[1];
	post(e, 0, e->look.worker);
}

/* The turn has come back. */
static void take_back(struct engine *e)
{
	struct engine_look *l = &e->look;
	const struct msg_look next = l->next;

	l->worker = 0;
	if (l->has_next) { /* nobody waits for this one any more */
		l->has_next = false;
		engine_order_look(e, &next);
		return;
	}
	finish(e, l->gw, &l->m);
}

void engine_look_mail(struct engine *e, unsigned me)
{
	if (me == 0) {
		take_back(e);
		return;
	}
	if (e->look.gw)
		show(e, e->look.gw, &e->look.m);
	post(e, me, 0);
}

void engine_look_room(struct engine *e, unsigned me)
{
	if (e->look.owes[me])
		post(e, me, me ? 0 : e->look.worker);
}

void engine_look_forget(struct engine *e, const struct gateway *gw)
{
	if (!e->look.worker || e->look.gw != gw)
		return;
	team_pause(e->team);
	e->look.gw = NULL;
	team_resume(e->team);
}
