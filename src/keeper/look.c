/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engine is asked for, and who waits for it; see look.h. */
#include "keeper/look_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS (LOOK_PATIENCE_S * UINT64_C(1000000000))

enum {
	TEXT_FIRST = 4096,
	TEXT_END = 64, /* bytes kept for what closes it */
	HEAD_MAX = 4096, /* of HTTP */
	/* bytes of all answers together: some long ones, and any number of
	 * short ones */
	ALL_MAX = 4 * CONTROL_ANSWER_MAX,
};

/* ---- text ---- */

/* Makes room for n bytes more. */
static bool make_room(struct look *l, size_t n)
{
	struct looks *all = &l->keeper->looks;
	size_t room = l->room ? l->room : TEXT_FIRST;
	char *more;

	while (room - l->n < n)
		room *= 2;
	if (room == l->room)
		return true;
	if (room > ALL_MAX - (all->n_bytes - l->room))
		return false;
	more = realloc(l->text, room);
	if (!more)
		return false;
	all->n_bytes += room - l->room;
	l->text = more;
	l->room = room;
	return true;
}

static bool has_room(struct look *l, size_t n)
{
	return n <= CONTROL_ANSWER_MAX / 2 &&
	       l->n + n + TEXT_END <= CONTROL_ANSWER_MAX - HEAD_MAX &&
	       make_room(l, n + TEXT_END);
}

void look_put_text(struct look *l, const char *text)
{
	size_t n = strlen(text);

	if (!has_room(l, n)) {
		l->is_cut = true;
		return;
	}
	memcpy(l->text + l->n, text, n);
	l->n += n;
}

void look_put_item(struct look *l, json_t *o)
{
	const size_t flags = JSON_COMPACT | JSON_PRESERVE_ORDER;
	size_t n = o ? json_dumpb(o, NULL, 0, flags) : 0;

	if (!n || l->is_cut || !has_room(l, n + 1)) {
		l->is_cut = true;
	} else {
		if (l->n_items++)
			l->text[l->n++] = ',';
		l->n += json_dumpb(o, l->text + l->n, n, flags);
	}
	json_decref(o);
}

/* ---- asking ---- */

static struct look *first_of(struct looks *all)
{
	struct list *it = list_first(&all->waiting);

	return it ? container_of(it, struct look, link) : NULL;
}

/* It leaves the queue; who waits for it is told. */
static void end(struct look *l)
{
	list_del(&l->link);
	list_init(&l->link);
	later_over(&l->later);
}

static void fail(struct look *l, const char *why)
{
	error_set(&l->e, EXIT_FAILED, "%s", why);
	end(l);
}

/* Has the engine asked for the next turn of the first that waits. */
static void ask(struct keeper *k)
{
	struct looks *all = &k->looks;
	struct look *l = first_of(all);
	union engine_msg m = {0};

	timer_disarm(loop_wheel(k->loop), &all->patience);
	if (!l)
		return;
	timer_arm(loop_wheel(k->loop), &all->patience,
		  *loop_now(k->loop) + PATIENCE_NS);
	if (all->is_owed)
		return;
	l->cookie = m.look.cookie = ++all->cookie;
	m.look.what = l->kind->part[l->part].what;
	memcpy(m.look.at, l->at, sizeof(l->at));
	/* One that is gone: its end is told soon. */
	all->is_owed =
		engine_link_send(k, &m, ENGINE_MSG_LOOK, NULL, 0) == 0;
}

static void on_patience(struct timer *t, uint64_t now_ns)
{
	struct keeper *k = container_of(t, struct keeper, looks.patience);
	struct look *l;
	unsigned n = 0;

	(void)now_ns;
	list_each(it, &k->looks.waiting)
		n++;
	/* All that wait, but none that comes because one of them has gone. */
	while (n-- && (l = first_of(&k->looks)))
		fail(l, "the engine does not answer");
	ask(k);
}

static void next_part(struct look *l)
{
	const struct look_part *part = &l->kind->part[l->part];

	l->part++;
	l->n_items = 0;
	memset(l->at, 0, sizeof(l->at));
	if (part->close)
		part->close(l);
}

/* All is there. */
static void close_up(struct look *l)
{
	const char *text = l->kind->end(l);
	size_t n = text ? strlen(text) : 0;

	if (!n || !make_room(l, n + 1)) {
		fail(l, "there is no memory for the answer");
		return;
	}
	memcpy(l->text + l->n, text, n + 1);
	l->n += n;
	end(l);
}

void looks_take(struct keeper *k, const struct msg_look *m)
{
	struct look *l = first_of(&k->looks);
	const struct look_part *part;

	if (!k->looks.is_owed || m->cookie != k->looks.cookie)
		return;
	k->looks.is_owed = false;
	if (!l || l->cookie != m->cookie) { /* who had asked has gone */
		ask(k);
		return;
	}
	part = &l->kind->part[l->part];
	if (m->what != (uint32_t)part->what)
		return;
	for (unsigned i = 0; i < m->n && !l->is_cut; i++)
		part->take(l, k->counters.room, i);
	memcpy(l->at, m->at, sizeof(l->at));
	if (++l->n_turns >= LOOK_TURNS_MAX)
		l->is_cut = true;
	if (m->is_over || l->is_cut)
		next_part(l);
	if (l->part == l->kind->n_parts)
		close_up(l);
	ask(k);
}

void looks_engine_lost(struct keeper *k)
{
	struct look *l = first_of(&k->looks);

	if (l)
		fail(l, "the engine ended before it had answered; ask again");
	/* Its successor, which is not there yet, is told of the next. */
	k->looks.cookie++;
	k->looks.is_owed = false;
}

void looks_engine_new(struct keeper *k)
{
	ask(k);
}

void looks_init(struct keeper *k)
{
	list_init(&k->looks.waiting);
	timer_init(&k->looks.patience, on_patience);
}

void looks_end(struct keeper *k)
{
	struct look *l;

	while ((l = first_of(&k->looks)))
		fail(l, "this network is ending");
	if (k->loop)
		timer_disarm(loop_wheel(k->loop), &k->looks.patience);
}

/* ---- who waits ---- */

static void look_free(struct later *later)
{
	struct look *l = container_of(later, struct look, later);
	struct keeper *k = l->keeper;
	bool is_asked = first_of(&k->looks) == l;

	list_del(&l->link);
	k->looks.n_bytes -= l->room;
	free(l->text);
	free(l);
	if (is_asked)
		ask(k);
}

static void look_answer(struct later *later, const struct request *r,
			struct answer *a)
{
	struct look *l = container_of(later, struct look, later);

	if (l->e.code != EXIT_DONE) {
		request_refuse(r, &l->e, a);
		return;
	}
	*a = (struct answer){
		.status = 200,
		.type = "application/json",
		.text = l->text, /* its bytes count until l is freed */
	};
	l->text = NULL;
}

int look_begin(struct keeper *k, const struct request *r,
	       const struct look_kind *kind, const char *text, struct error *e)
{
	struct looks *all = &k->looks;
	struct look *l;
	bool is_first = list_empty(&all->waiting);

	if (k->engine.sock < 0)
		return error_set(e, EXIT_FAILED,
				 "the engine has just ended; ask again");
	l = calloc(1, sizeof(*l));
	if (!l)
		return error_errno(e, ENOMEM, "the answer");
	l->later.answer = look_answer;
	l->later.free = look_free;
	l->keeper = k;
	l->kind = kind;
	list_init(&l->link);
	look_put_text(l, text);
	if (l->is_cut) {
		look_free(&l->later);
		return error_set(e, EXIT_FAILED,
				 "too much is being answered at once; ask "
				 "again");
	}
	list_add_tail(&all->waiting, &l->link);
	*r->laterp = &l->later;
	if (is_first)
		ask(k);
	return 0;
}
