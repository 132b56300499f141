/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which worker carries what of a vhost-user port: its legs, its pairs on them,
 * and what the pauses cost in which that changes; see vhost_user.h.  Worker 0.
 *
 *	disabled, or stopped		both rings up
 *
 *	  leg 0  ------- vhost_settle() ------>  leg q % workers
 *	         <------------------------------
 *
 * A pair takes its kicks and what is unread along.  Of its frames that the lan
 * holds for an exit without room, at most a quarter of a queue, those on the
 * lane it leaves are lost.
 *
 * Messages come when the guest likes, and a pause stops all workers, whomever
 * they work for.  So what we work for a port in pauses is counted, and if it
 * comes to more than a part of all time (PART), its messages wait: that is its
 * VMM's time only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netdev/vhost_user.h"
#include "os/clock.h"

enum {
	PART = 16,
	PAUSE_NS = 50000, /* of a pause in which nothing is done */
};

/* So much is free before: a guest that starts. */
#define FREE_NS UINT64_C(1000000000)

/* ---- pauses ---- */

void vhost_enter(struct vhost_user *v)
{
	if (v->n_entered++ > 0 || v->n_legs == 1)
		return;
	v->env->pause(v->env->arg);
	/* How long the others needed to stop is not this guest's doing, nor
	 * how long we do not get a CPU. */
	v->entered_ns = clock_worked_ns();
}

void vhost_leave(struct vhost_user *v)
{
	if (--v->n_entered > 0 || v->n_legs == 1)
		return;
	vhost_charge(v, clock_worked_ns() - v->entered_ns);
	v->env->resume(v->env->arg);
}

void vhost_charge(struct vhost_user *v, uint64_t ns)
{
	uint64_t now = clock_now_ns();

	if (v->paid_ns + FREE_NS < now)
		v->paid_ns = now - FREE_NS;
	v->paid_ns += (ns + PAUSE_NS) * PART;
}

bool vhost_must_wait(struct vhost_user *v)
{
	if (timer_is_armed(&v->later))
		return true;
	if (v->paid_ns <= clock_now_ns())
		return false;
	timer_arm(loop_wheel(v->env->loop), &v->later, v->paid_ns);
	return true;
}

/* ---- a pair goes ---- */

void vhost_kick_on(struct vhost_pair *p, unsigned way)
{
	struct vhost_user *v = p->leg->v;
	struct loop_io *io = &p->kick[way];

	if (io->fd < 0 || loop_add(p->leg->loop, io, EPOLLIN) == 0)
		return;
	log_warn(v->env->log, "%s: no memory for a queue's kick",
		 v->port->name);
	fd_close(&io->fd);
}

/* In a pause. */
static void pair_move(struct vhost_pair *p, struct vhost_leg *to)
{
	struct vhost_leg *from = p->leg;
	struct vhost_user *v = from->v;
	uint32_t bit = vhost_bit(p);

	if (p->n_held)
		lan_port_release(&from->port);
	vhost_tell_now(from);
	loop_poll_off(from->loop, &p->poll);
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		loop_del(from->loop, &p->kick[i]);
	from->mine &= ~bit;
	from->ready &= ~bit;
	from->refused &= ~bit;
	if (from->room_wanted)
		loop_defer(from->loop, &from->room);
	p->leg = to;
	to->mine |= bit;
	to->ready |= bit;
	loop_defer(to->loop, &to->more);
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		vhost_kick_on(p, i);
	v->n_away += to != v->leg[0];
	v->n_away -= from != v->leg[0];
}

void vhost_leg_stop(struct vhost_leg *g)
{
	loop_undefer(g->loop, &g->more);
	loop_undefer(g->loop, &g->tell);
	for (unsigned q = 0; q < g->v->n_pairs; q++) {
		if (g->v->pair[q]->leg == g)
			loop_poll_off(g->loop, &g->v->pair[q]->poll);
	}
	g->ready = g->refused = g->untold = 0;
}

/* ---- a leg comes and goes; in a pause ---- */

static bool leg_on(struct vhost_leg *g)
{
	const struct netdev_env *env = g->v->env;

	if (g->port.lan || g == g->v->leg[0])
		return true;
	return env->leg(env->arg, g->v->port, g->worker, &g->port) == 0;
}

/* With the port it goes by itself. */
static void leg_off(struct vhost_leg *g)
{
	const struct netdev_env *env = g->v->env;

	if (g->port.lan)
		(void)env->leg(env->arg, g->v->port, g->worker, NULL);
	vhost_leg_stop(g);
	loop_undefer(g->loop, &g->room);
	g->room_wanted = false;
}

static void legs_without_pairs_off(struct vhost_user *v)
{
	for (unsigned i = 1; i < v->n_legs; i++) {
		if (!v->leg[i]->mine)
			leg_off(v->leg[i]);
	}
}

/* A leg's fault is cleared by leaving the lane: so of a port with one, all
 * are worker 0's. */
static struct vhost_leg *leg_for(const struct vhost_pair *p)
{
	const struct vhost_leg *now = p->leg;
	const struct vhost_user *v = now->v;

	if (v->port->fault || (now != v->leg[0] && now->port.fault) ||
	    !vhost_ring_is_up(&p->ring[VHOST_RX]) ||
	    !vhost_ring_is_up(&p->ring[VHOST_TX]))
		return v->leg[0];
	return v->leg[p->q % v->n_legs];
}

static bool is_settled(const struct vhost_user *v)
{
	unsigned q = 0;

	while (q < v->n_pairs && v->pair[q]->leg == leg_for(v->pair[q]))
		q++;
	return q == v->n_pairs;
}

static void count_up(struct vhost_leg *g)
{
	g->n_up = 0;
	for (uint32_t m = g->mine; m; m &= m - 1) {
		struct vhost_pair *p = vhost_first(g, m);

		if (vhost_ring_is_up(&p->ring[VHOST_RX]))
			g->up[g->n_up++] = (uint8_t)p->q;
	}
}

static void move_pairs(struct vhost_user *v)
{
	for (unsigned q = 0; q < v->n_pairs; q++) {
		struct vhost_pair *p = v->pair[q];

		if (p->leg != v->leg[0] && leg_for(p) == v->leg[0])
			pair_move(p, v->leg[0]);
	}
	legs_without_pairs_off(v);
	for (unsigned q = 0; q < v->n_pairs; q++) {
		struct vhost_pair *p = v->pair[q];
		struct vhost_leg *to = leg_for(p);

		if (p->leg != to && leg_on(to))
			pair_move(p, to);
	}
}

void vhost_settle(struct vhost_user *v)
{
	bool moves = !is_settled(v);

	if (moves) {
		vhost_enter(v);
		move_pairs(v);
	}
	for (unsigned i = 0; i < v->n_legs; i++) {
		if (i == 0 || v->n_away)
			count_up(v->leg[i]);
	}
	if (moves)
		vhost_leave(v);
}

void vhost_recall(struct vhost_user *v)
{
	if (!v->n_away)
		return;
	vhost_enter(v);
	for (unsigned q = 0; q < v->n_pairs; q++) {
		if (v->pair[q]->leg != v->leg[0])
			pair_move(v->pair[q], v->leg[0]);
	}
	legs_without_pairs_off(v);
	count_up(v->leg[0]);
	vhost_leave(v);
}

/* ---- life ---- */

/* Of the pairs whose home it is, or all. */
static struct vhost_leg *leg_new(struct vhost_user *v, unsigned i)
{
	const struct netdev_env *env = v->env;
	struct vhost_leg *g = mem_apart(1, sizeof(*g));

	if (!g)
		return NULL;
	v->leg[i] = g;
	g->v = v;
	g->worker = i;
	g->loop = i ? env->workers[i - 1].loop : env->loop;
	g->drops = i ? env->workers[i - 1].drops : env->drops;
	loop_work_init(&g->more, vhost_more);
	loop_work_init(&g->room, vhost_room);
	loop_work_init(&g->tell, vhost_tell);
	g->hdr = calloc(FRAME_BATCH, sizeof(*g->hdr));
	g->tx_iov = calloc(VHOST_TX_IOV, sizeof(*g->tx_iov));
	g->bounce = malloc(FRAME_MAX);
	g->iov = calloc(VHOST_CHAIN_IOV, sizeof(*g->iov));
	g->buffer = calloc(VRING_SIZE_MAX, sizeof(*g->buffer));
	g->trash = malloc(FRAME_MAX);
	if (!g->hdr || !g->tx_iov || !g->bounce || !g->iov || !g->buffer ||
	    !g->trash)
		return NULL;
	if ((i ? i + v->n_legs : 1) < v->n_pairs) {
		g->steer = calloc(VHOST_STEER, sizeof(*g->steer));
		if (!g->steer)
			return NULL;
	}
	return g;
}

static void leg_free(struct vhost_leg *g)
{
	if (!g)
		return;
	free(g->hdr);
	free(g->tx_iov);
	free(g->bounce);
	free(g->iov);
	free(g->buffer);
	free(g->trash);
	free(g->steer);
	free(g);
}

static struct vhost_pair *pair_new(struct vhost_leg *g, unsigned q)
{
	struct vhost_pair *p = mem_apart(1, sizeof(*p));

	if (!p)
		return NULL;
	p->leg = g;
	p->q = q;
	g->mine |= vhost_bit(p);
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		p->kick[i] = (struct loop_io){.fd = -1};
		g->v->ring[q * VHOST_RINGS + i] = &p->ring[i];
	}
	vhost_poll_init(&p->poll);
	return p;
}

bool vhost_legs_new(struct vhost_user *v)
{
	unsigned n = v->env->n_workers + 1;

	v->n_legs = v->n_pairs < n ? v->n_pairs : n;
	for (unsigned i = 0; i < v->n_legs; i++) {
		if (!leg_new(v, i))
			return false;
	}
	v->port = &v->leg[0]->port;
	for (unsigned q = 0; q < v->n_pairs; q++) {
		v->pair[q] = pair_new(v->leg[0], q);
		if (!v->pair[q])
			return false;
	}
	return true;
}

void vhost_legs_free(struct vhost_user *v)
{
	for (unsigned q = 0; q < v->n_pairs; q++)
		free(v->pair[q]);
	for (unsigned i = 0; i < v->n_legs; i++)
		leg_free(v->leg[i]);
}
