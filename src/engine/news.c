/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the keeper must hear, however long it does not listen (engine_priv.h).
 *
 * The channel holds some hundred messages, and frames do not wait for room in
 * it.  Most of what is said there may be lost: an event is a line in the log, a
 * refusal is lost as the path loses one.  But a keeper that missed a machine's
 * end would count wrongly for ever.  Each piece of such news is therefore a
 * difference between what is and what was told, kept where it happened: so it
 * is bounded, whatever machines do meanwhile, and several in one are told in
 * as few messages as lead to the same end.  Worker 0's thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine_priv.h"

/* True if the channel has no room now, and may have some later. */
static bool is_full(int r)
{
	return r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM;
}

static bool say_machine(struct engine *e, struct engine_netdev *n, bool is_here)
{
	union engine_msg m = {
		.machine = {.port = n->id, .is_here = is_here}};

	memcpy(m.machine.name, n->news.name, sizeof(m.machine.name));
	if (is_full(engine_tell(e, &m, ENGINE_MSG_MACHINE)))
		return false;
	n->news.told += is_here ? 1 : -1u;
	return true;
}

/* Of machines that came and went unheard, one that went is told: it says that
 * a connection is over. */
static bool say_machines(struct engine *e, struct engine_netdev *n)
{
	struct engine_news *s = &n->news;

	if (s->has_left && !s->told && !say_machine(e, n, true))
		return false;
	if (s->has_left && !say_machine(e, n, false))
		return false;
	s->has_left = false;
	while (s->told < s->here)
		if (!say_machine(e, n, true))
			return false;
	while (s->told > s->here)
		if (!say_machine(e, n, false))
			return false;
	return true;
}

/* All of one netdev; false: not all. */
static bool say_netdev(struct engine *e, struct engine_netdev *n)
{
	union engine_msg m = {.port = {.port = n->id}};

	if (!say_machines(e, n))
		return false;
	if (n->news.wants_fd &&
	    is_full(engine_tell(e, &m, ENGINE_MSG_WANT_FD)))
		return false;
	n->news.wants_fd = false;
	if (n->news.owes_heard && is_full(engine_heard_tell(e, n)))
		return false;
	n->news.owes_heard = false;
	if (n->news.owes_leases && is_full(engine_leases_tell(e, n)))
		return false;
	n->news.owes_leases = false;
	return true;
}

static bool say_failures(struct engine *e)
{
	list_each_safe(it, &e->failures) {
		struct engine_failure *f =
			container_of(it, struct engine_failure, link);
		union engine_msg m = {.failed = f->m};

		if (is_full(engine_tell(e, &m, ENGINE_MSG_FAILED)))
			return false;
		list_del(&f->link);
		free(f);
	}
	return true;
}

static bool say_answers(struct engine *e)
{
	union engine_msg synced = {.sync = {.cookie = e->synced_cookie}};
	union engine_msg looked = {.look = e->looked};

	if (!say_failures(e))
		return false;
	if (e->owes_synced && !e->n_unsettled &&
	    is_full(engine_tell(e, &synced, ENGINE_MSG_SYNCED)))
		return false;
	if (!e->n_unsettled)
		e->owes_synced = false;
	if (e->owes_looked &&
	    is_full(engine_tell(e, &looked, ENGINE_MSG_LOOKED)))
		return false;
	e->owes_looked = false;
	return true;
}

/* The rest waits until the keeper has read. */
static void wait_for_room(struct engine *e, bool is_behind)
{
	if (e->is_behind == is_behind)
		return;
	e->is_behind = is_behind;
	/* Fails when the keeper is gone, and then nobody waits. */
	(void)loop_out(e->worker->loop, &e->io, is_behind);
}

/* One netdev's, unless others wait already. */
static void tell_netdev(struct engine *e, struct engine_netdev *n)
{
	if (!e->is_behind && !say_netdev(e, n))
		wait_for_room(e, true);
}

static void tell_answers(struct engine *e)
{
	if (!e->is_behind && !say_answers(e))
		wait_for_room(e, true);
}

void engine_news_tell(struct engine *e)
{
	list_each(it, &e->netdevs) {
		struct engine_netdev *n =
			container_of(it, struct engine_netdev, link);

		if (!say_netdev(e, n)) {
			wait_for_room(e, true);
			return;
		}
	}
	wait_for_room(e, !say_answers(e));
}

void engine_news_machine(struct engine *e, struct engine_netdev *n,
			 const char name[ENGINE_NAME_LEN], bool is_here)
{
	memcpy(n->news.name, name, sizeof(n->news.name));
	if (is_here)
		n->news.here++;
	else if (n->news.here)
		n->news.here--;
	if (!is_here)
		n->news.has_left = true;
	tell_netdev(e, n);
}

void engine_news_want_fd(struct engine *e, struct engine_netdev *n)
{
	n->news.wants_fd = true;
	tell_netdev(e, n);
}

void engine_news_leases(struct engine *e, struct engine_netdev *n)
{
	n->news.owes_leases = true;
	tell_netdev(e, n);
}

void engine_news_failed(struct engine *e, const struct msg_failed *m)
{
	struct engine_failure *f = calloc(1, sizeof(*f));

	if (!f) {
		log_error(&e->log, "engine: %s", m->text);
		return;
	}
	f->m = *m;
	list_add_tail(&e->failures, &f->link);
	tell_answers(e);
}

void engine_news_synced(struct engine *e, uint32_t cookie)
{
	e->synced_cookie = cookie;
	e->owes_synced = true;
	tell_answers(e);
}

void engine_unsettled(struct engine *e, struct engine_netdev *n, bool is)
{
	if (n->is_unsettled == is)
		return;
	n->is_unsettled = is;
	e->n_unsettled += is ? 1 : -1u;
	if (!is)
		tell_answers(e);
}

void engine_news_looked(struct engine *e, const struct msg_look *m)
{
	e->looked = *m;
	e->owes_looked = true;
	tell_answers(e);
}

void engine_news_forget(struct engine *e)
{
	list_each_safe(it, &e->failures) {
		list_del(it);
		free(container_of(it, struct engine_failure, link));
	}
}
