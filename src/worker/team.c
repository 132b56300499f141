/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers, their threads and their pause; see team.h.
 *
 * What threads need: clone and the like come before seccomp; to end, they give
 * back their stacks and tell who waits for them.
 * #syscalls: futex exit munmap madvise rt_sigprocmask
 */
#include "worker/team.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "os/futex.h"
#include "os/spin.h"
#include "worker/bell.h"

/* team.order: 0: work; else these and, in a pause, a number above them. */
enum order {
	ORDER_PAUSE = 1 << 0,
	ORDER_STOP = 1 << 1,
	ORDER_STEP = 1 << 2,
};

/* Where a worker sits in its team. */
struct seat {
	struct bell bell;
	/* the worker's own */
	_Alignas(MEM_APART) struct team *team;
	struct worker *worker; /* owned */
	unsigned me;
	/* the word to look at between rounds: 0 if there is nothing */
	_Atomic uint32_t *word;
	struct outbox box;
	struct mail *in[TEAM_MAX]; /* owned; by sender, NULL: itself */
	struct loop_io io;         /* the bell's */
	struct loop_poll poll;
	struct loop_hook hook;
	struct log log; /* but worker 0's */
	struct drops drops; /* where nobody gave it another place */
	/* worker 0's, of the others' seats */
	pthread_t thread;
	bool has_thread;
	bool has_started;
};

struct team {
	/* never written while threads run */
	unsigned n;
	const struct team_ops *ops;
	void *arg;
	struct seat *seats; /* owned, n */
	/* worker 0's own */
	unsigned n_pauses;
	uint32_t step;
	_Alignas(MEM_APART) struct spin_looks looks;
	/* worker 0: rw, others: ro, in every round */
	_Alignas(MEM_APART) _Atomic uint32_t order;
	/* all: rw, off the fast path */
	_Alignas(MEM_APART) _Atomic uint32_t n_acks;
	_Atomic uint32_t started; /* by a thread that begins: 1 + errno */
	_Atomic uint32_t failure; /* the errno that ended a loop, or 0 */
};

/* ---- a worker's rounds ---- */

static void acknowledge(struct team *t)
{
	unsigned n;

	n = atomic_fetch_add_explicit(&t->n_acks, 1, memory_order_acq_rel);
	if (n + 1 == t->n - 1)
		futex_wake(&t->n_acks);
}

/* Does what worker 0 wants until that is to work; false: to stop. */
static bool obey(struct team *t)
{
	uint32_t order, acked = 0;

	while ((order = atomic_load_explicit(&t->order,
					     memory_order_acquire))) {
		if (order & ORDER_STOP)
			return false;
		/* The next pause may come before the end of this one is
		 * noticed: it has another number. */
		if (order != acked)
			acknowledge(t);
		acked = order;
		futex_wait(&t->order, order);
	}
	return true;
}

/* Something is there for this worker: mail, or room, or an order. */
static bool has_news(const struct seat *s, bool is_last)
{
	if (is_last ? atomic_load(s->word)
		    : atomic_load_explicit(s->word, memory_order_relaxed))
		return true;
	for (unsigned i = 0; i < s->team->n; i++) {
		if (s->in[i] && mail_is_waiting(s->in[i], is_last))
			return true;
	}
	return outbox_has_room(&s->box, is_last);
}

static bool look(struct loop_poll *p)
{
	return has_news(container_of(p, struct seat, poll), false);
}

/* The last look before a sleep.  What is not published, by who wrote it
 * outside a round, would be forgotten. */
static bool stop_looking(struct loop_poll *p)
{
	struct seat *s = container_of(p, struct seat, poll);

	outbox_publish(&s->box);
	bell_sleeps(&s->bell);
	return has_news(s, true);
}

static void take_mail(struct seat *s)
{
	const struct team *t = s->team;
	struct mail *m;

	for (unsigned i = 0; i < t->n; i++) {
		m = s->in[i];
		if (!m || !mail_is_waiting(m, false))
			continue;
		if (t->ops->mail)
			t->ops->mail(t->arg, s->me, m);
		mail_release(m);
	}
	while ((m = outbox_roomy(&s->box))) {
		if (t->ops->room)
			t->ops->room(t->arg, s->me, m);
	}
}

static void found(struct loop_poll *p)
{
	struct seat *s = container_of(p, struct seat, poll);

	bell_woke(&s->bell); /* if it was the last look */
	take_mail(s);
	loop_poll_on(s->worker->loop, p);
}

/* The bell has rung. */
static void rung(struct loop_io *io, uint32_t events)
{
	(void)events;
	take_mail(container_of(io, struct seat, io));
}

static void woke(struct loop_hook *h)
{
	struct seat *s = container_of(h, struct seat, hook);

	bell_woke(&s->bell);
	loop_poll_on(s->worker->loop, &s->poll);
}

static void between(struct loop_hook *h)
{
	struct seat *s = container_of(h, struct seat, hook);

	outbox_publish(&s->box);
	if (!atomic_load_explicit(s->word, memory_order_relaxed))
		return;
	/* Worker 0's word is the others' failure. */
	if (s->me == 0 || !obey(s->team))
		loop_stop(s->worker->loop);
}

/* ---- a thread's life ---- */

static int start(struct seat *s)
{
	const struct team *t = s->team;

	return t->ops->start ? t->ops->start(t->arg, s->me) : 0;
}

static void stop(struct seat *s)
{
	const struct team *t = s->team;

	if (s->has_started && t->ops->stop)
		t->ops->stop(t->arg, s->me);
}

/* Without a loop it still has to acknowledge. */
static void fail(struct seat *s, int err)
{
	struct team *t = s->team;
	uint32_t none = 0;

	/* The first one is told. */
	(void)atomic_compare_exchange_strong(&t->failure, &none,
					     (uint32_t)-err);
	bell_ring(&t->seats[0].bell);
	while (obey(t))
		futex_wait(&t->order, 0);
}

static void *thread_main(void *arg)
{
	struct seat *s = arg;
	struct team *t = s->team;
	char name[16];
	int r;

	snprintf(name, sizeof(name), "vmlan-worker-%u", s->me);
	prctl(PR_SET_NAME, name);
	r = start(s);
	s->has_started = r == 0;
	atomic_store_explicit(&t->started, 1 + (uint32_t)-r,
			      memory_order_release);
	futex_wake(&t->started);
	if (r < 0)
		return NULL;
	r = loop_run(s->worker->loop);
	if (r < 0)
		fail(s, r);
	stop(s);
	return NULL;
}

/* Signals are for worker 0; but what a thread's own access or call causes goes
 * to that thread, and would end it if it were blocked. */
static void thread_signals(sigset_t *set)
{
	static const int own[] = {SIGBUS,  SIGSEGV, SIGFPE, SIGILL,
				  SIGTRAP, SIGABRT, SIGSYS};

	sigfillset(set);
	for (size_t i = 0; i < array_len(own); i++)
		sigdelset(set, own[i]);
}

static int thread_new(struct seat *s)
{
	struct team *t = s->team;
	sigset_t set, before;
	uint32_t answer;
	int r;

	atomic_store_explicit(&t->started, 0, memory_order_relaxed);
	thread_signals(&set);
	pthread_sigmask(SIG_SETMASK, &set, &before);
	r = pthread_create(&s->thread, NULL, thread_main, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return -r;
	s->has_thread = true;
	while (!(answer = atomic_load_explicit(&t->started,
					       memory_order_acquire)))
		futex_wait(&t->started, 0);
	return -(int)(answer - 1);
}

/* ---- the team ---- */

/* What a worker has before there is any thread. */
static int seat_init(struct seat *s, const struct team_config *c)
{
	struct log *log = c->log;
	int r;

	if (s->me > 0 && log) {
		s->log = *log;
		log = &s->log;
	}
	r = worker_new(log, c->limits,
		       c->slots ? &c->slots[s->me].drops : &s->drops,
		       &s->worker);
	if (r < 0 || s->team->n == 1)
		return r;
	r = bell_init(&s->bell);
	if (r < 0)
		return r;
	s->io = (struct loop_io){.fd = s->bell.fd, .fn = rung};
	r = loop_add(s->worker->loop, &s->io, EPOLLIN);
	if (r < 0)
		return r;
	loop_poll_init(&s->poll);
	s->poll.look = look;
	s->poll.stop = stop_looking;
	s->poll.fn = found;
	loop_poll_on(s->worker->loop, &s->poll);
	s->hook = (struct loop_hook){.woke = woke, .between = between};
	loop_hook_set(s->worker->loop, &s->hook);
	loop_share_looks(s->worker->loop, &s->team->looks);
	return 0;
}

static int mails_new(struct team *t, const struct team_config *c)
{
	for (unsigned i = 0; i < t->n * t->n; i++) {
		struct seat *from = &t->seats[i / t->n];
		struct seat *to = &t->seats[i % t->n];
		struct mail_config mc = {.from = from->me,
					 .to = to->me,
					 .bytes = c->mail_bytes,
					 .box = &from->box,
					 .drops = from->worker->drops,
					 .writer = &from->bell,
					 .reader = &to->bell};
		int r;

		if (from == to)
			continue;
		r = mail_new(&mc, &to->in[from->me]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A team without threads, however much of it could be made. */
static int team_make(const struct team_config *c, struct team **teamp)
{
	struct team *t = aligned_alloc(_Alignof(struct team), sizeof(*t));
	int r = 0;

	if (!t)
		return -ENOMEM;
	*t = (struct team){.ops = c->ops, .arg = c->arg};
	*teamp = t;
	t->seats = aligned_alloc(_Alignof(struct seat),
				 c->n * sizeof(struct seat));
	if (!t->seats)
		return -ENOMEM;
	t->n = c->n;
	for (unsigned i = 0; i < t->n; i++)
		t->seats[i] = (struct seat){.team = t,
					    .me = i,
					    .word = i ? &t->order : &t->failure,
					    .bell.fd = -1};
	for (unsigned i = 0; i < t->n && r == 0; i++)
		r = seat_init(&t->seats[i], c);
	return r < 0 ? r : mails_new(t, c);
}

int team_new(const struct team_config *c, struct team **teamp, struct error *e)
{
	struct team *t = NULL;
	unsigned i;
	int r;

	assert(c->n >= 1 && c->n <= TEAM_MAX);
	r = team_make(c, &t);
	if (r < 0) {
		team_free(t);
		return error_errno(e, r, "cannot make %u workers", c->n);
	}
	r = start(&t->seats[0]);
	t->seats[0].has_started = r == 0;
	for (i = 1; i < t->n && r == 0; i++)
		r = thread_new(&t->seats[i]);
	if (r < 0) {
		team_free(t);
		return error_errno(e, r,
				   "cannot start worker %u of %u (fewer "
				   "queues= need fewer)",
				   i, c->n);
	}
	*teamp = t;
	return 0;
}

static void seat_deinit(struct seat *s)
{
	for (unsigned i = 0; i < s->team->n; i++)
		mail_free(s->in[i]);
	if (s->worker)
		loop_del(s->worker->loop, &s->io);
	worker_free(s->worker);
	bell_deinit(&s->bell);
}

static void order_all(struct team *t, uint32_t order)
{
	atomic_store(&t->order, order);
	for (unsigned i = 1; i < t->n; i++)
		bell_ring(&t->seats[i].bell);
	futex_wake(&t->order); /* who has failed, or is still in a pause */
}

struct team *team_free(struct team *t)
{
	if (!t)
		return NULL;
	order_all(t, ORDER_STOP);
	for (unsigned i = 1; i < t->n; i++) {
		if (t->seats[i].has_thread)
			pthread_join(t->seats[i].thread, NULL);
	}
	if (t->n)
		stop(&t->seats[0]);
	for (unsigned i = 0; i < t->n; i++)
		seat_deinit(&t->seats[i]);
	free(t->seats);
	free(t);
	return NULL;
}

unsigned team_size(const struct team *t)
{
	return t->n;
}

struct worker *team_worker(const struct team *t, unsigned i)
{
	return t->seats[i].worker;
}

struct mail *team_mail(const struct team *t, unsigned from, unsigned to)
{
	return t->seats[to].in[from];
}

int team_run(struct team *t)
{
	int r = loop_run(t->seats[0].worker->loop);

	return r < 0 ? r : -(int)atomic_load(&t->failure);
}

void team_pause(struct team *t)
{
	uint32_t n;

	if (t->n_pauses++ > 0 || t->n < 2)
		return;
	atomic_store_explicit(&t->n_acks, 0, memory_order_relaxed);
	t->step += ORDER_STEP;
	order_all(t, t->step | ORDER_PAUSE);
	while ((n = atomic_load_explicit(&t->n_acks, memory_order_acquire)) <
	       t->n - 1)
		futex_wait(&t->n_acks, n);
}

void team_resume(struct team *t)
{
	assert(t->n_pauses > 0);
	if (--t->n_pauses > 0 || t->n < 2)
		return;
	atomic_store_explicit(&t->order, 0, memory_order_release);
	futex_wake(&t->order);
}
