/* SPDX-License-Identifier: BSD-3-Clause */
/* Workers: mail between all of them, the pause, how they end and how they fail
 * to start. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <seccomp.h>

#include "worker/team.h"

enum {
	WORKERS = 4,
	ROUNDS = 3000, /* of each worker, with a batch in each */
	BATCH = 16,
	PAUSES = 200,
	GAMES = 5000,   /* of ping-pong */
	KIND_FRAME = 1, /* id[0]: its number among those of its sender to us */
	KIND_END,       /* word[0]: how many there were */
	KIND_BALL,
	KIND_DONE,
};

static const uint8_t bytes[1514] = {1, 2, 3};

/* One worker's part; its own but in a pause. */
struct part {
	struct world *w;
	unsigned me;
	struct loop_work work;
	unsigned n_rounds;
	uint64_t n_sent[WORKERS], n_got[WORKERS], next[WORKERS];
	uint64_t lost; /* of what others sent, as their ends say */
	unsigned n_ends;
	unsigned n_end_sent; /* to 0, 1, .. me left out */
	struct loop_io *io;  /* comes and goes in pauses */
	uint64_t n_io;
	bool has_started, has_stopped;
};

struct world {
	struct team *t;
	unsigned n;
	struct part part[WORKERS];
	/* worker 0's */
	unsigned n_done;
	unsigned n_pauses;
	bool pauses;
	/* written in pauses, read by all in every round */
	uint64_t low, high; /* the same */
	/* of tests with other hooks */
	unsigned fails_at;
	unsigned n_started, n_stopped;
	uint64_t n_balls;
	uint64_t mask[WORKERS]; /* blocked signals of a thread */
};

static struct loop *loop_of(const struct part *p)
{
	return team_worker(p->w->t, p->me)->loop;
}

/* ---- all to all ---- */

static void send_batch(struct part *p, unsigned to)
{
	struct mail *m = team_mail(p->w->t, p->me, to);
	struct mail_cell c = {.kind = KIND_FRAME};
	struct batch b = {.n = 1};

	for (unsigned i = 0; i < BATCH; i++) {
		c.id[0] = (uint32_t)p->n_sent[to]++;
		b.f[0] = frame_flat(bytes, 60 + c.id[0] % 1400);
		mail_frames(m, &c, &b, 1);
	}
}

/* Tells the others how many there were, those that do not know yet. */
static void send_ends(struct part *p)
{
	for (; p->n_end_sent < p->w->n; p->n_end_sent++) {
		unsigned to = p->n_end_sent;
		struct mail_cell c = {.kind = KIND_END,
				      .n_words = 1,
				      .word = {p->n_sent[to]}};

		if (to != p->me &&
		    !mail_post(team_mail(p->w->t, p->me, to), &c))
			return; /* room() */
	}
}

static void work(struct loop_work *lw)
{
	struct part *p = container_of(lw, struct part, work);
	unsigned to = (p->me + 1 + p->n_rounds % (p->w->n - 1)) % p->w->n;

	assert(p->w->low == p->w->high);
	if (p->n_rounds++ == ROUNDS) {
		send_ends(p);
		return;
	}
	send_batch(p, to);
	loop_defer(loop_of(p), &p->work);
}

static void done(struct world *w)
{
	if (++w->n_done == w->n)
		loop_stop(team_worker(w->t, 0)->loop);
}

static void end_came(struct part *p)
{
	struct mail_cell c = {.kind = KIND_DONE};

	if (++p->n_ends < p->w->n - 1)
		return;
	if (p->me == 0)
		done(p->w);
	else if (!mail_post(team_mail(p->w->t, p->me, 0), &c))
		abort(); /* it is read all the time */
}

static void take(struct part *p, unsigned from, const struct mail_cell *c,
		 const struct frame *f)
{
	switch (c->kind) {
	case KIND_FRAME:
		assert(c->id[0] >= p->next[from]);
		assert(f->len == 60 + c->id[0] % 1400);
		assert(memcmp(f->hdr, bytes, f->len) == 0);
		p->next[from] = c->id[0] + 1;
		p->n_got[from]++;
		break;
	case KIND_END:
		p->lost += c->word[0] - p->n_got[from];
		end_came(p);
		break;
	case KIND_DONE:
		done(p->w);
		break;
	}
}

static void all_mail(void *arg, unsigned me, struct mail *m)
{
	struct world *w = arg;
	struct mail_cell c;
	struct frame f;

	assert(w->low == w->high);
	assert(mail_to(m) == me);
	for (unsigned i = 0; i < 100 && mail_next(m, &c, &f); i++)
		take(&w->part[me], mail_from(m), &c, &f);
}

static void all_room(void *arg, unsigned me, struct mail *m)
{
	struct world *w = arg;

	assert(mail_from(m) == me);
	send_ends(&w->part[me]);
}

static int all_start(void *arg, unsigned me)
{
	struct world *w = arg;
	struct part *p = &w->part[me];

	p->w = w;
	p->me = me;
	loop_work_init(&p->work, work);
	p->has_started = true;
	return 0;
}

static void all_stop(void *arg, unsigned me)
{
	struct world *w = arg;

	w->part[me].has_stopped = true;
}

static const struct team_ops all_ops = {.start = all_start,
					.stop = all_stop,
					.mail = all_mail,
					.room = all_room};

static void team_of(struct world *w, unsigned n, const struct team_ops *ops)
{
	struct team_config c = {
		.n = n, .mail_bytes = MAIL_BYTES_MIN, .ops = ops, .arg = w};
	struct error e = ERROR_NULL;

	w->n = n;
	if (team_new(&c, &w->t, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(team_size(w->t), n);
}

/* The others are idle until then. */
static void begin_all(struct world *w)
{
	team_pause(w->t);
	for (unsigned i = 0; i < w->n; i++)
		loop_defer(loop_of(&w->part[i]), &w->part[i].work);
	team_resume(w->t);
}

static void check_all(struct world *w)
{
	uint64_t dropped = 0, lost = 0, got = 0;

	team_pause(w->t);
	for (unsigned i = 0; i < w->n; i++) {
		dropped += team_worker(w->t, i)->drops->n[DROP_MAIL_FULL];
		lost += w->part[i].lost;
		for (unsigned k = 0; k < w->n; k++)
			got += w->part[i].n_got[k];
		assert_true(w->part[i].has_started);
		assert_false(w->part[i].has_stopped);
	}
	team_resume(w->t);
	assert_int_equal(lost, dropped);
	assert_int_equal(got + dropped, (uint64_t)w->n * ROUNDS * BATCH);
	assert_true(got > 0);
	assert_null(team_free(w->t));
	for (unsigned i = 0; i < w->n; i++)
		assert_true(w->part[i].has_stopped);
}

static void mail_goes_from_each_to_each(void **state)
{
	static struct world w;

	team_of(&w, WORKERS, &all_ops);
	begin_all(&w);
	assert_int_equal(team_run(w.t), 0);
	check_all(&w);
}

/* ---- the pause ---- */

static void io_rung(struct loop_io *io, uint32_t events)
{
	(void)events;
	assert(io->fd >= 0);
}

/* Another descriptor in place of the last one, which may be in what that
 * worker's kernel reports just now. */
static void change_io(struct part *p)
{
	struct loop *l = loop_of(p);

	if (p->io) {
		loop_del(l, p->io);
		close(p->io->fd);
		p->io->fd = -1;
		free(p->io);
	}
	p->io = calloc(1, sizeof(*p->io));
	assert(p->io);
	p->io->fn = io_rung;
	p->io->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	assert(p->io->fd >= 0 && loop_add(l, p->io, EPOLLIN) == 0);
	p->n_io++;
}

static void remove_io(struct part *p)
{
	loop_del(loop_of(p), p->io);
	close(p->io->fd);
	free(p->io);
}

/* Worker 0's work: a pause in each of its rounds. */
static void pause_and_change(struct loop_work *lw)
{
	struct part *p = container_of(lw, struct part, work);
	struct world *w = p->w;
	const uint64_t one = 1;

	for (unsigned i = 1; i < w->n; i++) {
		if (w->part[i].io)
			(void)!write(w->part[i].io->fd, &one, sizeof(one));
	}
	team_pause(w->t);
	team_pause(w->t);
	w->low++;
	for (unsigned i = 1; i < w->n; i++)
		change_io(&w->part[i]);
	team_resume(w->t);
	w->high++; /* the first pause is not over */
	team_resume(w->t);
	if (++w->n_pauses == PAUSES)
		done(w);
	else
		loop_defer(loop_of(p), &p->work);
}

static void run_pauses(struct world *w)
{
	loop_work_init(&w->part[0].work, pause_and_change);
	loop_defer(loop_of(&w->part[0]), &w->part[0].work);
	assert_int_equal(team_run(w->t), 0);
	assert_int_equal(w->n_pauses, PAUSES);
	assert_int_equal(w->high, PAUSES);
	team_pause(w->t);
	for (unsigned i = 1; i < w->n; i++) {
		assert_int_equal(w->part[i].n_io, PAUSES);
		remove_io(&w->part[i]);
	}
	/* The end may come in a pause. */
	assert_null(team_free(w->t));
}

/* The others send as fast as they can. */
static void a_pause_finds_them_between_rounds(void **state)
{
	static struct world w;

	team_of(&w, WORKERS, &all_ops);
	w.n_done = WORKERS - 2; /* all pauses and the others' ends are over */
	begin_all(&w);
	loop_undefer(loop_of(&w.part[0]), &w.part[0].work);
	run_pauses(&w);
}

/* The others have nothing to do but what the pauses bring. */
static void a_pause_wakes_the_sleeping(void **state)
{
	static struct world w;

	team_of(&w, WORKERS, &all_ops);
	w.n_done = WORKERS - 1; /* all pauses are over */
	run_pauses(&w);
}

static void one_worker_needs_no_others(void **state)
{
	static struct world w;

	team_of(&w, 1, &all_ops);
	team_pause(w.t);
	team_resume(w.t);
	assert_null(team_mail(w.t, 0, 0));
	loop_stop(team_worker(w.t, 0)->loop);
	assert_int_equal(team_run(w.t), 0);
	assert_null(team_free(w.t));
	assert_true(w.part[0].has_started && w.part[0].has_stopped);
	assert_null(team_free(NULL));
}

/* ---- sleep ---- */

static void pass(struct world *w, unsigned me)
{
	struct mail_cell c = {.kind = KIND_BALL};

	if (!mail_post(team_mail(w->t, me, (me + 1) % w->n), &c))
		abort();
}

/* Everybody waits for the ball; who forgot to wake the next one ends it. */
static void ball_mail(void *arg, unsigned me, struct mail *m)
{
	struct world *w = arg;
	struct mail_cell c;
	struct frame f;

	while (mail_next(m, &c, &f)) {
		if (w->n_balls++ == GAMES)
			loop_stop(team_worker(w->t, 0)->loop);
		else
			pass(w, me);
	}
}

static void nobody_is_left_asleep(void **state)
{
	static const struct team_ops ops = {.mail = ball_mail};
	static struct world w;

	team_of(&w, 3, &ops);
	pass(&w, 0);                    /* outside of any round */
	assert_int_equal(GAMES % 3, 2); /* the last is thrown to worker 0 */
	assert_int_equal(team_run(w.t), 0);
	assert_int_equal(w.n_balls, GAMES + 1);
	team_free(w.t);
}

/* ---- starting ---- */

static int start_or_fail(void *arg, unsigned me)
{
	struct world *w = arg;

	if (me == w->fails_at)
		return -ENODEV;
	w->n_started++; /* one after the other */
	return 0;
}

static void count_stop(void *arg, unsigned me)
{
	struct world *w = arg;

	__atomic_fetch_add(&w->n_stopped, 1, __ATOMIC_RELAXED);
}

static int n_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void who_cannot_start_leaves_nothing(void **state)
{
	static const struct team_ops ops = {.start = start_or_fail,
					    .stop = count_stop};
	int before = n_fds();

	for (unsigned i = 0; i < WORKERS; i++) {
		struct world w = {.fails_at = i};
		struct team_config c = {.n = WORKERS, .ops = &ops, .arg = &w};
		struct error e = ERROR_NULL;
		char text[32];

		assert_int_equal(team_new(&c, &w.t, &e), -ENODEV);
		assert_null(w.t);
		assert_int_equal(w.n_started, i);
		assert_int_equal(w.n_stopped, i);
		snprintf(text, sizeof(text), "start worker %u of 4", i + 1);
		assert_non_null(strstr(e.text, text));
		assert_non_null(strstr(e.text, strerror(ENODEV)));
		assert_int_equal(e.code, EXIT_FAILED);
		assert_int_equal(n_fds(), before);
	}
}

/* From now on the kernel makes no threads. */
static int deny_threads(void)
{
	const uint32_t refuse = SCMP_ACT_ERRNO(EAGAIN);
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? 0 : -ENOMEM;

	if (r == 0)
		r = seccomp_rule_add(ctx, refuse, SCMP_SYS(clone), 0);
	if (r == 0)
		r = seccomp_rule_add(ctx, refuse, SCMP_SYS(clone3), 0);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

/* On a thread, and for all threads that are there. */
static int start_then_deny(void *arg, unsigned me)
{
	struct world *w = arg;

	w->n_started++;
	return me == 0 ? deny_threads() : 0;
}

static int without_threads(void)
{
	static const struct team_ops ops = {.start = start_then_deny,
					    .stop = count_stop};
	struct world w = {.t = NULL};
	struct team_config c = {.n = 3, .ops = &ops, .arg = &w};
	struct error e = ERROR_NULL;

	if (team_new(&c, &w.t, &e) != -EAGAIN || w.t)
		return 1;
	if (w.n_started != 1 || w.n_stopped != 1)
		return 2;
	return strstr(e.text, "start worker 2 of 3") ? 0 : 3;
}

static void no_thread_is_an_error_with_a_name(void **state)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(without_threads());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- signals, and a loop that fails ---- */

static int keep_mask(void *arg, unsigned me)
{
	struct world *w = arg;
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	for (int s = 1; s < 32; s++)
		w->mask[me] |= (uint64_t)(sigismember(&set, s) == 1) << s;
	return 0;
}

static void signals_are_for_the_first(void **state)
{
	static const struct team_ops ops = {.start = keep_mask};
	const uint64_t own = UINT64_C(1) << SIGBUS | UINT64_C(1) << SIGSEGV |
			     UINT64_C(1) << SIGSYS;
	static struct world w;
	uint64_t before = 0;
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	for (int s = 1; s < 32; s++)
		before |= (uint64_t)(sigismember(&set, s) == 1) << s;
	team_of(&w, 3, &ops);
	assert_int_equal(w.mask[0], before);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(w.mask[i] & own, 0);
		assert_true(w.mask[i] & UINT64_C(1) << SIGTERM);
		assert_true(w.mask[i] & UINT64_C(1) << SIGCHLD);
	}
	team_free(w.t);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	assert_int_equal(sigismember(&set, SIGTERM), before >> SIGTERM & 1);
}

/* The epoll descriptor that was made as the n-th of those there are. */
static int epoll_fd(unsigned n)
{
	char path[32], what[64];

	for (int fd = 0; fd < 1024; fd++) {
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, what, sizeof(what) - 1);
		what[len < 0 ? 0 : len] = '\0';
		if (strstr(what, "eventpoll") && n-- == 0)
			return fd;
	}
	return -1;
}

static void a_loop_that_fails_is_told_and_still_pauses(void **state)
{
	static const struct team_ops ops = {.stop = count_stop};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	static struct world w;

	team_of(&w, 3, &ops);
	team_pause(w.t);
	assert_true(dup2(null, epoll_fd(1)) >= 0);
	team_resume(w.t);
	assert_true(team_run(w.t) < 0);
	team_pause(w.t);
	team_resume(w.t);
	team_pause(w.t);
	team_free(w.t);
	assert_int_equal(w.n_stopped, 3);
	close(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_goes_from_each_to_each),
		cmocka_unit_test(a_pause_finds_them_between_rounds),
		cmocka_unit_test(a_pause_wakes_the_sleeping),
		cmocka_unit_test(one_worker_needs_no_others),
		cmocka_unit_test(nobody_is_left_asleep),
		cmocka_unit_test(who_cannot_start_leaves_nothing),
		cmocka_unit_test(no_thread_is_an_error_with_a_name),
		cmocka_unit_test(signals_are_for_the_first),
		cmocka_unit_test(a_loop_that_fails_is_told_and_still_pauses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
