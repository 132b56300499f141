/* SPDX-License-Identifier: BSD-3-Clause */
/* Signals as events, and the limit of descriptors. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/rlimit.h"
#include "os/sigwatch.h"
#include "os/test_user.h"

struct seen {
	int signo[4];
	unsigned n;
};

static void note(void *arg, int signo)
{
	struct seen *s = arg;

	assert_true(s->n < 4);
	s->signo[s->n++] = signo;
}

static bool is_blocked(int signo)
{
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	return sigismember(&set, signo);
}

static void signals_come_as_events(void **state)
{
	static const int signals[] = {SIGTERM, SIGUSR1};
	struct sigwatch *w = NULL;
	struct loop *l = NULL;
	struct seen s = {.n = 0};

	assert_int_equal(loop_new(&l), 0);
	assert_int_equal(sigwatch_new(l, signals, 2, note, &s, &w), 0);
	assert_true(is_blocked(SIGTERM) && is_blocked(SIGUSR1));
	assert_int_equal(loop_turn(l, 0), 0);
	assert_int_equal(s.n, 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	while (s.n < 2)
		assert_int_equal(loop_turn(l, -1), 0);
	assert_int_equal(s.signo[0] + s.signo[1], SIGUSR1 + SIGTERM);
	/* One that comes when nobody listens any more is not the end. */
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	assert_null(sigwatch_free(w));
	assert_false(is_blocked(SIGTERM) || is_blocked(SIGUSR1));
	assert_null(sigwatch_free(NULL));
	loop_free(l);
}

static void what_is_ignored_stays_ignored(void **state)
{
	static const int signals[] = {SIGHUP, SIGUSR1};
	struct sigwatch *w = NULL;
	struct loop *l = NULL;
	struct seen s = {.n = 0};

	assert_int_equal(loop_new(&l), 0);
	signal(SIGHUP, SIG_IGN);
	assert_int_equal(sigwatch_new(l, signals, 2, note, &s, &w), 0);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	while (!s.n || s.signo[s.n - 1] != SIGUSR1)
		assert_int_equal(loop_turn(l, -1), 0);
	assert_int_equal(s.n, 1);
	assert_null(sigwatch_free(w));
	signal(SIGHUP, SIG_DFL);
	loop_free(l);
}

static int raises_the_limit(void *arg)
{
	struct rlimit rl;
	rlim_t hard;

	(void)arg;
	getrlimit(RLIMIT_NOFILE, &rl);
	hard = rl.rlim_max;
	rl.rlim_cur = 100;
	setrlimit(RLIMIT_NOFILE, &rl);
	rlimit_raise_nofile();
	getrlimit(RLIMIT_NOFILE, &rl);
	return rl.rlim_cur != hard || rl.rlim_max != hard;
}

static void descriptors_are_as_many_as_allowed(void **state)
{
	assert_int_equal(test_in_child(raises_the_limit, NULL), 0);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_come_as_events),
		cmocka_unit_test(what_is_ignored_stays_ignored),
		cmocka_unit_test(descriptors_are_as_many_as_allowed),
	};

	return cmocka_run_group_tests_name("sigwatch", tests, NULL, NULL);
}

int main(void)
{
	return test_as_both(group);
}
