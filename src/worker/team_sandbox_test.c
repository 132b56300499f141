/* SPDX-License-Identifier: BSD-3-Clause */
/* Workers in an engine's sandbox: what they do is allowed, and what one of them
 * may not do ends the engine. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/sandbox.h"
#include "worker/team.h"

enum { WORKERS = 3, GAMES = 200 };

struct world {
	struct team *t;
	unsigned n_balls;
	bool is_bad; /* a worker does what it may not */
};

static void pass(struct world *w, unsigned me)
{
	struct mail_cell c = {.kind = 1};

	if (!mail_post(team_mail(w->t, me, (me + 1) % WORKERS), &c))
		abort();
}

static void take(void *arg, unsigned me, struct mail *m)
{
	struct world *w = arg;
	struct mail_cell c;
	struct frame f;

	while (mail_next(m, &c, &f)) {
		if (w->is_bad && me == 2)
			syscall(SYS_ptrace, 16, 1, 0, 0);
		/* Asleep in the meantime, and woken. */
		if (me == 0) {
			team_pause(w->t);
			team_resume(w->t);
		}
		if (w->n_balls++ == GAMES)
			loop_stop(team_worker(w->t, 0)->loop);
		else
			pass(w, me);
	}
}

static int play(struct world *w)
{
	static const struct team_ops ops = {.mail = take};
	struct team_config c = {.n = WORKERS, .ops = &ops, .arg = w};
	struct error e = ERROR_NULL;

	if (sandbox_enter(NULL, 0, &e) < 0)
		return 100;
	if (team_new(&c, &w->t, &e) < 0)
		return 101;
	if (sandbox_seccomp(&e) < 0)
		return 102;
	pass(w, 0);
	if (team_run(w->t) < 0)
		return 103;
	team_free(w->t);
	return 0;
}

static int play_in_sandbox(bool is_bad)
{
	struct log log = LOG_INIT(LOG_LEVEL_ERROR);
	struct world w = {.is_bad = is_bad};
	struct error e = ERROR_NULL;
	pid_t pid = sandbox_fork(&log, &e);

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(play(&w));
	return sandbox_wait(pid, -1);
}

static void workers_do_their_work_in_it(void **state)
{
	assert_int_equal(GAMES % WORKERS, 2); /* worker 0 has the last one */
	assert_int_equal(play_in_sandbox(false), 0);
}

static void one_workers_forbidden_call_ends_all(void **state)
{
	int status = play_in_sandbox(true);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_do_their_work_in_it),
		cmocka_unit_test(one_workers_forbidden_call_ends_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
